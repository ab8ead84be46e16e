"""How matches and searches are told: turns, lost edges, and what was left after each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from catalog.model import Side, Stages, sides_of
from catalog.rendering import human

_TURNS = {
    1: "as it lies",
    2: "mirrored",
    3: "turned upside down",
    4: "mirrored top to bottom",
    5: "mirrored and turned left",
    6: "turned left",
    7: "mirrored and turned right",
    8: "turned right",
}
_PLACES = {"left": "on the left", "right": "on the right", "top": "at the top"}


def turn(orientation: int) -> str:
    """How a photo lies that a viewer has to show by this EXIF orientation to match the other."""
    return _TURNS[orientation]


def sides(lost: Sequence[Side], more: Sequence[Side]) -> list[str]:
    """What a photo lacks at its edges, and what it has beyond those of the other."""
    return [
        *([f"lost {_listed(lost)}"] if lost else []),
        *([f"has {_listed(more, 'more ')}"] if more else []),
    ]


def parts(edges: tuple[float, float, float, float]) -> str:
    """What a window leaves out; nothing where it is the whole."""
    return _listed(sides_of(edges))


def _listed(parts: Sequence[Side], more: str = "") -> str:
    return ", ".join(
        f"{round(side.part * 100)} % {more}{_PLACES.get(side.name, 'at the bottom')}"
        for side in parts
    )


def search(stages: Stages) -> Iterator[str]:
    """What was searched and settled for an answer, a line each; nothing where all was known."""
    if stages.searched:
        yield (
            f"Compared {human.counted(stages.searched, 'new picture')} with {stages.contents:,}: "
            f"{human.counted(stages.by_hash, 'pair')} by hash, {stages.by_frequencies:,} by low "
            f"frequencies, {stages.refined:,} aligned, {stages.alike:,} alike "
            f"({stages.searching:.1f} s)."
        )
    tried = stages.compared + stages.not_compared
    if tried:
        failed = f", {stages.not_compared:,} could not be read" if stages.not_compared else ""
        yield (
            f"Compared the files of {human.counted(tried, 'pair')} closely{failed} "
            f"({stages.settling:.1f} s)."
        )
