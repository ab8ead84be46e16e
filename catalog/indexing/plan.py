"""What a comparison of the disk with the catalog comes to. Values only: nothing is done here."""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from catalog.indexing.tree import Node
from catalog.model import Recipe, Stamp
from catalog.store.photos import Listed, PhotoRow

# A file changed this shortly before it was read may change again under the same stamp: FAT
# keeps times in steps of 2 s, ext3 and HFS+ of 1 s; the rest is slack.
RACY_NS: Final = 2_500_000_000


class Why(Enum):
    """Why a file is to be read."""

    ADDED = auto()
    CHANGED = auto()
    AGAIN = auto()  # its stamps agree, but its row says to look again


@dataclass(frozen=True, slots=True)
class Read:
    """A file whose bytes have to be read. ``known_digest``: not decoded where it is still that."""

    folder: Node
    name: bytes
    size: int  # bytes, as listed
    why: Why
    row: PhotoRow | None = None
    known_digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Carry:
    """A file whose content is known from another name: moved here, or a hard link to it."""

    folder: Node
    name: bytes
    stamp: Stamp
    source: PhotoRow
    moved: bool  # the other name is gone


@dataclass(slots=True)
class Plan:
    """Everything that brings the catalog in line with what was listed."""

    renamed: list[Node] = field(default_factory=list)
    identified: list[Node] = field(default_factory=list)  # other file system or inode than stored
    readable: list[Node] = field(default_factory=list)  # was not, last time
    unreadable: list[tuple[Node, str]] = field(default_factory=list)
    offline: list[Node] = field(default_factory=list)
    carries: list[Carry] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    back: list[PhotoRow] = field(default_factory=list)  # were missing, and are as they were
    missing: list[PhotoRow] = field(default_factory=list)
    gone: list[Node] = field(default_factory=list)  # folders: all their files are missing
    elsewhere: set[bytes] = field(default_factory=set)  # folders not looked at, with other names
    # (hard links) of files that changed: nothing else may tell of those
    unsettled: set[int] = field(default_factory=set)  # folders that agree, and do not say so
    notes: list[str] = field(default_factory=list)
    scanned: int = 0
    unchanged: int = 0
    moved: int = 0  # with a folder that was renamed; otherwise unchanged


@dataclass(frozen=True, slots=True)
class Comparison:
    """One folder: names on disk against rows in the catalog."""

    unchanged: int
    added: list[tuple[bytes, Stamp]]
    changed: list[tuple[bytes, Stamp, PhotoRow]]
    again: list[tuple[bytes, Stamp, PhotoRow]]
    back: list[PhotoRow]
    missing: list[PhotoRow]


def compare(
    listed: Iterable[tuple[bytes, Stamp]], rows: Iterable[PhotoRow], *, trusting: bool = True
) -> Comparison:
    """Hold the files of one folder against its rows.

    Without ``trusting``, equal stamps prove nothing: they are those of another disk.
    """
    unchanged = 0
    result = Comparison(0, [], [], [], [], [])
    known: Mapping[bytes, PhotoRow] = {row.name: row for row in rows}
    seen: set[bytes] = set()
    for name, stamp in listed:
        seen.add(name)
        row = known.get(name)
        if row is None:
            result.added.append((name, stamp))
        elif row.stamp != stamp:
            result.changed.append((name, stamp, row))
        elif row.again or not trusting:
            result.again.append((name, stamp, row))
        elif row.missing:
            result.back.append(row)
        else:
            unchanged += 1
    missing = [row for row in known.values() if row.name not in seen and not row.missing]
    return Comparison(unchanged, result.added, result.changed, result.again, result.back, missing)


def known_digest(row: PhotoRow | None, recipe: Recipe) -> bytes | None:
    """The digest that makes decoding needless, if the stored hashes are of this recipe."""
    return row.digest if row is not None and row.recipe == recipe else None


def is_racy(stamp: Stamp, looked_ns: int) -> bool:
    """Whether bytes read at ``looked_ns`` may change without changing ``stamp``.

    A time ahead of the clock says nothing about the last change when it is the one that
    people and programs can set (mtime); for ctime it means that the clock is behind.
    """
    recent = looked_ns - RACY_NS
    return stamp.ctime_ns > recent or recent < stamp.mtime_ns <= looked_ns


def settled_digest(files: Sequence[Listed]) -> bytes:
    """What a folder's row remembers of its files, sorted by name, when none is to be read again.

    A listing with the same digest needs no look at the rows. Version 2 of marshal writes equal
    values as equal bytes; should another Python write others, the rows are compared instead.
    """
    return hashlib.blake2b(marshal.dumps(list(files), 2), digest_size=16).digest()
