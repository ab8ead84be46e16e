"""imgcat explain, as a process: answers, exit codes, and names that want to do harm."""

from __future__ import annotations

import base64
import os
import re
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest
from commandline import Imgcat, one_line, picture, pictures, tree
from PIL import Image

from tests.imaging.edits import photo

FIRST = "folder 0/0000.png"
PLAIN = ["--radius", "4"]


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a picture, a copy that is smaller, cut on the left, and lies on its side."""
    top = tmp_path_factory.mktemp("shot")
    image = photo(1)
    image.save(top / "shot.png")
    width, height = image.size
    window = image.crop((width // 10, 0, width, height)).resize((400, 320))
    window.transpose(Image.Transpose.ROTATE_90).save(top / "copy.jpg", quality=85)
    return top


@pytest.fixture
def compared_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked in this process compares files in it too: a new one for each takes a second."""
    monkeypatch.setattr("catalog.matching.settle._alone", lambda function, item: function(item))


def test_a_verified_match_is_told_from_where_it_lies_to_what_decided(
    imgcat: Imgcat, shot: Path, compared_here: None
) -> None:
    done = imgcat("explain", "shot.png", "copy.jpg", cwd=shot)
    assert (done.code, done.err) == (0, b"")
    wanted = ["Bytes", "pHash", "turned: ", "Fits ", "10 % on the left", "turned left", "Score"]
    wanted += ["Files", "\nMatch: compared closely, the files agree everywhere", "--exact"]
    places = [done.text.index(word) for word in wanted]
    assert places == sorted(places)
    assert "Nothing verified" not in done.text
    answer = imgcat.ask("explain", "copy.jpg", "shot.png", "--json", cwd=shot).json
    assert (answer["matched"], answer["kind"], answer["decided_by"]) == (
        *(True, "same"),
        "pixels-agree",
    )
    assert (answer["alignment"]["window_of"], answer["alignment"]["orientation"]) == ("second", 8)
    assert abs(answer["alignment"]["left"] - 0.1) < 0.01
    assert answer["comparison"]["differing"] == 0


def test_a_drawing_of_both_is_a_new_file_and_nothing_is_written_over(
    imgcat: Imgcat, shot: Path, tmp_path: Path, compared_here: None
) -> None:
    drawn = tmp_path / "drawn.png"
    words = ["explain", "shot.png", "copy.jpg", "--image", drawn, "--quiet"]
    done = imgcat(*words, cwd=shot)
    assert (done.code, done.err) == (0, b"")
    with Image.open(drawn) as image:
        assert image.format == "PNG"
        assert image.width > 3 * image.height > 0, "three, side by side"
    before = drawn.read_bytes()
    again = imgcat.ask(*words, cwd=shot)
    assert again.code == 2
    assert "drawn.png is there already" in again.errors
    assert drawn.read_bytes() == before
    words[4] = tmp_path / "no folder" / "drawn.png"
    away = imgcat.ask(*words, cwd=shot)
    assert away.code == 1
    assert "drawn.png cannot be written" in away.errors


def test_the_answer_for_people_goes_from_the_two_pictures_to_what_would_change_it(
    asked: Imgcat, collection: Path
) -> None:
    done = asked("explain", FIRST, "0 as.jpeg", *PLAIN, cwd=collection)
    assert (done.code, done.err) == (0, b"")
    wanted = [str(collection / FIRST), "PNG", str(collection / "0 as.jpeg"), "JPEG", "Bytes"]
    wanted += ["pHash", "dHash", "aHash", "wHash", "\nMatch: pHash differs in", "--exact"]
    places = [done.text.index(word) for word in wanted]
    assert places == sorted(places)
    assert "Nothing verified" in done.text


def test_quiet_leaves_remarks_out(asked: Imgcat, collection: Path) -> None:
    for words in (["explain", "-q"], ["--quiet", "explain"]):
        done = asked.ask(*words, FIRST, "0 as.jpeg", *PLAIN, cwd=collection)
        assert (done.code, done.err) == (0, b"")
        assert "Nothing verified" not in done.text
        assert "Match: " in done.text


def test_what_would_change_the_outcome_does_so_when_its_options_are_given(
    asked: Imgcat, collection: Path, compared_here: None
) -> None:
    """And ``dupes`` with those options agrees."""
    known = ((FIRST, "0 as.jpeg"), (FIRST, "folder 1/0001.png"), (FIRST, "copy of 0.png"))
    tried = 0
    for names in known:
        for given in ([], PLAIN, ["--exact"], ["--hash", "dhash", "--similarity", "60"]):
            answer = asked.ask("explain", *names, "--json", *given, cwd=collection).json
            assert answer["matched"] == paired(asked, collection, names, given)
            for change in answer["would_change"]:
                tried += 1
                other = asked.ask("explain", *names, "--json", *change["options"], cwd=collection)
                assert other.json["matched"] == change["matched"] != answer["matched"]
                assert other.json["matched"] == paired(asked, collection, names, change["options"])
    assert tried > 5


