"""Why two pictures match or not: what is said is what ``duplicates`` does."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from catalog.errors import CatalogError, UsageError
from catalog.model import (
    Explanation,
    Fingerprint,
    HashKind,
    Kind,
    Reason,
    Recipe,
    Rule,
    Setting,
    Standing,
)
from catalog.queries.criteria import LOOKS_ALIKE, ONE_PICTURE, Criteria
from catalog.queries.duplicates import duplicates
from catalog.queries.explain import explain
from catalog.queries.picture import pictures_at
from catalog.store import contents, folders, photos
from catalog.store.database import open_for_reading, open_for_writing
from catalog.workers.pool import Lost
from tests.search.pictures import natural
from tests.search.pictures import signature as natural_signature
from tests.support import FakeMounts, Library, Reader, Values, fingerprint, picture, stamp_of

EXACT = Criteria(radius=None, grade=Kind.IDENTICAL)

# -- held against the real search --------------------------------------------------------------

# Few bits that vary, so that all distances from 0 to 8 are common.
BITS = st.integers(0, 2**64 - 1).map(lambda bits: bits & 0x8000_0000_0101_010F)
VALUES = st.builds(Values, BITS, BITS, BITS, st.booleans())
PLAIN = st.builds(Criteria, st.sampled_from(HashKind), st.none() | st.integers(0, 12)) | (
    st.builds(Criteria, st.sampled_from(HashKind), st.integers(0, 12), st.booleans())
)
CRITERIA = PLAIN | st.sampled_from([ONE_PICTURE, LOOKS_ALIKE, EXACT])
NAMES = (b"one.jpg", b"other.jpg")


def signature(patches: list[int]) -> bytes:
    """A slope with some bright squares: other squares change few bits of the wavelet hash."""
    pixels = np.add.outer(np.arange(0, 128, 4), np.arange(0, 96, 3)).astype(np.uint8)
    for patch in patches:
        row, column = divmod(patch, 4)
        pixels[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] = 250
    return pixels.tobytes()


def roughened(pixels: bytes, levels: int) -> bytes:
    """The same picture with noise of so many levels in it."""
    noise = np.random.default_rng(1).integers(0, levels, len(pixels)).astype(np.uint8)
    return (np.frombuffer(pixels, np.uint8) ^ noise).tobytes()


FINGERPRINTS = st.builds(
    lambda values, patches: (values, signature(patches)),
    VALUES,
    st.lists(st.integers(0, 15), max_size=2),
)


class Two:
    """A catalog of two files that are nowhere but in it, below a folder that is there."""

    def __init__(self, place: Path) -> None:
        from catalog.scanning import filesystem

        top = os.fsencode(place / "photos")
        os.mkdir(top)
        with open(top + b"/something", "wb"):
            pass
        self.paths = [top + b"/" + name for name in NAMES]
        self.contents: list[int] = []
        self.database = open_for_writing(os.fsencode(place / "catalog.db"))
        status = os.lstat(top)
        with self.database.writing() as writer:
            identity = filesystem.identity(top, status.st_dev)
            self.folder = folders.add_folder(writer, None, top, identity, status.st_ino)
            folders.add_root(writer, self.folder, {})

    def hold(self, one: Fingerprint, other: Fingerprint) -> None:
        """Both files have these bytes now; of what they were before, nothing is left.

        More than 32 contents of one signature would crowd the two out of each other's matches.
        """
        with self.database.writing() as writer:
            before, self.contents = self.contents, []
            for number, (name, made) in enumerate(zip(NAMES, (one, other), strict=True)):
                row = contents.save(writer, made)
                photos.put(writer, self.folder, name, stamp_of(number), row, again=False)
                self.contents.append(row)
            contents.delete_unused(writer, before)

    def explain(self, criteria: Criteria) -> Explanation:
        return explain(self.database, *self.paths, criteria)

    def match(self, criteria: Criteria | Setting) -> tuple[Kind, int] | None:
        """How ``duplicates`` matches the two, and at which distance; None where it does not."""
        criteria = Criteria(criteria.hash, criteria.radius, criteria.flat, criteria.grade)
        answer = duplicates(self.database, criteria=criteria, pairs=True)
        pairs = list(answer.pairs or ())
        assert len(pairs) == len(answer.groups) <= 1
        if not pairs:
            return None
        (found,) = answer.groups[0].matches
        return found.kind, pairs[0].distance


@pytest.fixture
def two(tmp_path: Path, compared_here: Reader) -> Iterator[Two]:
    made = Two(tmp_path)
    with made.database:
        yield made


def test_what_is_said_of_two_is_what_duplicates_does_with_them(two: Two) -> None:
    seen: set[Rule] = set()

    numbers = itertools.count(1)
    plain, far = (Values(), signature([])), (Values(2**64 - 1), signature([]))
    flat, noise = (Values(flat=True), signature([])), (Values(), fingerprint(1).signature)
    scene = (Values(), natural_signature(natural(2)).tobytes())
    rough, rougher = ((Values(), roughened(scene[1], levels)) for levels in (32, 56))

    @hypothesis_settings(max_examples=80, deadline=None)
    @given(FINGERPRINTS, FINGERPRINTS, st.booleans(), CRITERIA)
    @example(plain, plain, True, Criteria())
    @example(plain, plain, False, Criteria())
    @example(plain, far, False, Criteria())
    @example(plain, flat, False, Criteria())
    @example(plain, plain, False, Criteria(radius=None))
    @example(plain, plain, False, EXACT)
    @example(noise, noise, False, ONE_PICTURE)
    @example(plain, plain, False, ONE_PICTURE)
    @example(plain, noise, False, ONE_PICTURE)
    @example(scene, rough, False, ONE_PICTURE)
    @example(scene, rough, False, LOOKS_ALIKE)
    @example(scene, rough, False, EXACT)
    @example(scene, rougher, False, ONE_PICTURE)
    @example(scene, rougher, False, LOOKS_ALIKE)
    def compare(
        one: tuple[Values, bytes], other: tuple[Values, bytes], equal: bool, criteria: Criteria
    ) -> None:
        first = fingerprint(next(numbers), one[0], signature=one[1])
        second = first if equal else fingerprint(next(numbers), other[0], signature=other[1])
        two.hold(first, second)
        answer = two.explain(criteria)
        found = two.match(criteria)
        assert answer.matched == (found is not None)
        assert answer.identical == equal
        if found is not None:
            assert (answer.decided_by.kind, answer.distances[criteria.hash]) == found
        for setting in answer.would_change:
            assert (two.match(setting) is not None) != answer.matched, setting
        assert len(set(answer.would_change)) == len(answer.would_change)
        assert bool(answer.would_change) != equal
        seen.add(answer.decided_by)

    compare()
    told_by_hashes = {Rule.IDENTICAL_BYTES, Rule.EXACT_ONLY, Rule.FLAT}
    told_by_hashes |= {Rule.WITHIN_RADIUS, Rule.BEYOND_RADIUS}
    told_by_signatures = {Rule.NOTHING_ALIKE, Rule.LOOKS_ALIKE, Rule.SIGNATURES_AGREE}
    assert seen == told_by_hashes | told_by_signatures | {Rule.NOT_COMPARED}, "it means something"


ALL_APART = Values(phash=0b111, dhash=0b1, ahash=0b11111)


@pytest.mark.parametrize(
    ("one", "other", "criteria", "rule", "changes"),
    [
        (
            *(Values(), ALL_APART, Criteria(), Rule.WITHIN_RADIUS),
            [("phash", 2, False), ("ahash", 4, False), ("whash", 4, False), ("phash", None, False)],
        ),
        (
            *(Values(), Values(), Criteria(radius=0), Rule.WITHIN_RADIUS),
            [("whash", 0, False), ("phash", None, False)],
        ),
        (
            *(Values(), ALL_APART, Criteria(radius=2), Rule.BEYOND_RADIUS),
            [("phash", 3, False), ("dhash", 2, False)],
        ),
        (
            *(Values(), ALL_APART, Criteria(HashKind.AHASH, 4, True), Rule.BEYOND_RADIUS),
            [("ahash", 5, True), ("phash", 4, True), ("dhash", 4, True)],
        ),
        (
            *(Values(), ALL_APART, Criteria(radius=None), Rule.EXACT_ONLY),
            [("phash", 3, False)],
        ),
        (
            *(Values(flat=True), ALL_APART, Criteria(radius=None), Rule.EXACT_ONLY),
            [("phash", 3, True)],
        ),
        (
            *(Values(flat=True), ALL_APART, Criteria(), Rule.FLAT),
            [("phash", 4, True)],
        ),
        (
            *(ALL_APART, Values(flat=True), Criteria(radius=1), Rule.FLAT),
            [("phash", 3, True)],
        ),
        (
            *(Values(flat=True), Values(dhash=7, ahash=1), Criteria(radius=9, flat=True)),
            Rule.WITHIN_RADIUS,
            [("phash", 9, False), ("whash", 9, True), ("phash", None, False)],
        ),
    ],
)
def test_the_smallest_change_of_each_option_is_named(
    two: Two,
    one: Values,
    other: Values,
    criteria: Criteria,
    rule: Rule,
    changes: list[tuple[str, int | None, bool]],
) -> None:
    two.hold(fingerprint(1, one), fingerprint(2, other))
    answer = two.explain(criteria)
    assert answer.distances[HashKind.WHASH] > 9, "random signatures have nothing in common"
    assert answer.decided_by is rule
    assert [(s.hash.value, s.radius, s.flat) for s in answer.would_change] == changes
    assert answer.asked == Setting(criteria.hash, criteria.radius, criteria.flat)


def test_equal_bytes_are_no_distance_apart_whatever_made_their_hashes(library: Library) -> None:
    """One is in the catalog with hashes of another recipe, its copy is not in it."""
    library.put("a.bmp", 1)
    library.put("../copy.bmp", 1)
    library.index()
    with open_for_writing(library.catalog) as database, database.writing() as writer:
        writer.run("UPDATE content SET phash = ~phash, recipe = 'full-1'")
    answer = ask(library, "a.bmp", "../copy.bmp")
    assert answer.first.phash ^ answer.second.phash == 2**64 - 1
    assert answer.decided_by is Rule.IDENTICAL_BYTES
    assert set(answer.distances.items()) == {(kind, 0) for kind in HashKind}


# -- ImageHash says the same -------------------------------------------------------------------


def variants(top: bytes) -> list[str]:
    """One scene, again with more light, cut, turned over, and another."""
    dice = np.random.default_rng(5)
    rough = Image.fromarray(dice.integers(0, 256, (9, 12, 3), np.uint8))
    scene = rough.resize((320, 240), Image.Resampling.BICUBIC)
    made = {
        "scene": scene,
        "light": scene.point([min(255, level + 40) for level in range(256)] * 3),
        "cut": scene.crop((12, 9, 310, 230)),
        "turned": scene.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "other": rough.rotate(90).resize((200, 300)),
    }
    for name, image in made.items():
        image.save(os.path.join(os.fsdecode(top), f"{name}.png"))
    return [f"{name}.png" for name in made]


def test_distances_are_those_of_imagehash_on_the_same_pixels(library: Library) -> None:
    names = variants(os.fsencode(library.top))
    library.index(recipe=Recipe.FULL)
    seen = set()
    for one, other in itertools.combinations(names, 2):
        answer = ask(library, one, other, Criteria())
        with Image.open(library.path(one)) as first, Image.open(library.path(other)) as second:
            expected = {
                HashKind.PHASH: imagehash.phash(first) - imagehash.phash(second),
                HashKind.DHASH: imagehash.dhash(first) - imagehash.dhash(second),
                HashKind.AHASH: imagehash.average_hash(first) - imagehash.average_hash(second),
                HashKind.WHASH: imagehash.whash(small(first)) - imagehash.whash(small(second)),
            }
        assert answer.distances == expected
        seen |= set(expected.values())
    assert len(seen) > 10, "many distances, not one"


def small(image: Image.Image) -> Image.Image:
    """The signature: a wavelet hash is made of nothing larger."""
    return image.convert("L").resize((32, 32), Image.Resampling.LANCZOS)


# -- where the two come from -------------------------------------------------------------------


@pytest.fixture
def shelf(library: Library) -> Library:
    for name, seed in {"a.bmp": 1, "copy.bmp": 1, "sub/third.bmp": 1, "b.bmp": 2}.items():
        library.put(name, seed)
    os.link(library.path("a.bmp"), library.path("link.bmp"))
    library.index()
    library.reader.forget()
    return library


def ask(library: Library, one: str, other: str, criteria: Criteria | None = None) -> Explanation:
    with open_for_reading(library.catalog) as database:
        return explain(database, library.path(one), library.path(other), criteria)


def standings(answer: Explanation) -> tuple[Standing, Standing]:
    return answer.first_standing, answer.second_standing


BOTH_KNOWN = (Standing.IN_CATALOG, Standing.IN_CATALOG)


def test_known_pictures_are_not_read(shelf: Library) -> None:
    answer = ask(shelf, "a.bmp", "b.bmp")
    assert standings(answer) == BOTH_KNOWN
    assert answer.first.path == shelf.path("a.bmp")
    assert (answer.first.file is None, answer.second.file is None) == (False, False)
    assert not shelf.reader.read


@pytest.fixture
def runs(shelf: Library, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many files each run of worker processes was given."""
    counted: list[int] = []

    real = shelf.reader.run_all

    def run_all(function: Any, tasks: Any, **options: Any) -> Any:
        tasks = list(tasks)
        counted.append(len(tasks))
        return real(function, tasks, **options)

    monkeypatch.setattr(shelf.reader, "run_all", run_all)
    return counted


