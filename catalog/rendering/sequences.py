"""What is sent to a terminal for small pictures that stand in a row.

Sent are colours, the moves of the cursor, and pictures in base64 or sixels: nothing of a file but
its pixels.
"""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from catalog.escaping import harmless
from catalog.imaging.small import Form, Small
from catalog.model import Failure

INDENT: Final = 2  # columns before the first picture ...
GAP: Final = 2  # ... and between two
_CHUNK: Final = 4096  # characters of base64 that Kitty takes at once
_RESET: Final = "\x1b[0m"
_STEPS: Final = (0, 95, 135, 175, 215, 255)  # of each colour in the cube of xterm's 256


@dataclass(frozen=True, slots=True)
class Piece:
    """What stands in a row: lines of text, or pixels that are laid over as much empty space."""

    columns: int
    rows: int
    lines: tuple[str, ...] = ()
    pixels: str = ""


def row(pieces: Sequence[Piece], width: int) -> str:
    """The pieces side by side, each ``width`` columns from the next less the gap, top aligned.

    The cursor ends at the beginning of the line below.
    """
    height = max((piece.rows for piece in pieces), default=0)
    lines = []
    for number in range(height):
        line = " " * INDENT
        for piece in pieces:
            there = number < len(piece.lines)
            line += piece.lines[number] if there else ""
            line += " " * (width + GAP - (piece.columns if there else 0))
        lines.append(line.rstrip(" ") + "\n")
    # The lines come first: the screen scrolls for them, and then for no picture any more.
    return "".join(lines) + "".join(_laid_over(pieces, width, height))


def _laid_over(pieces: Sequence[Piece], width: int, height: int) -> Iterator[str]:
    """The pixels, drawn from the line below all; the cursor comes back, whatever they do to it."""
    for number, piece in enumerate(pieces):
        if piece.pixels:
            column = 1 + INDENT + number * (width + GAP)
            yield f"\x1b7\x1b[{height}A\x1b[{column}G{piece.pixels}\x1b8"


def picture(small: Small, form: Form, *, all_colours: bool) -> Piece:
    """A picture in the form it was made for."""
    if form is Form.BLOCKS:
        lines = tuple(_blocks(small, all_colours=all_colours))
        return Piece(small.columns, len(lines), lines)
    send = {Form.KITTY: _kitty, Form.ITERM: _iterm, Form.SIXEL: _sixel}[form]
    return Piece(small.columns, small.rows, pixels=send(small))


def excuse(failure: Failure, width: int, height: int) -> Piece:
    """A box that says why there is no picture."""
    detail = f": {failure.detail}" if failure.detail else ""
    words = harmless(f"cannot be shown: {failure.reason}{detail}")
    inside = max(1, width - 4)
    said = textwrap.wrap(words, inside)[: max(1, height - 2)]
    edge = "+" + "-" * (inside + 2) + "+"
    lines = (edge, *(f"| {line:{inside}} |" for line in said), edge)
    return Piece(inside + 4, len(lines), lines)


def broken_off(form: Form) -> str:
    """What has a terminal listen again that got but a part of a picture."""
    # The end of any string, which is nothing where none has begun; Kitty waits for more chunks
    # until one says that it is the last. Then to the lowest line, as the cursor may be anywhere.
    last = "\x1b_Gq=2,m=0;\x1b\\" if form is Form.KITTY else ""
    return f"\x1b\\{last}{_RESET}\x1b[999B\r\n"


def _kitty(small: Small) -> str:
    """A PNG, over exactly these cells, that does not move the cursor and is not answered."""
    data = base64.b64encode(small.data).decode("ascii")
    # q stands in every chunk: some versions forget it (kitty issue 3375).
    keys = f"a=T,f=100,C=1,c={small.columns},r={small.rows},q=2"
    said = []
    for start in range(0, len(data), _CHUNK):
        more = int(start + _CHUNK < len(data))
        said.append(f"\x1b_G{keys},m={more};{data[start : start + _CHUNK]}\x1b\\")
        keys = "q=2"
    return "".join(said)


def _iterm(small: Small) -> str:
    """A JPEG, as large as these cells let it be."""
    keys = f"inline=1;size={len(small.data)};width={small.columns};height={small.rows}"
    data = base64.b64encode(small.data).decode("ascii")
    return f"\x1b]1337;File={keys};preserveAspectRatio=1;doNotMoveCursor=1:{data}\x07"


def _sixel(small: Small) -> str:
    return f"\x1bP0;1q{small.data.decode('ascii')}\x1b\\"  # 1: what is not drawn is left as it is


def _blocks(small: Small, *, all_colours: bool) -> Iterator[str]:
    """The upper half of a cell in the colour of the writing, the lower in that behind it."""
    paint = _exact if all_colours else _nearest
    length = 3 * small.columns
    rows = [small.data[at : at + length] for at in range(0, len(small.data), length)]
    for upper, lower in zip(rows[::2], [*rows[1::2], b""], strict=False):
        line, before = "", ""
        for at in range(0, length, 3):
            behind = f"48;{paint(*lower[at : at + 3])}" if lower else "49"
            colours = f"\x1b[38;{paint(*upper[at : at + 3])};{behind}m"
            line += ("" if colours == before else colours) + "▀"
            before = colours
        yield line + _RESET


def _step(part: int) -> int:
    return min(range(6), key=lambda step: abs(_STEPS[step] - part))


def _exact(red: int, green: int, blue: int) -> str:
    return f"2;{red};{green};{blue}"


@lru_cache(maxsize=1 << 16)
def _nearest(red: int, green: int, blue: int) -> str:
    """The closest of the cube of 6 x 6 x 6 colours and the 24 greys."""
    wanted = (red, green, blue)
    cube = [_step(part) for part in wanted]
    grey = min(23, max(0, round((sum(wanted) / 3 - 8) / 10)))
    candidates = {
        16 + 36 * cube[0] + 6 * cube[1] + cube[2]: [_STEPS[step] for step in cube],
        232 + grey: [8 + 10 * grey] * 3,
    }

    def distance(number: int) -> int:
        return sum((a - b) ** 2 for a, b in zip(candidates[number], wanted, strict=True))

    return f"5;{min(candidates, key=distance)}"
