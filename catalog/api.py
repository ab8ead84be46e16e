"""imgcat for Python programs: one class, whose methods are the commands.

What a method needs is imported when it is called, so that importing this module is cheap.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from catalog.arguments import (
    AnyPath,
    Listener,
    as_bytes,
    as_progress,
    keep_rules,
    patterns,
    processes_of,
    several,
    this_thread,
)
from catalog.errors import CatalogAbsent, UsageError
from catalog.model import (
    Action,
    ActionPlan,
    Deed,
    Duplicates,
    Explanation,
    Kind,
    Likeness,
    Order,
    Photo,
    Problem,
    Receipt,
    Recipe,
    Status,
    Summary,
    Verification,
)
from catalog.queries.criteria import SIMILAR_LIMIT, SIMILAR_RADIUS, criteria_of
from catalog.queries.selection import selection_of
from catalog.store.place import Version, catalog_file, version_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from catalog.store.database import Database


class Catalog:
    """A catalog of pictures: index them, then ask.

    Use it in ``with``, or ``close`` it. A Catalog is for the thread that made it; others make
    their own, on the same file. Paths may be str, bytes or PathLike; those in answers are bytes,
    as the operating system has them (``os.fsdecode`` makes str of them). Answers are about the
    last index; where 'imgcat watch' runs, ``duplicates`` and ``similar`` wait for it (ten seconds
    at most) and say with ``fresh`` whether they are about the disk of now.

    ``progress`` is called with the phase, how much of it is done, and the total (None where
    that is not known); or it is an object with the methods of ``catalog.Progress``. What it
    raises ends the method. KeyboardInterrupt, from it or from Ctrl-C, ends ``index`` and
    ``verify`` early: what was done until then is kept and returned, with ``interrupted`` set.

    Every method raises a ``catalog.CatalogError`` with a message for a person: UsageError for
    a request that makes no sense, CatalogAbsent before the first index, CatalogDamaged, Busy...
    """

    def __init__(self, path: AnyPath | None = None) -> None:
        """The catalog file at ``path``; None: the one that the command line would use.

        Nothing is opened yet, and there need not be a file: ``index`` makes it.
        """
        self._path = catalog_file(path)
        self._owner = this_thread()
        self._opened = contextlib.ExitStack()
        self._database: Database | None = None
        self._version: Version | None = None
        self._executor: Executor | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Catalog({os.fsdecode(self._path)!r})"

    def __iter__(self) -> Iterator[Photo]:
        return self.photos()

    def close(self) -> None:
        """Close the file. What answers still would read from it is not there any more."""
        if not self._closed:
            self._check_usable()
            self._closed = True
            self._opened.close()

    # -- bringing it up to date ----------------------------------------------------------------

    def index(
        self,
        *paths: AnyPath,
        include: str | Iterable[str] | None = None,
        exclude: str | Iterable[str] | None = None,
        hidden: bool | None = None,
        full_decode: bool | None = None,
        jobs: int | None = None,
        progress: Listener | None = None,
    ) -> Summary:
        """Bring the catalog in line with the disk below ``paths``; none: all folders it follows.

        ``include`` and ``exclude`` are shell patterns. They, ``hidden`` (also names that begin
        with a dot) and ``full_decode`` (hash full-size pixels) are remembered, and None leaves
        what was said before. ``jobs`` processes read photos; None: one a core. A damaged catalog
        is set aside and built anew, and the summary's ``notes`` say so.
        """
        self._recover()
        from catalog.indexing.roots import FilterChange
        from catalog.indexing.run import Options, index_at

        options = Options(
            FilterChange(patterns(include), patterns(exclude), hidden),
            None if full_decode is None else Recipe.FULL if full_decode else Recipe.REDUCED,
            processes_of(jobs),
        )
        return index_at(self._path, as_bytes(paths), options, as_progress(progress))

    # -- asking --------------------------------------------------------------------------------

    def duplicates(
        self,
        *paths: AnyPath,
        hash: str | None = None,  # noqa: A002  (as the command line calls it)
        radius: int | None = None,
        similarity: float | None = None,
        exact: bool = False,
        no_verify: bool = False,
        grade: str | None = None,
        against: AnyPath | Iterable[AnyPath] | None = None,
        across: bool = False,
        min_size: str | int | None = None,
        since: str | datetime | None = None,
        keep: str | None = None,
        protect: AnyPath | Iterable[AnyPath] | None = None,
        kept_both: bool = False,
        pairs: bool = False,
        progress: Listener | None = None,
    ) -> Duplicates:
        """The groups of the same picture below ``paths``; none: everywhere.

        Matches are verified ones: ``grade`` is the weakest that counts, "same" (one picture, and
        what None stands for) or "similar" (also what looks alike). What is found out for an answer
        is remembered in the catalog. ``exact`` wants equal bytes.

        With ``hash`` ("phash", "dhash", "ahash", "whash"), ``radius``, ``similarity`` or
        ``no_verify``, nothing is verified: two pictures match when ``radius`` of the 64 bits of
        their ``hash`` differ or fewer; ``similarity`` says that in percent; ``no_verify`` compares
        pictures without contrast too.

        ``against`` (a path, or several) is what one has already: only photos of ``paths`` that
        match one below it, which is the one kept. ``across`` compares only photos of different
        folders among those that are followed. ``min_size`` leaves out smaller files: bytes, or
        "500kB", "2MB"; ``since`` leaves out groups and pairs without a photo that came or changed
        since then: "2024-05-01", an age such as "7d", or a datetime. None of these four goes with
        what verifies nothing.

        ``keep`` says which photo of a group is kept: rules such as "folder:~/Photos,bytes,oldest",
        the first counting most (``catalog.keeping`` has them all); before them come photos below
        the folders ``protect``, and before these what is kept by ``against``.

        With ``kept_both``, also what ``keep_both`` said are no duplicates of each other.

        With ``pairs``, every pair that matches is there besides, to be iterated over once. Groups
        and pairs are read as they are asked for, while this Catalog is open.
        """
        criteria = criteria_of(
            hash, radius, similarity, exact=exact, no_verify=no_verify, grade=grade
        )
        moment = since.isoformat() if isinstance(since, datetime) else since
        chosen = selection_of(across=across, min_size=min_size, since=moment, kept_both=kept_both)
        known, rules = as_bytes(several(against)), keep_rules(keep, protect)
        wanted, live, database = as_bytes(paths), self._live(), self._reading()
        from catalog.queries.duplicates import duplicates, selected
        from catalog.workers.cores import cores

        return duplicates(
            database,
            wanted,
            criteria,
            selected(database, chosen, known),
            keep=rules,
            pairs=pairs,
            progress=as_progress(progress),
            executor=self._threads(),
            jobs=cores(),
            live=live,
        )

    def similar(
        self,
        image: AnyPath,
        *paths: AnyPath,
        hash: str | None = None,  # noqa: A002  (as the command line calls it)
        radius: int | None = None,
        similarity: float | None = None,
        no_verify: bool = False,
        grade: str | None = None,
        limit: int | None = SIMILAR_LIMIT,
        kept_both: bool = False,
        progress: Listener | None = None,
    ) -> Likeness:
        """What looks like ``image`` below ``paths`` (none: everywhere), best first.

        The picture need not be in the catalog. ``grade`` None stands for "similar" here. ``limit``
        None gives all matches; the others are as in ``duplicates``.
        """
        criteria = criteria_of(
            hash,
            radius,
            similarity,
            no_verify=no_verify,
            grade=grade,
            default_radius=SIMILAR_RADIUS,
            default_grade=Kind.SIMILAR,
        )
        if limit is not None and limit < 1:
            raise UsageError(f"a limit is a number from 1 on, or None, not {limit}")
        (asked, *wanted), live = as_bytes((image, *paths)), self._live()
        database = self._reading()
        from catalog.queries.similar import similar
        from catalog.workers.cores import cores

        return similar(
            database,
            asked,
            wanted,
            criteria=criteria,
            limit=limit,
            progress=as_progress(progress),
            jobs=cores(),
            live=live,
            kept_both=kept_both,
        )

    def explain(
        self,
        first: AnyPath,
        second: AnyPath,
        *,
        hash: str | None = None,  # noqa: A002  (as the command line calls it)
        radius: int | None = None,
        similarity: float | None = None,
        exact: bool = False,
        no_verify: bool = False,
        grade: str | None = None,
    ) -> Explanation:
        """Why two pictures match or not, as ``duplicates`` with the same options compares them.

        They need not be in the catalog, and there need not be one.
        """
        criteria = criteria_of(
            hash, radius, similarity, exact=exact, no_verify=no_verify, grade=grade
        )
        one, other = as_bytes((first, second))
        from catalog.queries.explain import explain

        try:
            database = self._reading()
        except CatalogAbsent:
            return explain(None, one, other, criteria)
        return explain(database, one, other, criteria)

    def photos(self, *paths: AnyPath) -> Iterator[Photo]:
        """The photos below ``paths`` (none: everywhere) that are there: by folder, then by name.

        They are read from the catalog a page at a time, while this Catalog is open.
        """
        wanted, database = as_bytes(paths), self._reading()
        from catalog.queries.listing import photos

        return photos(database, wanted)

    def problems(self, *paths: AnyPath) -> list[Problem]:
        """The files below ``paths`` (none: everywhere) that could not be read, by path."""
        wanted, database = as_bytes(paths), self._reading()
        from catalog.queries.standing import problems

        return problems(database, wanted)

    def status(self) -> Status:
        """What the catalog holds, and the folders it follows."""
        database = self._reading()
        from catalog.queries.standing import status
        from catalog.watching.client import daemon_state

        return replace(status(database), daemon=daemon_state(self._path))

    def verify(
        self,
        *paths: AnyPath,
        sample: float = 1.0,
        jobs: int | None = None,
        progress: Listener | None = None,
    ) -> Verification:
        """Read the photos below ``paths`` (none: everywhere) again; say whose bytes changed unseen.

        Also checks the catalog file itself. ``sample`` is the part of the photos to read, above
        0 and up to 1, chosen by chance. Nothing is repaired.
        """
        if not 0 < sample <= 1:
            raise UsageError(f"a sample is a part above 0 and up to 1, not {sample}")
        processes = processes_of(jobs)
        wanted, database = as_bytes(paths), self._reading()
        from catalog.queries.verify import verify
        from catalog.workers.cores import cores

        return verify(
            database,
            wanted,
            sample=sample,
            jobs=processes or cores(),
            progress=as_progress(progress),
        )

    # -- acting --------------------------------------------------------------------------------

    def plan(
        self,
        deed: str,
        *paths: AnyPath,
        same: bool = False,
        folder: AnyPath | None = None,
        against: AnyPath | Iterable[AnyPath] | None = None,
        across: bool = False,
        min_size: str | int | None = None,
        since: str | datetime | None = None,
        keep: str | None = None,
        protect: AnyPath | Iterable[AnyPath] | None = None,
        with_sidecars: bool = False,
        progress: Listener | None = None,
    ) -> ActionPlan:
        """What "trash", "hardlink", "reflink", "move" or "delete" would do with the copies.

        Nothing is changed. Copies are identical ones; with ``same``, which goes with "trash" alone,
        also those that are the same picture in other bytes. "move" needs a ``folder``.
        ``protect`` names folders in which nothing is touched. ``with_sidecars`` takes along what
        belongs to a copy also where the kept photo has no equal of it. The others are as in
        ``duplicates``.
        """
        chosen = _deed(deed, folder, same=same, with_sidecars=with_sidecars)
        answer = self.duplicates(
            *paths,
            exact=not same,
            grade="same" if same else None,
            against=against,
            across=across,
            min_size=min_size,
            since=since,
            keep=keep,
            protect=protect,
            progress=progress,
        )
        from catalog.actions.plan import plan

        into = None if folder is None else os.path.realpath(as_bytes([folder])[0])
        protected = keep_rules(keep, protect).protected
        order = Order(chosen, into, protected, with_sidecars)
        listener = as_progress(progress)
        return plan(answer.groups, order, offline=answer.offline, progress=listener)

    def perform(self, plan: ActionPlan, *, progress: Listener | None = None) -> Receipt:
        """Do what ``plan`` says; nobody is asked. The receipt says what was done, and what not.

        Each copy is compared with the kept photo, byte by byte, before it is touched; what changed
        since the plan was made is left alone. KeyboardInterrupt ends it after the file at hand.
        Raises UsageError for a plan that loses photos that are not identical, and Busy.
        """
        self._check_usable()
        from catalog.actions.perform import perform
        from catalog.store.decisions import open_decisions
        from catalog.workers.cores import cores

        with open_decisions(self._path) as decisions:
            done = perform(plan, decisions, jobs=cores(), progress=as_progress(progress))
        self._look_again(done)
        return done

    def undo(self, action: int | None = None, *, progress: Listener | None = None) -> Receipt:
        """Put back what an action took away (None: the last that can be undone).

        Nothing is written over: the receipt says what could not be put back, and why. Raises
        UsageError where there is nothing to undo, and Busy.
        """
        self._check_usable()
        from catalog.actions.undo import to_undo, undo
        from catalog.store.decisions import decisions_there

        decisions = decisions_there(self._path)
        if decisions is None:
            raise UsageError("nothing was done yet, so there is nothing to undo")
        with decisions:
            done = undo(decisions, to_undo(decisions, action), as_progress(progress))
        self._look_again(done)
        return done

    def history(self) -> list[Action]:
        """What was done with duplicates, the last first."""
        self._check_usable()
        from catalog.store.decisions import decisions_there

        decisions = decisions_there(self._path)
        if decisions is None:
            return []
        with decisions:
            return decisions.history()

    def keep_both(self, *images: AnyPath) -> int:
        """Remember that these pictures are no duplicates of each other; returns the id for undo.

        By content: no name counts. Of files with equal bytes, as many are wanted as are named.
        """
        wanted, database = as_bytes(images), self._reading()
        from catalog.queries.keep_both import keep_both

        return keep_both(database, wanted)[0]

    def _look_again(self, done: Receipt) -> None:
        """Have the catalog know of it. Where it cannot, the next index does."""
        if done.touched:
            from catalog.indexing.afterwards import look_again
            from catalog.workers.cores import cores

            look_again(self._path, done.touched, cores(), went=done.went)

    # -- what is open --------------------------------------------------------------------------

    def _check_usable(self) -> None:
        if self._closed:
            raise UsageError(f"{self!r} is closed: make another one")
        if self._owner != this_thread():
            raise UsageError(f"{self!r} belongs to another thread: make one in each thread")

    def _reading(self) -> Database:
        """The catalog, open for reading, as it is now.

        One that another took the place of stays open, for the answers that still read from it.
        """
        self._recover()
        from catalog.store.database import open_for_reading

        version = version_of(self._path)
        if self._database is None or version != self._version:
            self._database = self._opened.enter_context(open_for_reading(self._path))
            self._version = version
        return self._database

    def _recover(self) -> None:
        """What an action that was cut off left behind is put in order first."""
        self._check_usable()
        from catalog.store.decisions import anything_unfinished

        if anything_unfinished(self._path):
            from catalog.actions.returning import put_in_order
            from catalog.workers.cores import cores

            put_in_order(self._path, cores())

    def _live(self) -> frozenset[int]:
        """The roots that a daemon follows and has brought in line with the disk by now."""
        self._check_usable()
        from catalog.watching.client import synchronise

        return synchronise(self._path).roots

    def _threads(self) -> Executor:
        """Threads to search on."""
        if self._executor is None:
            from concurrent.futures import ThreadPoolExecutor

            from catalog.workers.cores import cores

            self._executor = self._opened.enter_context(ThreadPoolExecutor(cores()))
        return self._executor


def _deed(deed: str, folder: AnyPath | None, *, same: bool, with_sidecars: bool) -> Deed:
    """Raises UsageError for what does not go together."""
    if deed not in list(Deed) or deed == Deed.KEEP_BOTH:
        names = ", ".join(each.value for each in Deed if each is not Deed.KEEP_BOTH)
        raise UsageError(f"there is no action {deed!r}: choose of {names}")
    chosen = Deed(deed)
    if (chosen is Deed.MOVE) != (folder is not None):
        raise UsageError("a folder goes with the action 'move', which needs one")
    if same and not chosen.takes_other_bytes:
        raise UsageError("'same' goes with the action 'trash' alone")
    if with_sidecars and not chosen.takes_along:
        raise UsageError("'with_sidecars' goes with the actions 'trash' and 'move'")
    return chosen
