"""How far a run of the program has come, seen from outside."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable

from commandline import Imgcat


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Whether it came true while the process was running."""
    while process.poll() is None:
        if condition():
            return True
        time.sleep(0.005)
    return False


def has_workers(imgcat: Imgcat) -> bool:
    """Whether it has begun to read photos."""
    return len(imgcat.processes()) > 2  # itself and the tracker of multiprocessing


def wait_for_commit(imgcat: Imgcat, process: subprocess.Popen[bytes]) -> None:
    """Until it has stored some of the photos that it has read."""
    if wait_for(lambda: has_workers(imgcat), process):
        before = _log_changed(imgcat)
        wait_for(lambda: _log_changed(imgcat) != before, process)


def wait_for_chance(imgcat: Imgcat, process: subprocess.Popen[bytes], dice: random.Random) -> None:
    """Until any moment of its life, mostly where it matters: among workers and commits.

    What it waits for comes later on a slow machine, so that a kill finds something there too.
    """
    where = dice.random()
    if where < 0.5:
        wait_for_commit(imgcat, process)
    elif where < 0.75:
        wait_for(lambda: has_workers(imgcat), process)
    time.sleep(dice.uniform(0, 0.3 if where < 0.5 else 0.6))


def _log_changed(imgcat: Imgcat) -> int:
    try:
        return os.stat(imgcat.catalog + b"-wal").st_mtime_ns
    except FileNotFoundError:
        return 0
