"""Why two pictures are one or not: what explain says is what dupes does, and what it would do."""

from __future__ import annotations

import io
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import imagehash
import pytest
from PIL import Image, ImageOps

from catalog.errors import CatalogError, UsageError
from catalog.model import Explanation, HashKind, Kind, Rule, Setting
from catalog.queries.criteria import LOOKS_ALIKE, ONE_PICTURE, Criteria
from catalog.queries.explain import draw, explain
from catalog.rendering.explanation import change
from catalog.store.database import open_for_reading
from tests.imaging.edits import cropped, saved
from tests.matching.albums import (
    COPIES,
    Album,
    album,
    inline,
    next_shot,
    original,
    photo,
    shot,
    standing_in,
)

__all__ = ["album", "inline"]

EXACT = Criteria(radius=None, grade=Kind.IDENTICAL)
HASHES = Criteria()
CUT = (0.08, 1.0, 0.0, 0.95)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Album]:
    """One of each sort. For questions only."""
    with pytest.MonkeyPatch.context() as patch:
        made = Album(tmp_path_factory.mktemp("shelf"), standing_in(patch))
        scene = next_shot(photo(1), 0)
        made.put("a.jpg", saved(scene, quality=93))
        made.put("again.jpg", saved(scene, quality=93))
        made.put("half.jpg", COPIES["half"](scene))
        made.put("toned.jpg", COPIES["toned"](scene))
        made.put("stamped.jpg", COPIES["stamped"](scene))
        made.put("cut.jpg", saved(cropped(scene, CUT), quality=90))
        made.put("turned.jpg", COPIES["turned"](scene))
        made.put("turned cut.jpg", COPIES["turned"](cropped(scene, CUT)))
        made.put("next.jpg", saved(next_shot(photo(1), 11), quality=90))
        made.put("negative.jpg", saved(ImageOps.invert(scene), quality=90))
        made.put("other.jpg", original(2))
        made.put("white.jpg", saved(Image.new("RGB", (400, 300), "white")))
        frames = [scene.resize((200, 150)), photo(3).resize((200, 150))]
        made.put("moving.gif", saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
        for second in (1, 2):
            made.put(f"at {second}.jpg", shot(photo(4), f"2021:07:04 12:00:0{second}", 90 + second))
        made.index()
        yield made


ASKED: dict[tuple[bytes, str, str, Criteria | None], Explanation] = {}  # each question once


def ask(album: Album, one: str, other: str, criteria: Criteria | None = None) -> Explanation:
    key = album.catalog, one, other, criteria
    if key not in ASKED:
        with open_for_reading(album.catalog) as database:
            ASKED[key] = explain(database, album.path(one), album.path(other), criteria)
    return ASKED[key]


def paired(album: Album, one: str, other: str, criteria: Criteria) -> bool:
    """Whether dupes, asked for pairs, lists the two."""
    answer = album.ask(one, other, criteria=criteria, pairs=True)
    assert answer.pairs is not None
    return bool(list(answer.pairs))


PAIRS: dict[tuple[str, str], Rule] = {
    ("a.jpg", "a.jpg"): Rule.ONE_PATH,
    ("a.jpg", "again.jpg"): Rule.IDENTICAL_BYTES,
    ("a.jpg", "half.jpg"): Rule.SIGNATURES_AGREE,
    ("a.jpg", "turned.jpg"): Rule.SIGNATURES_AGREE,
    ("a.jpg", "toned.jpg"): Rule.PIXELS_AGREE,
    ("a.jpg", "cut.jpg"): Rule.PIXELS_AGREE,
    ("a.jpg", "stamped.jpg"): Rule.STAMP_ON_SECOND,
    ("a.jpg", "next.jpg"): Rule.PARTS_DIFFER,
    ("a.jpg", "other.jpg"): Rule.NOTHING_ALIKE,
    ("a.jpg", "negative.jpg"): Rule.NOTHING_ALIKE,
    ("a.jpg", "white.jpg"): Rule.FLAT,
    ("a.jpg", "moving.gif"): Rule.SEVERAL_FRAMES,
    ("at 1.jpg", "at 2.jpg"): Rule.TAKEN_APART,
}
each_pair = pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)


