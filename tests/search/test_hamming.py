"""Close hashes: plain Python and ImageHash's own subtraction are the oracles."""

from __future__ import annotations

import random
from decimal import Decimal, getcontext
from math import floor

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import UsageError
from catalog.search import hamming
from catalog.search.hamming import nearest, pairs_within, radius_of_similarity

HASHES = st.lists(
    # Few bits set around few centres, so that small radii find something.
    st.builds(
        lambda centre, bits: centre ^ sum({1 << bit for bit in bits}),
        st.sampled_from([0, 2**64 - 1, 0x0123456789ABCDEF]),
        st.lists(st.integers(0, 63), max_size=5),
    ),
    max_size=40,
)


def array(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


def found(values: list[int], radius: int) -> list[tuple[int, int, int]]:
    return [
        triple
        for block in pairs_within(array(values), radius)
        for triple in zip(
            block.first.tolist(), block.second.tolist(), block.distance.tolist(), strict=True
        )
    ]


def brute_force(values: list[int], radius: int) -> list[tuple[int, int, int]]:
    return [
        (i, j, (values[i] ^ values[j]).bit_count())
        for i in range(len(values))
        for j in range(i + 1, len(values))
        if (values[i] ^ values[j]).bit_count() <= radius
    ]


@given(HASHES, st.integers(0, 64))
def test_pairs_are_those_of_brute_force_each_once(values, radius):
    assert sorted(found(values, radius)) == brute_force(values, radius)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 5), (5, 3), (7, 7), (64, 4096)])
def test_tiles_of_any_shape_find_the_same_pairs(monkeypatch, rows, columns):
    monkeypatch.setattr(hamming, "TILE_ROWS", rows)
    monkeypatch.setattr(hamming, "TILE_COLUMNS", columns)
    dice = random.Random(rows * 100 + columns)
    values = [dice.choice([0, 2**64 - 1]) ^ (1 << dice.randrange(64)) for _ in range(61)]

    assert sorted(found(values, 2)) == brute_force(values, 2)


def test_distances_are_those_of_imagehash():
    dice = random.Random(7)
    values = [dice.getrandbits(64) for _ in range(60)]
    pictures = [imagehash.hex_to_hash(f"{value:016x}") for value in values]

    expected = [
        (i, j, pictures[i] - pictures[j])
        for i in range(60)
        for j in range(i + 1, 60)
        if pictures[i] - pictures[j] <= 30
    ]

    assert expected
    assert sorted(found(values, 30)) == expected


def test_pairs_come_in_the_same_order_every_time_and_never_as_an_empty_block():
    values = [n % 7 for n in range(5000)]
    assert found(values[:300], 1) == found(values[:300], 1)
    assert all(len(block) for block in pairs_within(array([1, 2**63, 5]), 0))
    assert [len(block) for block in pairs_within(array([]), 64)] == []
    assert [len(block) for block in pairs_within(array([3]), 64)] == []


def test_blocks_are_bounded_even_when_every_pair_matches():
    values = np.zeros(3000, dtype=np.uint64)
    sizes = [len(block) for block in pairs_within(values, 0)]
    assert sum(sizes) == 3000 * 2999 // 2
    assert max(sizes) <= hamming.TILE_ROWS * hamming.TILE_COLUMNS


def test_pairs_have_the_promised_types():
    (block,) = pairs_within(array([1, 3, 2**64 - 1]), 1)
    assert (block.first.dtype, block.second.dtype) == (np.int64, np.int64)
    assert block.distance.dtype == np.uint8


@given(HASHES, st.integers(0, 2**64 - 1), st.integers(0, 64), st.none() | st.integers(0, 10))
def test_nearest_comes_best_first_then_by_position(values, query, radius, limit):
    positions, distances = nearest(array(values), query, radius, limit)

    expected = sorted(((v ^ query).bit_count(), i) for i, v in enumerate(values))
    expected = [(d, i) for d, i in expected if d <= radius][:limit]
    assert list(zip(distances.tolist(), positions.tolist(), strict=True)) == expected


def test_of_many_equally_near_values_the_first_come_first():
    values = array([1 << (n * 7 % 64) for n in range(3000)])
    positions, _ = nearest(values, 0, 1, limit=100)
    assert positions.tolist() == list(range(100))


@pytest.mark.parametrize(
    ("percent", "radius"),
    [
        (100, 0),
        (99.9, 0),
        (99, 0),
        (98.4375, 1),
        (98.43, 1),
        (98.44, 0),
        (95, 3),
        (90.625, 6),
        (90, 6),
        (89.0625, 7),
        (87.5, 8),
        (75, 16),
        (50, 32),
        (0.1, 63),
        (1e-20, 63),
        (0, 64),
    ],
)
def test_similarity_is_a_radius(percent, radius):
    assert radius_of_similarity(percent) == radius


@given(st.decimals(0, 100, places=4))
def test_similarity_is_computed_on_decimal_digits(percent):
    getcontext().prec = 28
    assert radius_of_similarity(float(percent)) == floor(64 * (100 - percent) / Decimal(100))


@pytest.mark.parametrize("percent", [-1, 100.001, float("nan"), float("inf")])
def test_similarity_outside_0_to_100_is_refused(percent):
    with pytest.raises(UsageError, match="from 0 to 100"):
        radius_of_similarity(percent)
