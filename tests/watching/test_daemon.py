"""What happens to photos is in the catalog a moment later, whatever it is."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from commandline import picture as smooth_picture

from catalog.errors import Busy, CatalogAbsent, DiskFull, GaveUp, UsageError
from catalog.indexing import upkeep
from catalog.indexing.forget import forget
from catalog.model import Happening, Kind, Recipe
from catalog.progress import Phase, Silent
from catalog.scanning.filesystem import Mount
from catalog.store.database import open_for_reading, open_for_writing
from catalog.store.locks import Locks
from catalog.watching import followed, following, growing, senses, worker
from catalog.watching.client import daemon_state, synchronise
from catalog.watching.daemon import Daemon
from catalog.watching.tools import Tools
from tests.support import Reader, digest, no_loose_ends, picture, true
from tests.watching.live import Recorder, Watched

SOON = 8.0  # seconds on a busy machine; the figures are for scripts/bench to say


def in_time(watched: Watched) -> bool:
    """Whether the catalog comes to be as the disk is, without being asked for it."""
    return watched.until(lambda: true(watched.library), SOON)


def at_rest(watched: Watched) -> bool:
    """... and has nothing to do any more, and an index run finds nothing either."""
    assert in_time(watched), watched.words
    assert watched.until(watched.sync), watched.words
    assert watched.until(watched.is_quiet, SOON)
    summary = watched.library.rescan()
    done = (summary.added, summary.changed, summary.moved, summary.missing, summary.failed)
    assert (done, watched.library.read) == ((0, 0, 0, 0, 0), set())
    no_loose_ends(watched.library.catalog)
    return True


def told(watched: Watched, what: Happening, name: bytes) -> bool:
    """Whether it is told in time; a failure says what was told instead."""
    path = watched.library.path(name)

    def heard() -> bool:
        return any(c.what is what and c.path == path for c in watched.recorder.changes)

    assert watched.until(heard, SOON), (watched.recorder.changes, watched.status, watched.words)
    return True


# -- what people and programs do ---------------------------------------------------------------


def test_a_first_look_reads_everything_and_tells_a_sum(watched: Watched) -> None:
    for number in range(5):
        watched.library.put(f"folder/{number}.bmp", number)
    watched.start()
    assert true(watched.library)
    assert watched.recorder.looks == [bytes(watched.library.top)]
    assert watched.recorder.changes == []
    assert at_rest(watched)


def test_a_photo_that_is_copied_edited_renamed_moved_and_deleted_is_right_in_the_catalog(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_RACY", 0.5)  # until it is quiet
    library = watched.library
    library.put("a/1.bmp", 1)
    watched.start()
    library.put("a/2.bmp", 2)
    assert told(watched, Happening.ADDED, b"a/2.bmp")
    library.put("a/2.bmp", 3)
    assert told(watched, Happening.CHANGED, b"a/2.bmp")
    assert watched.until(lambda: watched.sync() and watched.is_quiet())
    os.rename(library.path("a/2.bmp"), library.path("a/3.bmp"))
    assert told(watched, Happening.MOVED, b"a/3.bmp")
    assert watched.until(lambda: watched.sync() and watched.is_quiet())
    os.mkdir(library.path("b"))
    os.rename(library.path("a/3.bmp"), library.path("b/3.bmp"))
    assert told(watched, Happening.MOVED, b"b/3.bmp")
    assert library.known() == {b"a/1.bmp": digest(1), b"b/3.bmp": digest(3)}
    os.unlink(library.path("b/3.bmp"))
    assert told(watched, Happening.GONE, b"b/3.bmp")
    assert at_rest(watched)


def test_a_folder_that_is_renamed_or_moved_decodes_nothing(watched: Watched) -> None:
    library = watched.library
    for number in range(300):
        library.put(f"old/deep/{number % 3}/{number}.bmp", number)
    library.put("elsewhere/0.bmp", 1000)
    watched.start()
    ids = library.rows("SELECT id, content FROM photo ORDER BY id")
    library.reader.forget()
    os.rename(library.path("old"), library.path("elsewhere/new"))
    assert told(watched, Happening.MOVED, b"elsewhere/new")
    assert in_time(watched)
    assert library.reader.read == []
    assert library.rows("SELECT id, content FROM photo ORDER BY id") == ids
    assert at_rest(watched)


def test_a_folder_that_moves_out_and_in_again_ends_right(watched: Watched, tmp_path: Path) -> None:
    library = watched.library
    for number in range(6):
        library.put(f"trip/day {number % 2}/{number}.bmp", number)
    library.put("stays.bmp", 99)
    watched.start()
    outside = tmp_path / "outside"
    os.rename(library.path("trip"), outside)
    assert in_time(watched)
    assert set(library.known()) == {b"stays.bmp"}
    (outside / "day 0" / "while away.bmp").write_bytes(picture(50))
    (outside / "day 1" / "1.bmp").write_bytes(picture(51))
    os.rename(outside, library.path("trip"))
    assert in_time(watched)
    library.put("trip/day 0/after.bmp", 60, age=0)
    assert in_time(watched)
    assert at_rest(watched)


def test_folders_that_went_are_watched_no_more(watched: Watched, tmp_path: Path) -> None:
    library = watched.library
    library.put("photos/1.bmp", 1)
    os.makedirs(library.path("empty/a/b"))
    watched.start()
    assert watched.status["watched"] == 5
    os.rename(library.path("photos"), tmp_path / "photos outside")
    assert watched.until(lambda: watched.status["watched"] == 4)
    os.rename(library.path("empty"), tmp_path / "empty outside")
    assert watched.sync()
    watched.daemon._senses.listener.lost()  # as every hour: a look at everything
    assert watched.until(lambda: watched.status["watched"] == 1), watched.status
    library.put("empty/a/2.bmp", 2, age=0)
    assert in_time(watched)
    library.put("empty/a/3.bmp", 3, age=0)
    assert in_time(watched)


def test_a_folder_that_is_replaced_by_another_of_its_name_ends_right(
    watched: Watched, tmp_path: Path
) -> None:
    library = watched.library
    for number in range(4):
        library.put(f"album/{number}.bmp", number)
    watched.start()
    other = tmp_path / "other"
    shutil.copytree(library.path("album"), bytes(other))
    (other / "0.bmp").write_bytes(picture(70))
    (other / "sub").mkdir()
    (other / "sub" / "9.bmp").write_bytes(picture(71))
    os.rename(library.path("album"), tmp_path / "aside")
    os.rename(other, library.path("album"))
    assert in_time(watched)
    library.put("album/sub/10.bmp", 72, age=0)
    os.unlink(library.path("album/1.bmp"))
    assert in_time(watched)
    (tmp_path / "aside" / "0.bmp").write_bytes(picture(73))  # not ours any more
    assert at_rest(watched)


def test_two_folders_that_swap_names_end_right(watched: Watched) -> None:
    library = watched.library
    for number in range(6):
        library.put(f"{'ab'[number % 2]}/{number}.bmp", number)
    watched.start()
    library.reader.forget()
    for old, new in (("a", "tmp"), ("b", "a"), ("tmp", "b")):
        os.rename(library.path(old), library.path(new))
    assert in_time(watched)
    assert library.reader.decoded == []
    library.put("a/new.bmp", 80, age=0)
    library.put("b/new.bmp", 81, age=0)
    assert in_time(watched)
    assert at_rest(watched)


def test_r3_hard_links_are_known_and_links_are_not_followed(watched: Watched) -> None:
    library = watched.library
    library.put("a/1.bmp", 1)
    watched.start()
    os.link(library.path("a/1.bmp"), library.path("a/2.bmp"))
    os.symlink(library.path("a/1.bmp"), library.path("a/3.bmp"))
    os.symlink(library.path("a"), library.path("b"))
    os.mkfifo(library.path("a/pipe.bmp"))
    assert watched.until(lambda: library.known().get(b"a/2.bmp") == digest(1))
    known = watched.known()
    assert set(known) == {b"a/1.bmp", b"a/2.bmp", b"a/pipe.bmp"}
    assert known[b"a/pipe.bmp"] == "not a regular file"
    os.unlink(library.path("a/pipe.bmp"))
    os.unlink(library.path("a/1.bmp"))
    assert watched.until(lambda: set(library.known()) == {b"a/2.bmp"})


def test_r3_what_happens_to_a_file_by_one_name_is_known_by_its_others(watched: Watched) -> None:
    """The kernel tells of the folder whose name was used, and of no other."""
    library = watched.library
    library.put("a/x.bmp", 1)
    for folder in ("b", "c/d"):
        os.makedirs(library.path(folder))
        os.link(library.path("a/x.bmp"), library.path(f"{folder}/y.bmp"))
    watched.start()
    with open(library.path("a/x.bmp"), "r+b") as file:
        file.write(picture(2))
    assert in_time(watched)
    os.link(library.path("c/d/y.bmp"), library.path("a/z.bmp"))
    assert at_rest(watched)
    os.unlink(library.path("a/x.bmp"))
    assert at_rest(watched)
    shutil.rmtree(library.path("c"))
    assert at_rest(watched)
    os.rename(library.path("b/y.bmp"), library.path("b/new.bmp"))
    assert at_rest(watched)


def test_nested_new_folders_lose_nothing_however_fast_they_come(watched: Watched) -> None:
    library = watched.library
    watched.start()
    for number in range(60):
        library.put(f"new {number % 7}/x/y/z {number % 5}/{number}.bmp", number, age=0)
    assert in_time(watched)
    for number in range(60, 90):
        library.put(f"new {number % 7}/x/y/z {number % 5}/{number}.bmp", number, age=0)
    assert at_rest(watched)


@pytest.mark.parametrize("new", ["late.bmp", "new/late.bmp"])
def test_what_comes_after_a_folder_was_listed_and_before_it_is_known_is_not_missed(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, new: str
) -> None:
    """Nothing but the event of it tells of this one."""
    library, plan_for = watched.library, upkeep.plan_for
    folder, late = os.path.dirname(library.path(new)), library.path(new)

    def plan_and_put(*arguments: Any, **options: Any) -> Any:
        plan = plan_for(*arguments, **options)
        if os.path.isdir(folder) and not os.path.exists(late):
            library.put(new, 2, age=0)
        return plan

    monkeypatch.setattr(upkeep, "plan_for", plan_and_put)
    library.put("a.bmp", 1)
    watched.start()
    library.put("new/1.bmp", 3, age=0)
    assert watched.until(lambda: os.fsencode(new) in library.known(), SOON)


def test_a_folder_is_listed_once_whatever_comes_beside_it(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalog knows no folder without photos, nor one whose photos are still to be read."""
    library = watched.library
    library.put("1.bmp", 1)
    os.makedirs(library.path("no photos/a/b"))
    watched.start()
    listed: list[bytes] = []
    real = watched.daemon._senses.watch

    def watch(path: bytes) -> None:
        listed.append(os.path.relpath(path, library.path("")))
        real(path)

    monkeypatch.setattr(watched.daemon._senses, "watch", watch)
    library.put("2.bmp", 2, age=0)
    assert in_time(watched)
    assert set(listed) == {b"."}
    library.reader.before = lambda path: time.sleep(0.02 if b"new" in path else 0)
    monkeypatch.setattr("catalog.watching.work.PORTION", 5)
    for number in range(40):
        library.put(f"new/{number}.bmp", 100 + number, age=0)
    assert watched.until(lambda: b"new" in listed)
    library.put("3.bmp", 3, age=0)
    assert in_time(watched)
    new = [path for path in library.reader.decoded if b"/new/" in path]
    assert len(new) == len(set(new)) == 40
    assert at_rest(watched)


