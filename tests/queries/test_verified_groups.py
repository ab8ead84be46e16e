"""Groups round the kept photo: every member is a copy of it, and says how it relates."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from catalog.errors import UsageError
from catalog.keeping import DEFAULT, parse
from catalog.model import Duplicates, Kind, Match, Rule
from catalog.queries.criteria import Criteria
from catalog.queries.selection import EVERYTHING, Selection, selection_of
from catalog.store.database import open_for_writing
from tests.imaging.edits import cropped, saved
from tests.matching.albums import (
    COPIES,
    Album,
    album,
    barred,
    inline,
    next_shot,
    original,
    photo,
    shot,
    stamped,
    standing_in,
)
from tests.orders import orders
from tests.support import HOUR, FakeMounts, members

__all__ = ["album", "inline"]

SAME = Criteria(grade=Kind.SAME)
SIMILAR = Criteria(grade=Kind.SIMILAR)
EXACT = Criteria(radius=None, grade=Kind.IDENTICAL)

TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # what a viewer does that is told this EXIF orientation


def as_shown(image: Image.Image, orientation: int) -> Image.Image:
    method = TURNS[orientation]
    return image if method is None else image.transpose(method)


def matches_of(album: Album, answer: Duplicates) -> dict[str, Match]:
    """Of all groups, by the name of the member."""
    return {
        album.name(match.photo.path): match for group in answer.groups for match in group.matches
    }


def sets(album: Album, answer: Duplicates) -> set[frozenset[str]]:
    return {frozenset(group) for group in album.told(answer)}


# -- grades ------------------------------------------------------------------------------------


@pytest.fixture
def mixed(album: Album) -> Album:
    """A photo, a file of its bytes, copies, and the shots before and after it."""
    now = next_shot(photo(1), 0)
    album.put("now.jpg", saved(now, quality=93))
    album.put("again/now.jpg", saved(now, quality=93), age=0)
    album.put("small.jpg", saved(now.resize((200, 150)), quality=85))
    album.put("toned.jpg", COPIES["toned"](now))
    album.put("next.jpg", saved(next_shot(photo(1), 10), quality=90))
    album.put("other.jpg", original(2))
    album.index()
    return album


def test_a_photo_carries_its_own_grade_towards_the_kept_one(mixed: Album) -> None:
    answer = mixed.ask()
    (group,) = answer.groups
    assert mixed.name(group.keep.path) == "now.jpg"
    found = matches_of(mixed, answer)
    assert {name: match.kind for name, match in found.items()} == {
        "again/now.jpg": Kind.IDENTICAL,
        "small.jpg": Kind.SAME,
        "toned.jpg": Kind.SAME,
    }
    assert mixed.told(answer)[0][1] == "again/now.jpg", "identical ones come first"
    assert group.kind is Kind.SAME
    assert group.score == min(match.score for match in group.matches)
    assert all(0.97 <= match.score <= 1 for match in group.matches)
    assert found["again/now.jpg"].rule is Rule.IDENTICAL_BYTES
    assert found["toned.jpg"].rule is Rule.PIXELS_AGREE


def test_the_next_shot_is_similar_and_shown_only_where_that_is_asked(mixed: Album) -> None:
    answer = mixed.ask(criteria=SIMILAR)
    (group,) = answer.groups
    found = matches_of(mixed, answer)
    assert found["next.jpg"].kind is Kind.SIMILAR
    assert found["next.jpg"].rule is Rule.PARTS_DIFFER
    assert group.kind is Kind.SIMILAR
    assert mixed.told(answer)[0][-1] == "next.jpg", "the weakest comes last"
    assert {name for name, match in found.items() if match.kind is not Kind.SIMILAR} == set(
        matches_of(mixed, mixed.ask())
    )


# -- stamps ------------------------------------------------------------------------------------


@pytest.fixture
def marked(album: Album) -> Album:
    """A photo, a copy of it with a date, saved in more bytes, and two small copies."""
    album.put("clean.jpg", saved(photo(1), quality=85))
    album.put("dated.jpg", saved(stamped(photo(1)), quality=97))
    album.put("small.jpg", saved(photo(1).resize((240, 180)), quality=85))
    album.put("dark.jpg", COPIES["toned"](photo(1).resize((320, 240))))
    album.index()
    return album


def test_of_a_photo_and_its_stamped_copy_the_photo_is_kept(marked: Album) -> None:
    clean, dated = (os.path.getsize(marked.path(name)) for name in ("clean.jpg", "dated.jpg"))
    assert clean < dated, "less compressed would be the other"
    for _ in range(2):  # found out, and remembered
        answer = marked.ask()
        (group,) = answer.groups
        assert marked.name(group.keep.path) == "clean.jpg"
        assert group.keep_reason == "no stamp"
        assert not group.keep.stamped
        found = matches_of(marked, answer)
        assert found["dated.jpg"].rule is Rule.STAMP_ON_SECOND
        assert {name for name, match in found.items() if match.photo.stamped} == {"dated.jpg"}
        assert set(found) == {"dated.jpg", "small.jpg", "dark.jpg"}


def test_more_pixels_count_more_than_a_stamp(album: Album) -> None:
    album.put("large, dated.jpg", saved(stamped(photo(1)), quality=90))
    album.put("small, clean.jpg", saved(photo(1).resize((320, 240)), quality=90))
    album.index()
    answer = album.ask()
    (group,) = answer.groups
    assert album.name(group.keep.path) == "large, dated.jpg"
    assert group.keep_reason == "more pixels"
    (match,) = group.matches
    assert match.rule is Rule.STAMP_ON_FIRST
    assert not match.photo.stamped
    (group,) = album.ask(keep=parse("stamp")).groups
    assert album.name(group.keep.path) == "small, clean.jpg"
    assert group.keep_reason == "no stamp"


def test_what_one_has_is_kept_though_it_is_stamped(album: Album) -> None:
    album.put("have/dated.jpg", saved(stamped(photo(1)), quality=90))
    album.put("card/clean.jpg", saved(photo(1), quality=90))
    album.index()
    (group,) = album.ask("card", against=["have"]).groups
    assert album.name(group.keep.path) == "have/dated.jpg"


def test_all_that_is_stamped_is_kept_in_order(album: Album) -> None:
    """Where a copy without it is nowhere, a stamp changes nothing."""
    album.put("dated.jpg", saved(stamped(photo(1)), quality=97))
    album.put("again.jpg", saved(stamped(photo(1)), quality=80))
    album.index()
    (group,) = album.ask().groups
    assert album.name(group.keep.path) == "dated.jpg"
    assert group.keep_reason == "less compressed"


def test_rules_before_that_of_stamps_count_more_than_a_stamp(marked: Album) -> None:
    """And those after it less."""
    for number, name in enumerate(("clean.jpg", "dated.jpg", "small.jpg", "dark.jpg")):
        os.utime(marked.path(name), (1_600_000_000 + number,) * 2)
    marked.index()
    for text, kept, why in (
        ("stamp,bytes", "clean.jpg", "larger file"),  # than the best of the others
        ("bytes", "dated.jpg", "larger file"),
        ("newest", "dark.jpg", "newer"),
        ("oldest", "clean.jpg", "older"),
        ("path", "dark.jpg", "shorter path"),
        (f"folder:{marked.top},bytes", "dated.jpg", "larger file"),
    ):
        (group,) = marked.ask(keep=parse(text)).groups
        assert (marked.name(group.keep.path), group.keep_reason) == (kept, why), text


def test_a_stamp_decides_where_what_is_before_it_does_not(album: Album) -> None:
    """Stamped ones of the better folder come first, of those of one folder the clean one."""
    album.put("better/dated.jpg", saved(stamped(photo(1)), quality=97))
    album.put("worse/clean.jpg", saved(photo(1), quality=85))
    album.index()
    rules = parse(f"folder:{album.top}/better")
    (group,) = album.ask(keep=rules).groups
    assert album.name(group.keep.path) == "better/dated.jpg"
    assert group.keep_reason == f"in {album.top}/better"
    (match,) = group.matches
    assert match.rule is Rule.STAMP_ON_FIRST
    album.put("better/clean.jpg", saved(photo(1), quality=85))
    album.index()
    (group,) = album.ask(keep=rules).groups
    assert album.name(group.keep.path) == "better/clean.jpg"
    assert group.keep_reason == "no stamp"  # against the best of the others, which is in there too


# -- rules -------------------------------------------------------------------------------------


def test_all_members_are_compared_with_the_one_that_the_rules_keep(mixed: Album) -> None:
    """Not with the one that would have been kept without them."""
    assert mixed.name(mixed.ask().groups[0].keep.path) == "now.jpg"
    os.utime(mixed.path("small.jpg"), (4_000_000_000,) * 2)
    mixed.index()
    (group,) = mixed.ask(keep=parse("newest"), criteria=SIMILAR).groups
    assert (mixed.name(group.keep.path), group.keep_reason) == ("small.jpg", "newer")
    assert len(group.matches) == 4
    edges = {
        frozenset((pair.first.path, pair.second.path)): pair.score
        for pair in mixed.ask(criteria=SIMILAR, pairs=True).pairs or ()
    }
    for match in group.matches:
        assert match.score == edges[frozenset((group.keep.path, match.photo.path))]


def test_a_protected_photo_is_kept_before_all_others(mixed: Album) -> None:
    rules = parse(None, [bytes(mixed.top / "again")])
    (group,) = mixed.ask(keep=rules).groups
    assert (mixed.name(group.keep.path), group.keep_reason) == ("again/now.jpg", "protected")
    (group,) = mixed.ask(keep=rules, criteria=EXACT).groups
    assert (mixed.name(group.keep.path), group.keep_reason) == ("again/now.jpg", "protected")
    (group,) = mixed.ask(keep=parse("path", [bytes(mixed.top / "aga")])).groups
    assert mixed.name(group.keep.path) == "now.jpg"


def test_what_one_has_is_kept_before_what_is_protected(two_places: Album) -> None:
    """As it is what the others are compared with."""
    rules = parse("resolution", [bytes(two_places.top / "card")])
    for group in two_places.ask("card", against=["have"], keep=rules).groups:
        assert two_places.name(group.keep.path).startswith("have/")
        assert group.keep_reason == "you have it already"
        assert all(rules.protects(match.photo.path) for match in group.matches)
    group = two_places.group_of("card/1 again.jpg", two_places.ask(keep=rules))
    assert two_places.name(group.keep.path) == "card/1 again.jpg"
    assert group.keep_reason == "protected"


def test_of_several_that_one_has_the_rules_keep_one(two_places: Album) -> None:
    os.utime(two_places.path("have/2.jpg"), (1_600_000_000,) * 2)
    os.utime(two_places.path("have/2 small.jpg"), (1_600_000_001,) * 2)
    two_places.index()
    for text, kept in (("resolution", "have/2.jpg"), ("newest", "have/2 small.jpg")):
        answer = two_places.ask("card", against=["have"], keep=parse(text))
        group = two_places.group_of("card/2 large.jpg", answer)
        assert two_places.name(group.keep.path) == kept


def test_exact_asks_no_one(mixed: Album) -> None:
    answer = mixed.ask(criteria=EXACT)
    assert mixed.told(answer) == [["now.jpg", "again/now.jpg"]]
    assert not mixed.reader.requests
    assert mixed.rows("SELECT * FROM searched") == []


def test_a_group_of_equal_files_needs_no_file_to_be_read(album: Album) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        album.put(name, original(1))
    album.index()
    answer = album.ask()
    assert album.told(answer) == [["a.jpg", "b.jpg", "c.jpg"]]
    assert not album.reader.requests


def test_shots_that_exif_tells_apart_are_similar(album: Album) -> None:
    """Though a tripod, and a still scene, make them equal."""
    for second in (1, 2):
        album.put(f"{second}.jpg", shot(photo(1), f"2021:07:04 12:00:0{second}"))
    album.put("copy of 1.jpg", shot(photo(1).resize((200, 150)), "2021:07:04 12:00:01"))
    album.index()
    assert sets(album, album.ask()) == {frozenset(["1.jpg", "copy of 1.jpg"])}
    (group,) = album.ask(criteria=SIMILAR).groups
    assert {match.rule for match in group.matches} >= {Rule.TAKEN_APART}


def test_pairs_have_grade_and_score_the_identical_ones_first(mixed: Album) -> None:
    answer = mixed.ask(pairs=True)
    assert answer.pairs is not None
    pairs = list(answer.pairs)
    told = [
        (frozenset(mixed.name(each.path) for each in (pair.first, pair.second)), pair.kind)
        for pair in pairs
    ]
    four = ("now.jpg", "again/now.jpg", "small.jpg", "toned.jpg")
    expected = {frozenset((one, other)) for one in four for other in four if one != other}
    assert {pair for pair, _ in told} == expected
    assert len(told) == 6
    assert told[0] == (frozenset(four[:2]), Kind.IDENTICAL)
    assert {kind for _, kind in told[1:]} == {Kind.SAME}
    assert all(pair.score is not None and pair.score >= 0.97 for pair in pairs)
    listed = mixed.ask(pairs=True, criteria=SIMILAR).pairs
    assert listed is not None
    listed = list(listed)
    assert len(listed) > 6
    kinds = [pair.kind for pair in listed]
    assert kinds == sorted(kinds, key=list(Kind).index)
    scores = [pair.score for pair in listed if pair.kind is Kind.SIMILAR]
    assert scores == sorted(scores, key=lambda score: -(score or 0))


def test_a_group_needs_a_comparison_with_the_kept_photo_only(album: Album) -> None:
    """Not of its members with each other: that is what makes many copies cheap."""
    album.add(1, "toned", "stamped", "cropped", "barred")
    album.index()
    assert len(album.ask().groups) == 1
    assert len(album.reader.requests) == 4
    keep = album.path("1-original.jpg")
    assert all(keep in (one.first[0], one.second[0]) for one in album.reader.requests)


# -- how a copy lies ---------------------------------------------------------------------------


def test_the_orientation_turns_a_member_onto_the_kept_one_in_all_eight_turns(album: Album) -> None:
    """Applied to the member's pixels, it gives those of the kept one."""
    album.put("kept.jpg", original(1))
    for turn in range(1, 9):
        album.put(f"{turn}.jpg", saved(as_shown(photo(1), turn), quality=80))
    album.index()
    answer = album.ask()
    (group,) = answer.groups
    assert album.name(group.keep.path) == "kept.jpg"
    assert len(group.matches) == 8
    kept = np.asarray(photo(1).convert("L"), dtype=int)
    seen = set()
    for match in group.matches:
        seen.add(match.orientation)
        with Image.open(os.fsdecode(match.photo.path)) as image:
            upright = np.asarray(as_shown(image, match.orientation).convert("L"), dtype=int)
        assert upright.shape == kept.shape
        assert np.abs(upright - kept).mean() < 4, album.name(match.photo.path)
    assert seen == set(range(1, 9))


def test_what_exif_turns_already_lies_as_the_kept_one(album: Album) -> None:
    album.put("kept.jpg", original(1))
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = photo(1).transpose(Image.Transpose.ROTATE_90)
    album.put("tagged.jpg", saved(stored, quality=80, exif=exif))
    album.index()
    (match,) = matches_of(album, album.ask()).values()
    assert (match.orientation, match.photo.orientation) == (1, 6)


def test_a_turned_photo_that_is_kept_has_its_copies_turned_the_other_way(album: Album) -> None:
    large = photo(1).resize((800, 600)).transpose(Image.Transpose.ROTATE_90)
    album.put("kept.jpg", saved(large, quality=93))
    album.put("copy.jpg", original(1))
    album.index()
    (match,) = matches_of(album, album.ask()).values()
    assert match.orientation == 8
    upright = np.asarray(as_shown(photo(1), match.orientation).resize((600, 800)).convert("L"), int)
    assert np.abs(upright - np.asarray(large.convert("L"), int)).mean() < 6


# -- what a copy lost --------------------------------------------------------------------------

CUTS = {
    "left": (0.1, 1, 0, 1),
    "right": (0, 0.9, 0, 1),
    "top": (0, 1, 0.1, 1),
    "bottom": (0, 1, 0, 0.9),
}


