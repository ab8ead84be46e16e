"""The groups that were found, found anew whenever the catalog is another.

An answer is on a shelf of its own, so that one can be read while the next one is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import Any, Final

from catalog.errors import CatalogError
from catalog.escaping import harmless
from catalog.model import Duplicates, Group, Kind
from catalog.queries.criteria import LOOKS_ALIKE, criteria_of
from catalog.rendering import human
from catalog.review.asked import Review
from catalog.review.asking import parted
from catalog.review.clerk import Ended, Watched
from catalog.review.following import Reader, Standing
from catalog.review.shelf import Shelf

_SOON: Final = 0.7  # seconds after which identical photos are shown, while the rest is found
_EXACTLY: Final = criteria_of(exact=True)


class Answers:
    """Those of one review. ``open`` it in the loop that asks it, and ``close`` it there.

    ``letter`` is that of the answer that is asked for by default; ``number`` is another one once
    its groups are others.
    """

    def __init__(self, review: Review, reader: Reader) -> None:
        self._review = review
        self._reader = reader
        self._alike = review.criteria.grade is Kind.SIMILAR  # the one answer holds all kinds
        self.letter = "l" if self._alike else "s"
        self.shelves: dict[str, Shelf] = {}
        self.number = 0
        self.trouble = ""
        self._making: dict[str, Watched] = {}
        self._standing = Standing()
        self._look = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Begin to find the groups, and to follow the catalog."""
        self._start(self._first())

    def close(self) -> None:
        """End what goes on."""
        for progress in self._making.values():
            progress.to_end = True
        for task in self._tasks:
            task.cancel()
        for shelf in self.shelves.values():
            shelf.end()

    @property
    def making(self) -> Watched | None:
        """How far an answer is that is being made."""
        return next(iter(self._making.values()), None)

    @property
    def answer(self) -> Duplicates | None:
        """That of the default letter, once it is there."""
        shelf = self.shelves.get(self.letter)
        return None if shelf is None else shelf.answer

    @property
    def live(self) -> bool:
        """Whether a daemon tells of what changes."""
        return self._standing.live

    @property
    def horizon(self) -> str:
        """A sentence about how old what is known may be; empty where it is not."""
        if self.answer is None or self.live or self.answer.last_scan_ns is None:
            return ""
        since = human.ago(self.answer.last_scan_ns)
        return f"Last scan {since}. With 'imgcat watch' running, new photos appear by themselves."

    def shelf(self, letter: str) -> Shelf | None:
        """The answer of this letter; None where it is not there yet: then it will be."""
        shelf = self.shelves.get(letter)
        if shelf is None and letter not in self._making and letter != self.letter:
            self._start(self._renew(letter))
        return shelf

    async def find(self, name: str) -> tuple[str, Group | None]:
        """The letter of the answer that this group is of, and the group as it is now."""
        letter, keep = parted(name)
        shelf = self.shelves.get(letter)
        return letter, None if shelf is None else await shelf.group(keep)

    def look(self) -> None:
        """Something was decided that may make other groups: find them now."""
        self._look.set()

    # -- following the catalog -----------------------------------------------------------------

    async def _first(self) -> None:
        """The first answer; where it takes time, identical photos before it."""
        progress = Watched()
        whole = Shelf(self._review, self._review.criteria)
        making = asyncio.ensure_future(self._make(whole, self.letter, progress))
        done, _ = await asyncio.wait({making}, timeout=_SOON)
        if not done and self._review.criteria.verified:
            quick = Shelf(self._review, _EXACTLY)
            with contextlib.suppress(CatalogError, Ended):
                await quick.make(Watched())
                if not making.done():
                    self._put(self.letter, quick)
        await making
        await self._follow()

    async def _make(self, shelf: Shelf, letter: str, progress: Watched) -> None:
        self._making[letter] = progress
        try:
            await shelf.make(progress)
        except Ended:
            shelf.end()
        except CatalogError as error:
            self.trouble = harmless(str(error))
            shelf.end()
        else:
            self.trouble = ""
            self._put(letter, shelf)
        finally:
            del self._making[letter]

    def _put(self, letter: str, shelf: Shelf) -> None:
        """This answer is the one from now on."""
        before = self.shelves.get(letter)
        if before is not None and before.like(shelf):
            shelf, before = before, shelf  # nothing moves on the page
        else:
            self.shelves[letter] = shelf
            self.number += 1
        if before is not None:
            before.end()

    async def _renew(self, letter: str) -> None:
        criteria = LOOKS_ALIKE if letter == "l" else self._review.criteria
        await self._make(Shelf(self._review, criteria), letter, Watched())

    async def _follow(self) -> None:
        """Find the groups anew whenever the catalog or what was decided is another."""
        rest = 1.0
        known = await self._reader.standing()
        self._standing = known
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), rest)
            at_once = self._look.is_set()
            self._look.clear()
            try:
                self._standing = await self._reader.standing()
            except CatalogError as error:
                self.trouble = harmless(str(error))
                continue
            if self._standing.version == known.version and not at_once:
                rest = 1.0
                continue
            known = self._standing
            begun = time.monotonic()
            for letter in list(self.shelves):
                if letter not in self._making:
                    await self._renew(letter)
            rest = max(1.0, 2 * (time.monotonic() - begun))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
