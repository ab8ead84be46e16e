"""Small photographs, copies of them, and a catalog that reads and compares in this process."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from catalog.imaging import looking
from catalog.matching import judge
from catalog.matching.judge import Judge
from catalog.matching.settle import Request
from catalog.model import Duplicates, Group, Rule, Stages
from catalog.queries.criteria import Criteria
from catalog.queries.duplicates import duplicates, selected
from catalog.queries.selection import EVERYTHING, Selection
from catalog.store.database import Database, open_for_reading
from catalog.store.matches import RULES
from tests.imaging import edits
from tests.imaging.edits import cropped, saved
from tests.support import Library, Reader, members

SIZE = (400, 300)

# -- pictures ----------------------------------------------------------------------------------


@cache
def photo(seed: int) -> Image.Image:
    """A photograph in colour; other seeds give others."""
    return edits.photo(seed).resize(SIZE, Image.Resampling.LANCZOS)


def barred(image: Image.Image, share: float = 0.1, grey: int = 0) -> Image.Image:
    """Between two bars, left and right, that together add ``share`` to the width."""
    bar = round(image.width * share / 2)
    return ImageOps.expand(image, (bar, 0), (grey, grey, grey))


def stamped(image: Image.Image) -> Image.Image:
    """With a date in a corner."""
    copy = image.copy()
    width, height = copy.size
    place = (0.66 * width, 0.9 * height)
    ImageDraw.Draw(copy).text(place, "24/12/2011", fill="white", font_size=height // 15)
    return copy


def next_shot(image: Image.Image, by: int = 14) -> Image.Image:
    """The scene a second later: something striped in it has moved."""
    copy = image.copy()
    pen = ImageDraw.Draw(copy)
    for stripe in range(0, 80, 16):
        at = 150 + by + stripe
        pen.rectangle((at, 110, at + 6, 190), fill=(30, 40, 35))
        pen.rectangle((at + 7, 110, at + 15, 190), fill=(200, 180, 90))
    return copy


COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "encoded": lambda image: saved(image, quality=60),
    "half": lambda image: saved(image.resize((image.width // 2, image.height // 2)), quality=85),
    "toned": lambda image: saved(ImageEnhance.Brightness(image).enhance(1.15), quality=88),
    "grey": lambda image: saved(image.convert("L"), quality=88),
    "stamped": lambda image: saved(stamped(image), quality=88),
    "cropped": lambda image: saved(cropped(image, (0.04, 0.96, 0.04, 0.96)), quality=88),
    "one-sided": lambda image: saved(cropped(image, (0.1, 1.0, 0.0, 1.0)), quality=88),
    "barred": lambda image: saved(barred(image), quality=88),
    "turned": lambda image: saved(image.transpose(Image.Transpose.ROTATE_90), quality=88),
    "mirrored": lambda image: saved(ImageOps.mirror(image), quality=88),
}


def original(seed: int) -> bytes:
    """What comes out of the camera."""
    return saved(photo(seed), quality=93)


def shot(image: Image.Image, taken: str | None = None, quality: int = 93, sub: str = "") -> bytes:
    """A JPEG that says when it was taken, as EXIF has it: ``2021:07:04 10:31:05``."""
    exif = Image.Exif()
    if taken is not None:
        inner = exif.get_ifd(0x8769)
        inner[0x9003] = taken
        if sub:
            inner[0x9291] = sub
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, exif=exif)
    return buffer.getvalue()


# -- a catalog ---------------------------------------------------------------------------------


class Inline(Reader):
    """Stands in for all processes: what they would do is done here, and remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.instead: Callable[[Request], Any] = lambda request: None

    def run_all(
        self,
        function: Callable[[Any], Any],
        tasks: Iterable[Any],
        *,
        jobs: int = 1,
        warm_up: Callable[[], None] | None = None,
        time_limit: float = 30.0,
    ) -> Iterator[tuple[Any, Any]]:
        for task in tasks:
            if isinstance(task.item, tuple) and isinstance(task.item[-1], bytes | type(None)):
                yield from super().run_all(function, [task], jobs=jobs)
                continue
            if isinstance(task.item, Request):
                self.requests.append(task.item)
                other = self.instead(task.item)
                if other is not None:
                    yield task.item, other
                    continue
            yield task.item, function(task.item)

    def forget(self) -> None:
        super().forget()
        self.requests.clear()
        looking._pixels.cache_clear()

    def pool(self, *_arguments: Any) -> Inline:
        return self

    def end(self) -> None:
        """As a pool has it."""


