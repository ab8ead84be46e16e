"""One peer over a folder of pictures, in a process of its own.

Run as a script, with the Python that has the engine: ``rivals.py ENGINE FOLDER LIMIT``. Prints
a JSON array of groups of paths relative to the folder; a pair is a group of two. It needs numpy
and the engine.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import json
import os
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np


def imagededup(folder: str, limit: int) -> list[list[str]]:
    """Its pHash as it comes: pairs of up to ``limit`` bits, of all files below the folder."""
    engine = _imagededup_hashing().PHash(verbose=False)
    hashes = engine.encode_images(folder, recursive=True)
    found = engine.find_duplicates(encoding_map=hashes, max_distance_threshold=limit)
    pairs = ((one, other) for one, others in found.items() for other in others)
    return [[one, other] for one, other in pairs if one < other]  # it tells each from both sides


def _imagededup_hashing() -> Any:
    """Its hashes, without the neural network beside them, which is gigabytes of PyTorch.

    ``imagededup.methods`` and ``imagededup.utils`` import that for themselves when they are
    imported; their modules about hashes do not.
    """
    package = importlib.import_module("imagededup")
    for part in ("methods", "utils"):
        stand_in = types.ModuleType(f"imagededup.{part}")
        stand_in.__path__ = [os.path.join(package.__path__[0], part)]
        sys.modules[stand_in.__name__] = stand_in
    return importlib.import_module("imagededup.methods.hashing")


def czkawka_groups(folder: str, limit: int) -> list[list[str]]:
    """Its groups as they come, at a similarity of 0 (strict) to 50 bits.

    From 1 on, the copies of one picture are torn apart: where 30 copies of 150 pictures are given,
    a limit of 15 makes 971 groups of them, and not always the same.
    """
    engine = importlib.import_module("czkawka").ImageSimilarity()
    engine.set_directories([folder])
    engine.set_similarity(limit)
    groups = engine.find_similar()
    return [[os.path.relpath(path, folder) for path in group] for group in groups]


def czkawka_pairs(folder: str, limit: int) -> list[list[str]]:
    """All pairs of up to ``limit`` bits of its hashes: what these see, whatever the grouping."""
    engine = importlib.import_module("czkawka").ImageSimilarity()
    hashes: dict[str, str] = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(top, name)
            hashes[os.path.relpath(path, folder)] = engine.hash_image(path)
    names = sorted(hashes)
    padded = (hashes[name] + "=" * (-len(hashes[name]) % 4) for name in names)
    values = np.array([np.frombuffer(base64.b64decode(text), dtype="<u8") for text in padded])
    pairs: list[list[str]] = []
    for number, value in enumerate(values):
        distances = np.bitwise_count(values[number + 1 :] ^ value).sum(axis=1)
        near = np.flatnonzero(distances <= limit) + number + 1
        pairs.extend([names[number], names[other]] for other in near)
    return pairs


ENGINES: dict[str, Callable[[str, int], list[list[str]]]] = {
    "imagededup": imagededup,
    "czkawka groups": czkawka_groups,
    "czkawka pairs": czkawka_pairs,
}


def main() -> None:
    """Run the engine that the command line names; only the answer goes to standard output."""
    engine, folder, limit = sys.argv[1:]
    with contextlib.redirect_stdout(sys.stderr):
        groups = ENGINES[engine](folder, int(limit))
    print(json.dumps(groups))


if __name__ == "__main__":
    main()
