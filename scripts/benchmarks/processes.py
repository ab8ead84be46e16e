"""What processes take, as Linux tells it: memory, time of the processor, watches."""

from __future__ import annotations

import contextlib
import glob
import os
import threading
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Final

_SAMPLE_EVERY: Final = 0.5  # seconds between looks at its memory: the kernel counts page by page


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: what is resident of the daemon, its share (PSS), and that with all its processes."""

    resident: int = 0
    daemon: int = 0
    all: int = 0
    readers: int = 0  # processes that read photos

    def or_more(self, other: Memory) -> Memory:
        return Memory(*map(max, astuple(self), astuple(other)))


class Sampler:
    """The most memory that a daemon took while this lasted."""

    def __init__(self, pid: int) -> None:
        self.peak = Memory()
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_SAMPLE_EVERY):
            self.peak = self.peak.or_more(memory_of(self._pid))


def memory_of(pid: int) -> Memory:
    others = list(_below(pid))
    resident = bytes_of(pid, "status", "VmRSS")
    shares = [bytes_of(process, "smaps_rollup", "Pss") for process in (pid, *others)]
    return Memory(resident, shares[0], sum(shares), sum(map(reads_photos, others)))


def bytes_of(pid: int, file: str, name: str) -> int:
    """A number of /proc that it gives in KiB; 0 where the process is gone, or there is no /proc."""
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/{file}") as lines:
        for line in lines:
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0


def cpu(pid: int) -> float:
    """Seconds that a process and all below it have taken, those that have ended included."""
    return sum(sum(_times(process)) for process in (pid, *_below(pid)))


def cpu_alone(pid: int) -> float:
    """Seconds that a process itself has taken."""
    return sum(_times(pid)[:2])


def _times(pid: int) -> list[float]:
    """Seconds of user and system: of a process, and of the children that it has waited for."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
        ticks = file.read().rpartition(")")[2].split()[11:15]
        return [int(number) / os.sysconf("SC_CLK_TCK") for number in ticks]
    return []


def _below(pid: int) -> Iterator[int]:
    """The processes that it started, and those that they did."""
    for child in children_of(pid):
        yield child
        yield from _below(child)


def children_of(pid: int) -> Iterator[int]:
    """The processes that it started."""
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError), open(path) as file:
            yield from map(int, file.read().split())


def reads_photos(pid: int) -> bool:
    """As Python names a process that does the work of another, and no bookkeeping."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        return b"spawn_main" in file.read()
    return False


def watches(pid: int) -> int:
    """How many watches the kernel keeps for a process."""
    count = 0
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        with contextlib.suppress(OSError), open(path) as lines:
            count += sum(line.startswith("inotify wd:") for line in lines)
    return count
