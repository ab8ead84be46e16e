"""Put back what an action took away: names, times and modes, and never over anything.

Each step can be cut off and asked for again: what is at home already counts as put back.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from catalog.actions import trash
from catalog.actions.moving import (
    Identity,
    copy_exclusive,
    exchange,
    identity_of,
    rename_exclusive,
    sync_folders,
)
from catalog.actions.protected import upwards
from catalog.actions.proving import Held, Unproved, digest_of
from catalog.actions.returning import bring_home, has_its_bytes, is_file_of
from catalog.errors import CatalogError, UsageError
from catalog.escaping import printable
from catalog.model import Action, Deed, Receipt, Refusal, Removal, State, signed64
from catalog.progress import SILENT, Phase, Progress
from catalog.store import apart
from catalog.store.decisions import Decisions

_FILES_AT_ONCE: Final = 100
_OWN_MODE: Final = 0o7777


def to_undo(decisions: Decisions, action: int | None = None) -> Action:
    """The action of this id; without one, the last of which something can be undone.

    Raises UsageError where there is none, or nothing of it is left to undo.
    """
    known = decisions.history(action)
    if not known:
        raise UsageError("nothing was done yet" if action is None else _unknown(action))
    if action is None:
        left = (each for each in known if not each.undone and each.deed is not Deed.REFLINK)
        found = next(left, None)
        if found is None:
            raise UsageError("nothing is left to undo: 'imgcat history' shows what was done")
        return found
    if known[0].deed is Deed.REFLINK:
        raise UsageError(
            f"action {action} only let files share their blocks: each is whole, and stays so "
            "when another changes; there is nothing to put back"
        )
    if known[0].undone:
        raise UsageError(f"nothing of action {action} is left to undo")
    return known[0]


def undo(decisions: Decisions, action: Action, progress: Progress = SILENT) -> Receipt:
    """Put back all that ``action`` took away and that can be; say what cannot, and why.

    Ctrl-C ends it after the file at hand; asked again, it goes on. Raises Busy where another action
    goes on, and CatalogError where the journal cannot be written.
    """
    if action.deed is Deed.KEEP_BOTH:
        apart.forget(decisions, action.id)
        return Receipt(action.deed, action.id, done=action.files)
    with decisions.locks.removing(waiting=progress.note):
        bring_home(decisions)
        undoing = _Undoing(action.deed, decisions)
        # What went with a photo comes back before it, as it went after it.
        removals = decisions.removals(action.id, State.DONE)[::-1]
        progress.start(Phase.UNDOING, len(removals))
        try:
            undoing.run(removals, progress)
        except KeyboardInterrupt:
            undoing.interrupted = True
        except CatalogError as error:
            undoing.stopped = str(error)
    return undoing.receipt(action)


@dataclass(slots=True)
class _Undoing:
    deed: Deed
    decisions: Decisions
    done: list[Removal] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    touched: set[bytes] = field(default_factory=set)
    interrupted: bool = False
    stopped: str = ""

    def run(self, removals: Sequence[Removal], progress: Progress) -> None:
        waiting = iter(removals)
        while some := list(islice(waiting, _FILES_AT_ONCE)):
            back: list[Removal] = []
            try:
                for removal in some:
                    if self._tried(removal):
                        back.append(removal)
                    progress.advance()
            finally:
                self._settle(back)

    def receipt(self, action: Action) -> Receipt:
        photos = sum(not removal.companion for removal in self.done)
        return Receipt(
            self.deed,
            action.id,
            done=photos,
            companions=len(self.done) - photos,
            refused=tuple(self.refused),
            interrupted=self.interrupted,
            stopped=self.stopped,
            touched=frozenset(self.touched),
        )

    def _tried(self, removal: Removal) -> bool:
        try:
            self.touched |= {os.path.dirname(path) for path in (removal.path, removal.place)}
            if self.deed is Deed.DELETE:
                _copied_back(removal)
            elif self.deed is Deed.HARDLINK:
                _parted(removal)
            else:
                _moved_back(self.deed, removal)
        except Unproved as error:
            self.refused.append(Refusal(removal.path, str(error)))
        except OSError as error:
            self.refused.append(Refusal(removal.path, error.strerror or str(error)))
        else:
            return True
        return False

    def _settle(self, back: Sequence[Removal]) -> None:
        sure = self._sure(back)
        self.done += sure  # also where that cannot be written down
        self.decisions.settle([removal.id for removal in sure], State.UNDONE)

    def _sure(self, back: Sequence[Removal]) -> list[Removal]:
        """Those that a power cut does not take back; the others stay done, to be undone again."""
        failing: dict[bytes, str] = {}
        for folder in {os.path.dirname(path) for each in back for path in (each.path, each.place)}:
            try:
                if os.path.isdir(folder):
                    sync_folders([folder])
            except OSError as error:
                failing[folder] = error.strerror or str(error)
        sure = []
        for removal in back:
            ends = {os.path.dirname(path) for path in (removal.path, removal.place)}
            why = next((failing[folder] for folder in ends if folder in failing), None)
            if why is None:
                sure.append(removal)
            else:
                told = f"it is at home, but the disk does not promise that: {why}"
                self.refused.append(Refusal(removal.path, told))
        return sure


def _moved_back(deed: Deed, removal: Removal) -> None:
    home, there = identity_of(removal.path), identity_of(removal.place)
    if there is None and _is_it(home, removal.path, removal):
        if deed is Deed.TRASH:
            trash.unrecord(removal.place, removal.path)
        _as_it_was(removal)
        return  # by an undo that was cut off, or by hand
    if there is None and removal.place == removal.path:
        raise Unproved("the system keeps its trash to itself: put it back from there")
    if there is None:
        raise Unproved("it is not where it was put any more: restored or removed by another hand?")
    if not _is_it(there, removal.place, removal):
        raise Unproved("what is where it was put is another file now, or was changed")
    if home is not None:
        raise Unproved("something else has its name now: move that away first")
    os.makedirs(os.path.dirname(removal.path), exist_ok=True)
    rename_exclusive(removal.place, removal.path)
    if deed is Deed.TRASH:
        trash.unrecord(removal.place, removal.path)
    _as_it_was(removal)


def _is_it(found: Identity | None, path: bytes, removal: Removal) -> bool:
    """Whether this is the file. Its number changes on FAT, and on others when they are copied."""
    if found is None:
        return False
    return is_file_of(found, removal) or has_its_bytes(removal, path)


def _as_it_was(removal: Removal) -> None:
    """Mode and time, which only somebody else can have changed."""
    status = os.lstat(removal.path)
    if stat.S_IMODE(status.st_mode) != removal.mode:
        os.chmod(removal.path, removal.mode & _OWN_MODE)
    if signed64(status.st_mtime_ns) != removal.mtime_ns:
        os.utime(removal.path, ns=(status.st_atime_ns, _mtime_of(removal)))


def _copied_back(removal: Removal) -> None:
    """Of one for good: its equal is copied."""
    if identity_of(removal.path) is not None:
        with _held(removal.path, "what has its name now", removal.digest):
            return  # by an undo that was cut off
    with _held(removal.keeper, "the kept one", removal.digest) as keeper:
        _make_folder(os.path.dirname(removal.path))
        _copy(keeper, removal.path, removal)
        if not keeper.unchanged():
            os.unlink(removal.path)  # half of it may be what it was, and half what it is now
            raise Unproved("the kept one changed while it was copied")


def _make_folder(folder: bytes) -> None:
    """Where it went meanwhile, and not where its drive did: a copy would lie below its place."""
    there = next(above for above in upwards(folder) if os.path.isdir(above))
    if there != folder and not os.listdir(there):
        raise Unproved(f"{printable(there)} is empty: is a drive not there? Else make its folder")
    os.makedirs(folder, exist_ok=True)


def _parted(removal: Removal) -> None:
    """A link becomes a file of its own again; its name leads to the bytes all the time."""
    with _held(removal.path, "it", removal.digest) as linked:
        _cleared(removal)
        if linked.status.st_nlink > 1:
            _exchanged(linked, removal)
    _as_it_was(removal)


def _cleared(removal: Removal) -> None:
    """What an undo that was cut off left beside it goes: the same bytes once more."""
    if identity_of(removal.place) is not None:
        with _held(
            removal.place, f"{printable(removal.place)}, which is in the way,", removal.digest
        ):
            os.unlink(removal.place)


def _exchanged(linked: Held, removal: Removal) -> None:
    """A copy takes the name of the link."""
    copy = _copy(linked, removal.place, removal)
    if not linked.unchanged():
        os.unlink(removal.place)
        raise Unproved("it changed while it was copied")
    exchange(removal.place, removal.path)
    taken = identity_of(removal.place)
    if taken != linked.identity:  # saved under its name since it was looked at
        exchange(removal.place, removal.path)
    if identity_of(removal.place) in (linked.identity, copy):
        os.unlink(removal.place)
    if taken != linked.identity:
        raise Unproved("another file took its name")


@contextlib.contextmanager
def _held(path: bytes, whose: str, digest: bytes) -> Iterator[Held]:
    """The open file, which has these bytes. Raises Unproved."""
    held = Held.open(path, whose)
    try:
        if digest_of(held, whose) != digest:
            raise Unproved(f"{whose} has other bytes now")
        yield held
    finally:
        held.close()


def _copy(source: Held, target: bytes, removal: Removal) -> Identity:
    return copy_exclusive(
        source.descriptor,
        target,
        mode=removal.mode & _OWN_MODE,
        mtime_ns=_mtime_of(removal),
        uid=removal.owner,
        gid=removal.group,
    )


def _mtime_of(removal: Removal) -> int:
    """As the file had it: what is earlier than disks can say was beyond 2262 before it was stored.

    ext4 and XFS begin in 1901, with the 32 bits that seconds had once.
    """
    wrapped = removal.mtime_ns < -(1 << 31) * 10**9
    return removal.mtime_ns + (1 << 64) if wrapped else removal.mtime_ns


def _unknown(action: int) -> str:
    return f"there is no action {action}: 'imgcat history' shows what was done"
