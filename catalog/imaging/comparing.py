"""Two pictures compared closely, in colour, at the place where one shows a window of the other.

For pairs that 32 x 32 grey values cannot decide: the next frame of a burst, two T-shirts of one
cut. Both pictures are laid over each other to a tenth of a pixel of 256, the tone of one is brought
to that of the other, its sharpness too, and what then still differs is measured in blocks of
16 x 16 pixels. In a copy little does, and alike everywhere. In another shot something moved.

What is ironed out first is what happens to copies: one curve of brightness for all pixels, a little
sharpening or blur, one linear map of the two colour differences.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from catalog.imaging.overlay import (
    COLOUR_SIDE,
    LEVELS,
    LUMA,
    SIDE,
    WHOLE,
    Floats,
    LaidOver,
    Mask,
    Pair,
    robust,
)
from catalog.model import Comparison

_BLOCK: Final = 16
_BLOCKS: Final = SIDE // _BLOCK
_NEARLY_WHOLE: Final = 0.03  # of a side, at each edge
_TEXTURED: Final = 6.0  # standard deviation of a block, of 255, that can show a difference
_NOISE: Final = 3.5  # of 255: what the strongest compression leaves everywhere
_DIFFERS: Final = 0.35  # of its texture, that a block's residual is at least
_DIFFERS_BLOWN: Final = 0.55  # the same, of a block that is blown out in part
_PAPER_WHITE, _SCREEN_BLACK = 235, 25  # of 255
_PAPER: Final = 0.3  # of the pixels, that one grey takes on a page ...
_EVEN: Final = 1  # ... give or take so many of 255
_ODD: Final = 0.2  # of its texture, that a block of a page is off ...
_ODDLY: Final = 4.0  # ... and times what nine of ten blocks are
_BLOWN: Final = 240  # of 255, of any channel, in one of the pictures, and of so many pixels:
_PART_BLOWN: Final = 0.1
_OFF: Final = 14.0  # of 255, that the mean of a block is off, be it textured or not
_MOVED: Final = 0.35  # pixels
_FAINT: Final = 1.0  # of 255; what rounding leaves
_COLOUR_OFF: Final = 14.0  # of 255, of the two colour differences together
_ENHANCED: Final = 4  # times, a drawn difference
_CLEAN: Final = 0.02  # shares of the blocks that differ and that moved, together
_HOPELESS: Final = 0.25  # share of the blocks that differ, beyond which no clipping is the cause
_LIT: Final = 12.0  # of 255, from which a pixel has a colour
_MOST_SATURATION: Final = 3.0
_MOST_BALANCE: Final = 40.0  # of 255
_RADII: Final = (1.2, 3.0)  # pixels, of what a sharper picture has more of
_KNOWN: Final = 0.3  # of a block, that both pictures must have
_PAINT: Final = 12.0  # of 255, that a stamp differs at least
_LEAST_PAINT: Final = 8  # pixels
_AS_WELL: Final = 0.1  # explained, that either of the two may be what was painted on
_CLEARLY: Final = 1.25  # times the edges of the other; dates take 1.23 at most for the other's
_ONE_COLOUR: Final = 20.0  # of 255, standard deviation: beyond, it is another picture's corner
_MOST_SEEN_THROUGH: Final = 0.9  # of a stamp


def compare(
    first: npt.NDArray[np.uint8],
    second: npt.NDArray[np.uint8],
    edges: tuple[float, float, float, float],
) -> Comparison:
    """Compare the window of ``first`` at ``edges`` with the whole of ``second``.

    Both are (SIDE, SIDE, 3) RGB, ``second`` turned as the first lies. ``edges`` (left, right, top,
    bottom) are as ``search.verify`` finds them, and are made more exact here.
    """
    ways = [(edges, LEVELS)]
    if np.abs(np.subtract(edges, WHOLE)).max() <= _NEARLY_WHOLE:
        # What an edit clipped drags an alignment off by a pixel; and most copies lie as they did.
        ways.insert(0, (WHOLE, ()))
    found = []
    for begin, levels in ways:
        pair = Pair.of(first, second, begin, levels)
        # What was clipped or sharpened can be told from what was not, not the other way round.
        for laid_over, swapped in ((pair.first_like_second, False), (pair.second_like_first, True)):
            found.append(_measured(laid_over(), swapped=swapped))
            if found[-1].differing + found[-1].moved <= _CLEAN:
                return found[-1]
            if found[-1].differing > _HOPELESS:
                break
    return min(found, key=lambda each: each.differing + each.moved)


def difference(
    first: npt.NDArray[np.uint8],
    second: npt.NDArray[np.uint8],
    edges: tuple[float, float, float, float],
) -> npt.NDArray[np.uint8]:
    """What differs, as grey on white, (SIDE, SIDE): four times enhanced, once tones agree."""
    pair = Pair.of(first, second, edges, LEVELS).first_like_second()
    left = np.where(pair.known, np.abs(pair.wanted - _as_sharp(pair)), 0)
    return np.asarray(255 - np.clip(_ENHANCED * left, 0, 255), dtype=np.uint8)


def _measured(pair: LaidOver, *, swapped: bool) -> Comparison:
    """``swapped`` says that ``pair`` is the second picture laid over the first."""
    fitted = _as_sharp(pair)
    residual = np.where(pair.known, pair.wanted - fitted, 0)
    usable = _blocks(pair.known).mean(axis=1) > _KNOWN
    texture, left, off = _by_block(fitted, pair.wanted, residual, pair.known)
    floor = min(float(np.percentile(left[usable] ** 2, 25)) if usable.any() else 0.0, _NOISE**2)
    share = np.sqrt(np.maximum(left**2 - 2 * floor, 0) / (texture**2 + 4))
    textured = usable & (texture > _TEXTURED)
    most = np.where(_blown(pair), _DIFFERS_BLOWN, _DIFFERS)
    page = _is_page(pair.source, pair.target)
    if page and textured.any():  # in a copy all lines of it are alike
        most = np.minimum(most, max(_ODD, _ODDLY * float(np.percentile(share[textured], 90))))
        # Of paper and ink a curve may make anything, also of a mark that only one has nothing.
        off = np.maximum(off, _off_plainly(pair))
    differing = usable & ((textured & (share > most)) | (off > _OFF))
    moved = textured & ~differing & _moved(fitted, residual, pair.known, floor)
    recoloured = usable & _recoloured(pair)
    clusters, margin = _where(differing)
    count = max(1, int(usable.sum()))
    painted, on_wanted = _painted(fitted, pair.wanted, residual, differing)
    return Comparison(
        textured=int(textured.sum()),
        residual=float(np.median(share[textured])) if textured.any() else 0.0,
        differing=float(differing.sum() / count),
        moved=float(moved.sum() / max(1, int(textured.sum()))),
        recoloured=float(recoloured.sum() / count),
        clusters=clusters,
        margin=margin,
        painted=painted,
        noise=float(np.sqrt(floor)),
        on_first=None if on_wanted is None else on_wanted is swapped,
        page=page,
    )


def _is_page(one: Floats, other: Floats) -> bool:
    """Whether one grey fills much of both, and in one of them it is white or black.

    As paper does, and the ground of a screenshot; hardly anything that a lens saw.
    """
    grounds = []
    for picture in (one, other):
        grey = np.rint(picture @ LUMA).astype(np.int64).ravel()
        around = np.convolve(np.bincount(grey), np.ones(2 * _EVEN + 1, dtype=np.int64), "same")
        if around.max() < _PAPER * len(grey):
            return False
        grounds.append(int(around.argmax()))
    return any(ground >= _PAPER_WHITE or ground <= _SCREEN_BLACK for ground in grounds)


def _off_plainly(pair: LaidOver) -> Floats:
    """Of each block, how far its mean is off where only contrast and brightness are evened out."""
    factor = SIDE // COLOUR_SIDE
    known = pair.known[::factor, ::factor]
    source, target = pair.source @ LUMA, pair.target @ LUMA
    terms = np.stack([source, np.ones_like(source)], axis=-1)
    found = robust(terms[known], target[known]).astype(np.float32)
    left = np.where(known, target - np.clip(terms @ found, 0, 255), 0)
    count = np.maximum(_blocks(known).sum(axis=1), 1)
    return np.asarray(np.abs(_blocks(left).sum(axis=1)) / count)


def _blown(pair: LaidOver) -> Mask:
    """Blocks in which some pixels are nearly white in one of the two: what they were is gone.

    Paper that is white in both is not blown out.
    """
    white, other = (each.max(axis=-1) > _BLOWN for each in (pair.source, pair.target))
    blown: Mask = _blocks(white != other).mean(axis=1) > _PART_BLOWN
    return blown


def _as_sharp(pair: LaidOver) -> Floats:
    """The window in grey, with the tone and the sharpness of the other picture."""
    toned = pair.toned
    sharpness = (toned - ndimage.gaussian_filter(toned, radius) for radius in _RADII)
    terms = np.stack([np.ones_like(toned), toned, *sharpness], axis=-1)
    some = pair.known.copy()
    some[1::2] = some[:, 1::2] = False
    found = robust(terms[some], pair.wanted[some]).astype(np.float32)
    fitted: Floats = np.clip(terms @ found, 0, 255)
    return fitted


def _blocks(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(side, side) -> (blocks, pixels of each)."""
    side = len(pixels) // _BLOCKS
    tiles = pixels.reshape(_BLOCKS, side, _BLOCKS, side).swapaxes(1, 2)
    return tiles.reshape(_BLOCKS * _BLOCKS, side * side)


