"""What was planned is done, counted and written down; what cannot be done stays at home."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from catalog.actions import perform as performing
from catalog.errors import DiskFull, UsageError
from catalog.model import Deed, Kind, Receipt, Removal, Rule, State
from catalog.store.decisions import Decisions
from tests.actions.albums import Album, InterruptedAt
from tests.support import NOBODY, in_child, needs_root

DEEDS = (Deed.TRASH, Deed.MOVE, Deed.DELETE, Deed.HARDLINK)
TAKING = (Deed.TRASH, Deed.MOVE, Deed.DELETE)


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Album:
    return Album(tmp_path, monkeypatch)


@pytest.fixture
def by_threes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of three files."""
    monkeypatch.setattr(performing, "_FILES_AT_ONCE", 3)


def pairs(album: Album, count: int) -> list[Any]:
    """Groups of two: kept/0.jpg and copies/0.jpg, and so on, each with other bytes."""
    groups = []
    for number in range(count):
        album.put_all(b"photo %d" % number, f"kept/{number}.jpg", f"copies/{number}.jpg")
        groups.append(album.group(f"kept/{number}.jpg", f"copies/{number}.jpg"))
    return groups


def at_home(album: Album) -> int:
    """How many copies are what they were."""
    return sum(
        album.has(f"copies/{number}.jpg")
        and not os.path.samefile(
            album.path(f"copies/{number}.jpg"), album.path(f"kept/{number}.jpg")
        )
        for number in range(20)
    )


def rows(album: Album, state: State) -> list[Removal]:
    with album.decisions() as decisions:
        return [
            removal
            for action in decisions.history()
            for removal in decisions.removals(action.id, state)
        ]


def unfinished(album: Album) -> int:
    with album.decisions() as decisions:
        return len(decisions.unfinished())


# -- what is done ---------------------------------------------------------------------------------


@pytest.mark.parametrize("deed", DEEDS)
def test_the_receipt_counts_what_was_done(album: Album, by_threes: None, deed: Deed) -> None:
    groups = pairs(album, 8)
    album.put_all(b"sidecar", "kept/0.xmp", "copies/0.xmp")
    planned = album.plan(deed, *groups)
    receipt = album.perform(planned)
    companions = 1 if deed.takes_away else 0
    assert (receipt.deed, receipt.done, receipt.companions) == (deed, 8, companions)
    assert receipt.bytes_won == planned.bytes_won
    assert (receipt.refused, receipt.interrupted, receipt.stopped) == ((), False, "")
    assert {album.path("copies")} <= receipt.touched
    assert at_home(album) == 0


def test_what_is_trashed_is_in_the_trash(album: Album) -> None:
    album.do(Deed.TRASH, *pairs(album, 3))
    assert sorted(os.listdir(album.trash)) == [b"0.jpg", b"1.jpg", b"2.jpg"]


def test_what_is_moved_keeps_its_path_below_the_folder(album: Album) -> None:
    album.put_all(b"photo", "kept.jpg", "x/a.jpg", "x/deep/er/a.jpg")
    album.do(Deed.MOVE, album.group("kept.jpg", "x/a.jpg", "x/deep/er/a.jpg"))
    assert os.path.exists(os.path.join(album.moved, b"a.jpg"))
    assert os.path.exists(os.path.join(album.moved, b"deep/er/a.jpg"))


def test_what_is_in_the_folder_is_not_written_over(album: Album) -> None:
    album.put_all(b"photo", "kept.jpg", "x/a.jpg")
    album.put(os.path.join(album.moved, b"a.jpg"), b"another")
    album.do(Deed.MOVE, album.group("kept.jpg", "x/a.jpg"))
    assert album.read(os.path.join(album.moved, b"a.jpg")) == b"another"
    assert album.read(os.path.join(album.moved, b"a (2).jpg")) == b"photo"


