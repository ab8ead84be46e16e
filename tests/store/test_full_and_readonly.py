"""R28: a full disk keeps what was committed; a medium that cannot be written still answers."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import CatalogError, CatalogReadOnly, DiskFull
from catalog.indexing import perform
from catalog.indexing.forget import forget
from catalog.indexing.run import index, index_at
from catalog.queries.duplicates import duplicates
from catalog.queries.standing import problems, status
from catalog.store import contents
from catalog.store.database import Database, open_for_reading, open_for_writing
from tests.support import (
    NOBODY,
    Library,
    Reader,
    ended,
    fingerprint,
    in_child,
    mount,
    mount_tmpfs,
    needs_root,
    no_loose_ends,
    started,
    true,
)

# -- full ------------------------------------------------------------------------------------


def fill(library: Library, count: int = 200) -> None:
    for number in range(count):
        library.put(f"{number % 4}/{number}.bmp", number)


def test_r28_a_full_disk_keeps_what_was_committed_and_the_next_run_goes_on(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perform, "BATCH_ROWS", 10)
    fill(library)
    with open_for_writing(library.catalog) as database:
        limit = database.value("PRAGMA page_count") + 6
        database.value(f"PRAGMA max_page_count = {limit}")
        with pytest.raises(DiskFull, match="what was committed is kept"):
            index(database, [os.fsencode(library.top)])
    kept = len(library.known())
    assert 0 < kept < 200
    no_loose_ends(library.catalog)
    library.index()
    assert len(library.read) == 200 - kept
    assert true(library)


def test_r28_a_transaction_that_finds_no_room_leaves_nothing_of_itself(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "catalog.db")
    with open_for_writing(path) as database:
        with database.writing() as writer:
            contents.save(writer, fingerprint(1))
        database.value(f"PRAGMA max_page_count = {database.value('PRAGMA page_count') + 1}")
        with pytest.raises(DiskFull):
            save_500(database)
        assert contents.count(database) == 1
    no_loose_ends_but_contents(path)


def save_500(database: Database) -> None:
    with database.writing() as writer:
        for number in range(2, 500):
            contents.save(writer, fingerprint(number))


def no_loose_ends_but_contents(catalog: bytes) -> None:
    with open_for_writing(catalog) as database:
        assert database.fault() is None
        assert contents.count(database) == 1


@needs_root
def test_r28_a_real_full_disk(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def scenario() -> None:
        monkeypatch.setattr(perform, "BATCH_ROWS", 20)
        fill(library, 800)
        state = os.path.dirname(library.catalog)
        os.mkdir(state)
        mount_tmpfs(state, "size=1500k")
        with pytest.raises(DiskFull, match="no room left"):
            library.index()
        kept = len(library.known())
        assert 0 < kept < 800
        assert len(library.groups()) == 0
        with pytest.raises(DiskFull):
            library.index()
        mount("-o", "remount,size=16m", state)
        library.index()
        assert len(library.read) <= 800 - kept
        assert true(library)
        no_loose_ends(library.catalog)

    in_child(scenario, own_mounts=True)


@needs_root
def test_r28_no_room_to_make_a_catalog(library: Library) -> None:
    def scenario() -> None:
        state = os.path.dirname(library.catalog)
        os.mkdir(state)
        mount_tmpfs(state, "size=64k")
        library.put("a.bmp", 1)
        with pytest.raises(DiskFull):
            library.index()
        mount("-o", "remount,size=16m", state)
        library.index()
        assert true(library)
        assert [n for n in os.listdir(state) if b".new-" in n] == []

    in_child(scenario, own_mounts=True)


# -- read-only ----------------------------------------------------------------------------------


def ask_everything(library: Library) -> int:
    with open_for_reading(library.catalog) as database:
        assert len(status(database).roots) == 1
        problems(database)
        return len(duplicates(database).groups)


@pytest.fixture
def shelf(open_place: Path, reader: Reader) -> Library:
    library = Library(open_place, reader)
    library.put("a.bmp", 1)
    library.put("b.bmp", 1)
    library.index()
    for folder, _, names in os.walk(open_place):
        os.chmod(folder, 0o755)
        for name in names:
            os.chmod(os.path.join(folder, name), 0o644)
    return library


def leave_a_log(library: Library) -> None:
    """A run that was killed: its commits are in the log only."""

    def die() -> None:
        with open_for_writing(library.catalog) as database:
            database.value("PRAGMA wal_autocheckpoint = 0")
            library.put("c.bmp", 5)
            library.put("d.bmp", 5)
            index(database, [os.fsencode(library.top)])
            os.kill(os.getpid(), 9)

    assert ended(started(die))
    for name in os.listdir(os.path.dirname(library.catalog)):
        path = os.path.join(os.path.dirname(library.catalog), name)
        os.chmod(path, 0o755 if os.path.isdir(path) else 0o644)


def refuses_to_write(library: Library) -> None:
    writings: list[Callable[[], Any]] = [
        lambda: index_at(library.catalog, [os.fsencode(library.top)]),
        lambda: open_for_writing(library.catalog),
    ]
    for write in writings:
        with pytest.raises(CatalogReadOnly, match="cannot be written"):
            write()


def files(library: Library) -> dict[str, bytes]:
    folder = Path(os.fsdecode(os.path.dirname(library.catalog)))
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@needs_root
@pytest.mark.parametrize("log", [False, True])
def test_r28_another_users_catalog_answers_and_cannot_be_written(shelf: Library, log: bool) -> None:
    if log:
        leave_a_log(shelf)
    before = files(shelf)

    def scenario() -> None:
        assert ask_everything(shelf) == (2 if log else 1)
        refuses_to_write(shelf)
        assert ask_everything(shelf) == (2 if log else 1)

    in_child(scenario, user=NOBODY)
    assert files(shelf) == before


@needs_root
@pytest.mark.parametrize("log", [False, True])
def test_r28_a_catalog_on_a_read_only_medium_answers_and_cannot_be_written(
    shelf: Library, log: bool
) -> None:
    if log:
        leave_a_log(shelf)
    state = os.path.dirname(shelf.catalog)

    def scenario() -> None:
        mount("--bind", state, state)
        mount("-o", "remount,bind,ro", state)
        before = files(shelf)
        assert ask_everything(shelf) == (2 if log else 1)
        refuses_to_write(shelf)
        assert files(shelf) == before

    in_child(scenario, own_mounts=True)


@pytest.mark.parametrize("log", [False, True])
def test_r28_where_the_folder_cannot_be_written_a_log_is_read_from_a_copy(
    shelf: Library, log: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, for those who are not root."""
    if log:
        leave_a_log(shelf)
    shm = shelf.catalog + b"-shm"
    if os.path.exists(shm):
        os.unlink(shm)
    before = files(shelf)
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and real(path, mode))
    assert ask_everything(shelf) == (2 if log else 1)
    assert files(shelf) == before
    refuses_to_write(shelf)
    assert files(shelf) == before


