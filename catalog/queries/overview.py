"""All groups of an answer at a glance: which of them somebody wants to see, and in what order.

A hundred thousand groups are chosen from as arrays, and only those on show become records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.model import Kind
from catalog.queries.groups import Members, StoredGroups
from catalog.store import folders, holders
from catalog.store.database import Database
from catalog.store.folders import Places
from catalog.store.matches import SAME

KINDS: Final = tuple(Kind)  # a kind travels as its place here, weakest last
_IDENTICAL, _SAME, _SIMILAR = (
    KINDS.index(kind) for kind in (Kind.IDENTICAL, Kind.SAME, Kind.SIMILAR)
)
_EPOCH: Final = date(1970, 1, 1)


class Sorting(StrEnum):
    """Which groups come first."""

    BYTES = "bytes"  # most to win
    NEWEST = "newest"  # by their latest photo
    OLDEST = "oldest"  # by their earliest
    SCORE = "score"  # the least alike
    FOLDER = "folder"  # by that of the kept photo


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which groups are asked for.

    A group is of the weakest of its ``kinds``, is worth ``least`` bytes or more, and has a photo
    below ``folder`` (an id), and one of ``first`` to ``last``, the days included.
    """

    kinds: frozenset[Kind] = frozenset(Kind)
    folder: int | None = None
    least: int = 0
    first: date | None = None
    last: date | None = None
    sorting: Sorting = Sorting.BYTES


@dataclass(frozen=True, slots=True)
class FolderCount:
    """A folder, and in how many groups a photo below it is."""

    id: int
    path: bytes
    groups: int


@dataclass
class Overview:
    """The groups of one answer; what only some questions need is read when one asks.

    ``kind`` (int8, a place in KINDS), ``score`` (float64) and ``reclaimable`` (int64, bytes) are
    of each group; ``photo`` and ``group`` (int64) of each photo in one.
    """

    database: Database
    members: Members
    kind: NDArray[np.int8]
    score: NDArray[np.float64]
    group: NDArray[np.int64] = field(repr=False)

    @classmethod
    def of(cls, database: Database, groups: StoredGroups) -> Overview:
        """Of groups that were verified."""
        members = groups.members
        begins = members.begins[:-1]
        group = np.repeat(np.arange(len(members)), np.diff(members.begins))
        if not len(members):
            return cls(database, members, np.empty(0, np.int8), np.empty(0), group)
        kept = members.content[begins][group]
        related = (members.content != kept) & (members.relation >= 0)
        kind = np.full(len(group), _IDENTICAL, dtype=np.int8)
        score = np.ones(len(group))
        if groups.relations is not None:
            known, at = groups.relations.known, members.relation[related]
            kind[related] = np.where(SAME[known.rule[at]], _SAME, _SIMILAR)
            score[related] = np.minimum(1.0, known.score[at])
        return cls(
            database,
            members,
            np.maximum.reduceat(kind, begins),
            np.minimum.reduceat(score, begins),
            group,
        )

    def __len__(self) -> int:
        return len(self.members)

    @property
    def reclaimable(self) -> NDArray[np.int64]:
        return self.members.reclaimable

    @property
    def kept(self) -> NDArray[np.int64]:
        """The photo (int64) to keep of each group."""
        return self.members.photo[self.members.begins[:-1]]

    def chosen(self, wanted: Wanted) -> NDArray[np.int64]:
        """The numbers of the groups asked for, in their order."""
        if not len(self):
            return np.empty(0, dtype=np.int64)
        fits = np.isin(self.kind, [KINDS.index(kind) for kind in wanted.kinds])
        fits &= self.reclaimable >= wanted.least
        if wanted.folder is not None:
            below = folders.below(self.database, [wanted.folder])
            fits &= self._any(np.isin(self._folder, below))
        if wanted.first is not None or wanted.last is not None:
            first, last = wanted.first or date.min, wanted.last or date.max
            inside = (self._day >= (first - _EPOCH).days) & (self._day <= (last - _EPOCH).days)
            fits &= self._any(inside)
        numbers = np.flatnonzero(fits)
        if wanted.sorting is Sorting.BYTES or not len(numbers):
            return numbers  # as they are
        return numbers[np.argsort(self._key(wanted.sorting)[numbers], kind="stable")]

    def groups_of(self, photos: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers (rising) of the groups that hold one of these photos."""
        return np.unique(self.group[np.isin(self.members.photo, photos)])

    def number_of(self, photo: int) -> int | None:
        """The group of which this photo is the one to keep."""
        at = int(np.searchsorted(self.kept, photo, sorter=self._by_kept))
        if at == len(self) or self.kept[self._by_kept[at]] != photo:
            return None
        return int(self._by_kept[at])

    def folders(self, most: int) -> list[FolderCount]:
        """The folders with photos of groups below them, by path: ``most`` of them, the fullest."""
        rows = folders.all_folders(self.database)
        above = np.zeros(max((row.id for row in rows), default=0) + 1, dtype=np.int64)
        for row in rows:
            above[row.id] = row.parent or 0
        pairs = np.unique(np.stack([self._folder, self.group], axis=1), axis=0)
        counted = pairs[:0]
        pairs = pairs[(pairs[:, 0] > 0) & (pairs[:, 0] < len(above))]
        while len(pairs):  # a storey a round, upwards
            counted = np.unique(np.concatenate([counted, pairs]), axis=0)
            pairs = np.stack([above[pairs[:, 0]], pairs[:, 1]], axis=1)
            pairs = np.unique(pairs[pairs[:, 0] > 0], axis=0)
        ids, counts = np.unique(counted[:, 0], return_counts=True)
        fullest = np.argsort(-counts, kind="stable")[:most]
        places = Places(self.database)
        found = [
            FolderCount(folder, places.path(folder) or b"/", count)
            for folder, count in zip(ids[fullest].tolist(), counts[fullest].tolist(), strict=True)
        ]
        return sorted(found, key=lambda each: each.path)

    def _any(self, of_photos: NDArray[Any]) -> NDArray[np.bool_]:
        """Of each group, whether this is true of one of its photos."""
        return np.asarray(np.logical_or.reduceat(of_photos, self.members.begins[:-1]))

    def _key(self, sorting: Sorting) -> NDArray[Any]:
        begins = self.members.begins[:-1]
        if sorting is Sorting.NEWEST:
            return np.asarray(-np.maximum.reduceat(self._day, begins))
        if sorting is Sorting.OLDEST:
            return np.asarray(np.minimum.reduceat(self._day, begins))
        if sorting is Sorting.SCORE:
            return self.score
        return self._rank_of_folders[self._folder[begins]]

    @cached_property
    def _by_kept(self) -> NDArray[np.int64]:
        return np.argsort(self.kept)

    @cached_property
    def _day(self) -> NDArray[np.int32]:
        photos, place = np.unique(self.members.photo, return_inverse=True)
        return holders.days(self.database, photos)[place]

    @cached_property
    def _folder(self) -> NDArray[np.int64]:
        photos, place = np.unique(self.members.photo, return_inverse=True)
        return holders.folders_of(self.database, photos)[place]

    @cached_property
    def _rank_of_folders(self) -> NDArray[np.int64]:
        """The place by path of the folder of each id."""
        ids, places = np.unique(self._folder), Places(self.database)
        paths = {each: places.path(each) if each else b"" for each in ids.tolist()}
        rank = np.zeros(int(ids.max(initial=0)) + 1, dtype=np.int64)
        for number, each in enumerate(sorted(paths, key=lambda each: paths[each])):
            rank[each] = number
        return rank
