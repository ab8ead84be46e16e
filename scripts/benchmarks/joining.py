"""One search for all close pairs, in a process of its own: ours, or a peer's.

Run as a script, with the Python that has the engine: ``joining.py ENGINE FILE.npy RADIUS JSON``.
It needs numpy and the engine, and prints one JSON object.

A peer that would take longer than ``whole`` seconds gets a part to do that takes ``part``, and
says how much that was: so many of the values as queries against all of them (FAISS), or so many
of the values among themselves (imagededup). The values come in no order, so the first of them
are as good as any.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import time
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]

FIRST_QUERIES = 256  # of FAISS, to see how long one takes
FIRST_VALUES = 400  # of imagededup
TABLES, TABLE_BITS = 4, 16  # of FAISS multi-hash: 64 bits in all, so 4 tables miss nothing


class Stopwatch:
    """Seconds of the wall clock, and of the processor in this process and its children."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Counts while this lasts."""
        wall, before = time.perf_counter(), os.times()
        yield
        self.wall += time.perf_counter() - wall
        self.cpu += sum(os.times()[:4]) - sum(before[:4])


def imgcat(values: Hashes, radius: int, asked: dict[str, Any]) -> dict[str, Any]:
    """``catalog.search.join``, on a thread a core: every pair comes, and is counted."""
    watch = Stopwatch()
    with _threads(asked) as threads, watch.running():
        pairs = sum(len(block) for block in _pairs_within(values, radius, threads))
    return {"wall": watch.wall, "cpu": watch.cpu, "pairs": pairs, "peak": _peak()}


