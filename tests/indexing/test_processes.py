"""Whole runs with real worker processes, on real photos, from first scan to rescan."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from catalog.indexing.run import Options, index_at
from catalog.model import Reason
from catalog.queries.duplicates import duplicates
from catalog.queries.similar import similar
from catalog.store.database import open_for_reading
from tests.support import digest, killed, known, no_loose_ends, picture, started

PHOTOS = Path(__file__).parents[3] / "shared" / "photos"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path


def index(place: Path) -> object:
    return index_at(catalog(place), [os.fsencode(place / "photos")], Options(jobs=2))


def catalog(place: Path) -> bytes:
    return os.fsencode(place / "catalog.db")


def test_a_first_run_a_query_and_a_rescan(place: Path) -> None:
    for number, form in enumerate(["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"]):
        (place / "photos" / f"{number}.jpg").write_bytes(picture(7, form))
    (place / "photos" / "bad.jpg").write_bytes(b"no picture")
    os.mkfifo(place / "photos" / "pipe.jpg")
    summary = index_at(catalog(place), [os.fsencode(place / "photos")], Options(jobs=2))
    assert (summary.added, summary.failed, summary.problems) == (6, 2, 2)
    with open_for_reading(catalog(place)) as database:
        assert duplicates(database).photos >= 3
        answer = similar(database, os.fsencode(place / "photos" / "1.jpg"))
        assert len(answer.matches) >= 2
    summary = index_at(catalog(place), (), Options(jobs=2))
    assert summary.scanned == 8
    assert (summary.added, summary.changed, summary.failed) == (0, 0, 0)
    no_loose_ends(catalog(place))


@pytest.mark.skipif(not (PHOTOS / "kodak").is_dir(), reason="the shared photos are not there")
def test_real_photos_and_their_copies(place: Path) -> None:
    names = sorted(path for path in (PHOTOS / "kodak").iterdir() if path.suffix != ".md")[:6]
    for path in names:
        shutil.copy(path, place / "photos")
        shutil.copy(path, place / "photos" / f"copy of {path.name}")
    index(place)
    on_disk = {
        os.fsencode(path.name): digest(path.read_bytes()) for path in (place / "photos").iterdir()
    }
    assert known(catalog(place), os.fsencode(place / "photos")) == on_disk
    with open_for_reading(catalog(place)) as database:
        groups = list(duplicates(database).groups)
    assert sorted(len(group.matches) for group in groups) == [1] * len(names)


def test_killed_in_the_middle_the_next_run_goes_on(place: Path) -> None:
    for number in range(80):
        (place / "photos" / f"{number}.jpg").write_bytes(picture(number, "JPEG", (640, 480)))
    child = started(lambda: index(place))
    # Commits come every 200 ms once the workers are up; wait for the first, and kill.
    for _ in range(600):
        time.sleep(0.02)
        if os.path.exists(catalog(place)):
            with open_for_reading(catalog(place)) as database:
                if database.value("SELECT count(*) FROM photo"):
                    break
    was_running = killed(child)
    kept = len(known(catalog(place), os.fsencode(place / "photos")))
    summary = index_at(catalog(place), [os.fsencode(place / "photos")], Options(jobs=2))
    found = known(catalog(place), os.fsencode(place / "photos"))
    assert len(found) == 80
    assert Reason.VANISHED not in found.values()
    no_loose_ends(catalog(place))
    if was_running and kept < 80:
        assert summary.added == 80 - kept
