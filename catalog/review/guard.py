"""The door of the review server: who comes in, and what each answer says to the browser.

Any page of the web can have a browser send requests to 127.0.0.1, and a name of its own can lead
there. So each request is looked at before the page's own code is, in this order; what is not
right ends it, with the status in brackets:

1. Host is one of our names (403): another means that a name was made to lead here.
2. GET, HEAD or POST (405); 3. a path of plain characters, without ``..`` and escapes (400).
4. A POST comes from our page: its Origin is ours, and Sec-Fetch-Site, where sent, says so (403);
   it is JSON (415), which no form can send, and tells its length (411), a small one (413).
5. The cookie is there (401), but for the entry page, static files and POST /enter.
6. A POST has the word of the page in X-Imgcat (403). Only then its body is read: in time (408).

Secrets are compared in constant time. That GET and HEAD change nothing is the routes' part.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.escaping import harmless
from catalog.review.session import Session

MOST_BYTES: Final = 2_000_000  # of a body: twenty times what deciding on 10,000 photos takes
BODY_SECONDS: Final = 10.0
WRONG_SECONDS: Final = 0.3  # that a wrong token waits

# The routes need no more, and what cannot be written cannot be a trick.
_PATH: Final = re.compile(rb"(?!.*(?:\.\.|//))/[A-Za-z0-9/._-]*")
_JSON: Final = re.compile(rb'application/json(?:\s*;\s*charset="?utf-8"?)?\s*', re.IGNORECASE)
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")

_POLICY: Final = (
    "default-src 'none'; img-src 'self'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_POWERS: Final = (
    *("accelerometer", "autoplay", "camera", "clipboard-read", "clipboard-write"),
    *("display-capture", "encrypted-media", "fullscreen", "geolocation", "gyroscope"),
    *("magnetometer", "microphone", "midi", "payment", "picture-in-picture"),
    *("publickey-credentials-get", "screen-wake-lock", "usb", "xr-spatial-tracking"),
)
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", ", ".join(f"{name}=()" for name in _POWERS).encode()),
)
_OURS: Final = {name for name, _ in _HEADERS} | {b"content-security-policy"}


class Guard:
    """ASGI middleware that stands before everything else.

    It gives the app, in the scope's state: ``nonce`` for the page's scripts and styles, ``entered``
    (whether the request has the cookie), and ``csrf``, which is empty where it has not. ``say`` is
    told of what went wrong in the app, in a line.
    """

    def __init__(
        self, app: ASGIApp, session: Session, say: Callable[[str], None] | None = None
    ) -> None:
        self._app = app
        self._session = session
        self._say = say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})  # there are none here
            return
        answer = _Answer(send)
        try:
            await self._let_in(scope, receive, answer)
        except _Refused as refused:
            await answer.say(refused.status, refused.words, refused.headers)
        except _Gone:
            pass

    async def _let_in(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        asked = _Asked(scope["method"], scope.get("raw_path") or b"", scope["headers"])
        _check_host(asked, self._session)
        _check_line(asked)
        if asked.changes:
            _check_origin(asked)
            _check_body(asked)
            if asked.path == b"/enter":
                await self._enter(receive, answer)
                return
        entered = self._has_cookie(asked)
        if not entered and not asked.free:
            raise _Refused(401, "this review has ended: run imgcat review again")
        if asked.changes:
            if not _equal(asked.only(b"x-imgcat"), self._session.csrf):
                raise _Refused(403, "this did not come from the page of imgcat review")
            receive = _again(await _body(receive), receive)
        if entered and asked.path != b"/api/state":  # which a page asks for by itself
            self._session.presence.touch()
        csrf = self._session.csrf if entered else ""
        state = {**scope.get("state", {}), "nonce": answer.nonce, "entered": entered, "csrf": csrf}
        await self._ask({**scope, "state": state}, receive, answer, told=entered)

    def _has_cookie(self, asked: _Asked) -> bool:
        """Any of that name will do: another server of this host can add some, but not ours."""
        pairs = [pair for line in asked.all(b"cookie") for pair in line.split(b";")]
        named = [pair.strip().partition(b"=") for pair in pairs]
        name = self._session.cookie_name.encode()
        values = [value for given, _, value in named if given == name]
        return any(_equal(value, self._session.cookie) for value in values)

    async def _enter(self, receive: Receive, answer: _Answer) -> None:
        try:
            told = json.loads(await _body(receive))
        except (ValueError, RecursionError):
            told = None
        token = told.get("token") if isinstance(told, dict) else None
        if not isinstance(token, str) or not _equal(
            token.encode(errors="replace"), self._session.token
        ):
            await asyncio.sleep(WRONG_SECONDS)
            raise _Refused(403, "open the address that imgcat review printed")
        self._session.presence.entered = True
        self._session.presence.touch()
        given = f"{self._session.cookie_name}={self._session.cookie}"
        cookie = f"{given}; HttpOnly; SameSite=Strict; Path=/"
        await answer.begin(204, [(b"set-cookie", cookie.encode())])
        await answer({"type": "http.response.body"})

    async def _ask(self, scope: Scope, receive: Receive, answer: _Answer, *, told: bool) -> None:
        """Have the app answer; an error is told in full to whom the page is for."""
        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            words = f"this should not have happened: {type(error).__name__}: {error}"
            if self._say is not None:
                self._say(harmless(words))
            if answer.begun:
                raise  # the server cuts it off, so that it does not pass for a whole one
            await answer.say(500, harmless(words) if told else "this should not have happened")
        else:
            await answer.finish()


class _Refused(Exception):
    def __init__(self, status: int, words: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.headers = headers


class _Gone(Exception):
    """Whoever asked is not there any more."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the first lines of a request say."""

    method: str
    path: bytes  # as it was sent
    headers: list[tuple[bytes, bytes]]  # names in lower case

    @property
    def changes(self) -> bool:
        return self.method not in ("GET", "HEAD")

    @property
    def free(self) -> bool:
        """Whether anybody may have it: nothing in it is anybody's."""
        return not self.changes and (self.path == b"/" or self.path.startswith(b"/static/"))

    def all(self, name: bytes) -> list[bytes]:
        return [value for given, value in self.headers if given == name]

    def only(self, name: bytes) -> bytes:
        """The value of a header that is there once; empty where it is not, or more than once."""
        values = self.all(name)
        return values[0] if len(values) == 1 else b""


