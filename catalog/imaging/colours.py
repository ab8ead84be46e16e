"""Colours that a file means otherwise than a screen takes them: an embedded profile says so.

Display P3 of phones and Adobe RGB of cameras look pale when their numbers are taken for sRGB. Only
what is shown to a person is converted; what pictures are compared by stays as it is in the file.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

_MOST_BYTES = 1 << 20  # of a profile; those of cameras have 0.5 to 4 KB, of scanners 500
_KEPT = 8  # transforms; the photos of one camera have one profile
_SAME = 3  # of 255, that no colour is off: another wording of sRGB
_STEPS = 6  # of each channel, in what is tried

Transform = Any  # ImageCms.ImageCmsTransform, whose stubs are not whole


def as_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """The RGB ``image``, which is of the colours of ``profile``, in those of sRGB.

    A profile that is broken, or not one of RGB, changes nothing.
    """
    transform = _transform(profile) if len(profile) <= _MOST_BYTES else None
    if transform is None:
        return image
    ImageCms.applyTransform(image, transform, inPlace=True)
    return image


@lru_cache(maxsize=_KEPT)
def _transform(profile: bytes) -> Transform | None:
    """How to convert; None where there is nothing to convert, or no way to."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            "RGB",
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        return transform if _changes_anything(transform) else None
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _changes_anything(transform: Transform) -> bool:
    """Most profiles are sRGB, under many names; for them a picture is left as it is."""
    steps = np.linspace(0, 255, _STEPS).astype(np.uint8)
    tried = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    image = Image.fromarray(tried)
    ImageCms.applyTransform(image, transform, inPlace=True)
    return bool(np.abs(np.asarray(image).astype(int) - tried).max() > _SAME)
