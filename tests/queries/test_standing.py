"""Counts that agree with each other and with the disk."""

from __future__ import annotations

import os
import shutil

from catalog.model import Reason, Recipe
from tests.support import FakeMounts, Library


def test_status_counts_photos_contents_problems_and_what_is_missing(library: Library) -> None:
    for name, seed in {"a/1.bmp": 1, "a/2.bmp": 1, "b/3.bmp": 3, "b/4.bmp": 4}.items():
        library.put(name, seed)
    library.put("b/bad.jpg", b"no picture")
    library.put("b/Makefile", b"no picture, and no problem")
    library.index("a", "b")
    os.unlink(library.path("b/4.bmp"))
    summary = library.rescan()
    status = library.status()
    assert (status.photos, status.problems, status.missing) == (3, 1, 1)
    assert status.contents == 2
    assert summary.problems == 1
    assert status.recipe is Recipe.REDUCED
    assert status.other_recipe == 0
    assert status.catalog == library.catalog
    assert status.size >= os.path.getsize(library.catalog)
    assert [(root.path, root.photos, root.problems, root.missing) for root in status.roots] == [
        (library.path("a"), 2, 0, 0),
        (library.path("b"), 1, 1, 1),
    ]
    assert all(root.online and root.last_scan_ns for root in status.roots)


def test_a_missing_problem_is_no_problem_any_more(library: Library) -> None:
    library.put("bad.jpg", b"no picture")
    library.put("good.bmp", 1)
    library.index()
    os.unlink(library.path("bad.jpg"))
    assert library.index().problems == 0
    assert library.problems() == []
    assert library.status().problems == 0


def test_a_new_empty_root_is_online(library: Library) -> None:
    library.index()
    (root,) = library.status().roots
    assert (root.online, root.photos) == (True, 0)
    assert root.last_scan_ns is not None


def test_an_offline_root_says_why_and_keeps_its_counts_and_problems(
    library: Library, mounts: FakeMounts
) -> None:
    library.put("good.bmp", 1)
    library.put("bad.jpg", b"no picture")
    library.index()
    for why in ("it is not there", "it is empty", "another file system is there"):
        if why == "it is not there":
            os.rename(library.top, library.top.with_name("away"))
        elif why == "it is empty":
            library.top.mkdir()
        else:
            library.top.rmdir()
            os.rename(library.top.with_name("away"), library.top)
            mounts.names[os.fsencode(library.top)] = "uuid:other"
        (root,) = library.status().roots
        assert (root.online, root.why_offline, root.photos) == (False, why, 1)
        assert [problem.reason for problem in library.problems()] == [Reason.UNSUPPORTED]


def test_problems_come_by_path_with_reason_and_size(library: Library) -> None:
    library.put("z.jpg", b"no picture")
    library.put("a/empty.png", b"")
    library.put("a/good.bmp", 1)
    library.index()
    found = [(p.path, p.size, p.reason) for p in library.problems()]
    assert found == [
        (library.path("a/empty.png"), 0, Reason.TRUNCATED),
        (library.path("z.jpg"), 10, Reason.UNSUPPORTED),
    ]
    shutil.rmtree(library.path("a"))
    library.index()
    assert [problem.path for problem in library.problems()] == [library.path("z.jpg")]
