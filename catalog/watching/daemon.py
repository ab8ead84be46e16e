"""The loop: hints become looks, looks become plans, and plans are carried out.

Events are hints, the disk is the truth. Whatever is missed (events that were lost, a system
that slept, a drive that came back) costs a look at everything, and no more.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final

from catalog.errors import (
    Busy,
    CatalogDamaged,
    CatalogError,
    CatalogUnusable,
    UsageError,
)
from catalog.indexing import roots, run, upkeep
from catalog.indexing.plan import Plan
from catalog.indexing.reconcile import Look
from catalog.indexing.roots import FilterChange
from catalog.model import Change
from catalog.progress import SILENT, Progress
from catalog.store import folders, settings
from catalog.store.database import Database, open_for_writing, translated
from catalog.store.locks import Locks
from catalog.store.opening import shown
from catalog.watching.channel import Answer, Server
from catalog.watching.ears import Listener
from catalog.watching.followed import Followed
from catalog.watching.following import TICK, Following
from catalog.watching.hints import Hints, is_inside
from catalog.watching.mounts import MountWatch
from catalog.watching.options import Options
from catalog.watching.reporter import Changes, Reporter
from catalog.watching.senses import Senses
from catalog.watching.tools import Tools
from catalog.watching.work import FEW, Job, apart, next_portion
from catalog.workers.cores import cores

_RACY: Final = 3.0  # seconds until what was read too soon is read again
_GROWING: Final = 1.0  # seconds until a file that is being written is looked at again
_PATIENCE: Final = 0.5  # seconds for a root that somebody else changes
_PUT_OFF: Final = 1.0  # seconds until what others do, or we do already, is looked at
_LONGEST_BACK_OFF: Final = 60.0  # seconds between tries while the disk is full
_SYNC_WITHIN: Final = 9.0  # seconds; who asks waits for ten


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
        turning: Callable[[], None] = lambda: None,
        progress: Progress = SILENT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``paths`` (none: all that the catalog follows) are followed, and added where unknown.

        ``arrived`` is told the path and content of photos that are new to a catalog that had
        seen all before; ``started`` is called when events come, before the first look, and
        ``turning`` every few seconds from then on, for as long as all is well.
        """
        self._path = os.path.realpath(catalog)
        self._locks = Locks(self._path)
        self._reporter = reporter
        self._paths = list(paths)
        self._options = options or Options()
        self._arrived = arrived
        self._started = started
        self._turning = turning
        self._progress = progress
        self._clock = clock
        self._hints = Hints(clock)
        self._senses = Senses(
            self._path, lambda cookies: Listener(self._hints, cookies), clock, reporter.say
        )
        self._changes = Changes(reporter, self._on_arrival)
        self._following = Following(self._hints, self._senses, clock, reporter.say)
        self._jobs: list[Job] = []
        self._performing: Sequence[Job] = ()  # those a portion of which is being read ...
        self._reading = 0  # ... and how many files that is
        self._owed: set[bytes] = set()  # looks that were put off, and are still to come
        self._syncs: deque[Sync] = deque()
        processes = self._options.jobs or cores()
        self._tools = Tools(self._path, processes, progress, clock, reporter.say)
        self._losses = 0
        self._trouble = ""  # why the catalog cannot be written now
        self._tries = 0
        self._resume_at = 0.0
        self._looking: Followed | None = None

    # -- from begin to end ---------------------------------------------------------------------

    def run(self) -> None:
        """Follow, until KeyboardInterrupt.

        Raises Busy where there is a daemon already, UsageError where there is nothing to follow,
        CatalogUnusable when the catalog is gone, GaveUp when the system tells nothing any more.
        """
        with contextlib.ExitStack() as undo:
            self._be_the_only_one(undo)
            undo.callback(self._tools.close)
            self._following.follow(self._chosen())
            undo.callback(self._senses.close)
            self._begin_to_hear()
            undo.callback(MountWatch(self._following.mounted).close)
            self._serve(undo)
            self._started()
            while True:
                self._turn()

    def status(self) -> Answer:
        """How it stands; from any thread."""
        return {
            "state": self._state(),
            "pid": os.getpid(),
            "pending": len(self._hints) + sum(len(job.folders) for job in list(self._jobs)),
            "overflows": self._losses,
            "last_rescan_ns": self._following.agreed_ns,
            "lag": round(self._hints.oldest or 0.0, 3),
            "to_read": sum(len(job.reads) for job in list(self._jobs)) + self._reading,
            "watched": self._senses.count,
            "unwatched": len(self._senses.refused),
            "polling": self._senses.why_polling,
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
        ids = [followed.root.id for followed in self._following]
        return {"fresh": sync.fresh, "why": sync.why, "roots": ids}

    def _be_the_only_one(self, undo: contextlib.ExitStack) -> None:
        lock = self._locks.daemon()
        undo.callback(lock.release)
        with translated(self._path):
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            self._locks.prepare()
            try:
                # A moment, as who asks for the status holds it for one.
                lock.acquire(patience=1.0)
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

    def _begin_to_hear(self) -> None:
        if self._options.poll:
            self._senses.why_polling = "--poll"
            return
        self._senses.open()
        if self._senses.problem:
            self._reporter.say(self._senses.problem)

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
        self._turning()
        self._tick()
        if self._clock() < self._resume_at:
            self._answer_syncs()
            self._hints.wait(min(TICK, max(0.0, self._resume_at - self._clock())))
            return
        if self._senses.listener.expects_photos():
            self._tools.warm_up()
        looks = self._hints.take_due()
        if looks:
            self._look_at(looks)
        if self._jobs:
            self._go_on()
        self._answer_syncs()
        if not looks and not self._jobs:
            self._tools.rest()
            self._hints.wait(max(0.0, self._following.next_tick - self._clock()))

    def _look_at(self, looks: Sequence[Look]) -> None:
        by_root = sorted(
            ((followed, look) for look in looks if (followed := self._following.at(look.path))),
            key=lambda pair: (pair[0].path, pair[1].path),
        )
        for followed, pairs in groupby(by_root, key=lambda pair: pair[0]):
            ready: list[Look] = []
            for _, look in pairs:
                if any(job.waits_for(look) for job in self._jobs):
                    self._put_off(look, _PUT_OFF)
                else:
                    ready.append(look)
            if ready:
                self._look(followed, ready)
        self._hints.done()

    def _look(self, followed: Followed, looks: list[Look]) -> None:
        """Plan what brings some folders of a root up to date, and begin with it."""
        begun, begun_ns = self._clock(), time.time_ns()
        watched: set[bytes] = set()

        def watch(path: bytes) -> None:
            self._turning()
            self._senses.watch(path)
            watched.add(path)

        again = list(looks)
        with self._mending(again):
            with self._in_turn(followed) as database:
                # From here on, folders that the catalog does not know yet come to be watched, and
                # only a look at everything would go into them again.
                again[:] = [Look(followed.path)]
                plan = upkeep.plan_for(
                    database,
                    followed.root,
                    looks,
                    settings.recipe(database),
                    self._progress if Look(followed.path) in looks else SILENT,
                    before_listing=watch,
                    is_seen=self._senses.watches,
                )
                job = Job.of(followed.root, plan, looks, begun, begun_ns)
                part = job.plan
                if not self._jobs or len(job.reads) <= FEW:
                    _, reads = next_portion([job])
                    part = replace(part, reads=reads)
                self._jobs.append(job)
                self._perform(followed, [job], part, database)
            self._owed -= {look.path for look in looks}
            self._unwatch(followed, plan, watched, everything=Look(followed.path) in looks)
            for folder in plan.elsewhere:
                self._hints.add(folder)
            for note in plan.notes:
                self._reporter.say(note)
            self._put_back(followed, [job])

    def _unwatch(
        self, followed: Followed, plan: Plan, watched: set[bytes], *, everything: bool
    ) -> None:
        """Hear no more of folders that are gone; of some, only a look at everything tells."""
        gone = {node.path for node in plan.gone} - watched
        if everything and not (plan.offline or plan.unreadable):
            self._senses.forget(
                lambda path: path not in watched and self._following.at(path) is followed
            )
        elif gone:
            self._senses.forget(lambda path: path not in watched and _is_in(path, gone))

    def _go_on(self) -> None:
        """The next portion of what is to be read."""
        followed = self._following.at(self._jobs[0].root.path)
        if followed is None or followed.root.id != self._jobs[0].root.id:
            del self._jobs[0]  # its root was forgotten, or became part of another
            return
        jobs, reads = next_portion(self._jobs)
        with self._mending([Look(followed.path)]):
            with self._in_turn(followed) as database:
                self._perform(followed, jobs, Plan(reads=reads), database)
            self._put_back(followed, jobs)

    @contextlib.contextmanager
    def _in_turn(self, followed: Followed) -> Iterator[Database]:
        """The catalog, while nobody else changes this root. Raises Busy where somebody does."""
        database = self._tools.database()
        with roots.in_turn(database, followed.root, self._progress, patience=_PATIENCE):
            yield database

    def _put_back(self, followed: Followed, jobs: Sequence[Job]) -> None:
        """A part of these jobs is done."""
        if self._trouble:
            self._reporter.say("the catalog can be written again")
        self._trouble, self._tries = "", 0
        self._performing = ()
        for job in jobs:
            self._jobs.remove(job)
            if job.reads:
                self._jobs.append(job)  # after those of others
            else:
                self._finish(followed, job)

    def _perform(
        self, followed: Followed, jobs: Sequence[Job], part: Plan, database: Database
    ) -> None:
        """Carry out a part of these jobs, but for files that somebody still writes to."""
        whole, growing = apart(part.reads)
        for read in growing:
            self._hints.later(read.folder.path, _GROWING)
        self._looking = followed
        self._performing, self._reading = jobs, len(whole)
        try:
            tally = upkeep.perform(
                database,
                replace(part, reads=whole),
                settings.recipe(database),
                self._tools.processes,
                self._progress if jobs[0].complete and followed.agreed_at is None else SILENT,
                pool=self._tools.pool(),
                tell=self._changes.hear,
            )
        finally:
            self._reading = 0
        if tally.interrupted:
            raise KeyboardInterrupt
        jobs[0].add(tally)
        for folder in tally.unsettled:
            self._hints.later(folder, _RACY)
        if followed.agreed_at is None:
            self._changes.forget()
        else:
            self._changes.tell(followed.path)
        self._changes.pass_arrivals_on()

    def _finish(self, followed: Followed, job: Job) -> None:
        if not job.complete:
            return
        if job.sound:
            with self._in_turn(followed) as database:
                upkeep.complete(database, job.root, job.begun_ns, self._progress)
        first = followed.agreed_at is None
        followed.looked_at(job.begun, job.begun_ns, self._clock())
        done = job.tally
        changes = done.added + done.changed + done.moved + done.missing + done.failed
        if first or changes:
            self._reporter.looked(followed.path, done, self._clock() - job.begun)
        if self._senses.refused:
            self._reporter.say(self._senses.problem)
        self._say_what_is_silent(followed)

    def _say_what_is_silent(self, followed: Followed) -> None:
        silent = self._following.silent(followed)
        if silent and not followed.told_silent:
            followed.told_silent = True
            names = ", ".join(map(shown, silent))
            self._reporter.say(
                f"what others change on {names} makes no event: it is looked at every minute too"
            )

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
            # An index run does it just now. What was taken to be read is found again after it.
            self._jobs = [job for job in self._jobs if job not in self._performing]
            for look in looks:
                self._put_off(look, 2 * _PUT_OFF)
        except CatalogDamaged as error:
            self._build_anew(error)
        except CatalogUnusable:
            raise
        except CatalogError as error:
            self._is_in_trouble(error)

    def _build_anew(self, error: CatalogDamaged) -> None:
        """Set a damaged catalog aside, as an index run would."""
        self._tools.close_catalog()
        self._reporter.say(str(error))
        there = [followed.path for followed in self._following if followed.is_there]
        summary = run.index_at(self._path, there, progress=self._progress)
        if summary.interrupted:
            raise KeyboardInterrupt
        for note in summary.notes:
            self._reporter.say(note)
        self._lose_track()

    def _is_in_trouble(self, error: CatalogError) -> None:
        """The disk is full or cannot be written: everything waits, and is looked at afterwards."""
        if not self._trouble:
            self._reporter.say(f"{error}; trying again until it works")
        self._trouble = str(error)
        self._tries += 1
        self._resume_at = self._clock() + min(_LONGEST_BACK_OFF, 2.0 ** min(self._tries - 1, 6))
        self._tools.close_catalog()
        self._lose_track()

    def _lose_track(self) -> None:
        """Something may have been missed: look at everything."""
        self._jobs.clear()
        self._following.lose_track()

    def _put_off(self, look: Look, seconds: float) -> None:
        self._owed.add(look.path)
        self._hints.later(look.path, seconds, whole=look.whole)

    # -- from time to time ---------------------------------------------------------------------

    def _tick(self) -> None:
        losses = self._senses.listener.losses
        if losses != self._losses:
            self._losses = losses
            self._reporter.say("more happened than the system remembers: looking at everything")
            self._lose_track()
        if self._senses.is_deaf():
            self._senses.begin_anew()
            self._lose_track()
        if self._following.tick():
            self._follow_changes_of_roots()

    def _follow_changes_of_roots(self) -> None:
        """Another imgcat may have added, swallowed or forgotten roots, or changed patterns."""
        if self._tools.others_wrote() and not self._trouble:
            with self._mending(()):
                self._following.follow(self._wanted(self._tools.database()))

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
            looks += [
                look for followed in self._following for look in self._following.polled(followed)
            ]
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
        if any(followed.is_there and not followed.agrees for followed in self._following):
            return "it is still looking at everything"
        if self._jobs:
            return "it is reading photos"
        return "it waits for another imgcat" if self._owed else ""

    def _state(self) -> str:
        roots = list(self._following)
        if not roots or any(root.is_there and root.agreed_at is None for root in roots):
            return "starting"
        return "degraded" if self._problem() else "watching"

    def _problem(self) -> str:
        """What a person should see to; empty where all is well."""
        if self._trouble or self._options.poll:
            return self._trouble
        return self._senses.problem


def _is_in(path: bytes, tops: set[bytes]) -> bool:
    """Whether ``path`` is one of ``tops`` or below one."""
    while path not in tops:
        above = os.path.dirname(path)
        if above == path:
            return False
        path = above
    return True
