"""R35 to R37: who may ask the review server for what, and what every answer says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.review.guard import MOST_BYTES, WRONG_SECONDS, Guard
from catalog.review.session import Session
from tests.review.served import Answer, Served, answer_of, serving

POLICY = (
    "default-src 'none'; img-src 'self'; script-src 'nonce-N'; style-src 'nonce-N'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
BRIEF = 0.8  # seconds that a request may take here


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(patience=BRIEF) as server:
        server.enter()
        yield server
        assert server.end() == 0
        assert "Traceback" not in server.errors
        for secret in server.secrets:
            assert secret not in server.errors


def check_headers(answer: Answer) -> str:
    """Every answer has these; returns the nonce."""
    found = re.search(r"'nonce-([\w-]{22})'", answer.headers["content-security-policy"])
    assert found, answer.headers
    policy = answer.headers["content-security-policy"]
    assert policy == POLICY.replace("nonce-N", f"nonce-{found[1]}")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "camera=()" in answer.headers["permissions-policy"]
    assert "*" not in answer.headers["permissions-policy"]
    assert not any(name.startswith("access-control") for name in answer.headers)
    assert not {"server", "date"} & answer.headers.keys()
    return found[1]


def check_refused(answer: Answer, status: int) -> None:
    assert answer.status == status
    assert not answer.reached
    assert answer.error
    check_headers(answer)


# -- 1. Host -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_our_own_names_are_answered(served: Served, name: str) -> None:
    host = f"{name}:{served.port}"
    assert served.ask("GET", "/", served.reading(host=host)).reached
    headers = served.posting(host=host, origin=f"http://{host}")
    assert served.ask("POST", "/api/choose", headers, b"{}").reached


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example:{port}", "evil.example", "127.0.0.1", "127.0.0.1:1", "localhost:80", ""),
        *("127.0.0.1:{port}.evil.example", "127.0.0.2:{port}", "0.0.0.0:{port}", "[::]:{port}"),
        *("localhost.:{port}", "x@127.0.0.1:{port}", "127.0.0.1:{port}, evil.example"),
    ],
)
def test_another_host_is_refused_whatever_else_is_right(served: Served, host: str) -> None:
    host = host.format(port=served.port)
    check_refused(served.ask("GET", "/", served.reading(host=host)), 403)
    check_refused(served.ask("GET", "/api/state", served.reading(host=host)), 403)
    headers = served.posting(host=host, origin=f"http://{host}")
    check_refused(served.ask("POST", "/api/choose", headers, b"{}"), 403)
    check_refused(served.ask("POST", "/enter", headers, served.key), 403)


@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "GET"])
def test_the_host_is_looked_at_before_all_else(served: Served, method: str) -> None:
    """A stranger learns nothing, not even what is wrong with the rest."""
    check_refused(served.ask(method, "/a/../b", [("Host", "evil.example")]), 403)


def test_a_request_without_a_host_is_refused(served: Served) -> None:
    cookie = f"Cookie: {served.cookie}\r\n".encode()
    check_refused(served.send(b"GET / HTTP/1.0\r\n" + cookie + b"\r\n"), 403)
    assert served.send(b"GET / HTTP/1.1\r\n" + cookie + b"\r\n").status == 400  # h11 does


@pytest.mark.parametrize("hosts", [("ours", "ours"), ("ours", "evil"), ("evil", "ours"), ()])
def test_a_doubled_or_missing_host_is_refused_by_the_guard_itself(hosts: tuple[str, ...]) -> None:
    """Before uvicorn's h11 comes to see more than one, and whatever server is under it."""
    session = Session(4711)
    named = {"ours": b"127.0.0.1:4711", "evil": b"evil.example"}
    headers = [(b"host", named[host]) for host in hosts]
    assert status_of(session, headers) == (403, False)
    assert status_of(session, [(b"host", named["ours"])]) == (200, True)


