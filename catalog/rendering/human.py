"""Sizes, counts and times as people read them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_SECOND_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def size(count: int) -> str:
    """Bytes in decimal units, as disks are sold: ``512 B``, ``1.2 MB``, ``345 GB``."""
    if count < 1000:
        return f"{count} B"
    amount = float(count)
    for unit in ("KB", "MB", "GB", "TB", "PB"):
        amount /= 1000
        if amount < 99.95:
            return f"{amount:.1f} {unit}"
        if amount < 999.5:
            return f"{amount:.0f} {unit}"
    return f"{amount:,.0f} PB"


def counted(count: int, one: str, many: str = "") -> str:
    """``1 photo``, ``1,234 photos``; ``many`` where an s is not enough."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """``0.03 s``, ``3.2 s``, ``42 s``, ``3 min 12 s``, ``2 h 5 min``."""
    if seconds < 0.995:
        return f"{seconds:.2f} s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def ago(then_ns: int, now_ns: int | None = None) -> str:
    """How long ago a moment was; from a month on, and in the future, its date."""
    passed = ((time.time_ns() if now_ns is None else now_ns) - then_ns) // _SECOND_NS
    if not 0 <= passed < 30 * 86400:
        return minute(then_ns)
    if passed < 60:
        return "just now"
    if passed < 3600:
        return f"{passed // 60} min ago"
    if passed < 86400:
        return f"{passed // 3600} h ago"
    return f"{counted(passed // 86400, 'day')} ago"


def minute(moment_ns: int) -> str:
    """``2021-07-04 12:31`` in local time."""
    return f"{utc(moment_ns).astimezone():%Y-%m-%d %H:%M}"


def utc(moment_ns: int) -> datetime:
    """The moment, to the microsecond below it. The catalog's times end in the year 2262."""
    return _EPOCH + timedelta(microseconds=moment_ns // 1000)
