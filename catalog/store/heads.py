"""The first bytes of a catalog file, read so that no lock is lost.

When a process closes any descriptor of a file, it loses all locks that it holds on the file
(fcntl(2), "Record locking"), those of SQLite among them; SQLite itself takes care of that among
its own connections (https://sqlite.org/howtocorrupt.html, 2.2). Another process would take the
log for one that nobody needs any more, and delete it under a connection that still writes to it.
So while this process has a connection, a descriptor that was opened to read is not closed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TypeAlias

_File: TypeAlias = tuple[int, int]  # device and inode

_lock = threading.Lock()
_connections: dict[_File, int] = {}
_kept: dict[_File, int] = {}


def read(path: bytes, size: int) -> bytes:
    """The first ``size`` bytes of a file. Raises OSError."""
    with _lock:
        file = _file(path)
        descriptor = _kept.get(file)
        if descriptor is not None:
            return os.pread(descriptor, size, 0)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if _connections.get(file):
            _kept[file] = descriptor
            return os.pread(descriptor, size, 0)
        try:
            return os.pread(descriptor, size, 0)
        finally:
            os.close(descriptor)


def in_use(path: bytes) -> Callable[[], None]:
    """This process is about to connect to a file; call what is returned after the connection.

    Raises OSError.
    """
    file = _file(path)
    with _lock:
        _connections[file] = _connections.get(file, 0) + 1

    def done() -> None:
        with _lock:
            _connections[file] -= 1
            if not _connections[file]:
                del _connections[file]
                descriptor = _kept.pop(file, None)
                if descriptor is not None:
                    os.close(descriptor)

    return done


def _file(path: bytes) -> _File:
    status = os.stat(path)
    return status.st_dev, status.st_ino
