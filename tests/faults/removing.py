"""Photos and their copies to act on, in a process that fails at a chosen call, and what must hold.

The photos are random bytes: what is acted on was compared by bytes alone, and no decoder is asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import random
import re
import shutil
import signal
import socket
import subprocess
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from blake3 import blake3

from catalog.actions import trash
from catalog.actions.perform import perform
from catalog.actions.plan import plan
from catalog.actions.returning import recover
from catalog.actions.trash import info_of, records
from catalog.actions.undo import to_undo, undo
from catalog.errors import CatalogError
from catalog.model import ActionPlan, Deed, Group, Kind, Match, Order, Photo, Receipt, Stamp, State
from catalog.store.decisions import decisions_file, open_decisions
from catalog.store.locks import removal_lock
from tests.support import sql_rows

STRACE = shutil.which("strace")
BEGAN = 1_600_000_000 * 10**9  # ns: when the first photo was taken
LIMIT = 60.0  # seconds for a process to end


class Found(NamedTuple):
    """A file, as far as undoing has to bring it back."""

    content: str
    mode: int
    mtime_ns: int
    inode: int


def content_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def contents_of(files: dict[bytes, Found]) -> Counter[str]:
    """How many files hold each content."""
    return Counter(found.content for found in files.values())


def contents_below(*tops: Path) -> Counter[str]:
    """The same, of all that is below these folders."""
    return sum((contents_of(found_below(top)) for top in tops), Counter())


def found_below(top: Path) -> dict[bytes, Found]:
    """Path -> file, of all that is below a folder, hidden or not."""
    found = {}
    for folder, _, names in os.walk(os.fsencode(top)):
        for name in names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            content = content_of(Path(os.fsdecode(path)).read_bytes())
            found[path] = Found(content, status.st_mode, status.st_mtime_ns, status.st_ino)
    return found


def photo_at(path: bytes, digest: bytes | None = None, content: int = 1) -> Photo:
    """A file as the catalog would give it."""
    if digest is None:
        digest = blake3(Path(os.fsdecode(path)).read_bytes()).digest()
    stamp = Stamp.of(os.lstat(path))
    return Photo(path, stamp, 1, content, digest, "JPEG", 48, 32, 1, None, None, False, 1)


def group_of(keep: bytes, *copies: bytes) -> Group:
    """These are said to be equal, whatever is in them."""
    kept = photo_at(keep)
    matches = tuple(Match(photo_at(copy, kept.digest), Kind.IDENTICAL, 0, 1.0) for copy in copies)
    return Group(kept, "first", matches)


def look_alike(keep: bytes, *others: bytes) -> Group:
    """These are of other bytes, and a person looked at them."""
    return Group(
        photo_at(keep), "first", tuple(Match(photo_at(o), Kind.SIMILAR, 9, 0.9) for o in others)
    )


@dataclass
class Album:
    """Folder ``a`` is kept, and ``b`` has a copy of each of its photos.

    ``by_eye``, it has another photo for each, that a person chose to be rid of.
    """

    place: Path
    by_eye: bool = False
    count: int = 3
    with_companion: frozenset[int] = frozenset({2})
    before: dict[bytes, Found] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.place / "home"

    @property
    def moved(self) -> Path:
        return self.place / "moved"

    @property
    def trash(self) -> Path:
        return self.place / "data" / "Trash"

    @property
    def catalog(self) -> bytes:
        return os.fsencode(self.place / "state" / "catalog.db")

    def a(self, number: int) -> bytes:
        return os.fsencode(self.home / "a" / f"{number}.jpg")

    def b(self, number: int) -> bytes:
        return os.fsencode(self.home / "b" / f"{number}.jpg")

    def begin(self) -> None:
        """All as it was before anything was done, with an empty journal."""
        for name in ("home", "moved", "data", "locks", "state"):
            shutil.rmtree(self.place / name, ignore_errors=True)
        dice = random.Random(self.count)
        for number in range(1, self.count + 1):
            data = dice.randbytes(500 + number)
            other = data[::-1] if self.by_eye else data
            for folder, path in enumerate((self.a(number), self.b(number))):
                self.put(path, other if folder else data, 100 * number + folder)
                if number in self.with_companion:
                    self.put(os.path.splitext(path)[0] + b".xmp", data[:99], number + folder)
        open_decisions(self.catalog).close()
        self.before = found_below(self.home)

    def put(self, path: bytes, data: bytes, age: int = 0) -> bytes:
        """A new file that was last changed long ago."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(data)
        os.chmod(path, 0o640)
        os.utime(path, ns=(BEGAN, BEGAN + age * 10**9 + 123_456_789))
        return path

    # -- acting --------------------------------------------------------------------------------

    def order(self, deed: Deed) -> Order:
        folder = os.fsencode(self.moved) if deed is Deed.MOVE else None
        return Order(deed, folder, by_eye=self.by_eye)

    def plan(self, deed: Deed, *, keep_b: bool = False) -> ActionPlan:
        ends = ((self.a(n), self.b(n)) for n in range(1, self.count + 1))
        group = look_alike if self.by_eye else group_of
        groups = [group(*(reversed(pair) if keep_b else pair)) for pair in ends]
        return plan(groups, self.order(deed))

    def perform(self, planned: ActionPlan) -> Receipt:
        with open_decisions(self.catalog) as decisions:
            return perform(planned, decisions)

    def ready(self, deed: Deed) -> Callable[[], Receipt]:
        """All as it was, and the act that is to fail."""
        self.begin()
        return partial(self.perform, self.plan(deed))

    def act(self, deed: Deed) -> Receipt:
        return self.perform(self.plan(deed))

    def act_on(self, deed: Deed, keep: bytes, *copies: bytes) -> Receipt:
        return self.perform(plan([group_of(keep, *copies)], self.order(deed)))

    def undo(self, action: int | None = None) -> Receipt:
        with open_decisions(self.catalog) as decisions:
            return undo(decisions, to_undo(decisions, action))

    # -- what must hold ------------------------------------------------------------------------

    def rows(self) -> list[tuple[bytes, bytes, bytes, int, str]]:
        """The journal: path, place, keeper, unit and state of every file."""
        file = decisions_file(self.catalog)
        return sql_rows(file, "SELECT path, place, keeper, unit, state FROM removal ORDER BY id")

    def whole(self, deed: Deed) -> None:
        """Nothing is lost, nothing is left over, and the journal says of every file where it is."""
        home, rows = found_below(self.home), self.rows()
        assert {row[4] for row in rows} <= {State.DONE, State.RETURNED}, rows
        done = {path: (place, keeper) for path, place, keeper, _, state in rows if state == "done"}
        assert home.keys() <= self.before.keys(), f"left over: {home.keys() - self.before.keys()}"
        away = found_below(self.trash / "files") | found_below(self.moved)
        for path, was in self.before.items():
            if deed is Deed.HARDLINK and path in done:
                assert home[path] == home[done[path][1]], f"{path!r} is no link to the kept file"
                assert home[path].content == was.content, f"{path!r} is lost"
            elif path in home:
                assert home[path] == was, f"{path!r} is another file"
                assert path not in done, f"{path!r} is at home, and done"
            elif deed is Deed.DELETE:
                assert home[done[path][1]].content == was.content, f"{path!r} is lost"
            else:
                assert away[done[path][0]] == was, f"{path!r} is lost"
                assert deed is Deed.MOVE or records(done[path][0], path), "it has no .trashinfo"
        self._nothing_loose(deed, {place for place, _ in done.values()})
        if deed in (Deed.TRASH, Deed.MOVE):
            everywhere = contents_below(self.home, self.trash / "files", self.moved)
            assert everywhere == contents_of(self.before)
            together = {(row[3], row[4]) for row in rows}
            assert len(together) == len({unit for unit, _ in together}), "a unit was torn apart"

    def _nothing_loose(self, deed: Deed, places: set[bytes]) -> None:
        files = set(found_below(self.trash / "files"))
        notes = set(found_below(self.trash / "info"))
        assert files == (places if deed is Deed.TRASH else set())
        assert notes == {info_of(place) for place in files}, "a .trashinfo without its file"
        assert set(found_below(self.moved)) == (places if deed is Deed.MOVE else set())
        beside = os.listdir(self.place / "state")
        assert not [name for name in beside if ".new-" in name], beside

    def comes_home(self, deed: Deed) -> None:
        """Undoing what was done brings back every file, with its times and its mode."""
        if any(row[4] == State.DONE for row in self.rows()):
            receipt = self.undo()
            assert not receipt.refused, receipt
            assert not receipt.stopped, receipt
        home = found_below(self.home)
        if deed in (Deed.DELETE, Deed.HARDLINK):  # these are copies now
            assert without_inodes(home) == without_inodes(self.before)
            assert len({found.inode for found in home.values()}) == len(home), "still linked"
        else:
            assert home == self.before
        assert not found_below(self.trash)
        assert not found_below(self.moved)

    def recovers(self, deed: Deed) -> None:
        """The next command puts all in order, once, and undoing brings back what was done."""
        recover(self.catalog)
        self.whole(deed)
        again = recover(self.catalog)
        assert not again, f"a second time there was something to do: {again}"
        self.comes_home(deed)


