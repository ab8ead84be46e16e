"""R26: whose file it is, and of which time, is settled before anything is written."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.errors import (
    CatalogAbsent,
    CatalogDamaged,
    CatalogError,
    CatalogForeign,
    CatalogNewer,
)
from catalog.indexing.run import index_at
from catalog.model import Recipe
from catalog.store import contents, migrations, opening, schema, settings
from catalog.store.database import (
    Database,
    open_existing_for_writing,
    open_for_reading,
    open_for_writing,
)
from tests.support import Library, ended, fingerprint, killed, sql_rows, started

OPENINGS: dict[str, Callable[[bytes], object]] = {
    "reading": lambda path: open_for_reading(path),
    "writing": lambda path: open_for_writing(path),
    "existing": lambda path: open_existing_for_writing(path),
    "index": lambda path: index_at(path, [os.path.dirname(path)]),
}


@pytest.fixture(params=OPENINGS)
def opened(request: pytest.FixtureRequest) -> Callable[[bytes], object]:
    return OPENINGS[request.param]


@pytest.fixture
def catalog(tmp_path: Path) -> bytes:
    (tmp_path / "state").mkdir()
    return os.fsencode(tmp_path / "state" / "catalog.db")


def everything(catalog: bytes) -> dict[str, bytes]:
    """Each file in the catalog's folder, with its bytes."""
    folder = Path(os.fsdecode(os.path.dirname(catalog)))
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# -- whose file it is ----------------------------------------------------------------------------


def other_app(catalog: bytes, *, wal: bool, application_id: int) -> sqlite3.Connection:
    connection = sqlite3.connect(os.fsdecode(catalog), isolation_level=None)
    if wal:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA application_id = {application_id}")
    connection.execute("CREATE TABLE mine (x)")
    connection.execute("INSERT INTO mine VALUES ('precious')")
    return connection


@pytest.mark.parametrize("application_id", [0, 0x12345678])
@pytest.mark.parametrize("state", ["plain", "wal", "wal in use"])
def test_r26_a_database_of_another_program_is_refused_and_not_touched(
    catalog: bytes, opened: Callable[[bytes], object], state: str, application_id: int
) -> None:
    connection = other_app(catalog, wal=state != "plain", application_id=application_id)
    if state != "wal in use":
        connection.close()
    before = everything(catalog)
    with pytest.raises(CatalogForeign, match="untouched"):
        opened(catalog)
    assert everything(catalog) == before
    assert set(os.listdir(os.path.dirname(catalog))) == {os.fsencode(name) for name in before}
    connection.close()


@pytest.mark.parametrize("data", [b"my diary\n", b"\0" * 200, b"SQLite format 3\0" + b"x" * 50])
def test_r26_a_file_that_is_no_database_is_refused_and_not_touched(
    catalog: bytes, opened: Callable[[bytes], object], data: bytes
) -> None:
    Path(os.fsdecode(catalog)).write_bytes(data)
    with pytest.raises(CatalogForeign):
        opened(catalog)
    assert everything(catalog) == {"catalog.db": data}


def test_r26_a_folder_and_a_pipe_are_refused(
    catalog: bytes, opened: Callable[[bytes], object]
) -> None:
    os.mkdir(catalog)
    with pytest.raises(CatalogForeign, match="not a file"):
        opened(catalog)
    os.rmdir(catalog)
    os.mkfifo(catalog)
    with pytest.raises(CatalogForeign, match="not a file"):
        opened(catalog)


def test_no_catalog_is_absent_and_asking_makes_none(catalog: bytes) -> None:
    for opener in (open_for_reading, open_existing_for_writing):
        with pytest.raises(CatalogAbsent, match="imgcat index"):
            opener(catalog)
    assert everything(catalog) == {}
    assert not os.path.exists(opening.Locks(catalog).folder)


def test_an_empty_file_becomes_a_catalog_unless_it_was_one(catalog: bytes) -> None:
    Path(os.fsdecode(catalog)).touch()
    open_for_writing(catalog).close()
    Path(os.fsdecode(catalog)).write_bytes(b"")
    with pytest.raises(CatalogDamaged):
        open_for_writing(catalog)
    with pytest.raises(CatalogDamaged):
        open_for_reading(catalog)


