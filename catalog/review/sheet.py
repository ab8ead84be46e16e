"""The file that a page is written to: there as a whole, or as it was before."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self, TextIO

from catalog.actions import moving
from catalog.actions.moving import Identity
from catalog.errors import CatalogError, UsageError
from catalog.escaping import printable

# How each page begins: by this, one of ours is known, and may be replaced by a newer one.
OPENING: Final = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="generator" content="imgcat dupes '
)
_MODE: Final = 0o644


def check(place: bytes) -> None:
    """Raise UsageError where a page may not be written at ``place``, or where it has no folder.

    Nothing is opened but what stands there, if it is a file.
    """
    _standing(_real(place))


class Sheet:
    """A text file in the making, that is at ``place`` once the block has ended without an error.

    Until then it has another name beside it, and else it is removed. Raises UsageError as
    ``check``, and CatalogError where it cannot be written.
    """

    def __init__(self, place: bytes) -> None:
        self._name = printable(place)
        self._place = _real(place)
        self._before = _standing(self._place)
        self._left = contextlib.ExitStack()
        self.length = 0  # bytes, of what was written whole

    def write(self, text: str) -> None:
        with self._told():
            self._file.write(text)

    def __enter__(self) -> Self:
        with self._told():
            self._file: TextIO = self._left.enter_context(_landing(self._place, self._before))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._told():
            if error is None:
                self._file.flush()
                self.length = os.fstat(self._file.fileno()).st_size
            self._left.__exit__(kind, error, trace)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """What the system says against it, for a person."""
        try:
            yield
        except OSError as error:
            why = error.strerror or "input/output error"
            raise CatalogError(f"{self._name} cannot be written: {why}") from error


def _real(place: bytes) -> bytes:
    """Where a link leads is written, and the link stays one."""
    return os.path.realpath(place)


def _standing(place: bytes) -> Identity | None:
    """The page of ours that is there; None where nothing is. Raises UsageError for all else."""
    name = printable(place)
    if not os.path.isdir(os.path.dirname(place)):
        raise UsageError(f"there is no folder {printable(os.path.dirname(place))} to write to")
    if not os.access(os.path.dirname(place), os.W_OK | os.X_OK):
        raise UsageError(f"{name} cannot be written: its folder does not allow it")
    try:
        status = os.lstat(place)
        if stat.S_ISDIR(status.st_mode):
            raise UsageError(f"{name} is a folder: name the file that is to be written")
        if not stat.S_ISREG(status.st_mode) or not _is_ours(place):
            raise UsageError(
                f"{name} is there already, and is no page that imgcat made: nothing is written over"
            )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{name} cannot be looked at: {error.strerror}") from error
    return Identity.of(status)


def _is_ours(place: bytes) -> bool:
    """Whether a file begins as our pages do."""
    opening = OPENING.encode()
    with open(place, "rb") as file:
        return file.read(len(opening)) == opening


@contextlib.contextmanager
def _landing(place: bytes, before: Identity | None) -> Iterator[TextIO]:
    """A file to write, that goes to ``place`` if what stands there is still what was ``before``."""
    hidden = os.path.join(
        os.path.dirname(place), b".imgcat-%s.html" % secrets.token_hex(8).encode()
    )
    try:
        with moving.new_file(hidden) as descriptor:
            os.fchmod(descriptor, _MODE & ~_umask())
            with open(descriptor, "w", encoding="utf-8", newline="\n", closefd=False) as file:
                yield file
            moving.sync_file(descriptor)
        if before is None or moving.identity_of(place) != before:
            moving.rename_exclusive(hidden, place)  # what came meanwhile is not ours
        else:
            os.replace(hidden, place)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(hidden)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
