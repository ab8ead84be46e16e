"""``--print0``: paths as they are, each followed by a NUL, for ``xargs -0``. Nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from catalog.model import Group, Match, Pair, Problem


def write_groups(groups: Iterable[Group], stream: BinaryIO) -> None:
    """Every photo of every group, the kept one of each first."""
    for group in groups:
        _write(stream, group.keep.path, *(match.photo.path for match in group.matches))


def write_pairs(pairs: Iterable[Pair], stream: BinaryIO) -> None:
    """Two paths a pair: ``xargs -0 -n 2`` takes them together."""
    for pair in pairs:
        _write(stream, pair.first.path, pair.second.path)


def write_matches(matches: Iterable[Match], stream: BinaryIO) -> None:
    """The photos that matched, best first."""
    for match in matches:
        _write(stream, match.photo.path)


def write_problems(problems: Iterable[Problem], stream: BinaryIO) -> None:
    """The files that could not be read."""
    for problem in problems:
        _write(stream, problem.path)


def _write(stream: BinaryIO, *paths: bytes) -> None:
    stream.writelines(path + b"\0" for path in paths)
