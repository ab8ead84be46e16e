"""Verified matches of one picture, best first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.matching import known as pictures
from catalog.matching.beside import ASKED, beside
from catalog.matching.circumstances import of_picture
from catalog.matching.settle import Settler
from catalog.model import Kind, Match, Photo, Picture
from catalog.progress import Progress
from catalog.queries import ranking
from catalog.queries.apart import NOTHING_APART, Apart
from catalog.queries.back import CameBack
from catalog.queries.criteria import Criteria
from catalog.queries.relations import identical, related
from catalog.queries.scope import Scope
from catalog.store import contents, holders, matches
from catalog.store.database import Database
from catalog.store.folders import Places
from catalog.store.matches import RULES, SAME, UNSETTLED, Matches

_AT_ONCE: Final = 32  # contents that are settled together


def lookalikes(
    database: Database,
    scope: Scope,
    asked: Callable[[], Picture],
    criteria: Criteria,
    limit: int | None,
    progress: Progress,
    jobs: int,
    apart: Apart = NOTHING_APART,
) -> tuple[Picture, tuple[Match, ...]]:
    """The picture asked about, and the photos in ``scope`` that are the same or look alike.

    What is ``apart`` from it is left out.
    """
    known = pictures.load_to_ask(database, progress)
    picture = asked()
    own = contents.find(database, picture.digest)
    found: list[Match] = []
    if own is not None and own not in apart.alone:
        copies = photos_of(database, scope, np.array([own]), picture.path, limit)
        found += [identical(photo, picture.file) for photo in copies]
    if picture.flat:
        return picture, tuple(found)
    alike = _remembered(
        database, beside(database, known, picture.signature, of_picture(picture)), own
    )
    theirs = np.where(alike.first == ASKED, alike.second, alike.first)
    bits = np.bitwise_count(
        known.pictures.indexed.upright[np.searchsorted(known.ids, theirs)]
        ^ np.uint64(picture.phash)
    )
    inside = _in_scope(database, scope, theirs)
    inside = inside[~apart.of_one(own, theirs[inside])]
    similar: list[Match] = []
    with Settler.of(database, jobs, progress) as settler:
        for begin in range(0, len(inside), _AT_ONCE):
            enough = len(found) + len(similar) * (criteria.grade is Kind.SIMILAR)
            if limit is not None and enough >= limit:
                break
            at = inside[begin : begin + _AT_ONCE]
            _settle(settler, alike, at, picture)
            for place in at.tolist():
                room = None if limit is None else limit - len(found)
                photos = photos_of(database, scope, theirs[[place]], picture.path, room)
                into = found if SAME[alike.rule[place]] else similar
                into += [
                    related(alike, place, photo, ASKED, picture.file, int(bits[place]))
                    for photo in photos
                ]
    if criteria.grade is Kind.SIMILAR:
        found += similar
    return picture, tuple(found[:limit])


def photos_of(
    database: Database,
    scope: Scope,
    chosen: NDArray[np.int64],
    without: bytes,
    limit: int | None,
) -> list[Photo]:
    """The files in ``scope`` that hold these contents, the best to keep first."""
    files = holders.of_contents(database, chosen)
    if not scope.everything:
        files = holders.among(database, files, scope.folders, scope.files)
    best = files.photo[ranking.order(database, files)]
    rows = best.tolist() if limit is None else best[: limit + 1].tolist()
    records = holders.records(database, rows, Places(database))
    marks = CameBack.of(database)
    found = [marks.marked(records[photo]) for photo in rows if photo in records]
    return [photo for photo in found if photo.path != without][:limit]


def _remembered(database: Database, alike: Matches, own: int | None) -> Matches:
    """Without the picture's own content, and with what was decided about that and others before."""
    if own is None:
        return alike
    alike = alike.only((alike.first != own) & (alike.second != own))
    before = matches.of_contents(database, [own])
    before = before.only(~np.isin(before.rule, UNSETTLED))
    others = np.where(before.first == own, before.second, before.first)
    decided = {content: at for at, content in enumerate(others.tolist())}
    for at, content in enumerate(np.maximum(alike.first, alike.second).tolist()):
        if content in decided and alike.rule[at] in UNSETTLED:
            told = decided[content]
            rule = RULES[before.rule[told]]
            turned_round = (before.first[told] == own) != (alike.first[at] == ASKED)
            alike.rule[at] = matches.code_of(rule.flipped if turned_round else rule)
    return alike


def _in_scope(database: Database, scope: Scope, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """The positions of the contents that a file in ``scope`` holds."""
    files = holders.of_contents(database, ids)
    if not scope.everything:
        files = holders.among(database, files, scope.folders, scope.files)
    return np.flatnonzero(np.isin(ids, files.content))


def _settle(settler: Settler, alike: Matches, at: NDArray[np.int64], picture: Picture) -> None:
    """Have the files of these compared with the picture's, where only they can tell."""
    unsettled = at[np.isin(alike.rule[at], UNSETTLED)]
    if not len(unsettled):
        return
    others = {ASKED: (picture.path, picture.digest)}
    for number, rule in settler.settled(alike.only(unsettled), others):
        alike.rule[unsettled[number]] = matches.code_of(rule)
