"""Whether events come, and what is said where they do not, or not all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from catalog.watching import channel, daemon, followed, senses
from catalog.watching.cookies import Cookies
from catalog.watching.ears import Listener
from catalog.watching.hints import Hints
from catalog.watching.inotify import Inotify
from catalog.watching.senses import Senses


class Events:
    """As many folders as it is told, and events of them if it is told so."""

    def __init__(self) -> None:
        self.refused: dict[bytes, str] = {}
        self.alive = True
        self.count = 1

    def watches(self, path: bytes) -> bool:
        return path not in self.refused

    def watch(self, path: bytes) -> None: ...

    def forget(self, is_gone: Callable[[bytes], bool]) -> None: ...

    def close(self) -> None:
        self.alive = False


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Senses]:
    cookies = Cookies(bytes(tmp_path / "catalog.db"))
    made = Senses(cookies, Listener(Hints(), cookies), lambda: 1000.0, lambda message: None)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("folders", "enough"), [(6, 524_288), (600_001, 2_097_152), (1_500_000, 4_194_304)]
)
def test_r16_the_limit_that_is_named_is_enough_with_room_to_grow(
    own: Senses, folders: int, enough: int
) -> None:
    own._events = events = Events()
    events.refused = {b"/r/x": "inotify watch limit reached"}
    events.count = folders  # that of the cookies is one, and the refused one comes on top
    assert f"1 of {folders:,} folders" in own.problem
    assert f"'sudo sysctl fs.inotify.max_user_watches={enough}'" in own.problem
    assert enough > 4 / 3 * folders


def test_r16_where_no_limit_is_the_reason_none_is_named(own: Senses) -> None:
    own._events = events = Events()
    assert own.problem == ""
    events.refused = {b"/r/x": "Permission denied"}
    assert "(Permission denied)" in own.problem
    assert "sysctl" not in own.problem


def test_r17_a_reader_that_died_is_deaf_at_once(own: Senses) -> None:
    own._events = events = Events()
    assert not own.is_deaf()
    events.alive = False
    assert own.is_deaf()


def test_r17_a_system_that_tells_nothing_is_found_out_at_the_start(
    own: Senses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(senses, "_SELF_TEST", 0.1)
    monkeypatch.setattr(Inotify, "on_event", lambda self, event: None)
    own.open()
    assert not own.hears
    assert own.problem == (
        "the system tells nothing of a file that was just made: looking every minute instead"
    )


def test_r20_without_events_a_minute_passes_between_two_looks() -> None:
    assert followed.POLL == 60


def test_r21_a_question_is_answered_before_who_asks_stops_waiting() -> None:
    assert daemon._SYNC_WITHIN < channel.PATIENCE
