"""Small pictures for the page: each drawn once, the newest first, and no file takes others down."""

from __future__ import annotations

import asyncio
import contextlib
import io
import multiprocessing
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3
from PIL import Image

from catalog.imaging.judging import Facts
from catalog.model import Failure, Reason
from catalog.review import previews
from catalog.review.previews import Level, Previews
from tests.review import drawing

Found = bytes | Failure


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that do what the names of files say."""
    monkeypatch.setattr(previews, "draw", drawing.draw)
    monkeypatch.setattr(previews, "warm_up", None)


@pytest.fixture
def photo(tmp_path: Path) -> tuple[bytes, bytes]:
    dice = np.random.default_rng(1)
    coarse = Image.fromarray(dice.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    coarse.resize((2000, 1500), Image.Resampling.BICUBIC).save(tmp_path / "a.jpg", quality=90)
    return os.fsencode(tmp_path / "a.jpg"), blake3((tmp_path / "a.jpg").read_bytes()).digest()


@contextlib.asynccontextmanager
async def opened(folder: Path, jobs: int = 1, time_limit: float = 30.0) -> AsyncIterator[Previews]:
    small = Previews(os.fsencode(folder), jobs=jobs, time_limit=time_limit)
    try:
        yield small
    finally:
        await small.close()


def ask(small: Previews, name: str, content: bytes | None = None) -> Awaitable[Found]:
    """For a picture of a file of this name, and content, else of another than any other name."""
    return small.get(os.fsencode("/" + name), blake3(content or name.encode()).digest(), "thumb")


def begun(found: Found) -> float:
    assert isinstance(found, bytes), found
    return float(found.split()[0])


def process(found: Found) -> int:
    assert isinstance(found, bytes), found
    return int(found.split()[1])


def ends(number: int, patience: float = 5.0) -> bool:
    """Whether a process ends soon."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def newest(small: Previews) -> bytes | None:
    """The digest of what would be drawn next."""
    return list(small._waiting)[-1][0] if small._waiting else None


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 50))


# --- pictures ---


def test_a_picture_is_as_large_as_its_level_says_and_kept(folder, photo):
    async def first() -> None:
        async with opened(folder) as small:
            for level, longest in ((Level.THUMB, 320), (Level.VIEW, 1600), (Level.FULL, 2000)):
                found = await small.get(*photo, level)
                assert isinstance(found, bytes), found
                assert max(Image.open(io.BytesIO(found)).size) == longest
                shown[level] = found
            told = await small.facts(*photo)
            assert isinstance(told, Facts)
            assert (told.width, told.height, told.quality) == (2000, 1500, 90)
            assert await small.facts(b"/elsewhere", photo[1]) is told

    async def again() -> None:
        async with opened(folder) as small:
            os.unlink(photo[0])
            for level, content in shown.items():
                assert await small.get(*photo, level) == content
            assert not small._pool.started

    shown: dict[Level, bytes] = {}
    run(first)
    assert len(os.listdir(folder)) == 3
    run(again)


def test_pictures_of_an_earlier_recipe_are_not_shown(folder, stand_in, monkeypatch):
    async def test() -> None:
        async with opened(folder) as small:
            first = await ask(small, "a")
            await asyncio.gather(*small._keeping)
            assert await ask(small, "a") == first
            monkeypatch.setattr(previews, "RECIPE", previews.RECIPE + 1)
            assert await ask(small, "a") != first

    run(test)


def test_a_level_that_is_none_is_an_error(folder):
    async def test() -> None:
        async with opened(folder) as small:
            with pytest.raises(ValueError, match="original"):
                await small.get(b"/a", b"x" * 32, "original")

    run(test)


def test_equal_requests_share_one_drawing(folder, stand_in):
    async def test() -> None:
        async with opened(folder, jobs=2) as small:
            found = await asyncio.gather(
                *(ask(small, f"slow{n}", b"the same bytes") for n in range(6))
            )
            assert len(set(found)) == 1

    run(test)


