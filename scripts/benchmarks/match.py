"""``bench match``: verified matches of very many pictures, found for the first time and again.

The catalogs hold signatures of pictures that nobody took (see ``montage``), a tenth of them copies
of another. Their files are nowhere, so what only files can tell stays open at first: the seconds
that trying takes are told apart, as are those of starting and importing. Before it is asked again,
all of it is taken for told.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image

from benchmarks import catalogs, montage, product
from benchmarks.measuring import Run, cores, median, run, say
from benchmarks.reporting import Figure, Report
from catalog.dihedral import turned_each
from catalog.model import Rule
from catalog.search import verify
from catalog.search.windows import EDGES, WHOLE, directions, spectra
from catalog.store.database import open_for_writing

COARSE: Final = 2_000_000  # pairs a second, at least
FINE: Final = 20_000
FIRST_SECONDS: Final = {100_000: 60.0, 1_000_000: 900.0}
AGAIN_SECONDS: Final = 5.0
SIMILAR_SECONDS: Final = 1.0
MEMORY_MB: Final = 3000.0
_PAIRS: Final = 1 << 18
_ROUNDS: Final = 5
_IMPORTED: Final = "import typer, numpy, PIL.Image, imagehash"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is measured: catalogs of so many ``contents`` each."""

    photos: str  # folder with real pictures
    contents: tuple[int, ...]
    work: str


def bench(inputs: Inputs) -> Report:
    """Measure. Raises BenchError where there is no picture to make others of."""
    report = Report("match", {"contents": list(inputs.contents)})
    report.figures += _speeds(inputs.photos)
    for count in inputs.contents:
        made = catalogs.made_of_pictures(inputs.work, count, inputs.photos)
        forget_matches(made.path)
        with (
            tempfile.TemporaryDirectory(prefix="match-", dir=inputs.work) as folder,
            product.fresh_home(folder) as environment,
        ):
            report.figures += _questions(made.path, count, environment, report)
    return report


def _speeds(photos: str) -> Iterator[Figure]:
    """Pairs a second of both steps of verification, on a thread a core."""
    squares = montage.signatures(montage.originals(photos), range(16_384))
    low = directions(spectra(squares, WHOLE)).astype(np.float16)
    chance = np.random.default_rng(1)
    one, other = (chance.integers(len(squares), size=_PAIRS) for _ in range(2))
    turns = chance.integers(8, size=_PAIRS).astype(np.uint8)
    edges = EDGES[chance.integers(len(EDGES), size=_PAIRS)]

    def coarse(some: slice) -> int:
        return len(verify.coarse(low[one[some]], low[other[some]]))

    def fine(some: slice) -> int:
        first, second = (squares[side[some]].reshape(-1, 32, 32) for side in (one, other))
        return len(verify.refine(first, turned_each(second, turns[some]), edges[some]))

    for name, step, size, least in (
        ("coarse", coarse, 1 << 16, COARSE),
        ("fine", fine, 2048, FINE),
    ):
        parts = [
            slice(at, at + size) for at in range(0, _PAIRS if name == "coarse" else 32_768, size)
        ]
        with ThreadPoolExecutor(cores()) as threads:
            list(threads.map(step, parts[:2]))
            begun = time.perf_counter()
            pairs = sum(threads.map(step, parts))
            seconds = time.perf_counter() - begun
        yield Figure(f"{name}: pairs a second", pairs / seconds, "", at_least=least)


def forget_matches(catalog: str) -> None:
    """Make the catalog what it is when nobody has asked it yet."""
    with open_for_writing(os.fsencode(catalog)) as database, database.writing() as writer:
        for table in ("match", "searched"):
            writer.run(f"DELETE FROM {table}")
        writer.run("UPDATE content SET shown = 1")


def take_for_told(catalog: str) -> None:
    """What only files could tell, and there are none, is not tried again at every question."""
    with open_for_writing(os.fsencode(catalog)) as database, database.writing() as writer:
        writer.run(
            "UPDATE match SET rule = ? WHERE rule IN (?, ?)",
            (Rule.PIXELS_AGREE, Rule.UNDECIDED, Rule.NOT_COMPARED),
        )


def _picture(folder: str) -> str:
    """A photo that is in no catalog."""
    path = os.path.join(folder, "asked.png")
    noise = Image.effect_noise((640, 480), 80)
    noise.resize((40, 30)).resize((640, 480)).save(path)
    return path


def _questions(
    catalog: str, count: int, environment: dict[str, str], report: Report
) -> Iterator[Figure]:
    """The first ``dupes``, the second, and ``similar``."""
    name = f"{count:,}"
    say(f"imgcat dupes of {name} pictures, for the first time")
    first, found = _dupes(catalog, environment)
    say(f"imgcat dupes of {name} pictures, again")
    take_for_told(catalog)
    again, known = _dupes(catalog, environment)
    report.rounds[name] = {"first": found, "again": known}
    yield Figure(
        f"{name}: the first dupes",
        first.cost.wall - found["settling"],
        "s",
        at_most=FIRST_SECONDS.get(count),
        remark=f"{found['by_hash']:,} pairs by hash, {found['aligned']:,} aligned, "
        f"{found['alike']:,} alike, {found['undecided']:,} for the files to tell",
    )
    if first.peak is not None:
        yield Figure(f"{name}: memory", first.peak.parent / 1e6, "MB", at_most=MEMORY_MB)
    yield Figure(
        f"{name}: dupes again",
        again.cost.wall,
        "s",
        at_most=AGAIN_SECONDS,
        remark=f"{known['photos']:,} photos in {known['groups']:,} groups written out",
    )
    with tempfile.TemporaryDirectory(dir=os.path.dirname(catalog)) as folder:
        picture = _picture(folder)
        command = [product.IMGCAT, "--catalog", catalog, "similar", picture, "--json"]
        run(command, environment=environment)
        asked = [run(command, environment=environment).cost.wall for _ in range(_ROUNDS)]
        imports = [run([sys.executable, "-c", _IMPORTED]).cost.wall for _ in range(_ROUNDS)]
    yield Figure(
        f"{name}: similar beyond imports",
        median(asked) - median(imports),
        "s",
        at_most=SIMILAR_SECONDS if count <= 1_000_000 else None,
    )


def _dupes(catalog: str, environment: dict[str, str]) -> tuple[Run, dict[str, Any]]:
    """Run it; what it says of its search, and how much it found. The groups are dropped."""
    command = [product.IMGCAT, "--catalog", catalog, "dupes", "--json"]
    done = run(command, environment=environment)
    answer: dict[str, Any] = json.loads(done.output)
    counts = {"photos": answer["photos"], "groups": len(answer["groups"])}
    return done, {**answer["search"], **counts}
