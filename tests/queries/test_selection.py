"""Sizes, dates and ages as people write them."""

from __future__ import annotations

import contextlib
import time
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import UsageError
from catalog.queries.selection import (
    EVERYTHING,
    Selection,
    moment_ns,
    selection_of,
    size_in_bytes,
)

DAY = 86_400


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("500", 500),
        (500, 500),
        ("500b", 500),
        ("500kB", 500_000),
        ("500 KB", 500_000),
        ("500k", 500_000),
        ("1.5 MB", 1_500_000),
        ("1.5m", 1_500_000),
        ("2GB", 2_000_000_000),
        ("2GiB", 2 << 30),
        ("2gib", 2 << 30),
        ("1Ki", 1024),
        ("1T", 10**12),
        (" 7 ", 7),
    ],
)
def test_a_size_is_what_people_mean_by_it(text: str | int, size: int) -> None:
    assert size_in_bytes(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-5",
        -5,
        "5 x",
        "kB",
        "1.5.5",
        "5 k b",
        "500i",
        "500 iB",
        "1e3",
        "0x10",
        "nan",
        "inf",
        "5,5 MB",
        "5PB",
    ],
)
def test_no_size_is_an_error_that_says_how_to_write_one(text: str | int) -> None:
    with pytest.raises(UsageError, match="a size is a number such as 500kB or 2MB, not"):
        size_in_bytes(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("36h", 36 * 3600),
        ("1 hour", 3600),
        ("7d", 7 * DAY),
        ("7 days", 7 * DAY),
        ("2w", 14 * DAY),
        ("2 weeks", 14 * DAY),
        ("3m", 90 * DAY),
        ("3 months", 90 * DAY),
        ("90min", 5400),
        ("90 minutes", 5400),
        ("1y", 365 * DAY),
        ("0.5 years", 365 * DAY / 2),
        ("7D", 7 * DAY),
    ],
)
def test_an_age_is_counted_back_from_now(text: str, seconds: float) -> None:
    before = time.time_ns()
    found = moment_ns(text) + int(seconds * 1e9)
    assert before <= found <= time.time_ns()


@pytest.mark.parametrize(
    "text", ["2024-05-01", "2024-05-01T12:00", "2024-05-01 12:00:30", "20240501"]
)
def test_a_date_is_that_of_the_clock_on_the_wall(text: str) -> None:
    assert moment_ns(text) == int(datetime.fromisoformat(text).timestamp() * 1e9)


def test_a_date_with_a_zone_is_of_that_zone() -> None:
    assert moment_ns("1970-01-02T01:00+01:00") == DAY * 10**9


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2024-13-01", "2024-02-30", "7", "-7d", "d", "1.2.3d", "5 mm"),
        *("7 dogs", "2 decades", "3 seconds", "2 milliseconds", "7 days ago"),
    ],
)
def test_no_date_and_no_age_is_an_error_that_says_how_to_write_one(text: str) -> None:
    with pytest.raises(UsageError, match="since is a date such as 2024-05-01, or an age such as"):
        moment_ns(text)


@pytest.mark.parametrize("digits", [30, 400])
def test_more_than_anything_is_a_number_too(digits: int) -> None:
    many = "9" * digits
    assert size_in_bytes(many) > 2**63
    assert moment_ns(f"{many}d") < -(2**63)


@given(st.text(max_size=12))
def test_no_text_is_any_other_error(text: str) -> None:
    for read in (size_in_bytes, moment_ns):
        with contextlib.suppress(UsageError):
            read(text)


def test_without_options_everything_is_selected() -> None:
    assert selection_of() == EVERYTHING == Selection()
    assert not EVERYTHING.walled
    EVERYTHING.check_plain()


@pytest.mark.parametrize(
    "options", [{"across": True}, {"min_size": "1kB"}, {"since": "7d"}], ids=str
)
def test_plain_hashes_know_no_selection(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="do not go with"):
        selection_of(**options).check_plain()


def test_only_a_border_makes_a_wall() -> None:
    assert selection_of(across=True).walled
    assert not selection_of(min_size=5, since="7d").walled
