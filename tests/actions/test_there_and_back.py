"""Of any tree: what a plan says is done, no content is ever lost, and undoing gives it all back."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.actions import moving
from catalog.imaging.formats import PICTURE_SUFFIXES, suffix_of
from catalog.model import ActionPlan, Deed, Group, Kind, Planned, Receipt, Rule, Side
from catalog.store.decisions import Decisions
from tests.actions.albums import Album, Standing, copies, paths

DEEDS = (Deed.TRASH, Deed.MOVE, Deed.DELETE, Deed.HARDLINK)
SECOND = 10**9

# Of the year 1901 to 2446: what ext4 can say. 2**63 ns are in the year 2262.
FIRST_TIME, LAST_TIME = -(2**31) * SECOND, (2**34 - 2**31 - 1) * SECOND
TIMES = (FIRST_TIME, -1, 0, 2**31 * SECOND, 2**63, 2**63 + SECOND // 3, LAST_TIME)
MODES = (0o644, 0o644, 0o644, 0o644, 0o444, 0o400, 0o755, 0o2640)
PICTURES = (b".jpg", b".jpg", b".JPG", b".heic", b".cr2")
BESIDE = (b".xmp", b".xmp", b".XMP", b".mov", b".jpg.json", b".cr2")
CONTENTS = (b"A", b"A", b"A", b"BB", b"BB", b"C")


@pytest.mark.parametrize(
    ("deed", "by_eye"),
    [
        *(pytest.param(deed, False, id=deed) for deed in DEEDS),
        pytest.param(Deed.TRASH, True, id="by eye"),
    ],
)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(chance=st.randoms(use_true_random=True))  # weighed: left alone, most trees have no copies
def test_what_is_planned_is_done_and_what_is_done_is_undone(
    deed: Deed, by_eye: bool, chance: Random
) -> None:
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as monkeypatch:
        album = Album(Path(place), monkeypatch)
        _make(album, chance)
        before = album.tree()
        groups = (_chosen_by_eye if by_eye else _groups)(album, chance)
        with_sidecars = chance.random() < 0.5
        planned = album.plan(deed, *groups, with_sidecars=with_sidecars, by_eye=by_eye)
        keepers = {os.path.relpath(g.keep.path, album.top): g.keep.path for g in planned.groups}
        assert album.tree() == before, "a plan changes nothing"

        never_fewer_contents(album, monkeypatch)
        receipt = album.perform(planned)
        kept_back = with_another_companion(album, before, planned)
        assert {refusal.path for refusal in receipt.refused} == {
            copy.match.photo.path for copy in kept_back
        }
        agrees_with(receipt, planned, kept_back)
        assert album.tree() == expected(album, before, planned, kept_back)
        assert all(album.tree()[name].content == before[name].content for name in keepers)

        if receipt.action is not None:
            undone = album.undo()
            assert (undone.done, undone.companions) == (receipt.done, receipt.companions)
            assert undone.refused == ()
        assert album.tree() == before, "undone, byte for byte, with names, times and modes"
        assert all(os.path.samefile(path, album.path(name)) for name, path in keepers.items())
        assert not os.path.isdir(album.trash) or os.listdir(album.trash) == []


def with_another_companion(
    album: Album, before: dict[bytes, Standing], planned: ActionPlan
) -> list[Planned]:
    """What only reading can tell: a companion as long as the kept one, with other bytes."""

    def content(path: bytes) -> bytes:
        return before[os.path.relpath(path, album.top)].content

    return [
        copy
        for copy in copies(planned)
        if any(each.equal and content(each.path) != content(each.equal) for each in copy.companions)
    ]


def agrees_with(receipt: Receipt, planned: ActionPlan, kept_back: list[Planned]) -> None:
    """Everything was done that was planned, but for what was kept back."""
    assert (receipt.stopped, receipt.interrupted) == ("", False)
    assert receipt.done == planned.copies - len(kept_back)
    assert receipt.companions == planned.companions - sum(
        len(copy.companions) for copy in kept_back
    )
    assert (receipt.action is None) == (receipt.done == 0)
    if not kept_back:
        assert receipt.bytes_won == planned.bytes_won


def expected(
    album: Album, before: dict[bytes, Standing], planned: ActionPlan, kept_back: list[Planned]
) -> dict[bytes, Standing]:
    """The tree as the plan has it afterwards."""
    after = dict(before)
    for group in planned.groups:
        keep = os.path.relpath(group.keep.path, album.top)
        for copy in group.copies:
            if not copy.goes or copy in kept_back:
                continue
            if planned.order.deed is Deed.HARDLINK:
                after[os.path.relpath(copy.match.photo.path, album.top)] = before[keep]
                assert os.path.samefile(copy.match.photo.path, group.keep.path)
            else:
                for path in paths(copy):
                    del after[os.path.relpath(path, album.top)]
    return after


def never_fewer_contents(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every content stays somewhere, after each call that could lose one."""
    before = album.contents()

    def watch(owner: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            answer = real(*arguments, **options)
            assert album.contents() >= before, f"lost by {name}"
            return answer

        monkeypatch.setattr(owner, name, watched)

    watch(moving, "_renameat2")
    watch(os, "unlink")
    watch(os, "link")
    watch(Decisions, "intend")
    watch(Decisions, "settle")


def _make(album: Album, chance: Random) -> None:
    """A tree with copies, companions and files of several names, as far as they fit into it."""
    folders = [b"", b"x", _name(chance), os.path.join(b"x", _name(chance), _name(chance))]
    made: list[bytes] = []
    for _ in range(chance.randrange(4, 14)):
        stem = chance.choice([b"a", b"a", b"A", b"b", _name(chance)])
        place = os.path.join(chance.choice(folders), stem)
        with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
            _make_one(album, chance, place + chance.choice(PICTURES), made)
        if chance.random() < 0.6:
            with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
                _make_one(album, chance, place + chance.choice(BESIDE), made)


def _make_one(album: Album, chance: Random, name: bytes, made: list[bytes]) -> None:
    if album.has(name):
        return
    if made and chance.random() < 0.15:
        album.link(name, chance.choice(made))
    else:
        content = chance.choice(CONTENTS)
        if suffix_of(name) not in PICTURE_SUFFIXES:
            content = chance.choice([b"x", b"x", b"x", b"x", b"y"])
        mtime_ns = chance.choice([*TIMES, chance.randrange(FIRST_TIME, LAST_TIME)])
        album.put(name, content, mode=chance.choice(MODES), mtime_ns=mtime_ns)
    made.append(name)


def _name(chance: Random) -> bytes:
    """Any bytes that can be a name."""
    hostile = [b"\xff\xfe", b"\n", b"\x1b[2J", b" ", b"-rf", b"%41", "ä".encode(), b"a" * 200]
    return chance.choice([*hostile, bytes(chance.randrange(48, 256) for _ in range(5))])


def _groups(album: Album, chance: Random) -> list[Group]:
    """The photos of equal bytes, kept and ordered as it comes."""
    alike: dict[bytes, list[bytes]] = defaultdict(list)
    for name, standing in sorted(album.tree().items()):
        if suffix_of(name) in PICTURE_SUFFIXES:
            alike[standing.content].append(name)
    groups = []
    for names in alike.values():
        if len(names) > 1:
            chance.shuffle(names)
            groups.append(album.group(*names))
    chance.shuffle(groups)
    return groups


def _chosen_by_eye(album: Album, chance: Random) -> list[Group]:
    """Of photos of any bytes some are kept and others are to go for them, be it contradictory."""
    tree = album.tree()
    photos = [name for name in sorted(tree) if suffix_of(name) in PICTURE_SUFFIXES]
    groups = []
    for _ in range(chance.randrange(1, 4)):
        keep, *others = chance.sample(photos, min(len(photos), chance.randrange(2, 6)))
        if others:
            kept = album.photo(keep)
            matches = tuple(
                album.match(kept, name, **_seen(chance, tree[name].content == tree[keep].content))
                for name in others
            )
            groups.append(Group(kept, "chosen", matches))
    return groups


def _seen(chance: Random, identical: bool) -> dict[str, Any]:
    """What a search might say of a pair."""
    if identical:
        return {"kind": Kind.IDENTICAL}
    rule = chance.choice([Rule.PIXELS_AGREE, Rule.STAMP_ON_FIRST, Rule.LOOKS_ALIKE])
    return {"kind": rule.kind, "rule": rule, "more": chance.choice([(), (Side("left", 0.1),)])}
