"""One query, and what a similarity in percent means."""

from __future__ import annotations

from decimal import Decimal, getcontext
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import UsageError
from catalog.search.hamming import nearest, radius_of_similarity

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


@given(HASHES, st.integers(0, 2**64 - 1), st.integers(0, 64), st.data())
def test_nearest_comes_best_first_then_by_position(values, query, radius, data):
    which = st.lists(st.booleans(), min_size=len(values), max_size=len(values))
    among = data.draw(st.none() | which)
    taken = None if among is None else np.array(among, dtype=np.bool_)

    positions, distances = nearest(array(values), query, radius, taken)

    expected = sorted(((v ^ query).bit_count(), i) for i, v in enumerate(values))
    expected = [(d, i) for d, i in expected if d <= radius and (among is None or among[i])]
    assert list(zip(distances.tolist(), positions.tolist(), strict=True)) == expected


def test_of_many_equally_near_values_the_first_come_first():
    values = array([1 << (n * 7 % 64) for n in range(3000)])
    positions, _ = nearest(values, 0, 1)
    assert positions.tolist() == list(range(3000))


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
