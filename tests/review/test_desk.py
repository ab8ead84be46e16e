"""The desk: nothing is touched while deciding, and what is carried out is what was shown."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import UsageError
from catalog.keeping import parse
from catalog.queries.criteria import LOOKS_ALIKE
from catalog.review.asking import PageAsked
from catalog.review.desk import Refusal
from catalog.store.decisions import decisions_file
from tests.matching.albums import Album, album, inline, next_shot, photo, saved
from tests.review.sitting import Sitting, tree

__all__ = ["album", "inline"]


@pytest.fixture
def filled(album: Album) -> Album:
    """Two groups of the same picture, one of identical ones, and two shots that look alike."""
    album.add(1, "encoded", "half")
    album.add(2, "encoded")
    album.put("3.jpg", saved(photo(3), quality=90))
    album.put("copies/3.jpg.jpg", saved(photo(3), quality=90))
    album.put("4.jpg", saved(photo(4), quality=92))
    album.put("4-next.jpg", saved(next_shot(photo(4)), quality=91))
    album.index()
    return album


@pytest.fixture
def sitting(filled: Album) -> Iterator[Sitting]:
    with Sitting(filled) as found:
        yield found


def test_groups_are_those_of_dupes(filled: Album, sitting: Sitting) -> None:
    told = [[os.path.basename(name) for name in group] for group in filled.told(filled.ask())]
    assert sitting.names() == told
    assert sitting.wait(lambda state: state["ready"])["found"]["groups"] == 3


def test_a_choice_touches_no_file(filled: Album, sitting: Sitting) -> None:
    before = tree(filled)
    for group in sitting.groups():
        sitting.trash_others(group)
    assert tree(filled) == before
    assert sitting.desk.state()["chosen"]["photos"] == 4


def test_a_group_tells_what_was_chosen(sitting: Sitting) -> None:
    group = sitting.group_with("1-half.jpg")
    told = sitting.choose(group, "1-encoded.jpg", "1-half.jpg")["group"]
    dropped = {photo["name"]: photo["dropped"] for photo in told["photos"]}
    assert dropped == {"1-original.jpg": False, "1-encoded.jpg": False, "1-half.jpg": True}
    (kept,) = (photo for photo in told["photos"] if photo["id"] == told["keep"])
    assert kept["name"] == "1-encoded.jpg"
    assert sitting.names(state="decided") == [[photo["name"] for photo in told["photos"]]]
    assert len(sitting.groups(state="open")) == 2


def test_choosing_anew_replaces_what_was_chosen(sitting: Sitting) -> None:
    group = sitting.group_with("1-half.jpg")
    sitting.trash_others(group)
    sitting.choose(group, "1-half.jpg", "1-original.jpg")
    assert [each.goes.path.rpartition(b"/")[2] for each in sitting.desk._tray.choices.values()] == [
        b"1-original.jpg"
    ]


def test_what_is_carried_out_is_what_was_chosen(filled: Album, sitting: Sitting) -> None:
    before = tree(filled)
    sitting.choose(sitting.group_with("1-half.jpg"), "1-half.jpg", "1-original.jpg")
    sitting.trash_others(sitting.group_with("3.jpg"))
    plan = sitting.plan()
    assert plan["photos"] == 2
    assert tree(filled) == before
    receipt = sitting.apply(plan)
    assert (receipt["done"], receipt["refused"]) == (2, [])
    gone = {"1-original.jpg", "copies/3.jpg.jpg"}
    assert tree(filled) == {name: what for name, what in before.items() if name not in gone}
    assert sitting.desk.state()["chosen"]["photos"] == 0


def test_undo_brings_back_every_byte_and_time(filled: Album, sitting: Sitting) -> None:
    before = tree(filled)
    for group in sitting.groups():
        sitting.trash_others(group)
    receipt = sitting.apply(sitting.plan())
    assert len(tree(filled)) == len(before) - 4
    assert sitting.undo(receipt["action"])["done"] == 4
    assert tree(filled) == before
    sitting.wait(lambda state: state["found"]["groups"] == 3)


def test_groups_that_were_acted_on_are_gone_from_the_page(sitting: Sitting) -> None:
    sitting.trash_others(sitting.group_with("3.jpg"))
    sitting.apply(sitting.plan())
    state = sitting.wait(lambda state: state["found"]["groups"] == 2)
    assert state["answer"] > 1
    assert "3.jpg" not in {name for group in sitting.names() for name in group}


def test_a_plan_is_carried_out_once(filled: Album, sitting: Sitting) -> None:
    sitting.trash_others(sitting.group_with("3.jpg"))
    plan = sitting.plan()
    first = sitting.apply(plan)
    after = tree(filled)
    assert sitting.apply(plan) == first
    assert tree(filled) == after
    assert len(sitting.do(sitting.desk.history())["actions"]) == 1


def test_a_plan_that_something_was_chosen_after_is_refused(filled: Album, sitting: Sitting) -> None:
    sitting.trash_others(sitting.group_with("3.jpg"))
    plan, before = sitting.plan(), tree(filled)
    sitting.trash_others(sitting.group_with("1-half.jpg"))
    with pytest.raises(Refusal, match="something else was chosen since"):
        sitting.apply(plan)
    assert tree(filled) == before


def test_a_photo_that_changed_since_the_page_was_loaded_is_refused(
    filled: Album, sitting: Sitting
) -> None:
    group = sitting.group_with("3.jpg")
    filled.put("copies/3.jpg.jpg", saved(photo(9), quality=90))
    filled.index()
    with pytest.raises(Refusal):
        sitting.trash_others(group)
    assert not sitting.desk.state()["chosen"]["photos"]


def test_a_photo_that_changed_on_the_disk_is_refused(filled: Album, sitting: Sitting) -> None:
    group = sitting.group_with("3.jpg")
    filled.put("copies/3.jpg.jpg", saved(photo(9), quality=90))
    with pytest.raises(Refusal, match="changed on the disk") as refused:
        sitting.trash_others(group)
    assert refused.value.group is not None


@pytest.mark.parametrize("end", ["3.jpg", "copies/3.jpg.jpg"])
def test_a_photo_that_changed_after_it_was_chosen_stays(
    filled: Album, sitting: Sitting, end: str
) -> None:
    sitting.trash_others(sitting.group_with("3.jpg"))
    filled.put(end, saved(photo(9), quality=90))
    before = tree(filled)
    plan = sitting.plan()
    assert plan["photos"] == 0
    sitting.apply(plan)
    assert tree(filled) == before


def test_a_photo_that_changed_after_the_plan_stays(filled: Album, sitting: Sitting) -> None:
    sitting.trash_others(sitting.group_with("3.jpg"))
    plan = sitting.plan()
    filled.put("copies/3.jpg.jpg", saved(photo(9), quality=90))
    before = tree(filled)
    receipt = sitting.apply(plan)
    assert receipt["done"] == 0
    assert receipt["refused"][0]["name"] == "3.jpg.jpg"
    assert tree(filled) == before


def test_an_index_in_between_takes_what_changed_out_of_the_tray(
    filled: Album, sitting: Sitting
) -> None:
    sitting.trash_others(sitting.group_with("3.jpg"))
    filled.put("copies/3.jpg.jpg", saved(photo(9), quality=90))
    filled.index()
    plan = sitting.plan()
    assert [each["name"] for each in plan["changed"]] == ["3.jpg.jpg"]
    assert not sitting.desk.state()["chosen"]["photos"]


def test_choices_outlive_the_server(filled: Album) -> None:
    with Sitting(filled) as first:
        first.trash_others(first.group_with("3.jpg"))
        first.choose(first.group_with("1-half.jpg"), "1-half.jpg", "1-original.jpg")
    with Sitting(filled) as second:
        assert second.desk.state()["chosen"]["photos"] == 2
        assert len(second.groups(state="decided")) == 2
        assert second.apply(second.plan())["done"] == 2


def test_a_step_back_brings_back_what_was_chosen_before(sitting: Sitting) -> None:
    group = sitting.group_with("1-half.jpg")
    first = sitting.choose(group, "1-half.jpg", "1-original.jpg")
    second = sitting.choose(group, "1-original.jpg", "1-half.jpg", "1-encoded.jpg")
    told = sitting.step_back(second["step"])["group"]
    assert [p["name"] for p in told["photos"] if p["dropped"]] == ["1-original.jpg"]
    told = sitting.step_back(first["step"])["group"]
    assert not any(photo["dropped"] for photo in told["photos"])
    with pytest.raises(Refusal, match="cannot be taken back any more"):
        sitting.step_back(first["step"])


def test_a_step_that_was_built_on_is_not_taken_back(sitting: Sitting) -> None:
    group = sitting.group_with("1-half.jpg")
    first = sitting.choose(group, "1-half.jpg", "1-original.jpg")
    sitting.choose(group, "1-original.jpg", "1-half.jpg")
    with pytest.raises(Refusal, match="something else was chosen"):
        sitting.step_back(first["step"])


def test_clearing_is_a_step_too(sitting: Sitting) -> None:
    for group in sitting.groups():
        sitting.trash_others(group)
    cleared = sitting.do(sitting.desk.clear())
    assert cleared["state"]["chosen"]["photos"] == 0
    assert sitting.step_back(cleared["step"])["state"]["chosen"]["photos"] == 4


def test_both_kept_are_no_group_any_more_and_a_step_back_makes_them_one(
    filled: Album, sitting: Sitting
) -> None:
    group = sitting.group_with("2-encoded.jpg")
    told = sitting.keep_both(group, "2-original.jpg", "2-encoded.jpg")
    sitting.wait(lambda state: state["found"]["groups"] == 2)
    assert "2-encoded.jpg" not in {name for names in sitting.names() for name in names}
    assert len(filled.told(filled.ask())) == 2
    sitting.step_back(told["step"])
    sitting.wait(lambda state: state["found"]["groups"] == 3)


def test_what_only_looks_alike_is_shown_when_asked_for(filled: Album, sitting: Sitting) -> None:
    assert sitting.page(grade="similar")["ready"] is False
    sitting.wait(lambda state: state["finding"] is None)
    assert sorted(sitting.names(grade="similar")[0]) == ["4-next.jpg", "4.jpg"]
    group = sitting.group_with("4.jpg", grade="similar")
    keep, other = [each["name"] for each in group["photos"]]
    sitting.choose(group, other, keep)
    before = tree(filled)
    assert sitting.apply(sitting.plan())["done"] == 1
    assert set(before) - set(tree(filled)) == {keep}


def test_with_similar_asked_for_at_the_start_one_answer_holds_all(filled: Album) -> None:
    with Sitting(filled, criteria=LOOKS_ALIKE) as sitting:
        assert len(sitting.groups(grade="both")) == 3
        assert len(sitting.groups(grade="similar")) == 1
        assert len(sitting.groups(grade="all")) == 4
        assert sitting.desk.state()["alike"]


def test_a_protected_photo_is_not_chosen_to_go(filled: Album) -> None:
    rules = parse(None, [filled.path("copies")])
    with Sitting(filled, keep=rules) as sitting:
        group = sitting.group_with("3.jpg")
        assert [photo["protected"] for photo in group["photos"]] == [True, False]
        with pytest.raises(Refusal, match="protected"):
            sitting.choose(group, "3.jpg", "3.jpg.jpg")


def test_another_name_of_the_kept_file_is_not_chosen_to_go(filled: Album) -> None:
    os.link(filled.path("3.jpg"), filled.path("3-link.jpg"))
    filled.index()
    with Sitting(filled) as sitting:
        group = sitting.group_with("3-link.jpg")
        with pytest.raises(Refusal, match="another name of the kept file"):
            sitting.choose(group, "3.jpg", "3-link.jpg")


def test_a_photo_is_not_kept_and_thrown_away(sitting: Sitting) -> None:
    with pytest.raises(Refusal, match="cannot be kept and go"):
        sitting.choose(sitting.group_with("3.jpg"), "3.jpg", "3.jpg", "3.jpg.jpg")


def test_a_photo_of_another_group_is_refused(sitting: Sitting) -> None:
    one, other = sitting.group_with("3.jpg"), sitting.group_with("2-encoded.jpg")
    mixed = {**one, "photos": [*one["photos"], *other["photos"]]}
    with pytest.raises(Refusal, match="not in this group"):
        sitting.choose(mixed, "3.jpg", "2-encoded.jpg")


def test_what_is_indexed_meanwhile_appears(filled: Album, sitting: Sitting) -> None:
    before = sitting.desk.state()["answer"]
    filled.put("2-new.jpg", saved(photo(2), quality=93))
    filled.index()
    sitting.wait(lambda state: state["answer"] > before)
    assert "2-new.jpg" in sitting.names()[[len(n) for n in sitting.names()].index(3)] or any(
        "2-new.jpg" in names for names in sitting.names()
    )


def test_writing_that_changes_no_group_moves_nothing(filled: Album, sitting: Sitting) -> None:
    before = sitting.desk.state()["answer"]
    filled.put("alone.jpg", saved(photo(40), quality=93))
    filled.index()
    sitting.do(asyncio.sleep(2.5))
    assert sitting.desk.state()["answer"] == before


def test_a_choice_that_cannot_be_written_down_is_not_made(
    filled: Album, sitting: Sitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = sitting.group_with("3.jpg")
    path = decisions_file(filled.catalog)
    sitting.trash_others(sitting.group_with("2-encoded.jpg"))
    with sqlite3.connect(os.fsdecode(path), isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr("catalog.store.decisions._BUSY_TIMEOUT", 0.1)
        with pytest.raises(Exception, match="locked"):
            sitting.trash_others(group)
        other.execute("ROLLBACK")
    other.close()
    assert sitting.desk.state()["chosen"]["photos"] == 1


def test_sidecars_go_along_only_when_that_is_wanted(filled: Album) -> None:
    Path(os.fsdecode(filled.path("copies/3.jpg.xmp"))).write_bytes(b"<x/>")
    with Sitting(filled) as sitting:
        sitting.trash_others(sitting.group_with("3.jpg"))
        plan = sitting.plan()
        assert (plan["photos"], plan["groups"][0]["stays"][0]["name"]) == (0, "3.jpg.jpg")
        assert "3.jpg.xmp" in plan["groups"][0]["stays"][0]["why"]
        receipt = sitting.apply(sitting.plan(with_sidecars=True))
        assert (receipt["done"], receipt["companions"]) == (1, 1)


def test_the_server_is_not_idle_while_files_are_moved(sitting: Sitting) -> None:
    sitting.trash_others(sitting.group_with("3.jpg"))
    plan = sitting.plan()
    sitting.do(sitting.desk.apply(plan["plan"]))
    sitting.wait(lambda state: sitting.presence.busy or state["acting"] is None)
    sitting.wait(lambda state: state["acting"] is None)
    assert not sitting.presence.busy


def choose_all(sitting: Sitting, **query: str) -> Any:
    return sitting.do(sitting.desk.choose_all(PageAsked.of(query)))


def test_all_identical_copies_are_chosen_at_once_and_taken_back_at_once(
    filled: Album, sitting: Sitting
) -> None:
    before = tree(filled)
    told = choose_all(sitting, grade="identical")
    assert (told["photos"], told["more"]) == (1, False)
    (choice,) = sitting.desk._tray.choices.values()
    assert choice.goes.path == filled.path("copies/3.jpg.jpg")
    assert tree(filled) == before
    assert sitting.step_back(told["step"])["state"]["chosen"]["photos"] == 0


@pytest.mark.parametrize("grade", ["both", "same", "similar"])
def test_only_identical_ones_are_chosen_without_a_look(sitting: Sitting, grade: str) -> None:
    with pytest.raises(UsageError, match="equal bytes"):
        choose_all(sitting, grade=grade)


def test_of_all_those_that_were_decided_stay_as_they_were(filled: Album, sitting: Sitting) -> None:
    sitting.choose(sitting.group_with("3.jpg"), "3.jpg.jpg", "3.jpg")
    assert choose_all(sitting, grade="identical")["photos"] == 0
    assert list(sitting.desk._tray.choices) == [filled.path("3.jpg")]


def test_of_all_what_is_protected_linked_or_changed_is_left_out(filled: Album) -> None:
    os.link(filled.path("3.jpg"), filled.path("3-link.jpg"))
    for number, name in ((50, "safe/50.jpg"), (51, "51-copy.jpg"), (52, "52-copy.jpg")):
        filled.put(f"{number}.jpg", saved(photo(number), quality=90))
        filled.put(name, saved(photo(number), quality=90))
    filled.index()
    filled.put("51-copy.jpg", saved(photo(99), quality=90))
    with Sitting(filled, keep=parse("folder:" + os.fsdecode(filled.path("copies")))) as first:
        choose_all(first, grade="identical")
        goes = set(first.desk._tray.choices)
    assert goes == {filled.path(name) for name in ("3.jpg", "3-link.jpg", "safe/50.jpg")} | {
        filled.path("52-copy.jpg")
    }
    rules = parse("folder:" + os.fsdecode(filled.path("copies")), [filled.path("safe")])
    with Sitting(filled, keep=rules) as second:
        second.do(second.desk.clear())
        choose_all(second, grade="identical")
        assert filled.path("safe/50.jpg") not in second.desk._tray.choices


def test_of_all_no_more_are_chosen_than_fit_at_once(
    filled: Album, sitting: Sitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (50, 51):
        filled.put(f"{number}.jpg", saved(photo(number), quality=90))
        filled.put(f"{number}-copy.jpg", saved(photo(number), quality=90))
    filled.index()
    sitting.wait(lambda state: state["found"]["groups"] == 5)
    monkeypatch.setattr("catalog.review.desk.MOST_CHOSEN", 2)
    first = choose_all(sitting, grade="identical")
    assert (first["photos"], first["more"]) == (2, True)
    second = choose_all(sitting, grade="identical")
    assert (second["photos"], second["more"]) == (1, False)
