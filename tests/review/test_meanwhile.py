"""The desk when something else happens meanwhile: failures, ends, two tabs, another catalog."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import CatalogError, CatalogUnusable
from catalog.keeping import parse
from catalog.model import Deed, Receipt, Refusal
from catalog.review import acts
from catalog.review.asking import BothAsked, ChoiceAsked
from catalog.review.desk import Refusal as Refused
from catalog.store import choices
from catalog.store.decisions import decisions_file, decisions_there
from catalog.store.locks import Locks
from tests.matching.albums import Album, album, inline, photo, saved
from tests.review.sitting import Sitting, seen, tree
from tests.support import in_child, mount, needs_root

__all__ = ["album", "inline"]


@pytest.fixture
def filled(album: Album) -> Album:
    """Two groups of identical photos."""
    for number in (3, 5):
        album.put(f"{number}.jpg", saved(photo(number), quality=90))
        album.put(f"copies/{number}.jpg.jpg", saved(photo(number), quality=90))
    album.index()
    return album


@pytest.fixture
def sitting(filled: Album) -> Iterator[Sitting]:
    with Sitting(filled) as found:
        yield found


def stored(library: Album) -> list[bytes]:
    """What is chosen to go, as the disk has it."""
    decisions = decisions_there(library.catalog)
    assert decisions is not None
    with decisions:
        return [os.path.basename(each.goes.path) for each in choices.all_of(decisions)]


class Held:
    """An action that begins, and goes on when it is let go, after which the page is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self._real = getattr(acts, name)
        monkeypatch.setattr(acts, name, self)

    def __call__(self, *arguments: Any) -> Any:
        self.begun.set()
        assert self.go.wait(30)
        return self._real(*arguments)


# -- what fails --------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [OSError(5, "of the disk"), ValueError("of the disk")])
def test_an_action_that_is_cut_off_never_claims_that_nothing_was_done(
    filled: Album, sitting: Sitting, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: Any, **__: Any) -> Receipt:
        raise error

    sitting.trash_others(sitting.group_with("3.jpg"))
    monkeypatch.setattr(acts, "perform", fails)
    plan = sitting.plan()
    receipt = sitting.apply(plan)
    assert receipt["plan"] == plan["plan"]
    assert "history" in receipt["words"]
    assert "of the disk" in receipt["stopped"]


