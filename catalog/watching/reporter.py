"""What the daemon tells, and to whom: the command line writes it to a terminal or a log file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from catalog.indexing.perform import Tally
from catalog.model import AlreadyThere, Change, Happening

_SINGLY: Final = 50  # changes of one look that are told one by one


class Reporter(Protocol):
    """Who hears what the daemon does. May be called from any thread."""

    def changed(self, change: Change) -> None:
        """One photo or folder."""

    def changed_many(self, what: Happening, count: int, below: bytes) -> None:
        """Very many at once."""

    def already_there(self, found: AlreadyThere) -> None:
        """A photo arrived that was there before."""

    def looked(self, root: bytes, tally: Tally, seconds: float) -> None:
        """A whole root was looked at, and something had changed or it was the first time."""

    def say(self, message: str) -> None:
        """What a person should know."""


class Changes:
    """The changes of one look, until it is known whether they are few enough to be told singly."""

    def __init__(self, reporter: Reporter, arrived: Callable[[Change], None]) -> None:
        self._reporter = reporter
        self._arrived = arrived
        self._kept: list[Change] = []
        self._arrivals: list[Change] = []
        self._counts: dict[Happening, int] = {}

    def hear(self, change: Change) -> None:
        """One change, committed."""
        self._counts[change.what] = self._counts.get(change.what, 0) + 1
        if len(self._kept) < _SINGLY:
            self._kept.append(change)
        if change.what is Happening.ADDED:
            self._arrivals.append(change)

    def tell(self, below: bytes) -> None:
        """Tell all that was heard since the last time; ``below`` is where it happened."""
        if sum(self._counts.values()) <= _SINGLY:
            for change in self._kept:
                self._reporter.changed(change)
        else:
            for what, count in self._counts.items():
                self._reporter.changed_many(what, count, below)
        self.forget()

    def pass_arrivals_on(self) -> None:
        """Have photos that arrived looked for."""
        for change in self._arrivals:
            self._arrived(change)
        self._arrivals.clear()

    def forget(self) -> None:
        """What was heard until now is told, or is not to be."""
        self._kept.clear()
        self._counts.clear()
