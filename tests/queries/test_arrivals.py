"""Of photos that arrive, those that were there before are told; others cost next to nothing."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from catalog.model import AlreadyThere, Kind, Photo
from catalog.queries import arrivals
from catalog.queries.arrivals import already_there
from catalog.store import holders
from tests.search.pictures import natural
from tests.support import Library

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
    came = [(library.path(name), ids[os.fsencode(name)]) for name in names]
    return list(already_there(library.catalog, came))


def photo(form: str) -> bytes:
    buffer = io.BytesIO()
    natural(1).save(buffer, form)
    return buffer.getvalue()


@pytest.fixture
def shelf(library: Library) -> Library:
    library.put("old.bmp", photo("BMP"))
    library.put("blank.bmp", blank("BMP"))
    library.put("copy.bmp", photo("BMP"))
    library.put("again.jpg", photo("JPEG"))
    library.put("blank copy.bmp", blank("BMP"))
    library.put("blank.png", blank("PNG"))
    for number in range(10, 30):
        library.put(f"{number}.bmp", number)
    os.link(library.path("10.bmp"), library.path("link.bmp"))
    library.index()
    return library


def test_equal_bytes_and_the_same_picture_are_told(shelf: Library) -> None:
    old = shelf.path("old.bmp")
    told = arriving(shelf, "copy.bmp", "11.bmp", "again.jpg")
    assert [(found.path, found.other, found.kind) for found in told] == [
        (shelf.path("copy.bmp"), old, Kind.IDENTICAL),
        (shelf.path("again.jpg"), old, Kind.SAME),
    ]
    assert told[0].score == 1.0
    assert told[1].score == pytest.approx(1, abs=0.01)


def test_a_turned_and_cropped_copy_is_told_among_few(shelf: Library) -> None:
    turned = natural(1).crop((8, 8, 152, 152)).transpose(Image.Transpose.ROTATE_90)
    buffer = io.BytesIO()
    turned.save(buffer, "PNG")
    shelf.put("turned.png", buffer.getvalue())
    shelf.rescan()
    (told,) = arriving(shelf, "turned.png")
    there = {shelf.path(name) for name in ("old.bmp", "copy.bmp", "again.jpg")}
    assert told.other in there
    assert told.kind is Kind.SAME


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
    monkeypatch.setattr(arrivals, "_FEW", 3)
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


def test_a_photo_that_got_other_bytes_meanwhile_is_not_told(
    shelf: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = arriving(shelf, "copy.bmp", "again.jpg")
    assert told, "there is something to tell"
    records = holders.records

    def changed(*arguments: Any) -> dict[int, Photo]:
        found = records(*arguments)
        return {row: replace(photo, content=-photo.content) for row, photo in found.items()}

    monkeypatch.setattr(holders, "records", changed)
    assert arriving(shelf, "copy.bmp", "again.jpg") == []
