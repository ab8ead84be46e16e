"""CSV: what RFC 4180 says, exact paths, and no formulas."""

from __future__ import annotations

import base64
import csv
import io

import pytest

from catalog.model import Group, Kind, Match, Pair, Rule
from catalog.rendering import table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(write, items, out: io.StringIO | None = None) -> str:
    out = out or io.StringIO(newline="")
    write(items, out)
    return out.getvalue()


def parsed(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def exact(row: dict[str, str], column: str = "path") -> bytes:
    coded = row[f"{column}_b64"]
    return base64.b64decode(coded) if coded else row[column].encode()


def test_a_row_a_photo_under_a_header(two_groups):
    text = written(table.write_groups, two_groups.groups)
    header, first, *_ = text.split("\r\n")
    assert header == (
        "group,keep,path,path_b64,kind,distance,score,size,width,height,mtime,taken_at,reclaimable,"
        "orientation,rule"
    )
    assert first == (
        "1,yes,/photos/a.jpg,,identical,0,1.0,2000000,4032,3024,"
        "2021-07-04T12:00:00.123456Z,2021-07-04T12:31:05.12+02:00,0,1,"
    )
    assert text.count("\r\n") == 7
    assert "\n" not in text.replace("\r\n", "")


def test_a_verified_match_says_how_it_lies_and_what_decided(photo):
    match = Match(photo(b"/b"), Kind.SAME, 9, 0.98765, 6, rule=Rule.PIXELS_AGREE)
    _, row = parsed(written(table.write_groups, [Group(photo(b"/a"), "older", (match,))]))
    assert (row["kind"], row["score"], row["orientation"]) == ("same", "0.9877", "6")
    assert row["rule"] == "pixels-agree"


def test_a_pair_says_how_near_it_is_and_whether_anything_verified_it(photo):
    one, other = photo(b"/a"), photo(b"/b")
    pairs = [Pair(one, other, 3), Pair(one, other, 9, Kind.SIMILAR, 0.98765)]
    text = written(table.write_pairs, pairs)
    assert text.splitlines() == [
        "path,path_b64,other,other_b64,distance,kind,score",
        "/a,,/b,,3,hash,",
        "/a,,/b,,9,similar,0.9877",
    ]


def test_each_group_keeps_one_and_the_reclaimable_bytes_add_up(two_groups):
    rows = parsed(written(table.write_groups, two_groups.groups))
    for number, group in enumerate(two_groups.groups, 1):
        mine = [row for row in rows if row["group"] == str(number)]
        assert [row["keep"] for row in mine] == ["yes"] + ["no"] * len(group.matches)
        assert sum(int(row["reclaimable"]) for row in mine) == group.reclaimable


def test_two_names_of_one_spare_file_are_freed_once(photo):
    spare = [Match(photo(path, inode=7), Kind.IDENTICAL, 0, 1.0) for path in (b"/b", b"/c")]
    group = Group(photo(b"/a"), "older", tuple(spare))
    rows = parsed(written(table.write_groups, [group]))
    assert [row["reclaimable"] for row in rows] == ["0", "2000000", "0"]


def test_paths_survive_csv_exactly(hostile_names, photo):
    kept, *others = (photo(name, inode=n) for n, name in enumerate(hostile_names))
    group = Group(kept, "older", tuple(Match(o, Kind.IDENTICAL, 0, 1.0) for o in others))
    rows = parsed(written(table.write_groups, [group]))
    assert [exact(row) for row in rows] == hostile_names

    pairs = [Pair(kept, other, 2) for other in others]
    rows = parsed(written(table.write_pairs, pairs))
    assert [exact(row, "other") for row in rows] == hostile_names[1:]
    assert {row["distance"] for row in rows} == {"2"}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\0"])
def test_no_cell_starts_like_a_formula(start, photo):
    name = f"{start}cmd()"
    pair = Pair(photo(name.encode()), photo(b"/b", taken_at=name), 0)
    (row,) = parsed(written(table.write_pairs, [pair]))
    assert row["path"] == f"'{name}"
    assert base64.b64decode(row["path_b64"]) == name.encode()

    group = Group(photo(b"/a", taken_at=name), "older", (Match(pair.first, Kind.SAME, 0, 1.0),))
    for row in parsed(written(table.write_groups, [group])):
        assert not row["taken_at"].startswith(start)
        assert not row["path"].startswith(start)


def test_a_terminal_gets_no_control_characters(hostile_names, photo):
    kept, *others = (photo(name, inode=n) for n, name in enumerate(hostile_names))
    group = Group(kept, "older", tuple(Match(o, Kind.IDENTICAL, 0, 1.0) for o in others))
    for text in (
        written(table.write_groups, [group], Terminal(newline="")),
        written(table.write_pairs, [Pair(kept, o, 0) for o in others], Terminal(newline="")),
    ):
        assert text.replace("\r\n", "").replace("\u200d", "").isprintable()
    rows = parsed(written(table.write_groups, [group], Terminal(newline="")))
    assert [exact(row) for row in rows] == hostile_names
