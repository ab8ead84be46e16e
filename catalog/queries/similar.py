"""What looks like one picture, best first. The picture need not be in the catalog."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from catalog.model import HASH_BITS, Kind, Likeness, Match, Photo, Picture
from catalog.progress import SILENT, Progress
from catalog.queries import ranking
from catalog.queries.criteria import SIMILAR_LIMIT, SIMILAR_RADIUS, Criteria
from catalog.queries.duplicates import table_in
from catalog.queries.picture import asked_about, hash_of
from catalog.queries.rings import rings
from catalog.queries.scope import Scope, scope_of
from catalog.store import contents, holders
from catalog.store.database import Database
from catalog.store.folders import Places


def similar(
    database: Database,
    image: bytes,
    paths: Sequence[bytes] = (),
    *,
    criteria: Criteria | None = None,
    limit: int | None = SIMILAR_LIMIT,
    progress: Progress = SILENT,
    live: Collection[int] = (),
) -> Likeness:
    """The photos below ``paths`` that are like ``image`` by ``criteria``, best first.

    Identical bytes come before all; equally near photos come in the order of ``keeping``.
    ``live`` is as in ``duplicates``.
    Raises UsageError where ``image`` is no file, CatalogError where it cannot be read as a
    picture.
    """
    with asked_about(database, [image]) as pictures:
        return similar_to(
            database,
            lambda: pictures()[0],
            image,
            paths,
            criteria=criteria,
            limit=limit,
            progress=progress,
            live=live,
        )


def similar_to(
    database: Database,
    asked: Callable[[], Picture],
    image: bytes,
    paths: Sequence[bytes] = (),
    *,
    criteria: Criteria | None = None,
    limit: int | None = SIMILAR_LIMIT,
    progress: Progress = SILENT,
    live: Collection[int] = (),
) -> Likeness:
    """As ``similar``, for a picture that is still being read: ``asked`` waits for it."""
    criteria = criteria or Criteria(radius=SIMILAR_RADIUS)
    scope = scope_of(database, paths)
    table = table_in(database, scope, criteria.hash, progress)
    picture = asked()
    same = contents.find(database, picture.digest)
    radius = None if picture.flat and not criteria.flat else criteria.radius
    query = hash_of(picture, criteria.hash)
    matches: list[Match] = []
    for distance, near in rings(table, same, query, radius, flat=criteria.flat):
        room = None if limit is None else limit - len(matches)
        if room == 0:
            break
        matches += [
            _match(picture, photo, distance)
            for photo in _photos(database, scope, near, picture.path, room)
        ]
    return Likeness(
        image,
        tuple(matches),
        flat=picture.flat and not criteria.flat,
        fresh=scope.is_live(live),
        last_scan_ns=scope.last_scan_ns,
        offline=scope.offline,
    )


def _photos(
    database: Database,
    scope: Scope,
    ring: NDArray[np.int64],
    without: bytes,
    limit: int | None,
) -> list[Photo]:
    """The files in ``scope`` that hold these contents, the best to keep first."""
    files = holders.of_contents(database, ring)
    if not scope.everything:
        files = holders.among(database, files, scope.folders, scope.files)
    best = files.photo[ranking.order(database, files)]
    chosen = best.tolist() if limit is None else best[: limit + 1].tolist()
    records = holders.records(database, chosen, Places(database))
    found = [records[photo] for photo in chosen if photo in records]
    return [photo for photo in found if photo.path != without][:limit]


def _match(picture: Picture, photo: Photo, distance: int) -> Match:
    return Match(
        photo,
        Kind.IDENTICAL if photo.digest == picture.digest else Kind.HASH,
        distance,
        score=1 - distance / HASH_BITS,
        same_file=photo.file == picture.file,
    )
