r"""R39, R40: whatever a file is called, the terminal is safe and the exact name comes through."""

from __future__ import annotations

import base64
import csv
import io
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from commandline import Imgcat, one_line, picture

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names are any bytes on Linux only")

NAMES = [
    b"new\nline",
    b"carriage\rreturn",
    b"tab\there",
    b"bell\x07",
    b"back\x08\x08\x08\x08space",
    b"\x1b[31mred\x1b[0m",
    b"\x1b]0;title\x07",
    b"\x1b]8;;http:\\\\x\x07link\x1b]8;;\x07",
    b"\x1b[2J\x1b[H",
    b"\x1bc",
    b"del\x7f",
    b"\x01\x02\x03\x04\x05\x06\x0b\x0c\x0e\x0f",
    b"c1 \xc2\x9b31m",
    b"next \xc2\x85 line",
    b"raw c1 \x9b31m",
    b"not utf-8 \xff\xfe",
    b"latin \xe9t\xe9",
    b"cut short \xe2\x82",
    b"overlong \xc0\xaf",
    b"surrogate \xed\xa0\x80",
    "rtl \u202egpj.exe".encode(),
    "isolate \u2066x\u2069".encode(),
    "line\u2028paragraph\u2029".encode(),
    "zero\u200bwidth".encode(),
    "family 👨\u200d👩\u200d👧".encode(),
    "emoji 😀".encode(),
    "e\u0301 decomposed".encode(),
    "é composed".encode(),
    b"[red]rich[blink]",
    b"[bold",
    b":smile:",
    b"{braces} {0} {name}",
    b"%s %d %n %(name)s",
    b"100%",
    b"-",
    b"-rf",
    b"--apply",
    b"--help",
    b"=HYPERLINK(1)",
    b"+1",
    b"@SUM(1)",
    b"'quoted'",
    b'"double"',
    b"both ' and \"",
    b"comma, and; semicolon",
    b"back\\slash",
    b"looks escaped \\x1b",
    b"\\xff",
    b"`id`",
    b"$(id)",
    b"$HOME",
    b"a|b>c<d&e",
    b"* ? [a-z]",
    b" leading and trailing ",
    b"#hash?query=1&x",
    b"~",
    b"~root",
    b"...",
    b"drop'; DROP TABLE photo; --",
    b"x" * 251,
]
COPY = b"copy.png"
BAD = b"\x1b[31mbad\xff\n.jpg"  # is no picture


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Imgcat:
    """In each oddly named folder a picture of that odd name, a plain copy, and a broken file."""
    home = tmp_path_factory.mktemp("hostile")
    top = bytes(home / "photos")
    for number, name in enumerate(NAMES):
        folder = os.path.join(top, name)
        os.makedirs(folder)
        file = os.path.join(folder, name[:251] + b".png")
        picture(file, number)
        shutil.copy(file, os.path.join(folder, COPY))
    with open(os.path.join(top, NAMES[5], BAD), "wb") as broken:
        broken.write(b"\xff\xd8\xff\xe0")
    made = Imgcat(bytes(home / "catalog.db"), home)
    done = made("index", "--hidden", home / "photos", "--json")
    assert done.code == 0, done.errors
    assert done.json["added"] == 2 * len(NAMES)
    assert done.json["failed"] == 1
    time.sleep(2.6)  # until the files are not so new any more that they have to be read again
    assert made("index", "--quiet").code == 0
    return made


def pairs(imgcat: Imgcat) -> set[frozenset[bytes]]:
    """The two names of each picture."""
    found = set()
    for name in NAMES:
        folder = os.path.join(bytes(imgcat.home), b"photos", name)
        found.add(frozenset([os.path.join(folder, name + b".png"), os.path.join(folder, COPY)]))
    return found


def exact(item: Any, key: str = "path") -> bytes:
    """The bytes of a path in JSON."""
    if isinstance(item, str):
        return item.encode()
    if f"{key}_b64" in item:
        return base64.b64decode(item[f"{key}_b64"])
    return str(item[key]).encode()


def assert_harmless(said: bytes) -> None:
    assert not re.search(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]", said), "a control character"
    assert not re.search(rb"\r(?!\n)", said), "a carriage return that is not the terminal's"
    text = said.decode("utf-8")  # strict: no stray byte
    assert not re.search("[\x80-\x9f\u2028-\u202e\u2066-\u2069]", text)


