"""One picture beside all others gives what a search of everything gives, were it among them."""

from __future__ import annotations

import numpy as np
import pytest

from catalog.dihedral import INVERSE
from catalog.matching import known
from catalog.matching.beside import ASKED, beside
from catalog.matching.circumstances import of_picture
from catalog.model import Rule
from catalog.store.database import open_for_writing
from catalog.store.matches import RULES, Matches
from tests.matching.shelves import Name, Shelf, asked
from tests.search.pictures import natural, signature

EDITS = ("original", "crop 10", "left off", "bars", "turn 5", "turn 6", "toned", "stamped")
EVERY: list[Name] = [(seed, name) for seed in (1, 2, 3) for name in EDITS]


def beside_all(shelf: Shelf, name: Name, **other: object) -> Matches:
    with shelf.database.snapshot():
        every = known.load(shelf.database, searched=1)
        picture = asked(name, **other)
        return beside(shelf.database, every, picture.signature, of_picture(picture))


def told(
    found: Matches, own: int, names: dict[int, Name]
) -> dict[Name, tuple[Rule, float, int, tuple[float, ...]]]:
    """What each other is to ``own``: rule, score, the turn that brings it there, and edges."""
    answer = {}
    for at in range(len(found)):
        first, second = int(found.first[at]), int(found.second[at])
        assert own in (first, second)
        turn = int(found.turn[at])
        answer[names[second if first == own else first]] = (
            RULES[found.rule[at]],
            float(found.score[at]),
            turn if first == own else int(INVERSE[turn]),
            tuple(found.edges[at].tolist()),
        )
    return answer


@pytest.mark.parametrize("name", [(1, name) for name in EDITS], ids=str)
def test_a_picture_from_elsewhere_agrees_with_what_the_catalog_would_say(
    shelf: Shelf, tmp_path, name: Name
) -> None:
    shelf.put([each for each in EVERY if each != name])
    alone = told(beside_all(shelf, name), ASKED, {v: k for k, v in shelf.ids.items()})
    with open_for_writing(bytes(tmp_path / "with it.db")) as opened:
        with_it = Shelf(opened)
        with_it.put(EVERY)
        own = with_it.ids[name]
        every = with_it.find()
        of_it = every.only((every.first == own) | (every.second == own))
        expected = told(of_it, own, {v: k for k, v in with_it.ids.items()})
    assert alone.keys() == expected.keys()
    assert name == (1, "original") or (1, "original") in alone
    for other, (rule, score, turn, _) in alone.items():
        assert rule is expected[other][0], other
        assert score == pytest.approx(expected[other][1], abs=5e-3)
        assert turn == expected[other][2], other


def test_the_best_come_first_and_each_once(shelf: Shelf) -> None:
    shelf.put(EVERY)
    found = beside_all(shelf, (1, "encoded"))
    assert (np.diff(found.score) <= 0).all()
    others = np.maximum(found.first, found.second)
    assert len(np.unique(others)) == len(others) > 0
    assert (np.minimum(found.first, found.second) == ASKED).all()


def test_a_content_of_the_very_bytes_is_among_them(shelf: Shelf) -> None:
    shelf.put(EVERY)
    found = told(beside_all(shelf, (1, "original")), ASKED, {v: k for k, v in shelf.ids.items()})
    rule, score, turn, edges = found[1, "original"]
    assert (rule, round(score, 5), turn) == (Rule.SIGNATURES_AGREE, 1, 0)
    assert edges == pytest.approx((0, 1, 0, 1), abs=1e-3)


def test_what_is_unlike_everything_has_nothing_beside_it(shelf: Shelf) -> None:
    shelf.put(EVERY)
    assert len(beside_all(shelf, (9, "original"))) == 0
    assert len(beside_all(shelf, (1, "negative"))) == 0


def test_beside_nothing_there_is_nothing(shelf: Shelf) -> None:
    assert len(beside_all(shelf, (1, "original"))) == 0


@pytest.mark.parametrize(
    ("fact", "rule"),
    [
        ({"frames": 3}, Rule.SEVERAL_FRAMES),
        ({"taken_at": "2021-07-04T12:00:03"}, Rule.TAKEN_APART),
        ({"taken_at": "2021-07-04T12:00:00"}, Rule.SIGNATURES_AGREE),
    ],
    ids=str,
)
def test_circumstances_of_the_asked_one_count(
    shelf: Shelf, fact: dict[str, object], rule: Rule
) -> None:
    shelf.put([(1, "original")], taken_at="2021-07-04T12:00:00")
    found = beside_all(shelf, (1, "turn 1"), **fact)
    assert [RULES[code] for code in found.rule] == [rule]


def test_nothing_is_stored(shelf: Shelf) -> None:
    shelf.put(EVERY)
    before = shelf.database.rows("SELECT count(*) FROM content")
    beside_all(shelf, (1, "toned"))
    assert shelf.database.rows("SELECT count(*) FROM content") == before
    assert shelf.database.rows("SELECT * FROM match") == []
    assert shelf.database.rows("SELECT * FROM searched") == []


def test_signatures_are_those_of_the_asked_one(shelf: Shelf) -> None:
    """A window of it may be what another shows, and the other way round."""
    shelf.put([(1, "original")])
    crop = beside_all(shelf, (1, "left off"))
    assert (crop.first.tolist(), crop.second.tolist()) == ([shelf.ids[1, "original"]], [ASKED])
    assert crop.edges[0] == pytest.approx((0.1, 1, 0, 1), abs=0.01)
    bars = beside_all(shelf, (1, "bars"))
    assert (bars.first.tolist(), bars.second.tolist()) == ([ASKED], [shelf.ids[1, "original"]])
    assert bars.edges[0] == pytest.approx((1 / 21, 20 / 21, 0, 1), abs=0.01)
    assert signature(natural(1)).shape == (32, 32)
