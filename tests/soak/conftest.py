"""The long forms of the fault proofs: the program on disks that fail, fill up and lose power."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))

from commandline import Imgcat

from tests.faults.stored import expected, photos
from tests.soak.disks import loop_disks
from tests.soak.figures import say
from tests.support import library, reader

__all__ = ["expected", "imgcat", "library", "loop_disks", "photos", "reader", "say"]


@pytest.fixture
def imgcat(tmp_path: Path) -> Imgcat:
    """A catalog that is not there yet, in a folder to mount a disk on."""
    (tmp_path / "disk").mkdir()
    return Imgcat(bytes(tmp_path / "disk" / "catalog.db"), tmp_path)
