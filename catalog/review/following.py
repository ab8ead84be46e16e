"""The catalog as it is now: single photos, and whether somebody has written to it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from catalog.errors import CatalogError
from catalog.model import DaemonStanding, Photo, Stamp
from catalog.queries.keep_both import keep_both
from catalog.queries.listing import photos_at
from catalog.review.clerk import Clerk
from catalog.store import apart, holders
from catalog.store.database import Database, open_for_reading
from catalog.store.decisions import decisions_file
from catalog.store.folders import Places
from catalog.store.place import Version, version_of
from catalog.watching.client import daemon_state

_DAEMON_EVERY: Final = 10.0  # seconds; a busy daemon takes its time to answer


@dataclass(frozen=True, slots=True)
class Standing:
    """What groups depend on: another ``version`` is reason to look again."""

    version: tuple[object, ...] = ()
    live: bool = False  # whether a daemon follows the folders


class Reader:
    """Answers in no time; in a thread of its own."""

    def __init__(self, catalog: bytes) -> None:
        self._catalog = catalog
        self._clerk = Clerk("imgcat-reader")
        self._patient = Clerk("imgcat-daemon")
        self._database: Database | None = None
        self._opened: Version | None = None
        self._decided: tuple[object, int] = ((), 0)  # a stamp of the decisions, what they say
        self._live = False
        self._asked_daemon = -_DAEMON_EVERY

    async def photos(self, numbers: Sequence[int]) -> dict[int, Photo]:
        """Those of these ids that are there. Raises CatalogError."""
        return await self._clerk.ask(self._photos, numbers)

    async def photos_at(self, paths: Collection[bytes]) -> dict[bytes, Photo]:
        """Those at these paths. Raises CatalogError."""
        return await self._clerk.ask(lambda: photos_at(self._reading(), paths))

    async def keep_both(self, paths: Sequence[bytes]) -> int:
        """These are no duplicates of each other; returns the id for undo. Raises CatalogError."""
        return (await self._clerk.ask(lambda: keep_both(self._reading(), paths)))[0]

    async def changed_on_disk(self, photos: Sequence[Photo]) -> Photo | None:
        """The first of these whose file is not what was indexed; None where all are."""
        return await self._clerk.ask(first_changed, photos)

    async def standing(self) -> Standing:
        """How the catalog stands. Raises CatalogError."""
        if time.monotonic() - self._asked_daemon >= _DAEMON_EVERY:
            self._asked_daemon = time.monotonic()
            self._patient.tell(self._ask_daemon)
        return replace(await self._clerk.ask(self._standing), live=self._live)

    def end(self) -> None:
        """Close what is open."""
        self._clerk.tell(self._close)
        self._clerk.end()
        self._patient.end()

    # -- in the threads ------------------------------------------------------------------------

    def _photos(self, numbers: Sequence[int]) -> dict[int, Photo]:
        database = self._reading()
        return holders.records(database, numbers, Places(database))

    def _standing(self) -> Standing:
        database = self._reading()
        return Standing((self._opened, database.changes(), self._said()))

    def _said(self) -> int:
        """What was said to be no duplicates, as a number; choices are in the same file."""
        stamp: object = None
        with contextlib.suppress(OSError):
            status = os.stat(decisions_file(self._catalog))
            stamp = status.st_ino, status.st_mtime_ns, status.st_size
        if self._decided[0] != stamp:
            self._decided = stamp, hash(tuple(apart.pairs_of(self._catalog)))
        return self._decided[1]

    def _reading(self) -> Database:
        """The catalog, also where another one took its place."""
        version = version_of(self._catalog)
        if self._database is None or version != self._opened:
            self._close()
            self._database = open_for_reading(self._catalog)
            self._opened = version
        return self._database

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _ask_daemon(self) -> None:
        try:
            state = daemon_state(self._catalog).state
        except CatalogError:
            state = DaemonStanding.STOPPED
        self._live = state is DaemonStanding.WATCHING


def first_changed(photos: Sequence[Photo]) -> Photo | None:
    """The first of these whose file is not what was indexed; None where all are."""
    for photo in photos:
        try:
            now = Stamp.of(os.lstat(photo.path))
        except OSError:
            return photo
        if not now.agrees_but_for_ctime(photo.stamp):
            return photo
    return None
