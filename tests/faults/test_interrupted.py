"""R23, R33, R41: an index run that is killed or interrupted loses a moment, and no more."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from commandline import Done, Imgcat, pictures

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")

COUNT = 400
ROUNDS = int(os.environ.get("IMGCAT_ROUNDS", "16"))
SEED = int(os.environ.get("IMGCAT_SEED", "23"))

Content = set[tuple[object, ...]]


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("photos")
    pictures(top, COUNT)
    return top


@pytest.fixture(scope="session")
def expected(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Content:
    """What an uninterrupted run stores."""
    home = tmp_path_factory.mktemp("undisturbed")
    undisturbed = Imgcat(bytes(home / "catalog.db"), home)
    assert undisturbed("index", photos).code == 0
    stored = rows(undisturbed)
    assert len(stored) == COUNT
    return stored


def rows(imgcat: Imgcat) -> Content:
    """All photos with their hashes, from a sound catalog."""
    connection = sqlite3.connect(os.fsdecode(imgcat.catalog))
    try:
        (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
        assert verdict == "ok"
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        if not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall():
            return set()
        return set(
            connection.execute(
                "SELECT path, size, width, height, phash, dhash, ahash, digest FROM photos"
            )
        )
    finally:
        connection.close()


def committed(imgcat: Imgcat) -> Content:
    return rows(imgcat) if os.path.exists(imgcat.catalog) else set()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Whether it came true while the process was running."""
    while process.poll() is None:
        if condition():
            return True
        time.sleep(0.005)
    return False


def some_rows(imgcat: Imgcat) -> bool:
    """Whether anything was committed so far, asked without disturbing the writer."""
    try:
        connection = sqlite3.connect(f"file:{os.fsdecode(imgcat.catalog)}?mode=ro", uri=True)
    except sqlite3.Error:
        return False
    try:
        return bool(connection.execute("SELECT 1 FROM photo LIMIT 1").fetchall())
    except sqlite3.Error:
        return False
    finally:
        connection.close()


def has_workers(imgcat: Imgcat) -> bool:
    return len(imgcat.processes()) > 2  # itself and the tracker of multiprocessing


def assert_quiet_end(done: Done) -> None:
    assert done.code == 130, done
    for said in (done.out, done.err):
        assert b"Traceback" not in said, done
        assert b"Exception ignored" not in said, done
        assert b"should not have happened" not in said, done


def test_r23_kill_9_at_any_moment_keeps_what_was_committed_and_the_next_run_finishes(
    imgcat: Imgcat, photos: Path, expected: Content
) -> None:
    dice = random.Random(SEED)
    before: Content = set()
    kills = 0
    for _ in range(ROUNDS):
        process = imgcat.start("index", photos, "--jobs", dice.choice("123"))
        begun = time.monotonic()
        if dice.random() < 0.7:  # mostly where it matters: among workers and commits
            wait_for(lambda: has_workers(imgcat), process)
        time.sleep(dice.uniform(0, 0.6))
        running = process.poll() is None
        kills += running
        process.kill()
        process.communicate()
        lived = time.monotonic() - begun
        assert imgcat.nothing_is_left(), f"processes are left after a kill at {lived:.3f} s"
        now = committed(imgcat)
        assert before <= now, f"rows were lost by a kill at {lived:.3f} s"
        assert now <= expected, "a row that no whole run stores"
        before = now
        if now == expected:  # begin again: nothing is left to interrupt
            assert imgcat("forget", photos).code == 0
            before = set()
    assert kills >= ROUNDS // 2
    done = imgcat("index", photos, "--json")
    assert done.code == 0
    answer = done.json
    assert answer["added"] + answer["unchanged"] == COUNT
    assert rows(imgcat) == expected
    assert imgcat("index", "--json").json["unchanged"] == COUNT


