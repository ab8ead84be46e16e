"""R12: what is stored under a stamp is what the file held at that stamp, whoever writes meanwhile.

Eight writers rewrite 200 files in every way there is, and note after each step which bytes the
file holds under which stamp. Meanwhile the program indexes them over and over.
"""

from __future__ import annotations

import collections
import contextlib
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from blake3 import blake3
from commandline import Imgcat

from catalog.model import Stamp
from tests.faults.stored import copied
from tests.soak.figures import Say
from tests.support import known, no_loose_ends, picture

pytestmark = pytest.mark.soak

SEED = int(os.environ.get("IMGCAT_SEED", "23"))
WRITERS = 8
FILES = 200
SECONDS = 60.0
SIDES = [(1000, 800), (1000, 800), (48, 32), (80, 60)]  # of the pictures: 2.4 MB, 5 KB, 14 KB
LARGE = 100_000  # bytes
PIECE = 4096  # bytes, a page of the kernel's

Version = tuple[bytes, Stamp]  # path, and what lstat said of it
Digests = dict[Version, list[bytes]]  # all contents that a file had under one stamp


@dataclass
class Writer:
    """Rewrites its own files, and nobody else does."""

    paths: list[bytes]
    dice: random.Random
    pictures: dict[tuple[int, int], list[bytes]]  # to choose from, by their sides
    now: dict[bytes, bytes] = field(default_factory=dict)
    held: Digests = field(default_factory=lambda: collections.defaultdict(list))

    def begin(self) -> None:
        for path in self.paths:
            self.replace(path, self._picture(path))

    def until(self, over: threading.Event) -> None:
        while not over.wait(self.dice.uniform(0, 0.03)):
            often = self.dice.random() < 0.4
            path = self.dice.choice(self.paths[:3] if often else self.paths)
            self.dice.choice(self.ways(path))(path, self._picture(path))

    def ways(self, path: bytes) -> list[Callable[[bytes, bytes], None]]:
        # A large one changes by a piece, as by an editor of tags: slow to read, quick to change.
        if len(self.now[path]) > LARGE:
            return [self.replace, self.patch, self.patch, self.patch]
        return [self.replace, self.overwrite, self.in_halves, self.truncate, self.set_back]

    def replace(self, path: bytes, data: bytes) -> None:
        """A new file takes the name."""
        new = os.path.join(os.path.dirname(path), b".new-" + os.path.basename(path))
        with open(new, "wb", buffering=0) as file:
            file.write(data)
        os.rename(new, path)
        self._note(path, data)

    def overwrite(self, path: bytes, data: bytes) -> None:
        """The same inode and size, in one go."""
        before = self.now[path]
        with open(path, "r+b", buffering=0) as file:
            file.write(data)
            self._note(path, data, before)

    def in_halves(self, path: bytes, data: bytes) -> None:
        """The same inode and size, and for a moment half of each version."""
        before, middle = self.now[path], len(data) // 2
        half = data[:middle] + before[middle:]
        with open(path, "r+b", buffering=0) as file:
            file.write(data[:middle])
            self._note(path, half, before)
            time.sleep(self.dice.choice([0, 0, 0.005]))
            file.write(data[middle:])
            self._note(path, data, half)

    def patch(self, path: bytes, _data: bytes) -> None:
        """The same inode and size, and one piece of the pixels is another."""
        before = self.now[path]
        place = len(before) - 2 * PIECE
        with open(path, "r+b", buffering=0) as file:
            piece = self.dice.randbytes(PIECE)
            os.pwrite(file.fileno(), piece, place)
            self._note(path, before[:place] + piece + before[place + PIECE :], before)

    def truncate(self, path: bytes, data: bytes) -> None:
        """As most programs save: empty for a moment."""
        with open(path, "wb", buffering=0) as file:
            self._note(path, b"")
            file.write(data)
            self._note(path, data)

    def set_back(self, path: bytes, data: bytes) -> None:
        """The same size and modification time; the change time alone tells."""
        changed = os.stat(path).st_mtime_ns
        self.overwrite(path, data)
        os.utime(path, ns=(changed, changed))
        self._note(path, data)

    def _note(self, path: bytes, data: bytes, before: bytes | None = None) -> None:
        """The file holds ``data``; written over ``before``, where that is given.

        The kernel gives a file its new stamp and then copies, page by page: for a moment, the
        bytes of before have the new stamp too.
        """
        self.now[path] = data
        held = self.held[path, Stamp.of(os.lstat(path))]
        held.append(blake3(data).digest())
        if before is not None:
            held.append(blake3(before).digest())
            pages = range(PIECE, len(data), PIECE) if len(data) <= LARGE else ()
            held += [blake3(data[:page] + before[page:]).digest() for page in pages]

    def _picture(self, path: bytes) -> bytes:
        number = int(os.path.basename(path).split(b".")[0])
        return self.dice.choice(self.pictures[SIDES[number // WRITERS % len(SIDES)]])


@dataclass(frozen=True)
class Row:
    """What the catalog says of one file."""

    path: bytes
    stamp: Stamp
    digest: bytes
    again: bool  # and that it is to be read again


def stored(catalog: bytes) -> set[Row]:
    with (
        copied(catalog) as copy,
        contextlib.closing(sqlite3.connect(os.fsdecode(copy))) as connection,
    ):
        return {
            Row(top + b"/" + name, Stamp(*stamp), digest, bool(again))
            for top, name, again, digest, *stamp in connection.execute(
                "SELECT folder.name, photo.name, again, digest, "
                "photo.size, mtime_ns, ctime_ns, photo.inode FROM photo "
                "JOIN folder ON folder.id = folder JOIN content ON content.id = content"
            )
        }


def test_r12_every_stored_pair_of_stamp_and_digest_existed(
    imgcat: Imgcat, tmp_path: Path, say: Say
) -> None:
    top = tmp_path / "photos"
    top.mkdir()
    paths = [os.fsencode(top / f"{number}.bmp") for number in range(FILES)]
    choice = {side: [picture(seed, size=side) for seed in range(8)] for side in SIDES}
    writers = [Writer(paths[n::WRITERS], random.Random(SEED + n), choice) for n in range(WRITERS)]
    for writer in writers:
        writer.begin()
    seen: set[Row] = set()
    over = threading.Event()
    threads = [threading.Thread(target=writer.until, args=(over,)) for writer in writers]
    for thread in threads:
        thread.start()
    runs = 0
    until = time.monotonic() + SECONDS
    try:
        while time.monotonic() < until:
            done = imgcat("index", top, "--json")
            assert (done.code, done.err) == (0, b""), done
            seen |= stored(imgcat.catalog)
            runs += 1
    finally:
        over.set()
        for thread in threads:
            thread.join()
    versions: Digests = {}
    for writer in writers:
        versions.update(writer.held)
    wrong = [row for row in seen if row.digest not in versions.get((row.path, row.stamp), [])]
    say(
        f"{WRITERS} writers made {len(versions):,} versions of {FILES} files in {SECONDS:.0f} s; "
        f"{runs} runs stored {len(seen):,} pairs, {sum(row.again for row in seen):,} of them "
        f"to be read again; {len(wrong)} wrong"
    )
    assert not wrong
    assert len(seen) > FILES, "else this proves nothing"
    quiet(imgcat, top)


def quiet(imgcat: Imgcat, top: Path) -> None:
    """Ten seconds later, one run brings all in line, and the next reads nothing."""
    time.sleep(10)
    assert imgcat("index", "--json").code == 0
    with copied(imgcat.catalog) as copy:
        assert known(copy, os.fsencode(top)) == {
            os.fsencode(path.name): blake3(path.read_bytes()).digest() for path in top.iterdir()
        }
        no_loose_ends(copy)
    assert not [row for row in stored(imgcat.catalog) if row.again]
    assert imgcat("index", "--json").json["unchanged"] == FILES