def _by_block(
    fitted: Floats, wanted: Floats, residual: Floats, known: Mask
) -> tuple[Floats, Floats, Floats]:
    """Of each block: texture, residual around its mean, and its mean, all of 255."""
    weights = _blocks(known).astype(np.float32)
    count = np.maximum(weights.sum(axis=1), 1)

    def spread(pixels: Floats) -> Floats:
        values = _blocks(pixels)
        mean = (values * weights).sum(axis=1) / count
        squares = (((values - mean[:, None]) ** 2) * weights).sum(axis=1)
        return np.asarray(np.sqrt(squares / count))

    off = np.abs((_blocks(residual) * weights).sum(axis=1) / count)
    return np.maximum(spread(fitted), spread(wanted)), spread(residual), off


def _moved(fitted: Floats, residual: Floats, known: Mask, floor: float) -> Mask:
    """Blocks whose residual is what a shift leaves (Lucas and Kanade), and more than noise is."""
    down, across = (_blocks(np.where(known, slope, 0)) for slope in np.gradient(fitted))
    left = _blocks(residual)
    xx, yy, xy = (across**2).mean(1) + 0.5, (down**2).mean(1) + 0.5, (across * down).mean(1)
    x, y = (across * left).mean(1), (down * left).mean(1)
    determinant = xx * yy - xy**2
    shift_x, shift_y = (yy * x - xy * y) / determinant, (xx * y - xy * x) / determinant
    explained = shift_x * x + shift_y * y
    energy = (left**2).mean(1)
    shift = np.hypot(shift_x, shift_y)
    moved: Mask = (
        (shift > _MOVED) & (explained > 0.3 * energy) & (energy > max(2 * floor, _FAINT**2))
    )
    return moved


