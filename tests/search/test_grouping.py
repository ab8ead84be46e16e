"""Stars, not chains."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.search import grouping, join
from catalog.search.grouping import (
    PAIRS_HELD,
    Edges,
    Stars,
    hold,
    stars,
    stars_asking,
    stars_within,
)
from catalog.search.hamming import PairBlock
from catalog.search.join import pairs_within
from tests.search.counting import CountingExecutor
from tests.search.oracle import Triple, close_pairs, plain_leaders, plain_stars, triples
from tests.search.samples import array, different, families, joins, near, small_limits, varying


def blocks(edges: list[Triple], *, size: int = 3) -> list[PairBlock]:
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


def held(edges: list[Triple]) -> Edges:
    some = hold(blocks(edges))
    assert some is not None
    return some


def as_lists(answer: Stars) -> tuple[list[int], list[int]]:
    assert (answer.centre.dtype, answer.distance.dtype) == (np.int64, np.uint8)
    return answer.centre.tolist(), answer.distance.tolist()


def group(count: int, edges: list[Triple], rank: list[int]) -> tuple[list[int], list[int]]:
    assert len(rank) == count
    return as_lists(stars(np.array(rank, dtype=np.int64), held(edges)))


@contextmanager
def rounds(number: int) -> Iterator[None]:
    """So many nodes at once before the rest is settled one by one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "_ROUNDS", number)
        yield


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 12))
    every = list(itertools.combinations(range(count), 2))
    chosen = draw(st.lists(st.sampled_from(every), unique=True)) if every else []
    edges = [(a, b, draw(st.integers(0, 8))) for a, b in chosen]
    return count, edges, draw(st.permutations(range(count)))


@given(graphs(), st.sampled_from([0, 1, 2, 64]))
def test_stars_follow_the_rule_as_written(graph, at_once):
    with rounds(at_once):
        assert group(*graph) == plain_stars(*graph)


@pytest.mark.parametrize("count", [5, 63, 64, 65, 66, 127, 128, 129, 130, 131, 400])
@pytest.mark.parametrize("extra", [0, 40])
def test_long_chains_follow_the_rule_as_written(count, extra):
    """Each link takes a round of its own; those after the last round are settled one by one."""
    dice = np.random.default_rng(count)
    chain = {(node, node + 1): 3 for node in range(count - 1)}
    for a, b in dice.integers(0, count, (extra, 2)).tolist():
        if a != b:
            chain.setdefault((min(a, b), max(a, b)), 5)
    edges = [(a, b, distance) for (a, b), distance in chain.items()]
    for rank in (list(range(count)), list(range(count))[::-1], dice.permutation(count).tolist()):
        assert group(count, edges, rank) == plain_stars(count, edges, rank)


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
    assert list(stars(np.arange(4), held([])).groups()) == []


def test_a_large_graph_has_no_close_centres_and_no_far_members():
    count = 100_000
    dice = np.random.default_rng(1)
    first, second = dice.integers(0, count, (2, 5 * count))
    apart = first != second
    # One distance for all, as a pair drawn twice must say the same.
    block = PairBlock(first[apart], second[apart], np.full(apart.sum(), 3, dtype=np.uint8))
    edges = hold([block])
    assert edges is not None
    answer = stars(dice.permutation(count), edges)
    assert (answer.centre[answer.centre] == answer.centre).all()
    is_centre = answer.centre == np.arange(count)
    assert not (is_centre[block.first] & is_centre[block.second]).any()
    near_pairs = set(zip(block.first.tolist(), block.second.tolist(), strict=True))
    for node in np.flatnonzero(~is_centre)[::50].tolist():
        pair = (node, int(answer.centre[node]))
        assert pair in near_pairs or pair[::-1] in near_pairs


def test_pairs_are_held_as_they_come_up_to_a_number():
    edges = [(0, 1, 3), (2, 7, 0), (5, 6, 64), (1, 2, 9)]
    some = held(edges)
    assert len(some) == 4
    assert [some.first.tolist(), some.second.tolist(), some.distance.tolist()] == [
        list(column) for column in zip(*edges, strict=True)
    ]
    assert (some.first.dtype, some.second.dtype) == (np.int32, np.int32)
    assert some.distance.dtype == np.uint8
    assert len(hold(blocks(edges), most=4) or []) == 4
    assert hold(blocks(edges), most=3) is None
    assert len(held([])) == 0


def test_too_many_pairs_are_not_waited_for():
    def stream() -> Iterator[PairBlock]:
        yield from blocks([(0, 1, 3), (0, 2, 3)], size=1)
        raise AssertionError("one pair was allowed")

    assert hold(stream(), most=1) is None


@st.composite
def ranked_hashes(draw: st.DrawFn) -> tuple[np.ndarray, int, list[int]]:
    """Different values, a radius, and a rank."""
    values, radius = draw(joins(most=40))
    values = array(draw(st.permutations(sorted(set(values.tolist())))))
    return values, radius, draw(st.permutations(range(len(values))))


