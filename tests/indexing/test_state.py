"""Whatever happens to a tree between two runs, the catalog is what a first run would make of it."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from catalog.model import Reason
from catalog.queries.duplicates import duplicates
from catalog.store.database import open_for_reading
from tests.support import HOUR, Library, Reader, digest, members, no_loose_ends, picture

SEEDS = range(20)
STEPS = 25


class Gardener:
    """Does random things to a tree."""

    def __init__(self, library: Library, seed: int) -> None:
        self.library = library
        self.random = random.Random(seed)
        self.count = 0

    def step(self) -> str:
        """One change; returns its name."""
        doing: list[Callable[[], None]] = [
            *[self.create] * 4,
            *[self.rewrite] * 2,
            self.touch,
            *[self.rename_file] * 3,
            *[self.rename_folder] * 3,
            self.delete,
            self.delete_folder,
            *[self.link] * 2,
            self.copy,
            *[self.swap_files] * 2,
            *[self.swap_folders] * 2,
            self.replace_folder,
            self.chain,
            self.spoil,
        ]
        action = self.random.choice(doing)
        action()
        return action.__name__

    # -- choosing --

    def files(self) -> list[bytes]:
        return files_below(os.fsencode(self.library.top))

    def folders(self) -> list[bytes]:
        top = os.fsencode(self.library.top)
        return sorted(folder for folder, _, _ in os.walk(top))

    def some(self, places: list[bytes]) -> bytes | None:
        return self.random.choice(places) if places else None

    def below_top(self) -> list[bytes]:
        return self.folders()[1:]

    def new_path(self) -> bytes:
        self.count += 1
        folder = self.random.choice(self.folders())
        if self.random.random() < 0.3 and folder.count(b"/") < 12:
            folder = os.path.join(folder, self.random.choice([b"a", b"b", b"c"]))
        return os.path.join(
            folder, self.random.choice([b"x%d.bmp" % self.count, b"1.bmp", b"2.bmp"])
        )

    def data(self) -> bytes:
        return picture(self.random.randrange(12), size=(12, 8))

    def write(self, path: bytes, data: bytes) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.isdir(path):
            return
        with open(path, "wb") as file:
            file.write(data)
        changed = os.stat(path).st_mtime_ns - self.random.randrange(1, 5) * HOUR
        os.utime(path, ns=(changed, changed))

    # -- doing --

    def create(self) -> None:
        self.write(self.new_path(), self.data())

    def rewrite(self) -> None:
        if path := self.some(self.files()):
            self.write(path, self.data())

    def rewrite_unseen(self) -> bytes | None:
        """Same size, same mtime, same inode: only ctime tells, and renaming would hide that."""
        path = self.some(self.files())
        if path is None:
            return None
        before = os.stat(path)
        data = picture(self.random.randrange(100, 112), size=(12, 8))
        if before.st_size != len(data):
            return None
        with open(path, "r+b") as file:
            file.write(data)
        os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
        return path

    def touch(self) -> None:
        if path := self.some(self.files()):
            os.utime(path, ns=(10**18 + self.count, 10**18 + self.count))

    def spoil(self) -> None:
        if path := self.some(self.files()):
            self.write(path, b"no picture %d" % self.random.randrange(2))

    def rename_file(self) -> None:
        new = self.new_path()
        path = self.some(self.files())
        if path and not os.path.isdir(new):
            os.makedirs(os.path.dirname(new), exist_ok=True)
            os.replace(path, new)

    def rename_folder(self) -> None:
        folder = self.some(self.below_top())
        home = self.random.choice(self.folders())
        if folder and not (home + b"/").startswith(folder + b"/"):
            new = os.path.join(home, self.random.choice([b"a", b"b", b"c", b"d"]))
            if not os.path.lexists(new):
                os.rename(folder, new)

    def delete(self) -> None:
        if path := self.some(self.files()):
            os.unlink(path)

    def delete_folder(self) -> None:
        if (folder := self.some(self.below_top())) and self.random.random() < 0.5:
            shutil.rmtree(folder)

    def link(self) -> None:
        new, path = self.new_path(), self.some(self.files())
        if path and not os.path.lexists(new):
            os.makedirs(os.path.dirname(new), exist_ok=True)
            os.link(path, new)

    def copy(self) -> None:
        new, path = self.new_path(), self.some(self.files())
        if path and not os.path.lexists(new):
            with open(path, "rb") as file:
                self.write(new, file.read())

    def swap(self, one: bytes | None, other: bytes | None) -> None:
        if one and other and one != other:
            inside = (one + b"/").startswith(other + b"/") or (other + b"/").startswith(one + b"/")
            if not inside:
                between = self.library.path("../between")
                os.rename(one, between)
                os.rename(other, one)
                os.rename(between, other)

    def swap_files(self) -> None:
        self.swap(self.some(self.files()), self.some(self.files()))

    def swap_folders(self) -> None:
        self.swap(self.some(self.below_top()), self.some(self.below_top()))

    def replace_folder(self) -> None:
        """Another folder, with files of the same names."""
        if folder := self.some(self.below_top()):
            new = self.library.path("../new")
            shutil.copytree(folder, new)
            for name in os.listdir(new):
                path = os.path.join(new, name)
                if os.path.isfile(path) and self.random.random() < 0.5:
                    self.write(path, self.data())
            shutil.rmtree(folder)
            os.rename(new, folder)

    def chain(self) -> None:
        files = self.files()
        if len(files) >= 3:
            one, two, three = self.random.sample(files, 3)
            os.replace(two, three)
            os.replace(one, two)


def files_below(top: bytes) -> list[bytes]:
    found: list[bytes] = []
    for folder, _, names in os.walk(top):
        found += [os.path.join(folder, name) for name in names]
    return sorted(found)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_catalog_equals_a_fresh_one_after_any_history(
    library: Library, reader: Reader, tmp_path: Path, seed: int
) -> None:
    gardener = Gardener(library, seed)
    tops = ("a", "b") if seed % 3 == 1 else ()  # some follow two roots
    history: list[str] = []
    for _ in range(6):
        gardener.create()

    def look() -> None:
        reader.later = gardener.random.choice([0, 10**10])
        summary = library.index(*tops)
        assert summary.scanned == len(library.known()), history
        assert library.known() == on_disk(library, tops), history
        no_loose_ends(library.catalog)

    for number in range(STEPS):
        history.append(gardener.step())
        if gardener.random.random() < 0.4 or number == STEPS - 1:
            keep(library, gardener, *(tops or (".",)))
            look()
            if gardener.random.random() < 0.5 and (path := gardener.rewrite_unseen()):
                look()
                # From now on with a time of its own: a copy could pass for the original.
                os.utime(path, ns=(10**18 + number, 10**18 + number))
            history.append("index")
    reader.later = 10**10
    library.index(*tops)
    library.index(*tops)
    assert not library.read, history
    fresh = os.fsencode(tmp_path / "fresh.db")
    library.index(*tops, catalog=fresh)
    assert library.known() == library.known(fresh), history
    assert groups(library.catalog) == groups(fresh), history


def on_disk(library: Library, tops: Sequence[str]) -> dict[bytes, bytes | str]:
    """What a first run would make of the tree, without one."""
    found: dict[bytes, bytes | str] = {}
    top = os.fsencode(library.top)
    for place in map(library.path, tops or [""]):
        for path in files_below(place):
            with open(path, "rb") as file:
                data = file.read()
            spoiled = data.startswith(b"no picture")
            found[os.path.relpath(path, top)] = Reason.UNSUPPORTED if spoiled else digest(data)
    return found


def keep(library: Library, gardener: Gardener, *roots: str) -> None:
    """Every root holds something, or it would be offline."""
    for name in roots:
        os.makedirs(library.path(name), exist_ok=True)
        gardener.write(library.path(f"{name}/keep.bmp"), picture(1, size=(12, 8)))


def groups(catalog: bytes) -> list[list[bytes]]:
    with open_for_reading(catalog) as database:
        found = list(duplicates(database).groups)
    return sorted(sorted(photo.path for photo in members(group)) for group in found)
