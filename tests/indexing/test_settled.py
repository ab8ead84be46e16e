"""A folder's mark that its rows agree with a listing: believed only while it is true."""

from __future__ import annotations

import sqlite3

import pytest

from tests.support import Library, true


def unsettled(library: Library) -> int:
    return library.rows("SELECT count(*) FROM folder WHERE settled IS NULL")[0][0]


@pytest.fixture
def settled(library: Library) -> Library:
    library.put("a/1.bmp", 1)
    library.put("a/2.bmp", 2)
    library.put("3.bmp", 3)
    library.index()
    return library


def test_an_index_settles_its_folders_at_once(settled: Library) -> None:
    assert unsettled(settled) == 0


def test_a_folder_with_a_file_to_read_again_is_not_settled(library: Library) -> None:
    library.reader.later = 0
    library.put("new.bmp", 1, age=0)
    library.index()
    assert unsettled(library) == 1


def test_a_rescan_believes_the_mark_and_loads_no_rows(
    settled: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object) -> None:
        raise AssertionError("rows were loaded")

    monkeypatch.setattr("catalog.store.photos.settled", load)
    monkeypatch.setattr("catalog.store.photos.in_folder", load)
    assert settled.rescan().unchanged == 3


def test_folders_without_a_mark_get_one_when_they_agree(settled: Library) -> None:
    change(settled, "UPDATE folder SET settled = NULL")
    assert settled.rescan().unchanged == 3
    assert settled.read == set()
    assert unsettled(settled) == 0


@pytest.mark.parametrize(
    ("statement", "read"),
    [
        ("UPDATE photo SET again = 1 WHERE name = CAST('1.bmp' AS BLOB)", {b"a/1.bmp"}),
        ("UPDATE photo SET size = 7 WHERE name = CAST('1.bmp' AS BLOB)", {b"a/1.bmp"}),
        ("DELETE FROM photo WHERE name = CAST('1.bmp' AS BLOB)", {b"a/1.bmp"}),
        ("UPDATE photo SET missing_since = 1 WHERE name = CAST('1.bmp' AS BLOB)", set()),
    ],
)
def test_whatever_changes_a_row_takes_the_mark_back(
    settled: Library, statement: str, read: set[bytes]
) -> None:
    change(settled, statement)
    assert unsettled(settled) == 1
    settled.rescan()
    assert settled.read == read
    assert true(settled)


def test_a_row_put_into_a_settled_folder_takes_the_mark_back(settled: Library) -> None:
    change(
        settled,
        "INSERT INTO photo (folder, name, size, mtime_ns, ctime_ns, inode, again, content) "
        "SELECT folder, CAST('ghost.bmp' AS BLOB), 1, 1, 1, 1, 0, content FROM photo LIMIT 1",
    )
    assert unsettled(settled) == 1
    assert settled.rescan().missing == 1
    assert true(settled)


def test_a_row_moved_between_folders_takes_both_marks_back(settled: Library) -> None:
    change(
        settled,
        "UPDATE photo SET folder = (SELECT folder FROM photo WHERE name = CAST('3.bmp' AS BLOB)) "
        "WHERE name = CAST('1.bmp' AS BLOB)",
    )
    assert unsettled(settled) == 2
    settled.rescan()
    assert true(settled)


def change(library: Library, statement: str) -> None:
    """Change the catalog behind our own code's back."""
    connection = sqlite3.connect(library.catalog.decode())
    with connection:
        connection.execute(statement)
    connection.close()
