"""What looks like one picture, which need not be in the catalog."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.matching import circumstances
from catalog.matching.circumstances import Facts
from catalog.matching.known import Known
from catalog.matching.weigh import agree, looks_alike, refined, ruled
from catalog.search import probing
from catalog.store.database import Database
from catalog.store.matches import Matches

ASKED: Final = 0  # stands for the picture among ids of contents, which begin with 1


def beside(database: Database, known: Known, pixels: bytes, facts: Facts) -> Matches:
    """The contents that look like one picture, the best first; one of each two ids is ASKED.

    ``pixels`` is its signature. What only the files can tell is UNDECIDED. A content of the very
    bytes is among them.
    """
    asked = len(known.ids)
    signature = np.frombuffer(pixels, dtype=np.uint8)
    likely = probing.around(known.pictures, signature)
    ids = np.append(known.ids, ASKED)

    def signatures(at: NDArray[np.int64]) -> NDArray[np.uint8]:
        found = np.empty((len(at), len(signature)), dtype=np.uint8)
        found[at == asked] = signature
        there = at != asked
        found[there] = known.pictures.signatures(at[there])
        return found

    likely, aligned = refined(signatures, likely)
    good = np.flatnonzero(looks_alike(aligned))
    good = good[np.argsort(-aligned.score[good], kind="stable")]
    likely, aligned = likely.only(good), aligned.only(good)
    one, other = ids[likely.first], ids[likely.second]
    theirs = np.where(one == ASKED, other, one)
    every = circumstances.of_contents(database, theirs.tolist())
    every[ASKED] = facts
    equal = agree(signatures, likely, aligned)
    rules = ruled(every, (one, other), aligned.score, equal)
    return Matches(one, other, rules, aligned.score, likely.turn, aligned.edges)
