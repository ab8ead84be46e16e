"""Bytes that change below their stamps are found by reading, and only reported (R13)."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from catalog.model import Verification
from catalog.queries import verify as module
from catalog.store.database import open_for_reading
from tests.support import Library, Reader


@pytest.fixture
def checked(library: Library, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setattr(module, "run_all", reader.run_all)
    for number in range(10):
        library.put(f"{number}.bmp", number)
    library.index()
    library.reader.forget()
    return library


def verify(library: Library, sample: float = 1.0) -> Verification:
    with open_for_reading(library.catalog) as database:
        return module.verify(database, sample=sample, jobs=1)


def rot(library: Library, name: str) -> None:
    """Make the catalog remember other bytes under the stamps that the file has."""
    with sqlite3.connect(library.catalog.decode()) as connection:
        connection.execute(
            "UPDATE content SET digest = randomblob(32) WHERE id = "
            "(SELECT content FROM photo WHERE name = CAST(? AS BLOB))",
            (name,),
        )
    connection.close()


def test_a_sound_library_is_read_whole_and_decoded_never(checked: Library) -> None:
    found = verify(checked)
    assert found.sound
    assert (found.checked, found.changed) == (10, 0)
    assert len(checked.read) == 10
    assert checked.decoded == set()


def test_silent_changes_are_reported_by_name(checked: Library) -> None:
    rot(checked, "3.bmp")
    found = verify(checked)
    assert [drift.path for drift in found.drifted] == [checked.path("3.bmp")]
    assert not found.sound


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE content SET phash = phash + 1 WHERE id = 4",
        "UPDATE content SET flat = 1 - flat WHERE id = 4",
        "UPDATE signature SET pixels = zeroblob(1024) WHERE content = 4",
        "UPDATE signature SET pixels = x'00' WHERE content = 4",
        "DELETE FROM signature WHERE content = 4",
    ],
)
def test_a_damaged_hash_in_the_catalog_is_reported_by_name(checked: Library, damage: str) -> None:
    with sqlite3.connect(checked.catalog.decode()) as connection:
        connection.execute(damage)
    connection.close()
    ((name,),) = checked.rows("SELECT name FROM photo WHERE content = 4")
    found = verify(checked)
    assert [drift.path for drift in found.drifted] == [checked.path(name)]
    assert "hash" in found.drifted[0].why


def test_a_wrong_copy_of_the_hashes_is_reported(
    checked: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.hashes, "copy_differs", lambda database: True)
    found = verify(checked)
    assert not found.sound
    assert found.copy_differed


def test_nothing_is_repaired(checked: Library) -> None:
    rot(checked, "3.bmp")
    before = Path(os.fsdecode(checked.catalog)).read_bytes()
    verify(checked)
    assert Path(os.fsdecode(checked.catalog)).read_bytes() == before
    assert not verify(checked).sound


def test_an_open_change_is_for_the_next_index(checked: Library) -> None:
    checked.put("3.bmp", 99, age=0)
    os.unlink(checked.path("4.bmp"))
    found = verify(checked)
    assert (found.checked, found.changed) == (8, 2)
    assert found.sound


def test_a_sample_reads_its_share(checked: Library) -> None:
    assert verify(checked, sample=0.3).checked == 3
    assert verify(checked, sample=0.0001).checked == 1


def test_a_damaged_catalog_is_no_sound_one(
    checked: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.store.database.Database.fault", lambda self: "page 7 is gone")
    found = verify(checked)
    assert found.catalog_fault == "page 7 is gone"
    assert not found.sound


def test_ctrl_c_keeps_what_was_found(checked: Library) -> None:
    def interrupt(path: bytes) -> None:
        if len(checked.reader.read) == 4:
            raise KeyboardInterrupt

    checked.reader.before = interrupt
    found = verify(checked)
    assert found.interrupted
    assert found.checked == 4
