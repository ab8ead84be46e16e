"""What looks like one picture, in the catalog or not, best first."""

from __future__ import annotations

import os
import shutil

import pytest

from catalog.errors import CatalogError, UsageError
from catalog.model import HashKind, Kind, Likeness
from catalog.queries.criteria import Criteria
from catalog.queries.similar import similar
from catalog.store.database import open_for_reading
from tests.support import FakeMounts, Library, picture

EVERYTHING = Criteria(radius=64, flat=True)


@pytest.fixture
def shelf(library: Library) -> Library:
    for name, seed in {
        "a.bmp": 1,
        "copy.bmp": 1,
        "sub/third.bmp": 1,
        "b.bmp": 2,
        "c.bmp": 3,
    }.items():
        library.put(name, seed)
    os.link(library.path("a.bmp"), library.path("link.bmp"))
    library.index()
    library.reader.forget()
    return library


def ask(
    library: Library,
    image: str | bytes,
    *paths: str,
    criteria: Criteria | None = None,
    limit: int | None = 20,
) -> Likeness:
    with open_for_reading(library.catalog) as database:
        return similar(
            database,
            library.path(image),
            [library.path(path) for path in paths],
            criteria=criteria,
            limit=limit,
        )


def names(library: Library, answer: Likeness) -> list[bytes]:
    return [os.path.relpath(match.photo.path, os.fsencode(library.top)) for match in answer.matches]


def test_a_known_picture_is_not_read_and_not_in_its_own_answer(shelf: Library) -> None:
    answer = ask(shelf, "a.bmp")
    assert sorted(names(shelf, answer)) == [b"copy.bmp", b"link.bmp", b"sub/third.bmp"]
    assert {match.kind for match in answer.matches} == {Kind.IDENTICAL}
    assert [
        n for n, m in zip(names(shelf, answer), answer.matches, strict=True) if m.same_file
    ] == [b"link.bmp"]
    assert not shelf.reader.read


def test_a_picture_from_elsewhere_is_read_and_found(shelf: Library) -> None:
    path = shelf.put("../elsewhere.bmp", 1)
    answer = ask(shelf, "../elsewhere.bmp")
    assert len(answer.matches) == 4
    assert shelf.reader.read == [os.path.realpath(path)]
    assert answer.query == shelf.path("../elsewhere.bmp")


def test_a_known_picture_that_changed_is_read_again(shelf: Library) -> None:
    shelf.put("a.bmp", 2)
    answer = ask(shelf, "a.bmp")
    assert names(shelf, answer) == [b"b.bmp"]
    assert shelf.reader.read == [shelf.path("a.bmp")]


@pytest.mark.parametrize("kind", list(HashKind))
def test_identical_comes_first_and_distances_rise(shelf: Library, kind: HashKind) -> None:
    for image in ("a.bmp", "../elsewhere.bmp"):
        shelf.put("../elsewhere.bmp", 1)
        answer = ask(shelf, image, criteria=Criteria(kind, 64, True), limit=None)
        assert len(answer.matches) == (5 if image == "a.bmp" else 6)
        kinds = [match.kind for match in answer.matches]
        assert kinds == sorted(kinds, key=[Kind.IDENTICAL, Kind.HASH].index)
        distances = [match.distance for match in answer.matches]
        assert distances == sorted(distances)
        assert all(match.score == 1 - match.distance / 64 for match in answer.matches)


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 4, 5, 100])
def test_a_limit_counts_photos_and_leaves_the_best(shelf: Library, limit: int) -> None:
    whole = ask(shelf, "a.bmp", criteria=EVERYTHING, limit=None)
    some = ask(shelf, "a.bmp", criteria=EVERYTHING, limit=limit)
    assert some.matches == whole.matches[:limit]


