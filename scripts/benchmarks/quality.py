"""``bench quality``: which edited copies are found, and which other pictures are taken for some.

Everyone gets the same files: distinct pictures, and copies of some of them after every edit of
``benchmarks.edits``. Tools that make groups have found a copy where it stands in one group with
its original; plain hashes, and whoever tells pairs, where the two are a pair. A false pair is
any two files of one group, or of a pair, that show different pictures. Limits of imgcat are
chosen on the pictures of the first half, so the second is what is measured unless told.

Where ``groups.json`` labels the photos, imgcat's default is held against that, too.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmarks import copies, labels, peers, product, scoring, trees
from benchmarks.copies import Half, Place
from benchmarks.edits import EDITS
from benchmarks.measuring import BenchError, run, say
from benchmarks.reporting import Figure, Report
from benchmarks.scoring import Groups, Score, Share

AT_LEAST: Final = {
    "ordinary": 99.5,
    "date stamp": 99.0,
    "crop 5 %": 99.0,
    "crop 10 %": 98.0,
    "bars": 98.0,
    "one-sided": 95.0,
    "turned": 99.0,
    "1 degree": 97.0,
}  # percent of the copies after each edit of the group

_IMGCAT, _SIMILAR = "imgcat", "imgcat similar"
_PLAIN: Final = (("phash", 4), ("phash", 8), ("phash", 10), ("dhash", 8), ("ahash", 6))
# czkawka's limits, in bits of 64. Its groups: the strict one, and that of their best recall (of
# 0, 5, 10, 15, 20, 30 and 40). Its hashes, without the grouping that tears copies apart: 5, where
# 8 pairs in a million are false, and the 10 that its package sets by itself.
_RIVALS: Final = (
    ("imagededup", "imagededup", 10),
    ("czkawka", "czkawka groups", 0),
    ("czkawka", "czkawka groups", 15),
    ("czkawka", "czkawka pairs", 5),
    ("czkawka", "czkawka pairs", 10),
)
# imagededup asks for PyTorch, gigabytes of it, for its neural network; its hashes need these.
_REQUIREMENTS: Final = {
    "imagededup": ("numpy", "scikit-learn", "tqdm", "scipy", "PyWavelets", "Pillow"),
    "czkawka": ("numpy",),
}
_NAMED: Final = 40  # pictures taken for each other that are told by name


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is measured. ``pictures`` names folders; without any they are those of ``photos``."""

    photos: str
    pictures: tuple[str, ...]
    half: Half
    count: int  # pictures that are edited, at most
    others: int | None  # that are not; None for all
    jobs: int
    work: str
    with_peers: bool


@dataclass(frozen=True, slots=True)
class _Files:
    """The tree, and what each file in it shows."""

    tree: str
    places: dict[str, Place]


@dataclass(frozen=True, slots=True)
class _Result:
    """One contestant. ``seconds`` of the wall clock, by what it did."""

    name: str
    score: Score
    seconds: dict[str, float]

    @property
    def of_groups(self) -> dict[str, Share]:
        """Recall of all edits of each group together."""
        shares: dict[str, Share] = {}
        for name, edit in EDITS.items():
            recall = self.score.recall[name]
            shares[edit.group] = shares.get(edit.group, Share(0, 0)) + recall
        return shares

    @property
    def of_all(self) -> Share:
        """Recall of all edits together."""
        return sum(self.score.recall.values(), Share(0, 0))


def bench(inputs: Inputs) -> Report:
    """Measure. Raises BenchError where a contestant did not do its work."""
    folders = inputs.pictures or _distinct_below(inputs.photos)
    chosen = copies.choose(folders, inputs.half, inputs.count, inputs.others)
    tree = copies.tree_of(inputs.work, chosen, inputs.jobs)
    files = _Files(tree, dict(_places(tree)))
    every = scoring.pairs_of_different(files.places.values())
    report = Report(
        "quality",
        {
            "half": inputs.half,
            "edited": len(chosen.edited),
            "others": len(chosen.others),
            "edits": len(EDITS),
            "files": len(files.places),
            "pairs_of_different_pictures": every,
        },
    )
    results = [*_ours(inputs, files, report), *_theirs(inputs, files, report)]
    for line in table(results):
        say(line)
    report.rounds = {result.name: _as_object(result) for result in results}
    report.figures += _recalls(results[0])
    for result in results:
        report.figures += _whole(result, every)
    _judge_labels(inputs, report)
    return report


