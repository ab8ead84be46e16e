r"""Which photo of a group is kept, and why: an ordered list of rules, as a value.

A later rule decides only where all before it see no difference. As text, a list is
``"folder:~/Photos,format:raw>heic,oldest"``:

folder:DIR     lies below DIR (several: the first named before the second); ``~`` is the home
               folder, a comma in the name is written ``\,`` and a backslash ``\\``
resolution     more pixels, those of bars along an edge aside
stamp          nothing is laid over it that the other has not, a date or a watermark
bytes          larger file
detail         less compressed: at equal pixels, the larger file, weighed by its format
exif           has camera data: EXIF says which camera or when
format:A>B>C   is A, else B, else C, else anything; raw stands for all camera RAW formats
oldest         last modified earlier
newest         last modified later
path           shorter path (in bytes), then the first by name: the bytes of the path

What a list leaves open is decided by those of DEFAULT that it does not name, in their order; and
before all rules come protected folders. So two photos are equal only with equal paths.

Age is the time of modification alone. "The time taken where both have one" would not be an
order: A before B by time taken, B before C and C before A by modification. Copies of one
shot say the same time taken anyhow.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

from catalog.errors import UsageError
from catalog.escaping import printable
from catalog.model import FAMILIES, Photo

RankKey: TypeAlias = tuple[Any, ...]  # comparable with that of any other photo, by the same rules


class Key(StrEnum):
    """What a rule looks at; the values are their names in a text, but for the first."""

    PROTECTED = "protected"  # said apart from the rules
    FOLDER = "folder"
    RESOLUTION = "resolution"
    STAMP = "stamp"
    BYTES = "bytes"
    DETAIL = "detail"
    EXIF = "exif"
    FORMAT = "format"
    OLDEST = "oldest"
    NEWEST = "newest"
    PATH = "path"


# The smaller is kept. Those of FOLDER, PROTECTED and FORMAT depend on what these name.
_VALUES: Final[Mapping[Key, Callable[[Photo], Any]]] = {
    Key.RESOLUTION: lambda photo: -photo.pixels,
    Key.STAMP: lambda photo: photo.stamped,
    Key.BYTES: lambda photo: -photo.stamp.size,
    Key.DETAIL: lambda photo: -photo.detail,
    Key.EXIF: lambda photo: not (photo.camera or photo.taken_at),
    Key.OLDEST: lambda photo: photo.stamp.mtime_ns,
    Key.NEWEST: lambda photo: -photo.stamp.mtime_ns,
    Key.PATH: lambda photo: (len(photo.path), photo.path),
}
_WORDS: Final[Mapping[Key, str]] = {
    Key.PROTECTED: "protected",
    Key.RESOLUTION: "more pixels",
    Key.STAMP: "no stamp",
    Key.BYTES: "larger file",
    Key.DETAIL: "less compressed",
    Key.EXIF: "has camera data",
    Key.OLDEST: "older",
    Key.NEWEST: "newer",
}
_FORMATS: Final[Mapping[str, str]] = {  # names in a text
    **{name.lower(): name for name in FAMILIES},
    "jpg": "JPEG",
    "heic": "HEIF",
    "tif": "TIFF",
}


@dataclass(frozen=True, slots=True)
class KeepRule:
    """One rule. ``folders`` are absolute real paths, ``formats`` of FAMILIES, the best first."""

    key: Key
    folders: tuple[bytes, ...] = ()  # FOLDER: one, PROTECTED: any number
    formats: tuple[str, ...] = ()  # FORMAT only

    def value(self, photo: Photo) -> Any:
        """Of two photos, the one with the smaller value is kept."""
        if self.key in (Key.FOLDER, Key.PROTECTED):
            return not any(lies_below(photo.path, folder) for folder in self.folders)
        if self.key is Key.FORMAT:
            return self.place_of(photo.family)
        return _VALUES[self.key](photo)

    def place_of(self, family: str) -> int:
        """Where this family stands among ``formats``; those not named come last, all alike."""
        return self.formats.index(family) if family in self.formats else len(self.formats)

    def words(self, kept: Photo, other: Photo) -> str:
        """Why ``kept`` is, which is the better of the two by this rule."""
        if self.key is Key.FOLDER:
            return f"in {from_home(self.folders[0])}"
        if self.key is Key.FORMAT:
            better, worse = (printable(photo.family.lower()) for photo in (kept, other))
            return f"format {better} before {worse}"
        if self.key is Key.PATH:
            return "first by name" if len(kept.path) == len(other.path) else "shorter path"
        return _WORDS[self.key]

    def __str__(self) -> str:
        if self.key is Key.FOLDER:
            return "folder:" + re.sub(r"([\\,])", r"\\\1", os.fsdecode(self.folders[0]))
        if self.key is Key.FORMAT:
            return "format:" + ">".join(self.formats).lower()
        return self.key.value


_DEFAULT: Final = tuple(
    map(KeepRule, (Key.RESOLUTION, Key.STAMP, Key.DETAIL, Key.EXIF, Key.OLDEST, Key.PATH))
)


@dataclass(frozen=True, slots=True)
class KeepRules:
    """An order of all photos. ``str`` makes a text of ``rules`` that ``parse`` reads."""

    rules: tuple[KeepRule, ...] = _DEFAULT
    protected: tuple[bytes, ...] = ()  # folders as absolute real paths: what is below comes first

    @property
    def in_full(self) -> tuple[KeepRule, ...]:
        """All that decides, the first before the second: a total order."""
        named = {rule.key for rule in self.rules}
        rest = (rule for rule in _DEFAULT if rule.key not in named)
        shield = (KeepRule(Key.PROTECTED, self.protected),) if self.protected else ()
        return (*shield, *self.rules, *rest)

    def protects(self, path: bytes) -> bool:
        """Whether the photo at this absolute real path lies below a protected folder."""
        return any(lies_below(path, folder) for folder in self.protected)

    def rank_key(self, photo: Photo) -> RankKey:
        """Sorts photos, the one to keep first. Two photos are equal only with equal paths."""
        return _rank_key(self.in_full, photo)

    def reason(self, kept: Photo, others: Sequence[Photo]) -> str:
        """The first rule that tells ``kept`` from the best of ``others`` (at least one)."""
        rules = self.in_full
        rival = min(others, key=lambda photo: _rank_key(rules, photo))
        differing = (rule for rule in rules if rule.value(kept) != rule.value(rival))
        return next(differing, KeepRule(Key.PATH)).words(kept, rival)

    def __str__(self) -> str:
        return ",".join(map(str, self.rules))


DEFAULT: Final = KeepRules()


def _rank_key(rules: Iterable[KeepRule], photo: Photo) -> RankKey:
    return tuple(rule.value(photo) for rule in rules)


def lies_below(path: bytes, folder: bytes) -> bool:
    """Whether ``path`` is of something in ``folder``, at any depth; both absolute and real."""
    return path.startswith(folder if folder.endswith(b"/") else folder + b"/")


def from_home(folder: bytes) -> str:
    """As people write it: from their home folder, where it is in there."""
    home = os.path.realpath(os.path.expanduser(b"~"))
    if home != b"/" and (folder == home or lies_below(folder, home)):
        return printable(b"~" + folder[len(home) :])
    return printable(folder)


# -- from text ---------------------------------------------------------------------------------

_ESCAPED_OR_COMMA: Final = re.compile(r"\\([\\,])|,")
_CHOICE: Final = (
    "folder:DIR, resolution, stamp, bytes, detail, exif, format:A>B, oldest, newest, path"
)


def parse(text: str | None, protect: Iterable[bytes] = (), *, absolute: bool = False) -> KeepRules:
    """The rules that a text comes to (None: those of DEFAULT), with folders to protect.

    With ``absolute``, no folder may depend on the current one. Raises UsageError for what makes no
    sense.
    """
    rules = _DEFAULT if text is None else tuple(_rules(text, absolute=absolute))
    folders = (_folder(name, absolute=absolute) for name in protect)
    return KeepRules(rules, tuple(dict.fromkeys(folders)))


def check_there(rules: KeepRules) -> None:
    """Raise UsageError for a folder that is not there: a slip of the pen would protect nothing."""
    for folder in (*rules.protected, *(folder for rule in rules.rules for folder in rule.folders)):
        if not os.path.isdir(folder):
            raise UsageError(f"there is no folder {printable(folder)}")


def _rules(text: str, *, absolute: bool) -> Iterator[KeepRule]:
    if "\0" in text:
        raise UsageError("rules for what is kept hold a NUL, which no name can")
    seen: set[Key] = set()
    for item in _ESCAPED_OR_COMMA.sub(lambda found: found[1] or "\0", text).split("\0"):
        rule = _rule(item.lstrip(), absolute=absolute)
        if rule.key in seen and rule.key is not Key.FOLDER:
            raise UsageError(f"{rule.key} stands twice among the rules for what is kept")
        seen.add(rule.key)
        yield rule


def _rule(item: str, *, absolute: bool) -> KeepRule:
    name, colon, argument = item.partition(":")
    name = name.strip()
    if name == Key.FOLDER and argument:
        return KeepRule(Key.FOLDER, (_folder(_as_bytes(argument), absolute=absolute),))
    if name == Key.FORMAT and argument.strip():
        return KeepRule(Key.FORMAT, formats=_formats(argument))
    if name not in _VALUES or colon:
        what = f"there is no rule {_quoted(item)}" if item.strip() else "one of the rules is empty"
        raise UsageError(f"{what}: what is kept is decided by {_CHOICE}")
    return KeepRule(Key(name))


def _formats(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for name in (part.strip() for part in text.split(">")):
        family = _FORMATS.get(name.lower())
        if family is None:
            raise UsageError(f"there is no format {_quoted(name)}: choose of {', '.join(_FORMATS)}")
        if family in found:
            raise UsageError(f"the format {_quoted(name)} stands twice in one rule")
        found.append(family)
    return tuple(found)


def _folder(name: bytes, *, absolute: bool) -> bytes:
    """Absolute, without links. It need not be there now: drives are unplugged."""
    if not name or b"\0" in name:
        raise UsageError(f"{_quoted(name)} can be no name of a folder")
    path = os.path.expanduser(name)
    if absolute and not os.path.isabs(path):
        raise UsageError(f"the folder {_quoted(name)} has to begin with / or ~")
    real = os.path.realpath(path)
    if os.path.lexists(real) and not os.path.isdir(real):
        raise UsageError(f"{_quoted(name)} is no folder")
    return real


def _as_bytes(name: str) -> bytes:
    try:
        return os.fsencode(name)
    except UnicodeError as error:
        raise UsageError(f"{_quoted(name)} can be no name of a folder") from error


def _quoted(text: str | bytes) -> str:
    return f"'{printable(text)}'"
