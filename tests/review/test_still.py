"""The page of ``dupes --html``: what is on it, and that a name on it can do nothing."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser

from catalog.escaping import UNSAFE, printable
from catalog.model import Duplicates, Failure, Group, Kind, Match, Reason, Rule, Side
from catalog.progress import Phase
from catalog.rendering import text
from catalog.review import still
from catalog.review.sheet import OPENING
from catalog.workers.pool import Lost
from tests.review.browsers import as_address, browser, needs_browser, watched
from tests.review.pages import (
    ABOUT,
    Here,
    answer,
    group,
    here,
    page,
    painted,
    photo,
)

__all__ = ["browser", "here"]

COLOURS = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "gray": (128, 128, 128)}
HOSTILE = [
    b"<script>document.title='ran'<script>.jpg",
    b"\"><img src=x onerror=document.title='ran'>.jpg",
    b"' onmouseover=document.title='ran' '.jpg",
    b"--><style>*{display:none}.jpg",
    b"{{ 7*7 }} {% raw %}.jpg",
    b"&lt;b&gt; &amp;.jpg",
    b"\x1b[31mred\x07\n.jpg",
    "rtl \u202egpj.exe".encode(),
    b"not utf-8 \xff\xfe",
    b"  two  spaces  ",
]


# -- what is on it -------------------------------------------------------------------------------


def test_each_picture_decodes_and_is_that_of_its_photo(here: Here, tmp_path: Path) -> None:
    one, two, three, four = (painted(tmp_path, f"{name}.png", name) for name in COLOURS)
    found = page(answer(group([one, two]), group([three, four])))
    assert [row.name for row in found.photos] == [f"{name}.png" for name in COLOURS]
    for row, colour in zip(found.photos, COLOURS.values(), strict=True):
        picture = row.picture().convert("RGB")
        assert picture.size == (64, 48)
        middle = picture.getpixel((32, 24))
        assert isinstance(middle, tuple)
        assert all(abs(a - b) < 8 for a, b in zip(middle, colour, strict=True)), row.name
        assert row.alt == row.name


def test_it_says_what_the_text_says(here: Here) -> None:
    keep = photo(b"/photos/a/kept.jpg", camera="Canon EOS", taken_at="2021-07-04T12:31:05")
    matches = (
        Match(photo(b"/photos/b/equal.jpg"), Kind.IDENTICAL, 0, 1.0, same_file=True),
        Match(
            photo(b"/photos/c/cut.webp", format="WEBP", width=40),
            Kind.SAME,
            3,
            0.9876,
            orientation=6,
            rule=Rule.STAMP_ON_SECOND,
            lost=(Side("left", 0.08),),
        ),
        Match(photo(b"/photos/d.jpg", came_back=True), Kind.HASH, 3, 0.95),
    )
    whole = Duplicates((Group(keep, "more pixels", matches),))
    out = io.StringIO()
    text.write_duplicates(whole, out)
    found = page(whole)
    assert found.headings == [out.getvalue().splitlines()[0].partition(" (kept")[0]]
    assert "Kept: more pixels" in found.text
    assert text.totals_of(whole) in found.text
    assert [row.name for row in found.photos] == ["kept.jpg", "equal.jpg", "cut.webp", "d.jpg"]
    kept, equal, cut, back = (" | ".join(row.texts.values()) for row in found.photos)
    assert "keep" in kept
    assert "/photos/a" in kept
    assert "Canon EOS" in kept
    assert "2021-07-04 12:31" in kept
    assert "last modified" not in kept
    assert "identical | same file, hard link" in equal
    assert "same 0.988 | turned left, lost 8 % on the left, stamped" in cut
    assert "40x48" in cut
    assert "3 bits | thrown away before, and here again" in back
    assert "last modified" in back


def test_what_a_copy_has_otherwise_is_marked_and_nothing_else(here: Here) -> None:
    keep = photo(b"/a.png", camera="Canon", size=1000)
    same = photo(b"/b.png", camera="Canon", size=1000)
    other = photo(b"/c.png", width=32, size=2000)
    found = page(answer(group([keep, same, other])))
    marked = [
        [value for place, value in row.texts.items() if place.endswith("differs")]
        for row in found.photos
    ]
    assert marked == [[], [], ["32x48", "2.0 KB", "none"]]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (Failure(Reason.UNREADABLE, "No such file"), "cannot be shown: cannot be read: No such"),
        (Failure(Reason.DAMAGED), "cannot be shown: damaged"),
        (Lost(Reason.CRASHED, "its process ended with SIGSEGV"), "crashed the decoder: its proc"),
        (Failure(Reason.DAMAGED, "<b>\x1b[2J\u202e"), r"damaged: <b>\x1b[2J\u202e"),
    ],
    ids=["gone", "damaged", "crashed", "hostile"],
)
def test_a_photo_that_cannot_be_drawn_says_why(
    here: Here, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, result: Any, said: str
) -> None:
    good, bad = painted(tmp_path, "good.png", "red"), painted(tmp_path, "bad.png", "red")

    def run_all(pool: object, function: Any, tasks: Any) -> Iterator[tuple[Any, Any]]:
        for task in tasks:
            yield task.item, result if task.item[1] == bad.path else function(task.item)

    monkeypatch.setattr(still.Pool, "run_all", run_all)
    first, second = page(answer(group([good, bad]))).photos
    assert first.picture().size == (64, 48)
    assert second.alt is None
    assert said in second.told("without")


def test_a_photo_that_changed_is_not_shown_as_what_it_was(here: Here, tmp_path: Path) -> None:
    keep, copy = painted(tmp_path, "keep.png", "red"), painted(tmp_path, "copy.png", "red")
    painted(tmp_path, "copy.png", "blue")
    _, second = page(answer(group([keep, copy]))).photos
    assert second.alt is None
    assert "it changed since it was indexed" in second.told("without")


def test_of_many_copies_the_first_are_drawn_and_all_are_listed(here: Here, tmp_path: Path) -> None:
    photos = [painted(tmp_path, f"{number:02}.png", "red") for number in range(40)]
    found = page(answer(group(photos), group(photos[: 1 + still.COPIES_DRAWN])))
    many, few = found.photos[:40], found.photos[40:]
    assert here.asked == 2 * (1 + still.COPIES_DRAWN)
    assert [row.name for row in many] == [f"{number:02}.png" for number in range(40)]
    assert [row.alt is not None for row in many] == [True] * 13 + [False] * 27
    assert {row.told("without") for row in many[13:]} == {"not drawn"}
    assert all(row.alt for row in few)
    assert found.text.count("Only the first 12 copies are drawn, 27 more are listed.") == 1
    assert found.text.count("Only the first") == 1


def test_it_says_what_was_asked_when_it_was_made_and_how_far_the_answer_sees(here: Here) -> None:
    about = still.About("9.8", ABOUT.made_ns, "imgcat dupes --keep 'folder:<b>'")
    whole = answer(
        group([photo(b"/a"), photo(b"/b")]),
        offline=((b"/media/<drive>\n", "not there"),),
        last_scan_ns=1_600_000_000 * 10**9,
    )
    found = page(whole, about)
    assert found.text.startswith(OPENING)
    assert found.meta("generator") == "imgcat dupes 9.8"
    assert "imgcat dupes --keep &#39;folder:&lt;b&gt;&#39;" in found.text
    assert 'datetime="2023-11-14T22:13:20+00:00"' in found.text
    left_out = r"Left out, as it is not there now: /media/&lt;drive&gt;\x0a (not there)"
    assert left_out in found.text
    assert re.search(r"Last scan 2020-09-1\d \d\d:\d\d; &#39;imgcat index&#39;", found.text)
    assert "close hashes" not in found.text
    quiet = page(whole, still.About("9.8", ABOUT.made_ns, "imgcat dupes", remarks=False))
    assert "Left out" not in quiet.text
    assert "Last scan" not in quiet.text


def test_where_nothing_was_verified_it_says_so(here: Here) -> None:
    about = still.About("9.8", ABOUT.made_ns, "imgcat dupes --radius 4", unverified=True)
    whole = answer(group([photo(b"/a"), photo(b"/b")]))
    assert "Nothing verified that they show the same picture" in page(whole, about).text
    assert "Nothing verified" not in page(answer(), about).text


def test_without_groups_it_says_so(here: Here) -> None:
    found = page(answer())
    assert "No duplicates found." in found.text
    assert found.photos == []


# -- that it is safe -----------------------------------------------------------------------------

ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "article"),
    *("h1", "h2", "p", "b", "ul", "li", "dl", "div", "dt", "dd", "code", "time", "table", "thead"),
    *("tbody", "tr", "th", "td", "img", "span", "bdi"),
}
ATTRIBUTES = {
    *("lang", "charset", "name", "http-equiv", "content", "class", "id", "role", "scope"),
    *("aria-labelledby", "alt", "src", "datetime"),
}
names = st.binary(min_size=1, max_size=30).map(
    lambda name: name.replace(b"/", b"<").replace(b"\0", b'"')
) | st.sampled_from(HOSTILE)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(names, names, names)
def test_a_name_is_text_whatever_it_is(here: Here, name: bytes, folder: bytes, word: bytes) -> None:
    words = word.decode("utf-8", "surrogateescape")
    hostile = photo(b"/" + folder + b"/" + name, camera=words, taken_at=words, format=words)
    found = page(answer(group([hostile, hostile], reason=printable(word))))
    assert {tag for tag, _ in found.tags} <= ALLOWED
    assert {attribute for _, each in found.tags for attribute in each} <= ATTRIBUTES
    for row in found.photos:
        assert row.name == printable(name)
        assert row.told("folder") == printable(b"/" + folder)
    assert not UNSAFE.search(found.text.replace("\n", ""))


def test_its_policy_lets_in_nothing_but_its_own_style_and_pictures(
    here: Here, tmp_path: Path
) -> None:
    keep, copy = painted(tmp_path, "keep.png", "red"), painted(tmp_path, "copy.png", "red")
    found = page(answer(group([keep, copy])))
    digest = base64.b64encode(hashlib.sha256(found.style.encode()).digest()).decode()
    assert found.meta("Content-Security-Policy") == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'"
    )
    assert "url(" not in found.style
    assert "@import" not in found.style
    assert "//" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", found.text)


# -- that it takes little ------------------------------------------------------------------------


class Lazily:
    """Groups that count how many were read; each is of two photos."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.read = 0

    def __iter__(self) -> Iterator[Group]:
        for number in range(self.count):
            self.read += 1
            yield group([photo(b"/%d" % number), photo(b"/%d b" % number)])


