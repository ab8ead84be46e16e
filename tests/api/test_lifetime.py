"""What is open, for how long, and for whom; and what a caller hears meanwhile."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from catalog import Catalog, CatalogAbsent, CatalogError, Phase, UsageError
from catalog.workers.cores import cores
from tests.support import Library, in_child, picture

Call = tuple[Phase, int, int | None]


def paths_of(catalog: Catalog) -> list[bytes]:
    return [photo.path for photo in catalog]


# -- one catalog after the other ---------------------------------------------------------------


def test_a_question_sees_what_was_indexed_since_the_last_one(
    catalog: Catalog, filled: Library
) -> None:
    before = paths_of(catalog)
    new = filled.put("new.bmp", 40)
    catalog.index()
    assert set(paths_of(catalog)) - set(before) == {new}
    another = filled.put("another.bmp", 41)
    with Catalog(filled.catalog) as other:
        other.index()
    assert set(paths_of(catalog)) - set(before) == {new, another}


def test_answers_stay_readable_after_another_index_and_leave_out_what_went(
    catalog: Catalog, filled: Library
) -> None:
    answer = catalog.duplicates(exact=True, pairs=True)
    groups = list(answer.groups)
    assert [len(group.matches) for group in groups] == [2, 1]
    os.unlink(filled.path("copy of 0.bmp"))
    catalog.index()
    assert [len(group.matches) for group in answer.groups] == [1, 1]
    assert answer.pairs is not None
    assert len(list(answer.pairs)) == 2
    assert list(catalog.duplicates(exact=True).groups) == list(answer.groups)


def test_a_catalog_that_another_took_the_place_of_is_seen_and_the_old_answers_stay(
    catalog: Catalog, filled: Library
) -> None:
    answer = catalog.duplicates(exact=True)
    groups = list(answer.groups)
    (filled.top.parent / "other").mkdir()
    other = Library(filled.top.parent / "other", filled.reader)
    path = other.put("one.bmp", 50)
    other.index()
    for suffix in (b"-wal", b"-shm"):
        assert not os.path.exists(other.catalog + suffix), "all is in one file"
    os.rename(other.catalog, filled.catalog)
    assert paths_of(catalog) == [path]
    assert list(catalog.duplicates().groups) == []
    assert list(answer.groups) == groups


def test_a_catalog_that_is_taken_away_is_absent(catalog: Catalog, filled: Library) -> None:
    assert paths_of(catalog)
    os.rename(filled.catalog, filled.catalog + b".away")
    with pytest.raises(CatalogAbsent):
        catalog.status()
    os.rename(filled.catalog + b".away", filled.catalog)
    assert paths_of(catalog)


def test_what_others_commit_is_seen_also_where_the_folder_of_the_catalog_cannot_be_written(
    catalog: Catalog, filled: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and may(path, mode))
    count = len(paths_of(catalog))
    assert catalog.status().missing == 0
    connection = sqlite3.connect(os.fsdecode(filled.catalog))
    with connection:
        connection.execute("UPDATE photo SET missing_since = 1 WHERE content IS NOT NULL")
    assert len(paths_of(catalog)) == 0, "seen while it is in the log"
    with connection:
        connection.execute("UPDATE photo SET missing_since = NULL WHERE name = ?", (b"0.bmp",))
    assert paths_of(catalog) == [filled.path("0/0.bmp")], "and so is what the log got next"
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with connection:
        connection.execute("UPDATE photo SET missing_since = NULL")
    connection.close()
    assert len(paths_of(catalog)) == count


def test_an_iteration_that_is_not_finished_keeps_no_writer_waiting(
    catalog: Catalog, filled: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.store.listing._AT_ONCE", 2)
    photos = catalog.photos()
    next(photos)
    filled.put("new.bmp", 40)
    catalog.index()
    log = filled.catalog + b"-wal"
    assert not os.path.exists(log) or os.path.getsize(log) == 0, "the writer could empty it"
    assert len(list(photos)) >= 9


# -- closing, threads, processes ---------------------------------------------------------------


def test_after_close_every_method_says_so_and_closing_again_does_nothing(
    catalog: Catalog, filled: Library
) -> None:
    answer, photos = catalog.duplicates(), catalog.photos()
    catalog.close()
    catalog.close()
    for ask in (catalog.status, catalog.index, catalog.duplicates, catalog.photos, catalog.verify):
        with pytest.raises(UsageError, match="is closed"):
            ask()
    with pytest.raises(CatalogError, match="closed"):
        list(answer.groups)
    with pytest.raises(CatalogError, match="closed"):
        list(photos)


def test_closing_ends_the_threads_that_searched_and_the_connection(filled: Library) -> None:
    before = set(threading.enumerate())
    files = set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()
    with Catalog(filled.catalog) as catalog:
        catalog.index(filled.top)
        for _ in range(cores() + 2):
            assert catalog.duplicates(radius=20).groups
        assert 0 < len(set(threading.enumerate()) - before) <= cores()
    assert set(threading.enumerate()) == before
    if sys.platform == "linux":
        assert set(os.listdir("/proc/self/fd")) == files


def test_a_catalog_is_for_the_thread_that_made_it_and_each_may_make_its_own(
    catalog: Catalog, filled: Library
) -> None:
    said: list[object] = []

    def elsewhere() -> None:
        for ask in (catalog.status, catalog.index, catalog.close, lambda: next(iter(catalog))):
            try:
                ask()
            except UsageError as error:
                said.append("belongs to another thread" in str(error))
        with Catalog(filled.catalog) as own:
            said.append(paths_of(own))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert said == [True, True, True, True, paths_of(catalog)]


def test_a_catalog_is_not_used_across_a_fork(catalog: Catalog) -> None:
    assert paths_of(catalog)

    def forked() -> str:
        try:
            catalog.status()
        except UsageError as error:
            return str(error)
        return ""

    assert "another" in in_child(forked)


def test_the_catalog_is_where_the_command_line_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("IMGCAT_CATALOG", raising=False)
    monkeypatch.chdir(tmp_path)
    if sys.platform == "linux":
        place = tmp_path / ".local" / "share" / "imgcat" / "catalog.db"
        assert repr(Catalog()) == f"Catalog('{place}')"
    monkeypatch.setenv("IMGCAT_CATALOG", "~/mine.db")
    assert repr(Catalog()) == f"Catalog('{tmp_path}/mine.db')"
    assert repr(Catalog("named.db")) == f"Catalog('{tmp_path}/named.db')"
    assert repr(Catalog(Path("~/named.db"))) == f"Catalog('{tmp_path}/named.db')"
    assert repr(Catalog(b"~/named.db")) == f"Catalog('{tmp_path}/named.db')"
    for nothing in ("", b""):
        with pytest.raises(UsageError, match="empty"):
            Catalog(nothing)
    monkeypatch.chdir("/")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.bmp").write_bytes(picture(1))
    words = [sys.executable, "-m", "catalog", "index", str(tmp_path / "photos")]
    subprocess.run(words, check=True, capture_output=True)
    with Catalog() as catalog:
        assert paths_of(catalog) == [bytes(tmp_path / "photos" / "1.bmp")]


# -- progress ----------------------------------------------------------------------------------


def test_a_function_hears_of_each_phase_from_its_beginning_to_its_end(filled: Library) -> None:
    calls: list[Call] = []

    def hear(phase: Phase, done: int, total: int | None) -> None:
        calls.append((phase, done, total))

    with Catalog(filled.catalog) as catalog:
        catalog.index(filled.top, progress=hear)
        reading = [call for call in calls if call[0] is Phase.READING]
        assert reading == [(Phase.READING, done, 11) for done in range(12)]
        listed = [done for phase, done, _ in calls if phase is Phase.LISTING]
        assert listed == sorted(listed)
        assert listed[0] == 0
        assert listed[-1] == 11
        for ask, phase in (
            (catalog.duplicates, Phase.SEARCHING),
            (
                lambda progress: catalog.similar(filled.path("0/0.bmp"), progress=progress),
                Phase.LOADING,
            ),
            (lambda progress: catalog.verify(jobs=1, progress=progress), Phase.VERIFYING),
        ):
            calls.clear()
            ask(progress=hear)
            assert (phase, 0) in [call[:2] for call in calls]


class Heard:
    """A progress with the methods of the protocol. It can be called, too."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []

    def start(self, phase: Phase, total: int | None = None) -> None:
        self.said.append(("start", phase, total))

    def advance(self, count: int = 1) -> None:
        self.said.append(("advance", count))

    def note(self, message: str) -> None:
        self.said.append(("note", message))


