"""The file that a copy of the hashes is: whatever is in its place, and whatever is in it."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import stat
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from catalog.model import HashKind
from catalog.progress import Phase, Silent
from catalog.store import columns, contents, hashes
from catalog.store.database import (
    Database,
    open_for_reading,
    open_for_writing,
)
from tests.store.hashing import (
    KINDS,
    Fetched,
    cache,
    copies,
    execute,
    fetched,
    insert,
    only_copy,
    plain,
    right,
    small,
)
from tests.support import (
    NOBODY,
    ended,
    in_child,
    mount,
    mount_tmpfs,
    needs_root,
    started,
)

__all__ = ["cache", "fetched", "small"]

# -- the file ------------------------------------------------------------------------------------


@pytest.fixture
def tiny(database: Database, cache: Path, small: None) -> tuple[Database, Path, bytes]:
    """A catalog whose copy is good, with something to lay over it; the copy and its bytes."""
    insert(database, 20)
    execute(database, "UPDATE content SET ahash = 4 WHERE id = 20")  # all are known up to here
    hashes.load(database, HashKind.PHASH)
    execute(database, "UPDATE content SET phash = 3, flat = 1 - flat WHERE id = 2")
    insert(database, 2)
    place = only_copy(cache)
    return database, place, place.read_bytes()


@pytest.fixture
def never_anew(tiny: tuple[Database, Path, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy stays as a test has put it, which is faster."""
    monkeypatch.setattr(hashes, "LAYOUT", replace(hashes.LAYOUT, worth=1000))


@pytest.mark.usefixtures("never_anew")
def test_a_flipped_byte_anywhere_in_the_copy_changes_no_answer(
    tiny: tuple[Database, Path, bytes],
) -> None:
    database, place, good = tiny
    answers = {kind: plain(database, kind) for kind in KINDS}
    everywhere = [*range(120), *range(120, columns._HEADER, 61), *range(columns._HEADER, len(good))]
    for offset in everywhere:
        bad = bytearray(good)
        bad[offset] ^= 1 << offset % 8
        place.write_bytes(bad)
        for kind in (HashKind.PHASH, HashKind.DHASH):
            table = hashes.load(database, kind)
            found = (table.contents.tolist(), table.hashes.tolist(), table.flat.tolist())
            assert found == answers[kind], offset
        if offset % 16 == 0:
            assert not hashes.copy_differs(database)


def test_a_copy_of_another_length_is_not_believed(tiny: tuple[Database, Path, bytes]) -> None:
    database, place, good = tiny
    wholes = [good[:size] for size in (0, 1, 80, 4095, 4096, 4097, len(good) - 1)]
    for bad in (*wholes, good + b"\0", good * 2, b"\0" * len(good)):
        place.write_bytes(bad)
        assert right(database)
        assert place.read_bytes() != bad, "written anew"


def header_of(copy: bytes) -> columns._Header:
    found = columns._Header.unpack(copy[: columns._HEADER], hashes.LAYOUT)
    assert found is not None
    return found


def with_header(copy: bytes, **fields: Any) -> bytes:
    """The copy with other fields in its header."""
    return replace(header_of(copy), **fields).pack(hashes.LAYOUT) + copy[columns._HEADER :]


def lying(copy: bytes, column: int) -> bytes:
    """The copy with one wrong value, of a row that nothing is laid over, and a good checksum."""
    known = header_of(copy)
    offset, checksums, changed = columns._HEADER, list(known.checksums), bytearray(copy)
    for number, kind in enumerate(hashes.LAYOUT.columns.values()):
        values = np.frombuffer(changed, kind, known.count + hashes.LAYOUT.room, offset)
        if number == column:
            values[4] = 1 - values[4] if number == 4 else values[4] ^ 64
            checksums[number] = zlib.crc32(values[: known.count].data)
        offset += values.nbytes
    return with_header(bytes(changed), checksums=tuple(checksums))


SIGNED = st.sampled_from([0, 1, -1, 20, 2**63 - 1, -(2**63)]) | st.integers(-(2**63), 2**63 - 1)
UNSIGNED = st.sampled_from([0, 19, 20, 21, 2**32, 2**64 - 1]) | st.integers(0, 2**64 - 1)


@pytest.mark.usefixtures("never_anew")
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(UNSIGNED, st.tuples(SIGNED, SIGNED, SIGNED), st.integers(0, 2**32 - 1))
@example(20, (0, 0, 0), 0)
@example(20, (0, 5, 0), 0)
@example(20, (99, 20, 0), 0)
def test_a_header_of_nonsense_is_not_believed(
    tiny: tuple[Database, Path, bytes], count: int, mark: tuple[int, int, int], checksum: int
) -> None:
    database, place, good = tiny
    nonsense = with_header(good, count=count, mark=columns._Mark(*mark))
    for bad in (nonsense, with_header(nonsense, checksums=(checksum,) * 5)):
        place.write_bytes(bad)
        assert right(database, [HashKind.PHASH, HashKind.AHASH])
        assert not hashes.copy_differs(database)


