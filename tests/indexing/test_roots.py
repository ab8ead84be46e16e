"""Which folders are followed, how they become one, and which names count."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from catalog.errors import CatalogError, UsageError
from catalog.indexing.forget import forget as drop
from catalog.indexing.roots import FilterChange, choose
from catalog.indexing.run import _Run, index_at
from catalog.model import Reason, Recipe
from catalog.progress import SILENT
from catalog.store.database import (
    Database,
    open_existing_for_writing,
    open_for_reading,
    open_for_writing,
)
from tests.support import FakeMounts, Library, Reader, digest, no_loose_ends, picture, true


@pytest.fixture
def tree(library: Library) -> Library:
    for number, name in enumerate(["1.bmp", "a/2.bmp", "a/b/3.bmp", "c/4.bmp"]):
        library.put(name, number)
    return library


def roots(library: Library) -> list[bytes]:
    top = os.fsencode(library.top)
    return [os.path.relpath(root.path, top) for root in library.status().roots]


# -- overlapping roots -------------------------------------------------------------------------


def test_a_folder_inside_a_root_is_scanned_as_a_part_of_it(tree: Library) -> None:
    tree.index()
    tree.put("a/new.bmp", 8)
    tree.put("c/new.bmp", 9)
    summary = tree.index("a")
    assert roots(tree) == [b"."]
    assert tree.read == {b"a/new.bmp"}
    assert summary.scanned == 3
    tree.index("a/b", "a")
    assert tree.index("a/b", "a").roots == (tree.path("a"),)


def test_a_folder_around_known_roots_swallows_them_and_reads_nothing_again(tree: Library) -> None:
    tree.index("a/b", "c")
    ids = tree.ids()
    assert roots(tree) == [b"a/b", b"c"]
    tree.index()
    assert roots(tree) == [b"."]
    assert tree.read == {b"1.bmp", b"a/2.bmp"}
    assert ids.items() <= tree.ids().items()
    assert true(tree)
    tree.rescan()
    assert not tree.read
    no_loose_ends(tree.catalog)


def test_a_root_beside_another_whose_name_it_begins_with_is_its_own(library: Library) -> None:
    for name in ("a", "ab", "A"):
        library.put(f"{name}/1.bmp", 1)
    library.index("a")
    library.index("ab")
    library.index("A")
    assert sorted(roots(library)) == [b"A", b"a", b"ab"]


def test_a_folder_around_an_unplugged_drive_leaves_its_photos_offline(
    tree: Library, mounts: FakeMounts
) -> None:
    """Automounters take the mount point away with the drive."""
    mounts.names[tree.path("a")] = "uuid:usb"
    tree.index("a/b")
    os.rename(tree.path("a"), tree.path("../a"))
    mounts.names.clear()
    for _ in range(2):
        summary = tree.index()
        assert summary.offline == (tree.path("a/b"),)
    assert tree.rows("SELECT count(*) FROM photo WHERE missing_since IS NULL") == [(3,)]
    os.rename(tree.path("../a"), tree.path("a"))
    mounts.names[tree.path("a")] = "uuid:usb"
    summary = tree.index()
    assert summary.offline == ()
    assert tree.read == {b"a/2.bmp"}
    assert true(tree)


def test_a_folder_around_an_unplugged_drive_whose_mount_point_stays(
    tree: Library, mounts: FakeMounts
) -> None:
    mounts.names[tree.path("a")] = "uuid:usb"
    tree.index("a/b")
    os.rename(tree.path("a"), tree.path("../a"))
    os.mkdir(tree.path("a"))
    mounts.names.clear()
    assert tree.index().offline == (tree.path("a/b"),)
    os.rmdir(tree.path("a"))
    os.rename(tree.path("../a"), tree.path("a"))
    mounts.names[tree.path("a")] = "uuid:usb"
    assert tree.index().offline == ()
    assert tree.read == {b"a/2.bmp"}
    assert true(tree)


def test_a_root_is_known_by_its_real_path(tree: Library) -> None:
    os.symlink(tree.top, tree.path("../link"))
    tree.index(tree.path("../link"))
    assert roots(tree) == [b"."]
    assert true(tree)
    tree.index(tree.path("../link/a/../a"))
    assert not tree.read


# -- paths that make no sense ------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False], ids=["inside a root", "no root"])
@pytest.mark.parametrize("name", ["1.bmp", "absent", "absent/deeper", "link"])
def test_what_is_no_folder_is_refused(tree: Library, name: str, known: bool) -> None:
    tree.index() if known else tree.index("c")
    os.symlink(tree.path("1.bmp"), tree.path("link"))
    with pytest.raises(UsageError, match="folder"):
        tree.index(name)


def test_without_a_path_and_without_a_root_there_is_nothing_to_do(library: Library) -> None:
    with pytest.raises(UsageError, match="name the folder"):
        library.rescan()


def test_the_kernels_own_files_are_refused(library: Library) -> None:
    with pytest.raises(UsageError, match="windows into the system"):
        library.index(b"/proc/self")


def test_a_known_folder_that_is_gone_may_be_named(tree: Library) -> None:
    tree.index()
    shutil.rmtree(tree.path("a"))
    assert tree.index("a").missing == 2
    assert true(tree)


def test_a_known_folder_that_became_a_file_may_be_named(tree: Library) -> None:
    tree.index()
    shutil.rmtree(tree.path("c"))
    tree.put("c", b"a file")
    assert tree.index("c").missing == 1


# -- which names count --------------------------------------------------------------------------

LEFT_OUT = [
    ".hidden.bmp",
    ".hidden/1.bmp",
    "$RECYCLE.BIN/1.bmp",
    ".Trash-1000/files/1.bmp",
    "@eaDir/1.bmp",
    "lost+found/1.bmp",
    "readme.txt",
    "film.mp4",
]


def test_hidden_names_trash_and_other_suffixes_are_left_out(tree: Library) -> None:
    tree.index()
    before = tree.known()
    for number, name in enumerate(LEFT_OUT):
        tree.put(name, 100 + number)
    tree.index()
    assert tree.known() == before


def test_hidden_is_remembered_until_it_is_taken_back(tree: Library) -> None:
    tree.put(".dark/.night.bmp", 9)
    tree.put(".Trash-1000/1.bmp", 8)
    tree.index(hidden=True)
    tree.rescan()
    assert tree.known()[b".dark/.night.bmp"] == digest(9)
    assert b".Trash-1000/1.bmp" not in tree.known()
    tree.index(hidden=False)
    assert b".dark/.night.bmp" not in tree.known()
    tree.index(hidden=True)
    assert tree.known()[b".dark/.night.bmp"] == digest(9)
    assert not tree.decoded


def test_patterns_are_remembered_and_an_empty_list_takes_them_back(tree: Library) -> None:
    everything = {b"1.bmp", b"a/2.bmp", b"a/b/3.bmp", b"c/4.bmp"}
    tree.index(exclude=["b", "4*"])
    assert set(tree.known()) == {b"1.bmp", b"a/2.bmp"}
    tree.rescan()
    tree.index("a")
    assert set(tree.known()) == {b"1.bmp", b"a/2.bmp"}
    tree.index(exclude=[])
    assert set(tree.known()) == everything
    tree.index(include=["[12].*"])
    tree.rescan()
    assert set(tree.known()) == {b"1.bmp", b"a/2.bmp"}
    tree.index(include=[], exclude=["1.bmp"])
    assert set(tree.known()) == everything - {b"1.bmp"}


def test_a_folder_that_filters_leave_out_is_refused_by_name(tree: Library) -> None:
    tree.put(".dark/1.bmp", 7)
    tree.index(exclude=["a/b"])
    for name in ("a/b", ".dark"):
        with pytest.raises(UsageError, match="left out"):
            tree.index(name)
    tree.index("a/b", exclude=[])
    assert b"a/b/3.bmp" in tree.known()


def test_suffixes_do_not_decide_what_a_picture_is(library: Library) -> None:
    library.put("suffixless", 1)
    library.put("wrong.jpg", picture(2, "PNG"))
    library.put("UPPER.JPG", picture(3, "JPEG"))
    library.index()
    assert true(library)
    assert library.problems() == []


def test_what_is_no_picture_and_does_not_say_it_is_one_is_no_problem(library: Library) -> None:
    library.put("Makefile", b"all:\n")
    library.put("empty", b"")
    os.mkfifo(library.path("pipe"))
    with open(library.put("disk", b""), "r+b") as file:
        file.truncate(2 << 30)
    summary = library.index()
    assert (summary.failed, summary.problems) == (0, 0)
    assert library.problems() == []
    assert library.status().problems == 0
    library.index()
    assert not library.read


def test_a_catalog_inside_the_photos_is_not_a_part_of_them(library: Library) -> None:
    library.put("a.bmp", 1)
    inside = library.path("catalog.db")
    library.index(catalog=inside)
    library.index(catalog=inside)
    library.index(catalog=inside)
    assert not library.read
    assert library.known(inside) == {b"a.bmp": digest(1)}


# -- R31: files that are no files ------------------------------------------------------------


def test_r31_pipes_sockets_huge_and_empty_files_are_problems_and_nothing_hangs(
    library: Library,
) -> None:
    library.put("good.bmp", 1)
    os.mkfifo(library.path("pipe.jpg"))
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(library.top)  # a socket's name may have 108 bytes
        listening.bind("socket.jpg")
        os.chdir(here)
        with open(library.put("huge.jpg", b""), "r+b") as file:
            file.truncate(10 << 40)
        library.put("empty.jpg", b"")
        os.symlink(library.path("nowhere"), library.path("dangling.jpg"))
        os.symlink(".", library.path("loop"))
        os.symlink("self.jpg", library.path("self.jpg"))
        os.symlink(library.path("good.bmp"), library.path("link.bmp"))
        begun = time.monotonic()
        library.index()
    assert time.monotonic() - begun < 10
    reasons = {os.path.basename(problem.path): problem.reason for problem in library.problems()}
    assert reasons == {
        b"pipe.jpg": Reason.NOT_REGULAR,
        b"socket.jpg": Reason.NOT_REGULAR,
        b"huge.jpg": Reason.TOO_LARGE,
        b"empty.jpg": Reason.TRUNCATED,
    }
    assert library.known()[b"good.bmp"] == digest(1)
    assert len(library.known()) == 5  # links are not files
    library.index()
    assert not library.read


def test_r31_a_file_that_became_a_pipe_after_it_was_listed_is_a_problem(
    library: Library, reader: Reader
) -> None:
    library.put("a.bmp", 1)

    def swap(path: bytes) -> None:
        os.unlink(path)
        os.mkfifo(path)

    reader.before = swap
    library.index()
    assert [problem.reason for problem in library.problems()] == [Reason.NOT_REGULAR]


# -- problems and recipes --------------------------------------------------------------------


def test_r33_a_problem_is_not_tried_again_until_the_file_or_the_decoder_changes(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.put("bad.jpg", b"no picture at all")
    library.put("good.bmp", 1)
    assert library.index().failed == 1
    for _ in range(2):
        summary = library.index()
        assert not library.read
        assert (summary.failed, summary.problems) == (0, 1)
    for module in ("catalog.indexing.run", "catalog.indexing.upkeep", "catalog.imaging.identity"):
        monkeypatch.setattr(f"{module}.decoder_identity", lambda: "imgcat=2 pillow=99")
    library.index()
    assert library.read == {b"bad.jpg"}
    library.put("worse.jpg", b"no picture either")
    library.index()
    assert library.read == {b"worse.jpg"}
    with open_existing_for_writing(library.catalog) as database, database.writing() as writer:
        writer.run(
            "UPDATE problem SET decoder = 'old' WHERE photo IN (SELECT min(photo) FROM problem)"
        )
    library.index()
    assert len(library.read) == 1, "the one that the old decoder failed on"
    os.unlink(library.path("worse.jpg"))
    library.index()
    assert not library.read
    library.put("bad.jpg", 5)
    library.index()
    assert library.problems() == []
    assert true(library)
    no_loose_ends(library.catalog)


def test_a_photo_that_is_damaged_loses_its_content_and_gets_a_reason(library: Library) -> None:
    library.put("a.bmp", 1)
    library.put("b.bmp", 1)
    library.put("c.bmp", 2)
    library.index()
    library.put("a.bmp", picture(1)[:60])
    library.put("c.bmp", b"")
    library.index()
    assert library.groups() == []
    assert {problem.path for problem in library.problems()} == {
        library.path("a.bmp"),
        library.path("c.bmp"),
    }
    assert library.rows("SELECT count(*) FROM content") == [(1,)]
    no_loose_ends(library.catalog)


def test_another_recipe_makes_all_hashes_anew_and_holds_from_then_on(
    tree: Library, reader: Reader
) -> None:
    tree.index()
    ids = tree.ids()
    tree.index(recipe=Recipe.FULL)
    assert len(tree.decoded) == 4
    assert tree.rows("SELECT DISTINCT recipe FROM content") == [("full-1",)]
    tree.rescan()
    assert not tree.read
    tree.put("5.bmp", 5)
    tree.rescan()
    assert tree.rows("SELECT DISTINCT recipe FROM content") == [("full-1",)]
    assert tree.status().other_recipe == 0
    assert ids.items() <= tree.ids().items()
    no_loose_ends(tree.catalog)


def test_a_change_of_recipe_that_was_interrupted_goes_on(tree: Library, reader: Reader) -> None:
    tree.index()
    calls: list[bytes] = []

    def interrupt(path: bytes) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise KeyboardInterrupt

    reader.before = interrupt
    summary = tree.index(recipe=Recipe.FULL)
    assert summary.interrupted
    assert not summary.complete
    assert tree.status().other_recipe == 2
    reader.before = lambda _path: None
    tree.rescan()
    assert len(tree.decoded) == 2
    assert tree.status().other_recipe == 0


# -- interruption ------------------------------------------------------------------------------


def test_an_interrupted_run_keeps_what_it_read_and_the_next_goes_on(
    library: Library, reader: Reader
) -> None:
    for number in range(8):
        library.put(f"{number // 4}/{number}.bmp", number)
    seen: list[bytes] = []

    def interrupt(path: bytes) -> None:
        seen.append(path)
        if len(seen) == 5:
            raise KeyboardInterrupt

    reader.before = interrupt
    summary = library.index()
    assert (summary.interrupted, summary.added) == (True, 4)
    reader.before = lambda _path: None
    assert library.index().added == 4
    assert len(library.read) == 4
    assert true(library)


def test_ctrl_c_inside_a_commit_loses_nothing_that_was_read(
    library: Library, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    from catalog.indexing import perform
    from catalog.store import photos

    for number in range(4):
        library.put(f"{number}/{number}.bmp", number)
    monkeypatch.setattr(perform, "BATCH_ROWS", 2)
    real = photos.put
    calls: list[int] = []

    def put(*arguments: object, **keywords: object) -> int:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(photos, "put", put)
    summary = library.index()
    assert (summary.interrupted, summary.added) == (True, 2)
    assert len(library.known()) == 2
    library.index()
    assert len(library.read) == 2
    assert true(library)
    no_loose_ends(library.catalog)


def test_an_interruption_leaves_no_content_without_a_file(library: Library, reader: Reader) -> None:
    for name, seed in {"a.bmp": 1, "b.bmp": 2, "c.bmp": 3}.items():
        library.put(name, seed)
    library.index()
    os.rename(library.path("a.bmp"), library.path("b.bmp"))
    library.put("c.bmp", 4)
    library.put("d.bmp", 5)
    count: list[int] = []

    def interrupt(_path: bytes) -> None:
        count.append(1)
        if len(count) == 2:
            raise KeyboardInterrupt

    reader.before = interrupt
    library.index()
    no_loose_ends(library.catalog)


# -- others at work at the same time ----------------------------------------------------------


def test_what_another_process_marks_during_a_scan_is_not_taken_for_settled(
    tree: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan that found all as it was must not hide that photos became due meanwhile."""
    from catalog.indexing import perform

    tree.index()
    real = perform.Performer.perform

    def late(self: perform.Performer, *rest: object) -> object:
        monkeypatch.setattr(perform.Performer, "perform", real)
        with open_existing_for_writing(tree.catalog) as database, database.writing() as writer:
            writer.run("UPDATE photo SET again = 1")
        return real(self, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(perform.Performer, "perform", late)
    tree.rescan()
    tree.rescan()
    assert len(tree.read) == 4


def test_a_second_run_on_the_same_root_waits_and_then_finds_nothing(
    tree: Library, reader: Reader
) -> None:
    import threading

    done: list[int] = []

    def second() -> None:
        done.append(index_at(tree.catalog, [os.fsencode(tree.top)]).unchanged)

    thread = threading.Thread(target=second)
    reader.before = lambda _path: thread.is_alive() or done or thread.start()
    tree.index()
    thread.join()
    assert done == [4]
    assert len(reader.read) == 4


def test_the_photos_view_shows_plain_paths(tree: Library, tmp_path: Path) -> None:
    tree.index()
    paths = {path for (path,) in tree.rows("SELECT path FROM photos")}
    assert os.fsdecode(tree.path("a/b/3.bmp")) in paths
    with open_for_reading(tree.catalog) as database:
        assert len(database.rows("SELECT * FROM photos")) == 4


# -- what is left out, and roots inside roots ----------------------------------------------------


def test_files_that_patterns_leave_out_are_not_called_missing(library: Library) -> None:
    library.put("1.bmp", 1)
    library.put("cache/2.bmp", 2)
    library.put("gone.bmp", 3)
    library.index()
    os.unlink(library.path("gone.bmp"))
    summary = library.index(exclude=["cache", "1*"])
    assert (summary.left_out, summary.missing) == (2, 1)
    assert library.index(exclude=[""]).added == 2


def test_a_root_that_an_outer_one_does_not_reach_stays_a_root(library: Library) -> None:
    library.put(".hid/pics/1.bmp", 1)
    library.put("2.bmp", 2)
    library.index(".hid/pics")
    summary = library.index()
    assert (summary.added, summary.missing) == (1, 0)
    assert set(library.known()) == {b".hid/pics/1.bmp", b"2.bmp"}
    assert library.index(".hid/pics").unchanged == 1
    library.index(hidden=True)
    assert len(library.status().roots) == 1, "now the outer one reaches it"
    assert set(library.known()) == {b".hid/pics/1.bmp", b"2.bmp"}
    assert not library.dupes().groups


def test_a_very_deep_tree_is_indexed(library: Library) -> None:
    top = os.getcwd()
    try:
        os.chdir(library.top)
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
        with open("1.bmp", "wb") as file:
            file.write(picture(1))
    finally:
        os.chdir(top)
    try:
        summary = library.index()
        assert (summary.added, summary.unreadable) == (1, ())
        assert len(library.known()) == 1
        assert library.status().photos == 1
    finally:
        # Python's own rmtree, which tidies up after tests, would not get to the bottom.
        subprocess.run(["rm", "-rf", library.path("d")], check=True)


def test_folders_are_looked_up_in_an_index(database: Database) -> None:
    for sql in (
        "SELECT id FROM folder WHERE parent IS NULL AND name = ?",
        "SELECT id FROM folder WHERE parent = 1 AND name = ?",
    ):
        ((*_, plan),) = database.rows(f"EXPLAIN QUERY PLAN {sql}", (b"x",))
        assert plan.startswith("SEARCH folder USING")


def test_a_root_forgotten_while_a_run_waited_is_not_filled(library: Library) -> None:
    library.put("1.bmp", 1)
    library.index()

    def forget_it(*_: object, **__: object) -> None:
        with open_for_writing(library.catalog) as database:
            drop(database, [os.fsencode(library.top)])

    with open_for_writing(library.catalog) as database:
        targets = choose(database, [os.fsencode(library.top)], FilterChange(), SILENT)
        forget_it()
        with pytest.raises(CatalogError, match="forgotten"):
            _Run(database, Recipe.REDUCED, 1, SILENT).bring_up_to_date(targets[0])
    assert library.rows("SELECT count(*) FROM photo") == [(0,)]
