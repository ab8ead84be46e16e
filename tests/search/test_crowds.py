"""Values that many have: all pairs of close ones, in bounded blocks; of a crowd only the first."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.search import crowds
from catalog.search.crowds import Crowds, among_the_first, joined

few_values = st.lists(st.sampled_from([0, 1, 3, 7, 15, 2**63, 2**64 - 1]), max_size=40).map(
    lambda values: np.array(values, dtype=np.uint64)
)


def pairs_of(ours: np.ndarray, theirs: np.ndarray, radius: int) -> list[tuple[int, int]]:
    return [
        (one, other)
        for one, other in itertools.product(range(len(ours)), range(len(theirs)))
        if (int(ours[one]) ^ int(theirs[other])).bit_count() <= radius
    ]


@given(few_values, few_values, st.integers(0, 3), st.sampled_from([1, 5, 1 << 18]))
def test_all_members_of_close_values_come_once_and_in_bounded_blocks(ours, theirs, radius, most):
    """By positions that are not those in the arrays."""
    queries = Crowds.of(ours, np.arange(len(ours)) * 2 + 7)
    values = Crowds.of(theirs, np.arange(len(theirs)) * 3 + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crowds, "_PAIRS_AT_ONCE", most)
        blocks = list(joined(queries, values, radius, None))
    found = [pair for block in blocks for pair in zip(*(c.tolist() for c in block), strict=True)]
    expected = pairs_of(ours, theirs, radius)
    assert sorted(found) == sorted((one * 2 + 7, other * 3 + 1) for one, other in expected)
    one_row = min(largest(ours), largest(theirs))  # of one crowd with another: not cut any smaller
    assert all(len(one) <= max(most, one_row) for one, _ in blocks)


def largest(values: np.ndarray) -> int:
    return int(np.unique(values, return_counts=True)[1].max(initial=0))


@pytest.mark.parametrize(("ours", "theirs"), [(3, 50), (50, 3)])
def test_of_two_crowds_each_of_the_larger_is_in_one_block_only(ours, theirs, monkeypatch):
    """What is computed for it is computed once."""
    monkeypatch.setattr(crowds, "_PAIRS_AT_ONCE", 10)
    queries, values = (
        Crowds.of(np.zeros(size, dtype=np.uint64), np.arange(size)) for size in (ours, theirs)
    )
    larger = [set(block[int(ours < theirs)].tolist()) for block in joined(queries, values, 0, None)]
    assert sum(map(len, larger)) == len(set.union(*larger)) == 50


@given(few_values, st.integers(1, 4), st.randoms(use_true_random=False))
def test_the_first_of_each_value_are_those_of_the_lowest_rank(values, most, dice):
    rank = np.array(dice.sample(range(len(values)), len(values)), dtype=np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crowds, "CROWD", most)
        found = among_the_first(values, rank)
    for at in range(len(values)):
        before = np.count_nonzero((values == values[at]) & (rank < rank[at]))
        assert found[at] == (before < most)
