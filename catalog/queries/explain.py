"""Why two pictures were matched by ``duplicates``, or not.

Every rule of the decision is asked here in the order in which ``duplicates`` applies it, for
two pictures instead of all.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace

from catalog.model import (
    Explanation,
    HashKind,
    Picture,
    Rule,
    Setting,
    Standing,
)
from catalog.queries.criteria import Criteria
from catalog.queries.picture import hash_of, pictures_at, row_of
from catalog.queries.scope import Scope, scope_of
from catalog.store.database import Database


def explain(
    database: Database | None, first: bytes, second: bytes, criteria: Criteria | None = None
) -> Explanation:
    """What ``duplicates`` does with the pictures at these two paths, and why.

    They need not be in the catalog, and there need not be one. One that the catalog has and
    the disk has not is compared by what the catalog knows. Raises UsageError where there is
    no file, CatalogError where one cannot be read as a picture.
    """
    criteria = criteria or Criteria()
    with database.snapshot() if database is not None else contextlib.nullcontext():
        one, other = pictures_at(database, [first, second], gone=True)
        scope = scope_of(database) if database is not None else None
        first_standing, second_standing = (_standing(database, scope, p) for p in (one, other))
    distances = _distances(one, other)
    decided_by = _rule(one, other, distances, criteria)
    return Explanation(
        first=one,
        second=other,
        first_standing=first_standing,
        second_standing=second_standing,
        same_file=_same_file(one, other),
        distances=distances,
        asked=_setting(criteria),
        decided_by=decided_by,
        would_change=tuple(
            _setting(another)
            for another in _nearby(criteria, decided_by, distances, flat=one.flat or other.flat)
            if bool(_rule(one, other, distances, another).kind) is not bool(decided_by.kind)
        ),
    )


def _setting(criteria: Criteria) -> Setting:
    return Setting(criteria.hash, criteria.radius, criteria.flat)


def _rule(
    first: Picture, second: Picture, distances: dict[HashKind, int], criteria: Criteria
) -> Rule:
    """The first rule that says something about the two."""
    if first.path == second.path:
        return Rule.ONE_PATH
    if first.digest == second.digest:
        return Rule.IDENTICAL_BYTES
    if criteria.radius is None:
        return Rule.EXACT_ONLY
    if (first.flat or second.flat) and not criteria.flat:
        return Rule.FLAT
    near = distances[criteria.hash] <= criteria.radius
    return Rule.WITHIN_RADIUS if near else Rule.BEYOND_RADIUS


def _nearby(
    criteria: Criteria, decided_by: Rule, distances: dict[HashKind, int], *, flat: bool
) -> Iterator[Criteria]:
    """Criteria that may decide otherwise, each the smallest change of its sort."""
    distance = distances[criteria.hash]
    if decided_by in (Rule.EXACT_ONLY, Rule.FLAT, Rule.BEYOND_RADIUS):
        wider = max(distance, criteria.radius or 0)
        yield replace(criteria, radius=wider, flat=flat or criteria.flat)
    if decided_by is Rule.WITHIN_RADIUS:
        if distance:
            yield replace(criteria, radius=distance - 1)
        yield replace(criteria, flat=False)
    if decided_by in (Rule.WITHIN_RADIUS, Rule.BEYOND_RADIUS):
        for kind in HashKind:
            yield replace(criteria, hash=kind)
    if decided_by is Rule.WITHIN_RADIUS:
        yield replace(criteria, radius=None, flat=False)


def _distances(first: Picture, second: Picture) -> dict[HashKind, int]:
    """Differing bits of each hash. Equal bytes have equal hashes, whatever recipe made them."""
    if first.digest == second.digest:
        return dict.fromkeys(HashKind, 0)
    return {kind: (hash_of(first, kind) ^ hash_of(second, kind)).bit_count() for kind in HashKind}


def _standing(database: Database | None, scope: Scope | None, picture: Picture) -> Standing:
    if database is None or scope is None:
        return Standing.NO_CATALOG
    row = row_of(database, picture.path)
    if row is None:
        return Standing.NOT_IN_CATALOG
    if row.missing:
        return Standing.MISSING
    if not scope.holds(row.folder, row.name):
        return Standing.OFFLINE
    if row.content is None:
        return Standing.PROBLEM
    if not os.path.lexists(picture.path):
        return Standing.GONE
    return Standing.IN_CATALOG if row.digest == picture.digest else Standing.CHANGED


def _same_file(first: Picture, second: Picture) -> bool:
    if first.digest != second.digest:
        return False  # the number of a file that is gone may have gone to another
    if first.file is not None and second.file is not None:
        return first.file == second.file
    try:
        return os.path.samefile(first.path, second.path)
    except OSError:  # one is gone
        return False
