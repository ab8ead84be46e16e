"""What else a JPEG file holds besides its picture: further pictures, a video.

A file with more in it than the picture seen must never be given up for one that shows the
same picture only. Sources: CIPA DC-007 (multi-picture format), the Motion Photo format of
Android, and files of phones that follow neither.
"""

from __future__ import annotations

import re
import struct

from catalog.imaging import limits, tiff
from catalog.imaging.source import Source

_ENTRIES = 0xB002  # MPEntry: 16 bytes a picture
_ENTRY_BYTES = 16
_TYPE = 0x00FFFFFF  # of the attribute
_PREVIEWS = frozenset((0x010001, 0x010002))  # the same picture, smaller
_GAIN_MAP = re.compile(rb"hdrgm:|hdrgainmap|HDRGainMap|urn:iso:std:iso:ts:21496")
_GAIN_MAP_HEAD = 16_384  # bytes of the further picture looked at
_MOTION = re.compile(rb"""(?:MotionPhoto|MicroVideo)\s*(?:=\s*["']|>)\s*1""")
_VIDEO = re.compile(rb"\x00\x00\x00.ftyp(?:mp4|isom|iso|avc|qt  |M4V|MSNV|3gp|hvc)", re.DOTALL)
_EOI = b"\xff\xd9"
_TAIL = 64  # bytes at the end in which a file without anything appended has its EOI
_SEARCHED = 16 << 20  # bytes from the end searched for a video where the file is not in memory


def count_frames(source: Source, mpf: bytes, mpf_offset: int, xmp: bytes) -> int:
    """1 for a plain photo; more for further pictures and for a video appended."""
    return min(
        limits.FRAMES,
        1 + _further_pictures(source, mpf, mpf_offset) + _has_video(source, xmp),
    )


def _further_pictures(source: Source, mpf: bytes, mpf_offset: int) -> int:
    """Pictures beside the first; its own previews and gain maps (HDR) are not counted."""
    structure = tiff.open_tiff(tiff.in_memory(mpf)) if mpf else None
    index = structure and structure.directory(structure.first)
    if not structure or not index:
        return 0
    entries = index.raw(_ENTRIES)
    whole = len(entries) // _ENTRY_BYTES * _ENTRY_BYTES
    count = 0
    for number, (attribute, size, offset, _, _) in enumerate(
        struct.iter_unpack(structure.order + "IIIHH", entries[:whole])
    ):
        if number == 0 or attribute & _TYPE in _PREVIEWS or not size:
            continue
        head = source.at(mpf_offset + offset, _GAIN_MAP_HEAD)
        if head.startswith(b"\xff\xd8") and not _GAIN_MAP.search(head):
            count += 1
    return count


def _has_video(source: Source, xmp: bytes) -> bool:
    """Whether a video is said to be appended, or is found behind the picture."""
    if _MOTION.search(xmp):
        return True
    if source.at(max(0, source.size - _TAIL), _TAIL).rstrip(b"\0\n\r ").endswith(_EOI):
        return False  # nothing is appended, so nothing is searched
    if source.whole is not None:
        return _VIDEO.search(source.whole) is not None
    return _VIDEO.search(source.at(max(0, source.size - _SEARCHED), _SEARCHED)) is not None
