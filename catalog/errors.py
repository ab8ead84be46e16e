"""Every error that imgcat raises on purpose, each with its exit code.

    CatalogError                    1   something failed
    ├── UsageError                  2   the request makes no sense as given
    ├── Refused                     4   an action that takes files away, and nobody said yes
    ├── CatalogUnusable             5   there is no catalog there, or not one we may touch
    │   ├── CatalogAbsent           5   no file
    │   ├── CatalogForeign          5   a file, but not ours
    │   ├── CatalogNewer            5   made by a later imgcat
    │   └── CatalogDamaged          5   ours, and broken
    ├── CatalogReadOnly             1   ours, sound, and not writable here
    ├── DiskFull                    1   no room to write the catalog
    ├── Forgotten                   1   the folder is no root any more
    ├── Busy                        6   somebody else holds a lock for too long
    └── GaveUp                     70   the daemon cannot hear what happens on the disk

The message of each is one line for a person: what failed, which file, why, what to do.
A file that cannot be decoded is none of these: it is a ``model.Failure``, a value.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process returns to its caller."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    INCOMPLETE = 3  # done, but part of the tree could not be read
    REFUSED = 4  # an action, wholly or in part
    UNUSABLE = 5
    BUSY = 6
    GAVE_UP = 70  # sysexits.h: an internal error; what starts the daemon starts it anew
    INTERRUPTED = 130


class CatalogError(Exception):
    """Something failed; the message says what, where, why and what to do."""

    exit_code = ExitCode.FAILED


class UsageError(CatalogError):
    """The request makes no sense as given."""

    exit_code = ExitCode.USAGE


class Refused(CatalogError):
    """Files would have been changed, and nobody was there to say yes; nothing was done."""

    exit_code = ExitCode.REFUSED


class CatalogUnusable(CatalogError):
    """There is no catalog there, or not one that may be touched."""

    exit_code = ExitCode.UNUSABLE


class CatalogAbsent(CatalogUnusable):
    """No catalog file exists yet."""


class CatalogForeign(CatalogUnusable):
    """The file is not an imgcat catalog; it was not written to."""


class CatalogNewer(CatalogUnusable):
    """The catalog was made by a later imgcat; it was not written to."""


class CatalogDamaged(CatalogUnusable):
    """The catalog is ours and broken: SQLite says corrupt, or it lost its header."""


class CatalogReadOnly(CatalogError):
    """The catalog cannot be written here."""


class DiskFull(CatalogError):
    """There is no room left to write the catalog."""


class Forgotten(CatalogError):
    """A root was forgotten, or became part of another, since it was looked up: ``root``, its id."""

    def __init__(self, message: str, root: int) -> None:
        super().__init__(message)
        self.root = root


class Busy(CatalogError):
    """Another process holds a lock for longer than is worth waiting."""

    exit_code = ExitCode.BUSY


class GaveUp(CatalogError):
    """The daemon cannot hear what happens on the disk, however often it tries anew."""

    exit_code = ExitCode.GAVE_UP
