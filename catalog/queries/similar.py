"""What looks like one picture, best first. The picture need not be in the catalog."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from catalog import keeping
from catalog.errors import CatalogError, UsageError
from catalog.model import (
    HASH_BITS,
    Failure,
    Fingerprint,
    HashKind,
    Kind,
    Likeness,
    Match,
    Photo,
    Reading,
    Reason,
    Stamp,
)
from catalog.queries.criteria import SIMILAR_LIMIT, SIMILAR_RADIUS, Criteria
from catalog.queries.duplicates import Values, load_values
from catalog.queries.scope import scope_of
from catalog.search.hamming import nearest
from catalog.store import contents, folders, photos, settings
from catalog.store.database import Database
from catalog.store.opening import shown


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture asked about, as far as the answer depends on it."""

    path: bytes
    digest: bytes
    hash: int
    flat: bool
    file: tuple[int, int | bytes] | None = None  # as Photo.file, where it is in the catalog


def similar(
    database: Database,
    image: bytes,
    paths: Sequence[bytes] = (),
    *,
    criteria: Criteria | None = None,
    limit: int | None = SIMILAR_LIMIT,
) -> Likeness:
    """The photos below ``paths`` that are like ``image`` by ``criteria``, best first.

    Identical bytes come before all. Raises UsageError where ``image`` is no file,
    CatalogError where it cannot be read as a picture.
    """
    criteria = criteria or Criteria(radius=SIMILAR_RADIUS)
    with database.snapshot():
        return _similar(database, image, paths, criteria, limit)


def _similar(
    database: Database,
    image: bytes,
    paths: Sequence[bytes],
    criteria: Criteria,
    limit: int | None,
) -> Likeness:
    scope = scope_of(database, paths)
    picture = _picture(database, image, criteria.hash)
    values = load_values(database, scope, criteria.hash)
    distances = _distances(picture, values, criteria)
    same = contents.find(database, picture.digest)
    if same is not None:
        distances[same] = 0
    wanted = sorted(distances, key=lambda content: (content != same, distances[content]))
    if limit is not None:
        wanted = wanted[: limit + 1]  # one of them may be the picture itself
    matches = [
        _match(picture, photo, distances[photo.content])
        for photo in photos.with_contents(database, wanted, scope.holds)
        if photo.path != picture.path
    ]
    matches.sort(
        key=lambda match: (
            match.kind is not Kind.IDENTICAL,
            match.distance,
            keeping.rank_key(match.photo),
        )
    )
    return Likeness(
        image,
        tuple(matches[:limit]),
        flat=picture.flat and not criteria.flat,
        last_scan_ns=scope.last_scan_ns,
        offline=scope.offline,
    )


def _distances(picture: Picture, values: Values, criteria: Criteria) -> dict[int, int]:
    """Bits between the picture and each content that is close enough, by content id."""
    if criteria.radius is None or (picture.flat and not criteria.flat):
        return {}
    usable = np.flatnonzero(~values.flat | criteria.flat)
    positions, found = nearest(values.hashes[usable], picture.hash, criteria.radius)
    near = values.contents[usable[positions]]
    return dict(zip(near.tolist(), found.tolist(), strict=True))


def _match(picture: Picture, photo: Photo, distance: int) -> Match:
    return Match(
        photo,
        Kind.IDENTICAL if photo.digest == picture.digest else Kind.HASH,
        distance,
        score=1 - distance / HASH_BITS,
        same_file=photo.file == picture.file,
    )


def _picture(database: Database, image: bytes, kind: HashKind) -> Picture:
    real = os.path.realpath(image)
    known = _from_catalog(database, real, kind)
    return known if known is not None else _from_disk(database, real, image, kind)


def _from_catalog(database: Database, real: bytes, kind: HashKind) -> Picture | None:
    """The stored hash, if the file is still the one that was read."""
    folder = folders.find(database, os.path.dirname(real))
    row = photos.get(database, folder, os.path.basename(real)) if folder is not None else None
    if row is None or row.content is None or row.again or row.missing:
        return None
    try:
        if not Stamp.of(os.lstat(real)).agrees_with(row.stamp):
            return None
    except OSError:
        return None
    if kind is HashKind.WHASH:
        value = _wavelet_hash(next(contents.signatures(database, [row.content])))
    else:
        value = contents.hash_of(database, row.content, kind)
    photo = next(
        photos.with_contents(database, [row.content], lambda *place: place == (folder, row.name))
    )
    return Picture(real, photo.digest, value, photo.flat, photo.file)


def _from_disk(database: Database, real: bytes, image: bytes, kind: HashKind) -> Picture:
    fingerprint = _fingerprint(database, real, image)
    value = {
        HashKind.PHASH: fingerprint.phash,
        HashKind.DHASH: fingerprint.dhash,
        HashKind.AHASH: fingerprint.ahash,
    }.get(kind)
    if value is None:
        value = _wavelet_hash(fingerprint.signature)
    return Picture(real, fingerprint.digest, value, fingerprint.flat)


def _wavelet_hash(signature: bytes) -> int:
    from catalog.imaging.hashes import whash

    return int(whash(np.frombuffer(signature, dtype=np.uint8).reshape(1, -1))[0])


def _fingerprint(database: Database, real: bytes, image: bytes) -> Fingerprint:
    # In a worker: the picture may come from anywhere, and may be made to hurt.
    from catalog.imaging.reading import warm_up
    from catalog.indexing.reading import read_numbered
    from catalog.workers.pool import Lost, Task, run_all

    if not os.path.lexists(real):
        raise UsageError(f"there is no file {shown(image)}")
    task = Task((0, real, settings.recipe(database), None), os.lstat(real).st_size)
    results = list(run_all(read_numbered, [task], jobs=1, warm_up=warm_up))
    result: Reading | Lost = results[0][1]
    if isinstance(result, Lost):
        raise CatalogError(f"{shown(image)} cannot be read: {result.reason} ({result.detail})")
    outcome = result.outcome
    if isinstance(outcome, Fingerprint):
        return outcome
    assert isinstance(outcome, Failure)  # no digest was given, so SameBytes cannot come
    detail = f" ({outcome.detail})" if outcome.detail else ""
    message = f"{shown(image)} cannot be read as a picture: {outcome.reason}{detail}"
    if outcome.reason in (Reason.VANISHED, Reason.NOT_REGULAR):
        raise UsageError(message)
    raise CatalogError(message)
