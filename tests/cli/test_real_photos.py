"""Real pictures: the same pairs as a plain script finds, and all kinds of files to the end.

Needs the collection beside the project (../shared/photos); skipped where it is not there.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import imagehash
import numpy as np
import pytest
from commandline import Done, Imgcat
from PIL import Image, ImageOps

PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "photos"
pytestmark = pytest.mark.skipif(not PHOTOS.is_dir(), reason="the collection is not there")

ORACLE_FOLDERS = ("kodak", "tool_tests")
BROKEN = ("mit_jpegdecoder_crashtest", "mit_image_png")  # where most of the problems are
CLOTHING = 150  # of the files in cc0_clothing
SECONDS = 120.0  # for a whole index of all of them, on two cores

Pairs = dict[frozenset[str], int]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real")


@pytest.fixture(scope="module")
def chosen(home: Path) -> Path:
    """Hard-linked or copied, so that nothing touches the collection."""
    top = home / "chosen"
    files = [path for name in ORACLE_FOLDERS for path in (PHOTOS / name).rglob("*")]
    files += sorted((PHOTOS / "cc0_clothing").rglob("*.jpg"))[:CLOTHING]
    for path in files:
        if path.is_file():
            place = top / path.relative_to(PHOTOS)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    return top


@pytest.fixture(scope="module")
def full(home: Path, chosen: Path) -> Imgcat:
    imgcat = Imgcat(bytes(home / "full.db"), home)
    done = imgcat("index", "--full-decode", chosen)
    assert done.code == 0, done.errors
    return imgcat


@pytest.fixture(scope="module")
def well_defined(chosen: Path) -> list[Path]:
    """Files where a plain loop of Pillow and ImageHash leaves nothing to choose.

    One frame, RGB or grey, nothing transparent, no 16 bits: elsewhere imgcat lays pictures over
    white and scales depth, where the plain loop takes whatever convert("L") makes of them.
    """
    found = []
    for path in sorted(chosen.rglob("*")):
        if not path.is_file():
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(path) as image:
                    plain = image.mode in ("RGB", "L") and not image.has_transparency_data
                    if plain and getattr(image, "n_frames", 1) == 1:
                        image.load()
                        found.append(path)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue
    return found


def plain_hash(
    path: Path, kind: Callable[[Image.Image], imagehash.ImageHash]
) -> imagehash.ImageHash:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path) as image:
            return kind(ImageOps.exif_transpose(image))


def plain_pairs(
    paths: list[Path], kind: Callable[[Image.Image], imagehash.ImageHash], radius: int
) -> Pairs:
    """What somebody's own script finds."""
    hashes = [(str(path), plain_hash(path, kind)) for path in paths]
    found: Pairs = {}
    for (one, first), (other, second) in combinations(hashes, 2):
        distance = int(first - second)
        if distance <= radius:
            found[frozenset([one, other])] = distance
    return found


@pytest.mark.parametrize(
    ("kind", "function", "words", "radius"),
    [
        ("ahash", imagehash.average_hash, ["--similarity", "90"], 6),
        ("phash", imagehash.phash, ["--radius", "8"], 8),
        ("dhash", imagehash.dhash, ["--radius", "10"], 10),
    ],
)
def test_full_decode_finds_exactly_the_pairs_that_a_plain_loop_of_imagehash_finds(
    full: Imgcat,
    well_defined: list[Path],
    kind: str,
    function: Callable[[Image.Image], imagehash.ImageHash],
    words: list[str],
    radius: int,
) -> None:
    assert len(well_defined) > 250
    done = full.ask("dupes", "--hash", kind, *words, "--no-verify", "--pairs", "--json")
    assert done.code == 0, done.errors
    comparable = {str(path) for path in well_defined}
    told: Pairs = {
        frozenset([one, other]): distance
        for one, other, distance, *_ in done.json["pairs"]
        if one in comparable and other in comparable
    }
    oracle = plain_pairs(well_defined, function, radius)
    assert len(oracle) > 100, "there is something to find"
    assert told == oracle


# -- all of them -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def everything(home: Path) -> tuple[Imgcat, Done, float]:
    imgcat = Imgcat(bytes(home / "everything.db"), home)
    begun = time.monotonic()
    done = imgcat("index", PHOTOS, "--json", timeout=4 * SECONDS)
    return imgcat, done, time.monotonic() - begun


