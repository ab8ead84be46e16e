"""Bring home what an action had begun to take away: after an error, an interrupt, or a crash.

Only the journal and the disk are asked, so it is the same in the process that failed and in the
next one. What cannot be decided stays as it is, in the journal too, and is tried again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from catalog.actions import trash
from catalog.actions.moving import Identity, exchange, identity_of, rename_exclusive, sync_folders
from catalog.actions.proving import Held, Unproved, digest_of
from catalog.errors import Busy, CatalogError
from catalog.escaping import printable
from catalog.indexing.afterwards import look_again
from catalog.model import Deed, Removal, State, signed64
from catalog.store.decisions import Decisions, decisions_there


@dataclass(slots=True)
class Recovery:
    """What became of an action that was cut off, in files."""

    returned: int = 0
    done: int = 0  # all had been done but to write it down; or its place at home is taken
    gone: int = 0
    left: list[str] = field(default_factory=list)  # sentences about those that wait
    folders: set[bytes] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.returned or self.done or self.gone or self.left)


def recover(catalog: bytes) -> Recovery:
    """Finish what an action on this catalog left unfinished when its process died.

    Does nothing while an action is going on. Who may not take files away, and so not bring them
    home, is told so. Raises what opening the decisions raises.
    """
    decisions = decisions_there(catalog)
    if decisions is None:
        return Recovery()
    with decisions:
        if not decisions.unfinished():
            return Recovery()
        try:
            with decisions.locks.removing(patience=0):
                return bring_home(decisions)
        except Busy:
            return Recovery()
        except CatalogError as error:  # of another user's catalog one may ask all the same
            return Recovery(left=[f"an action that was cut off cannot be put in order: {error}"])


def put_in_order(catalog: bytes, jobs: int) -> Recovery:
    """As ``recover``, and the catalog knows at once where the files are."""
    recovery = recover(catalog)
    if recovery.folders:
        look_again(catalog, recovery.folders, jobs)
    return recovery


def bring_home(decisions: Decisions, action: int | None = None) -> Recovery:
    """Bring home all that is unfinished (of this action). The caller holds the lock for it."""
    recovery = Recovery()
    settled: dict[State, list[int]] = {}
    # Newest first: what went with a photo went after it.
    for deed, removal in reversed(decisions.unfinished(action)):
        try:
            state = put_home(deed, removal)
        except OSError as error:
            state = removal.state
            name = printable(removal.path)
            recovery.left.append(f"{name} cannot be put back now: {error.strerror}")
        else:
            if state is removal.state:
                recovery.left.append(_waiting(removal))
        recovery.folders |= {os.path.dirname(removal.path), os.path.dirname(removal.place)}
        if state is not removal.state:
            settled.setdefault(state, []).append(removal.id)
    _sync(recovery.folders)
    for state, rows in settled.items():
        decisions.settle(rows, state)
    recovery.returned = len(settled.get(State.RETURNED, ()))
    recovery.done = len(settled.get(State.DONE, ()))
    recovery.gone = len(settled.get(State.GONE, ()))
    return recovery


def put_home(deed: Deed, removal: Removal) -> State:
    """Where one file stands, once it was brought home if it could be; its state, if undecided.

    Nothing is ever written over. Raises OSError.
    """
    if deed is Deed.REFLINK:
        return State.RETURNED  # it never left
    home, there = identity_of(removal.path), identity_of(removal.place)
    if deed is Deed.HARDLINK:
        return _unlinked(removal, home, there)
    if home is not None and is_file_of(home, removal):
        if there is not None and (home.device, home.inode) == (there.device, there.inode):
            os.unlink(removal.place)  # moved by link and unlink, and cut off between the two
        return _returned(deed, removal)
    if there is None or not _was_put(deed, removal, there):
        return _not_there(deed, removal, home)
    if home is None:
        rename_exclusive(removal.place, removal.path)
        return _returned(deed, removal)
    # Its name was taken meanwhile. In the trash it is as well as done.
    return removal.state if deed is Deed.DELETE else State.DONE


def is_file_of(found: Identity, removal: Removal) -> bool:
    """Whether this is the file; device numbers change when a drive is plugged in again."""
    inode, mtime_ns = signed64(found.inode), signed64(found.mtime_ns)
    return (inode, found.size, mtime_ns) == (removal.inode, removal.size, removal.mtime_ns)


def _was_put(deed: Deed, removal: Removal, there: Identity) -> bool:
    """Whether what is in the place came there by us, be it another file than was compared."""
    if is_file_of(there, removal) or deed is not Deed.TRASH:
        return True  # nobody else uses such names, but in the trash
    return trash.records(removal.place, removal.path)


def _returned(deed: Deed, removal: Removal) -> State:
    if deed is Deed.TRASH:
        trash.unrecord(removal.place, removal.path)
    return State.RETURNED


def _not_there(deed: Deed, removal: Removal, home: Identity | None) -> State:
    """Nothing of ours is where it was to be put, nor the very file at home."""
    if home is not None:
        return _returned(deed, removal)
    if removal.state is State.ASIDE and _can_see(removal):
        return State.DONE
    return _gone(removal)


def _unlinked(removal: Removal, home: Identity | None, there: Identity | None) -> State:
    """Of a copy that was to become a link: made aside, exchanged with it, the copy unlinked.

    What somebody saved under its name meanwhile stays there, or comes back to it.
    """
    if there is None:
        if home is None:
            return _gone(removal)
        if _is_copy(removal, home):
            return State.RETURNED  # also by who could not write it down
        return State.DONE if removal.state is State.ASIDE else State.RETURNED
    if home is None and _is_copy(removal, there):
        rename_exclusive(removal.place, removal.path)
        return State.RETURNED
    if home is not None and not _is_copy(removal, home):
        took_it = _is_kept(removal, home) and not _is_kept(removal, there)
        if took_it or (_is_copy(removal, there) and has_its_bytes(removal, removal.path)):
            exchange(removal.place, removal.path)
            home, there = there, home
    at_home = home is not None and _is_copy(removal, home)
    # Aside may be the link, which is one name too many; the last name of a file it must not be.
    if _is_kept(removal, there) or (at_home and has_its_bytes(removal, removal.place)):
        os.unlink(removal.place)
        return State.RETURNED
    return State.RETURNED if at_home else removal.state


def _is_copy(removal: Removal, found: Identity) -> bool:
    return signed64(found.inode) == removal.inode


def _is_kept(removal: Removal, found: Identity) -> bool:
    """Whether it is another name of what is kept."""
    kept = identity_of(removal.keeper)
    return kept is not None and (found.device, found.inode) == (kept.device, kept.inode)


def has_its_bytes(removal: Removal, path: bytes) -> bool:
    """Whether what is at ``path`` holds the bytes that were compared."""
    try:
        held = Held.open(path, "it")
        try:
            return digest_of(held, "it") == removal.digest
        finally:
            held.close()
    except Unproved:
        return False


def _gone(removal: Removal) -> State:
    """Of a file that is neither at home nor in its place, if that is for sure.

    A folder of both that holds nothing at all may be what a drive is else mounted on.
    """
    folder = os.path.dirname(removal.path)
    if not _can_see(removal):
        return removal.state
    if os.path.dirname(removal.place) == folder and not os.listdir(folder):
        return removal.state
    return State.GONE


def _can_see(removal: Removal) -> bool:
    """Whether both folders are there: on a drive that is unplugged, nothing is gone."""
    return all(os.path.isdir(os.path.dirname(path)) for path in (removal.path, removal.place))


def _waiting(removal: Removal) -> str:
    path, place = printable(removal.path), printable(removal.place)
    if os.path.lexists(removal.place):
        return f"something else is at {path} now: what was there is kept as {place}"
    return f"{path} and {place} cannot be seen now: is a drive not there?"


def _sync(folders: Iterable[bytes]) -> None:
    # What the disk cannot promise now, the journal says again at the next command.
    with contextlib.suppress(OSError):
        sync_folders([folder for folder in folders if os.path.isdir(folder)])
