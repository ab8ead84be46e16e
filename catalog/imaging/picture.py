"""What every decoder hands over, and how modes of every kind become grey, or RGB, on white."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from catalog.imaging import colours
from catalog.imaging.exif import Facts
from catalog.imaging.orientation import Box, upright, upright_extent, upright_size
from catalog.model import Recipe

ENOUGH = 256  # pixels of the short side; up to twice that, a picture is hashed as it is
_SIDE = 128  # pixels of the short side that a larger one is reduced to, or a few more
_STRIP_PIXELS = 1 << 20  # what takes a step in between takes it this many pixels at a time
_DIRECT = frozenset(("1", "L", "P", "RGB", "RGBX", "YCbCr"))
_DEEP = frozenset(("I", "F"))
_GREY = frozenset(("1", "L", "LA", "La", "I", "F"))
_SHOWN_PIXELS = 50_000_000  # of a picture that is shown with all its pixels
_SHOWN_SIDE = 65_500  # pixels; what a JPEG may have, in libjpeg
_GAP = 2.0  # Pillow's reducing_gap: what a filter has left to do, the rest is plain means
_BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}


class Close(Enum):
    """What is asked of the decoders where no fingerprint is made, but a closer look is taken."""

    COLOUR = "colour"  # RGB, with ENOUGH pixels of the short side where the file has them
    WHOLE = "whole"  # RGB, every pixel; what is too large for that is refused


@dataclass(frozen=True, slots=True)
class Shown:
    """What is asked of the decoders where a person is to see the picture.

    RGB with the colours of sRGB, or grey where the file is grey; no side longer than ``longest``
    pixels, or where that is None all pixels, up to 50 megapixels.
    """

    longest: int | None

    def fitting(self, size: tuple[float, float]) -> tuple[int, int]:
        """The sides in which a picture of ``size`` is shown: never larger than it is."""
        if self.longest is None:
            factor = (_SHOWN_PIXELS / (size[0] * size[1])) ** 0.5
        else:
            factor = self.longest / max(size)
        factor = min(1.0, factor, _SHOWN_SIDE / max(size))
        return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


Wanted: TypeAlias = Recipe | Close | Shown


@dataclass(frozen=True, slots=True)
class Pixels:
    """The upright picture that hashes are made of, or that is compared closely.

    ``extent`` is the part of ``image`` (mode L, or RGB) that the picture fills: pixels at the
    edges of a reduced picture may stand for less than a whole box. ``see_through`` says whether
    white was put behind any of it, and is only found out for Close.WHOLE.
    """

    image: Image.Image
    extent: Box
    see_through: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded file."""

    pixels: Pixels
    format: str
    width: int  # upright
    height: int
    facts: Facts
    frames: int
    deep: bool = False  # 16 bits a colour; told of pictures that are decoded whole


def bytes_per_pixel(mode: str) -> int:
    """What Pillow takes to hold a pixel: one byte, two, or always four."""
    return _BYTES_PER_PIXEL.get(mode, 4)


def pixels_of(
    image: Image.Image,
    orientation: int,
    wanted: Wanted,
    extent: tuple[float, float] | None = None,
    scale: int = 1,
) -> Pixels:
    """Stand ``image`` up in grey, or in colour, and make it small where that is wanted.

    ``extent`` is the part of it that the picture fills, the whole where not given; ``scale``
    is what its decoder divided the sides by already.
    """
    if isinstance(wanted, Shown):
        return _shown(image, orientation, wanted, extent or image.size, scale)
    flat = in_colour(image) if isinstance(wanted, Close) else on_white(image)
    width, height = extent or flat.size
    short = min(width, height)
    if wanted not in (Recipe.FULL, Close.WHOLE) and short * scale >= 2 * ENOUGH:
        factor = _odd(short / (ENOUGH if wanted is Close.COLOUR else _SIDE))
        flat = flat.reduce(factor)
        width, height = width / factor, height / factor
    box = upright_extent((width, height), flat.size, orientation)
    see_through = wanted is Close.WHOLE and _is_see_through(image)
    return Pixels(upright(flat, orientation), box, see_through)


def _shown(
    image: Image.Image,
    orientation: int,
    wanted: Shown,
    extent: tuple[float, float],
    scale: int,
) -> Pixels:
    """Made small before it is turned and its colours are looked at, which costs less so."""
    is_grey = image.mode in _GREY or image.mode.startswith("I;16")
    flat = on_white(image) if is_grey else in_colour(image)
    size = wanted.fitting((extent[0] * scale, extent[1] * scale))
    if size[0] > flat.width or size[1] > flat.height:  # more than its decoder may hold
        size = flat.size
    if size != flat.size or extent != flat.size:
        flat = flat.resize(size, Image.Resampling.HAMMING, box=(0, 0, *extent), reducing_gap=_GAP)
    profile = image.info.get("icc_profile")
    if flat.mode == "RGB" and isinstance(profile, bytes):
        flat = colours.as_srgb(flat, profile)
    flat = upright(flat, orientation)
    return Pixels(flat, (0, 0, *flat.size))


