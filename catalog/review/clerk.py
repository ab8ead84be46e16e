"""A thread that does one thing after the other, for a page that must not wait.

SQLite's connections belong to the thread that opened them: each clerk has its own.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from catalog.progress import Phase

Result = TypeVar("Result")
_Task = tuple[Future[object], Callable[[], object]]


class Ended(Exception):
    """The server ends, and what was asked for with it."""


class Clerk:
    """Does what it is asked, in the order in which it was; its thread ends with the process."""

    def __init__(self, name: str) -> None:
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def ask(self, function: Callable[..., Result], *arguments: object) -> Result:
        """What ``function`` returns. Raises what it raises, and Ended for an interrupt.

        Ended too once the thread was to end: nobody would answer.
        """
        if self._ended:
            raise Ended
        future: Future[Result] = Future()
        self._tasks.put((future, lambda: function(*arguments)))  # type: ignore[arg-type]
        return await asyncio.wrap_future(future)

    def tell(self, function: Callable[[], object]) -> None:
        """Have it done some time; whatever comes of it."""
        self._tasks.put((Future(), function))

    def end(self, patience: float = 0.0) -> None:
        """Have the thread end after what it was asked for; waits so many seconds for that.

        From the loop that asks it.
        """
        self._ended = True
        self._tasks.put(None)
        self._thread.join(patience)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, function = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = function()
            except (KeyboardInterrupt, SystemExit):  # asyncio would end the loop for these
                future.set_exception(Ended())
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)


class Watched:
    """Progress that another thread looks at, and that ends what goes on once it is to."""

    def __init__(self) -> None:
        self.phase: Phase | None = None
        self.done = 0
        self.total: int | None = None
        self.waiting = ""  # a note: what is being waited for
        self.to_end = False

    def start(self, phase: Phase, total: int | None = None) -> None:
        self._check()
        self.phase, self.done, self.total, self.waiting = phase, 0, total, ""

    def advance(self, count: int = 1) -> None:
        self._check()
        self.done += count

    def note(self, message: str) -> None:
        self._check()
        self.waiting = message

    def _check(self) -> None:
        if self.to_end:
            raise KeyboardInterrupt
