"""The list of the review page with a thousand groups: only what is in view exists."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.review.visitors import Visits, browser, needs_browser, visit
from tests.review.worlds import World
from tests.support import picture

__all__ = ["browser", "visit"]

pytestmark = [needs_browser, pytest.mark.soak]
MANY = 1_000

# By as much as a frame of a quick wheel moves; how many elements there were at most, and which
# places were seen.
_SCROLL = """async () => {
    const list = document.getElementById("list");
    const seen = new Set();
    let most = 0;
    for (let top = 0; top < list.scrollHeight; top += list.clientHeight * 0.9) {
        list.scrollTop = top;
        await new Promise((done) => requestAnimationFrame(done));
        most = Math.max(most, document.querySelectorAll("*").length);
        for (const row of document.querySelectorAll(".row")) seen.add(row.ariaPosInSet);
    }
    return [most, seen.size];
}"""


def fill(world: World) -> None:
    for number in range(MANY):
        data = picture(number, "PNG", (16, 16))
        for folder in ("a", "b"):
            world.put(f"{folder}/{number:04}.png", data)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = World(tmp_path_factory.mktemp("many"), fill)
    yield found
    found.end()


def test_a_thousand_groups_are_scrolled_through_with_few_elements(visit: Visits) -> None:
    visitor = visit()
    few = visitor.page.evaluate("document.querySelectorAll('*').length")
    most, seen = visitor.page.evaluate(_SCROLL)
    assert seen == MANY
    assert most < 2 * few


def test_the_end_of_a_long_list_is_shown_and_decided(visit: Visits, world: World) -> None:
    visitor = visit()
    visitor.press("Home", "End")
    visitor.until(lambda: visitor.at is not None)
    last = visitor.page.locator(f'.row[aria-posinset="{MANY}"]')
    expect(last).to_be_focused()
    expect(last).to_be_in_viewport(ratio=0.99)
    picture = last.locator("img").last
    expect(picture).to_be_visible()
    visitor.page.wait_for_function("(one) => one.naturalWidth > 0", arg=picture.element_handle())
    visitor.press("a")
    expect(last).to_have_class(re.compile("decided"))
    world.page.until_chosen(1)
    visitor.press("u")
    world.page.until_chosen(0)