def test_a_copy_whose_mark_says_other_than_the_log_is_not_believed(
    tiny: tuple[Database, Path, bytes],
) -> None:
    database, place, good = tiny
    mark = header_of(good).mark
    for other in (
        replace(mark, upto=mark.upto + 2),
        replace(mark, seq=mark.seq + 1),
        replace(mark, token=mark.token + 1),
        replace(mark, seq=0),
        replace(mark, seq=0, token=0),
    ):
        place.write_bytes(with_header(good, mark=other))
        assert right(database)


def test_a_copy_of_another_format_is_not_believed(tiny: tuple[Database, Path, bytes]) -> None:
    database, place, good = tiny
    wrong = lying(good, 1)
    place.write_bytes(wrong)
    assert not right(database), "it is believed as long as its format is ours"
    format_at = len(hashes.LAYOUT.magic)
    for other in (
        wrong[:format_at] + struct.pack("=I", hashes.LAYOUT.version + 1) + wrong[format_at + 4 :],
        b"of another sort\0" + wrong[format_at:],
    ):
        assert len(other) == len(wrong)
        place.write_bytes(other)
        assert right(database)


@contextlib.contextmanager
def no_hang(seconds: float = 10.0) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise AssertionError("it hangs")  # no OSError, which a cache forgives

    handler = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def put_link(place: Path) -> None:
    elsewhere = place.with_name("elsewhere")
    place.rename(elsewhere)
    place.symlink_to(elsewhere)


def put_socket(place: Path) -> None:
    place.unlink()
    with socket.socket(socket.AF_UNIX) as listening, contextlib.chdir(place.parent):
        listening.bind(place.name)


def put_pipe(place: Path) -> None:
    place.unlink()
    os.mkfifo(place)


def put_folder(place: Path) -> None:
    place.unlink()
    (place / "full").mkdir(parents=True)


@pytest.mark.parametrize("put", [put_link, put_socket, put_pipe, put_folder])
def test_what_is_no_plain_file_is_not_read(
    tiny: tuple[Database, Path, bytes], put: Callable[[Path], None], fetched: Fetched
) -> None:
    database, place, good = tiny
    put(place)
    with no_hang():
        assert fetched.by_load(database) >= 22
        assert right(database)
        assert not hashes.copy_differs(database)
    others = {name for name in os.listdir(place.parent) if name != place.name}
    if put is put_link:
        assert others == {"elsewhere"}
        assert place.with_name("elsewhere").read_bytes() == good, "and not written through"
    else:
        assert others == set()
    assert put is put_folder or stat.S_ISREG(os.lstat(place).st_mode)


@needs_root
def test_a_copy_that_belongs_to_another_user_is_not_believed(
    tiny: tuple[Database, Path, bytes], fetched: Fetched
) -> None:
    database, place, _ = tiny
    os.chown(place, NOBODY, NOBODY)
    assert fetched.by_load(database) >= 22
    assert place.stat().st_uid == os.geteuid()
    assert fetched.by_load(database) < 22


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_r29_nobody_else_can_read_the_copy_whatever_the_umask(
    tmp_path: Path, cache: Path, database: Database, umask: int
) -> None:
    insert(database, 5000)
    before = os.umask(umask)
    try:
        hashes.load(database, HashKind.PHASH)
    finally:
        os.umask(before)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert stat.S_IMODE(only_copy(cache).stat().st_mode) == 0o600


# -- a cache that cannot be kept -----------------------------------------------------------------


@needs_root
def test_r28_where_the_cache_folder_is_full_or_read_only_nothing_fails_and_nothing_stays(
    cache: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "LAYOUT", replace(hashes.LAYOUT, much=1000))
    insert(database, 10_000)

    def scenario() -> None:
        cache.mkdir(parents=True)
        mount_tmpfs(os.fsencode(cache), "size=1m")
        assert right(database)
        assert copies(cache) == []
        mount("-o", "remount,size=1800k", str(cache))
        assert right(database)
        good = only_copy(cache).read_bytes()
        execute(database, "DELETE FROM content WHERE id <= 2000")
        assert right(database)
        assert only_copy(cache).read_bytes() == good, "no room for a second while there is one"
        mount("-o", "remount,ro,size=8m", str(cache))
        assert right(database)
        assert only_copy(cache).read_bytes() == good
        assert not hashes.copy_differs(database)

    in_child(scenario, own_mounts=True)


