"""The pictures of the review page that the README shows.

    python -m picturing PHOTOS FOLDER

``PHOTOS`` has the folders ``cc0_budgie_wallpapers`` and ``cc0_drone_*``. The home folder of the
review is a temporary one, so that only ``~/Photos`` and ``~/Phone`` are to be seen.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

MOST_BYTES: Final = 250_000  # of a picture
_WIDE: Final = {"width": 1440, "height": 900}
_NARROW: Final = {"width": 390, "height": 844}
_THEN, _LATER = 1_630_000_000, 1_640_000_000  # when photos and copies were changed last
_LOADED: Final = """() => [...document.querySelectorAll("img")]
    .filter((one) => one.checkVisibility()).every((one) => one.complete && one.naturalWidth)"""

# How copies come about: the size of the original that is left, the quality, and the folder.
_COPIES: Final = {
    "otters": [(1.0, 100, "~/Photos/2021"), (0.4, 70, "~/Phone/WhatsApp")],
    "desert": [(0.5, 80, "~/Phone/Downloads")],
    "casa-mila": [(1.0, 100, "~/Photos/backup"), (1.0, 100, "~/Phone/DCIM"), (0.3, 60, "~/Phone")],
    "canyon": [(1.0, 60, "~/Phone/Downloads")],
    "waves": [(0.5, 75, "~/Photos/edited")],
    "IMG_9376": [(1.0, 100, "~/Photos/backup"), (0.25, 70, "~/Phone/WhatsApp")],
    "IMG_0469": [(0.5, 85, "~/Photos/edited")],
    "piazza": [(0.6, 80, "~/Phone/Downloads")],
}


def main(photos: Path, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="imgcat-") as place:
        home = Path(place).resolve()
        _collect(photos, home)
        environment = _environment(home)
        _imgcat(environment, "index", "-q", str(home / "Photos"), str(home / "Phone"))
        with _review(environment) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ["IMGCAT_BROWSER"],
                args=["--no-sandbox"] if os.geteuid() == 0 else [],
            )
            _picture_all(browser, address, folder)
            browser.close()
    return 0


def _collect(photos: Path, home: Path) -> None:
    """Put the photos and their copies where people have them."""
    for sets in ("cc0_budgie_wallpapers", "cc0_drone_caliterra", "cc0_drone_seneca"):
        for original in sorted((photos / sets).iterdir()):
            year = home / "Photos" / ("2021" if sets.startswith("cc0_drone") else "2019")
            year.mkdir(parents=True, exist_ok=True)
            os.utime(shutil.copy(original, year), (_THEN, _THEN))
            for part, copies in _COPIES.items():
                if part in original.name:
                    _copy(year / original.name, copies, home)


def _copy(original: Path, copies: list[tuple[float, int, str]], home: Path) -> None:
    for number, (size, quality, place) in enumerate(copies):
        folder = home / place.removeprefix("~/")
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / f"{original.stem}{f'-{number}' if number else ''}-copy.jpg"
        if (size, quality) == (1.0, 100):
            shutil.copy2(original, copy)  # with its time
            continue
        with Image.open(original) as photo:
            smaller = photo.resize((int(photo.width * size), int(photo.height * size)))
            smaller.save(copy, quality=quality)
        os.utime(copy, (_LATER, _LATER))


def _environment(home: Path) -> dict[str, str]:
    named = {f"XDG_{name}_HOME": str(home / ".local" / name) for name in ("DATA", "STATE", "CACHE")}
    return {**os.environ, **named, "HOME": str(home), "IMGCAT_CATALOG": str(home / "catalog.db")}


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "catalog", *arguments]


def _imgcat(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run(_command(*arguments), env=environment, check=True)


@contextmanager
def _review(environment: dict[str, str]) -> Iterator[str]:
    """The address of a review, as long as it is needed."""
    command = _command("review", "--no-browser", "--quiet")
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def _picture_all(browser: Browser, address: str, folder: Path) -> None:
    page = _opened(browser, address, _WIDE)
    expect(page.locator("#working")).to_be_hidden(timeout=30_000)
    for key in ("Home", "j", "a", "j", "j", "a", "Home"):
        page.keyboard.press(key)
    expect(page.get_by_test_id("chosen")).to_contain_text("in the tray")
    _save(page, folder / "review-list.webp")

    for key in ("Enter", *["ArrowRight"] * 3, "m", "+", "+"):
        page.keyboard.press(key)
    expect(page.get_by_test_id("facts")).to_contain_text("JPEG quality", timeout=30_000)
    _save(page, folder / "review-closer-look.webp")

    page.get_by_role("link", name="Look at the plan").click()
    expect(page.get_by_test_id("plan-words")).to_contain_text("Move")
    _save(page, folder / "review-plan.webp")

    narrow = _opened(
        browser, address, _NARROW, has_touch=True, is_mobile=True, device_scale_factor=2
    )
    _save(narrow, folder / "review-list-narrow.webp")


def _opened(browser: Browser, address: str, size: Any, **how: Any) -> Page:
    page = browser.new_context(viewport=size, color_scheme="light", **how).new_page()
    page.set_default_timeout(30_000)
    page.goto(address)
    expect(page.locator("#list .row[data-group]").first).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Put away").click()
    return page


def _save(page: Page, file: Path) -> None:
    """As good as it may be."""
    page.wait_for_timeout(700)  # until the list has come to rest, and pictures were asked for
    page.wait_for_function(_LOADED, timeout=30_000)
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for quality in range(90, 40, -5):
        shot.save(file, "WEBP", quality=quality, method=6)
        if file.stat().st_size <= MOST_BYTES:
            break
    print(f"{file}: {file.stat().st_size} bytes")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
