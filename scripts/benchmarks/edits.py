"""What people and programs do to photos: the edits that a copy is to be recognised after.

Each makes the bytes of one copy out of an upright RGB picture. Random parts are seeded by the
picture itself, so that the same picture gives the same copies, and two pictures of one size do
not get the same noise. No copy has EXIF: a capture time is never what a copy is found by.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

VERSION: Final = 1  # counts up whenever an edit is changed or added: trees are made anew
_QUALITY: Final = 90  # of the JPEGs whose edit is another one
_NOISE: Final = 10.0  # standard deviation, of 255


@dataclass(frozen=True, slots=True)
class Edit:
    """One way to copy a picture; ``suffix`` is that of the files it makes."""

    group: str  # of the table: "ordinary", "crop 10 %", ...
    make: Callable[[Image.Image], bytes]
    suffix: str = ".jpg"


def slug(name: str) -> str:
    """The name of an edit as one of a file: ``crop 10 % left`` is ``crop-10-percent-left``."""
    return name.replace("%", "percent").replace(" ", "-")


def _jpeg(image: Image.Image, quality: int = _QUALITY, *, progressive: bool = False) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, progressive=progressive)
    return file.getvalue()


def _webp(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "WEBP", quality=75)
    return file.getvalue()


def _within(image: Image.Image, longest: int) -> Image.Image:
    """No side longer than this; a smaller picture stays as it is."""
    small = image.copy()
    small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return small


def _half(image: Image.Image) -> Image.Image:
    return image.resize(
        (max(1, image.width // 2), max(1, image.height // 2)), Image.Resampling.LANCZOS
    )


def _noisy(image: Image.Image) -> Image.Image:
    random = np.random.default_rng(zlib.crc32(image.tobytes()))
    pixels = np.asarray(image, dtype=np.float32)
    noise = random.normal(0, _NOISE, pixels.shape)
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


def _stamped(image: Image.Image) -> Image.Image:
    """A date in orange, at the lower right, as cameras of film days burnt it in."""
    stamped = image.copy()
    size = max(10, image.height // 20)
    ImageDraw.Draw(stamped).text(
        (image.width - size // 2, image.height - size // 2),
        "2019-07-14 18:32",
        fill=(255, 140, 0),
        font=ImageFont.load_default(size),
        anchor="rb",
    )
    return stamped


def _cropped(
    left: float, top: float, right: float, bottom: float
) -> Callable[[Image.Image], Image.Image]:
    """Without these parts of the width and the height."""

    def crop(image: Image.Image) -> Image.Image:
        width, height = image.size
        return image.crop(
            (
                round(width * left),
                round(height * top),
                round(width * (1 - right)),
                round(height * (1 - bottom)),
            )
        )

    return crop


def _barred(
    left: float, top: float, right: float, bottom: float
) -> Callable[[Image.Image], Image.Image]:
    """With black bars added, as wide as these parts of the picture's width and height."""

    def bar(image: Image.Image) -> Image.Image:
        width, height = image.size
        border = (
            round(width * left),
            round(height * top),
            round(width * right),
            round(height * bottom),
        )
        return ImageOps.expand(image, border, fill="black")

    return bar


def _tilted(image: Image.Image) -> Image.Image:
    """Turned by one degree; the corners that become empty are black."""
    return image.rotate(1, Image.Resampling.BICUBIC)


def _then_jpeg(change: Callable[[Image.Image], Image.Image]) -> Callable[[Image.Image], bytes]:
    return lambda image: _jpeg(change(image))


def _enhanced(
    kind: Callable[[Image.Image], ImageEnhance._Enhance], factor: float
) -> Callable[[Image.Image], bytes]:
    return _then_jpeg(lambda image: kind(image).enhance(factor))


def _turned(turn: Image.Transpose) -> Callable[[Image.Image], bytes]:
    return _then_jpeg(lambda image: image.transpose(turn))


EDITS: Final[Mapping[str, Edit]] = {
    "jpeg q50": Edit("ordinary", lambda image: _jpeg(image, 50)),
    "jpeg q10": Edit("ordinary", lambda image: _jpeg(image, 10)),
    "messenger 1280 px q60": Edit(
        "ordinary", lambda image: _jpeg(_within(image, 1280), 60, progressive=True)
    ),
    "half size": Edit("ordinary", _then_jpeg(_half)),
    "thumbnail 160 px": Edit("ordinary", _then_jpeg(lambda image: _within(image, 160))),
    "webp": Edit("ordinary", _webp, ".webp"),
    "grey": Edit("ordinary", _then_jpeg(lambda image: image.convert("L"))),
    "brighter": Edit("ordinary", _enhanced(ImageEnhance.Brightness, 1.3)),
    "darker": Edit("ordinary", _enhanced(ImageEnhance.Brightness, 0.7)),
    "contrast": Edit("ordinary", _enhanced(ImageEnhance.Contrast, 1.4)),
    "saturation": Edit("ordinary", _enhanced(ImageEnhance.Color, 1.6)),
    "sharpened": Edit(
        "ordinary", _then_jpeg(lambda image: image.filter(ImageFilter.UnsharpMask(2, 150, 3)))
    ),
    "blurred": Edit(
        "ordinary",
        _then_jpeg(lambda image: image.filter(ImageFilter.GaussianBlur(max(image.size) / 640))),
    ),
    "noise": Edit("ordinary", _then_jpeg(_noisy)),
    "date stamp": Edit("date stamp", _then_jpeg(_stamped)),
    "crop 2 %": Edit("crop 2 %", _then_jpeg(_cropped(0.01, 0.01, 0.01, 0.01))),
    "crop 5 %": Edit("crop 5 %", _then_jpeg(_cropped(0.025, 0.025, 0.025, 0.025))),
    "crop 10 %": Edit("crop 10 %", _then_jpeg(_cropped(0.05, 0.05, 0.05, 0.05))),
    "crop 10 % left": Edit("one-sided", _then_jpeg(_cropped(0.1, 0, 0, 0))),
    "crop 10 % bottom": Edit("one-sided", _then_jpeg(_cropped(0, 0, 0, 0.1))),
    "crop 10 % corner": Edit("one-sided", _then_jpeg(_cropped(0.1, 0.1, 0, 0))),
    "bars 10 % above and below": Edit("bars", _then_jpeg(_barred(0, 0.05, 0, 0.05))),
    "bars 10 % left and right": Edit("bars", _then_jpeg(_barred(0.05, 0, 0.05, 0))),
    "bar 10 % below": Edit("one-sided", _then_jpeg(_barred(0, 0, 0, 0.1))),
    "turned 1 degree": Edit("1 degree", _then_jpeg(_tilted)),
    "quarter turn": Edit("turned", _turned(Image.Transpose.ROTATE_90)),
    "half turn": Edit("turned", _turned(Image.Transpose.ROTATE_180)),
    "quarter turn back": Edit("turned", _turned(Image.Transpose.ROTATE_270)),
    "mirrored": Edit("turned", _turned(Image.Transpose.FLIP_LEFT_RIGHT)),
    "upside down": Edit("turned", _turned(Image.Transpose.FLIP_TOP_BOTTOM)),
}
