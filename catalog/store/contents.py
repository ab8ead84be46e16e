"""What the bytes of a picture are: one row a content, however many files hold it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from catalog.model import SIGNATURE_SIDE, Fingerprint, HashKind, signed64
from catalog.store.database import Database, Writer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COLUMNS: Final = (
    "digest, size, format, width, height, orientation, taken_at, camera, "
    "phash, dhash, ahash, flat, frames, recipe"
)
_UPDATES: Final = ", ".join(
    f"{column.strip()} = excluded.{column.strip()}" for column in _COLUMNS.split(",")[1:]
)


_IDS_IN_ONE_QUERY: Final = 10_000
_SIGNATURES_AT_ONCE: Final = 4_096


def unsigned64(value: int) -> int:
    """A stored hash as the unsigned number it is; inverse of ``signed64`` for hashes."""
    return value & (2**64 - 1)


def save(writer: Writer, fingerprint: Fingerprint) -> int:
    """Store what the bytes are; returns the id of the content. Known bytes are refreshed."""
    content: int = writer.value(
        f"INSERT INTO content ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) "
        f"ON CONFLICT (digest) DO UPDATE SET {_UPDATES} RETURNING id",
        (
            fingerprint.digest,
            fingerprint.size,
            fingerprint.format,
            fingerprint.width,
            fingerprint.height,
            fingerprint.orientation,
            fingerprint.taken_at,
            fingerprint.camera,
            signed64(fingerprint.phash),
            signed64(fingerprint.dhash),
            signed64(fingerprint.ahash),
            fingerprint.flat,
            fingerprint.frames,
            fingerprint.recipe,
        ),
    )
    writer.run(
        "INSERT OR REPLACE INTO signature (content, pixels) VALUES (?, ?)",
        (content, fingerprint.signature),
    )
    return content


def delete_unused(writer: Writer, contents: Iterable[int]) -> None:
    """Drop those of these contents that no file holds any more."""
    writer.run_many(
        "DELETE FROM content WHERE id = ? "
        "AND NOT EXISTS (SELECT 1 FROM photo WHERE photo.content = content.id)",
        [(content,) for content in contents],
    )


def count(database: Database) -> int:
    """How many contents are stored, also for files that are missing."""
    return int(database.value("SELECT count(*) FROM content"))


def count_held(database: Database) -> int:
    """How many different contents the photos that are there hold."""
    return int(
        database.value("SELECT count(DISTINCT content) FROM photo WHERE missing_since IS NULL")
    )


def signatures(database: Database, contents: Iterable[int]) -> Iterator[bytes]:
    """The 32 x 32 grey values of these contents, in their order."""
    for content in contents:
        yield database.value("SELECT pixels FROM signature WHERE content = ?", (content,))


def signatures_of(database: Database, ids: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The signatures of these contents (rising ids): (n, SIGNATURE_SIDE**2).

    Zeros where one is gone. Where they are most of all, the table is read from end to end.
    """
    import numpy as np  # for those who ask; an index that finds nothing new needs none

    found = np.zeros((len(ids), SIGNATURE_SIDE**2), dtype=np.uint8)
    most = len(ids) * 4 > (database.value("SELECT max(content) FROM signature") or 0)
    rows = (
        database.stream("SELECT content, pixels FROM signature ORDER BY content")
        if most
        else _signatures_by_id(database, ids)
    )
    while some := list(islice(rows, _SIGNATURES_AT_ONCE)):
        there = np.array([content for content, _ in some], dtype=np.int64)
        pixels = np.frombuffer(b"".join(row[1] for row in some), dtype=np.uint8)
        places = np.searchsorted(ids, there)
        wanted = (places < len(ids)) & (ids[np.minimum(places, len(ids) - 1)] == there)
        found[places[wanted]] = pixels.reshape(len(some), -1)[wanted]
    return found


def _signatures_by_id(database: Database, ids: NDArray[np.int64]) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(ids), _IDS_IN_ONE_QUERY):
        some = json.dumps(ids[start : start + _IDS_IN_ONE_QUERY].tolist())
        yield from database.stream(
            "SELECT content, pixels FROM signature "
            "WHERE content IN (SELECT value FROM json_each(?))",
            (some,),
        )


def note_shown(writer: Writer, shown: Iterable[tuple[int, float]]) -> None:
    """Note which part of these contents' pictures is no bar."""
    writer.run_many(
        "UPDATE content SET shown = ? WHERE id = ? AND shown <> ?",
        ((part, at, part) for at, part in shown),
    )


def circumstances(
    database: Database, ids: Iterable[int]
) -> Iterator[tuple[int, str | None, int, str]]:
    """Id, time taken, frames and format of these contents."""
    chosen = list(ids)
    for start in range(0, len(chosen), _IDS_IN_ONE_QUERY):
        yield from database.stream(
            "SELECT id, taken_at, frames, format FROM content "
            "WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(chosen[start : start + _IDS_IN_ONE_QUERY]),),
        )


def evidence(database: Database, content: int) -> tuple[bytes, int, bool]:
    """Signature, pHash and flatness of a content; an empty signature where it is gone."""
    rows = database.rows(
        "SELECT ifnull(pixels, x''), phash, flat FROM content "
        "LEFT JOIN signature ON signature.content = content.id WHERE id = ?",
        (content,),
    )
    pixels, value, flat = rows[0] if rows else (b"", 0, 0)
    return pixels, unsigned64(value), bool(flat)


def digest(database: Database, content: int) -> bytes:
    """The digest of a content; empty where it is gone."""
    return bytes(database.value("SELECT digest FROM content WHERE id = ?", (content,)) or b"")


def hash_of(database: Database, content: int, kind: HashKind) -> int:
    """One stored hash of a content, unsigned. A wavelet hash is not stored."""
    return unsigned64(
        database.value(f"SELECT {HashKind(kind).value} FROM content WHERE id = ?", (content,))
    )


def recipe(writer: Writer, content: int) -> str | None:
    """The recipe that made the hashes of a content."""
    made_by: str | None = writer.value("SELECT recipe FROM content WHERE id = ?", (content,))
    return made_by


def find(reader: Database | Writer, digest: bytes) -> int | None:
    """The content that these bytes are, if it is stored."""
    content: int | None = reader.value("SELECT id FROM content WHERE digest = ?", (digest,))
    return content
