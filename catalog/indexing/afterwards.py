"""After imgcat itself changed files: the catalog hears of it at once."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence

from catalog.errors import CatalogError
from catalog.indexing import roots, upkeep
from catalog.indexing.perform import BATCH_ROWS
from catalog.indexing.reading import in_processes
from catalog.indexing.reconcile import Look
from catalog.progress import SILENT, Progress
from catalog.store import folders, photos, settings
from catalog.store.database import Database, open_existing_for_writing
from catalog.store.folders import RootRow

_PATIENCE = 5.0  # seconds; whoever brings a root up to date just now sees what changed, or the next


def look_again(
    catalog: bytes,
    changed: Collection[bytes],
    jobs: int,
    progress: Progress = SILENT,
    *,
    went: Collection[bytes] = (),
) -> str:
    """Look at these folders again, those of them that are followed.

    The files that ``went`` are known to be gone, also where they were all of a root: an empty one
    is else taken for a drive that is not there.
    Returns why that could not be, in a sentence; empty where it could.
    """
    try:
        with open_existing_for_writing(catalog, progress) as database:
            recipe = settings.recipe(database)
            known = folders.all_roots(database)
            for root in known:
                looks = [Look(top, whole=False) for top in _inside(known, root, changed)]
                if not looks:
                    continue
                with roots.in_turn(database, root, progress, patience=_PATIENCE):
                    _mark_gone(database, [look.path for look in looks], went)
                    plan = upkeep.plan_for(database, root, looks, recipe, progress)
                    upkeep.perform(database, plan, recipe, in_processes(jobs), progress)
    except CatalogError as error:
        return f"the catalog does not know of it yet, 'imgcat index' tells it: {error}"
    return ""


def _mark_gone(database: Database, tops: Sequence[bytes], went: Collection[bytes]) -> None:
    inside = set(tops)
    rows = []
    for path in went:
        folder, name = os.path.split(path)
        at = folders.find(database, folder) if folder in inside else None
        row = None if at is None else photos.get(database, at, name)
        if row is not None and not row.missing and not os.path.lexists(path):
            rows.append(row)
    for start in range(0, len(rows), BATCH_ROWS):
        with database.writing() as writer:
            photos.mark_missing(writer, rows[start : start + BATCH_ROWS], time.time_ns())


def _inside(known: Collection[RootRow], root: RootRow, changed: Collection[bytes]) -> list[bytes]:
    """Those of the folders that this root follows: of several around one, the innermost does."""
    found = []
    for folder in sorted(changed):
        around = [other for other in known if folders.relative_to(folder, other.path) is not None]
        innermost = max(around, key=lambda other: len(other.path), default=None)
        if innermost is not None and innermost.id == root.id and os.path.isdir(folder):
            found.append(folder)
    return found