def test_r28_copies_for_reading_do_not_pile_up(
    shelf: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import tempfile

    leave_a_log(shelf)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)
    with open_for_reading(shelf.catalog):
        (copy,) = tmp_path.iterdir()
        assert copy.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == []


def test_a_reader_cannot_change_the_catalog(shelf: Library) -> None:
    before = files(shelf)
    with open_for_reading(shelf.catalog) as database:
        with pytest.raises(CatalogReadOnly):
            database.rows("DELETE FROM photo")
        with pytest.raises(CatalogError), database.writing() as writer:
            writer.run("DELETE FROM photo")
        with pytest.raises(CatalogError):
            forget(database, [os.fsencode(shelf.top)])
    assert files(shelf)[os.fsdecode(shelf.catalog)] == before[os.fsdecode(shelf.catalog)]
    assert ask_everything(shelf) == 1


def test_an_error_of_the_disk_under_the_catalog_is_told_and_is_no_damage(
    shelf: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from catalog.store import database as module

    def fails(*_arguments: object, **_keywords: object) -> object:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ  # type: ignore[attr-defined]
        raise error

    monkeypatch.setattr(module.sqlite3, "connect", fails)
    with pytest.raises(CatalogError, match="disk I/O error") as raised:
        open_for_reading(shelf.catalog)
    assert type(raised.value) is CatalogError


def test_two_readers_and_a_writer_do_not_disturb_each_other(shelf: Library) -> None:
    with open_for_reading(shelf.catalog) as one, open_for_reading(shelf.catalog) as other:
        shelf.put("c.bmp", 9)
        shelf.index()
        assert len(duplicates(one).groups) == len(duplicates(other).groups) == 1
        assert status(one).photos == status(other).photos == 3
