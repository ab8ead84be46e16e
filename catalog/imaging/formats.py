"""What may be a picture by its name, and what the bytes are by their content.

Names only decide which files are looked at: 26 of 71 files in one real WhatsApp folder were
JPEGs named .png, so what decodes a file is decided by its first bytes. No decoder is
imported: the walk needs the suffixes and must stay light.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from catalog.model import RAW_FORMATS

RAW_SUFFIXES = frozenset(name.lower().encode() for name in RAW_FORMATS)
PICTURE_SUFFIXES = RAW_SUFFIXES | frozenset(
    b"jpg jpeg jpe jfif jif mpo png apng gif webp bmp dib tif tiff avif avifs heic heics heif "
    b"heifs hif jxl".split()
)


class Codec(StrEnum):
    """Who decodes a file. The values are the names Pillow knows its decoders by."""

    JPEG = "JPEG"
    PNG = "PNG"
    GIF = "GIF"
    WEBP = "WEBP"
    BMP = "BMP"
    TIFF = "TIFF"
    AVIF = "AVIF"
    HEIF = "HEIF"
    JXL = "JXL"  # an extra
    RAW = "RAW"  # an extra, and not Pillow's


class Sniffed(NamedTuple):
    """What the first bytes say: the decoder, None where there is none, and the format's name."""

    codec: Codec | None
    name: str


_MAGIC: tuple[tuple[bytes, Codec, str], ...] = (
    (b"\xff\xd8\xff", Codec.JPEG, "JPEG"),
    (b"\x89PNG\r\n\x1a\n", Codec.PNG, "PNG"),
    (b"GIF87a", Codec.GIF, "GIF"),
    (b"GIF89a", Codec.GIF, "GIF"),
    (b"BM", Codec.BMP, "BMP"),
    (b"\xff\x0a", Codec.JXL, "JXL"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", Codec.JXL, "JXL"),
    (b"II\x1a\x00\x00\x00HEAPCCDR", Codec.RAW, "CRW"),
    (b"FUJIFILMCCD-RAW", Codec.RAW, "RAF"),
    (b"IIRO", Codec.RAW, "ORF"),
    (b"IIRS", Codec.RAW, "ORF"),
    (b"MMOR", Codec.RAW, "ORF"),
    (b"IIU\x00", Codec.RAW, "RW2"),
    (b"FOVb", Codec.RAW, "X3F"),
    (b"\x00MRM", Codec.RAW, "MRW"),
    (b"ARRI\x12\x34\x56\x78", Codec.RAW, "ARI"),
)
_TIFF_MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"SIMPLE  =", "FITS"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"DDS ", "DDS"),
    (b"\x00\x00\x01\x00", "icon"),
    (b"<svg", "SVG"),
    (b"<?xml", "XML"),
    (b"<!DOCTYPE", "HTML"),
    (b"<html", "HTML"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"\x1aE\xdf\xa3", "video"),
    (b"qoif", "QOI"),
)
_HEIF_BRANDS = frozenset(b"heic heix heim heis hevc hevx hevm hevs heif mif1 mif2 msf1".split())
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_GENERIC_BRANDS = frozenset((b"mif1", b"mif2", b"msf1"))
_FTYP_BYTES = 4096  # no honest list of brands is longer


def suffix_of(path: bytes) -> bytes:
    """The suffix of a file name: lower case, without the dot, empty where there is none."""
    name = path.rpartition(b"/")[2]
    stem, dot, suffix = name.rpartition(b".")
    return suffix.lower() if dot and stem else b""


def is_raw(name: str) -> bool:
    """Whether a content of this format is a camera RAW."""
    return name.lower().encode() in RAW_SUFFIXES


def sniff(head: bytes) -> Sniffed:
    """What a file is, by its first bytes; 4 KiB of them are enough.

    A camera RAW that is a TIFF inside is told from a TIFF by its directories, which may lie
    anywhere: those that say so here are CR2 only, the others are ``tiff.raw_name``'s to tell.
    """
    if head.startswith(_TIFF_MAGIC):
        return Sniffed(Codec.RAW, "CR2") if head[8:10] == b"CR" else Sniffed(Codec.TIFF, "TIFF")
    for magic, codec, name in _MAGIC:
        if head.startswith(magic):
            return Sniffed(codec, name)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return Sniffed(Codec.WEBP, "WEBP")
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    for magic, name in _FOREIGN:
        if head.startswith(magic):
            return Sniffed(None, name)
    return Sniffed(None, "")


def _by_brand(head: bytes) -> Sniffed:
    """Tell the formats apart that share the box structure of ISO 14496-12."""
    end = min(int.from_bytes(head[:4], "big"), _FTYP_BYTES, len(head))
    major = head[8:12]
    brands = {major} | {head[at : at + 4] for at in range(16, end - 3, 4)}
    if major == b"crx ":
        return Sniffed(Codec.RAW, "CR3")
    if major in _AVIF_BRANDS:
        return Sniffed(Codec.AVIF, "AVIF")
    if major in _GENERIC_BRANDS and brands & _AVIF_BRANDS and not brands & {b"heic", b"heix"}:
        return Sniffed(Codec.AVIF, "AVIF")
    if brands & _HEIF_BRANDS:
        return Sniffed(Codec.HEIF, "HEIF")
    return Sniffed(None, "video")
