"""Whether a photo that arrived was there before, under another name or as a copy of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.matching import circumstances
from catalog.matching import known as pictures
from catalog.matching.beside import ASKED, beside
from catalog.matching.known import Known
from catalog.matching.settle import Settler
from catalog.model import AlreadyThere, HashKind, Kind, Photo
from catalog.progress import SILENT
from catalog.queries import ranking
from catalog.queries.apart import Apart
from catalog.search.join import pairs_between
from catalog.search.probing import UPRIGHT_RADIUS
from catalog.store import contents, hashes, holders
from catalog.store.database import Database, open_for_reading
from catalog.store.folders import Places
from catalog.store.matches import PERHAPS_SAME, RULES, UNSETTLED

_FEW: Final = 64  # arrivals that are each looked for in every turn and by every window
_CLOSEST: Final = 8  # contents whose files are compared with one that arrived


def already_there(catalog: bytes, arrivals: Sequence[tuple[bytes, int]]) -> Iterator[AlreadyThere]:
    """For each of these new photos, by path and content, one that shows the same, if there is one.

    Equal bytes come before one picture, and the better photo before others. Of two
    that arrive together, the second is told about. Of very many, those are looked at whose bytes
    or whose pHash another has nearly: 'imgcat dupes' finds the rest. Raises what opening the
    catalog raises.
    """
    with open_for_reading(catalog) as database, Settler.of(database, 1, SILENT) as settler:
        asking = _Looking(database, settler)
        to_come = {path for path, _ in arrivals}
        promising = None
        if len(arrivals) > _FEW:
            promising = _promising(database, np.unique([content for _, content in arrivals]))
        for path, content in arrivals:
            found = None
            if promising is None or content in promising:
                found = asking.like(path, content, to_come)
            to_come.discard(path)
            if found is not None:
                yield found


def _promising(database: Database, arrived: NDArray[np.int64]) -> set[int]:
    """Those of the contents (rising) that several files hold, or that another one is near to.

    Most of a hundred thousand that arrive together are like nothing: this is to know it at the
    cost of one join for some hundreds of them.
    """
    several = holders.held_several_times(database, arrived)
    table = hashes.load(database, HashKind.PHASH)
    comparable = table.only(~table.flat)
    new = comparable.only(np.isin(comparable.contents, arrived))
    near = []
    for pairs in pairs_between(new.hashes, comparable.hashes, UPRIGHT_RADIUS):
        one, other = new.contents[pairs.first], comparable.contents[pairs.second]
        near.append(one[one != other])
    return set(np.concatenate([several, *near]).tolist())


class _Looking:
    """Looks for one photo after the other; the pictures of all contents are loaded once."""

    def __init__(self, database: Database, settler: Settler) -> None:
        self._database = database
        self._settler = settler
        self._known: Known | None = None
        self._apart = Apart.of(database)

    def like(self, path: bytes, content: int, to_come: set[bytes]) -> AlreadyThere | None:
        copy = None
        if content not in self._apart.alone:
            copy = _best(self._database, np.array([content]), path, to_come)
        if copy is not None:
            return AlreadyThere(path, copy.path, Kind.IDENTICAL, 1.0)
        signature, _, flat = contents.evidence(self._database, content)
        if flat or not signature:
            return None
        if self._known is None:
            self._known = pictures.load_to_ask(self._database)
        facts = circumstances.of_contents(self._database, [content]).get(content)
        if facts is None:  # it went meanwhile
            return None
        alike = beside(self._database, self._known, signature, facts)
        theirs = np.where(alike.first == ASKED, alike.second, alike.first)
        others_of_it = (theirs != content) & ~self._apart.of_one(content, theirs)
        perhaps = np.flatnonzero(PERHAPS_SAME[alike.rule] & others_of_it)[:_CLOSEST]
        others = {ASKED: (path, contents.digest(self._database, content))}
        rules = dict(zip(perhaps.tolist(), alike.rule[perhaps].tolist(), strict=True))
        unsettled = perhaps[np.isin(alike.rule[perhaps], UNSETTLED)]
        if len(unsettled):
            for number, rule in self._settler.settled(alike.only(unsettled), others):
                rules[int(unsettled[number])] = RULES.index(rule)
        same = [place for place, code in rules.items() if RULES[code].kind is Kind.SAME]
        like = _best(self._database, theirs[same], path, to_come) if same else None
        if like is None:
            return None
        score = max(float(alike.score[place]) for place in same if theirs[place] == like.content)
        return AlreadyThere(path, like.path, Kind.SAME, min(1.0, score))


def _best(
    database: Database, ring: NDArray[np.int64], path: bytes, to_come: set[bytes]
) -> Photo | None:
    """The best photo of those that hold these contents and are there; not one to come."""
    files = holders.of_contents(database, ring)
    chosen = files.photo[ranking.order(database, files)].tolist()
    records = holders.records(database, chosen, Places(database))
    for number in chosen:
        photo = records.get(number)
        if photo is None or photo.path == path or photo.path in to_come:
            continue
        if photo.content not in ring:  # it changed meanwhile
            continue
        if _is_another_file(photo.path, path):
            return photo
    return None


def _is_another_file(one: bytes, other: bytes) -> bool:
    """Whether both are there, and not two names of one file."""
    try:
        return not os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False
