"""Clerks: a page waits for none of them, and none lets it wait for ever."""

from __future__ import annotations

import asyncio
import threading

import pytest

from catalog.progress import Phase
from catalog.review.clerk import Clerk, Ended, Watched


async def _asked_after_its_end() -> None:
    clerk = Clerk("clerk")
    clerk.end()
    await asyncio.wait_for(clerk.ask(lambda: 5), 5)


def test_a_clerk_that_was_to_end_leaves_nobody_waiting() -> None:
    with pytest.raises(Ended):
        asyncio.run(_asked_after_its_end())


def test_what_was_asked_before_its_end_is_answered() -> None:
    async def asked() -> int:
        clerk, first = Clerk("clerk"), threading.Event()
        clerk.tell(lambda: first.wait(10))
        answer = asyncio.ensure_future(clerk.ask(lambda: 5))
        await asyncio.sleep(0)
        clerk.end()
        first.set()
        return await asyncio.wait_for(answer, 5)

    assert asyncio.run(asked()) == 5


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_its_thread_ends_what_was_asked_and_not_the_loop(
    error: type[BaseException],
) -> None:
    def interrupted() -> None:
        raise error

    async def asked() -> int:
        clerk = Clerk("clerk")
        with pytest.raises(Ended):
            await clerk.ask(interrupted)
        return await clerk.ask(lambda: 5)

    assert asyncio.run(asked()) == 5


def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    async def asked() -> list[int]:
        clerk, first, done = Clerk("clerk"), threading.Event(), list[int]()
        clerk.tell(lambda: first.wait(10))
        given_up = asyncio.ensure_future(clerk.ask(done.append, 1))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait({given_up})
        first.set()
        await clerk.ask(done.append, 2)
        return done

    assert asyncio.run(asked()) == [2]


@pytest.mark.parametrize("said", ["start", "advance", "note"])
def test_whatever_is_said_of_progress_ends_what_is_to_end(said: str) -> None:
    progress = Watched()
    progress.to_end = True
    with pytest.raises(KeyboardInterrupt):
        {
            "start": lambda: progress.start(Phase.ACTING, 3),
            "advance": progress.advance,
            "note": lambda: progress.note("waiting"),
        }[said]()
