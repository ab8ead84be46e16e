"""What the tests of the copied hashes share: an oracle, a cache folder, and small words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.model import HashKind
from catalog.store import columns, contents, hashes
from catalog.store.database import (
    Database,
)
from tests.support import (
    insert_contents,
)

KINDS = tuple(HashKind)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of this test's own; the copies are in ``imgcat``, made when first needed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "imgcat"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """All limits so low that a few contents reach them."""
    monkeypatch.setattr(hashes, "LAYOUT", replace(hashes.LAYOUT, worth=8, much=40, room=4))
    monkeypatch.setattr(columns, "_IDS_IN_ONE_QUERY", 3)


def plain(database: Database, kind: HashKind) -> tuple[list[int], list[int], list[bool]]:
    """What a load is to say, by a query as simple as can be."""
    column = "0" if kind is HashKind.WHASH else kind.value
    rows = database.rows(f"SELECT id, {column}, flat FROM content ORDER BY id")
    return (
        [content for content, _, _ in rows],
        [contents.unsigned64(value) for _, value, _ in rows],
        [bool(flat) for _, _, flat in rows],
    )


def right(database: Database, kinds: Sequence[HashKind] = KINDS) -> bool:
    """Whether a load of each of these kinds says what the catalog says."""
    answers = []
    for kind in kinds:
        table = hashes.load(database, kind)
        kinds_of_number = [table.contents.dtype, table.hashes.dtype, table.flat.dtype]
        assert [str(dtype) for dtype in kinds_of_number] == ["int64", "uint64", "bool"]
        columns = (table.contents, table.hashes, table.flat)
        answers.append(tuple(column.tolist() for column in columns) == plain(database, kind))
    return all(answers)


def insert(database: Database, count: int) -> None:
    with database.writing() as writer:
        insert_contents(writer, count)


def execute(database: Database, sql: str, parameters: Sequence[object] = ()) -> None:
    with database.writing() as writer:
        writer.run(sql, parameters)


def copies(cache: Path) -> list[Path]:
    """Every file in the cache folder, unfinished ones included."""
    return sorted(cache.iterdir()) if cache.exists() else []


def only_copy(cache: Path) -> Path:
    (place,) = copies(cache)
    return place


class Fetched:
    """Counts the rows that come out of databases while hashes are loaded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        rows, stream = Database.rows, Database.stream

        def counted_rows(database: Database, *arguments: Any) -> list[Any]:
            found = rows(database, *arguments)
            self.count += len(found)
            return found

        def counted_stream(database: Database, *arguments: Any) -> Iterator[Any]:
            for row in stream(database, *arguments):
                self.count += 1
                yield row

        monkeypatch.setattr(Database, "rows", counted_rows)
        monkeypatch.setattr(Database, "stream", counted_stream)

    def by_load(self, database: Database, kind: HashKind = HashKind.PHASH) -> int:
        """How many rows one load takes."""
        self.count = 0
        hashes.load(database, kind)
        return self.count


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Fetched:
    return Fetched(monkeypatch)
