"""Pictures that somebody says are no duplicates of each other."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Final

from catalog.errors import UsageError
from catalog.queries.picture import pictures_at
from catalog.store import apart
from catalog.store.database import Database
from catalog.store.decisions import open_decisions

MOST: Final = 500  # pictures at a time: 125,000 pairs


def keep_both(database: Database, paths: Sequence[bytes]) -> tuple[int, int]:
    """Remember that the pictures at ``paths`` are no duplicates of each other, by content.

    Returns the action's id, for undo, and the number of pictures. Of files with equal bytes, so
    many are wanted as were named: one more is a duplicate again. Raises UsageError for less than
    two files, and as ``pictures_at`` does.
    """
    distinct = list(dict.fromkeys(os.path.realpath(path) for path in paths))
    if len(distinct) > MOST:
        raise UsageError(f"name {MOST} pictures at a time at most: each two are remembered")
    if len(distinct) < 2:
        raise UsageError("name two pictures or more that are no duplicates of each other")
    pictures = pictures_at(database, distinct)
    if len({picture.file or picture.path for picture in pictures}) < len(pictures):
        raise UsageError("two of these are names of one file: there is nothing to keep apart")
    held = Counter(picture.digest for picture in pictures)
    with open_decisions(database.path) as decisions:
        copies = {digest: count for digest, count in held.items() if count > 1}
        return apart.keep(decisions, list(held), copies), len(pictures)
