"""Two pictures laid over each other to a tenth of a pixel, the tone of one brought to the other's.

An edit of tone is one smooth curve of each channel for all pixels. Both pictures are smoothed by a
pixel before, as what decoders and resizers disagree about is finer than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Affine = npt.NDArray[np.float64]
Curves = npt.NDArray[np.float64]
Levels = tuple[tuple[int, int], ...]

SIDE: Final = 256  # pixels; both pictures are squeezed to this square
COLOUR_SIDE: Final = 128  # pixels; of what only colours and clipping are looked at
LEVELS: Final[Levels] = ((64, 3), (128, 4))  # side, and iterations at most
WHOLE: Final = (0.0, 1.0, 0.0, 1.0)
LUMA: Final = np.array((0.299, 0.587, 0.114), dtype=np.float32)
_BORDER: Final = 4  # pixels at the edge that smoothing mixes with what lies beyond
_SMOOTHING: Final = 1.0  # pixels, standard deviation
_STILL: Final = 0.05  # pixels of SIDE; an iteration that moves no corner further is the last
_CORNERS: Final = np.array(((0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 1)))
_LARGEST_STEP: Final = 0.02  # of a side
_BRIGHT, _DARK = 150, 80  # of 255, from which an edit may push a channel there
_UNCLIPPED: Final = 0.2  # of the pixels, that are enough to go by
_WHITE, _BLACK = 246, 3  # of 255, beyond which a channel may have run into its limit
_NEARLY_WHITE, _NEARLY_BLACK = 242, 8  # of 255, what the edit would have made of such a pixel
_FEW: Final = 64  # pixels, that do not tell what the edit was


@dataclass(frozen=True, slots=True)
class LaidOver:
    """Two pictures that lie over each other, one of them with the tone of the other.

    Grey at SIDE, smoothed: ``toned`` has the brightness curve of ``wanted``; ``known`` is where
    both can be compared. ``source`` and ``target`` are both in RGB, at COLOUR_SIDE.
    """

    toned: Floats
    wanted: Floats
    known: Mask
    source: Floats
    target: Floats


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures in RGB at SIDE, and how the second lies in the first.

    ``window`` of the first and ``target``, the whole of the second, are smoothed, at COLOUR_SIDE.
    """

    one: Floats
    other: Floats
    affine: Affine
    curves: Curves
    known: Mask
    window: Floats
    target: Floats

    @classmethod
    def of(
        cls,
        first: npt.NDArray[np.uint8],
        second: npt.NDArray[np.uint8],
        edges: tuple[float, float, float, float],
        levels: Levels,
    ) -> Pair:
        """The window at ``edges``; moved until it fits on each of ``levels``, if there are any."""
        one, other = first.astype(np.float32), second.astype(np.float32)
        affine = _affine(edges)
        small, small_other = _reduced(one, COLOUR_SIDE), _reduced(other, COLOUR_SIDE)
        curves = None
        for side, most in levels:
            affine, curves = _aligned(
                _reduced(small, side), _reduced(small_other, side), affine, most
            )
        window, target = _window(small, affine), _smoothed(small_other)
        if curves is None:
            curves = _curves(window, target, affine)[0]
        factor = SIDE // COLOUR_SIDE
        unclipped = _unclipped(window, target, _inside(affine, COLOUR_SIDE, 1))
        known = _inside(affine, SIDE, _BORDER)
        known &= unclipped.repeat(factor, axis=0).repeat(factor, axis=1)
        return cls(one, other, affine, curves, known, window, target)

    def first_like_second(self) -> LaidOver:
        toned = _window(_curved(self.one, self.curves), self.affine)
        wanted = _smoothed(self.other @ LUMA)
        return LaidOver(toned, wanted, self.known, self.window, self.target)

    def second_like_first(self) -> LaidOver:
        known = _unclipped(self.target, self.window, _inside(self.affine, COLOUR_SIDE, 1))
        terms = np.stack(_terms(self.target), axis=-1)
        curves = robust(terms[known], (self.window @ LUMA)[known])
        toned = _smoothed(_curved(self.other, curves))
        wanted = _window(self.one @ LUMA, self.affine)
        return LaidOver(toned, wanted, self.known, self.target, self.window)


