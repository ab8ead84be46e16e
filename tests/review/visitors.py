"""Somebody who sits at the review page in a real Chromium, mostly with the keyboard."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, expect

from tests.review.browsers import Watched, browser, needs_browser
from tests.review.worlds import Page, World

__all__ = ["browser", "needs_browser", "visit"]

PATIENCE = 10.0  # seconds
expect.set_options(timeout=PATIENCE * 1000)

_ROWS = """() => [...document.querySelectorAll("#list .row[data-group]")]
    .sort((one, other) => one.ariaPosInSet - other.ariaPosInSet)
    .map((row) => ({
        place: Number(row.ariaPosInSet) - 1,
        group: row.dataset.group,
        top: row.getBoundingClientRect().top,
        decided: row.classList.contains("decided"),
        names: [...row.querySelectorAll(".card:not([hidden]) .name")].map((name) => name.title),
        more: row.querySelector(".more:not([hidden])")?.textContent ?? "",
        text: row.innerText,
    }))"""
_AT = """() => document.activeElement?.closest(".row")?.dataset.group ?? null"""
_DRAWN = """() => [...document.querySelectorAll("[data-testid=stage] .sheet")]
    .every((sheet) => sheet.querySelector("img[data-size=view]")?.naturalWidth > 0)"""


class Visitor(Watched):
    """A tab of a browser."""

    # -- the way in ----------------------------------------------------------------------------

    def enter(self, server: Page) -> None:
        """By the address that was printed, until groups are there."""
        self.page.goto(server.address)
        self.see_list()

    def see_list(self) -> None:
        expect(self.page.locator("#list .row[data-group]").first).to_be_visible()

    # -- what is seen --------------------------------------------------------------------------

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The groups that are on the screen or near it, in their order."""
        return list(self.page.evaluate(_ROWS))

    def all_rows(self) -> list[dict[str, Any]]:
        """All groups of the list, scrolled through to its end."""
        found: dict[int, dict[str, Any]] = {}
        self.press("Escape", "Home")  # out of a field of the filters
        for _ in range(self.total):
            found |= {row["place"]: row for row in self.rows}
            self.press("j", "j")
            if len(found) == self.total:
                break
        self.press("Home")
        return [found[place] for place in sorted(found)]

    @property
    def total(self) -> int:
        """How many groups are listed."""
        return int(self.row.get_attribute("aria-setsize") or 0)

    @property
    def row(self) -> Locator:
        """Where the keyboard is."""
        return self.page.locator("#list .row.current")

    @property
    def at(self) -> str | None:
        """The group whose row has the focus."""
        found = self.page.evaluate(_AT)
        return None if found is None else str(found)

    @property
    def focused(self) -> Locator:
        return self.page.locator(":focus")

    @property
    def stage(self) -> Locator:
        return self.page.get_by_test_id("stage")

    def text(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    def pixels(self, where: Locator | None = None) -> Image.Image:
        """What is drawn there; else, on the whole page."""
        return Image.open(io.BytesIO((where or self.page).screenshot())).convert("RGB")

    # -- what is done --------------------------------------------------------------------------

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def go_to(self, group: str) -> None:
        """To the row of this group, by keys."""
        self.press("Escape", "Home")
        for _ in range(self.total):
            self.until(lambda: self.at is not None)
            if self.at == group:
                return
            self.press("j")
        raise AssertionError(f"{group} is not in the list")

    def look_closer(self, group: str) -> None:
        """Its closer look by keys, with both photos drawn."""
        self.go_to(group)
        self.press("Enter")
        self.page.wait_for_url(f"**/#/group/{group}*")
        self.see_photos()

    def back_to_list(self) -> None:
        self.press("Escape")
        self.see_list()

    def see_photos(self) -> None:
        self.page.wait_for_function(_DRAWN)

    def tab_to(self, what: Locator, most: int = 120) -> None:
        """Press Tab until it has the focus."""
        for _ in range(most):
            if what.evaluate("(one) => one === document.activeElement"):
                return
            self.press("Tab")
        raise AssertionError(f"Tab does not come to {what}")

    def until(self, so: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not so():
            assert time.monotonic() < end, self.page.locator("main").inner_text()[:1000]
            self.page.wait_for_timeout(30)

    def forgive(self, words: str, *, sure: bool = True) -> None:
        """The browser says in its console what the server refused, as it was asked to here."""
        kept = [complaint for complaint in self.complaints if words not in complaint]
        assert len(kept) < len(self.complaints) or not sure, f"nothing was said of {words}"
        self.complaints[:] = kept


@dataclass
class Visits:
    """Opens tabs, and closes them; none of them may have complained of anything."""

    browser: Browser
    world: World
    visitors: list[Visitor] = field(default_factory=list)

    def __call__(self, *, enter: bool = True, beside: Visitor | None = None, **how: Any) -> Visitor:
        """A tab in a window of its own, or ``beside`` another one, which shares its cookie."""
        size = {"width": how.pop("width", 1440), "height": how.pop("height", 900)}
        context = beside.page.context if beside else self.browser.new_context(viewport=size, **how)
        context.set_default_timeout(PATIENCE * 1000)
        found = Visitor(context.new_page(), f"http://{self.world.page.host}/")
        self.visitors.append(found)
        if beside:
            found.page.goto(found.home)
            found.see_list()
        elif enter:
            found.enter(self.world.page)
        return found

    def end(self) -> None:
        for visitor in self.visitors:
            visitor.page.context.close()
        said = [visitor.complaints for visitor in self.visitors]
        assert not any(said), said
        asked = [visitor.requests for visitor in self.visitors]
        assert not any(asked), asked


@pytest.fixture
def visit(browser: Browser, world: World) -> Iterator[Visits]:
    """After a test nothing is in the tray, and no tab complained or asked another host."""
    visits = Visits(browser, world)
    yield visits
    visits.end()
    world.page.post("clear", {})


@contextmanager
def changed(world: World, name: str | bytes, data: bytes) -> Iterator[None]:
    """Other bytes in a file for a while."""
    path = world.path(name)
    with open(path, "rb") as file:
        before = file.read()
    with open(path, "wb") as file:
        file.write(data)
    try:
        yield
    finally:
        world.put(name, before)
