"""What the page asks is checked before anything is looked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import UsageError
from catalog.model import signed64
from catalog.review import asking
from catalog.review.asking import BothAsked, ChoiceAsked, PageAsked

PHOTO = {"id": 1, "size": 10, "mtime_ns": "1699999999123456789"}
NO_NUMBER: dict[str, object] = {
    "negative": -1,
    "too-large": 2**63,
    "flag": True,
    "fraction": 1.0,
    "text": "1",
    "nothing": None,
}
NO_TIME: dict[str, object] = {
    "number": 1,
    "empty": "",
    "sign": "-",
    "two-signs": "--1",
    "fraction": "1.5",
    "too-long": "1" * 21,
    "superscript": "²",
}


@pytest.mark.parametrize("named", ["id", "size"])
@pytest.mark.parametrize("value", NO_NUMBER.values(), ids=NO_NUMBER)
def test_a_photo_is_named_by_whole_numbers(named: str, value: object) -> None:
    for drop, keep in (([], {**PHOTO, named: value}), ([{**PHOTO, named: value}], PHOTO)):
        with pytest.raises(UsageError):
            ChoiceAsked.of({"group": "s1", "keep": keep, "drop": drop})


@pytest.mark.parametrize("value", NO_TIME.values(), ids=NO_TIME)
def test_a_time_is_a_whole_number_as_a_text(value: object) -> None:
    with pytest.raises(UsageError):
        ChoiceAsked.of({"group": "s1", "keep": {**PHOTO, "mtime_ns": value}, "drop": []})


@given(st.integers(0, 2**64 - 1))
def test_every_time_that_a_catalog_has_comes_through(nanoseconds: int) -> None:
    time = signed64(nanoseconds)
    asked = ChoiceAsked.of({"group": "s1", "keep": {**PHOTO, "mtime_ns": str(time)}, "drop": []})
    assert asked.keep.mtime_ns == time


@pytest.mark.parametrize(
    "value",
    [None, {}, "x", [PHOTO] * 20_001, [1]],
    ids=["null", "object", "text", "many", "number"],
)
def test_photos_are_a_list_that_is_not_too_long(value: object) -> None:
    with pytest.raises(UsageError):
        BothAsked.of({"group": "s1", "photos": value})
    assert len(BothAsked.of({"group": "s1", "photos": [PHOTO] * 20_000}).photos) == 20_000


@pytest.mark.parametrize("name", ["", "s", "x1", "1", "s-1", "s1.5", "s²", "s" + "1" * 19, "s 1"])
def test_a_group_is_named_by_its_answer_and_a_photo(name: str) -> None:
    with pytest.raises(UsageError):
        asking.parted(name)
    assert asking.parted("s12") == ("s", 12)
    assert asking.parted("l12") == ("l", 12)


WRONG = ["grade=x", "state=x", "sort=x", "offset=-1", "count=x", "min=1.5", "folder=²", "from=x"]


@pytest.mark.parametrize("query", [*WRONG, "to=2019-02-30", "offset=" + "1" * 19])
def test_a_page_that_makes_no_sense_is_refused(query: str) -> None:
    name, _, value = query.partition("=")
    with pytest.raises(UsageError):
        PageAsked.of({name: value})


def test_a_page_holds_no_more_than_can_be_drawn() -> None:
    assert PageAsked.of({"count": "1000000"}).count == 200


READERS: dict[str, Callable[[Any], object]] = {
    "group": lambda value: asking.group_in({"group": value}),
    "plan": lambda value: asking.plan_in({"plan": value}),
    "step": lambda value: asking.number_in({"step": value}, "step"),
    "flag": lambda value: asking.flag_in({"flag": value}, "flag"),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("value", [None, [], {}, 1.5], ids=["null", "list", "object", "fraction"])
def test_what_is_of_another_kind_is_refused(read: Callable[[Any], object], value: object) -> None:
    with pytest.raises(UsageError):
        read(value)
