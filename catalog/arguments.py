"""What programs pass to the methods of a Catalog, as the engines want it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import TypeAlias, cast

from catalog.errors import UsageError
from catalog.keeping import KeepRules, check_there, parse
from catalog.progress import SILENT, Phase, Progress

AnyPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
Listener: TypeAlias = Progress | Callable[[Phase, int, int | None], object]


class _Called:
    """The progress of an engine, for a function that wants it in three arguments."""

    def __init__(self, function: Callable[[Phase, int, int | None], object]) -> None:
        self._function = function
        self._phase = Phase.CHECKING
        self._done = 0
        self._total: int | None = None

    def start(self, phase: Phase, total: int | None = None) -> None:
        self._phase, self._done, self._total = phase, 0, total
        self._function(phase, 0, total)

    def advance(self, count: int = 1) -> None:
        self._done += count
        self._function(self._phase, self._done, self._total)

    def note(self, message: str) -> None:
        pass


def as_progress(listener: Listener | None) -> Progress:
    """What engines want of whoever listens; None: nobody does."""
    if listener is None:
        return SILENT
    if callable(listener) and not hasattr(listener, "advance"):
        return _Called(listener)
    return cast(Progress, listener)  # it may be callable besides


def as_bytes(paths: Iterable[AnyPath]) -> list[bytes]:
    """Paths as the system has them. Raises UsageError for what is none."""
    found = [os.fsencode(path) for path in paths]
    for path in found:
        if not path or b"\0" in path:  # the empty one would be the current folder
            raise UsageError(f"one of the paths is {'not one' if path else 'empty'}: {path!r}")
    return found


def several(given: AnyPath | Iterable[AnyPath] | None) -> Iterable[AnyPath]:
    """None, one path, or several."""
    if given is None:
        return ()
    return (given,) if isinstance(given, (str, bytes, os.PathLike)) else given


def keep_rules(keep: str | None, protect: AnyPath | Iterable[AnyPath] | None) -> KeepRules:
    """The rules that a text comes to. Raises UsageError, also for a folder that is not there."""
    rules = parse(keep, as_bytes(several(protect)))
    check_there(rules)
    return rules


def patterns(given: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """Shell patterns, one or several; None says nothing about them."""
    if given is None:
        return None
    return tuple(pattern for pattern in ((given,) if isinstance(given, str) else given) if pattern)


def processes_of(given: int | None) -> int | None:
    """A number of processes. Raises UsageError for less than one."""
    if given is not None and given < 1:
        raise UsageError(f"jobs is a number of processes from 1 on, not {given}")
    return given


def this_thread() -> tuple[int, int]:
    """With the process: SQLite's connections do not outlive a fork either."""
    return os.getpid(), threading.get_ident()
