"""Two pictures compared closely, in colour, at the place where one shows a window of the other.

For pairs that 32 x 32 grey values cannot decide: the next frame of a burst, two T-shirts of one
cut. Both pictures are laid over each other to a tenth of a pixel of 256, the tone of one is brought
to that of the other, its sharpness too, and what then still differs is measured in blocks of
16 x 16 pixels. In a copy little does, and alike everywhere. In another shot something moved.

What is ironed out first is what happens to copies: one curve of brightness for all pixels, a little
sharpening or blur, one linear map of the two colour differences. Both are smoothed by a pixel
before, as what decoders and resizers disagree about is finer than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from catalog.model import Comparison

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Affine = npt.NDArray[np.float64]
Curves = npt.NDArray[np.float64]
Levels = tuple[tuple[int, int], ...]

SIDE: Final = 256  # pixels; both pictures are squeezed to this square
COLOUR_SIDE: Final = 128  # pixels; of what only colours and clipping are looked at
_BLOCK: Final = 16
_BLOCKS: Final = SIDE // _BLOCK
_BORDER: Final = 4  # pixels at the edge that smoothing mixes with what lies beyond
_SMOOTHING: Final = 1.0  # pixels, standard deviation
_LEVELS: Final[Levels] = ((64, 3), (128, 4))  # side, and iterations at most
_WHOLE: Final = (0.0, 1.0, 0.0, 1.0)
_NEARLY_WHOLE: Final = 0.03  # of a side, at each edge
_STILL: Final = 0.05  # pixels of SIDE; an iteration that moves no corner further is the last
_CORNERS: Final = np.array(((0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 1)))
_LARGEST_STEP: Final = 0.02  # of a side
_TEXTURED: Final = 6.0  # standard deviation of a block, of 255, that can show a difference
_NOISE: Final = 3.5  # of 255: what the strongest compression leaves everywhere
_DIFFERS: Final = 0.35  # of its texture, that a block's residual is at least
_DIFFERS_BLOWN: Final = 0.55  # the same, of a block that is blown out in part
_BLOWN: Final = 240  # of 255, of any channel of either picture, and of so many pixels:
_PART_BLOWN: Final = 0.1
_OFF: Final = 14.0  # of 255, that the mean of a block is off, be it textured or not
_MOVED: Final = 0.35  # pixels
_FAINT: Final = 1.0  # of 255; what rounding leaves
_COLOUR_OFF: Final = 14.0  # of 255, of the two colour differences together
_BRIGHT, _DARK = 150, 80  # of 255, from which an edit may push a channel there
_UNCLIPPED: Final = 0.2  # of the pixels, that are enough to go by
_WHITE, _BLACK = 246, 3  # of 255, beyond which a channel may have run into its limit
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
_ONE_COLOUR: Final = 20.0  # of 255, standard deviation: beyond, it is another picture's corner
_MOST_SEEN_THROUGH: Final = 0.9  # of a stamp
_LUMA: Final = np.array((0.299, 0.587, 0.114), dtype=np.float32)


def compare(
    first: npt.NDArray[np.uint8],
    second: npt.NDArray[np.uint8],
    edges: tuple[float, float, float, float],
) -> Comparison:
    """Compare the window of ``first`` at ``edges`` with the whole of ``second``.

    Both are (SIDE, SIDE, 3) RGB, ``second`` turned as the first lies. ``edges`` (left, right, top,
    bottom) are as ``search.verify`` finds them, and are made more exact here.
    """
    ways = [(edges, _LEVELS)]
    if np.abs(np.subtract(edges, _WHOLE)).max() <= _NEARLY_WHOLE:
        # What an edit clipped drags an alignment off by a pixel; and most copies lie as they did.
        ways.insert(0, (_WHOLE, ()))
    found = []
    for begin, levels in ways:
        pair = _Pair.of(first, second, begin, levels)
        # What was clipped or sharpened can be told from what was not, not the other way round.
        for laid_over in (pair.first_like_second, pair.second_like_first):
            found.append(_measured(laid_over()))
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
    pair = _Pair.of(first, second, edges, _LEVELS).first_like_second()
    left = np.where(pair.known, np.abs(pair.wanted - _as_sharp(pair)), 0)
    return np.asarray(255 - np.clip(_ENHANCED * left, 0, 255), dtype=np.uint8)


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
class _Pair:
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
    ) -> _Pair:
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
        wanted = _smoothed(self.other @ _LUMA)
        return LaidOver(toned, wanted, self.known, self.window, self.target)

    def second_like_first(self) -> LaidOver:
        known = _unclipped(self.target, self.window, _inside(self.affine, COLOUR_SIDE, 1))
        terms = np.stack(_terms(self.target), axis=-1)
        curves = _robust(terms[known], (self.window @ _LUMA)[known])
        toned = _smoothed(_curved(self.other, curves))
        wanted = _window(self.one @ _LUMA, self.affine)
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
    if np.array_equal(affine, _affine(_WHOLE)):
        return _smoothed(picture)  # the spline goes through each pixel
    if picture.ndim == 2:
        return _warped(_spline(picture), affine)
    channels = (np.ascontiguousarray(picture[..., channel]) for channel in range(3))
    return np.stack([_warped(_spline(channel), affine) for channel in channels], axis=-1)


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


def _aligned(one: Floats, other: Floats, affine: Affine, most: int) -> tuple[Affine, Curves]:
    """``affine``, moved until the two pictures agree best in grey; and the tone that took.

    Gauss and Newton's steps with the mean gradient of both pictures, which reach the place in a
    few (Malis, 2004: efficient second-order minimisation); what fits badly counts less.
    """
    side = len(one)
    target = _smoothed(other)
    wanted = target @ _LUMA
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
    found = _robust(terms[known], wanted[known])
    step: Affine = np.clip(found[2:], -_LARGEST_STEP, _LARGEST_STEP).reshape(2, 3)
    return step


def _curves(window: Floats, target: Floats, affine: Affine) -> tuple[Curves, Mask]:
    """What makes the grey of ``target`` of ``window``, and by which pixels that was found."""
    known = _unclipped(window, target, _inside(affine, len(window), 2))
    terms = np.stack(_terms(window), axis=-1)
    return _robust(terms[known], (target @ _LUMA)[known]), known


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


def _robust(terms: Floats, values: Floats, rounds: int = 3) -> npt.NDArray[Any]:
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


def _measured(pair: LaidOver) -> Comparison:
    fitted = _as_sharp(pair)
    residual = np.where(pair.known, pair.wanted - fitted, 0)
    usable = _blocks(pair.known).mean(axis=1) > _KNOWN
    texture, left, off = _by_block(fitted, pair.wanted, residual, pair.known)
    floor = min(float(np.percentile(left[usable] ** 2, 25)) if usable.any() else 0.0, _NOISE**2)
    share = np.sqrt(np.maximum(left**2 - 2 * floor, 0) / (texture**2 + 4))
    textured = usable & (texture > _TEXTURED)
    most = np.where(_blown(pair), _DIFFERS_BLOWN, _DIFFERS)
    differing = usable & ((textured & (share > most)) | (off > _OFF))
    moved = textured & ~differing & _moved(fitted, residual, pair.known, floor)
    recoloured = usable & _recoloured(pair)
    clusters, margin = _where(differing)
    count = max(1, int(usable.sum()))
    return Comparison(
        textured=int(textured.sum()),
        residual=float(np.median(share[textured])) if textured.any() else 0.0,
        differing=float(differing.sum() / count),
        moved=float(moved.sum() / max(1, int(textured.sum()))),
        recoloured=float(recoloured.sum() / count),
        clusters=clusters,
        margin=margin,
        painted=_painted(fitted, pair.wanted, residual, differing),
        noise=float(np.sqrt(floor)),
    )


def _blown(pair: LaidOver) -> Mask:
    """Blocks in which some pixels are nearly white: what they were the copy does not show."""
    white = np.maximum(pair.source, pair.target).max(axis=-1) > _BLOWN
    blown: Mask = _blocks(white).mean(axis=1) > _PART_BLOWN
    return blown


def _unclipped(window: Floats, target: Floats, known: Mask) -> Mask:
    """``known`` without the pixels where a channel of either ran into black or white.

    What a brightness edit clips is neither a difference nor a proof. Where that leaves too
    little, nothing is left out.
    """
    clipped = np.zeros(known.shape, dtype=np.bool_)
    for picture, other in ((window, target), (target, window)):
        high = (picture > _WHITE) & (other < _WHITE) & (other > _BRIGHT)
        low = (picture < _BLACK) & (other > 2 * _BLACK) & (other < _DARK)
        clipped |= (high | low).any(axis=-1)
    kept: Mask = known & ~ndimage.binary_dilation(clipped)  # smoothing has spread it
    return kept if kept.sum() > _UNCLIPPED * known.sum() else known


def _as_sharp(pair: LaidOver) -> Floats:
    """The window in grey, with the tone and the sharpness of the other picture."""
    toned = pair.toned
    sharpness = (toned - ndimage.gaussian_filter(toned, radius) for radius in _RADII)
    terms = np.stack([np.ones_like(toned), toned, *sharpness], axis=-1)
    some = pair.known.copy()
    some[1::2] = some[:, 1::2] = False
    found = _robust(terms[some], pair.wanted[some]).astype(np.float32)
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
    wanted = target @ _LUMA
    lit = pair.known[::factor, ::factor] & (np.minimum(source @ _LUMA, wanted) > _LIT)
    if not lit.any():
        return np.zeros(_BLOCKS * _BLOCKS, dtype=np.bool_)
    level = source / np.float32(255)
    curve = np.stack([np.ones_like(level), level, level**2, level**3], axis=-1)
    some = lit.copy()
    some[1::2] = some[:, 1::2] = False
    if not some.any():
        some = lit
    found = _robust(curve[some].reshape(-1, 4), target[some].ravel()).astype(np.float32)
    window = np.clip(curve @ found, 0, 255)
    grey = window @ _LUMA
    mine = (window - grey[..., None])[..., (0, 2)]
    theirs = (target - wanted[..., None])[..., (0, 2)]
    weights = np.maximum(_blocks(lit).sum(axis=1), 1)
    off = np.zeros(_BLOCKS * _BLOCKS, dtype=np.float32)
    for channel in range(2):
        # One factor for the saturation, one offset for the white balance.
        column = np.stack([mine[..., channel], np.ones_like(grey)], axis=-1)
        saturation, balance = _robust(column[lit], theirs[..., channel][lit])
        saturation = min(max(float(saturation), 0.0), _MOST_SATURATION)
        balance = min(max(float(balance), -_MOST_BALANCE), _MOST_BALANCE)
        fitted = np.float32(saturation) * mine[..., channel] + np.float32(balance)
        difference = np.where(lit, theirs[..., channel] - fitted, 0)
        off += (_blocks(difference).sum(axis=1) / weights) ** 2
    recoloured: Mask = off > _COLOUR_OFF**2
    return recoloured


def _colourfulness(picture: Floats) -> float:
    return float(np.abs(picture - (picture @ _LUMA)[..., None]).mean())


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


def _painted(fitted: Floats, wanted: Floats, residual: Floats, differing: Mask) -> float:
    """How well one grey, laid over one of the two, explains the pixels that differ most."""
    chosen = differing.reshape(_BLOCKS, _BLOCKS).repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1)
    size = np.abs(residual)
    chosen = chosen & (size > _PAINT)
    if chosen.sum() < _LEAST_PAINT:
        return 0.0
    strong = chosen & (size >= np.median(size[chosen]))
    best = 0.0
    for below, above in ((fitted[strong], wanted[strong]), (wanted[strong], fitted[strong])):
        change = float(np.mean((above - below) ** 2))
        terms = np.stack([below, np.ones_like(below)], axis=1)
        found = np.linalg.lstsq(terms, above, rcond=None)[0]
        cover = min(max(float(found[0]), 0.0), _MOST_SEEN_THROUGH)
        remaining = above - cover * below
        if remaining.std() <= _ONE_COLOUR:
            best = max(best, 1 - float(remaining.var()) / max(change, 1.0))
    return best
