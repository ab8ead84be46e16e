"""Very many files in the order of ``keeping``, without a record for each of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.store import holders
from catalog.store.database import Database
from catalog.store.folders import Places
from catalog.store.holders import Holders

_NAMES_AT_ONCE: Final = 50_000


def order(database: Database, files: Holders) -> NDArray[np.int64]:
    """The positions of ``files`` (int64), the one to keep first: as ``keeping.rank_key`` sorts.

    Paths are looked up only for files that nothing else tells apart.
    """
    keys = (files.mtime_ns, ~files.documented, -files.detail, -files.pixels)  # the last counts most
    found: NDArray[np.int64] = np.lexsort(keys)
    differs = np.ones(len(found), dtype=np.bool_)
    differs[1:] = False
    for key in keys:
        differs[1:] |= key[found[1:]] != key[found[:-1]]
    begins = np.append(np.flatnonzero(differs), len(found))
    tied = np.flatnonzero(np.diff(begins) > 1)
    places = Places(database)
    for ranges in _batches(begins[tied], begins[tied + 1]):
        paths = _paths(database, places, files, np.concatenate([found[part] for part in ranges]))
        for part in ranges:
            found[part] = sorted(found[part].tolist(), key=paths.__getitem__)
    return found


def _paths(
    database: Database, places: Places, files: Holders, positions: NDArray[np.int64]
) -> dict[int, tuple[int, bytes]]:
    """Length and path of the files at ``positions``, by position."""
    names = holders.names(database, files.photo[positions])
    found = {}
    for position in positions.tolist():
        # A file that went since it was counted has no name; it is left out when it is shown.
        name = names.get(int(files.photo[position]), b"")
        path = places.path(int(files.folder[position])) + b"/" + name
        found[position] = len(path), path
    return found


def _batches(begins: NDArray[np.int64], ends: NDArray[np.int64]) -> Iterator[list[slice]]:
    """The ranges, as many together as have some 50,000 members."""
    batches = np.cumsum(ends - begins) // _NAMES_AT_ONCE
    ranges = zip(batches.tolist(), begins.tolist(), ends.tolist(), strict=True)
    for _, together in itertools.groupby(ranges, key=lambda each: each[0]):
        yield [slice(begin, end) for _, begin, end in together]
