"""What people decided, and what was done for them: a database of its own beside the catalog.

The catalog can be built anew from the photos; this cannot. So it is ``<stem>.decisions.db``, not
touched when a damaged catalog is set aside, and what it acknowledged outlives a power cut: a
rollback journal that is truncated, synchronous=FULL. (Without WAL the corruption that
``database`` guards against cannot happen, and SQLite's own locks are enough.)

The journal holds a row for every file of an action, durable before the file is touched; its
``state`` says how far it came. ``apart``, ``thrown`` and ``choices`` have what else is in here.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from catalog.errors import (
    Busy,
    CatalogError,
    CatalogForeign,
    CatalogNewer,
    CatalogReadOnly,
    CatalogUnusable,
    DiskFull,
)
from catalog.escaping import printable
from catalog.model import Action, Deed, Kind, Removal, State
from catalog.store import opening
from catalog.store.locks import Locks

_APPLICATION_ID: Final = 0x696D6764  # "imgd"
_VERSION: Final = 1
_BUSY_TIMEOUT: Final = 10.0  # seconds

_SCHEMA: Final = """
CREATE TABLE action (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    deed    TEXT NOT NULL,
    begun   INTEGER NOT NULL,  -- ns
    folder  BLOB               -- that copies were moved to
) STRICT;

-- A file of an action. Its row is durable before the file is touched.
CREATE TABLE removal (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    action     INTEGER NOT NULL REFERENCES action (id),
    path       BLOB NOT NULL,     -- at home
    place      BLOB NOT NULL,     -- where it is put
    keeper     BLOB NOT NULL,     -- the equal file, or the kept photo
    kind       TEXT NOT NULL,     -- what it was to that: identical, same, similar
    unit       INTEGER NOT NULL,  -- files of one number go together
    companion  INTEGER NOT NULL,  -- 1: it went with a photo
    digest     BLOB NOT NULL,     -- BLAKE3 of all bytes
    size       INTEGER NOT NULL,
    mtime_ns   INTEGER NOT NULL,
    mode       INTEGER NOT NULL,
    owner      INTEGER NOT NULL,
    "group"    INTEGER NOT NULL,
    inode      INTEGER NOT NULL,
    state      TEXT NOT NULL
) STRICT;
CREATE INDEX removal_action ON removal (action, state);
CREATE INDEX removal_digest ON removal (digest);
CREATE INDEX removal_unfinished ON removal (state) WHERE state IN ('intended', 'aside');

-- A photo that came after a copy of it had been thrown away.
CREATE TABLE back (
    digest  BLOB NOT NULL,
    path    BLOB NOT NULL,
    PRIMARY KEY (digest, path)
) STRICT, WITHOUT ROWID;

