"""Moves, swaps and links keep what is known of a file, and read nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest

from catalog.model import Reason
from tests.support import Library, digest, no_loose_ends, picture, true


def rename(library: Library, old: str, new: str) -> None:
    os.makedirs(os.path.dirname(library.path(new)), exist_ok=True)
    os.rename(library.path(old), library.path(new))


def test_a_renamed_folder_keeps_its_rows_and_reads_nothing(library: Library) -> None:
    for number in range(4):
        library.put(f"old/sub/{number}.bmp", number)
        library.put(f"old/{number}.bmp", 10 + number)
    library.index()
    ids = library.ids()
    rename(library, "old", "new")
    summary = library.index()
    assert not library.read
    assert true(library)
    assert library.ids() == {name.replace(b"old/", b"new/"): row for name, row in ids.items()}
    assert (summary.missing, summary.added, summary.changed) == (0, 0, 0)
    library.index()
    assert not library.read


def test_a_folder_moved_into_another_reads_nothing(library: Library) -> None:
    library.put("a/b/c/1.bmp", 1)
    library.put("d/2.bmp", 2)
    library.index()
    ids = library.ids()
    rename(library, "a/b", "d/e/b")
    library.index()
    assert not library.read
    assert true(library)
    assert library.ids()[b"d/e/b/c/1.bmp"] == ids[b"a/b/c/1.bmp"]


def test_a_folder_moved_into_a_new_one_and_emptied_is_no_unplugged_drive(
    library: Library,
) -> None:
    library.put("a/1.bmp", 1)
    library.put("2.bmp", 2)
    library.index()
    rename(library, "a", "new/a")
    os.unlink(library.path("new/a/1.bmp"))
    summary = library.index()
    assert (summary.offline, summary.missing) == ((), 1)
    assert true(library)


def test_a_folder_and_its_child_change_places(library: Library) -> None:
    """a/b becomes b/a: neither may end up below itself."""
    library.put("a/1.bmp", 1)
    library.put("a/b/2.bmp", 2)
    library.index()
    rename(library, "a/b", "b")
    rename(library, "a", "b/a")
    library.index()
    assert not library.read
    assert true(library)
    library.index()
    assert true(library)


def test_a_file_moved_to_another_folder_keeps_its_row_and_is_not_read(library: Library) -> None:
    library.put("a/1.bmp", 1)
    library.put("b/2.bmp", 2)
    library.index()
    ids = library.ids()
    rename(library, "a/1.bmp", "b/3.bmp")
    summary = library.index()
    assert not library.read
    assert library.ids() == {b"b/2.bmp": ids[b"b/2.bmp"], b"b/3.bmp": ids[b"a/1.bmp"]}
    assert (summary.moved, summary.added, summary.missing) == (1, 0, 0)
    assert true(library)


@pytest.mark.parametrize("what", ["1.bmp", "sub"])
@pytest.mark.parametrize("both", [True, False])
def test_a_move_to_another_root_reads_nothing(library: Library, what: str, both: bool) -> None:
    library.put("one/keep.bmp", 5)
    library.put("one/1.bmp", 1)
    library.put("one/sub/2.bmp", 2)
    library.put("two/3.bmp", 3)
    library.index("one", "two")
    ids = library.ids()
    rename(library, f"one/{what}", f"two/{what}")
    if both:
        library.index("one", "two")
    else:
        library.index("two")
        assert not library.read
        library.index("one")
    assert not library.read
    assert true(library)
    moved = b"1.bmp" if what == "1.bmp" else b"sub/2.bmp"
    assert library.ids()[b"two/" + moved] == ids[b"one/" + moved]
    no_loose_ends(library.catalog)


def swap(library: Library, one: str, other: str) -> None:
    rename(library, one, "between")
    rename(library, other, one)
    rename(library, "between", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("a.bmp", "b.bmp"), ("x/a.bmp", "y/a.bmp"), ("x", "y"), ("x/deep", "y/deep"), ("x", "z")],
)
def test_a_swap_reads_nothing(library: Library, one: str, other: str) -> None:
    names = ["a.bmp", "b.bmp", "x/a.bmp", "y/a.bmp", "y/only.bmp", "z/far.bmp"]
    names += ["x/deep/a.bmp", "y/deep/a.bmp"]
    for number, name in enumerate(names):
        library.put(name, number)
    library.index()
    swap(library, one, other)
    summary = library.index()
    assert not library.read
    assert true(library)
    assert summary.missing == 0
    library.index()
    assert not library.decoded
    assert true(library)
    no_loose_ends(library.catalog)


@pytest.mark.parametrize("kind", ["files", "folders"])
@pytest.mark.parametrize("order", ["abc", "cba"])
def test_chains_of_renames_read_nothing(library: Library, kind: str, order: str) -> None:
    def named(letter: str) -> str:
        return letter if kind == "folders" else f"{letter}.bmp"

    for number, letter in enumerate("abc"):
        place = f"{letter}/1.bmp" if kind == "folders" else named(letter)
        library.put(place, number)
    library.index()
    target = "d" if order == "abc" else "_"  # before or after all of them in the walk
    for letter in reversed(order):
        rename(library, named(letter), named(target))
        target = letter
    library.index()
    assert not library.read
    assert true(library)
    no_loose_ends(library.catalog)


def test_a_folder_replaced_by_another_of_its_name_is_what_is_there_now(library: Library) -> None:
    for number in range(3):
        library.put(f"a/{number}.bmp", number)
    library.put("a/sub/9.bmp", 9)
    library.index()
    when = os.stat(library.path("a/0.bmp")).st_mtime_ns
    rename(library, "a", "../aside")
    for number in range(3):
        path = library.put(f"a/{number}.bmp", 50 + number)
        os.utime(path, ns=(when, when))
    library.index()
    assert true(library)
    shutil.rmtree(library.path("../aside"))


def test_a_known_file_renamed_over_another_known_file_takes_its_place(library: Library) -> None:
    library.put("a.bmp", 1)
    library.put("b.bmp", 2)
    library.index()
    ids = library.ids()
    rename(library, "a.bmp", "b.bmp")
    library.index()
    assert not library.read
    assert library.ids() == {b"b.bmp": ids[b"a.bmp"]}
    assert library.known() == {b"b.bmp": digest(1)}
    no_loose_ends(library.catalog)


def test_a_problem_that_is_moved_stays_a_problem_and_is_not_read(library: Library) -> None:
    library.put("a.jpg", b"no picture")
    library.index()
    rename(library, "a.jpg", "b.jpg")
    library.index()
    assert not library.read
    assert library.known() == {b"b.jpg": Reason.UNSUPPORTED}


def test_no_content_is_left_over_when_a_problem_takes_its_place(library: Library) -> None:
    """c over a, a over b, where a was a problem, and b's bytes are gone for good."""
    library.put("a/f.jpg", b"no picture")
    library.put("b/f.jpg", 1)
    library.put("c/f.jpg", 2)
    library.index()
    rename(library, "a/f.jpg", "t.jpg")
    rename(library, "c/f.jpg", "a/f.jpg")
    rename(library, "t.jpg", "b/f.jpg")
    library.index()
    assert library.known() == {b"a/f.jpg": digest(2), b"b/f.jpg": Reason.UNSUPPORTED}
    no_loose_ends(library.catalog)


