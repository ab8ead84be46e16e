r"""Groups and pairs as CSV (RFC 4180: header row, ``\r\n``, quotes where needed) for spreadsheets.

A cell that starts like a formula gets a leading ``'``: a file named ``=HYPERLINK(...)`` must not
run when the table is opened. ``path_b64`` holds the exact bytes wherever the path cell does not:
where the name is not UTF-8, was guarded in that way, or was escaped for a terminal.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TextIO

from catalog.escaping import base64_of, exact_text, printable
from catalog.model import Group, Kind, Match, Pair
from catalog.rendering.structured import moment

GROUP_COLUMNS = (
    "group",  # counts from 1
    "keep",  # yes for one photo of each group, else no
    "path",
    "path_b64",
    "kind",
    "distance",
    "score",
    "size",  # bytes
    "width",
    "height",
    "mtime",
    "taken_at",
    "reclaimable",  # bytes this row adds to what can be freed: summed, the total
    "orientation",  # 1-8, as EXIF would say it, for this photo to lie as the kept one
    "rule",  # what decided
)
PAIR_COLUMNS = ("path", "path_b64", "other", "other_b64", "distance", "kind", "score")

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\0")


def write_groups(groups: Iterable[Group], stream: TextIO) -> None:
    """A row a photo, the kept one of each group first. Open ``stream`` with ``newline=""``."""
    table = csv.writer(stream)
    table.writerow(GROUP_COLUMNS)
    for number, group in enumerate(groups, 1):
        table.writerows(_rows(number, group, escape=stream.isatty()))


def write_pairs(pairs: Iterable[Pair], stream: TextIO) -> None:
    """A row a pair. Open ``stream`` with ``newline=""``."""
    escape = stream.isatty()
    table = csv.writer(stream)
    table.writerow(PAIR_COLUMNS)
    for pair in pairs:
        first, second = (_path_cells(p.path, escape) for p in (pair.first, pair.second))
        score = "" if pair.score is None else round(pair.score, 4)
        table.writerow((*first, *second, pair.distance, pair.kind.value, score))


def _rows(number: int, group: Group, *, escape: bool) -> Iterator[tuple[str | int | float, ...]]:
    kept = Match(group.keep, Kind.IDENTICAL, distance=0, score=1.0)
    counted = {group.keep.file}
    for match in chain([kept], group.matches):
        photo = match.photo
        file = photo.file
        yield (
            number,
            "yes" if match is kept else "no",
            *_path_cells(photo.path, escape),
            match.kind.value,
            match.distance,
            round(match.score, 4),
            photo.stamp.size,
            photo.width,
            photo.height,
            moment(photo.stamp.mtime_ns),
            _guarded(printable(photo.taken_at or "")),
            0 if file in counted else photo.stamp.size,  # a file of many names is freed once
            match.orientation,
            "" if match.rule is None else match.rule.value,
        )
        counted.add(file)


def _path_cells(path: bytes, escape: bool) -> tuple[str, str]:
    """The path as text, and its exact bytes in base64 where that text is not the path."""
    exact = exact_text(path)
    cell = _guarded(printable(path) if escape or exact is None else exact)
    return cell, "" if cell == exact else base64_of(path)


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell
