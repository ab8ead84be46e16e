"""Whether one signature shows a window of another: the window found to a tenth of a cell, and how
well the two agree there.

Two steps. ``coarse`` compares the lowest frequencies, which costs next to nothing and throws out
nearly all that a hash let through. ``refine`` moves the four edges of the window, leans its sides
(a picture that was turned by a degree), fits gain and offset of the grey, and leaves out the cells
that fit worst (a date stamp, a bar): Gauss and Newton's iteration for image alignment (Lucas and
Kanade, 1981; Baker and Matthews, 2004), on all pairs of a batch at once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.model import SIGNATURE_SIDE
from catalog.search.windows import interpolation

Floats = NDArray[np.float32]

BATCH: Final = 192  # pairs: with fewer, threads wait for each other; with more, for memory
_STEPS: Final = ((16, 0.12), (16, 0.24), (32, 0.36))  # cells a side, part left out afterwards
_LONGEST_STEP: Final = 0.05  # of a side, in one iteration
_OUTSIDE: Final = 0.03  # of a side, that an edge may lie beyond the picture
_INSIDE: Final = 0.25  # of a side, that may be lost at one edge
_LEAST_GAIN: Final = 0.05
_UNKNOWNS: Final = 8
# Ridge, as parts of each unknown's own weight: what the picture does not tell stays as it is.
_RIDGE: Final = np.array((1e-6, 1e-6, 3e-3, 3e-3, 3e-3, 3e-3, 1e-2, 1e-2), dtype=np.float32)
_SUBCELL: Final = 64  # positions that are told apart in a cell
_MARGIN: Final = 4  # cells beyond the edge that a position may lie


@dataclass(frozen=True, slots=True)
class Alignments:
    """How n pairs fit, as arrays of one length.

    ``score`` (float32): correlation of the cells that were not left out. ``edges`` (n, 4): left,
    right, top and bottom of the window in parts of the first picture's sides. ``gain`` of the grey;
    ``contrast``: standard deviation of the compared cells, of 255; ``residual`` (root mean square)
    of the same cells, and ``worst`` of all cells.
    """

    score: Floats
    edges: Floats
    gain: Floats
    contrast: Floats
    residual: Floats
    worst: Floats

    def __len__(self) -> int:
        return len(self.score)

    def only(self, chosen: NDArray[Any]) -> Alignments:
        """Those at these positions, or where this mask is true."""
        return Alignments(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @classmethod
    def joined(cls, parts: list[Alignments]) -> Alignments:
        """Several, one after the other."""
        parts = [_NONE, *parts]
        columns = ([getattr(part, field.name) for part in parts] for field in fields(cls))
        return cls(*(np.concatenate(column) for column in columns))


def coarse(one: Floats, other: Floats) -> Floats:
    """Correlation of the lowest frequencies: directions (n, 63) of both -> (n,)."""
    likeness: Floats = np.einsum("ij,ij->i", one, other)
    return likeness


def refine(pictures: NDArray[np.uint8], targets: NDArray[np.uint8], edges: Floats) -> Alignments:
    """Align each picture's window with its target, from ``edges`` (n, 4) on.

    ``pictures`` and ``targets`` are signatures, (n, SIGNATURE_SIDE, SIGNATURE_SIDE).
    """
    count = len(pictures)
    parts = [
        _refined(pictures[at : at + BATCH], targets[at : at + BATCH], edges[at : at + BATCH])
        for at in range(0, count, BATCH)
    ]
    return Alignments.joined(parts)


def _refined(pictures: NDArray[np.uint8], targets: NDArray[np.uint8], edges: Floats) -> Alignments:
    at_scale = {32: (pictures.astype(np.float32), targets.astype(np.float32))}
    at_scale[16] = (_halved(at_scale[32][0]), _halved(at_scale[32][1]))
    edges = edges.astype(np.float32)
    weights = np.empty((0, 0), dtype=np.float32)
    for cells, left_out in (*_STEPS, (32, 0.0)):
        picture, target = at_scale[cells]
        if weights.shape[1] != cells * cells:
            weights = np.ones((len(picture), cells * cells), dtype=np.float32)
        terms = _terms(picture, edges)
        target = target.reshape(len(target), -1)
        unknowns = _solved(terms, target, weights)
        fitted = np.matmul(unknowns[:, None, :], terms)[:, 0]
        if not left_out:
            break
        weights = _best_cells(np.abs(target - fitted), left_out)
        gain = np.where(np.abs(unknowns[:, :1]) < _LEAST_GAIN, _LEAST_GAIN, unknowns[:, :1])
        edges += np.clip(unknowns[:, 2:6] / gain, -_LONGEST_STEP, _LONGEST_STEP)
        edges[:, 0::2] = np.clip(edges[:, 0::2], -_OUTSIDE, _INSIDE)
        edges[:, 1::2] = np.clip(edges[:, 1::2], 1 - _INSIDE, 1 + _OUTSIDE)
    return _measured(fitted, target, weights, edges, unknowns)


def _terms(pictures: Floats, edges: Floats) -> Floats:
    """(n, 8, cells): the window, one, and how it changes with each edge and each lean."""
    count, side = len(pictures), pictures.shape[-1]
    table, slope = _TABLES[side]
    middle = ((np.arange(side) + 0.5) / side).astype(np.float32)
    across, down = (
        _rows(side, low, high, middle)
        for low, high in ((edges[:, 0], edges[:, 1]), (edges[:, 2], edges[:, 3]))
    )
    columns = table[across].swapaxes(-1, -2)
    band = table[down] @ pictures
    terms = np.empty((count, _UNKNOWNS, side, side), dtype=np.float32)
    np.matmul(band, columns, out=terms[:, 0])
    terms[:, 1] = 1
    x = (band @ slope[across].swapaxes(-1, -2)) * np.float32(side)
    y = (slope[down] @ pictures @ columns) * np.float32(side)
    np.multiply(x, middle[None, None, :], out=terms[:, 3])
    np.subtract(x, terms[:, 3], out=terms[:, 2])
    np.multiply(y, middle[None, :, None], out=terms[:, 5])
    np.subtract(y, terms[:, 5], out=terms[:, 4])
    centred = middle - np.float32(0.5)
    np.multiply(x, centred[None, :, None], out=terms[:, 6])
    np.multiply(y, centred[None, None, :], out=terms[:, 7])
    return terms.reshape(count, _UNKNOWNS, side * side)


def _rows(side: int, low: Floats, high: Floats, middle: Floats) -> NDArray[np.int32]:
    """Which rows of the table sample this interval of each picture."""
    cells = (low[:, None] + middle[None] * (high - low)[:, None]) * side - np.float32(0.5)
    rows: NDArray[np.int32] = np.rint((cells + _MARGIN) * _SUBCELL).astype(np.int32)
    return rows


def _solved(terms: Floats, target: Floats, weights: Floats) -> Floats:
    """Weighted least squares of every pair: (n, 8)."""
    weighted = terms * weights[:, None, :]
    normal = weighted @ terms.swapaxes(-1, -2)
    right = np.matmul(weighted, target[:, :, None])[:, :, 0]
    scale = np.sqrt(np.einsum("nii->ni", normal)) + np.float32(1e-6)
    normal /= scale[:, :, None] * scale[:, None, :]
    normal[:, range(_UNKNOWNS), range(_UNKNOWNS)] += _RIDGE
    solved = np.linalg.solve(normal, (right / scale)[:, :, None])[:, :, 0] / scale
    return np.asarray(solved, dtype=np.float32)


def _best_cells(residual: Floats, left_out: float) -> Floats:
    """1 where the residual is not among the worst, else 0."""
    last = int(residual.shape[1] * (1 - left_out)) - 1
    limit = np.partition(residual, last, axis=1)[:, last : last + 1]
    return (residual <= limit).astype(np.float32)


def _measured(
    fitted: Floats, target: Floats, weights: Floats, edges: Floats, unknowns: Floats
) -> Alignments:
    count = weights.sum(axis=1)
    difference = target - fitted
    spread = []
    for values in (fitted, target):
        mean = np.einsum("ij,ij->i", values, weights) / count
        spread.append((values - mean[:, None]) * weights)
    one, other = spread
    squares = np.einsum("ij,ij->i", one, one) * np.einsum("ij,ij->i", other, other)
    contrast = np.sqrt(np.einsum("ij,ij->i", other, other) / count)
    return Alignments(
        score=np.einsum("ij,ij->i", one, other) / np.sqrt(squares + np.float32(1e-6)),
        edges=edges,
        gain=unknowns[:, 0],
        contrast=contrast,
        residual=np.sqrt(np.einsum("ij,ij,ij->i", difference, difference, weights) / count),
        worst=np.abs(difference).max(axis=1),
    )


def _halved(squares: Floats) -> Floats:
    rows = squares[:, 0::2] + squares[:, 1::2]
    half: Floats = (rows[..., 0::2] + rows[..., 1::2]) * np.float32(0.25)
    return half


def _tables(side: int) -> tuple[Floats, Floats]:
    """Rows that sample ``side`` cells at every position in question, and their slopes."""
    positions = np.arange((side + 2 * _MARGIN) * _SUBCELL + 1) / _SUBCELL - _MARGIN
    small = 1e-3
    slope = interpolation(positions + small, side) - interpolation(positions - small, side)
    rows = interpolation(positions, side)
    return rows.astype(np.float32), (slope / (2 * small)).astype(np.float32)


_TABLES: Final = {side: _tables(side) for side in (SIGNATURE_SIDE // 2, SIGNATURE_SIDE)}
_NOTHING: Final = np.empty(0, dtype=np.float32)
_NONE: Final = Alignments(_NOTHING, np.empty((0, 4), np.float32), *[_NOTHING] * 4)
