"""Rows of small pictures above the text that is about them.

The photos of the next rows are on their way through the worker processes while a row is written,
so that rows follow each other as fast as the processes read, and however many there are, only a
few are held.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Generic, Self, TextIO, TypeVar

from catalog.imaging.small import Box, Small, Wanted, small
from catalog.model import Failure, Group, Match, Reason
from catalog.rendering import sequences
from catalog.rendering.look import look_of
from catalog.rendering.sequences import GAP, INDENT
from catalog.rendering.terminal import Canvas
from catalog.rendering.text import KEEP, relation_of
from catalog.workers.pool import TIME_LIMIT, Pool, run_batch

ASKED: Final = "asked"  # what stands below the picture that a question is about
_COLUMNS: Final = 24  # of a picture, where two of them fit side by side ...
_FEWEST: Final = 8  # ... and in the narrowest terminal
_ROWS: Final = 10  # of a picture at most: portraits are no taller than that
_AHEAD: Final = 8  # photos a process has waiting, so that none waits for us
_PATIENCE: Final = 2 * TIME_LIMIT * _AHEAD  # seconds until a photo is given up, and those before it

Item = TypeVar("Item", Group, Match)
Drawn = Small | Failure


@dataclass(frozen=True, slots=True)
class Subject:
    """A photo to draw, and the few words below it."""

    path: bytes
    digest: bytes
    words: str


@dataclass(frozen=True, slots=True)
class _Row(Generic[Item]):
    """The photos of a row, how many more there was no room for, and what is written below it."""

    subjects: list[Subject]
    more: int
    items: list[Item]
    above: str = ""


class Illustrator:
    """Draws photos on ``stream``, in between what is written there. Use it as a context manager.

    However the block is left, its processes end, and the terminal takes text again.
    """

    def __init__(self, canvas: Canvas, stream: TextIO, jobs: int) -> None:
        self._canvas = canvas
        self._stream = stream
        self._look = look_of(stream)
        self._pool = Pool(jobs)
        space = canvas.columns - INDENT
        self._width = max(_FEWEST, min(_COLUMNS, (space - GAP) // 2))
        self._count = max(1, (space + GAP) // (self._width + GAP))
        self._box = Box(self._width, max(1, min(_ROWS, canvas.lines - 2)), *canvas.cell)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if isinstance(error, KeyboardInterrupt) and self._stream.isatty():
                # Also where all was written: Ctrl-C has the system drop what is on its way.
                self._send(sequences.broken_off(self._canvas.form))
        finally:
            self._pool.end()

    def groups(self, groups: Iterable[Group]) -> Iterator[Group]:
        """The same groups; when one comes, its photos are drawn, the kept one first."""
        return self._drawn(self._row_of(group) for group in groups)

    def matches(self, asked: Subject, matches: Iterable[Match]) -> Iterator[Match]:
        """The same matches; before some of them come, these are drawn beside what was asked."""
        return self._drawn(self._rows_beside(asked, matches))

    def _row_of(self, group: Group) -> _Row[Group]:
        kept = Subject(group.keep.path, group.keep.digest, KEEP)
        copies = [_subject(match) for match in group.matches[: self._count - 1]]
        return _Row([kept, *copies], len(group.matches) - len(copies), [group])

    def _rows_beside(self, asked: Subject, matches: Iterable[Match]) -> Iterator[_Row[Match]]:
        rest, above = iter(matches), ""
        while some := list(itertools.islice(rest, max(1, self._count - 1))):
            yield _Row([asked, *map(_subject, some)][: self._count], 0, some, above)
            above = "\n"

    def _drawn(self, rows: Iterator[_Row[Item]]) -> Iterator[Item]:
        waiting: deque[tuple[_Row[Item], list[Future[list[Drawn]]]]] = deque()
        room = self._pool.jobs * _AHEAD
        while True:
            while sum(len(begun) for _, begun in waiting) < room:
                row = next(rows, None)
                if row is None:
                    break
                waiting.append((row, [self._begin(subject) for subject in row.subjects]))
            if not waiting:
                return
            row, begun = waiting.popleft()
            drawn = [self._end(*each) for each in zip(row.subjects, begun, strict=True)]
            self._send(self._text(row, drawn))
            yield from row.items

    def _begin(self, subject: Subject) -> Future[list[Drawn]]:
        wanted = Wanted(subject.path, subject.digest, self._canvas.form, self._box)
        arguments: tuple[Any, ...] = (small, [wanted])
        try:
            return self._pool.schedule(run_batch, arguments, TIME_LIMIT)
        except RuntimeError:  # all its processes died at once
            self._pool.end()
            return self._pool.schedule(run_batch, arguments, TIME_LIMIT)

    def _end(self, subject: Subject, begun: Future[list[Drawn]]) -> Drawn:
        """What became of it; a process that died may have died of something else, once."""
        for attempt in (begun, None):
            try:
                return (attempt or self._begin(subject)).result(_PATIENCE)[0]
            except TimeoutError:
                return Failure(Reason.TIMED_OUT)
            except Exception:  # whatever it is, it costs one picture only
                continue
        return Failure(Reason.CRASHED)

    def _text(self, row: _Row[Item], drawn: list[Drawn]) -> str:
        pieces = [
            sequences.excuse(each, self._width, self._box.rows)
            if isinstance(each, Failure)
            else sequences.picture(each, self._canvas.form, all_colours=self._canvas.all_colours)
            for each in drawn
        ]
        below = " " * INDENT
        for subject in row.subjects:
            words = f"{subject.words[: self._width]:{self._width + GAP}}"
            below += self._look.good(words) if subject.words == KEEP else words
        more = self._look.dim(f"  and {row.more:,} more") + "\n" if row.more else ""
        return f"{row.above}{sequences.row(pieces, self._width)}{below.rstrip(' ')}\n{more}"

    def _send(self, text: str) -> None:
        """Past the buffer of the stream: where it is broken off, nothing comes out later."""
        self._stream.flush()
        try:
            descriptor = self._stream.fileno()
        except OSError:  # no file: somebody collects what is written
            self._stream.write(text)
            return
        data = text.encode(self._stream.encoding, "backslashreplace")
        while data:
            data = data[os.write(descriptor, data) :]


def _subject(match: Match) -> Subject:
    return Subject(match.photo.path, match.photo.digest, relation_of(match))
