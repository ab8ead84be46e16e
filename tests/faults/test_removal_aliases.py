"""R1, R3: what only seems to be equal is refused, and one file of several names is never lost."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.actions.plan import plan
from catalog.actions.returning import recover
from catalog.cli.acting import exit_code
from catalog.errors import ExitCode
from catalog.model import ActionPlan, Deed, Kind, Match, Planned, PlannedGroup, Receipt
from catalog.queries.criteria import criteria_of
from tests.faults.caching import remembering
from tests.faults.removing import (
    Album,
    album,
    contents_below,
    contents_of,
    found_below,
    group_of,
    photo_at,
)
from tests.soak.disks import make_ext4, mount_image
from tests.support import Library, in_child, library, mount, needs_root, reader

__all__ = ["album", "library", "reader"]

DEEDS = [Deed.TRASH, Deed.MOVE, Deed.DELETE, Deed.HARDLINK]
EXACT = criteria_of(None, None, None, exact=True, no_verify=False, grade=None)

# Two blocks of equal MD5, by Xiaoyun Wang and Hongbo Yu (2004); what follows them may be anything.
COLLIDING = (
    "d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f89"
    "55ad340609f4b30283e488832571415a085125e8f7cdc99fd91dbdf280373c5b"
    "d8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0"
    "e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70",
    "d131dd02c5e6eec4693d9a0698aff95c2fcab50712467eab4004583eb8fb7f89"
    "55ad340609f4b30283e4888325f1415a085125e8f7cdc99fd91dbd7280373c5b"
    "d8823e3156348f5bae6dacd436c919c6dd53e23487da03fd02396306d248cda0"
    "e99f33420f577ee8ce54b67080280d1ec69821bcb6a8839396f965ab6ff72a70",
)


@pytest.fixture
def place(album: Album) -> Album:
    """An album without photos: each test has its own."""
    shutil.rmtree(album.home)
    album.home.mkdir()
    return album


def unplanned(album: Album, deed: Deed, keep: bytes, *copies: bytes) -> Receipt:
    """Take these for the one that is kept, whatever a planner would say of it."""
    planned = tuple(Planned(Match(photo_at(copy), Kind.IDENTICAL, 0, 1.0)) for copy in copies)
    group = PlannedGroup(photo_at(keep), "first", planned)
    return album.perform(ActionPlan(album.order(deed), (group,), 0))


# -- what only seems to be equal -----------------------------------------------------------------


@pytest.mark.parametrize("deed", DEEDS)
def test_r1_files_of_equal_md5_and_size_that_differ_are_refused(place: Album, deed: Deed) -> None:
    tail = b"\xff\xd8 and all of a photo \xff\xd9"
    one, other = (bytes.fromhex(block) + tail for block in COLLIDING)
    assert one != other
    assert hashlib.md5(one).digest() == hashlib.md5(other).digest()
    a = place.put(os.fsencode(place.home / "a.jpg"), one)
    b = place.put(os.fsencode(place.home / "b.jpg"), other)
    before = found_below(place.home)
    receipt = place.act_on(deed, a, b)
    assert (receipt.done, len(receipt.refused)) == (0, 1)
    assert "not those of the kept one" in receipt.refused[0].why
    assert exit_code(receipt) is ExitCode.REFUSED
    assert found_below(place.home) == before
    assert not found_below(place.trash)


@pytest.mark.parametrize("deed", DEEDS)
def test_r1_files_that_the_catalog_wrongly_says_to_be_equal_are_refused(
    library: Library, place: Album, deed: Deed
) -> None:
    library.put("a.bmp", 1)
    library.put("b.bmp", 2)
    library.index()
    with contextlib.closing(sqlite3.connect(os.fsdecode(library.catalog))) as connection:
        connection.execute("UPDATE photo SET content = (SELECT min(content) FROM photo)")
        connection.commit()
    groups = library.dupes(criteria=EXACT).groups
    before = found_below(library.top)
    planned = plan(groups, place.order(deed))
    assert planned.copies == 1
    receipt = place.perform(planned)
    assert (receipt.done, len(receipt.refused)) == (0, 1)
    assert exit_code(receipt) is ExitCode.REFUSED
    assert found_below(library.top) == before


@pytest.mark.parametrize("deed", DEEDS)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    size=st.sampled_from([1, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (2 << 20) + 7]),
    where=st.floats(0, 1),
    bit=st.integers(0, 7),
)
def test_r1_one_bit_anywhere_is_enough_to_be_refused(
    place: Album, deed: Deed, size: int, where: float, bit: int
) -> None:
    data = bytearray(size)
    paths = [os.fsencode(place.home / name) for name in ("a.jpg", "b.jpg")]
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        place.put(path, bytes(data))
        data[min(int(where * size), size - 1)] ^= 1 << bit
    receipt = place.act_on(deed, *paths)
    assert (receipt.done, len(receipt.refused)) == (0, 1)
    assert all(map(os.path.exists, paths))


# -- one file, many names ------------------------------------------------------------------------


@pytest.mark.parametrize("deed", DEEDS)
def test_r3_a_folder_that_is_indexed_again_by_a_link_costs_no_photo(
    library: Library, place: Album, deed: Deed
) -> None:
    library.put("folder/a.bmp", 1)
    library.put("folder/sub/b.bmp", 1)
    os.symlink(library.path("folder"), library.path("link"))
    os.symlink(library.path("folder/sub"), library.path("folder/again"))
    library.index("folder", "link", "link/sub", "folder/./sub", "folder/again")
    receipt = place.perform(plan(library.dupes(criteria=EXACT).groups, place.order(deed)))
    assert receipt.done == 1
    everywhere = contents_below(library.top, place.trash / "files", place.moved)
    assert everywhere.total() == (1 if deed is Deed.DELETE else 2)
    again = place.perform(plan(library.dupes(criteria=EXACT).groups, place.order(deed)))
    assert not again.done
    assert contents_below(library.top, place.trash / "files", place.moved) == everywhere


@needs_root
@pytest.mark.parametrize("deed", DEEDS)
def test_r3_a_folder_that_is_indexed_again_by_a_bind_mount_costs_no_photo(
    library: Library, place: Album, deed: Deed
) -> None:
    library.put("folder/a.bmp", 1)
    os.mkdir(library.path("again"))

    def act() -> int:
        mount("--bind", os.fsdecode(library.path("folder")), os.fsdecode(library.path("again")))
        library.index("folder", "again")
        ends = library.path("folder/a.bmp"), library.path("again/a.bmp")
        done = place.perform(plan(library.dupes(criteria=EXACT).groups, place.order(deed))).done
        for keep, copy in (ends, ends[::-1]):
            done += place.act_on(deed, keep, copy).done
            done += unplanned(place, deed, keep, copy).done
        return done

    assert in_child(act, own_mounts=True) == 0
    assert os.listdir(library.path("folder")) == [b"a.bmp"]
    assert not found_below(place.trash)


@needs_root
@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("kept", ["below", "above"])
def test_r3_a_file_that_an_overlay_gives_another_number_is_not_lost(
    place: Album, deed: Deed, kept: str
) -> None:
    """One file, of which the kernel says that it is two: moving it is what tells."""
    folders = [place.place / name for name in ("lower", "upper", "work", "merged")]
    for folder in folders:
        folder.mkdir()
    lower, upper, work, merged = folders
    below = place.put(os.fsencode(upper / "a.jpg"), b"of one file")
    above = os.fsencode(merged / "a.jpg")

    def act() -> int | str:
        try:
            layers = f"lowerdir={lower},upperdir={upper},workdir={work}"
            mount("-t", "overlay", "-o", layers, "overlay", str(merged))
        except Exception as error:
            return f"no overlay can be mounted here: {error}"
        ends = (below, above) if kept == "below" else (above, below)
        if os.lstat(below).st_dev == os.lstat(above).st_dev:
            return "the overlay tells that it is one file"
        done = unplanned(place, deed, *ends).done
        recover(place.catalog)
        return done

    done = in_child(act, own_mounts=True)
    if isinstance(done, str):
        pytest.skip(done)
    assert done == 0
    assert set(found_below(upper)) == {below}


@needs_root
@pytest.mark.parametrize("deed", DEEDS)
def test_r3_a_mount_that_still_remembers_a_file_which_was_moved_costs_no_photo(
    place: Album, deed: Deed
) -> None:
    """What it tells of the kept file is a minute old, and so says nothing."""
    again = place.place / "again"
    again.mkdir()
    copy = place.put(os.fsencode(place.home / "a.jpg"), b"of one file")

    def act() -> int | str:
        with contextlib.ExitStack() as mounted:
            try:
                ends = os.fsencode(place.home), os.fsencode(again)
                mounted.enter_context(remembering(*ends))
            except OSError as error:
                return f"FUSE cannot be had here: {error}"
            done = unplanned(place, deed, os.path.join(ends[1], b"a.jpg"), copy).done
        recover(place.catalog)
        return done

    done = in_child(act, own_mounts=True)
    if isinstance(done, str):
        pytest.skip(done)
    assert done == 0
    assert set(found_below(place.home)) == {copy}


@needs_root
@pytest.mark.parametrize("deed", DEEDS)
def test_r3_two_spellings_of_one_name_cost_no_photo(place: Album, deed: Deed) -> None:
    if shutil.which("mkfs.ext4", path="/usr/sbin:/sbin:/usr/bin:/bin") is None:
        pytest.skip("needs mkfs.ext4 (package e2fsprogs)")
    image, disk = place.place / "image", place.place / "disk"
    disk.mkdir()

    def act() -> str | tuple[int, list[str]]:
        try:
            make_ext4(image, 16, "-O", "casefold")
            mount_image(image, disk)
            (disk / "photos").mkdir()
            subprocess.run(["chattr", "+F", str(disk / "photos")], check=True)
        except Exception as error:
            return f"no file system without upper and lower case can be made here: {error}"
        path = place.put(os.fsencode(disk / "photos" / "a.jpg"), b"of one file")
        alias = os.fsencode(disk / "photos" / "A.JPG")
        if not os.path.exists(alias):
            return "no folder without upper and lower case can be made here"
        done = place.act_on(deed, path, alias).done + unplanned(place, deed, alias, path).done
        return done, os.listdir(disk / "photos")

    answer = in_child(act, own_mounts=True)
    if isinstance(answer, str):
        pytest.skip(answer.splitlines()[0][:200])
    assert answer == (0, ["a.jpg"])


@pytest.mark.parametrize("deed", DEEDS)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    names=st.lists(st.integers(0, 3), min_size=2, max_size=8),
    contents=st.lists(st.integers(0, 1), min_size=4, max_size=4),
)
def test_r3_hard_links_within_groups_and_across_them_never_cost_a_content(
    place: Album, deed: Deed, names: list[int], contents: list[int]
) -> None:
    """``names`` says which of four files each name leads to, ``contents`` what is in each."""
    for top in (place.home, place.trash, place.moved):
        shutil.rmtree(top, ignore_errors=True)
    place.home.mkdir()
    paths: list[bytes] = []
    first: dict[int, bytes] = {}
    by_content: dict[int, list[bytes]] = {}
    for number, file in enumerate(names):
        path = os.fsencode(place.home / f"{number}.jpg")
        if file in first:
            os.link(first[file], path)
        else:
            first[file] = place.put(path, b"content %d" % contents[file], age=file)
        paths.append(path)
        by_content.setdefault(contents[file], []).append(path)
    before = found_below(place.home)
    groups = [group_of(*members) for members in by_content.values() if len(members) > 1]
    receipt = place.perform(plan(groups, place.order(deed)))
    after = found_below(place.home)
    for members in by_content.values():
        assert any(path in after for path in members), "every name of a content went"
        for path in members:
            assert path not in after or after[path].content == before[path].content
    if deed in (Deed.TRASH, Deed.MOVE):
        everywhere = contents_below(place.home, place.trash / "files", place.moved)
        assert everywhere == contents_of(before)
    assert not [path for path in after if b".imgcat-" in path]
    if receipt.action is not None:
        assert not place.undo(receipt.action).refused
        home = found_below(place.home)
        assert {path: found[:3] for path, found in home.items()} == {
            path: found[:3] for path, found in before.items()
        }
