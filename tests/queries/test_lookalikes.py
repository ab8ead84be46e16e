"""What looks like one picture: identical bytes, then the same picture, then what is similar."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from catalog.model import Kind, Likeness, Match, Rule
from catalog.queries.criteria import Criteria
from catalog.queries.similar import similar
from catalog.store.database import open_for_reading, open_for_writing
from tests.imaging.edits import cropped, saved
from tests.matching.albums import (
    COPIES,
    Album,
    album,
    inline,
    next_shot,
    original,
    photo,
    stamped,
    standing_in,
)
from tests.support import members

__all__ = ["album", "inline"]

SAME = Criteria(grade=Kind.SAME)


def look(album: Album, name: str, *paths: str, **options: Any) -> Likeness:
    with open_for_reading(album.catalog) as database:
        asked = [album.path(path) for path in paths]
        return similar(database, album.path(name), asked, **options)


def told(album: Album, answer: Likeness) -> dict[str, Match]:
    return {album.name(match.photo.path): match for match in answer.matches}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Album]:
    """A scene with its copies, a second shot of it, and another picture. For questions only."""
    with pytest.MonkeyPatch.context() as patch:
        made = Album(tmp_path_factory.mktemp("shelf"), standing_in(patch))
        scene = next_shot(photo(1), 0)
        made.put("a.jpg", saved(scene, quality=93))
        made.put("copies/a again.jpg", saved(scene, quality=93))
        made.put("copies/half.jpg", COPIES["half"](scene))
        made.put("copies/toned.jpg", COPIES["toned"](scene))
        made.put("copies/turned.jpg", COPIES["turned"](scene))
        made.put("copies/left off.jpg", saved(cropped(scene, (0.1, 1, 0, 1)), quality=88))
        made.put("next.jpg", saved(next_shot(photo(1), 11), quality=90))
        made.put("other.jpg", original(2))
        made.put("../elsewhere.jpg", saved(scene, quality=70))
        made.put("../unlike.jpg", original(5))
        made.index()
        yield made


COPIES_OF_A = {f"copies/{name}.jpg" for name in ("half", "toned", "turned", "left off")}


def test_identical_ones_come_first_then_the_same_then_the_similar(shelf: Album) -> None:
    answer = look(shelf, "a.jpg")
    found = told(shelf, answer)
    assert set(found) == COPIES_OF_A | {"copies/a again.jpg", "next.jpg"}
    kinds = [match.kind for match in answer.matches]
    order = [Kind.IDENTICAL, Kind.SAME, Kind.SIMILAR]
    assert kinds == sorted(kinds, key=order.index)
    assert {name for name, match in found.items() if match.kind is Kind.SAME} == COPIES_OF_A
    same = [match.score for match in answer.matches if match.kind is Kind.SAME]
    assert same == sorted(same, reverse=True)


def test_only_the_same_where_that_is_asked(shelf: Album) -> None:
    found = told(shelf, look(shelf, "a.jpg", criteria=SAME))
    assert set(found) == COPIES_OF_A | {"copies/a again.jpg"}


def test_the_picture_itself_is_not_among_them(shelf: Album) -> None:
    assert "a.jpg" not in told(shelf, look(shelf, "a.jpg"))
    assert "a.jpg" in told(shelf, look(shelf, "copies/a again.jpg"))


def test_a_picture_from_elsewhere_finds_the_same(shelf: Album) -> None:
    found = told(shelf, look(shelf, "../elsewhere.jpg"))
    assert set(found) == COPIES_OF_A | {"a.jpg", "copies/a again.jpg", "next.jpg"}
    assert {found[name].kind for name in ("a.jpg", "copies/a again.jpg")} == {Kind.SAME}
    assert told(shelf, look(shelf, "../unlike.jpg")) == {}


def test_how_a_match_lies_is_told_from_the_side_of_the_one_asked_about(shelf: Album) -> None:
    for name in ("a.jpg", "../elsewhere.jpg"):
        found = told(shelf, look(shelf, name))
        assert found["copies/turned.jpg"].orientation == 6
        assert [side.name for side in found["copies/left off.jpg"].lost] == ["left"]
    turned = told(shelf, look(shelf, "copies/turned.jpg"))
    assert turned["a.jpg"].orientation == 8
    cut = told(shelf, look(shelf, "copies/left off.jpg"))
    assert [side.name for side in cut["a.jpg"].more] == ["left"]
    assert cut["a.jpg"].lost == ()


def test_it_agrees_with_dupes(shelf: Album) -> None:
    """What stands in the group of a kept photo is what looks like it."""
    answer = shelf.ask()
    (group,) = answer.groups
    keep = shelf.name(group.keep.path)
    found = told(shelf, look(shelf, keep, criteria=SAME))
    assert set(found) == {shelf.name(each.path) for each in members(group)} - {keep}
    for match in group.matches:
        other = found[shelf.name(match.photo.path)]
        assert (other.kind, other.orientation, other.rule) == (
            match.kind,
            match.orientation,
            match.rule,
        )
        assert other.score == pytest.approx(match.score, abs=1e-3)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 100])
def test_a_limit_takes_the_best(shelf: Album, limit: int) -> None:
    every = [match.photo.path for match in look(shelf, "a.jpg", limit=None).matches]
    some = [match.photo.path for match in look(shelf, "a.jpg", limit=limit).matches]
    assert some == every[:limit]


def test_only_what_lies_below_the_paths(shelf: Album) -> None:
    assert set(told(shelf, look(shelf, "a.jpg", "copies"))) == COPIES_OF_A | {"copies/a again.jpg"}
    assert set(told(shelf, look(shelf, "a.jpg", "next.jpg"))) == {"next.jpg"}
    shelf.reader.forget()
    assert told(shelf, look(shelf, "../elsewhere.jpg", "other.jpg")) == {}
    assert not shelf.reader.requests, "what is not asked about is not compared"


def test_what_was_decided_before_is_not_compared_again(album: Album) -> None:
    album.add(1, "toned", "cropped")
    album.index()
    album.settle()
    album.reader.forget()
    found = told(album, look(album, "1-original.jpg"))
    assert {match.rule for match in found.values()} == {Rule.PIXELS_AGREE}
    assert not album.reader.requests


def test_it_needs_no_search_before_and_remembers_nothing(album: Album) -> None:
    album.add(1, "toned")
    album.index()
    assert set(told(album, look(album, "1-toned.jpg"))) == {"1-original.jpg"}
    assert len(album.reader.requests) == 1
    assert album.rows("SELECT * FROM searched") == album.rows("SELECT * FROM match") == []


def test_what_cannot_be_read_is_similar_and_says_why(album: Album) -> None:
    album.add(1, "toned")
    album.index()
    os.unlink(album.path("1-toned.jpg"))
    answer = look(album, "1-original.jpg")
    (match,) = answer.matches
    assert (match.kind, match.rule) == (Kind.SIMILAR, Rule.NOT_COMPARED)
    assert look(album, "1-original.jpg", criteria=SAME).matches == ()


def test_of_a_flat_picture_only_its_bytes_are_looked_for(album: Album) -> None:
    from PIL import Image

    white = saved(Image.new("RGB", (400, 300), "white"))
    for name, data in (("a.jpg", white), ("b.jpg", white)):
        album.put(name, data)
    album.put("black.jpg", saved(Image.new("RGB", (400, 300), "black")))
    album.index()
    answer = look(album, "a.jpg")
    assert answer.flat
    assert {name: match.kind for name, match in told(album, answer).items()} == {
        "b.jpg": Kind.IDENTICAL
    }


def test_in_an_empty_catalog_there_is_nothing(album: Album) -> None:
    album.index()
    album.put("../elsewhere.jpg", original(1))
    assert look(album, "../elsewhere.jpg").matches == ()


@pytest.mark.parametrize("at_once", [2])
def test_how_many_are_settled_together_changes_nothing(
    shelf: Album, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    every = {name: match.rule for name, match in told(shelf, look(shelf, "a.jpg")).items()}
    monkeypatch.setattr("catalog.queries.lookalikes._AT_ONCE", at_once)
    answer = look(shelf, "a.jpg")
    assert {name: match.rule for name, match in told(shelf, answer).items()} == every
    kinds = [match.kind for match in answer.matches]
    assert kinds.index(Kind.SIMILAR) == len(kinds) - 1


@pytest.mark.parametrize("at_once", [1, 3, 32])
def test_the_same_and_the_similar_are_each_in_order_of_their_scores(
    album: Album, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """However they are mixed before they are settled, and how many of them are together."""
    scene = next_shot(photo(1), 0)
    album.put("a.jpg", saved(scene, quality=93))
    for name in ("half", "cropped", "stamped", "barred"):
        album.put(f"{name}.jpg", COPIES[name](scene))
    for by in (3, 8, 14, 40):
        album.put(f"later by {by}.jpg", saved(next_shot(photo(1), by), quality=90))
    album.index()
    monkeypatch.setattr("catalog.queries.lookalikes._AT_ONCE", at_once)
    found = look(album, "a.jpg").matches
    scores = {
        kind: [match.score for match in found if match.kind is kind]
        for kind in (Kind.SAME, Kind.SIMILAR)
    }
    assert scores[Kind.SAME] == sorted(scores[Kind.SAME], reverse=True)
    assert scores[Kind.SIMILAR] == sorted(scores[Kind.SIMILAR], reverse=True)
    assert max(scores[Kind.SIMILAR]) > min(scores[Kind.SAME])
    assert [match.kind for match in found] == [Kind.SAME] * 4 + [Kind.SIMILAR] * 4


def test_which_of_two_is_stamped_is_told_however_it_is_remembered(album: Album) -> None:
    """The same row the other way round says the same."""
    album.put("clean.jpg", saved(photo(1), quality=90))
    album.put("dated.jpg", saved(stamped(photo(1)), quality=90))
    album.index()
    album.ask()
    swap = (
        "UPDATE match SET first = second, second = first, rule = CASE rule "
        "WHEN 'stamp-on-first' THEN 'stamp-on-second' ELSE 'stamp-on-first' END"
    )
    rules = set()
    for _ in range(2):
        rules.update(rule for (rule,) in album.rows("SELECT rule FROM match"))
        for name, other, rule in (
            ("clean.jpg", "dated.jpg", Rule.STAMP_ON_SECOND),
            ("dated.jpg", "clean.jpg", Rule.STAMP_ON_FIRST),
        ):
            assert told(album, look(album, name))[other].rule is rule
        with open_for_writing(album.catalog) as database, database.writing() as writer:
            writer.run(swap)
    assert rules == {"stamp-on-first", "stamp-on-second"}, "both were remembered"