@pytest.mark.parametrize("side", CUTS)
def test_a_crop_says_which_side_it_lost(album: Album, side: str) -> None:
    album.put("kept.jpg", original(1))
    album.put("crop.jpg", saved(cropped(photo(1), CUTS[side]), quality=88))
    album.index()
    (match,) = matches_of(album, album.ask()).values()
    assert [lost.name for lost in match.lost] == [side]
    assert match.lost[0].part == pytest.approx(0.1, abs=0.01)
    assert match.more == ()


@pytest.mark.parametrize("side", CUTS)
def test_where_the_crop_is_kept_the_other_has_more_at_that_side(album: Album, side: str) -> None:
    """It was enlarged, so it has more pixels."""
    crop = cropped(photo(1), CUTS[side])
    large = crop.resize((2 * crop.width, 2 * crop.height), Image.Resampling.LANCZOS)
    album.put("crop.jpg", saved(large, quality=93))
    album.put("whole.jpg", original(1))
    album.index()
    answer = album.ask()
    assert album.told(answer) == [["crop.jpg", "whole.jpg"]]
    (match,) = matches_of(album, answer).values()
    assert [more.name for more in match.more] == [side]
    assert match.more[0].part == pytest.approx(0.1, abs=0.01)
    assert match.lost == ()


