"""How two pictures relate: what decided, where one lies in the other, and who stands in a group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from catalog.model.photos import Photo


class Kind(StrEnum):
    """How two photos of a group relate, weakest last."""

    IDENTICAL = "identical"  # equal bytes
    SAME = "same"  # one picture, verified
    SIMILAR = "similar"  # looks alike, verified
    HASH = "hash"  # close hashes, nothing verified


def weakest(kinds: Iterable[Kind]) -> Kind:
    """The one that says least; of none, the first."""
    return max(kinds, key=list(Kind).index, default=Kind.IDENTICAL)


class Rule(StrEnum):
    """What decided how two pictures relate, in the order in which it is asked."""

    ONE_PATH = "one-path"  # a file is not compared with itself
    IDENTICAL_BYTES = "identical-bytes"
    EXACT_ONLY = "exact-only"  # other bytes, and only equal ones were asked for
    FLAT = "flat"  # one has too little contrast: compared by bytes alone
    WITHIN_RADIUS = "within-radius"  # of plain hashes, where these were asked for
    BEYOND_RADIUS = "beyond-radius"
    NOTHING_ALIKE = "nothing-alike"  # no window of one is like the other
    LOOKS_ALIKE = "looks-alike"  # the signatures agree, but not well enough for one picture
    SEVERAL_FRAMES = "several-frames"  # one has more than its first frame shows
    RAW_AND_PICTURE = "raw-and-picture"  # one is a camera RAW, of which the other is a rendering
    TAKEN_APART = "taken-apart"  # EXIF says that they were taken at different moments
    SIGNATURES_AGREE = "signatures-agree"  # to the last grey value
    PIXELS_AGREE = "pixels-agree"  # so both files were compared, in colour
    STAMP_ON_FIRST = "stamp-on-first"  # all agrees but for one colour laid over a part of it
    STAMP_ON_SECOND = "stamp-on-second"
    ALL_BUT_A_STAMP = "all-but-a-stamp"  # the same, or clipped so; unclear which of the two is
    PARTS_DIFFER = "parts-differ"  # something in it moved, or is another thing
    COLOURS_DIFFER = "colours-differ"
    TOO_LITTLE_DETAIL = "too-little-detail"  # nothing in it could tell a copy
    NOT_COMPARED = "not-compared"  # one of the files could not be read; tried again
    UNDECIDED = "undecided"  # both files are still to be compared

    @property
    def kind(self) -> Kind | None:
        """What two pictures that it decided about are in an answer; None: they do not match."""
        return _KINDS.get(self)

    @property
    def flipped(self) -> Rule:
        """The same of two pictures that are named the other way round."""
        return _FLIPPED.get(self, self)


_KINDS: Mapping[Rule, Kind] = {
    Rule.IDENTICAL_BYTES: Kind.IDENTICAL,
    Rule.WITHIN_RADIUS: Kind.HASH,
    Rule.SIGNATURES_AGREE: Kind.SAME,
    Rule.PIXELS_AGREE: Kind.SAME,
    Rule.STAMP_ON_FIRST: Kind.SAME,
    Rule.STAMP_ON_SECOND: Kind.SAME,
    Rule.ALL_BUT_A_STAMP: Kind.SAME,
    Rule.LOOKS_ALIKE: Kind.SIMILAR,
    Rule.SEVERAL_FRAMES: Kind.SIMILAR,
    Rule.RAW_AND_PICTURE: Kind.SIMILAR,
    Rule.TAKEN_APART: Kind.SIMILAR,
    Rule.PARTS_DIFFER: Kind.SIMILAR,
    Rule.COLOURS_DIFFER: Kind.SIMILAR,
    Rule.TOO_LITTLE_DETAIL: Kind.SIMILAR,
    Rule.NOT_COMPARED: Kind.SIMILAR,
    Rule.UNDECIDED: Kind.SIMILAR,
}

_FLIPPED: Mapping[Rule, Rule] = {
    Rule.STAMP_ON_FIRST: Rule.STAMP_ON_SECOND,
    Rule.STAMP_ON_SECOND: Rule.STAMP_ON_FIRST,
}


class Side(NamedTuple):
    """An edge of a picture, and which part of its width or height lies beyond it."""

    name: str  # "left", "right", "top" or "bottom"
    part: float


_LEAST_LOST = 0.015  # of a side; less is within what an alignment may be wrong


def sides_of(edges: tuple[float, ...]) -> tuple[Side, ...]:
    """What a window (left, right, top, bottom, in parts of the sides) leaves out."""
    left, right, top, bottom = edges
    parts = {"left": left, "right": 1 - right, "top": top, "bottom": 1 - bottom}
    return tuple(Side(name, part) for name, part in parts.items() if part >= _LEAST_LOST)


@dataclass(frozen=True, slots=True)
class Match:
    """A photo and how it relates to the one it was compared with.

    ``distance`` counts differing bits of the hash the query used; ``score`` runs from 0 to 1.
    ``orientation`` is the EXIF orientation that turns this photo onto the other. ``lost`` is what
    the other has beyond the edges of this one, ``more`` what this one has (a frame, or what was cut
    off the other); ``rule`` says what decided.
    """

    photo: Photo
    kind: Kind
    distance: int
    score: float
    orientation: int = 1
    same_file: bool = False  # another name (hard link) of the photo it was compared with
    rule: Rule | None = None
    lost: tuple[Side, ...] = ()
    more: tuple[Side, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A star: every match was compared with the kept photo."""

    keep: Photo
    keep_reason: str
    matches: tuple[Match, ...]

    @property
    def kind(self) -> Kind:
        """The weakest kind among the matches."""
        return weakest(match.kind for match in self.matches)

    @property
    def score(self) -> float:
        """The worst score among the matches."""
        return min(m.score for m in self.matches)

    @property
    def reclaimable(self) -> int:
        """Bytes that would be free if only the kept photo stayed; each file counts once."""
        files = {match.photo.file: match.photo.stamp.size for match in self.matches}
        return sum(size for file, size in files.items() if file != self.keep.file)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photos that match: by the chosen hash, as brute force finds them, or verified."""

    first: Photo
    second: Photo
    distance: int
    kind: Kind = Kind.HASH
    score: float | None = None  # of a verified pair


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two pictures, once they lie over each other.

    Shares are of the blocks that can show it, 0 to 1; ``residual`` is the median over textured
    blocks of what remains, as a part of their texture. ``clusters`` counts the connected groups of
    differing blocks, ``margin`` says whether all of them lie along an edge, and ``painted`` how
    well they are explained by one colour laid over one of the pictures, 0 to 1.
    """

    textured: int  # blocks, of 256
    residual: float
    differing: float  # share of all blocks
    moved: float  # share of textured blocks that do not differ, and lie elsewhere
    recoloured: float  # share of all blocks
    clusters: int
    margin: bool
    painted: float
    noise: float  # of 255, of the better half of all pixels
    on_first: bool | None = None  # whether the colour lies on the first; None: that is unclear
    page: bool = False  # half of it is of one grey, such as paper


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where one picture lies in the other, as far as their signatures tell.

    ``edges`` (left, right, top, bottom) are those of the window, in parts of the sides of the
    first picture where ``in_first``, else of the second. ``orientation`` is the EXIF orientation
    that turns the second onto the first.
    """

    score: float  # correlation of the cells that were compared, 0 to 1
    in_first: bool
    edges: tuple[float, float, float, float]
    orientation: int
    gain: float  # of the grey values
    contrast: float  # standard deviation of the cells, of 255
    residual: float  # root mean square of what does not fit, of 255
    found: bool  # whether a hash of one of its windows would lead to it