def _recoloured(pair: LaidOver) -> Mask:
    """Blocks whose colour no brightness, saturation and white balance of the whole explains.

    The brightness curve is one for all three channels: one for each would make a green shirt of
    a blue one.
    """
    factor = SIDE // COLOUR_SIDE
    source, target = pair.source, pair.target
    if _colourfulness(source) < _colourfulness(target):  # a grey copy tells no colours
        source, target = target, source
    wanted = target @ LUMA
    lit = pair.known[::factor, ::factor] & (np.minimum(source @ LUMA, wanted) > _LIT)
    if not lit.any():
        return np.zeros(_BLOCKS * _BLOCKS, dtype=np.bool_)
    level = source / np.float32(255)
    curve = np.stack([np.ones_like(level), level, level**2, level**3], axis=-1)
    some = lit.copy()
    some[1::2] = some[:, 1::2] = False
    if not some.any():
        some = lit
    found = robust(curve[some].reshape(-1, 4), target[some].ravel()).astype(np.float32)
    window = np.clip(curve @ found, 0, 255)
    grey = window @ LUMA
    mine = (window - grey[..., None])[..., (0, 2)]
    theirs = (target - wanted[..., None])[..., (0, 2)]
    weights = np.maximum(_blocks(lit).sum(axis=1), 1)
    off = np.zeros(_BLOCKS * _BLOCKS, dtype=np.float32)
    for channel in range(2):
        # One factor for the saturation, one offset for the white balance.
        column = np.stack([mine[..., channel], np.ones_like(grey)], axis=-1)
        saturation, balance = robust(column[lit], theirs[..., channel][lit])
        saturation = min(max(float(saturation), 0.0), _MOST_SATURATION)
        balance = min(max(float(balance), -_MOST_BALANCE), _MOST_BALANCE)
        fitted = np.float32(saturation) * mine[..., channel] + np.float32(balance)
        difference = np.where(lit, theirs[..., channel] - fitted, 0)
        off += (_blocks(difference).sum(axis=1) / weights) ** 2
    recoloured: Mask = off > _COLOUR_OFF**2
    return recoloured


