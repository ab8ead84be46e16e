"""Of an event comes a hint where to look, and no more looking than it takes."""

from __future__ import annotations

import pytest

from catalog.indexing.reconcile import Look
from catalog.store.folders import RootRow
from catalog.watching.ears import Listener, What
from catalog.watching.hints import Hints

FOLDER = Look(b"/r/a", whole=False)


class Names:
    folder = b"/cookies"

    def __init__(self) -> None:
        self.names: list[bytes] = []

    def seen(self, name: bytes) -> None:
        self.names.append(name)


@pytest.fixture
def hints() -> Hints:
    return Hints()


@pytest.fixture
def cookies() -> Names:
    return Names()


@pytest.fixture
def listener(hints: Hints, cookies: Names) -> Listener:
    made = Listener(hints, cookies)
    made.follow([RootRow(1, 1, b"/r")])
    return made


@pytest.mark.parametrize("what", What)
def test_of_a_file_its_folder_is_looked_at(listener: Listener, hints: Hints, what: What) -> None:
    listener.happened(b"/r/a", b"1.jpg", what, is_folder=False)
    assert set(hints.take_all()) == {FOLDER}
    assert listener.expects_photos() == (what is not What.LEFT)


@pytest.mark.parametrize(
    ("what", "inside"),
    [
        (What.APPEARED, {Look(b"/r/a/sub")}),
        (What.ALTERED, {Look(b"/r/a/sub", whole=False)}),
        (What.LEFT, set()),
    ],
)
def test_of_a_folder_the_one_above_is_looked_at_and_of_a_new_one_all_that_is_in_it(
    listener: Listener, hints: Hints, what: What, inside: set[Look]
) -> None:
    listener.happened(b"/r/a", b"sub", what, is_folder=True)
    assert set(hints.take_all()) == {FOLDER, *inside}


def test_what_befalls_a_watched_folder_itself_has_it_looked_at(
    listener: Listener, hints: Hints
) -> None:
    listener.happened(b"/r/a", b"", What.ALTERED, is_folder=True)
    assert set(hints.take_all()) == {FOLDER}


@pytest.mark.parametrize(
    ("folder", "name", "is_folder"),
    [
        (b"/elsewhere", b"1.jpg", False),
        (b"/rr", b"1.jpg", False),
        (b"/r/a", b"notes.txt", False),
        (b"/r/a", b".hidden.jpg", False),
        (b"/r/a", b".hidden", True),
    ],
)
def test_what_is_left_out_is_not_looked_at(
    listener: Listener, hints: Hints, folder: bytes, name: bytes, is_folder: bool
) -> None:
    listener.happened(folder, name, What.APPEARED, is_folder=is_folder)
    assert hints.take_all() == []
    assert not listener.expects_photos()


def test_the_event_of_a_cookie_is_for_who_waits_for_it(
    listener: Listener, hints: Hints, cookies: Names
) -> None:
    listener.happened(b"/cookies", b"cookie-1", What.APPEARED, is_folder=False)
    assert cookies.names == [b"cookie-1"]
    assert hints.take_all() == []
