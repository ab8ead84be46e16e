"""imgcat as the benchmarks run it: the checkout's own, always on a catalog of their own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.measuring import BenchError, Run, run

IMGCAT = os.path.join(os.path.dirname(sys.executable), "imgcat")


@dataclass(frozen=True, slots=True)
class Indexing:
    """One ``imgcat index``: what it took, what it answered, and the size of the catalog."""

    run: Run
    answer: dict[str, Any]
    catalog_bytes: int


@contextlib.contextmanager
def fresh_catalog(work: str) -> Iterator[str]:
    """The path of a catalog that is not there yet; gone with its folder afterwards."""
    folder = tempfile.mkdtemp(prefix="catalog-", dir=work)
    try:
        yield os.path.join(folder, "catalog.db")
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def fresh_home(work: str) -> Iterator[dict[str, str]]:
    """An environment in which no earlier question left anything in the cache folder."""
    with tempfile.TemporaryDirectory(prefix="home-", dir=work) as home:
        yield dict.fromkeys(("HOME", "XDG_CACHE_HOME"), home)


def index(catalog: str, tree: str | None = None, jobs: int | None = None) -> Indexing:
    """``imgcat index``; without ``tree`` every known folder. Raises BenchError."""
    command = [IMGCAT, "--catalog", catalog, "index", "--json"]
    if jobs is not None:
        command += ["--jobs", str(jobs)]
    if tree is not None:
        command.append(tree)
    done = run(command)
    return Indexing(done, json.loads(done.output), os.path.getsize(catalog))


def cold_index(work: str, tree: str, files: int, jobs: int) -> Indexing:
    """Index ``tree`` into a fresh catalog. Raises BenchError unless every file went in."""
    with fresh_catalog(work) as catalog:
        done = index(catalog, tree, jobs)
    expect(done, added=files, failed=0)
    return done


def expect(done: Indexing, **fields: int) -> None:
    """Raise BenchError where the answer is not what the benchmark prepared."""
    for name, value in fields.items():
        if done.answer[name] != value:
            raise BenchError(f"imgcat index says {name} {done.answer[name]}, not {value}")