# -- 2. and 3. the first line ------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "BREW"])
def test_other_methods_are_refused(served: Served, method: str) -> None:
    answer = served.ask(method, "/", served.posting(), b"{}")
    check_refused(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    "path",
    [
        *("/..", "/../etc/passwd", "/static/../secret", "/static/..%2fsecret", "/%2e%2e/secret"),
        *("/static/%2E%2E/x", "/static/%252e%252e/x", "/static\\x", "/static/%5cx", "/a%00b"),
        *("/picture%2f1", "/picture%2F1", "//evil.example/", "/picture/1//thumb", "/%61pi/state"),
        *("http://evil.example/", "*", "state", "/picture/~", "/a;b", "/a:b", "/caf\xe9"),
    ],
)
def test_odd_paths_are_refused(served: Served, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: {served.host}\r\nCookie: {served.cookie}\r\n\r\n"
    answer = served.send(request.encode("latin-1"))
    assert (answer.status, answer.reached) == (400, False)
    if path.isascii():  # else h11 refuses the line
        check_refused(answer, 400)


@pytest.mark.parametrize("path", ["/", "/api/group/s123", "/static/stage.js", "/picture/7/thumb"])
def test_the_paths_of_the_page_are_answered_and_queries_left_alone(
    served: Served, path: str
) -> None:
    answer = served.ask("GET", f"{path}?v=a%2f..&x=1", served.reading())
    assert (answer.status, answer.reached, answer.json["path"]) == (200, True, path)


@given(st.binary(max_size=30))
def test_no_path_with_a_trick_in_it_comes_through(path: bytes) -> None:
    status, reached = status_of(Session(1), [(b"host", b"localhost:1")], b"/" + path)
    plain = re.fullmatch(rb"[A-Za-z0-9/._-]*", path) and b".." not in path
    assert (status == 400) == (not plain or b"//" in b"/" + path)
    assert not reached or status == 200


# -- 4. what a POST says -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    [
        *(None, "", "null", "http://evil.example", "https://{host}", "http://{host}/"),
        *("http://localhost:{port}", "http://127.0.0.1", "http://127.0.0.1:1", "{host}"),
        *("http://{host}.evil.example", "http://{host}, http://evil.example"),
    ],
)
def test_a_post_from_another_origin_is_refused(served: Served, origin: str | None) -> None:
    given = None if origin is None else origin.format(host=served.host, port=served.port)
    headers = served.posting(origin=given)
    check_refused(served.ask("POST", "/api/choose", headers, b"{}"), 403)
    check_refused(served.ask("POST", "/enter", headers, served.key), 403)


def test_two_origins_are_refused(served: Served) -> None:
    headers = [*served.posting(), ("Origin", "http://evil.example")]
    check_refused(served.ask("POST", "/api/choose", headers, b"{}"), 403)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "", "same-origin, none"])
def test_a_post_that_the_browser_says_is_of_another_site_is_refused(
    served: Served, site: str
) -> None:
    headers = served.posting(sec_fetch_site=site)
    check_refused(served.ask("POST", "/api/choose", headers, b"{}"), 403)
    check_refused(served.ask("POST", "/enter", headers, served.key), 403)


def test_a_browser_that_says_nothing_of_sites_is_answered(served: Served) -> None:
    assert served.ask("POST", "/api/choose", served.posting(sec_fetch_site=None), b"{}").reached


