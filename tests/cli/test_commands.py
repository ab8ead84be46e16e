"""What a caller can rely on: exit codes, what goes where, the fields of JSON, and that nothing
is written beside the photos."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
from commandline import PROGRAM, Imgcat, one_line, picture, pictures, tree

INDEX = [
    *("format", "roots", "scanned", "unchanged", "added", "changed", "moved", "missing"),
    *("failed", "seconds"),
]
PHOTO = [
    *("path", "kind", "size", "width", "height", "mtime", "taken_at", "keep", "distance"),
    *("score", "orientation"),
]
DAEMON = ["state", "pid", "pending", "overflows", "last_rescan"]

QUERIES = [
    ["dupes"],
    ["dupes", "--exact"],
    ["dupes", "--no-verify", "--radius", "64", "--pairs"],
    ["dupes", "--csv"],
    ["dupes", "--csv", "--pairs"],
    ["dupes", "--print0"],
    ["dupes", "--print0", "--pairs"],
    ["dupes", "--hash", "whash", "--no-verify"],
    ["dupes", "--grade", "similar"],
    ["dupes", "--across"],
    ["dupes", "--min-size", "1kB", "--since", "2w"],
    ["problems"],
    ["problems", "--print0"],
    ["status"],
    ["status", "--check"],
    ["verify", "--jobs", "1"],
]


def paths_in(value: object) -> list[str]:
    """Every ``path`` of a JSON value."""
    if isinstance(value, dict):
        own = [value["path"]] if "path" in value else []
        return own + [path for inner in value.values() for path in paths_in(inner)]
    if isinstance(value, list):
        return [path for inner in value for path in paths_in(inner)]
    return []


# -- JSON --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (["status"], ["format", "catalog", "photos", "problems", "roots", "daemon"]),
        (["problems"], ["format", "problems"]),
        (["dupes"], ["format", "fresh", "search", "groups", "photos", "reclaimable"]),
        (["dupes", "--pairs"], ["format", "fresh", "groups", "photos", "reclaimable", "pairs"]),
        (["dupes", "--exact"], ["format", "fresh", "groups", "photos", "reclaimable"]),
        (["similar", "folder 0/0000.png"], ["format", "query", "fresh", "matches"]),
        (["verify"], ["format"]),
    ],
)
def test_json_is_one_object_that_begins_with_its_format_and_has_the_documented_fields(
    asked: Imgcat, collection: Path, words: list[str], fields: list[str]
) -> None:
    done = asked.ask(*words, "--json", cwd=collection)
    assert done.code == 0, done.errors
    assert done.err == b""
    assert done.out.startswith(b'{"format": 1,')
    assert done.out.endswith(b"}\n")
    assert set(fields) <= set(done.json)


def test_index_json_has_the_documented_fields(imgcat: Imgcat, collection: Path) -> None:
    done = imgcat.ask("index", collection, "--json")
    assert (done.code, done.err) == (0, b"")
    assert list(done.json)[: len(INDEX)] == INDEX
    answer = done.json
    assert answer["roots"] == [{"path": str(collection)}]
    assert (answer["added"], answer["failed"], answer["changed"]) == (10, 1, 0)
    again = imgcat.ask("index", "--json").json
    assert (again["added"], again["changed"], again["missing"]) == (0, 0, 0)
    assert again["scanned"] == again["unchanged"] == answer["scanned"]


def test_the_photos_of_json_groups_have_the_documented_fields_and_the_kept_one_comes_first(
    asked: Imgcat, collection: Path
) -> None:
    answer = asked.ask("dupes", "--json").json
    assert len(answer["groups"]) == 2
    for group in answer["groups"]:
        assert set(group) >= {"kind", "score", "reclaimable", "keep_reason", "photos"}
        assert [photo["keep"] for photo in group["photos"]] == [
            True,
            *[False] * (len(group["photos"]) - 1),
        ]
        for photo in group["photos"]:
            assert set(photo) >= set(PHOTO)
    names = [{Path(path).name for path in paths_in(group)} for group in answer["groups"]]
    assert {"0000.png", "copy of 0.png", "another copy of 0.png"} <= names[0] | names[1]
    assert {"0001.png", "copy of 1.png"} in names


def test_status_json_tells_roots_and_the_daemon(asked: Imgcat, collection: Path) -> None:
    answer = asked.ask("status", "--json").json
    assert answer["catalog"] == os.fsdecode(asked.catalog)
    (root,) = answer["roots"]
    assert set(root) >= {"path", "state", "photos", "last_scan"}
    assert (root["path"], root["state"], root["photos"]) == (str(collection), "online", 10)
    assert set(answer["daemon"]) >= set(DAEMON)
    assert answer["daemon"]["state"] == "stopped"


def test_forget_json_counts_what_was_dropped(fresh: tuple[Imgcat, Path]) -> None:
    imgcat, top = fresh
    done = imgcat.ask("forget", top / "folder 0", "--json")
    assert (done.code, done.err, done.json) == (0, b"", {"format": 1, "forgotten": 3})


def test_csv_has_a_header_and_a_row_for_each_photo(asked: Imgcat) -> None:
    rows = list(csv.reader(io.StringIO(asked.ask("dupes", "--csv").text, newline="")))
    assert rows[0][:4] == ["group", "keep", "path", "path_b64"]
    in_json = asked.ask("dupes", "--json").json
    assert [row[2] for row in rows[1:]] == paths_in(in_json["groups"])
    pairs = list(csv.reader(io.StringIO(asked.ask("dupes", "--csv", "--pairs").text, newline="")))
    assert pairs[0] == ["path", "path_b64", "other", "other_b64", "distance", "kind", "score"]
    found = asked.ask("dupes", "--json", "--pairs").json["pairs"]
    assert [[row[0], row[2], int(row[4]), row[5], float(row[6])] for row in pairs[1:]] == found
    assert found


def test_print0_gives_the_same_paths_each_ended_by_a_nul(asked: Imgcat, collection: Path) -> None:
    said = asked.ask("dupes", "--print0").out
    assert said.endswith(b"\0")
    in_json = asked.ask("dupes", "--json").json
    assert [os.fsdecode(path) for path in said.split(b"\0")[:-1]] == paths_in(in_json["groups"])
    broken = bytes(collection / "broken.jpg")
    assert asked.ask("problems", "--print0").out == broken + b"\0"
    answer = asked.ask("similar", collection / "copy of 1.png", "--print0")
    assert answer.out == bytes(collection / "folder 1" / "0001.png") + b"\0"


# -- streams -----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", QUERIES, ids=" ".join)
def test_queries_answer_on_standard_output_and_say_nothing_else(
    asked: Imgcat, words: list[str]
) -> None:
    done = asked.ask(*words)
    assert (done.code, done.err) == (0, b"")
    assert done.out


@pytest.mark.parametrize(
    "words",
    [
        ["status", "--quiet"],
        ["--quiet", "status"],
        ["dupes", "-q"],
        ["problems", "--quiet"],
        ["verify", "--quiet"],
        ["similar", "--quiet", "copy of 1.png"],
    ],
    ids=" ".join,
)
def test_quiet_is_known_everywhere_and_silences_remarks_only(
    asked: Imgcat, collection: Path, words: list[str]
) -> None:
    done = asked.ask(*words, cwd=collection)
    assert (done.code, done.err) == (0, b"")
    assert done.out, "the result itself is never silenced"
    assert b"Last scan" not in done.out
    if words[0] in ("dupes", "similar"):
        assert b"copy of" in done.out or b"0001.png" in done.out


def test_quiet_index_and_forget_say_nothing_at_all(imgcat: Imgcat, collection: Path) -> None:
    for words in (["index", collection], ["index"], ["forget", collection]):
        done = imgcat("--quiet", *words)
        assert (done.code, done.out, done.err) == (0, b"", b"")


def test_progress_is_silent_where_standard_error_is_no_terminal(
    imgcat: Imgcat, tmp_path: Path
) -> None:
    pictures(tmp_path / "photos", 60)
    done = imgcat.ask("index", tmp_path / "photos")
    assert done.err == b""
    assert b"\x1b" not in done.out
    assert done.out.count(b"\n") == 1


def test_progress_on_a_terminal_shows_count_and_rate_and_gives_the_cursor_back(
    imgcat: Imgcat, tmp_path: Path
) -> None:
    pictures(tmp_path / "photos", 300)
    done = imgcat.on_terminal("index", tmp_path / "photos", "-j", "1")
    said = done.out
    assert done.code == 0
    assert b"Reading photos" in said
    assert b"/300" in said
    assert b"/s" in said
    assert b" left" in said
    assert said.count(b"\x1b[?25l") == said.count(b"\x1b[?25h") >= 1
    assert b"300 added" in said.rsplit(b"\x1b[?25h")[-1], "the result stands below the bar"


def test_quiet_and_dumb_terminals_get_no_bar(imgcat: Imgcat, tmp_path: Path) -> None:
    pictures(tmp_path / "photos", 100)
    quiet = imgcat.on_terminal("index", tmp_path / "photos", "--quiet")
    assert (quiet.code, quiet.out) == (0, b"")
    imgcat.ask("forget", tmp_path / "photos")
    dumb = imgcat.on_terminal("index", tmp_path / "photos", env={"TERM": "dumb"})
    assert b"\x1b" not in dumb.out
    assert b"100 added" in dumb.out


def test_json_on_a_terminal_is_not_mixed_with_progress(imgcat: Imgcat, tmp_path: Path) -> None:
    pictures(tmp_path / "photos", 60)
    done = imgcat.on_terminal("index", tmp_path / "photos", "--json", streams=[1])
    assert json.loads(done.out)["added"] == 60


@pytest.mark.parametrize("words", [["dupes"], ["dupes", "--json"], ["dupes", "--print0"]])
def test_r41_a_reader_that_leaves_early_is_no_error_to_see(asked: Imgcat, words: list[str]) -> None:
    many = ["--no-verify", "--radius", "64", "--pairs"]
    process = asked.start(*words, *many)
    assert process.stdout is not None
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) in (0, 128 + signal.SIGPIPE)


def test_r41_more_output_than_a_pipe_holds_and_nobody_who_reads_it(
    imgcat: Imgcat, tmp_path: Path
) -> None:
    pictures(tmp_path / "photos", 120)
    assert imgcat.ask("index", tmp_path / "photos").code == 0
    for form in ("--json", "--csv", "--print0", "--quiet"):
        words = ["dupes", "--no-verify", "--radius", "64", "--pairs", form]
        process = imgcat.start(*words)
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b"", form
        process.stderr.close()
        assert process.wait(30) == 128 + signal.SIGPIPE


def test_r41_index_into_a_closed_pipe_has_done_its_work(imgcat: Imgcat, tmp_path: Path) -> None:
    pictures(tmp_path / "photos", 10)
    process = imgcat.start("index", tmp_path / "photos", "--json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait(30)
    assert imgcat.ask("status", "--json").json["photos"] == 10


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("words", [["status"], ["dupes", "--json"]], ids=" ".join)
def test_r41_output_that_cannot_be_written_is_one_line_and_exit_1(
    asked: Imgcat, words: list[str]
) -> None:
    with open("/dev/full", "wb") as full:
        process = subprocess.Popen(
            asked.command(*words), stdout=full, stderr=subprocess.PIPE, env=asked.env
        )
        done = asked.finish(process)
    assert done.code == 1
    assert done.err == b"imgcat: cannot write the output: No space left on device\n"


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_streams_that_the_caller_closed_do_no_harm(
    imgcat: Imgcat, tmp_path: Path, closed: str
) -> None:
    pictures(tmp_path / "photos", 3)
    script = f'exec "$@" {closed}'
    command = [b"/bin/sh", b"-c", script.encode(), b"sh", *imgcat.command("index", "--json")]
    done = imgcat.execute([*command, bytes(tmp_path / "photos")])
    assert (done.code, done.err) == (0, b"")
    assert done.json["added"] == 3


def test_an_answer_that_nobody_can_get_is_a_failure(asked: Imgcat) -> None:
    command = [b"/bin/sh", b"-c", b'exec "$@" >&-', b"sh", *asked.command("status")]
    done = asked.execute(command)
    assert done.code == 1
    assert b"cannot write the output" in done.err
    assert done.err.count(b"\n") == 1


# -- exit codes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["nope"],
        ["index", "--nope"],
        ["index", "../not there"],
        ["index", "not there"],
        ["index", "broken.jpg"],
        ["index", __file__],
        ["index", ""],
        ["index", "--jobs", "0"],
        ["index", "--jobs", "many"],
        ["dupes", "--radius", "65"],
        ["dupes", "--radius", "-1"],
        ["dupes", "--radius", "4", "--similarity", "90"],
        ["dupes", "--similarity", "101"],
        ["dupes", "--similarity", "nan"],
        ["dupes", "--similarity=-1"],
        ["dupes", "--hash", "md5"],
        ["dupes", "--json", "--csv"],
        ["dupes", "--json", "--print0"],
        ["dupes", "--csv", "--print0"],
        ["dupes", "--exact", "--radius", "2"],
        ["dupes", "--exact", "--hash", "phash"],
        ["dupes", "--exact", "--no-verify"],
        ["dupes", "--exact", "--grade", "same"],
        ["dupes", "--grade", "identical"],
        ["dupes", "--grade", "same", "--radius", "4"],
        ["dupes", "--against", "not there"],
        ["dupes", "--against", "folder 0", "--across"],
        ["dupes", "--against", "folder 0", "--hash", "phash"],
        ["dupes", "--min-size", "big"],
        ["dupes", "--min-size", "1kB", "--no-verify"],
        ["dupes", "--since", "yesterday"],
        ["dupes", "not there"],
        ["dupes", ""],
        ["dupes", "/"],
        ["problems", "--json", "--print0"],
        ["problems", "not there"],
        ["similar"],
        ["similar", "not there.jpg"],
        ["similar", ""],
        ["similar", "folder 0"],
        ["similar", "copy of 0.png", "--limit", "0"],
        ["similar", "copy of 0.png", "--grade", "hash"],
        ["similar", "copy of 0.png", "--grade", "same", "--radius", "4"],
        ["similar", "copy of 0.png", "not there"],
        ["similar", "copy of 0.png", "--json", "--print0"],
        ["forget"],
        ["forget", ""],
        ["forget", "not there"],
        ["status", "extra"],
        ["verify", "--sample", "0"],
        ["verify", "--sample", "nan"],
        ["verify", "not there"],
        ["--catalog", "", "status"],
        ["status", "--catalog", ""],
        ["status", "--catalog"],
    ],
    ids=" ".join,
)
def test_r41_what_makes_no_sense_is_one_line_and_exit_2(
    asked: Imgcat, collection: Path, words: list[str]
) -> None:
    done = asked.ask(*words, cwd=collection)
    assert done.code == 2, done
    assert "Value error" not in one_line(done)


def test_without_arguments_it_says_what_it_can_do(asked: Imgcat) -> None:
    done = asked.execute([os.fsencode(word) for word in PROGRAM])
    assert done.code == 0
    for command in ("index", "dupes", "similar", "status", "problems", "forget", "verify"):
        assert f"\n  {command} " in done.text
    helped = asked.execute([*map(os.fsencode, PROGRAM), b"--help"])
    assert helped.out == done.out


@pytest.mark.parametrize(
    "command", ["index", "dupes", "similar", "status", "problems", "forget", "verify"]
)
def test_every_command_has_help(asked: Imgcat, command: str) -> None:
    for flag in ("--help", "-h"):
        done = asked.ask(command, flag)
        assert (done.code, done.err) == (0, b"")
        assert f"imgcat {command}" in done.text
        for option in ("--catalog", "--quiet", "--json"):
            assert option in done.text


def test_version_is_that_of_the_package(asked: Imgcat) -> None:
    from importlib.metadata import version

    done = asked("--version")
    assert (done.code, done.text, done.err) == (0, f"imgcat {version('imgcat-catalog')}\n", b"")


def test_global_options_stand_before_or_after_the_command(asked: Imgcat) -> None:
    program = [os.fsencode(word) for word in PROGRAM]
    before = asked.execute([*program, b"--catalog", asked.catalog, b"--quiet", b"dupes"])
    after = asked.execute([*program, b"dupes", b"--catalog", asked.catalog, b"--quiet"])
    assert before == after
    assert before.code == 0


def test_python_m_catalog_is_imgcat(asked: Imgcat) -> None:
    command = [sys.executable, "-P", "-m", "catalog", "--catalog", os.fsdecode(asked.catalog)]
    done = asked.execute([os.fsencode(word) for word in [*command, "dupes", "--json"]])
    assert done == asked.ask("dupes", "--json")


def test_the_catalog_comes_from_the_environment_where_no_option_names_one(
    asked: Imgcat, tmp_path: Path
) -> None:
    program = [os.fsencode(word) for word in PROGRAM]
    env = {**asked.env, "IMGCAT_CATALOG": os.fsdecode(asked.catalog)}
    assert asked.execute([*program, b"dupes", b"--json"], env=env) == asked.ask("dupes", "--json")
    other = {**asked.env, "IMGCAT_CATALOG": str(tmp_path / "another.db")}
    assert asked("status", env=other).code == 0, "the option is stronger"
    assert asked.execute([*program, b"status"], env=other).code == 5


def test_the_catalog_is_in_the_user_data_folder_by_default(
    asked: Imgcat, collection: Path, tmp_path: Path
) -> None:
    if sys.platform != "linux":
        pytest.skip("XDG is for Linux")
    program = [os.fsencode(word) for word in PROGRAM]
    env = {**asked.env, "XDG_DATA_HOME": str(tmp_path / "xdg"), "IMGCAT_CATALOG": ""}
    assert asked.execute([*program, b"index", bytes(collection)], env=env).code == 0
    made = tmp_path / "xdg" / "imgcat" / "catalog.db"
    assert made.is_file()
    assert made.stat().st_mode & 0o077 == 0
    assert made.parent.stat().st_mode & 0o077 == 0
    env = {key: value for key, value in asked.env.items() if key != "IMGCAT_CATALOG"}
    done = asked.execute([*program, b"index", bytes(collection)], env=env)
    assert done.code == 0
    assert (asked.home / ".local" / "share" / "imgcat" / "catalog.db").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="root has to give up its privileges")
def test_r41_a_folder_that_cannot_be_listed_is_exit_3_and_told(
    imgcat: Imgcat, tmp_path: Path
) -> None:
    pictures(tmp_path / "photos", 6, folders=2)
    (tmp_path / "photos" / "folder 1").chmod(0)
    done = imgcat.execute(imgcat.unprivileged("index", tmp_path / "photos"))
    (tmp_path / "photos" / "folder 1").chmod(0o755)
    assert done.code == 3, done
    assert "Could not be read" in done.text
    assert "folder 1" in done.text
    assert done.err == b""
    assert imgcat.ask("status", "--json").json["photos"] == 3


def test_a_picture_that_cannot_be_decoded_is_recorded_and_no_failure(
    imgcat: Imgcat, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    done = imgcat.ask("index", tmp_path / "photos")
    assert done.code == 0
    assert "1 could not be read" in done.text
    (problem,) = imgcat.ask("problems", "--json").json["problems"]
    assert problem["path"].endswith("bad.jpg")
    assert set(problem) >= {"path", "size", "reason", "detail"}


def test_a_picture_to_compare_with_that_cannot_be_read_is_exit_1(
    asked: Imgcat, collection: Path
) -> None:
    done = asked.ask("similar", collection / "broken.jpg")
    assert done.code == 1
    assert "cannot be read as a picture" in one_line(done)


def test_similar_answers_for_a_picture_that_is_in_no_catalog(asked: Imgcat, tmp_path: Path) -> None:
    picture(tmp_path / "new.jpg", 0, form="JPEG")
    answer = asked.ask("similar", tmp_path / "new.jpg", "--json").json
    assert {Path(match["path"]).name for match in answer["matches"]} >= {"0000.png", "0 as.jpeg"}
    assert [match["distance"] for match in answer["matches"]] == sorted(
        match["distance"] for match in answer["matches"]
    )


def test_status_check_fails_for_a_root_that_is_gone_or_stale(fresh: tuple[Imgcat, Path]) -> None:
    imgcat, top = fresh
    assert imgcat.ask("status", "--check").code == 0
    os.rename(top, f"{top} unplugged")
    assert imgcat.ask("status", "--check").code == 1
    done = imgcat.ask("index")
    assert done.code == 0
    assert "Not there now, its photos are kept" in done.text
    assert imgcat.ask("index", top).code == 3, "named, and not there"
    os.rename(f"{top} unplugged", top)
    assert imgcat.ask("status", "--check").code == 0


# -- the photos --------------------------------------------------------------------------------


def test_no_command_writes_anything_beside_the_photos_or_leaves_anything_elsewhere(
    imgcat: Imgcat, collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top, temporary = tmp_path / "photos", tmp_path / "tmp"
    shutil.copytree(collection, top)
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)  # as in a program that just began
    before = tree(top)
    for words in (
        ["index", ".", "-j", "1"],
        *(["dupes", form] for form in ("--json", "--csv", "--print0", "--pairs")),
        ["similar", "copy of 0.png"],
        [*("similar", "notes.txt", "--hash", "whash", "--no-verify")],
        ["problems"],
        ["verify", "-j", "1"],
        ["index", "--full-decode", "folder 0", "-j", "1"],
        ["forget", "folder 1"],
        ["forget", "."],
    ):
        done = imgcat.ask(*words, cwd=top)
        assert done.code == (1 if "notes.txt" in words else 0), (words, done)
        assert tree(top) == before, words
        assert os.listdir(temporary) == [], words
    beside = {name.removeprefix("catalog") for name in os.listdir(tmp_path / "data")}
    assert {".db"} <= beside <= {".db", ".locks", ".db-wal", ".db-shm"}
    assert set(os.listdir(tmp_path)) == {"data", "photos", "tmp"}


def test_the_catalog_is_plain_sqlite_for_people_who_look_inside(
    asked: Imgcat, collection: Path
) -> None:
    connection = sqlite3.connect(os.fsdecode(asked.catalog))
    try:
        found = {path for (path,) in connection.execute("SELECT path FROM photos")}
    finally:
        connection.close()
    assert str(collection / "copy of 0.png") in found


# -- errors that nobody foresaw ----------------------------------------------------------------


def test_verbose_shows_where_an_error_came_from_and_otherwise_nothing_does(
    imgcat: Imgcat,
) -> None:
    plain = imgcat.ask("status")
    assert plain.code == 5
    one_line(plain)
    verbose = imgcat("--verbose", "status")
    assert verbose.code == 5
    assert "Traceback" in verbose.errors
    assert verbose.errors.splitlines()[-1] == plain.errors.strip()


BUG = """
import sys
import catalog.cli.status
def broken(database):
    raise ZeroDivisionError("a \\x1b[31mred\\x1b[0m one")
