"""Telling systemd how the daemon is: sd_notify(3), without its library."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from typing import Final

_STATUS_EVERY: Final = 10.0  # seconds
_STATUS: Final = 500  # characters; systemd drops what is longer than 4,096 bytes


class Notifier:
    """Tells systemd how the daemon is; where systemd did not start it, nothing happens.

    Never waits and never raises. What cannot be sent now goes with the next ``alive``.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes the variables out of the environment: they are not for child processes."""
        names = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
        address, interval, process = (os.environ.pop(name, "") for name in names)
        self._address = os.fsencode(address)
        if address.startswith("@"):  # an abstract address, of no file
            self._address = b"\0" + self._address[1:]
        self._clock = clock
        self._every: float | None = None  # seconds
        if interval.isdecimal() and process in ("", str(os.getpid())):
            self._every = int(interval) / 2_000_000
        self._next = self._next_status = clock()
        self._unsaid: dict[str, str] = {}

    def ready(self) -> None:
        """The daemon listens."""
        self._say("READY", "1")

    def status(self, text: str) -> None:
        """One line on what it does, for ``systemctl status``."""
        line = " ".join(text.split())[:_STATUS]
        self._say("STATUS", line.encode("utf-8", "replace").decode())

    def stopping(self) -> None:
        """The daemon ends."""
        self._say("STOPPING", "1")

    def alive(self, status: Callable[[], str] | None = None) -> None:
        """It goes on. To be called often: what systemd need not hear is not sent.

        ``status`` is asked for its words now and then.
        """
        now = self._clock()
        if self._address and status is not None and now >= self._next_status:
            self._next_status = now + _STATUS_EVERY
            self.status(status())
        if self._every is not None and now >= self._next:
            self._next = now + self._every
            self._unsaid["WATCHDOG"] = "1"
        self._send()

    def _say(self, name: str, value: str) -> None:
        self._unsaid[name] = value
        self._send()

    def _send(self) -> None:
        saying = list(self._unsaid.items())
        if not self._address or not saying:
            return
        text = "\n".join(f"{name}={value}" for name, value in saying)
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel,
        ):
            channel.setblocking(False)
            channel.sendto(text.encode(), self._address)
            for name, _ in saying:
                self._unsaid.pop(name, None)
