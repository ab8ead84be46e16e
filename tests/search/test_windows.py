"""What a window of a picture hashes to is what ImageHash makes of that window."""

from __future__ import annotations

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from catalog.dihedral import TURNS, spectra_turned, turned, turned_each
from catalog.model import SIGNATURE_SIDE
from catalog.search import windows
from catalog.search.windows import EDGES, NEAR_TIE, WHOLE, WINDOWS, Window
from tests.search.pictures import natural, signature, signatures

NATURAL = signatures(range(60))
RANDOM = np.random.default_rng(1).integers(0, 256, (60, SIGNATURE_SIDE**2), dtype=np.uint8)
SQUARE = (-1, SIGNATURE_SIDE, SIGNATURE_SIDE)
_COEFFICIENT_NOISE = 0.02  # float32, of coefficients up to 500,000


def phash(square: np.ndarray) -> int:
    return int(str(imagehash.phash(Image.fromarray(square))), 16)


def clear_bits(spectra: np.ndarray) -> np.ndarray:
    """Hashes of ones where a coefficient is not so near the median that rounding decides."""
    flat = spectra.reshape(len(spectra), 64)
    clear = np.abs(flat - np.median(flat, axis=1, keepdims=True)) > _COEFFICIENT_NOISE
    return np.packbits(clear, axis=1).view(">u8")[:, 0].astype(np.uint64)


@pytest.mark.parametrize("pictures", [NATURAL, RANDOM], ids=["natural", "random"])
def test_the_whole_hashes_to_imagehash_s_phash(pictures):
    spectra = windows.spectra(pictures, WHOLE)
    expected = np.array([phash(square) for square in pictures.reshape(SQUARE)], dtype=np.uint64)
    found = windows.hashes(spectra)
    assert found.dtype == np.uint64
    clear = clear_bits(spectra)
    assert np.bitwise_count(clear).mean() > 61
    assert np.array_equal(found & clear, expected & clear)


@given(st.integers(0, 2**32 - 1), st.integers(0, 100), st.integers(1, 155))
def test_of_any_random_picture_too(seed, low, high):
    dice = np.random.default_rng(seed)
    picture = dice.integers(low, low + high, (1, SIGNATURE_SIDE**2), dtype=np.uint8)
    spectra = windows.spectra(picture, WHOLE)
    apart = windows.hashes(spectra) ^ np.uint64(phash(picture.reshape(SQUARE)[0]))
    assert not (apart & clear_bits(spectra)).any()


def resampled(square: np.ndarray, window: Window) -> np.ndarray:
    """The window of a signature by Pillow, whose cubic kernel is Keys' too where nothing shrinks.

    Beyond the edge Pillow leaves cells out, where ``interpolation`` goes on with the last one: so
    the picture gets more of its edge before.
    """
    more = 4
    wider = Image.fromarray(np.pad(square.astype(np.float32), more, mode="edge"))
    left, right, top, bottom = (more + edge * SIGNATURE_SIDE for edge in window.edges)
    size = (SIGNATURE_SIDE, SIGNATURE_SIDE)
    return np.asarray(wider.resize(size, Image.Resampling.BICUBIC, box=(left, top, right, bottom)))


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: str(window.edges))
def test_a_window_hashes_to_the_phash_of_that_window_resampled(window):
    spectra = windows.spectra(NATURAL, window)
    squares = np.stack([resampled(square, window) for square in NATURAL.reshape(SQUARE)])
    again = windows.spectra(np.zeros_like(NATURAL[:1]), WHOLE)
    assert not again.any()
    expected = spectra_of(squares)
    assert np.abs(spectra - expected).max() < 1e-3 * np.abs(expected).max()
    flat = expected.reshape(len(expected), 64)
    above = flat > np.median(flat, axis=1, keepdims=True)
    hashes = np.packbits(above, axis=1).view(">u8")[:, 0].astype(np.uint64)
    assert np.bitwise_count(windows.hashes(spectra) ^ hashes).mean() < 0.3


def spectra_of(squares: np.ndarray) -> np.ndarray:
    """As ImageHash computes them, which takes whole grey values only where it resizes."""
    from scipy.fftpack import dct

    return dct(dct(squares.astype(np.float64), axis=1), axis=2)[:, :8, :8]


