"""Which photo of a group is kept, and why.

The rules, first to last; a later one decides only where all before it see no difference:

1. more pixels, those of bars along an edge aside
2. no stamp: nothing is laid over it that the other has not, a date or a watermark
3. less compressed: at equal pixels, the larger file, weighed by its format
4. has camera data: EXIF says which camera or when
5. older: last modified earlier
6. shorter path (in bytes)
7. first by name: the bytes of the path

Age is the time of modification alone. "The time taken where both have one" would not be an
order: A before B by time taken, B before C and C before A by modification. Copies of one
shot say the same time taken anyhow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from catalog.model import Photo

RankKey: TypeAlias = tuple[Any, ...]  # comparable with that of any other photo


@dataclass(frozen=True, slots=True)
class _Rule:
    words: str  # why the winner is kept
    value: Callable[[Photo], Any]  # the smaller is kept


_RULES = (
    _Rule("more pixels", lambda photo: -photo.pixels),
    _Rule("no stamp", lambda photo: photo.stamped),
    _Rule("less compressed", lambda photo: -photo.detail),
    _Rule("has camera data", lambda photo: not (photo.camera or photo.taken_at)),
    _Rule("older", lambda photo: photo.stamp.mtime_ns),
    _Rule("shorter path", lambda photo: len(photo.path)),
    _Rule("first by name", lambda photo: photo.path),
)


def rank_key(photo: Photo) -> RankKey:
    """Sorts photos, the one to keep first. Two photos are equal only with equal paths."""
    return tuple(rule.value(photo) for rule in _RULES)


def reason(kept: Photo, others: Sequence[Photo]) -> str:
    """The first rule that tells ``kept`` from the best of ``others`` (at least one), as words."""
    rival = min(others, key=rank_key)
    differing = (rule.words for rule in _RULES if rule.value(kept) != rule.value(rival))
    return next(differing, _RULES[-1].words)
