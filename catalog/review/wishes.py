"""The tray on the disk: what was chosen outlives the server, and a power cut."""

from __future__ import annotations

from catalog.model import Choice
from catalog.review.clerk import Clerk
from catalog.review.tray import Change
from catalog.store import choices
from catalog.store.decisions import decisions_there, open_decisions


class Wishes:
    """Read once, and written with each choice; in a thread of its own."""

    def __init__(self, catalog: bytes) -> None:
        self._catalog = catalog
        self._clerk = Clerk("imgcat-wishes")

    async def read(self) -> list[Choice]:
        """All that was chosen and not carried out. Raises CatalogError."""
        return await self._clerk.ask(self._read)

    async def write(self, change: Change) -> None:
        """Durable when this returns. Raises CatalogError."""
        await self._clerk.ask(self._write, change)

    def end(self) -> None:
        """Once what was asked for is written down."""
        self._clerk.end(patience=5.0)

    def _read(self) -> list[Choice]:
        decisions = decisions_there(self._catalog)
        if decisions is None:
            return []
        with decisions:
            return choices.all_of(decisions)

    def _write(self, change: Change) -> None:
        # Opened each time: somebody may have put back another file from a backup.
        with open_decisions(self._catalog) as decisions:
            choices.replace(decisions, change.gone, change.new)
