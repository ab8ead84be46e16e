"""List folders, hold them against the catalog, and plan what makes the two agree.

The one idea that everything hangs on: a first run, a rescan, a rescan after a crash, a daemon
catching up and one that looks at a single folder are this code with other folders. Nothing is
changed here.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from catalog.indexing.plan import (
    Carry,
    Plan,
    Read,
    Why,
    compare,
    is_racy,
    known_digest,
    settled_digest,
)
from catalog.indexing.tree import Node, Tree, is_at
from catalog.model import Recipe, Stamp, signed64
from catalog.progress import SILENT, Phase, Progress
from catalog.scanning import filesystem
from catalog.scanning.filters import Filters
from catalog.scanning.walk import Listing, walk
from catalog.store import folders, photos
from catalog.store.database import Database
from catalog.store.photos import PhotoRow


@dataclass(frozen=True, slots=True)
class Look:
    """A folder to look at: with all below it if ``whole``, else only what is right in it.

    Folders in it that are new, or others than those of that name, are looked at whole then.
    """

    path: bytes  # absolute
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look at inside the root at ``root``.

    ``adopt`` names folders that a person pointed at: if one is on another file system than
    before (a restored backup, a new disk), it is taken as it is and its files are checked.
    ``before_listing`` is told the path of each folder just before it is listed: what happens
    to the folder from then on is for whoever is told to notice. ``is_seen`` tells of folders for
    which that was done: the catalog knows only those that hold photos, and it may be about to.
    """

    root: bytes
    looks: Collection[Look]
    filters: Filters
    recipe: Recipe
    adopt: Collection[bytes] = ()
    before_listing: Callable[[bytes], None] = lambda _path: None
    is_seen: Callable[[bytes], bool] = lambda _path: False


def reconcile(database: Database, scope: Scope, progress: Progress = SILENT) -> Plan:
    """Plan what brings the catalog in line with the disk where ``scope`` looks."""
    progress.start(Phase.LISTING)
    filesystem.forget_mounts()
    return _Reconciliation(database, scope, progress).plan()


def _tree(database: Database, scope: Scope) -> Tree:
    """All folders for a look at a whole root, which comes by most of them; else as needed."""
    if Look(scope.root) in scope.looks:
        return Tree(folders.all_folders(database))
    return Tree((), folders.SomeFolders(database))


