"""You already have this: photos that arrive are looked for, on a thread that nobody waits for."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from catalog.errors import CatalogError
from catalog.model import AlreadyThere
from catalog.watching.programs import failure_of

Arrival: TypeAlias = tuple[bytes, int]  # path, content
Finder: TypeAlias = Callable[[Sequence[Arrival]], Iterable[AlreadyThere]]

_MOST: Final = 10_000  # arrivals that may wait; beyond, 'imgcat dupes' is the one to ask
_AT_ONCE: Final = 500
_TIME_LIMIT: Final = 60.0  # seconds for a command of the user's


class Announcer:
    """Looks up what arrived, tells what was there before, and runs the user's command."""

    def __init__(
        self,
        find: Finder,
        tell: Callable[[AlreadyThere], None],
        say: Callable[[str], None],
        command: Sequence[str] = (),
        notify: str | None = None,
    ) -> None:
        """``command`` gets the path of the new photo and of the other one as two more words.

        ``notify`` is the path of notify-send, to show each on the desktop too.
        """
        self._find = find
        self._tell = tell
        self._say = say
        self._command = command
        self._notify = notify
        self._arrivals: queue.Queue[Arrival | None] = queue.Queue()
        self._too_many = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="arrivals")
        self._thread.start()

    def arrived(self, path: bytes, content: int) -> None:
        """A new photo is in the catalog."""
        if self._arrivals.qsize() < _MOST:
            self._too_many = False
            self._arrivals.put((path, content))
        elif not self._too_many:
            self._too_many = True
            self._say("more photos arrive than can be looked for: 'imgcat dupes' finds them all")

    def close(self) -> None:
        """Tell no more, and begin no further command; one that runs is left to end."""
        self._closing = True
        self._arrivals.put(None)
        self._thread.join(0.5)

    def _run(self) -> None:
        while True:
            batch = self._batch()
            if batch is None:
                return
            try:
                for found in self._find(batch):
                    if self._closing:
                        return
                    self._tell(found)
                    self._pass_on(found)
            except CatalogError as error:
                self._say(f"new photos could not be looked for: {error}")
            except Exception as error:  # the thread must live on
                self._say(f"new photos could not be looked for: {type(error).__name__}: {error}")

    def _batch(self) -> list[Arrival] | None:
        """All that waits, or the first to come."""
        batch: list[Arrival] = []
        first = self._arrivals.get()
        while first is not None:
            batch.append(first)
            if len(batch) == _AT_ONCE:
                return batch
            try:
                first = self._arrivals.get_nowait()
            except queue.Empty:
                return batch
        return None

    def _pass_on(self, found: AlreadyThere) -> None:
        if self._command:
            self._call([*self._command, found.path, found.other])
        if self._notify is not None:
            name = found.path.rpartition(b"/")[2].decode(errors="replace")
            text = f"{name}: {found.other.decode(errors='replace')}"
            self._call([self._notify, "--app-name=imgcat", "--", "You already have this", text])

    def _call(self, words: Sequence[str | bytes]) -> None:
        why = failure_of(words, _TIME_LIMIT)
        if why:
            self._say(f"{os.fsdecode(words[0])} failed: {why}")
