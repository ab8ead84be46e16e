"""Disks that can share blocks, and a kernel without renameat2."""

from __future__ import annotations

import ctypes
import errno
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.actions import moving
from tests.support import IS_ROOT, in_child, mount, open_place

__all__ = ["no_renameat2", "on_sharing_disk", "open_place", "way"]

_TOOLS = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin"


@pytest.fixture
def no_renameat2(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the kernel say what it says where the file system cannot do it."""

    def refusing(*arguments: object) -> int:
        ctypes.set_errno(errno.EINVAL)
        return -1

    monkeypatch.setattr(moving, "_rename", refusing)


@pytest.fixture(params=["renameat2", "link and unlink"])
def way(request: pytest.FixtureRequest) -> str:
    """Each way of renaming without replacing."""
    if request.param != "renameat2":
        request.getfixturevalue("no_renameat2")
    return str(request.param)


@pytest.fixture
def on_sharing_disk(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[Callable[[Path], None]], None]:
    """Runs a function with the top of a new file system that can share blocks.

    Its kind is the parameter: "xfs" or "btrfs". It is there in a child process only.
    """
    kind = str(request.param)
    if not IS_ROOT:
        pytest.skip("needs root, to mount file systems")
    make = shutil.which(f"mkfs.{kind}", path=_TOOLS)
    if make is None:
        pytest.skip(f"needs mkfs.{kind} (package {kind}progs, or {kind}-progs)")
    image, disk = tmp_path / "image", tmp_path / "disk"
    disk.mkdir()
    with open(image, "wb") as file:
        file.truncate(320 << 20)  # sparse; xfs wants 300 MB
    subprocess.run([make, "-q", str(image)], check=True, capture_output=True)
    try:
        in_child(lambda: mount("-o", "loop", str(image), str(disk)), own_mounts=True)
    except AssertionError as failure:
        why = str(failure).strip().splitlines()[-1]
        pytest.skip(f"{kind} in a file cannot be mounted here: {why}")

    def run(function: Callable[[Path], None]) -> None:
        def inside() -> None:
            mount("-o", "loop", str(image), str(disk))
            function(disk)

        in_child(inside, own_mounts=True)

    return run
