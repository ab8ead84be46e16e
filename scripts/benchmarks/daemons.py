"""``imgcat watch`` in the foreground, a process of its own, and how it says it is."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from benchmarks import product
from benchmarks.measuring import BenchError, environment_with
from catalog.model import DaemonStanding, DaemonState
from catalog.watching.client import daemon_state

ASK_EVERY: Final = 0.05  # seconds between questions to the daemon
VISIBLE_WITHIN: Final = 120.0  # seconds
DONE_WITHIN: Final = 1_800.0  # seconds, with very many files
_ENDS_WITHIN: Final = 30.0


@dataclass(slots=True)
class Daemon:
    """``imgcat watch`` as it runs."""

    process: subprocess.Popen[bytes]
    catalog: str
    said: str  # path of what it writes
    started: float = field(default_factory=time.perf_counter)
    caught_up: float = 0.0  # seconds from its start until it had looked at everything

    def state(self) -> DaemonState:
        return daemon_state(os.fsencode(self.catalog))

    def is_done(self) -> bool:
        """Whether it has nothing to do, also no second look at what was new when it was read.

        Raises BenchError where not all events come.
        """
        state = self.state()
        if state.polling or state.unwatched:
            raise BenchError(f"not all events come: {state.problem}")
        watching = state.state is DaemonStanding.WATCHING
        return watching and state.pending == 0 and state.to_read == 0

    def wait(
        self, what: str, holds: Callable[[], bool], *, every: float, within: float = VISIBLE_WITHIN
    ) -> float:
        """The moment at which ``holds`` was found to be so. Raises BenchError."""
        until = time.perf_counter() + within
        while not holds():
            if self.process.poll() is not None:
                raise BenchError(f"imgcat watch ended: {self._last_words()}")
            if time.perf_counter() > until:
                words = f"{self.state()}: {self._last_words()}"
                raise BenchError(f"{what} was waited for in vain for {within:.0f} s; {words}")
            time.sleep(every)
        return time.perf_counter()

    def stop(self) -> None:
        """End it, by force where it must be."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise BenchError(f"imgcat watch had to be killed: {self._last_words()}") from None

    def _last_words(self) -> str:
        with open(self.said, encoding="utf-8", errors="replace") as lines:
            return lines.read()[-500:].strip()


@contextlib.contextmanager
def following(work: str, jobs: int, catalog: str, tree: str) -> Iterator[Daemon]:
    """A daemon that has looked at everything; ended afterwards."""
    command = [product.IMGCAT, "--catalog", catalog, "watch", "--jobs", str(jobs), tree]
    with (
        product.fresh_home(work) as home,
        tempfile.NamedTemporaryFile(prefix="watch-", dir=work) as said,
    ):
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=environment_with(home),
        )
        daemon = Daemon(process, catalog, said.name)
        try:
            watches = daemon.wait(
                "the first look", daemon.is_done, every=ASK_EVERY, within=DONE_WITHIN
            )
            daemon.caught_up = watches - daemon.started
            yield daemon
        except BaseException:
            with contextlib.suppress(BenchError):  # there is one already
                daemon.stop()
            raise
        daemon.stop()