def within(values, radius, rank, executor=None, most=PAIRS_HELD) -> tuple[list[int], list[int]]:
    ranks = np.array(rank, dtype=np.int64)
    return as_lists(stars_within(values, radius, ranks, executor, most=most))


@settings(max_examples=100, deadline=None)
@given(ranked_hashes(), st.sampled_from([0, 1, 2, 5, 30, PAIRS_HELD]), st.sampled_from([1, 64]))
def test_stars_of_values_follow_the_rule_however_few_pairs_may_be_held(some, most, at_once):
    values, radius, rank = some
    expected = plain_stars(len(values), close_pairs(values, radius), rank)
    with rounds(at_once), small_limits():
        assert within(values, radius, rank, most=most) == expected


@settings(max_examples=60, deadline=None)
@given(ranked_hashes(), st.sampled_from([0, 3, PAIRS_HELD]), st.randoms(use_true_random=False))
def test_groups_of_values_do_not_depend_on_the_order_of_rows(some, most, dice):
    values, radius, rank = some
    centre, away = within(values, radius, rank, most=most)
    old = list(range(len(values)))  # old[i]: where the node stood that now stands at i
    dice.shuffle(old)
    moved_rank = [rank[node] for node in old]

    moved_centre, moved_away = within(values[old], radius, moved_rank, most=most)

    assert [old[node] for node in moved_centre] == [centre[node] for node in old]
    assert moved_away == [away[node] for node in old]


@pytest.mark.parametrize("most", [50, 2_000, PAIRS_HELD])
@pytest.mark.parametrize(
    "values",
    [
        different(near(9_000, 4), 3_000),
        different(varying(4_000, 13, 20), 3_000),
        different(families(4_000), 3_000),
    ],
    ids=["within 4 bits", "few bits", "families"],
)
def test_neither_threads_nor_the_number_of_pairs_held_change_groups(values, most):
    rank = np.random.default_rng(2).permutation(len(values))
    for radius in (1, 4):
        edges = hold(pairs_within(values, radius))
        assert edges is not None
        assert len(edges) > most or most == PAIRS_HELD or radius == 1
        expected = as_lists(stars(rank, edges))
        assert within(values, radius, rank, most=most) == expected
        for threads in (1, 4):
            with ThreadPoolExecutor(threads) as pool:
                assert within(values, radius, rank, pool, most=most) == expected


@pytest.mark.parametrize(
    ("values", "most_work"),
    [
        (different(near(90_000, 4), 60_000), 0.03),
        (different(varying(66_000, 20, 0), 60_000), 0.1),
        (different(varying(66_000, 20, 44), 60_000), 0.1),
    ],
    ids=["within 4 bits", "lowest 20 bits", "highest 20 bits"],
)
def test_a_quadratic_number_of_pairs_does_not_make_quadratic_work(values, most_work):
    """Scanned pages: one group, and not every pair of it is looked at."""
    count, radius = len(values), 8
    rank = np.random.default_rng(4).permutation(count)
    counting = CountingExecutor()
    found = stars_within(values, radius, rank, counting, most=500_000)
    assert counting.computed < most_work * count * (count - 1) / 2
    centres = np.flatnonzero(found.centre == np.arange(count))
    assert 1 <= len(centres) < 100
    assert triples(pairs_within(values[centres], radius)) == []
    assert_nearest_better_centre(values, rank, found, centres)


def assert_nearest_better_centre(values, rank, found, centres) -> None:
    """Every member has the nearest of all better centres, the best of equally near ones."""
    distance = np.bitwise_count(values[:, np.newaxis] ^ values[centres]).astype(np.int64)
    worse = rank[centres] > rank[:, np.newaxis]
    choice = (distance + 100 * worse) * len(values) + rank[centres]
    best = centres[choice.argmin(axis=1)]
    members = found.centre != np.arange(len(values))
    assert np.array_equal(found.centre[members], best[members])
    away = np.bitwise_count(values ^ values[found.centre])
    assert np.array_equal(found.distance, away)


