"""Both files in hand, every byte compared: what must be so before one of them is taken away.

Two descriptors are opened and stay open until the copy is where it goes. What was compared is then
told by them, whatever was put at the paths meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from catalog.actions.moving import Identity, being_written
from catalog.imaging.reading import OPEN_FLAGS, hasher
from catalog.model import Stamp

_CHUNK: Final = 1 << 20
_DIFFERS: Final = "its bytes are not those of the kept one"


class Unproved(Exception):
    """Why a file must stay; in a few words for a person."""


@dataclass(slots=True)
class Held:
    """An open file: what it was when it was opened, and all that its path has to lead to."""

    path: bytes
    descriptor: int
    status: os.stat_result

    @classmethod
    def open(cls, path: bytes, whose: str) -> Held:
        """Raises Unproved where ``path`` is no file that can be read; ``whose`` it is, in words."""
        try:
            descriptor = os.open(path, OPEN_FLAGS)
        except OSError as error:
            raise Unproved(f"{whose} {_not_opened(error)}") from error
        held = cls(path, descriptor, os.fstat(descriptor))
        if not stat.S_ISREG(held.status.st_mode):
            held.close()
            raise Unproved(f"{whose} is not a file any more")
        return held

    @property
    def file(self) -> tuple[int, int]:
        """Device and inode."""
        return self.status.st_dev, self.status.st_ino

    @property
    def identity(self) -> Identity:
        """What is left of a status when a file is renamed."""
        return Identity.of(self.status)

    def unchanged(self, *, but_renamed: bool = False) -> bool:
        """Whether the open file is what it was. Renaming it and linking to it change its ctime."""
        now = os.fstat(self.descriptor)
        if but_renamed:
            return Identity.of(now) == self.identity
        return Identity.of(now) == self.identity and now.st_ctime_ns == self.status.st_ctime_ns

    def in_place(self) -> bool:
        """Whether its path still leads to it, unchanged.

        It is opened once more for that: what NFS, SMB and FUSE remember of a file they tell for
        seconds after another mount has moved it, and only opening asks for the file itself.
        """
        try:
            anew = Held.open(self.path, "it")
        except Unproved:
            return False
        anew.close()
        return self.unchanged() and anew.identity == self.identity

    def renamed(self) -> None:
        """One of its names was given away or is new, which changed its ctime and nothing else."""
        now = os.fstat(self.descriptor)
        if Identity.of(now) == self.identity:
            self.status = now

    def close(self) -> None:
        """Let go of it; does nothing the second time."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


@dataclass(frozen=True, slots=True)
class Proof:
    """A copy and the file that is kept for it, both open; ``digest`` is that of the copy."""

    copy: Held
    keeper: Held | None  # None: it goes along with its photo, and has no equal
    digest: bytes

    def check(self, *, moved: bool = False) -> None:
        """Raise Unproved unless the keeper is where it was, and both are what was compared.

        ``moved`` says that the copy was renamed since.
        """
        if not self.copy.unchanged(but_renamed=moved):
            raise Unproved("it changed after it was compared")
        if self.keeper is not None and not self.keeper.in_place():
            raise Unproved("the kept one changed or went after it was compared")

    def check_unwritten(self) -> None:
        """Raise Unproved where somebody has the copy open for writing, before it goes for good."""
        _check_quiet(self.copy, "it")

    def close(self) -> None:
        """Let go of both."""
        self.copy.close()
        if self.keeper is not None:
            self.keeper.close()


def equal_bytes(copy: bytes, keeper: bytes) -> Proof:
    """Compare every byte of the two. Raises Unproved, with the reason, where they are not one."""
    with _both(copy, keeper) as (ours, theirs):
        return Proof(ours, theirs, _compared(ours, theirs))


