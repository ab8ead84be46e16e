"""Groups of very many photos: arrays that become records one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, overload

import numpy as np
from numpy.typing import NDArray

from catalog.keeping import DEFAULT, KeepRules
from catalog.model import HASH_BITS, Group, Kind, Match, Photo, Rule
from catalog.queries.back import CameBack
from catalog.queries.relations import Relations
from catalog.store import holders
from catalog.store.database import Database
from catalog.store.folders import Places
from catalog.store.holders import Holders

_PHOTOS_AT_ONCE: Final = 2_000
_HAD: Final = "you have it already"  # and may be worse by every rule


@dataclass(frozen=True, slots=True)
class Members:
    """The files of all groups, one group after the other, the kept one of each first.

    ``photo`` and ``content`` (int64) are row ids, ``distance`` (uint8) is in bits to the kept
    one, ``relation`` (int64) says how it relates to that: its place among known matches, or -1;
    group g takes the places ``begins[g]`` up to ``begins[g + 1]``.
    """

    photo: NDArray[np.int64]
    content: NDArray[np.int64]
    distance: NDArray[np.uint8]
    relation: NDArray[np.int64]
    begins: NDArray[np.int64]
    reclaimable: NDArray[np.int64]  # bytes, of each group

    @classmethod
    def none(cls) -> Members:
        nothing = np.empty(0, dtype=np.int64)
        begins = np.zeros(1, dtype=np.int64)
        return cls(nothing, nothing, np.empty(0, np.uint8), nothing, begins, nothing)

    @classmethod
    def of(
        cls,
        files: Holders,
        centre: NDArray[np.int64],
        distance: NDArray[np.uint8],
        relation: NDArray[np.int64] | None = None,
        cost: NDArray[np.float64] | None = None,
    ) -> Members:
        """Groups of the files that have one ``centre``, most bytes to win first.

        ``files`` are in order of rank, so that the first of a group is the one to keep. Within a
        group they come by ``cost``, then by ``distance``. Where all files of a group are names of
        one file, it is none.
        """
        if relation is None:
            relation = np.full(len(files), -1, dtype=np.int64)
        if cost is None:
            cost = np.zeros(len(files))
        best = np.full(int(centre.max()) + 1, len(files), dtype=np.int64)
        np.minimum.at(best, centre, np.arange(len(files)))
        kept = best[centre]  # the file to keep, for each file
        other_content = files.content != files.content[kept]
        order = np.lexsort((np.arange(len(files)), distance, cost, other_content, kept))
        kept = kept[order]
        counts = _counts_once(files, order, kept)
        begins = np.flatnonzero(np.diff(kept, prepend=-1, append=-1))
        sizes = np.where(counts, files.size[order], 0)
        different = np.add.reduceat(counts, begins[:-1], dtype=np.int64)
        reclaimable = np.add.reduceat(sizes, begins[:-1]) - files.size[kept[begins[:-1]]]
        groups = np.flatnonzero(different > 1)
        groups = groups[np.lexsort((kept[begins[groups]], -reclaimable[groups]))]
        lengths = begins[groups + 1] - begins[groups]
        starts = np.concatenate(([0], np.cumsum(lengths)))
        places = order[np.arange(starts[-1]) + np.repeat(begins[groups] - starts[:-1], lengths)]
        return cls(
            files.photo[places],
            files.content[places],
            distance[places],
            relation[places],
            starts,
            reclaimable[groups],
        )

    def __len__(self) -> int:
        return len(self.reclaimable)

    @property
    def totals(self) -> tuple[int, int]:
        """Photos in all groups, the kept ones included, and the bytes to win."""
        return len(self.photo), int(self.reclaimable.sum())


def _counts_once(
    files: Holders, order: NDArray[np.int64], kept: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """True at the first name of each file in its group, for the files in ``order``.

    As ``Photo.file`` has it: an inode of 0 tells nothing, so that such a name is a file.
    """
    filesystem, inode = files.filesystem[order], files.inode[order]
    sort = np.lexsort((np.arange(len(order)), inode, filesystem, kept))
    again = np.zeros(len(order), dtype=np.bool_)
    again[1:] = (
        (kept[sort][1:] == kept[sort][:-1])
        & (filesystem[sort][1:] == filesystem[sort][:-1])
        & (inode[sort][1:] == inode[sort][:-1])
        & (inode[sort][1:] != 0)
    )
    first = np.empty(len(order), dtype=np.bool_)
    first[sort] = ~again
    return first


class StoredGroups(Sequence[Group]):
    """Groups whose photos are read from the catalog when they are asked for.

    A photo that went, or got another content, since the search is left out; a group that lost
    its kept photo or all others is not iterated over. ``keep`` says why the kept one is, but where
    photos are only compared with what one ``had``.
    """

    def __init__(
        self,
        database: Database,
        members: Members,
        relations: Relations | None = None,
        keep: KeepRules = DEFAULT,
        *,
        had: bool = False,
    ) -> None:
        self._database = database
        self._members = members
        self._relations = relations
        self._keep = keep
        self._had = had
        self._back = CameBack.of(database)

    def __len__(self) -> int:
        return len(self._members)

    @property
    def members(self) -> Members:
        """The files of all groups, as they were found."""
        return self._members

    @property
    def relations(self) -> Relations | None:
        """How these relate; None where nothing was verified."""
        return self._relations

    def some(self, numbers: Sequence[int]) -> list[Group]:
        """The groups of these numbers, without those whose photos went since."""
        return list(self._read(numbers, Places(self._database)))

    @overload
    def __getitem__(self, index: int) -> Group: ...
    @overload
    def __getitem__(self, index: slice) -> list[Group]: ...
    def __getitem__(self, index: int | slice) -> Group | list[Group]:
        """One group, or some. Raises LookupError for one whose photos went since."""
        if isinstance(index, slice):
            return list(self._read(range(*index.indices(len(self))), Places(self._database)))
        number = range(len(self))[index]
        for group in self._read([number], Places(self._database)):
            return group
        raise LookupError(f"the photos of group {number} changed since they were found")

    def __iter__(self) -> Iterator[Group]:
        begins = self._members.begins
        first, places = 0, Places(self._database)
        while first < len(self):
            enough = np.searchsorted(begins, begins[first] + _PHOTOS_AT_ONCE)
            after = min(len(self), max(first + 1, int(enough)))
            yield from self._read(range(first, after), places)
            first = after

    def _read(self, groups: Sequence[int], places: Places) -> Iterator[Group]:
        begins = self._members.begins
        rows = [
            photo
            for group in groups
            for photo in self._members.photo[begins[group] : begins[group + 1]].tolist()
        ]
        records = self._back.marked_all(holders.records(self._database, rows, places))
        for group in groups:
            found = self._group(slice(begins[group], begins[group + 1]), records)
            if found is not None:
                yield found

    def _group(self, places: slice, records: dict[int, Photo]) -> Group | None:
        members = self._members
        rows = zip(
            members.photo[places].tolist(),
            members.content[places].tolist(),
            members.distance[places].tolist(),
            members.relation[places].tolist(),
            strict=True,
        )
        found = [(records.get(photo), content, *how) for photo, content, *how in rows]
        keep, content, *_ = found[0]
        if keep is None or keep.content != content:
            return None
        matches = tuple(
            self._match(keep, photo, distance, relation)
            for photo, content, distance, relation in found[1:]
            if photo is not None and photo.content == content
        )
        others = [match.photo for match in matches if not match.same_file]
        if not others:
            return None
        return Group(keep, _HAD if self._had else self._keep.reason(keep, others), matches)

    def _match(self, keep: Photo, photo: Photo, distance: int, relation: int) -> Match:
        if self._relations is not None:
            return self._relations.match(keep, photo, relation, distance)
        return by_hash(photo, distance, same=keep.content == photo.content, other=keep.file)


def by_hash(
    photo: Photo, distance: int, *, same: bool, other: tuple[int, int | bytes] | None
) -> Match:
    """A match of plain hashes; ``same`` says whether the bytes are, ``other`` names the file."""
    return Match(
        photo,
        Kind.IDENTICAL if same else Kind.HASH,
        distance,
        score=1 - distance / HASH_BITS,
        same_file=photo.file == other,
        rule=Rule.IDENTICAL_BYTES if same else Rule.WITHIN_RADIUS,
    )
