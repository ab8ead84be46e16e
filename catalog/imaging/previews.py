"""Small pictures for a person's eyes, made of the very bytes that are in the catalog.

CPU in milliseconds; of the smallest ones nearly all is reading the bits of the JPEG:

    file                                320    1600    all pixels
    JPEG of 16 megapixels, 0.6 MB        10      60            90
    JPEG of 10 megapixels, 1.7 MB        23      60            96
    JPEG of 12 megapixels, 3.7 MB        42      96           126
    progressive, 15 megapixels           15      90           133
    WebP of 10 megapixels               137     194           199
"""

from __future__ import annotations

import io
from typing import Final

from PIL import Image

from catalog.imaging import decode
from catalog.imaging.looking import opened
from catalog.imaging.picture import Shown
from catalog.imaging.source import Source
from catalog.model import Failure

_FINE: Final = 90  # quality from which colours are kept at full resolution


def preview(path: bytes, digest: bytes, longest: int | None, quality: int = 80) -> bytes | Failure:
    """The picture as a JPEG: upright, in sRGB or grey, transparent parts over white.

    No side has more than ``longest`` pixels, and none more than it has in the file; with None all
    pixels are there, up to 50 megapixels. The first frame of several is shown. It is always encoded
    anew: nothing of the file but its pixels gets through, no EXIF and no place. A file
    that holds other bytes than those of ``digest``, or cannot be decoded, gives a Failure.
    """
    wanted = Shown(longest)

    def drawn(source: Source) -> bytes | Failure:
        image = decode.shown(source, wanted)
        return image if isinstance(image, Failure) else _encoded(image, quality)

    found = opened(path, digest, drawn)
    return found if isinstance(found, Failure) else found[0]


def _encoded(image: Image.Image, quality: int) -> bytes:
    image.info = {}  # of which Pillow would write the comment
    file = io.BytesIO()
    subsampling = "4:4:4" if quality >= _FINE else "4:2:0"
    image.save(file, "JPEG", quality=quality, subsampling=subsampling)
    return file.getvalue()
