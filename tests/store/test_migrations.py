"""R26: a catalog of an earlier release becomes one of this, or stays what it was."""

from __future__ import annotations

import contextlib
import os
import random
import re
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import CatalogError, CatalogReadOnly, DiskFull
from catalog.escaping import printable
from catalog.indexing.run import Options, index_at
from catalog.model import HashKind
from catalog.queries.standing import problems, status
from catalog.store import hashes, migrations, opening
from catalog.store.database import Database, open_for_reading, open_for_writing
from catalog.store.locks import Locks
from catalog.store.schema import APPLICATION_ID, PAGE_SIZE, VERSION
from tests.store.hashing import Fetched, cache, execute, fetched, insert, right
from tests.support import (
    NOBODY,
    Library,
    Reader,
    digest,
    in_child,
    killed,
    mount,
    mount_tmpfs,
    needs_root,
    sql_rows,
    started,
    true,
)

__all__ = ["cache", "fetched"]

SCHEMA_1 = Path(__file__).with_name("schema-1.sql").read_text()
TABLES = ("setting", "filesystem", "folder", "root", "content", "signature", "photo", "problem")
VIEW = "SELECT hex(CAST(path AS BLOB)), digest, phash, problem, missing FROM photos ORDER BY path"


@pytest.fixture
def catalog(tmp_path: Path) -> bytes:
    (tmp_path / "state").mkdir()
    return os.fsencode(tmp_path / "state" / "catalog.db")


def version_1(catalog: bytes, photos: int, top: bytes = b"/photos") -> None:
    """A catalog as version 1 made and filled it, with a problem among the photos."""
    locks = Locks(catalog)
    locks.prepare()
    with contextlib.closing(sqlite3.connect(os.fsdecode(catalog), isolation_level=None)) as made:
        made.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        made.execute("PRAGMA journal_mode = WAL")
        made.executescript(f"BEGIN; {SCHEMA_1} COMMIT;")
        made.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        made.execute("PRAGMA user_version = 1")
        made.execute("BEGIN")
        made.execute("INSERT INTO setting VALUES ('recipe', 'reduced-1')")
        made.execute("INSERT INTO filesystem VALUES (1, 'uuid:1')")
        made.execute("INSERT INTO folder VALUES (1, NULL, ?, 1, 2, NULL, NULL)", (top,))
        made.execute("INSERT INTO folder VALUES (2, 1, x'ff256e', 1, 3, NULL, x'abcd')")
        filters = '{"include": [], "exclude": ["*.tmp"], "hidden": false}'
        made.execute("INSERT INTO root VALUES (1, 1, ?, 1700000000000000000)", (filters,))
        made.execute(
            "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number LIMIT ?1) "
            "INSERT INTO content SELECT n, randomblob(32), n, 'JPEG', 400, 300, 1, NULL, "
            "'Camera', random(), random(), random(), n % 2, 1, 'reduced-1' FROM number "
            "WHERE ?1 > 0",
            (photos,),
        )
        made.execute("INSERT INTO signature SELECT id, randomblob(1024) FROM content")
        made.execute(
            "INSERT INTO photo SELECT id, 1 + id % 2, CAST('p' || id AS BLOB), size, id, id, id, "
            "0, CASE WHEN id % 9 = 0 THEN 5 END, id FROM content"
        )
        made.execute("INSERT INTO photo VALUES (NULL, 1, x'00ff', 3, 4, 5, 6, 0, NULL, NULL)")
        made.execute("INSERT INTO problem VALUES (last_insert_rowid(), 'damaged', 'why', 'd 1')")
        made.execute("COMMIT")
    with open(locks.initialised, "wb"):
        pass


def rows(catalog: bytes) -> dict[str, list[Any]]:
    """All that a version 1 catalog holds, whatever was added since."""
    with contextlib.closing(sqlite3.connect(":memory:")) as made:
        made.executescript(SCHEMA_1)
        columns = {
            table: ", ".join(row[1] for row in made.execute(f"PRAGMA table_info ({table})"))
            for table in TABLES
        }
    tables = {
        table: sql_rows(catalog, f"SELECT {names} FROM {table}") for table, names in columns.items()
    }
    return {**tables, "photos": sql_rows(catalog, VIEW)}


def backups(catalog: bytes) -> list[bytes]:
    folder = os.path.dirname(catalog)
    return [os.path.join(folder, name) for name in os.listdir(folder) if b".backup-v1-" in name]


def schema_of(catalog: bytes) -> list[tuple[str, ...]]:
    """Without comments: a column that is added comes after that of the column before it."""
    found = sql_rows(catalog, "SELECT type, name, tbl_name, ifnull(sql, '') FROM sqlite_schema")
    return sorted((*names, _plain(sql)) for *names, sql in found)


def _plain(sql: str) -> str:
    lines = (line.partition("--")[0] for line in sql.splitlines())
    return " ".join(re.sub(r"([(),])", r" \1 ", " ".join(lines)).split())


