"""What whoever follows the catalog hears of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from catalog.model.matches import Kind


class Happening(StrEnum):
    """What became of a file or a folder, as whoever follows the catalog hears of it."""

    ADDED = "added"
    CHANGED = "changed"  # other bytes than before
    MOVED = "moved"  # it, or a folder with all that is in it
    GONE = "gone"
    BACK = "back"  # was gone, and is as it was
    FAILED = "failed"  # could not be read
    CAME_BACK = "again"  # besides being there: a copy of it had been thrown away


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to the photos, and that the catalog knows by now."""

    what: Happening
    path: bytes
    before: bytes | None = None  # where it was, of what moved
    content: int | None = None  # id of the content it holds, if its bytes are new at this place
    folder: bool = False
    detail: str = ""  # why it could not be read


@dataclass(frozen=True, slots=True)
class AlreadyThere:
    """A photo that arrived, and one that was there before and shows the same."""

    path: bytes
    other: bytes
    kind: Kind
    score: float
