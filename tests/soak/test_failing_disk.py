"""R28: whatever call to the disk of the catalog fails, no catalog is wrong and no photo touched.

strace lets one call fail, or all from one on, in a real run. Which calls there are is counted in
a run that nothing happens to; of each kind on each kind of file, some are taken.
"""

from __future__ import annotations

import collections
import itertools
import os
import random
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from commandline import Done, Imgcat, one_line, pictures, tree

from tests.faults.stored import Content, committed, rows
from tests.soak.figures import Say

SEED = int(os.environ.get("IMGCAT_SEED", "23"))
PHOTOS = 60
PLACES = 1  # of each kind of call on each kind of file, besides the first and the last
STRACE = shutil.which("strace")

pytestmark = [
    pytest.mark.soak,
    pytest.mark.usefixtures("reader"),  # the run after a fault reads in this process
    pytest.mark.skipif(STRACE is None, reason="needs strace"),
]

# What can happen to a call; "+" is: to all such calls from there on.
ERRORS = {
    "fdatasync": ("EIO", "EIO+"),
    "fsync": ("EIO", "EIO+"),
    "ftruncate": ("EIO",),
    "pwrite64": ("EIO", "EIO+", "ENOSPC", "ENOSPC+"),
    "pread64": ("EIO", "EIO+"),
}


@dataclass(frozen=True, order=True)
class Fault:
    """The ``nth`` call of this name fails, with this error."""

    call: str
    nth: int
    error: str

    @property
    def options(self) -> list[str]:
        error = self.error.rstrip("+")
        when = f"{self.nth}+" if self.error.endswith("+") else f"{self.nth}"
        return ["-e", f"trace={self.call}", "-e", f"inject={self.call}:error={error}:when={when}"]


@dataclass(frozen=True)
class Scene:
    """Photos, the folder of a catalog to begin with, and what the catalog shall hold."""

    imgcat: Imgcat
    photos: Path
    begin_with: Path
    expected: Content

    @property
    def state(self) -> Path:
        return Path(os.fsdecode(os.path.dirname(self.imgcat.catalog)))

    def begin(self) -> None:
        shutil.rmtree(self.state, ignore_errors=True)
        shutil.copytree(self.begin_with, self.state)

    def run(self, log: Path, *options: str) -> Done:
        """An index run under strace. Reads of files other than the catalog's are left alone."""
        assert STRACE is not None
        words = [STRACE, "-f", "-qq", "-y", "--seccomp-bpf", "-o", str(log), *options]
        if any("pread64" in option for option in options):
            words += [
                "-P",
                str(self.state / "catalog.db"),
                "-P",
                str(self.state / "catalog.db-wal"),
            ]
        command = self.imgcat.command("index", self.photos, "--exclude", "", "--jobs", "1")
        return self.imgcat.execute([*map(os.fsencode, words), *command])


@pytest.fixture
def scene(imgcat: Imgcat, tmp_path: Path, request: pytest.FixtureRequest) -> Scene:
    pictures(tmp_path / "photos", PHOTOS)
    begin_with = tmp_path / "begin with"
    assert imgcat("index", tmp_path / "photos", "--jobs", "1").code == 0
    expected = rows(imgcat)
    assert len(expected) == PHOTOS
    request.param(imgcat, tmp_path / "photos", begin_with)
    return Scene(imgcat, tmp_path / "photos", begin_with, expected)


def no_catalog(imgcat: Imgcat, photos: Path, begin_with: Path) -> None:
    begin_with.mkdir()


def half(imgcat: Imgcat, photos: Path, begin_with: Path) -> None:
    """A run of a part has ended well."""
    shutil.rmtree(os.path.dirname(imgcat.catalog))
    words = ("--exclude", "folder 3", "--exclude", "folder 4", "--jobs", "1")
    assert imgcat("index", photos, *words).code == 0
    shutil.copytree(os.fsdecode(os.path.dirname(imgcat.catalog)), begin_with)


def log_left(imgcat: Imgcat, photos: Path, begin_with: Path) -> None:
    """A run of a part was killed, so the rows are in its log."""
    half(imgcat, photos, begin_with)
    shutil.rmtree(begin_with)
    connection = sqlite3.connect(os.fsdecode(imgcat.catalog))
    connection.execute("UPDATE folder SET settled = NULL")
    connection.execute("UPDATE photo SET again = 1 - again")
    connection.commit()
    shutil.copytree(os.fsdecode(os.path.dirname(imgcat.catalog)), begin_with)
    connection.close()
    (begin_with / "catalog.db-shm").unlink()
    assert (begin_with / "catalog.db-wal").stat().st_size > 0


