"""R23: kill -9 in mid-run, while the photos change from run to run.

``tests/faults/test_interrupted.py`` has the same for a first run over photos that stay.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from blake3 import blake3
from commandline import Imgcat, picture, pictures

from catalog.model import Stamp
from tests.faults.running import wait_for_chance
from tests.faults.stored import copied
from tests.soak.figures import Say
from tests.support import known, no_loose_ends

SEED = int(os.environ.get("IMGCAT_SEED", "23"))
COUNT = 200


@dataclass
class Album:
    """Photos in folders, and everything that people do to them."""

    top: Path
    dice: random.Random
    made: int = COUNT

    def change(self) -> None:
        ways = [self.rewrite, self.replace, self.rename, self.add, self.copy]
        for _ in range(self.dice.randint(10, 150)):
            self.dice.choice(ways)()
        while len(files := self.files()) > COUNT:
            self.dice.choice(files).unlink()
        if self.dice.random() < 0.5:
            self.rename_a_folder()

    def add(self) -> None:
        picture(self._new_name(), self._seed())

    def rewrite(self) -> None:
        """In place: the inode stays."""
        path = self._file()
        path.write_bytes(self._other_picture())

    def replace(self) -> None:
        path = self._file()
        new = path.with_name(".new")
        new.write_bytes(self._other_picture())
        new.rename(path)

    def rename(self) -> None:
        self._file().rename(self._new_name())

    def copy(self) -> None:
        shutil.copy2(self._file(), self._new_name())

    def rename_a_folder(self) -> None:
        self._folder().rename(self.top / f"folder of {self._seed()}")

    def files(self) -> list[Path]:
        return sorted(path for path in self.top.rglob("*") if path.is_file())

    def _file(self) -> Path:
        return self.dice.choice(self.files())

    def _folder(self) -> Path:
        return self.dice.choice(sorted(path for path in self.top.iterdir()))

    def _new_name(self) -> Path:
        return self._folder() / f"{self._seed()}.png"

    def _seed(self) -> int:
        self.made += 1
        return self.made

    def _other_picture(self) -> bytes:
        aside = self.top.with_name("aside.png")
        picture(aside, self._seed())
        return aside.read_bytes()


@dataclass(frozen=True)
class Row:
    """What the catalog says of a file that is there."""

    stamp: Stamp
    digest: bytes
    again: bool


def stored(catalog: bytes, top: Path) -> dict[Path, Row]:
    """The photos of a sound catalog."""
    with (
        copied(catalog) as copy,
        contextlib.closing(sqlite3.connect(os.fsdecode(copy))) as connection,
    ):
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return {
            top / os.fsdecode(folder) / os.fsdecode(name): Row(Stamp(*stamp), digest, bool(again))
            for folder, name, digest, again, *stamp in connection.execute(
                "SELECT folder.name, photo.name, digest, again, "
                "photo.size, mtime_ns, ctime_ns, photo.inode FROM photo "
                "JOIN folder ON folder.id = folder JOIN content ON content.id = content "
                "WHERE missing_since IS NULL AND folder.parent IS NOT NULL"
            )
        }


def on_disk(album: Album) -> dict[Path, tuple[Stamp, bytes]]:
    return {
        path: (Stamp.of(path.lstat()), blake3(path.read_bytes()).digest()) for path in album.files()
    }


@pytest.mark.parametrize("rounds", [2, pytest.param(200, marks=pytest.mark.soak)])
def test_r23_kill_9_amid_changes_loses_no_row_and_keeps_no_wrong_one(
    imgcat: Imgcat, tmp_path: Path, rounds: int, say: Say
) -> None:
    dice = random.Random(SEED)
    album = Album(tmp_path / "photos", dice)
    pictures(album.top, COUNT)
    assert imgcat("index", album.top).code == 0
    kills = stored_some = finished = 0
    begun = time.monotonic()
    for number in range(rounds):
        album.change()
        before = stored(imgcat.catalog, album.top)
        kills += run_and_kill(imgcat, dice)
        after = stored(imgcat.catalog, album.top)
        stored_some += after != before
        hold(before, after, on_disk(album))
        if number % 3 == 2 or number == rounds - 1:
            in_line(imgcat, album)
            finished += 1
    say(
        f"{rounds} runs amid {album.made - COUNT} changes, {kills} killed, {stored_some} stored "
        f"something; {finished} times brought in line; {time.monotonic() - begun:.0f} s"
    )
    assert kills >= rounds // 2
    assert stored_some >= rounds // 4


def run_and_kill(imgcat: Imgcat, dice: random.Random) -> bool:
    """Whether the run was still going on."""
    process = imgcat.start("index", "--jobs", dice.choice("12"))
    wait_for_chance(imgcat, process, dice)
    running = process.poll() is None
    process.kill()
    process.communicate()
    assert imgcat.nothing_is_left()
    return running


def hold(
    before: dict[Path, Row], after: dict[Path, Row], disk: dict[Path, tuple[Stamp, bytes]]
) -> None:
    """No row of a file that stayed as it was is lost, and no settled one is wrong."""
    for path, (stamp, digest) in disk.items():
        was, now = before.get(path), after.get(path)
        if was is not None and was.stamp == stamp and was.digest == digest:
            assert now is not None, f"{path} was known, is as it was, and its row is gone"
            assert now.digest == digest, path
        if now is not None and now.stamp == stamp and not now.again:
            assert now.digest == digest, f"{path} is believed to be what it is not"


def in_line(imgcat: Imgcat, album: Album) -> None:
    """A run that is left alone leaves nothing to be desired."""
    done = imgcat("index")
    assert (done.code, done.err) == (0, b""), done
    with copied(imgcat.catalog) as copy:
        assert known(copy, os.fsencode(album.top)) == {
            os.fsencode(path.relative_to(album.top)): digest
            for path, (_, digest) in on_disk(album).items()
        }
        no_loose_ends(copy)