def test_paths_limit_what_is_compared(shelf: Library) -> None:
    assert names(shelf, ask(shelf, "a.bmp", "sub")) == [b"sub/third.bmp"]
    assert names(shelf, ask(shelf, "a.bmp", "copy.bmp", "b.bmp", criteria=EVERYTHING)) == [
        b"copy.bmp",
        b"b.bmp",
    ]
    assert names(shelf, ask(shelf, "a.bmp", "sub", criteria=EVERYTHING, limit=1)) == [
        b"sub/third.bmp"
    ]
    with pytest.raises(UsageError):
        ask(shelf, "a.bmp", "absent")


def test_the_limit_is_not_used_up_by_identical_photos_out_of_scope(shelf: Library) -> None:
    answer = ask(shelf, "a.bmp", "b.bmp", "c.bmp", criteria=EVERYTHING, limit=1)
    assert len(answer.matches) == 1


def test_a_flat_picture_finds_its_own_bytes_only_and_says_so(library: Library) -> None:
    header = picture(0, size=(64, 48))[:54]
    flat, other = header + b"\x40" * (64 * 48 * 3), header + b"\x50" * (64 * 48 * 3)
    library.put("flat.bmp", flat)
    library.put("same.bmp", flat)
    library.put("other.bmp", other)
    library.index()
    answer = ask(library, "flat.bmp", criteria=Criteria(radius=64))
    assert names(library, answer) == [b"same.bmp"]
    assert answer.flat
    answer = ask(library, "flat.bmp", criteria=EVERYTHING)
    assert sorted(names(library, answer)) == [b"other.bmp", b"same.bmp"]
    assert not answer.flat


def test_a_radius_of_none_asks_for_equal_bytes_only(shelf: Library) -> None:
    shelf.put("../elsewhere.bmp", 3)
    answer = ask(shelf, "../elsewhere.bmp", criteria=Criteria(radius=None))
    assert names(shelf, answer) == [b"c.bmp"]


@pytest.mark.parametrize("name", ["absent.bmp", "sub", "dangling"])
def test_what_is_no_file_is_refused(shelf: Library, name: str) -> None:
    os.symlink(shelf.path("nowhere"), shelf.path("dangling"))
    with pytest.raises(UsageError):
        ask(shelf, name)


@pytest.mark.parametrize("data", [b"", b"no picture", picture(1, "JPEG")[:-200]])
def test_what_is_no_picture_is_an_error_that_says_why(shelf: Library, data: bytes) -> None:
    shelf.put("../broken.jpg", data)
    with pytest.raises(CatalogError, match=r"broken\.jpg cannot be read as a picture"):
        ask(shelf, "../broken.jpg")


def test_a_picture_that_takes_its_process_down_is_an_error(
    shelf: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from catalog.model import Reason
    from catalog.workers.pool import Lost

    shelf.put("../evil.jpg", 5)
    shelf.reader.after = lambda _path, _reading: Lost(Reason.CRASHED, "its process ended")
    with pytest.raises(CatalogError, match="crashed the decoder"):
        ask(shelf, "../evil.jpg")


def test_a_link_to_a_known_picture_is_that_picture(shelf: Library) -> None:
    os.symlink(shelf.path("a.bmp"), shelf.path("../pointer.bmp"))
    answer = ask(shelf, "../pointer.bmp")
    assert b"a.bmp" not in names(shelf, answer)
    assert not shelf.reader.read


def test_r9_what_is_offline_is_not_offered(shelf: Library, mounts: FakeMounts) -> None:
    mounts.names[shelf.path("sub")] = "uuid:usb"
    shelf.index()
    shelf.index("sub")
    assert b"sub/third.bmp" in names(shelf, ask(shelf, "a.bmp"))
    shutil.rmtree(shelf.path("sub"))
    assert b"sub/third.bmp" not in names(shelf, ask(shelf, "a.bmp"))


def test_missing_photos_are_not_offered(shelf: Library) -> None:
    os.unlink(shelf.path("copy.bmp"))
    shelf.index()
    assert b"copy.bmp" not in names(shelf, ask(shelf, "a.bmp"))
