"""A second mount of a folder that remembers for a minute what it once was told of a file.

So do NFS, SMB, sshfs and pools of disks, for seconds. It speaks to /dev/fuse itself: see fuse(4)
and <linux/fuse.h>. It knows how files are looked at and read, and no more.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from typing import Final

from tests.support import killed, started, unmount

_REMEMBERED: Final = 60  # seconds

_HEADER: Final = struct.Struct("=IIQQIIII")  # of a request: its number is third, its node fourth
_ANSWER: Final = struct.Struct("=IiQ")
_LOOKUP, _FORGET, _GETATTR, _OPEN, _READ, _RELEASE, _FLUSH = 1, 2, 3, 14, 15, 18, 25
_INIT, _OPENDIR, _READDIR, _RELEASEDIR, _BATCH_FORGET = 26, 27, 28, 29, 42
_TOP: Final = 1


@contextlib.contextmanager
def remembering(source: bytes, top: bytes) -> Iterator[None]:
    """All that is below ``source`` is below ``top`` as well. Raises OSError where it cannot be."""
    descriptor = os.open("/dev/fuse", os.O_RDWR)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        wishes = b"fd=%d,rootmode=40000,user_id=%d,group_id=%d"
        wishes %= (descriptor, os.geteuid(), os.getegid())
        if libc.mount(b"again", top, b"fuse", 0, wishes):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        child = started(lambda: _Server(descriptor, source).serve())
    finally:
        os.close(descriptor)
    try:
        yield
    finally:
        unmount(top, lazily=True)
        killed(child)


class _Server:
    def __init__(self, descriptor: int, source: bytes) -> None:
        self._descriptor = descriptor
        self._paths = [b"", source]  # by node

    def serve(self) -> None:
        while True:
            request = os.read(self._descriptor, 1 << 20)
            _, what, number, node, *_ = _HEADER.unpack_from(request)
            if what in (_FORGET, _BATCH_FORGET):
                continue
            failed, answer = 0, b""
            try:
                answer = self._answer(what, node, request[_HEADER.size :])
            except OSError as error:
                failed = error.errno or errno.EIO
            os.write(self._descriptor, _ANSWER.pack(16 + len(answer), -failed, number) + answer)

    def _answer(self, what: int, node: int, body: bytes) -> bytes:
        if what == _INIT:
            return struct.pack("=4I2H2I2H7I", 7, 31, 0, 0, 12, 9, 1 << 16, 1, 16, *[0] * 8)
        if what == _LOOKUP:
            path = os.path.join(self._paths[node], body.rstrip(b"\0"))
            status = os.lstat(path)
            if path not in self._paths:
                self._paths.append(path)
            node = self._paths.index(path)
            entry = struct.pack("=4Q2I", node, 0, _REMEMBERED, _REMEMBERED, 0, 0)
            return entry + _attributes(status, node)
        if what == _GETATTR:
            status = os.lstat(self._paths[node])
            return struct.pack("=Q2I", _REMEMBERED, 0, 0) + _attributes(status, node)
        if what in (_OPEN, _OPENDIR):
            return struct.pack("=Q2I", os.open(self._paths[node], os.O_RDONLY), 0, 0)
        if what == _READ:
            handle, offset, size = struct.unpack_from("=QQI", body)
            return os.pread(handle, size, offset)
        if what in (_RELEASE, _RELEASEDIR):
            os.close(struct.unpack_from("=Q", body)[0])
        elif what not in (_READDIR, _FLUSH):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        return b""


def _attributes(status: os.stat_result, node: int) -> bytes:
    times = [divmod(ns, 10**9) for ns in (status.st_atime_ns, status.st_mtime_ns)]
    times.append(divmod(status.st_ctime_ns, 10**9))
    seconds, parts = zip(*times, strict=True)
    owner = status.st_mode, status.st_nlink, status.st_uid, status.st_gid
    sizes = node, status.st_size, status.st_blocks
    return struct.pack("=6Q3I7I", *sizes, *seconds, *parts, *owner, 0, 4096, 0)