@each_pair
def test_the_rule_is_told_in_both_orders(shelf: Album, pair: tuple[str, str]) -> None:
    assert ask(shelf, *pair).decided_by is PAIRS[pair]
    assert ask(shelf, *pair[::-1]).decided_by is PAIRS[pair].flipped


def test_which_of_the_two_is_stamped_is_told(shelf: Album) -> None:
    for pair, on_first in ((("a.jpg", "stamped.jpg"), False), (("stamped.jpg", "a.jpg"), True)):
        found = ask(shelf, *pair).comparison
        assert found is not None
        assert found.on_first is on_first


@each_pair
def test_it_says_what_dupes_does(shelf: Album, pair: tuple[str, str]) -> None:
    for criteria in (ONE_PICTURE, LOOKS_ALIKE):
        assert ask(shelf, *pair, criteria).matched == paired(shelf, *pair, criteria), criteria


def as_criteria(setting: Setting) -> Criteria:
    return Criteria(setting.hash, setting.radius, setting.flat, setting.grade)


@each_pair
def test_what_would_change_the_outcome_changes_it(shelf: Album, pair: tuple[str, str]) -> None:
    for criteria in (ONE_PICTURE, EXACT, HASHES):
        answer = ask(shelf, *pair, criteria)
        for setting in answer.would_change:
            other = as_criteria(setting)
            assert ask(shelf, *pair, other).matched is not answer.matched, setting
            assert paired(shelf, *pair, other) is not answer.matched, setting


@pytest.mark.parametrize(
    ("pair", "criteria", "wanted"),
    [
        (("a.jpg", "next.jpg"), ONE_PICTURE, [Kind.SIMILAR, Kind.HASH]),
        (("a.jpg", "next.jpg"), LOOKS_ALIKE, [Kind.SAME, Kind.IDENTICAL]),
        (("at 1.jpg", "at 2.jpg"), ONE_PICTURE, [Kind.SIMILAR, Kind.HASH]),
        (("a.jpg", "other.jpg"), ONE_PICTURE, [Kind.HASH]),
        (("a.jpg", "toned.jpg"), ONE_PICTURE, [Kind.IDENTICAL]),
        (("a.jpg", "again.jpg"), ONE_PICTURE, []),
    ],
    ids=str,
)
def test_there_is_a_way_to_another_outcome(
    shelf: Album, pair: tuple[str, str], criteria: Criteria, wanted: list[Kind]
) -> None:
    assert {setting.grade for setting in ask(shelf, *pair, criteria).would_change} == set(wanted)


def test_the_way_back_to_one_picture_is_told_in_words(shelf: Album) -> None:
    answer = ask(shelf, "a.jpg", "next.jpg", LOOKS_ALIKE)
    told = {change(answer, setting) for setting in answer.would_change}
    assert "without --grade similar they would not match" in told
    exact = ask(shelf, "a.jpg", "toned.jpg", EXACT)
    told = {change(exact, setting) for setting in exact.would_change}
    assert "without --exact they would match" in told


# -- how they lie ------------------------------------------------------------------------------


def test_the_alignment_is_told_from_the_whole_to_the_part(shelf: Album) -> None:
    found = ask(shelf, "a.jpg", "cut.jpg").alignment
    assert found is not None
    assert found.in_first
    assert found.edges == pytest.approx(CUT, abs=0.01)
    assert (found.orientation, found.found) == (1, True)
    assert 0.97 < found.score <= 1
    assert found.gain == pytest.approx(1, abs=0.05)
    other = ask(shelf, "cut.jpg", "a.jpg").alignment
    assert other is not None
    assert not other.in_first
    assert other.edges == pytest.approx(found.edges, abs=0.005)


def test_the_turn_is_that_of_the_second(shelf: Album) -> None:
    """COPIES turns it left, so it has to be turned right."""
    for pair, orientation in ((("a.jpg", "turned.jpg"), 6), (("turned.jpg", "a.jpg"), 8)):
        found = ask(shelf, *pair).alignment
        assert found is not None
        assert found.orientation == orientation


def test_the_turn_is_that_of_the_second_whichever_is_the_window(shelf: Album) -> None:
    for pair, orientation, in_first in (
        (("a.jpg", "turned cut.jpg"), 6, True),
        (("turned cut.jpg", "a.jpg"), 8, False),
    ):
        found = ask(shelf, *pair).alignment
        assert found is not None
        assert (found.orientation, found.in_first) == (orientation, in_first)
        assert found.edges == pytest.approx(CUT, abs=0.01)


