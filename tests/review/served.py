"""A review server as a process of its own, around an app that shows what reaches it.

    python served.py '{"idle_minutes": 0.01}'

prints the address, then remarks on stderr. Further keys: ``port``, ``browser``, ``fails`` (startup
or shutdown), ``works`` (the app works from its start on), ``patience`` (seconds that a request may
take to come, instead of ten), and ``most`` (connections).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, TextIO

PATIENCE = 20.0  # seconds; what takes longer hangs
Headers = list[tuple[str, str]]


@dataclass
class Answer:
    """What came back; ``reached`` says whether the app saw the request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def reached(self) -> bool:
        return "x-reached" in self.headers

    @property
    def error(self) -> str:
        assert self.headers["content-type"] == "application/json"
        return str(self.json["error"])


@dataclass
class Served:
    """A server that runs, and what a browser would know of it."""

    process: subprocess.Popen[bytes]
    address: str
    cookie: str = ""
    csrf: str = ""
    said: list[bytes] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.address.split(":")[2].partition("/")[0])

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return self.address.partition("#")[2]

    @property
    def secrets(self) -> list[str]:
        return [self.token, self.cookie.partition("=")[2], self.csrf]

    def enter(self) -> Answer:
        answer = self.ask("POST", "/enter", self.posting(x_imgcat=None, cookie=None), self.key)
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        self.csrf = self.ask("GET", "/", [("Host", self.host), ("Cookie", self.cookie)]).json[
            "csrf"
        ]
        return answer

    @property
    def key(self) -> bytes:
        return json.dumps({"token": self.token}).encode()

    def reading(self, **instead: str | None) -> Headers:
        """The headers of a good GET, some of them changed, or left out where they are None."""
        return _changed([("Host", self.host), ("Cookie", self.cookie)], instead)

    def posting(self, **instead: str | None) -> Headers:
        """The headers of a good POST, as ``reading``; Content-Length is added by ``ask``."""
        headers = [("Host", self.host), ("Origin", f"http://{self.host}")]
        headers += [("Content-Type", "application/json"), ("Sec-Fetch-Site", "same-origin")]
        headers += [("Cookie", self.cookie), ("X-Imgcat", self.csrf)]
        return _changed(headers, instead)

    def ask(
        self, method: str, path: str, headers: Headers, body: bytes | None = None, **options: Any
    ) -> Answer:
        if body is not None and not any(name.lower() == "content-length" for name, _ in headers):
            headers = [*headers, ("Content-Length", str(len(body)))]
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        head = "\r\n".join([*lines, "Connection: close", "", ""])
        return self.send(head.encode("latin-1") + (body or b""), method, **options)

    def send(self, request: bytes, method: str = "GET", *, timeout: float = PATIENCE) -> Answer:
        """Exactly these bytes."""
        with self.connected(timeout) as connection:
            with contextlib.suppress(ConnectionError):  # refused before all of it was read
                connection.sendall(request)
            return answer_of(connection, method)

    def connected(self, timeout: float = PATIENCE) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def end(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        try:
            out, err = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        self.said += [out, err]
        return self.process.returncode

    @property
    def errors(self) -> str:
        """What it said on stderr, once it has ended."""
        return self.said[-1].decode()


def _changed(headers: Headers, instead: dict[str, str | None]) -> Headers:
    named = {name.replace("_", "-").lower(): value for name, value in instead.items()}
    kept = [(name, value) for name, value in headers if name.lower() not in named]
    return kept + [(name, value) for name, value in named.items() if value is not None]


def answer_of(connection: socket.socket, method: str = "GET") -> Answer:
    response = HTTPResponse(connection, method=method)
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    assert len(headers) == len(response.getheaders()), "none is there twice"
    return Answer(response.status, headers, response.read())


@contextmanager
def serving(env: dict[str, str] | None = None, **options: Any) -> Iterator[Served]:
    """A server, once it answers; ended at the end, if it was not before."""
    process = started(env, **options)
    assert process.stdout is not None
    served = Served(process, process.stdout.readline().decode().strip())
    try:
        yield served
    finally:
        if process.returncode is None:
            process.kill()
            process.communicate()


def started(env: dict[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
    kept = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    kept.pop("BROWSER", None)
    return subprocess.Popen(
        [sys.executable, __file__, json.dumps(options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**kept, **(env or {})},
    )


def there(paths: Iterable[Path], patience: float = PATIENCE) -> bool:
    """Whether all of these come to be there."""
    until = time.monotonic() + patience
    while not all(path.exists() for path in paths):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


# -- in the process ----------------------------------------------------------------------------


class App:
    """Answers all that reaches it, and says so."""

    def __init__(self, session: Any, fails: str, works: bool) -> None:
        self._session = session
        self._fails = fails
        self._works = works

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        path = scope["path"]
        if path == "/api/slow":
            await asyncio.sleep(3600)
        if path == "/api/thread":
            await asyncio.to_thread(time.sleep, 3600)
        if path == "/api/wrong":
            raise ValueError("of a \x1b[31m file")
        if path == "/api/half":
            await send(_start(200, (b"content-length", b"100")))
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise ValueError("in the middle")
        if path == "/api/as-starlette":
            await send(_start(500))
            await send({"type": "http.response.body", "body": b"words of its own"})
            raise ValueError("after these")
        if path == "/api/unavailable":
            await send(_start(503))
            await send({"type": "http.response.body", "body": b"not now"})
            return
        body = b""
        if scope["method"] == "POST":
            message = await receive()
            body = message["body"]
            assert not message["more_body"]
        told = {**scope["state"], "path": path, "body": body.decode(), "method": scope["method"]}
        lax = [(b"access-control-allow-origin", b"*"), (b"Cache-Control", b"public")]
        await send(_start(200, *lax, (b"content-type", b"application/json")))
        await send({"type": "http.response.body", "body": json.dumps(told).encode()})

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        if self._fails == "startup":
            raise ValueError("no room")
        if self._works:
            threading.Thread(target=self._work, daemon=True).start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        _tell("the lifespan ends", sys.stderr)
        if self._fails == "shutdown":
            raise ValueError("no end")
        if self._fails == "hang":
            await asyncio.sleep(3600)
        await send({"type": "lifespan.shutdown.complete"})

    def _work(self) -> None:
        with self._session.presence.working():
            time.sleep(1)


def _start(status: int, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    named = [(b"x-reached", b"yes"), *headers]
    return {"type": "http.response.start", "status": status, "headers": named}


def _tell(line: str, stream: TextIO) -> None:
    stream.write(f"{line}\n")
    stream.flush()


def main(options: dict[str, Any]) -> int:
    from catalog.errors import CatalogError
    from catalog.review import connections, guard
    from catalog.review.serving import Telling, serve

    if "patience" in options:
        seconds = options.pop("patience")
        guard.BODY_SECONDS = seconds  # type: ignore[misc]
        connections.HEAD_SECONDS = seconds  # type: ignore[misc]
    if "most" in options:
        connections.MOST = options.pop("most")  # type: ignore[misc]
    fails, works = options.pop("fails", ""), options.pop("works", False)
    telling = Telling(
        lambda text: _tell(text, sys.stdout),
        lambda line: _tell(line, sys.stderr),
    )
    try:
        serve(lambda session: App(session, fails, works), telling, **options)
    except CatalogError as error:
        _tell(f"{type(error).__name__}: {error}", sys.stderr)
        return int(error.exit_code)
    except ValueError as error:
        _tell(f"as raised: {error}", sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
