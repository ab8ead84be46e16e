"""Dropping rows on purpose. No photo is touched: the next index may well find it again."""

from __future__ import annotations

import os
from collections.abc import Sequence

from catalog.errors import UsageError
from catalog.escaping import printable
from catalog.indexing import roots
from catalog.progress import SILENT, Progress
from catalog.store import contents, folders, photos
from catalog.store.database import Database, Writer

_BATCH = 500


def forget(
    database: Database,
    paths: Sequence[bytes],
    *,
    missing: bool = False,
    progress: Progress = SILENT,
) -> int:
    """Drop what the catalog knows below ``paths`` (none: everywhere); returns the files dropped.

    With ``missing``, only files that are gone. A root that is dropped whole is not followed
    any more. Raises UsageError for a path that the catalog does not know.
    """
    tops = [_Place.find(database, path) for path in paths]
    if not paths:
        tops = [_Place(root.folder, None) for root in folders.all_roots(database)]
    dropped = 0
    for top in tops:
        root = folders.root_of(database, top.folder)
        with roots.in_turn(database, root, progress):
            dropped += _forget_one(database, top, missing=missing, progress=progress)
    return dropped


class _Place:
    """A folder, or one file in it."""

    def __init__(self, folder: int, name: bytes | None) -> None:
        self.folder = folder
        self.name = name

    @classmethod
    def find(cls, database: Database, path: bytes) -> _Place:
        for candidate in (os.path.realpath(path), os.path.abspath(path)):
            folder = folders.find(database, candidate)
            if folder is not None:
                return cls(folder, None)
            parent = folders.find(database, os.path.dirname(candidate))
            name = os.path.basename(candidate)
            if parent is not None and photos.get(database, parent, name) is not None:
                return cls(parent, name)
        raise UsageError(f"{printable(path)} is not in the catalog")


def _forget_one(database: Database, place: _Place, *, missing: bool, progress: Progress) -> int:
    if place.name is not None:
        row = photos.get(database, place.folder, place.name)
        rows = [row.id] if row is not None and (row.missing or not missing) else []
        scope = [place.folder]
    else:
        scope = folders.below(database, [place.folder])
        rows = photos.missing_in(database, scope) if missing else photos.ids_in(database, scope)
    for start in range(0, len(rows), _BATCH):
        with database.writing(progress) as writer:
            contents.delete_unused(writer, photos.delete(writer, rows[start : start + _BATCH]))
    with database.writing(progress) as writer:
        if place.name is None and not missing:
            _stop_following(database, writer, place.folder)
        folders.delete_empty(writer, scope)
    return len(rows)


def _stop_following(database: Database, writer: Writer, folder: int) -> None:
    for root in folders.all_roots(database):
        if root.folder == folder:
            folders.delete_root(writer, root.id)
