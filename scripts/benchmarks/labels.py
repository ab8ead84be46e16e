"""The labelled sets of ``../shared/photos`` against what ``imgcat dupes`` groups there."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks import copies, scoring, trees
from benchmarks.reporting import Figure, Report
from benchmarks.scoring import Groups, PathPair, Share

GROUPS, HARD, SCENE = "groups", "hard_groups", "same_scene_not_duplicate"
_AT_LEAST: Final = {GROUPS: 99.0, HARD: 90.0}  # percent of the pairs
_NAMED: Final = 40  # missed pairs that are told by name, of each set


@dataclass(frozen=True, slots=True)
class Labels:
    """Sets of paths relative to the folder of photos, by kind, and its distinct pictures."""

    sets: dict[str, list[list[str]]]
    distinct: frozenset[str]


def read(photos: str) -> Labels | None:
    """The labels of the folder; None where there are none."""
    path = os.path.join(photos, "groups.json")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        whole: dict[str, Any] = json.load(file)
    folders = (os.path.join(photos, name) for name in copies.DISTINCT)
    distinct = itertools.chain.from_iterable(map(trees.files_below, folders))
    return Labels(
        {kind: whole.get(kind, []) for kind in (GROUPS, HARD, SCENE)},
        frozenset(os.path.relpath(path, photos) for path in distinct),
    )


def judge(labels: Labels, groups: Sequence[Sequence[str]], report: Report) -> None:
    """Tell the report what the groups have of the labelled pairs, and name what is wrong."""
    for kind, percent in _AT_LEAST.items():
        found, missed = scoring.together(scoring.pairs_within(labels.sets[kind]), groups)
        share = Share(len(found), len(found) + len(missed))
        remark = f"{share.found} of {share.of} pairs"
        figure = Figure(f"{kind} found", share.percent, "%", at_least=percent, remark=remark)
        report.figures.append(figure)
        report.notes += named(f"{kind}, missed", missed, _NAMED)
    scenes = scoring.pairs_within(labels.sets[SCENE])
    wrong, right = scoring.together(scenes, groups)
    remark = f"of {len(wrong) + len(right)}"
    report.figures.append(Figure("same scene, in one group", len(wrong), "pairs", 0, None, remark))
    report.notes += named("same scene, in one group", wrong)
    report.figures.append(_distinct(labels, groups, report))


def named(what: str, pairs: Iterable[PathPair], most: int | None = None) -> list[str]:
    """A note for each pair, and one for those that are too many to tell."""
    every = list(pairs)
    notes = [f"{what}: {one} and {other}" for one, other in every[:most]]
    left = len(every) - len(notes)
    return [*notes, f"{what}: {left} more"] if left else notes


def _distinct(labels: Labels, groups: Groups, report: Report) -> Figure:
    wrong = sorted(
        scoring.false_pairs(groups, lambda path: path if path in labels.distinct else None)
    )
    report.notes += named("distinct pictures, in one group", wrong)
    count = len(labels.distinct)
    remark = f"of {count * (count - 1) // 2:,}"
    return Figure("distinct pictures, in one group", len(wrong), "pairs", 0, None, remark)
