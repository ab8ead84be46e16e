"""imgcat dupes, similar and explain on photographs, as a person runs them."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from commandline import Done, Imgcat, one_line, tree
from PIL import Image

from tests.imaging.edits import saved
from tests.matching.albums import COPIES, next_shot, original, photo

NAMES = ("again", "half", "toned", "turned", "one-sided")


def write(top: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        changed = time.time() - 3600 * (2 if path.stem == "kept" else 1)
        os.utime(path, (changed, changed))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo, copies of it and the next shot; another, with a copy on a card."""
    top = tmp_path_factory.mktemp("photos")
    scene = next_shot(photo(1), 0)
    copies = {f"copies/{name}.jpg": COPIES[name](scene) for name in NAMES if name in COPIES}
    write(
        top,
        {
            "kept.jpg": saved(scene, quality=93),
            "again.jpg": saved(scene, quality=93),
            **copies,
            "next.jpg": saved(next_shot(photo(1), 11), quality=90),
            "other.jpg": original(2),
            "card/other.jpg": saved(photo(2).resize((800, 600)), quality=90),
            "broken.jpg": b"\xff\xd8\xff\xe0 and no more",
        },
    )
    return top


@pytest.fixture(scope="module")
def first_answer(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Imgcat, Done]:
    """The catalog, and what the first ``dupes`` over it said."""
    home = tmp_path_factory.mktemp("home")
    made = Imgcat(bytes(home / "catalog.db"), home)
    done = made("index", photos)
    assert done.code in (0, 3), done.errors
    first = made("dupes")
    assert first.code == 0, first.errors
    assert made.ask("dupes", "--grade", "similar").code == 0
    return made, first


@pytest.fixture
def known(first_answer: tuple[Imgcat, Done]) -> Imgcat:
    """With all found out. For questions only."""
    return first_answer[0]


def names(photos: Path, group: dict[str, Any]) -> list[str]:
    return [os.path.relpath(each["path"], photos) for each in group["photos"]]


def group_of(imgcat: Imgcat, photos: Path, *words: str) -> dict[str, dict[str, Any]]:
    """The members of the group of ``kept.jpg``, by name, as --json tells them."""
    answer = imgcat.ask("dupes", "--json", *words).json
    (group,) = (each for each in answer["groups"] if "kept.jpg" in names(photos, each))
    return dict(zip(names(photos, group), group["photos"], strict=True))


# -- what is said ------------------------------------------------------------------------------


def test_the_answer_for_people_says_how_each_copy_relates(
    first_answer: tuple[Imgcat, Done], photos: Path
) -> None:
    text = first_answer[1].text
    lines = {line.rsplit("/", 1)[-1].split()[0]: line for line in text.splitlines() if "/" in line}
    assert lines["kept.jpg"].lstrip().startswith("keep ")
    assert lines["again.jpg"].lstrip().startswith("identical ")
    assert lines["half.jpg"].lstrip().startswith("same 1.000")
    assert "(turned left)" in lines["turned.jpg"]
    assert "(lost 10 % on the left)" in lines["one-sided.jpg"]
    assert "(" not in lines["toned.jpg"]
    assert "next.jpg" not in text
    assert "Group 1: 6 photos, same picture, worst score 0." in text
    assert "(kept: " in text
    assert "close hashes" not in text


def test_the_first_time_it_says_what_was_compared_and_then_no_more(
    first_answer: tuple[Imgcat, Done],
) -> None:
    imgcat, first = first_answer
    assert "Compared 8 new pictures with 8: " in first.text
    assert "Compared the files of " in first.text
    again = imgcat.ask("dupes")
    assert again.code == 0
    assert "Compared" not in again.text
    assert [line for line in again.text.splitlines() if "photos/" in line or "keep" in line] == [
        line for line in first.text.splitlines() if "photos/" in line or "keep" in line
    ]
    quiet = imgcat.ask("dupes", "-q")
    assert "Last scan" not in quiet.text


