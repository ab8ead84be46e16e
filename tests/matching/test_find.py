"""Copies are found by their signatures, whatever came first; different pictures are not."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.dihedral import TURNS, turned
from catalog.matching import find as finding
from catalog.matching import known
from catalog.matching.weigh import PERHAPS_SAME, SIMILAR
from catalog.model import Rule
from catalog.search import crowds
from catalog.search.frames import shown
from catalog.store.database import Database, open_for_writing
from catalog.store.matches import Matches, code_of
from tests.matching.shelves import COPIES, CROPS, Name, Related, Shelf, edited
from tests.search.pictures import natural, signature

SEEDS = range(1, 4)
EVERY: list[Name] = [(seed, name) for seed in SEEDS for name in ("original", *COPIES)]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Three pictures, and all that people do to copies; for questions only."""
    with open_for_writing(bytes(tmp_path_factory.mktemp("full") / "catalog.db")) as opened:
        shelf = Shelf(opened)
        shelf.put(EVERY)
        yield shelf


@pytest.fixture(scope="module")
def found(full: Shelf) -> Matches:
    return full.find()


def equal(one: Matches, other: Matches) -> bool:
    return all(
        np.array_equal(getattr(one, each.name), getattr(other, each.name)) for each in fields(one)
    )


def close(one: Related, other: Related) -> bool:
    """The same pairs, decided alike; which is the window of the other may move a score a little."""
    return one.keys() == other.keys() and all(
        one[pair][0] == other[pair][0] and abs(one[pair][1] - other[pair][1]) < 5e-3 for pair in one
    )


def test_every_copy_is_found_and_may_be_the_same_picture(full: Shelf, found: Matches) -> None:
    pairs = full.related(found)
    for seed, name in itertools.product(SEEDS, COPIES):
        pair = frozenset([(seed, "original"), (seed, name)])
        assert pair in pairs, (seed, name)
        rule, score = pairs[pair]
        assert score >= PERHAPS_SAME, (seed, name)
        assert rule in (Rule.UNDECIDED, Rule.SIGNATURES_AGREE)


def test_different_pictures_are_not(full: Shelf, found: Matches) -> None:
    for pair in full.related(found):
        (one, _), (other, _) = pair
        assert one == other, pair


def test_what_agrees_to_the_last_grey_value_needs_no_file(full: Shelf, found: Matches) -> None:
    pairs = full.related(found)
    for seed in SEEDS:
        for name in (*(f"turn {turn}" for turn in TURNS if turn),):
            rule, score = pairs[frozenset([(seed, "original"), (seed, name)])]
            assert (rule, round(score, 5)) == (Rule.SIGNATURES_AGREE, 1)
        for name in (*CROPS, "bars", "one bar", "stamped"):
            rule, _ = pairs[frozenset([(seed, "original"), (seed, name)])]
            assert rule == Rule.UNDECIDED, "what was cut off or put on is for the files to tell"


@pytest.mark.parametrize("name", CROPS)
def test_where_a_crop_was_cut_is_told_to_a_hundredth(
    full: Shelf, found: Matches, name: str
) -> None:
    for seed in SEEDS:
        whole, part = full.ids[seed, "original"], full.ids[seed, name]
        (at,) = np.flatnonzero((found.first == whole) & (found.second == part))
        assert found.edges[at] == pytest.approx(CROPS[name], abs=0.01)
        assert found.turn[at] == 0


@pytest.mark.parametrize("turn", TURNS)
def test_the_turn_brings_the_second_to_lie_as_the_first(
    full: Shelf, found: Matches, turn: int
) -> None:
    name = f"turn {turn}" if turn else "encoded"
    for seed in SEEDS:
        pair = {full.ids[seed, "original"], full.ids[seed, name]}
        (at,) = (
            number
            for number, ends in enumerate(zip(found.first, found.second, strict=True))
            if set(ends) == pair
        )
        names = {content: name for name, content in full.ids.items()}
        one, other = (
            edited(*names[int(side[at])]).astype(int) for side in (found.first, found.second)
        )
        assert np.abs(one - turned(other, int(found.turn[at]))).max() <= 1


