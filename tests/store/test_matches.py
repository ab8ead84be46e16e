"""Matches go in as arrays and come out as they were; they live as long as both contents do."""

from __future__ import annotations

import itertools
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.model import Rule
from catalog.store import changes, contents, matches
from catalog.store.database import Database
from catalog.store.matches import RULES, Matches, code_of
from tests.support import fingerprint

Row = tuple[int, int, Rule, float, int, tuple[float, float, float, float]]


def of_rows(rows: list[Row]) -> Matches:
    columns = list(zip(*rows, strict=True)) or [()] * 6
    first, second, rules, scores, turns, edges = columns
    return Matches(
        np.array(first, np.int64),
        np.array(second, np.int64),
        np.array([code_of(rule) for rule in rules], np.uint8),
        np.array(scores, np.float32),
        np.array(turns, np.uint8),
        np.array(edges, np.float32).reshape(-1, 4),
    )


def as_rows(some: Matches) -> set[Row]:
    kinds = [str(getattr(some, each.name).dtype) for each in fields(some)]
    assert kinds == ["int64", "int64", "uint8", "float32", "uint8", "float32"]
    assert some.edges.shape == (len(some), 4)
    columns = (getattr(some, each.name).tolist() for each in fields(some))
    rows = [
        (first, second, RULES[rule], score, turn, tuple(edges))
        for first, second, rule, score, turn, edges in zip(*columns, strict=True)
    ]
    assert len(set(rows)) == len(rows), "each once"
    return set(rows)


def row(first: int, second: int, rule: Rule = Rule.UNDECIDED, score: float = 0.5) -> Row:
    return (first, second, rule, score, 3, (0.0, 1.0, 0.125, 0.75))


@pytest.fixture
def six(database: Database) -> Database:
    """With contents 1 to 6."""
    with database.writing() as writer:
        ids = [contents.save(writer, fingerprint(number)) for number in range(6)]
    assert ids == [1, 2, 3, 4, 5, 6]
    return database


def save(database: Database, *rows: Row) -> None:
    with database.writing() as writer:
        matches.save(writer, of_rows(list(rows)))


PAIRS = list(itertools.combinations(range(1, 7), 2))
ends = st.sampled_from([*PAIRS, *((second, first) for first, second in PAIRS)])
part = st.floats(-0.125, 1.125, width=32)
rows_ = st.lists(
    st.builds(
        lambda pair, *rest: (*pair, *rest),
        ends,
        st.sampled_from(list(Rule)),
        st.floats(0, 1, width=32),
        st.integers(0, 7),
        st.tuples(part, part, part, part),
    ),
    unique_by=lambda each: frozenset(each[:2]),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=rows_, chosen=st.sets(st.integers(1, 7)), portion=st.integers(1, 4))
def test_what_goes_in_comes_out(
    six: Database, rows: list[Row], chosen: set[int], portion: int
) -> None:
    with six.writing() as writer:
        writer.run("DELETE FROM match")
    save(six, *rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matches, "_ROWS_AT_ONCE", portion)
        patch.setattr(matches, "_IDS_IN_ONE_QUERY", portion)
        assert as_rows(matches.of_all(six)) == set(rows)
        expected = {each for each in rows if chosen & {each[0], each[1]}}
        assert as_rows(matches.of_contents(six, chosen)) == expected


def test_of_nothing_there_is_nothing(six: Database) -> None:
    assert as_rows(matches.of_all(six)) == set()
    assert as_rows(matches.NONE) == set()
    save(six)
    assert as_rows(Matches.joined([matches.NONE, matches.of_all(six)])) == set()


def test_some_of_them_and_several_together(six: Database) -> None:
    rows = [row(1, 2), row(3, 4), row(5, 6)]
    some = of_rows(rows)
    assert as_rows(some.only(np.array([2, 0]))) == {rows[2], rows[0]}
    assert as_rows(some.only(np.array([False, True, False]))) == {rows[1]}
    assert as_rows(Matches.joined([some.only(np.array([0])), some.only(np.array([1]))])) == set(
        rows[:2]
    )


def test_what_is_remembered_stays_as_it_is_in_either_direction(six: Database) -> None:
    save(six, row(1, 2, Rule.PIXELS_AGREE))
    save(six, row(1, 2, Rule.UNDECIDED), row(2, 1, Rule.UNDECIDED), row(2, 3))
    assert as_rows(matches.of_all(six)) == {row(1, 2, Rule.PIXELS_AGREE), row(2, 3)}


def test_a_pair_of_which_one_is_gone_is_left_out(six: Database) -> None:
    save(six, row(1, 7), row(7, 1), row(1, 2))
    assert as_rows(matches.of_all(six)) == {row(1, 2)}


def test_a_decision_changes_the_rule_alone_and_only_of_what_is_remembered(six: Database) -> None:
    save(six, row(1, 2), row(3, 4))
    with six.writing() as writer:
        some = [row(1, 2, Rule.PARTS_DIFFER, 0.25), row(4, 3, Rule.PARTS_DIFFER), row(5, 6)]
        matches.decide(writer, of_rows(some))
    assert as_rows(matches.of_all(six)) == {row(1, 2, Rule.PARTS_DIFFER), row(3, 4)}


