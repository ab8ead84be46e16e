"""R27: damage has a name of its own, is never a traceback, and costs no photo and no answer."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.errors import Busy, CatalogDamaged, CatalogError, UsageError
from catalog.indexing.run import index_at
from catalog.queries.duplicates import duplicates
from catalog.queries.standing import problems, status
from catalog.queries.verify import verify
from catalog.store import contents, locks
from catalog.store import database as store
from catalog.store.database import open_for_reading, open_for_writing
from catalog.store.locks import Locks
from tests.support import (
    Library,
    digest,
    ended,
    fingerprint,
    killed,
    no_loose_ends,
    sql_rows,
    started,
    true,
)

FLIPS = 50
PAGE = 16_384


@pytest.fixture
def shelf(library: Library) -> Library:
    for number in range(6):
        library.put(f"{number % 2}/{number}.bmp", number // 2)
    library.put("0/bad.jpg", b"no picture")
    library.index()
    assert len(library.groups()) == 3
    return library


def damage(catalog: bytes, change: Callable[[bytearray], None]) -> None:
    path = Path(os.fsdecode(catalog))
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(bytes(data))


def flipped(offset: int, length: int = 64) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        for position in range(offset, min(offset + length, len(data))):
            data[position] ^= 0xFF

    return change


def ask_everything(catalog: bytes) -> None:
    with open_for_reading(catalog) as database:
        duplicates(database)
        status(database)
        problems(database)


def set_aside(catalog: bytes) -> list[bytes]:
    folder, name = os.path.split(catalog)
    asides = (n for n in os.listdir(folder) if n.startswith(name + b".corrupt-"))
    return sorted(n for n in asides if not n.endswith((b"-wal", b"-shm")))


def repaired(library: Library) -> None:
    """An index run ends well, and what it leaves is sound and right."""
    summary = library.index()
    assert true_but_for_problems(library)
    assert len(library.groups()) == 3
    no_loose_ends(library.catalog)
    assert not summary.interrupted


def true_but_for_problems(library: Library) -> bool:
    known = library.known()
    bad = known.pop(b"0/bad.jpg")
    return isinstance(bad, str) and known == {
        b"%d/%d.bmp" % (number % 2, number): digest(number // 2) for number in range(6)
    }


def offsets(size: int) -> list[int]:
    """Some in the header, some at the beginnings of pages, and the rest anywhere."""
    chance = random.Random(3)
    pages = [page * PAGE for page in range(size // PAGE)]
    fixed = [0, 16, 40, 64, 90, 100, *pages[1:12]]
    return [*fixed, *(chance.randrange(size) for _ in range(FLIPS - len(fixed)))]


def test_r27_64_flipped_bytes_anywhere_are_an_error_of_ours_or_do_no_harm(
    shelf: Library, tmp_path: Path
) -> None:
    """And where an index run says that all is well, no loose end is left.

    What sits inside a value (a hash, a digest) no database can tell; that is for verify.
    """
    kept = tmp_path / "kept"
    shutil.copytree(os.path.dirname(shelf.catalog), os.fsencode(kept))
    size = os.path.getsize(shelf.catalog)
    photos = {path: path.read_bytes() for path in shelf.top.rglob("*") if path.is_file()}
    found: dict[str, int] = {}
    for offset in offsets(size):
        shutil.rmtree(os.path.dirname(shelf.catalog))
        shutil.copytree(os.fsencode(kept), os.path.dirname(shelf.catalog))
        damage(shelf.catalog, flipped(offset))
        try:
            ask_everything(shelf.catalog)
            outcome = "answered"
        except CatalogError as error:
            outcome = type(error).__name__
        found[outcome] = found.get(outcome, 0) + 1
        assert outcome in ("answered", "CatalogDamaged", "CatalogForeign", "CatalogNewer"), offset
        with contextlib.suppress(CatalogError):
            shelf.index()
    assert photos == {path: path.read_bytes() for path in shelf.top.rglob("*") if path.is_file()}
    assert found.get("CatalogDamaged", 0) > 5, found


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: data.clear(), id="empty"),
        pytest.param(lambda data: data.__delitem__(slice(50, None)), id="50 bytes"),
        pytest.param(lambda data: data.__delitem__(slice(PAGE, None)), id="one page"),
        pytest.param(lambda data: data.__delitem__(slice(len(data) // 2, None)), id="half"),
        pytest.param(lambda data: data.__setitem__(slice(0, 100), bytes(100)), id="no header"),
        pytest.param(flipped(100, 2000), id="schema page"),
        pytest.param(lambda data: data.__setitem__(slice(68, 72), bytes(4)), id="no id"),
    ],
)
def test_r27_a_damaged_catalog_is_said_to_be_and_built_anew_by_the_next_index(
    shelf: Library, change: Callable[[bytearray], None]
) -> None:
    damage(shelf.catalog, change)
    damaged = Path(os.fsdecode(shelf.catalog)).read_bytes()
    with pytest.raises(CatalogDamaged, match=r"photos are not affected.*imgcat index"):
        ask_everything(shelf.catalog)
    assert Path(os.fsdecode(shelf.catalog)).read_bytes() == damaged, "asking repairs nothing"
    summary = shelf.index()
    assert any("set aside" in note for note in summary.notes)
    (aside,) = set_aside(shelf.catalog)
    assert aside.decode() in summary.notes[0]
    repaired(shelf)
    assert Path(os.fsdecode(os.path.dirname(shelf.catalog)), aside.decode()).read_bytes() == damaged


def break_leaf_pages(library: Library) -> None:
    """Ruin what the rows of photos are on, and leave the folders and roots to be read."""
    root = dict(sql_rows(library.catalog, "SELECT name, rootpage FROM sqlite_schema"))
    damage(library.catalog, flipped((root["photo"] - 1) * PAGE, 4096))


def test_r27_a_damaged_catalog_remembers_its_roots(shelf: Library) -> None:
    break_leaf_pages(shelf)
    shelf.rescan()
    assert len(set_aside(shelf.catalog)) == 1
    repaired(shelf)
    assert shelf.rescan().notes == ()


def test_r27_roots_that_are_offline_while_a_catalog_is_rebuilt_are_told(shelf: Library) -> None:
    shelf.put("../other/1.bmp", 1)
    shelf.index("../other")
    break_leaf_pages(shelf)
    os.rename(shelf.path("../other"), shelf.path("../away"))
    summary = shelf.rescan()
    assert any("other" in note and "not there" in note for note in summary.notes), summary.notes


def test_r27_without_roots_to_read_the_person_is_asked_for_them(shelf: Library) -> None:
    damage(shelf.catalog, lambda data: data.clear())
    with pytest.raises(UsageError, match="name the folders"):
        shelf.rescan()
    repaired(shelf)


def test_r27_two_damages_in_one_second_are_set_aside_apart(shelf: Library) -> None:
    for _ in range(3):
        damage(shelf.catalog, flipped(100, 2000))
        shelf.index()
    assert len(set_aside(shelf.catalog)) == 3
    repaired(shelf)


def test_r27_damage_that_shows_in_the_middle_of_a_run_is_met_too(
    shelf: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.put("new.bmp", 9)
    shelf.reader.before = lambda _path: damage_once()
    done: list[int] = []

    def damage_once() -> None:
        if not done:
            done.append(1)
            raise CatalogDamaged("as SQLite would say at the next page")

    summary = shelf.index()
    assert any("set aside" in note for note in summary.notes)
    assert b"new.bmp" in shelf.known()


def test_r27_rebuilding_sets_nothing_aside_that_somebody_else_has_built_meanwhile(
    shelf: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs meet the same damage; the second must not throw away what the first made."""
    from catalog.indexing import run

    damage(shelf.catalog, flipped(100, 2000))
    real = run.rebuild

    def late(*arguments: object) -> object:
        monkeypatch.setattr(run, "rebuild", real)
        index_at(shelf.catalog, [os.fsencode(shelf.top)])  # the other one
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "rebuild", late)
    shelf.index()
    assert len(set_aside(shelf.catalog)) == 1
    assert len(shelf.read) == 7, "read by the first of them only"
    repaired(shelf)


