"""What an answer is worth: the copies it finds, and the pairs in it that are no copies.

An answer is a sequence of groups of paths; a pair is a group of two. No contestant names two
files together twice: a file is in one group, or pairs are told once.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.copies import Place

Groups: TypeAlias = Iterable[Sequence[str]]
PathPair: TypeAlias = tuple[str, str]  # in order


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    found: int
    of: int

    def __add__(self, other: Share) -> Share:
        return Share(self.found + other.found, self.of + other.of)

    @property
    def percent(self) -> float | None:
        """None of nothing."""
        return 100 * self.found / self.of if self.of else None


@dataclass(frozen=True, slots=True)
class Score:
    """Of one answer over a tree of copies.

    ``false`` counts pairs of files that show different pictures and stand together, of all
    kinds; ``false_untouched`` those of them in which no file is a copy.
    """

    recall: dict[str, Share]  # by edit
    false: int
    false_untouched: int


def score(groups: Groups, places: Mapping[str, Place]) -> Score:
    """What the answer is worth, over the files with these ``places``."""
    found: set[str] = set()
    false = untouched = 0
    for group in groups:
        members = [(path, places[path]) for path in group]
        whole = {place.picture for _, place in members if place.edit is None}
        found.update(
            path for path, place in members if place.edit is not None and place.picture in whole
        )
        false += _of_different(place.picture for _, place in members)
        untouched += _of_different(place.picture for _, place in members if place.edit is None)
    recall: dict[str, Share] = defaultdict(lambda: Share(0, 0))
    for path, place in places.items():
        if place.edit is not None:
            recall[place.edit] += Share(int(path in found), 1)
    return Score(dict(recall), false, untouched)


def pairs_of_different(places: Iterable[Place]) -> int:
    """All pairs of files that show different pictures."""
    return _of_different(place.picture for place in places)


def false_pairs(groups: Groups, picture_of: Callable[[str], str | None]) -> Iterator[PathPair]:
    """Every pair of files that show different pictures and stand together.

    Files without a known picture (None) are in no pair.
    """
    for group in groups:
        known = [(path, picture) for path in sorted(group) if (picture := picture_of(path))]
        for (one, picture), (other, another) in itertools.combinations(known, 2):
            if picture != another:
                yield one, other


def pairs_within(sets: Iterable[Collection[str]]) -> list[PathPair]:
    """Every pair of two files of one of the sets, once."""
    pairs = (itertools.combinations(sorted(set(files)), 2) for files in sets)
    return sorted(set(itertools.chain.from_iterable(pairs)))


def together(pairs: Iterable[PathPair], groups: Groups) -> tuple[list[PathPair], list[PathPair]]:
    """The pairs that stand in one group, and those that do not."""
    standing: dict[str, set[int]] = defaultdict(set)
    for number, group in enumerate(groups):
        for path in group:
            standing[path].add(number)
    found: list[PathPair] = []
    missed: list[PathPair] = []
    for one, other in pairs:
        joined = standing.get(one, set()) & standing.get(other, set())
        (found if joined else missed).append((one, other))
    return found, missed


def _of_different(pictures: Iterable[str]) -> int:
    counts = Counter(pictures).values()
    return (sum(counts) ** 2 - sum(count**2 for count in counts)) // 2
