"""A daemon on a thread of the test, whose clock and senses the test can reach."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from catalog.indexing.perform import Tally
from catalog.model import AlreadyThere, Change, Happening
from catalog.queries.arrivals import already_there
from catalog.watching.arrivals import Announcer
from catalog.watching.daemon import Daemon
from catalog.watching.options import Options
from tests.support import Library, Reader

PATIENCE = 20.0  # seconds; what takes longer does not come


class Recorder:
    """Hears what the daemon tells."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.many: list[tuple[Happening, int, bytes]] = []
        self.found: list[AlreadyThere] = []
        self.looks: list[bytes] = []
        self.said: list[str] = []

    def changed(self, change: Change) -> None:
        self.changes.append(change)

    def changed_many(self, what: Happening, count: int, below: bytes) -> None:
        self.many.append((what, count, below))

    def already_there(self, found: AlreadyThere) -> None:
        self.found.append(found)

    def looked(self, root: bytes, tally: Tally, seconds: float) -> None:
        self.looks.append(root)

    def say(self, message: str) -> None:
        self.said.append(message)

    def has_said(self, words: str) -> bool:
        return any(words in line for line in self.said)


class Pool:
    """Reads in this process, in place of processes that stay."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.jobs = 1
        self.started = False
        self.ended = 0

    def start(self) -> None:
        self.started = True

    def run_all(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
        self.started = True
        return self._reader.run_all(function, tasks, jobs=1)

    def end(self) -> None:
        self.started = False
        self.ended += 1


class Watched:
    """A library that a daemon follows."""

    def __init__(self, library: Library, pool: Pool) -> None:
        self.library = library
        self.pool = pool
        self.recorder = Recorder()
        self.ended_by: BaseException | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._announcer: Announcer | None = None
        self.daemon: Any = None

    def start(self, *paths: bytes, poll: bool = False, wait: bool = True, **options: Any) -> None:
        """Follow ``paths`` (the library's top if none)."""
        self._stop.clear()
        self._announcer = Announcer(
            lambda arrivals: already_there(self.library.catalog, arrivals),
            self.recorder.already_there,
            self.recorder.say,
            options.pop("command", ()),
        )
        self.daemon = Daemon(
            self.library.catalog,
            self.recorder,
            list(paths) or [bytes(self.library.top)],
            Options(poll=poll, jobs=1),
            arrived=self._announcer.arrived,
            turning=self._turn,
            **options,
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        if wait:
            assert self.until(lambda: self.status["state"] in ("watching", "degraded")), self.words

    def _turn(self) -> None:
        if self._stop.is_set():
            raise KeyboardInterrupt

    def _run(self) -> None:
        try:
            self.daemon.run()
        except BaseException as error:
            self.ended_by = error

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.daemon.status()
        return found

    @property
    def words(self) -> str:
        return f"{self.recorder.said} {self.ended_by!r}"

    def stop(self) -> None:
        """End it, as Ctrl-C would."""
        self._stop.set()
        if self._thread is not None:
            self.daemon._hints.wake()
            self._thread.join(PATIENCE)
            assert not self._thread.is_alive()
            self._thread = None
        if self._announcer is not None:
            self._announcer.close()

    def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Whether it came true in time, and the daemon still runs."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.ended_by is not None:
                return False
            if condition():
                return True
            time.sleep(0.02)
        return False

    def sync(self) -> bool:
        """Whether the catalog has all that happened until now."""
        return bool(self.daemon.sync()["fresh"])

    def known(self) -> dict[bytes, bytes | str]:
        """What the catalog has, once it has all that happened until now."""
        assert self.sync(), self.daemon.sync()
        return self.library.known()

    def is_quiet(self) -> bool:
        """Whether nothing waits, not even for a second look."""
        status = self.status
        return (status["pending"], status["to_read"]) == (0, 0)
