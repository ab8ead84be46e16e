"""Copies that were thrown away, and photos that came though one of them had been."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from catalog.model import Deed, State
from catalog.store.decisions import Decisions

_THROWN: Final = (
    "FROM removal JOIN action ON action.id = action "
    f"WHERE state = '{State.DONE}' AND deed IN ('{Deed.TRASH}', '{Deed.DELETE}') AND NOT companion"
)
_DIGESTS_IN_ONE_QUERY: Final = 5_000


def any_thrown_away(decisions: Decisions) -> bool:
    """Whether a copy was thrown away, and that was not undone."""
    return bool(decisions.rows(f"SELECT 1 {_THROWN} LIMIT 1"))


def thrown_away(decisions: Decisions, digests: Collection[bytes]) -> dict[bytes, bytes]:
    """Of these digests, those that a copy was thrown away of, each with the file kept for it."""
    asked = list(digests)
    found: dict[bytes, bytes] = {}
    for start in range(0, len(asked), _DIGESTS_IN_ONE_QUERY):
        some = asked[start : start + _DIGESTS_IN_ONE_QUERY]
        marks = ", ".join("?" * len(some))
        rows = f"SELECT digest, keeper {_THROWN} AND digest IN ({marks}) ORDER BY removal.id"
        found.update(decisions.rows(rows, some))
    return found


def note_back(decisions: Decisions, photos: Sequence[tuple[bytes, bytes]]) -> None:
    """These photos, each a path and a digest, came though a copy had been thrown away."""
    with decisions.writing() as connection:
        connection.executemany(
            "INSERT OR REPLACE INTO back (digest, path) VALUES (?, ?)",
            [(digest, path) for path, digest in photos],
        )


def came_back(decisions: Decisions) -> frozenset[tuple[bytes, bytes]]:
    """The photos that were noted so, as path and digest, where nothing was undone since."""
    same = f"EXISTS (SELECT 1 {_THROWN} AND removal.digest = back.digest)"
    return frozenset(decisions.rows(f"SELECT path, digest FROM back WHERE {same}"))
