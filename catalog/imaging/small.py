"""Photos as small as a terminal shows them, made ready to be sent to it.

All that costs time or may be made to hurt is done here, in a worker process: the parent only puts
what comes back between escape sequences.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from PIL import Image

from catalog.imaging.previews import preview
from catalog.imaging.sixel import sixel
from catalog.model import Failure

_LEAST: Final = 64  # pixels a preview is asked for, so that blocks are means of several


class Form(StrEnum):
    """How a terminal takes pictures."""

    KITTY = "kitty"  # https://sw.kovidgoyal.net/kitty/graphics-protocol/
    ITERM = "iterm"  # https://iterm2.com/documentation-images.html
    SIXEL = "sixel"  # of DEC's VT340
    BLOCKS = "blocks"  # no pixels: two coloured halves in each cell of text


@dataclass(frozen=True, slots=True)
class Box:
    """Cells of text that a picture has to fit into, and the pixels of one of them."""

    columns: int
    rows: int
    cell_width: int
    cell_height: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """A photo, by path and digest, and what is to be made of it."""

    path: bytes
    digest: bytes
    form: Form
    box: Box


@dataclass(frozen=True, slots=True)
class Small:
    """A picture in these cells, the rightmost and lowest of which it may fill in part.

    ``data`` is a PNG of exactly these cells (KITTY), a JPEG (ITERM), the text of a sixel picture
    without what stands around it (SIXEL), or three bytes for each half of a cell, row by row
    (BLOCKS; the lower halves of the last row may be missing).
    """

    columns: int
    rows: int
    data: bytes


def small(wanted: Wanted) -> Small | Failure:
    """The photo as large as its box lets it be; one of fewer pixels is enlarged.

    A file that is not there, or not the same any more, or cannot be decoded, gives a Failure.
    """
    box = wanted.box
    across, down = box.columns * box.cell_width, box.rows * box.cell_height
    if wanted.form is Form.BLOCKS:
        longest = max(_LEAST, 2 * box.columns, 4 * box.rows)
    else:
        longest = max(across, down)
    data = preview(wanted.path, wanted.digest, longest)
    if isinstance(data, Failure):
        return data
    with Image.open(io.BytesIO(data)) as image:
        scale = min(across / image.width, down / image.height)
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        if wanted.form is Form.ITERM:
            return Small(*_cells(size, box), data)
        return _made(image.convert("RGB"), size, wanted.form, box)


def _made(image: Image.Image, size: tuple[int, int], form: Form, box: Box) -> Small:
    if form is Form.BLOCKS:
        return _blocks(image, size, box)
    resized = image.resize(size, Image.Resampling.LANCZOS)
    columns, rows = _cells(size, box)
    if form is Form.SIXEL:
        return Small(columns, rows, sixel(resized))
    # The terminal stretches it over whole cells, so it gets whole cells, empty where need be.
    sheet = Image.new("RGBA", (columns * box.cell_width, rows * box.cell_height))
    sheet.paste(resized)
    file = io.BytesIO()
    sheet.save(file, "PNG", compress_level=2)
    return Small(columns, rows, file.getvalue())


def _blocks(image: Image.Image, size: tuple[int, int], box: Box) -> Small:
    columns = max(1, round(size[0] / box.cell_width))
    halves = max(1, round(size[1] / box.cell_height * 2))
    return Small(columns, math.ceil(halves / 2), image.resize((columns, halves)).tobytes())


def _cells(size: tuple[int, int], box: Box) -> tuple[int, int]:
    return math.ceil(size[0] / box.cell_width), math.ceil(size[1] / box.cell_height)