@pytest.mark.parametrize("window", WINDOWS[1:], ids=lambda window: str(window.edges))
def test_a_copy_that_lost_its_edges_is_a_few_bits_from_the_window_that_is_left(window):
    """Not of its signature but of the picture: cropped, then reduced."""
    far, near = [], []
    for seed in range(20):
        picture = natural(seed)
        crop = signature(picture, window.edges).reshape(1, -1)
        whole = signature(picture).reshape(1, -1)
        hash_ = windows.hashes(windows.spectra(crop, WHOLE))
        far.append(np.bitwise_count(hash_ ^ windows.hashes(windows.spectra(whole, WHOLE))))
        near.append(np.bitwise_count(hash_ ^ windows.hashes(windows.spectra(whole, window))))
    assert np.max(near) <= 4
    assert np.mean(near) < np.mean(far) / 3


def test_windows_are_different_and_the_whole_comes_first():
    assert WINDOWS[0] is WHOLE
    assert len(set(WINDOWS)) == len(WINDOWS) == len(EDGES)
    for window, edges in zip(WINDOWS, EDGES.tolist(), strict=True):
        assert edges == pytest.approx((*window.across, *window.down), abs=1e-6)
        left, right, top, bottom = edges
        assert 0 <= left <= 0.1
        assert 0.9 <= right <= 1
        assert 0 <= top <= 0.1
        assert 0.9 <= bottom <= 1


def test_rows_of_spectra_are_vertical_frequencies():
    stripes = np.tile(np.arange(SIGNATURE_SIDE, dtype=np.uint8)[:, None], (1, SIGNATURE_SIDE))
    found = windows.spectra(stripes.reshape(1, -1), WHOLE)[0]
    assert np.abs(found[1, 0]) > 1000
    assert np.abs(found[0, 1:]).max() < 1e-2 * np.abs(found[1, 0])


def all_turns(pictures: np.ndarray) -> np.ndarray:
    """(8, n, SIGNATURE_SIDE**2)."""
    squares = pictures.reshape(SQUARE)
    return np.stack([turned(squares, turn).reshape(len(pictures), -1) for turn in TURNS])


def ties(spectra: np.ndarray) -> dict[int, np.ndarray]:
    """Of each of the three bits, how near a thing it is, in parts of the length."""
    length = np.linalg.norm(spectra.reshape(len(spectra), 64)[:, 1:], axis=1)
    across, down = np.abs(spectra[:, 0, 1]) / length, np.abs(spectra[:, 1, 0]) / length
    return {1: across, 2: down, 4: np.abs(across - down) / np.sqrt(2)}


@pytest.mark.parametrize("window", WINDOWS[:3])  # those that are themselves, however turned
def test_all_eight_turns_of_a_picture_have_one_canonical_turn(window):
    spectra = windows.spectra(NATURAL, window)
    clear = np.min(list(ties(spectra).values()), axis=0) > 1e-3
    assert clear.sum() > 50
    squares = NATURAL.reshape(SQUARE)
    expected = turned_each(squares, windows.canonical(spectra))[clear]
    values = windows.in_canonical_turn(spectra).value[clear]
    for pictures in all_turns(NATURAL):
        found = windows.spectra(pictures, window)
        turns = windows.canonical(found)
        assert turns.dtype == np.uint8
        assert np.array_equal(turned_each(pictures.reshape(SQUARE), turns)[clear], expected)
        apart = np.bitwise_count(windows.in_canonical_turn(found).value[clear] ^ values)
        assert apart.max() <= 2  # of coefficients at the median
        assert apart.mean() < 0.1


def test_in_the_canonical_turn_the_first_frequencies_are_positive_and_the_first_is_larger():
    probes = windows.in_canonical_turn(windows.spectra(NATURAL, WHOLE))
    assert len(probes) == len(NATURAL)
    assert probes.picture.tolist() == list(range(len(NATURAL)))
    across, down = probes.spectra[:, 0, 1], probes.spectra[:, 1, 0]
    assert (across >= down).all()
    assert (down >= 0).all()
    assert np.array_equal(probes.value, windows.hashes(probes.spectra))
    squares = turned_each(NATURAL.reshape(SQUARE), probes.turn).reshape(len(NATURAL), -1)
    assert np.allclose(windows.spectra(squares, WHOLE), probes.spectra, atol=0.5)


