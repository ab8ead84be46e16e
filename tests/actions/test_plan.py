"""A plan takes what it can answer for, says why it leaves the rest alone, and changes nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.model import Deed, Group, Kind, Order, Rule, Side, Spared
from tests.actions.albums import Album, copies, why
from tests.support import NOBODY, in_child, mount, needs_root

DEEDS = tuple(Deed(deed) for deed in ("trash", "move", "delete", "hardlink", "reflink"))


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Album:
    return Album(tmp_path, monkeypatch)


@pytest.fixture
def pair(album: Album) -> Callable[[], Group]:
    """Two photos of equal bytes, the second a copy in another folder."""
    album.put_all(b"photo", "kept/a.jpg", "copies/a.jpg")
    return lambda: album.group("kept/a.jpg", "copies/a.jpg")


@pytest.mark.parametrize("deed", DEEDS)
def test_planning_changes_nothing_and_makes_no_folder(album: Album, deed: Deed) -> None:
    album.put_all(b"photo", "kept/a.jpg", "copies/a.jpg", "copies/b.jpg")
    album.put_all(b"sidecar", "kept/a.xmp", "copies/a.xmp")
    groups = [album.group("kept/a.jpg", "copies/a.jpg", "copies/b.jpg")]
    before = album.everything()
    planned = album.plan(deed, *groups, protected=(album.path("protected"),))
    assert planned.copies == 2
    assert album.everything() == before
    assert not os.path.exists(album.moved)


def test_nothing_to_do_is_a_plan_too(album: Album) -> None:
    planned = album.plan(Deed.TRASH)
    assert (planned.groups, planned.copies, planned.companions, planned.bytes_won) == ((), 0, 0, 0)


# -- why a copy is left alone ---------------------------------------------------------------------


@pytest.mark.parametrize("deed", DEEDS)
def test_another_name_of_the_kept_file_stays(album: Album, deed: Deed) -> None:
    album.put("kept.jpg", b"photo")
    album.link("other.jpg", "kept.jpg")
    planned = album.plan(deed, album.group("kept.jpg", "other.jpg"))
    assert why(planned) == [Spared.SAME_FILE]
    assert (planned.refused, planned.bytes_won) == (0, 0)


def test_that_it_is_another_name_is_seen_on_the_disk_not_only_in_the_catalog(album: Album) -> None:
    album.put_all(b"photo", "kept.jpg", "other.jpg")
    group = album.group("kept.jpg", "other.jpg")
    os.unlink(album.path("other.jpg"))
    album.link("other.jpg", "kept.jpg")
    anonymous = replace(group.matches[0].photo, stamp=group.keep.stamp.anonymous())
    group = replace(group, matches=(replace(group.matches[0], photo=anonymous),))
    assert why(album.plan(Deed.DELETE, group)) == [Spared.SAME_FILE]


@pytest.mark.parametrize("deed", DEEDS)
def test_what_is_below_a_protected_folder_stays(
    album: Album, pair: Callable[[], Group], deed: Deed
) -> None:
    planned = album.plan(deed, pair(), protected=(album.path("copies"),))
    assert why(planned) == [Spared.PROTECTED]
    assert planned.refused == 0


def test_a_folder_whose_name_begins_like_a_protected_one_is_not_protected(
    album: Album, pair: Callable[[], Group]
) -> None:
    assert why(album.plan(Deed.TRASH, pair(), protected=(album.path("cop"),))) == [None]


def test_what_is_protected_may_be_kept(album: Album, pair: Callable[[], Group]) -> None:
    assert why(album.plan(Deed.TRASH, pair(), protected=(album.path("kept"),))) == [None]


@pytest.mark.parametrize("spelled", ["link", "link/../copies", "copies/../copies", "copies/."])
def test_a_protected_folder_is_known_under_other_paths(
    album: Album, pair: Callable[[], Group], spelled: str
) -> None:
    pair()
    os.symlink("copies", album.path("link"))
    group = album.group("kept/a.jpg", f"{spelled}/a.jpg")
    assert why(album.plan(Deed.TRASH, group, protected=(album.path("copies"),))) == [
        Spared.PROTECTED
    ]


@pytest.mark.parametrize("spelled", ["link", "link/../copies", "copies/."])
def test_a_folder_may_be_protected_by_another_path(
    album: Album, pair: Callable[[], Group], spelled: str
) -> None:
    group = pair()
    os.symlink("copies", album.path("link"))
    assert why(album.plan(Deed.TRASH, group, protected=(album.path(spelled),))) == [
        Spared.PROTECTED
    ]


@pytest.mark.parametrize("spelled", ["link", "below/link/..", "x/../link"])
def test_a_link_to_a_folder_within_a_protected_one_leads_there(album: Album, spelled: str) -> None:
    album.put_all(b"photo", "kept/a.jpg", "protected/deep/a.jpg")
    os.makedirs(album.path("x"))
    os.makedirs(album.path("protected/deep/er"))
    os.makedirs(album.path("below"))
    os.symlink(album.path("protected/deep"), album.path("link"))
    os.symlink(album.path("protected/deep/er"), album.path("below/link"))
    group = album.group("kept/a.jpg", f"{spelled}/a.jpg")
    assert why(album.plan(Deed.TRASH, group, protected=(album.path("protected"),))) == [
        Spared.PROTECTED
    ]


@needs_root
def test_a_protected_folder_is_known_through_a_bind_mount(
    album: Album, pair: Callable[[], Group]
) -> None:
    pair()
    os.mkdir(album.path("bound"))

    def seen() -> list[Spared | None]:
        mount("--bind", album.path("copies"), album.path("bound"))
        group = album.group("kept/a.jpg", "bound/a.jpg")
        return why(album.plan(Deed.TRASH, group, protected=(album.path("copies"),)))

    assert in_child(seen, own_mounts=True) == [Spared.PROTECTED]


@needs_root
def test_a_folder_within_a_protected_one_is_known_through_a_bind_mount(album: Album) -> None:
    album.put_all(b"photo", "kept/a.jpg", "protected/deep/a.jpg")
    os.mkdir(album.path("bound"))

    def seen() -> list[Spared | None]:
        mount("--bind", album.path("protected/deep"), album.path("bound"))
        group = album.group("kept/a.jpg", "bound/a.jpg")
        return why(album.plan(Deed.TRASH, group, protected=(album.path("protected"),)))

    assert in_child(seen, own_mounts=True) == [Spared.PROTECTED]


@needs_root
def test_what_cannot_be_looked_at_is_protected(
    open_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    album = Album(open_place, monkeypatch)
    album.put_all(b"photo", "kept/a.jpg", "gate/copies/a.jpg")
    os.mkdir(album.path("protected"))
    descriptor = os.open(album.path("gate/copies"), os.O_RDONLY)
    group = album.group("kept/a.jpg", "gate/copies/a.jpg")
    os.chmod(album.path("gate"), 0)  # only the copy itself is reached, past its folders
    near = f"/proc/self/fd/{descriptor}/a.jpg".encode()
    match = replace(group.matches[0], photo=replace(group.matches[0].photo, path=near))
    group = replace(group, matches=(match,))
    protected = (album.path("protected"),)
    try:
        spared = in_child(
            lambda: why(album.plan(Deed.TRASH, group, protected=protected)), user=NOBODY
        )
    finally:
        os.chmod(album.path("gate"), 0o755)
        os.close(descriptor)
    assert spared in ([Spared.PROTECTED], [Spared.CHANGED])


def test_what_is_kept_in_one_group_stays_in_a_later_one(album: Album) -> None:
    album.put_all(b"photo", "a.jpg", "b.jpg", "c.jpg")
    groups = album.group("a.jpg", "b.jpg"), album.group("c.jpg", "a.jpg")
    assert why(album.plan(Deed.TRASH, *groups)) == [None, Spared.KEPT]


def test_what_is_kept_stays_under_another_path_too(album: Album) -> None:
    album.put_all(b"photo", "a.jpg", "b.jpg", "c.jpg")
    album.link("again.jpg", "a.jpg")
    groups = album.group("a.jpg", "b.jpg"), album.group("c.jpg", "again.jpg")
    assert why(album.plan(Deed.TRASH, *groups)) == [None, Spared.KEPT]


def test_what_goes_already_does_not_go_twice(album: Album) -> None:
    album.put_all(b"photo", "a.jpg", "b.jpg", "c.jpg")
    groups = album.group("a.jpg", "b.jpg"), album.group("c.jpg", "b.jpg")
    planned = album.plan(Deed.TRASH, *groups)
    assert why(planned) == [None, Spared.GOES_ALREADY]
    assert planned.bytes_won == len(b"photo")


def test_what_goes_in_one_group_is_not_kept_for_another(album: Album) -> None:
    album.put_all(b"photo", "a.jpg", "b.jpg", "c.jpg")
    groups = (
        album.group("a.jpg", "b.jpg"),
        album.group("b.jpg", "c.jpg", kind=Kind.SAME, rule=Rule.PIXELS_AGREE),
    )
    assert why(album.plan(Deed.TRASH, *groups)) == [None, Spared.KEEPER_GOES]


def test_another_name_of_what_goes_is_not_kept_either(album: Album) -> None:
    album.put_all(b"photo", "a.jpg", "b.jpg", "c.jpg")
    album.link("again.jpg", "b.jpg")
    groups = (
        album.group("a.jpg", "b.jpg"),
        album.group("again.jpg", "c.jpg", kind=Kind.SAME, rule=Rule.PIXELS_AGREE),
    )
    assert why(album.plan(Deed.TRASH, *groups)) == [None, Spared.KEEPER_GOES]


def rewritten(album: Album, name: str) -> None:
    album.put(name, b"other")


def touched(album: Album, name: str) -> None:
    os.utime(album.path(name), ns=(0, 0))


def gone(album: Album, name: str) -> None:
    os.unlink(album.path(name))


def replaced(album: Album, name: str) -> None:
    """By a file that differs in nothing but its inode."""
    status = os.stat(album.path(name))
    album.put("new", album.read(name), mtime_ns=status.st_mtime_ns)
    os.rename(album.path("new"), album.path(name))


def a_link_now(album: Album, name: str) -> None:
    os.rename(album.path(name), album.path("elsewhere"))
    os.symlink(album.path("elsewhere"), album.path(name))


def a_folder_now(album: Album, name: str) -> None:
    os.unlink(album.path(name))
    os.mkdir(album.path(name))


CHANGES = (rewritten, touched, gone, replaced, a_link_now, a_folder_now)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("deed", DEEDS)
def test_a_copy_that_changed_since_it_was_indexed_stays(
    album: Album, pair: Callable[[], Group], change: Callable[[Album, str], None], deed: Deed
) -> None:
    group = pair()
    change(album, "copies/a.jpg")
    planned = album.plan(deed, group)
    assert why(planned) == [Spared.CHANGED]
    assert planned.refused == 1


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("deed", DEEDS)
def test_nothing_goes_for_a_kept_photo_that_changed(
    album: Album, pair: Callable[[], Group], change: Callable[[Album, str], None], deed: Deed
) -> None:
    group = pair()
    change(album, "kept/a.jpg")
    planned = album.plan(deed, group)
    assert why(planned) == [Spared.KEEPER_CHANGED]
    assert planned.refused == 1


def test_another_name_or_other_rights_are_no_change(
    album: Album, pair: Callable[[], Group]
) -> None:
    group = pair()
    album.link("new.jpg", "kept/a.jpg")
    os.chmod(album.path("copies/a.jpg"), 0o600)
    assert why(album.plan(Deed.TRASH, group)) == [None]


def test_an_empty_file_stays(album: Album) -> None:
    album.put_all(b"", "a.jpg", "b.jpg")
    assert why(album.plan(Deed.TRASH, album.group("a.jpg", "b.jpg"))) == [Spared.KEEPER_CHANGED]


# -- what a deed cannot do ------------------------------------------------------------------------


def test_what_is_in_the_folder_already_is_not_moved_to_it(album: Album) -> None:
    album.put_all(b"photo", "kept/a.jpg", "moved/a.jpg", "moved here/a.jpg")
    group = album.group("kept/a.jpg", "moved/a.jpg", "moved here/a.jpg")
    planned = album.plan(Deed.MOVE, group, folder=album.path("moved"))
    assert why(planned) == [Spared.THERE_ALREADY, None]
    assert planned.refused == 0


@pytest.fixture
def other_disk() -> Path:
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK) or os.stat(shared).st_dev == os.stat("/").st_dev:
        pytest.skip("needs a second file system that can be written, at /dev/shm")
    return shared


@pytest.mark.parametrize("deed", [Deed.MOVE, Deed.HARDLINK, Deed.REFLINK])
def test_what_cannot_be_done_across_file_systems_is_not_planned(
    album: Album, other_disk: Path, deed: Deed
) -> None:
    with tempfile.TemporaryDirectory(dir=other_disk) as there:
        if os.stat(there).st_dev == os.stat(album.top).st_dev:
            pytest.skip("needs a second file system: temporary files are in /dev/shm")
        album.put("kept.jpg", b"photo")
        album.put(there + "/copy.jpg", b"photo")
        group = album.group("kept.jpg", there + "/copy.jpg")
        assert why(album.plan(deed, group)) == [Spared.OTHER_DISK]
        assert why(album.plan(Deed.DELETE, group)) == [None]
        moving = album.plan(Deed.MOVE, group, folder=os.fsencode(there) + b"/not/there/yet")
        assert why(moving) == [None], "the copy's own file system"


def test_a_link_that_would_lose_the_mode_is_not_planned(
    album: Album, pair: Callable[[], Group]
) -> None:
    group = pair()
    os.chmod(album.path("copies/a.jpg"), 0o600)
    assert why(album.plan(Deed.HARDLINK, group)) == [Spared.OTHER_RIGHTS]
    assert why(album.plan(Deed.REFLINK, group)) == [None]
    assert why(album.plan(Deed.TRASH, group)) == [None]


@needs_root
@pytest.mark.parametrize("owner", [(NOBODY, -1), (-1, NOBODY)], ids=["user", "group"])
def test_a_link_that_would_lose_the_owner_is_not_planned(
    album: Album, pair: Callable[[], Group], owner: tuple[int, int]
) -> None:
    group = pair()
    os.chown(album.path("copies/a.jpg"), *owner)
    assert why(album.plan(Deed.HARDLINK, group)) == [Spared.OTHER_RIGHTS]


# -- pictures of other bytes ----------------------------------------------------------------------


def test_a_copy_that_shows_more_than_the_kept_one_stays(album: Album) -> None:
    album.put("kept.jpg", b"cut")
    album.put("whole.jpg", b"whole")
    more = (Side("left", 0.1),)
    group = album.group("kept.jpg", "whole.jpg", kind=Kind.SAME, rule=Rule.PIXELS_AGREE, more=more)
    assert why(album.plan(Deed.TRASH, group)) == [Spared.SHOWS_MORE]


@pytest.mark.parametrize("rule", [Rule.STAMP_ON_FIRST, Rule.ALL_BUT_A_STAMP])
def test_a_copy_stays_where_the_kept_one_may_have_a_stamp_on_it(album: Album, rule: Rule) -> None:
    album.put("kept.jpg", b"stamped")
    album.put("clean.jpg", b"clean")
    group = album.group("kept.jpg", "clean.jpg", kind=Kind.SAME, rule=rule)
    assert why(album.plan(Deed.TRASH, group)) == [Spared.KEEPER_STAMPED]


def test_a_copy_that_is_stamped_goes(album: Album) -> None:
    album.put("kept.jpg", b"clean")
    album.put("stamped.jpg", b"stamped")
    group = album.group("kept.jpg", "stamped.jpg", kind=Kind.SAME, rule=Rule.STAMP_ON_SECOND)
    assert why(album.plan(Deed.TRASH, group)) == [None]


# -- what is won ----------------------------------------------------------------------------------


@pytest.mark.parametrize("deed", [Deed.TRASH, Deed.DELETE, Deed.HARDLINK])
def test_a_file_of_which_a_name_stays_wins_nothing(album: Album, deed: Deed) -> None:
    album.put_all(b"photo", "kept.jpg", "one.jpg")
    album.link("two.jpg", "one.jpg")
    one = album.plan(deed, album.group("kept.jpg", "one.jpg"))
    both = album.plan(deed, album.group("kept.jpg", "one.jpg", "two.jpg"))
    assert (one.copies, one.bytes_won) == (1, 0)
    assert (both.copies, both.bytes_won) == (2, len(b"photo"))


def test_what_is_moved_wins_nothing(album: Album, pair: Callable[[], Group]) -> None:
    assert album.plan(Deed.MOVE, pair()).bytes_won == 0


def test_what_shares_its_blocks_wins_them_whatever_names_it_has(album: Album) -> None:
    album.put_all(b"photo", "kept.jpg", "one.jpg")
    album.link("two.jpg", "one.jpg")
    planned = album.plan(Deed.REFLINK, album.group("kept.jpg", "one.jpg"))
    assert planned.bytes_won == len(b"photo")


def test_the_bytes_of_companions_count(album: Album, pair: Callable[[], Group]) -> None:
    group = pair()
    album.put_all(b"sidecar", "kept/a.xmp", "copies/a.xmp")
    assert album.plan(Deed.TRASH, group).bytes_won == len(b"photo" + b"sidecar")


# -- what a plan says ----------------------------------------------------------------------------


def test_a_plan_says_what_was_asked_and_what_was_not_there(
    album: Album, pair: Callable[[], Group]
) -> None:
    from catalog.actions.plan import plan

    order = Order(Deed.TRASH)
    offline = ((b"/drive", "it is not connected"),)
    group = pair()
    planned = plan([group], order, offline=offline)
    assert (planned.order, planned.offline) == (order, offline)
    assert planned.groups[0].keep == group.keep
    assert planned.groups[0].keep_reason == group.keep_reason
    assert [copy.match for copy in copies(planned)] == list(group.matches)
