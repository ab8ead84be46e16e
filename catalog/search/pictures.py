"""Pictures as a search sees them: the hashes they are found by, and their lowest frequencies.

The hashes of all pictures lie in memory, 125 bytes a picture. Frequencies are computed from
signatures when they are wanted, those of a few hundred pictures at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.dihedral import spectra_turned
from catalog.search import windows
from catalog.search.windows import WHOLE, WINDOWS, Probes, Window

_AT_ONCE: Final = 512  # pictures whose frequencies are computed together

Signatures = Callable[[NDArray[np.int64]], NDArray[np.uint8]]  # of these pictures, (n, side**2)


@dataclass(frozen=True, slots=True)
class Indexed:
    """The hashes by which n pictures are found.

    ``upright`` (n,) uint64: pHash of the whole as it lies; ``value`` (n, windows) uint64 and
    ``turn`` (n, windows) uint8: that of each window in its canonical turn, and which turn that is.
    Both lie in memory window by window, as they are asked for.
    """

    upright: NDArray[np.uint64]
    value: NDArray[np.uint64]
    turn: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.upright)

    @classmethod
    def of(cls, signatures: NDArray[np.uint8]) -> Indexed:
        """Computed from signatures, (n, side**2) uint8."""
        values, turns = [], []
        upright = np.empty(0, dtype=np.uint64)
        for window in WINDOWS:
            spectra = windows.spectra(signatures, window)
            if window is WHOLE:
                upright = windows.hashes(spectra)
            probes = windows.in_canonical_turn(spectra)
            values.append(probes.value)
            turns.append(probes.turn)
        return cls(upright, np.stack(values).T, np.stack(turns).T)


@dataclass(frozen=True, slots=True)
class Pictures:
    """All n pictures of a search. ``rank`` (n,) tells which come first, 0 the very first."""

    indexed: Indexed
    signatures: Signatures
    rank: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indexed)


def probes_of(
    pictures: Pictures, positions: NDArray[np.int64], window: Window
) -> tuple[Probes, NDArray[np.floating]]:
    """What to look for: this window of each, in its likely turns; and the directions of each."""
    parts, count = [], 0
    rows = np.empty((2 * len(positions), 63), dtype=np.float16)  # filled as far as it is wanted
    for begin in range(0, len(positions), _AT_ONCE):
        some = positions[begin : begin + _AT_ONCE]
        probes = windows.in_likely_turns(windows.spectra(pictures.signatures(some), window))
        if count + len(probes) > len(rows):
            more = np.empty((len(rows) + len(probes), 63), dtype=np.float16)
            rows = np.concatenate([rows, more])
        rows[count : count + len(probes)] = windows.directions(probes.spectra)
        count += len(probes)
        nothing = np.empty((0, 8, 8), dtype=np.float32)  # a slice would hold all of them
        parts.append(Probes(probes.picture + begin, probes.turn, probes.value, nothing))
    joined = Probes(
        np.concatenate([part.picture for part in parts]),
        np.concatenate([part.turn for part in parts]),
        np.concatenate([part.value for part in parts]),
        parts[0].spectra,
    )
    return joined, rows[:count]


class Directions:
    """The lowest frequencies of one window of each picture, in its canonical turn."""

    def __init__(self, pictures: Pictures, window: Window, *, cached: bool) -> None:
        self._pictures = pictures
        self._window = window
        self._rows: NDArray[np.float16] | None = None
        if cached:
            self._rows = np.empty((len(pictures), 63), dtype=np.float16)
            for at in range(0, len(pictures), _AT_ONCE):
                some = np.arange(at, min(at + _AT_ONCE, len(pictures)))
                self._rows[some] = self._computed(some)

    def of(self, positions: NDArray[np.int64]) -> NDArray[np.floating]:
        """(n, 63), of length 1."""
        if self._rows is not None:
            return self._rows[positions]
        once, back = np.unique(positions, return_inverse=True)
        parts = [self._computed(once[at : at + _AT_ONCE]) for at in range(0, len(once), _AT_ONCE)]
        return np.concatenate(parts)[back] if parts else np.empty((0, 63), np.float32)

    def _computed(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        spectra = windows.spectra(self._pictures.signatures(positions), self._window)
        return windows.directions(windows.in_canonical_turn(spectra).spectra)


def turned_rows(rows: NDArray[np.floating], turns: NDArray[np.uint8]) -> NDArray[np.floating]:
    """Directions as they are when each picture is turned."""
    if not turns.any():
        return rows
    whole = np.concatenate([np.zeros((len(rows), 1), rows.dtype), rows], axis=1)
    return spectra_turned(whole.reshape(-1, 8, 8), turns).reshape(-1, 64)[:, 1:]