def _colourfulness(picture: Floats) -> float:
    return float(np.abs(picture - (picture @ LUMA)[..., None]).mean())


def _where(differing: Mask) -> tuple[int, bool]:
    """How many connected groups the blocks make, and whether each lies along an edge."""
    labels, groups = ndimage.label(differing.reshape(_BLOCKS, _BLOCKS), np.ones((3, 3)))
    near = _BLOCKS // 5
    return groups, all(
        rows.stop <= near
        or rows.start >= _BLOCKS - near
        or columns.stop <= near
        or columns.start >= _BLOCKS - near
        for rows, columns in ndimage.find_objects(labels)
    )


def _painted(
    fitted: Floats, wanted: Floats, residual: Floats, differing: Mask
) -> tuple[float, bool | None]:
    """How well one grey, laid over one of the two, explains the pixels that differ most.

    And whether it is ``wanted`` that it lies on; None where that is unclear.
    """
    there = differing.reshape(_BLOCKS, _BLOCKS).repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1)
    size = np.abs(residual)
    chosen = there & (size > _PAINT)
    if chosen.sum() < _LEAST_PAINT:
        return 0.0, None
    strong = chosen & (size >= np.median(size[chosen]))
    scores = []
    for below, above in ((fitted[strong], wanted[strong]), (wanted[strong], fitted[strong])):
        change = float(np.mean((above - below) ** 2))
        terms = np.stack([below, np.ones_like(below)], axis=1)
        found = np.linalg.lstsq(terms, above, rcond=None)[0]
        cover = min(max(float(found[0]), 0.0), _MOST_SEEN_THROUGH)
        remaining = above - cover * below
        alike = remaining.std() <= _ONE_COLOUR
        scores.append(max(0.0, 1 - float(remaining.var()) / max(change, 1.0)) if alike else 0.0)
    on_wanted, on_fitted = scores
    if abs(on_wanted - on_fitted) > _AS_WELL:
        return max(scores), on_wanted > on_fitted
    # Letters on a smooth sky: either could be the stamp, but the sky has no edges.
    edges, others = _edges(wanted)[there].sum(), _edges(fitted)[there].sum()
    clear = max(edges, others) > _CLEARLY * min(edges, others)
    return max(scores), bool(edges > others) if clear else None


def _edges(picture: Floats) -> Floats:
    """The square of the slope at each pixel."""
    down, across = np.gradient(picture)
    return np.asarray(down**2 + across**2)
