"""From the schema of an earlier release to this one.

``STEPS[n]`` is the SQL that takes version n to n + 1. A backup is written with SQLite's
own backup before the first step, and all steps are one transaction: a crash leaves the
old schema or the new one.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Mapping

from catalog.errors import CatalogDamaged
from catalog.store.opening import damage
from catalog.store.schema import CONTENT_CHANGED, CONTENT_LOG, FOLDER_INODE, MATCHES, SHOWN, VERSION

STEPS: Mapping[int, str] = {  # version 1 is the first
    1: CONTENT_LOG + "INSERT INTO content_log (content, upto) "
    "SELECT id, id FROM content ORDER BY id DESC LIMIT 1;",
    2: FOLDER_INODE,
    3: f"ALTER TABLE content ADD COLUMN {SHOWN};\n"
    + "DROP TRIGGER content_changed;\n"
    + CONTENT_CHANGED
    + MATCHES,
}


def migrate(connection: sqlite3.Connection, path: bytes) -> bytes | None:
    """Bring an open catalog up to VERSION; returns the path of the backup, None if current.

    The caller holds the write lock. Raises CatalogDamaged where no step leads on.
    """
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found == VERSION:
        return None
    steps = [STEPS.get(version) for version in range(found, VERSION)]
    if any(step is None for step in steps):
        raise CatalogDamaged(damage(path, f"its schema version is {found}"))
    backup = _back_up(connection, path, found)
    script = "\n".join(step for step in steps if step is not None)
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {VERSION}; COMMIT;"
        )
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return backup


def _back_up(connection: sqlite3.Connection, path: bytes, version: int) -> bytes:
    backup = path + time.strftime(f".backup-v{version}-%Y%m%d-%H%M%S").encode()
    os.close(os.open(backup, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    try:
        with contextlib.closing(sqlite3.connect(os.fsdecode(backup))) as target:
            connection.backup(target)
    except BaseException:
        os.unlink(backup)  # half of one is worse than none
        raise
    return backup
