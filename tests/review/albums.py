"""The photos that the tests in a browser look at: a dozen groups, each with something of its own.

The originals lie in ``a``, their copies in ``b``; ``kept`` is protected.
"""

from __future__ import annotations

import io
import os
from typing import Any

import pillow_heif
from PIL import Image, ImageDraw

from tests.review.worlds import World, picture

HOSTILE = [b"<img src=x onerror=alert(1)>.jpg", b"\"quotes' & \xff\n\x1b[31m.jpg"]
SIXTY = 60
GROUPS = 12  # of copies; and one of photos that only look alike
EARLIER = 1_500_000_000  # that the photos of one group were changed: 2017-07-14
PROTECTED = ("--protect", "{photos}/kept")
CHECKS = (850, 550, 100)  # left, top and side of squares of one pixel in a photo
SIDES = (720, 480)

_TURN = Image.Transpose.ROTATE_90


def fill(world: World) -> None:
    _copies(world, "twin", 1, 2)
    _copies(world, "triple", 2, 3)
    _copies(world, "sixty", 3, SIXTY)
    for number, name in enumerate(HOSTILE):
        for folder in (b"a", b"b"):
            world.put(os.path.join(folder, name), saved(picture(4 + number, SIDES)))
    for folder in ("kept", "b"):
        world.put(f"{folder}/guarded.jpg", saved(picture(6, SIDES)), when=EARLIER)
    photo = picture(7, (1200, 800))
    world.put("a/scaled.jpg", saved(photo))
    world.put("b/scaled-1.jpg", saved(photo, quality=50))
    world.put("b/scaled-2.jpg", saved(photo.resize((600, 400)), quality=70))
    photo = picture(8, SIDES)
    world.put("a/turned.jpg", saved(photo))
    world.put("b/turned.jpg", saved(photo.transpose(_TURN), quality=85))
    photo = picture(9, SIDES)
    world.put("a/cut.jpg", saved(photo))
    world.put("b/cut.jpg", saved(photo.crop((0, 0, 660, 480))))
    photo = picture(10, SIDES)
    world.put("a/grey.jpg", saved(photo))
    world.put("b/grey.jpg", saved(photo.convert("L")))
    photo = picture(11, SIDES)
    pillow_heif.register_heif_opener()
    world.put("a/phone.heic", saved(photo, "HEIF"))
    world.put("b/phone.png", saved(photo, "PNG"))
    large = saved(_large(), "PNG")
    for folder in ("a", "b"):
        world.put(f"{folder}/large.png", large)
    for number in range(2):
        world.put(f"a/burst-{number}.jpg", saved(_burst(number)))


def _copies(world: World, name: str, seed: int, count: int) -> None:
    data = saved(picture(seed, SIDES))
    world.put(f"a/{name}.jpg", data)
    for number in range(1, count):
        world.put(f"b/{name}-{number}.jpg", data)


def _large() -> Image.Image:
    photo = picture(12, (1800, 1200))
    left, top, side = CHECKS
    squares = [255 * ((x + y) % 2) for y in range(side) for x in range(side)]
    patch = Image.new("L", (side, side))
    patch.putdata(squares)
    photo.paste(patch.convert("RGB"), (left, top))
    return photo


def _burst(number: int) -> Image.Image:
    """A ball flies through it."""
    photo = picture(30, SIDES)
    x = 200 + 200 * number
    ImageDraw.Draw(photo).ellipse((x - 20, 180, x + 20, 220), fill=(250, 240, 20))
    return photo


def saved(photo: Image.Image, form: str = "JPEG", quality: int = 92) -> bytes:
    data = io.BytesIO()
    options: dict[str, Any] = {"compress_level": 1} if form == "PNG" else {"quality": quality}
    photo.save(data, form, **options)
    return data.getvalue()
