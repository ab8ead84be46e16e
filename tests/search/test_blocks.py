"""Passes that see every close pair once, and a cost model that is held against what is done."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.search import blocks
from catalog.search.blocks import KEY_BITS, Plan, plan, plans
from catalog.search.join import pairs_between, pairs_within
from tests.search.counting import CountingExecutor
from tests.search.samples import BASES, array, families, near, uniform, varying

EVERY_BIT = 2**64 - 1


@st.composite
def plans_with_blocks(draw: st.DrawFn) -> Plan:
    """Any number of blocks that takes some hundred passes at most."""
    radius = draw(st.integers(0, 16) | st.sampled_from([31, 62, 63]))
    most = radius + 1
    while most < 64 and math.comb(most + 1, radius) <= 150:
        most += 1
    return Plan(draw(st.integers(radius + 1, most)), radius, 0, 0)


@settings(max_examples=60, deadline=None)
@given(plans_with_blocks(), st.data())
def test_a_close_pair_belongs_to_exactly_one_pass_and_shares_its_bucket(some, data):
    value = data.draw(st.sampled_from(BASES) | st.integers(0, EVERY_BIT))
    bits = data.draw(st.sets(st.integers(0, 63), max_size=some.radius))
    other = value ^ sum(1 << bit for bit in bits)
    differing = array([value ^ other])

    owners = [each for each in some.passes() if each.owns(differing)[0]]

    assert len(owners) == 1
    keys = owners[0].keys(array([value, other]))
    assert keys[0] == keys[1]


@given(plans_with_blocks(), st.data())
def test_values_share_a_key_if_they_agree_on_the_chosen_blocks(some, data):
    passes = list(some.passes())
    each = data.draw(st.sampled_from(passes))
    value, noise = data.draw(st.integers(0, EVERY_BIT)), data.draw(st.integers(0, EVERY_BIT))
    same = value ^ (noise & ~each.agreeing)
    keys = each.keys(array([value, same, noise]))
    assert keys.dtype == np.uint32
    assert keys[0] == keys[1]
    assert int(keys.max()) < 2**each.key_bits
    if each.agreeing.bit_count() <= KEY_BITS:  # there is room for all of the bits
        assert (keys[0] == keys[2]) == ((value ^ noise) & each.agreeing == 0)


@settings(max_examples=40, deadline=None)
@given(plans_with_blocks())
def test_passes_choose_whole_blocks_of_all_64_bits(some):
    passes = list(some.passes())
    assert len(passes) == math.comb(some.blocks, some.radius)
    assert len({each.agreeing for each in passes}) == len(passes)
    together = functools.reduce(int.__or__, (each.agreeing for each in passes))
    assert together == EVERY_BIT
    left_out = 64 // some.blocks * some.radius
    assert max(each.agreeing.bit_count() for each in passes) >= 64 - left_out - some.radius


@pytest.mark.parametrize("shift", [0, 11, 22, 44])
def test_keys_differ_wherever_the_few_bits_are_that_vary(shift):
    """Buckets of scanned pages do not all fall together because the top bits are the same."""
    values = np.arange(2**17, dtype=np.uint64) << np.uint64(shift)
    (only,) = Plan(1, 0, 0, 0).passes()
    assert len(np.unique(only.keys(values))) > 0.99 * len(values)


Maker = Callable[[int], np.ndarray]
SKEWS: dict[str, Maker] = {
    "uniform": uniform,
    "families": families,
    "within 2 bits": lambda n: near(n, 2),
    "within 4 bits": lambda n: near(n, 4),
    "half within 4 bits": lambda n: np.concatenate((near(n // 2, 4), uniform(n - n // 2))),
    "lowest 20 bits": lambda n: varying(n, 20, 0),
    "middle 20 bits": lambda n: varying(n, 20, 22),
    "highest 20 bits": lambda n: varying(n, 20, 44),
    "sorted": lambda n: np.sort(families(n)),
}
each_skew = pytest.mark.parametrize("make", SKEWS.values(), ids=SKEWS)


def counted(values: np.ndarray, some: Plan) -> CountingExecutor:
    executor = CountingExecutor(only_count=True)
    assert list(pairs_within(values, some.radius, executor, some)) == []
    return executor


@each_skew
@pytest.mark.parametrize("count", [3_000, 40_000])
def test_predicted_comparisons_are_those_that_are_done(make, count):
    """Within a quarter, and some more where they cost less than the sorting for them."""
    values = make(count)
    for radius in (1, 4, 6):
        some = plan(values, radius)
        done = counted(values, some)
        assert done.passes == (math.comb(some.blocks, radius) if some.blocks else 1)
        slack = done.passes * count
        assert some.comparisons <= 1.25 * done.comparisons + slack, (radius, some)
        assert done.comparisons <= 1.25 * some.comparisons + slack, (radius, some)


MOST_PASSES = 90  # tried where the model may choose any number of them


def cost(values: np.ndarray, blocks_: int, radius: int) -> float:
    """Nanoseconds by the constants of the model, of what was really done."""
    done = counted(values, Plan(blocks_, radius, 0, 0))
    key_bits = blocks._key_bits(blocks_, radius) if blocks_ else 0
    each_pass = blocks._PASS_NS + len(values) * blocks._sort_ns(len(values), key_bits)
    return (
        done.passes * each_pass
        + done.buckets * blocks._BUCKET_NS
        + done.computed * blocks._COMPARISON_NS
    )


def costs_of_all(values: np.ndarray, radius: int) -> dict[int, float]:
    """By number of blocks: while the passes alone do not cost more than the best so far."""
    found = {0: cost(values, 0, radius)}
    for number in range(radius + 1, 65 if radius else 2):
        a_pass = blocks._PASS_NS + len(values) * blocks._sort_ns(len(values), 16)
        passes = math.comb(number, radius)
        if passes > MOST_PASSES or passes * a_pass > min(found.values()):
            break
        found[number] = cost(values, number, radius)
    return found


@each_skew
@pytest.mark.parametrize("count", [1_000, 9_000])
def test_the_plan_costs_at_most_a_third_more_than_the_best_of_all(make, count):
    values = make(count)
    for radius in (0, 1, 2, 4, 6):
        costs = costs_of_all(values, radius)
        chosen = plan(values, radius)
        assert costs[chosen.blocks] <= 1.3 * min(costs.values()), (radius, chosen, costs)
        predicted = chosen.seconds * 1e9
        assert costs[chosen.blocks] / 1.5 <= predicted <= 1.5 * costs[chosen.blocks]


@pytest.mark.parametrize("count", [50, 2_000, 15_000])
@pytest.mark.parametrize("kind", ["uniform", "within 4 bits", "lowest 20 bits"])
def test_predicted_comparisons_with_queries_are_those_that_are_done(kind, count):
    values, queries = SKEWS[kind](15_000), SKEWS[kind](count)[::-1]
    for radius in (0, 2, 5):
        some = plan(values, radius, queries)
        done = CountingExecutor(only_count=True)
        assert list(pairs_between(queries, values, radius, done, some)) == []
        slack = done.passes * (len(values) + count)
        assert some.comparisons <= 1.25 * done.comparisons + slack, (radius, some)
        assert done.comparisons <= 1.25 * some.comparisons + slack, (radius, some)


def test_it_is_the_queries_that_are_counted_not_the_values_among_themselves():
    values, queries = near(15_000, 4), uniform(15_000)
    some = plan(values, 2, queries)
    assert some.blocks
    assert some.comparisons < 0.001 * plan(values, 2).comparisons


@pytest.mark.parametrize("shift", [0, 22, 44])
def test_few_varying_bits_do_not_make_a_small_radius_quadratic(shift):
    values = varying(30_000, 20, shift)
    quadratic = 30_000 * 29_999 / 2
    for radius, part in ((0, 0.0001), (1, 0.01), (2, 0.1)):
        assert counted(values, plan(values, radius)).computed < part * quadratic


def test_the_same_values_have_the_same_plan():
    for make in SKEWS.values():
        values = make(5_000)
        assert plan(values, 3) == plan(values.copy(), 3)


def test_equal_values_are_compared_by_brute_force():
    """No block tells them apart: all passes would compare all of them."""
    assert plan(near(5_000, 0), 4).blocks == 0


def test_few_values_are_compared_by_brute_force():
    for radius in (2, 6, 16):
        assert plan(uniform(300), radius).blocks == 0


def test_more_values_take_more_blocks():
    chosen = [plan(uniform(count), 6).blocks for count in (100, 10_000, 1_000_000)]
    assert chosen == sorted(set(chosen))


@pytest.mark.parametrize("radius", [12, 16, 20, 32, 64])
def test_beyond_what_is_sensible_the_plan_says_what_it_will_cost(radius):
    """Half a million values at radius 16: minutes, and it says so instead of refusing."""
    some = plan(uniform(500_000), radius)
    pairs = 500_000 * 499_999 / 2
    assert some.comparisons <= pairs
    assert some.seconds >= min(1.0, 1e-9 * some.comparisons)
    if radius >= 16:
        assert 10 < some.seconds < 600


@pytest.mark.parametrize("radius", [0, 2, 4, 8, 16])
def test_looking_for_a_plan_is_little_work_whatever_the_values(radius, monkeypatch):
    """Half a million keys for each number of blocks, up to twice that by rounding."""
    keys: list[int] = []
    real = blocks.Pass.keys
    monkeypatch.setattr(
        blocks.Pass, "keys", lambda some, values: keys.append(len(values)) or real(some, values)
    )
    for make in (uniform, SKEWS["half within 4 bits"]):
        keys.clear()
        offered = plans(make(100_000), radius)
        least = blocks._SAMPLED_VALUES[0] * 2 * blocks._SAMPLED_PASSES
        assert sum(keys) <= (len(offered) - 1) * 2 * max(least, blocks._SAMPLE)
