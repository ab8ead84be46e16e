"""A page is written whole or not at all, and over nothing but an earlier page."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.actions import moving
from catalog.errors import CatalogError, UsageError
from catalog.review.sheet import OPENING, Sheet, check
from tests.support import NOBODY, in_child, mount_tmpfs, needs_root, open_place

__all__ = ["open_place"]

OLD = OPENING + '0.0">an older page'


def write(place: Path, *words: str) -> int:
    with Sheet(bytes(place)) as sheet:
        for word in words or (OPENING, "new"):
            sheet.write(word)
    return sheet.length


def interrupted(place: Path, meanwhile: Callable[[], object]) -> None:
    """Write a page, of which ``meanwhile`` happens before it is whole."""
    with Sheet(bytes(place)) as sheet:
        sheet.write(OPENING)
        meanwhile()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_is_there_when_it_is_whole_and_not_before(tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    with Sheet(bytes(place)) as sheet:
        sheet.write(OPENING)
        sheet.write("ä")
        assert not place.exists()
    assert place.read_text() == OPENING + "ä"
    assert sheet.length == len(OPENING) + 2
    assert names(tmp_path) == ["page.html"]


def test_everybody_may_read_it_but_whom_the_umask_forbids(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "page.html")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert (tmp_path / "page.html").stat().st_mode & 0o777 == 0o640


def test_an_older_page_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    place.write_text(OLD)
    with Sheet(bytes(place)) as sheet:
        sheet.write(OPENING)
        assert place.read_text() == OLD
    assert place.read_text() == OPENING
    assert names(tmp_path) == ["page.html"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, CatalogError, ValueError])
@pytest.mark.parametrize("before", [None, OLD], ids=["new", "older"])
def test_what_is_interrupted_leaves_nothing_and_takes_nothing(
    tmp_path: Path, error: type[BaseException], before: str | None
) -> None:
    place = tmp_path / "page.html"
    if before is not None:
        place.write_text(before)

    def meanwhile() -> None:
        raise error

    with pytest.raises(error):
        interrupted(place, meanwhile)
    assert names(tmp_path) == ([] if before is None else ["page.html"])
    assert before is None or place.read_text() == before


FOREIGN: dict[str, Callable[[Path], object]] = {
    "a photo": lambda path: path.write_bytes(b"\xff\xd8\xff\xe0 a photo"),
    "an empty file": lambda path: path.touch(),
    "another page": lambda path: path.write_text("<!DOCTYPE html>\n<html>"),
    "half a head": lambda path: path.write_text(OPENING[:-3]),
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "a link to a device": lambda path: path.symlink_to("/dev/null"),
    "a link to a photo": lambda path: path.symlink_to(__file__),
    "a link to itself": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_nothing_else_is_written_over(tmp_path: Path, make: Callable[[Path], object]) -> None:
    place = tmp_path / "page.html"
    make(place)
    before = place.lstat(), names(tmp_path)
    for attempt in (lambda: check(bytes(place)), lambda: write(place)):
        with pytest.raises(UsageError, match=r"is there already|is a folder"):
            attempt()
    after = place.lstat(), names(tmp_path)
    assert after == before


def test_what_came_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    with pytest.raises(CatalogError, match="File exists"):
        interrupted(place, lambda: place.write_text("a photo"))
    assert place.read_text() == "a photo"
    assert names(tmp_path) == ["page.html"]


def test_what_took_the_place_of_an_older_page_is_not_written_over(tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    place.write_text(OLD)

    def meanwhile() -> None:
        place.unlink()
        place.write_text("a photo")

    with pytest.raises(CatalogError, match="File exists"):
        interrupted(place, meanwhile)
    assert place.read_text() == "a photo"
    assert names(tmp_path) == ["page.html"]


def test_a_link_to_a_page_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "page.html"
    link.symlink_to("there/real.html")
    write(link)
    write(link, OPENING, "newer")
    assert link.is_symlink()
    assert (tmp_path / "there" / "real.html").read_text() == OPENING + "newer"
    assert names(tmp_path / "there") == ["real.html"]


def test_where_a_file_needs_a_name_it_leaves_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "_open_nameless", lambda folder: None)
    write(tmp_path / "page.html")

    def meanwhile() -> None:
        assert len(names(tmp_path)) == 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "page.html", meanwhile)
    assert names(tmp_path) == ["page.html"]


def test_without_its_folder_it_says_so(tmp_path: Path) -> None:
    for place in (tmp_path / "no" / "page.html", Path(__file__) / "page.html"):
        with pytest.raises(UsageError, match="there is no folder"):
            check(bytes(place))


def test_a_name_is_told_escaped(tmp_path: Path) -> None:
    place = bytes(tmp_path) + b"/\x1b[2J\xff.html"
    with open(place, "wb"), pytest.raises(UsageError, match=r"\\x1b\[2J\\xff\.html is there"):
        check(place)


@needs_root
def test_where_nobody_may_write_it_says_so_first(open_place: Path) -> None:
    def attempt() -> str:
        with pytest.raises(UsageError) as caught:
            check(bytes(open_place / "page.html"))
        return str(caught.value)

    assert "its folder does not allow it" in in_child(attempt, user=NOBODY)


@needs_root
@pytest.mark.parametrize("before", [None, OLD], ids=["new", "older"])
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, before: str | None) -> None:
    def attempt() -> tuple[str, list[str], str | None]:
        mount_tmpfs(bytes(tmp_path), "size=64k")
        place = tmp_path / "page.html"
        if before is not None:
            place.write_text(before)
        with pytest.raises(CatalogError) as caught:
            write(place, OPENING, *["x" * 1000] * 200)
        return str(caught.value), names(tmp_path), place.read_text() if before else None

    said, left, kept = in_child(attempt, own_mounts=True)
    assert said.endswith("page.html cannot be written: No space left on device")
    assert left == ([] if before is None else ["page.html"])
    assert kept == before


def test_what_the_system_refuses_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    def attempt() -> str:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        with pytest.raises(CatalogError) as caught:
            write(tmp_path / "page.html", OPENING, *["x" * 1000] * 200)
        return str(caught.value)

    assert in_child(attempt).endswith("page.html cannot be written: File too large")
    assert names(tmp_path) == []
