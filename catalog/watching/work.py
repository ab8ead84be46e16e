"""What a look found to be done: at once what needs no reading, the rest a portion at a time.

A first run reads for hours, and a photo that arrives meanwhile shall not wait for that.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from catalog.indexing.perform import Tally
from catalog.indexing.plan import Plan, Read
from catalog.indexing.reconcile import Look
from catalog.store.folders import RootRow
from catalog.watching.growing import is_growing
from catalog.watching.hints import is_inside

PORTION: Final = 500  # files


@dataclass(slots=True)
class Job:
    """A plan under way. ``complete`` tells that it is one for a whole root."""

    root: RootRow
    plan: Plan
    complete: bool
    begun: float  # monotonic seconds, before the first folder was listed
    begun_ns: int
    portions: deque[Plan] = field(default_factory=deque)
    folders: set[bytes] = field(default_factory=set)  # whose files are still to be read
    tally: Tally = field(default_factory=Tally)

    @classmethod
    def of(
        cls, root: RootRow, plan: Plan, looks: Collection[Look], begun: float, begun_ns: int
    ) -> Job:
        """What is to be done for a plan that was made for these looks."""
        job = cls(root, replace(plan, reads=[]), Look(root.path) in looks, begun, begun_ns)
        job.portions.extend(_portions(plan))
        job.folders = {read.folder.path for read in plan.reads}
        return job

    @property
    def sound(self) -> bool:
        """Whether every folder could be listed."""
        return not (self.plan.offline or self.plan.unreadable)

    @property
    def to_read(self) -> int:
        """How many files are still to be read."""
        return sum(len(portion.reads) for portion in list(self.portions))

    def waits_for(self, look: Look) -> bool:
        """Whether a look would only find what this job is about to read anyway."""
        if look.path in self.folders:
            return True
        return look.whole and any(is_inside(folder, look.path) for folder in self.folders)

    def add(self, tally: Tally) -> None:
        """What performing one portion came to."""
        total = self.tally
        total.added += tally.added
        total.changed += tally.changed
        total.moved += tally.moved
        total.missing += tally.missing
        total.failed += tally.failed
        total.unchanged += tally.unchanged


def _portions(plan: Plan) -> Iterator[Plan]:
    """The plan in parts to be performed one after the other."""
    yield replace(plan, reads=plan.reads[:PORTION])
    for start in range(PORTION, len(plan.reads), PORTION):
        yield Plan(reads=plan.reads[start : start + PORTION])


def apart(reads: list[Read]) -> tuple[list[Read], list[Read]]:
    """The files that are whole, and those that somebody still writes to."""
    now = time.time_ns()
    whole: list[Read] = []
    growing: list[Read] = []
    for read in reads:
        path = read.folder.file(read.name)
        (growing if is_growing(path, now) else whole).append(read)
    return whole, growing
