"""Hamming distance over 64-bit hashes: pairs of close ones, and those nearest to one query."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from catalog.errors import UsageError
from catalog.model import HASH_BITS


@dataclass(frozen=True, slots=True)
class PairBlock:
    """Some pairs of a longer stream, as three arrays of one length.

    ``first`` and ``second`` (int64) are positions in arrays of hashes; first < second where both
    are in the same one. ``distance`` (uint8) counts the bits in which the two differ, 0 to 64.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.first)


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
