"""Which names count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.imaging.formats import PICTURE_SUFFIXES
from catalog.scanning.filters import Filters


def wants(name: str, folder: str = "", **filters: object) -> bool:
    test = Filters(PICTURE_SUFFIXES, **filters).files()  # type: ignore[arg-type]
    return test(folder.encode(), name.encode())


def enters(name: str, parent: str = "", **filters: object) -> bool:
    test = Filters(PICTURE_SUFFIXES, **filters).folders()  # type: ignore[arg-type]
    return test(parent.encode(), name.encode())


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.Heic", "a.b.png", "suffixless", "a.CR2"])
def test_pictures_by_suffix_and_names_without_one_count(name: str) -> None:
    assert wants(name)


@pytest.mark.parametrize(
    "name", ["a.txt", "a.jpg.xmp", "a.", ".hidden.jpg", ".jpg", "a.mov", "a.jpg~"]
)
def test_others_do_not(name: str) -> None:
    assert not wants(name)


def test_hidden_names_count_when_asked_for() -> None:
    assert wants(".hidden.jpg", hidden=True)
    assert wants(".jpg", hidden=True)
    assert enters(".dark", hidden=True)
    assert not enters(".dark")


@pytest.mark.parametrize(
    "name",
    [".Trash-1000", ".trash-0", ".Trashes", "$RECYCLE.BIN", "@eaDir", "lost+found", ".thumbnails"],
)
def test_trash_and_thumbnails_never_count(name: str) -> None:
    assert not enters(name)
    assert not enters(name, hidden=True)


@pytest.mark.parametrize("name", [".snapshots", "#snapshot", "~snapshot", ".zfs"])
def test_what_a_disk_held_some_time_ago_is_kept_for_no_photo_of_today(name: str) -> None:
    assert not enters(name)
    assert not enters(name, hidden=True)


def test_include_takes_whatever_suffix_and_exclude_wins() -> None:
    assert wants("a.mov", include=("*.mov",))
    assert not wants("a.jpg", include=("*.mov",))
    assert not wants("b.mov", include=("*.mov",), exclude=("b*",))
    assert not wants(".a.mov", include=("*.mov",))


@pytest.mark.parametrize("pattern", ["*.JPG", "IMG_*", "img_0001.jpg", "[i]mg*", "img?0001.jpg"])
def test_patterns_ignore_case(pattern: str) -> None:
    assert not wants("Img_0001.Jpg", exclude=(pattern,))
    assert wants("other.png", exclude=(pattern,))


@pytest.mark.parametrize("pattern", ["Holiday/*.jpg", "holiday/a.jpg", "*/a.jpg", "/holiday/a.jpg"])
def test_a_pattern_with_a_slash_counts_from_the_root(pattern: str) -> None:
    assert not wants("a.jpg", "holiday", exclude=(pattern,))
    assert wants("a.jpg", "", exclude=(pattern,))


def test_a_pattern_without_a_slash_counts_anywhere() -> None:
    assert not wants("a.jpg", "x/y", exclude=("a.*",))
    assert not enters("private", "x/y", exclude=("private",))
    assert not enters("private", "x/y", exclude=("private/",))
    assert not enters("Private", "", exclude=("/private",))
    assert enters("private", "x", exclude=("/private",))
    assert not enters("b", "a", exclude=("a/b",))


@given(st.lists(st.text(alphabet="ab*?[]!-/.()|\\^$+{}é\n", max_size=6), max_size=4), st.binary())
def test_no_pattern_and_no_name_is_an_error(patterns: list[str], name: bytes) -> None:
    filters = Filters(PICTURE_SUFFIXES, tuple(patterns), tuple(reversed(patterns)))
    for test in (filters.files(), filters.folders()):
        assert test(b"", name) in (True, False)
        assert test(b"a/b", name) in (True, False)


def test_names_that_are_not_utf_8_match_too() -> None:
    test = Filters(PICTURE_SUFFIXES, exclude=("bad*",)).files()
    assert not test(b"", b"bad\xff\xfe.jpg")
    assert test(b"", b"good\xff\n.jpg")
    assert not test(b"", b"bad\n.jpg")


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("?.jpg", "é.jpg"), ("É*", "été.jpg"), ("[à-ü]*", "é.jpg"), ("./cache", "cache")],
)
def test_patterns_are_held_against_text(pattern: str, name: str) -> None:
    filters = Filters(frozenset({b"jpg"}), exclude=(pattern,))
    assert not filters.folders()(b"", name.encode())


def test_a_name_that_is_no_text_can_be_matched() -> None:
    assert not Filters(frozenset({b"jpg"}), exclude=("?.jpg",)).files()(b"", b"\xff.jpg")
