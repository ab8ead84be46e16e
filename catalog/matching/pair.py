"""Two pictures compared step by step, so that a person can be told how."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from catalog.dihedral import EXIF, INVERSE, TURNS
from catalog.matching import settle
from catalog.matching.circumstances import of_picture
from catalog.matching.settle import Request
from catalog.matching.weigh import agree, looks_alike, refined, ruled
from catalog.model import Alignment, Comparison, Failure, Picture, Rule
from catalog.search import probing
from catalog.search.pictures import Indexed, Pictures
from catalog.search.probing import Candidates
from catalog.search.windows import WINDOWS
from catalog.store.matches import RULES

_FIRST, _SECOND = 1, 0  # positions, as ``probing.around`` numbers one picture beside one other


@dataclass(frozen=True, slots=True)
class Steps:
    """What was found out about two pictures."""

    rule: Rule
    alignment: Alignment
    request: Request  # how their files are compared
    comparison: Comparison | None = None
    not_compared: str = ""


def steps(first: Picture, second: Picture) -> Steps:
    """How the two relate, as a search over a catalog would find it."""
    found = by_signatures(first, second)
    if found.rule is not Rule.UNDECIDED:
        return found
    outcome = settle.compare_files(found.request)
    if isinstance(outcome, Failure):
        why = outcome.detail or outcome.reason.value
        return replace(found, rule=Rule.NOT_COMPARED, not_compared=why)
    found = replace(found, rule=settle.verdict(outcome), comparison=outcome)
    return found if found.alignment.in_first else _flipped(found, outcome)


def _flipped(found: Steps, seen: Comparison) -> Steps:
    """What was found out of the second picture and the first, told of the first and the second."""
    seen = replace(seen, on_first=None if seen.on_first is None else not seen.on_first)
    return replace(found, rule=found.rule.flipped, comparison=seen)


def draw(first: Picture, second: Picture) -> bytes | Failure:
    """A PNG of the two pictures and what differs between them, made in a process of its own."""
    found = by_signatures(first, second)
    whole = first if found.alignment.in_first else second
    return settle.draw_files(found.request, (whole.width, whole.height))


def by_signatures(first: Picture, second: Picture) -> Steps:
    """What is found out without the files; UNDECIDED where only these can tell."""
    both = np.stack([np.frombuffer(each.signature, np.uint8) for each in (second, first)])
    pictures = Pictures(Indexed.of(both[:1]), lambda some: both[some], np.zeros(1, np.int64))
    likely = probing.around(pictures, both[_FIRST])
    found = len(likely) > 0
    if not found:
        likely = _every_way()
    likely, aligned = refined(lambda some: both[some], likely)
    best = np.array([int(np.argmax(aligned.score))])
    likely, aligned = likely.only(best), aligned.only(best)
    in_first = int(likely.first[0]) == _FIRST
    turn = int(likely.turn[0])
    edges: tuple[float, float, float, float] = tuple(aligned.edges[0].tolist())
    alignment = Alignment(
        score=min(1.0, float(aligned.score[0])),
        in_first=in_first,
        edges=edges,
        orientation=EXIF[turn if in_first else INVERSE[turn]],
        gain=float(aligned.gain[0]),
        contrast=float(aligned.contrast[0]),
        residual=float(aligned.residual[0]),
        found=found,
    )
    whole, part = (first, second) if in_first else (second, first)
    ends = (whole.path, whole.digest), (part.path, part.digest)
    request = Request(0, *ends, turn=turn, edges=edges)
    if not found or not looks_alike(aligned)[0]:
        return Steps(Rule.NOTHING_ALIKE, alignment, request)
    facts = {number: of_picture(each) for number, each in ((_FIRST, first), (_SECOND, second))}
    ids = np.array([_FIRST]), np.array([_SECOND])
    equal = agree(lambda some: both[some], likely, aligned)
    rule = RULES[int(ruled(facts, ids, aligned.score, equal)[0])]
    return Steps(rule, alignment, request)


def _every_way() -> Candidates:
    """Each window of one as the whole of the other, in every turn."""
    ways = [
        (first, second, window, turn)
        for first, second in ((_FIRST, _SECOND), (_SECOND, _FIRST))
        for window in range(len(WINDOWS))
        for turn in TURNS
    ]
    first, second, window, turn = np.array(ways).T
    return Candidates(
        first.astype(np.int32),
        second.astype(np.int32),
        window.astype(np.uint8),
        turn.astype(np.uint8),
        np.zeros(len(ways), np.float32),
    )
