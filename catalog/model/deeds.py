"""What is done with duplicates: planned, done, refused, undone, and as the journal holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from catalog.model.matches import Kind, Match, weakest
from catalog.model.photos import Photo


class Deed(StrEnum):
    """What can be done with the copies of a kept photo."""

    TRASH = "trash"
    HARDLINK = "hardlink"  # the copy becomes another name of the kept file
    REFLINK = "reflink"  # the copy shares the blocks of the kept file, and stays a file
    MOVE = "move"  # into another folder
    DELETE = "delete"  # for good
    KEEP_BOTH = "keep-both"  # nothing: they are no duplicates of each other

    @property
    def takes_away(self) -> bool:
        """Whether no file is left at the path of the copy."""
        return self in (Deed.TRASH, Deed.MOVE, Deed.DELETE)

    @property
    def takes_other_bytes(self) -> bool:
        """Whether what is the same picture in other bytes may go so: only where it is kept."""
        return self is Deed.TRASH

    @property
    def takes_along(self) -> bool:
        """Whether a sidecar that has no equal may go along: where it is kept beside its photo."""
        return self in (Deed.TRASH, Deed.MOVE)


class Spared(StrEnum):
    """Why a plan leaves a copy alone."""

    SAME_FILE = "same-file"  # another name of the kept file: there is nothing to win
    PROTECTED = "protected"  # below a folder in which nothing is touched
    KEPT = "kept"  # under another path, or as the companion of another photo, it is kept
    GOES_ALREADY = "goes-already"  # as the companion of another photo, or under another path
    THERE_ALREADY = "there-already"  # it is in the folder that copies are moved to
    CHANGED = "changed"  # since it was indexed, or it is gone
    KEEPER_CHANGED = "keeper-changed"  # the same, of the kept photo
    KEEPER_GOES = "keeper-goes"  # the kept photo goes with another one, as its companion
    COMPANION = "companion"  # a file that belongs to it has no equal beside the kept photo
    OTHER_DISK = "other-disk"  # what cannot be done across file systems
    OTHER_RIGHTS = "other-rights"  # owner, mode or attributes differ, which a hard link would lose
    SHOWS_MORE = "shows-more"  # beyond an edge of the kept one
    KEEPER_STAMPED = "keeper-stamped"  # and this one is not

    @property
    def refused(self) -> bool:
        """Whether a person would have expected it to be acted on."""
        return self not in _EXPECTED


_EXPECTED = frozenset(
    {Spared.SAME_FILE, Spared.PROTECTED, Spared.KEPT, Spared.GOES_ALREADY, Spared.THERE_ALREADY}
)


@dataclass(frozen=True, slots=True)
class Companion:
    """A file that goes with a photo: ``equal`` is the one like it beside the kept photo, if any."""

    path: bytes
    equal: bytes | None


@dataclass(frozen=True, slots=True)
class Planned:
    """A copy in a group; ``spared`` says why nothing becomes of it, ``detail`` names a file.

    ``beside`` is all that belonged to it when it was planned, be it a companion or left.
    """

    match: Match
    companions: tuple[Companion, ...] = ()
    spared: Spared | None = None
    detail: bytes = b""
    beside: tuple[bytes, ...] = ()

    @property
    def goes(self) -> bool:
        """Whether something is done to it."""
        return self.spared is None


@dataclass(frozen=True, slots=True)
class PlannedGroup:
    """A kept photo and its copies."""

    keep: Photo
    keep_reason: str
    copies: tuple[Planned, ...]

    @property
    def kind(self) -> Kind:
        """The weakest kind among the copies."""
        return weakest(copy.match.kind for copy in self.copies)


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted of a plan."""

    deed: Deed
    folder: bytes | None = None  # to move copies to: absolute, without links
    protected: tuple[bytes, ...] = ()  # folders in which nothing is touched, alike
    with_sidecars: bool = False  # take along what has no equal beside the kept photo
    by_eye: bool = False  # a person looked at each pair, and said which one stays: only for TRASH


@dataclass(frozen=True, slots=True)
class ActionPlan:
    """What would be done, file by file: nothing has been."""

    order: Order
    groups: tuple[PlannedGroup, ...]
    bytes_won: int  # of files that have no other name left
    offline: tuple[tuple[bytes, str], ...] = ()  # folders left out as they are not there, and why

    @property
    def copies(self) -> int:
        """Photos that something is done to."""
        return sum(copy.goes for group in self.groups for copy in group.copies)

    @property
    def companions(self) -> int:
        """Files that go with them."""
        return sum(len(copy.companions) for group in self.groups for copy in group.copies)

    @property
    def refused(self) -> int:
        """Photos that a person would have expected something to be done to."""
        return sum(
            copy.spared is not None and copy.spared.refused
            for group in self.groups
            for copy in group.copies
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that was to be acted on, and was left or put back where it was."""

    path: bytes
    why: str  # in a few words for a person


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a plan, or of undoing one. ``action`` is the id for undo; None: nothing."""

    deed: Deed
    action: int | None
    done: int = 0  # photos
    companions: int = 0
    bytes_won: int = 0
    refused: tuple[Refusal, ...] = ()
    interrupted: bool = False
    stopped: str = ""  # what ended it early, in a sentence
    touched: frozenset[bytes] = frozenset()  # folders whose files changed
    went: frozenset[bytes] = frozenset()  # paths where nothing is any more


@dataclass(frozen=True, slots=True)
class Seen:
    """A photo as it was when a person looked at it; the last two as in its stamp."""

    path: bytes
    digest: bytes
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Choice:
    """That one photo is to go for another, as a person chose by eye: a wish, until it is done."""

    goes: Seen
    kept: Seen


class State(StrEnum):
    """Where a removal stands."""

    INTENDED = "intended"  # durable before anything is touched
    ASIDE = "aside"  # of one for good: moved, compared, and to be unlinked
    DONE = "done"
    RETURNED = "returned"  # it was not done, or taken back before it counted
    UNDONE = "undone"  # by a person
    GONE = "gone"  # neither at home nor where it was put: somebody else took it


@dataclass(frozen=True, slots=True)
class Removal:
    """One file of an action, as the journal holds it."""

    path: bytes  # where it is at home
    place: bytes  # where it is put; for links, a name beside it for the moment
    keeper: bytes  # the equal one, or the kept photo; empty for what goes along without
    kind: Kind
    unit: int  # files of one number go together
    companion: bool
    digest: bytes  # BLAKE3 of its bytes
    size: int
    mtime_ns: int
    mode: int  # permission bits
    owner: int
    group: int
    inode: int
    state: State = State.INTENDED
    id: int = 0


@dataclass(frozen=True, slots=True)
class Action:
    """One line of the history."""

    id: int
    deed: Deed
    begun_ns: int
    files: int  # done, or for keep-both: pictures
    size: int  # bytes of them
    states: Mapping[State, int]  # files in each
    folder: bytes | None = None  # that copies were moved to

    @property
    def undone(self) -> bool:
        """Whether nothing of it is left to undo."""
        return State.DONE not in self.states