def test_what_a_turned_crop_lost_is_told_as_the_kept_one_lies(album: Album) -> None:
    album.put("kept.jpg", original(1))
    crop = cropped(photo(1), CUTS["left"]).transpose(Image.Transpose.ROTATE_90)
    album.put("crop.jpg", saved(crop, quality=88))
    album.index()
    (match,) = matches_of(album, album.ask()).values()
    assert [lost.name for lost in match.lost] == ["left"]
    assert match.orientation == 6


def test_a_whole_copy_lost_nothing(mixed: Album) -> None:
    for match in matches_of(mixed, mixed.ask()).values():
        assert (match.lost, match.more) == ((), ())


@pytest.mark.parametrize("grey", [0, 255])
@pytest.mark.parametrize("share", [0.08, 0.1])
def test_of_a_picture_and_its_copy_with_bars_the_one_without_is_kept(
    album: Album, share: float, grey: int
) -> None:
    """Though the other has more pixels, and more bytes."""
    album.put("plain.jpg", COPIES["encoded"](photo(1)))
    album.put("barred.jpg", saved(barred(photo(1), share, grey), quality=93))
    album.index()
    answer = album.ask()
    assert album.told(answer) == [["plain.jpg", "barred.jpg"]]
    (group,) = answer.groups
    assert group.keep == min(members(group), key=DEFAULT.rank_key)
    assert group.keep_reason == "more pixels"
    (match,) = matches_of(album, answer).values()
    assert [more.name for more in match.more] == ["left", "right"]
    assert match.lost == ()


