"""What a person chose after looking at both: it goes to the trash, if both are what was seen."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.actions import ways
from catalog.actions.plan import plan
from catalog.errors import UsageError
from catalog.model import (
    ActionPlan,
    Deed,
    Group,
    Kind,
    Order,
    Receipt,
    Removal,
    Rule,
    Side,
    Spared,
    State,
)
from catalog.store.decisions import Decisions
from tests.actions.albums import Album, InterruptedAt, copies, why

OTHERS = [deed for deed in Deed if deed is not Deed.TRASH]
RULES = {Kind.SAME: Rule.PIXELS_AGREE, Kind.SIMILAR: Rule.LOOKS_ALIKE}
CHANGED = "the kept one changed or went after it was compared"


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Album:
    return Album(tmp_path, monkeypatch)


@pytest.fixture(params=[Kind.SAME, Kind.SIMILAR])
def pair(album: Album, request: pytest.FixtureRequest) -> Group:
    """Two photos of other bytes and one length, of which a person wants the first."""
    album.put("kept/a.jpg", b"photo")
    album.put("copies/a.jpg", b"other")
    return seen(album, "kept/a.jpg", "copies/a.jpg", kind=request.param)


def seen(album: Album, keep: str, *others: str, kind: Kind = Kind.SIMILAR, **more: Any) -> Group:
    """These were shown to a person beside the one to keep."""
    return album.group(keep, *others, **{"kind": kind, "rule": RULES.get(kind), **more})


def planned_by_eye(album: Album, *groups: Group, **order: Any) -> ActionPlan:
    return album.plan(Deed.TRASH, *groups, by_eye=True, **order)


def rewritten_alike(album: Album, name: str) -> None:
    """Other bytes in the same file, as long, and by its time as old."""
    status = os.stat(album.path(name))
    with open(album.path(name), "r+b") as file:
        file.write(b"OTHER"[: status.st_size])
    os.utime(album.path(name), ns=(status.st_atime_ns, status.st_mtime_ns))


def rewritten(album: Album, name: str) -> None:
    album.put(name, b"quite another photo")


def gone(album: Album, name: str) -> None:
    os.unlink(album.path(name))


def replaced(album: Album, name: str) -> None:
    """By a file of the same bytes and time."""
    status = os.stat(album.path(name))
    album.put("new", album.read(name), mtime_ns=status.st_mtime_ns)
    os.rename(album.path("new"), album.path(name))


def refused(receipt: Receipt) -> str:
    """Why the only photo stayed."""
    assert (receipt.done, receipt.action) == (0, None)
    (refusal,) = receipt.refused
    return refusal.why


# -- what goes, and comes back -------------------------------------------------------------------


def test_what_a_person_chose_goes_to_the_trash_and_comes_back(album: Album, pair: Group) -> None:
    before = album.tree()
    receipt = album.perform(planned_by_eye(album, pair))
    assert (receipt.done, receipt.refused, receipt.bytes_won) == (1, (), len(b"other"))
    assert album.names() == {"kept/a.jpg"}
    assert os.listdir(album.trash) == [b"a.jpg"]
    assert album.undo().done == 1
    assert album.tree() == before


def test_the_journal_says_what_it_was_to_the_kept_one(album: Album, pair: Group) -> None:
    receipt = album.perform(planned_by_eye(album, pair))
    with album.decisions() as decisions:
        (action,) = decisions.history()
        (removal,) = decisions.removals(action.id, State.DONE)
    assert (action.id, action.deed, action.files) == (receipt.action, Deed.TRASH, 1)
    (match,) = pair.matches
    assert (removal.kind, removal.digest) == (match.kind, match.photo.digest)
    assert removal.keeper == album.path("kept/a.jpg")


@pytest.mark.parametrize("kind", [Kind.SAME, Kind.SIMILAR])
def test_what_shows_more_or_has_no_stamp_goes_as_the_person_saw_that(
    album: Album, kind: Kind
) -> None:
    for name in ("kept", "more", "clean", "either"):
        album.put(f"{name}.jpg", name.encode())
    more = (Side("left", 0.1),)
    groups = [
        seen(album, "kept.jpg", "more.jpg", kind=kind, more=more),
        seen(album, "kept.jpg", "clean.jpg", kind=kind, rule=Rule.STAMP_ON_FIRST),
        seen(album, "kept.jpg", "either.jpg", kind=kind, rule=Rule.ALL_BUT_A_STAMP),
    ]
    assert album.perform(planned_by_eye(album, *groups)).done == 3
    assert album.names() == {"kept.jpg"}


def test_copies_that_are_identical_are_compared_byte_by_byte(album: Album) -> None:
    """Also where the catalog is wrong about what they hold."""
    album.put("kept.jpg", b"photo")
    album.put("copy.jpg", b"other")
    group = seen(album, "kept.jpg", "copy.jpg", kind=Kind.IDENTICAL)
    receipt = album.perform(planned_by_eye(album, group))
    assert refused(receipt) == "its bytes are not those of the kept one"
    assert album.names() == {"kept.jpg", "copy.jpg"}


@pytest.mark.parametrize("at", [1, 2, 3])
def test_an_interrupt_leaves_every_photo_done_and_counted_or_at_home(
    album: Album, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    monkeypatch.setattr("catalog.actions.perform._FILES_AT_ONCE", 1)
    album.put("kept.jpg", b"kept")
    names = [f"{number}.jpg" for number in range(4)]
    for name in names:
        album.put(name, name.encode())
    before = album.tree()
    planned = planned_by_eye(album, seen(album, "kept.jpg", *names))
    receipt = album.perform(planned, InterruptedAt(at))
    assert (receipt.interrupted, receipt.done) == (True, at)
    assert len(album.names()) == 5 - at
    assert album.undo().done == at
    assert album.tree() == before


# -- what is not allowed -------------------------------------------------------------------------


@pytest.mark.parametrize("deed", OTHERS)
def test_by_eye_there_is_no_plan_but_for_the_trash(album: Album, deed: Deed) -> None:
    folder = album.moved if deed is Deed.MOVE else None
    with pytest.raises(UsageError, match="by eye only goes to the trash"):
        plan([], Order(deed, folder, by_eye=True))


@pytest.mark.parametrize("deed", OTHERS)
@pytest.mark.parametrize("kind", [Kind.IDENTICAL, Kind.SAME, Kind.SIMILAR])
def test_by_eye_nothing_is_carried_out_but_to_the_trash(
    album: Album, deed: Deed, kind: Kind
) -> None:
    album.put_all(b"photo", "kept.jpg", "copy.jpg")
    planned = planned_by_eye(album, seen(album, "kept.jpg", "copy.jpg", kind=kind))
    before = album.tree()
    folder = album.moved if deed is Deed.MOVE else None
    for groups in (planned.groups, ()):
        other = replace(planned, groups=groups, order=Order(deed, folder, by_eye=True))
        with pytest.raises(UsageError, match="by eye only goes to the trash"):
            album.perform(other)
    assert album.tree() == before


def test_what_nobody_looked_at_is_not_trusted(album: Album, pair: Group) -> None:
    """A plan by eye, of which the order was lost: matched again, or refused."""
    planned = planned_by_eye(album, pair)
    before = album.tree()
    unseen = replace(planned, order=Order(Deed.TRASH))
    if pair.kind is Kind.SIMILAR:
        with pytest.raises(UsageError, match="never acted on in bulk"):
            album.perform(unseen)
    else:
        assert "could not be read" in refused(album.perform(unseen)), "these are no pictures"
    assert album.tree() == before


def test_close_hashes_are_nothing_to_act_on_by_eye_either(album: Album) -> None:
    album.put("kept.jpg", b"one")
    album.put("like.jpg", b"other")
    before = album.tree()
    group = seen(album, "kept.jpg", "like.jpg", kind=Kind.HASH, rule=Rule.WITHIN_RADIUS)
    with pytest.raises(UsageError, match="close hashes"):
        album.perform(planned_by_eye(album, group))
    assert album.tree() == before


# -- both are what was seen ----------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before the plan", "after it"])
@pytest.mark.parametrize(
    ("name", "whose"),
    [("copies/a.jpg", "it"), ("kept/a.jpg", "the kept one")],
    ids=["copy", "kept"],
)
def test_other_bytes_of_the_same_size_and_time_are_refused(
    album: Album, pair: Group, name: str, whose: str, when: str
) -> None:
    if when == "before the plan":
        rewritten_alike(album, name)
        planned = planned_by_eye(album, pair)
        assert planned.copies == 1, "by its stamp it is the same file"
    else:
        planned = planned_by_eye(album, pair)
        rewritten_alike(album, name)
    before = album.tree()
    assert refused(album.perform(planned)) == f"{whose} changed since it was indexed"
    assert album.tree() == before


@pytest.mark.parametrize("change", [rewritten, gone, replaced])
@pytest.mark.parametrize(
    ("name", "spared"),
    [("copies/a.jpg", Spared.CHANGED), ("kept/a.jpg", Spared.KEEPER_CHANGED)],
    ids=["copy", "kept"],
)
def test_what_changed_since_it_was_seen_is_not_planned(
    album: Album, pair: Group, change: Callable[[Album, str], None], name: str, spared: Spared
) -> None:
    change(album, name)
    assert why(planned_by_eye(album, pair)) == [spared]


@pytest.mark.parametrize("change", [rewritten, gone])
@pytest.mark.parametrize("name", ["copies/a.jpg", "kept/a.jpg"], ids=["copy", "kept"])
def test_what_changed_since_the_plan_is_refused(
    album: Album, pair: Group, change: Callable[[Album, str], None], name: str
) -> None:
    planned = planned_by_eye(album, pair)
    change(album, name)
    before = album.tree()
    assert refused(album.perform(planned))
    assert album.tree() == before


@pytest.mark.parametrize(
    "then", [(Decisions, "intend"), (ways, "rename_exclusive")], ids=["compared", "moved"]
)
@pytest.mark.parametrize("change", [rewritten, rewritten_alike, gone, replaced])
def test_r2_the_kept_one_is_in_place_before_and_after(
    album: Album,
    pair: Group,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Album, str], None],
    then: tuple[Any, str],
) -> None:
    planned = planned_by_eye(album, pair)
    real: Callable[..., Any] = getattr(*then)

    def and_then(*arguments: Any) -> Any:
        answer = real(*arguments)
        change(album, "kept/a.jpg")
        return answer

    monkeypatch.setattr(*then, and_then)
    assert refused(album.perform(planned)) == CHANGED
    assert album.read("copies/a.jpg") == b"other"
    assert not os.path.isdir(album.trash) or os.listdir(album.trash) == []


def test_r4_what_is_put_in_the_place_of_the_photo_meanwhile_stays(
    album: Album, pair: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = planned_by_eye(album, pair)
    intend = Decisions.intend

    def and_replaced(decisions: Decisions, action: int, removals: Sequence[Removal]) -> list[int]:
        rows = intend(decisions, action, removals)
        album.put("new", b"precious")
        os.rename(album.path("new"), album.path("copies/a.jpg"))
        return rows

    monkeypatch.setattr(Decisions, "intend", and_replaced)
    assert refused(album.perform(planned)) == "it changed after it was compared"
    assert album.read("copies/a.jpg") == b"precious"


# -- what stays ----------------------------------------------------------------------------------


def test_what_is_protected_stays(album: Album, pair: Group) -> None:
    planned = planned_by_eye(album, pair, protected=(album.path("copies"),))
    assert why(planned) == [Spared.PROTECTED]
    assert album.perform(planned).done == 0
    assert why(planned_by_eye(album, pair, protected=(album.path("kept"),))) == [None]


def test_another_name_of_the_kept_file_stays(album: Album) -> None:
    album.put("kept.jpg", b"photo")
    album.link("other.jpg", "kept.jpg")
    group = seen(album, "kept.jpg", "other.jpg", same_file=False)
    assert why(planned_by_eye(album, group)) == [Spared.SAME_FILE]


def test_a_name_that_became_one_of_the_kept_file_since_the_plan_stays(
    album: Album, pair: Group
) -> None:
    planned = planned_by_eye(album, pair)
    os.unlink(album.path("copies/a.jpg"))
    album.link("copies/a.jpg", "kept/a.jpg")
    assert refused(album.perform(planned)) == "it is another name of the kept file"


def test_all_names_of_a_photo_go_and_its_bytes_count_once(album: Album) -> None:
    album.put("kept.jpg", b"photo")
    album.put("one.jpg", b"other")
    album.link("two.jpg", "one.jpg")
    planned = planned_by_eye(album, seen(album, "kept.jpg", "one.jpg", "two.jpg"))
    receipt = album.perform(planned)
    assert (receipt.done, receipt.refused) == (2, ())
    assert receipt.bytes_won == planned.bytes_won == len(b"other")


@pytest.mark.parametrize(
    ("name", "with_sidecars", "stays"),
    [
        ("a.xmp", False, True),
        ("a.xmp", True, False),
        ("a.CR2", True, True),
        ("a.jpg.json", True, False),
    ],
)
def test_what_belongs_to_a_photo_goes_along_or_keeps_it(
    album: Album, pair: Group, name: str, with_sidecars: bool, stays: bool
) -> None:
    album.put(f"copies/{name}", b"data")
    before = album.tree()
    planned = planned_by_eye(album, pair, with_sidecars=with_sidecars)
    assert why(planned) == [Spared.COMPANION if stays else None]
    receipt = album.perform(planned)
    assert (receipt.done, receipt.companions) == ((0, 0) if stays else (1, 1))
    assert album.names() == ({"kept/a.jpg", *map(os.fsdecode, before)} if stays else {"kept/a.jpg"})
    if not stays:
        album.undo()
    assert album.tree() == before


def test_what_came_to_belong_to_a_photo_since_the_plan_keeps_it(album: Album, pair: Group) -> None:
    planned = planned_by_eye(album, pair, with_sidecars=True)
    album.put("copies/a.xmp", b"data")
    assert refused(album.perform(planned)) == "a.xmp belongs to it, and was not there before"


# -- what is kept never goes ---------------------------------------------------------------------


@pytest.fixture
def three(album: Album) -> Album:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        album.put(name, name.encode())
    return album


@pytest.mark.parametrize("backwards", [False, True])
def test_what_a_person_keeps_in_one_group_goes_in_no_other(three: Album, backwards: bool) -> None:
    """The words "keep this one" count, in whatever order the groups come."""
    groups = [seen(three, "a.jpg", "b.jpg"), seen(three, "b.jpg", "c.jpg")]
    planned = planned_by_eye(three, *groups[:: -1 if backwards else 1])
    spared = {copy.match.photo.path: copy.spared for copy in copies(planned)}
    assert spared == {three.path("b.jpg"): Spared.KEPT, three.path("c.jpg"): None}
    assert three.perform(planned).done == 1
    assert three.names() == {"a.jpg", "b.jpg"}


def test_two_that_are_each_to_go_for_the_other_both_stay(three: Album) -> None:
    groups = seen(three, "a.jpg", "b.jpg"), seen(three, "b.jpg", "a.jpg")
    assert why(planned_by_eye(three, *groups)) == [Spared.KEPT, Spared.KEPT]


def test_what_a_person_keeps_does_not_go_under_another_name(three: Album) -> None:
    three.link("again.jpg", "c.jpg")
    groups = seen(three, "a.jpg", "again.jpg"), seen(three, "c.jpg", "b.jpg")
    assert why(planned_by_eye(three, *groups)) == [Spared.KEPT, None]


def test_what_a_person_keeps_does_not_go_along_with_another_photo(album: Album) -> None:
    """Else the RAW would go with the JPEG beside it, as the groups come."""
    album.put_all(b"jpeg", "kept/a.jpg", "copies/a.jpg")
    album.put_all(b"raw", "kept/a.cr2", "copies/a.cr2")
    groups = [
        seen(album, "kept/a.jpg", "copies/a.jpg", kind=Kind.IDENTICAL),
        seen(album, "copies/a.cr2", "kept/a.cr2", kind=Kind.IDENTICAL),
    ]
    planned = planned_by_eye(album, *groups)
    assert why(planned) == [Spared.COMPANION, Spared.COMPANION]
    assert [group.keep for group in planned.groups] == [group.keep for group in groups]


def test_r2_of_two_opposite_plans_one_is_carried_out(three: Album) -> None:
    one = planned_by_eye(three, seen(three, "a.jpg", "b.jpg"))
    other = planned_by_eye(three, seen(three, "b.jpg", "a.jpg"))
    assert three.perform(one).done == 1
    assert refused(three.perform(other)) == "the kept one is gone"
    assert three.names() == {"a.jpg", "c.jpg"}


def test_a_plan_that_takes_what_it_keeps_is_not_carried_out_that_far(three: Album) -> None:
    """One that no planner made."""
    one = planned_by_eye(three, seen(three, "a.jpg", "b.jpg"))
    other = planned_by_eye(three, seen(three, "b.jpg", "a.jpg", "c.jpg"))
    receipt = three.perform(replace(one, groups=one.groups + other.groups))
    assert receipt.done == 1
    assert three.names() == {"a.jpg", "c.jpg"}
