"""R23, R33, R41: an index run that is killed or interrupted loses a moment, and no more."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commandline import Done, Imgcat

from tests.faults.running import wait_for, wait_for_chance
from tests.faults.stored import COUNT, Content, committed, rows
from tests.soak.figures import Say

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")

SEED = int(os.environ.get("IMGCAT_SEED", "23"))


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


def assert_quiet_end(done: Done) -> None:
    assert done.code == 130, done
    for said in (done.out, done.err):
        assert b"Traceback" not in said, done
        assert b"Exception ignored" not in said, done
        assert b"should not have happened" not in said, done


@pytest.mark.parametrize("rounds", [8, pytest.param(200, marks=pytest.mark.soak)])
def test_r23_kill_9_at_any_moment_keeps_what_was_committed_and_the_next_run_finishes(
    imgcat: Imgcat, photos: Path, expected: Content, rounds: int, say: Say
) -> None:
    dice = random.Random(SEED)
    before: Content = set()
    kills = stored = 0
    started = time.monotonic()
    for _ in range(rounds):
        process = imgcat.start("index", photos, "--jobs", dice.choice("123"))
        begun = time.monotonic()
        wait_for_chance(imgcat, process, dice)
        running = process.poll() is None
        kills += running
        process.kill()
        process.communicate()
        lived = time.monotonic() - begun
        assert imgcat.nothing_is_left(), f"processes are left after a kill at {lived:.3f} s"
        now = committed(imgcat)
        assert before <= now, f"rows were lost by a kill at {lived:.3f} s"
        assert now <= expected, "a row that no whole run stores"
        stored += before < now
        before = now
        if now == expected:  # begin again: nothing is left to interrupt
            assert imgcat("forget", photos).code == 0
            before = set()
    say(
        f"{rounds} runs, {kills} killed, {stored} stored some rows; no row lost; "
        f"{time.monotonic() - started:.0f} s"
    )
    assert kills >= rounds // 2
    assert stored >= rounds // 4
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
