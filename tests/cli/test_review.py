"""imgcat review: what it takes, what it refuses before it serves anything, and how it ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest
from commandline import Imgcat, one_line

from catalog.cli.review import _the_only_one
from tests.support import in_child, mount, needs_root

EXTRA = "imgcat: imgcat review needs its extra: pip install 'imgcat-catalog[review]'\n"


def test_help_names_what_dupes_has_of_verified_matches_and_no_more(asked: Imgcat) -> None:
    done = asked.ask("review", "--help")
    assert (done.code, done.err) == (0, b"")
    options = set(re.findall(r"(?<![\w-])--[a-z-]+", done.text.partition("Options:")[2]))
    shared = {"--grade", "--against", "--across", "--min-size", "--since", "--keep", "--protect"}
    own = {"--kept-both", "--port", "--no-browser", "--catalog", "--quiet", "--help"}
    assert options >= shared | own
    plain = {"--hash", "--radius", "--similarity", "--no-verify", "--exact", "--trash", "--apply"}
    assert not options & plain
    assert "  review " in asked.ask("--help").text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--grade nonsense", "nonsense"),
        ("--port 80", "1024"),
        ("--port 65536", "65535"),
        ("--port http", "--port"),
        ("--keep nonsense", "there is no rule 'nonsense'"),
        ("--protect nowhere", "there is no folder"),
        ("--min-size much", "a size is a number"),
        ("--since ever", "since is a date"),
        ("nowhere", "nowhere is not in the catalog"),
        ("--against nowhere", "nowhere is not in the catalog"),
        ("--against . --across", "choose one"),
        ("--hash phash", "--hash"),
        ("--trash", "--trash"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_served(
    asked: Imgcat, collection: Path, words: str, said: str
) -> None:
    done = asked.ask("review", "--no-browser", *words.split(), cwd=collection)
    assert done.code == 2
    assert said in one_line(done)


def test_an_empty_path_is_refused(asked: Imgcat) -> None:
    for words in ([""], ["--against", ""], ["--protect", ""]):
        done = asked.ask("review", *words)
        assert done.code == 2
        one_line(done)


def test_without_a_catalog_nothing_is_served(imgcat: Imgcat) -> None:
    done = imgcat.ask("review")
    assert done.code == 5
    one_line(done)


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "jinja2"])
def test_without_its_extra_it_says_how_to_get_it(
    asked: Imgcat, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    done = asked.ask("review", "--no-browser")
    assert (done.code, one_line(done)) == (2, EXTRA)
    assert asked.ask("review", "--help").code == 0


def address_of(line: bytes) -> tuple[int, str]:
    """The port and the token."""
    found = re.fullmatch(rb"http://127\.0\.0\.1:(\d+)/#([\w-]{43})\n", line)
    assert found, line
    return int(found[1]), found[2].decode()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=lambda end: end.name)
def test_it_prints_the_address_serves_the_page_and_ends_well(asked: Imgcat, end: int) -> None:
    process = asked.start("review", "--no-browser")
    assert process.stdout is not None
    port, token = address_of(process.stdout.readline())
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", "/")
        page = connection.getresponse()
        assert page.status == 200
        assert "nonce-" in (page.headers["Content-Security-Policy"] or "")
        assert token not in page.read().decode()
        connection.request("GET", "/api/state")
        assert connection.getresponse().status == 401
    for pid in asked.processes():
        assert token not in Path(f"/proc/{pid}/cmdline").read_text()
    process.send_signal(end)
    done = asked.finish(process)
    assert (done.code, done.out) == (0, b"")
    assert done.errors == "imgcat: Ctrl-C ends it. Nothing is removed until you say so\n"
    assert asked.nothing_is_left()


def test_quiet_says_the_address_alone(asked: Imgcat) -> None:
    process = asked.start("review", "--no-browser", "--quiet")
    assert process.stdout is not None
    address_of(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    done = asked.finish(process)
    assert (done.code, done.out, done.err) == (0, b"", b"")


def test_a_port_that_is_taken_is_one_line(asked: Imgcat) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = asked("review", "--no-browser", "--port", str(port))
    assert done.code == 2
    assert f"port {port} is taken" in one_line(done)


def test_a_folder_to_protect_that_has_another_name_now_is_told_of(
    asked: Imgcat, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[dupes]\nprotect = ['/no/such/folder']\n")
    process = asked.start("review", "--no-browser", env={**asked.env, "IMGCAT_CONFIG": str(config)})
    assert process.stdout is not None
    address_of(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    assert (
        "/no/such/folder is to be protected, but there is no such" in asked.finish(process).errors
    )


def test_a_second_page_of_one_catalog_is_refused_and_says_where_the_first_is(
    asked: Imgcat,
) -> None:
    process = asked.start("review", "--no-browser")
    assert process.stdout is not None
    address_of(process.stdout.readline())
    done = asked("review", "--no-browser")
    assert (done.code, done.out) == (6, b"")
    said = f"imgcat review (process {process.pid}) has the page of this catalog"
    assert said in one_line(done)
    process.send_signal(signal.SIGKILL)
    asked.finish(process)
    again = asked.start("review", "--no-browser")
    assert again.stdout is not None
    address_of(again.stdout.readline())
    again.send_signal(signal.SIGINT)
    assert asked.finish(again).code == 0


@needs_root
def test_where_no_lock_can_be_made_the_page_is_served_without(tmp_path: Path) -> None:
    def both() -> bool:
        mount("--bind", str(tmp_path), str(tmp_path))
        mount("-o", "remount,ro,bind", str(tmp_path))
        catalog = os.fsencode(tmp_path / "catalog.db")
        with _the_only_one(catalog), _the_only_one(catalog):
            return True

    assert in_child(both, own_mounts=True)
    assert not list(tmp_path.iterdir())
