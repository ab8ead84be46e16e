"""The trash of Linux and BSD desktops: freedesktop.org's trash specification, version 1.0.

A trash is on one mount. A file goes to the trash on its own mount or to none, so that moving it
there is a renaming: nothing is copied, and nothing is deleted. For one file the caller takes
``free_place``, writes the place down durably, calls ``record`` (and looks for another place
where that raises FileExistsError), renames the file without replacing, and looks whether what
has moved is what was meant.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias
from urllib.parse import quote_from_bytes, unquote_to_bytes

from catalog.actions.moving import identity_of, new_file
from catalog.escaping import printable

_FILES: Final = b"files"
_INFO: Final = b"info"
_SUFFIX: Final = b".trashinfo"
_PATH: Final = b"Path="
_MOST_INFO: Final = 1 << 16  # bytes; a path of 4,096 takes three times as many at most
_LONGEST_NAME: Final = 255 - len(_SUFFIX)  # bytes; the .trashinfo is a file as well
_LONGEST_ENDING: Final = 32  # ".jpeg" is one; what is longer is part of the name

_Spot: TypeAlias = tuple[int, int]  # mount id (0 where the system tells none), device number


class NoTrash(Exception):
    """There is no trash that a file can be moved to; the text says why, in a short phrase."""


@dataclass(frozen=True, slots=True)
class Trash:
    """One trash: ``folder`` holds files/ and info/.

    Where ``top`` is given, the real path of the top of a mount, the trash is for files below it,
    and remembers their paths relative to it.
    """

    folder: bytes
    top: bytes | None = None
    # How far each name was counted, so that the next file of that name need not begin anew.
    _counted: dict[bytes, int] = field(default_factory=dict, init=False, compare=False, repr=False)

    def prepare(self) -> None:
        """Make files/ and info/ where they are missing. Raises NoTrash."""
        for name in (_FILES, _INFO):
            _make_own(os.path.join(self.folder, name))

    def free_place(self, name: bytes, taken: Container[bytes] = ()) -> bytes:
        """A path for a file of this name, which nothing has, no .trashinfo and not ``taken``.

        The name is ``name``, or else a number stands before its ending: ``IMG_1.2.jpg``.
        """

        def place(number: int) -> bytes:
            return os.path.join(self.folder, _FILES, _numbered(name, number))

        def is_free(number: int) -> bool:
            path = place(number)
            return (
                path not in taken
                and identity_of(path) is None
                and identity_of(info_of(path)) is None
            )

        if is_free(1):
            return place(1)
        number = self._counted.get(name, 2)
        if not is_free(number):
            number = _first(is_free, number)
        self._counted[name] = number
        return place(number)

    def record(self, place: bytes, original: bytes, when: datetime | None = None) -> None:
        """Write down where the file that will be at ``place`` was, and when it was trashed.

        ``original`` is absolute; ``when`` is now by default, and is written in local time. The
        folder is not synced. Raises FileExistsError where another file's record is there, and
        other OSErrors; then nothing is left of it.
        """
        moment = datetime.now() if when is None else when
        if moment.tzinfo is not None:
            moment = moment.astimezone().replace(tzinfo=None)
        text = (
            f"[Trash Info]\nPath={quote_from_bytes(self._remembered(original), safe='/')}\n"
            f"DeletionDate={moment.isoformat(timespec='seconds')}\n"
        )
        # Found whole or not at all, also by who looks for what a crash has left.
        with new_file(info_of(place)) as made, open(made, "wb", closefd=False) as file:
            file.write(text.encode("ascii"))
            file.flush()
            os.fsync(made)

    def _remembered(self, original: bytes) -> bytes:
        if not os.path.isabs(original):
            raise ValueError(f"{printable(original)} is not absolute")
        if self.top is None:
            return original
        real = os.path.join(os.path.realpath(os.path.dirname(original)), os.path.basename(original))
        top = os.path.join(self.top, b"")
        if not real.startswith(top):
            raise NoTrash(f"{printable(original)} is not below {printable(self.top)} any more")
        return real[len(top) :]


def info_of(place: bytes) -> bytes:
    """The path of the .trashinfo for a file at ``place``, which is in the files/ of a trash."""
    files, name = os.path.split(place)
    folder, last = os.path.split(files)
    if last != _FILES or not name:
        raise ValueError(f"{printable(place)} is no place in a trash")
    return os.path.join(folder, _INFO, name + _SUFFIX)


def records(place: bytes, original: bytes) -> bool:
    """Whether the .trashinfo for ``place`` says that it was at ``original``."""
    try:
        with open(info_of(place), "rb") as file:
            lines = file.read(_MOST_INFO).splitlines()
    except (OSError, ValueError):
        return False
    path = next((line[len(_PATH) :] for line in lines if line.startswith(_PATH)), b"")
    remembered = unquote_to_bytes(path)
    return remembered == original or original.endswith(b"/" + remembered)


def unrecord(place: bytes, original: bytes) -> None:
    """Remove the .trashinfo for ``place`` if it is about ``original``: another's is not ours."""
    if records(place, original):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(info_of(place))


