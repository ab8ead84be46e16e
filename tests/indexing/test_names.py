"""R25: any bytes that a file system takes for a name go in and come out, and match nothing else."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import UsageError
from catalog.indexing.forget import forget
from catalog.queries.duplicates import duplicates
from catalog.queries.standing import problems
from catalog.scanning.filters import Filters
from catalog.store.database import open_for_reading, open_for_writing
from tests.support import Library, Reader, members, no_loose_ends, true

SPECIAL = [
    b"%",
    b"_",
    b"[a]",
    b"*",
    b"?",
    b"'",
    b'"',
    b"\n",
    b"\x1b[2J",
    b"\xff",
    b"\\",
    b" ",
    b"-",
]
SPECIAL += ["\U0001f468\u200d\U0001f469".encode(), "é".encode(), b"%s", b"{0}", b"--", b"~", b"#?&"]


def fits(name: bytes) -> bool:
    plain = name not in (b"", b".", b"..") and b"\0" not in name and b"/" not in name
    wanted = Filters(frozenset(), hidden=False).folders()(b"", name)
    return plain and wanted and len(name) < 200


NAMES = st.one_of(
    st.sampled_from(SPECIAL),
    st.binary(min_size=1, max_size=20),
    st.text(min_size=1, max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
).filter(fits)


@pytest.mark.usefixtures("reader")
@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=4, unique=True))
def test_r25_names_round_trip_through_index_dupes_and_forget(
    names: list[tuple[bytes, bytes]],
) -> None:
    with tempfile.TemporaryDirectory() as place:
        library = Library(Path(place), Reader())
        for folder, name in names:
            for sibling in (folder, folder + b"b"):
                library.put(os.path.join(sibling, name + b".bmp"), 1)
        library.index()
        assert true(library)
        (group,) = library.dupes().groups
        every = {library.path(name) for name in library.known()}
        assert {photo.path for photo in members(group)} == every
        folder = names[0][0]
        inside = {path for path in every if path.startswith(library.path(folder) + b"/")}
        (group,) = library.dupes(folder).groups if len(inside) > 1 else (None,)
        assert group is None or {photo.path for photo in members(group)} == inside
        with open_for_writing(library.catalog) as database:
            assert forget(database, [library.path(folder)]) == len(inside)
            left = list(duplicates(database).groups)
        found = {photo.path for group in left for photo in members(group)}
        assert found == (every - inside if len(every - inside) > 1 else set())
        library.index()
        assert true(library)
        no_loose_ends(library.catalog)


@pytest.fixture
def siblings(library: Library) -> Library:
    for folder in (b"a", b"ab", b"A", b"a%", b"a_", b"a.b", b"a b", b"a/a", b"a0", b"a\xff"):
        for name in ("1.bmp", "2.bmp"):
            library.put(os.path.join(folder, os.fsencode(name)), 1)
    library.index()
    return library


def test_r25_forgetting_a_folder_leaves_those_whose_names_begin_with_its_own(
    siblings: Library,
) -> None:
    before = set(siblings.known())
    with open_for_writing(siblings.catalog) as database:
        assert forget(database, [siblings.path(b"a")]) == 4
    gone = {b"a/1.bmp", b"a/2.bmp", b"a/a/1.bmp", b"a/a/2.bmp"}
    assert set(siblings.known()) == before - gone
    no_loose_ends(siblings.catalog)


def test_r25_asking_about_a_folder_leaves_out_those_whose_names_begin_with_its_own(
    siblings: Library,
) -> None:
    assert siblings.groups(b"a") == [{b"a/1.bmp", b"a/2.bmp", b"a/a/1.bmp", b"a/a/2.bmp"}]
    assert siblings.groups(b"a_") == [{b"a_/1.bmp", b"a_/2.bmp"}]
    assert siblings.groups(b"a/1.bmp", b"A/2.bmp") == [{b"a/1.bmp", b"A/2.bmp"}]


# -- forgetting ------------------------------------------------------------------------------


def forgotten(library: Library, *names: str, missing: bool = False) -> int:
    with open_for_writing(library.catalog) as database:
        return forget(database, [library.path(name) for name in names], missing=missing)


@pytest.fixture
def shelf(library: Library) -> Library:
    for name, seed in {"a/1.bmp": 1, "a/2.bmp": 2, "b/1.bmp": 1, "b/bad.jpg": 0}.items():
        library.put(name, b"no picture" if name.endswith("bad.jpg") else seed)
    library.index("a", "b")
    return library


def test_forgetting_one_file_drops_it_and_the_next_index_finds_it_again(shelf: Library) -> None:
    assert forgotten(shelf, "a/2.bmp") == 1
    assert set(shelf.known()) == {b"a/1.bmp", b"b/1.bmp", b"b/bad.jpg"}
    no_loose_ends(shelf.catalog)
    shelf.index("a")
    assert shelf.read == {b"a/2.bmp"}


def test_forgetting_a_file_after_a_quiet_rescan_is_seen_by_the_next(shelf: Library) -> None:
    shelf.rescan()
    forgotten(shelf, "a/2.bmp")
    shelf.rescan()
    assert shelf.read == {b"a/2.bmp"}


def test_forgetting_a_root_stops_following_it(shelf: Library) -> None:
    assert forgotten(shelf, "b") == 2
    assert [root.path for root in shelf.status().roots] == [shelf.path("a")]
    shelf.rescan()
    assert set(shelf.known()) == {b"a/1.bmp", b"a/2.bmp"}
    assert shelf.rows("SELECT count(*) FROM folder") == [(1,)]
    no_loose_ends(shelf.catalog)


def test_forgetting_everything_leaves_an_empty_catalog(shelf: Library) -> None:
    assert forgotten(shelf) == 4
    for table in ("photo", "content", "signature", "problem", "folder", "root"):
        assert shelf.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_forgetting_what_is_missing_leaves_what_is_there(shelf: Library) -> None:
    os.unlink(shelf.path("a/2.bmp"))
    shutil.rmtree(shelf.path("b"))
    os.mkdir(shelf.path("b"))
    shelf.put("b/new.bmp", 9)
    shelf.rescan()
    assert forgotten(shelf, "a", missing=True) == 1
    assert forgotten(shelf, "a", missing=True) == 0
    assert forgotten(shelf, missing=True) == 2
    assert set(shelf.known()) == {b"a/1.bmp", b"b/new.bmp"}
    assert shelf.rows("SELECT count(*) FROM photo") == [(2,)]
    assert len(shelf.status().roots) == 2
    no_loose_ends(shelf.catalog)


def test_a_missing_file_can_be_forgotten_by_name(shelf: Library) -> None:
    os.unlink(shelf.path("a/2.bmp"))
    shelf.rescan()
    assert forgotten(shelf, "a/2.bmp") == 1
    assert forgotten(shelf, "a/1.bmp", missing=True) == 0


def test_an_offline_root_can_be_forgotten_by_name(shelf: Library) -> None:
    shutil.rmtree(shelf.path("b"))
    shelf.rescan()
    assert forgotten(shelf, "b") == 2
    assert len(shelf.status().roots) == 1


@pytest.mark.parametrize("name", ["c", "a/3.bmp", ".", "a/1.bmp/x"])
def test_forgetting_what_is_not_known_is_refused(shelf: Library, name: str) -> None:
    with pytest.raises(UsageError, match="not in the catalog"):
        forgotten(shelf, name)
    assert len(shelf.known()) == 4


def test_problems_are_told_by_path(shelf: Library) -> None:
    with open_for_reading(shelf.catalog) as database:
        assert [p.path for p in problems(database)] == [shelf.path("b/bad.jpg")]
        assert [p.path for p in problems(database, [shelf.path("b")])] == [shelf.path("b/bad.jpg")]
        assert problems(database, [shelf.path("a")]) == []
