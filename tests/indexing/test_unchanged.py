"""What counts as unchanged (R10), and what may have changed unseen (R11, R12)."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

import catalog.scanning.walk
from catalog.model import Failure, Fingerprint, Reason, Stamp
from catalog.scanning.walk import Listing
from tests.support import HOUR, SECOND, Library, Reader, digest, no_loose_ends, picture, true


def restore_times(path: bytes, before: os.stat_result) -> None:
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def edit_like_exiftool_p(library: Library, path: bytes) -> None:
    before = os.stat(path)
    with open(path, "r+b") as file:
        file.write(picture(99))
    restore_times(path, before)


def move_new_over_old(library: Library, path: bytes) -> None:
    before = os.stat(path)
    other = library.put("other.tmp", 99)
    restore_times(other, before)
    os.rename(other, path)


def link_another_file_there(library: Library, path: bytes) -> None:
    before = os.stat(path)
    other = library.put("z.bmp", 99)
    restore_times(other, before)
    os.unlink(path)
    os.link(other, path)


def copy_with_times(library: Library, path: bytes) -> None:
    before = os.stat(path)
    other = library.put("other.tmp", 99)
    restore_times(other, before)
    shutil.copy2(other, path)
    os.unlink(other)


def write_and_touch_back(library: Library, path: bytes) -> None:
    before = os.stat(path)
    with open(path, "wb") as file:
        file.write(picture(99))
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "edit",
    [
        edit_like_exiftool_p,
        move_new_over_old,
        link_another_file_there,
        copy_with_times,
        write_and_touch_back,
    ],
)
def test_r10_other_bytes_of_the_same_size_and_mtime_are_seen(
    library: Library, edit: Callable[[Library, bytes], None]
) -> None:
    path = library.put("a.bmp", 1)
    library.put("b.bmp", 2)
    library.index()
    before = os.stat(path)
    edit(library, path)
    after = os.stat(path)
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    summary = library.index()
    assert library.known()[b"a.bmp"] == digest(99)
    assert true(library)
    assert (summary.changed, summary.failed) == (1, 0)
    no_loose_ends(library.catalog)


def test_r10_two_hard_linked_names_swapped_are_seen(library: Library) -> None:
    one, two = library.put("a/x.bmp", 1), library.put("b/x.bmp", 2)
    os.link(one, library.path("a/keep.bmp"))
    os.link(two, library.path("b/keep.bmp"))
    when = os.stat(one).st_mtime_ns
    for path in (one, two):
        os.utime(path, ns=(when, when))
    library.index()
    os.unlink(one)
    os.unlink(two)
    os.link(library.path("b/keep.bmp"), one)
    os.link(library.path("a/keep.bmp"), two)
    library.index()
    assert true(library)


@pytest.mark.parametrize("other", ["known", "new", "removed"])
def test_r10_a_file_with_two_names_is_written_to_in_place(library: Library, other: str) -> None:
    """exiftool -P -overwrite_original_in_place: only ctime tells, and so does a new link."""
    path = library.put("a.bmp", 1)
    if other != "new":
        os.link(path, library.path("b.bmp"))
    library.index()
    edit_like_exiftool_p(library, path)
    if other == "new":
        os.link(path, library.path("b.bmp"))
    if other == "removed":
        os.unlink(library.path("b.bmp"))
    library.index()
    assert true(library)
    no_loose_ends(library.catalog)


def test_r10_a_rescan_that_finds_nothing_reads_nothing(library: Library) -> None:
    for number in range(5):
        library.put(f"{number % 2}/{number}.bmp", number)
    library.index()
    for _ in range(2):
        summary = library.index()
        assert not library.read
        assert (summary.scanned, summary.unchanged) == (5, 5)
        assert (summary.added, summary.changed, summary.moved, summary.missing) == (0, 0, 0, 0)


def test_touched_but_identical_bytes_are_read_and_not_decoded(library: Library) -> None:
    path = library.put("a.bmp", 1)
    library.index()
    os.utime(path)
    summary = library.index()
    assert library.read == {b"a.bmp"}
    assert not library.decoded
    assert (summary.unchanged, summary.changed) == (1, 0)


# -- R11: time stamps too coarse to tell ----------------------------------------------------


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch, reader: Reader) -> None:
    """A file system that keeps times in steps of 2 seconds."""

    def rounded(time_ns: int) -> int:
        return time_ns // (2 * SECOND) * (2 * SECOND)

    def walk(*arguments: Any) -> Iterator[Listing]:
        for listing in catalog.scanning.walk.walk(*arguments):
            files = [
                (name, size, rounded(mtime), rounded(ctime), inode)
                for name, size, mtime, ctime, inode in listing.files
            ]
            yield replace(listing, files=files)

    def after(path: bytes, reading: Any) -> Any:
        stamp = reading.stamp
        stamp = stamp._replace(mtime_ns=rounded(stamp.mtime_ns), ctime_ns=rounded(stamp.ctime_ns))
        return replace(reading, stamp=stamp)

    monkeypatch.setattr("catalog.indexing.reconcile.walk", walk)
    reader.after = after


@pytest.mark.usefixtures("coarse")
def test_r11_a_rewrite_within_the_grain_of_the_clock_is_found_at_the_next_scan(
    library: Library, reader: Reader
) -> None:
    reader.later = 0
    names = [f"{number}.bmp" for number in range(20)]
    for number, name in enumerate(names):
        library.put(name, number, age=0)
    library.index()
    for number, name in enumerate(names):
        library.put(name, 100 + number, age=0)
    library.index()
    assert true(library)


@pytest.mark.usefixtures("coarse")
def test_r11_a_racy_row_that_proves_equal_counts_as_unchanged_and_is_settled(
    library: Library, reader: Reader
) -> None:
    reader.later = 0
    library.put("a.bmp", 1, age=0)
    library.index()
    assert library.rows("SELECT again FROM photo") == [(1,)]
    reader.later = 10 * SECOND  # ten seconds pass
    summary = library.index()
    assert library.read == {b"a.bmp"}
    assert not library.decoded
    assert (summary.unchanged, summary.changed, summary.added) == (1, 0, 0)
    assert library.rows("SELECT again FROM photo") == [(0,)]
    library.index()
    assert not library.read


@pytest.mark.usefixtures("coarse")
def test_r11_a_racy_problem_is_looked_at_again_too(library: Library, reader: Reader) -> None:
    reader.later = 0
    library.put("a.bmp", b"x" * len(picture(1)), age=0)
    library.index()
    assert library.known() == {b"a.bmp": Reason.UNSUPPORTED}
    library.put("a.bmp", 1, age=0)
    library.index()
    assert true(library)


def test_r11_a_file_from_the_future_is_settled_like_any_other(library: Library) -> None:
    library.put("a.bmp", 1, age=-1000 * 3600 * SECOND)
    library.index()
    library.index()
    assert not library.read


@pytest.mark.parametrize("age", [0, HOUR])
def test_r11_a_fresh_file_that_is_moved_is_read_again(
    library: Library, reader: Reader, age: int
) -> None:
    """Fresh by its mtime, or by its ctime alone, as after cp -p."""
    reader.later = 0
    path = library.put("a.bmp", 1, age=age)
    library.index()
    before = os.stat(path)
    with open(path, "r+b") as file:
        file.write(picture(2))
    restore_times(path, before)
    os.rename(path, library.path("b.bmp"))
    library.index()
    assert true(library)


# -- R12: what happens while a file is read ---------------------------------------------------


def test_r12_the_stamp_stored_is_the_one_of_the_bytes_that_were_read(
    library: Library, reader: Reader
) -> None:
    """A write after the reading and before the commit is seen at the next scan."""
    path = library.put("a.bmp", 1)

    def write_afterwards(_path: bytes, reading: Any) -> Any:
        before = os.stat(path)
        with open(path, "r+b") as file:
            file.write(picture(2))
        restore_times(path, before)
        return reading

    reader.after = write_afterwards
    library.index()
    assert library.known() == {b"a.bmp": digest(1)}
    reader.after = lambda _path, reading: reading
    library.index()
    assert true(library)


def test_r12_a_write_between_listing_and_reading_is_stored_as_it_was_read(
    library: Library, reader: Reader
) -> None:
    path = library.put("a.bmp", 1)
    reader.before = lambda _path: library.put("a.bmp", 2) and None
    library.index()
    assert true(library)
    reader.before = lambda _path: None
    library.index()
    assert not library.read
    assert path


def test_r12_a_file_that_keeps_changing_is_a_problem_and_read_again_next_time(
    library: Library, reader: Reader
) -> None:
    path = library.put("a.bmp", 1)
    stamp = Stamp.of(os.stat(path))
    reader.after = lambda _path, reading: replace(
        reading, stamp=stamp, outcome=Failure(Reason.UNSTABLE, "changed while it was read")
    )
    assert library.index().failed == 1
    assert [problem.reason for problem in library.problems()] == [Reason.UNSTABLE]
    assert library.groups() == []
    reader.after = lambda _path, reading: reading
    library.index()
    assert library.problems() == []
    assert true(library)


def test_a_file_that_vanished_before_it_was_read_is_missing_and_no_problem(
    library: Library, reader: Reader
) -> None:
    library.put("a.bmp", 1)
    library.put("b.bmp", 2)
    library.index()
    for name in ("a.bmp", "b.bmp", "new.bmp"):
        library.put(name, 3)
    reader.before = lambda path: os.unlink(path) if not path.endswith(b"b.bmp") else None
    summary = library.index()
    assert library.known() == {b"b.bmp": digest(3)}
    assert (summary.missing, summary.failed, summary.problems) == (1, 0, 0)
    no_loose_ends(library.catalog)


def test_a_process_lost_on_a_file_that_changed_meanwhile_condemns_the_old_bytes_only(
    library: Library, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What took the worker down are not the bytes that are there now."""
    from catalog.workers.pool import Lost

    path = library.put("a.bmp", 1)

    clock = time.time_ns

    def lose(_path: bytes, reading: Any) -> Any:
        library.put("a.bmp", 2)
        monkeypatch.setattr(time, "time_ns", lambda: clock() + 20 * SECOND)  # all that later
        return Lost(Reason.TIMED_OUT, "stopped after 30 seconds")

    reader.after = lose
    library.index()
    monkeypatch.undo()
    monkeypatch.setattr("catalog.workers.pool.run_all", reader.run_all)
    reader.after = lambda _path, reading: reading
    library.index()
    assert true(library)
    assert path


def test_the_same_bytes_under_a_thousand_names_are_one_content(library: Library) -> None:
    for number in range(50):
        library.put(f"{number}.bmp", 1)
    library.index()
    assert library.rows("SELECT count(*) FROM content") == [(1,)]
    assert true(library)


def test_stamps_beyond_64_bits_are_stored_and_found_again(
    library: Library, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dates after 2262, and inode numbers with the top bit, as some file systems have them."""
    path = library.put("a.bmp", 1)
    beyond = 2**63 + 12345
    os.utime(path, ns=(beyond, beyond))
    if os.stat(path).st_mtime_ns != beyond:
        pytest.skip("this file system cannot keep such a time")
    library.index()
    assert true(library)
    library.index()
    assert not library.read


def test_a_fingerprint_is_all_that_counts_as_decoded(reader: Reader, library: Library) -> None:
    """The reader of these tests must not hide what it reads."""
    library.put("a.bmp", 1)
    kinds: list[type] = []
    reader.after = lambda _path, reading: kinds.append(type(reading.outcome)) or reading
    library.index()
    assert kinds == [Fingerprint]
    assert library.decoded == {b"a.bmp"}
