"""What the pictures of a search are found by."""

from __future__ import annotations

import numpy as np

from catalog.dihedral import TURNS, spectra_turned, turned
from catalog.search import windows
from catalog.search.pictures import Indexed
from catalog.search.windows import WHOLE, WINDOWS
from tests.search.pictures import natural, signature

SOME = np.stack(
    [turned(signature(natural(seed)), turn).ravel() for seed in range(6) for turn in TURNS]
)


def test_the_index_holds_every_window_in_its_canonical_turn():
    indexed = Indexed.of(SOME)
    assert len(indexed) == len(SOME)
    assert (indexed.upright.dtype, indexed.value.dtype, indexed.turn.dtype) == (
        np.uint64,
        np.uint64,
        np.uint8,
    )
    for number, window in enumerate(WINDOWS):
        spectra = windows.spectra(SOME, window)
        there = spectra_turned(spectra, windows.canonical(spectra))
        assert np.array_equal(indexed.value[:, number], windows.hashes(there))
        assert np.array_equal(indexed.turn[:, number], windows.canonical(spectra))
    assert np.array_equal(indexed.upright, windows.hashes(windows.spectra(SOME, WHOLE)))