def test_r39_there_are_enough_of_them() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 50
    assert max(map(len, NAMES)) + len(".png") == 255


@pytest.mark.parametrize(
    "words",
    [
        ["dupes"],
        ["dupes", "--pairs"],
        ["dupes", "--exact"],
        ["dupes", "--json"],
        ["dupes", "--json", "--pairs"],
        ["dupes", "--html", "-"],
        ["status"],
        ["status", "--json"],
        ["problems"],
        ["problems", "--json"],
        ["similar", "photos/\x1b[31mred\x1b[0m/copy.png"],
        ["similar", "photos/\x1b[31mred\x1b[0m/copy.png", "--json"],
        ["similar", "photos/\x1b[31mred\x1b[0m/\x1b[31mbad\udcff\n.jpg"],
        ["similar", "photos/\x1b[2J not there \udcff"],
        ["dupes", "photos/\x1b[2J not there \udcff"],
        ["index", "photos/../\x1b[2J not there \udcff"],
        ["forget", "photos/\x1b[2J not there \udcff"],
        ["\x1b[2J\udcff"],
        ["dupes", "--\x1b[2J\udcff"],
        ["dupes", "--radius", "\x1b[2J\udcff"],
        ["--catalog", "\x1b[2J\udcff.db", "status"],
    ],
    ids=ascii,
)
def test_r39_nothing_that_a_name_holds_can_act_on_the_terminal(
    hostile: Imgcat, words: list[str]
) -> None:
    before = os.getcwd()
    os.chdir(hostile.home)
    try:
        # On one that shows no bar: what takes long on a busy machine would draw one.
        done = hostile.on_terminal(*words, env={"TERM": "dumb"})
    finally:
        os.chdir(before)
    assert done.out
    assert_harmless(done.out)
    assert b"Traceback" not in done.out
    assert b"should not have happened" not in done.out


def test_r39_csv_on_a_terminal_is_harmless_too(hostile: Imgcat) -> None:
    for words in (["dupes", "--csv"], ["dupes", "--csv", "--pairs"]):
        said = hostile.on_terminal(*words, env={"TERM": "dumb"}).out
        assert_harmless(said.replace(b"\r\r\n", b"\r\n"))


def test_r39_an_index_run_shows_hostile_names_harmlessly(hostile: Imgcat, tmp_path: Path) -> None:
    another = Imgcat(bytes(tmp_path / "\x1b[2Jcatalog\n.db"), tmp_path)
    top = os.path.join(bytes(hostile.home), b"photos", NAMES[5])
    done = another.on_terminal("index", top, "--jobs", "1", streams=[1])
    assert done.code == 0
    assert_harmless(done.out)
    status = another.on_terminal("status", env={"TERM": "dumb"})
    assert status.code == 0
    assert_harmless(status.out)
    assert exact(another.ask("status", "--json").json, "catalog") == another.catalog


def test_r40_json_gives_every_name_back_exactly(hostile: Imgcat) -> None:
    answer = hostile.ask("dupes", "--json", "--pairs").json
    wanted = pairs(hostile)
    assert {frozenset(map(exact, group["photos"])) for group in answer["groups"]} == wanted
    assert {frozenset(map(exact, pair[:2])) for pair in answer["pairs"]} == wanted
    for group in answer["groups"]:
        for photo in group["photos"]:
            utf8 = exact(photo).decode("utf-8", "replace").encode() == exact(photo)
            assert ("path_b64" in photo) == (not utf8)


def test_r40_json_is_utf_8_without_surrogates_whatever_the_locale(hostile: Imgcat) -> None:
    env = {**hostile.env, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    done = hostile("dupes", "--json", env=env)
    assert (done.code, done.err) == (0, b"")
    assert not re.search("[\ud800-\udfff]", done.out.decode("utf-8"))
    assert {frozenset(map(exact, group["photos"])) for group in done.json["groups"]} == pairs(
        hostile
    )
    text = hostile("dupes", env=env)
    assert (text.code, text.err) == (0, b"")


def test_r40_csv_gives_every_name_back_and_starts_no_formula(hostile: Imgcat) -> None:
    said = hostile.ask("dupes", "--csv").out.decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(said, newline="")))
    groups: dict[str, set[bytes]] = {}
    for row in rows:
        assert not row["path"].startswith(("=", "+", "-", "@", "\t", "\r", "\0"))
        path = base64.b64decode(row["path_b64"]) if row["path_b64"] else row["path"].encode()
        groups.setdefault(row["group"], set()).add(path)
    assert {frozenset(paths) for paths in groups.values()} == pairs(hostile)
    said = hostile.ask("dupes", "--csv", "--pairs").out.decode("utf-8")
    found = set()
    for row in csv.DictReader(io.StringIO(said, newline="")):
        both = ((row["path"], row["path_b64"]), (row["other"], row["other_b64"]))
        found.add(frozenset(base64.b64decode(b) if b else p.encode() for p, b in both))
    assert found == pairs(hostile)


