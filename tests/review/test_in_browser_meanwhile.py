"""The review page in a browser while things change: another tab, files, the catalog, the server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Route, expect

from tests.review.albums import GROUPS, PROTECTED, SIDES, fill, saved
from tests.review.visitors import Visitor, Visits, browser, changed, needs_browser, visit
from tests.review.worlds import World, group_of, picture

__all__ = ["browser", "visit"]

pytestmark = [needs_browser, pytest.mark.soak]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = World(tmp_path_factory.mktemp("meanwhile"), fill, PROTECTED)
    yield found
    found.end()


def decided(visitor: Visitor, group: str) -> bool:
    return any(row["decided"] for row in visitor.rows if row["group"] == group)


# -- two tabs ------------------------------------------------------------------------------------


def test_a_choice_in_one_tab_is_seen_in_the_other(visit: Visits, world: World) -> None:
    one = visit()
    other = visit(beside=one)
    group = world.page.groups()[1]["group"]
    one.go_to(group)
    one.press("a")
    other.until(lambda: decided(other, group))
    expect(other.text("chosen")).to_have_text(one.text("chosen").inner_text())
    one.press("u")
    other.until(lambda: not decided(other, group))


def test_a_choice_that_two_tabs_see_is_shown_in_the_closer_look_too(
    visit: Visits, world: World
) -> None:
    one = visit()
    other = visit(beside=one)
    group = group_of(world, "twin.jpg")
    other.look_closer(group)
    one.go_to(group)
    one.press("a")
    expect(other.text("closer").get_by_role("button", name="Keep this one")).to_be_visible()


def test_a_plan_that_was_shown_is_not_carried_out_after_another_choice(
    visit: Visits, world: World
) -> None:
    before = world.tree()
    one = visit()
    one.go_to(group_of(world, "twin.jpg"))
    one.press("a", "p")
    words = one.text("plan-words")
    expect(words).to_contain_text("Move 1 photo")
    move = one.page.get_by_role("button", name="Move 1 photo to the trash")
    one.page.route("**/api/state", lambda route: None)  # this tab hears of nothing meanwhile
    two = group_of(world, "triple.jpg")
    (group,) = (each for each in world.page.groups() if each["group"] == two)
    keep, *drop = ({k: photo[k] for k in ("id", "size", "mtime_ns")} for photo in group["photos"])
    world.page.post("choose", {"group": two, "keep": keep, "drop": drop})
    move.click()
    expect(words).to_contain_text("Move 3 photos")
    expect(one.text("plan")).to_contain_text("look at the plan again")
    one.forgive("409 (Conflict)")
    one.page.unroute("**/api/state")
    assert world.tree() == before


# -- files that change ---------------------------------------------------------------------------


def test_a_file_that_changed_is_not_chosen(visit: Visits, world: World) -> None:
    visitor = visit()
    group = group_of(world, "twin.jpg")
    visitor.go_to(group)
    with changed(world, "b/twin-1.jpg", saved(picture(99, SIDES))):
        before = world.tree()
        visitor.press("a")
        alert = visitor.row.get_by_role("alert")
        expect(alert).to_contain_text("twin-1.jpg changed on the disk")
        assert not decided(visitor, group)
        assert world.page.state()["chosen"]["photos"] == 0
        assert world.tree() == before
    visitor.forgive("409 (Conflict)")


def test_a_file_that_changed_after_it_was_chosen_stays(visit: Visits, world: World) -> None:
    visitor = visit()
    for name in ("twin.jpg", "triple.jpg"):
        visitor.go_to(group_of(world, name))
        visitor.press("a")
    world.page.until_chosen(3)
    with changed(world, "b/twin-1.jpg", saved(picture(99, SIDES))):
        before = world.files()
        visitor.press("p")
        expect(visitor.text("plan-words")).to_contain_text("Move 2 photos")
        visitor.page.get_by_role("button", name="Move 2 photos to the trash").click()
        expect(visitor.text("receipt").first).to_contain_text("2 photos")
        after = world.files()
        gone = {b"b/triple-1.jpg", b"b/triple-2.jpg"}
        assert after == {path: file for path, file in before.items() if path not in gone}
        visitor.page.get_by_role("button", name="Undo", exact=True).last.click()
        expect(visitor.text("receipt").locator("visible=true")).to_contain_text("put back")
        assert world.files() == before
    world.imgcat("index", "-q", str(world.photos))
    world.page.until_found(GROUPS)
    visitor.forgive("409 (Conflict)", sure=False)  # a picture of what it was
    visitor.forgive("404 (Not Found)", sure=False)
    visitor.forgive("415 (Unsupported Media Type)", sure=False)


# -- copies that appear --------------------------------------------------------------------------


@contextmanager
def another(world: World, name: str, seed: int) -> Iterator[None]:
    """A new photo and its copy, for a while."""
    paths = [world.put(f"{folder}/{name}", saved(picture(seed, SIDES))) for folder in "ab"]
    try:
        yield
    finally:
        for path in paths:
            os.unlink(path)
        world.imgcat("index", "-q", str(world.photos))
    world.page.until_found(GROUPS)


def place_of(visitor: Visitor, group: str) -> float:
    """Where its row is on the screen, in pixels."""
    (row,) = (row for row in visitor.rows if row["group"] == group)
    return float(row["top"])


def in_the_middle(visitor: Visitor) -> str:
    """Scrolled down a little; the group at which the keyboard is."""
    visitor.press("Home", "j", "j", "j", "j", "j", "j")
    visitor.until(lambda: visitor.at is not None)
    return str(visitor.at)


# Frame by frame, how far a row was from where it was at first.
_FOLLOW = """(group) => {
    const top = () => document.querySelector(`.row[data-group="${group}"]`)
        ?.getBoundingClientRect().top ?? Infinity;
    const first = top();
    window.moved = 0;
    const look = () => {
        window.moved = Math.max(window.moved, Math.abs(top() - first));
        requestAnimationFrame(look);
    };
    look();
}"""


def test_a_copy_that_appears_is_listed_and_nothing_moves(visit: Visits, world: World) -> None:
    visitor = visit(height=600)
    group = in_the_middle(visitor)
    visitor.page.evaluate(_FOLLOW, group)
    with another(world, "new.png", 50):
        world.imgcat("index", "-q", str(world.photos))
        expect(visitor.text("totals")).to_contain_text(f"{GROUPS + 1} groups")
        expect(visitor.text("count")).to_contain_text(f"{GROUPS + 1} groups")
        assert visitor.at == group
    expect(visitor.text("count")).to_contain_text(f"{GROUPS} groups")
    assert visitor.page.evaluate("window.moved") < 1


def test_what_is_going_on_is_told_and_nothing_moves(visit: Visits) -> None:
    visitor = visit()
    group = in_the_middle(visitor)
    place = place_of(visitor, group)

    def searching(route: Route) -> None:
        told = route.fetch().json()
        route.fulfill(json=told | {"finding": {"what": "Searching", "done": 1, "total": 9}})

    visitor.page.route("**/api/state", searching)
    expect(visitor.page.get_by_text("Searching: 1 of 9")).to_be_visible()
    assert place_of(visitor, group) == place
    visitor.page.unroute("**/api/state")
    expect(visitor.page.get_by_text("Searching")).to_be_hidden()
    assert place_of(visitor, group) == place


def test_with_watch_running_it_appears_by_itself(visit: Visits, world: World) -> None:
    daemon = world.start("watch")
    try:
        world.page.until("fresh", True)  # from then on no remark above the list says that it is not
        visitor = visit(height=600)
        group = in_the_middle(visitor)
        place = place_of(visitor, group)
        with another(world, "watched.png", 51):
            expect(visitor.text("count")).to_contain_text(f"{GROUPS + 1} groups", timeout=30_000)
            assert place_of(visitor, group) == pytest.approx(place, abs=1)
            daemon.terminate()
            daemon.wait(30)
    finally:
        ended(daemon)


def ended(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.communicate()


# -- the server ----------------------------------------------------------------------------------


def test_choices_survive_a_reload_and_another_server_and_an_end_is_told(
    visit: Visits, world: World
) -> None:
    visitor = visit()
    group = world.page.groups()[1]["group"]  # in view
    visitor.go_to(group)
    visitor.press("a")
    world.page.until_chosen(1)
    visitor.page.reload()
    visitor.until(lambda: decided(visitor, group))
    trouble = visitor.text("trouble")

    world.end()
    expect(trouble).to_contain_text("imgcat review has ended. Start it again")
    world.page = world.review("--port", str(world.page.port))
    expect(trouble).to_contain_text("another one was started")

    visitor.enter(world.page)
    visitor.forgive("ERR_CONNECTION_REFUSED")
    visitor.forgive("401 (Unauthorized)")
    visitor.until(lambda: decided(visitor, group))
    expect(trouble).to_be_empty()
    visitor.press("p")
    expect(visitor.text("plan-words")).to_contain_text("Move 1 photo")


def test_a_killed_server_is_told_of_and_loses_no_choice(visit: Visits, world: World) -> None:
    visitor = visit()
    visitor.go_to(group_of(world, "twin.jpg"))
    visitor.press("a")
    world.page.until_chosen(1)
    world.page.process.kill()
    world.page.wait()
    expect(visitor.text("trouble")).to_contain_text("Your choices are kept")
    visitor.press("j", "a")
    expect(visitor.row.get_by_role("alert")).to_contain_text("imgcat review has ended")
    visitor.page.close()  # else it goes on asking
    visitor.forgive("ERR_CONNECTION_REFUSED")
    world.page = world.review()
    assert world.page.state()["chosen"]["photos"] == 1