# -- the log -------------------------------------------------------------------------------------


def killed_while_writing(library: Library) -> None:
    """Leave a log with a commit in it that the catalog file has not."""
    library.put("late.bmp", 7)

    def die() -> None:
        library.reader.after = lambda path, reading: (
            os.kill(os.getpid(), 9) if path.endswith(b"zz.bmp") else reading
        )
        library.put("late/zz.bmp", 8)
        with open_for_writing(library.catalog) as database:
            from catalog.indexing.run import index

            database._connection.execute("PRAGMA wal_autocheckpoint = 0")
            index(database, [os.fsencode(library.top)])

    import catalog.indexing.perform as perform

    rows = perform.BATCH_ROWS
    try:
        perform.BATCH_ROWS = 1  # type: ignore[misc]
        assert ended(started(die))
    finally:
        perform.BATCH_ROWS = rows  # type: ignore[misc]
    assert os.path.getsize(library.catalog + b"-wal") > 0


def usable(library: Library) -> None:
    """Queries answer or say what is wrong; the next index puts everything right."""
    with contextlib.suppress(CatalogDamaged):
        ask_everything(library.catalog)
    library.index()
    assert true_without_bad(library)
    no_loose_ends(library.catalog)


def true_without_bad(library: Library) -> bool:
    bad = library.path("0/bad.jpg")
    kept = library.path("../bad.jpg")
    os.rename(bad, kept)
    library.index()
    result = true(library)
    os.rename(kept, bad)
    library.index()
    return result


