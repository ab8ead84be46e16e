"""How much of a picture is picture: bars along its edges are not.

A copy with bars has more pixels than the picture it was made of, and is no better for it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.model import SIGNATURE_SIDE

_PLAIN: Final = 2.0  # of 255: deviation within a bar, and of its cells from its outermost
_STEP: Final = 6.0  # of 255, root mean square, that the picture begins with at least
_LESS: Final = 0.98
_WIDEST: Final = SIGNATURE_SIDE // 4  # cells of a bar
_WIDE: Final = 3  # cells, from which a bar may have waves: in the narrow ones of nature are edges
# What Lanczos' kernel leaves in the cells before a step, in parts of it; the last are the nearest.
_RINGING: Final = np.array([0.0] * (_WIDEST - 3) + [0.02, 0.04, 0.1], dtype=np.float32)


def shown(signatures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The part of each picture that lies inside its bars: (n, side**2) uint8 -> (n,), 1 without.

    A little less where there are some, so that of two equal pictures the one without comes first.

    A bar is of one grey, up to a quarter of the side, and ends where the picture begins: a cell
    that is half bar, half picture, tells where.
    """
    squares = signatures.reshape(-1, SIGNATURE_SIDE, SIGNATURE_SIDE).astype(np.float32)
    down = _bar(squares) + _bar(squares[:, ::-1])
    turned = squares.swapaxes(1, 2)
    across = _bar(turned) + _bar(turned[:, ::-1])
    part = (1 - down / SIGNATURE_SIDE) * (1 - across / SIGNATURE_SIDE)
    return np.where(part < 1, part * np.float32(_LESS), part)


def _bar(squares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cells of a bar above each picture, with the part of the cell where it ends."""
    grey = squares[:, 0].mean(axis=1)
    off = squares[:, : _WIDEST + 2] - grey[:, None, None]
    deviation = np.sqrt((off**2).mean(axis=2))
    found = np.zeros(len(squares), dtype=np.float32)
    for whole in range(1, _WIDEST + 1):  # cells of bar and nothing else
        step = deviation[:, whole + 1]
        waves = _RINGING[-whole:] if whole >= _WIDE else np.zeros(whole, dtype=np.float32)
        allowed = np.maximum(_PLAIN, waves * step[:, None])
        plain = (deviation[:, :whole] <= allowed).all(axis=1)
        ends = plain & (deviation[:, whole] > allowed[:, -1]) & (step >= _STEP)
        edge, beyond = off[ends, whole], off[ends, whole + 1]
        picture = (edge * beyond).mean(axis=1) / step[ends] ** 2  # of the cell at the edge
        found[ends] = whole + 1 - np.clip(picture, 0, 1)
    return found
