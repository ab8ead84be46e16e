"""The closer look in a browser: what each way of comparing two photos draws, to the pixel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageChops
from playwright.sync_api import expect

from tests.review.albums import CHECKS, PROTECTED, fill
from tests.review.visitors import Visitor, Visits, browser, needs_browser, visit
from tests.review.worlds import World, group_of

__all__ = ["browser", "visit"]

pytestmark = [needs_browser, pytest.mark.soak]
Pixels = NDArray[np.float64]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = World(tmp_path_factory.mktemp("stage"), fill, PROTECTED)
    yield found
    found.end()


def looking(visit: Visits, name: str, **how: Any) -> Visitor:
    visitor = visit(**how)
    visitor.look_closer(group_of(visit.world, name))
    return visitor


def mode(visitor: Visitor, name: str) -> None:
    visitor.page.get_by_role("button", name=name).click()
    visitor.page.mouse.move(0, 0)


def drawn(visitor: Visitor, which: str) -> Image.Image:
    """One photo alone, without what lies around or over it."""
    mode(visitor, "Flicker")
    pause = visitor.page.get_by_role("button", name="Pause")
    if pause.is_visible():
        pause.click()
    section = visitor.page.locator("section.stage")
    for _ in range(2):
        if section.get_attribute("data-seen") == which:
            break
        visitor.press("f")
    expect(section).to_have_attribute("data-seen", which)
    return visitor.pixels(visitor.stage)


def colourful(photo: Image.Image) -> float:
    found: Pixels = np.asarray(photo, dtype=float)
    return float((found.max(axis=2) - found.min(axis=2)).mean())


def middle(photo: Image.Image, *, part: float = 0.1) -> Image.Image:
    """What lies around its centre, where a photo is in each mode."""
    width, height = photo.size
    across, down = int(width * part), int(height * part)
    return photo.crop(
        (width // 2 - across, height // 2 - down, width // 2 + across, height // 2 + down)
    )


def brightest(photo: Image.Image) -> int:
    return max(most for _, most in photo.getextrema())  # type: ignore[misc, union-attr]


def alike(one: Image.Image, other: Image.Image) -> bool:
    """Whether what two panes show is the same, but for half a pixel between them."""
    size = (min(one.width, other.width), min(one.height, other.height))
    apart = ImageChops.difference(one.crop((0, 0, *size)), other.crop((0, 0, *size)))
    return float(np.asarray(middle(apart, part=0.4), dtype=float).mean()) < 3


def test_the_difference_of_equal_photos_is_black(visit: Visits) -> None:
    visitor = looking(visit, "twin.jpg")
    visitor.press("d")
    expect(visitor.page.locator("section.stage")).to_have_attribute("data-mode", "difference")
    assert brightest(middle(visitor.pixels(visitor.stage), part=0.2)) < 8


@pytest.mark.parametrize("name", ["turned.jpg", "cut.jpg"])
def test_copies_that_are_turned_or_cut_lie_on_each_other(visit: Visits, name: str) -> None:
    visitor = looking(visit, name)
    alone = np.asarray(middle(drawn(visitor, "first"), part=0.2), dtype=float)
    mode(visitor, "Difference")
    apart = np.asarray(middle(visitor.pixels(visitor.stage), part=0.2), dtype=float)
    assert alone.std() > 25  # there is something to see
    assert apart.mean() < 20, "as bright as it is made, there is next to nothing"


def test_the_difference_of_other_photos_is_not_black(visit: Visits) -> None:
    visitor = looking(visit, "grey.jpg")
    visitor.press("d")
    assert brightest(middle(visitor.pixels(visitor.stage), part=0.2)) > 60


def test_the_slider_shows_the_kept_photo_left_of_the_edge_and_the_other_right(
    visit: Visits,
) -> None:
    visitor = looking(visit, "grey.jpg")
    mode(visitor, "Slider")
    handle = visitor.page.get_by_role("slider", name="Edge between the two photos")
    expect(handle).to_have_attribute("aria-valuenow", "50")
    assert halves(visitor) == (True, False)
    visitor.tab_to(handle)
    visitor.press("End")
    assert halves(visitor) == (True, True)
    visitor.press("Home")
    assert halves(visitor) == (False, False)
    visitor.press("PageUp", "PageUp", "PageUp", "PageUp", "PageUp")
    assert halves(visitor) == (True, False)


def halves(visitor: Visitor) -> tuple[bool, bool]:
    """Whether the left and the right half of the middle are colourful."""
    photo = middle(visitor.pixels(visitor.stage))
    width, height = photo.size
    left, right = (0, 0, width // 2 - 20, height), (width // 2 + 20, 0, width, height)
    return colourful(photo.crop(left)) > 20, colourful(photo.crop(right)) > 20


def test_side_by_side_shows_both_and_they_stay_in_step(visit: Visits) -> None:
    visitor = looking(visit, "twin.jpg")
    first, second = (visitor.page.locator(f".pane.{which}") for which in ("first", "second"))
    places = []
    for keys in ([], ["+", "+"], ["Shift+ArrowLeft"], ["Shift+ArrowDown", "-"], ["1"], ["0"]):
        visitor.press(*keys)
        one, other = visitor.pixels(first), visitor.pixels(second)
        assert alike(one, other)
        places.append(one)
    assert not alike(places[0], places[1])
    assert not alike(places[1], places[2])
    assert alike(places[0], places[-1])


def test_the_wheel_and_dragging_move_both(visit: Visits) -> None:
    visitor = looking(visit, "twin.jpg")
    first, second = (visitor.page.locator(f".pane.{which}") for which in ("first", "second"))
    before = visitor.pixels(first)
    box = second.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    visitor.page.mouse.move(x, y)
    visitor.page.mouse.wheel(0, -600)
    visitor.page.mouse.down()
    visitor.page.mouse.move(x + 80, y + 30)
    visitor.page.mouse.up()
    one, other = visitor.pixels(first), visitor.pixels(second)
    assert alike(one, other)
    assert not alike(before, one)


def test_flicker_shows_one_then_the_other_until_it_is_paused(visit: Visits) -> None:
    visitor = looking(visit, "grey.jpg")
    section = visitor.page.locator("section.stage")
    visitor.press("f")
    for which in ("first", "second", "first"):
        expect(section).to_have_attribute("data-seen", which)
    assert colourful(middle(drawn(visitor, "first"))) > 20
    assert colourful(middle(drawn(visitor, "second"))) < 5


def test_flicker_waits_for_the_key_where_motion_is_unwanted(visit: Visits) -> None:
    visitor = looking(visit, "grey.jpg", reduced_motion="reduce")
    section = visitor.page.locator("section.stage")
    visitor.press("f")
    seen = section.get_attribute("data-seen")
    visitor.page.wait_for_timeout(1200)
    assert section.get_attribute("data-seen") == seen
    visitor.press("f")
    assert section.get_attribute("data-seen") != seen


def test_actual_pixels_are_drawn_as_they_are(visit: Visits) -> None:
    visitor = looking(visit, "large.png")
    visitor.press("1")
    expect(visitor.page.locator(".scale")).to_have_text("100 %")
    visitor.page.wait_for_function(
        """() => [...document.querySelectorAll("[data-testid=stage] .sheet")]
            .every((sheet) => sheet.querySelector("img[data-size=full]")?.naturalWidth > 0)"""
    )
    side = CHECKS[2] // 2
    for which in ("first", "second"):
        pane = visitor.pixels(visitor.page.locator(f".pane.{which}")).convert("L")
        width, height = pane.size
        centre = (width // 2 - side // 2, height // 2 - side // 2)
        patch = np.asarray(pane.crop((*centre, centre[0] + side, centre[1] + side)), dtype=int)
        beside = np.abs(np.diff(patch, axis=1))
        assert (beside > 200).all(), "each pixel is black or white, and the next one is the other"
