"""Which names of a tree are looked at. Patterns are shell patterns and ignore case.

A pattern without '/' is held against names, one with '/' against the path below the root.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

# Where systems and programs keep what a person threw away, thumbnails they made themselves, or
# what a disk held some time ago: a photo that is kept there goes when its snapshot expires.
SYSTEM_FOLDERS: Final = frozenset(
    {
        b"$recycle.bin",
        b"recycler",
        b"system volume information",
        b"lost+found",
        b".trash",
        b".trashes",
        b"#recycle",
        b"@recycle",
        b"@eadir",
        b".thumbnails",
        b".imagepreview",
        b".snapshots",
        b".snapshot",
        b"~snapshot",
        b"#snapshot",
        b"@recently-snapshot",
        b".zfs",
    }
)
_TRASH_PREFIX: Final = b".trash-"  # .Trash-1000 at the top of each mount


@dataclass(frozen=True, slots=True)
class Filters:
    """What a person wants in and out.

    Without ``include``, files count whose suffix is in ``suffixes`` or who have none;
    with it, files that match one of the patterns, whatever their suffix. ``exclude`` wins.
    """

    suffixes: frozenset[bytes]
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False

    def files(self) -> Callable[[bytes, bytes], bool]:
        """A test of (folder path below the root, file name)."""
        suffixes, hidden = self.suffixes, self.hidden
        included, excluded = _matcher(self.include), _matcher(self.exclude)

        def by_suffix(_folder: bytes, name: bytes) -> bool:
            _, dot, suffix = name.rpartition(b".")
            return (not dot or suffix.lower() in suffixes) and (hidden or name[:1] != b".")

        if not self.include and not self.exclude:
            return by_suffix

        def by_pattern(folder: bytes, name: bytes) -> bool:
            if not hidden and name[:1] == b".":
                return False
            if excluded is not None and excluded(folder, name):
                return False
            return included(folder, name) if included is not None else by_suffix(folder, name)

        return by_pattern

    def folders(self) -> Callable[[bytes, bytes], bool]:
        """A test of (parent path below the root, folder name)."""
        hidden, excluded = self.hidden, _matcher(self.exclude)

        def wanted(parent: bytes, name: bytes) -> bool:
            lower = name.lower()
            if lower in SYSTEM_FOLDERS or lower.startswith(_TRASH_PREFIX):
                return False
            if not hidden and name[:1] == b".":
                return False
            return excluded is None or not excluded(parent, name)

        return wanted


def _matcher(patterns: Iterable[str]) -> Callable[[bytes, bytes], bool] | None:
    """A test of (folder, name) against any of the patterns; None where there are none."""
    of_names: list[str] = []
    of_paths: list[str] = []
    for pattern in (pattern.removeprefix("./") for pattern in patterns):
        (of_paths if "/" in pattern.rstrip("/") else of_names).append(pattern.strip("/"))
    name_like, path_like = _compiled(of_names), _compiled(of_paths)
    if name_like is None and path_like is None:
        return None

    def matches(folder: bytes, name: bytes) -> bool:
        # As text: '?' is a letter, not a byte, and case is more than that of ASCII.
        if name_like is not None and name_like.match(os.fsdecode(name)):
            return True
        path = folder + b"/" + name if folder else name
        return path_like is not None and bool(path_like.match(os.fsdecode(path)))

    return matches


def _compiled(patterns: list[str]) -> re.Pattern[str] | None:
    if not patterns:
        return None
    return re.compile("|".join(map(fnmatch.translate, patterns)), re.IGNORECASE)
