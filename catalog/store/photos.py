"""Files: their place, their stamps when they were read, and the content they held."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from catalog.model import Failure, Photo, Problem, Reason, Recipe, Stamp
from catalog.store.database import Database, Row, Writer
from catalog.store.folders import Places

_IN_ONE_QUERY: Final = 500  # ids; SQLite takes 32,766 parameters, memory likes fewer

# name, size, mtime_ns, ctime_ns, inode: one file of a listing as a plain tuple
Listed = tuple[bytes, int, int, int, int]


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """A file as stored. ``digest`` and ``recipe`` are None where it is a problem."""

    id: int
    folder: int
    name: bytes
    stamp: Stamp
    again: bool
    missing: bool
    content: int | None
    digest: bytes | None
    recipe: str | None


_ROW: Final = (
    "SELECT photo.id, folder, name, photo.size, mtime_ns, ctime_ns, inode, again, "
    "missing_since IS NOT NULL, content, digest, recipe "
    "FROM photo LEFT JOIN content ON content.id = photo.content "
)


def settled(reader: Database | Writer, folder: int) -> list[Listed]:
    """The files of a folder, by name, as the next listing gives them if there is nothing to do.

    Those that are to be read again in any case stand in it with a size no listing gives.
    """
    return reader.rows(
        "SELECT name, CASE again WHEN 0 THEN size ELSE -1 END, mtime_ns, ctime_ns, inode "
        "FROM photo WHERE folder = ? AND missing_since IS NULL ORDER BY name",
        (folder,),
    )


def in_folder(database: Database, folder: int) -> list[PhotoRow]:
    """Every file of a folder, missing ones included."""
    return [_photo_row(row) for row in database.rows(_ROW + "WHERE folder = ?", (folder,))]


def by_inode(database: Database, inodes: Sequence[int]) -> list[PhotoRow]:
    """Every file with one of these inode numbers, on whatever file system."""
    rows: list[PhotoRow] = []
    for start in range(0, len(inodes), _IN_ONE_QUERY):
        some = inodes[start : start + _IN_ONE_QUERY]
        marks = ",".join("?" * len(some))
        rows += map(_photo_row, database.rows(f"{_ROW} WHERE inode IN ({marks})", some))
    return rows


def any_known(database: Database) -> bool:
    """Whether there is any file to compare with."""
    return database.value("SELECT 1 FROM photo LIMIT 1") is not None


def get(reader: Database | Writer, folder: int, name: bytes) -> PhotoRow | None:
    """One file by its place."""
    rows = reader.rows(_ROW + "WHERE folder = ? AND name = ?", (folder, name))
    return _photo_row(rows[0]) if rows else None


def put(
    writer: Writer, folder: int, name: bytes, stamp: Stamp, content: int | None, *, again: bool
) -> int:
    """A file is there, with this content (None: a problem); returns its row."""
    photo: int = writer.value(
        "INSERT INTO photo (folder, name, size, mtime_ns, ctime_ns, inode, again, content) "
        "VALUES (?,?,?,?,?,?,?,?) "
        "ON CONFLICT (folder, name) DO UPDATE SET size = excluded.size, "
        "mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns, inode = excluded.inode, "
        "again = excluded.again, content = excluded.content, missing_since = NULL "
        "RETURNING id",
        (folder, name, *stamp, again, content),
    )
    if content is not None:
        writer.run("DELETE FROM problem WHERE photo = ?", (photo,))
    return photo


def put_problem(writer: Writer, photo: int, failure: Failure, decoder: str) -> None:
    """Why a file that was put without a content has none."""
    writer.run(
        "INSERT OR REPLACE INTO problem (photo, reason, detail, decoder) VALUES (?,?,?,?)",
        (photo, failure.reason, failure.detail, decoder),
    )


def move(
    writer: Writer, row: PhotoRow, folder: int, name: bytes, stamp: Stamp, *, again: bool
) -> bool:
    """A known file has another place; content, problem and row id stay.

    False where the row is no longer what it was when the move was planned.
    """
    target = writer.value("SELECT id FROM photo WHERE folder = ? AND name = ?", (folder, name))
    if target is not None and target != row.id:
        writer.run("DELETE FROM photo WHERE id = ?", (target,))
    return bool(
        writer.run(
            "UPDATE photo SET folder = ?, name = ?, size = ?, mtime_ns = ?, ctime_ns = ?, "
            "inode = ?, again = ?, missing_since = NULL "
            "WHERE id = ? AND folder = ? AND name = ? AND inode = ? AND mtime_ns = ?",
            (
                *(folder, name, *stamp, again),
                *(row.id, row.folder, row.name, row.stamp.inode, row.stamp.mtime_ns),
            ),
        )
    )


def holds(writer: Writer, content: int) -> bool:
    """Whether the content is still stored."""
    return writer.value("SELECT 1 FROM content WHERE id = ?", (content,)) is not None


def content_of(writer: Writer, photo: int) -> int | None:
    """The content a file's row has now."""
    content: int | None = writer.value("SELECT content FROM photo WHERE id = ?", (photo,))
    return content


