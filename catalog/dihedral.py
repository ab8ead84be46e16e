"""The eight ways a square can lie, on arrays of squares: the dihedral group of order eight.

A ``turn`` is 0-7: bit 0 mirrors left and right, bit 1 top and bottom, and then bit 2 swaps rows
and columns. ``EXIF`` names each as EXIF does: the orientation that a viewer would be told, so
that it shows the picture turned that way.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)

MIRRORED: Final = 1
FLIPPED: Final = 2
SWAPPED: Final = 4
TURNS: Final = range(8)
EXIF: Final = (1, 2, 4, 3, 5, 8, 6, 7)  # by turn


def turned(squares: NDArray[Number], turn: int) -> NDArray[Number]:
    """Squares (..., n, n), all turned the same way; a view."""
    if turn & MIRRORED:
        squares = squares[..., ::-1]
    if turn & FLIPPED:
        squares = squares[..., ::-1, :]
    return squares.swapaxes(-1, -2) if turn & SWAPPED else squares


def turned_each(squares: NDArray[Number], turns: NDArray[Any]) -> NDArray[Number]:
    """Squares (k, n, n), each turned its own way (k,); a copy."""
    result = np.empty_like(squares)
    for turn in TURNS:
        chosen = turns == turn
        if chosen.any():
            result[chosen] = turned(squares[chosen], turn)
    return result


def spectra_turned(spectra: NDArray[Any], turns: NDArray[Any]) -> NDArray[Any]:
    """What the 8 x 8 lowest DCT coefficients (k, 8, 8) become when the squares are turned.

    Mirroring negates the odd ones of its axis, swapping transposes: nothing is transformed anew.
    """
    sign = np.where(np.arange(spectra.shape[-1]) % 2, -1, 1).astype(spectra.dtype)
    one = np.ones_like(sign)
    across = np.where(turns[:, None] & MIRRORED, sign, one)[:, None, :]
    down = np.where(turns[:, None] & FLIPPED, sign, one)[:, :, None]
    result = spectra * across * down
    swapped = (turns & SWAPPED) > 0
    result[swapped] = result[swapped].swapaxes(-1, -2)
    return result


def _composed() -> tuple[tuple[int, ...], ...]:
    square = np.arange(9).reshape(3, 3)
    known = {turned(square, turn).tobytes(): turn for turn in TURNS}
    return tuple(
        tuple(known[turned(turned(square, first), second).tobytes()] for second in TURNS)
        for first in TURNS
    )


COMPOSED: Final = np.array(_composed(), dtype=np.uint8)  # [first, second] -> the turn of both
INVERSE: Final = np.argmin(COMPOSED, axis=1).astype(np.uint8)  # where COMPOSED is 0
