"""The files that hold contents, as queries need them: very many as arrays, a few as records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain, islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.model import BYTE_WORTH, FAMILIES, FAMILY_OF, Photo
from catalog.store import photos
from catalog.store.database import Database, Row
from catalog.store.folders import Places

_IDS_IN_ONE_QUERY: Final = 10_000
_ROWS_AT_ONCE: Final = 50_000  # as Python objects, before they are packed


@dataclass(frozen=True, slots=True)
class Holders:
    """Files that are there and hold a content, as arrays of one length n.

    ``photo`` and ``content`` (int64) are row ids, ``folder`` and ``filesystem`` (int32) too;
    ``inode`` (int64) is 0 where the file system tells no files apart; ``size`` (int64) in bytes,
    ``detail`` and ``pixels`` (int64) as those of Photo, ``mtime_ns`` (int64), ``documented`` (bool:
    EXIF says when or with what). ``arrived_ns`` (int64) is the later of its times of change: a
    photo of 2010 that was copied here today came today. ``family`` (int8) is the place of that of
    Photo among FAMILIES, -1 for a format that is none of them; ``name_length`` (int16) is in bytes.
    """

    photo: NDArray[np.int64]
    folder: NDArray[np.int32]
    content: NDArray[np.int64]
    size: NDArray[np.int64]
    detail: NDArray[np.int64]
    mtime_ns: NDArray[np.int64]
    inode: NDArray[np.int64]
    filesystem: NDArray[np.int32]
    pixels: NDArray[np.int64]
    documented: NDArray[np.bool_]
    arrived_ns: NDArray[np.int64]
    family: NDArray[np.int8]
    name_length: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.photo)

    def only(self, chosen: NDArray[Any]) -> Holders:
        """The files at these positions, or where this mask is true."""
        return Holders(*(getattr(self, field.name)[chosen] for field in fields(self)))


_KINDS: Final = (
    np.int64,
    np.int32,
    np.int64,
    np.int64,
    np.int64,
    np.int64,
    np.int64,
    np.int32,
    np.int64,
    np.bool_,
    np.int64,
    np.int8,
    np.int16,
)
_WORTHS: Final = " ".join(f"WHEN '{name}' THEN {worth}" for name, worth in BYTE_WORTH.items())
_DETAIL: Final = f"CAST(photo.size * CASE format {_WORTHS} ELSE 1.0 END AS INTEGER)"
_FAMILIES: Final = " ".join(
    f"WHEN '{name}' THEN {FAMILIES.index(family)}"
    for name, family in {**{name: name for name in FAMILIES}, **FAMILY_OF}.items()
)
_COLUMNS: Final = (
    f"SELECT photo.id, photo.folder, content, photo.size, {_DETAIL}, mtime_ns, photo.inode, "
    "folder.filesystem, CAST(width * height * shown AS INTEGER), "
    "ifnull(camera, '') <> '' OR ifnull(taken_at, '') <> '', max(mtime_ns, ctime_ns), "
    f"CASE format {_FAMILIES} ELSE -1 END, length(photo.name) "
    "FROM photo JOIN content ON content.id = photo.content JOIN folder ON folder.id = photo.folder "
    "WHERE missing_since IS NULL "
)


def of_contents(database: Database, contents: NDArray[np.int64]) -> Holders:
    """The files that hold one of ``contents``, in no particular order."""

    def rows() -> Iterator[Row]:
        for ids in _portions(contents):
            sql = _COLUMNS + "AND content IN (SELECT value FROM json_each(?))"
            yield from database.stream(sql, (ids,))

    return _packed(rows())


def of_places(
    database: Database, folders: Iterable[int], files: Iterable[tuple[int, bytes]]
) -> NDArray[np.int64]:
    """The contents of all files of ``folders``, and of single ``files``; rising, each once."""
    ids = json.dumps(list(folders))
    sql = (
        "SELECT DISTINCT content FROM photo WHERE missing_since IS NULL AND content IS NOT NULL "
        "AND folder IN (SELECT value FROM json_each(?))"
    )
    found = np.fromiter(chain.from_iterable(database.stream(sql, (ids,))), dtype=np.int64)
    rows = (photos.get(database, folder, name) for folder, name in files)
    single = [row.content for row in rows if row and row.content and not row.missing]
    return np.union1d(found, np.array(single, dtype=np.int64))


def among(
    database: Database,
    files: Holders,
    folders: Iterable[int],
    singles: Iterable[tuple[int, bytes]],
) -> Holders:
    """Those of ``files`` that lie in one of ``folders``, or are one of the files at ``singles``."""
    rows = (photos.get(database, folder, name) for folder, name in singles)
    named = [row.id for row in rows if row is not None]
    inside = np.isin(files.folder, list(folders)) | np.isin(files.photo, named)
    return files.only(inside)


def held_several_times(
    database: Database, among: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """The contents (``among`` these) that several files hold, missing ones included; rising."""
    chosen = "content IS NOT NULL"
    ids: tuple[str, ...] = ()
    if among is not None:
        chosen = "content IN (SELECT value FROM json_each(?))"
        ids = (json.dumps(among.tolist()),)
    sql = (
        f"SELECT content FROM photo WHERE {chosen} "
        "GROUP BY content HAVING count(*) > 1 ORDER BY content"
    )
    return np.fromiter(chain.from_iterable(database.stream(sql, ids)), dtype=np.int64)


def names(database: Database, chosen: NDArray[np.int64]) -> dict[int, bytes]:
    """The names of these files, by row id."""
    found: dict[int, bytes] = {}
    for ids in _portions(chosen):
        sql = "SELECT id, name FROM photo WHERE id IN (SELECT value FROM json_each(?))"
        found.update(database.rows(sql, (ids,)))
    return found


def days(database: Database, chosen: NDArray[np.int64]) -> NDArray[np.int32]:
    """The day of each of these files, which are rising: taken, or else last modified.

    Days are counted from 1970-01-01, in the time that EXIF or this machine has; a file that is not
    there any more, and a time that no calendar has, are of day 0.
    """
    sql = (
        "SELECT photo.id, ifnull(CAST(julianday(ifnull(date(taken_at), "
        "date(mtime_ns / 1000000000, 'unixepoch', 'localtime'))) - 2440587.5 AS INTEGER), 0) "
        "FROM photo JOIN content ON content.id = photo.content "
        "WHERE photo.id IN (SELECT value FROM json_each(?))"
    )
    found = np.zeros(len(chosen), dtype=np.int32)
    for ids in _portions(chosen):
        rows = np.array(database.rows(sql, (ids,)), dtype=np.int64).reshape(-1, 2)
        found[np.searchsorted(chosen, rows[:, 0])] = rows[:, 1]
    return found


def folders_of(database: Database, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """The folder of each of these files, which are rising; 0 of one that is not there any more."""
    sql = "SELECT id, folder FROM photo WHERE id IN (SELECT value FROM json_each(?))"
    found = np.zeros(len(chosen), dtype=np.int64)
    for ids in _portions(chosen):
        rows = np.array(database.rows(sql, (ids,)), dtype=np.int64).reshape(-1, 2)
        found[np.searchsorted(chosen, rows[:, 0])] = rows[:, 1]
    return found


def records(database: Database, chosen: Sequence[int], places: Places) -> dict[int, Photo]:
    """These files by row id; those that are not there any more are left out.

    ``places`` remembers the folders, so that asking again and again is fast.
    """
    return {
        photo: record
        for start in range(0, len(chosen), _IDS_IN_ONE_QUERY)
        for photo, record in photos.by_id(
            database, chosen[start : start + _IDS_IN_ONE_QUERY], places
        )
    }


def _portions(ids: NDArray[np.int64]) -> Iterator[str]:
    for start in range(0, len(ids), _IDS_IN_ONE_QUERY):
        yield json.dumps(ids[start : start + _IDS_IN_ONE_QUERY].tolist())


def _packed(rows: Iterator[Row]) -> Holders:
    parts = [[np.empty(0, dtype=kind) for kind in _KINDS]]
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        table = np.array(some, dtype=np.int64)
        parts.append([table[:, number].astype(kind) for number, kind in enumerate(_KINDS)])
    return Holders(*(np.concatenate(column) for column in zip(*parts, strict=True)))