def _affine(edges: tuple[float, float, float, float]) -> Affine:
    """(2, 3): from the second picture's unit square into the first's, x before y."""
    left, right, top, bottom = edges
    return np.array(((right - left, 0.0, left), (0.0, bottom - top, top)))


def _spline(grey: Floats) -> Floats:
    """A smoothed square as coefficients of a cubic spline, to be sampled between its pixels."""
    smooth = ndimage.gaussian_filter(grey, _SMOOTHING)
    spline: Floats = ndimage.spline_filter(smooth, 3, output=np.float32, mode="nearest")
    return spline


def _warped(spline: Floats, affine: Affine) -> Floats:
    """The square as ``affine`` shows it."""
    side = len(spline)
    (a, b, c), (d, e, f) = affine.tolist()
    # ndimage counts rows first, and from the middle of the first pixel
    matrix = np.array(((e, d), (b, a)))
    offset = np.array((f, c)) * side + matrix.sum(axis=1) / 2 - 0.5
    warped: Floats = ndimage.affine_transform(
        spline, matrix, offset, order=3, prefilter=False, output=np.float32, mode="nearest"
    )
    return warped


def _window(picture: Floats, affine: Affine) -> Floats:
    """A square, or one of RGB, smoothed, and as ``affine`` shows it."""
    if np.array_equal(affine, _affine(WHOLE)):
        return _smoothed(picture)  # the spline goes through each pixel
    if picture.ndim == 2:
        return _warped(_spline(picture), affine)
    channels = (np.ascontiguousarray(picture[..., channel]) for channel in range(3))
    return np.stack([_warped(_spline(channel), affine) for channel in channels], axis=-1)


def _smoothed(picture: Floats) -> Floats:
    """As ``_spline`` smooths; of RGB, each channel."""
    widths = (_SMOOTHING, _SMOOTHING) + (0,) * (picture.ndim - 2)
    smooth: Floats = ndimage.gaussian_filter(picture, widths)
    return smooth


def _reduced(picture: Floats, side: int) -> Floats:
    """``picture`` by means of blocks: halved until it has this side."""
    while len(picture) > side:
        rows = picture[0::2] + picture[1::2]
        picture = (rows[:, 0::2] + rows[:, 1::2]) * np.float32(0.25)
    return picture


def _inside(affine: Affine, side: int, border: int) -> Mask:
    """Which pixels both pictures have, ``border`` pixels from the edge of either."""
    unit = (np.arange(side) + 0.5) / side
    margin = border / side
    x = affine[0, 0] * unit[None, :] + affine[0, 1] * unit[:, None] + affine[0, 2]
    y = affine[1, 0] * unit[None, :] + affine[1, 1] * unit[:, None] + affine[1, 2]
    known: Mask = (x >= margin) & (x <= 1 - margin) & (y >= margin) & (y <= 1 - margin)
    known[:border] = known[-border:] = False
    known[:, :border] = known[:, -border:] = False
    return known


def _unclipped(window: Floats, target: Floats, known: Mask) -> Mask:
    """``known`` without the pixels where a channel of either ran into black or white.

    What a brightness edit clips is neither a difference nor a proof. A pale mark on white paper is
    none: what the edit did to all other pixels would not have made it white. Where too little is
    left, nothing is left out.
    """
    clipped = np.zeros(known.shape, dtype=np.bool_)
    for picture, other in ((window, target), (target, window)):
        high = (picture > _WHITE) & (other < _WHITE) & (other > _BRIGHT)
        low = (picture < _BLACK) & (other > 2 * _BLACK) & (other < _DARK)
        if not (high | low).any():
            continue
        edited = _edited(other, picture, known)
        clipped |= ((high & (edited > _NEARLY_WHITE)) | (low & (edited < _NEARLY_BLACK))).any(-1)
    kept: Mask = known & ~ndimage.binary_dilation(clipped)  # smoothing has spread it
    return kept if kept.sum() > _UNCLIPPED * known.sum() else known