def test_a_thousand_copies_of_one_photo(album: Album) -> None:
    names = [f"copies/{number % 50}/{number // 50}.jpg" for number in range(1000)]
    album.put_all(b"photo", "kept.jpg", *names)
    receipt = album.do(Deed.TRASH, album.group("kept.jpg", *names))
    assert (receipt.done, receipt.refused) == (1000, ())
    assert receipt.bytes_won == 1000 * len(b"photo")
    assert album.names() == {"kept.jpg"}
    assert len(set(os.listdir(album.trash))) == 1000
    undone = album.undo()
    assert (undone.done, undone.refused) == (1000, ())
    assert album.names() == {"kept.jpg", *names}


@pytest.mark.parametrize("deed", DEEDS)
def test_the_history_says_what_was_done(album: Album, deed: Deed) -> None:
    receipt = album.do(deed, *pairs(album, 3))
    with album.decisions() as decisions:
        (action,) = decisions.history()
    assert (action.id, action.deed, action.files) == (receipt.action, deed, 3)
    assert action.size == 3 * len(b"photo 0")
    assert action.states == {State.DONE: 3}
    assert action.folder == (album.moved if deed is Deed.MOVE else None)
    assert not action.undone


def test_the_journal_has_what_it_takes_to_undo(album: Album) -> None:
    groups = pairs(album, 1)
    os.utime(album.path("copies/0.jpg"), ns=(0, -1))
    os.chmod(album.path("copies/0.jpg"), 0o640)
    status = os.stat(album.path("copies/0.jpg"))
    groups = [album.group("kept/0.jpg", "copies/0.jpg")]
    album.do(Deed.TRASH, *groups)
    (removal,) = rows(album, State.DONE)
    assert removal.path == album.path("copies/0.jpg")
    assert removal.place == os.path.join(album.trash, b"0.jpg")
    assert removal.keeper == album.path("kept/0.jpg")
    assert removal.digest == groups[0].keep.digest
    assert (removal.mode, removal.mtime_ns) == (0o640, -1)
    assert (removal.owner, removal.group) == (status.st_uid, status.st_gid)
    assert (removal.inode, removal.size) == (status.st_ino, status.st_size)


@pytest.mark.parametrize("deed", DEEDS)
def test_what_comes_to_nothing_is_no_action(album: Album, deed: Deed) -> None:
    album.put_all(b"photo", "kept.jpg", "copy.jpg")
    planned = album.plan(deed, album.group("kept.jpg", "copy.jpg"))
    album.put("copy.jpg", b"other")
    receipt = album.perform(planned)
    assert (receipt.action, receipt.done, receipt.bytes_won) == (None, 0, 0)
    assert [refusal.path for refusal in receipt.refused] == [album.path("copy.jpg")]
    with album.decisions() as decisions:
        assert decisions.history() == []
    assert album.perform(album.plan(deed)) == Receipt(deed, None)


# -- names of one file ----------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 2, 100])
@pytest.mark.parametrize("deed", DEEDS)
def test_all_names_of_a_copy_go_and_its_bytes_count_once(
    album: Album, monkeypatch: pytest.MonkeyPatch, deed: Deed, at_once: int
) -> None:
    monkeypatch.setattr(performing, "_FILES_AT_ONCE", at_once)
    album.put_all(b"photo", "kept.jpg", "1.jpg")
    album.link("2.jpg", "1.jpg")
    album.link("3.jpg", "1.jpg")
    planned = album.plan(deed, album.group("kept.jpg", "1.jpg", "2.jpg", "3.jpg"))
    receipt = album.perform(planned)
    assert (receipt.done, receipt.refused) == (3, ())
    assert receipt.bytes_won == planned.bytes_won == (0 if deed is Deed.MOVE else len(b"photo"))