def test_a_new_catalog_is_private_and_has_its_marks(catalog: bytes) -> None:
    with open_for_writing(catalog) as database:
        assert database.value("PRAGMA journal_mode") == "wal"
        assert database.value("PRAGMA page_size") == schema.PAGE_SIZE
        assert database.value("PRAGMA foreign_keys") == 1
    assert os.stat(catalog).st_mode & 0o077 == 0
    header = opening.read_header(catalog)
    assert header == opening.Header(schema.APPLICATION_ID, schema.VERSION)


@pytest.mark.parametrize("name", ["we?ird#na%me.db", "ünï.db", "new\nline.db", "spa ce"])
def test_any_name_will_do_for_a_catalog(tmp_path: Path, name: str) -> None:
    path = os.fsencode(tmp_path / name)
    open_for_writing(path).close()
    open_for_reading(path).close()
    open_for_writing(path).close()
    assert {entry for entry in os.listdir(tmp_path) if not entry.endswith(".locks")} == {name}


def test_two_slashes_in_front_are_one(catalog: bytes) -> None:
    open_for_writing(b"/" + catalog).close()
    open_for_reading(b"/" + catalog).close()


def test_a_log_without_its_database_is_not_replayed_into_a_new_one(catalog: bytes) -> None:
    with open_for_writing(catalog) as database, database.writing() as writer:
        settings.set_recipe(writer, Recipe.FULL)
    old = open_for_writing(catalog)
    with old.writing() as writer:
        contents.save(writer, fingerprint(1))
    log = Path(os.fsdecode(catalog) + "-wal").read_bytes()
    old.close()
    os.unlink(catalog)
    Path(os.fsdecode(catalog) + "-wal").write_bytes(log)
    with open_for_writing(catalog) as database:
        assert contents.count(database) == 0
        assert settings.recipe(database) is Recipe.REDUCED
    assert sql_rows(catalog, "PRAGMA integrity_check") == [("ok",)]


def test_a_catalog_killed_while_it_was_made_is_made_anew(catalog: bytes) -> None:
    leftover = catalog + b".new-123"
    Path(os.fsdecode(leftover)).write_bytes(b"half")
    open_for_writing(catalog).close()
    assert not os.path.exists(leftover)


# -- of which time it is ----------------------------------------------------------------------


def test_r26_a_newer_catalog_is_refused_naming_both_versions(
    catalog: bytes, opened: Callable[[bytes], object]
) -> None:
    open_for_writing(catalog).close()
    sql_rows(catalog, f"PRAGMA user_version = {schema.VERSION + 7}")
    before = everything(catalog)
    with pytest.raises(CatalogNewer, match=rf"version {schema.VERSION + 7}.*{schema.VERSION}:"):
        opened(catalog)
    assert everything(catalog)["catalog.db"] == before["catalog.db"]


def test_r26_a_newer_version_that_is_only_in_the_log_is_refused_and_not_touched(
    catalog: bytes, opened: Callable[[bytes], object]
) -> None:
    open_for_writing(catalog).close()

    def later_imgcat() -> None:
        connection = sqlite3.connect(os.fsdecode(catalog), isolation_level=None)
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("CREATE TABLE later (x)")
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        os.kill(os.getpid(), 9)

    assert ended(started(later_imgcat))
    header = opening.read_header(catalog)
    assert header is not None
    assert header.user_version == schema.VERSION, "it is in the log only"
    before = everything(catalog)
    with pytest.raises(CatalogNewer):
        opened(catalog)
    after = everything(catalog)
    assert after["catalog.db"] == before["catalog.db"]
    assert after["catalog.db-wal"] == before["catalog.db-wal"]


# -- migration ----------------------------------------------------------------------------------

STEP = """
CREATE TABLE extra (x BLOB) STRICT;
INSERT INTO extra SELECT pixels FROM signature;
ALTER TABLE content ADD COLUMN mood TEXT;
"""