def test_what_was_refused_at_the_start_says_that_nothing_was_done(
    filled: Album, sitting: Sitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Receipt:
        raise CatalogError("another goes on")

    sitting.trash_others(sitting.group_with("3.jpg"))
    monkeypatch.setattr(acts, "perform", fails)
    receipt = sitting.apply(sitting.plan())
    assert (receipt["words"], receipt["stopped"]) == ("Nothing was done.", "another goes on")
    assert sitting.desk.state()["chosen"]["photos"] == 1


def test_what_was_done_is_told_though_the_catalog_cannot_be(
    filled: Album, sitting: Sitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> str:
        raise ValueError("of the processes")

    sitting.trash_others(sitting.group_with("3.jpg"))
    monkeypatch.setattr(acts, "look_again", fails)
    assert sitting.apply(sitting.plan())["done"] == 1
    assert "of the processes" in sitting.desk.state()["remarks"][0]
    assert sitting.desk.state()["chosen"]["photos"] == 0


def test_what_was_done_is_told_though_the_choices_cannot_be_written(
    filled: Album, sitting: Sitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise CatalogError("no room")

    sitting.trash_others(sitting.group_with("3.jpg"))
    plan = sitting.plan()
    monkeypatch.setattr(choices, "replace", fails)
    assert sitting.apply(plan)["done"] == 1
    state = sitting.desk.state()
    assert (state["chosen"]["photos"], "no room" in state["remarks"]) == (0, True)


def test_the_same_remark_is_made_once_and_many_are_not_kept(sitting: Sitting) -> None:
    for number in range(200):
        sitting.desk._remark(f"remark {number // 2}")
    remarks = [each for each in sitting.desk.state()["remarks"] if each.startswith("remark")]
    assert remarks == [f"remark {number}" for number in range(80, 100)]


def refusing(path: bytes) -> Callable[..., Receipt]:
    return lambda *_, **__: Receipt(Deed.TRASH, None, refused=(Refusal(path, "no trash here"),))


def test_what_was_refused_for_now_stays_chosen(
    filled: Album, sitting: Sitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting.trash_others(sitting.group_with("3.jpg"))
    plan = sitting.plan()
    with monkeypatch.context() as patched:
        patched.setattr(acts, "perform", refusing(filled.path("copies/3.jpg.jpg")))
        sitting.apply(plan)
    assert sitting.desk.state()["chosen"]["photos"] == 1
    assert sitting.apply(sitting.plan())["done"] == 1


@pytest.mark.parametrize("end", ["3.jpg", "copies/3.jpg.jpg"])
def test_what_was_refused_as_a_file_changed_is_not_chosen_any_more(
    filled: Album, sitting: Sitting, end: str
) -> None:
    sitting.trash_others(sitting.group_with("3.jpg"))
    plan = sitting.plan()
    filled.put(end, saved(photo(9), quality=90))
    before = tree(filled)
    assert sitting.apply(plan)["refused"]
    assert tree(filled) == before
    assert (sitting.desk.state()["chosen"]["photos"], stored(filled)) == (0, [])


def test_a_photo_that_was_touched_since_the_page_was_loaded_is_refused(
    filled: Album, sitting: Sitting
) -> None:
    group = sitting.group_with("3.jpg")
    os.utime(filled.path("copies/3.jpg.jpg"), (1_500_000_000, 1_500_000_000))
    filled.index()  # the same photo, in the same group, but not as it was seen
    with pytest.raises(Refused, match="changed: look at it again"):
        sitting.trash_others(group)


def test_only_the_last_plan_is_carried_out(filled: Album, sitting: Sitting) -> None:
    sitting.trash_others(sitting.group_with("3.jpg"))
    first, before = sitting.plan(with_sidecars=True), tree(filled)
    sitting.plan()
    with pytest.raises(Refused, match="not the last one"):
        sitting.do(sitting.desk.apply(first["plan"]))
    assert tree(filled) == before


@pytest.mark.parametrize("end", ["3.jpg", "copies/3.jpg.jpg"])
@pytest.mark.parametrize("gone", [False, True], ids=["another", "gone"])
def test_what_an_index_found_changed_leaves_the_tray_whichever_end_it_is(
    filled: Album, sitting: Sitting, end: str, gone: bool
) -> None:
    sitting.trash_others(sitting.group_with("3.jpg"))
    if gone:
        os.unlink(filled.path(end))
    else:
        filled.put(end, saved(photo(9), quality=90))
    filled.index()
    assert [each["name"] for each in sitting.plan()["changed"]] == ["3.jpg.jpg"]
    assert stored(filled) == []


def test_what_was_chosen_before_it_was_protected_stays(filled: Album) -> None:
    with Sitting(filled) as sitting:
        sitting.trash_others(sitting.group_with("3.jpg"))
    with Sitting(filled, keep=parse(None, [filled.path("copies")])) as sitting:
        plan = sitting.plan()
        assert (plan["photos"], len(plan["groups"][0]["stays"])) == (0, 1)


# -- steps and actions -------------------------------------------------------------------------


def test_no_step_back_brings_a_choice_back_that_was_carried_out(sitting: Sitting) -> None:
    sitting.trash_others(sitting.group_with("3.jpg"))
    cleared = sitting.do(sitting.desk.clear())["step"]
    chosen = sitting.trash_others(sitting.group_with("3.jpg"))["step"]
    sitting.apply(sitting.plan())
    for step in (chosen, cleared):
        with pytest.raises(Refused):
            sitting.step_back(step)
    assert sitting.desk.state()["chosen"]["photos"] == 0


def test_a_choice_that_was_not_carried_out_can_be_taken_back_after_an_action(
    filled: Album, sitting: Sitting
) -> None:
    Path(os.fsdecode(filled.path("copies/5.jpg.xmp"))).write_bytes(b"<x/>")
    step = sitting.trash_others(sitting.group_with("5.jpg"))["step"]
    sitting.trash_others(sitting.group_with("3.jpg"))
    assert sitting.apply(sitting.plan())["done"] == 1
    assert sitting.step_back(step)["state"]["chosen"]["photos"] == 0


def test_both_kept_and_undone_in_the_history_can_be_stepped_over(
    filled: Album, sitting: Sitting
) -> None:
    group = sitting.group_with("3.jpg")
    sitting.trash_others(group)
    told = sitting.keep_both(group, "3.jpg", "3.jpg.jpg")
    (action,) = sitting.do(sitting.desk.history())["actions"]
    sitting.undo(action["id"])
    assert sitting.step_back(told["step"])["state"]["chosen"]["photos"] == 1


def test_both_kept_and_stepped_back_are_nothing_to_undo(sitting: Sitting) -> None:
    told = sitting.keep_both(sitting.group_with("3.jpg"), "3.jpg", "3.jpg.jpg")
    (action,) = sitting.do(sitting.desk.history())["actions"]
    sitting.step_back(told["step"])
    with pytest.raises(Refused, match="nothing of this is left"):
        sitting.undo(action["id"])


def test_that_both_are_kept_can_be_taken_back_when_one_of_them_has_gone(
    filled: Album, sitting: Sitting
) -> None:
    filled.put("more/3.jpg", saved(photo(3), quality=90))
    filled.index()
    sitting.wait(lambda state: state["found"]["photos"] == 5)
    group = sitting.group_with("3.jpg.jpg")
    keep, first, _ = group["photos"]
    named = [{key: each[key] for key in ("id", "size", "mtime_ns")} for each in (keep, first)]
    body = {"group": group["group"], "keep": named[0], "drop": [named[1]]}
    sitting.do(sitting.desk.choose(ChoiceAsked.of(body)))
    told = sitting.do(sitting.desk.keep_both(BothAsked.of({**body, "photos": named})))
    names = ("3.jpg", "copies/3.jpg.jpg", "more/3.jpg")
    sitting.do(sitting.desk._chosen.settle([filled.path(name) for name in names]))
    assert sitting.step_back(told["step"])["state"]["chosen"]["photos"] == 0
    assert all(each["undone"] for each in sitting.do(sitting.desk.history())["actions"])


def test_a_plan_is_not_taken_for_begun_while_something_is_undone(
    sitting: Sitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting.trash_others(sitting.group_with("3.jpg"))
    action = sitting.apply(sitting.plan())["action"]
    sitting.wait(lambda state: state["found"]["groups"] == 1)
    sitting.trash_others(sitting.group_with("5.jpg"))
    plan, held = sitting.plan(), Held(monkeypatch, "undone")
    sitting.do(sitting.desk.undo(action))
    with pytest.raises(Refused, match="being moved right now"):
        sitting.do(sitting.desk.apply(plan["plan"]))
    held.go.set()
    sitting.wait(lambda state: state["acting"] is None)
    with pytest.raises(Refused, match="not the last one"):
        sitting.do(sitting.desk.apply(plan["plan"]))


def test_while_files_are_moved_nothing_is_decided_and_all_is_told(
    sitting: Sitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = sitting.group_with("3.jpg"), sitting.group_with("5.jpg")
    step = sitting.trash_others(one)["step"]
    plan, held = sitting.plan(), Held(monkeypatch, "carried_out")
    sitting.do(sitting.desk.apply(plan["plan"]))
    decisions: list[Callable[[], object]] = [
        lambda: sitting.trash_others(other),
        lambda: sitting.keep_both(other, "5.jpg", "5.jpg.jpg"),
        lambda: sitting.step_back(step),
        lambda: sitting.do(sitting.desk.clear()),
        lambda: sitting.plan(),
        lambda: sitting.do(sitting.desk.undo(1)),
    ]
    for decide in decisions:
        with pytest.raises(Refused, match="being moved right now"):
            decide()
    assert sitting.do(sitting.desk.apply(plan["plan"]))["state"]["acting"]
    assert len(sitting.groups()) == 2
    assert sitting.do(asyncio.wait_for(sitting.desk.history(), 10))["actions"] == []
    held.go.set()
    assert sitting.wait(lambda state: state["acting"] is None)["receipt"]["done"] == 1


def test_a_choice_and_the_plan_of_another_tab_come_one_after_the_other(
    filled: Album, sitting: Sitting
) -> None:
    one, other = sitting.group_with("3.jpg"), sitting.group_with("5.jpg")
    sitting.trash_others(one)
    plan, before = sitting.plan(), tree(filled)
    body = {
        "group": other["group"],
        "keep": seen(other, "5.jpg"),
        "drop": [seen(other, "5.jpg.jpg")],
    }

    async def both() -> list[Any]:
        chosen = sitting.desk.choose(ChoiceAsked.of(body))
        return await asyncio.gather(
            chosen, sitting.desk.apply(plan["plan"]), return_exceptions=True
        )

    chosen, applied = sitting.do(both())
    assert chosen["state"]["chosen"]["photos"] == 2
    assert isinstance(applied, Refused)
    assert tree(filled) == before


def test_a_plan_is_made_though_another_answer_comes_meanwhile(sitting: Sitting) -> None:
    sitting.trash_others(sitting.group_with("3.jpg"))
    sitting.page(grade="similar")
    sitting.wait(lambda state: state["finding"] is None)
    go = threading.Event()
    sitting.desk._answers.shelves["s"]._clerk.tell(lambda: go.wait(30))

    async def planned() -> Any:
        plan = asyncio.ensure_future(sitting.desk.plan(with_sidecars=False))
        await asyncio.sleep(0.2)
        sitting.desk._answers.shelves.pop("l").end()
        go.set()
        return await asyncio.wait_for(plan, 10)

    assert sitting.do(planned())["photos"] == 1


# -- the catalog, and what is beside it --------------------------------------------------------


def test_in_another_catalog_the_same_groups_are_decided(filled: Album, sitting: Sitting) -> None:
    sitting.trash_others(sitting.group_with("3.jpg"))
    assert len(sitting.groups(state="decided")) == 1
    before = {photo["id"] for group in sitting.groups() for photo in group["photos"]}
    other = filled.catalog + b".other"
    filled.put("0.jpg", saved(photo(20), quality=90))  # others have other ids then
    for tops in ((), ("copies",)):
        filled.index(*tops[::-1], catalog=other)
    for name in (b"-wal", b"-shm"):
        if os.path.exists(filled.catalog + name):
            os.unlink(filled.catalog + name)
    os.replace(other, filled.catalog)
    number = sitting.desk.state()["answer"]
    sitting.wait(lambda state: state["answer"] > number)
    after = {photo["id"] for group in sitting.groups() for photo in group["photos"]}
    assert before != after
    assert [[each["name"] for each in group["photos"]] for group in sitting.groups(state="open")]
    assert sitting.group_with("3.jpg", state="decided")
    assert sitting.group_with("5.jpg", state="open")
    assert sitting.apply(sitting.plan())["done"] == 1


def test_what_a_catalog_that_is_built_anew_does_not_know_yet_stays_chosen(
    filled: Album, sitting: Sitting
) -> None:
    for name in ("3.jpg", "5.jpg"):
        sitting.trash_others(sitting.group_with(name))
    filled.put("copies/5.jpg.jpg", saved(photo(9), quality=90))
    other = filled.catalog + b".other"
    os.makedirs(filled.path("elsewhere"))
    filled.index("elsewhere", catalog=other)
    for name_ in (b"-wal", b"-shm"):
        if os.path.exists(filled.catalog + name_):
            os.unlink(filled.catalog + name_)
    os.replace(other, filled.catalog)
    plan = sitting.plan()
    assert (plan["photos"], [each["name"] for each in plan["changed"]]) == (0, ["5.jpg.jpg"])
    assert "1 photo that the catalog does not know now stays chosen" in plan["words"]
    assert stored(filled) == [b"3.jpg.jpg"]
    filled.index()
    assert sitting.apply(sitting.plan())["done"] == 1


def test_of_a_photo_that_is_another_now_the_choice_is_not_shown(
    filled: Album, sitting: Sitting
) -> None:
    group = sitting.group_with("3.jpg")
    suggested, other = (each["name"] for each in group["photos"])
    sitting.choose(group, other, suggested)
    filled.put("3.jpg", saved(photo(3), quality=95))  # the same picture, but other bytes
    filled.index()
    number = sitting.desk.state()["answer"]
    sitting.wait(lambda state: state["answer"] > number)
    group = sitting.group_with("3.jpg")
    assert (group["keep"], group["decided"]) == (group["suggested"], False)


def test_choices_are_written_to_the_file_that_is_there(filled: Album, sitting: Sitting) -> None:
    path = decisions_file(filled.catalog)
    sitting.trash_others(sitting.group_with("3.jpg"))
    shutil.copy(path, path + b".backup")
    os.replace(path + b".backup", path)
    sitting.trash_others(sitting.group_with("5.jpg"))
    assert sorted(stored(filled)) == [b"3.jpg.jpg", b"5.jpg.jpg"]


def test_decisions_that_are_damaged_are_told_of_at_the_start(filled: Album) -> None:
    with Sitting(filled) as first:
        first.trash_others(first.group_with("3.jpg"))
    with open(decisions_file(filled.catalog), "r+b") as file:
        file.seek(200)
        file.write(b"\xff" * 8_000)
    with pytest.raises(CatalogUnusable, match="damaged"):
        Sitting(filled, ready=False)
    end = time.monotonic() + 5
    while any(each.name.startswith("imgcat-") for each in threading.enumerate()):
        assert time.monotonic() < end, threading.enumerate()
        time.sleep(0.01)


@needs_root
def test_a_catalog_that_cannot_be_written_is_shown_and_choosing_says_why_not(
    filled: Album,
) -> None:
    folder = os.fsdecode(os.path.dirname(filled.catalog))

    def shown() -> tuple[int, str]:
        mount("--bind", folder, folder)
        mount("-o", "remount,ro,bind", folder)
        with Sitting(filled) as sitting:
            group = sitting.group_with("3.jpg")
            with pytest.raises(CatalogError) as refused:
                sitting.trash_others(group)
            assert sitting.plan()["photos"] == 0
            assert sitting.desk.state()["trouble"] == ""
            return len(sitting.groups()), str(refused.value)

    groups, why = in_child(shown, own_mounts=True)
    assert groups == 2
    assert "cannot be" in why


def test_groups_that_went_since_they_were_found_are_not_listed(album: Album) -> None:
    for number in range(9):
        for copy in range(2):
            album.put(f"{number}-{copy}.jpg", saved(photo(number), quality=90))
    album.index()
    with Sitting(album) as sitting:
        album_names = sitting.names()
        for first, *_ in album_names[1:8]:
            os.unlink(album.path(first))
        sitting.desk._answers._tried = {}  # as if the next answer took its time
        album.index()
        page = sitting.page(count="2")
        assert [[each["name"] for each in group["photos"]] for group in page["groups"]] == [
            album_names[0],
            album_names[8],
        ]
        assert page["total"] == 2
        assert page["bytes"] == sum(group["reclaimable"] for group in page["groups"])
        assert sitting.page(offset="2")["groups"] == []


# -- the end of the server ---------------------------------------------------------------------


def test_what_was_done_is_not_chosen_any_more_though_the_server_ends(
    filled: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sitting(filled) as sitting:
        sitting.trash_others(sitting.group_with("3.jpg"))
        plan, held = sitting.plan(), Held(monkeypatch, "_told")
        sitting.do(sitting.desk.apply(plan["plan"]))
        sitting.wait(lambda _: held.begun.is_set())
        threading.Timer(0.3, held.go.set).start()
    assert stored(filled) == []
    assert not os.path.exists(filled.path("copies/3.jpg.jpg"))


def test_an_action_ends_with_the_server_after_the_file_at_hand(
    filled: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sitting(filled) as sitting:
        for name in ("3.jpg", "5.jpg"):
            sitting.trash_others(sitting.group_with(name))
        plan, held = sitting.plan(), Held(monkeypatch, "carried_out")
        sitting.do(sitting.desk.apply(plan["plan"]))
        sitting.wait(lambda _: held.begun.is_set())
        before = tree(filled)
        threading.Timer(0.3, held.go.set).start()
    assert tree(filled) == before
    assert len(stored(filled)) == 2


def test_the_server_does_not_wait_for_another_action_to_end(filled: Album) -> None:
    with Locks(filled.catalog).removing():
        with Sitting(filled) as sitting:
            sitting.trash_others(sitting.group_with("3.jpg"))
            plan = sitting.plan()
            sitting.do(sitting.desk.apply(plan["plan"]))
            sitting.do(asyncio.sleep(1.3))  # whom it waits for was said, once
            begun = time.monotonic()
        assert time.monotonic() - begun < 5
    time.sleep(0.3)  # it is its turn now, and it was to end
    assert os.path.exists(filled.path("copies/3.jpg.jpg"))


def test_the_server_does_not_wait_for_a_plan(
    filled: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch, "drafted")
    real = held._real
    monkeypatch.setattr(
        acts, "drafted", lambda *a, **k: (held.begun.set(), held.go.wait(30), real(*a, **k))[2]
    )
    with Sitting(filled) as sitting:
        sitting.trash_others(sitting.group_with("3.jpg"))

        async def begun() -> None:
            planned = asyncio.ensure_future(sitting.desk.plan(with_sidecars=False))
            await asyncio.sleep(0.2)
            planned.cancel()
            await asyncio.wait({planned})

        sitting.do(begun())
        assert held.begun.is_set()
        start = time.monotonic()
    assert time.monotonic() - start < 5
    held.go.set()
