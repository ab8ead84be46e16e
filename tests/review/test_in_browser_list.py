"""The list of the review page in a browser: what the filters let pass, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.review.albums import GROUPS, PROTECTED, fill
from tests.review.visitors import Visitor, Visits, browser, needs_browser, visit
from tests.review.worlds import World, group_of, of_dupes

__all__ = ["browser", "visit"]

pytestmark = [needs_browser, pytest.mark.soak]
Told = dict[str, Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = World(tmp_path_factory.mktemp("list"), fill, PROTECTED)
    yield found
    found.end()


@pytest.fixture(scope="module")
def told(world: World) -> list[Told]:
    """What the command tells of the same groups."""
    return of_dupes(world)


def names(groups: list[Told]) -> list[str]:
    return [PurePath(group["photos"][0]["path"]).name for group in groups]


def listed(visitor: Visitor) -> list[str]:
    """The name of the kept photo of each group in the list."""
    return [row["names"][0].rpartition("/")[2] for row in visitor.all_rows()]


def narrow(visitor: Visitor, field: str, value: str) -> None:
    label = visitor.page.locator(f"form.filters [name={field}]")
    if not label.is_visible():
        visitor.page.get_by_text("More filters").click()
    if label.evaluate("(one) => one.tagName") == "SELECT":
        label.select_option(value)
    else:
        label.fill(value)
        label.press("Tab")


def clear(visitor: Visitor) -> None:
    button = visitor.page.get_by_role("button", name="Clear filters", include_hidden=True)
    if not button.is_visible():
        visitor.page.get_by_text("More filters").click()
    button.click()


Passes = Callable[[Told], bool]
FILTERS: dict[str, tuple[str, str, Passes]] = {
    "identical": ("grade", "identical", lambda group: group["kind"] == "identical"),
    "same": ("grade", "same", lambda group: group["kind"] == "same"),
    "at-least": ("min", "0.05", lambda group: group["reclaimable"] >= 50_000),
    "from": ("from", "2020-09-13", lambda group: "2020" in group["photos"][0]["mtime"]),
    "to": ("to", "2020-09-12", lambda group: "2017" in group["photos"][0]["mtime"]),
    "none": ("to", "2001-01-01", lambda group: False),
}


@pytest.mark.parametrize("name", FILTERS)
def test_only_what_passes_a_filter_is_listed(visit: Visits, told: list[Told], name: str) -> None:
    field, value, passes = FILTERS[name]
    expected = [group for group in told if passes(group)]
    assert len(expected) < GROUPS
    visitor = visit()
    narrow(visitor, field, value)
    count = visitor.text("count")
    expect(count).to_contain_text(f"{len(expected)} group")
    if expected:
        visitor.until(lambda: len(visitor.rows) <= len(expected))
        assert sorted(listed(visitor)) == sorted(names(expected))
    else:
        expect(visitor.page.get_by_text("No group passes these filters.")).to_be_visible()
    clear(visitor)
    expect(count).to_contain_text(f"{GROUPS} groups")


def test_a_folder_lists_the_groups_with_a_photo_below_it(visit: Visits, world: World) -> None:
    (kept,) = (
        folder
        for folder in world.page.get("/api/folders").json["folders"]
        if folder["name"].endswith("/kept")
    )
    visitor = visit()
    narrow(visitor, "folder", str(kept["id"]))
    expect(visitor.text("count")).to_contain_text("1 group,")
    visitor.until(lambda: len(visitor.rows) == 1)
    assert listed(visitor) == ["guarded.jpg"]
    visitor.page.reload()  # a filter lives as long as its tab
    expect(visitor.text("count")).to_contain_text("1 group,")


ORDERS: dict[str, Callable[[Told], Any]] = {
    "bytes": lambda group: -group["reclaimable"],
    "newest": lambda group: "2017" in group["photos"][0]["mtime"],
    "oldest": lambda group: "2020" in group["photos"][0]["mtime"],
    "score": lambda group: group["score"],
    "folder": lambda group: str(PurePath(group["photos"][0]["path"]).parent),
}


@pytest.mark.parametrize("order", ORDERS)
def test_groups_come_in_the_order_that_is_chosen(
    visit: Visits, told: list[Told], order: str
) -> None:
    visitor = visit()
    narrow(visitor, "sort", order)
    keys = dict(zip(names(told), map(ORDERS[order], told), strict=True))
    assert len(set(keys.values())) > 1
    in_order = sorted(keys.values())
    visitor.until(lambda: [keys[name] for name in listed(visitor)] == in_order)


def test_decided_and_open_groups_are_listed_apart(visit: Visits, world: World) -> None:
    visitor = visit()
    visitor.go_to(group_of(world, "twin.jpg"))
    visitor.press("a")
    world.page.until_chosen(1)
    narrow(visitor, "state", "decided")
    expect(visitor.text("count")).to_contain_text("1 group,")
    visitor.until(lambda: len(visitor.rows) == 1)
    assert listed(visitor) == ["twin.jpg"]
    narrow(visitor, "state", "open")
    expect(visitor.text("count")).to_contain_text(f"{GROUPS - 1} groups")
    visitor.until(lambda: len(visitor.rows) > 1)
    assert "twin.jpg" not in listed(visitor)


def test_a_group_that_only_looks_alike_can_be_looked_at_and_decided(
    visit: Visits, world: World
) -> None:
    before = world.tree()
    visitor = visit()
    narrow(visitor, "grade", "similar")
    expect(visitor.text("count")).to_contain_text("1 group,")
    visitor.until(lambda: len(visitor.rows) == 1)
    (row,) = visitor.rows
    assert {name.rpartition("/")[2] for name in row["names"]} == {"burst-0.jpg", "burst-1.jpg"}
    visitor.look_closer(row["group"])
    expect(visitor.text("closer")).to_contain_text("Looks alike, 2 photos")
    visitor.press("x")
    world.page.until_chosen(1)
    assert world.tree() == before


def test_copies_of_equal_bytes_are_chosen_all_at_once(visit: Visits, world: World) -> None:
    before = world.tree()
    visitor = visit()
    every = visitor.page.get_by_role("button", name="Trash the copies of all of these")
    expect(every).to_be_hidden()  # nobody is to choose what differs without a look
    narrow(visitor, "grade", "identical")
    every.click()
    visitor.until(lambda: world.page.get("/api/state").json["chosen"]["photos"] > 1)
    told = world.page.get("/api/groups?count=200&state=decided").json["groups"]
    assert {group["kind"] for group in told} == {"identical"}
    visitor.page.get_by_role("button", name="Undo").last.click()
    world.page.until_chosen(0)
    assert world.tree() == before


def test_where_what_looks_alike_was_asked_for_it_is_listed_at_first(
    visit: Visits, world: World
) -> None:
    first = world.page
    first.end()
    world.page = world.review("--grade", "similar")
    visitor = visit()
    expect(visitor.text("count")).to_contain_text(f"{GROUPS + 1} groups")
