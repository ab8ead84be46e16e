"""Whatever tells of events is made to pass the same tests: what a folder's changes are heard as."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.watching import inotify as inotify_module
from catalog.watching.ears import What
from catalog.watching.inotify import Inotify
from catalog.watching.observed import Observed

Heard = tuple[bytes, bytes, What, bool]


class Ears:
    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.losses = 0
        self.raising: Exception | None = None

    def happened(self, folder: bytes, name: bytes, what: What, *, is_folder: bool) -> None:
        if self.raising is not None:
            raise self.raising
        self.heard.append((folder, name, what, is_folder))

    def lost(self) -> None:
        self.losses += 1

    def hears(self, *wanted: Heard, seconds: float = 5.0) -> bool:
        return until(lambda: set(wanted) <= set(self.heard), seconds)


def until(condition: Any, seconds: float = 5.0) -> bool:
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture(params=[Inotify, Observed], ids=["inotify", "observed"])
def events(request: pytest.FixtureRequest, ears: Ears) -> Iterator[Any]:
    made = request.param(ears)
    yield made
    made.close()


@pytest.fixture
def inotify(ears: Ears) -> Iterator[Inotify]:
    made = Inotify(ears)
    yield made
    made.close()


def test_files_and_folders_that_come_change_and_go_are_heard(
    events: Any, ears: Ears, tmp_path: Path
) -> None:
    top = bytes(tmp_path)
    events.watch(top)
    (tmp_path / "a.jpg").write_bytes(b"1")
    assert ears.hears((top, b"a.jpg", What.APPEARED, False), (top, b"a.jpg", What.ALTERED, False))
    (tmp_path / "a.jpg").rename(tmp_path / "b.jpg")
    assert ears.hears((top, b"a.jpg", What.LEFT, False), (top, b"b.jpg", What.APPEARED, False))
    (tmp_path / "b.jpg").unlink()
    assert ears.hears((top, b"b.jpg", What.LEFT, False))
    (tmp_path / "folder").mkdir()
    assert ears.hears((top, b"folder", What.APPEARED, True))
    events.watch(top + b"/folder")
    (tmp_path / "folder").rename(tmp_path / "new")
    assert ears.hears((top, b"new", What.APPEARED, True))
    events.watch(top + b"/new")
    (tmp_path / "new" / "c.jpg").write_bytes(b"1")
    assert ears.hears((top + b"/new", b"c.jpg", What.APPEARED, False))
    shutil.rmtree(tmp_path / "new")
    assert ears.hears((top, b"new", What.LEFT, True))
    assert ears.losses == 0
    assert events.alive


def test_reading_a_file_is_no_event(events: Any, ears: Ears, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"1")
    events.watch(bytes(tmp_path))
    (tmp_path / "a.jpg").read_bytes()
    list(tmp_path.iterdir())
    (tmp_path / "end").write_bytes(b"")
    assert ears.hears((bytes(tmp_path), b"end", What.APPEARED, False))
    assert {name for _, name, _, _ in ears.heard} <= {b"end", b""}


def test_a_name_of_any_bytes_is_heard_as_it_is(events: Any, ears: Ears, tmp_path: Path) -> None:
    events.watch(bytes(tmp_path))
    name = b"\xff\n \x1b.jpg"
    os.close(os.open(os.path.join(bytes(tmp_path), name), os.O_CREAT | os.O_WRONLY))
    assert ears.hears((bytes(tmp_path), name, What.APPEARED, False))


def test_r17_ears_that_raise_are_told_that_something_was_lost_and_hear_on(
    events: Any, ears: Ears, tmp_path: Path
) -> None:
    events.watch(bytes(tmp_path))
    ears.raising = RuntimeError("cannot be")
    (tmp_path / "a.jpg").write_bytes(b"1")
    assert until(lambda: ears.losses)
    ears.raising = None
    (tmp_path / "b.jpg").write_bytes(b"1")
    assert ears.hears((bytes(tmp_path), b"b.jpg", What.APPEARED, False))
    assert events.alive


def test_what_is_forgotten_is_heard_no_more(events: Any, ears: Ears, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    events.watch(bytes(tmp_path / "one"))
    events.watch(bytes(tmp_path / "two"))
    assert events.count == 2
    events.forget(lambda path: path.endswith(b"one"))
    assert not events.watches(bytes(tmp_path / "one"))
    (tmp_path / "one" / "a.jpg").write_bytes(b"1")
    (tmp_path / "two" / "b.jpg").write_bytes(b"1")
    assert ears.hears((bytes(tmp_path / "two"), b"b.jpg", What.APPEARED, False))
    assert bytes(tmp_path / "one") not in {folder for folder, *_ in ears.heard}


def test_a_folder_that_went_and_came_is_heard_again(
    events: Any, ears: Ears, tmp_path: Path
) -> None:
    top = tmp_path / "top"
    top.mkdir()
    events.watch(bytes(top))
    shutil.rmtree(top)
    assert until(lambda: events.count == 0 or not events._is_heard(bytes(top)))
    top.mkdir()
    events.watch(bytes(top))
    (top / "a.jpg").write_bytes(b"1")
    assert ears.hears((bytes(top), b"a.jpg", What.APPEARED, False))


# -- only folder by folder ---------------------------------------------------------------------


def test_a_folder_that_was_renamed_is_known_by_its_new_path_when_it_is_watched_again(
    inotify: Inotify, ears: Ears, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    inotify.watch(bytes(old))
    old.rename(new)
    inotify.watch(bytes(new))
    assert not inotify.watches(bytes(old))
    assert inotify.count == 1
    old.mkdir()
    inotify.watch(bytes(old))
    (new / "a.jpg").write_bytes(b"1")
    (old / "b.jpg").write_bytes(b"1")
    assert ears.hears(
        (bytes(new), b"a.jpg", What.APPEARED, False), (bytes(old), b"b.jpg", What.APPEARED, False)
    )
    assert (bytes(old), b"a.jpg", What.APPEARED, False) not in ears.heard


def test_a_folder_that_is_watched_twice_is_heard_once(
    inotify: Inotify, ears: Ears, tmp_path: Path
) -> None:
    for _ in range(3):
        inotify.watch(bytes(tmp_path))
    (tmp_path / "a.jpg").write_bytes(b"1")
    assert ears.hears((bytes(tmp_path), b"a.jpg", What.ALTERED, False))
    assert ears.heard.count((bytes(tmp_path), b"a.jpg", What.APPEARED, False)) == 1


def test_folders_that_swap_places_with_others_of_their_name_do_not_end_the_thread(
    inotify: Inotify, ears: Ears, tmp_path: Path
) -> None:
    """What ends watchdog's own reader: a watch that is removed after its path has another one."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "a").mkdir()
    inotify.watch(bytes(inside / "a"))
    (inside / "a").rename(outside / "a")
    (inside / "a").mkdir()
    inotify.watch(bytes(inside / "a"))
    (inside / "a").rmdir()
    assert until(lambda: not inotify.watches(bytes(inside / "a")))
    (outside / "a").rmdir()
    inotify.watch(bytes(inside))
    (inside / "b.jpg").write_bytes(b"")
    assert ears.hears((bytes(inside), b"b.jpg", What.APPEARED, False))
    assert inotify.alive