@pytest.mark.parametrize("at_once", [1, 2, 100])
@pytest.mark.parametrize("deed", DEEDS)
def test_a_file_of_which_a_name_stays_wins_nothing(
    album: Album, monkeypatch: pytest.MonkeyPatch, deed: Deed, at_once: int
) -> None:
    monkeypatch.setattr(performing, "_FILES_AT_ONCE", at_once)
    album.put_all(b"photo", "kept.jpg", "1.jpg")
    album.link("2.jpg", "1.jpg")
    album.link("stays.jpg", "1.jpg")
    receipt = album.do(deed, album.group("kept.jpg", "1.jpg", "2.jpg"))
    assert (receipt.done, receipt.bytes_won) == (2, 0)


@pytest.mark.parametrize("deed", DEEDS)
def test_a_name_is_no_excuse_for_writing_into_the_file(
    album: Album, monkeypatch: pytest.MonkeyPatch, deed: Deed
) -> None:
    """One name went; the next stays where the bytes changed, be its time of modification reset."""
    album.put_all(b"photo", "kept.jpg", "1.jpg")
    album.link("2.jpg", "1.jpg")
    planned = album.plan(deed, album.group("kept.jpg", "1.jpg", "2.jpg"))

    def written_into(decisions: Decisions, action: int, removals: Sequence[Removal]) -> list[int]:
        mtime_ns = os.stat(album.path("1.jpg")).st_mtime_ns
        with open(album.path("1.jpg"), "r+b") as file:
            file.write(b"OTHER")
        os.utime(album.path("1.jpg"), ns=(mtime_ns, mtime_ns))
        return intend(decisions, action, removals)

    intend = Decisions.intend
    monkeypatch.setattr(Decisions, "intend", written_into)
    receipt = album.perform(planned)
    assert (receipt.done, len(receipt.refused)) == (0, 2)
    assert album.read("1.jpg") == album.read("2.jpg") == b"OTHER"
    assert unfinished(album) == 0


# -- Ctrl-C ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("deed", DEEDS)
def test_an_interrupt_leaves_every_file_done_and_counted_or_at_home(
    album: Album, by_threes: None, deed: Deed, at: int
) -> None:
    groups = pairs(album, 7)
    before = album.contents()
    receipt = album.perform(album.plan(deed, *groups), InterruptedAt(at))
    assert receipt.interrupted
    assert at <= receipt.done <= at + 2, "no new batch was begun"
    assert receipt.done == len(rows(album, State.DONE)) == 7 - at_home(album)
    assert receipt.bytes_won == (0 if deed is Deed.MOVE else receipt.done * len(b"photo 0"))
    assert unfinished(album) == 0
    assert album.contents() == before
    assert album.undo().done == receipt.done
    assert at_home(album) == 7


@pytest.mark.parametrize("deed", DEEDS)
def test_an_interrupt_while_something_is_refused_leaves_the_rest_at_home(
    album: Album, deed: Deed
) -> None:
    planned = album.plan(deed, *pairs(album, 3))
    album.put("copies/1.jpg", b"changed")
    before = album.tree()
    receipt = album.perform(planned, InterruptedAt(1))
    assert (receipt.interrupted, receipt.done, receipt.action) == (True, 0, None)
    assert album.tree() == before
    assert unfinished(album) == 0


# -- what fails -----------------------------------------------------------------------------------


