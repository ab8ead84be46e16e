"""``bench similar``: ``imgcat similar`` of a new picture, as a new process, on a large catalog.

What counts is its wall time less that of importing what it needs: typer, numpy, Pillow and
ImageHash, in the same Python, round by round. Answers are held against brute force over the
hashes that the catalog was made of.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image

from benchmarks import catalogs, fiction, product, trees, values
from benchmarks.catalogs import Made
from benchmarks.measuring import BenchError, Cost, Run, interleaved, median, run
from benchmarks.reporting import Figure, Report, costs
from benchmarks.values import Hashes
from catalog.model import HashKind
from catalog.store import contents
from catalog.store.database import open_for_reading

SECONDS: Final = 0.3  # at most beyond the imports, up to a million contents
WHOLE_SECONDS: Final = 1.0  # at most with them, at ten million
_MILLION: Final = 1_000_000

RADIUS: Final = 10
_LATER: Final = 100  # photos that come later
_SKEW: Final = "photos"
_SIMILAR, _IMPORTS = "imgcat similar", "imports"
_IMPORTED: Final = "import typer, numpy, PIL.Image, imagehash"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is measured: catalogs of so many ``contents`` each."""

    photos: str  # folder with real camera JPEGs
    contents: tuple[int, ...]
    rounds: int
    work: str


@dataclass(frozen=True, slots=True)
class _Image:
    """The picture that is asked about, with its pHash."""

    path: str
    hash: int


@dataclass(frozen=True, slots=True)
class _Question:
    """One command line, and what names the folder in which imgcat keeps what makes it quick."""

    catalog: str
    image: _Image
    environment: dict[str, str]

    def ask(self) -> tuple[Run, list[dict[str, Any]]]:
        """Run it; the matches, best first."""
        command = [product.IMGCAT, "--catalog", self.catalog, "similar", self.image.path, "--json"]
        criteria = ["--hash", "phash", "--radius", str(RADIUS), "--no-verify"]
        done = run([*command, *criteria], environment=self.environment)
        matches: list[dict[str, Any]] = json.loads(done.output)["matches"]
        return done, matches


def bench(inputs: Inputs) -> Report:
    """Measure. Raises BenchError where an answer is not that of brute force."""
    report = Report("similar", {"contents": list(inputs.contents), "rounds": inputs.rounds})
    with tempfile.TemporaryDirectory(prefix="similar-", dir=inputs.work) as folder:
        image = _image(inputs, folder, report)
        for count in inputs.contents:
            made = catalogs.made_in(inputs.work, count, _SKEW)
            with product.fresh_home(folder) as environment:
                _measure(_Question(made.path, image, environment), made, inputs.rounds, report)
    return report


def _image(inputs: Inputs, folder: str, report: Report) -> _Image:
    """A real photo where there is one, and its hash as imgcat makes it."""
    tree = os.path.join(folder, "picture")
    os.mkdir(tree)
    path = os.path.join(tree, "IMG_4711.JPG")
    real = trees.a_camera_photo(inputs.photos)
    if real is None:
        report.notes.append("no camera photo: the picture asked about is a small one, made up")
        noise = Image.effect_noise((640, 480), 80)
        noise.resize((40, 30)).resize((640, 480)).save(path, "JPEG")
    else:
        shutil.copyfile(real, path)
    with product.fresh_catalog(folder) as catalog:
        product.expect(product.index(catalog, tree), added=1, failed=0)
        with open_for_reading(os.fsencode(catalog)) as database:
            return _Image(path, contents.hash_of(database, 1, HashKind.PHASH))


def _measure(question: _Question, made: Made, rounds: int, report: Report) -> None:
    expected = _distances(question, made.contents)
    first, matches = question.ask()
    _expect(matches, expected)
    asked: list[Run] = []

    def similar() -> Cost:
        done, found = question.ask()
        _expect(found, expected)
        asked.append(done)
        return done.cost

    def imports() -> Cost:
        return run([sys.executable, "-c", _IMPORTED]).cost

    sides: dict[str, Callable[[], Cost]] = {_SIMILAR: similar, _IMPORTS: imports}
    measured = interleaved(rounds, sides)
    later = _after_more(question, expected)
    count = f"{made.contents:,}"
    report.rounds[count] = costs({**measured, "first": [first.cost], "after more": [later.cost]})
    report.figures += _figures(count, made, measured, first, later)
    report.figures += _memory(count, asked)


def _distances(question: _Question, count: int) -> list[int]:
    """The distances that brute force finds, least first."""
    stored = fiction.stored(_SKEW, count).phash
    distances = np.bitwise_count(stored ^ np.uint64(question.image.hash))
    return sorted(distances[distances <= RADIUS].tolist())


def _expect(matches: list[dict[str, Any]], expected: list[int]) -> None:
    """Raise BenchError unless the matches are the best that brute force finds."""
    found = [match["distance"] for match in matches if not fiction.is_copy(match["path"])]
    if found != expected[: len(found)] or (expected and not found):
        raise BenchError(f"imgcat similar finds distances {found}, not {expected[:20]}")


def _after_more(question: _Question, expected: list[int]) -> Run:
    """The first question after photos came, one of them like the picture; then they go again."""
    hashes: Hashes = values.uniform(_LATER, seed=2)
    hashes[0] = question.image.hash
    with fiction.later(question.catalog, hashes) as paths:
        done, matches = question.ask()
        best = [match["path"] for match in matches if match["distance"] == 0]
        if os.fsdecode(paths[0]) not in best:
            raise BenchError("imgcat similar does not see a photo that came after the last query")
    _, matches = question.ask()
    _expect(matches, expected)
    return done


def _figures(
    count: str, made: Made, measured: dict[str, list[Cost]], first: Run, later: Run
) -> list[Figure]:
    similar, imports = measured[_SIMILAR], measured[_IMPORTS]
    net = [one - other for one, other in zip(similar, imports, strict=True)]
    importing = median(cost.wall for cost in imports)
    small = made.contents <= _MILLION
    return [
        Figure(
            f"{count}: wall beyond imports",
            median(cost.wall for cost in net),
            "s",
            at_most=SECONDS if small else None,
        ),
        Figure(f"{count}: imports, wall", importing, "s"),
        Figure(
            f"{count}: wall in all",
            median(cost.wall for cost in similar),
            "s",
            at_most=None if small else WHOLE_SECONDS,
        ),
        Figure(f"{count}: CPU beyond imports", median(cost.cpu for cost in net), "s"),
        Figure(
            f"{count}: the first query",
            first.cost.wall - importing,
            "s",
            remark="wall beyond imports, with nothing in the cache folder",
        ),
        Figure(
            f"{count}: after {_LATER} more photos",
            later.cost.wall - importing,
            "s",
            remark="wall beyond imports",
        ),
    ]


def _memory(count: str, asked: list[Run]) -> list[Figure]:
    peaks = [done.peak for done in asked if done.peak is not None]
    if not peaks:
        return []
    return [
        Figure(f"{count}: memory", max(peak.parent for peak in peaks) / 1e6, "MB"),
        Figure(f"{count}: memory of its worker", max(peak.child for peak in peaks) / 1e6, "MB"),
    ]