def test_what_no_hash_leads_to_is_aligned_all_the_same(shelf: Album) -> None:
    found = ask(shelf, "a.jpg", "other.jpg").alignment
    assert found is not None
    assert not found.found
    assert found.score < 0.93


def test_the_comparison_is_told_where_only_the_files_could(shelf: Album) -> None:
    seen = ask(shelf, "a.jpg", "toned.jpg").comparison
    assert seen is not None
    assert (seen.differing, seen.clusters) == (0, 0)
    assert seen.textured > 100
    stamp = ask(shelf, "a.jpg", "stamped.jpg").comparison
    assert stamp is not None
    assert stamp.margin
    assert stamp.painted > 0.85
    for other in ("half.jpg", "other.jpg", "again.jpg", "moving.gif"):
        assert ask(shelf, "a.jpg", other).comparison is None


def test_a_file_that_cannot_be_compared_says_why(album: Album) -> None:
    album.add(1, "toned")
    album.index()
    os.unlink(album.path("1-toned.jpg"))
    answer = ask(album, "1-original.jpg", "1-toned.jpg")
    assert answer.decided_by is Rule.NOT_COMPARED
    assert "No such file" in answer.not_compared
    assert not answer.matched


@pytest.mark.parametrize("name", ["toned", "cropped"])
def test_a_file_that_went_is_what_dupes_still_shows(album: Album, name: str) -> None:
    """By what was decided when it was there."""
    album.add(1, name)
    album.index()
    pair = ("1-original.jpg", f"1-{name}.jpg")
    assert album.told(album.ask()) == [list(pair)]
    os.unlink(album.path(pair[1]))
    album.reader.forget()
    assert album.told(album.ask()) == [list(pair)]
    for one, other in (pair, pair[::-1]):
        answer = ask(album, one, other)
        assert (answer.decided_by, answer.matched) == (Rule.PIXELS_AGREE, True)
        assert answer.not_compared == ""


def test_without_a_catalog_the_same_is_said(shelf: Album) -> None:
    for pair in (("a.jpg", "toned.jpg"), ("a.jpg", "next.jpg"), ("a.jpg", "other.jpg")):
        alone = explain(None, *map(shelf.path, pair))
        with_it = ask(shelf, *pair)
        assert alone.decided_by is with_it.decided_by
        assert alone.alignment == with_it.alignment
        assert alone.turned == with_it.turned


IN_ORDER = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ORACLES = {
    HashKind.PHASH: (imagehash.phash, 4),
    HashKind.DHASH: (imagehash.dhash, 6),
    HashKind.AHASH: (imagehash.average_hash, 6),
    HashKind.WHASH: (imagehash.whash, 8),
}


@pytest.mark.parametrize("kind", HashKind)
def test_distances_in_eight_orientations_are_those_of_a_file_that_is_really_turned(
    shelf: Album, kind: HashKind
) -> None:
    """ImageHash is the oracle; ours are made of a signature, so a few bits may differ."""
    make, allowed = ORACLES[kind]
    for name in ("turned.jpg", "other.jpg"):
        told = ask(shelf, "a.jpg", name).turned[kind]
        assert len(told) == 8
        with (
            Image.open(os.fsdecode(shelf.path("a.jpg"))) as one,
            Image.open(os.fsdecode(shelf.path(name))) as other,
        ):
            mine = make(one)
            for orientation, method in IN_ORDER.items():
                turned = other if method is None else other.transpose(method)
                expected = mine - make(turned)
                assert abs(told[orientation - 1] - expected) <= allowed, orientation
        assert told[0] == ask(shelf, "a.jpg", name).distances[kind]


def test_the_least_distance_is_in_the_orientation_that_was_found(shelf: Album) -> None:
    answer = ask(shelf, "a.jpg", "turned.jpg")
    assert answer.alignment is not None
    for bits in answer.turned.values():
        assert bits.index(min(bits)) + 1 == answer.alignment.orientation
        assert min(bits) <= 4


# -- drawings ----------------------------------------------------------------------------------


def drawn(album: Album, one: str, other: str, place: Path, catalog: bool = True) -> Image.Image:
    with open_for_reading(album.catalog) as database:
        draw(database if catalog else None, album.path(one), album.path(other), bytes(place))
    image = Image.open(io.BytesIO(place.read_bytes()))
    assert image.format == "PNG"
    image.load()
    return image