def test_two_pictures_from_elsewhere_are_read_in_one_run(shelf: Library, runs: list[int]) -> None:
    shelf.put("../x.bmp", 1)
    shelf.put("../y.bmp", 2)
    answer = ask(shelf, "../y.bmp", "../x.bmp")
    assert runs == [2]
    assert (answer.first.digest, answer.second.digest) == tuple(
        ask(shelf, name, name).first.digest for name in ("b.bmp", "a.bmp")
    )
    assert standings(answer) == (Standing.NOT_IN_CATALOG, Standing.NOT_IN_CATALOG)
    assert (answer.first.file, answer.second.file) == (None, None)


def test_results_that_come_in_another_order_are_still_of_their_own_files(
    shelf: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shelf.reader.run_all
    monkeypatch.setattr(
        shelf.reader,
        "run_all",
        lambda function, tasks, **other: reversed([*real(function, tasks, **other)]),
    )
    shelf.put("../x.bmp", 7)
    shelf.put("../y.bmp", 2)
    answer = ask(shelf, "../x.bmp", "../y.bmp")
    assert answer.second.digest == ask(shelf, "b.bmp", "b.bmp").first.digest
    assert answer.first.digest != answer.second.digest


def test_one_from_the_catalog_and_one_from_elsewhere(shelf: Library) -> None:
    path = shelf.put("../copy.bmp", 1)
    answer = ask(shelf, "../copy.bmp", "a.bmp")
    assert standings(answer) == (Standing.NOT_IN_CATALOG, Standing.IN_CATALOG)
    assert shelf.reader.read == [os.path.realpath(path)]
    assert answer.decided_by is Rule.IDENTICAL_BYTES
    assert not answer.same_file


def test_without_a_catalog_two_files_are_compared_as_index_would(shelf: Library) -> None:
    answer = explain(None, shelf.path("a.bmp"), shelf.path("b.bmp"))
    assert standings(answer) == (Standing.NO_CATALOG, Standing.NO_CATALOG)
    assert answer.first.recipe == answer.second.recipe == Recipe.REDUCED
    assert answer.distances == ask(shelf, "a.bmp", "b.bmp").distances
    assert len(shelf.reader.read) == 2


def test_what_is_read_now_is_hashed_by_the_recipe_of_the_catalog(library: Library) -> None:
    library.put("a.bmp", 1)
    library.put("../x.bmp", 2)
    library.index(recipe=Recipe.FULL)
    answer = ask(library, "a.bmp", "../x.bmp")
    assert answer.first.recipe == answer.second.recipe == Recipe.FULL


def test_a_picture_says_of_itself_the_same_from_the_catalog_and_from_disk(library: Library) -> None:
    for name, form in (("a.jpg", "JPEG"), ("a.png", "PNG")):
        library.put(name, picture(1, form))
        library.index()
        stored = ask(library, name, name).first
        read = explain(None, library.path(name), library.path(name)).first
        assert stored.file is not None
        for field in stored.__slots__:
            if field != "file":
                assert getattr(stored, field) == getattr(read, field), field


def test_one_that_changed_is_read_and_said_to_have_changed(shelf: Library) -> None:
    shelf.put("a.bmp", 2)
    answer = ask(shelf, "a.bmp", "b.bmp")
    assert standings(answer) == (Standing.CHANGED, Standing.IN_CATALOG)
    assert answer.decided_by is Rule.IDENTICAL_BYTES
    assert shelf.reader.read == [shelf.path("a.bmp")]


def test_one_that_was_only_touched_is_still_what_dupes_compares(shelf: Library) -> None:
    os.utime(shelf.path("a.bmp"), ns=(7, 7))
    answer = ask(shelf, "a.bmp", "b.bmp")
    assert standings(answer) == BOTH_KNOWN
    assert answer.first.mtime_ns == 7
    assert answer.first.file is None, "it was read now"


def racy(library: Library) -> None:
    """All files are to be read at the next look although their stamps agree."""
    with open_for_writing(library.catalog) as database, database.writing() as writer:
        writer.run("UPDATE photo SET again = 1")


def test_one_that_is_to_be_read_again_is_checked_by_its_bytes_alone(shelf: Library) -> None:
    racy(shelf)
    answer = ask(shelf, "a.bmp", "b.bmp")
    assert standings(answer) == BOTH_KNOWN
    assert shelf.reader.read == [shelf.path("a.bmp"), shelf.path("b.bmp")]
    assert not shelf.reader.decoded, "equal bytes have the hashes that dupes compares"
    assert answer.first.file is not None


def test_one_that_changed_below_its_stamps_is_found_to_have_changed(shelf: Library) -> None:
    status = os.lstat(shelf.path("b.bmp"))
    with open(shelf.path("b.bmp"), "r+b") as file:
        file.write(picture(1))
    os.utime(shelf.path("b.bmp"), ns=(status.st_atime_ns, status.st_mtime_ns))
    racy(shelf)
    with open_for_writing(shelf.catalog) as database, database.writing() as writer:
        writer.run(
            "UPDATE photo SET ctime_ns = ? WHERE name = ?",
            (os.lstat(shelf.path("b.bmp")).st_ctime_ns, b"b.bmp"),
        )
    answer = ask(shelf, "a.bmp", "b.bmp")
    assert standings(answer) == (Standing.IN_CATALOG, Standing.CHANGED)
    assert answer.decided_by is Rule.IDENTICAL_BYTES


def test_hashes_of_another_recipe_are_those_that_dupes_compares(shelf: Library) -> None:
    with open_for_writing(shelf.catalog) as database, database.writing() as writer:
        writer.run("UPDATE content SET recipe = 'made-up-0', phash = 3 WHERE flat = 0")
        writer.run("UPDATE photo SET again = 1")
    answer = ask(shelf, "a.bmp", "b.bmp", Criteria())
    assert (answer.first.recipe, answer.first.phash) == ("made-up-0", 3)
    assert answer.matched
    assert len(shelf.dupes(criteria=Criteria()).groups) == 1


def test_one_that_is_gone_is_what_dupes_still_shows(shelf: Library) -> None:
    before = ask(shelf, "a.bmp", "b.bmp")
    os.unlink(shelf.path("b.bmp"))
    racy(shelf)
    answer = ask(shelf, "a.bmp", "b.bmp")
    assert standings(answer) == (Standing.IN_CATALOG, Standing.GONE)
    assert answer.second == before.second
    shelf.index()
    with pytest.raises(UsageError, match=r"there is no file .*b\.bmp"):
        ask(shelf, "a.bmp", "b.bmp")


def test_one_that_is_gone_is_given_only_to_who_asks_for_it(shelf: Library) -> None:
    os.unlink(shelf.path("b.bmp"))
    with open_for_reading(shelf.catalog) as database:
        pictures_at(database, [shelf.path("b.bmp")], gone=True)
        with pytest.raises(UsageError, match="there is no file"):
            pictures_at(database, [shelf.path("b.bmp")])


def test_one_of_many_copies_is_told_by_its_own_place(shelf: Library) -> None:
    """Time and number are the file's, though the content is the same row."""
    for number, name in enumerate(("a.bmp", "copy.bmp", "sub/third.bmp")):
        os.utime(shelf.path(name), ns=(number + 1, number + 1))
    shelf.index()
    for number, name in enumerate(("a.bmp", "copy.bmp", "sub/third.bmp")):
        found = ask(shelf, name, "b.bmp").first
        assert found.mtime_ns == number + 1
        assert found.file is not None
        assert found.file[1] == os.lstat(shelf.path(name)).st_ino


def test_one_that_came_back_is_missing_until_the_next_index(shelf: Library) -> None:
    os.rename(shelf.path("b.bmp"), shelf.path("../aside.bmp"))
    shelf.index()
    os.rename(shelf.path("../aside.bmp"), shelf.path("b.bmp"))
    answer = ask(shelf, "a.bmp", "b.bmp")
    assert standings(answer) == (Standing.IN_CATALOG, Standing.MISSING)
    assert shelf.reader.read[-1] == shelf.path("b.bmp")


def test_r9_one_that_is_offline_is_explained_and_said_to_be_left_out(
    shelf: Library, mounts: FakeMounts
) -> None:
    mounts.names[shelf.path("sub")] = "uuid:usb"
    shelf.index()
    shelf.index("sub")
    shelf.reader.forget()
    assert standings(ask(shelf, "a.bmp", "sub/third.bmp")) == BOTH_KNOWN
    mounts.names[shelf.path("sub")] = "uuid:another"
    away = (Standing.IN_CATALOG, Standing.OFFLINE)
    assert standings(ask(shelf, "a.bmp", "sub/third.bmp")) == away
    shutil.rmtree(shelf.path("sub"))
    answer = ask(shelf, "a.bmp", "sub/third.bmp")
    assert standings(answer) == away
    assert answer.decided_by is Rule.IDENTICAL_BYTES
    assert not shelf.reader.read


def test_one_that_could_not_be_read_and_can_be_now(shelf: Library) -> None:
    shelf.put("late.bmp", 1)
    shelf.reader.after = lambda path, reading: (
        Lost(Reason.CRASHED, "its process ended") if path.endswith(b"late.bmp") else reading
    )
    assert shelf.index().failed == 1
    shelf.reader.after = lambda _path, reading: reading
    answer = ask(shelf, "late.bmp", "a.bmp")
    assert standings(answer) == (Standing.PROBLEM, Standing.IN_CATALOG)
    assert answer.decided_by is Rule.IDENTICAL_BYTES


@pytest.mark.parametrize("standing", Standing)
def test_only_what_dupes_compares_is_said_to_be_shown(standing: Standing) -> None:
    assert standing.shown == (standing in (Standing.IN_CATALOG, Standing.GONE))


# -- names of one file -------------------------------------------------------------------------


def test_hard_links_are_one_file_from_the_catalog_and_from_disk(shelf: Library) -> None:
    assert ask(shelf, "a.bmp", "link.bmp").same_file
    assert not ask(shelf, "a.bmp", "copy.bmp").same_file
    assert not shelf.reader.read, "the catalog knew"
    os.link(shelf.path("a.bmp"), shelf.path("../unknown.bmp"))
    for one, other in (
        ("a.bmp", "link.bmp"),
        ("../unknown.bmp", "link.bmp"),
        ("link.bmp", "../unknown.bmp"),
    ):
        answer = ask(shelf, one, other)
        assert answer.same_file, (one, other)
        assert (answer.decided_by, answer.matched) == (Rule.IDENTICAL_BYTES, True)
    assert not ask(shelf, "a.bmp", "copy.bmp").same_file
    assert not ask(shelf, "a.bmp", "b.bmp").same_file
    assert explain(None, shelf.path("a.bmp"), shelf.path("link.bmp")).same_file
    assert not explain(None, shelf.path("a.bmp"), shelf.path("copy.bmp")).same_file


def test_two_gone_files_are_one_where_the_catalog_says_so(shelf: Library) -> None:
    for name in ("a.bmp", "link.bmp", "copy.bmp"):
        os.unlink(shelf.path(name))
    assert ask(shelf, "a.bmp", "link.bmp").same_file
    shelf.put("../unknown.bmp", 1)
    assert not ask(shelf, "a.bmp", "../unknown.bmp").same_file


def test_a_file_that_got_the_number_of_one_that_is_gone_is_another(shelf: Library) -> None:
    os.unlink(shelf.path("b.bmp"))
    with open_for_writing(shelf.catalog) as database, database.writing() as writer:
        inode = os.lstat(shelf.path("a.bmp")).st_ino
        writer.run("UPDATE photo SET inode = ? WHERE name = ?", (inode, b"b.bmp"))
    answer = ask(shelf, "a.bmp", "b.bmp")
    assert answer.first.file == answer.second.file
    assert not answer.same_file


def test_one_path_is_not_compared_with_itself_by_whatever_name(shelf: Library) -> None:
    os.symlink(shelf.path("a.bmp"), shelf.path("../pointer.bmp"))
    os.symlink(shelf.path("."), shelf.path("../folder"))
    for other in ("a.bmp", "sub/../a.bmp", "../pointer.bmp", "../folder/a.bmp"):
        for criteria in (ONE_PICTURE, LOOKS_ALIKE, EXACT, Criteria(radius=64, flat=True)):
            answer = ask(shelf, "a.bmp", other, criteria)
            assert (answer.decided_by, answer.matched) == (Rule.ONE_PATH, False)
            assert (answer.same_file, answer.would_change) == (True, ())


# -- what cannot be asked ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["absent.bmp", "sub", "dangling", "a.bmp/x"])
@pytest.mark.parametrize("with_catalog", [True, False])
def test_what_is_no_file_is_refused(shelf: Library, name: str, with_catalog: bool) -> None:
    os.symlink(shelf.path("nowhere"), shelf.path("dangling"))
    with open_for_reading(shelf.catalog) as opened:
        database = opened if with_catalog else None
        for pair in (("a.bmp", name), (name, "a.bmp"), (name, name)):
            with pytest.raises(UsageError, match=name):
                explain(database, *map(shelf.path, pair))


@pytest.mark.parametrize("data", [b"", b"no picture", picture(1, "JPEG")[:-200]])
def test_what_is_no_picture_is_an_error_that_names_it(shelf: Library, data: bytes) -> None:
    shelf.put("broken.jpg", data)
    shelf.index()
    for pair in (("a.bmp", "broken.jpg"), ("broken.jpg", "a.bmp")):
        with pytest.raises(CatalogError, match=r"broken\.jpg cannot be read as a pict") as error:
            ask(shelf, *pair)
        assert not isinstance(error.value, UsageError)


def test_a_picture_that_takes_its_process_down_is_an_error(shelf: Library) -> None:
    shelf.put("../evil.jpg", 5)
    shelf.reader.after = lambda _path, _reading: Lost(Reason.CRASHED, "its process ended")
    with pytest.raises(CatalogError, match=r"evil\.jpg cannot be read: crashed the decoder"):
        ask(shelf, "a.bmp", "../evil.jpg")


def test_kinds_are_those_of_dupes() -> None:
    assert {rule: rule.kind for rule in Rule if rule.kind} == {
        Rule.IDENTICAL_BYTES: Kind.IDENTICAL,
        Rule.WITHIN_RADIUS: Kind.HASH,
        Rule.SIGNATURES_AGREE: Kind.SAME,
        Rule.PIXELS_AGREE: Kind.SAME,
        Rule.STAMP_ON_FIRST: Kind.SAME,
        Rule.STAMP_ON_SECOND: Kind.SAME,
        Rule.ALL_BUT_A_STAMP: Kind.SAME,
        Rule.LOOKS_ALIKE: Kind.SIMILAR,
        Rule.SEVERAL_FRAMES: Kind.SIMILAR,
        Rule.RAW_AND_PICTURE: Kind.SIMILAR,
        Rule.TAKEN_APART: Kind.SIMILAR,
        Rule.PARTS_DIFFER: Kind.SIMILAR,
        Rule.COLOURS_DIFFER: Kind.SIMILAR,
        Rule.TOO_LITTLE_DETAIL: Kind.SIMILAR,
        Rule.NOT_COMPARED: Kind.SIMILAR,
        Rule.UNDECIDED: Kind.SIMILAR,
    }
