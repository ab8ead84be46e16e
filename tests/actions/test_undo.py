"""What can be put back is; nothing is written over; what cannot be put back is said, and stays."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from catalog.actions import undo as undoing
from catalog.actions.undo import to_undo, undo
from catalog.errors import DiskFull, UsageError
from catalog.model import Action, Deed, Group, Receipt, Removal, State
from catalog.store.decisions import Decisions
from tests.actions.albums import Album, InterruptedAt

DEEDS = (Deed.TRASH, Deed.MOVE, Deed.DELETE, Deed.HARDLINK)
MOVING = (Deed.TRASH, Deed.MOVE)
COPYING = (Deed.DELETE, Deed.HARDLINK)
BEYOND_2262 = 2**63 + 1


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Album:
    return Album(tmp_path, monkeypatch)


@pytest.fixture
def pair(album: Album) -> Callable[[], Group]:
    album.put_all(b"photo", "kept/a.jpg", "copies/a.jpg")
    return lambda: album.group("kept/a.jpg", "copies/a.jpg")


def pairs(album: Album, count: int) -> list[Group]:
    groups = []
    for number in range(count):
        album.put_all(b"photo %d" % number, f"kept/{number}.jpg", f"copies/{number}.jpg")
        groups.append(album.group(f"kept/{number}.jpg", f"copies/{number}.jpg"))
    return groups


def history(album: Album) -> list[Action]:
    with album.decisions() as decisions:
        return decisions.history()


def refused(receipt: Receipt) -> str:
    """Why the only file was not put back."""
    assert receipt.done == 0
    (refusal,) = receipt.refused
    return refusal.why


# -- what is undone -------------------------------------------------------------------------------


@pytest.mark.parametrize("deed", DEEDS)
def test_everything_is_as_it_was(album: Album, deed: Deed) -> None:
    groups = pairs(album, 5)
    album.put_all(b"sidecar", "kept/0.xmp", "copies/0.xmp")
    before = album.tree()
    done = album.do(deed, *groups)
    assert album.tree() != before or deed is Deed.HARDLINK
    undone = album.undo()
    assert album.tree() == before
    assert (undone.deed, undone.action) == (deed, done.action)
    assert (undone.done, undone.companions) == (done.done, done.companions)
    assert (undone.refused, undone.interrupted, undone.stopped) == ((), False, "")
    assert album.path("copies") in undone.touched
    assert not os.path.samefile(album.path("kept/0.jpg"), album.path("copies/0.jpg"))


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("mtime_ns", [-1, 1, BEYOND_2262])
def test_a_time_before_1970_or_beyond_2262_comes_back(
    album: Album, deed: Deed, mtime_ns: int
) -> None:
    album.put("kept.jpg", b"photo")
    album.put("copy.jpg", b"photo", mtime_ns=mtime_ns)
    if os.stat(album.path("copy.jpg")).st_mtime_ns != mtime_ns:
        pytest.skip("the file system has no such times")
    album.do(deed, album.group("kept.jpg", "copy.jpg"))
    album.undo()
    assert os.stat(album.path("copy.jpg")).st_mtime_ns == mtime_ns


@pytest.mark.parametrize("deed", MOVING)
def test_mode_and_time_that_were_changed_where_it_was_put_come_back(
    album: Album, pair: Callable[[], Group], deed: Deed
) -> None:
    group = pair()
    before = album.tree()
    album.do(deed, group)
    (place,) = [
        os.path.join(folder, b"a.jpg")
        for folder in (album.trash, album.moved)
        if os.path.exists(os.path.join(folder, b"a.jpg"))
    ]
    os.chmod(place, 0o600)
    assert album.undo().done == 1
    assert album.tree() == before


@pytest.mark.parametrize("deed", DEEDS)
def test_a_folder_that_went_meanwhile_is_made_again(
    album: Album, pair: Callable[[], Group], deed: Deed
) -> None:
    album.do(deed, pair())
    if deed is Deed.HARDLINK:
        return  # its name is there, so its folder is
    os.rmdir(album.path("copies"))
    assert album.undo().done == 1
    assert album.read("copies/a.jpg") == b"photo"


@pytest.mark.parametrize("deed", DEEDS)
def test_nothing_is_made_where_a_drive_was_mounted(album: Album, deed: Deed) -> None:
    drive = album.path("drive")
    album.put_all(b"photo", "drive/DCIM/a.jpg", "kept/a.jpg")
    album.do(deed, album.group("kept/a.jpg", "drive/DCIM/a.jpg"))
    for folder in (drive, album.trash, album.moved):
        if os.path.isdir(folder):
            os.rename(folder, folder + b" away")
    os.mkdir(drive)
    refused(album.undo())
    assert os.listdir(drive) == []
    for folder in (drive, album.trash, album.moved):
        if os.path.isdir(folder + b" away"):
            os.rename(folder + b" away", folder)
    assert album.undo().done == 1
    assert album.read("drive/DCIM/a.jpg") == b"photo"


@pytest.mark.parametrize("deed", DEEDS)
def test_the_kept_file_is_never_touched(
    album: Album, pair: Callable[[], Group], deed: Deed
) -> None:
    group = pair()
    before = os.stat(album.path("kept/a.jpg"))
    album.do(deed, group)
    album.undo()
    after = os.stat(album.path("kept/a.jpg"))
    assert (before.st_ino, before.st_mtime_ns, before.st_mode, before.st_nlink) == (
        after.st_ino,
        after.st_mtime_ns,
        after.st_mode,
        after.st_nlink,
    )


@pytest.mark.parametrize("deed", MOVING)
def test_what_was_moved_is_the_same_file_again_with_all_its_names(
    album: Album, pair: Callable[[], Group], deed: Deed
) -> None:
    group = pair()
    album.link("again.jpg", "copies/a.jpg")
    album.do(deed, group)
    album.undo()
    assert os.path.samefile(album.path("copies/a.jpg"), album.path("again.jpg"))


def test_the_trash_forgets_what_was_put_back(album: Album, pair: Callable[[], Group]) -> None:
    album.do(Deed.TRASH, pair())
    info = os.path.join(os.path.dirname(album.trash), b"info")
    assert os.listdir(info) == [b"a.jpg.trashinfo"]
    album.undo()
    assert os.listdir(info) == os.listdir(album.trash) == []


# -- which action ---------------------------------------------------------------------------------


def test_nothing_was_done_yet(album: Album) -> None:
    with pytest.raises(UsageError, match="nothing was done yet"):
        album.undo()


@pytest.mark.parametrize("deed", DEEDS)
def test_what_was_undone_is_not_undone_again(
    album: Album, pair: Callable[[], Group], deed: Deed
) -> None:
    done = album.do(deed, pair())
    album.undo()
    before = album.tree()
    (action,) = history(album)
    assert (action.undone, action.states) == (True, {State.UNDONE: 1})
    with pytest.raises(UsageError, match="nothing is left to undo"):
        album.undo()
    with pytest.raises(UsageError, match=f"nothing of action {done.action} is left to undo"):
        album.undo(done.action)
    assert album.tree() == before


@pytest.mark.parametrize("deed", DEEDS)
def test_an_action_that_was_looked_up_before_it_was_undone_finds_nothing_to_do(
    album: Album, pair: Callable[[], Group], deed: Deed
) -> None:
    album.do(deed, pair())
    with album.decisions() as decisions:
        action = to_undo(decisions)
        undo(decisions, action)
        before = album.tree()
        second = undo(decisions, action)
    assert (second.done, second.refused) == (0, ())
    assert album.tree() == before


def test_the_last_that_is_not_undone_is_undone_first(album: Album) -> None:
    first, second = (album.do(Deed.TRASH, group).action for group in pairs(album, 2))
    assert album.undo().action == second
    assert album.undo().action == first


def test_one_of_several_is_undone_by_its_number(album: Album) -> None:
    first, _ = (album.do(Deed.TRASH, group).action for group in pairs(album, 2))
    assert album.undo(first).action == first
    assert album.has("copies/0.jpg")
    assert not album.has("copies/1.jpg")


def test_a_number_that_no_action_has(album: Album, pair: Callable[[], Group]) -> None:
    album.do(Deed.TRASH, pair())
    with pytest.raises(UsageError, match="there is no action 7"):
        album.undo(7)


def test_what_was_undone_can_be_done_again(album: Album, pair: Callable[[], Group]) -> None:
    group = pair()
    for _ in range(3):
        assert album.do(Deed.TRASH, group).done == 1
        assert album.undo().done == 1
    assert [action.undone for action in history(album)] == [True] * 3


# -- what cannot be put back ----------------------------------------------------------------------


@pytest.mark.parametrize("deed", [Deed.TRASH, Deed.MOVE, Deed.DELETE])
def test_what_has_its_name_now_is_not_written_over(
    album: Album, pair: Callable[[], Group], deed: Deed
) -> None:
    album.do(deed, pair())
    album.put("copies/a.jpg", b"new photo")
    assert "has its name now" in refused(album.undo())
    assert album.read("copies/a.jpg") == b"new photo"
    os.unlink(album.path("copies/a.jpg"))
    assert album.undo().done == 1, "asked again, once the way is free"
    assert album.read("copies/a.jpg") == b"photo"


@pytest.mark.parametrize("deed", [Deed.TRASH, Deed.MOVE, Deed.DELETE])
@pytest.mark.parametrize("what", ["link", "folder"])
def test_a_link_or_a_folder_that_has_its_name_now_is_left_alone(
    album: Album, pair: Callable[[], Group], deed: Deed, what: str
) -> None:
    album.do(deed, pair())
    if what == "link":
        os.symlink("../kept/a.jpg", album.path("copies/a.jpg"))
    else:
        os.mkdir(album.path("copies/a.jpg"))
    before = os.lstat(album.path("copies/a.jpg")).st_ino
    assert refused(album.undo())
    assert os.lstat(album.path("copies/a.jpg")).st_ino == before


def test_of_a_trash_that_was_emptied_nothing_comes_back(
    album: Album, pair: Callable[[], Group]
) -> None:
    album.do(Deed.TRASH, pair())
    os.unlink(os.path.join(album.trash, b"a.jpg"))
    assert "it is not where it was put any more" in refused(album.undo())
    assert not album.has("copies/a.jpg")


def test_what_the_desktop_restored_counts_as_put_back(
    album: Album, pair: Callable[[], Group]
) -> None:
    album.do(Deed.TRASH, pair())
    os.rename(os.path.join(album.trash, b"a.jpg"), album.path("copies/a.jpg"))
    assert album.undo().done == 1
    assert history(album)[0].undone


@pytest.mark.parametrize("deed", MOVING)
@pytest.mark.parametrize("restored", [False, True])
def test_a_file_whose_number_changed_is_told_by_its_bytes(
    album: Album, pair: Callable[[], Group], deed: Deed, restored: bool
) -> None:
    """As on a camera card that was taken out and put in again."""
    group = pair()
    before = album.tree()
    album.do(deed, group)
    place = os.path.join(album.trash if deed is Deed.TRASH else album.moved, b"a.jpg")
    album.put(b"new", b"photo", mode=0o644, mtime_ns=1)
    if restored:
        os.unlink(place)
    os.rename(album.path(b"new"), album.path("copies/a.jpg") if restored else place)
    assert album.undo().done == 1
    assert album.tree() == before


@pytest.mark.parametrize("deed", MOVING)
@pytest.mark.parametrize("how", ["edited", "replaced"])
def test_what_was_changed_where_it_was_put_stays_there(
    album: Album, pair: Callable[[], Group], deed: Deed, how: str
) -> None:
    album.do(deed, pair())
    place = os.path.join(album.trash if deed is Deed.TRASH else album.moved, b"a.jpg")
    if how == "edited":
        album.put(place, b"longer than before")
    else:
        album.put(b"new", b"PHOTO", mtime_ns=os.stat(place).st_mtime_ns)
        os.rename(album.path(b"new"), place)
    content = album.read(place)
    assert "is another file now, or was changed" in refused(album.undo())
    assert album.read(place) == content
    assert not album.has("copies/a.jpg")


def rewritten(album: Album, name: str) -> None:
    """In place, of the same size, its time of modification as before."""
    mtime_ns = os.stat(album.path(name)).st_mtime_ns
    with open(album.path(name), "r+b") as file:
        file.write(b"PHOTO")
    os.utime(album.path(name), ns=(mtime_ns, mtime_ns))


def gone(album: Album, name: str) -> None:
    os.unlink(album.path(name))


def a_link_now(album: Album, name: str) -> None:
    album.put("elsewhere.jpg", b"photo")
    os.unlink(album.path(name))
    os.symlink(album.path("elsewhere.jpg"), album.path(name))


@pytest.mark.parametrize("deed", COPYING)
def test_half_a_copy_of_what_changes_meanwhile_is_none(
    album: Album, pair: Callable[[], Group], deed: Deed, monkeypatch: pytest.MonkeyPatch
) -> None:
    album.do(deed, pair())
    copied = undoing.copy_exclusive

    def while_somebody_writes(source: int, *arguments: Any, **options: Any) -> Any:
        made = copied(source, *arguments, **options)
        with open(album.path("kept/a.jpg"), "r+b") as file:
            file.write(b"PHOTO")
        return made

    monkeypatch.setattr(undoing, "copy_exclusive", while_somebody_writes)
    before = sorted(os.listdir(album.path("copies")))
    assert "changed while it was copied" in refused(album.undo())
    assert sorted(os.listdir(album.path("copies"))) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (rewritten, "the kept one has other bytes now"),
        (gone, "the kept one is gone"),
        (a_link_now, "the kept one is not a file any more"),
    ],
    ids=["rewritten", "gone", "a link"],
)
def test_what_was_deleted_does_not_come_back_from_a_kept_one_that_changed(
    album: Album,
    pair: Callable[[], Group],
    change: Callable[[Album, str], None],
    words: str,
) -> None:
    album.do(Deed.DELETE, pair())
    change(album, "kept/a.jpg")
    assert refused(album.undo()) == words
    assert os.listdir(album.path("copies")) == []
    assert not history(album)[0].undone


def test_a_link_of_which_one_name_was_edited_in_place_stays_one(
    album: Album, pair: Callable[[], Group]
) -> None:
    album.do(Deed.HARDLINK, pair())
    rewritten(album, "kept/a.jpg")
    assert refused(album.undo()) == "it has other bytes now"
    assert os.path.samefile(album.path("kept/a.jpg"), album.path("copies/a.jpg"))
    assert album.read("copies/a.jpg") == b"PHOTO"


def test_a_link_of_which_the_other_name_was_saved_anew_is_a_file_of_its_own(
    album: Album, pair: Callable[[], Group]
) -> None:
    group = pair()
    os.utime(album.path("copies/a.jpg"), ns=(1, 1))
    group = album.group("kept/a.jpg", "copies/a.jpg")
    album.do(Deed.HARDLINK, group)
    album.put("new", b"edited")
    os.rename(album.path("new"), album.path("kept/a.jpg"))  # as most programs save
    assert album.undo().done == 1
    assert album.read("copies/a.jpg") == b"photo"
    assert os.stat(album.path("copies/a.jpg")).st_mtime_ns == 1
    assert album.read("kept/a.jpg") == b"edited"


def test_a_link_that_was_saved_anew_is_not_written_over(
    album: Album, pair: Callable[[], Group]
) -> None:
    album.do(Deed.HARDLINK, pair())
    album.put("new", b"edited")
    os.rename(album.path("new"), album.path("copies/a.jpg"))
    assert refused(album.undo()) == "it has other bytes now"
    assert album.read("copies/a.jpg") == b"edited"


@pytest.mark.parametrize("deed", DEEDS)
def test_what_cannot_be_put_back_does_not_keep_the_rest(album: Album, deed: Deed) -> None:
    album.do(deed, *pairs(album, 3))
    if deed.takes_away:
        album.put("copies/1.jpg", b"another")
    else:
        rewritten(album, "copies/1.jpg")
    undone = album.undo()
    assert (undone.done, len(undone.refused)) == (2, 1)
    assert undone.refused[0].path == album.path("copies/1.jpg")
    (action,) = history(album)
    assert (action.undone, action.states) == (False, {State.DONE: 1, State.UNDONE: 2})


# -- interrupted ----------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("deed", DEEDS)
def test_an_interrupted_undo_goes_on_when_asked_again(
    album: Album, monkeypatch: pytest.MonkeyPatch, deed: Deed, at: int
) -> None:
    monkeypatch.setattr(undoing, "_FILES_AT_ONCE", 2)
    groups = pairs(album, 5)
    before = album.tree()
    album.do(deed, *groups)
    first = album.undo(progress=InterruptedAt(at))
    assert (first.interrupted, first.done) == (True, at)
    assert history(album)[0].states.get(State.UNDONE) == at
    if at < 5:
        assert album.undo().done == 5 - at
    assert album.tree() == before
    assert history(album)[0].undone


class Stop(BaseException):
    """Ends what goes on at any step: nothing in the code catches it."""


def ending_after(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, number: int) -> None:
    """The process ends right after this call of a function."""
    real: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        answer = real(*arguments, **options)
        calls += 1
        if calls == number:
            raise Stop
        return answer

    monkeypatch.setattr(owner, name, counted)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("deed", "step"),
    [
        (Deed.TRASH, "rename_exclusive"),
        (Deed.MOVE, "rename_exclusive"),
        (Deed.DELETE, "copy_exclusive"),
        (Deed.HARDLINK, "copy_exclusive"),
        (Deed.HARDLINK, "exchange"),
    ],
)
def test_an_undo_that_was_cut_off_between_two_steps_goes_on_when_asked_again(
    album: Album, monkeypatch: pytest.MonkeyPatch, deed: Deed, step: str, number: int
) -> None:
    groups = pairs(album, 4)
    before = album.tree()
    album.do(deed, *groups)
    with monkeypatch.context() as patch:
        ending_after(patch, undoing, step, number)
        with pytest.raises(Stop):
            album.undo()
    undone = album.undo()
    assert undone.refused == ()
    assert album.tree() == before
    assert history(album)[0].undone
    assert os.listdir(album.trash) == [] if deed is Deed.TRASH else True


@pytest.mark.parametrize("deed", DEEDS)
def test_a_journal_that_cannot_be_written_loses_nothing_and_it_is_undone_later(
    album: Album, monkeypatch: pytest.MonkeyPatch, deed: Deed
) -> None:
    monkeypatch.setattr(undoing, "_FILES_AT_ONCE", 2)
    groups = pairs(album, 5)
    before = album.tree()
    album.do(deed, *groups)

    def full(decisions: Decisions, removals: Sequence[int], state: State) -> None:
        raise DiskFull("no room left on the disk of the journal")

    with monkeypatch.context() as patch:
        patch.setattr(Decisions, "settle", full)
        stopped = album.undo()
    assert (stopped.stopped, stopped.done) == ("no room left on the disk of the journal", 2)
    undone = album.undo()
    assert (undone.done, undone.refused) == (5, ())
    assert album.tree() == before


def test_rows_of_an_undone_action_stay_as_its_history(album: Album) -> None:
    done = album.do(Deed.DELETE, *pairs(album, 2))
    album.undo()
    assert done.action is not None
    with album.decisions() as decisions:
        removals: list[Removal] = decisions.removals(done.action, State.UNDONE)
    assert [removal.path for removal in removals] == [
        album.path("copies/0.jpg"),
        album.path("copies/1.jpg"),
    ]


def test_what_the_disk_does_not_promise_stays_to_be_undone_again(
    album: Album, pair: Callable[[], Group], monkeypatch: pytest.MonkeyPatch
) -> None:
    album.do(Deed.TRASH, pair())
    synced = undoing.sync_folders

    def failing(folders: Sequence[bytes]) -> None:
        if album.path("copies") in folders:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        synced(folders)

    monkeypatch.setattr(undoing, "sync_folders", failing)
    assert "the disk does not promise" in refused(album.undo())
    assert album.has("copies/a.jpg")
    assert not history(album)[0].undone
    monkeypatch.setattr(undoing, "sync_folders", synced)
    assert album.undo().done == 1
    assert history(album)[0].undone
