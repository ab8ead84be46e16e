"""Hamming distance over 64-bit hashes, by brute force.

``pairs_within`` looks at every pair, n * (n - 1) / 2 of them, some 300 million a second.
It is exact by construction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from catalog.errors import UsageError
from catalog.model import HASH_BITS

TILE_ROWS = 64
TILE_COLUMNS = 4096  # a tile of XORs is 2 MB: it stays in the cache of the processor


@dataclass(frozen=True, slots=True)
class PairBlock:
    """Some pairs of a longer stream, as three arrays of one length.

    ``first`` and ``second`` (int64) are positions in the array of hashes, first < second;
    ``distance`` (uint8) counts the bits in which the two hashes differ, 0 to 64.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.first)


def pairs_within(values: NDArray[np.uint64], radius: int) -> Iterator[PairBlock]:
    """Every pair of positions whose ``values`` (uint64, shape (n,)) differ in <= ``radius`` bits.

    The pairs stream in blocks, each pair once, always in the same order for the same values,
    and never an empty block. Memory is bounded by one tile, whatever comes out: equal values
    alone can make a quadratic number of pairs.
    """
    for top in range(0, len(values), TILE_ROWS):
        for left in range(top, len(values), TILE_COLUMNS):
            block = _pairs_in_tile(values, radius, top, left)
            if len(block):
                yield block


def _pairs_in_tile(values: NDArray[np.uint64], radius: int, top: int, left: int) -> PairBlock:
    """The pairs with ``first`` among the rows from ``top``, ``second`` among the columns."""
    rows = values[top : top + TILE_ROWS, np.newaxis]
    columns = values[np.newaxis, left : left + TILE_COLUMNS]
    distances = np.bitwise_count(rows ^ columns)
    row, column = np.nonzero(distances <= radius)
    first, second = row + top, column + left
    above = first < second  # the tile on the diagonal also holds each pair's mirror image
    return PairBlock(first[above], second[above], distances[row[above], column[above]])


def nearest(
    values: NDArray[np.uint64],
    query: int,
    radius: int,
    among: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Positions and distances of the ``values`` within ``radius`` bits of ``query``.

    Best first, equal distances by position. ``among`` (shape of ``values``) is true where a
    value may be taken; None: everywhere.
    """
    distances = np.bitwise_count(values ^ np.uint64(query))
    near = distances <= radius
    if among is not None:
        near &= among
    positions = np.flatnonzero(near)
    found = distances[positions]
    order = np.argsort(found, kind="stable")
    return positions[order], found[order]


def radius_of_similarity(percent: float) -> int:
    """The radius in bits that a similarity in percent stands for: floor(64 * (100 - P) / 100).

    Exact, on the decimal digits a person typed: no rounding moves it across a whole number.

    Raises UsageError unless 0 <= ``percent`` <= 100.
    """
    if not 0 <= percent <= 100:  # also false for NaN
        raise UsageError(f"a similarity is a percentage from 0 to 100, not {percent}")
    return int(HASH_BITS * (100 - Fraction(str(percent))) / 100)
