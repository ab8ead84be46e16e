"""Photos as the catalog holds them, and pictures as a question names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from catalog.model.readings import Stamp

# What a byte of a file is worth, beside a byte of JPEG: newer formats say more with one, and what
# is stored without loss takes many for what it was made of, mostly a JPEG.
BYTE_WORTH: Mapping[str, float] = {
    "WEBP": 1.6,
    "HEIF": 2.0,
    "AVIF": 2.2,
    "JXL": 2.0,
    "PNG": 0.5,
    "GIF": 0.35,
    "TIFF": 0.2,
    "BMP": 0.2,
    "DIB": 0.2,
}

# What cameras call their RAW formats, which are the suffixes of such files too.
RAW_FORMATS: Final = frozenset(
    "3FR ARI ARW BAY CAP CR2 CR3 CRW DCR DCS DNG DRF EIP ERF FFF GPR IIQ K25 KDC MDC MEF MOS "  # noqa: SIM905  (46 lines else)
    "MRW NEF NRW ORF PEF PTX PXN RAF RAW RW2 RWL RWZ SR2 SRF SRW X3F".split()
)
# Formats as people tell them apart, the most frequent first, and those that are one of them
# under a name of their own.
FAMILIES: Final = ("JPEG", "HEIF", "PNG", "RAW", "WEBP", "GIF", "TIFF", "AVIF", "BMP", "JXL")
FAMILY_OF: Final[Mapping[str, str]] = {
    "MPO": "JPEG",  # what phones write that store a second picture behind the first
    "DIB": "BMP",
    **dict.fromkeys(sorted(RAW_FORMATS), "RAW"),
}


@dataclass(frozen=True, slots=True)
class Photo:
    """One file with the content it holds, as queries give it."""

    path: bytes
    stamp: Stamp
    filesystem: int  # id of the file system it is on
    content: int  # id of the content; equal for identical bytes
    digest: bytes
    format: str
    width: int
    height: int
    orientation: int
    taken_at: str | None
    camera: str | None
    flat: bool
    frames: int
    shown: float = 1.0  # part of the picture that is no bar along an edge, as far as was looked
    came_back: bool = False  # a copy of it had been thrown away before it came
    stamped: bool = False  # something is laid over it that the kept photo of its group has not
    id: int = 0  # of the file in its catalog, as long as that follows it; 0: of none

    @property
    def detail(self) -> int:
        """Bytes, weighed by what the format makes of one: of equal pixels, more is better."""
        return int(self.stamp.size * BYTE_WORTH.get(self.format, 1.0))

    @property
    def family(self) -> str:
        """One of FAMILIES, or else its format."""
        return FAMILY_OF.get(self.format, self.format)

    @property
    def pixels(self) -> int:
        """Of the picture, without bars."""
        return int(self.width * self.height * self.shown)

    @property
    def file(self) -> tuple[int, int | bytes]:
        """Equal for the several names (hard links) of one file, where that can be told."""
        return self.filesystem, self.stamp.inode or self.path


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that a question names, in the catalog or not, with all that it is compared by."""

    path: bytes  # absolute, without links
    digest: bytes
    size: int  # bytes
    mtime_ns: int
    format: str
    width: int  # pixels, upright
    height: int
    taken_at: str | None
    camera: str | None
    phash: int
    dhash: int
    ahash: int
    signature: bytes
    flat: bool
    frames: int
    recipe: str  # one of Recipe, or of an earlier imgcat
    file: tuple[int, int | bytes] | None = None  # as Photo.file; None: read now, not stored
