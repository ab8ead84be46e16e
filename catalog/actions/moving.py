"""Files change their places here, and never at the cost of another file.

Everything is asked of the kernel in one call where it has such a call; where it has none,
what is done instead says why nothing can be lost by it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import platform
import secrets
import signal
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Final, NamedTuple, TypeAlias

_RENAME_NOREPLACE: Final = 1
_RENAME_EXCHANGE: Final = 2
_AT_FDCWD: Final = -100
# The number of renameat2 where libc has no function of that name: musl, glibc before 2.28.
_RENAMEAT2: Final = {
    "x86_64": 316,
    "aarch64": 276,
    "riscv64": 276,
    "loongarch64": 276,
    "ppc64le": 357,
    "s390x": 347,
}
_UNABLE: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})

_FIDEDUPERANGE: Final = 0xC0189436
_DEDUPE_RANGE: Final = struct.Struct("=QQHHI qQQiI")  # file_dedupe_range, and one _info
_DIFFERS: Final = 1
_MOST_AT_ONCE: Final = 16 << 20  # btrfs takes no more in one call

# Lease requests on NFS 4 and SMB fail with EAGAIN as well where the server has granted nothing.
_LEASED_BY_A_SERVER: Final = frozenset({0x6969, 0xFF534D42, 0xFE534D42})

_BY_NUMBER: Final = b"/proc/self/fd/%d"
_PIECE: Final = 1 << 20
_KEPT_BY_A_COPY: Final = ("user.", "system.posix_acl_access")  # of the extended attributes

_Rename: TypeAlias = Callable[[int, bytes, int, bytes, int], int]


class Differs(Exception):
    """The kernel compared the bytes of two files, and they are not the same."""


class Identity(NamedTuple):
    """What stays of a file's status when the file is renamed. (Its ctime does not.)"""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Identity:
        """The part of ``status`` that renaming leaves alone."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def identity_of(path: bytes) -> Identity | None:
    """What stands at ``path``, a symbolic link for itself; None where nothing does.

    Raises the OSError of anything else that keeps it from being looked at.
    """
    try:
        return Identity.of(os.lstat(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


# -- renaming --------------------------------------------------------------------------------


def rename_exclusive(source: bytes, target: bytes) -> None:
    """Give a file another name, on the same mount, that nothing has yet.

    Raises FileExistsError where something stands at ``target``, be it another link to the same
    file, and OSError where it cannot be done. Then ``source`` is as it was, with one exception:
    see ``_link_and_unlink``.
    """
    number = _renameat2(source, target, _RENAME_NOREPLACE)
    if number in _UNABLE:
        _link_and_unlink(source, target)
    elif number:
        raise OSError(number, os.strerror(number), source, None, target)


def exchange(one: bytes, other: bytes) -> None:
    """Each of two files takes the name of the other, at one instant.

    Raises OSError, with ENOTSUP where the system or the file system knows no such thing: two
    renamings would leave a moment in which one name leads nowhere.
    """
    number = _renameat2(one, other, _RENAME_EXCHANGE)
    if number in _UNABLE:
        number = errno.ENOTSUP
    if number:
        raise OSError(number, os.strerror(number), one, None, other)


def _renameat2(source: bytes, target: bytes, flags: int) -> int:
    """0, or the number of the error."""
    if b"\0" in source or b"\0" in target:  # C would take what stands before it for the name
        raise ValueError("embedded null byte")
    if _rename is None:
        return errno.ENOSYS
    ctypes.set_errno(0)
    failed = _rename(_AT_FDCWD, source, _AT_FDCWD, target, flags)
    return ctypes.get_errno() if failed else 0


def _find_renameat2() -> _Rename | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    types = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    try:
        function = libc.renameat2
    except AttributeError:
        number = _RENAMEAT2.get(platform.machine())
        if number is None or sys.maxsize < 1 << 32:  # 32-bit programs have other numbers
            return None
        libc.syscall.argtypes = (ctypes.c_long, *types)
        libc.syscall.restype = ctypes.c_long
        return lambda *arguments: int(libc.syscall(number, *arguments))
    function.argtypes = types
    function.restype = ctypes.c_int
    return lambda *arguments: int(function(*arguments))


_rename: _Rename | None = _find_renameat2()


def _link_and_unlink(source: bytes, target: bytes) -> None:
    """Rename in two steps: link(2) never takes a name that something has, as its error says.

    The file has a name all the time. ``source`` is unlinked only while it is that same file; a
    save by renaming that hits the few microseconds between this look and the unlinking is not
    seen. Where another file is at ``source``, ``target`` may be the last name of the one that
    was to be moved: it stays, and OSError (ESTALE) says that both are there.
    """
    os.link(source, target, follow_symlinks=False)
    try:
        _unlink_linked(source, target)
    except BaseException:
        if (there := _inode(source)) is not None and there == _inode(target):
            os.unlink(target)
        raise


def _unlink_linked(source: bytes, target: bytes) -> None:
    if (there := _inode(source)) is None:
        return  # somebody unlinked it meanwhile: it has moved all the same
    if there != _inode(target):
        why = "another file has taken its name while it was moved"
        raise OSError(errno.ESTALE, why, source, None, target)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(source)


def _inode(path: bytes) -> tuple[int, int] | None:
    found = identity_of(path)
    return None if found is None else found[:2]


def sync_folders(folders: Iterable[bytes]) -> None:
    """Have the names in these folders outlive a power cut, each folder once.

    Raises OSError, after which nothing is known to be on the disk. File systems that cannot
    sync a folder (EINVAL) write its names as they come, or never promise anything.
    """
    for folder in dict.fromkeys(folders):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise OSError(error.errno, error.strerror, folder) from error
        finally:
            os.close(descriptor)


def sync_file(descriptor: int) -> None:
    """Have the bytes of an open file outlive a power cut, whoever wrote them. Raises OSError."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EROFS):  # nothing is ever written there
            raise