def known_bytes(copy: tuple[bytes, bytes], keeper: tuple[bytes, bytes]) -> Proof:
    """Both, each a path and the digest that its bytes must have: those that were just matched."""
    with _both(copy[0], keeper[0]) as (ours, theirs):
        _check_digest(ours, copy[1], "it")
        _check_digest(theirs, keeper[1], "the kept one")
        return Proof(ours, theirs, copy[1])


def alone(path: bytes) -> Proof:
    """A file that goes along with its photo."""
    with contextlib.ExitStack() as failing:
        held = Held.open(path, "it")
        failing.callback(held.close)
        _check_quiet(held, "it")
        proof = Proof(held, None, digest_of(held, "it"))
        failing.pop_all()
    return proof


@contextlib.contextmanager
def _both(copy: bytes, keeper: bytes) -> Iterator[tuple[Held, Held]]:
    """Two files that are not one, open; closed where the block is not left by returning."""
    with contextlib.ExitStack() as failing:
        ours = Held.open(copy, "it")
        failing.callback(ours.close)
        theirs = Held.open(keeper, "the kept one")
        failing.callback(theirs.close)
        _check_apart(ours, theirs)
        yield ours, theirs
        failing.pop_all()


def _check_apart(ours: Held, theirs: Held) -> None:
    one, other = ours.status, theirs.status
    if (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino):
        raise Unproved("it is another name of the kept file")
    if not one.st_size:
        raise Unproved("it is empty")
    _check_quiet(ours, "it")
    _check_quiet(theirs, "the kept one")


def _check_quiet(held: Held, whose: str) -> None:
    if being_written(held.descriptor):
        raise Unproved(f"{whose} is open for writing in another program")


def _compared(ours: Held, theirs: Held) -> bytes:
    """The digest of both."""
    if ours.status.st_size != theirs.status.st_size:
        raise Unproved(_DIFFERS)
    digest = hasher()
    mine, other = _buffer(ours), _buffer(theirs)
    offset = 0
    while True:
        count = _read(ours, mine, offset, "it")
        if count != _read(theirs, other, offset, "the kept one"):
            raise Unproved(_DIFFERS)
        if not count:
            break
        if count < len(mine):
            del mine[count:], other[count:]
        if mine != other:  # by memcmp; memoryviews are compared number by number
            raise Unproved(_DIFFERS)
        digest.update(mine)
        offset += count
    _check_whole(ours, offset, "it")
    _check_whole(theirs, offset, "the kept one")
    return digest.digest()


def _check_digest(held: Held, digest: bytes, whose: str) -> None:
    if digest_of(held, whose) != digest:
        raise Unproved(f"{whose} changed since it was indexed")


def digest_of(held: Held, whose: str) -> bytes:
    digest = hasher()
    buffer, offset = _buffer(held), 0
    while count := _read(held, buffer, offset, whose):
        digest.update(memoryview(buffer)[:count])
        offset += count
    _check_whole(held, offset, whose)
    return digest.digest()


def _buffer(held: Held) -> bytearray:
    """A byte more than a small file has, which tells whether it grew."""
    return bytearray(min(_CHUNK, held.status.st_size + 1))


def _read(held: Held, buffer: bytearray, offset: int, whose: str) -> int:
    """Fill ``buffer`` from ``offset``, less only at the end of the file; returns the count."""
    filled = 0
    while filled < len(buffer):
        try:
            count = os.preadv(held.descriptor, [memoryview(buffer)[filled:]], offset + filled)
        except OSError as error:
            raise Unproved(f"{whose} cannot be read: {error.strerror}") from error
        if not count:
            break
        filled += count
    return filled


def _check_whole(held: Held, count: int, whose: str) -> None:
    """Stamps around the reading: ctime as well, as nothing of ours changed it meanwhile."""
    now = os.fstat(held.descriptor)
    if count != held.status.st_size or Stamp.of(now) != Stamp.of(held.status):
        raise Unproved(f"{whose} changed while it was compared")


def _not_opened(error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "is gone"
    if error.errno == errno.ELOOP:
        return "is not a file any more"
    return f"cannot be opened: {error.strerror}"
