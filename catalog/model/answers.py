"""What dupes, similar and explain answer, and what had to be found out for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from catalog.model.matches import Alignment, Comparison, Group, Kind, Match, Pair, Rule
from catalog.model.photos import Picture
from catalog.model.readings import HashKind


@dataclass(slots=True)
class Stages:
    """How many pairs were left after each step of a search, counted while it runs.

    All zero where everything was known before. ``searching`` and ``settling`` are in seconds.
    """

    searched: int = 0  # contents that were compared ...
    contents: int = 0  # ... with so many, themselves included
    by_hash: int = 0  # pairs, as often as windows and turns hit
    by_frequencies: int = 0
    refined: int = 0  # from here on each pair once
    alike: int = 0
    undecided: int = 0  # of the alike ones: only the files can tell
    compared: int = 0  # files of pairs, as far as anybody wanted to know
    not_compared: int = 0  # as a file could not be read
    searching: float = 0.0
    settling: float = 0.0


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What ``dupes`` answers. ``fresh`` only where the answer is known to match the disk."""

    groups: Sequence[Group]  # may be very many: read from the catalog as they are asked for
    pairs: Iterable[Pair] | None = None  # only when asked for; may be long, so it may stream
    fresh: bool = False
    last_scan_ns: int | None = None  # of the folders asked about, the oldest; None: never whole
    offline: tuple[tuple[bytes, str], ...] = ()  # folders left out as they are not there, and why
    totals: tuple[int, int] | None = None  # photos and bytes, where known without reading groups
    stages: Stages | None = None  # of what had to be found out for this answer

    @property
    def photos(self) -> int:
        """How many photos stand in groups, the kept ones included."""
        if self.totals is not None:
            return self.totals[0]
        return sum(1 + len(group.matches) for group in self.groups)

    @property
    def reclaimable(self) -> int:
        """Bytes over all groups."""
        if self.totals is not None:
            return self.totals[1]
        return sum(group.reclaimable for group in self.groups)


@dataclass(frozen=True, slots=True)
class Likeness:
    """What ``similar`` answers: matches of one picture, best first."""

    query: bytes  # path of the picture asked about
    matches: tuple[Match, ...]
    flat: bool = False  # the picture carries no evidence: only identical bytes were looked for
    fresh: bool = False
    last_scan_ns: int | None = None  # as in Duplicates
    offline: tuple[tuple[bytes, str], ...] = ()


class Standing(StrEnum):
    """What the catalog knows of a picture, and so whether ``dupes`` shows it."""

    IN_CATALOG = "in-catalog"  # as it is on disk
    GONE = "gone"  # from the disk since the last index: dupes shows it until the next
    CHANGED = "changed"  # since the last index: dupes goes by what it was
    MISSING = "missing"  # not there at the last index, and back now
    OFFLINE = "offline"  # in a folder that is not there, or not the same
    PROBLEM = "problem"  # it could not be read at the last index
    NOT_IN_CATALOG = "not-in-catalog"
    NO_CATALOG = "no-catalog"

    @property
    def shown(self) -> bool:
        """Whether dupes compares this picture, by the bytes that are compared here."""
        return self in (Standing.IN_CATALOG, Standing.GONE)


@dataclass(frozen=True, slots=True)
class Setting:
    """Criteria under which the outcome for two pictures would be the other one."""

    hash: HashKind
    radius: int | None  # bits; None: equal bytes only
    flat: bool  # whether flat pictures are compared by hash too
    grade: Kind = Kind.HASH  # the weakest match that counts


@dataclass(frozen=True, slots=True)
class Explanation:
    """What ``explain`` answers: what two pictures have in common, and what decided.

    ``turned`` holds the differing bits of each hash in all eight orientations of the second
    picture, in the order of EXIF; all but the first are made of its signature.
    """

    first: Picture
    second: Picture
    first_standing: Standing
    second_standing: Standing
    same_file: bool  # two names (hard links) of one file, or one path
    distances: dict[HashKind, int]  # differing bits, of every hash
    asked: Setting  # the criteria it is about
    decided_by: Rule
    would_change: tuple[Setting, ...]
    turned: Mapping[HashKind, tuple[int, ...]] = field(default_factory=dict)
    alignment: Alignment | None = None
    comparison: Comparison | None = None  # of the files, where only they could tell
    not_compared: str = ""  # why the files could not be compared
    kept_both: bool = False  # somebody said that they are no duplicates of each other

    @property
    def identical(self) -> bool:
        """Whether the bytes are equal."""
        return self.first.digest == self.second.digest

    @property
    def matched(self) -> bool:
        """Whether dupes, comparing the two, calls them a match."""
        kind = self.decided_by.kind
        order = list(Kind)
        if self.kept_both:
            return False
        return kind is not None and order.index(kind) <= order.index(self.asked.grade)
