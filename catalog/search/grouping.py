"""Groups as stars: every member lies within the radius of its centre.

Chaining (A close to B, B close to C, so all three) grows groups in which nothing looks like
anything, the most common complaint about duplicate finders. A star cannot chain.

Nodes are visited from best to worst: one without a centre among its neighbours becomes a
centre, any other joins its nearest centre, the best ranked of equally near ones. So the centre
is the best of its star, and the outcome does not depend on the order of pairs or of nodes, nor
on the number of threads. (Hartigan's leader algorithm, visiting in order of rank; the centres
are the lexicographically first maximal independent set.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.search.hamming import PairBlock
from catalog.search.join import pairs_between, pairs_within

PAIRS_HELD: Final = 1 << 24  # 9 bytes each, a few times while they are sorted
_ROUNDS: Final = 64  # of settling many nodes at once, before the rest is settled one by one
_FEWER: Final = 8  # how much smaller the next try is where pairs were too many

_NO_CENTRE: Final = np.uint64(2**64 - 1)
_DISTANCE_AT: Final = np.uint64(56)  # above any number of nodes


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
        edges = np.flatnonzero(np.diff(self.centre[members], prepend=-1, append=-1))
        for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            yield int(self.centre[members[begin]]), members[begin:end]


@dataclass(frozen=True, slots=True)
class Edges:
    """Pairs held in memory, as three arrays of one length: positions and distances."""

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    distance: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.first)


def hold(pairs: Iterable[PairBlock], most: int = PAIRS_HELD) -> Edges | None:
    """All of ``pairs``; None as soon as there are more than ``most`` of them."""
    nothing = np.empty(0, dtype=np.int32)
    held = [Edges(nothing, nothing, np.empty(0, dtype=np.uint8))]
    count = 0
    for block in pairs:
        count += len(block)
        if count > most:
            return None
        first, second = block.first.astype(np.int32), block.second.astype(np.int32)
        held.append(Edges(first, second, block.distance))
    columns = zip(*((some.first, some.second, some.distance) for some in held), strict=True)
    return Edges(*(np.concatenate(column) for column in columns))


def stars(rank: NDArray[np.int64], edges: Edges) -> Stars:
    """Group the nodes that are close in ``edges``, which holds every pair of them.

    ``rank`` (int64, shape (n,)) is a permutation of 0 to n - 1, 0 the best. A pair may come
    more than once if it says the same.
    """
    one, other = rank[edges.first], rank[edges.second]
    better, worse = np.minimum(one, other), np.maximum(one, other)
    centres = _centres(len(rank), better, worse)
    joined = np.full(len(rank), _NO_CENTRE)
    _join_nearest(joined, better, worse, edges.distance, centres)
    return _stars(joined, rank)


def stars_within(
    values: NDArray[np.uint64],
    radius: int,
    rank: NDArray[np.int64],
    executor: Executor | None = None,
    *,
    most: int = PAIRS_HELD,
) -> Stars:
    """The stars over every pair of ``values`` (uint64, distinct) within ``radius`` bits.

    As ``stars`` on all pairs, without holding more than ``most`` of them, and where they are
    quadratically many, as among half a million scanned pages, without visiting them: the best
    nodes are settled first, and what lies around their centres can be no centre any more.
    """
    count = len(values)
    by_rank = np.empty(count, dtype=np.int64)
    by_rank[rank] = np.arange(count)
    ranked = values[by_rank]
    joined = np.full(count, _NO_CENTRE)
    open_ = np.ones(count, dtype=np.bool_)  # may still become centres
    settled_centre = np.zeros(count, dtype=np.bool_)
    size = count
    while len(candidates := np.flatnonzero(open_)):
        candidates = candidates[:size]
        edges = hold(pairs_within(ranked[candidates], radius, executor), most)
        if edges is None:
            size = -(-len(candidates) // _FEWER)
            continue
        better = candidates[np.minimum(edges.first, edges.second)]
        worse = candidates[np.maximum(edges.first, edges.second)]
        is_centre = _centres(count, better, worse)
        open_[candidates] = False
        if len(candidates) == count:
            _join_nearest(joined, better, worse, edges.distance, is_centre)
            break
        centres = candidates[is_centre[candidates]]
        settled_centre[centres] = True
        others = np.flatnonzero(~settled_centre)
        for block in pairs_between(ranked[centres], ranked[others], radius, executor):
            near, far = centres[block.first], others[block.second]
            _join_nearest(joined, near, far, block.distance, is_centre)
            open_[far] = False
        size = count  # what made them many may be settled now
    return _stars(joined, rank)


@dataclass(frozen=True, slots=True)
class Asked:
    """Stars whose edges were asked about one by one.

    ``centre`` (int64, shape (n,)) as in Stars; ``edge`` (int64, shape (n,)) is the position of the
    edge between a node and its centre, -1 for a centre and a node alone.
    """

    centre: NDArray[np.int64]
    edge: NDArray[np.int64]


def stars_asking(
    rank: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    cost: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    holds: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
) -> Asked:
    """As ``stars``, where it is dear to learn whether an edge holds: only the needed are asked for.

    ``first`` and ``second`` are the ends of the edges, none twice; ``holds`` is given positions of
    edges, all at once that can be. These are the edges between a centre and a node that comes after
    it. A node joins the centre of the least ``cost`` among those whose edges hold, of equal ones
    the best; the cost is asked of edges that hold, once that is known.
    """
    count = len(rank)
    one, other = rank[first], rank[second]
    better, worse = np.minimum(one, other), np.maximum(one, other)
    open_ = np.zeros(count, dtype=np.bool_)
    open_[better] = open_[worse] = True
    centre = ~open_
    joined = np.full(count, -1, dtype=np.int64)
    left = np.arange(len(first))
    while open_.any():
        waiting = np.zeros(count, dtype=np.bool_)
        waiting[worse[left[open_[better[left]]]]] = True
        ready = open_ & ~waiting
        asked = left[ready[worse[left]] & centre[better[left]]]
        good = asked[holds(asked)] if len(asked) else asked
        order = good[np.lexsort((better[good], cost(good), worse[good]))]
        nodes, at = np.unique(worse[order], return_index=True)
        joined[nodes] = order[at]
        open_[ready] = False
        centre |= ready & (joined < 0)
        left = left[open_[worse[left]]]
    position = np.empty(count, dtype=np.int64)
    position[rank] = np.arange(count)
    centres = np.where(joined < 0, np.arange(count), better[joined] if len(better) else 0)
    return Asked(position[centres[rank]], joined[rank])


def _centres(count: int, better: NDArray[np.int64], worse: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of ``count`` nodes become centres, by edges from a better to a worse rank.

    Nodes whose better neighbours are all settled are settled together, round after round.
    """
    centre = np.zeros(count, dtype=np.bool_)
    settled = np.zeros(count, dtype=np.bool_)
    for _ in range(_ROUNDS):
        waiting = np.zeros(count, dtype=np.bool_)
        waiting[worse] = True
        fresh = ~(waiting | settled)
        centre |= fresh
        settled |= fresh
        settled[worse[fresh[better]]] = True
        unsettled = ~(settled[better] | settled[worse])
        if not unsettled.any():
            return centre | ~settled
        better, worse = better[unsettled], worse[unsettled]
    return _one_by_one(centre, settled, better, worse)


