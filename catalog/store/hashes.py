"""The hashes of all contents, as arrays, at once: see ``columns``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.model import HashKind
from catalog.progress import SILENT, Progress
from catalog.store import columns
from catalog.store.columns import Columns, Layout, Rows
from catalog.store.database import Database

_COLUMNS: Final[dict[str, Any]] = {
    "id": np.int64,
    HashKind.PHASH: np.uint64,
    HashKind.DHASH: np.uint64,
    HashKind.AHASH: np.uint64,
    "flat": np.uint8,
}


def _read(rows: Rows) -> Columns:
    values = np.fromiter(chain.from_iterable(rows), dtype=np.int64).reshape(-1, len(_COLUMNS))
    return {
        name: values[:, number].astype(kind) for number, (name, kind) in enumerate(_COLUMNS.items())
    }


LAYOUT: Final = Layout(
    suffix=b".hashes",
    magic=b"imgcat hashes\0\0\0",
    version=1,
    columns=_COLUMNS,
    select="SELECT id, phash, dhash, ahash, flat FROM content",
    read=_read,
    worth=4096,  # fewer are read in a few milliseconds
    much=20_000,  # some 30 ms
    room=22_048,
)


@dataclass(frozen=True, slots=True)
class HashTable:
    """One hash of every content, as arrays of one length n, by rising id.

    ``contents`` (int64) are the ids, ``hashes`` (uint64), ``flat`` (bool). A wavelet hash is not
    stored, so of that kind all are 0. Contents that no file holds any more may be among them.
    """

    contents: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    flat: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.contents)

    def only(self, chosen: NDArray[Any]) -> HashTable:
        """The rows at these positions, or where this mask is true."""
        return HashTable(self.contents[chosen], self.hashes[chosen], self.flat[chosen])


def load(database: Database, kind: HashKind, progress: Progress = SILENT) -> HashTable:
    """The hashes of all contents, as they are now."""
    needed = tuple(name for name in _COLUMNS if name in ("id", kind, "flat"))
    table = columns.load(database, LAYOUT, needed, progress)
    ids = table["id"]
    hashes = table[kind] if kind in needed else np.zeros(len(ids), dtype=np.uint64)
    return HashTable(ids, hashes, table["flat"].astype(np.bool_))


def copy_differs(database: Database) -> bool:
    """Whether the copy says anything else than the catalog: see ``columns.differs``."""
    return columns.differs(database, LAYOUT)
