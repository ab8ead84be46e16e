"""The five ways to be rid of a copy, each in the steps that make it safe.

``take`` moves a file (or puts a link in its place) and then looks whether it was the one that was
compared, and whether the kept one still is there: moving the kept file by another of its names
makes it vanish, whatever told the names apart. ``finish`` is what cannot be taken back, and comes
once all before it is durable. Whatever goes wrong, ``returning`` brings the file home.
"""

from __future__ import annotations

import itertools
import os
import secrets
import sys
from collections.abc import Container
from typing import Final, Protocol

from catalog.actions.elsewhere import system_trash
from catalog.actions.moving import (
    Differs,
    exchange,
    identity_of,
    rename_exclusive,
    share_blocks,
)
from catalog.actions.proving import Proof, Unproved
from catalog.actions.trash import Trashes
from catalog.model import Deed, Order

_ATTRIBUTES_OF_NO_MATTER: Final = frozenset({"security.selinux"})  # follow the path, not the file


class Way(Protocol):
    """How one deed is done to one file."""

    two_steps: bool  # whether something is left to ``finish``

    def place(self, path: bytes, taken: Container[bytes], /) -> bytes:
        """Where the file at ``path`` will be put; nothing is there, nor promised to another.

        Raises OSError or NoTrash where there is no such place.
        """

    def take(self, proof: Proof, place: bytes, /) -> None:
        """Raises OSError or Unproved; the file may be in its place even so."""

    def finish(self, proof: Proof, place: bytes, /) -> None:
        """What cannot be taken back."""


def way_of(order: Order, base: bytes, action: int) -> Way:
    """``base`` is the folder that the places of moved files keep their path below."""
    if order.deed is Deed.TRASH:
        return _IntoSystemTrash() if sys.platform == "darwin" else _IntoTrash()
    if order.deed is Deed.MOVE:
        assert order.folder is not None
        return _IntoFolder(order.folder, base)
    if order.deed is Deed.DELETE:
        return _ForGood(action)
    return _AsLink(action) if order.deed is Deed.HARDLINK else _AsClone()


def _moved(proof: Proof, place: bytes) -> None:
    """Move the copy, and look whether that was right."""
    proof.check()
    rename_exclusive(proof.copy.path, place)
    if identity_of(place) != proof.copy.identity:
        raise Unproved("another file had taken its place")
    proof.check(moved=True)


class _IntoTrash:
    two_steps = False

    def __init__(self) -> None:
        self._trashes = Trashes()

    def place(self, path: bytes, taken: Container[bytes], /) -> bytes:
        can = self._trashes.of(path)
        can.prepare()
        return can.free_place(os.path.basename(path), taken)

    def take(self, proof: Proof, place: bytes, /) -> None:
        self._trashes.of(proof.copy.path).record(place, proof.copy.path)
        _moved(proof, place)

    def finish(self, _proof: Proof, _place: bytes, /) -> None:
        pass


class _IntoSystemTrash:
    """Where the system keeps its trash to itself: it does not say where the file is then."""

    two_steps = False

    def place(self, path: bytes, _taken: Container[bytes], /) -> bytes:
        return path

    def take(self, proof: Proof, _place: bytes, /) -> None:
        proof.check()
        system_trash(proof.copy.path)
        proof.check(moved=True)

    def finish(self, _proof: Proof, _place: bytes, /) -> None:
        pass


class _IntoFolder:
    two_steps = False

    def __init__(self, folder: bytes, base: bytes) -> None:
        self._folder = folder
        self._base = base

    def place(self, path: bytes, taken: Container[bytes], /) -> bytes:
        wanted = os.path.join(self._folder, os.path.relpath(path, self._base))
        os.makedirs(os.path.dirname(wanted), exist_ok=True)
        stem, suffix = os.path.splitext(wanted)
        place, count = wanted, 1
        while place in taken or os.path.lexists(place):
            count += 1
            place = b"%b (%d)%b" % (stem, count, suffix)
        return place

    def take(self, proof: Proof, place: bytes, /) -> None:
        _moved(proof, place)

    def finish(self, _proof: Proof, _place: bytes, /) -> None:
        pass


class _Beside:
    """In two steps, between which the file lies in its folder under a hidden name."""

    two_steps = True

    def __init__(self, action: int) -> None:
        beginning = f".imgcat-{action}-{secrets.token_hex(4)}"  # no other catalog's action has that
        self._names = (f"{beginning}-{number}".encode() for number in itertools.count(1))

    def place(self, path: bytes, taken: Container[bytes], /) -> bytes:
        for name in self._names:
            place = os.path.join(os.path.dirname(path), name)
            if place not in taken and not os.path.lexists(place):
                return place
        raise AssertionError  # numbers do not end


class _ForGood(_Beside):
    """Moved aside within its folder before it is unlinked: what is unlinked was compared."""

    def take(self, proof: Proof, place: bytes, /) -> None:
        _check_attributes(proof)
        _moved(proof, place)

    def finish(self, proof: Proof, place: bytes, /) -> None:
        # Who opened it after it was compared still writes to it; by its name nobody can any more.
        proof.check_unwritten()
        proof.check(moved=True)
        if identity_of(place) != proof.copy.identity:
            raise Unproved("another file had taken its place")
        os.unlink(place)


class _AsLink(_Beside):
    """The name of the copy leads to the kept file, and always to one of the two."""

    def take(self, proof: Proof, place: bytes, /) -> None:
        assert proof.keeper is not None
        _check_attributes(proof)
        proof.check()
        os.link(proof.keeper.path, place, follow_symlinks=False)
        if identity_of(place) != proof.keeper.identity:
            raise Unproved("the kept one changed or went after it was compared")
        exchange(place, proof.copy.path)
        proof.keeper.renamed()
        self._check(proof, place)

    def finish(self, proof: Proof, place: bytes, /) -> None:
        proof.check_unwritten()  # as of one that goes for good
        self._check(proof, place)
        os.unlink(place)

    def _check(self, proof: Proof, place: bytes) -> None:
        assert proof.keeper is not None
        if identity_of(place) != proof.copy.identity:
            raise Unproved("another file had taken its place")
        if identity_of(proof.copy.path) != proof.keeper.identity:
            raise Unproved("another file took its name")
        proof.check(moved=True)


class _AsClone:
    """The kernel compares the bytes once more and lets both files share their blocks."""

    two_steps = False

    def place(self, path: bytes, _taken: Container[bytes], /) -> bytes:
        return path

    def take(self, proof: Proof, _place: bytes, /) -> None:
        assert proof.keeper is not None
        proof.check()
        try:
            share_blocks(proof.keeper.descriptor, proof.copy.descriptor, proof.copy.status.st_size)
        except Differs:
            raise Unproved("it changed after it was compared") from None

    def finish(self, _proof: Proof, _place: bytes, /) -> None:
        pass


def _check_attributes(proof: Proof) -> None:
    """What is not in the bytes, such as tags and access lists: nothing brings that back."""
    assert proof.keeper is not None
    if _attributes(proof.copy.descriptor) != _attributes(proof.keeper.descriptor):
        raise Unproved("its attributes are not those of the kept one, and would be lost")


def _attributes(descriptor: int) -> dict[str, bytes]:
    if not hasattr(os, "listxattr"):
        return {}
    try:
        names = [n for n in os.listxattr(descriptor) if n not in _ATTRIBUTES_OF_NO_MATTER]
        return {name: os.getxattr(descriptor, name) for name in names}
    except OSError:
        return {}  # a file system without any
