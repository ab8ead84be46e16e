"""How two contents relate, told from the side of the one that is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from catalog.dihedral import EXIF, INVERSE
from catalog.model import Kind, Match, Photo, Rule, sides_of
from catalog.store.hashes import HashTable
from catalog.store.matches import RULES, Matches

File = tuple[int, int | bytes]  # as Photo.file


@dataclass(frozen=True, slots=True)
class Relations:
    """The known matches, and the pHash of every content."""

    known: Matches
    table: HashTable

    def distances(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Differing bits of the pHashes of contents, as the pictures lie."""
        last = len(self.table) - 1
        places = (np.searchsorted(self.table.contents, ids) for ids in (one, other))
        first, second = (self.table.hashes[np.minimum(at, last)] for at in places)
        bits: NDArray[np.uint8] = np.bitwise_count(first ^ second)
        return bits

    def match(self, keep: Photo, photo: Photo, at: int, distance: int) -> Match:
        """What ``photo`` is to ``keep``; ``at`` is their place among the known, -1: equal bytes."""
        if photo.content == keep.content or at < 0:
            return identical(photo, keep.file)
        return related(self.known, at, photo, keep.content, keep.file, distance)


def identical(photo: Photo, file: File | None) -> Match:
    """A match of equal bytes; ``file`` is that of the other."""
    same_file = photo.file == file
    return Match(photo, Kind.IDENTICAL, 0, 1.0, 1, same_file, rule=Rule.IDENTICAL_BYTES)


def related(
    known: Matches, at: int, photo: Photo, content: int, file: File | None, distance: int
) -> Match:
    """What ``photo`` is to the picture of this ``content`` and ``file``, by a known match.

    ``distance`` is in bits of the pHash.
    """
    turn = int(known.turn[at])
    is_window = int(known.first[at]) == content
    rule = RULES[known.rule[at]]
    rule = rule if is_window else rule.flipped
    if rule is Rule.STAMP_ON_SECOND:
        photo = replace(photo, stamped=True)
    lost = sides_of(tuple(known.edges[at].tolist()))
    return Match(
        photo,
        rule.kind or Kind.SIMILAR,
        distance,
        min(1.0, float(known.score[at])),
        EXIF[turn if is_window else INVERSE[turn]],
        photo.file == file,
        rule=rule,
        lost=lost if is_window else (),
        more=() if is_window else lost,
    )