@pytest.mark.parametrize(
    "pair",
    [
        ("a.jpg", "toned.jpg"),
        ("cut.jpg", "a.jpg"),
        ("turned.jpg", "a.jpg"),
        ("a.jpg", "other.jpg"),
        ("a.jpg", "again.jpg"),
        ("a.jpg", "a.jpg"),
        ("a.jpg", "white.jpg"),
        ("white.jpg", "white.jpg"),
    ],
    ids=str,
)
def test_any_two_pictures_can_be_drawn(shelf: Album, tmp_path: Path, pair: tuple[str, str]) -> None:
    image = drawn(shelf, *pair, tmp_path / "drawing.png")
    width, height = image.size
    assert width > 3 * min(360, height / 2)


def test_no_catalog_is_needed_to_draw(shelf: Album, tmp_path: Path) -> None:
    pair = ("a.jpg", "half.jpg")
    image = drawn(shelf, *pair, tmp_path / "with.png")
    assert drawn(shelf, *pair, tmp_path / "without.png", catalog=False).size == image.size


def test_what_differs_is_dark_and_what_does_not_is_white(shelf: Album, tmp_path: Path) -> None:
    same = drawn(shelf, "a.jpg", "half.jpg", tmp_path / "same.png")
    shots = drawn(shelf, "a.jpg", "next.jpg", tmp_path / "shots.png")
    assert same.size == shots.size

    def darkest(image: Image.Image) -> int:
        third = image.convert("L").crop((2 * image.width // 3 + 8, 8, image.width - 8, 350))
        return int(third.getextrema()[0])

    assert darkest(same) > 120
    assert darkest(shots) < 60


@pytest.mark.parametrize("what", ["file", "empty file", "folder", "link", "dangling link"])
def test_nothing_is_written_over(shelf: Album, tmp_path: Path, what: str) -> None:
    place = tmp_path / "drawing.png"
    if what == "file":
        place.write_bytes(b"precious")
    elif what == "empty file":
        place.touch()
    elif what == "folder":
        place.mkdir()
    else:
        if what == "link":
            (tmp_path / "target").write_bytes(b"precious")
        place.symlink_to(tmp_path / "target")
    before = sorted((path.name, path.lstat().st_mtime_ns) for path in tmp_path.iterdir())
    with pytest.raises(UsageError, match="is there already"):
        drawn(shelf, "a.jpg", "toned.jpg", place)
    after = sorted((path.name, path.lstat().st_mtime_ns) for path in tmp_path.iterdir())
    assert after == before
    if what == "file":
        assert place.read_bytes() == b"precious"


def test_where_nothing_can_be_written_it_says_so(shelf: Album, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be written: No such file or directory"):
        drawn(shelf, "a.jpg", "toned.jpg", tmp_path / "nowhere" / "drawing.png")


def test_a_place_that_is_taken_is_said_before_anything_is_drawn(
    shelf: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.matching.pair.draw", lambda *_: pytest.fail("it drew"))
    (tmp_path / "taken.png").touch()
    with pytest.raises(UsageError, match="is there already"):
        drawn(shelf, "a.jpg", "toned.jpg", tmp_path / "taken.png")


def test_of_a_drawing_that_could_not_be_written_nothing_is_left(
    shelf: Album, tmp_path: Path
) -> None:
    paths = shelf.path("a.jpg"), shelf.path("toned.jpg")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(CatalogError, match=r"x\.png cannot be written: File too large"):
            draw(None, *paths, bytes(tmp_path / "x.png"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "x.png").exists()


def test_what_is_no_picture_is_not_drawn(shelf: Album, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    with open_for_reading(shelf.catalog) as database, pytest.raises(CatalogError):
        draw(database, shelf.path("a.jpg"), bytes(tmp_path / "text.jpg"), bytes(tmp_path / "x.png"))
    assert not (tmp_path / "x.png").exists()


def test_a_file_that_went_is_not_drawn(album: Album, tmp_path: Path) -> None:
    album.add(1, "toned")
    album.index()
    os.unlink(album.path("1-toned.jpg"))
    with pytest.raises(UsageError, match="there is no file"):
        drawn(album, "1-original.jpg", "1-toned.jpg", tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()
