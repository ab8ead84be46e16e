"""The files of ``bench quality``: distinct pictures, and edited copies of some of them.

A tree of them has ``original/PICTURE.*`` and ``others/PICTURE.*``, the bytes as they were, and
``copies/PICTURE/EDIT.*``. Copies are made of a picture that was made upright and no larger than
2,400 pixels: 12 megapixels show an edit no better, and take ten times as long.
"""

from __future__ import annotations

import functools
import hashlib
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from PIL import Image, ImageOps

from benchmarks import trees
from benchmarks.edits import EDITS, VERSION, slug
from benchmarks.measuring import BenchError

DISTINCT: Final = (
    "cc0_budgie_wallpapers",
    "cc0_clothing",
    "cc0_drone_caliterra",
    "cc0_drone_seneca",
    "kodak",
)  # the folders of ../shared/photos in which each file is another picture

Half: TypeAlias = Literal["first", "second", "both"]
HALVES: Final[tuple[Half, ...]] = ("first", "second", "both")

_LONGEST: Final = 2400  # pixels, of a picture that copies are made of
_ORIGINAL, _OTHERS, _COPIES = "original", "others", "copies"
_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")  # what every contestant reads
_SETTLED: Final = 3.0  # seconds after which a new file is not racy to imgcat any more
_EDIT_OF: Final = {slug(name): name for name in EDITS}


@dataclass(frozen=True, slots=True)
class Chosen:
    """Distinct pictures, by their names: those that are edited, and the others, as they are."""

    edited: dict[str, str]  # name: path of the file
    others: dict[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """What a file of the tree shows: which picture, and after which edit; None for untouched."""

    picture: str
    edit: str | None


def choose(folders: Sequence[str], half: Half, count: int, others: int | None) -> Chosen:
    """Edit ``count`` pictures of that half; take ``others`` more of both, None for all there are.

    Raises BenchError where there is no picture to edit.
    """
    pictures = dict(_named(folders))
    candidates = [name for name, path in pictures.items() if half in ("both", half_of(path))]
    if not candidates:
        raise BenchError(f"no pictures of the half '{half}' below {', '.join(folders) or '...'}")
    edited = evenly(candidates, count)
    left = sorted(pictures.keys() - set(edited))
    untouched = left if others is None else evenly(left, others)
    return Chosen({n: pictures[n] for n in edited}, {n: pictures[n] for n in untouched})


def half_of(path: str) -> Half:
    """The half that a picture is in, for ever and whatever folder it lies in."""
    digest = hashlib.sha256(os.fsencode(os.path.basename(path))).digest()
    return "second" if digest[0] & 1 else "first"


def evenly(names: Sequence[str], count: int) -> list[str]:
    """So many of them, evenly spread; all, where there are no more."""
    if count >= len(names):
        return list(names)
    return [names[number * len(names) // count] for number in range(count)]


def place_of(path: str) -> Place:
    """What the file at ``path``, relative to the tree, shows. Raises BenchError if it is strange.

    An answer that names a file of no known place would be counted wrong.
    """
    match path.split("/"):
        case [kind, name] if kind in (_ORIGINAL, _OTHERS):
            return Place(os.path.splitext(name)[0], None)
        case [kind, picture, name] if kind == _COPIES:
            stem = os.path.splitext(name)[0]
            if stem in _EDIT_OF:
                return Place(picture, _EDIT_OF[stem])
    raise BenchError(f"{path} is no file of the tree that was made")


def tree_of(work: str, chosen: Chosen, jobs: int) -> str:
    """The tree with the copies of these pictures, made once; returns the folder."""
    name = f"quality-{VERSION}-{len(chosen.edited)}-{_digest(chosen)}"
    return trees.made_once(work, name, functools.partial(_make, chosen=chosen, jobs=jobs))


def _named(folders: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Every picture below the folders, with a name of its own, in the order of the paths."""
    taken: set[str] = set()
    for folder in folders:
        for path in sorted(trees.files_below(folder)):
            stem, suffix = os.path.splitext(os.path.basename(path))
            if suffix.lower() not in _SUFFIXES:
                continue
            name = full = f"{os.path.basename(os.path.dirname(path))}-{stem}"
            number = 1
            while name in taken:
                number += 1
                name = f"{full}-{number}"
            taken.add(name)
            yield name, path


def _digest(chosen: Chosen) -> str:
    """Another one for other files."""
    digest = hashlib.sha256()
    for kind, pictures in ((_ORIGINAL, chosen.edited), (_OTHERS, chosen.others)):
        for path in pictures.values():
            real = os.fsencode(os.path.realpath(path))
            digest.update(b"%s: %s, %d\n" % (kind.encode(), real, os.path.getsize(path)))
    return digest.hexdigest()[:8]


def _make(tree: str, chosen: Chosen, jobs: int) -> None:
    for kind, pictures in ((_ORIGINAL, chosen.edited), (_OTHERS, chosen.others)):
        os.mkdir(os.path.join(tree, kind))
        for name, path in pictures.items():
            suffix = os.path.splitext(path)[1].lower()
            shutil.copyfile(path, os.path.join(tree, kind, name + suffix))
    tasks = [(path, os.path.join(tree, _COPIES, name)) for name, path in chosen.edited.items()]
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for _ in pool.imap_unordered(_write_copies, tasks):
            pass
    time.sleep(_SETTLED)


def _write_copies(task: tuple[str, str]) -> None:
    path, folder = task
    os.makedirs(folder)
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    upright.thumbnail((_LONGEST, _LONGEST), Image.Resampling.LANCZOS)
    for name, edit in EDITS.items():
        with open(os.path.join(folder, slug(name) + edit.suffix), "xb") as file:
            file.write(edit.make(upright))
