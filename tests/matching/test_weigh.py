"""What two signatures decide alone, and what they leave to the files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import numpy as np
import pytest

from catalog.dihedral import INVERSE, TURNS, turned
from catalog.matching import weigh
from catalog.matching.circumstances import Facts
from catalog.matching.weigh import PERHAPS_SAME, SIMILAR, agree, looks_alike, refined, ruled
from catalog.model import Rule
from catalog.search.probing import Candidates
from catalog.search.verify import Alignments
from catalog.store.matches import RULES
from tests.matching.shelves import edited
from tests.search.pictures import natural, signature

# Of two pictures that agree as far as these numbers go; one a row.
AGREED = {
    "score": 1.0,
    "gain": 1.0,
    "contrast": 40.0,
    "residual": 0.2,
    "worst": 1.0,
}


def alignments(*rows: dict[str, float]) -> Alignments:
    count = len(rows)
    columns = {
        name: np.array([{**AGREED, **row}[name] for row in rows], dtype=np.float32)
        for name in AGREED
    }
    edges = np.tile(np.array([0, 1, 0, 1], dtype=np.float32), (count, 1))
    return Alignments(edges=edges, **columns)


def pairs(*ends: tuple[int, int]) -> Candidates:
    first, second = np.array(ends, dtype=np.int32).reshape(-1, 2).T
    nothing = np.zeros(len(ends), dtype=np.uint8)
    return Candidates(first, second, nothing, nothing, np.ones(len(ends), dtype=np.float32))


@pytest.mark.parametrize(
    ("row", "alike"),
    [
        ({"score": 1.0}, True),
        ({"score": SIMILAR + 0.001}, True),
        ({"score": SIMILAR - 0.001}, False),
        ({"score": 1.0, "gain": -1.0}, False),  # a negative
        ({"score": 1.0, "gain": 0.0}, False),
        ({"score": 0.95, "gain": 3.0}, True),
        ({"score": np.nan}, False),
    ],
    ids=str,
)
def test_what_looks_alike(row: dict[str, float], alike: bool) -> None:
    assert looks_alike(alignments(row)).tolist() == [alike]


def agreeing(row: dict[str, float], first: np.ndarray, second: np.ndarray) -> bool:
    both = np.stack([first.ravel(), second.ravel()])
    (found,) = agree(lambda at: both[at], pairs((0, 1)), alignments(row)).tolist()
    return bool(found)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("worst", 2.49, 2.51),
        ("residual", 0.39, 0.41),
        ("contrast", 16.1, 15.9),
        ("gain", 1.029, 1.031),
        ("gain", 0.971, 0.969),
    ],
)
def test_signatures_agree_up_to_each_limit(name: str, good: float, bad: float) -> None:
    plain = signature(natural(1))
    assert agreeing({name: good}, plain, plain)
    assert not agreeing({name: bad}, plain, plain)


def with_ground(share: float) -> np.ndarray:
    """A natural signature, so much of which is of one grey."""
    pixels = signature(natural(1)).copy().ravel()
    order = np.argsort(np.abs(pixels.astype(int) - 250))
    pixels[order[: round(share * pixels.size)]] = 250
    return pixels


def test_signatures_prove_nothing_where_one_grey_prevails() -> None:
    """Icons on white of two colours may have one grey; whichever of the two is such."""
    plain = signature(natural(1)).ravel()
    for share, proven in ((0.12, True), (0.3, False), (0.9, False)):
        icon = with_ground(share)
        assert agreeing({}, icon, plain) is proven
        assert agreeing({}, plain, icon) is proven


def test_a_grey_prevails_also_if_it_is_not_quite_one() -> None:
    """As JPEG leaves the ground of an icon."""
    plain, icon = signature(natural(1)).ravel(), with_ground(0.3)
    ground = np.flatnonzero(icon == 250)
    icon[ground[::2]] = 246
    levels, counts = np.unique(icon >> 2, return_counts=True)
    assert counts.max() < 0.2 * icon.size
    assert {246 >> 2, 250 >> 2} <= set(levels.tolist())
    assert not agreeing({}, icon, plain)


@pytest.mark.parametrize("name", ["toned", "encoded"])
@pytest.mark.parametrize("turn", TURNS)
def test_which_of_two_whole_pictures_comes_first_depends_on_what_they_show(
    turn: int, name: str
) -> None:
    """Not on their order, nor on how they lie; else the score would be another, too."""
    copy = edited(1, name)
    every = np.stack([edited(1, "original").ravel(), turned(copy, turn).ravel(), copy.ravel()])
    plain, fit = refined(lambda at: every[at], pairs((0, 2)))
    first_is_plain = int(plain.first[0]) == 0
    for ends, back in (((0, 1), INVERSE[turn]), ((1, 0), turn)):
        likely = replace(pairs(ends), turn=np.array([back], dtype=np.uint8))
        likely, aligned = refined(lambda at: every[at], likely)
        assert (int(likely.first[0]) == 0) is first_is_plain
        assert sorted([int(likely.first[0]), int(likely.second[0])]) == [0, 1]
        squares = [every[int(side[0])].reshape(32, 32) for side in (likely.first, likely.second)]
        brought = turned(squares[1], int(likely.turn[0]))
        assert np.corrcoef(squares[0].ravel(), brought.ravel())[0, 1] > 0.98
        if first_is_plain:  # then the copy is turned back, and all is as it was
            assert aligned.score[0] == pytest.approx(fit.score[0], abs=1e-6)


def test_a_copy_agrees_and_another_picture_does_not() -> None:
    every = np.stack([edited(*name).ravel() for name in NAMES])
    likely = pairs(*((0, other) for other in range(1, len(NAMES))))
    likely, aligned = refined(lambda at: every[at], likely)
    found = dict(zip(NAMES[1:], agree(lambda at: every[at], likely, aligned), strict=True))
    assert found == {
        (1, "original"): True,
        (1, "stamped"): False,
        (1, "brighter"): False,
        (1, "crop 5"): False,
        (2, "original"): False,
    }


NAMES = [
    (1, "original"),
    (1, "original"),
    (1, "stamped"),
    (1, "brighter"),
    (1, "crop 5"),
    (2, "original"),
]


def test_refining_on_threads_and_in_batches_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    every = np.stack([edited(*name).ravel() for name in NAMES])
    likely = pairs(*((one, other) for one in range(6) for other in range(6)))
    _, plain = refined(lambda at: every[at], likely)
    monkeypatch.setattr(weigh, "_REFINED_AT_ONCE", 5)
    monkeypatch.setattr(weigh, "_BATCHES_AHEAD", 2)
    with ThreadPoolExecutor(3) as executor:
        for found in (
            refined(lambda at: every[at], likely)[1],
            refined(lambda at: every[at], likely, executor)[1],
        ):
            for field in fields(plain):
                one, other = getattr(plain, field.name), getattr(found, field.name)
                assert one == pytest.approx(other, abs=1e-5, nan_ok=True)


def test_of_nothing_comes_nothing() -> None:
    every = np.empty((0, 1024), dtype=np.uint8)
    assert len(refined(lambda at: every[at], pairs())[1]) == 0


# -- what is ruled -----------------------------------------------------------------------------

PLAIN = Facts(None, 1, raw=False)
ANIMATED = replace(PLAIN, frames=2)


def rule(score: float, *, equal: bool = False, facts: dict[int, Facts] | None = None) -> Rule:
    ends = np.array([4]), np.array([9])
    known = {4: PLAIN, 9: PLAIN} if facts is None else facts
    (code,) = ruled(known, ends, np.array([score], dtype=np.float32), np.array([equal]))
    return RULES[code]


def test_the_score_decides_first() -> None:
    assert rule(PERHAPS_SAME - 0.001) is Rule.LOOKS_ALIKE
    assert rule(PERHAPS_SAME + 0.001) is Rule.UNDECIDED
    assert rule(PERHAPS_SAME - 0.001, facts={4: ANIMATED, 9: PLAIN}) is Rule.LOOKS_ALIKE


def test_then_circumstances_and_then_whether_they_agree() -> None:
    assert rule(1.0, equal=True) is Rule.SIGNATURES_AGREE
    assert rule(1.0) is Rule.UNDECIDED
    assert rule(1.0, equal=True, facts={4: PLAIN, 9: ANIMATED}) is Rule.SEVERAL_FRAMES


def test_of_contents_that_went_nothing_is_known() -> None:
    assert rule(1.0, facts={4: ANIMATED}) is Rule.UNDECIDED
    assert rule(1.0, facts={}) is Rule.UNDECIDED
