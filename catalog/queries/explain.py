"""Why two pictures were matched by ``duplicates``, or not.

Every rule of the decision is asked here in the order in which ``duplicates`` applies it, for
two pictures instead of all.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

import numpy as np

from catalog.errors import CatalogError, UsageError
from catalog.escaping import printable
from catalog.matching import pair
from catalog.matching.pair import Steps
from catalog.model import (
    Explanation,
    Failure,
    HashKind,
    Kind,
    Picture,
    Rule,
    Setting,
    Standing,
)
from catalog.queries.apart import Apart
from catalog.queries.criteria import ONE_PICTURE, Criteria
from catalog.queries.picture import hash_of, pictures_at, row_of
from catalog.queries.scope import Scope, scope_of
from catalog.store import contents, matches
from catalog.store.database import Database


def explain(
    database: Database | None, first: bytes, second: bytes, criteria: Criteria | None = None
) -> Explanation:
    """What ``duplicates`` does with the pictures at these two paths, and why.

    They need not be in the catalog, and there need not be one. One that the catalog has and
    the disk has not is compared by what the catalog knows. Raises UsageError where there is
    no file, CatalogError where one cannot be read as a picture.
    """
    criteria = criteria or ONE_PICTURE
    with database.snapshot() if database is not None else contextlib.nullcontext():
        one, other = pictures_at(database, [first, second], gone=True)
        scope = scope_of(database) if database is not None else None
        first_standing, second_standing = (_standing(database, scope, p) for p in (one, other))
    distances = _distances(one, other)
    found = _steps(one, other, criteria)
    if found is not None and found.rule is Rule.NOT_COMPARED and database is not None:
        found = _as_remembered(database, one, other, found)
    decided_by = _rule(one, other, distances, criteria, found)
    told = found if criteria.verified else None
    answer = Explanation(
        first=one,
        second=other,
        first_standing=first_standing,
        second_standing=second_standing,
        same_file=_same_file(one, other),
        distances=distances,
        asked=_setting(criteria),
        decided_by=decided_by,
        would_change=(),
        turned=_turned(one, other, distances),
        alignment=None if told is None else told.alignment,
        comparison=None if told is None else told.comparison,
        not_compared="" if told is None else told.not_compared,
        kept_both=database is not None and _kept_both(database, one, other),
    )
    if answer.kept_both:
        return answer
    flat = one.flat or other.flat
    changes = (
        _setting(another)
        for another in _nearby(criteria, decided_by, distances, flat=flat)
        if _matched(_rule(one, other, distances, another, found), another)
        is not _matched(decided_by, criteria)
    )
    return replace(answer, would_change=tuple(changes))


def _kept_both(database: Database, one: Picture, other: Picture) -> bool:
    """Whether 'imgcat keep-both' set them apart."""
    ids = [contents.find(database, each.digest) for each in (one, other)]
    first, second = ids
    return second is not None and bool(Apart.of(database).of_one(first, np.array([second]))[0])


def draw(database: Database | None, first: bytes, second: bytes, place: bytes) -> None:
    """Write a PNG of the two pictures side by side, with what differs, to the new file ``place``.

    Raises UsageError where a file is there already, CatalogError where it cannot be written or
    the pictures cannot be read.
    """
    with _new_file(place) as file:
        one, other = pictures_at(database, [first, second])
        drawn = pair.draw(one, other)
        if isinstance(drawn, Failure):
            why = drawn.detail or drawn.reason.value
            raise CatalogError(f"the pictures cannot be drawn: {why}")
        file.write(drawn)


@contextlib.contextmanager
def _new_file(place: bytes) -> Iterator[IO[bytes]]:
    """A file that was not there, and is not there afterwards where it could not be written whole.

    It is made first: who drew for a while should not hear then that there was no place for it.
    """
    name = printable(place)
    try:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        raise UsageError(f"{name} is there already, and nothing is written over") from None
    except OSError as error:
        raise CatalogError(f"{name} cannot be written: {error.strerror}") from error
    try:
        with open(descriptor, "wb") as file:
            yield file
    except BaseException as error:
        os.unlink(place)
        if isinstance(error, OSError):
            raise CatalogError(f"{name} cannot be written: {error.strerror}") from error
        raise


def _steps(one: Picture, other: Picture, criteria: Criteria) -> Steps | None:
    """What a search for verified matches finds; None where none is made of these two.

    Also where equal bytes are asked for: without that, they might match.
    """
    if one.path == other.path or one.digest == other.digest:
        return None
    if not criteria.verified and criteria.radius is not None:
        return None
    return None if one.flat or other.flat else pair.steps(one, other)


def _as_remembered(database: Database, one: Picture, other: Picture, found: Steps) -> Steps:
    """Where a file cannot be read now, what was decided when it could: dupes goes by that."""
    ids = tuple(contents.find(database, each.digest) for each in (one, other))
    known = matches.of_contents(database, [content for content in ids if content is not None])
    for first, second, code in zip(known.first, known.second, known.rule, strict=True):
        if {int(first), int(second)} == set(ids) and code not in matches.UNSETTLED:
            rule = matches.RULES[code]
            rule = rule if int(first) == ids[0] else rule.flipped
            return replace(found, rule=rule, not_compared="")
    return found


def _matched(rule: Rule, criteria: Criteria) -> bool:
    order = list(Kind)
    return rule.kind is not None and order.index(rule.kind) <= order.index(criteria.grade)


def _turned(
    one: Picture, other: Picture, distances: dict[HashKind, int]
) -> dict[HashKind, tuple[int, ...]]:
    """The bits of each hash in the eight orientations of the second picture."""
    from catalog.imaging.hashes import turned

    return {
        kind: (
            distances[kind],
            *((value ^ hash_of(one, kind)).bit_count() for value in values[1:]),
        )
        for kind, values in turned(other.signature).items()
    }


def _setting(criteria: Criteria) -> Setting:
    return Setting(criteria.hash, criteria.radius, criteria.flat, criteria.grade)


def _rule(
    first: Picture,
    second: Picture,
    distances: dict[HashKind, int],
    criteria: Criteria,
    found: Steps | None,
) -> Rule:
    """The first rule that says something about the two."""
    if first.path == second.path:
        return Rule.ONE_PATH
    if first.digest == second.digest:
        return Rule.IDENTICAL_BYTES
    if criteria.verified:
        return Rule.FLAT if found is None else found.rule
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
    if criteria.verified:
        yield Criteria(grade=Kind.SAME)
        yield Criteria(grade=Kind.SIMILAR)
        yield Criteria(radius=distance, flat=flat)
        yield Criteria(radius=None, grade=Kind.IDENTICAL)
        return
    if decided_by is Rule.EXACT_ONLY:
        criteria = replace(criteria, grade=Kind.HASH)
        yield ONE_PICTURE
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
        yield Criteria(radius=None, grade=Kind.IDENTICAL)


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
