"""One index run, from the paths a person named to the summary they read."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from catalog.errors import CatalogDamaged, UsageError
from catalog.imaging.identity import decoder_identity
from catalog.indexing import roots
from catalog.indexing.perform import Performer, Tally
from catalog.indexing.plan import Plan
from catalog.indexing.reconcile import Scope, reconcile
from catalog.indexing.roots import FilterChange, Target, filters_of
from catalog.model import Recipe, Summary
from catalog.progress import SILENT, Progress
from catalog.store import contents, folders, photos, settings
from catalog.store.database import Database, open_for_writing, rebuild, which_file
from catalog.store.opening import shown
from catalog.workers.cores import cores

MISSING_KEPT_NS: Final = 30 * 24 * 3600 * 10**9  # then a complete scan forgets a missing file
_MANY_MISSING: Final = 200  # files, and ...
_MANY_MISSING_SHARE: Final = 0.2  # ... this part of a root: worth a word to the person


@dataclass(frozen=True, slots=True)
class Options:
    """How to index. None leaves what the catalog was told before."""

    filters: FilterChange = field(default_factory=FilterChange)
    recipe: Recipe | None = None
    jobs: int | None = None  # processes; None: one a core


def index(
    database: Database,
    paths: Sequence[bytes] = (),
    options: Options | None = None,
    progress: Progress = SILENT,
) -> Summary:
    """Bring the catalog in line with the disk below ``paths`` (none: every known root).

    KeyboardInterrupt ends the run early: what was read is kept, and the summary says so.
    Raises UsageError for a path that is no folder, Busy where another run holds a root.
    """
    options = options or Options()
    begun = time.monotonic()
    recipe = _agree_on_recipe(database, options.recipe, progress)
    _retry_old_problems(database, progress)
    targets = roots.choose(database, paths, options.filters, progress)
    run = _Run(database, recipe, options.jobs or cores(), progress)
    for target in targets:
        run.bring_up_to_date(target)
        if run.tally.interrupted:
            break
    return run.summary([target.top for target in targets], time.monotonic() - begun)


def _agree_on_recipe(database: Database, wanted: Recipe | None, progress: Progress) -> Recipe:
    """The catalog's recipe; a new wish holds from now on, and makes all photos due."""
    stored = settings.recipe(database)
    if wanted is None or wanted is stored:
        return stored
    with database.writing(progress) as writer:
        settings.set_recipe(writer, wanted)
        photos.read_again_if_made_by_another(writer, wanted)
    return wanted


def _retry_old_problems(database: Database, progress: Progress) -> None:
    if photos.any_problems(database):
        decoder = decoder_identity()
        if photos.problems_of_other_decoders(database, decoder):
            with database.writing(progress) as writer:
                photos.retry_problems_of_other_decoders(writer, decoder)


