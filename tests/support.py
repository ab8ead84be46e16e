"""A library of small pictures, a catalog of it, and a reader that needs no worker processes."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import pickle
import random
import signal
import sqlite3
import subprocess
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blake3 import blake3
from PIL import Image

from catalog.indexing.roots import FilterChange
from catalog.indexing.run import Options, index_at
from catalog.matching.settle import Request
from catalog.model import (
    Duplicates,
    Fingerprint,
    Photo,
    Problem,
    Recipe,
    Stamp,
    Status,
    Summary,
)
from catalog.queries.criteria import Criteria
from catalog.queries.duplicates import duplicates
from catalog.queries.standing import problems, status
from catalog.scanning import filesystem
from catalog.store.database import Database, Writer, open_for_reading, open_for_writing

SECOND = 10**9
HOUR = 3600 * SECOND
NOBODY = 65534
IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="needs root: it mounts, or changes its user")


def picture(seed: int, form: str = "BMP", size: tuple[int, int] = (48, 32)) -> bytes:
    """The bytes of a picture; other seeds give others, and a BMP's length tells only its size."""
    random_bytes = random.Random(seed).randbytes(size[0] * size[1] * 3)
    image = Image.frombytes("RGB", size, random_bytes)
    buffer = io.BytesIO()
    image.save(buffer, form, **({"quality": 90} if form == "JPEG" else {}))
    return buffer.getvalue()


class Reader:
    """Stands in for the pool: reads in this process, and remembers what was read.

    ``later`` is added to the clock of each reading, as if the files were that much older. What
    else a pool is asked to do is done in this process too, and ``compared`` counts it.
    """

    def __init__(self) -> None:
        self.later = 10 * SECOND
        self.read: list[bytes] = []
        self.decoded: list[bytes] = []
        self.compared = 0
        self.before: Callable[[bytes], None] = lambda path: None
        self.after: Callable[[bytes, Any], Any] = lambda path, reading: reading

    def run_all(
        self,
        function: Callable[[Any], Any],
        tasks: Iterable[Any],
        *,
        jobs: int,
        warm_up: Callable[[], None] | None = None,
        time_limit: float = 30.0,
    ) -> Iterator[tuple[Any, Any]]:
        for task in tasks:
            if isinstance(task.item, Request):
                self.compared += 1
                yield task.item, function(task.item)
                continue
            path = task.item[1]
            self.before(path)
            reading = function(task.item)
            self.read.append(path)
            if isinstance(reading.outcome, Fingerprint):
                self.decoded.append(path)
            reading = replace(reading, begun_ns=reading.begun_ns + self.later)
            yield task.item, self.after(path, reading)

    @contextlib.contextmanager
    def running(self, *arguments: Any, **options: Any) -> Iterator[Iterator[tuple[Any, Any]]]:
        yield self.run_all(*arguments, **options)

    def forget(self) -> None:
        self.read.clear()
        self.decoded.clear()
        self.compared = 0


