"""The trees that are measured: camera photos made out of real ones, and very many tiny files.

A tree that is there is used again: its name says how it was made, and it gets that name only
when it is complete.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import multiprocessing
import os
import random
import shutil
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from PIL import Image

from benchmarks.measuring import BenchError, cores, say

# What phones and compact cameras of 9 to 12 megapixels write.
_FEWEST_PIXELS: Final = 9_000_000
_MOST_PIXELS: Final = 13_500_000
_FEWEST_BYTES: Final = 2_000_000
_QUALITIES: Final = (90, 92, 94, 96)
_SETTLED: Final = 3.0  # seconds after which a new file is not racy to imgcat any more

_TINY_SIDE: Final = 16  # pixels
_HALVES: Final = ("first", "second")

Source = tuple[str, int]  # path, JPEG quality


def camera_tree(work: str, photos: str, count: int) -> str:
    """``count`` distinct camera JPEGs out of the real ones below ``photos``; returns the folder.

    Every file is another crop of one of them, some mirrored, of at least 9 megapixels,
    written by libjpeg as baseline 4:2:0 with the standard tables and the camera's own EXIF,
    at the least quality of 90 to 96 that makes it 2 MB (the photos were compressed once
    before, and compress better the second time). Raises BenchError without such photos.
    """
    return made_once(work, f"camera-1-{count}", lambda new: _make_camera_tree(new, photos, count))


def tiny_tree(work: str, files: int, folders: int) -> str:
    """``files`` distinct PNGs of 16 x 16 grey pixels in ``folders`` folders; returns the top.

    The folders lie below two, so that each half can be indexed alone.
    """
    return made_once(
        work, f"tiny-1-{files}-{folders}", lambda new: _make_tiny_tree(new, files, folders)
    )


def first_half(tree: str) -> str:
    """The first half of a tiny tree."""
    return os.path.join(tree, _HALVES[0])


def some_of(tree: str, count: int, into: str) -> str:
    """Copies of ``count`` files of a flat tree, evenly spread, in the new folder ``into``."""
    names = sorted(os.listdir(tree))
    os.mkdir(into)
    for number in range(count):
        name = names[number * len(names) // count]
        shutil.copy2(os.path.join(tree, name), into)
    return into


def a_camera_photo(photos: str) -> str | None:
    """One of the camera JPEGs below ``photos``; None where there is none."""
    return next(iter(camera_photos(photos, 1)), None)


def camera_photos(photos: str, most: int) -> list[str]:
    """The first so many of the camera JPEGs below ``photos``."""
    every = sorted(files_below(photos))
    names = (path for path in every if path.lower().endswith((".jpg", ".jpeg")))
    return list(itertools.islice(filter(_is_camera_photo, names), most))


def files_below(tree: str) -> Iterator[str]:
    """Every file of a tree."""
    for folder, _, names in os.walk(tree):
        for name in names:
            yield os.path.join(folder, name)


def warm(tree: str) -> int:
    """Read every file, so that all sides find them in the page cache; returns the bytes."""
    total = 0
    for path in files_below(tree):
        with open(path, "rb") as file:
            total += len(file.read())
    return total


def made_once(work: str, name: str, make: Callable[[str], None]) -> str:
    """The folder ``name`` in ``work``, complete: ``make`` filled it, now or at an earlier time."""
    path = os.path.join(work, name)
    if os.path.isdir(path):
        say(f"using {name} again")
        return path
    unfinished = f"{path}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    os.makedirs(unfinished)
    begun = time.perf_counter()
    say(f"making {name}")
    make(unfinished)
    os.rename(unfinished, path)
    say(f"made {name} in {time.perf_counter() - begun:.0f} s")
    return path


# -- camera photos -------------------------------------------------------------------------------


def _make_camera_tree(folder: str, photos: str, count: int) -> None:
    sources = _camera_sources(photos)
    if not sources:
        raise BenchError(
            f"there are no camera JPEGs of 9 to 13 megapixels below {photos}: "
            "name a folder that has some with --photos"
        )
    tasks = [
        (folder, source, range(number, count, len(sources)))
        for number, source in enumerate(sources)
    ]
    context = multiprocessing.get_context("spawn")
    with context.Pool(cores()) as pool:
        for _ in pool.imap_unordered(_write_variants, tasks):
            pass
    time.sleep(_SETTLED)


def _camera_sources(photos: str) -> list[Source]:
    """The usable photos, each with the quality at which its variants are as large as it was."""
    found = []
    for path in sorted(files_below(photos)):
        if path.lower().endswith((".jpg", ".jpeg")) and _is_camera_photo(path):
            quality = _quality_of(path)
            if quality is not None:
                found.append((path, quality))
    return found


def _is_camera_photo(path: str) -> bool:
    with contextlib.suppress(OSError, Image.DecompressionBombError), Image.open(path) as image:
        width, height = image.size
        large_enough = _FEWEST_PIXELS <= width * height <= _MOST_PIXELS
        return image.format == "JPEG" and large_enough and "exif" in image.info
    return False


def _quality_of(path: str) -> int | None:
    """The least quality at which the first variant is of camera size; None where none is."""
    try:
        with Image.open(path) as image:
            image.load()
            for quality in _QUALITIES:
                if len(_variant(image, 0, quality)) >= _FEWEST_BYTES:
                    return quality
    except OSError:
        pass  # one of the broken files of a test set
    return None


def _write_variants(task: tuple[str, Source, Sequence[int]]) -> None:
    folder, (path, quality), numbers = task
    with Image.open(path) as image:
        image.load()
        for number in numbers:
            with open(os.path.join(folder, f"IMG_{number:05}.JPG"), "xb") as file:
                file.write(_variant(image, number, quality))


def _variant(image: Image.Image, number: int, quality: int) -> bytes:
    """Another picture for every ``number``: a crop at a random place, every second one mirrored."""
    width, height = image.size
    kept = max(0.9, (_FEWEST_PIXELS / (width * height)) ** 0.5)
    size = round(width * kept), round(height * kept)
    chance = random.Random(number)
    left, top = chance.randint(0, width - size[0]), chance.randint(0, height - size[1])
    crop = image.crop((left, top, left + size[0], top + size[1]))
    if chance.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    data = io.BytesIO()
    crop.save(data, "JPEG", quality=quality, subsampling="4:2:0", exif=image.info["exif"])
    return data.getvalue()


# -- tiny files ----------------------------------------------------------------------------------


def _make_tiny_tree(top: str, files: int, folders: int) -> None:
    for folder in range(folders):
        half = _HALVES[folder * len(_HALVES) // folders]
        path = os.path.join(top, half, f"folder-{folder:05}")
        os.makedirs(path)
        for number in range(files * folder // folders, files * (folder + 1) // folders):
            with open(os.path.join(path, f"IMG_{number:07}.png"), "xb") as file:
                file.write(tiny_png(number))
    time.sleep(_SETTLED)


def tiny_png(number: int) -> bytes:
    """A grey PNG of noise, another one for every ``number``."""
    pixels = random.Random(number).randbytes(_TINY_SIDE**2)
    rows = (pixels[start : start + _TINY_SIDE] for start in range(0, len(pixels), _TINY_SIDE))
    lines = b"".join(b"\0" + row for row in rows)  # each begins with its filter: none
    header = struct.pack(">IIBBBBB", _TINY_SIDE, _TINY_SIDE, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(lines, 0)), _chunk(b"IEND", b""))
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)