@pytest.mark.parametrize(
    "form",
    [
        *(None, "", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"),
        *("text/plain; application/json", "application/json, text/plain", "application/jsonp"),
        *("application/json; charset=utf-16", "application/json; boundary=x"),
    ],
)
def test_a_post_of_anything_but_json_is_refused(served: Served, form: str | None) -> None:
    headers = served.posting(content_type=form)
    check_refused(served.ask("POST", "/api/choose", headers, b"{}"), 415)
    check_refused(served.ask("POST", "/enter", headers, served.key), 415)


@pytest.mark.parametrize(
    "form",
    ["application/json", "Application/JSON;charset=UTF-8", 'application/json; charset="utf-8"'],
)
def test_json_with_or_without_its_charset_is_taken(served: Served, form: str) -> None:
    answer = served.ask(
        "POST", "/api/choose", served.posting(content_type=form), b'{"a": "\xc3\xa4"}'
    )
    assert answer.json["body"] == '{"a": "ä"}'


@pytest.mark.parametrize("path", ["/api/choose", "/enter"])
def test_a_post_that_does_not_tell_its_length_is_refused(served: Served, path: str) -> None:
    check_refused(served.ask("POST", path, served.posting()), 411)
    chunked = served.posting(transfer_encoding="chunked")
    check_refused(served.ask("POST", path, chunked), 411)


@pytest.mark.parametrize("path", ["/api/choose", "/enter"])
def test_a_body_of_ten_megabytes_is_refused(served: Served, path: str) -> None:
    check_refused(served.ask("POST", path, served.posting(), b" " * 10_000_000), 413)


def test_a_body_that_says_it_is_too_long_is_not_waited_for(served: Served) -> None:
    began = time.monotonic()
    check_refused(served.ask("POST", "/enter", served.posting(content_length="2000001")), 413)
    assert time.monotonic() - began < BRIEF


def test_a_body_may_be_as_long_as_is_said(served: Served) -> None:
    assert served.ask("POST", "/api/choose", served.posting(), b" " * MOST_BYTES).reached
    headers = served.posting()
    check_refused(served.ask("POST", "/api/choose", headers, b" " * (MOST_BYTES + 1)), 413)


def test_a_length_is_a_number(served: Served) -> None:
    session = Session(1)
    for length in (b"-1", b"1e3", b"", b"9" * 5000, b"0x10", "٣".encode()):
        headers = good_post(session)
        headers = [(name, value) for name, value in headers if name != b"content-length"]
        status = status_of(session, [*headers, (b"content-length", length)], method="POST")
        assert status == (411, False)


@pytest.mark.parametrize("path", ["/api/choose", "/enter"])
def test_chunks_that_are_more_than_the_length_said_are_counted(served: Served, path: str) -> None:
    headers = served.posting(transfer_encoding="chunked", content_length="2")
    chunk = b"186a0\r\n" + b" " * 100_000 + b"\r\n"
    answer = served.ask("POST", path, headers, chunk * 21 + b"0\r\n\r\n")
    check_refused(answer, 413)


@pytest.mark.parametrize("path", ["/api/choose", "/enter"])
def test_a_body_that_dribbles_in_is_given_up_and_the_connection_closed(
    served: Served, path: str
) -> None:
    headers = [f"{name}: {value}" for name, value in served.posting(content_length="1000")]
    head = "\r\n".join([f"POST {path} HTTP/1.1", *headers, "", ""])
    began = time.monotonic()
    with served.connected() as connection:
        connection.sendall(head.encode())
        with dribbling(connection, b" " * 1000):
            answer = answer_of(connection)
        check_refused(answer, 408)
        assert answer.headers["connection"] == "close"
        assert BRIEF <= time.monotonic() - began < BRIEF + 2
        with contextlib.suppress(ConnectionError):
            assert connection.recv(1) == b""


@contextlib.contextmanager
def dribbling(connection: socket.socket, what: bytes, every: float = 0.05) -> Iterator[None]:
    """Send a byte now and then, for as long as anybody takes them."""
    ended = threading.Event()

    def send() -> None:
        for byte in what:
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                return
            if ended.wait(every):
                return

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_client_that_goes_away_in_the_middle_of_its_body_harms_nobody(served: Served) -> None:
    headers = [f"{name}: {value}" for name, value in served.posting(content_length="1000")]
    head = "\r\n".join(["POST /api/choose HTTP/1.1", *headers, "", "{"])
    with served.connected() as connection:
        connection.sendall(head.encode())
    assert served.ask("GET", "/", served.reading()).reached


def test_half_a_body_is_none() -> None:
    session = Session(1)
    reached = []
    said = [{"type": "http.disconnect"}, {"type": "http.request", "body": b"{", "more_body": True}]

    async def app(*_: Any) -> None:
        reached.append(True)

    async def receive() -> Any:
        return said.pop()

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "method": "POST", "raw_path": b"/api/x", "headers": good_post(session)}
    asyncio.run(Guard(app, session)(scope, receive, send))
    assert not reached


# -- 5. the cookie -----------------------------------------------------------------------------


def cookies(served: Served) -> dict[str, str | None]:
    name, _, value = served.cookie.partition("=")
    return {
        "none": None,
        "empty": "",
        "old": f"{name}={'x' * 43}",
        "part": f"{name}={value[:-1]}",
        "more": f"{name}={value}x",
        "nothing": f"{name}=",
        "no value": name,
        "of another port": f"imgcat-1={value}",
        "the token": f"{name}={served.token}",
        "not ASCII": f"{name}=\xe9",
        "in a value": f"x=1{name}={value}",
    }


