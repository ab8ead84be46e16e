"""Groups as stars: every member lies within the radius of its centre.

Chaining (A close to B, B close to C, so all three) grows groups in which nothing looks like
anything, the most common complaint about duplicate finders. A star cannot chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.search.hamming import PairBlock

_UNREACHED = np.uint8(255)  # beyond any distance between 64-bit hashes


@dataclass(frozen=True, slots=True)
class Stars:
    """Which centre each of n nodes belongs to.

    ``centre`` (int64, shape (n,)): position of the node's centre; a centre, and a node alone,
    is its own. ``distance`` (uint8, shape (n,)): bits between the node and its centre.
    """

    centre: NDArray[np.int64]
    distance: NDArray[np.uint8]

    def groups(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Each centre that has members, with those members: nearest first, then by position.

        Centres come in order of position.
        """
        members = np.flatnonzero(self.centre != np.arange(len(self.centre)))
        members = members[np.lexsort((members, self.distance[members], self.centre[members]))]
        for centre, run in _runs(self.centre[members]):
            yield centre, members[run]


def stars(count: int, pairs: Iterable[PairBlock], rank: NDArray[np.int64]) -> Stars:
    """Group ``count`` nodes that are close in ``pairs`` around the best ranked of them.

    ``rank`` (int64, shape (count,)) is a permutation of 0 to count - 1, 0 the best. Nodes are
    visited from best to worst: one without a centre among its neighbours becomes a centre,
    any other joins its nearest centre, the best ranked of equally near ones. So the centre is
    the best of its star, and the outcome does not depend on the order of pairs or of nodes.

    A pair may come more than once if it says the same. Holds 17 bytes a pair, twice while
    sorting; the loop in Python does its work at centres only.
    """
    edges = _edges_from_better(pairs, rank)
    centre = np.arange(count)  # by rank, as everything up to the last lines
    distance = np.full(count, _UNREACHED)
    for node, run in _runs(edges.better):
        if distance[node] != _UNREACHED:
            continue  # a better node took it in
        worse, near = edges.worse[run], edges.distance[run]
        closer = near < distance[worse]  # at a tie the earlier, better centre keeps it
        centre[worse[closer]] = node
        distance[worse[closer]] = near[closer]
    distance[distance == _UNREACHED] = 0
    return _by_position(Stars(centre, distance), rank)


@dataclass(frozen=True, slots=True)
class _Edges:
    """Edges in ranks, from the better end to the worse, sorted by the better."""

    better: NDArray[np.int64]
    worse: NDArray[np.int64]
    distance: NDArray[np.uint8]


def _edges_from_better(pairs: Iterable[PairBlock], rank: NDArray[np.int64]) -> _Edges:
    blocks = [(rank[block.first], rank[block.second], block.distance) for block in pairs]
    if not blocks:
        nothing = np.empty(0, dtype=np.int64)
        return _Edges(nothing, nothing, np.empty(0, dtype=np.uint8))
    one, other, distance = (np.concatenate(column) for column in zip(*blocks, strict=True))
    better = np.minimum(one, other)
    order = np.argsort(better)
    return _Edges(better[order], np.maximum(one, other)[order], distance[order])


def _runs(ordered: NDArray[np.int64]) -> Iterator[tuple[int, slice]]:
    """Each value of a sorted array, in order, and where it stands."""
    values, begins, lengths = np.unique(ordered, return_index=True, return_counts=True)
    for value, begin, length in zip(values.tolist(), begins, lengths, strict=True):
        yield value, slice(begin, begin + length)


def _by_position(ranked: Stars, rank: NDArray[np.int64]) -> Stars:
    """The same stars, told by the nodes' positions instead of their ranks."""
    position = np.argsort(rank)  # of the node with each rank
    return Stars(position[ranked.centre[rank]], ranked.distance[rank])
