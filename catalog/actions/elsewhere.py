"""The trash of a system that has one of its own: macOS, through Send2Trash."""

from __future__ import annotations

import os

from catalog.actions.trash import NoTrash


def system_trash(path: bytes) -> None:
    """Have the system move a file to its trash. Raises NoTrash where it does not."""
    try:
        from send2trash import send2trash  # a dependency on macOS only
    except ImportError as error:
        raise NoTrash("Send2Trash is not installed") from error
    try:
        send2trash(os.fsdecode(path))
    except OSError as error:
        raise NoTrash(error.strerror or str(error) or "the system refused") from error
