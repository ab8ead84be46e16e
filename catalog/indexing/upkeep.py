"""What a root needs to be as the disk is: planned under its lock, then performed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from catalog.imaging.identity import decoder_identity
from catalog.indexing.perform import Performer, Tally
from catalog.indexing.plan import Plan
from catalog.indexing.reading import Reader
from catalog.indexing.reconcile import Look, Scope, reconcile
from catalog.indexing.roots import filters_of
from catalog.indexing.thrown import ThrownAway
from catalog.model import Change, Recipe
from catalog.progress import SILENT, Progress
from catalog.store import contents, folders, photos
from catalog.store.database import Database
from catalog.store.folders import RootRow

MISSING_KEPT_NS: Final = 30 * 24 * 3600 * 10**9  # then a complete scan forgets a missing file
_DROPPED_AT_ONCE: Final = 500  # rows


def plan_for(
    database: Database,
    root: RootRow,
    looks: Collection[Look],
    recipe: Recipe,
    progress: Progress = SILENT,
    *,
    adopt: Collection[bytes] = (),
    before_listing: Callable[[bytes], None] = lambda _path: None,
    is_seen: Callable[[bytes], bool] = lambda _path: False,
) -> Plan:
    """What brings the catalog in line with the disk where ``looks`` point at, all in one root.

    Whoever asks holds the root's lock (``roots.in_turn``), until the plan is performed.
    ``adopt``, ``before_listing`` and ``is_seen`` are those of a ``Scope``.
    """
    scope = Scope(root.path, looks, filters_of(root), recipe, adopt, before_listing, is_seen)
    return reconcile(database, scope, progress)


def perform(
    database: Database,
    plan: Plan,
    recipe: Recipe,
    reader: Reader,
    progress: Progress = SILENT,
    *,
    tell: Callable[[Change], None] | None = None,
) -> Tally:
    """Carry a plan out; ``reader`` reads its files, and ``tell`` hears of each change."""
    decoder = decoder_identity() if plan.reads or plan.carries else ""
    thrown_away = ThrownAway.of(database, tell) if plan.reads or plan.back else None
    if thrown_away is None:
        return Performer(database, recipe, decoder, reader, progress, tell=tell).perform(plan)
    with thrown_away:
        tell = thrown_away.hear
        tally = Performer(database, recipe, decoder, reader, progress, tell=tell).perform(plan)
        tally.came_back += thrown_away.noted()
    return tally


def complete(database: Database, root: RootRow, begun_ns: int, progress: Progress = SILENT) -> None:
    """Every folder of a root was listed by a scan that began then.

    Says so in the catalog, and forgets what is missing for long.
    """
    scope = folders.below(database, [root.folder])
    old = photos.missing_in(database, scope, begun_ns - MISSING_KEPT_NS)
    for start in range(0, len(old), _DROPPED_AT_ONCE):
        with database.writing(progress) as writer:
            some = photos.delete(writer, old[start : start + _DROPPED_AT_ONCE])
            contents.delete_unused(writer, some)
    for start in range(0, len(scope) if old else 0, _DROPPED_AT_ONCE):
        with database.writing(progress) as writer:
            folders.delete_empty(writer, scope[start : start + _DROPPED_AT_ONCE])
    with database.writing(progress) as writer:
        folders.complete_scan(writer, root.id, begun_ns)
