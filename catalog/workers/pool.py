"""A pool of processes in which a file that crashes, hangs or exhausts one costs that file only.

``pebble.ProcessPool`` does the isolation: it knows which task a dead process held, and kills
what overruns its time. Files travel in batches, because a message per file costs more than a
small file; when a batch is lost, its files are run again one by one, and what is lost alone
is reported as lost.
"""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import sys
import threading
import types
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.popen_spawn_posix import Popen
from multiprocessing.process import BaseProcess
from typing import Any, Final, Generic, TypeVar

from pebble import ProcessExpired, ProcessPool

from catalog.errors import CatalogError
from catalog.model import Reason
from catalog.workers.confinement import confine

_BATCH_FILES: Final = 16
_BATCH_BYTES: Final = 48 << 20
_IN_FLIGHT_PER_WORKER: Final = 3  # batches: one running, the rest so that none waits for us
TIME_LIMIT: Final = 30.0  # seconds a file may take ...
_SLOWEST_READ: Final = 2 << 20  # ... plus its bytes at this rate a second: a slow network share
_STALLED: Final = 120.0  # seconds beyond every limit after which the pool itself is given up
_RESTARTS: Final = 5  # in a row, without one result in between
# One thread of linear algebra a process: the pool is the parallelism, and each further thread
# would take its own buffers out of the address space.
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1"}

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Task(Generic[Item]):
    """One item to run the function on, with the bytes it will probably read."""

    item: Item
    size: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The process died, or had to be killed, on this item alone."""

    reason: Reason
    detail: str


def run_all(
    function: Callable[[Item], Result],
    tasks: Iterable[Task[Item]],
    *,
    jobs: int,
    warm_up: Callable[[], None] | None = None,
    time_limit: float = TIME_LIMIT,
) -> Generator[tuple[Item, Result | Lost], None, None]:
    """Run ``function`` over ``tasks`` in ``jobs`` processes; results come as they are done.

    ``function`` and ``warm_up`` are importable by name. ``tasks`` is read only as far ahead as
    keeps the processes busy. Leaving the iterator early ends the processes.
    """
    with running(function, tasks, jobs=jobs, warm_up=warm_up, time_limit=time_limit) as results:
        yield from results


@contextlib.contextmanager
def running(
    function: Callable[[Item], Result],
    tasks: Iterable[Task[Item]],
    *,
    jobs: int,
    warm_up: Callable[[], None] | None = None,
    time_limit: float = TIME_LIMIT,
) -> Iterator[Iterator[tuple[Item, Result | Lost]]]:
    """As ``run_all``, with the processes on their way before the first result is asked for.

    They are ended with the block.
    """
    pool = Pool(jobs, warm_up)
    try:
        run = _Run(function, pool, time_limit, tasks)
        run.fill()
        yield run.results()
    finally:
        pool.end()


class Pool:
    """Processes that stay between runs, for whoever has a few files to read now and then.

    They are started when they are first needed, or by ``start``, and again after ``end``.
    """

    def __init__(self, jobs: int, warm_up: Callable[[], None] | None = None) -> None:
        self.jobs = jobs
        self._warm_up = warm_up
        self._pool: ProcessPool | None = None
        self._context = _Context()
        self._undo = contextlib.ExitStack()

    @property
    def started(self) -> bool:
        """Whether there are processes, or some on their way."""
        return self._pool is not None

    def start(self) -> None:
        """Have the processes started, without waiting for them."""
        self.schedule(_nothing, (), TIME_LIMIT)

    def run_all(
        self,
        function: Callable[[Item], Result],
        tasks: Iterable[Task[Item]],
        *,
        time_limit: float = TIME_LIMIT,
    ) -> Generator[tuple[Item, Result | Lost], None, None]:
        """As the function of this name. Leaving the iterator early ends the processes."""
        run = _Run(function, self, time_limit, tasks)
        try:
            yield from run.results()
        except BaseException:
            self.end()
            raise

    def schedule(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], timeout: float
    ) -> Future[Any]:
        """Have one process call ``function``. Raises RuntimeError where the pool is broken."""
        if self._pool is None:
            self._pool = self._new()
        with _interrupts_stay_here():
            future: Future[Any] = self._pool.schedule(function, args=arguments, timeout=timeout)
        return future

    def end(self) -> None:
        """Stop every process, also one that is inside a decoder."""
        pool, self._pool = self._pool, None
        try:
            if pool is not None:
                stop: Callable[[], None] = pool.stop
                stop()
                # Before the pool takes its locks away: one that is only starting would look for
                # them, and show where it was when it found none.
                self._context.kill()
                pool.join()
        finally:
            self._undo.close()

    def _new(self) -> ProcessPool:
        # For as long as there are processes: one that dies is replaced at any time.
        self._undo.enter_context(_environment(_ONE_THREAD))
        # Its start unblocks SIGINT in the thread that does it (Python 3.11), so it must not be
        # the first schedule that starts it: see _interrupts_stay_here.
        resource_tracker.ensure_running()
        return ProcessPool(
            max_workers=self.jobs,
            initializer=confine,
            initargs=(os.getpid(), self._warm_up),
            context=self._context,
        )


def _nothing() -> None:
    """What a process does that is only to be there."""


class _Worker(SpawnProcess):
    """A new Python that does not import the program's main module again.

    It needs nothing of it, and a script that uses the catalog would run a second time.
    """

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802  (multiprocessing's own name)
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            return Popen(process_obj)
        finally:
            sys.modules["__main__"] = main


class _Context(SpawnContext):
    """How processes are started. A forked child would inherit connections, locks and threads."""

    def __init__(self) -> None:
        super().__init__()
        self._started: weakref.WeakSet[_Worker] = weakref.WeakSet()

    def Process(self, *arguments: Any, **options: Any) -> _Worker:  # type: ignore[override]  # noqa: N802  (multiprocessing's own name)
        """A new process, not started yet."""
        worker = _Worker(*arguments, **options)
        self._started.add(worker)
        return worker

    def kill(self) -> None:
        """End every process that was started, at once."""
        for worker in list(self._started):
            if worker.pid is not None:
                worker.kill()


class _Run(Generic[Item, Result]):
    """The state of one run: which futures are under way, for which tasks."""

    def __init__(
        self,
        function: Callable[[Item], Result],
        pool: Pool,
        time_limit: float,
        tasks: Iterable[Task[Item]],
    ) -> None:
        self._batches = _batches(tasks)
        self._more = True
        self._function = function
        self._pool = pool
        self._time_limit = time_limit
        self._room = pool.jobs * _IN_FLIGHT_PER_WORKER
        self._flying: dict[Future[list[Result]], list[Task[Item]]] = {}
        self._alone: collections.deque[Task[Item]] = collections.deque()
        self._retried: dict[int, Task[Item]] = {}  # by id(); held, so that no id comes twice
        self._restarts = 0

    def fill(self) -> None:
        """Give the processes as many batches as they are to hold."""
        while self._alone and len(self._flying) < self._room:
            self._launch([self._alone.popleft()])
        while self._more and len(self._flying) < self._room:
            batch = next(self._batches, None)
            if batch is None:
                self._more = False
            else:
                self._launch(batch)

    def results(self) -> Iterator[tuple[Item, Result | Lost]]:
        """Each item with what became of it, as they are done."""
        while self._more or self._flying or self._alone:
            self.fill()
            if self._flying:
                yield from self._landed()

    def _launch(self, batch: list[Task[Item]]) -> None:
        try:
            future = self._pool.schedule(
                run_batch,
                (self._function, [task.item for task in batch]),
                self._limit(batch),
            )
        except RuntimeError:  # the pool broke since it was last looked at
            self._alone.extend(batch)
            self._restart()
        else:
            self._flying[future] = batch

    def _limit(self, batch: list[Task[Item]]) -> float:
        return self._time_limit + sum(task.size for task in batch) / _SLOWEST_READ

    def _landed(self) -> Iterator[tuple[Item, Result | Lost]]:
        patience = _STALLED + max(self._limit(batch) for batch in self._flying.values())
        done, _ = wait(self._flying, timeout=patience, return_when=FIRST_COMPLETED)
        if not done:
            self._restart()
        for future in done:
            if future not in self._flying:
                continue  # the pool broke meanwhile, and its tasks wait to be run alone
            try:
                values = future.result()
            except BrokenProcessPool:
                self._restart()
            except Exception as error:  # whatever it is, it costs one file only
                self._restarts = 0
                yield from self._failed(self._flying.pop(future), error)
            else:
                self._restarts = 0
                batch = self._flying.pop(future)
                yield from zip((task.item for task in batch), values, strict=True)

    def _failed(
        self, batch: list[Task[Item]], error: Exception
    ) -> Iterator[tuple[Item, Result | Lost]]:
        # A process can die, or the machine sleep, through no fault of the file: once alone is fair.
        if len(batch) > 1 or id(batch[0]) not in self._retried:
            self._retried.update((id(task), task) for task in batch)
            self._alone.extend(batch)
        else:
            del self._retried[id(batch[0])]
            yield batch[0].item, lost(error, self._limit(batch))

    def _restart(self) -> None:
        """A new pool: this one lost all its processes, or does not answer any more."""
        self._restarts += 1
        if self._restarts > _RESTARTS:
            raise CatalogError("the processes that read photos keep dying: see the system's log")
        for batch in self._flying.values():
            self._alone.extend(batch)
        self._flying.clear()
        self._pool.end()


def _batches(tasks: Iterable[Task[Item]]) -> Iterator[list[Task[Item]]]:
    batch: list[Task[Item]] = []
    size = 0
    for task in tasks:
        if batch and (len(batch) == _BATCH_FILES or size + task.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(task)
        size += task.size
    if batch:
        yield batch


class Raised(Exception):
    """What the function raised, by its name.

    The exception itself stays where it was: SystemExit would end the parent, and one that
    does not survive pickling would break the pool.
    """


def run_batch(function: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    """What a worker process does with a batch."""
    try:
        return [function(item) for item in items]
    except BaseException as error:
        raise Raised(type(error).__name__) from None


def lost(error: Exception, limit: float) -> Lost:
    """What a call of ``run_batch`` with one item, given ``limit`` seconds, failed of."""
    if isinstance(error, ProcessExpired):
        return Lost(Reason.CRASHED, f"its process ended with {_how(error.exitcode or 0)}")
    if isinstance(error, TimeoutError):
        return Lost(Reason.TIMED_OUT, f"stopped after {limit:.0f} seconds")
    name = str(error) if isinstance(error, Raised) else type(error).__name__
    if name == MemoryError.__name__:
        return Lost(Reason.TOO_LARGE, "the decoder ran out of memory")
    return Lost(Reason.CRASHED, f"{name} inside the decoder")


def _how(code: int) -> str:
    """An exit code as a person reads it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:  # most real-time signals have no name
        return f"signal {-code}"


@contextlib.contextmanager
def _interrupts_stay_here() -> Iterator[None]:
    """Threads and processes started inside never see SIGINT: Ctrl-C is the parent's to handle.

    A terminal sends it to the whole process group, also to a child that is still importing
    and has not said yet that it wants to ignore it. The parent handles it afterwards: in between,
    a child would have been started and never told what to do.
    """
    with _put_off(signal.SIGINT), _put_off(signal.SIGTERM):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _put_off(number: signal.Signals) -> Iterator[None]:
    """What this process does about a signal, it does after the block.

    Blocking it does not suffice: another thread, such as one of numpy's, takes it, and Python
    calls the handler in the main thread all the same.
    """
    handler = signal.getsignal(number)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    signal.signal(number, lambda received, _frame: came.append(received))
    try:
        yield
    finally:
        signal.signal(number, handler)
        if came:
            signal.raise_signal(number)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for processes started inside."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
