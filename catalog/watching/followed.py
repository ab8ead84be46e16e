"""One root as the daemon follows it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from catalog.indexing.reconcile import Look
from catalog.scanning import filesystem
from catalog.scanning.filesystem import Presence
from catalog.store.folders import RootRow
from catalog.watching.hints import is_inside

POLL: Final = 60.0  # seconds between looks where no events come
_POLL_SHARE: Final = 0.02  # of the time is spent on these looks at most
RESCAN: Final = 3600.0  # seconds between looks at everything, come what may ...
_RESCAN_SPREAD: Final = 0.25  # ... more or less, so that daemons do not all do it at once
_MANY_REFUSED: Final = 500  # folders without events; beyond, the whole root is looked at


@dataclass(slots=True)
class Followed:
    """A root, what stands at its place, and since when the catalog is known to agree with it."""

    root: RootRow
    now: float  # monotonic seconds, when it came to be followed
    presence: Presence = field(init=False)
    lost_at: float = field(init=False)  # the last time that something may have been missed
    agreed_at: float | None = None  # begin of the last whole look that was carried out
    agreed_ns: int | None = None  # the same by the clock on the wall
    told_silent: bool = False  # that some of it changes without events
    rescan_at: float = field(init=False)
    poll_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.presence = filesystem.look(self.root.path)
        self.lost_at = self.now
        self.rescan_at = self.now + RESCAN
        self.poll_at = self.now + POLL

    @property
    def path(self) -> bytes:
        """Absolute."""
        return self.root.path

    @property
    def is_there(self) -> bool:
        """Whether a folder stands at its place."""
        return self.presence.identity is not None

    @property
    def agrees(self) -> bool:
        """Whether all that was heard of since the last whole look is all there was."""
        return self.agreed_at is not None and self.agreed_at >= self.lost_at

    def place_changed(self) -> bool:
        """Look again what stands at its place; whether it is something else than before."""
        before, self.presence = self.presence, filesystem.look(self.root.path)
        key = (before.identity, before.device, before.inode)
        return key != (self.presence.identity, self.presence.device, self.presence.inode)

    def looked_at(self, begun: float, begun_ns: int, now: float) -> None:
        """A whole look that began then was carried out."""
        self.agreed_at, self.agreed_ns = begun, begun_ns
        spread = 1 + random.uniform(-_RESCAN_SPREAD, _RESCAN_SPREAD)
        self.rescan_at = now + RESCAN * spread
        self.poll_at = now + max(POLL, (now - begun) / _POLL_SHARE)

    def silent(self, mounts: Sequence[filesystem.Mount]) -> list[bytes]:
        """The parts of it, itself perhaps, that may change without an event."""
        inside = [m.point for m in mounts if m.is_silent and is_inside(m.point, self.path)]
        around = [m for m in reversed(mounts) if is_inside(self.path, m.point)]
        holds = max(around, key=lambda mount: len(mount.point), default=None)  # the last on top
        if holds is not None and holds.is_silent:
            return [self.path]
        return inside

    def polled(self, mounts: Sequence[filesystem.Mount], refused: Iterable[bytes]) -> list[Look]:
        """Where to look from time to time, as events of these folders do not come, or not all."""
        silent = [Look(path) for path in self.silent(mounts)]
        deaf = [Look(path, whole=False) for path in refused if is_inside(path, self.path)]
        if len(deaf) > _MANY_REFUSED:
            return [Look(self.path)]
        return silent + deaf
