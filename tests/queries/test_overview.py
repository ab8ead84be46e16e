"""Groups chosen from arrays are those that looking at each group would choose."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import product

import pytest

from catalog.keeping import lies_below
from catalog.model import Group, Kind, Photo
from catalog.queries.criteria import LOOKS_ALIKE
from catalog.queries.duplicates import duplicates
from catalog.queries.groups import StoredGroups
from catalog.queries.overview import Overview, Sorting, Wanted
from catalog.store import folders
from catalog.store.database import Database, open_for_reading
from tests.matching.albums import COPIES, Album, album, inline, next_shot, photo, saved
from tests.support import members

__all__ = ["album", "inline"]

DAYS = {"a": "2019-07-01", "b": "2021-02-03", "c": "2023-12-31"}


def exif_of(day: str) -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif[0x8769] = {0x9003: day.replace("-", ":") + " 12:00:00"}
    return exif.tobytes()


@pytest.fixture
def answered(album: Album) -> Iterator[tuple[Database, StoredGroups]]:
    """Identical, same and similar groups in three folders, of three days."""
    for seed, (folder, copy) in enumerate(product("abc", ("encoded", "half"))):
        name = f"{folder}/{seed}"
        album.put(f"{name}.jpg", saved(photo(seed), quality=92, exif=exif_of(DAYS[folder])))
        album.put(f"{folder}/deep/{seed}-{copy}.jpg", COPIES[copy](photo(seed)))
    for seed in (20, 21):
        data = saved(photo(seed), quality=92)
        album.put(f"a/{seed}.jpg", data)
        album.put(f"c/{seed}.jpg", data)
    album.put("b/30.jpg", saved(photo(30), quality=92))
    album.put("c/30.jpg", saved(next_shot(photo(30)), quality=92))
    for place, _, names in os.walk(album.top):
        for name in names:
            day = datetime.fromisoformat(DAYS[os.path.relpath(place, album.top)[0]])
            moment = day.timestamp() + 3600
            os.utime(os.path.join(place, name), (moment, moment))
    album.index()
    with open_for_reading(album.catalog) as database:
        answer = duplicates(database, criteria=LOOKS_ALIKE)
        assert isinstance(answer.groups, StoredGroups)
        assert {group.kind for group in answer.groups} == {
            Kind.IDENTICAL,
            Kind.SAME,
            Kind.SIMILAR,
        }
        yield database, answer.groups


def day_of(photo: Photo) -> date:
    if photo.taken_at is not None:
        return date.fromisoformat(photo.taken_at[:10])
    return datetime.fromtimestamp(photo.stamp.mtime_ns / 1e9, UTC).astimezone().date()


def fits(group: Group, wanted: Wanted, folder: bytes | None) -> bool:
    photos = members(group)
    first, last = wanted.first or date.min, wanted.last or date.max
    return (
        group.kind in wanted.kinds
        and group.reclaimable >= wanted.least
        and (folder is None or any(lies_below(photo.path, folder) for photo in photos))
        and any(first <= day_of(photo) <= last for photo in photos)
    )


@pytest.mark.parametrize("folder", [None, "a", "a/deep", "c"], ids=str)
def test_the_chosen_groups_are_those_that_fit(
    album: Album, answered: tuple[Database, StoredGroups], folder: str | None
) -> None:
    database, groups = answered
    overview = Overview.of(database, groups)
    path = None if folder is None else album.path(folder)
    number = None if path is None else folders.find(database, path)
    listed = list(groups)
    least = sorted(group.reclaimable for group in listed)[len(listed) // 2]
    kinds = [frozenset(Kind), frozenset({Kind.SAME}), frozenset({Kind.IDENTICAL, Kind.SIMILAR})]
    days = [
        (None, None),
        (date(2021, 1, 1), None),
        (None, date(2021, 2, 3)),
        (date(2020, 1, 1), date(2020, 1, 1)),
    ]
    for some, bound, (first, last) in product(kinds, (0, least), days):
        wanted = Wanted(some, number, bound, first, last)
        expected = [group.keep.path for group in listed if fits(group, wanted, path)]
        found = groups.some(overview.chosen(wanted).tolist())
        assert [group.keep.path for group in found] == expected, wanted


def key_of(sorting: Sorting, group: Group) -> object:
    days = [day_of(photo) for photo in members(group)]
    return {
        Sorting.BYTES: -group.reclaimable,
        Sorting.NEWEST: -max(days).toordinal(),
        Sorting.OLDEST: min(days).toordinal(),
        Sorting.SCORE: group.score,
        Sorting.FOLDER: os.path.dirname(group.keep.path),
    }[sorting]


@pytest.mark.parametrize("sorting", list(Sorting))
def test_groups_come_in_the_order_asked_for(
    answered: tuple[Database, StoredGroups], sorting: Sorting
) -> None:
    database, groups = answered
    overview = Overview.of(database, groups)
    found = groups.some(overview.chosen(Wanted(sorting=sorting)).tolist())
    expected = sorted(groups, key=lambda group: key_of(sorting, group))  # type: ignore[arg-type, return-value]
    assert [each.keep.path for each in found] == [each.keep.path for each in expected]
    assert len({str(key_of(sorting, each)) for each in found}) > 1


def test_kinds_and_scores_are_those_of_the_groups(
    answered: tuple[Database, StoredGroups],
) -> None:
    database, groups = answered
    overview = Overview.of(database, groups)
    for number, group in enumerate(groups):
        assert list(Kind)[overview.kind[number]] is group.kind
        assert overview.score[number] == pytest.approx(group.score)
        assert overview.number_of(group.keep.id) == number
        assert overview.number_of(group.matches[0].photo.id) is None


def test_folders_count_the_groups_below_them(
    album: Album, answered: tuple[Database, StoredGroups]
) -> None:
    database, groups = answered
    overview = Overview.of(database, groups)
    found = {each.path: each.groups for each in overview.folders(1_000)}
    assert {path for path in found if path != album.path("")[:-1]} == {
        album.path(name) for name in ("a", "a/deep", "b", "b/deep", "c", "c/deep")
    }
    for path, count in found.items():
        inside = [any(lies_below(p.path, path) for p in members(group)) for group in groups]
        assert count == sum(inside), path
    fullest = overview.folders(2)
    assert len(fullest) == 2
    assert min(each.groups for each in fullest) >= sorted(found.values())[-2]


def test_no_group_at_all_is_no_trouble(album: Album) -> None:
    album.put("only.jpg", saved(photo(1), quality=92))
    album.index()
    with open_for_reading(album.catalog) as database:
        answer = duplicates(database, criteria=LOOKS_ALIKE)
        assert isinstance(answer.groups, StoredGroups)
        overview = Overview.of(database, answer.groups)
        for sorting in Sorting:
            wanted = Wanted(sorting=sorting, folder=1, first=date(2020, 1, 1))
            assert len(overview.chosen(wanted)) == 0
        assert overview.folders(10) == []
        assert overview.number_of(1) is None
