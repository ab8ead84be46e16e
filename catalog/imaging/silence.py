"""Keep C libraries from writing to the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2


@contextmanager
def no_stderr() -> Iterator[None]:
    """Send what is written to the descriptor of standard error to nowhere.

    libtiff and LibRaw report every odd tag and bad byte there, past all of Python's ways to
    stop them, and one damaged file can write hundreds of lines into a progress display.
    """
    try:
        kept = os.dup(_STDERR)
    except OSError:  # closed: nothing can be written there
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.dup2(nowhere, _STDERR)
        finally:
            os.close(nowhere)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
