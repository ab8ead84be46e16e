"""Of any tree: what a plan says is done, no content is ever lost, and undoing gives it all back."""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.actions import moving
from catalog.imaging.formats import PICTURE_SUFFIXES, suffix_of
from catalog.model import ActionPlan, Deed, Group, Planned, Receipt
from catalog.store.decisions import Decisions
from tests.actions.albums import Album, Standing, copies, paths

DEEDS = (Deed.TRASH, Deed.MOVE, Deed.DELETE, Deed.HARDLINK)
SECOND = 10**9

SUFFIXES = (b".jpg", b".JPG", b".heic", b".cr2", b".xmp", b".json", b".jpg.json", b".MOV")
STEMS = st.one_of(
    st.sampled_from([b"a", b"A", b"a (2)"]),  # so that there are companions
    st.binary(min_size=1, max_size=6).filter(lambda name: not set(name) & set(b"\0/")),
)
FOLDERS = st.lists(
    st.lists(STEMS.filter(lambda name: name not in (b".", b"..")), max_size=2), max_size=3
)
# Of the year 1901 to 2446: what ext4 can say. Some whole seconds, most not.
TIMES = st.one_of(
    st.sampled_from([-(2**31) * SECOND, -1, 0, 2**31 * SECOND, 2**63, 2**63 + SECOND // 3]),
    st.integers(-(2**31) * SECOND, (2**34 - 2**31 - 1) * SECOND),
)
MODES = st.sampled_from([0o644, 0o600, 0o444, 0o400, 0o755, 0o2640])
CONTENTS = st.integers(0, 4).map(lambda number: bytes([65 + number]) * (number // 2 + 1))


@dataclass(frozen=True)
class File:
    folder: int
    name: bytes
    content: bytes
    mode: int
    mtime_ns: int
    another_name_of: int | None  # of an earlier file


FILES = st.lists(
    st.builds(
        File,
        folder=st.integers(0, 3),
        name=st.builds(bytes.__add__, STEMS, st.sampled_from(SUFFIXES)),
        content=CONTENTS,
        mode=MODES,
        mtime_ns=TIMES,
        another_name_of=st.one_of(st.none(), st.none(), st.none(), st.integers(0, 3)),
    ),
    min_size=2,
    max_size=14,
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    folders=FOLDERS,
    files=FILES,
    preferring=st.randoms(use_true_random=False),
    deed=st.sampled_from(DEEDS),
    with_sidecars=st.booleans(),
)
def test_what_is_planned_is_done_and_what_is_done_is_undone(
    folders: list[list[bytes]], files: list[File], preferring: Any, deed: Deed, with_sidecars: bool
) -> None:
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as monkeypatch:
        album = Album(Path(place), monkeypatch)
        _make(album, folders, files)
        before = album.tree()
        planned = album.plan(deed, *_groups(album, preferring), with_sidecars=with_sidecars)
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


def _make(album: Album, folders: list[list[bytes]], files: list[File]) -> None:
    """As much of the tree as fits: no name twice, no folder where a file is."""
    made: list[bytes] = []
    for file in files:
        below = folders[file.folder % len(folders)] if folders else []
        name = os.path.join(b"", *below, file.name)
        try:
            if album.has(name):
                continue
            if file.another_name_of is not None and made:
                album.link(name, made[file.another_name_of % len(made)])
            else:
                album.put(name, file.content, mode=file.mode, mtime_ns=file.mtime_ns)
        except (FileExistsError, NotADirectoryError):
            continue
        made.append(name)


def _groups(album: Album, preferring: Any) -> list[Group]:
    """The photos of equal bytes, kept and ordered as it comes."""
    alike: dict[bytes, list[bytes]] = defaultdict(list)
    for name, standing in sorted(album.tree().items()):
        if suffix_of(name) in PICTURE_SUFFIXES:
            alike[standing.content].append(name)
    groups = []
    for names in alike.values():
        if len(names) > 1:
            preferring.shuffle(names)
            groups.append(album.group(*names))
    preferring.shuffle(groups)
    return groups
