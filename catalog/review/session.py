"""One run of the review server: its secrets, and whether somebody is there."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

_SECRET_BYTES: Final = 32  # 256 bits


def _secret() -> str:
    return secrets.token_urlsafe(_SECRET_BYTES)


class Presence:
    """Whether somebody is there, which is what keeps a server from ending by itself.

    Work may begin and end on any thread.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._working = 0
        self.touched = clock()
        self.entered = False  # whether a browser has the cookie

    def touch(self) -> None:
        """A person did something just now."""
        self.touched = self._clock()

    @contextmanager
    def working(self) -> Iterator[None]:
        """For as long as this lasts, and a full wait from then on, nobody counts as away."""
        with self._lock:
            self._working += 1
        try:
            yield
        finally:
            with self._lock:
                self._working -= 1
            self.touch()

    @property
    def busy(self) -> bool:
        """Whether work is being done."""
        return self._working > 0

    @property
    def away_for(self) -> float:
        """Seconds since somebody was there; 0 while work is being done."""
        return 0.0 if self.busy else self._clock() - self.touched


@dataclass(frozen=True, slots=True)
class Session:
    """What one run of the server goes by. The secrets are in no ``repr``."""

    port: int
    token: str = field(default_factory=_secret, repr=False)  # in the address, to enter with
    cookie: str = field(default_factory=_secret, repr=False)  # what the browser gets for it
    csrf: str = field(default_factory=_secret, repr=False)  # in the page, sent with each change
    presence: Presence = field(default_factory=Presence)

    @property
    def cookie_name(self) -> str:
        """Cookies are the host's, whatever the port: with it, two servers are kept apart."""
        return f"imgcat-{self.port}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """What a Host header of a request that means this server says."""
        return tuple(f"{name}:{self.port}" for name in ("127.0.0.1", "localhost", "[::1]"))

    @property
    def address(self) -> str:
        """To be opened in a browser. What follows the # is sent to no server, and in no Referer."""
        return f"http://127.0.0.1:{self.port}/#{self.token}"
