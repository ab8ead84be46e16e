"""One index run, from the paths a person named to the summary they read."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from catalog.errors import CatalogDamaged, UsageError
from catalog.escaping import printable
from catalog.imaging.identity import decoder_identity
from catalog.indexing import roots, upkeep
from catalog.indexing.perform import Tally
from catalog.indexing.plan import Plan
from catalog.indexing.reading import in_processes
from catalog.indexing.reconcile import Look
from catalog.indexing.roots import FilterChange, Target
from catalog.model import Recipe, Summary
from catalog.progress import SILENT, Progress
from catalog.store import folders, photos, settings
from catalog.store.database import Database, open_for_writing, rebuild, which_file
from catalog.store.opening import Salvage
from catalog.workers.cores import cores

_MARKED_AT_ONCE: Final = 20_000  # rows looked at in one transaction; few of them are changed
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
    *,
    also: Sequence[bytes] = (),
) -> Summary:
    """Bring the catalog in line with the disk below ``paths`` (none: every known root).

    ``also`` names roots to bring up to date besides, with the filters they have.

    KeyboardInterrupt ends the run early: what was read is kept, and the summary says so.
    Raises UsageError for a path that is no folder, Busy where another run holds a root.
    """
    options = options or Options()
    begun = time.monotonic()
    recipe = _agree_on_recipe(database, options.recipe, progress)
    retry_old_problems(database, progress)
    targets = roots.choose(database, paths, options.filters, progress)
    targets += [
        target
        for target in (roots.choose(database, also, FilterChange(), progress) if also else ())
        if target.root.id not in {chosen.root.id for chosen in targets}
    ]
    run = _Run(database, recipe, options.jobs or cores(), progress)
    for target in targets:
        run.bring_up_to_date(target)
        if run.tally.interrupted:
            break
    return run.summary(targets, time.monotonic() - begun)


def _agree_on_recipe(database: Database, wanted: Recipe | None, progress: Progress) -> Recipe:
    """The catalog's recipe; a new wish holds from now on, and makes all photos due."""
    stored = settings.recipe(database)
    if wanted is None:
        return stored
    if wanted is not stored:
        with database.writing(progress) as writer:
            settings.set_recipe(writer, wanted)
        database.notes.append("the hashes of all photos are made anew, by the other recipe")
    # Also where it was agreed on before: a run cut off there may have left some unmarked.
    for first in range(0, photos.last_id(database) + 1, _MARKED_AT_ONCE):
        with database.writing(progress) as writer:
            photos.read_again_if_made_by_another(
                writer, wanted, range(first, first + _MARKED_AT_ONCE)
            )
    return wanted


def retry_old_problems(database: Database, progress: Progress) -> None:
    """Files that an earlier or poorer decoder failed on are due for another look."""
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
        try:
            plan = upkeep.plan_for(
                self._database,
                target.root,
                [Look(target.top)],
                self._recipe,
                self._progress,
                adopt=(target.top,) if target.named else (),
            )
        except KeyboardInterrupt:
            self.tally.interrupted = True
            return
        self._warn_of_many_missing(target, plan)
        reader = in_processes(self._jobs)
        tally = upkeep.perform(self._database, plan, self._recipe, reader, self._progress)
        self._add(plan, tally)
        whole = target.top == target.root.path and not plan.offline
        if whole and not (tally.unreadable or tally.interrupted):
            upkeep.complete(self._database, target.root, begun_ns, self._progress)

    def _warn_of_many_missing(self, target: Target, plan: Plan) -> None:
        gone = [node.id for node in plan.gone if node.id is not None]
        missing = len(plan.missing) + len(photos.present_in(self._database, gone))
        known = missing + plan.unchanged + len(plan.carries)
        if missing > max(_MANY_MISSING, _MANY_MISSING_SHARE * known):
            self._notes.append(
                f"{missing:,} files of {printable(target.top)} are gone: their rows are kept for "
                "30 days, and come back with them"
            )

    def _add(self, plan: Plan, tally: Tally) -> None:
        self._scanned += plan.scanned
        self._offline += [node.path for node in plan.offline]
        self._notes += plan.notes
        self._summed.add(tally)

    def _problems(self, targets: list[Target]) -> int:
        found = [folders.find(self._database, target.top) for target in targets]
        tops = [folder for folder in found if folder is not None]
        return photos.count_problems(self._database, folders.below(self._database, tops))

    def summary(self, targets: list[Target], seconds: float) -> Summary:
        """The run as a person reads it."""
        return Summary(
            roots=tuple(target.top for target in targets),
            scanned=self._scanned,
            unchanged=self._summed.unchanged,
            added=self._summed.added,
            changed=self._summed.changed,
            moved=self._summed.moved,
            missing=self._summed.missing,
            failed=self._summed.failed,
            unread=self._summed.unread,
            left_out=self._summed.left_out,
            pending=self._summed.pending,
            seconds=seconds,
            problems=self._problems(targets),
            offline=tuple(self._offline),
            unreadable=tuple(self._summed.unreadable),
            notes=tuple(self._notes),
            interrupted=self._summed.interrupted,
            came_back=tuple(self._summed.came_back),
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
    if not paths and not os.path.exists(path):
        raise UsageError(roots.NAME_A_FOLDER)
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
    notes = [f"the catalog was damaged: it was set aside as {printable(aside)} and built anew"]
    if not known.roots:
        notes.append(
            "the folders it followed could not be read out of it: name the folders to index"
        )
    with open_for_writing(path, progress) as database:
        notes += _restore(database, known, progress)
        for note in notes:
            progress.note(note)
        again = [root.path for root in folders.all_roots(database)]
        if not paths and not again:
            raise UsageError("; ".join(notes))
        summary = index(database, paths or again, options, progress, also=again)
    return replace(summary, notes=(*notes, *summary.notes))


def _restore(database: Database, known: Salvage, progress: Progress) -> list[str]:
    """Follow what a damaged catalog followed; returns what cannot be, in words."""
    if known.recipe in list(Recipe):
        with database.writing(progress) as writer:
            settings.set_recipe(writer, Recipe(known.recipe))
    away = []
    for top, filters in known.roots:
        if os.path.isdir(top):
            roots.restore(database, top, _as_filters(filters), progress)
        else:
            away.append(f"{printable(top)} is not there now: name it to 'imgcat index' when it is")
    return away


def _as_filters(text: str) -> dict[str, object]:
    try:
        filters = json.loads(text)
    except ValueError:
        return {}
    return filters if isinstance(filters, dict) else {}
