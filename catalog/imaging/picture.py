"""What every decoder hands over, and how modes of every kind become grey on white."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from catalog.imaging.exif import Facts
from catalog.imaging.orientation import Box, upright, upright_extent, upright_size
from catalog.model import Recipe

ENOUGH = 256  # pixels of the short side; up to twice that, a picture is hashed as it is
_SIDE = 128  # pixels of the short side that a larger one is reduced to, or a few more
_STRIP_PIXELS = 1 << 20  # transparency is laid over white this many pixels at a time
_BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}


@dataclass(frozen=True, slots=True)
class Grey:
    """The upright grey picture that hashes are made of.

    ``extent`` is the part of ``image`` (mode L) that the picture fills: pixels at the edges
    of a reduced picture may stand for less than a whole box.
    """

    image: Image.Image
    extent: Box


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded file."""

    grey: Grey
    format: str
    width: int  # upright
    height: int
    facts: Facts
    frames: int


def bytes_per_pixel(mode: str) -> int:
    """What Pillow takes to hold a pixel: one byte, two, or always four."""
    return _BYTES_PER_PIXEL.get(mode, 4)


def grey_of(
    image: Image.Image,
    orientation: int,
    recipe: Recipe,
    extent: tuple[float, float] | None = None,
    scale: int = 1,
) -> Grey:
    """Stand ``image`` up in grey, and make it small where the recipe says so.

    ``extent`` is the part of it that the picture fills, the whole where not given; ``scale``
    is what its decoder divided the sides by already.
    """
    grey = on_white(image)
    width, height = extent or grey.size
    short = min(width, height)
    if recipe is Recipe.REDUCED and short * scale >= 2 * ENOUGH:
        factor = _odd(short / _SIDE)
        grey = grey.reduce(factor)
        width, height = width / factor, height / factor
    box = upright_extent((width, height), grey.size, orientation)
    return Grey(upright(grey, orientation), box)


def _odd(most: float) -> int:
    """The largest odd number up to ``most``, at least 1.

    The mean of an odd number of whole values never ends in a half, so rounding it favours
    nothing. Reducing by two made every textured part 1/8 brighter than a flat one, which
    changed one dHash in seven.
    """
    return max(1, (int(most) - 1) // 2 * 2 + 1)


def turned(picture: Picture, orientation: int) -> Picture:
    """A picture decoded as it lay, stood up afterwards."""
    grey = picture.grey
    left, top, right, bottom = grey.extent
    if left or top:  # only what is decoded as it lay begins at its corner
        return picture
    box = upright_extent((right, bottom), grey.image.size, orientation)
    width, height = upright_size((picture.width, picture.height), orientation)
    return replace(
        picture,
        grey=Grey(upright(grey.image, orientation), box),
        width=width,
        height=height,
    )


def on_white(image: Image.Image) -> Image.Image:
    """``image`` in 8-bit grey as ``convert("L")`` makes it, transparent pixels over white."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _eight_bits(image)
    if image.mode == "LAB":
        return image.getchannel("L")
    if not image.has_transparency_data:
        return image.convert("L")
    result = Image.new("L", image.size)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        bottom = min(image.height, top + rows)
        strip = image.crop((0, top, image.width, bottom)).convert("RGBA")
        canvas = Image.new("RGB", strip.size, "white")
        canvas.paste(strip, mask=strip)
        result.paste(canvas.convert("L"), (0, top))
    return result


def _eight_bits(image: Image.Image) -> Image.Image:
    """Deep grey scaled to 0-255: what has a known range by that range, else by its own.

    Pillow would clip most of it to white. Values up to 1 are taken for fractions, up to 255
    for bytes, up to 65535 for 16 bits; anything else is stretched from its least to its most.
    """
    deep = np.asarray(image)
    if image.mode.startswith("I;16"):
        return Image.fromarray((deep.astype(np.uint32) // 257).astype(np.uint8))
    values = np.nan_to_num(deep.astype(np.float32), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 65535:
        values -= low
        scale = 255 / max(high - low, 1e-30)
    elif high <= 1 and image.mode == "F":
        scale = 255.0
    else:
        scale = 1.0 if high <= 255 else 1 / 257
    return Image.fromarray((values * scale).clip(0, 255).astype(np.uint8))
