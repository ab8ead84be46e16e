"""``bench join``: all close pairs among very many hashes, beside FAISS and imagededup.

Every search runs in a process of its own on the same values, and what a peer found is compared
with what we find for the same part of them: the same pairs at the same distances, or it is an
error. What a peer did not do in full is carried on to all of it, and marked.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from benchmarks import peers, values
from benchmarks.measuring import BenchError, interleaved, median, run, say
from benchmarks.reporting import Figure, Report

SECONDS: Final = {(1_000_000, 6): 3.0, (10_000_000, 6): 90.0}  # at most, by values and radius
MEMORY_MB: Final = {(10_000_000, 6): 2500.0}  # at most
FLAT_TIMES: Final = {(1_000_000, 6): 100.0}  # at least

_SCRIPT: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "joining.py")
_EVERY, _DISTINCT = "imgcat", "distinct"  # as joining calls them
_OURS: Final = (_EVERY, _DISTINCT)
_FLAT: Final = "faiss flat"
_PACKAGES: Final = {
    _FLAT: "faiss-cpu",
    "faiss multi-hash": "faiss-cpu",
    "imagededup": "imagededup",
}
# imagededup asks for PyTorch, gigabytes of it, for its neural network; the search needs these.
_REQUIREMENTS: Final = {"imagededup": ("numpy", "scikit-learn", "tqdm")}
_ONE_ROUND: Final = 2_000_000  # values from which one round has to do


@dataclass(frozen=True, slots=True)
class Case:
    """One join."""

    skew: str
    count: int
    radius: int

    def __str__(self) -> str:
        return f"{self.count:,} {self.skew}, R={self.radius}"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is measured. ``with_peers``: None takes those that are installed."""

    cases: Sequence[Case]
    rounds: int
    jobs: int
    work: str
    with_peers: bool | None
    whole: float  # seconds that a peer may take for all there is to do
    part: float  # else seconds of the part that it gets to do


@dataclass(frozen=True, slots=True)
class _Peer:
    """What a peer did of a case, and what all of it takes. ``wall`` and ``cpu`` in seconds."""

    name: str
    wall: float
    cpu: float
    extrapolated: bool
    measured: float
    values: int
    queries: int
    matches: int
    sum: int

    @property
    def remark(self) -> str:
        """How much of it was done, unless all of it was."""
        if not self.extrapolated:
            return ""
        of = "values" if self.values == self.queries else "queries"
        return f"extrapolated from {self.queries:,} {of}"


def cases(counts: Sequence[int], skews: Sequence[str], radii: Sequence[int]) -> list[Case]:
    """Every combination, small ones first."""
    return [
        Case(skew, count, radius)
        for count in sorted(counts)
        for skew in skews
        for radius in sorted(radii)
    ]


def bench(inputs: Inputs) -> Report:
    """Measure. Raises BenchError where a peer finds other pairs than we do."""
    report = Report(
        "join",
        {
            "cases": [str(case) for case in inputs.cases],
            "rounds": inputs.rounds,
            "threads": inputs.jobs,
        },
    )
    engines = list(_engines(inputs.with_peers, report))
    joins: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="values-", dir=inputs.work) as folder:
        made: tuple[str, int] | None = None
        path = os.path.join(folder, "values.npy")
        for case in inputs.cases:
            if made != (case.skew, case.count):
                np.save(path, values.make(case.skew, case.count))
                made = (case.skew, case.count)
            joins.append(_measure(case, inputs, path, engines, report))
    report.rounds = {"joins": joins}
    return report


def _engines(wanted: bool | None, report: Report) -> Iterator[str]:
    """The peers that can be run."""
    for engine, package in _PACKAGES.items():
        if wanted is None:
            version = peers.installed(package)
        elif wanted:
            try:
                version = peers.install(package, requirements=_REQUIREMENTS.get(package))
            except (BenchError, OSError) as error:
                report.notes.append(f"no {engine}: {error}")
                continue
        else:
            return
        if version is None:
            report.notes.append(f"no {engine}: {package} is not installed (--peers installs it)")
            continue
        report.inputs[package] = version
        yield engine


