"""The private folder of cookies is ours alone, and nobody is left waiting."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from catalog.watching.cookies import Cookies
from tests.support import NOBODY, needs_root

CATALOG = b"/photos/catalog.db"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the folder is made, if it can be."""
    found = tmp_path / "runtime"
    found.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(found))
    return found


def folder_of(cookies: Cookies) -> Path:
    cookies.make_folder()
    return Path(os.fsdecode(cookies.folder))


def test_a_catalog_has_the_same_folder_each_time_and_nobody_else_may_enter(place: Path) -> None:
    first = folder_of(Cookies(CATALOG))
    assert first.parent == place
    first.chmod(0o777)
    again = Cookies(CATALOG)
    assert folder_of(again) == first
    assert first.stat().st_mode & 0o777 == 0o700
    assert folder_of(Cookies(b"/other.db")) != first
    again.close()
    assert not first.exists()


def test_what_somebody_else_put_in_its_place_is_not_used(place: Path, tmp_path: Path) -> None:
    taken = folder_of(Cookies(CATALOG))
    taken.rmdir()
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    taken.symlink_to(theirs)
    cookies = Cookies(CATALOG)
    assert place not in folder_of(cookies).parents
    assert theirs.stat().st_mode & 0o777 == 0o755
    cookies.close()
    taken.unlink()
    taken.touch()
    assert place not in folder_of(cookies).parents
    cookies.close()


@needs_root
def test_a_folder_of_somebody_else_is_not_used(place: Path) -> None:
    taken = folder_of(Cookies(CATALOG))
    os.chown(taken, NOBODY, NOBODY)
    cookies = Cookies(CATALOG)
    assert place not in folder_of(cookies).parents
    cookies.close()


def test_where_no_usual_place_can_be_had_there_is_one_more(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.watching.cookies._is_made_ours", lambda path: False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cookies = Cookies(CATALOG)
    assert folder_of(cookies).parent == tmp_path
    cookies.close()


def test_a_cookie_is_seen_once_and_only_by_who_waits_for_it(place: Path) -> None:
    cookies = Cookies(CATALOG)
    folder = folder_of(cookies)
    seen: list[str] = []
    one = cookies.bake(lambda: seen.append("one"))
    two = cookies.bake(lambda: seen.append("two"))
    assert list(folder.iterdir()) == []
    cookies.drop(two)
    for name in (two, one, one, b"cookie-99"):
        cookies.seen(name)
    assert seen == ["one"]
    cookies.close()


def test_nobody_waits_for_a_cookie_that_could_not_be_made(place: Path) -> None:
    cookies = Cookies(CATALOG)
    folder_of(cookies).rmdir()
    with pytest.raises(FileNotFoundError):
        cookies.bake(lambda: None)
    assert not cookies._waiting
