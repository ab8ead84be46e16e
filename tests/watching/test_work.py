"""What is to be read is done in portions: large ones fast, small ones soon, none twice."""

from __future__ import annotations

from collections import deque

import pytest

from catalog.indexing.plan import Plan, Read, Why
from catalog.indexing.reconcile import Look
from catalog.indexing.tree import Node
from catalog.store.folders import RootRow
from catalog.watching import work
from catalog.watching.work import Job, apart, next_portion

ROOT, OTHER = RootRow(1, 1, b"/r"), RootRow(2, 2, b"/other")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "PORTION", 10)
    monkeypatch.setattr(work, "PORTION_BYTES", 1000)


def job(count: int, folder: bytes = b"a", *, size: int = 1, whole: bool = False) -> Job:
    node = Node(folder, Node(b"/r", None, 1, "fs"), 2, "fs")
    reads = [Read(node, b"%d.jpg" % number, size, Why.ADDED) for number in range(count)]
    looks = [Look(b"/r")] if whole else [Look(b"/r/" + folder, whole=False)]
    return Job.of(ROOT, Plan(reads=reads, scanned=count), looks, 0.0, 0)


def all_portions(jobs: list[Job]) -> list[list[tuple[bytes, bytes]]]:
    portions = []
    while jobs:
        chosen, reads = next_portion(jobs)
        portions.append([(read.folder.path, read.name) for read in reads])
        for done in chosen:
            jobs.remove(done)
            if done.reads:
                jobs.append(done)
    return portions


def test_a_job_is_done_in_portions_and_each_file_is_read_once() -> None:
    portions = all_portions([job(25)])
    assert [len(portion) for portion in portions] == [10, 10, 5]
    assert len({file for portion in portions for file in portion}) == 25


def test_small_jobs_share_a_portion() -> None:
    jobs = [job(3, b"%d" % number) for number in range(6)]
    portions = all_portions(jobs)
    assert [len(portion) for portion in portions] == [10, 8]
    assert len({file for portion in portions for file in portion}) == 18


def test_a_portion_has_no_more_bytes_than_are_read_in_some_seconds() -> None:
    assert [len(portion) for portion in all_portions([job(10, size=400)])] == [3, 3, 3, 1]


def test_what_comes_beside_a_long_job_waits_for_one_portion_of_it() -> None:
    portions = all_portions([job(30, whole=True), job(4, b"new")])
    folders = [{folder for folder, _ in portion} for portion in portions]
    assert folders == [{b"/r/a"}, {b"/r/new"}, {b"/r/a"}, {b"/r/a"}]


def test_a_job_for_a_whole_root_and_jobs_of_other_roots_stay_alone() -> None:
    other = job(2, b"x")
    other.root = OTHER
    jobs = [job(2), other, job(2, whole=True), job(2, b"b"), job(2, b"c")]
    assert [len(portion) for portion in all_portions(jobs)] == [2, 2, 2, 4]


def test_a_look_that_would_find_only_what_is_about_to_be_read_waits() -> None:
    waiting = job(2)
    for path, whole, waits in (
        (b"/r/a", False, True),
        (b"/r/a", True, True),
        (b"/r", True, True),
        (b"/r", False, False),
        (b"/r/ab", True, False),
        (b"/r/a/b", True, False),
    ):
        assert waiting.waits_for(Look(path, whole=whole)) == waits, (path, whole)


def test_a_look_at_a_folder_whose_files_were_read_waits_for_no_others() -> None:
    long = job(12)
    portions = 0
    while long.waits_for(Look(b"/r/a")):
        next_portion([long])
        portions += 1
    assert (len(long.reads), portions) == (0, 2)
    assert not long.folders


def test_the_plan_of_a_job_holds_no_file_to_be_read() -> None:
    one = job(3)
    assert (one.plan.reads, one.plan.scanned, len(one.reads)) == ([], 3, 3)
    assert isinstance(one.reads, deque)


def test_files_that_are_being_written_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "is_growing", lambda path, now: path.endswith(b"1.jpg"))
    whole, growing = apart(job(3).reads)
    assert [read.name for read in whole] == [b"0.jpg", b"2.jpg"]
    assert [read.name for read in growing] == [b"1.jpg"]
