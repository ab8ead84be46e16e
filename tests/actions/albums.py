"""Folders of files that pass for photos, and the groups a search would make of them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from blake3 import blake3

from catalog.actions.perform import perform
from catalog.actions.plan import plan
from catalog.actions.undo import to_undo, undo
from catalog.model import (
    ActionPlan,
    Deed,
    Group,
    Kind,
    Match,
    Order,
    Photo,
    Planned,
    Receipt,
    Spared,
    Stamp,
)
from catalog.progress import SILENT, Phase, Progress
from catalog.store.decisions import Decisions, open_decisions

Name = str | bytes


class Standing(NamedTuple):
    """What is to be at a path again once an action is undone."""

    content: bytes
    mode: int
    mtime_ns: int


class Album:
    """A folder of photos; beside it what else an action needs, and the trash of its own."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place = os.path.realpath(os.fsencode(place))
        self.top = os.path.join(self.place, b"photos")
        self.moved = os.path.join(self.place, b"moved")
        self.trash = os.path.join(self.place, b"data", b"Trash", b"files")
        monkeypatch.setenv("XDG_DATA_HOME", os.fsdecode(os.path.join(self.place, b"data")))
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # see decisions
        os.mkdir(self.top)

    # -- files ---------------------------------------------------------------------------------

    def path(self, name: Name) -> bytes:
        return os.path.join(self.top, os.fsencode(name))

    def put(
        self, name: Name, content: bytes, *, mode: int = 0o644, mtime_ns: int | None = None
    ) -> bytes:
        """Write a file, with the folders above it."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        if mtime_ns is not None:
            os.utime(path, ns=(mtime_ns, mtime_ns))
        os.chmod(path, mode)
        return path

    def put_all(self, content: bytes, *names: Name) -> None:
        for name in names:
            self.put(name, content)

    def link(self, name: Name, to: Name) -> bytes:
        """One more name of a file."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.link(self.path(to), path)
        return path

    def read(self, name: Name) -> bytes:
        with open(self.path(name), "rb") as file:
            return file.read()

    def has(self, name: Name) -> bool:
        return os.path.lexists(self.path(name))

    def tree(self) -> dict[bytes, Standing]:
        """Every file below the top, by its path from there."""
        found = {}
        for path in _files_below(self.top):
            status = os.lstat(path)
            with open(path, "rb") as file:
                content = file.read()
            mode = stat.S_IMODE(status.st_mode)
            found[os.path.relpath(path, self.top)] = Standing(content, mode, status.st_mtime_ns)
        return found

    def names(self) -> set[str]:
        return {os.fsdecode(name) for name in self.tree()}

    def contents(self) -> set[bytes]:
        """All that is somewhere: at home, in the trash, or moved."""
        found = set()
        for folder in (self.top, self.moved, self.trash):
            for path in _files_below(folder):
                with open(path, "rb") as file:
                    found.add(file.read())
        return found

    def everything(self) -> dict[bytes, tuple[int, ...]]:
        """All files and folders and their stamps: what looking on leaves alone."""
        found = {}
        for folder, _, names in os.walk(self.place):
            for path in (folder, *(os.path.join(folder, name) for name in names)):
                status = os.lstat(path)
                found[path] = (status.st_mode, status.st_nlink, *Stamp.of(status))
        return found

    # -- what a search would answer ------------------------------------------------------------

    def photo(self, name: Name) -> Photo:
        """As the catalog holds it."""
        path = self.path(name)
        status = os.lstat(path)
        with open(path, "rb") as file:
            digest = blake3(file.read()).digest()
        return Photo(
            path=path,
            stamp=Stamp.of(status),
            filesystem=1,
            content=int.from_bytes(digest[:4], "big"),
            digest=digest,
            format="JPEG",
            width=400,
            height=300,
            orientation=1,
            taken_at=None,
            camera=None,
            flat=False,
            frames=1,
        )

    def match(self, keep: Photo, name: Name, **other: Any) -> Match:
        photo = self.photo(name)
        fields = {"kind": Kind.IDENTICAL, "same_file": photo.file == keep.file, **other}
        return Match(photo, distance=0, score=1.0, **fields)

    def group(self, keep: Name, *copies: Name, **other: Any) -> Group:
        """These copies of ``keep``; ``other`` fields of each match."""
        kept = self.photo(keep)
        return Group(
            kept, "shorter path", tuple(self.match(kept, name, **other) for name in copies)
        )

    # -- what is done --------------------------------------------------------------------------

    def plan(self, deed: Deed, *groups: Group, **order: Any) -> ActionPlan:
        if deed is Deed.MOVE:
            order.setdefault("folder", self.moved)
        return plan(groups, Order(deed, **order))

    def decisions(self) -> Decisions:
        decisions = open_decisions(os.path.join(self.place, b"catalog.db"))
        # No power cut is tested with these, and waiting for the disk takes most of the time.
        decisions._connection.execute("PRAGMA synchronous = OFF")
        return decisions

    def perform(self, planned: ActionPlan, progress: Progress = SILENT) -> Receipt:
        with self.decisions() as decisions:
            return perform(planned, decisions, progress=progress)

    def do(self, deed: Deed, *groups: Group, **order: Any) -> Receipt:
        """Plan, and perform."""
        return self.perform(self.plan(deed, *groups, **order))

    def undo(self, action: int | None = None, progress: Progress = SILENT) -> Receipt:
        with self.decisions() as decisions:
            return undo(decisions, to_undo(decisions, action), progress)


class InterruptedAt:
    """A person who presses Ctrl-C when so many units are done."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.seen = 0

    def start(self, phase: Phase, total: int | None = None) -> None:
        pass

    def advance(self, count: int = 1) -> None:
        self.seen += count
        if self.seen == self.at:
            raise KeyboardInterrupt

    def note(self, message: str) -> None:
        pass


def copies(planned: ActionPlan) -> list[Planned]:
    """All copies of a plan, in its order."""
    return [copy for group in planned.groups for copy in group.copies]


def why(planned: ActionPlan) -> list[Spared | None]:
    """For each copy why it is spared; None where it goes."""
    return [copy.spared for copy in copies(planned)]


def paths(copy: Planned) -> list[bytes]:
    """A copy, and what goes along with it."""
    return [copy.match.photo.path, *(each.path for each in copy.companions)]


def _files_below(folder: bytes) -> Iterator[bytes]:
    for place, _, names in os.walk(folder):
        for name in names:
            yield os.path.join(place, name)
