"""What signatures cannot decide is settled by the files: both are decoded once more and compared.

Icons on flat ground, one T-shirt in two sizes, the next frame of a burst: their signatures agree
to a thousandth. The outcome is remembered by content; a file that cannot be read leaves its pairs
for another time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from catalog.model import Comparison, Failure, Photo, Rule, Stamp
from catalog.progress import Phase, Progress
from catalog.store import holders
from catalog.store.database import Database
from catalog.store.folders import Places
from catalog.store.matches import Matches

if TYPE_CHECKING:
    from catalog.workers.pool import Pool

# Limits of a comparison, chosen on one half of the pictures that ``scripts/bench quality`` edits.
DIFFERING: Final = 0.01  # share of the blocks that may differ in a copy
MOVED: Final = 0.15  # share of the textured ones that may seem to have moved
RECOLOURED: Final = 0.12
TEXTURED: Final = 3  # blocks at least, of 256, that could show a difference


class Paint(NamedTuple):
    """What may be laid over a copy: so much of it, in so many places, by one colour so surely.

    The rest of it is that of a copy: no more of it moved, no more is left of its texture.
    """

    differing: float
    clusters: int
    painted: float
    moved: float
    residual: float = 1.0
    noise: float = 0.0  # at least
    margin: bool = False  # along the edges only
    added: bool = True  # by somebody, so that the picture without it is the better one


PAINTS: Final = (
    Paint(0.12, 3, 0.85, 0.06, margin=True),  # a date, a logo
    Paint(0.25, 9, 0.95, 0.02, residual=0.03),  # a watermark across a copy that else is exact
    # a mark; but also what an edit of brightness clipped to white, and what strong sharpening did
    Paint(0.03, 9, 0.95, 0.06, added=False),
    Paint(0.1, 12, 0.96, 0.1, residual=0.12, noise=2.0, added=False),
)

_FILES_TRIED: Final = 16  # of one content, of which some may be on a drive that is away

Item = TypeVar("Item")
Result = TypeVar("Result")
Ends = tuple[bytes, bytes]  # a path, and the digest that its bytes must have


@dataclass(frozen=True, slots=True)
class Request:
    """Two files to compare, as a process gets it; ``number`` finds the pair again."""

    number: int
    first: Ends
    second: Ends
    turn: int
    edges: tuple[float, float, float, float]


def verdict(comparison: Comparison) -> Rule:
    """What a comparison means."""
    if comparison.textured < TEXTURED:
        return Rule.TOO_LITTLE_DETAIL
    if comparison.recoloured > RECOLOURED:
        return Rule.COLOURS_DIFFER
    if comparison.page:  # the next invoice has another number; and a stamp on it says something
        agree = not comparison.differing and not comparison.recoloured and comparison.moved <= MOVED
        return Rule.PIXELS_AGREE if agree else Rule.PARTS_DIFFER
    if comparison.differing <= DIFFERING and comparison.moved <= MOVED:
        return Rule.PIXELS_AGREE
    paint = next((each for each in PAINTS if _explains(each, comparison)), None)
    if paint is None:
        return Rule.PARTS_DIFFER
    if comparison.on_first is None or not paint.added:
        return Rule.ALL_BUT_A_STAMP
    return Rule.STAMP_ON_FIRST if comparison.on_first else Rule.STAMP_ON_SECOND


def _explains(paint: Paint, comparison: Comparison) -> bool:
    return (
        comparison.differing <= paint.differing
        and comparison.clusters <= paint.clusters
        and comparison.painted >= paint.painted
        and comparison.moved <= paint.moved
        and comparison.residual <= paint.residual
        and comparison.noise >= paint.noise
        and (comparison.margin or not paint.margin)
    )


class Settler:
    """Processes that compare files, started when there is something to compare."""

    def __init__(self, database: Database, pool: Pool, progress: Progress) -> None:
        self.progress = progress
        self._database = database
        self._pool = pool

    @classmethod
    @contextlib.contextmanager
    def of(cls, database: Database, jobs: int, progress: Progress) -> Iterator[Settler]:
        """The processes end with the block."""
        from catalog.workers.pool import Pool

        pool = Pool(jobs, warm_up)
        try:
            yield cls(database, pool, progress)
        finally:
            pool.end()

    def settled(
        self, pairs: Matches, others: Mapping[int, Ends] | None = None
    ) -> Generator[tuple[int, Rule], None, None]:
        """Compare the files of each pair; its position, and what decided, as they are done.

        Pairs of which one is held by no file of the catalog are left out; a file that is gone from
        the disk gives NOT_COMPARED. ``others`` are files by ids that are none of the catalog's.
        """
        from catalog.workers.pool import Task

        requests = _requests(self._database, pairs, others or {})
        self.progress.start(Phase.SETTLING, len(requests))
        tasks = [Task(request, _COST) for request in requests]
        for request, result in self._pool.run_all(compare, tasks):
            self.progress.advance()
            decided = result if isinstance(result, Rule) else Rule.NOT_COMPARED
            yield request.number, decided


_COST: Final = 4 << 20  # bytes that a comparison reads, roughly; it bounds what is in flight


def compare(request: Request) -> Rule | Failure:
    """What a process does with one pair."""
    found = closely(request)
    return found if isinstance(found, Failure) else verdict(found)


def closely(request: Request) -> Comparison | Failure:
    """As ``compare``, with what it goes by."""
    from catalog.imaging import looking

    return looking.compare(request.first, request.second, request.turn, request.edges)


def drawn(request: tuple[Request, tuple[int, int]]) -> bytes | Failure:
    """A drawing of one pair: see ``imaging.looking.draw``."""
    from catalog.imaging import looking

    pair, size = request
    return looking.draw(pair.first, pair.second, pair.turn, pair.edges, size)


def compare_files(request: Request) -> Comparison | Failure:
    """Compare one pair of files in a process of its own."""
    return _alone(closely, request)


def draw_files(request: Request, size: tuple[int, int]) -> bytes | Failure:
    """Draw one pair of files in a process of its own; ``size`` is that of the first."""
    return _alone(drawn, (request, size))


def _alone(function: Callable[[Item], Result | Failure], item: Item) -> Result | Failure:
    from catalog.workers.pool import Lost, Task, run_all

    (found,) = [result for _, result in run_all(function, [Task(item, _COST)], jobs=1)]
    return Failure(found.reason, found.detail) if isinstance(found, Lost) else found


def warm_up() -> None:
    """Import all that comparing needs, once, so that no pair pays for it."""
    from catalog.imaging import comparing, looking, reading  # noqa: F401

    reading.warm_up()


def _requests(database: Database, pairs: Matches, others: Mapping[int, Ends]) -> list[Request]:
    """The pairs whose files are there, those of one first content together."""
    ends = {**_ends(database, np.union1d(pairs.first, pairs.second)), **others}
    order = np.lexsort((pairs.second, pairs.first))
    columns = zip(
        order.tolist(),
        pairs.first[order].tolist(),
        pairs.second[order].tolist(),
        pairs.turn[order].tolist(),
        pairs.edges[order].tolist(),
        strict=True,
    )
    return [
        Request(number, ends[first], ends[second], turn, tuple(edges))
        for number, first, second, turn, edges in columns
        if first in ends and second in ends
    ]


def _ends(database: Database, ids: NDArray[np.int64]) -> dict[int, Ends]:
    """A file of each of these contents: one that is there and as it was, where there is such."""
    files = holders.of_contents(database, ids)
    order = np.lexsort((files.photo, files.content))
    content, photo = files.content[order], files.photo[order]
    number = np.arange(len(content)) - np.searchsorted(content, content)
    places = Places(database)
    found: dict[int, Ends] = {}
    there: list[int] = []
    for nth in range(min(_FILES_TRIED, int(number.max(initial=-1)) + 1)):
        some = photo[(number == nth) & ~np.isin(content, there)]
        for record in holders.records(database, some.tolist(), places).values():
            as_it_was = _is_as_it_was(record)
            if as_it_was:
                there.append(record.content)
            if as_it_was or record.content not in found:
                found[record.content] = record.path, record.digest
    return found


def _is_as_it_was(photo: Photo) -> bool:
    try:
        return Stamp.of(os.lstat(photo.path)).agrees_with(photo.stamp)
    except OSError:
        return False