def trash_for(path: bytes) -> Trash:
    """The trash for the file at ``path``, ready to be used. Raises NoTrash."""
    return Trashes().of(path)


class Trashes:
    """Finds the trash for each of many files, looking at each folder and each mount once."""

    def __init__(self) -> None:
        self._folders: dict[bytes, Trash | NoTrash] = {}
        self._spots: dict[bytes, _Spot] = {}
        self._mounts: dict[tuple[bytes, _Spot], Trash | NoTrash] = {}

    def of(self, path: bytes) -> Trash:
        """The trash for the file at ``path``, ready to be used. Raises NoTrash."""
        folder = os.path.dirname(path)
        if folder not in self._folders:
            self._folders[folder] = self._for_folder(os.path.realpath(folder))
        found = self._folders[folder]
        if isinstance(found, NoTrash):
            raise NoTrash(*found.args)
        return found

    def _for_folder(self, folder: bytes) -> Trash | NoTrash:
        try:
            spot = self._spot(folder)
            top = self._top(folder, spot)
        except OSError as error:
            return NoTrash(f"{printable(folder)}: {error.strerror}")
        if (top, spot) not in self._mounts:
            self._mounts[top, spot] = _find(top, spot)
        found = self._mounts[top, spot]
        if isinstance(found, Trash) and _is_within(folder, os.path.realpath(found.folder)):
            return NoTrash("it is in the trash already")
        return found

    def _top(self, folder: bytes, spot: _Spot) -> bytes:
        """The highest folder above ``folder`` (a real path) from which it can be renamed to."""
        while (above := os.path.dirname(folder)) != folder and self._spot(above) == spot:
            folder = above
        return folder

    def _spot(self, folder: bytes) -> _Spot:
        if folder not in self._spots:
            self._spots[folder] = _spot_of(folder)
        return self._spots[folder]


# -- where a trash is ------------------------------------------------------------------------


def _find(top: bytes, spot: _Spot) -> Trash | NoTrash:
    """The trash for a mount, or why none of those that might be is one."""
    reasons = []
    for trash in _candidates(top):
        try:
            if _made_ready(trash, spot):
                return trash
        except NoTrash as reason:
            reasons.append(str(reason))
        except OSError as error:
            reasons.append(f"{printable(trash.folder)}: {error.strerror}")
    return NoTrash("; ".join(reasons))


def _made_ready(trash: Trash, spot: _Spot) -> bool:
    """False where it is the trash in the home folder, and that is on another mount."""
    if trash.top is None:
        if _spot_of(_nearest(trash.folder)) != spot:
            return False
        _make_home(trash.folder)
    else:
        _make_own(trash.folder)
    trash.prepare()
    if any(_spot_of(os.path.join(trash.folder, name)) != spot for name in (_FILES, _INFO)):
        raise NoTrash(f"{printable(trash.folder)} is on another file system")
    return True


