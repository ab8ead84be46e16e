"""How to cut 64 bits into blocks so that close values must agree on some of them, and the cost.

By the pigeonhole principle two values that differ in at most R bits agree on at least m - R of
m blocks. A pass takes one choice of m - R blocks and compares only values that agree on those;
all choices together find every pair. Few blocks mean few passes over large buckets, many blocks
many passes over small ones: ``plan`` chooses by a model of what both cost.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.model import HASH_BITS

KEY_BITS: Final = 32  # more of the agreeing bits than these do not make a bucket smaller
_SPREADING: Final = np.uint64(0x9E3779B97F4A7C15)  # odd, the golden ratio: Knuth's multiplier

# Nanoseconds, measured on one core of a 3 GHz server. What counts is how they compare.
_COMPARISON_NS: Final = 1.1  # XOR, popcount, compare and look for hits, over tiles in the cache
_PADDING: Final = 1.15  # buckets are compared in a few sizes, the next larger one
_SORT_NS: Final = ((5, 12.0), (6, 28.0), (7, 68.0))  # a value by 16 bits of key, by log10(n)
_TWO_DIGITS: Final = 2.2  # times as much by more bits than 16
_BUCKET_NS: Final = 30.0  # finding one bucket that holds more than one value
_PASS_NS: Final = 300_000.0  # what a pass costs however few values there are

_MOST_PASSES: Final = 20_000
_SAMPLE: Final = 1 << 19  # keys a plan, to see how full the buckets of real, skewed values are
_SAMPLED_PASSES: Final = 256  # where some bits vary more than others, no pass is like another
_SAMPLED_VALUES: Final = 1 << 12, 1 << 16  # in each of these passes: at least, and at most


@dataclass(frozen=True, slots=True)
class Pass:
    """One choice of blocks.

    ``pieces`` are (lowest bit, width) of the chosen blocks, and ``agreeing`` masks them;
    ``earlier`` are the masks of the blocks before the last chosen one that were not chosen. A
    pair that agrees on one of these as well belongs to an earlier pass.
    """

    pieces: tuple[tuple[int, int], ...]
    agreeing: int
    earlier: tuple[int, ...]

    @property
    def key_bits(self) -> int:
        """Width of the key."""
        return min(KEY_BITS, self.agreeing.bit_count())

    def keys(self, values: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """The key of each of ``values`` (uint64, shape (n,)), as uint32.

        Where the blocks have more bits than a key, all of them are mixed into it, because
        those of real values may vary in a few bits only, wherever these are.
        """
        if self.agreeing.bit_count() > KEY_BITS:
            mixed = (values & np.uint64(self.agreeing)) * _SPREADING
            return (mixed >> np.uint64(HASH_BITS - KEY_BITS)).astype(np.uint32)
        keys = np.zeros(len(values), dtype=np.uint32)
        for shift, width in self.pieces:
            piece = (values >> np.uint64(shift)) & np.uint64((1 << width) - 1)
            keys <<= np.uint32(width)
            keys |= piece.astype(np.uint32)
        return keys

    def owns(self, differing: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Of pairs given as the XOR of their values, those that this pass is the first to see."""
        mine: NDArray[np.bool_] = (differing & np.uint64(self.agreeing)) == 0
        for block in self.earlier:
            mine &= (differing & np.uint64(block)) != 0
        return mine


@dataclass(frozen=True, slots=True)
class Plan:
    """A number of blocks, and what the join is expected to cost with it.

    ``blocks`` 0 stands for brute force: one pass without a key, every value against every other.
    """

    blocks: int
    radius: int
    comparisons: float
    seconds: float  # on one core

    def passes(self) -> Iterator[Pass]:
        """The passes, in the order of which the first that sees a pair owns it."""
        if self.blocks == 0:
            yield Pass((), 0, ())
            return
        blocks = _blocks(self.blocks)
        for chosen in itertools.combinations(range(self.blocks), self.blocks - self.radius):
            yield _pass(blocks, chosen)


def plan(
    values: NDArray[np.uint64], radius: int, queries: NDArray[np.uint64] | None = None
) -> Plan:
    """The cheapest way to join ``values`` (uint64, shape (n,)) with themselves, or ``queries``.

    The same values give the same plan on every machine.
    """
    return min(plans(values, radius, queries), key=lambda some: (some.seconds, some.blocks))


