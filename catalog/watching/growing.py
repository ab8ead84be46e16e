"""Whether somebody still writes to a file: then it is not whole yet, and is left for later."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
import sys
from typing import Final

_NS: Final = 10**9
_STEADY_NS: Final = 2 * _NS  # unchanged for so long, where writers cannot be told
_ENOUGH_NS: Final = 60 * _NS  # after that, one who has it open does not write to it now


def is_growing(path: bytes, now_ns: int) -> bool:
    """Whether somebody seems to be writing to the file at ``path``.

    A file that cannot be opened is for whoever reads it to say something about.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError):
        return False
    try:
        status = os.fstat(descriptor)
        age = now_ns - max(status.st_mtime_ns, status.st_ctime_ns)
        if not stat.S_ISREG(status.st_mode) or not 0 <= age < _ENOUGH_NS:
            return False
        written = _has_writers(descriptor)
        return age < _STEADY_NS if written is None else written
    finally:
        os.close(descriptor)


def _has_writers(descriptor: int) -> bool | None:
    """Whether somebody has the file open to write to it; None where the system does not tell.

    Linux grants a lease for reading where nobody has; to the file's owner, on a local disk. Who
    opens the file in the moment that we have the lease waits for that moment, and the signal
    that tells us so is one that nobody minds.
    """
    if sys.platform != "linux":
        return None
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        return None
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
