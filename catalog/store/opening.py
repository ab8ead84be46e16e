"""The door to the catalog file: is it there, ours, of our time, and sound?

The header is read as plain bytes before SQLite sees the file, because merely opening
someone else's database can write beside it.
"""

from __future__ import annotations

import contextlib
import glob
import os
import sqlite3
import stat
import struct
import time
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from urllib.parse import quote

from catalog.errors import (
    CatalogAbsent,
    CatalogDamaged,
    CatalogError,
    CatalogForeign,
    CatalogNewer,
)
from catalog.escaping import printable
from catalog.store import heads
from catalog.store.locks import Locks
from catalog.store.schema import APPLICATION_ID, PAGE_SIZE, SCHEMA, VERSION

_MAGIC: Final = b"SQLite format 3\0"
_HEADER_BYTES: Final = 100
_COMPANIONS: Final = (b"", b"-wal", b"-shm")  # what makes up one SQLite database in WAL mode


class Standing(Enum):
    """What stands at the path of a catalog."""

    ABSENT = auto()
    OURS = auto()
    OLDER = auto()


@dataclass(frozen=True, slots=True)
class Header:
    """The two fields of a SQLite header that say whose file it is."""

    application_id: int
    user_version: int


def read_header(path: bytes) -> Header | None:
    """The header of a SQLite file; None where the bytes are not one's. Opens nothing in SQLite."""
    head = heads.read(path, _HEADER_BYTES)
    if len(head) < _HEADER_BYTES or not head.startswith(_MAGIC):
        return None
    user_version, application_id = struct.unpack_from(">i4xi", head, 60)
    return Header(application_id=application_id, user_version=user_version)


def inspect(path: bytes, locks: Locks) -> Standing:
    """What stands at ``path``.

    Raises CatalogForeign, CatalogNewer or CatalogDamaged where it must not be used.
    """
    name = printable(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise CatalogForeign(f"{name} is not a file, so it cannot be a catalog")
        header = read_header(path)
    except FileNotFoundError:
        return Standing.ABSENT
    except OSError as error:
        raise CatalogError(f"cannot read the catalog {name}: {error.strerror}") from error
    once_ours = os.path.exists(locks.initialised)
    if header is None or (header.application_id == 0 and once_ours):
        if once_ours:
            raise CatalogDamaged(damage(path, "its header is gone"))
        if header is None and os.path.getsize(path) == 0:
            return Standing.ABSENT  # an empty file somebody made room with
        raise CatalogForeign(f"{name} is not an imgcat catalog; it was left untouched")
    return check_header(path, header)


def check_header(path: bytes, header: Header) -> Standing:
    """Whether these two numbers are a catalog's that this version can use."""
    if header.application_id != APPLICATION_ID:
        raise CatalogForeign(
            f"{printable(path)} is a database of another program; it was left untouched"
        )
    if header.user_version > VERSION:
        raise CatalogNewer(
            f"{printable(path)} has version {header.user_version}, made by a later imgcat; "
            f"this one knows versions up to {VERSION}: use the later one, or another --catalog"
        )
    return Standing.OURS if header.user_version == VERSION else Standing.OLDER


def damage(path: bytes, what: str) -> str:
    """The message for a broken catalog."""
    return (
        f"the catalog {printable(path)} is damaged ({what}); your photos are not affected: "
        "run 'imgcat index' to set it aside and build it anew"
    )


def absent(path: bytes) -> CatalogAbsent:
    """The error for a query without a catalog."""
    return CatalogAbsent(
        f"there is no catalog at {printable(path)} yet: run 'imgcat index FOLDER' first"
    )


def create(path: bytes, locks: Locks) -> None:
    """Make an empty catalog at ``path``, all or nothing. The caller holds the write lock."""
    if os.path.exists(path) and os.path.getsize(path) > 0:
        return  # somebody else was quicker
    for leftover in glob.glob(glob.escape(path) + b".new-*"):
        os.unlink(leftover)
    if any(os.path.exists(path + companion) for companion in _COMPANIONS[1:]):
        # A log without its database would be replayed into the new one.
        set_aside(path)
    new = path + b".new-%d" % os.getpid()
    try:
        _make(new)
    except BaseException:
        for companion in _COMPANIONS:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new + companion)
        raise
    os.rename(new, path)
    _sync_folder(os.path.dirname(path))
    with open(locks.initialised, "wb"):
        pass


def _make(new: bytes) -> None:
    """An empty catalog at ``new`` that is whole in its one file."""
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with contextlib.closing(sqlite3.connect(os.fsdecode(new), isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"BEGIN; {SCHEMA} COMMIT;")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        # Closing empties the log too, and says nothing where a full or failing disk prevents it.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if os.path.getsize(new + b"-wal") > 0:
            raise sqlite3.OperationalError("the log of a new catalog could not be emptied")


def set_aside(path: bytes) -> bytes:
    """Rename the database and its log out of the way; returns the new name of the former.

    The caller holds the write lock. Nothing is deleted.
    """
    suffix = time.strftime(".corrupt-%Y%m%d-%H%M%S").encode()
    aside = path + suffix
    number = 1
    while os.path.lexists(aside):
        number += 1
        aside = path + suffix + b"-%d" % number
    for companion in _COMPANIONS:
        with contextlib.suppress(FileNotFoundError):
            os.rename(path + companion, aside + companion)
    return aside


@dataclass(frozen=True, slots=True)
class Salvage:
    """What can still be read out of a damaged catalog: its roots, with their filters as JSON."""

    roots: tuple[tuple[bytes, str], ...] = ()
    recipe: str | None = None


def salvage(aside: bytes) -> Salvage:
    """What a damaged catalog followed, and how, as far as it can still be read."""
    try:
        with contextlib.closing(
            sqlite3.connect(uri(aside, "mode=ro&immutable=1"), uri=True)
        ) as connection:
            rows = connection.execute(
                "SELECT folder.name, filters FROM root JOIN folder ON folder.id = root.folder"
            ).fetchall()
            recipe = connection.execute(
                "SELECT value FROM setting WHERE name = 'recipe'"
            ).fetchone()
    except (sqlite3.Error, UnicodeDecodeError):  # the latter where a message quotes a broken schema
        return Salvage()
    roots = tuple(
        (name or b"/", filters)
        for name, filters in rows
        if isinstance(name, bytes) and isinstance(filters, str)
    )
    return Salvage(roots, recipe[0] if recipe else None)


def uri(path: bytes, query: str) -> str:
    """``path`` as SQLite's URI; quoting keeps '?', '#' and '%' of names what they are."""
    return f"file:{quote(path)}?{query}"


def _sync_folder(folder: bytes) -> None:
    descriptor = os.open(folder or b".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