def _measure(
    case: Case, inputs: Inputs, path: str, engines: Sequence[str], report: Report
) -> dict[str, Any]:
    rounds = 1 if case.count >= _ONE_ROUND else inputs.rounds
    options = {"threads": inputs.jobs}
    sides = {
        engine: functools.partial(_search, sys.executable, engine, path, case.radius, options)
        for engine in _OURS
    }
    say(str(case))
    ours = interleaved(rounds, sides)
    pairs = {found["pairs"] for every in ours.values() for found in every}
    if len(pairs) != 1:
        raise BenchError(f"{case}: not every round finds as many pairs: {sorted(pairs)}")
    others = []
    for engine in engines:
        say(f"{case}: {engine}")
        others.append(_peer(engine, case, inputs, path))
    _check(case, others, path, inputs.jobs)
    result = {
        "skew": case.skew,
        "values": case.count,
        "radius": case.radius,
        "pairs": pairs.pop(),
        **{engine: _rounds(every) for engine, every in ours.items()},
        "peers": [_as_object(peer) for peer in others],
    }
    figures = list(_figures(case, result, others))
    for figure in figures:
        say(figure.as_line())  # the next may take an hour
    report.figures += figures
    return result


def _rounds(every: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Seconds of each round, and the most memory of any in bytes."""
    return {
        "wall": [round(found["wall"], 4) for found in every],
        "cpu": [round(found["cpu"], 4) for found in every],
        "peak": max((found["peak"] for found in every if found["peak"]), default=None),
    }


def _search(
    python: str, engine: str, path: str, radius: int, options: dict[str, Any]
) -> dict[str, Any]:
    # -P: the modules beside the script are not to be found under their short names.
    done = run([python, "-P", _SCRIPT, engine, path, str(radius), json.dumps(options)])
    found: dict[str, Any] = json.loads(done.output)
    return found


def _peer(engine: str, case: Case, inputs: Inputs, path: str) -> _Peer:
    options = {"threads": inputs.jobs, "whole": inputs.whole, "part": inputs.part}
    found = _search(peers.PYTHON, engine, path, case.radius, options)
    return _Peer(engine, extrapolated=found["queries"] < case.count, **found)


def _check(case: Case, others: Sequence[_Peer], path: str, jobs: int) -> None:
    """Raise BenchError unless each peer found exactly what we find in the same part."""
    for count in {peer.values for peer in others}:
        alike = [peer for peer in others if peer.values == count]
        say(f"{case}, comparing with {', '.join(peer.name for peer in alike)}")
        options = {"threads": jobs, "values": count, "queries": [peer.queries for peer in alike]}
        found = _search(sys.executable, "check", path, case.radius, options)
        for peer, matches, summed in zip(alike, found["matches"], found["sums"], strict=True):
            if (peer.matches, peer.sum) != (matches, summed):
                raise BenchError(
                    f"{case}: {peer.name} finds {peer.matches:,} matches of {peer.queries:,} "
                    f"values among {count:,}, and we find {matches:,}, or others"
                )


def _as_object(peer: _Peer) -> dict[str, Any]:
    return {
        "name": peer.name,
        "wall": round(peer.wall, 4),
        "cpu": round(peer.cpu, 4),
        "extrapolated": peer.extrapolated,
        "measured": round(peer.measured, 4),
        "values": peer.values,
        "queries": peer.queries,
        "matches": peer.matches,
        "same_as_ours": True,
    }


def _figures(case: Case, result: dict[str, Any], others: Sequence[_Peer]) -> Iterator[Figure]:
    size = (case.count, case.radius)
    ours = result[_EVERY]
    wall = median(ours["wall"])
    remark = f"{result['pairs']:,} pairs"
    yield Figure(f"{case}: wall", wall, "s", at_most=SECONDS.get(size), remark=remark)
    yield Figure(f"{case}: CPU", median(ours["cpu"]), "s")
    peak = None if ours["peak"] is None else ours["peak"] / 1e6
    remark = "this system has no /proc" if peak is None else ""
    yield Figure(f"{case}: memory", peak, "MB", at_most=MEMORY_MB.get(size), remark=remark)
    once = median(result[_DISTINCT]["wall"])
    remark = "wall, as dupes does it"
    yield Figure(f"{case}: distinct", once, "s", at_most=SECONDS.get(size), remark=remark)
    for peer in others:
        least = FLAT_TIMES.get(size) if peer.name == _FLAT else None
        remark = f"{peer.wall:,.3g} s" + (f", {peer.remark}" if peer.remark else "")
        name = f"{case}: {peer.name}"
        yield Figure(name, peer.wall / wall, "x", at_least=least, remark=remark)
