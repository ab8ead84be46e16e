"""The review page as somebody meets it in a browser: the way in, the list, and an evening at it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from catalog.escaping import printable
from tests.review.albums import GROUPS, HOSTILE, PROTECTED, SIXTY, fill
from tests.review.visitors import Visitor, Visits, browser, needs_browser, visit
from tests.review.worlds import World, group_of, of_dupes, path_of

__all__ = ["browser", "visit"]

pytestmark = needs_browser
OTHER = "Open the address that imgcat review printed."


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = World(tmp_path_factory.mktemp("browser"), fill, PROTECTED)
    yield found
    found.end()


def as_shown(world: World, path: str | bytes) -> str:
    """A path below the photos, as the page names it."""
    folder, name = os.path.split(world.path(path))
    return f"{printable(folder)}/{printable(name)}"


# -- the way in ----------------------------------------------------------------------------------


def test_the_printed_address_opens_it_and_its_token_stays_nowhere(
    visit: Visits, world: World
) -> None:
    visitor = visit()
    token = world.page.token
    assert visitor.page.url == f"{visitor.home}#/"
    entries = "navigation.entries().map((entry) => entry.url)"
    assert not any(token in url for url in visitor.page.evaluate(entries))
    assert token not in visitor.page.evaluate(
        "document.documentElement.outerHTML + document.referrer"
    )
    visitor.page.reload()
    visitor.see_list()


def test_a_browser_without_the_cookie_is_told_how_to_come_in(visit: Visits) -> None:
    visit()
    stranger = visit(enter=False)
    stranger.page.goto(stranger.home)
    expect(stranger.page.get_by_role("alert")).to_have_text(OTHER)
    expect(stranger.page.locator("#list")).to_have_count(0)


def test_a_wrong_token_opens_nothing(visit: Visits, world: World) -> None:
    stranger = visit(enter=False)
    stranger.page.goto(f"{stranger.home}#{'x' * len(world.page.token)}")
    expect(stranger.page.get_by_role("alert")).to_have_text(OTHER)
    assert stranger.page.url == stranger.home
    stranger.forgive("403 (Forbidden)")


# -- the list ------------------------------------------------------------------------------------


def in_list(visitor: Visitor) -> list[tuple[list[str], int]]:
    """The names of each group that are shown, and how many more there are."""
    return [(row["names"], int(row["more"] or 0)) for row in visitor.all_rows()]


def test_the_list_shows_what_dupes_says_in_its_order(visit: Visits, world: World) -> None:
    visitor = visit()
    shown = in_list(visitor)
    said = [
        [as_shown(world, path_of(photo)) for photo in each["photos"]] for each in of_dupes(world)
    ]
    assert len(said) == GROUPS
    for (seen, more), names in zip(shown, said, strict=True):
        assert (seen, len(seen) + more) == (names[: len(seen)], len(names))
    assert any(more > SIXTY // 2 for _, more in shown)


def test_names_that_would_be_html_are_shown_as_they_are(visit: Visits, world: World) -> None:
    visitor = visit()
    shown = {name.rpartition("/")[2] for names, _ in in_list(visitor) for name in names}
    assert {printable(name) for name in HOSTILE} <= shown
    assert visitor.page.locator('#list img[src="x"]').count() == 0


# -- an evening ----------------------------------------------------------------------------------


def test_ten_groups_are_decided_by_keys_moved_to_the_trash_and_brought_back(
    visit: Visits, world: World
) -> None:
    before = world.files()
    visitor = visit()
    planned = decide_in_list(visitor, world) | decide_in_closer_look(visitor, world)
    world.page.until_chosen(len(planned))
    assert world.files() == before

    visitor.press("p")
    expect(visitor.text("plan-words")).to_contain_text(f"Move {len(planned)} photos to the trash")
    for button in visitor.page.get_by_role("button", name="more").all():
        visitor.tab_to(button)
        visitor.press("Enter")
    assert going(visitor) == {as_shown(world, path) for path in planned}
    assert world.files() == before

    move = visitor.page.get_by_role("button", name=f"Move {len(planned)} photos to the trash")
    visitor.tab_to(move)
    visitor.press("Enter")
    receipt = visitor.text("receipt").locator("visible=true")
    expect(receipt).to_contain_text(f"{len(planned)} photos")
    assert world.files() == {path: file for path, file in before.items() if path not in planned}

    visitor.press("h")
    undo = visitor.text("history").get_by_role("button", name="Undo").first
    expect(undo).to_be_enabled()
    visitor.tab_to(undo)
    visitor.press("Enter")
    expect(receipt).to_contain_text(f"{len(planned)} photos")
    assert world.files() == before
    undo_all(visitor, world)


def decide_in_list(visitor: Visitor, world: World) -> set[bytes]:
    """Six groups, and one that is taken back; what goes of them."""
    keys: dict[str, list[str]] = {
        "twin.jpg": ["a"],
        "triple.jpg": ["ArrowRight", "ArrowRight", "ArrowRight", "x"],
        "scaled.jpg": ["ArrowRight", "ArrowRight", "s", "a"],
        "sixty.jpg": ["a"],
        printable(HOSTILE[0]): ["a"],
        "guarded.jpg": ["a"],
        printable(HOSTILE[1]): ["a", "u"],
    }
    for name, pressed in keys.items():
        visitor.go_to(group_of(world, name))
        visitor.press(*pressed)
    expect(visitor.text("toasts")).to_contain_text("Undone")
    sixty = {b"b/sixty-%d.jpg" % number for number in range(1, SIXTY)}
    scaled = {b"a/scaled.jpg", b"b/scaled-2.jpg"}
    copies = {b"b/twin-1.jpg", b"b/triple-2.jpg", b"b/" + HOSTILE[0], b"b/guarded.jpg"}
    world.page.until_chosen(len(sixty | scaled | copies))
    return sixty | scaled | copies


def decide_in_closer_look(visitor: Visitor, world: World) -> set[bytes]:
    """Four groups, one of them skipped first, and a pair that is no pair."""
    large, grey, cut, turned, phone = (
        group_of(world, name)
        for name in ("large.png", "grey.jpg", "cut.jpg", "turned.jpg", "phone.heic")
    )
    visitor.look_closer(large)
    visitor.press("n")
    visitor.page.wait_for_url(lambda url: large not in url)
    visitor.back_to_list()
    visitor.look_closer(cut)
    visitor.press("s")
    expect(visitor.stage.locator("xpath=..")).to_contain_text("Keep: cut.jpg")
    visitor.press("x")
    visitor.page.wait_for_url(lambda url: cut not in url)  # the next one comes by itself
    for group, key in ((turned, "a"), (phone, "x"), (grey, "b")):
        visitor.back_to_list()
        visitor.look_closer(group)
        visitor.press(key)
        visitor.page.wait_for_url(lambda url, group=group: group not in url)
    visitor.back_to_list()
    return {kept_of(world, "cut.jpg"), goes_of(world, turned), goes_of(world, phone)}


def kept_of(world: World, name: str) -> bytes:
    """The photo with more of the picture, as the other one was made the keeper."""
    return b"a/" + os.fsencode(name)


def goes_of(world: World, group: str) -> bytes:
    """What is not the suggested one of a pair."""
    _, copy = world.page.get(f"/api/group/{group}").json["photos"]
    return os.fsencode(f"{copy['folder'].rpartition('/')[2]}/{copy['name']}")


def going(visitor: Visitor) -> set[str]:
    """What the plan says that goes, as it is shown."""
    fates = visitor.text("plan").locator(".goes")
    names = fates.locator(".fate-name").all_text_contents()
    folders = fates.locator(".fate-folder").all_text_contents()
    return {f"{folder}/{name}" for name, folder in zip(names, folders, strict=True)}


def undo_all(visitor: Visitor, world: World) -> None:
    """What was said of photos that are no copies too."""
    undo = visitor.text("history").get_by_role("button", name="Undo")
    expect(undo).to_have_count(1)
    expect(undo).to_be_enabled()
    visitor.tab_to(undo)
    visitor.press("Enter")
    expect(undo).to_have_count(0)
    world.page.until_found(GROUPS)
