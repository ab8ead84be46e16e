"""The join as a stream: bounded in memory, on any executor, left whenever one likes.

That it finds the right pairs is proved in ``test_conformance``.
"""

from __future__ import annotations

import itertools
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from catalog.search import join
from catalog.search.blocks import Plan, plan
from catalog.search.hamming import PairBlock
from catalog.search.join import pairs_between, pairs_within
from tests.search.counting import CountingExecutor
from tests.search.oracle import close_pairs, triples
from tests.search.samples import families, near, uniform, varying

Stream = Callable[[np.ndarray, Executor | None], Iterator[PairBlock]]

MEGABYTE = 1_000_000


def within(values: np.ndarray, executor: Executor | None) -> Iterator[PairBlock]:
    return pairs_within(values, 4, executor)


def between(values: np.ndarray, executor: Executor | None) -> Iterator[PairBlock]:
    return pairs_between(values[: len(values) // 2], values[len(values) // 2 :], 4, executor)


both_streams = pytest.mark.parametrize("stream", [within, between])


# --- tasks and memory ---

SKEWS = {
    "uniform": uniform(20_000),
    "families": families(20_000),
    "equal": near(20_000, 0),
    "within 2 bits": near(20_000, 2),
    "within 4 bits": near(20_000, 4),
    "only 20 bits vary": varying(20_000, 20, 0),
    "a million short buckets": varying(20_000, 15, 49) | uniform(20_000) >> np.uint64(50),
}
each_skew = pytest.mark.parametrize("values", SKEWS.values(), ids=SKEWS)


@each_skew
@both_streams
def test_work_comes_in_tasks_that_are_neither_long_nor_many(values, stream):
    """So no block of the stream is large, what runs is soon done, and starting it costs little:
    some 20 microseconds, as 20,000 comparisons.
    """
    counting = CountingExecutor(only_count=True)
    assert list(stream(values, counting)) == []
    assert 0 < counting.largest <= join._TASK
    full = 3 * counting.computed / join._TASK
    # One of each height in each pass, and one at the end of each row of a long bucket's parts.
    ends = counting.passes * (len(join._HEIGHTS) + len(values) / join._LONGEST)
    assert 0 < counting.tasks <= full + ends


def test_queries_are_compared_with_nothing_where_no_value_shares_their_key():
    counting = CountingExecutor()
    values = varying(3_000, 20, 0)
    assert list(pairs_between(~values, values, 0, counting, Plan(1, 0, 0, 0))) == []
    assert counting.comparisons == 0
    found = list(pairs_between(values, values, 0, counting, Plan(1, 0, 0, 0)))
    assert counting.comparisons == sum(map(len, found)) >= len(values)


def peak_of(stream: Iterator[PairBlock], pairs: int) -> tuple[int, int]:
    """The most bytes in use until so many pairs have come, and how many came."""
    tracemalloc.start()
    try:
        came = 0
        for block in stream:
            came += len(block)
            if came >= pairs:
                break
        del stream
        return tracemalloc.get_traced_memory()[1], came
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("kind", "threads", "bound"), [("equal", None, 30), ("within 2 bits", 2, 55)]
)
@both_streams
def test_pairs_stream_in_bounded_memory_whatever_the_values(
    kind, threads, bound, stream, monkeypatch
):
    """In MB. With smaller tasks, so that more than they all can hold is soon found."""
    monkeypatch.setattr(join, "_TASK", 1 << 15)
    pool = None if threads is None else ThreadPoolExecutor(threads)
    peak, came = peak_of(stream(SKEWS[kind], pool), 6_000_000)
    if pool:
        pool.shutdown()
    assert 2 * came * 17 > 3 * bound * MEGABYTE  # what all of it would take
    assert peak < bound * MEGABYTE


@pytest.mark.parametrize("threads", [None, 2])
def test_a_join_that_finds_little_takes_some_bytes_a_value(threads):
    count = 400_000
    values = uniform(count)
    some = Plan(9, 4, 0, 0)
    pool = None if threads is None else ThreadPoolExecutor(threads)
    passes = itertools.islice(some.passes(), 15)
    stream = join._stream(
        passes, lambda each: join._Buckets(values, each), lambda made: made.tasks(4), pool
    )
    peak, _ = peak_of(stream, 10**9)
    if pool:
        pool.shutdown()
    assert peak / count < (100 if threads is None else 150)


def test_the_first_pairs_come_before_the_rest_is_looked_for():
    counting = CountingExecutor()
    stream = pairs_within(near(20_000, 0), 4, counting)
    assert len(next(stream)) > 0
    stream.close()
    assert counting.tasks == join._TASKS_AHEAD + 1
    assert counting.comparisons < 0.1 * 20_000 * 19_999 / 2


# --- leaving, and failing ---


class Watched(ThreadPoolExecutor):
    """Knows what is at work, and can be made to fail or to be slow."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.begun = self.ended = 0
        self.submitted = 0
        self.before: Callable[[int, object], None] = lambda number, job: None
        self._lock = threading.Lock()

    def submit(self, job: Callable[[], Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.submitted += 1
        return super().submit(self._watched, self.submitted, job)

    def _watched(self, number: int, job: Callable[[], Any]) -> Any:
        with self._lock:
            self.begun += 1
        try:
            self.before(number, job)
            return job()
        finally:
            with self._lock:
                self.ended += 1


@pytest.fixture
def watched() -> Iterator[Watched]:
    with Watched(2) as executor:
        yield executor


def is_pass(job: object) -> bool:
    return not isinstance(job, join._Triangles | join._Rectangle | join._Lookups)


def assert_at_rest(executor: Watched) -> None:
    """Nothing runs, nothing will run, and it still takes work."""
    assert executor.begun == executor.ended
    begun = executor.begun
    time.sleep(0.05)
    assert executor.begun == begun
    values = near(300, 3)
    executor.before = lambda number, job: None
    assert triples(pairs_within(values, 3, executor)) == close_pairs(values, 3)


def slowly(number: int, job: object) -> None:
    time.sleep(0.01)


@both_streams
@pytest.mark.parametrize("after", [1, 2, 5])
def test_leaving_early_leaves_no_work_behind(watched, stream, after):
    blocks = stream(near(8_000, 4), watched)
    watched.before = slowly
    assert len(list(itertools.islice(blocks, after))) == after
    blocks.close()
    assert_at_rest(watched)


@both_streams
def test_work_that_is_not_begun_is_taken_back(stream):
    waiting: list[Future[Any]] = []

    class Busy(CountingExecutor):
        def submit(self, job: Callable[[], Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            if is_pass(job) or self.tasks < 2:
                return super().submit(job)
            waiting.append(Future())
            return waiting[-1]

    blocks = stream(near(8_000, 2), Busy())
    next(blocks)
    next(blocks)
    blocks.close()
    assert len(waiting) == join._TASKS_AHEAD
    assert all(future.cancelled() for future in waiting)


@both_streams
def test_a_stream_that_is_dropped_leaves_no_work_behind(watched, stream):
    watched.before = slowly
    for _ in stream(near(8_000, 4), watched):
        break
    assert_at_rest(watched)


@both_streams
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, RuntimeError])
def test_what_interrupts_the_reader_leaves_no_work_behind(watched, stream, error):
    watched.before = slowly
    with pytest.raises(error):  # noqa: PT012
        for _ in stream(near(8_000, 4), watched):
            raise error
    assert_at_rest(watched)


@both_streams
@pytest.mark.parametrize("where", ["first pass", "later pass", "first task", "later task"])
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_an_error_of_a_task_comes_out_and_leaves_no_work_behind(watched, stream, where, error):
    seen = {True: 0, False: 0}
    lock = threading.Lock()

    def fail(number: int, job: object) -> None:
        with lock:
            seen[is_pass(job)] += 1
            at = seen[is_pass(job)]
        if where == f"{'first' if at == 1 else 'later'} {'pass' if is_pass(job) else 'task'}":
            raise error("as a test")
        slowly(number, job)

    watched.before = fail
    values = families(8_000)
    assert plan(values, 4).blocks  # several passes
    with pytest.raises(error, match="as a test"):
        for _ in stream(values, watched):
            pass
    assert_at_rest(watched)


@both_streams
def test_an_interrupt_while_waiting_for_a_task_leaves_no_work_behind(watched, stream, monkeypatch):
    """As Ctrl-C would: in the main thread, which waits for a result."""
    real = Future.result
    tasks: list[int] = []

    def slow_at_first(number: int, job: object) -> None:
        if not is_pass(job):
            tasks.append(number)
            time.sleep(0.5 if len(tasks) == 1 else 0)

    def result(future: Future[Any], timeout: float | None = None) -> Any:
        if tasks and not future.done():
            raise KeyboardInterrupt
        return real(future, timeout)

    watched.before = slow_at_first
    with monkeypatch.context() as patch:
        patch.setattr(Future, "result", result)
        with pytest.raises(KeyboardInterrupt):
            for _ in stream(near(3_000, 4), watched):
                pass
    assert_at_rest(watched)


def test_an_error_comes_out_without_an_executor_too(monkeypatch):
    def fail(task: object) -> PairBlock:
        raise MemoryError("as a test")

    monkeypatch.setattr(join._Triangles, "__call__", fail)
    with pytest.raises(MemoryError, match="as a test"):
        list(pairs_within(uniform(3), 2))


def test_several_streams_share_one_executor():
    values = near(2_000, 3)
    with ThreadPoolExecutor(2) as pool:
        expected = [block.first.tolist() for block in pairs_within(values, 2)]
        both = zip(pairs_within(values, 2, pool), pairs_within(values, 2, pool), strict=True)
        for number, (one, other) in enumerate(both):
            assert one.first.tolist() == other.first.tolist() == expected[number]
