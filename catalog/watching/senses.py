"""How the daemon hears: events where the system has them, and the means to tell that they come.

A thread that died, a descriptor that was closed and a kernel that tells nothing all look like
a quiet evening. So every half minute a cookie must be heard of, or all is made anew.
"""

from __future__ import annotations

import contextlib
import errno
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from catalog.errors import GaveUp
from catalog.watching.cookies import Cookies
from catalog.watching.ears import Listener

_PULSE: Final = 30.0  # seconds between cookies
_DEAF_AFTER: Final = 10.0  # seconds without the event of one
_TRIES: Final = 3  # times that all was made anew ...
_TRIES_WITHIN: Final = 600.0  # ... within so many seconds: then it is for others to help
_PLENTY: Final = 524_288  # watches, a kernel's own choice where there is memory enough
_SELF_TEST: Final = 5.0  # seconds for the first cookie


class Events(Protocol):
    """Where events come from."""

    refused: dict[bytes, str]  # folders that could not be watched, and why

    @property
    def alive(self) -> bool: ...
    @property
    def count(self) -> int: ...
    def watches(self, path: bytes) -> bool: ...
    def watch(self, path: bytes) -> None: ...
    def forget(self, is_gone: Callable[[bytes], bool]) -> None: ...
    def close(self) -> None: ...


def _events_of(platform: str, listener: Listener) -> Events:
    if platform == "linux":
        from catalog.watching.inotify import Inotify

        return Inotify(listener)
    from catalog.watching.observed import Observed

    return Observed(listener)


class Senses:
    """Events of the folders that are watched, or none at all: ``why_polling`` says why."""

    def __init__(
        self,
        cookies: Cookies,
        listener: Listener,
        clock: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self.cookies = cookies
        self.listener = listener
        self.why_polling = ""
        self._clock = clock
        self._say = say
        self._events: Events | None = None
        self._pulse: tuple[bytes, float] | None = None  # the cookie on its way, and since when
        self._heard = threading.Event()
        self._next_pulse = clock() + _PULSE
        self._failures: list[float] = []

    @property
    def hears(self) -> bool:
        """Whether there are events at all."""
        return self._events is not None

    @property
    def count(self) -> int:
        """How many folders are watched."""
        return 0 if self._events is None else max(0, self._events.count - 1)

    @property
    def refused(self) -> dict[bytes, str]:
        """The folders that the system would not watch, and why."""
        return {} if self._events is None else self._events.refused

    @property
    def problem(self) -> str:
        """What keeps events from coming, and what to do about it; empty where they come."""
        if self._events is None:
            return f"{self.why_polling}: looking every minute instead"
        refused = self.refused
        if not refused:
            return ""
        why = next(iter(refused.values()))
        wanted = self.count + len(refused)
        words = (
            f"{len(refused):,} of {wanted:,} folders cannot be watched ({why}) and are looked at "
            "every minute instead"
        )
        if "limit" in why:
            enough = max(1 << (2 * wanted).bit_length(), _PLENTY)
            words += f"; 'sudo sysctl fs.inotify.max_user_watches={enough}' allows all"
        return words

    def open(self) -> None:
        """Begin to hear, and make sure of it; else ``why_polling`` says why that cannot be."""
        try:
            self.cookies.make_folder()
            events = _events_of(sys.platform, self.listener)
            events.watch(self.cookies.folder)
        except OSError as error:
            self.why_polling = _no_instance(error)
            return
        except (ImportError, AttributeError, TypeError) as error:
            self.why_polling = f"watchdog is not the one that imgcat knows ({error})"
            return
        self._events = events
        if not self._cookie_comes():
            self.close_events()
            self.why_polling = "the system tells nothing of a file that was just made"

    def close_events(self) -> None:
        """Hear no more."""
        events, self._events = self._events, None
        if events is not None:
            with contextlib.suppress(Exception):  # whatever it died of
                events.close()

    def close(self) -> None:
        """Hear no more, and leave nothing behind."""
        self.close_events()
        self.cookies.close()

    def watch(self, path: bytes) -> None:
        """Have events of a folder, just before it is listed."""
        if self._events is not None:
            self._events.watch(path)

    def watches(self, path: bytes) -> bool:
        """Whether events of this folder come."""
        return self._events is not None and self._events.watches(path)

    def forget(self, is_gone: Callable[[bytes], bool]) -> None:
        """Folders that are not there any more, or that nobody follows."""
        if self._events is not None:
            ours = self.cookies.folder
            self._events.forget(lambda path: path != ours and is_gone(path))

    @contextlib.contextmanager
    def sync(self, heard: Callable[[], None]) -> Iterator[None]:
        """Within this, ``heard`` is called when all that happened until now has been heard of.

        On whatever thread; at once where there are no events. Raises OSError where that cannot
        be told.
        """
        if self._events is None:
            heard()
            yield
            return
        name = self.cookies.bake(heard)
        try:
            yield
        finally:
            self.cookies.drop(name)

    def is_deaf(self) -> bool:
        """Look whether events still come; from time to time is enough."""
        if self._events is None:
            return False
        now = self._clock()
        if self._pulse is not None:
            name, since = self._pulse
            if self._heard.is_set():
                self._pulse = None
            elif now - since > _DEAF_AFTER:
                self.cookies.drop(name)
                self._pulse = None
                return True
        elif now >= self._next_pulse:
            self._next_pulse = now + _PULSE
            self._heard.clear()
            try:
                self._pulse = (self.cookies.bake(self._heard.set), now)
            except OSError:  # its folder went
                return True
        return not self._events.alive

    def begin_anew(self) -> None:
        """All watches are gone after this: whoever follows folders looks at them again.

        Raises GaveUp where it was tried too often.
        """
        now = self._clock()
        self._failures = [when for when in self._failures if now - when < _TRIES_WITHIN]
        self._failures.append(now)
        if len(self._failures) >= _TRIES:
            raise GaveUp(
                f"events of the disk stopped to come {_TRIES} times within "
                f"{_TRIES_WITHIN / 60:.0f} minutes: start 'imgcat watch' again, "
                "with --poll if it goes on"
            )
        self._say("events of the disk stopped to come: listening anew, and looking at everything")
        self.close_events()
        self.open()

    def _cookie_comes(self) -> bool:
        """The self-test: a file that is made in a watched folder is heard of."""
        came = threading.Event()
        try:
            self.cookies.bake(came.set)
        except OSError:
            return False
        return came.wait(_SELF_TEST)


def _no_instance(error: OSError) -> str:
    if error.errno == errno.EMFILE:
        return (
            "the system gives no further inotify instance; "
            "sysctl fs.inotify.max_user_instances=512 allows more"
        )
    return f"the system gives no events ({error.strerror or error})"
