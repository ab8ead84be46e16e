"""The eight ways a square can lie, as arrays, as a group, as EXIF has them, and in frequencies."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image, ImageOps
from scipy.fft import dctn

from catalog.dihedral import (
    COMPOSED,
    EXIF,
    FLIPPED,
    INVERSE,
    MIRRORED,
    SWAPPED,
    TURNS,
    spectra_turned,
    turned,
    turned_each,
)

SQUARE = np.random.default_rng(1).integers(0, 256, (5, 5), dtype=np.uint8)
each_turn = pytest.mark.parametrize("turn", TURNS)


def test_each_bit_of_a_turn_does_what_its_name_says():
    assert np.array_equal(turned(SQUARE, MIRRORED), np.fliplr(SQUARE))
    assert np.array_equal(turned(SQUARE, FLIPPED), np.flipud(SQUARE))
    assert np.array_equal(turned(SQUARE, SWAPPED), SQUARE.T)
    assert np.array_equal(turned(SQUARE, 0), SQUARE)


def test_of_several_bits_mirroring_comes_before_swapping():
    assert np.array_equal(turned(SQUARE, MIRRORED | SWAPPED), np.fliplr(SQUARE).T)
    assert np.array_equal(turned(SQUARE, MIRRORED | FLIPPED | SWAPPED), SQUARE[::-1, ::-1].T)


def test_the_eight_turns_are_eight():
    assert len({turned(SQUARE, turn).tobytes() for turn in TURNS}) == 8


def test_turning_is_a_view_and_of_every_square_of_a_stack():
    stack = np.arange(2 * 3 * 16).reshape(2, 3, 4, 4)
    for turn in TURNS:
        both = turned(stack, turn)
        assert np.shares_memory(both, stack)
        for at in np.ndindex(2, 3):
            assert np.array_equal(both[at], turned(stack[at], turn))


@pytest.mark.parametrize(("first", "second"), list(itertools.product(TURNS, TURNS)))
def test_two_turns_are_the_one_that_composed_names(first, second):
    both = turned(turned(SQUARE, first), second)
    assert np.array_equal(turned(SQUARE, int(COMPOSED[first, second])), both)


@each_turn
def test_the_inverse_turns_back_from_either_side(turn):
    inverse = int(INVERSE[turn])
    assert np.array_equal(turned(turned(SQUARE, turn), inverse), SQUARE)
    assert np.array_equal(turned(turned(SQUARE, inverse), turn), SQUARE)


def test_turns_make_a_group():
    assert COMPOSED[0].tolist() == COMPOSED[:, 0].tolist() == list(TURNS)
    for one, two, three in itertools.product(TURNS, repeat=3):
        assert COMPOSED[COMPOSED[one, two], three] == COMPOSED[one, COMPOSED[two, three]]
    assert all(sorted(row) == list(TURNS) for row in COMPOSED.tolist())
    assert (COMPOSED != COMPOSED.T).any()


def test_tables_are_small_numbers_that_index_each_other():
    assert (COMPOSED.dtype, INVERSE.dtype) == (np.uint8, np.uint8)
    assert (COMPOSED.shape, INVERSE.shape) == ((8, 8), (8,))


@each_turn
def test_a_viewer_told_the_exif_number_shows_the_picture_turned_that_way(turn):
    image = Image.fromarray(SQUARE)
    image.getexif()[0x0112] = EXIF[turn]
    shown = ImageOps.exif_transpose(image)
    assert np.array_equal(np.asarray(shown), turned(SQUARE, turn))


def test_each_is_turned_its_own_way():
    dice = np.random.default_rng(2)
    squares = dice.integers(0, 256, (40, 6, 6), dtype=np.uint8)
    before = squares.copy()
    turns = dice.integers(0, 8, 40).astype(np.uint8)
    found = turned_each(squares, turns)
    assert found.dtype == np.uint8
    assert not np.shares_memory(found, squares)
    assert np.array_equal(squares, before)
    for square, turn, result in zip(squares, turns.tolist(), found, strict=True):
        assert np.array_equal(result, turned(square, turn))
    assert turned_each(squares[:0], turns[:0]).shape == (0, 6, 6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_frequencies_of_a_turned_square_need_no_transform(dtype):
    dice = np.random.default_rng(3)
    squares = dice.normal(size=(64, 32, 32))
    turns = np.repeat(np.arange(8, dtype=np.uint8), 8)
    low = dctn(squares, axes=(1, 2))[:, :8, :8].astype(dtype)
    before = low.copy()
    found = spectra_turned(low, turns)
    expected = dctn(turned_each(squares, turns), axes=(1, 2))[:, :8, :8]
    assert found.dtype == dtype
    assert np.array_equal(low, before)
    assert np.allclose(found, expected, rtol=2e-3 if dtype == np.float16 else 1e-4, atol=1e-2)
