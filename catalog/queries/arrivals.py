"""Whether a photo that arrived was there before, under another name or as a copy of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np

from catalog.model import HASH_BITS, AlreadyThere, HashKind, Kind, Photo
from catalog.queries import ranking
from catalog.queries.criteria import DUPLICATES_RADIUS
from catalog.search.hamming import nearest
from catalog.store import contents, hashes, holders
from catalog.store.database import Database, open_for_reading
from catalog.store.folders import Places
from catalog.store.hashes import HashTable


def already_there(catalog: bytes, arrivals: Sequence[tuple[bytes, int]]) -> Iterator[AlreadyThere]:
    """For each of these new photos, by path and content, one that shows the same, if there is one.

    Equal bytes come before close hashes, and the photo that would be kept before others. Of two
    that arrive together, the second is told about. Raises what opening the catalog raises.
    """
    with open_for_reading(catalog) as database:
        table = hashes.load(database, HashKind.PHASH)
        several = holders.several_hold(database, [content for _, content in arrivals])
        to_come = {path for path, _ in arrivals}
        for path, content in arrivals:
            found = None
            if content in several:
                found = _identical(database, path, content, to_come)
            found = found or _alike(database, table, path, content, to_come)
            to_come.discard(path)
            if found is not None:
                yield found


def _identical(
    database: Database, path: bytes, content: int, to_come: set[bytes]
) -> AlreadyThere | None:
    same = _best(database, [content], path, to_come)
    return AlreadyThere(path, same.path, Kind.IDENTICAL, 1.0) if same is not None else None


def _alike(
    database: Database, table: HashTable, path: bytes, content: int, to_come: set[bytes]
) -> AlreadyThere | None:
    _, value, flat = contents.evidence(database, content)
    if flat:
        return None
    positions, distances = nearest(table.hashes, value, DUPLICATES_RADIUS, ~table.flat)
    near = table.contents[positions]
    for distance in np.unique(distances[near != content]).tolist():
        ring = near[distances == distance]
        like = _best(database, ring[ring != content].tolist(), path, to_come)
        if like is not None:
            return AlreadyThere(path, like.path, Kind.HASH, 1 - distance / HASH_BITS)
    return None


def _best(
    database: Database, wanted: Sequence[int], path: bytes, to_come: set[bytes]
) -> Photo | None:
    """The photo to keep of those that hold these contents and are there; not one to come."""
    files = holders.of_contents(database, np.array(wanted, dtype=np.int64))
    chosen = files.photo[ranking.order(database, files)].tolist()
    records = holders.records(database, chosen, Places(database))
    for number in chosen:
        photo = records.get(number)
        if photo is None or photo.path == path or photo.path in to_come:
            continue
        if _is_another_file(photo.path, path):
            return photo
    return None


def _is_another_file(one: bytes, other: bytes) -> bool:
    """Whether both are there, and not two names of one file."""
    try:
        return not os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False
