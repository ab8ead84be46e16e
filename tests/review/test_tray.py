"""The tray: whatever is chosen and taken back, no photo goes that is kept for another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.model import Choice, Seen
from catalog.review.tray import Change, Clash, Tray

PHOTOS = [b"/p/%d.jpg" % number for number in range(8)]


def seen(path: bytes) -> Seen:
    return Seen(path, b"digest of " + path, 100, 5)


def choice(goes: int, kept: int) -> Choice:
    return Choice(goes=seen(PHOTOS[goes]), kept=seen(PHOTOS[kept]))


def chosen(tray: Tray) -> dict[bytes, bytes]:
    return {path: each.kept.path for path, each in tray.choices.items()}


def is_sound(tray: Tray) -> bool:
    return not {each.kept.path for each in tray.choices.values()} & set(tray.choices)


def choose(tray: Tray, members: list[int], new: list[Choice]) -> Change:
    change = tray.choosing([PHOTOS[number] for number in members], new)
    tray.apply(change)
    return change


def test_of_a_group_exactly_the_chosen_ones_go() -> None:
    tray = Tray()
    choose(tray, [0, 1, 2], [choice(1, 0), choice(2, 0)])
    assert chosen(tray) == {PHOTOS[1]: PHOTOS[0], PHOTOS[2]: PHOTOS[0]}
    choose(tray, [0, 1, 2], [choice(0, 1)])
    assert chosen(tray) == {PHOTOS[0]: PHOTOS[1]}


def test_a_photo_is_not_kept_and_goes() -> None:
    with pytest.raises(Clash, match=r"0\.jpg cannot be kept"):
        Tray().choosing(PHOTOS[:3], [choice(1, 0), choice(0, 2)])


def test_what_is_kept_for_a_photo_of_another_group_does_not_go() -> None:
    tray = Tray([choice(1, 0)])
    with pytest.raises(Clash, match=r"0\.jpg is what is kept for 1\.jpg"):
        tray.choosing([PHOTOS[0], PHOTOS[5]], [choice(0, 5)])


def test_what_goes_with_another_group_is_not_kept() -> None:
    tray = Tray([choice(1, 0)])
    with pytest.raises(Clash, match="goes to the trash with another group"):
        tray.choosing([PHOTOS[1], PHOTOS[5]][1:], [choice(5, 1)])


def test_a_step_is_taken_back_whole() -> None:
    tray = Tray([choice(1, 0), choice(4, 3)])
    change = tray.choosing(PHOTOS[:3], [choice(0, 2), choice(1, 2)])
    back = tray.back(change)
    tray.apply(change)
    assert tray.can_go_back(change, back)
    tray.apply(back)
    assert chosen(tray) == {PHOTOS[1]: PHOTOS[0], PHOTOS[4]: PHOTOS[3]}


def test_a_clearing_is_not_taken_back_over_what_was_chosen_since() -> None:
    tray = Tray([choice(1, 0)])
    change = tray.leaving(PHOTOS)
    back = tray.back(change)
    tray.apply(change)
    choose(tray, [1, 2], [choice(1, 2)])
    assert not tray.can_go_back(change, back)


def test_a_step_that_another_one_was_built_on_is_not_taken_back() -> None:
    tray = Tray()
    change = tray.choosing(PHOTOS[:2], [choice(1, 0)])
    back = tray.back(change)
    tray.apply(change)
    choose(tray, [0, 1], [choice(0, 1)])
    assert not tray.can_go_back(change, back)


def test_taking_back_a_clearing_does_not_bring_back_what_clashes() -> None:
    tray = Tray([choice(1, 0)])
    change = tray.leaving([PHOTOS[1]])
    back = tray.back(change)
    tray.apply(change)
    choose(tray, [0, 5], [choice(0, 5)])
    assert not tray.can_go_back(change, back)


def test_the_number_tells_of_every_change() -> None:
    tray = Tray()
    before = tray.number
    choose(tray, [0, 1], [choice(1, 0)])
    assert tray.number != before


GROUPS = st.tuples(
    st.lists(st.integers(0, 7), min_size=2, max_size=5, unique=True), st.integers(0, 31)
)
TAKEN_BACK = st.integers(0, 20)


@given(st.lists(GROUPS | TAKEN_BACK, max_size=20))
def test_no_order_of_choosing_and_taking_back_lets_a_kept_photo_go(
    script: list[tuple[list[int], int] | int],
) -> None:
    tray, done = Tray(), []
    for step in script:
        if isinstance(step, int):
            if step < len(done):
                change, back = done[step]
                if tray.can_go_back(change, back):
                    tray.apply(back)
        else:
            members, mask = step
            keep, *rest = members
            new = [choice(goes, keep) for bit, goes in enumerate(rest) if mask & (1 << bit)]
            try:
                change = tray.choosing([PHOTOS[number] for number in members], new)
            except Clash:
                continue
            done.append((change, tray.back(change)))
            tray.apply(change)
            assert {path for path in tray.choices if path in {PHOTOS[m] for m in members}} == {
                each.goes.path for each in new
            }
        assert is_sound(tray)
