"""Contents that somebody said are no duplicates of each other, by digest.

So they outlive renames, and a catalog that is built anew. A pair of equal digests says how many
files of these bytes are wanted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from catalog.model import Deed
from catalog.store.decisions import Decisions, decisions_there


def keep(decisions: Decisions, digests: Sequence[bytes], copies: Mapping[bytes, int]) -> int:
    """These contents are no duplicates of each other; returns the action's id.

    ``copies`` are wanted of a content whose files are to be kept beside each other.
    """
    pairs = [(one, other, 0) for one, other in combinations(sorted(set(digests)), 2)]
    pairs += [(digest, digest, count) for digest, count in sorted(copies.items())]
    with decisions.writing() as connection:
        action = decisions.begin_in(connection, Deed.KEEP_BOTH)
        connection.executemany(
            "INSERT INTO apart (first, second, copies, action) VALUES (?, ?, ?, ?)",
            [(*pair, action) for pair in pairs],
        )
    return action


def pairs(decisions: Decisions) -> list[tuple[bytes, bytes, int]]:
    """All pairs that are apart, and of equal ones how many are wanted."""
    rows = decisions.rows("SELECT first, second, max(copies) FROM apart GROUP BY first, second")
    return [(one, other, copies) for one, other, copies in rows]


def pairs_of(catalog: bytes) -> list[tuple[bytes, bytes, int]]:
    """``pairs`` of the catalog at this path; nothing where there are no decisions."""
    decisions = decisions_there(catalog)
    if decisions is None:
        return []
    with decisions:
        return pairs(decisions)


def forget(decisions: Decisions, action: int) -> int:
    """Undo a ``keep``; returns how many pairs it was."""
    with decisions.writing() as connection:
        return connection.execute("DELETE FROM apart WHERE action = ?", (action,)).rowcount
