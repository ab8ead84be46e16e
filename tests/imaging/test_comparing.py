"""A copy differs in nothing, however it was saved and edited; another shot differs somewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from catalog.imaging.comparing import compare
from catalog.imaging.overlay import COLOUR_SIDE, LEVELS, SIDE, LaidOver, Pair
from catalog.matching.settle import verdict
from catalog.model import Comparison, Rule
from tests.imaging.edits import SIZE, WHOLE, Edges, cropped, edges_of, encoded, photo, squeezed

SEEDS = (1, 2)
each_seed = pytest.mark.parametrize("seed", SEEDS)


def compared(first: Image.Image, second: Image.Image, edges: Edges = WHOLE) -> Comparison:
    return compare(squeezed(first), squeezed(second), edges)


def laid_over(first: Image.Image, second: Image.Image, edges: Edges = WHOLE) -> LaidOver:
    pair = Pair.of(squeezed(first), squeezed(second), edges, LEVELS)
    return pair.first_like_second()


def is_copy(found: Comparison) -> bool:
    assert found.textured > 150
    return found.differing == 0 and found.moved < 0.03 and found.recoloured == 0


def gamma(image: Image.Image, power: float) -> Image.Image:
    return image.point([round(255 * (level / 255) ** power) for level in range(256)] * 3)


EDITS = {
    "nothing": lambda image: image,
    "encoded": lambda image: encoded(image, 60),
    "encoded badly": lambda image: encoded(image, 25),
    "encoded twice": lambda image: encoded(encoded(image, 92), 75),
    "a third as large": lambda image: encoded(image.resize((213, 160), Image.Resampling.BICUBIC)),
    "brightened": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.2)),
    "darkened": lambda image: encoded(ImageEnhance.Brightness(image).enhance(0.7)),
    "less contrast": lambda image: encoded(ImageEnhance.Contrast(image).enhance(0.7)),
    "gamma": lambda image: encoded(gamma(image, 0.7)),
    "blurred": lambda image: encoded(image.filter(ImageFilter.GaussianBlur(2))),
    "sharpened": lambda image: encoded(image.filter(ImageFilter.UnsharpMask(2, 120, 0))),
    "saturated": lambda image: encoded(ImageEnhance.Color(image).enhance(1.4)),
    "greyed": lambda image: encoded(image.convert("L")),
}


@each_seed
@pytest.mark.parametrize("edit", EDITS)
def test_nothing_differs_in_an_edited_copy(edit, seed):
    found = compared(photo(seed), EDITS[edit](photo(seed)))
    assert is_copy(found)
    assert found.clusters == 0
    assert found.painted == 0


@each_seed
@pytest.mark.parametrize(
    "edit", [ImageFilter.GaussianBlur(5), ImageFilter.UnsharpMask(4, 300, 0)], ids=["blur", "sharp"]
)
def test_sharpness_of_the_whole_is_no_difference_however_strong(edit, seed):
    found = compared(photo(seed), encoded(photo(seed).filter(edit), 92))
    assert found.differing < 0.01
    assert found.moved < 0.03
    assert found.residual == 0


def test_a_picture_is_itself():
    found = compared(photo(1), photo(1))
    assert is_copy(found)
    assert found.residual < 0.01
    assert found.noise < 0.3
    assert compared(photo(1), encoded(photo(1), 25)).noise > 0.6


CROP: Edges = (0.06, 0.97, 0.02, 0.94)


@each_seed
def test_nothing_differs_in_a_crop_where_it_was_cut(seed):
    image = photo(seed)
    assert is_copy(compared(image, encoded(cropped(image, CROP)), edges_of(image, CROP)))


@pytest.mark.parametrize(
    "off", [(0.01, 0.01, 0, 0), (-0.01, 0.01, 0.01, -0.01), (0, 0, 0.01, 0.01)]
)
@each_seed
def test_edges_that_are_off_by_a_hundredth_are_corrected(off, seed):
    image = photo(seed)
    edges = edges_of(image, CROP)
    wrong = tuple(edge + by for edge, by in zip(edges, off, strict=True))
    copy = encoded(cropped(image, CROP))
    exact, found = compared(image, copy, edges), compared(image, copy, wrong)
    assert is_copy(found)
    assert found.residual == pytest.approx(exact.residual, abs=0.05)


def turned_by(degrees: float, image: Image.Image) -> tuple[Image.Image, Edges]:
    """The middle of a picture turned about it, and the edges of that window."""
    edges = (0.15, 0.85, 0.15, 0.85)
    less = (0.85 - 0.15) * (1 - np.cos(np.radians(degrees))) / 2
    small = Image.fromarray(squeezed(image)).rotate(degrees, Image.Resampling.BICUBIC)
    left, right, top, bottom = edges_of(small, edges)
    return cropped(small, edges), (left + less, right - less, top + less, bottom - less)


@each_seed
def test_a_picture_that_was_turned_by_a_degree_is_a_copy(seed):
    copy, edges = turned_by(1, photo(seed))
    assert is_copy(compared(photo(seed), copy, edges))
    far, edges = turned_by(14, photo(seed))
    assert compared(photo(seed), far, edges).differing > 0.5


def with_object(image: Image.Image, x: int, fill: tuple[int, int, int]) -> Image.Image:
    """A striped box at ``x``."""
    copy = image.copy()
    pen = ImageDraw.Draw(copy)
    pen.rectangle((x, 180, x + 150, 330), fill=fill)
    for stripe in range(0, 150, 25):
        pen.rectangle((x + stripe, 180, x + stripe + 8, 330), fill=(30, 40, 35))
    return copy


BLUE, GREEN, RED = (70, 90, 210), (60, 160, 70), (200, 60, 50)


@each_seed
@pytest.mark.parametrize("pixels", [5, 12, 40])
def test_an_object_that_moved_differs(pixels, seed):
    """Of 640; two of the 256 that are compared, and more."""
    before = with_object(photo(seed), 240, BLUE)
    found = compared(before, encoded(with_object(photo(seed), 240 + pixels, BLUE)))
    assert found.differing > 0.02
    assert found.clusters >= 1
    assert not found.margin


@each_seed
def test_what_moved_by_less_than_a_pixel_is_seen_to_have_moved(seed):
    """By one of 640: 0.4 of those that are compared."""
    before = with_object(photo(seed), 240, BLUE)
    found = compared(before, with_object(photo(seed), 241, BLUE))
    assert found.moved > 0.05
    assert found.differing < 0.01
    assert compared(before, encoded(before, 60)).moved < 0.01


@each_seed
def test_a_recoloured_object_of_the_same_brightness_is_recoloured(seed):
    image = photo(seed)
    blue, green = (with_object(image, 240, fill) for fill in ((60, 110, 200), (95, 123, 44)))
    grey = [np.asarray(one.convert("L")).astype(int) for one in (blue, green)]
    assert np.abs(grey[0] - grey[1]).max() <= 1
    found = compared(blue, encoded(green))
    assert found.recoloured > 0.05
    assert found.differing == 0


@each_seed
def test_a_recoloured_object_of_another_brightness_is_recoloured_too(seed):
    found = compared(with_object(photo(seed), 240, BLUE), with_object(photo(seed), 240, RED))
    assert found.recoloured > 0.05


@each_seed
def test_white_balance_and_saturation_recolour_nothing(seed):
    image = photo(seed)
    warmer = Image.merge(
        "RGB",
        [
            channel.point(lambda level, by=by: min(255, max(0, level + by)))
            for channel, by in zip(image.split(), (14, 0, -14), strict=True)
        ],
    )
    assert compared(image, encoded(ImageEnhance.Color(warmer).enhance(1.2))).recoloured == 0


def stamped(image: Image.Image, at: tuple[float, float], fill="white") -> Image.Image:
    copy = image.copy()
    width, height = copy.size
    ImageDraw.Draw(copy).text(
        (at[0] * width, at[1] * height), "24/12/2011", fill=fill, font_size=30
    )
    return copy


@each_seed
@pytest.mark.parametrize("at", [(0.7, 0.91), (0.02, 0.02), (0.7, 0.02)])
def test_a_date_in_the_corner_is_painted_along_the_margin(at, seed):
    for one, other, on_first in (
        (photo(seed), stamped(photo(seed), at), False),
        (stamped(photo(seed), at), photo(seed), True),
    ):
        found = compared(one, encoded(other))
        assert found.on_first is on_first
        assert 0 < found.differing < 0.12
        assert 1 <= found.clusters <= 3
        assert found.margin
        assert found.painted > 0.85
        assert found.moved < 0.06


@each_seed
def test_a_date_in_the_middle_is_not_along_the_margin(seed):
    found = compared(photo(seed), stamped(photo(seed), (0.4, 0.5)))
    assert found.differing > 0
    assert not found.margin


@each_seed
def test_what_is_there_already_but_elsewhere_is_not_painted(seed):
    """A corner that was mirrored, an object that moved: of more colours than one."""
    copy = photo(seed).copy()
    width, height = SIZE
    corner = copy.crop((width - 120, height - 70, width, height))
    copy.paste(corner.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (width - 120, height - 70))
    mirrored = compared(photo(seed), copy)
    assert mirrored.margin
    assert mirrored.differing > 0.01
    before, after = (with_object(photo(seed), x, BLUE) for x in (240, 252))
    assert max(mirrored.painted, compared(before, after).painted) < 0.85


def test_unrelated_pictures_differ_almost_everywhere():
    found = compared(photo(1), photo(2))
    assert found.differing > 0.5


def test_highlights_that_an_edit_clipped_are_neither_difference_nor_proof():
    for seed in SEEDS:
        found = compared(photo(seed), encoded(ImageEnhance.Brightness(photo(seed)).enhance(1.6)))
        assert found.differing == 0
        assert found.recoloured <= 0.03


def on_a_table(seed: int) -> Image.Image:
    """Something on a light table, the light of which falls off."""
    width, height = SIZE
    y, x = np.mgrid[0:height, 0:width]
    light = 215 + 25 * np.sin(x / 130 + seed) * np.cos(y / 110)
    grain = np.random.default_rng(seed).normal(0, 6, light.shape)
    image = Image.fromarray((light + grain).clip(0, 255).astype(np.uint8)).convert("RGB")
    image.paste(photo(seed).resize((200, 200)), (230, 150))
    return image


def test_a_copy_that_lies_as_it_did_is_found_where_clipping_drags_an_alignment_off():
    for seed, factor in ((2, 1.25), (3, 1.3)):
        image = on_a_table(seed)
        brighter = encoded(ImageEnhance.Brightness(image).enhance(factor))
        for edges in (WHOLE, (0.0065, 0.9955, 0.005, 0.994), (0.012, 0.977, 0.009, 0.995)):
            found = compared(image, brighter, edges)
            assert found.differing == 0
            assert found.moved < 0.1


def test_blocks_that_are_blown_out_in_part_may_differ_more():
    pale = np.asarray(photo(1)) * 0.5 + 120
    pale += np.random.default_rng(1).normal(0, 20, pale.shape[:2])[..., None]
    image = Image.fromarray(pale.clip(0, 255).astype(np.uint8))
    brighter = encoded(ImageEnhance.Brightness(image).enhance(1.4))
    for found in (compared(image, brighter), compared(brighter, image)):
        assert found.textured > 100
        assert found.differing == 0
    before, after = (with_object(image, x, BLUE) for x in (240, 260))
    assert compared(before, after).differing > 0.02


def invoice(name: str, number: str, total: str) -> Image.Image:
    """Black on white, A4 at 150 dpi, of one template."""
    page = Image.new("RGB", (1240, 1754), "white")
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(22)
    for line in range(32):
        text = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod"
        pen.text((110, 160 + 44 * line), text[line:] + text[:line], fill="black", font=font)
    for y, text in ((60, f"Invoice {number}"), (1600, name), (1650, f"Total {total} EUR")):
        pen.text((110, y), text, fill="black", font=font)
    return page


INVOICE = ("Mr John Smith", "2024-0017", "1234.56")


@pytest.mark.parametrize(
    "other",
    [
        ("Mrs Anna Kowalska", "2024-0923", "871.20"),
        ("Mrs Anna Kowalska", *INVOICE[1:]),
        ("Mr John Smith", "2023-4896", "1234.56"),
        ("Mr John Smith", "2024-0017", "9071.38"),
    ],
    ids=str,
)
def test_a_page_with_another_field_is_another_page(other):
    one = invoice(*INVOICE)
    for first, second in ((one, invoice(*other)), (invoice(*other), one)):
        found = compared(first, encoded(second))
        assert found.page
        assert found.differing > 0
        assert verdict(found) is Rule.PARTS_DIFFER


@pytest.mark.parametrize(
    "edit",
    ["encoded badly", "a third as large", "brightened", "darkened", "less contrast", "blurred"],
)
def test_a_copy_of_a_page_is_one(edit):
    page = invoice(*INVOICE)
    found = compared(page, EDITS[edit](page))
    assert verdict(found) is Rule.PIXELS_AGREE


def test_a_page_that_somebody_wrote_on_is_another_page():
    """A photo with a date is the photo; on a form it says something."""
    page = invoice(*INVOICE)
    found = compared(page, encoded(stamped(page, (0.7, 0.02), "blue")))
    assert verdict(found) is Rule.PARTS_DIFFER


def test_a_pale_mark_on_white_is_nothing_that_an_edit_clipped():
    form = invoice(*INVOICE)
    marked = form.copy()
    ImageDraw.Draw(marked).rectangle((300, 500, 900, 900), fill=(255, 200, 200))
    marked = Image.composite(form, marked, form.convert("L").point(lambda grey: 255 * (grey < 128)))
    for found in (compared(form, encoded(marked)), compared(marked, encoded(form))):
        assert verdict(found) is not Rule.PIXELS_AGREE
    shade = Image.new("RGB", SIZE, "white")
    ImageDraw.Draw(shade).ellipse((80, 80, 560, 400), fill=(255, 205, 205))
    shade.paste(photo(1).resize((120, 120)), (260, 180))
    plain = Image.new("RGB", SIZE, "white")
    plain.paste(photo(1).resize((120, 120)), (260, 180))
    assert verdict(compared(plain, encoded(shade))) is not Rule.PIXELS_AGREE


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_what_has_no_texture_proves_nothing(level):
    flat = np.full((SIDE, SIDE, 3), level, dtype=np.uint8)
    found = compare(flat, flat, WHOLE)
    assert found == replace(found, textured=0, residual=0, differing=0, moved=0, recoloured=0)


def test_a_flat_picture_is_no_copy_of_one_that_is_not():
    """Whichever is toned like the other, it differs, or nothing is left that could."""
    flat = Image.new("RGB", SIZE, (128, 128, 128))
    for found in (compared(flat, photo(1)), compared(photo(1), flat)):
        assert found.differing > 0.5 or found.textured == 0


@each_seed
def test_a_copy_is_one_in_whichever_order_the_two_come(seed):
    clipped = encoded(ImageEnhance.Brightness(photo(seed)).enhance(1.6))
    sharp = encoded(photo(seed).filter(ImageFilter.UnsharpMask(4, 300, 0)), 92)
    for copy in (clipped, sharp):
        for found in (compared(photo(seed), copy), compared(copy, photo(seed))):
            assert found.differing + found.moved < 0.02


def test_the_same_two_pictures_give_the_same_numbers_and_stay_as_they_are():
    one, other = squeezed(photo(1)), squeezed(encoded(photo(1)))
    before = one.copy(), other.copy()
    one.setflags(write=False)
    other.setflags(write=False)
    assert compare(one, other, WHOLE) == compare(one, other, WHOLE)
    assert np.array_equal(one, before[0])
    assert np.array_equal(other, before[1])


def test_pictures_laid_over_each_other_have_one_tone_and_say_what_can_be_compared():
    image = photo(3)
    edges = edges_of(image, CROP)
    copy = encoded(ImageEnhance.Brightness(cropped(image, CROP)).enhance(0.7))
    pair = laid_over(image, copy, edges)
    assert pair.toned.shape == pair.wanted.shape == pair.known.shape == (SIDE, SIDE)
    assert pair.source.shape == pair.target.shape == (COLOUR_SIDE, COLOUR_SIDE, 3)
    assert np.abs(pair.toned - pair.wanted)[pair.known].mean() < 2
    assert np.abs(pair.source * 0.7 - pair.target).mean() < 3
    assert pair.known.mean() > 0.85
    assert not pair.known[:4].any()
    assert not pair.known[:, -4:].any()


def test_what_a_brighter_copy_clipped_is_not_compared():
    image = photo(1).copy()
    sky = np.tile(np.linspace(200, 240, 160).astype(np.uint8)[None, :, None], (120, 1, 3))
    image.paste(Image.fromarray(sky), (240, 180))
    image = image.point([round(level * (0.9 if level < 200 else 1)) for level in range(256)] * 3)
    brighter = ImageEnhance.Brightness(image).enhance(1.35)
    for first, second in ((image, brighter), (brighter, image)):
        known = laid_over(first, second).known
        middle = known[100:150, 100:156]  # of the sky
        assert not middle.any()
        assert known.mean() > 0.6


def test_what_lies_beyond_the_first_picture_is_not_compared():
    image = photo(1)
    wider = Image.new("RGB", (680, 480), "white")
    wider.paste(image, (40, 0))
    pair = laid_over(image, wider, (-40 / 640, 1.0, 0.0, 1.0))
    bar = round(40 / 680 * SIDE)
    assert not pair.known[:, : bar + 3].any()
    assert pair.known[8:-8, bar + 8 : -8].mean() > 0.9
    assert is_copy(compared(image, wider, (-40 / 640, 1.0, 0.0, 1.0)))
