"""What is left to the processes that draw: the server itself starts without what reads pictures."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = "{'scipy', 'PIL'}"


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [("catalog.review.app, catalog.review.serving", set()), ("catalog.imaging.previews", {"PIL"})],
    ids=["server", "drawing"],
)
def test_nobody_waits_for_libraries_that_are_not_needed(modules: str, heavy: set[str]) -> None:
    code = f"import sys, {modules}; print(*{HEAVY} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == heavy