@pytest.mark.parametrize(
    "case",
    [
        *("none", "empty", "old", "part", "more", "nothing", "no value", "of another port"),
        *("the token", "not ASCII", "in a value"),
    ],
)
def test_without_the_cookie_nothing_of_anybody_is_told(served: Served, case: str) -> None:
    cookie = cookies(served)[case]
    reading, posting = served.reading(cookie=cookie), served.posting(cookie=cookie)
    for path in ("/api/state", "/api/groups", "/picture/1/thumb", "/enter", "/favicon.ico"):
        for method in ("GET", "HEAD"):
            answer = served.ask(method, path, reading)
            assert (answer.status, answer.reached) == (401, False)
            check_headers(answer)
    answer = served.ask("GET", "/api/state", reading)
    check_refused(answer, 401)
    assert "run imgcat review again" in answer.error
    for path in ("/api/choose", "/", "/static/x.js"):
        check_refused(served.ask("POST", path, posting, b"{}"), 401)
    page = served.ask("GET", "/", reading)
    assert (page.status, page.json["entered"], page.json["csrf"]) == (200, False, "")
    assert not any(secret in page.body.decode() for secret in served.secrets)
    assert served.ask("GET", "/static/enter.js", reading).reached


def test_with_the_cookie_the_page_is_given_among_cookies_of_others(served: Served) -> None:
    name = served.cookie.partition("=")[0]
    for cookie in (
        served.cookie,
        f"a=b; {served.cookie};c=d",
        f"{name}=planted; {served.cookie}",
        f"{served.cookie}; {name}=planted",
    ):
        page = served.ask("GET", "/", served.reading(cookie=cookie))
        assert (page.json["entered"], page.json["csrf"]) == (True, served.csrf)


def test_cookies_that_other_servers_of_this_host_have_set_lock_nobody_out(served: Served) -> None:
    cookies = "; ".join([*(f"other{number}={'x' * 4000}" for number in range(10)), served.cookie])
    with served.connected() as connection:
        connection.sendall(f"GET /api/state HTTP/1.1\r\nHost: {served.host}\r\n".encode())
        connection.sendall(f"Cookie: {cookies[:-1]}".encode())
        time.sleep(0.1)  # so that it is looked at before it is whole
        connection.sendall(f"{cookies[-1]}\r\n\r\n".encode())
        assert answer_of(connection).reached


def test_the_token_is_swapped_for_a_cookie_that_scripts_and_other_sites_do_not_get(
    served: Served,
) -> None:
    answer = served.enter()
    assert (answer.status, answer.body) == (204, b"")
    check_headers(answer)
    value, *attributes = answer.headers["set-cookie"].split("; ")
    assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Strict"]
    name, _, secret = value.partition("=")
    assert name == f"imgcat-{served.port}"
    assert len(secret) == len(served.token) == len(served.csrf) == 43  # 256 bits
    assert len({secret, served.token, served.csrf}) == 3


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{}", b"[]", b"null", b'"x"', b"{", b'{"token": null}', b'{"token": 7}'),
        *(b'{"token": ""}', b'{"token": "x"}', b'{"token": "\\ud800"}', b"\xff", b"[" * 100_000),
        b'{"token": ["TOKEN"]}',
    ],
    ids=lambda body: body[:20].decode("latin-1"),
)
def test_a_wrong_token_is_refused_after_a_moment(served: Served, body: bytes) -> None:
    began = time.monotonic()
    sent = body.replace(b"TOKEN", served.token.encode())
    answer = served.ask("POST", "/enter", served.posting(x_imgcat=None, cookie=None), sent)
    check_refused(answer, 403)
    assert "set-cookie" not in answer.headers
    assert time.monotonic() - began >= WRONG_SECONDS


def test_parts_of_the_token_do_not_enter(served: Served) -> None:
    for token in (served.token[:-1], served.token + "x", served.token.swapcase()):
        body = f'{{"token": "{token}"}}'.encode()
        check_refused(served.ask("POST", "/enter", served.posting(), body), 403)


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """All three of them, by what the standard library has for it."""
    import hmac

    compared: list[bytes] = []

    def compare(given: bytes, secret: bytes) -> bool:
        compared.append(secret)
        return given == secret

    monkeypatch.setattr(hmac, "compare_digest", compare)
    session = Session(1)
    assert status_of(session, good_post(session), b"/api/choose", "POST") == (200, True)
    assert compared == [session.cookie.encode(), session.csrf.encode()]
    token = f'{{"token": "{session.token}"}}'.encode()
    assert status_of(session, good_post(session), b"/enter", "POST", token) == (204, False)
    assert compared[2:] == [session.token.encode()]


