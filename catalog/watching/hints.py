"""Which folders are to be looked at, and when: a bounded set that makes few looks of many events.

A folder is due half a second after its last event, and five seconds after its first at the
latest. Where too many wait, looks at folders become looks at all that is in the folder above.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from catalog.indexing.reconcile import Look

QUIET: Final = 0.5  # seconds without an event
LATEST: Final = 5.0  # seconds from the first event on
MOST: Final = 4096  # folders; about as many looks take as long as one at a large tree


@dataclass(slots=True)
class _Waiting:
    since: float
    latest: float
    whole: bool


class Hints:
    """Folders to look at. Every method may be called from any thread, and none waits for long."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST,
        quiet: float | None = None,
    ) -> None:
        self._clock = clock
        self._most = most
        self._quiet = QUIET if quiet is None else quiet
        self._changed = threading.Condition()
        self._roots: frozenset[bytes] = frozenset()
        self._waiting: dict[bytes, _Waiting] = {}
        self._wholes = 0  # how many of them are to be looked at whole
        self._later: dict[bytes, tuple[float, bool]] = {}  # when, and whether whole
        self._woken = False
        self._taken_now = 0

    def __len__(self) -> int:
        """How many folders wait, for quiet or for a time, or were taken and are not done yet."""
        with self._changed:
            return len(self._waiting.keys() | self._later.keys()) + self._taken_now

    @property
    def oldest(self) -> float | None:
        """Seconds that the first of the folders has waited; None where none does."""
        with self._changed:
            since = min((waiting.since for waiting in self._waiting.values()), default=None)
        return None if since is None else self._clock() - since

    def follow(self, roots: Iterable[bytes]) -> None:
        """The tops of what is followed: above them nobody looks."""
        self._roots = frozenset(roots)

    def add(self, path: bytes, *, whole: bool = False) -> None:
        """Something happened in the folder at ``path``; with ``whole``, also below it."""
        now = self._clock()
        with self._changed:
            waiting = self._waiting.get(path)
            if waiting is None and self._wholes:
                waiting = self._whole_above(path)
                whole = whole and waiting is None
            if waiting is None:
                self._waiting[path] = _Waiting(now, now, whole)
                self._wholes += whole
                if len(self._waiting) > self._most:
                    self._collapse()
                self._changed.notify()
            else:
                waiting.latest = now
                self._wholes += whole and not waiting.whole
                waiting.whole = waiting.whole or whole

    def later(self, path: bytes, seconds: float, *, whole: bool = False) -> None:
        """Look at a folder after so many seconds, whatever happens until then."""
        at = self._clock() + seconds
        with self._changed:
            planned = self._later.get(path)
            if planned is not None:
                at, whole = min(at, planned[0]), whole or planned[1]
            self._later[path] = (at, whole)
            self._changed.notify()

    def take_due(self) -> list[Look]:
        """The folders whose time has come; they wait no longer."""
        now = self._clock()
        with self._changed:
            due = [path for path, waiting in self._waiting.items() if self._at(waiting) <= now]
            return self._taken(due, [path for path, (at, _) in self._later.items() if at <= now])

    def take_all(self) -> list[Look]:
        """All folders that wait for quiet, at once; not those that were put off for longer."""
        with self._changed:
            return self._taken(list(self._waiting), [])

    def done(self) -> None:
        """All that was taken was looked at, or put off."""
        with self._changed:
            self._taken_now = 0

    def wait(self, seconds: float) -> None:
        """Return when a folder is due, when ``wake`` is called, or after so many seconds."""
        until = self._clock() + seconds
        with self._changed:
            while not self._woken:
                now = self._clock()
                due = min(until, self._next())
                if due <= now:
                    break
                self._changed.wait(due - now)
            self._woken = False

    def pause(self, seconds: float) -> None:
        """Return after so many seconds or on ``wake``, whatever is due meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: self._woken, seconds)
            self._woken = False

    def wake(self) -> None:
        """End a ``wait``."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def _at(self, waiting: _Waiting) -> float:
        return min(waiting.latest + self._quiet, waiting.since + LATEST)

    def _next(self) -> float:
        return min(
            (
                *(self._at(waiting) for waiting in self._waiting.values()),
                *(at for at, _ in self._later.values()),
            ),
            default=float("inf"),
        )

    def _taken(self, due: list[bytes], planned: list[bytes]) -> list[Look]:
        whole: dict[bytes, bool] = {}
        for path in due:
            waiting = self._waiting.pop(path)
            self._wholes -= waiting.whole
            whole[path] = waiting.whole
        for path in planned:
            whole[path] = self._later.pop(path)[1] or whole.get(path, False)
        looks = without_inner(
            (Look(path, is_whole) for path, is_whole in whole.items()), self._roots
        )
        self._taken_now += len(looks)
        return looks

    def _whole_above(self, path: bytes) -> _Waiting | None:
        """The folder above that is to be looked at whole, if there is one."""
        for above in _above(path, self._roots):
            waiting = self._waiting.get(above)
            if waiting is not None and waiting.whole:
                return waiting
        return None

    def _collapse(self) -> None:
        """Put the folders above in the place of all, as often as it takes to halve their number."""
        while len(self._waiting) > self._most // 2:
            merged: dict[bytes, _Waiting] = {}
            for path, waiting in self._waiting.items():
                above = path if path in self._roots else os.path.dirname(path)
                into = merged.setdefault(above, _Waiting(waiting.since, waiting.latest, True))
                into.since = min(into.since, waiting.since)
                into.latest = max(into.latest, waiting.latest)
            if merged.keys() == self._waiting.keys():
                break  # only roots are left
            self._waiting = merged
        self._wholes = len(self._waiting)


def without_inner(looks: Iterable[Look], roots: Collection[bytes] = ()) -> list[Look]:
    """These looks, without those at what another of them looks at anyway."""
    looks = list(looks)
    wholes = {look.path for look in looks if look.whole}
    return [
        look for look in looks if not any(above in wholes for above in _above(look.path, roots))
    ]


def _above(path: bytes, roots: Collection[bytes]) -> Iterator[bytes]:
    """The folders above in the same root, the nearest first: an outer root's walk leaves it out."""
    while path not in roots and (above := os.path.dirname(path)) != path:
        yield above
        path = above


def is_inside(path: bytes, top: bytes) -> bool:
    """Whether ``path`` is ``top`` or below it."""
    return path == top or path.startswith(top if top.endswith(b"/") else top + b"/")
