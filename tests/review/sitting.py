"""A person at the page, without a browser: the desk, and what the page would send it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from typing import Any

from catalog.keeping import DEFAULT, KeepRules
from catalog.queries.criteria import ONE_PICTURE, Criteria
from catalog.queries.selection import EVERYTHING, Selection
from catalog.review.asked import Review
from catalog.review.asking import BothAsked, ChoiceAsked, PageAsked
from catalog.review.desk import Desk
from catalog.review.session import Presence
from catalog.review.told import Object
from tests.support import Library

PATIENCE = 30.0  # seconds


class Sitting:
    """One review of a library, in a loop that runs while something is asked."""

    def __init__(
        self,
        library: Library,
        *,
        criteria: Criteria = ONE_PICTURE,
        selection: Selection = EVERYTHING,
        keep: KeepRules = DEFAULT,
        ready: bool = True,
    ) -> None:
        review = Review(library.catalog, (), criteria, selection, (), keep)
        self.library = library
        self._runner = asyncio.Runner()
        self.presence = Presence()
        self.desk = self.do(_made(review, self.presence))
        try:
            self.do(self.desk.open())
        except BaseException:
            self._runner.close()
            raise
        if ready:
            self.wait(lambda state: state["ready"] and state["finding"] is None)

    def __enter__(self) -> Sitting:
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self.desk.close())
        self._runner.close()

    def do(self, asked: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(asked)

    def wait(self, so: Callable[[Object], object]) -> Object:
        """The state, once it is so."""
        end = time.monotonic() + PATIENCE
        while not so(state := self.desk.state()):
            assert time.monotonic() < end, state
            self.do(asyncio.sleep(0.02))
        return state

    # -- what the page reads -------------------------------------------------------------------

    def groups(self, **query: str) -> list[Object]:
        return self.page(**query)["groups"]

    def page(self, **query: str) -> Object:
        return self.do(self.desk.groups(PageAsked.of(query)))

    def names(self, **query: str) -> list[list[str]]:
        """The names in each group, the suggested one first."""
        return [[photo["name"] for photo in group["photos"]] for group in self.groups(**query)]

    def group_with(self, name: str, **query: str) -> Object:
        (found,) = (
            group
            for group in self.groups(**query)
            if any(photo["name"] == name for photo in group["photos"])
        )
        return found

    # -- what it sends -------------------------------------------------------------------------

    def choose(self, group: Object, keep: str, *drop: str) -> Object:
        """Of a group as it was told, keep the photo of this name, and trash those."""
        body = {
            "group": group["group"],
            "keep": seen(group, keep),
            "drop": [seen(group, name) for name in drop],
        }
        return self.do(self.desk.choose(ChoiceAsked.of(body)))

    def trash_others(self, group: Object) -> Object:
        keep, *others = [photo["name"] for photo in group["photos"]]
        return self.choose(group, keep, *others)

    def keep_both(self, group: Object, *names: str) -> Object:
        body = {"group": group["group"], "photos": [seen(group, name) for name in names]}
        return self.do(self.desk.keep_both(BothAsked.of(body)))

    def step_back(self, step: int) -> Object:
        return self.do(self.desk.step_back(step))

    def plan(self, *, with_sidecars: bool = False) -> Object:
        return self.do(self.desk.plan(with_sidecars=with_sidecars))

    def apply(self, plan: Object) -> Object:
        """The receipt of carrying it out."""
        self.do(self.desk.apply(plan["plan"]))
        return self.wait(lambda state: state["acting"] is None)["receipt"]

    def undo(self, action: int) -> Object:
        self.do(self.desk.undo(action))
        return self.wait(lambda state: state["acting"] is None)["receipt"]


async def _made(review: Review, presence: Presence) -> Desk:
    return Desk(review, presence)


def seen(group: Object, name: str) -> Object:
    """A photo of a group, as the page names it."""
    (photo,) = (each for each in group["photos"] if each["name"] == name)
    return {key: photo[key] for key in ("id", "size", "mtime_ns")}


def tree(library: Library) -> dict[str, tuple[bytes, int]]:
    """Every file of the library: its bytes, and when it was modified."""
    found = {}
    for place, _, names in os.walk(library.top):
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, library.top)] = (
                    file.read(),
                    os.stat(path).st_mtime_ns,
                )
    return found