@pytest.mark.parametrize("near", [0.0, NEAR_TIE, 0.15, 10.0])
def test_likely_turns_are_the_canonical_one_and_those_that_are_nearly_as_good(near):
    spectra = windows.spectra(NATURAL, WHOLE)
    first = windows.canonical(spectra)
    close = ties(spectra)
    expected = {
        (picture, int(first[picture]) ^ other)
        for picture in range(len(spectra))
        for other in TURNS
        if all(close[bit][picture] < near for bit in (1, 2, 4) if other & bit)
    }
    probes = windows.in_likely_turns(spectra, near)
    found = list(zip(probes.picture.tolist(), probes.turn.tolist(), strict=True))
    assert len(found) == len(set(found)) == len(probes)
    assert set(found) == expected
    assert set(enumerate(first.tolist())) <= set(found)
    assert len(found) == len(spectra) * (1 if near == 0 else 8) or 0 < near < 10
    assert np.array_equal(probes.value, windows.hashes(probes.spectra))
    assert np.array_equal(probes.spectra, spectra_turned(spectra[probes.picture], probes.turn))


def test_a_near_tie_is_a_query_more_by_default():
    spectra = windows.spectra(NATURAL, WHOLE)
    by_default = windows.in_likely_turns(spectra)
    assert len(NATURAL) < len(by_default) < 2 * len(NATURAL)
    assert len(by_default) == len(windows.in_likely_turns(spectra, NEAR_TIE))


@pytest.mark.parametrize("turn", TURNS)
def test_noise_that_decides_a_tie_the_other_way_does_not_hide_a_turned_copy(turn):
    """One of the likely turns of a picture is the canonical one of its copy."""
    dice = np.random.default_rng(turn)
    for picture in NATURAL:
        noise = dice.normal(0, 3, picture.shape)
        copy = (picture + noise).clip(0, 255).astype(np.uint8)
        copy = turned(copy.reshape(SQUARE)[0], turn).reshape(1, -1)
        mine = windows.in_likely_turns(windows.spectra(picture[None], WHOLE))
        theirs = windows.in_canonical_turn(windows.spectra(copy, WHOLE))
        likeness = windows.directions(mine.spectra) @ windows.directions(theirs.spectra).T
        assert likeness.max() > 0.98


def test_directions_have_length_one_and_know_nothing_of_brightness_and_contrast():
    spectra = windows.spectra(NATURAL, WHOLE)
    found = windows.directions(spectra)
    assert (found.shape, found.dtype) == ((len(NATURAL), 63), np.float32)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert np.allclose(found[:, 0] * spectra[:, 1, 0], found[:, 7] * spectra[:, 0, 1], rtol=1e-3)
    darker = windows.directions(windows.spectra(NATURAL // 2 + 40, WHOLE))
    assert np.einsum("ij,ij->i", found, darker).min() > 0.999
    assert not windows.directions(np.zeros((1, 8, 8), np.float32)).any()


def test_nothing_gives_nothing():
    spectra = windows.spectra(NATURAL[:0], WHOLE)
    assert spectra.shape == (0, 8, 8)
    assert windows.hashes(spectra).shape == (0,)
    assert windows.directions(spectra).shape == (0, 63)
    assert len(windows.in_canonical_turn(spectra)) == 0


positions = st.lists(st.floats(-4, SIGNATURE_SIDE + 3), min_size=1, max_size=20).map(np.array)


@given(positions)
def test_interpolation_leaves_a_flat_picture_flat(where):
    rows = windows.interpolation(where, SIGNATURE_SIDE)
    assert rows.shape == (len(where), SIGNATURE_SIDE)
    assert np.allclose(rows.sum(axis=1), 1)


@given(positions, st.floats(-5, 5), st.floats(-5, 5), st.floats(-0.2, 0.2))
def test_interpolation_is_exact_for_lines_and_parabolas_within_the_picture(where, a, b, c):
    inside = where[(where >= 1) & (where <= SIGNATURE_SIDE - 2)]
    cells = np.arange(SIGNATURE_SIDE)
    found = windows.interpolation(inside, SIGNATURE_SIDE) @ (a + b * cells + c * cells**2)
    assert np.allclose(found, a + b * inside + c * inside**2, atol=1e-6)


def test_interpolation_at_a_cell_is_that_cell_and_beyond_the_edge_the_one_at_the_edge():
    cells = np.arange(SIGNATURE_SIDE)
    assert np.allclose(windows.interpolation(cells * 1.0, SIGNATURE_SIDE), np.eye(SIGNATURE_SIDE))
    outside = windows.interpolation(np.array([-4.0, -2.0, 33.0, 35.0]), SIGNATURE_SIDE)
    assert np.allclose(outside, np.eye(SIGNATURE_SIDE)[[0, 0, -1, -1]])
