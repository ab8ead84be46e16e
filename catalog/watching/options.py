"""How to follow. Apart from the daemon, so that asking imports nothing of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """``poll``: look every minute, and use no events. ``jobs`` processes read; None: one a core."""

    poll: bool = False
    jobs: int | None = None
