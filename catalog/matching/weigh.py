"""What signatures say about likely pairs: how well they fit, and what that decides."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.dihedral import INVERSE, turned_each
from catalog.matching.circumstances import Facts, forbidding
from catalog.model import SIGNATURE_SIDE, Rule
from catalog.progress import SILENT, Phase, Progress
from catalog.search import verify
from catalog.search.pictures import Signatures
from catalog.search.probing import Candidates
from catalog.search.verify import Alignments
from catalog.search.windows import EDGES
from catalog.store import matches

SIMILAR: Final = 0.93  # correlation of the signatures from which two pictures look alike
PERHAPS_SAME: Final = 0.97  # from which they may be one picture

# Signatures agree: of 255, the worst cell and the root mean square, and so much else.
_AGREE_WORST: Final = 2.5
_AGREE_RESIDUAL: Final = 0.4
_AGREE_CONTRAST: Final = 16.0
_AGREE_GAIN: Final = 0.03
_AGREE_PREVAILING: Final = 0.2  # of all cells

_REFINED_AT_ONCE: Final = 1 << 11
_BATCHES_AHEAD: Final = 16


def refined(
    signatures: Signatures,
    likely: Candidates,
    executor: Executor | None = None,
    progress: Progress = SILENT,
) -> tuple[Candidates, Alignments]:
    """How each pair fits; and the pairs, those of two whole pictures in an order of their own.

    Which of two whole pictures comes first makes a small difference, so it must not depend on which
    was indexed, or asked about, first: it depends on their signatures.
    """
    progress.start(Phase.COMPARING, len(likely))
    pairs, parts = [], []
    run = map if executor is None else executor.map
    every = np.arange(len(likely))
    begins = range(0, len(likely), _REFINED_AT_ONCE)
    for at in range(0, len(begins), _BATCHES_AHEAD):
        # Prepared in this thread, the only one that may ask the catalog.
        batches = [
            _prepared(signatures, likely.only(every[begin : begin + _REFINED_AT_ONCE]))
            for begin in begins[at : at + _BATCHES_AHEAD]
        ]
        pairs += [some for some, _ in batches]
        for part in run(_fitted, [batch for _, batch in batches]):
            progress.advance(len(part))
            parts.append(part)
    return Candidates.joined(pairs), Alignments.joined(parts)


def _prepared(signatures: Signatures, some: Candidates) -> tuple[Candidates, _Batch]:
    first, second = (
        signatures(side.astype(np.int64)).reshape(-1, SIGNATURE_SIDE, SIGNATURE_SIDE)
        for side in (some.first, some.second)
    )
    whole = (some.window == 0) & (_key(first) < _key(second))
    first[whole], second[whole] = second[whole], first[whole]
    turn = np.where(whole, INVERSE[some.turn], some.turn)
    some = Candidates(
        np.where(whole, some.second, some.first),
        np.where(whole, some.first, some.second),
        some.window,
        turn,
        some.likeness,
    )
    return some, (first, turned_each(second, turn), EDGES[some.window])


def _key(squares: NDArray[np.uint8]) -> NDArray[np.int64]:
    """A number that tells signatures apart, however they lie: turning a picture changes nothing."""
    values = np.sort(squares.reshape(len(squares), -1), axis=1).astype(np.int64)
    return np.asarray(values @ (np.arange(values.shape[1]) ** 2 + 1))


def _fitted(batch: _Batch) -> Alignments:
    return verify.refine(*batch)


_Batch = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]


def looks_alike(aligned: Alignments) -> NDArray[np.bool_]:
    """Which pairs are worth remembering; a negative is not."""
    return (aligned.score >= SIMILAR) & (aligned.gain > 0)


def agree(signatures: Signatures, likely: Candidates, aligned: Alignments) -> NDArray[np.bool_]:
    """Where the signatures alone prove one picture: equal to the last grey value, all over.

    Only of pictures in which no grey prevails: icons on white of two colours can have one grey.
    """
    agree = (
        (aligned.worst <= _AGREE_WORST)
        & (aligned.residual <= _AGREE_RESIDUAL)
        & (aligned.contrast >= _AGREE_CONTRAST)
        & (np.abs(aligned.gain - 1) <= _AGREE_GAIN)
    )
    at = np.flatnonzero(agree)
    for begin in range(0, len(at), _REFINED_AT_ONCE):
        some = at[begin : begin + _REFINED_AT_ONCE]
        for side in (likely.first, likely.second):
            prevailing = _prevailing(signatures(side[some].astype(np.int64)))
            agree[some] &= prevailing <= _AGREE_PREVAILING
    return agree


def _prevailing(signatures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The share of the cells that have the commonest grey (of 64), or one beside it."""
    levels = signatures >> 2
    counts = np.zeros((len(levels), 66), dtype=np.int32)
    rows = np.repeat(np.arange(len(levels)), levels.shape[1])
    np.add.at(counts, (rows, levels.ravel() + 1), 1)
    around = counts[:, :-2] + counts[:, 1:-1] + counts[:, 2:]
    share: NDArray[np.float32] = (around.max(axis=1) / levels.shape[1]).astype(np.float32)
    return share


def ruled(
    facts: Mapping[int, Facts],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    score: NDArray[np.float32],
    equal: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """What signatures and circumstances decide about each pair of ids, as far as they do.

    ``score`` is how well they fit, ``equal`` where they agree to the last grey value. The codes
    are those of ``matches.RULES``.
    """
    codes = np.full(len(score), matches.code_of(Rule.LOOKS_ALIKE), dtype=np.uint8)
    one, other = pairs
    for at in np.flatnonzero(score >= PERHAPS_SAME).tolist():
        mine, theirs = facts.get(int(one[at])), facts.get(int(other[at]))
        rule = forbidding(mine, theirs) if mine and theirs else None
        if rule is None:
            rule = Rule.SIGNATURES_AGREE if equal[at] else Rule.UNDECIDED
        codes[at] = matches.code_of(rule)
    return codes
