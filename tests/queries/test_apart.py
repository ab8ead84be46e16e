"""What 'keep-both' said are no duplicates is in no answer, and nothing else is left out with it."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.actions.undo import to_undo, undo
from catalog.errors import UsageError
from catalog.model import HashKind, Kind
from catalog.queries.apart import NOTHING_APART, Apart
from catalog.queries.arrivals import already_there
from catalog.queries.criteria import Criteria, criteria_of
from catalog.queries.duplicates import duplicates
from catalog.queries.explain import explain
from catalog.queries.keep_both import keep_both
from catalog.queries.selection import selection_of
from catalog.queries.similar import similar
from catalog.store.database import open_for_reading
from catalog.store.decisions import open_decisions
from catalog.store.holders import Holders
from tests.search.pictures import natural
from tests.support import Library

EXACT = criteria_of(exact=True)

# -- alone, beside brute force -----------------------------------------------------------------


def apart_of(
    pairs: Iterable[tuple[int, int]], alone: Iterable[int] = (), spare: dict[int, int] | None = None
) -> Apart:
    """As ``Apart.of`` makes it."""
    ends = sorted((min(pair), max(pair)) for pair in pairs)
    keys = np.array([one * 2**31 + other for one, other in ends], dtype=np.int64)
    involved = {end for pair in ends for end in pair} | set(alone) | set(spare or {})
    return Apart(
        np.sort(keys), np.array(sorted(involved), dtype=np.int64), frozenset(alone), spare or {}
    )


def files_of(content: list[int], inode: list[int] | None = None) -> Holders:
    """Files that hold these contents, in order of rank; each has a file of its own, or these."""
    count = len(content)
    numbers = np.arange(1, count + 1, dtype=np.int64)
    nothing = np.zeros(count, dtype=np.int64)
    return Holders(
        photo=numbers,
        folder=nothing.astype(np.int32),
        content=np.array(content, dtype=np.int64),
        size=nothing,
        detail=nothing,
        mtime_ns=nothing,
        inode=numbers if inode is None else np.array(inode, dtype=np.int64),
        filesystem=nothing.astype(np.int32),
        pixels=nothing,
        documented=nothing.astype(np.bool_),
        arrived_ns=nothing,
        family=nothing.astype(np.int8),
        name_length=nothing.astype(np.int16),
    )


contents = st.integers(1, 6)
pairs = st.sets(st.tuples(contents, contents).filter(lambda pair: pair[0] < pair[1]), max_size=8)


@given(pairs, st.sets(contents), st.lists(st.tuples(contents, contents), max_size=20))
def test_two_are_apart_when_it_was_said_in_whatever_order(
    said: set[tuple[int, int]], alone: set[int], asked: list[tuple[int, int]]
) -> None:
    apart = apart_of(said, alone)
    ends = np.array(asked, dtype=np.int64).reshape(-1, 2)
    wanted = [
        first in alone if first == second else (min(first, second), max(first, second)) in said
        for first, second in asked
    ]
    assert apart.between(ends[:, 0], ends[:, 1]).tolist() == wanted
    for first, second in asked:
        one = apart.of_one(first, np.array([second], dtype=np.int64))
        assert one.tolist() == apart.between(*np.array([[first], [second]])).tolist()


def test_a_picture_that_the_catalog_does_not_know_is_apart_from_none() -> None:
    assert apart_of([(1, 2)]).of_one(None, np.array([1, 2])).tolist() == [False, False]
    assert NOTHING_APART.of_one(1, np.array([1, 2])).tolist() == [False, False]
    assert not NOTHING_APART
    assert apart_of([(1, 2)])


@given(
    pairs,
    st.sets(contents, max_size=2),
    st.lists(st.tuples(contents, st.integers(0, 2)), min_size=1, max_size=14),
)
def test_no_group_holds_two_that_are_apart_and_nobody_leaves_without_a_reason(
    said: set[tuple[int, int]], alone: set[int], files: list[tuple[int, int]]
) -> None:
    content = [each for each, _ in files]
    centre = np.array([place for _, place in files], dtype=np.int64)

    def clash(one: int, other: int) -> bool:
        first, second = sorted((content[one], content[other]))
        return first in alone if first == second else (first, second) in said

    split = apart_of(said, alone).split(files_of(content), centre)
    places = range(len(files))
    for one, other in combinations(places, 2):
        if split[one] == split[other]:
            assert centre[one] == centre[other], "groups are broken up, and none are joined"
            assert not clash(one, other)
    for place in places:
        if split[place] != centre[place]:
            better = [other for other in range(place) if split[other] == centre[place]]
            assert any(clash(place, other) for other in better), "a better one stays in its place"
            assert (split == split[place]).sum() == 1
    assert centre.tolist() == [place for _, place in files], "what was given is as it was"


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 6)), min_size=1, max_size=12),
    st.integers(1, 3),
)
def test_no_more_files_of_a_content_can_go_than_there_are_beyond_those_that_are_wanted(
    files: list[tuple[int, int]], spare: int
) -> None:
    """A file of an inode holds one content, here that of its number modulo two."""
    content = [1 + inode % 2 for _, inode in files]
    inode = [inode for _, inode in files]
    centre = np.zeros(len(files), dtype=np.int64)
    split = apart_of([], spare={1: spare}).split(files_of(content, inode), centre)
    ranked = list(dict.fromkeys(one for one, each in zip(inode, content, strict=True) if each == 1))
    stay = ranked[:1] + ranked[1:][-spare:]
    for place, (one, each) in enumerate(zip(inode, content, strict=True)):
        assert (split[place] == 0) == (each == 2 or one in stay)


def test_files_of_a_file_system_without_inodes_are_told_apart_by_their_rows() -> None:
    split = apart_of([], spare={1: 1}).split(files_of([1, 1, 1], [0, 0, 0]), np.zeros(3, np.int64))
    assert split.tolist() == [0, 1, 0]


# -- in every query ----------------------------------------------------------------------------


def photo(seed: int, form: str = "BMP", **options: object) -> bytes:
    buffer = io.BytesIO()
    natural(seed).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.fixture
def shelf(library: Library, compared_here: object) -> Library:
    """A picture in three forms, a copy of the first, and two other pictures."""
    library.put("a.bmp", photo(1))
    library.put("a.png", photo(1, "PNG"))
    library.put("a.jpg", photo(1, "JPEG", quality=92))
    library.put("copy/a.bmp", photo(1))
    library.put("b.bmp", photo(2))
    library.put("c.bmp", photo(3))
    library.index()
    return library


def keep(library: Library, *names: str) -> int:
    with open_for_reading(library.catalog) as database:
        return keep_both(database, [library.path(name) for name in names])[0]


def take_back(library: Library, action: int) -> None:
    with open_decisions(library.catalog) as decisions:
        undo(decisions, to_undo(decisions, action))


def groups(library: Library, criteria: Criteria | None = None) -> list[set[str]]:
    return [{os.fsdecode(name) for name in group} for group in library.groups(criteria=criteria)]


def pairs_of(library: Library, criteria: Criteria | None = None) -> set[frozenset[str]]:
    found = library.dupes(criteria=criteria, pairs=True).pairs
    assert found is not None
    top = os.fsencode(library.top)
    return {
        frozenset(
            os.fsdecode(os.path.relpath(each.path, top)) for each in (pair.first, pair.second)
        )
        for pair in found
    }


def like(library: Library, name: str, *, kept_both: bool = False, **criteria: object) -> set[str]:
    chosen = criteria_of(default_grade=Kind.SIMILAR, **criteria)  # type: ignore[arg-type]
    with open_for_reading(library.catalog) as database:
        found = similar(
            database, library.path(name), [], criteria=chosen, limit=None, kept_both=kept_both
        )
    top = os.fsencode(library.top)
    return {os.fsdecode(os.path.relpath(match.photo.path, top)) for match in found.matches}


EVERY = {"a.bmp", "a.png", "a.jpg", "copy/a.bmp"}
BY_HASH = criteria_of(HashKind.PHASH, 8)


def test_before_anybody_says_so_nothing_is_apart(shelf: Library) -> None:
    assert groups(shelf) == [EVERY]
    assert len(pairs_of(shelf)) == 6
    assert like(shelf, "a.png") == EVERY - {"a.png"}


@pytest.mark.parametrize("criteria", [None, BY_HASH], ids=["verified", "by hash"])
def test_two_forms_of_a_picture_are_in_no_group_together_and_in_no_pair(
    shelf: Library, criteria: Criteria | None
) -> None:
    keep(shelf, "a.bmp", "a.jpg")
    found = groups(shelf, criteria)
    assert all("a.jpg" not in group or group == {"a.jpg", "a.png"} for group in found), found
    assert found
    assert pairs_of(shelf, criteria) == {
        *(frozenset(pair) for pair in combinations(sorted(EVERY - {"a.jpg"}), 2)),
        frozenset({"a.jpg", "a.png"}),
    }


@pytest.mark.parametrize("words", [{}, {"radius": 8}], ids=["verified", "by hash"])
def test_similar_does_not_show_it_unless_asked_to(shelf: Library, words: dict[str, object]) -> None:
    keep(shelf, "a.bmp", "a.jpg")
    assert like(shelf, "a.bmp", **words) == {"copy/a.bmp", "a.png"}
    assert like(shelf, "a.jpg", **words) == {"a.png"}
    assert like(shelf, "a.jpg", kept_both=True, **words) == EVERY - {"a.jpg"}


def test_dupes_shows_it_where_asked_to(shelf: Library) -> None:
    keep(shelf, "a.bmp", "a.jpg", "a.png")
    assert groups(shelf) == [{"a.bmp", "copy/a.bmp"}]
    with open_for_reading(shelf.catalog) as database:
        answer = duplicates(database, selection=selection_of(kept_both=True))
        (group,) = answer.groups
    assert len(group.matches) == 3


def test_explain_says_that_it_was_decided(shelf: Library) -> None:
    keep(shelf, "a.bmp", "a.jpg")

    def told(one: str, other: str) -> bool:
        with open_for_reading(shelf.catalog) as database:
            return explain(database, shelf.path(one), shelf.path(other), Criteria()).kept_both

    assert told("a.bmp", "a.jpg")
    assert told("a.jpg", "copy/a.bmp")
    assert not told("a.png", "a.jpg")


def test_it_holds_by_content_through_renames_and_a_new_catalog(shelf: Library) -> None:
    keep(shelf, "a.bmp", "a.jpg")
    os.unlink(shelf.path("a.png"))
    os.unlink(shelf.path("copy/a.bmp"))
    shelf.rescan()
    assert groups(shelf) == []
    os.mkdir(shelf.path("elsewhere"))
    os.rename(shelf.path("a.jpg"), shelf.path("elsewhere/another name.jpg"))
    shelf.rescan()
    assert groups(shelf) == []
    for name in os.listdir(os.path.dirname(shelf.catalog)):
        if os.fsdecode(name).startswith("catalog.db"):
            os.unlink(os.path.join(os.path.dirname(shelf.catalog), name))
    shelf.index()
    assert groups(shelf) == []
    assert pairs_of(shelf) == set()


def test_a_group_shows_again_only_when_a_new_picture_joins_it(shelf: Library) -> None:
    keep(shelf, "a.bmp", "a.jpg", "a.png")
    os.unlink(shelf.path("copy/a.bmp"))
    shelf.rescan()
    assert groups(shelf) == []
    shelf.put("d.bmp", photo(4))
    shelf.rescan()
    assert groups(shelf) == []
    shelf.put("new.webp", photo(1, "WEBP", quality=92))
    shelf.rescan()
    (group,) = groups(shelf)
    assert "new.webp" in group
    assert len(group) == 2, "with the one it is nearest to by rank: the others are kept apart"


def test_undone_they_are_duplicates_again(shelf: Library) -> None:
    first = keep(shelf, "a.bmp", "a.jpg")
    second = keep(shelf, "a.bmp", "a.jpg", "a.png")
    take_back(shelf, first)
    assert groups(shelf) == [{"a.bmp", "copy/a.bmp"}], "the other action says so too"
    take_back(shelf, second)
    assert groups(shelf) == [EVERY]


def test_equal_bytes_of_which_two_are_wanted_are_no_duplicates(shelf: Library) -> None:
    keep(shelf, "a.bmp", "copy/a.bmp")
    for criteria in (EXACT, criteria_of(HashKind.PHASH, 0)):
        assert not any({"a.bmp", "copy/a.bmp"} <= group for group in groups(shelf, criteria))
        assert frozenset({"a.bmp", "copy/a.bmp"}) not in pairs_of(shelf, criteria)
    assert groups(shelf, EXACT) == []
    assert "copy/a.bmp" not in like(shelf, "a.bmp")
    os.link(shelf.path("a.bmp"), shelf.path("link.bmp"))
    shelf.rescan()
    assert groups(shelf, EXACT) == [], "another name is no third file"


def test_of_a_third_copy_one_of_the_three_is_a_copy_and_two_stay(shelf: Library) -> None:
    keep(shelf, "a.bmp", "copy/a.bmp")
    shelf.put("copy/third.bmp", photo(1))
    shelf.rescan()
    for criteria in (EXACT, criteria_of(HashKind.PHASH, 0), None):
        (group,) = groups(shelf, criteria)
        assert len(group & {"a.bmp", "copy/a.bmp", "copy/third.bmp"}) == 2, criteria
    with open_for_reading(shelf.catalog) as database:
        below = [shelf.path("copy")]
        (answer,) = duplicates(database, below, EXACT).groups
    assert len(answer.matches) == 1, "of the two below this folder one may go: there is a third"


def test_watch_does_not_say_that_you_have_what_you_keep_beside_it(shelf: Library) -> None:
    ids = dict(shelf.rows("SELECT name, content FROM photo"))

    def told(name: str) -> set[str]:
        came = [(shelf.path(name), ids[os.path.basename(os.fsencode(name))])]
        return {
            os.fsdecode(os.path.relpath(found.other, os.fsencode(shelf.top)))
            for found in already_there(shelf.catalog, came)
        }

    assert told("a.jpg") <= {"a.bmp", "copy/a.bmp", "a.png"}
    assert told("a.bmp") == {"copy/a.bmp"}
    keep(shelf, "a.bmp", "a.jpg", "a.png")
    assert told("a.jpg") == set()
    assert told("a.bmp") == {"copy/a.bmp"}
    keep(shelf, "a.bmp", "copy/a.bmp")
    assert told("a.bmp") == set()


def test_what_says_nothing_is_refused(shelf: Library) -> None:
    os.link(shelf.path("a.bmp"), shelf.path("link.bmp"))
    os.symlink(shelf.path("a.bmp"), shelf.path("symlink.bmp"))
    shelf.rescan()
    with pytest.raises(UsageError, match="two pictures or more"):
        keep(shelf, "a.bmp")
    with pytest.raises(UsageError, match="two pictures or more"):
        keep(shelf, "a.bmp", "symlink.bmp")
    with pytest.raises(UsageError, match="names of one file"):
        keep(shelf, "a.bmp", "link.bmp")
    with pytest.raises(UsageError, match="no file"):
        keep(shelf, "a.bmp", "nowhere.bmp")