def test_a_moved_file_with_another_mtime_is_read(library: Library) -> None:
    path = library.put("a.bmp", 1)
    library.index()
    os.utime(path, ns=(10**18, 10**18))
    rename(library, "a.bmp", "b.bmp")
    library.index()
    assert library.read == {b"b.bmp"}
    assert true(library)


def test_a_copy_is_not_a_move(library: Library) -> None:
    path = library.put("a.bmp", 1)
    library.index()
    shutil.copy2(path, library.path("b.bmp"))
    library.index()
    assert library.read == {b"b.bmp"}
    assert library.groups() == [{b"a.bmp", b"b.bmp"}]


# -- R3: one file, many names --------------------------------------------------------------


def test_r3_hard_links_are_one_file_and_no_duplicates(library: Library) -> None:
    path = library.put("a.bmp", 1)
    os.link(path, library.path("b.bmp"))
    library.put("other.bmp", 2)
    library.index()
    assert true(library)
    assert library.groups() == []
    assert library.dupes().reclaimable == 0


def test_r3_a_new_hard_link_shares_the_content_without_a_decode(library: Library) -> None:
    path = library.put("a.bmp", 1)
    library.index()
    os.link(path, library.path("b/link.bmp") if os.makedirs(library.path("b")) is None else b"")
    library.index()
    assert not library.decoded
    assert true(library)
    assert library.groups() == []


def test_r3_names_of_one_file_are_said_to_be_and_count_nothing(library: Library) -> None:
    path = library.put("a.bmp", 1)
    os.link(path, library.path("a_link.bmp"))
    copy = library.put("copy.bmp", 1)
    os.link(copy, library.path("copy_link.bmp"))
    library.index()
    (group,) = library.dupes().groups
    assert len(group.matches) == 3
    assert [match.same_file for match in group.matches].count(True) == 1
    assert group.reclaimable == os.path.getsize(path)


def test_r3_of_two_linked_names_one_goes(library: Library) -> None:
    path = library.put("a.bmp", 1)
    os.link(path, library.path("b.bmp"))
    library.index()
    os.unlink(library.path("a.bmp"))
    library.index()
    assert library.known() == {b"b.bmp": digest(1)}
    assert not library.decoded
    no_loose_ends(library.catalog)


