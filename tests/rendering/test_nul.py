"""--print0: raw names and NULs, and nothing else."""

from __future__ import annotations

import io

from catalog.model import Group, Kind, Match, Pair, Problem, Reason
from catalog.rendering import nul


def written(write, items) -> list[bytes]:
    out = io.BytesIO()
    write(items, out)
    if not out.getvalue():
        return []
    assert out.getvalue().endswith(b"\0")
    return out.getvalue()[:-1].split(b"\0")


def test_groups_give_the_kept_photo_first(two_groups):
    assert written(nul.write_groups, two_groups.groups) == [
        b"/photos/a.jpg",
        b"/photos/link.jpg",
        b"/photos/copy of a.jpg",
        b"/phone/a.jpg",
        b"/photos/copy of a.jpg",
        b"/phone/blank.png",
    ]


def test_names_come_out_byte_for_byte(hostile_names, photo):
    photos = [photo(name) for name in hostile_names]
    matches = tuple(Match(p, Kind.IDENTICAL, 0, 1.0) for p in photos)
    problems = [Problem(name, 1, Reason.DAMAGED, "") for name in hostile_names]

    assert written(nul.write_matches, matches) == hostile_names
    assert written(nul.write_problems, problems) == hostile_names
    assert written(nul.write_groups, [Group(photos[0], "", matches[1:])]) == hostile_names


def test_pairs_are_two_names_each(photo):
    pairs = [Pair(photo(b"/a\n"), photo(b"/b\xff"), 1), Pair(photo(b"/c"), photo(b"/d"), 2)]
    assert written(nul.write_pairs, iter(pairs)) == [b"/a\n", b"/b\xff", b"/c", b"/d"]


def test_nothing_is_nothing():
    assert written(nul.write_groups, []) == []
