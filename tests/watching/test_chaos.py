"""R14: whatever people, programs and the system do, after some quiet the catalog is as the disk.

A walk is told by its seed: IMGCAT_SEED=NUMBER repeats what a failure says that it did.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commandline import Imgcat

from tests.soak.figures import Say
from tests.support import known, no_loose_ends
from tests.watching.chaos import Chaos, folders, on_disk, visible
from tests.watching.following import Following, wait_for

FOLDERS = 5400  # some are carried out of the tree, and not all come back
PHOTOS = 400
SETTLED = 4.0  # seconds; a file that was read too soon after a change is read again after three
QUIET = 10.0  # seconds of quiet are enough ...
QUIET_AFTER_LOSS = 30.0  # ... or these, where events were lost
ONE_BY_ONE = 2000  # folders; where more wait to be looked at, the daemon looks at larger parts
_SAID = os.environ.get("IMGCAT_SEED")
_QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


def seeds(count: int) -> list[int]:
    return [int(_SAID)] if _SAID else list(range(1, count + 1))


@pytest.mark.parametrize("seed", seeds(1))
def test_r14_after_chaos_and_quiet_the_catalog_is_as_a_fresh_scan(
    seed: int, imgcat: Imgcat, following: Following, tmp_path: Path, say: Say
) -> None:
    Walk(seed, imgcat, following, tmp_path, say).go(steps=400)


@pytest.mark.soak
@pytest.mark.parametrize("seed", seeds(20))
def test_r14_after_much_chaos_and_quiet_the_catalog_is_as_a_fresh_scan(
    seed: int, imgcat: Imgcat, following: Following, tmp_path: Path, say: Say
) -> None:
    Walk(seed, imgcat, following, tmp_path, say).go(steps=1500, thoroughly=True)


class Walk:
    """Chaos on the disk, while chaos befalls the daemon that follows it."""

    def __init__(
        self, seed: int, imgcat: Imgcat, following: Following, place: Path, say: Say
    ) -> None:
        self.seed = seed
        self.imgcat = imgcat
        self.daemon = following
        self.say = say
        self.dice = random.Random(seed)
        self.top = bytes(place / "photos")
        self.chaos = Chaos(self.top, bytes(place / "aside"), self.dice)
        self.runs: list[subprocess.Popen[bytes]] = []  # of 'imgcat index', beside the daemon
        self.floods = 0  # in the life of the daemon that runs
        self.lives = 1

    def go(self, steps: int, *, thoroughly: bool = False) -> None:
        begun = time.monotonic()
        with self._told():
            self.chaos.grow(FOLDERS, PHOTOS)
            self.daemon.start()
            self.daemon.wait_until_watching()
            started = time.monotonic()
            self._wander(steps)
            wandered = time.monotonic()
            took = self._settle()
            files = self._compare()
            if thoroughly:
                self._hears_of_every_folder()
            self._end()
        self.say(
            f"seed {self.seed}: {steps} steps, {self.lives} lives, {folders(self.top):,} folders, "
            f"{files} files; {started - begun:.1f} s to begin, {wandered - started:.1f} s of "
            f"chaos, right {took:.1f} s after it; {time.monotonic() - begun:.1f} s"
        )

    # -- what happens --------------------------------------------------------------------------

    def _wander(self, steps: int) -> None:
        befalls = self._befalls(steps // 12)
        done = 0
        while done < steps:
            some = self.dice.choice((2, 4, 8, 16, 32))
            self._steps(some)
            done += some
            next(befalls)()
            self._rest()
        if self.seed % 3 == 0:
            self._flood()  # as the last thing: neither a new life nor an index makes up for it
        self.chaos.finish()

    def _befalls(self, about: int) -> Iterator[Callable[[], None]]:
        """What happens to the daemon between the steps: each kind, at some time."""
        rare: list[Callable[[], None]] = [self._kill, self._stop, self._index]
        first = [*rare, self._pause, self._pause]
        some = [*first, *([self._nothing] * max(0, about * 2 // 3 - len(first)))]
        self.dice.shuffle(some)
        yield from some
        while True:
            (befall,) = self.dice.choices([self._nothing, self._pause, *rare], (12, 3, 1, 1, 1))
            yield befall

    def _steps(self, count: int) -> None:
        for _ in range(count):
            self.chaos.step()

    def _rest(self) -> None:
        """Mostly too short for the daemon to have done with what was, sometimes long enough."""
        longest = self.dice.choices((0.0, 0.2, 1.0, 4.0), (4, 6, 4, 1))[0]
        time.sleep(self.dice.uniform(0, longest))

    def _nothing(self) -> None:
        """The daemon is left alone."""

    def _pause(self) -> None:
        self.chaos.log.append("-- SIGSTOP")
        self.daemon.pause()
        until = self.dice.choices((0.5, 1.0, 3.0), (3, 2, 1))[0]
        for _ in range(4):
            self._steps(self.dice.randint(0, 6))
            time.sleep(until / 4)
        self.chaos.log.append("-- SIGCONT")
        self.daemon.go_on()

    def _flood(self) -> None:
        """More than the kernel remembers, and then what it cannot tell of any more."""
        self.daemon.wait_until_watching()  # one that does not listen yet loses nothing
        self.chaos.log.append("-- SIGSTOP")
        self.daemon.pause()
        self.chaos.flood(2 * int(_QUEUE.read_text()))  # some may be read before it stops
        self._steps(30)
        self.chaos.log.append("-- SIGCONT")
        self.daemon.go_on()
        self.floods += 1

    def _kill(self) -> None:
        self.chaos.log.append("-- kill -9")
        self.daemon.kill()
        self._start_again()

    def _stop(self) -> None:
        if wait_for(lambda: self.daemon.state().pid, 10):  # before, a signal finds no daemon yet
            self.chaos.log.append("-- SIGTERM")
            assert self.daemon.stop() == 0
            self._start_again()

    def _start_again(self) -> None:
        self._steps(self.dice.randint(0, 8))
        time.sleep(self.dice.uniform(0, 0.3))
        self.chaos.log.append("-- start")
        self.daemon.start()
        self.floods = 0
        self.lives += 1

    def _index(self) -> None:
        self.chaos.log.append("-- imgcat index")
        self.runs.append(self.imgcat.start("index"))

    # -- what is so afterwards -----------------------------------------------------------------

    def _settle(self) -> float:
        """Wait until the catalog is as the disk; returns how many seconds that took."""
        for run in self.runs:
            done = self.imgcat.finish(run)
            assert (done.code, done.err) == (0, b""), done
        begun = time.monotonic()
        truth = on_disk(self.top)
        patience = QUIET_AFTER_LOSS if self.floods else QUIET
        time.sleep(SETTLED)
        agree = wait_for(
            lambda: self.daemon.is_quiet() and not self._differences(truth),
            patience - (time.monotonic() - begun),
            every=0.25,
        )
        took = time.monotonic() - begun
        assert self.daemon.running, self.daemon.process.returncode
        if not agree:
            raise AssertionError(
                f"after {took:.1f} s of quiet: {self.daemon.state()}\n" + self._shown(truth)
            )
        return took

    def _compare(self) -> int:
        """The catalog is as a fresh scan would have it, and as the next rescan finds it."""
        fresh = Imgcat(self.imgcat.catalog + b".fresh", self.imgcat.home)
        done = fresh("index", self.top)
        assert (done.code, done.err) == (0, b""), done
        scanned, followed = (known(each.catalog, self.top) for each in (fresh, self.imgcat))
        assert followed == scanned, _unlike(followed, scanned)
        assert not self._differences(on_disk(self.top)), self._shown(on_disk(self.top))
        before = self.daemon.state()
        again = self.imgcat("index", "--json").json
        counts = {word: again[word] for word in ("added", "changed", "moved", "missing", "failed")}
        assert not any(counts.values()), again
        assert known(self.imgcat.catalog, self.top) == scanned
        no_loose_ends(self.imgcat.catalog)
        assert self.floods <= before.overflows <= 3 * self.floods, before
        return len(scanned)

    def _hears_of_every_folder(self) -> None:
        """Under the path that each has now: a file in it, of not so many at once that all is seen.

        The kernel knows a folder, and it is for the daemon to know where that is.
        """
        places = list(visible(self.top))
        for start in range(0, len(places), ONE_BY_ONE):
            for place in places[start : start + ONE_BY_ONE]:
                with open(os.path.join(place, b"probe.bmp"), "wb"):
                    pass
            truth = on_disk(self.top)
            heard = wait_for(lambda truth=truth: not self._differences(truth), QUIET, every=0.25)
            assert heard, self._shown(truth)

    def _end(self) -> None:
        self.daemon.wait_until_quiet()
        state = self.daemon.state()
        assert state.unwatched == 0, state
        watched = self.daemon.watched()
        deaf = [path for path in visible(self.top) if os.lstat(path).st_ino not in watched]
        assert not deaf, f"nothing is heard of {deaf}"
        assert self.daemon.stop(within=2.0) == 0
        # Python warns there of what a kill or a signal left open.
        assert "Traceback" not in self.daemon.err
        assert "imgcat:" not in self.daemon.err
        for words in ("Traceback", "Error", "could not be looked for", "stopped to come"):
            assert words not in self.daemon.out
        assert self.imgcat.nothing_is_left()

    def _differences(self, truth: dict[bytes, bytes | None]) -> dict[bytes, tuple[object, object]]:
        """Path -> what the catalog says, and what the disk does.

        Which of the files that are no pictures are called so is for the fresh scan to tell.
        """
        followed = known(self.imgcat.catalog, self.top)
        return {
            path: (followed.get(path), truth.get(path))
            for path in followed.keys() | truth.keys()
            if path not in followed
            or path not in truth
            or (isinstance(followed[path], bytes) and followed[path] != truth[path])
        }

    def _shown(self, truth: dict[bytes, bytes | None]) -> str:
        lines = []
        for path, (said, is_so) in sorted(self._differences(truth).items()):
            why = "not known" if said is None else "stale" if path in truth else "not on disk"
            with contextlib.suppress(OSError):
                why += f", {os.lstat(os.path.join(self.top, path)).st_nlink} names"
            lines.append(f"{path!r}: {why} ({_short(said)}, {_short(is_so)})")
        return f"{len(lines)} paths differ\n" + "\n".join(lines[:40])

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """A failure says how to have it again."""
        try:
            yield
        except BaseException as error:
            error.add_note(f"repeat with IMGCAT_SEED={self.seed}; what was done last:")
            error.add_note("\n".join(self.chaos.log[-200:]))
            error.add_note("what the daemon said last:")
            error.add_note("\n".join(self.daemon.out.splitlines()[-60:]) + self.daemon.err)
            raise
        finally:
            for run in self.runs:
                if run.poll() is None:
                    run.kill()
                run.communicate()


def _unlike(
    one: dict[bytes, bytes | str], other: dict[bytes, bytes | str]
) -> dict[bytes, tuple[object, object]]:
    return {
        path: (one.get(path), other.get(path))
        for path in one.keys() | other.keys()
        if one.get(path) != other.get(path)
    }


def _short(value: object) -> str:
    return value.hex()[:8] if isinstance(value, bytes) else str(value)
