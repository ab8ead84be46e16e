"""Small file systems in files. Mount them in ``in_child(..., own_mounts=True)`` only."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import IS_ROOT, in_child, mount

_MKFS = shutil.which("mkfs.ext4", path="/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin")


def make_ext4(image: Path, megabytes: int, *options: str) -> None:
    """An empty ext4 in a sparse file, finished: nothing is left to write in the background."""
    assert _MKFS is not None
    with open(image, "wb") as file:
        file.truncate(megabytes << 20)
    whole = "lazy_itable_init=0,lazy_journal_init=0"
    subprocess.run(
        [_MKFS, "-q", "-F", "-E", whole, *options, str(image)], check=True, capture_output=True
    )


def mount_image(image: Path, at: Path) -> None:
    """Mount it by a loop device, which goes away with the mount."""
    mount("-o", "loop", str(image), str(at))


@pytest.fixture(scope="session")
def loop_disks(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips a programme, and says why, where an ext4 in a file cannot be made and mounted."""
    if not IS_ROOT:
        pytest.skip("needs root, to mount file systems")
    if _MKFS is None:
        pytest.skip("needs mkfs.ext4 (package e2fsprogs)")
    place = tmp_path_factory.mktemp("loop")
    make_ext4(place / "image", 4)
    (place / "disk").mkdir()
    try:
        in_child(lambda: mount_image(place / "image", place / "disk"), own_mounts=True)
    except AssertionError as failure:
        why = str(failure).strip().splitlines()[-1]
        pytest.skip(f"needs loop devices and mount(8), which do not work here: {why}")


def snapshot(image: Path, copy: Path) -> None:
    """What is on a disk at one moment, as a power cut would leave it.

    The kernel may write behind our back, but not between two readings that agree.
    """
    before = image.read_bytes()
    while (now := image.read_bytes()) != before:
        before = now
    copy.write_bytes(before)


@contextlib.contextmanager
def written_back(*disks: Path, often: bool) -> Iterator[None]:
    """``often``: the kernel writes all it has every few milliseconds, instead of seconds."""
    over = threading.Event()

    def write_back() -> None:
        while not over.wait(0.02):
            subprocess.run(["sync", "-f", *map(str, disks)], check=False)

    thread = threading.Thread(target=write_back)
    if often:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if often:
            thread.join()


def is_stopped(process: int) -> bool:
    """Whether a process does nothing more, stopped or ended; what it had asked for is over."""
    status = Path(f"/proc/{process}/stat").read_text()
    return status.rpartition(")")[2].split()[0] in "TZ"
