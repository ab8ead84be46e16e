"""All photos of the catalog, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from catalog.model import Photo
from catalog.queries.scope import Scope, scope_of
from catalog.store import listing
from catalog.store.database import Database
from catalog.store.folders import Places


def photos(database: Database, paths: Sequence[bytes] = ()) -> Iterator[Photo]:
    """The photos below ``paths`` (none: everywhere) that are there: by folder, then by name.

    They are read as they are asked for, a page at a time, so that one which others index or
    move meanwhile may be missed, or come twice. Raises UsageError, at once, for a path that
    the catalog does not follow.
    """
    return _read(database, scope_of(database, paths))


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
