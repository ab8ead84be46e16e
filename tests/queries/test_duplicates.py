"""Groups and pairs, held against brute force."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import UsageError
from catalog.keeping import KeepRules
from catalog.model import Duplicates, HashKind, Kind, Photo
from catalog.queries import duplicates as by_hash
from catalog.queries import verified
from catalog.queries.criteria import LOOKS_ALIKE, ONE_PICTURE, Criteria
from catalog.queries.duplicates import duplicates
from catalog.store import contents, folders, photos
from catalog.store.database import open_for_reading, open_for_writing
from tests.orders import orders
from tests.support import FakeMounts, Library, Values, fingerprint, members, picture, stamp_of

KINDS = [HashKind.PHASH, HashKind.DHASH, HashKind.AHASH]
EXACT = Criteria(radius=None, grade=Kind.IDENTICAL)
SIGNATURE = fingerprint(0).signature  # of contents that show one picture


class Fiction:
    """A catalog of files that are nowhere but in it, below a folder that is there."""

    def __init__(self, place: Path) -> None:
        self.top = os.fsencode(place / "photos")
        os.mkdir(self.top)
        with open(os.path.join(self.top, b"something"), "wb"):
            pass
        self.database = open_for_writing(os.fsencode(place / "catalog.db"))
        from catalog.scanning import filesystem

        status = os.lstat(self.top)
        identity = filesystem.identity(self.top, status.st_dev)
        with self.database.writing() as writer:
            self.folder = folders.add_folder(writer, None, self.top, identity, status.st_ino)
            folders.add_root(writer, self.folder, {})
            self.sub = folders.add_folder(writer, self.folder, b"sub", identity, 77)

    def fill(self, holdings: list[tuple[int, Values, int]], **fields: object) -> None:
        """Contents with their values, and how many files hold each; ``fields`` are those of all."""
        files = 0
        with self.database.writing() as writer:
            for number, values, copies in holdings:
                content = contents.save(writer, fingerprint(number, values, **fields))
                for _ in range(copies):
                    files += 1
                    folder = self.sub if files % 3 == 0 else self.folder
                    name = b"%d.jpg" % files
                    photos.put(writer, folder, name, stamp_of(files), content, again=False)

    def every_photo(self) -> list[Photo]:
        ids = [row[0] for row in self.database.rows("SELECT id FROM content")]
        return list(photos.with_contents(self.database, ids, lambda *_place: True))

    def hash_of(self, photo: Photo, kind: HashKind) -> int:
        return contents.hash_of(self.database, photo.content, kind)


@pytest.fixture
def fiction(tmp_path: Path) -> Fiction:
    return Fiction(tmp_path)


# Few bits that vary, so that many pairs are close, at every distance.
CLOSE = st.integers(0, 2**64 - 1).map(lambda bits: bits & 0x8000_0000_0101_010F)
HOLDINGS = st.lists(
    st.tuples(st.builds(Values, CLOSE, CLOSE, CLOSE, st.booleans()), st.integers(1, 3)),
    max_size=14,
).map(lambda some: [(number, values, copies) for number, (values, copies) in enumerate(some)])


def brute_force(fiction: Fiction, criteria: Criteria) -> dict[frozenset[bytes], int]:
    """Every pair of photos that matches, with its distance."""
    found = {}
    for one, other in itertools.combinations(fiction.every_photo(), 2):
        if one.content == other.content:
            found[frozenset((one.path, other.path))] = 0
        elif criteria.radius is not None and (criteria.flat or not (one.flat or other.flat)):
            kind = criteria.hash
            distance = (fiction.hash_of(one, kind) ^ fiction.hash_of(other, kind)).bit_count()
            if distance <= criteria.radius:
                found[frozenset((one.path, other.path))] = distance
    return found


@settings(max_examples=40, deadline=None)
@given(HOLDINGS, st.none() | st.integers(0, 12), st.booleans(), st.sampled_from(KINDS), st.data())
def test_pairs_and_groups_are_those_of_brute_force(
    holdings: list[tuple[int, Values, int]],
    radius: int | None,
    flat: bool,
    kind: HashKind,
    data: st.DataObject,
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        fiction = Fiction(Path(place))
        with fiction.database as database:
            fiction.fill(data.draw(st.permutations(holdings)))
            criteria = Criteria(kind, radius, flat)
            if radius is None:
                grade = data.draw(st.sampled_from([Kind.HASH, Kind.IDENTICAL]))
                criteria = Criteria(kind, radius, flat, grade)
            expected = brute_force(fiction, criteria)
            rules = data.draw(orders([fiction.top, fiction.top + b"/sub", b"/"]))
            answer = duplicates(database, criteria=criteria, keep=rules, pairs=True)
            assert answer.pairs is not None
            pairs = list(answer.pairs)
            found = {frozenset((p.first.path, p.second.path)): p.distance for p in pairs}
            assert len(found) == len(pairs), "each pair once"
            assert found == expected
            are_stars_over(answer, expected, rules)
            again = duplicates(database, criteria=criteria, keep=rules)
            assert list(again.groups) == list(answer.groups)


def are_stars_over(
    answer: Duplicates, edges: dict[frozenset[bytes], int], rules: KeepRules
) -> None:
    """Nobody stands twice, every match is an edge to the kept one, and nobody is left out."""
    seen: list[bytes] = []
    for group in answer.groups:
        every = members(group)
        seen += [photo.path for photo in every]
        assert group.keep == min(every, key=rules.rank_key)
        for match in group.matches:
            assert edges[frozenset((group.keep.path, match.photo.path))] == match.distance
            same = match.photo.digest == group.keep.digest
            assert match.kind is (Kind.IDENTICAL if same else Kind.HASH)
            assert match.score == 1 - match.distance / 64
        distances = [match.distance for match in group.matches]
        assert distances == sorted(distances)
        assert group.reclaimable == sum(match.photo.stamp.size for match in group.matches)
    assert len(seen) == len(set(seen))
    for pair in edges:
        assert pair & set(seen), "a photo with a match stands in a group, or its match does"
    sizes = [group.reclaimable for group in answer.groups]
    assert sizes == sorted(sizes, reverse=True)


def test_an_empty_catalog_has_no_duplicates(fiction: Fiction) -> None:
    for criteria in (ONE_PICTURE, LOOKS_ALIKE, EXACT, Criteria(), Criteria(HashKind.WHASH)):
        answer = duplicates(fiction.database, criteria=criteria, pairs=True)
        assert list(answer.groups) == []
        assert (answer.photos, answer.reclaimable) == (0, 0)
        assert list(answer.pairs or ()) == []


def test_exact_asks_for_equal_bytes_only(fiction: Fiction) -> None:
    fiction.fill([(1, Values(phash=7), 2), (2, Values(phash=7), 1)], signature=SIGNATURE)
    for criteria in (ONE_PICTURE, LOOKS_ALIKE, Criteria()):
        assert len(duplicates(fiction.database, criteria=criteria).groups[0].matches) == 2
    for criteria in (EXACT, Criteria(radius=None)):
        (group,) = duplicates(fiction.database, criteria=criteria).groups
        assert [match.kind for match in group.matches] == [Kind.IDENTICAL]


def test_r8_flat_pictures_match_by_their_bytes_alone_unless_asked(fiction: Fiction) -> None:
    fiction.fill([(1, Values(flat=True), 2), (2, Values(flat=True), 1), (3, Values(), 1)])
    for criteria in (ONE_PICTURE, LOOKS_ALIKE, Criteria()):
        (group,) = duplicates(fiction.database, criteria=criteria).groups
        assert len(members(group)) == 2
    (group,) = duplicates(fiction.database, criteria=Criteria(flat=True)).groups
    assert len(members(group)) == 4


def test_r8_what_could_not_be_read_is_in_no_group(library: Library) -> None:
    for number in range(30):
        library.put(f"bad{number}.jpg", b"no picture")
        library.put(f"empty{number}.jpg", b"")
    flat = [
        (b"\x40\x40\x40" if n % 2 else b"\x90\x90\x90") * 64 * 48 + bytes([n]) for n in range(30)
    ]
    for number, pixels in enumerate(flat):
        header = picture(0, size=(64, 48))[:54]
        library.put(f"flat{number}.bmp", header + pixels)
    summary = library.index()
    assert summary.failed == 60
    assert len([one for one in library.known().values() if isinstance(one, bytes)]) == 30
    for criteria in (ONE_PICTURE, LOOKS_ALIKE, *map(Criteria, HashKind)):
        assert library.dupes(criteria=criteria).groups == ()


def test_a_wavelet_hash_is_made_when_it_is_asked_for(library: Library) -> None:
    library.put("a.bmp", 1)
    library.put("b.bmp", 1)
    library.put("c.bmp", 2)
    library.index()
    assert library.groups(criteria=Criteria(HashKind.WHASH)) == [{b"a.bmp", b"b.bmp"}]
    everything = library.dupes(criteria=Criteria(HashKind.WHASH, 64, True), pairs=True)
    assert len(list(everything.pairs or ())) == 3


# -- what a question is about ------------------------------------------------------------------


@pytest.fixture
def shelf(library: Library) -> Library:
    for name in ("a/1.bmp", "a/2.bmp", "a/sub/3.bmp", "b/4.bmp"):
        library.put(name, 1)
    library.put("b/other.bmp", 2)
    library.put("b/bad.jpg", b"no picture")
    library.index()
    return library


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a"], {b"a/1.bmp", b"a/2.bmp", b"a/sub/3.bmp"}),
        (["a/sub", "b"], {b"a/sub/3.bmp", b"b/4.bmp"}),
        (["a/1.bmp", "b/4.bmp"], {b"a/1.bmp", b"b/4.bmp"}),
        (["a/1.bmp", "b"], {b"a/1.bmp", b"b/4.bmp"}),
        (["a/1.bmp", "a"], {b"a/1.bmp", b"a/2.bmp", b"a/sub/3.bmp"}),
        (["."], {b"a/1.bmp", b"a/2.bmp", b"a/sub/3.bmp", b"b/4.bmp"}),
    ],
)
def test_a_question_is_about_what_is_below_its_paths(
    shelf: Library, paths: list[str], names: set[bytes]
) -> None:
    assert shelf.groups(*paths) == [names]
    answer = shelf.dupes(*paths, pairs=True)
    assert len(list(answer.pairs or ())) == len(list(itertools.combinations(names, 2)))


@pytest.mark.parametrize("path", ["a/1.bmp", "b/other.bmp", "a/sub", "b/bad.jpg"])
def test_one_photo_alone_is_no_group(shelf: Library, path: str) -> None:
    assert shelf.groups(path) == []
    assert list(shelf.dupes(path, pairs=True).pairs or ()) == []


@pytest.mark.parametrize("path", ["c", "a/absent.bmp", "../elsewhere", "a/1.bmp/x"])
def test_a_path_that_is_not_known_is_refused(shelf: Library, path: str) -> None:
    with pytest.raises(UsageError, match="not in the catalog"):
        shelf.groups(path)


def test_a_link_to_a_photo_asks_about_the_photo(shelf: Library) -> None:
    os.symlink(shelf.path("a"), shelf.path("../link"))
    assert shelf.groups("../link", "b/4.bmp") == [
        {b"a/1.bmp", b"a/2.bmp", b"a/sub/3.bmp", b"b/4.bmp"}
    ]


def test_missing_photos_are_neither_kept_nor_offered(shelf: Library) -> None:
    os.unlink(shelf.path("a/1.bmp"))
    shelf.index()
    assert shelf.groups("a") == [{b"a/2.bmp", b"a/sub/3.bmp"}]


def test_r9_what_is_offline_now_is_left_out_and_named(shelf: Library, mounts: FakeMounts) -> None:
    mounts.names[shelf.path("b")] = "uuid:usb"
    shelf.index()
    shelf.index("b")
    assert len(shelf.groups()[0]) == 4
    mounts.names[shelf.path("b")] = "uuid:another"
    answer = shelf.dupes()
    assert shelf.groups() == [{b"a/1.bmp", b"a/2.bmp", b"a/sub/3.bmp"}]
    assert [path for path, _ in answer.offline] == [shelf.path("b")]
    assert shelf.groups("a/1.bmp", "b/4.bmp") == []


def forget_all(fiction: Fiction) -> None:
    with open_for_writing(fiction.database.path) as other, other.writing() as writer:
        rows = photos.ids_in(other, [fiction.folder, fiction.sub])
        contents.delete_unused(writer, photos.delete(writer, rows))


HOLDINGS_OF_FIVE = [(1, Values(phash=1), 2), (2, Values(phash=3), 2), (3, Values(phash=0), 1)]
either_search = pytest.mark.parametrize(
    ("criteria", "module"),
    [(ONE_PICTURE, verified), (Criteria(), by_hash)],
    ids=["verified", "hash"],
)


@either_search
def test_a_search_never_makes_a_writer_wait_and_leaves_out_what_went_meanwhile(
    fiction: Fiction, monkeypatch: pytest.MonkeyPatch, criteria: Criteria, module: ModuleType
) -> None:
    fiction.fill(HOLDINGS_OF_FIVE, signature=SIGNATURE)
    real = module._files

    def meanwhile(*arguments: object) -> object:
        forget_all(fiction)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_files", meanwhile)
    begun = time.monotonic()
    with open_for_reading(fiction.database.path) as reading:
        answer = duplicates(reading, criteria=criteria, pairs=True)
        assert (answer.photos, list(answer.groups), list(answer.pairs or ())) == (0, [], [])
    assert time.monotonic() - begun < 5, "the writer must not wait for the reader to end"


@either_search
def test_photos_that_went_after_the_search_are_not_shown(
    fiction: Fiction, criteria: Criteria, module: ModuleType
) -> None:
    fiction.fill(HOLDINGS_OF_FIVE, signature=SIGNATURE)
    with open_for_reading(fiction.database.path) as reading:
        answer = duplicates(reading, criteria=criteria, pairs=True)
        assert answer.photos == 5
        assert len(answer.groups[0].matches) == 4
        pairs = iter(answer.pairs or ())
        forget_all(fiction)
        assert list(answer.groups) == []
        assert list(pairs) == []
        with pytest.raises(LookupError, match="changed since"):
            answer.groups[0]


def test_the_order_of_indexing_does_not_change_the_answer(tmp_path: Path) -> None:
    holdings = [(n, Values(phash=(1 << n) - 1), 1 + n % 2) for n in range(8)]
    answers = []
    for number, order in enumerate((holdings, holdings[::-1])):
        place = tmp_path / str(number)
        place.mkdir()
        fiction = Fiction(place)
        with fiction.database as database, database.writing() as writer:
            for content, values, _copies in order:
                row = contents.save(writer, fingerprint(content, values))
                name = b"%d.jpg" % content
                photos.put(writer, fiction.folder, name, stamp_of(content), row, again=False)
        with open_for_reading(database.path) as reading:
            groups = list(duplicates(reading, criteria=Criteria(radius=2)).groups)
        answers.append([[os.path.basename(p.path) for p in members(group)] for group in groups])
    assert answers[0] == answers[1]
    assert len(answers[0]) > 1