class HeardAndCalled(Heard):
    def __call__(self, *_words: object) -> None:
        raise AssertionError("it has the methods")


@pytest.mark.parametrize("kind", [Heard, HeardAndCalled])
def test_an_object_with_the_methods_of_progress_hears_notes_too(
    catalog: Catalog, filled: Library, kind: type[Heard]
) -> None:
    heard = kind()
    filled.put("new.bmp", 40)
    Path(os.fsdecode(filled.catalog)).write_bytes(b"SQLite format 3\0 and no more")
    catalog.index(filled.top, progress=heard)
    kinds = {said[0] for said in heard.said}
    assert kinds == {"start", "advance", "note"}
    assert ("start", Phase.READING, 12) in heard.said


def test_what_progress_raises_ends_the_run_and_what_was_read_is_kept(filled: Library) -> None:
    class Enough(Exception):
        pass

    def stop(phase: Phase, done: int, total: int | None) -> None:
        if (phase, done) == (Phase.READING, 5):
            raise Enough

    with Catalog(filled.catalog) as catalog:
        with pytest.raises(Enough):
            catalog.index(filled.top, progress=stop)
        summary = catalog.index(filled.top)
        assert summary.scanned == 11
        assert len(paths_of(catalog)) == 10


def test_keyboard_interrupt_from_progress_returns_what_was_done(filled: Library) -> None:
    def stop(phase: Phase, done: int, total: int | None) -> None:
        if phase in (Phase.READING, Phase.VERIFYING) and done == 5:
            raise KeyboardInterrupt

    with Catalog(filled.catalog) as catalog:
        summary = catalog.index(filled.top, progress=stop)
        assert summary.interrupted
        assert not summary.complete
        assert 0 < summary.pending < 11
        assert len(paths_of(catalog)) == summary.added
        rest = catalog.index(filled.top)
        assert (rest.interrupted, rest.added + summary.added) == (False, 10)
        assert catalog.verify(jobs=1, progress=stop).interrupted
