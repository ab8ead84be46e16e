"""'keep-both' at the command line: said once, by content, for every query, until it is undone."""

from __future__ import annotations

from pathlib import Path

import pytest
from albums import Album
from commandline import one_line


@pytest.fixture
def album(empty: Album) -> Album:
    """A picture in two forms, and another twice."""
    empty.put("a.png", 1)
    empty.put("a small.png", 1, side=120)
    empty.put("b.png", 2)
    empty.copy("b.png", "copy of b.png")
    empty.index()
    return empty


def keep(album: Album, *names: str) -> int:
    done = album.imgcat.ask("keep-both", *(album.top / name for name in names), "--json")
    assert (done.code, done.errors) == (0, "")
    assert list(done.json) == ["format", "id", "pictures"]
    assert done.json["pictures"] == len(names)
    return int(done.json["id"])


def shown(album: Album, *words: str) -> set[str]:
    """Names in any group."""
    answer = album.dupes("--json", *words).json
    return {Path(photo["path"]).name for group in answer["groups"] for photo in group["photos"]}


def test_it_says_how_to_take_it_back(album: Album) -> None:
    done = album.imgcat.ask("keep-both", album.top / "a.png", album.top / "a small.png")
    assert (done.code, done.errors) == (0, "")
    assert done.text == "2 pictures kept beside each other; 'imgcat undo 1' takes that back.\n"
    quiet = album.imgcat.ask("keep-both", album.top / "a.png", album.top / "b.png", "-q")
    assert (quiet.code, quiet.out) == (0, b"")


def test_no_query_shows_them_and_no_action_takes_them(album: Album) -> None:
    assert shown(album) == {"a.png", "a small.png", "b.png", "copy of b.png"}
    keep(album, "a.png", "a small.png")
    keep(album, "b.png", "copy of b.png")
    for words in ([], ["--exact"], ["--hash", "phash"], ["--grade", "similar"]):
        assert shown(album, *words) == set(), words
    assert album.dupes("--pairs", "--json").json["pairs"] == []
    for name in ("a.png", "b.png"):
        assert album.imgcat.ask("similar", album.top / name, "--json").json["matches"] == []
    before = album.hashes()
    done = album.dupes("--trash", "--same", "--apply", "--yes")
    assert (done.code, done.text) == (0, "Nothing to do.\n")
    assert album.hashes() == before
    told = album.imgcat.ask("explain", album.top / "a.png", album.top / "a small.png").text
    assert "No match: you keep both ('imgcat keep-both'); without that: " in told
    assert shown(album, "--kept-both") == {"a.png", "a small.png", "b.png", "copy of b.png"}


def test_of_three_equal_files_two_stay_where_two_are_wanted(album: Album) -> None:
    keep(album, "b.png", "copy of b.png")
    album.copy("b.png", "third b.png")
    album.index()
    assert album.dupes("--trash", "--apply", "--yes").code == 0
    assert len([name for name in album.names() if "b.png" in name]) == 2
    assert album.dupes("--trash").text == "Nothing to do.\n"


def test_renamed_they_are_still_kept_and_undone_they_are_duplicates_again(album: Album) -> None:
    action = keep(album, "a.png", "a small.png")
    (album.top / "a small.png").rename(album.top / "another name.png")
    album.index()
    assert shown(album) == {"b.png", "copy of b.png"}
    told = album.imgcat.ask("history").text
    assert told.endswith("  2 pictures kept beside each other\n")
    asked = album.imgcat.answering("undo", answers=["y"])
    assert "Let 2 pictures of " in asked.text
    assert f"(action {action}) be duplicates again? [y/N] y" in asked.text
    assert "2 pictures may be duplicates of each other again." in asked.text
    assert shown(album) == {"a.png", "another name.png", "b.png", "copy of b.png"}
    told = album.imgcat.ask("history").text
    assert told.endswith("  pictures kept beside each other  (undone)\n")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "Missing argument"),
        (["a.png"], "two pictures or more"),
        (["a.png", "a.png"], "two pictures or more"),
        (["a.png", "nowhere.png"], "there is no file"),
        (["a.png", ""], "a folder, not a file"),
    ],
    ids=["none", "one", "one twice", "no file", "a folder"],
)
def test_what_says_nothing_is_refused_in_one_line(
    album: Album, names: list[str], words: str
) -> None:
    done = album.imgcat.ask("keep-both", *(album.top / name for name in names))
    assert done.code == 2
    assert words in one_line(done), done.errors
    assert not album.decisions.exists()
