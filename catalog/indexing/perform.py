"""Carry a plan out: change rows, read files, commit what was read in small batches.

A batch is at most 500 rows or 200 ms, so that others get their turn at the write lock and an
interrupted run loses at most that. No file is opened while the lock is held.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from catalog.indexing.plan import Carry, Plan, Read, Why, is_racy, settled_digest
from catalog.indexing.reading import Reader, as_problem, believed_of
from catalog.indexing.tree import Node
from catalog.model import (
    Change,
    Failure,
    Fingerprint,
    Happening,
    Outcome,
    Reading,
    Reason,
    Recipe,
    SameBytes,
)
from catalog.progress import Phase, Progress
from catalog.store import contents, folders, photos, settings
from catalog.store.database import Database, Writer
from catalog.store.photos import PhotoRow

BATCH_ROWS: Final = 500
BATCH_SECONDS: Final = 0.2
_SETTLED_AT_ONCE: Final = 50  # folders, each with all its files

T = TypeVar("T")


@dataclass(slots=True)
class Tally:
    """What was done, in files."""

    unchanged: int = 0
    added: int = 0
    changed: int = 0
    moved: int = 0
    missing: int = 0
    failed: int = 0
    unread: int = 0
    left_out: int = 0
    pending: int = 0  # files that were to be read and were not, as the run was interrupted
    interrupted: bool = False
    unreadable: list[tuple[bytes, str]] = field(default_factory=list)
    came_back: list[bytes] = field(default_factory=list)  # photos a copy of was thrown away
    unsettled: set[bytes] = field(default_factory=set)  # folders with files so new that a change
    # after they were read would not show: look again in a moment

    def add(self, other: Tally) -> None:
        """Count what another one counted too."""
        self.unchanged += other.unchanged
        self.added += other.added
        self.changed += other.changed
        self.moved += other.moved
        self.missing += other.missing
        self.failed += other.failed
        self.unread += other.unread
        self.left_out += other.left_out
        self.pending += other.pending
        self.interrupted |= other.interrupted
        self.unreadable += other.unreadable
        self.came_back += other.came_back
        self.unsettled |= other.unsettled


class Performer:
    """Carries out one plan. ``decoder`` names what could or could not read the files.

    ``tell`` hears of each change once it is committed.
    """

    def __init__(
        self,
        database: Database,
        recipe: Recipe,
        decoder: str,
        reader: Reader,
        progress: Progress,
        *,
        tell: Callable[[Change], None] | None = None,
    ) -> None:
        self._database = database
        self._recipe = recipe
        self._decoder = decoder
        self._progress = progress
        self._reader = reader
        self._tell = tell
        self._untold: list[Change] = []  # what the transaction under way changes
        self._unused: set[int] = set()  # contents that a file may have been the last to hold
        self._places_of_rows = folders.Places(database)
        self._made: list[Node] = []  # folders whose rows the transaction under way made
        self.tally = Tally()

    def perform(self, plan: Plan) -> Tally:
        """Do all of it. On KeyboardInterrupt what was read is kept, and the tally says so."""
        self.tally.unchanged += plan.unchanged
        self.tally.moved += plan.moved
        try:
            self._places(plan)
            extra = self._carry(plan.carries)
            self._presence(plan)
            self._read([*plan.reads, *extra])
            self._settle(plan)
        except KeyboardInterrupt:
            self.tally.interrupted = True
        return self.tally

    # -- rows --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Writer]:
        """One transaction; folders that it made are unmade with it when it fails."""
        self._made.clear()
        self._untold.clear()
        try:
            with self._database.writing(self._progress) as writer:
                yield writer
        except BaseException:
            for node in self._made:
                node.id = None
            raise
        if self._tell is not None:
            for change in self._untold:
                self._tell(change)
        self._untold.clear()

    def _places(self, plan: Plan) -> None:
        """Folders that were renamed, found on another file system, or could not be listed."""
        if not (plan.renamed or plan.identified or plan.readable or plan.unreadable):
            return
        with self._writing() as writer:
            for node in plan.renamed:
                if node.parent is not None and node.id is not None:
                    parent = self._ensure(writer, node.parent)
                    folders.move_folder(writer, node.id, parent, node.name)
                    self._note(Happening.MOVED, node.path, before=node.before, folder=True)
            for node in plan.readable:
                if node.id is not None:
                    folders.set_unreadable(writer, node.id, None)
            for node, why in plan.unreadable:
                self.tally.unreadable.append((node.path, why))
                folders.set_unreadable(writer, self._ensure(writer, node), why)

        self._identify(plan.identified)

    def _identify(self, nodes: Sequence[Node]) -> None:
        """Folders that are on another file system, or have another inode, than their rows say."""
        for batch in _batches(nodes):
            with self._writing() as writer:
                for node in batch:
                    folder = self._ensure(writer, node, refresh=True)
                    if node.stored != node.filesystem:
                        # Their stamps are another disk's, also for a run after one cut off here.
                        photos.read_again_in(writer, folder)

    def _carry(self, carries: Sequence[Carry]) -> list[Read]:
        """Give known contents their new names; returns what has to be read after all."""
        unknown: list[Read] = []
        for batch in _batches(carries):
            with self._writing() as writer:
                unknown += [
                    Read(carry.folder, carry.name, carry.stamp.size, Why.ADDED)
                    for carry in batch
                    if not self._carry_one(writer, carry)
                ]
        # Only now: until then, another of them may have use for a content.
        for some in _batches(sorted(self._unused)):
            with self._database.writing(self._progress) as writer:
                contents.delete_unused(writer, some)
        self._unused.clear()
        return unknown

    def _carry_one(self, writer: Writer, carry: Carry) -> bool:
        folder = self._ensure(writer, carry.folder)
        path = carry.folder.file(carry.name)
        before = photos.get(writer, folder, carry.name)
        if before is not None and before.content is not None:
            self._unused.add(before.content)
        # It may be another picture: of the same size and time, as archives unpack them and some
        # programs put them back, written over it or on the inode of one deleted since. Moving a
        # file changes its ctime like writing to it does, so only the next look tells; moving the
        # folder around it changes nothing.
        source = carry.source
        touched = carry.name != source.name or carry.stamp.ctime_ns != source.stamp.ctime_ns
        again = carry.moved and touched
        if again:
            self.tally.unsettled.add(carry.folder.path)
        if carry.moved and photos.move(
            writer, carry.source, folder, carry.name, carry.stamp, again=again
        ):
            self.tally.moved += 1
            self._note(Happening.MOVED, path, before=self._path_of(carry.source))
        else:
            content = carry.source.content
            if content is None or not photos.holds(writer, content):
                return False
            photos.put(writer, folder, carry.name, carry.stamp, content, again=again)
            if carry.moved:
                self.tally.moved += 1
                self._note(Happening.ADDED, path, content=content)
            elif before is None:
                self.tally.added += 1
                self._note(Happening.ADDED, path)
            else:
                self.tally.changed += 1
                self._note(Happening.CHANGED, path)
        return True

    def _presence(self, plan: Plan) -> None:
        """Files that are gone, and files that are back as they were."""
        now = time.time_ns()
        for batch in _batches(plan.missing):
            left_out = {row.id for row in batch if self._is_still_there(row)}
            with self._writing() as writer:
                gone = photos.mark_missing(writer, batch, now)
                for row in batch:
                    if row.id not in left_out:
                        self._note(Happening.GONE, self._path_of(row))
            self._count_gone(gone, len(left_out))
        for node in plan.gone:
            if node.id is not None:
                with self._writing() as writer:
                    # Another run may have found it under another name since it was looked for.
                    parent = None if node.parent is None else node.parent.id
                    if folders.child(writer, parent, node.name) == node.id:
                        gone = photos.mark_all_missing(writer, node.id, now)
                        there = os.path.isdir(node.path)
                        self._count_gone(gone, gone if there else 0)
                        if gone and not there:
                            self._note(Happening.GONE, node.path, folder=True)
        for back in _batches(plan.back):
            with self._writing() as writer:
                self.tally.added += photos.mark_present(writer, [row.id for row in back])
                for row in back:
                    self._note(Happening.BACK, self._path_of(row))

    def _path_of(self, row: PhotoRow) -> bytes:
        return self._places_of_rows.path(row.folder) + b"/" + row.name

    def _note(
        self,
        what: Happening,
        path: bytes,
        *,
        before: bytes | None = None,
        content: int | None = None,
        folder: bool = False,
        detail: str = "",
    ) -> None:
        """Something that the transaction under way changes, to be told when it is committed."""
        if self._tell is not None:
            self._untold.append(Change(what, path, before, content, folder, detail))

    def _is_still_there(self, row: PhotoRow) -> bool:
        """Whether a file is on the disk, and only the filters left it out."""
        path = self._path_of(row)
        return os.path.isfile(path) and not os.path.islink(path)

    def _count_gone(self, gone: int, still_there: int) -> None:
        left_out = min(gone, still_there)
        self.tally.left_out += left_out
        self.tally.missing += gone - left_out

    def _settle(self, plan: Plan) -> None:
        """Let folders whose files need no further look say so, for the next rescan."""
        nodes = (*_folders(plan.reads), *_folders(plan.carries))
        touched = {node.id for node in nodes if node.id is not None}
        for batch in _batches(sorted(touched | plan.unsettled), _SETTLED_AT_ONCE):
            with self._database.writing(self._progress) as writer:
                listings = [(folder, photos.settled(writer, folder)) for folder in batch]
                folders.set_settled(
                    writer,
                    [
                        (folder, settled_digest(files))
                        for folder, files in listings
                        if all(size >= 0 for _, size, *_ in files)
                    ],
                )

    def _ensure(self, writer: Writer, node: Node, *, refresh: bool = False) -> int:
        """The row of a folder and of all above it, made where there is none."""
        unknown = [node] if refresh or node.id is None else []
        while unknown and unknown[-1].parent is not None and unknown[-1].parent.id is None:
            unknown.append(unknown[-1].parent)
        for each in reversed(unknown):  # a loop, as a tree may be deeper than Python's stack
            if each.id is None:
                self._made.append(each)
            parent = None if each.parent is None else each.parent.id
            each.id = folders.add_folder(writer, parent, each.name, each.filesystem, each.inode)
        assert node.id is not None
        return node.id

    # -- reading -----------------------------------------------------------------------------

    def _read(self, reads: Sequence[Read]) -> None:
        if not reads:
            return
        self._progress.start(Phase.READING, len(reads))
        self.tally.pending = len(reads)
        pending: list[tuple[Read, Reading]] = []
        since = time.monotonic()
        with contextlib.closing(self._reader(reads, self._recipe)) as readings:
            try:
                for read, reading in readings:
                    pending.append((read, reading))
                    self._progress.advance()
                    late = time.monotonic() - since > BATCH_SECONDS
                    if late or len(pending) >= BATCH_ROWS:
                        self._commit(pending)
                        since = time.monotonic()
            finally:
                self._commit(pending)

    def _commit(self, pending: list[tuple[Read, Reading]]) -> None:
        """Store what was read, and empty ``pending``."""
        if not pending:
            return
        believed = [(read, believed_of(read, reading)) for read, reading in pending]
        with self._writing() as writer:
            for read, reading in believed:
                if reading is not None:
                    self._store(writer, read, reading)
            contents.delete_unused(writer, self._unused)
        self._unused.clear()
        self.tally.pending -= len(pending)
        for read, reading in believed:
            if reading is not None:
                self._count(read, reading.outcome)
        pending.clear()

    def _store(self, writer: Writer, read: Read, reading: Reading) -> None:
        outcome = reading.outcome
        before = read.row.content if read.row is not None else None
        if isinstance(outcome, Failure) and outcome.reason is Reason.VANISHED:
            if read.row is not None and photos.mark_missing(writer, [read.row], reading.begun_ns):
                self._note(Happening.GONE, read.folder.file(read.name))
            return
        folder = self._ensure(writer, read.folder)
        assert reading.stamp is not None  # believed_of saw to it
        stamp = reading.stamp.anonymous() if read.folder.anonymous else reading.stamp
        if isinstance(outcome, Failure):
            content = None
            failure = as_problem(read, outcome)
            racy = is_racy(stamp, reading.begun_ns) or outcome.reason is Reason.UNSTABLE
            again = racy or outcome.reason.passing
            photo = photos.put(writer, folder, read.name, stamp, None, again=again)
            photos.put_problem(writer, photo, failure, self._decoder)
        else:
            content = _content(writer, outcome)
            if content is None:
                return  # dropped by another process since: the next look reads it anew
            # Another run may have asked for another recipe meanwhile.
            other = contents.recipe(writer, content) != settings.recipe(writer)
            racy = is_racy(stamp, reading.begun_ns)
            photos.put(writer, folder, read.name, stamp, content, again=racy or other)
        if racy:
            self.tally.unsettled.add(read.folder.path)
        if before is not None and before != content:
            self._unused.add(before)
        self._note_read(read, outcome, content)

    def _note_read(self, read: Read, outcome: Outcome, content: int | None) -> None:
        """What a file that was read is told as: nothing, if all is as it was."""
        path = read.folder.file(read.name)
        if isinstance(outcome, Failure):
            problem = as_problem(read, outcome)
            known = read.why is Why.AGAIN and read.row is not None and read.row.content is None
            if problem.reason is not Reason.NOT_A_PICTURE and not known:
                words = f"{problem.reason}: {problem.detail}" if problem.detail else problem.reason
                self._note(Happening.FAILED, path, detail=words)
        elif read.why is Why.ADDED or (read.row is not None and read.row.content is None):
            # What could not be read before, such as a half of it, is news too.
            self._note(Happening.ADDED, path, content=content)
        elif read.row is None or read.row.content != content:
            self._note(Happening.CHANGED, path, content=content)

    def _count(self, read: Read, outcome: Outcome) -> None:
        tally = self.tally
        if isinstance(outcome, Failure):
            tally.unread += outcome.reason is Reason.UNREADABLE
            if outcome.reason is Reason.VANISHED:
                tally.missing += read.row is not None and not read.row.missing
            elif read.why is Why.AGAIN and read.row is not None and read.row.content is None:
                tally.unchanged += 1  # as unreadable as it was
            elif as_problem(read, outcome).reason is not Reason.NOT_A_PICTURE:
                tally.failed += 1
        elif read.why is Why.ADDED:
            tally.added += 1
        elif isinstance(outcome, SameBytes):
            tally.unchanged += 1
        else:
            tally.changed += 1


def _folders(changes: Iterable[Read] | Iterable[Carry]) -> Iterator[Node]:
    return (change.folder for change in changes)


def _content(writer: Writer, outcome: Fingerprint | SameBytes) -> int | None:
    if isinstance(outcome, Fingerprint):
        return contents.save(writer, outcome)
    return contents.find(writer, outcome.digest)


def _batches(items: Iterable[T], most: int = BATCH_ROWS) -> Iterator[list[T]]:
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == most:
            yield batch
            batch = []
    if batch:
        yield batch
