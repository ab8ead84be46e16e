"""What keeps a comparison from seeing what is not there; each test fails without its guard."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance
from scipy import ndimage

from catalog.imaging.comparing import SIDE, compare
from catalog.model import Comparison
from tests.imaging.edits import SIZE, WHOLE, Edges, cropped, edges_of, encoded, photo, squeezed

CROP: Edges = (0.06, 0.97, 0.02, 0.94)


def compared(first: Image.Image, second: Image.Image, edges: Edges = WHOLE) -> Comparison:
    return compare(squeezed(first), squeezed(second), edges)


def gravel(seed: int) -> Image.Image:
    """Of one roughness all over."""
    width, height = SIZE
    grain = np.random.default_rng(seed).normal(128, 40, (height // 8, width // 8))
    grey = Image.fromarray(grain.clip(0, 255).astype(np.uint8))
    return grey.resize(SIZE, Image.Resampling.BICUBIC).convert("RGB")


def rough(seed: int) -> Image.Image:
    """A photo of many colours on such a ground."""
    pixels = np.asarray(photo(seed)) + (np.asarray(gravel(seed)) - 128.0)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def test_what_a_thumbnail_lost_everywhere_has_not_moved() -> None:
    """Its residual looks like that of a shift in some blocks, and is no larger than elsewhere."""
    found = [compared(photo(seed), encoded(photo(seed).resize((64, 48)))) for seed in range(1, 5)]
    assert min(each.noise for each in found) > 3
    assert np.mean([each.moved for each in found]) < 0.012


def test_one_colour_is_laid_over_whichever_of_the_two_in_whichever_order() -> None:
    """What lies below is of many: it is no paint, seen from the other side."""
    image = rough(2)
    sticker = image.copy()
    ImageDraw.Draw(sticker).rectangle((440, 400, 620, 460), fill=(250, 250, 250))
    for found in (compared(image, sticker), compared(sticker, image)):
        assert found.differing > 0.03
        assert found.painted > 0.99


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Has an entry for each time that two pictures were measured: then blocks are grouped."""
    times: list[object] = []
    plain = ndimage.label

    def counted(blocks: np.ndarray, *rest: object) -> object:
        times.append(blocks)
        return plain(blocks, *rest)

    monkeypatch.setattr(ndimage, "label", counted)
    return times


def test_a_copy_is_measured_once(measured: list[object]) -> None:
    compared(photo(1), encoded(photo(1)))
    assert len(measured) == 1


def test_what_nothing_can_explain_is_not_measured_the_other_way_round(
    measured: list[object],
) -> None:
    """Most pairs of look-alikes differ all over: once as they lie, and once aligned."""
    compared(photo(1), photo(2))
    assert len(measured) == 2
    measured.clear()
    compared(photo(1), cropped(photo(2), CROP), edges_of(photo(1), CROP))
    assert len(measured) == 1


# -- what differs ------------------------------------------------------------------------------


def test_what_differs_everywhere_alike_is_no_noise() -> None:
    """No compression leaves so much."""
    found = compared(gravel(1), gravel(2))
    assert found.textured > 200
    assert found.differing > 0.9


def boxed(image: Image.Image, box: tuple[int, int, int, int], grey: int) -> Image.Image:
    copy = image.copy()
    ImageDraw.Draw(copy).rectangle(box, fill=(grey, grey, grey))
    return copy


def test_a_plain_surface_of_another_brightness_differs_though_it_has_no_texture() -> None:
    """A lamp that is lit, a T-shirt of another grey."""
    box = (80, 60, 320, 300)
    dark, light = (boxed(photo(1), box, grey) for grey in (90, 130))
    for found in (compared(dark, light), compared(light, dark)):
        assert found.differing > 0.9 * 240 * 240 / (640 * 480)


def striped(image: Image.Image, x: int) -> Image.Image:
    copy = image.copy()
    for stripe in range(x, x + 150, 25):
        ImageDraw.Draw(copy).rectangle((stripe, 180, stripe + 8, 330), fill=(30, 40, 35))
        ImageDraw.Draw(copy).rectangle((stripe + 9, 180, stripe + 24, 330), fill=(70, 90, 210))
    return copy


@pytest.mark.parametrize("pixels", [2, 5])
def test_what_differs_has_not_moved_besides(pixels: int) -> None:
    found = compared(striped(photo(1), 240), striped(photo(1), 240 + pixels))
    assert found.differing > 0.05
    assert found.moved < 0.01


