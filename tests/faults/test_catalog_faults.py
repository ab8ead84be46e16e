"""R26, R27, R28: a catalog that is full, read-only, damaged, foreign, newer, busy or not there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import Done, Imgcat, one_line, picture, pictures, tree

QUERIES = [["dupes"], ["status"], ["problems"], ["dupes", "--json", "--pairs"], ["verify"]]
COUNT = 30


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    pictures(tmp_path / "photos", COUNT)
    shutil.copy(tmp_path / "photos/folder 0/0000.png", tmp_path / "photos/copy.png")
    return tmp_path / "photos"


@pytest.fixture
def indexed(imgcat: Imgcat, photos: Path) -> Imgcat:
    assert imgcat.ask("index", photos, "-j", "1").code == 0
    return imgcat


def beside(imgcat: Imgcat) -> list[bytes]:
    return sorted(os.listdir(os.path.dirname(imgcat.catalog)))


# -- absent, foreign, newer ----------------------------------------------------------------------


@pytest.mark.parametrize("words", [*QUERIES, ["similar", "{picture}"], ["forget", "--missing"]])
def test_r26_a_question_to_no_catalog_is_exit_5_with_the_way_out_and_makes_none(
    imgcat: Imgcat, photos: Path, words: list[str]
) -> None:
    done = imgcat.ask(*(word.format(picture=photos / "copy.png") for word in words))
    assert done.code == 5
    assert "run 'imgcat index FOLDER' first" in one_line(done)
    assert not os.path.exists(os.path.dirname(imgcat.catalog))


def foreign_database(path: bytes) -> None:
    connection = sqlite3.connect(os.fsdecode(path))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript("CREATE TABLE mine (a); INSERT INTO mine VALUES (1);")
    connection.close()


def jpeg(path: bytes) -> None:
    picture(path, 1, form="JPEG")


def folder(path: bytes) -> None:
    os.mkdir(path)


def few_bytes(path: bytes) -> None:
    Path(os.fsdecode(path)).write_bytes(b"SQLite format 3\0")


@pytest.mark.parametrize("make", [foreign_database, jpeg, folder, few_bytes])
def test_r26_what_is_not_ours_is_exit_5_and_byte_for_byte_as_it_was(
    imgcat: Imgcat, photos: Path, make: object
) -> None:
    os.mkdir(os.path.dirname(imgcat.catalog))
    make(imgcat.catalog)  # type: ignore[operator]
    before = tree(os.path.dirname(imgcat.catalog))
    for words in (*QUERIES, ["index", photos], ["index"], ["forget", "--missing"]):
        done = imgcat.ask(*words)
        assert done.code == 5, (words, done)
        one_line(done)
        assert tree(os.path.dirname(imgcat.catalog)) == before, words


def test_r26_a_newer_catalog_is_exit_5_names_the_versions_and_stays_as_it_was(
    indexed: Imgcat, photos: Path
) -> None:
    connection = sqlite3.connect(os.fsdecode(indexed.catalog))
    connection.execute("PRAGMA user_version = 99")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = Path(os.fsdecode(indexed.catalog)).read_bytes()
    for words in (*QUERIES, ["index", photos], ["forget", photos]):
        done = indexed.ask(*words)
        assert done.code == 5
        assert "99" in one_line(done)
    assert Path(os.fsdecode(indexed.catalog)).read_bytes() == content


# -- damaged -------------------------------------------------------------------------------------


def scribble(path: str, share: float) -> None:
    """Overwrite ``share`` of all pages but the first with noise."""
    dice = random.Random(27)
    with open(path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        for offset in range(16_384, size, 16_384):
            if dice.random() < share:
                file.seek(offset)
                file.write(dice.randbytes(2000))


def cut(path: str) -> None:
    os.truncate(path, 20_000)


def empty(path: str) -> None:
    os.truncate(path, 0)


def wipe_the_header(path: str) -> None:
    with open(path, "r+b") as file:
        file.write(b"\0" * 4096)


def noise(path: str) -> None:
    scribble(path, 1.0)


@pytest.mark.parametrize("harm", [noise, cut, empty, wipe_the_header])
def test_r27_a_damaged_catalog_is_exit_5_for_questions_and_set_aside_by_the_next_index(
    indexed: Imgcat, photos: Path, harm: object
) -> None:
    in_photos = tree(photos)
    answer = indexed.ask("dupes", "--json").json["groups"]
    harm(os.fsdecode(indexed.catalog))  # type: ignore[operator]
    broken = Path(os.fsdecode(indexed.catalog)).read_bytes()
    for words in (["dupes"], ["status"], ["problems"], ["forget", photos]):
        done = indexed.ask(*words)
        assert done.code == 5, (words, done)
        assert "damaged" in one_line(done)
        assert "imgcat index" in done.errors
    assert Path(os.fsdecode(indexed.catalog)).read_bytes() == broken, "questions repair nothing"
    done = indexed.ask("index", photos, "-j", "1")
    assert done.code == 0, done
    assert done.err == b""
    assert "set aside" in done.text
    aside = [name for name in beside(indexed) if b".corrupt-" in name]
    assert aside
    kept = os.path.join(os.path.dirname(indexed.catalog), aside[0])
    assert Path(os.fsdecode(kept)).read_bytes() == broken
    assert indexed.ask("dupes", "--json").json["groups"] == answer
    assert indexed.ask("index", "--json").json["unchanged"] == COUNT + 1
    assert tree(photos) == in_photos


def test_r27_a_rebuilt_catalog_follows_the_folders_it_followed(
    imgcat: Imgcat, photos: Path, tmp_path: Path
) -> None:
    pictures(tmp_path / "more", 4, folders=1)
    assert imgcat.ask("index", photos, tmp_path / "more", "-j", "1").code == 0
    connection = sqlite3.connect(os.fsdecode(imgcat.catalog))
    (page,) = connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'content'"
    ).fetchone()
    connection.close()
    with open(imgcat.catalog, "r+b") as file:
        file.seek((page - 1) * 16_384)
        file.write(b"\xff" * 16_384)
    assert imgcat.ask("dupes").code == 5
    assert imgcat.ask("index", "-j", "1").code == 0
    roots = imgcat.ask("status", "--json").json["roots"]
    assert [root["path"] for root in roots] == sorted([str(photos), str(tmp_path / "more")])
    assert sum(root["photos"] for root in roots) == COUNT + 1 + 4


# -- read-only -----------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="root has to give up its privileges")
@pytest.mark.parametrize("closed", ["folder and file", "file", "all"])
def test_r28_where_nothing_can_be_written_questions_are_answered_and_index_says_why_not(
    indexed: Imgcat, photos: Path, closed: str
) -> None:
    place = Path(os.fsdecode(os.path.dirname(indexed.catalog)))
    answer = indexed.ask("dupes", "--json").json["groups"]
    assert indexed("index").code == 0  # it removes the log that the question before left empty
    shut = [Path(os.fsdecode(indexed.catalog))]
    if closed != "file":
        shut.append(place)
    if closed == "all":
        shut += [place / "catalog.locks", *(place / "catalog.locks").iterdir()]
    for path in shut:
        path.chmod(0o555)
    try:
        more = [["status"], ["verify"], ["similar", photos / "copy.png"]]
        for words in [["dupes"], *(more if closed == "all" else [])]:
            done = indexed.execute(indexed.unprivileged(*words))
            assert (done.code, done.err) == (0, b""), (words, done)
        again = indexed.execute(indexed.unprivileged("dupes", "--json"))
        assert again.json["groups"] == answer
        for words in (["index", photos], ["forget", photos]):
            done = indexed.execute(indexed.unprivileged(*words))
            assert done.code == 1, done
            assert "cannot be written" in one_line(done)
    finally:
        for path in reversed(shut):
            path.chmod(0o755)
    assert indexed.ask("index", "--json").json["unchanged"] == COUNT + 1


@pytest.mark.skipif(sys.platform != "linux", reason="root has to give up its privileges")
def test_r28_a_read_only_catalog_with_a_log_from_a_crash_is_read_whole(
    imgcat: Imgcat, photos: Path
) -> None:
    process = imgcat.start("index", photos, "--jobs", "1")
    wal = imgcat.catalog + b"-wal"
    while process.poll() is None and not (os.path.exists(wal) and os.path.getsize(wal) > 100_000):
        time.sleep(0.005)
    process.kill()
    process.communicate()
    if not os.path.exists(wal):
        pytest.skip("the run was over before it could be killed")
    place = Path(os.fsdecode(os.path.dirname(imgcat.catalog)))
    reader = sqlite3.connect(f"file:{os.fsdecode(imgcat.catalog)}?mode=ro", uri=True)
    (stored,) = reader.execute("SELECT count(*) FROM photo").fetchone()
    reader.close()
    before = tree(place)
    place.chmod(0o555)
    try:
        done = imgcat.execute(imgcat.unprivileged("status", "--json"))
    finally:
        place.chmod(0o755)
    assert done.code == 0, done
    assert done.json["photos"] == stored
    assert {p: s[1] for p, s in tree(place).items()} == {p: s[1] for p, s in before.items()}


# -- full ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(at: Path, size: str) -> Iterator[None]:
    at.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)]
    mounted = subprocess.run(command, check=False, capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("cannot mount a file system here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root to mount")
def test_r28_a_full_disk_is_one_line_keeps_what_was_committed_and_resumes_with_more_room(
    tmp_path: Path,
) -> None:
    count = 900
    pictures(tmp_path / "photos", count)
    disk = tmp_path / "disk"
    with small_disk(disk, "2m"):
        imgcat = Imgcat(bytes(disk / "catalog.db"), tmp_path)
        seen: list[int] = []
        for _ in range(2):  # the second time it opens a catalog on a full disk
            done = imgcat.ask("index", tmp_path / "photos")
            assert done.code == 1, done
            assert "no room left" in one_line(done)
            assert imgcat.nothing_is_left(1.0)
            done = imgcat.ask("status", "--json")
            if done.code == 0:
                seen.append(done.json["photos"])
        assert seen, "questions are answered on a full disk"
        assert 0 < seen[0] <= seen[-1] < count
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        done = imgcat.ask("index", tmp_path / "photos", "--json")
        assert done.code == 0, done
        assert seen[-1] <= done.json["unchanged"]
        assert done.json["unchanged"] + done.json["added"] == count
        connection = sqlite3.connect(str(disk / "catalog.db"))
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
        connection.close()
        assert verdict == "ok"


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root to mount")
def test_r28_a_disk_without_room_for_even_an_empty_catalog(tmp_path: Path) -> None:
    pictures(tmp_path / "photos", 3)
    with small_disk(tmp_path / "disk", "64k"):
        imgcat = Imgcat(bytes(tmp_path / "disk" / "catalog.db"), tmp_path)
        for _ in range(2):
            done = imgcat.ask("index", tmp_path / "photos")
            assert done.code == 1
            assert "no room left" in one_line(done)
        subprocess.run(["mount", "-o", "remount,size=64m", str(tmp_path / "disk")], check=True)
        assert imgcat.ask("index", tmp_path / "photos").code == 0
        assert [name for name in beside(imgcat) if b".new-" in name] == []


# -- busy ----------------------------------------------------------------------------------------


def test_r24_two_indexers_at_once_both_end_well_and_the_second_finds_nothing_to_do(
    imgcat: Imgcat, photos: Path
) -> None:
    pictures(photos / "more", 150)
    both = [imgcat.start("index", photos, "--json", "--jobs", "1") for _ in range(2)]
    done: list[Done] = [imgcat.finish(process) for process in both]
    assert [one.code for one in done] == [0, 0], done
    assert [one.err for one in done] == [b"", b""]
    added = sorted(one.json["added"] for one in done)
    assert added == [0, COUNT + 1 + 150], "one of them did it all"
    status = imgcat.ask("status", "--json").json
    assert status["photos"] == COUNT + 1 + 150
    assert len(status["roots"]) == 1


def test_r24_indexers_of_different_folders_and_questions_go_on_side_by_side(
    imgcat: Imgcat, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        pictures(tmp_path / name, 60)
    both = [imgcat.start("index", tmp_path / name, "-j", "1") for name in ("one", "two")]
    codes = set()
    while any(process.poll() is None for process in both):
        asked = imgcat.ask("status", "--json")
        codes.add(asked.code)
        assert asked.code in (0, 5), asked
        assert b"locked" not in asked.err
        assert asked.code == 0 or "no catalog" in asked.errors
    assert [imgcat.finish(process).code for process in both] == [0, 0]
    assert imgcat.ask("status", "--json").json["photos"] == 120


IMPATIENT = """
import sys
import catalog.store.locks
catalog.store.locks.PATIENCE = 1.5
from catalog.cli.main import main
main()
"""


@pytest.mark.parametrize("lock", ["write", "root-1", "session"])
def test_r22_a_lock_that_is_held_for_long_is_exit_6_and_names_the_holder(
    indexed: Imgcat, photos: Path, lock: str
) -> None:
    picture(photos / "new.png", 4242)
    locks = Path(os.fsdecode(os.path.dirname(indexed.catalog))) / "catalog.locks"
    with open(locks / lock, "w") as held:
        held.write("imgcat watch (process 4242)\n")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        command = [sys.executable, "-c", IMPATIENT, "--catalog"]
        words = [os.fsencode(word) for word in command]
        begun = time.monotonic()
        done = indexed.execute([*words, indexed.catalog, b"index", bytes(photos)])
        assert time.monotonic() - begun < 20
        assert done.code == 6, done
        assert "imgcat watch (process 4242)" in one_line(done)
        assert indexed.ask("status").code == 0, "questions need no lock"
    assert indexed.ask("index", "--json").json["added"] == 1


def test_r22_on_a_terminal_it_says_whom_it_waits_for(indexed: Imgcat, photos: Path) -> None:
    locks = Path(os.fsdecode(os.path.dirname(indexed.catalog))) / "catalog.locks"
    with open(locks / "root-1", "w") as held:
        held.write("imgcat watch (process 4242)\n")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)

        def release(_process: object, said: bytes) -> None:
            if b"waiting for" in said:
                held.close()

        done = indexed.on_terminal("index", photos, during=release)
    assert held.closed
    assert done.code == 0
    assert b"waiting for imgcat watch (process 4242)" in done.out
