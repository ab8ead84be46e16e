"""Which of two photos of one picture is the better one to keep: what their pixels say of it.

Detail is what is lost of a picture between one size and half of that, in octaves of the absolute
size, so that photos of different sizes can be compared at the largest that both have. It is
compared without the noise, and in proportion to the contrast of the picture. What is said of 18
photos of 0.4 to 1.7 megapixels and one edit of each, encoded at quality 97:

    edit                                                         right  silent  wrong
    blurred by 0.6 pixels                                           12       6      0
    blurred by 0.8, 1, 1.5, 2.5, 4 pixels                           87       3      0
    moved by 5 pixels, or median of 3 x 3                           18      18      0
    made of one of 0.75 of the size                                  4      14      0
    made of one of 0.5 or 0.35 of the size                          36       0      0
    sharpened                                                       18       0      0
    encoded at 40 to 95, made smaller, other tone, noise, grey       -     360      0
    encoded at 40 to 85, which of both is compressed less           72       0      0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from catalog import dihedral
from catalog.imaging import compression, decode, jpeg
from catalog.imaging.failing import explain
from catalog.imaging.formats import Codec, sniff
from catalog.imaging.looking import opened
from catalog.imaging.picture import Shown
from catalog.imaging.source import HEAD_BYTES, Source
from catalog.model import Failure

_FIRST: Final = 256  # pixels of the short side, the smallest octave
_BLOCK: Final = 16  # pixels; the detail is that of blocks
_ROWS: Final = 64  # blocks, looked at together
_EVEN: Final = 10  # percent of the blocks, that have no more than noise
_GLANCE: Final = 32  # pixels of the square by which a picture is known again
_ALIKE: Final = 0.95  # correlation of the two squares, below which they show something else
_SHARPER: Final = 1.5  # times the detail
_NOISE: Final = 0.4  # of what one has more, from which it is noise
_LEAST: Final = 0.05  # grey levels: what rounding leaves
_USUAL: Final = 50.0  # grey levels, the contrast of a usual photo
_COARSER: Final = 2  # times the steps, with which an earlier encoding would be seen ...
_COARSE: Final = 20  # percent of the standard steps, from which one is seen at all

Which: TypeAlias = Literal["one", "other"]
Floats: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is told of one photo. Sizes are upright.

    ``sharpness`` is, by the pixels of the short side, the detail in that octave (root mean square,
    of 255 grey levels): at 256, 512, 1024, ... up to the picture's own size. ``noise`` is how
    much of it is everywhere, octave by octave. ``glance`` is a square of 32 x 32 grey.
    """

    width: int
    height: int
    quality: int | None  # of a JPEG, 1-100, by its tables; see compression
    once: bool  # a JPEG that was not encoded more coarsely before, for all that is seen
    sharpness: tuple[tuple[int, float], ...]
    noise: tuple[float, ...]
    glance: bytes


@dataclass(frozen=True, slots=True)
class Compared:
    """Which of two photos is sharper, and which was compressed less; None: not clear."""

    sharper: Which | None
    finer: Which | None


def facts(path: bytes, digest: bytes) -> Facts | Failure:
    """What the file says of its quality, if it holds the bytes of ``digest``.

    All its pixels are decoded (twice, for a JPEG): 0.8 s of CPU for 12 megapixels.
    """
    found = opened(path, digest, _facts)
    return found if isinstance(found, Failure) else found[0]


def compared(one: Facts, other: Facts) -> Compared:
    """Which of two photos of the same picture is better, whichever way they lie.

    Nothing is said of pictures that do not show the same from edge to edge.
    """
    if not _show_the_same(one, other):
        return Compared(None, None)
    sharper = _sharper(one, other)
    finer = _finer(one, other)
    return Compared(sharper, finer if sharper in (None, finer) else None)


def _facts(source: Source) -> Facts | Failure:
    image = decode.shown(source, Shown(None))
    if isinstance(image, Failure):
        return image
    grey = image if image.mode == "L" else image.convert("L")
    octaves = _octaves(grey)
    try:
        is_jpeg = sniff(source.at(0, HEAD_BYTES)).codec is Codec.JPEG
        told = compression.of_jpeg(source) if is_jpeg and _has_all(source, image.size) else None
    except Exception as error:  # what decoded a moment ago, and yet hostile files are inventive
        return explain(error)
    return Facts(
        width=image.width,
        height=image.height,
        quality=told.quality if told else None,
        once=told is not None and told.once,
        sharpness=tuple((short, detail) for short, detail, _ in octaves),
        noise=tuple(noise for _, _, noise in octaves),
        glance=grey.resize((_GLANCE, _GLANCE), Image.Resampling.BOX).tobytes(),
    )