# -- which are asked about ---------------------------------------------------------------------


@pytest.fixture
def two_places(album: Album) -> Album:
    """What one has (``have``), and what came from a camera card (``card``)."""
    album.put("have/1.jpg", original(1))
    album.put("have/2.jpg", original(2))
    album.put("have/2 small.jpg", COPIES["half"](photo(2)))
    album.put("have/4.jpg", original(4))
    album.put("card/1 again.jpg", original(1))
    large = photo(2).resize((800, 600))
    album.put("card/2 large.jpg", saved(large, quality=93))
    album.put("card/3.jpg", original(3))
    album.put("card/3 toned.jpg", COPIES["toned"](photo(3)))
    album.index()
    return album


def test_against_keeps_what_one_has_and_shows_only_what_the_path_has_of_it(
    two_places: Album,
) -> None:
    answer = two_places.ask("card", against=["have"])
    assert sets(two_places, answer) == {
        frozenset(["have/1.jpg", "card/1 again.jpg"]),
        frozenset(["have/2.jpg", "card/2 large.jpg"]),
    }
    for group in answer.groups:
        assert two_places.name(group.keep.path).startswith("have/")
    found = matches_of(two_places, answer)
    assert found["card/1 again.jpg"].kind is Kind.IDENTICAL
    assert found["card/2 large.jpg"].kind is Kind.SAME
    assert answer.photos == 4
    assert answer.reclaimable == sum(match.photo.stamp.size for match in found.values())


