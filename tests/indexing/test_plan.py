"""Listings against rows, and when equal stamps prove nothing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from catalog.indexing.plan import RACY_NS, compare, is_racy, known_digest
from catalog.model import Recipe, Stamp
from catalog.store.photos import PhotoRow

NOW = 1_700_000_000_000_000_000
OLD = NOW - 3600 * 10**9
STAMP = Stamp(size=100, mtime_ns=OLD, ctime_ns=OLD, inode=7)
ROW = PhotoRow(
    id=1,
    folder=1,
    name=b"a.jpg",
    stamp=STAMP,
    again=False,
    missing=False,
    content=1,
    digest=b"d" * 32,
    recipe="reduced-1",
)

NAMES = st.binary(min_size=1, max_size=3)
STAMPS = st.builds(Stamp, *[st.integers(0, 2)] * 4)


@st.composite
def folders(draw: st.DrawFn) -> tuple[dict[bytes, Stamp], list[PhotoRow]]:
    listed = draw(st.dictionaries(NAMES, STAMPS, max_size=6))
    names = draw(st.lists(NAMES | st.sampled_from(sorted(listed) or [b"x"]), unique=True))
    rows = [
        replace(
            ROW,
            id=number,
            name=name,
            stamp=draw(STAMPS),
            again=draw(st.booleans()),
            missing=draw(st.booleans()),
        )
        for number, name in enumerate(names)
    ]
    return listed, rows


@given(folders(), st.booleans())
def test_every_listed_file_has_one_verdict_and_every_row_that_is_not_listed_is_missing(
    folder: tuple[dict[bytes, Stamp], list[PhotoRow]], trusting: bool
) -> None:
    listed, rows = folder
    result = compare(listed.items(), rows, trusting=trusting)
    told = (
        [name for name, _ in result.added]
        + [name for name, _, _ in result.changed]
        + [name for name, _, _ in result.again]
        + [row.name for row in result.back]
    )
    assert len(told) == len(set(told))
    assert len(told) + result.unchanged == len(listed)
    assert set(told) <= set(listed)
    by_name = {row.name: row for row in rows}
    assert {name for name, _ in result.added} == set(listed) - set(by_name)
    assert sorted(row.id for row in result.missing) == sorted(
        row.id for row in rows if row.name not in listed and not row.missing
    )
    for name in set(listed) - set(told):  # R10: only these count as unchanged
        row = by_name[name]
        assert trusting
        assert row.stamp == listed[name]
        assert not row.again
        assert not row.missing


def verdict(listed: Stamp, row: PhotoRow, *, trusting: bool = True) -> str:
    result = compare([(row.name, listed)], [row], trusting=trusting)
    found = {
        "unchanged": result.unchanged,
        "added": result.added,
        "changed": result.changed,
        "again": result.again,
        "back": result.back,
    }
    (name,) = (name for name, value in found.items() if value)
    return name


def test_r10_unchanged_takes_all_four_of_size_mtime_ctime_and_inode() -> None:
    assert verdict(STAMP, ROW) == "unchanged"
    for field in Stamp._fields:
        other = STAMP._replace(**{field: getattr(STAMP, field) + 1})
        assert verdict(other, ROW) == "changed"


def test_r11_a_row_that_says_again_is_read_although_its_stamps_agree() -> None:
    assert verdict(STAMP, replace(ROW, again=True)) == "again"
    assert verdict(STAMP, replace(ROW, again=True, missing=True)) == "again"


def test_r9_a_missing_file_that_returns_as_it_was_is_back_unread() -> None:
    assert verdict(STAMP, replace(ROW, missing=True)) == "back"
    assert verdict(STAMP._replace(size=101), replace(ROW, missing=True)) == "changed"


def test_r9_stamps_of_another_disk_prove_nothing() -> None:
    assert verdict(STAMP, ROW, trusting=False) == "again"
    assert verdict(STAMP, replace(ROW, missing=True), trusting=False) == "again"


@given(st.integers(-RACY_NS + 1, 0))
def test_r11_what_changed_less_than_2_5_s_before_it_was_read_is_racy(before: int) -> None:
    assert is_racy(STAMP._replace(mtime_ns=NOW + before), NOW)
    assert is_racy(STAMP._replace(ctime_ns=NOW + before), NOW)


@given(st.integers(RACY_NS, 10**18), st.integers(RACY_NS, 10**18))
def test_r11_what_changed_before_that_is_settled(mtime: int, ctime: int) -> None:
    assert not is_racy(Stamp(1, NOW - mtime, NOW - ctime, 1), NOW)


@given(st.integers(1, 10**18))
def test_r11_a_future_mtime_alone_is_not_racy(ahead: int) -> None:
    assert not is_racy(STAMP._replace(mtime_ns=NOW + ahead), NOW)


@given(st.integers(1, 10**18))
def test_r11_a_future_ctime_says_that_the_clock_went_back_and_is_racy(ahead: int) -> None:
    assert is_racy(STAMP._replace(ctime_ns=NOW + ahead), NOW)


def test_a_digest_spares_the_decoder_only_where_the_hashes_are_of_the_same_recipe() -> None:
    assert known_digest(ROW, Recipe.REDUCED) == ROW.digest
    assert known_digest(ROW, Recipe.FULL) is None
    assert known_digest(None, Recipe.REDUCED) is None
    assert known_digest(replace(ROW, digest=None, recipe=None), Recipe.REDUCED) is None