def _edited(other: Floats, picture: Floats, known: Mask) -> Floats:
    """What ``other`` would be, were all of it changed as where neither ran into a limit.

    One linear map of the three channels: brightness, contrast, saturation, white balance.
    """
    inside = known & ((np.minimum(picture, other) > _BLACK).all(axis=-1))
    inside &= (np.maximum(picture, other) < _WHITE).all(axis=-1)
    terms = np.concatenate([other, np.ones_like(other[..., :1])], axis=-1)
    some = terms[inside]
    if len(some) < _FEW:
        return other
    normal = (some.T @ some).astype(np.float64) + np.eye(4)
    edited: Floats = terms @ np.linalg.solve(normal, some.T @ picture[inside]).astype(np.float32)
    return edited


def _aligned(one: Floats, other: Floats, affine: Affine, most: int) -> tuple[Affine, Curves]:
    """``affine``, moved until the two pictures agree best in grey; and the tone that took.

    Gauss and Newton's steps with the mean gradient of both pictures, which reach the place in a
    few (Malis, 2004: efficient second-order minimisation); what fits badly counts less.
    """
    side = len(one)
    target = _smoothed(other)
    wanted = target @ LUMA
    curves, known = _curves(_window(one, affine), target, affine)
    source = _spline(_curved(one, curves))
    unit = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    u, v = np.meshgrid(unit, unit)
    for _ in range(most):
        toned = _warped(source, affine)
        step = _step(toned, wanted, known & _inside(affine, side, 2), affine, u, v)
        affine = affine + step
        if max(np.abs(step @ corner).max() for corner in _CORNERS) * SIDE < _STILL:
            break
    return affine, curves


def _step(
    toned: Floats, wanted: Floats, known: Mask, affine: Affine, u: Floats, v: Floats
) -> Affine:
    """What to add to ``affine``, so that ``toned`` comes nearer to ``wanted``."""
    down, across = (
        (mine + theirs) * np.float32(len(wanted) / 2)
        for mine, theirs in zip(np.gradient(toned), np.gradient(wanted), strict=True)
    )
    down, across = down / np.float32(affine[1, 1]), across / np.float32(affine[0, 0])
    terms = np.stack(
        [toned, np.ones_like(u), across * u, across * v, across, down * u, down * v, down], axis=-1
    )
    found = robust(terms[known], wanted[known])
    step: Affine = np.clip(found[2:], -_LARGEST_STEP, _LARGEST_STEP).reshape(2, 3)
    return step


def _curves(window: Floats, target: Floats, affine: Affine) -> tuple[Curves, Mask]:
    """What makes the grey of ``target`` of ``window``, and by which pixels that was found."""
    known = _unclipped(window, target, _inside(affine, len(window), 2))
    terms = np.stack(_terms(window), axis=-1)
    return robust(terms[known], (target @ LUMA)[known]), known


def _terms(window: Floats) -> list[Floats]:
    """What smooth curves of the three channels are made of: the grey of a copy is their sum."""
    level = window / np.float32(255)
    powers = (level, level**2, level**3)
    return [np.ones_like(level[..., 0]), *(p[..., channel] for p in powers for channel in range(3))]


def _curved(picture: Floats, curves: Curves) -> Floats:
    """The grey of a picture by these curves."""
    grey = np.zeros(picture.shape[:2], dtype=np.float32)
    for term, factor in zip(_terms(picture), curves.tolist(), strict=True):
        grey += term * np.float32(factor)
    return np.clip(grey, -32, 287)


def robust(terms: Floats, values: Floats, rounds: int = 3) -> npt.NDArray[Any]:
    """Least squares in which what fits badly counts less (Cauchy's weights)."""
    weights = np.ones(len(values), dtype=np.float32)
    found: npt.NDArray[Any] = np.zeros(terms.shape[1])
    for _ in range(rounds):
        weighted = terms * weights[:, None]
        normal = (weighted.T @ terms).astype(np.float64)
        normal[np.diag_indices(len(normal))] *= 1 + 1e-4
        normal[np.diag_indices(len(normal))] += 1e-3
        found = np.linalg.solve(normal, weighted.T @ values)
        residual = values - terms @ found.astype(np.float32)
        spread = 1.48 * np.median(np.abs(residual)) + 0.3
        weights = (1 / (1 + (residual / (2.5 * spread)) ** 2)).astype(np.float32)
    return found
