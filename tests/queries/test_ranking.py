"""Very many files come in the order of ``keeping``, whatever the rules; its keys are the oracle."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.keeping import DEFAULT, KeepRules, Key, parse
from catalog.model import FAMILIES, FAMILY_OF, Photo, Stamp
from catalog.queries import ranking
from catalog.store import contents, folders, holders, photos
from catalog.store.database import Database, open_for_writing
from catalog.store.folders import Places
from tests.orders import orders
from tests.support import fingerprint

# Folders of two roots; what rules name besides lies above them, or is nowhere.
ROOTS = (b"/lib/a", b"/lib/ab")
INNER = (b"x", b"y,", b"xy")
NAMED = [
    b"/",
    b"/lib",
    b"/li",
    b"/lib/a",
    b"/lib/a/x",
    b"/lib/a/x/y,",
    b"/lib/ab",
    b"/lib/ab/xy",
    b"/lib/abc",
    b"/nowhere",
]

# (folder, name, mtime), and of what content; few values, so that much is equal.
FILES = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from([b"1.jpg", b"2.jpg", b"11.jpg", b"\xff.j"]),
        st.integers(0, 2),
        st.integers(0, 3),
    ),
    max_size=12,
    unique_by=lambda file: file[:2],
)
CONTENTS = st.lists(
    st.fixed_dictionaries(
        {
            "width": st.sampled_from([400, 500]),
            "format": st.sampled_from(["JPEG", "MPO", "NEF", "RAW", "HEIF", "PNG", "ODD"]),
            "camera": st.sampled_from([None, "", "Canon"]),
            "size": st.sampled_from([5, 8, 16]),
        }
    ),
    min_size=4,
    max_size=4,
)


@contextmanager
def stored(
    files: Sequence[tuple[int, bytes, int, int]], made: Sequence[dict[str, Any]]
) -> Iterator[Database]:
    """A catalog of files that are nowhere but in it."""
    with (
        tempfile.TemporaryDirectory() as place,
        open_for_writing(os.fsencode(Path(place) / "catalog.db")) as database,
    ):
        with database.writing() as writer:
            rows = []
            for root in ROOTS:
                top = folders.add_folder(writer, None, root, "disk", 0)
                folders.add_root(writer, top, {})
                rows.append(top)
                rows += [folders.add_folder(writer, top, name, "disk", 0) for name in INNER]
            rows.append(folders.add_folder(writer, rows[1], INNER[1], "disk", 0))
            ids = [contents.save(writer, fingerprint(at, **each)) for at, each in enumerate(made)]
            contents.note_shown(writer, [(ids[1], 0.8)])
            for folder, name, mtime, content in files:
                stamp = Stamp(made[content]["size"], mtime, 9, 9)
                photos.put(writer, rows[folder], name, stamp, ids[content], again=False)
        yield database


def every_file(database: Database) -> tuple[holders.Holders, list[Photo]]:
    ids = np.array([row for (row,) in database.rows("SELECT id FROM content")])
    files = holders.of_contents(database, ids)
    records = holders.records(database, files.photo.tolist(), Places(database))
    return files, [records[photo] for photo in files.photo.tolist()]


@settings(max_examples=60, deadline=None)
@given(FILES, CONTENTS, st.data())
def test_files_are_sorted_as_their_records_are_by_the_same_rules(
    files: list[tuple[int, bytes, int, int]], made: list[dict[str, Any]], data: st.DataObject
) -> None:
    with stored(files, made) as database:
        table, records = every_file(database)
        for _ in range(6):
            rules = data.draw(st.just(DEFAULT) | orders(NAMED))
            expected = sorted(range(len(records)), key=lambda at: rules.rank_key(records[at]))
            found = ranking.ranked(database, table, rules)
            assert found.order.tolist() == expected
            assert ranking.order(database, table, rules).tolist() == expected
            levels(found.level.tolist(), [records[at] for at in expected], rules)


def levels(found: list[int], files: list[Photo], rules: KeepRules) -> None:
    """Those of one level are equal in all that comes before a stamp, and others are not."""
    assert found == sorted(found)
    above = rules.in_full[: [rule.key for rule in rules.in_full].index(Key.STAMP)]
    keys = [tuple(rule.value(photo) for rule in above) for photo in files]
    for before in range(len(files) - 1):
        same = found[before] == found[before + 1]
        assert same == (keys[before] == keys[before + 1])


def test_the_columns_of_files_say_what_their_records_do() -> None:
    made = [
        {"width": 4, "format": form, "camera": None, "size": 5 + at}
        for at, form in enumerate([*FAMILIES, *sorted(FAMILY_OF), "ODD", "jpeg"])
    ]
    files = [(at % 7, b"%d" % 10**at, at, at) for at in range(len(made))]
    with stored(files, made) as database:
        table, records = every_file(database)
        for at, photo in enumerate(records):
            family = table.family[at]
            assert (FAMILIES[family] if family >= 0 else photo.format) == photo.family
            assert table.name_length[at] == len(os.path.basename(photo.path))
        assert np.count_nonzero(table.family < 0) == 2


@pytest.mark.parametrize("names_at_once", [1, 2, 50_000])
def test_many_that_only_their_paths_tell_apart_are_looked_up_some_at_a_time(
    monkeypatch: pytest.MonkeyPatch, names_at_once: int
) -> None:
    monkeypatch.setattr(ranking, "_NAMES_AT_ONCE", names_at_once)
    asked: list[int] = []
    names = holders.names

    def counted(database: Database, chosen: Any) -> dict[int, bytes]:
        asked.append(len(chosen))
        return names(database, chosen)

    monkeypatch.setattr(holders, "names", counted)
    made = [{"width": 4, "format": "JPEG", "camera": None, "size": 5}] * 4
    files = [(folder, b"%d.jpg" % at, 7, 0) for folder in range(7) for at in range(9, 12)]
    with stored(files, made) as database:
        table, records = every_file(database)
        for rules in (DEFAULT, parse("path"), parse("newest")):
            expected = sorted(range(len(records)), key=lambda at: rules.rank_key(records[at]))
            assert ranking.order(database, table, rules).tolist() == expected
    assert asked
    assert max(asked) <= 9 + names_at_once, "of one length, and no more"
    assert max(asked) < len(files)


def test_a_folder_that_holds_roots_holds_all_that_is_in_them() -> None:
    with stored([], [{}] * 4) as database:
        places = Places(database)
        every = [row for (row,) in database.rows("SELECT id FROM folder")]
        for path in NAMED:
            expected = {
                row
                for row in every
                if places.path(row) == path
                or (places.path(row) + b"/").startswith(path if path == b"/" else path + b"/")
            }
            found = folders.within(database, path)
            assert set(found) == expected
            assert len(found) == len(expected)


def test_the_root_of_all_may_be_a_root(tmp_path: Path) -> None:
    with open_for_writing(bytes(tmp_path / "catalog.db")) as database:
        with database.writing() as writer:
            top = folders.add_folder(writer, None, folders.top_name(b"/"), "disk", 0)
            folders.add_root(writer, top, {})
            inner = folders.add_folder(writer, top, b"a", "disk", 0)
        assert folders.within(database, b"/") == [top, inner]
        assert folders.within(database, b"/a") == [inner]
        assert folders.within(database, b"/b") == []
