"""Pairs of pictures of which one may show a window of the other, in bounded memory.

Every window of every picture is looked for among whole pictures, by pHash within a small radius
and in canonical turns (see ``windows``); pictures as they lie, whole, within a larger one, as tone
edits move more bits than a crop that a window meets. What the hashes let through is compared by its
lowest frequencies at once, which leaves one in some hundred.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.search import windows
from catalog.search.dihedral import COMPOSED, INVERSE, spectra_turned
from catalog.search.join import pairs_between
from catalog.search.pictures import Directions, Pictures, probes_of, turned_rows
from catalog.search.verify import coarse
from catalog.search.windows import WHOLE, WINDOWS, Window

RADIUS: Final = 6  # bits, of a window in its canonical turn
UPRIGHT_RADIUS: Final = 8  # bits, of whole pictures as they lie
COARSE: Final = 0.85  # correlation of the lowest frequencies, below which a pair is nothing

CROWD: Final = 64  # pictures with one hash that others are compared with
AROUND: Final = 4096  # pictures that are looked at more closely round one

_PAIRS_AT_ONCE: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs, as arrays of one length: a window of ``first`` may be the whole of ``second``.

    ``first`` and ``second`` (int32) are positions among all pictures, ``window`` (uint8) one in
    WINDOWS, ``turn`` (uint8) brings ``second`` to lie as ``first`` does, ``likeness`` (float32) is
    the correlation of the lowest frequencies.
    """

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    window: NDArray[np.uint8]
    turn: NDArray[np.uint8]
    likeness: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)

    def only(self, chosen: NDArray[Any]) -> Candidates:
        """Those at these positions, or where this mask is true."""
        return Candidates(*(getattr(self, each.name)[chosen] for each in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[Candidates]) -> Candidates:
        """Several, one after the other."""
        parts = [_NOTHING, *parts]
        columns = ([getattr(part, each.name) for part in parts] for each in fields(cls))
        return cls(*(np.concatenate(column) for column in columns))


_NOTHING: Final = Candidates(
    np.empty(0, np.int32),
    np.empty(0, np.int32),
    np.empty(0, np.uint8),
    np.empty(0, np.uint8),
    np.empty(0, np.float32),
)


def candidates(
    pictures: Pictures,
    new: NDArray[np.int64] | None = None,
    executor: Executor | None = None,
) -> Iterator[tuple[int, Candidates]]:
    """All pairs of which one is among ``new`` (rising positions; None: all), as they are found.

    With each block, how many pairs the hashes let through that its lowest frequencies then threw
    out or not. Where more than CROWD pictures have one hash, only the first of them by rank are
    found, by all others. A pair may come several times, by other windows and in both directions.
    """
    if len(pictures) < 2 or (new is not None and not len(new)):
        return
    everything = new is None
    some = np.arange(len(pictures)) if new is None else new
    wholes = Directions(pictures, WHOLE, cached=len(some) * 8 > len(pictures))
    yield from _upright(pictures, some, wholes, executor)
    if not everything:
        yield from _crowds_of_new(pictures, some, wholes, executor)
    for number, window in enumerate(WINDOWS):
        yield from _windows_of_new(pictures, some, number, window, wholes, executor)
        if not everything and window is not WHOLE:
            yield from _windows_of_all(pictures, some, number, window, executor)


def _upright(
    pictures: Pictures,
    new: NDArray[np.int64],
    wholes: Directions,
    executor: Executor | None,
) -> Iterator[tuple[int, Candidates]]:
    values = pictures.indexed.upright
    crowds = _Crowds.of(values, pictures.rank)
    queries = _Crowds.of(values[new], pictures.rank[new])
    for first, second in _joined(queries, crowds, UPRIGHT_RADIUS, executor):
        one, other = new[first], second
        keep = one != other
        one, other = one[keep], other[keep]
        turn_one, turn_other = (pictures.indexed.turn[at, 0] for at in (one, other))
        there = turned_rows(wholes.of(other), COMPOSED[INVERSE[turn_other], turn_one])
        likeness = coarse(wholes.of(one), there)
        yield _kept(one, other, np.uint8(0), np.zeros(len(one), np.uint8), likeness)


def _crowds_of_new(
    pictures: Pictures,
    new: NDArray[np.int64],
    wholes: Directions,
    executor: Executor | None,
) -> Iterator[tuple[int, Candidates]]:
    """The known ones find what is new and now among the first of its crowd.

    ``_upright`` and ``_windows_of_new`` find the first of a crowd, for who is new; a new one that
    pushed itself in front has to be found by those that are not among the first.
    """
    for values, radius in (
        (pictures.indexed.upright, UPRIGHT_RADIUS),
        (pictures.indexed.value[:, 0], RADIUS),
    ):
        every = _Crowds.of(values, pictures.rank)
        place = np.empty(len(pictures), dtype=np.int64)
        place[every.members] = np.arange(len(pictures)) - np.repeat(
            every.begins[:-1], np.diff(every.begins)
        )
        first = new[place[new] < CROWD]
        behind = np.flatnonzero(place >= CROWD)
        behind = behind[~np.isin(behind, new)]
        if not len(first) or not len(behind):
            continue
        ours = _Crowds.of(values[behind], pictures.rank[behind])
        theirs = _Crowds.of(values[first], pictures.rank[first])
        for at, other in _joined(ours, theirs, radius, executor):
            one, two = behind[at], first[other]
            mine, yours = (pictures.indexed.turn[some, 0] for some in (one, two))
            if radius == RADIUS:
                turn = COMPOSED[yours, INVERSE[mine]]
                likeness = coarse(wholes.of(one), wholes.of(two))
            else:
                turn = np.zeros(len(one), np.uint8)
                there = turned_rows(wholes.of(two), COMPOSED[INVERSE[yours], mine])
                likeness = coarse(wholes.of(one), there)
            yield _kept(one, two, np.uint8(0), turn, likeness)


def _windows_of_new(
    pictures: Pictures,
    new: NDArray[np.int64],
    number: int,
    window: Window,
    wholes: Directions,
    executor: Executor | None,
) -> Iterator[tuple[int, Candidates]]:
    probes, rows = probes_of(pictures, new, window)
    values = _Crowds.of(pictures.indexed.value[:, 0], pictures.rank)
    queries = _Crowds.of(probes.value, np.zeros(len(probes), np.int64))
    for at, second in _joined(queries, values, RADIUS, executor):
        first = new[probes.picture[at]]
        keep = first != second
        at, first, second = at[keep], first[keep], second[keep]
        likeness = coarse(rows[at], wholes.of(second))
        turn = COMPOSED[pictures.indexed.turn[second, 0], INVERSE[probes.turn[at]]]
        yield _kept(first, second, np.uint8(number), turn, likeness)


def _windows_of_all(
    pictures: Pictures,
    new: NDArray[np.int64],
    number: int,
    window: Window,
    executor: Executor | None,
) -> Iterator[tuple[int, Candidates]]:
    probes, rows = probes_of(pictures, new, WHOLE)
    values = _Crowds.of(pictures.indexed.value[:, number], pictures.rank)
    queries = _Crowds.of(probes.value, np.zeros(len(probes), np.int64))
    windows_of_all = Directions(pictures, window, cached=False)
    for at, first in _joined(queries, values, RADIUS, executor):
        second = new[probes.picture[at]]
        keep = first != second
        at, first, second = at[keep], first[keep], second[keep]
        likeness = coarse(rows[at], windows_of_all.of(first))
        turn = COMPOSED[probes.turn[at], INVERSE[pictures.indexed.turn[first, number]]]
        yield _kept(first, second, np.uint8(number), turn, likeness)


def _kept(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    window: np.uint8,
    turn: NDArray[np.uint8],
    likeness: NDArray[np.float32],
) -> tuple[int, Candidates]:
    good = likeness >= COARSE
    count = int(good.sum())
    return len(first), Candidates(
        first[good].astype(np.int32),
        second[good].astype(np.int32),
        np.full(count, window),
        turn[good],
        likeness[good].astype(np.float32),
    )


@dataclass(frozen=True, slots=True)
class _Crowds:
    """Values, each once, with the pictures (or probes) that have it."""

    values: NDArray[np.uint64]  # rising
    members: NDArray[np.int64]  # positions, value by value, the first by rank first
    begins: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[np.uint64], rank: NDArray[np.int64]) -> _Crowds:
        order = np.lexsort((rank, values))
        once, begins = np.unique(values[order], return_index=True)
        return cls(once, order, np.append(begins, len(order)))

    def sizes(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.begins[numbers + 1] - self.begins[numbers]


def _joined(
    queries: _Crowds, values: _Crowds, radius: int, executor: Executor | None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Members of both whose values are close: as they come, in blocks of bounded size."""
    for block in pairs_between(queries.values, values.values, radius, executor):
        many = queries.sizes(block.first)
        few = np.minimum(values.sizes(block.second), CROWD)
        ends = np.cumsum(many * few)
        begin = 0
        while begin < len(ends):
            done = ends[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE)))
            part = slice(begin, end)
            yield from _expanded(
                queries, values, block.first[part], block.second[part], many[part], few[part]
            )
            begin = end


def _expanded(
    queries: _Crowds,
    values: _Crowds,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    many: NDArray[np.int64],
    few: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    if len(first) == 1 and many[0] * few[0] > _PAIRS_AT_ONCE:  # one crowd with another
        theirs = values.members[values.begins[second[0]] :][: few[0]]
        ours = queries.members[queries.begins[first[0]] :][: many[0]]
        step = _PAIRS_AT_ONCE // len(theirs)
        for at in range(0, len(ours), step):
            some = ours[at : at + step]
            yield np.repeat(some, len(theirs)), np.tile(theirs, len(some))
        return
    pairs = many * few
    number = np.repeat(np.arange(len(pairs)), pairs)
    within = np.arange(len(number)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    one = queries.members[queries.begins[first][number] + within // few[number]]
    other = values.members[values.begins[second][number] + within % few[number]]
    yield one, other


def around(pictures: Pictures, signature: NDArray[np.uint8]) -> Candidates:
    """The pictures of which one more may show a window, or that may show a window of it.

    ``signature`` is (side**2,), and its position among the candidates ``len(pictures)``. Each
    picture comes once, at its likeliest, and AROUND of them at most, the likeliest first.
    """
    asked = signature.reshape(1, -1)
    hits = [_hits_upright(pictures, asked)]
    for number, window in enumerate(WINDOWS):
        hits += _hits(pictures, windows.spectra(asked, window), 0, number)
        if window is not WHOLE:
            hits += _hits(pictures, windows.spectra(asked, WHOLE), number, number)
    at = np.unique(np.concatenate([hit.at for hit in hits]))
    if not len(at):
        return _NOTHING
    theirs = pictures.signatures(at)
    found = Candidates.joined([_of_hit(hit, at, theirs, len(pictures)) for hit in hits])
    found = found.only(np.lexsort((found.turn, found.window, -np.round(found.likeness, 3))))
    picture = np.minimum(found.first, found.second)
    _, first = np.unique(picture, return_index=True)
    return found.only(np.sort(first)[:AROUND])


@dataclass(frozen=True, slots=True)
class _Hit:
    """Pictures whose hash of one window is near to that of the one asked about.

    ``of_asked`` says whether the window is one of that one's, and the pictures are whole.
    """

    at: NDArray[np.int64]
    turn: NDArray[np.uint8]
    window: int
    of_asked: bool
    spectra: NDArray[np.float32]  # of the one asked about, (1, 8, 8), as it lies


def _hits_upright(pictures: Pictures, asked: NDArray[np.uint8]) -> _Hit:
    spectra = windows.spectra(asked, WHOLE)
    bits = np.bitwise_count(pictures.indexed.upright ^ windows.hashes(spectra)[0])
    at = np.flatnonzero(bits <= UPRIGHT_RADIUS)
    return _Hit(at, np.zeros(len(at), np.uint8), 0, True, spectra)


def _hits(
    pictures: Pictures, spectra: NDArray[np.float32], theirs: int, window: int
) -> Iterator[_Hit]:
    """By the window numbered ``theirs`` of the pictures; ``window`` is that of the one or other."""
    probes = windows.in_likely_turns(spectra)
    of_asked = theirs == 0
    for value, turn in zip(probes.value, probes.turn, strict=True):
        bits = np.bitwise_count(pictures.indexed.value[:, theirs] ^ value)
        at = np.flatnonzero(bits <= RADIUS)
        canonical = pictures.indexed.turn[at, theirs]
        ours = np.full(len(at), turn)
        whole, part = (canonical, ours) if of_asked else (ours, canonical)
        turns = COMPOSED[whole, INVERSE[part]]
        yield _Hit(at, turns, window, of_asked, spectra)


def _of_hit(
    hit: _Hit, at: NDArray[np.int64], signatures: NDArray[np.uint8], asked: int
) -> Candidates:
    """What of a hit the lowest frequencies let through; ``signatures`` are those of ``at``."""
    chosen = signatures[np.searchsorted(at, hit.at)]
    theirs = windows.spectra(chosen, WHOLE if hit.of_asked else WINDOWS[hit.window])
    ours = np.repeat(hit.spectra, len(hit.at), axis=0)
    # ``turn`` brings the whole one to lie as the one with the window
    if hit.of_asked:
        theirs = spectra_turned(theirs, hit.turn)
    else:
        ours = spectra_turned(ours, hit.turn)
    likeness = coarse(windows.directions(ours), windows.directions(theirs))
    position = np.full(len(hit.at), asked)
    first, second = (position, hit.at) if hit.of_asked else (hit.at, position)
    return _kept(first, second, np.uint8(hit.window), hit.turn, likeness)[1]
