"""JPEG XL, an extra. Its plugin decodes all pixels on opening, so the size is read here first.

Source of the layout: ISO/IEC 18181-1, SizeHeader, and 18181-2 for the boxes around it.
"""

from __future__ import annotations

from PIL import Image

from catalog.imaging import boxes, limits
from catalog.imaging.failing import Undecodable
from catalog.imaging.source import Source
from catalog.model import Reason

_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_BITS = (9, 13, 18, 30)
_SIGNATURE = b"\xff\x0a"


class _Bits:
    """Reads a codestream, least significant bit first."""

    def __init__(self, data: bytes) -> None:
        self._rest = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self._rest & ((1 << count) - 1)
        self._rest >>= count
        return value


def available() -> bool:
    """Whether the plugin is installed; importing it tells Pillow about it."""
    try:
        from pillow_jxl import JpegXLImagePlugin
    except ImportError:
        return False
    JpegXLImagePlugin.DECODE_THREADS = 0  # a worker is one process of several
    return True


def check(source: Source) -> None:
    """Refuse what cannot be decoded, before it is. Raises Undecodable."""
    if not available():
        raise Undecodable(Reason.NEEDS_EXTRA, "JPEG XL; install imgcat with the extra jxl")
    stream = _codestream(source)
    if not stream.startswith(_SIGNATURE):
        raise Undecodable(Reason.DAMAGED, "no JPEG XL codestream")
    width, height = _size(_Bits(stream[2:]))
    limits.check_pixels(width, height, limits.OTHER_PIXELS)
    limits.check_decoded(width * height * 4)


def keeps_orientation(image: Image.Image) -> bool:
    """Whether the pixels lie as stored: so they do where a JPEG was packed without loss."""
    return bool(getattr(image, "jpeg", False))


def _codestream(source: Source) -> bytes:
    """The first bytes of the codestream, bare or in boxes."""
    head = source.at(0, 16)
    if head.startswith(_SIGNATURE):
        return head
    for kind, offset, size in boxes.top_level(source):
        header = 16 if source.at(offset, 4) == b"\0\0\0\1" else 8
        if kind in (b"jxlc", b"jxlp"):
            skip = header + (4 if kind == b"jxlp" else 0)
            return source.at(offset + skip, min(16, size - skip))
    return b""


def _size(bits: _Bits) -> tuple[int, int]:
    """(width, height) from a SizeHeader."""
    small = bits.take(1)
    height = (bits.take(5) + 1) * 8 if small else bits.take(_BITS[bits.take(2)]) + 1
    ratio = bits.take(3)
    if ratio:
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height
    width = (bits.take(5) + 1) * 8 if small else bits.take(_BITS[bits.take(2)]) + 1
    return width, height
