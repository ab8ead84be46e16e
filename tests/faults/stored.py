"""What a catalog holds, read past our own code, and without touching what a crash left of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import Imgcat, pictures

COUNT = 400

Content = set[tuple[object, ...]]


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """COUNT pictures in five folders. For reading only: tests share it."""
    top = tmp_path_factory.mktemp("photos")
    pictures(top, COUNT)
    return top


@pytest.fixture(scope="session")
def expected(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Content:
    """What an uninterrupted run stores of ``photos``."""
    home = tmp_path_factory.mktemp("undisturbed")
    undisturbed = Imgcat(bytes(home / "catalog.db"), home)
    assert undisturbed("index", photos).code == 0
    stored = rows(undisturbed)
    assert len(stored) == COUNT
    return stored


@contextlib.contextmanager
def copied(catalog: bytes) -> Iterator[bytes]:
    """A copy of a catalog and its log.

    To open the file itself and close it again would empty the log that a killed run left, and
    the next run would never have to cope with it.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(os.fsencode(folder), b"catalog.db")
        shutil.copyfile(catalog, copy)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(catalog + b"-wal", copy + b"-wal")
        yield copy


def rows(imgcat: Imgcat) -> Content:
    """All photos with their hashes, from a sound catalog."""
    with (
        copied(imgcat.catalog) as copy,
        contextlib.closing(sqlite3.connect(os.fsdecode(copy))) as connection,
    ):
        (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
        assert verdict == "ok"
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        if not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall():
            return set()
        return set(
            connection.execute(
                "SELECT path, size, width, height, phash, dhash, ahash, digest FROM photos"
            )
        )


def committed(imgcat: Imgcat) -> Content:
    """As ``rows``, where there may be no catalog yet."""
    return rows(imgcat) if os.path.exists(imgcat.catalog) else set()
