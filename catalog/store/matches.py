"""What was found out about pairs of contents: rows in, arrays out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain, islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.model import Kind, Rule
from catalog.store.database import Database, Row, Writer

RULES: Final = tuple(Rule)  # a rule is stored by name, and travels as its place here
_CODES: Final = {rule.value: code for code, rule in enumerate(RULES)}
_OPEN: Final = (Rule.UNDECIDED, Rule.NOT_COMPARED)  # the files were not compared
UNSETTLED: Final = tuple(_CODES[rule.value] for rule in _OPEN)
# By code, what two pictures are that it decided about.
SAME: Final = np.array([rule.kind is Kind.SAME for rule in RULES])
PERHAPS_SAME: Final = SAME | np.array([rule in _OPEN for rule in RULES])
_COLUMNS: Final = (
    "SELECT first, second, rule, score, turn, left_edge, right_edge, top_edge, bottom_edge "
    "FROM match "
)
_ROWS_AT_ONCE: Final = 50_000  # as Python objects, before they are packed
_IDS_IN_ONE_QUERY: Final = 10_000


@dataclass(frozen=True, slots=True)
class Matches:
    """Pairs of contents, as arrays of one length n.

    ``first`` and ``second`` (int64) are ids of contents, ``rule`` (uint8) a place in RULES,
    ``score`` (float32), ``turn`` (uint8, see ``dihedral``) brings the second to lie as the
    first, ``edges`` (n, 4) float32: left, right, top and bottom of the window of the first.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    rule: NDArray[np.uint8]
    score: NDArray[np.float32]
    turn: NDArray[np.uint8]
    edges: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)

    def only(self, chosen: NDArray[Any]) -> Matches:
        """Those at these positions, or where this mask is true."""
        return Matches(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[Matches]) -> Matches:
        """Several, one after the other."""
        columns = ([getattr(part, each.name) for part in parts] for each in fields(cls))
        return cls(*(np.concatenate(column) for column in columns))


NONE: Final = Matches(
    np.empty(0, np.int64),
    np.empty(0, np.int64),
    np.empty(0, np.uint8),
    np.empty(0, np.float32),
    np.empty(0, np.uint8),
    np.empty((0, 4), np.float32),
)


def code_of(rule: Rule) -> int:
    """The place of a rule in RULES."""
    return _CODES[rule.value]


def of_all(database: Database) -> Matches:
    """Everything that was found out."""
    return _packed(database.stream(_COLUMNS))


def of_contents(database: Database, contents: Iterable[int]) -> Matches:
    """What was found out about any of these contents."""
    chosen = list(contents)

    def rows() -> Iterator[Row]:
        every = json.dumps(chosen)
        for start in range(0, len(chosen), _IDS_IN_ONE_QUERY):
            ids = json.dumps(chosen[start : start + _IDS_IN_ONE_QUERY])
            among = "(SELECT value FROM json_each(?))"
            yield from database.stream(f"{_COLUMNS} WHERE first IN {among}", (ids,))
            yield from database.stream(
                f"{_COLUMNS} WHERE second IN {among} AND first NOT IN {among}", (ids, every)
            )

    return _packed(rows())


def unsearched(database: Database, matcher: int) -> NDArray[np.int64]:
    """The contents that were not compared with all others by this matcher; rising.

    Those that carry no evidence never are.
    """
    rows = database.stream(
        "SELECT id FROM content WHERE NOT flat AND NOT EXISTS "
        "(SELECT 1 FROM searched WHERE content = id AND matcher = ?) ORDER BY id",
        (matcher,),
    )
    return np.fromiter(chain.from_iterable(rows), dtype=np.int64)


def save(writer: Writer, matches: Matches) -> None:
    """Remember these pairs.

    A pair of which one content is gone is left out; one that is remembered already stays as it is:
    somebody else found it, and may have decided about it.
    """
    columns = (
        matches.first.tolist(),
        matches.second.tolist(),
        [RULES[code].value for code in matches.rule.tolist()],
        matches.score.tolist(),
        matches.turn.tolist(),
        matches.edges.tolist(),
    )
    rows = (
        (first, second, rule, score, turn, *edges, first, second, second, first)
        for first, second, rule, score, turn, edges in zip(*columns, strict=True)
    )
    writer.run_many(
        "INSERT OR IGNORE INTO match "
        "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? "
        "WHERE EXISTS (SELECT 1 FROM content WHERE id = ?) "
        "AND EXISTS (SELECT 1 FROM content WHERE id = ?) "
        "AND NOT EXISTS (SELECT 1 FROM match WHERE first = ? AND second = ?)",
        rows,
    )


def decide(writer: Writer, matches: Matches) -> None:
    """Say what decided about these pairs, where they are remembered and nothing else did yet.

    Another process may have compared their files meanwhile, or found that one has more frames.
    """
    rules = (RULES[code].value for code in matches.rule.tolist())
    rows = zip(rules, matches.first.tolist(), matches.second.tolist(), strict=True)
    names = ", ".join(f"'{rule.value}'" for rule in _OPEN)
    writer.run_many(
        f"UPDATE match SET rule = ? WHERE first = ? AND second = ? AND rule IN ({names})", rows
    )


def forget(writer: Writer, contents: Sequence[int], matcher: int) -> None:
    """Drop what another matcher found out about these contents, and that they were searched.

    What this one found stays: another process may have searched for something that came later.
    """
    searched = "EXISTS (SELECT 1 FROM searched WHERE content = ? AND matcher <> ?)"
    for sql in (
        f"DELETE FROM match WHERE first = ? AND {searched}",
        f"DELETE FROM match WHERE second = ? AND {searched}",
    ):
        writer.run_many(sql, ((content, content, matcher) for content in contents))
    writer.run_many(
        "DELETE FROM searched WHERE content = ? AND matcher <> ?",
        ((content, matcher) for content in contents),
    )


def mark_searched(writer: Writer, contents: Sequence[int], matcher: int) -> None:
    """Note that these contents were compared with all others; those that are gone are left out."""
    writer.run_many(
        "INSERT OR REPLACE INTO searched (content, matcher) SELECT id, ? FROM content WHERE id = ?",
        ((matcher, content) for content in contents),
    )


def _packed(rows: Iterator[Row]) -> Matches:
    whole = [np.empty((0, 4), dtype=np.int64)]
    parts = [np.empty((0, 5), dtype=np.float32)]
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        whole.append(
            np.array(
                [
                    (first, second, _CODES.get(rule, 0), turn)
                    for first, second, rule, _, turn, *_ in some
                ]
            )
        )
        parts.append(np.array([(score, *edges) for _, _, _, score, _, *edges in some], np.float32))
    numbers, floats = np.concatenate(whole), np.concatenate(parts)
    return Matches(
        first=numbers[:, 0],
        second=numbers[:, 1],
        rule=numbers[:, 2].astype(np.uint8),
        score=floats[:, 0],
        turn=numbers[:, 3].astype(np.uint8),
        edges=floats[:, 1:],
    )
