"""What the catalog says of each content, as arrays: copies in the cache folder, kept up to date.

Getting a million hashes out of SQLite row by row takes a second and more; mapping a file takes
milliseconds. So a copy of them lies in the user's cache folder, and each load asks the catalog
what became of contents since (``content_log``, see the schema) and lays that over the copy. The
copy is written anew when that becomes much. It is only a cache: where it is missing, damaged, of
another history of the catalog or cannot be written, the catalog itself is read.

What is copied is a ``Layout``: columns, a query, and what makes the former of the rows of the
latter, be it only to pack them.
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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
import platformdirs
from numpy.typing import NDArray

from catalog.progress import SILENT, Phase, Progress
from catalog.store.database import Database

_HEADER: Final = 4096  # bytes: the fields, and zeros
_FIELDS: Final = struct.Struct("=16sIQqqq")  # as in _Header; the columns' checksums follow
_IDS_IN_ONE_QUERY: Final = 10_000
_NEW: Final = b".new-"  # begins the name of a copy that is being written
_ABANDONED: Final = 3600  # seconds after which nobody writes it any more

Rows = Iterable[tuple[Any, ...]]
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Layout:
    """One sort of copy. The first of its ``columns`` is "id", by which rows rise.

    ``select`` gives rows whose first column is the id of a content, and ends so that "WHERE" can
    follow; ``read`` makes columns of such rows. What becomes another file gets another ``suffix``,
    what is read otherwise another ``version``.
    """

    suffix: bytes
    magic: bytes  # 16 of them
    version: int
    columns: Mapping[str, Any]  # name -> dtype
    select: str
    read: Callable[[Rows], Columns]
    worth: int  # contents; fewer are read anew each time
    much: int  # contents laid over the copy before it is written anew
    room: int  # for contents that came since, at the end of each column; more than much

    def size(self, count: int) -> int:
        """Bytes of a copy of so many contents."""
        width = sum(np.dtype(kind).itemsize for kind in self.columns.values())
        return int(_HEADER + (count + self.room) * width)


def load(
    database: Database,
    layout: Layout,
    needed: Sequence[str] | None = None,
    progress: Progress = SILENT,
) -> Columns:
    """These columns (all where none are named) of all contents, as they are now."""
    place = _place(database, layout)
    wanted = tuple(layout.columns if needed is None else needed)
    with database.snapshot():
        table = _Table.of(layout, _Copy.read(place, layout), database, wanted, progress)
    if place is not None:
        table.keep(place)
    return {name: table[name] for name in wanted}


def differs(database: Database, layout: Layout) -> bool:
    """Whether the copy, brought up to date, says anything else than the catalog itself.

    Where it does, it is thrown away. That should never happen.
    """
    place = _place(database, layout)
    with database.snapshot():
        copy = _Copy.read(place, layout)
        if place is None or copy is None:
            return False
        laid_over = _Table.of(layout, copy, database)
        anew = _Table.of(layout, None, database)
    if all(np.array_equal(laid_over[name], anew[name]) for name in layout.columns):
        return False
    with contextlib.suppress(OSError):
        os.unlink(place)
    return True


def _place(database: Database, layout: Layout) -> bytes | None:
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
    return os.path.join(folder, name.encode() + layout.suffix)


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

    def pack(self, layout: Layout) -> bytes:
        mark = (self.mark.seq, self.mark.upto, self.mark.token)
        fields = _FIELDS.pack(layout.magic, layout.version, self.count, *mark)
        checksums = struct.pack(f"={len(self.checksums)}I", *self.checksums)
        return (fields + checksums).ljust(_HEADER, b"\0")

    @classmethod
    def unpack(cls, data: bytes, layout: Layout) -> _Header | None:
        """None where it is not ours, not whole, or of another version."""
        if len(data) < _HEADER:
            return None
        magic, version, count, seq, upto, token = _FIELDS.unpack_from(data)
        if (magic, version) != (layout.magic, layout.version):
            return None
        checksums = struct.unpack_from(f"={len(layout.columns)}I", data, _FIELDS.size)
        return cls(count, _Mark(seq, upto, token), checksums)


class _Copy:
    """The file in the cache folder, mapped: what is written to its columns stays in memory."""

    def __init__(self, mapped: mmap.mmap, header: _Header, layout: Layout) -> None:
        self.layout = layout
        self.mark = header.mark
        self.count = header.count
        self._mapped = mapped
        self._checksums = dict(zip(layout.columns, header.checksums, strict=True))

    @classmethod
    def read(cls, place: bytes | None, layout: Layout) -> _Copy | None:
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
            header = _Header.unpack(os.read(descriptor, _HEADER), layout)
            if header is None or status.st_size != layout.size(header.count):
                return None
            mapped = mmap.mmap(descriptor, status.st_size, access=mmap.ACCESS_COPY)
        except (OSError, ValueError):  # the latter where it was cut meanwhile
            return None
        finally:
            os.close(descriptor)
        return cls(mapped, header, layout)

    def columns(self, names: Sequence[str]) -> Columns | None:
        """These columns, with room at their ends; None where one is not what was written."""
        found = {}
        offset = _HEADER
        for name, kind in self.layout.columns.items():
            column = np.frombuffer(self._mapped, kind, self.count + self.layout.room, offset)
            if name in names:
                if zlib.crc32(column[: self.count].data) != self._checksums[name]:
                    return None
                found[name] = column
            offset += column.nbytes
        return found


class _Table:
    """Columns of all contents, as of ``mark``; ``worth_keeping`` where a new copy is due."""

    def __init__(
        self, layout: Layout, columns: Columns, mark: _Mark, *, worth_keeping: bool
    ) -> None:
        self._layout = layout
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
        layout: Layout,
        copy: _Copy | None,
        database: Database,
        needed: Sequence[str] | None = None,
        progress: Progress = SILENT,
    ) -> _Table:
        """What the catalog holds now, read from it only where ``copy`` does not know it."""
        needed = tuple(layout.columns if needed is None else needed)
        if copy is not None and copy.mark.holds(database):
            table = cls._laid_over(copy, database, needed)
            if table is not None:
                return table
        progress.start(Phase.LOADING)
        anew = layout.read(database.stream(f"{layout.select} ORDER BY id"))
        mark = _Mark.latest(database)
        return cls(layout, anew, mark, worth_keeping=len(anew["id"]) >= layout.worth)

    @classmethod
    def _laid_over(cls, copy: _Copy, database: Database, needed: Sequence[str]) -> _Table | None:
        """The copy, and over it what became of contents since; None where they do not agree."""
        layout = copy.layout
        upto = copy.mark.upto
        changed = _changed_since(database, copy.mark)
        later = database.stream(f"{layout.select} WHERE id > ? ORDER BY id", (upto,))
        rows = layout.read(chain(chain.from_iterable(_rows_of(database, layout, changed)), later))
        much = len(changed) + len(rows["id"]) > layout.much
        columns = copy.columns(tuple(layout.columns) if much else needed)
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
        return cls(layout, columns, _Mark.latest(database), worth_keeping=much)

    def keep(self, place: bytes) -> None:
        """Write the copy anew where that saves the next load something."""
        if not self._worth_keeping:
            return
        columns = [np.ascontiguousarray(self[name]) for name in self._layout.columns]
        checksums = tuple(zlib.crc32(column.data) for column in columns)
        header = _Header(len(self), self._mark, checksums).pack(self._layout)
        # A cache that cannot be written is no failure: the next load reads the catalog again.
        with contextlib.suppress(OSError):
            _replace(place, header, columns, self._layout.room)


def _changed_since(database: Database, mark: _Mark) -> list[int]:
    rows = database.rows(
        "SELECT DISTINCT content FROM content_log WHERE seq > ? AND content <= ? ORDER BY content",
        (mark.seq, mark.upto),
    )
    return [content for (content,) in rows]


def _rows_of(
    database: Database, layout: Layout, contents: list[int]
) -> Iterable[list[tuple[Any, ...]]]:
    """The rows of these contents, by id; of those that are gone, none."""
    for start in range(0, len(contents), _IDS_IN_ONE_QUERY):
        some = json.dumps(contents[start : start + _IDS_IN_ONE_QUERY])
        ids = "id IN (SELECT value FROM json_each(?))"
        yield database.rows(f"{layout.select} WHERE {ids} ORDER BY id", (some,))


def _followed_by(column: NDArray[Any], count: int, more: NDArray[Any]) -> NDArray[Any]:
    """The first ``count`` of a column and ``more``, in its own room where that is enough."""
    if count + len(more) > len(column):
        return np.concatenate((column[:count], more))
    column[count : count + len(more)] = more
    return column[: count + len(more)]


def _replace(place: bytes, header: bytes, columns: Iterable[NDArray[Any]], room: int) -> None:
    folder = os.path.dirname(place)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    _sweep(folder)
    descriptor, new = tempfile.mkstemp(prefix=_NEW, dir=folder)  # readable by nobody else
    try:
        with open(descriptor, "wb") as file:
            file.write(header)
            for column in columns:
                file.write(column.data)
                file.write(bytes(room * column.itemsize))
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
