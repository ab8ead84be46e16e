"""What is kept of small pictures is right or not there, whatever happens to the folder."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.review import drawer
from catalog.review.drawer import Drawer, cache_folder


def name(number: int) -> bytes:
    return b"%064x-thumb-1" % number


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "imgcat" / "previews"


@pytest.fixture
def opened(folder: Path) -> Callable[..., Drawer]:
    return lambda limit=1 << 20: Drawer(os.fsencode(folder), limit)


def files(folder: Path) -> set[str]:
    return set(os.listdir(folder)) if folder.is_dir() else set()


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def path_of(folder: Path, number: int) -> Path:
    return folder / name(number).decode()


# --- right ---


def test_what_was_put_in_is_there_in_another_run(opened):
    assert opened().take(name(1)) is None
    opened().put(name(1), b"picture")
    opened().put(name(2), b"")
    assert opened().take(name(1)) == b"picture"
    assert opened().take(name(2)) == b""
    assert opened().take(name(3)) is None


@pytest.mark.parametrize(
    "broken",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content + b"\0",
        lambda content: b"\0" * len(content),
        lambda content: content[:500] + b"?" + content[501:],
    ],
    ids=["empty", "cut", "half", "longer", "zeros", "one byte"],
)
def test_what_is_not_whole_is_thrown_away(opened, folder, broken):
    opened().put(name(1), b"x" * 1000)
    path = path_of(folder, 1)
    path.write_bytes(broken(path.read_bytes()))
    assert opened().take(name(1)) is None
    assert files(folder) == set()
    opened().put(name(1), b"anew")
    assert opened().take(name(1)) == b"anew"


def test_a_picture_under_the_name_of_another_is_thrown_away(opened, folder):
    opened().put(name(1), b"one")
    os.rename(path_of(folder, 1), path_of(folder, 2))
    assert opened().take(name(2)) is None
    assert files(folder) == set()


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_only_regular_files_are_read_and_nobody_waits_for_a_pipe(opened, folder, kind):
    opened().put(name(1), b"one")
    path = path_of(folder, 1)
    os.rename(path, folder / "elsewhere")
    if kind == "link":
        path.symlink_to(folder / "elsewhere")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    assert opened().take(name(1)) is None


# --- ours ---


def test_the_folder_is_for_its_user_only(opened, folder):
    before = os.umask(0)
    try:
        opened().put(name(1), b"one")
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert path_of(folder, 1).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_a_folder_that_others_can_write_to_is_not_used(opened, folder, mode):
    opened().put(name(1), b"one")
    folder.chmod(mode)
    assert opened().take(name(1)) is None
    opened().put(name(2), b"two")
    assert files(folder) == {name(1).decode()}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_not_used(opened, folder):
    opened().put(name(1), b"one")
    os.chown(folder, 65534, 65534)
    assert opened().take(name(1)) is None
    opened().put(name(2), b"two")
    assert files(folder) == {name(1).decode()}


def test_a_link_in_the_place_of_the_folder_is_not_followed(opened, folder, tmp_path):
    opened().put(name(1), b"one")
    os.rename(folder, tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert opened().take(name(1)) is None
    opened().put(name(2), b"two")
    assert files(tmp_path / "elsewhere") == {name(1).decode()}


def test_it_is_in_the_cache_folder_of_the_user(private_cache):
    assert cache_folder() == os.fsencode(private_cache / "imgcat" / "previews")


def test_a_user_without_a_home_has_none(monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: "~/.cache/imgcat")
    assert cache_folder() is None
    nothing = Drawer(None)
    nothing.put(name(1), b"one")
    assert nothing.take(name(1)) is None


# --- no larger than it may be ---


def test_what_was_not_used_for_longest_goes_first(opened, folder):
    first = opened(10_000_000)
    for number in range(10):
        first.put(name(number), b"x" * 1000)
        age(path_of(folder, number), 10_000 - number)
    assert opened().take(name(0)) is not None  # used: the youngest now
    opened(5_500).put(name(10), b"x" * 1000)
    assert files(folder) == {name(number).decode() for number in (0, 10, 9, 8)}


def test_it_never_grows_much_beyond_its_limit(opened, folder):
    small = opened(50_000)
    for number in range(200):
        small.put(name(number), b"x" * 1000)
        assert sum(path.stat().st_size for path in folder.iterdir()) < 60_000
    assert len(files(folder)) > 30


def test_it_is_not_looked_through_at_every_write(opened, monkeypatch):
    looked = []
    monkeypatch.setattr(Drawer, "_sweep", lambda self: looked.append(1))
    large = opened(1_000_000)
    for number in range(100):
        large.put(name(number), b"x" * 1000)
    assert 1 <= len(looked) <= 3


def test_a_picture_larger_than_the_limit_is_not_kept(opened, folder):
    opened(500).put(name(1), b"x" * 1000)
    opened(0).put(name(2), b"")
    assert files(folder) == set()


def test_what_is_not_ours_is_left_alone_and_what_was_never_finished_goes(opened, folder):
    opened().put(name(1), b"x" * 1000)
    abandoned, under_way = (f".{name(n).decode()}.1-{n}" for n in (2, 3))
    for other in ("notes.txt", abandoned, under_way, name(4).decode() + ".jpg"):
        (folder / other).write_bytes(b"x" * 5000)
        age(folder / other, 100 if other == under_way else 100_000)
    (folder / name(5).decode()).mkdir()
    opened(2_000).put(name(6), b"x" * 1000)
    assert abandoned not in files(folder)
    assert {under_way, "notes.txt", name(4).decode() + ".jpg", name(5).decode()} <= files(folder)
    assert not path_of(folder, 1).exists()


# --- whatever the disk does ---


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    nothing = Drawer(os.fsencode(tmp_path / "file" / "previews"))
    nothing.put(name(1), b"one")
    assert nothing.take(name(1)) is None


def test_a_full_disk_keeps_nothing_half_and_is_not_tried_at_every_picture(
    opened, folder, monkeypatch
):
    kept = opened()
    kept.put(name(1), b"one")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        kept.put(name(2), b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert files(folder) == {name(1).decode()}
    kept.put(name(3), b"three")
    assert kept.take(name(3)) is None
    monkeypatch.setattr(drawer, "_PATIENCE", 0.0)
    kept.put(name(3), b"three")
    assert kept.take(name(3)) == b"three"


def test_a_folder_that_somebody_empties_is_made_again(opened, folder):
    kept = opened()
    kept.put(name(1), b"one")
    os.unlink(path_of(folder, 1))
    assert kept.take(name(1)) is None
    os.rmdir(folder)
    assert kept.take(name(1)) is None
    kept.put(name(1), b"one")
    assert kept.take(name(1)) == b"one"


def test_several_servers_at_once_never_show_half_a_picture(opened):
    wrong: list[object] = []

    def serve(seed: int) -> None:
        mine = opened(20_000)
        try:
            for step in range(300):
                number = (step * 7 + seed) % 30
                content = b"%d" % number * 1000
                found = mine.take(name(number))
                if found is None:
                    mine.put(name(number), content)
                elif found != content:
                    wrong.append(number)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=serve, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
