"""A catalog of version 3 keeps its rows, and learns what its pictures are to each other."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from catalog.matching.find import MATCHER
from catalog.model import Kind
from catalog.store.database import open_for_reading, open_for_writing
from catalog.store.locks import Locks
from catalog.store.schema import APPLICATION_ID, PAGE_SIZE, VERSION
from tests.matching.albums import Album, album, inline
from tests.store.test_migrations import schema_of
from tests.support import sql_rows

__all__ = ["album", "inline"]

SCHEMA_3 = Path(__file__).with_name("schema-3.sql").read_text()
TABLES = ("setting", "filesystem", "folder", "root", "signature", "photo", "problem")
COLUMNS = (
    "id, digest, size, format, width, height, orientation, taken_at, camera, phash, dhash, ahash, "
    "flat, frames, recipe"
)


def as_version_3(catalog: bytes, source: bytes | None = None) -> bytes:
    """A catalog as version 3 made it, with the rows of a later one; returns its path."""
    locks = Locks(catalog)
    locks.prepare()
    with contextlib.closing(sqlite3.connect(os.fsdecode(catalog), isolation_level=None)) as made:
        made.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        made.execute("PRAGMA journal_mode = WAL")
        made.executescript(f"BEGIN; {SCHEMA_3} COMMIT;")
        made.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        made.execute("PRAGMA user_version = 3")
        if source is not None:
            made.execute("ATTACH ? AS source", (os.fsdecode(source),))
            made.execute(f"INSERT INTO content ({COLUMNS}) SELECT {COLUMNS} FROM source.content")
            for table in TABLES:
                made.execute(f"INSERT INTO {table} SELECT * FROM source.{table}")
    with open(locks.initialised, "wb"):
        pass
    return catalog


def rows(catalog: bytes) -> dict[str, list[Any]]:
    tables = {table: sql_rows(catalog, f"SELECT * FROM {table}") for table in TABLES}
    return {**tables, "content": sql_rows(catalog, f"SELECT {COLUMNS} FROM content")}


@pytest.fixture
def old(album: Album, tmp_path: Path) -> Album:
    """An album that version 3 has indexed: two pictures with copies, and one that is broken."""
    for seed in (1, 2):
        album.add(seed, "toned", "cropped", "turned")
    album.put("broken.jpg", b"\xff\xd8\xff\xe0 and no more")
    album.index()
    album.catalog = as_version_3(bytes(tmp_path / "old.db"), album.catalog)
    assert sql_rows(album.catalog, "PRAGMA user_version") == [(3,)]
    assert len(rows(album.catalog)["content"]) == 8
    return album


@pytest.mark.parametrize("opened", [open_for_reading, open_for_writing])
def test_it_becomes_one_like_a_new_one_and_keeps_its_rows(
    old: Album, tmp_path: Path, opened: Any
) -> None:
    before = rows(old.catalog)
    with opened(old.catalog) as database:
        assert database.value("PRAGMA user_version") == VERSION == 4
        assert database.fault() is None
        assert database.rows("SELECT DISTINCT shown FROM content") == [(1.0,)]
        assert database.rows("SELECT * FROM match") == []
    assert rows(old.catalog) == before
    new = bytes(tmp_path / "new.db")
    open_for_writing(new).close()
    assert schema_of(old.catalog) == schema_of(new)
    (backup,) = tmp_path.glob("old.db.backup-v3-*")
    assert rows(bytes(backup)) == before


def test_an_empty_one_becomes_one_like_a_new_one(tmp_path: Path) -> None:
    catalog = as_version_3(bytes(tmp_path / "old.db"))
    open_for_writing(catalog).close()
    new = bytes(tmp_path / "new.db")
    open_for_writing(new).close()
    assert schema_of(catalog) == schema_of(new)


def test_dupes_works_on_it_without_an_index_and_remembers(old: Album) -> None:
    answer = old.ask()
    groups = {frozenset(group) for group in old.told(answer)}
    names = ("original", "toned", "cropped", "turned")
    assert groups == {frozenset(f"{seed}-{name}.jpg" for name in names) for seed in (1, 2)}
    assert {group.kind for group in answer.groups} == {Kind.SAME}
    assert sql_rows(old.catalog, "SELECT count(*), max(matcher) FROM searched") == [(8, MATCHER)]
    old.reader.forget()
    assert {frozenset(group) for group in old.told(old.ask())} == groups
    assert not old.reader.requests
    assert not old.reader.read, "nothing was read again to be fingerprinted"


def test_an_index_goes_on_with_it(old: Album) -> None:
    old.add(3, "toned")
    summary = old.index()
    assert (summary.added, summary.unchanged) == (2, 9)
    assert len(old.ask().groups) == 3


def test_its_triggers_are_there(old: Album) -> None:
    old.ask()
    content = old.ids_of("1-toned.jpg")
    with open_for_writing(old.catalog) as database, database.writing() as writer:
        writer.run("UPDATE content SET phash = phash + 1 WHERE id = ?", (content,))
    pairs = sql_rows(old.catalog, "SELECT first, second FROM match")
    assert pairs
    assert all(content not in pair for pair in pairs)
