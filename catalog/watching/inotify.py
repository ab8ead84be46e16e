"""The kernel's events on Linux, folder by folder.

Watchdog's ``InotifyFD`` reads and parses them. What it has on top (observers, emitters, watch
groups of version 7.1) is not used, because on a large tree it goes deaf without a word: it
overflows the kernel's queue by walking while it adds watches, rebuilds all of them at an
overflow, which overflows again, and drops what the limit on watches refuses.

Here nobody walks: the walk that lists a folder for the catalog has it watched just before. So
nothing can happen between the two unseen, a folder that is listed and could not be watched is
known as such, and after an overflow the rescan that has to be anyway adds what is missing.
Folders are told by their watch, not by their path: adding the watch of one that was renamed
gives the number it had, and with it the new path.
"""

from __future__ import annotations

import errno
import itertools
import threading
from collections.abc import Callable
from typing import Final

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)

from catalog.watching.ears import Ears, What

_MASK: Final = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_MOVED_FROM
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MODIFY
    | InotifyConstants.IN_ATTRIB  # also of a new name (hard link), and of permissions
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_ONLYDIR
    | InotifyConstants.IN_DONT_FOLLOW
)
_APPEARED: Final = InotifyConstants.IN_CREATE | InotifyConstants.IN_MOVED_TO
_GONE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # listing it says so too
_LEFT: Final = InotifyConstants.IN_DELETE | InotifyConstants.IN_MOVED_FROM


class Inotify:
    """One inotify instance, and the folders that it watches.

    Raises OSError where the system gives no instance, and AttributeError or TypeError where
    watchdog is not the one that this was written for.
    """

    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self._lock = threading.Lock()
        self._paths: dict[WatchDescriptor, bytes] = {}
        self._watches: dict[bytes, WatchDescriptor] = {}
        self._tickets: dict[WatchDescriptor, CallbackId] = {}
        self._numbers = itertools.count(1)
        self.refused: dict[bytes, str] = {}  # folders that could not be watched, and why
        self._source = InotifyFD()
        self._source.start()

    @property
    def alive(self) -> bool:
        """Whether events are being read."""
        return self._source.is_alive()

    @property
    def count(self) -> int:
        """How many folders are watched."""
        return len(self._watches)

    def watches(self, path: bytes) -> bool:
        """Whether events of this folder come."""
        return path in self._watches

    def watch(self, path: bytes) -> None:
        """Have events of this folder from now on; ``refused`` says where that cannot be."""
        ticket = CallbackId(next(self._numbers))
        try:
            watch = self._source.add_callback(path, _MASK, self, ticket)
        except OSError as error:
            if error.errno not in _GONE:
                self._refuse(path, error.strerror or str(error))
            return
        if watch < 0:  # how InotifyFD says EACCES: who may not list it hears of a chmod above it
            self._source.remove_callbacks([(watch, ticket)])
            return
        with self._lock:
            known = self._tickets.get(watch)
            before = self._paths.get(watch)
            if before is not None and before != path and self._watches.get(before) == watch:
                del self._watches[before]
            self._paths[watch] = path
            self._watches[path] = watch
            self._tickets[watch] = ticket
            self.refused.pop(path, None)
        if known is not None:  # it had been watched; each event would be told twice from now on
            self._source.remove_callbacks([(watch, known)])

    def forget(self, is_gone: Callable[[bytes], bool]) -> None:
        """Have no events of these folders any more."""
        with self._lock:
            gone = [(watch, path) for watch, path in self._paths.items() if is_gone(path)]
            tickets = [(watch, self._tickets[watch]) for watch, _ in gone]
            for watch, path in gone:
                self._drop(watch, path)
            self.refused = {path: why for path, why in self.refused.items() if not is_gone(path)}
        self._source.remove_callbacks(tickets)

    def close(self) -> None:
        """No more events."""
        self._source.stop()
        self._source.join(1.0)

    # -- called by InotifyFD, on its thread -----------------------------------------------------

    def on_event(self, event: InotifyEvent) -> None:
        """An event of a watched folder."""
        try:
            folder = self._paths.get(event.wd)
            if folder is not None:
                is_folder = bool(event.mask & InotifyConstants.IN_ISDIR)
                self._ears.happened(folder, event.name, _what(event.mask), is_folder=is_folder)
        except Exception:  # the thread must live on
            self._ears.lost()

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """The folder is gone, or what it was on was unmounted."""
        with self._lock:
            path = self._paths.get(wd)
            if path is not None:
                self._drop(wd, path)

    def on_queue_overflow(self) -> None:
        """The kernel had more events than it keeps."""
        self._ears.lost()

    # -------------------------------------------------------------------------------------------

    def _drop(self, watch: WatchDescriptor, path: bytes) -> None:
        del self._paths[watch]
        self._tickets.pop(watch, None)
        if self._watches.get(path) == watch:
            del self._watches[path]

    def _refuse(self, path: bytes, why: str) -> None:
        with self._lock:
            stale = self._watches.pop(path, None)
            if stale is not None:
                self._paths.pop(stale, None)
                self._tickets.pop(stale, None)
            self.refused[path] = why


def _what(mask: int) -> What:
    if mask & _APPEARED:
        return What.APPEARED
    return What.LEFT if mask & _LEFT else What.ALTERED
