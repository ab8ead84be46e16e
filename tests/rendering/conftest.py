"""Answers to render, made from next to nothing, and names that want to do harm."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from catalog.model import Duplicates, Group, Kind, Match, Photo, Stamp

MakePhoto = Callable[..., Photo]

HOSTILE_NAMES = [
    b"new\nline",
    b"carriage\rreturn",
    b"tab\tbed",
    b"bell\x07",
    b"back\x08\x08\x08space",
    b"\x1b[31mred\x1b[0m",
    b"\x1b]0;title\x07",
    b"\x1b]8;;http://x\x07link\x1b]8;;\x07",
    b"\x1b[2J\x1b[H",
    b"\x1bP+q\x1b\\",
    b"\x7fdel",
    b"\x01\x02\x03\x04\x05\x06",
    b"\x0b\x0c\x0e\x0f\x10",
    b"c1 \xc2\x9b31m",
    b"next line \xc2\x85",
    b"not utf-8 \xff\xfe",
    b"latin \xe9t\xe9",
    b"cut \xe2\x82",
    b"overlong \xc0\xaf",
    b"surrogate \xed\xa0\x80",
    b"half byte \x9b31m",
    "rtl \u202egpj.exe".encode(),
    "isolate \u2066x\u2069".encode(),
    "marks \u200e\u200f\u061c".encode(),
    "embed \u202a\u202b\u202c\u202d".encode(),
    "line\u2028paragraph\u2029".encode(),
    "zero\u200bwidth\u200cnon\u2060joiner".encode(),
    "joined l\u200detters".encode(),
    "soft\u00adhyphen".encode(),
    "bom \ufeff".encode(),
    "tags \U000e0041\U000e007f".encode(),
    "filler \u3164\uffa0\u115f".encode(),
    "nonchar \uffff\ufffe".encode(),
    "annotated \ufff9a\ufffab\ufffb".encode(),
    b"back\\slash",
    b"\\x0a",
    b'"quoted"',
    b"'single'",
    b"comma, semi; colon:",
    b"=1+1",
    b"+cmd|' /C calc'!A0",
    b"-2+3",
    b"@SUM(A1)",
    b"\t=tab formula",
    b"\r=return formula",
    b"[bold red]markup[/bold red] [/] [link=x]",
    b":smile: %s %d %(name)s {0} {name}",
    b"   ",
    b" leading and trailing ",
    b"--option",
    b"$(rm -rf ~) `id` ; & | > <",
    "emoji \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f\u200d\U0001f525".encode(),
    "e\u0301 nfd, \u00e9 nfc, \u65e5\u672c\u8a9e, \u05e2\u05d1\u05e8\u05d9\u05ea".encode(),
    b"x" * 300,
]


@pytest.fixture(autouse=True)
def utc_time(monkeypatch: pytest.MonkeyPatch):
    """Local time is UTC, wherever the tests run."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def hostile_names() -> list[bytes]:
    assert len(HOSTILE_NAMES) >= 50
    return HOSTILE_NAMES


@pytest.fixture
def photo() -> MakePhoto:
    return make_photo


def make_photo(path: bytes = b"/photos/a.jpg", **fields) -> Photo:
    """A photo of 2 MB; every path is another file with other bytes unless told otherwise."""
    own = sum(path) + len(path)
    stamp = Stamp(
        size=fields.pop("size", 2_000_000),
        mtime_ns=fields.pop("mtime_ns", 1_625_400_000_123_456_789),
        ctime_ns=0,
        inode=fields.pop("inode", own),
    )
    plain = {
        "filesystem": 1,
        "content": own,
        "digest": bytes(32),
        "format": "JPEG",
        "width": 4032,
        "height": 3024,
        "orientation": 1,
        "taken_at": None,
        "camera": None,
        "flat": False,
        "frames": 1,
    }
    return Photo(path=path, stamp=stamp, **(plain | fields))


@pytest.fixture
def two_groups() -> Duplicates:
    """One group of equal files, one of them a hard link; one group by hash, with a flat one."""
    kept = make_photo(b"/photos/a.jpg", inode=1, taken_at="2021-07-04T12:31:05.12+02:00")
    link = make_photo(b"/photos/link.jpg", inode=1, taken_at=kept.taken_at)
    copy = make_photo(b"/photos/copy of a.jpg", inode=2, taken_at=kept.taken_at)
    small = make_photo(b"/phone/a.jpg", inode=3, size=312_400, width=1600, height=1200)
    blank = make_photo(b"/phone/blank.png", inode=4, size=999, width=20, height=30, flat=True)
    return Duplicates(
        groups=(
            Group(
                kept,
                "shorter path",
                (
                    Match(link, Kind.IDENTICAL, 0, 1.0, same_file=True),
                    Match(copy, Kind.IDENTICAL, 0, 1.0),
                ),
            ),
            Group(
                small,
                "more pixels",
                (Match(copy, Kind.SAME, 1, 0.98765), Match(blank, Kind.HASH, 3, 1 - 3 / 64)),
            ),
        )
    )
