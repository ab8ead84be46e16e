"""What lies between the page and the catalog: what is told, what is decided, and what is done.

All of a desk runs in one event loop, which never waits: what takes time is asked of clerks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.errors import CatalogError, UsageError
from catalog.escaping import harmless, printable
from catalog.keeping import from_home
from catalog.model import Action, Choice, Group, Kind, Photo, weakest
from catalog.progress import Phase
from catalog.review import acts, told
from catalog.review.acts import Done, Drafted, seen_of
from catalog.review.answers import Answers
from catalog.review.asked import Review
from catalog.review.asking import BothAsked, ChoiceAsked, PageAsked, PhotoAsked
from catalog.review.chosen import Chosen
from catalog.review.clerk import Clerk, Ended, Watched
from catalog.review.following import Reader
from catalog.review.session import Presence
from catalog.review.told import Object
from catalog.review.tray import Clash, Tray

MOST_CHOSEN: Final = 20_000  # photos that are chosen without a look at each
_MOST_FOLDERS: Final = 1_000
_REMARKS: Final = 20
_PATIENCE: Final = 30.0  # seconds for the file at hand, at the end of the server


class Refusal(Exception):
    """Nothing was done, as things are not what the page showed; ``group`` is as it is now."""

    def __init__(self, message: str, group: Object | None = None) -> None:
        super().__init__(message)
        self.group = group


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
        self._chosen = Chosen(review.catalog)
        self._hands = Clerk("imgcat-hands")
        self._choosing = asyncio.Lock()
        self._plan: _Plan | None = None
        self._acting: Watched | None = None
        self._carried_out: str | None = None  # the plan that is being so
        self._receipt: Object | None = None
        self._remarks: list[str] = []
        self._doing: asyncio.Task[None] | None = None

    @property
    def _tray(self) -> Tray:
        return self._chosen.tray

    async def open(self) -> None:
        """Begin to find the groups, and to follow the catalog."""
        try:
            await self._chosen.open()
        except BaseException:
            await self.close()
            raise
        self._answers.open()

    async def close(self) -> None:
        """End what goes on: an action after the file at hand."""
        self._answers.close()
        if self._acting is not None and self._doing is not None:
            self._acting.to_end = True
            # What waits for another action to end has not begun, and will not.
            begun = self._acting.phase is not None
            await asyncio.wait({self._doing}, timeout=_PATIENCE if begun else 1.0)
        self._hands.end()
        self._reader.end()
        self._chosen.end()

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
            "alike": self._answers.letter == "l",  # what only looks alike was asked for, too
            "offline": []
            if answer is None
            else [f"{from_home(path)}: {printable(why)}" for path, why in answer.offline],
            "remarks": [*self._remarks, *([horizon] if horizon else [])],
            "trouble": self._answers.trouble,
        }

    async def groups(self, asked: PageAsked) -> Object:
        """Some of the groups that are asked for."""
        letter = "l" if asked.looks_alike else self._answers.letter
        decided = None if asked.state == "all" else await self._decided()
        shelf, number = self._answers.shelf(letter), self._answers.number
        if shelf is None:
            return {"ready": False, "answer": number, "total": 0, "bytes": 0, "groups": []}
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
        return told.history(await self._history())

    # -- what the page decides -----------------------------------------------------------------

    async def choose(self, asked: ChoiceAsked) -> Object:
        """Put the photos of a group that go into the tray, and take all its others out."""
        async with self._choosing:
            self._check_idle()
            letter, group = await self._there(asked.group)
            keep, *drop = await self._seen(letter, group, (asked.keep, *asked.drop))
            self._check_may_go(letter, group, keep, drop)
            new = [Choice(goes=seen_of(photo), kept=seen_of(keep)) for photo in drop]
            paths = [photo.path for photo in told.members(group)]
            try:
                change = self._tray.choosing(paths, new)
            except Clash as clash:
                raise self._refusal(letter, group, str(clash)) from clash
            step = await self._chosen.make(change, asked.group)
        return {"group": self._told(letter, group, whole=True), "state": self.state(), "step": step}

    async def choose_all(self, asked: PageAsked) -> Object:
        """Put the copies of every group that is asked for and open into the tray, as suggested.

        Only of identical photos: nobody looked at these. What is protected, another name of the
        kept file, or another file by now is left out. At most MOST_CHOSEN photos at a time.
        """
        if asked.wanted.kinds != {Kind.IDENTICAL}:
            raise UsageError("only copies of equal bytes are chosen without a look at each")
        async with self._choosing:
            self._check_idle()
            shelf = self._answers.shelf(self._answers.letter)
            if shelf is None:
                raise Refusal("the groups are still being found")
            decided = await self._decided()
            page = await shelf.page(asked.wanted, 0, MOST_CHOSEN, decided, hiding=True)
            new, more = await self._suggested(page.groups)
            goes = [choice.goes.path for choice in new]
            step = await self._chosen.make(self._tray.choosing(goes, new))
        more += page.total > len(page.groups)
        return {"photos": len(new), "more": bool(more), "state": self.state(), "step": step}

    async def _suggested(self, groups: Sequence[Group]) -> tuple[list[Choice], int]:
        """The copies of these groups that can go for the suggested one; how many are left over."""
        new: list[Choice] = []
        for number, group in enumerate(groups):
            others = told.members(group)[1:]
            copies = [photo for photo in others if not self._stays(photo, group.keep)]
            if len(new) + len(copies) > MOST_CHOSEN:
                return new, len(groups) - number
            changed = await self._reader.changed_on_disk([group.keep, *copies])
            if changed is None and not self._is_taken(group.keep, copies):
                kept = seen_of(group.keep)
                new += [Choice(goes=seen_of(photo), kept=kept) for photo in copies]
        return new, 0

    def _stays(self, photo: Photo, keep: Photo) -> str:
        """What a photo is that stays, whatever is chosen; empty for one that can go."""
        if self._review.keep.protects(photo.path):
            return "protected"
        if photo.file == keep.file:
            return "another name of the kept file: there is nothing to win"
        return ""

    def _is_taken(self, keep: Photo, copies: Sequence[Photo]) -> bool:
        """Whether a choice about a group that is none any more stands against it."""
        try:
            wish = [Choice(goes=seen_of(photo), kept=seen_of(keep)) for photo in copies]
            self._tray.choosing([photo.path for photo in copies], wish)
        except Clash:
            return True
        return False

    async def keep_both(self, asked: BothAsked) -> Object:
        """Remember that these photos are no duplicates of each other."""
        async with self._choosing:
            self._check_idle()
            letter, group = await self._there(asked.group)
            photos = await self._seen(letter, group, asked.photos)
            action = await self._reader.keep_both([photo.path for photo in photos])
            change = self._tray.leaving(photo.path for photo in photos)
            step = await self._chosen.make(change, asked.group, both=action)
        self._answers.look()
        return {"group": None, "state": self.state(), "step": step}

    async def clear(self) -> Object:
        """Take everything out of the tray."""
        async with self._choosing:
            self._check_idle()
            step = await self._chosen.make(self._tray.leaving(list(self._tray.choices)))
        return {"state": self.state(), "step": step}

    async def step_back(self, number: int) -> Object:
        """Take back what was decided in this step."""
        async with self._choosing:
            self._check_idle()
            step = self._chosen.step(number)
            if step is None:
                raise Refusal("this cannot be taken back any more")
            if not self._tray.can_go_back(step.change, step.back):
                raise Refusal("something else was chosen for these photos since")
            if step.both is not None:
                await self._apart_no_more(step.both)
                self._answers.look()
            await self._chosen.take_back(number)
        group = None
        if step.group and step.both is None:
            with contextlib.suppress(UsageError):
                group = await self.group(step.group)
        return {"group": group, "state": self.state()}

    async def _apart_no_more(self, action: int) -> None:
        """Undo this keeping of both, unless the history was asked to already."""
        if any(each.id == action and not each.undone for each in await self._history()):
            await self._hands.ask(acts.undone, self._review.catalog, action, Watched())

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
                await self._chosen.apply(self._tray.leaving(draft.changed))
            self._plan = _Plan(secrets.token_hex(8), self._tray.number, draft)
        said = told.plan(self._plan.number, draft.plan, draft.changed, draft.unknown)
        return said | {"state": self.state()}

    async def apply(self, number: str) -> Object:
        """Carry out the plan of this number, once."""
        async with self._choosing:
            if self._receipt is not None and self._receipt["plan"] == number:
                return {"state": self.state()}
            if self._carried_out == number:
                return {"state": self.state()}
            self._check_idle()
            plan = self._plan
            if plan is None or plan.number != number:
                raise Refusal("this plan is not the last one: look at it again")
            if plan.tray != self._tray.number:
                raise Refusal("something else was chosen since: look at the plan again")
            self._acting, self._carried_out = Watched(), number
            self._begin(self._carry_out(plan, self._acting))
        return {"state": self.state()}

    async def undo(self, action: int) -> Object:
        """Put back what an action took away."""
        async with self._choosing:
            self._check_idle()
            known = {each.id: each for each in await self._history()}
            if action not in known or known[action].undone:
                raise Refusal("nothing of this is left to undo")
            self._acting = Watched()
            self._begin(self._put_back(action, self._acting))
        return {"state": self.state()}

    async def _carry_out(self, plan: _Plan, progress: Watched) -> None:
        await self._do(
            plan.number, lambda: acts.carried_out(self._review.catalog, plan.draft, progress)
        )

    async def _put_back(self, action: int, progress: Watched) -> None:
        await self._do(None, lambda: acts.undone(self._review.catalog, action, progress))

    async def _do(self, plan: str | None, act: Callable[[], Done]) -> None:
        """Whatever becomes of it, the page gets a receipt."""
        try:
            with self._presence.working():
                done = await self._hands.ask(act)
        except (CatalogError, Ended) as error:  # nothing was begun
            self._receipt = _failed(plan, "Nothing was done.", str(error) or "interrupted")
        except Exception as error:
            words = "It was cut off: look at the history for what was done until then."
            self._receipt = _failed(plan, words, f"{type(error).__name__}: {error}")
        else:
            self._receipt = told.receipt(done.receipt, plan=plan)
            self._remark(done.note)
            self._remark(await self._chosen.settle(done.gone))
        finally:
            self._plan = self._acting = self._carried_out = None
            self._answers.look()

    def _remark(self, words: str) -> None:
        if words and harmless(words) not in self._remarks:
            self._remarks = [*self._remarks[1 - _REMARKS :], harmless(words)]

    # -- within ------------------------------------------------------------------------------------

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._doing = asyncio.ensure_future(work)

    async def _history(self) -> Sequence[Action]:
        """Also while the hands are busy."""
        return await asyncio.to_thread(acts.history, self._review.catalog)

    def _told(self, letter: str, group: Group | None, *, whole: bool = False) -> Object | None:
        if group is None:
            return None
        most = None if whole else told.MOST_IN_LIST
        return told.group(letter, group, self._tray, self._review.keep, most)

    async def _there(self, name: str) -> tuple[str, Group]:
        letter, group = await self._answers.find(name)
        if group is None:
            raise Refusal("this group is not there any more")
        return letter, group

    def _check_may_go(self, letter: str, group: Group, keep: Photo, drop: Sequence[Photo]) -> None:
        for photo in drop:
            if why := self._stays(photo, keep):
                raise self._refusal(letter, group, f"{_name(photo)} is {why}")

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

    async def _decided(self) -> NDArray[np.int64]:
        return await self._chosen.ids(self._reader, self._answers.number)

    async def _kinds(self) -> dict[bytes, Kind]:
        """What each photo of the tray is to the one that is kept for it, where a group says so."""
        found: dict[bytes, Kind] = {}
        ids = (await self._decided()).tolist()
        for letter in ("s", "l"):
            shelf = self._answers.shelves.get(letter)  # now: another may have taken its place
            for group in [] if shelf is None else await shelf.groups_with(ids):
                kinds = {match.photo.path: match.kind for match in group.matches}
                kinds[group.keep.path] = Kind.IDENTICAL
                for path in kinds.keys() & self._tray.choices.keys():
                    kept = self._tray.choices[path].kept.path
                    ends = (kinds.get(each, Kind.SIMILAR) for each in (path, kept))
                    found.setdefault(path, weakest(ends))
        return found


def _progress(progress: Watched, phase: Phase) -> Object:
    return {
        "what": harmless(progress.waiting) or (progress.phase or phase).value,
        "done": progress.done,
        "total": progress.total,
    }


def _failed(plan: str | None, words: str, why: str) -> Object:
    return {
        "plan": plan,
        "undo": plan is None,
        "action": None,
        "words": words,
        "refused": [],
        "stopped": harmless(why),
        "interrupted": False,
    }


def _name(photo: Photo) -> str:
    return printable(os.path.basename(photo.path))
