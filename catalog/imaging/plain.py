"""The formats that Pillow decodes whole: all but JPEG and camera RAW."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

from PIL import Image

from catalog.imaging import boxes, exif, jxl, limits, tiff
from catalog.imaging.exif import Facts
from catalog.imaging.failing import Undecodable
from catalog.imaging.formats import Codec
from catalog.imaging.orientation import upright_size
from catalog.imaging.picture import Picture, Wanted, bytes_per_pixel, pixels_of
from catalog.imaging.silence import no_stderr
from catalog.imaging.source import Source
from catalog.model import Reason

_BOXED = frozenset((Codec.AVIF, Codec.HEIF))
_UPRIGHT_ALREADY = frozenset((Codec.HEIF, Codec.TIFF))  # their decoders turn the pixels
# bytes a pixel at the peak of each decoder, measured on pictures of 24 megapixels
_WORKING = {Codec.WEBP: 16, Codec.AVIF: 12, Codec.HEIF: 12, Codec.JXL: 10}
_ORDINARY = 8
_TALKATIVE = frozenset((Codec.TIFF, Codec.JXL))


def decode(source: Source, codec: Codec, wanted: Wanted) -> Picture:
    """Decode by the one plugin that the content names. Raises Undecodable, and what Pillow does."""
    _check_whole(source, codec)
    if codec in _WORKING:
        limits.check_held(source.size)
    if codec is Codec.JXL:
        jxl.check(source)  # its plugin decodes everything when it opens a file
    with (
        no_stderr() if codec in _TALKATIVE else nullcontext(),
        Image.open(source.rewound(), formats=(codec.value,)) as image,
    ):
        limits.check_pixels(image.width, image.height, limits.OTHER_PIXELS)
        limits.check_decoded(image.width * image.height * bytes_per_pixel(image.mode))
        limits.check_working(image.width * image.height * _WORKING.get(codec, _ORDINARY))
        frames = _FRAMES.get(codec, _said_by)(source, image)
        name = image.format or codec.value
        image.load()
        facts = _facts(source, codec, image)
        turn = 1 if codec in _UPRIGHT_ALREADY else facts.orientation or 1
        pixels = pixels_of(image, turn, wanted)
        width, height = upright_size(image.size, turn)
    return Picture(pixels, name, width, height, facts, frames)


def _check_whole(source: Source, codec: Codec) -> None:
    cut_short = (codec in _BOXED and boxes.is_cut_short(source)) or (
        codec is Codec.WEBP and boxes.riff_is_cut_short(source)
    )
    if cut_short:
        raise Undecodable(Reason.TRUNCATED, "the file is shorter than it says")


def _facts(source: Source, codec: Codec, image: Image.Image) -> Facts:
    """What the metadata says; asked after the pixels, because PNG may keep it at the end."""
    if codec is Codec.TIFF:
        structure = tiff.open_tiff(source.at)
        return exif.NOTHING if structure is None else exif.from_tiff(structure)
    block = image.info.get("exif")
    xmp = image.info.get("xmp")
    facts = exif.from_block(
        block if isinstance(block, bytes) else b"", xmp if isinstance(xmp, bytes) else b""
    )
    if codec is Codec.HEIF or (codec is Codec.JXL and not jxl.keeps_orientation(image)):
        # the container's own turn was applied; what EXIF says beside it is history
        return replace(facts, orientation=1)
    return facts


def _said_by(source: Source, image: Image.Image) -> int:  # noqa: ARG001 - one shape for all
    """The count that the decoder read from the header."""
    return min(limits.FRAMES, int(getattr(image, "n_frames", 1)))


def _gif(source: Source, image: Image.Image) -> int:  # noqa: ARG001
    """Pillow walks every frame in Python to count them, for seconds in a large animation."""
    return boxes.gif_frames(source)


def _tiff(source: Source, image: Image.Image) -> int:  # noqa: ARG001
    """Pillow parses every directory in full to count them."""
    structure = tiff.open_tiff(source.at)
    return 1 if structure is None else tiff.count_pages(structure)


def _heif(source: Source, image: Image.Image) -> int:
    return _said_by(source, image) + boxes.has_video(source)


_FRAMES: dict[Codec, Callable[[Source, Image.Image], int]] = {
    Codec.GIF: _gif,
    Codec.TIFF: _tiff,
    Codec.HEIF: _heif,
}