def without_inodes(files: dict[bytes, Found]) -> dict[bytes, tuple[str, int, int]]:
    return {path: found[:3] for path, found in files.items()}


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Album:
    """Three photos and their copies, of which one has a companion; a trash of their own."""
    real = trash._candidates
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "locks"))
    # Where that trash fails, none on this machine may be used instead.
    monkeypatch.setattr("catalog.actions.trash._candidates", lambda top: islice(real(top), 1))
    removal_lock()  # imports what finds it: no call of a traced process is to be one of that
    album = Album(tmp_path)
    album.begin()
    return album


BY_EYE: Final = "by eye"


@pytest.fixture
def deed(request: pytest.FixtureRequest, album: Album) -> Deed:
    """What is done with the album: the parameter. By eye it goes to the trash."""
    album.by_eye = request.param == BY_EYE
    return Deed.TRASH if album.by_eye else Deed(request.param)


# -- other processes -------------------------------------------------------------------------


@dataclass
class Ended:
    """How a process ended: what its function returned, or why it did not."""

    killed: bool
    answer: Any = None
    error: str = ""  # a CatalogError, in its words
    trouble: str = ""  # any other exception, which is a fault


class Child:
    """A function in a forked process, which begins when it is told to."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._ours, theirs = socket.socketpair()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 on fork beside threads
            self.pid = os.fork()
        if self.pid == 0:
            self._ours.close()
            _run(function, theirs)
        theirs.close()

    def go(self) -> None:
        self._ours.sendall(b"!")

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def ended(self) -> Ended:
        """Waits for the end."""
        self._ours.settimeout(LIMIT)
        said = b""
        with self._ours, contextlib.suppress(ConnectionResetError):
            try:
                while piece := self._ours.recv(1 << 16):
                    said += piece
            except TimeoutError:
                self.kill()
                os.waitpid(self.pid, 0)
                return Ended(killed=False, trouble=f"it did not end in {LIMIT:.0f} seconds")
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL, status
            return Ended(killed=True)
        return pickle.loads(said)


def _run(function: Callable[[], Any], channel: socket.socket) -> None:
    """In the child; never returns. What it says goes by sendto(2), which is left alone."""
    try:
        channel.recv(1)
        try:
            ended = Ended(killed=False, answer=function())
        except CatalogError as error:
            ended = Ended(killed=False, error=str(error))
        except BaseException:
            ended = Ended(killed=False, trouble=traceback.format_exc())
        channel.sendall(pickle.dumps(ended))
    finally:
        os._exit(0)


def traced(function: Callable[[], Any], log: Path, *options: str) -> Ended:
    """Run it in a process under strace, from its first line on."""
    assert STRACE is not None
    child = Child(function)
    words = [STRACE, "-o", str(log), *options, "-p", str(child.pid)]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as strace:
        assert strace.stderr is not None
        said = strace.stderr.readline()
        if b"attached" not in said:
            child.kill()
            child.ended()
            raise AssertionError(said.decode())
        child.go()
        ended = child.ended()
        strace.communicate(timeout=LIMIT)
    return ended


@dataclass(frozen=True, order=True)
class Point:
    """At the ``nth`` call of this name the process is killed (KILL), or the call fails."""

    call: str
    nth: int
    what: str  # KILL or the name of an error; "+": and all such calls from there on

    @property
    def options(self) -> list[str]:
        kind = "signal" if self.what == "KILL" else "error"
        when = f"{self.nth}+" if self.what.endswith("+") else f"{self.nth}"
        inject = f"inject={self.call}:{kind}={self.what.rstrip('+')}:when={when}"
        return ["-e", f"trace={self.call}", "-e", inject]


def counted(function: Callable[[], Any], log: Path, calls: Sequence[str]) -> Counter[str]:
    """How often each of these calls happens in a run that nothing happens to."""
    ended = traced(function, log, "-e", "trace=" + ",".join(f"?{call}" for call in calls))
    assert not ended.killed
    assert not ended.trouble, ended.trouble
    return Counter(re.findall(r"^(\w+)\(", log.read_text("utf-8", "replace"), re.MULTILINE))


@pytest.fixture(scope="session")
def strace_works(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips, and says why, where no process can be traced."""
    if STRACE is None:
        pytest.skip("needs strace")
    try:
        traced(os.getpid, tmp_path_factory.mktemp("strace") / "log", "-e", "trace=getpid")
    except AssertionError as failure:
        pytest.skip(f"processes cannot be traced here: {failure}")


@contextlib.contextmanager
def children(*functions: Callable[[], Any]) -> Iterator[list[Child]]:
    """Several at once; those that still run at the end of the block are killed."""
    running = [Child(function) for function in functions]
    try:
        yield running
    finally:
        for child in running:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                if os.waitpid(child.pid, os.WNOHANG) == (0, 0):
                    child.kill()
                    os.waitpid(child.pid, 0)