def test_r40_a_relative_name_that_looks_like_a_formula_is_guarded(hostile: Imgcat) -> None:
    """Paths are absolute, so it is the guard itself that is looked at here."""
    from catalog.rendering.table import _guarded

    assert _guarded("=1") == "'=1"


def test_r39_print0_gives_raw_names_that_xargs_takes(hostile: Imgcat) -> None:
    said = hostile.ask("dupes", "--print0").out
    names = said.split(b"\0")
    assert names.pop() == b""
    assert set(names) == {path for pair in pairs(hostile) for path in pair}
    counted = subprocess.run(
        ["xargs", "-0", "-n", "1", "stat", "-c", "found"],
        input=said,
        capture_output=True,
        check=False,
    )
    assert counted.stdout == b"found\n" * (2 * len(NAMES))
    broken = os.path.join(bytes(hostile.home), b"photos", NAMES[5], BAD)
    assert hostile.ask("problems", "--print0").out == broken + b"\0"
    (problem,) = hostile.ask("problems", "--json").json["problems"]
    assert exact(problem) == broken


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_r40_every_name_can_be_asked_about(hostile: Imgcat, name: bytes) -> None:
    folder = os.path.join(bytes(hostile.home), b"photos", name)
    file = name + b".png"
    words = ["similar", "--radius", "0", "--json", "--", file]
    done = hostile.ask(*words, cwd=folder)
    assert done.code == 0, done.errors
    assert exact(done.json, "query") == file
    assert [exact(match) for match in done.json["matches"]] == [os.path.join(folder, COPY)]
    done = hostile.ask("dupes", "--json", "--", name, cwd=os.path.dirname(folder))
    assert len(done.json["groups"]) == 1
    done = hostile.ask("dupes", "--json", "--", file, cwd=folder)
    assert done.code == 0


def test_r39_messages_about_hostile_names_are_one_line(hostile: Imgcat, tmp_path: Path) -> None:
    for name in NAMES:
        missing = os.path.join(bytes(tmp_path), name)
        for words in (["index", missing], ["dupes", missing], ["forget", missing]):
            done = hostile.ask(*words)
            assert done.code == 2
            assert_harmless(one_line(done).encode())


@pytest.mark.parametrize("name", NAMES[:-1:3], ids=ascii)
def test_a_catalog_may_have_any_name(tmp_path: Path, name: bytes) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    place = os.path.join(bytes(tmp_path), name)
    imgcat = Imgcat(os.path.join(place, name), tmp_path)
    done = imgcat.ask("index", folder)
    assert done.code == 0, done.errors
    status = imgcat.ask("status", "--json")
    assert exact(status.json, "catalog") == imgcat.catalog
    assert sorted(os.listdir(tmp_path)) == sorted([os.fsdecode(name), "photos"])
    assert name in os.listdir(place)


def test_hostile_roots_are_followed_and_forgotten(hostile: Imgcat, tmp_path: Path) -> None:
    imgcat = Imgcat(bytes(tmp_path / "catalog.db"), tmp_path)
    tops = sorted(os.path.join(bytes(hostile.home), b"photos", name) for name in NAMES[::12])
    done = imgcat("index", "--json", "--jobs", "1", *tops)
    assert done.code == 0, done.errors
    assert [exact(root) for root in done.json["roots"]] == tops
    status = imgcat.ask("status", "--json").json
    assert [exact(root) for root in status["roots"]] == tops
    assert imgcat.ask("index", "--json").json["unchanged"] == 2 * len(tops)
    for top in tops:
        assert imgcat.ask("forget", top).code == 0
    assert imgcat.ask("status", "--json").json["roots"] == []
