"""Pairs of which one may show a window of the other: all of them, and bounded where they are many.

The oracle looks at every picture, window, turn and partner. Its hashes and frequencies are those
of ``windows``, which has tests of its own.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.dihedral import COMPOSED, INVERSE, TURNS, spectra_turned, turned
from catalog.model import SIGNATURE_SIDE
from catalog.search import crowds, pictures, probing, windows
from catalog.search.crowds import CROWD
from catalog.search.pictures import Indexed, Pictures
from catalog.search.probing import (
    COARSE,
    RADIUS,
    UPRIGHT_RADIUS,
    Candidates,
    candidates,
)
from catalog.search.windows import WHOLE, WINDOWS
from tests.search.pictures import natural, signature, with_bars

SQUARE = (SIGNATURE_SIDE, SIGNATURE_SIDE)
_ROUNDING = 0.002  # of a likeness, that is kept in 16 bits

Found = tuple[int, int, int, int]  # first, second, window, turn


def of(signatures: np.ndarray, rank: np.ndarray | None = None) -> Pictures:
    ranks = np.arange(len(signatures)) if rank is None else rank
    return Pictures(Indexed.of(signatures), lambda some: signatures[some], ranks)


@dataclass(frozen=True)
class Answer:
    """What came of a search: how many pairs by hash, and those that were left, likeness by each."""

    by_hash: int
    kept: dict[Found, float]
    times: Counter[Found] = field(default_factory=Counter)  # that each of them came

    @property
    def pairs(self) -> set[tuple[int, int]]:
        return {(min(a, b), max(a, b)) for a, b, _, _ in self.kept}


def gathered(blocks: Iterable[tuple[int, Candidates]]) -> Answer:
    by_hash, kept, times = 0, {}, Counter()
    for count, block in blocks:
        by_hash += count
        assert len(block) <= count
        columns = [getattr(block, each.name) for each in fields(Candidates)]
        assert [str(c.dtype) for c in columns] == ["int32", "int32", "uint8", "uint8", "float32"]
        for *found, likeness in zip(*(column.tolist() for column in columns), strict=True):
            kept[tuple(found)] = likeness
            times[tuple(found)] += 1
    return Answer(by_hash, kept, times)


def search(signatures, new=None, rank=None, executor=None) -> Answer:
    some = None if new is None else np.array(sorted(new), dtype=np.int64)
    return gathered(candidates(of(signatures, rank), some, executor))


def first_of_each(values: np.ndarray, rank: np.ndarray) -> set[int]:
    """The positions that are among the first CROWD of their value."""
    by_value: dict[int, list[int]] = {}
    for at in np.argsort(rank).tolist():
        by_value.setdefault(int(values[at]), []).append(at)
    return {at for members in by_value.values() for at in members[: crowds.CROWD]}


def back(first: int, second: int) -> int:
    """The turn that brings the second to lie as the first, if each turned its way lies alike."""
    return next(turn for turn in TURNS if COMPOSED[turn, first] == second)


class Oracle:
    """Every picture with every other, in every window and every likely turn of the asking one."""

    def __init__(self, signatures: np.ndarray, new: set[int] | None, rank: np.ndarray) -> None:
        self.count = len(signatures)
        self.new = set(range(self.count)) if new is None else new
        self.spectra = [windows.spectra(signatures, window) for window in WINDOWS]
        self.canonical = [windows.in_canonical_turn(spectra) for spectra in self.spectra]
        self.rank = rank
        self.by_hash = 0
        self.likeness: dict[Found, float] = {}
        self.times: Counter[Found] = Counter()
        self.upright()
        for number in range(len(WINDOWS)):
            self.windows_of_new(number)
            self.windows_of_known(number)

    def see(self, first: int, second: int, number: int, turn: int) -> None:
        self.by_hash += 1
        one = self.spectra[number][first : first + 1]
        turns = np.array([turn], dtype=np.uint8)
        other = spectra_turned(self.spectra[0][second : second + 1], turns)
        likeness = float(windows.directions(one)[0] @ windows.directions(other)[0])
        self.likeness[first, second, number, turn] = likeness
        self.times[first, second, number, turn] += 1

    def upright(self) -> None:
        """All find the first of each crowd, where one of the two is new: who is, asks."""
        values = windows.hashes(self.spectra[0])
        found = first_of_each(values, self.rank)
        for first, second in itertools.permutations(range(self.count), 2):
            asks = first in self.new or (first not in found and second in self.new)
            near = (int(values[first]) ^ int(values[second])).bit_count() <= UPRIGHT_RADIUS
            if asks and second in found and near:
                self.see(first, second, 0, 0)

    def windows_of_new(self, number: int) -> None:
        """They find the first of each crowd."""
        probes, wholes = windows.in_likely_turns(self.spectra[number]), self.canonical[0]
        found = first_of_each(wholes.value, self.rank)
        apart = np.bitwise_count(probes.value[:, None] ^ wholes.value[None])
        for at, second in np.argwhere(apart <= RADIUS).tolist():
            first = int(probes.picture[at])
            if first in self.new and second in found and first != second:
                self.see(first, second, number, back(probes.turn[at], wholes.turn[second]))

    def windows_of_known(self, number: int) -> None:
        """They find the new among the first of each crowd, in the turns that those may lie in."""
        probes, parts = windows.in_likely_turns(self.spectra[0]), self.canonical[number]
        found = first_of_each(self.canonical[0].value, self.rank)
        apart = np.bitwise_count(probes.value[:, None] ^ parts.value[None])
        for at, first in np.argwhere(apart <= RADIUS).tolist():
            second = int(probes.picture[at])
            was_found = number == 0 and first in found  # by the new one
            if first not in self.new and second in self.new & found and not was_found:
                self.see(first, second, number, back(parts.turn[first], probes.turn[at]))

    def agrees(self, answer: Answer) -> None:
        surely = {found for found, value in self.likeness.items() if value > COARSE + _ROUNDING}
        perhaps = {found for found, value in self.likeness.items() if value > COARSE - _ROUNDING}
        assert surely <= set(answer.kept) <= perhaps
        assert answer.by_hash == self.by_hash
        assert all(answer.times[found] == self.times[found] for found in surely)
        for found, likeness in answer.kept.items():
            assert likeness == pytest.approx(self.likeness[found], abs=_ROUNDING)


def edited(seed: int, edit: int) -> np.ndarray:
    """The signature of a picture that somebody did something to."""
    dice = np.random.default_rng((seed, edit))
    picture = natural(seed, 96)
    whole = signature(picture).astype(np.float32)
    kind = edit % 6
    if kind == 0:
        square = whole
    elif kind == 1:
        square = signature(picture, WINDOWS[dice.integers(len(WINDOWS))].edges)
    elif kind == 2:
        square = signature(with_bars(picture, 0.1))
    elif kind == 3:
        square = whole * dice.uniform(0.5, 1) + dice.uniform(0, 60)
    elif kind == 4:
        square = whole + dice.normal(0, 6, whole.shape)
    else:
        square = 0.9 * whole + 0.1 * signature(natural(seed + 1, 96))
    square = np.asarray(square).clip(0, 255).astype(np.uint8)
    return turned(square, int(dice.integers(8)) if edit >= 6 else 0).ravel()


FAMILIES = np.stack([edited(seed, edit) for seed in range(6) for edit in range(12)])
libraries = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), min_size=2, max_size=24).map(
    lambda edits: np.stack([edited(*edit) for edit in edits])
)


@pytest.fixture
def small_blocks(monkeypatch):
    """Limits that a few dozen pictures go beyond."""
    monkeypatch.setattr(pictures, "_AT_ONCE", 5)
    monkeypatch.setattr(crowds, "_PAIRS_AT_ONCE", 8)


@pytest.mark.parametrize("radius", [RADIUS, 12])
@pytest.mark.parametrize("new", [None, {3}, set(range(0, 72, 3)), set(range(72))])
def test_all_pairs_are_found_that_brute_force_finds(new, radius, monkeypatch):
    monkeypatch.setattr(probing, "RADIUS", radius)
    monkeypatch.setitem(globals(), "RADIUS", radius)
    oracle = Oracle(FAMILIES, new, np.arange(len(FAMILIES)))
    oracle.agrees(search(FAMILIES, new))
    assert len(oracle.likeness) > 10


@settings(max_examples=15, deadline=None)
@given(libraries, st.sets(st.integers(0, 23)), st.randoms(use_true_random=False))
def test_all_pairs_of_any_library_are_found_in_small_steps_and_small_crowds(some, new, dice):
    rank = np.array(dice.sample(range(len(some)), len(some)))
    new = {at for at in new if at < len(some)} or None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "_AT_ONCE", 5)
        patch.setattr(crowds, "_PAIRS_AT_ONCE", 8)
        patch.setattr(crowds, "CROWD", 2)
        Oracle(some, new, rank).agrees(search(some, new, rank))


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_what_is_searched_in_two_goes_is_what_is_searched_in_one(share):
    """First some alone, then the others with all."""
    dice = np.random.default_rng(int(share * 100))
    order = dice.permutation(len(FAMILIES))
    old = np.sort(order[: round(share * len(order))])
    new = np.sort(order[len(old) :])
    earlier = {(int(old[a]), int(old[b])) for a, b in search(FAMILIES[old]).pairs}
    later = search(FAMILIES, set(new.tolist())).pairs
    assert all(set(pair) & set(new.tolist()) for pair in later)
    assert earlier | later == search(FAMILIES).pairs


def barred(seed: int, grey: int) -> np.ndarray:
    """Whole ones of other greys have other hashes; of one window all have one."""
    return signature(with_bars(natural(seed, 96), 0.1, grey)).ravel()


crowded = st.lists(
    st.one_of(
        st.builds(edited, st.integers(0, 2), st.integers(0, 12)),
        st.builds(barred, st.integers(0, 2), st.integers(0, 255)),
    ),
    min_size=4,
    max_size=30,
).map(np.stack)


def by_pair(answer: Answer, ids: np.ndarray) -> dict[Found, float]:
    """By ids; of two whole ones the order does not count."""
    found = {}
    for (first, second, number, turn), likeness in answer.kept.items():
        one, other = int(ids[first]), int(ids[second])
        if number == 0 and one > other:
            one, other, turn = other, one, int(INVERSE[turn])
        found[one, other, number, turn] = likeness
    return found


@settings(max_examples=60, deadline=None)
@given(crowded, st.integers(1, 3), st.data())
def test_what_comes_in_portions_is_found_as_all_at_once_after_each(some, most, data):
    """However many are in a crowd, and whoever pushes in front; near ties aside."""
    rank = np.array(data.draw(st.permutations(range(len(some)))))
    cuts = data.draw(st.sets(st.integers(1, len(some) - 1), min_size=1, max_size=4))
    in_portions: dict[Found, float] = {}
    at_once: dict[Found, float] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crowds, "CROWD", most)
        patch.setattr(windows, "in_likely_turns", windows.in_canonical_turn)
        for begin, end in itertools.pairwise([0, *sorted(cuts), len(some)]):
            there, among = some[:end], np.argsort(np.argsort(rank[:end]))
            ids = np.arange(end)
            at_once |= by_pair(search(there, None, among), ids)
            in_portions |= by_pair(search(there, set(range(begin, end)), among), ids)
    for found, likeness in (at_once | in_portions).items():
        if likeness > COARSE + _ROUNDING:
            assert found in at_once
            assert found in in_portions


def test_every_pair_of_the_new_ones_names_a_new_one():
    assert search(FAMILIES, {7, 30}).kept
    for first, second, _, _ in search(FAMILIES, {7, 30}).kept:
        assert first != second
        assert {first, second} & {7, 30}


def unrelated(copy: np.ndarray, at: int) -> np.ndarray:
    """A dozen pictures that have nothing in common, with one of them, and ``copy`` at the end."""
    others = [signature(natural(seed)).ravel() for seed in range(100, 112)]
    others.insert(at, copy.ravel())
    return np.stack(others)


@pytest.mark.parametrize("number", range(1, len(WINDOWS)))
@pytest.mark.parametrize("turn", [0, 5, 6])
def test_a_turned_crop_is_found_by_its_window_and_the_turn_that_brings_it_back(number, turn):
    picture = natural(100 + number % 12)
    crop = signature(picture, WINDOWS[number].edges)
    library = unrelated(turned(crop, turn), 12)
    original, copy = number % 12, 12
    for new in (None, {original}, {copy}):
        answer = search(library, new)
        mine = {f: v for f, v in answer.kept.items() if f[:2] == (original, copy)}
        first, second, window, back = max(mine, key=mine.__getitem__)
        assert window == number
        assert np.array_equal(turned(turned(crop, turn), back), crop)
        assert mine[first, second, window, back] > 0.995
        assert {frozenset(found[:2]) for found in answer.kept} == {frozenset((original, copy))}


@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_copy_is_found_whichever_of_the_two_is_new(turn):
    square = signature(natural(104))
    library = unrelated(turned(square, turn), 12)
    for new in (None, {4}, {12}):
        wholes = {found for found in search(library, new).kept if found[2] == 0}
        assert {found[:2] for found in wholes} >= ({(12, 4)} if new == {12} else {(4, 12)})
        for first, second, _, back in wholes:
            squares = library.reshape(-1, *SQUARE)
            assert np.array_equal(turned(squares[second], back), squares[first])


@pytest.mark.parametrize("turn", TURNS)
def test_a_picture_between_bars_shows_the_other_in_its_middle(turn):
    picture = natural(103)
    library = unrelated(turned(signature(with_bars(picture, 0.1)), turn), 12)
    answer = search(library)
    mine = {f: v for f, v in answer.kept.items() if f[:2] == (12, 3)}
    _, _, window, back = max(mine, key=mine.__getitem__)
    lies_across = WINDOWS[window].across if turn < 4 else WINDOWS[window].down
    assert lies_across == pytest.approx((0.0455, 0.9545))
    assert np.array_equal(turned(signature(picture), turn), turned(signature(picture), back))


def test_a_picture_with_strong_edits_is_found_as_it_lies_though_its_window_is_not():
    """Between RADIUS and UPRIGHT_RADIUS bits."""
    answer = search(FAMILIES)
    values = windows.hashes(windows.spectra(FAMILIES, WHOLE))
    distances = np.bitwise_count(values[:, None] ^ values[None])
    between = {
        (int(a), int(b))
        for a, b in np.argwhere((distances > RADIUS) & (distances <= UPRIGHT_RADIUS))
    }
    found = between & {found[:2] for found in answer.kept if found[2:] == (0, 0)}
    assert found


def blurred_noise(seed: int) -> np.ndarray:
    return signature(natural(seed)).ravel()


@pytest.fixture
def crowd():
    """More than CROWD pictures that hash alike, each another grey, and two others; ranks."""
    base = signature(natural(5)).ravel() // 2
    same = [base + at for at in range(CROWD + 16)]
    others = [blurred_noise(6), blurred_noise(7)]
    signatures = np.stack([*same, *others])
    values = windows.hashes(windows.spectra(signatures, WHOLE))
    assert len(set(values[: len(same)].tolist())) == 1
    return signatures, np.random.default_rng(1).permutation(len(signatures))


def test_of_a_crowd_only_the_first_by_rank_are_found_by_all_others(crowd):
    signatures, rank = crowd
    size = len(signatures) - 2
    first = set(np.argsort(np.where(np.arange(len(rank)) < size, rank, 10**6))[:CROWD].tolist())
    answer = search(signatures, rank=rank)
    wholes = {found[:2] for found in answer.kept if found[2:] == (0, 0)}
    assert wholes == {(one, other) for one in range(size) for other in first if one != other}
    assert {second for _, second, _, _ in answer.kept} == first


def test_who_is_new_to_a_crowd_finds_its_first(crowd):
    signatures, rank = crowd
    size = len(signatures) - 2
    by_rank = np.argsort(np.where(np.arange(len(rank)) < size, rank, 10**6))
    first, last = set(by_rank[:CROWD].tolist()), int(by_rank[size - 1])
    answer = search(signatures, {last}, rank)
    assert {second for one, second, window, _ in answer.kept if (one, window) == (last, 0)} == first


@pytest.mark.parametrize("new", [{0}, {3, 70}, set(range(40)), {79}])
def test_who_is_new_and_comes_first_in_a_crowd_is_found_by_all_who_were_there(crowd, new):
    """As if all had been searched at once: else those behind would be left without a centre."""
    signatures = crowd[0][: CROWD + 16]
    old = [at for at in range(len(signatures)) if at not in new]
    earlier = {(old[a], old[b]) for a, b in search(signatures[old]).pairs}
    assert search(signatures).pairs <= earlier | search(signatures, new).pairs


def test_all_who_were_there_show_in_a_window_who_is_new():
    """Also those behind in a crowd whose windows hash alike: they too have to find a centre."""
    original = signature(natural(5)).ravel()
    bars = [signature(with_bars(natural(5), 0.1, grey)) for grey in range(CROWD + 16)]
    signatures = np.stack([*(each.ravel() for each in bars), original])
    number = [window.edges for window in WINDOWS].index((0.0455, 0.9545, 0, 1))
    assert len(set(Indexed.of(signatures[:-1]).value[:, number].tolist())) < 4
    new = len(bars)
    for rank in (np.arange(len(signatures)), np.arange(len(signatures))[::-1]):
        found = search(signatures, {new}, rank).kept
        assert {first for first, second, _, _ in found if second == new} == set(range(new))


@pytest.mark.parametrize("new", [None, {3}, set(range(30, 70))])
def test_blocks_are_bounded(crowd, new, monkeypatch):
    signatures, rank = crowd
    expected = search(signatures, new, rank)
    monkeypatch.setattr(crowds, "_PAIRS_AT_ONCE", 100)
    some = None if new is None else np.array(sorted(new))
    blocks = list(candidates(of(signatures, rank), some))
    assert max(count for count, _ in blocks) <= 100
    assert sum(count > 0 for count, _ in blocks) >= expected.by_hash / 100
    assert gathered(blocks) == expected


def test_many_small_crowds_share_blocks_that_are_bounded(monkeypatch):
    expected = search(FAMILIES)
    for most in (12, 64):
        monkeypatch.setattr(crowds, "_PAIRS_AT_ONCE", most)
        blocks = list(candidates(of(FAMILIES)))
        assert max(count for count, _ in blocks) <= max(most, max_of_one(FAMILIES))
        assert gathered(blocks) == expected


def max_of_one(signatures: np.ndarray) -> int:
    """The most pairs that two values make, which come in one block unless they are too many."""
    values = windows.in_canonical_turn(windows.spectra(signatures, WHOLE)).value
    return int(np.unique(values, return_counts=True)[1].max()) ** 2


def test_signatures_are_asked_for_in_bounded_portions(small_blocks):
    asked: list[int] = []

    def recorded(some: np.ndarray) -> np.ndarray:
        asked.append(len(some))
        return FAMILIES[some]

    some = Pictures(Indexed.of(FAMILIES), recorded, np.arange(len(FAMILIES)))
    answer = gathered(candidates(some, np.array([1, 2, 3, 5, 8, 13, 21])))
    assert max(asked) == 5
    assert answer.kept.keys() == search(FAMILIES, {1, 2, 3, 5, 8, 13, 21}).kept.keys()


@pytest.mark.parametrize("new", [None, {3, 40}])
def test_threads_change_nothing(new, small_blocks):
    some = None if new is None else np.array(sorted(new))
    alone = list(candidates(of(FAMILIES), some))
    with ThreadPoolExecutor(3) as pool:
        together = list(candidates(of(FAMILIES), some, pool))
    assert [count for count, _ in together] == [count for count, _ in alone]
    for (_, mine), (_, theirs) in zip(alone, together, strict=True):
        for each in fields(Candidates):
            assert np.array_equal(getattr(mine, each.name), getattr(theirs, each.name))


@pytest.mark.parametrize(
    ("count", "new"), [(0, None), (1, None), (1, [0]), (5, [])], ids=["none", "one", "me", "no new"]
)
def test_nothing_to_compare_gives_nothing(count, new):
    some = None if new is None else np.array(new, dtype=np.int64)
    assert list(candidates(of(FAMILIES[:count]), some)) == []


def test_a_search_that_finds_nothing_counts_nothing():
    library = np.stack([blurred_noise(seed) for seed in range(100, 104)])
    assert search(library) == Answer(0, {})
    assert search(library, {1}) == Answer(0, {})


def test_candidates_are_chosen_and_joined_in_every_column():
    blocks: Iterator[Candidates] = (block for _, block in candidates(of(FAMILIES)) if len(block))
    one, other = next(blocks), next(blocks)
    joined = Candidates.joined([one, other])
    assert len(joined) == len(one) + len(other)
    back = joined.only(np.arange(len(joined)) >= len(one))
    for each in fields(Candidates):
        assert np.array_equal(getattr(back, each.name), getattr(other, each.name))
        assert getattr(Candidates.joined([]), each.name).dtype == getattr(one, each.name).dtype
