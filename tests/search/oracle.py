"""What is right, as plainly as can be: every pair looked at, every rule spelled out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from catalog.search.hamming import PairBlock

Triple = tuple[int, int, int]


def brute_force(values: np.ndarray, radius: int) -> Iterator[PairBlock]:
    """Every pair of positions within ``radius`` bits, in order: each value with all after it."""
    for first in range(len(values) - 1):
        distance = np.bitwise_count(values[first + 1 :] ^ values[first])
        near = np.flatnonzero(distance <= radius)
        if len(near):
            yield PairBlock(np.full(len(near), first), near + first + 1, distance[near])


def close_pairs(values: np.ndarray, radius: int) -> list[Triple]:
    """(first, second, distance) of every pair within ``radius`` bits, in order."""
    return triples(brute_force(values, radius))


def close_between(queries: np.ndarray, values: np.ndarray, radius: int) -> list[Triple]:
    """(position of the query, position of the value, distance), in order."""
    found: list[Triple] = []
    for first, query in enumerate(queries):
        distances = np.bitwise_count(values ^ query)
        near = np.flatnonzero(distances <= radius)
        found += [(first, int(at), int(distances[at])) for at in near]
    return found


def triples(blocks: Iterable[PairBlock]) -> list[Triple]:
    """All pairs of a stream in order, each as often as it came; the blocks as promised."""
    found: list[Triple] = []
    for block in blocks:
        assert len(block) > 0
        assert len(block.first) == len(block.second) == len(block.distance)
        assert (block.first.dtype, block.second.dtype) == (np.int64, np.int64)
        assert block.distance.dtype == np.uint8
        columns = block.first.tolist(), block.second.tolist(), block.distance.tolist()
        found += zip(*columns, strict=True)
    return sorted(found)


def plain_stars(
    count: int, edges: Iterable[Triple], rank: list[int]
) -> tuple[list[int], list[int]]:
    """Centre of each node, and distance to it: the rule as a person would write it down."""
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


def plain_leaders(
    count: int, edges: list[tuple[int, int]], rank: list[int], cost: list[float], good: set[int]
) -> tuple[list[int], list[int], set[int]]:
    """Centre of each node, the edge to it (-1: none), and the edges that are asked about.

    From best to worst, each asks about its edges to the centres so far; ``good`` are those that
    hold. It joins the one of least cost, of equal ones the best, or becomes a centre.
    """
    centre, by, asked = list(range(count)), [-1] * count, set()
    centres: set[int] = set()
    for node in sorted(range(count), key=rank.__getitem__):
        ends = {at: a + b - node for at, (a, b) in enumerate(edges) if node in (a, b)}
        mine = {at: other for at, other in ends.items() if other in centres}
        asked |= mine.keys()
        joined = [(cost[at], rank[other], at) for at, other in mine.items() if at in good]
        if joined:
            by[node] = min(joined)[2]
            centre[node] = mine[by[node]]
        else:
            centres.add(node)
    return centre, by, asked
