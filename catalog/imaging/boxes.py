"""Files made of length-prefixed chunks: are they whole, and how many pictures do they hold.

Asked before the decoder is, because decoders differ in what they make of a missing end.
"""

from __future__ import annotations

from collections.abc import Iterator

from catalog.imaging import limits
from catalog.imaging.source import Source

_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B  # of GIF
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
    """How many pictures a GIF holds; counting stops at limits.FRAMES.

    Bytes that are no block where one should begin count as one more: decoders look behind
    them and may find a picture.
    """
    data = source.whole if source.whole is not None else source.at(0, limits.WHOLE_BYTES)
    position = 13 + _colours(data, 10)
    frames = 0
    in_data = False  # inside a block's data, which comes in pieces of up to 255 bytes
    for _ in range(limits.BLOCKS):
        if position >= len(data) or frames >= limits.FRAMES:
            break
        byte = data[position]
        if in_data:
            position += byte + 1
            in_data = byte > 0
        elif byte == _IMAGE:  # 9 bytes, its colours, its code size, its data
            frames += 1
            position += 11 + _colours(data, position + 9)
            in_data = True
        elif byte == _EXTENSION:  # its label, its data
            position += 2
            in_data = True
        else:
            frames += byte != _TRAILER
            break
    return max(1, frames)


def _colours(data: bytes, flags_at: int) -> int:
    """Bytes of the colour table that the flags announce."""
    flags = data[flags_at] if flags_at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
