"""64-bit values that are hard on a search: alike, skewed, extreme, and of every small number."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import strategies as st

from catalog.search import join

EVERY_BIT = 2**64 - 1
EXTREMES = [0, 1, EVERY_BIT, EVERY_BIT - 1, 2**63, 2**63 - 1, 2**32, 2**32 - 1]
BASES = [*EXTREMES, 0xAAAAAAAAAAAAAAAA, 0x5555555555555555, 0x0123456789ABCDEF, 0xFFFF]

RADII = st.one_of(st.integers(0, 8), st.integers(0, 16), st.sampled_from([32, 63, 64, 65]))


def array(values: list[int]) -> np.ndarray:
    """As uint64 that nobody may write to."""
    made = np.array(values, dtype=np.uint64)
    made.setflags(write=False)
    return made


def _flipped(base: int, bits: list[int]) -> int:
    for bit in bits:
        base ^= 1 << bit
    return base


@st.composite
def clusters(draw: st.DrawFn, radius: int = 8, most: int = 60) -> list[int]:
    """A few bases, and copies of them with up to two bits more flipped than the radius."""
    bases = draw(st.lists(st.sampled_from(BASES) | st.integers(0, EVERY_BIT), max_size=4))
    flips = st.lists(st.integers(0, 63), max_size=min(radius + 2, 18), unique=True)
    if not bases:
        return []
    return draw(st.lists(st.builds(_flipped, st.sampled_from(bases), flips), max_size=most))


@st.composite
def few_bits(draw: st.DrawFn, most: int = 60) -> list[int]:
    """Values that vary in a few bits only: the highest, the lowest, one block, or anywhere."""
    width = draw(st.integers(1, 16))
    shift = draw(st.sampled_from([0, 64 - width]) | st.integers(0, 64 - width))
    rest = draw(st.sampled_from(BASES)) & ~(((1 << width) - 1) << shift)
    varying = st.integers(0, (1 << width) - 1)
    return [rest | bits << shift for bits in draw(st.lists(varying, max_size=most))]


def hashes(radius: int = 8, most: int = 60) -> st.SearchStrategy[np.ndarray]:
    """Arrays of values around ``radius`` bits apart, among them none, one, and equal ones."""
    anything = st.lists(st.sampled_from(BASES) | st.integers(0, EVERY_BIT), max_size=most)
    same = st.builds(lambda value, n: [value] * n, st.sampled_from(BASES), st.integers(0, most))
    return st.one_of(clusters(radius, most), few_bits(most), anything, same).map(array)


@st.composite
def joins(draw: st.DrawFn, most: int = 60) -> tuple[np.ndarray, int]:
    """Values and a radius."""
    radius = draw(RADII)
    return draw(hashes(radius, most)), radius


@contextlib.contextmanager
def small_limits() -> Iterator[None]:
    """The join with limits so small that a few dozen values go beyond all of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(join, "_HEIGHTS", (2, 3, 5, 6))
        patch.setattr(join, "_LONGEST", 6)
        patch.setattr(join, "_TILE", 16)
        patch.setattr(join, "_TASK", 24)
        yield


def near(count: int, flips: int, seed: int = 1) -> np.ndarray:
    """Values within ``flips`` bits of one, not all different."""
    dice = np.random.default_rng(seed)
    values = np.full(count, 0x123456789ABCDEF0, dtype=np.uint64)
    for _ in range(flips):
        values ^= np.uint64(1) << dice.integers(0, 64, count, dtype=np.uint64)
    return values


def varying(count: int, bits: int, shift: int, seed: int = 1) -> np.ndarray:
    """Values that vary in ``bits`` bits, from bit ``shift`` on."""
    dice = np.random.default_rng(seed)
    return dice.integers(0, 2**bits, count, dtype=np.uint64) << np.uint64(shift)


def uniform(count: int, seed: int = 1) -> np.ndarray:
    """Every bit a coin."""
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


def families(count: int, flips: int = 3, seed: int = 1) -> np.ndarray:
    """Half of them evenly spread, the others copies of one in eight of these with flipped bits."""
    dice = np.random.default_rng(seed)
    values = uniform(count, seed)
    copies = count // 2
    values[:copies] = values[copies + dice.integers(0, max(1, count // 16), copies)]
    for _ in range(flips):
        bit = np.uint64(1) << dice.integers(0, 64, copies, dtype=np.uint64)
        values[:copies] ^= np.where(dice.random(copies) < 0.5, bit, np.uint64(0))
    return dice.permutation(values)


def different(values: np.ndarray, count: int) -> np.ndarray:
    """``count`` different ones of the values, in no order."""
    found = np.random.default_rng(3).permutation(np.unique(values))[:count]
    assert len(found) == count
    return found