def mark_missing(writer: Writer, photos: Iterable[PhotoRow], now_ns: int) -> int:
    """These files are gone: no query shows them, and their rows wait for them to come back.

    A row that another run has given another place meanwhile is left alone.
    """
    return writer.run_many(
        "UPDATE photo SET missing_since = ? "
        "WHERE id = ? AND folder = ? AND name = ? AND missing_since IS NULL",
        [(now_ns, row.id, row.folder, row.name) for row in photos],
    )


def mark_all_missing(writer: Writer, folder: int, now_ns: int) -> int:
    """The files of this folder itself are gone, as with ``mark_missing``."""
    return writer.run(
        "UPDATE photo SET missing_since = ? WHERE folder = ? AND missing_since IS NULL",
        (now_ns, folder),
    )


def mark_present(writer: Writer, photos: Iterable[int]) -> int:
    """These files are back as they were."""
    return writer.run_many(
        "UPDATE photo SET missing_since = NULL WHERE id = ?", [(photo,) for photo in photos]
    )


def last_id(database: Database) -> int:
    """The highest row of a file; 0 where there is none."""
    return int(database.value("SELECT ifnull(max(id), 0) FROM photo"))


def read_again_if_made_by_another(writer: Writer, recipe: Recipe, rows: range) -> int:
    """Files among these rows whose hashes another recipe made are due for another look."""
    return writer.run(
        "UPDATE photo SET again = 1 WHERE id >= ? AND id < ? AND again = 0 "
        "AND (SELECT recipe FROM content WHERE content.id = photo.content) <> ?",
        (rows.start, rows.stop, recipe),
    )


def read_again_in(writer: Writer, folder: int) -> int:
    """The files of this folder, missing ones included, are due for another look."""
    return writer.run("UPDATE photo SET again = 1 WHERE folder = ?", (folder,))


def retry_problems_of_other_decoders(writer: Writer, decoder: str) -> int:
    """Files that an earlier or poorer decoder failed on are due for another look."""
    return writer.run(
        "UPDATE photo SET again = 1 WHERE again = 0 AND id IN "
        "(SELECT photo FROM problem WHERE decoder <> ?)",
        (decoder,),
    )


def problems_of_other_decoders(database: Database, decoder: str) -> bool:
    """Whether any problem was recorded by another decoder than this one."""
    return (
        database.value("SELECT 1 FROM problem WHERE decoder <> ? LIMIT 1", (decoder,)) is not None
    )


def delete(writer: Writer, photos: Sequence[int]) -> list[int]:
    """Drop these rows; returns the contents they held."""
    contents: list[int] = []
    for photo in photos:
        content = content_of(writer, photo)
        if content is not None:
            contents.append(content)
        writer.run("DELETE FROM photo WHERE id = ?", (photo,))
    return contents


def missing_in(
    database: Database, folders: Sequence[int], before_ns: int | None = None
) -> list[int]:
    """Files of these folders that are missing, or have been since before ``before_ns``."""
    rows = database.rows(
        "SELECT id FROM photo WHERE missing_since IS NOT NULL "
        "AND missing_since < ifnull(?, missing_since + 1) "
        "AND folder IN (SELECT value FROM json_each(?))",
        (before_ns, json.dumps(list(folders))),
    )
    return [photo for (photo,) in rows]


def ids_in(database: Database, folders: Sequence[int]) -> list[int]:
    """Every file of these folders."""
    rows = database.rows(
        "SELECT id FROM photo WHERE folder IN (SELECT value FROM json_each(?))",
        (json.dumps(list(folders)),),
    )
    return [photo for (photo,) in rows]


def present_in(database: Database, folders: Sequence[int]) -> list[int]:
    """Every file of these folders that was there at the last look."""
    rows = database.rows(
        "SELECT id FROM photo WHERE missing_since IS NULL "
        "AND folder IN (SELECT value FROM json_each(?))",
        (json.dumps(list(folders)),),
    )
    return [photo for (photo,) in rows]


@dataclass(frozen=True, slots=True)
class Counts:
    """Files by what became of them."""

    photos: int = 0
    problems: int = 0
    missing: int = 0


def counts(database: Database, folders: Sequence[int]) -> Counts:
    """How many files of these folders are photos, problems, and missing."""
    rows = database.rows(
        "SELECT sum(missing_since IS NULL AND content IS NOT NULL), "
        "sum(missing_since IS NULL AND reason IS NOT NULL AND reason <> ?), "
        "sum(missing_since IS NOT NULL AND reason IS NOT ?) "
        "FROM photo LEFT JOIN problem ON problem.photo = photo.id "
        "WHERE folder IN (SELECT value FROM json_each(?))",
        (Reason.NOT_A_PICTURE, Reason.NOT_A_PICTURE, json.dumps(list(folders))),
    )
    return Counts(*(number or 0 for number in rows[0]))


