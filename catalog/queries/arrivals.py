"""Whether a photo that arrived was there before, under another name or as a copy of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from catalog.model import HASH_BITS, AlreadyThere, HashKind, Kind, Photo
from catalog.queries import ranking
from catalog.queries.criteria import DUPLICATES_RADIUS
from catalog.queries.rings import rings
from catalog.search.join import pairs_between
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
        to_come = {path for path, _ in arrivals}
        promising = _promising(database, table, np.unique([content for _, content in arrivals]))
        for path, content in arrivals:
            found = None
            if content in promising:
                found = _like(database, table, path, content, to_come)
            to_come.discard(path)
            if found is not None:
                yield found


def _promising(database: Database, table: HashTable, arrived: NDArray[np.int64]) -> set[int]:
    """Those of the contents (rising) that several files hold, or that another one is near to.

    Most of a hundred thousand that arrive together are like nothing: this is to know it at the
    cost of one join for some hundreds of them.
    """
    several = holders.held_several_times(database, arrived)
    comparable = table.only(~table.flat)
    new = comparable.only(np.isin(comparable.contents, arrived))
    near = []
    for pairs in pairs_between(new.hashes, comparable.hashes, DUPLICATES_RADIUS):
        one, other = new.contents[pairs.first], comparable.contents[pairs.second]
        near.append(one[one != other])
    return set(np.concatenate([several, *near]).tolist())


def _like(
    database: Database, table: HashTable, path: bytes, content: int, to_come: set[bytes]
) -> AlreadyThere | None:
    _, value, flat = contents.evidence(database, content)
    radius = None if flat else DUPLICATES_RADIUS
    for distance, ring in rings(table, content, value, radius):
        like = _best(database, ring, path, to_come)
        if like is not None:
            kind = Kind.IDENTICAL if content in ring else Kind.HASH
            return AlreadyThere(path, like.path, kind, 1 - distance / HASH_BITS)
    return None


def _best(
    database: Database, ring: NDArray[np.int64], path: bytes, to_come: set[bytes]
) -> Photo | None:
    """The photo to keep of those that hold these contents and are there; not one to come."""
    files = holders.of_contents(database, ring)
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
