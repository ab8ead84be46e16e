"""What a person chose to be rid of, and has not carried out yet: wishes, which nothing is done by.

They outlive the program they were made in, and a power cut. Their table is made when the first one
is written down, and not with the others: an earlier imgcat goes on using the file, and knows
nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from catalog.model import Choice, Seen
from catalog.store.decisions import Decisions

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS choice (
    path             BLOB PRIMARY KEY,  -- of the photo to go
    digest           BLOB NOT NULL,
    size             INTEGER NOT NULL,
    mtime_ns         INTEGER NOT NULL,
    keeper           BLOB NOT NULL,     -- path of the one it goes for
    keeper_digest    BLOB NOT NULL,
    keeper_size      INTEGER NOT NULL,
    keeper_mtime_ns  INTEGER NOT NULL
) STRICT
"""
_THERE: Final = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'choice'"
_FIELDS: Final = "path, digest, size, mtime_ns, keeper, keeper_digest, keeper_size, keeper_mtime_ns"


def all_of(decisions: Decisions) -> list[Choice]:
    """All that were chosen, the first one first."""
    if not decisions.rows(_THERE):
        return []
    rows = decisions.rows(f"SELECT {_FIELDS} FROM choice ORDER BY rowid")
    return [Choice(Seen(*row[:4]), Seen(*row[4:])) for row in rows]


def replace(decisions: Decisions, gone: Iterable[bytes], new: Iterable[Choice]) -> None:
    """Forget the choices about these paths, and add these: all of it, or nothing.

    A photo goes for one other: the later choice about a path counts. Durable when this returns.
    Raises CatalogReadOnly, Busy and DiskFull.
    """
    added = [(*_as_row(choice.goes), *_as_row(choice.kept)) for choice in new]
    with decisions.writing() as connection:
        connection.execute(_SCHEMA)
        connection.executemany("DELETE FROM choice WHERE path = ?", [(path,) for path in gone])
        connection.executemany(
            f"INSERT OR REPLACE INTO choice ({_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", added
        )


def forget(decisions: Decisions, paths: Iterable[bytes]) -> None:
    """There is nothing chosen about these paths any more; durable when this returns."""
    if decisions.rows(_THERE):
        replace(decisions, paths, ())


def _as_row(seen: Seen) -> tuple[bytes, bytes, int, int]:
    return seen.path, seen.digest, seen.size, seen.mtime_ns
