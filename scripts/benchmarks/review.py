"""``bench review``: the page of ``imgcat review`` in a Chromium, as a person meets it.

*Opening* is of a catalog of very many made-up photos: until the first groups are on the screen,
where all matches are known and where nothing is. *Looking* and *deciding* are of groups of real
JPEGs: their pictures, a way through all of the list, the time from a key to what it does, and the
plan. Beside it, as floors, what the same browser takes for what does nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks import catalogs, gallery, match, product, trees
from benchmarks.browsing import PATIENCE, Visit, chromium, home, serving
from benchmarks.measuring import BenchError, median, run, say
from benchmarks.processes import Sampler
from benchmarks.reporting import Figure, Report

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PARTS: Final = ("opening", "deciding")
AGAIN_SECONDS: Final = 1.0  # at most, until the groups are visible once more
_AGAIN: Final = "opening: groups of the page loaded again"
_SLOW: Final = 50.0  # ms of a frame: what a person sees as a jerk
_SCROLLED: Final = 140  # pixels a frame: half a row
_ENOUGH: Final = 100  # groups; with fewer, nothing is said of speed


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is measured."""

    photos: str  # folder with real pictures
    contents: int  # of the made-up catalog
    groups: int  # of real JPEGs
    side: int  # pixels: a photo is 4 by 3 of it
    keys: int  # decisions that are waited for, one by one
    screens: int  # of pictures that are waited for, one by one
    rounds: int
    jobs: int
    work: str
    parts: Sequence[str] = PARTS


@dataclass(slots=True)
class _Samples:
    """What every round gave; a figure is the middle of it."""

    units: dict[str, str] = field(default_factory=dict)
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float, unit: str) -> None:
        self.units[name] = unit
        self.values.setdefault(name, []).append(value)

    def spread(self, name: str, values: Sequence[float]) -> None:
        """Of many milliseconds in one round: the middle, and what 95 of 100 are below."""
        self.add(f"{name}, median", median(values), "ms")
        self.add(f"{name}, 95 %", float(np.percentile(values, 95)), "ms")

    def figures(self) -> list[Figure]:
        limits = {_AGAIN: AGAIN_SECONDS}
        return [
            Figure(name, median(values), self.units[name], at_most=limits.get(name))
            for name, values in self.values.items()
        ]


def bench(inputs: Inputs) -> Report:
    """Measure. Raises BenchError where the page did not show or do what it should."""
    names = ("contents", "groups", "side", "keys", "screens", "rounds")
    given = {name: getattr(inputs, name) for name in names}
    report = Report("review", {**given, "parts": list(inputs.parts), "page_cache": "warm"})
    if inputs.groups < _ENOUGH:
        report.notes.append("too few groups to say how fast: this shows only that it works")
    samples = _Samples()
    measures = {"opening": _opening, "deciding": _deciding}
    with (
        tempfile.TemporaryDirectory(prefix="review-", dir=inputs.work) as folder,
        chromium() as browser,
    ):
        for part in inputs.parts:
            measures[part](inputs, folder, browser, samples)
    report.rounds = {
        name: [round(value, 5) for value in values] for name, values in samples.values.items()
    }
    report.figures += samples.figures()
    return report


# -- opening ---------------------------------------------------------------------------------------


def _opening(inputs: Inputs, folder: str, browser: Browser, samples: _Samples) -> None:
    made = catalogs.made_of_pictures(inputs.work, inputs.contents, inputs.photos)
    known, fresh = (os.path.join(folder, f"{name}.db") for name in ("known", "fresh"))
    for catalog in (known, fresh):
        shutil.copyfile(made.path, catalog)
        match.forget_matches(catalog)
    say("imgcat dupes, so that all is known")
    with home(folder) as environment:
        run([product.IMGCAT, "--catalog", known, "dupes", "--json"], environment=environment)
        match.take_for_told(known)
        for number in range(1, inputs.rounds + 1):
            say(f"opening, round {number} of {inputs.rounds}")
            _open_known(known, environment, browser, samples)
    with home(folder) as environment:
        say("opening, where nothing is known")
        _open_fresh(fresh, environment, browser, samples)


def _open_known(
    catalog: str, environment: dict[str, str], browser: Browser, samples: _Samples
) -> None:
    with serving(catalog, environment) as server, Visit(browser) as visit:
        shown = visit.enter(server)
        samples.add("opening: start to the address", server.printed - server.started, "s")
        samples.add("opening: address to the groups", shown - server.printed, "s")
        samples.add("opening: both", shown - server.started, "s")
        begun = time.time()
        samples.add(_AGAIN, visit.again() - begun, "s")
        samples.add(
            "floor: its icon in the browser", visit.seconds(f"{server.home}static/icon.svg"), "s"
        )
        with Visit(browser) as stranger:
            samples.add("floor: its way in", stranger.seconds(server.home), "s")
    version = run([product.IMGCAT, "--version"], environment=environment)
    samples.add("floor: imgcat --version", version.cost.wall, "s")


def _open_fresh(
    catalog: str, environment: dict[str, str], browser: Browser, samples: _Samples
) -> None:
    with serving(catalog, environment) as server, Visit(browser) as visit:
        shown = visit.enter(server)
        samples.add("first time: start to the first groups", shown - server.started, "s")
        _until_found(visit)
        samples.add("first time: until all is found", time.time() - server.started, "s")


