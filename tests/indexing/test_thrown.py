"""A photo that was thrown away as a copy and comes again is told, and written down."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from catalog.actions.perform import perform
from catalog.actions.plan import plan
from catalog.actions.undo import to_undo, undo
from catalog.indexing import afterwards, thrown
from catalog.indexing.afterwards import look_again
from catalog.model import (
    Change,
    Deed,
    Group,
    Happening,
    Kind,
    Match,
    Order,
    Removal,
    Rule,
    State,
)
from catalog.progress import SILENT
from catalog.queries.back import CameBack
from catalog.queries.listing import photos
from catalog.store.database import open_for_reading, open_for_writing
from catalog.store.decisions import decisions_file, open_decisions
from catalog.store.thrown import came_back
from tests.support import Library, digest


def remember(library: Library, name: str, kept: str, deed: Deed = Deed.TRASH) -> list[int]:
    """Write down that this file was thrown away, and take it away."""
    path = library.path(name)
    status = os.stat(path)
    with open(path, "rb") as file:
        removal = Removal(
            path=path,
            place=b"/nowhere",
            keeper=library.path(kept),
            kind=Kind.IDENTICAL,
            unit=1,
            companion=False,
            digest=digest(file.read()),
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            mode=0o644,
            owner=0,
            group=0,
            inode=status.st_ino,
        )
    os.unlink(path)
    with open_decisions(library.catalog) as decisions:
        rows = decisions.intend(decisions.begin(deed), [removal])
        decisions.settle(rows, State.DONE)
    return rows


@pytest.fixture
def copied(library: Library) -> Library:
    """Two equal photos, of which the second was thrown away, and another one."""
    library.put("kept.bmp", 1)
    library.put("copy.bmp", 1)
    library.put("other.bmp", 2)
    library.index()
    return library


def test_a_copy_that_comes_again_anywhere_is_told_and_noted(copied: Library) -> None:
    remember(copied, "copy.bmp", "kept.bmp")
    assert copied.index().came_back == ()
    copied.put("elsewhere/again.bmp", 1)
    copied.put("new.bmp", 3)
    assert copied.index().came_back == (copied.path("elsewhere/again.bmp"),)
    with open_decisions(copied.catalog) as decisions:
        assert came_back(decisions) == {(copied.path("elsewhere/again.bmp"), digest(1))}
    assert copied.index().came_back == (), "told once"


def test_a_copy_that_comes_again_to_where_it_was_is_told(copied: Library) -> None:
    remember(copied, "copy.bmp", "kept.bmp")
    copied.index()
    copied.put("copy.bmp", 1)
    assert copied.index().came_back == (copied.path("copy.bmp"),)


def test_a_file_moved_out_of_the_trash_by_another_hand_is_told(copied: Library) -> None:
    before = Path(os.fsdecode(copied.path("copy.bmp")))
    aside = before.with_suffix(".trashed")
    os.link(before, aside)  # the very file, as a trash has it
    remember(copied, "copy.bmp", "kept.bmp")
    copied.index()
    aside.rename(before)
    assert copied.index().came_back == (os.fsencode(before),)


def test_the_kept_one_is_no_copy_that_came_again(copied: Library) -> None:
    remember(copied, "copy.bmp", "kept.bmp")
    copied.put("kept.bmp", 1, age=0)
    assert copied.index().came_back == ()


@pytest.mark.parametrize("deed", [Deed.MOVE, Deed.HARDLINK])
def test_only_what_was_thrown_away_comes_back(copied: Library, deed: Deed) -> None:
    remember(copied, "copy.bmp", "kept.bmp", deed)
    copied.index()
    copied.put("copy.bmp", 1)
    assert copied.index().came_back == ()


def test_what_was_undone_does_not_come_back(copied: Library) -> None:
    rows = remember(copied, "copy.bmp", "kept.bmp")
    copied.index()
    with open_decisions(copied.catalog) as decisions:
        decisions.settle(rows, State.UNDONE)
    copied.put("copy.bmp", 1)
    assert copied.index().came_back == ()


def test_what_a_person_threw_away_by_eye_is_told_when_it_comes_again_until_that_is_undone(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name, seed in (("kept.bmp", 1), ("like.bmp", 2)):
        library.put(name, seed)
    library.index()
    with open_for_reading(library.catalog) as database:
        kept, like = photos(database, ())
    group = Group(kept, "chosen", (Match(like, Kind.SIMILAR, 9, 0.9, rule=Rule.LOOKS_ALIKE),))
    with open_decisions(library.catalog) as decisions:
        assert perform(plan([group], Order(Deed.TRASH, by_eye=True)), decisions).done == 1
    assert library.index().came_back == ()
    library.put("again.bmp", 2)
    assert library.index().came_back == (library.path("again.bmp"),)
    with open_for_reading(library.catalog) as database:
        back = CameBack.of(database)
        assert [back.marked(each).came_back for each in photos(database, ())] == [True, False]
    with open_decisions(library.catalog) as decisions:
        assert undo(decisions, to_undo(decisions)).done == 1
    library.put("once more.bmp", 2)
    assert library.index().came_back == ()
    assert library.known()[b"like.bmp"] == like.digest


def test_nothing_is_asked_or_made_where_nothing_was_decided(
    copied: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thrown.ThrownAway, "__init__", None)
    copied.put("new.bmp", 3)
    assert copied.index().added == 1
    assert not os.path.exists(decisions_file(copied.catalog))


def test_whoever_follows_the_catalog_hears_of_it_besides_its_arrival(
    copied: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(copied, "copy.bmp", "kept.bmp")
    copied.index()
    heard: list[Change] = []
    plain = afterwards.upkeep.perform

    def telling(*arguments: object, **options: object) -> object:
        return plain(*arguments, **{**options, "tell": heard.append})  # type: ignore[arg-type]

    monkeypatch.setattr(afterwards.upkeep, "perform", telling)
    copied.put("again.bmp", 1)
    assert look_again(copied.catalog, [os.fsencode(copied.top)], 1) == ""
    assert [(change.what, change.path) for change in heard] == [
        (Happening.ADDED, copied.path("again.bmp")),
        (Happening.CAME_BACK, copied.path("again.bmp")),
    ]
    assert "kept.bmp" in heard[1].detail


# -- after an action -----------------------------------------------------------------------------


def test_the_catalog_knows_at_once_what_went_and_what_came(copied: Library) -> None:
    os.unlink(copied.path("copy.bmp"))
    copied.put("folder/new.bmp", 5)
    os.unlink(copied.path("other.bmp"))
    changed = [os.fsencode(copied.top), copied.path("folder"), b"/not/followed"]
    assert look_again(copied.catalog, changed, 1, SILENT) == ""
    assert set(copied.known()) == {b"kept.bmp", b"folder/new.bmp"}


def test_of_two_roots_the_inner_one_looks_at_its_folder(library: Library) -> None:
    library.put(".inner/deep.bmp", 7)
    library.index(".inner")
    library.index()  # which leaves hidden folders out, so that the inner one stays a root
    library.put(".inner/new.bmp", 8)
    assert look_again(library.catalog, [library.path(".inner")], 1) == ""
    assert b".inner/new.bmp" in library.known()


def test_a_folder_that_went_is_not_looked_at(copied: Library) -> None:
    copied.put("gone/photo.bmp", 9)
    copied.index()
    os.unlink(copied.path("gone/photo.bmp"))
    os.rmdir(copied.path("gone"))
    changed = [copied.path("gone"), os.fsencode(copied.top)]
    assert look_again(copied.catalog, changed, 1) == ""
    assert set(copied.known()) == {b"kept.bmp", b"copy.bmp", b"other.bmp"}


def test_why_the_catalog_does_not_know_yet_is_a_sentence_and_no_error(
    copied: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(afterwards, "_PATIENCE", 0.05)
    with open_for_writing(copied.catalog) as database:
        lock = database.locks.root(1)
        lock.acquire()
        try:
            why = look_again(copied.catalog, [os.fsencode(copied.top)], 1)
        finally:
            lock.release()
    assert why.startswith("the catalog does not know of it yet")
    assert "\n" not in why