catalog.cli.status.standing = broken
from catalog.cli.main import main
main()
"""


def test_r39_a_bug_is_one_line_and_even_its_details_cannot_act_on_the_terminal(
    asked: Imgcat,
) -> None:
    for words in (["status"], ["--verbose", "status"]):
        done = asked.execute(
            [
                *map(os.fsencode, [sys.executable, "-c", BUG, "--catalog"]),
                *(asked.catalog, *map(os.fsencode, words)),
            ]
        )
        assert done.code == 1
        assert b"\x1b" not in done.err
        assert b"ZeroDivisionError" in done.err
        if len(words) == 1:
            assert done.err.count(b"\n") == 1
            assert b"Traceback" not in done.err


INTERRUPTED_IMPORT = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "catalog.cli.options":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
from catalog.cli.main import main
main()
"""


def test_r41_ctrl_c_while_the_program_still_starts_is_exit_130_without_a_traceback(
    asked: Imgcat,
) -> None:
    done = asked.execute([os.fsencode(sys.executable), b"-c", INTERRUPTED_IMPORT.encode()])
    assert (done.code, done.err) == (130, b"")


INTERRUPTED_QUERY = """
import sys
import catalog.cli.status
def interrupted(database):
    raise KeyboardInterrupt
catalog.cli.status.standing = interrupted
from catalog.cli.main import main
main()
"""


