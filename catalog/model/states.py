"""How the catalog, its folders and its daemon are, and what a run of index or verify came to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from catalog.model.readings import Reason, Recipe


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that is in the tree and has no fingerprint."""

    path: bytes
    size: int
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class RootState:
    """One folder the catalog follows."""

    path: bytes
    online: bool
    photos: int
    problems: int
    missing: int
    last_scan_ns: int | None  # begin of the last complete scan; None before the first
    why_offline: str = ""
    include: tuple[str, ...] = ()  # patterns that hold for it
    exclude: tuple[str, ...] = ()
    hidden: bool = False


class DaemonStanding(StrEnum):
    """What the daemon of a catalog does."""

    STOPPED = "stopped"
    STARTING = "starting"  # it has not looked at everything yet
    WATCHING = "watching"
    DEGRADED = "degraded"  # it misses something, or does not answer: ``problem`` says what


@dataclass(frozen=True, slots=True)
class DaemonState:
    """How the daemon that follows a catalog live is."""

    state: DaemonStanding = DaemonStanding.STOPPED
    pid: int | None = None
    pending: int = 0  # folders that are to be looked at, or whose photos are to be read
    to_read: int = 0  # photos
    lag: float = 0.0  # seconds that the first of the folders has waited
    overflows: int = 0  # how often events were lost, and everything was looked at
    last_rescan_ns: int | None = None  # begin of the last look at everything
    watched: int = 0  # folders whose events come
    unwatched: int = 0  # folders that the system would not watch; they are looked at every minute
    polling: str = ""  # why no events are used at all
    problem: str = ""  # what a person should see to


@dataclass(frozen=True, slots=True)
class Status:
    """What ``status`` answers."""

    catalog: bytes  # path of the catalog file
    size: int  # bytes on disk, write-ahead log included
    photos: int
    contents: int
    problems: int
    missing: int
    recipe: Recipe
    other_recipe: int  # photos whose hashes another recipe made
    roots: tuple[RootState, ...]
    daemon: DaemonState = DaemonState()


@dataclass(frozen=True, slots=True)
class Summary:
    """What one index run did, in files."""

    roots: tuple[bytes, ...]
    scanned: int
    unchanged: int
    added: int
    changed: int
    moved: int
    missing: int
    failed: int
    seconds: float
    problems: int = 0  # files known not to be readable, older ones included
    offline: tuple[bytes, ...] = ()  # folders that are not there now; their photos are kept
    unreadable: tuple[tuple[bytes, str], ...] = ()  # folders that could not be listed, and why
    notes: tuple[str, ...] = ()  # what a person should know besides
    interrupted: bool = False
    unread: int = 0  # of the failed ones, what the disk or a permission kept from us
    left_out: int = 0  # known files that are there, and that the filters leave out now
    pending: int = 0  # files that were still to be read when the run was interrupted
    came_back: tuple[bytes, ...] = ()  # photos that a copy of had been thrown away

    @property
    def complete(self) -> bool:
        """Whether every folder could be listed and every file be opened."""
        return not (self.unreadable or self.unread or self.interrupted)


@dataclass(frozen=True, slots=True)
class Drift:
    """A file whose bytes are not those the catalog knows, although nothing says it changed."""

    path: bytes
    why: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``verify`` found. Nothing was repaired."""

    checked: int  # files whose every byte was read and digested
    changed: int  # files that changed openly since the last index: for 'imgcat index' to see
    drifted: tuple[Drift, ...]
    catalog_fault: str | None  # what SQLite's integrity check says; None: sound
    seconds: float
    interrupted: bool = False
    copy_differed: bool = False  # the cached copy of the hashes; it was thrown away

    @property
    def sound(self) -> bool:
        """Whether the catalog and all files that were checked are as they should be."""
        return not self.drifted and self.catalog_fault is None and not self.copy_differed
