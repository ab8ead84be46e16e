"""What looks like one picture, best first. The picture need not be in the catalog."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from catalog.model import Likeness, Match, Picture
from catalog.progress import SILENT, Progress
from catalog.queries.apart import NOTHING_APART, Apart
from catalog.queries.criteria import LOOKS_ALIKE, SIMILAR_LIMIT, Criteria
from catalog.queries.duplicates import table_in
from catalog.queries.groups import by_hash
from catalog.queries.lookalikes import lookalikes, photos_of
from catalog.queries.picture import asked_about, hash_of
from catalog.queries.rings import rings
from catalog.queries.scope import scope_of
from catalog.store import contents
from catalog.store.database import Database


def similar(
    database: Database,
    image: bytes,
    paths: Sequence[bytes] = (),
    *,
    criteria: Criteria | None = None,
    limit: int | None = SIMILAR_LIMIT,
    progress: Progress = SILENT,
    jobs: int = 1,
    live: Collection[int] = (),
    kept_both: bool = False,
) -> Likeness:
    """The photos below ``paths`` that are like ``image`` by ``criteria``, best first.

    Identical bytes come before all, the same picture before what is similar; equally near photos
    come in the order of ``keeping``. ``jobs`` processes compare files where only these can tell.
    ``live`` is as in ``duplicates``. With ``kept_both``, also photos that somebody said are no
    duplicates of it.
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
            jobs=jobs,
            live=live,
            kept_both=kept_both,
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
    jobs: int = 1,
    live: Collection[int] = (),
    kept_both: bool = False,
) -> Likeness:
    """As ``similar``, for a picture that is still being read: ``asked`` waits for it."""
    criteria = criteria or LOOKS_ALIKE
    scope = scope_of(database, paths)
    apart = NOTHING_APART if kept_both else Apart.of(database)
    if criteria.verified:
        picture, matches = lookalikes(
            database, scope, asked, criteria, limit, progress, jobs, apart
        )
        return Likeness(
            image,
            matches,
            flat=picture.flat,
            fresh=scope.is_live(live),
            last_scan_ns=scope.last_scan_ns,
            offline=scope.offline,
        )
    table = table_in(database, scope, criteria.hash, progress)
    picture = asked()
    same = contents.find(database, picture.digest)
    radius = None if picture.flat and not criteria.flat else criteria.radius
    query = hash_of(picture, criteria.hash)
    found: list[Match] = []
    for distance, near in rings(table, same, query, radius, flat=criteria.flat):
        room = None if limit is None else limit - len(found)
        if room == 0:
            break
        near = near[~apart.of_one(same, near)]
        found += [
            by_hash(photo, distance, same=photo.digest == picture.digest, other=picture.file)
            for photo in photos_of(database, scope, near, picture.path, room)
        ]
    return Likeness(
        image,
        tuple(found),
        flat=picture.flat and not criteria.flat,
        fresh=scope.is_live(live),
        last_scan_ns=scope.last_scan_ns,
        offline=scope.offline,
    )
