"""Run a command and say what it took: CPU, wall time, and the peak memory of its processes."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Final, TypeVar

from benchmarks.processes import bytes_of, children_of

_LOOK_EVERY: Final = 0.1  # seconds; the kernel keeps the peak, so this need only be often enough
_SHOWN_OF_ERRORS: Final = 2_000  # characters

T = TypeVar("T")


class BenchError(Exception):
    """The work that was to be measured was not done."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds. ``cpu`` is user and system of the process and of all it waited for."""

    cpu: float
    wall: float

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.cpu - other.cpu, self.wall - other.wall)

    def __truediv__(self, number: float) -> Cost:
        return Cost(self.cpu / number, self.wall / number)


@dataclass(frozen=True, slots=True)
class Peak:
    """Peak resident bytes: of the process itself, and of the largest of its children."""

    parent: int
    child: int


@dataclass(frozen=True, slots=True)
class Run:
    """One command that succeeded. ``peak`` is None where the system does not tell (no /proc)."""

    cost: Cost
    output: str
    peak: Peak | None


def run(
    command: Sequence[str],
    *,
    stdin: str | None = None,
    discard: bool = False,
    last: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Run:
    """Run ``command`` to its end. Raises BenchError where it fails.

    ``stdin`` names a file; ``environment`` is added to ours; ``discard`` sends the output to
    nowhere, for commands that write a line a file; of a long one, the ``last`` bytes are kept.
    """
    with contextlib.ExitStack() as files:
        source = files.enter_context(open(stdin or os.devnull, "rb"))
        errors = files.enter_context(tempfile.TemporaryFile())
        output: IO[bytes] = files.enter_context(
            open(os.devnull, "r+b") if discard else tempfile.TemporaryFile()  # noqa: SIM115
        )
        begun = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=source,
            stdout=output,
            stderr=errors,
            env=environment_with(environment),
        )
        peaks = _Peaks(process.pid)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.terminate()
            raise
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        peak = peaks.end()
        if process.returncode != 0:
            raise BenchError(_failure(command, process.returncode, errors))
        length = output.seek(0, os.SEEK_END)
        output.seek(0 if last is None else max(0, length - last))
        text = "" if discard else output.read().decode(errors="replace")
    return Run(Cost(usage.ru_utime + usage.ru_stime, wall), text, peak)


def environment_with(more: Mapping[str, str] | None) -> dict[str, str]:
    """This process's, but for where it finds modules, and more."""
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**ours, **(more or {})}


def _failure(command: Sequence[str], code: int, errors: IO[bytes]) -> str:
    errors.seek(0)
    text = errors.read().decode(errors="replace")[-_SHOWN_OF_ERRORS:].strip()
    return f"{' '.join(command)} ended with {code}: {text}"


class _Peaks:
    """Watches the memory of a process and of its children, from a thread, until ``end``.

    ``ru_maxrss`` would not do: it is one number for all of them, and a child that has just
    been started counts the memory of who started it.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._parent = 0
        self._child = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> Peak | None:
        self._over.set()
        self._thread.join()
        return Peak(self._parent, self._child) if self._parent else None

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_EVERY):
            self._parent = max(self._parent, bytes_of(self._pid, "status", "VmHWM"))
            for child in children_of(self._pid):
                self._child = max(self._child, bytes_of(child, "status", "VmHWM"))


def interleaved(rounds: int, sides: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Each side once a round, A B A B: what disturbs the machine disturbs all of them."""
    results: dict[str, list[T]] = {name: [] for name in sides}
    for number in range(1, rounds + 1):
        for name, measure in sides.items():
            say(f"round {number} of {rounds}: {name}")
            results[name].append(measure())
    return results


def median(values: Iterable[float]) -> float:
    """The middle of the rounds."""
    return statistics.median(values)


def median_ratio(ours: Sequence[float], others: Sequence[float]) -> float:
    """The middle of the ratios of each round, so that a slow round does not count twice."""
    return median(a / b for a, b in zip(ours, others, strict=True))


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def say(line: str) -> None:
    """A line for the person who waits."""
    print(line, file=sys.stderr, flush=True)
