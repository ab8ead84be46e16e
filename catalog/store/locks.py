"""File locks that the kernel releases when their holder dies, however it dies.

They live in ``<stem>.locks/`` beside the catalog, one file a lock. ``flock`` decides who
holds it; the text in the file only names the holder for the message of whoever waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import sys
import time
from collections.abc import Callable, Iterator

from catalog.errors import Busy, CatalogError
from catalog.escaping import printable

PATIENCE = 30.0  # seconds without a lock before giving up
ANNOUNCE_AFTER = 1.0  # seconds of waiting that nobody needs to hear of
_POLL = 0.02  # flock has no time-out; batches hold the write lock for 200 ms at most


class FileLock:
    """One lock file. ``shared`` holders exclude exclusive ones only."""

    def __init__(self, path: bytes, purpose: str) -> None:
        self.path = path
        self.purpose = purpose
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def try_acquire(self, *, shared: bool = False) -> bool:
        """Take the lock if nobody is in the way; never waits."""
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        # Kept at once: an interrupt at any line from here on must find it to close.
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            return False
        except BaseException:
            self.release()
            raise
        if not shared:
            self._sign(self._descriptor)
        return True

    def acquire(
        self,
        *,
        shared: bool = False,
        patience: float | None = None,
        waiting: Callable[[str], None] = lambda _message: None,
    ) -> None:
        """Take the lock, waiting up to ``patience`` seconds (PATIENCE if not given).

        ``waiting`` is told once, after a second, who is being waited for.
        Raises Busy, naming the holder, when the time is up.
        """
        patience = PATIENCE if patience is None else patience
        begun = time.monotonic()
        announced = False
        while not self.try_acquire(shared=shared):
            waited = time.monotonic() - begun
            if waited >= patience:
                raise Busy(
                    f"{self.purpose} is held by {self.holder()} for more than "
                    f"{patience:.0f} seconds; try again when it is done"
                )
            if waited >= ANNOUNCE_AFTER and not announced:
                waiting(f"waiting for {self.holder()}, which holds {self.purpose}")
                announced = True
            time.sleep(_POLL)

    def downgrade(self) -> None:
        """From exclusive to shared, without a moment in between."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def release(self) -> None:
        """Give the lock back; does nothing where it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @contextlib.contextmanager
    def hold(
        self,
        *,
        patience: float | None = None,
        waiting: Callable[[str], None] = lambda _message: None,
    ) -> Iterator[None]:
        """The lock for the length of a ``with`` block."""
        try:
            self.acquire(patience=patience, waiting=waiting)
            yield
        finally:
            self.release()

    def holder(self) -> str:
        """Who signed last, as "imgcat index (process 123)"."""
        try:
            with open(self.path, encoding="utf-8", errors="replace") as file:
                text = file.read(200).strip()
        except OSError:
            text = ""
        return text or "another imgcat"

    def process(self) -> int | None:
        """The process id of who signed last, where that can be read."""
        found = re.search(r"\(process (\d+)\)", self.holder())
        return int(found[1]) if found else None

    def _sign(self, descriptor: int) -> None:
        command = next((word for word in sys.argv[1:] if word.isalpha()), "")
        text = f"imgcat {command}".strip() + f" (process {os.getpid()})\n"
        # A full disk must not cost the lock: the name is a courtesy.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, text.encode(), 0)


class Locks:
    """The locks of one catalog."""

    def __init__(self, catalog: bytes) -> None:
        self.folder = os.path.splitext(os.path.realpath(catalog))[0] + b".locks"

    def prepare(self) -> None:
        """Make the folder of the locks."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)

    def write(self) -> FileLock:
        """Held per batch of writes, by whoever writes."""
        return self._lock(b"write", "the catalog's write lock")

    def root(self, root: int) -> FileLock:
        """Held for a run by whoever brings this root up to date."""
        return self._lock(b"root-%d" % root, "the lock on this folder")

    @contextlib.contextmanager
    def removing(
        self,
        *,
        patience: float | None = None,
        waiting: Callable[[str], None] = lambda _message: None,
    ) -> Iterator[None]:
        """Held by the one action at a time that takes files away, or brings them back.

        The one of a user over all catalogs, as two actions with opposite ideas of what is kept
        would each take the copy of the other; and of this catalog over all users.
        """
        with contextlib.ExitStack() as held:
            try:
                self.prepare()
                for lock in (self._lock(b"action", _RIGHT), removal_lock()):
                    held.enter_context(lock.hold(patience=patience, waiting=waiting))
            except OSError as error:
                name = printable(os.fsencode(error.filename or self.folder))
                raise CatalogError(
                    f"{_RIGHT} cannot be had: the lock {name} cannot be made ({error.strerror})"
                ) from error
            yield

    def daemon(self) -> FileLock:
        """Held for life by the one daemon."""
        return self._lock(b"daemon", "the daemon's lock")

    def review(self) -> FileLock:
        """Held for life by the one server of the review page: it has the choices in memory."""
        return self._lock(b"review", "the review page")

    def session(self) -> FileLock:
        """Shared by all that may write; exclusive for a moment by the first to come."""
        return self._lock(b"session", "the catalog")

    @property
    def initialised(self) -> bytes:
        """Path of the mark that says: a sound catalog once stood here."""
        return os.path.join(self.folder, b"initialised")

    def _lock(self, name: bytes, purpose: str) -> FileLock:
        return FileLock(os.path.join(self.folder, name), purpose)


_RIGHT = "the right to take files away"


def removal_lock() -> FileLock:
    """That of the user, over all catalogs: see ``Locks.removing``."""
    import platformdirs  # for those who need it

    folder = os.fsencode(platformdirs.user_state_dir("imgcat", appauthor=False))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return FileLock(os.path.join(folder, b"removal.lock"), _RIGHT)
