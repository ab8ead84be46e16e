"""A tree as listings: parents first, each folder once, links not followed."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from catalog.model import Stamp
from catalog.scanning import walk as module
from catalog.scanning.filters import Filters
from catalog.scanning.walk import Listing, walk
from tests.support import in_child, mount, needs_root

FILTERS = Filters(frozenset({b"jpg"}))


def make(top: Path, *names: str) -> None:
    for name in names:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def listed(top: Path, filters: Filters = FILTERS, **keywords: Any) -> list[Listing]:
    return list(walk(os.fsencode(top), filters, lambda *_folder: True, **keywords))


def shown(top: Path, listings: list[Listing]) -> dict[str, set[str]]:
    return {
        os.path.relpath(os.fsdecode(one.path), top): {os.fsdecode(file[0]) for file in one.files}
        for one in listings
    }


def test_every_folder_is_listed_once_parents_first_and_in_order(tmp_path: Path) -> None:
    make(tmp_path, "1.jpg", "b/2.jpg", "a/3.jpg", "a/c/4.jpg", "a/b.txt")
    found = listed(tmp_path)
    assert list(shown(tmp_path, found)) == [".", "a", "a/c", "b"]
    assert shown(tmp_path, found) == {
        ".": {"1.jpg"},
        "a": {"3.jpg"},
        "a/c": {"4.jpg"},
        "b": {"2.jpg"},
    }


def test_a_file_comes_with_the_stamp_that_lstat_gives(tmp_path: Path) -> None:
    make(tmp_path, "1.jpg")
    os.utime(tmp_path / "1.jpg", ns=(5, 123456789))
    ((name, *stamp),) = listed(tmp_path)[0].files
    assert name == b"1.jpg"
    assert Stamp(*stamp) == Stamp.of(os.lstat(tmp_path / "1.jpg"))


@pytest.mark.parametrize("when", [-5, 0, 2**63 - 1, 2**63 + 1000, -(2**31)])
def test_any_time_fits_and_is_the_same_as_elsewhere(tmp_path: Path, when: int) -> None:
    make(tmp_path, "1.jpg")
    try:
        os.utime(tmp_path / "1.jpg", ns=(when, when))
    except OverflowError:
        pytest.skip("this file system does not take it")
    ((_, *stamp),) = listed(tmp_path)[0].files
    assert Stamp(*stamp) == Stamp.of(os.lstat(tmp_path / "1.jpg"))
    assert all(-(2**63) <= number < 2**63 for number in stamp)


def test_links_are_neither_followed_nor_listed(tmp_path: Path) -> None:
    make(tmp_path, "real/1.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "real/1.jpg")
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    (tmp_path / "real/loop").symlink_to(tmp_path)
    assert shown(tmp_path, listed(tmp_path)) == {".": set(), "real": {"1.jpg"}}


def test_a_top_that_is_a_link_or_a_file_gives_nothing(tmp_path: Path) -> None:
    make(tmp_path, "real/1.jpg")
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    assert listed(tmp_path / "folder") == []
    assert listed(tmp_path / "real/1.jpg") == []


def test_what_is_not_entered_is_not_listed(tmp_path: Path) -> None:
    make(tmp_path, "a/1.jpg", "a/b/2.jpg", "c/3.jpg")
    unwanted = os.fsencode(tmp_path / "a")
    found = list(walk(os.fsencode(tmp_path), FILTERS, lambda path, *_: path != unwanted))
    assert set(shown(tmp_path, found)) == {".", "c"}


def test_empty_means_that_nothing_at_all_is_there(tmp_path: Path) -> None:
    make(tmp_path, "a/.hidden", "b/readme.txt")
    (tmp_path / "c").mkdir()
    assert {os.path.basename(one.path): one.empty for one in listed(tmp_path)} == {
        os.fsencode(tmp_path.name): False,
        b"a": False,
        b"b": False,
        b"c": True,
    }


def test_r9_a_folder_that_fails_half_way_says_so_and_lists_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EIO from the middle of a listing: the rest of the names is not deleted."""
    make(tmp_path, "a/1.jpg", "a/2.jpg", "b/3.jpg")
    real = os.scandir
    bad = os.fsencode(tmp_path / "a")

    class Breaking:
        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_error: object) -> None:
            pass

        def __iter__(self) -> Any:
            with real(bad) as entries:
                yield next(entries)
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(
        module.os, "scandir", lambda path: Breaking() if path == bad else real(path)
    )
    found = {os.path.basename(one.path): one for one in listed(tmp_path)}
    assert found[b"a"].error == "Input/output error"
    assert not found[b"a"].gone
    assert found[b"a"].files == []
    assert found[b"b"].error is None


def test_a_folder_replaced_while_it_is_listed_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a/1.jpg")
    real = os.scandir

    def replacing(path: bytes) -> Any:
        entries = real(path)
        if path.endswith(b"/a"):
            os.rename(path, path + b".old")
            os.mkdir(path)
        return entries

    monkeypatch.setattr(module.os, "scandir", replacing)
    found = listed(tmp_path / "a")
    assert found[0].error == "it was replaced while it was listed"
    assert found[0].files == []


def test_a_folder_that_went_away_is_gone_and_no_error_of_the_disk(tmp_path: Path) -> None:
    make(tmp_path, "a/1.jpg", "b/2.jpg")
    for one in walk(os.fsencode(tmp_path), FILTERS, lambda *_: True):
        if one.path == os.fsencode(tmp_path):
            os.unlink(tmp_path / "a/1.jpg")
            os.rmdir(tmp_path / "a")
        elif one.path.endswith(b"/a"):
            assert one.gone
        else:
            assert not one.gone
            assert one.error is None


def test_a_folder_that_is_moved_during_the_walk_is_listed_where_it_is_then(
    tmp_path: Path,
) -> None:
    """Whoever is told of folders before they are listed would not know it by its new path."""
    make(tmp_path, "a/x/1.jpg", "b/2.jpg", "c/3.jpg")

    def enter(path: bytes, device: int, inode: int) -> bool:
        if path.endswith(b"/b"):
            (tmp_path / "a" / "x").rename(tmp_path / "b" / "x")
        return True

    found = list(walk(os.fsencode(tmp_path), FILTERS, enter))
    assert shown(tmp_path, found) == {
        ".": set(),
        "a": set(),
        "a/x": {"1.jpg"},
        "b": {"2.jpg"},
        "b/x": {"1.jpg"},
        "c": {"3.jpg"},
    }


@needs_root
def test_r3_a_bind_mount_is_walked_once(tmp_path: Path) -> None:
    make(tmp_path, "a/1.jpg", "b/2.jpg")

    def scenario() -> int:
        mount("--bind", str(tmp_path / "a"), str(tmp_path / "b"))
        return sum(len(one.files) for one in listed(tmp_path))

    assert in_child(scenario, own_mounts=True) == 1


def test_patterns_count_from_the_root_also_when_the_walk_begins_deeper(tmp_path: Path) -> None:
    make(tmp_path, "a/b/1.jpg", "a/b/2.jpg")
    filters = Filters(frozenset({b"jpg"}), exclude=("a/b/1.jpg",))
    found = listed(tmp_path / "a/b", filters, root=os.fsencode(tmp_path))
    assert shown(tmp_path, found) == {"a/b": {"2.jpg"}}