@pytest.fixture
def next_release(monkeypatch: pytest.MonkeyPatch) -> int:
    """As if this were the release after the next, with a migration for each step."""
    version = schema.VERSION + 2
    for module in (schema, opening, migrations):
        monkeypatch.setattr(module, "VERSION", version)
    steps = {version - 2: STEP, version - 1: "CREATE TABLE more (y INTEGER) STRICT;"}
    monkeypatch.setattr(migrations, "STEPS", steps)
    return version


def filled(catalog: bytes, count: int = 5) -> None:
    with open_for_writing(catalog) as database, database.writing() as writer:
        for number in range(count):
            contents.save(writer, fingerprint(number))


def backups(catalog: bytes) -> list[bytes]:
    folder = os.path.dirname(catalog)
    return [os.path.join(folder, name) for name in os.listdir(folder) if b".backup-v" in name]


@pytest.mark.parametrize("how", ["reading", "writing"])
def test_r26_an_older_catalog_is_backed_up_and_migrated(
    catalog: bytes, request: pytest.FixtureRequest, how: str
) -> None:
    filled(catalog)
    version = request.getfixturevalue("next_release")
    database = OPENINGS[how](catalog)
    assert isinstance(database, Database)
    with database:
        assert database.value("PRAGMA user_version") == version
        assert database.value("SELECT count(*) FROM extra") == 5
        assert database.value("SELECT count(*) FROM more") == 0
    (backup,) = backups(catalog)
    assert os.stat(backup).st_mode & 0o077 == 0
    assert sql_rows(backup, "SELECT count(*) FROM content") == [(5,)]
    assert sql_rows(backup, "PRAGMA user_version") == [(version - 2,)]
    if how == "writing":
        assert any("backup" in note for note in database.notes)