def test_json_has_the_documented_fields(known: Imgcat, photos: Path) -> None:
    answer = known.ask("dupes", "--json").json
    assert list(answer)[:2] == ["format", "fresh"]
    assert answer["search"]["searched"] == answer["search"]["compared"] == 0
    assert len(answer["groups"]) == 2
    for group in answer["groups"]:
        assert set(group) >= {"kind", "score", "reclaimable", "keep_reason", "photos"}
        assert [each["keep"] for each in group["photos"]] == [
            True,
            *[False] * (len(group["photos"]) - 1),
        ]
    found = group_of(known, photos)
    assert set(found) == {"kept.jpg", "again.jpg", *(f"copies/{name}.jpg" for name in NAMES[1:])}
    told = {
        name: (each["kind"], each["rule"], each["orientation"], each["lost"], each["more"])
        for name, each in found.items()
    }
    assert told["again.jpg"] == ("identical", "identical-bytes", 1, {}, {})
    assert told["copies/half.jpg"] == ("same", "signatures-agree", 1, {}, {})
    assert told["copies/toned.jpg"] == ("same", "pixels-agree", 1, {}, {})
    assert told["copies/turned.jpg"] == ("same", "signatures-agree", 6, {}, {})
    kind, rule, orientation, lost, more = told["copies/one-sided.jpg"]
    assert (kind, rule, orientation, more) == ("same", "pixels-agree", 1, {})
    assert lost == {"left": pytest.approx(0.1, abs=0.01)}
    assert all(0.97 <= each["score"] <= 1 for each in found.values())


def test_similar_ones_are_shown_where_they_are_asked_for(known: Imgcat, photos: Path) -> None:
    found = group_of(known, photos, "--grade", "similar")
    assert (found["next.jpg"]["kind"], found["next.jpg"]["rule"]) == ("similar", "parts-differ")
    assert "next.jpg" not in group_of(known, photos, "--grade", "same")
    text = known.ask("dupes", "--grade", "similar").text
    assert "similar, worst score 0." in text


def test_csv_and_print0_have_the_same_photos(known: Imgcat, photos: Path) -> None:
    found = group_of(known, photos)
    rows = list(csv.DictReader(io.StringIO(known.ask("dupes", "--csv").text)))
    by_name = {os.path.relpath(row["path"], photos): row for row in rows}
    for name, each in found.items():
        assert by_name[name]["orientation"] == str(each["orientation"])
        assert by_name[name]["kind"] == each["kind"]
        if name != "kept.jpg":
            assert by_name[name]["rule"] == each["rule"]
    paths = known.ask("dupes", "--print0").out.split(b"\0")
    assert set(paths) - {b""} == {os.fsencode(row["path"]) for row in rows}


def test_pairs_have_kind_and_score(known: Imgcat, photos: Path) -> None:
    pairs = known.ask("dupes", "--pairs", "--json", photos / "copies", photos / "kept.jpg").json
    assert len(pairs["pairs"]) == 10
    assert {pair[3] for pair in pairs["pairs"]} == {"same"}
    assert all(0.97 <= pair[4] <= 1 for pair in pairs["pairs"])


def test_against_keeps_what_one_has(known: Imgcat, photos: Path) -> None:
    done = known.ask("dupes", photos / "card", "--against", photos / "other.jpg", "--json")
    (group,) = done.json["groups"]
    assert names(photos, group) == ["other.jpg", "card/other.jpg"]
    (other,) = known.ask("dupes", photos / "card", photos / "other.jpg", "--json").json["groups"]
    assert names(photos, other) == ["card/other.jpg", "other.jpg"]


def kept(imgcat: Imgcat, photos: Path, *words: str | Path) -> tuple[str, str]:
    """The name of the photo that is kept of the first scene, and why."""
    answer = imgcat.ask("dupes", *words, "--json").json
    (group,) = (each for each in answer["groups"] if "kept.jpg" in names(photos, each))
    return names(photos, group)[0], group["keep_reason"]


def test_rules_say_which_is_kept(known: Imgcat, photos: Path) -> None:
    assert kept(known, photos) == ("kept.jpg", "older")
    assert kept(known, photos, "--keep", "bytes,newest") == ("again.jpg", "newer")
    found = kept(known, photos, "--keep", f"folder:{photos}/copies,resolution,path")
    assert found == ("copies/toned.jpg", "shorter path")  # than the best of the others in there
    card = f"folder:{photos}/card,newest"
    assert f"(kept: in {photos}/card)" in known.ask("dupes", "--keep", card).text
    assert "(kept: protected)" in known.ask("dupes", "--protect", photos / "card").text
    plain = known.ask("dupes", "--radius", "10", "--keep", "path", "--json").json
    reasons = {group["keep_reason"] for group in plain["groups"]}
    assert reasons <= {"shorter path", "first by name"}


