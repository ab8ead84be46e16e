"""Every searcher finds exactly what brute force finds: one suite for all of them.

A searcher finds, for values and a radius, every pair of positions at most so many bits apart,
each once, with its distance. How it is run (plan, threads, limits) must not show.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.search import join
from catalog.search.blocks import Plan, plan, plans
from catalog.search.hamming import PairBlock, nearest
from catalog.search.join import pairs_between, pairs_within
from tests.search.oracle import Triple, brute_force, close_between, close_pairs, triples
from tests.search.samples import (
    BASES,
    array,
    few_bits,
    hashes,
    joins,
    near,
    small_limits,
    uniform,
    varying,
)

THREADS = (1, 2, 4)
POOLS = {threads: ThreadPoolExecutor(threads) for threads in THREADS}
MOST_PASSES = 40  # of a forced plan, to keep the suite quick


@pytest.fixture(scope="module", autouse=True)
def _pools() -> Iterator[None]:
    yield
    for pool in POOLS.values():
        pool.shutdown()


def brute_plan(radius: int) -> Plan:
    return Plan(0, radius, 0, 0)


def many_blocks(radius: int) -> list[Plan]:
    """Plans with more blocks than any model would choose for so few values."""
    counts = [
        blocks for blocks in range(radius + 1, 65) if math.comb(blocks, radius) <= MOST_PASSES
    ]
    return [Plan(blocks, radius, 0, 0) for blocks in sorted({*counts[:1], *counts[-1:]})]


def same_of_all(found: Sequence[list[Triple]]) -> list[Triple]:
    assert all(some == found[0] for some in found)
    return found[0]


def inline(values: np.ndarray, radius: int) -> list[Triple]:
    return triples(pairs_within(values, radius))


def every_plan(values: np.ndarray, radius: int) -> list[Triple]:
    offered = plans(values, radius)
    assert offered[0].blocks == 0
    return same_of_all([triples(pairs_within(values, radius, plan_=some)) for some in offered])


def brute(values: np.ndarray, radius: int) -> list[Triple]:
    return triples(pairs_within(values, radius, plan_=brute_plan(radius)))


def forced_blocks(values: np.ndarray, radius: int) -> list[Triple]:
    forced = many_blocks(radius) or [brute_plan(radius)]
    return same_of_all([triples(pairs_within(values, radius, plan_=some)) for some in forced])


def threaded(threads: int) -> Callable[[np.ndarray, int], list[Triple]]:
    def find(values: np.ndarray, radius: int) -> list[Triple]:
        forced = [None, *many_blocks(radius)[:1]]
        return same_of_all(
            [triples(pairs_within(values, radius, POOLS[threads], some)) for some in forced]
        )

    return find


def between_themselves(values: np.ndarray, radius: int) -> list[Triple]:
    """Each pair from both sides, and each value with itself."""
    forced = [None, *many_blocks(radius)]
    found = same_of_all(
        [triples(pairs_between(values, values, radius, plan_=some)) for some in forced]
    )
    upper = [some for some in found if some[0] < some[1]]
    lower = sorted((b, a, distance) for a, b, distance in found if b < a)
    assert lower == upper
    assert [some for some in found if some[0] == some[1]] == [(n, n, 0) for n in range(len(values))]
    return upper


def between_halves(values: np.ndarray, radius: int) -> list[Triple]:
    """Pairs within each half, and pairs between them."""
    half = len(values) // 2
    left, right = values[:half], values[half:]
    across = triples(pairs_between(left, right, radius, POOLS[2]))
    within = [(a + half, b + half, d) for a, b, d in triples(pairs_within(right, radius))]
    found = triples(pairs_within(left, radius)) + [(a, b + half, d) for a, b, d in across] + within
    return sorted(found)


def one_by_one(values: np.ndarray, radius: int) -> list[Triple]:
    found: list[Triple] = []
    for first, query in enumerate(values.tolist()):
        positions, distances = nearest(values, query, radius)
        assert (positions.dtype, distances.dtype) == (np.int64, np.uint8)
        matches = zip(positions.tolist(), distances.tolist(), strict=True)
        found += [(first, second, distance) for second, distance in matches if first < second]
    return sorted(found)


SEARCHERS: dict[str, Callable[[np.ndarray, int], list[Triple]]] = {
    "inline": inline,
    "every plan": every_plan,
    "brute force": brute,
    "many blocks": forced_blocks,
    **{f"{threads} threads": threaded(threads) for threads in THREADS},
    "between themselves": between_themselves,
    "between halves": between_halves,
    "one by one": one_by_one,
}
each_searcher = pytest.mark.parametrize("find", SEARCHERS.values(), ids=SEARCHERS)
both_limits = pytest.mark.parametrize("limits", [nullcontext, small_limits])


@each_searcher
@both_limits
@settings(max_examples=25, deadline=None)
@given(some=joins())
def test_finds_exactly_the_pairs_of_brute_force_each_once(find, limits, some):
    values, radius = some
    with limits():
        assert find(values, radius) == close_pairs(values, radius)


@each_searcher
def test_every_radius_works_also_beyond_what_is_sensible(find):
    for radius in (*range(17), 32, 63, 64):
        values = around(radius)
        expected = close_pairs(values, radius)
        assert any(distance == radius for _, _, distance in expected)
        with small_limits():
            assert find(values, radius) == expected


def around(radius: int) -> np.ndarray:
    """Values, and copies as far from them as the radius, one bit less, and one more."""
    dice = np.random.default_rng(radius)
    values = uniform(40, radius)
    for copy in range(20):
        flips = min(64, max(0, radius + copy % 3 - 1))
        bits = dice.choice(64, flips, replace=False).astype(np.uint64)
        values[copy] = values[20 + copy] ^ np.bitwise_or.reduce(np.uint64(1) << bits, initial=0)
    return values


@each_searcher
def test_every_small_number_of_values_works(find):
    # Up to 6, the longest bucket, and beside the next multiples of it.
    for count in (*range(9), 11, 12, 13, 19, 25):
        for values in (
            np.zeros(count, dtype=np.uint64),
            np.uint64(1) << np.arange(count, dtype=np.uint64),
            varying(count, 3, 40),
        ):
            with small_limits():
                assert find(values, 2) == close_pairs(values, 2)


@each_searcher
def test_finds_bits_that_differ_in_every_place(find):
    """Two values that differ in bits i and j, for every i and j: no block has a blind edge."""
    bits = np.uint64(1) << np.arange(64, dtype=np.uint64)
    for base in (0, 2**64 - 1, 0xAAAAAAAAAAAAAAAA):
        values = bits ^ np.uint64(base)
        found = find(values, 2)
        assert found == close_pairs(values, 2)
        assert len(found) == 64 * 63 // 2
        assert find(values, 1) == []


@given(st.lists(st.sampled_from(BASES) | st.integers(0, 2**64 - 1), max_size=8))
def test_distances_are_those_of_imagehash(values):
    pictures = [imagehash.hex_to_hash(f"{value:016x}") for value in values]
    expected = [(a, b, pictures[a] - pictures[b]) for b in range(len(values)) for a in range(b)]
    for radius in (0, 6, 31, 64):
        within = sorted(some for some in expected if some[2] <= radius)
        assert triples(pairs_within(array(values), radius)) == within
        assert close_pairs(array(values), radius) == within  # the oracle is right, too


@both_limits
@settings(max_examples=40, deadline=None)
@given(some=joins(), queries=hashes(most=30), data=st.data())
def test_queries_find_the_values_near_them(limits, some, queries, data):
    values, radius = some
    queries = data.draw(st.sampled_from([queries, values[::-2]]))
    expected = close_between(queries, values, radius)
    with limits():
        for forced in (None, brute_plan(radius), *many_blocks(radius)):
            assert triples(pairs_between(queries, values, radius, plan_=forced)) == expected
        for some_plan in plans(values, radius, queries) if len(values) and len(queries) else ():
            found = pairs_between(queries, values, radius, POOLS[2], some_plan)
            assert triples(found) == expected


def stream(values: np.ndarray, radius: int, executor: Executor | None, some: Plan | None) -> list:
    """Every number of it, and where each block ends."""
    return [
        (block.first.tolist(), block.second.tolist(), block.distance.tolist())
        for block in pairs_within(values, radius, executor, some)
    ]


@settings(max_examples=20, deadline=None)
@given(some=joins())
def test_the_stream_is_the_same_every_time_on_any_number_of_threads(some):
    values, radius = some
    with small_limits():
        for forced in (None, *many_blocks(radius)[:1]):
            expected = stream(values, radius, None, forced)
            assert stream(values, radius, None, forced) == expected
            for pool in POOLS.values():
                assert stream(values, radius, pool, forced) == expected


def test_a_longer_stream_is_the_same_on_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(join, "_TASK", 1 << 16)
    values = near(2000, 3)
    expected = stream(values, 3, None, None)
    assert len(expected) > 10
    for pool in POOLS.values():
        assert stream(values, 3, pool, None) == expected


def bucket_sizes() -> list[int]:
    """Around every height of a column, and around every length at which buckets are cut."""
    cut = [times * join._LONGEST + more for times in (1, 2, 3) for more in (-1, 0, 1)]
    return sorted({height + more for height in join._HEIGHTS for more in (0, 1)} | {*cut})


@pytest.mark.parametrize("threads", [None, 2])
@pytest.mark.parametrize("forced", [None, *many_blocks(3)], ids=str)
def test_buckets_of_every_size_are_compared_in_full(threads, forced):
    """One bucket of each size in the pass of the highest 16 bits."""
    sizes = bucket_sizes()
    dice = np.random.default_rng(9)
    values = dice.integers(0, 2**48, sum(sizes), dtype=np.uint64)
    group = np.repeat(np.arange(len(sizes), dtype=np.uint64), sizes)
    copied = np.flatnonzero(dice.random(len(values)) < 0.3)[1:]
    for position in copied.tolist():  # up to three bits from any value before it
        bits = dice.integers(0, 48, dice.integers(0, 4), dtype=np.uint64)
        values[position] = values[dice.integers(0, position)]
        values[position] ^= np.bitwise_xor.reduce(np.uint64(1) << bits, initial=0)
    values |= group << np.uint64(48)
    order = dice.permutation(len(values))
    executor = None if threads is None else POOLS[threads]

    found = columns(pairs_within(values[order], 3, executor, forced))

    expected = columns(brute_force(values[order], 3))
    assert len(expected[0]) > 1000
    assert all(np.array_equal(mine, other) for mine, other in zip(found, expected, strict=True))


def columns(blocks: Iterator[PairBlock]) -> list[np.ndarray]:
    """All of a stream as three arrays, in order of position."""
    every = list(blocks)
    first = np.concatenate([block.first for block in every])
    second = np.concatenate([block.second for block in every])
    distance = np.concatenate([block.distance for block in every])
    order = np.lexsort((second, first))
    return [first[order], second[order], distance[order]]


@pytest.mark.parametrize("queries", [1, 2, 511, 512, 513, 1025])
@pytest.mark.parametrize("count", [1, 2, 511, 512, 513, 4097])
def test_long_buckets_are_looked_up_in_full(queries, count):
    values, asked = varying(count, 9, 3, seed=1), varying(queries, 9, 3, seed=2)
    distances = np.bitwise_count(asked[:, np.newaxis] ^ values)
    expected = int((distances <= 1).sum())
    for forced in (None, brute_plan(1), Plan(2, 1, 0, 0), Plan(9, 1, 0, 0)):
        found = list(pairs_between(asked, values, 1, POOLS[2], forced))
        pairs = np.zeros(distances.shape, dtype=np.int64)
        for block in found:
            np.add.at(pairs, (block.first, block.second), 1)
            assert np.array_equal(distances[block.first, block.second], block.distance)
        assert np.array_equal(pairs, distances <= 1)
        assert sum(map(len, found)) == expected


@settings(max_examples=40, deadline=None)
@given(few_bits(most=40).map(array), st.integers(0, 6))
def test_values_may_be_a_view_with_steps_and_are_left_alone(values, radius):
    doubled = np.repeat(values, 2)
    view = doubled[::2]
    assert triples(pairs_within(view, radius)) == close_pairs(values, radius)
    assert triples(pairs_between(view, view, radius)) == close_between(values, values, radius)
    assert np.array_equal(doubled, np.repeat(values, 2))


def test_nothing_and_one_value_make_no_pairs():
    nothing = array([])
    assert list(pairs_within(nothing, 64)) == []
    assert list(pairs_within(array([3]), 64)) == []
    assert list(pairs_between(nothing, array([3]), 64)) == []
    assert list(pairs_between(array([3]), nothing, 64)) == []
    assert triples(pairs_between(array([3]), array([3]), 0)) == [(0, 0, 0)]
    assert plan(nothing, 4).blocks == plan(array([3]), 4).blocks == 0
