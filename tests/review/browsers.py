"""A Chromium for tests that look at pages, and what a page does in it that it should not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_BAD = ("serious", "critical")  # what axe says of a finding that keeps somebody out


def chromium() -> str | None:
    """Where it is: what scripts/test found, or the first in PATH."""
    named = os.environ.get("IMGCAT_BROWSER") or "/usr/bin/chromium"
    if os.access(named, os.X_OK):
        return named
    return next(filter(None, map(shutil.which, _NAMES)), None)


needs_browser = pytest.mark.skipif(
    chromium() is None, reason="needs Chromium, which scripts/browser installs"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests of a module."""
    path = chromium()
    assert path is not None, "a test that takes this is marked with needs_browser"
    # Its own sandbox refuses to run as root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=options)
        try:
            yield started
        finally:
            started.close()


@dataclass
class Watched:
    """A page, and what went wrong in it.

    ``complaints`` are errors and warnings of its console, and what it threw; ``requests`` are the
    addresses of all it asked for that do not begin with ``home``.
    """

    page: Page
    home: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _asked(self, address: str) -> None:
        if not address.startswith((self.home, "data:")):
            self.requests.append(address)

    def barriers(self) -> list[str]:
        """What keeps people out, as axe finds it: the rule, and where it is broken."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {node['html'][:200]}"
            for each in found
            if each["impact"] in _BAD
            for node in each["nodes"]
        ]

    def too_wide(self) -> int:
        """Pixels by which it has to be moved sideways to be seen."""
        root = "document.documentElement"
        beyond: int = self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
        return beyond


def watched(browser: Browser, home: str, *, width: int = 1440, dark: bool = False) -> Watched:
    """A new page in a window of its own, which nothing has been opened in yet."""
    scheme: Any = "dark" if dark else "light"
    size: Any = {"width": width, "height": 900}
    context = browser.new_context(viewport=size, color_scheme=scheme)
    return Watched(context.new_page(), home)


def as_address(file: Path) -> str:
    return file.resolve().as_uri()
