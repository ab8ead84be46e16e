"""What belongs to a photo goes with it or keeps it, and never goes with another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from catalog.actions.companions import Neighbours
from catalog.model import Deed, Spared
from tests.actions.albums import Album, copies, paths, why
from tests.support import NOBODY, in_child, needs_root

TAKING = (Deed.TRASH, Deed.MOVE, Deed.DELETE)
LINKING = (Deed.HARDLINK, Deed.REFLINK)


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Album:
    return Album(tmp_path, monkeypatch)


@pytest.fixture
def pair(album: Album) -> Album:
    """With two photos of equal bytes: kept/IMG_1.JPG, and copies/IMG_1.JPG."""
    album.put_all(b"photo", "kept/IMG_1.JPG", "copies/IMG_1.JPG")
    return album


def belonging(album: Album, name: str) -> set[str]:
    found = Neighbours().of(album.path(name)).values()
    return {os.fsdecode(os.path.relpath(each.path, album.top)) for each in found}


def gone(album: Album, deed: Deed = Deed.TRASH, **order: object) -> set[str] | Spared:
    """What the copy takes along (in kept/ and copies/), or why it stays."""
    (copy,) = copies(album.plan(deed, album.group("kept/IMG_1.JPG", "copies/IMG_1.JPG"), **order))
    if copy.spared is not None:
        return copy.spared
    return {os.fsdecode(os.path.basename(path)) for path in paths(copy)[1:]}


# -- what belongs to what -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("photo", "other"),
    [
        ("IMG_1.CR2", "IMG_1.JPG"),
        ("IMG_1.JPG", "IMG_1.CR2"),
        ("IMG_1.dng", "IMG_1.heic"),
        ("IMG_1.HEIC", "IMG_1.MOV"),
        ("IMG_1.JPG", "IMG_1.mp4"),
        ("IMG_1.JPG", "IMG_1.xmp"),
        ("IMG_1.JPG", "IMG_1.AAE"),
        ("IMG_1.JPG", "IMG_1.json"),
        ("IMG_1.JPG", "img_1.Xmp"),
        ("IMG_1.JPG", "IMG_1.JPG.json"),
        ("IMG_1.JPG", "IMG_1.jpg.JSON"),
        ("IMG_1.JPG", "IMG_1.JPG.supplemental-metadata.json"),
        ("IMG_1.CR2", "IMG_1.CR2.xmp"),
        ("IMG_1.CR2", "IMG_1.pp3"),
        ("a.b.jpg", "a.b.xmp"),
    ],
)
def test_belongs_to(album: Album, photo: str, other: str) -> None:
    album.put(photo, b"photo")
    album.put(other, b"other")
    assert belonging(album, photo) == {other}


@pytest.mark.parametrize(
    ("photo", "other"),
    [
        ("IMG_1.JPG", "IMG_10.xmp"),
        ("IMG_1.JPG", "IMG_1.png"),
        ("IMG_1.JPG", "IMG_1.heic"),
        ("IMG_1.CR2", "IMG_1.dng"),
        ("IMG_1.png", "IMG_1.CR2"),
        ("IMG_1.JPG", "IMG_1.JPG.txt"),
        ("IMG_1.JPG", "IMG_1.CR2.xmp"),
        ("IMG_1.JPG", "IMG_1"),
        ("IMG_1.JPG", "IMG_1.JPG"),
        ("IMG_1.JPG", "below/IMG_1.xmp"),
    ],
)
def test_does_not_belong_to(album: Album, photo: str, other: str) -> None:
    album.put(photo, b"photo")
    album.put(other, b"other")
    assert belonging(album, photo) == set()


# -- with the photo, or not at all ----------------------------------------------------------------


@pytest.mark.parametrize("deed", TAKING)
@pytest.mark.parametrize(
    "other", ["IMG_1.CR2", "IMG_1.MOV", "IMG_1.xmp", "IMG_1.AAE", "IMG_1.json", "IMG_1.JPG.json"]
)
def test_what_has_an_equal_beside_the_kept_photo_goes_along(
    pair: Album, deed: Deed, other: str
) -> None:
    pair.put_all(b"other", f"kept/{other}", f"copies/{other}")
    assert gone(pair, deed) == {other}


def test_the_equal_one_is_told_by_what_the_names_differ_in(album: Album) -> None:
    album.put_all(b"photo", "kept/best.jpg", "copies/IMG_1.JPG")
    album.put_all(b"sidecar", "kept/best.XMP", "copies/img_1.xmp")
    (copy,) = copies(album.plan(Deed.TRASH, album.group("kept/best.jpg", "copies/IMG_1.JPG")))
    (companion,) = copy.companions
    assert companion.path == album.path("copies/img_1.xmp")
    assert companion.equal == album.path("kept/best.XMP")


@pytest.mark.parametrize("deed", TAKING)
@pytest.mark.parametrize("other", ["IMG_1.CR2", "IMG_1.MOV", "IMG_1.xmp", "IMG_1.JPG.json"])
@pytest.mark.parametrize("there", [None, b"longer other"], ids=["none", "of another size"])
def test_a_photo_stays_with_what_has_no_equal(
    pair: Album, deed: Deed, other: str, there: bytes | None
) -> None:
    pair.put(f"copies/{other}", b"other")
    if there is not None:
        pair.put(f"kept/{other}", there)
    planned = pair.plan(deed, pair.group("kept/IMG_1.JPG", "copies/IMG_1.JPG"))
    (copy,) = copies(planned)
    assert (copy.spared, copy.detail) == (Spared.COMPANION, pair.path(f"copies/{other}"))
    assert (planned.refused, planned.companions, planned.bytes_won) == (1, 0, 0)


def test_one_without_an_equal_keeps_those_that_have_one(pair: Album) -> None:
    pair.put_all(b"other", "kept/IMG_1.MOV", "copies/IMG_1.MOV")
    pair.put("copies/IMG_1.xmp", b"sidecar")
    assert gone(pair) is Spared.COMPANION


@pytest.mark.parametrize("deed", LINKING)
def test_where_the_name_stays_companions_do_not_matter(pair: Album, deed: Deed) -> None:
    pair.put("copies/IMG_1.xmp", b"sidecar")
    assert gone(pair, deed) == set()


@needs_root
def test_a_photo_stays_where_it_cannot_be_seen_what_belongs_to_it(
    open_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    album = Album(open_place, monkeypatch)
    album.put_all(b"photo", "kept/a.jpg", "copies/a.jpg")
    group = album.group("kept/a.jpg", "copies/a.jpg")
    os.chmod(album.path("copies"), 0o711)
    assert in_child(lambda: why(album.plan(Deed.TRASH, group)), user=NOBODY) == [Spared.COMPANION]


# -- what has no equal, and is wanted along -------------------------------------------------------


@pytest.mark.parametrize("deed", [Deed.TRASH, Deed.MOVE])
@pytest.mark.parametrize("other", ["IMG_1.MOV", "IMG_1.xmp", "IMG_1.JPG.json"])
def test_sidecars_go_along_where_that_is_asked(pair: Album, deed: Deed, other: str) -> None:
    pair.put(f"copies/{other}", b"sidecar")
    planned = pair.plan(deed, pair.group("kept/IMG_1.JPG", "copies/IMG_1.JPG"), with_sidecars=True)
    (companion,) = copies(planned)[0].companions
    assert (companion.path, companion.equal) == (pair.path(f"copies/{other}"), None)


def test_the_last_of_a_sidecar_is_never_deleted_for_good(pair: Album) -> None:
    pair.put("copies/IMG_1.xmp", b"sidecar")
    assert gone(pair, Deed.DELETE, with_sidecars=True) is Spared.COMPANION


@pytest.mark.parametrize("deed", TAKING)
def test_a_picture_is_no_sidecar(pair: Album, deed: Deed) -> None:
    pair.put("copies/IMG_1.CR2", b"raw")
    assert gone(pair, deed, with_sidecars=True) is Spared.COMPANION


# -- what belongs to several ----------------------------------------------------------------------


def test_a_sidecar_stays_with_a_picture_of_its_stem_that_stays(pair: Album) -> None:
    pair.put("copies/IMG_1.png", b"another picture")
    pair.put("copies/IMG_1.xmp", b"sidecar")
    assert gone(pair) == set()
    assert gone(pair, with_sidecars=True) == set()


def test_a_sidecar_of_the_whole_name_belongs_to_one_picture_only(pair: Album) -> None:
    pair.put("copies/IMG_1.png", b"another picture")
    pair.put_all(b"sidecar", "copies/IMG_1.JPG.xmp", "kept/IMG_1.JPG.xmp")
    assert gone(pair) == {"IMG_1.JPG.xmp"}


def test_a_sidecar_stays_with_a_picture_whose_name_differs_only_in_case(pair: Album) -> None:
    pair.put("copies/img_1.jpg", b"another picture")
    if len(os.listdir(pair.path("copies"))) < 2:
        pytest.skip("the file system does not tell names by their case")
    pair.put_all(b"sidecar", "copies/img_1.jpg.xmp", "kept/IMG_1.JPG.xmp")
    assert gone(pair) == set()


def test_a_sidecar_goes_with_the_last_picture_of_its_stem(pair: Album) -> None:
    pair.put_all(b"another picture", "copies/IMG_1.png", "kept/IMG_1.png")
    pair.put_all(b"sidecar", "copies/IMG_1.xmp", "kept/IMG_1.xmp")
    planned = pair.plan(
        Deed.TRASH,
        pair.group("kept/IMG_1.JPG", "copies/IMG_1.JPG"),
        pair.group("kept/IMG_1.png", "copies/IMG_1.png"),
    )
    first, second = copies(planned)
    assert paths(first) == [pair.path("copies/IMG_1.JPG")]
    assert paths(second) == [pair.path("copies/IMG_1.png"), pair.path("copies/IMG_1.xmp")]


def test_a_kept_photo_beside_its_copy_keeps_the_sidecar_of_both(album: Album) -> None:
    album.put_all(b"photo", "a.jpg", "a.jpeg")
    album.put("a.xmp", b"sidecar")
    planned = album.plan(Deed.TRASH, album.group("a.jpg", "a.jpeg"), with_sidecars=True)
    assert [paths(copy) for copy in copies(planned)] == [[album.path("a.jpeg")]]


def test_both_halves_go_once_whichever_group_is_first(pair: Album) -> None:
    pair.put_all(b"raw", "kept/IMG_1.CR2", "copies/IMG_1.CR2")
    groups = [
        pair.group("kept/IMG_1.JPG", "copies/IMG_1.JPG"),
        pair.group("kept/IMG_1.CR2", "copies/IMG_1.CR2"),
    ]
    for order in (groups, groups[::-1]):
        planned = pair.plan(Deed.TRASH, *order)
        assert why(planned) == [None, Spared.GOES_ALREADY]
        assert (planned.copies, planned.companions) == (1, 1)
        assert planned.bytes_won == len(b"photo" + b"raw")


# -- what must not go along -----------------------------------------------------------------------


def test_a_companion_that_is_the_file_beside_the_kept_photo_keeps_the_copy(pair: Album) -> None:
    pair.put("kept/IMG_1.xmp", b"sidecar")
    pair.link("copies/IMG_1.xmp", "kept/IMG_1.xmp")
    assert gone(pair) is Spared.COMPANION


def test_a_companion_with_another_name_elsewhere_goes_and_wins_nothing(pair: Album) -> None:
    pair.put_all(b"sidecar", "kept/IMG_1.xmp", "copies/IMG_1.xmp")
    pair.link("elsewhere.xmp", "copies/IMG_1.xmp")
    assert gone(pair) == {"IMG_1.xmp"}
    planned = pair.plan(Deed.TRASH, pair.group("kept/IMG_1.JPG", "copies/IMG_1.JPG"))
    assert planned.bytes_won == len(b"photo")


def test_a_companion_below_a_protected_folder_keeps_the_copy(pair: Album) -> None:
    pair.put_all(b"sidecar", "kept/IMG_1.xmp", "copies/IMG_1.xmp")
    planned = pair.plan(
        Deed.TRASH,
        pair.group("kept/IMG_1.JPG", "copies/IMG_1.JPG"),
        protected=(pair.path("copies"),),
    )
    assert why(planned) == [Spared.PROTECTED]


def test_a_companion_that_is_a_link_or_a_folder_keeps_the_copy(pair: Album) -> None:
    pair.put("kept/IMG_1.xmp", b"sidecar")
    os.symlink(pair.path("kept/IMG_1.xmp"), pair.path("copies/IMG_1.xmp"))
    assert gone(pair) is Spared.COMPANION
    os.unlink(pair.path("copies/IMG_1.xmp"))
    os.mkdir(pair.path("copies/IMG_1.xmp"))
    assert gone(pair, with_sidecars=True) is Spared.COMPANION


def test_a_companion_that_was_kept_in_an_earlier_group_keeps_the_copy(pair: Album) -> None:
    pair.put_all(b"raw", "copies/IMG_1.CR2", "kept/IMG_1.CR2", "third.CR2")
    planned = pair.plan(
        Deed.TRASH,
        pair.group("copies/IMG_1.CR2", "third.CR2"),
        pair.group("kept/IMG_1.JPG", "copies/IMG_1.JPG"),
    )
    assert why(planned) == [None, Spared.COMPANION]


def test_a_companion_that_a_later_group_would_keep_goes_and_that_keeps_its_equal(
    pair: Album,
) -> None:
    pair.put_all(b"raw", "copies/IMG_1.CR2", "kept/IMG_1.CR2", "third.CR2")
    planned = pair.plan(
        Deed.TRASH,
        pair.group("kept/IMG_1.JPG", "copies/IMG_1.JPG"),
        pair.group("copies/IMG_1.CR2", "third.CR2", "kept/IMG_1.CR2"),
    )
    first, second = planned.groups
    assert paths(first.copies[0]) == [pair.path("copies/IMG_1.JPG"), pair.path("copies/IMG_1.CR2")]
    # Whichever of the others is kept: the one beside the kept photo stays, as it was counted on.
    assert pair.path("kept/IMG_1.CR2") not in [
        path for copy in second.copies if copy.goes for path in paths(copy)
    ]
    assert second.keep.path != pair.path("copies/IMG_1.CR2")


def test_the_equal_of_a_companion_is_kept_in_later_groups(pair: Album) -> None:
    pair.put_all(b"raw", "copies/IMG_1.CR2", "kept/IMG_1.CR2", "third.CR2")
    planned = pair.plan(
        Deed.TRASH,
        pair.group("kept/IMG_1.JPG", "copies/IMG_1.JPG"),
        pair.group("third.CR2", "kept/IMG_1.CR2"),
    )
    assert why(planned) == [None, Spared.KEPT]


def test_a_photo_that_is_kept_for_its_companion_under_another_name_stays(album: Album) -> None:
    album.put_all(b"photo", "third/a.cr2", "copies/a.cr2", "copies/a.jpg")
    album.link("third/a.jpg", "copies/a.cr2")
    planned = album.plan(Deed.TRASH, album.group("third/a.cr2", "copies/a.cr2"))
    assert why(planned) == [Spared.KEPT]


def test_an_equal_that_goes_is_none(pair: Album) -> None:
    pair.put_all(b"raw", "copies/IMG_1.CR2", "kept/IMG_1.CR2", "third.CR2")
    planned = pair.plan(
        Deed.TRASH,
        pair.group("third.CR2", "kept/IMG_1.CR2"),
        pair.group("kept/IMG_1.JPG", "copies/IMG_1.JPG"),
    )
    # kept/IMG_1.JPG belongs to kept/IMG_1.CR2 and has no equal beside the third: both stay.
    assert why(planned) == [Spared.COMPANION, None]


def test_a_file_that_goes_by_another_name_is_no_equal(pair: Album) -> None:
    pair.put_all(b"other photo", "third/b.jpg", "fourth/b.jpg")
    pair.put_all(b"sidecar", "kept/IMG_1.xmp", "copies/IMG_1.xmp", "third/b.xmp")
    pair.link("fourth/b.xmp", "kept/IMG_1.xmp")
    planned = pair.plan(
        Deed.TRASH,
        pair.group("third/b.jpg", "fourth/b.jpg"),
        pair.group("kept/IMG_1.JPG", "copies/IMG_1.JPG"),
    )
    assert why(planned) == [None, Spared.COMPANION]