-- Two contents that are no duplicates of each other, by digest, the lower one first.
CREATE TABLE apart (
    first   BLOB NOT NULL,
    second  BLOB NOT NULL,
    copies  INTEGER NOT NULL,  -- where both are one: so many files of it are wanted
    action  INTEGER NOT NULL REFERENCES action (id),
    PRIMARY KEY (first, second, action)
) STRICT, WITHOUT ROWID;
CREATE INDEX apart_action ON apart (action);
"""

_FIELDS: Final = (
    "path, place, keeper, kind, unit, companion, digest, size, mtime_ns, mode, owner, "
    '"group", inode, state'
)
_UNFINISHED: Final = f"('{State.INTENDED}', '{State.ASIDE}')"


def decisions_file(catalog: bytes) -> bytes:
    """Where the decisions about a catalog are."""
    return os.path.splitext(os.path.realpath(catalog))[0] + b".decisions.db"


class Decisions:
    """The open database; close it, or use it in ``with``. For the thread that opened it."""

    def __init__(self, catalog: bytes, connection: sqlite3.Connection) -> None:
        self.path = decisions_file(catalog)
        self.locks = Locks(catalog)
        self._connection = connection

    def __enter__(self) -> Decisions:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # -- the journal ---------------------------------------------------------------------------

    def begin(self, deed: Deed, folder: bytes | None = None) -> int:
        """A new action; returns its id."""
        with self.writing() as connection:
            return self.begin_in(connection, deed, folder)

    def intend(self, action: int, removals: Sequence[Removal]) -> list[int]:
        """Write down what is about to be done; durable when this returns. Gives the row ids."""
        marks = ", ".join("?" * 15)
        sql = f"INSERT INTO removal (action, {_FIELDS}) VALUES ({marks}) RETURNING id"
        with self.writing() as connection:
            return [
                connection.execute(sql, (action, *_as_row(removal))).fetchone()[0]
                for removal in removals
            ]

    def put_elsewhere(self, removal: int, place: bytes) -> None:
        """The place that was intended had been taken; durable when this returns."""
        with self.writing() as connection:
            connection.execute("UPDATE removal SET place = ? WHERE id = ?", (place, removal))

    def settle(self, removals: Collection[int], state: State) -> None:
        """These are in ``state`` now; durable when this returns."""
        if removals:
            with self.writing() as connection:
                connection.executemany(
                    "UPDATE removal SET state = ? WHERE id = ?",
                    [(state, removal) for removal in removals],
                )

    def unfinished(self, action: int | None = None) -> list[tuple[Deed, Removal]]:
        """What was intended and never settled (of this action), with its deed, oldest first."""
        which = "" if action is None else " AND action = ?"
        rows = self.rows(
            f"SELECT deed, removal.id, {_FIELDS} FROM removal JOIN action ON action.id = action "
            f"WHERE state IN {_UNFINISHED}{which} ORDER BY removal.id",
            () if action is None else (action,),
        )
        return [(Deed(deed), _as_removal(number, row)) for deed, number, *row in rows]

    def removals(self, action: int, state: State) -> list[Removal]:
        """The files of an action in this state, oldest first."""
        rows = self.rows(
            f"SELECT id, {_FIELDS} FROM removal WHERE action = ? AND state = ? ORDER BY id",
            (action, state),
        )
        return [_as_removal(number, row) for number, *row in rows]

    def done(self, action: int) -> tuple[int, int]:
        """How many photos an action has done, and files that went with them."""
        rows = self.rows(
            "SELECT sum(NOT companion), sum(companion) FROM removal "
            f"WHERE action = ? AND state = '{State.DONE}'",
            (action,),
        )
        return rows[0][0] or 0, rows[0][1] or 0

    def history(self, action: int | None = None) -> list[Action]:
        """All that did something (or this one, if known), newest first, with what is left of it."""
        which = "" if action is None else "WHERE id = ?"
        actions = self.rows(
            f"SELECT id, deed, begun, folder FROM action {which} ORDER BY id DESC",
            () if action is None else (action,),
        )
        found = (
            Action(number, Deed(deed), begun, *self._sums(number, Deed(deed)), folder)
            for number, deed, begun, folder in actions
        )
        # One that came to nothing is no history; a "kept both" that was undone has no rows left.
        return [each for each in found if each.files or each.deed is Deed.KEEP_BOTH]

    def _sums(self, action: int, deed: Deed) -> tuple[int, int, dict[State, int]]:
        """Files, bytes, and files in each state."""
        if deed is Deed.KEEP_BOTH:
            # Of equal bytes, each of the files that are wanted is one.
            ((contents, more),) = self.rows(
                "SELECT (SELECT count(*) FROM (SELECT first FROM apart WHERE action = ?1 "
                "UNION SELECT second FROM apart WHERE action = ?1)), "
                "(SELECT total(copies - 1) FROM apart WHERE action = ?1 AND first = second)",
                (action,),
            )
            pictures = contents + int(more)
            return pictures, 0, {State.DONE: pictures} if pictures else {}
        rows = self.rows(
            "SELECT state, count(*), sum(size) FROM removal WHERE action = ? GROUP BY state",
            (action,),
        )
        states = {State(state): count for state, count, _ in rows}
        counting = {state: size for state, _, size in rows if state != State.RETURNED}
        files = sum(count for state, count in states.items() if state is not State.RETURNED)
        return files, sum(counting.values()), states

    # -- for those beside it -------------------------------------------------------------------

    def begin_in(
        self, connection: sqlite3.Connection, deed: Deed, folder: bytes | None = None
    ) -> int:
        """As ``begin``, in a transaction that does more."""
        sql = "INSERT INTO action (deed, begun, folder) VALUES (?, ?, ?) RETURNING id"
        number: int = connection.execute(sql, (deed, time.time_ns(), folder)).fetchone()[0]
        return number

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with _translated(self.path):
            return self._connection.execute(sql, parameters).fetchall()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it, or none; durable when the block has ended."""
        with _translated(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def open_decisions(catalog: bytes) -> Decisions:
    """The decisions about the catalog at this path, made where there are none.

    Raises CatalogForeign, CatalogNewer, CatalogReadOnly, CatalogUnusable where it is damaged.
    """
    path = decisions_file(catalog)
    with _translated(path):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        if not os.path.lexists(path):
            _make(path)
    return _opened(catalog, path, writable=True)


def decisions_there(catalog: bytes) -> Decisions | None:
    """The decisions about the catalog at this path, to be read; None where nobody made one."""
    path = decisions_file(catalog)
    if not os.path.lexists(path):
        return None
    return _opened(catalog, path, writable=os.access(os.path.dirname(path), os.W_OK))


def anything_unfinished(catalog: bytes) -> bool:
    """Whether an action on the catalog at this path goes on, or was cut off."""
    decisions = decisions_there(catalog)
    if decisions is None:
        return False
    with decisions:
        return bool(decisions.unfinished())


def _make(path: bytes) -> None:
    """An empty database; whole, or not there. Two that make it at once agree on one."""
    new = path + b".new-" + secrets.token_hex(4).encode()
    try:
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with contextlib.closing(sqlite3.connect(os.fsdecode(new), isolation_level=None)) as made:
            made.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
            made.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            made.execute(f"PRAGMA user_version = {_VERSION}")
        _put_in_place(new, path)
        folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)