def distinct(values: Hashes, radius: int, asked: dict[str, Any]) -> dict[str, Any]:
    """As ``imgcat``, of every value once: what ``dupes`` does, as equal values need no search.

    "pairs" are those of all values all the same, counted from how often each value is there.
    """
    watch = Stopwatch()
    with _threads(asked) as threads, watch.running():
        once, times = np.unique(values, return_counts=True)
        pairs = int((times * (times - 1) // 2).sum())
        for block in _pairs_within(once, radius, threads):
            pairs += int((times[block.first] * times[block.second]).sum())
    return {"wall": watch.wall, "cpu": watch.cpu, "pairs": pairs, "peak": _peak()}


def _threads(asked: dict[str, Any]) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(asked["threads"])


def _pairs_within(values: Hashes, radius: int, threads: ThreadPoolExecutor) -> Iterator[Any]:
    from catalog.search.join import pairs_within  # the peers' Python does not have it

    return pairs_within(values, radius, threads)


def _peak() -> int | None:
    """The most bytes that this process has had in memory; None where the system does not tell.

    Not ``ru_maxrss``: that begins with what the process that started this one had.
    """
    with contextlib.suppress(OSError), open("/proc/self/status") as lines:
        for line in lines:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def check(values: Hashes, radius: int, asked: dict[str, Any]) -> dict[str, Any]:
    """Ours again, for what the peers were asked: matches of the first so many values.

    ``asked["queries"]`` are several such numbers; "matches" and "sums" have one item for each.
    """
    queries = asked["queries"]
    matches, sums = [0] * len(queries), [0] * len(queries)
    with _threads(asked) as threads:
        for block in _pairs_within(values, radius, threads):
            for number, limit in enumerate(queries):
                for one, other in ((block.first, block.second), (block.second, block.first)):
                    query = one < limit
                    matches[number] += int(query.sum())
                    sums[number] += summed(one[query], other[query], block.distance[query])
    return {"matches": matches, "sums": [number % 2**64 for number in sums]}


def summed(query: Indices, match: Indices, distance: NDArray[Any]) -> int:
    """A number that two sets of (query, match, distance) have in common only if they are equal.

    (But for chance, 1 in 2**64.) The order does not matter, and sums of parts add up.
    """
    key = query.astype(np.uint64) << np.uint64(32) | match.astype(np.uint64)
    key ^= distance.astype(np.uint64) << np.uint64(57)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        key = (key ^ key >> np.uint64(shift)) * np.uint64(factor)  # splitmix64
    return int(key.sum(dtype=np.uint64))


def faiss_flat(values: Hashes, radius: int, asked: dict[str, Any]) -> dict[str, Any]:
    """IndexBinaryFlat.range_search: every value against every other."""
    faiss = importlib.import_module("faiss")
    faiss.omp_set_num_threads(asked["threads"])
    return _faiss(faiss.IndexBinaryFlat(64), values, radius, asked)


def faiss_multi_hash(values: Hashes, radius: int, asked: dict[str, Any]) -> dict[str, Any]:
    """IndexBinaryMultiHash with as many flips as finding every pair takes."""
    faiss = importlib.import_module("faiss")
    faiss.omp_set_num_threads(asked["threads"])
    index = faiss.IndexBinaryMultiHash(64, TABLES, TABLE_BITS)
    index.nflip = radius // TABLES  # some table has no more differing bits than that
    return _faiss(index, values, radius, asked)


def _faiss(index: Any, values: Hashes, radius: int, asked: dict[str, Any]) -> dict[str, Any]:
    vectors = values.view(np.uint8).reshape(-1, 8)
    build = Stopwatch()
    with build.running():
        index.add(vectors)
    count = 0
    enough = min(FIRST_QUERIES, len(values))
    while enough > count:
        count = enough
        search = Stopwatch()
        with search.running():
            limits, distances, found = index.range_search(vectors[:count], radius + 1)
        enough = _next(asked, search.wall, count, len(values), 1)
    query = np.repeat(np.arange(count), np.diff(limits.astype(np.int64)))
    others = found != query
    return {
        "wall": build.wall + search.wall * len(values) / count,
        "cpu": build.cpu + search.cpu * len(values) / count,
        "measured": build.wall + search.wall,
        "values": len(values),
        "queries": count,
        "matches": int(others.sum()),
        "sum": summed(query[others], found[others], distances[others].astype(np.uint8)),
    }


def _next(asked: dict[str, Any], taken: float, count: int, every: int, power: int) -> int:
    """How many to take next, where ``count`` took so long and cost grows with that power.

    All of them if that is quick, else a part; ``count`` again where that would hardly be more.
    """
    if taken * (every / count) ** power <= asked["whole"]:
        return every
    part = int(count * (asked["part"] / max(taken, 1e-6)) ** (1 / power))
    return min(part, every) if part > 1.5 * count else count


def imagededup(values: Hashes, radius: int, asked: dict[str, Any]) -> dict[str, Any]:
    """Its HashEval, as ``find_duplicates`` of encodings calls it on this system."""
    evaluation = _imagededup_search()
    count = 0
    enough = min(FIRST_VALUES, len(values))
    while enough > count:
        count = enough
        named = {str(number): f"{value:016x}" for number, value in enumerate(values[:count])}
        watch = Stopwatch()
        with watch.running():
            search = evaluation(
                test=named,
                queries=named,
                distance_function=None,  # brute_force_cython has its own
                verbose=False,
                threshold=radius,
                search_method="brute_force_cython",
                num_dist_workers=asked["threads"],
            )
        enough = _next(asked, watch.wall, count, len(values), 2)
    found = [
        (int(query), int(match), distance)
        for query, matches in search.retrieve_results(scores=True).items()
        for match, distance in matches
    ]
    query, match, distance = np.array(found, dtype=np.int64).reshape(-1, 3).T
    scale = (len(values) / count) ** 2
    return {
        "wall": watch.wall * scale,
        "cpu": watch.cpu * scale,
        "measured": watch.wall,
        "values": count,
        "queries": count,
        "matches": len(found),
        "sum": summed(query, match, distance),
    }


def _imagededup_search() -> Any:
    """HashEval, without the packages around it.

    ``imagededup.utils`` imports PyTorch for its neural network when it is imported; the part
    that the search needs of it does not.
    """
    package = importlib.import_module("imagededup")
    stand_in = types.ModuleType("imagededup.utils")
    stand_in.__path__ = [os.path.join(package.__path__[0], "utils")]
    sys.modules[stand_in.__name__] = stand_in
    return importlib.import_module("imagededup.handlers.search.retrieval").HashEval


ENGINES: dict[str, Callable[[Hashes, int, dict[str, Any]], dict[str, Any]]] = {
    "imgcat": imgcat,
    "distinct": distinct,
    "check": check,
    "faiss flat": faiss_flat,
    "faiss multi-hash": faiss_multi_hash,
    "imagededup": imagededup,
}


def main() -> None:
    """Run the engine that the command line names."""
    engine, path, radius, asked = sys.argv[1:]
    options = json.loads(asked)
    values = np.load(path)[: options.get("values")]
    print(json.dumps(ENGINES[engine](values, int(radius), options)))


if __name__ == "__main__":
    main()
