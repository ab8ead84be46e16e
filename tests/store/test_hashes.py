"""The copy of all hashes in the cache folder: what it says is always what the catalog says."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from catalog.model import HashKind
from catalog.progress import Phase, Silent
from catalog.store import columns, contents, hashes, opening
from catalog.store.database import (
    Database,
    open_for_reading,
    open_for_writing,
    rebuild,
    which_file,
)
from catalog.store.schema import CONTENT_LOG, SCHEMA
from tests.store.hashing import (
    KINDS,
    Fetched,
    cache,
    copies,
    execute,
    fetched,
    insert,
    only_copy,
    right,
    small,
)
from tests.support import (
    Values,
    ended,
    fingerprint,
    in_child,
    insert_contents,
    sql_rows,
    started,
)

__all__ = ["cache", "fetched", "small"]

GAP = 1023  # contents that may have come since the last row of the log
HASHES = st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**64 - 1])


# -- always the catalog's answer -----------------------------------------------------------------


class Histories(RuleBasedStateMachine):
    """Anything that may happen to a catalog, its copies of hashes, and its backups."""

    def __init__(self) -> None:
        super().__init__()
        self.undo = contextlib.ExitStack()
        patch = self.undo.enter_context(pytest.MonkeyPatch.context())
        place = Path(self.undo.enter_context(tempfile.TemporaryDirectory()))
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        patch.setattr(hashes, "LAYOUT", replace(hashes.LAYOUT, worth=3, much=12, room=5))
        patch.setattr(columns, "_IDS_IN_ONE_QUERY", 2)
        log = CONTENT_LOG.replace("1023", "4").replace("131072", "25")
        assert log.count(" 4\n") == log.count("- 25;") == 1
        patch.setattr(opening, "SCHEMA", SCHEMA.replace(CONTENT_LOG, log))
        self.catalog = os.fsencode(place / "catalog.db")
        self.cache = place / "cache" / "imgcat"
        self.backups: list[bytes] = []
        self.next = 0
        self.open()

    def open(self) -> None:
        self.connections = contextlib.ExitStack()
        self.writer = self.connections.enter_context(open_for_writing(self.catalog))
        readers = [self.connections.enter_context(open_for_reading(self.catalog)) for _ in "ab"]
        self.databases = [self.writer, *readers]

    def teardown(self) -> None:
        self.connections.close()
        self.undo.close()

    def ids(self) -> list[int]:
        return [content for (content,) in self.writer.rows("SELECT id FROM content ORDER BY id")]

    def some(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from([*self.ids(), 1]))

    @rule(values=st.lists(st.tuples(HASHES, HASHES, HASHES, st.booleans()), max_size=5))
    def save_new(self, values: list[tuple[int, int, int, bool]]) -> None:
        with self.writer.writing() as writer:
            for value in values:
                self.next += 1
                contents.save(writer, fingerprint(self.next, Values(*value)))

    @initialize(count=st.integers(0, 30))
    def begin(self, count: int) -> None:
        insert(self.writer, count)

    @rule(count=st.integers(0, 30))
    def save_many(self, count: int) -> None:
        insert(self.writer, count)

    @rule(number=st.integers(1, 20), value=HASHES, times=st.integers(1, 6))
    def refresh(self, number: int, value: int, times: int) -> None:
        """Saved once it is new, then it changes at most once, and each time it costs an id."""
        for _ in range(times):
            with self.writer.writing() as writer:
                contents.save(writer, fingerprint(number, Values(value, 1, 2)))
        self.next = max(self.next, number)

    @rule(data=st.data(), column=st.sampled_from(["phash", "dhash", "ahash", "flat"]))
    def change(self, data: st.DataObject, column: str) -> None:
        update = f"UPDATE content SET {column} = 1 - {column} & 1 WHERE id = ?"
        execute(self.writer, update, [self.some(data)])

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        with self.writer.writing() as writer:
            contents.delete_unused(writer, [self.some(data), max(self.ids(), default=1)][:1])

    @rule()
    def delete_the_last(self) -> None:
        with self.writer.writing() as writer:
            contents.delete_unused(writer, self.ids()[-2:])

    @rule(keep=st.integers(0, 10))
    def delete_all_but(self, keep: int) -> None:
        with self.writer.writing() as writer:
            contents.delete_unused(writer, self.ids()[keep:])

    @rule(which=st.integers(-2, 40))
    def insert_by_hand(self, which: int) -> None:
        if which not in self.ids():
            with self.writer.writing() as writer:
                insert_contents(writer, 1)
                # As it would be with an id of its own choice: OR REPLACE has no other trigger.
                digest = writer.value("SELECT digest FROM content ORDER BY id DESC LIMIT 1")
                row = writer.rows("SELECT * FROM content WHERE digest = ?", (digest,))[0]
                writer.run("DELETE FROM content WHERE id = ?", (row[0],))
                marks = ",".join("?" * len(row))
                writer.run(f"INSERT INTO content VALUES ({marks})", (which, *row[1:]))

    @rule(connection=st.integers(0, 2), kind=st.sampled_from(KINDS), data=st.data())
    def roll_back(self, connection: int, kind: HashKind, data: st.DataObject) -> None:
        """What is loaded inside is what is there inside; afterwards it never was."""
        with contextlib.suppress(ZeroDivisionError), self.writer.writing() as writer:
            insert_contents(writer, data.draw(st.integers(0, 20)))
            writer.run("UPDATE content SET phash = 5, ahash = 6 WHERE id % 3 = 0")
            writer.run("DELETE FROM content WHERE id % 5 = 0")
            assert right(self.databases[connection], [kind])
            raise ZeroDivisionError

    @rule()
    def vacuum(self) -> None:
        self.writer.rows("VACUUM")

    @rule(how=st.sampled_from(["file", "sqlite"]))
    def back_up(self, how: str) -> None:
        backup = self.catalog + b".backup-%d" % len(self.backups)
        if how == "file":
            self.connections.close()
            shutil.copyfile(self.catalog, backup)
            self.open()
        else:
            with contextlib.closing(sqlite3.connect(os.fsdecode(backup))) as target:
                self.writer._connection.backup(target)
        self.backups.append(backup)

    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        if self.backups:
            self.connections.close()
            shutil.copyfile(data.draw(st.sampled_from(self.backups)), self.catalog)
            self.open()

    @rule()
    def set_aside(self) -> None:
        self.connections.close()
        rebuild(self.catalog, which_file(self.catalog))
        self.open()

    @rule()
    def lose_the_copy(self) -> None:
        for place in copies(self.cache):
            place.unlink()

    @rule(connection=st.integers(0, 2), kind=st.sampled_from(KINDS))
    def load(self, connection: int, kind: HashKind) -> None:
        assert right(self.databases[connection], [kind])

    @rule(kind=st.sampled_from(KINDS))
    def load_what_another_copied(self, kind: HashKind) -> None:
        assert right(self.databases[1], [kind])
        assert right(self.databases[2], [kind])

    @invariant()
    def the_copy_agrees_and_is_not_changed_by_asking(self) -> None:
        before = [(place.name, place.read_bytes()) for place in copies(self.cache)]
        assert not hashes.copy_differs(self.writer)
        assert [(place.name, place.read_bytes()) for place in copies(self.cache)] == before


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=20, stateful_step_count=30, deadline=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@pytest.mark.usefixtures("cache", "small")
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 48, 49])
def test_around_every_limit_the_answer_is_right(database: Database, count: int) -> None:
    insert(database, count)
    assert right(database)
    for more in (1, 4, 5, 39, 40, 41, 44, 45):
        insert(database, more)
        assert right(database)
        execute(database, "UPDATE content SET phash = ~phash, flat = 1 - flat WHERE id % 7 = 1")
        assert right(database)
        execute(database, "DELETE FROM content WHERE id % 11 = 2")
        assert right(database)
    execute(database, "DELETE FROM content")
    assert right(database)
    insert(database, count)
    assert right(database)


@pytest.mark.usefixtures("cache", "small")
@pytest.mark.parametrize("column", ["phash", "dhash", "ahash", "flat"])
def test_a_change_of_one_hash_alone_is_seen(database: Database, column: str) -> None:
    insert(database, 20)
    execute(database, "UPDATE content SET ahash = 4 WHERE id = 20")  # all are known up to here
    assert right(database)
    execute(database, f"UPDATE content SET {column} = NOT {column} WHERE id = 5")
    assert right(database)


def test_processes_use_the_copy_of_each_other(cache: Path, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "catalog.db")

    def load() -> bool:
        with open_for_reading(path) as reader:
            return right(reader)

    with open_for_writing(path) as database:
        insert(database, 5000)
        assert in_child(load)
        first = only_copy(cache).stat()
        insert(database, 300)
        execute(database, "UPDATE content SET dhash = 7 WHERE id < 99")
        assert right(database)
        assert in_child(load)
        assert only_copy(cache).stat().st_ino == first.st_ino, "nobody wrote it again"


# -- how much is read ----------------------------------------------------------------------------


def test_few_contents_are_worth_no_copy(database: Database, cache: Path) -> None:
    insert(database, hashes.LAYOUT.worth - 1)
    assert right(database)
    assert copies(cache) == []
    insert(database, 1)
    assert right(database)
    assert len(copies(cache)) == 1


@pytest.mark.usefixtures("cache")
def test_what_came_since_is_all_that_is_read(database: Database, fetched: Fetched) -> None:
    insert(database, 6000)
    assert fetched.by_load(database) >= 6000
    assert fetched.by_load(database) <= 1 + 1 + GAP + 1
    insert(database, 100)
    execute(database, "UPDATE content SET phash = 5 WHERE id <= 30")
    execute(database, "DELETE FROM content WHERE id BETWEEN 31 AND 50")
    most = 100 + GAP + 2 * 30 + 20 + 2  # a change is a row of the log and one of content
    for kind in (HashKind.PHASH, HashKind.DHASH, HashKind.WHASH):
        assert fetched.by_load(database, kind) <= most
    assert right(database)


@pytest.mark.usefixtures("cache")
def test_contents_that_are_refreshed_and_stay_the_same_are_not_read(
    database: Database, fetched: Fetched
) -> None:
    with database.writing() as writer:
        for number in range(50):
            contents.save(writer, fingerprint(number))
        insert_contents(writer, 6000)
    hashes.load(database, HashKind.PHASH)
    before = fetched.by_load(database)
    with database.writing() as writer:
        for number in range(50):
            contents.save(writer, fingerprint(number, size=7))
    assert fetched.by_load(database) == before


def test_ids_that_a_refresh_uses_up_do_not_add_to_what_is_read(
    database: Database, cache: Path, fetched: Fetched
) -> None:
    insert(database, 5000)
    hashes.load(database, HashKind.PHASH)
    with database.writing() as writer:
        old = contents.save(writer, fingerprint(1))
        for _ in range(3000):  # so that no new content ever has an even id
            insert_contents(writer, 1)
            while writer.value("SELECT seq FROM sqlite_sequence WHERE name = 'content'") % 2:
                assert contents.save(writer, fingerprint(1)) == old
    new = database.value("SELECT count(*) FROM content WHERE id > 5001")
    odd = database.value("SELECT count(*) FROM content WHERE id > 5002 AND id % 2 = 1")
    assert new - odd <= 1
    only_copy(cache).unlink()
    hashes.load(database, HashKind.PHASH)
    assert fetched.by_load(database) <= GAP + 2


def test_a_copy_that_has_fallen_far_behind_is_written_anew(
    database: Database, cache: Path, fetched: Fetched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "LAYOUT", replace(hashes.LAYOUT, much=2000))
    insert(database, 5000)
    hashes.load(database, HashKind.PHASH)
    first = only_copy(cache).stat().st_ino
    insert(database, 900)
    hashes.load(database, HashKind.PHASH)
    assert only_copy(cache).stat().st_ino == first
    insert(database, 1200)
    assert 2000 < fetched.by_load(database) < 2000 + 200 + GAP, "read from the copy all the same"
    assert only_copy(cache).stat().st_ino != first
    assert fetched.by_load(database) <= GAP + 2
    assert right(database)


def test_the_log_stays_short(database: Database) -> None:
    insert(database, 10)
    execute(database, "UPDATE content SET phash = ~phash")
    execute(database, "INSERT INTO content_log (seq, content, upto) VALUES (131076, 1, 10)")
    log = "SELECT seq FROM content_log ORDER BY seq"
    assert database.rows(log) == [(5,), (6,), (7,), (8,), (9,), (10,), (131076,)]
    execute(database, "DELETE FROM content WHERE id > 8")
    assert database.rows(log) == [(7,), (8,), (9,), (10,), (131076,), (131077,), (131078,)]
    assert right(database)


@pytest.mark.usefixtures("cache")
def test_loading_is_shown_as_a_phase_only_where_it_takes_long(database: Database) -> None:
    class Shown(Silent):
        phases: list[Phase] = []

        def start(self, phase: Phase, total: int | None = None) -> None:
            self.phases.append(phase)

    insert(database, 5000)
    hashes.load(database, HashKind.PHASH, Shown())
    assert Shown.phases == [Phase.LOADING]
    hashes.load(database, HashKind.PHASH, Shown())
    assert Shown.phases == [Phase.LOADING]


# -- other histories -----------------------------------------------------------------------------

GROWTH = (
    "UPDATE content SET phash = random(), flat = abs(random()) % 2 WHERE id BETWEEN 40 AND 90",
    "DELETE FROM content WHERE id BETWEEN 100 AND 109",
)


def grow(database: Database) -> None:
    """The same ids and rows of the log each time, and other hashes."""
    for sql in GROWTH:
        execute(database, sql)
    insert(database, 2000)


def numbers(catalog: bytes) -> list[Any]:
    """All that another history may have in common."""
    log = sql_rows(catalog, "SELECT seq, content, upto FROM content_log")
    return [log, sql_rows(catalog, "SELECT id FROM content ORDER BY id")]


def by_file(catalog: bytes, backup: bytes) -> None:
    shutil.copyfile(catalog, backup)


def by_sqlite(catalog: bytes, backup: bytes) -> None:
    with (
        contextlib.closing(sqlite3.connect(os.fsdecode(catalog))) as source,
        contextlib.closing(sqlite3.connect(os.fsdecode(backup))) as target,
    ):
        source.backup(target)


def by_vacuum(catalog: bytes, backup: bytes) -> None:
    sql_rows(catalog, "VACUUM INTO ?", (os.fsdecode(backup),))


@pytest.mark.parametrize("back_up", [by_file, by_sqlite, by_vacuum])
@pytest.mark.parametrize("copied", ["before and after", "after"])
def test_a_catalog_restored_from_a_backup_that_grew_otherwise_is_read_itself(
    tmp_path: Path, cache: Path, fetched: Fetched, back_up: Callable[..., None], copied: str
) -> None:
    catalog, backup = (os.fsencode(tmp_path / name) for name in ("catalog.db", "backup.db"))
    with open_for_writing(catalog) as database:
        insert(database, 5000)
        if "before" in copied:
            hashes.load(database, HashKind.PHASH)
    back_up(catalog, backup)
    with open_for_writing(catalog) as database:
        grow(database)
        for place in copies(cache):
            place.unlink()
        assert right(database)
    before = numbers(catalog)
    stale = only_copy(cache).read_bytes()

    shutil.copyfile(backup, catalog)
    with open_for_writing(catalog) as database:
        assert right(database)
        only_copy(cache).write_bytes(stale)
        grow(database)
        assert numbers(catalog) == before, "told apart by nothing but the token"
        assert fetched.by_load(database) >= 6990, "the copy is not believed"
        assert right(database)


@pytest.mark.usefixtures("cache")
def test_a_catalog_set_aside_and_built_anew_is_read_itself(tmp_path: Path) -> None:
    catalog = os.fsencode(tmp_path / "catalog.db")
    with open_for_writing(catalog) as database:
        insert(database, 5000)
        grow(database)
        assert right(database)
    before = numbers(catalog)
    assert rebuild(catalog, which_file(catalog)) is not None
    with open_for_writing(catalog) as database:
        assert right(database)
        insert(database, 5000)
        grow(database)
        assert numbers(catalog) == before
        assert right(database)


def test_after_a_power_cut_that_took_the_last_transactions_the_catalog_is_read_itself(
    tmp_path: Path, cache: Path
) -> None:
    catalog = os.fsencode(tmp_path / "catalog.db")
    log = catalog + b"-wal"
    with open_for_writing(catalog) as database:
        insert(database, 5000)
    with open_for_writing(catalog) as database:
        database.value("PRAGMA wal_autocheckpoint = 0")
        execute(database, "UPDATE content SET phash = 1 WHERE id = 1")
        durable = os.path.getsize(log)
        grow(database)
        assert right(database)
        lost = numbers(catalog)
        both = [Path(os.fsdecode(name)).read_bytes() for name in (catalog, log)]
    stale = only_copy(cache).read_bytes()
    Path(os.fsdecode(catalog)).write_bytes(both[0])
    Path(os.fsdecode(log)).write_bytes(both[1][:durable])
    with open_for_writing(catalog) as database:
        assert database.value("SELECT phash FROM content WHERE id = 1") == 1
        assert contents.count(database) == 5000
        assert right(database)
        only_copy(cache).write_bytes(stale)
        assert right(database)
        only_copy(cache).write_bytes(stale)
        grow(database)
        assert numbers(catalog) == lost
        assert right(database)


@pytest.mark.usefixtures("cache")
def test_a_copy_older_than_the_log_is_not_believed(database: Database, fetched: Fetched) -> None:
    insert(database, 5000)
    assert right(database)
    execute(database, "UPDATE content SET phash = 9, dhash = 9, ahash = 9 WHERE id < 50")
    last = database.value("SELECT max(seq) FROM content_log")
    again = "INSERT INTO content_log (seq, content, upto) VALUES (?, 1, 5000)"
    execute(database, again, (last + 131072,))
    assert database.value("SELECT count(*) FROM content_log") == 1
    assert fetched.by_load(database) >= 5000
    assert right(database)


def test_each_catalog_has_a_copy_of_its_own_by_whatever_name_it_is_opened(
    tmp_path: Path, cache: Path
) -> None:
    one, other, link = (os.fsencode(tmp_path / name) for name in ("1.db", "2.db", "link.db"))
    with open_for_writing(one) as database:
        insert(database, 5000)
    shutil.copyfile(one, other)
    os.symlink(one, link)
    for path in (one, link):
        with open_for_writing(path) as database:
            assert right(database)
    assert len(copies(cache)) == 1
    with open_for_writing(one) as first, open_for_writing(other) as second:
        grow(first)
        grow(second)
        assert right(first)
        assert right(second)
        assert right(first)
    assert len(copies(cache)) == 2


@pytest.mark.usefixtures("cache", "small")
@pytest.mark.parametrize("which", [3, 10, 15, 20, 22, 25])
def test_a_content_put_in_by_hand_is_seen_wherever_its_id_is(
    database: Database, which: int
) -> None:
    insert(database, 20)
    execute(database, "UPDATE content SET phash = 1 WHERE id = 20")  # all are known up to here
    execute(database, "DELETE FROM content WHERE id IN (3, 10, 15)")
    assert right(database)
    execute(database, "DELETE FROM content WHERE id > 12")
    assert right(database)
    columns = "size, format, width, height, orientation, phash, dhash, ahash, flat, frames, recipe"
    execute(
        database,
        f"INSERT INTO content (id, digest, {columns}) "
        f"SELECT ?, randomblob(32), {columns} FROM content WHERE id = 1",
        (which,),
    )
    assert right(database)
    insert(database, 5)
    assert right(database)


@pytest.mark.usefixtures("cache")
def test_a_vacuum_changes_nothing(database: Database, fetched: Fetched) -> None:
    insert(database, 8000)
    execute(database, "DELETE FROM content WHERE id % 3 = 0")
    assert right(database)
    database.rows("VACUUM")
    assert fetched.by_load(database) <= GAP + 2
    assert right(database)


# -- side by side --------------------------------------------------------------------------------


class World:
    """A catalog's contents after each generation, which follow from its number alone."""

    def __init__(self) -> None:
        self.generation = 0
        self.values = dict.fromkeys(range(1, 301), 0)
        self.last = 300

    def step(self) -> tuple[dict[int, int], list[int], int]:
        """One generation on: the changed, the deleted, and how many are added."""
        self.generation += 1
        now = self.generation
        ids = list(self.values)
        if now % 40 == 0:
            changed = dict.fromkeys(ids, now)
        else:
            changed = {ids[(now * 7 + j * 13) % len(ids)]: now * 1000 + j for j in range(5)}
        changed[1] = now
        deleted = [content for content in (ids[now * 31 % len(ids)],) if content != 1 and now % 2]
        added = 3 if now % 3 == 0 and len(ids) < 400 else 0
        self.values.update(changed)
        for content in deleted:
            del self.values[content]
        for _ in range(added):
            self.last += 1
            self.values[self.last] = now
        return changed, deleted, added


