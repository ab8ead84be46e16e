"""What was found out is remembered, whoever asks, and found out anew only where it has to be."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog.errors import Busy, DiskFull
from catalog.matching import judge
from catalog.matching.find import MATCHER, find
from catalog.model import Kind, Rule
from catalog.progress import SILENT, Progress
from catalog.store import contents, matches
from catalog.store.database import open_for_writing
from catalog.store.matches import RULES, Matches
from tests.imaging.edits import saved
from tests.matching.albums import COPIES, SIZE, Album, barred, next_shot, original, photo, shot
from tests.support import (
    NOBODY,
    in_child,
    killed,
    mount,
    mount_tmpfs,
    needs_root,
    sql_rows,
    started,
)


@pytest.fixture
def three(album: Album) -> Album:
    """One picture, and two copies that only the files can tell."""
    album.add(1, "toned", "cropped")
    album.index()
    return album


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many contents each search was for."""
    seen: list[int] = []

    def counted(database: Any, known: Any, new: Any, *rest: Any) -> Matches:
        seen.append(len(new))
        return find(database, known, new, *rest)

    monkeypatch.setattr(judge, "find", counted)
    return seen


class Heard:
    """A progress that remembers notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def start(self, *_: Any) -> None: ...

    def advance(self, *_: Any) -> None: ...

    def note(self, message: str) -> None:
        self.notes.append(message)


def equal(one: Matches, other: Matches) -> bool:
    one, other = (some.only(np.lexsort((some.second, some.first))) for some in (one, other))
    return all(
        np.array_equal(getattr(one, each.name), getattr(other, each.name)) for each in fields(one)
    )


def change(album: Album, sql: str, *parameters: object) -> None:
    with open_for_writing(album.catalog) as database, database.writing() as writer:
        writer.run(sql, parameters)


# -- remembered --------------------------------------------------------------------------------


def test_the_second_time_nothing_is_searched_and_nothing_compared(
    three: Album, searches: list[int]
) -> None:
    first = three.settle()
    assert searches == [3]
    assert (first.searched, first.undecided, first.compared) == (3, 3, 3)
    before = three.remembered()
    three.reader.forget()
    second = three.settle()
    assert searches == [3]
    assert not three.reader.requests
    assert (second.searched, second.compared, second.searching, second.settling) == (0, 0, 0, 0)
    assert three.remembered() == before


def test_what_nobody_wants_to_know_is_not_settled(three: Album) -> None:
    three.search()
    assert not three.reader.requests
    assert set(three.rules().values()) == {Rule.UNDECIDED}
    with three.judged() as (_, called):
        called.decide(np.array([1, 1, 1]))
        assert len(three.reader.requests) == 1
        called.decide(np.array([1]))
        assert len(three.reader.requests) == 1, "asked once"
    decided = [rule for rule in three.rules().values() if rule is not Rule.UNDECIDED]
    assert decided == [Rule.PIXELS_AGREE]


def test_only_new_contents_are_searched_and_only_their_pairs_compared(
    three: Album, searches: list[int]
) -> None:
    three.settle()
    three.reader.forget()
    three.put("1-barred.jpg", COPIES["barred"](photo(1)))
    three.add(2, "toned")
    three.index()
    again = three.settle()
    assert searches == [3, 3]
    assert again.contents == 6
    compared = [
        {os.path.basename(path) for path, _ in (request.first, request.second)}
        for request in three.reader.requests
    ]
    assert compared
    assert all(pair & {b"1-barred.jpg", b"2-original.jpg"} for pair in compared)


def test_in_portions_the_same_is_remembered_as_at_once(album: Album, tmp_path: Path) -> None:
    """The oracle is another catalog, of the same files, that was made at once."""
    for name in ("toned", "cropped", "turned", "grey"):
        album.put(f"{name}.jpg", COPIES[name](photo(1)))
        album.put(f"{name} 2.jpg", COPIES[name](photo(2)))
        album.index()
        album.settle()
    in_portions = album.rules()
    album.catalog = os.fsencode(tmp_path / "other.db")
    album.index()
    album.settle()
    assert album.rules() == in_portions
    assert len(in_portions) >= 8


def test_a_moved_file_takes_nothing_of_it_away(three: Album, searches: list[int]) -> None:
    three.settle()
    os.rename(three.path("1-toned.jpg"), three.path("elsewhere.jpg"))
    three.index()
    three.reader.forget()
    three.settle()
    assert searches == [3]
    assert not three.reader.requests


# -- found out anew ----------------------------------------------------------------------------


def test_another_matcher_searches_anew_and_forgets_what_the_earlier_said(
    three: Album, searches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    three.settle()
    change(three, "UPDATE match SET rule = 'looks-alike'")
    monkeypatch.setattr(judge, "MATCHER", MATCHER + 1)
    three.settle()
    assert searches == [3, 3]
    assert set(three.rules().values()) == {Rule.PIXELS_AGREE}
    assert three.rows("SELECT DISTINCT matcher FROM searched") == [(MATCHER + 1,)]


def test_a_match_that_another_matcher_does_not_find_goes(
    three: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    three.settle()
    monkeypatch.setattr(judge, "MATCHER", MATCHER + 1)
    monkeypatch.setattr(judge, "find", lambda *_: matches.NONE)
    three.settle()
    assert three.remembered() == {}


@pytest.mark.parametrize("column", ["phash = phash + 1", "recipe = 'full-1'", "frames = 2"])
def test_a_content_whose_hashes_changed_is_searched_anew(
    three: Album, searches: list[int], column: str
) -> None:
    three.settle()
    three.reader.forget()
    toned = three.ids_of("1-toned.jpg")
    change(three, f"UPDATE content SET {column} WHERE id = ?", toned)
    ((*left,),) = three.rows("SELECT first, second FROM match")
    assert toned not in left
    three.settle()
    assert searches == [3, 1]
    assert len(three.reader.requests) == (0 if "frames" in column else 2)
    assert len(three.remembered()) == 3


def test_what_else_is_noted_of_a_content_leaves_its_matches(
    three: Album, searches: list[int]
) -> None:
    three.settle()
    change(three, "UPDATE content SET shown = 0.5, camera = 'x'")
    three.settle()
    assert searches == [3]


def deleted(album: Album, name: str) -> None:
    content = album.ids_of(name)
    with open_for_writing(album.catalog) as database, database.writing() as writer:
        writer.run("DELETE FROM photo WHERE content = ?", (content,))
        contents.delete_unused(writer, [content])


def test_a_content_that_is_deleted_takes_its_rows_along(three: Album) -> None:
    three.settle()
    deleted(three, "1-toned.jpg")
    assert three.rows("SELECT count(*) FROM match") == [(1,)]
    assert three.rows("SELECT count(*) FROM searched") == [(2,)]
    assert three.rows("PRAGMA foreign_key_check") == []


# -- while others write ------------------------------------------------------------------------


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Have something happen once, between a search and what is remembered of it."""

    def searched(*arguments: Any) -> Matches:
        found = find(*arguments)
        monkeypatch.setattr(judge, "find", find)
        happens()
        return found

    monkeypatch.setattr(judge, "find", searched)


