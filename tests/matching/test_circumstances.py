"""What is known beside pixels: two shots have two times, and a picture may not be all there is."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.matching.circumstances import Facts, forbidding, of_contents, were_taken_apart
from catalog.model import Rule
from catalog.store import contents
from catalog.store.database import Database
from tests.support import fingerprint

NOON = "2021-07-04T12:00:00"


def apart(one: str | None, other: str | None) -> bool:
    found = were_taken_apart(one, other)
    assert found is were_taken_apart(other, one)
    return found


@pytest.mark.parametrize(
    "other",
    [
        "2021-07-04T12:00:01",  # the next frame of a burst
        "2021-07-04T11:59:59",
        "2021-07-04T12:01:00",
        "2021-07-04T13:00:01",  # no zone is off by a second
        "2021-07-04T12:14:59",
        "2021-07-05T14:00:01",
        "2021-07-05T14:15:00",  # no two zones are so far apart
        "2022-07-04T12:00:00",
        "1980-01-01T00:00:00",
    ],
)
def test_other_times_are_those_of_two_shots(other: str) -> None:
    assert apart(NOON, other)


@pytest.mark.parametrize(
    "other",
    [
        NOON,
        None,
        "2021-07-04T13:00:00",
        "2021-07-04T17:45:00",  # Kathmandu
        "2021-07-04T12:15:00",
        "2021-07-03T10:00:00",  # from +14:00 to -12:00
        "2021-07-05T14:00:00",
    ],
)
def test_the_same_time_another_zone_and_no_time_say_nothing(other: str | None) -> None:
    assert not apart(NOON, other)
    assert not apart(other, other)


def test_sub_seconds_count_where_both_have_them() -> None:
    assert apart(f"{NOON}.10", f"{NOON}.35")
    assert apart(f"{NOON}.000001", f"{NOON}.000002")
    assert not apart(f"{NOON}.10", NOON)
    assert not apart(f"{NOON}.999", NOON)
    assert apart(f"{NOON}.99", "2021-07-04T12:00:01")
    assert apart(f"{NOON}.10", "2021-07-04T13:00:00.35"), "another zone, and another shot"


def test_how_many_digits_a_sub_second_has_says_nothing() -> None:
    """A camera writes .5, and a program that copies it .500000000."""
    for one, other in itertools.combinations((".5", ".50", ".500", ".500000", ".500000000"), 2):
        assert not apart(NOON + one, NOON + other)


def test_one_moment_in_two_zones_is_one_shot() -> None:
    assert not apart(f"{NOON}+02:00", "2021-07-04T10:00:00+00:00")
    assert not apart(f"{NOON}.25+02:00", "2021-07-04T10:00:00.250+00:00")
    assert apart(f"{NOON}+02:00", "2021-07-04T10:00:01+00:00")
    assert apart(f"{NOON}.25+02:00", "2021-07-04T10:00:00.75+00:00")


def test_a_zone_that_only_one_tells_is_left_aside() -> None:
    assert not apart(f"{NOON}+02:00", NOON)
    assert not apart(f"{NOON}+02:00", f"{NOON}.5")
    assert apart(f"{NOON}+02:00", "2021-07-04T12:00:01")


NONSENSE = (
    "nonsense",
    "",
    "0000-00-00T00:00:00",
    f"{NOON}+24:00",  # what EXIF says is kept where it looks like an offset
    f"{NOON}+99:99",
    f"{NOON}.5-77:00",
    f"{NOON}.",
    "2021-13-04T12:00:00",
    "2021-07-04",
)


@pytest.mark.parametrize("one", NONSENSE)
def test_nonsense_is_never_an_error(one: str) -> None:
    for other in (*NONSENSE, NOON, f"{NOON}.5", f"{NOON}+02:00", None):
        apart(one, other)


@pytest.mark.parametrize("one", ["nonsense", "", f"{NOON}+99:99"])
def test_what_is_no_time_is_as_if_it_were_not_there(one: str) -> None:
    assert not apart(one, "2019-01-01T00:00:07")


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_is_an_error(one: str, other: str) -> None:
    apart(one, other)


@given(st.datetimes(), st.datetimes())
def test_times_are_apart_unless_zones_could_make_them_so(one, other) -> None:
    first, second = (each.replace(microsecond=0) for each in (one, other))
    seconds = abs(first - second).total_seconds()
    expected = seconds > 26 * 3600 or seconds % 900 != 0
    assert apart(first.isoformat(), second.isoformat()) is expected


# -- what forbids a match ----------------------------------------------------------------------

PLAIN = Facts(None, 1, raw=False)


def test_plain_pictures_are_left_to_their_pixels() -> None:
    assert forbidding(PLAIN, PLAIN) is None
    assert forbidding(Facts(NOON, 1, raw=False), PLAIN) is None


@pytest.mark.parametrize(
    ("special", "rule"),
    [
        (Facts(None, 2, raw=False), Rule.SEVERAL_FRAMES),
        (Facts(None, 1, raw=True), Rule.RAW_AND_PICTURE),
        (Facts(NOON, 2, raw=True), Rule.SEVERAL_FRAMES),
        (Facts("2021-07-04T12:00:01", 1, raw=False), Rule.TAKEN_APART),
    ],
)
def test_whichever_of_the_two_is_special_they_are_similar_at_most(
    special: Facts, rule: Rule
) -> None:
    other = Facts(NOON, 1, raw=False)
    assert forbidding(special, other) is forbidding(other, special) is rule
    assert rule.kind is not None
    assert rule.kind.value == "similar"


def test_two_of_a_sort_are_similar_at_most_too() -> None:
    """Two animations may differ in all but their first frame, two RAWs in how they are shown."""
    assert forbidding(Facts(None, 9, raw=False), Facts(None, 9, raw=False)) is Rule.SEVERAL_FRAMES
    assert forbidding(Facts(None, 1, raw=True), Facts(None, 1, raw=True)) is Rule.RAW_AND_PICTURE


def test_facts_come_from_the_catalog_and_what_is_gone_has_none(database: Database) -> None:
    with database.writing() as writer:
        ids = [
            contents.save(writer, fingerprint(1, taken_at=NOON)),
            contents.save(writer, fingerprint(2, frames=3, format="GIF")),
            contents.save(writer, fingerprint(3, format="RAW")),
            contents.save(writer, fingerprint(4)),
        ]
        contents.delete_unused(writer, ids[3:])
    formats = dict(database.rows("SELECT id, format FROM content"))
    found = of_contents(database, ids)
    assert set(found) == set(ids[:3])
    assert found[ids[0]] == Facts(NOON, 1, raw=False)
    assert found[ids[1]] == Facts(None, 3, raw=False)
    assert formats[ids[2]] == "RAW"
    assert not found[ids[0]].raw
