"""``bench removal``: copies are trashed, put back, linked, and put back, each byte compared first.

Beside it, as the floor, what no program can leave out: both files of each pair are read and
compared, and one is renamed, with nothing written down and nothing looked at again.
"""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks.measuring import BenchError, interleaved, median, say
from benchmarks.reporting import Figure, Report
from catalog.actions.perform import perform
from catalog.actions.plan import plan
from catalog.actions.undo import to_undo, undo
from catalog.model import ActionPlan, Deed, Group, Kind, Match, Order, Photo, Receipt, Stamp
from catalog.store.decisions import Decisions, open_decisions

SECONDS: Final = 60.0  # at most, for so many:
REMOVALS: Final = 10_000
_BYTES: Final = 100_000  # of each photo
_IN_A_FOLDER: Final = 100
_ENOUGH: Final = 2_000  # removals; with fewer, what is done once for all weighs too much

_FLOOR, _PLAN = "floor: read and rename", "plan"
_TRASH, _UNTRASH = "trash", "undo of trash"
_LINK, _UNLINK = "hardlink", "undo of hardlink"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is measured."""

    removals: int
    rounds: int
    work: str


def bench(inputs: Inputs) -> Report:
    """Measure. Raises BenchError where not everything was done and put back."""
    report = Report(
        "removal",
        {
            "removals": inputs.removals,
            "bytes": _BYTES,
            "rounds": inputs.rounds,
            "page_cache": "warm",
        },
    )
    if inputs.removals < _ENOUGH:
        report.notes.append("too few files to say how fast: this shows only that it works")
    with _place(inputs.work) as place:
        pairs = _made(place, inputs.removals)
        with open_decisions(os.path.join(place, b"catalog.db")) as decisions:
            runs = interleaved(inputs.rounds, {"all": lambda: _round(place, pairs, decisions)})
    seconds = {name: [done[name] for done in runs["all"]] for name in runs["all"][0]}
    report.rounds = {name: [round(each, 4) for each in every] for name, every in seconds.items()}
    report.figures += _figures(inputs.removals, {name: median(e) for name, e in seconds.items()})
    return report


def _figures(removals: int, seconds: dict[str, float]) -> list[Figure]:
    limit = SECONDS * removals / REMOVALS
    limits = {_TRASH: limit, _LINK: limit}
    figures = [
        Figure(f"{name}, wall", taken, "s", at_most=limits.get(name))
        for name, taken in seconds.items()
    ]
    figures += [
        Figure(f"{name}, speed", removals / seconds[name], "files/s")
        for name in (_TRASH, _UNTRASH, _LINK, _UNLINK)
    ]
    return [*figures, Figure("trash over floor", seconds[_TRASH] / seconds[_FLOOR], "x")]


def _round(
    place: bytes, pairs: list[tuple[bytes, bytes]], decisions: Decisions
) -> dict[str, float]:
    """Seconds of each step. Everything is where it was at the end."""
    seconds = {}

    def taken(name: str, step: Callable[[], Receipt | ActionPlan | None]) -> None:
        begun = time.perf_counter()
        done = step()
        seconds[name] = time.perf_counter() - begun
        if isinstance(done, Receipt):
            _expect(name, done, len(pairs))

    aside = os.path.join(place, b"aside")
    os.mkdir(aside)
    taken(_FLOOR, lambda: _least(pairs, aside))
    for number, (_, copy) in enumerate(pairs):
        os.rename(os.path.join(aside, b"%d" % number), copy)
    os.rmdir(aside)

    groups = [_group(number, pair) for number, pair in enumerate(pairs)]
    taken(_PLAN, lambda: plan(groups, Order(Deed.TRASH)))
    taken(_TRASH, lambda: perform(plan(groups, Order(Deed.TRASH)), decisions))
    taken(_UNTRASH, lambda: undo(decisions, to_undo(decisions)))
    taken(_LINK, lambda: perform(plan(groups, Order(Deed.HARDLINK)), decisions))
    taken(_UNLINK, lambda: undo(decisions, to_undo(decisions)))
    return seconds


def _expect(name: str, done: Receipt, count: int) -> None:
    if done.done != count or done.refused or done.stopped:
        why = done.stopped or (done.refused[0].why if done.refused else "nobody knows why")
        raise BenchError(f"{name}: {done.done} of {count} photos, since {why}")


def _least(pairs: list[tuple[bytes, bytes]], aside: bytes) -> None:
    for number, (kept, copy) in enumerate(pairs):
        with open(kept, "rb", buffering=0) as one, open(copy, "rb", buffering=0) as other:
            if one.read() != other.read():
                raise BenchError("the photos of a pair differ")
        os.rename(copy, os.path.join(aside, b"%d" % number))


# -- photos ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def _place(work: str) -> Iterator[bytes]:
    """A folder with a trash and a lock of its own, gone afterwards."""
    names = ("XDG_DATA_HOME", "XDG_STATE_HOME")
    before = {name: os.environ.get(name) for name in names}
    with tempfile.TemporaryDirectory(prefix="removal-", dir=work) as place:
        os.environ.update({name: os.path.join(place, name) for name in names})
        try:
            yield os.fsencode(os.path.realpath(place))
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


def _made(place: bytes, count: int) -> list[tuple[bytes, bytes]]:
    """So many photos, each with a copy in another folder."""
    say(f"making {count:,} pairs of photos, {2 * count * _BYTES / 1e9:.1f} GB")
    chance = random.Random(0)
    pairs = []
    for number in range(count):
        data = chance.randbytes(_BYTES)
        name = b"%05d/IMG_%07d.jpg" % (number // _IN_A_FOLDER, number)
        pair = os.path.join(place, b"kept", name), os.path.join(place, b"copies", name)
        for path in pair:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "xb", buffering=0) as file:
                file.write(data)
        pairs.append(pair)
    os.sync()  # else the writing of these is measured
    return pairs


def _group(number: int, pair: tuple[bytes, bytes]) -> Group:
    """What a search would answer: the bytes are taken for equal until they are compared."""
    keep, copy = (_photo(number, path) for path in pair)
    return Group(keep, "shorter path", (Match(copy, Kind.IDENTICAL, 0, 1.0),))


def _photo(number: int, path: bytes) -> Photo:
    return Photo(
        path=path,
        stamp=Stamp.of(os.lstat(path)),
        filesystem=1,
        content=number,
        digest=number.to_bytes(32, "big"),
        format="JPEG",
        width=400,
        height=300,
        orientation=1,
        taken_at=None,
        camera=None,
        flat=False,
        frames=1,
    )
