"""Folders of photos with copies of them, whose every byte can be accounted for."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from commandline import Done, Imgcat

from tests.search.pictures import natural

OLD = 1_400_000_000  # seconds; what has this age is kept


class Album:
    """Photos, a catalog of them, and the trash of whoever owns it."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch | None = None) -> None:
        home = place / "home"
        home.mkdir(parents=True)
        self.top = place / "photos"
        self.trash = home / ".local" / "share" / "Trash"
        self.imgcat = Imgcat(bytes(place / "data" / "catalog.db"), home)
        self.decisions = place / "data" / "catalog.decisions.db"
        if monkeypatch is not None:  # for what is done in this process
            monkeypatch.setenv("XDG_DATA_HOME", str(home / ".local" / "share"))
            # No power is cut here, and waiting for the disk takes most of the time.
            monkeypatch.setattr(os, "fsync", lambda descriptor: None)

    def put(self, name: str, seed: int, *, age: int = OLD, side: int = 160) -> Path:
        """A picture of this size, in the format of its suffix."""
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shown = natural(seed).resize((side, side))
        shown.save(path, **({"quality": 92} if path.suffix == ".jpg" else {}))
        os.utime(path, (age, age))
        return path

    def copy(self, name: str, to: str) -> Path:
        """The same bytes, newer."""
        path = self.top / to
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.top / name, path)
        os.utime(path, (OLD + 1000, OLD + 1000))
        return path

    def write(self, name: str, text: str) -> Path:
        path = self.top / name
        path.write_text(text)
        return path

    def index(self) -> None:
        done = self.imgcat.ask("index", self.top)
        assert done.code == 0, done.errors

    def hashes(self) -> dict[str, str]:
        """What every file below the top holds."""
        return {
            str(path.relative_to(self.top)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.top.rglob("*")
            if path.is_file()
        }

    def names(self) -> set[str]:
        return set(self.hashes())

    def thrown(self) -> set[str]:
        """Names of what is in the trash."""
        files = self.trash / "files"
        return {path.name for path in files.iterdir()} if files.exists() else set()

    def dupes(self, *words: str | Path) -> Done:
        """In this process, which has no terminal."""
        return self.imgcat.ask("dupes", *words)


def small(album: Album) -> Album:
    """Three photos, their copies, one in other bytes, and sidecars: one alike, one alone."""
    for number in range(3):
        album.put(f"kept/{number}.png", number)
        album.copy(f"kept/{number}.png", f"copies/{number}.png")
    album.put("copies/0 as.jpg", 0, age=OLD + 2000, side=120)
    for name in ("kept/1.xmp", "copies/1.xmp"):
        album.write(name, "stars: 5")
    album.write("copies/2.xmp", "stars: 4")
    album.index()
    return album
