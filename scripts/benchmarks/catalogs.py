"""``bench make-catalog``: a catalog of synthetic photos, filled through the store.

The folder that the photos are said to be in is made beside the catalog, with one file in it:
what is empty or not there counts as an unplugged drive, and no question is answered from it.
So a catalog is bound to its place. One that is there is used again, as trees are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from benchmarks import fiction, montage, trees
from benchmarks.measuring import BenchError, say
from benchmarks.reporting import Figure, Report
from catalog.imaging.hashes import FLAT_DEVIATION
from catalog.model import Fingerprint
from catalog.search import windows
from catalog.store import contents, folders, photos
from catalog.store.database import open_for_reading, open_for_writing
from catalog.store.schema import VERSION

CATALOG_BYTES: Final = 1600  # a content, at most
_BATCH: Final = 512  # contents in a transaction: as many rows as imgcat index commits at once
_SAY_EVERY: Final = 500_000  # contents


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is made: ``count`` contents, in the file ``out``, else under a name in ``work``."""

    count: int
    skew: str
    out: str | None
    work: str


@dataclass(frozen=True, slots=True)
class Made:
    """A filled catalog. ``seconds`` is what filling it took; None where it had been there."""

    path: str
    contents: int
    files: int
    bytes: int
    seconds: float | None


def bench(inputs: Inputs) -> Report:
    """Fill a catalog and say what that took. Raises BenchError where ``out`` is there."""
    if inputs.out is None:
        made = made_in(inputs.work, inputs.count, inputs.skew)
    else:
        made = _made_at(os.path.abspath(inputs.out), inputs.count, inputs.skew)
    report = Report(
        "make-catalog",
        {
            "contents": made.contents,
            "files": made.files,
            "skew": inputs.skew,
            "catalog": made.path,
            "made": made.seconds is not None,
        },
        [
            Figure("catalog", made.bytes / 1e6, "MB"),
            Figure("catalog a content", made.bytes / made.contents, "bytes", at_most=CATALOG_BYTES),
        ],
    )
    if made.seconds is not None:
        report.figures += [
            Figure("filling it, wall", made.seconds, "s"),
            Figure("contents a second", made.contents / made.seconds, "contents/s"),
        ]
    return report


def made_in(work: str, count: int, skew: str) -> Made:
    """The catalog of ``count`` contents with hashes of this skew, kept in ``work``."""
    name = f"catalog-1-schema-{VERSION}-{skew}-{count}"
    final = os.path.join(work, name)
    seconds: list[float] = []

    def make(unfinished: str) -> None:
        top = fiction.Top(os.path.join(unfinished, "photos"), os.path.join(final, "photos"))
        seconds.append(_fill(os.path.join(unfinished, "catalog.db"), top, count, skew))

    folder = trees.made_once(work, name, make)
    return _described(os.path.join(folder, "catalog.db"), count, *seconds)


def made_of_pictures(work: str, count: int, photos: str) -> Made:
    """The catalog of ``count`` contents whose signatures are of montages, kept in ``work``.

    Raises BenchError where no real picture is below ``photos``.
    """
    name = f"catalog-1-schema-{VERSION}-montage-{count}"
    final = os.path.join(work, name)
    seconds: list[float] = []

    def make(unfinished: str) -> None:
        real = montage.originals(photos)
        if not len(real):
            raise BenchError(
                f"no pictures to make others of: name them with --photos, not {photos}"
            )
        top = fiction.Top(os.path.join(unfinished, "photos"), os.path.join(final, "photos"))
        catalog = os.path.join(unfinished, "catalog.db")
        seconds.append(_filled(catalog, top, count, lambda some: _of_pictures(real, some)))

    folder = trees.made_once(work, name, make)
    return _described(os.path.join(folder, "catalog.db"), count, *seconds)


def _of_pictures(real: montage.Pixels, numbers: range) -> list[Fingerprint]:
    """Contents whose hashes follow from their signatures."""
    signatures = montage.signatures(real, numbers)
    phash = windows.hashes(windows.spectra(signatures, windows.WHOLE))
    flat = signatures.std(axis=1) < FLAT_DEVIATION
    made = fiction.fingerprints(numbers, phash, flat)
    return [
        replace(each, signature=signature.tobytes(), taken_at=None)
        for each, signature in zip(made, signatures, strict=True)
    ]


def _made_at(path: str, count: int, skew: str) -> Made:
    top = f"{os.path.splitext(path)[0]}.photos"
    for taken in (path, top):
        if os.path.lexists(taken):
            raise BenchError(f"{taken} is there already: name another file with --out")
    return _described(path, count, _fill(path, fiction.Top(top, top), count, skew))


def _described(path: str, count: int, seconds: float | None = None) -> Made:
    with open_for_reading(os.fsencode(path)) as database:
        found = contents.count(database)
        every = [folder.id for folder in folders.all_folders(database)]
        files = photos.counts(database, every).photos
        size = database.size()
    if found < count:
        raise BenchError(f"{path} has {found:,} contents, not {count:,}: delete its folder")
    return Made(path, found, files, size, seconds)


def _fill(path: str, top: fiction.Top, count: int, skew: str) -> float:
    """Fill the new catalog at ``path``; returns the seconds that took, making values left out."""
    stored = fiction.stored(skew, count)

    def made(numbers: range) -> list[Fingerprint]:
        some = slice(numbers.start, numbers.stop)
        return fiction.fingerprints(numbers, stored.phash[some], stored.flat[some])

    return _filled(path, top, count, made)


def _filled(
    path: str, top: fiction.Top, count: int, made: Callable[[range], list[Fingerprint]]
) -> float:
    """Fill the new catalog at ``path`` with what ``made`` gives for so many numbers at a time."""
    begun = time.perf_counter()
    with open_for_writing(os.fsencode(path)) as database:
        with database.writing() as writer:
            album = fiction.Album(writer, top)
        for start in range(0, count, _BATCH):
            some = made(range(start, min(start + _BATCH, count)))
            with database.writing() as writer:
                album.put(writer, some)
            if start and start % _SAY_EVERY == 0:
                say(f"{start:,} of {count:,} after {time.perf_counter() - begun:.0f} s")
        with database.writing() as writer:
            folders.complete_scan(writer, album.root, time.time_ns())
    return time.perf_counter() - begun
