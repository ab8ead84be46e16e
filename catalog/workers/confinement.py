"""What a worker process does to itself before it touches a file that nobody vouches for."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

ADDRESS_SPACE: Final = 3 << 29  # bytes, 1.5 GiB: beyond it malloc fails, and nothing swaps
_OPEN_FILES: Final = 32
_PR_SET_PDEATHSIG: Final = 1


def confine(parent: int, warm_up: Callable[[], None] | None) -> None:
    """Limit this process, and make sure that it does not outlive ``parent``."""
    # At once: a handler in Python would wait for the decoder to come back.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _die_with(parent)
    _be_quiet()
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # when memory runs out, this process goes and not the user's browser
    if warm_up is not None:
        warm_up()
    sys.dont_write_bytecode = True
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)  # a decoder has nothing to write
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _limit(resource.RLIMIT_AS, ADDRESS_SPACE)


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    # Where a system refuses (macOS knows no RLIMIT_AS), the time limit remains.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(which, (value, hard))


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            # The signal comes when the *thread* that started us ends, which is fine: that
            # thread lives as long as the pool.
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _be_quiet() -> None:
    # libtiff and others write warnings about hostile files straight to descriptor 2.
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)