def version(catalog: bytes) -> int:
    ((found,),) = sql_rows(catalog, "PRAGMA user_version")
    return int(found)


@pytest.mark.parametrize("earlier", migrations.STEPS)
def test_an_empty_catalog_of_an_earlier_version_becomes_one_like_a_new_one(
    catalog: bytes, tmp_path: Path, earlier: int
) -> None:
    schema = Path(__file__).with_name(f"schema-{earlier}.sql").read_text()
    Locks(catalog).prepare()
    with contextlib.closing(sqlite3.connect(os.fsdecode(catalog), isolation_level=None)) as made:
        made.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        made.execute("PRAGMA journal_mode = WAL")
        made.executescript(f"BEGIN; {schema} COMMIT;")
        made.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        made.execute(f"PRAGMA user_version = {earlier}")
    open_for_writing(catalog).close()
    new = os.fsencode(tmp_path / "new.db")
    open_for_writing(new).close()
    assert schema_of(catalog) == schema_of(new)


def test_every_earlier_version_has_a_step_and_its_schema_is_kept_here() -> None:
    assert set(migrations.STEPS) == set(range(1, VERSION))
    for earlier in migrations.STEPS:
        assert Path(__file__).with_name(f"schema-{earlier}.sql").exists()


@pytest.mark.parametrize("how", ["writing", "reading"])
@pytest.mark.parametrize("photos", [0, 1, 3000])
def test_r26_a_catalog_of_version_1_becomes_one_like_a_new_one_and_keeps_its_rows(
    catalog: bytes, tmp_path: Path, how: str, photos: int
) -> None:
    version_1(catalog, photos)
    before = rows(catalog)
    assert len(before["photo"]) == photos + 1
    with (open_for_writing if how == "writing" else open_for_reading)(catalog) as database:
        assert database.value("PRAGMA user_version") == VERSION
        assert database.fault() is None
        if how == "writing":
            (note,) = database.notes
            assert printable(backups(catalog)[0]) in note
    assert rows(catalog) == before
    assert set(sql_rows(catalog, "SELECT shown FROM content")) <= {(1.0,)}
    log = sql_rows(catalog, "SELECT seq, content, upto, typeof(token) FROM content_log")
    assert log == ([(1, photos, photos, "integer")] if photos else [])
    new = os.fsencode(tmp_path / "new.db")
    open_for_writing(new).close()
    assert schema_of(catalog) == schema_of(new)
    header = opening.read_header(catalog)
    assert header == opening.Header(APPLICATION_ID, VERSION)

    (backup,) = backups(catalog)
    assert os.stat(backup).st_mode & 0o077 == 0
    assert version(backup) == 1
    assert rows(backup) == before
    assert sql_rows(backup, "PRAGMA integrity_check") == [("ok",)]
    assert sql_rows(backup, "SELECT 1 FROM sqlite_schema WHERE name LIKE 'content_%'") == []


def test_a_catalog_is_migrated_once(catalog: bytes) -> None:
    version_1(catalog, 10)
    open_for_reading(catalog).close()
    first = rows(catalog)
    with open_for_writing(catalog) as database:
        assert database.notes == []
    open_for_reading(catalog).close()
    assert len(backups(catalog)) == 1
    assert rows(catalog) == first


def test_processes_that_find_the_same_old_catalog_migrate_it_once(catalog: bytes) -> None:
    version_1(catalog, 500)
    children = [started(lambda: open_for_reading(catalog).close()) for _ in range(4)]
    for child in children:
        os.waitpid(child, 0)
    assert version(catalog) == VERSION
    assert len(backups(catalog)) == 1
    assert sql_rows(catalog, "PRAGMA integrity_check") == [("ok",)]


def test_a_migrated_catalog_answers_and_goes_on(library: Library, reader: Reader) -> None:
    library.put("a.bmp", 1)
    library.put("b.bmp", 1)
    os.makedirs(os.path.dirname(library.catalog))
    version_1(library.catalog, 20, os.fsencode(library.top))
    with open_for_reading(library.catalog) as database:
        assert status(database).photos == 20 - 2
        assert [problem.reason for problem in problems(database)] == ["damaged"]
    index_at(library.catalog, [os.fsencode(library.top)], Options(jobs=1))
    assert true(library)
    assert library.groups() == [{b"a.bmp", b"b.bmp"}]
    assert library.known()[b"a.bmp"] == digest(1)


def test_the_copy_of_the_hashes_is_kept_right_from_the_migration_on(
    catalog: bytes, cache: Path, fetched: Fetched
) -> None:
    version_1(catalog, 5000)
    with open_for_writing(catalog) as database:
        assert right(database)
        assert fetched.by_load(database) == 2, "the mark and the last row of the log"
        execute(database, "UPDATE content SET phash = 1, flat = 1 - flat WHERE id < 9")
        execute(database, "DELETE FROM photo WHERE id > 4990")
        execute(database, "DELETE FROM content WHERE id > 4990")
        insert(database, 20)
        assert fetched.by_load(database) < 70
        assert right(database)