def test_a_link_to_a_folder_is_not_watched(inotify: Inotify, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    inotify.watch(bytes(tmp_path / "link"))
    inotify.watch(bytes(tmp_path / "nothing"))
    assert inotify.count == 0
    assert inotify.refused == {}, "listing them says so too"


def test_r16_a_watch_that_the_system_refuses_is_remembered_until_it_is_granted(
    inotify: Inotify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inotify.watch(bytes(tmp_path))
    with monkeypatch.context() as patch:

        def refuse(*_: object) -> None:
            raise OSError(errno.ENOSPC, "inotify watch limit reached")

        patch.setattr(inotify._source, "add_callback", refuse)
        inotify.watch(bytes(tmp_path))
    assert inotify.refused == {bytes(tmp_path): "inotify watch limit reached"}
    assert not inotify.watches(bytes(tmp_path)), "of that name, another folder may be there"
    inotify.watch(bytes(tmp_path))
    assert inotify.refused == {}
    assert inotify.watches(bytes(tmp_path))


def test_r15_an_overflow_is_told_and_nothing_else_is_done(
    inotify: Inotify, ears: Ears, tmp_path: Path
) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    inotify.watch(bytes(tmp_path))
    inotify._source._lock.acquire()  # the reader waits for it
    try:
        for number in range(limit // 2 + 3000):  # some were read before
            (tmp_path / f"{number}").write_bytes(b"")
    finally:
        inotify._source._lock.release()
    assert until(lambda: ears.losses == 1)
    time.sleep(0.2)
    assert ears.losses == 1
    assert inotify.watches(bytes(tmp_path))
    (tmp_path / "after.jpg").write_bytes(b"")
    assert ears.hears((bytes(tmp_path), b"after.jpg", What.APPEARED, False))


def test_the_mask_asks_for_no_event_of_reading() -> None:
    constants = inotify_module.InotifyConstants
    for unwanted in (constants.IN_OPEN, constants.IN_ACCESS, constants.IN_CLOSE_NOWRITE):
        assert not inotify_module._MASK & unwanted


def test_each_way_in_which_a_file_or_its_folder_alters_is_an_event_by_itself(
    inotify: Inotify, ears: Ears, tmp_path: Path
) -> None:
    top = tmp_path / "top"
    top.mkdir()
    photo = top / "a.jpg"
    photo.write_bytes(b"1")
    inotify.watch(bytes(top))
    altered = (bytes(top), b"a.jpg", What.ALTERED, False)

    def only_then(what: str) -> None:
        assert ears.hears(altered, seconds=1), what
        time.sleep(0.05)  # what comes with it
        ears.heard.clear()

    with open(photo, "r+b") as file:
        file.write(b"2")
        file.flush()
        only_then("a write, while it goes on")
    ears.hears(altered, seconds=0.2)
    ears.heard.clear()
    os.close(os.open(photo, os.O_WRONLY))
    only_then("its end")
    photo.chmod(0o600)
    only_then("who may read it")
    photo.unlink()
    top.rmdir()
    assert until(lambda: (bytes(top), b"") in {heard[:2] for heard in ears.heard}, 1), "its end"


def test_a_folder_that_may_not_be_listed_is_neither_watched_nor_refused(
    inotify: Inotify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(inotify._source, "add_callback", lambda *_: -1)
        patch.setattr(inotify._source, "remove_callbacks", gone.extend)
        inotify.watch(bytes(tmp_path))
    assert (inotify.count, inotify.watches(bytes(tmp_path))) == (0, False)
    assert inotify.refused == {}
    assert [watch for watch, _ in gone] == [-1], "watchdog keeps no record of it"
