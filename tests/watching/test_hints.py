"""Hints settle, stay few, and lose nothing."""

from __future__ import annotations

import os
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.indexing.reconcile import Look
from catalog.watching.hints import LATEST, QUIET, Hints, is_inside, without_inner

PATIENCE = 20.0  # seconds


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hints(clock: Clock) -> Hints:
    found = Hints(clock)
    found.follow([b"/r"])
    return found


def test_a_folder_is_due_after_half_a_second_of_quiet(hints: Hints, clock: Clock) -> None:
    hints.add(b"/r/a")
    assert hints.take_due() == []
    clock.now += QUIET - 0.01
    hints.add(b"/r/a")
    clock.now += QUIET - 0.01
    assert hints.take_due() == []
    clock.now += 0.02
    assert hints.take_due() == [Look(b"/r/a", whole=False)]
    assert hints.take_due() == []
    assert len(hints) == 1, "it was not looked at yet"
    hints.done()
    assert len(hints) == 0


def test_a_folder_that_never_rests_is_due_after_five_seconds(hints: Hints, clock: Clock) -> None:
    taken = []
    for _ in range(60):
        hints.add(b"/r/a")
        clock.now += 0.1
        taken += [clock.now - 1000 for _ in hints.take_due()]
    assert len(taken) == 1
    assert LATEST <= taken[0] < LATEST + 0.2


def test_what_is_put_off_comes_when_it_is_time_whatever_happens(hints: Hints, clock: Clock) -> None:
    hints.later(b"/r/a", 3)
    hints.later(b"/r/a", 1, whole=True)  # the sooner of both, and the larger
    assert hints.take_all() == []
    clock.now += 0.9
    assert hints.take_due() == []
    clock.now += 0.2
    assert hints.take_due() == [Look(b"/r/a")]
    clock.now += 10
    assert hints.take_due() == []


def test_all_can_be_taken_without_waiting_for_quiet(hints: Hints) -> None:
    hints.add(b"/r/a")
    hints.add(b"/r/b/c", whole=True)
    hints.add(b"/r/b/c/d")
    assert set(hints.take_all()) == {Look(b"/r/a", whole=False), Look(b"/r/b/c")}
    hints.done()
    assert len(hints) == 0


def test_below_a_folder_that_is_looked_at_whole_nothing_else_waits(
    hints: Hints, clock: Clock
) -> None:
    hints.add(b"/r/a", whole=True)
    for number in range(1000):
        hints.add(b"/r/a/%d/x" % number)
    assert len(hints) == 1
    clock.now += QUIET / 2
    hints.add(b"/r/a/b/c/d")  # and keeps it from being quiet
    clock.now += QUIET / 2 + 0.01
    assert hints.take_due() == []
    hints.add(b"/r/ab")
    assert len(hints) == 2


def test_too_many_folders_become_the_folders_above(clock: Clock) -> None:
    hints = Hints(clock, most=100)
    hints.follow([b"/r"])
    for number in range(101):
        hints.add(b"/r/%d/x" % (number % 10) + b"/%d" % number)
    assert len(hints) <= 50
    clock.now += 1
    looks = hints.take_due()
    assert all(look.whole for look in looks)
    assert b"/r" not in {look.path for look in looks}, "the folders above are enough"


@given(
    events=st.lists(
        st.tuples(
            st.lists(st.sampled_from([b"a", b"b", b"c d", b"e\n", b"\xff"]), max_size=4),
            st.booleans(),
            st.floats(0, 1),
        ),
        max_size=60,
    ),
    most=st.integers(1, 20),
)
def test_every_hint_is_looked_at_in_the_end_and_never_outside_the_roots(
    events: list[tuple[list[bytes], bool, float]], most: int
) -> None:
    clock = Clock()
    hints = Hints(clock, most=most)
    hints.follow([b"/r"])
    owed: dict[bytes, tuple[float, bool]] = {}
    for parts, whole, pause in events:
        path = b"/".join([b"/r", *parts])
        hints.add(path, whole=whole)
        since, was = owed.get(path, (clock.now, False))
        owed[path] = since, was or whole
        assert len(hints) <= max(most, 1)
        clock.now += pause
        _pay(owed, hints.take_due())
        hints.done()
    clock.now += LATEST
    _pay(owed, hints.take_due())
    hints.done()
    assert owed == {}
    assert len(hints) == 0


def _pay(owed: dict[bytes, tuple[float, bool]], looks: list[Look]) -> None:
    for look in looks:
        assert is_inside(look.path, b"/r")
        for path, (_, whole) in list(owed.items()):
            covered = is_inside(path, look.path) if look.whole else path == look.path and not whole
            if covered:
                del owed[path]


@given(
    st.lists(st.tuples(st.lists(st.sampled_from([b"a", b"b", b"a b"]), max_size=4), st.booleans()))
)
def test_inner_looks_are_left_out_and_no_others(found: list[tuple[list[bytes], bool]]) -> None:
    looks = {b"/" + b"/".join(parts): whole for parts, whole in found}
    kept = without_inner(Look(path, whole) for path, whole in looks.items())
    for path, whole in looks.items():
        above = any(other != path and looks[other] and is_inside(path, other) for other in looks)
        assert (Look(path, whole) in kept) == (not above)


def test_waiting_ends_when_something_is_due_or_somebody_wakes_it() -> None:
    hints = Hints(quiet=0.1)
    begun = time.monotonic()
    hints.add(b"/r/a")
    hints.wait(5)
    assert 0.05 < time.monotonic() - begun < 2
    hints.take_due()
    threading.Timer(0.1, hints.wake).start()
    begun = time.monotonic()
    hints.wait(5)
    assert time.monotonic() - begun < 2
    threading.Timer(0.1, lambda: hints.later(b"/r", 0)).start()
    begun = time.monotonic()
    hints.wait(5)
    assert time.monotonic() - begun < 2
    hints.take_due()
    begun = time.monotonic()
    hints.wait(0.1)
    assert time.monotonic() - begun >= 0.1


def test_a_thousand_events_a_folder_are_one_look(hints: Hints, clock: Clock) -> None:
    for number in range(100_000):
        hints.add(os.path.join(b"/r", b"%d" % (number % 100)))
    assert len(hints) == 100
    clock.now += 1
    assert len(hints.take_due()) == 100


def test_a_pause_lasts_whatever_is_due_and_ends_when_somebody_asks(hints: Hints) -> None:
    hints.later(b"/r", 0, whole=True)
    begun = time.monotonic()
    hints.pause(0.2)
    assert time.monotonic() - begun >= 0.2
    hints.wake()
    hints.pause(PATIENCE)
    assert time.monotonic() - begun < PATIENCE


def test_a_root_inside_another_is_looked_at_by_itself(hints: Hints, clock: Clock) -> None:
    hints.follow([b"/r", b"/r/left out"])
    hints.add(b"/r", whole=True)
    hints.add(b"/r/left out/a")
    hints.later(b"/r/left out", 0, whole=True)
    clock.now += QUIET
    assert set(hints.take_due()) == {Look(b"/r"), Look(b"/r/left out")}
    hints.add(b"/r", whole=True)
    hints.add(b"/r/left out/a")
    assert set(hints.take_all()) == {Look(b"/r"), Look(b"/r/left out/a", whole=False)}