def test_r41_an_interrupted_query_is_exit_130_and_one_line(asked: Imgcat) -> None:
    command = [os.fsencode(sys.executable), b"-c", INTERRUPTED_QUERY.encode()]
    done = asked.execute([*command, b"--catalog", asked.catalog, b"status"])
    assert done.code == 130
    assert "run the same command" in one_line(done)


def test_the_clock_is_not_needed_to_run_forward(asked: Imgcat) -> None:
    """A catalog scanned 'tomorrow' is no error."""
    script = textwrap.dedent(
        """
        import time, catalog.cli.status
        real = time.time_ns
        time.time_ns = lambda: real() - 86_400 * 10**9
        from catalog.cli.main import main
        main()
        """
    )
    command = [os.fsencode(sys.executable), b"-c", script.encode()]
    done = asked.execute([*command, b"--catalog", asked.catalog, b"status"])
    assert (done.code, done.err) == (0, b"")
    assert time.strftime("%Y").encode() in done.out


def test_a_quiet_check_says_it_by_its_exit_code_alone(asked: Imgcat) -> None:
    done = asked.ask("status", "--check", "--quiet")
    assert (done.code, done.out, done.err) == (0, b"", b"")


def test_an_index_without_a_folder_makes_no_catalog(imgcat: Imgcat) -> None:
    assert imgcat.ask("index").code == 2
    assert imgcat.ask("status").code == 5


def test_a_similarity_below_one_percent_is_a_slip(asked: Imgcat) -> None:
    done = asked.ask("dupes", "--similarity", "0.9")
    assert (done.code, done.out) == (2, b"")
    assert b"percentage" in done.err
