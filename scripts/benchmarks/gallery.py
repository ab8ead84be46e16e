"""Photos for a person to decide about: each another picture, and each with one copy.

No camera took them: every one is put together of pieces of real photos, so that no two are one
picture, and yet each is read, drawn and compared as camera photos are.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
from collections.abc import Sequence
from typing import Final

from PIL import Image

from benchmarks import trees
from benchmarks.measuring import cores
from benchmarks.trees import made_once

_ACROSS, _DOWN = 4, 3
_MOST_SOURCES: Final = 12  # photos that a process holds, of 36 MB each
_QUALITY: Final = 90
_SENT_QUALITY: Final = 80


def gallery(work: str, photos: str, count: int, side: int) -> str:
    """``count`` photos of ``4 * side`` by ``3 * side`` pixels, with a copy each; their folder.

    In ``originals`` are the photos; in ``copies`` every second one as it is, and the others half
    as wide and high, as messengers send them. Of noise, where no camera photo is below ``photos``.
    """
    name = f"gallery-1-{count}-{side}"
    return made_once(work, name, lambda new: _make(new, photos, count, side))


def linked(tree: str, into: str) -> None:
    """The same files under further names, so that those of the tree outlive all that is done."""
    for path in trees.files_below(tree):
        name = os.path.join(into, os.path.relpath(path, tree))
        os.makedirs(os.path.dirname(name), exist_ok=True)
        os.link(path, name)


def _make(top: str, photos: str, count: int, side: int) -> None:
    for folder in ("originals", "copies"):
        os.mkdir(os.path.join(top, folder))
    sources = trees.camera_photos(photos, _MOST_SOURCES)
    parts = [range(first, count, cores()) for first in range(cores())]
    with multiprocessing.get_context("spawn").Pool(cores()) as pool:
        pool.starmap(_write, [(top, sources, numbers, side) for numbers in parts])


def _write(top: str, sources: Sequence[str], numbers: Sequence[int], side: int) -> None:
    wholes = [_whole(path, side) for path in sources] or [_noise(side)]
    for number in numbers:
        picture, exif = _picture(wholes, random.Random(number), side)
        original = os.path.join(top, "originals", f"IMG_{number:05}.JPG")
        copy = os.path.join(top, "copies", f"IMG-WA{number:05}.jpg")
        picture.save(original, "JPEG", quality=_QUALITY, exif=exif)
        if number % 2:
            picture.reduce(2).save(copy, "JPEG", quality=_SENT_QUALITY)
        else:
            shutil.copyfile(original, copy)


def _whole(path: str, side: int) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        whole = image.convert("RGB")
        whole.info["exif"] = image.info["exif"]
    return whole if min(whole.size) > side else _noise(side)


def _noise(side: int) -> Image.Image:
    noise = Image.effect_noise((16, 12), 120).resize((_ACROSS * side, _DOWN * side))
    return noise.convert("RGB")


def _picture(
    wholes: Sequence[Image.Image], chance: random.Random, side: int
) -> tuple[Image.Image, bytes]:
    """A picture of pieces of others, with the EXIF block of one of them."""
    picture = Image.new("RGB", (_ACROSS * side, _DOWN * side))
    for place in range(_ACROSS * _DOWN):
        whole = chance.choice(wholes)
        left, top = (chance.randrange(length - side) for length in whole.size)
        piece = whole.crop((left, top, left + side, top + side))
        piece = piece.transpose(chance.choice(list(Image.Transpose)))
        picture.paste(piece, (place % _ACROSS * side, place // _ACROSS * side))
    exif: bytes = chance.choice(wholes).info.get("exif", b"")
    return picture, exif
