"""Carrying looks out: plan, perform, and mend what fails."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from catalog.errors import Busy, CatalogDamaged, CatalogError, CatalogUnusable, Forgotten
from catalog.escaping import printable
from catalog.indexing import roots, run, upkeep
from catalog.indexing.plan import Plan, Read
from catalog.indexing.reading import Readings, in_pool
from catalog.indexing.reconcile import Look
from catalog.model import Change, Recipe
from catalog.progress import SILENT, Progress
from catalog.store import settings
from catalog.store.database import Database
from catalog.watching.followed import Followed
from catalog.watching.following import Following
from catalog.watching.hints import Hints
from catalog.watching.reporter import Changes, Reporter
from catalog.watching.senses import Senses
from catalog.watching.tools import Tools
from catalog.watching.work import FEW, Job, apart, next_portion

_RACY: Final = 3.0  # seconds until what was read too soon is read again
_GROWING: Final = 1.0  # seconds until a file that is being written is looked at again
_PATIENCE: Final = 0.5  # seconds for a root that somebody else changes
_PUT_OFF: Final = 1.0  # seconds until what others do, or we do already, is looked at
_LONGEST_BACK_OFF: Final = 60.0  # seconds between tries while the disk is full


class Worker:
    """Does what hints come to. Of what fails, nothing is lost: it is looked at again."""

    def __init__(
        self,
        hints: Hints,
        senses: Senses,
        following: Following,
        tools: Tools,
        reporter: Reporter,
        arrived: Callable[[bytes, int], None],
        progress: Progress,
    ) -> None:
        """``arrived`` is told the path and content of photos that are new to a catalog that had
        seen all before; ``progress`` shows the first look at a root."""
        self._hints = hints
        self._senses = senses
        self._following = following
        self._tools = tools
        self._reporter = reporter
        self._arrived = arrived
        self._progress = progress
        self._changes = Changes(reporter, self._on_arrival)
        self._looking: Followed | None = None
        self._jobs: list[Job] = []
        self._performing: Sequence[Job] = ()  # those a portion of which is being read ...
        self._reading = 0  # ... and how many files that is
        self._owed: set[bytes] = set()  # looks that were put off, and are still to come
        self._tries = 0
        self.trouble = ""  # why the catalog cannot be written now
        self.resume_at = 0.0  # when that is tried again

    @property
    def folders_to_read(self) -> int:
        """How many folders hold files that are still to be read."""
        return sum(len(job.folders) for job in list(self._jobs))

    @property
    def files_to_read(self) -> int:
        """How many files are still to be read."""
        return sum(len(job.reads) for job in list(self._jobs)) + self._reading

    @property
    def has_work(self) -> bool:
        """Whether ``go_on`` has something to do."""
        return bool(self._jobs)

    @property
    def waits_for_others(self) -> bool:
        """Whether looks were put off, as somebody else had the root."""
        return bool(self._owed)

    def look_at(self, looks: Sequence[Look]) -> None:
        self._owed -= {look.path for look in looks if self._following.at(look.path) is None}
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
        begun, begun_ns = self._tools.clock(), time.time_ns()
        watched: set[bytes] = set()

        def watch(path: bytes) -> None:
            self._tools.turning()
            self._senses.watch(path)
            watched.add(path)

        again = list(looks)
        with self.mending(again):
            with self._in_turn(followed) as database:
                # From here on, folders that the catalog does not know yet come to be watched, and
                # only a look at everything would go into them again.
                again[:] = [Look(followed.path)]
                plan = upkeep.plan_for(
                    database,
                    followed.root,
                    looks,
                    settings.recipe(database),
                    self._progress_of(followed),
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
            self._pay(followed, looks)
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

    def go_on(self) -> None:
        """The next portion of what is to be read."""
        followed = self._following.at(self._jobs[0].root.path)
        if followed is None or followed.root.id != self._jobs[0].root.id:
            del self._jobs[0]  # its root was forgotten, or became part of another
            return
        with self.mending([Look(followed.path)]):
            with self._in_turn(followed) as database:
                jobs, reads = next_portion(self._jobs)
                self._perform(followed, jobs, Plan(reads=reads), database)
            self._put_back(followed, jobs)

    def _progress_of(self, followed: Followed) -> Progress:
        """A first look ends with a line. Later ones may tell nothing, and a bar would stay."""
        return self._progress if followed.agreed_at is None else SILENT

    @contextlib.contextmanager
    def _in_turn(self, followed: Followed) -> Iterator[Database]:
        """The catalog, while nobody else changes this root. Raises Busy where somebody does."""
        database = self._tools.database()
        with roots.in_turn(database, followed.root, SILENT, patience=_PATIENCE):
            yield database

    def _put_back(self, followed: Followed, jobs: Sequence[Job]) -> None:
        """A part of these jobs is done."""
        if self.trouble:
            self._reporter.say("the catalog can be written again")
        self.trouble, self._tries = "", 0
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
                self._read,
                self._progress_of(followed) if jobs[0].complete else SILENT,
                tell=self._changes.hear,
            )
        finally:
            self._reading = 0
        if tally.interrupted:
            raise KeyboardInterrupt
        jobs[0].tally.add(tally)
        for folder in tally.unsettled:
            self._hints.later(folder, _RACY)
        if followed.agreed_at is None:
            self._changes.forget()
        else:
            self._changes.tell(followed.path)
        self._changes.pass_arrivals_on()

    def _read(self, reads: Sequence[Read], recipe: Recipe) -> Readings:
        """In the processes that stay, and counted."""
        with contextlib.closing(in_pool(self._tools.pool)(reads, recipe)) as readings:
            for read, reading in readings:
                self._reading = max(0, self._reading - 1)
                yield read, reading

    def _finish(self, followed: Followed, job: Job) -> None:
        if not job.complete:
            return
        if job.sound:
            with self._in_turn(followed) as database:
                upkeep.complete(database, job.root, job.begun_ns, SILENT)
        first = followed.agreed_at is None
        followed.looked_at(job.begun, job.begun_ns, self._tools.clock())
        done = job.tally
        changes = done.added + done.changed + done.moved + done.missing + done.failed
        if first or changes:
            self._reporter.looked(followed.path, done, self._tools.clock() - job.begun)
        if self._senses.refused:
            self._reporter.say(self._senses.problem)
        self._say_what_is_silent(followed)

    def _say_what_is_silent(self, followed: Followed) -> None:
        silent = self._following.silent(followed)
        if silent and not followed.told_silent:
            followed.told_silent = True
            names = ", ".join(map(printable, silent))
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
    def mending(self, looks: Sequence[Look]) -> Iterator[None]:
        """What fails inside is tried again; what cannot be mended is raised."""
        try:
            yield
        except Busy:
            # An index run does it just now. What was taken to be read is found again after it.
            self._jobs = [job for job in self._jobs if job not in self._performing]
            for look in looks:
                self._put_off(look, 2 * _PUT_OFF)
        except Forgotten as error:
            # It is not followed for much longer; should it be there again, these come again.
            self._jobs = [job for job in self._jobs if job.root.id != error.root]
            self._tools.look_again()
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
        summary = run.index_at(self._tools.path, there, progress=self._progress)
        if summary.interrupted:
            raise KeyboardInterrupt
        for note in summary.notes:
            self._reporter.say(note)
        self.lose_track()

    def _is_in_trouble(self, error: CatalogError) -> None:
        """The disk is full or cannot be written: everything waits, and is looked at afterwards."""
        if not self.trouble:
            self._reporter.say(f"{error}; trying again until it works")
        self.trouble = str(error)
        self._tries += 1
        self.resume_at = self._tools.clock() + min(
            _LONGEST_BACK_OFF, 2.0 ** min(self._tries - 1, 6)
        )
        self._tools.close_catalog()
        self.lose_track()

    def lose_track(self) -> None:
        """Something may have been missed: look at everything."""
        self._jobs.clear()
        self._following.lose_track()

    def _pay(self, followed: Followed, looks: Iterable[Look]) -> None:
        """What was owed and lies where these looked is not owed any more."""
        wholes = {look.path for look in looks if look.whole}
        paid = {look.path for look in looks}
        self._owed -= {
            path
            for path in self._owed
            if self._following.at(path) is followed and (path in paid or _is_in(path, wholes))
        }

    def _put_off(self, look: Look, seconds: float) -> None:
        self._owed.add(look.path)
        self._hints.later(look.path, seconds, whole=look.whole)


def _is_in(path: bytes, tops: set[bytes]) -> bool:
    """Whether ``path`` is one of ``tops`` or below one."""
    while path not in tops:
        above = os.path.dirname(path)
        if above == path:
            return False
        path = above
    return True
