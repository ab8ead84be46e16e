"""The answers of the review follow the catalog, whatever happens while they are made."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from catalog.errors import CatalogError
from catalog.model import Duplicates
from catalog.queries.duplicates import duplicates
from catalog.review import shelf as shelves
from catalog.review.asking import PageAsked
from tests.matching.albums import Album, album, inline, next_shot, photo, saved
from tests.review.sitting import Sitting

__all__ = ["album", "inline"]

Search = Callable[..., Duplicates]


@pytest.fixture
def filled(album: Album) -> Album:
    """A group of identical photos, and two shots that look alike."""
    album.put("3.jpg", saved(photo(3), quality=90))
    album.put("copies/3.jpg.jpg", saved(photo(3), quality=90))
    album.put("4.jpg", saved(photo(4), quality=92))
    album.put("4-next.jpg", saved(next_shot(photo(4)), quality=91))
    album.index()
    return album


@contextmanager
def searching(monkeypatch: pytest.MonkeyPatch, instead: Search) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr(shelves, "duplicates", instead)
        yield


class Held:
    """Searches that end when they are let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.found = threading.Event()
        self.go = threading.Event()

    def __call__(self, *arguments: Any, **named: Any) -> Duplicates:
        self.begun += 1
        answer = duplicates(*arguments, **named)
        self.found.set()
        assert self.go.wait(30)
        return answer


