"""What a question may ask for. Apart from the searching, so that asking imports no numpy."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.model import HashKind

DUPLICATES_RADIUS = 4  # bits of pHash
SIMILAR_RADIUS = 10  # bits of pHash: wide, as the best come first and a person looks
SIMILAR_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Criteria:
    """What counts as the same.

    ``radius`` is in bits of 64; None asks for equal bytes only. Without ``flat``, pictures
    with too little contrast match by their bytes alone.
    """

    hash: HashKind = HashKind.PHASH
    radius: int | None = DUPLICATES_RADIUS
    flat: bool = False
