"""What lies between the page and the catalog: what is told, what is decided, and what is done.

All of a desk runs in one event loop, which never waits: what takes time is asked of clerks.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.errors import CatalogError, UsageError
from catalog.escaping import harmless, printable
from catalog.keeping import from_home
from catalog.model import Choice, Group, Kind, Photo
from catalog.progress import Phase
from catalog.review import acts, told
from catalog.review.acts import Done, Drafted, seen_of
from catalog.review.answers import Answers
from catalog.review.asked import Review
from catalog.review.asking import BothAsked, ChoiceAsked, PageAsked, PhotoAsked
from catalog.review.clerk import Clerk, Ended, Watched
from catalog.review.following import Reader
from catalog.review.session import Presence
from catalog.review.told import Object
from catalog.review.tray import Change, Clash, Tray
from catalog.review.wishes import Wishes

_MOST_FOLDERS: Final = 1_000
_STEPS: Final = 10_000  # that can be taken back


class Refusal(Exception):
    """Nothing was done, as things are not what the page showed; ``group`` is as it is now."""

    def __init__(self, message: str, group: Object | None = None) -> None:
        super().__init__(message)
        self.group = group


@dataclass(frozen=True, slots=True)
class _Step:
    """Something a person decided, and what takes it back."""

    change: Change
    back: Change
    group: str
    both: int | None = None  # the action that remembers that photos are no duplicates


@dataclass(frozen=True, slots=True)
class _Plan:
    number: str
    tray: int  # its number when the plan was made
    draft: Drafted


class Desk:
    """One review. ``open`` it in the loop that asks it, and ``close`` it there."""

    def __init__(self, review: Review, presence: Presence) -> None:
        self._review = review
        self._presence = presence
        self._reader = Reader(review.catalog)
        self._answers = Answers(review, self._reader, presence)
        self._wishes = Wishes(review.catalog)
        self._hands = Clerk("imgcat-hands")
        self._tray = Tray()
        self._ids: dict[bytes, int] = {}  # of photos in the tray
        self._choosing = asyncio.Lock()
        self._steps: dict[int, _Step] = {}
        self._numbers = itertools.count(1)
        self._plan: _Plan | None = None
        self._acting: Watched | None = None
        self._receipt: Object | None = None
        self._remarks: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to find the groups, and to follow the catalog."""
        self._answers.open()
        choices = await self._wishes.read()
        there = await self._reader.photos_at({choice.goes.path for choice in choices})
        self._tray = Tray(choices)
        self._ids = {path: photo.id for path, photo in there.items()}

    async def close(self) -> None:
        """End what goes on: an action after the file at hand."""
        if self._acting is not None:
            self._acting.to_end = True
        self._answers.close()
        for task in self._tasks:
            task.cancel()
        self._hands.end(patience=30.0)
        self._reader.end()
        self._wishes.end()

    @property
    def busy(self) -> bool:
        """Whether files are being moved."""
        return self._acting is not None

    # -- what the page reads -------------------------------------------------------------------

    def state(self) -> Object:
        """How everything stands; asked again and again."""
        answer, making = self._answers.answer, self._answers.making
        horizon = self._answers.horizon
        choices = self._tray.choices.values()
        return {
            "answer": self._answers.number,
            "tray": self._tray.number,
            "ready": answer is not None,
            "finding": None if making is None else _progress(making, Phase.LOADING),
            "found": {
                "groups": 0 if answer is None else len(answer.groups),
                "photos": 0 if answer is None else answer.photos,
                "bytes": 0 if answer is None else answer.reclaimable,
            },
            "chosen": {
                "groups": len({choice.kept.path for choice in choices}),
                "photos": len(choices),
                "bytes": sum(choice.goes.size for choice in choices),
            },
            "acting": None if self._acting is None else _progress(self._acting, Phase.ACTING),
            "receipt": self._receipt,
            "fresh": self._answers.live,
            "offline": []
            if answer is None
            else [f"{from_home(path)}: {printable(why)}" for path, why in answer.offline],
            "remarks": [*self._remarks, *([horizon] if horizon else [])],
            "trouble": self._answers.trouble,
        }

    async def groups(self, asked: PageAsked) -> Object:
        """Some of the groups that are asked for."""
        letter = "l" if asked.looks_alike else self._answers.letter
        shelf, number = self._answers.shelf(letter), self._answers.number
        if shelf is None:
            return {"ready": False, "answer": number, "total": 0, "bytes": 0, "groups": []}
        decided = None if asked.state == "all" else self._decided()
        page = await shelf.page(
            asked.wanted, asked.offset, asked.count, decided, hiding=asked.state == "open"
        )
        return {
            "ready": True,
            "answer": number,
            "tray": self._tray.number,
            "total": page.total,
            "bytes": page.bytes,
            "offset": asked.offset,
            "groups": [self._told(letter, group) for group in page.groups],
        }

    async def group(self, name: str) -> Object | None:
        """One group with all its photos."""
        letter, found = await self._answers.find(name)
        return self._told(letter, found, whole=True)

    async def folders(self) -> Object:
        """The folders with photos in groups."""
        shelf = self._answers.shelf(self._answers.letter)
        found = [] if shelf is None else await shelf.folders(_MOST_FOLDERS)
        return {
            "folders": [
                {"id": each.id, "name": from_home(each.path), "groups": each.groups}
                for each in found
            ]
        }

    async def photo(self, number: int) -> Photo | None:
        """The photo of this id, as the catalog has it now."""
        return (await self._reader.photos([number])).get(number)

    async def history(self) -> Object:
        """What was done, and can be undone."""
        return told.history(await self._hands.ask(acts.history, self._review.catalog))

    # -- what the page decides -----------------------------------------------------------------

    async def choose(self, asked: ChoiceAsked) -> Object:
        """Put the photos of a group that go into the tray, and take all its others out."""
        letter, group = await self._answers.find(asked.group)
        if group is None:
            raise Refusal("this group is not there any more")
        keep, *drop = await self._seen(letter, group, (asked.keep, *asked.drop))
        for photo in drop:
            if self._review.keep.protects(photo.path):
                raise self._refusal(letter, group, f"{_name(photo)} is protected")
            if photo.file == keep.file:
                why = f"{_name(photo)} is another name of the kept file: there is nothing to win"
                raise self._refusal(letter, group, why)
        new = [Choice(goes=seen_of(photo), kept=seen_of(keep)) for photo in drop]
        async with self._choosing:
            self._check_idle()
            paths = [photo.path for photo in told.members(group)]
            try:
                change = self._tray.choosing(paths, new)
            except Clash as clash:
                raise self._refusal(letter, group, str(clash)) from clash
            step = await self._change(change, asked.group)
            self._ids.update((photo.path, photo.id) for photo in drop)
        return {"group": self._told(letter, group, whole=True), "state": self.state(), "step": step}

    async def keep_both(self, asked: BothAsked) -> Object:
        """Remember that these photos are no duplicates of each other."""
        letter, group = await self._answers.find(asked.group)
        if group is None:
            raise Refusal("this group is not there any more")
        photos = await self._seen(letter, group, asked.photos)
        async with self._choosing:
            self._check_idle()
            action = await self._reader.keep_both([photo.path for photo in photos])
            change = self._tray.leaving(photo.path for photo in photos)
            step = await self._change(change, asked.group, both=action)
        self._answers.look()
        return {"group": None, "state": self.state(), "step": step}

    async def clear(self) -> Object:
        """Take everything out of the tray."""
        async with self._choosing:
            self._check_idle()
            step = await self._change(self._tray.leaving(list(self._tray.choices)), "")
        return {"state": self.state(), "step": step}

    async def step_back(self, number: int) -> Object:
        """Take back what was decided in this step."""
        async with self._choosing:
            self._check_idle()
            step = self._steps.get(number)
            if step is None:
                raise Refusal("this cannot be taken back any more")
            if not self._tray.can_go_back(step.change, step.back):
                raise Refusal("something else was chosen for these photos since")
            if step.both is not None:
                await self._hands.ask(acts.undone, self._review.catalog, step.both, Watched())
                self._answers.look()
            await self._apply(step.back)
            del self._steps[number]
        group = None
        if step.group and step.both is None:
            with contextlib.suppress(UsageError):
                group = await self.group(step.group)
        return {"group": group, "state": self.state()}

    # -- what is done --------------------------------------------------------------------------

    async def plan(self, *, with_sidecars: bool) -> Object:
        """What all that was chosen comes to; nothing is changed but what cannot be any more."""
        async with self._choosing:
            self._check_idle()
            choices, kinds = list(self._tray.choices.values()), await self._kinds()
            draft = await self._hands.ask(
                lambda: acts.drafted(
                    self._review.catalog,
                    choices,
                    kinds,
                    self._review.keep.protected,
                    with_sidecars=with_sidecars,
                )
            )
            if draft.changed:
                await self._apply(self._tray.leaving(draft.changed))
            self._plan = _Plan(secrets.token_hex(8), self._tray.number, draft)
        return told.plan(self._plan.number, draft.plan, draft.changed) | {"state": self.state()}

    async def apply(self, number: str) -> Object:
        """Carry out the plan of this number, once."""
        async with self._choosing:
            if self._receipt is not None and self._receipt["plan"] == number:
                return {"state": self.state()}
            plan = self._plan
            if plan is None or plan.number != number:
                raise Refusal("this plan is not the last one: look at it again")
            if self._acting is None:
                if plan.tray != self._tray.number:
                    raise Refusal("something else was chosen since: look at the plan again")
                self._acting = Watched()
                self._start(self._carry_out(plan, self._acting))
        return {"state": self.state()}

    async def undo(self, action: int) -> Object:
        """Put back what an action took away."""
        async with self._choosing:
            self._check_idle()
            known = {
                each.id: each for each in await self._hands.ask(acts.history, self._review.catalog)
            }
            if action not in known or known[action].undone:
                raise Refusal("nothing of this is left to undo")
            self._acting = Watched()
            self._start(self._put_back(action, self._acting))
        return {"state": self.state()}

    async def _carry_out(self, plan: _Plan, progress: Watched) -> None:
        await self._do(
            plan.number, lambda: acts.carried_out(self._review.catalog, plan.draft, progress)
        )

    async def _put_back(self, action: int, progress: Watched) -> None:
        await self._do(None, lambda: acts.undone(self._review.catalog, action, progress))

    async def _do(self, plan: str | None, act: Any) -> None:
        try:
            with self._presence.working():
                done: Done = await self._hands.ask(act)
        except (CatalogError, Ended) as error:
            words = harmless(str(error)) or "interrupted"
            self._receipt = _failed(plan, words)
        else:
            await self._apply(self._tray.leaving(done.gone))
            self._receipt = told.receipt(done.receipt, plan=plan)
            if done.note:
                self._remarks.append(harmless(done.note))
        finally:
            self._plan = None
            self._acting = None
            self._answers.look()

    # -- within ------------------------------------------------------------------------------------

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _told(self, letter: str, group: Group | None, *, whole: bool = False) -> Object | None:
        if group is None:
            return None
        most = None if whole else told.MOST_IN_LIST
        return told.group(letter, group, self._tray, self._review.keep, most)

    async def _seen(self, letter: str, group: Group, asked: Sequence[PhotoAsked]) -> list[Photo]:
        """These photos of the group. Raises Refusal where one is not what the page showed."""
        members = {photo.id: photo for photo in told.members(group)}
        photos = []
        for each in asked:
            photo = members.get(each.id)
            if photo is None:
                raise self._refusal(letter, group, "one of these photos is not in this group now")
            if (photo.stamp.size, photo.stamp.mtime_ns) != (each.size, each.mtime_ns):
                raise self._refusal(letter, group, f"{_name(photo)} changed: look at it again")
            photos.append(photo)
        if len({photo.id for photo in photos}) < len(photos):
            raise self._refusal(letter, group, "a photo cannot be kept and go to the trash")
        changed = await self._reader.changed_on_disk(photos)
        if changed is not None:
            why = f"{_name(changed)} changed on the disk since it was indexed, or is gone"
            raise self._refusal(letter, group, why)
        return photos

    def _refusal(self, letter: str, group: Group, why: str) -> Refusal:
        return Refusal(why, self._told(letter, group, whole=True))

    def _check_idle(self) -> None:
        if self._acting is not None:
            raise Refusal("files are being moved right now: wait until that is done")

    async def _change(self, change: Change, group: str, both: int | None = None) -> int:
        step = _Step(change, self._tray.back(change), group, both)
        await self._apply(change)
        number = next(self._numbers)
        self._steps[number] = step
        self._steps.pop(number - _STEPS, None)
        return number

    async def _apply(self, change: Change) -> None:
        if change.gone or change.new:
            await self._wishes.write(change)  # durable before it is told
            self._tray.apply(change)

    def _decided(self) -> NDArray[np.int64]:
        found = [self._ids[path] for path in self._tray.choices if path in self._ids]
        return np.array(found, dtype=np.int64)

    async def _kinds(self) -> dict[bytes, Kind]:
        """What each photo of the tray is to the one that is kept for it, where a group says so."""
        found: dict[bytes, Kind] = {}
        ids = [self._ids[path] for path in self._tray.choices if path in self._ids]
        for shelf in self._answers.shelves.values():
            for group in await shelf.groups_with(ids):
                kinds = {match.photo.path: match.kind for match in group.matches}
                kinds[group.keep.path] = Kind.IDENTICAL
                for path in kinds.keys() & self._tray.choices.keys():
                    kept = self._tray.choices[path].kept.path
                    found.setdefault(path, told.weakest(kinds, path, kept))
        return found


def _progress(progress: Watched, phase: Phase) -> Object:
    return {
        "what": harmless(progress.waiting) or (progress.phase or phase).value,
        "done": progress.done,
        "total": progress.total,
    }


def _failed(plan: str | None, why: str) -> Object:
    return {
        "plan": plan,
        "undo": plan is None,
        "action": None,
        "words": "Nothing was done.",
        "refused": [],
        "stopped": why,
        "interrupted": False,
    }


def _name(photo: Photo) -> str:
    return printable(os.path.basename(photo.path))
