"""Connections that wait: bounded in number and in time, so that none can keep others out.

uvicorn closes a connection that is idle after an answer, but waits for ever for the first request,
and for the rest of one whose first lines have begun. Here each may wait so for ten seconds. When
too many connections are open, the one that has been idle for the longest goes.
"""

from __future__ import annotations

import asyncio
from typing import Final, TypeAlias, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 10.0
MOST: Final = 200  # a browser opens six to a host, all its tabs together

_Client: TypeAlias = tuple[str, int]  # the address of the other end


class Connections:
    """ASGI middleware, which is told by ``protocol`` of what comes before a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: dict[_Client, asyncio.Transport] = {}
        # Those that no request is being answered of, the longest first; and when their time is up.
        self._idle: dict[_Client, asyncio.TimerHandle | None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client is not None:
            self._stop_waiting(client)
        try:
            await self._app(scope, receive, send)
        finally:
            if client in self._open:
                self._idle[client] = None  # uvicorn closes it, unless more comes

    @property
    def protocol(self) -> type[H11Protocol]:
        """What uvicorn makes for each connection."""
        connections = self

        class Protocol(H11Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                made = cast(asyncio.Transport, transport)
                super().connection_made(made)
                connections.made(self.client, made)

            def data_received(self, data: bytes) -> None:
                connections.heard(self.client)
                super().data_received(data)

            def connection_lost(self, exc: Exception | None) -> None:
                connections.lost(self.client, self.transport)
                super().connection_lost(exc)

        return Protocol

    def made(self, client: _Client | None, transport: asyncio.Transport) -> None:
        """A connection is open."""
        if client is None or (len(self._open) >= MOST and not self._make_room()):
            transport.abort()
            return
        self._stop_waiting(client)
        self._open[client] = transport
        self._wait(client)

    def heard(self, client: _Client | None) -> None:
        """Something came; where nothing is being answered, it begins a request."""
        if client is not None and client in self._idle and self._idle[client] is None:
            self._wait(client)

    def lost(self, client: _Client | None, transport: asyncio.Transport) -> None:
        """A connection is closed."""
        if client is not None and self._open.get(client) is transport:
            self._stop_waiting(client)
            del self._open[client]

    def _make_room(self) -> bool:
        client = next(iter(self._idle), None)
        if client is None:
            return False
        self._close(client)
        return True

    def _wait(self, client: _Client) -> None:
        loop = asyncio.get_running_loop()
        self._idle[client] = loop.call_later(HEAD_SECONDS, self._close, client)

    def _stop_waiting(self, client: _Client) -> None:
        timer = self._idle.pop(client, None)
        if timer is not None:
            timer.cancel()

    def _close(self, client: _Client) -> None:
        self._stop_waiting(client)
        self._open.pop(client).abort()
