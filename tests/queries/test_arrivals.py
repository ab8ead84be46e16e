"""Of photos that arrive, those that were there before are told; others cost next to nothing."""

from __future__ import annotations

import io
import os

import pytest
from PIL import Image

from catalog.model import AlreadyThere, Kind
from catalog.queries.arrivals import already_there
from catalog.store import holders
from tests.support import Library, picture

GREY = Image.new("L", (48, 32), 128)


def blank(form: str) -> bytes:
    buffer = io.BytesIO()
    GREY.save(buffer, form)
    return buffer.getvalue()


def arriving(library: Library, *names: str) -> list[AlreadyThere]:
    ids = {
        path: content
        for path, content in library.rows("SELECT name, content FROM photo")
        if content is not None
    }
    arrivals = [(library.path(name), ids[os.fsencode(name)]) for name in names]
    return list(already_there(library.catalog, arrivals))


@pytest.fixture
def shelf(library: Library) -> Library:
    library.put("old.bmp", 1)
    library.put("blank.bmp", blank("BMP"))
    library.put("copy.bmp", 1)
    library.put("again.jpg", picture(1, "JPEG"))
    library.put("blank copy.bmp", blank("BMP"))
    library.put("blank.png", blank("PNG"))
    for number in range(10, 30):
        library.put(f"{number}.bmp", number)
    os.link(library.path("10.bmp"), library.path("link.bmp"))
    library.index()
    return library


def test_equal_bytes_and_close_hashes_are_told(shelf: Library) -> None:
    (one,), (other,) = shelf.rows(
        "SELECT phash FROM photo JOIN content ON content.id = content "
        "WHERE name IN (CAST('old.bmp' AS BLOB), CAST('again.jpg' AS BLOB)) ORDER BY name"
    )
    bits = ((one ^ other) & (2**64 - 1)).bit_count()
    old = shelf.path("old.bmp")
    assert arriving(shelf, "copy.bmp", "11.bmp", "again.jpg") == [
        AlreadyThere(shelf.path("copy.bmp"), old, Kind.IDENTICAL, 1.0),
        AlreadyThere(shelf.path("again.jpg"), old, Kind.HASH, 1 - bits / 64),
    ]


def test_of_two_that_arrive_together_the_second_is_told(shelf: Library) -> None:
    os.unlink(shelf.path("old.bmp"))
    shelf.rescan()
    told = arriving(shelf, "copy.bmp", "again.jpg")
    assert [(found.path, found.other) for found in told] == [
        (shelf.path("again.jpg"), shelf.path("copy.bmp"))
    ]


def test_blank_ones_are_compared_by_their_bytes_alone(shelf: Library) -> None:
    told = arriving(shelf, "blank copy.bmp", "blank.png")
    assert [(found.path, found.other, found.kind) for found in told] == [
        (shelf.path("blank copy.bmp"), shelf.path("blank.bmp"), Kind.IDENTICAL)
    ]


def test_another_name_of_one_file_was_not_there_before(shelf: Library) -> None:
    assert arriving(shelf, "link.bmp") == []


def test_those_that_are_like_nothing_are_not_asked_for_one_by_one(
    shelf: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []
    real = holders.of_contents

    def counted(database: object, contents: object) -> object:
        asked.append(list(contents))  # type: ignore[call-overload]
        return real(database, contents)  # type: ignore[arg-type]

    monkeypatch.setattr(holders, "of_contents", counted)
    assert arriving(shelf, "blank.png", *(f"{number}.bmp" for number in range(11, 30))) == []
    assert asked == []
    arriving(shelf, "copy.bmp")
    assert asked != []
