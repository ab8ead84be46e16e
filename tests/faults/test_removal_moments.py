"""R1, R2, R4, R5, R7: what another program does between two steps of a removal costs no content.

Each test stands for one guard, and fails where that guard is taken away.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.actions import moving, perform, proving, returning, trash, undo, ways
from catalog.actions.returning import recover
from catalog.errors import Busy
from catalog.model import (
    ActionPlan,
    Deed,
    Kind,
    Match,
    Planned,
    PlannedGroup,
    Receipt,
    State,
)
from catalog.store import locks
from catalog.store.decisions import Decisions, decisions_file, open_decisions
from catalog.store.locks import removal_lock
from tests.faults.removing import Album, Child, album, contents_below, found_below, photo_at

__all__ = ["album"]

TAKING = [Deed.TRASH, Deed.MOVE, Deed.DELETE]
DEEDS = [*TAKING, Deed.HARDLINK]
OTHER = b"what another program wrote"


@pytest.fixture
def album_of_one(album: Album) -> Album:
    album.count = 1
    album.with_companion = frozenset()
    album.begin()
    return album


class Meanwhile:
    """Has something happen once, right before or right after a function is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.happened = 0

    def before(
        self, place: object, name: str, event: Callable[[], object], *, nth: int = 1
    ) -> None:
        self._patch_in(place, name, event, nth, first=True)

    def after(self, place: object, name: str, event: Callable[[], object], *, nth: int = 1) -> None:
        self._patch_in(place, name, event, nth, first=False)

    def _patch_in(
        self, place: object, name: str, event: Callable[[], object], nth: int, *, first: bool
    ) -> None:
        real = getattr(place, name)
        calls = 0

        def function(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == nth and first:
                self.happened += 1
                event()
            answer = real(*arguments, **options)
            if calls == nth and not first:
                self.happened += 1
                event()
            return answer

        self._patch.setattr(place, name, function)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Iterator[Meanwhile]:
    found = Meanwhile(monkeypatch)
    yield found
    assert found.happened, "it never came to that"


def flip(path: bytes) -> None:
    """One byte, in place, and the time as it was."""
    status = os.lstat(path)
    with open(path, "r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace(path: bytes, data: bytes = OTHER) -> None:
    new = path + b".new"
    Path(os.fsdecode(new)).write_bytes(data)
    os.rename(new, path)


def data_of(path: bytes) -> bytes:
    return Path(os.fsdecode(path)).read_bytes()


def refused(receipt: Receipt, why: str) -> None:
    assert (receipt.done, receipt.companions, len(receipt.refused)) == (0, 0, 1), receipt
    assert why in receipt.refused[0].why, receipt


def as_it_is(album: Album) -> dict[bytes, bytes]:
    """Every file of all, with its bytes: hidden names, the trash and its notes as well."""
    tops = (album.home, album.trash, album.moved)
    return {path: data_of(path) for top in tops for path in found_below(top)}


def unproved_plan(album: Album, deed: Deed, keep: bytes, copy: bytes) -> ActionPlan:
    """A plan that says to take ``copy``, whatever a planner would say of it."""
    match = Match(photo_at(copy), Kind.IDENTICAL, 0, 1.0)
    group = PlannedGroup(photo_at(keep), "first", (Planned(match),))
    return ActionPlan(album.order(deed), (group,), 0)


# -- what is compared --------------------------------------------------------------------------


@pytest.mark.parametrize("deed", DEEDS)
def test_r1_a_copy_of_which_a_byte_is_flipped_after_the_plan_stays_though_its_time_is_as_before(
    album_of_one: Album, deed: Deed
) -> None:
    album = album_of_one
    planned = album.plan(deed)
    flip(album.b(1))
    before = as_it_is(album)
    refused(album.perform(planned), "its bytes are not those of the kept one")
    assert as_it_is(album) == before


@pytest.mark.parametrize(
    ("deed", "whose"),
    # Links to the kept file change its ctime, which alone would tell.
    [*[(deed, "copy") for deed in DEEDS], *[(deed, "kept") for deed in TAKING]],
)
def test_r1_a_byte_that_is_flipped_after_the_comparison_keeps_the_copy_at_home(
    album_of_one: Album, deed: Deed, whose: str, meanwhile: Meanwhile
) -> None:
    album = album_of_one
    path = album.b(1) if whose == "copy" else album.a(1)
    meanwhile.before(Decisions, "intend", lambda: flip(path))
    refused(album.act(deed), "changed")
    assert contents_below(album.home).total() == 2
    assert not found_below(album.trash)


@pytest.mark.parametrize("whose", ["copy", "kept"])
def test_r1_a_file_that_changes_while_it_is_compared_is_left_alone(
    album_of_one: Album, whose: str, meanwhile: Meanwhile
) -> None:
    album = album_of_one
    path = album.b(1) if whose == "copy" else album.a(1)
    meanwhile.before(proving, "_read", lambda: flip(path), nth=3)  # all is read but the end
    refused(album.act(Deed.DELETE), "changed while it was compared")
    assert len(found_below(album.home)) == 2


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("whose", ["copy", "kept"])
def test_r1_a_file_that_another_program_has_open_for_writing_is_left_alone(
    album_of_one: Album, deed: Deed, whose: str
) -> None:
    album = album_of_one
    before = as_it_is(album)
    with writer_of(album.b(1) if whose == "copy" else album.a(1)):
        refused(album.act(deed), "open for writing")
    assert as_it_is(album) == before


@contextlib.contextmanager
def writer_of(path: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """Another program that has the file open, and writes at its end once it hears a line."""
    code = (
        "import os, sys\n"
        "file = os.open(os.fsencode(sys.argv[1]), os.O_WRONLY | os.O_APPEND)\n"
        "print('open', flush=True)\n"
        "if sys.stdin.readline(): os.write(file, b'more')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, os.fsdecode(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"open\n"
        try:
            yield program
        finally:
            program.communicate()


@pytest.mark.parametrize("deed", [Deed.DELETE, Deed.HARDLINK])
def test_r4_what_a_program_still_writes_to_a_copy_that_was_moved_aside_is_not_lost(
    album_of_one: Album, deed: Deed, meanwhile: Meanwhile
) -> None:
    album = album_of_one
    with contextlib.ExitStack() as stack:
        programs: list[subprocess.Popen[bytes]] = []
        # Opened after it was compared, and closed long after it would have been unlinked.
        meanwhile.before(
            Decisions, "intend", lambda: programs.append(stack.enter_context(writer_of(album.b(1))))
        )
        refused(album.act(deed), "open for writing")
        programs[0].communicate(b"now\n")
    assert data_of(album.b(1)) == data_of(album.a(1)) + b"more"


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("whose", ["copy", "kept"])
@pytest.mark.parametrize("target", ["each-other", "third"])
def test_r1_a_link_put_in_the_place_of_a_file_after_the_plan_is_no_file(
    album_of_one: Album, deed: Deed, whose: str, target: str
) -> None:
    album = album_of_one
    path, other = album.b(1), album.a(1)
    if whose == "kept":
        path, other = other, path
    planned = album.plan(deed)
    if target == "third":
        other = album.put(os.fsencode(album.home / "third.jpg"), data_of(path))
    os.unlink(path)
    os.symlink(other, path)
    refused(album.perform(planned), "is not a file any more")
    assert os.path.islink(path)
    assert os.path.exists(path)
    assert not found_below(album.trash)


@pytest.mark.parametrize("deed", DEEDS)
def test_r3_a_plan_that_takes_another_name_of_the_kept_file_is_refused(
    album_of_one: Album, deed: Deed
) -> None:
    album = album_of_one
    link = os.fsencode(album.home / "b" / "link.jpg")
    os.link(album.a(1), link)
    before = as_it_is(album)
    planned = unproved_plan(album, deed, album.a(1), link)
    refused(album.perform(planned), "another name of the kept file")
    assert as_it_is(album) == before


@pytest.mark.parametrize("deed", DEEDS)
def test_r7_empty_files_are_no_duplicates(album_of_one: Album, deed: Deed) -> None:
    album = album_of_one
    names = [album.put(os.fsencode(album.home / name), b"") for name in ("1.jpg", "2.jpg")]
    refused(album.perform(unproved_plan(album, deed, *names)), "it is empty")
    assert all(map(os.path.exists, names))


# -- between the look and the move ---------------------------------------------------------------


@pytest.mark.parametrize("deed", DEEDS)
def test_r2_a_kept_photo_that_goes_right_before_the_move_has_the_copy_brought_home(
    album_of_one: Album, deed: Deed, meanwhile: Meanwhile
) -> None:
    album = album_of_one
    name = "exchange" if deed is Deed.HARDLINK else "rename_exclusive"
    meanwhile.before(ways, name, lambda: os.unlink(album.a(1)))
    receipt = album.act(deed)
    refused(receipt, "the kept one changed or went")
    recover(album.catalog)
    assert found_below(album.home)[album.b(1)].content == album.before[album.b(1)].content
    assert not found_below(album.trash)


@pytest.mark.parametrize(
    ("deed", "how"),
    [
        (Deed.DELETE, os.unlink),
        (Deed.DELETE, replace),
        (Deed.DELETE, flip),
        (Deed.HARDLINK, os.unlink),
        (Deed.HARDLINK, replace),
    ],
)
def test_r2_a_kept_photo_that_goes_right_before_the_end_has_the_copy_brought_home(
    album_of_one: Album, deed: Deed, how: Callable[[bytes], None], meanwhile: Meanwhile
) -> None:
    album = album_of_one
    meanwhile.after(Decisions, "settle", lambda: how(album.a(1)))  # that it is aside
    refused(album.act(deed), "the kept one changed or went")
    assert found_below(album.home)[album.b(1)].content == album.before[album.b(1)].content


@pytest.mark.parametrize("deed", DEEDS)
def test_r4_another_file_that_took_the_name_of_the_copy_right_before_the_move_is_put_back(
    album_of_one: Album, deed: Deed, meanwhile: Meanwhile
) -> None:
    album = album_of_one
    name = "exchange" if deed is Deed.HARDLINK else "rename_exclusive"
    meanwhile.before(ways, name, lambda: replace(album.b(1)))
    refused(album.act(deed), "another file had taken its place")
    assert data_of(album.b(1)) == OTHER
    assert len(found_below(album.home)) == 2
    assert not found_below(album.trash)
    assert not found_below(album.moved)
    assert not recover(album.catalog)


def test_r6_a_kept_photo_that_is_replaced_right_before_the_link_is_not_linked_to(
    album_of_one: Album, meanwhile: Meanwhile
) -> None:
    album = album_of_one
    meanwhile.before(ways.os, "link", lambda: replace(album.a(1)))
    refused(album.act(Deed.HARDLINK), "the kept one changed or went")
    recover(album.catalog)
    assert data_of(album.a(1)) == OTHER
    assert found_below(album.home)[album.b(1)] == album.before[album.b(1)]


@pytest.mark.parametrize("at", ["the link", "the end"])
def test_r6_a_kept_photo_that_is_written_to_is_no_copy_though_its_time_is_as_before(
    album_of_one: Album, meanwhile: Meanwhile, at: str
) -> None:
    """By who sets the time of modification back, as programs do that write tags."""
    album = album_of_one
    step = (ways, "_check_attributes") if at == "the link" else (proving.Proof, "check_unwritten")
    meanwhile.before(*step, lambda: flip(album.a(1)))
    refused(album.act(Deed.HARDLINK), "the kept one changed or went")
    assert found_below(album.home)[album.b(1)] == album.before[album.b(1)]


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="needs extended attributes")
@pytest.mark.parametrize("deed", [Deed.HARDLINK, Deed.DELETE])
def test_r6_a_copy_with_attributes_of_its_own_stays(album_of_one: Album, deed: Deed) -> None:
    album = album_of_one
    try:
        os.setxattr(album.b(1), "user.rating", b"5")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error.strerror}")
    refused(album.act(deed), "attributes")
    assert os.getxattr(album.b(1), "user.rating") == b"5"
    assert found_below(album.home) == album.before


def test_r6_a_file_that_took_the_name_of_a_link_before_its_end_is_not_unlinked(
    album_of_one: Album, meanwhile: Meanwhile
) -> None:
    album = album_of_one
    meanwhile.after(Decisions, "settle", lambda: replace(album.b(1)))
    receipt = album.act(Deed.HARDLINK)
    refused(receipt, "another file took its name; it is kept as")
    assert data_of(album.b(1)) == OTHER
    assert recover(album.catalog).left  # and so it is said again
    assert data_of(album.b(1)) == OTHER
    assert list(as_it_is(album).values()).count(data_of(album.a(1))) == 2


@pytest.mark.parametrize("deed", [Deed.DELETE, Deed.HARDLINK])
def test_r4_a_file_that_took_the_place_aside_before_the_end_is_not_unlinked(
    album_of_one: Album, deed: Deed, meanwhile: Meanwhile
) -> None:
    album = album_of_one

    def take_the_place() -> None:
        (place,) = [path for path in found_below(album.home) if b".imgcat-" in path]
        os.rename(place, place + b".jpg")
        album.put(place, OTHER)

    meanwhile.after(Decisions, "settle", take_the_place)
    receipt = album.act(deed)
    assert not receipt.done
    recover(album.catalog)
    everything = list(as_it_is(album).values())
    assert OTHER in everything
    assert everything.count(data_of(album.a(1))) >= 2


@pytest.mark.parametrize("deed", TAKING)
def test_r4_what_came_to_the_place_meanwhile_is_not_written_over(
    album_of_one: Album, deed: Deed, meanwhile: Meanwhile
) -> None:
    album = album_of_one
    planned = album.plan(deed)
    places: list[bytes] = []

    def take_the_place() -> None:
        places.append(album.rows()[-1][1])
        album.put(places[0], OTHER)

    meanwhile.before(ways, "rename_exclusive", take_the_place)
    assert album.perform(planned).done == 1
    assert data_of(places[0]) == OTHER


@pytest.mark.parametrize("deed", TAKING)
def test_r7_what_came_to_its_name_meanwhile_is_not_written_over_when_it_is_brought_home(
    album_of_one: Album, deed: Deed, meanwhile: Meanwhile
) -> None:
    album = album_of_one
    data = data_of(album.b(1))
    meanwhile.after(ways, "rename_exclusive", lambda: os.unlink(album.a(1)))
    meanwhile.before(returning, "rename_exclusive", lambda: album.put(album.b(1), OTHER))
    album.act(deed)
    recover(album.catalog)
    assert data_of(album.b(1)) == OTHER
    assert data in as_it_is(album).values()


@pytest.mark.parametrize("deed", DEEDS)
def test_r4_the_journal_has_the_row_before_anything_moves(
    album_of_one: Album, deed: Deed, meanwhile: Meanwhile
) -> None:
    album = album_of_one
    seen: list[Any] = []
    name = "exchange" if deed is Deed.HARDLINK else "rename_exclusive"
    meanwhile.before(ways, name, lambda: seen.extend(album.rows()))
    assert album.act(deed).done == 1
    ((path, place, keeper, _, state),) = seen
    assert (path, keeper, state) == (album.b(1), album.a(1), State.INTENDED)
    assert place != path


@pytest.mark.parametrize("deed", DEEDS)
def test_r4_no_row_is_done_before_the_folders_are_on_the_disk(
    album_of_one: Album, deed: Deed, meanwhile: Meanwhile
) -> None:
    album = album_of_one
    states: list[str] = []
    synced: list[bytes] = []
    real = perform.sync_folders
    meanwhile.before(perform, "sync_folders", lambda: states.append(album.rows()[-1][4]))
    del real, synced
    assert album.act(deed).done == 1
    assert states == [State.INTENDED]


@pytest.mark.parametrize("deed", DEEDS)
def test_r2_nothing_is_taken_while_another_action_goes_on(
    album_of_one: Album, deed: Deed, monkeypatch: pytest.MonkeyPatch
) -> None:
    album = album_of_one
    monkeypatch.setattr(locks, "PATIENCE", 0.1)
    before = as_it_is(album)
    with removal_lock().hold(), pytest.raises(Busy):
        album.act(deed)
    assert as_it_is(album) == before
    assert album.act(deed).done == 1
    with removal_lock().hold(), pytest.raises(Busy):
        album.undo()


def test_r2_one_catalog_has_one_action_also_where_users_have_their_own_locks(
    album_of_one: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    album = album_of_one
    monkeypatch.setattr(locks, "PATIENCE", 0.1)
    with locks.Locks(album.catalog).removing():
        monkeypatch.setenv("XDG_STATE_HOME", str(album.place / "of another"))
        with pytest.raises(Busy):
            album.act(Deed.TRASH)
    assert album.act(Deed.TRASH).done == 1


def test_r2_recovering_leaves_an_action_alone_that_goes_on(
    album_of_one: Album, meanwhile: Meanwhile
) -> None:
    album = album_of_one
    found: list[Any] = []
    meanwhile.after(ways, "rename_exclusive", lambda: found.append(recover(album.catalog)))
    assert album.act(Deed.TRASH).done == 1
    assert not found[0]


# -- companions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("deed", TAKING)
def test_r7_a_photo_comes_back_where_its_companion_cannot_go(
    album: Album, deed: Deed, meanwhile: Meanwhile
) -> None:
    album.count = 1
    album.with_companion = frozenset({1})
    album.begin()
    companion = os.path.splitext(album.b(1))[0] + b".xmp"
    meanwhile.before(ways, "rename_exclusive", lambda: replace(companion), nth=2)
    refused(album.act(deed), "another file had taken its place")
    home = found_below(album.home)
    assert home[album.b(1)] == album.before[album.b(1)]
    assert data_of(companion) == OTHER
    assert not found_below(album.trash)
    assert not found_below(album.moved)


# -- the trash -----------------------------------------------------------------------------------


def test_r5_the_note_of_another_program_in_the_trash_is_left_alone(
    album_of_one: Album, meanwhile: Meanwhile
) -> None:
    album = album_of_one
    note = b"[Trash Info]\nPath=/of/another.jpg\nDeletionDate=2020-01-01T00:00:00\n"
    places: list[bytes] = []

    def take_the_place() -> None:
        places.append(trash.info_of(album.rows()[-1][1]))
        album.put(places[0], note)

    meanwhile.after(Decisions, "intend", take_the_place)
    assert album.act(Deed.TRASH).done == 1
    assert data_of(places[0]) == note
    assert album.undo().done == 1
    assert data_of(places[0]) == note


# -- undoing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("deed", DEEDS)
def test_r7_what_is_saved_under_the_name_while_it_is_put_back_is_not_lost(
    album_of_one: Album, deed: Deed, meanwhile: Meanwhile
) -> None:
    album = album_of_one
    assert album.act(deed).done == 1
    if deed is Deed.DELETE:
        meanwhile.before(moving.os, "link", lambda: album.put(album.b(1), OTHER))
    elif deed is Deed.HARDLINK:
        meanwhile.before(undo, "exchange", lambda: replace(album.b(1)))
    else:
        meanwhile.before(undo, "rename_exclusive", lambda: album.put(album.b(1), OTHER))
    receipt = album.undo()
    assert len(receipt.refused) == 1
    assert data_of(album.b(1)) == OTHER
    assert not [path for path in found_below(album.home) if b".imgcat-" in path]


def test_r7_a_kept_photo_that_changes_while_it_is_read_is_not_put_back_for_another(
    album_of_one: Album, meanwhile: Meanwhile
) -> None:
    album = album_of_one
    assert album.act(Deed.DELETE).done == 1
    meanwhile.before(proving, "_read", lambda: flip(album.a(1)), nth=2)  # all is read but the end
    assert len(album.undo().refused) == 1
    assert not os.path.exists(album.b(1))


def test_r7_undoing_a_link_leaves_alone_what_another_action_has_put_aside_beside_it(
    album_of_one: Album,
) -> None:
    album = album_of_one
    assert album.act(Deed.HARDLINK).done == 1
    place = album.rows()[-1][1]
    album.put(place, OTHER)  # that of another catalog, whose process was killed, for one
    album.undo()
    assert data_of(place) == OTHER


def test_r7_recovering_a_link_leaves_alone_what_another_action_has_put_aside_beside_it(
    album_of_one: Album, meanwhile: Meanwhile
) -> None:
    album = album_of_one
    place: list[bytes] = []

    def die() -> None:
        place.append(album.rows()[-1][1])
        raise SystemExit

    meanwhile.before(ways, "exchange", die)
    with open_decisions(album.catalog) as decisions, pytest.raises(SystemExit):
        perform.perform(album.plan(Deed.HARDLINK), decisions)
    with open_decisions(album.catalog) as decisions:
        decisions.settle([1], State.INTENDED)  # as if the process had died before the link
    os.link(album.put(os.fsencode(album.home / "c.jpg"), OTHER), place[0])
    recover(album.catalog)
    assert data_of(place[0]) == OTHER


# -- after a crash -------------------------------------------------------------------------------


def killed_around_the_move(album: Album, deed: Deed, *, moved: bool) -> bytes:
    """Have a process die right before or right after its first move; returns the place."""
    name = "exchange" if deed is Deed.HARDLINK else "rename_exclusive"
    real = getattr(ways, name)

    def dying(source: bytes, target: bytes) -> None:
        if moved:
            real(source, target)
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ways, name, dying)
        child = Child(lambda: album.act(deed))
        child.go()
        assert child.ended().killed
    return album.rows()[-1][1]


def states(album: Album) -> list[str]:
    return [row[4] for row in album.rows()]


@pytest.mark.parametrize("deed", TAKING)
def test_r4_a_move_by_link_and_unlink_that_was_cut_off_between_the_two_is_taken_back(
    album_of_one: Album, deed: Deed
) -> None:
    album = album_of_one
    place = killed_around_the_move(album, deed, moved=False)
    os.link(album.b(1), place)
    assert recover(album.catalog).returned == 1
    assert found_below(album.home) == album.before
    assert not os.path.lexists(place)


@pytest.mark.parametrize("deed", TAKING)
def test_r9_what_is_on_a_drive_that_was_unplugged_is_not_gone(
    album_of_one: Album, deed: Deed
) -> None:
    album = album_of_one
    killed_around_the_move(album, deed, moved=True)
    aside = album.place / "unplugged"
    tops = [top for top in (album.home, album.trash, album.moved) if top.exists()]
    for top in tops:
        top.rename(aside.with_name(f"unplugged {top.name}"))
    assert recover(album.catalog).left
    assert states(album) == [State.INTENDED]
    for top in tops:
        aside.with_name(f"unplugged {top.name}").rename(top)
    album.recovers(deed)


@pytest.mark.parametrize("deed", [Deed.DELETE, Deed.HARDLINK])
def test_r9_what_lies_at_the_top_of_a_drive_is_not_gone_where_its_mount_point_is_empty(
    album_of_one: Album, deed: Deed
) -> None:
    album = album_of_one
    top = album.home / "b"
    killed_around_the_move(album, deed, moved=True)
    if deed is Deed.HARDLINK:  # by another hand: what lies aside is the only name of the copy
        os.unlink(album.b(1))
    top.rename(album.place / "unplugged")
    top.mkdir()
    assert recover(album.catalog).left
    assert states(album) == [State.INTENDED]
    top.rmdir()
    (album.place / "unplugged").rename(top)
    album.recovers(deed)


def test_r4_who_may_not_put_an_action_in_order_is_told_and_can_ask_all_the_same(
    album_of_one: Album,
) -> None:
    album = album_of_one
    killed_around_the_move(album, Deed.TRASH, moved=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", os.fsdecode(album.a(1)))  # no folder: no lock
        (sentence,) = recover(album.catalog).left
    assert "cannot be put in order" in sentence
    assert states(album) == [State.INTENDED]
    album.recovers(Deed.TRASH)


def test_r5_what_another_program_threw_away_meanwhile_is_not_taken_for_ours(
    album_of_one: Album,
) -> None:
    album = album_of_one
    place = killed_around_the_move(album, Deed.TRASH, moved=False)
    os.unlink(trash.info_of(place))
    os.unlink(album.b(1))  # by a person
    note = b"[Trash Info]\nPath=/of/another.jpg\nDeletionDate=2020-01-01T00:00:00\n"
    album.put(trash.info_of(place), note)
    album.put(place, OTHER)
    assert recover(album.catalog).gone == 1
    assert not os.path.lexists(album.b(1))
    assert (data_of(place), data_of(trash.info_of(place))) == (OTHER, note)


def test_r4_a_copy_that_lies_aside_and_whose_name_was_taken_is_told_of_until_it_is_home(
    album_of_one: Album,
) -> None:
    album = album_of_one
    place = killed_around_the_move(album, Deed.DELETE, moved=True)
    album.put(album.b(1), OTHER)
    for _ in range(2):
        (sentence,) = recover(album.catalog).left
        assert os.fsdecode(place) in sentence
    os.unlink(album.b(1))
    album.recovers(Deed.DELETE)


def test_r4_a_link_that_was_taken_back_and_not_written_down_is_not_told_as_done(
    album_of_one: Album,
) -> None:
    album = album_of_one
    assert album.act(Deed.HARDLINK).done == 1
    assert album.undo().done == 1  # as it is on disk after it was taken back
    inode = os.lstat(album.b(1)).st_ino
    with contextlib.closing(sqlite3.connect(os.fsdecode(decisions_file(album.catalog)))) as rows:
        rows.execute("UPDATE removal SET state = 'aside', inode = ?", (inode,))
        rows.commit()
    assert recover(album.catalog).returned == 1
    assert states(album) == [State.RETURNED]


@pytest.mark.parametrize("deed", [Deed.TRASH, Deed.MOVE])
def test_r7_another_file_in_the_place_of_what_was_taken_is_not_put_back_for_it(
    album_of_one: Album, deed: Deed
) -> None:
    album = album_of_one
    assert album.act(deed).done == 1
    place = album.rows()[-1][1]
    replace(place)
    assert len(album.undo().refused) == 1
    assert not os.path.lexists(album.b(1))
    assert data_of(place) == OTHER


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_r1_what_is_no_file_any_more_is_not_opened_for_one(
    album_of_one: Album, make: Callable[[bytes], None]
) -> None:
    album = album_of_one
    planned = album.plan(Deed.DELETE)
    os.unlink(album.b(1))
    make(album.b(1))
    refused(album.perform(planned), "is not a file any more")
    assert os.path.lexists(album.b(1))
