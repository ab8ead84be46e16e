"""A tree of folders as a stream of listings, parents before children.

Symbolic links are not followed, and a folder is walked once, however many names a bind
mount gives it; one that is moved during the walk, at each place where it is met.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from catalog.model import Stamp, signed64
from catalog.scanning import filesystem
from catalog.scanning.filters import Filters

# name, size, mtime_ns, ctime_ns, inode: plain tuples, because a rescan makes 200,000 of them
File = tuple[bytes, int, int, int, int]
_FITS: Final = 2**63 - 1
_TYPE_BITS: Final = 0o170000
_LINK: Final = stat.S_IFLNK


@dataclass(frozen=True, slots=True)
class Listing:
    """One folder as it is now.

    ``error`` says why it could not be listed whole; then ``files`` and ``folders`` mean nothing.
    ``gone`` tells that it was not there any more when it was its turn.
    """

    path: bytes  # absolute
    device: int
    inode: int
    files: list[File] = field(default_factory=list)
    folders: list[bytes] = field(default_factory=list)  # names that are to be walked
    empty: bool = False  # nothing at all in there, wanted or not
    error: str | None = None
    gone: bool = False


def walk(
    top: bytes,
    filters: Filters,
    enter: Callable[[bytes, int, int], bool],
    root: bytes | None = None,
) -> Iterator[Listing]:
    """List ``top`` and what is below it, as far as ``filters`` and ``enter`` want.

    ``enter(path, device, inode)`` is asked before a folder is listed. ``root`` is the folder
    that patterns count from (``top`` itself if not given).
    """
    base = root if root is not None else top
    wants_file, wants_folder = filters.files(), filters.folders()
    seen: dict[tuple[int, int], bytes] = {}
    waiting = [top]
    while waiting:
        path = waiting.pop()
        try:
            status = os.lstat(path)
        except OSError as error:
            yield _failed(path, 0, 0, error)
            continue
        device, inode = status.st_dev, signed64(status.st_ino)
        if not stat.S_ISDIR(status.st_mode) or _is_still(seen.get((device, inode)), device, inode):
            continue
        seen[device, inode] = path
        if not enter(path, device, inode):
            continue
        below = path[len(base) :].lstrip(b"/")
        listing = _list(path, device, inode, below, wants_file, wants_folder)
        yield listing
        prefix = path if path.endswith(b"/") else path + b"/"
        waiting.extend(prefix + name for name in reversed(listing.folders))


def _is_still(path: bytes | None, device: int, inode: int) -> bool:
    """Whether the folder that was met at ``path`` is there now; else it was moved meanwhile."""
    if path is None:
        return False
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return (status.st_dev, signed64(status.st_ino)) == (device, inode)


def _list(
    path: bytes,
    device: int,
    inode: int,
    below: bytes,
    wants_file: Callable[[bytes, bytes], bool],
    wants_folder: Callable[[bytes, bytes], bool],
) -> Listing:
    files: list[File] = []
    folders: list[bytes] = []
    empty = True
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                empty = False
                name = entry.name
                if entry.is_dir(follow_symlinks=False):
                    if wants_folder(below, name):
                        folders.append(name)
                elif wants_file(below, name):
                    _add_file(entry, name, files)
        after = os.lstat(path)
    except OSError as error:
        return _failed(path, device, inode, error)
    if (after.st_dev, signed64(after.st_ino)) != (device, inode):
        # Unmounted or replaced meanwhile: what was listed belongs to something else.
        return Listing(path, device, inode, error="it was replaced while it was listed")
    folders.sort()
    if not filesystem.tells_files_apart(device):
        files = [(name, *Stamp(*stamp).anonymous()) for name, *stamp in files]
    return Listing(path, device, inode, files, folders, empty)


def _add_file(entry: os.DirEntry[bytes], name: bytes, files: list[File]) -> None:
    # Half of a rescan's time is spent here: each look-up and call counts 200,000 times.
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return  # gone since the folder was read: as if it had not been there
    if status.st_mode & _TYPE_BITS == _LINK:
        return
    mtime, ctime, inode = status.st_mtime_ns, status.st_ctime_ns, status.st_ino
    if inode > _FITS or mtime > _FITS or ctime > _FITS or mtime < -_FITS or ctime < -_FITS:
        mtime, ctime, inode = signed64(mtime), signed64(ctime), signed64(inode)
    files.append((name, status.st_size, mtime, ctime, inode))


def _failed(path: bytes, device: int, inode: int, error: OSError) -> Listing:
    gone = isinstance(error, FileNotFoundError | NotADirectoryError)
    return Listing(path, device, inode, error=error.strerror or str(error), gone=gone)
