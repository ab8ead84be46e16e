"""One answer on its own thread: the groups, as they were found, and as they are now.

A page asks while the next answer is being made, so each has a thread and a connection of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.model import Duplicates, Group
from catalog.queries.criteria import Criteria
from catalog.queries.duplicates import duplicates, selected
from catalog.queries.groups import StoredGroups
from catalog.queries.overview import FolderCount, Overview, Wanted
from catalog.review.asked import Review
from catalog.review.clerk import Clerk, Watched
from catalog.store.database import Database, open_for_reading
from catalog.workers.cores import cores

_MOST_AT_ONCE: Final = 2_000  # groups that are looked at


@dataclass(frozen=True, slots=True)
class Page:
    """Some groups of those that were asked for, without those whose photos went since."""

    total: int  # groups asked for, as far as these were looked at
    bytes: int  # to win in all of them
    groups: list[Group]


class Shelf:
    """Make it, ask it, end it. Every coroutine runs in the shelf's own thread."""

    def __init__(self, review: Review, criteria: Criteria) -> None:
        self._review = review
        self._criteria = criteria
        self._clerk = Clerk("imgcat-groups")
        self._database: Database | None = None
        self._found: _Found | None = None

    @property
    def ready(self) -> bool:
        """Whether there is an answer."""
        return self._found is not None

    @property
    def answer(self) -> Duplicates:
        return self._there.answer

    @property
    def photos(self) -> NDArray[np.int64]:
        """The ids of all photos in groups, group by group."""
        return self._there.overview.members.photo

    async def make(self, progress: Watched) -> None:
        """Find the groups. Raises CatalogError, and Ended where ``progress`` is to end."""
        self._found = await self._clerk.ask(self._make, progress)

    async def page(
        self,
        wanted: Wanted,
        offset: int,
        count: int,
        decided: NDArray[np.int64] | None = None,
        *,
        hiding: bool = False,
    ) -> Page:
        """Groups ``offset`` to ``offset + count`` of those ``wanted``.

        With ``decided``, ids of photos: only groups that hold one, or, ``hiding``, that hold none.
        """
        return await self._clerk.ask(self._page, wanted, offset, count, decided, hiding)

    async def group(self, keep: int) -> Group | None:
        """The group of which this photo is the one to keep, as it is now."""
        return await self._clerk.ask(self._group, keep)

    async def groups_with(self, photos: Sequence[int]) -> list[Group]:
        """The groups that hold one of these photos, as they are now."""
        return await self._clerk.ask(self._groups_with, photos)

    async def folders(self, most: int) -> list[FolderCount]:
        """Folders with photos in groups."""
        return await self._clerk.ask(lambda: self._there.overview.folders(most))

    def like(self, other: Shelf) -> bool:
        """Whether both hold the same groups."""
        mine, theirs = self._there.overview, other._there.overview
        return (
            np.array_equal(mine.members.photo, theirs.members.photo)
            and np.array_equal(mine.members.content, theirs.members.content)
            and np.array_equal(mine.members.begins, theirs.members.begins)
            and np.array_equal(mine.kind, theirs.kind)
        )

    def end(self) -> None:
        """Close the connection once what was asked for is answered."""
        self._clerk.tell(self._close)
        self._clerk.end()

    # -- in the thread -------------------------------------------------------------------------

    @property
    def _there(self) -> _Found:
        assert self._found is not None, "ask a shelf once it is made"
        return self._found

    def _make(self, progress: Watched) -> _Found:
        review = self._review
        self._database = open_for_reading(review.catalog)
        chosen = selected(self._database, review.selection, review.against)
        with ThreadPoolExecutor(cores()) as executor:
            answer = duplicates(
                self._database,
                review.paths,
                self._criteria,
                chosen,
                keep=review.keep,
                progress=progress,
                executor=executor,
                jobs=cores(),
            )
        assert isinstance(answer.groups, StoredGroups)
        gone = np.zeros(len(answer.groups), dtype=np.bool_)
        return _Found(answer, answer.groups, Overview.of(self._database, answer.groups), gone)

    def _page(
        self,
        wanted: Wanted,
        offset: int,
        count: int,
        decided: NDArray[np.int64] | None,
        hiding: bool,
    ) -> Page:
        overview = self._there.overview
        numbers = overview.chosen(wanted)
        if decided is not None:
            inside = np.isin(numbers, overview.groups_of(decided))
            numbers = numbers[inside != hiding]
        numbers, groups = self._still_there(numbers, offset, count)
        return Page(len(numbers), int(overview.reclaimable[numbers].sum()), groups)

    def _still_there(
        self, numbers: NDArray[np.int64], offset: int, count: int
    ) -> tuple[NDArray[np.int64], list[Group]]:
        """``numbers`` without those that were seen to be no groups any more, and those on show."""
        gone, looked = self._there.gone, count
        while True:
            numbers = numbers[~gone[numbers]]
            some = numbers[offset : offset + looked].tolist()
            groups = self._read(some)
            if len(groups) == len(some):
                return numbers, groups[:count]
            there = {group.keep.id for group in groups}
            kept = self._there.overview.kept[some].tolist()
            gone[some] = [photo not in there for photo in kept]
            looked = min(2 * looked, _MOST_AT_ONCE)  # after an action, they are many

    def _read(self, numbers: Sequence[int]) -> list[Group]:
        return self._there.groups.some(numbers)

    def _group(self, keep: int) -> Group | None:
        number = self._there.overview.number_of(keep)
        return None if number is None else next(iter(self._read([number])), None)

    def _groups_with(self, photos: Sequence[int]) -> list[Group]:
        numbers = self._there.overview.groups_of(np.array(photos, dtype=np.int64))
        return self._read(numbers.tolist())

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()


@dataclass(frozen=True, slots=True)
class _Found:
    answer: Duplicates
    groups: StoredGroups
    overview: Overview
    gone: NDArray[np.bool_]  # of each group, whether it was found to be none any more
