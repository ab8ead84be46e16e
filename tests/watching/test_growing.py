"""A file that somebody still writes to is told from one that is whole."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest

from catalog.watching import growing
from catalog.watching.growing import is_growing
from tests.support import NOBODY, in_child, needs_root

SECOND = 10**9


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"some bytes")
    return path


def now(path: Path, after: float = 0.1) -> int:
    status = path.stat()
    return max(status.st_mtime_ns, status.st_ctime_ns) + int(after * SECOND)


def test_r19_a_file_that_is_open_to_be_written_is_growing(photo: Path) -> None:
    assert not is_growing(bytes(photo), now(photo))
    with open(photo, "ab") as writer:
        writer.write(b"more")
        writer.flush()
        assert is_growing(bytes(photo), now(photo))
        assert is_growing(bytes(photo), now(photo, 30)), "it may go on any time"
        assert not is_growing(bytes(photo), now(photo, 61)), "it does not"
    assert not is_growing(bytes(photo), now(photo))


def test_who_only_reads_it_does_not_matter(photo: Path) -> None:
    with open(photo, "rb"):
        assert not is_growing(bytes(photo), now(photo))


def test_r19_where_writers_cannot_be_told_two_seconds_of_rest_count(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing, "_has_writers", lambda descriptor: None)
    assert is_growing(bytes(photo), now(photo, 1.9))
    assert not is_growing(bytes(photo), now(photo, 2.1))


def test_a_clock_that_is_behind_makes_no_file_grow_for_ever(photo: Path) -> None:
    assert not is_growing(bytes(photo), now(photo, -3600))


def test_what_cannot_be_opened_is_for_others_to_say(tmp_path: Path, photo: Path) -> None:
    assert not is_growing(bytes(tmp_path / "nothing.jpg"), time.time_ns())
    os.mkfifo(tmp_path / "pipe.jpg")
    assert not is_growing(bytes(tmp_path / "pipe.jpg"), time.time_ns())
    (tmp_path / "link.jpg").symlink_to(photo)
    assert not is_growing(bytes(tmp_path / "link.jpg"), time.time_ns())
    assert not is_growing(b"/with\0null", time.time_ns())


def test_nothing_is_left_of_the_lease(photo: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    is_growing(bytes(photo), now(photo))
    assert set(os.listdir("/proc/self/fd")) == before
    # A lease that was kept would have this wait for 45 seconds, or raise.
    os.close(os.open(photo, os.O_WRONLY | os.O_NONBLOCK))


@needs_root
def test_files_of_others_are_told_by_their_rest(open_place: Path) -> None:
    path = open_place / "photo.jpg"
    path.write_bytes(b"theirs")
    path.chmod(0o644)

    def as_nobody() -> tuple[bool, bool]:
        with pytest.raises(PermissionError), open(path, "rb") as file:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        return is_growing(bytes(path), now(path, 1)), is_growing(bytes(path), now(path, 3))

    assert in_child(as_nobody, user=NOBODY) == (True, False)
