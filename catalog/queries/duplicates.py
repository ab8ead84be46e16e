"""Groups and pairs of the same picture.

Everything is compared as contents, so that a thousand copies of one file are one value in
the search; files come in again when groups are put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog import keeping
from catalog.model import HASH_BITS, Duplicates, Group, HashKind, Kind, Match, Pair, Photo
from catalog.progress import SILENT, Phase, Progress
from catalog.queries.criteria import Criteria
from catalog.queries.scope import Scope, scope_of
from catalog.search.grouping import Edges, hold, stars
from catalog.search.hamming import PairBlock, pairs_within
from catalog.store import contents, photos
from catalog.store.database import Database


def duplicates(
    database: Database,
    paths: Sequence[bytes] = (),
    criteria: Criteria | None = None,
    *,
    pairs: bool = False,
    progress: Progress = SILENT,
) -> Duplicates:
    """The groups of the same picture below ``paths`` (none: everywhere).

    With ``pairs``, also every pair of photos that matches, as brute force would find them.
    """
    criteria = criteria or Criteria()
    progress.start(Phase.SEARCHING)
    with database.snapshot():
        scope = scope_of(database, paths)
        values = load_values(database, scope, criteria.hash, progress)
        blocks = list(_close(values, criteria))
        photos_of = _photos_of(database, scope, values, blocks)
    groups = tuple(_groups(values, blocks, photos_of))
    return Duplicates(
        groups,
        _pairs(values, blocks, photos_of) if pairs else None,
        last_scan_ns=scope.last_scan_ns,
        offline=scope.offline,
    )


@dataclass(frozen=True, slots=True)
class Values:
    """One hash of each content asked about, as arrays of one length n.

    ``contents`` (int64, rising), ``hashes`` (uint64), ``flat`` (bool), ``files`` (int64: how
    many photos hold the content).
    """

    contents: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    flat: NDArray[np.bool_]
    files: NDArray[np.int64]


def load_values(
    database: Database, scope: Scope, kind: HashKind, progress: Progress = SILENT
) -> Values:
    """The hashes of all contents in ``scope``."""
    rows = list(photos.hashes(database, kind, scope.all_folders))
    if scope.files:
        asked = _asked_about(database, scope, rows)
        rows = [row for row in rows if row.content in asked]
    values = Values(
        contents=np.array([row.content for row in rows], dtype=np.int64),
        hashes=np.array([row.hash for row in rows], dtype=np.uint64),
        flat=np.array([row.flat for row in rows], dtype=np.bool_),
        files=np.array([row.files for row in rows], dtype=np.int64),
    )
    if kind is HashKind.WHASH:
        values.hashes[:] = _wavelet_hashes(database, values.contents, progress)
    return values


def _asked_about(database: Database, scope: Scope, rows: list[photos.HashRow]) -> set[int]:
    """The contents of single files that were named, and of whole folders."""
    every = [row.content for row in rows]
    return {photo.content for photo in photos.with_contents(database, every, scope.holds)}


def _wavelet_hashes(
    database: Database, ids: NDArray[np.int64], progress: Progress
) -> NDArray[np.uint64]:
    from catalog.imaging.hashes import whash  # Pillow and PyWavelets, for those who ask

    progress.start(Phase.SEARCHING, len(ids))
    found = np.zeros(len(ids), dtype=np.uint64)
    for position, pixels in enumerate(contents.signatures(database, ids.tolist())):
        found[position] = whash(np.frombuffer(pixels, dtype=np.uint8).reshape(1, -1))[0]
        progress.advance()
    return found


def _close(values: Values, criteria: Criteria) -> Iterator[PairBlock]:
    """Pairs of positions in ``values`` whose hashes are close enough."""
    if criteria.radius is None:
        return
    usable = np.flatnonzero(~values.flat | criteria.flat)
    for block in pairs_within(values.hashes[usable], criteria.radius):
        yield PairBlock(usable[block.first], usable[block.second], block.distance)


PhotosOf = dict[int, list[Photo]]  # position in the values -> its photos, the best to keep first


def _photos_of(
    database: Database, scope: Scope, values: Values, blocks: Iterable[PairBlock]
) -> PhotosOf:
    """The photos of every content that has copies or matches."""
    involved = values.files > 1
    for block in blocks:
        involved[block.first] = True
        involved[block.second] = True
    positions = np.flatnonzero(involved)
    place = {int(values.contents[position]): int(position) for position in positions}
    found: PhotosOf = {}
    for photo in photos.with_contents(database, list(place), scope.holds):
        found.setdefault(place[photo.content], []).append(photo)
    for some in found.values():
        some.sort(key=keeping.rank_key)
    return found


def _groups(values: Values, blocks: list[PairBlock], photos_of: PhotosOf) -> list[Group]:
    """Stars of contents as groups of photos, most bytes to win first."""
    order = sorted(photos_of, key=lambda position: keeping.rank_key(photos_of[position][0]))
    rank = np.full(len(values.contents), -1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    rest = np.flatnonzero(rank < 0)
    rank[rest] = np.arange(len(order), len(order) + len(rest))
    edges = hold(blocks, sum(map(len, blocks)))
    assert isinstance(edges, Edges)
    found = stars(rank, edges)
    members: dict[int, list[int]] = {
        int(centre): positions.tolist() for centre, positions in found.groups()
    }
    groups = []
    for position in order:
        if found.centre[position] == position:
            near = [(other, int(found.distance[other])) for other in members.get(position, [])]
            group = _group(position, near, photos_of)
            if group is not None:
                groups.append(group)
    return sorted(groups, key=lambda group: (-group.reclaimable, group.keep.path))


def _group(centre: int, near: list[tuple[int, int]], photos_of: PhotosOf) -> Group | None:
    """One star; None where all its photos are names of one file."""
    keep, *copies = photos_of[centre]
    matches = [_match(keep, copy, 0, Kind.IDENTICAL) for copy in copies]
    for position, distance in near:
        matches += [_match(keep, photo, distance, Kind.HASH) for photo in photos_of[position]]
    others = [match.photo for match in matches if not match.same_file]
    if not others:
        return None
    return Group(keep, keeping.reason(keep, others), tuple(matches))


def _match(keep: Photo, photo: Photo, distance: int, kind: Kind) -> Match:
    return Match(
        photo,
        kind,
        distance,
        score=1 - distance / HASH_BITS,
        same_file=photo.file == keep.file,
    )


def _pairs(values: Values, blocks: list[PairBlock], photos_of: PhotosOf) -> Iterator[Pair]:
    for position in np.flatnonzero(values.files > 1).tolist():
        some = photos_of.get(position, [])
        for number, first in enumerate(some):
            for second in some[number + 1 :]:
                yield Pair(first, second, 0)
    for block in blocks:
        for one, other, distance in zip(
            block.first.tolist(), block.second.tolist(), block.distance.tolist(), strict=True
        ):
            for first in photos_of[one]:
                for second in photos_of[other]:
                    yield Pair(first, second, distance)