class _Run:
    """The sums over all targets of one run."""

    def __init__(self, database: Database, recipe: Recipe, jobs: int, progress: Progress) -> None:
        self._database = database
        self._recipe = recipe
        self._jobs = jobs
        self._progress = progress
        self._scanned = 0
        self._offline: list[bytes] = []
        self._notes: list[str] = list(database.notes)
        self._summed = Tally()
        self.tally = self._summed

    def bring_up_to_date(self, target: Target) -> None:
        """Reconcile one folder while nobody else does the same root."""
        with roots.in_turn(self._database, target.root, self._progress):
            self._under_lock(target)

    def _under_lock(self, target: Target) -> None:
        begun_ns = time.time_ns()
        scope = Scope(
            root=target.root.path,
            top=target.top,
            filters=filters_of(target.root),
            recipe=self._recipe,
            adopt=(target.top,) if target.named else (),
        )
        try:
            plan = reconcile(self._database, scope, self._progress)
        except KeyboardInterrupt:
            self.tally.interrupted = True
            return
        self._warn_of_many_missing(target, plan)
        decoder = decoder_identity() if plan.reads or plan.carries else ""
        performer = Performer(self._database, self._recipe, decoder, self._progress)
        tally = performer.perform(plan, self._jobs)
        self._add(plan, tally)
        whole = target.top == target.root.path and not plan.offline
        if whole and not (tally.unreadable or tally.interrupted):
            self._complete(target, begun_ns)

    def _complete(self, target: Target, begun_ns: int) -> None:
        """Every folder of a root was listed: what is missing for long is forgotten."""
        scope = folders.below(self._database, [target.root.folder])
        old = photos.missing_in(self._database, scope, begun_ns - MISSING_KEPT_NS)
        with self._database.writing(self._progress) as writer:
            contents.delete_unused(writer, photos.delete(writer, old))
            if old:
                folders.delete_empty(writer, scope)
            folders.complete_scan(writer, target.root.id, begun_ns)

    def _warn_of_many_missing(self, target: Target, plan: Plan) -> None:
        gone = [node.id for node in plan.gone if node.id is not None]
        missing = len(plan.missing) + len(photos.present_in(self._database, gone))
        known = missing + plan.unchanged + len(plan.carries)
        if missing > max(_MANY_MISSING, _MANY_MISSING_SHARE * known):
            self._notes.append(
                f"{missing:,} files of {shown(target.top)} are gone: their rows are kept for "
                "30 days, and come back with them"
            )

    def _add(self, plan: Plan, tally: Tally) -> None:
        self._scanned += plan.scanned
        self._offline += [node.path for node in plan.offline]
        self._notes += plan.notes
        total = self._summed
        total.unchanged += tally.unchanged
        total.added += tally.added
        total.changed += tally.changed
        total.moved += tally.moved
        total.missing += tally.missing
        total.failed += tally.failed
        total.unread += tally.unread
        total.interrupted |= tally.interrupted
        total.unreadable += tally.unreadable

    def summary(self, tops: list[bytes], seconds: float) -> Summary:
        """The run as a person reads it."""
        return Summary(
            roots=tuple(tops),
            scanned=self._scanned,
            unchanged=self._summed.unchanged,
            added=self._summed.added,
            changed=self._summed.changed,
            moved=self._summed.moved,
            missing=self._summed.missing,
            failed=self._summed.failed,
            unread=self._summed.unread,
            seconds=seconds,
            problems=photos.count_problems(self._database),
            offline=tuple(self._offline),
            unreadable=tuple(self._summed.unreadable),
            notes=tuple(self._notes),
            interrupted=self._summed.interrupted,
        )


def index_at(
    path: bytes,
    paths: Sequence[bytes] = (),
    options: Options | None = None,
    progress: Progress = SILENT,
) -> Summary:
    """``index`` with the catalog file at ``path``, made where there is none.

    A damaged catalog is set aside and built anew, from ``paths`` and from the folders that
    can still be read out of it. Raises as ``index`` does, and what opening a catalog raises.
    """
    before = which_file(path)
    try:
        with open_for_writing(path, progress) as database:
            return index(database, paths, options, progress)
    except CatalogDamaged:
        rebuilt = rebuild(path, before)
    if rebuilt is None:  # another run was quicker
        with open_for_writing(path, progress) as database:
            return index(database, paths, options, progress)
    aside, known = rebuilt
    notes = [f"the catalog was damaged: it was set aside as {shown(aside)} and built anew"]
    notes += [
        f"{shown(top)} is not there now: name it to 'imgcat index' when it is"
        for top in known
        if not os.path.isdir(top)
    ]
    for note in notes:
        progress.note(note)
    tops = [*paths, *(top for top in known if os.path.isdir(top))]
    with open_for_writing(path, progress) as database:
        if not tops:
            raise UsageError(
                f"{'; '.join(notes)}; now name the folders to index: imgcat index FOLDER"
            )
        summary = index(database, tops, options, progress)
    return replace(summary, notes=(*notes, *summary.notes))
