"""Events by watchdog's own observer, where the system watches whole trees by itself: macOS.

Not on Linux, for the reasons that ``inotify`` gives.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from watchdog.events import (
    EVENT_TYPE_CLOSED_NO_WRITE,
    EVENT_TYPE_CREATED,
    EVENT_TYPE_DELETED,
    EVENT_TYPE_MODIFIED,
    EVENT_TYPE_MOVED,
    EVENT_TYPE_OPENED,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

from catalog.watching.ears import Ears, What
from catalog.watching.hints import is_inside


class Observed:
    """One observer, and the trees that it watches. Raises OSError where the system has none."""

    def __init__(self, ears: Ears) -> None:
        self._handler = _Handler(ears)
        self._trees: dict[bytes, ObservedWatch] = {}
        self.refused: dict[bytes, str] = {}
        self._observer = Observer()
        self._observer.start()

    @property
    def alive(self) -> bool:
        """Whether events are being read."""
        return self._observer.is_alive()

    @property
    def count(self) -> int:
        """How many trees are watched."""
        return len(self._trees)

    def watches(self, path: bytes) -> bool:
        """Whether events of this folder come."""
        return any(is_inside(path, top) for top in self._trees)

    def watch(self, path: bytes) -> None:
        """Have events of this folder and of all below it from now on."""
        top = next((top for top in self._trees if is_inside(path, top)), None)
        if top is not None and (top != path or self._is_heard(top)):
            return
        if top is not None:  # it went and came back
            self._drop(top)
        try:
            watch = self._observer.schedule(self._handler, os.fsdecode(path), recursive=True)
        except OSError as error:
            if os.path.isdir(path):
                self.refused[path] = error.strerror or str(error)
            return
        self.refused.pop(path, None)
        self._trees[path] = watch

    def forget(self, is_gone: Callable[[bytes], bool]) -> None:
        """Have no events of these trees any more."""
        for path in [path for path in self._trees if is_gone(path)]:
            self._drop(path)

    def close(self) -> None:
        """No more events."""
        self._observer.stop()
        self._observer.join(1.0)

    def _is_heard(self, top: bytes) -> bool:
        return any(
            emitter.watch == self._trees[top] and emitter.is_alive()
            for emitter in self._observer.emitters
        )

    def _drop(self, top: bytes) -> None:
        with contextlib.suppress(KeyError):
            self._observer.unschedule(self._trees.pop(top))


class _Handler(FileSystemEventHandler):
    """Called on the observer's thread, which an exception would end."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears

    def on_any_event(self, event: FileSystemEvent) -> None:
        try:
            self._pass_on(event)
        except Exception:
            self._ears.lost()

    def _pass_on(self, event: FileSystemEvent) -> None:
        kind, is_folder = event.event_type, event.is_directory
        if kind in (EVENT_TYPE_OPENED, EVENT_TYPE_CLOSED_NO_WRITE):
            return  # also our own reading does that
        if kind == EVENT_TYPE_MODIFIED and is_folder:
            return  # something in it was made or went, and that has an event of its own
        if kind == EVENT_TYPE_MOVED and event.dest_path:
            self._tell(event.dest_path, What.APPEARED, is_folder=is_folder)
        what = {EVENT_TYPE_CREATED: What.APPEARED, EVENT_TYPE_DELETED: What.LEFT}.get(
            kind, What.LEFT if kind == EVENT_TYPE_MOVED else What.ALTERED
        )
        self._tell(event.src_path, what, is_folder=is_folder)

    def _tell(self, path: bytes | str, what: What, *, is_folder: bool) -> None:
        folder, name = os.path.split(os.fsencode(path))
        self._ears.happened(folder, name, what, is_folder=is_folder)