def failing_at(
    monkeypatch: pytest.MonkeyPatch, name: str, number: int, *, and_later: bool = False
) -> None:
    """The disk of the journal is full at this call of a method of ``Decisions``."""
    real: Callable[..., Any] = getattr(Decisions, name)
    calls = 0

    def full(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number or (and_later and calls > number):
            raise DiskFull("no room left on the disk of the journal")
        return real(*arguments)

    monkeypatch.setattr(Decisions, name, full)


@pytest.mark.parametrize("deed", DEEDS)
def test_a_journal_that_cannot_be_written_ends_it_with_what_was_done(
    album: Album, by_threes: None, monkeypatch: pytest.MonkeyPatch, deed: Deed
) -> None:
    planned = album.plan(deed, *pairs(album, 10))
    failing_at(monkeypatch, "intend", 3)
    receipt = album.perform(planned)
    assert receipt.stopped == "no room left on the disk of the journal"
    assert (receipt.done, at_home(album), len(rows(album, State.DONE))) == (6, 4, 6)
    assert receipt.bytes_won == (0 if deed is Deed.MOVE else 6 * len(b"photo 0"))
    assert unfinished(album) == 0


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_what_cannot_be_written_down_as_done_comes_home(
    album: Album, by_threes: None, monkeypatch: pytest.MonkeyPatch, deed: Deed, number: int
) -> None:
    planned = album.plan(deed, *pairs(album, 9))
    before = album.contents()
    with monkeypatch.context() as patch:
        failing_at(patch, "settle", number)
        receipt = album.perform(planned)
    assert receipt.stopped
    assert album.contents() == before
    assert unfinished(album) == 0
    assert len(rows(album, State.DONE)) == 9 - at_home(album)


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_where_nothing_can_be_written_down_any_more_the_next_command_does(
    album: Album, by_threes: None, monkeypatch: pytest.MonkeyPatch, deed: Deed, number: int
) -> None:
    groups = pairs(album, 9)
    before = album.contents()
    with monkeypatch.context() as patch:
        failing_at(patch, "settle", number, and_later=True)
        receipt = album.perform(album.plan(deed, *groups))
    assert receipt.stopped
    assert album.contents() == before
    album.put_all(b"another", "kept/x.jpg", "x.jpg")
    assert album.do(deed, album.group("kept/x.jpg", "x.jpg")).done == 1
    assert unfinished(album) == 0
    assert len(rows(album, State.DONE)) - 1 == 9 - at_home(album)


def test_a_trash_that_is_full_of_files_of_that_name_is_no_obstacle(album: Album) -> None:
    groups = pairs(album, 2)
    os.makedirs(album.trash)
    for number in range(2):
        album.put(os.path.join(album.trash, b"%d.jpg" % number), b"somebody's")
    assert album.do(Deed.TRASH, *groups).done == 2
    assert {b"photo 0", b"photo 1", b"somebody's"} <= album.contents()


@needs_root
@pytest.mark.parametrize("deed", DEEDS)
def test_what_is_in_a_folder_that_cannot_be_written_stays(
    open_place: Path, monkeypatch: pytest.MonkeyPatch, deed: Deed
) -> None:
    album = Album(open_place, monkeypatch)
    monkeypatch.setenv("XDG_STATE_HOME", str(open_place))
    groups = pairs(album, 3)
    for folder, _, names in os.walk(open_place):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            os.chown(path, NOBODY, NOBODY)
    groups = [album.group(f"kept/{number}.jpg", f"copies/{number}.jpg") for number in range(3)]
    os.chmod(album.path("copies"), 0o555)
    before = album.tree()
    receipt = in_child(lambda: album.perform(album.plan(deed, *groups)), user=NOBODY)
    assert (receipt.done, receipt.action) == (0, None)
    assert {refusal.why for refusal in receipt.refused} == {"Permission denied"}
    assert album.tree() == before


@pytest.mark.parametrize("deed", [Deed.DELETE, Deed.HARDLINK])
@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL], ids=["EIO", "EINVAL"])
def test_what_goes_for_good_stays_where_the_kept_one_cannot_be_put_on_the_disk(
    album: Album, monkeypatch: pytest.MonkeyPatch, deed: Deed, number: int
) -> None:
    planned = album.plan(deed, *pairs(album, 3))
    before = album.tree()
    synced = []

    def fsync(descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}").encode()
        synced.append(path)
        if path == album.path("kept/1.jpg"):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    receipt = album.perform(planned)
    kept = [album.path(f"kept/{each}.jpg") for each in range(3)]
    assert {*kept, album.path("kept")} <= set(synced)
    if number == errno.EINVAL:  # a file system that nothing is written to
        assert (receipt.done, receipt.refused) == (3, ())
        return
    assert [(each.path, each.why) for each in receipt.refused] == [
        (album.path("copies/1.jpg"), "Input/output error")
    ]
    assert (receipt.done, at_home(album), unfinished(album)) == (2, 1, 0)
    assert album.tree()[b"copies/1.jpg"] == before[b"copies/1.jpg"]


