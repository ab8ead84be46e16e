"""What cannot be kept apart is refused before anything is remembered."""

from __future__ import annotations

import os

import pytest

from catalog.errors import UsageError
from catalog.queries import keep_both as keeping_both
from catalog.queries.keep_both import keep_both
from catalog.store.database import open_for_reading
from catalog.store.decisions import decisions_file
from tests.support import Library


def test_more_than_can_be_remembered_in_pairs_are_not_read(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping_both, "MOST", 3)
    paths = [library.put(f"{number}.bmp", number) for number in range(4)]
    library.index()
    with open_for_reading(library.catalog) as database:
        assert keep_both(database, paths[:3])[1] == 3
        with pytest.raises(UsageError, match="name 3 pictures at a time at most"):
            keep_both(database, paths)


def test_one_picture_by_two_names_is_nothing_to_keep_apart(library: Library) -> None:
    path = library.put("a.bmp", 1)
    os.link(path, library.path("b.bmp"))
    library.index()
    with open_for_reading(library.catalog) as database:
        with pytest.raises(UsageError, match="names of one file"):
            keep_both(database, [path, library.path("b.bmp")])
        with pytest.raises(UsageError, match="two pictures or more"):
            keep_both(database, [path, library.path("./a.bmp")])
    assert not os.path.exists(decisions_file(library.catalog))
