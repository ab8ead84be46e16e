"""The review server: a socket of this machine alone, until the person ends it or is gone.

uvicorn 0.54 does it, of which this relies on what its source says: ``Server.run(sockets=)`` serves
a socket that is bound already; ``should_exit`` is looked at ten times a second, and then requests
have ``timeout_graceful_shutdown`` seconds to end, before the app's lifespan does; and a lifespan
that cannot start is a SystemExit. Its signal handlers raise the signal again at the end, which
would make an interruption of what is the normal end here, so ours take their place.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from errno import EACCES, EADDRINUSE
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from catalog.errors import CatalogError, UsageError
from catalog.review.connections import Connections
from catalog.review.guard import Guard
from catalog.review.opening import Opening
from catalog.review.session import Presence, Session

_LAST_SECONDS: Final = 1  # that requests have to end, once the server is to
_KEEP_ALIVE_SECONDS: Final = 10  # an open page asks every two
_HEAD_BYTES: Final = 65_536  # other servers of this host may have set cookies, up to 4 kB each
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Telling:
    """How a server says what a person has to know."""

    address: Callable[[str], None]  # once it answers: where, with the token
    remark: Callable[[str], None]  # a line about what it does by itself


def serve(
    make_app: Callable[[Session], ASGIApp],
    telling: Telling,
    *,
    port: int | None = None,
    browser: bool = True,
    idle_minutes: float = 30,
) -> None:
    """Serve the app until Ctrl-C, SIGTERM or a closed terminal, or until nobody is there.

    ``port`` None is any that is free. The app has a lifespan, whose end is waited for, and uses
    ``session.presence`` to say that it works. A second Ctrl-C raises KeyboardInterrupt, and a third
    one kills. Raises UsageError for a port that cannot be had, and what the app's lifespan raised.
    """
    with contextlib.closing(_listening(port)) as listener:
        session = Session(listener.getsockname()[1])
        opening = Opening(session.address, telling.remark)

        def ready() -> None:
            telling.address(session.address)
            if browser:
                opening.begin()

        app = _Watched(Guard(make_app(session), session, telling.remark))
        connections = Connections(app)
        config = _config(connections)
        server = _Server(config, session.presence, idle_minutes * 60, ready, opening.entered)
        with opening, _ending(server):
            _run(server, listener, app)
    if server.was_idle:
        minutes = f"{idle_minutes:g} minutes"
        telling.remark(f"nobody was there for {minutes}, so imgcat review has ended")


def _run(server: uvicorn.Server, listener: socket.socket, app: _Watched) -> None:
    try:
        server.run(sockets=[listener])
    except SystemExit:
        if app.failure is None:
            raise CatalogError("the server of imgcat review could not be started") from None
    if app.failure is not None:
        raise app.failure


def _listening(port: int | None) -> socket.socket:
    """A socket of this machine alone that accepts from now on; nobody else can have its port."""
    # asyncio turns off Nagle's waiting only where the protocol is named: 40 ms of each answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Else a port cannot be had for a minute after a server that used it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port or 0))
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno == EADDRINUSE:
            why = "is taken: end what uses it, or choose another with --port, or none"
        elif error.errno == EACCES:
            why = "is not for everybody: choose one from 1024 on"
        else:
            why = f"cannot be had: {error.strerror}"
        raise UsageError(f"port {port or 'of any number'} {why}") from error
    return listener


def _config(connections: Connections) -> uvicorn.Config:
    return uvicorn.Config(
        connections,
        loop="asyncio",
        http=connections.protocol,
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        log_level="critical",  # what goes wrong is told by the guard, or raised
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_LAST_SECONDS,
        h11_max_incomplete_event_size=_HEAD_BYTES,
    )


class _Watched:
    """ASGI middleware that keeps what the app's lifespan raised, of which uvicorn tells nobody."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.failure: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            if scope["type"] == "lifespan":
                self.failure = error
            raise


class _Server(uvicorn.Server):
    """Says when it answers, and ends when nobody is there."""

    def __init__(
        self,
        config: uvicorn.Config,
        presence: Presence,
        idle_seconds: float,
        ready: Callable[[], None],
        entered: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._presence = presence
        self._idle_seconds = idle_seconds
        self._ready = ready
        self._entered = entered
        self.was_idle = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        if self._presence.entered:
            self._entered()
        self.was_idle = self._presence.away_for > self._idle_seconds
        return await super().on_tick(counter) or self.was_idle

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield  # see ``_ending``


@contextlib.contextmanager
def _ending(server: uvicorn.Server) -> Iterator[None]:
    """Signals end the server; again, they end it harder. Only on the main thread there are any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        if server.should_exit:
            signal.signal(number, signal.SIG_DFL)
            raise KeyboardInterrupt
        server.should_exit = True

    # Who started us with SIGHUP ignored wants us to go on without a terminal.
    alone = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    wanted = [number for number in _SIGNALS if number != signal.SIGHUP or not alone]
    before = {number: signal.signal(number, end) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is end:  # else the next one is to kill
                signal.signal(number, handler)
