"""The tray with its place on the disk, and the steps that led to it, each of which goes back."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.review.following import Reader
from catalog.review.tray import NO_CHANGE, Change, Tray
from catalog.review.wishes import Wishes

_STEPS: Final = 10_000  # that can be taken back


@dataclass(frozen=True, slots=True)
class Step:
    """Something a person decided, and what takes it back."""

    change: Change
    back: Change
    group: str  # empty for one that is about many
    both: int | None = None  # the action that remembers that photos are no duplicates

    @property
    def paths(self) -> Iterator[bytes]:
        """Of the photos that it is about."""
        for change in (self.change, self.back):
            yield from change.gone
            yield from (choice.goes.path for choice in change.new)


class Chosen:
    """What was chosen until now. One change at a time: who makes one sees to that."""

    def __init__(self, catalog: bytes) -> None:
        self._wishes = Wishes(catalog)
        self._steps: dict[int, Step] = {}
        self._numbers = itertools.count(1)
        self._ids: dict[bytes, int] = {}  # of photos in the tray, 0 of one that is not there
        self._ids_of = 0  # the answer for which these are
        self.tray = Tray()

    async def open(self) -> None:
        """Read what was chosen before. Raises CatalogError."""
        self.tray = Tray(await self._wishes.read())

    def end(self) -> None:
        """Close what is open."""
        self._wishes.end()

    async def make(self, change: Change, group: str = "", both: int | None = None) -> int:
        """A step; returns its number. Raises CatalogError, and then nothing is another."""
        step = Step(change, self.tray.back(change), group, both)
        await self.apply(change)
        number = next(self._numbers)
        self._steps[number] = step
        self._steps.pop(number - _STEPS, None)
        return number

    def step(self, number: int) -> Step | None:
        """The step of this number, if it can still be taken back by itself."""
        return self._steps.get(number)

    async def take_back(self, number: int) -> None:
        """Undo this step. Raises CatalogError."""
        await self.apply(self._steps[number].back)
        del self._steps[number]

    async def apply(self, change: Change) -> None:
        """Durable before it is in the tray. Raises CatalogError."""
        if change.gone or change.new:
            await self._wishes.write(change)
            self.tray.apply(change)

    async def settle(self, paths: Collection[bytes]) -> str:
        """No choice is about these any more, and no step back is to bring one back.

        Returns why that could not be written down; empty where it could.
        """
        about = set(paths)
        for number, step in list(self._steps.items()):
            if not about.isdisjoint(step.paths):
                if step.both is None:
                    del self._steps[number]
                else:  # that they are no duplicates can be taken back all the same
                    self._steps[number] = replace(step, change=NO_CHANGE, back=NO_CHANGE)
        change = self.tray.leaving(paths)
        try:
            await self.apply(change)
        except Exception as error:  # what is written down is found to be gone by the next plan
            self.tray.apply(change)
            return str(error)
        return ""

    async def ids(self, reader: Reader, answer: int) -> NDArray[np.int64]:
        """The photos of the tray. Another catalog, and so another answer, may have other ids."""
        if self._ids_of != answer:
            self._ids, self._ids_of = {}, answer
        if new := self.tray.choices.keys() - self._ids.keys():
            there = await reader.photos_at(new)
            self._ids.update((path, there[path].id if path in there else 0) for path in new)
        return np.array([self._ids.get(path, 0) for path in self.tray.choices], dtype=np.int64)
