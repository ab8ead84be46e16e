"""R28: a disk that is full at any moment of a run costs nothing that was committed."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from commandline import Done, Imgcat, one_line, tree

from tests.faults.stored import COUNT, Content, committed, rows
from tests.soak.disks import make_ext4, mount_image
from tests.soak.figures import Say
from tests.support import Reader, in_child, mount, mount_tmpfs, needs_root, unmount

pytestmark = pytest.mark.soak

LEVELS = [round(64 * 1.23**step) for step in range(20)]  # KiB, to somewhat more than is needed
ROOM = 64 << 10  # KiB


class Tmpfs:
    """Full because it is small; made larger."""

    def __init__(self, at: Path, kib: int) -> None:
        self._at = at
        mount_tmpfs(os.fsencode(at), f"size={kib}k")

    def make_room(self) -> None:
        mount("-o", f"remount,size={ROOM}k", str(self._at))


class Ext4:
    """Full because of another file, which is deleted."""

    def __init__(self, at: Path, kib: int) -> None:
        image = at.with_name("image")
        make_ext4(image, ROOM >> 10, "-m", "0")
        mount_image(image, at)
        self._ballast = at / "ballast"
        free = os.statvfs(at).f_bavail * os.statvfs(at).f_frsize
        with open(self._ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, free - (kib << 10))

    def make_room(self) -> None:
        self._ballast.unlink()


@needs_root
@pytest.mark.parametrize("kind", [Tmpfs, Ext4])
def test_r28_a_run_on_a_full_disk_keeps_what_it_committed_and_goes_on_with_more_room(
    kind: Callable[[Path, int], Tmpfs | Ext4],
    imgcat: Imgcat,
    photos: Path,
    expected: Content,
    reader: Reader,
    say: Say,
    request: pytest.FixtureRequest,
) -> None:
    if kind is Ext4:
        request.getfixturevalue("loop_disks")
    disk = imgcat.home / "disk"
    in_photos = tree(photos)

    def level(kib: int) -> int | None:
        space = kind(disk, kib)
        try:
            return filled(imgcat, photos, expected, reader, space)
        finally:
            unmount(os.fsencode(disk), lazily=True)

    begun = time.monotonic()
    kept = [in_child(functools.partial(level, kib), own_mounts=True) for kib in LEVELS]
    say(
        f"{kind.__name__}, {LEVELS[0]} to {LEVELS[-1]} KiB: {kept.count(None)} of {len(kept)} runs "
        f"had room enough; rows kept by the others: {[some for some in kept if some is not None]}; "
        f"{time.monotonic() - begun:.0f} s"
    )
    assert tree(photos) == in_photos
    assert len({some for some in kept if some}) > 1, "some of them failed in mid-run"


def filled(
    imgcat: Imgcat, photos: Path, expected: Content, reader: Reader, space: Tmpfs | Ext4
) -> int | None:
    """Rows that a run without enough room kept; None where there was room."""
    before: Content = set()
    for _ in range(2):  # the second time, it may find a catalog that it can hardly open
        done = imgcat("index", photos, "--jobs", "2")
        assert imgcat.nothing_is_left(1.0)
        now = committed(imgcat)  # sound, that is
        assert before <= now <= expected
        before = now
        if done.code == 0:
            break
        says_what_to_do(done)
        asked = imgcat.ask("status", "--json")
        assert asked.code in (0, 5), asked
        assert asked.code == 5 or asked.json["photos"] == len(now)
    full = done.code != 0
    assert full or before == expected
    space.make_room()
    reader.forget()
    done = imgcat.ask("index", photos, "--json")
    assert done.code == 0, done
    assert done.json["unchanged"] == len(before)
    assert done.json["added"] == len(reader.read) == COUNT - len(before)
    assert rows(imgcat) == expected
    assert not [n for n in os.listdir(imgcat.home / "disk") if ".new-" in n or ".corrupt-" in n]
    return len(before) if full else None


def says_what_to_do(done: Done) -> None:
    assert done.code == 1, done
    line = one_line(done)
    assert "no room left" in line
    assert "free some space" in line
