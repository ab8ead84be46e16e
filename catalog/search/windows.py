"""Windows of a picture and what they hash to, so that a crop is found by the hash of what is left.

A crop of 10 % moves half the bits of a pHash. So not only a whole picture is hashed, but also a
dozen windows of it, from its signature; a copy that lost an edge is then within a few bits of one
of them, and which one says where the copy lies in the original. Bars that were added are the same
from the other side: a window of the barred picture is the whole of the other.

Turned copies are found by hashing each window in its canonical turn: mirrored and swapped so that
of its DCT the lowest coefficient along x is positive, that along y is positive, and the first is
the larger. Where such a choice is a near thing, a query makes both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.dihedral import FLIPPED, MIRRORED, SWAPPED, TURNS, spectra_turned
from catalog.model import SIGNATURE_SIDE

Interval = tuple[float, float]  # parts of a side

_LOW: Final = 8  # coefficients of each axis that pHash looks at
_CUBIC: Final = -0.5  # Keys' parameter: exact for parabolas
# 95 % and 90 % in the middle; what 10 % more of bars leaves, in the middle and at one end (1 / 1.1
# = 90.9 %, between them and a one-sided crop of 10 % is half a cell).
_WHOLE: Final[Interval] = (0.0, 1.0)
_MIDDLE_95: Final[Interval] = (0.025, 0.975)
_MIDDLE_90: Final[Interval] = (0.05, 0.95)
_BARRED: Final[Interval] = (0.0455, 0.9545)
_FIRST: Final[Interval] = (0.0, 0.905)
_LAST: Final[Interval] = (0.095, 1.0)

NEAR_TIE: Final = 0.04  # of the length of the 63 coefficients


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a picture, in parts of its width and its height."""

    across: Interval
    down: Interval

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, right, top, bottom."""
        return (*self.across, *self.down)


WHOLE: Final = Window(_WHOLE, _WHOLE)
WINDOWS: Final = (
    WHOLE,
    Window(_MIDDLE_95, _MIDDLE_95),
    Window(_MIDDLE_90, _MIDDLE_90),
    Window(_BARRED, _WHOLE),
    Window(_WHOLE, _BARRED),
    Window(_FIRST, _WHOLE),
    Window(_LAST, _WHOLE),
    Window(_WHOLE, _FIRST),
    Window(_WHOLE, _LAST),
    Window(_FIRST, _FIRST),
    Window(_FIRST, _LAST),
    Window(_LAST, _FIRST),
    Window(_LAST, _LAST),
)
EDGES: Final = np.array([window.edges for window in WINDOWS], dtype=np.float32)  # (windows, 4)


def spectra(signatures: NDArray[np.uint8], window: Window) -> NDArray[np.float32]:
    """The lowest DCT coefficients of a window of each signature.

    (n, SIGNATURE_SIDE**2) uint8 -> (n, 8, 8) float32, as ImageHash's pHash has them of a
    picture that is that window: rows are vertical frequencies.
    """
    squares = signatures.reshape(-1, SIGNATURE_SIDE, SIGNATURE_SIDE).astype(np.float32)
    low = _basis(window.down) @ squares @ _basis(window.across).T
    return np.asarray(low, dtype=np.float32)


def hashes(spectra: NDArray[np.float32]) -> NDArray[np.uint64]:
    """The pHash of each: a bit for each coefficient that is above their median, (n,) uint64."""
    flat = spectra.reshape(len(spectra), _LOW * _LOW)
    middle = np.sort(flat, axis=1)[:, 31:33]  # faster than a partition: vectorised
    above = flat > middle.mean(axis=1, keepdims=True)
    return np.packbits(above, axis=1).view(">u8")[:, 0].astype(np.uint64)


def directions(spectra: NDArray[np.float32]) -> NDArray[np.float32]:
    """The 63 coefficients without the first, of length 1: (n, 8, 8) -> (n, 63) float32.

    Their product is the correlation of what the eye sees from afar.
    """
    flat = spectra.reshape(len(spectra), _LOW * _LOW)[:, 1:]
    length = np.sqrt(np.einsum("ij,ij->i", flat, flat))
    unit: NDArray[np.float32] = flat / np.maximum(length, np.float32(1e-6))[:, None]
    return unit


def canonical(spectra: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The turn that brings each to its canonical one, (n,)."""
    across, down = spectra[:, 0, 1], spectra[:, 1, 0]
    turns = (across < 0) * MIRRORED + (down < 0) * FLIPPED
    turns += (np.abs(across) < np.abs(down)) * SWAPPED
    found: NDArray[np.uint8] = turns.astype(np.uint8)
    return found


