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

from catalog.dihedral import COMPOSED, INVERSE, spectra_turned
from catalog.search import windows
from catalog.search.crowds import Crowds, among_the_first, joined
from catalog.search.pictures import Directions, Pictures, probes_of, turned_rows
from catalog.search.verify import coarse
from catalog.search.windows import WHOLE, WINDOWS

RADIUS: Final = 6  # bits, of a window in its canonical turn
UPRIGHT_RADIUS: Final = 8  # bits, of whole pictures as they lie
COARSE: Final = 0.85  # correlation of the lowest frequencies, below which a pair is nothing

AROUND: Final = 4096  # pictures that are looked at more closely round one


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
    out or not. Where more than CROWD whole pictures have one hash, only the first of them by rank
    are found, by all others. A pair may come several times, by other windows and in both
    directions.

    What comes in portions is found as if each portion had been followed by a search of all. So it
    may be more than one search finds in the end: of what came first in a crowd until others came.
    Two things differ from that. Where a canonical turn is a near thing, whoever asks tries both
    turns, but of windows that were there before only the canonical one is in the index: of 18,500
    pairs of edited copies, 20 were found all at once only, and 35 in portions only. And who moves
    up in a crowd when its first are deleted is found by what comes later, not by those that were
    there.
    """
    if len(pictures) < 2 or (new is not None and not len(new)):
        return
    every = np.arange(len(pictures))
    asking = every if new is None else new
    was_there = np.ones(len(pictures), dtype=np.bool_)
    was_there[asking] = False
    wholes = Directions(pictures, WHOLE, cached=len(asking) * 8 > len(pictures))

    first = among_the_first(pictures.indexed.upright, pictures.rank)
    entering, behind = every[first & ~was_there], every[was_there & ~first]
    yield from _upright(pictures, asking, every[first], wholes, executor)
    yield from _upright(pictures, behind, entering, wholes, executor)

    values = pictures.indexed.value[:, 0]
    first = among_the_first(values, pictures.rank)
    found = Crowds.of(values[first], every[first])
    for number in range(len(WINDOWS)):
        yield from _windows_of_new(pictures, asking, number, found, wholes, executor)
    entering, behind = every[first & ~was_there], every[was_there & ~first]
    yield from _windows_of_known(pictures, every[was_there], behind, entering, executor)


def _upright(
    pictures: Pictures,
    asking: NDArray[np.int64],
    found: NDArray[np.int64],
    wholes: Directions,
    executor: Executor | None,
) -> Iterator[tuple[int, Candidates]]:
    """Whole pictures as they lie: those ``asking`` find those ``found``."""
    if not len(asking):
        return
    values = pictures.indexed.upright
    ours, theirs = Crowds.of(values[asking], asking), Crowds.of(values[found], found)
    for one, other in joined(ours, theirs, UPRIGHT_RADIUS, executor):
        keep = one != other
        one, other = one[keep], other[keep]
        turn_one, turn_other = (pictures.indexed.turn[at, 0] for at in (one, other))
        there = turned_rows(wholes.of(other), COMPOSED[INVERSE[turn_other], turn_one])
        likeness = coarse(wholes.of(one), there)
        yield _kept(one, other, np.uint8(0), np.zeros(len(one), np.uint8), likeness)


def _windows_of_new(
    pictures: Pictures,
    new: NDArray[np.int64],
    number: int,
    found: Crowds,
    wholes: Directions,
    executor: Executor | None,
) -> Iterator[tuple[int, Candidates]]:
    """One window of each new picture finds whole ones."""
    probes, rows = probes_of(pictures, new, WINDOWS[number])
    queries = Crowds.of(probes.value, np.arange(len(probes)))
    for at, second in joined(queries, found, RADIUS, executor):
        first = new[probes.picture[at]]
        keep = first != second
        at, first, second = at[keep], first[keep], second[keep]
        likeness = coarse(rows[at], wholes.of(second))
        turn = COMPOSED[pictures.indexed.turn[second, 0], INVERSE[probes.turn[at]]]
        yield _kept(first, second, np.uint8(number), turn, likeness)


def _windows_of_known(
    pictures: Pictures,
    known: NDArray[np.int64],
    behind: NDArray[np.int64],
    entering: NDArray[np.int64],
    executor: Executor | None,
) -> Iterator[tuple[int, Candidates]]:
    """The windows of those that were there find new whole ones, by what is known of the windows.

    ``entering`` are the new ones that are to be found. They find whole ones themselves, all but
    those ``behind`` the first of a crowd.
    """
    if not len(entering) or not len(known):
        return
    probes, rows = probes_of(pictures, entering, WHOLE)
    queries = Crowds.of(probes.value, np.arange(len(probes)))
    for number, window in enumerate(WINDOWS):
        asking = behind if window is WHOLE else known
        directions = Directions(pictures, window, cached=False)
        values = Crowds.of(pictures.indexed.value[asking, number], asking)
        for at, first in joined(queries, values, RADIUS, executor):
            second = entering[probes.picture[at]]
            likeness = coarse(rows[at], directions.of(first))
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
