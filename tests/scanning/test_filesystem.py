"""File systems have names that outlive unplugging, and a folder says what stands there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.scanning import filesystem
from tests.support import in_child, mount, mount_tmpfs, needs_root, unmount

MOUNTINFO = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/fake1 rw
30 21 0:30 / /share rw shared:2 - nfs4 server:/export rw,vers=4.2
31 21 0:31 / /samba rw - cifs //server/share rw
32 21 0:32 / /ram rw - tmpfs tmpfs rw
33 21 0:33 / /proc rw - proc proc rw
34 21 0:34 / /odd\\040name rw master:1 propagate_from:2 - btrfs /dev/fake1 rw
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    mounts, uuids = tmp_path / "mountinfo", tmp_path / "by-uuid"
    mounts.write_text(MOUNTINFO)
    uuids.mkdir()
    (uuids / "1234-ABCD").symlink_to("/dev/fake1")
    monkeypatch.setattr(filesystem, "_MOUNTS", str(mounts))
    monkeypatch.setattr(filesystem, "_UUIDS", str(uuids))
    filesystem.forget_mounts()
    yield tmp_path
    filesystem.forget_mounts()


def named(place: Path, device: tuple[int, int]) -> str:
    return filesystem.identity(os.fsencode(place), os.makedev(*device))


@pytest.mark.usefixtures("table")
def test_a_disk_is_known_by_its_uuid_and_a_share_by_what_is_mounted(tmp_path: Path) -> None:
    assert named(tmp_path, (0, 30)) == "nfs4:server:/export"
    assert named(tmp_path, (0, 31)) == "cifs://server/share"
    assert named(tmp_path, (0, 32)).startswith(("fsid:", "device:"))
    assert named(tmp_path, (0, 34)).startswith(("fsid:", "device:")), "subvolumes share a UUID"
    assert named(tmp_path, (9, 99)).startswith(("fsid:", "device:"))


def test_a_uuid_is_found_by_the_device_it_stands_for(table: Path) -> None:
    if os.path.isabs(os.path.realpath(table / "by-uuid" / "1234-ABCD")):
        # bytes against text: /dev/disk/by-uuid is read as text
        assert named(table, (8, 1)) == "uuid:1234-ABCD"


@pytest.mark.usefixtures("table")
def test_windows_into_the_kernel_are_told(tmp_path: Path) -> None:
    assert filesystem.is_kernel_made(os.makedev(0, 33))
    assert not filesystem.is_kernel_made(os.makedev(8, 1))
    assert not filesystem.is_kernel_made(os.makedev(7, 7))


def test_an_unreadable_mount_table_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in (None, "nonsense\n", "1 2 x:y / / rw - ext4 /dev/x rw\n"):
        if content is not None:
            (tmp_path / "table").write_text(content)
        monkeypatch.setattr(filesystem, "_MOUNTS", str(tmp_path / "table"))
        filesystem.forget_mounts()
        assert named(tmp_path, (8, 1))
    monkeypatch.undo()
    filesystem.forget_mounts()


def test_what_stands_at_a_path_is_told(tmp_path: Path) -> None:
    assert filesystem.look(os.fsencode(tmp_path / "absent")).why == "it is not there"
    here = filesystem.look(os.fsencode(tmp_path))
    assert here.empty
    assert here.identity
    assert here.inode == tmp_path.stat().st_ino
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    assert not filesystem.look(os.fsencode(tmp_path)).empty
    for name in ("file", "link"):
        presence = filesystem.look(os.fsencode(tmp_path / name))
        assert presence.identity is None
        assert presence.why


@needs_root
def test_two_mounts_have_two_names_and_a_mount_keeps_its_own(tmp_path: Path) -> None:
    def scenario() -> None:
        one, other, third = (os.fsencode(tmp_path / name) for name in ("1", "2", "3"))
        for place in (one, other, third):
            os.mkdir(place)
        mount_tmpfs(one)
        mount_tmpfs(other)
        filesystem.forget_mounts()
        first = filesystem.look(one).identity
        assert first is not None
        assert first != filesystem.look(other).identity
        assert first != filesystem.look(third).identity
        mount("--bind", one, third)
        unmount(one)
        filesystem.forget_mounts()
        assert filesystem.look(third).identity == first
        assert filesystem.look(one).identity != first

    in_child(scenario, own_mounts=True)
