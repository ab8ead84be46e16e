"""Photos that are nowhere but in a catalog, stored as ``imgcat index`` would have stored them."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import random
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import values
from benchmarks.values import Hashes
from catalog.model import SIGNATURE_SIDE, Fingerprint, Recipe, Stamp
from catalog.scanning import filesystem
from catalog.store import contents, folders, photos
from catalog.store.database import Database, Writer, open_for_writing

_FEWEST, _MOST = 100, 200  # photos in a folder
_HELD_TWICE: Final = 0.05  # of the contents, by a second file
_FLAT: Final = 8 / 943  # of the contents, in the collection that the values were fitted on
_FLAT_HASHES: Final = (1 << 63, 1 << 63, 1 << 63, 0)  # nearly all flat pictures have one of them
_PIXELS: Final = SIGNATURE_SIDE**2

_CAMERAS: Final = (
    ("Canon EOS 80D", 6000, 4000),
    ("NIKON D750", 6016, 4016),
    ("Apple iPhone 12", 4032, 3024),
    ("samsung SM-G991B", 4000, 3000),
)
_NAMES: Final = ("IMG_{:04}.JPG", "DSC_{:05}.JPG", "PXL_20240317_{:09}.jpg", "IMG-WA{:06}.jpg")
_PLACES: Final = ("Seneca", "Caliterra", "birthday", "garden", "Lisbon", "misc")
_FIRST_YEAR: Final = 2004
_YEARS: Final = 20
_FIRST_SECOND: Final = int(datetime.datetime(_FIRST_YEAR, 1, 1, tzinfo=datetime.UTC).timestamp())
_SECONDS: Final = _YEARS * 365 * 86_400
_SECOND: Final = 10**9  # ns

_COPY: Final = "copy "
_LATE_FOLDER: Final = b"came later"
_LATE: Final = 1 << 40  # number of the first content that came later


class Top(NamedTuple):
    """The folder that all photos are said to be in: where it is now, and where it will be."""

    now: str
    later: str


class Stored(NamedTuple):
    """The pHashes of a catalog's contents by their number (uint64), and which are flat (bool)."""

    phash: Hashes
    flat: NDArray[np.bool_]


def stored(skew: str, count: int) -> Stored:
    """What a catalog of so many contents holds; equal arguments give equal values."""
    hashes = values.make(skew, count)
    chance = np.random.default_rng(count)
    flat = chance.random(count) < _FLAT
    hashes[flat] = chance.choice(np.array(_FLAT_HASHES, dtype=np.uint64), int(flat.sum()))
    return Stored(hashes, flat)


def fingerprints(numbers: range, phash: Hashes, flat: NDArray[np.bool_]) -> list[Fingerprint]:
    """The contents with these numbers, one for each of the hashes.

    dHash and aHash are the pHash with its bits in another order, so that all three have the
    same families; the signature is noise.
    """
    chance = np.random.default_rng((1, numbers.start))
    hashes = zip(
        phash.tolist(), _rotated(phash, 21).tolist(), _rotated(phash, 42).tolist(), strict=True
    )
    sizes = chance.lognormal(np.log(2.5e6), 0.6, len(numbers)).astype(np.int64).tolist()
    moments = chance.integers(_FIRST_SECOND, _FIRST_SECOND + _SECONDS, len(numbers)).tolist()
    cameras = chance.integers(0, len(_CAMERAS), len(numbers)).tolist()
    noise = chance.bytes(_PIXELS * len(numbers))
    made = []
    for row, (of_row, number) in enumerate(zip(hashes, numbers, strict=True)):
        camera, width, height = _CAMERAS[cameras[row]]
        taken = datetime.datetime.fromtimestamp(moments[row], datetime.UTC)
        made.append(
            Fingerprint(
                digest=_digest(number),
                size=sizes[row],
                format="JPEG",
                width=width,
                height=height,
                orientation=1,
                taken_at=taken.replace(tzinfo=None).isoformat(),
                camera=camera,
                phash=of_row[0],
                dhash=of_row[1],
                ahash=of_row[2],
                signature=noise[row * _PIXELS : (row + 1) * _PIXELS],
                flat=bool(flat[row]),
                frames=1,
                recipe=Recipe.REDUCED,
            )
        )
    return made


def _digest(number: int) -> bytes:
    """One for each content, rising with its number.

    The index of digests then grows at its end. With digests in random order each transaction
    would rewrite hundreds of its pages, and filling a catalog of 10 million take hours.
    """
    return number.to_bytes(8, "big") + hashlib.blake2b(b"%d" % number, digest_size=24).digest()


