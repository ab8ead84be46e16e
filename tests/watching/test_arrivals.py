"""Photos that arrive are looked for beside everything else, and nothing of it ends that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from catalog.errors import CatalogError
from catalog.model import AlreadyThere, Kind
from catalog.watching import arrivals
from catalog.watching.arrivals import Announcer, Arrival
from tests.watching.test_events import until

Make = Callable[..., Announcer]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def told() -> list[AlreadyThere]:
    return []


@pytest.fixture
def announcer(said: list[str], told: list[AlreadyThere]) -> Iterator[Make]:
    """Makes one that looks up what it is given a function for."""
    made: list[Announcer] = []

    def make(
        find: Callable[[Sequence[Arrival]], Iterable[AlreadyThere]],
        command: Sequence[str] = (),
        notify: str | None = None,
    ) -> Announcer:
        made.append(Announcer(find, told.append, said.append, command, notify))
        return made[-1]

    yield make
    for one in made:
        one.close()


def found(path: bytes) -> AlreadyThere:
    return AlreadyThere(path, b"/there before.jpg", Kind.IDENTICAL, 1.0)


def all_of(batch: Sequence[Arrival]) -> list[AlreadyThere]:
    return [found(path) for path, _ in batch]


@pytest.mark.parametrize(
    ("error", "words"), [(RuntimeError("odd"), "RuntimeError: odd"), (CatalogError("gone"), "gone")]
)
def test_what_goes_wrong_is_told_and_the_next_ones_are_looked_for(
    announcer: Make, said: list[str], told: list[AlreadyThere], error: Exception, words: str
) -> None:
    def find(batch: Sequence[Arrival]) -> list[AlreadyThere]:
        if batch[0][0] == b"/1.jpg":
            raise error
        return all_of(batch)

    one = announcer(find)
    one.arrived(b"/1.jpg", 1)
    assert until(lambda: said == [f"new photos could not be looked for: {words}"])
    one.arrived(b"/2.jpg", 2)
    assert until(lambda: told == [found(b"/2.jpg")], 2)


def test_a_command_that_does_not_end_is_ended(
    announcer: Make, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert arrivals._TIME_LIMIT == 60
    monkeypatch.setattr(arrivals, "_TIME_LIMIT", 0.1)
    announcer(all_of, ["sh", "-c", "exec sleep 5"]).arrived(b"/1.jpg", 1)
    assert until(lambda: said, 2), "it is waited for"
    assert said[0].startswith("sh failed: no answer within ")


def test_more_than_can_be_looked_for_are_left_to_another_command(
    announcer: Make, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "_MOST", 3)
    begun, go_on = threading.Event(), threading.Event()
    looked_for: list[int] = []

    def find(batch: Sequence[Arrival]) -> list[AlreadyThere]:
        looked_for.extend(content for _, content in batch)
        begun.set()
        go_on.wait(5)
        return []

    one = announcer(find)
    one.arrived(b"/0.jpg", 0)
    assert begun.wait(2)
    for content in range(1, 7):
        one.arrived(b"/x.jpg", content)
    assert len(said) == 1, "it is said once"
    assert "'imgcat dupes' finds them all" in said[0]
    go_on.set()
    assert until(lambda: looked_for == [0, 1, 2, 3], 2)


def test_after_the_end_no_further_command_begins(
    announcer: Make, told: list[AlreadyThere], tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    one = announcer(all_of, ["sh", "-c", f"echo x >> '{begun}'; sleep 1"])
    for number in range(3):
        one.arrived(b"/%d" % number, number)
    assert until(begun.exists, 10)
    one.close()
    one._thread.join(10)
    assert not one._thread.is_alive()
    assert (begun.read_text(), len(told)) == ("x\n", 1)


def test_a_name_is_never_an_option_of_notify_send(announcer: Make, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    program = tmp_path / "notify-send"
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > "{shown}.new"\nmv "{shown}.new" "{shown}"\n'
    )
    program.chmod(0o755)
    announcer(all_of, notify=str(program)).arrived(b"/photos/--icon=x.jpg", 1)
    assert until(shown.exists)
    options, text = shown.read_text().split("--\n", 1)
    assert options.splitlines() == ["--app-name=imgcat"]
    assert text.splitlines() == ["You already have this", "--icon=x.jpg: /there before.jpg"]
