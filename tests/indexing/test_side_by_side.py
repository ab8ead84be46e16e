"""Two runs at once: what one finds out late must not undo what the other has done."""

from __future__ import annotations

import os
import sqlite3

import pytest

from catalog.indexing import roots
from catalog.indexing.perform import Performer
from catalog.indexing.reading import in_processes
from catalog.indexing.reconcile import Look, Scope, reconcile
from catalog.indexing.roots import FilterChange, choose, filters_of
from catalog.model import Recipe
from catalog.progress import SILENT
from catalog.store import folders, settings
from catalog.store.database import Database, open_for_writing
from tests.support import Library, true


def scope_of(database: Database, top: bytes) -> Scope:
    root = next(root for root in folders.all_roots(database) if root.path == top)
    return Scope(top, [Look(top)], filters_of(root), Recipe.REDUCED)


def test_what_another_run_found_elsewhere_is_not_marked_missing(library: Library) -> None:
    library.put("one/stays.bmp", 1)
    library.put("two/moves.bmp", 2)
    library.put("two/stays.bmp", 4)
    library.put("two/folder/3.bmp", 3)
    library.index("one", "two")
    os.rename(library.path("two/moves.bmp"), library.path("one/moves.bmp"))
    os.rename(library.path("two/folder"), library.path("one/folder"))
    with (
        open_for_writing(library.catalog) as first,
        open_for_writing(library.catalog) as second,
    ):
        finds = reconcile(first, scope_of(first, library.path("one")))
        misses = reconcile(second, scope_of(second, library.path("two")))
        assert (len(misses.missing), len(misses.gone)) == (1, 1)
        Performer(first, Recipe.REDUCED, "", in_processes(1), SILENT).perform(finds)
        tally = Performer(second, Recipe.REDUCED, "", in_processes(1), SILENT).perform(misses)
    assert tally.missing == 0
    assert true(library)


def test_hashes_of_a_recipe_that_is_no_longer_wanted_are_due_again(library: Library) -> None:
    library.put("1.bmp", 1)
    with open_for_writing(library.catalog) as database:
        (target,) = choose(database, [os.fsencode(library.top)], FilterChange(), SILENT)
        plan = reconcile(database, scope_of(database, target.top))
        with database.writing() as writer:
            settings.set_recipe(writer, Recipe.FULL)  # what another run asks for meanwhile
        Performer(database, Recipe.REDUCED, "", in_processes(1), SILENT).perform(plan)
    library.rescan()
    assert library.read == {b"1.bmp"}
    assert library.rows("SELECT recipe FROM content") == [(Recipe.FULL.value,)]


def test_a_root_that_another_run_added_meanwhile_is_used(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.put("1.bmp", 1)
    top = os.fsencode(library.top)
    looks = iter([None])
    real = roots._holding

    def holding(reader: object, path: bytes) -> object:
        for nothing in looks:  # the first look is before the other run, the next one after it
            with open_for_writing(library.catalog) as other:
                roots.restore(other, top, {}, SILENT)
            return nothing
        return real(reader, path)  # type: ignore[arg-type]

    with open_for_writing(library.catalog) as database:
        monkeypatch.setattr(roots, "_holding", holding)
        (target,) = choose(database, [top], FilterChange(), SILENT)
        assert [root.id for root in folders.all_roots(database)] == [target.root.id]


def test_a_rebuilt_catalog_keeps_patterns_and_recipe(library: Library) -> None:
    library.put("1.bmp", 1)
    library.put("private/2.bmp", 2)
    library.index(exclude=["priv*"], recipe=Recipe.FULL)
    with sqlite3.connect(library.catalog.decode()) as connection:
        ((page,),) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'photo'"
        ).fetchall()
        ((size,),) = connection.execute("PRAGMA page_size").fetchall()
    connection.close()
    with open(library.catalog, "r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    summary = library.rescan()
    assert any("set aside" in note for note in summary.notes)
    assert set(library.known()) == {b"1.bmp"}
    assert library.status().recipe is Recipe.FULL
