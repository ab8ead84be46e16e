"""``bench memory``: what it takes to index very many new files, and to find their duplicates.

Indexing is two cold runs, over one half of a tree and over all of it; the slope between them
carries the figure on to a million files. ``imgcat dupes`` is asked of catalogs of made-up photos.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks import catalogs, fiction, product, trees
from benchmarks.measuring import BenchError, Peak, Run, run, say
from benchmarks.reporting import Figure, Report, costs

MANY: Final = 1_000_000
PARENT_MB: Final = 500  # at most, for a million files
CATALOG_BYTES: Final = 1600  # a content, at most
DUPES_MB: Final = 2500  # at most, for ten million contents
_MOST: Final = 10_000_000
_SKEW: Final = "photos"
_END: Final = 1000  # bytes of the answer; its totals stand there
_FILES_A_FOLDER: Final = 100
_ENOUGH: Final = 100_000  # files, from which the slope is that of more: SQLite's cache is full


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is measured."""

    files: int
    contents: tuple[int, ...]  # of each catalog that is asked for duplicates
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
    slope = (_peak(whole.run).parent - _peak(some.run).parent) / (inputs.files - half)
    million = _peak(whole.run).parent + slope * (MANY - inputs.files)
    report = Report(
        "memory",
        {
            "files": inputs.files,
            "folders": folders,
            "half": half,
            "contents": list(inputs.contents),
            "jobs": inputs.jobs,
        },
        [
            Figure(f"parent, {half:,} files", _peak(some.run).parent / 1e6, "MB"),
            Figure(f"parent, {inputs.files:,} files", _peak(whole.run).parent / 1e6, "MB"),
            Figure("one more file", slope, "bytes"),
            Figure(
                "parent, a million files",
                million / 1e6,
                "MB",
                at_most=PARENT_MB,
                remark=_remark(inputs.files),
            ),
            Figure("a worker", _peak(whole.run).child / 1e6, "MB"),
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
    for count in inputs.contents:
        report.figures += _dupes(inputs.work, count)
    return report


def _dupes(work: str, count: int) -> Iterator[Figure]:
    """``imgcat dupes --json`` of a catalog of ``count`` contents."""
    made = catalogs.made_in(work, count, _SKEW)
    say(f"duplicates among {count:,} contents")
    command = [product.IMGCAT, "--catalog", made.path, "dupes", "--hash", "phash", "--json"]
    with product.fresh_home(work) as environment:
        done = run(command, last=_END, environment=environment)
    photos = _photos_in_groups(done)
    stored = fiction.stored(_SKEW, count)
    _, copies = np.unique(stored.phash[~stored.flat], return_counts=True)
    least = int(copies[copies > 1].sum())
    if photos < least:
        raise BenchError(
            f"imgcat dupes finds {photos:,} photos in groups, and {least:,} have equal hashes"
        )
    peak = _peak(done)
    remark = f"{photos:,} photos in groups"
    goal = DUPES_MB if count <= _MOST else None
    yield Figure(f"dupes of {count:,}: memory", peak.parent / 1e6, "MB", at_most=goal)
    yield Figure(f"dupes of {count:,}: wall", done.cost.wall, "s", remark=remark)
    yield Figure(f"dupes of {count:,}: CPU", done.cost.cpu, "s")


def _photos_in_groups(done: Run) -> int:
    """The total that the answer ends with; the groups before may take a gigabyte."""
    total = re.search(r'"photos": ?(\d+)[^\[{]*\}\s*$', done.output)
    if total is None:
        raise BenchError(f"imgcat dupes --json ends with: {done.output[-200:]}")
    return int(total[1])


def _remark(files: int) -> str:
    if files >= MANY:
        return ""
    return "extrapolated" if files >= _ENOUGH else "extrapolated from too few files to say much"


def _peak(done: Run) -> Peak:
    if done.peak is None:
        raise BenchError(f"memory is read from /proc, which {os.uname().sysname} does not have")
    return done.peak