def _candidates(top: bytes) -> Iterator[Trash]:
    data = os.environb.get(b"XDG_DATA_HOME", b"")
    if not os.path.isabs(data):  # the specification has a relative one ignored
        data = os.path.expanduser(b"~/.local/share")
    if os.path.isabs(data):
        yield Trash(os.path.join(data, b"Trash"))
    user = b"%d" % os.geteuid()
    common = os.path.join(top, b".Trash")
    if _is_for_everybody(common):
        yield Trash(os.path.join(common, user), top)
    yield Trash(os.path.join(top, b".Trash-" + user), top)


def _is_for_everybody(common: bytes) -> bool:
    """Whether an administrator made it for all: without the sticky bit others could empty it."""
    try:
        mode = os.lstat(common).st_mode
    except OSError:
        return False
    return stat.S_ISDIR(mode) and bool(mode & stat.S_ISVTX)


def _make_home(folder: bytes) -> None:
    """The trash in the home folder, which may be a symbolic link; its parents as need be.

    Nothing is made in the home of another user: he could not use a trash that belongs to us.
    """
    status = os.stat(_nearest(folder))
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise NoTrash(f"{printable(folder)} is not a folder of one's own")
    missing = []
    while not os.path.exists(folder) and folder != os.path.dirname(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for path in reversed(missing):
        _make_own(path)


def _make_own(folder: bytes) -> None:
    """Make a folder for us alone, or see that it is a real one of our own that can be written.

    Raises NoTrash: a link may lead anywhere, and what belongs to others they may empty.
    """
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise NoTrash(f"{printable(folder)} cannot be made: {error.strerror}") from error
    status = os.lstat(folder)
    if stat.S_ISLNK(status.st_mode):
        raise NoTrash(f"{printable(folder)} is a symbolic link")
    if not stat.S_ISDIR(status.st_mode):
        raise NoTrash(f"{printable(folder)} is not a folder")
    if status.st_uid != os.geteuid():  # also what a file system without owners made just now
        raise NoTrash(f"{printable(folder)} belongs to another user")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NoTrash(f"{printable(folder)} cannot be written")


def _nearest(path: bytes) -> bytes:
    """``path``, or the nearest folder above it that is there."""
    while not os.path.exists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def _is_within(folder: bytes, other: bytes) -> bool:
    return folder == other or folder.startswith(os.path.join(other, b""))


def _spot_of(folder: bytes) -> _Spot:
    """What must be equal of two folders for a file to be renamed from one to the other.

    A bind mount has the device number of what it shows, and a subvolume of btrfs is no mount;
    a renaming crosses neither.
    """
    descriptor = os.open(folder, getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC)
    try:
        return mount_id(descriptor), os.fstat(descriptor).st_dev
    finally:
        os.close(descriptor)


def mount_id(descriptor: int) -> int:
    """The number of the mount that an open file is on; 0 where the system tells none."""
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", "rb") as lines:
            for line in lines:
                key, _, value = line.partition(b":")
                if key == b"mnt_id":
                    return int(value)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise
    return 0


# -- names -----------------------------------------------------------------------------------


def _numbered(name: bytes, number: int) -> bytes:
    """``name``, from 2 on with a number before its ending, its stem cut where it is too long."""
    stem, ending = os.path.splitext(name)
    if len(ending) > _LONGEST_ENDING:
        stem, ending = name, b""
    if number > 1:
        ending = b".%d%s" % (number, ending)
    return _cut(stem, _LONGEST_NAME - len(ending)) + ending


def _cut(stem: bytes, room: int) -> bytes:
    if len(stem) <= room:
        return stem
    try:
        stem.decode()
    except UnicodeDecodeError:
        return stem[:room]
    return stem[:room].decode(errors="ignore").encode()  # no half of a character


def _first(is_free: Callable[[int], bool], taken: int) -> int:
    """A number above ``taken`` that is free, the first where there are no gaps.

    Steps that double, and halving the last one, find the ten-thousandth name in 30 looks.
    """
    step = 1
    while not is_free(free := taken + step):
        taken, step = free, 2 * step
    while free - taken > 1:
        middle = (taken + free) // 2
        if is_free(middle):
            free = middle
        else:
            taken = middle
    return free
