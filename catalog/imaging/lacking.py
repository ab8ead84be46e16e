"""What the kept one of two pictures lacks that the other has, where both show the same.

A comparison forgives what happens to copies: a copy in grey, or blown out, or made larger than
what it was made of, is a copy. To keep that one and give the other up is another matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from catalog.imaging.overlay import LEVELS, WHOLE, Affine, Floats, Pair

_BLOCK: Final = 8  # pixels of COLOUR_SIDE
_COLOURED: Final = 10.0  # of 255, between the channels of a block, from which it has a colour
_FADED: Final = 0.25  # of its colour, that a block has left at most which lost it
_WHITE, _BLACK = 250, 5  # of 255, beyond which a channel says nothing any more ...
_NOT_WHITE, _NOT_BLACK = 238, 17  # ... and up to which it surely does
_EVEN: Final = 0.005  # of a side, that edges may be off for pictures to lie over each other
_LARGER: Final = 1.08  # times the pixels of a side, from which there is something to be told
_LEAST: Final = 64  # pixels of a side, that have to be seen
_POWER: Final = 0.2  # of 255: what rounding leaves
_BLURS: Final = 0.7  # pixels

Edges = tuple[float, float, float, float]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Lacking:
    """What one picture lacks, in shares of what the other has.

    ``beyond`` is the widest strip of the other, in parts of a side of this one, that lies outside
    this one. ``faded`` is the share of its coloured blocks that are grey in this one, ``clipped``
    that of its pixels which are plain white or black here and not there. ``fine`` is the amplitude
    of the finest detail here, divided by that of the other, and ``followed`` their correlation.
    """

    beyond: float
    faded: float
    clipped: float
    fine: float
    followed: float


def lacking(kept: tuple[Pixels, Pixels], other: tuple[Pixels, Pixels], edges: Edges) -> Lacking:
    """What ``kept`` lacks of ``other``: each as RGB of SIDE and grey of FINE, lying alike.

    ``edges`` (left, right, top, bottom) are those of ``other``, in parts of the sides of ``kept``.
    """
    pair = Pair.of(kept[0], other[0], edges, LEVELS)
    fine, followed = _fine(kept[1], other[1], _around(pair.affine))
    return Lacking(
        beyond=_beyond(pair.affine),
        faded=_faded(pair.window, pair.target),
        clipped=_clipped(pair.window, pair.target),
        fine=fine,
        followed=followed,
    )


def is_whole(edges: Edges) -> bool:
    """Whether the two show the same, up to what an alignment is off."""
    return bool(np.abs(np.subtract(edges, WHOLE)).max() <= _EVEN)


def enlarged(kept: Pixels, other: Pixels, scale: tuple[float, float]) -> tuple[float, float]:
    """How much of the finest detail of the other is left in the kept one, and what it has beyond.

    Both are grey, of the middle of one picture as it is in the file; ``scale`` (across, down) is
    how many pixels of the kept one are one of the other. Beyond is what is lost of the kept one
    where it is made as small as the other, in parts of the detail of the other. (1, 1) where
    the kept one is no larger, or too little of it is seen.
    """
    size = (
        min(other.shape[1], int(kept.shape[1] / scale[0])),
        min(other.shape[0], int(kept.shape[0] / scale[1])),
    )
    if min(scale) < _LARGER or min(size) < _LEAST:
        return 1.0, 1.0
    part = _middle_of(kept, (round(size[0] * scale[0]), round(size[1] * scale[1])))
    small = Image.fromarray(part).resize(size, Image.Resampling.LANCZOS)
    back = small.resize((part.shape[1], part.shape[0]), Image.Resampling.LANCZOS)
    beyond = part.astype(np.float32) - np.asarray(back, dtype=np.float32)
    mine = _power(_detail(np.asarray(small), _BLURS))
    theirs = _power(_detail(_middle_of(other, size), _BLURS))
    return mine / theirs, _power(beyond) / theirs


def _middle_of(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    (width, height), (rows, columns) = size, pixels.shape
    left, top = (columns - width) // 2, (rows - height) // 2
    return pixels[top : top + height, left : left + width]


def _power(detail: Floats) -> float:
    return float(np.sqrt((detail**2).mean())) + _POWER


def _corners(affine: Affine) -> npt.NDArray[np.float64]:
    """Where the corners of the other lie in the kept one: (4, 2), x before y."""
    corners = np.array(((0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 1)))
    return np.asarray(corners @ affine.T)


def _beyond(affine: Affine) -> float:
    corners = _corners(affine)
    return float(max(0.0, -corners.min(), corners.max() - 1))


def _around(affine: Affine) -> Edges:
    """The box round the other in the kept one."""
    (left, top), (right, bottom) = (_corners(affine).min(axis=0), _corners(affine).max(axis=0))
    return float(left), float(right), float(top), float(bottom)


def _faded(kept: Floats, other: Floats) -> float:
    mine, theirs = (_blocks(each.max(axis=-1) - each.min(axis=-1)) for each in (kept, other))
    coloured = theirs > _COLOURED
    if not coloured.any():
        return 0.0
    return float((mine < _FADED * theirs)[coloured].mean())


def _blocks(pixels: Floats) -> npt.NDArray[Any]:
    """The mean of each block."""
    count = len(pixels) // _BLOCK
    return np.asarray(pixels.reshape(count, _BLOCK, count, _BLOCK).mean(axis=(1, 3)))


def _clipped(kept: Floats, other: Floats) -> float:
    high = (kept.min(axis=-1) > _WHITE) & (other.min(axis=-1) < _NOT_WHITE)
    low = (kept.max(axis=-1) < _BLACK) & (other.max(axis=-1) > _NOT_BLACK)
    return float((high | low).mean())


def _fine(kept: Pixels, other: Pixels, edges: Edges) -> tuple[float, float]:
    """How much fine detail the kept one has of that in the other, and how alike it is.

    The other is brought to the size of its window in the kept one, so nothing of the kept one is
    smoothed; a window that is off by a pixel tells how much there is, not how alike.
    """
    if not is_whole(edges):
        side = len(kept)
        left, right, top, bottom = (round(min(max(each, 0.0), 1.0) * side) for each in edges)
        kept = kept[top:bottom, left:right]
        size = (right - left, bottom - top)
        other = np.asarray(Image.fromarray(other).resize(size, Image.Resampling.LANCZOS))
    mine, theirs = _detail(kept), _detail(other)
    mine_2, theirs_2 = (float((each**2).mean()) + 1e-6 for each in (mine, theirs))
    return (mine_2 / theirs_2) ** 0.5, float((mine * theirs).mean()) / (mine_2 * theirs_2) ** 0.5


def _detail(picture: Pixels, blurs: float = 1.0) -> Floats:
    """What is finer than two pixels, or so many times that."""
    grey = picture.astype(np.float32)
    return np.asarray(grey - ndimage.gaussian_filter(grey, blurs))