def made_by_another_recipe(database: Database, recipe: Recipe) -> int:
    """How many present photos have hashes that another recipe made."""
    return int(
        database.value(
            "SELECT count(*) FROM photo JOIN content ON content.id = photo.content "
            "WHERE missing_since IS NULL AND recipe <> ?",
            (recipe,),
        )
    )


def problems(
    database: Database, folders: Sequence[int], wanted: Callable[[int, bytes], bool]
) -> Iterator[Problem]:
    """The files of these folders whose (folder, name) is ``wanted`` and that have no content."""
    places = Places(database)
    for folder, name, size, reason, detail in database.rows(
        "SELECT folder, name, size, reason, detail FROM problem "
        "JOIN photo ON photo.id = problem.photo WHERE missing_since IS NULL AND reason <> ? "
        "AND folder IN (SELECT value FROM json_each(?))",
        (Reason.NOT_A_PICTURE, json.dumps(list(folders))),
    ):
        if wanted(folder, name):
            yield Problem(places.path(folder) + b"/" + name, size, Reason(reason), detail)


def ids_with_content(database: Database, wanted: Callable[[int, bytes], bool]) -> list[int]:
    """The present photos whose (folder, name) is ``wanted``, folder by folder."""
    return [
        photo
        for photo, folder, name in database.stream(
            "SELECT id, folder, name FROM photo "
            "WHERE missing_since IS NULL AND content IS NOT NULL ORDER BY folder, name"
        )
        if wanted(folder, name)
    ]


def rows(database: Database, photos: Sequence[int]) -> Iterator[PhotoRow]:
    """These files, in their order."""
    for photo in photos:
        yield from map(_photo_row, database.rows(_ROW + "WHERE photo.id = ?", (photo,)))


_PHOTO: Final = (
    "SELECT photo.id, photo.folder, photo.name, photo.size, mtime_ns, ctime_ns, photo.inode, "
    "folder.filesystem, content.id, digest, format, width, height, orientation, taken_at, "
    "camera, flat, frames, shown FROM photo "
    "JOIN folder ON folder.id = photo.folder JOIN content ON content.id = photo.content "
    "WHERE missing_since IS NULL "
)


def with_contents(
    database: Database, contents: Sequence[int], wanted: Callable[[int, bytes], bool]
) -> Iterator[Photo]:
    """The photos that hold one of these contents and whose (folder, name) is ``wanted``."""
    places = Places(database)
    for start in range(0, len(contents), _IN_ONE_QUERY):
        some = contents[start : start + _IN_ONE_QUERY]
        marks = ",".join("?" * len(some))
        for row in database.rows(f"{_PHOTO} AND photo.content IN ({marks})", some):
            if wanted(row[1], row[2]):
                yield _photo(row, places)


def by_id(database: Database, photos: Sequence[int], places: Places) -> Iterator[tuple[int, Photo]]:
    """Those of these files that are there and hold a content, with their ids."""
    ids = json.dumps(list(photos))
    for row in database.rows(f"{_PHOTO} AND photo.id IN (SELECT value FROM json_each(?))", (ids,)):
        yield row[0], _photo(row, places)


def _photo_row(row: Row) -> PhotoRow:
    photo, folder, name, size, mtime, ctime, inode, again, missing, content, digest, recipe = row
    return PhotoRow(
        photo,
        folder,
        name,
        Stamp(size, mtime, ctime, inode),
        bool(again),
        bool(missing),
        content,
        digest,
        recipe,
    )


def _photo(row: Row, places: Places) -> Photo:
    photo, folder, name, size, mtime, ctime, inode, filesystem, content, digest, *rest = row
    form, width, height, orientation, taken_at, camera, flat, frames, shown = rest
    return Photo(
        path=places.path(folder) + b"/" + name,
        stamp=Stamp(size, mtime, ctime, inode),
        filesystem=filesystem,
        content=content,
        digest=digest,
        format=form,
        width=width,
        height=height,
        orientation=orientation,
        taken_at=taken_at,
        camera=camera,
        flat=bool(flat),
        frames=frames,
        shown=shown,
        id=photo,
    )


def count_problems(database: Database, folders: Sequence[int]) -> int:
    """How many present files of these folders could not be read."""
    return int(
        database.value(
            "SELECT count(*) FROM problem JOIN photo ON photo.id = problem.photo "
            "WHERE missing_since IS NULL AND reason <> ? "
            "AND folder IN (SELECT value FROM json_each(?))",
            (Reason.NOT_A_PICTURE, json.dumps(list(folders))),
        )
    )


def any_problems(database: Database) -> bool:
    """Whether any file could not be read."""
    return database.value("SELECT 1 FROM problem LIMIT 1") is not None
