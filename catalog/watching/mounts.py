"""Being woken when something is mounted or unmounted: no event of a folder tells that."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Callable
from typing import Final

_TABLE: Final = "/proc/self/mountinfo"


class MountWatch:
    """Calls ``changed`` from a thread of its own; does nothing where there is no mount table."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._stop, self._stopped = os.pipe()
        threading.Thread(target=self._run, daemon=True, name="mounts").start()

    def close(self) -> None:
        """Call no more."""
        os.close(self._stopped)

    def _run(self) -> None:
        with contextlib.suppress(OSError), open(_TABLE, "rb") as table:
            poll = select.poll()
            poll.register(table, select.POLLERR | select.POLLPRI)
            poll.register(self._stop, select.POLLIN)
            while True:
                ready = {descriptor for descriptor, _ in poll.poll()}
                if self._stop in ready:
                    break
                self._changed()
        with contextlib.suppress(OSError):
            os.close(self._stop)
