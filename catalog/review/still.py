"""``dupes --html``: the groups as one page that holds its pictures, and only shows.

There is no script in it. It is written group by group, so that however many there are, few are
held. Nothing comes from elsewhere, and its own policy (CSP) lets nothing in: a name that were
markup would do nothing.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import chain, islice, zip_longest
from typing import Final, NamedTuple, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from catalog.escaping import printable
from catalog.model import Duplicates, Failure, Group, Photo
from catalog.progress import SILENT, Phase, Progress
from catalog.rendering import human, text, words
from catalog.review.sheet import OPENING
from catalog.workers.pool import Lost, Pool, Task

LONGEST: Final = 200  # pixels of the longer side of each picture: some 8 KB
QUALITY: Final = 70
COPIES_DRAWN: Final = 12  # of a group; the others are told in words
_AHEAD: Final = 160  # pictures a process that are drawn before they are written: 1.5 MB

_NO_PICTURE: Final = "not drawn"

Drawn = bytes | Failure | Lost
_Item = tuple[int, bytes, bytes]  # its number, path and digest


@dataclass(frozen=True, slots=True)
class About:
    """What the page says of itself: by which imgcat it was made, when, and what was asked.

    Without ``remarks``, nothing about what the answer means and how far it sees; ``unverified``
    says that plain hashes were asked for.
    """

    version: str
    made_ns: int
    asked: str
    remarks: bool = True
    unverified: bool = False


class Written(Protocol):
    """Where the page goes, piece by piece."""

    def write(self, text: str, /) -> object:
        """Take some text."""


class Fact(NamedTuple):
    """One cell of a photo's row."""

    label: str
    value: str
    differs: bool  # from that of the kept photo
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One photo, as the page tells it."""

    name: str
    folder: str
    relation: str
    kept: bool
    remarks: str
    facts: tuple[Fact, ...]
    picture: str  # a data: URI; else ...
    without: str  # ... why there is none


@dataclass(frozen=True, slots=True)
class Part:
    """One group, as the page tells it."""

    number: int
    heading: str
    reason: str
    rows: tuple[Row, ...]
    undrawn: int  # of its copies


def write(
    answer: Duplicates, out: Written, about: About, *, jobs: int, progress: Progress = SILENT
) -> None:
    """Write the page of an answer that has groups.

    ``jobs`` processes read the photos; one that takes such a process down, or cannot be read, costs
    its picture only.
    """
    style = resources.files(__package__).joinpath("templates", "still.css").read_text("utf-8")
    found = parts(answer.groups, jobs, progress, total=answer.photos)
    with contextlib.closing(found):  # and so the processes are ended
        page = _template().generate(
            opening=Markup(OPENING),  # ours, whole
            about=about,
            made=human.minute(about.made_ns),
            moment=human.utc(about.made_ns).isoformat(timespec="seconds"),
            style=Markup(style),  # as it is digested: nothing in it may be escaped
            style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
            totals=text.totals_of(answer) if answer.groups else "",
            drawn_of_each=COPIES_DRAWN,
            remarks=list(_remarks(answer, about)),
            search=list(words.search(answer.stages)) if about.remarks and answer.stages else [],
            parts=found,
        )
        for piece in page:
            out.write(piece)


def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("catalog.review"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("still.html")


def _remarks(answer: Duplicates, about: About) -> Iterator[str]:
    """What has to be known of the answer before it is believed, as the text has it."""
    if not about.remarks:
        return
    if about.unverified and answer.groups:
        yield text.HASH_NOTE.replace("\n", " ")
    for path, why in answer.offline:
        yield text.left_out(path, why)
    if answer.last_scan_ns is not None and not answer.fresh:
        # Not how long ago: the page is looked at later.
        yield f"Last scan {human.minute(answer.last_scan_ns)}; 'imgcat index' looks again."


# -- groups --------------------------------------------------------------------------------------


def parts(
    groups: Iterable[Group], jobs: int, progress: Progress = SILENT, *, total: int | None = None
) -> Generator[Part, None, None]:
    """The groups in their order, each once its pictures are drawn."""
    progress.start(Phase.DRAWING, total)
    pool = Pool(jobs, warm_up)
    number = 0
    try:
        for some in _portions(groups, _AHEAD * jobs):
            found = iter(_drawn(some, pool, progress))
            for group in some:
                number += 1
                pictures = list(islice(found, len(_shown(group))))
                yield _part(number, group, pictures)
                progress.advance(1 + len(group.matches) - len(pictures))
    finally:
        pool.end()


def _portions(groups: Iterable[Group], enough: int) -> Iterator[list[Group]]:
    """The groups, in lists of which each has ``enough`` pictures to draw, or one group."""
    some: list[Group] = []
    pictures = 0
    for group in groups:
        some.append(group)
        pictures += len(_shown(group))
        if pictures >= enough:
            yield some
            some, pictures = [], 0
    if some:
        yield some


def _shown(group: Group) -> Sequence[Photo]:
    """The photos of a group that are drawn."""
    return [group.keep, *(match.photo for match in group.matches[:COPIES_DRAWN])]


def _drawn(groups: Iterable[Group], pool: Pool, progress: Progress) -> list[Drawn]:
    """The pictures of some groups, in their order."""
    photos = list(chain.from_iterable(map(_shown, groups)))
    tasks: list[Task[_Item]] = [
        Task((number, photo.path, photo.digest), photo.stamp.size)
        for number, photo in enumerate(photos)
    ]
    found: dict[int, Drawn] = {}
    for (number, _, _), picture in pool.run_all(draw, tasks):
        found[number] = picture
        progress.advance()
    return [found[number] for number in range(len(photos))]


def draw(item: _Item) -> bytes | Failure:
    """What a process does with one photo."""
    from catalog.imaging.previews import preview

    _, path, digest = item
    return preview(path, digest, LONGEST, QUALITY)


def warm_up() -> None:
    """Import what drawing needs, once, so that no photo pays for it."""
    from catalog.imaging import previews  # noqa: F401


# -- rows ----------------------------------------------------------------------------------------


def _part(number: int, group: Group, pictures: Sequence[Drawn]) -> Part:
    keep = group.keep
    told = [(text.KEEP, keep, text.own_remarks(keep))]
    told += (
        (text.relation_of(match), match.photo, text.remarks_on(match)) for match in group.matches
    )
    rows = tuple(
        _row(relation, photo, remarks, keep, picture)
        for (relation, photo, remarks), picture in zip_longest(told, pictures)
    )
    left = len(rows) - len(pictures)
    return Part(number, text.heading_of(number, group), group.keep_reason, rows, left)


def _row(
    relation: str, photo: Photo, remarks: Sequence[str], keep: Photo, drawn: Drawn | None
) -> Row:
    folder, name = os.path.split(photo.path)
    picture, without = _shown_as(drawn)
    return Row(
        name=printable(name),
        folder=printable(folder),
        relation=relation,
        kept=photo is keep,
        remarks=", ".join(remarks),
        facts=tuple(_facts(photo, keep)),
        picture=picture,
        without=without,
    )


def _shown_as(drawn: Drawn | None) -> tuple[str, str]:
    """A data: URI, or else why there is no picture."""
    if isinstance(drawn, bytes):
        return "data:image/jpeg;base64," + base64.b64encode(drawn).decode("ascii"), ""
    if drawn is None:
        return "", _NO_PICTURE
    detail = f": {printable(drawn.detail)}" if drawn.detail else ""
    return "", f"cannot be shown: {drawn.reason}{detail}"


def _facts(photo: Photo, keep: Photo) -> Iterator[Fact]:
    """What is known of a photo, in the order of the page's columns."""
    for (label, value, note), (_, kept, kept_note) in zip(
        _values(photo), _values(keep), strict=True
    ):
        yield Fact(label, value, (value, note) != (kept, kept_note), note)


def _values(photo: Photo) -> tuple[tuple[str, str, str], ...]:
    of_file = "" if photo.taken_at is not None else "last modified"
    frames = human.counted(photo.frames, "frame") if photo.frames > 1 else ""
    return (
        ("Dimensions", f"{photo.width}x{photo.height}", ""),
        ("Size", human.size(photo.stamp.size), ""),
        ("Format", printable(photo.format), frames),
        ("Date", text.date_of(photo), of_file),
        ("Camera", printable(photo.camera or ""), ""),
    )