SLOWLY = """
CREATE TEMP TABLE long AS
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number LIMIT 100000)
    SELECT max(n) FROM number;
CREATE TRIGGER content_changed
"""


def test_r26_killed_anywhere_in_the_migration_it_is_the_old_version_or_the_new(
    catalog: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    version_1(catalog, 100)
    before = rows(catalog)
    original = Path(os.fsdecode(catalog)).read_bytes()

    def migrate_slowly() -> None:
        step = migrations.STEPS[1].replace("CREATE TRIGGER content_changed", SLOWLY)
        assert "TEMP" in step
        with monkeypatch.context() as patch:
            patch.setattr(migrations, "STEPS", {**migrations.STEPS, 1: step})
            open_for_writing(catalog).close()

    begun = time.monotonic()
    migrate_slowly()
    whole = time.monotonic() - begun
    chance = random.Random(1)
    seen: set[int] = set()
    for count in range(150):  # 20 are enough on a machine that does nothing else
        if count >= 20 and len(seen) == 2:
            break
        folder = Path(os.fsdecode(os.path.dirname(catalog)))
        for path in folder.iterdir():
            if path.is_file():
                path.unlink()
        Path(os.fsdecode(catalog)).write_bytes(original)
        child = started(migrate_slowly)
        time.sleep(chance.uniform(0, (1.3 + count / 20) * whole))
        killed(child)
        found = version(catalog)
        names = {name for (name,) in sql_rows(catalog, "SELECT name FROM sqlite_schema")}
        added = {name for name in names if name.startswith(("content_", "match", "searched"))}
        assert found in (1, VERSION)
        assert len(added) == (10 if found == VERSION else 0), added
        seen.add(found)
        with open_for_writing(catalog) as database:
            assert database.value("SELECT count(*) FROM content_log") == 1
            assert database.fault() is None
        assert rows(catalog) == before
    assert seen == {1, VERSION}, "the kills came too early or too late to tell"


# -- where it cannot be migrated -----------------------------------------------------------------


def test_r26_a_migration_that_fails_leaves_version_1(
    catalog: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    version_1(catalog, 10)
    before = rows(catalog)
    step = migrations.STEPS[1].replace("CREATE TRIGGER content_deleted", "CREATE NONSENSE")
    monkeypatch.setattr(migrations, "STEPS", {**migrations.STEPS, 1: step})
    with pytest.raises(CatalogError):
        open_for_reading(catalog)
    assert version(catalog) == 1
    assert rows(catalog) == before
    assert sql_rows(catalog, "SELECT 1 FROM sqlite_schema WHERE name LIKE 'content_%'") == []


@needs_root
def test_r28_without_room_for_the_backup_the_catalog_stays_version_1_and_nothing_is_left(
    catalog: bytes,
) -> None:
    def scenario() -> None:
        folder = os.path.dirname(catalog)
        mount_tmpfs(folder, "size=8m")
        version_1(catalog, 2000)
        before = rows(catalog)
        mount("-o", f"remount,size={os.path.getsize(catalog) + 500_000}", folder)
        for opener in (open_for_reading, open_for_writing):
            with pytest.raises(DiskFull, match="no room left"):
                opener(catalog)
            assert backups(catalog) == []
        assert version(catalog) == 1
        mount("-o", "remount,size=32m", folder)
        open_for_reading(catalog).close()
        assert version(catalog) == VERSION
        assert rows(catalog) == before

    in_child(scenario, own_mounts=True)


def complaint(catalog: bytes) -> str:
    """What somebody is told who asks a catalog that cannot be migrated."""
    with pytest.raises(CatalogReadOnly) as told:
        open_for_reading(catalog)
    return str(told.value)


@needs_root
def test_r28_on_a_read_only_medium_a_catalog_of_version_1_says_what_to_do(catalog: bytes) -> None:
    def scenario() -> None:
        folder = os.path.dirname(catalog)
        mount_tmpfs(folder, "size=8m")
        version_1(catalog, 10)
        before = Path(os.fsdecode(catalog)).read_bytes()
        mount("-o", "remount,ro", folder)
        message = complaint(catalog)
        assert "\n" not in message
        assert printable(catalog) in message
        assert "--catalog" in message
        assert Path(os.fsdecode(catalog)).read_bytes() == before

    in_child(scenario, own_mounts=True)


@needs_root
def test_r28_whoever_may_not_write_a_catalog_of_version_1_is_told(open_place: Path) -> None:
    catalog = os.fsencode(open_place / "catalog.db")
    version_1(catalog, 10)
    os.chmod(catalog, 0o644)
    assert "--catalog" in in_child(lambda: complaint(catalog), user=NOBODY)
    assert version(catalog) == 1
    assert backups(catalog) == []
    with open_for_writing(catalog) as database:
        assert isinstance(database, Database)
        assert len(hashes.load(database, HashKind.PHASH)) == 10
