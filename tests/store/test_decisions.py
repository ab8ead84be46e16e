"""What people decided and what was done for them outlives everything else."""

from __future__ import annotations

import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.errors import CatalogForeign, CatalogNewer, CatalogUnusable
from catalog.model import Deed, Kind, Removal, State
from catalog.store import apart, thrown
from catalog.store.decisions import (
    decisions_file,
    decisions_there,
    open_decisions,
)

REMOVAL = Removal(
    path=b"/photos/\xff\n.jpg",
    place=b"/trash/files/x.jpg",
    keeper=b"/photos/kept.jpg",
    kind=Kind.IDENTICAL,
    unit=1,
    companion=False,
    digest=bytes(range(32)),
    size=2**40,
    mtime_ns=-(2**62),
    mode=0o640,
    owner=1000,
    group=100,
    inode=-1,
)


@pytest.fixture
def catalog(tmp_path: Path) -> bytes:
    return os.fsencode(tmp_path / "some" / "catalog.db")


def test_nothing_is_made_by_looking(catalog: bytes) -> None:
    assert decisions_there(catalog) is None
    assert apart.pairs_of(catalog) == []
    assert not os.path.exists(os.path.dirname(catalog))


def test_they_are_private_and_beside_the_catalog(catalog: bytes) -> None:
    with open_decisions(catalog):
        pass
    status = os.stat(os.path.splitext(catalog)[0] + b".decisions.db")
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(catalog)).st_mode) == 0o700
    assert status.st_nlink == 1


def test_what_is_committed_is_on_the_disk_before_it_is_said_to_be(catalog: bytes) -> None:
    with open_decisions(catalog) as decisions:
        connection = decisions._connection
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        # DELETE would leave the removal of the journal to the next sync of the folder.
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("truncate",)


def test_a_removal_comes_back_as_it_was_written(catalog: bytes) -> None:
    with open_decisions(catalog) as decisions:
        action = decisions.begin(Deed.TRASH)
        companion = replace(REMOVAL, path=b"/photos/x.xmp", companion=True, keeper=b"")
        rows = decisions.intend(action, [REMOVAL, companion])
    with open_decisions(catalog) as decisions:
        assert decisions.unfinished() == [
            (Deed.TRASH, replace(REMOVAL, id=rows[0])),
            (Deed.TRASH, replace(companion, id=rows[1])),
        ]


def test_a_removal_is_unfinished_until_it_is_settled(catalog: bytes) -> None:
    with open_decisions(catalog) as decisions:
        action = decisions.begin(Deed.DELETE)
        one, other, third = decisions.intend(action, [REMOVAL] * 3)
        decisions.settle([one], State.DONE)
        decisions.settle([other], State.ASIDE)
        decisions.settle([third], State.RETURNED)
        assert [removal.id for _, removal in decisions.unfinished(action)] == [other]
        assert decisions.unfinished(action + 1) == []
        assert [removal.id for removal in decisions.removals(action, State.DONE)] == [one]


def test_history_counts_what_was_done_newest_first(catalog: bytes) -> None:
    with open_decisions(catalog) as decisions:
        first = decisions.begin(Deed.MOVE, b"/elsewhere")
        rows = decisions.intend(first, [replace(REMOVAL, size=10)] * 3)
        decisions.settle(rows[:2], State.DONE)
        decisions.settle(rows[2:], State.RETURNED)
        second = apart.keep(decisions, [b"a" * 32, b"b" * 32, b"c" * 32], {})
        newest, oldest = decisions.history()
        assert (newest.id, newest.deed, newest.files, newest.undone) == (
            second,
            Deed.KEEP_BOTH,
            3,
            False,
        )
        assert (oldest.id, oldest.files, oldest.size, oldest.folder) == (
            first,
            2,
            20,
            b"/elsewhere",
        )
        decisions.settle(rows[:2], State.UNDONE)
        assert decisions.history(first)[0].undone
        assert decisions.history(99) == []


