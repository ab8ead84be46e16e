"""The review server as a process: how it begins, is entered by a browser, and ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import stat
import sys
import time
from pathlib import Path

import pytest

from catalog.review.opening import Opening
from catalog.review.serving import _listening
from catalog.review.session import Presence
from tests.review.served import PATIENCE, Served, answer_of, serving, there

SECOND = 1.5  # that ending may take on a machine with other things to do


# -- the socket --------------------------------------------------------------------------------


def test_it_listens_to_this_machine_alone_on_a_port_of_its_own() -> None:
    with serving() as server, serving() as other:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#[\w-]{43}", server.address)
        assert server.port != other.port
        assert listening(server.process.pid) == {("0100007F", server.port)}  # in hexadecimal


def listening(pid: int) -> set[tuple[str, int]]:
    """Addresses that a process listens to."""
    sockets = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            sockets.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in sockets:
                address, _, port = words[1].partition(":")
                found.add((address, int(port, 16)))
    return found


def test_no_answer_waits_for_the_browser_to_confirm_the_head_of_it() -> None:
    """Else each takes 40 ms: its head and its body are sent one after the other."""

    async def at_once() -> bool:
        accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def come(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = writer.get_extra_info("socket")
            accepted.set_result(bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            writer.close()

        async with await asyncio.start_server(come, sock=_listening(None)) as server:
            host, port = server.sockets[0].getsockname()
            _, writer = await asyncio.open_connection(host, port)
            found = await accepted
            writer.close()
            await writer.wait_closed()
        return found

    assert asyncio.run(at_once())


def test_the_address_is_told_once_it_answers() -> None:
    with serving() as server:
        assert server.ask("GET", "/", [("Host", server.host)]).reached


def test_a_port_that_is_taken_is_one_line_that_says_what_to_do() -> None:
    with serving() as server, serving(port=server.port) as second:
        assert second.wait() == 2
        assert second.address == ""
        assert second.errors == (
            f"UsageError: port {server.port} is taken: end what uses it, or choose another with "
            "--port, or none\n"
        )
        assert server.ask("GET", "/", [("Host", server.host)]).reached


def test_a_port_that_was_just_used_can_be_had_again() -> None:
    with serving() as server:
        server.ask("GET", "/", [("Host", server.host)])
        waiting = server.connected()  # so that it is the server that closes, and has to wait
        waiting.sendall(f"GET / HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
        answer_of(waiting)
        assert server.end() == 0
        waiting.close()
    with serving(port=server.port) as again:
        assert again.port == server.port


def test_each_server_has_other_secrets_and_does_not_know_the_old() -> None:
    with serving() as server:
        server.enter()
        server.end()
    with serving(port=server.port) as again:
        assert again.token != server.token
        headers = [("Host", server.host), ("Cookie", server.cookie)]
        assert again.ask("GET", "/api/groups", headers).status == 401
        old = again.ask("POST", "/enter", server.posting(), server.key)
        assert old.status == 403


def test_two_servers_are_used_from_one_browser() -> None:
    with serving() as one, serving() as other:
        one.enter()
        other.enter()
        both = f"{one.cookie}; {other.cookie}"
        for server in (one, other):
            headers = [("Host", server.host), ("Cookie", both)]
            assert server.ask("GET", "/api/state", headers).reached


# -- the end -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_it_ends_at_once_as_a_person_wants_and_the_app_ends_with_it(name: str) -> None:
    with serving() as server:
        server.enter()
        with server.connected() as kept, server.connected() as asking:
            kept.sendall(f"GET / HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
            assert answer_of(kept).reached
            asking.sendall(b"GET / HTT")
            began = time.monotonic()
            assert server.end(getattr(signal, name)) == 0
            assert time.monotonic() - began < SECOND
        assert server.errors == f"{NO_DISPLAY}\n{ENDS}"


NO_DISPLAY = "no browser is opened, as there is no display: open the address in one"
ENDS = "the lifespan ends\n"


def test_what_is_being_answered_is_given_a_moment_and_no_more() -> None:
    with serving(browser=False) as server, server.connected() as slow:
        server.enter()
        lines = f"GET /api/slow HTTP/1.1\r\nHost: {server.host}\r\nCookie: {server.cookie}\r\n\r\n"
        slow.sendall(lines.encode())
        time.sleep(0.2)
        began = time.monotonic()
        assert server.end() == 0
        assert time.monotonic() - began < SECOND + 1
        assert server.errors == ENDS


def test_a_second_interruption_ends_it_harder() -> None:
    with serving(browser=False, fails="hang") as server:
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.7)
        assert server.process.poll() is None, "the app's end is waited for"
        began = time.monotonic()
        assert server.end() == 130
        assert time.monotonic() - began < SECOND


def test_a_third_one_kills() -> None:
    with serving(browser=False) as server:
        server.enter()
        with server.connected() as slow:
            head = f"GET /api/thread HTTP/1.1\r\nHost: {server.host}\r\n"
            slow.sendall(f"{head}Cookie: {server.cookie}\r\n\r\n".encode())
            time.sleep(0.2)
            for _ in range(2):
                server.process.send_signal(signal.SIGINT)
                time.sleep(0.5)
            assert server.process.poll() is None, "a thread is waited for"
            assert server.end() == -signal.SIGINT
            assert server.errors == "", "not even a traceback"


def test_who_ignores_a_closed_terminal_goes_on() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited
    try:
        with serving(browser=False) as server:
            server.process.send_signal(signal.SIGHUP)
            time.sleep(0.4)
            assert server.ask("GET", "/", [("Host", server.host)]).reached
            assert server.end() == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_it_ends_by_itself_when_nobody_is_there_and_says_so() -> None:
    with serving(browser=False, idle_minutes=0.01) as server:
        began = time.monotonic()
        assert server.wait() == 0
        assert 0.3 < time.monotonic() - began < SECOND + 1
        idle = "nobody was there for 0.01 minutes, so imgcat review has ended\n"
        assert server.errors == ENDS + idle


def test_who_does_something_is_there_and_who_only_has_the_page_open_is_not() -> None:
    with serving(browser=False, idle_minutes=0.01) as server:
        server.enter()
        for _ in range(4):
            time.sleep(0.25)
            assert server.ask("GET", "/api/groups", server.reading()).reached
        until = time.monotonic() + PATIENCE
        with contextlib.suppress(OSError):
            while time.monotonic() < until:
                server.ask("GET", "/api/state", server.reading())
                time.sleep(0.1)
        assert server.wait() == 0
        assert "nobody was there" in server.errors


def test_it_does_not_end_by_itself_while_it_works() -> None:
    with serving(browser=False, idle_minutes=0.01, works=True) as server:
        began = time.monotonic()
        assert server.wait() == 0
        assert time.monotonic() - began > 1 + 0.5, "and there is the whole time after it"


def test_work_counts_until_the_last_of_it_has_ended() -> None:
    now = 0.0
    presence = Presence(lambda: now)
    now = 100.0
    assert (presence.busy, presence.away_for) == (False, 100.0)
    with presence.working():
        with presence.working():
            now = 500.0
        assert (presence.busy, presence.away_for) == (True, 0.0)
        now = 900.0
    assert (presence.busy, presence.away_for) == (False, 0.0)
    with pytest.raises(ValueError, match="x"), presence.working():
        raise ValueError("x")
    assert not presence.busy


@pytest.mark.parametrize(("when", "error"), [("startup", "no room"), ("shutdown", "no end")])
def test_what_the_app_cannot_begin_or_end_is_one_line(when: str, error: str) -> None:
    with serving(browser=False, fails=when) as server:
        code = server.wait() if when == "startup" else server.end()
        assert code == 1
        assert server.errors == ("" if when == "startup" else ENDS) + f"as raised: {error}\n"
        assert bool(server.address) == (when == "shutdown")


# -- the browser -------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """A home whose browser only notes what it was given, and whether it could read it."""
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/words\ncp "${{1#file://}}" {tmp_path}/page\n'
        f'ls -ld "$(dirname "${{1#file://}}")" "${{1#file://}}" > {tmp_path}/modes\n'
        f"touch {tmp_path}/opened\n"
    )
    browser.chmod(0o755)
    runtime = tmp_path / "run"
    runtime.mkdir(0o700)
    return {"HOME": str(tmp_path), "BROWSER": f"{browser} %s", "XDG_RUNTIME_DIR": str(runtime)}


def opened(server: Served, top: Path) -> str:
    """The file that the browser was given."""
    assert there([top / "opened"])
    return (top / "words").read_text().strip().removeprefix("file://")


def test_the_browser_is_given_a_file_that_only_the_user_can_read(
    home: dict[str, str], tmp_path: Path
) -> None:
    with serving(home) as server:
        file = opened(server, tmp_path)
        assert file.startswith(home["XDG_RUNTIME_DIR"])
        assert server.token not in (tmp_path / "words").read_text()
        folder, page = (tmp_path / "modes").read_text().splitlines()
        assert folder.startswith("drwx------")
        assert page.startswith("-rw-------")
        said = (tmp_path / "page").read_text()
        assert f'content="0; url={server.address}"' in said
        assert Path(file).exists()
        server.enter()
        assert gone(Path(file).parent), "once the browser is there"
        assert server.end() == 0
        assert server.errors == ENDS


def gone(path: Path) -> bool:
    until = time.monotonic() + PATIENCE
    while path.exists():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("end", ["signal", "idle", "hard"])
def test_the_file_is_gone_at_the_end_where_no_browser_came(
    home: dict[str, str], tmp_path: Path, end: str
) -> None:
    options = {"idle_minutes": 0.01} if end == "idle" else {}
    with serving(home, fails="hang" if end == "hard" else "", **options) as server:
        opened(server, tmp_path)
        if end == "hard":
            server.process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        code = server.wait() if end == "idle" else server.end()
        assert code == (130 if end == "hard" else 0)
    assert os.listdir(home["XDG_RUNTIME_DIR"]) == []


def test_a_browser_that_is_a_snap_can_read_the_file(home: dict[str, str], tmp_path: Path) -> None:
    """It sees what is in the home folder, in folders whose names begin with no dot."""
    (tmp_path / "snap").mkdir()
    with serving(home) as server:
        file = Path(opened(server, tmp_path))
        assert file.parent.parent == tmp_path
        assert not file.parent.name.startswith(".")
        server.end()
    assert not file.parent.exists()


def test_without_a_runtime_folder_it_is_in_the_cache(home: dict[str, str], tmp_path: Path) -> None:
    home.update(XDG_RUNTIME_DIR=str(tmp_path / "no such"), XDG_CACHE_HOME=str(tmp_path / "cache"))
    with serving(home) as server:
        assert opened(server, tmp_path).startswith(str(tmp_path / "cache" / "imgcat"))
        assert stat.S_IMODE((tmp_path / "cache" / "imgcat").stat().st_mode) == 0o700
        server.end()


def test_a_browser_that_fails_is_told_of(home: dict[str, str], tmp_path: Path) -> None:
    with serving({**home, "BROWSER": "false %s", "TERM": "", "PATH": "/bin"}) as server:
        time.sleep(0.5)
        server.end()
        assert "no browser could be opened: open the address in one\n" in server.errors


def test_no_place_for_the_file_is_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BROWSER", "true %s")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    said: list[str] = []
    with Opening("http://x/#t", said.append) as opening:
        opening.begin()
    assert said == ["no browser is opened (Not a directory): open the address in one"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a display")
def test_without_a_display_no_browser_is_opened_and_that_is_said(
    home: dict[str, str], tmp_path: Path
) -> None:
    del home["BROWSER"]
    with serving(home) as server:
        assert server.end() == 0
        assert server.errors == f"{NO_DISPLAY}\n{ENDS}"
    assert os.listdir(home["XDG_RUNTIME_DIR"]) == []


def test_no_browser_is_opened_where_none_is_wanted(home: dict[str, str], tmp_path: Path) -> None:
    with serving(home, browser=False) as server:
        time.sleep(0.3)
        assert server.end() == 0
        assert server.errors == ENDS
    assert not (tmp_path / "words").exists()
