"""Contents by how near they are, so that whoever has enough of them stops."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from catalog.search.hamming import nearest
from catalog.store.hashes import HashTable


def rings(
    table: HashTable,
    same: int | None,
    query: int,
    radius: int | None,
    *,
    flat: bool = False,
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """By rising distance: the content ``same`` first, then all at 0 bits of ``query``, at 1, ...

    With ``radius`` None there is nothing after the first; those that carry no evidence are
    among them only with ``flat``.
    """
    if same is not None:
        yield 0, np.array([same])
    if radius is None:
        return
    positions, distances = nearest(table.hashes, query, radius, None if flat else ~table.flat)
    near = table.contents[positions]
    edges = np.searchsorted(distances, np.arange(radius + 2))
    for distance in np.flatnonzero(np.diff(edges)).tolist():
        ring = near[edges[distance] : edges[distance + 1]]
        yield distance, ring[ring != same]
