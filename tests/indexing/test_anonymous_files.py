"""File systems that number their files anew (R10): size and time of modification must do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from catalog.queries.similar import similar
from catalog.scanning import filesystem
from catalog.store.database import open_for_reading
from tests.support import Library, digest, true


@pytest.fixture
def card(library: Library, monkeypatch: pytest.MonkeyPatch) -> Library:
    """A library on something like a FAT card."""
    monkeypatch.setattr(filesystem, "tells_files_apart", lambda device: False)
    library.put("DCIM/1.bmp", 1)
    library.put("DCIM/2.bmp", 2)
    library.put("copy of 1.bmp", 1)
    return library


def renumber(library: Library) -> Iterator[bytes]:
    """Give every file another inode, as plugging the card in again would."""
    for folder, _, names in os.walk(os.fsencode(library.top)):
        for name in names:
            path = os.path.join(folder, name)
            shutil.copy2(path, path + b".new")
            os.rename(path + b".new", path)
            yield path


def test_files_with_new_numbers_are_unchanged(card: Library) -> None:
    assert card.index().added == 3
    assert len(list(renumber(card))) == 3
    again = card.rescan()
    assert (again.unchanged, again.changed) == (3, 0)
    assert card.read == set()


def test_other_bytes_are_found_by_their_time(card: Library) -> None:
    card.index()
    card.put("DCIM/1.bmp", 9, age=0)
    card.rescan()
    assert card.known()[b"DCIM/1.bmp"] == digest(9)


def test_no_two_files_are_taken_for_one(card: Library) -> None:
    card.index()
    (group,) = card.dupes().groups
    assert not group.matches[0].same_file
    assert group.reclaimable == group.keep.stamp.size


def test_a_renamed_file_is_read_and_never_guessed(card: Library) -> None:
    card.index()
    os.rename(card.path("DCIM/2.bmp"), card.path("DCIM/3.bmp"))
    os.rename(card.path("DCIM"), card.path("100CANON"))
    card.rescan()
    assert card.read == {b"100CANON/1.bmp", b"100CANON/3.bmp"}
    assert true(card)


def test_a_known_picture_is_not_read_again_for_a_question(
    card: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    card.index()
    card.reader.forget()
    with open_for_reading(card.catalog) as database:
        answer = similar(database, card.path("DCIM/1.bmp"))
    assert [match.photo.path for match in answer.matches] == [card.path("copy of 1.bmp")]
    assert card.reader.read == []


def test_it_is_said_once(card: Library) -> None:
    assert [note for note in card.index().notes if "size and time" in note]
    assert card.rescan().notes == ()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("ext4", True), ("vfat", False), ("fuse.sshfs", False), ("cifs", False), ("xfs", True)],
)
def test_which_file_systems_tell_files_apart(
    kind: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filesystem, "_mounts", lambda: {7: (kind, "/dev/sdz1")})
    assert filesystem.tells_files_apart(7) is expected
