"""Rows mean what they say: numbers keep their bits, contents go with their last file."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import Busy, CatalogError
from catalog.model import Failure, HashKind, Reason, Recipe, Stamp, signed64
from catalog.store import contents, folders, hashes, holders, locks, photos
from catalog.store import settings as stored
from catalog.store.contents import unsigned64
from catalog.store.database import Database, open_for_writing
from tests.support import Values, fingerprint, stamp_of

HASHES = st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1]) | st.integers(0, 2**64 - 1)
ANY = st.sampled_from([0, -1, 2**63 - 1, 2**63, -(2**63), 2**64 - 1]) | st.integers(-(2**63), 2**64)


def root(database: Database, path: bytes = b"/photos") -> int:
    with database.writing() as writer:
        folder = folders.add_folder(writer, None, path, "uuid:1", 2)
        folders.add_root(writer, folder, {})
    return folder


@given(HASHES)
def test_r25_a_hash_keeps_its_64_bits(value: int) -> None:
    assert unsigned64(signed64(value)) == value
    assert -(2**63) <= signed64(value) < 2**63


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(HASHES, HASHES, HASHES), min_size=1, max_size=5), st.data())
def test_r25_hashes_and_stamps_round_trip_through_the_file(
    every: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        path = os.fsencode(Path(place) / "catalog.db")
        stamps = []
        with open_for_writing(path) as database:
            folder = root(database)
            with database.writing() as writer:
                for number, three in enumerate(every):
                    content = contents.save(writer, fingerprint(number, Values(*three)))
                    stamp = Stamp(number, *(signed64(data.draw(ANY)) for _ in range(3)))
                    stamps.append(stamp)
                    photos.put(writer, folder, b"%d" % number, stamp, content, again=False)
        with open_for_writing(path) as database:
            rows = {row.name: row for row in photos.in_folder(database, folder)}
            assert [rows[b"%d" % n].stamp for n in range(len(every))] == stamps
            for position, kind in enumerate((HashKind.PHASH, HashKind.DHASH, HashKind.AHASH)):
                table = hashes.load(database, kind)
                found = dict(zip(table.contents.tolist(), table.hashes.tolist(), strict=True))
                for number, three in enumerate(every):
                    content = rows[b"%d" % number].content
                    assert content is not None
                    assert found[content] == three[position]
                    assert contents.hash_of(database, content, kind) == three[position]
            inodes = [stamp.inode for stamp in stamps]
            assert {row.id for row in photos.by_inode(database, inodes)} == {
                row.id for row in rows.values()
            }


def test_strict_tables_refuse_what_is_of_another_type(database: Database) -> None:
    folder = root(database)
    with pytest.raises(CatalogError), database.writing() as writer:
        photos.put(writer, folder, "text", stamp_of(1), None, again=False)  # type: ignore[arg-type]
    assert photos.in_folder(database, folder) == []


def test_a_content_goes_with_the_last_file_that_holds_it(database: Database) -> None:
    folder = root(database)
    with database.writing() as writer:
        content = contents.save(writer, fingerprint(1))
        one = photos.put(writer, folder, b"1", stamp_of(1), content, again=False)
        other = photos.put(writer, folder, b"2", stamp_of(2), content, again=False)
        contents.delete_unused(writer, photos.delete(writer, [one]))
        assert photos.holds(writer, content)
        contents.delete_unused(writer, photos.delete(writer, [other]))
        assert not photos.holds(writer, content)
    assert contents.count(database) == 0
    assert database.value("SELECT count(*) FROM signature") == 0


def test_a_content_that_files_hold_cannot_be_deleted(database: Database) -> None:
    folder = root(database)
    with database.writing() as writer:
        content = contents.save(writer, fingerprint(1))
        photos.put(writer, folder, b"1", stamp_of(1), content, again=False)
        contents.delete_unused(writer, [content, 99])
    assert contents.count(database) == 1


def test_known_bytes_are_refreshed_and_keep_their_id(database: Database) -> None:
    with database.writing() as writer:
        content = contents.save(writer, fingerprint(1, Values(phash=5)))
        again = contents.save(writer, fingerprint(1, Values(phash=6), recipe=Recipe.FULL))
        assert again == content
    assert contents.count(database) == 1
    assert contents.hash_of(database, content, HashKind.PHASH) == 6
    assert database.value("SELECT count(*) FROM signature") == 1


def test_r8_a_problem_has_no_content_and_a_photo_no_problem(database: Database) -> None:
    folder = root(database)
    with database.writing() as writer:
        content = contents.save(writer, fingerprint(1))
        photo = photos.put(writer, folder, b"1", stamp_of(1), None, again=False)
        photos.put_problem(writer, photo, Failure(Reason.DAMAGED, "why"), "decoder 1")
    assert photos.count_problems(database, [folder]) == 1
    assert holders.of_places(database, [folder], []).tolist() == []
    with database.writing() as writer:
        photos.put(writer, folder, b"1", stamp_of(2), content, again=False)
    assert photos.count_problems(database, [folder]) == 0


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    with contextlib.suppress(ZeroDivisionError), database.writing() as writer:
        contents.save(writer, fingerprint(1))
        raise ZeroDivisionError
    assert contents.count(database) == 0
    with database.writing() as writer:
        contents.save(writer, fingerprint(2))
    assert contents.count(database) == 1


def test_r24_two_writers_take_turns(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PATIENCE", 0.2)
    with open_for_writing(database.path) as other:
        with database.writing() as writer:
            contents.save(writer, fingerprint(1))
            with pytest.raises(Busy, match=r"process \d+"), other.writing():
                pass
            assert contents.count(other) == 0, "readers see what was committed"
        with other.writing() as writer:
            contents.save(writer, fingerprint(2))
        assert contents.count(database) == 2


def test_a_change_of_any_photo_takes_back_that_its_folder_is_settled(database: Database) -> None:
    one, other = root(database, b"/1"), root(database, b"/2")

    def settled() -> list[bool]:
        rows = {row.id: row.settled for row in folders.all_folders(database)}
        return [rows[one] is not None, rows[other] is not None]

    def settle() -> None:
        with database.writing() as writer:
            folders.set_settled(writer, [(one, b"x"), (other, b"y")])
        assert settled() == [True, True]

    with database.writing() as writer:
        content = contents.save(writer, fingerprint(1))
        photo = photos.put(writer, one, b"a", stamp_of(1), content, again=False)
    (row,) = photos.in_folder(database, one)
    for change, expected in (
        (lambda w: photos.put(w, one, b"b", stamp_of(2), None, again=False), [False, True]),
        (lambda w: photos.put(w, one, b"a", stamp_of(3), content, again=False), [False, True]),
        (lambda w: photos.mark_missing(w, [row], 5), [False, True]),
        (lambda w: photos.mark_present(w, [photo]), [False, True]),
        (lambda w: photos.read_again_in(w, one), [False, True]),
        (lambda w: photos.read_again_if_made_by_another(w, Recipe.FULL, range(99)), [True, True]),
        (lambda w: w.run("UPDATE photo SET again = 0"), [False, True]),
        (lambda w: photos.read_again_if_made_by_another(w, Recipe.FULL, range(99)), [False, True]),
        (lambda w: w.run("UPDATE photo SET folder = ? WHERE id = ?", (other, photo)), [False] * 2),
        (lambda w: photos.delete(w, [photo]), [True, False]),
    ):
        settle()
        with database.writing() as writer:
            change(writer)
        assert settled() == expected
    assert row.id == photo


def test_settings_keep_the_recipe(database: Database) -> None:
    assert stored.recipe(database) is Recipe.REDUCED
    with database.writing() as writer:
        stored.set_recipe(writer, Recipe.FULL)
    assert stored.recipe(database) is Recipe.FULL


def test_a_catalog_takes_less_than_1_6_kb_a_content(tmp_path: Path) -> None:
    count = 5_000
    path = os.fsencode(tmp_path / "catalog.db")
    with open_for_writing(path) as database:
        folder = root(database)
        for start in range(0, count, 500):
            with database.writing() as writer:
                for number in range(start, start + 500):
                    content = contents.save(
                        writer,
                        fingerprint(
                            number,
                            Values(
                                number * 7919 << 40 & 2**64 - 1, number << 32, 2**64 - number - 1
                            ),
                            digest=os.urandom(32),
                            taken_at="2024-05-06T07:08:09.123+02:00",
                            camera="FUJIFILM X-T30 II",
                        ),
                    )
                    name = b"DSCF%05d.JPG" % number
                    stamp = Stamp(8_000_000 + number, 10**18 + number, 10**18 + number, number)
                    photos.put(writer, folder, name, stamp, content, again=False)
    assert os.path.getsize(path) / count < 1600


def test_places_are_found_by_path_and_by_row(database: Database) -> None:
    top = root(database, b"/photos")
    slash = root(database, b"")
    with database.writing() as writer:
        a = folders.add_folder(writer, top, b"a", "uuid:1", 3)
        assert folders.add_folder(writer, top, b"a", "uuid:2", 4) == a
        deep = folders.add_folder(writer, a, b"\xff%_", "uuid:1", 5)
    places = folders.Places(database)
    assert places.path(deep) == b"/photos/a/\xff%_"
    assert places.path(slash) == b""
    assert folders.find(database, b"/photos/a/\xff%_") == deep
    assert folders.find(database, b"/photos") == top
    assert folders.find(database, b"/photos/a/x") is None
    assert folders.find(database, b"/") == slash
    assert sorted(folders.below(database, [top])) == [top, a, deep]
    assert folders.below(database, []) == []


def test_empty_folders_go_and_those_with_rows_or_roots_stay(database: Database) -> None:
    top = root(database)
    with database.writing() as writer:
        a = folders.add_folder(writer, top, b"a", "uuid:1", 3)
        b = folders.add_folder(writer, a, b"b", "uuid:1", 4)
        c = folders.add_folder(writer, a, b"c", "uuid:1", 5)
        photos.put(writer, c, b"1", stamp_of(1), None, again=False)
        folders.delete_empty(writer, [top, a, b, c])
    assert {row.id for row in folders.all_folders(database)} == {top, a, c}
