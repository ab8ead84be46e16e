"""What belongs to a photo beside it: its other half, its moving picture, its sidecars.

By name alone: ``IMG_1.CR2`` and ``IMG_1.JPG``, ``IMG_1.HEIC`` and ``IMG_1.MOV``, ``IMG_1.xmp``, and
``IMG_1.JPG.json`` (some programs put their suffix behind the whole name).
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from catalog.imaging.formats import PICTURE_SUFFIXES, RAW_SUFFIXES, suffix_of

_RENDERED: Final = frozenset(b"jpg jpeg jpe heic heif hif".split())  # what cameras put beside a RAW
_MOVING: Final = frozenset(b"mov mp4".split())
_SIDECARS: Final = frozenset(b"xmp aae json pp3 dop thm".split())
_FOLDERS_KEPT: Final = 50_000  # listings


@dataclass(frozen=True, slots=True)
class Belonging:
    """A file that belongs to a photo. ``shared``: to any other picture of the same stem as well."""

    path: bytes
    picture: bool  # a photo of its own right, not only data about one
    shared: bool


@dataclass(frozen=True, slots=True)
class _Listing:
    """The names of a folder by what they begin with, in lower case; none that are alone with it.

    So a folder of photos that nothing belongs to takes no room, however many they are.
    """

    by_stem: Mapping[bytes, list[bytes]]
    by_name: Mapping[bytes, list[bytes]]


class Neighbours:
    """What belongs to photos, each folder listed once. A folder that cannot be listed has none."""

    def __init__(self) -> None:
        self._listing = lru_cache(_FOLDERS_KEPT)(_listed)

    def of(self, photo: bytes) -> dict[tuple[bytes, bytes], Belonging]:
        """By how their names differ from the photo's: equal keys are the same part of two photos.

        Raises OSError where the folder of the photo cannot be listed.
        """
        folder, name = os.path.split(photo)
        listing = self._listing(folder)
        suffix = suffix_of(photo)
        other_half = (
            _RENDERED if suffix in RAW_SUFFIXES else RAW_SUFFIXES if suffix in _RENDERED else set()
        )
        found = {}
        for other in listing.by_stem.get(_stem(name), ()):
            kind = suffix_of(other)
            if other == name or kind not in _MOVING | _SIDECARS | other_half:
                continue
            path = os.path.join(folder, other)
            found[b"stem", kind] = Belonging(path, kind in other_half, kind not in other_half)
        whole = name.lower()
        like = sum(other.lower() == whole for other in listing.by_stem.get(_stem(name), ()))
        for other in listing.by_name.get(whole, ()):
            path = os.path.join(folder, other)
            found[b"name", other[len(name) :].lower()] = Belonging(path, False, like > 1)
        return found

    def like(self, photo: bytes) -> Iterator[bytes]:
        """The other pictures of the same stem in the folder."""
        folder, name = os.path.split(photo)
        for other in self._listing(folder).by_stem.get(_stem(name), ()):
            if other != name and suffix_of(other) in PICTURE_SUFFIXES:
                yield os.path.join(folder, other)


def _listed(folder: bytes) -> _Listing:
    by_stem: dict[bytes, list[bytes]] = defaultdict(list)
    by_name: dict[bytes, list[bytes]] = defaultdict(list)
    for name in os.listdir(folder):
        by_stem[_stem(name)].append(name)
        if suffix_of(name) in _SIDECARS:
            for whole in _pictures_before(name):
                by_name[whole].append(name)
    several = {stem: names for stem, names in by_stem.items() if len(names) > 1}
    return _Listing(several, dict(by_name))


def _pictures_before(name: bytes) -> Iterator[bytes]:
    """The names of pictures that ``name`` begins with: ``a.jpg`` of ``a.jpg.data.json``."""
    lower = name.lower()
    end = lower.find(b".")
    while end >= 0:
        if suffix_of(lower[:end]) in PICTURE_SUFFIXES:
            yield lower[:end]
        end = lower.find(b".", end + 1)


def _stem(name: bytes) -> bytes:
    return os.path.splitext(name)[0].lower()
