"""What a person wants done with copies: the options of 'imgcat dupes', and what they come to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from catalog.errors import UsageError
from catalog.escaping import printable
from catalog.model import Deed, Kind, Order
from catalog.queries.criteria import ONE_PICTURE, Criteria, criteria_of

TrashOption = Annotated[
    bool,
    typer.Option(
        "--trash",
        help="What to do with the copies: move them to the trash. Only identical ones, of which "
        "every byte is compared first, unless --same. As with the next four, the plan is shown and "
        "nothing is changed without --apply.",
    ),
]
HardlinkOption = Annotated[
    bool, typer.Option("--hardlink", help="Make copies another name of the kept file.")
]
ReflinkOption = Annotated[
    bool,
    typer.Option(
        "--reflink", help="Have copies share the blocks of the kept file (Btrfs, XFS, bcachefs)."
    ),
]
MoveOption = Annotated[
    str | None,
    typer.Option(
        "--move",
        metavar="DIR",
        help="Move copies into DIR, on the same disk; there they lie in the folders they were in.",
    ),
]
DeleteOption = Annotated[bool, typer.Option("--delete", help="Delete copies for good. Asks twice.")]
SameOption = Annotated[
    bool,
    typer.Option(
        "--same",
        help="With --trash: also photos that are the same picture in other bytes. Both files are "
        "decoded in full and matched again first.",
    ),
]
SidecarsOption = Annotated[
    bool,
    typer.Option(
        "--with-sidecars",
        help="With --trash and --move: take along the .xmp, .aae, .json, .mov that belongs to a "
        "copy, also where the kept photo has no equal of it. Else that copy stays.",
    ),
]
ApplyOption = Annotated[bool, typer.Option("--apply", help="Do it, once you said yes.")]

_IDENTICAL: Final = criteria_of(exact=True)


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options as they were given."""

    trash: bool
    hardlink: bool
    reflink: bool
    move: str | None
    delete: bool
    same: bool
    with_sidecars: bool
    apply: bool
    yes: bool

    def order(self, protected: tuple[bytes, ...]) -> Order | None:
        """What they come to; None where nothing is to be done. Raises UsageError."""
        deeds = self._deeds()
        if len(deeds) > 1:
            names = " and ".join(f"--{deed.value}" for deed in deeds)
            raise UsageError(f"{names} do not go together: choose one")
        if not deeds:
            self._check_idle()
            return None
        (deed,) = deeds
        if self.same and not deed.takes_other_bytes:
            raise UsageError(f"--same goes with --trash alone, not with --{deed.value}")
        if self.with_sidecars and not deed.takes_along:
            raise UsageError("--with-sidecars goes with --trash and --move")
        return Order(deed, self._folder(), protected, self.with_sidecars)

    def criteria(self, asked: Criteria, *, listed: bool) -> Criteria:
        """Which matches are acted on. Raises UsageError for others than ``asked`` may be.

        ``listed`` says that something else than groups is wanted, or for another program.
        """
        if listed:
            raise UsageError("--pairs, --csv, --print0 and --kept-both only show: not with actions")
        if asked.grade is Kind.SIMILAR or (asked.grade is Kind.HASH and asked.radius is not None):
            raise UsageError(
                "what only looks alike, or has close hashes, is never acted on in bulk: look at it "
                "and decide for each"
            )
        if self.same and asked != ONE_PICTURE:
            raise UsageError("--same and --exact do not go together: choose one")
        return ONE_PICTURE if self.same else _IDENTICAL

    def _deeds(self) -> list[Deed]:
        given = {
            Deed.TRASH: self.trash,
            Deed.HARDLINK: self.hardlink,
            Deed.REFLINK: self.reflink,
            Deed.MOVE: self.move is not None,
            Deed.DELETE: self.delete,
        }
        return [deed for deed, wanted in given.items() if wanted]

    def _check_idle(self) -> None:
        given = {
            "apply": self.apply,
            "yes": self.yes,
            "same": self.same,
            "with-sidecars": self.with_sidecars,
        }
        for name, wanted in given.items():
            if wanted:
                raise UsageError(
                    f"--{name} says nothing by itself: say what to do with the copies, as --trash"
                )

    def _folder(self) -> bytes | None:
        if self.move is None:
            return None
        if not self.move:
            raise UsageError("--move needs the name of a folder")
        folder = os.path.realpath(os.path.expanduser(os.fsencode(self.move)))
        if os.path.lexists(folder) and not os.path.isdir(folder):
            raise UsageError(f"{printable(folder)} is not a folder")
        return folder