@pytest.mark.parametrize("what", ["phash = phash + 1", "frames = 2", "recipe = 'another'"])
def test_contents_that_change_while_a_search_runs_are_not_marked(
    three: Album, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    toned = three.ids_of("1-toned.jpg")
    sql = f"UPDATE content SET {what} WHERE id = ?"
    meanwhile(monkeypatch, lambda: change(three, sql, toned))
    three.search()
    assert toned not in {content for (content,) in three.rows("SELECT content FROM searched")}
    assert len(three.rows("SELECT content FROM searched")) == 2
    assert all("1-toned.jpg" not in pair for pair in three.remembered())
    assert three.search().searched == 1
    assert len(three.remembered()) == 3


def test_where_the_log_was_cut_off_meanwhile_nothing_is_marked(
    three: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    def many() -> None:
        with open_for_writing(three.catalog) as database, database.writing() as writer:
            writer.run("INSERT INTO content_log (seq, content, upto) VALUES (200000, 1, 3)")

    meanwhile(monkeypatch, many)
    three.search()
    assert three.rows("SELECT content FROM searched") == []
    assert three.search().searched == 3


def test_contents_that_go_while_a_search_runs_leave_nothing(
    three: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, lambda: deleted(three, "1-toned.jpg"))
    three.settle()
    assert len(three.remembered()) == 1
    assert three.rows("PRAGMA foreign_key_check") == []


def test_contents_that_come_while_a_search_runs_are_searched_the_next_time(
    three: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    def comes() -> None:
        three.put("1-grey.jpg", COPIES["grey"](photo(1)))
        three.index()

    meanwhile(monkeypatch, comes)
    three.settle()
    assert len(three.remembered()) == 3
    assert three.settle().searched == 1
    assert len(three.remembered()) == 6


def test_a_search_that_began_earlier_takes_nothing_away_from_one_that_ended_before(
    three: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other saw a content more, and has marked and settled all when this one is done."""
    others: list[dict[frozenset[str], Rule]] = []

    def other() -> None:
        three.put("1-stamped.jpg", COPIES["stamped"](photo(1)))
        three.index()
        three.settle()
        others.append(three.rules())

    meanwhile(monkeypatch, other)
    three.search()
    assert len(others[0]) == 6
    assert three.rules() == others[0]
    three.reader.forget()
    three.settle()
    assert not three.reader.requests


def test_two_judges_at_once_come_to_one_answer(three: Album) -> None:
    with three.judged() as (database, one), three.judged() as (_, other):
        assert equal(one.known, other.known)
        one.decide(np.arange(3))
        other.decide(np.arange(3))
        assert equal(one.known, other.known)
        assert equal(matches.of_all(database), one.known)
    assert set(three.rules().values()) == {Rule.PIXELS_AGREE}


def test_judges_in_several_processes_come_to_one_answer(album: Album) -> None:
    for seed in (1, 2):
        album.add(seed, "toned", "cropped")
    album.index()

    def ask() -> None:
        groups = album.ask().groups
        if sorted(len(group.matches) for group in groups) != [2, 2]:
            os._exit(3)

    children = [started(ask) for _ in range(3)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0, 0, 0]
    album.settle()
    assert len(album.rules()) == 6
    assert set(album.rules().values()) == {Rule.PIXELS_AGREE}
    assert album.rows("PRAGMA integrity_check") == [("ok",)]


# -- a catalog that cannot be written ----------------------------------------------------------

GROUP = [["1-original.jpg", "1-toned.jpg", "1-cropped.jpg"]]


def answered(album: Album, progress: Progress = SILENT) -> list[list[str]]:
    return album.told(album.ask(progress=progress))


def raising(error: Exception) -> Callable[..., Any]:
    def it(*_: Any) -> Any:
        raise error

    return it


def test_what_cannot_be_remembered_is_good_for_this_answer(
    three: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "open_existing_for_writing", raising(DiskFull("no room left")))
    heard = Heard()
    assert answered(three, heard) == GROUP
    assert heard.notes == ["what was found out cannot be remembered: no room left"]
    assert three.remembered() == {}
    assert three.rows("SELECT * FROM searched") == []


def test_where_some_was_remembered_before_it_is_laid_together(
    three: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old matches from the catalog, new ones from this search, none twice."""
    three.settle()
    three.put("1-stamped.jpg", COPIES["stamped"](photo(1)))
    three.index()
    monkeypatch.setattr(judge, "open_existing_for_writing", raising(Busy("somebody writes")))
    with three.judged() as (_, called):
        known = called.known
    pairs = {frozenset(pair) for pair in zip(known.first, known.second, strict=True)}
    assert len(known) == len(pairs) == 6
    assert len(three.remembered()) == 3


def test_where_writing_fails_half_way_the_answer_is_whole(
    three: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next run searches again what was not marked."""
    monkeypatch.setattr(judge, "_ROWS_AT_ONCE", 1)
    plain, calls = matches.save, []

    def fails(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise DiskFull("no room left")
        plain(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(matches, "save", fails)
        with three.judged() as (_, called):
            known = called.known
            pairs = [frozenset(pair) for pair in zip(known.first, known.second, strict=True)]
    assert len(pairs) == len(set(pairs)) == 3, "what was saved does not come twice"
    assert len(three.remembered()) == 1
    assert three.search().searched == 3
    assert len(three.remembered()) == 3


@needs_root
def test_who_may_not_write_the_catalog_is_answered(open_place: Path, album: Album) -> None:
    """A file and a folder of somebody else."""
    album.add(1, "toned", "cropped")
    album.index()
    own = open_place / "catalog.db"
    with (
        contextlib.closing(sqlite3.connect(os.fsdecode(album.catalog))) as source,
        contextlib.closing(sqlite3.connect(own)) as target,
    ):
        source.backup(target)
    os.chmod(own, 0o444)
    for folder in (album.top, *album.top.parents):
        if folder.stat().st_mode & 0o777 == 0o700:  # those that pytest made
            os.chmod(folder, 0o755)
    album.catalog = bytes(own)
    heard = Heard()
    told, notes = in_child(lambda: (answered(album, heard), heard.notes), user=NOBODY)
    assert told == GROUP
    assert len(notes) == 1
    assert "cannot be remembered" in notes[0]
    assert sql_rows(bytes(own), "SELECT count(*) FROM match") == [(0,)]


@needs_root
def test_on_a_read_only_medium_and_on_a_full_disk_it_answers(album: Album) -> None:
    def scenario() -> None:
        folder = os.fsencode(album.top.parent / "state")
        os.mkdir(folder)
        mount_tmpfs(folder, "size=8m")
        album.add(1, "toned", "cropped")
        album.index()
        mount("-o", "remount,ro", folder)
        assert answered(album) == GROUP
        mount("-o", "remount,rw,size=8m", folder)
        with open(os.path.join(folder, b"ballast"), "wb") as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
                file.flush()
        ballast = os.path.join(folder, b"ballast")
        os.truncate(ballast, os.path.getsize(ballast) - (48 << 10))  # room to ask, not to write
        heard = Heard()
        assert answered(album, heard) == GROUP
        assert len(heard.notes) == 1
        os.unlink(os.path.join(folder, b"ballast"))
        assert answered(album) == GROUP
        assert len(album.remembered()) == 3

    in_child(scenario, own_mounts=True)


# -- killed ------------------------------------------------------------------------------------


def test_killed_while_it_settles_what_was_decided_stays_and_the_answer_is_the_same(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in (1, 2):
        album.add(seed, "toned", "cropped", "barred")
    album.index()
    monkeypatch.setattr(judge, "_COMMIT_EVERY", 0.0)
    album.reader.instead = lambda request: time.sleep(0.05)
    decided = "SELECT count(*) FROM match WHERE rule NOT IN ('undecided', 'looks-alike')"
    child = started(lambda: bool(album.settle()))
    until = time.monotonic() + 30
    count = 0
    while count < 2 and time.monotonic() < until:
        with contextlib.suppress(sqlite3.Error):
            ((count,),) = album.rows(decided)
        time.sleep(0.01)
    assert killed(child), "it was done before it was killed"
    ((kept,),) = album.rows(decided)
    ((pairs,),) = album.rows("SELECT count(*) FROM match")
    assert 2 <= kept < pairs
    album.reader.instead = lambda request: None
    answer = album.settle()
    assert answer.searched == 0
    assert 0 < answer.compared <= pairs - kept
    assert [len(group) for group in album.told(album.ask())] == [4, 4]
    assert album.rows("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("function", ["forget", "save", "mark_searched"])
def test_killed_while_it_remembers_a_search_the_next_one_searches_what_was_not_marked(
    album: Album, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    for seed in (1, 2, 3):
        album.add(seed, "toned", "cropped")
    album.index()
    monkeypatch.setattr(judge, "_ROWS_AT_ONCE", 2)
    plain, calls = getattr(matches, function), []

    def deadly(*arguments: Any) -> None:
        plain(*arguments)
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    def search() -> None:
        setattr(matches, function, deadly)
        album.search()

    child = started(search)
    _, code = os.waitpid(child, 0)
    assert os.WIFSIGNALED(code)
    assert album.search().searched == (9 - 4 if function == "mark_searched" else 9)
    assert len(album.remembered()) == 9
    assert album.rows("SELECT count(*) FROM searched") == [(9,)]


# -- what is noted besides ---------------------------------------------------------------------


def shown(album: Album) -> dict[bytes, float]:
    sql = "SELECT name, shown FROM content JOIN photo ON content = content.id"
    return dict(album.rows(sql))


def test_bars_are_noted_when_a_content_is_searched(album: Album) -> None:
    album.put("plain.jpg", original(1))
    album.put("barred.jpg", saved(barred(photo(1)), quality=90))
    album.index()
    assert set(shown(album).values()) == {1.0}
    album.search()
    part = 0.98 * SIZE[0] / (SIZE[0] + 40)
    assert shown(album) == {b"plain.jpg": 1, b"barred.jpg": pytest.approx(part, abs=0.01)}


def test_bars_that_another_matcher_does_not_see_are_no_longer_noted(
    three: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    three.search()
    change(three, "UPDATE content SET shown = 0.5")
    monkeypatch.setattr(judge, "MATCHER", MATCHER + 1)
    three.search()
    assert set(shown(three).values()) == {1.0}


def test_of_pictures_taken_apart_no_file_is_asked(album: Album) -> None:
    for number in range(2):
        moment = f"2021:07:04 10:31:0{number}"
        album.put(f"{number}.jpg", shot(next_shot(photo(1), 6 * number), moment))
    album.index()
    album.settle()
    assert list(album.rules().values()) == [Rule.TAKEN_APART]
    assert not album.reader.requests


def test_known_matches_are_the_same_or_similar(three: Album) -> None:
    with three.judged() as (_, called):
        kinds = {RULES[code].kind for code in called.known.rule}
    assert kinds <= {Kind.SAME, Kind.SIMILAR}