def test_a_negative_is_not_a_match(shelf: Shelf) -> None:
    shelf.put([(seed, name) for seed in SEEDS for name in ("original", "negative")])
    assert len(shelf.find()) == 0


def test_what_carries_no_evidence_is_not_compared(shelf: Shelf) -> None:
    shelf.put([(1, "original")])
    shelf.put([(1, "encoded")], flat=True)
    assert len(shelf.find()) == 0
    with shelf.database.snapshot():
        assert known.load(shelf.database).ids.tolist() == [shelf.ids[1, "original"]]


def test_nothing_among_nothing_and_alone(shelf: Shelf) -> None:
    assert len(shelf.find()) == 0
    shelf.put([(1, "original")])
    assert len(shelf.find()) == 0
    assert len(shelf.find([])) == 0


def test_each_step_leaves_fewer(full: Shelf) -> None:
    found, stages = full.find_counting()
    assert stages.searched == stages.contents == len(EVERY)
    assert stages.by_hash >= stages.by_frequencies >= stages.refined >= stages.alike
    assert stages.alike == len(found) > 0
    assert stages.undecided == (found.rule == code_of(Rule.UNDECIDED)).sum() > 0
    assert stages.compared == 0


# -- whatever the order ------------------------------------------------------------------------


def test_the_number_of_threads_changes_nothing(full: Shelf, found: Matches) -> None:
    for threads in (1, 3):
        with ThreadPoolExecutor(threads) as executor:
            assert equal(full.find(executor=executor), found)


