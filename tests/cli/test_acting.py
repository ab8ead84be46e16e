"""Copies go only when somebody said so twice: with --apply, and with yes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest
from albums import OLD, Album, small
from commandline import Done, one_line, picture, tree

from catalog import Catalog
from catalog.errors import UsageError
from catalog.model import Deed, State
from tests.watching.following import Following, wait_for

WAYS = (["--trash"], ["--hardlink"], ["--reflink"], ["--move", "MOVED"], ["--delete"])
NO_TERMINAL = "imgcat: nothing was done: there is no terminal to ask on, so say --yes as well\n"
PLAN = [
    *("format", "action", "applied", "groups", "photos", "companions", "bytes", "refused"),
    "offline",
]
COPY = ["path", "kind", "size", "action", "spared", "why", "companions"]
RECEIPT = [
    *("format", "action", "applied", "id", "photos", "companions", "bytes", "refused"),
    *("interrupted", "stopped"),
]


@pytest.fixture
def album(empty: Album) -> Album:
    return small(empty)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Album:
    """For what changes nothing: tests share it."""
    return small(Album(tmp_path_factory.mktemp("still")))


def way(album: Album, words: list[str]) -> list[str]:
    return [str(album.top.parent / "moved") if word == "MOVED" else word for word in words]


# -- without --apply, and without yes ----------------------------------------------------------


@pytest.mark.parametrize("words", WAYS, ids=lambda words: words[0])
def test_without_apply_the_plan_is_shown_and_nothing_changes(
    still: Album, words: list[str]
) -> None:
    before = tree(still.top)
    done = still.dupes(*way(still, words))
    assert (done.code, done.errors) == (0, "")
    assert done.text.endswith("\nNothing was changed: the same with --apply does it.\n")
    assert done.text.count("keep ") == 3
    for number in range(3):
        assert f"{still.top}/copies/{number}.png" in done.text
    assert "(kept: older)" in done.text
    quiet = still.dupes(*way(still, words), "-q")
    assert "--apply" not in quiet.text
    assert tree(still.top) == before
    assert not (still.top.parent / "moved").exists()
    assert not still.decisions.exists()
    assert not still.trash.exists()


def test_the_plan_says_what_becomes_of_every_file_and_why(still: Album) -> None:
    said = still.dupes("--trash").text
    top = still.top
    trashed = [line for line in said.splitlines() if line.startswith("  trash ")]
    assert {line.rpartition("/")[2] for line in trashed} == {"0.png", "1.png"}
    assert f"\n                with {top}/copies/1.xmp\n" in said
    (left,) = [line for line in said.splitlines() if line.startswith("  left alone ")]
    assert left.endswith(
        f"{top}/copies/2.png  (what belongs to it has no equal beside the kept one: 2.xmp)"
    )
    assert "2 photos to move to the trash, 1 file with them, 1 left alone, " in said
    assert "to win once the trash is emptied\n" in said
    assert "copies/0 as.jpg" not in said, "other bytes are another matter: --same"


def test_the_plan_with_sidecars_takes_along_what_has_no_equal(still: Album) -> None:
    said = still.dupes("--trash", "--with-sidecars").text
    assert f"with {still.top}/copies/2.xmp  (the kept one has none like it)" in said
    assert "3 photos to move to the trash, 2 files with them, " in said


def test_the_plan_of_same_has_the_other_bytes_too_and_says_which_is_which(still: Album) -> None:
    said = still.dupes("--trash", "--same").text
    assert f"{still.top}/copies/0.png  (identical)\n" in said
    assert f"{still.top}/copies/0 as.jpg  (same " in said
    assert "3 photos to move to the trash" in said
    answer = still.dupes("--trash", "--same", "--json").json
    kinds = {
        Path(copy["path"]).name: copy["kind"]
        for group in answer["groups"]
        for copy in group["copies"]
    }
    assert kinds == {"0.png": "identical", "1.png": "identical", "2.png": "identical"} | {
        "0 as.jpg": "same"
    }


@pytest.mark.parametrize("words", WAYS, ids=lambda words: words[0])
def test_the_json_of_a_plan_has_its_fields(still: Album, words: list[str]) -> None:
    done = still.dupes(*way(still, words), "--json")
    assert (done.code, done.errors) == (0, "")
    answer = done.json
    fields = [*PLAN[:2], "into", *PLAN[2:]] if words[0] == "--move" else PLAN
    assert list(answer) == fields
    assert answer["format"] == 1
    assert answer["applied"] is False
    assert answer["action"] == words[0].removeprefix("--")
    for group in answer["groups"]:
        assert list(group) == ["keep", "keep_reason", "size", "copies"]
        for copy in group["copies"]:
            assert list(copy) == COPY
    if words[0] in ("--trash", "--move", "--delete"):
        assert (answer["photos"], answer["companions"], answer["refused"]) == (2, 1, 1)
        ((left, why),) = [
            (copy["spared"], copy["why"])
            for group in answer["groups"]
            for copy in group["copies"]
            if copy["action"] is None
        ]
        assert left == "companion"
        assert why.endswith(": 2.xmp")
    else:
        assert (answer["photos"], answer["refused"]) == (3, 0)


@pytest.mark.parametrize(
    "words", [*WAYS, ["--trash", "--json"], ["--trash", "-q"]], ids=lambda words: " ".join(words)
)
def test_off_a_terminal_without_yes_nothing_is_done(still: Album, words: list[str]) -> None:
    before = tree(still.top)
    done = still.dupes(*way(still, words), "--apply")
    assert (done.code, done.errors, done.text) == (4, NO_TERMINAL, "")
    assert tree(still.top) == before
    assert not still.decisions.exists()


@pytest.mark.parametrize("stdin", ["yes", "closed"])
def test_who_pipes_yes_into_it_is_no_terminal(still: Album, stdin: str) -> None:
    before = tree(still.top)
    command = still.imgcat.command("dupes", "--trash", "--apply")
    if stdin == "yes":
        done = still.imgcat.execute(command, input=b"y\n" * 100)
    else:
        done = still.imgcat.execute([b"/bin/sh", b"-c", b'exec "$@" <&-', b"sh", *command])
    assert (done.code, done.errors, done.out) == (4, NO_TERMINAL, b"")
    assert tree(still.top) == before


@pytest.mark.parametrize("answer", ["n", "yess", "^D", "^C"])
def test_at_a_terminal_anything_but_yes_changes_nothing(still: Album, answer: str) -> None:
    before = tree(still.top)
    done = still.imgcat.answering("dupes", "--trash", "--apply", answers=[answer])
    said = done.text.replace("\r", "")
    assert done.code == 4
    assert "  trash " in said, "what is asked about is shown"
    assert "2 photos to move to the trash: do it? [y/N] " in said
    assert said.endswith("\nimgcat: nothing was done\n")
    assert tree(still.top) == before
    assert not still.decisions.exists()


def test_delete_asks_twice(still: Album) -> None:
    before = tree(still.top)
    done = still.imgcat.answering("dupes", "--delete", "--apply", answers=["y", "n"])
    said = done.text.replace("\r", "")
    assert done.code == 4
    assert "2 photos to delete for good: do it? [y/N] y\n" in said
    assert "They will be in no trash. Really delete 2 photos for good? [y/N] n\n" in said
    assert said.endswith("imgcat: nothing was done\n")
    assert tree(still.top) == before


# -- with both ---------------------------------------------------------------------------------


def test_at_a_terminal_yes_does_it_and_tells_how_to_undo_it(album: Album) -> None:
    before = album.hashes()
    done = album.imgcat.answering("dupes", "--trash", "--apply", answers=["y"])
    assert "2 photos moved to the trash, 1 file with them, " in done.text
    assert "'imgcat undo 1' puts them back." in done.text
    assert done.code == 4, "one was left alone"
    gone = {"copies/0.png", "copies/1.png", "copies/1.xmp"}
    assert album.hashes() == {name: each for name, each in before.items() if name not in gone}
    assert album.thrown() == {"0.png", "1.png", "1.xmp"}


def test_delete_does_it_after_both(album: Album) -> None:
    before = album.hashes()
    done = album.imgcat.answering("dupes", "--delete", "--apply", answers=["y", "yes"])
    assert "2 photos deleted for good, 1 file with them, " in done.text
    assert set(before) - album.names() == {"copies/0.png", "copies/1.png", "copies/1.xmp"}
    assert album.thrown() == set()
    with closing(sqlite3.connect(album.decisions)) as journal:
        assert journal.execute("SELECT count(*), min(state) FROM removal").fetchone() == (3, "done")


def test_with_yes_it_says_what_it_did_and_that_some_were_left_alone(album: Album) -> None:
    done = album.dupes("--trash", "--apply", "--yes")
    first, second, third = done.text.splitlines()
    assert first.startswith("2 photos moved to the trash, 1 file with them, ")
    assert first.endswith(" won once the trash is emptied.")
    assert second == "'imgcat undo 1' puts them back."
    assert third == "1 copy left alone: the same without --apply and --yes says why"
    assert (done.code, done.errors) == (4, "")
    again = album.dupes("--trash", "--apply", "--yes")
    assert again.text.endswith("\nNothing to do. 1 copy left alone.\n")
    assert again.code == 4


def test_where_all_is_done_it_returns_zero(album: Album) -> None:
    done = album.dupes("--trash", "--apply", "--yes", "--with-sidecars")
    assert (done.code, len(done.text.splitlines())) == (0, 2)
    again = album.dupes("--trash", "--apply", "--yes")
    assert (again.code, again.text) == (0, "Nothing to do.\n")
    quiet = album.dupes("--hardlink", "--apply", "--yes", "-q")
    assert (quiet.code, quiet.errors) == (0, "")


@pytest.mark.parametrize("words", WAYS[:3], ids=lambda words: words[0])
def test_the_json_of_a_receipt_has_its_fields(album: Album, words: list[str]) -> None:
    done = album.dupes(*way(album, words), "--apply", "--yes", "--json")
    answer = done.json
    assert done.errors == ""
    assert list(answer) == RECEIPT
    assert (answer["applied"], answer["interrupted"], answer["stopped"]) == (True, False, None)
    for refused in answer["refused"]:
        assert list(refused) == ["path", "why"]
    if words[0] == "--trash":
        assert (answer["id"], answer["photos"], answer["companions"], done.code) == (1, 2, 1, 4)
        (refused,) = answer["refused"]
        assert refused["path"] == f"{album.top}/copies/2.png"
    elif words[0] == "--hardlink":
        assert (answer["id"], answer["photos"], done.code) == (1, 3, 0)
        for number in range(3):
            one, other = (album.top / part / f"{number}.png" for part in ("kept", "copies"))
            assert one.samefile(other)
    else:  # some file systems can share blocks
        assert answer["photos"] + len(answer["refused"]) == 3


def test_moved_copies_lie_in_the_folders_they_were_in(album: Album) -> None:
    album.copy("kept/0.png", "copies/deep/0.png")
    album.index()
    moved = album.top.parent / "moved"
    done = album.dupes("--move", str(moved), "--apply", "--yes", "--with-sidecars")
    assert done.code == 0, done.text
    found = {str(path.relative_to(moved)) for path in moved.rglob("*") if path.is_file()}
    assert found == {"0.png", "1.png", "1.xmp", "2.png", "2.xmp", "deep/0.png"}


def test_same_goes_to_the_trash_once_it_was_matched_again(album: Album) -> None:
    done = album.imgcat("dupes", "--trash", "--same", "--apply", "--yes")
    assert done.text.startswith("3 photos moved to the trash, 1 file with them, "), done
    assert album.thrown() == {"0.png", "0 as.jpg", "1.png", "1.xmp"}


def test_a_copy_that_changed_since_the_index_stays(album: Album) -> None:
    changed = album.top / "copies" / "0.png"
    changed.write_bytes(b"my only picture of her")
    done = album.dupes("--trash", "--apply", "--yes", "--json")
    assert done.code == 4
    assert changed.read_bytes() == b"my only picture of her"
    why = {refused["path"]: refused["why"] for refused in done.json["refused"]}
    assert why[str(changed)] == "it changed or went since it was indexed"


# -- what does not go together -----------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "--trash --delete",
        "--move x --hardlink --reflink",
        "--apply",
        "--yes",
        "--same",
        "--with-sidecars",
        "--hardlink --same",
        "--delete --same",
        "--move x --same",
        "--reflink --with-sidecars",
        "--delete --with-sidecars",
        "--trash --grade similar",
        "--trash --same --grade similar",
        "--trash --hash phash",
        "--trash --radius 0",
        "--trash --no-verify",
        "--trash --similarity 100",
        "--trash --pairs",
        "--trash --csv",
        "--trash --print0",
        "--trash --kept-both",
        "--trash --same --exact",
        "--trash --keep nonsense",
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(still: Album, words: str) -> None:
    before = tree(still.top)
    for more in ([], ["--apply", "--yes"]):
        if not set(more) & set(words.split()):
            done = still.dupes(*words.split(), *more)
            assert done.code == 2
            one_line(done)
    assert tree(still.top) == before


def test_a_folder_to_move_to_is_one(still: Album) -> None:
    assert "needs the name of a folder" in one_line(still.dupes("--move", ""))
    is_file = still.dupes("--move", still.top / "kept" / "0.png")
    assert one_line(is_file).endswith("/kept/0.png is not a folder\n")


# -- which is kept -----------------------------------------------------------------------------


def fates(done: Done) -> dict[str, str | None]:
    """By folder and name: "keep", or what becomes of it."""
    found: dict[str, str | None] = {}
    for group in done.json["groups"]:
        found["/".join(group["keep"].split("/")[-2:])] = "keep"
        for copy in group["copies"]:
            fate = copy["action"] or copy["spared"]
            found["/".join(copy["path"].split("/")[-2:])] = fate
    return found


def test_rules_and_protected_folders_of_the_config_file_hold_and_flags_win(
    still: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    monkeypatch.setenv("IMGCAT_CONFIG", str(config))
    config.write_text('[dupes]\nkeep = "newest"\n')
    done = still.dupes("--hardlink", "--json")
    assert fates(done)["copies/0.png"] == "keep"
    assert done.json["groups"][0]["keep_reason"] == "newer"
    assert fates(still.dupes("--hardlink", "--keep", "oldest", "--json"))["kept/0.png"] == "keep"
    config.write_text(f'[dupes]\nprotect = ["{still.top}/copies"]\n')
    protected = fates(still.dupes("--trash", "--json"))
    assert protected["copies/0.png"] == "keep", "a protected one comes before all rules"
    both = fates(still.dupes("--trash", "--protect", still.top / "kept", "--json"))
    assert both["kept/0.png"] == "protected" or both["copies/0.png"] == "protected"
    assert not {"trash"} & set(both.values()), "flags add to what is protected"
    config.write_text('[dupes]\nprotekt = ["/nowhere"]\n')
    assert still.dupes("--trash").code == 2


def test_the_folder_that_is_kept_and_the_rule_that_decided_are_said(still: Album) -> None:
    done = still.dupes("--trash", "--keep", f"folder:{still.top}/copies")
    assert done.text.count(f"(kept: in {still.top}/copies)") == 3


# -- what is cut off ---------------------------------------------------------------------------


def many(album: Album, count: int) -> Album:
    """Very small pictures, each with a copy."""
    for folder in ("kept", "copies"):
        (album.top / folder).mkdir(parents=True)
    for number in range(count):
        picture(album.top / "kept" / f"{number}.png", number, side=8)
        os.utime(album.top / "kept" / f"{number}.png", (OLD, OLD))
        album.copy(f"kept/{number}.png", f"copies/{number}.png")
    album.index()
    return album


def stopped_in_the_middle(album: Album) -> subprocess.Popen[bytes]:
    """Of --trash, when files are on their way; it stands still."""
    process = album.imgcat.start("dupes", "--trash", "--apply", "--yes")
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        if album.thrown():
            os.kill(process.pid, signal.SIGSTOP)
            if unfinished(album):
                return process
            os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.001)
    raise AssertionError("it was never seen in the middle")


def unfinished(album: Album) -> int:
    """Rows of files that are on their way; read from a copy, as locks stand still too."""
    with closing(sqlite3.connect(f"file:{album.decisions}?mode=ro&immutable=1", uri=True)) as found:
        try:
            (count,) = found.execute(
                "SELECT count(*) FROM removal WHERE state = 'intended'"
            ).fetchone()
        except sqlite3.Error:  # in the middle of a page
            return 0
    return int(count)


@pytest.mark.parametrize("command", ["status", "dupes", "index"])
def test_after_a_kill_the_next_command_puts_back_what_was_on_its_way_and_says_so_once(
    empty: Album, command: str
) -> None:
    album = many(empty, 120)
    before = album.hashes()
    process = stopped_in_the_middle(album)
    process.kill()
    album.imgcat.finish(process)
    first = album.imgcat.ask(command)
    assert first.code == 0, first.errors
    assert first.errors.startswith("imgcat: an action was cut off: "), first.errors
    assert first.errors.count("cut off") == 1
    assert unfinished(album) == 0
    second = album.imgcat.ask(command)
    assert "cut off" not in second.errors
    kept = {name: each for name, each in before.items() if name.startswith("kept/")}
    now = album.hashes()
    assert kept.items() <= now.items()
    assert len(before) - len(now) == len(album.thrown()), "nothing is in two places, or in none"
    if album.thrown():
        assert album.imgcat.ask("undo", "--yes").code == 0
    assert album.hashes() == before


def test_ctrl_c_ends_it_after_the_file_at_hand_and_the_same_command_goes_on(empty: Album) -> None:
    album = many(empty, 120)
    before = album.hashes()
    process = stopped_in_the_middle(album)
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGCONT)
    done = album.imgcat.finish(process)
    assert done.code == 130
    assert "\nInterrupted: the rest is as it was.\n" in "\n" + done.text
    assert 0 <= len(album.thrown()) < 120
    assert len(before) - len(album.hashes()) == len(album.thrown())
    told = album.imgcat.ask("status")
    assert "cut off" not in told.errors, "it was put in order at once"
    again = album.dupes("--trash", "--apply", "--yes")
    assert again.code == 0
    assert len(album.thrown()) == 120
    while album.thrown():
        assert album.imgcat.ask("undo", "--yes").code == 0
    assert album.hashes() == before


# -- thrown away, and here again ---------------------------------------------------------------


def test_index_and_dupes_mark_what_was_thrown_away_and_is_here_again(album: Album) -> None:
    assert album.dupes("--trash", "--apply", "--yes").code == 4
    again = album.copy("kept/0.png", "phone/again.png")
    done = album.imgcat.ask("index")
    assert f"Thrown away before, and here again: {again}\n" in done.text
    assert "here again" not in album.imgcat.ask("index").text, "once"
    assert f"{again}  (thrown away before, and here again)\n" in album.dupes().text
    assert f"{again}  (thrown away before, and here again)\n" in album.dupes("--trash").text
    marked = [
        photo["path"]
        for group in album.dupes("--json").json["groups"]
        for photo in group["photos"]
        if photo["came_back"]
    ]
    assert marked == [str(again)]


def test_watch_says_so_too(album: Album) -> None:
    assert album.dupes("--trash", "--apply", "--yes").code == 4
    following = Following(album.imgcat, album.top)
    following.start()
    try:
        following.wait_until_watching()
        again = album.copy("kept/0.png", "kept/again.png")
        assert wait_for(lambda: f"again    {again}" in following.out, 20), following.out
        assert f"(a copy was thrown away; kept: {album.top}/kept/0.png)\n" in following.out
    finally:
        following.stop()


# -- hostile names -----------------------------------------------------------------------------


def test_hostile_names_are_shown_escaped_and_go_and_come_back_by_their_bytes(
    empty: Album,
) -> None:
    album = empty
    album.put("kept.png", 1)
    name = os.path.join(os.fsencode(album.top), b"\x1b[31m\n -rf\xff.png")
    with open(name, "wb") as file:
        file.write((album.top / "kept.png").read_bytes())
    album.index()
    said = [
        album.dupes("--trash"),
        album.dupes("--trash", "--apply", "--yes"),
        album.imgcat.ask("history", "1"),
        album.imgcat.ask("undo", "--yes"),
    ]
    for done in said:
        assert done.code == 0, done.errors
        assert b"\x1b" not in done.out + done.err
    assert "\\x1b[31m\\x0a -rf\\xff.png" in said[0].text
    assert "\\x1b[31m\\x0a -rf\\xff.png" in said[2].text
    assert os.path.exists(name)
    assert said[1].text.startswith("1 photo moved to the trash")


# -- the same from Python ----------------------------------------------------------------------


def test_python_plans_performs_tells_and_undoes(album: Album) -> None:
    before = album.hashes()
    with Catalog(album.imgcat.catalog) as catalog:
        plan = catalog.plan("trash", album.top, with_sidecars=True, protect=album.top / "kept")
        assert (plan.copies, plan.companions, plan.refused) == (3, 2, 0)
        assert album.hashes() == before
        receipt = catalog.perform(plan)
        assert (receipt.done, receipt.companions, receipt.action) == (3, 2, 1)
        assert not any(name.startswith("copies/1") for name in album.names())
        (action,) = catalog.history()
        assert (action.id, action.deed, action.files) == (1, Deed.TRASH, 5)
        assert list(catalog.duplicates(exact=True).groups) == []
        assert catalog.undo().done == 3
        assert catalog.history()[0].states == {State.UNDONE: 5}
        assert album.hashes() == before
        kept = catalog.keep_both(album.top / "kept/0.png", album.top / "copies/0.png")
        assert len(list(catalog.duplicates(exact=True).groups)) == 2
        assert catalog.undo(kept).done == 2
        assert len(list(catalog.duplicates(exact=True).groups)) == 3


def test_python_refuses_what_the_command_line_does(album: Album) -> None:
    with Catalog(album.imgcat.catalog) as catalog:
        for deed, more in {
            "burn": {},
            "keep-both": {},
            "move": {},
            "trash": {"folder": album.top},
            "delete": {"same": True},
            "hardlink": {"with_sidecars": True},
        }.items():
            with pytest.raises(UsageError):
                catalog.plan(deed, **more)  # type: ignore[arg-type]
        with pytest.raises(UsageError):
            catalog.undo()
        assert catalog.history() == []
    assert not album.decisions.exists()
