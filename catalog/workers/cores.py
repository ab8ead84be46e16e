"""How many processes are worth starting. Apart from the pool, so that asking starts nothing."""

from __future__ import annotations

import contextlib
import os


def cores() -> int:
    """The processors this process may use, at least 1."""
    with contextlib.suppress(AttributeError):  # only Linux tells what was left to us
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
