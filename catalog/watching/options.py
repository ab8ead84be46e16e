"""How to follow. Apart from the daemon, so that asking imports nothing of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """``poll``: look every minute, and use no events. ``jobs`` processes read; None: one a core.

    When a photo arrives that was there before, ``command`` is run with both paths as two more
    arguments, and ``notify``, the path of notify-send, shows it.
    """

    poll: bool = False
    jobs: int | None = None
    command: tuple[str, ...] = ()
    notify: str | None = None