def test_what_is_indexed_during_the_first_search_appears(
    filled: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held()
    with searching(monkeypatch, held), Sitting(filled, ready=False) as sitting:
        sitting.wait(lambda _: held.found.is_set())
        filled.put("copies/4.jpg", saved(photo(4), quality=92))
        filled.index()
        held.go.set()
        sitting.wait(lambda state: state["found"]["groups"] == 2)


def test_what_is_indexed_while_what_looks_alike_is_found_appears(
    filled: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sitting(filled) as sitting:
        held = Held()
        with searching(monkeypatch, held):
            sitting.page(grade="similar")
            sitting.wait(lambda _: held.found.is_set())
            filled.put("4-third.jpg", saved(next_shot(photo(4), by=18), quality=90))
            filled.index()
            sitting.do(asyncio.sleep(1.2))  # others look at the catalog meanwhile
            held.go.set()
            sitting.wait(lambda _: sitting.page(grade="similar")["ready"])
            sitting.wait(lambda _: len(sitting.groups(grade="similar")[0]["photos"]) == 3)


def test_two_that_ask_at_once_for_what_looks_alike_have_it_found_once(
    filled: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sitting(filled) as sitting:
        held = Held()
        held.go.set()

        async def both() -> None:
            asked = PageAsked.of({"grade": "similar"})
            await asyncio.gather(*(sitting.desk.groups(asked) for _ in range(3)))

        with searching(monkeypatch, held):
            sitting.do(both())
            sitting.wait(lambda state: state["finding"] is None)
            assert held.begun == 1
            assert sitting.page(grade="similar")["ready"]


@pytest.mark.parametrize("error", [CatalogError("no luck"), ValueError("no luck"), MemoryError()])
def test_a_search_that_fails_is_told_of_and_made_again_when_the_catalog_is_another(
    filled: Album, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: Any, **__: Any) -> Duplicates:
        raise error

    with searching(monkeypatch, fails):
        sitting = Sitting(filled, ready=False)
        state = sitting.wait(lambda state: state["trouble"])
        assert str(error) in state["trouble"]
        sitting.wait(lambda state: state["finding"] is None)
    sitting.wait(lambda _: "imgcat-groups" not in {each.name for each in threading.enumerate()})
    with sitting:
        filled.put("copies/4.jpg", saved(photo(4), quality=92))
        filled.index()
        state = sitting.wait(lambda state: state["found"]["groups"] == 2)
        assert state["trouble"] == ""


def test_a_failed_search_for_what_looks_alike_is_not_begun_at_each_question(
    filled: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def fails(*_: Any, **__: Any) -> Duplicates:
        begun.append(1)
        raise CatalogError("no luck")

    with searching(monkeypatch, fails), Sitting(filled, ready=False) as sitting:
        sitting.wait(lambda state: state["trouble"])
        sitting.page(grade="similar")
        sitting.wait(lambda state: len(begun) == 2 and state["finding"] is None)
        for _ in range(5):
            sitting.page(grade="similar")
            sitting.do(asyncio.sleep(0.02))
        assert len(begun) == 2


def test_a_catalog_that_is_away_for_a_while_is_told_of_only_then(filled: Album) -> None:
    away = filled.catalog + b".away"
    with Sitting(filled) as sitting:
        os.rename(filled.catalog, away)
        sitting.wait(lambda state: state["trouble"])
        os.rename(away, filled.catalog)
        sitting.wait(lambda state: not state["trouble"])
        assert len(sitting.groups()) == 1


def test_another_catalog_in_its_place_is_the_one_that_is_shown(filled: Album) -> None:
    with Sitting(filled) as sitting:
        before = sitting.groups()
        filled.put("0.jpg", saved(photo(20), quality=92))  # others have other ids then
        other = filled.catalog + b".other"
        filled.index("copies", catalog=other)
        filled.index(catalog=other)
        for name in (b"-wal", b"-shm"):
            if os.path.exists(filled.catalog + name):
                os.unlink(filled.catalog + name)
        os.replace(other, filled.catalog)
        sitting.wait(lambda _: sitting.groups() != before)
        assert sitting.trash_others(sitting.group_with("3.jpg"))["state"]["chosen"]["photos"] == 1


def test_an_answer_with_the_same_groups_is_no_other_one_but_as_new_as_its_scan(
    filled: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held()
    held.go.set()
    with searching(monkeypatch, held), Sitting(filled) as sitting:
        number, scan = sitting.desk.state()["answer"], sitting.desk._answers.answer.last_scan_ns
        filled.put("alone.jpg", saved(photo(40), quality=93))
        filled.index()
        sitting.wait(lambda state: held.begun == 2 and state["finding"] is None)
        assert sitting.desk.state()["answer"] == number
        assert sitting.desk._answers.answer.last_scan_ns > scan
        sitting.do(asyncio.sleep(1.5))  # what was found is written down, and looked at once more
        begun = held.begun
        sitting.do(asyncio.sleep(1.5))
        assert held.begun == begun


def test_who_waits_for_the_first_answer_is_not_away(
    filled: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held()
    with searching(monkeypatch, held), Sitting(filled, ready=False) as sitting:
        sitting.wait(lambda _: held.found.is_set())
        assert sitting.presence.busy
        held.go.set()
        sitting.wait(lambda state: state["ready"] and not sitting.presence.busy)


def test_groups_are_told_with_the_number_of_their_answer(filled: Album) -> None:
    with Sitting(filled) as sitting:
        shelf = sitting.desk._answers.shelves["s"]
        go = threading.Event()
        shelf._clerk.tell(lambda: go.wait(30))

        async def asked_while_another_comes() -> Any:
            page = asyncio.ensure_future(sitting.desk.groups(PageAsked.of({})))
            await asyncio.sleep(0)
            sitting.desk._answers.number += 1
            go.set()
            return await page

        number = sitting.desk.state()["answer"]
        assert sitting.do(asked_while_another_comes())["answer"] == number


def test_the_end_of_the_server_ends_what_is_being_found(
    filled: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def endless(*_: Any, progress: Any, **__: Any) -> Duplicates:
        try:
            while True:
                progress.advance()
                ended.wait(0.01)
        except KeyboardInterrupt:
            ended.set()
            raise

    with searching(monkeypatch, endless), Sitting(filled, ready=False) as sitting:
        sitting.wait(lambda state: state["finding"] is not None)
        sitting.do(asyncio.sleep(0.8))  # now identical ones are looked for, too
        assert "" in sitting.desk._answers._making
        shelf = sitting.desk._answers
        both = list(shelf._making.values())
    assert ended.wait(5)
    assert all(progress.to_end for progress in both)