@needs_root
def test_r28_whoever_may_not_write_to_the_cache_folder_is_answered(
    open_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(open_place / "closed"))
    catalog = os.fsencode(open_place / "catalog.db")
    with open_for_writing(catalog) as database:
        insert(database, 5000)
    os.chmod(catalog, 0o644)

    def ask() -> bool:
        with open_for_reading(catalog) as reader:
            return right(reader)

    assert in_child(ask, user=NOBODY)
    (open_place / "closed").mkdir()
    assert in_child(ask, user=NOBODY)
    assert os.listdir(open_place / "closed") == []


@pytest.mark.parametrize("cache_home", [None, "", "relative"])
def test_without_a_home_there_is_no_copy_and_nothing_is_written_to_where_one_stands(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_home: str | None
) -> None:
    insert(database, 5000)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME")
    if cache_home is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", cache_home)

    def nobody_known(number: int) -> None:
        raise KeyError(number)

    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.setattr(pwd, "getpwuid", nobody_known)
    with contextlib.chdir(here):
        assert right(database)
        assert not hashes.copy_differs(database)
    assert os.listdir(here) == []

    earlier_platformdirs = Path("~/.cache/imgcat")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: earlier_platformdirs)
    with contextlib.chdir(here):
        assert right(database)
    assert os.listdir(here) == []


@pytest.mark.usefixtures("small")
def test_what_a_killed_writer_leaves_is_removed_when_it_is_old(
    database: Database, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(database, 20)

    def die() -> None:
        monkeypatch.setattr(os, "replace", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        with open_for_reading(database.path) as reader:
            hashes.load(reader, HashKind.PHASH)

    assert ended(started(die))
    left = only_copy(cache)
    assert left.name.startswith(".new-")
    assert left.stat().st_mode & 0o077 == 0
    assert right(database)
    assert left.exists(), "somebody may still be writing it"
    hour_ago = time.time() - 3700
    os.utime(left, (hour_ago, hour_ago))
    (cache / ".new-folder").mkdir()
    os.utime(cache / ".new-folder", (hour_ago, hour_ago))
    insert(database, 100)
    assert right(database)
    names = sorted(place.name for place in copies(cache))
    assert names[0] == ".new-folder", "not ours, and no reason to fail"
    assert len(names) == 2


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("problem", [KeyboardInterrupt, OSError])
def test_an_interrupted_writer_leaves_nothing(
    database: Database,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    problem: type[BaseException],
) -> None:
    insert(database, 20)

    def stop(*_: object) -> None:
        raise problem

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop)
        expected = pytest.raises(problem) if problem is KeyboardInterrupt else None
        with expected or contextlib.nullcontext():
            assert right(database)
    assert copies(cache) == []
    assert right(database)


# -- the catalog is left alone -------------------------------------------------------------------


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.db*")}


@pytest.mark.usefixtures("cache")
def test_loading_writes_nothing_to_the_catalog_nor_beside_it(
    tmp_path: Path, database: Database
) -> None:
    insert(database, 5000)
    with open_for_reading(database.path) as reader:
        contents.count(reader)
        names = set(os.listdir(tmp_path))
        before = files(tmp_path)
        assert right(reader)
        grown = set(os.listdir(tmp_path)) - names
        assert grown <= {"cache"}
        after = files(tmp_path)
        for name in ("catalog.db", "catalog.db-wal"):
            assert after[name] == before[name]
        assert after.keys() == before.keys()


class Stopped(Silent):
    def start(self, phase: Phase, total: int | None = None) -> None:
        raise KeyboardInterrupt


@pytest.mark.usefixtures("cache")
def test_no_transaction_stays_open_so_a_writer_can_empty_the_log(database: Database) -> None:
    insert(database, 5000)
    with open_for_reading(database.path) as reader:
        for what in (
            lambda: hashes.load(reader, HashKind.PHASH, Stopped()),
            lambda: hashes.load(reader, HashKind.PHASH),
            lambda: hashes.load(reader, HashKind.DHASH),
            lambda: hashes.copy_differs(reader),
        ):
            with contextlib.suppress(KeyboardInterrupt):
                what()
            execute(database, "UPDATE content SET phash = phash + 1 WHERE id < 100")
            with database.locks.write().hold():
                busy = database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
            assert busy == [(0, 0, 0)]
            assert os.path.getsize(database.path + b"-wal") == 0


# -- the copy is checked -------------------------------------------------------------------------


@pytest.mark.parametrize("column", range(5))
def test_a_copy_that_lies_with_good_checksums_is_found_and_thrown_away(
    tiny: tuple[Database, Path, bytes], column: int
) -> None:
    database, place, good = tiny
    assert not hashes.copy_differs(database)
    place.write_bytes(lying(good, column))
    assert not right(database), "it is believed"
    assert hashes.copy_differs(database)
    assert not place.exists()
    assert not hashes.copy_differs(database)
    assert right(database)
