"""What an action has in hand: copies with what goes along, and those of the files proved."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from catalog.actions.proving import Proof
from catalog.errors import UsageError
from catalog.model import ActionPlan, Deed, Kind, Order, Photo, Planned, Removal

_MATCHED_AT_ONCE: Final = 40  # photos that are not the same bytes: some ten seconds
_VERIFIED: Final = frozenset({Kind.IDENTICAL, Kind.SAME, Kind.SIMILAR})


@dataclass(frozen=True, slots=True)
class Unit:
    """A copy, with what goes along with it."""

    number: int
    keep: Photo
    planned: Planned

    @property
    def path(self) -> bytes:
        """Of the copy."""
        return self.planned.match.photo.path


@dataclass(slots=True)
class Piece:
    """One file of a unit in hand."""

    unit: Unit
    proof: Proof
    removal: Removal
    row: int = 0

    @property
    def file(self) -> tuple[int, int]:
        """Device and inode, equal for all names of a file."""
        return self.proof.copy.file


@dataclass(slots=True)
class Batch:
    """Units that are proved, and what became of them."""

    pieces: list[Piece] = field(default_factory=list)
    places: set[bytes] = field(default_factory=set)  # promised

    def by_unit(self) -> Iterator[list[Piece]]:
        """The files of each unit together."""
        together: dict[int, list[Piece]] = {}
        for piece in self.pieces:
            together.setdefault(piece.unit.number, []).append(piece)
        yield from together.values()

    @contextlib.contextmanager
    def moving(self, piece: Piece, *, linking: bool = False) -> Iterator[None]:
        """Renaming a file by one of its names changes the ctime that its other names are told by.

        So does ``linking`` to the kept one. Of those that were unchanged until now it is noted;
        whoever wrote before is still seen.
        """
        proof = piece.proof
        files = {piece.file} if proof.copy.status.st_nlink > 1 else set()
        if linking and proof.keeper is not None:
            files.add(proof.keeper.file)
        others = [
            held
            for other in (self.pieces if files else ())
            for held in (other.proof.copy, other.proof.keeper)
            if other is not piece and held is not None and held.file in files and held.unchanged()
        ]
        try:
            yield
        finally:
            for held in others:
                held.renamed()

    def close(self) -> None:
        """Let go of all files."""
        for piece in self.pieces:
            piece.proof.close()


class Won:
    """Bytes of files all of whose names went."""

    def __init__(self, deed: Deed) -> None:
        self._counts = deed is not Deed.MOVE
        self._all_names = deed is Deed.REFLINK
        self._left: dict[tuple[int, int], int] = {}  # names, from what there were at first
        self.bytes = 0

    def add(self, pieces: Iterable[Piece]) -> None:
        """These are done."""
        for piece in pieces if self._counts else ():
            status = piece.proof.copy.status
            left = self._left.get(piece.file, max(status.st_nlink, 1)) - 1
            self._left[piece.file] = left
            if self._all_names or not left:
                self.bytes += status.st_size


def units_of(plan: ActionPlan) -> list[Unit]:
    """All that is to be done, in order."""
    copies = ((group.keep, copy) for group in plan.groups for copy in group.copies if copy.goes)
    return [Unit(number, keep, copy) for number, (keep, copy) in enumerate(copies, 1)]


def check_order(order: Order) -> None:
    """Raise UsageError for what may not be wanted, of whatever photos."""
    if order.by_eye and not order.deed.takes_other_bytes:
        raise UsageError("what was chosen by eye only goes to the trash")


def check_allowed(order: Order, units: Iterable[Unit]) -> None:
    """Raise UsageError for photos that may not be acted on so."""
    check_order(order)
    for unit in units:
        kind = unit.planned.match.kind
        if order.by_eye:
            if kind not in _VERIFIED:
                raise UsageError("what only has close hashes is never acted on, not even by eye")
            continue
        if kind not in (Kind.IDENTICAL, Kind.SAME):
            raise UsageError("what only looks alike is never acted on in bulk: look at each")
        if kind is Kind.SAME and not order.deed.takes_other_bytes:
            raise UsageError("photos that are not the same bytes only go to the trash")


def matched_again(
    units: Sequence[Unit], refuse: Callable[[Unit, str], None], jobs: int
) -> Iterator[Unit]:
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
