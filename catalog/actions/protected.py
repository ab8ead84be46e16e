"""Folders in which nothing is touched, told by what they are: other paths lead to the same ones."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

from catalog.actions.trash import mount_id


class Folders:
    """Folders, and all that lies below them, by whatever path: links, bind mounts and ``..``."""

    def __init__(self, paths: Sequence[bytes]) -> None:
        self._paths = paths
        self._files = {_file(path) for path in paths if os.path.isdir(path)}
        self._known: dict[bytes, bool] = {}

    def hold(self, path: bytes) -> bool:
        """Whether the file at ``path`` lies below one of them."""
        if not self._paths:
            return False
        folder = os.path.dirname(path)
        if folder not in self._known:
            self._known[folder] = self._hold(folder)
        return self._known[folder]

    def _hold(self, folder: bytes) -> bool:
        # As it is written, and as links in it lead: what was moved, a link in its place.
        real = os.path.realpath(folder)
        if any(map(self._is_one, {*upwards(folder), *upwards(real)})):
            return True
        spot = _spot(real, self._mounts)
        return spot is not None and any(spot.is_below(each) for each in self._spots)

    def _is_one(self, folder: bytes) -> bool:
        if folder in self._paths:
            return True
        try:
            return _file(folder) in self._files
        except OSError:
            return True  # what cannot be looked at is not touched

    @cached_property
    def _mounts(self) -> dict[int, _Mount]:
        return _mounts()

    @cached_property
    def _spots(self) -> list[_Spot]:
        found = (_spot(os.path.realpath(path), self._mounts) for path in self._paths)
        return [spot for spot in found if spot is not None]


def upwards(folder: bytes) -> Iterable[bytes]:
    """The folder and all above it."""
    while True:
        yield folder
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above


# -- where a folder is in its file system ----------------------------------------------------------


class _Mount(NamedTuple):
    device: bytes
    root: bytes  # the folder of the file system that is shown
    top: bytes  # where


class _Spot(NamedTuple):
    """A folder by its path in the file system: the same through all mounts that show it."""

    device: bytes
    path: bytes

    def is_below(self, other: _Spot) -> bool:
        whole = os.path.join(other.path, b"")
        return self.device == other.device and os.path.join(self.path, b"").startswith(whole)


def _spot(folder: bytes, mounts: dict[int, _Mount]) -> _Spot | None:
    """Of a real path; None where the system does not tell."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC)
        try:
            mount = mounts.get(mount_id(descriptor))
        finally:
            os.close(descriptor)
        if mount is not None:
            below = os.path.relpath(folder, mount.top)
            return _Spot(mount.device, os.path.normpath(os.path.join(mount.root, below)))
    return None


def _mounts() -> dict[int, _Mount]:
    """By id, as proc(5) says; empty on other systems than Linux."""
    found = {}
    with contextlib.suppress(OSError), open("/proc/self/mountinfo", "rb") as lines:
        for line in lines:
            number, _, device, root, top, *_ = line.split(b" ")
            found[int(number)] = _Mount(device, _plain(root), _plain(top))
    return found


def _plain(escaped: bytes) -> bytes:
    """Blanks, tabs, line feeds and backslashes are written in octal digits there."""
    return re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), escaped)


def _file(path: bytes) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino
