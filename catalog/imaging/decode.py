"""One open file becomes one fingerprint: sniff, decode, hash."""

from __future__ import annotations

import warnings

import pillow_heif
from PIL import AvifImagePlugin, Image, ImageFile

from catalog.imaging import hashes, jpeg, limits, plain, raw, tiff
from catalog.imaging.failing import Undecodable, explain
from catalog.imaging.formats import RAW_SUFFIXES, Codec, Sniffed, sniff
from catalog.imaging.picture import Picture
from catalog.imaging.source import HEAD_BYTES, Source
from catalog.model import Failure, Fingerprint, Reason, Recipe

# our own limits come first; Pillow's would warn at 89 megapixels, and phones make 200
Image.MAX_IMAGE_PIXELS = limits.JPEG_PIXELS
ImageFile.LOAD_TRUNCATED_IMAGES = False
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a worker is one process of several
pillow_heif.register_heif_opener(
    thumbnails=False, decode_threads=1, depth_images=False, aux_images=False
)


def fingerprint(source: Source, digest: bytes, recipe: Recipe) -> Fingerprint | Failure:
    """Decode and hash. Whatever is wrong with the file is a Failure, never an exception."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata nobody here asked for
            picture = _picture(source, recipe)
            return _fingerprint(picture, source.size, digest, recipe)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # decoders raise what they like, panics of Rust included
        return explain(error)


def _picture(source: Source, recipe: Recipe) -> Picture:
    codec, name = _sniffed(source)
    if codec is None:
        raise Undecodable(Reason.UNSUPPORTED, f"{name or 'unknown'} content")
    if codec is Codec.JPEG:
        return jpeg.decode(source, recipe)
    if codec is Codec.RAW:
        return raw.decode(source, name, recipe)
    return plain.decode(source, codec, recipe)


def _sniffed(source: Source) -> Sniffed:
    """What the content is; a RAW is told from the TIFF it is made as before Pillow sees it."""
    sniffed = sniff(source.at(0, HEAD_BYTES))
    if sniffed.codec is Codec.TIFF:
        structure = tiff.open_tiff(source.at)
        name = structure and tiff.raw_name(structure)
        if name is None and source.suffix in RAW_SUFFIXES:
            name = "RAW"
        if name:
            by_name = source.suffix.decode().upper() if source.suffix in RAW_SUFFIXES else name
            return Sniffed(Codec.RAW, by_name if name == "RAW" else name)
    return sniffed


def _fingerprint(picture: Picture, size: int, digest: bytes, recipe: Recipe) -> Fingerprint:
    signature = hashes.signature_of(picture.grey)
    return Fingerprint(
        digest=digest,
        size=size,
        format=picture.format,
        width=picture.width,
        height=picture.height,
        orientation=picture.facts.orientation or 1,
        taken_at=picture.facts.taken_at,
        camera=picture.facts.camera,
        phash=hashes.phash(signature),
        dhash=hashes.dhash(picture.grey),
        ahash=hashes.ahash(picture.grey),
        signature=signature.tobytes(),
        flat=hashes.is_flat(signature),
        frames=picture.frames,
        recipe=recipe,
    )