def test_r3_a_linked_file_moved_twice_at_once_is_in_both_places(library: Library) -> None:
    path = library.put("a.bmp", 1)
    library.index()
    os.makedirs(library.path("x"))
    os.link(path, library.path("x/1.bmp"))
    rename(library, "a.bmp", "y/2.bmp")
    library.index()
    assert not library.decoded
    assert library.known() == {b"x/1.bmp": digest(1), b"y/2.bmp": digest(1)}


def test_a_link_that_comes_to_light_as_its_folder_is_renamed_leaves_both_names(
    library: Library,
) -> None:
    """z/f is known, a/f was left out; then a is wanted and z is called y."""
    library.put("z/f.bmp", 1)
    os.makedirs(library.path("a"))
    os.link(library.path("z/f.bmp"), library.path("a/f.bmp"))
    library.index(exclude=["a"])
    rename(library, "z", "y")
    library.index(exclude=[])
    assert library.known() == {b"a/f.bmp": digest(1), b"y/f.bmp": digest(1)}


def test_r3_the_same_folder_under_several_names_is_walked_once(library: Library) -> None:
    library.put("a/1.bmp", 1)
    os.symlink(library.path("a"), library.path("link"))
    os.symlink(library.path(""), library.path("a/up"))
    top = os.fsencode(library.top)
    summary = library.index(top, top + b"/.", top + b"/a/..", library.path("link"))
    assert summary.scanned == 1
    assert summary.roots == (top,)
    assert library.groups() == []


@pytest.mark.parametrize("change", [os.unlink, lambda path: os.rename(path, path + b".png")])
def test_a_folder_whose_files_went_is_looked_at_again_when_they_return(
    library: Library, change: Callable[[bytes], None]
) -> None:
    path = library.put("a/1.bmp", 1)
    library.put("a/2.bmp", 2)
    library.index()
    library.index()
    change(path)
    library.index()
    assert true(library)
    library.index()
    assert true(library)


def test_r10_another_picture_on_a_reused_inode_is_found_at_the_next_look(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive gives files of one size one time, and a file system an inode twice."""
    first = library.put("a.bmp", 1)
    stamp = os.stat(first)
    library.index()
    os.unlink(first)
    second = library.put("b.bmp", 2)
    os.utime(second, ns=(stamp.st_mtime_ns, stamp.st_mtime_ns))
    if os.stat(second).st_ino != stamp.st_ino:
        pytest.skip("this file system did not give the inode again")
    library.index()
    library.index()
    assert true(library)


def test_a_new_folder_on_a_reused_inode_takes_no_rows_from_a_deleted_one(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        library.put(f"old/{number}.bmp", number)
    library.index()
    inode = os.stat(library.path("old")).st_ino
    for number in range(3):
        os.unlink(library.path(f"old/{number}.bmp"))
    os.rename(library.path("old"), library.path("new"))
    assert os.stat(library.path("new")).st_ino == inode
    library.put("new/other.bmp", 9)
    summary = library.index()
    assert (summary.added, summary.moved, summary.missing) == (1, 0, 3)
    known = library.rows("SELECT path FROM photos WHERE missing")
    assert sorted(os.path.dirname(path) for (path,) in known) == [str(library.top / "old")] * 3


def test_files_that_move_with_their_folder_are_counted_as_moved(library: Library) -> None:
    for number in range(3):
        library.put(f"x/deep/{number}.bmp", number)
    library.put("stays.bmp", 9)
    library.index()
    os.rename(library.path("x"), library.path("y"))
    summary = library.index()
    assert (summary.moved, summary.unchanged, summary.added, summary.missing) == (3, 1, 0, 0)
    assert not library.read


@pytest.mark.parametrize("how", ["into another folder", "with folders that swap names"])
def test_r10_a_rewrite_that_puts_its_times_back_is_found_although_the_file_moved(
    library: Library, how: str
) -> None:
    path = library.put("a/1.bmp", 1)
    library.put("b/2.bmp", 2)
    library.index()
    status = os.stat(path)
    with open(path, "r+b") as file:
        file.write(picture(3))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    if how == "into another folder":
        os.rename(path, library.path("b/1.bmp"))
    else:
        for old, new in (("a", "tmp"), ("b", "a"), ("tmp", "b")):
            os.rename(library.path(old), library.path(new))
    library.index()
    library.index()  # a move alone may change as much, so only the next look reads it
    assert true(library)


def test_what_moves_with_its_folder_is_not_read_again(library: Library) -> None:
    for folder in "ab":
        for number in range(3):
            library.put(f"{folder}/{number}{folder}.bmp", ord(folder) + number)
    library.index()
    for old, new in (("a", "tmp"), ("b", "a"), ("tmp", "b")):
        os.rename(library.path(old), library.path(new))
    for _ in range(2):
        library.index()
        assert library.read == set()
    assert true(library)
