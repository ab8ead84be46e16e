"""What one look at a file gives: its stamp, and a fingerprint, or why there is none."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

HASH_BITS = 64
SIGNATURE_SIDE = 32  # a signature is SIGNATURE_SIDE x SIGNATURE_SIDE bytes of grey, row by row


def signed64(value: int) -> int:
    """``value`` wrapped into the 64 signed bits that SQLite stores.

    Inode numbers use the top bit on some file systems, and times beyond the year 2262
    (a camera's broken clock, or mischief) do not fit. Only equality is asked of them.
    """
    return value if -(2**63) <= value < 2**63 else (value + 2**63) % 2**64 - 2**63


class Stamp(NamedTuple):
    """What ``lstat`` says of a file, as far as it tells whether the bytes may have changed.

    The device number is not part of it: it changes when a drive is plugged in again.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """The stamp of a file with this status."""
        return cls(
            status.st_size,
            signed64(status.st_mtime_ns),
            signed64(status.st_ctime_ns),
            signed64(status.st_ino),
        )

    def anonymous(self) -> Stamp:
        """The stamp as kept where the file system numbers its files anew at each mount."""
        return self._replace(ctime_ns=0, inode=0)

    def agrees_with(self, stored: Stamp) -> bool:
        """Whether a file with this stamp is still as it was when ``stored`` was kept."""
        return (self if stored.inode else self.anonymous()) == stored

    def agrees_but_for_ctime(self, stored: Stamp) -> bool:
        """The same without the time of change, which a new name of the file is enough to move."""
        return self._replace(ctime_ns=stored.ctime_ns).agrees_with(stored)


class HashKind(StrEnum):
    """The 64-bit hashes a picture can be compared by; the names are those of ImageHash."""

    PHASH = "phash"
    DHASH = "dhash"
    AHASH = "ahash"
    WHASH = "whash"


class Recipe(StrEnum):
    """Which pixels the hashes were made of.

    Hashes of different recipes differ by a bit or two, so each content says which one
    made it. The number at the end rises whenever the pixels of that recipe change.
    """

    REDUCED = "reduced-1"  # decoded at the smallest scale that is enough
    FULL = "full-1"  # ImageHash's own values on full-size, upright pixels


class Reason(StrEnum):
    """Why a file has no fingerprint."""

    UNSUPPORTED = "unsupported"  # no picture, or no format we read
    NEEDS_EXTRA = "needs an extra"  # a format that an optional package would read
    TRUNCATED = "truncated"  # the end is missing
    DAMAGED = "damaged"  # the decoder gave up on it
    TOO_LARGE = "too large"  # beyond the limits of imaging.limits
    CRASHED = "crashed the decoder"  # took its process down, twice
    TIMED_OUT = "took too long"  # and was stopped, twice
    UNREADABLE = "cannot be read"  # permission or I/O: the disk's fault, not the file's
    UNSTABLE = "keeps changing"  # it changed each time it was read
    NOT_REGULAR = "not a regular file"  # pipe, socket, device, link
    VANISHED = "vanished"  # gone between listing and reading: no problem at all
    NOT_A_PICTURE = "not a picture"  # and its name does not say it is: no problem either

    @property
    def passing(self) -> bool:
        """Whether the next look may well succeed although the stamps are the same."""
        return self in (Reason.UNREADABLE, Reason.UNSTABLE, Reason.VANISHED)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """All that one decode gives: what the bytes of a picture are, whatever its name."""

    digest: bytes  # BLAKE3 of all bytes, 32 long: the identity of the content
    size: int  # bytes
    format: str  # as Pillow names it: "JPEG", "HEIF", ...
    width: int  # pixels, upright (EXIF orientation applied)
    height: int
    orientation: int  # 1-8, as written in the file's EXIF; 1 where it says nothing
    taken_at: str | None  # ISO 8601 from EXIF, with sub-seconds and offset where given
    camera: str | None  # "Make Model" from EXIF
    phash: int
    dhash: int
    ahash: int
    signature: bytes  # SIGNATURE_SIDE**2 grey values of the upright picture
    flat: bool  # too little contrast to be evidence of anything
    frames: int  # 1, or more for animations, pages, and pictures with a video appended
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class SameBytes:
    """The file was read again and holds the bytes it held before: nothing was decoded."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """A file without a fingerprint. It is counted and shown, and never matches anything."""

    reason: Reason
    detail: str = ""  # one line, for a person


Outcome: TypeAlias = Fingerprint | SameBytes | Failure


@dataclass(frozen=True, slots=True)
class Reading:
    """One file, read once between two equal stamps.

    ``stamp`` is the one seen before the first byte was read; None when there was none to see.
    ``begun_ns`` is the clock before the file was opened: what changed shortly before it may
    have changed shortly after it under the same stamp.
    """

    stamp: Stamp | None
    begun_ns: int
    outcome: Outcome
