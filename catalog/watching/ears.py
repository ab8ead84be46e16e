"""What is made of an event: a hint where to look, or nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from enum import Enum, auto
from typing import Protocol

from catalog.indexing.roots import filters_of
from catalog.store.folders import RootRow
from catalog.watching.hints import Hints, is_inside


class What(Enum):
    """What an event says, as far as it matters where to look."""

    APPEARED = auto()  # made, or moved here
    LEFT = auto()  # deleted, or moved away
    ALTERED = auto()  # written to, closed, permissions or links changed


class Ears(Protocol):
    """Who hears of events, on the thread that reads them: must not wait, and cannot raise."""

    def happened(self, folder: bytes, name: bytes, what: What, *, is_folder: bool) -> None:
        """Something with this name in a watched folder, or (``name`` empty) that folder itself."""

    def lost(self) -> None:
        """Events were lost: nobody knows of what."""


class NameWatcher(Protocol):
    """Who waits for a name in the private folder of cookies."""

    folder: bytes

    def seen(self, name: bytes) -> None: ...


class Listener:
    """Turns events into hints, by the filters of the root that they are in."""

    def __init__(self, hints: Hints, cookies: NameWatcher) -> None:
        self._hints = hints
        self._cookies = cookies
        self._roots: tuple[_Wanted, ...] = ()
        self._losses = 0
        self._lock = threading.Lock()
        self._expects = False

    def follow(self, roots: Iterable[RootRow]) -> None:
        """Hear of these roots from now on, and of no others."""
        inner_first = sorted(roots, key=lambda root: -len(root.path))
        self._roots = tuple(map(_Wanted, inner_first))

    def expects_photos(self) -> bool:
        """Whether a file or folder came or was written to since this was last asked."""
        expects, self._expects = self._expects, False
        return expects

    @property
    def losses(self) -> int:
        """How often events were lost so far."""
        return self._losses

    def lost(self) -> None:
        with self._lock:
            self._losses += 1
        self._hints.wake()

    def happened(self, folder: bytes, name: bytes, what: What, *, is_folder: bool) -> None:
        if folder == self._cookies.folder:
            self._cookies.seen(name)
            return
        root = next((root for root in self._roots if is_inside(folder, root.path)), None)
        if root is None:
            return
        if not name:
            self._hints.add(folder)
        elif not is_folder:
            if root.wants_file(root.below(folder), name):
                self._expects = self._expects or what is not What.LEFT
                self._hints.add(folder)
        elif root.wants_folder(root.below(folder), name):
            # What is in it may have changed while it was elsewhere, or before it was watched.
            if what is What.APPEARED:
                self._expects = True
                self._hints.add(os.path.join(folder, name), whole=True)
            elif what is What.ALTERED:
                self._hints.add(os.path.join(folder, name))
            self._hints.add(folder)


class _Wanted:
    """A root, and which names in it matter."""

    def __init__(self, root: RootRow) -> None:
        filters = filters_of(root)
        self.path = root.path
        self.wants_file = filters.files()
        self.wants_folder = filters.folders()

    def below(self, folder: bytes) -> bytes:
        return folder[len(self.path) :].lstrip(b"/")
