"""``bench watch``: the daemon with single changes, a storm of them, none at all, and a rename.

The daemon is ``imgcat watch`` in the foreground, a process of its own. A change is visible when
the catalog, opened to read it as a query does, tells what the disk holds.
"""

from __future__ import annotations

import contextlib
import glob
import io
import itertools
import math
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, field
from typing import Final

from blake3 import blake3
from PIL import Image

from benchmarks import product, trees
from benchmarks.measuring import BenchError, median, say
from benchmarks.reporting import Figure, Report, costs
from catalog.model import DaemonStanding, DaemonState
from catalog.store import folders, photos
from catalog.store.database import Database, open_for_reading
from catalog.watching.client import daemon_state

PARTS: Final = ("latency", "storm", "idle", "rename")

STORM_TIMES: Final = 1.3  # at most, over a cold index of the same files
IDLE_CPU: Final = 0.5  # % of a core, at most
IDLE_MB: Final = 120  # at most
RENAME_SECONDS: Final = 2.0  # at most

_KINDS: Final = ("new", "rewritten", "renamed", "moved", "deleted")
_COLD: Final = "cold"  # new, and the daemon had nothing to do for long
_LOOK_EVERY: Final = 0.004  # seconds; beside the half second that the daemon waits for quiet
_ASK_EVERY: Final = 0.05  # seconds between questions to the daemon
_SAMPLE_EVERY: Final = 0.5  # seconds between looks at its memory: the kernel counts page by page
_VISIBLE_WITHIN: Final = 120.0  # seconds
_DONE_WITHIN: Final = 1_800.0  # seconds, with very many files
_ENDS_WITHIN: Final = 30.0
_SETTLED: Final = 4.0  # seconds after which a new file is read once only
_APART: Final = 1.0  # seconds between two times that a folder is renamed

_WIDTH, _HEIGHT = 1600, 1200  # a few hundred KB, of a photo that was not made smaller
_QUALITY: Final = 90
_FOREIGN: Final = (4000, 3000)  # pixels, of noise in the place of a camera photo
_SMALL_SIDE: Final = 48  # pixels, of the pictures of a storm ...
_GRAIN: Final = 4  # ... and of the squares of one colour that they are made of


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


