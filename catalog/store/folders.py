"""Folders and roots: the places of photos, as a tree of rows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from catalog.errors import CatalogDamaged
from catalog.store.database import Database, Writer
from catalog.store.opening import damage


@dataclass(frozen=True, slots=True)
class FolderRow:
    """A folder as stored. ``parent`` is None for the top of a root, whose name is its path."""

    id: int
    parent: int | None
    name: bytes
    filesystem: str  # identity of the file system it was on
    inode: int
    unreadable: str | None
    settled: bytes | None  # digest of the listing that its photo rows are known to agree with


@dataclass(frozen=True, slots=True)
class RootRow:
    """A folder that a person named. ``filters`` is what they wanted in and out."""

    id: int
    folder: int
    path: bytes
    filters: dict[str, object] = field(default_factory=dict)
    last_scan: int | None = None


_FOLDER = (
    "SELECT folder.id, parent, name, identity, inode, unreadable, settled "
    "FROM folder JOIN filesystem ON filesystem.id = folder.filesystem "
)


def all_folders(database: Database) -> list[FolderRow]:
    """Every folder row, parents not necessarily first. Raises CatalogDamaged."""
    rows = [FolderRow(*row) for row in database.rows(_FOLDER)]
    if not {row.parent for row in rows} <= {None, *(row.id for row in rows)}:
        raise _torn(database)
    return rows


def _torn(database: Database) -> CatalogDamaged:
    return CatalogDamaged(damage(database.path, "a folder lost the one above it"))


class SomeFolders:
    """Folder rows as they are asked for, each with a query of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tops(self) -> list[FolderRow]:
        """The tops of all roots."""
        return self._rows("WHERE parent IS NULL")

    def children(self, folder: int) -> list[FolderRow]:
        """The folders right in this one."""
        return self._rows("WHERE parent = ?", folder)

    def chain(self, folder: int) -> list[FolderRow]:
        """The folder and all above it, the top last; nothing where there is none.

        Raises CatalogDamaged.
        """
        chain: list[FolderRow] = []
        current: int | None = folder
        while current is not None:
            found = self._rows("WHERE folder.id = ?", current)
            if not found and chain:
                raise _torn(self._database)
            chain += found
            current = found[0].parent if found else None
        return chain

    def numbered(self, filesystem: str, inode: int) -> list[int]:
        """The ids of the folders with this inode number on this file system."""
        return [row.id for row in self._rows("WHERE inode = ? AND identity = ?", inode, filesystem)]

    def _rows(self, where: str, *parameters: object) -> list[FolderRow]:
        return [FolderRow(*row) for row in self._database.rows(_FOLDER + where, parameters)]


def all_roots(database: Database | Writer) -> list[RootRow]:
    """Every root, by path. Raises CatalogDamaged."""
    rows = database.rows(
        "SELECT root.id, folder.id, folder.name, filters, last_scan "
        "FROM root JOIN folder ON folder.id = root.folder ORDER BY folder.name"
    )
    try:
        return [
            RootRow(root, folder, name or b"/", json.loads(filters), last_scan)
            for root, folder, name, filters, last_scan in rows
        ]
    except ValueError as error:
        raise CatalogDamaged(damage(database.path, "the filters of a folder")) from error


def root_of(database: Database, folder: int) -> RootRow:
    """The root that a folder is in."""
    top = database.value(
        "WITH RECURSIVE above (id, parent) AS (SELECT id, parent FROM folder WHERE id = ? "
        "UNION ALL SELECT folder.id, folder.parent FROM folder JOIN above "
        "ON folder.id = above.parent) SELECT id FROM above WHERE parent IS NULL",
        (folder,),
    )
    return next(root for root in all_roots(database) if root.folder == top)


def filesystem_id(writer: Writer, identity: str) -> int:
    """The row of a file system, made if need be."""
    writer.run("INSERT OR IGNORE INTO filesystem (identity) VALUES (?)", (identity,))
    return int(writer.value("SELECT id FROM filesystem WHERE identity = ?", (identity,)))


def filesystem_of(writer: Writer, folder: int) -> str:
    """The identity of the file system that a folder is on."""
    return str(
        writer.value(
            "SELECT identity FROM folder JOIN filesystem ON filesystem.id = folder.filesystem "
            "WHERE folder.id = ?",
            (folder,),
        )
    )


def child(reader: Database | Writer, parent: int | None, name: bytes) -> int | None:
    """The row of the folder with this name in ``parent`` (None: the top of a root)."""
    # Two statements, as "parent IS ?" could use neither of the two partial indexes.
    found: int | None
    if parent is None:
        found = reader.value("SELECT id FROM folder WHERE parent IS NULL AND name = ?", (name,))
    else:
        sql = "SELECT id FROM folder WHERE parent = ? AND name = ?"
        found = reader.value(sql, (parent, name))
    return found


def add_folder(writer: Writer, parent: int | None, name: bytes, identity: str, inode: int) -> int:
    """The row of a folder, made if need be; one that is there is brought up to date."""
    found = child(writer, parent, name)
    filesystem = filesystem_id(writer, identity)
    if found is not None:
        writer.run(
            "UPDATE folder SET filesystem = ?, inode = ? WHERE id = ?",
            (filesystem, inode, found),
        )
        return int(found)
    return int(
        writer.value(
            "INSERT INTO folder (parent, name, filesystem, inode) VALUES (?,?,?,?) RETURNING id",
            (parent, name, filesystem, inode),
        )
    )


