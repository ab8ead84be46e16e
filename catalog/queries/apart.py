"""What somebody said are no duplicates of each other ('imgcat keep-both'), out of every answer.

A group is broken up so that no two in it are apart, the better photo staying in; so whatever is
done with the rest of a group, of two pictures that are both to be kept both are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from catalog.store import contents, holders
from catalog.store.apart import pairs_of
from catalog.store.database import Database
from catalog.store.holders import Holders

_MOST_CONTENTS: Final = 2**31  # ids are below: two make one key


@dataclass(frozen=True, slots=True)
class Apart:
    """Contents that are apart: ``keys`` (int64, rising) of pairs, ``involved`` (int64) all of them.

    ``alone`` are contents of which as many files are wanted as there are, or more; ``spare`` says
    how many more than are wanted there are of others, and these are among the involved.
    """

    keys: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    involved: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    alone: frozenset[int] = frozenset()
    spare: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, database: Database) -> Self:
        """As it was decided, for the contents that the catalog knows."""
        pairs, wanted = [], {}
        for one, other, copies in pairs_of(database.path):
            first, second = contents.find(database, one), contents.find(database, other)
            if first is None or second is None:
                continue
            if first == second:
                wanted[first] = copies
            else:
                pairs.append((first, second))
        ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        spare = _spare(database, wanted)
        alone = frozenset(content for content, more in spare.items() if more <= 0)
        involved = np.union1d(ends.ravel(), np.array(sorted(spare), dtype=np.int64))
        rest = {content: more for content, more in spare.items() if more > 0}
        return cls(np.sort(_keys(ends[:, 0], ends[:, 1])), involved, alone, rest)

    def __bool__(self) -> bool:
        return bool(len(self.involved))

    def between(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For each two contents, whether they are apart; equal ones, whether all are wanted."""
        found = np.isin(_keys(first, second), self.keys)
        if self.alone:
            found |= (first == second) & np.isin(first, list(self.alone))
        return np.asarray(found)

    def split(self, files: Holders, centre: NDArray[np.int64]) -> NDArray[np.int64]:
        """The ``centre`` of each file, its own where it may not be in one group with a better one.

        ``files`` are in order of rank. Of a content whose files are wanted beside each other, no
        more stay in a group than may go, and one.
        """
        asked = np.isin(files.content, self.involved)
        if not asked.any():
            return centre
        centre = centre.copy()
        next_one = int(centre.max()) + 1
        for group in np.unique(centre[asked]).tolist():
            members = np.flatnonzero(centre == group)
            wanted = self._wanted(files, members)
            together: list[int] = []
            for place, content in zip(
                members.tolist(), files.content[members].tolist(), strict=True
            ):
                if place in wanted or self._clashes(content, together):
                    centre[place] = next_one
                    next_one += 1
                elif content not in together:
                    together.append(content)
        return centre

    def _wanted(self, files: Holders, members: NDArray[np.int64]) -> set[int]:
        """Which of a group's files are not to go, though others of their content may."""
        places: dict[int, dict[tuple[int, int], list[int]]] = {}  # of each file, by content
        own = _own(files)
        for place in members.tolist():
            content = int(files.content[place])
            if content in self.spare:
                file = int(files.filesystem[place]), int(own[place])
                places.setdefault(content, {}).setdefault(file, []).append(place)
        return {
            place
            for content, of_file in places.items()
            for names in list(of_file.values())[1 : -self.spare[content]]
            for place in names
        }

    def _clashes(self, content: int, together: list[int]) -> bool:
        ends = np.array(together, dtype=np.int64)
        return bool(self.between(ends, np.full(len(ends), content)).any())

    def of_one(self, own: int | None, others: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of ``others`` are apart from this content; None: it is not in the catalog."""
        if own is None or not self:
            return np.zeros(len(others), dtype=np.bool_)
        return self.between(np.full(len(others), own), others)


NOTHING_APART: Final = Apart()


def _keys(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    keys: NDArray[np.int64] = np.minimum(first, second) * _MOST_CONTENTS + np.maximum(first, second)
    return keys


def _spare(database: Database, wanted: dict[int, int]) -> dict[int, int]:
    """How many more files hold each content than are wanted; names of one file count once."""
    if not wanted:
        return {}
    files = holders.of_contents(database, np.array(sorted(wanted), dtype=np.int64))
    held = np.unique(np.stack([files.content, files.filesystem, _own(files)]), axis=1)[0]
    counts = dict(
        zip(*(part.tolist() for part in np.unique(held, return_counts=True)), strict=True)
    )
    return {content: counts.get(content, 0) - most for content, most in wanted.items()}


def _own(files: Holders) -> NDArray[np.int64]:
    """What names of one file of one file system have in common, and no others."""
    return np.where(files.inode == 0, -files.photo, files.inode)