# -- 6. the word of the page -------------------------------------------------------------------


def test_a_post_without_the_word_of_the_page_is_refused(served: Served) -> None:
    for word in (None, "", "x" * 43, served.csrf[:-1], served.csrf + "x", served.token, "\xe9"):
        headers = served.posting(x_imgcat=word)
        check_refused(served.ask("POST", "/api/choose", headers, b"{}"), 403)
    twice = [*served.posting(), ("X-Imgcat", served.csrf)]
    check_refused(served.ask("POST", "/api/choose", twice, b"{}"), 403)


def test_a_good_post_reaches_the_app_whole(served: Served) -> None:
    body = os.urandom(50_000).hex().encode()
    answer = served.ask("POST", "/api/choose", served.posting(), body)
    assert (answer.status, answer.json["body"]) == (200, body.decode())


# -- what every answer says --------------------------------------------------------------------


def test_every_answer_has_the_headers_and_a_nonce_of_its_own(served: Served) -> None:
    nonces = set()
    for _ in range(3):
        for path in ("/", "/static/x.js", "/api/state", "/picture/1/thumb"):
            answer = served.ask("GET", path, served.reading())
            nonces.add(check_headers(answer))
            assert answer.json["nonce"] in nonces
    assert len(nonces) == 12


def test_head_says_what_get_does_without_a_body(served: Served) -> None:
    answer = served.ask("HEAD", "/", served.reading())
    assert (answer.status, answer.body, answer.reached) == (200, b"", True)
    check_headers(answer)


def test_an_error_is_told_to_the_page_without_a_traceback(served: Served) -> None:
    for path, error in (
        ("/api/wrong", "of a \\x1b[31m file"),
        ("/api/as-starlette", "after these"),
    ):
        answer = served.ask("GET", path, served.reading())
        check_refused(answer, 500)
        assert answer.error == f"this should not have happened: ValueError: {error}"
    assert served.ask("GET", "/", served.reading()).reached


def test_a_server_error_that_the_app_means_is_given_as_it_is(served: Served) -> None:
    answer = served.ask("GET", "/api/unavailable", served.reading())
    assert (answer.status, answer.body, answer.reached) == (503, b"not now", True)
    check_headers(answer)


def test_an_error_is_told_in_full_only_to_whom_the_page_is_for() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("/home/somebody")

    said: list[str] = []
    sent = asked_of(Guard(app, Session(1), said.append), [(b"host", b"localhost:1")])
    assert sent[0]["status"] == 500
    assert b"somebody" not in sent[1]["body"]
    assert said == ["this should not have happened: ValueError: /home/somebody"]


def test_an_error_in_the_middle_of_an_answer_is_no_second_answer() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        raise ValueError("in the middle")

    sent: list[Any] = []
    with pytest.raises(ValueError, match="in the middle"):
        asked_of(Guard(app, Session(1)), [(b"host", b"localhost:1")], sent=sent)
    assert len(sent) == 1


def test_an_error_in_the_middle_of_an_answer_cuts_it_off(served: Served) -> None:
    with pytest.raises((ConnectionError, OSError, Exception)) as caught:
        served.ask("GET", "/api/half", served.reading())
    assert type(caught.value).__name__ in ("IncompleteRead", "ConnectionResetError")
    assert served.ask("GET", "/", served.reading()).reached


# -- who is there ------------------------------------------------------------------------------


def test_only_what_a_person_does_counts_as_somebody_there() -> None:
    session = Session(1)
    host = (b"host", b"localhost:1")
    cookie = (b"cookie", f"imgcat-1={session.cookie}".encode())
    presence = session.presence

    def touched(*arguments: Any) -> bool:
        presence.touched = -1.0
        status_of(session, *arguments)
        return presence.touched != -1.0

    assert touched([host, cookie], b"/api/groups")
    assert touched([host, cookie], b"/picture/1/thumb")
    assert touched(good_post(session), b"/api/choose", "POST")
    assert not touched([host, cookie], b"/api/state")
    assert not touched([host], b"/")
    assert not touched([host], b"/static/x.js")
    assert not touched([host], b"/api/groups")
    assert not touched([*good_post(session), (b"x-imgcat", b"")], b"/api/choose", "POST")
    assert not touched([(b"host", b"evil"), cookie], b"/api/groups")
    assert not presence.entered
    token = f'{{"token": "{session.token}"}}'.encode()
    assert touched(good_post(session), b"/enter", "POST", token)
    assert presence.entered


