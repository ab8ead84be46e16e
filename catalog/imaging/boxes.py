"""Files made of length-prefixed chunks: are they whole, and how many pictures do they hold.

Asked before the decoder is, because decoders differ in what they make of a missing end.
"""

from __future__ import annotations

from collections.abc import Iterator

from catalog.imaging import limits
from catalog.imaging.source import Source

_MOST_BOXES = 1_000
_KNOWN = frozenset(b"ftyp meta mdat moov free skip uuid idat mpvd wide jxlc jxlp".split())


def top_level(source: Source) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of ISO 14496-12 on the top level: (type, offset, size); 0-size means the rest."""
    offset = 0
    for _ in range(_MOST_BOXES):
        head = source.at(offset, 16)
        if len(head) < 8:
            return
        size, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        elif size == 0:
            size = source.size - offset
        if size < 8:
            return
        yield kind, offset, size
        offset += size


def is_cut_short(source: Source) -> bool:
    """Whether a box that matters ends beyond the end of the file."""
    return any(
        kind in _KNOWN and offset + size > source.size for kind, offset, size in top_level(source)
    )


def has_video(source: Source) -> bool:
    """Whether a motion photo's video stands beside the picture."""
    return any(kind == b"mpvd" for kind, _, _ in top_level(source))


def riff_is_cut_short(source: Source) -> bool:
    """Whether a RIFF file (WebP) is shorter than it says."""
    return int.from_bytes(source.at(4, 4), "little") + 8 > source.size


def gif_frames(source: Source) -> int:
    """How many pictures a GIF holds; counting stops at limits.FRAMES, and at any damage."""
    data = source.whole if source.whole is not None else source.at(0, limits.WHOLE_BYTES)
    position = 13 + _colours(data, 10)
    frames = 0
    while frames < limits.FRAMES and position < len(data):
        block = data[position]
        if block == 0x2C:  # an image: 9 bytes, its colours, its code size, its data
            frames += 1
            position += 11 + _colours(data, position + 9)
        elif block == 0x21:  # an extension: its label, its data
            position += 2
        else:
            break
        while position < len(data) and data[position]:
            position += data[position] + 1
        position += 1
    return max(1, frames)


def _colours(data: bytes, flags_at: int) -> int:
    """Bytes of the colour table that the flags announce."""
    flags = data[flags_at] if flags_at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
