"""What the daemon tells, one line each, to a terminal or into a log file."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Protocol

from catalog.escaping import harmless, printable
from catalog.model import AlreadyThere, Change, Happening, Kind
from catalog.rendering import human
from catalog.rendering.look import Look

_WIDTH = 9  # of the word for what happened, and a blank
_GOOD = frozenset({Happening.ADDED, Happening.BACK})
_BAD = frozenset({Happening.GONE, Happening.FAILED})
_RELATIONS = {
    Kind.IDENTICAL: "identical",
    Kind.SAME: "the same picture",
    Kind.SIMILAR: "similar",
    Kind.HASH: "close hashes",
}


class Counts(Protocol):
    """What a look at a whole root came to, in files."""

    unchanged: int
    added: int
    changed: int
    moved: int
    missing: int
    failed: int


class Lines(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...


class Live:
    """Writes lines as things happen, from any thread; each line is out before the next."""

    def __init__(
        self,
        stream: Lines,
        look: Look,
        *,
        dated: bool = False,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        """``dated`` lines begin with the date too, as a log is read days later.

        ``before`` is called before each line, to take away what is in its place.
        """
        self._stream = stream
        self._look = look
        self._time = "%Y-%m-%d %H:%M:%S" if dated else "%H:%M:%S"
        self._lock = threading.Lock()
        self._before = before

    def changed(self, change: Change) -> None:
        """One photo, or a folder with all that is in it."""
        path = printable(change.path) + ("/" if change.folder else "")
        if change.before is not None:
            path = f"{printable(change.before)}{'/' if change.folder else ''} -> {path}"
        detail = f" ({printable(change.detail)})" if change.detail else ""
        self._write(change.what, path + detail)

    def changed_many(self, what: Happening, count: int, below: bytes) -> None:
        """Too many to be told one by one."""
        self._write(what, f"{human.counted(count, 'photo')} below {printable(below)}")

    def already_there(self, found: AlreadyThere) -> None:
        """A photo arrived that was there before."""
        relation = _RELATIONS[found.kind]
        score = "" if found.kind is Kind.IDENTICAL else f", {found.score:.2f}"
        line = f"you already have {printable(found.path)}: {printable(found.other)}"
        self._line(self._look.warning(f"{'':<{_WIDTH}}{line} ({relation}{score})"))

    def looked(self, root: bytes, tally: Counts, seconds: float) -> None:
        """A whole root is as the disk is now."""
        counts = (
            (tally.added, "added"),
            (tally.changed, "changed"),
            (tally.moved, "moved"),
            (tally.missing, "missing"),
            (tally.failed, "could not be read (imgcat problems)"),
        )
        changes = ", ".join(f"{count:,} {word}" for count, word in counts if count)
        seen = tally.unchanged + tally.added + tally.changed + tally.moved + tally.failed
        files = human.counted(seen, "file")
        took = human.duration(seconds)
        self._line(
            f"{'looked':<{_WIDTH}}{printable(root)}: {files}"
            f"{': ' + changes if changes else ', nothing new'}, in {took}"
        )

    def say(self, message: str) -> None:
        """What a person should know."""
        self._line(f"{'':<{_WIDTH}}{harmless(message)}")

    def _write(self, what: Happening, text: str) -> None:
        word = f"{what.value:<{_WIDTH}}"
        if what in _GOOD:
            word = self._look.good(word)
        elif what in _BAD:
            word = self._look.bad(word)
        elif what is Happening.CAME_BACK:
            word = self._look.warning(word)
        self._line(f"{word}{text}")

    def _line(self, text: str) -> None:
        moment = self._look.dim(time.strftime(self._time))
        # Whoever read this has gone, or the disk of the log is full: the catalog goes on.
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._before()
            self._stream.write(f"{moment}  {text}\n")
            self._stream.flush()