def test_no_secret_is_in_what_is_written_of_a_session() -> None:
    session = Session(1)
    for secret in (session.token, session.cookie, session.csrf):
        assert secret not in repr(session)
    again = Session(1)
    assert len({*(session.token, session.cookie, session.csrf), again.token, again.cookie}) == 5


def test_no_secret_is_in_the_arguments_of_a_process(served: Served) -> None:
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = place.read_bytes()
            assert not any(secret.encode() in words for secret in served.secrets)


# -- connections -------------------------------------------------------------------------------


def test_first_lines_that_dribble_in_block_nobody_and_are_given_up(served: Served) -> None:
    head = f"GET / HTTP/1.1\r\nHost: {served.host}\r\nX-Long: {'x' * 500}".encode()
    began = time.monotonic()
    with served.connected() as slow, dribbling(slow, head):
        assert served.ask("GET", "/", served.reading(), timeout=2).reached
        assert closed(slow)
    assert BRIEF <= time.monotonic() - began < BRIEF + 2


def test_a_connection_that_never_asks_is_closed(served: Served) -> None:
    with served.connected() as silent:
        assert closed(silent)


def test_later_requests_of_a_connection_have_to_come_in_time_too(served: Served) -> None:
    head = f"GET / HTTP/1.1\r\nHost: {served.host}\r\n".encode()
    with served.connected() as slow:
        for _ in range(3):
            slow.sendall(head + b"\r\n")
            assert answer_of(slow).reached
            time.sleep(BRIEF / 2)  # between them, they may
        began = time.monotonic()
        with dribbling(slow, head + b"X-Long: " + b"x" * 500):
            assert closed(slow)
        assert BRIEF / 2 <= time.monotonic() - began < BRIEF + 2


def test_an_answer_may_take_longer_than_a_request(served: Served) -> None:
    with served.connected() as connection:
        lines = f"GET /api/slow HTTP/1.1\r\nHost: {served.host}\r\nCookie: {served.cookie}\r\n\r\n"
        connection.sendall(lines.encode())
        connection.settimeout(BRIEF * 2)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def closed(connection: socket.socket) -> bool:
    """Whether the other end closes, without a word."""
    connection.settimeout(BRIEF + 2)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_however_many_connections_wait_there_is_room_for_one_more() -> None:
    with serving(most=20) as server, contextlib.ExitStack() as opened:
        server.enter()
        silent = [opened.enter_context(server.connected()) for _ in range(60)]
        kept = opened.enter_context(server.connected())
        kept.sendall(f"GET / HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
        assert answer_of(kept).reached
        for number in range(10):
            assert server.ask("GET", "/api/state", server.reading()).reached, number
        assert closed(silent[0]), "the one that waited longest"
        files = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        assert files < 50


# -- the guard alone ---------------------------------------------------------------------------


def good_post(session: Session) -> list[tuple[bytes, bytes]]:
    return [
        (b"host", b"localhost:1"),
        (b"origin", b"http://localhost:1"),
        (b"content-type", b"application/json"),
        (b"content-length", b"2"),
        (b"cookie", f"imgcat-1={session.cookie}".encode()),
        (b"x-imgcat", session.csrf.encode()),
    ]


def asked_of(
    guard: Guard,
    headers: list[tuple[bytes, bytes]],
    path: bytes = b"/",
    method: str = "GET",
    body: bytes = b"{}",
    sent: list[Any] | None = None,
) -> list[dict[str, Any]]:
    """All that a request is answered; it is added to ``sent``."""
    scope = {"type": "http", "method": method, "path": "", "raw_path": path, "headers": headers}
    sent = [] if sent is None else sent

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    return sent


def status_of(
    session: Session,
    headers: list[tuple[bytes, bytes]],
    path: bytes = b"/",
    method: str = "GET",
    body: bytes = b"{}",
) -> tuple[int, bool]:
    """With what a request is answered, and whether the app saw it."""
    reached = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    sent = asked_of(Guard(app, session), headers, path, method, body)
    return sent[0]["status"], bool(reached)


def test_there_are_no_websockets() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(*_: Any) -> None:
        raise AssertionError("reached")

    scope = {"type": "websocket", "headers": [], "path": "/"}
    asyncio.run(Guard(app, Session(1))(scope, send, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]