class Library:
    """A folder of pictures and a catalog beside it."""

    def __init__(self, place: Path, reader: Reader) -> None:
        self.top = place / "photos"
        self.catalog = os.fsencode(place / "state" / "catalog.db")
        self.reader = reader
        self.top.mkdir()

    def path(self, name: str | bytes) -> bytes:
        return os.path.join(os.fsencode(self.top), os.fsencode(name))

    def put(self, name: str | bytes, data: bytes | int, *, age: int = HOUR) -> bytes:
        """Write a file, given its bytes or a picture's seed, that was last changed ``age`` ago."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(picture(data) if isinstance(data, int) else data)
        if age:
            changed = os.stat(path).st_mtime_ns - age
            os.utime(path, ns=(changed, changed))
        return path

    def index(
        self,
        *paths: str | bytes | Path,
        include: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
        hidden: bool | None = None,
        recipe: Recipe | None = None,
        catalog: bytes | None = None,
    ) -> Summary:
        """Index these paths (the library's top if none); what was read before is forgotten."""
        self.reader.forget()
        change = FilterChange(
            None if include is None else tuple(include),
            None if exclude is None else tuple(exclude),
            hidden,
        )
        tops = [self.path(os.fsencode(path)) for path in paths] or [os.fsencode(self.top)]
        return index_at(catalog or self.catalog, tops, Options(change, recipe, jobs=2))

    def rescan(self) -> Summary:
        """Index every known root."""
        self.reader.forget()
        return index_at(self.catalog, (), Options(jobs=2))

    @property
    def read(self) -> set[bytes]:
        """Names of the files that the last index read."""
        return {os.path.relpath(path, os.fsencode(self.top)) for path in self.reader.read}

    @property
    def decoded(self) -> set[bytes]:
        return {os.path.relpath(path, os.fsencode(self.top)) for path in self.reader.decoded}

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        return sql_rows(self.catalog, sql, parameters)

    def known(self, catalog: bytes | None = None) -> dict[bytes, bytes | str]:
        """What the catalog says of each file that is there: its digest, or why it has none."""
        return known(catalog or self.catalog, os.fsencode(self.top))

    def ids(self) -> dict[bytes, int]:
        """The row of each file that is there."""
        return {
            os.path.relpath(path, os.fsencode(self.top)): row
            for path, row in _paths(self.catalog, "photo.id")
        }

    def dupes(
        self, *paths: str | bytes, criteria: Criteria | None = None, pairs: bool = False
    ) -> Duplicates:
        with open_for_reading(self.catalog) as database:
            asked = [self.path(path) for path in paths]
            answer = duplicates(database, asked, criteria, pairs=pairs)
            # Read while the catalog is open.
            listed = None if answer.pairs is None else list(answer.pairs)
            return replace(answer, groups=tuple(answer.groups), pairs=listed)

    def groups(self, *paths: str | bytes, criteria: Criteria | None = None) -> list[set[bytes]]:
        """The groups of ``dupes`` as sets of names."""
        top = os.fsencode(self.top)
        return [
            {os.path.relpath(photo.path, top) for photo in members(group)}
            for group in self.dupes(*paths, criteria=criteria).groups
        ]

    def status(self) -> Status:
        with open_for_reading(self.catalog) as database:
            return status(database)

    def problems(self) -> list[Problem]:
        with open_for_reading(self.catalog) as database:
            return problems(database)

    def age(self, folder: str | bytes = b"") -> None:
        """Give every file below a time of modification an hour ago."""
        for place, _, names in os.walk(self.path(folder)):
            for name in names:
                path = os.path.join(place, name)
                changed = os.lstat(path).st_mtime_ns - HOUR
                os.utime(path, ns=(changed, changed), follow_symlinks=False)


def members(group: Any) -> list[Photo]:
    """The photos of a group, the kept one first."""
    return [group.keep, *(match.photo for match in group.matches)]


def sql_rows(catalog: bytes, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
    """A query on the catalog file, past our own code."""
    with contextlib.closing(sqlite3.connect(os.fsdecode(catalog))) as connection:
        return connection.execute(sql, parameters).fetchall()


def _paths(catalog: bytes, columns: str) -> list[tuple[Any, ...]]:
    return sql_rows(
        catalog,
        "WITH RECURSIVE place (id, path) AS ("
        " SELECT id, name FROM folder WHERE parent IS NULL UNION ALL"
        " SELECT folder.id, CAST(place.path || X'2F' || folder.name AS BLOB)"
        " FROM folder JOIN place ON folder.parent = place.id) "
        f"SELECT CAST(place.path || X'2F' || photo.name AS BLOB), {columns} FROM photo "
        "JOIN place ON place.id = photo.folder LEFT JOIN content ON content.id = photo.content "
        "LEFT JOIN problem ON problem.photo = photo.id WHERE missing_since IS NULL",
    )


def known(catalog: bytes, top: bytes) -> dict[bytes, bytes | str]:
    """Path below ``top`` -> digest or reason, of all files that are there."""
    return {
        os.path.relpath(path, top): digest if digest is not None else reason
        for path, digest, reason in _paths(catalog, "digest, reason")
    }


def digest(data: bytes | int) -> bytes:
    return blake3(picture(data) if isinstance(data, int) else data).digest()


def true(library: Library) -> bool:
    """Whether the catalog has every file of the library as it is on disk."""
    on_disk = {}
    for folder, _, names in os.walk(os.fsencode(library.top)):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                on_disk[os.path.relpath(path, os.fsencode(library.top))] = digest(file.read())
    return library.known() == on_disk


def no_loose_ends(catalog: bytes) -> None:
    """Every content has a file, every problem and signature its owner, and SQLite is content."""
    assert sql_rows(catalog, "PRAGMA integrity_check") == [("ok",)]
    assert sql_rows(catalog, "PRAGMA foreign_key_check") == []
    assert (
        sql_rows(
            catalog,
            "SELECT id FROM content WHERE id NOT IN "
            "(SELECT content FROM photo WHERE content IS NOT NULL)",
        )
        == []
    )
    for table, owner in (("signature", "content"), ("problem", "photo")):
        missing = f"SELECT {owner} FROM {table} WHERE {owner} NOT IN (SELECT id FROM {owner})"
        assert sql_rows(catalog, missing) == []
    both = "SELECT id FROM photo WHERE (content IS NULL) <> (id IN (SELECT photo FROM problem))"
    assert sql_rows(catalog, both) == []


class FakeMounts:
    """Says that some folders are the tops of file systems of their own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: dict[bytes, str] = {}
        self._real = filesystem.identity
        monkeypatch.setattr(filesystem, "identity", self.identity)

    def identity(self, path: bytes, device: int) -> str:
        inside = [top for top in self.names if path == top or path.startswith(top + b"/")]
        return self.names[max(inside, key=len)] if inside else self._real(path, device)


@pytest.fixture
def mounts(monkeypatch: pytest.MonkeyPatch) -> FakeMounts:
    return FakeMounts(monkeypatch)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    found = Reader()
    monkeypatch.setattr("catalog.workers.pool.run_all", found.run_all)
    monkeypatch.setattr("catalog.workers.pool.running", found.running)
    return found


@pytest.fixture
def compared_here(monkeypatch: pytest.MonkeyPatch, reader: Reader) -> Reader:
    """Files of likely pairs are compared in this process, and ``compared`` of it counts them."""

    def run_all(pool: object, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Any:
        return reader.run_all(function, tasks, jobs=1)

    monkeypatch.setattr("catalog.workers.pool.Pool.run_all", run_all)
    return reader


@pytest.fixture
def library(tmp_path: Path, reader: Reader) -> Library:
    return Library(tmp_path, reader)


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that every user of the system can reach."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        yield place


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A new, empty catalog, open for writing."""
    with open_for_writing(os.fsencode(tmp_path / "catalog.db")) as opened:
        yield opened


# -- rows without files ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Values:
    """What distinguishes a made-up content."""

    phash: int = 0
    dhash: int = 0
    ahash: int = 0
    flat: bool = False


def fingerprint(number: int, values: Values | None = None, **other: Any) -> Fingerprint:
    """A made-up content; other numbers give other bytes."""
    values = values or Values()
    fields: dict[str, Any] = {
        "digest": number.to_bytes(32, "big"),
        "size": 1000 + number,
        "format": "JPEG",
        "width": 400,
        "height": 300,
        "orientation": 1,
        "taken_at": None,
        "camera": None,
        "phash": values.phash,
        "dhash": values.dhash,
        "ahash": values.ahash,
        "signature": np.random.default_rng(number).integers(0, 256, 1024, np.uint8).tobytes(),
        "flat": values.flat,
        "frames": 1,
        "recipe": Recipe.REDUCED,
    }
    return Fingerprint(**{**fields, **other})


def insert_contents(writer: Writer, count: int) -> int:
    """Add contents with random hashes, a million in seconds; returns the highest id before."""
    before: int = writer.value("SELECT seq FROM sqlite_sequence WHERE name = 'content'") or 0
    writer.run(
        "INSERT INTO content (digest, size, format, width, height, orientation, "
        "phash, dhash, ahash, flat, frames, recipe) "
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number LIMIT ?1) "
        "SELECT randomblob(32), n, 'JPEG', 400, 300, 1, random(), random(), random(), "
        "abs(random()) % 2, 1, 'reduced-1' FROM number WHERE ?1 > 0",
        (count,),
    )
    return before


def stamp_of(number: int) -> Stamp:
    return Stamp(1000 + number, number, number, number)


# -- other users, other mounts, other processes ------------------------------------------------


def in_child(
    function: Callable[[], Any], *, user: int | None = None, own_mounts: bool = False
) -> Any:
    """Run ``function`` in a forked process and return what it returns.

    ``user`` gives up root for good; ``own_mounts`` makes what it mounts vanish with it.
    """
    receiving, sending = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 on fork beside threads
        child = os.fork()
    if child == 0:
        os.close(receiving)
        try:
            if own_mounts:
                _leave_mounts()
            if user is not None:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
            answer = pickle.dumps((True, function()))
        except BaseException:
            answer = pickle.dumps((False, traceback.format_exc()))
        with open(sending, "wb") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(sending)
    with open(receiving, "rb") as pipe:
        received = pipe.read()
    os.waitpid(child, 0)
    assert received, "the child process died"
    good, value = pickle.loads(received)
    assert good, value
    return value


def started(function: Callable[[], None]) -> int:
    """Run ``function`` in a forked process that is left alone; returns its process id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            function()
        finally:
            os._exit(0)
    return child


def ended(child: int) -> bool:
    """Wait for a child to end by itself; whether a signal ended it."""
    _, code = os.waitpid(child, 0)
    return os.WIFSIGNALED(code)


def killed(child: int) -> bool:
    """End a child with SIGKILL and take it off the process table; whether it still ran."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    return ended(child)


def _leave_mounts() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newns = 0x20000
    if libc.unshare(clone_newns) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    mount("--make-rprivate", "/")


def mount(*arguments: str | bytes) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def mount_tmpfs(path: bytes, options: str = "size=32m") -> None:
    mount("-t", "tmpfs", "-o", options, "tmpfs", path)


def unmount(path: bytes, *, lazily: bool = False) -> None:
    subprocess.run(["umount", *(["-l"] if lazily else []), path], check=True, capture_output=True)
