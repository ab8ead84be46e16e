"""What the page asks, as values: query strings and bodies are checked here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from catalog.errors import UsageError
from catalog.model import Kind
from catalog.queries.overview import Sorting, Wanted

_GRADES: Final[Mapping[str, frozenset[Kind]]] = {
    "both": frozenset({Kind.IDENTICAL, Kind.SAME}),
    "identical": frozenset({Kind.IDENTICAL}),
    "same": frozenset({Kind.SAME}),
    "similar": frozenset({Kind.SIMILAR}),
    "all": frozenset({Kind.IDENTICAL, Kind.SAME, Kind.SIMILAR}),
}
_STATES: Final = ("all", "open", "decided")
_MOST_AT_ONCE: Final = 200  # groups
_MOST_PHOTOS: Final = 20_000  # named in one request


@dataclass(frozen=True, slots=True)
class PageAsked:
    """Which groups to list. ``state`` is all, open (nothing chosen) or decided."""

    wanted: Wanted
    state: str
    offset: int
    count: int

    @property
    def looks_alike(self) -> bool:
        """Whether it is about what only looks alike."""
        return Kind.SIMILAR in self.wanted.kinds

    @classmethod
    def of(cls, query: Mapping[str, str]) -> PageAsked:
        """From a query string. Raises UsageError."""
        wanted = Wanted(
            kinds=_GRADES[_one_of(query.get("grade", "both"), _GRADES)],
            folder=_number(query, "folder"),
            least=_number(query, "min") or 0,
            first=_day(query, "from"),
            last=_day(query, "to"),
            sorting=Sorting(_one_of(query.get("sort", "bytes"), [each.value for each in Sorting])),
        )
        return cls(
            wanted,
            _one_of(query.get("state", "all"), _STATES),
            _number(query, "offset") or 0,
            min(_number(query, "count") or 40, _MOST_AT_ONCE),
        )


@dataclass(frozen=True, slots=True)
class PhotoAsked:
    """A photo as the page showed it: another size or time than now is another photo."""

    id: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class ChoiceAsked:
    """Of a group, the photo to keep and those that go for it."""

    group: str
    keep: PhotoAsked
    drop: tuple[PhotoAsked, ...]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> ChoiceAsked:
        """From a body. Raises UsageError."""
        return cls(group_in(body), _photo(body.get("keep")), _photos(body, "drop"))


@dataclass(frozen=True, slots=True)
class BothAsked:
    """Photos of a group that are no duplicates of each other."""

    group: str
    photos: tuple[PhotoAsked, ...]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> BothAsked:
        """From a body. Raises UsageError."""
        return cls(group_in(body), _photos(body, "photos"))


def group_in(body: Mapping[str, Any]) -> str:
    """The group that a body names. Raises UsageError."""
    return _text(body, "group")


def plan_in(body: Mapping[str, Any]) -> str:
    """The plan that a body names. Raises UsageError."""
    return _text(body, "plan")


def number_in(body: Mapping[str, Any], name: str) -> int:
    """A number of a body. Raises UsageError."""
    return _whole(body.get(name), name)


def texts_in(body: Mapping[str, Any]) -> Mapping[str, str]:
    """What would else be a query string. Raises UsageError."""
    if not all(isinstance(value, str) for value in body.values()):
        raise UsageError("every filter is a text")
    return body


def flag_in(body: Mapping[str, Any], name: str) -> bool:
    """Whether a body says so; it need not say. Raises UsageError."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise UsageError(f"{name} is true or false")
    return value


def parted(group: str) -> tuple[str, int]:
    """The letter of the answer a group is of, and the photo to keep. Raises UsageError."""
    letter, number = group[:1], group[1:]
    if letter not in ("s", "l") or not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise UsageError("there is no such group")
    return letter, int(number)


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise UsageError(f"{name} is missing")
    return value


def _photos(body: Mapping[str, Any], name: str) -> tuple[PhotoAsked, ...]:
    value = body.get(name)
    if not isinstance(value, list) or len(value) > _MOST_PHOTOS:
        raise UsageError(f"{name} is a list of photos, {_MOST_PHOTOS:,} at most")
    return tuple(map(_photo, value))


def _photo(value: Any) -> PhotoAsked:
    if not isinstance(value, Mapping):
        raise UsageError("a photo is named by its id, size and mtime_ns")
    text = value.get("mtime_ns")
    if not isinstance(text, str) or not text.removeprefix("-").isdecimal() or len(text) > 20:
        raise UsageError("mtime_ns is a whole number, as a text")
    return PhotoAsked(_whole(value.get("id"), "id"), _whole(value.get("size"), "size"), int(text))


def _whole(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise UsageError(f"{name} is a whole number")
    return value


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise UsageError(f"{name} is a whole number, not '{text[:20]}'")
    return int(text)


def _day(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{name} is a day such as 2019-07-01") from error


def _one_of(text: str, choice: Any) -> str:
    if text not in choice:
        raise UsageError(f"choose of {', '.join(choice)}")
    return text