# -- sharing ---------------------------------------------------------------------------------


def share_blocks(keeper: int, victim: int, size: int) -> None:
    """Have the first ``size`` bytes of two open files stored once (FIDEDUPERANGE).

    The kernel compares the bytes itself, with both files locked, and nobody can see a
    difference afterwards: each stays the file it is, with its times and modes. ``victim`` must
    be open for writing, or be ours. Raises Differs where a byte does, and OSError where the
    file system cannot share; what was shared until then stays shared, which is harmless.
    """
    offset = 0
    while offset < size:
        # The last block may be a part of one: up to the end of a file counts as a whole block.
        length = min(size - offset, _MOST_AT_ONCE)
        request = bytearray(_DEDUPE_RANGE.pack(offset, length, 1, 0, 0, victim, offset, 0, 0, 0))
        fcntl.ioctl(keeper, _FIDEDUPERANGE, request)
        *_, shared, status, _ = _DEDUPE_RANGE.unpack(request)
        if status == _DIFFERS:
            raise Differs(f"the files differ after byte {offset}")
        if status < 0:
            raise OSError(-status, os.strerror(-status))
        if not 0 < shared <= length:
            raise OSError(errno.EIO, f"{shared} of {length} bytes were shared")
        offset += shared


# -- others who have the file open -----------------------------------------------------------


def being_written(descriptor: int) -> bool:
    """Whether anybody has this file open for writing; False also where that cannot be asked.

    ``descriptor`` must be open for reading only. The kernel grants a read lease only while
    nobody writes (Linux, local file systems, our own files, or as root). It is given back at
    once; somebody who opens the file for writing in between waits for that moment.
    """
    if sys.platform != "linux" or _kind(descriptor) in _LEASED_BY_A_SERVER:
        return False
    # The holder of a lease is told by a signal that somebody wants to write: SIGIO unless
    # another is chosen, and SIGIO ends a process. SIGURG does nothing, unless it is caught.
    fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        with contextlib.suppress(OSError):  # there is none to give back
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, 0)
    return False


