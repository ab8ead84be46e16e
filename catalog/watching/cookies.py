"""A file that is made to see its event: then events come, and all earlier ones have come.

The kernel keeps the events of one instance in order, so whatever happened to photos before a
cookie was made has been heard of when the event of the cookie is.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import stat
import tempfile
import threading
from collections.abc import Callable


class Cookies:
    """A private folder, in memory where there is such a place, so that no disk wakes up for it.

    It is not there before ``make_folder``, and may go: with the session of a user who logs out,
    or to who tidies /tmp.
    """

    def __init__(self, catalog: bytes) -> None:
        self._catalog = catalog
        self.folder = b""
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[bytes, Callable[[], None]] = {}

    def make_folder(self) -> None:
        """Make the folder, or make it anew where somebody took it away."""
        self.folder = os.fsencode(_private_folder(self._catalog))

    def bake(self, when_seen: Callable[[], None]) -> bytes:
        """Make a cookie; ``when_seen`` is called on the thread that reads events. Raises OSError.

        Returns its name, for ``drop``.
        """
        name = b"cookie-%d" % next(self._numbers)
        with self._lock:
            self._waiting[name] = when_seen
        path = os.path.join(self.folder, name)
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            os.unlink(path)
        except OSError:
            self.drop(name)
            raise
        return name

    def seen(self, name: bytes) -> None:
        """The event of a cookie has come."""
        with self._lock:
            when_seen = self._waiting.pop(name, None)
        if when_seen is not None:
            when_seen()

    def drop(self, name: bytes) -> None:
        """Nobody waits for this one any more."""
        with self._lock:
            self._waiting.pop(name, None)

    def close(self) -> None:
        """Remove the folder."""
        with contextlib.suppress(OSError):
            os.rmdir(self.folder)


def _private_folder(catalog: bytes) -> str:
    """A folder that is ours alone: the same one each time, so that a crash leaves one at most."""
    name = f"imgcat-{os.getuid()}-{hashlib.blake2b(catalog, digest_size=6).hexdigest()}"
    for place in (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm", tempfile.gettempdir()):
        path = os.path.join(os.path.realpath(place), name) if place else ""
        if path and _is_made_ours(path):
            return path
    return os.path.realpath(tempfile.mkdtemp(prefix="imgcat-"))


def _is_made_ours(path: str) -> bool:
    """Make a folder that only we can use; False where that cannot be, or somebody else did."""
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            return False
        os.chmod(path, 0o700)
    except OSError:
        return False
    return True
