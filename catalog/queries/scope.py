"""Which photos a question is about: those that are there now, below the paths it names.

A drive can be unplugged after the last index. So the places where file systems begin are
looked at again, at each question: what is offline is neither kept nor offered.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from catalog.errors import UsageError
from catalog.escaping import printable
from catalog.indexing.tree import Node, Tree
from catalog.scanning import filesystem
from catalog.store import folders, photos
from catalog.store.database import Database
from catalog.store.folders import RootRow


@dataclass(frozen=True, slots=True)
class Scope:
    """Folders by id, and single files by place; ``offline`` names what was left out, and why."""

    folders: frozenset[int]
    files: frozenset[tuple[int, bytes]]
    offline: tuple[tuple[bytes, str], ...]
    last_scan_ns: int | None  # the oldest of the roots asked about; None: one was never whole
    roots: frozenset[int] = frozenset()  # ids of the roots asked about
    everything: bool = False  # no file of the catalog is left out

    def holds(self, folder: int, name: bytes) -> bool:
        """Whether the file at this place is asked about."""
        return folder in self.folders or (folder, name) in self.files

    def is_live(self, live: Collection[int]) -> bool:
        """Whether all that is asked about is in roots that were just brought up to date."""
        return bool(self.roots) and self.roots <= set(live)

    @property
    def all_folders(self) -> list[int]:
        """Every folder that holds a file asked about."""
        return sorted(self.folders | {folder for folder, _ in self.files})


def scope_of(database: Database, paths: Sequence[bytes] = (), *, offline: bool = False) -> Scope:
    """What is below ``paths`` (none: everything), without what is not there now.

    With ``offline``, what is not there stays in. Raises UsageError for a path that the
    catalog does not follow.
    """
    tree = Tree(folders.all_folders(database))
    away = [] if offline else list(_offline_places(database, tree.by_id.values()))
    hidden = {below.id for node, _ in away for below in node.below()}
    if not paths:
        wanted, files = set(tree.by_id), frozenset[tuple[int, bytes]]()
    else:
        wanted, files = _below(database, tree, paths)
    asked = _roots(database, tree, wanted | {folder for folder, _ in files})
    scans = [root.last_scan for root in asked]
    known = [scan for scan in scans if scan is not None]
    return Scope(
        folders=frozenset(wanted - hidden),
        files=frozenset((folder, name) for folder, name in files if folder not in hidden),
        offline=tuple((node.path, why) for node, why in away if node.id in wanted),
        last_scan_ns=min(known) if known and len(known) == len(scans) else None,
        roots=frozenset(root.id for root in asked),
        everything=not paths and not hidden,
    )


def _roots(database: Database, tree: Tree, wanted: set[int]) -> list[RootRow]:
    """The roots that these folders are in."""
    tops = {tree.by_id[folder].top.id for folder in wanted}
    return [root for root in folders.all_roots(database) if root.folder in tops]


def _offline_places(database: Database, nodes: Iterable[Node]) -> Iterator[tuple[Node, str]]:
    """The folders with photos that are not there now, with the reason."""
    filesystem.forget_mounts()
    for node in nodes:
        why = node.unreadable or (why_offline(node) if node.is_mount else "")
        if why and photos.present_in(database, [n.id for n in node.below() if n.id is not None]):
            yield node, why


def why_offline(node: Node) -> str:
    """Why a folder on which a file system began is offline; empty where it is there."""
    presence = filesystem.look(node.path)
    if presence.identity is None:
        return presence.why
    if presence.identity != node.stored:
        return "another file system is there"
    return "it is empty" if presence.empty else ""


def _below(
    database: Database, tree: Tree, paths: Sequence[bytes]
) -> tuple[set[int], frozenset[tuple[int, bytes]]]:
    wanted: set[int] = set()
    files: set[tuple[int, bytes]] = set()
    for path in paths:
        real = os.path.realpath(path)
        folder = folders.find(database, real)
        if folder is not None:
            wanted |= {node.id for node in tree.by_id[folder].below() if node.id is not None}
            continue
        parent = folders.find(database, os.path.dirname(real))
        if parent is None or not os.path.lexists(real):
            raise UsageError(f"{printable(path)} is not in the catalog: 'imgcat index' it first")
        files.add((parent, os.path.basename(real)))
    return wanted, frozenset(files)
