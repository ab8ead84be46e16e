"""Very many files in the order of ``keeping``, without a record for each of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.keeping import DEFAULT, KeepRule, KeepRules, Key
from catalog.model import FAMILIES
from catalog.store import folders, holders
from catalog.store.database import Database
from catalog.store.folders import Places
from catalog.store.holders import Holders

_NAMES_AT_ONCE: Final = 50_000

# As ``KeepRule.value``. Whether a photo is stamped, no file says; paths are looked up last.
_COLUMNS: Final[Mapping[Key, Callable[[Holders], NDArray[Any]]]] = {
    Key.RESOLUTION: lambda files: -files.pixels,
    Key.BYTES: lambda files: -files.size,
    Key.DETAIL: lambda files: -files.detail,
    Key.EXIF: lambda files: ~files.documented,
    Key.OLDEST: lambda files: files.mtime_ns,
    Key.NEWEST: lambda files: ~files.mtime_ns,
}


@dataclass(frozen=True, slots=True)
class Ranked:
    """Positions of files (``order``, int64), the one to keep first.

    Those of one ``level`` (int64, rising; of each of ``order``) are apart in nothing that counts
    more than a stamp does.
    """

    order: NDArray[np.int64]
    level: NDArray[np.int64]


def order(database: Database, files: Holders, rules: KeepRules = DEFAULT) -> NDArray[np.int64]:
    """The positions of ``files`` (int64), the one to keep first: as ``rules.rank_key`` sorts."""
    return ranked(database, files, rules).order


def ranked(database: Database, files: Holders, rules: KeepRules = DEFAULT) -> Ranked:
    """``files`` as ``rules.rank_key`` sorts them, and what a stamp may change about it.

    Paths are looked up only for files that nothing else tells apart.
    """
    before_path = list(itertools.takewhile(lambda rule: rule.key is not Key.PATH, rules.in_full))
    keys = [_column(database, files, rule) for rule in before_path if rule.key is not Key.STAMP]
    found: NDArray[np.int64] = np.arange(len(files))
    if keys:
        found = np.lexsort(keys[::-1])  # the last counts most
    _sort_by_path(database, files, found, _differs(keys, found))
    of_stamp = next((at for at, rule in enumerate(before_path) if rule.key is Key.STAMP), None)
    if of_stamp is None:  # paths count more: no two are of one level
        return Ranked(found, np.arange(len(found)))
    return Ranked(found, np.cumsum(_differs(keys[:of_stamp], found)))


def _column(database: Database, files: Holders, rule: KeepRule) -> NDArray[Any]:
    if rule.key in (Key.FOLDER, Key.PROTECTED):
        inside = [row for folder in rule.folders for row in folders.within(database, folder)]
        return ~np.isin(files.folder, inside)
    if rule.key is Key.FORMAT:
        places = [rule.place_of(family) for family in (*FAMILIES, "")]  # -1 is the last
        return np.array(places, dtype=np.int8)[files.family]
    return _COLUMNS[rule.key](files)


def _differs(keys: list[NDArray[Any]], found: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each of these files, in this order, differs from the one before; the first does."""
    differs = np.zeros(len(found), dtype=np.bool_)
    differs[:1] = True
    for key in keys:
        differs[1:] |= key[found[1:]] != key[found[:-1]]
    return differs


def _sort_by_path(
    database: Database, files: Holders, found: NDArray[np.int64], differs: NDArray[np.bool_]
) -> None:
    """Sort what lies between two that differ: by the length of paths, and then by these."""
    begins = np.append(np.flatnonzero(differs), len(found))
    among = np.flatnonzero(np.repeat(np.diff(begins) > 1, np.diff(begins)))
    places = Places(database)
    tie = np.cumsum(differs)[among]
    length = _lengths(places, files, found[among])
    by_length = np.lexsort((length, tie))
    found[among], length = found[among[by_length]], length[by_length]
    differs = np.diff(tie, prepend=0) != 0
    differs[1:] |= np.diff(length) != 0
    begins = np.append(np.flatnonzero(differs), len(among))
    tied = np.flatnonzero(np.diff(begins) > 1)
    for ranges in _batches(begins[tied], begins[tied + 1]):
        at = [among[part] for part in ranges]
        paths = _paths(database, places, files, found[np.concatenate(at)])
        for part in at:
            found[part] = sorted(found[part].tolist(), key=paths.__getitem__)


def _lengths(places: Places, files: Holders, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the paths of the files at ``positions``, in bytes, the slash before the name aside."""
    ids, which = np.unique(files.folder[positions], return_inverse=True)
    lengths = np.array([len(places.path(folder)) for folder in ids.tolist()], dtype=np.int64)
    return lengths[which] + files.name_length[positions]


def _paths(
    database: Database, places: Places, files: Holders, positions: NDArray[np.int64]
) -> dict[int, bytes]:
    """The paths of the files at ``positions``, by position."""
    names = holders.names(database, files.photo[positions])
    found = {}
    for position in positions.tolist():
        # A file that went since it was counted has no name; it is left out when it is shown.
        name = names.get(int(files.photo[position]), b"")
        found[position] = places.path(int(files.folder[position])) + b"/" + name
    return found


def _batches(begins: NDArray[np.int64], ends: NDArray[np.int64]) -> Iterator[list[slice]]:
    """The ranges, as many together as have some 50,000 members."""
    batches = np.cumsum(ends - begins) // _NAMES_AT_ONCE
    ranges = zip(batches.tolist(), begins.tolist(), ends.tolist(), strict=True)
    for _, together in itertools.groupby(ranges, key=lambda each: each[0]):
        yield [slice(begin, end) for _, begin, end in together]