def _until_found(visit: Visit, groups: int | None = None) -> dict[str, Any]:
    """The state once nothing is being found. Raises BenchError where it is not so many groups."""
    until = time.monotonic() + PATIENCE
    while True:
        state: dict[str, Any] = visit.ask("state")
        found = state["found"]["groups"]
        if state["ready"] and state["finding"] is None and groups in (None, found):
            return state
        if time.monotonic() > until or (groups is not None and found > groups):
            raise BenchError(f"the page has {found:,} groups, not {groups}: {state}")
        time.sleep(0.1)


# -- looking and deciding --------------------------------------------------------------------------


def _deciding(inputs: Inputs, folder: str, browser: Browser, samples: _Samples) -> None:
    tree = gallery.gallery(inputs.work, inputs.photos, inputs.groups, inputs.side)
    photos, catalog = os.path.join(folder, "photos"), os.path.join(folder, "catalog.db")
    gallery.linked(tree, photos)
    trees.warm(photos)
    say(f"indexing {2 * inputs.groups:,} photos")
    product.expect(product.index(catalog, photos, inputs.jobs), added=2 * inputs.groups, failed=0)
    say("imgcat dupes, so that all is known")
    with home(folder) as environment:
        run([product.IMGCAT, "--catalog", catalog, "dupes", "--json"], environment=environment)
    for number in range(1, inputs.rounds + 1):
        say(f"deciding, round {number} of {inputs.rounds}")
        with (
            home(folder) as environment,
            serving(catalog, environment) as server,
            Sampler(server.process.pid) as sampler,
            Visit(browser) as visit,
        ):
            shown = visit.enter(server)
            _until_found(visit, inputs.groups)
            _look(visit, shown, inputs, samples)
            samples.add("memory: the page", visit.memory()[0] / 1e6, "MB")
            samples.add("memory: what its scripts hold", visit.memory()[1] / 1e6, "MB")
            _decide(visit, inputs, samples)
            _carry_out(visit, inputs.groups, samples)
        samples.add("memory: the server", sampler.peak.daemon / 1e6, "MB")
        samples.add("memory: with its processes", sampler.peak.all / 1e6, "MB")
        _scroll_plain(browser, inputs.groups, samples)


def _look(visit: Visit, shown: float, inputs: Inputs, samples: _Samples) -> None:
    """At pictures that were never drawn, and once more; and through all of the list."""
    for kind in ("cold", "warm"):
        if kind == "warm":
            shown = visit.again()
        pictures = visit.ask("pictures")
        if pictures["failed"]:
            raise BenchError(f"{pictures['failed']} pictures cannot be shown")
        seconds = pictures["moment"] / 1000 - shown
        samples.add(f"{kind}: groups to their pictures", max(0.0, seconds), "s")
        samples.add(f"{kind}: such pictures", len(pictures["addresses"]), "")
        leafed = visit.ask("leaf", inputs.screens)
        samples.add(f"{kind}: pictures a second", leafed["pictures"] / leafed["seconds"], "")
        scrolled = visit.ask("scroll", _SCROLLED)
        _frames(f"{kind} scroll", scrolled["frames"], samples)
        samples.add(f"{kind} scroll: elements at most", scrolled["elements"], "")


def _scroll_plain(browser: Browser, groups: int, samples: _Samples) -> None:
    with Visit(browser) as visit:
        visit.page.goto("about:blank")
        visit.ask("plain", groups, 296, 2)
        _frames("floor: scroll", visit.ask("scroll", _SCROLLED)["frames"], samples)


def _frames(name: str, frames: list[float], samples: _Samples) -> None:
    samples.spread(f"{name}: a frame", frames)
    slow = sum(frame > _SLOW for frame in frames)
    samples.add(f"{name}: frames over {_SLOW:g} ms", 100 * slow / len(frames), "%")


def _decide(visit: Visit, inputs: Inputs, samples: _Samples) -> None:
    """With the keyboard, from the top of the list."""
    visit.again()
    visit.page.locator(".row[data-group]").first.focus()
    taken = []
    for _ in range(inputs.keys):
        visit.page.keyboard.press("a")
        taken.append(visit.ask("decision"))
        visit.page.keyboard.press("j")
    samples.spread("key to the row", [each["shown"] for each in taken])
    samples.spread("key to the answer", [each["told"] for each in taken])
    samples.spread("floor: a question", visit.ask("asked", inputs.keys))
    chosen = visit.ask("state")["chosen"]["photos"]
    if chosen != inputs.keys:
        raise BenchError(f"{inputs.keys} keys chose {chosen} photos")


def _carry_out(visit: Visit, groups: int, samples: _Samples) -> None:
    """The plan of all copies, the deed, and that undone."""
    visit.ask("chooseAll")
    visit.again()  # so that the page knows of choices that it did not make
    samples.add(f"plan of {groups:,}", visit.ask("plan"), "s")
    applied = visit.ask("apply")
    samples.add(f"apply of {groups:,}", applied["seconds"], "s")
    _expect(applied["receipt"], groups)
    undone = visit.ask("undo", applied["receipt"]["action"])
    samples.add(f"undo of {groups:,}", undone["seconds"], "s")
    _expect(undone["receipt"], groups)


def _expect(receipt: dict[str, Any], count: int) -> None:
    if receipt["done"] != count or receipt["refused"] or receipt["stopped"]:
        raise BenchError(f"{receipt['done']} of {count} photos: {receipt}")