def test_r26_a_log_that_is_left_is_replayed(shelf: Library) -> None:
    killed_while_writing(shelf)
    assert b"late.bmp" in shelf.known()
    usable(shelf)
    assert set_aside(shelf.catalog) == []


def test_r27_a_deleted_log_loses_the_last_moments_only(shelf: Library) -> None:
    killed_while_writing(shelf)
    os.unlink(shelf.catalog + b"-wal")
    usable(shelf)


def test_r27_a_log_cut_short_loses_the_last_moments_only(shelf: Library) -> None:
    killed_while_writing(shelf)
    os.truncate(shelf.catalog + b"-wal", os.path.getsize(shelf.catalog + b"-wal") // 2)
    usable(shelf)


@pytest.mark.parametrize("offset", [0, 8, 24, 40, 5000, 20000])
def test_r27_a_damaged_log_loses_the_last_moments_only(shelf: Library, offset: int) -> None:
    killed_while_writing(shelf)
    damage(shelf.catalog + b"-wal", flipped(offset))
    usable(shelf)


def test_r27_the_log_of_another_catalog_is_met_or_verify_tells(
    shelf: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite replays any log that is whole in itself; only the photos' bytes tell it is wrong."""
    killed_while_writing(shelf)
    other = os.fsencode(tmp_path / "other.db")
    open_for_writing(other).close()

    def die() -> None:
        with open_for_writing(other) as database:
            database._connection.execute("PRAGMA wal_autocheckpoint = 0")
            for number in range(200):
                with database.writing() as writer:
                    contents.save(writer, fingerprint(number))
            os.kill(os.getpid(), 9)

    assert ended(started(die))
    shutil.copyfile(other + b"-wal", shelf.catalog + b"-wal")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(shelf.catalog + b"-shm")
    with contextlib.suppress(CatalogDamaged):
        ask_everything(shelf.catalog)
    monkeypatch.setattr("catalog.queries.verify.run_all", shelf.reader.run_all)
    try:
        shelf.index()
        with open_for_reading(shelf.catalog) as database:
            sound = verify(database, jobs=1).sound
    except CatalogError:
        sound = False
    assert not sound or true_without_bad(shelf)
    os.unlink(shelf.catalog)
    shelf.index()
    assert true_without_bad(shelf)
    no_loose_ends(shelf.catalog)


def test_r27_the_log_goes_aside_with_its_catalog(shelf: Library) -> None:
    killed_while_writing(shelf)
    damage(shelf.catalog, flipped(0, 16))
    log = Path(os.fsdecode(shelf.catalog) + "-wal").read_bytes()
    shelf.index()
    (aside,) = set_aside(shelf.catalog)
    folder = Path(os.fsdecode(os.path.dirname(shelf.catalog)))
    assert (folder / f"{aside.decode()}-wal").read_bytes() == log
    assert (folder / f"{aside.decode()}-shm").exists()
    assert true_without_bad(shelf)
    no_loose_ends(shelf.catalog)


# -- what is not damage --------------------------------------------------------------------


def test_r27_a_catalog_locked_by_another_program_is_busy_and_left_alone(
    shelf: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dupeGuru deleted its own for that (finding 12)."""
    monkeypatch.setattr(store, "_BUSY_TIMEOUT_MS", 100)
    with contextlib.closing(sqlite3.connect(os.fsdecode(shelf.catalog))) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        shelf.put("new.bmp", 9)
        with pytest.raises(Busy, match="another program"):
            shelf.index()
        assert len(shelf.groups()) == 3
        other.execute("ROLLBACK")
    assert set_aside(shelf.catalog) == []
    shelf.index()
    assert b"new.bmp" in shelf.known()


def test_r27_the_write_lock_held_by_another_process_is_busy(
    shelf: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(locks, "PATIENCE", 0.3)
    ready = tmp_path / "ready"

    def hold() -> None:
        Locks(shelf.catalog).write().acquire()
        ready.touch()
        import time

        time.sleep(60)

    child = started(hold)
    try:
        while not ready.exists():
            pass
        with pytest.raises(Busy, match=f"process {child}"):
            shelf.index()
        assert len(shelf.groups()) == 3
    finally:
        killed(child)
    shelf.index()
    assert set_aside(shelf.catalog) == []


def test_an_unreadable_catalog_is_not_damaged(shelf: Library) -> None:
    folder = shelf.catalog + b".folder"
    os.mkdir(folder)
    with pytest.raises(CatalogError) as raised:
        open_for_reading(folder)
    assert not isinstance(raised.value, CatalogDamaged)
