"""What a person chose outlives the program; it is a wish, and nothing is done by it."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import CatalogError, CatalogReadOnly, CatalogUnusable, DiskFull
from catalog.model import Choice, Deed, Seen, State
from catalog.store import apart, choices, thrown
from catalog.store.decisions import (
    Decisions,
    anything_unfinished,
    decisions_file,
    decisions_there,
    open_decisions,
)
from tests.faults.removing import Child
from tests.store.test_decisions import REMOVAL
from tests.support import (
    NOBODY,
    in_child,
    killed,
    mount,
    mount_tmpfs,
    needs_root,
    open_place,
    sql_rows,
    started,
)

__all__ = ["open_place"]

KEPT = Seen(b"/photos/kept.jpg", b"k" * 32, 2000, 2)

# Any bytes are a name, and any numbers a stamp; few names, so that they meet.
_NAMES = st.sampled_from([b"/a", b"/a/", b"/A", b"/%_[*'\"\n", b"/\xff\xfe", b"/\xc3\xa4", b"/b"])
_NUMBERS = st.integers(-(2**63), 2**63 - 1)
_SEEN = st.builds(Seen, _NAMES, st.binary(min_size=32, max_size=32), _NUMBERS, _NUMBERS)
_CHOICES = st.builds(Choice, _SEEN, _SEEN)
_STEPS = st.lists(
    st.tuples(st.lists(_NAMES, max_size=3), st.lists(_CHOICES, max_size=4)), max_size=8
)


@pytest.fixture
def catalog(tmp_path: Path) -> bytes:
    return os.fsencode(tmp_path / "some" / "catalog.db")


def choice(number: int, kept: Seen = KEPT) -> Choice:
    return Choice(Seen(b"/photos/%d.jpg" % number, b"%032d" % number, number + 1, -number), kept)


def paths(*numbers: int) -> list[bytes]:
    return [choice(number).goes.path for number in numbers]


def chosen(catalog: bytes) -> list[Choice]:
    """All of them, by one who opens the file anew."""
    there = decisions_there(catalog)
    assert there is not None
    with there:
        return choices.all_of(there)


def has_table(catalog: bytes) -> bool:
    return bool(
        sql_rows(decisions_file(catalog), "SELECT 1 FROM sqlite_schema WHERE name='choice'")
    )


# -- what is chosen ------------------------------------------------------------------------------


def test_what_was_chosen_is_there_when_the_file_is_opened_again(catalog: bytes) -> None:
    hostile = Seen(b"/photos/\xff\n'.jpg", bytes(range(32)), 2**62, -(2**63))
    made = [Choice(hostile, KEPT), choice(2), choice(1)]
    with open_decisions(catalog) as opened:
        choices.replace(opened, (), made)
    assert chosen(catalog) == made, "in the order in which they were chosen"


def test_a_photo_goes_for_one_other_and_the_later_choice_counts(catalog: bytes) -> None:
    other = Seen(b"/photos/other.jpg", b"o" * 32, 3000, 3)
    with open_decisions(catalog) as opened:
        choices.replace(opened, (), [choice(1), choice(2)])
        choices.replace(opened, (), [choice(1, other)])
        assert choices.all_of(opened) == [choice(2), choice(1, other)]
        choices.replace(opened, (), [choice(3), choice(3, other)])
        assert choices.all_of(opened) == [choice(2), choice(1, other), choice(3, other)]


def test_choices_are_forgotten_by_the_path_of_what_was_to_go(catalog: bytes) -> None:
    with open_decisions(catalog) as opened:
        choices.replace(opened, (), map(choice, range(4)))
        choices.replace(opened, paths(0, 9), [choice(5)])
        choices.forget(opened, [KEPT.path, *paths(2)])
        assert choices.all_of(opened) == [choice(1), choice(3), choice(5)]
        choices.replace(opened, paths(1), [choice(1)])
        assert choices.all_of(opened) == [choice(3), choice(5), choice(1)], "chosen anew"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(steps=_STEPS)
def test_any_choices_come_back_as_they_were_made(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[list[bytes], list[Choice]]]
) -> None:
    catalog = os.fsencode(tmp_path_factory.mktemp("choices") / "catalog.db")
    known: dict[bytes, Choice] = {}
    with open_decisions(catalog) as opened:
        opened._connection.execute("PRAGMA synchronous = OFF")  # no power cut is tested here
        for gone, new in steps:
            choices.replace(opened, gone, new)
            for path in gone:
                known.pop(path, None)
            for each in new:
                known.pop(each.goes.path, None)
                known[each.goes.path] = each
            assert choices.all_of(opened) == list(known.values())
        choices.forget(opened, [*known][::2])
    assert chosen(catalog) == list(known.values())[1::2]


# -- all or nothing, and no more than a wish -----------------------------------------------------


def test_what_is_cut_off_in_the_middle_has_changed_nothing(catalog: bytes) -> None:
    nothing: Any = None  # cannot be written down
    broken = Choice(Seen(b"/photos/x.jpg", nothing, 0, 0), KEPT)
    with open_decisions(catalog) as opened:
        choices.replace(opened, (), [choice(1), choice(2)])
        with pytest.raises(CatalogError, match="NOT NULL"):
            choices.replace(opened, paths(1), [choice(3), broken])
        assert choices.all_of(opened) == [choice(1), choice(2)]
    assert chosen(catalog) == [choice(1), choice(2)]


def test_what_was_chosen_is_neither_done_nor_begun(catalog: bytes) -> None:
    with open_decisions(catalog) as opened:
        choices.replace(opened, (), map(choice, range(100)))
        digests = [choice(number).goes.digest for number in range(100)]
        assert opened.history() == []
        assert opened.unfinished() == []
        assert thrown.thrown_away(opened, digests) == {}
        assert not thrown.any_thrown_away(opened)
        assert apart.pairs(opened) == []
    assert not anything_unfinished(catalog)


def test_many_choices_are_one_transaction(catalog: bytes) -> None:
    with open_decisions(catalog) as opened:
        choices.replace(opened, (), map(choice, range(300)))
        said: list[str] = []
        opened._connection.set_trace_callback(said.append)
        choices.replace(opened, paths(*range(200)), map(choice, range(1000, 1300)))
        opened._connection.set_trace_callback(None)
    assert [line for line in said if line.split()[0] in ("BEGIN", "COMMIT")] == [
        "BEGIN IMMEDIATE",
        "COMMIT",
    ]


def test_r23_what_was_said_to_be_chosen_outlives_being_killed(catalog: bytes) -> None:
    open_decisions(catalog).close()
    dice = random.Random(23)
    for _ in range(12):
        told, telling = os.pipe()

        def choose(telling: int = telling) -> None:
            with open_decisions(catalog) as opened:
                choices.forget(opened, [each.goes.path for each in choices.all_of(opened)])
                for number in range(100_000):
                    # Each time the last one goes and three come: none of the three alone.
                    new = [choice(3 * number + each) for each in range(3)]
                    choices.replace(opened, [choice(3 * number - 3).goes.path], new)
                    os.write(telling, b".")

        child = started(choose)
        os.close(telling)
        os.read(told, 1)
        time.sleep(dice.uniform(0, 0.02))
        assert killed(child)
        said = 1
        while piece := os.read(told, 1 << 16):
            said += len(piece)
        os.close(told)
        there = chosen(catalog)
        assert [each.goes.path for each in there] in [_after(said), _after(said + 1)]
        assert sql_rows(decisions_file(catalog), "PRAGMA integrity_check") == [("ok",)]


def _after(times: int) -> list[bytes]:
    """What is chosen after so many times."""
    last = 3 * times - 3
    return paths(*(each for each in range(last + 3) if each % 3 or each == last))


# -- files of earlier versions, and for earlier versions -----------------------------------------


@pytest.fixture
def earlier(catalog: bytes) -> bytes:
    """The catalog beside which an imgcat that knew no choices has written its decisions."""
    path = decisions_file(catalog)
    os.makedirs(os.path.dirname(path))
    with contextlib.closing(sqlite3.connect(os.fsdecode(path))) as made:
        made.executescript((Path(__file__).parent / "decisions-1.sql").read_text())
    return catalog


def everything_but_choices(catalog: bytes) -> dict[str, Any]:
    """All that an earlier imgcat may look at."""
    file = decisions_file(catalog)
    schema = "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name != 'choice'"
    tables = ("action", "removal", "back", "apart", "sqlite_sequence")
    return {
        "schema": sql_rows(file, f"{schema} ORDER BY name"),
        "version": sql_rows(file, "PRAGMA user_version") + sql_rows(file, "PRAGMA application_id"),
        **{table: sql_rows(file, f"SELECT * FROM {table}") for table in tables},
    }


def test_in_a_file_of_an_earlier_imgcat_nothing_is_chosen(earlier: bytes) -> None:
    before = Path(os.fsdecode(decisions_file(earlier))).read_bytes()
    with open_decisions(earlier) as opened:
        assert len(opened.history()) == 2
        assert choices.all_of(opened) == []
        choices.forget(opened, paths(1))
    assert Path(os.fsdecode(decisions_file(earlier))).read_bytes() == before


def test_an_earlier_imgcat_finds_all_it_knows_as_it_was(earlier: bytes) -> None:
    before = everything_but_choices(earlier)
    with open_decisions(earlier) as opened:
        choices.replace(opened, (), [choice(1), choice(2)])
        choices.forget(opened, paths(1))
    assert everything_but_choices(earlier) == before
    assert chosen(earlier) == [choice(2)]


def test_the_table_is_made_with_the_first_choice_and_not_before(catalog: bytes) -> None:
    with open_decisions(catalog) as opened:
        assert choices.all_of(opened) == []
        choices.forget(opened, paths(1))
        assert not has_table(catalog)
        choices.replace(opened, (), [choice(1)])
        assert has_table(catalog)


def test_who_has_the_file_open_sees_the_first_choice_of_another(catalog: bytes) -> None:
    with open_decisions(catalog) as one, open_decisions(catalog) as other:
        assert choices.all_of(other) == []
        choices.replace(one, (), [choice(1)])
        assert choices.all_of(other) == [choice(1)]
        choices.forget(other, paths(1))
        assert choices.all_of(one) == []


def test_an_action_goes_on_beside_choices(earlier: bytes) -> None:
    with open_decisions(earlier) as opened:
        choices.replace(opened, (), [choice(1)])
        rows = opened.intend(opened.begin(Deed.TRASH), [REMOVAL])
        opened.settle(rows, State.DONE)
        assert [each.path for each in opened.removals(opened.history()[0].id, State.DONE)] == [
            REMOVAL.path
        ]
        assert choices.all_of(opened) == [choice(1)], "until somebody says that it was carried out"


# -- several at once -----------------------------------------------------------------------------


def test_two_programs_that_choose_at_once_lose_nothing(catalog: bytes) -> None:
    """The first choice makes the table: that too, both at once."""
    open_decisions(catalog).close()
    each, rounds = 2, 40

    def choose(first: int) -> Callable[[], None]:
        def run() -> None:
            with open_decisions(catalog) as opened:
                for number in range(rounds):
                    mine = [choice(first + 3 * number + step) for step in range(3)]
                    choices.replace(opened, [], mine)
                    choices.forget(opened, [mine[0].goes.path])
                    there = choices.all_of(opened)
                    assert set(mine[1:]) <= set(there)
                    assert mine[0] not in there

        return run

    children = [Child(choose(10_000 * number)) for number in range(each)]
    for child in children:
        child.go()
    for child in children:
        ended = child.ended()
        assert not ended.error + ended.trouble, ended
    expected = {
        choice(10_000 * number + 3 * turn + step)
        for number in range(each)
        for turn in range(rounds)
        for step in (1, 2)
    }
    there = chosen(catalog)
    assert set(there) == expected
    assert len(there) == len(expected)


# -- disks and files that are no good ------------------------------------------------------------


def test_a_table_that_is_damaged_is_told_as_damage(catalog: bytes) -> None:
    with open_decisions(catalog) as opened:
        choices.replace(opened, (), map(choice, range(2000)))
    path = Path(os.fsdecode(decisions_file(catalog)))
    (root,) = sql_rows(os.fsencode(path), "SELECT rootpage FROM sqlite_schema WHERE name='choice'")
    whole = bytearray(path.read_bytes())
    start = (root[0] - 1) * 4096
    whole[start : start + 4096] = b"\xff" * 4096
    path.write_bytes(whole)
    with open_decisions(catalog) as opened:
        for use in (
            lambda: choices.all_of(opened),
            lambda: choices.replace(opened, paths(1), [choice(2)]),
            lambda: choices.forget(opened, paths(1)),
        ):
            with pytest.raises(CatalogUnusable, match="damaged"):
                use()
        assert opened.history() == [], "what is not damaged is as good as before"
        opened.begin(Deed.TRASH)
    assert path.stat().st_size == len(whole), "it was not set aside, nor made anew"


def _chosen_by_root(place: Path) -> bytes:
    catalog = os.fsencode(place / "catalog.db")
    with open_decisions(catalog) as opened:
        choices.replace(opened, (), [choice(1)])
    return catalog


def _refused(opened: Decisions) -> list[Choice]:
    """That nothing can be chosen is said; what was chosen is read all the same."""
    with opened:
        for write in (
            lambda: choices.replace(opened, paths(1), [choice(2)]),
            lambda: choices.forget(opened, paths(1)),
        ):
            with pytest.raises(CatalogReadOnly, match="cannot be written: check the permissions"):
                write()
        return choices.all_of(opened)


@needs_root
@pytest.mark.parametrize("what", ["file", "folder"])
def test_r28_a_file_that_may_not_be_written_is_read_all_the_same(
    open_place: Path, what: str
) -> None:
    catalog = _chosen_by_root(open_place)
    os.chmod(decisions_file(catalog), 0o644)
    open_place.chmod(0o777 if what == "file" else 0o755)

    def read() -> list[Choice]:
        found = decisions_there(catalog)
        assert found is not None
        return _refused(found)

    assert in_child(read, user=NOBODY) == [choice(1)]


@needs_root
def test_r28_nothing_is_chosen_on_a_disk_that_is_read_only(tmp_path: Path) -> None:
    def read() -> list[Choice]:
        mount_tmpfs(os.fsencode(tmp_path))
        catalog = _chosen_by_root(tmp_path)
        mount("-o", "remount,ro", str(tmp_path))
        return _refused(open_decisions(catalog))

    assert in_child(read, own_mounts=True) == [choice(1)]


@needs_root
def test_r28_a_full_disk_keeps_what_was_chosen_before(tmp_path: Path) -> None:
    def fill() -> bool:
        mount_tmpfs(os.fsencode(tmp_path), "size=256k")
        catalog = os.fsencode(tmp_path / "catalog.db")
        with open_decisions(catalog) as opened:
            choices.replace(opened, (), [choice(1)])
            with pytest.raises(DiskFull, match="free some space"):
                choices.replace(opened, paths(1), map(choice, range(2, 10_000)))
            choices.replace(opened, (), [choice(2)])
        return chosen(catalog) == [choice(1), choice(2)]

    assert in_child(fill, own_mounts=True)
