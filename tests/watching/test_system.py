"""What the system does to the daemon: limits, mounts, full disks, others at work."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from commandline import Imgcat, picture, pictures

from catalog.indexing.reconcile import Look
from catalog.scanning.filesystem import Mount
from catalog.store.folders import RootRow
from catalog.watching.client import daemon_state
from catalog.watching.followed import Followed
from tests.support import known, mount, mount_tmpfs, needs_root, no_loose_ends, unmount
from tests.watching.following import Following, wait_for


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    top = tmp_path / "photos"
    pictures(top, 4, folders=2)
    return top


def names(imgcat: Imgcat, top: Path) -> set[bytes]:
    return set(known(imgcat.catalog, bytes(top)))


def holds(imgcat: Imgcat, top: Path, count: int) -> bool:
    return len(names(imgcat, top)) == count


# -- R16 ---------------------------------------------------------------------------------------

_LIMITED = [
    "unshare",
    "-Ur",
    "sh",
    "-c",
    'echo 20 > /proc/sys/user/max_inotify_watches && exec "$@"',
]


@pytest.mark.skipif(
    subprocess.run([*_LIMITED, "sh", "true"], capture_output=True, check=False).returncode != 0,
    reason="needs user namespaces: that is where a limit on watches can be set",
)
def test_r16_beyond_the_limit_on_watches_it_says_so_and_looks_every_minute(
    imgcat: Imgcat, photos: Path
) -> None:
    for number in range(60):
        (photos / f"more {number:02}").mkdir()
    command = [*_LIMITED, "sh", *map(os.fsdecode, imgcat.command("watch", photos))]
    out, err = (imgcat.home / name for name in ("out", "err"))
    with open(out, "wb") as said, open(err, "wb") as complaints:
        process = subprocess.Popen(command, stdout=said, stderr=complaints, env=imgcat.env)
    try:
        assert wait_for(lambda: daemon_state(imgcat.catalog).unwatched > 30, 20)
        assert wait_for(lambda: daemon_state(imgcat.catalog).state == "degraded", 20)
        state = daemon_state(imgcat.catalog)
        assert state.watched + state.unwatched == 63
        assert "sudo sysctl fs.inotify.max_user_watches=" in state.problem
        assert imgcat("status", "--check", "--quiet").code == 1
        # A question has it look at what is not watched.
        picture(photos / "more 59" / "new.png", 77)
        answer = imgcat("dupes", "--json").json
        assert answer["fresh"] is True
        assert b"more 59/new.png" in names(imgcat, photos)
    finally:
        process.terminate()
        process.wait(10)
    assert "cannot be watched (inotify watch limit reached)" in out.read_text()
    assert err.read_text() == ""


# -- R18 ---------------------------------------------------------------------------------------


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Path]:
    """A drive that can be unplugged."""
    place = tmp_path / "drive"
    place.mkdir()
    mount_tmpfs(bytes(place))
    yield place
    while os.path.ismount(place):
        unmount(bytes(place), lazily=True)


@needs_root
def test_r18_a_drive_that_is_unplugged_keeps_its_rows_and_is_followed_when_it_is_back(
    imgcat: Imgcat, drive: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    pictures(drive / "photos", 4, folders=2)
    following = Following(imgcat, drive / "photos")
    try:
        following.start()
        following.wait_until_watching()
        for number in range(2):
            elsewhere.mkdir(exist_ok=True)
            mount("--move", bytes(drive), bytes(elsewhere))
            assert wait_for(lambda: "is not there now" in following.out, 15)
            status = imgcat("status", "--json").json
            assert status["roots"][0]["state"] == "offline"
            assert status["roots"][0]["photos"] == 4 + number
            picture(elsewhere / "photos" / f"while away {number}.png", 40 + number)
            mount("--move", bytes(elsewhere), bytes(drive))
            found = 5 + number
            assert wait_for(partial(holds, imgcat, drive / "photos", found), 15)
        picture(drive / "photos" / "after.png", 50)
        assert wait_for(lambda: b"after.png" in names(imgcat, drive / "photos"), 10)
        assert following.stop(within=2) == 0
    finally:
        following.close()


@needs_root
def test_r18_what_is_mounted_on_a_folder_is_seen_within_seconds(
    imgcat: Imgcat, photos: Path
) -> None:
    card = photos / "card"
    card.mkdir()
    following = Following(imgcat, photos)
    mounted = False
    try:
        following.start()
        following.wait_until_watching()
        mount_tmpfs(bytes(card))
        mounted = True
        picture(card / "1.png", 61)
        assert wait_for(lambda: b"card/1.png" in names(imgcat, photos), 15)
        picture(card / "2.png", 62)
        assert wait_for(lambda: b"card/2.png" in names(imgcat, photos), 10)
        unmount(bytes(card), lazily=True)
        mounted = False
        time.sleep(2)
        assert names(imgcat, photos) >= {b"card/1.png", b"card/2.png"}, "it may come back"
        assert imgcat("dupes", "--json").json["offline"] != []
        assert following.stop(within=2) == 0
    finally:
        if mounted:
            unmount(bytes(card), lazily=True)
        following.close()


# -- R20 ---------------------------------------------------------------------------------------

MOUNTS = [
    Mount(b"/", "ext4", 1),
    Mount(b"/home", "btrfs", 2),
    Mount(b"/home/ann/nas", "nfs4", 3),
    Mount(b"/home/ann/Pictures/phone", "fuse.mtpfs", 4),
    Mount(b"/home/ann/Pictures/card", "vfat", 5),
    Mount(b"/mnt/share", "cifs", 6),
    Mount(b"/var/lib/box", "overlay", 7),
    Mount(b"/stack", "ext4", 8),
    Mount(b"/stack", "nfs", 9),
]


@pytest.mark.parametrize(
    ("root", "silent"),
    [
        (b"/home/ann/Pictures", [b"/home/ann/Pictures/phone"]),
        (b"/home/ann/Pictures/card", []),
        (b"/home/ann/nas/photos", [b"/home/ann/nas/photos"]),
        (b"/home/ann/nas", [b"/home/ann/nas"]),
        (b"/home/ann", [b"/home/ann/nas", b"/home/ann/Pictures/phone"]),
        (b"/mnt/share", [b"/mnt/share"]),
        (b"/mnt/sharee", []),
        (b"/var/lib/box/photos", [b"/var/lib/box/photos"]),
        (b"/stack/photos", [b"/stack/photos"]),
    ],
)
def test_r20_where_others_change_files_unheard_it_looks_from_time_to_time(
    root: bytes, silent: list[bytes]
) -> None:
    followed = Followed(RootRow(1, 1, root), 0.0)
    assert followed.silent(MOUNTS) == silent
    assert followed.polled(MOUNTS, []) == [Look(path) for path in silent]
    refused = [root + b"/unwatched", b"/elsewhere"]
    assert Look(root + b"/unwatched", whole=False) in followed.polled(MOUNTS, refused)
    assert Look(b"/elsewhere", whole=False) not in followed.polled(MOUNTS, refused)


@needs_root
def test_r20_a_write_below_an_overlay_is_found(imgcat: Imgcat, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    mount_tmpfs(bytes(base))
    merged = tmp_path / "merged"
    merged.mkdir()
    following = Following(imgcat, merged)
    try:
        for name in ("lower", "upper", "work"):
            (base / name).mkdir()
        picture(base / "lower" / "1.png", 1)
        layers = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
        try:
            mount("-t", "overlay", "-o", layers, "overlay", bytes(merged))
        except subprocess.CalledProcessError:
            pytest.skip("this kernel mounts no overlay")
        following.start()
        following.wait_until_watching()
        assert wait_for(lambda: "makes no event" in following.out, 5)
        picture(base / "upper" / "2.png", 2)
        answer = imgcat("dupes", "--json").json
        assert answer["fresh"] is True, "a question has it look"
        assert names(imgcat, merged) == {b"1.png", b"2.png"}
        assert following.stop(within=2) == 0
    finally:
        following.close()
        if os.path.ismount(merged):
            unmount(bytes(merged), lazily=True)
        unmount(bytes(base), lazily=True)


# -- R24, R28 ----------------------------------------------------------------------------------


def _work_on(photos: Path, until: float) -> None:
    number = 0
    while time.monotonic() < until:
        picture(photos / f"{number % 40}.png", number)
        if number % 7 == 0:
            (photos / f"new {number}").mkdir()
            picture(photos / f"new {number}" / "x.png", number)
        if number % 11 == 10:
            shutil.rmtree(photos / f"new {number - number % 7}", ignore_errors=True)
        number += 1
        time.sleep(0.01)


def disturbed(imgcat: Imgcat, photos: Path, seconds: float) -> None:
    """R24: the daemon, two indexers and five who ask, while the photos change."""
    following = Following(imgcat, photos)
    done: list[tuple[str, Any]] = []

    def again_and_again(*words: str) -> None:
        while time.monotonic() < until:
            done.append((words[0], imgcat(*words)))

    try:
        following.start()
        following.wait_until_watching()
        until = time.monotonic() + seconds
        threads = [threading.Thread(target=_work_on, args=(photos, until))]
        others = [("index",)] * 2 + [("dupes", "--json")] * 3 + [("status", "--json")] * 2
        threads += [threading.Thread(target=again_and_again, args=words) for words in others]
        largest = 0
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            with contextlib.suppress(FileNotFoundError):
                largest = max(largest, os.stat(imgcat.catalog + b"-wal").st_size)
            time.sleep(0.05)
        for command, result in done:
            assert b"locked" not in result.err, (command, result)
            assert b"Traceback" not in result.err, (command, result)
            assert result.code in (0, 3), (command, result)
        assert largest < 64 << 20
        following.wait_until_quiet()
        other = Imgcat(imgcat.catalog + b".other.db", imgcat.home)
        assert other("index", photos).code == 0
        assert known(imgcat.catalog, bytes(photos)) == known(other.catalog, bytes(photos))
        no_loose_ends(imgcat.catalog)
        assert "Traceback" not in following.out + following.err
        assert following.stop(within=2) == 0
    finally:
        following.close()


def test_r24_it_works_beside_indexers_and_questions(imgcat: Imgcat, photos: Path) -> None:
    disturbed(imgcat, photos, 5)


@pytest.mark.soak
def test_r24_it_works_beside_indexers_and_questions_for_a_minute(
    imgcat: Imgcat, photos: Path
) -> None:
    disturbed(imgcat, photos, 60)


@needs_root
def test_r28_a_full_disk_is_waited_out_and_nothing_is_lost(tmp_path: Path, photos: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mount_tmpfs(bytes(place), "size=1000k")
    imgcat = Imgcat(bytes(place / "data" / "catalog.db"), tmp_path)
    following = Following(imgcat, photos)
    try:
        following.start()
        following.wait_until_watching()
        pictures(photos / "many", 600, folders=3)
        assert wait_for(lambda: daemon_state(imgcat.catalog).state == "degraded", 40)
        assert "no room left" in daemon_state(imgcat.catalog).problem
        mount("-o", "remount,size=64m", bytes(place))
        assert wait_for(lambda: len(names(imgcat, photos)) == 604, 90)
        assert wait_for(lambda: daemon_state(imgcat.catalog).state == "watching", 10)
        assert "can be written again" in following.out
        assert following.stop(within=2) == 0
    finally:
        following.close()
        unmount(bytes(place), lazily=True)


def test_r41_it_opens_nothing_for_ever_and_idles(imgcat: Imgcat, photos: Path) -> None:
    following = Following(imgcat, photos)
    try:
        following.start()
        following.wait_until_watching()
        place = Path(f"/proc/{following.process.pid}")

        def opened() -> int:
            return len(os.listdir(place / "fd"))

        def turns() -> int:
            """How often the thread that does the work was woken up."""
            status = (place / "task" / place.name / "status").read_text()
            return int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])

        before: int | None = None
        for number in range(6):
            picture(photos / f"{number % 2}.png", number)
            imgcat.ask("status")
            imgcat.ask("dupes", "--json")
            if number == 2:
                before = opened()
        assert before is not None
        assert opened() <= before + 3
        following.wait_until_quiet()
        time.sleep(0.2)  # the last of what there was to do
        woken = turns()
        time.sleep(1)
        assert turns() - woken < 10
        assert following.stop(within=2) == 0
    finally:
        following.close()
