"""Verified matches of real pictures: what decides about each, and that all questions agree."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from catalog.errors import CatalogReadOnly
from catalog.keeping import DEFAULT
from catalog.model import Duplicates, Kind, Rule
from catalog.progress import Silent
from catalog.queries.criteria import LOOKS_ALIKE, ONE_PICTURE, Criteria
from catalog.queries.duplicates import duplicates
from catalog.queries.explain import explain
from catalog.queries.similar import similar
from catalog.store.database import open_for_reading, open_for_writing
from tests.imaging.edits import cropped, photo, saved
from tests.support import Library, Reader, members

SHOT = photo(1)
WIDTH, HEIGHT = SHOT.size
TIME = "2024:05:01 12:00:00"


def taken(image: Image.Image, when: str) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = when
    return saved(image, quality=92, exif=exif)


def with_something_moved() -> Image.Image:
    image = SHOT.copy()
    image.paste(photo(2).crop((300, 200, 400, 280)), (300, 200))
    return image


def stamped() -> Image.Image:
    image = SHOT.copy()
    where = (WIDTH - 260, HEIGHT - 56)
    ImageDraw.Draw(image).text(where, "1. 5. 2024", fill="yellow", font_size=44)
    return image


def specked() -> Image.Image:
    """With noise that a signature sees."""
    noise = np.random.default_rng(1).normal(0, 28, (32, 32)).repeat(15, axis=0).repeat(20, axis=1)
    return Image.fromarray((np.asarray(SHOT) + noise[..., None]).clip(0, 255).astype(np.uint8))


def animated() -> bytes:
    buffer = io.BytesIO()
    SHOT.save(buffer, "GIF", save_all=True, append_images=[photo(2)])
    return buffer.getvalue()


def sky(contrast: float) -> Image.Image:
    """Clouds without an edge."""
    return ImageEnhance.Contrast(SHOT.filter(ImageFilter.GaussianBlur(40))).enhance(contrast)


RED_AND_BLUE_SWAPPED = Image.merge("RGB", SHOT.split()[::-1])

# Each beside "shot.png", but for the skies.
PICTURES: dict[str, tuple[Callable[[], bytes], Rule]] = {
    "as.bmp": (lambda: saved(SHOT, "BMP"), Rule.SIGNATURES_AGREE),
    "encoded.jpg": (lambda: saved(SHOT, quality=40), Rule.SIGNATURES_AGREE),
    "small.jpg": (lambda: saved(SHOT.resize((200, 150)), quality=80), Rule.SIGNATURES_AGREE),
    "bright.jpg": (lambda: saved(ImageEnhance.Brightness(SHOT).enhance(1.2)), Rule.PIXELS_AGREE),
    "cut.jpg": (lambda: saved(cropped(SHOT, (0.1, 1, 0, 1)), quality=85), Rule.PIXELS_AGREE),
    "turned.jpg": (lambda: saved(SHOT.transpose(Image.Transpose.ROTATE_90)), Rule.SIGNATURES_AGREE),
    "stamped.jpg": (lambda: saved(stamped(), quality=90), Rule.STAMP_ON_SECOND),
    "moved.jpg": (lambda: saved(with_something_moved(), quality=90), Rule.PARTS_DIFFER),
    "swapped.jpg": (lambda: saved(RED_AND_BLUE_SWAPPED, quality=90), Rule.COLOURS_DIFFER),
    "specked.jpg": (lambda: saved(specked(), quality=90), Rule.LOOKS_ALIKE),
    "animated.gif": (animated, Rule.SEVERAL_FRAMES),
    "raw.jpg": (lambda: saved(SHOT, quality=91), Rule.RAW_AND_PICTURE),
    "gone.jpg": (lambda: saved(ImageEnhance.Brightness(SHOT).enhance(1.1)), Rule.NOT_COMPARED),
    "other.jpg": (lambda: saved(photo(3)), Rule.NOTHING_ALIKE),
}


PAIRS = [("shot.png", name, rule) for name, (_, rule) in PICTURES.items()]
PAIRS += [
    ("first.jpg", "next.jpg", Rule.TAKEN_APART),
    ("sky.png", "same sky.jpg", Rule.TOO_LITTLE_DETAIL),
]
NEEDS_FILES = {
    Rule.PIXELS_AGREE,
    Rule.STAMP_ON_FIRST,
    Rule.STAMP_ON_SECOND,
    Rule.ALL_BUT_A_STAMP,
    Rule.PARTS_DIFFER,
    Rule.COLOURS_DIFFER,
    Rule.TOO_LITTLE_DETAIL,
}


def put_away(library: Library, name: str) -> None:
    """The catalog knows it, and its file is not there."""
    os.rename(library.path(name), library.path(f"../{name}"))
    library.reader.forget()


@pytest.fixture
def shots(library: Library, compared_here: Reader) -> Library:
    """All pictures."""
    library.put("shot.png", saved(SHOT, "PNG"))
    for name, (made, _) in PICTURES.items():
        library.put(name, made())
    library.put("first.jpg", taken(SHOT, TIME))
    library.put("next.jpg", taken(SHOT.resize((620, 460)), TIME[:-1] + "2"))
    library.put("sky.png", saved(sky(0.9), "PNG"))
    library.put("same sky.jpg", saved(sky(0.8), quality=60))
    library.index()
    with open_for_writing(library.catalog) as database, database.writing() as writer:
        writer.run(
            "UPDATE content SET format = 'DNG' "
            "WHERE id = (SELECT content FROM photo WHERE name = ?)",
            (b"raw.jpg",),
        )
    put_away(library, "gone.jpg")
    return library


FEW = ("cut.jpg", "turned.jpg", "bright.jpg", "gone.jpg", "other.jpg")


@pytest.fixture
def few(library: Library, compared_here: Reader) -> Library:
    """Some of them."""
    library.put("shot.png", saved(SHOT, "PNG"))
    for name in FEW:
        library.put(name, PICTURES[name][0]())
    library.index()
    put_away(library, "gone.jpg")
    return library


def ask(library: Library, *names: str, criteria: Criteria = ONE_PICTURE) -> Duplicates:
    return library.dupes(*names, criteria=criteria, pairs=True)


def test_every_rule_has_a_picture_here() -> None:
    verified = set(Rule) - {Rule.ONE_PATH, Rule.IDENTICAL_BYTES, Rule.EXACT_ONLY, Rule.FLAT}
    verified -= {Rule.WITHIN_RADIUS, Rule.BEYOND_RADIUS, Rule.UNDECIDED}
    verified -= {Rule.STAMP_ON_FIRST, Rule.ALL_BUT_A_STAMP}  # of which one pair here is
    assert {rule for _, _, rule in PAIRS} == verified


def test_explain_and_similar_say_of_two_what_duplicates_does_with_them(shots: Library) -> None:
    for criteria, kinds in (
        (ONE_PICTURE, {Kind.SAME}),
        (LOOKS_ALIKE, {Kind.SAME, Kind.SIMILAR}),
    ):
        agree(shots, criteria, kinds)


def agree(shots: Library, criteria: Criteria, kinds: set[Kind]) -> None:
    pairs = {
        frozenset((pair.first.path, pair.second.path)): pair
        for pair in ask(shots, criteria=criteria).pairs or ()
    }
    for one, other, rule in PAIRS:
        kind = rule.kind if rule.kind in kinds else None
        paths = [shots.path(one), shots.path(other)]
        with open_for_reading(shots.catalog) as database:
            told = explain(database, *paths, criteria)
            near = similar(database, paths[0], criteria=criteria, limit=None).matches
        assert (told.decided_by, told.matched) == (rule, kind is not None), other
        assert (told.comparison is not None) == (rule in NEEDS_FILES), other
        assert told.alignment is not None
        score = pytest.approx(told.alignment.score, abs=1e-4)
        found = pairs.get(frozenset(paths))
        assert (found and (found.kind, found.score)) == (kind and (kind, score)), other
        (match,) = [each for each in near if each.photo.path == paths[1]] or [None]
        assert (match and (match.kind, match.rule)) == (kind and (kind, rule)), other
        assert match is None or match.score == score, other


def test_a_match_says_how_it_lies_and_what_is_cut_off(few: Library) -> None:
    """The kept one is whole; seen from the cut one, it has more."""
    (group,) = ask(few, "shot.png", "cut.jpg", "turned.jpg").groups
    assert os.path.basename(group.keep.path) == b"shot.png"
    found = {os.path.basename(match.photo.path): match for match in group.matches}
    (side,) = found[b"cut.jpg"].lost
    assert (side.name, found[b"cut.jpg"].more, found[b"cut.jpg"].orientation) == ("left", (), 1)
    assert side.part == pytest.approx(0.1, abs=0.01)
    turned = found[b"turned.jpg"]
    assert (turned.lost, turned.more, turned.orientation) == ((), (), 6)
    with open_for_reading(few.catalog) as database:
        where = [few.path("shot.png")]
        (match,) = similar(database, few.path("cut.jpg"), where).matches
        assert (match.lost, [side.name for side in match.more]) == ((), ["left"])
        (match,) = similar(database, few.path("turned.jpg"), where).matches
        assert match.orientation == 8


def test_what_was_found_out_is_remembered(few: Library) -> None:
    first = ask(few)
    assert first.stages is not None
    assert first.stages.searched == first.stages.contents == len(FEW) + 1
    assert first.stages.compared == few.reader.compared - first.stages.not_compared > 3
    few.reader.forget()
    again = ask(few)
    assert again.stages is not None
    assert (again.stages.searched, again.stages.compared) == (0, 0)
    assert few.reader.compared == again.stages.not_compared > 0, "what could not be read"
    assert again.groups == first.groups
    os.rename(few.path("shot.png"), few.path("renamed.png"))
    few.put("shot again.png", saved(SHOT.resize((500, 375)), "PNG"))
    few.index()
    third = ask(few).stages
    assert third is not None
    assert (third.searched, third.contents) == (1, len(FEW) + 2)


def test_what_could_not_be_read_is_compared_once_it_is_back(few: Library) -> None:
    def rule() -> list[Rule | None]:
        answer = ask(few, criteria=LOOKS_ALIKE)
        every = (match for group in answer.groups for match in group.matches)
        return [match.rule for match in every if match.photo.path == few.path("gone.jpg")]

    assert rule() == [Rule.NOT_COMPARED]
    os.rename(few.path("../gone.jpg"), few.path("gone.jpg"))
    assert rule() == [Rule.PIXELS_AGREE]
    os.rename(few.path("gone.jpg"), few.path("../gone.jpg"))
    assert rule() == [Rule.PIXELS_AGREE], "what is known by its bytes needs no file"


def test_other_bytes_below_known_stamps_are_never_compared(few: Library) -> None:
    """They are not what the catalog knows, though they would match."""
    few.put("gone.jpg", saved(SHOT, quality=70))
    answer = ask(few, "shot.png", "gone.jpg", criteria=LOOKS_ALIKE)
    assert [match.rule for group in answer.groups for match in group.matches] == [Rule.NOT_COMPARED]


def test_a_photo_that_got_another_picture_is_searched_anew(few: Library) -> None:
    assert len(ask(few, "shot.png", "bright.jpg").groups) == 1
    few.put("bright.jpg", saved(photo(4), quality=90))
    few.index()
    answer = ask(few, "shot.png", "bright.jpg")
    assert (list(answer.groups), list(answer.pairs or ())) == ([], [])
    few.put("bright.jpg", PICTURES["bright.jpg"][0]())
    few.index()
    assert len(ask(few, "shot.png", "bright.jpg").groups) == 1


def test_a_catalog_that_cannot_be_written_costs_the_memory_and_not_the_answer(
    few: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Heard(Silent):
        def note(self, message: str) -> None:
            notes.append(message)

    def refuse(*_: object) -> object:
        raise CatalogReadOnly("no room")

    notes: list[str] = []
    expected = None
    for patched in (True, True, False):
        with monkeypatch.context() as patch, open_for_reading(few.catalog) as database:
            if patched:
                patch.setattr("catalog.matching.judge.open_existing_for_writing", refuse)
            answer = duplicates(database, criteria=LOOKS_ALIKE, progress=Heard())
            assert answer.stages is not None
            assert answer.stages.searched > 0, "nothing was remembered before"
            groups = [[photo.path for photo in members(group)] for group in answer.groups]
        assert groups == (expected or groups)
        expected = groups
    assert notes == ["what was found out cannot be remembered: no room"] * 2


def test_groups_gather_round_the_best_photo_of_a_picture(shots: Library) -> None:
    """Nobody stands twice, and every match was compared with the one that is kept."""
    for criteria in (ONE_PICTURE, LOOKS_ALIKE):
        answer = ask(shots, criteria=criteria)
        edges = {
            frozenset((pair.first.path, pair.second.path)): pair for pair in answer.pairs or ()
        }
        seen = [photo.path for group in answer.groups for photo in members(group)]
        assert len(seen) == len(set(seen)) == answer.photos
        for group in answer.groups:
            assert group.keep == min(members(group), key=DEFAULT.rank_key)
            for match in group.matches:
                edge = edges[frozenset((group.keep.path, match.photo.path))]
                assert (edge.kind, edge.score) == (match.kind, match.score)
        for pair in edges:
            assert pair & set(seen), "a photo with a match stands in a group, or its match does"
