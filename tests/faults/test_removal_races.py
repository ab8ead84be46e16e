"""R2, R23: processes that disagree, an adversary, and kill -9: no content goes by our hand."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from catalog.actions.moving import exchange
from catalog.actions.perform import perform
from catalog.actions.returning import recover
from catalog.model import ActionPlan, Deed, Receipt
from catalog.store.decisions import open_decisions
from tests.faults.removing import (
    LIMIT,
    Album,
    Child,
    album,
    children,
    content_of,
    contents_below,
    contents_of,
    found_below,
)
from tests.soak.figures import Say

__all__ = ["album"]

SEED = int(os.environ.get("IMGCAT_SEED", "23"))
DEEDS = [Deed.TRASH, Deed.MOVE, Deed.DELETE, Deed.HARDLINK]
SOAK = pytest.mark.soak


def has_gone(album: Album, number: int) -> bool:
    """Whether the copy of this photo is away, or is a link."""
    try:
        return os.path.samefile(album.a(number), album.b(number))
    except FileNotFoundError:
        return True


def killed_at(album: Album, deed: Deed, number: int, later: float) -> bool:
    """Kill it so many seconds after it took this photo; whether it was still at it."""
    child = Child(partial(album.perform, album.plan(deed)))
    child.go()
    limit = time.monotonic() + LIMIT
    while not has_gone(album, number) and time.monotonic() < limit:
        time.sleep(0.0002)
    time.sleep(later)
    child.kill()
    return child.ended().killed


@pytest.mark.parametrize(("rounds", "files"), [(3, 120), pytest.param(20, 300, marks=SOAK)])
@pytest.mark.parametrize("deed", DEEDS)
def test_r23_kill_9_at_any_moment_of_a_large_removal_loses_nothing(
    album: Album, deed: Deed, rounds: int, files: int, say: Say
) -> None:
    dice = random.Random(SEED)
    album.count = files
    album.with_companion = frozenset(range(1, files, 7))
    kills = begun = 0
    for _ in range(rounds):
        album.begin()
        kills += killed_at(album, deed, dice.randint(1, files), dice.uniform(0, 0.02))
        begun += len({row[4] for row in album.rows()}) > 1
        album.recovers(deed)
    say(f"{deed}: {rounds} runs, {kills} killed, {begun} between two batches; nothing lost")


@dataclass
class Adversary:
    """Replaces and deletes photos, and keeps a copy of all that it destroys.

    ``written`` remembers what it put there: that must not be lost by our hand either.
    """

    album: Album
    seed: int
    seconds: float
    folders: tuple[str, ...] = ("a", "b")

    @property
    def hoard(self) -> Path:
        return self.album.place / "hoard"

    def rage(self) -> list[bytes]:
        """Returns what it wrote where photos were."""
        dice = random.Random(self.seed)
        self.hoard.mkdir(exist_ok=True)
        written: list[bytes] = []
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            number = dice.randint(1, self.album.count)
            path = self.album.home / dice.choice(self.folders) / f"{number}.jpg"
            way = dice.choice([self._replace, self._rewrite, self._take])
            data = dice.randbytes(700)
            try:
                way(path, data, len(written) + dice.getrandbits(60))
            except FileNotFoundError:
                continue  # it went before us
            if way != self._take:
                written.append(data)
            time.sleep(dice.uniform(0, 0.004))
        return written

    def _replace(self, path: Path, data: bytes, name: int) -> None:
        """As programs save, but for what was there, which is kept."""
        new = self.hoard / f"{name}.old"
        new.write_bytes(data)
        try:
            exchange(bytes(new), bytes(path))
        except FileNotFoundError:
            new.unlink()
            raise

    def _rewrite(self, path: Path, data: bytes, name: int) -> None:
        """In place, and with the time as it was, every other time."""
        descriptor = os.open(path, os.O_RDWR)
        try:
            status = os.fstat(descriptor)
            (self.hoard / f"{name}.old").write_bytes(os.pread(descriptor, 1 << 20, 0))
            os.pwrite(descriptor, data[: status.st_size], 0)
            os.ftruncate(descriptor, len(data))
            os.pwrite(descriptor, data, 0)
            if name % 2:
                os.utime(descriptor, ns=(status.st_atime_ns, status.st_mtime_ns))
        finally:
            os.close(descriptor)

    def _take(self, path: Path, _data: bytes, name: int) -> None:
        os.rename(path, self.hoard / f"{name}.old")


class Other:
    """The same photos, in a catalog of another name, where the copies are what is kept."""

    def __init__(self, album: Album, state: Path | None = None) -> None:
        self.album = album
        self.state = state
        self.catalog = album.catalog[: -len(b".db")] + b"-other.db"
        open_decisions(self.catalog).close()

    def act(self, planned: ActionPlan) -> Receipt:
        """In a child only: it may have a removal lock of its own."""
        if self.state is not None:
            os.environ["XDG_STATE_HOME"] = str(self.state)
        with open_decisions(self.catalog) as decisions:
            return perform(planned, decisions)


@pytest.mark.parametrize("rounds", [2, pytest.param(100, marks=SOAK)])
@pytest.mark.parametrize("alone", [True, False], ids=["two", "two-and-an-adversary"])
@pytest.mark.parametrize("locked", [True, False], ids=["one-lock", "no-lock"])
@pytest.mark.parametrize("deed", DEEDS)
def test_r2_no_content_disappears_where_two_processes_keep_what_the_other_takes(
    album: Album, deed: Deed, locked: bool, alone: bool, rounds: int, say: Say
) -> None:
    album.count = 12
    album.with_companion = frozenset()
    done = waiting = 0
    for number in range(rounds):
        album.begin()
        other = Other(album, None if locked else album.place / "own state")
        adversary = Adversary(album, SEED * 1000 + number, 0.0 if alone else 0.15)
        functions: list[Callable[[], object]] = [
            partial(album.perform, album.plan(deed)),
            partial(other.act, album.plan(deed, keep_b=True)),
            adversary.rage,
        ]
        with children(*functions) as running:
            for child in running:
                child.go()
            ended = [child.ended() for child in running]
        for each in ended:
            assert not each.killed
            assert not each.trouble, each.trouble
            assert not each.error, each.error
        for catalog in (album.catalog, other.catalog):
            waiting += len(recover(catalog).left)
        done += sum(each.answer.done for each in ended[:2])
        there = contents_below(album.home, album.trash / "files", album.moved, adversary.hoard)
        written = {content_of(data) for data in ended[2].answer}
        expected = {found.content for found in album.before.values()} | written
        assert not expected - there.keys(), f"lost in round {number}"
        if deed in (Deed.TRASH, Deed.MOVE):  # these unlink nothing
            for content, count in contents_of(album.before).items():
                assert there[content] >= count, f"one copy was lost in round {number}"
        if alone and locked:
            assert not [path for path in found_below(album.home) if b".imgcat-" in path]
    say(f"{deed}: {rounds} rounds, {done} done, {waiting} left waiting; nothing lost")
