"""JPEG: decoded no larger than needed, and checked for being whole."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image
from PIL.ImageFile import ImageFile

from catalog.imaging import exif, limits
from catalog.imaging.embedded import count_frames
from catalog.imaging.failing import Undecodable
from catalog.imaging.orientation import upright_size
from catalog.imaging.picture import ENOUGH, Close, Picture, Shown, Wanted, pixels_of
from catalog.imaging.progressive import dc_only
from catalog.imaging.source import Source
from catalog.model import Reason, Recipe

_SMALLEST = 8  # the most that libjpeg divides both sides by
_LARGE = 1024  # pixels of the short side from which an eighth is enough
_PIECE = 4 << 20  # bytes handed to libjpeg at once where the file is not in memory

_SOS, _EOI, _APP1, _APP2 = 0xDA, 0xD9, 0xE1, 0xE2
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0-15 without DHT, JPG, DAC
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MPF = b"MPF\0"
_MOST_SEGMENTS = 4_000
_MOST_HEADER = 16 << 20  # bytes looked at where the file is not in memory
_MOST_JUNK = 4096  # bytes between segments; Pillow walks them one by one
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")  # one that begins a segment, or EOI


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the first scan."""

    width: int
    height: int
    components: int
    samples: float  # stored values per pixel: 3 without chroma subsampling, 1.5 with 4:2:0
    progressive: bool
    interleaved: bool  # the first scan holds all components
    exif: bytes
    xmp: bytes
    mpf: bytes
    mpf_offset: int  # where ``mpf`` begins in the file: its offsets count from there
    first_scan: int  # offset of the first SOS marker


