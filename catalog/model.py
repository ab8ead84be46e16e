"""The records that travel between the rooms of the house. No behaviour beyond their own fields.

Names and paths are bytes, as the operating system gives them. Times are integers in
nanoseconds since 1970. Hashes are unsigned 64-bit integers: only ``store`` knows that
SQLite keeps them signed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeAlias

HASH_BITS = 64
SIGNATURE_SIDE = 32  # a signature is SIGNATURE_SIDE x SIGNATURE_SIDE bytes of grey, row by row


def signed64(value: int) -> int:
    """``value`` wrapped into the 64 signed bits that SQLite stores.

    Inode numbers use the top bit on some file systems, and times beyond the year 2262
    (a camera's broken clock, or mischief) do not fit. Only equality is asked of them.
    """
    return value if -(2**63) <= value < 2**63 else (value + 2**63) % 2**64 - 2**63


class Stamp(NamedTuple):
    """What ``lstat`` says of a file, as far as it tells whether the bytes may have changed.

    The device number is not part of it: it changes when a drive is plugged in again.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """The stamp of a file with this status."""
        return cls(
            status.st_size,
            signed64(status.st_mtime_ns),
            signed64(status.st_ctime_ns),
            signed64(status.st_ino),
        )

    def anonymous(self) -> Stamp:
        """The stamp as kept where the file system numbers its files anew at each mount."""
        return self._replace(ctime_ns=0, inode=0)

    def agrees_with(self, stored: Stamp) -> bool:
        """Whether a file with this stamp is still as it was when ``stored`` was kept."""
        return (self if stored.inode else self.anonymous()) == stored


class HashKind(StrEnum):
    """The 64-bit hashes a picture can be compared by; the names are those of ImageHash."""

    PHASH = "phash"
    DHASH = "dhash"
    AHASH = "ahash"
    WHASH = "whash"


class Recipe(StrEnum):
    """Which pixels the hashes were made of.

    Hashes of different recipes differ by a bit or two, so each content says which one
    made it. The number at the end rises whenever the pixels of that recipe change.
    """

    REDUCED = "reduced-1"  # decoded at the smallest scale that is enough
    FULL = "full-1"  # ImageHash's own values on full-size, upright pixels


class Reason(StrEnum):
    """Why a file has no fingerprint."""

    UNSUPPORTED = "unsupported"  # no picture, or no format we read
    NEEDS_EXTRA = "needs an extra"  # a format that an optional package would read
    TRUNCATED = "truncated"  # the end is missing
    DAMAGED = "damaged"  # the decoder gave up on it
    TOO_LARGE = "too large"  # beyond the limits of imaging.limits
    CRASHED = "crashed the decoder"  # took its process down, twice
    TIMED_OUT = "took too long"  # and was stopped, twice
    UNREADABLE = "cannot be read"  # permission or I/O: the disk's fault, not the file's
    UNSTABLE = "keeps changing"  # it changed each time it was read
    NOT_REGULAR = "not a regular file"  # pipe, socket, device, link
    VANISHED = "vanished"  # gone between listing and reading: no problem at all
    NOT_A_PICTURE = "not a picture"  # and its name does not say it is: no problem either

    @property
    def passing(self) -> bool:
        """Whether the next look may well succeed although the stamps are the same."""
        return self in (Reason.UNREADABLE, Reason.UNSTABLE, Reason.VANISHED)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """All that one decode gives: what the bytes of a picture are, whatever its name."""

    digest: bytes  # BLAKE3 of all bytes, 32 long: the identity of the content
    size: int  # bytes
    format: str  # as Pillow names it: "JPEG", "HEIF", ...
    width: int  # pixels, upright (EXIF orientation applied)
    height: int
    orientation: int  # 1-8, as written in the file's EXIF; 1 where it says nothing
    taken_at: str | None  # ISO 8601 from EXIF, with sub-seconds and offset where given
    camera: str | None  # "Make Model" from EXIF
    phash: int
    dhash: int
    ahash: int
    signature: bytes  # SIGNATURE_SIDE**2 grey values of the upright picture
    flat: bool  # too little contrast to be evidence of anything
    frames: int  # 1, or more for animations, pages, and pictures with a video appended
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class SameBytes:
    """The file was read again and holds the bytes it held before: nothing was decoded."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """A file without a fingerprint. It is counted and shown, and never matches anything."""

    reason: Reason
    detail: str = ""  # one line, for a person


Outcome: TypeAlias = Fingerprint | SameBytes | Failure


@dataclass(frozen=True, slots=True)
class Reading:
    """One file, read once between two equal stamps.

    ``stamp`` is the one seen before the first byte was read; None when there was none to see.
    ``begun_ns`` is the clock before the file was opened: what changed shortly before it may
    have changed shortly after it under the same stamp.
    """

    stamp: Stamp | None
    begun_ns: int
    outcome: Outcome


# What a byte of a file is worth, beside a byte of JPEG: newer formats say more with one, and what
# is stored without loss takes many for what it was made of, mostly a JPEG.
BYTE_WORTH: Mapping[str, float] = {
    "WEBP": 1.6,
    "HEIF": 2.0,
    "AVIF": 2.2,
    "JXL": 2.0,
    "PNG": 0.5,
    "GIF": 0.35,
    "TIFF": 0.2,
    "BMP": 0.2,
    "DIB": 0.2,
}


class Kind(StrEnum):
    """How two photos of a group relate, weakest last."""

    IDENTICAL = "identical"  # equal bytes
    SAME = "same"  # one picture, verified
    SIMILAR = "similar"  # looks alike, verified
    HASH = "hash"  # close hashes, nothing verified


@dataclass(frozen=True, slots=True)
class Photo:
    """One file with the content it holds, as queries give it."""

    path: bytes
    stamp: Stamp
    filesystem: int  # id of the file system it is on
    content: int  # id of the content; equal for identical bytes
    digest: bytes
    format: str
    width: int
    height: int
    orientation: int
    taken_at: str | None
    camera: str | None
    flat: bool
    frames: int
    shown: float = 1.0  # part of the picture that is no bar along an edge, as far as was looked

    @property
    def detail(self) -> int:
        """Bytes, weighed by what the format makes of one: of equal pixels, more is better."""
        return int(self.stamp.size * BYTE_WORTH.get(self.format, 1.0))

    @property
    def pixels(self) -> int:
        """Of the picture, without bars."""
        return int(self.width * self.height * self.shown)

    @property
    def file(self) -> tuple[int, int | bytes]:
        """Equal for the several names (hard links) of one file, where that can be told."""
        return self.filesystem, self.stamp.inode or self.path


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
        order = list(Kind)
        return max((m.kind for m in self.matches), key=order.index)

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


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that is in the tree and has no fingerprint."""

    path: bytes
    size: int
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class RootState:
    """One folder the catalog follows."""

    path: bytes
    online: bool
    photos: int
    problems: int
    missing: int
    last_scan_ns: int | None  # begin of the last complete scan; None before the first
    why_offline: str = ""
    include: tuple[str, ...] = ()  # patterns that hold for it
    exclude: tuple[str, ...] = ()
    hidden: bool = False


class DaemonStanding(StrEnum):
    """What the daemon of a catalog does."""

    STOPPED = "stopped"
    STARTING = "starting"  # it has not looked at everything yet
    WATCHING = "watching"
    DEGRADED = "degraded"  # it misses something, or does not answer: ``problem`` says what


@dataclass(frozen=True, slots=True)
class DaemonState:
    """How the daemon that follows a catalog live is."""

    state: DaemonStanding = DaemonStanding.STOPPED
    pid: int | None = None
    pending: int = 0  # folders that are to be looked at, or whose photos are to be read
    to_read: int = 0  # photos
    lag: float = 0.0  # seconds that the first of the folders has waited
    overflows: int = 0  # how often events were lost, and everything was looked at
    last_rescan_ns: int | None = None  # begin of the last look at everything
    watched: int = 0  # folders whose events come
    unwatched: int = 0  # folders that the system would not watch; they are looked at every minute
    polling: str = ""  # why no events are used at all
    problem: str = ""  # what a person should see to


@dataclass(frozen=True, slots=True)
class Status:
    """What ``status`` answers."""

    catalog: bytes  # path of the catalog file
    size: int  # bytes on disk, write-ahead log included
    photos: int
    contents: int
    problems: int
    missing: int
    recipe: Recipe
    other_recipe: int  # photos whose hashes another recipe made
    roots: tuple[RootState, ...]
    daemon: DaemonState = DaemonState()


@dataclass(frozen=True, slots=True)
class Summary:
    """What one index run did, in files."""

    roots: tuple[bytes, ...]
    scanned: int
    unchanged: int
    added: int
    changed: int
    moved: int
    missing: int
    failed: int
    seconds: float
    problems: int = 0  # files known not to be readable, older ones included
    offline: tuple[bytes, ...] = ()  # folders that are not there now; their photos are kept
    unreadable: tuple[tuple[bytes, str], ...] = ()  # folders that could not be listed, and why
    notes: tuple[str, ...] = ()  # what a person should know besides
    interrupted: bool = False
    unread: int = 0  # of the failed ones, what the disk or a permission kept from us
    left_out: int = 0  # known files that are there, and that the filters leave out now
    pending: int = 0  # files that were still to be read when the run was interrupted

    @property
    def complete(self) -> bool:
        """Whether every folder could be listed and every file be opened."""
        return not (self.unreadable or self.unread or self.interrupted)


class Happening(StrEnum):
    """What became of a file or a folder, as whoever follows the catalog hears of it."""

    ADDED = "added"
    CHANGED = "changed"  # other bytes than before
    MOVED = "moved"  # it, or a folder with all that is in it
    GONE = "gone"
    BACK = "back"  # was gone, and is as it was
    FAILED = "failed"  # could not be read


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to the photos, and that the catalog knows by now."""

    what: Happening
    path: bytes
    before: bytes | None = None  # where it was, of what moved
    content: int | None = None  # id of the content it holds, if its bytes are new at this place
    folder: bool = False
    detail: str = ""  # why it could not be read


@dataclass(frozen=True, slots=True)
class AlreadyThere:
    """A photo that arrived, and one that was there before and shows the same."""

    path: bytes
    other: bytes
    kind: Kind
    score: float


@dataclass(frozen=True, slots=True)
class Drift:
    """A file whose bytes are not those the catalog knows, although nothing says it changed."""

    path: bytes
    why: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``verify`` found. Nothing was repaired."""

    checked: int  # files whose every byte was read and digested
    changed: int  # files that changed openly since the last index: for 'imgcat index' to see
    drifted: tuple[Drift, ...]
    catalog_fault: str | None  # what SQLite's integrity check says; None: sound
    seconds: float
    interrupted: bool = False
    copy_differed: bool = False  # the cached copy of the hashes; it was thrown away

    @property
    def sound(self) -> bool:
        """Whether the catalog and all files that were checked are as they should be."""
        return not self.drifted and self.catalog_fault is None and not self.copy_differed


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that a question names, in the catalog or not, with all that it is compared by."""

    path: bytes  # absolute, without links
    digest: bytes
    size: int  # bytes
    mtime_ns: int
    format: str
    width: int  # pixels, upright
    height: int
    taken_at: str | None
    camera: str | None
    phash: int
    dhash: int
    ahash: int
    signature: bytes
    flat: bool
    frames: int
    recipe: str  # one of Recipe, or of an earlier imgcat
    file: tuple[int, int | bytes] | None = None  # as Photo.file; None: read now, not stored


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
    ALL_BUT_A_STAMP = "all-but-a-stamp"  # along one edge, one colour laid over the picture
    PARTS_DIFFER = "parts-differ"  # something in it moved, or is another thing
    COLOURS_DIFFER = "colours-differ"
    TOO_LITTLE_DETAIL = "too-little-detail"  # nothing in it could tell a copy
    NOT_COMPARED = "not-compared"  # one of the files could not be read; tried again
    UNDECIDED = "undecided"  # both files are still to be compared

    @property
    def kind(self) -> Kind | None:
        """What two pictures that it decided about are in an answer; None: they do not match."""
        return _KINDS.get(self)


_KINDS: Mapping[Rule, Kind] = {
    Rule.IDENTICAL_BYTES: Kind.IDENTICAL,
    Rule.WITHIN_RADIUS: Kind.HASH,
    Rule.SIGNATURES_AGREE: Kind.SAME,
    Rule.PIXELS_AGREE: Kind.SAME,
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


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two pictures, once they lie over each other.

    Shares are of the blocks that can show it, 0 to 1; ``residual`` is the median over textured
    blocks of what remains, as a part of their texture. ``clusters`` counts the connected groups of
    differing blocks, ``margin`` says whether all of them lie along an edge, and ``painted`` how
    well they are explained by one colour laid over the other picture, 0 to 1.
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
    turned: Mapping[HashKind, tuple[int, ...]] = field(default_factory=dict)  # see below
    alignment: Alignment | None = None
    comparison: Comparison | None = None  # of the files, where only they could tell
    not_compared: str = ""  # why the files could not be compared

    @property
    def identical(self) -> bool:
        """Whether the bytes are equal."""
        return self.first.digest == self.second.digest

    @property
    def matched(self) -> bool:
        """Whether dupes, comparing the two, calls them a match."""
        kind = self.decided_by.kind
        order = list(Kind)
        return kind is not None and order.index(kind) <= order.index(self.asked.grade)
