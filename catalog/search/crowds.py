"""Close values of pictures where many have the same: each value is compared once.

Of a crowd, more than CROWD pictures of one value, only the first by rank are found: of half a
million blank pages each would find each.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.search.join import pairs_between

CROWD: Final = 64  # pictures with one hash that others are compared with

_PAIRS_AT_ONCE: Final = 1 << 18

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Crowds:
    """Values, each once, with those that have it: pictures or probes, by their positions."""

    values: NDArray[np.uint64]  # rising
    members: Positions  # value by value
    begins: Positions

    @classmethod
    def of(cls, values: NDArray[np.uint64], positions: Positions) -> Crowds:
        """Those at ``positions``, whose values are ``values``."""
        order = np.argsort(values, kind="stable")
        once, begins = np.unique(values[order], return_index=True)
        return cls(once, positions[order], np.append(begins, len(order)))

    def sizes(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many have each of the values at these places."""
        return self.begins[numbers + 1] - self.begins[numbers]


def among_the_first(values: NDArray[np.uint64], rank: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of all pictures are among the first CROWD, by rank, of those that have their value."""
    order = np.lexsort((rank, values))
    ordered = values[order]
    place = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    first = np.empty(len(order), dtype=np.bool_)
    first[order] = place < CROWD
    return first


def joined(
    queries: Crowds, values: Crowds, radius: int, executor: Executor | None
) -> Iterator[tuple[Positions, Positions]]:
    """Members of both whose values are close: as they come, in blocks of bounded size.

    Fast where the distinct values of ``queries`` are no more than those of ``values``.
    """
    for block in pairs_between(queries.values, values.values, radius, executor):
        many, few = queries.sizes(block.first), values.sizes(block.second)
        ends = np.cumsum(many * few)
        begin = 0
        while begin < len(ends):
            done = ends[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE)))
            part = slice(begin, end)
            yield from _expanded(
                queries, values, block.first[part], block.second[part], many[part], few[part]
            )
            begin = end


def _expanded(
    queries: Crowds,
    values: Crowds,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    many: NDArray[np.int64],
    few: NDArray[np.int64],
) -> Iterator[tuple[Positions, Positions]]:
    if len(first) == 1 and many[0] * few[0] > _PAIRS_AT_ONCE:
        ours = queries.members[queries.begins[first[0]] :][: many[0]]
        theirs = values.members[values.begins[second[0]] :][: few[0]]
        yield from _one_crowd_with_another(ours, theirs)
        return
    pairs = many * few
    number = np.repeat(np.arange(len(pairs)), pairs)
    within = np.arange(len(number)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    one = queries.members[queries.begins[first][number] + within // few[number]]
    other = values.members[values.begins[second][number] + within % few[number]]
    yield one, other


def _one_crowd_with_another(
    ours: Positions, theirs: Positions
) -> Iterator[tuple[Positions, Positions]]:
    """Some of the larger at a time, with all of the smaller: each comes in one block only."""
    if len(ours) < len(theirs):
        for other, one in _one_crowd_with_another(theirs, ours):
            yield one, other
        return
    step = max(1, _PAIRS_AT_ONCE // len(theirs))
    for at in range(0, len(ours), step):
        some = ours[at : at + step]
        yield np.repeat(some, len(theirs)), np.tile(theirs, len(some))