def test_names_that_are_left_out_are_left_out_live_too(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "TICK", 0.1)
    library = watched.library
    library.put("keep/1.bmp", 1)
    library.index(exclude=["*draft*"])
    watched.start()
    library.put("keep/draft.bmp", 2, age=0)
    library.put("keep/.hidden.bmp", 3, age=0)
    library.put("keep/notes.txt", b"no picture", age=0)
    library.put(".Trash-1000/4.bmp", 4, age=0)
    library.put("draft folder/5.bmp", 5, age=0)
    library.put("keep/6.bmp", 6, age=0)
    assert watched.until(lambda: b"keep/6.bmp" in library.known())
    assert set(watched.known()) == {b"keep/1.bmp", b"keep/6.bmp"}
    library.index(exclude=[])
    assert watched.until(lambda: b"keep/draft.bmp" in library.known())
    library.put("draft folder/7.bmp", 7, age=0)
    assert watched.until(lambda: b"draft folder/7.bmp" in library.known())


def test_r34_a_file_that_is_delivered_in_pieces_is_never_taken_for_whole(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_GROWING", 0.4)
    library, whole = watched.library, picture(9)
    library.put("a.bmp", 1)
    watched.start()
    seen = set()
    with open(library.path("slow.bmp"), "wb") as file:
        for start in range(0, len(whole), len(whole) // 5):
            file.write(whole[start : start + len(whole) // 5])
            file.flush()
            until = time.monotonic() + 0.25
            while time.monotonic() < until:
                seen.add(library.known().get(b"slow.bmp"))
                time.sleep(0.05)
    assert seen == {None}
    assert in_time(watched)
    assert told(watched, Happening.ADDED, b"slow.bmp")
    assert at_rest(watched)


def test_r34_where_writers_cannot_be_told_it_is_looked_at_again_until_it_rests(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing, "_has_writers", lambda descriptor: None)
    monkeypatch.setattr(growing, "_STEADY_NS", 400_000_000)
    monkeypatch.setattr(worker, "_GROWING", 0.2)
    watched.library.put("a.bmp", 1)
    watched.start()
    watched.library.put("b.bmp", 2, age=0)
    assert in_time(watched)


def test_r11_what_was_read_too_soon_is_read_again_three_seconds_later(watched: Watched) -> None:
    library = watched.library
    library.reader.later = 0  # as it is
    library.put("a.bmp", 1)
    watched.start()
    path = library.put("new.bmp", 2, age=0)
    assert watched.until(lambda: b"new.bmp" in library.known())
    (again,) = library.rows("SELECT again FROM photo WHERE name = ?", (b"new.bmp",))
    assert again == (1,)
    assert watched.until(lambda: library.rows("SELECT sum(again) FROM photo") == [(0,)], SOON), (
        "an index run would read it"
    )
    assert library.reader.read.count(path) == 2
    assert library.reader.decoded.count(path) == 1
    assert at_rest(watched)


def test_r19_touching_or_closing_a_file_costs_a_look_and_no_more(watched: Watched) -> None:
    library = watched.library
    path = library.put("a.bmp", 1)
    watched.start()
    os.utime(path)
    os.chmod(path, 0o600)
    assert at_rest(watched)
    assert watched.recorder.changes == []


def test_what_cannot_be_read_is_told_with_its_reason(watched: Watched) -> None:
    watched.library.put("a.bmp", 1)
    watched.start()
    watched.library.put("bad.jpg", b"\xff\xd8\xff\xe0 and no more", age=0)
    assert told(watched, Happening.FAILED, b"bad.jpg")
    (change,) = [c for c in watched.recorder.changes if c.what is Happening.FAILED]
    assert change.detail.startswith(("truncated", "damaged"))
    assert watched.until(watched.is_quiet, SOON)
    assert len([c for c in watched.recorder.changes if c.what is Happening.FAILED]) == 1


def test_very_many_changes_are_told_as_a_number(watched: Watched) -> None:
    watched.library.put("a.bmp", 0)
    watched.start()
    for number in range(1, 120):
        watched.library.put(f"many/{number}.bmp", number, age=0)
    assert in_time(watched)

    def as_a_number() -> int:
        return sum(count for what, count, _ in watched.recorder.many if what is Happening.ADDED)

    def singly() -> int:
        return sum(change.what is Happening.ADDED for change in watched.recorder.changes)

    # They are told once they are in the catalog, and so a moment later.
    assert watched.until(lambda: as_a_number() + singly() >= 119)
    assert as_a_number() + singly() == 119
    assert as_a_number() > 50


# -- you already have this ---------------------------------------------------------------------


def test_a_photo_that_is_there_already_is_told_with_its_other_path(
    watched: Watched, tmp_path: Path
) -> None:
    library = watched.library
    first = library.put("first.bmp", 1)
    library.put("other.bmp", 2)
    log = tmp_path / "commands"
    script = tmp_path / "on duplicate"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{log}"\n')
    script.chmod(0o755)
    watched.start(command=[str(script), "one; word"])
    copy = library.put("a $(touch x) copy.bmp", 1, age=0)
    library.put("new.bmp", 3, age=0)
    assert watched.until(lambda: watched.recorder.found != [])
    (found,) = watched.recorder.found
    assert (found.path, found.other, found.kind, found.score) == (copy, first, Kind.IDENTICAL, 1.0)
    assert watched.until(log.exists)
    assert watched.until(lambda: log.read_bytes().count(b"\n") == 3)
    assert log.read_bytes().splitlines() == [b"one; word", copy, first]
    assert in_time(watched)
    assert len(watched.recorder.found) == 1


def test_a_photo_that_looks_the_same_is_told_with_its_score(watched: Watched) -> None:
    library = watched.library
    first, copy = library.path("first.png"), library.path("copy.jpg")
    smooth_picture(first, 1, side=256)
    watched.start()
    smooth_picture(copy, 1, side=256, form="JPEG")
    assert watched.until(lambda: watched.recorder.found != [])
    (found,) = watched.recorder.found
    assert (found.path, found.other, found.kind) == (copy, first, Kind.SAME)
    assert 0.9 < found.score <= 1.0


def test_moves_hard_links_and_what_the_first_look_finds_are_no_news(watched: Watched) -> None:
    library = watched.library
    library.put("a.bmp", 1)
    library.put("copy of a.bmp", 1)
    watched.start()
    os.rename(library.path("a.bmp"), library.path("b.bmp"))
    os.link(library.path("b.bmp"), library.path("link.bmp"))
    assert watched.until(lambda: set(library.known()) >= {b"b.bmp", b"link.bmp"})
    os.unlink(library.path("copy of a.bmp"))
    library.put("end.bmp", 9, age=0)
    assert in_time(watched)
    time.sleep(0.3)
    assert watched.recorder.found == []


def test_what_arrived_while_nobody_watched_is_news(watched: Watched) -> None:
    library = watched.library
    first = library.put("a.bmp", 1)
    library.index()
    copy = library.put("copy.bmp", 1)
    watched.start()
    assert watched.until(lambda: watched.recorder.found != [], SOON)
    assert [(found.path, found.other) for found in watched.recorder.found] == [(copy, first)]


def test_of_two_that_arrive_together_the_second_is_told(watched: Watched) -> None:
    library = watched.library
    library.put("a.bmp", 1)
    watched.start()
    one, two = library.put("x/1.bmp", 5, age=0), library.put("x/2.bmp", 5, age=0)
    assert watched.until(lambda: watched.recorder.found != [])
    time.sleep(0.3)
    assert [{found.path, found.other} for found in watched.recorder.found] == [{one, two}]


def test_a_command_that_fails_is_told_and_harms_nothing(watched: Watched, tmp_path: Path) -> None:
    watched.library.put("a.bmp", 1)
    script = tmp_path / "fails"
    script.write_text("#!/bin/sh\necho it broke >&2\nexit 3\n")
    script.chmod(0o755)
    watched.start(command=[str(script)])
    watched.library.put("b.bmp", 1, age=0)
    assert watched.until(lambda: watched.recorder.has_said("fails failed: it broke"))
    watched.library.put("c.bmp", 2, age=0)
    assert in_time(watched)


# -- what the system does ----------------------------------------------------------------------


def test_r14_what_happens_before_the_start_is_found_by_the_first_look(watched: Watched) -> None:
    library = watched.library
    library.put("a.bmp", 1)
    library.put("b.bmp", 2)
    library.index()
    os.unlink(library.path("a.bmp"))
    library.put("b.bmp", 3, age=0)
    library.put("c.bmp", 4)
    watched.start()
    assert true(library)


def deafen(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no event of photos heard, while all looks well."""
    monkeypatch.setattr(watched.daemon._hints, "add", lambda path, *, whole=False: None)


def test_r14_a_sleep_of_the_machine_costs_a_look_at_everything(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "TICK", 0.1)
    watched.library.put("a.bmp", 1)
    watched.start()
    deafen(watched, monkeypatch)
    watched.library.put("b.bmp", 2)
    time.sleep(0.5)
    assert b"b.bmp" not in watched.library.known()
    real = time.time
    monkeypatch.setattr(following.time, "time", lambda: real() + 3600)
    assert in_time(watched)
    assert watched.recorder.has_said("slept")


def test_r14_everything_is_looked_at_every_hour(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "TICK", 0.1)
    monkeypatch.setattr(followed, "RESCAN", 1.0)
    watched.library.put("a.bmp", 1)
    watched.start()
    deafen(watched, monkeypatch)
    watched.library.put("b.bmp", 2)
    assert in_time(watched)


def test_r15_lost_events_cost_a_look_at_everything_and_are_counted(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.library.put("a.bmp", 1)
    watched.start()
    with monkeypatch.context() as patch:
        deafen(watched, patch)
        watched.library.put("deep/er/b.bmp", 2)
        time.sleep(0.2)
    watched.daemon._senses.listener.lost()
    assert in_time(watched)
    assert watched.status["overflows"] == 1
    watched.library.put("deep/er/c.bmp", 3, age=0)
    assert in_time(watched), "what came meanwhile is watched too"
    assert at_rest(watched)


def look_often(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Have it look so often where no events come, however long a look takes here."""
    monkeypatch.setattr(following, "TICK", 0.1)
    monkeypatch.setattr(following, "POLL", seconds)
    monkeypatch.setattr(followed, "POLL", seconds)
    monkeypatch.setattr(followed, "_POLL_SHARE", 100.0)


def test_r15_without_the_hooks_it_says_so_and_looks_every_minute(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watchdog.observers.inotify_c import InotifyFD

    monkeypatch.delattr(InotifyFD, "add_callback")
    look_often(monkeypatch, 0.3)
    watched.library.put("a.bmp", 1)
    watched.start()
    assert watched.recorder.has_said("watchdog is not the one that imgcat knows")
    assert watched.status["state"] == "degraded"
    watched.library.put("b.bmp", 2)
    assert in_time(watched)


def test_r16_folders_that_cannot_be_watched_are_looked_at_and_the_limit_is_named(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    from catalog.watching.inotify import InotifyFD

    real = InotifyFD.add_callback

    def limited(self: Any, path: bytes, *arguments: Any) -> Any:
        if b"over" in path:
            raise OSError(errno.ENOSPC, "inotify watch limit reached")
        return real(self, path, *arguments)

    monkeypatch.setattr(InotifyFD, "add_callback", limited)
    look_often(monkeypatch, 0.5)
    for number in range(4):
        watched.library.put(f"over {number}/{number}.bmp", number)
    watched.library.put("within/5.bmp", 5)
    watched.start()
    state = watched.status
    assert (state["state"], state["unwatched"], state["watched"]) == ("degraded", 4, 2)
    assert "sudo sysctl fs.inotify.max_user_watches=524288" in state["problem"]
    assert watched.recorder.has_said("4 of 6 folders cannot be watched")
    watched.library.put("over 2/new.bmp", 9, age=0)
    assert in_time(watched)
    monkeypatch.setattr(InotifyFD, "add_callback", real)
    assert watched.until(lambda: watched.status["state"] == "watching")


def test_r16_no_instance_left_means_polling(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_: object) -> int:
        raise OSError(errno.EMFILE, "inotify instance limit reached")

    monkeypatch.setattr("watchdog.observers.inotify_c.InotifyFD._create_inotify_fd", none_left)
    watched.library.put("a.bmp", 1)
    watched.start()
    assert watched.recorder.has_said("sysctl fs.inotify.max_user_instances")
    assert true(watched.library)


def test_r17_a_system_that_tells_nothing_of_a_first_file_means_polling(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(senses, "_SELF_TEST", 0.1)
    monkeypatch.setattr("catalog.watching.inotify.Inotify.on_event", lambda self, event: None)
    look_often(monkeypatch, 0.2)
    watched.library.put("a.bmp", 1)
    watched.start()
    assert watched.recorder.has_said("tells nothing of a file that was just made")
    assert watched.status["state"] == "degraded"
    watched.library.put("b.bmp", 2)
    assert in_time(watched)


@pytest.mark.parametrize("how", ["reader dies", "descriptor leads nowhere", "nothing comes"])
def test_r17_when_events_stop_to_come_it_listens_anew(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(following, "TICK", 0.1)
    monkeypatch.setattr(senses, "_PULSE", 0.3)
    monkeypatch.setattr(senses, "_DEAF_AFTER", 0.5)
    watched.library.put("a.bmp", 1)
    watched.start()
    source = watched.daemon._senses._events._source
    if how == "reader dies":

        def die(event: object) -> None:
            raise RuntimeError("reader")

        monkeypatch.setattr("threading.excepthook", lambda *_: None)
        source.handle_event = die
        watched.library.put("b.bmp", 2, age=0)
    elif how == "descriptor leads nowhere":
        pipe, _ = os.pipe()
        os.dup2(pipe, source._inotify_fd)
    else:
        source.handle_event = lambda event: None
    watched.library.put("b.bmp", 2, age=0)
    assert in_time(watched), watched.words
    assert watched.recorder.has_said("listening anew")
    watched.library.put("c.bmp", 3, age=0)
    assert in_time(watched)
    assert watched.status["state"] == "watching"


def test_r17_the_private_folder_of_cookies_is_made_anew_where_somebody_took_it_away(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.library.put("a.bmp", 1)
    watched.start()
    os.rmdir(watched.daemon._senses.cookies.folder)
    begun = time.monotonic()
    answer = watched.daemon.sync()
    assert (answer["fresh"], answer["why"]) == (False, "events of the disk do not come")
    assert time.monotonic() - begun < 5
    monkeypatch.setattr(following, "TICK", 0.1)
    watched.daemon._senses._next_pulse = 0
    watched.daemon._hints.wake()
    assert watched.until(watched.sync)
    assert watched.recorder.has_said("listening anew")
    watched.library.put("b.bmp", 2, age=0)
    assert in_time(watched)


def test_r17_after_three_failures_it_gives_up(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "TICK", 0.05)
    monkeypatch.setattr(senses, "_PULSE", 0.1)
    monkeypatch.setattr(senses, "_DEAF_AFTER", 0.1)
    watched.library.put("a.bmp", 1)
    watched.start()
    monkeypatch.setattr(watched.daemon._senses.cookies, "seen", lambda name: None)
    monkeypatch.setattr(watched.daemon._senses, "_cookie_comes", lambda: True)
    watched.until(lambda: False, 6)
    assert isinstance(watched.ended_by, GaveUp)
    assert "--poll" in str(watched.ended_by)
    assert int(watched.ended_by.exit_code) == 70, "systemd starts it again"


def test_r18_a_root_that_goes_and_comes_back_keeps_its_rows(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "TICK", 0.1)
    library = watched.library
    for number in range(4):
        library.put(f"a/{number}.bmp", number)
    watched.start()
    aside = bytes(library.top) + b" aside"
    for _ in range(3):
        os.rename(library.top, aside)
        assert watched.until(lambda: not watched.daemon._following.at(bytes(library.top)).is_there)
        time.sleep(0.4)
        assert library.rows("SELECT count(*) FROM photo WHERE missing_since IS NULL") == [(4,)]
        with open(os.path.join(aside, b"a", b"0.bmp"), "r+b") as file:
            file.seek(100)
            file.write(os.urandom(8))
        os.rename(aside, library.top)
        assert in_time(watched)
    library.put("a/new.bmp", 50, age=0)
    assert in_time(watched)


def test_r18_a_root_that_is_deleted_and_made_again_is_followed(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "TICK", 0.1)
    library = watched.library
    library.put("a/1.bmp", 1)
    watched.start()
    shutil.rmtree(library.top)
    time.sleep(0.5)
    library.top.mkdir()
    library.put("b/2.bmp", 2)
    assert watched.until(lambda: library.known().get(b"b/2.bmp") == digest(2))
    library.put("b/3.bmp", 3, age=0)
    assert watched.until(lambda: library.known().get(b"b/3.bmp") == digest(3))


def test_r20_what_others_change_on_a_server_is_found_within_a_minute(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = [Mount(b"/", "ext4", 1), Mount(bytes(watched.library.top), "nfs4", 2)]
    monkeypatch.setattr(following.filesystem, "mounts", lambda: served)
    look_often(monkeypatch, 0.2)
    watched.library.put("a.bmp", 1)
    watched.start()
    assert watched.recorder.has_said("makes no event: it is looked at every minute too")
    assert watched.status["state"] == "watching"
    deafen(watched, monkeypatch)
    for name, seed in (("b.bmp", 2), ("folder/c.bmp", 3)):
        watched.library.put(name, seed, age=0)
        assert in_time(watched)


# -- other imgcats -----------------------------------------------------------------------------


def test_r21_a_question_sees_what_happened_before_it_and_says_so(watched: Watched) -> None:
    library = watched.library
    library.put("a.bmp", 1)
    watched.start()
    for number in range(20):
        library.put(f"new/{number}.bmp", 100 + number, age=0)
        assert watched.sync()
        assert library.known()[b"new/%d.bmp" % number] == digest(100 + number)
    freshness = synchronise(library.catalog)
    ((root,),) = library.rows("SELECT id FROM root")
    assert (freshness.roots, freshness.why_not) == ({root}, "")


def test_questions_that_nobody_waits_for_any_more_are_forgotten(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.library.put("a.bmp", 1)
    watched.start()
    cookies = watched.daemon._senses.cookies
    monkeypatch.setattr("catalog.watching.daemon._SYNC_WITHIN", 0.1)
    monkeypatch.setattr(cookies, "seen", lambda name: None)
    assert watched.daemon.sync()["why"] == "it is busy"
    assert not cookies._waiting


def test_a_question_that_cannot_be_answered_is_told(watched: Watched) -> None:
    watched.library.put("a.bmp", 1)
    watched.start()
    watched.daemon._losses = object()  # no JSON
    assert daemon_state(watched.library.catalog).problem == "it does not answer"
    assert watched.recorder.has_said("a question could not be answered: TypeError")


def test_one_that_does_not_listen_yet_is_starting(watched: Watched) -> None:
    watched.library.index()
    lock = Locks(watched.library.catalog).daemon()
    with lock.hold():
        state = daemon_state(watched.library.catalog)
        assert (state.state, state.pid) == ("starting", os.getpid())
        assert "yet" in state.problem
        assert "yet" in synchronise(watched.library.catalog).why_not


def test_by_a_link_to_the_catalog_it_is_the_same_daemon(watched: Watched, tmp_path: Path) -> None:
    watched.library.put("a.bmp", 1)
    watched.start()
    link = os.fsencode(tmp_path / "link.db")
    os.symlink(watched.library.catalog, link)
    assert daemon_state(link).state == "watching"
    assert synchronise(link).roots


def test_r21_while_it_looks_for_the_first_time_nothing_is_fresh(
    watched: Watched, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.watching.daemon._SYNC_WITHIN", 0.5)
    watched.library.put("a.bmp", 1)
    go_on = threading.Event()

    def hold(path: bytes) -> None:
        go_on.wait(SOON)

    reader.before = hold
    watched.start(wait=False)
    assert watched.until(lambda: watched.status["watched"] > 0)
    assert daemon_state(watched.library.catalog).state == "starting"
    freshness = synchronise(watched.library.catalog)
    go_on.set()
    assert freshness.roots == frozenset()
    assert freshness.why_not


def test_r21_while_photos_are_read_nothing_is_fresh_and_their_number_is_told(
    watched: Watched, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.watching.daemon._SYNC_WITHIN", 1.2)
    monkeypatch.setattr("catalog.watching.work.PORTION", 1)
    watched.library.put("a.bmp", 1)
    watched.start()
    reader.before = lambda path: time.sleep(0.15)
    for number in range(6):
        watched.library.put(f"b{number}.bmp", number + 2, age=0)
    answer = watched.daemon.sync()
    to_read = watched.status["to_read"]
    reader.before = lambda path: None
    assert (answer["fresh"], answer["why"]) == (False, "it is reading photos")
    assert 0 < to_read <= 6
    assert in_time(watched)
    assert watched.until(lambda: watched.status["to_read"] == 0, SOON)


def test_r21_where_something_may_have_been_missed_nothing_is_fresh_until_all_is_looked_at(
    watched: Watched,
) -> None:
    watched.library.put("a.bmp", 1)
    watched.start()
    assert watched.sync()
    (root,) = watched.daemon._following
    root.lost_at = time.monotonic() + 1
    answer = watched.daemon.sync()
    assert (answer["fresh"], answer["why"]) == (False, "it is still looking at everything")
    watched.daemon._senses.listener.lost()
    assert watched.until(watched.sync, SOON)


def test_how_long_the_oldest_change_waits_is_told() -> None:
    now = 1000.0
    daemon = Daemon(b"/nowhere/catalog.db", Recorder(), clock=lambda: now)
    assert daemon.status()["lag"] == 0
    daemon._hints.add(b"/r/a")
    now += 1.5
    daemon._hints.add(b"/r/b")
    now += 0.5
    assert daemon.status()["lag"] == 2.0


def test_since_when_all_is_known_is_told(watched: Watched) -> None:
    watched.library.put("a.bmp", 1)
    before = time.time_ns()
    watched.start()
    assert before <= watched.status["last_rescan_ns"] <= time.time_ns()
    state = daemon_state(watched.library.catalog)
    assert state.last_rescan_ns == watched.status["last_rescan_ns"]


def test_without_a_daemon_nobody_waits_and_nothing_is_fresh(watched: Watched) -> None:
    watched.library.put("a.bmp", 1)
    watched.library.index()
    begun = time.monotonic()
    freshness = synchronise(watched.library.catalog)
    assert time.monotonic() - begun < 1
    assert (freshness.roots, freshness.why_not) == (frozenset(), "")
    assert daemon_state(watched.library.catalog).state == "stopped"


def test_r22_there_is_one_daemon_a_catalog(watched: Watched) -> None:
    watched.library.put("a.bmp", 1)
    watched.start()
    other = Watched(watched.library, watched.pool)
    other.start(wait=False)
    assert not other.until(lambda: False, 3)
    assert isinstance(other.ended_by, Busy)
    assert "--stop" in str(other.ended_by)
    other.stop()
    assert watched.sync()


def test_an_index_run_and_the_daemon_take_turns(watched: Watched) -> None:
    library = watched.library
    library.put("a.bmp", 1)
    watched.start()
    for number in range(10):
        library.put(f"{number}/x.bmp", number, age=0)
        library.rescan()
    assert at_rest(watched)


def test_r21_while_another_has_the_root_nothing_is_fresh_and_afterwards_all_is(
    watched: Watched,
) -> None:
    library = watched.library
    library.put("a/1.bmp", 1)
    library.put("b/2.bmp", 2)
    watched.start()
    assert watched.sync()
    ((root,),) = library.rows("SELECT id FROM root")
    with Locks(library.catalog).root(root).hold():
        library.put("a/3.bmp", 3, age=0)
        library.put("c/4.bmp", 4, age=0)
        assert not watched.sync()
        assert synchronise(library.catalog).why_not == "it waits for another imgcat"
        assert b"a/3.bmp" not in library.known()
    assert in_time(watched)
    assert watched.until(watched.sync)
    assert at_rest(watched)


def test_a_root_that_is_added_or_forgotten_is_followed_from_then_on_or_no_more(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "TICK", 0.1)
    library = watched.library
    library.put("a.bmp", 1)
    library.index()
    watched.start()
    watched.daemon._paths.clear()  # as 'imgcat watch' without a folder
    more = tmp_path / "more"
    more.mkdir()
    (more / "b.bmp").write_bytes(picture(2))
    library.index(more)
    assert watched.until(lambda: watched.recorder.has_said(f"following {more}"))
    (more / "c.bmp").write_bytes(picture(3))
    count = "SELECT count(*) FROM photo WHERE missing_since IS NULL AND content IS NOT NULL"
    assert watched.until(lambda: library.rows(count) == [(3,)])
    with open_for_writing(library.catalog) as database:
        forget(database, [bytes(more)])
    assert watched.until(lambda: watched.recorder.has_said(f"not following {more}"))
    (more / "d.bmp").write_bytes(picture(4))
    library.put("e.bmp", 5, age=0)
    assert watched.until(lambda: b"e.bmp" in library.known())
    assert library.rows(count) == [(2,)]
    monkeypatch.setattr("catalog.watching.daemon._SYNC_WITHIN", 3)
    assert watched.sync(), "cookies are heard of, whatever is not followed any more"


def test_a_root_that_is_forgotten_does_not_come_back_by_what_was_heard_of_it(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = watched.library
    library.put("a.bmp", 1)
    library.index()
    more = tmp_path / "more"
    more.mkdir()
    (more / "b.bmp").write_bytes(picture(2))
    library.index(more)
    watched.start(bytes(library.top), bytes(more))
    monkeypatch.setattr(watched.daemon._following, "_next_tick", float("inf"))
    with open_for_writing(library.catalog) as database:
        forget(database, [bytes(more)])
    (more / "c.bmp").write_bytes(picture(3))
    library.put("d.bmp", 4, age=0)
    assert watched.until(lambda: b"d.bmp" in library.known())
    assert watched.until(lambda: bytes(more) in watched.daemon._worker._owed), "it was looked at"
    assert library.rows("SELECT count(*) FROM photo") == [(2,)]
    monkeypatch.setattr(watched.daemon._following, "_next_tick", 0)
    assert watched.until(watched.sync)
    assert library.rows("SELECT count(*) FROM photo") == [(2,)]
    assert watched.recorder.has_said(f"not following {more}")


def test_photos_to_be_read_are_counted_down(watched: Watched) -> None:
    library = watched.library
    for number in range(8):
        library.put(f"{number}.bmp", number)
    counts = []
    library.reader.before = lambda _path: counts.append(watched.status["to_read"])
    watched.start()
    assert counts == [8, 7, 6, 5, 4, 3, 2, 1]


def test_a_photo_that_was_half_there_is_told_when_it_is_whole(watched: Watched) -> None:
    library = watched.library
    library.put("a.bmp", 1)
    watched.start()
    library.put("copy.bmp", picture(1)[:200], age=0)
    assert told(watched, Happening.FAILED, b"copy.bmp")
    library.put("copy.bmp", 1, age=0)
    assert told(watched, Happening.ADDED, b"copy.bmp")
    assert watched.until(lambda: watched.recorder.found != [])


def test_a_root_inside_another_that_leaves_it_out_is_followed_by_its_own_patterns(
    watched: Watched,
) -> None:
    library = watched.library
    library.put("a.bmp", 1)
    library.put("private/b.bmp", 2)
    library.index(library.path("private"))
    library.index(exclude=["private", "*.gif"])
    watched.start(bytes(library.top), library.path("private"))
    assert watched.until(watched.sync), watched.daemon.sync()
    library.put("private/new.gif", 3, age=0)
    assert watched.until(lambda: b"private/new.gif" in library.known(), SOON)
    library.put("private/c/new.bmp", 4, age=0)
    assert watched.until(lambda: b"private/c/new.bmp" in library.known(), SOON)


def test_after_the_first_look_no_bar_is_drawn(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Shown(Silent):
        phases = 0

        def start(self, phase: Phase, total: int | None = None) -> None:
            self.phases += 1

    monkeypatch.setattr(following, "TICK", 0.1)
    monkeypatch.setattr(followed, "RESCAN", 0.5)
    watched.library.put("a.bmp", 1)
    shown = Shown()
    watched.start(progress=shown)
    first = shown.phases
    assert first
    agreed = watched.status["last_rescan_ns"]
    assert watched.until(lambda: watched.status["last_rescan_ns"] > agreed)
    assert shown.phases == first


def test_what_others_write_just_before_the_catalog_is_closed_is_seen(
    watched: Watched, tmp_path: Path
) -> None:
    library = watched.library
    library.put("a.bmp", 1)
    library.index()
    tools = Tools(library.catalog, 1, print, clock=time.monotonic, turning=lambda: None)
    tools.database()
    tools.others_wrote()
    tools.close_catalog()
    assert not tools.others_wrote()
    tools.database()
    tools.others_wrote()
    other = tmp_path / "other"
    other.mkdir()
    library.index(other)
    tools.close_catalog()
    assert tools.others_wrote()


def test_the_catalog_is_closed_while_nothing_happens(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "TICK", 0.1)
    monkeypatch.setattr("catalog.watching.tools._CLOSE_AFTER", 0.3)
    monkeypatch.setattr("catalog.watching.tools._END_POOL_AFTER", 0.6)
    watched.library.put("a.bmp", 1)
    watched.start()
    assert watched.until(lambda: not os.path.exists(watched.library.catalog + b"-wal"))
    assert watched.until(lambda: watched.daemon._tools._database is None)
    assert watched.until(lambda: watched.daemon._tools._pool is None)
    assert watched.pool.ended == 1
    watched.library.put("b.bmp", 2, age=0)
    assert in_time(watched)


def test_r28_a_full_disk_is_waited_out(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.library.put("a.bmp", 1)
    watched.start()
    with monkeypatch.context() as patch:

        def full(*_: Any, **__: Any) -> Any:
            raise DiskFull("no room left on the disk of the catalog")

        patch.setattr(upkeep, "perform", full)
        watched.library.put("b.bmp", 2, age=0)
        assert watched.until(lambda: watched.status["state"] == "degraded")
        assert "no room left" in watched.status["problem"]
        assert watched.recorder.has_said("trying again")
        freshness = synchronise(watched.library.catalog)
        assert "no room left" in freshness.why_not
        assert freshness.roots == frozenset()
    watched.library.put("c.bmp", 3, age=0)
    assert in_time(watched)
    # The catalog has it a moment before the daemon says so.
    assert watched.until(lambda: watched.recorder.has_said("can be written again"))
    assert watched.until(lambda: watched.status["state"] == "watching")
    assert at_rest(watched)


def test_r28_while_the_disk_is_full_nothing_spins_and_it_is_tried_every_minute_at_least(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.library.put("a.bmp", 1)
    watched.start()
    tries: list[float] = []

    def full(*_: Any, **__: Any) -> Any:
        tries.append(time.monotonic())
        raise DiskFull("no room left on the disk of the catalog")

    monkeypatch.setattr(upkeep, "perform", full)
    turns: list[int] = []
    turn = watched.daemon._turn
    monkeypatch.setattr(watched.daemon, "_turn", lambda: (turns.append(1), turn()))
    watched.library.put("b.bmp", 2, age=0)
    assert watched.until(lambda: watched.daemon._worker._tries == 1)
    turns.clear()
    assert watched.until(lambda: len(tries) == 2)
    assert len(turns) < 20
    assert tries[1] - tries[0] >= 1
    watched.daemon._worker._tries = 50
    watched.daemon._worker.resume_at = 0.0
    watched.daemon._hints.wake()
    assert watched.until(lambda: watched.daemon._worker._tries == 51)
    assert watched.until(lambda: watched.daemon._worker.resume_at > tries[-1] + 50)
    assert watched.daemon._worker.resume_at <= time.monotonic() + 60


def test_r27_a_catalog_that_is_damaged_is_set_aside_and_built_anew(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "TICK", 0.1)
    monkeypatch.setattr("catalog.watching.tools._CLOSE_AFTER", 0.2)
    watched.library.put("a.bmp", 1)
    watched.start()
    assert watched.until(lambda: watched.daemon._tools._database is None)
    with open(watched.library.catalog, "r+b") as file:
        file.write(b"\0" * 100)
    watched.library.put("b.bmp", 2, age=0)
    assert watched.until(lambda: watched.recorder.has_said("set aside as")), watched.words
    assert in_time(watched)
    place = Path(os.fsdecode(watched.library.catalog)).parent
    assert any(".corrupt-" in path.name for path in place.iterdir())


def test_a_catalog_that_is_deleted_ends_it_with_a_word(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "TICK", 0.1)
    monkeypatch.setattr("catalog.watching.tools._CLOSE_AFTER", 0.2)
    watched.library.put("a.bmp", 1)
    watched.start()
    assert watched.until(lambda: watched.daemon._tools._database is None)
    shutil.rmtree(os.path.dirname(watched.library.catalog))
    watched.library.put("b.bmp", 2, age=0)
    watched.until(lambda: False, 5)
    assert isinstance(watched.ended_by, CatalogAbsent)


def test_nothing_to_follow_is_said(watched: Watched) -> None:
    watched.start(bytes(watched.library.top) + b" not there", wait=False)
    watched.until(lambda: False, 3)
    assert isinstance(watched.ended_by, UsageError)


def test_polling_finds_everything_too(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    look_often(monkeypatch, 0.3)
    watched.library.put("a.bmp", 1)
    watched.start(poll=True)
    state = watched.status
    assert (state["state"], state["polling"], state["watched"]) == ("watching", "--poll", 0)
    watched.library.put("b/2.bmp", 2, age=0)
    assert in_time(watched)
    os.rename(watched.library.path("b"), watched.library.path("c"))
    assert in_time(watched)
    watched.library.put("c/3.bmp", 3, age=0)
    assert watched.sync(), "a question has it look"
    assert b"c/3.bmp" in watched.library.known()


def test_what_another_recipe_made_is_read_anew(watched: Watched) -> None:
    watched.library.put("a.bmp", 1)
    watched.start()
    watched.library.index(recipe=Recipe.FULL)
    watched.library.put("b.bmp", 2, age=0)
    assert in_time(watched)
    with open_for_reading(watched.library.catalog) as database:
        assert database.rows("SELECT DISTINCT recipe FROM content") == [(Recipe.FULL,)]


def test_while_nothing_happens_it_does_nothing(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.library.put("a.bmp", 1)
    watched.start()
    assert watched.until(watched.is_quiet)
    time.sleep(0.2)  # the last of what there was to do
    turns: list[int] = []
    turn = watched.daemon._turn
    monkeypatch.setattr(watched.daemon, "_turn", lambda: (turns.append(1), turn()))
    watched.daemon._hints.wake()
    time.sleep(0.6)
    assert 0 < len(turns) <= 3


def test_it_ends_at_once_while_it_reads(watched: Watched, reader: Reader) -> None:
    watched.library.put("a.bmp", 1)
    watched.start()

    def interrupt(path: bytes) -> None:
        raise KeyboardInterrupt

    reader.before = interrupt
    watched.library.put("b.bmp", 2, age=0)
    watched.until(lambda: False, 4)
    assert isinstance(watched.ended_by, KeyboardInterrupt)


def test_it_ends_at_once_and_leaves_nothing(watched: Watched) -> None:
    watched.library.put("a.bmp", 1)
    watched.start()
    folder = watched.daemon._senses.cookies.folder
    assert os.path.isdir(folder)
    begun = time.monotonic()
    watched.stop()
    assert time.monotonic() - begun < 2
    assert isinstance(watched.ended_by, KeyboardInterrupt)
    assert not os.path.exists(folder)
    locks = Locks(watched.library.catalog)
    assert not os.path.exists(os.path.join(locks.folder, b"daemon.socket"))
    assert not os.path.exists(watched.library.catalog + b"-wal")
    assert locks.daemon().try_acquire()


@pytest.mark.soak
def test_r21_a_thousand_questions_are_never_stale_and_called_fresh(watched: Watched) -> None:
    library = watched.library
    library.put("a.bmp", 1)
    watched.start()
    fresh = 0
    for number in range(1000):
        name = b"new %d/%d.bmp" % (number % 50, number)
        library.put(name, number, age=0)
        if watched.sync():
            fresh += 1
            assert library.known().get(name) == digest(number)
    assert fresh > 990


@pytest.mark.soak
def test_r17_a_million_events_cost_no_memory_that_stays(watched: Watched) -> None:
    library = watched.library
    for number in range(1000):
        library.put(f"{number % 20}/{number}.bmp", number)
    watched.start()
    before = _resident()
    until = time.monotonic() + 60
    count = 0
    while time.monotonic() < until and count < 1_000_000:  # as many as a minute makes
        for number in range(1000):
            os.utime(library.path(f"{number % 20}/{number}.bmp"))
        count += 1000
    assert in_time(watched)
    assert _resident() - before < 100_000


def _resident() -> int:
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def test_no_thread_outlives_it(watched: Watched) -> None:
    before = set(threading.enumerate())
    watched.library.put("a.bmp", 1)
    watched.start()
    watched.stop()
    assert not [thread for thread in threading.enumerate() if thread not in before]
