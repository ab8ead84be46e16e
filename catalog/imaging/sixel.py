"""Pictures as sixel text: six rows of pixels at a time, one colour after the other.

Source: VT330/VT340 Programmer Reference Manual, volume 2, chapter 14 (DEC, 1988).
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from PIL import Image

_COLOURS: Final = 256  # that terminals have, mostly
_BAND: Final = 6  # rows of pixels in one row of sixels
_RUNS: Final = re.compile(rb"(.)\1{3,}", re.DOTALL)


def sixel(image: Image.Image) -> bytes:
    """An RGB picture from its raster attributes on, without the sequences that begin and end it."""
    # A fiftieth of the time of the median cut, for colours that are off by a sixth more.
    reduced = image.quantize(_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette = np.array(reduced.getpalette()).reshape(-1, 3)
    pixels = np.asarray(reduced)
    height, width = pixels.shape
    said = [b'"1;1;%d;%d' % (width, height)]  # square pixels
    for number in np.unique(pixels):
        percent = (palette[number] * 100 + 127) // 255
        said.append(b"#%d;2;%d;%d;%d" % (number, *percent))
    for top in range(0, height, _BAND):
        said += [_band(pixels[top : top + _BAND]), b"-"]
    return b"".join(said)


def _band(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    """One row of sixels: for each colour the bits of each column, six of them in a character."""
    width = pixels.shape[1]
    columns = np.arange(width)
    bits = np.zeros((_COLOURS, width), dtype=np.uint8)
    for number, row in enumerate(pixels):
        bits[row, columns] |= 1 << number
    colours = np.flatnonzero(bits.any(axis=1))
    lines = (bits[colours] + ord("?")).tobytes()
    return b"$".join(
        b"#%d%b" % (colour, _short(lines[number * width : (number + 1) * width]))
        for number, colour in enumerate(colours)
    )


def _short(line: bytes) -> bytes:
    """With runs counted, and without the empty columns at its end."""
    return _RUNS.sub(lambda run: b"!%d%b" % (len(run[0]), run[1]), line.rstrip(b"?"))
