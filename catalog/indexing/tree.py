"""The catalog's folders in memory, as the walk meets them again.

A node without an id is a folder the catalog does not know yet; it gets its row when there is
a file to put into it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from catalog.model import signed64
from catalog.store.folders import FolderRow


@dataclass(slots=True, eq=False)
class Node:
    """One folder. ``stored`` is the file system its row names, ``filesystem`` the one seen now."""

    name: bytes  # of a root's top: its absolute path, '' for '/'
    parent: Node | None
    inode: int
    filesystem: str
    id: int | None = None
    stored: str | None = None
    unreadable: str | None = None
    settled: bytes | None = None
    device: int = 0
    moved: bool = False  # itself or with a folder above it, since the last look
    before: bytes | None = None  # where it was, if it was itself moved
    changed: bool = False  # it, or its place, is another one than its row says
    anonymous: bool = False  # its file system does not tell files apart: stamps are size and mtime
    children: dict[bytes, Node] = field(default_factory=dict)

    @property
    def path(self) -> bytes:
        """Absolute, as the catalog has it; '/' for the root of all."""
        return self._prefix or b"/"

    @property
    def _prefix(self) -> bytes:
        names: list[bytes] = []
        node: Node | None = self
        while node is not None:
            names.append(node.name)
            node = node.parent
        return b"/".join(reversed(names))

    def file(self, name: bytes) -> bytes:
        """The path of a file in this folder."""
        return self._prefix + b"/" + name

    @property
    def is_mount(self) -> bool:
        """Whether another file system began here when the row was written."""
        if self.parent is None:
            return True
        above = self.parent.stored or self.parent.filesystem  # the latter of a new folder
        return self.stored is not None and self.stored != above

    @property
    def top(self) -> Node:
        """The top of the root this folder is in."""
        node = self
        while node.parent is not None:
            node = node.parent
        return node

    def place(self, parent: Node | None, name: bytes) -> None:
        """Hang this folder, with all below it, somewhere else."""
        if self.parent is not None:
            self.parent.children.pop(self.name, None)
        self.parent, self.name = parent, name
        if parent is not None:
            parent.children[name] = self

    def below(self) -> Iterator[Node]:
        """This folder and all below it."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(node.children.values())


class Source(Protocol):
    """Where a tree gets the folders that it was not given."""

    def tops(self) -> list[FolderRow]: ...
    def children(self, folder: int) -> list[FolderRow]: ...
    def chain(self, folder: int) -> list[FolderRow]:
        """The folder and all above it, the top last; nothing where there is none."""

    def numbered(self, filesystem: str, inode: int) -> list[int]:
        """The folders with this inode number on this file system."""


class Tree:
    """The folders of the catalog: all of them, or as many as were asked for.

    With ``source``, ``rows`` are only the first, and others are looked up as they are needed:
    a look at one folder of 200,000 must not load them all.
    """

    def __init__(self, rows: Iterable[FolderRow], source: Source | None = None) -> None:
        self.by_id: dict[int, Node] = {}
        self._by_inode: dict[tuple[str, int], list[Node]] = {}
        self._source = source
        self._filled: set[int] = set()
        self._add(rows if source is None else [*source.tops(), *rows])

    def top(self, path: bytes) -> Node | None:
        """The top of the root at ``path``."""
        return next((n for n in self.by_id.values() if n.parent is None and n.path == path), None)

    def node(self, folder: int) -> Node | None:
        """The folder with this row; None where there is none."""
        if folder not in self.by_id and self._source is not None:
            self._add(self._source.chain(folder))
        return self.by_id.get(folder)

    def fill(self, node: Node) -> None:
        """See to it that ``node`` has all children that the catalog knows."""
        if self._source is not None and node.id is not None and node.id not in self._filled:
            self._filled.add(node.id)
            self._add(self._source.children(node.id))

    def below(self, top: Node) -> Iterator[Node]:
        """The folder and all below it that the catalog knows."""
        waiting = [top]
        while waiting:
            node = waiting.pop()
            self.fill(node)
            yield node
            waiting.extend(node.children.values())

    def renamed(self, filesystem: str, inode: int, met: Mapping[bytes, Node]) -> Node | None:
        """The known folder with this identity whose old place does not hold it any more.

        Not one that was ``met`` already, as it is now something else of its name, and never
        the top of a root: a person named it by its path.
        """
        for node in self._numbered(filesystem, inode) if inode else ():
            if node.parent is None or met.get(node.path) is node:
                continue
            if not is_at(node.path, inode):
                return node
        return None

    def _numbered(self, filesystem: str, inode: int) -> Iterable[Node]:
        if self._source is None:
            return self._by_inode.get((filesystem, inode), ())
        found = map(self.node, self._source.numbered(filesystem, inode))
        return [node for node in found if node is not None]

    def _add(self, rows: Iterable[FolderRow]) -> None:
        rows = [row for row in rows if row.id not in self.by_id]
        for row in rows:
            self.by_id[row.id] = Node(
                name=row.name,
                parent=None,
                inode=row.inode,
                filesystem=row.filesystem,
                id=row.id,
                stored=row.filesystem,
                unreadable=row.unreadable,
                settled=row.settled,
            )
        for row in rows:
            node = self.by_id[row.id]
            if row.parent is not None:
                node.parent = self.by_id[row.parent]
                # A folder that was renamed since, in memory only, may have taken its name.
                node.parent.children.setdefault(row.name, node)
            if self._source is None:
                self._by_inode.setdefault((row.filesystem, row.inode), []).append(node)


def is_at(path: bytes, inode: int) -> bool:
    """Whether ``path`` is, now, a name of the file or folder with this inode number."""
    try:
        return signed64(os.lstat(path).st_ino) == inode
    except OSError:
        return False