def _distinct_below(photos: str) -> tuple[str, ...]:
    folders = tuple(os.path.join(photos, name) for name in copies.DISTINCT)
    there = tuple(folder for folder in folders if os.path.isdir(folder))
    if not there:
        raise BenchError(
            f"{photos} has none of {', '.join(copies.DISTINCT)}: name the folder that has them "
            "with --photos, or folders of distinct pictures with --pictures"
        )
    return there


def _places(tree: str) -> Iterator[tuple[str, Place]]:
    for path in trees.files_below(tree):
        relative = os.path.relpath(path, tree)
        yield relative, copies.place_of(relative)


# -- contestants ---------------------------------------------------------------------------------


def _ours(inputs: Inputs, files: _Files, report: Report) -> Iterator[_Result]:
    """imgcat's default, what else looks alike to it, and plain hashes out of the same catalog."""
    with _indexed(inputs, files.tree) as (catalog, indexing):
        product.expect(indexing, added=len(files.places), failed=0)
        index = indexing.run.cost.wall
        seconds, answer = _dupes(inputs, catalog)
        groups = _groups_in(answer, files.tree)
        yield _Result(
            _IMGCAT, scoring.score(groups, files.places), {"index": index, "search": seconds}
        )
        report.notes += labels.named(
            "imgcat, taken for each other", _mistaken(groups, files), _NAMED
        )
        seconds, answer = _dupes(inputs, catalog, "--grade", "similar")
        score = scoring.score(_groups_in(answer, files.tree), files.places)
        yield _Result(_SIMILAR, score, {"index": index, "search": seconds})
        for kind, radius in _PLAIN:
            criteria = ("--hash", kind, "--radius", str(radius), "--no-verify", "--pairs")
            seconds, answer = _dupes(inputs, catalog, *criteria)
            score = scoring.score(_pairs_in(answer, files.tree), files.places)
            yield _Result(f"{kind} R={radius}", score, {"index": index, "search": seconds})


def _mistaken(groups: Groups, files: _Files) -> list[scoring.PathPair]:
    """The pictures of false pairs, each two of them once, however many of their copies are."""

    def picture_of(path: str) -> str:
        return files.places[path].picture

    false = scoring.false_pairs(groups, picture_of)
    mistaken = {tuple(sorted(map(picture_of, pair))) for pair in false}
    return sorted((one, other) for one, other in mistaken)


def _theirs(inputs: Inputs, files: _Files, report: Report) -> Iterator[_Result]:
    """The peers that can be installed."""
    refused: set[str] = set()
    for package, engine, limit in _RIVALS if inputs.with_peers else ():
        if package in refused:
            continue
        try:
            version = peers.install(package, requirements=_REQUIREMENTS[package])
        except (BenchError, OSError) as error:
            report.notes.append(f"no {package}: {error}")
            refused.add(package)
            continue
        report.inputs[package] = version
        name = f"{engine} {limit}"
        say(f"measuring {name}")
        done = peers.rival(engine, files.tree, limit)
        score = scoring.score(json.loads(done.output), files.places)
        yield _Result(name, score, {"all": done.cost.wall})


@contextlib.contextmanager
def _indexed(inputs: Inputs, tree: str) -> Iterator[tuple[str, product.Indexing]]:
    """A catalog of its own with the tree in it; gone afterwards."""
    with product.fresh_catalog(inputs.work) as catalog:
        say(f"indexing {os.path.basename(tree)}")
        yield catalog, product.index(catalog, tree, inputs.jobs)


