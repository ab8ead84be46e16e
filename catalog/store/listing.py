"""The photos of a folder one after the other, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from catalog.model import Photo
from catalog.store import photos
from catalog.store.database import Database
from catalog.store.folders import Places

_AT_ONCE: Final = 1_000


def by_name(database: Database, folder: int) -> Iterator[Photo]:
    """The photos of this folder itself that are there, by name.

    No transaction is open between two of them: whoever reads slowly keeps nobody waiting.
    """
    last = b""
    while True:
        with database.snapshot():
            page = database.rows(
                "SELECT id, name FROM photo WHERE folder = ? AND name > ? "
                "AND missing_since IS NULL AND content IS NOT NULL ORDER BY name LIMIT ?",
                (folder, last, _AT_ONCE),
            )
            ids = [photo for photo, _ in page]
            # Places of this moment: folders may be renamed while somebody iterates.
            found = dict(photos.by_id(database, ids, Places(database)))
        yield from (found[photo] for photo in ids if photo in found)
        if len(page) < _AT_ONCE:
            return
        last = page[-1][1]


def at(database: Database, folder: int, name: bytes) -> Iterator[Photo]:
    """The photo at this place, if one is there."""
    with database.snapshot():
        row = photos.get(database, folder, name)
        found = dict(photos.by_id(database, [row.id], Places(database))) if row else {}
    yield from found.values()
