"""What the processes of a test do instead of drawing: the name of the file says what."""

from __future__ import annotations

import os
import time

from catalog.model import Failure, Reason


def draw(item: tuple[bytes, bytes, int | None, int]) -> bytes | Failure:
    """When it was begun, and by whom."""
    begun = time.monotonic()
    name = os.path.basename(item[0])
    if name.startswith(b"crash"):
        os.abort()
    if name.startswith(b"hang"):
        time.sleep(60)
    if name.startswith(b"slow"):
        time.sleep(2.0 if name.startswith(b"slower") else 0.4)
    if name.startswith(b"exit"):
        raise SystemExit(3)
    if name.startswith(b"gone"):
        return Failure(Reason.VANISHED)
    if name.startswith(b"bad"):
        return Failure(Reason.DAMAGED, f"seen at {begun}")
    return b"%.6f %d" % (begun, os.getpid())
