"""Camera RAW, an extra: the preview that the camera made is the picture.

Developing a RAW takes seconds and looks different with every converter; the JPEG inside is
what the photographer saw.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from catalog.imaging import exif, jpeg, limits, tiff
from catalog.imaging.exif import Facts
from catalog.imaging.failing import Undecodable
from catalog.imaging.orientation import upright_size
from catalog.imaging.picture import Picture, Wanted, pixels_of, turned
from catalog.imaging.silence import no_stderr
from catalog.imaging.source import Source
from catalog.model import Reason

_ORIENTATIONS = {3: 3, 5: 8, 6: 6}  # LibRaw's flip -> EXIF
_SMALLEST_PREVIEW = 128  # pixels of the short side; smaller ones are for the camera's display


def decode(source: Source, name: str, wanted: Wanted) -> Picture:
    """Decode a camera RAW. Raises Undecodable, and whatever rawpy and Pillow raise."""
    try:
        import rawpy
    except ImportError:
        raise Undecodable(
            Reason.NEEDS_EXTRA, f"camera RAW ({name}); install imgcat with the extra raw"
        ) from None
    limits.check_held(source.size)
    with no_stderr(), rawpy.imread(source.rewound()) as raw:
        sizes = raw.sizes
        limits.check_pixels(sizes.width, sizes.height, limits.OTHER_PIXELS)
        orientation = _ORIENTATIONS.get(sizes.flip, 1)
        upright = upright_size((sizes.width, sizes.height), orientation)
        preview = _preview(raw, rawpy, wanted, orientation, upright)
        if preview is None:
            developed = Image.fromarray(raw.postprocess(half_size=True, use_camera_wb=True))
            preview = _of_pixels(developed, 1, wanted)  # LibRaw has turned it
    facts = _facts(source, preview.facts, orientation)
    return Picture(preview.pixels, name, *upright, facts, 1)


def _preview(
    raw: Any, rawpy: Any, wanted: Wanted, orientation: int, upright: tuple[int, int]
) -> Picture | None:
    """The embedded preview, decoded; None where there is none worth having."""
    try:
        thumb = raw.extract_thumb()
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
        return None
    if thumb.format == rawpy.ThumbFormat.BITMAP:
        picture = _of_pixels(Image.fromarray(np.asarray(thumb.data)), 1, wanted)
    else:
        data = bytes(thumb.data)
        source = Source(io.BytesIO(data), len(data), data)
        picture = jpeg.decode(source, wanted)
    if min(picture.width, picture.height) < min(_SMALLEST_PREVIEW, *upright):
        return None
    # most previews say how they lie, or LibRaw does it for them; the others lie as the sensor
    lies_down = (picture.width > picture.height) != (upright[0] > upright[1])
    stands_on_its_head = orientation == 3 and picture.facts.orientation is None
    return turned(picture, orientation) if lies_down or stands_on_its_head else picture


def _of_pixels(image: Image.Image, orientation: int, wanted: Wanted) -> Picture:
    pixels = pixels_of(image, orientation, wanted)
    return Picture(pixels, "", image.width, image.height, exif.NOTHING, 1)


def _facts(source: Source, preview: Facts, orientation: int) -> Facts:
    """What the RAW says, else what its preview says; the orientation is LibRaw's."""
    structure = tiff.open_tiff(source.at)
    own = exif.NOTHING if structure is None else exif.from_tiff(structure)
    return Facts(
        orientation,
        own.taken_at or preview.taken_at,
        own.camera or preview.camera,
        own.located or preview.located,
    )
