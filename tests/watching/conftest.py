"""The daemon as a process of its own, among people and programs that change the photos."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))

from commandline import Imgcat

from tests.soak.figures import say
from tests.support import Library, Reader, library, open_place, reader
from tests.watching.following import Following
from tests.watching.live import Pool, Watched

__all__ = ["following", "imgcat", "library", "open_place", "reader", "say"]


@pytest.fixture
def watched(library: Library, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """A library that a daemon on a thread follows; to be started."""
    monkeypatch.setattr("catalog.watching.hints.QUIET", 0.1)  # people wait longer than tests
    pool = Pool(reader)
    monkeypatch.setattr("catalog.watching.tools.standing_pool", lambda jobs: pool)
    daemon = Watched(library, pool)
    yield daemon
    daemon.stop()


@pytest.fixture
def imgcat(tmp_path: Path) -> Imgcat:
    """A catalog that is not there yet."""
    return Imgcat(bytes(tmp_path / "data" / "catalog.db"), tmp_path)


@pytest.fixture
def following(imgcat: Imgcat, tmp_path: Path) -> Iterator[Following]:
    """A daemon for the folder ``photos``, to be started."""
    daemon = Following(imgcat, tmp_path / "photos")
    yield daemon
    daemon.close()