# -- which calls there are -------------------------------------------------------------------------


def calls(log: Path) -> Iterator[tuple[str, int, str]]:
    """The calls of the first process in a log: name, how many before it, and kind of file."""
    counts: collections.Counter[str] = collections.Counter()
    first = None
    for line in log.read_text(errors="replace").splitlines():
        found = re.match(r"(\d+) +(\w+)\(\d+<(.*?)>", line)
        if found is None:
            continue
        process, name, path = found.groups()
        first = first or process
        if process == first:
            counts[name] += 1
            yield name, counts[name], kind_of(path)


def kind_of(path: str) -> str:
    name = re.sub(r"\d+", "", os.path.basename(path))
    if "etilqs" in name:
        return "SQLite's temporary file"
    return "a lock" if ".locks/" in path else name


def faults(scene: Scene, log: Path, dice: random.Random) -> list[Fault]:
    """For each kind of call on each kind of file, some places with two errors each."""
    places: dict[tuple[str, str], list[int]] = collections.defaultdict(list)
    for names in ("fdatasync,fsync,ftruncate,pwrite64", "pread64"):
        scene.begin()
        done = scene.run(log, "-e", f"trace={names}")
        assert done.code == 0, done
        for name, nth, kind in calls(log):
            places[name, kind].append(nth)
    chosen: set[Fault] = set()
    for (name, _kind), numbers in sorted(places.items()):
        some = {numbers[0], numbers[-1], *dice.sample(numbers, min(PLACES, len(numbers)))}
        errors = itertools.cycle(ERRORS[name])
        for nth in sorted(some):
            chosen |= {Fault(name, nth, error) for error in itertools.islice(errors, 2)}
    return sorted(chosen)


# -- what has to hold ------------------------------------------------------------------------------


def hold(scene: Scene, done: Done) -> str:
    """Nothing wrong after this run; returns in a word what became of it."""
    assert b"Traceback" not in done.err, done.errors
    if done.code == 0:
        assert done.err == b"", done.errors
        assert rows(scene.imgcat) == scene.expected, "it said that all is well"
        fate = "set aside" if b"set aside" in done.out else "well"
    else:
        one_line(done)
        damaged = done.code == 5
        assert done.code == 1 or (damaged and "damaged" in done.errors), done
        fate = "damaged" if damaged else "told"
        if not damaged:
            assert committed(scene.imgcat) <= scene.expected
    again = scene.imgcat.ask("index", scene.photos, "--exclude", "")
    assert (again.code, again.err) == (0, b""), again
    assert damaged_only_if_told(again, fate)
    assert rows(scene.imgcat) == scene.expected
    return fate


def damaged_only_if_told(again: Done, fate: str) -> bool:
    return b"set aside" not in again.out or fate == "damaged"


@pytest.mark.parametrize("scene", [no_catalog, half, log_left], indirect=True)
def test_r28_a_call_to_the_disk_that_fails_makes_no_wrong_catalog(
    scene: Scene, tmp_path: Path, say: Say
) -> None:
    log = tmp_path / "log"
    chosen = faults(scene, log, random.Random(SEED))
    in_photos = tree(scene.photos)
    fates: collections.Counter[str] = collections.Counter()
    wrong: list[str] = []
    begun = time.monotonic()
    for fault in chosen:
        scene.begin()
        done = scene.run(log, *fault.options)
        assert scene.imgcat.nothing_is_left(), fault
        hit = "INJECTED" in log.read_text(errors="replace")
        try:
            fates[hold(scene, done) if hit else "not hit"] += 1
        except (AssertionError, sqlite3.Error) as failure:
            fates["wrong"] += 1
            wrong.append(f"{fault}: {failure}\n{done}")
        assert tree(scene.photos) == in_photos, fault
    say(f"{len(chosen)} faults in {time.monotonic() - begun:.0f} s: {dict(fates)}")
    assert not wrong, "\n\n".join(wrong)
    assert fates["not hit"] < len(chosen) // 3