def paired(imgcat: Imgcat, collection: Path, names: tuple[str, str], options: list[str]) -> bool:
    done = imgcat.ask("dupes", *names, "--pairs", "--json", *options, cwd=collection)
    wanted = {str(collection / name) for name in names}
    return any(set(pair[:2]) == wanted for pair in done.json["pairs"])


def test_json_is_one_object_with_the_documented_fields(asked: Imgcat, collection: Path) -> None:
    done = asked("explain", FIRST, "folder 1/0001.png", "--json", cwd=collection)
    assert (done.code, done.err) == (0, b"")
    assert done.out.startswith(b'{"format": 1,')
    assert done.out.count(b"\n") == 1
    answer = done.json
    assert answer["first"]["path"] == str(collection / FIRST)
    assert (answer["first"]["standing"], answer["matched"]) == ("in-catalog", False)
    assert set(answer["distances"]) == {"phash", "dhash", "ahash", "whash"}
    assert (answer["hash"], answer["radius"], answer["no_verify"]) == ("phash", 4, False)
    assert (answer["grade"], answer["decided_by"]) == ("same", "nothing-alike")
    assert {len(bits) for bits in answer["turned"].values()} == {8}
    assert answer["alignment"]["found_by_hash"] is False
    assert answer["comparison"] is None
    plain = asked("explain", FIRST, "folder 1/0001.png", *PLAIN, "--json", cwd=collection).json
    assert set(plain) == set(answer)
    assert (plain["grade"], plain["decided_by"]) == ("hash", "beyond-radius")
    assert (plain["hash"], plain["radius"], plain["no_verify"]) == ("phash", 4, False)


@pytest.mark.parametrize(
    ("words", "asked_for"),
    [
        (["--exact"], ("phash", None, False, "exact-only")),
        (["--hash", "whash", "--radius", "0"], ("whash", 0, False, "beyond-radius")),
        (["--similarity", "0", "--no-verify"], ("phash", 64, True, "within-radius")),
        (["--similarity", "90"], ("phash", 6, False, "beyond-radius")),
    ],
    ids=str,
)
def test_options_mean_what_they_mean_to_dupes(
    asked: Imgcat,
    collection: Path,
    words: list[str],
    asked_for: tuple[str, int | None, bool, str],
) -> None:
    names = (FIRST, "folder 1/0001.png")
    answer = asked.ask("explain", *names, *words, "--json", cwd=collection).json
    found = tuple(answer[key] for key in ("hash", "radius", "no_verify", "decided_by"))
    assert found == asked_for
    assert answer["matched"] == paired(asked, collection, names, words)


def test_flat_pictures_are_told_apart_by_bytes_alone(imgcat: Imgcat, tmp_path: Path) -> None:
    for colour in ("white", "black"):
        Image.new("RGB", (64, 48), colour).save(tmp_path / f"{colour}.png")
    two = (tmp_path / "white.png", tmp_path / "black.png")
    for words, change in (
        ([], "with --radius 1 --no-verify they would match"),
        (PLAIN, "with --no-verify they would match"),
    ):
        done = imgcat("explain", *two, *words)
        assert "No match: both are flat" in done.text
        assert change in done.text


# -- without a catalog, and with one that is none ----------------------------------------------


def test_two_files_can_be_compared_without_a_catalog_and_none_is_made(
    imgcat: Imgcat, tmp_path: Path
) -> None:
    pictures(tmp_path / "photos", 2, folders=1)
    names = [tmp_path / "photos" / "folder 0" / name for name in ("0000.png", "0001.png")]
    before = tree(tmp_path / "photos")
    done = imgcat("explain", *names)
    assert (done.code, done.err) == (0, b"")
    assert "dupes leaves both out: no catalog yet" in done.text
    assert not (tmp_path / "data").exists()
    assert tree(tmp_path / "photos") == before
    answer = imgcat.ask("explain", *names, "--json").json
    assert {answer[which]["standing"] for which in ("first", "second")} == {"no-catalog"}
    assert {answer[which]["recipe"] for which in ("first", "second")} == {"reduced-1"}


def test_one_picture_of_the_catalog_and_one_from_elsewhere(
    asked: Imgcat, collection: Path, tmp_path: Path
) -> None:
    picture(tmp_path / "new.jpg", 0, form="JPEG")
    done = asked("explain", tmp_path / "new.jpg", collection / FIRST, *PLAIN, "--json")
    assert done.json["first"]["standing"] == "not-in-catalog"
    assert done.json["first"]["read"] is True
    assert done.json["second"]["standing"] == "in-catalog"
    assert done.json["matched"] is True