def decode(source: Source, wanted: Wanted) -> Picture:
    """Decode a JPEG. Raises Undecodable, and whatever Pillow raises."""
    header = read_header(source)
    scale = _scale(header, wanted)
    _check(header, scale)
    facts = exif.from_block(header.exif, header.xmp)
    orientation = facts.orientation or 1
    file, size = _what_to_decode(source, header, scale)
    with Image.open(file, formats=("JPEG",)) as image:
        assert isinstance(image, ImageFile)
        name = image.format or "JPEG"
        if image.size != (header.width, header.height):
            raise Undecodable(Reason.DAMAGED, "two headers that contradict each other")
        image.draft(
            "L" if wanted is Recipe.REDUCED else None,
            (header.width // scale, header.height // scale),
        )
        image.decodermaxblock = size
        image.load()
        extent = header.width / scale, header.height / scale
        pixels = pixels_of(image, orientation, wanted, extent, scale)
    width, height = upright_size((header.width, header.height), orientation)
    frames = count_frames(source, header.mpf, header.mpf_offset, header.xmp)
    return Picture(pixels, name, width, height, facts, frames)


def _what_to_decode(source: Source, header: Header, scale: int) -> tuple[BinaryIO, int]:
    """The file to decode, and how many bytes of it to hand over at once."""
    if source.whole is None:
        return source.rewound(), _PIECE
    if header.progressive and scale == _SMALLEST:
        shorter = dc_only(source.whole, header.first_scan)
        if shorter is not None:
            return io.BytesIO(shorter), len(shorter)
    return source.rewound(), source.size  # one read, which copies nothing


def _scale(header: Header, wanted: Wanted) -> int:
    """What libjpeg divides both sides by: 1, 2, 4 or 8.

    The full recipe decodes whole, in colour, as ImageHash's user would; beyond what may be
    held, at the largest scale that may. A closer look keeps ENOUGH pixels; one at the whole all of
    them, or there is none. What is shown has no fewer pixels than that, if they may be held.
    """
    if wanted is Close.WHOLE:
        return 1
    if wanted is Recipe.FULL:
        return _largest_held(header)
    if isinstance(wanted, Shown):
        size = header.width, header.height
        longest = max(wanted.fitting(size))
        enough = next((s for s in (_SMALLEST, 4, 2) if max(size) >= s * longest), 1)
        return max(enough, _largest_held(header))
    short = min(header.width, header.height)
    if wanted is Recipe.REDUCED and short >= _LARGE:
        return _SMALLEST
    return next((s for s in (_SMALLEST, 4, 2) if short >= s * ENOUGH), 1)


def _largest_held(header: Header) -> int:
    fits = (s for s in (1, 2, 4) if _decoded(header, s) <= limits.DECODED_BYTES)
    fits = (s for s in fits if _working(header, s) <= limits.WORKING_BYTES)
    return next(fits, _SMALLEST)


def read_header(source: Source) -> Header:
    """Walk the segments up to the first scan. Raises Undecodable."""
    head = source.whole if source.whole is not None else source.at(0, _MOST_HEADER)
    found: dict[str, tuple[int, bytes]] = {}
    frame: tuple[int, bytes] | None = None
    for marker, offset, body in segments(head, 2):
        if marker in _FRAMES and frame is None:
            frame = (marker, body)
        elif marker == _APP1 and body.startswith(_EXIF):
            found.setdefault("exif", (offset, body))
        elif marker == _APP1 and body.startswith(_XMP):
            found.setdefault("xmp", (offset, body[len(_XMP) :]))
        elif marker == _APP2 and body.startswith(_MPF):
            found.setdefault("mpf", (offset + len(_MPF), body[len(_MPF) :]))
        elif marker == _SOS:
            if frame is None:
                raise Undecodable(Reason.DAMAGED, "a scan without a frame")
            return _header(frame, found, offset - 4, body[:1])
    ended = len(head) < source.size or head.rstrip(b"\0").endswith(b"\xff\xd9")
    raise Undecodable(
        Reason.DAMAGED if ended else Reason.TRUNCATED, "no picture data after the header"
    )


def segments(data: bytes, position: int) -> Iterator[tuple[int, int, bytes]]:
    """The marker segments from ``position`` on: (marker, offset of the body, body).

    Ends at SOS (given), at EOI, and where no segment follows that makes sense.
    """
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(data, position, position + _MOST_JUNK)
        if found is None or found.start() + 4 > len(data):
            return
        position = found.start()
        marker = data[position + 1]
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _EOI or length < 2:
            return
        end = position + 2 + length
        yield marker, position + 4, data[position + 4 : end]
        if marker == _SOS:
            return
        position = end


def _header(
    frame: tuple[int, bytes], found: dict[str, tuple[int, bytes]], scan: int, first: bytes
) -> Header:
    marker, body = frame
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise Undecodable(Reason.DAMAGED, "the frame header is too short")
    if body[0] != 8:
        raise Undecodable(Reason.UNSUPPORTED, f"JPEG of {body[0]} bits per sample")
    sampling = [(code >> 4) * (code & 15) for code in body[7 : 6 + 3 * body[5] : 3]]
    mpf_offset, mpf = found.get("mpf", (0, b""))
    return Header(
        width=int.from_bytes(body[3:5], "big"),
        height=int.from_bytes(body[1:3], "big"),
        components=body[5],
        samples=sum(sampling) / max(1, max(sampling, default=1)),
        progressive=marker in _PROGRESSIVE,
        interleaved=first == body[5:6],
        exif=found.get("exif", (0, b""))[1],
        xmp=found.get("xmp", (0, b""))[1],
        mpf=mpf,
        mpf_offset=mpf_offset,
        first_scan=scan,
    )


def _check(header: Header, scale: int) -> None:
    """Refuse what would take too much memory. Raises Undecodable."""
    limits.check_pixels(header.width, header.height, limits.JPEG_PIXELS)
    limits.check_decoded(_decoded(header, scale))
    limits.check_working(_working(header, scale))


def _decoded(header: Header, scale: int) -> int:
    """Bytes of the decoded pixels, four for each pixel in colour."""
    held = 1 if header.components == 1 else 4
    return header.width * header.height * held // scale**2


def _working(header: Header, scale: int) -> int:
    """Bytes held at the peak: where scans hold parts of blocks, libjpeg keeps all of them."""
    pixels = header.width * header.height
    in_parts = header.progressive or not header.interleaved
    coefficients = int(pixels * header.samples * 2) if in_parts else 0
    return coefficients + _decoded(header, scale) * 5 // 4
