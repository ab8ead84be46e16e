"""Sizes and times as people read them."""

from __future__ import annotations

import pytest

from catalog.rendering import human

SECOND = 1_000_000_000
NOW = 1_625_400_000 * SECOND  # 2021-07-04 12:00:00 UTC


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (1234, "1.2 KB"),
        (99_949, "99.9 KB"),
        (99_951, "100 KB"),
        (999_499, "999 KB"),
        (999_500, "1.0 MB"),
        (45_200_000, "45.2 MB"),
        (1_000_000_000, "1.0 GB"),
        (3 * 10**12, "3.0 TB"),
        (10**15, "1.0 PB"),
        (1234 * 10**15, "1,234 PB"),
    ],
)
def test_size(count, words):
    assert human.size(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.00 s"),
        (0.031, "0.03 s"),
        (0.996, "1.0 s"),
        (3.21, "3.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (192, "3 min 12 s"),
        (3599.7, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_duration(seconds, words):
    assert human.duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (86399, "23 h ago"),
        (86400, "1 day ago"),
        (29 * 86400, "29 days ago"),
        (30 * 86400, "2021-06-04 12:00"),
        (-60, "2021-07-04 12:01"),
    ],
)
def test_ago(seconds, words):
    assert human.ago(NOW - seconds * SECOND, NOW) == words


def test_counted():
    assert human.counted(1, "photo") == "1 photo"
    assert human.counted(0, "photo") == "0 photos"
    assert human.counted(1234, "match", "matches") == "1,234 matches"


def test_minute_is_local_time(monkeypatch):
    import time

    assert human.minute(NOW) == "2021-07-04 12:00"
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    assert human.minute(NOW) == "2021-07-04 21:00"


@pytest.mark.parametrize("moment_ns", [-(2**63), -1, 0, 2**63 - 1])
def test_every_time_of_the_catalog_has_a_date(moment_ns):
    assert human.minute(moment_ns)
    assert human.utc(moment_ns).microsecond == moment_ns // 1000 % 1_000_000
