"""R23: a power cut loses the last moments of a run; the catalog opens, and goes on from there.

The catalog is on an ext4 in a file. The run is stopped, and the file is copied as it is: what
the kernel had not written yet is not in the copy. Then the copy is mounted in its place.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from commandline import Done, Imgcat

from catalog.store.database import open_for_writing
from tests.faults.running import wait_for_commit
from tests.faults.stored import COUNT, Content, committed, rows
from tests.soak.disks import is_stopped, make_ext4, mount_image, snapshot, written_back
from tests.soak.figures import Say
from tests.support import Reader, ended, in_child, started, unmount

pytestmark = [pytest.mark.soak, pytest.mark.usefixtures("loop_disks")]

SEED = int(os.environ.get("IMGCAT_SEED", "23"))
ANYWHERE = 17  # cuts, from each of three beginnings
WHILE_EMPTIED = 15  # from each of two
MEGABYTES = 64
LONG_LOG = 940 * 16_384  # bytes; at 1,000 pages SQLite begins to empty the log

Start = tuple[Path, Content]  # a disk, and what the catalog on it holds
Moment = Callable[[subprocess.Popen[bytes]], None]  # waits until it is time for the cut


@dataclass(frozen=True)
class Cut:
    """One power cut. Rows of photos before, at and after it."""

    finished: bool  # the run was over
    emptying: bool  # its log was being written into the catalog
    had: int
    kept: int

    @property
    def lost(self) -> int:
        return self.had - self.kept


@dataclass(frozen=True)
class Bench:
    """What all cuts are made with."""

    imgcat: Imgcat
    photos: Path
    expected: Content
    reader: Reader
    dice: random.Random
    whole: float  # seconds that an undisturbed run takes

    @property
    def disk(self) -> Path:
        return self.imgcat.home / "disk"

    @property
    def image(self) -> Path:
        return self.imgcat.home / "image"

    @property
    def after(self) -> Path:
        return self.imgcat.home / "image after the cut"

    def index(self) -> Done:
        return self.imgcat.ask("index", self.photos, "--exclude", "", "--json")

    @contextlib.contextmanager
    def mounted(self, image: Path) -> Iterator[None]:
        mount_image(image, self.disk)
        try:
            yield
        finally:
            unmount(os.fsencode(self.disk), lazily=True)


@pytest.fixture
def bench(imgcat: Imgcat, photos: Path, expected: Content, reader: Reader) -> Bench:
    newest = max(path.stat().st_ctime for path in photos.rglob("*"))
    time.sleep(max(0.0, newest + 3.0 - time.time()))  # else files are read again as too young
    elsewhere = Imgcat(bytes(imgcat.home / "elsewhere" / "catalog.db"), imgcat.home)
    begun = time.monotonic()
    assert elsewhere("index", photos).code == 0
    whole = time.monotonic() - begun
    return Bench(imgcat, photos, expected, reader, random.Random(SEED), whole)


# -- disks to begin with -----------------------------------------------------------------------


def empty(bench: Bench) -> Start:
    disk = bench.imgcat.home / "empty"
    make_ext4(disk, MEGABYTES)
    return disk, set()


def half(bench: Bench) -> Start:
    """A run of a part has ended well; the power was cut right after it."""
    disk = bench.imgcat.home / "half"
    make_ext4(bench.image, MEGABYTES)

    def make() -> Content:
        with bench.mounted(bench.image):
            words = ("--exclude", "folder 3", "--exclude", "folder 4")
            assert bench.imgcat("index", bench.photos, *words).code == 0
            there = rows(bench.imgcat)
            snapshot(bench.image, disk)
        with bench.mounted(disk):
            assert rows(bench.imgcat) == there, "what a run stored that ended well is on the disk"
        return there

    there: Content = in_child(make, own_mounts=True)
    assert 0 < len(there) < COUNT
    return disk, there


def long_log(bench: Bench) -> Start:
    """A killed run has left a log that is almost long enough to be emptied in mid-run."""
    disk, there = half(bench)

    def fill() -> None:
        with open_for_writing(bench.imgcat.catalog) as database:
            database.value("PRAGMA wal_autocheckpoint = 0")
            while os.path.getsize(bench.imgcat.catalog + b"-wal") < LONG_LOG:
                for _ in range(2):  # there and back: SQLite does not write equal values
                    with database.writing() as writer:
                        writer.run("UPDATE photo SET again = 1 - again")
            os.kill(os.getpid(), signal.SIGKILL)

    def make() -> None:
        with bench.mounted(disk):
            assert ended(started(fill))
            assert rows(bench.imgcat) == there

    in_child(make, own_mounts=True)
    return disk, there


# -- the cut -------------------------------------------------------------------------------------


def anywhere(bench: Bench) -> Moment:
    """Mostly where rows are committed, which is the smaller part of a short run."""
    amid_commits = bench.dice.random() < 0.7
    seconds = bench.dice.uniform(0.0, 0.2 if amid_commits else 1.0) * bench.whole

    def wait(process: subprocess.Popen[bytes]) -> None:
        if amid_commits:
            wait_for_commit(bench.imgcat, process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)

    return wait


def when_the_log_is_emptied(bench: Bench) -> Moment:
    """Only that writes into the catalog itself, once it is there."""
    seconds = bench.dice.choice([0.0, bench.dice.uniform(0, 0.03)])

    def wait(process: subprocess.Popen[bytes]) -> None:
        before = _changed(bench.imgcat)
        while process.poll() is None and _changed(bench.imgcat) == before:
            time.sleep(0.0005)
        time.sleep(seconds)

    return wait


def cut(bench: Bench, start: Start, moment: Moment, jobs: str, often: bool) -> Cut:
    """Run, stop, cut, and hold what is left against what should be."""
    begin_with, there = start
    image = bench.image
    image.write_bytes(begin_with.read_bytes())
    with bench.mounted(image):
        untouched = _changed(bench.imgcat)
        process = bench.imgcat.start("index", bench.photos, "--exclude", "", "--jobs", jobs)
        try:
            with written_back(bench.disk, often=often):
                moment(process)
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGSTOP)
                    while not is_stopped(process.pid):
                        time.sleep(0.001)
            snapshot(image, bench.after)
            finished = process.poll() == 0
            had = committed(bench.imgcat)
            emptying = not finished and bool(there) and _changed(bench.imgcat) != untouched
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        assert bench.imgcat.nothing_is_left()
    with bench.mounted(bench.after):
        kept = what_is_left(bench, there, had)
    assert not finished or kept == bench.expected, "a run that ended well loses nothing"
    return Cut(finished, emptying, len(had), len(kept))


def _changed(imgcat: Imgcat) -> int:
    try:
        return os.stat(imgcat.catalog).st_mtime_ns
    except FileNotFoundError:
        return 0


def what_is_left(bench: Bench, there: Content, had: Content) -> Content:
    """The rows after a cut; a question is answered, and the next run reads only what was lost."""
    imgcat = bench.imgcat
    kept = committed(imgcat)  # sound, that is
    assert there <= kept <= had <= bench.expected
    done = imgcat.ask("status", "--json")
    if done.code == 0:
        assert done.json["photos"] == len(kept)
    else:
        assert not kept
        assert "there is no catalog" in done.errors, done
    bench.reader.forget()
    done = bench.index()
    assert done.code == 0, done
    assert done.json["unchanged"] == len(kept)
    assert done.json["added"] == len(bench.reader.read) == COUNT - len(kept)
    assert rows(imgcat) == bench.expected
    assert not [n for n in os.listdir(bench.disk) if ".corrupt-" in n or ".new-" in n]
    return kept


# -- proofs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [empty, half, long_log])
def test_r23_a_power_cut_at_any_moment_loses_a_moment_and_harms_nothing(
    bench: Bench, start: Callable[[Bench], Start], say: Say
) -> None:
    cuts = many_cuts(bench, start, anywhere, ANYWHERE, say)
    assert sum(not each.finished for each in cuts) >= len(cuts) // 2


@pytest.mark.parametrize("start", [half, long_log])
def test_r23_a_power_cut_while_the_log_is_emptied_harms_nothing(
    bench: Bench, start: Callable[[Bench], Start], say: Say
) -> None:
    cuts = many_cuts(bench, start, when_the_log_is_emptied, WHILE_EMPTIED, say)
    assert sum(each.emptying for each in cuts) >= len(cuts) // 4


def many_cuts(
    bench: Bench,
    start: Callable[[Bench], Start],
    moment: Callable[[Bench], Moment],
    count: int,
    say: Say,
) -> list[Cut]:
    begun = time.monotonic()
    begin_with = start(bench)
    cuts: list[Cut] = []
    for number in range(count):
        # What is drawn is drawn here: a child's dice start anew for each of them.
        due, jobs, often = moment(bench), bench.dice.choice("12"), number % 2 == 0
        one = functools.partial(cut, bench, begin_with, due, jobs, often)
        cuts.append(in_child(one, own_mounts=True))
    lost = [each.lost for each in cuts]
    say(
        f"{count} cuts from '{start.__name__}': {sum(each.finished for each in cuts)} after the "
        f"end, {sum(each.emptying for each in cuts)} while the log was emptied; "
        f"{sum(rows > 0 for rows in lost)} lost rows, {sum(lost)} of "
        f"{sum(each.had for each in cuts)} in all, {max(lost)} at most; "
        f"{time.monotonic() - begun:.0f} s"
    )
    return cuts
