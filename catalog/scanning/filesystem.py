"""Which file system a folder is on, by a name that outlives unplugging and rebooting.

Device numbers change with the order in which drives are found. A drive that is not there
must never be mistaken for a folder whose photos were deleted.
"""

from __future__ import annotations

import functools
import os
import re
import stat
from dataclasses import dataclass
from typing import Final

_MOUNTS: Final = "/proc/self/mountinfo"
_UUIDS: Final = "/dev/disk/by-uuid"
# Their subvolumes share one UUID and count inodes each for itself; f_fsid tells them apart.
_BY_FSID: Final = frozenset({"btrfs", "zfs", "bcachefs"})
# They number their files anew at each mount, or whenever they like, and keep no time of the
# last change of a file's record: only size and time of modification tell anything there.
_ANONYMOUS: Final = frozenset(
    {
        *("vfat", "msdos", "exfat", "9p", "cifs", "smb3", "smbfs", "vboxsf", "drvfs", "ncpfs"),
        *("fuse", "fuseblk"),
    }
)
_KERNEL: Final = frozenset(
    {
        *("proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "debugfs", "tracefs"),
        *("securityfs", "configfs", "pstore", "bpf", "mqueue", "efivarfs", "fusectl"),
    }
)


# Others may change what is on them, and the kernel here does not hear of it: a server, another
# machine, the host of this one, a process behind FUSE, or the layers below an overlay.
_SILENT: Final = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse", "fuseblk", "vboxsf", "virtiofs"),
        *("drvfs", "ncpfs", "ceph", "afs", "glusterfs", "lustre", "overlay", "prl_fs"),
    }
)


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system at its place in the tree."""

    point: bytes
    kind: str
    device: int

    @property
    def is_silent(self) -> bool:
        """Whether files on it may change without an event."""
        return self.kind in _SILENT or self.kind.startswith("fuse.")


@dataclass(frozen=True, slots=True)
class Presence:
    """What stands at a path now. ``identity`` is None where there is no folder to list."""

    identity: str | None
    device: int = 0
    inode: int = 0
    empty: bool = False
    why: str = ""  # where identity is None, or the folder cannot be listed


def look(path: bytes) -> Presence:
    """What stands at ``path``: the file system, and whether the folder holds anything."""
    try:
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode):
            return Presence(None, why="it is not a folder any more")
        with os.scandir(path) as entries:
            empty = next(entries, None) is None
    except FileNotFoundError:
        return Presence(None, why="it is not there")
    except OSError as error:
        return Presence(None, why=error.strerror or str(error))
    except ValueError:  # a null byte, out of a damaged catalog
        return Presence(None, why="no folder can have that name")
    return Presence(identity(path, status.st_dev), status.st_dev, status.st_ino, empty)


def identity(path: bytes, device: int) -> str:
    """The name of the file system with this device number, which ``path`` is on."""
    return _identity(device, path) or f"device:{device:x}"


def is_kernel_made(device: int) -> bool:
    """Whether files with this device number are windows into the kernel, not files kept."""
    return _mounts().get(device, ("", ""))[0] in _KERNEL


def tells_files_apart(device: int) -> bool:
    """Whether inode numbers and change times of this file system outlive a mount."""
    kind = _mounts().get(device, ("", ""))[0]
    return kind not in _ANONYMOUS and not kind.startswith("fuse.")


def forget_mounts() -> None:
    """Look at the mount table anew at the next question."""
    _mounts.cache_clear()
    _known.clear()


_known: dict[int, str | None] = {}


def _identity(device: int, path: bytes) -> str | None:
    if device not in _known:
        _known[device] = _find_identity(device, path)
    return _known[device]


def _find_identity(device: int, path: bytes) -> str | None:
    kind, source = _mounts().get(device, ("", ""))
    if kind not in _BY_FSID:
        if source.startswith("/dev/"):
            uuid = _uuid_of(source)
            if uuid:
                return f"uuid:{uuid}"
        elif ":" in source or source.startswith("//"):
            return f"{kind}:{source}"  # a network share is what it is mounted from
    try:
        number = os.statvfs(path).f_fsid
    except OSError:
        return None
    return f"fsid:{number:x}" if number else None


def _uuid_of(source: str) -> str | None:
    block = os.path.realpath(source)
    try:
        with os.scandir(_UUIDS) as entries:
            return next((e.name for e in entries if os.path.realpath(e.path) == block), None)
    except OSError:
        return None


def mounts() -> list[Mount]:
    """What is mounted now, from Linux's mount table, in its order; empty elsewhere."""
    return [Mount(point, kind, device) for point, kind, _, device in _table()]


@functools.cache
def _mounts() -> dict[int, tuple[str, str]]:
    """Device number -> (type, source), as of the last ``forget_mounts``."""
    return {device: (kind, source) for _, kind, source, device in _table()}


def _table() -> list[tuple[bytes, str, str, int]]:
    """Mount point, type, source and device number of each line of the mount table."""
    found: list[tuple[bytes, str, str, int]] = []
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                # "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue"
                before, _, after = line.partition(" - ")
                _, _, number, _, point, *_ = before.split(" ")
                major, minor = number.split(":")
                kind, source = after.split(" ")[:2]
                device = os.makedev(int(major), int(minor))
                found.append((_unescaped(os.fsencode(point)), kind, source, device))
    except (OSError, ValueError, IndexError):
        return []
    return found


def _unescaped(name: bytes) -> bytes:
    """A name of the mount table, where blanks and the like are written as ``\\040``."""
    return re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), name)