def test_a_companion_that_turns_out_to_differ_keeps_its_photo(album: Album) -> None:
    groups = pairs(album, 2)
    album.put("kept/0.xmp", b"sidecar of one")
    album.put("copies/0.xmp", b"and of another")
    receipt = album.do(Deed.TRASH, *groups)
    assert [refusal.path for refusal in receipt.refused] == [album.path("copies/0.jpg")]
    assert receipt.refused[0].why == (
        "0.xmp belongs to it, and its bytes are not those of the kept one"
    )
    assert album.has("copies/0.jpg")
    assert album.has("copies/0.xmp")
    assert not album.has("copies/1.jpg")


# -- what is not allowed --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.SIMILAR, Kind.HASH])
@pytest.mark.parametrize("deed", DEEDS)
def test_what_only_looks_alike_is_never_acted_on(album: Album, deed: Deed, kind: Kind) -> None:
    album.put("kept.jpg", b"one")
    album.put("like.jpg", b"other")
    before = album.tree()
    with pytest.raises(UsageError, match="only looks alike"):
        album.do(deed, album.group("kept.jpg", "like.jpg", kind=kind, rule=Rule.LOOKS_ALIKE))
    assert album.tree() == before


@pytest.mark.parametrize("deed", [Deed.MOVE, Deed.DELETE, Deed.HARDLINK])
def test_photos_of_other_bytes_only_go_to_the_trash(album: Album, deed: Deed) -> None:
    album.put("kept.jpg", b"one")
    album.put("same.jpg", b"other")
    before = album.tree()
    with pytest.raises(UsageError, match="only go to the trash"):
        album.do(deed, album.group("kept.jpg", "same.jpg", kind=Kind.SAME, rule=Rule.PIXELS_AGREE))
    assert album.tree() == before


def test_files_that_are_moved_keep_mode_and_time(album: Album) -> None:
    album.put("kept.jpg", b"photo")
    album.put("copy.jpg", b"photo", mode=0o440, mtime_ns=-1)
    album.do(Deed.MOVE, album.group("kept.jpg", "copy.jpg"))
    status = os.stat(os.path.join(album.moved, b"copy.jpg"))
    assert (stat.S_IMODE(status.st_mode), status.st_mtime_ns) == (0o440, -1)


@pytest.mark.parametrize("deed", [Deed.TRASH, Deed.MOVE, Deed.DELETE])
@pytest.mark.parametrize("name", ["copies/a.xmp", "copies/a.CR2", "copies/a.jpg.json"])
def test_what_came_to_belong_to_a_copy_since_the_plan_keeps_it(
    album: Album, deed: Deed, name: str
) -> None:
    album.put_all(b"photo", "kept/a.jpg", "copies/a.jpg")
    planned = album.plan(deed, album.group("kept/a.jpg", "copies/a.jpg"))
    album.put(name, b"data")
    receipt = album.perform(planned)
    assert [refusal.why for refusal in receipt.refused] == [
        f"{os.path.basename(name)} belongs to it, and was not there before"
    ]
    assert album.has("copies/a.jpg")


def test_what_belonged_to_a_copy_and_stays_for_another_picture_keeps_nothing(
    album: Album,
) -> None:
    album.put_all(b"photo", "kept/a.jpg", "copies/a.jpg")
    album.put("copies/a.png", b"another")
    album.put("copies/a.xmp", b"data")
    receipt = album.do(Deed.TRASH, album.group("kept/a.jpg", "copies/a.jpg"))
    assert (receipt.done, receipt.refused) == (1, ())
    assert album.has("copies/a.xmp")
