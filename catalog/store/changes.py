"""Which contents changed since somebody looked: the catalog keeps a log of it (see the schema)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from catalog.store.database import Database, Writer


def latest(database: Database) -> int:
    """The number of the last entry; 0 where there is none."""
    return int(database.value("SELECT max(seq) FROM content_log") or 0)


def since(writer: Writer, seq: int) -> NDArray[np.int64] | None:
    """The contents that changed or went since entry ``seq``; None where the log begins later."""
    oldest = writer.rows("SELECT min(seq) FROM content_log")[0][0]
    if oldest is not None and oldest > seq + 1:
        return None
    rows = writer.rows("SELECT DISTINCT content FROM content_log WHERE seq > ?", (seq,))
    return np.array([content for (content,) in rows], dtype=np.int64)