def live(catalog: bytes, until: float) -> int:
    """Take the catalog through as many generations as time allows, one transaction each."""
    world = World()
    with open_for_writing(catalog) as database:
        while time.monotonic() < until:
            changed, deleted, added = world.step()
            with database.writing() as writer:
                writer.run_many(
                    "UPDATE content SET phash = ?1, dhash = ~?1, ahash = -?1, flat = ?1 & 1 "
                    "WHERE id = ?2",
                    [(value, content) for content, value in changed.items()],
                )
                writer.run_many("DELETE FROM content WHERE id = ?", [(n,) for n in deleted])
                new = insert_contents(writer, added)
                writer.run(
                    "UPDATE content SET phash = ?1, dhash = ~?1, ahash = -?1, flat = ?1 & 1 "
                    "WHERE id > ?2",
                    (world.generation, new),
                )
    return world.generation


def watch(catalog: bytes, until: float, seed: int) -> tuple[int, int]:
    """Load over and over; each must be one generation, and none older than the one before."""
    world = World()
    loads, generations = 0, set()
    of_value = {
        HashKind.PHASH: lambda values: values,
        HashKind.DHASH: lambda values: ~values,
        HashKind.AHASH: lambda values: -values,
    }
    database = open_for_reading(catalog)
    while time.monotonic() < until:
        if loads % 20 == 0:
            database.close()
            database = open_for_reading(catalog)
        kind = tuple(of_value)[(loads + seed) % 3]
        table = hashes.load(database, kind)
        assert table.contents[0] == 1
        generation = int(of_value[kind](table.hashes.astype(np.int64))[0])
        assert generation >= world.generation, "back in time"
        while world.generation < generation:
            world.step()
        values = np.array(list(world.values.values()), dtype=np.int64)
        assert table.contents.tolist() == list(world.values), generation
        assert np.array_equal(table.hashes, of_value[kind](values).astype(np.uint64)), generation
        assert np.array_equal(table.flat, values & 1), generation
        loads += 1
        generations.add(generation)
    database.close()
    return loads, len(generations)


