"""The hashes of all contents as arrays, at once: a copy in the cache folder, kept up to date.

Getting a million hashes out of SQLite row by row takes a second and more; mapping a file takes
milliseconds. So a copy of them lies in the user's cache folder, and each load asks the catalog
what became of contents since (``content_log``, see the schema) and lays that over the copy. The
copy is written anew when that becomes much. It is only a cache: where it is missing, damaged, of
another history of the catalog or cannot be written, the catalog itself is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import stat
import struct
import tempfile
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
import platformdirs
from numpy.typing import NDArray

from catalog.model import HashKind
from catalog.progress import SILENT, Phase, Progress
from catalog.store.database import Database

_FORMAT: Final = 1
_MAGIC: Final = b"imgcat hashes\0\0\0"
_HEADER: Final = 4096  # bytes: the fields, and zeros
_FIELDS: Final = struct.Struct("=16sIQqqq5I")  # as in _Header; the columns' checksums last
_WORTH_A_COPY: Final = 4096  # contents; fewer are read in a few milliseconds
_MUCH: Final = 20_000  # contents laid over the copy, some 30 ms, before it is written anew
_ROOM: Final = _MUCH + 2048  # for contents that came since, at the end of each column
_IDS_IN_ONE_QUERY: Final = 10_000
_NEW: Final = b".new-"  # begins the name of a copy that is being written
_ABANDONED: Final = 3600  # seconds after which nobody writes it any more

# Columns of the file, and of the rows that are laid over it.
_COLUMNS: Final[dict[str, Any]] = {
    "id": np.int64,
    HashKind.PHASH: np.uint64,
    HashKind.DHASH: np.uint64,
    HashKind.AHASH: np.uint64,
    "flat": np.uint8,
}
_ROWS: Final = "SELECT id, phash, dhash, ahash, flat FROM content "


@dataclass(frozen=True, slots=True)
class HashTable:
    """One hash of every content, as arrays of one length n, by rising id.

    ``contents`` (int64) are the ids, ``hashes`` (uint64), ``flat`` (bool). A wavelet hash is not
    stored, so of that kind all are 0. Contents that no file holds any more may be among them.
    """

    contents: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    flat: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.contents)

    def only(self, chosen: NDArray[Any]) -> HashTable:
        """The rows at these positions, or where this mask is true."""
        return HashTable(self.contents[chosen], self.hashes[chosen], self.flat[chosen])


def load(database: Database, kind: HashKind, progress: Progress = SILENT) -> HashTable:
    """The hashes of all contents, as they are now."""
    place = _place(database)
    needed = tuple(name for name in _COLUMNS if name in ("id", kind, "flat"))
    with database.snapshot():
        table = _Table.of(_Copy.read(place), database, needed, progress)
    if place is not None:
        table.keep(place)
    hashes = table[kind] if kind in needed else np.zeros(len(table), dtype=np.uint64)
    return HashTable(table["id"], hashes, table["flat"].astype(np.bool_))


def copy_differs(database: Database) -> bool:
    """Whether the copy, brought up to date, says anything else than the catalog itself.

    Where it does, it is thrown away. That should never happen.
    """
    place = _place(database)
    with database.snapshot():
        copy = _Copy.read(place)
        if place is None or copy is None:
            return False
        laid_over = _Table.of(copy, database)
        anew = _Table.of(None, database)
    if all(np.array_equal(laid_over[name], anew[name]) for name in _COLUMNS):
        return False
    with contextlib.suppress(OSError):
        os.unlink(place)
    return True


def _place(database: Database) -> bytes | None:
    """The path of the copy: in the cache folder, named after the path of the catalog.

    None where this user has no cache folder, such as one without a home.
    """
    try:
        folder = os.fsencode(platformdirs.user_cache_path("imgcat", appauthor=False))
    except RuntimeError:
        return None
    if not os.path.isabs(folder):  # what earlier releases of platformdirs say then
        return None
    name = hashlib.blake2b(database.path, digest_size=16).hexdigest()
    return os.path.join(folder, name.encode() + b".hashes")


@dataclass(frozen=True, slots=True)
class _Mark:
    """The last row of the log that a copy knows of; ``seq`` 0 where it knows of none."""

    seq: int = 0
    upto: int = 0
    token: int = 0

    @classmethod
    def latest(cls, database: Database) -> _Mark:
        rows = database.rows("SELECT seq, upto, token FROM content_log ORDER BY seq DESC LIMIT 1")
        return cls(*rows[0]) if rows else cls()

    def holds(self, database: Database) -> bool:
        """Whether the catalog's history goes through here."""
        rows = database.rows("SELECT seq, upto, token FROM content_log WHERE seq = ?", (self.seq,))
        return self == (_Mark(*rows[0]) if rows else _Mark())


