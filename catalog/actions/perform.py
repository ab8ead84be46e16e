"""Do what was planned, a batch at a time: prove, write down, move, look, make durable, write down.

Nothing is touched before its row is durable in the journal, and no row says that it is done before
the folders are. What fails on the way is brought home at once; what a crash leaves is brought home
by the next command (``returning``). One action at a time takes files away, for all catalogs of a
user: see ``store.locks``.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final

from catalog.actions.companions import Neighbours
from catalog.actions.moving import sync_file, sync_folders
from catalog.actions.proving import Proof, Unproved, alone, equal_bytes, known_bytes
from catalog.actions.returning import bring_home, put_home
from catalog.actions.trash import NoTrash
from catalog.actions.units import Batch, Piece, Unit, Won, check_allowed, matched_again, units_of
from catalog.actions.ways import Way, way_of
from catalog.errors import CatalogError
from catalog.escaping import printable
from catalog.model import (
    ActionPlan,
    Deed,
    Kind,
    Receipt,
    Refusal,
    Removal,
    State,
    signed64,
)
from catalog.progress import SILENT, Phase, Progress
from catalog.store.decisions import Decisions

_FILES_AT_ONCE: Final = 100  # each with two descriptors open
_SECONDS_AT_ONCE: Final = 1.0  # of comparing, so that an interrupt is soon obeyed


def perform(
    plan: ActionPlan, decisions: Decisions, *, jobs: int = 1, progress: Progress = SILENT
) -> Receipt:
    """Do what ``plan`` says, and say what became of it; Ctrl-C ends it after the file at hand.

    Identical files are compared byte by byte. What else was chosen by eye goes where both files
    hold the very bytes that were seen; where nobody looked, both are decoded and matched again.
    Raises Busy where another action goes on, UsageError where photos that are not the same bytes
    would be lost for good, and CatalogError where the journal cannot be written.
    """
    units = units_of(plan)
    check_allowed(plan.order, units)
    if not units:
        return Receipt(plan.order.deed, None)
    with decisions.locks.removing(waiting=progress.note):
        bring_home(decisions)
        action = decisions.begin(plan.order.deed, plan.order.folder)
        progress.start(Phase.ACTING, len(units))
        performance = _Performance(plan, decisions, action, progress)
        try:
            if plan.order.by_eye:  # a person has matched them
                performance.run(iter(units))
            else:
                performance.run(matched_again(units, performance.refuse, jobs))
        except KeyboardInterrupt:
            performance.interrupted = True
        except CatalogError as error:
            performance.stopped = str(error)
    return performance.receipt()


class _Performance:
    """One action while it goes on."""

    def __init__(
        self, plan: ActionPlan, decisions: Decisions, action: int, progress: Progress
    ) -> None:
        paths = [copy.match.photo.path for group in plan.groups for copy in group.copies]
        base = os.path.commonpath([os.path.dirname(path) for path in paths])
        self._deed = plan.order.deed
        self._decisions = decisions
        self._action = action
        self._progress = progress
        self._way: Way = way_of(plan.order, base, action)
        self._refused: list[Refusal] = []
        self._touched: set[bytes] = set()
        self._went: set[bytes] = set()
        self._won = Won(plan.order.deed)
        self._batch = Batch()  # in hand
        self.interrupted = False
        self.stopped = ""

    def run(self, units: Iterator[Unit]) -> None:
        """Raises KeyboardInterrupt and CatalogError once all that was begun is home or done."""
        while True:
            batch = Batch()
            try:
                self._prove(batch, units)
                if not batch.pieces:
                    return
                self._do(batch)
            except BaseException:
                bring_home(self._decisions, self._action)
                raise
            finally:
                batch.close()

    def refuse(self, unit: Unit, why: str) -> None:
        """Nothing becomes of this one."""
        self._refused.append(Refusal(unit.path, why))
        self._progress.advance()

    def receipt(self) -> Receipt:
        photos, companions = self._decisions.done(self._action)
        return Receipt(
            self._deed,
            self._action if photos or companions else None,
            done=photos,
            companions=companions,
            bytes_won=self._won.bytes,
            refused=tuple(self._refused),
            interrupted=self.interrupted,
            stopped=self.stopped,
            touched=frozenset(self._touched),
            went=frozenset(self._went),
        )

    # -- the steps -----------------------------------------------------------------------------

    def _prove(self, batch: Batch, units: Iterator[Unit]) -> None:
        """Fill ``batch`` with units of which every byte was compared."""
        begun, neighbours = time.monotonic(), Neighbours()
        while len(batch.pieces) < _FILES_AT_ONCE and time.monotonic() - begun < _SECONDS_AT_ONCE:
            unit = next(units, None)
            if unit is None:
                return
            pieces: list[Piece] = []
            try:
                if self._deed.takes_away:
                    _check_companions(unit, neighbours)
                for piece in self._pieces(unit, batch.places):
                    pieces.append(piece)
                    batch.places.add(piece.removal.place)
            except (Unproved, NoTrash) as error:
                self._drop(unit, pieces, str(error))
            except OSError as error:
                self._drop(unit, pieces, _words(error))
            except BaseException:
                Batch(pieces).close()
                raise
            else:
                batch.pieces += pieces

    def _drop(self, unit: Unit, pieces: list[Piece], why: str) -> None:
        Batch(pieces).close()
        self.refuse(unit, why)

    def _pieces(self, unit: Unit, taken: set[bytes]) -> Iterator[Piece]:
        match = unit.planned.match
        if match.kind is Kind.IDENTICAL:
            proof = equal_bytes(match.photo.path, unit.keep.path)
        else:
            ends = (match.photo.path, match.photo.digest), (unit.keep.path, unit.keep.digest)
            proof = known_bytes(*ends)
        yield self._piece(unit, proof, taken, companion=False)
        for each in unit.planned.companions:
            try:
                proof = (
                    alone(each.path) if each.equal is None else equal_bytes(each.path, each.equal)
                )
            except Unproved as error:
                raise Unproved(f"{_name(each.path)} belongs to it, and {error}") from error
            yield self._piece(unit, proof, taken, companion=True)

    def _piece(self, unit: Unit, proof: Proof, taken: set[bytes], *, companion: bool) -> Piece:
        try:
            place = self._way.place(proof.copy.path, taken)
        except BaseException:
            proof.close()
            raise
        kind = Kind.IDENTICAL if companion else unit.planned.match.kind
        return Piece(unit, proof, _removal(proof, place, kind, unit.number, companion=companion))

    def _do(self, batch: Batch) -> None:
        """What was proved is moved, looked at, and settled."""
        self._batch = batch
        rows = self._decisions.intend(self._action, [piece.removal for piece in batch.pieces])
        for piece, row in zip(batch.pieces, rows, strict=True):
            piece.row = row
        taken = [pieces for pieces in batch.by_unit() if self._taken(pieces)]
        if self._way.two_steps:
            taken = self._kept_durable(taken)
        taken = self._durable(taken)
        if self._way.two_steps:
            self._settle(taken, State.ASIDE)
            taken = [pieces for pieces in taken if self._finished(pieces)]
            taken = self._durable(taken)
        self._settle(taken, State.DONE)
        for pieces in taken:
            self._won.add(pieces)
            if self._deed.takes_away:
                self._went.update(piece.removal.path for piece in pieces)
        for _ in taken:
            self._progress.advance()

    def _taken(self, pieces: Sequence[Piece]) -> bool:
        """Take all files of a unit, or none."""

        def take(piece: Piece) -> None:
            try:
                self._take(piece)
            except FileExistsError:  # another program was quicker to put something there
                self._put_elsewhere(piece)
                self._take(piece)

        return self._each(pieces, take)

    def _take(self, piece: Piece) -> None:
        for path in (piece.removal.path, piece.removal.place):
            self._touched.add(os.path.dirname(path))
        with self._moving(piece):
            self._way.take(piece.proof, piece.removal.place)

    def _moving(self, piece: Piece) -> AbstractContextManager[None]:
        return self._batch.moving(piece, linking=self._deed is Deed.HARDLINK)

    def _put_elsewhere(self, piece: Piece) -> None:
        put_home(self._deed, piece.removal)
        place = self._way.place(piece.removal.path, {piece.removal.place})
        self._decisions.put_elsewhere(piece.row, place)
        piece.removal = replace(piece.removal, place=place)

    def _finished(self, pieces: Sequence[Piece]) -> bool:
        return self._each(pieces, lambda piece: self._way.finish(piece.proof, piece.removal.place))

    def _each(self, pieces: Sequence[Piece], step: Callable[[Piece], None]) -> bool:
        try:
            for piece in pieces:
                step(piece)
        except (Unproved, NoTrash, OSError) as error:
            self._give_back(pieces, _words(error) if isinstance(error, OSError) else str(error))
            return False
        return True

    def _kept_durable(self, taken: list[list[Piece]]) -> list[list[Piece]]:
        """Those of which the kept files outlive a power cut: soon nothing else has the bytes.

        A photo that came a moment ago is in the memory of the kernel alone.
        """
        folders: set[bytes] = set()

        def sync(piece: Piece) -> None:
            keeper = piece.proof.keeper
            if keeper is not None:
                sync_file(keeper.descriptor)
                folder = os.path.dirname(keeper.path)
                if folder not in folders:
                    sync_folders([folder])
                    folders.add(folder)

        return [pieces for pieces in taken if self._each(pieces, sync)]

    def _durable(self, taken: list[list[Piece]]) -> list[list[Piece]]:
        """The same, once a power cut changes nothing about them; none where that cannot be."""
        removals = [piece.removal for pieces in taken for piece in pieces]
        try:
            sync_folders(
                {os.path.dirname(path) for each in removals for path in (each.path, each.place)}
            )
        except OSError as error:
            for pieces in taken:
                self._give_back(pieces, _words(error))
            return []
        return taken

    def _give_back(self, pieces: Sequence[Piece], why: str) -> None:
        """Bring a unit home, what went last first."""
        for piece in reversed(pieces):
            try:
                with self._moving(piece):
                    state = put_home(self._deed, piece.removal)
            except OSError as error:  # tried again by the next command
                why += f"; it could not be put back: {error.strerror}"
                continue
            if state is State.DONE and self._way.two_steps:
                why += "; it was done even so"
            elif state in (State.DONE, piece.removal.state):
                why += f"; it is kept as {printable(piece.removal.place)}"
            if state is not piece.removal.state:
                self._decisions.settle([piece.row], state)
        self.refuse(pieces[0].unit, why)

    def _settle(self, taken: list[list[Piece]], state: State) -> None:
        self._decisions.settle([piece.row for pieces in taken for piece in pieces], state)
        for pieces in taken:
            for piece in pieces:
                piece.removal = replace(piece.removal, state=state)


def _check_companions(unit: Unit, neighbours: Neighbours) -> None:
    """Raise Unproved where something came to belong to the copy since the plan was made."""
    for each in neighbours.of(unit.path).values():
        if each.path not in unit.planned.beside:
            raise Unproved(f"{_name(each.path)} belongs to it, and was not there before")


def _removal(proof: Proof, place: bytes, kind: Kind, unit: int, *, companion: bool) -> Removal:
    status = proof.copy.status
    return Removal(
        path=proof.copy.path,
        place=place,
        keeper=b"" if proof.keeper is None else proof.keeper.path,
        kind=kind,
        unit=unit,
        companion=companion,
        digest=proof.digest,
        size=status.st_size,
        mtime_ns=signed64(status.st_mtime_ns),
        mode=stat.S_IMODE(status.st_mode),
        owner=status.st_uid,
        group=status.st_gid,
        inode=signed64(status.st_ino),
    )


def _words(error: OSError) -> str:
    """What the system said, for a person."""
    if error.errno in (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
        return "its file system cannot do that"
    if error.errno == errno.EXDEV:
        return "the place is on another file system"
    return error.strerror or str(error)


def _name(path: bytes) -> str:
    return printable(os.path.basename(path))
