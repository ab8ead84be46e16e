"""R4, R23: a power cut amid a removal, or amid undoing it, loses no photo and breaks no promise.

Photos, copies, the trash and the folder to move to are on an ext4 in a file, and the journal is
there too or on a disk of its own: where both are one, whatever is synced takes along all names
that were given before it. The process is stopped, the disks are copied as they are, and the copies
are mounted in their place.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from catalog.actions.returning import recover
from catalog.model import Deed, State
from catalog.store.decisions import decisions_file
from tests.faults.removing import (
    BY_EYE,
    Album,
    Found,
    album,
    contents_below,
    contents_of,
    deed,
    found_below,
)
from tests.soak.acting import Acting, Moment
from tests.soak.disks import make_ext4, mount_image, snapshot, written_back
from tests.soak.figures import Say
from tests.support import in_child, sql_rows, unmount

__all__ = ["album", "deed"]

pytestmark = [pytest.mark.soak, pytest.mark.usefixtures("loop_disks")]

SEED = int(os.environ.get("IMGCAT_SEED", "23"))
DEEDS = [Deed.TRASH, Deed.MOVE, Deed.DELETE, Deed.HARDLINK, BY_EYE]
PHOTOS = 60
FILES_AT_ONCE = 5  # so that there are a dozen batches
MEGABYTES = 16
AMID_ACTING = 8  # cuts, of each deed and either place of the journal
AMID_UNDOING = 6

_FAR: Final = (State.INTENDED, State.ASIDE, State.DONE, State.UNDONE)  # each further than the last


@dataclass(frozen=True)
class Cut:
    """One power cut, in rows of the journal."""

    finished: bool  # the run was over
    promised: int  # done, or undone
    unfinished: int  # when the power came back
    settled: int  # done, or undone: those that were promised, and what the disk had besides


@dataclass(frozen=True)
class Bench:
    """An album on disks in files, of which there are several states."""

    album: Album
    images: Path
    apart: bool  # whether the journal is on a disk of its own

    @property
    def disks(self) -> dict[str, Path]:
        """Where each is mounted, in order."""
        top = self.album.place
        return {"photos": top, "journal": top / "state"} if self.apart else {"photos": top}

    def image(self, disk: str, state: str) -> Path:
        return self.images / f"{disk} {state}"

    @contextlib.contextmanager
    def mounted(self, state: str) -> Iterator[None]:
        with contextlib.ExitStack() as mounts:
            for disk, place in self.disks.items():
                place.mkdir(exist_ok=True)
                mount_image(self.image(disk, state), place)
                mounts.callback(unmount, os.fsencode(place), lazily=True)
            yield

    def copy(self, state: str, to: str) -> None:
        for disk in self.disks:
            self.image(disk, to).unlink(missing_ok=True)
            snapshot(self.image(disk, state), self.image(disk, to))

    def make(self, deed: Deed) -> None:
        """The states "begun" and "done", all on the disks."""

        def begin() -> dict[bytes, Found]:
            with self.mounted("begun"):
                self.album.begin()
            return self.album.before

        def act() -> None:
            with self.mounted("done"):
                assert self.album.act(deed).done == PHOTOS
                self.album.whole(deed)

        for disk in self.disks:
            make_ext4(self.image(disk, "begun"), MEGABYTES)
        self.album.before = in_child(begin, own_mounts=True)
        self.copy("begun", "done")
        in_child(act, own_mounts=True)


@pytest.fixture(params=[False, True], ids=["one-disk", "journal-on-another"])
def bench(
    request: pytest.FixtureRequest,
    album: Album,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Bench:
    for module in ("perform", "undo"):
        monkeypatch.setattr(f"catalog.actions.{module}._FILES_AT_ONCE", FILES_AT_ONCE)
    album.count = PHOTOS
    album.with_companion = frozenset(range(1, PHOTOS, 9))
    return Bench(album, tmp_path_factory.mktemp("images"), request.param)


# -- the cut -----------------------------------------------------------------------------------


def ready(bench: Bench, deed: Deed, undoing: bool) -> Acting:
    """On the disks "now"."""
    if undoing:
        return Acting(bench.album.undo)
    return Acting(functools.partial(bench.album.perform, bench.album.plan(deed)))


def undisturbed(bench: Bench, deed: Deed, undoing: bool) -> Moment:
    """How often a run promises something, and the seconds from one time to the next."""
    bench.copy("done" if undoing else "begun", "now")
    with bench.mounted("now"):
        since = time.monotonic()
        acting = ready(bench, deed, undoing)
        acting.over()
        return Moment(acting.promises, (time.monotonic() - since) / acting.promises)


def cut(bench: Bench, deed: Deed, undoing: bool, moment: Moment, often: bool) -> Cut:
    """Act or undo, stop, cut, and hold what is left against what was there and was promised."""
    bench.copy("done" if undoing else "begun", "now")
    with bench.mounted("now"):
        acting = ready(bench, deed, undoing)  # forked, so before there is a thread
        with written_back(*bench.disks.values(), often=often):
            acting.until(moment)
        bench.copy("now", "after")
        receipt, told = acting.cut_off()
    assert receipt is None or receipt.done == PHOTOS, receipt
    with bench.mounted("after"):
        states = in_child(functools.partial(after_the_cut, bench.album, deed, undoing, told))
    settled = State.UNDONE if undoing else State.DONE
    return Cut(
        finished=receipt is not None,
        promised=list(told.values()).count(settled),
        unfinished=sum(state in (State.INTENDED, State.ASIDE) for state in states),
        settled=list(states).count(settled),
    )


def after_the_cut(album: Album, deed: Deed, undoing: bool, told: dict[int, State]) -> list[State]:
    """What the journal says when the power is back; then all is put in order, and comes home."""
    before = journal(album)
    for row, promised in told.items():
        assert _FAR.index(before[row]) >= _FAR.index(promised), f"row {row} was {promised}"
    recovery = recover(album.catalog)
    assert not recovery.left, recovery
    assert not recovery.gone, recovery
    recovered = journal(album)
    for row, promised in told.items():
        if promised in (State.DONE, State.UNDONE):
            assert recovered[row] is before[row], f"row {row} was {promised}"
    if undoing:
        halfway_home(album, deed)
        album.comes_home(deed)
    else:
        album.whole(deed)
        album.recovers(deed)
    return list(before.values())


def journal(album: Album) -> dict[int, State]:
    rows = sql_rows(decisions_file(album.catalog), "SELECT id, state FROM removal")
    return {row: State(state) for row, state in rows}


def halfway_home(album: Album, deed: Deed) -> None:
    """Amid undoing, each file is whole: at home, or where it was put with a row that says so."""
    rows = {path: (place, keeper, State(state)) for path, place, keeper, _, state in album.rows()}
    home = found_below(album.home)
    away = found_below(album.trash / "files") | found_below(album.moved)
    for path, was in album.before.items():
        if path not in rows:
            assert home[path] == was, f"{path!r} is kept, and another file"
            continue
        place, keeper, state = rows[path]
        if path not in home:
            assert state is State.DONE, f"{path!r} is {state}, and not at home"
            assert deed is not Deed.HARDLINK, f"{path!r} leads nowhere"
            there = home[keeper].content if deed is Deed.DELETE else away[place]
            assert there == (was.content if deed is Deed.DELETE else was), f"{path!r} is lost"
        elif deed is Deed.HARDLINK and home[path] == home[keeper]:
            assert state is State.DONE, f"{path!r} is {state}, and a link still"
        else:
            assert home[path][:3] == was[:3], f"{path!r} is another file, or a part of one"
    if deed in (Deed.TRASH, Deed.MOVE):
        everywhere = contents_below(album.home, album.trash / "files", album.moved)
        assert everywhere == contents_of(album.before)
    beside = {place: path for path, (place, _, state) in rows.items() if state is State.DONE}
    for path in home.keys() - album.before.keys():
        assert home[path].content == album.before[beside[path]].content, f"left over: {path!r}"


# -- proofs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("deed", DEEDS, indirect=True)
def test_r4_a_power_cut_amid_a_removal_loses_no_photo_and_no_row_that_was_promised(
    bench: Bench, deed: Deed, say: Say
) -> None:
    cuts = many_cuts(bench, deed, undoing=False, say=say)
    assert sum(not each.finished for each in cuts) >= len(cuts) // 2


@pytest.mark.parametrize("deed", DEEDS, indirect=True)
def test_r7_a_power_cut_amid_undoing_loses_no_photo_and_undoing_again_finishes(
    bench: Bench, deed: Deed, say: Say
) -> None:
    cuts = many_cuts(bench, deed, undoing=True, say=say)
    assert sum(not each.finished for each in cuts) >= len(cuts) // 2


@pytest.mark.parametrize("deed", [Deed.DELETE, Deed.HARDLINK], indirect=True)
def test_r1_a_copy_goes_for_good_only_when_the_kept_one_is_on_the_disk(
    bench: Bench, deed: Deed, say: Say
) -> None:
    album = bench.album

    def write_keep_and_cut() -> None:
        with bench.mounted("now"):
            for number in range(1, PHOTOS + 1):
                data = Path(os.fsdecode(album.a(number))).read_bytes()
                os.unlink(album.a(number))
                album.put(album.a(number), data)  # in the memory of the kernel, for seconds yet
            assert album.act(deed).done == PHOTOS
            bench.copy("now", "after")
        with bench.mounted("after"):
            recover(album.catalog)
            home = found_below(album.home)
            kept = {album.a(number) for number in range(1, PHOTOS + 1)}
            for path in kept | (home.keys() & album.before.keys()):
                assert home[path].content == album.before[path].content, f"{path!r} is lost"

    bench.make(deed)
    bench.copy("begun", "now")
    in_child(write_keep_and_cut, own_mounts=True)
    say(f"{deed} of the copies of {PHOTOS} photos written just before, and a cut: none lost")


def many_cuts(bench: Bench, deed: Deed, *, undoing: bool, say: Say) -> list[Cut]:
    since = time.monotonic()
    dice = random.Random(f"{SEED} {deed} {undoing} {bench.apart}")
    bench.make(deed)
    whole = in_child(functools.partial(undisturbed, bench, deed, undoing), own_mounts=True)
    cuts: list[Cut] = []
    for number in range(AMID_UNDOING if undoing else AMID_ACTING):
        # What is drawn is drawn here: a child's dice start anew for each of them.
        moment = Moment(dice.randrange(whole.promises), dice.uniform(0, whole.seconds))
        one = functools.partial(cut, bench, deed, undoing, moment, number % 2 == 0)
        cuts.append(in_child(one, own_mounts=True))
    count = Counter(finished=sum(each.finished for each in cuts))
    for each in cuts:
        count.update(
            promised=each.promised,
            settled=each.settled,
            unfinished=each.unfinished,
        )
    say(
        f"{'undoing ' if undoing else ''}{deed}, the journal "
        f"{'on another disk' if bench.apart else 'beside'}: {len(cuts)} cuts, "
        f"{count['finished']} after the end; {count['promised']} rows promised and "
        f"{count['settled']} kept, {count['unfinished']} unfinished; none lost; "
        f"{time.monotonic() - since:.0f} s"
    )
    return cuts
