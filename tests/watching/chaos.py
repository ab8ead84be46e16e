"""What people and programs do to a tree of photos: chance, and the same again for the same seed.

Folders and files are found by wandering down from the top, so nothing has to be remembered of
what was done before, and nothing depends on how long anything took.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Callable, Iterator
from typing import BinaryIO

from blake3 import blake3

from tests.support import picture

BRANCHES = 40  # folders right below the top; none of them holds much of the tree
DEEPEST = 1200  # bytes of a path, so that no chain of moves comes near PATH_MAX
_PICTURES = (b".bmp", b".bmp", b".png", b".JPG", b".jpeg", b"")
_WANTED = frozenset({b".bmp", b".png", b".jpg", b".jpeg"})
_OTHERS = (b".txt", b".xmp", b".part")
_WORDS = (b"a b", b"new\nline", b"\xff\xfe", b"-rf", b"\xc3\xbc", b"'\"$x", b"DCIM", b"c", b"d.png")

Op = Callable[[], None]


class Chaos:
    """A tree of photos at ``top``, a place ``aside`` of it, and all that may be done to them."""

    def __init__(self, top: bytes, aside: bytes, dice: random.Random) -> None:
        self.top = top
        self.aside = aside
        self.dice = dice
        self.log: list[str] = []
        self._number = 0
        self._home: dict[bytes, bytes] = {}  # of folders that were moved out
        self._twins: list[tuple[bytes, bytes]] = []  # linked, some time ago
        self._being_written: list[tuple[BinaryIO, bytes]] = []
        self._favourites = [picture(-number, "BMP") for number in range(1, 9)]
        self._ops = self._weighted()

    # -- from outside --------------------------------------------------------------------------

    def grow(self, folders: int, photos: int) -> None:
        """The tree that all begins with."""
        os.mkdir(self.top)
        os.mkdir(self.aside)
        branches = [self._new_folder(self.top) for _ in range(BRANCHES)]
        for number, branch in enumerate(branches):
            self._plant(branch, folders // BRANCHES + (number < folders % BRANCHES) - 1)
        for _ in range(photos):
            self.create()
        self.log.clear()

    def step(self) -> None:
        """Do one thing, whatever comes of it."""
        (op,) = self.dice.choices(list(self._ops), list(self._ops.values()))
        try:
            op()
        except OSError as error:  # also people hear of what cannot be done
            self._did(f"{op.__name__}: {error.strerror}")

    def flood(self, events: int) -> None:
        """More events than the kernel keeps, of which no two in a row are alike.

        At the top, which is watched whatever has happened to other folders.
        """
        self._did("flood", str(events))
        paths = [self._write(self._new_name(self.top), self._data()) for _ in range(2)]
        for number in range(events):
            os.utime(paths[number % 2])

    def finish(self) -> None:
        """Whoever still writes comes to an end."""
        while self._being_written:
            self.go_on_writing()

    # -- files ---------------------------------------------------------------------------------

    def create(self) -> None:
        self._did("create", self._write(self._new_name(self._folder()), self._data()))

    def create_in_steps(self) -> None:
        """Half now, the rest later, and the file is open all the time."""
        path, data = self._new_name(self._folder()), self._data()
        file = open(path, "wb", buffering=0)  # noqa: SIM115  go_on_writing closes it
        file.write(data[: len(data) // 2])
        self._being_written.append((file, data[len(data) // 2 :]))
        self._did("create half of", path)

    def go_on_writing(self) -> None:
        if not self._being_written:
            return
        file, rest = self._being_written.pop(self.dice.randrange(len(self._being_written)))
        with file:
            file.write(rest)
        self._did("write the rest of", os.fsencode(file.name))

    def copy(self) -> None:
        """With or without its times."""
        source, path = self._file(), self._new_name(self._folder())
        self.dice.choice((shutil.copyfile, shutil.copy2))(source, path)
        self._did("copy", source, path)

    def link(self) -> None:
        source, path = self._file(), self._new_name(self._folder())
        os.link(source, path)
        self._twins.append((source, path))
        self._did("link", source, path)

    def rewrite_a_twin(self) -> None:
        """In place, by one of two names: nothing happens in the folder of the other."""
        twins = [pair for pair in self._twins if self._are_twins(*pair)]
        if not twins:
            return self.link()
        pair = self.dice.choice(twins)
        self._alter(self.dice.choice(pair))
        self._did("rewrite in part", *pair)
        return None

    def rewrite(self) -> None:
        """In place, most likely with another size."""
        self._did("rewrite", self._write(self._file(), self._data()))

    def rewrite_in_part(self) -> None:
        """In place, with the same size."""
        path = self._file()
        self._alter(path)
        self._did("rewrite in part", path)

    def rewrite_quietly(self) -> None:
        """In place, with the same size, and the time of modification put back."""
        path = self._file()
        before = os.stat(path)
        self._alter(path)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        self._did("rewrite quietly", path)

    def replace(self) -> None:
        """As programs save: a new file under the name of the old one."""
        path = self._file()
        name = self.dice.choice((b".saving", b"saving.tmp", b"saving"))
        new = self._write(os.path.join(os.path.dirname(path), name), self._data())
        os.rename(new, path)
        self._did("replace", path)

    def append(self) -> None:
        path = self._file()
        with open(path, "ab") as file:
            file.write(b"more")
        self._did("append to", path)

    def truncate(self) -> None:
        path = self._file()
        os.truncate(path, os.stat(path).st_size // 2)
        self._did("truncate", path)

    def touch(self) -> None:
        path = self._file()
        times = (self.dice.choice((0, 1_000_000_000)),) * 2 if self.dice.random() < 0.5 else None
        os.utime(path, times)
        self._did("touch", path)

    def chmod(self) -> None:
        path = self._file()
        os.chmod(path, self.dice.choice((0o600, 0o644, 0o444)))
        self._did("chmod", path)

    def delete(self) -> None:
        path = self._file()
        os.unlink(path)
        self._did("delete", path)

    def rename_here(self) -> None:
        path = self._file()
        self._rename(path, self._new_name(os.path.dirname(path)))

    def rename_across(self) -> None:
        self._rename(self._file(), self._new_name(self._folder()))

    def rename_over(self) -> None:
        self._rename(self._file(), self._file())

    def exchange(self) -> None:
        """Two files, their names."""
        self._swap(self._file(), self._file())

    def disguise(self) -> None:
        """A picture gets a name that no picture has, or is called again what it is."""
        path = self._file()
        if path.endswith(_OTHERS):
            self._rename(path, os.path.splitext(path)[0] + self.dice.choice((b".bmp", b".png")))
        else:
            self._rename(path, path + self.dice.choice(_OTHERS))

    def symlink(self) -> None:
        target = self.dice.choice((self._file, self._folder, lambda: b"nowhere"))()
        path = self._new_name(self._folder())
        os.symlink(target, path)
        self._did("symlink", target, path)

    def fifo(self) -> None:
        path = self._new_name(self._folder(), suffix=b".jpg")
        os.mkfifo(path)
        self._did("fifo", path)

    # -- folders -------------------------------------------------------------------------------

    def mkdirs(self) -> None:
        """Some folders in one another, and photos in them at once."""
        path = self._folder()
        for _ in range(self.dice.randint(1, 6)):
            path = self._new_folder(path)
            for _ in range(self.dice.choice((0, 0, 1, 2))):
                self._write(self._new_name(path), self._data())
        self._did("mkdir -p", path)

    def rename_folder(self) -> None:
        path = self._inner_folder()
        self._rename(path, self._new_name(os.path.dirname(path), folder=True))

    def move_folder(self) -> None:
        path, into = self._apart()
        self._rename(path, self._new_name(into, folder=True))

    def swap_folders(self) -> None:
        self._swap(*self._apart())

    def hide_or_show(self) -> None:
        """A folder, by the dot that its name begins with."""
        path = self._inner_folder()
        above, name = os.path.split(path)
        other = name.lstrip(b".") if name.startswith(b".") else b"." + name
        self._rename(path, os.path.join(above, other))

    def move_out(self) -> None:
        path = self._inner_folder()
        outside = os.path.join(self.aside, os.path.basename(path))
        self._rename(path, outside)
        self._home[outside] = path

    def move_in(self) -> None:
        """What was moved out, to wherever: some of it was meanwhile changed."""
        outside = self._folders_in(self.aside)
        if not outside:
            return self.move_out()
        path = os.path.join(self.aside, self.dice.choice(outside))
        if self.dice.random() < 0.5:
            self._write(self._new_name(path), self._data())
        above = self._folder()
        same = os.path.join(above, os.path.basename(path))
        self._rename(path, self.dice.choice((same, self._new_name(above, folder=True))))
        return None

    def move_home(self) -> None:
        """What was moved out, to where it was, and with something new in it."""
        homes = {path: home for path, home in self._home.items() if _can_be_moved(path, home)}
        if not homes:
            return self.move_out()
        path = self.dice.choice(sorted(homes))
        self._write(self._new_name(path), self._data())
        self._rename(path, self._home.pop(path))
        return None

    def replace_folder(self) -> None:
        """Another one of the same name."""
        path = self._inner_folder()
        os.rename(path, self._new_name(self.aside, folder=True))
        os.mkdir(path)
        for _ in range(self.dice.randint(0, 3)):
            self._write(self._new_name(path), self._data())
        self._did("replace folder", path)

    def remove_tree(self) -> None:
        path = self._inner_folder()
        while sum(1 for _ in os.walk(path)) > 60:
            path = os.path.join(path, self.dice.choice(self._folders_in(path)))
        shutil.rmtree(path)
        self._did("rm -r", path)

    def arrive(self) -> None:
        """Very many folders at once."""
        path = self._new_folder(self.aside)
        count = self.dice.randint(50, 300)
        for folder in self._plant(path, count):
            if self.dice.random() < 0.1:
                self._write(self._new_name(folder), self._data())
        self._did(f"{count} folders arrive")
        self._rename(path, self._new_name(self._folder(), folder=True))

    def unpack(self) -> None:
        """Many folders, made where they stay."""
        count = self.dice.randint(10, 60)
        top = self._new_folder(self._folder())
        for folder in self._plant(top, count):
            if self.dice.random() < 0.3:
                self._write(self._new_name(folder), self._data())
        self._did(f"unpack {count} folders", top)

    def become_another_kind(self) -> None:
        """A file is a folder now, or a folder a file or a link."""
        if self.dice.random() < 0.5:
            path = self._file()
            os.unlink(path)
            os.mkdir(path)
            self._write(self._new_name(path), self._data())
        else:
            path = self._inner_folder()
            os.rename(path, self._new_name(self.aside, folder=True))
            if self.dice.random() < 0.5:
                self._write(path, self._data())
            else:
                os.symlink(self._folder(), path)
        self._did("become another kind", path)

    def burst(self) -> None:
        """Hundreds of small things, most of which come to nothing."""
        events = self.dice.randint(300, 2000)
        self._did(f"burst of {events}")
        while events > 0:
            folder, file = self._folder(), self._file()
            scratch = os.path.join(folder, b"scratch")
            for _ in range(self.dice.randint(1, 50)):
                events -= 4
                os.utime(file)
                self._write(scratch + b".png", b"")
                os.rename(scratch + b".png", scratch + b".bmp")
                os.unlink(scratch + b".bmp")
                os.mkdir(scratch)
                os.rmdir(scratch)

    # -- how it is done ------------------------------------------------------------------------

    def _weighted(self) -> dict[Op, int]:
        return {
            self.create: 9,
            self.create_in_steps: 5,
            self.go_on_writing: 6,
            self.copy: 5,
            self.link: 5,
            self.rewrite_a_twin: 5,
            self.rewrite: 5,
            self.rewrite_in_part: 5,
            self.rewrite_quietly: 4,
            self.replace: 5,
            self.append: 2,
            self.truncate: 3,
            self.touch: 3,
            self.chmod: 2,
            self.delete: 6,
            self.rename_here: 5,
            self.rename_across: 6,
            self.rename_over: 4,
            self.exchange: 3,
            self.disguise: 5,
            self.symlink: 2,
            self.fifo: 1,
            self.mkdirs: 5,
            self.rename_folder: 6,
            self.move_folder: 6,
            self.swap_folders: 4,
            self.hide_or_show: 4,
            self.move_out: 4,
            self.move_in: 3,
            self.move_home: 4,
            self.replace_folder: 2,
            self.remove_tree: 2,
            self.arrive: 2,
            self.unpack: 1,
            self.become_another_kind: 2,
            self.burst: 1,
        }

    def _did(self, what: str, *paths: bytes | str) -> None:
        names = (
            ascii(os.path.relpath(p, os.path.dirname(self.top))) if isinstance(p, bytes) else p
            for p in paths
        )
        self.log.append(" ".join((what, *names)))

    def _rename(self, source: bytes, target: bytes) -> None:
        os.rename(source, target)
        self._did("rename", source, target)

    def _swap(self, one: bytes, other: bytes) -> None:
        between = os.path.join(os.path.dirname(one), b"between")
        os.rename(one, between)
        try:
            os.rename(other, one)
        except OSError:
            os.rename(between, one)
            raise
        os.rename(between, other)
        self._did("swap", one, other)

    def _write(self, path: bytes, data: bytes) -> bytes:
        with open(path, "wb") as file:
            file.write(data)
        return path

    def _alter(self, path: bytes) -> None:
        with open(path, "r+b") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 8))
            file.write(self.dice.randbytes(8)[: os.fstat(file.fileno()).st_size])

    def _are_twins(self, one: bytes, other: bytes) -> bool:
        """Whether these are still names of one file, and such that a scan knows."""
        here = os.path.isfile(one) and os.path.isfile(other) and os.path.samefile(one, other)
        return here and is_wanted(one, self.top) and is_wanted(other, self.top)

    def _data(self) -> bytes:
        """A picture mostly, sometimes one that is known, or what is none."""
        dice = self.dice.random()
        self._number += 1
        if dice < 0.12:
            return self.dice.choice(self._favourites)
        if dice < 0.18:
            return picture(self._number, "PNG")[: self.dice.randint(0, 2000)]
        if dice < 0.22:
            return b"no picture, %d" % self._number
        return picture(self._number, "PNG" if dice < 0.4 else "BMP")

    def _new_name(
        self, above: bytes, *, folder: bool = False, suffix: bytes | None = None
    ) -> bytes:
        self._number += 1
        if folder:
            suffix = b""
        elif suffix is None:
            suffix = self.dice.choice(_OTHERS if self.dice.random() < 0.08 else _PICTURES)
        hidden = b"." if self.dice.random() < 0.04 else b""
        word = self.dice.choice(_WORDS)
        return os.path.join(above, b"%s%s %d%s" % (hidden, word, self._number, suffix))

    def _new_folder(self, above: bytes) -> bytes:
        path = self._new_name(above, folder=True)
        os.mkdir(path)
        return path

    def _plant(self, path: bytes, count: int) -> list[bytes]:
        """So many folders below ``path``, somewhere in one another."""
        planted = [path]
        for _ in range(count):
            planted.append(self._new_folder(self.dice.choice(planted)))
        return planted

    # -- where ---------------------------------------------------------------------------------

    def _folder(self) -> bytes:
        """Any folder, hidden ones too; the top often enough to stay wide."""
        path = self.top
        while len(path) < DEEPEST:
            inner = self._folders_in(path)
            if not inner or self.dice.random() < (0.06 if path == self.top else 0.2):
                break
            path = os.path.join(path, self.dice.choice(inner))
        return path

    def _inner_folder(self) -> bytes:
        """Any folder but the top, and seldom one right below it: the tree shall stay wide."""
        while True:
            path = self._folder()
            if path == self.top or (os.path.dirname(path) == self.top and self.dice.random() < 0.8):
                continue
            return path

    def _apart(self) -> tuple[bytes, bytes]:
        """Two folders of which none is in the other."""
        while True:
            one, other = self._inner_folder(), self._inner_folder()
            common = os.path.commonpath((one, other))
            if common not in (one, other):
                return one, other

    def _file(self) -> bytes:
        """Any file of bytes, by a name that tells of what is done to it.

        What is done to a file by a name that a scan leaves out makes no event for the others
        that it has: only the next look at everything can find that.
        """
        for _ in range(100):
            path = self._folder()
            while path != self.top:
                files = _names(path, stat.S_ISREG)
                if files and self.dice.random() < 0.7:
                    file = os.path.join(path, self.dice.choice(files))
                    if os.lstat(file).st_nlink == 1 or is_wanted(file, self.top):
                        return file
                path = os.path.dirname(path)
        return self._write(self._new_name(self._folder()), self._data())

    def _folders_in(self, path: bytes) -> list[bytes]:
        return _names(path, stat.S_ISDIR)


def _can_be_moved(path: bytes, home: bytes) -> bool:
    """Whether a folder is there, its old name is free, and there is what that is in."""
    there = os.path.isdir(path) and os.path.isdir(os.path.dirname(home))
    return there and not os.path.lexists(home)


def _names(path: bytes, is_kind: Callable[[int], bool]) -> list[bytes]:
    """Sorted, so that chance finds the same ones on every disk."""
    with os.scandir(path) as entries:
        return sorted(
            entry.name for entry in entries if is_kind(entry.stat(follow_symlinks=False).st_mode)
        )


def on_disk(top: bytes) -> dict[bytes, bytes | None]:
    """Path below ``top`` -> digest, of every file that a scan has to know.

    Written down once more, by the rules of the README; None for what has no bytes to read.
    """
    found: dict[bytes, bytes | None] = {}
    for path, status in _files(top):
        relative = os.path.relpath(path, top)
        if stat.S_ISREG(status.st_mode):
            with open(path, "rb") as file:
                found[relative] = blake3(file.read()).digest()
        else:
            found[relative] = None
    return found


def _files(top: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    for folder in visible(top):
        for name in _names(folder, lambda mode: not stat.S_ISDIR(mode) and not stat.S_ISLNK(mode)):
            path = os.path.join(folder, name)
            if is_wanted(path, top):
                yield path, os.lstat(path)


def is_wanted(path: bytes, top: bytes) -> bool:
    """Whether a scan does not leave a file with this path out."""
    parts = os.path.relpath(path, top).split(b"/")
    _, dot, suffix = parts[-1].rpartition(b".")
    hidden = any(part.startswith(b".") for part in parts)
    return not hidden and (not dot or b"." + suffix.lower() in _WANTED)


def visible(top: bytes) -> Iterator[bytes]:
    """The folders that a scan does not leave out."""
    for folder, inner, _ in os.walk(top):
        inner[:] = [name for name in inner if not name.startswith(b".")]
        yield folder


def folders(top: bytes) -> int:
    """How many there are below ``top``."""
    return sum(len(names) for _, names, _ in os.walk(top))
