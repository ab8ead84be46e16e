"""R33: a file that crashes, hangs or exhausts a process costs that file only."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import poison
import pytest
from pebble.pool.channel import ChannelMutex

from catalog.errors import CatalogError
from catalog.model import Reason
from catalog.workers import pool
from catalog.workers.pool import Lost, Task, run_all

JOBS = 2


def tasks(
    total: int, deadly: dict[int, str] | None = None, size: int = 0
) -> list[Task[poison.Item]]:
    marked = deadly or {}
    return [Task((number, marked.get(number, "")), size) for number in range(total)]


def run(
    total: int, deadly: dict[int, str], *, jobs: int = JOBS, time_limit: float = 30.0
) -> dict[int, int | Lost]:
    found = list(run_all(poison.read, tasks(total, deadly), jobs=jobs, time_limit=time_limit))
    assert len(found) == total, "every item comes back, and none twice"
    return {number: result for (number, _), result in found}


def assert_only_lost(found: dict[int, int | Lost], deadly: dict[int, str]) -> dict[int, Lost]:
    lost = {number: result for number, result in found.items() if isinstance(result, Lost)}
    assert sorted(lost) == sorted(deadly), "the poison is lost, and its neighbours are not"
    assert all(result == number * 2 for number, result in found.items() if number not in lost)
    return lost


def no_workers_left(patience: float = 3.0) -> bool:
    until = time.monotonic() + patience
    while multiprocessing.active_children():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_r33_two_thousand_good_files_survive_twelve_poisonous_ones() -> None:
    kinds = ["segfault", "killed", "exit 3", "raise", "sys.exit", "interrupt"] * 2
    places = random.Random(33).sample(range(2000), len(kinds))
    deadly = dict(zip(places, kinds, strict=True))
    lost = assert_only_lost(run(2000, deadly), deadly)
    assert {result.reason for result in lost.values()} == {Reason.CRASHED}
    details = {deadly[number]: result.detail for number, result in lost.items()}
    assert details["segfault"] == "its process ended with SIGSEGV"
    assert details["killed"] == "its process ended with SIGKILL"
    assert details["exit 3"] == "its process ended with exit code 3"
    assert details["raise"] == "ValueError inside the decoder"
    assert details["sys.exit"] == "SystemExit inside the decoder"


def test_r33_what_hangs_is_stopped_and_said_to_take_too_long() -> None:
    deadly = {3: "hang", 40: "busy", 77: "deaf"}
    lost = assert_only_lost(run(100, deadly, time_limit=1.0), deadly)
    assert {result.reason for result in lost.values()} == {Reason.TIMED_OUT}
    assert {result.detail for result in lost.values()} == {"stopped after 1 seconds"}


def test_r33_a_process_that_leaves_as_if_all_were_well_is_given_up_at_the_time_limit() -> None:
    deadly = {5: "exit 0"}
    begun = time.monotonic()
    lost = assert_only_lost(run(40, deadly, time_limit=1.0), deadly)
    assert time.monotonic() - begun < 20
    assert lost[5].reason in (Reason.TIMED_OUT, Reason.CRASHED)


def test_r33_what_eats_memory_meets_the_limit_and_not_the_machine() -> None:
    deadly = {7: "allocate"}
    lost = assert_only_lost(run(40, deadly), deadly)
    assert {result.reason for result in lost.values()} == {Reason.TOO_LARGE}


@pytest.mark.parametrize("how", ["not unpicklable", "not picklable", "nameless signal"])
def test_r33_an_odd_death_costs_that_file_only(how: str) -> None:
    deadly = {11: how}
    lost = assert_only_lost(run(60, deadly), deadly)
    assert lost[11].reason is Reason.CRASHED


def test_r33_a_result_that_cannot_be_sent_costs_that_file_only() -> None:
    marked = tasks(40, {9: "bad"})
    found = dict(run_all(poison.unpicklable_result, marked, jobs=JOBS))
    assert isinstance(found[(9, "bad")], Lost)
    assert all(found[(n, "")] == n for n in range(40) if n != 9)


def test_r33_nothing_but_poison_ends_all_the_same() -> None:
    deadly = dict.fromkeys(range(12), "segfault")
    assert_only_lost(run(12, deadly), deadly)


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_r33_results_are_the_same_whatever_the_number_of_jobs(jobs: int) -> None:
    deadly = {0: "exit 3", 33: "raise", 149: "segfault"}
    found = run(150, deadly, jobs=jobs)
    assert_only_lost(found, deadly)


def test_items_that_make_no_batch_and_large_ones_all_come_back() -> None:
    for total in (0, 1, 15, 16, 17):
        assert_only_lost(run(total, {}, jobs=1), {})
    big = list(run_all(poison.read, tasks(5, size=100 << 20), jobs=1))
    assert sorted(result for _, result in big) == [0, 2, 4, 6, 8]


def test_a_large_file_gets_more_time_than_a_small_one() -> None:
    # 0.2 s is not enough to sleep 0.05 s sixteen times, unless the bytes buy time.
    some = [Task(number, 1 << 20) for number in range(16)]
    found = dict(run_all(poison.slowly, some, jobs=1, time_limit=0.2))
    assert found == {number: number for number in range(16)}


def test_tasks_are_read_only_as_far_ahead_as_keeps_the_processes_busy() -> None:
    taken = itertools.count()
    last = -1

    def endless() -> Iterator[Task[int]]:
        nonlocal last
        for last in taken:
            yield Task(last, 0)

    results = run_all(poison.slowly, endless(), jobs=1)
    for _ in range(20):
        next(results)
    ahead = last
    results.close()
    most = pool._BATCH_FILES * (pool._IN_FLIGHT_PER_WORKER + 3)
    assert ahead < most, f"{ahead} tasks were taken for 20 results"


def test_leaving_early_ends_all_processes() -> None:
    results = run_all(poison.read, tasks(5000), jobs=JOBS)
    next(results)
    assert multiprocessing.active_children()
    results.close()
    assert no_workers_left(0.0)


def test_leaving_early_ends_a_process_that_is_inside_a_decoder() -> None:
    begun = time.monotonic()
    results = run_all(poison.read, tasks(100, {50: "hang", 99: "busy"}), jobs=JOBS)
    for _ in range(10):
        next(results)
    results.close()
    assert no_workers_left(0.0)
    assert time.monotonic() - begun < 10


def test_an_error_of_the_consumer_ends_all_processes() -> None:
    def consume() -> None:
        for _ in run_all(poison.read, tasks(1000), jobs=JOBS):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        consume()
    del consume
    assert no_workers_left()


def test_an_error_of_the_tasks_ends_all_processes_and_is_seen() -> None:
    def failing() -> Iterator[Task[poison.Item]]:
        yield from tasks(40)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(run_all(poison.read, failing(), jobs=JOBS))
    assert no_workers_left(0.0)


def test_r33_processes_that_are_killed_while_idle_are_replaced() -> None:
    found = []
    for item, result in run_all(poison.read, tasks(600), jobs=JOBS):
        found.append((item[0], result))
        if len(found) in (5, 200, 400):  # others went on meanwhile, and all wait for us now
            time.sleep(0.3)
            for child in multiprocessing.active_children():
                os.kill(child.pid or 0, signal.SIGKILL)
            time.sleep(0.5)
    numbers = dict(found)
    assert len(found) == len(numbers) == 600
    assert sum(isinstance(result, Lost) for result in numbers.values()) == 0


def test_r33_a_pool_that_broke_many_times_goes_on_as_long_as_it_gets_anywhere() -> None:
    """More restarts than are allowed in a row, each with results in between."""
    found = []
    rounds = pool._RESTARTS + 2
    for item, result in run_all(poison.read, tasks(rounds * 100), jobs=1):
        found.append(item[0])
        assert not isinstance(result, Lost)
        if len(found) % 100 == 0:
            time.sleep(0.1)
            for child in multiprocessing.active_children():
                os.kill(child.pid or 0, signal.SIGKILL)
            time.sleep(0.2)
    assert Counter(found) == Counter(range(rounds * 100))


@pytest.mark.parametrize("warm_up", [poison.broken_warm_up, poison.deadly_warm_up])
def test_processes_that_cannot_even_start_end_the_run_with_a_message(warm_up: object) -> None:
    begun = time.monotonic()
    with pytest.raises(CatalogError, match="keep dying"):
        list(run_all(poison.read, tasks(40), jobs=JOBS, warm_up=warm_up))  # type: ignore[arg-type]
    assert time.monotonic() - begun < 30
    assert no_workers_left()


def test_the_warm_up_runs_before_the_first_file() -> None:
    some = [Task(number, 0) for number in range(10)]
    found = list(run_all(poison.was_warm, some, jobs=1, warm_up=poison.note_warm_up))
    assert all(result is True for _, result in found)


def test_the_environment_is_as_it_was_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    for before in (None, "3"):
        if before is None:
            monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
        else:
            monkeypatch.setenv("OPENBLAS_NUM_THREADS", before)
        untouched = dict(os.environ)
        assert len(list(run_all(poison.read, tasks(3), jobs=1))) == 3
        assert dict(os.environ) == untouched
        results = run_all(poison.read, tasks(100), jobs=1)
        next(results)
        results.close()
        assert dict(os.environ) == untouched


def test_signals_reach_the_parent_as_before() -> None:
    list(run_all(poison.read, tasks(3), jobs=1))
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


PARENT = """
import sys
sys.path.insert(0, {here!r})
import poison
from catalog.workers.pool import Task, run_all
if __name__ == "__main__":
    function = poison.{function}
    results = run_all(function, [Task(number, 0) for number in range(10_000)], jobs=2)
    if function is not poison.forever:
        next(results)
    print("started", flush=True)
    for _ in results:
        pass
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("function", ["pid", "forever"])
def test_r33_workers_do_not_outlive_a_parent_that_is_killed(tmp_path: Path, function: str) -> None:
    mark = f"IMGCAT_TEST={tmp_path}"
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(here=str(Path(__file__).parent), function=function))
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        env={**os.environ, "IMGCAT_TEST": str(tmp_path)},
    )
    assert parent.stdout is not None
    with parent.stdout:
        if function == "pid":
            assert parent.stdout.readline() == b"started\n"
        until = time.monotonic() + 10
        while len(_marked(mark)) < 4 and time.monotonic() < until:  # two workers, one tracker
            time.sleep(0.02)
        time.sleep(0.5)
        assert len(_marked(mark)) >= 4
        parent.kill()
        parent.wait()
    until = time.monotonic() + 4
    while _marked(mark) and time.monotonic() < until:
        time.sleep(0.05)
    assert _marked(mark) == []


