"""Every file of the shared photos, hostile ones included, gives an outcome in bounded time."""

from __future__ import annotations

import os
import subprocess
import sys

SCRIPT = """
import os, sys, time
from catalog.imaging import reading
from catalog.imaging.formats import PICTURE_SUFFIXES, suffix_of
from catalog.model import Fingerprint, Recipe

reading.warm_up()
read = slow = fingerprints = 0
for folder, _, names in os.walk(os.fsencode(sys.argv[1])):
    for name in names:
        suffix = suffix_of(name)
        if suffix and suffix not in PICTURE_SUFFIXES:
            continue
        path = os.path.join(folder, name)
        print(path, file=sys.stderr, flush=True)
        begun = time.process_time()
        outcome = reading.read(path, Recipe.REDUCED).outcome
        slow += time.process_time() - begun > 5
        read += 1
        fingerprints += isinstance(outcome, Fingerprint)
print(read, slow, fingerprints)
"""


def test_every_file_gives_an_outcome(photos):
    """In a process of its own: what crashes it is the last name it wrote."""
    command = [sys.executable, "-W", "error", "-c", SCRIPT, os.fspath(photos)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-500:]
    read, slow, fingerprints = map(int, run.stdout.split())
    assert read > 2000
    assert slow == 0
    assert fingerprints > 0.9 * read
