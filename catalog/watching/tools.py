"""What the daemon works with: the open catalog and the processes that read, while there is work.

Idle, it holds neither: others find a catalog that is one closed file, and memory is given back.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from catalog.errors import CatalogError
from catalog.indexing.reading import standing_pool
from catalog.progress import SILENT
from catalog.store.database import Database, open_existing_for_writing

if TYPE_CHECKING:
    from catalog.workers.pool import Pool

_CLOSE_AFTER: Final = 5.0  # seconds without work until the catalog is closed
_END_POOL_AFTER: Final = 60.0  # ... and the processes that read are ended


class Tools:
    """Opened when they are first asked for, closed some time after they were last used."""

    def __init__(
        self,
        catalog: bytes,
        processes: int,
        say: Callable[[str], None],
        *,
        clock: Callable[[], float],
        turning: Callable[[], None],
    ) -> None:
        """``turning`` is to be called often: it tells others that all goes on."""
        self.path = catalog
        self._processes = processes
        self.clock = clock
        self.turning = turning
        self._say = say
        self._database: Database | None = None
        self._pool: Pool | None = None
        self._used_at = clock()
        self._seen: object = self._stamps()

    def database(self) -> Database:
        """The catalog, to write it. Raises what opening it raises."""
        self._used_at = self.clock()
        if self._database is None:
            self._database = open_existing_for_writing(self.path, SILENT)
            for note in self._database.notes:
                self._say(note)
        return self._database

    def pool(self) -> Pool:
        """The processes that read; they start with the first file, or with ``warm_up``."""
        self._used_at = self.clock()
        if self._pool is None:
            self._pool = standing_pool(self._processes)
        return self._pool

    def warm_up(self) -> None:
        """Start the processes that read: photos are coming."""
        pool = self.pool()
        if not pool.started:
            pool.start()

    def others_wrote(self) -> bool:
        """Whether the file of the catalog is another one than at the last call."""
        before, self._seen = self._seen, self._stamps()
        return before != self._seen

    def look_again(self) -> None:
        """What ``others_wrote`` told of could not be read: it tells of it once more."""
        self._seen = None

    def close_catalog(self) -> None:
        """Close it; the next ``database`` opens what is there then."""
        database, self._database = self._database, None
        if database is not None:
            nobody_wrote = self._seen == self._stamps()
            with contextlib.suppress(CatalogError):
                database.close()
            # Closing alters the file, and that is no reason to open it again.
            self._seen = self._stamps() if nobody_wrote else None

    def rest(self) -> None:
        """Close what was not used for long enough."""
        idle = self.clock() - self._used_at
        if self._database is not None and idle > _CLOSE_AFTER:
            self.close_catalog()
            _give_memory_back()
        if self._pool is not None and idle > _END_POOL_AFTER:
            self._end_pool()
            _give_memory_back()

    def close(self) -> None:
        """Close everything."""
        self._end_pool()
        self.close_catalog()

    def _end_pool(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.end()

    def _stamps(self) -> list[tuple[int, ...] | None]:
        return [_stamp(self.path + suffix) for suffix in (b"", b"-wal")]


def _stamp(path: bytes) -> tuple[int, ...] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _give_memory_back() -> None:
    """What a large look took is not needed while nothing happens."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            trim: Any = ctypes.CDLL(None).malloc_trim
            trim(0)
