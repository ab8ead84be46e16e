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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from catalog.errors import Busy, UsageError
from catalog.escaping import printable
from catalog.indexing import roots, run
from catalog.indexing.roots import FilterChange
from catalog.progress import SILENT, Progress
from catalog.store import folders
from catalog.store.database import Database, open_for_writing, translated
from catalog.store.locks import Locks
from catalog.watching.channel import Answer, Server
from catalog.watching.cookies import Cookies
from catalog.watching.ears import Listener
from catalog.watching.following import TICK, Following
from catalog.watching.hints import Hints, is_inside
from catalog.watching.mounts import MountWatch
from catalog.watching.options import Options
from catalog.watching.reporter import Reporter
from catalog.watching.senses import Senses
from catalog.watching.tools import Tools
from catalog.watching.worker import Worker
from catalog.workers.cores import cores

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
        self._started = started
        self._progress = progress
        self._clock = clock
        self._hints = Hints(clock)
        cookies = Cookies(self._path)
        self._senses = Senses(cookies, Listener(self._hints, cookies), clock, reporter.say)
        self._following = Following(self._hints, self._senses, clock, reporter.say)
        self._tools = Tools(
            self._path,
            self._options.jobs or cores(),
            reporter.say,
            clock=clock,
            turning=turning,
        )
        self._worker = Worker(
            self._hints, self._senses, self._following, self._tools, reporter, arrived, progress
        )
        self._syncs: deque[Sync] = deque()
        self._losses = 0

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
            "pending": len(self._hints) + self._worker.folders_to_read,
            "overflows": self._losses,
            "last_rescan_ns": self._following.agreed_ns,
            "lag": round(self._hints.oldest or 0.0, 3),
            "to_read": self._worker.files_to_read,
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

        try:
            with self._senses.sync(heard):
                if not sync.answered.wait(_SYNC_WITHIN):
                    sync.why = "it is busy"
        except OSError:
            sync.why = "events of the disk do not come"
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
        nothing = UsageError(roots.NAME_A_FOLDER.replace("index", "watch"))
        if not self._paths and not os.path.exists(self._path):
            raise nothing
        with open_for_writing(self._path, self._progress) as database:
            if self._paths:
                roots.choose(database, self._paths, FilterChange(), self._progress)
            run.retry_old_problems(database, self._progress)
            found = self._wanted(database)
            if not found:
                raise nothing
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
            server = Server(
                self._locks, {"status": self.status, "sync": self.sync}, self._reporter.say
            )
        except OSError as error:
            self._reporter.say(
                f"{printable(self._locks.folder)} cannot hold a socket ({error.strerror}): "
                "'imgcat status' cannot ask how this goes"
            )
        else:
            undo.callback(server.close)

    # -- one turn ------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Do what is due, or wait until something is."""
        self._tools.turning()
        self._tick()
        if self._clock() < self._worker.resume_at:
            self._answer_syncs()
            self._hints.pause(min(TICK, max(0.0, self._worker.resume_at - self._clock())))
            return
        if self._senses.listener.expects_photos():
            self._tools.warm_up()
        looks = self._hints.take_due()
        if looks:
            self._worker.look_at(looks)
        if self._worker.has_work:
            self._worker.go_on()
        self._answer_syncs()
        if not looks and not self._worker.has_work:
            self._tools.rest()
            self._hints.wait(max(0.0, self._following.next_tick - self._clock()))

    # -- from time to time ---------------------------------------------------------------------

    def _tick(self) -> None:
        losses = self._senses.listener.losses
        if losses != self._losses:
            self._losses = losses
            self._reporter.say("more happened than the system remembers: looking at everything")
            self._worker.lose_track()
        if self._senses.is_deaf():
            self._senses.begin_anew()
            self._worker.lose_track()
        if self._following.tick():
            self._follow_changes_of_roots()

    def _follow_changes_of_roots(self) -> None:
        """Another imgcat may have added, swallowed or forgotten roots, or changed patterns."""
        if self._worker.trouble or not self._tools.others_wrote():
            return
        with self._worker.mending(()):
            self._following.follow(self._wanted(self._tools.database()))
            return
        self._tools.look_again()

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
            self._worker.look_at(looks)
            while self._worker.has_work and not self._worker.trouble and self._clock() < until:
                self._worker.go_on()
            why = self._why_stale()
        for sync in waiting:
            sync.answer(why)

    def _why_stale(self) -> str:
        """Why the catalog may not have all that was heard of until now; empty if it has."""
        if self._worker.trouble:
            return self._worker.trouble
        if any(followed.is_there and not followed.agrees for followed in self._following):
            return "it is still looking at everything"
        if self._worker.has_work:
            return "it is reading photos"
        return "it waits for another imgcat" if self._worker.waits_for_others else ""

    def _state(self) -> str:
        roots = list(self._following)
        if not roots or any(root.is_there and root.agreed_at is None for root in roots):
            return "starting"
        return "degraded" if self._problem() else "watching"

    def _problem(self) -> str:
        """What a person should see to; empty where all is well."""
        if self._worker.trouble or self._options.poll:
            return self._worker.trouble
        return self._senses.problem
