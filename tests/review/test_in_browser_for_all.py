"""The review page for everybody: by keys, by touch, in the dark, and as axe sees each view."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.review.albums import GROUPS, PROTECTED, SIXTY, fill
from tests.review.visitors import Visitor, Visits, browser, needs_browser, visit
from tests.review.worlds import World, group_of

__all__ = ["browser", "visit"]

pytestmark = [needs_browser, pytest.mark.soak]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = World(tmp_path_factory.mktemp("all"), fill, PROTECTED)
    group = found.page.groups()[0]
    keep, goes = ({k: p[k] for k in ("id", "size", "mtime_ns")} for p in group["photos"][:2])
    found.page.post("choose", {"group": group["group"], "keep": keep, "drop": [goes]})
    plan = found.page.post("plan", {}).json
    found.page.post("apply", {"plan": plan["plan"]})
    receipt = found.page.until("acting", None)["receipt"]
    found.page.post("undo", {"action": receipt["action"]})
    found.page.until("acting", None)  # so that the history has something to show
    found.page.until_found(GROUPS)
    yield found
    found.end()


def of_list(visitor: Visitor) -> None:
    visitor.press("Home", "a")


def of_closer_look(visitor: Visitor) -> None:
    visitor.press("Home", "Enter")
    visitor.see_photos()
    expect(visitor.text("facts")).to_contain_text("Pixels")


def of_plan(visitor: Visitor) -> None:
    visitor.press("Home", "a", "p")
    expect(visitor.text("plan-words")).to_contain_text("Move")


def of_history(visitor: Visitor) -> None:
    visitor.press("h")
    expect(visitor.text("history").locator("li")).not_to_have_count(0)


def of_help(visitor: Visitor) -> None:
    visitor.press("?")
    expect(visitor.page.get_by_role("dialog", name="Keys")).to_be_visible()


VIEWS: dict[str, Callable[[Visitor], None]] = {
    "list": of_list,
    "closer-look": of_closer_look,
    "plan": of_plan,
    "history": of_history,
    "help": of_help,
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_no_view_keeps_anybody_out(visit: Visits, width: int, scheme: str) -> None:
    visitor = visit(width=width, color_scheme=scheme)
    for name, open_view in VIEWS.items():
        visitor.page.goto(f"{visitor.home}#/")
        visitor.page.reload()
        visitor.see_list()
        open_view(visitor)
        assert visitor.barriers() == [], name
        assert visitor.too_wide() <= 0, name
        visit.world.page.post("clear", {})


def test_it_is_dark_where_that_is_wanted(visit: Visits) -> None:
    corner = {}
    for scheme in ("light", "dark"):
        whole = visit(color_scheme=scheme).pixels()
        corner[scheme] = sum(whole.getpixel((3, whole.height - 3)))  # type: ignore[arg-type]
    assert corner["light"] > 600
    assert corner["dark"] < 150


def test_the_keys_are_listed_and_the_focus_comes_back(visit: Visits) -> None:
    visitor = visit()
    visitor.press("Home")
    before = visitor.at
    assert before is not None
    for end in ("Escape", "?"):
        visitor.press("?")
        dialog = visitor.page.get_by_role("dialog", name="Keys")
        expect(dialog).to_be_visible()
        expect(dialog).to_contain_text("Trash all others")
        visitor.press("a")  # decides nothing meanwhile
        visitor.press(end)
        expect(dialog).to_be_hidden()
        assert visitor.at == before
    assert visit.world.page.state()["chosen"]["photos"] == 0


def test_escape_twice_leaves_the_closer_look_and_not_the_page(visit: Visits) -> None:
    visitor = visit()
    visitor.press("Home", "Enter")
    visitor.see_photos()
    twice = """() => ["Escape", "Escape"].forEach((key) =>
        document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true})))"""
    visitor.page.evaluate(twice)
    visitor.see_list()
    assert visitor.page.url == f"{visitor.home}#/"


def test_every_button_of_the_list_and_of_the_closer_look_is_reached_by_tab(
    visit: Visits,
) -> None:
    visitor = visit(height=700)
    page = visitor.page
    row = page.locator(".row.current")
    for name in ("Trash the", "Keep ", "Look closer"):
        visitor.tab_to(row.get_by_role("button", name=name).last)
    visitor.press("Enter")
    visitor.see_photos()
    closer = visitor.text("closer")
    for button in closer.locator("button:not(.pick), button[aria-current=true]").all():
        if button.is_enabled() and button.is_visible():
            visitor.tab_to(button, most=60)  # not one press for each photo of the group
    for name in ("Groups", "History", "Look at the plan"):
        visitor.tab_to(page.get_by_role("link", name=name, exact=True))
    visitor.tab_to(page.get_by_role("button", name="Keys"))


def test_what_has_the_focus_is_seen(visit: Visits) -> None:
    visitor = visit()
    seen = 0
    for _ in range(25):
        visitor.press("Tab")
        outline = visitor.page.evaluate(
            """() => {
                const style = getComputedStyle(document.activeElement);
                return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
            }"""
        )
        seen += outline
    assert seen >= 24  # one may be the end of the page


def test_fingers_decide_too(visit: Visits, world: World) -> None:
    before = world.tree()
    visitor = visit(width=390, height=844, has_touch=True, is_mobile=True)
    row = visitor.page.locator(f'.row[data-group="{visitor.rows[0]["group"]}"]')
    row.get_by_role("button", name="Trash the").last.tap()
    world.page.until_chosen(SIXTY - 1)
    visitor.page.wait_for_timeout(600)  # a second tap at once would be one of a double tap
    row.get_by_role("button", name="Take back").tap()
    world.page.until_chosen(0)
    row.get_by_role("button", name="Look closer", exact=True).tap()
    visitor.see_photos()
    closer = visitor.text("closer")
    for name in ("Slider", "Difference", "Actual pixels", "Fit"):
        closer.get_by_role("button", name=name).tap()
    closer.get_by_role("button", name="Trash this one").tap()
    world.page.until_chosen(1)
    visitor.page.get_by_role("link", name="Groups", exact=True).tap()
    visitor.page.get_by_role("link", name="Look at the plan").tap()
    expect(visitor.text("plan-words")).to_contain_text("Move 1 photo")
    assert world.tree() == before


@pytest.mark.parametrize("width", [390, 1440])
def test_what_is_touched_is_large_enough(visit: Visits, width: int) -> None:
    visitor = visit(width=width, has_touch=True)
    small = visitor.page.evaluate(
        """() => [...document.querySelectorAll("button, a, select, summary, input")]
            .filter((one) => one.checkVisibility() && !one.classList.contains("jump"))
            .map((one) => [one.textContent, one.getBoundingClientRect()])
            .filter(([, box]) => box.width && (box.width < 24 || box.height < 24))
            .map(([text, box]) => `${text}: ${box.width} x ${box.height}`)"""
    )
    assert small == []


def test_a_group_has_a_name_for_who_hears_it(visit: Visits, world: World) -> None:
    visitor = visit()
    row = visitor.page.locator(f'.row[data-group="{group_of(world, "triple.jpg")}"]')
    expect(row).to_have_role("article")
    expect(row).to_have_accessible_name("Identical: triple.jpg and 2 more")
    visitor.go_to(group_of(world, "triple.jpg"))
    visitor.press("a")
    expect(row).to_have_accessible_name("Identical: triple.jpg and 2 more, decided")
    said = visitor.page.locator("#spoken")
    expect(said).to_have_text("Chosen for the trash: the 2 copies")
