"""Whether two photos still are, and really are, one picture: asked before one of them goes.

What the catalog remembers never suffices for that. Both files are read again and decoded in full
here and now, and compared closely, also where their signatures agree. More is asked than of a
match: nothing of the one that goes may be missing in the one that stays. What is refused for no
good reason stays where it is, and costs nothing but its room.

What the limits stand between, measured on five photos of 0.4 to 12 megapixels that were re-encoded
(quality 10 to 92), made smaller, brightened, sharpened, turned and cropped, with the original kept;
and the other way round:

                                            original kept           copy kept
    differing, of all blocks                0 (sharpened: 0.016)
    moved, recoloured                       0.010, 0.008
    beyond an edge                          0.001                   1 % cropped: 0.010
    faded                                   0                       grey: 1
    clipped                                 0                       brightened, of two: 0.007, 0.019
    fine, where not followed to 0.9         1.0                     enlarged from 300 pixels: 0.26
                                                                    from 800: 0.67 to 0.86

That sees no enlargement of a large photo: all are looked at as squares of 1024 pixels. So where the
kept one has more pixels, the middle of both is looked at as it is. On 58 photos of 0.4 to 12
megapixels, made smaller (183 copies of 3/4, 1/2, 2048, 1600 and 1280 pixels, as JPEG and WebP), and
enlarged by 5/4 (of these 4 of 5 are told; smooth ones are not):

                                            original kept           enlarged one kept
    left of the finest detail               0.90 to 1.96            0.74 to 1.02, half below 0.87
    beyond it                               0.37 to 3.3             0.22 to 0.99, half below 0.34
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from catalog import dihedral
from catalog.matching import pair, settle
from catalog.matching.pair import Steps
from catalog.matching.settle import Ends
from catalog.model import Comparison, Failure, Picture, Reason, Recipe, Rule
from catalog.progress import SILENT, Phase, Progress

if TYPE_CHECKING:
    from catalog.imaging.lacking import Lacking
    from catalog.imaging.whole import Whole

Squares = tuple[NDArray[np.uint8], NDArray[np.uint8]]  # in colour, and in fine grey

_MOVED: Final = 0.03  # share of the textured blocks
_RECOLOURED: Final = 0.03  # share of the blocks
_BEYOND: Final = 0.004  # of a side
_FADED: Final = 0.5
_CLIPPED: Final = 0.005
_COARSER, _FOLLOWED = 0.75, 0.9  # a sharpened copy has more detail, but that of the original
_FEWER: Final = 0.95  # of the pixels
_LEFT, _NO_MORE = 0.94, 0.55  # a copy may be sharpened: then the kept one has much beyond it
_LEAST_COST: Final = 4 << 20  # bytes, that a claim counts for at least: decoding takes its time
_COMPARED: Final = (Rule.UNDECIDED, Rule.SIGNATURES_AGREE)

_WORDS: Final = {
    Rule.NOTHING_ALIKE: "it is another picture",
    Rule.LOOKS_ALIKE: "it looks alike, but is not the same",
    Rule.SEVERAL_FRAMES: "one of them has more than its first frame or page shows",
    Rule.RAW_AND_PICTURE: "one of them is a camera RAW",
    Rule.TAKEN_APART: "they were taken at different moments",
    Rule.ALL_BUT_A_STAMP: "one of them is stamped, and it is unclear which",
    Rule.STAMP_ON_FIRST: "the kept one is stamped",
    Rule.STAMP_ON_SECOND: "it is stamped, or shows something that the kept one does not",
    Rule.PARTS_DIFFER: "parts of it differ",
    Rule.COLOURS_DIFFER: "its colours differ",
    Rule.TOO_LITTLE_DETAIL: "too little detail to tell it from another picture",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """That the picture at ``victim`` is that at ``kept``, which has all that it has."""

    kept: Ends
    victim: Ends


def confirmed(
    claims: Sequence[Claim], jobs: int, progress: Progress = SILENT
) -> Iterator[tuple[int, str]]:
    """For each claim its number, and "" where it holds, else why it does not, for a person.

    They come as they are done. Claims about one kept file are best given one after the other: it is
    then read once. A process that a picture takes down costs that claim only.
    """
    from catalog.workers.pool import Lost, Task, run_all

    progress.start(Phase.SETTLING, len(claims))
    tasks = (Task((number, claim), _cost(claim)) for number, claim in enumerate(claims))
    for (number, _), result in run_all(refuted, tasks, jobs=jobs, warm_up=warm_up):
        progress.advance()
        yield number, f"could not be read: {result.reason}" if isinstance(result, Lost) else result


def _cost(claim: Claim) -> int:
    size = 0
    for path, _ in (claim.kept, claim.victim):
        try:
            size += os.lstat(path).st_size
        except (OSError, ValueError):  # whoever reads it says so
            continue
    return max(size, _LEAST_COST)


def warm_up() -> None:
    """Import all that this needs, once, so that no pair pays for it."""
    from catalog.imaging import comparing, lacking, whole  # noqa: F401

    settle.warm_up()


def refuted(numbered: tuple[int, Claim]) -> str:
    """What a process does with one claim: why it does not hold, or nothing."""
    from catalog.imaging.whole import whole

    _, claim = numbered
    kept = whole(*claim.kept)
    if isinstance(kept, Failure):
        return _why(kept, "the kept one")
    victim = whole(*claim.victim)
    if isinstance(victim, Failure):
        return _why(victim, "it")
    return _by_themselves(kept, victim) or _beside_one_another(claim, kept, victim)


def _why(failure: Failure, which: str) -> str:
    if failure.reason is Reason.UNSTABLE:
        return which + failure.detail.removeprefix("it")
    detail = f" ({failure.detail})" if failure.detail else ""
    return f"{which} could not be read: {failure.reason}{detail}"


def _by_themselves(kept: Whole, victim: Whole) -> str:
    """What is wrong with the two, whatever they show."""
    if victim.file == kept.file:
        return "it is the kept one, under another name"
    if kept.flat or victim.flat:
        return _WORDS[Rule.TOO_LITTLE_DETAIL]
    if victim.see_through and not kept.see_through:
        return "the kept one has no transparent parts"
    if victim.taken_at is not None and kept.taken_at is None:
        return "the kept one does not say when it was taken"
    if victim.camera is not None and kept.camera is None:
        return "the kept one does not say with what it was taken"
    if victim.located and not kept.located:
        return "the kept one does not say where it was taken"
    if victim.deep and not kept.deep:
        return "the kept one has fewer bits a colour"
    return ""


def _beside_one_another(claim: Claim, kept: Whole, victim: Whole) -> str:
    """What is wrong with the two as one picture."""
    from catalog.imaging import comparing
    from catalog.imaging.looking import turned

    found = pair.by_signatures(_picture(claim.kept, kept), _picture(claim.victim, victim))
    if found.rule not in _COMPARED:
        return _WORDS.get(found.rule, found.rule.value)
    kept_first = found.alignment.in_first
    first, second = (kept, victim) if kept_first else (victim, kept)
    edges, turn = found.request.edges, found.request.turn
    outcome = comparing.compare(first.square, turned(second.square, turn), edges)
    wrong = _compared(outcome, kept_first=kept_first)
    return wrong or _complete(kept, victim, found)


def _compared(found: Comparison, *, kept_first: bool) -> str:
    """What a close comparison of the two says against it.

    A match may have a stamp. But what came into the picture, and is of about one colour, is as well
    explained by one colour laid over it as a date is: 23 of 30 plain shapes, drawn into five photos
    at an edge and in the middle, were.
    """
    if found.page:
        return "a page: its small print cannot be compared"
    rule = settle.verdict(found)
    rule = rule if kept_first else rule.flipped
    if rule is not Rule.PIXELS_AGREE:
        return _WORDS.get(rule, rule.value)
    if found.differing:  # a face, or what was taken out by retouching
        return "a small part of it differs"
    if found.moved > _MOVED:
        return "something in it moved"
    return "parts of it have other colours" if found.recoloured > _RECOLOURED else ""


def _complete(kept: Whole, victim: Whole, found: Steps) -> str:
    """What of the victim is missing in the kept one."""
    from catalog.imaging.lacking import is_whole, lacking

    left, right, top, bottom = found.request.edges
    mine, theirs, turn = _squares(kept), _squares(victim), found.request.turn
    if found.alignment.in_first:
        theirs = _turned(theirs, turn)
    else:  # the same, as the kept one sees it
        mine = _turned(mine, turn)
        width, height = right - left, bottom - top
        left, right = -left / width, (1 - left) / width
        top, bottom = -top / height, (1 - top) / height
    lacks = lacking(mine, theirs, (left, right, top, bottom))
    part = kept.width * kept.height * (right - left) * (bottom - top)
    fewer = part < _FEWER * victim.width * victim.height
    why = next((why for why, is_so in _LACKS.items() if is_so(lacks)), "")
    if why or fewer:
        return why or "it has more pixels than the kept one"
    enlarged = is_whole((left, right, top, bottom)) and _is_enlarged(kept, victim, turn)
    return "the kept one is enlarged, and has less detail" if enlarged else ""


def _is_enlarged(kept: Whole, victim: Whole, turn: int) -> bool:
    """Whether the kept one has less of what the other shows, and little that it does not."""
    from catalog.imaging.lacking import enlarged

    other, width, height = victim.close, victim.width, victim.height
    if turn & dihedral.SWAPPED:  # mirrored or not, it has the same detail
        other, width, height = other.T, height, width
    left, beyond = enlarged(kept.close, other, (kept.width / width, kept.height / height))
    return left < _LEFT and beyond < _NO_MORE


_LACKS: Final[dict[str, Callable[[Lacking], bool]]] = {
    "it shows more than the kept one": lambda lacks: lacks.beyond > _BEYOND,
    "the kept one has no colour": lambda lacks: lacks.faded > _FADED,
    "the kept one lost its brightest or darkest parts": lambda lacks: lacks.clipped > _CLIPPED,
    "it has finer detail than the kept one": (
        lambda lacks: lacks.fine < _COARSER and lacks.followed < _FOLLOWED
    ),
}


def _squares(seen: Whole) -> Squares:
    return seen.square, seen.fine


def _turned(squares: Squares, turn: int) -> Squares:
    from catalog.imaging.looking import turned

    square, fine = squares
    return turned(square, turn), dihedral.turned(fine, turn)


def _picture(ends: Ends, seen: Whole) -> Picture:
    """As signatures are compared; hashes are not asked for."""
    path, digest = ends
    return Picture(
        path=path,
        digest=digest,
        size=seen.size,
        mtime_ns=seen.mtime_ns,
        format=seen.format,
        width=seen.width,
        height=seen.height,
        taken_at=seen.taken_at,
        camera=seen.camera,
        phash=0,
        dhash=0,
        ahash=0,
        signature=seen.signature,
        flat=seen.flat,
        frames=seen.frames,
        recipe=Recipe.FULL,
    )
