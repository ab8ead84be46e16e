"""Connections, transactions, and what SQLite's errors mean.

SQLite 3.7.0 to 3.51.2 may corrupt a WAL when two connections write or checkpoint at once
(https://sqlite.org/wal.html#walresetbug). Everything that writes, and the opening and
closing of connections that can, therefore happens under the catalog's write lock.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Final

from catalog.errors import (
    Busy,
    CatalogDamaged,
    CatalogError,
    CatalogReadOnly,
    DiskFull,
)
from catalog.escaping import printable
from catalog.progress import SILENT, Phase, Progress
from catalog.store import heads, migrations, opening
from catalog.store.locks import Locks
from catalog.store.opening import Standing

_BUSY_TIMEOUT_MS: Final = 10_000
_CACHE_KIB: Final = 65_536  # digests arrive in random order: their index should stay in memory
_LOW_ON_SPACE: Final = 1 << 20  # bytes; below this an I/O error is a full disk

_PATIENCE_AT_THE_END: Final = 5.0  # seconds for the write lock, to tidy up

Row = tuple[Any, ...]


@contextlib.contextmanager
def translated(path: bytes) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.Error as error:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        name = printable(path)
        if _is_damage(code, str(error)):
            raise CatalogDamaged(opening.damage(path, str(error))) from error
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
            raise DiskFull(
                f"no room left on the disk of the catalog {name}; what was committed is kept: "
                "free some space and run the same command again"
            ) from error
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            raise CatalogReadOnly(
                f"the catalog {name} cannot be written: check its permissions, "
                "or name another with --catalog"
            ) from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise Busy(f"the catalog {name} is locked by another program; try again") from error
        raise CatalogError(f"the catalog {name} cannot be used: {error}") from error
    except UnicodeDecodeError as error:  # a message of SQLite's that quotes a broken schema
        raise CatalogDamaged(opening.damage(path, "its schema is unreadable")) from error
    except OSError as error:
        raise _from_system(path, error) from error


def _is_damage(code: int, message: str) -> bool:
    """CORRUPT and NOTADB, never a lock or the disk.

    Also what cannot happen to our own statements on our own schema: a table or column that is
    not there, and text that is not UTF-8.
    """
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return True
    return code in (0, sqlite3.SQLITE_ERROR) and message.startswith(
        ("no such table", "no such column", "malformed", "Could not decode to UTF-8")
    )


def _from_system(path: bytes, error: OSError) -> CatalogError:
    name = printable(path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"no room left on the disk of the catalog {name}; free some space")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return CatalogReadOnly(
            f"the catalog {name} cannot be written ({error.strerror}): check the permissions, "
            "or name another with --catalog"
        )
    return CatalogError(f"the catalog {name} cannot be used: {error.strerror}")


def _is_full(path: bytes) -> bool:
    try:
        space = os.statvfs(os.path.dirname(path) or b".")
    except OSError:
        return False
    return space.f_bavail * space.f_frsize < _LOW_ON_SPACE


class Database:
    """An open catalog: rows out, and rows in under the write lock.

    Use ``open_for_writing`` or ``open_for_reading``; close it, or use it in ``with``.
    """

    def __init__(self, path: bytes, connection: sqlite3.Connection, locks: Locks) -> None:
        self.path = path
        self.locks = locks
        self.notes: list[str] = []  # what opening it had to do, for a person
        self._connection = connection
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """All rows of a query."""
        with translated(self.path):
            return self._connection.execute(sql, parameters).fetchall()

    def stream(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        """The rows of a query, one by one."""
        with translated(self.path):
            yield from self._connection.execute(sql, parameters)

    def value(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The first column of the first row; None where there is no row."""
        rows = self.rows(sql, parameters)
        return rows[0][0] if rows else None

    def changes(self) -> int:
        """A number that is another one once somebody else has written to the catalog."""
        return int(self.value("PRAGMA data_version"))

    @contextlib.contextmanager
    def writing(self, progress: Progress = SILENT) -> Iterator[Writer]:
        """One transaction under the write lock: all of it, or none.

        No file is read inside: others wait. Raises Busy after 30 seconds without the lock.
        """
        with translated(self.path), self.locks.write().hold(waiting=progress.note):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Writer(self._connection, self.path)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read inside is of one moment, whatever others commit meanwhile."""
        if self._connection.in_transaction:
            yield
            return
        with translated(self.path):
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def fault(self) -> str | None:
        """What SQLite's integrity check finds first; None where the file is sound."""
        try:
            with translated(self.path):
                (verdict,) = self._connection.execute("PRAGMA integrity_check(1)").fetchone()
        except CatalogDamaged as error:
            return str(error.__cause__)
        return None if verdict == "ok" else str(verdict).splitlines()[-1]

    def size(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        total = 0
        for companion in (b"", b"-wal"):
            with contextlib.suppress(OSError):
                total += os.stat(self.path + companion).st_size
        return total

    def close(self) -> None:
        """Close the file; a writer empties the log first, so that one file holds it all."""
        self._undo.close()

    def _closing(self, action: Callable[[], None]) -> None:
        self._undo.callback(action)


class Writer:
    """What may be done inside ``Database.writing``."""

    def __init__(self, connection: sqlite3.Connection, path: bytes) -> None:
        self.path = path
        self._connection = connection

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """All rows of a query, seen from inside the transaction."""
        return self._connection.execute(sql, parameters).fetchall()

    def value(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The first column of the first row; None where there is no row."""
        row = self._connection.execute(sql, parameters).fetchone()
        return row[0] if row else None

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one statement; returns how many rows it changed."""
        return self._connection.execute(sql, parameters).rowcount

    def run_many(self, sql: str, parameters: Iterable[Sequence[object]]) -> int:
        """Run one statement for each set of parameters."""
        return self._connection.executemany(sql, parameters).rowcount


def open_for_writing(path: bytes, progress: Progress = SILENT) -> Database:
    """Open the catalog at ``path`` to read and write it; made where there is none.

    An older schema is migrated, with a backup first; after an unclean stop the file is
    checked. Raises CatalogForeign, CatalogNewer, CatalogDamaged, CatalogReadOnly, Busy.
    """
    path = os.path.realpath(path)
    locks = Locks(path)
    _prepare_folders(path, locks)
    session = locks.session()
    with translated(path):
        first = session.try_acquire()
        if not first:
            session.acquire(shared=True, waiting=progress.note)
    try:
        with translated(path), locks.write().hold(waiting=progress.note):
            database = _open_under_lock(path, locks, check=first, progress=progress)
        session.downgrade()
    except BaseException:
        session.release()
        raise
    database._closing(session.release)
    database._closing(lambda: _close_writer(database))
    return database


def open_existing_for_writing(path: bytes, progress: Progress = SILENT) -> Database:
    """As ``open_for_writing``, but raises CatalogAbsent where there is no catalog yet."""
    path = os.path.realpath(path)
    if opening.inspect(path, Locks(path)) is Standing.ABSENT:
        raise opening.absent(path)
    return open_for_writing(path, progress)


def _prepare_folders(path: bytes, locks: Locks) -> None:
    with translated(path):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        present = opening.inspect(path, locks) is not Standing.ABSENT
        if present and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        locks.prepare()


def _open_under_lock(path: bytes, locks: Locks, *, check: bool, progress: Progress) -> Database:
    unclean = check and _log_is_left(path)
    if opening.inspect(path, locks) is Standing.ABSENT:
        opening.create(path, locks)
    done = heads.in_use(path)
    try:
        database = _connect_under_lock(path, locks, unclean=unclean, progress=progress)
    except BaseException:
        done()
        raise
    database._closing(done)
    return database


def _connect_under_lock(
    path: bytes, locks: Locks, *, unclean: bool, progress: Progress
) -> Database:
    if _log_is_left(path):
        # Of a later imgcat's, perhaps: closing a connection that can write would empty the log.
        with contextlib.closing(_connect(opening.uri(path, "mode=ro"))) as connection:
            _check_version(connection, path)
    connection = _connect(opening.uri(path, "mode=rw"))
    try:
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA synchronous = NORMAL")
        # Statement journals are small, and a full /var/tmp is none of the catalog's business.
        connection.execute("PRAGMA temp_store = MEMORY")
        _check_version(connection, path)
        if unclean:
            progress.start(Phase.CHECKING)
            _check_pages(connection, path)
        database = Database(path, connection, locks)
        backup = migrations.migrate(connection, path)
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    if backup is not None:
        database.notes.append(
            f"the catalog was brought up to date; a backup is {printable(backup)}"
        )
    return database


def _connect(address: str) -> sqlite3.Connection:
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT_MS / 1000)


def _log_is_left(path: bytes) -> bool:
    try:
        return os.stat(path + b"-wal").st_size > 0
    except OSError:
        return False


def _check_version(connection: sqlite3.Connection, path: bytes) -> None:
    # The header may still be in the log, where plain reading does not see it.
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (user_version,) = connection.execute("PRAGMA user_version").fetchone()
    opening.check_header(path, opening.Header(application_id, user_version))


def _check_pages(connection: sqlite3.Connection, path: bytes) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise CatalogDamaged(opening.damage(path, str(verdict).splitlines()[-1]))


def _close_writer(database: Database) -> None:
    connection = database._connection
    try:
        # What was committed is safe in the log: a lock that cannot be had is no failure now.
        with (
            contextlib.suppress(sqlite3.Error, OSError, Busy),
            database.locks.write().hold(patience=_PATIENCE_AT_THE_END),
        ):
            # Whoever still reads has the log in use: then it stays, and nobody waits for them.
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
    finally:
        connection.close()


def open_for_reading(path: bytes) -> Database:
    """Open the catalog at ``path`` to read it only; nothing is written, not even on opening.

    On a medium that cannot be written, a copy is read where a log has to be replayed.
    Raises CatalogAbsent, CatalogForeign, CatalogNewer, CatalogDamaged.
    """
    path = os.path.realpath(path)
    locks = Locks(path)
    standing = opening.inspect(path, locks)
    if standing is Standing.ABSENT:
        raise opening.absent(path)
    # Only a writer may migrate, and every query reads the present schema.
    notes = _brought_up_to_date(path) if standing is Standing.OLDER else []
    with translated(path), contextlib.ExitStack() as undo:
        address = _address(path, undo)
        undo.callback(heads.in_use(path))
        connection = _connect(address)
        undo.callback(connection.close)
        connection.execute("PRAGMA query_only = ON")
        _check_version(connection, path)
        database = Database(path, connection, locks)
        database.notes += notes
        database._closing(undo.pop_all().close)
    return database


def _brought_up_to_date(path: bytes) -> list[str]:
    """Migrate; returns what a person should know of it."""
    try:
        with open_for_writing(path) as database:
            return database.notes
    except CatalogReadOnly as error:
        raise CatalogReadOnly(
            f"the catalog {printable(path)} was made by an earlier imgcat and must be brought "
            "up to date once, but it cannot be written: copy it to where it can, and name the copy "
            "with --catalog"
        ) from error


def _address(path: bytes, undo: contextlib.ExitStack) -> str:
    if os.access(os.path.dirname(path), os.W_OK):
        return opening.uri(path, "mode=ro")
    if not _log_is_left(path):
        return opening.uri(path, "mode=ro&immutable=1")
    folder = undo.enter_context(tempfile.TemporaryDirectory(prefix="imgcat-"))
    copy = os.path.join(os.fsencode(folder), b"catalog.db")
    for companion in (b"", b"-wal"):
        shutil.copyfile(path + companion, copy + companion)
    return opening.uri(copy, "mode=ro")


def which_file(path: bytes) -> int | None:
    """A number that tells the file at ``path`` from another put in its place; None without one."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def rebuild(path: bytes, damaged: int | None) -> tuple[bytes, opening.Salvage] | None:
    """Set a damaged catalog aside, so that the next opening makes a new one.

    Returns where it was put, and what it followed as far as that can be read; None
    where ``which_file`` is not ``damaged`` any more, as another process did it already.
    """
    path = os.path.realpath(path)
    locks = Locks(path)
    locks.prepare()
    with translated(path), locks.write().hold():
        if which_file(path) != damaged:
            return None
        aside = opening.set_aside(path)
    return aside, opening.salvage(aside)
