"""What is known of contents beside their pixels, and what it says about a pair of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from catalog.imaging.formats import is_raw
from catalog.model import Picture, Rule
from catalog.store import contents
from catalog.store.database import Database

_ZONE: Final = timedelta(minutes=15)  # time zones differ by multiples of it ...
_FURTHEST_ZONES: Final = timedelta(hours=26)  # ... up to here


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one content: when it was taken, and whether its picture is not all there is to it."""

    taken_at: str | None
    frames: int
    raw: bool


def of_picture(picture: Picture) -> Facts:
    """The facts of a picture that need not be in the catalog."""
    return Facts(picture.taken_at, picture.frames, is_raw(picture.format))


def of_contents(database: Database, ids: Iterable[int]) -> dict[int, Facts]:
    """The facts of these contents; those that are gone are left out."""
    return {
        content: Facts(taken_at, frames, is_raw(format_))
        for content, taken_at, frames, format_ in contents.circumstances(database, ids)
    }


def forbidding(one: Facts, other: Facts) -> Rule | None:
    """The rule by which these two are not one picture, whatever their pixels say."""
    if one.frames > 1 or other.frames > 1:
        return Rule.SEVERAL_FRAMES
    if one.raw or other.raw:
        return Rule.RAW_AND_PICTURE
    if were_taken_apart(one.taken_at, other.taken_at):
        return Rule.TAKEN_APART
    return None


def were_taken_apart(one: str | None, other: str | None) -> bool:
    """Whether EXIF says that these are two shots: both have a time, and these differ.

    Not where they differ by what a camera set to another time zone, or a program that shifts a
    copy's time into one, makes of one moment. Sub-seconds count only where both have them. What is
    no time is as if it were not there.
    """
    if one is None or other is None or one == other:
        return False
    first, second = _moment(one), _moment(other)
    if first is None or second is None:
        return False
    if first.tzinfo is None or second.tzinfo is None:
        first, second = first.replace(tzinfo=None), second.replace(tzinfo=None)
    if not ("." in one and "." in other):
        first, second = first.replace(microsecond=0), second.replace(microsecond=0)
    apart = abs(first - second)
    return bool(apart % _ZONE) or apart > _FURTHEST_ZONES


def _moment(text: str) -> datetime | None:
    """ISO 8601 as the catalog keeps it, with as many digits of a second as there were.

    None where it makes no sense: EXIF says +99:99 where a program went wrong.
    """
    head, dot, rest = text.partition(".")
    offset = rest.lstrip("0123456789")
    digits = rest[: len(rest) - len(offset)]
    try:
        return datetime.fromisoformat(f"{head}.{digits[:6]:0<6}{offset}" if dot else text)
    except ValueError:
        return None