def test_without_against_the_larger_would_be_kept(two_places: Album) -> None:
    (group,) = (
        group
        for group in two_places.told(two_places.ask())
        if {"have/2.jpg", "card/2 large.jpg"} <= set(group)
    )
    assert group[0] == "card/2 large.jpg"


def test_against_everything_else_where_no_path_is_given(two_places: Album) -> None:
    answer = two_places.ask(against=["have"])
    assert sets(two_places, answer) == sets(two_places, two_places.ask("card", against=["have"]))


def test_a_photo_that_lies_in_both_is_one_that_one_has(two_places: Album) -> None:
    answer = two_places.ask("card", "have/4.jpg", "have/2 small.jpg", against=["have"])
    assert sets(two_places, answer) == sets(two_places, two_places.ask("card", against=["have"]))
    every = two_places.ask("card", "have", against=["card", "have"])
    assert sets(two_places, every) == set(), "there is nothing on the other side"


def test_against_several_folders(two_places: Album) -> None:
    two_places.put("more/3.jpg", COPIES["half"](photo(3)))
    two_places.index()
    answer = two_places.ask("card", against=["have", "more"])
    assert frozenset(["more/3.jpg", "card/3.jpg", "card/3 toned.jpg"]) in sets(two_places, answer)
    assert len(answer.groups) == 3


def test_a_crop_that_one_has_is_kept_against_the_whole(album: Album) -> None:
    album.put("have/crop.jpg", COPIES["one-sided"](photo(1)))
    album.put("card/whole.jpg", original(1))
    album.index()
    answer = album.ask("card", against=["have"])
    assert album.told(answer) == [["have/crop.jpg", "card/whole.jpg"]]
    (match,) = matches_of(album, answer).values()
    assert [more.name for more in match.more] == ["left"]


def test_pairs_against_are_across_the_border_too(two_places: Album) -> None:
    pairs = two_places.ask("card", against=["have"], pairs=True).pairs
    assert pairs is not None
    ends = [{two_places.name(each.path) for each in (pair.first, pair.second)} for pair in pairs]
    assert len(ends) == 3
    for pair in ends:
        assert {os.path.dirname(name) for name in pair} == {"have", "card"}


def test_a_folder_that_the_catalog_does_not_follow_is_an_error(two_places: Album) -> None:
    with pytest.raises(UsageError, match="is not in the catalog"):
        two_places.ask("card", against=["nowhere"])
    with pytest.raises(UsageError, match="choose one"):
        two_places.ask("card", against=["have"], selection=selection_of(across=True))


def test_across_compares_only_photos_of_different_roots(two_places: Album, tmp_path: Path) -> None:
    two_places.catalog = bytes(tmp_path / "roots.db")
    two_places.index("have", "card")
    answer = two_places.ask(selection=selection_of(across=True))
    told = sets(two_places, answer)
    assert frozenset(["have/1.jpg", "card/1 again.jpg"]) in told
    assert {"card/2 large.jpg", "have/2.jpg", "have/2 small.jpg"} in told
    assert len(told) == 2
    assert not any("card/3.jpg" in group for group in told), "both are in one root"


def test_across_one_root_there_is_nothing(two_places: Album) -> None:
    assert two_places.told(two_places.ask(selection=selection_of(across=True))) == []


def test_files_below_the_smallest_size_are_as_if_they_were_not_there(two_places: Album) -> None:
    size = os.path.getsize(two_places.path("have/1.jpg"))
    answer = two_places.ask(selection=selection_of(min_size=size))
    assert frozenset(["have/1.jpg", "card/1 again.jpg"]) in sets(two_places, answer)
    for group in answer.groups:
        assert all(member.stamp.size >= size for member in members(group))
    assert two_places.told(two_places.ask(selection=selection_of(min_size="1GB"))) == []
    assert two_places.told(two_places.ask(selection=selection_of(min_size="9" * 40))) == []


def dated(album: Album, name: str, mtime: int, ctime: int) -> None:
    with open_for_writing(album.catalog) as database, database.writing() as writer:
        writer.run(
            "UPDATE photo SET mtime_ns = ?, ctime_ns = ? WHERE name = ?",
            (mtime, ctime, os.fsencode(name)),
        )


