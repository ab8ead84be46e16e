"""Stars, not chains."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.search.grouping import Stars, stars
from catalog.search.hamming import PairBlock, pairs_within

Edge = tuple[int, int, int]


def blocks(edges: list[Edge], *, size: int = 3) -> list[PairBlock]:
    """The edges as a stream, ``size`` a block."""
    cut = [edges[i : i + size] for i in range(0, len(edges), size)]
    return [
        PairBlock(
            np.array([e[0] for e in part], dtype=np.int64),
            np.array([e[1] for e in part], dtype=np.int64),
            np.array([e[2] for e in part], dtype=np.uint8),
        )
        for part in cut
    ]


def group(count: int, edges: list[Edge], rank: list[int]) -> tuple[list[int], list[int]]:
    answer = stars(count, blocks(edges), np.array(rank, dtype=np.int64))
    return answer.centre.tolist(), answer.distance.tolist()


def plain_stars(count: int, edges: list[Edge], rank: list[int]) -> tuple[list[int], list[int]]:
    """The rule as a person would write it down: the oracle."""
    near: dict[int, dict[int, int]] = {node: {} for node in range(count)}
    for a, b, distance in edges:
        near[a][b] = near[b][a] = distance
    centre, away = list(range(count)), [0] * count
    centres: set[int] = set()
    for node in sorted(range(count), key=rank.__getitem__):
        mine = [(d, rank[other], other) for other, d in near[node].items() if other in centres]
        if mine:
            away[node], _, centre[node] = min(mine)
        else:
            centres.add(node)
    return centre, away


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 12))
    every = list(itertools.combinations(range(count), 2))
    chosen = draw(st.lists(st.sampled_from(every), unique=True)) if every else []
    edges = [(a, b, draw(st.integers(0, 8))) for a, b in chosen]
    return count, edges, draw(st.permutations(range(count)))


@given(graphs())
def test_stars_follow_the_rule_as_written(graph):
    assert group(*graph) == plain_stars(*graph)


@given(graphs())
def test_every_member_is_next_to_its_centre_and_ranks_below_it(graph):
    count, edges, rank = graph
    distances = {(a, b): d for a, b, d in edges} | {(b, a): d for a, b, d in edges}
    centre, away = group(count, edges, rank)
    for node in range(count):
        assert centre[centre[node]] == centre[node]
        if centre[node] == node:
            assert away[node] == 0
        else:
            assert away[node] == distances[node, centre[node]]
            assert rank[centre[node]] < rank[node]


@given(graphs())
def test_no_two_centres_are_close(graph):
    count, edges, rank = graph
    centre, _ = group(count, edges, rank)
    assert not any(centre[a] == a and centre[b] == b for a, b, _ in edges)


@given(graphs(), st.randoms(use_true_random=False))
def test_neither_the_order_of_pairs_nor_that_of_nodes_matters(graph, dice):
    count, edges, rank = graph
    centre, away = group(count, edges, rank)
    new = list(range(count))  # new[i]: where node i stands now
    dice.shuffle(new)
    moved = [(new[a], new[b], d) for a, b, d in edges]
    moved = [(b, a, d) if dice.random() < 0.5 else (a, b, d) for a, b, d in moved]
    dice.shuffle(moved)
    moved_rank = [0] * count
    for node in range(count):
        moved_rank[new[node]] = rank[node]

    moved_centre, moved_away = group(count, moved, moved_rank)

    assert [moved_centre[new[node]] for node in range(count)] == [new[c] for c in centre]
    assert [moved_away[new[node]] for node in range(count)] == away


@given(graphs())
def test_a_pair_told_twice_changes_nothing(graph):
    count, edges, rank = graph
    assert group(count, edges * 2, rank) == group(count, edges, rank)


def test_a_chain_does_not_become_a_group():
    chain = [(i, i + 1, 6) for i in range(9)]
    centre, _ = group(10, chain, list(range(10)))
    assert centre == [0, 0, 2, 2, 4, 4, 6, 6, 8, 8]


def test_a_member_joins_the_nearest_of_several_centres_then_the_best():
    assert group(3, [(0, 2, 5), (1, 2, 3)], [0, 1, 2]) == ([0, 1, 1], [0, 0, 3])
    assert group(3, [(0, 2, 3), (1, 2, 3)], [1, 0, 2]) == ([0, 1, 1], [0, 0, 3])


def test_nodes_without_pairs_stand_alone():
    assert group(3, [], [2, 0, 1]) == ([0, 1, 2], [0, 0, 0])
    assert group(0, [], []) == ([], [])


def test_groups_list_members_nearest_first():
    answer = Stars(
        centre=np.array([2, 1, 2, 2, 1, 5]), distance=np.array([4, 0, 0, 1, 2, 0], dtype=np.uint8)
    )
    listed = [(centre, members.tolist()) for centre, members in answer.groups()]
    assert listed == [(1, [4]), (2, [3, 0])]


def test_groups_of_nothing_are_none():
    assert list(stars(4, [], np.arange(4)).groups()) == []


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2**10 - 1), min_size=1, max_size=60), st.integers(0, 4))
def test_members_of_real_hashes_lie_within_the_radius(values, radius):
    hashes = np.array(values, dtype=np.uint64)
    answer = stars(len(values), pairs_within(hashes, radius), np.arange(len(values)))
    away = np.bitwise_count(hashes ^ hashes[answer.centre])
    assert away.tolist() == answer.distance.tolist()
    assert away.max() <= radius


@pytest.mark.parametrize("count", [200_000])
def test_a_large_graph_is_grouped_in_seconds(count):
    dice = np.random.default_rng(1)
    first, second = dice.integers(0, count, (2, 5 * count))
    apart = first != second
    # One distance for all, as a pair drawn twice must say the same.
    distance = np.full(apart.sum(), 3, dtype=np.uint8)
    block = PairBlock(first[apart], second[apart], distance)
    answer = stars(count, [block], dice.permutation(count))
    assert (answer.centre[answer.centre] == answer.centre).all()