def candidates() -> int:
    """Files that an index run looks at: no hidden names, known suffixes or none."""
    from catalog.imaging.formats import PICTURE_SUFFIXES

    count = 0
    for _folder, folders, names in os.walk(bytes(PHOTOS)):
        folders[:] = [name for name in folders if not name.startswith(b".")]
        for name in names:
            _, dot, suffix = name.rpartition(b".")
            count += not name.startswith(b".") and (not dot or suffix.lower() in PICTURE_SUFFIXES)
    return count


def test_r33_everything_is_indexed_to_the_end_in_bounded_time_and_no_process_is_left(
    everything: tuple[Imgcat, Done, float],
) -> None:
    imgcat, done, seconds = everything
    assert (done.code, done.err) == (0, b"")
    assert seconds < SECONDS
    assert imgcat.nothing_is_left(1.0)


def test_every_file_is_a_photo_or_a_listed_problem_or_no_picture(
    everything: tuple[Imgcat, Done, float],
) -> None:
    imgcat, done, _ = everything
    answer = done.json
    problems = imgcat.ask("problems", "--json").json["problems"]
    assert answer["scanned"] == candidates()
    assert len(problems) == answer["failed"] == answer["problems"]
    assert imgcat.ask("status", "--json").json["photos"] == answer["added"]
    assert all(problem["reason"] for problem in problems)
    assert 0 <= answer["scanned"] - answer["added"] - answer["failed"] < 100, "the rest is text"


def test_r8_what_could_not_be_read_matches_nothing(
    everything: tuple[Imgcat, Done, float],
) -> None:
    imgcat, _, _ = everything
    problems = set(imgcat.ask("problems", "--print0").out.split(b"\0")) - {b""}
    assert len(problems) > 50
    for words in (
        # Verified where most of the broken ones are; all of them are for the soak below.
        ["dupes", *(PHOTOS / name for name in BROKEN)],
        ["dupes", "--grade", "similar", "--pairs", *(PHOTOS / name for name in BROKEN)],
        ["dupes", "--exact"],
        ["dupes", "--no-verify", "--radius", "10"],
        ["dupes", "--hash", "ahash", "--no-verify", "--radius", "6", "--pairs"],
        # All with all.
        ["dupes", "--no-verify", "--radius", "64", "--pairs", PHOTOS / BROKEN[0]],
    ):
        named = set(imgcat.ask(*words, "--print0").out.split(b"\0"))
        assert named - {b""}
        assert named.isdisjoint(problems), words


@pytest.mark.soak
def test_all_that_looks_alike_is_settled_once_and_nothing_broken_is_in_it(
    everything: tuple[Imgcat, Done, float],
) -> None:
    imgcat, _, _ = everything
    first = imgcat("dupes", "--json", timeout=4 * SECONDS)
    assert (first.code, first.err) == (0, b"")
    assert first.json["search"]["compared"] > 500
    again = imgcat("dupes", "--json")
    assert again.json["search"]["searched"] == again.json["search"]["compared"] == 0
    assert again.json["groups"] == first.json["groups"]
    assert len(first.json["groups"]) > 100
    named = set(imgcat.ask("dupes", "--print0").out.split(b"\0"))
    assert named.isdisjoint(set(imgcat.ask("problems", "--print0").out.split(b"\0")) - {b""})
    assert imgcat.nothing_is_left(1.0)


def test_a_second_run_reads_nothing(everything: tuple[Imgcat, Done, float]) -> None:
    imgcat, first, _ = everything
    done = imgcat("index", "--json")
    answer = done.json
    assert answer["unchanged"] == answer["scanned"] == first.json["scanned"]
    assert (answer["added"], answer["changed"], answer["failed"]) == (0, 0, 0)
    assert answer["problems"] == first.json["problems"]
    assert answer["seconds"] < 5


def test_values_of_all_kinds_are_64_bits_and_not_all_the_same(full: Imgcat) -> None:
    import sqlite3

    connection = sqlite3.connect(os.fsdecode(full.catalog))
    try:
        rows = connection.execute("SELECT phash, dhash, ahash FROM photos WHERE phash > ''")
        values = np.array([[int(word, 16) for word in row] for row in rows], dtype=np.uint64)
    finally:
        connection.close()
    for column in values.T:
        assert len(np.unique(column)) > len(column) // 2
        assert int(np.bitwise_or.reduce(column)) == 2**64 - 1
