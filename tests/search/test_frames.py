"""Bars along the edges of a picture are no part of it; a plain sky and a plain wall are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from catalog.model import SIGNATURE_SIDE
from catalog.search.frames import _LESS, shown
from tests.search.pictures import SIDE, natural, signature, with_bars

SEEDS = range(1, 9)


def part_of(*pictures: Image.Image) -> list[float]:
    found = shown(np.stack([signature(each).ravel() for each in pictures]))
    assert (found.dtype, found.shape) == (np.float32, (len(pictures),))
    return found.tolist()


def framed(picture: Image.Image, cells: tuple[int, int, int, int], grey: int = 0) -> Image.Image:
    """With bars of so many pixels: left, top, right, bottom."""
    return ImageOps.expand(picture, cells, grey)


def inside(picture: Image.Image, whole: Image.Image) -> float:
    """The part of ``whole`` that ``picture`` takes, as it is to be told."""
    return _LESS * picture.width * picture.height / (whole.width * whole.height)


@pytest.mark.parametrize(
    ("share", "grey"),
    [
        *((share, grey) for share in (0.07, 0.1, 0.15) for grey in (0, 255)),
        *((share, grey) for share in (0.3, 0.4, 0.5) for grey in (0, 20, 255)),
    ],
)
def test_two_bars_are_measured_to_a_hundredth(share: float, grey: int) -> None:
    """Also where the resize that makes signatures leaves waves in them, beside a step."""
    barred = [with_bars(natural(seed), share, grey) for seed in SEEDS]
    wanted = [inside(natural(seed), each) for seed, each in zip(SEEDS, barred, strict=True)]
    assert part_of(*barred) == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize("share", [0.3, 0.4])
def test_bars_of_the_grey_of_the_picture_are_measured_too(share: float) -> None:
    barred = [with_bars(natural(seed), share, 128) for seed in SEEDS]
    wanted = [inside(natural(seed), each) for seed, each in zip(SEEDS, barred, strict=True)]
    assert part_of(*barred) == pytest.approx(wanted, abs=0.015)


def test_bars_of_less_than_a_cell_are_not_seen() -> None:
    """One cell is a thirty-second of the side: it is half bar, half picture, and may be either."""
    assert part_of(*(with_bars(natural(seed), 0.03) for seed in SEEDS)) == [1.0] * len(SEEDS)


@pytest.mark.parametrize("side", range(4))
@pytest.mark.parametrize("pixels", [8, 16, 24, 40])
def test_a_bar_on_any_one_side_is_measured(side: int, pixels: int) -> None:
    cells = tuple(pixels if number == side else 0 for number in range(4))
    barred = [framed(natural(seed), cells) for seed in SEEDS]
    wanted = [inside(natural(seed), each) for seed, each in zip(SEEDS, barred, strict=True)]
    assert part_of(*barred) == pytest.approx(wanted, abs=0.01)


def test_a_frame_on_all_four_sides_is_measured() -> None:
    barred = [framed(natural(seed), (10, 20, 30, 16), 255) for seed in SEEDS]
    wanted = [inside(natural(seed), each) for seed, each in zip(SEEDS, barred, strict=True)]
    assert part_of(*barred) == pytest.approx(wanted, abs=0.015)


def test_without_bars_all_of_it_is_picture() -> None:
    assert part_of(*(natural(seed) for seed in range(1, 60))) == [1.0] * 59


def test_of_equal_pictures_the_one_without_bars_shows_more_of_its_own_pixels() -> None:
    for seed in SEEDS:
        barred = with_bars(natural(seed), 0.07)
        (part,) = part_of(barred)
        assert part * barred.width * barred.height < natural(seed).width * natural(seed).height


def with_plain_top(seed: int, share: float, level: int, noise: float = 0.0) -> Image.Image:
    """A sky over a picture: ``share`` of its height, of one grey but for ``noise``."""
    pixels = np.array(natural(seed), dtype=np.float32)
    sky = pixels[: round(share * SIDE)]
    sky[:] = level + np.random.default_rng(seed).normal(0, noise, sky.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("level", [0, 6, 128, 255])
@pytest.mark.parametrize("share", [0.32, 0.4, 0.6, 0.9])
def test_a_night_sky_and_a_plain_wall_are_no_bar(share: float, level: int) -> None:
    """What is plain up to more than a quarter of the side is a part of the picture."""
    assert part_of(*(with_plain_top(seed, share, level) for seed in SEEDS)) == [1.0] * len(SEEDS)


def test_what_is_not_plain_is_no_bar() -> None:
    bright = np.linspace(90, 250, SIDE)[None, :].repeat(32, axis=0)
    for seed in SEEDS:
        pixels = np.array(natural(seed))
        pixels[:32] = bright
        assert part_of(Image.fromarray(pixels)) == [1.0]


def test_a_picture_that_fades_out_has_no_bar() -> None:
    """A bar ends where the picture begins, and begins at once."""
    fade = np.clip(np.arange(SIDE) / (SIDE / 2), 0, 1)[:, None] ** 2
    for seed in SEEDS:
        pixels = (np.asarray(natural(seed)) * fade * 0.4).astype(np.uint8)
        (part,) = part_of(Image.fromarray(pixels))
        assert part > 0.7


@pytest.mark.parametrize("level", [0, 127, 255])
def test_of_a_flat_picture_all_is_picture(level: int) -> None:
    assert part_of(Image.new("L", (SIDE, SIDE), level)) == [1.0]


def test_of_nothing_there_is_nothing_to_tell() -> None:
    assert shown(np.empty((0, SIGNATURE_SIDE**2), dtype=np.uint8)).shape == (0,)


@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 16, 256]))
@settings(max_examples=60, deadline=None)
def test_whatever_it_sees_at_least_a_quarter_is_left(seed: int, levels: int) -> None:
    """Bars take a quarter of a side each, at most: half of both sides, and a little less."""
    dice = np.random.default_rng(seed)
    squares = np.zeros((8, SIGNATURE_SIDE, SIGNATURE_SIDE), dtype=np.uint8)
    for square in squares:
        left, right, top, bottom = dice.integers(0, 12, 4)
        middle = square[top : SIGNATURE_SIDE - bottom, left : SIGNATURE_SIDE - right]
        middle[:] = dice.integers(0, levels, middle.shape)
    found = shown(squares.reshape(8, -1))
    least = _LESS * (1 - 2 * (SIGNATURE_SIDE // 4 + 1) / SIGNATURE_SIDE) ** 2
    assert ((found >= least) & (found <= 1)).all()
    assert np.array_equal(found, shown(squares[::-1].reshape(8, -1))[::-1])
    turned = shown(squares[:, ::-1].swapaxes(1, 2).reshape(8, -1))
    assert turned == pytest.approx(found, abs=1e-5)