def _has_all(source: Source, size: tuple[int, int]) -> bool:
    """Whether all pixels were decoded, so that they may be once more."""
    header = jpeg.read_header(source)
    return sorted(size) == sorted((header.width, header.height))


def _octaves(grey: Image.Image) -> list[tuple[int, float, float]]:
    """The short side, the detail and the noise of each octave, from the smallest on."""
    short = min(grey.size)
    sides = [side for side in (_FIRST << n for n in range(9)) if side < short] + [short]
    found = []
    for side in sides:
        size = (max(1, grey.width * side // short), max(1, grey.height * side // short))
        smaller = grey.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
        found.append((side, *_detail(smaller)))
    return found


def _detail(grey: Image.Image) -> tuple[float, float]:
    """What is lost at half the size: of all blocks, and of the most even ones."""
    half = (max(1, grey.width // 2), max(1, grey.height // 2))
    back = grey.resize(half, Image.Resampling.BOX).resize(grey.size, Image.Resampling.BICUBIC)
    powers = _powers(grey, back)
    if not powers.size:
        return 0.0, 0.0
    return float(powers.mean() ** 0.5), float(np.percentile(powers, _EVEN) ** 0.5)


def _powers(one: Image.Image, other: Image.Image) -> Floats:
    """The mean square of the difference in each whole block, a strip at a time."""
    columns, found = one.width // _BLOCK, []
    for top in range(0, one.height - _BLOCK + 1, _ROWS * _BLOCK):
        rows = min(_ROWS, (one.height - top) // _BLOCK)
        box = (0, top, columns * _BLOCK, top + rows * _BLOCK)
        pixels = (np.asarray(each.crop(box), dtype=np.float32) for each in (one, other))
        squares = np.subtract(*pixels) ** 2
        found.append(squares.reshape(rows, _BLOCK, columns, _BLOCK).mean(axis=(1, 3)).ravel())
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def _square(photo: Facts) -> Floats:
    grey = np.frombuffer(photo.glance, dtype=np.uint8).astype(np.float32)
    return np.asarray((grey - grey.mean()).reshape(_GLANCE, _GLANCE))


def _show_the_same(one: Facts, other: Facts) -> bool:
    """Whether one of the eight ways to lay one over the other fits."""
    first, second = _square(one), _square(other)
    norm = float(np.linalg.norm(first) * np.linalg.norm(second))
    turns = (dihedral.turned(second, turn) for turn in dihedral.TURNS)
    return any(float((first * each).sum()) > _ALIKE * norm > 0 for each in turns)


def _sharper(one: Facts, other: Facts) -> Which | None:
    """By what one has of detail beyond noise, in the largest octave that both have."""
    octaves = {side for side, _ in one.sharpness} & {side for side, _ in other.sharpness}
    if not octaves:
        return None
    (mine, even), (theirs, level) = (_seen(each, max(octaves)) for each in (one, other))
    if mine < theirs:
        which: Which = "other"
        mine, even, theirs, level = theirs, level, mine, even
    else:
        which = "one"
    clear = _beyond(mine, even) > _SHARPER * max(_beyond(theirs, level), _LEAST)
    is_noise = even**2 - level**2 > _NOISE * (mine**2 - theirs**2)
    return which if clear and not is_noise else None


def _seen(photo: Facts, octave: int) -> tuple[float, float]:
    """Its detail and noise there, in proportion to its contrast."""
    contrast = float(_square(photo).std()) / _USUAL
    index = next(n for n, (side, _) in enumerate(photo.sharpness) if side == octave)
    return photo.sharpness[index][1] / contrast, photo.noise[index] / contrast


def _beyond(detail: float, noise: float) -> float:
    return float(max(0.0, detail**2 - noise**2) ** 0.5)


def _finer(one: Facts, other: Facts) -> Which | None:
    """Only among JPEGs of as many pixels: by quality, if nothing worse was forgotten."""
    if one.quality is None or other.quality is None:
        return None
    if sorted((one.width, one.height)) != sorted((other.width, other.height)):
        return None
    mine, theirs = (compression.scale_of(quality) for quality in (one.quality, other.quality))
    if max(mine, theirs) < _COARSE:
        return None
    if _COARSER * mine <= theirs and one.once:
        return "one"
    return "other" if _COARSER * theirs <= mine and other.once else None
