"""You already have this: photos that arrive are looked for, on a thread that nobody waits for."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from catalog.errors import CatalogError
from catalog.model import AlreadyThere

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
        """Tell no more."""
        self._arrivals.put(None)
        self._thread.join(0.5)

    def _run(self) -> None:
        while True:
            batch = self._batch()
            if batch is None:
                return
            try:
                for found in self._find(batch):
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
        """Run a program; without a shell, so that no file name can mean anything to one."""
        name = words[0] if isinstance(words[0], str) else "the command"
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=_TIME_LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            self._say(f"{name} was stopped after {_TIME_LIMIT:.0f} seconds")
        except (OSError, ValueError) as error:
            self._say(f"{name} cannot be run: {error}")
        else:
            if done.returncode:
                said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
                detail = f": {said[0]}" if said else ""
                self._say(f"{name} ended with {done.returncode}{detail}")