def test_of_two_files_with_the_same_bytes_one_may_be_gone(folder, stand_in):
    async def test() -> None:
        async with opened(folder) as small:
            gone, there = await asyncio.gather(
                ask(small, "gone", b"the same bytes"), ask(small, "slow", b"the same bytes")
            )
            assert isinstance(gone, Failure)
            assert isinstance(there, bytes)

    run(test)


# --- order ---


def test_what_was_asked_for_last_is_drawn_first(folder, stand_in):
    async def test() -> None:
        async with opened(folder) as small:
            await ask(small, "warm")
            asked = [asyncio.ensure_future(ask(small, "slower"))]
            await until(lambda: len(small._running) == 1)
            for name in ("a", "b", "c", "a"):
                asked.append(asyncio.ensure_future(ask(small, name)))
                await until(lambda name=name: newest(small) == blake3(name.encode()).digest())
            slow, a, b, c, again = await asyncio.gather(*asked)
            assert begun(slow) < begun(a) < begun(c) < begun(b)
            assert a == again

    run(test)


def test_no_more_is_begun_than_there_are_processes(folder, stand_in):
    async def test() -> None:
        async with opened(folder, jobs=2) as small:
            tasks = [asyncio.ensure_future(ask(small, f"slow{n}")) for n in range(6)]
            while not all(task.done() for task in tasks):
                assert len(small._running) <= 2
                await asyncio.sleep(0.01)

    run(test)


def test_what_nobody_waits_for_any_more_is_not_drawn(folder, stand_in):
    async def test() -> None:
        async with opened(folder) as small:
            await ask(small, "warm")
            asked = [asyncio.ensure_future(ask(small, "slower"))]
            await until(lambda: len(small._running) == 1)
            names = ("left", "shared", "shared", "kept")
            asked += [asyncio.ensure_future(ask(small, name)) for name in names]
            await until(lambda: sum(job.waiting for job in small._jobs.values()) == 5)
            asked[1].cancel()
            asked[2].cancel()
            slow, left, first, second, kept = await asyncio.gather(*asked, return_exceptions=True)
            assert isinstance(left, asyncio.CancelledError)
            assert isinstance(first, asyncio.CancelledError)
            assert all(isinstance(each, bytes) for each in (slow, second, kept))
            await asyncio.gather(*small._keeping)
            assert not small._jobs
        assert len(os.listdir(folder)) == 4  # warm, slow, shared, kept

    run(test)


def test_who_goes_away_while_it_is_drawn_ends_no_process(folder, stand_in):
    async def test() -> None:
        async with opened(folder) as small:
            before = process(await ask(small, "warm"))
            leaving = asyncio.ensure_future(ask(small, "slow"))
            await asyncio.sleep(0.15)
            leaving.cancel()
            assert process(await ask(small, "next")) == before
            await asyncio.gather(*small._keeping)
        assert len(os.listdir(folder)) == 3  # the slow one was drawn to the end, and kept

    run(test)


# --- files that take a process down ---


@pytest.mark.parametrize(
    ("name", "reason"),
    [("crash", Reason.CRASHED), ("exit", Reason.CRASHED), ("hang", Reason.TIMED_OUT)],
)
def test_a_file_that_takes_its_process_down_costs_its_own_picture_only(
    folder, stand_in, name, reason
):
    async def test() -> None:
        async with opened(folder, jobs=2, time_limit=2.0) as small:
            asked = (ask(small, each) for each in ("a", name, "b", "c"))
            a, failed, b, c = await asyncio.gather(*asked)
            assert all(isinstance(each, bytes) for each in (a, b, c))
            assert isinstance(failed, Failure)
            assert failed.reason is reason
            at = time.monotonic()
            assert await ask(small, name) == failed  # and is not tried again at once
            assert time.monotonic() < at + 0.3

    run(test)


