"""A daemon as a real process, and all that can be done to one."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from commandline import Imgcat, Name

from catalog.model import DaemonStanding, DaemonState
from catalog.watching.client import daemon_state

START = 30.0  # seconds until it has looked at everything; a slow machine may need some


def wait_for(condition: Callable[[], object], seconds: float, every: float = 0.05) -> bool:
    """Whether it came true within so many seconds."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(every)
    return True


class Following:
    """``imgcat watch`` of some folders, in the foreground, with what it says in two files."""

    def __init__(self, imgcat: Imgcat, *arguments: Name) -> None:
        """``arguments`` come after ``watch``."""
        self.imgcat = imgcat
        self.arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._out = Path(imgcat.home) / "watch.out"
        self._err = Path(imgcat.home) / "watch.err"

    @property
    def out(self) -> str:
        """What it has said so far, through all its lives."""
        return self._read(self._out)

    @property
    def err(self) -> str:
        """What it has complained of so far."""
        return self._read(self._err)

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The one that was started last."""
        assert self._process is not None, "it was not started"
        return self._process

    def start(self) -> None:
        """Start it, and do not wait for anything."""
        assert not self.running
        with open(self._out, "ab") as out, open(self._err, "ab") as err:
            self._process = subprocess.Popen(
                self.imgcat.command("watch", *self.arguments),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=self.imgcat.env,
                start_new_session=True,
            )

    def state(self) -> DaemonState:
        """How it says it is."""
        return daemon_state(self.imgcat.catalog)

    def watched(self) -> set[int]:
        """The inodes of the folders that the kernel tells it of."""
        place = f"/proc/{self.process.pid}"
        found: set[int] = set()
        for name in os.listdir(f"{place}/fd"):
            with contextlib.suppress(FileNotFoundError):  # closed since
                if os.readlink(f"{place}/fd/{name}") == "anon_inode:inotify":
                    text = Path(f"{place}/fdinfo/{name}").read_text()
                    found.update(int(number, 16) for number in re.findall(r" ino:(\w+)", text))
        return found

    def is_quiet(self) -> bool:
        """Whether it has seen everything, and has nothing to do."""
        state = self.state()
        return (state.state, state.pending, state.to_read) == (DaemonStanding.WATCHING, 0, 0)

    def wait_until_watching(self, seconds: float = START) -> None:
        """Until it has looked at everything; what is very new may be read once more."""
        self._wait(lambda: self.state().state is DaemonStanding.WATCHING, "watching", seconds)

    def wait_until_quiet(self, seconds: float = START) -> None:
        """Until it has nothing to do."""
        self._wait(self.is_quiet, "quiet", seconds)

    def pause(self) -> None:
        """The system gives it no time (SIGSTOP)."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """... and gives it some again (SIGCONT)."""
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """kill -9, while it runs."""
        self.process.kill()
        self.process.wait()

    def stop(self, within: float = 10.0) -> int:
        """Have it end; returns its exit code. Fails where that takes longer than ``within``."""
        self.process.terminate()
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it goes on {within:.0f} s after SIGTERM: {self.out}") from None

    def close(self) -> None:
        """Leave no process behind, however the test went."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _wait(self, condition: Callable[[], bool], word: str, seconds: float) -> None:
        came = wait_for(lambda: not self.running or condition(), seconds)
        assert self.running, f"it ended with {self.process.returncode}: {self.err}"
        assert came, f"not {word} after {seconds:.0f} s: {self.state()}"

    def _read(self, path: Path) -> str:
        try:
            return path.read_text(errors="backslashreplace")
        except FileNotFoundError:
            return ""