class Album(Library):
    """A library of photographs, and what is remembered of their matches."""

    reader: Inline

    def add(self, seed: int, *names: str, folder: str = "") -> None:
        """The original of ``seed`` and copies of it, as ``<seed>-<name>.jpg``."""
        self.put(f"{folder}{seed}-original.jpg", original(seed))
        for name in names:
            self.put(f"{folder}{seed}-{name}.jpg", COPIES[name](photo(seed)))

    @contextmanager
    def judged(self, **options: Any) -> Iterator[tuple[Database, Judge]]:
        with (
            open_for_reading(self.catalog) as database,
            judge.called_in(database, jobs=1, **options) as called,
        ):
            yield database, called

    def search(self) -> Stages:
        """Find out what is alike, settle nothing."""
        with self.judged() as (_, called):
            return called.stages

    def settle(self) -> Stages:
        """Find out and settle everything."""
        with self.judged() as (_, called):
            called.decide(np.arange(len(called.known)))
            return called.stages

    def names(self) -> dict[int, str]:
        """One name of each content."""
        found = self.rows("SELECT content, name FROM photo WHERE content IS NOT NULL")
        return {content: os.fsdecode(name) for content, name in found}

    def ids_of(self, name: str) -> int:
        """The content of the file of this name."""
        ((content,),) = self.rows("SELECT content FROM photo WHERE name = ?", (os.fsencode(name),))
        return int(content)

    def remembered(self) -> dict[tuple[str, str], tuple[Any, ...]]:
        """The stored matches, by the names of both."""
        names = self.names()
        return {
            (names[first], names[second]): tuple(rest)
            for first, second, *rest in self.rows("SELECT * FROM match")
        }

    def rules(self) -> dict[frozenset[str], Rule]:
        """What decided about each remembered pair."""
        return {frozenset(pair): Rule(rule) for pair, (rule, *_) in self.remembered().items()}

    def ask(
        self,
        *paths: str,
        criteria: Criteria | None = None,
        selection: Selection = EVERYTHING,
        against: Sequence[str] = (),
        pairs: bool = False,
        **options: Any,
    ) -> Duplicates:
        """As ``dupes`` does, with everything read."""
        with open_for_reading(self.catalog) as database:
            answer = duplicates(
                database,
                [self.path(path) for path in paths],
                criteria,
                selected(database, selection, [self.path(path) for path in against]),
                pairs=pairs,
                **options,
            )
            listed = None if answer.pairs is None else list(answer.pairs)
            return Duplicates(
                tuple(answer.groups),
                listed,
                answer.fresh,
                answer.last_scan_ns,
                answer.offline,
                answer.totals,
                answer.stages,
            )

    def name(self, path: bytes) -> str:
        return os.fsdecode(os.path.relpath(path, os.fsencode(self.top)))

    def told(self, answer: Duplicates) -> list[list[str]]:
        """The names in each group, the kept one first."""
        return [[self.name(each.path) for each in members(group)] for group in answer.groups]

    def group_of(self, name: str, answer: Duplicates) -> Group:
        (found,) = (
            group
            for group in answer.groups
            if name in [self.name(each.path) for each in members(group)]
        )
        return found


def rule_of(code: int) -> Rule:
    return RULES[code]


def standing_in(patch: pytest.MonkeyPatch) -> Inline:
    """In place of all processes, for as long as ``patch`` holds."""
    found = Inline()
    patch.setattr("catalog.workers.pool.run_all", found.run_all)
    patch.setattr("catalog.workers.pool.running", found.running)
    patch.setattr("catalog.workers.pool.Pool", found.pool)
    looking._pixels.cache_clear()
    return found


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> Inline:
    return standing_in(monkeypatch)


@pytest.fixture
def album(tmp_path: Path, inline: Inline) -> Album:
    return Album(tmp_path, inline)
