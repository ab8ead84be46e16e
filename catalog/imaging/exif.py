"""What EXIF says of a photo, as far as anything here asks: how it was held, when, with what.

Bad EXIF never fails a picture: what does not make sense is as if it were not there.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace
from datetime import datetime

from catalog.imaging import tiff

_PREFIX = b"Exif\0\0"
_WHEN = re.compile(r"(\d{4})[:\-/.](\d\d)[:\-/.](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_OFFSET = re.compile(r"[+-]\d\d:\d\d")
_XMP_ORIENTATION = re.compile(rb"""tiff:Orientation(?:\s*=\s*["']|>)\s*([1-8])""")
_CAMERA_LENGTH = 100  # characters; longer names are damage


@dataclass(frozen=True, slots=True)
class Facts:
    """What the metadata says. ``orientation`` is 1-8, None where it says nothing."""

    orientation: int | None = None
    taken_at: str | None = None
    camera: str | None = None
    located: bool = False  # it says where


NOTHING = Facts()


def from_block(block: bytes, xmp: bytes = b"") -> Facts:
    """The facts of an EXIF block as files embed it; ``xmp`` is asked where EXIF is silent."""
    while block.startswith(_PREFIX):
        block = block[len(_PREFIX) :]
    structure = tiff.open_tiff(tiff.in_memory(block))
    facts = NOTHING if structure is None else from_tiff(structure)
    if facts.orientation is None and xmp and (match := _XMP_ORIENTATION.search(xmp)):
        return replace(facts, orientation=int(match[1]))
    return facts


def from_tiff(structure: tiff.Tiff) -> Facts:
    """The facts of a TIFF structure: an EXIF block, a TIFF file, a RAW that is one inside."""
    try:
        return _facts(structure)
    except (struct.error, ValueError, OverflowError, OSError):
        return NOTHING


def _facts(structure: tiff.Tiff) -> Facts:
    main = structure.directory(structure.first)
    if main is None:
        return NOTHING
    orientation = main.integer(tiff.ORIENTATION)
    details = structure.directory(main.integer(tiff.EXIF_IFD) or 0)
    return Facts(
        orientation if orientation in range(1, 9) else None,
        None if details is None else _taken_at(details),
        _camera(main.text(tiff.MAKE), main.text(tiff.MODEL)),
        _is_located(structure, main),
    )


def _is_located(structure: tiff.Tiff, main: tiff.Directory) -> bool:
    """Whether it has a latitude: some write an empty directory of places."""
    place = structure.directory(main.integer(tiff.GPS_IFD) or 0)
    return place is not None and tiff.GPS_LATITUDE in place.entries


def _taken_at(details: tiff.Directory) -> str | None:
    """ISO 8601 with sub-seconds and offset where given; None for 0000:00:00 and the like."""
    match = _WHEN.match(details.text(tiff.DATE_TIME_ORIGINAL))
    if match is None:
        return None
    try:
        moment = datetime(*(int(part) for part in match.groups())).isoformat()  # type: ignore[arg-type]
    except ValueError:
        return None
    fraction = details.text(tiff.SUB_SEC_TIME_ORIGINAL)
    if fraction.isdecimal() and fraction.isascii():
        moment += "." + fraction[:9]
    offset = details.text(tiff.OFFSET_TIME_ORIGINAL)
    return moment + offset if _OFFSET.fullmatch(offset) else moment


def _camera(make: str, model: str) -> str | None:
    """ "Make Model", the make once: NIKON CORPORATION, NIKON D70 is NIKON D70."""
    first = make.partition(" ")[0]
    if first and model.lower().startswith(first.lower()):
        make = ""
    return f"{make} {model}".strip()[:_CAMERA_LENGTH] or None
