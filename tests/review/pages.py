"""Pages of ``--html`` made from a few files, and read back as a parser sees them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from PIL import Image

from catalog.model import Duplicates, Group, Kind, Match, Photo, Stamp
from catalog.review import still

ABOUT = still.About("0.1", 1_700_000_000 * 10**9, "imgcat dupes")
_VOID = {"meta", "img", "br", "link", "input"}


@dataclass
class Cells:
    """One row: the text of its cells by class, its picture, and what stands for it."""

    texts: dict[str, str] = field(default_factory=dict)
    alt: str | None = None
    source: str = ""

    def told(self, what: str) -> str | None:
        """What stands in the innermost element of this class."""
        return next((text for place, text in self.texts.items() if place.endswith(what)), None)

    @property
    def name(self) -> str | None:
        return self.told("name")

    def picture(self) -> Image.Image:
        head, _, data = self.source.partition(",")
        assert head == "data:image/jpeg;base64"
        return Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


class Parsed(HTMLParser):
    """What is on a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[Cells] = []
        self.headings: list[str] = []
        self.style = ""
        self._open: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self._open, "a tag is not closed"
        self.text = text

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.tags.append((tag, found))
        if tag == "tr":
            self.rows.append(Cells())
        if tag == "h2":
            self.headings.append("")
        if tag == "img":
            self.rows[-1].alt, self.rows[-1].source = found["alt"], found["src"] or ""
        if tag not in _VOID:
            self._open.append((tag, found.get("class") or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if not self._open:
            return
        tag, _ = self._open[-1]
        if tag == "style":
            self.style += data
        if tag == "h2":
            self.headings[-1] += data
        if any(each in ("td", "th") for each, _ in self._open) and data.strip(" \n"):
            inner = [kind.split()[0] for each, kind in self._open if kind]
            place = " ".join(dict.fromkeys(inner))
            self.rows[-1].texts[place] = self.rows[-1].texts.get(place, "") + data

    @property
    def photos(self) -> list[Cells]:
        """The rows, but those of headings."""
        return [row for row in self.rows if row.name is not None]

    def meta(self, name: str) -> str:
        for tag, found in self.tags:
            if tag == "meta" and name in (found.get("name"), found.get("http-equiv")):
                return found["content"] or ""
        raise AssertionError(name)


def page(answer: Duplicates, about: still.About = ABOUT) -> Parsed:
    out = io.StringIO()
    still.write(answer, out, about, jobs=1)
    return Parsed(out.getvalue())


def photo(path: bytes, *, digest: bytes = bytes(32), **other: Any) -> Photo:
    plain: dict[str, Any] = {
        "stamp": Stamp(other.pop("size", 1000), 1_600_000_000 * 10**9, 0, hash(path) & 0xFFFF),
        "filesystem": 1,
        "content": 1,
        "format": "PNG",
        "width": 64,
        "height": 48,
        "orientation": 1,
        "taken_at": None,
        "camera": None,
        "flat": False,
        "frames": 1,
    }
    return Photo(path=path, digest=digest, **(plain | other))


def painted(folder: Path, name: str, colour: str, **other: Any) -> Photo:
    """A file of one colour, and its record."""
    file = folder / name
    Image.new("RGB", (64, 48), colour).save(file, "PNG")
    data = file.read_bytes()
    return photo(bytes(file), digest=blake3(data).digest(), size=len(data), **other)


def group(photos: Sequence[Photo], reason: str = "older") -> Group:
    """The first is kept, the others are the same."""
    keep, *others = photos
    return Group(keep, reason, tuple(Match(each, Kind.SAME, 1, 0.987) for each in others))


def answer(*groups: Group, **other: Any) -> Duplicates:
    return Duplicates(groups, **other)


class Here:
    """Stands in for the processes that draw."""

    def __init__(self) -> None:
        self.ended = 0
        self.asked = 0

    def run_all(self, function: Any, tasks: Iterable[Any]) -> Iterator[Any]:
        for task in tasks:
            self.asked += 1
            yield task.item, function(task.item)

    def end(self) -> None:
        self.ended += 1


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    """Photos are drawn in this process."""
    found = Here()
    monkeypatch.setattr(still.Pool, "run_all", lambda pool, *what: found.run_all(*what))
    monkeypatch.setattr(still.Pool, "end", lambda pool: found.end())
    return found
