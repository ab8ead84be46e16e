"""Pictures that are made for single changes and for storms of them."""

from __future__ import annotations

import io
import os
import random
from typing import Final

from PIL import Image

_WIDTH, _HEIGHT = 1600, 1200  # a few hundred KB, of a photo that was not made smaller
_QUALITY: Final = 90
_FOREIGN: Final = (4000, 3000)  # pixels, of noise in the place of a camera photo
_SMALL_SIDE: Final = 48  # pixels, of the pictures of a storm ...
_GRAIN: Final = 4  # ... and of the squares of one colour that they are made of


def write_new(path: str, data: bytes) -> None:
    with open(path, "xb", buffering=0) as file:
        file.write(data)


def make_photos(folder: str, camera: str | None, count: int) -> None:
    """Crops of a camera photo, each of another place of it."""
    if camera is None:
        whole = Image.effect_noise(_FOREIGN, 30)
    else:
        with Image.open(camera) as image:
            whole = image.convert("RGB")
    across, down = whole.width - _WIDTH, whole.height - _HEIGHT
    for number, place in enumerate(random.Random(0).sample(range(across * down), count)):
        left, top = place % across, place // across
        crop = whole.crop((left, top, left + _WIDTH, top + _HEIGHT))
        crop.save(os.path.join(folder, f"IMG_{number:05}.jpg"), "JPEG", quality=_QUALITY)


def make_storm(top: str, files: int, folder_count: int) -> None:
    for number in range(files):
        folder = os.path.join(top, f"folder-{number * folder_count // files:05}")
        os.makedirs(folder, exist_ok=True)
        write_new(os.path.join(folder, f"IMG_{number:07}.jpg"), small_jpeg(number))


def small_jpeg(number: int) -> bytes:
    side = _SMALL_SIDE // _GRAIN
    pixels = random.Random(number).randbytes(3 * side**2)
    image = Image.frombytes("RGB", (side, side), pixels)
    data = io.BytesIO()
    image.resize((_SMALL_SIDE, _SMALL_SIDE), Image.Resampling.NEAREST).save(data, "JPEG")
    return data.getvalue()
