"""``bench watch``: the daemon with single changes, a storm of them, none at all, and a rename.

The daemon is ``imgcat watch`` in the foreground, a process of its own. A change is visible when
the catalog, opened to read it as a query does, tells what the disk holds.
"""

from __future__ import annotations

import itertools
import math
import os
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from blake3 import blake3

from benchmarks import pictures, processes, product, trees
from benchmarks.daemons import ASK_EVERY, DONE_WITHIN, Daemon, following
from benchmarks.measuring import BenchError, median, say
from benchmarks.processes import Memory, Sampler, bytes_of, cpu_alone, memory_of, watches
from benchmarks.reporting import Figure, Report, costs
from catalog.store import folders, photos
from catalog.store.database import Database, open_for_reading

PARTS: Final = ("latency", "storm", "idle", "rename")

STORM_TIMES: Final = 1.3  # at most, over a cold index of the same files
IDLE_CPU: Final = 0.5  # % of a core, at most
IDLE_MB: Final = 120  # at most
RENAME_SECONDS: Final = 2.0  # at most

_KINDS: Final = ("new", "rewritten", "renamed", "moved", "deleted")
_COLD: Final = "cold"  # new, and the daemon had nothing to do for long
_LOOK_EVERY: Final = 0.004  # seconds; beside the half second that the daemon waits for quiet
_SETTLED: Final = 4.0  # seconds after which a new file is read once only
_APART: Final = 1.0  # seconds between two times that a folder is renamed


@dataclass(frozen=True, slots=True)
class Latency:
    """Single changes: at intervals of up to ``interval`` seconds, and ``cold`` after ``idle``."""

    files: int
    folders: int
    changes: int
    interval: float
    cold: int
    idle: float


@dataclass(frozen=True, slots=True)
class Storm:
    """Very many new files at once; memory is told so many seconds after all are visible."""

    files: int
    folders: int
    quiet: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing happens, for ``window`` seconds after ``settle`` seconds of the same."""

    files: int
    folders: int
    settle: float
    window: float


@dataclass(frozen=True, slots=True)
class Rename:
    """A folder gets another name, so many times."""

    files: int
    rounds: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is measured; None: not that part."""

    photos: str  # folder with real camera JPEGs
    jobs: int
    work: str
    latency: Latency | None = None
    storm: Storm | None = None
    idle: Idle | None = None
    rename: Rename | None = None


def bench(inputs: Inputs) -> Report:
    """Measure. Raises BenchError where the catalog was not brought in line, or without /proc."""
    if not os.path.exists("/proc/self/smaps_rollup"):
        raise BenchError("CPU and memory of the daemon are read from /proc, which is not there")
    given = {name: getattr(inputs, name) for name in PARTS}
    report = Report(
        "watch",
        {
            **{name: asdict(part) for name, part in given.items() if part is not None},
            "jobs": inputs.jobs,
            "page_cache": "warm",
            "max_watches": _kernel_limit("max_user_watches"),
            "max_queued_events": _kernel_limit("max_queued_events"),
        },
    )
    if inputs.latency is not None:
        _latency(inputs, inputs.latency, report)
    if inputs.storm is not None:
        _storm(inputs, inputs.storm, report)
    if inputs.idle is not None:
        _idle(inputs, inputs.idle, report)
    if inputs.rename is not None:
        _rename(inputs, inputs.rename, report)
    return report


def _kernel_limit(name: str) -> int:
    with open(f"/proc/sys/fs/inotify/{name}") as file:
        return int(file.read())


# -- single changes ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Change:
    """What was done to a file, when (``time.perf_counter``), and what a query then tells."""

    kind: str
    at: float
    there: tuple[str, bytes] | None  # path and digest
    gone: str | None = None

    def is_visible(self, database: Database) -> bool:
        if self.gone is not None and _digest_at(database, self.gone) is not None:
            return False
        return self.there is None or _digest_at(database, self.there[0]) == self.there[1]


def _digest_at(database: Database, path: str) -> bytes | None:
    """What the catalog tells of a path; None where no query shows a file there."""
    folder, name = os.path.split(os.fsencode(path))
    place = folders.find(database, folder)
    row = None if place is None else photos.get(database, place, name)
    return None if row is None or row.missing else row.digest