def _one_by_one(
    centre: NDArray[np.bool_],
    settled: NDArray[np.bool_],
    better: NDArray[np.int64],
    worse: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """The rest of ``_centres``, in order of rank: long chains would take a round for each link."""
    order = np.argsort(better, kind="stable")
    better, worse = better[order], worse[order]
    edges = np.flatnonzero(np.diff(better, prepend=-1, append=-1))
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if not settled[better[begin]]:
            centre[better[begin]] = True
            settled[better[begin]] = True
            settled[worse[begin:end]] = True
    return centre | ~settled


def _join_nearest(
    joined: NDArray[np.uint64],
    better: NDArray[np.int64],
    worse: NDArray[np.int64],
    distance: NDArray[np.uint8],
    is_centre: NDArray[np.bool_],
) -> None:
    """Note for each worse end the nearest centre that is better, in ``joined``.

    It holds the distance above the rank of the centre, so the least is the nearest, and of
    equally near ones the best.
    """
    useful = is_centre[better] & (better < worse)
    centre, node = better[useful].astype(np.uint64), worse[useful]
    choice = (distance[useful].astype(np.uint64) << _DISTANCE_AT) | centre
    np.minimum.at(joined, node, choice)


def _stars(joined: NDArray[np.uint64], rank: NDArray[np.int64]) -> Stars:
    """What was noted by rank, told by the nodes' positions."""
    position = np.empty(len(rank), dtype=np.int64)
    position[rank] = np.arange(len(rank))
    own = joined == _NO_CENTRE
    centre = np.where(own, np.arange(len(rank)), (joined & np.uint64(2**56 - 1)).astype(np.int64))
    distance = np.where(own, 0, joined >> _DISTANCE_AT).astype(np.uint8)
    return Stars(position[centre[rank]], distance[rank])
