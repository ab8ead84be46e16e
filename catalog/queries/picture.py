"""A picture that is asked about: from the catalog where it agrees with the disk, else read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

from catalog.errors import CatalogError, UsageError
from catalog.escaping import printable
from catalog.model import Fingerprint, HashKind, Picture, Reading, Reason, Recipe, SameBytes, Stamp
from catalog.store import contents, folders, photos, settings
from catalog.store.database import Database
from catalog.store.photos import PhotoRow


def pictures_at(
    database: Database | None, paths: Sequence[bytes], *, gone: bool = False
) -> list[Picture]:
    """The pictures at ``paths``, as ``asked_about`` gives them."""
    with asked_about(database, paths, gone=gone) as pictures:
        return pictures()


@contextlib.contextmanager
def asked_about(
    database: Database | None, paths: Sequence[bytes], *, gone: bool = False
) -> Iterator[Callable[[], list[Picture]]]:
    """A function that gives the pictures at ``paths``, in their order.

    Those that must be read are on their way to a process of their own when the block begins;
    without a catalog, all of them. With ``gone``, one that the catalog has and the disk has
    not is given as it was. Raises UsageError where there is no file; the function raises
    CatalogError where one cannot be read as a picture.
    """
    real = [os.path.realpath(path) for path in paths]
    found: dict[int, Picture] = {}
    to_read: dict[int, bytes | None] = {}  # with the digest, where equal bytes are enough
    for number, path in enumerate(real):
        row = _usable_row(database, path, gone=gone) if database is not None else None
        if database is not None and row is not None:
            found[number] = _stored(database, row, path)
        if row is None or (row.again and os.path.lexists(path)):
            to_read[number] = row.digest if row is not None else None
    recipe = settings.recipe(database) if database is not None else Recipe.REDUCED
    with _readings(real, paths, to_read, recipe) as readings:

        def pictures() -> list[Picture]:
            for number, reading in readings:
                if not isinstance(reading.outcome, SameBytes):
                    found[number] = _as_read(reading, real[number], paths[number])
            return [found[number] for number in range(len(paths))]

        yield pictures


def row_of(database: Database, real: bytes) -> PhotoRow | None:
    """What the catalog has at this absolute path without links, be it missing or a problem."""
    folder = folders.find(database, os.path.dirname(real))
    return photos.get(database, folder, os.path.basename(real)) if folder is not None else None


def hash_of(picture: Picture, kind: HashKind) -> int:
    """One hash of the picture. A wavelet hash is made here and now, and slow to import."""
    if kind is HashKind.WHASH:
        import numpy as np

        from catalog.imaging.hashes import whash

        return int(whash(np.frombuffer(picture.signature, dtype=np.uint8).reshape(1, -1))[0])
    return {
        HashKind.PHASH: picture.phash,
        HashKind.DHASH: picture.dhash,
        HashKind.AHASH: picture.ahash,
    }[kind]


def _usable_row(database: Database, real: bytes, *, gone: bool) -> PhotoRow | None:
    """The row of a photo, if the file is still the one that was read."""
    row = row_of(database, real)
    if row is None or row.content is None or row.missing:
        return None
    try:
        return row if Stamp.of(os.lstat(real)).agrees_with(row.stamp) else None
    except OSError:
        return row if gone else None


def _stored(database: Database, row: PhotoRow, real: bytes) -> Picture:
    assert row.content is not None
    assert row.recipe is not None
    place = (row.folder, row.name)
    photo = next(photos.with_contents(database, [row.content], lambda *other: other == place))
    return Picture(
        path=real,
        digest=photo.digest,
        size=photo.stamp.size,
        mtime_ns=photo.stamp.mtime_ns,
        format=photo.format,
        width=photo.width,
        height=photo.height,
        taken_at=photo.taken_at,
        camera=photo.camera,
        phash=contents.hash_of(database, row.content, HashKind.PHASH),
        dhash=contents.hash_of(database, row.content, HashKind.DHASH),
        ahash=contents.hash_of(database, row.content, HashKind.AHASH),
        signature=next(contents.signatures(database, [row.content])),
        flat=photo.flat,
        frames=photo.frames,
        recipe=row.recipe,
        file=photo.file,
    )


@contextlib.contextmanager
def _readings(
    real: Sequence[bytes],
    paths: Sequence[bytes],
    to_read: Mapping[int, bytes | None],
    recipe: Recipe,
) -> Iterator[Iterator[tuple[int, Reading]]]:
    """The files with these numbers, read in one process.

    Not in this one: a picture may come from anywhere, and may be made to hurt.
    """
    if not to_read:
        yield iter(())
        return
    from catalog.imaging.reading import warm_up
    from catalog.indexing.reading import read_numbered
    from catalog.workers.pool import Lost, Task, running

    def readings() -> Iterator[tuple[int, Reading]]:
        for (number, *_), result in results:
            if isinstance(result, Lost):
                name = printable(paths[number])
                raise CatalogError(f"{name} cannot be read: {result.reason} ({result.detail})")
            yield number, result

    tasks = []
    for number, digest in to_read.items():
        try:
            size = os.lstat(real[number]).st_size
        except OSError:
            raise UsageError(f"there is no file {printable(paths[number])}") from None
        tasks.append(Task((number, real[number], recipe, digest), size))
    with running(read_numbered, tasks, jobs=1, warm_up=warm_up) as results:
        yield readings()


def _as_read(reading: Reading, real: bytes, path: bytes) -> Picture:
    outcome = reading.outcome
    assert not isinstance(outcome, SameBytes)
    if not isinstance(outcome, Fingerprint):
        detail = f" ({outcome.detail})" if outcome.detail else ""
        message = f"{printable(path)} cannot be read as a picture: {outcome.reason}{detail}"
        if outcome.reason in (Reason.VANISHED, Reason.NOT_REGULAR):
            raise UsageError(message)
        raise CatalogError(message)
    assert reading.stamp is not None
    return Picture(
        path=real,
        digest=outcome.digest,
        size=outcome.size,
        mtime_ns=reading.stamp.mtime_ns,
        format=outcome.format,
        width=outcome.width,
        height=outcome.height,
        taken_at=outcome.taken_at,
        camera=outcome.camera,
        phash=outcome.phash,
        dhash=outcome.dhash,
        ahash=outcome.ahash,
        signature=outcome.signature,
        flat=outcome.flat,
        frames=outcome.frames,
        recipe=outcome.recipe,
    )
