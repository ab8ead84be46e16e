"""Small pictures kept between runs, in a folder of their own that may go away at any time.

A file is named after the content it was made of, so it never needs to be told that something
changed. Each ends with a sum of its name and bytes: one that a crash or another program left half
or put under another name is thrown away instead of shown.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import stat
import threading
import time
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

LIMIT: Final = 512 << 20  # bytes of all files
_OPEN_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SUM_BYTES: Final = 16
_MOST_BYTES: Final = 64 << 20  # of one file
_NAME: Final = re.compile(rb"[0-9a-f]{64}-[a-z]+-\d+")
_UNDER_WAY: Final = re.compile(rb"\.[0-9a-f]{64}-[a-z]+-\d+\.\d+-\d+")
_ABANDONED: Final = 3600.0  # seconds after which a file under way will not be finished
_USED: Final = 600.0  # seconds that a file's time of use may be behind
_PATIENCE: Final = 60.0  # seconds until a disk that took nothing is tried again
_PARTS: Final = 16  # of the limit, after one of which is looked whether it is reached
_LEFT: Final = 0.9  # of the limit, after a sweep


def cache_folder() -> bytes | None:
    """Where small pictures are kept for this user; None for one without a home."""
    import platformdirs

    try:
        folder = os.fsencode(platformdirs.user_cache_dir("imgcat", appauthor=False))
    except RuntimeError:
        return None
    # relative is what earlier releases of platformdirs say then
    return os.path.join(folder, b"previews") if os.path.isabs(folder) else None


class Drawer:
    """The folder. Whatever the disk does, all that happens is that nothing is kept.

    Several servers may use one folder. All methods may be called from any thread. Without a
    folder, or with a limit of 0, nothing is kept.
    """

    def __init__(self, folder: bytes | None, limit: int = LIMIT) -> None:
        self._folder = folder or b""
        self._limit = limit if folder else 0
        self._numbers = itertools.count()
        self._swept = threading.Lock()
        self._since = limit  # bytes put in since the last sweep; the first put looks
        self._given_up = 0.0  # time.monotonic() when the disk last took nothing

    def take(self, name: bytes) -> bytes | None:
        """What was put in under ``name``, whole; None where there is nothing."""
        path = os.path.join(self._folder, name)
        if not self._is_ours():
            return None
        try:
            descriptor = os.open(path, _OPEN_FLAGS)
        except OSError:
            return None
        with contextlib.suppress(OSError), os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
                return None
            content = file.read()
            found, told = content[:-_SUM_BYTES], content[-_SUM_BYTES:]
            if _sum(name, found) == told:
                self._touch(descriptor, status)
                return found
            os.unlink(path)
        return None

    def put(self, name: bytes, content: bytes) -> None:
        """Keep ``content`` under ``name``, and throw away what was not used for longest."""
        if len(content) + _SUM_BYTES > min(self._limit, _MOST_BYTES):
            return
        if self._given_up and time.monotonic() < self._given_up + _PATIENCE:
            return
        try:
            os.makedirs(os.path.dirname(self._folder), 0o700, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._folder, 0o700)
            if not self._is_ours():
                return
            self._write(name, content + _sum(name, content))
        except OSError:
            self._given_up = time.monotonic()
        self._sweep_after(len(content))

    def _write(self, name: bytes, content: bytes) -> None:
        """Under another name first, so that nobody sees half of it. Raises OSError."""
        mark = b"%d-%d" % (os.getpid(), next(self._numbers))
        under_way = os.path.join(self._folder, b".%s.%s" % (name, mark))
        try:
            with os.fdopen(os.open(under_way, _NEW_FLAGS, 0o600), "wb") as file:
                file.write(content)
            os.replace(under_way, os.path.join(self._folder, name))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(under_way)
            raise

    def _is_ours(self) -> bool:
        """Whether nobody else may put a picture in: people decide by what they see."""
        try:
            status = os.lstat(self._folder)
        except OSError:
            return False
        return (
            stat.S_ISDIR(status.st_mode)
            and status.st_uid == os.geteuid()
            and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        )

    def _touch(self, descriptor: int, status: os.stat_result) -> None:
        if abs(time.time() - status.st_mtime) > _USED:
            with contextlib.suppress(OSError):  # on a disk that cannot be written to
                os.utime(descriptor)

    def _sweep_after(self, size: int) -> None:
        if not self._swept.acquire(blocking=False):
            return
        try:
            self._since += size
            if self._since * _PARTS >= self._limit:
                self._since = 0
                self._sweep()
        finally:
            self._swept.release()

    def _sweep(self) -> None:
        found = sorted(self._kept())
        total = sum(size for _, size, _ in found)
        if total <= self._limit:
            return
        for _, size, path in found:
            with contextlib.suppress(OSError):  # another server was here first
                os.unlink(path)
            total -= size
            if total <= self._limit * _LEFT:
                return

    def _kept(self) -> Iterator[tuple[float, int, bytes]]:
        """Time of use, size and path of each file; what was never finished is thrown away.

        What has none of our names is not ours, and left alone.
        """
        try:
            entries = list(os.scandir(self._folder))
        except OSError:
            return
        for entry in entries:
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if not stat.S_ISREG(status.st_mode):
                    continue
                if _NAME.fullmatch(entry.name):
                    yield status.st_mtime, status.st_size, entry.path
                elif _UNDER_WAY.fullmatch(entry.name) and _is_abandoned(status):
                    os.unlink(entry.path)


def _is_abandoned(status: os.stat_result) -> bool:
    return status.st_mtime < time.time() - _ABANDONED


def _sum(name: bytes, content: bytes) -> bytes:
    key = blake2b(name, digest_size=32).digest()
    return blake2b(content, key=key, digest_size=_SUM_BYTES).digest()
