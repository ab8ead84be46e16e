"""The tray on the disk: what was chosen outlives the server, and a power cut."""

from __future__ import annotations

import contextlib

from catalog.model import Choice
from catalog.review.clerk import Clerk
from catalog.review.tray import Change
from catalog.store import choices
from catalog.store.decisions import Decisions, decisions_there, open_decisions


class Wishes:
    """Read once, and written with each choice; in a thread of its own."""

    def __init__(self, catalog: bytes) -> None:
        self._catalog = catalog
        self._clerk = Clerk("imgcat-wishes")
        self._decisions: Decisions | None = None

    async def read(self) -> list[Choice]:
        """All that was chosen and not carried out. Raises CatalogError."""
        return await self._clerk.ask(self._read)

    async def write(self, change: Change) -> None:
        """Durable when this returns. Raises CatalogError."""
        await self._clerk.ask(self._write, change)

    def end(self) -> None:
        """Close the file."""
        self._clerk.tell(self._close)
        self._clerk.end(patience=5.0)

    def _read(self) -> list[Choice]:
        decisions = decisions_there(self._catalog)
        if decisions is None:
            return []
        with decisions:
            return choices.all_of(decisions)

    def _write(self, change: Change) -> None:
        if self._decisions is None:
            self._decisions = open_decisions(self._catalog)
        choices.replace(self._decisions, change.gone, change.new)

    def _close(self) -> None:
        with contextlib.suppress(Exception):
            if self._decisions is not None:
                self._decisions.close()
