"""Importing is cheap, and type checkers see everything."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import catalog
from catalog.api import Catalog
from tests.api.test_scripts import PROJECT, example

Python = Callable[..., "subprocess.CompletedProcess[str]"]

HEAVY = {
    *("numpy", "PIL", "imagehash", "pebble", "scipy", "pywt", "rich", "typer", "click", "blake3"),
    *("sqlite3", "multiprocessing", "concurrent", "platformdirs", "asyncio", "subprocess"),
}


def imported(python: Python, statement: str) -> set[str]:
    """The modules that a new process has after this statement, beyond those it began with."""
    done = python(
        "-c",
        "import json, sys\n"
        f"before = set(sys.modules)\n{statement}\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))",
    )
    assert (done.returncode, done.stderr) == (0, "")
    return set(json.loads(done.stdout))


def test_import_catalog_imports_nothing_else_of_it(python: Python) -> None:
    found = imported(python, "import catalog")
    assert {name for name in found if name.startswith("catalog")} == {"catalog"}
    assert len(found) < 10, found


def test_importing_catalog_and_naming_a_file_imports_nothing_heavy(python: Python) -> None:
    statement = "from catalog import Catalog, CatalogError, Photo, Phase\nCatalog('a.db').close()"
    found = imported(python, statement)
    assert "catalog.api" in found, "the measurement works"
    assert {name.partition(".")[0] for name in found}.isdisjoint(HEAVY)


def test_a_question_to_no_catalog_needs_sqlite_and_no_numpy(python: Python) -> None:
    statement = (
        "from catalog import Catalog, CatalogAbsent\n"
        "try: Catalog('a.db').status()\n"
        "except CatalogAbsent: pass"
    )
    found = imported(python, statement)
    assert "sqlite3" in found, "the measurement sees what is imported later"
    assert "numpy" not in found


def test_every_name_that_is_promised_is_there_and_no_other(python: Python) -> None:
    from catalog import errors, model, progress

    for name in catalog.__all__:
        found = getattr(catalog, name)
        (home,) = {m for m in (errors, model, progress) if hasattr(m, name)} or {
            sys.modules["catalog.api"]
        }
        assert found is getattr(home, name)
        assert inspect.getdoc(found)
    assert set(catalog.__all__) <= set(dir(catalog))
    with pytest.raises(AttributeError, match="nonsense"):
        catalog.nonsense  # type: ignore[attr-defined]  # noqa: B018
    promised = set(catalog.__all__)
    assert {name for name, kind in vars(errors).items() if _is_error(kind)} <= promised
    done = python("-c", "from catalog import *; print(Catalog, Busy)")
    assert done.returncode == 0


def _is_error(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, catalog.CatalogError)


# -- types -------------------------------------------------------------------------------------

EVERY_METHOD = """
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import assert_type

import catalog as imgcat
from catalog import (
    {names}
)


class Bar:
    def start(self, phase: Phase, total: int | None = None) -> None: ...
    def advance(self, count: int = 1) -> None: ...
    def note(self, message: str) -> None: ...


def heard(phase: Phase, done: int, total: int | None) -> bool:
    return total is None


listener: Progress = Bar()
with Catalog() as catalog, Catalog(b"my.db"), Catalog(Path("my.db")), imgcat.Catalog("my.db"):
    assert_type(catalog, Catalog)
    assert_type(
        catalog.index(
            "a", b"b", Path("c"), include="*.jpg", exclude=["a", "b"], hidden=True,
            full_decode=False, jobs=2, progress=heard,
        ),
        Summary,
    )
    assert_type(catalog.index(progress=listener), Summary)
    answer = catalog.duplicates("a", hash=HashKind.PHASH, radius=2, pairs=True, progress=Bar())
    assert_type(answer, Duplicates)
    assert_type(answer.groups, Sequence[Group])
    assert_type(answer.groups[0].matches[0].photo, Photo)
    assert_type([pair for pair in answer.pairs or ()], list[Pair])
    assert_type(catalog.duplicates(exact=True), Duplicates)
    assert_type(catalog.duplicates(similarity=90, no_verify=True), Duplicates)
    assert_type(catalog.duplicates(against=b"a", grade=Kind.SIMILAR, min_size=5), Duplicates)
    assert_type(catalog.duplicates(against=["a", b"b", Path("c")], since="7d"), Duplicates)
    assert_type(catalog.duplicates(across=True, since=datetime.now(), min_size="1MB"), Duplicates)
    assert_type(answer.stages, Stages | None)
    assert_type(answer.groups[0].matches[0].rule, Rule | None)
    assert_type(answer.groups[0].matches[0].lost, tuple[Side, ...])
    assert_type(catalog.similar("a", b"b", hash="dhash", radius=3, limit=None), Likeness)
    assert_type(catalog.similar("a", grade="same"), Likeness)
    assert_type(catalog.explain("a", Path("b"), similarity=90.5), Explanation)
    assert_type(catalog.explain("a", b"b", grade="similar").alignment, Alignment | None)
    assert_type(catalog.explain("a", b"b").comparison, Comparison | None)
    assert_type(catalog.verify("a", sample=0.5, jobs=1, progress=heard), Verification)
    assert_type(catalog.status(), Status)
    assert_type(catalog.problems("a"), list[Problem])
    plan = catalog.plan(Deed.TRASH, "a", same=True, keep="oldest", protect=["b"], progress=heard)
    assert_type(plan, ActionPlan)
    assert_type(plan.groups[0].copies[0].spared, Spared | None)
    assert_type(catalog.plan("move", folder=Path("c"), with_sidecars=True), ActionPlan)
    assert_type(catalog.perform(plan, progress=heard), Receipt)
    assert_type(catalog.undo(3, progress=heard).refused, tuple[Refusal, ...])
    assert_type(catalog.history()[0].deed, Deed)
    assert_type(catalog.keep_both("a", b"b", Path("c")), int)
    assert_type(catalog.photos(b"a"), Iterator[Photo])
    for photo in catalog:
        assert_type(photo, Photo)
        assert_type(os.fsdecode(photo.path), str)
    assert_type(catalog.close(), None)
"""

WRONG = """
import catalog
from catalog import Catalog

catalog.Nonsense
Catalog(1)
Catalog().index(["a", "b"])
Catalog().duplicates(hash=1)
Catalog().duplicates(against=1)
Catalog().verify(progress=lambda done: None)
Catalog().status().nonsense
"""


def test_programs_are_checked_by_mypy_strict_against_the_real_types(
    tmp_path: Path, python: Python
) -> None:
    script = EVERY_METHOD.format(names=",\n    ".join(catalog.__all__))
    for name in vars(Catalog):
        if not name.startswith("_"):
            assert f"catalog.{name}(" in script
    programs = {"example.py": example(), "every.py": script, "wrong.py": WRONG}
    for name, code in programs.items():
        (tmp_path / name).write_text(code)
    done = python("-m", "mypy", "--strict", "--cache-dir", "cache", *programs)
    lines = [line.split(": ")[0] for line in done.stdout.splitlines() if ": error: " in line]
    wrong = [f"wrong.py:{number}" for number in range(5, 12)]
    assert lines == wrong, done.stdout + done.stderr


def test_the_wheel_says_that_it_is_typed(tmp_path: Path, python: Python) -> None:
    pytest.importorskip("hatchling")
    done = python("-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=PROJECT)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert {"catalog/py.typed", "catalog/api.py"} <= set(zipfile.ZipFile(wheel).namelist())