class _Living:
    """A tree that changes, and what is in it."""

    def __init__(self, top: str, source: str, given: Latency) -> None:
        self._chance = random.Random(given.files)
        self._source = source
        self._names = iter(sorted(os.listdir(source)))
        self._held: dict[str, bytes] = {}  # path: digest
        self._folders = [os.path.join(top, f"folder-{n:03}") for n in range(given.folders)]
        for folder in self._folders:
            os.mkdir(folder)
        for folder in itertools.islice(itertools.cycle(self._folders), given.files):
            self._write(_COLD, os.path.join(folder, f"{len(self):05}.jpg"))

    def __len__(self) -> int:
        return len(self._held)

    def change(self, kind: str) -> _Change:
        """Do something of this kind to a photo by chance."""
        if kind in ("new", _COLD):
            folder = self._chance.choice(self._folders)
            return self._write(
                kind, os.path.join(folder, f"later {self._chance.getrandbits(32)}.jpg")
            )
        path = self._chance.choice(sorted(self._held))
        if kind == "rewritten":
            return self._write(kind, path)
        folder, name = os.path.split(path)
        if kind == "renamed":
            return self._move(kind, path, os.path.join(folder, f"again {name}"))
        if kind == "moved":
            other = self._chance.choice([other for other in self._folders if other != folder])
            return self._move(kind, path, os.path.join(other, name))
        del self._held[path]
        at = time.perf_counter()
        os.unlink(path)
        return _Change(kind, at, None, path)

    def _write(self, kind: str, path: str) -> _Change:
        with open(os.path.join(self._source, next(self._names)), "rb") as source:
            data = source.read()
        self._held[path] = blake3(data).digest()
        with open(path, "wb", buffering=0) as file:
            file.write(data)
            at = time.perf_counter()
        return _Change(kind, at, (path, self._held[path]))

    def _move(self, kind: str, path: str, target: str) -> _Change:
        self._held[target] = self._held.pop(path)
        at = time.perf_counter()
        os.rename(path, target)
        return _Change(kind, at, (target, self._held[target]), path)


def _latency(inputs: Inputs, given: Latency, report: Report) -> None:
    source = _photos(inputs, given.files + given.changes + given.cold, report)
    seconds: dict[str, list[float]] = {kind: [] for kind in (*_KINDS, _COLD)}
    readers: list[int] = []
    with (
        tempfile.TemporaryDirectory(prefix="living-", dir=inputs.work) as top,
        product.fresh_catalog(inputs.work) as catalog,
    ):
        living = _Living(top, source, given)
        with following(inputs.work, inputs.jobs, catalog, top) as daemon:
            chance = random.Random(0)
            for kind in itertools.islice(itertools.cycle(_KINDS), given.changes):
                time.sleep(chance.uniform(0, given.interval))
                seconds[kind].append(_seen(daemon, living, kind))
            for _ in range(given.cold):
                say(f"nothing happens for {given.idle:g} s")
                time.sleep(given.idle)
                readers.append(memory_of(daemon.process.pid).readers)
                seconds[_COLD].append(_seen(daemon, living, _COLD))
        whole = len(living)
        product.expect(product.index(catalog), scanned=whole, unchanged=whole, missing=0)
    if any(readers):
        report.notes.append("cold changes were not all cold: processes that read were still there")
    report.figures += _latency_figures(seconds)
    report.rounds["latency"] = {
        **{kind: [round(value, 4) for value in every] for kind, every in seconds.items()},
        "readers before cold": readers,
    }


def _seen(daemon: Daemon, living: _Living, kind: str) -> float:
    """Seconds until a change is visible."""
    # Opened anew for each: a catalog that others have open is not closed to one file when idle.
    with open_for_reading(os.fsencode(daemon.catalog)) as database:
        change = living.change(kind)
        visible = daemon.wait(
            f"a photo that was {kind}", lambda: change.is_visible(database), every=_LOOK_EVERY
        )
    say(f"{kind:<10}{visible - change.at:8.3f} s")
    return visible - change.at


def _latency_figures(seconds: dict[str, list[float]]) -> Iterator[Figure]:
    warm = [value for kind in _KINDS for value in seconds[kind]]
    for name, every in {"all but cold": warm, **seconds}.items():
        if every:
            yield Figure(f"latency, {name}: median", median(every), "s", remark=f"of {len(every)}")
            yield Figure(f"latency, {name}: 95 %", _quantile(every, 0.95), "s")
            yield Figure(f"latency, {name}: worst", max(every), "s")


