"""The one door: a path in, a reading out, and never an exception about the file.

A reading stands between two equal stamps taken through the descriptor that was read, and
the path still led to that file afterwards. What was stored under a stamp is therefore what
the file held at that stamp. The first stamp is the one returned.
"""

from __future__ import annotations

import errno
import os
import stat
import time

from blake3 import blake3

from catalog.imaging import formats, limits
from catalog.imaging.failing import explain, one_line
from catalog.imaging.source import Source, open_source
from catalog.model import Failure, Outcome, Reading, Reason, Recipe, SameBytes, Stamp

OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PAUSES = (0.05, 0.2, 0.5)  # seconds before each further attempt at a file that changed
_CHUNK = 4 << 20  # bytes digested at a time where the file is not held in memory
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_VANISHED = frozenset((errno.ENOENT, errno.ENOTDIR))
_NOT_A_FILE = {errno.ELOOP: "a link, not a file", errno.ENXIO: "a socket, not a file"}


class _Changed(Exception):
    """The file is not what it was when reading began."""


def read(path: bytes, recipe: Recipe, known_digest: bytes | None = None) -> Reading:
    """Read, digest and decode one file.

    With ``known_digest``, equal bytes give SameBytes and are not decoded. Whatever the file
    is or does, the outcome is a value; only KeyboardInterrupt and SystemExit pass.
    """
    for pause in (*_PAUSES, None):
        begun = time.time_ns()
        try:
            stamp, outcome = _once(path, recipe, known_digest)
        except _Changed as changed:
            if pause is None:
                stamp = changed.args[0]
                return Reading(stamp, begun, Failure(Reason.UNSTABLE, "changed while it was read"))
            time.sleep(pause)
        else:
            return Reading(stamp, begun, outcome)
    raise AssertionError  # the last pause is None


def warm_up() -> None:
    """Import all that decoding needs, once, so that no file pays for it."""
    import scipy.fftpack  # noqa: F401

    from catalog.imaging import decode, jxl  # noqa: F401

    jxl.available()


def _once(path: bytes, recipe: Recipe, known: bytes | None) -> tuple[Stamp | None, Outcome]:
    """One attempt. Raises _Changed, with the first stamp, when the file changed meanwhile."""
    try:
        before = os.lstat(path)
        if not stat.S_ISREG(before.st_mode):
            return _stamp(before), _not_regular(before)  # opening a device may have effects
        descriptor = os.open(path, OPEN_FLAGS)
    except OSError as error:
        return None, _not_opened(error)
    except ValueError:  # a null byte
        return None, Failure(Reason.VANISHED, "no file can have that name")
    try:
        status = os.fstat(descriptor)
        stamp = _stamp(status)
        if not stat.S_ISREG(status.st_mode):
            return stamp, _not_regular(status)
        outcome = _outcome(descriptor, stamp.size, path, recipe, known)
        if _stamp(os.fstat(descriptor)) != stamp or not _still_there(path, status):
            raise _Changed(stamp)
    finally:
        os.close(descriptor)
    return stamp, outcome


def _outcome(
    descriptor: int, size: int, path: bytes, recipe: Recipe, known: bytes | None
) -> Outcome:
    """What the open file holds."""
    if size == 0:
        return Failure(Reason.TRUNCATED, "empty file")
    if size > limits.FILE_BYTES:
        return Failure(Reason.TOO_LARGE, f"a file of {size >> 20} MiB")
    try:
        source = open_source(descriptor, size, formats.suffix_of(path))
        digest = digest_of(source)
    except MemoryError as error:
        return explain(error)
    except OSError as error:
        return Failure(Reason.UNREADABLE, one_line(error.strerror or "input/output error"))
    if digest == known:
        return SameBytes(digest)
    # the parent of the workers imports this module too, and must stay small
    from catalog.imaging.decode import fingerprint

    return fingerprint(source, digest, recipe)


def digest_of(source: Source) -> bytes:
    """BLAKE3 of all bytes, 32 long."""
    if source.whole is not None:
        return blake3(source.whole).digest()
    digest = hasher()
    file = source.rewound()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.digest()


def hasher() -> blake3:
    """What makes the digest of a content, for whoever reads the bytes anyway."""
    return blake3()


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp.of(status)  # as the walk gives it


def _still_there(path: bytes, status: os.stat_result) -> bool:
    """Whether the path leads to the file that was read, unchanged."""
    try:
        now = os.lstat(path)
    except OSError:
        return False
    return _stamp(now) == _stamp(status) and now.st_dev == status.st_dev


def _not_regular(status: os.stat_result) -> Failure:
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
    return Failure(Reason.NOT_REGULAR, f"{kind}, not a file")


def _not_opened(error: OSError) -> Failure:
    if error.errno in _VANISHED:
        return Failure(Reason.VANISHED, "")
    if error.errno in _NOT_A_FILE:  # it was one a moment ago
        return Failure(Reason.NOT_REGULAR, _NOT_A_FILE[error.errno])
    return Failure(Reason.UNREADABLE, one_line(error.strerror or "cannot be opened"))