def _dupes(inputs: Inputs, catalog: str, *options: str) -> tuple[float, dict[str, Any]]:
    """Seconds and answer of ``imgcat dupes``, with nothing in its cache folder."""
    say(" ".join(["measuring imgcat dupes", *options]))
    command = [product.IMGCAT, "--catalog", catalog, "dupes", "--json", *options]
    with product.fresh_home(inputs.work) as environment:
        done = run(command, environment=environment)
    answer: dict[str, Any] = json.loads(done.output)
    return done.cost.wall, answer


def _groups_in(answer: Mapping[str, Any], tree: str) -> list[list[str]]:
    """The groups, by paths relative to the tree."""
    return [
        [os.path.relpath(photo["path"], tree) for photo in group["photos"]]
        for group in answer["groups"]
    ]


def _pairs_in(answer: Mapping[str, Any], tree: str) -> Groups:
    return ([os.path.relpath(path, tree) for path in pair[:2]] for pair in answer["pairs"])


def _judge_labels(inputs: Inputs, report: Report) -> None:
    photos = os.path.realpath(inputs.photos)
    labelled = labels.read(photos)
    if labelled is None:
        report.notes.append(f"no labelled sets: there is no groups.json in {photos}")
        return
    with _indexed(inputs, photos) as (catalog, _):
        _, answer = _dupes(inputs, catalog)
    labels.judge(labelled, _groups_in(answer, photos), report)


# -- what is told --------------------------------------------------------------------------------


def _recalls(result: _Result) -> list[Figure]:
    """Of the first contestant, by edit and by group of edits, beside the targets."""
    groups = [
        _share(f"{group}, all of them", share, group)
        for group, share in result.of_groups.items()
        if sum(edit.group == group for edit in EDITS.values()) > 1
    ]
    recall = result.score.recall
    return [*(_share(name, recall[name], edit.group) for name, edit in EDITS.items()), *groups]


def _share(name: str, share: Share, group: str) -> Figure:
    remark = f"{share.found} of {share.of}"
    return Figure(name, share.percent, "%", at_least=AT_LEAST.get(group), remark=remark)


def _whole(result: _Result, every: int) -> list[Figure]:
    return [
        Figure(f"{result.name}: all edits", result.of_all.percent, "%"),
        Figure(
            f"{result.name}: false pairs",
            result.score.false,
            "pairs",
            at_most=0 if result.name == _IMGCAT else None,
            remark=f"of {every:,}; {result.score.false_untouched:,} without a copy",
        ),
        *(
            Figure(f"{result.name}: {what}", seconds, "s")
            for what, seconds in result.seconds.items()
        ),
    ]


def _as_object(result: _Result) -> dict[str, Any]:
    """For JSON."""
    return {
        "recall": {name: asdict(result.score.recall[name]) for name in EDITS},
        "false_pairs": result.score.false,
        "false_pairs_without_a_copy": result.score.false_untouched,
        "seconds": {what: round(seconds, 3) for what, seconds in result.seconds.items()},
    }


def table(results: Sequence[_Result]) -> Iterator[str]:
    """Recall in percent: a line for each edit and group of edits, a column for each contestant.

    The words of a contestant's name stand above each other.
    """
    heads = [result.name.split() for result in results]
    widths = [max(7, *map(len, words)) for words in heads]
    rows: list[tuple[str, list[str]]] = [
        ("", [words[line] if line < len(words) else "" for words in heads])
        for line in range(max(map(len, heads)))
    ]
    rows += [(name, [_percent(result.score.recall[name]) for result in results]) for name in EDITS]
    rows += [
        (f"= {group}", [_percent(result.of_groups[group]) for result in results])
        for group in results[0].of_groups
    ]
    rows += [
        ("= all edits", [_percent(result.of_all) for result in results]),
        ("false pairs", [f"{result.score.false}" for result in results]),
        ("  without a copy", [f"{result.score.false_untouched}" for result in results]),
        ("seconds", [f"{sum(result.seconds.values()):.1f}" for result in results]),
    ]
    for name, cells in rows:
        line = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        yield "  ".join([f"{name:<26}", *line]).rstrip()


def _percent(share: Share) -> str:
    percent = share.percent
    return "-" if percent is None else f"{percent:.1f}"
