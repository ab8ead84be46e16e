"""All pairs of close 64-bit hashes: exact, streamed, in bounded memory, on any number of threads.

Each pass (see ``blocks``) sorts the values by the blocks it looks at, so that those which agree
on them lie side by side in a bucket, and compares within buckets. A pair that several passes see
belongs to the first. The method is that of G. S. Manku, A. Jain, A. Das Sarma, "Detecting
near-duplicates for web crawling" (2007), as a join; numpy releases the GIL, so threads help.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from catalog.search.blocks import Pass, Plan, plan
from catalog.search.hamming import PairBlock

# Buckets are compared as matrices, one column a bucket, whose height is the next of these.
_HEIGHTS: Final = tuple(
    sorted({(4 + quarter) << power >> 2 for power in range(1, 9) for quarter in range(4)} | {512})
)
_LONGEST: Final = _HEIGHTS[-1]  # longer buckets are cut into parts
_TILE: Final = 1 << 19  # comparisons at once: fewer, and threads wait for each other's Python
_STEPS: Final = 8  # of them for each value, at least, where buckets are long enough
_TASK: Final = 1 << 21  # comparisons in one task: bounds what it may find
_TASKS_AHEAD: Final = 6
_PASSES_AHEAD: Final = 2

Result = TypeVar("Result")


def pairs_within(
    values: NDArray[np.uint64],
    radius: int,
    executor: Executor | None = None,
    plan_: Plan | None = None,
) -> Iterator[PairBlock]:
    """Every pair of positions whose ``values`` (uint64, shape (n,)) differ in <= ``radius`` bits.

    Each pair comes once, and no block is empty; the same values give the same stream. Equal
    values make pairs like any others: where there may be many, join the distinct ones.
    Memory is bounded by some 70 bytes a value, twice that with an ``executor``, and by a few
    tasks of 2 million comparisons, whatever comes out. The ``executor`` runs the tasks, which
    share memory: threads, not processes.
    """
    if len(values) < 2:
        return
    chosen = plan_ or plan(values, radius)
    yield from _stream(
        chosen.passes(),
        lambda some: _Buckets(values, some),
        lambda buckets: buckets.tasks(radius),
        executor,
    )


def pairs_between(
    queries: NDArray[np.uint64],
    values: NDArray[np.uint64],
    radius: int,
    executor: Executor | None = None,
    plan_: Plan | None = None,
) -> Iterator[PairBlock]:
    """Every pair of a query and a value (both uint64) that differ in <= ``radius`` bits.

    ``first`` are positions in ``queries``, ``second`` in ``values``; else as ``pairs_within``.
    """
    if not len(queries) or not len(values):
        return
    chosen = plan_ or plan(values, radius, queries)
    yield from _stream(
        chosen.passes(),
        lambda some: (_Buckets(values, some), _Buckets(queries, some)),
        lambda both: _tasks_between(both[1], both[0], radius),
        executor,
    )


Task = Callable[[], PairBlock]


def _stream(
    passes: Iterable[Pass],
    prepare: Callable[[Pass], Result],
    tasks_of: Callable[[Result], Iterator[Task]],
    executor: Executor | None,
) -> Iterator[PairBlock]:
    """What the tasks of all passes find, in their order.

    The next passes are sorted while the tasks of the present one run.
    """
    run: Callable[..., Any] = _inline if executor is None else executor.submit
    jobs = (lambda some=some: prepare(some) for some in passes)
    ahead = 0 if executor is None else _PASSES_AHEAD
    for buckets in _in_order(jobs, run, ahead):
        window = 0 if executor is None else _TASKS_AHEAD
        for found in _in_order(tasks_of(buckets), run, window):
            if len(found):
                yield found


def _in_order(
    jobs: Iterable[Callable[[], Result]], run: Callable[..., Future[Result]], ahead: int
) -> Iterator[Result]:
    """The results of ``jobs``, at most ``ahead`` of them begun before they are asked for.

    However it ends, none of them is at work afterwards.
    """
    pending: collections.deque[Future[Result]] = collections.deque()
    try:
        for job in jobs:
            pending.append(run(job))
            if len(pending) > ahead:
                yield _take(pending)
        while pending:
            yield _take(pending)
    finally:
        wait([future for future in pending if not future.cancel()])


def _take(pending: collections.deque[Future[Result]]) -> Result:
    result = pending[0].result()  # interrupted here, it is still to be waited for
    pending.popleft()
    return result


def _inline(job: Callable[[], Result]) -> Future[Result]:
    done: Future[Result] = Future()
    done.set_result(job())
    return done


class _Buckets:
    """The values of one pass, sorted by its key.

    ``order`` (int64) are their positions before; bucket b takes the places ``begins[b]`` up to
    ``begins[b + 1]``.
    """

    def __init__(self, values: NDArray[np.uint64], some: Pass) -> None:
        self.some = some
        self.order = _order_by(some.keys(values), some.key_bits)
        self.values = values[self.order]
        self.keys = some.keys(self.values)
        changes = np.flatnonzero(self.keys[1:] != self.keys[:-1]) + 1
        self.begins = np.concatenate(([0], changes, [len(values)]))

    def tasks(self, radius: int) -> Iterator[Task]:
        """The comparisons within buckets, in portions."""
        lengths = np.diff(self.begins)
        shared = np.flatnonzero(lengths > 1)
        begins, lengths = _cut(self.begins[shared], lengths[shared])
        heights = np.searchsorted(_HEIGHTS, lengths).astype(np.uint8)
        by_height = np.argsort(heights, kind="stable")
        edges = np.flatnonzero(np.diff(heights[by_height].astype(np.int8), prepend=-1, append=-1))
        for start, end in itertools.pairwise(edges.tolist()):
            some = by_height[start:end]
            height = _HEIGHTS[heights[some[0]]]
            a_task = max(1, 2 * _TASK // (height * height))
            for first in range(0, len(some), a_task):
                part = some[first : first + a_task]
                yield _Triangles(self, radius, height, begins[part], lengths[part])
        yield from self._long(radius)

    def _long(self, radius: int) -> Iterator[Task]:
        """The comparisons between the parts of buckets that were cut."""
        long = np.flatnonzero(np.diff(self.begins) > _LONGEST)
        for begin, end in zip(
            self.begins[long].tolist(), self.begins[long + 1].tolist(), strict=True
        ):
            for top in range(begin, end - _LONGEST, _LONGEST):
                rows = slice(top, top + _LONGEST)
                yield from _rectangles(self, self, rows, slice(top + _LONGEST, end), radius)


def _order_by(keys: NDArray[np.uint32], bits: int) -> NDArray[np.int64]:
    """A stable order by key. numpy sorts 16-bit keys by radix, many times faster than others."""
    if bits == 0:
        return np.arange(len(keys))
    order = np.argsort(_digit(keys), kind="stable")
    if bits <= 16:
        return order
    upper = keys >> np.uint32(16)
    digit = upper.astype(np.uint8) if bits <= 24 else upper.astype(np.uint16)
    return order[np.argsort(digit[order], kind="stable")]


def _digit(keys: NDArray[np.uint32]) -> NDArray[np.uint16]:
    return keys.astype(np.uint16)  # the lower 16 bits


def _cut(
    begins: NDArray[np.int64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The same buckets, those longer than _LONGEST in parts of that length."""
    parts = -(-lengths // _LONGEST)
    if not len(parts) or parts.max() == 1:
        return begins, lengths
    bucket = np.repeat(np.arange(len(begins)), parts)
    number = np.arange(len(bucket)) - np.repeat(np.cumsum(parts) - parts, parts)
    starts = begins[bucket] + number * _LONGEST
    return starts, np.minimum(_LONGEST, begins[bucket] + lengths[bucket] - starts)


@dataclass(frozen=True, slots=True)
class _Scratch:
    """Room for one tile after the other: arrays this large are costly to get and to give back."""

    differing: NDArray[np.uint64]
    distance: NDArray[np.uint8]
    close: NDArray[np.bool_]

    @classmethod
    def of(cls, size: int) -> _Scratch:
        return cls(
            np.empty(size, dtype=np.uint64),
            np.empty(size, dtype=np.uint8),
            np.empty(size, dtype=np.bool_),
        )

    def compare(
        self, rows: NDArray[np.uint64], columns: NDArray[np.uint64]
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
        """The XOR of all ``rows`` with ``columns``, flat, and its bits; good until the next."""
        shape = len(rows), len(columns)
        size = shape[0] * shape[1]
        differing, distance = self.differing[:size], self.distance[:size]
        np.bitwise_xor(rows, columns, out=differing.reshape(shape))
        np.bitwise_count(differing, out=distance)
        return differing, distance

    def near(self, radius: int, size: int) -> NDArray[np.int64]:
        """Where the first ``size`` of what was compared are close enough."""
        np.less_equal(self.distance[:size], radius, out=self.close[:size])
        return np.flatnonzero(self.close[:size])


@dataclass(frozen=True, slots=True)
class _Triangles:
    """A task: all pairs within each of some buckets that are at most ``height`` long."""

    buckets: _Buckets
    radius: int
    height: int
    begins: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __call__(self) -> PairBlock:
        hits = _Hits(self.buckets, self.buckets)
        columns = max(1, _TILE // (self.height * _STEPS))
        scratch = _Scratch.of(max(_TILE, self.height))
        for first in range(0, len(self.begins), columns):
            part = slice(first, first + columns)
            self._tile(self.begins[part], self.lengths[part], scratch, hits)
        return hits.block()

    def _tile(
        self,
        begins: NDArray[np.int64],
        lengths: NDArray[np.int64],
        scratch: _Scratch,
        hits: _Hits,
    ) -> None:
        """Each row with those 1 below it, 2 below it, ...: several such steps at once.

        A short column reads on into the next bucket; what is found there is dropped.
        """
        height, columns = self.height, len(begins)
        steps = min(height - 1, max(1, _TILE // (height * columns)))
        places = begins + np.arange(height + steps)[:, np.newaxis]
        flat = self.buckets.values.take(places.ravel(), mode="clip")
        for first in range(1, height, steps):
            size = (height - first) * columns
            below = as_strided(flat[first * columns :], (steps, size), (columns * 8, 8))
            differing, distance = scratch.compare(below, flat[:size])
            found = hits.owned(scratch.near(self.radius, len(distance)), differing)
            if not len(found):
                continue
            step, place = np.divmod(found, size)
            row, column = np.divmod(place, columns)
            step += first
            inside = row + step < lengths[column]
            upper = (begins[column] + row)[inside]
            hits.add(upper, upper + step[inside], distance[found[inside]])


def _rectangles(
    rows_of: _Buckets, columns_of: _Buckets, rows: slice, columns: slice, radius: int
) -> Iterator[Task]:
    """Tasks: every row against every column."""
    height = rows.stop - rows.start
    width = max(1, _TASK // height)
    for left in range(columns.start, columns.stop, width):
        part = slice(left, min(left + width, columns.stop))
        yield _Rectangle(rows_of, columns_of, rows, part, radius)


@dataclass(frozen=True, slots=True)
class _Rectangle:
    """A task: places ``rows`` of one side against places ``columns`` of the other."""

    rows_of: _Buckets
    columns_of: _Buckets
    rows: slice
    columns: slice
    radius: int

    def __call__(self) -> PairBlock:
        hits = _Hits(self.rows_of, self.columns_of)
        across = self.columns_of.values[self.columns]
        width = len(across)
        at_once = max(1, _TILE // width)
        scratch = _Scratch.of(at_once * width)
        for top in range(self.rows.start, self.rows.stop, at_once):
            down = self.rows_of.values[top : min(top + at_once, self.rows.stop), np.newaxis]
            differing, distance = scratch.compare(down, across)
            found = hits.owned(scratch.near(self.radius, len(distance)), differing)
            if len(found):
                row, column = np.divmod(found, width)
                hits.add(row + top, column + self.columns.start, distance[found])
        return hits.block()


class _Hits:
    """Pairs of places, gathered as positions."""

    def __init__(self, first_of: _Buckets, second_of: _Buckets) -> None:
        self._first_of = first_of
        self._second_of = second_of
        self._found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]] = []

    def owned(self, found: NDArray[np.int64], differing: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Those of the pairs ``found`` in ``differing``, their XOR, that no earlier pass owns.

        Close pairs are seen by many passes, so this comes before anything else is done to them.
        """
        return found[self._first_of.some.owns(differing[found])] if len(found) else found

    def add(
        self,
        first: NDArray[np.int64],
        second: NDArray[np.int64],
        distance: NDArray[np.uint8],
    ) -> None:
        """Pairs of places."""
        self._found.append((self._first_of.order[first], self._second_of.order[second], distance))

    def block(self) -> PairBlock:
        """All of them. Sorting was stable, so within a bucket the smaller position comes first."""
        if not self._found:
            nothing = np.empty(0, dtype=np.int64)
            return PairBlock(nothing, nothing, np.empty(0, dtype=np.uint8))
        return PairBlock(*(np.concatenate(column) for column in zip(*self._found, strict=True)))


def _tasks_between(queries: _Buckets, values: _Buckets, radius: int) -> Iterator[Task]:
    """The comparisons of each query with the values of its bucket, in portions."""
    keys = values.keys[values.begins[:-1]]
    bucket = np.searchsorted(keys, queries.keys[queries.begins[:-1]])
    present = bucket < len(keys)
    present[present] = keys[bucket[present]] == queries.keys[queries.begins[:-1][present]]
    mine = np.flatnonzero(present)
    theirs = bucket[mine]
    tall = queries.begins[mine + 1] - queries.begins[mine]
    wide = values.begins[theirs + 1] - values.begins[theirs]
    large = wide > _LONGEST
    for one, other in zip(mine[large].tolist(), theirs[large].tolist(), strict=True):
        columns = slice(*values.begins[other : other + 2].tolist())
        begin, end = queries.begins[one : one + 2].tolist()
        for top in range(begin, end, _LONGEST):
            rows = slice(top, min(top + _LONGEST, end))
            yield from _rectangles(queries, values, rows, columns, radius)
    small = np.flatnonzero(~large)
    # One row a query, so that each task can be cut where it is large enough.
    row = _ranges(queries.begins[mine[small]], tall[small])
    begin = np.repeat(values.begins[theirs[small]], tall[small])
    length = np.repeat(wide[small], tall[small])
    edges = np.searchsorted(
        np.cumsum(length), np.arange(0, int(length.sum()) + _TASK // 2, _TASK // 2)
    )
    edges = np.unique(np.append(edges, len(row)))
    for start, end in itertools.pairwise(edges.tolist()):
        yield _Lookups(queries, values, radius, row[start:end], begin[start:end], length[start:end])


def _ranges(begins: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """begin, begin + 1, ... of each range, one after the other."""
    total = int(lengths.sum())
    offsets = begins - (np.cumsum(lengths) - lengths)
    places: NDArray[np.int64] = np.arange(total) + np.repeat(offsets, lengths)
    return places


@dataclass(frozen=True, slots=True)
class _Lookups:
    """A task: queries at places ``rows``, each against its own short range of values."""

    queries: _Buckets
    values: _Buckets
    radius: int
    rows: NDArray[np.int64]
    begins: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __call__(self) -> PairBlock:
        hits = _Hits(self.queries, self.values)
        row = np.repeat(self.rows, self.lengths)
        place = _ranges(self.begins, self.lengths)
        differing = self.queries.values[row] ^ self.values.values[place]
        distance = np.bitwise_count(differing)
        near = hits.owned(np.flatnonzero(distance <= self.radius), differing)
        if len(near):
            hits.add(row[near], place[near], distance[near])
        return hits.block()
