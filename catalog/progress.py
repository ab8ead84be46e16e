"""How engines tell what they are doing, without knowing who listens.

An engine calls ``start`` once a phase and ``advance`` as it goes. The default does
nothing; the command line passes a progress bar, a program passes what it likes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Phase(StrEnum):
    """The steps of a long run, as a person would name them."""

    CHECKING = "Checking the catalog"
    LISTING = "Listing folders"
    READING = "Reading photos"
    VERIFYING = "Verifying photos"
    WAITING = "Waiting for the daemon"
    LOADING = "Loading hashes"
    HASHING = "Making wavelet hashes"
    SEARCHING = "Searching"
    COMPARING = "Comparing signatures"
    SETTLING = "Comparing photos closely"
    DRAWING = "Drawing photos"
    PLANNING = "Looking at the copies"
    ACTING = "Comparing every byte"
    UNDOING = "Putting files back"


class Progress(Protocol):
    """What an engine needs of whoever shows its progress."""

    def start(self, phase: Phase, total: int | None = None) -> None:
        """Begin ``phase``; ``total`` counts the units to come, None where unknown."""

    def advance(self, count: int = 1) -> None:
        """``count`` more units of the current phase are done."""

    def note(self, message: str) -> None:
        """Something a person should know now, such as what is being waited for."""


class Silent:
    """The progress nobody looks at."""

    def start(self, phase: Phase, total: int | None = None) -> None:
        pass

    def advance(self, count: int = 1) -> None:
        pass

    def note(self, message: str) -> None:
        pass


SILENT: Progress = Silent()