def test_a_file_that_is_no_catalog_is_exit_5(tmp_path: Path, collection: Path) -> None:
    for name, data in (("text.db", b"no catalog"), ("other.db", None)):
        place = tmp_path / name
        if data is None:
            connection = sqlite3.connect(place)
            connection.execute("CREATE TABLE mine (x)")
            connection.close()
        else:
            place.write_bytes(data)
        before = place.read_bytes()
        done = Imgcat(bytes(place), tmp_path).ask("explain", collection / FIRST, collection / FIRST)
        assert done.code == 5
        one_line(done)
        assert place.read_bytes() == before


# -- exit codes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        [],
        [FIRST],
        [FIRST, "not there.jpg"],
        ["not there.jpg", FIRST],
        [FIRST, ""],
        ["", FIRST],
        [FIRST, "folder 1"],
        [FIRST, FIRST, FIRST],
        [FIRST, FIRST, "--exact", "--radius", "2"],
        [FIRST, FIRST, "--exact", "--similarity", "90"],
        [FIRST, FIRST, "--exact", "--hash", "phash"],
        [FIRST, FIRST, "--exact", "--no-verify"],
        [FIRST, FIRST, "--exact", "--grade", "same"],
        [FIRST, FIRST, "--grade", "identical"],
        [FIRST, FIRST, "--grade", "same", "--radius", "4"],
        [FIRST, FIRST, "--radius", "4", "--similarity", "90"],
        [FIRST, FIRST, "--radius", "65"],
        [FIRST, FIRST, "--catalog", ""],
    ],
    ids=str,
)
def test_what_makes_no_sense_is_one_line_and_exit_2(
    asked: Imgcat, collection: Path, words: list[str]
) -> None:
    done = asked.ask("explain", *words, cwd=collection)
    assert done.code == 2, done
    one_line(done)


@pytest.mark.parametrize("name", ["broken.jpg", "notes.txt"])
def test_what_cannot_be_read_as_a_picture_is_one_line_and_exit_1(
    asked: Imgcat, collection: Path, name: str
) -> None:
    done = asked("explain", FIRST, name, cwd=collection)
    assert done.code == 1
    line = one_line(done)
    assert f"{name} cannot be read as a picture" in line
    assert FIRST not in line


def test_help_is_there_and_the_command_is_listed(asked: Imgcat) -> None:
    done = asked.ask("explain", "--help")
    assert (done.code, done.err) == (0, b"")
    for option in ("--exact", "--hash", "--radius", "--similarity", "--no-verify", "--json"):
        assert option in done.text
    assert "\n  explain " in asked.ask("--help").text


def test_help_needs_no_decoder(asked: Imgcat) -> None:
    command = [sys.executable, "-P", "-X", "importtime", "-m", "catalog", "explain", "--help"]
    done = asked.execute([os.fsencode(word) for word in command])
    assert done.code == 0
    found = {line.rpartition("|")[2].strip() for line in done.errors.splitlines()}
    assert "typer" in found, "the measurement works"
    assert found.isdisjoint({"numpy", "PIL", "imagehash", "pebble"})


# -- names that want to do harm ----------------------------------------------------------------

HOSTILE = [
    b"\x1b[31mred\x1b[0m\n.png",
    b"\x1b]0;title\x07 \xff\xfe.png",
    "rtl \u202egpj.exe \u2028 \u009b31m.png".encode(),
    b"--help",
    b"-rf {0} %s [bold].png",
]


@pytest.mark.skipif(sys.platform != "linux", reason="names are any bytes on Linux only")
@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_r39_r40_hostile_names_cannot_act_and_come_through_exactly(
    imgcat: Imgcat, tmp_path: Path, name: bytes
) -> None:
    folder = bytes(tmp_path / "photos")
    os.mkdir(folder)
    file = os.path.join(folder, name)
    picture(file, 1)
    shutil.copy(file, os.path.join(folder, b"copy.png"))
    words = [b"--", name, b"copy.png"]
    said = imgcat.on_terminal("explain", *[os.path.join(folder, w) for w in words[1:]]).out
    assert not re.search(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]", said)
    assert not re.search("[\x80-\x9f\u2028-\u202e\u2066-\u2069]", said.decode("utf-8"))
    assert b"Match: identical bytes" in said
    answer = imgcat.ask("explain", "--json", *words, cwd=folder)
    assert answer.code == 0, answer
    first = answer.json["first"]
    exact = base64.b64decode(first["path_b64"]) if "path_b64" in first else first["path"].encode()
    assert exact == file
    os.unlink(file)
    done = imgcat.ask("explain", *words, cwd=folder)
    assert done.code == 2
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", one_line(done))


def test_nothing_is_written_beside_the_photos(fresh: tuple[Imgcat, Path]) -> None:
    imgcat, top = fresh
    before, catalog = tree(top), Path(os.fsdecode(imgcat.catalog)).read_bytes()
    assert imgcat("explain", FIRST, "0 as.jpeg", cwd=top).code == 0
    assert tree(top) == before
    assert Path(os.fsdecode(imgcat.catalog)).read_bytes() == catalog
    assert imgcat.nothing_is_left()