def test_with_a_content_go_its_matches_and_that_it_was_searched(six: Database) -> None:
    save(six, row(1, 2), row(2, 3), row(3, 4))
    with six.writing() as writer:
        matches.mark_searched(writer, range(1, 7), 1)
        contents.delete_unused(writer, [2])
    assert as_rows(matches.of_all(six)) == {row(3, 4)}
    assert six.value("SELECT count(*) FROM searched") == 5


@pytest.mark.parametrize(
    ("change", "forgets"),
    [
        ("phash = phash + 1", True),
        ("flat = 1", True),
        ("recipe = 'full-1'", True),
        ("frames = 2", True),
        ("shown = 0.5", False),
        ("camera = 'x'", False),
        ("phash = phash", False),
    ],
)
def test_a_content_that_is_seen_otherwise_is_found_out_anew(
    six: Database, change: str, forgets: bool
) -> None:
    save(six, row(1, 2), row(2, 3), row(3, 4))
    with six.writing() as writer:
        matches.mark_searched(writer, range(1, 7), 1)
        writer.run(f"UPDATE content SET {change} WHERE id = 2")
    left = {row(3, 4)} if forgets else {row(1, 2), row(2, 3), row(3, 4)}
    assert as_rows(matches.of_all(six)) == left
    assert matches.unsearched(six, 1).tolist() == ([2] if forgets and "flat" not in change else [])


def test_what_is_unsearched_rises_and_leaves_out_what_carries_no_evidence(six: Database) -> None:
    with six.writing() as writer:
        writer.run("UPDATE content SET flat = 1 WHERE id = 4")
        matches.mark_searched(writer, [2, 3, 99], 7)
    assert matches.unsearched(six, 7).tolist() == [1, 5, 6]
    assert matches.unsearched(six, 8).tolist() == [1, 2, 3, 5, 6]
    assert six.value("SELECT count(*) FROM searched") == 2
    with six.writing() as writer:
        matches.mark_searched(writer, [2], 8)
    assert matches.unsearched(six, 8).tolist() == [1, 3, 5, 6]


def test_only_what_another_matcher_found_is_forgotten(six: Database) -> None:
    save(six, row(1, 2), row(3, 4), row(5, 6))
    with six.writing() as writer:
        matches.mark_searched(writer, [1, 2], 7)
        matches.mark_searched(writer, [3, 4], 8)
        matches.forget(writer, [1, 3, 5], 8)
    assert as_rows(matches.of_all(six)) == {row(3, 4), row(5, 6)}
    assert six.rows("SELECT content FROM searched ORDER BY 1") == [(2,), (3,), (4,)]


def test_a_rule_of_a_later_release_is_no_match(six: Database) -> None:
    save(six, row(1, 2))
    with six.writing() as writer:
        writer.run("UPDATE match SET rule = 'not heard of yet'")
    (code,) = matches.of_all(six).rule
    assert RULES[code].kind is None


def test_what_changed_since_is_told(six: Database) -> None:
    seen = changes.latest(six)
    with six.writing() as writer:
        assert changes.since(writer, seen).tolist() == []
        writer.run("UPDATE content SET phash = phash + 1 WHERE id IN (2, 4)")
        writer.run("UPDATE content SET shown = 0.5 WHERE id = 5")
        contents.delete_unused(writer, [6])
        assert sorted(changes.since(writer, seen).tolist()) == [2, 4, 6]
        assert changes.since(writer, changes.latest(six) + 100).tolist() == []
    assert changes.latest(six) > seen


def test_that_the_log_begins_later_is_told(six: Database) -> None:
    seen = changes.latest(six)
    with six.writing() as writer:
        writer.run("INSERT INTO content_log (seq, content, upto) VALUES (?, 1, 6)", (seen + 1,))
        assert changes.since(writer, seen).tolist() == [1]
        writer.run("DELETE FROM content_log WHERE seq <= ?", (seen + 1,))
        writer.run("INSERT INTO content_log (seq, content, upto) VALUES (?, 2, 6)", (seen + 2,))
        assert changes.since(writer, seen) is None
        assert changes.since(writer, seen + 1).tolist() == [2]


def test_what_another_decided_meanwhile_stays(six: Database) -> None:
    pair = Matches(
        np.array([1]),
        np.array([2]),
        np.array([matches.code_of(Rule.UNDECIDED)], dtype=np.uint8),
        np.array([0.99], dtype=np.float32),
        np.array([0], dtype=np.uint8),
        np.array([[0, 1, 0, 1]], dtype=np.float32),
    )

    def decided(rule: Rule) -> Rule:
        pair.rule[0] = matches.code_of(rule)
        with six.writing() as writer:
            matches.decide(writer, pair)
        (code,) = matches.of_contents(six, [1]).rule
        return RULES[code]

    with six.writing() as writer:
        writer.run("DELETE FROM match")
        matches.save(writer, pair)
    assert decided(Rule.NOT_COMPARED) is Rule.NOT_COMPARED
    assert decided(Rule.SEVERAL_FRAMES) is Rule.SEVERAL_FRAMES
    assert decided(Rule.PIXELS_AGREE) is Rule.SEVERAL_FRAMES


def test_every_code_is_the_place_of_its_rule() -> None:
    assert [RULES[code_of(rule)] for rule in Rule] == list(Rule)