# -- the daemon ----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Daemon:
    """``imgcat watch`` as it runs."""

    process: subprocess.Popen[bytes]
    catalog: str
    said: str  # path of what it writes
    started: float = field(default_factory=time.perf_counter)
    caught_up: float = 0.0  # seconds from its start until it had looked at everything

    def state(self) -> DaemonState:
        return daemon_state(os.fsencode(self.catalog))

    def is_done(self) -> bool:
        """Whether it has nothing to do, also no second look at what was new when it was read.

        Raises BenchError where not all events come.
        """
        state = self.state()
        if state.polling or state.unwatched:
            raise BenchError(f"not all events come: {state.problem}")
        watching = state.state is DaemonStanding.WATCHING
        return watching and state.pending == 0 and state.to_read == 0

    def wait(
        self, what: str, holds: Callable[[], bool], *, every: float, within: float = _VISIBLE_WITHIN
    ) -> float:
        """The moment at which ``holds`` was found to be so. Raises BenchError."""
        until = time.perf_counter() + within
        while not holds():
            if self.process.poll() is not None:
                raise BenchError(f"imgcat watch ended: {self._last_words()}")
            if time.perf_counter() > until:
                words = f"{self.state()}: {self._last_words()}"
                raise BenchError(f"{what} was waited for in vain for {within:.0f} s; {words}")
            time.sleep(every)
        return time.perf_counter()

    def stop(self) -> None:
        """End it, by force where it must be."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise BenchError(f"imgcat watch had to be killed: {self._last_words()}") from None

    def _last_words(self) -> str:
        with open(self.said, encoding="utf-8", errors="replace") as lines:
            return lines.read()[-500:].strip()


@contextlib.contextmanager
def _watching(inputs: Inputs, catalog: str, tree: str) -> Iterator[_Daemon]:
    """A daemon that has looked at everything; ended afterwards."""
    command = [product.IMGCAT, "--catalog", catalog, "watch", "--jobs", str(inputs.jobs), tree]
    with (
        product.fresh_home(inputs.work) as home,
        tempfile.NamedTemporaryFile(prefix="watch-", dir=inputs.work) as said,
    ):
        environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**environment, **home},
        )
        daemon = _Daemon(process, catalog, said.name)
        try:
            watches = daemon.wait(
                "the first look", daemon.is_done, every=_ASK_EVERY, within=_DONE_WITHIN
            )
            daemon.caught_up = watches - daemon.started
            yield daemon
        except BaseException:
            with contextlib.suppress(BenchError):  # there is one already
                daemon.stop()
            raise
        daemon.stop()


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
        with _watching(inputs, catalog, top) as daemon:
            chance = random.Random(0)
            for kind in itertools.islice(itertools.cycle(_KINDS), given.changes):
                time.sleep(chance.uniform(0, given.interval))
                seconds[kind].append(_seen(daemon, living, kind))
            for _ in range(given.cold):
                say(f"nothing happens for {given.idle:g} s")
                time.sleep(given.idle)
                readers.append(_memory(daemon.process.pid).readers)
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


def _seen(daemon: _Daemon, living: _Living, kind: str) -> float:
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
    memory: dict[str, _Memory]  # by the moment


def _storm(inputs: Inputs, given: Storm, report: Report) -> None:
    staging = trees.made_once(
        inputs.work,
        f"storm-1-{given.files}-{given.folders}",
        lambda new: _make_storm(new, given.files, given.folders),
    )
    trees.warm(staging)
    whole = given.files + 1
    with (
        tempfile.TemporaryDirectory(prefix="storm-", dir=inputs.work) as top,
        product.fresh_catalog(inputs.work) as catalog,
    ):
        _write_new(os.path.join(top, "first.png"), trees.tiny_png(0))  # none is a drive unplugged
        with _watching(inputs, catalog, top) as daemon:
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


def _poured(daemon: _Daemon, staging: str, top: str, given: Storm) -> _Poured:
    pid = daemon.process.pid
    memory = {"before": _memory(pid)}
    cpu, alone = _cpu(pid), _cpu_alone(pid)
    with _Sampler(pid) as sampler:
        say(f"creating {given.files:,} files")
        begun = time.perf_counter()
        _pour(staging, top)
        creating = time.perf_counter() - begun
        say(f"created in {creating:.1f} s; waiting until the catalog has them")
        with open_for_reading(os.fsencode(daemon.catalog)) as database:
            visible = _all_visible(daemon, database, given.files + 1)
        done = daemon.wait(
            "the end of its work", daemon.is_done, every=_ASK_EVERY, within=_DONE_WITHIN
        )
        cpu, alone = _cpu(pid) - cpu, _cpu_alone(pid) - alone
        for after in given.quiet:
            time.sleep(max(0.0, done + after - time.perf_counter()))
            memory[f"after {after:g} s"] = _memory(pid)
    peak = _Memory(resident=_bytes_of(pid, "status", "VmHWM"))
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
            _write_new(f"{target}/{name}", data)


def _write_new(path: str, data: bytes) -> None:
    with open(path, "xb", buffering=0) as file:
        file.write(data)


def _all_visible(daemon: _Daemon, database: Database, count: int) -> float:
    """The moment at which so many photos are in the catalog."""

    def visible() -> bool:  # counting takes a while: only when it may be so
        return daemon.state().to_read == 0 and _photos_in(database) == count

    return daemon.wait("the last photo", visible, every=_ASK_EVERY, within=_DONE_WITHIN)


def _photos_in(database: Database) -> int:
    sql = "SELECT count(*) FROM photo WHERE missing_since IS NULL AND content IS NOT NULL"
    return int(database.value(sql))


# -- nothing at all ------------------------------------------------------------------------------


def _idle(inputs: Inputs, given: Idle, report: Report) -> None:
    tree = trees.tiny_tree(inputs.work, given.files, given.folders)
    with product.fresh_catalog(inputs.work) as catalog:
        say(f"indexing {given.files:,} files")
        product.expect(product.index(catalog, tree, inputs.jobs), added=given.files, failed=0)
        with _watching(inputs, catalog, tree) as daemon:
            pid = daemon.process.pid
            memory = {"just watching": _memory(pid)}
            say(f"watching after {daemon.caught_up:.1f} s; waiting for {given.settle:g} s")
            time.sleep(given.settle)
            begun, used = time.perf_counter(), _cpu(pid)
            time.sleep(given.window)
            share = (_cpu(pid) - used) / (time.perf_counter() - begun)
            memory["idle"] = now = _memory(pid)
            peak = _bytes_of(pid, "status", "VmHWM")
            watches, watched = _watches(pid), daemon.state().watched
    report.figures += [
        Figure("idle: start to watching", daemon.caught_up, "s"),
        Figure("idle: CPU", 100 * share, "% of a core", at_most=IDLE_CPU),
        Figure("idle: VmRSS", now.resident / 1e6, "MB", at_most=IDLE_MB),
        Figure("idle: PSS", now.all / 1e6, "MB", at_most=IDLE_MB, remark="with all it started"),
        Figure("idle: VmRSS, peak", peak / 1e6, "MB", remark="of the catch-up"),
        Figure("idle: processes that read", now.readers, "processes"),
        Figure("idle: watches", watches, "folders", remark=f"{watched:,} by its own count"),
    ]
    report.rounds["idle"] = {moment: asdict(taken) for moment, taken in memory.items()}


# -- a folder gets another name ------------------------------------------------------------------


def _rename(inputs: Inputs, given: Rename, report: Report) -> None:
    seconds: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="rename-", dir=inputs.work) as top,
        product.fresh_catalog(inputs.work) as catalog,
    ):
        _write_new(os.path.join(top, "first.png"), trees.tiny_png(given.files))
        old = os.path.join(top, "album")
        os.mkdir(old)
        for number in range(given.files):
            _write_new(os.path.join(old, f"IMG_{number:07}.png"), trees.tiny_png(number))
        time.sleep(_SETTLED)
        with _watching(inputs, catalog, top) as daemon:
            before = _standing(catalog, old)
            for number in range(given.rounds):
                new = os.path.join(top, f"album {number}")
                seconds.append(_renamed(daemon, old, new, given.files))
                say(f"renamed   {seconds[-1]:8.3f} s")
                old = new
                time.sleep(_APART)
            daemon.wait("the end of its work", daemon.is_done, every=_ASK_EVERY)
            decoded = _decoded(before, _standing(catalog, old))
        whole = given.files + 1
        product.expect(product.index(catalog), scanned=whole, unchanged=whole, missing=0)
    report.figures += [
        Figure("rename: median", median(seconds), "s", remark=f"of {len(seconds)}"),
        Figure("rename: worst", max(seconds), "s", at_most=RENAME_SECONDS),
        Figure("rename: decoded", decoded, "files", at_most=0),
    ]
    report.rounds["rename"] = [round(value, 4) for value in seconds]


def _renamed(daemon: _Daemon, old: str, new: str, count: int) -> float:
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


# -- what processes take -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Memory:
    """Bytes: what is resident of the daemon, its share (PSS), and that with all its processes."""

    resident: int = 0
    daemon: int = 0
    all: int = 0
    readers: int = 0  # processes that read photos

    def or_more(self, other: _Memory) -> _Memory:
        return _Memory(*map(max, astuple(self), astuple(other)))


class _Sampler:
    """The most memory that a daemon took while this lasted."""

    def __init__(self, pid: int) -> None:
        self.peak = _Memory()
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_SAMPLE_EVERY):
            self.peak = self.peak.or_more(_memory(self._pid))


def _memory(pid: int) -> _Memory:
    others = list(_below(pid))
    resident = _bytes_of(pid, "status", "VmRSS")
    shares = [_bytes_of(process, "smaps_rollup", "Pss") for process in (pid, *others)]
    return _Memory(resident, shares[0], sum(shares), sum(map(_reads_photos, others)))


def _bytes_of(pid: int, file: str, name: str) -> int:
    """A number of /proc that it gives in KiB; 0 where the process is gone."""
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/{file}") as lines:
        for line in lines:
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0


def _cpu(pid: int) -> float:
    """Seconds that a process and all below it have taken, those that have ended included."""
    return sum(sum(_times(process)) for process in (pid, *_below(pid)))


def _cpu_alone(pid: int) -> float:
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
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError), open(path) as file:
            for child in map(int, file.read().split()):
                yield child
                yield from _below(child)


def _reads_photos(pid: int) -> bool:
    """As Python names a process that does the work of another, and no bookkeeping."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        return b"spawn_main" in file.read()
    return False