def _odd(most: float) -> int:
    """The largest odd number up to ``most``, at least 1.

    The mean of an odd number of whole values never ends in a half, so rounding it favours
    nothing. Reducing by two makes a textured part an eighth of a grey level brighter than a
    flat one, which changed one dHash in seven.
    """
    return max(1, (int(most) - 1) // 2 * 2 + 1)


def turned(picture: Picture, orientation: int) -> Picture:
    """A picture decoded as it lay, stood up afterwards."""
    pixels = picture.pixels
    left, top, right, bottom = pixels.extent
    if left or top:  # only what is decoded as it lay begins at its corner
        return picture
    box = upright_extent((right, bottom), pixels.image.size, orientation)
    width, height = upright_size((picture.width, picture.height), orientation)
    return replace(
        picture,
        pixels=replace(pixels, image=upright(pixels.image, orientation), extent=box),
        width=width,
        height=height,
    )


def on_white(image: Image.Image) -> Image.Image:
    """``image`` in 8-bit grey as ``convert("L")`` makes it, transparent pixels over white.

    What needs a step in between takes it in strips, so that it never needs the memory of
    another whole picture.
    """
    if image.mode in _DEEP or image.mode.startswith("I;16"):
        return _in_strips(image, _to_eight_bits(image))
    if image.mode == "LAB":
        return image.getchannel("L")
    if image.has_transparency_data:
        return _in_strips(image, lambda strip: _over_white(strip).convert("L"))
    if image.mode in _DIRECT:
        return image.convert("L")
    return _in_strips(image, lambda strip: strip.convert("L"))


def in_colour(image: Image.Image) -> Image.Image:
    """``image`` in 8-bit RGB, transparent pixels over white; what is grey, or deep, as grey."""
    if image.mode in _DEEP or image.mode.startswith("I;16") or image.mode == "LAB":
        return on_white(image).convert("RGB")
    if image.has_transparency_data:
        return _in_strips(image, _over_white, "RGB")
    if image.mode == "RGB":
        return image  # to convert it would take the memory of another one
    if image.mode in _DIRECT:
        return image.convert("RGB")
    return _in_strips(image, lambda strip: strip.convert("RGB"), "RGB")


def _in_strips(
    image: Image.Image, convert: Callable[[Image.Image], Image.Image], mode: str = "L"
) -> Image.Image:
    result = Image.new(mode, image.size)
    for top, strip in _strips(image):
        result.paste(convert(strip), (0, top))
    return result


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(image.height, top + rows)))


def _is_see_through(image: Image.Image) -> bool:
    """Whether any pixel lets through what is behind it."""
    return image.has_transparency_data and any(
        _with_alpha(strip).getchannel("A").getextrema() != (255, 255) for _, strip in _strips(image)
    )


def _with_alpha(strip: Image.Image) -> Image.Image:
    if strip.mode == "La":  # Pillow knows no straight way
        strip = strip.convert("LA")
    return strip.convert("RGBA")


def _over_white(strip: Image.Image) -> Image.Image:
    strip = _with_alpha(strip)
    canvas = Image.new("RGB", strip.size, "white")
    canvas.paste(strip, mask=strip)
    return canvas


def _to_eight_bits(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """How deep grey becomes 0-255: what has a known range by that range, else by its own.

    Pillow would clip most of it to white. Values up to 1 are taken for fractions, up to 255
    for bytes, up to 65535 for 16 bits; anything else is stretched from its least to its most.
    """
    if image.mode.startswith("I;16"):
        low, scale = 0.0, 1 / 257
    else:
        ranges = [_range(_finite(strip)) for _, strip in _strips(image)]
        low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
        if low < 0 or high > 65535:
            scale = 255 / max(high - low, 1e-30)
        else:
            low = 0.0
            fractions = high <= 1 and image.mode == "F"
            scale = 255.0 if fractions else 1.0 if high <= 255 else 1 / 257

    def convert(strip: Image.Image) -> Image.Image:
        values = (_finite(strip) - np.float32(low)) * np.float32(scale)
        return Image.fromarray(values.clip(0, 255).astype(np.uint8))

    return convert


def _finite(strip: Image.Image) -> npt.NDArray[np.float32]:
    """(height, width) float32, without what is no number."""
    values = np.asarray(strip).astype(np.float32)
    return np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _range(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    return float(values.min()), float(values.max())
