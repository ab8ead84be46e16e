"""Which photos an answer is about, beyond where they lie, and which of them are compared."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from catalog.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from catalog.queries.scope import Scope
    from catalog.store.database import Database
    from catalog.store.holders import Holders

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?))?b?", re.IGNORECASE)
_AGE: Final = re.compile(
    r"(\d+(?:\.\d+)?)\s*"
    r"(?:(min)(?:ute)?s?|(h)(?:ours?)?|(d)(?:ays?)?|(w)(?:eeks?)?|(m)(?:onths?)?|(y)(?:ears?)?)",
    re.IGNORECASE,
)
_SECONDS: Final = {
    "min": 60,
    "h": 3600,
    "d": 86_400,
    "w": 7 * 86_400,
    "m": 30 * 86_400,
    "y": 365 * 86_400,
}


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a scope is compared.

    With ``against``, photos of the scope with those of that one, which are kept; with ``across``,
    photos of different roots. Files are of ``min_size`` bytes at least, and a group or a pair holds
    one that changed or came at ``since_ns`` or later. With ``kept_both``, pictures that
    somebody said are no duplicates of each other are compared even so.
    """

    against: Scope | None = None
    across: bool = False
    min_size: int = 0
    since_ns: int = -(2**63)
    kept_both: bool = False

    @property
    def walled(self) -> bool:
        """Whether only photos of different sides are compared."""
        return self.against is not None or self.across

    def sides(self, database: Database, files: Holders, scope: Scope) -> NDArray[np.int64]:
        """The side of each file, -1 for one that is not asked about."""
        import numpy as np

        from catalog.store import holders

        def inside(asked: Scope) -> NDArray[np.bool_]:
            if asked.everything:
                return np.ones(len(files), dtype=np.bool_)
            there = holders.among(database, files, asked.folders, asked.files)
            return np.isin(files.photo, there.photo)

        side = np.where(inside(scope), 1, -1)
        if self.against is not None:
            side[inside(self.against)] = 0
        elif self.across:
            roots = _roots_of_folders(database)
            folders = np.array([roots.get(folder, 0) for folder in files.folder.tolist()])
            side = np.where(side > 0, folders.astype(np.int64), -1)
        return side

    def check_plain(self) -> None:
        """Raise UsageError where plain hashes cannot be asked so."""
        if replace(self, kept_both=False) != EVERYTHING:
            raise UsageError(
                "against, across, min-size and since choose among verified matches and identical "
                "files; they do not go with hash, radius, similarity and no-verify"
            )


EVERYTHING: Final = Selection()


def selection_of(
    *,
    across: bool = False,
    min_size: str | int | None = None,
    since: str | None = None,
    kept_both: bool = False,
) -> Selection:
    """What the options come to. Raises UsageError where one makes no sense."""
    return Selection(
        across=across,
        min_size=0 if min_size is None else size_in_bytes(min_size),
        since_ns=EVERYTHING.since_ns if since is None else moment_ns(since),
        kept_both=kept_both,
    )


def size_in_bytes(text: str | int) -> int:
    """``500``, ``500kB``, ``1.5 MB``, ``2GiB``: a k is 1,000, with an i 1,024."""
    found = _SIZE.fullmatch(str(text).strip())
    if found is None:
        raise UsageError(f"a size is a number such as 500kB or 2MB, not {text!r}")
    number, unit, binary = found.groups()
    base = 1024 if binary else 1000
    return int(Decimal(number) * base ** (" kmgt".index(unit.lower()) if unit else 0))


def moment_ns(text: str) -> int:
    """``2024-05-01``, ``2024-05-01T12:00``, or an age: ``36h``, ``7d``, ``2 weeks``."""
    text = text.strip()
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1_000_000_000)
    except (ValueError, OverflowError, OSError):
        pass
    found = _AGE.fullmatch(text)
    if found is None:
        raise UsageError(f"since is a date such as 2024-05-01, or an age such as 7d, not {text!r}")
    number, unit = (each for each in found.groups() if each)
    return time.time_ns() - int(Decimal(number) * _SECONDS[unit.lower()] * 1_000_000_000)


def _roots_of_folders(database: Database) -> dict[int, int]:
    """The top of each folder, which tells the roots apart."""
    from catalog.indexing.tree import Tree
    from catalog.store import folders

    tree = Tree(folders.all_folders(database))
    return {folder: node.top.id or 0 for folder, node in tree.by_id.items()}