def move_folder(writer: Writer, folder: int, parent: int | None, name: bytes) -> None:
    """Give a folder another place, with everything below it."""
    writer.run("UPDATE folder SET parent = ?, name = ? WHERE id = ?", (parent, name, folder))


def set_unreadable(writer: Writer, folder: int, why: str | None) -> None:
    """Remember that a folder could not be listed (its photos are not offered), or that it can."""
    writer.run("UPDATE folder SET unreadable = ? WHERE id = ?", (why, folder))


def set_settled(writer: Writer, settled: Iterable[tuple[int, bytes]]) -> None:
    """Remember the digest of the listing that the photo rows of each folder agree with."""
    writer.run_many(
        "UPDATE folder SET settled = ? WHERE id = ?",
        [(digest, folder) for folder, digest in settled],
    )


def add_root(writer: Writer, folder: int, filters: dict[str, object]) -> int:
    """Make a folder row the top of a new root."""
    return int(
        writer.value(
            "INSERT INTO root (folder, filters) VALUES (?, ?) RETURNING id",
            (folder, json.dumps(filters)),
        )
    )


def set_filters(writer: Writer, root: int, filters: dict[str, object]) -> None:
    """What a person wants in and out of a root from now on."""
    writer.run("UPDATE root SET filters = ? WHERE id = ?", (json.dumps(filters), root))


def delete_root(writer: Writer, root: int) -> None:
    """Stop following a root; its folders and photos are the caller's to move or delete."""
    writer.run("DELETE FROM root WHERE id = ?", (root,))


def complete_scan(writer: Writer, root: int, begun_ns: int) -> None:
    """Every folder of this root was listed by a scan that began then."""
    writer.run("UPDATE root SET last_scan = ? WHERE id = ?", (begun_ns, root))


def below(reader: Database | Writer, tops: Sequence[int]) -> list[int]:
    """The ids of these folders and of all below them."""
    rows = reader.rows(
        "WITH RECURSIVE scope (id) AS (SELECT value FROM json_each(?) "
        "UNION SELECT folder.id FROM folder JOIN scope ON folder.parent = scope.id) "
        "SELECT id FROM scope",
        (json.dumps(list(tops)),),
    )
    return [folder for (folder,) in rows]


def delete_empty(writer: Writer, folders: Iterable[int]) -> None:
    """Drop those of these folders that hold no photo row, no folder and are no root's top."""
    for folder in sorted(folders, reverse=True):
        current: int | None = folder
        while current is not None:
            parent = writer.value("SELECT parent FROM folder WHERE id = ?", (current,))
            gone = writer.run(
                "DELETE FROM folder WHERE id = ?1 "
                "AND NOT EXISTS (SELECT 1 FROM photo WHERE folder = ?1) "
                "AND NOT EXISTS (SELECT 1 FROM folder AS child WHERE child.parent = ?1) "
                "AND NOT EXISTS (SELECT 1 FROM root WHERE root.folder = ?1)",
                (current,),
            )
            current = parent if gone else None


class Places:
    """Paths of folder ids, looked up when asked for and remembered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._paths: dict[int, bytes] = {}

    def path(self, folder: int) -> bytes:
        """The absolute path of a folder; '' for '/', so that joining with '/' is right."""
        below: list[tuple[int, bytes]] = []
        current: int | None = folder
        while current is not None and current not in self._paths:
            sql = "SELECT parent, name FROM folder WHERE id = ?"
            ((parent, name),) = self._database.rows(sql, (current,))
            below.append((current, name))
            current = parent
        prefix = b"" if current is None else self._paths[current] + b"/"
        for known, name in reversed(below):
            self._paths[known] = prefix + name
            prefix = self._paths[known] + b"/"
        return self._paths[folder]


def find(database: Database, path: bytes) -> int | None:
    """The row of the folder at this absolute path, if it is known."""
    for root in sorted(all_roots(database), key=lambda root: -len(root.path)):
        relative = relative_to(path, root.path)
        if relative is None:
            continue
        current: int | None = root.folder
        for part in relative.split(b"/") if relative else []:
            current = child(database, current, part)
            if current is None:
                break
        if current is not None:
            return current
    return None


def within(database: Database, path: bytes) -> list[int]:
    """The ids of the folders at and below this absolute path, which may hold whole roots."""
    tops = database.rows("SELECT id, name FROM folder WHERE parent IS NULL")
    inside = [top for top, name in tops if relative_to(name or b"/", path) is not None]
    inner = find(database, path)
    return below(database, inside if inner is None else [*inside, inner])


def relative_to(path: bytes, top: bytes) -> bytes | None:
    """``path`` below ``top`` ('' for ``top`` itself), or None when it is elsewhere."""
    if path == top:
        return b""
    prefix = top if top.endswith(b"/") else top + b"/"
    return path[len(prefix) :] if path.startswith(prefix) else None


def top_name(path: bytes) -> bytes:
    """How the top of a root is named in its row."""
    return b"" if path == b"/" else os.path.normpath(path)
