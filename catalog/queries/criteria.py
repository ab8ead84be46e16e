"""What a question may ask for. Apart from the searching, so that asking imports no numpy."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.errors import UsageError
from catalog.model import HASH_BITS, HashKind, Kind

DUPLICATES_RADIUS = 4  # bits of pHash
SIMILAR_RADIUS = 10  # bits of pHash: wide, as the best come first and a person looks
SIMILAR_LIMIT = 20
GRADES = (Kind.SAME.value, Kind.SIMILAR.value)


@dataclass(frozen=True, slots=True)
class Criteria:
    """What counts as a match.

    ``grade`` is the weakest kind that does. With HASH, two pictures match when ``radius`` bits of
    64 of their ``hash`` differ or fewer, and nothing is verified; without ``flat``, pictures with
    too little contrast match by their bytes alone then; a ``radius`` of None asks for equal bytes
    only. With SAME or SIMILAR, matches are verified, and the other fields say nothing.
    """

    hash: HashKind = HashKind.PHASH
    radius: int | None = DUPLICATES_RADIUS
    flat: bool = False
    grade: Kind = Kind.HASH

    @property
    def verified(self) -> bool:
        """Whether matches are verified ones."""
        return self.grade in (Kind.SAME, Kind.SIMILAR)


ONE_PICTURE = Criteria(grade=Kind.SAME)  # what ``dupes`` goes by
LOOKS_ALIKE = Criteria(grade=Kind.SIMILAR)  # what ``similar`` goes by


def criteria_of(
    kind: str | None = None,
    radius: int | None = None,
    similarity: float | None = None,
    *,
    exact: bool = False,
    no_verify: bool = False,
    grade: str | None = None,
    default_radius: int = DUPLICATES_RADIUS,
    default_grade: Kind = Kind.SAME,
) -> Criteria:
    """What the options of a question come to; ``kind`` names a hash, ``similarity`` is in percent.

    Raises UsageError where they contradict each other.
    """
    plain = kind is not None or radius is not None or similarity is not None or no_verify
    if exact:
        if plain or grade is not None:
            raise UsageError("exact compares bytes, so it takes no option about hashes or grades")
        return Criteria(radius=None, grade=Kind.IDENTICAL)
    if not plain:
        return Criteria(grade=_grade_of(grade, default_grade))
    if grade is not None:
        raise UsageError(
            "a grade is of verified matches; hash, radius, similarity and no-verify ask for plain "
            "hashes: choose one"
        )
    bits = radius_in_bits(radius, similarity, default_radius)
    return Criteria(_kind_of(kind), bits, flat=no_verify)


def _grade_of(name: str | None, default: Kind) -> Kind:
    if name is None:
        return default
    if name not in GRADES:
        raise UsageError(f"there is no grade {name!r}: choose one of {', '.join(GRADES)}")
    return Kind(name)


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
