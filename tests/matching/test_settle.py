"""What files say that signatures cannot; a file that cannot be read costs its own pairs only."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog.imaging import looking
from catalog.matching import settle
from catalog.matching.settle import (
    DIFFERING,
    MOVED,
    PAINTS,
    RECOLOURED,
    TEXTURED,
    Request,
    Settler,
    verdict,
)
from catalog.model import Comparison, Failure, Reason, Rule
from catalog.progress import SILENT
from catalog.store import matches
from catalog.store.database import open_for_reading
from catalog.store.matches import Matches
from tests.imaging.edits import saved
from tests.matching.albums import COPIES, Album, Inline, next_shot, original, photo
from tests.support import FakeMounts

COPY = Comparison(
    textured=200,
    residual=0.05,
    differing=0.0,
    moved=0.0,
    recoloured=0.0,
    clusters=0,
    margin=False,
    painted=0.0,
    noise=1.0,
)
LITTLE = 1e-6

# -- verdicts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "rule"),
    [
        ({}, Rule.PIXELS_AGREE),
        ({"textured": TEXTURED}, Rule.PIXELS_AGREE),
        ({"textured": TEXTURED - 1}, Rule.TOO_LITTLE_DETAIL),
        ({"textured": 0, "recoloured": 1.0, "differing": 1.0}, Rule.TOO_LITTLE_DETAIL),
        ({"recoloured": RECOLOURED}, Rule.PIXELS_AGREE),
        ({"recoloured": RECOLOURED + LITTLE}, Rule.COLOURS_DIFFER),
        ({"recoloured": 1.0, "differing": 1.0}, Rule.COLOURS_DIFFER),
        ({"differing": DIFFERING, "moved": MOVED}, Rule.PIXELS_AGREE),
        ({"differing": DIFFERING + LITTLE}, Rule.PARTS_DIFFER),
        ({"moved": MOVED + LITTLE}, Rule.PARTS_DIFFER),
        ({"moved": MOVED + LITTLE, "painted": 1.0, "margin": True}, Rule.PARTS_DIFFER),
    ],
    ids=str,
)
def test_what_a_comparison_means_at_each_limit(seen: dict[str, float], rule: Rule) -> None:
    assert verdict(replace(COPY, **seen)) is rule


@pytest.mark.parametrize("number", range(len(PAINTS)))
def test_what_is_laid_over_a_copy_is_allowed_up_to_each_limit(number: int) -> None:
    """One limit after the other is broken; no other paint may then do instead."""
    paint = PAINTS[number]
    seen = replace(
        COPY,
        differing=paint.differing,
        clusters=paint.clusters,
        painted=paint.painted,
        moved=paint.moved,
        residual=paint.residual,
        noise=paint.noise,
        margin=paint.margin,
    )
    assert verdict(seen) is Rule.ALL_BUT_A_STAMP
    on_first, on_second = (verdict(replace(seen, on_first=first)) for first in (True, False))
    if paint.added:
        assert (on_first, on_second) == (Rule.STAMP_ON_FIRST, Rule.STAMP_ON_SECOND)
    else:
        assert on_first is on_second is Rule.ALL_BUT_A_STAMP
    broken = [
        {"differing": paint.differing + LITTLE},
        {"clusters": paint.clusters + 1},
        {"painted": paint.painted - LITTLE},
        {"moved": paint.moved + LITTLE},
    ]
    broken += [{"residual": paint.residual + LITTLE}] if paint.residual < 1 else []
    broken += [{"noise": paint.noise - LITTLE}] if paint.noise else []
    broken += [{"margin": False}] if paint.margin else []
    for change in broken:
        other = replace(seen, **change)
        elsewhere = any(_allows(each, other) for each in PAINTS if each is not paint)
        expected = Rule.ALL_BUT_A_STAMP if elsewhere else Rule.PARTS_DIFFER
        assert verdict(other) is expected, change


def _allows(paint: settle.Paint, seen: Comparison) -> bool:
    most = ("differing", "clusters", "moved", "residual")
    least = ("painted", "noise", "margin")
    return all(getattr(seen, name) <= getattr(paint, name) for name in most) and all(
        getattr(seen, name) >= getattr(paint, name) for name in least
    )


def test_every_verdict_is_of_a_pair_that_is_the_same_or_similar() -> None:
    rules = (
        Rule.TOO_LITTLE_DETAIL,
        Rule.COLOURS_DIFFER,
        Rule.PIXELS_AGREE,
        Rule.PARTS_DIFFER,
        Rule.STAMP_ON_FIRST,
        Rule.STAMP_ON_SECOND,
        Rule.ALL_BUT_A_STAMP,
        Rule.NOT_COMPARED,
        Rule.UNDECIDED,
    )
    assert {rule.kind.value for rule in rules if rule.kind} == {"same", "similar"}
    assert all(rule.kind for rule in rules)


# -- files -------------------------------------------------------------------------------------


@contextlib.contextmanager
def settler(album: Album) -> Iterator[tuple[Settler, Matches]]:
    """With all that a search found."""
    album.search()
    with (
        open_for_reading(album.catalog) as database,
        Settler.of(database, 1, SILENT) as found,
    ):
        yield found, matches.of_all(database)


def settled(album: Album) -> dict[frozenset[str], Rule]:
    """What came of each pair that was compared, by names."""
    names = album.names()
    with settler(album) as (some, pairs):
        results = dict(some.settled(pairs))
    return {
        frozenset((names[int(pairs.first[at])], names[int(pairs.second[at])])): rule
        for at, rule in results.items()
    }


def three(album: Album) -> None:
    """A picture, and two copies that only the files can tell."""
    album.put("a.jpg", original(1))
    album.put("toned.jpg", COPIES["toned"](photo(1)))
    album.put("cropped.jpg", COPIES["cropped"](photo(1)))
    album.index()


TONED, CROPPED = frozenset(["a.jpg", "toned.jpg"]), frozenset(["a.jpg", "cropped.jpg"])
BETWEEN = frozenset(["toned.jpg", "cropped.jpg"])


@pytest.mark.parametrize("name", COPIES)
def test_files_tell_a_copy(album: Album, name: str) -> None:
    """Also where the signatures would have been enough."""
    album.add(1, name)
    album.index()
    (rule,) = settled(album).values()
    stamps = {Rule.STAMP_ON_FIRST, Rule.STAMP_ON_SECOND}  # whichever comes first
    assert rule in (stamps if name == "stamped" else {Rule.PIXELS_AGREE})


def test_files_tell_the_next_shot(album: Album) -> None:
    for number, by in enumerate((0, 10)):
        album.put(f"{number}.jpg", saved(next_shot(photo(1), by), quality=90))
    album.index()
    assert settled(album) == {frozenset(["0.jpg", "1.jpg"]): Rule.PARTS_DIFFER}


def ruin(path: bytes, how: str) -> None:
    if how == "vanished":
        os.unlink(path)
    elif how == "changed":
        with open(path, "ab") as file:
            file.write(b"more")
    elif how == "another picture":
        with open(path, "wb") as file:
            file.write(original(5))
    elif how == "a folder":
        os.unlink(path)
        os.mkdir(path)
    elif how == "a pipe":
        os.unlink(path)
        os.mkfifo(path)
    else:
        os.unlink(path)
        os.symlink("a.jpg", path)


@pytest.mark.parametrize(
    "how", ["vanished", "changed", "another picture", "a folder", "a pipe", "a link"]
)
def test_a_file_that_is_not_what_it_was_leaves_its_pairs_for_another_time(
    album: Album, how: str
) -> None:
    three(album)
    ruin(album.path("toned.jpg"), how)
    found = settled(album)
    assert found[CROPPED] is Rule.PIXELS_AGREE
    assert found[TONED] is found[BETWEEN] is Rule.NOT_COMPARED


def test_what_could_not_be_compared_is_compared_the_next_time(album: Album) -> None:
    three(album)
    os.rename(album.path("toned.jpg"), album.path("../aside.jpg"))
    assert album.settle().not_compared == 2
    assert album.rules()[TONED] is Rule.NOT_COMPARED
    album.reader.forget()
    again = album.settle()
    assert (again.compared, again.not_compared) == (0, 2), "it is still away"
    os.rename(album.path("../aside.jpg"), album.path("toned.jpg"))
    album.reader.forget()
    back = album.settle()
    assert (back.compared, back.not_compared) == (2, 0)
    assert set(album.rules().values()) == {Rule.PIXELS_AGREE}
    album.reader.forget()
    assert album.settle().compared == 0
    assert not album.reader.requests


def test_a_content_without_a_file_that_is_there_is_left_out(album: Album) -> None:
    three(album)
    album.search()
    os.unlink(album.path("toned.jpg"))
    album.index()
    assert album.rows("SELECT count(*) FROM photo WHERE missing_since IS NOT NULL") == [(1,)]
    assert set(settled(album)) == {CROPPED}


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_of_several_files_of_one_content_any_that_can_be_read_is_enough(
    album: Album, gone: int
) -> None:
    three(album)
    names = ["toned.jpg", "b/toned again.jpg", "c/toned once more.jpg"]
    for name in names[1:]:
        album.put(name, COPIES["toned"](photo(1)))
    album.index()
    for name in names[: gone + 1] if gone < 2 else names[1:]:
        os.unlink(album.path(name))
    with settler(album) as (some, pairs):
        rules = {rule for _, rule in some.settled(pairs)}
    assert rules == {Rule.PIXELS_AGREE}


def test_one_file_is_decoded_once_for_many_pairs(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    three(album)
    looked: list[bytes] = []
    plain = looking._looked_at

    def counted(path: bytes, digest: bytes) -> object:
        looked.append(path)
        return plain(path, digest)

    monkeypatch.setattr(looking, "_looked_at", counted)
    assert len(settled(album)) == 3
    assert len(looked) == 3


def test_pairs_of_one_first_content_come_together(album: Album) -> None:
    """So that its picture is still in memory."""
    for seed in (1, 2):
        album.add(seed, "toned", "cropped", "barred")
    album.index()
    settled(album)
    firsts = [request.first[0] for request in album.reader.requests]
    assert len(list(itertools.groupby(firsts))) == len(set(firsts)) < len(firsts)


def test_they_come_together_in_whatever_order_they_are_asked_about(album: Album) -> None:
    for seed in (1, 2):
        album.add(seed, "toned", "cropped", "barred")
    album.index()
    with settler(album) as (some, pairs):
        shuffled = pairs.only(np.random.default_rng(3).permutation(len(pairs)))
        firsts = [int(shuffled.first[at]) for at, _ in some.settled(shuffled)]
    assert firsts == sorted(shuffled.first.tolist())
    assert firsts != shuffled.first.tolist()


def test_others_are_files_by_an_id_that_is_none_of_the_catalogs(
    album: Album, tmp_path: Path
) -> None:
    from tests.support import digest

    album.put("a.jpg", original(1))
    album.index()
    data = COPIES["toned"](photo(1))
    (tmp_path / "other.jpg").write_bytes(data)
    ((content,),) = album.rows("SELECT id FROM content")
    pair = Matches(
        np.array([content]),
        np.array([0]),
        np.array([matches.code_of(Rule.UNDECIDED)], np.uint8),
        np.ones(1, np.float32),
        np.zeros(1, np.uint8),
        np.array([[0, 1, 0, 1]], np.float32),
    )
    other = (bytes(tmp_path / "other.jpg"), digest(data))
    with (
        open_for_reading(album.catalog) as database,
        Settler.of(database, 1, SILENT) as some,
    ):
        assert list(some.settled(pair)) == [], "there is no content 0"
        assert list(some.settled(pair, {0: other})) == [(0, Rule.PIXELS_AGREE)]


# -- offline -----------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["usb", "home"])
def test_a_content_that_is_also_on_a_drive_that_is_away_is_compared_at_home(
    album: Album, mounts: FakeMounts, first: str
) -> None:
    mounts.names[album.path("usb")] = "uuid:usb"
    for place in (first, {"usb": "home", "home": "usb"}[first]):
        album.put(f"{place}/toned.jpg", COPIES["toned"](photo(1)))
        album.index(place)
    album.put("home/a.jpg", original(1))
    album.index("home")
    os.rename(album.path("usb"), album.path("../pulled out"))
    os.mkdir(album.path("usb"))
    answer = album.ask()
    assert album.told(answer) == [["home/a.jpg", "home/toned.jpg"]]
    (path,) = {path for path, _ in answer.offline}
    assert path == album.path("usb")


# -- processes ---------------------------------------------------------------------------------


def _deadly(request: Request) -> Rule | Failure:
    """As the true one, but for a file whose name says what happens."""
    for path, _ in (request.first, request.second):
        if b"evil" in path:
            os.kill(os.getpid(), signal.SIGKILL)
        if b"raising" in path:
            raise ValueError("no such picture")
    return settle.compare(request)


@pytest.mark.parametrize("how", ["evil", "raising"])
def test_a_decoder_that_crashes_costs_that_pair_only(
    album: Album, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """In processes of their own, which come and go."""
    album.put("a.jpg", original(1))
    for name in ("toned", "cropped"):
        album.put(f"{name}.jpg", COPIES[name](photo(1)))
    album.put(f"{how}.jpg", COPIES["stamped"](photo(1)))
    album.index()
    album.search()
    monkeypatch.undo()  # real processes from here on
    monkeypatch.setattr(settle, "compare", _deadly)
    found = _settled_in_processes(album)
    assert found[CROPPED] is found[TONED] is Rule.PIXELS_AGREE
    others = {rule for pair, rule in found.items() if f"{how}.jpg" in pair}
    assert others == {Rule.NOT_COMPARED}


def _settled_in_processes(album: Album) -> dict[frozenset[str], Rule]:
    names = album.names()
    with (
        open_for_reading(album.catalog) as database,
        Settler.of(database, 2, SILENT) as some,
    ):
        pairs = matches.of_all(database)
        return {
            frozenset((names[int(pairs.first[at])], names[int(pairs.second[at])])): rule
            for at, rule in some.settled(pairs)
        }


def test_a_broken_file_is_a_failure_and_no_crash(album: Album) -> None:
    album.put("a.jpg", original(1))
    path = album.put("b.jpg", COPIES["toned"](photo(1)))
    from tests.support import digest

    cut = COPIES["toned"](photo(1))[:300]
    with open(path, "wb") as file:
        file.write(cut)
    whole = album.path("a.jpg"), digest(original(1))
    for ends in ((whole, (path, digest(cut))), ((path, digest(cut)), whole)):
        found = settle.compare(Request(0, *ends, turn=0, edges=(0, 1, 0, 1)))
        assert isinstance(found, Failure)
        assert found.reason in (Reason.TRUNCATED, Reason.DAMAGED)
        assert "b.jpg" not in found.detail


def test_nothing_to_settle_starts_nothing(album: Album, inline: Inline) -> None:
    album.put("a.jpg", original(1))
    album.index()
    assert settled(album) == {}
    assert inline.requests == []
