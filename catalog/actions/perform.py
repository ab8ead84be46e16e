"""Do what was planned, a batch at a time: prove, write down, move, look, make durable, write down.

Nothing is touched before its row is durable in the journal, and no row says that it is done before
the folders are. What fails on the way is brought home at once; what a crash leaves is brought home
by the next command (``returning``). One action at a time takes files away, for all catalogs of a
user: see ``store.locks``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from catalog.actions.moving import sync_folders
from catalog.actions.proving import Proof, Unproved, alone, equal_bytes, known_bytes
from catalog.actions.returning import bring_home, put_home
from catalog.actions.trash import NoTrash
from catalog.actions.ways import Way, way_of
from catalog.errors import CatalogError, UsageError
from catalog.escaping import printable
from catalog.model import (
    ActionPlan,
    Deed,
    Kind,
    Photo,
    Planned,
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
_MATCHED_AT_ONCE: Final = 200  # photos that are not the same bytes


def perform(
    plan: ActionPlan, decisions: Decisions, *, jobs: int = 1, progress: Progress = SILENT
) -> Receipt:
    """Do what ``plan`` says, and say what became of it; Ctrl-C ends it after the file at hand.

    Raises Busy where another action goes on, UsageError where photos that are not the same bytes
    would be lost for good, and CatalogError where the journal cannot be written.
    """
    units = _units(plan)
    _check_allowed(plan.order.deed, units)
    if not units:
        return Receipt(plan.order.deed, None)
    with decisions.locks.removing(waiting=progress.note):
        bring_home(decisions)
        action = decisions.begin(plan.order.deed, plan.order.folder)
        progress.start(Phase.ACTING, len(units))
        performance = _Performance(plan, decisions, action, progress)
        try:
            performance.run(_matched_again(units, performance.refuse, jobs))
        except KeyboardInterrupt:
            performance.interrupted = True
        except CatalogError as error:
            performance.stopped = str(error)
    return performance.receipt()


@dataclass(frozen=True, slots=True)
class _Unit:
    """A copy, with what goes along with it."""

    number: int
    keep: Photo
    planned: Planned

    @property
    def path(self) -> bytes:
        return self.planned.match.photo.path


@dataclass(slots=True)
class _Piece:
    """One file of a unit in hand."""

    unit: _Unit
    proof: Proof
    removal: Removal
    row: int = 0

    @property
    def file(self) -> tuple[int, int]:
        status = self.proof.copy.status
        return status.st_dev, status.st_ino


@dataclass(slots=True)
class _Batch:
    """Units that are proved, and what became of them."""

    pieces: list[_Piece] = field(default_factory=list)
    places: set[bytes] = field(default_factory=set)  # promised

    def by_unit(self) -> Iterator[list[_Piece]]:
        together: dict[int, list[_Piece]] = {}
        for piece in self.pieces:
            together.setdefault(piece.unit.number, []).append(piece)
        yield from together.values()

    @contextlib.contextmanager
    def moving(self, piece: _Piece) -> Iterator[None]:
        """Renaming a file by one of its names changes the ctime that its other names are told by.

        Of those that were unchanged until now it is noted; whoever wrote before is still seen.
        """
        if piece.proof.copy.status.st_nlink < 2:
            yield
            return
        others = [
            other.proof.copy
            for other in self.pieces
            if other is not piece and other.file == piece.file and other.proof.copy.unchanged()
        ]
        try:
            yield
        finally:
            for held in others:
                held.renamed()

    def close(self) -> None:
        for piece in self.pieces:
            piece.proof.close()


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
        self._won = _Won(plan.order.deed)
        self._batch = _Batch()  # in hand
        self.interrupted = False
        self.stopped = ""

    def run(self, units: Iterator[_Unit]) -> None:
        """Raises KeyboardInterrupt and CatalogError once all that was begun is home or done."""
        while True:
            batch = _Batch()
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

    def refuse(self, unit: _Unit, why: str) -> None:
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

    def _prove(self, batch: _Batch, units: Iterator[_Unit]) -> None:
        """Fill ``batch`` with units of which every byte was compared."""
        begun = time.monotonic()
        while len(batch.pieces) < _FILES_AT_ONCE and time.monotonic() - begun < _SECONDS_AT_ONCE:
            unit = next(units, None)
            if unit is None:
                return
            pieces: list[_Piece] = []
            try:
                for piece in self._pieces(unit, batch.places):
                    pieces.append(piece)
                    batch.places.add(piece.removal.place)
            except (Unproved, NoTrash) as error:
                self._drop(unit, pieces, str(error))
            except OSError as error:
                self._drop(unit, pieces, _words(error))
            except BaseException:
                _Batch(pieces).close()
                raise
            else:
                batch.pieces += pieces

    def _drop(self, unit: _Unit, pieces: list[_Piece], why: str) -> None:
        _Batch(pieces).close()
        self.refuse(unit, why)

    def _pieces(self, unit: _Unit, taken: set[bytes]) -> Iterator[_Piece]:
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

    def _piece(self, unit: _Unit, proof: Proof, taken: set[bytes], *, companion: bool) -> _Piece:
        try:
            place = self._way.place(proof.copy.path, taken)
        except BaseException:
            proof.close()
            raise
        kind = Kind.IDENTICAL if companion else unit.planned.match.kind
        return _Piece(unit, proof, _removal(proof, place, kind, unit.number, companion=companion))

    def _do(self, batch: _Batch) -> None:
        """What was proved is moved, looked at, and settled."""
        self._batch = batch
        rows = self._decisions.intend(self._action, [piece.removal for piece in batch.pieces])
        for piece, row in zip(batch.pieces, rows, strict=True):
            piece.row = row
        taken = [pieces for pieces in batch.by_unit() if self._taken(pieces)]
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

    def _taken(self, pieces: Sequence[_Piece]) -> bool:
        """Take all files of a unit, or none."""

        def take(piece: _Piece) -> None:
            try:
                self._take(piece)
            except FileExistsError:  # another program was quicker to put something there
                self._put_elsewhere(piece)
                self._take(piece)

        return self._each(pieces, take)

    def _take(self, piece: _Piece) -> None:
        for path in (piece.removal.path, piece.removal.place):
            self._touched.add(os.path.dirname(path))
        with self._batch.moving(piece):
            self._way.take(piece.proof, piece.removal.place)

    def _put_elsewhere(self, piece: _Piece) -> None:
        put_home(self._deed, piece.removal)
        place = self._way.place(piece.removal.path, {piece.removal.place})
        self._decisions.put_elsewhere(piece.row, place)
        piece.removal = replace(piece.removal, place=place)

    def _finished(self, pieces: Sequence[_Piece]) -> bool:
        return self._each(pieces, lambda piece: self._way.finish(piece.proof, piece.removal.place))

    def _each(self, pieces: Sequence[_Piece], step: Callable[[_Piece], None]) -> bool:
        try:
            for piece in pieces:
                step(piece)
        except (Unproved, NoTrash, OSError) as error:
            self._give_back(pieces, _words(error) if isinstance(error, OSError) else str(error))
            return False
        return True

    def _durable(self, taken: list[list[_Piece]]) -> list[list[_Piece]]:
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

    def _give_back(self, pieces: Sequence[_Piece], why: str) -> None:
        """Bring a unit home, what went last first."""
        for piece in reversed(pieces):
            try:
                with self._batch.moving(piece):
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

    def _settle(self, taken: list[list[_Piece]], state: State) -> None:
        self._decisions.settle([piece.row for pieces in taken for piece in pieces], state)
        for pieces in taken:
            for piece in pieces:
                piece.removal = replace(piece.removal, state=state)


class _Won:
    """Bytes of files all of whose names went."""

    def __init__(self, deed: Deed) -> None:
        self._counts = deed is not Deed.MOVE
        self._all_names = deed is Deed.REFLINK
        self._left: dict[tuple[int, int], int] = {}  # names, from what there were at first
        self.bytes = 0

    def add(self, pieces: Iterable[_Piece]) -> None:
        for piece in pieces if self._counts else ():
            status = piece.proof.copy.status
            left = self._left.get(piece.file, max(status.st_nlink, 1)) - 1
            self._left[piece.file] = left
            if self._all_names or not left:
                self.bytes += status.st_size


def _units(plan: ActionPlan) -> list[_Unit]:
    copies = ((group.keep, copy) for group in plan.groups for copy in group.copies if copy.goes)
    return [_Unit(number, keep, copy) for number, (keep, copy) in enumerate(copies, 1)]


def _check_allowed(deed: Deed, units: Iterable[_Unit]) -> None:
    for unit in units:
        kind = unit.planned.match.kind
        if kind not in (Kind.IDENTICAL, Kind.SAME):
            raise UsageError("what only looks alike is never acted on in bulk: look at each")
        if kind is Kind.SAME and deed is not Deed.TRASH:
            raise UsageError("photos that are not the same bytes only go to the trash")


def _matched_again(
    units: Sequence[_Unit], refuse: Callable[[_Unit, str], None], jobs: int
) -> Iterator[_Unit]:
    """The units, without those that turn out to be another picture than the kept one."""
    if all(unit.planned.match.kind is Kind.IDENTICAL for unit in units):
        yield from units
        return
    from catalog.matching.again import Claim, confirmed  # numpy and scipy, for those who need them

    remaining = iter(units)
    while some := list(islice(remaining, _MATCHED_AT_ONCE)):
        doubtful = [unit for unit in some if unit.planned.match.kind is not Kind.IDENTICAL]
        claims = [
            Claim(
                kept=(unit.keep.path, unit.keep.digest),
                victim=(unit.path, unit.planned.match.photo.digest),
            )
            for unit in doubtful
        ]
        wrong = {}
        if claims:
            for number, why in confirmed(claims, jobs):
                if why:
                    wrong[doubtful[number].number] = why
        for unit in some:
            if unit.number in wrong:
                refuse(unit, wrong[unit.number])
            else:
                yield unit


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
