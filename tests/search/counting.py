"""An executor that counts what the join gives it to do."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np

from catalog.search import join
from catalog.search.hamming import PairBlock

_NOTHING = PairBlock(
    np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint8)
)


class CountingExecutor(Executor):
    """Runs passes at once, and comparisons too unless told to count them only.

    ``comparisons`` are pairs of values that shared a bucket, ``computed`` those and the padding
    of columns; ``buckets`` are those with more than one value.
    """

    def __init__(self, *, only_count: bool = False) -> None:
        self.passes = 0
        self.buckets = 0
        self.tasks = 0
        self.comparisons = 0
        self.computed = 0
        self.largest = 0  # comparisons computed by one task
        self._only_count = only_count

    def submit(self, job: Callable[[], Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        counted = _comparisons(job)
        if counted is None:
            result = job()
            self.passes += 1
            if isinstance(result, join._Buckets):
                self.buckets += int((np.diff(result.begins) > 1).sum())
        else:
            result = _NOTHING if self._only_count else job()
            self.tasks += 1
            self.comparisons += counted[0]
            self.computed += counted[1]
            self.largest = max(self.largest, counted[1])
        done.set_result(result)
        return done


def _comparisons(job: object) -> tuple[int, int] | None:
    """Comparisons of a task, and how many with padding; None where it is a pass."""
    if isinstance(job, join._Triangles):
        used = job.lengths * (job.lengths - 1) // 2
        return int(used.sum()), len(used) * (job.height * (job.height - 1) // 2)
    if isinstance(job, join._Rectangle):
        area = (job.rows.stop - job.rows.start) * (job.columns.stop - job.columns.start)
        return area, area
    if isinstance(job, join._Lookups):
        looked_at = int(job.lengths.sum())
        return looked_at, looked_at
    return None
