"""Plans, receipts and the history, for people and as JSON, from records made by hand."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from catalog.escaping import UNSAFE
from catalog.model import (
    Action,
    ActionPlan,
    Companion,
    Deed,
    Kind,
    Match,
    Order,
    Photo,
    Planned,
    PlannedGroup,
    Receipt,
    Refusal,
    Removal,
    Rule,
    Side,
    Spared,
    State,
)
from catalog.rendering import doing, done, structured
from catalog.rendering.look import Look

BEGUN = 1_625_400_000_123_456_789  # 2021-07-04 12:00, UTC
ACTIONS = [deed for deed in Deed if deed is not Deed.KEEP_BOTH]


def plan_as_json(plan: ActionPlan) -> Any:
    """What is written, read again."""
    out = io.StringIO()
    done.write_plan(plan, out)
    return json.loads(out.getvalue())


def shown(write: Callable[..., None], *answer: Any, look: Look | None = None) -> str:
    out = io.StringIO()
    write(*answer, out, look or Look())
    return out.getvalue()


def plan_of(photo: Callable[..., Photo], deed: Deed = Deed.TRASH, **order: Any) -> ActionPlan:
    """One group: of three copies two go, one of them with two files."""
    kept = photo(b"/photos/a.jpg")
    match = Match(photo(b"/copies/a.jpg"), Kind.IDENTICAL, 0, 1.0)
    other = Match(photo(b"/copies/b.jpg"), Kind.IDENTICAL, 0, 1.0)
    third = Match(photo(b"/safe/a.jpg"), Kind.IDENTICAL, 0, 1.0)
    companions = (Companion(b"/copies/a.xmp", b"/photos/a.xmp"), Companion(b"/copies/a.aae", None))
    copies = (
        Planned(match, companions),
        Planned(other),
        Planned(third, spared=Spared.PROTECTED),
    )
    groups = (PlannedGroup(kept, "shorter path", copies),)
    return ActionPlan(Order(deed, **order), groups, 4_000_000, ((b"/media/card", "not there"),))


def removal(path: bytes, state: State = State.DONE, **other: Any) -> Removal:
    fields: dict[str, Any] = {
        "place": b"/trash/files/x",
        "keeper": b"/photos/a.jpg",
        "kind": Kind.IDENTICAL,
        "unit": 1,
        "companion": False,
        "digest": bytes(32),
        "size": 5,
        "mtime_ns": 0,
        "mode": 0o644,
        "owner": 0,
        "group": 0,
        "inode": 1,
    }
    return Removal(path, state=state, **{**fields, **other})


# -- plans -------------------------------------------------------------------------------------


def test_a_plan_names_every_file_and_what_becomes_of_it(photo) -> None:
    assert shown(doing.write_plan, plan_of(photo)) == (
        "Group 1: identical (kept: shorter path)\n"
        "  keep           2.0 MB  4032x3024   2021-07-04 12:00  /photos/a.jpg\n"
        "  trash          2.0 MB  4032x3024   2021-07-04 12:00  /copies/a.jpg\n"
        "                with /copies/a.xmp\n"
        "                with /copies/a.aae  (the kept one has none like it)\n"
        "  trash          2.0 MB  4032x3024   2021-07-04 12:00  /copies/b.jpg\n"
        "  left alone     2.0 MB  4032x3024   2021-07-04 12:00  /safe/a.jpg  (protected)\n"
        "\n"
        "Left out, as it is not there now: /media/card (not there)\n"
    )


@pytest.mark.parametrize(
    ("deed", "word", "sums"),
    [
        (Deed.TRASH, "trash", "move to the trash, {} 4.0 MB to win once the trash is emptied"),
        (Deed.HARDLINK, "hard link", "replace by hard links, {} 4.0 MB to win"),
        (Deed.REFLINK, "share blocks", "let share the blocks of the kept ones, {} 4.0 MB to win"),
        (Deed.MOVE, "move", "move into /away, {}"),
        (Deed.DELETE, "delete", "delete for good, {} 4.0 MB to win"),
    ],
)
def test_a_plan_says_what_it_comes_to(photo, deed: Deed, word: str, sums: str) -> None:
    folder = b"/away" if deed is Deed.MOVE else None
    planned = plan_of(photo, deed, folder=folder)
    assert f"\n  {word:14}" in shown(doing.write_plan, planned)
    first, *rest = shown(doing.write_sums, planned).splitlines()
    wanted = "2 photos to " + sums.format("2 files with them, 1 left alone,")
    assert first == wanted.rstrip(",")
    assert bool(rest) == (deed is Deed.HARDLINK), "what a hard link is, is said where it matters"


def test_a_plan_in_which_nothing_goes_says_so(photo) -> None:
    whole = plan_of(photo)
    (group,) = whole.groups
    empty = replace(whole, groups=(), bytes_won=0)
    assert shown(doing.write_sums, empty) == "Nothing to do.\n"
    left = replace(whole, groups=(replace(group, copies=group.copies[2:]),))
    assert shown(doing.write_sums, left) == "Nothing to do. 1 copy left alone.\n"


def test_in_a_group_of_other_bytes_each_file_says_what_it_is(photo) -> None:
    kept = photo(b"/a.jpg")
    same = Match(photo(b"/b.jpg"), Kind.SAME, 2, 0.9987, lost=(Side("left", 0.08),))
    copies = (Planned(Match(photo(b"/c.jpg"), Kind.IDENTICAL, 0, 1.0)), Planned(same))
    planned = ActionPlan(Order(Deed.TRASH), (PlannedGroup(kept, "older", copies),), 1)
    said = shown(doing.write_plan, planned)
    assert said.startswith("Group 1: same picture (kept: older)\n")
    assert "/c.jpg  (identical)\n" in said
    assert "/b.jpg  (same 0.999, lost 8 % on the left)\n" in said


@pytest.mark.parametrize("spared", Spared)
def test_each_reason_to_leave_a_copy_alone_has_its_words(photo, spared: Spared) -> None:
    match = Match(photo(b"/c.jpg"), Kind.IDENTICAL, 0, 1.0)
    words = doing.spared_words(Planned(match, spared=spared, detail=b"/x/\x1b a.xmp"))
    assert words
    assert "{" not in words
    assert words == words.strip().rstrip(".")
    assert (spared is Spared.COMPANION) == words.endswith("\\x1b a.xmp")
    others = {
        doing.spared_words(Planned(match, spared=other)) for other in Spared if other is not spared
    }
    assert words not in others


def test_a_group_that_was_chosen_by_eye_says_that_it_only_looks_alike(photo) -> None:
    same = Planned(Match(photo(b"/b.jpg"), Kind.SAME, 2, 0.9987))
    like = Planned(
        Match(
            photo(b"/c.jpg"),
            Kind.SIMILAR,
            9,
            0.912,
            rule=Rule.LOOKS_ALIKE,
            more=(Side("left", 0.1),),
        )
    )
    group = PlannedGroup(photo(b"/a.jpg"), "chosen", (same, like))
    planned = ActionPlan(Order(Deed.TRASH, by_eye=True), (group,), 1)
    said = shown(doing.write_plan, planned)
    assert said.startswith("Group 1: similar (kept: chosen)\n")
    assert "/b.jpg  (same 0.999)\n" in said
    assert "/c.jpg  (similar 0.912, " in said
    (told,) = plan_as_json(planned)["groups"]
    assert [copy["kind"] for copy in told["copies"]] == ["same", "similar"]
    files = done.history([], [removal(b"/c.jpg", kind=Kind.SIMILAR)])["files"]
    assert [file["kind"] for file in files] == ["similar"]


def test_a_group_in_which_nothing_is_left_is_shown_all_the_same(photo) -> None:
    planned = ActionPlan(Order(Deed.TRASH), (PlannedGroup(photo(b"/a.jpg"), "chosen", ()),), 0)
    assert shown(doing.write_plan, planned).startswith("Group 1: identical (kept: chosen)\n")


def test_the_json_of_a_plan_has_every_file(photo) -> None:
    answer = plan_as_json(plan_of(photo, Deed.MOVE, folder=b"/aw\xffay"))
    assert list(answer)[:4] == ["format", "action", "into", "into_b64"]
    assert (answer["applied"], answer["photos"], answer["companions"]) == (False, 2, 2)
    assert (answer["bytes"], answer["refused"]) == (4_000_000, 0), "protected ones are no surprise"
    assert answer["offline"] == [{"path": "/media/card", "why": "not there"}]
    (group,) = answer["groups"]
    assert (group["keep"], group["keep_reason"]) == ("/photos/a.jpg", "shorter path")
    first, second, third = group["copies"]
    assert first == {
        "path": "/copies/a.jpg",
        "kind": "identical",
        "size": 2_000_000,
        "action": "move",
        "spared": None,
        "why": None,
        "companions": [{"path": "/copies/a.xmp"}, {"path": "/copies/a.aae"}],
    }
    assert second["companions"] == []
    assert (third["action"], third["spared"], third["why"]) == (None, "protected", "protected")


# -- receipts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deed", "line", "undo"),
    [
        (
            Deed.TRASH,
            "2 photos moved to the trash, 1 file with them, 4.0 MB won once the trash is emptied.",
            "'imgcat undo 7' puts them back.",
        ),
        (
            Deed.HARDLINK,
            "2 photos replaced by hard links, 1 file with them, 4.0 MB won.",
            "'imgcat undo 7' makes them files of their own again.",
        ),
        (
            Deed.REFLINK,
            "2 photos made to share the blocks of the kept ones, 1 file with them, 4.0 MB won.",
            None,
        ),
        (Deed.MOVE, "2 photos moved, 1 file with them.", "'imgcat undo 7' puts them back."),
        (
            Deed.DELETE,
            "2 photos deleted for good, 1 file with them, 4.0 MB won.",
            "'imgcat undo 7' copies them back from the kept ones, as long as these are there.",
        ),
    ],
)
def test_a_receipt_says_what_was_done_and_how_to_undo_it(
    deed: Deed, line: str, undo: str | None
) -> None:
    receipt = Receipt(deed, 7, done=2, companions=1, bytes_won=4_000_000)
    wanted = line + "\n" + ("" if undo is None else undo + "\n")
    assert shown(doing.write_receipt, receipt) == wanted
    nothing = shown(doing.write_receipt, Receipt(deed, None))
    assert nothing.startswith("0 photos ")
    assert "undo" not in nothing


def test_a_receipt_says_what_was_refused_and_what_ended_it() -> None:
    refused = tuple(Refusal(b"/%d.jpg" % number, "it changed") for number in range(60))
    receipt = Receipt(Deed.TRASH, 7, 1, refused=refused, interrupted=True, stopped="no \x1b room")
    lines = shown(doing.write_receipt, receipt).splitlines()
    assert lines[1] == "Left where it is: /0.jpg (it changed)"
    assert lines[50] == "Left where it is: /49.jpg (it changed)"
    assert lines[51:54] == [
        "... and 10 more; --json names them all",
        "Interrupted: the rest is as it was.",
        "It ended early: no \\x1b room",
    ]
    assert len(done.receipt(receipt)["refused"]) == 60


def test_what_was_left_alone_is_counted(photo) -> None:
    whole = plan_of(photo)
    (group,) = whole.groups
    changed = replace(group.copies[1], spared=Spared.CHANGED)
    plan = replace(whole, groups=(replace(group, copies=(*group.copies, changed)),))
    said = shown(doing.write_left, plan)
    assert said == "1 copy left alone: the same without --apply and --yes says why\n"
    answer = done.receipt(Receipt(Deed.TRASH, 1, 1), plan)
    assert answer["refused"] == [
        {"path": "/copies/b.jpg", "why": "it changed or went since it was indexed"}
    ]


def test_what_was_undone_is_told() -> None:
    receipt = Receipt(Deed.TRASH, 7, done=2, companions=1)
    assert shown(doing.write_undone, receipt) == "2 photos put back, 1 file with them.\n"
    refused = replace(receipt, done=1, companions=0, refused=(Refusal(b"/a.jpg", "why"),))
    assert shown(doing.write_undone, refused) == (
        "1 photo put back.\nLeft where it is: /a.jpg (why)\n"
    )
    both = Receipt(Deed.KEEP_BOTH, 8, done=3)
    assert shown(doing.write_undone, both) == (
        "3 pictures may be duplicates of each other again.\n"
    )


def test_the_json_of_a_receipt_is_whole() -> None:
    answer = done.receipt(Receipt(Deed.DELETE, None, stopped="no room", interrupted=True))
    assert answer == {
        "format": 1,
        "action": "delete",
        "applied": True,
        "id": None,
        "photos": 0,
        "companions": 0,
        "bytes": 0,
        "refused": [],
        "interrupted": True,
        "stopped": "no room",
    }


# -- the history -------------------------------------------------------------------------------


def test_the_history_is_a_line_an_action() -> None:
    actions = [
        Action(12, Deed.KEEP_BOTH, BEGUN, 0, 0, {}),
        Action(11, Deed.KEEP_BOTH, BEGUN, 2, 0, {State.DONE: 2}),
        Action(10, Deed.MOVE, BEGUN, 3, 5000, {State.DONE: 1, State.UNDONE: 2}, b"/away"),
        Action(9, Deed.DELETE, BEGUN, 1, 5000, {State.ASIDE: 1}),
        Action(8, Deed.TRASH, BEGUN, 1, 5000, {State.GONE: 1}),
        Action(1, Deed.HARDLINK, BEGUN, 2, 5000, {State.UNDONE: 2, State.RETURNED: 1}),
    ]
    assert shown(doing.write_history, actions) == (
        "12  2021-07-04 12:00  pictures kept beside each other  (undone)\n"
        "11  2021-07-04 12:00  2 pictures kept beside each other\n"
        "10  2021-07-04 12:00  3 files (5.0 KB) moved into /away  (2 undone)\n"
        " 9  2021-07-04 12:00  1 file (5.0 KB) deleted for good  (unfinished)\n"
        " 8  2021-07-04 12:00  1 file (5.0 KB) moved to the trash  "
        "(gone from where they were put)\n"
        " 1  2021-07-04 12:00  2 files (5.0 KB) replaced by hard links  (undone)\n"
    )
    assert shown(doing.write_history, []) == "Nothing was done yet.\n"


def test_the_files_of_an_action_say_where_they_are_and_what_was_kept() -> None:
    files = [
        removal(b"/copies/a.jpg"),
        removal(b"/copies/a.aae", keeper=b"", companion=True),
        removal(b"/copies/b.jpg", State.UNDONE, place=b"/copies/b.jpg"),
    ]
    assert shown(doing.write_files, files) == (
        "  done      /copies/a.jpg -> /trash/files/x\n"
        "            kept: /photos/a.jpg\n"
        "  done      /copies/a.aae -> /trash/files/x\n"
        "  undone    /copies/b.jpg\n"
        "            kept: /photos/a.jpg\n"
    )


def test_the_json_of_the_history_is_whole() -> None:
    action = Action(3, Deed.MOVE, BEGUN, 1, 5, {State.DONE: 1}, b"/away")
    without = removal(b"/b\xff.xmp", keeper=b"", companion=True)
    answer = done.history([action], [removal(b"/a.jpg"), without])
    assert answer["actions"] == [
        {
            "id": 3,
            "action": "move",
            "begun": "2021-07-04T12:00:00.123456Z",
            "files": 1,
            "bytes": 5,
            "into": "/away",
            "undone": False,
            "states": {"done": 1},
        }
    ]
    first, second = answer["files"]
    assert first == {
        "path": "/a.jpg",
        "place": "/trash/files/x",
        "kept": "/photos/a.jpg",
        "kind": "identical",
        "size": 5,
        "digest": "00" * 32,
        "companion": False,
        "state": "done",
    }
    assert "kept" not in second
    assert {"path", "path_b64"} <= set(second)
    assert "files" not in done.history([action])


def test_what_was_cut_off_is_told_in_a_sentence() -> None:
    assert list(doing.recovered(0, 0, 0, [])) == []
    assert list(doing.recovered(1, 2, 3, ["/a waits"])) == [
        "an action was cut off: 1 file put back, 2 files where they were to go, 3 files neither at "
        "home nor where they were put: somebody else took them ('imgcat history' knows)",
        "/a waits",
    ]


# -- hostile names -----------------------------------------------------------------------------


def everything_said(name: bytes, photo: Callable[..., Photo]) -> dict[str, str]:
    """All that these writers make of a hostile name, wherever one may stand."""
    words = name.decode("utf-8", "surrogateescape")
    hostile = photo(name, taken_at=words, camera=words, format=words)
    match = Match(hostile, Kind.SAME, 0, 1.0)
    copies = (
        Planned(match, (Companion(name, None),)),
        Planned(match, spared=Spared.COMPANION, detail=name),
    )
    group = PlannedGroup(hostile, "older", copies)
    plan = ActionPlan(Order(Deed.MOVE, name, (name,)), (group,), 1, ((name, words),))
    receipt = Receipt(Deed.MOVE, 1, 1, refused=(Refusal(name, words),), stopped=words)
    action = Action(1, Deed.MOVE, BEGUN, 1, 1, {State.DONE: 1}, name)
    answers: dict[str, tuple[Callable[..., None], Any]] = {
        "plan": (doing.write_plan, plan),
        "sums": (doing.write_sums, plan),
        "receipt": (doing.write_receipt, receipt),
        "undone": (doing.write_undone, receipt),
        "history": (doing.write_history, [action]),
        "files": (doing.write_files, [removal(name, place=name + b"x", keeper=name)]),
    }
    said = {
        f"{what} {look.width}": shown(write, answer, look=look)
        for what, (write, answer) in answers.items()
        for look in (Look(), Look(width=60))
    }
    objects = (
        plan_as_json(plan),
        done.receipt(receipt, plan),
        done.history([action], [removal(name, place=name, keeper=name)]),
    )
    for number, answer in enumerate(objects):
        out = io.StringIO()
        structured.write_json(answer, out)
        json.loads(out.getvalue())
        said[f"json {number}"] = out.getvalue()
    return said


def test_no_name_gets_through_that_does_harm(hostile_names, photo) -> None:
    for name in hostile_names:
        for what, text in everything_said(name, photo).items():
            visible = text.replace("\n", "")
            assert not UNSAFE.search(visible), f"{what}: {visible!r}"


def test_a_name_cannot_add_lines(photo) -> None:
    calm = {what: text.count("\n") for what, text in everything_said(b"calm", photo).items()}
    wild = everything_said(b"wi\nld\r\x0b\x0c\x1c\xc2\x85\xe2\x80\xa8", photo)
    assert {what: text.count("\n") for what, text in wild.items()} == calm
    assert all(len(text.splitlines()) == calm[what] for what, text in wild.items())