def test_the_config_file_says_it_where_no_option_does(
    known: Imgcat, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    monkeypatch.setenv("IMGCAT_CONFIG", str(config))
    config.write_text('[dupes]\nkeep = "bytes,newest"\n')
    assert kept(known, photos) == ("again.jpg", "newer")
    assert kept(known, photos, "--keep", "oldest") == ("kept.jpg", "older")
    config.write_text(f'[dupes]\nkeep = "path"\nprotect = ["{photos}/copies", "/gone"]\n')
    for words in ([], ["--keep", "oldest"], ["--protect", photos / "card"]):
        name, _ = kept(known, photos, *words)
        assert name.startswith("copies/"), "options protect nothing less"
    assert "(kept: protected)" in known.ask("dupes", "--protect", photos / "card").text, "they add"
    assert "(kept: protected)" not in known.ask("dupes").text
    config.write_text('[dupes]\nprotects = ["/"]\n')
    done = known.ask("dupes")
    assert done.code == 2
    assert f"the config file {config}: there is no dupes.protects" in one_line(done)
    others = ["status"], ["problems"], ["similar", photos / "kept.jpg"], ["dupes", "--help"]
    assert [known.ask(*command).code for command in others] == [0] * 4, "they do not read it"


def test_size_and_age_leave_groups_out(known: Imgcat) -> None:
    for words in (["--min-size", "1GB"], ["--since", "2999-01-01"], ["--across"]):
        done = known.ask("dupes", *words)
        assert (done.code, done.err) == (0, b"")
        assert done.text.startswith("No duplicates found.\n")
    assert len(known.ask("dupes", "--since", "1d", "--json").json["groups"]) == 2


def test_similar_shows_the_same_picture_and_then_what_looks_alike(
    known: Imgcat, photos: Path
) -> None:
    answer = known.ask("similar", photos / "kept.jpg", "--json").json
    kinds = [each["kind"] for each in answer["matches"]]
    assert kinds == ["identical", *["same"] * 4, "similar"]
    turned = next(each for each in answer["matches"] if "turned" in each["path"])
    assert turned["orientation"] == 6
    text = known.ask("similar", photos / "kept.jpg", "--grade", "same").text
    assert "(turned left)" in text
    assert "next.jpg" not in text


# -- explain -----------------------------------------------------------------------------------


def test_explain_tells_what_fits_how_well_and_what_would_change_it(
    known: Imgcat, photos: Path
) -> None:
    done = known.ask("explain", photos / "kept.jpg", photos / "next.jpg")
    assert (done.code, done.err) == (0, b"")
    wanted = ("Bytes", "pHash", "turned:", "Fits", "the whole of the", "Score", "Files")
    places = [done.text.index(word) for word in wanted]
    assert places == sorted(places)
    assert "No match: compared closely, parts of the files differ" in done.text
    assert "with --grade similar they would match" in done.text
    cut = known.ask("explain", photos / "kept.jpg", photos / "copies" / "one-sided.jpg").text
    assert "the first without 10 % on the left" in cut
    assert "Match: compared closely, the files agree everywhere: one picture." in cut


def test_explain_as_json(known: Imgcat, photos: Path) -> None:
    words = ("explain", photos / "kept.jpg", photos / "copies" / "turned.jpg", "--json")
    answer = known.ask(*words).json
    assert (answer["matched"], answer["kind"]) == (True, "same")
    assert answer["decided_by"] == "signatures-agree"
    assert answer["alignment"]["orientation"] == 6
    assert {name: len(bits) for name, bits in answer["turned"].items()} == dict.fromkeys(
        ("phash", "dhash", "ahash", "whash"), 8
    )
    assert answer["comparison"] is None


def test_explain_draws_both_pictures_in_a_new_file(
    known: Imgcat, photos: Path, tmp_path: Path
) -> None:
    place = tmp_path / "drawing.png"
    words = ("explain", photos / "kept.jpg", photos / "copies" / "half.jpg", "--image", place)
    before = tree(photos)
    done = known(*words)
    assert (done.code, done.err) == (0, b"")
    assert "Match: " in done.text
    with Image.open(place) as image:
        assert image.format == "PNG"
        assert image.width > 3 * image.height / 2
    written = place.read_bytes()
    again = known.ask(*words)
    assert again.code == 2
    assert "is there already, and nothing is written over" in one_line(again)
    assert place.read_bytes() == written
    assert tree(photos) == before


# -- what makes no sense -----------------------------------------------------------------------

DUPES = {
    "--min-size lots": "a size is a number such as 500kB or 2MB, not 'lots'",
    "--min-size -5": "a size is a number",
    "--since yesterday": "since is a date such as 2024-05-01, or an age such as 7d",
    "--since 7dogs": "since is a date",
    "--grade same --radius 4": "a grade is of verified matches",
    "--grade similar --hash dhash": "a grade is of verified matches",
    "--grade same --no-verify": "a grade is of verified matches",
    "--grade same --exact": "exact compares bytes",
    "--keep size": "there is no rule 'size': what is kept is decided by folder:DIR, resolution, ",
    "--keep bytes,,path": "one of the rules is empty",
    "--keep folder:/nowhere/at/all": "there is no folder /nowhere/at/all",
    "--protect /nowhere/at/all": "there is no folder /nowhere/at/all",
    "--protect /dev/null": "'/dev/null' is no folder",
    "--against /nowhere/at/all": "/nowhere/at/all is not in the catalog",
    "--radius 4 --across": "do not go with hash, radius",
    "--no-verify --min-size 5": "do not go with hash, radius",
    "--hash phash --since 7d": "do not go with hash, radius",
}


@pytest.mark.parametrize("words", DUPES)
def test_what_makes_no_sense_is_one_line_and_exit_2(known: Imgcat, words: str) -> None:
    done = known.ask("dupes", *words.split())
    assert done.code == 2
    assert DUPES[words] in one_line(done)


def test_against_and_across_do_not_go_together(known: Imgcat, photos: Path) -> None:
    done = known.ask("dupes", "--against", photos / "card", "--across")
    assert done.code == 2
    assert "against and across" in one_line(done)


@pytest.mark.parametrize("words", ["--grade best", "--grade identical"])
def test_there_are_two_grades(known: Imgcat, photos: Path, words: str) -> None:
    for command in (["dupes"], ["similar", photos / "kept.jpg"]):
        done = known.ask(*command, *words.split())
        assert done.code == 2
        assert b"same" in done.err
        assert b"Traceback" not in done.err


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("dupes", ("--grade", "--against", "--across", "--min-size", "--since", "--pairs")),
        ("dupes", ("--keep RULES", "resolution,stamp,detail,exif,oldest,path", "--protect DIR")),
        ("similar", ("--grade", "--limit", "--no-verify")),
        ("explain", ("--grade", "--image", "FILE.png")),
    ],
)
def test_help_names_what_can_be_asked(known: Imgcat, command: str, wanted: tuple[str, ...]) -> None:
    done = known.ask(command, "--help")
    assert done.code == 0
    for word in wanted:
        assert word in done.text
    assert "same" in done.text
    assert "similar" in done.text


