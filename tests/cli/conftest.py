"""A catalog of a few pictures, made once, and the program to ask it with."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from albums import Album
from commandline import Imgcat, picture, pictures

from tests.support import compared_here, reader

__all__ = ["compared_here", "reader"]


@pytest.fixture
def imgcat(tmp_path: Path) -> Imgcat:
    """A catalog that is not there yet."""
    return Imgcat(bytes(tmp_path / "data" / "catalog.db"), tmp_path)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compared_here: object) -> Album:
    """An album without photos; what is asked of it in this process starts no others."""
    return Album(tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six different pictures, a copy of two, one that is broken, one flat, one that is none."""
    top = tmp_path_factory.mktemp("collection")
    pictures(top, 6, folders=2)
    shutil.copy(top / "folder 0" / "0000.png", top / "copy of 0.png")
    shutil.copy(top / "folder 0" / "0000.png", top / "another copy of 0.png")
    shutil.copy(top / "folder 1" / "0001.png", top / "copy of 1.png")
    picture(top / "0 as.jpeg", 0, form="JPEG")
    (top / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    (top / "notes.txt").write_text("no picture")
    (top / "no suffix").write_text("no picture")
    return top


@pytest.fixture(scope="session")
def asked(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Imgcat:
    """The catalog of ``collection``. For questions only: tests share it."""
    home = tmp_path_factory.mktemp("home")
    made = Imgcat(bytes(home / "catalog.db"), home)
    done = made("index", collection)
    assert done.code == 0, done.errors
    return made


@pytest.fixture
def fresh(imgcat: Imgcat, collection: Path, tmp_path: Path) -> tuple[Imgcat, Path]:
    """A copy of ``collection`` with a catalog of its own, for commands that change it."""
    top = tmp_path / "photos"
    shutil.copytree(collection, top)
    assert imgcat("index", top).code == 0
    return imgcat, top
