"""What was done is told, and taken back by its id; nothing is written over."""

from __future__ import annotations

import os

import pytest
from albums import Album, small
from commandline import one_line

ACTION = ["id", "action", "begun", "files", "bytes", "undone", "states"]
FILE = ["path", "place", "kept", "kind", "size", "digest", "companion", "state"]
UNDONE = [
    *("format", "action", "applied", "id", "photos", "companions", "bytes", "refused"),
    *("interrupted", "stopped"),
]


@pytest.fixture
def album(empty: Album) -> Album:
    return small(empty)


@pytest.fixture
def thrown(album: Album) -> Album:
    """Two photos and a sidecar of it are in the trash."""
    done = album.dupes("--trash", "--apply", "--yes")
    assert done.text.startswith("2 photos moved to the trash, 1 file with them, ")
    return album


def test_where_nothing_was_done_there_is_nothing_to_undo(album: Album) -> None:
    undone = album.imgcat.ask("undo")
    assert undone.code == 2
    assert one_line(undone).startswith("imgcat: nothing was done yet")
    assert album.imgcat.ask("history").text == "Nothing was done yet.\n"
    assert album.imgcat.ask("history", "--json").json == {"format": 1, "actions": []}
    unknown = album.imgcat.ask("history", "7")
    assert unknown.code == 2
    assert "there is no action 7" in one_line(unknown)
    assert not album.decisions.exists()


def test_undo_asks_on_a_terminal_and_does_nothing_off_one(thrown: Album) -> None:
    before = thrown.hashes()
    off = thrown.imgcat.ask("undo")
    assert off.code == 4
    assert "say --yes as well" in one_line(off)
    no = thrown.imgcat.answering("undo", answers=["n"])
    assert no.code == 4
    assert "Put back 3 files of " in no.text
    assert "(action 1)? [y/N] n\r\nimgcat: nothing was done" in no.text
    assert thrown.hashes() == before
    yes = thrown.imgcat.answering("undo", "1", answers=["y"])
    assert yes.code == 0
    assert "2 photos put back, 1 file with them." in yes.text
    assert set(thrown.hashes()) - set(before) == {"copies/0.png", "copies/1.png", "copies/1.xmp"}


@pytest.mark.parametrize("way", ["--trash", "--delete", "--hardlink", "--move"])
def test_each_is_undone_to_the_last_byte_time_and_mode_and_dupes_shows_it_again(
    album: Album, way: str
) -> None:
    (album.top / "copies" / "0.png").chmod(0o640)
    (album.top / "kept" / "0.png").chmod(0o640)
    album.index()
    before, stamps = album.hashes(), modes_and_times(album)
    into = [str(album.top.parent / "moved")] if way == "--move" else []
    shown = album.dupes("-q").text
    done = album.dupes(way, *into, "--apply", "--yes")
    assert "'imgcat undo 1' " in done.text
    assert album.dupes("-q").text != shown
    undone = album.imgcat.ask("undo", "--yes")
    assert (undone.code, undone.errors) == (0, "")
    assert album.hashes() == before
    assert modes_and_times(album) == stamps
    assert album.dupes("-q").text == shown
    assert not any(path.is_file() for path in album.top.parent.glob("moved/**/*"))
    assert "  (undone)\n" in album.imgcat.ask("history").text


def modes_and_times(album: Album) -> dict[str, tuple[int, int, int]]:
    found = {}
    for path in album.top.rglob("*"):
        if path.is_file():
            status = path.stat()
            found[path.name] = (status.st_mode, status.st_mtime_ns, status.st_nlink)
    return found


def test_what_has_the_name_now_is_not_written_over_and_the_rest_comes_back(thrown: Album) -> None:
    taken = thrown.write("copies/0.png", "something else")
    done = thrown.imgcat.ask("undo", "--yes", "--json")
    assert done.code == 4
    assert list(done.json) == UNDONE
    assert (done.json["photos"], done.json["companions"]) == (1, 1)
    (refused,) = done.json["refused"]
    assert refused["path"] == str(taken)
    assert "something else has its name now" in refused["why"]
    assert taken.read_text() == "something else"
    assert thrown.thrown() == {"0.png"}
    taken.unlink()
    again = thrown.imgcat.ask("undo", "--yes")
    assert (again.code, again.text) == (0, "1 photo put back.\n")
    none = thrown.imgcat.ask("undo", "--yes")
    assert none.code == 2
    assert "nothing is left to undo" in one_line(none)
    assert "nothing of action 1 is left to undo" in one_line(thrown.imgcat.ask("undo", "1", "-y"))


def test_without_an_id_the_last_is_undone_then_the_one_before(album: Album) -> None:
    before = album.hashes()
    assert album.dupes(str(album.top), "--trash", "--apply", "--yes").code == 4
    linked = album.dupes("--hardlink", "--apply", "--yes")
    assert linked.text.startswith("1 photo replaced by hard links, ")
    told = album.imgcat.ask("history").text.splitlines()
    assert [line.split()[0] for line in told] == ["2", "1"], "the last first"
    assert album.imgcat.ask("undo", "--yes").code == 0
    assert (album.top / "copies" / "2.png").stat().st_nlink == 1
    assert album.imgcat.ask("undo", "--yes").code == 0
    assert album.hashes() == before


def test_the_json_of_the_history_has_its_fields(thrown: Album) -> None:
    answer = thrown.imgcat.ask("history", "--json").json
    assert list(answer) == ["format", "actions"]
    (action,) = answer["actions"]
    assert list(action) == ACTION
    assert (action["id"], action["action"], action["files"]) == (1, "trash", 3)
    assert (action["undone"], action["states"]) == (False, {"done": 3})
    answer = thrown.imgcat.ask("history", "1", "--json").json
    assert list(answer) == ["format", "actions", "files"]
    assert [list(file) for file in answer["files"]] == [FILE] * 3
    for file in answer["files"]:
        assert os.path.exists(file["place"])
        assert not os.path.exists(file["path"])
        assert file["kept"] == file["path"].replace("/copies/", "/kept/")
    assert [file["companion"] for file in answer["files"]].count(True) == 1


def test_the_history_of_one_action_names_each_file_and_where_it_is(thrown: Album) -> None:
    said = thrown.imgcat.ask("history", "1").text
    assert " 3 files (" in said.splitlines()[0]
    for name in ("0.png", "1.png", "1.xmp"):
        assert (
            f"  done      {thrown.top}/copies/{name} -> {thrown.trash}/files/{name}\n"
            f"            kept: {thrown.top}/kept/{name}\n"
        ) in said


def test_one_for_good_comes_back_from_the_kept_one_and_not_where_that_is_another_now(
    album: Album,
) -> None:
    assert album.dupes("--delete", "--apply", "--yes").code == 4
    (album.top / "kept" / "0.png").write_bytes(b"edited")
    done = album.imgcat.ask("undo", "--yes")
    assert done.code == 4
    assert done.text.startswith("1 photo put back, 1 file with them.\n")
    assert f"{album.top}/copies/0.png (the kept one has other bytes now)" in done.text
    assert not (album.top / "copies" / "0.png").exists()


def test_quiet_says_nothing_but_what_failed_is_in_the_exit_code(thrown: Album) -> None:
    done = thrown.imgcat.ask("undo", "--yes", "--quiet")
    assert (done.code, done.out, done.err) == (0, b"", b"")