@dataclass(frozen=True, slots=True)
class Probes:
    """Turned spectra to look for: which picture each is of, how it was turned, its hash."""

    picture: NDArray[np.int64]
    turn: NDArray[np.uint8]
    value: NDArray[np.uint64]
    spectra: NDArray[np.float32]  # (n, 8, 8), turned

    def __len__(self) -> int:
        return len(self.picture)


def in_canonical_turn(spectra: NDArray[np.float32]) -> Probes:
    """Each picture once, in its canonical turn."""
    turns = canonical(spectra)
    there = spectra_turned(spectra, turns)
    return Probes(np.arange(len(spectra)), turns, hashes(there), there)


def in_likely_turns(spectra: NDArray[np.float32], near: float = NEAR_TIE) -> Probes:
    """Each picture in its canonical turn, and in others that are nearly as good."""
    first = canonical(spectra)
    flat = spectra.reshape(len(spectra), _LOW * _LOW)[:, 1:]
    slack = near * np.sqrt(np.einsum("ij,ij->i", flat, flat))
    across, down = np.abs(spectra[:, 0, 1]), np.abs(spectra[:, 1, 0])
    tied = {
        MIRRORED: across < slack,
        FLIPPED: down < slack,
        SWAPPED: np.abs(across - down) < slack * np.float32(np.sqrt(2)),
    }
    pictures, turns = [], []
    for other in TURNS:
        chosen = np.ones(len(spectra), dtype=np.bool_)
        for bit, near_thing in tied.items():
            if other & bit:
                chosen &= near_thing
        at = np.flatnonzero(chosen)
        pictures.append(at)
        turns.append(first[at] ^ np.uint8(other))
    picture, turn = np.concatenate(pictures), np.concatenate(turns)
    there = spectra_turned(spectra[picture], turn)
    return Probes(picture, turn, hashes(there), there)


@cache
def _basis(interval: Interval) -> NDArray[np.float32]:
    """(8, SIGNATURE_SIDE): the lowest DCT-II basis vectors over a part of a side."""
    side = SIGNATURE_SIDE
    frequency = np.arange(_LOW)[:, None]
    cosines = 2 * np.cos(np.pi * frequency * (2 * np.arange(side)[None] + 1) / (2 * side))
    low, high = interval
    positions = (low + (np.arange(side) + 0.5) / side * (high - low)) * side - 0.5
    return (cosines @ interpolation(positions, side)).astype(np.float32)


def interpolation(positions: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """(n, side): takes values at ``positions`` (in cells, their centres whole numbers).

    Cubic convolution (R. Keys, 1981); beyond the edge, the cell at the edge goes on.
    """
    cells = np.arange(-8, side + 8)
    weights = _keys(np.abs(positions[:, None] - cells[None]))
    inside = weights[:, 8:-8].copy()
    inside[:, 0] += weights[:, :8].sum(axis=1)
    inside[:, -1] += weights[:, -8:].sum(axis=1)
    return inside


def _keys(away: NDArray[np.float64]) -> NDArray[np.float64]:
    near = ((_CUBIC + 2) * away - (_CUBIC + 3)) * away**2 + 1
    far = _CUBIC * (((away - 5) * away + 8) * away - 4)
    return np.where(away <= 1, near, np.where(away < 2, far, 0.0))