def _put_in_place(new: bytes, path: bytes) -> None:
    try:
        os.link(new, path)
    except FileExistsError:
        pass  # another process was quicker
    except OSError:  # no links on this file system
        if not os.path.lexists(path):
            os.rename(new, path)


def _opened(catalog: bytes, path: bytes, *, writable: bool) -> Decisions:
    _inspect(path)
    mode = "mode=rw" if writable else "mode=ro&immutable=1"
    with _translated(path):
        connection = sqlite3.connect(
            opening.uri(path, mode), uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT
        )
        try:
            if writable:
                connection.execute("PRAGMA journal_mode = TRUNCATE")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("SELECT 1 FROM action LIMIT 1")
        except BaseException:
            connection.close()
            raise
    return Decisions(catalog, connection)


def _inspect(path: bytes) -> None:
    """Raise where something else is at this path than decisions that this version can use."""
    name = printable(path)
    with _translated(path):
        header = opening.read_header(path)
    if header is None:
        raise CatalogUnusable(_damage(path, "its header is gone"))
    if header.application_id != _APPLICATION_ID:
        raise CatalogForeign(f"{name} is a database of another program; it was left untouched")
    if header.user_version > _VERSION:
        raise CatalogNewer(f"{name} was made by a later imgcat: use that one")


def _damage(path: bytes, what: str) -> str:
    name = printable(path)
    return (
        f"{name} is damaged ({what}): it holds what was decided and done, and nothing else does. "
        "Put it back from a backup, or move it away to go on without undo for what was done before"
    )


@contextlib.contextmanager
def _translated(path: bytes) -> Iterator[None]:
    """Turn the errors of SQLite and of the system into ours."""
    name = printable(path)
    try:
        yield
    except sqlite3.Error as error:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
            raise CatalogUnusable(_damage(path, str(error))) from error
        if code == sqlite3.SQLITE_FULL:
            raise DiskFull(f"no room left on the disk of {name}; free some space") from error
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
            raise CatalogReadOnly(f"{name} cannot be written: check the permissions") from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise Busy(f"{name} is locked by another program; try again") from error
        raise CatalogError(f"{name} cannot be used: {error}") from error
    except OSError as error:
        raise CatalogError(f"{name} cannot be used: {error.strerror}") from error


def _as_row(removal: Removal) -> tuple[object, ...]:
    return (
        removal.path,
        removal.place,
        removal.keeper,
        removal.kind,
        removal.unit,
        int(removal.companion),
        removal.digest,
        removal.size,
        removal.mtime_ns,
        removal.mode,
        removal.owner,
        removal.group,
        removal.inode,
        removal.state,
    )


def _as_removal(number: int, row: Sequence[Any]) -> Removal:
    path, place, keeper, kind, unit, companion, digest, size, mtime_ns, *rest = row
    mode, owner, group, inode, state = rest
    return Removal(
        path=path,
        place=place,
        keeper=keeper,
        kind=Kind(kind),
        unit=unit,
        companion=bool(companion),
        digest=digest,
        size=size,
        mtime_ns=mtime_ns,
        mode=mode,
        owner=owner,
        group=group,
        inode=inode,
        state=State(state),
        id=number,
    )