@dataclass(frozen=True, slots=True)
class _Header:
    """What a copy says of itself; ``checksums`` are CRC-32, one for each column.

    It needs none of its own: the size of the file, the catalog's log and the columns each have
    to agree with it.
    """

    count: int
    mark: _Mark
    checksums: tuple[int, ...]

    def pack(self) -> bytes:
        mark = (self.mark.seq, self.mark.upto, self.mark.token)
        fields = _FIELDS.pack(_MAGIC, _FORMAT, self.count, *mark, *self.checksums)
        return fields.ljust(_HEADER, b"\0")

    @classmethod
    def unpack(cls, data: bytes) -> _Header | None:
        """None where it is not ours, not whole, or of another format."""
        if len(data) < _HEADER:
            return None
        magic, version, count, seq, upto, token, *checksums = _FIELDS.unpack_from(data)
        if (magic, version) != (_MAGIC, _FORMAT):
            return None
        return cls(count, _Mark(seq, upto, token), tuple(checksums))


class _Copy:
    """The file in the cache folder, mapped: what is written to its columns stays in memory."""

    def __init__(self, mapped: mmap.mmap, header: _Header) -> None:
        self.mark = header.mark
        self.count = header.count
        self._mapped = mapped
        self._checksums = dict(zip(_COLUMNS, header.checksums, strict=True))

    @classmethod
    def read(cls, place: bytes | None) -> _Copy | None:
        """The copy at ``place``; None unless it is there, ours, whole, and of this format."""
        if place is None:
            return None
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe never waits
        try:
            descriptor = os.open(place, flags)
        except OSError:
            return None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                return None
            header = _Header.unpack(os.read(descriptor, _HEADER))
            if header is None or status.st_size != _file_size(header.count):
                return None
            mapped = mmap.mmap(descriptor, status.st_size, access=mmap.ACCESS_COPY)
        except (OSError, ValueError):  # the latter where it was cut meanwhile
            return None
        finally:
            os.close(descriptor)
        return cls(mapped, header)

    def columns(self, names: Sequence[str]) -> dict[str, NDArray[Any]] | None:
        """These columns, with room at their ends; None where one is not what was written."""
        found = {}
        offset = _HEADER
        for name, kind in _COLUMNS.items():
            column = np.frombuffer(self._mapped, kind, self.count + _ROOM, offset)
            if name in names:
                if zlib.crc32(column[: self.count].data) != self._checksums[name]:
                    return None
                found[name] = column
            offset += column.nbytes
        return found


def _file_size(count: int) -> int:
    width = sum(np.dtype(kind).itemsize for kind in _COLUMNS.values())
    return int(_HEADER + (count + _ROOM) * width)


