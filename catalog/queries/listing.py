"""All photos of the catalog, one after the other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from catalog.model import Photo
from catalog.queries.scope import Scope, scope_of
from catalog.store import folders, listing
from catalog.store.database import Database
from catalog.store.folders import Places


def photos(database: Database, paths: Sequence[bytes] = ()) -> Iterator[Photo]:
    """The photos below ``paths`` (none: everywhere) that are there: by folder, then by name.

    They are read as they are asked for, a page at a time, so that one which others index or
    move meanwhile may be missed, or come twice. Raises UsageError, at once, for a path that
    the catalog does not follow.
    """
    return _read(database, scope_of(database, paths))


def photos_at(database: Database, paths: Iterable[bytes]) -> dict[bytes, Photo]:
    """The photos at these absolute real paths, by path; where none is there, there is none."""
    found: dict[bytes, Photo] = {}
    known: dict[bytes, int | None] = {}
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in known:
            known[folder] = folders.find(database, folder)
        at = known[folder]
        if at is not None:
            found.update((path, photo) for photo in listing.at(database, at, name))
    return found


def _read(database: Database, scope: Scope) -> Iterator[Photo]:
    places = Places(database)
    single = {(folder, name) for folder, name in scope.files if folder not in scope.folders}
    wanted: list[tuple[int, bytes | None]] = [(folder, None) for folder in scope.folders]
    wanted += single
    for folder, name in sorted(wanted, key=lambda one: (places.path(one[0]), one[1] or b"")):
        if name is None:
            yield from listing.by_name(database, folder)
        else:
            yield from listing.at(database, folder, name)