def test_many_pairs_are_grouped_in_bounded_memory(monkeypatch):
    """Held in full they would take 9 bytes each, 350 MB, and some times that to sort.

    With smaller tasks, as one of the usual size may find two million pairs.
    """
    monkeypatch.setattr(join, "_TASK", 1 << 15)
    values = different(near(12_000, 3), 9_000)
    rank = np.random.default_rng(4).permutation(len(values))
    pairs = len(values) * (len(values) - 1) // 2
    tracemalloc.start()
    try:
        found = stars_within(values, 6, rank, most=100_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(np.unique(found.centre)) < 10
    assert peak < 40_000_000 < 9 * pairs / 5


class Asking:
    """Says which edges hold, and remembers what it was asked."""

    def __init__(self, good: set[int]) -> None:
        self.good = good
        self.rounds: list[list[int]] = []

    def __call__(self, edges: np.ndarray) -> np.ndarray:
        assert edges.dtype == np.int64
        self.rounds.append(edges.tolist())
        return np.array([edge in self.good for edge in edges.tolist()], dtype=np.bool_)

    @property
    def asked(self) -> list[int]:
        return [edge for some in self.rounds for edge in some]


def asking(
    edges: list[tuple[int, int]], rank: list[int], cost: list[float], holds: Asking
) -> tuple[list[int], list[int]]:
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    costs = np.array(cost, dtype=np.float64)
    order = np.array(rank, dtype=np.int64)
    found = stars_asking(order, ends[:, 0], ends[:, 1], costs.__getitem__, holds)
    assert (found.centre.dtype, found.edge.dtype) == (np.int64, np.int64)
    return found.centre.tolist(), found.edge.tolist()


@st.composite
def doubtful_graphs(draw):
    """A graph of whose edges some hold: edges, rank, cost, and which."""
    _, edges, rank = draw(graphs())
    ends = [draw(st.sampled_from([(a, b), (b, a)])) for a, b, _ in edges]
    cost = [distance / 8 for _, _, distance in edges]
    good = draw(st.sets(st.integers(0, max(0, len(edges) - 1))))
    return ends, list(rank), cost, good


@settings(max_examples=300)
@given(doubtful_graphs())
def test_stars_that_ask_follow_the_rule_as_written_and_ask_for_no_more(graph):
    edges, rank, cost, good = graph
    holds = Asking(good)
    centre, by, asked = plain_leaders(len(rank), edges, rank, cost, good)
    assert asking(edges, rank, cost, holds) == (centre, by)
    assert sorted(holds.asked) == sorted(asked)


@given(doubtful_graphs())
def test_only_edges_between_a_centre_and_a_later_node_are_asked_about_and_once(graph):
    edges, rank, cost, good = graph
    holds = Asking(good)
    centre, _ = asking(edges, rank, cost, holds)
    assert len(holds.asked) == len(set(holds.asked))
    for a, b in (edges[at] for at in holds.asked):
        better = a if rank[a] < rank[b] else b
        assert centre[better] == better


@given(graphs())
def test_stars_that_ask_are_stars_where_all_edges_hold(graph):
    count, edges, rank = graph
    ends, cost = [(a, b) for a, b, _ in edges], [float(distance) for _, _, distance in edges]
    expected, away = group(count, edges, rank)
    centre, by = asking(ends, list(rank), cost, Asking(set(range(len(edges)))))
    assert centre == expected
    assert [0 if at < 0 else cost[at] for at in by] == away


def test_where_no_edge_holds_all_stand_alone_and_all_were_asked_about():
    edges = list(itertools.combinations(range(6), 2))
    holds = Asking(set())
    assert asking(edges, [3, 1, 4, 0, 5, 2], [0.0] * 15, holds) == (list(range(6)), [-1] * 6)
    assert sorted(holds.asked) == list(range(15))


def test_edges_that_do_not_wait_for_each_other_are_asked_about_at_once():
    """Two stars side by side; what is between their members is never asked about."""
    edges = [(0, 2), (0, 3), (1, 4), (1, 5), (2, 4), (3, 5)]
    holds = Asking(set(range(6)))
    assert asking(edges, list(range(6)), [1.0] * 6, holds)[0] == [0, 1, 0, 0, 1, 1]
    assert len(holds.rounds) == 2
    assert sorted(holds.asked) == [0, 1, 2, 3]


def test_a_star_without_edges_is_asked_nothing():
    holds = Asking(set())
    assert asking([], [2, 0, 1], [], holds) == ([0, 1, 2], [-1, -1, -1])
    assert asking([], [], [], holds) == ([], [])
    assert holds.rounds == []


def test_a_long_chain_is_settled_though_each_link_waits_for_the_one_before():
    edges = [(node, node + 1) for node in range(300)]
    holds = Asking(set(range(300)))
    centre, by = asking(edges, list(range(301)), [0.0] * 300, holds)
    assert centre == [node - node % 2 for node in range(301)]
    assert by == [node - 1 if node % 2 else -1 for node in range(301)]
    assert holds.asked == list(range(0, 300, 2))


def test_what_an_edge_costs_is_asked_when_it_is_known_to_hold():
    """Two centres that are not close; that the node is the same as both is found out by asking."""
    costs = np.array([1.2, 1.1])

    def holds(edges):
        costs[edges] = 0.0
        return np.ones(len(edges), dtype=np.bool_)

    ends = np.array([[0, 2], [1, 2]])
    found = stars_asking(np.arange(3), ends[:, 0], ends[:, 1], lambda edges: costs[edges], holds)
    assert found.centre.tolist() == [0, 1, 0], "the best of equal ones"