class _Table:
    """Columns of all contents, as of ``mark``; ``worth_keeping`` where a new copy is due."""

    def __init__(
        self, columns: dict[str, NDArray[Any]], mark: _Mark, *, worth_keeping: bool
    ) -> None:
        self._columns = columns
        self._mark = mark
        self._worth_keeping = worth_keeping

    def __len__(self) -> int:
        return len(self["id"])

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._columns[name]

    @classmethod
    def of(
        cls,
        copy: _Copy | None,
        database: Database,
        needed: Sequence[str] = tuple(_COLUMNS),
        progress: Progress = SILENT,
    ) -> _Table:
        """What the catalog holds now, read from it only where ``copy`` does not know it."""
        if copy is not None and copy.mark.holds(database):
            table = cls._laid_over(copy, database, needed)
            if table is not None:
                return table
        progress.start(Phase.LOADING)
        anew = _as_columns(database.stream(_ROWS + "ORDER BY id"))
        mark = _Mark.latest(database)
        return cls(anew, mark, worth_keeping=len(anew["id"]) >= _WORTH_A_COPY)

    @classmethod
    def _laid_over(cls, copy: _Copy, database: Database, needed: Sequence[str]) -> _Table | None:
        """The copy, and over it what became of contents since; None where they do not agree."""
        upto = copy.mark.upto
        changed = _changed_since(database, copy.mark)
        later = database.stream(_ROWS + "WHERE id > ? ORDER BY id", (upto,))
        rows = _as_columns(chain(chain.from_iterable(_rows_of(database, changed)), later))
        much = len(changed) + len(rows["id"]) > _MUCH
        columns = copy.columns(tuple(_COLUMNS) if much else needed)
        if columns is None:
            return None
        base = int(np.searchsorted(columns["id"][: copy.count], upto, side="right"))
        known = columns["id"][:base]
        old = int(np.searchsorted(rows["id"], upto, side="right"))
        places = np.searchsorted(known, rows["id"][:old])
        if old and (places.max() == base or not np.array_equal(known[places], rows["id"][:old])):
            return None
        gone = np.setdiff1d(np.array(changed, dtype=np.int64), rows["id"][:old])
        gone = np.flatnonzero(np.isin(known, gone)) if len(gone) else gone
        for name, column in columns.items():
            column[places] = rows[name][:old]
            columns[name] = _followed_by(column, base, rows[name][old:])
            if len(gone):
                columns[name] = np.delete(columns[name], gone)
        return cls(columns, _Mark.latest(database), worth_keeping=much)

    def keep(self, place: bytes) -> None:
        """Write the copy anew where that saves the next load something."""
        if not self._worth_keeping:
            return
        checksums = tuple(zlib.crc32(self[name].data) for name in _COLUMNS)
        header = _Header(len(self), self._mark, checksums)
        # A cache that cannot be written is no failure: the next load reads the catalog again.
        with contextlib.suppress(OSError):
            _replace(place, header.pack(), [self[name] for name in _COLUMNS])


def _changed_since(database: Database, mark: _Mark) -> list[int]:
    rows = database.rows(
        "SELECT DISTINCT content FROM content_log WHERE seq > ? AND content <= ? ORDER BY content",
        (mark.seq, mark.upto),
    )
    return [content for (content,) in rows]


def _rows_of(database: Database, contents: list[int]) -> Iterable[list[tuple[Any, ...]]]:
    """The rows of these contents, by id; of those that are gone, none."""
    for start in range(0, len(contents), _IDS_IN_ONE_QUERY):
        some = json.dumps(contents[start : start + _IDS_IN_ONE_QUERY])
        ids = "id IN (SELECT value FROM json_each(?))"
        yield database.rows(f"{_ROWS} WHERE {ids} ORDER BY id", (some,))


def _as_columns(rows: Iterable[tuple[Any, ...]]) -> dict[str, NDArray[Any]]:
    values = np.fromiter(chain.from_iterable(rows), dtype=np.int64).reshape(-1, len(_COLUMNS))
    return {
        name: values[:, number].astype(kind) for number, (name, kind) in enumerate(_COLUMNS.items())
    }


def _followed_by(column: NDArray[Any], count: int, more: NDArray[Any]) -> NDArray[Any]:
    """The first ``count`` of a column and ``more``, in its own room where that is enough."""
    if count + len(more) > len(column):
        return np.concatenate((column[:count], more))
    column[count : count + len(more)] = more
    return column[: count + len(more)]


def _replace(place: bytes, header: bytes, columns: Iterable[NDArray[Any]]) -> None:
    folder = os.path.dirname(place)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    _sweep(folder)
    descriptor, new = tempfile.mkstemp(prefix=_NEW, dir=folder)  # readable by nobody else
    try:
        with open(descriptor, "wb") as file:
            file.write(header)
            for column in columns:
                file.write(column.data)
                file.write(bytes(_ROOM * column.itemsize))
        os.replace(new, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise


def _sweep(folder: bytes) -> None:
    """Remove what processes that were killed while they wrote a copy have left."""
    before = time.time() - _ABANDONED
    for entry in os.scandir(folder):
        with contextlib.suppress(OSError):
            if entry.name.startswith(_NEW) and entry.stat(follow_symlinks=False).st_mtime < before:
                os.unlink(entry.path)