def _quantile(values: Sequence[float], share: float) -> float:
    """The least of the values that so many are not above."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


# -- a storm -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Poured:
    """What a storm took of the daemon. Seconds, bytes."""

    creating: float
    visible: float  # from the first file created until the catalog has all
    done: float  # ... and until the daemon has nothing more to do
    cpu: float  # of the daemon and of the processes that it started
    alone: float  # of the daemon
    overflows: int
    memory: dict[str, Memory]  # by the moment


def _storm(inputs: Inputs, given: Storm, report: Report) -> None:
    staging = trees.made_once(
        inputs.work,
        f"storm-1-{given.files}-{given.folders}",
        lambda new: pictures.make_storm(new, given.files, given.folders),
    )
    trees.warm(staging)
    whole = given.files + 1
    with (
        tempfile.TemporaryDirectory(prefix="storm-", dir=inputs.work) as top,
        product.fresh_catalog(inputs.work) as catalog,
    ):
        pictures.write_new(
            os.path.join(top, "first.png"), trees.tiny_png(0)
        )  # none is a drive unplugged
        with following(inputs.work, inputs.jobs, catalog, top) as daemon:
            poured = _poured(daemon, staging, top, given)
        say("a cold index of the same files")
        index = product.cold_index(inputs.work, top, whole, inputs.jobs).run.cost
    report.figures += [
        Figure("storm: creating", poured.creating, "s"),
        Figure("storm: until all are visible", poured.visible, "s", remark="from the first file"),
        Figure("storm: until nothing is pending", poured.done, "s", remark="with second looks"),
        Figure("storm: CPU", poured.cpu, "s", remark=f"{poured.alone:.3g} s of the daemon alone"),
        Figure("cold index: wall", index.wall, "s"),
        Figure("cold index: CPU", index.cpu, "s"),
        Figure("visible over cold index: wall", poured.visible / index.wall, "x"),
        Figure("storm over cold index: wall", poured.done / index.wall, "x", at_most=STORM_TIMES),
        Figure("storm over cold index: CPU", poured.cpu / index.cpu, "x"),
        Figure("storm: overflows", poured.overflows, "times"),
    ]
    for moment, memory in poured.memory.items():
        remark = f"with {memory.readers} processes that read"
        report.figures += [
            Figure(f"storm: VmRSS, {moment}", memory.resident / 1e6, "MB"),
            Figure(f"storm: PSS, {moment}", memory.all / 1e6, "MB", remark=remark),
        ]
    report.rounds["storm"] = {
        **costs({"cold index": [index]}),
        "memory": {moment: asdict(memory) for moment, memory in poured.memory.items()},
    }


def _poured(daemon: Daemon, staging: str, top: str, given: Storm) -> _Poured:
    pid = daemon.process.pid
    memory = {"before": memory_of(pid)}
    cpu, alone = processes.cpu(pid), cpu_alone(pid)
    with Sampler(pid) as sampler:
        say(f"creating {given.files:,} files")
        begun = time.perf_counter()
        _pour(staging, top)
        creating = time.perf_counter() - begun
        say(f"created in {creating:.1f} s; waiting until the catalog has them")
        with open_for_reading(os.fsencode(daemon.catalog)) as database:
            visible = _all_visible(daemon, database, given.files + 1)
        done = daemon.wait(
            "the end of its work", daemon.is_done, every=ASK_EVERY, within=DONE_WITHIN
        )
        cpu, alone = processes.cpu(pid) - cpu, cpu_alone(pid) - alone
        for after in given.quiet:
            time.sleep(max(0.0, done + after - time.perf_counter()))
            memory[f"after {after:g} s"] = memory_of(pid)
    peak = Memory(resident=bytes_of(pid, "status", "VmHWM"))
    for taken in (sampler.peak, *memory.values()):
        peak = peak.or_more(taken)
    memory["peak"] = peak
    overflows = daemon.state().overflows
    return _Poured(creating, visible - begun, done - begun, cpu, alone, overflows, memory)


def _pour(staging: str, top: str) -> None:
    """Write what is in staging below ``top`` as new files, as fast as one process does."""
    for folder in sorted(os.listdir(staging)):
        source, target = os.path.join(staging, folder), os.path.join(top, folder)
        os.mkdir(target)
        for name in os.listdir(source):
            with open(f"{source}/{name}", "rb", buffering=0) as file:
                data = file.read()
            pictures.write_new(f"{target}/{name}", data)


def _all_visible(daemon: Daemon, database: Database, count: int) -> float:
    """The moment at which so many photos are in the catalog."""

    def visible() -> bool:  # counting takes a while: only when it may be so
        return daemon.state().to_read == 0 and _photos_in(database) == count

    return daemon.wait("the last photo", visible, every=ASK_EVERY, within=DONE_WITHIN)


def _photos_in(database: Database) -> int:
    sql = "SELECT count(*) FROM photo WHERE missing_since IS NULL AND content IS NOT NULL"
    return int(database.value(sql))


# -- nothing at all ------------------------------------------------------------------------------


def _idle(inputs: Inputs, given: Idle, report: Report) -> None:
    tree = trees.tiny_tree(inputs.work, given.files, given.folders)
    with product.fresh_catalog(inputs.work) as catalog:
        say(f"indexing {given.files:,} files")
        product.expect(product.index(catalog, tree, inputs.jobs), added=given.files, failed=0)
        with following(inputs.work, inputs.jobs, catalog, tree) as daemon:
            pid = daemon.process.pid
            memory = {"just watching": memory_of(pid)}
            say(f"watching after {daemon.caught_up:.1f} s; waiting for {given.settle:g} s")
            time.sleep(given.settle)
            begun, used = time.perf_counter(), processes.cpu(pid)
            time.sleep(given.window)
            share = (processes.cpu(pid) - used) / (time.perf_counter() - begun)
            memory["idle"] = now = memory_of(pid)
            peak = bytes_of(pid, "status", "VmHWM")
            held, watched = watches(pid), daemon.state().watched
    report.figures += [
        Figure("idle: start to watching", daemon.caught_up, "s"),
        Figure("idle: CPU", 100 * share, "% of a core", at_most=IDLE_CPU),
        Figure("idle: VmRSS", now.resident / 1e6, "MB", at_most=IDLE_MB),
        Figure("idle: PSS", now.all / 1e6, "MB", at_most=IDLE_MB, remark="with all it started"),
        Figure("idle: VmRSS, peak", peak / 1e6, "MB", remark="of the catch-up"),
        Figure("idle: processes that read", now.readers, "processes"),
        Figure("idle: watches", held, "folders", remark=f"{watched:,} by its own count"),
    ]
    report.rounds["idle"] = {moment: asdict(taken) for moment, taken in memory.items()}


# -- a folder gets another name ------------------------------------------------------------------


def _rename(inputs: Inputs, given: Rename, report: Report) -> None:
    seconds: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="rename-", dir=inputs.work) as top,
        product.fresh_catalog(inputs.work) as catalog,
    ):
        pictures.write_new(os.path.join(top, "first.png"), trees.tiny_png(given.files))
        old = os.path.join(top, "album")
        os.mkdir(old)
        for number in range(given.files):
            pictures.write_new(os.path.join(old, f"IMG_{number:07}.png"), trees.tiny_png(number))
        time.sleep(_SETTLED)
        with following(inputs.work, inputs.jobs, catalog, top) as daemon:
            before = _standing(catalog, old)
            for number in range(given.rounds):
                new = os.path.join(top, f"album {number}")
                seconds.append(_renamed(daemon, old, new, given.files))
                say(f"renamed   {seconds[-1]:8.3f} s")
                old = new
                time.sleep(_APART)
            daemon.wait("the end of its work", daemon.is_done, every=ASK_EVERY)
            decoded = _decoded(before, _standing(catalog, old))
        whole = given.files + 1
        product.expect(product.index(catalog), scanned=whole, unchanged=whole, missing=0)
    report.figures += [
        Figure("rename: median", median(seconds), "s", remark=f"of {len(seconds)}"),
        Figure("rename: worst", max(seconds), "s", at_most=RENAME_SECONDS),
        Figure("rename: decoded", decoded, "files", at_most=0),
    ]
    report.rounds["rename"] = [round(value, 4) for value in seconds]


def _renamed(daemon: Daemon, old: str, new: str, count: int) -> float:
    """Seconds until all photos are visible in the new place, and none in the old one."""
    with open_for_reading(os.fsencode(daemon.catalog)) as database:

        def visible() -> bool:
            return _shown_in(database, new) == count and _shown_in(database, old) == 0

        begun = time.perf_counter()
        os.rename(old, new)
        return daemon.wait("the renamed folder", visible, every=_LOOK_EVERY) - begun


def _shown_in(database: Database, path: str) -> int:
    folder = folders.find(database, os.fsencode(path))
    return 0 if folder is None else photos.counts(database, [folder]).photos


@dataclass(frozen=True, slots=True)
class _Standing:
    """The rows of a folder's photos, and the last number that a content was given.

    Storing what a decode gave uses one of these up, also where the content is known.
    """

    rows: dict[bytes, tuple[int, int | None]]
    last: int


def _standing(catalog: str, path: str) -> _Standing:
    with open_for_reading(os.fsencode(catalog)) as database:
        folder = folders.find(database, os.fsencode(path))
        if folder is None:
            raise BenchError(f"the catalog does not know {path}")
        rows = {row.name: (row.id, row.content) for row in photos.in_folder(database, folder)}
        last = database.value("SELECT seq FROM sqlite_sequence WHERE name = 'content'")
    return _Standing(rows, int(last))


def _decoded(before: _Standing, after: _Standing) -> int:
    others = sum(before.rows.get(name) != row for name, row in after.rows.items())
    return max(others, after.last - before.last)


def _photos(inputs: Inputs, count: int, report: Report) -> str:
    """A folder with so many distinct JPEGs."""
    camera = trees.a_camera_photo(inputs.photos)
    if camera is None:
        report.notes.append(f"latency is of noise: there is no camera photo below {inputs.photos}")
    kind = "noise" if camera is None else "crops"
    made = trees.made_once(
        inputs.work, f"watch-1-{kind}-{count}", lambda new: pictures.make_photos(new, camera, count)
    )
    report.inputs["latency"]["bytes_a_photo"] = trees.warm(made) // count
    return made
