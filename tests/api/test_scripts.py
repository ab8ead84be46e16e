"""Catalog in programs of all kinds, run as people run them: nothing has to be guarded."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.support import picture

PROJECT = Path(__file__).resolve().parents[2]
PHOTOS = PROJECT.parent / "shared" / "photos"
Python = Callable[..., "subprocess.CompletedProcess[str]"]

COUNT = 40

# Without any guard: it would run again in every process that imports the main module.
SCRIPT = """
print("begun", flush=True)
from catalog import Catalog

with Catalog("my.db") as catalog:
    summary = catalog.index("photos", jobs=2)
    print(summary.added, summary.failed, summary.interrupted)
    print(sum(1 for _ in catalog), len(catalog.duplicates().groups))
    print(len(catalog.similar("other.bmp", radius=64, no_verify=True).matches))
"""
SAID = f"begun\n{COUNT} 0 False\n{COUNT} 1\n20\n"

IN_A_THREAD = f"""
import threading

source = compile({SCRIPT!r}, "<cell>", "exec")
thread = threading.Thread(target=exec, args=(source, {{}}))
thread.start()
thread.join()
"""

# As in a notebook: the main module is made by hand, comes from no file, and an event loop runs.
IN_A_NOTEBOOK = f"""
import asyncio, sys, types

main = sys.modules["__main__"] = types.ModuleType("__main__")

async def cell():
    exec(compile({SCRIPT!r}, "<ipython-input-1>", "exec"), main.__dict__)

asyncio.run(cell())
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for number in range(COUNT):
        name = f"{number}.bmp"
        (tmp_path / "photos" / name).write_bytes(picture(max(number, 1)))
    (tmp_path / "other.bmp").write_bytes(picture(100))
    return tmp_path


@pytest.mark.parametrize(
    ("way", "script"),
    [
        ("file", SCRIPT),
        ("module", SCRIPT),
        ("-c", SCRIPT),
        ("stdin", SCRIPT),
        ("file", IN_A_THREAD),
        ("stdin", IN_A_NOTEBOOK),
    ],
    ids=["file", "module", "-c", "stdin", "thread", "notebook"],
)
def test_a_script_without_a_guard_runs_once_however_it_is_started(
    home: Path, python: Python, way: str, script: str
) -> None:
    (home / "script.py").write_text(script)
    if way == "file":
        done = python("script.py")
    elif way == "module":
        done = python("-m", "script")
    elif way == "-c":
        done = python("-c", script)
    else:
        done = python("-", input=script)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == SAID


def test_ctrl_c_returns_what_was_done_and_the_script_goes_on(home: Path, python: Python) -> None:
    """Sent as a terminal sends it: to the script and to every process that it started."""
    (home / "script.py").write_text(
        "import os, signal\n"
        "from catalog import Catalog, Phase\n"
        "def stop(phase, done, total):\n"
        "    if (phase, done) == (Phase.READING, 3):\n"
        "        os.killpg(0, signal.SIGINT)\n"
        "with Catalog('my.db') as catalog:\n"
        "    first = catalog.index('photos', jobs=1, progress=stop)\n"
        "    there = sum(1 for _ in catalog)\n"
        "    second = catalog.index('photos', jobs=1)\n"
        "    print(first.interrupted, 3 <= first.added == there < second.scanned)\n"
        "    print(second.interrupted, first.added + second.added)\n"
    )
    done = python("script.py", start_new_session=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"True True\nFalse {COUNT}\n"


# -- the example of the README -----------------------------------------------------------------


def example() -> str:
    readme = (PROJECT / "README.md").read_text()
    section = readme.split("## Use it from Python\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return str(code)


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """Real pictures of some sorts, a copy, a smaller copy, and one cut short."""
    top = tmp_path / "Pictures"
    chosen = sorted((PHOTOS / "kodak").glob("*.png"))[:4]
    chosen += sorted((PHOTOS / "mit_exif_orientation").rglob("*.jpg"))[:3]
    chosen += sorted((PHOTOS / "cc0_clothing").glob("*.jpg"))[:4]
    (top / "phone").mkdir(parents=True)
    for path in chosen:
        shutil.copyfile(path, top / path.name)
    shutil.copyfile(chosen[0], top / "phone" / "copy.png")
    with Image.open(chosen[1]) as image:
        image.convert("RGB").reduce(2).save(top / "phone" / "small.jpg")
    (top / "phone" / "half.jpg").write_bytes(chosen[-1].read_bytes()[:5000])
    return top


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the collection is not there")
def test_the_example_of_the_readme_runs_and_says_what_the_command_line_says(
    tmp_path: Path, real: Path, python: Python
) -> None:
    (tmp_path / "example.py").write_text(example())
    done = python("example.py")
    assert (done.returncode, done.stderr) == (0, "")
    shown, _, said = done.stdout.partition("Reading photos: 14 of 14   \n")
    assert shown.endswith("Reading photos: 13 of 14   \n"), "each \\r is read as a \\n"
    said = said.removeprefix("\n")
    assert said.startswith("13 photos added, 1 could not be read\n")
    asked = python("-m", "catalog", "dupes", "--json")
    wanted = []
    for group in json.loads(asked.stdout)["groups"]:
        keep, *others = group["photos"]
        wanted.append(f"keep {keep['path']!a}")
        wanted += [f"     {p['kind']} {p['path']!a}" for p in others]
    said_of = [re.sub(r"^( +\w+) [0-9.]+ ", r"\1 ", line) for line in said.splitlines()[1:-1]]
    assert said_of == wanted
    assert {"copy.png", "small.jpg"} <= {path.rpartition("/")[2].rstrip("'") for path in wanted}
    assert said.splitlines()[-1].startswith("cameras: {")
    assert len(example().splitlines()) < 25
