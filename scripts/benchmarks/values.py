"""Made-up 64-bit hashes: spread evenly, skewed like those of real photos, or as bad as can be.

What ``photos_like`` imitates was measured on the pHashes of 935 different contents: the camera,
product and edited photos of the collection for development. (The test pictures of decoders in
it are a few pictures many times over, and were left out, as were pictures without contrast.)

- A pHash says which of 64 coefficients lie above their median. So 32 bits are set, the highest
  one (the mean grey) always, and distances are even.
- Pictures are alike: bits depend on each other, as if through a few hidden traits of a picture,
  and pictures with little in them (a shirt on white, a page) show little else. Of the 800
  pictures that are no copies of each other, two differ by 31.3 bits on average, with a standard
  deviation of 4.53; made up, by 31.5 and 4.64. The share of pairs within so many bits:

  ========  ======  ======  ======  ======  ======  ====  ====
  bits         6       8      10      12      16     20    24
  ========  ======  ======  ======  ======  ======  ====  ====
  photos                    3.4e-5  1.9e-4  1.5e-3  .013  .080
  made up   7.6e-7  5.9e-6  3.0e-5  1.3e-4  1.5e-3  .013  .078
  ========  ======  ======  ======  ======  ======  ====  ====

  (Being within 8 was what made a copy. Of 157 million pairs between unrelated collections,
  1.6e-6 were within 8; of the 575 look-alike product photos alone, 3.6e-5.)
- Copies, bursts and screens come in families, with sizes that have the tail of a power law:
  36 families within 4 bits, of 2 to 21, 4.6 on average, 18 % of all. Made up at that number:
  36 of 2 to 28, 4.2 on average, 16 %. Of the members, 89 % have the commonest value of their
  family; made up, 90 %. Families grow with the collection, as they do with screens and scanned
  pages: the largest has 0.2 % of a million.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

SKEWS: Final = ("uniform", "photos", "stress")

_CHUNK: Final = 1 << 18  # values made at once: their 64 floats each take 67 MB
_TOP_BIT: Final = 63
_ONES: Final = 32  # bits set in a pHash

_TRAITS: Final = 6  # hidden properties of a picture that its bits depend on
_TRAITS_FALL: Final = 0.5  # the weight of trait t is t ** -0.5
_STRENGTH: Final = 0.8  # of all traits together, the rest of a coefficient being 1: the median
_STRENGTH_SPREAD: Final = 0.9  # standard deviation of its logarithm, over pictures

_FAMILIES: Final = 36 / 935  # a photo
_FAMILY_TAIL: Final = 1.6  # P(size >= s) = (2 / s) ** 1.6
_FLIPS: Final = (0.84, 0.06, 0.04, 0.03, 0.03)  # share of copies with 0, 1, ... bits flipped

_STRESS_NEAR: Final = 500_000
_STRESS_FLIPS: Final = 4


def make(skew: str, n: int, seed: int = 1) -> Hashes:
    """``n`` hashes (uint64) with one of the SKEWS; equal arguments give equal values."""
    makers = {"uniform": uniform, "photos": photos_like, "stress": stress}
    return makers[skew](n, seed)


def uniform(n: int, seed: int = 1) -> Hashes:
    """Every bit a coin: what a search structure likes best."""
    return np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64)


def photos_like(n: int, seed: int = 1) -> Hashes:
    """Skewed like the pHashes of a photo collection, in no order."""
    chance = np.random.default_rng(seed)
    sizes = _family_sizes(round(n * _FAMILIES))
    copies = int(sizes.sum()) - len(sizes)
    values = np.empty(n, dtype=np.uint64)
    pictures = n - copies
    for start in range(0, pictures, _CHUNK):
        part = values[start : min(start + _CHUNK, pictures)]
        part[:] = _pictures(len(part), chance)
    families = np.repeat(values[: len(sizes)], sizes - 1)
    values[pictures:] = _copies(families, chance)
    chance.shuffle(values)
    return values


def stress(n: int, seed: int = 1) -> Hashes:
    """Half a million values (at most half of them) within 4 bits of one, and evenly spread ones.

    The near ones are within 8 bits of each other, every one of them: pairs by the billion.
    """
    chance = np.random.default_rng(seed)
    values = uniform(n, seed)
    near = min(n // 2, _STRESS_NEAR)
    flips = chance.integers(0, _STRESS_FLIPS + 1, near)
    values[:near] = chance.integers(0, 2**64, dtype=np.uint64)
    for flip in range(_STRESS_FLIPS):
        bit = np.uint64(1) << chance.integers(0, 64, near, dtype=np.uint64)
        values[:near] ^= np.where(flip < flips, bit, np.uint64(0))
    chance.shuffle(values)
    return values


def _family_sizes(families: int) -> NDArray[np.int64]:
    """Evenly spaced quantiles of the power law, so that no seed has a giant by luck."""
    ranks = (np.arange(families) + 0.5) / max(families, 1)
    return np.floor(2 * ranks ** (-1 / _FAMILY_TAIL)).astype(np.int64)


def _pictures(count: int, chance: np.random.Generator) -> Hashes:
    """Hashes of pictures that are no copies of each other: 64 coefficients each, and a bit for
    those above the median. Their random part has a standard deviation of 1."""
    strength = _STRENGTH * np.exp(_STRENGTH_SPREAD * chance.standard_normal(count, np.float32))
    traits = chance.standard_normal((count, _TRAITS), np.float32) * strength[:, np.newaxis]
    coefficients = traits @ _loadings()
    random_part = chance.random(coefficients.shape, np.float32)
    above = coefficients > (random_part - np.float32(0.5)) * np.float32(12**0.5)
    above[:, _TOP_BIT] = True
    values: Hashes = np.packbits(above, axis=1, bitorder="little").view("<u8")[:, 0]
    return _balanced(values.astype(np.uint64), chance)


def _loadings() -> NDArray[np.float32]:
    """How much each trait shows in each coefficient, shape (traits, 64); the same in every run."""
    weights = np.arange(1, _TRAITS + 1) ** -_TRAITS_FALL
    weights /= np.sqrt((weights**2).sum())
    loadings = np.random.default_rng(7).standard_normal((_TRAITS, 64))
    return (weights[:, np.newaxis] * loadings).astype(np.float32)


def _balanced(values: Hashes, chance: np.random.Generator) -> Hashes:
    """With bits flipped at random until 32 are set: quicker than finding each one's median."""
    values = values.copy()
    left = np.flatnonzero(np.bitwise_count(values) != _ONES)
    while len(left):
        some = values[left]
        too_many = np.bitwise_count(some) > _ONES
        bit = _one_bit(len(some), chance)
        some = np.where((some & bit != 0) == too_many, some ^ bit, some)
        values[left] = some
        left = left[np.bitwise_count(some) != _ONES]
    return values


def _copies(values: Hashes, chance: np.random.Generator) -> Hashes:
    """Edited copies: a few bits flipped, and as many others as it takes to have 32 again."""
    flips = np.searchsorted(np.cumsum(_FLIPS)[:-1], chance.random(len(values)), side="right")
    copies = values.copy()
    for number in range(1, len(_FLIPS)):
        edited = np.flatnonzero(flips >= number)
        copies[edited] ^= _one_bit(len(edited), chance)
    return _balanced(copies, chance)


def _one_bit(count: int, chance: np.random.Generator) -> Hashes:
    """One bit each, never the highest."""
    return np.uint64(1) << chance.integers(0, _TOP_BIT, count, dtype=np.uint64)
