"""Made-up hashes, held against what was measured on real ones."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks import values
from numpy.typing import NDArray

from tests.search.oracle import brute_force as pairs_within


@pytest.mark.parametrize("skew", values.SKEWS)
def test_the_same_seed_gives_the_same_values_and_another_one_others(skew: str) -> None:
    made = values.make(skew, 3000, seed=5)
    assert made.dtype == np.uint64
    assert made.shape == (3000,)
    assert np.array_equal(made, values.make(skew, 3000, seed=5))
    assert not np.array_equal(made, values.make(skew, 3000, seed=6))


@pytest.mark.parametrize("skew", values.SKEWS)
@pytest.mark.parametrize("count", [0, 1, 2, 27])
def test_few_values_are_as_many_as_were_asked_for(skew: str, count: int) -> None:
    assert len(values.make(skew, count)) == count


def test_uniform_bits_are_set_half_of_the_time() -> None:
    assert shares_of_bits(values.uniform(20_000)) == pytest.approx(np.full(64, 0.5), abs=0.02)


def test_a_hash_of_a_photo_has_32_bits_set_the_highest_one_always() -> None:
    made = values.photos_like(20_000)
    assert set(np.bitwise_count(made).tolist()) == {32}
    assert shares_of_bits(made)[63] == 1


def test_photos_are_spread_as_real_ones_are() -> None:
    made = values.photos_like(8000)
    distances = np.concatenate(
        [np.bitwise_count(made[row] ^ made[row + 1 :]) for row in range(len(made))]
    )
    assert distances.mean() == pytest.approx(31.3, abs=0.4)  # measured: 31.27
    assert distances.std() == pytest.approx(4.6, abs=0.2)  # measured: 4.60
    apart = distances[distances > 8]
    for radius, share in ((12, 1.9e-4), (16, 1.5e-3), (20, 0.0125), (24, 0.08)):
        assert share / 2 < (apart <= radius).mean() < share * 2


def test_a_sixth_of_the_photos_are_copies_of_others_most_of_them_with_equal_hashes() -> None:
    made = values.photos_like(8000)
    near: set[int] = set()
    equal: set[int] = set()
    for block in pairs_within(made, 4):
        near.update(block.first.tolist(), block.second.tolist())
        same = block.distance == 0
        equal.update(block.first[same].tolist(), block.second[same].tolist())
    assert 0.15 < len(near) / len(made) < 0.22  # measured: 0.176
    assert len(equal) / len(near) > 0.8


def test_half_of_the_values_under_stress_are_within_8_bits_of_each_other() -> None:
    made = values.stress(600)
    pairs = sum(len(block) for block in pairs_within(made, 8))
    assert pairs == 300 * 299 // 2


def shares_of_bits(made: NDArray[np.uint64]) -> NDArray[np.float64]:
    bits = made[:, np.newaxis] >> np.arange(64, dtype=np.uint64) & np.uint64(1)
    shares: NDArray[np.float64] = bits.mean(axis=0)
    return shares
