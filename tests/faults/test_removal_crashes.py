"""R1, R4, R6, R23: wherever a removal is cut off or a call of it fails, no photo is lost.

strace kills the process at one call, or lets the call fail. Which calls there are is counted in a
run that nothing happens to. The suite takes some of them, ``scripts/soak removals`` every one.
"""

from __future__ import annotations

import os
import random
import shutil
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from catalog.actions.returning import recover
from catalog.model import Deed, Receipt
from catalog.store.decisions import open_decisions
from tests.faults.removing import (
    BY_EYE,
    Album,
    Ended,
    Point,
    album,
    counted,
    deed,
    found_below,
    strace_works,
    traced,
)
from tests.soak.figures import Say

__all__ = ["album", "deed", "strace_works"]

SEED = int(os.environ.get("IMGCAT_SEED", "23"))
DEEDS = [Deed.TRASH, Deed.MOVE, Deed.DELETE, Deed.HARDLINK, BY_EYE]

# What changes something on a disk; to be killed between any two of these is to be killed anywhere.
CHANGING = (
    *("rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdir", "openat"),
    *("fsync", "fdatasync", "write", "pwrite64", "ftruncate"),
    *("utimensat", "fchmod", "fchown", "chmod"),
)
# These move a file: half of what the suite takes.
MOVING = ("rename", "renameat2", "linkat", "unlink", "fsync")
ASKING = (
    *("newfstatat", "getdents64", "flistxattr", "fgetxattr", "fcntl"),
    *("pread64", "preadv", "preadv2"),
)
ERRORS = ("EIO", "ENOSPC", "EPERM")

SOAK = pytest.mark.soak