def test_only_so_many_pictures_are_held_however_many_groups_there_are(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(still, "draw", lambda item: b"a picture")
    groups, most = Lazily(1000), 0
    for part in still.parts(groups, jobs=2):
        most = max(most, groups.read - part.number + 1)
    assert groups.read == 1000
    assert 2 * most == still._AHEAD * 2
    assert here.ended == 1


def test_pictures_stay_with_their_photos_in_whatever_order_they_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run_all(pool: object, function: Any, tasks: Any) -> Iterator[tuple[Any, Any]]:
        for task in reversed(list(tasks)):
            yield task.item, task.item[1]

    monkeypatch.setattr(still.Pool, "run_all", run_all)
    for part in still.parts(Lazily(400), jobs=1):
        for row in part.rows:
            drawn = base64.b64decode(row.picture.partition(",")[2]).decode()
            assert drawn == f"/{row.name}"


class Counted:
    def __init__(self) -> None:
        self.phases: list[tuple[Phase, int | None]] = []
        self.done = 0

    def start(self, phase: Phase, total: int | None = None) -> None:
        self.phases.append((phase, total))

    def advance(self, count: int = 1) -> None:
        self.done += count

    def note(self, message: str) -> None:
        raise AssertionError(message)


def test_progress_counts_every_photo_once(here: Here, tmp_path: Path) -> None:
    photos = [painted(tmp_path, f"{number:02}.png", "red") for number in range(30)]
    progress = Counted()
    whole = answer(group(photos), group(photos[:2]))
    still.write(whole, io.StringIO(), ABOUT, jobs=1, progress=progress)
    assert progress.phases == [(Phase.DRAWING, 32)]
    assert progress.done == 32


class Full:
    def write(self, text: str) -> None:
        if "<tbody" in text:
            raise KeyboardInterrupt


def test_the_processes_end_when_the_writing_does(here: Here, tmp_path: Path) -> None:
    photos = [painted(tmp_path, f"{number}.png", "red") for number in range(2)]
    whole = answer(group(photos), group(photos))
    with pytest.raises(KeyboardInterrupt) as caught:
        still.write(whole, Full(), ABOUT, jobs=1)
    assert here.ended == 1, caught  # which holds the frames, and so all that is in them


# -- as a browser shows it -----------------------------------------------------------------------


@needs_browser
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_shows_all_of_it_to_everybody(
    here: Here, browser: Browser, tmp_path: Path, width: int, dark: bool
) -> None:
    names = [name for name in HOSTILE if b"/" not in name]
    photos = []
    for number, name in enumerate(names):
        painted(tmp_path, "made.png", list(COLOURS)[number % 4])
        (tmp_path / "made.png").rename(tmp_path / name.decode("utf-8", "surrogateescape"))
        made = painted(tmp_path, "made.png", list(COLOURS)[number % 4])
        path = bytes(tmp_path) + b"/" + name
        photos.append(photo(path, digest=made.digest, width=number, camera="Canon"))
    gone = photo(bytes(tmp_path / "gone.png"), came_back=True)
    whole = answer(
        group([*photos, gone]),
        group(photos[:2] * 20),
        offline=((b"/media/drive", "not there"),),
        last_scan_ns=1,
    )
    file = tmp_path / "page.html"
    with file.open("w", encoding="utf-8", newline="") as out:
        still.write(whole, out, ABOUT, jobs=1)
    seen = watched(browser, as_address(file), width=width, dark=dark)
    seen.page.goto(as_address(file))
    # What is not in sight is laid out too, for axe to see it.
    seen.page.evaluate(
        "for (const each of document.querySelectorAll('article'))"
        " each.style.contentVisibility = 'visible'"
    )
    images = seen.page.evaluate(
        "async () => { const all = [...document.images];"
        " await Promise.all(all.map(image => image.decode()));"
        " return all.map(image => image.naturalWidth) }"
    )
    assert images == [64] * (len(photos) + 13)
    shown = seen.page.locator(".name").all_text_contents()
    assert shown[: len(names)] == [printable(name) for name in names]
    assert seen.page.title().startswith("Duplicate photos: 2 groups")
    assert seen.page.evaluate("getComputedStyle(document.body).maxWidth") == "1500px"
    assert seen.too_wide() == 0
    assert seen.barriers() == []
    assert seen.requests == []
    assert seen.complaints == []
    seen.page.context.close()
