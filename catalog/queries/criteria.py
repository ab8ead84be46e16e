"""What a question may ask for. Apart from the searching, so that asking imports no numpy."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.errors import UsageError
from catalog.model import HASH_BITS, HashKind

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


def criteria_of(
    kind: str | None = None,
    radius: int | None = None,
    similarity: float | None = None,
    *,
    exact: bool = False,
    no_verify: bool = False,
    default_radius: int = DUPLICATES_RADIUS,
) -> Criteria:
    """What the options of a question come to; ``kind`` names a hash, ``similarity`` is in percent.

    Raises UsageError where they contradict each other.
    """
    if exact:
        if kind is not None or radius is not None or similarity is not None or no_verify:
            raise UsageError("exact compares bytes, so it takes no option about hashes")
        return Criteria(radius=None)
    bits = radius_in_bits(radius, similarity, default_radius)
    return Criteria(_kind_of(kind), bits, flat=no_verify)


def radius_in_bits(radius: int | None, similarity: float | None, default: int) -> int:
    """The radius that one of the two asks for, or ``default``."""
    if radius is not None and similarity is not None:
        raise UsageError("radius and similarity say the same thing: choose one")
    if radius is not None and not 0 <= radius <= HASH_BITS:
        raise UsageError(f"a radius is a number of bits from 0 to {HASH_BITS}, not {radius}")
    if similarity is None:
        return default if radius is None else radius
    if 0 < similarity < 1:
        raise UsageError(f"a similarity is a percentage, such as 90; {similarity:g} is below 1 %")
    from catalog.search.hamming import radius_of_similarity  # with numpy, for those who ask

    return radius_of_similarity(similarity)


def _kind_of(name: str | None) -> HashKind:
    if name is None:
        return HashKind.PHASH
    if name not in list(HashKind):
        raise UsageError(f"there is no hash {name!r}: choose one of {', '.join(HashKind)}")
    return HashKind(name)
