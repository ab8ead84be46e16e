"""R23: a power cut loses nothing that a person was told is chosen, and makes nothing of it done.

The decisions are on an ext4 in a file, which is copied as it is while choices are made.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from catalog.model import Choice, Seen
from catalog.store import choices
from catalog.store.decisions import decisions_file, open_decisions
from tests.faults.removing import Child
from tests.soak.disks import is_stopped, make_ext4, mount_image, snapshot, written_back
from tests.soak.figures import Say
from tests.support import in_child, sql_rows, unmount

pytestmark = [pytest.mark.soak, pytest.mark.usefixtures("loop_disks")]

SEED = int(os.environ.get("IMGCAT_SEED", "23"))
CUTS = 16
MEGABYTES = 16
KEPT = Seen(b"/photos/kept.jpg", b"k" * 32, 2000, 2)


@dataclass(frozen=True)
class Bench:
    place: Path

    @property
    def disk(self) -> Path:
        return self.place / "disk"

    @property
    def catalog(self) -> bytes:
        return os.fsencode(self.disk / "catalog.db")

    @contextlib.contextmanager
    def mounted(self, image: Path) -> Iterator[None]:
        mount_image(image, self.disk)
        try:
            yield
        finally:
            unmount(os.fsencode(self.disk), lazily=True)


def choice(number: int) -> Choice:
    return Choice(Seen(b"/photos/%d.jpg" % number, b"%032d" % number, number, number), KEPT)


def after(times: int) -> list[Choice]:
    """What is chosen once that was said so many times."""
    last = 3 * times - 3
    return [choice(number) for number in range(last + 3) if number % 3 or number == last]


def choose(catalog: bytes, telling: int) -> None:
    """Three come each time, and one of the last three goes; told when it is said to be durable."""
    with open_decisions(catalog) as opened:
        for number in range(100_000):
            new = [choice(3 * number + each) for each in range(3)]
            choices.replace(opened, [choice(3 * number - 3).goes.path], new)
            os.write(telling, b".")


def cut(bench: Bench, number: int, seconds: float) -> tuple[int, int]:
    """How many times choices were told before the power went, and are there after it."""
    image, copy = bench.place / "image", bench.place / "copy"
    make_ext4(image, MEGABYTES)
    with bench.mounted(image):
        open_decisions(bench.catalog).close()
        told, telling = os.pipe()
        child = Child(functools.partial(choose, bench.catalog, telling))
        os.close(telling)
        with written_back(bench.disk, often=number % 2 == 0):
            child.go()
            os.read(told, 1)
            time.sleep(seconds)
            os.kill(child.pid, signal.SIGSTOP)
            while not is_stopped(child.pid):
                time.sleep(0.0005)
        snapshot(image, copy)
        child.kill()
        assert child.ended().killed
        said = 1
        while piece := os.read(told, 1 << 16):
            said += len(piece)
        os.close(told)
    with bench.mounted(copy), open_decisions(bench.catalog) as opened:
        there = choices.all_of(opened)
        assert there in (after(said), after(said + 1)), f"{said} times were told"
        assert opened.unfinished() == opened.history() == []
        file = decisions_file(bench.catalog)
        assert sql_rows(file, "PRAGMA integrity_check") == [("ok",)]
    return said, len(there)


def test_r23_what_was_said_to_be_chosen_outlives_a_power_cut(tmp_path: Path, say: Say) -> None:
    bench, dice = Bench(tmp_path), random.Random(SEED)
    bench.disk.mkdir()
    told = 0
    for number in range(CUTS):
        one = functools.partial(cut, bench, number, dice.uniform(0, 0.3))
        said, there = in_child(one, own_mounts=True)
        told += said
        assert there
    say(f"{CUTS} cuts, {told} transactions of choices told, and none lost")