@cache
def _libc() -> ctypes.CDLL:
    """Each one that is made has a class of its own, which takes longer than what it is asked."""
    return ctypes.CDLL(None)


def _kind(descriptor: int) -> int:
    """The magic number of the file system, as statfs(2) has it in its first word; 0 unknown."""
    status = (ctypes.c_uint32 * 64)()  # struct statfs is 120 bytes long at most
    if _libc().fstatfs(ctypes.c_int(descriptor), ctypes.byref(status)):
        return 0
    return int(status[0] or status[1])  # a long of 64 bits, either end first, and small


# -- new files -------------------------------------------------------------------------------


@contextlib.contextmanager
def new_file(target: bytes) -> Iterator[int]:
    """A descriptor to write a new file by, which is at ``target`` once the block has ended.

    Nothing may be there. Where Linux lets it have no name until then, a crash leaves nothing of
    it; elsewhere a hidden file is left. Raises FileExistsError and other OSErrors; then, and when
    the block is interrupted, nothing is left of it.
    """
    descriptor = _open_nameless(os.path.dirname(target))
    if descriptor is None:
        with _new_hidden(target) as descriptor:
            yield descriptor
        return
    try:
        yield descriptor
        # Only linkat(2) follows the link, and os.link calls that only with a descriptor.
        os.link(_BY_NUMBER % descriptor, target, src_dir_fd=descriptor, follow_symlinks=True)
    finally:
        os.close(descriptor)


def _open_nameless(folder: bytes) -> int | None:
    if not hasattr(os, "O_TMPFILE") or not os.path.isdir(os.path.dirname(_BY_NUMBER)):
        return None
    try:
        return os.open(folder, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in _UNABLE | {errno.EISDIR}:
            return None
        raise


@contextlib.contextmanager
def _new_hidden(target: bytes) -> Iterator[int]:
    name = b".imgcat-" + secrets.token_hex(8).encode() + b".part"
    hidden = os.path.join(os.path.dirname(target), name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(hidden, flags, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
        rename_exclusive(hidden, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(hidden)  # nobody else has a name made of 64 random bits
        raise


def copy_exclusive(
    source: int,
    target: bytes,
    *,
    mode: int,
    mtime_ns: int,
    atime_ns: int | None = None,
    uid: int = -1,
    gid: int = -1,
) -> Identity:
    """A new file at ``target``, where nothing is yet, with what ``source`` holds.

    It gets its name when all of it is on the disk; the folder is not synced. The owner (-1: as
    new files have it), extended attributes and an access list are given where that is allowed.
    The offset of ``source`` stays. Raises what ``new_file`` raises.
    """
    with new_file(target) as copy:
        _copy_bytes(source, copy)
        _give_owner(copy, uid, gid)
        _copy_attributes(source, copy)
        os.fchmod(copy, mode)
        read_ns = os.fstat(copy).st_atime_ns if atime_ns is None else atime_ns
        os.utime(copy, ns=(read_ns, mtime_ns))
        os.fsync(copy)
        return Identity.of(os.fstat(copy))


def _copy_bytes(source: int, copy: int) -> None:
    offset = 0
    while piece := os.pread(source, _PIECE, offset):
        offset += len(piece)
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(copy, rest) :]


def _give_owner(copy: int, uid: int, gid: int) -> None:
    for owner, group in ((-1, gid), (uid, -1)):  # a group of one's own may be given by anybody
        try:
            os.fchown(copy, owner, group)
        except OSError as error:  # EINVAL: an owner that does not exist in a container
            if error.errno != errno.EPERM and error.errno not in _UNABLE:
                raise


def _copy_attributes(source: int, copy: int) -> None:
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):  # a file system without them has none to lose
        for name in os.listxattr(source):
            if name.startswith(_KEPT_BY_A_COPY):
                with contextlib.suppress(OSError):
                    os.setxattr(copy, name, os.getxattr(source, name))