def _rotated(hashes: Hashes, bits: int) -> Hashes:
    return hashes << np.uint64(bits) | hashes >> np.uint64(64 - bits)


class Album:
    """Puts photos into one folder after the other, some hundred each, in twenty years."""

    def __init__(self, writer: Writer, top: Top) -> None:
        os.mkdir(top.now)
        with open(os.path.join(top.now, "the photos are in the catalog only"), "xb"):
            pass
        status = os.lstat(top.now)
        self._identity = filesystem.identity(os.fsencode(top.now), status.st_dev)
        self._top = folders.add_folder(
            writer, None, os.fsencode(top.later), self._identity, status.st_ino
        )
        self.root = folders.add_root(writer, self._top, {})
        self._chance = random.Random(0)
        self._years: dict[int, int] = {}
        self._inode = 1 << 20
        self._folder = self._before = self._top
        self._names = ""
        self._filled = self._room = 0
        self._copies_due = 0.0

    def put(self, writer: Writer, made: Sequence[Fingerprint]) -> None:
        """Store contents with a file each; every twentieth has a copy in the folder before."""
        for fingerprint in made:
            if self._filled == self._room:
                self._turn_the_page(writer)
            content = contents.save(writer, fingerprint)
            name = self._names.format(self._filled)
            self._put_file(writer, self._folder, name, fingerprint.size, content)
            self._filled += 1
            self._copies_due += _HELD_TWICE
            if self._copies_due >= 1:
                self._copies_due -= 1
                copy = f"{_COPY}{self._inode} of {name}"
                self._put_file(writer, self._before, copy, fingerprint.size, content)

    def _turn_the_page(self, writer: Writer) -> None:
        """The next folder."""
        year = _FIRST_YEAR + self._chance.randrange(_YEARS)
        if year not in self._years:
            self._years[year] = self._new_folder(writer, self._top, str(year))
        place = f"{self._chance.randint(1, 12):02} {self._chance.choice(_PLACES)} {self._inode}"
        above = self._years[year]
        self._before, self._folder = self._folder, self._new_folder(writer, above, place)
        self._names = self._chance.choice(_NAMES)
        self._filled, self._room = 0, self._chance.randint(_FEWEST, _MOST)

    def _new_folder(self, writer: Writer, parent: int, name: str) -> int:
        self._inode += 1
        return folders.add_folder(writer, parent, name.encode(), self._identity, self._inode)

    def _put_file(self, writer: Writer, folder: int, name: str, size: int, content: int) -> None:
        self._inode += 1
        written = (_FIRST_SECOND + self._chance.randrange(_SECONDS)) * _SECOND
        stamp = Stamp(size, written, written + _SECOND, self._inode)
        photos.put(writer, folder, name.encode(), stamp, content, again=False)


def is_copy(path: str) -> bool:
    """Whether this is the second file of a content."""
    return os.path.basename(path).startswith(_COPY)


@contextlib.contextmanager
def later(catalog: str, phash: Hashes) -> Iterator[list[bytes]]:
    """One more photo for each of these hashes, while this lasts; yields their paths."""
    with open_for_writing(os.fsencode(catalog)) as database:
        _take_out(database)  # what a run that was killed left in
        root = folders.all_roots(database)[0]
        numbers = range(_LATE, _LATE + len(phash))
        made = fingerprints(numbers, phash, np.zeros(len(phash), dtype=np.bool_))
        with database.writing() as writer:
            identity = folders.filesystem_of(writer, root.folder)
            folder = folders.add_folder(writer, root.folder, _LATE_FOLDER, identity, 1)
            for number, fingerprint in enumerate(made, start=1):
                content = contents.save(writer, fingerprint)
                stamp = Stamp(fingerprint.size, number, number, number)
                photos.put(writer, folder, b"%d.jpg" % number, stamp, content, again=False)
    place = root.path + b"/" + _LATE_FOLDER
    try:
        yield [place + b"/%d.jpg" % number for number in range(1, len(phash) + 1)]
    finally:
        with open_for_writing(os.fsencode(catalog)) as database:
            _take_out(database)


def _take_out(database: Database) -> None:
    folder = folders.child(database, folders.all_roots(database)[0].folder, _LATE_FOLDER)
    if folder is None:
        return
    with database.writing() as writer:
        held = photos.delete(writer, photos.ids_in(database, [folder]))
        contents.delete_unused(writer, held)
        folders.delete_empty(writer, [folder])
