"""Whoever asks about pairs of contents asks here: known ones from memory, others are found out.

What is new is searched when the judge is called in; what only the files can tell is settled when
somebody wants to know it, and no earlier. All of it is remembered in the catalog; where that
cannot be written, it is good for this answer only.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.errors import CatalogError
from catalog.matching import known
from catalog.matching.find import MATCHER, find
from catalog.matching.settle import Settler
from catalog.model import Rule, Stages
from catalog.progress import SILENT, Progress
from catalog.search.frames import shown
from catalog.store import changes, contents, matches
from catalog.store.database import Database, Writer, open_existing_for_writing
from catalog.store.matches import UNSETTLED, Matches

_ROWS_AT_ONCE: Final = 20_000  # a tenth of a second under the write lock
_COMMIT_EVERY: Final = 2.0  # seconds of comparisons that an interrupt may cost


class Judge:
    """What is known of all pairs of contents that look alike; made by ``called_in``."""

    def __init__(
        self,
        database: Database,
        memory: _Memory,
        settler: Settler,
        stages: Stages,
    ) -> None:
        self.stages = stages
        self._database = database
        self._memory = memory
        self._settler = settler
        self._tried = np.zeros(0, dtype=np.bool_)
        self.known = matches.NONE

    @property
    def progress(self) -> Progress:
        """Whoever shows how far it is."""
        return self._settler.progress

    def search(self, executor: Executor | None) -> None:
        """Compare the contents that no one searched with all others; then all pairs are known."""
        self.known = self._searched(executor)
        self._tried = np.zeros(len(self.known), dtype=np.bool_)

    def decide(self, pairs: NDArray[np.int64]) -> None:
        """See that these of the known pairs are decided, as far as their files can be read."""
        unsettled = np.isin(self.known.rule[pairs], UNSETTLED) & ~self._tried[pairs]
        chosen = np.unique(pairs[unsettled])
        if not len(chosen):
            return
        self._tried[chosen] = True
        begun = kept = time.monotonic()
        fresh: list[int] = []
        for number, decided in self._settler.settled(self.known.only(chosen)):
            at = int(chosen[number])
            self.known.rule[at] = matches.code_of(decided)
            if decided is Rule.NOT_COMPARED:
                self.stages.not_compared += 1
            else:
                self.stages.compared += 1
            fresh.append(at)
            if time.monotonic() - kept > _COMMIT_EVERY:
                self._keep_decisions(fresh)
                fresh, kept = [], time.monotonic()
        self._keep_decisions(fresh)
        self.stages.settling += time.monotonic() - begun

    def _keep_decisions(self, at: Sequence[int]) -> None:
        if at:
            some = self.known.only(np.array(at, dtype=np.int64))
            self._memory.keep(lambda writer: matches.decide(writer, some))

    def _searched(self, executor: Executor | None) -> Matches:
        database = self._database
        begun = time.monotonic()
        with database.snapshot():
            seen = changes.latest(database)
            new = matches.unsearched(database, MATCHER)
            if not len(new):
                return matches.of_all(database)
            found = self._found(new, executor)
        self.stages.searching = time.monotonic() - begun
        if self._remembered(new, found, seen):
            return matches.of_all(database)
        earlier = matches.of_all(database)
        old = ~(np.isin(earlier.first, new) | np.isin(earlier.second, new))
        return Matches.joined([earlier.only(old), found])

    def _found(self, new: NDArray[np.int64], executor: Executor | None) -> Matches:
        """What a search finds. The signatures it holds go with it."""
        pictures = known.load(self._database, self.progress, searched=len(new))
        return find(self._database, pictures, new, self.stages, self.progress, executor)

    def _remembered(self, new: NDArray[np.int64], found: Matches, seen: int) -> bool:
        """Keep what was found about ``new`` contents, but for what changed since ``seen``."""

        def unchanged(writer: Writer, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
            changed = changes.since(writer, seen)
            return np.zeros(len(ids), np.bool_) if changed is None else ~np.isin(ids, changed)

        def forgetting(ids: NDArray[np.int64]) -> _Step:
            return lambda writer: matches.forget(writer, ids.tolist(), MATCHER)

        def saving(some: Matches) -> _Step:
            return lambda writer: matches.save(
                writer,
                some.only(unchanged(writer, some.first) & unchanged(writer, some.second)),
            )

        def marking(ids: NDArray[np.int64]) -> _Step:
            return lambda writer: matches.mark_searched(
                writer, ids[unchanged(writer, ids)].tolist(), MATCHER
            )

        def noting(ids: NDArray[np.int64]) -> _Step:
            parts = shown(contents.signatures_of(self._database, ids))
            rows = list(zip(ids.tolist(), parts.tolist(), strict=True))
            return lambda writer: contents.note_shown(writer, rows)

        # One at a time, for their memory. Marked last: what an interrupt leaves unmarked is
        # searched again.
        steps = chain(
            (forgetting(ids) for ids in _portions(new)),
            (saving(found.only(at)) for at in _portions(np.arange(len(found)))),
            (noting(ids) for ids in _portions(new)),
            (marking(ids) for ids in _portions(new)),
        )
        return all(self._memory.keep(step) for step in steps)


_Step = Callable[[Writer], None]


def _portions(ids: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [ids[at : at + _ROWS_AT_ONCE] for at in range(0, len(ids), _ROWS_AT_ONCE)]


@contextlib.contextmanager
def called_in(
    database: Database,
    progress: Progress = SILENT,
    executor: Executor | None = None,
    *,
    jobs: int,
) -> Iterator[Judge]:
    """A judge who knows all pairs; ``jobs`` processes compare files, where that is needed."""
    with _Memory.of(database, progress) as memory, Settler.of(database, jobs, progress) as settler:
        judge = Judge(database, memory, settler, Stages())
        judge.search(executor)
        yield judge


class _Memory:
    """The catalog, opened to write in it when there is something to remember.

    A catalog that cannot be written costs its memory, not the answer.
    """

    def __init__(self, database: Database, progress: Progress) -> None:
        self._database = database
        self._progress = progress
        self._opened = contextlib.ExitStack()
        self._writing: Database | None = None
        self._given_up = False

    @classmethod
    @contextlib.contextmanager
    def of(cls, database: Database, progress: Progress) -> Iterator[_Memory]:
        memory = cls(database, progress)
        with memory._opened:
            yield memory

    def keep(self, write: _Step) -> bool:
        """Run ``write`` in one transaction; False where the catalog cannot be written."""
        if self._given_up:
            return False
        try:
            if self._writing is None:
                self._writing = self._opened.enter_context(
                    open_existing_for_writing(self._database.path, self._progress)
                )
            with self._writing.writing(self._progress) as writer:
                write(writer)
        except CatalogError as error:
            self._given_up = True
            self._progress.note(f"what was found out cannot be remembered: {error}")
            return False
        return True