def test_r24_a_load_is_of_one_commit_whatever_is_written_meanwhile(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = replace(hashes.LAYOUT, worth=10, much=200, room=230)
    monkeypatch.setattr(hashes, "LAYOUT", layout)
    catalog = os.fsencode(tmp_path / "catalog.db")
    with open_for_writing(catalog) as database:
        insert(database, 300)
        execute(database, "UPDATE content SET phash = 0, dhash = ~0, ahash = 0, flat = 0")
    until = time.monotonic() + 3.0
    said = [tmp_path / f"said {number}" for number in range(5)]

    def run(number: int) -> None:
        try:
            answer = watch(catalog, until, number) if number else live(catalog, until)
            said[number].write_text(json.dumps(answer))
        except BaseException:
            said[number].write_text(traceback.format_exc())

    children = [started(lambda number=number: run(number)) for number in range(5)]  # type: ignore[misc]
    signalled = [ended(child) for child in children]
    assert not any(signalled)
    words = [place.read_text() for place in said]
    assert all("Traceback" not in text for text in words), "\n".join(words)
    written, *watched = [json.loads(text) for text in words]
    sys.stderr.write(f"\n{written} generations; loads and generations seen: {watched}\n")
    assert written > 40
    assert all(loads > 10 and seen > 5 for loads, seen in watched)
    assert [place.suffix for place in copies(cache)] == [".hashes"]
    with open_for_reading(catalog) as database:
        assert right(database)
        assert not hashes.copy_differs(database)