@pytest.mark.parametrize("whom", ["the process", "the whole group"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_r41_an_interrupted_run_says_how_to_go_on_and_keeps_its_work(
    imgcat: Imgcat, photos: Path, expected: Content, how: signal.Signals, whom: str
) -> None:
    process = imgcat.start("index", photos, "--jobs", "1")
    assert wait_for(lambda: some_rows(imgcat), process)
    seen = committed(imgcat)
    if whom == "the process":
        process.send_signal(how)
    else:
        os.killpg(process.pid, how)
    done = imgcat.finish(process)
    assert_quiet_end(done)
    assert "Interrupted" in done.text
    assert "imgcat index" in done.text or "next run" in done.text
    assert len(done.out.splitlines()) <= 2
    assert done.err == b""
    assert imgcat.nothing_is_left(0.5)
    kept = rows(imgcat)
    assert seen <= kept < expected
    assert not os.path.exists(imgcat.catalog + b"-wal"), "it was closed in order"
    again = imgcat("index", photos, "--json").json
    assert again["added"] == COUNT - len(kept)
    assert rows(imgcat) == expected


def test_r41_interrupted_json_says_so_in_json(imgcat: Imgcat, photos: Path) -> None:
    process = imgcat.start("index", photos, "--jobs", "1", "--json")
    assert wait_for(lambda: some_rows(imgcat), process)
    process.send_signal(signal.SIGINT)
    done = imgcat.finish(process)
    assert_quiet_end(done)
    assert done.json["interrupted"] is True
    assert done.json["complete"] is False
    assert done.json["added"] == len(rows(imgcat))


def test_r33_ctrl_c_while_workers_still_start_shows_no_traceback_of_theirs(
    imgcat: Imgcat, photos: Path
) -> None:
    """A terminal sends SIGINT to all of them, also to those that are still importing."""
    for number in range(4):
        process = imgcat.start("index", photos, "--jobs", "2")
        assert wait_for(lambda: len(imgcat.processes()) > 2, process)
        time.sleep(0.06 * number)
        os.killpg(process.pid, signal.SIGINT)
        done = imgcat.finish(process)
        assert_quiet_end(done)
        assert done.err == b""
        assert imgcat.nothing_is_left(1.0)
        if len(committed(imgcat)) == COUNT:
            imgcat("forget", photos)


def test_r41_impatient_ctrl_c_is_no_traceback_either(imgcat: Imgcat, photos: Path) -> None:
    dice = random.Random(SEED)
    for _ in range(7):
        process = imgcat.start("index", photos, "--jobs", "2")
        wait_until_listening(process)
        time.sleep(dice.uniform(0, 0.7))
        for pause in [dice.uniform(0, 0.15) for _ in range(dice.choice([1, 2, 5]))]:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            time.sleep(pause)
        done = imgcat.finish(process)
        if done.code != 0:  # else it had been done before the first of them
            assert_quiet_end(done)
        assert b"Traceback" not in done.err, done
        assert b"Exception ignored" not in done.err, done
        assert len(done.err.splitlines()) <= 1, done
        assert imgcat.nothing_is_left(2.0)
        if len(committed(imgcat)) == COUNT:
            imgcat("forget", photos)
    assert imgcat("index", photos).code == 0
    assert len(rows(imgcat)) == COUNT


def wait_until_listening(process: subprocess.Popen[bytes]) -> None:
    """Until our own code is there to be interrupted, and not the start of Python."""
    wait_for(lambda: catches_sigterm(process.pid), process)


def catches_sigterm(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_r41_ctrl_c_on_a_terminal_removes_the_bar_and_gives_the_cursor_back(
    imgcat: Imgcat, photos: Path
) -> None:
    sent = False

    def interrupt(process: subprocess.Popen[bytes], said: bytes) -> None:
        nonlocal sent
        if not sent and b"/400" in said and some_rows(imgcat):
            sent = True
            os.killpg(process.pid, signal.SIGINT)

    done = imgcat.on_terminal("index", photos, "--jobs", "1", during=interrupt)
    assert sent
    assert_quiet_end(done)
    assert done.out.count(b"\x1b[?25l") == done.out.count(b"\x1b[?25h") == 1
    after = done.out.rsplit(b"\x1b[?25h")[-1]
    assert b"Interrupted" in after
    assert imgcat.nothing_is_left(1.0)


@pytest.mark.parametrize("words", [["dupes", "--no-verify", "--radius", "64"], ["verify"]])
def test_r41_an_interrupted_query_is_exit_130_and_leaves_no_process(
    imgcat: Imgcat, photos: Path, words: list[str]
) -> None:
    assert imgcat("index", photos).code == 0
    for delay in (0.0, 0.1, 0.3):
        process = imgcat.start(*words)
        wait_until_listening(process)
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGINT)
        done = imgcat.finish(process)
        if done.code != 0:
            assert_quiet_end(done)
        assert imgcat.nothing_is_left(1.0)