@pytest.mark.parametrize("late", ["mtime", "ctime"])
def test_since_wants_one_photo_that_came_or_changed(two_places: Album, late: str) -> None:
    """A photo of 2010 that was copied here today came today."""
    now = time.time_ns()
    for name in ("1.jpg", "1 again.jpg", "2.jpg", "2 small.jpg", "2 large.jpg", "3.jpg"):
        dated(two_places, name, now - 100 * HOUR, now - 100 * HOUR)
    dated(two_places, "3 toned.jpg", now - 100 * HOUR, now - 100 * HOUR)
    new, old = now - HOUR, now - 90 * HOUR
    dated(two_places, "2 small.jpg", *((new, old) if late == "mtime" else (old, new)))
    answer = two_places.ask(selection=selection_of(since="2h"))
    assert sets(two_places, answer) == {
        frozenset(["have/2.jpg", "have/2 small.jpg", "card/2 large.jpg"])
    }
    assert len(two_places.ask(selection=selection_of(since="101h")).groups) == 3
    assert two_places.told(two_places.ask(selection=selection_of(since="1min"))) == []
    pairs = two_places.ask(selection=selection_of(since="2h"), pairs=True).pairs
    assert pairs is not None
    listed = [{two_places.name(each.path) for each in (one.first, one.second)} for one in pairs]
    assert len(listed) == 2
    assert all("have/2 small.jpg" in pair for pair in listed)


def test_only_what_lies_below_the_paths_is_compared_and_settled(two_places: Album) -> None:
    answer = two_places.ask("card")
    assert sets(two_places, answer) == {frozenset(["card/3.jpg", "card/3 toned.jpg"])}
    paths = {path for request in two_places.reader.requests for path, _ in (request.first,)}
    paths |= {request.second[0] for request in two_places.reader.requests}
    assert all(os.path.basename(path).startswith(b"3") for path in paths)
    single = two_places.ask("card/3.jpg", "card/3 toned.jpg")
    assert len(single.groups) == 1


def test_what_is_offline_is_neither_kept_nor_shown(
    two_places: Album, mounts: FakeMounts, tmp_path: Path
) -> None:
    two_places.catalog = bytes(tmp_path / "usb.db")
    mounts.names[two_places.path("card")] = "uuid:card"
    two_places.index("have")
    two_places.index("card")
    assert len(two_places.ask().groups) == 3
    os.rename(two_places.path("card"), two_places.path("../away"))
    os.mkdir(two_places.path("card"))
    answer = two_places.ask()
    assert sets(two_places, answer) == {frozenset(["have/2.jpg", "have/2 small.jpg"])}
    assert [path for path, _ in answer.offline] == [two_places.path("card")]
    against = two_places.ask("card", against=["have"])
    assert two_places.told(against) == []
    assert [path for path, _ in against.offline] == [two_places.path("card")]


def test_of_an_empty_catalog_the_answer_is_empty(album: Album) -> None:
    album.index()
    for options in ({}, {"pairs": True}, {"criteria": SIMILAR}, {"criteria": EXACT}):
        answer = album.ask(**options)
        assert (answer.groups, answer.photos, answer.reclaimable) == ((), 0, 0)


def test_hard_links_are_no_group_of_their_own(album: Album) -> None:
    album.put("a.jpg", original(1))
    os.link(album.path("a.jpg"), album.path("b.jpg"))
    album.index()
    assert album.told(album.ask()) == []
    album.put("toned.jpg", COPIES["toned"](photo(1)))
    album.index()
    answer = album.ask()
    assert sets(album, answer) == {frozenset(["a.jpg", "b.jpg", "toned.jpg"])}
    assert matches_of(album, answer)["b.jpg"].same_file


# -- deterministic -----------------------------------------------------------------------------


def summary(album: Album, answer: Duplicates) -> list[Any]:
    return [
        (
            album.name(group.keep.path),
            group.keep_reason,
            sorted((album.name(m.photo.path), m.kind, m.orientation) for m in group.matches),
        )
        for group in answer.groups
    ]


