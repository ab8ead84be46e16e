"""The last look at two files before one of them is given up: all of both is decoded.

A fingerprint and a closer look may be content with an eighth of the pixels. Here each byte goes
through the decoder, so that a file which is damaged anywhere fails, and what is finer than a
comparison at SIDE pixels can be looked for.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from catalog.imaging import decode, hashes
from catalog.imaging.failing import one_line
from catalog.imaging.looking import opened
from catalog.imaging.overlay import SIDE
from catalog.imaging.picture import Pixels
from catalog.model import Failure, Reason, Stamp

FINE: Final = 1024  # pixels; the square in which fine detail is looked for
CLOSE: Final = 700  # pixels; what is seen of the middle as it is, no pixel made smaller
_KEPT: Final = 4  # pictures, 1.7 MB each: pairs come ordered by the one that is kept
_GAP: Final = 3.0  # Pillow's reducing_gap: nearly Lanczos, in a fraction of its time


@dataclass(frozen=True, slots=True)
class Whole:
    """A file of which every pixel was decoded. Sizes are upright."""

    file: tuple[int, int]  # device and inode
    mtime_ns: int
    size: int  # bytes
    format: str
    width: int
    height: int
    frames: int
    taken_at: str | None
    camera: str | None
    located: bool
    deep: bool  # 16 bits a colour
    see_through: bool
    flat: bool
    signature: bytes
    square: npt.NDArray[np.uint8]  # (SIDE, SIDE, 3) RGB
    fine: npt.NDArray[np.uint8]  # (FINE, FINE) grey
    close: npt.NDArray[np.uint8]  # grey of the middle, at most CLOSE pixels a side


def whole(path: bytes, digest: bytes) -> Whole | Failure:
    """The file, if it holds the bytes of ``digest`` and all of it can be decoded.

    One that was seen a moment ago is not read again while its stamp is the same.
    """
    try:
        status = os.lstat(path)
    except OSError as error:
        return Failure(Reason.UNREADABLE, one_line(error.strerror or "cannot be opened"))
    try:
        return _seen(path, digest, Stamp.of(status), status.st_dev)
    except _Failed as failed:  # which no cache remembers
        return failed.failure


class _Failed(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


@lru_cache(maxsize=_KEPT)
def _seen(path: bytes, digest: bytes, stamp: Stamp, device: int) -> Whole:
    found = opened(path, digest, decode.whole)
    if isinstance(found, Failure):
        raise _Failed(found)
    picture, status = found
    if (Stamp.of(status), status.st_dev) != (stamp, device) or not _leads_to(path, status):
        raise _Failed(Failure(Reason.UNSTABLE, "it changes while it is read"))
    square, fine = _reduced(picture.pixels)
    signature = hashes.signature_of(Pixels(fine, (0, 0, FINE, FINE)))
    return Whole(
        file=(status.st_dev, status.st_ino),
        mtime_ns=stamp.mtime_ns,
        size=stamp.size,
        format=picture.format,
        width=picture.width,
        height=picture.height,
        frames=picture.frames,
        taken_at=picture.facts.taken_at,
        camera=picture.facts.camera,
        located=picture.facts.located,
        deep=picture.deep,
        see_through=picture.pixels.see_through,
        flat=hashes.is_flat(signature),
        signature=signature.tobytes(),
        square=np.asarray(square),
        fine=np.asarray(fine),
        close=_middle(picture.pixels),
    )


def _leads_to(path: bytes, status: os.stat_result) -> bool:
    try:
        now = os.lstat(path)
    except OSError:
        return False
    return (Stamp.of(now), now.st_dev) == (Stamp.of(status), status.st_dev)


def _middle(pixels: Pixels) -> npt.NDArray[np.uint8]:
    left, top, right, bottom = map(round, pixels.extent)
    width, height = min(CLOSE, right - left), min(CLOSE, bottom - top)
    left += (right - left - width) // 2
    top += (bottom - top - height) // 2
    return np.asarray(pixels.image.crop((left, top, left + width, top + height)).convert("L"))


def _reduced(pixels: Pixels) -> tuple[Image.Image, Image.Image]:
    """RGB of SIDE x SIDE, and grey of FINE x FINE."""
    large = pixels.image.resize(
        (FINE, FINE), Image.Resampling.LANCZOS, box=pixels.extent, reducing_gap=_GAP
    )
    return large.resize((SIDE, SIDE), Image.Resampling.LANCZOS), large.convert("L")
