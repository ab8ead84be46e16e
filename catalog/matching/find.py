"""Contents that were not searched yet are compared with all others, by signatures alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.matching import circumstances
from catalog.matching.known import Known
from catalog.matching.weigh import agree, looks_alike, refined, ruled
from catalog.model import Rule, Stages
from catalog.progress import SILENT, Phase, Progress
from catalog.search import probing
from catalog.search.probing import Candidates
from catalog.store import matches
from catalog.store.database import Database
from catalog.store.matches import Matches

MATCHER: Final = 1  # rises whenever the same contents would give other matches

_CLOSEST: Final = 32  # matches of one content that are remembered, best first


_HELD: Final = 1 << 23  # candidates, before each pair is reduced to its likeliest


def find(
    database: Database,
    known: Known,
    new: NDArray[np.int64],
    stages: Stages,
    progress: Progress = SILENT,
    executor: Executor | None = None,
) -> Matches:
    """What is alike among ``new`` contents (ids, rising), and between these and all ``known``.

    Numbers are added to ``stages``. The pairs are not remembered yet.
    """
    ids = known.ids
    places = np.flatnonzero(np.isin(ids, new))
    stages.searched, stages.contents = len(places), len(ids)
    progress.start(Phase.SEARCHING)
    everything = len(places) == len(ids)
    found = probing.candidates(known.pictures, None if everything else places, executor)
    likely = _likeliest(found, len(ids), stages)
    likely, aligned = refined(known.pictures.signatures, likely, executor, progress)
    good = looks_alike(aligned)
    likely, aligned = likely.only(good), aligned.only(good)
    chosen = _closest(likely, aligned.score, len(ids))
    likely, aligned = likely.only(chosen), aligned.only(chosen)
    one, other = ids[likely.first], ids[likely.second]
    rules = ruled(
        circumstances.of_contents(database, np.union1d(one, other).tolist()),
        (one, other),
        aligned.score,
        agree(known.pictures.signatures, likely, aligned),
    )
    stages.alike = len(likely)
    stages.undecided = int((rules == matches.code_of(Rule.UNDECIDED)).sum())
    return Matches(one, other, rules, aligned.score, likely.turn, aligned.edges)


def _likeliest(found: Iterator[tuple[int, Candidates]], count: int, stages: Stages) -> Candidates:
    """Each pair once, by the window and the turn that are likeliest."""
    held: list[Candidates] = []
    size = 0
    for by_hash, block in found:
        stages.by_hash += by_hash
        stages.by_frequencies += len(block)
        held.append(block)
        size += len(block)
        if size > _HELD:
            held = [_best_of_each(held, count)]
            size = len(held[0])
    best = _best_of_each(held, count)
    stages.refined = len(best)
    return best


def _best_of_each(blocks: list[Candidates], count: int) -> Candidates:
    some = Candidates.joined(blocks)
    low, high = np.minimum(some.first, some.second), np.maximum(some.first, some.second)
    pair = low.astype(np.int64) * count + high
    # What is as likely to a thousandth is the one that needs the smaller window and no turn.
    likeness = -np.round(some.likeness, 3)
    order = np.lexsort((some.first, some.turn, some.window, likeness, pair))
    pair = pair[order]
    first = np.ones(len(pair), dtype=np.bool_)
    first[1:] = pair[1:] != pair[:-1]
    return some.only(order[first])


def _closest(likely: Candidates, score: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The positions of those that are among the closest of one of their two, best first.

    Of thousands of pages that look alike, each with each, so many are enough.
    """
    order = np.lexsort((likely.second, likely.first, -score))
    ends = np.concatenate([likely.first[order], likely.second[order]])
    pair = np.tile(np.arange(len(order)), 2)
    by_end = np.lexsort((pair, ends))
    begins = np.searchsorted(ends[by_end], np.arange(count))
    number = np.arange(len(by_end)) - begins[ends[by_end]]
    near = np.zeros(len(order), dtype=np.bool_)
    near[pair[by_end[number < _CLOSEST]]] = True
    return order[near]
