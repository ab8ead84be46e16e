"""Reading the files of a plan, and what may be believed of what comes back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from catalog.imaging.formats import PICTURE_SUFFIXES
from catalog.imaging.limits import FILE_BYTES
from catalog.indexing.plan import Read
from catalog.model import Failure, Reading, Reason, Recipe, Stamp, signed64

if TYPE_CHECKING:
    from catalog.workers.pool import Pool


Readings: TypeAlias = Generator[tuple[Read, Reading], None, None]  # as they are done
Reader: TypeAlias = Callable[[Sequence[Read], Recipe], Readings]


def in_processes(jobs: int) -> Reader:
    """Reads in that many processes, which end with the last file."""

    def read(reads: Sequence[Read], recipe: Recipe) -> Readings:
        # Here and not above: a rescan that finds nothing starts and imports none of this.
        from catalog.imaging.reading import warm_up
        from catalog.workers.pool import run_all

        most = min(jobs, len(reads))
        return _readings(reads, recipe, partial(run_all, jobs=most, warm_up=warm_up))

    return read


def in_pool(pool: Callable[[], Pool]) -> Reader:
    """Reads in processes that stay; ``pool`` is asked for them when there is a file to read."""

    def read(reads: Sequence[Read], recipe: Recipe) -> Readings:
        return _readings(reads, recipe, pool().run_all)

    return read


def standing_pool(jobs: int) -> Pool:
    """Processes that can read photos and stay between plans; none is started yet."""
    from catalog.imaging.reading import warm_up
    from catalog.workers.pool import Pool

    return Pool(jobs, warm_up)


def _readings(reads: Sequence[Read], recipe: Recipe, run_all: Callable[..., Any]) -> Readings:
    from catalog.workers.pool import Lost, Task

    tasks = (
        Task((number, item.folder.file(item.name), recipe, item.known_digest), item.size)
        for number, item in enumerate(reads)
    )
    begun = time.time_ns()
    for (number, *_), result in run_all(read_numbered, tasks):
        item = reads[number]
        if isinstance(result, Lost):
            # What was lost is what the file held at some moment since: later bytes are due.
            result = Reading(None, begun, Failure(result.reason, result.detail))
        yield item, result


def read_numbered(request: tuple[int, bytes, Recipe, bytes | None]) -> Reading:
    """What a worker does with one file; the number finds it again."""
    from catalog.imaging.reading import read

    _, path, recipe, known_digest = request
    return read(path, recipe, known_digest)


def believed_of(read: Read, reading: Reading) -> Reading | None:
    """The reading with a stamp, or that the file vanished; None where it proves nothing.

    A file that vanished with its folder, or with its whole drive, is not missing. Where
    nothing could be seen through a descriptor (no permission, or the decoder took its process
    down), the file's stamp of now is what the problem is remembered by.
    """
    if isinstance(reading.outcome, Failure) and reading.stamp is None:
        if reading.outcome.reason is not Reason.VANISHED:
            try:
                stamp = Stamp.of(os.lstat(read.folder.file(read.name)))
            except OSError:
                return None
            return Reading(stamp, reading.begun_ns, reading.outcome)
        try:
            status = os.lstat(read.folder.path)
        except OSError:
            return None
        here = (status.st_dev, 0 if read.folder.anonymous else signed64(status.st_ino))
        if here != (read.folder.device, read.folder.inode):
            return None
    return reading


def as_problem(read: Read, failure: Failure) -> Failure:
    """A name that does not promise a picture makes no problem of not being one."""
    _, dot, suffix = read.name.rpartition(b".")
    if dot and suffix.lower() in PICTURE_SUFFIXES:
        return failure
    no_picture = failure.reason in (Reason.UNSUPPORTED, Reason.NOT_REGULAR)
    if no_picture or not 0 < read.size <= FILE_BYTES:
        return Failure(Reason.NOT_A_PICTURE, failure.detail)
    return failure
