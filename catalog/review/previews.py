"""Small pictures for the page: drawn by processes that a hostile file may take down, and kept.

A person scrolls past hundreds of photos to get to one, so what was asked for last is drawn first,
and what nobody waits for any more is not drawn at all.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from catalog.model import Failure, Reason
from catalog.review.drawer import LIMIT, Drawer, cache_folder
from catalog.workers.cores import cores
from catalog.workers.pool import Pool, lost, run_batch

if TYPE_CHECKING:
    from catalog.imaging.judging import Facts

RECIPE: Final = 1  # rises whenever the same file gives other small pictures
_TIME_LIMIT: Final = 60.0  # seconds a file may take; nobody looks at a grey box for longer
_STALLED: Final = 15.0  # seconds beyond that after which the pool itself is given up
_ATTEMPTS: Final = 3  # at a pool that breaks
_MOST_JOBS: Final = 4  # processes; they may hold 1 GiB each
_REMEMBERED: Final = 300.0  # seconds that a file is not tried again that could not be drawn
_MOST_REMEMBERED: Final = 4_096  # failures, and facts

_ENDED: Final = Failure(Reason.UNREADABLE, "imgcat review has ended")
_DYING: Final = Failure(Reason.CRASHED, "the processes that read photos keep dying")

Key = tuple[bytes, str]  # digest, and what is wanted of it


class Level(StrEnum):
    """How large a picture is wanted."""

    THUMB = "thumb"
    VIEW = "view"
    FULL = "full"


_SHAPES: Final[dict[Level, tuple[int | None, int]]] = {  # longest side, quality
    Level.THUMB: (320, 80),
    Level.VIEW: (1600, 85),
    Level.FULL: (None, 92),
}


@dataclass(slots=True, eq=False)
class _Job:
    """One call of a process. Several may wait for its result, which is always a value."""

    key: Key
    path: bytes
    function: Callable[[Any], Any]
    item: tuple[Any, ...]
    result: asyncio.Future[Any]
    waiting: int = 0


@dataclass(slots=True)
class _Remembered:
    """The last so many values, each for a while."""

    seconds: float
    _values: OrderedDict[Any, tuple[float, Any]] = field(default_factory=OrderedDict)

    def get(self, key: Any) -> Any:
        since, value = self._values.get(key, (0.0, None))
        return value if time.monotonic() < since + self.seconds else None

    def put(self, key: Any, value: Any) -> None:
        self._values[key] = (time.monotonic(), value)
        self._values.move_to_end(key)
        while len(self._values) > _MOST_REMEMBERED:
            self._values.popitem(last=False)


class Previews:
    """Small pictures of files, and facts about them. To be used from one event loop only.

    ``folder`` is where pictures are kept, in the user's cache folder where not given, at
    most ``limit`` bytes; ``jobs`` processes draw them, which are started when first needed,
    or by ``start``.
    """

    def __init__(
        self,
        folder: bytes | None = None,
        *,
        limit: int = LIMIT,
        jobs: int | None = None,
        time_limit: float = _TIME_LIMIT,
    ) -> None:
        self._drawer = Drawer(cache_folder() if folder is None else folder, limit)
        self._room = jobs or min(cores(), _MOST_JOBS)
        self._pool = Pool(self._room, warm_up)
        self._broke: asyncio.Future[None] | None = None  # done when the pool of now is not any more
        self._time_limit = time_limit
        # The pool is spoken to from one thread, which lives as long as its processes: they die
        # with the thread that started them.
        self._hand = ThreadPoolExecutor(1, "previews")
        self._jobs: dict[Key, _Job] = {}  # waiting, under way, or being put into the drawer
        self._waiting: dict[Key, _Job] = {}  # the newest last
        self._running: set[asyncio.Task[None]] = set()
        self._keeping: set[asyncio.Task[None]] = set()
        self._failures = _Remembered(_REMEMBERED)
        self._facts = _Remembered(float("inf"))
        self._closed = False

    def start(self) -> None:
        """Have the processes started: that takes longer than to draw the first pictures."""
        self._hand.submit(self._pool.start)  # where it fails, the first picture tries again

    async def get(self, path: bytes, digest: bytes, level: str) -> bytes | Failure:
        """The picture at ``path`` as a JPEG, if its bytes are those of ``digest``.

        A picture that is kept is given although the file may be gone: it shows those bytes.
        """
        longest, quality = _SHAPES[Level(level)]
        name = b"%s-%s-%d" % (digest.hex().encode(), level.encode(), RECIPE)
        if (digest, level) not in self._jobs:
            kept = await asyncio.to_thread(self._drawer.take, name)
            if kept is not None:
                return kept
        item = (path, digest, longest, quality)
        found: bytes | Failure = await self._asked((digest, level), path, draw, item)
        return found

    async def facts(self, path: bytes, digest: bytes) -> Facts | Failure:
        """What the file says of how good it is, if its bytes are those of ``digest``."""
        known: Facts | None = self._facts.get(digest)
        if known is not None:
            return known
        found: Facts | Failure = await self._asked((digest, "facts"), path, judge, (path, digest))
        if not isinstance(found, Failure):
            self._facts.put(digest, found)
        return found

    async def close(self) -> None:
        """End the processes. Who still waits gets a Failure."""
        if self._closed:
            return
        self._closed = True
        for job in list(self._jobs.values()):
            if not job.result.done():
                job.result.set_result(_ENDED)
        self._waiting.clear()
        for task in self._running:
            task.cancel()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._hand, self._pool.end)
        await asyncio.gather(*self._running, *self._keeping, return_exceptions=True)
        self._hand.shutdown()

    async def _asked(
        self, key: Key, path: bytes, function: Callable[[Any], Any], item: tuple[Any, ...]
    ) -> Any:
        """What ``function`` makes of the file; shared with who asks the same of equal bytes."""
        failed = self._failures.get((path, *key))
        if failed is not None:
            return failed
        while not self._closed:
            job = self._jobs.get(key) or self._begun(key, path, function, item)
            found = await self._waited_for(job)
            if isinstance(found, Failure) and job.path != path:
                continue  # another file of the same bytes failed; this one may not
            return found
        return _ENDED

    def _begun(
        self, key: Key, path: bytes, function: Callable[[Any], Any], item: tuple[Any, ...]
    ) -> _Job:
        result = asyncio.get_running_loop().create_future()
        job = _Job(key, path, function, item, result)
        self._jobs[key] = self._waiting[key] = job
        return job

    async def _waited_for(self, job: _Job) -> Any:
        if job.key in self._waiting:
            self._waiting[job.key] = self._waiting.pop(job.key)  # the newest now
        job.waiting += 1
        self._fill()
        try:
            return await asyncio.shield(job.result)
        finally:
            job.waiting -= 1
            if not job.waiting and self._waiting.pop(job.key, None) is not None:
                del self._jobs[job.key]

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self._room:
            _, job = self._waiting.popitem()
            task = asyncio.get_running_loop().create_task(self._run(job))
            self._running.add(task)
            task.add_done_callback(self._ran)

    def _ran(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not self._closed:
            self._fill()

    async def _run(self, job: _Job) -> None:
        found = await self._called(job)
        if isinstance(found, Failure):
            if not found.reason.passing:
                self._failures.put((job.path, *job.key), found)
            del self._jobs[job.key]
        elif isinstance(found, bytes):
            self._keep(job, found)
        else:
            del self._jobs[job.key]
        if not job.result.done():
            job.result.set_result(found)

    def _keep(self, job: _Job, found: bytes) -> None:
        """Put it into the drawer. Who asks before it is there gets it from the job."""
        digest, level = job.key
        name = b"%s-%s-%d" % (digest.hex().encode(), level.encode(), RECIPE)

        async def keep() -> None:
            try:
                await asyncio.to_thread(self._drawer.put, name, found)
            finally:
                del self._jobs[job.key]

        task = asyncio.get_running_loop().create_task(keep())
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _called(self, job: _Job) -> Any:
        loop = asyncio.get_running_loop()
        arguments = (job.function, [job.item])
        for _ in range(_ATTEMPTS):
            broke = self._broke = self._broke or loop.create_future()
            try:
                future = await loop.run_in_executor(
                    self._hand, self._pool.schedule, run_batch, arguments, self._time_limit
                )
                called = asyncio.wrap_future(future)
                called.add_done_callback(_noticed)
                await asyncio.wait(
                    {called, broke},
                    timeout=self._time_limit + _STALLED,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if called.done():
                    return called.result()[0]
                await self._replace(broke)
            except (RuntimeError, BrokenProcessPool, asyncio.CancelledError):
                if _is_cancelled():
                    raise
                await self._replace(broke)
            except Exception as error:  # whatever it is, it costs this picture only
                why = lost(error, self._time_limit)
                return Failure(why.reason, why.detail)
        return _DYING

    async def _replace(self, broke: asyncio.Future[None]) -> None:
        """A new pool, unless another picture saw to it already."""
        if broke is self._broke and not self._closed:
            self._broke = None
            broke.set_result(None)  # what was under way there is begun again
            await asyncio.get_running_loop().run_in_executor(self._hand, self._pool.end)


def _noticed(called: asyncio.Future[Any]) -> None:
    """Nobody may be left to hear of an error, which asyncio would make a noise about."""
    if not called.cancelled():
        called.exception()


def _is_cancelled() -> bool:
    """Whether this task is, and not only what it waits for: a pool that ends cancels that."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def draw(item: tuple[bytes, bytes, int | None, int]) -> bytes | Failure:
    """What a process does for a picture."""
    from catalog.imaging import previews

    return previews.preview(*item)


def judge(item: tuple[bytes, bytes]) -> Facts | Failure:
    """What a process does for facts."""
    from catalog.imaging import judging

    return judging.facts(*item)


def warm_up() -> None:
    """Import what a process needs, once; scipy comes with the first facts."""
    from catalog.imaging import judging, jxl, previews  # noqa: F401

    jxl.available()
