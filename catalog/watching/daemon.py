"""The loop: hints become looks, looks become plans, and plans are carried out.

Events are hints, the disk is the truth. Whatever is missed (events that were lost, a system
that slept, a drive that came back) costs a look at everything, and no more.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from catalog.errors import (
    Busy,
    CatalogDamaged,
    CatalogError,
    CatalogUnusable,
    GaveUp,
    UsageError,
)
from catalog.indexing import roots, run, upkeep
from catalog.indexing.reading import standing_pool
from catalog.indexing.reconcile import Look
from catalog.indexing.roots import FilterChange
from catalog.model import Change
from catalog.progress import SILENT, Progress
from catalog.scanning import filesystem
from catalog.store import folders, settings
from catalog.store.database import Database, open_existing_for_writing, open_for_writing
from catalog.store.locks import Locks
from catalog.store.opening import shown
from catalog.watching.channel import Answer, Server
from catalog.watching.ears import Listener
from catalog.watching.followed import Followed
from catalog.watching.hints import Hints, is_inside
from catalog.watching.mounts import MountWatch
from catalog.watching.reporter import Changes, Reporter
from catalog.watching.senses import Senses
from catalog.watching.work import Job, apart
from catalog.workers.cores import cores

if TYPE_CHECKING:
    from catalog.workers.pool import Pool

_TICK: Final = 5.0  # seconds between looks at roots, mounts and clocks
_RACY: Final = 3.0  # seconds until what was read too soon is read again
_GROWING: Final = 1.0  # seconds until a file that is being written is looked at again
_PUT_OFF: Final = 1.0  # seconds until what others do, or we do already, is looked at
_ASLEEP: Final = 5.0  # seconds that the clocks may drift apart before it is a sleep
_CLOSE_AFTER: Final = 5.0  # seconds without work until the catalog is closed
_END_POOL_AFTER: Final = 60.0  # ... and the processes that read are ended
_LONGEST_BACK_OFF: Final = 60.0  # seconds between tries while the disk is full
_SYNC_WITHIN: Final = 9.0  # seconds; who asks waits for ten


@dataclass(frozen=True, slots=True)
class Options:
    """How to follow. ``jobs`` processes read photos; None: one a core."""

    poll: bool = False  # look every minute, and use no events
    jobs: int | None = None


@dataclass(slots=True)
class Sync:
    """Somebody waits for the catalog to have all that had happened when they asked."""

    answered: threading.Event = field(default_factory=threading.Event)
    fresh: bool = False
    why: str = ""

    def answer(self, why_not: str) -> None:
        """It has, or why not."""
        self.fresh, self.why = not why_not, why_not
        self.answered.set()


class Daemon:
    """Follows the roots of one catalog until it is interrupted."""

    def __init__(
        self,
        catalog: bytes,
        reporter: Reporter,
        paths: Sequence[bytes] = (),
        options: Options | None = None,
        *,
        arrived: Callable[[bytes, int], None] = lambda _path, _content: None,
        started: Callable[[], None] = lambda: None,
        progress: Progress = SILENT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``paths`` (none: all that the catalog follows) are followed, and added where unknown.

        ``arrived`` is told the path and content of photos that are new to a catalog that had
        seen all before; ``started`` is called when events come, before the first look.
        """
        self._path = os.path.realpath(catalog)
        self._locks = Locks(self._path)
        self._reporter = reporter
        self._paths = list(paths)
        self._options = options or Options()
        self._processes = self._options.jobs or cores()
        self._arrived = arrived
        self._started = started
        self._progress = progress
        self._clock = clock
        self._hints = Hints(clock)
        self._senses = Senses(
            self._path, lambda cookies: Listener(self._hints, cookies), clock, reporter.say
        )
        self._changes = Changes(reporter, self._on_arrival)
        self._followed: list[Followed] = []
        self._jobs: deque[Job] = deque()
        self._owed: set[bytes] = set()  # looks that were put off, and are still to come
        self._syncs: deque[Sync] = deque()
        self._database: Database | None = None
        self._pool: Pool | None = None
        self._worked_at = clock()
        self._ticked_at = 0.0
        self._drift = time.time() - clock()
        self._losses = 0
        self._overflows = 0
        self._trouble = ""  # why the catalog cannot be written now
        self._tries = 0
        self._resume_at = 0.0
        self._mounts: list[filesystem.Mount] = []
        self._mounts_changed = threading.Event()
        self._file_seen: object = None
        self._looking: Followed | None = None

    # -- from begin to end ---------------------------------------------------------------------

    def run(self) -> None:
        """Follow, until KeyboardInterrupt.

        Raises Busy where there is a daemon already, UsageError where there is nothing to follow,
        CatalogUnusable when the catalog is gone, GaveUp when the system tells nothing any more.
        """
        with contextlib.ExitStack() as undo:
            self._be_the_only_one(undo)
            undo.callback(self._rest)
            self._follow(self._chosen())
            undo.callback(self._senses.close)
            if not self._options.poll:
                self._senses.open()
                self._say_how_it_hears()
            undo.callback(MountWatch(self._on_mounts).close)
            self._serve(undo)
            self._mounts = filesystem.mounts()
            for followed in self._followed:
                self._hints.later(followed.path, 0, whole=True)
            self._started()
            while True:
                self._turn()

    def status(self) -> Answer:
        """How it stands; from any thread."""
        agreed = [f.agreed_ns for f in self._followed if f.is_there]
        known = [when for when in agreed if when is not None]
        return {
            "state": self._state(),
            "pid": os.getpid(),
            "pending": len(self._hints) + sum(len(job.folders) for job in list(self._jobs)),
            "overflows": self._overflows,
            "last_rescan": min(known) / 1e9 if known and len(known) == len(agreed) else None,
            "lag": round(self._hints.oldest or 0.0, 3),
            "to_read": sum(len(part.reads) for job in list(self._jobs) for part in job.portions),
            "watched": self._senses.count,
            "unwatched": len(self._senses.refused),
            "polling": self._why_polling(),
            "problem": self._problem(),
        }

    def sync(self) -> Answer:
        """``fresh``: the catalog has all that had happened when this was called."""
        sync = Sync()

        def heard() -> None:
            self._syncs.append(sync)
            self._hints.wake()

        self._senses.sync(heard)
        if not sync.answered.wait(_SYNC_WITHIN):
            sync.why = "it is busy"
        return {**self.status(), "fresh": sync.fresh, "why": sync.why}

    def _be_the_only_one(self, undo: contextlib.ExitStack) -> None:
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        self._locks.prepare()
        lock = self._locks.daemon()
        undo.callback(lock.release)
        try:
            lock.acquire(patience=1.0)  # a moment, as who asks for the status holds it for one
        except Busy as error:
            raise Busy(
                f"{lock.holder()} follows this catalog already; 'imgcat watch --stop' ends it"
            ) from error

    def _chosen(self) -> list[folders.RootRow]:
        """The roots to follow: those that were named, which are added, or all."""
        first = open_for_writing(self._path, self._progress)
        with first as database:
            if self._paths:
                roots.choose(database, self._paths, FilterChange(), self._progress)
            run.retry_old_problems(database, self._progress)
            found = self._wanted(database)
            if not found:
                raise UsageError(roots.NAME_A_FOLDER.replace("index", "watch"))
            for note in database.notes:
                self._reporter.say(note)
        return found

    def _wanted(self, database: Database) -> list[folders.RootRow]:
        known = folders.all_roots(database)
        if not self._paths:
            return known
        real = [os.path.realpath(path) for path in self._paths]
        return [root for root in known if any(is_inside(path, root.path) for path in real)]

    def _serve(self, undo: contextlib.ExitStack) -> None:
        try:
            server = Server(self._locks, {"status": self.status, "sync": self.sync})
        except OSError as error:
            self._reporter.say(
                f"{shown(self._locks.folder)} cannot hold a socket ({error.strerror}): "
                "'imgcat status' cannot ask how this goes"
            )
        else:
            undo.callback(server.close)

    # -- one turn ------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Do what is due, or wait until something is."""
        self._tick()
        if self._clock() < self._resume_at:
            self._answer_syncs()
            self._hints.wait(min(_TICK, max(0.0, self._resume_at - self._clock())))
            return
        if self._senses.listener.expects_photos():
            self._warm_up()
        looks = self._hints.take_due()
        if looks:
            self._look_at(looks)
        if self._jobs:
            self._go_on()
        self._answer_syncs()
        if not looks and not self._jobs:
            self._rest_when_idle()
            self._hints.wait(min(_TICK, max(0.0, self._ticked_at + _TICK - self._clock())))

    def _look_at(self, looks: Sequence[Look]) -> None:
        by_root = sorted(
            ((followed, look) for look in looks if (followed := self._follower(look.path))),
            key=lambda pair: (pair[0].path, pair[1].path),
        )
        for followed, pairs in groupby(by_root, key=lambda pair: pair[0]):
            ready: list[Look] = []
            for _, look in pairs:
                if any(job.root == followed.root and self._waits(look, job) for job in self._jobs):
                    self._put_off(look, _PUT_OFF)
                else:
                    ready.append(look)
            if ready:
                self._look(followed, ready)

    def _waits(self, look: Look, job: Job) -> bool:
        """Whether a look waits until a job is done."""
        return (look.whole and look.path == job.root.path) or job.is_about(look)

    def _look(self, followed: Followed, looks: list[Look]) -> None:
        """Plan what brings some folders of a root up to date, and begin with it."""
        begun, begun_ns = self._clock(), time.time_ns()
        watched: set[bytes] = set()

        def watch(path: bytes) -> None:
            self._senses.watch(path)
            watched.add(path)

        with self._mending(looks):
            database = self._open()
            with roots.in_turn(database, followed.root, self._progress, patience=0.5):
                plan = upkeep.plan_for(
                    database,
                    followed.root,
                    looks,
                    settings.recipe(database),
                    self._progress if Look(followed.path) in looks else SILENT,
                    before_listing=watch,
                )
                job = Job.of(followed.root, plan, looks, begun, begun_ns)
                self._perform(followed, job)
            self._owed -= {look.path for look in looks}
            gone = {node.path for node in plan.gone} - watched
            if gone:
                self._senses.forget(lambda path: path not in watched and _is_in(path, gone))
            for note in plan.notes:
                self._reporter.say(note)
            self._is_well()
            if job.portions:
                self._jobs.append(job)
            else:
                self._finish(followed, job)

    def _go_on(self) -> None:
        """The next portion of what is to be read."""
        job = self._jobs.popleft()
        followed = self._follower(job.root.path)
        if followed is None or followed.root != job.root:
            return  # it was forgotten, or became part of another
        with self._mending([Look(job.root.path)]):
            database = self._open()
            with roots.in_turn(database, job.root, self._progress, patience=0.5):
                self._perform(followed, job)
            self._is_well()
            if job.portions:
                self._jobs.appendleft(job)
            else:
                self._finish(followed, job)

    def _perform(self, followed: Followed, job: Job) -> None:
        part = job.portions.popleft()
        whole, growing = apart(part.reads)
        for read in growing:
            self._hints.later(read.folder.path, _GROWING)
        database = self._open()
        if whole and self._pool is None:
            self._pool = standing_pool(self._processes)
        self._looking = followed
        tally = upkeep.perform(
            database,
            replace(part, reads=whole),
            settings.recipe(database),
            self._processes,
            self._progress if job.complete and followed.agreed_at is None else SILENT,
            pool=self._pool,
            tell=self._changes.hear,
        )
        job.add(tally)
        for folder in tally.unsettled:
            self._hints.later(folder, _RACY)
        if followed.agreed_at is None:
            self._changes.forget()
        else:
            self._changes.tell(followed.path)
        self._worked_at = self._clock()
        if tally.interrupted:
            raise KeyboardInterrupt

    def _warm_up(self) -> None:
        """Start the processes that read, while the photos are still being written."""
        if self._pool is None:
            self._pool = standing_pool(self._processes)
        if not self._pool.started:
            self._pool.start()
        self._worked_at = self._clock()

    def _finish(self, followed: Followed, job: Job) -> None:
        if not job.complete:
            return
        database = self._open()
        if job.sound:
            with roots.in_turn(database, job.root, self._progress, patience=0.5):
                upkeep.complete(database, job.root, job.begun_ns, self._progress)
        first = followed.agreed_at is None
        followed.looked_at(job.begun, job.begun_ns, self._clock())
        done = job.tally
        changes = done.added + done.changed + done.moved + done.missing + done.failed
        if first or changes:
            self._reporter.looked(followed.path, done, self._clock() - job.begun)
        self._say_what_is_unwatched(followed)

    def _on_arrival(self, change: Change) -> None:
        seen_before = self._looking is not None and (
            self._looking.agreed_at is not None or self._looking.root.last_scan is not None
        )
        if change.content is not None and seen_before:
            self._arrived(change.path, change.content)

    # -- what goes wrong -----------------------------------------------------------------------

    @contextlib.contextmanager
    def _mending(self, looks: Sequence[Look]) -> Iterator[None]:
        """What fails inside is tried again; what cannot be mended is raised."""
        try:
            yield
        except Busy:
            for look in looks:  # an index run does it just now
                self._put_off(look, 2 * _PUT_OFF)
        except CatalogDamaged as error:
            self._close()
            self._reporter.say(str(error))
            run.index_at(self._path, (), progress=self._progress)
            self._lose_track()
        except CatalogUnusable:
            raise
        except GaveUp:
            raise
        except CatalogError as error:
            self._is_in_trouble(error)

    def _is_in_trouble(self, error: CatalogError) -> None:
        """The disk is full or cannot be written: everything waits, and is looked at afterwards."""
        if not self._trouble:
            self._reporter.say(f"{error}; trying again until it works")
        self._trouble = str(error)
        self._tries += 1
        self._resume_at = self._clock() + min(_LONGEST_BACK_OFF, 2.0 ** min(self._tries - 1, 6))
        self._close()
        self._lose_track()

    def _is_well(self) -> None:
        if self._trouble:
            self._reporter.say("the catalog can be written again")
        self._trouble, self._tries = "", 0

    def _lose_track(self) -> None:
        """Something may have been missed: look at everything."""
        now = self._clock()
        self._jobs.clear()
        for followed in self._followed:
            followed.lost_at = now
            self._hints.later(followed.path, 0, whole=True)

    def _put_off(self, look: Look, seconds: float) -> None:
        self._owed.add(look.path)
        self._hints.later(look.path, seconds, whole=look.whole)

    # -- from time to time ---------------------------------------------------------------------

    def _tick(self) -> None:
        if self._senses.listener.losses != self._losses:
            self._overflows += self._senses.listener.losses - self._losses
            self._losses = self._senses.listener.losses
            self._reporter.say("more happened than the system remembers: looking at everything")
            self._lose_track()
        if self._senses.is_deaf():
            self._senses.begin_anew()
            self._lose_track()
        now = self._clock()
        if self._mounts_changed.is_set():
            self._look_at_mounts()
        elif now - self._ticked_at < _TICK:
            return
        self._ticked_at = now
        self._notice_sleep()
        self._follow_changes_of_roots()
        filesystem.forget_mounts()
        for followed in self._followed:
            if followed.place_changed():
                self._say_where(followed)
                followed.lost_at = now
                self._hints.later(followed.path, 0, whole=True)
            elif now >= followed.rescan_at:
                followed.rescan_at = now + _TICK * 12  # should it have to wait
                self._hints.later(followed.path, 0, whole=True)
            elif now >= followed.poll_at:
                followed.poll_at = now + 60.0
                for look in self._polled(followed):
                    self._hints.later(look.path, 0, whole=look.whole)

    def _polled(self, followed: Followed) -> list[Look]:
        if not self._senses.hears:
            return [Look(followed.path)]
        return followed.polled(self._mounts, list(self._senses.refused))

    def _notice_sleep(self) -> None:
        drift = time.time() - self._clock()
        if abs(drift - self._drift) > _ASLEEP:
            self._reporter.say("the machine slept, or its clock was set: looking at everything")
            self._lose_track()
        self._drift = drift

    def _on_mounts(self) -> None:
        self._mounts_changed.set()
        self._hints.wake()

    def _look_at_mounts(self) -> None:
        self._mounts_changed.clear()
        before, self._mounts = self._mounts, filesystem.mounts()
        for mount in set(before) ^ set(self._mounts):
            if self._follower(mount.point) is not None:
                self._hints.later(mount.point, 0, whole=True)

    def _follow_changes_of_roots(self) -> None:
        """Another imgcat may have added, swallowed or forgotten roots, or changed patterns."""
        seen = [_stamp(self._path + suffix) for suffix in (b"", b"-wal")]
        if seen == self._file_seen or self._trouble:
            return
        with self._mending(()):
            wanted = self._wanted(self._open())
            self._file_seen = [_stamp(self._path + suffix) for suffix in (b"", b"-wal")]
            self._follow(wanted)

    def _follow(self, wanted: Sequence[folders.RootRow]) -> None:
        now = self._clock()
        known = {followed.path: followed for followed in self._followed}
        kept: list[Followed] = []
        for root in wanted:
            followed = known.pop(root.path, None)
            if followed is None:
                followed = Followed(root, now)
                if self._followed:
                    self._reporter.say(f"following {shown(root.path)}")
                self._hints.later(root.path, 0, whole=True)
            elif (followed.root.id, followed.root.filters) != (root.id, root.filters):
                followed.lost_at = now
                self._hints.later(root.path, 0, whole=True)
            followed.root = root
            kept.append(followed)
        for path in known:
            self._reporter.say(f"not following {shown(path)} any more")
        self._followed = kept
        tops = [root.path for root in wanted]
        self._hints.follow(tops)
        self._senses.listener.follow(wanted)
        if known:
            self._senses.forget(
                lambda path: (
                    path != self._senses.cookies.folder
                    and not any(is_inside(path, top) for top in tops)
                )
            )

    def _follower(self, path: bytes) -> Followed | None:
        """The innermost root that a path is in."""
        around = [followed for followed in self._followed if is_inside(path, followed.path)]
        return max(around, key=lambda followed: len(followed.path), default=None)

    # -- being asked ---------------------------------------------------------------------------

    def _answer_syncs(self) -> None:
        waiting: list[Sync] = []
        while self._syncs:
            waiting.append(self._syncs.popleft())
        if not waiting:
            return
        until = self._clock() + _SYNC_WITHIN - 1
        why = self._why_stale()
        if not why:
            looks = self._hints.take_all()
            looks += [look for followed in self._followed for look in self._polled(followed)]
            self._look_at(looks)
            while self._jobs and not self._trouble and self._clock() < until:
                self._go_on()
            why = self._why_stale()
        for sync in waiting:
            sync.answer(why)

    def _why_stale(self) -> str:
        """Why the catalog may not have all that was heard of until now; empty if it has."""
        if self._trouble:
            return self._trouble
        if any(followed.is_there and not followed.agrees for followed in self._followed):
            return "it is still looking at everything"
        if self._jobs:
            return "it is reading photos"
        return "it waits for another imgcat" if self._owed else ""

    def _state(self) -> str:
        if any(followed.is_there and followed.agreed_at is None for followed in self._followed):
            return "starting"
        return "degraded" if self._problem() else "watching"

    def _problem(self) -> str:
        """What a person should see to; empty where all is well."""
        if self._trouble:
            return self._trouble
        if self._senses.refused:
            return self._limit_words()
        return "" if self._senses.hears or self._options.poll else self._why_polling()

    def _why_polling(self) -> str:
        if self._options.poll:
            return "asked to look every minute (--poll)"
        return self._senses.why_polling

    def _limit_words(self) -> str:
        """How to have all folders watched."""
        refused = self._senses.refused
        names = f"{len(refused):,} of {len(refused) + self._senses.count:,} folders"
        why = next(iter(refused.values()), "")
        words = f"{names} cannot be watched ({why}) and are looked at every minute"
        if "limit" in why:
            words += f"; {_more_watches(self._senses.count + len(refused))}"
        return words

    # -- words ---------------------------------------------------------------------------------

    def _say_how_it_hears(self) -> None:
        if not self._senses.hears:
            self._reporter.say(f"{self._senses.why_polling}: looking every minute instead")

    def _say_where(self, followed: Followed) -> None:
        if followed.is_there:
            self._reporter.say(f"{shown(followed.path)} is there again, or another folder is")
        else:
            self._reporter.say(f"{shown(followed.path)} is not there now: its photos are kept")

    def _say_what_is_unwatched(self, followed: Followed) -> None:
        if self._senses.refused:
            self._reporter.say(self._limit_words())
        silent = followed.silent(self._mounts) if self._senses.hears else []
        if silent and not followed.told_silent:
            followed.told_silent = True
            names = ", ".join(map(shown, silent))
            self._reporter.say(
                f"what others change on {names} makes no event: it is looked at every minute too"
            )

    # -- what is open --------------------------------------------------------------------------

    def _open(self) -> Database:
        if self._database is None:
            self._database = open_existing_for_writing(self._path, self._progress)
            for note in self._database.notes:
                self._reporter.say(note)
        return self._database

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            with contextlib.suppress(CatalogError):
                database.close()

    def _rest_when_idle(self) -> None:
        idle = self._clock() - self._worked_at
        if self._database is not None and idle > _CLOSE_AFTER:
            self._close()
            self._file_seen = [_stamp(self._path + suffix) for suffix in (b"", b"-wal")]
            _give_memory_back()
        if self._pool is not None and idle > _END_POOL_AFTER:
            self._pool.end()
            self._pool = None
            _give_memory_back()

    def _rest(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.end()
        self._close()


def _is_in(path: bytes, tops: set[bytes]) -> bool:
    """Whether ``path`` is one of ``tops`` or below one."""
    while path not in tops:
        above = os.path.dirname(path)
        if above == path:
            return False
        path = above
    return True


def _more_watches(folders_to_watch: int) -> str:
    """The command that allows as many watches, and as many again."""
    enough = 1 << (2 * folders_to_watch).bit_length()
    return f"sudo sysctl fs.inotify.max_user_watches={max(enough, 65536)} allows all"


def _stamp(path: bytes) -> tuple[int, ...] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _give_memory_back() -> None:
    """What a large look took is not needed while nothing happens."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            trim: Any = ctypes.CDLL(None).malloc_trim
            trim(0)
