"""``bench memory``: what the parent needs to index very many new files, and what they take.

Two cold runs, over one half of a tree and over all of it; the slope between them carries the
figure on to a million files.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from benchmarks import product, trees
from benchmarks.measuring import BenchError, Peak, say
from benchmarks.product import Indexing
from benchmarks.reporting import Figure, Report, costs

MANY: Final = 1_000_000
PARENT_MB: Final = 500  # at most, for a million files
CATALOG_BYTES: Final = 1600  # a content, at most
_FILES_A_FOLDER: Final = 100
_ENOUGH: Final = 100_000  # files, from which the slope is that of more: SQLite's cache is full


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is measured."""

    files: int
    jobs: int
    work: str


def bench(inputs: Inputs) -> Report:
    """Measure. Raises BenchError where the work was not done, or there is no /proc."""
    folders = max(2, inputs.files // _FILES_A_FOLDER)
    tree = trees.tiny_tree(inputs.work, inputs.files, folders)
    part = trees.first_half(tree)
    half = sum(1 for _ in trees.files_below(part))
    say(f"indexing {half:,} files")
    some = product.cold_index(inputs.work, part, half, inputs.jobs)
    say(f"indexing {inputs.files:,} files")
    whole = product.cold_index(inputs.work, tree, inputs.files, inputs.jobs)
    slope = (_peak(whole).parent - _peak(some).parent) / (inputs.files - half)
    million = _peak(whole).parent + slope * (MANY - inputs.files)
    return Report(
        "memory",
        {"files": inputs.files, "folders": folders, "half": half, "jobs": inputs.jobs},
        [
            Figure(f"parent, {half:,} files", _peak(some).parent / 1e6, "MB"),
            Figure(f"parent, {inputs.files:,} files", _peak(whole).parent / 1e6, "MB"),
            Figure("one more file", slope, "bytes"),
            Figure(
                "parent, a million files",
                million / 1e6,
                "MB",
                at_most=PARENT_MB,
                remark=_remark(inputs.files),
            ),
            Figure("a worker", _peak(whole).child / 1e6, "MB"),
            Figure(
                "catalog a content",
                whole.catalog_bytes / inputs.files,
                "bytes",
                at_most=CATALOG_BYTES,
            ),
            Figure("CPU a file", 1000 * whole.run.cost.cpu / inputs.files, "ms"),
        ],
        costs({"half": [some.run.cost], "all": [whole.run.cost]}),
    )


def _remark(files: int) -> str:
    if files >= MANY:
        return ""
    return "extrapolated" if files >= _ENOUGH else "extrapolated from too few files to say much"


def _peak(done: Indexing) -> Peak:
    if done.run.peak is None:
        raise BenchError(f"memory is read from /proc, which {os.uname().sysname} does not have")
    return done.run.peak
