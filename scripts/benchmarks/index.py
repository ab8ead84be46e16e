"""``bench index``: a cold index of camera photos, beside the floor and czkawka's engine.

What is compared is the cost of one more photo: (all - some) / (number of photos between), for
every side. The runs on some photos, one batch for each worker, contain all that is paid once:
starting Python and the workers, their imports, making the catalog.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks import peers, product, trees
from benchmarks.measuring import BenchError, Cost, Run, interleaved, median, median_ratio, run, say
from benchmarks.product import Indexing
from benchmarks.reporting import Figure, Report, costs

FLOOR_TIMES: Final = 1.35  # at most
CZKAWKA_TIMES: Final = 2.5  # at least
CATALOG_BYTES: Final = 1600  # a content, at most
_A_BATCH: Final = 16  # photos that imgcat hands to a worker at once
_ENOUGH: Final = 500  # photos; with fewer, noise is as large as what is between

_IMGCAT, _FLOOR, _NOTHING, _CZKAWKA = "imgcat", "djpeg", "djpeg -version", "czkawka"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is measured."""

    photos: str  # folder with real camera JPEGs
    count: int
    rounds: int
    jobs: int
    work: str
    with_peers: bool


@dataclass(frozen=True, slots=True)
class _Trees:
    """All photos, some of them, and how many each are."""

    all: str
    some: str
    count: int
    few: int

    @property
    def between(self) -> int:
        return self.count - self.few


@dataclass(frozen=True, slots=True)
class _Pair:
    """One round of one side."""

    all: Run
    some: Run

    def per_photo(self, between: int) -> Cost:
        return (self.all.cost - self.some.cost) / between