def _marked(mark: str) -> list[int]:
    """The processes with this in their environment; zombies have none."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                environment = Path(f"/proc/{name}/environ").read_bytes()
            except OSError:
                continue
            if mark.encode() in environment.split(b"\0"):
                found.append(int(name))
    return found


def test_r33_a_file_that_is_alone_in_its_batch_gets_its_second_attempt_too(tmp_path: Path) -> None:
    marker = str(tmp_path / "died")
    assert list(run_all(poison.dies_once, [Task(marker, 0)], jobs=1)) == [(marker, "read")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_r41_an_interrupt_waits_until_a_process_was_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    idle, over = threading.Event(), threading.Event()
    other = threading.Thread(target=lambda: (idle.set(), over.wait()))  # it may take the signal
    other.start()
    told: list[str] = []
    real = pool.Popen

    def interrupted(process: object) -> object:
        assert idle.wait(5)
        assert other.ident is not None
        signal.pthread_kill(other.ident, number)
        time.sleep(0.05)
        started = real(process)
        told.append("what to do")
        return started

    monkeypatch.setattr(pool, "Popen", interrupted)
    workers = pool.Pool(1)
    try:
        with pytest.raises(KeyboardInterrupt):
            workers.start()
        assert told == ["what to do"]
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        over.set()
        other.join()
        workers.end()
        signal.signal(signal.SIGTERM, before)
    assert no_workers_left()


def test_r41_processes_end_before_the_locks_that_they_would_look_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[int | None] = []
    real = ChannelMutex.unlink

    def unlink(mutex: ChannelMutex) -> None:
        for process in processes:
            process.join(5)
            ended.append(process.exitcode)
        real(mutex)

    monkeypatch.setattr(ChannelMutex, "unlink", unlink)
    workers = pool.Pool(JOBS)
    workers.start()
    processes = multiprocessing.active_children()
    workers.end()
    assert ended == [-signal.SIGKILL] * JOBS
    assert no_workers_left()
