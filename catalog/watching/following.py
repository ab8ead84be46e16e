"""All roots that are followed: where they are, what may have been missed, when to look again."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from catalog.escaping import printable
from catalog.indexing.reconcile import Look
from catalog.scanning import filesystem
from catalog.store.folders import RootRow
from catalog.watching.followed import POLL, Followed
from catalog.watching.hints import Hints, is_inside
from catalog.watching.senses import Senses

TICK: Final = 5.0  # seconds between looks at places, mounts and clocks
_ASLEEP: Final = 5.0  # seconds that the clocks may drift apart before it is a sleep


class Following:
    """The roots, and the looks at them that no event asks for."""

    def __init__(
        self, hints: Hints, senses: Senses, clock: Callable[[], float], say: Callable[[str], None]
    ) -> None:
        self._hints = hints
        self._senses = senses
        self._clock = clock
        self._say = say
        self._roots: list[Followed] = []
        self._mounts = filesystem.mounts()
        self._mounts_changed = threading.Event()
        self._drift = time.time() - clock()
        self._next_tick = clock()

    def __iter__(self) -> Iterator[Followed]:
        return iter(list(self._roots))

    @property
    def next_tick(self) -> float:
        """When ``tick`` has something to do, if nothing else happens."""
        return self._next_tick

    @property
    def agreed_ns(self) -> int | None:
        """Since when all that is there is known; None where one was not looked at whole yet."""
        times = [followed.agreed_ns for followed in self if followed.is_there]
        known = [moment for moment in times if moment is not None]
        return min(known) if known and len(known) == len(times) else None

    def at(self, path: bytes) -> Followed | None:
        """The innermost root that a path is in."""
        around = [followed for followed in self._roots if is_inside(path, followed.path)]
        return max(around, key=lambda followed: len(followed.path), default=None)

    def follow(self, wanted: Sequence[RootRow]) -> None:
        """Follow these from now on, and look at what is new among them."""
        known = {followed.path: followed for followed in self._roots}
        kept: list[Followed] = []
        for root in wanted:
            followed = known.pop(root.path, None)
            if followed is None:
                followed = Followed(root, self._clock())
                self._say(f"following {printable(root.path)}")
                self._hints.later(root.path, 0, whole=True)
            elif (followed.root.id, followed.root.filters) != (root.id, root.filters):
                self._lose(followed)
            followed.root = root
            kept.append(followed)
        for path in known:
            self._say(f"not following {printable(path)} any more")
        self._roots = kept
        tops = [root.path for root in wanted]
        self._hints.follow(tops)
        self._senses.listener.follow(wanted)
        if known:
            self._senses.forget(lambda path: not any(is_inside(path, top) for top in tops))

    def lose_track(self) -> None:
        """Something may have been missed: look at everything."""
        for followed in self:
            self._lose(followed)

    def _lose(self, followed: Followed) -> None:
        followed.lost_at = self._clock()
        self._hints.later(followed.path, 0, whole=True)

    def polled(self, followed: Followed) -> list[Look]:
        """Where to look although nothing is heard, as events of there do not come, or not all."""
        if not self._senses.hears:
            return [Look(followed.path)]
        return followed.polled(self._mounts, list(self._senses.refused))

    def silent(self, followed: Followed) -> list[bytes]:
        """The parts of a root that others may change without an event."""
        return followed.silent(self._mounts) if self._senses.hears else []

    def mounted(self) -> None:
        """Something was mounted or unmounted; from any thread."""
        self._mounts_changed.set()
        self._hints.wake()

    def tick(self) -> bool:
        """Look at what tells nothing by itself; False where it was too early for that."""
        if self._mounts_changed.is_set():
            self._mounts_changed.clear()
            self._look_at_mounts()
        elif self._clock() < self._next_tick:
            return False
        self._next_tick = self._clock() + TICK
        self._notice_sleep()
        filesystem.forget_mounts()
        for followed in self:
            self._look_after(followed)
        return True

    def _look_after(self, followed: Followed) -> None:
        now = self._clock()
        if followed.place_changed():
            if followed.is_there:
                self._say(f"{printable(followed.path)} is there again, or another folder is")
            else:
                self._say(f"{printable(followed.path)} is not there now: its photos are kept")
            self._lose(followed)
        elif now >= followed.rescan_at:
            followed.rescan_at = now + POLL  # should it have to wait
            self._hints.later(followed.path, 0, whole=True)
        elif now >= followed.poll_at:
            followed.poll_at = now + POLL
            for look in self.polled(followed):
                self._hints.later(look.path, 0, whole=look.whole)

    def _look_at_mounts(self) -> None:
        before, self._mounts = self._mounts, filesystem.mounts()
        for mount in set(before) ^ set(self._mounts):
            if self.at(mount.point) is not None:
                self._hints.later(os.path.dirname(mount.point), 0)
                self._hints.later(mount.point, 0, whole=True)

    def _notice_sleep(self) -> None:
        drift = time.time() - self._clock()
        if abs(drift - self._drift) > _ASLEEP:
            self._say("the machine slept, or its clock was set: looking at everything")
            self.lose_track()
        self._drift = drift