def bench(inputs: Inputs) -> Report:
    """Measure. Raises BenchError where the work was not done."""
    if inputs.count < 2:
        raise BenchError("the cost of one more photo needs two of them: --count 2 or more")
    few = min(_A_BATCH * inputs.jobs, inputs.count // 2)
    everything = trees.camera_tree(inputs.work, inputs.photos, inputs.count)
    some = os.path.join(inputs.work, f"some-of-{inputs.count}")
    shutil.rmtree(some, ignore_errors=True)
    forest = _Trees(everything, trees.some_of(everything, few, some), inputs.count, few)
    size = trees.warm(forest.all)
    report = Report(
        "index",
        {
            "photos": inputs.count,
            "photos_of_start_up": few,
            "bytes": size,
            "rounds": inputs.rounds,
            "jobs": inputs.jobs,
            "page_cache": "warm",
        },
    )
    if inputs.count < _ENOUGH:
        report.notes.append("too few photos to say how fast: this shows only that it works")
    indexings: list[tuple[Indexing, Indexing]] = []
    sides = _sides(inputs, forest, indexings, report)
    pairs = interleaved(inputs.rounds, sides)
    shutil.rmtree(some)
    per_photo = {
        name: [pair.per_photo(forest.between) for pair in rounds] for name, rounds in pairs.items()
    }
    report.rounds = {
        "per_photo": costs(per_photo),
        "all": costs({name: [pair.all.cost for pair in rounds] for name, rounds in pairs.items()}),
    }
    report.figures += _speed(per_photo, pairs[_IMGCAT], forest)
    report.figures += _floor(per_photo)
    report.figures += _peer(per_photo)
    report.figures += _size(indexings, forest)
    return report


def _sides(
    inputs: Inputs,
    forest: _Trees,
    indexings: list[tuple[Indexing, Indexing]],
    report: Report,
) -> dict[str, Callable[[], _Pair]]:
    def imgcat() -> _Pair:
        some = product.cold_index(inputs.work, forest.some, forest.few, inputs.jobs)
        everything = product.cold_index(inputs.work, forest.all, forest.count, inputs.jobs)
        indexings.append((everything, some))
        return _Pair(everything.run, some.run)

    sides = {_IMGCAT: imgcat}
    if shutil.which("djpeg"):
        reduced = ["djpeg", "-scale", "1/8", "-grayscale", "-outfile", os.devnull]
        sides[_FLOOR] = lambda: _each_file(reduced, inputs, forest)
        sides[_NOTHING] = lambda: _each_file(["djpeg", "-version"], inputs, forest)
    else:
        report.notes.append("no floor: djpeg is missing (Debian: libjpeg-turbo-progs)")
    if inputs.with_peers:
        try:
            report.inputs["czkawka"] = peers.install("czkawka")
        except (BenchError, OSError) as error:
            report.notes.append(f"no peer: {error}")
        else:
            sides[_CZKAWKA] = lambda: _Pair(peers.czkawka(forest.all), peers.czkawka(forest.some))
    return sides


def _each_file(command: list[str], inputs: Inputs, forest: _Trees) -> _Pair:
    """One process a file, as many at once as imgcat has workers."""

    def over(tree: str) -> Run:
        with tempfile.NamedTemporaryFile(dir=inputs.work) as listed:
            listed.writelines(os.fsencode(path) + b"\0" for path in trees.files_below(tree))
            listed.flush()
            xargs = ["xargs", "-0", "-n", "1", "-P", str(inputs.jobs)]
            return run([*xargs, *command], stdin=listed.name, discard=True)

    return _Pair(over(forest.all), over(forest.some))


def _speed(per_photo: dict[str, list[Cost]], pairs: list[_Pair], forest: _Trees) -> list[Figure]:
    ours = per_photo[_IMGCAT]
    start_up = [
        Cost(
            pair.some.cost.cpu - forest.few * cost.cpu,
            pair.some.cost.wall - forest.few * cost.wall,
        )
        for pair, cost in zip(pairs, ours, strict=True)
    ]
    return [
        Figure("photos a second", median(1 / cost.wall for cost in ours), "photos/s"),
        *(
            Figure(f"CPU a photo, {name}", 1000 * median(c.cpu for c in rounds), "ms")
            for name, rounds in per_photo.items()
        ),
        Figure("start-up left out, CPU", median(cost.cpu for cost in start_up), "s"),
        Figure("start-up left out, wall", median(cost.wall for cost in start_up), "s"),
    ]


def _floor(per_photo: dict[str, list[Cost]]) -> list[Figure]:
    name = "CPU over djpeg"
    if _FLOOR not in per_photo:
        return [Figure(name, None, "x", at_most=FLOOR_TIMES, remark="djpeg is missing")]
    ours, floor, nothing = (
        [cost.cpu for cost in per_photo[side]] for side in (_IMGCAT, _FLOOR, _NOTHING)
    )
    net = [decoding - starting for decoding, starting in zip(floor, nothing, strict=True)]
    return [
        Figure(name, median_ratio(ours, floor), "x", at_most=FLOOR_TIMES),
        Figure(
            "CPU over djpeg, net",
            median_ratio(ours, net),
            "x",
            remark="without what starting a process for each file costs it",
        ),
    ]


def _peer(per_photo: dict[str, list[Cost]]) -> list[Figure]:
    names = ("CPU factor to czkawka", "wall factor to czkawka")
    if _CZKAWKA not in per_photo:
        return [
            Figure(name, None, "x", at_least=CZKAWKA_TIMES, remark="left out, or not installed")
            for name in names
        ]
    ours, theirs = per_photo[_IMGCAT], per_photo[_CZKAWKA]
    cpu = median_ratio([c.cpu for c in theirs], [c.cpu for c in ours])
    wall = median_ratio([c.wall for c in theirs], [c.wall for c in ours])
    return [
        Figure(name, value, "x", at_least=CZKAWKA_TIMES)
        for name, value in zip(names, (cpu, wall), strict=True)
    ]


def _size(indexings: list[tuple[Indexing, Indexing]], forest: _Trees) -> list[Figure]:
    everything, some = indexings[-1]
    between = everything.catalog_bytes - some.catalog_bytes
    figures = [
        Figure(
            "catalog a content",
            between / forest.between,
            "bytes",
            at_most=CATALOG_BYTES,
            remark=f"one more; {everything.catalog_bytes:,} bytes in all",
        )
    ]
    peak = everything.run.peak
    if peak is None:
        say("no memory figures: this system has no /proc")
        return figures
    return [
        *figures,
        Figure("peak memory of the parent", peak.parent / 1e6, "MB"),
        Figure("peak memory of a worker", peak.child / 1e6, "MB"),
    ]
