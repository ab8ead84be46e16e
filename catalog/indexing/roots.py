"""Which folders are followed. Overlapping roots are one: the larger swallows the smaller."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from catalog.errors import Busy, Forgotten, UsageError
from catalog.escaping import printable
from catalog.imaging.formats import PICTURE_SUFFIXES
from catalog.model import signed64
from catalog.progress import Progress
from catalog.scanning import filesystem
from catalog.scanning.filters import Filters
from catalog.store import folders
from catalog.store.database import Database, Writer, translated
from catalog.store.folders import RootRow

NAME_A_FOLDER: Final = "name the folder of your pictures: imgcat index FOLDER"


@dataclass(frozen=True, slots=True)
class FilterChange:
    """What a person said about filters this time; None leaves what they said before."""

    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    hidden: bool | None = None

    def applied_to(self, stored: dict[str, object]) -> dict[str, object]:
        """The filters to store."""
        said = {"include": self.include, "exclude": self.exclude, "hidden": self.hidden}
        changes = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in said.items()
            if value is not None
        }
        return {"include": [], "exclude": [], "hidden": False, **stored, **changes}


@dataclass(frozen=True, slots=True)
class Target:
    """A folder to bring up to date, and the root it belongs to."""

    root: RootRow
    top: bytes
    named: bool  # by a person, this time


def filters_of(root: RootRow) -> Filters:
    """The stored wishes of a root as filters."""
    stored = FilterChange().applied_to(root.filters)
    include, exclude = stored["include"], stored["exclude"]
    return Filters(
        suffixes=PICTURE_SUFFIXES,
        include=tuple(include) if isinstance(include, list) else (),
        exclude=tuple(exclude) if isinstance(exclude, list) else (),
        hidden=bool(stored["hidden"]),
    )


@contextlib.contextmanager
def in_turn(
    database: Database, root: RootRow, progress: Progress, patience: float | None = None
) -> Iterator[None]:
    """Change the rows of a root while nobody else does.

    Raises Busy, naming who does, after ``patience`` seconds (30 if not given); Forgotten where it
    is no root any more: rows would come back that a person had dropped.
    """
    lock = database.locks.root(root.id)
    try:
        try:
            with translated(database.path):
                lock.acquire(patience=patience, waiting=progress.note)
        except Busy as error:
            raise Busy(
                f"{lock.holder()} is bringing {printable(root.path)} up to date, and goes on; "
                "run this again when it is done"
            ) from error
        if (root.id, root.path) not in {(r.id, r.path) for r in folders.all_roots(database)}:
            raise Forgotten(
                f"{printable(root.path)} was forgotten, or became part of another folder, "
                "while this run waited: run it again",
                root.id,
            )
        yield
    finally:
        lock.release()


def choose(
    database: Database, paths: Sequence[bytes], change: FilterChange, progress: Progress
) -> list[Target]:
    """The folders that ``paths`` come to, as roots that are in the catalog from now on.

    No path means every known root. Raises UsageError for what is no folder.
    """
    roots = folders.all_roots(database)
    if not paths:
        if not roots:
            raise UsageError(NAME_A_FOLDER)
        targets = [Target(root, root.path, named=False) for root in roots]
    else:
        tops = _outermost(_resolved(database, path) for path in paths)
        targets = [_target(database, top, change, progress) for top in tops]
    return _with_filters(database, targets, change, progress)


def restore(database: Database, top: bytes, filters: dict[str, object], progress: Progress) -> None:
    """Follow a folder again, as another catalog did."""
    with database.writing(progress) as writer:
        if _holding(writer, top) is None:
            root = _add(writer, top, FilterChange())
            folders.set_filters(writer, root.id, filters)


def _resolved(database: Database, path: bytes) -> bytes:
    real = os.path.realpath(path)
    if os.path.isdir(real):
        if filesystem.is_kernel_made(os.lstat(real).st_dev):
            raise UsageError(f"{printable(real)} holds no files, only windows into the system")
        return real
    if folders.find(database, real) is not None:
        return real  # known, and not there now: offline or gone is for reconcile to say
    if os.path.lexists(real):
        raise UsageError(f"{printable(path)} is not a folder: name the folder that holds it")
    raise UsageError(f"there is no folder {printable(path)}")


def _outermost(tops: Iterable[bytes]) -> list[bytes]:
    kept: list[bytes] = []
    for top in sorted(set(tops)):
        if not any(folders.relative_to(top, other) is not None for other in kept):
            kept.append(top)
    return kept


def _target(database: Database, top: bytes, change: FilterChange, progress: Progress) -> Target:
    root = _holding(database, top)
    if root is None:
        with database.writing(progress) as writer:
            # Asked again, as another run may have added it since.
            root = _holding(writer, top) or _add(writer, top, change)
    relative = folders.relative_to(top, root.path) or b""
    _refuse_left_out(top, relative, replace(root, filters=change.applied_to(root.filters)))
    return Target(root, top, named=True)


def _holding(reader: Database | Writer, top: bytes) -> RootRow | None:
    """The root that ``top`` belongs to: of several around it, the innermost."""
    around = [
        root
        for root in folders.all_roots(reader)
        if folders.relative_to(top, root.path) is not None
    ]
    return max(around, key=lambda root: len(root.path), default=None)


def _refuse_left_out(top: bytes, relative: bytes, root: RootRow) -> None:
    if _leaves_out(root, relative):
        raise UsageError(
            f"{printable(top)} is left out of {printable(root.path)}: hidden, a system folder, "
            "or excluded; use --hidden, or another --exclude"
        )


def _leaves_out(root: RootRow, relative: bytes) -> bool:
    """Whether the filters of a root keep a walk from reaching this folder below it."""
    wants = filters_of(root).folders()
    parts = relative.split(b"/") if relative else []
    return any(not wants(b"/".join(parts[:depth]), part) for depth, part in enumerate(parts))


def _add(writer: Writer, top: bytes, change: FilterChange) -> RootRow:
    """A new root."""
    status = os.lstat(top)
    name = folders.top_name(top)
    identity = filesystem.identity(top, status.st_dev)
    folder = folders.add_folder(writer, None, name, identity, signed64(status.st_ino))
    filters = change.applied_to({})
    root = folders.add_root(writer, folder, filters)
    return RootRow(root, folder, top, filters)


def _swallow_inner(database: Database, root: RootRow, progress: Progress) -> None:
    """Hang the roots that a walk of ``root`` reaches into its tree: they are part of it now.

    One that its filters leave out stays a root of its own.
    """
    inner = [
        (other, relative)
        for other in folders.all_roots(database)
        if (relative := folders.relative_to(other.path, root.path))
        and not _leaves_out(root, relative)
    ]
    for other, relative in inner:
        with database.writing(progress) as writer:
            _swallow(writer, root.folder, root.path, other, relative)
        database.notes.append(
            f"{printable(other.path)} is now part of {printable(root.path)}, "
            "and its patterns are those"
        )


def _swallow(writer: Writer, folder: int, top: bytes, inner: RootRow, relative: bytes) -> None:
    parent, path = folder, top
    *between, last = relative.split(b"/")
    for part in between:
        path = os.path.join(path, part)
        identity, inode = _whereabouts(path) or (folders.filesystem_of(writer, parent), 0)
        parent = folders.add_folder(writer, parent, part, identity, inode)
    folders.delete_root(writer, inner.id)
    folders.move_folder(writer, inner.folder, parent, last)


def _whereabouts(path: bytes) -> tuple[str, int] | None:
    """File system and inode of a folder; None where a drive took its mount point away with it."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return filesystem.identity(path, status.st_dev), signed64(status.st_ino)


def _with_filters(
    database: Database, targets: list[Target], change: FilterChange, progress: Progress
) -> list[Target]:
    result = []
    for target in targets:
        filters = change.applied_to(target.root.filters)
        if filters != FilterChange().applied_to(target.root.filters):
            with database.writing(progress) as writer:
                folders.set_filters(writer, target.root.id, filters)
        root = replace(target.root, filters=filters)
        _swallow_inner(database, root, progress)
        result.append(replace(target, root=root))
    return result
