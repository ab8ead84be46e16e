"""The program as a process of its own, to be killed, starved and interrupted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))

from commandline import Imgcat

from tests.faults.stored import expected, photos
from tests.soak.figures import say

__all__ = ["expected", "imgcat", "photos", "say"]


@pytest.fixture
def imgcat(tmp_path: Path) -> Imgcat:
    """A catalog that is not there yet."""
    return Imgcat(bytes(tmp_path / "data" / "catalog.db"), tmp_path)