def _watches(pid: int) -> int:
    """How many watches the kernel keeps for a process."""
    count = 0
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        with contextlib.suppress(OSError), open(path) as lines:
            count += sum(line.startswith("inotify wd:") for line in lines)
    return count


# -- pictures ------------------------------------------------------------------------------------


def _photos(inputs: Inputs, count: int, report: Report) -> str:
    """A folder with so many distinct JPEGs."""
    camera = trees.a_camera_photo(inputs.photos)
    if camera is None:
        report.notes.append(f"latency is of noise: there is no camera photo below {inputs.photos}")
    kind = "noise" if camera is None else "crops"
    made = trees.made_once(
        inputs.work, f"watch-1-{kind}-{count}", lambda new: _make_photos(new, camera, count)
    )
    report.inputs["latency"]["bytes_a_photo"] = trees.warm(made) // count
    return made


def _make_photos(folder: str, camera: str | None, count: int) -> None:
    """Crops of a camera photo, each of another place of it."""
    if camera is None:
        whole = Image.effect_noise(_FOREIGN, 30)
    else:
        with Image.open(camera) as image:
            whole = image.convert("RGB")
    across, down = whole.width - _WIDTH, whole.height - _HEIGHT
    for number, place in enumerate(random.Random(0).sample(range(across * down), count)):
        left, top = place % across, place // across
        crop = whole.crop((left, top, left + _WIDTH, top + _HEIGHT))
        crop.save(os.path.join(folder, f"IMG_{number:05}.jpg"), "JPEG", quality=_QUALITY)


def _make_storm(top: str, files: int, folder_count: int) -> None:
    for number in range(files):
        folder = os.path.join(top, f"folder-{number * folder_count // files:05}")
        os.makedirs(folder, exist_ok=True)
        _write_new(os.path.join(folder, f"IMG_{number:07}.jpg"), _small_jpeg(number))


def _small_jpeg(number: int) -> bytes:
    side = _SMALL_SIDE // _GRAIN
    pixels = random.Random(number).randbytes(3 * side**2)
    image = Image.frombytes("RGB", (side, side), pixels)
    data = io.BytesIO()
    image.resize((_SMALL_SIDE, _SMALL_SIDE), Image.Resampling.NEAREST).save(data, "JPEG")
    return data.getvalue()
