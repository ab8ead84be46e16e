"""Decide, then do: what becomes of every copy, as a value that a person can read first.

A plan looks at the files (their stamps, not their bytes) and changes nothing. What it cannot
answer for it leaves alone, and says why. What is proved, byte for byte, is proved when it is
carried out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from catalog.actions.companions import Belonging, Neighbours
from catalog.actions.protected import Folders, upwards
from catalog.actions.units import check_order
from catalog.model import (
    ActionPlan,
    Companion,
    Deed,
    Group,
    Kind,
    Match,
    Order,
    Photo,
    Planned,
    PlannedGroup,
    Rule,
    Spared,
    Stamp,
)
from catalog.progress import SILENT, Phase, Progress

File = tuple[int, int]  # device and inode

_NO_LONGER_COMPLETE: Final = frozenset({Rule.STAMP_ON_FIRST, Rule.ALL_BUT_A_STAMP})


def plan(
    groups: Iterable[Group],
    order: Order,
    *,
    offline: Sequence[tuple[bytes, str]] = (),
    progress: Progress = SILENT,
) -> ActionPlan:
    """What ``order`` comes to for these groups, first to last.

    No file that is kept in one group goes in another, under whatever path or as a companion: the
    group that came first decides. By eye nothing goes that was to be kept in any of them. Raises
    UsageError where photos that were chosen by eye are to go elsewhere than to the trash.
    """
    check_order(order)
    progress.start(Phase.PLANNING)
    planner = _Planner(order)
    if order.by_eye:
        groups = tuple(groups)
        planner.keep(group.keep for group in groups)
    planned = []
    for group in groups:
        planned.append(planner.planned(group))
        progress.advance(1 + len(group.matches))
    return ActionPlan(order, tuple(planned), planner.bytes_won(), tuple(offline))


class _Planner:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._kept: set[File] = set()
        self._going: dict[File, list[os.stat_result]] = {}  # a status for each name of a file
        self._paths: set[bytes] = set()  # of what goes
        self._neighbours = Neighbours()
        self._protected = Folders(order.protected)
        self._device = None if order.folder is None else _device_of(order.folder)

    def keep(self, photos: Iterable[Photo]) -> None:
        """None of these goes, whatever comes first."""
        found = (_status(photo.path) for photo in photos)
        self._kept.update(_file(status) for status in found if status is not None)

    def planned(self, group: Group) -> PlannedGroup:
        group = self._with_a_keeper_that_stays(group)
        keep = _status(group.keep.path)
        if keep is None or not _is_still(keep, group.keep):
            return _all_spared(group, Spared.KEEPER_CHANGED)
        if _file(keep) in self._going:
            return _all_spared(group, Spared.KEEPER_GOES)
        self._kept.add(_file(keep))
        copies = tuple(self._copy(group.keep, keep, match) for match in group.matches)
        return PlannedGroup(group.keep, group.keep_reason, copies)

    def bytes_won(self) -> int:
        """Of files all of whose names go."""
        if self._order.deed is Deed.MOVE:
            return 0
        won = 0
        for names in self._going.values():
            if self._order.deed is Deed.REFLINK or len(names) >= names[0].st_nlink:
                won += names[0].st_size
        return won

    def _with_a_keeper_that_stays(self, group: Group) -> Group:
        """One of equal files is as good to keep as another that goes with its companion."""
        status = _status(group.keep.path)
        if status is None or _file(status) not in self._going:
            return group
        if any(match.kind is not Kind.IDENTICAL for match in group.matches):
            return group
        for match in group.matches:
            other = _status(match.photo.path)
            if other is not None and _file(other) not in self._going:
                rest = [each for each in group.matches if each is not match]
                before = replace(match, photo=group.keep)
                return Group(match.photo, "kept with its companion", (before, *rest))
        return group

    def _copy(self, keep: Photo, keep_status: os.stat_result, match: Match) -> Planned:
        status = _status(match.photo.path)
        if status is None or not _is_still(status, match.photo):
            return Planned(match, spared=Spared.CHANGED)
        spared = self._spared(keep_status, match, status)
        if spared is not None:
            return Planned(match, spared=spared)
        companions: list[Companion] = []
        beside: tuple[bytes, ...] = ()
        if self._order.deed.takes_away:
            found = self._companions(keep.path, match.photo.path)
            if isinstance(found, bytes):
                return Planned(match, spared=Spared.COMPANION, detail=found)
            companions = found
            beside = tuple(each.path for each in self._neighbours.of(match.photo.path).values())
        paths = match.photo.path, *(each.path for each in companions)
        if any(self._is_kept(path) for path in paths):  # since now, for one of the companions
            return Planned(match, spared=Spared.KEPT)
        for path in paths:
            self._goes(path)
        return Planned(match, tuple(companions), beside=beside)

    def _spared(self, keep: os.stat_result, match: Match, status: os.stat_result) -> Spared | None:
        """The first reason to leave a copy alone, its companions aside."""
        path = match.photo.path
        if match.same_file or _file(status) == _file(keep):
            return Spared.SAME_FILE
        if self._protected.hold(path):
            return Spared.PROTECTED
        if _file(status) in self._kept:
            return Spared.KEPT
        if path in self._paths or len(self._going.get(_file(status), ())) >= status.st_nlink:
            return Spared.GOES_ALREADY  # the latter: all its names go, this is one of another mount
        if match.kind is not Kind.IDENTICAL and not self._order.by_eye:
            if match.more:
                return Spared.SHOWS_MORE
            if match.rule in _NO_LONGER_COMPLETE:
                return Spared.KEEPER_STAMPED
        return self._impossible(keep, path, status)

    def _impossible(
        self, keep: os.stat_result, path: bytes, status: os.stat_result
    ) -> Spared | None:
        """What the deed asks for and is not so."""
        deed = self._order.deed
        if deed is Deed.MOVE:
            assert self._order.folder is not None
            if _is_below(path, self._order.folder):
                return Spared.THERE_ALREADY
            return Spared.OTHER_DISK if status.st_dev != self._device else None
        if deed in (Deed.HARDLINK, Deed.REFLINK) and status.st_dev != keep.st_dev:
            return Spared.OTHER_DISK
        if deed is Deed.HARDLINK and _rights(status) != _rights(keep):
            return Spared.OTHER_RIGHTS
        return None

    def _companions(self, keep: bytes, copy: bytes) -> list[Companion] | bytes:
        """What goes with a copy; or the file that keeps it from going."""
        try:
            theirs, ours = self._neighbours.of(copy), self._neighbours.of(keep)
            like = set(self._neighbours.like(copy))
        except OSError:
            return os.path.dirname(copy)
        halves = {each.path for each in theirs.values() if each.picture}
        stay_beside = {path for path in like - halves if path not in self._paths}
        found = []
        for how, each in theirs.items():
            if each.path in self._paths:
                continue
            if each.shared and stay_beside:
                continue  # it belongs to a picture that stays, too
            companion = self._companion(each, ours.get(how))
            if companion is None:
                return each.path
            found.append(companion)
        return found

    def _companion(self, each: Belonging, equal: Belonging | None) -> Companion | None:
        """``each`` with its equal; None where it may not go."""
        status = _status(each.path)
        if status is None or self._protected.hold(each.path) or _file(status) in self._kept:
            return None
        beside = None if equal is None else _status(equal.path)
        if equal is not None and beside is not None and status.st_size == beside.st_size:
            if _file(beside) == _file(status) or _file(beside) in self._going:
                return None
            self._kept.add(_file(beside))
            return Companion(each.path, equal.path)
        alone = self._order.with_sidecars and not each.picture
        if alone and self._order.deed.takes_along:
            return Companion(each.path, None)
        return None

    def _is_kept(self, path: bytes) -> bool:
        status = _status(path)
        return status is not None and _file(status) in self._kept

    def _goes(self, path: bytes) -> None:
        status = _status(path)
        self._paths.add(path)
        if status is not None:
            self._going.setdefault(_file(status), []).append(status)


def _is_below(path: bytes, folder: bytes) -> bool:
    return path.startswith(folder.rstrip(b"/") + b"/")


def _status(path: bytes) -> os.stat_result | None:
    """Of a file that is there and is one."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _is_still(status: os.stat_result, photo: Photo) -> bool:
    """Whether it is the file that was indexed, and not an empty one."""
    return status.st_size > 0 and Stamp.of(status).agrees_but_for_ctime(photo.stamp)


def _file(status: os.stat_result) -> File:
    return status.st_dev, status.st_ino


def _rights(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mode, status.st_uid, status.st_gid


def _device_of(folder: bytes) -> int | None:
    """The file system that ``folder`` is on, or will be once it is made."""
    for path in upwards(folder):
        if os.path.isdir(path):
            return os.stat(path).st_dev
    return None


def _all_spared(group: Group, why: Spared) -> PlannedGroup:
    copies = tuple(Planned(match, spared=why) for match in group.matches)
    return PlannedGroup(group.keep, group.keep_reason, copies)