def plans(
    values: NDArray[np.uint64], radius: int, queries: NDArray[np.uint64] | None = None
) -> list[Plan]:
    """Every way worth a thought, brute force first."""
    count = len(values)
    pairs = count * (count - 1) / 2 if queries is None else float(count * len(queries))
    found = [_costed(0, radius, count, pairs)]
    for blocks in range(radius + 1, HASH_BITS + 1 if radius else 2):
        passes = math.comb(blocks, radius)
        if passes > _MOST_PASSES:
            break
        # Passes alone already cost more than all that is known: so do more of them.
        least = passes * (_PASS_NS + count * _sort_ns(count, 16))
        if least > min(some.seconds * 1e9 for some in found):
            break
        shared = _share_of_pairs_compared(values, queries, blocks, radius)
        found.append(_costed(blocks, radius, count, pairs * shared))
    return found


def _costed(blocks: int, radius: int, count: int, comparisons: float) -> Plan:
    passes = math.comb(blocks, radius) if blocks else 1
    key_bits = _key_bits(blocks, radius) if blocks else 0
    buckets = min(count / 2, 2.0**key_bits, comparisons / passes)
    each_pass = _PASS_NS + count * _sort_ns(count, key_bits) + buckets * _BUCKET_NS
    padding = _PADDING if blocks else 1.0
    nanoseconds = passes * each_pass + comparisons * padding * _COMPARISON_NS
    return Plan(blocks, radius, comparisons, nanoseconds / 1e9)


def _key_bits(blocks: int, radius: int) -> int:
    return min(KEY_BITS, HASH_BITS * (blocks - radius) // blocks)


def _sort_ns(count: int, key_bits: int) -> float:
    sizes, costs = zip(*_SORT_NS, strict=True)
    one_digit = float(np.interp(math.log10(max(count, 1)), sizes, costs))
    return one_digit * (_TWO_DIGITS if key_bits > 16 else 1)


def _share_of_pairs_compared(
    values: NDArray[np.uint64], queries: NDArray[np.uint64] | None, blocks: int, radius: int
) -> float:
    """How often all passes together compare a pair, on average, as far as the samples tell.

    They are too small to see the collisions of evenly spread values, so it is never less than
    theirs.
    """
    passes = math.comb(blocks, radius)
    step = max(1, passes // _SAMPLED_PASSES)
    every = Plan(blocks, radius, 0, 0).passes()
    some_passes = list(itertools.islice(every, None, None, step))
    size = int(np.clip(_SAMPLE * step // passes, *_SAMPLED_VALUES))
    samples = _sample(values, size), None if queries is None else _sample(queries, size)
    shares = [_share_that_meets(some, *samples) for some in some_passes]
    spread = [2.0**-some.key_bits for some in some_passes]
    return passes / len(shares) * max(math.fsum(spread), math.fsum(shares))


def _sample(values: NDArray[np.uint64], size: int) -> NDArray[np.uint64]:
    """At least ``size`` of the values, the same ones each time, from everywhere among them."""
    return values[:: max(1, len(values) // size)]


def _share_that_meets(
    some: Pass, values: NDArray[np.uint64], queries: NDArray[np.uint64] | None
) -> float:
    """The part of all pairs that lie in a bucket together."""
    keys, counts = np.unique(some.keys(values), return_counts=True)
    if queries is None:
        pairs = len(values) * (len(values) - 1) / 2
        return float((counts * (counts - 1) / 2).sum()) / pairs if pairs else 0.0
    others, other_counts = np.unique(some.keys(queries), return_counts=True)
    _, mine, theirs = np.intersect1d(keys, others, assume_unique=True, return_indices=True)
    meeting = float((counts[mine] * other_counts[theirs]).sum())
    return meeting / (len(values) * len(queries))


def _blocks(count: int) -> list[tuple[int, int]]:
    """(lowest bit, width) of each of ``count`` blocks, from the highest bits down."""
    edges = [HASH_BITS - HASH_BITS * number // count for number in range(count + 1)]
    return [(low, high - low) for high, low in itertools.pairwise(edges)]


def _mask(block: tuple[int, int]) -> int:
    low, width = block
    return ((1 << width) - 1) << low


def _pass(blocks: list[tuple[int, int]], chosen: tuple[int, ...]) -> Pass:
    return Pass(
        pieces=tuple(blocks[number] for number in chosen),
        agreeing=sum(_mask(blocks[number]) for number in chosen),
        earlier=tuple(
            _mask(blocks[number]) for number in range(chosen[-1]) if number not in chosen
        ),
    )