def test_r26_a_migration_that_fails_leaves_the_old_catalog(
    catalog: bytes, next_release: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        for module in (schema, opening, migrations):
            patch.setattr(module, "VERSION", next_release - 2)
        filled(catalog)
    monkeypatch.setitem(migrations.STEPS, next_release - 1, "CREATE TABLE nonsense (")  # type: ignore[arg-type]
    with pytest.raises(CatalogError):
        open_for_writing(catalog)
    assert sql_rows(catalog, "PRAGMA user_version") == [(next_release - 2,)]
    assert sql_rows(catalog, "SELECT name FROM sqlite_schema WHERE name = 'extra'") == []
    assert len(backups(catalog)) == 1


def test_r26_a_version_without_a_way_here_is_damage(
    catalog: bytes, next_release: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_for_writing(catalog).close()
    sql_rows(catalog, "PRAGMA user_version = 0")
    with pytest.raises(CatalogDamaged, match="version is 0"):
        open_for_writing(catalog)


def test_r26_killed_anywhere_in_a_migration_it_is_the_old_catalog_or_the_new(
    catalog: bytes, request: pytest.FixtureRequest
) -> None:
    filled(catalog, 800)
    original = Path(os.fsdecode(catalog)).read_bytes()
    version = request.getfixturevalue("next_release")
    begun = time.monotonic()
    open_for_writing(catalog).close()
    whole = time.monotonic() - begun
    chance = random.Random(1)
    seen = set()
    for count in range(200):  # 25 are enough on a machine that does nothing else
        if count >= 25 and len(seen) == 2:
            break
        for name in os.listdir(os.path.dirname(catalog)):
            path = os.path.join(os.path.dirname(catalog), name)
            if os.path.isfile(path):
                os.unlink(path)
        Path(os.fsdecode(catalog)).write_bytes(original)
        child = started(lambda: open_for_writing(catalog).close())
        time.sleep(chance.uniform(0, (1.5 + count / 25) * whole))
        killed(child)
        ((found,),) = sql_rows(catalog, "PRAGMA user_version")
        tables = {name for (name,) in sql_rows(catalog, "SELECT name FROM sqlite_schema")}
        assert found in (version - 2, version)
        assert ({"extra", "more"} <= tables) == (found == version)
        assert ("extra" in tables) == ("more" in tables)
        seen.add(found)
        with open_for_writing(catalog) as database:
            assert database.value("SELECT count(*) FROM extra") == 800
            assert database.fault() is None
    assert seen == {version - 2, version}, "the kills came too early or too late to tell"


# -- stopping --------------------------------------------------------------------------------


def test_r28_a_clean_close_leaves_one_file_with_everything_in_it(library: Library) -> None:
    library.put("a.bmp", 1)
    library.index()
    files = os.listdir(os.path.dirname(library.catalog))
    assert [name for name in files if name != b"catalog.locks"] == [b"catalog.db"]


def test_r26_after_an_unclean_stop_the_file_is_checked(
    catalog: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from catalog.store import database as module

    checks: list[bytes] = []
    real = module._check_pages
    monkeypatch.setattr(
        module, "_check_pages", lambda conn, path: (checks.append(path), real(conn, path))
    )
    open_for_writing(catalog).close()
    open_for_writing(catalog).close()
    assert checks == []

    def die_writing() -> None:
        with open_for_writing(catalog) as database, database.writing() as writer:
            contents.save(writer, fingerprint(1))
            writer._connection.execute("COMMIT")
            os.kill(os.getpid(), 9)

    assert ended(started(die_writing))
    with open_for_writing(catalog) as database:
        assert checks == [catalog]
        assert contents.count(database) == 1
        with open_for_writing(catalog):
            assert checks == [catalog], "the first to come checks, and nobody else"


def test_r23_killed_at_any_moment_what_was_committed_stays_and_the_file_is_sound(
    catalog: bytes,
) -> None:
    open_for_writing(catalog).close()
    said = os.path.join(os.path.dirname(catalog), b"said")

    def write() -> None:
        with open_for_writing(catalog) as database:
            for number in range(10_000):
                with database.writing() as writer:
                    contents.save(writer, fingerprint(number))
                with open(said, "w") as file:
                    file.write(str(number))

    chance = random.Random(2)
    for _ in range(12):
        child = started(write)
        time.sleep(chance.uniform(0.02, 0.15))
        killed(child)
        text = Path(os.fsdecode(said)).read_text() if os.path.exists(said) else ""
        with open_for_writing(catalog) as database:
            assert database.fault() is None
            if text:
                assert contents.find(database, fingerprint(int(text)).digest) is not None
    assert os.path.exists(said)


_WRITES_AND_CLOSES = """
import sys
from catalog.store.database import open_for_writing
with open_for_writing(sys.argv[1].encode()) as database, database.writing() as writer:
    writer.run("INSERT INTO setting (name, value) VALUES ('theirs', '')")
"""


def _settings(database: Database) -> set[str]:
    return {name for (name,) in database.rows("SELECT name FROM setting")}


def _put(database: Database, name: str) -> None:
    with database.writing() as writer:
        writer.run("INSERT INTO setting (name, value) VALUES (?, '')", (name,))


@pytest.mark.parametrize("closed_by", ["a reader", "a look at the header"])
def test_what_is_opened_and_closed_beside_a_writer_does_not_cost_it_its_locks(
    tmp_path: Path, closed_by: str
) -> None:
    """A process that closes a descriptor of a file loses its locks on it, SQLite's too."""
    catalog = os.fsencode(tmp_path / "catalog.db")
    with open_for_writing(catalog) as ours:
        _put(ours, "before")
        if closed_by == "a reader":
            open_for_reading(catalog).close()
        else:
            opening.read_header(catalog)
        subprocess.run([sys.executable, "-c", _WRITES_AND_CLOSES, catalog], check=True)
        assert os.path.exists(catalog + b"-wal"), "another process deleted the log"
        _put(ours, "after")
        with open_for_reading(catalog) as other:
            assert _settings(other) >= {"before", "theirs", "after"}
    with open_for_reading(catalog) as other:
        assert _settings(other) >= {"before", "theirs", "after"}


def test_no_descriptor_is_left_of_looks_at_the_header(tmp_path: Path) -> None:
    catalog = os.fsencode(tmp_path / "catalog.db")
    open_for_writing(catalog).close()
    before = len(os.listdir("/proc/self/fd"))
    with open_for_writing(catalog):
        for _ in range(5):
            open_for_reading(catalog).close()
            opening.read_header(catalog)
    assert len(os.listdir("/proc/self/fd")) == before