def test_the_order_in_which_photos_were_indexed_changes_no_group(
    album: Album, tmp_path: Path
) -> None:
    """Nor does the order in which they were asked about."""
    for seed in (1, 2):
        for name in ("half", "toned", "cropped", "turned"):
            album.put(f"{name}/{seed}.jpg", COPIES[name](photo(seed)))
        album.put(f"original/{seed}.jpg", original(seed))
    folders = ["half", "toned", "cropped", "turned", "original"]
    told = []
    for number, order in enumerate((folders, folders[::-1])):
        album.catalog = bytes(tmp_path / f"{number}.db")
        for folder in order:
            album.index(folder)
            if number:
                album.ask(criteria=SIMILAR)
        told.append(summary(album, album.ask()))
    assert told[0] == told[1]
    assert len(told[0]) == 2


# -- nothing else is in a group ----------------------------------------------------------------

EDITS = ("encoded", "half", "toned", "stamped", "cropped", "turned")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Album]:
    """Three scenes, two shots of each a second apart, and copies of every shot; asked only."""
    with pytest.MonkeyPatch.context() as patch:
        made = Album(tmp_path_factory.mktemp("library"), standing_in(patch))
        for seed in (1, 2, 3):
            for number, by in enumerate((0, 11)):
                scene = next_shot(photo(seed), by)
                made.put(f"{seed}{number}-original.jpg", saved(scene, quality=93))
                for name in EDITS[number::2]:
                    made.put(f"{seed}{number}-{name}.jpg", COPIES[name](scene))
        made.index()
        yield made


FILES = [
    f"{seed}{number}-{name}.jpg"
    for seed in (1, 2, 3)
    for number in (0, 1)
    for name in ("original", *EDITS[number::2])
]


@settings(max_examples=12, deadline=None)
@given(chosen=st.sets(st.sampled_from(FILES), min_size=1))
def test_no_two_different_pictures_are_in_one_group_whatever_is_there(
    library: Album, chosen: set[str]
) -> None:
    """The oracle is what the pictures were made of: names begin with their shot."""
    answer = library.ask(*sorted(chosen))
    shots: dict[str, set[str]] = {}
    for name in chosen:
        shots.setdefault(name[:2], set()).add(name)
    expected = {frozenset(names) for names in shots.values() if len(names) > 1}
    assert sets(library, answer) == expected
    assert {group.kind for group in answer.groups} <= {Kind.SAME}


@settings(max_examples=5, deadline=None)
@given(chosen=st.sets(st.sampled_from(FILES), min_size=1))
def test_what_is_similar_is_of_one_scene_and_each_matches_the_kept_one(
    library: Album, chosen: set[str]
) -> None:
    answer = library.ask(*sorted(chosen), criteria=SIMILAR, pairs=True)
    assert answer.pairs is not None
    pairs = {
        frozenset(library.name(each.path) for each in (pair.first, pair.second)): pair
        for pair in answer.pairs
    }
    for pair in pairs:
        assert len({name[0] for name in pair}) == 1
    for group in answer.groups:
        keep = library.name(group.keep.path)
        for match in group.matches:
            pair = pairs[frozenset([keep, library.name(match.photo.path)])]
            assert (pair.kind, pair.score) == (match.kind, match.score)
    grouped = [name for names in library.told(answer) for name in names]
    assert len(grouped) == len(set(grouped)), "each photo stands in one group"
    assert set(grouped) <= chosen


@settings(max_examples=15, deadline=None)
@given(chosen=st.sets(st.sampled_from(FILES), min_size=6), data=st.data())
def test_whatever_the_rules_the_best_by_them_is_kept_of_the_same_pictures(
    library: Album, chosen: set[str], data: st.DataObject
) -> None:
    top = bytes(library.top)
    rules = data.draw(orders([top, top + b"/none", b"/"]))
    answer = library.ask(*sorted(chosen), keep=rules)
    assert sets(library, answer) == sets(library, library.ask(*sorted(chosen)))
    for group in answer.groups:
        assert group.keep == min(members(group), key=rules.rank_key)
        others = [match.photo for match in group.matches]
        assert group.keep_reason == rules.reason(group.keep, others)


def test_a_selection_of_everything_is_everything(library: Album) -> None:
    assert Selection() == EVERYTHING
    assert sets(library, library.ask(selection=EVERYTHING)) == sets(library, library.ask())