class _Reconciliation:
    def __init__(self, database: Database, scope: Scope, progress: Progress) -> None:
        self._database = database
        self._scope = scope
        self._progress = progress
        self._plan = Plan()
        self._tree = _tree(database, scope)
        self._compares = photos.any_known(database)
        self._nodes: dict[bytes, Node] = {}  # by path: every folder met in this walk
        self._listable: dict[bytes, bool] = {}  # by path: whether it may be listed
        self._whole = {look.path for look in scope.looks if look.whole}
        self._shallow = {look.path for look in scope.looks if not look.whole}
        self._begun: set[bytes] = set()  # folders whose listing was begun
        self._listed: list[Node] = []  # those whose listing is whole
        self._taken: set[int] = set()  # rows that moved to another name
        self._left: set[int] = set()  # folders they moved out of
        self._changed: set[int] = set()  # inodes of files that changed under one of their names
        # Digests that files with a new name, and one they keep, had under the latter.
        self._linked: dict[tuple[str, int], bytes | None] = {}

    def plan(self) -> Plan:
        for top in sorted(self._whole | self._shallow):
            if top not in self._begun:
                self._look(top)
        self._find_gone_folders()
        # What moved to another name is not missing from its old one.
        self._plan.missing = [row for row in self._plan.missing if row.id not in self._taken]
        self._find_other_names()
        return self._plan

    def _find_other_names(self) -> None:
        """Where else files have names that were written to, linked or deleted by one of them."""
        for node in self._plan.gone:
            if node.id is not None:
                rows = photos.in_folder(self._database, node.id)
                self._changed.update(row.stamp.inode for row in rows if not row.missing)
        self._changed.update(row.stamp.inode for row in self._plan.missing)
        self._changed.discard(0)
        listed = {node.id for node in self._listed}
        for row in photos.by_inode(self._database, sorted(self._changed)):
            if row.folder not in listed and not row.missing and row.id not in self._taken:
                home = self._tree.node(row.folder)
                if home is not None and is_at(home.file(row.name), row.stamp.inode):
                    self._plan.elsewhere.add(home.path)

    def _look(self, top: bytes) -> None:
        scope = self._scope
        if not self._reach(top):
            return
        for listing in walk(top, scope.filters, self._enter, scope.root):
            self._progress.advance(len(listing.files))
            node = self._nodes.get(listing.path)
            if node is None:
                self._unmet(listing, top)
            else:
                self._take(node, listing)

    # -- folders -----------------------------------------------------------------------------

    def _reach(self, top: bytes) -> bool:
        """Meet the folders from the root down to the one above ``top``."""
        relative = folders.relative_to(top, self._scope.root) or b""
        parts = relative.split(b"/") if relative else []
        path = self._scope.root
        for part in [*parts, None]:
            try:
                status = os.lstat(path)
            except OSError as error:
                self._not_there(path, error.strerror or str(error))
                return False
            except ValueError:  # a null byte, out of a damaged catalog
                self._not_there(path, "no folder can have that name")
                return False
            if not stat.S_ISDIR(status.st_mode):
                # A link would show every photo a second time, under the path it leads to.
                self._not_there(path, "it is not a folder any more")
                return False
            if part is None:
                return True  # the walk itself meets the last one
            if not self._meet(path, status.st_dev, signed64(status.st_ino)):
                return False
            path = os.path.join(path, part)
        return True

    def _not_there(self, path: bytes, why: str) -> None:
        node = self._known(path)
        if node is None:
            return
        if node.is_mount:
            self._plan.offline.append(node)
        elif node.parent is not None and node.parent.path in self._nodes:
            self._gone(node)
        else:
            self._plan.unreadable.append((node, why))

    def _unmet(self, listing: Listing, top: bytes) -> None:
        """A folder that its parent showed, and of which nothing could be seen at its turn."""
        if listing.gone:
            if listing.path == top:
                self._not_there(listing.path, listing.error or "")
            return  # as if its parent had not shown it
        parent = self._nodes.get(os.path.dirname(listing.path))
        node = self._known(listing.path)
        if node is None and parent is not None:
            node = Node(os.path.basename(listing.path), parent, 0, parent.filesystem)
            parent.children[node.name] = node
        if node is not None:
            self._nodes[listing.path] = node
            self._plan.unreadable.append((node, listing.error or ""))

    def _known(self, path: bytes) -> Node | None:
        parent = self._nodes.get(os.path.dirname(path)) if path != self._scope.root else None
        if parent is not None:
            return parent.children.get(os.path.basename(path))
        return self._tree.top(path)

    def _enter(self, path: bytes, device: int, inode: int) -> bool:
        """Meet a folder on the walk; whether it is to be listed."""
        if path in self._begun or not self._meet(path, device, inode):
            return False
        node = self._nodes[path]
        if path not in self._whole and path not in self._shallow:
            if os.path.dirname(path) not in self._whole and self._needs_no_look(node, path):
                return False  # it is there: that is all that was asked
            self._whole.add(path)
        self._begun.add(path)
        self._scope.before_listing(path)
        return True

    def _needs_no_look(self, node: Node, path: bytes) -> bool:
        """Whether a folder is a known one, at its known place."""
        if node.id is None:
            return self._scope.is_seen(path)
        return not node.changed and node.unreadable is None

    def _meet(self, path: bytes, device: int, inode: int) -> bool:
        """Find the row of a folder; False where it is offline, or holds no files of a person's."""
        if path not in self._listable:
            self._listable[path] = self._find(path, device, inode)
        return self._listable[path]

    def _find(self, path: bytes, device: int, inode: int) -> bool:
        if filesystem.is_kernel_made(device) or path == self._database.locks.folder:
            return False
        identity = filesystem.identity(path, device)
        anonymous = not filesystem.tells_files_apart(device)
        if anonymous:
            inode = 0
        parent = self._nodes.get(os.path.dirname(path)) if path != self._scope.root else None
        node = self._known(path)
        if node is None and parent is not None:
            node = self._tree.renamed(identity, inode, met=self._nodes)
            if node is not None and self._still_holds(node, path):
                node.before = node.path
                node.place(parent, os.path.basename(path))
                self._plan.renamed.append(node)
                node.moved = True
            else:
                node = None
        if node is None:
            name = os.path.basename(path) if parent is not None else folders.top_name(path)
            node = Node(name, parent, inode, identity)
            if parent is not None:
                parent.children[name] = node
        self._tree.fill(node)
        node.device, node.anonymous = device, anonymous
        node.changed = node.moved or (node.stored, node.inode) != (identity, inode)
        node.moved = node.moved or (parent is not None and parent.moved and node.id is not None)
        self._say_what_is_told_by_size(node)
        self._nodes[path] = node
        if node.stored is None or self._is_where_it_was(node, parent, identity, path):
            if node.id is not None and (node.stored, node.inode) != (identity, inode):
                self._plan.identified.append(node)
            node.filesystem, node.inode = identity, inode
            return True
        self._plan.offline.append(node)
        return False

    def _still_holds(self, node: Node, path: bytes) -> bool:
        """Whether something of a known folder is in the one at ``path``.

        An inode number alone proves nothing: a new folder often gets that of a deleted one.
        """
        self._tree.fill(node)
        if any(is_at(os.path.join(path, name), c.inode) for name, c in node.children.items()):
            return True
        rows = photos.in_folder(self._database, node.id) if node.id is not None else []
        return any(
            not row.missing and is_at(os.path.join(path, row.name), row.stamp.inode) for row in rows
        )

    def _is_where_it_was(self, node: Node, parent: Node | None, identity: str, path: bytes) -> bool:
        """Whether the folder is on the file system it was on, or one that may take its place."""
        if node.stored == identity:
            return True
        if path in self._scope.adopt and not _is_empty(path):
            self._plan.notes.append(
                f"{os.fsdecode(path)} is on another file system than before: "
                "it was taken as it is, and its photos are checked"
            )
            return True
        # Below an adopted folder, what was on one file system with its parent still is.
        follows = parent is not None and not node.is_mount and identity == parent.filesystem
        return follows or not self._holds_rows(node)

    def _say_what_is_told_by_size(self, node: Node) -> None:
        begins = node.parent is None or not node.parent.anonymous
        said = node.id is not None and node.inode == 0
        if node.anonymous and begins and not said:
            self._plan.notes.append(
                f"{os.fsdecode(node.path)} is on a file system that does not number its files "
                "for good: there, only size and time of modification tell whether one changed"
            )

    def _take(self, node: Node, listing: Listing) -> None:
        """One folder was listed."""
        if listing.gone:
            del self._nodes[listing.path]  # as if its parent had not shown it
            return
        if listing.error is not None:
            self._plan.unreadable.append((node, listing.error))
            return
        if node.is_mount and listing.empty and self._holds_rows(node):
            self._plan.offline.append(node)
            return
        self._listed.append(node)
        if node.unreadable is not None:
            self._plan.readable.append(node)
        self._plan.scanned += len(listing.files)
        self._compare(node, listing)

    def _holds_rows(self, node: Node) -> bool:
        """Whether there are photos that were on the file system which this folder was on."""
        ids = [
            below.id
            for below in self._tree.below(node)
            if below.id is not None and below.stored == node.stored
        ]
        return bool(photos.present_in(self._database, ids))

    def _find_gone_folders(self) -> None:
        """Folders the catalog has below a listed one, and the walk did not meet."""
        for node in self._listed:
            for child in list(node.children.values()):
                if child.id is not None and self._nodes.get(child.path) is not child:
                    self._gone(child)

    def _gone(self, top: Node) -> None:
        """A folder is not there. What was another file system inside it is offline, not gone."""
        waiting = [top]
        while waiting:
            node = waiting.pop()
            if node.is_mount and self._holds_rows(node):
                self._plan.offline.append(node)
                continue
            self._plan.gone.append(node)
            self._tree.fill(node)
            waiting += [
                child
                for child in node.children.values()
                if child.id is not None and self._nodes.get(child.path) is not child
            ]

    # -- files -------------------------------------------------------------------------------

    def _compare(self, node: Node, listing: Listing) -> None:
        adopted = node.stored != node.filesystem
        if node.id is not None and not adopted and self._agrees(node, node.id, listing):
            self._count_unchanged(node, len(listing.files))
            return
        rows = [] if node.id is None else photos.in_folder(self._database, node.id)
        # Of a file with two names, the one met first may have the row of the other by now.
        rows = [row for row in rows if row.id not in self._taken]
        listed = [(name, Stamp(*stamp)) for name, *stamp in listing.files]
        result = compare(listed, rows, trusting=not adopted)
        self._count_unchanged(node, result.unchanged)
        self._plan.missing += result.missing
        self._plan.back += result.back
        carried = self._carried(node, result.added, result.changed)
        for name, stamp in result.added:
            if name not in carried:
                digest = self._linked.get((node.filesystem, stamp.inode))
                self._read(Read(node, name, stamp.size, Why.ADDED, None, digest))
        for name, stamp, row in result.changed:
            self._changed.update((row.stamp.inode, stamp.inode))
            if name not in carried:
                digest = known_digest(row, self._scope.recipe)
                why = Why.ADDED if row.missing else Why.CHANGED
                self._read(Read(node, name, stamp.size, why, row, digest))
        for name, stamp, row in result.again:
            digest = known_digest(row, self._scope.recipe)
            self._read(Read(node, name, stamp.size, Why.AGAIN, row, digest))

    def _count_unchanged(self, node: Node, files: int) -> None:
        if node.moved:
            self._plan.moved += files
        else:
            self._plan.unchanged += files

    def _agrees(self, node: Node, folder: int, listing: Listing) -> bool:
        """Whether every row of the folder is as listed, and none is to be looked at again."""
        if folder in self._left:
            return False
        files = sorted(listing.files)
        if node.settled == settled_digest(files):
            return True
        if photos.settled(self._database, folder) != files:
            return False
        self._plan.unsettled.add(folder)
        return True

    def _read(self, read: Read) -> None:
        self._plan.reads.append(read)

    def _carried(
        self,
        node: Node,
        added: list[tuple[bytes, Stamp]],
        changed: list[tuple[bytes, Stamp, PhotoRow]],
    ) -> set[bytes]:
        """Plan the files that are known under another name; returns their names here."""
        # What is still the file of its row was written to or linked: only reading tells which.
        replaced = ((name, stamp) for name, stamp, row in changed if row.stamp.inode != stamp.inode)
        here = [*added, *replaced]
        if not self._compares or not here or node.anonymous:
            return set()
        candidates: dict[int, list[PhotoRow]] = {}
        for row in photos.by_inode(self._database, [stamp.inode for _, stamp in here]):
            candidates.setdefault(row.stamp.inode, []).append(row)
        names: set[bytes] = set()
        for name, stamp in here:
            carry = self._carry(node, name, stamp, candidates.get(stamp.inode, []))
            if carry is not None:
                self._plan.carries.append(carry)
                names.add(name)
        return names

    def _carry(
        self, node: Node, name: bytes, stamp: Stamp, candidates: list[PhotoRow]
    ) -> Carry | None:
        for row in candidates:
            home = self._tree.node(row.folder)
            if home is None:
                continue  # put there by another process since this one began
            if (row.folder, row.name) == (node.id, name) or not self._is_same_file(
                row, home, stamp, node.filesystem
            ):
                continue
            there = is_at(home.file(row.name), stamp.inode)
            if there:
                self._changed.add(stamp.inode)  # as its time of change, for the number of names
            if there and row.stamp != stamp:
                # Linked since the row was read, or written to: its bytes are worth a look.
                digest = known_digest(row, self._scope.recipe)
                self._linked[node.filesystem, stamp.inode] = digest
                continue
            moved = not there and row.id not in self._taken
            if moved:
                self._taken.add(row.id)
                self._left.add(row.folder)
            elif row.content is None:
                continue  # a problem has nothing to share
            return Carry(node, name, stamp, row, moved)
        return None

    def _is_same_file(self, row: PhotoRow, home: Node, stamp: Stamp, filesystem: str) -> bool:
        """The bytes are those of the row: same file, and not written to since they were read.

        ctime is left out: renaming changes it.
        """
        return (
            home.stored == filesystem
            and (row.stamp.inode, row.stamp.size, row.stamp.mtime_ns)
            == (stamp.inode, stamp.size, stamp.mtime_ns)
            and not row.again
            and row.recipe in (None, self._scope.recipe)
            and not is_racy(stamp._replace(ctime_ns=stamp.mtime_ns), time.time_ns())
        )


def _is_empty(path: bytes) -> bool:
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except OSError:
        return True
