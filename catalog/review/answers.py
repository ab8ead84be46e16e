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
from catalog.review.session import Presence
from catalog.review.shelf import Shelf

_SOON: Final = 0.7  # seconds after which identical photos are shown, while the rest is found
_REST: Final = 1.0  # seconds between two looks at the catalog, at least
_EXACTLY: Final = criteria_of(exact=True)


class Answers:
    """Those of one review. ``open`` it in the loop that asks it, and ``close`` it there.

    ``letter`` is that of the answer that is asked for by default; ``number`` is another one once
    its groups are others.
    """

    def __init__(self, review: Review, reader: Reader, presence: Presence) -> None:
        self._review = review
        self._reader = reader
        self._presence = presence
        self._alike = review.criteria.grade is Kind.SIMILAR  # the one answer holds all kinds
        self.letter = "l" if self._alike else "s"
        self.shelves: dict[str, Shelf] = {}
        self.number = 0
        self._making: dict[str, Watched] = {}  # by letter; "" for one that is soon replaced
        self._tried: dict[str, tuple[object, ...]] = {}  # what each was made from, or was to be
        self._troubles: dict[str, str] = {}  # by letter; "" for the catalog itself
        self._standing = Standing()
        self._look = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Begin to find the groups, and to follow the catalog."""
        self._start(self._follow(self._start(self._first())))

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
    def trouble(self) -> str:
        """Why there is no answer, or no newer one; empty where there is."""
        return next(iter(self._troubles.values()), "")

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
        if shelf is None and letter not in self._tried and letter not in self._making:
            self._start(self._awaited(letter))
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
        making = self._start(self._awaited(self.letter))
        done, _ = await asyncio.wait({making}, timeout=_SOON)
        if not done and self._review.criteria.verified:
            quick = Shelf(self._review, _EXACTLY)
            progress = self._making[""] = Watched()
            try:
                await quick.make(progress)
                if not making.done():
                    self._put(self.letter, quick)
            except Exception:  # the whole one will tell of it
                pass
            finally:
                del self._making[""]
                if self.shelves.get(self.letter) is not quick:
                    quick.end()
        await making

    def _awaited(self, letter: str) -> Coroutine[Any, Any, None]:
        """Make an answer that a person waits for, who is not away meanwhile."""
        progress = self._making[letter] = Watched()  # now: others may ask before it is begun

        async def awaited() -> None:
            with self._presence.working():
                await self._make(letter, progress)

        return awaited()

    async def _make(self, letter: str, progress: Watched) -> None:
        """Whatever becomes of it, this returns: a person is told, and it is tried again."""
        criteria = LOOKS_ALIKE if letter != self.letter else self._review.criteria
        shelf = Shelf(self._review, criteria)
        self._tried[letter] = ()
        try:
            # Before, as what changes while the groups are found may not be in them.
            self._tried[letter] = (await self._reader.standing()).version
            await shelf.make(progress)
        except Ended:
            pass
        except Exception as error:
            self._troubles[letter] = _words(error)
        else:
            self._troubles.pop(letter, None)
            self._put(letter, shelf)
        finally:
            del self._making[letter]
            if self.shelves.get(letter) is not shelf:
                shelf.end()

    def _put(self, letter: str, shelf: Shelf) -> None:
        """This answer is the one from now on; with the same groups, nothing moves on the page."""
        before = self.shelves.get(letter)
        self.shelves[letter] = shelf
        if before is None or not before.like(shelf):
            self.number += 1
        if before is not None:
            before.end()

    async def _follow(self, first: asyncio.Task[None]) -> None:
        """Find the groups anew whenever the catalog or what was decided is another."""
        await first
        rest = _REST
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), rest)
            at_once = self._look.is_set()
            self._look.clear()
            begun = time.monotonic()
            try:
                self._standing = await self._reader.standing()
            except Exception as error:
                self._troubles[""] = _words(error)
                continue
            self._troubles.pop("", None)
            for letter, version in list(self._tried.items()):
                other = version != self._standing.version
                if letter not in self._making and (other or at_once):
                    self._making[letter] = Watched()
                    await self._make(letter, self._making[letter])
            rest = max(_REST, 2 * (time.monotonic() - begun))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _words(error: Exception) -> str:
    """For a person; of what should not have been, also what it is."""
    if isinstance(error, CatalogError):
        return harmless(str(error))
    return harmless(f"the groups cannot be found: {type(error).__name__}: {error}")
