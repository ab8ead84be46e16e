"""What the daemon tells: one safe line each."""

from __future__ import annotations

import io
import re
import threading
from pathlib import Path

import pytest

from catalog.indexing.perform import Tally
from catalog.model import AlreadyThere, Change, Happening, Kind
from catalog.rendering import log as log_module
from catalog.rendering.live import Live
from catalog.rendering.log import RotatingLog
from catalog.rendering.look import Look


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def live(stream: io.StringIO) -> Live:
    return Live(stream, Look())


def said(stream: io.StringIO) -> list[str]:
    lines = stream.getvalue().splitlines()
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d  .*", line) for line in lines)
    return [line[10:] for line in lines]


def test_each_change_is_a_line(live: Live, stream: io.StringIO) -> None:
    live.changed(Change(Happening.ADDED, b"/p/a.jpg", content=1))
    live.changed(Change(Happening.MOVED, b"/p/b", before=b"/p/a", folder=True))
    live.changed(Change(Happening.FAILED, b"/p/c.jpg", detail="truncated: no end"))
    live.changed_many(Happening.GONE, 1200, b"/p")
    live.already_there(AlreadyThere(b"/p/a.jpg", b"/p/x.jpg", Kind.IDENTICAL, 1.0))
    live.already_there(AlreadyThere(b"/p/a.jpg", b"/p/y.jpg", Kind.HASH, 0.96875))
    live.looked(b"/p", Tally(unchanged=9, added=1, failed=2), 1.26)
    live.looked(b"/p", Tally(unchanged=9), 0.5)
    live.say("following /p")
    assert said(stream) == [
        "added    /p/a.jpg",
        "moved    /p/a/ -> /p/b/",
        "failed   /p/c.jpg (truncated: no end)",
        "gone     1,200 photos below /p",
        "         you already have /p/a.jpg: /p/x.jpg (identical)",
        "         you already have /p/a.jpg: /p/y.jpg (close hashes, 0.97)",
        "looked   /p: 12 files: 1 added, 2 could not be read (imgcat problems), in 1.3 s",
        "looked   /p: 9 files, nothing new, in 0.50 s",
        "         following /p",
    ]


def test_r39_no_name_can_act_on_a_terminal(live: Live, stream: io.StringIO) -> None:
    evil = b"/p/\x1b[2J\n\r\x9b\xff\xe2\x80\xae"
    live.changed(Change(Happening.MOVED, evil, before=evil, detail=evil.decode(errors="ignore")))
    live.already_there(AlreadyThere(evil, evil, Kind.IDENTICAL, 1.0))
    live.looked(evil, Tally(), 1)
    live.changed_many(Happening.ADDED, 2, evil)
    live.say(evil.decode("utf-8", "surrogateescape"))
    assert len(said(stream)) == 5
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\udcff]", stream.getvalue())


def test_colours_are_for_terminals(stream: io.StringIO) -> None:
    Live(stream, Look(colour=True)).changed(Change(Happening.GONE, b"/p/a.jpg"))
    assert "\x1b[31mgone     \x1b[0m/p/a.jpg" in stream.getvalue()


def test_a_log_has_dates_and_what_is_in_the_way_of_a_line_is_taken_away(
    stream: io.StringIO,
) -> None:
    taken: list[int] = []
    live = Live(stream, Look(), dated=True, before=lambda: taken.append(1))
    live.say("one")
    live.say("two")
    assert taken == [1, 1]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d           one\n.*\n", stream.getvalue())


def test_whoever_read_it_may_be_gone(live: Live, stream: io.StringIO) -> None:
    stream.close()
    live.say("nobody hears this")


def test_lines_of_several_threads_stay_lines(live: Live, stream: io.StringIO) -> None:
    def many() -> None:
        for _ in range(200):
            live.say("x" * 50)

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said(stream) == [" " * 9 + "x" * 50] * 800


def test_a_log_never_grows_without_end_and_is_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "_BYTES", 1000)
    path = tmp_path / "state" / "watch.log"
    log = RotatingLog(bytes(path))
    for number in range(500):
        log.write(f"line {number}\n")
    log.close()
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == [
        "watch.log",
        "watch.log.1",
        "watch.log.2",
        "watch.log.3",
    ]
    assert all(file.stat().st_size <= 1000 for file in files)
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.read_text().endswith("line 499\n")


def test_a_log_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "watch.log").mkdir()
    RotatingLog(bytes(tmp_path / "watch.log")).write("line\n")
    log = RotatingLog(bytes(tmp_path / "odd.log"))
    log.write("lone \udcff surrogate\n")
    log.close()
    assert (tmp_path / "odd.log").read_text() == "lone \\udcff surrogate\n"