def test_how_much_is_held_at_once_changes_nothing(
    full: Shelf, found: Matches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_HELD", 7)
    monkeypatch.setattr("catalog.matching.weigh._REFINED_AT_ONCE", 11)
    monkeypatch.setattr("catalog.matching.weigh._BATCHES_AHEAD", 2)
    assert equal(full.find(), found)


def test_signatures_that_are_read_when_they_are_wanted_say_the_same(
    full: Shelf, found: Matches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "_MANY", 2.0)
    assert equal(full.find(), found)


def shelf_of(place: Any, names: list[Name]) -> Related:
    with open_for_writing(bytes(place)) as opened:
        made = Shelf(opened)
        made.put(names)
        return made.related(made.find())


def test_the_order_of_rows_changes_nothing(full: Shelf, found: Matches, tmp_path: Any) -> None:
    plain = full.related(found)
    dice = np.random.default_rng(1)
    for number in range(2):
        names = [EVERY[at] for at in dice.permutation(len(EVERY))]
        assert close(shelf_of(tmp_path / f"{number}.db", names), plain)


FEW = [
    (seed, name) for seed in (1, 2) for name in ("original", "toned", "crop 5", "turn 6", "bars")
]


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_what_comes_in_portions_is_found_as_all_at_once(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The oracle is one search of everything."""
    names = data.draw(st.permutations(FEW))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(FEW) - 1), max_size=4)))
    place = tmp_path_factory.mktemp("portions")
    with open_for_writing(bytes(place / "catalog.db")) as opened:
        made = Shelf(opened)
        gathered: Related = {}
        for begin, end in itertools.pairwise([0, *cuts, len(names)]):
            made.put(names[begin:end])
            more = made.related(made.find(names[begin:end]))
            assert not gathered.keys() & more.keys(), "what was searched is not searched again"
            gathered |= more
        assert close(gathered, made.related(made.find()))


CROWDED: list[Name] = [
    *((1, f"turn {turn}") for turn in TURNS if turn),
    *((1, name) for name in ("original", "encoded", "bars", "left off")),
]


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_all_that_one_search_finds_is_found_in_portions_where_few_of_a_crowd_are(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whichever has the most pixels, and comes first in its crowd; what was first may be more."""
    names = data.draw(st.permutations(CROWDED))
    widths = data.draw(st.permutations(range(400, 400 + len(names))))
    cut = data.draw(st.integers(1, len(names) - 1))
    place = tmp_path_factory.mktemp("crowds")
    with (
        pytest.MonkeyPatch.context() as patch,
        open_for_writing(bytes(place / "catalog.db")) as opened,
    ):
        patch.setattr(crowds, "CROWD", 2)
        made = Shelf(opened)
        gathered: Related = {}
        for some in (slice(0, cut), slice(cut, None)):
            for name, width in zip(names[some], widths[some], strict=True):
                made.put([name], width=width)
            gathered |= made.related(made.find(names[some]))
        every = made.related(made.find())
        assert len(every) < len(names) * (len(names) - 1) / 2
        assert close({pair: gathered[pair] for pair in every}, every)


# -- many that look alike ----------------------------------------------------------------------


def pages(count: int) -> dict[Name, np.ndarray]:
    """Look-alikes, each like each, some more than others."""
    dice = np.random.default_rng(7)
    base = signature(natural(3)).astype(int)
    wave = np.add.outer(np.arange(32), np.arange(32)) / 6
    return {
        (number, ""): (base + dice.normal(0, 14) * np.sin(wave + dice.random() * 6))
        .clip(0, 255)
        .astype(np.uint8)
        for number in range(count)
    }


def test_of_many_look_alikes_the_closest_of_each_are_kept(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.put_signatures(pages(24))
    monkeypatch.setattr(finding, "_CLOSEST", 10**6)
    every = shelf.related(shelf.find())
    assert len(every) > 200
    monkeypatch.setattr(finding, "_CLOSEST", 3)
    kept = shelf.related(shelf.find())
    expected = set()
    for name in shelf.ids:
        own = sorted((pair for pair in every if name in pair), key=lambda pair: -every[pair][1])
        expected |= set(own[:3])
    assert kept.keys() == expected
    assert len(kept) < len(every) / 3


def test_so_many_matches_of_one_are_remembered_as_the_closest_of_others_or_its_own(
    shelf: Shelf,
) -> None:
    shelf.put_signatures(pages(60))
    found = shelf.find()
    ends = Counter([*found.first.tolist(), *found.second.tolist()])
    assert finding._CLOSEST == 32
    assert max(ends.values()) >= 32
    assert 60 * 16 < len(found) <= 60 * 32
    assert (np.diff(found.score) <= 0).all(), "the best come first"


def test_scores_are_those_of_look_alikes(full: Shelf, found: Matches) -> None:
    assert (found.score >= SIMILAR).all()
    assert (found.first != found.second).all()


# -- circumstances -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "rule"),
    [
        ({"frames": 2}, Rule.SEVERAL_FRAMES),
        ({"taken_at": "2021-07-04T12:00:01"}, Rule.TAKEN_APART),
        ({"taken_at": "2021-07-04T12:00:00"}, Rule.SIGNATURES_AGREE),
        ({"taken_at": "2021-07-04T12:00:00+99:99"}, Rule.SIGNATURES_AGREE),
    ],
    ids=str,
)
def test_circumstances_forbid_what_signatures_say(
    shelf: Shelf, fact: dict[str, Any], rule: Rule
) -> None:
    shelf.put([(1, "original")], taken_at="2021-07-04T12:00:00")
    shelf.put([(1, "turn 1")], **fact)
    ((found, _),) = shelf.related(shelf.find()).values()
    assert found == rule


def test_frames_are_seen_in_the_signatures_that_find_bars(database: Database) -> None:
    """The two agree about what a bar is: a barred copy is found, and shows less."""
    for seed in SEEDS:
        (barred, plain) = shown(
            np.stack([edited(seed, name).ravel() for name in ("bars", "original")])
        )
        assert barred < 0.9 < plain == 1