def test_a_grey_value_more_in_a_slope_is_no_movement() -> None:
    """Half a pixel further a slope has that value; but so do other decoders round."""
    one = squeezed(photo(1)).copy()
    slope = 30 + 1.5 * np.arange(140)
    one[:140, 120:] = slope.astype(np.uint8)[:, None, None]
    other = one.copy()
    more = np.random.default_rng(1).random((140, 136)) < 0.75
    other[:140, 120:] += more[..., None].astype(np.uint8)
    for found in (compare(one, other, WHOLE), compare(other, one, WHOLE)):
        assert found.differing == 0
        assert found.moved < 0.01


# -- what is not compared ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shadows_that_an_edit_clipped_are_no_difference(seed: int) -> None:
    grain = np.random.default_rng(seed).normal(30, 14, (24, 32)).clip(4, 75)
    shadow = Image.fromarray(grain.astype(np.uint8)).resize((320, 240), Image.Resampling.NEAREST)
    image = photo(seed).copy()
    image.paste(shadow.convert("RGB"), (160, 120))
    darker = image.point([max(0, level - 60) for level in range(256)] * 3)
    for found in (compared(image, darker), compared(darker, image)):
        assert found.textured > 150
        assert found.differing < 0.01


@pytest.mark.parametrize("factor", [1.3, 1.6])
def test_where_nearly_all_was_clipped_nothing_is_left_out(factor: float) -> None:
    """Nothing would be left that could tell the two apart."""
    pale = photo(1).point([170 + level // 4 for level in range(256)] * 3)
    white = ImageEnhance.Brightness(pale).enhance(factor)
    assert compared(pale, white).differing + compared(white, pale).differing > 0.01


# -- colours -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_a_grey_copy_has_the_colours_of_its_original_in_whichever_order(seed: int) -> None:
    grey = encoded(photo(seed).convert("L"))
    for found in (compared(photo(seed), grey), compared(grey, photo(seed))):
        assert found.recoloured == 0


def test_the_opposite_colours_are_no_saturation() -> None:
    pixels = np.asarray(photo(1)).astype(float)
    grey = (pixels @ (0.299, 0.587, 0.114))[..., None]
    opposite = Image.fromarray((2 * grey - pixels).clip(0, 255).astype(np.uint8))
    for found in (compared(photo(1), opposite), compared(opposite, photo(1))):
        assert found.differing == 0
        assert found.recoloured > 0.5


def test_what_is_nearly_black_has_no_colour() -> None:
    """But where its surroundings are smoothed into it."""
    box = (100, 100, 300, 260)
    blue, black = (photo(1).copy(), photo(1).copy())
    ImageDraw.Draw(blue).rectangle(box, fill=(0, 0, 60))
    ImageDraw.Draw(black).rectangle(box, fill=(3, 3, 3))
    for found in (compared(blue, black), compared(black, blue)):
        assert found.recoloured < 0.04
    ImageDraw.Draw(blue).rectangle(box, fill=(40, 40, 160))
    ImageDraw.Draw(black).rectangle(box, fill=(54, 54, 54))
    assert compared(blue, black).recoloured > 0.08


def test_a_picture_that_is_lit_at_a_point_only_can_be_compared() -> None:
    """Of the pixels by which colours are fitted, every second one, none may be lit."""
    point = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    point[102:104, 102:104] = 100
    assert compare(point, point, WHOLE).recoloured == 0


# -- paint -------------------------------------------------------------------------------------


def tiles(seed: int, dark: int, light: int) -> Image.Image:
    chosen = np.random.default_rng(seed).random((5, 8)) < 0.5
    grey = Image.fromarray(np.where(chosen, dark, light).astype(np.uint8))
    return grey.resize((160, 100), Image.Resampling.NEAREST).convert("RGB")


def test_another_picture_in_a_corner_is_no_paint_however_bright() -> None:
    """Next to what it differs by, its own differences are small."""
    before, after = photo(1).copy(), photo(1).copy()
    before.paste(tiles(5, 20, 110), (470, 370))
    after.paste(tiles(15, 145, 235), (470, 370))
    for found in (compared(before, after), compared(after, before)):
        assert found.differing > 0.03
        assert found.painted < 0.85


def test_what_is_laid_over_lies_along_the_margin_only_if_all_of_it_does() -> None:
    corner, middle = (20, 20, 80, 50), (300, 200, 340, 220)
    date = boxed(photo(1), corner, 250)
    assert compared(photo(1), date).margin
    found = compared(photo(1), boxed(date, middle, 250))
    assert found.clusters == 2
    assert not found.margin


def test_a_line_across_is_one_cluster() -> None:
    """Though its blocks touch at their corners only."""
    crossed = photo(1).copy()
    ImageDraw.Draw(crossed).line((40, 30, 600, 450), fill=(255, 255, 255), width=5)
    for found in (compared(photo(1), crossed), compared(crossed, photo(1))):
        assert found.differing > 0.1
        assert found.clusters == 1
