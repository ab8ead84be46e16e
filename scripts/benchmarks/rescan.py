"""``bench rescan``: ``imgcat index`` of a large tree in which nothing changed, beside ``find``.

The tree is really indexed once before, with tiny files that decode fast. What counts is
``imgcat index`` less ``imgcat --version``, against ``find`` printing the same stamps.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from typing import Final

from benchmarks import product, trees
from benchmarks.measuring import BenchError, Cost, Run, interleaved, median, median_ratio, run
from benchmarks.reporting import Figure, Report, costs

FIND_TIMES: Final = 3.0  # at most

_RESCAN, _VERSION, _FIND = "imgcat index", "imgcat --version", "find"
_ENOUGH: Final = 50_000  # files; with fewer, what imgcat imports to index weighs more than they do
_STAMPS: Final = r"%p %s %T@ %C@ %i\n"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is measured."""

    files: int
    folders: int
    rounds: int
    jobs: int
    work: str


def bench(inputs: Inputs) -> Report:
    """Measure. Raises BenchError where something was read that had not changed."""
    tree = trees.tiny_tree(inputs.work, inputs.files, inputs.folders)
    report = Report(
        "rescan",
        {
            "files": inputs.files,
            "folders": inputs.folders,
            "rounds": inputs.rounds,
            "jobs": inputs.jobs,
            "page_cache": "warm",
        },
    )
    if inputs.files < _ENOUGH:
        report.notes.append("too few files to say how fast: this shows only that it works")
    with product.fresh_catalog(inputs.work) as catalog:
        first = product.index(catalog, tree, inputs.jobs)
        product.expect(first, added=inputs.files, failed=0)
        second = rescan(catalog, inputs.files)  # it may write down what makes later ones faster
        runs = interleaved(
            inputs.rounds,
            {
                _RESCAN: lambda: rescan(catalog, inputs.files),
                _VERSION: lambda: run([product.IMGCAT, "--version"]),
                _FIND: lambda: run(
                    ["find", tree, "-printf", _STAMPS],
                    discard=True,
                    environment={"LC_ALL": "C"},
                ),
            },
        )
        opened = _opened(catalog, tree, report)
    measured = {name: [done.cost for done in rounds] for name, rounds in runs.items()}
    report.rounds = costs(measured)
    report.figures += [
        Figure("first index, wall", first.run.cost.wall, "s"),
        Figure("first index, CPU a file", 1000 * first.run.cost.cpu / inputs.files, "ms"),
        Figure("catalog a content", first.catalog_bytes / inputs.files, "bytes"),
        *_ratios(measured, second.cost),
        Figure("photos opened", opened, "files", at_most=0),
        *_memory(runs[_RESCAN]),
    ]
    return report


def rescan(catalog: str, files: int) -> Run:
    """Index again what is known. Raises BenchError unless nothing had to be done."""
    done = product.index(catalog)
    product.expect(done, scanned=files, unchanged=files)
    return done.run


def _ratios(measured: dict[str, list[Cost]], second: Cost) -> list[Figure]:
    net = [
        whole - start for whole, start in zip(measured[_RESCAN], measured[_VERSION], strict=True)
    ]
    find = measured[_FIND]
    start_up = median(cost.cpu for cost in measured[_VERSION])
    find_cpu = median(cost.cpu for cost in find)
    return [
        Figure("rescan, CPU", median(cost.cpu for cost in net), "s"),
        Figure("rescan, wall", median(cost.wall for cost in net), "s"),
        Figure("find, CPU", find_cpu, "s"),
        Figure("find, wall", median(cost.wall for cost in find), "s"),
        Figure(
            "CPU over find",
            median_ratio([cost.cpu for cost in net], [cost.cpu for cost in find]),
            "x",
            at_most=FIND_TIMES,
        ),
        Figure(
            "wall over find",
            median_ratio([cost.wall for cost in net], [cost.wall for cost in find]),
            "x",
            at_most=FIND_TIMES,
        ),
        Figure(
            "CPU over find, first rescan",
            (second.cpu - start_up) / find_cpu,
            "x",
            remark="the one right after the index, once",
        ),
    ]


def _opened(catalog: str, tree: str, report: Report) -> int | None:
    """How many photos one more rescan opens, as the kernel saw it; None without strace."""
    if shutil.which("strace") is None:
        report.notes.append("whether photos are opened was not checked: strace is missing")
        return None
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(catalog)) as trace:
        command = ["strace", "-f", "-o", trace.name, "-e", "trace=open,openat,openat2"]
        try:
            run([*command, product.IMGCAT, "--catalog", catalog, "index"], discard=True)
        except BenchError as error:
            report.notes.append(f"whether photos are opened was not checked: {error}")
            return None
        with open(trace.name, encoding="utf-8", errors="replace") as lines:
            return sum(_opens_a_photo(line, tree) for line in lines)


def _opens_a_photo(line: str, tree: str) -> bool:
    path = re.search(r'"([^"]*)"', line)
    if path is None:
        return False
    inside = path[1].startswith(tree + os.sep) and "O_DIRECTORY" not in line
    return inside or path[1].endswith(".png")


def _memory(runs: list[Run]) -> list[Figure]:
    peaks = [done.peak for done in runs if done.peak is not None]
    if not peaks:
        return []
    return [
        Figure("peak memory", max(peak.parent for peak in peaks) / 1e6, "MB"),
        Figure(
            "memory of other processes",
            max(peak.child for peak in peaks) / 1e6,
            "MB",
            at_most=0,
            remark="a rescan that finds nothing starts no worker",
        ),
    ]