def test_pictures_are_kept_apart_by_content_and_each_pair_once(catalog: bytes) -> None:
    one, two, three = (bytes([number]) * 32 for number in (1, 2, 3))
    with open_decisions(catalog) as decisions:
        first = apart.keep(decisions, [three, one], {})
        second = apart.keep(decisions, [one, two, three], {two: 2})
        pairs = [(one, two, 0), (one, three, 0), (two, two, 2), (two, three, 0)]
        assert apart.pairs(decisions) == pairs
        assert apart.pairs_of(catalog) == pairs
        assert apart.forget(decisions, second) == 4
        assert apart.pairs(decisions) == [(one, three, 0)], "the earlier decision stands"
        assert [action.undone for action in decisions.history()] == [True, False]
        assert first != second


def test_only_what_was_thrown_away_and_not_undone_can_come_back(catalog: bytes) -> None:
    digests = [bytes([number]) * 32 for number in range(5)]
    with open_decisions(catalog) as decisions:
        for deed, digest, state in (
            (Deed.TRASH, digests[0], State.DONE),
            (Deed.DELETE, digests[1], State.DONE),
            (Deed.TRASH, digests[2], State.UNDONE),
            (Deed.HARDLINK, digests[3], State.DONE),
            (Deed.TRASH, digests[4], State.RETURNED),
        ):
            rows = decisions.intend(decisions.begin(deed), [replace(REMOVAL, digest=digest)])
            decisions.settle(rows, state)
        expected = {digests[0]: REMOVAL.keeper, digests[1]: REMOVAL.keeper}
        assert thrown.thrown_away(decisions, digests) == expected
        assert thrown.any_thrown_away(decisions)
        thrown.note_back(decisions, [(b"/a", digests[0]), (b"/b", digests[2]), (b"/a", digests[0])])
        assert thrown.came_back(decisions) == {(b"/a", digests[0])}


def test_what_is_no_record_of_ours_is_left_alone(catalog: bytes) -> None:
    os.makedirs(os.path.dirname(catalog))
    path = decisions_file(catalog)
    with sqlite3.connect(os.fsdecode(path)) as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    before = Path(os.fsdecode(path)).read_bytes()
    for opened in (open_decisions, decisions_there):
        with pytest.raises(CatalogForeign, match="another program"):
            opened(catalog)
    assert Path(os.fsdecode(path)).read_bytes() == before


def test_one_of_a_later_imgcat_is_left_alone(catalog: bytes) -> None:
    with open_decisions(catalog) as decisions:
        decisions._connection.execute("PRAGMA user_version = 99")
    with pytest.raises(CatalogNewer, match="later imgcat"):
        open_decisions(catalog)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"x" * 5000])
def test_a_damaged_one_is_never_replaced(catalog: bytes, content: bytes) -> None:
    os.makedirs(os.path.dirname(catalog))
    path = Path(os.fsdecode(decisions_file(catalog)))
    path.write_bytes(content)
    with pytest.raises(CatalogUnusable, match="damaged"):
        open_decisions(catalog)
    assert path.read_bytes() == content


def test_flipped_bytes_are_told_as_damage_and_not_as_a_crash(catalog: bytes) -> None:
    with open_decisions(catalog) as decisions:
        decisions.intend(decisions.begin(Deed.TRASH), [REMOVAL] * 200)
    path = Path(os.fsdecode(decisions_file(catalog)))
    whole = bytearray(path.read_bytes())
    whole[4096:8192] = b"\xff" * 4096
    path.write_bytes(whole)

    def use() -> None:
        with open_decisions(catalog) as decisions:
            decisions.begin(Deed.TRASH)
            decisions.unfinished()
            decisions.history()

    with pytest.raises(CatalogUnusable, match="damaged"):
        use()


def test_many_that_make_it_at_once_agree_on_one(catalog: bytes) -> None:
    def decide(number: int) -> int:
        with open_decisions(catalog) as decisions:
            return decisions.begin(Deed.TRASH)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(decide, range(16))) == list(range(1, 17))
