"""The other door: two files whose contents are known, compared closely.

What a comparison says is remembered by content, so nothing counts but the very bytes that were
fingerprinted: each file is digested again before it is looked at.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from catalog import dihedral
from catalog.imaging import formats, limits
from catalog.imaging.decode import look
from catalog.imaging.failing import explain, one_line
from catalog.imaging.reading import OPEN_FLAGS, digest_of
from catalog.imaging.source import Source, open_source
from catalog.model import Comparison, Failure, Reason, Stamp

_KEPT = 32  # pictures, 200 KB each: pairs come ordered by their first
_PANEL = 480  # pixels of the longer side of each drawn picture
_GAP = 8

Edges = tuple[float, float, float, float]
Pixels = npt.NDArray[np.uint8]
Seen = TypeVar("Seen")


def compare(
    first: tuple[bytes, bytes], second: tuple[bytes, bytes], turn: int, edges: Edges
) -> Comparison | Failure:
    """Compare two files, each a path and its digest, at the window of the first that was found.

    ``turn`` (see ``dihedral``) brings the second to lie as the first does. A file that is
    not there, or not the same any more, or cannot be decoded, gives a Failure.
    """
    from catalog.imaging import comparing  # and scipy, which nothing else here needs

    one, other = seen(*first), seen(*second)
    if isinstance(one, Failure):
        return one
    if isinstance(other, Failure):
        return other
    return comparing.compare(one, turned(other, turn), edges)


def draw(
    first: tuple[bytes, bytes],
    second: tuple[bytes, bytes],
    turn: int,
    edges: Edges,
    size: tuple[int, int],
) -> bytes | Failure:
    """A PNG of three pictures: the first, the second turned as it, and what differs in the window.

    ``size`` is the width and height of the first in pixels; the drawing has its proportions. The
    window is framed in red, and differences are drawn in black on white, four times enhanced.
    """
    from catalog.imaging import comparing  # and scipy, which nothing else here needs

    one, other = seen(*first), seen(*second)
    if isinstance(one, Failure):
        return one
    if isinstance(other, Failure):
        return other
    other = turned(other, turn)
    panel = _fitting(size)
    panels = [Image.fromarray(each).resize(panel) for each in (one, other)]
    left, right, top, bottom = edges
    frame = (left * panel[0], top * panel[1], right * panel[0] - 1, bottom * panel[1] - 1)
    ImageDraw.Draw(panels[0]).rectangle(frame, outline=(255, 0, 0), width=2)
    difference = comparing.difference(one, other, edges)
    panels.append(Image.fromarray(difference).resize(panel).convert("RGB"))
    sheet = Image.new("RGB", (3 * panel[0] + 4 * _GAP, panel[1] + 2 * _GAP), "white")
    for number, each in enumerate(panels):
        sheet.paste(each, (_GAP + number * (panel[0] + _GAP), _GAP))
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _fitting(size: tuple[int, int]) -> tuple[int, int]:
    """The same proportions, the longer side PANEL pixels."""
    longest = max(size)
    width, height = (max(1, round(side * _PANEL / longest)) for side in size)
    return width, height


def turned(pixels: Pixels, turn: int) -> Pixels:
    """An RGB square (n, n, 3), turned."""
    channels = dihedral.turned(np.moveaxis(pixels, -1, 0), turn)
    return np.ascontiguousarray(np.moveaxis(channels, 0, -1))


def seen(path: bytes, digest: bytes) -> Pixels | Failure:
    """The picture, squeezed to (SIDE, SIDE, 3) RGB."""
    try:
        return _pixels(path, digest)
    except _Failed as failed:  # which no cache remembers
        return failed.failure


class _Failed(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


@lru_cache(maxsize=_KEPT)
def _pixels(path: bytes, digest: bytes) -> Pixels:
    found = _looked_at(path, digest)
    if isinstance(found, Failure):
        raise _Failed(found)
    return found


def _looked_at(path: bytes, digest: bytes) -> Pixels | Failure:
    found = opened(path, digest, look)
    if isinstance(found, Failure):
        return found
    picture, _ = found
    from catalog.imaging.overlay import SIDE

    small = picture.image.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=picture.extent)
    return np.asarray(small)


def opened(
    path: bytes, digest: bytes, decoder: Callable[[Source], Seen | Failure]
) -> tuple[Seen, os.stat_result] | Failure:
    """What ``decoder`` makes of the file, if it holds the bytes of ``digest``; and its status."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return Failure(Reason.NOT_REGULAR, "not a file any more")
        descriptor = os.open(path, OPEN_FLAGS)
    except OSError as error:
        return Failure(Reason.UNREADABLE, one_line(error.strerror or "cannot be opened"))
    try:
        before = os.fstat(descriptor)
        size = before.st_size
        if size > limits.FILE_BYTES:
            return Failure(Reason.TOO_LARGE, f"a file of {size >> 20} MiB")
        source = open_source(descriptor, size, formats.suffix_of(path))
        if digest_of(source) != digest:
            return Failure(Reason.UNSTABLE, "it changed since it was indexed")
        picture = decoder(source)
        if Stamp.of(os.fstat(descriptor)) != Stamp.of(before):  # a large one is read twice
            return Failure(Reason.UNSTABLE, "it changes while it is read")
    except MemoryError as error:
        return explain(error)
    except OSError as error:
        return Failure(Reason.UNREADABLE, one_line(error.strerror or "input/output error"))
    finally:
        os.close(descriptor)
    return picture if isinstance(picture, Failure) else (picture, before)
