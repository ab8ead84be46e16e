"""What a look found to be done: at once what needs no reading, the rest a portion at a time.

A first run reads for hours, and a photo that arrives meanwhile shall not wait for that.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from catalog.indexing.perform import Tally
from catalog.indexing.plan import Plan, Read
from catalog.indexing.reconcile import Look
from catalog.store.folders import RootRow
from catalog.watching.growing import is_growing
from catalog.watching.hints import is_inside

FEW: Final = 50  # files that are read at once, whatever else is to be read
# A portion takes some seconds. Shorter ones have the processes that read wait at each end.
PORTION: Final = 5000  # files
PORTION_BYTES: Final = 1 << 30


@dataclass(slots=True, eq=False)
class Job:
    """A plan under way. ``complete`` tells that it is one for a whole root."""

    root: RootRow
    plan: Plan  # without the files that are to be read
    reads: deque[Read]
    complete: bool
    begun: float  # monotonic seconds, before the first folder was listed
    begun_ns: int
    folders: Counter[bytes]  # how many files of each are still to be read
    tally: Tally = field(default_factory=Tally)

    @classmethod
    def of(
        cls, root: RootRow, plan: Plan, looks: Collection[Look], begun: float, begun_ns: int
    ) -> Job:
        """What is to be done for a plan that was made for these looks."""
        whole = Look(root.path) in looks
        inside = Counter(read.folder.path for read in plan.reads)
        return cls(root, replace(plan, reads=[]), deque(plan.reads), whole, begun, begun_ns, inside)

    @property
    def sound(self) -> bool:
        """Whether every folder could be listed."""
        return not (self.plan.offline or self.plan.unreadable)

    def waits_for(self, look: Look) -> bool:
        """Whether a look would only find what this job is about to read anyway."""
        if look.path in self.folders:
            return True
        return look.whole and any(is_inside(folder, look.path) for folder in self.folders)


def next_portion(jobs: Sequence[Job]) -> tuple[list[Job], list[Read]]:
    """The first job, and those after it that one portion has room for, with what it reads.

    These files are not among the jobs' any more. Several jobs are done together where they are
    for parts of one root: a portion of few files is no faster than one of many.
    """
    first = jobs[0]
    chosen = [first]
    reads: list[Read] = []
    size = _take(first, reads, 0)
    for job in jobs[1:]:
        full = len(reads) >= PORTION or size >= PORTION_BYTES
        if full or first.complete or job.complete or job.root.id != first.root.id:
            break
        chosen.append(job)
        size = _take(job, reads, size)
    return chosen, reads


def _take(job: Job, reads: list[Read], size: int) -> int:
    while job.reads and len(reads) < PORTION and size < PORTION_BYTES:
        read = job.reads.popleft()
        reads.append(read)
        job.folders[read.folder.path] -= 1
        if not job.folders[read.folder.path]:
            del job.folders[read.folder.path]
        size += read.size
    return size


def apart(reads: Iterable[Read]) -> tuple[list[Read], list[Read]]:
    """The files that are whole, and those that somebody still writes to."""
    now = time.time_ns()
    whole: list[Read] = []
    growing: list[Read] = []
    for read in reads:
        path = read.folder.file(read.name)
        (growing if is_growing(path, now) else whole).append(read)
    return whole, growing