def test_a_failure_is_remembered_for_a_while_only(folder, stand_in):
    async def test() -> None:
        async with opened(folder) as small:
            first = await ask(small, "bad")
            assert await ask(small, "bad") == first
            small._failures.seconds = 0.0
            assert await ask(small, "bad") != first

    run(test)


def test_a_file_that_is_there_again_is_shown(folder, photo):
    async def test() -> None:
        path, digest = photo
        async with opened(folder) as small:
            os.rename(path, path + b"~")
            assert isinstance(await small.get(path, digest, "thumb"), Failure)
            os.rename(path + b"~", path)
            assert isinstance(await small.get(path, digest, "thumb"), bytes)

    run(test)


def test_only_so_many_failures_are_remembered(monkeypatch):
    monkeypatch.setattr(previews, "_MOST_REMEMBERED", 3)
    memory = previews._Remembered(100.0)
    for number in range(5):
        memory.put(number, str(number))
    assert [memory.get(number) for number in range(5)] == [None, None, "2", "3", "4"]


def test_a_pool_that_broke_is_replaced(folder, stand_in):
    async def test() -> None:
        async with opened(folder, jobs=2) as small:
            await ask(small, "a")
            small._pool._pool.stop()  # as when its threads end
            found = await asyncio.gather(*(ask(small, name) for name in "bcd"))
            assert all(isinstance(each, bytes) for each in found), found

    run(test)


def test_a_pool_that_does_not_answer_any_more_loses_nothing(folder, stand_in, monkeypatch):
    monkeypatch.setattr(previews, "_STALLED", 0.2)

    async def test() -> None:
        async with opened(folder, jobs=2) as small:
            await ask(small, "a")
            small._time_limit = 1.0
            asked = [asyncio.ensure_future(ask(small, f"slow{n}")) for n in range(4)]
            await asyncio.sleep(0.15)
            small._pool._pool.stop()
            small._time_limit = 30.0  # a new pool takes its time to start
            found = await asyncio.gather(*asked)
            assert all(isinstance(each, bytes) for each in found), found

    run(test)


def test_a_pool_that_keeps_breaking_is_given_up(folder, stand_in, monkeypatch):
    async def test() -> None:
        async with opened(folder) as small:
            monkeypatch.setattr(small._pool, "schedule", broken)
            found = await ask(small, "a")
            assert isinstance(found, Failure)
            assert found.reason is Reason.CRASHED

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    run(test)


def test_a_process_that_somebody_kills_is_replaced(folder, stand_in):
    async def test() -> None:
        async with opened(folder) as small:
            number = process(await ask(small, "a"))
            os.kill(number, signal.SIGKILL)
            assert process(await ask(small, "b")) != number

    run(test)


# --- the beginning and the end ---


def test_the_processes_are_there_before_the_first_picture(folder, stand_in):
    async def test() -> None:
        async with opened(folder) as small:
            small.start()
            early = await asyncio.to_thread(workers)
            assert process(await ask(small, "a")) in early

    run(test)


def workers(patience: float = 10.0) -> list[int]:
    """Processes that this one started to do its work, once there are some."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        found = [each.pid for each in multiprocessing.active_children() if each.pid]
        if found:
            return found
        time.sleep(0.02)
    return []


def test_who_leaves_at_once_leaves_no_process(folder, stand_in):
    async def test() -> None:
        async with opened(folder) as small:
            small.start()

    before = workers(0)
    run(test)
    assert workers(0) == before


def test_the_processes_end_and_nobody_waits_for_ever(folder, stand_in):
    async def test() -> None:
        small = Previews(os.fsencode(folder), jobs=1)
        number = process(await ask(small, "a"))
        asked = [asyncio.ensure_future(ask(small, name)) for name in ("hang", "b", "c")]
        await asyncio.sleep(0.1)
        await small.close()
        found = await asyncio.gather(*asked, ask(small, "d"))
        assert all(isinstance(each, Failure) for each in found), found
        assert ends(number)
        await small.close()

    run(test)
