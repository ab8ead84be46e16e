"""What needs no decoder imports none, opens no photo, and starts no process."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import PROGRAM, Imgcat, pictures

HEAVY = (
    *("numpy", "PIL", "imagehash", "pebble", "scipy", "pywt", "multiprocessing", "rich"),
    *("starlette", "uvicorn", "jinja2", "asyncio"),
)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Imgcat:
    """A catalog that has nothing to do. Tests share it, as none of them changes anything."""
    place = tmp_path_factory.mktemp("light")
    imgcat = Imgcat(bytes(place / "data" / "catalog.db"), place)
    pictures(place / "photos", 12)
    for path in (place / "photos").rglob("*.png"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    assert imgcat("index", place / "photos", "-j", "1").code == 0
    settle(imgcat)
    return imgcat


def settle(imgcat: Imgcat) -> None:
    """Read once more what was so new at the first look that it had to be."""
    import time

    time.sleep(2.6)
    assert imgcat("index", "-j", "1").code == 0


def imported(done_err: bytes) -> set[str]:
    lines = [line for line in done_err.decode().splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["dupes", "--help"],
        ["review", "--help"],
        ["status"],
        ["index"],
        ["problems"],
    ],
    ids=" ".join,
)
def test_what_needs_no_decoder_imports_none(indexed: Imgcat, words: list[str]) -> None:
    command = [sys.executable, "-P", "-X", "importtime", "-m", "catalog", "--catalog"]
    done = indexed.execute([*map(os.fsencode, command), indexed.catalog, *map(os.fsencode, words)])
    assert done.code == 0
    found = imported(done.err)
    assert "typer" in found, "the measurement works"
    assert found.isdisjoint(HEAVY)


def test_the_measurement_sees_numpy_where_it_is_needed(indexed: Imgcat) -> None:
    command = [sys.executable, "-P", "-X", "importtime", "-m", "catalog", "--catalog"]
    done = indexed.execute([*map(os.fsencode, command), indexed.catalog, b"dupes"])
    assert "numpy" in imported(done.err)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not there")
def test_a_rescan_that_finds_nothing_opens_no_photo_and_starts_no_process(
    indexed: Imgcat, tmp_path: Path
) -> None:
    log = tmp_path / "strace.log"
    trace = ["strace", "-f", "-e", "trace=open,openat,execve,clone,clone3,fork,vfork"]
    command = [*map(os.fsencode, [*trace, "-o", str(log)]), *indexed.command("index")]
    done = indexed.execute(command)
    if b"ptrace" in done.err:
        pytest.skip("not allowed to trace here")
    assert done.code == 0
    assert "nothing new" in done.text
    calls = log.read_text(errors="replace")
    assert calls.count("execve(") == 1
    assert not re.search(r"\b(clone|clone3|fork|vfork)\(", calls)
    assert ".png" not in calls
    assert "folder 0" in calls, "the measurement works"


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not there")
def test_help_opens_no_catalog_and_makes_none(tmp_path: Path, imgcat: Imgcat) -> None:
    done = imgcat("--help")
    assert done.code == 0
    assert not (tmp_path / "data").exists()
    program = subprocess.run([*PROGRAM, "--help"], capture_output=True, check=True, env=imgcat.env)
    assert program.stdout == done.out
