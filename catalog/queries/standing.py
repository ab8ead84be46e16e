"""How the catalog stands: counts, roots, problems."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.indexing.roots import filters_of
from catalog.indexing.tree import Tree
from catalog.model import Problem, RootState, Status
from catalog.queries.scope import scope_of, why_offline
from catalog.scanning import filesystem
from catalog.store import contents, folders, photos, settings
from catalog.store.database import Database


def status(database: Database) -> Status:
    """Counts over the whole catalog, and each root as it is now."""
    with database.snapshot():
        return _status(database)


def _status(database: Database) -> Status:
    recipe = settings.recipe(database)
    tree = Tree(folders.all_folders(database))
    filesystem.forget_mounts()
    roots = []
    for root in folders.all_roots(database):
        filters = filters_of(root)
        why = why_offline(tree.by_id[root.folder])
        below = [node.id for node in tree.by_id[root.folder].below() if node.id is not None]
        counts = photos.counts(database, below)
        if why == "it is empty" and counts.photos == 0:
            why = ""
        roots.append(
            RootState(
                path=root.path,
                online=not why,
                photos=counts.photos,
                problems=counts.problems,
                missing=counts.missing,
                last_scan_ns=root.last_scan,
                why_offline=why,
                include=filters.include,
                exclude=filters.exclude,
                hidden=filters.hidden,
            )
        )
    return Status(
        catalog=database.path,
        size=database.size(),
        photos=sum(root.photos for root in roots),
        contents=contents.count_held(database),
        problems=sum(root.problems for root in roots),
        missing=sum(root.missing for root in roots),
        recipe=recipe,
        other_recipe=photos.made_by_another_recipe(database, recipe),
        roots=tuple(roots),
    )


def problems(database: Database, paths: Sequence[bytes] = ()) -> list[Problem]:
    """The files below ``paths`` (none: everywhere) that could not be read, by path."""
    with database.snapshot():
        scope = scope_of(database, paths, offline=True)
        found = photos.problems(database, scope.all_folders, scope.holds)
        return sorted(found, key=lambda problem: problem.path)
