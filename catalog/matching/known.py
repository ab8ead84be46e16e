"""The pictures of all contents as a search sees them: hashes of their windows, and signatures."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.model import SIGNATURE_SIDE
from catalog.progress import SILENT, Progress
from catalog.search.pictures import Indexed, Pictures, Signatures
from catalog.search.windows import WINDOWS
from catalog.store import columns, contents
from catalog.store.columns import Columns, Layout, Rows
from catalog.store.database import Database

_AT_ONCE: Final = 512  # signatures whose windows fit into the second-level cache
_MANY: Final = 0.02  # of all contents, from which on all signatures are read at once

_VALUES: Final = tuple(f"value{number}" for number in range(len(WINDOWS)))
_TURNS: Final = tuple(f"turn{number}" for number in range(len(WINDOWS)))
_COLUMNS: Final[dict[str, Any]] = {
    "id": np.int64,
    "pixels": np.int64,
    "upright": np.uint64,
    **dict.fromkeys(_VALUES, np.uint64),
    **dict.fromkeys(_TURNS, np.uint8),
}


def _read(rows: Rows) -> Columns:
    """The windows of these signatures: 15 us each."""
    parts = [_columns([], [], np.empty((0, SIGNATURE_SIDE**2), dtype=np.uint8))]
    stream = iter(rows)
    while some := list(islice(stream, _AT_ONCE)):
        ids, pixels, signatures = zip(*some, strict=True)
        joined = np.frombuffer(b"".join(signatures), dtype=np.uint8)
        parts.append(_columns(ids, pixels, joined.reshape(len(some), -1)))
    return {name: np.concatenate([part[name] for part in parts]) for name in _COLUMNS}


def _columns(ids: Any, pixels: Any, signatures: NDArray[np.uint8]) -> Columns:
    indexed = Indexed.of(signatures)
    return {
        "id": np.array(ids, dtype=np.int64),
        "pixels": np.array(pixels, dtype=np.int64),
        "upright": indexed.upright,
        **{name: indexed.value[:, number] for number, name in enumerate(_VALUES)},
        **{name: indexed.turn[:, number] for number, name in enumerate(_TURNS)},
    }


_ASKED: Final = tuple(name for name in _COLUMNS if name != "pixels")

LAYOUT: Final = Layout(
    suffix=b".windows",
    magic=b"imgcat windows\0\0",
    version=1,
    columns=_COLUMNS,
    select="SELECT id, width * height, pixels FROM "
    "(SELECT * FROM content JOIN signature ON content.id = signature.content WHERE NOT flat)",
    read=_read,
    worth=1024,
    much=4096,
    room=6144,
)


@dataclass(frozen=True, slots=True)
class Known:
    """The contents that carry evidence, by rising id, and their pictures."""

    ids: NDArray[np.int64]
    pictures: Pictures


def load(database: Database, progress: Progress = SILENT, *, searched: int | None = None) -> Known:
    """All contents that can be compared. ``searched`` says how many of them are looked for.

    Where these are many (None: all), all signatures are held, 1 KB each; else they are read when
    they are wanted, while ``database`` is open.
    """
    table = columns.load(database, LAYOUT, None, progress)
    ids, indexed = table["id"], _indexed(table)
    rank = np.empty(len(ids), dtype=np.int64)
    rank[np.lexsort((ids, -table["pixels"]))] = np.arange(len(ids))
    if searched is None or searched > _MANY * len(ids):
        held = contents.signatures_of(database, ids)
        return Known(ids, Pictures(indexed, lambda some: held[some], rank))
    return Known(ids, Pictures(indexed, _reader(database, ids), rank))


def load_to_ask(database: Database, progress: Progress = SILENT) -> Known:
    """As ``load``, for one picture after the other: no content comes before another."""
    table = columns.load(database, LAYOUT, _ASKED, progress)
    ids = table["id"]
    nothing = np.zeros(0, dtype=np.int64)
    return Known(ids, Pictures(_indexed(table), _reader(database, ids), nothing))


def _indexed(table: Columns) -> Indexed:
    return Indexed(
        table["upright"],
        np.stack([table.pop(name) for name in _VALUES]).T,
        np.stack([table.pop(name) for name in _TURNS]).T,
    )


def _reader(database: Database, ids: NDArray[np.int64]) -> Signatures:
    def read(some: NDArray[np.int64]) -> NDArray[np.uint8]:
        once, back = np.unique(some, return_inverse=True)
        return contents.signatures_of(database, ids[once])[back]

    return read
