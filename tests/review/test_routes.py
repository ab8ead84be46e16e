"""Pictures that nobody waits for any more are not drawn."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from starlette.applications import Starlette

from catalog.review.clerk import Ended
from catalog.review.routes import Routes

SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "path": "/picture/1/thumb",
    "raw_path": b"/picture/1/thumb",
    "query_string": b"",
    "headers": [],
}


class Previews:
    """Draws for as long as it is let, and remembers what came of it."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.came: list[str] = []
        self.enough = asyncio.Event()

    async def get(self, *_: object) -> bytes:
        self.begun.set()
        try:
            await self.enough.wait()
        except asyncio.CancelledError:
            self.came.append("given up")
            raise
        self.came.append("drawn")
        return b"\xff\xd8"


async def asked(*, leaves: bool) -> tuple[Previews, list[dict[str, Any]]]:
    previews: Previews = Previews()
    sent: list[dict[str, Any]] = []
    photo = SimpleNamespace(path=b"/p/1.jpg", digest=bytes(32))

    async def found(_number: int) -> Any:
        return photo

    async def receive() -> Any:
        await previews.begun.wait()
        if not leaves:
            previews.enough.set()
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    desk = SimpleNamespace(photo=found)
    app = Starlette(routes=Routes(desk, previews, SimpleNamespace()).all())  # type: ignore[arg-type]
    await app(dict(SCOPE), receive, send)  # type: ignore[arg-type]
    return previews, sent


def test_a_picture_that_is_waited_for_is_drawn() -> None:
    previews, sent = asyncio.run(asked(leaves=False))
    assert previews.came == ["drawn"]
    assert (sent[0]["status"], sent[1]["body"]) == (200, b"\xff\xd8")


def test_a_picture_that_was_scrolled_past_is_given_up() -> None:
    previews, _ = asyncio.run(asked(leaves=True))
    assert previews.came == ["given up"]


async def asked_at_the_end() -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def ended(_number: int) -> Any:
        raise Ended

    async def receive() -> Any:
        return await asyncio.Event().wait()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    desk: Any = SimpleNamespace(photo=ended)
    nothing: Any = None
    await Starlette(routes=Routes(desk, nothing, nothing).all())(SCOPE, receive, send)
    return sent


def test_who_asks_when_the_server_ends_is_told_so() -> None:
    start, body = asyncio.run(asked_at_the_end())
    assert (start["status"], body["body"]) == (503, b'{"error":"imgcat review ends"}')
