"""Photos that come after a copy of them had been thrown away: worth a word, and a mark."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Self

from catalog.escaping import printable
from catalog.model import Change, Happening
from catalog.store import folders, photos
from catalog.store.database import Database
from catalog.store.decisions import Decisions, decisions_there
from catalog.store.thrown import any_thrown_away, note_back, thrown_away

_COMING = frozenset({Happening.ADDED, Happening.CHANGED, Happening.BACK})
_AT_ONCE = 500  # photos, looked up together

Tell = Callable[[Change], None]


class ThrownAway:
    """Hears of each change, passes it on, and tells of those that came back."""

    def __init__(self, database: Database, decisions: Decisions, tell: Tell | None) -> None:
        self._database = database
        self._decisions = decisions
        self._tell = tell
        self._coming: list[bytes] = []
        self._found: list[tuple[bytes, bytes]] = []  # path and digest

    @classmethod
    def of(cls, database: Database, tell: Tell | None) -> Self | None:
        """None where nothing was thrown away, so that nothing can come back."""
        decisions = decisions_there(database.path)
        if decisions is None:
            return None
        if any_thrown_away(decisions):
            return cls(database, decisions, tell)
        decisions.close()
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._decisions.close()

    def hear(self, change: Change) -> None:
        """Something that is committed."""
        if self._tell is not None:
            self._tell(change)
        if change.what in _COMING and not change.folder:
            self._coming.append(change.path)
            if len(self._coming) >= _AT_ONCE:
                self._look()

    def noted(self) -> list[bytes]:
        """The photos that came back; they are written down."""
        self._look()
        if self._found:
            note_back(self._decisions, self._found)
        return [path for path, _ in self._found]

    def _look(self) -> None:
        digests = {path: self._digest(path) for path in self._coming}
        known = {digest for digest in digests.values() if digest is not None}
        thrown = thrown_away(self._decisions, known)
        for path, digest in digests.items():
            kept = None if digest is None else thrown.get(digest)
            if digest is None or kept is None or kept == path:
                continue
            self._found.append((path, digest))
            if self._tell is not None:
                detail = f"a copy was thrown away; kept: {printable(kept)}"
                self._tell(Change(Happening.CAME_BACK, path, detail=detail))
        self._coming.clear()

    def _digest(self, path: bytes) -> bytes | None:
        folder = folders.find(self._database, os.path.dirname(path))
        row = None if folder is None else photos.get(self._database, folder, os.path.basename(path))
        return None if row is None else row.digest