def some(points: Sequence[Point], most: int) -> list[Point]:
    """So many of them, the same ones each time, and all that move a file."""
    moving = [point for point in points if point.call in MOVING]
    rest = [point for point in points if point.call not in MOVING]
    dice = random.Random(SEED)
    chosen = dice.sample(moving, min(len(moving), most // 2))
    return sorted([*chosen, *dice.sample(rest, min(len(rest), most - len(chosen)))])


def points_of(
    act: Callable[[], object], log: Path, calls: Sequence[str], what: Sequence[str]
) -> list[Point]:
    counts = counted(act, log, calls)
    return [
        Point(call, nth, each)
        for call, count in sorted(counts.items())
        for nth in range(1, count + 1)
        for each in what
    ]


def no_note_unread(points: Sequence[Point]) -> list[Point]:
    """Without errors at opening a file: a .trashinfo that cannot be read then is left there."""
    return [point for point in points if point.call != "openat" or point.what == "KILL"]


def tried(points: Sequence[Point], attempt: Callable[[Point], None]) -> list[str]:
    """What does not hold, and at which points."""
    failures = []
    for point in points:
        try:
            attempt(point)
        except Exception as error:
            line = traceback.extract_tb(error.__traceback__)[-1].line
            failures.append(f"{point.call} {point.nth} {point.what}: {line}: {str(error)[-300:]}")
    return failures


def without_lock(ended: Ended) -> bool:
    """Whether it could not even take the removal lock: that is told as the system says it."""
    return "/locks.py" in ended.trouble


def told(ended: Ended, units: int) -> None:
    """A run that met an error says what became of every photo, or why it ended."""
    assert not ended.killed
    if ended.error or without_lock(ended):
        return
    assert not ended.trouble, ended.trouble
    receipt: Receipt = ended.answer
    if not receipt.stopped:
        # What was done and cannot be said to outlive a power cut is told as refused, too.
        assert receipt.done + len(receipt.refused) >= units, receipt
    for refusal in receipt.refused:
        assert refusal.why


@pytest.mark.usefixtures("strace_works")
@pytest.mark.parametrize("most", [16, pytest.param(100_000, marks=SOAK)])
@pytest.mark.parametrize("deed", DEEDS, indirect=True)
def test_r4_a_removal_killed_at_any_call_is_brought_home_or_done(
    album: Album, deed: Deed, most: int, say: Say
) -> None:
    log = album.place / "log"

    def attempt(point: Point) -> None:
        ended = traced(album.ready(deed), log, *point.options)
        assert ended.killed
        if deed is Deed.HARDLINK:  # at every instant
            there = found_below(album.home)
            assert [there[path].content for path in album.before] == [
                found.content for found in album.before.values()
            ]
        album.recovers(deed)

    points = some(points_of(album.ready(deed), log, CHANGING, ["KILL"]), most)
    failures = tried(points, attempt)
    say(f"{deed}: killed at {len(points)} calls, of which {len(failures)} went wrong")
    assert not failures, "\n".join(failures)


@pytest.mark.usefixtures("strace_works")
@pytest.mark.parametrize("most", [16, pytest.param(100_000, marks=SOAK)])
@pytest.mark.parametrize("deed", DEEDS, indirect=True)
def test_r4_a_removal_of_which_a_call_fails_leaves_each_photo_at_home_or_done(
    album: Album, deed: Deed, most: int, say: Say
) -> None:
    log = album.place / "log"

    def attempt(point: Point) -> None:
        ended = traced(album.ready(deed), log, *point.options)
        told(ended, album.count)
        if point.call not in ("openat", *ASKING):
            album.whole(deed)  # by itself, with no help from the next command
        album.recovers(deed)

    points = some(points_of(album.ready(deed), log, CHANGING + ASKING, ERRORS), most)
    failures = tried(points, attempt)
    say(f"{deed}: {len(points)} calls failed, of which {len(failures)} went wrong")
    assert not failures, "\n".join(failures)


@pytest.mark.usefixtures("strace_works")
@pytest.mark.parametrize("most", [6, pytest.param(100_000, marks=SOAK)])
@pytest.mark.parametrize("deed", DEEDS, indirect=True)
def test_r4_a_removal_from_whose_nth_call_on_all_fail_is_put_in_order_by_the_next_command(
    album: Album, deed: Deed, most: int, say: Say
) -> None:
    log = album.place / "log"

    def attempt(point: Point) -> None:
        ended = traced(album.ready(deed), log, *point.options)
        told(ended, album.count)
        album.recovers(deed)

    points = some(points_of(album.ready(deed), log, CHANGING + ASKING, ["EIO+"]), most)
    failures = tried(points, attempt)
    say(f"{deed}: all failed from {len(points)} calls on, of which {len(failures)} went wrong")
    assert not failures, "\n".join(failures)


@pytest.mark.usefixtures("strace_works")
@pytest.mark.parametrize("most", [10, pytest.param(100_000, marks=SOAK)])
@pytest.mark.parametrize("deed", DEEDS, indirect=True)
def test_r7_undoing_that_is_killed_or_fails_at_any_call_is_finished_by_undoing_again(
    album: Album, deed: Deed, most: int, say: Say
) -> None:
    log = album.place / "log"

    def attempt(point: Point) -> None:
        album.begin()
        album.act(deed)
        ended = traced(album.undo, log, *point.options)
        if point.what == "KILL":
            assert ended.killed
        else:
            assert without_lock(ended) or not ended.trouble, ended.trouble
        recover(album.catalog)
        for path, was in album.before.items():
            if path.startswith(os.fsencode(album.home / "a")):
                assert found_below(album.home)[path] == was
        album.comes_home(deed)

    album.begin()
    album.act(deed)
    points = some(no_note_unread(points_of(album.undo, log, CHANGING, ["KILL", *ERRORS])), most)
    failures = tried(points, attempt)
    say(f"undo {deed}: cut off at {len(points)} calls, of which {len(failures)} went wrong")
    assert not failures, "\n".join(failures)


@pytest.mark.usefixtures("strace_works")
@pytest.mark.parametrize("most", [8, pytest.param(100_000, marks=SOAK)])
@pytest.mark.parametrize("deed", DEEDS, indirect=True)
def test_r4_recovering_that_is_killed_or_fails_at_any_call_is_finished_by_recovering_again(
    album: Album, deed: Deed, most: int, say: Say
) -> None:
    log = album.place / "log"
    # Half of it moved; all of it moved; and of those that go for good the first unlinked, and all.
    begins = [Point("renameat2", 3, "KILL"), Point("fsync", 1, "KILL")]
    if deed in (Deed.DELETE, Deed.HARDLINK):
        album.begin()
        last = counted(partial(album.perform, album.plan(deed)), log, ["fsync"])["fsync"]
        begins += [Point("unlink", 2, "KILL"), Point("fsync", last, "KILL")]

    def cut_off(begin: Point) -> Callable[[], object]:
        album.begin()
        ended = traced(partial(album.perform, album.plan(deed)), log, *begin.options)
        assert ended.killed
        return partial(recover, album.catalog)

    def attempt(begin: Point, point: Point) -> None:
        ended = traced(cut_off(begin), log, *point.options)
        assert without_lock(ended) or not ended.trouble, ended.trouble
        album.recovers(deed)

    count, failures = 0, []
    for begin in begins:
        points = points_of(cut_off(begin), log, CHANGING, ["KILL", *ERRORS])
        points = some(no_note_unread(points), most // len(begins) if most < 1000 else most)
        failures += tried(points, partial(attempt, begin))
        count += len(points)
    say(f"recovering {deed}: cut off at {count} calls, of which {len(failures)} went wrong")
    assert not failures, "\n".join(failures)


@pytest.mark.usefixtures("strace_works")
@pytest.mark.parametrize("most", [8, pytest.param(100_000, marks=SOAK)])
def test_r23_a_journal_that_is_not_made_to_its_end_is_made_by_the_next_command(
    album: Album, most: int, say: Say
) -> None:
    log = album.place / "log"

    def make() -> Callable[[], None]:
        shutil.rmtree(album.place / "state")
        return lambda: open_decisions(album.catalog).close()

    def attempt(point: Point) -> None:
        ended = traced(make(), log, *point.options)
        assert not ended.trouble, ended.trouble
        assert album.act(Deed.TRASH).done == album.count
        album.begin()

    points = some(points_of(make(), log, CHANGING, ["KILL", *ERRORS]), most)
    failures = tried(points, attempt)
    say(f"the journal: cut off at {len(points)} calls, of which {len(failures)} went wrong")
    assert not failures, "\n".join(failures)