# -- interrupted -------------------------------------------------------------------------------

# The program, that keeps each decision and takes its time between them.
SLOWLY = """
import time
from catalog.matching import judge, settle
judge._COMMIT_EVERY = 0.0
settled = settle.Settler.settled
def slowly(*arguments, **options):
    for each in settled(*arguments, **options):
        yield each
        time.sleep(0.1)
settle.Settler.settled = slowly
from catalog.cli.main import main
main()
"""
DECIDED = "SELECT count(*) FROM match WHERE rule NOT IN ('undecided', 'looks-alike')"


def decided(imgcat: Imgcat) -> int:
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(os.fsdecode(imgcat.catalog))) as opened,
    ):
        return int(opened.execute(DECIDED).fetchone()[0])
    return 0


def test_an_interrupt_while_it_settles_leaves_what_was_decided(
    imgcat: Imgcat, tmp_path: Path
) -> None:
    top = tmp_path / "photos"
    copies = {
        f"{seed} {name}.jpg": COPIES[name](photo(seed))
        for seed in (1, 2)
        for name in ("toned", "cropped", "stamped", "barred", "one-sided")
    }
    write(top, {"1.jpg": original(1), "2.jpg": original(2), **copies})
    assert imgcat("index", top).code == 0
    words = (sys.executable, "-c", SLOWLY, "--catalog", imgcat.catalog, "dupes", "--json")
    process = subprocess.Popen(
        [os.fsencode(word) for word in words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=imgcat.env,
    )
    until = time.monotonic() + 30
    while decided(imgcat) < 3 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    done = imgcat.finish(process)
    assert done.code == 130, done
    assert done.out == b""
    assert b"Traceback" not in done.err
    kept = decided(imgcat)
    assert 3 <= kept < 10
    assert imgcat.nothing_is_left()
    answer = imgcat("dupes", "--json").json
    assert sorted(len(group["photos"]) for group in answer["groups"]) == [6, 6]
    assert answer["search"]["searched"] == 0
    assert 0 < answer["search"]["compared"] <= 10 - kept
    again = imgcat.ask("dupes", "--json").json
    assert again["search"]["compared"] == 0
    assert again["groups"] == answer["groups"]
