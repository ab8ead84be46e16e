"""Read every byte again, and say what is not as the catalog has it. Repairs nothing.

Stamps miss what happens below them: a failing disk, a write through a memory map, a change
within the grain of a coarse clock. Only reading finds those. The catalog's own disk can fail as
well: SQLite checks its pages, and each pHash must follow from the signature stored beside it.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator, Sequence

from catalog.imaging.hashes import follows
from catalog.imaging.reading import warm_up
from catalog.indexing.reading import read_numbered
from catalog.model import Drift, Failure, Reading, Reason, Recipe, SameBytes, Verification
from catalog.progress import SILENT, Phase, Progress
from catalog.queries.scope import scope_of
from catalog.store import hashes, photos, settings
from catalog.store.contents import evidence
from catalog.store.database import Database
from catalog.store.folders import Places
from catalog.store.photos import PhotoRow
from catalog.workers.pool import Lost, Task, run_all

_SILENT_CHANGE = "its bytes changed, and its size and times did not"
_WRONG_HASH = (
    "the catalog's own hash of it is damaged: 'imgcat forget' this file, and index it again"
)


def verify(
    database: Database,
    paths: Sequence[bytes] = (),
    *,
    sample: float = 1.0,
    jobs: int,
    progress: Progress = SILENT,
) -> Verification:
    """Check the catalog file, and the photos below ``paths`` (none: everywhere) byte by byte.

    ``sample`` is the part of the photos to read, 0 to 1, chosen anew each time. Ctrl-C ends
    it early with what was found so far.
    """
    begun = time.monotonic()
    progress.start(Phase.CHECKING)
    fault = database.fault()
    copy_differed = fault is None and hashes.copy_differs(database)
    scope = scope_of(database, paths)
    chosen = _sampled(photos.ids_with_content(database, scope.holds), sample)
    progress.start(Phase.VERIFYING, len(chosen))
    checked = changed = 0
    drifted: list[Drift] = []
    interrupted = False
    try:
        for row, path, reading in _readings(database, chosen, jobs):
            progress.advance()
            if reading.stamp is None or not reading.stamp.agrees_with(row.stamp):
                changed += 1  # openly; also: gone
                continue
            checked += 1
            if not isinstance(reading.outcome, SameBytes):
                drifted.append(Drift(path, _why(reading)))
            elif row.content is not None and not follows(*evidence(database, row.content)):
                drifted.append(Drift(path, _WRONG_HASH))
    except KeyboardInterrupt:
        interrupted = True
    drifted.sort(key=lambda drift: drift.path)
    seconds = time.monotonic() - begun
    return Verification(
        checked, changed, tuple(drifted), fault, seconds, interrupted, copy_differed
    )


def _why(reading: Reading) -> str:
    outcome = reading.outcome
    lost = (Reason.CRASHED, Reason.TIMED_OUT, Reason.TOO_LARGE)
    if isinstance(outcome, Failure) and (outcome.reason.passing or outcome.reason in lost):
        detail = f": {outcome.detail}" if outcome.detail else ""
        return f"it could not be read again, it {outcome.reason}{detail}"
    return _SILENT_CHANGE


def _sampled(ids: list[int], sample: float) -> list[int]:
    count = min(len(ids), max(1, round(len(ids) * sample)))
    return ids if count == len(ids) else sorted(random.sample(ids, count))


def _readings(
    database: Database, ids: list[int], jobs: int
) -> Iterator[tuple[PhotoRow, bytes, Reading]]:
    recipe = settings.recipe(database)
    places = Places(database)
    flying: dict[int, tuple[PhotoRow, bytes]] = {}

    def tasks() -> Iterator[Task[tuple[int, bytes, Recipe, bytes | None]]]:
        for row in photos.rows(database, ids):
            path = places.path(row.folder) + b"/" + row.name
            flying[row.id] = (row, path)
            yield Task((row.id, path, recipe, row.digest), row.stamp.size)

    results = run_all(read_numbered, tasks(), jobs=max(1, min(jobs, len(ids))), warm_up=warm_up)
    with contextlib.closing(results):
        for (photo, *_), result in results:
            row, path = flying.pop(photo)
            if isinstance(result, Lost):
                result = Reading(row.stamp, 0, Failure(result.reason, result.detail))
            yield row, path, result
