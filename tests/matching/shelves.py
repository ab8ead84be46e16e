"""Catalogs of made-up contents that have signatures of natural pictures, and no files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from catalog.dihedral import TURNS, turned
from catalog.matching import known
from catalog.matching.find import find
from catalog.model import Picture, Stages
from catalog.store import contents
from catalog.store.database import Database
from catalog.store.matches import RULES, Matches
from tests.search.pictures import natural, signature, with_bars
from tests.support import fingerprint

Edges = tuple[float, float, float, float]
WHOLE: Edges = (0, 1, 0, 1)

CROPS: dict[str, Edges] = {
    "crop 5": (0.025, 0.975, 0.025, 0.975),
    "crop 10": (0.05, 0.95, 0.05, 0.95),
    "left off": (0.1, 1, 0, 1),
    "bottom off": (0, 1, 0, 0.9),
    "corner off": (0, 0.9, 0.1, 1),
}


def as_signature(picture: Image.Image) -> np.ndarray:
    return signature(picture).copy()


def edited(seed: int, name: str) -> np.ndarray:
    """The signature of an edit of the picture of ``seed``."""
    picture = natural(seed)
    if name in CROPS:
        return signature(picture, CROPS[name])
    if name.startswith("turn "):
        return turned(signature(picture), int(name[5:]))
    if name == "bars":
        return as_signature(with_bars(picture, 0.1))
    if name == "one bar":
        return as_signature(ImageOps.expand(picture, (16, 0, 0, 0), 255))
    if name == "toned":
        return as_signature(picture.point([round(255 * (x / 255) ** 0.8) for x in range(256)]))
    if name == "brighter":
        return as_signature(picture.point([min(255, round(x * 1.2)) for x in range(256)]))
    if name == "stamped":
        copy = picture.copy()
        ImageDraw.Draw(copy).rectangle((110, 146, 154, 154), fill=250)
        return as_signature(copy)
    if name == "encoded":
        noise = np.random.default_rng(seed).integers(-1, 2, (32, 32))
        return (signature(picture) + noise).clip(0, 255).astype(np.uint8)
    if name == "negative":
        return as_signature(ImageOps.invert(picture))
    assert name == "original", name
    return as_signature(picture)


COPIES = (
    *CROPS,
    *(f"turn {turn}" for turn in TURNS if turn),
    "bars",
    "one bar",
    "toned",
    "brighter",
    "stamped",
    "encoded",
)

Name = tuple[int, str]  # a seed, and what was done to its picture
Related = dict[frozenset[Name], tuple[str, float]]  # rule and score by pair


class Shelf:
    """Pictures in a catalog, by name."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ids: dict[Name, int] = {}

    def put(self, names: Iterable[Name], **other: Any) -> None:
        with self.database.writing() as writer:
            for name in names:
                self.ids[name] = contents.save(writer, made_up(name, **other))

    def put_signatures(self, signatures: Mapping[Name, np.ndarray], **other: Any) -> None:
        with self.database.writing() as writer:
            for name, pixels in signatures.items():
                fields = {"signature": pixels.tobytes(), **other}
                print_ = fingerprint(number_of(name), **fields)
                self.ids[name] = contents.save(writer, print_)

    def find(self, new: Iterable[Name] | None = None, executor: Any = None) -> Matches:
        return self.find_counting(new, executor)[0]

    def find_counting(
        self, new: Iterable[Name] | None = None, executor: Any = None
    ) -> tuple[Matches, Stages]:
        chosen = self.ids.values() if new is None else [self.ids[name] for name in new]
        stages = Stages()
        with self.database.snapshot():
            every = known.load(self.database, searched=len(list(chosen)))
            ids = np.array(sorted(chosen), dtype=np.int64)
            return find(self.database, every, ids, stages, executor=executor), stages

    def related(self, found: Matches) -> Related:
        names = {content: name for name, content in self.ids.items()}
        columns = (found.first, found.second, found.rule, found.score)
        pairs = {
            frozenset((names[first], names[second])): (RULES[rule].value, score)
            for first, second, rule, score in zip(*(c.tolist() for c in columns), strict=True)
        }
        assert len(pairs) == len(found), "each pair once"
        return pairs


def number_of(name: Name) -> int:
    seed, edit = name
    return seed * 1000 + (["original", "negative", *COPIES].index(edit) if edit else 999)


def made_up(name: Name, **other: Any) -> Any:
    """The fingerprint of a picture of this name."""
    return fingerprint(number_of(name), signature=edited(*name).tobytes(), **other)


def asked(name: Name, **other: Any) -> Picture:
    """As a picture that somebody asks about."""
    print_ = made_up(name, **other)
    fields = ("digest", "size", "format", "width", "height", "taken_at", "camera", "phash", "dhash")
    fields += ("ahash", "signature", "flat", "frames", "recipe")
    return Picture(path=b"/x", mtime_ns=0, **{each: getattr(print_, each) for each in fields})


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database)
