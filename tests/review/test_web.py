"""R35 to R38 at the page itself: whoever asks whatever, no file changes but as was shown."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from tests.review.worlds import Page, World, jpeg

HOSTILE = [b"<script>alert(1)<!--.jpg", b"\"quotes' & <b>.jpg", b"\xff\xfe.jpg", b"\n\x1b[31m.jpg"]
WRITING = ["choose", "choose-all", "keep-both", "step-back", "clear", "plan", "apply", "undo"]


def fill(world: World) -> None:
    for number, name in enumerate([b"1.jpg", b"2.jpg", b"3.jpg", *HOSTILE]):
        for folder in (b"a", b"b"):
            world.put(os.path.join(folder, name), jpeg(number))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = World(tmp_path_factory.mktemp("web"), fill)
    yield found
    found.end()


@pytest.fixture
def page(world: World) -> Iterator[Page]:
    """The page, with nothing chosen; at the end no file may have changed."""
    before = world.tree()
    world.page.post("clear", {})
    yield world.page
    assert world.tree() == before


def seen(photo: dict[str, Any], **instead: Any) -> dict[str, Any]:
    return {key: photo[key] for key in ("id", "size", "mtime_ns")} | instead


def body_of(what: str, group: dict[str, Any]) -> dict[str, Any]:
    keep, goes = group["photos"][:2]
    return {
        "choose": {"group": group["group"], "keep": seen(keep), "drop": [seen(goes)]},
        "keep-both": {"group": group["group"], "photos": [seen(keep), seen(goes)]},
        "step-back": {"step": 1},
        "choose-all": {"grade": "identical"},
        "clear": {},
        "plan": {},
        "apply": {"plan": "0" * 16},
        "undo": {"action": 1},
    }[what]


WRONG = {
    "evil-host": (403, {"host": "evil.example"}),
    "rebound-host": (403, {"host": "evil.example:80"}),
    "no-origin": (403, {"origin": None}),
    "foreign-origin": (403, {"origin": "http://evil.example"}),
    "null-origin": (403, {"origin": "null"}),
    "cross-site": (403, {"sec_fetch_site": "cross-site"}),
    "form": (415, {"content_type": "application/x-www-form-urlencoded"}),
    "plain-text": (415, {"content_type": "text/plain"}),
    "no-cookie": (401, {"cookie": None}),
    "no-word": (403, {"x_imgcat": None}),
    "wrong-word": (403, {"x_imgcat": "x" * 43}),
}


@pytest.mark.parametrize("what", WRITING)
@pytest.mark.parametrize("wrong", WRONG)
def test_who_is_not_the_page_changes_nothing(page: Page, what: str, wrong: str) -> None:
    group = page.groups()[0]
    before = page.get("/api/state").json
    status, instead = WRONG[wrong]
    answer = page.post(what, body_of(what, group), **instead)
    assert answer.status == status
    assert answer.error
    assert page.get("/api/state").json == before


def test_an_old_cookie_is_worth_nothing(page: Page) -> None:
    old = page.cookie.partition("=")[0] + "=" + "A" * 43
    for path in ("/api/groups", "/api/state", "/picture/1/thumb"):
        assert page.ask("GET", path, page.reading(cookie=old)).status == 401


def test_without_the_cookie_only_the_way_in_is_shown(page: Page) -> None:
    answer = page.ask("GET", "/", page.reading(cookie=None))
    assert answer.status == 200
    assert page.csrf.encode() not in answer.body
    assert b"imgcat-csrf" not in answer.body


READING = [
    "/",
    "/api/state",
    "/api/groups?sort=newest&state=open&from=2001-01-01",
    "/api/groups?grade=similar",
    "/api/folders",
    "/api/history",
    "/static/review.js",
]


def test_reading_changes_nothing(page: Page, world: World) -> None:
    before = page.get("/api/state").json
    group = page.groups()[0]
    first, second = (photo["id"] for photo in group["photos"][:2])
    paths = [*READING, f"/api/group/{group['group']}", f"/api/facts/{first}"]
    paths += [f"/api/compare?first={first}&second={second}"]
    paths += [f"/picture/{first}/{level}" for level in ("thumb", "view", "full")]
    for path in paths:
        assert page.get(path).status == 200, path
        assert page.ask("HEAD", path, page.reading()).status == 200, path
    # What only looks alike was asked for, so there is another answer; nothing else is another.
    after = page.until("finding", None)
    assert {**after, "answer": 0} == {**before, "answer": 0}


@pytest.mark.parametrize("level", ["thumb", "view", "full"])
def test_only_pictures_drawn_anew_leave(page: Page, world: World, level: str) -> None:
    originals = {jpeg(number) for number in range(3 + len(HOSTILE))}
    for group in page.groups():
        for photo in group["photos"]:
            answer = page.get(f"/picture/{photo['id']}/{level}?v={photo['v']}")
            assert answer.status == 200
            assert answer.headers["content-type"] == "image/jpeg"
            assert answer.body not in originals
            assert b"SECRET" not in answer.body
            Image.open(io.BytesIO(answer.body)).load()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/picture/999999/thumb", 404),
        ("/picture/99999999999999999999999/thumb", 404),
        ("/picture/-1/thumb", 404),
        ("/picture/1/original", 404),
        ("/picture/1/thumb?v=0000000000000000", 409),
        ("/picture/..%2f..%2fetc%2fpasswd/thumb", 400),
        ("/picture/../../etc/passwd", 400),
        ("/static/..%2fguard.py", 400),
        ("/static/guard.py", 404),
        ("/static/review.html", 404),
        ("/api/group/s999999", 404),
        ("/api/group/x1", 400),
        ("/api/group/s1e9", 400),
        ("/api/groups?grade=nonsense", 400),
        ("/api/groups?offset=-1", 400),
        ("/api/groups?from=yesterday", 400),
        ("/api/groups?folder=" + "9" * 30, 400),
        ("/api/compare?first=1", 400),
        ("/api/facts/999999", 404),
        ("/nothing", 404),
        ("/api/choose", 405),
    ],
)
def test_what_is_not_there_is_said_in_words(page: Page, path: str, status: int) -> None:
    answer = page.get(path)
    assert answer.status == status
    assert b"Traceback" not in answer.body
    if path.startswith(("/api/g", "/api/c", "/api/f", "/picture/")) and status != 405:
        assert answer.error


NONSENSE: list[tuple[str, Any]] = [
    ("choose", []),
    ("choose", {}),
    ("choose", {"group": 1, "keep": {}, "drop": []}),
    ("choose", {"group": "s1", "keep": {"id": "1", "size": 1, "mtime_ns": "1"}, "drop": []}),
    ("choose", {"group": "s1", "keep": {"id": 1, "size": 1, "mtime_ns": 1}, "drop": []}),
    ("choose", {"group": "s1", "keep": {"id": 1, "size": 1, "mtime_ns": "1"}, "drop": {}}),
    ("choose", {"group": "s1", "keep": {"id": 2**70, "size": 1, "mtime_ns": "1"}, "drop": []}),
    ("keep-both", {"group": "s1", "photos": "all"}),
    ("step-back", {"step": True}),
    ("plan", {"with_sidecars": "yes"}),
    ("apply", {"plan": None}),
    ("undo", {"action": -1}),
    ("undo", {"action": 1.5}),
    ("choose-all", {}),
    ("choose-all", {"grade": 1}),
    ("choose-all", {"grade": "same"}),
]


@pytest.mark.parametrize(("what", "body"), NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_is_refused_in_words(page: Page, what: str, body: Any) -> None:
    answer = page.post(what, body)
    assert answer.status == 400
    assert answer.error


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 100_000, b'{"group": "\xff"}', b"null"], ids=range(5)
)
def test_a_body_that_is_no_object_is_refused(page: Page, body: bytes) -> None:
    assert page.ask("POST", "/api/choose", page.posting(), body).status == 400


def test_a_body_of_ten_megabytes_is_refused(page: Page) -> None:
    assert page.ask("POST", "/api/choose", page.posting(), b" " * 10_000_000).status == 413


@pytest.mark.parametrize("end", ["keep", "goes"])
@pytest.mark.parametrize("wrong", [{"size": 1}, {"mtime_ns": "1"}, {"id": 999_999}], ids=str)
def test_a_photo_that_is_not_what_was_shown_is_refused(
    page: Page, end: str, wrong: dict[str, Any]
) -> None:
    group = page.groups()[0]
    keep, goes = group["photos"][:2]
    ends = {"keep": seen(keep), "goes": seen(goes)}
    ends[end] |= wrong
    body = {"group": group["group"], "keep": ends["keep"], "drop": [ends["goes"]]}
    answer = page.post("choose", body)
    assert answer.status == 409
    assert answer.json["group"]["group"] == group["group"]
    assert answer.json["state"]["chosen"]["photos"] == 0


def test_a_group_that_was_not_shown_is_refused(page: Page) -> None:
    one, other = page.groups()[:2]
    body = body_of("choose", one)
    assert page.post("choose", body | {"group": other["group"]}).status == 409
    assert page.post("choose", body | {"group": "s999999"}).status == 409


def test_hostile_names_are_told_as_text_that_acts_on_nothing(page: Page) -> None:
    told = page.get("/api/groups?count=200")
    assert told.headers["content-type"].startswith("application/json")
    names = {photo["name"] for group in told.json["groups"] for photo in group["photos"]}
    assert "<script>alert(1)<!--.jpg" in names  # as text: it is never made into HTML
    assert "\\xff\\xfe.jpg" in names
    assert "\\x0a\\x1b[31m.jpg" in names
    assert b"\x1b" not in told.body


def test_a_forgotten_photo_is_not_there(page: Page, world: World) -> None:
    (group,) = (g for g in page.groups() if g["photos"][0]["name"] == "1.jpg")
    photo = group["photos"][1]
    home = world.photos / photo["folder"].rpartition("/")[2] / photo["name"]
    away = world.photos.parent / "away.jpg"
    home.rename(away)
    try:
        world.imgcat("index", "-q", str(world.photos))
        assert page.get(f"/picture/{photo['id']}/thumb").status == 404
        assert page.post("choose", body_of("choose", group)).status == 409
    finally:
        away.rename(home)
        world.imgcat("index", "-q", str(world.photos))
        page.until_found(7)


def test_the_trash_is_undone_to_the_last_byte_and_a_plan_is_carried_out_once(
    page: Page, world: World
) -> None:
    before = world.tree()
    group = next(g for g in page.groups() if g["photos"][0]["name"] == "2.jpg")
    assert page.post("choose", body_of("choose", group)).status == 200
    plan = page.post("plan", {}).json
    assert (plan["photos"], world.tree()) == (1, before)
    for _ in range(3):
        assert page.post("apply", {"plan": plan["plan"]}).status == 202
    receipt = page.until("acting", None)["receipt"]
    assert (receipt["done"], receipt["plan"]) == (1, plan["plan"])
    after = world.tree()
    assert after != before
    assert page.post("apply", {"plan": plan["plan"]}).status == 202
    assert world.tree() == after
    assert page.post("undo", {"action": receipt["action"]}).status == 202
    assert page.until("acting", None)["receipt"]["undo"]
    assert world.tree() == before
    page.until_found(7)
