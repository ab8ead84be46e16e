"""Locks hold, wait, say whom they wait for, and go with their holder."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from pathlib import Path

import pytest

from catalog.errors import Busy
from catalog.store import locks
from catalog.store.locks import FileLock, Locks
from tests.support import killed, started


@pytest.fixture
def path(tmp_path: Path) -> bytes:
    return os.fsencode(tmp_path / "write")


def lock(path: bytes) -> FileLock:
    return FileLock(path, "the catalog's write lock")


def test_an_exclusive_lock_keeps_everybody_out(path: bytes) -> None:
    one, other = lock(path), lock(path)
    assert one.try_acquire()
    assert one.held
    assert not other.try_acquire()
    assert not other.try_acquire(shared=True)
    assert not other.held
    one.release()
    one.release()
    assert not one.held
    assert other.try_acquire()


def test_shared_locks_keep_out_exclusive_ones_only(path: bytes) -> None:
    one, other, third = lock(path), lock(path), lock(path)
    assert one.try_acquire(shared=True)
    assert other.try_acquire(shared=True)
    assert not third.try_acquire()
    one.release()
    assert not third.try_acquire()
    other.release()
    assert third.try_acquire()


def test_a_lock_can_be_downgraded_to_shared(path: bytes) -> None:
    one, other, third = lock(path), lock(path), lock(path)
    one.acquire()
    one.downgrade()
    assert other.try_acquire(shared=True)
    assert not third.try_acquire()


def test_busy_names_the_holder_and_comes_when_patience_ends(
    path: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["imgcat", "--quiet", "index", "/photos"])
    holder = lock(path)
    holder.acquire()
    begun = time.monotonic()
    with pytest.raises(Busy, match=rf"held by imgcat index \(process {os.getpid()}\)"):
        lock(path).acquire(patience=0.2)
    assert 0.2 <= time.monotonic() - begun < 2


def test_whoever_waits_is_told_once_for_whom(path: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "ANNOUNCE_AFTER", 0.05)
    monkeypatch.setattr(locks, "PATIENCE", 0.4)
    holder = lock(path)
    holder.acquire()
    told: list[str] = []
    with pytest.raises(Busy):
        lock(path).acquire(waiting=told.append)
    (message,) = told
    assert f"process {os.getpid()}" in message
    assert "write lock" in message


def test_a_lock_goes_when_its_holder_is_killed(path: bytes, tmp_path: Path) -> None:
    ready = tmp_path / "ready"

    def hold() -> None:
        lock(path).acquire()
        ready.touch()
        time.sleep(60)

    child = started(hold)
    while not ready.exists():
        time.sleep(0.01)
    mine = lock(path)
    assert not mine.try_acquire()
    assert f"process {child}" in mine.holder()
    assert killed(child)
    mine.acquire(patience=1)


def test_a_lock_goes_with_its_block_also_when_that_fails(path: bytes) -> None:
    mine = lock(path)
    with contextlib.suppress(ZeroDivisionError), mine.hold():
        assert not lock(path).try_acquire()
        raise ZeroDivisionError
    assert lock(path).try_acquire()


def test_children_do_not_inherit_locks_over_exec(path: bytes) -> None:
    mine = lock(path)
    mine.acquire()
    assert mine._descriptor is not None
    assert not os.get_inheritable(mine._descriptor)


def test_the_locks_of_one_catalog_are_apart(tmp_path: Path) -> None:
    catalog = Locks(os.fsencode(tmp_path / "catalog.db"))
    catalog.prepare()
    every = [catalog.write(), catalog.root(1), catalog.root(2), catalog.daemon(), catalog.session()]
    assert all(one.try_acquire() for one in every)
    assert os.path.dirname(every[0].path) == os.fsencode(tmp_path / "catalog.locks")
    assert (tmp_path / "catalog.locks").stat().st_mode & 0o077 == 0


def test_catalogs_beside_each_other_do_not_share_locks(tmp_path: Path) -> None:
    one, other = (Locks(os.fsencode(tmp_path / name)) for name in ("a.db", "b.db"))
    one.prepare()
    other.prepare()
    assert one.write().try_acquire()
    assert other.write().try_acquire()


def test_an_interrupt_while_locking_leaves_no_lock_behind(
    path: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    one = lock(path)
    with monkeypatch.context() as patch:
        patch.setattr(FileLock, "_sign", interrupt)
        with pytest.raises(KeyboardInterrupt), one.hold():
            raise AssertionError("not reached")
    assert not one.held
    assert lock(path).try_acquire()


def test_a_file_system_without_locks_is_no_busy_neighbour(
    path: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    one = lock(path)
    with pytest.raises(OSError, match="lock"):
        one.acquire(patience=0)
    assert not one.held