class _Answer:
    """Sends what the app answers, with the headers of every answer.

    One that begins as a server error waits for the app to end: Starlette answers in words of its
    own before it lets an exception out.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._held: list[Message] = []
        self.nonce = secrets.token_urlsafe(16)
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*_harmless(message), *_HEADERS, self._policy]}
        if self._held or message.get("status", 0) >= 500:
            self._held.append(message)
            return
        self.begun = True
        await self._send(message)

    async def finish(self) -> None:
        for message in self._held:
            await self._send(message)

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.begun = True
        headers = [*headers, *_HEADERS, self._policy]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def say(
        self, status: int, words: str, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        body = json.dumps({"error": words}).encode()
        length = (b"content-length", str(len(body)).encode())
        await self.begin(status, [(b"content-type", b"application/json"), length, *headers])
        await self._send({"type": "http.response.body", "body": body})

    @property
    def _policy(self) -> tuple[bytes, bytes]:
        return (b"content-security-policy", _POLICY.format(self.nonce).encode())


def _check_host(asked: _Asked, session: Session) -> None:
    if asked.only(b"host") not in [name.encode() for name in session.hosts]:
        raise _Refused(403, "this is imgcat review, which answers to no other name")


def _check_line(asked: _Asked) -> None:
    if asked.method not in ("GET", "HEAD", "POST"):
        raise _Refused(405, "there is nothing here for that method", (b"allow", b"GET, HEAD, POST"))
    if not _PATH.fullmatch(asked.path):
        raise _Refused(400, "there can be no such address")


def _check_origin(asked: _Asked) -> None:
    ours = asked.only(b"origin") == b"http://" + asked.only(b"host")
    if not ours or any(site != b"same-origin" for site in asked.all(b"sec-fetch-site")):
        raise _Refused(403, "this did not come from the page of imgcat review")


def _check_body(asked: _Asked) -> None:
    if not _JSON.fullmatch(asked.only(b"content-type")):
        raise _Refused(415, "this is not JSON")
    length = asked.only(b"content-length")
    if not _LENGTH.fullmatch(length):
        raise _Refused(411, "this does not tell its length")
    if int(length) > MOST_BYTES:
        raise _too_long()


def _too_long() -> _Refused:
    return _Refused(413, f"this is longer than {MOST_BYTES:,} bytes")


async def _body(receive: Receive) -> bytes:
    """The whole body; counted, as one that comes in chunks may say another length."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise _Gone
                body += message.get("body", b"")
                if len(body) > MOST_BYTES:
                    raise _too_long()
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError as error:
        raise _Refused(408, "this took too long to come", (b"connection", b"close")) from error


def _again(body: bytes, receive: Receive) -> Receive:
    """What gives ``body`` once more, then whatever comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def once_more() -> Message:
        return waiting.pop() if waiting else await receive()

    return once_more


def _equal(given: bytes, secret: str) -> bool:
    return hmac.compare_digest(given, secret.encode())


def _harmless(message: Message) -> list[tuple[bytes, bytes]]:
    """The app's own headers, without those that are ours to set, and those that let others in."""
    return [
        (name, value)
        for name, value in message.get("headers", [])
        if name.lower() not in _OURS and not name.lower().startswith(b"access-control-")
    ]
