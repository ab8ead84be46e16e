"""A library of small pictures, its catalog, and the command line to compare answers with."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from catalog import Catalog
from catalog.cli.app import run
from tests.support import Library, library, mounts, picture, reader

__all__ = ["library", "mounts", "reader"]

PATIENCE = 60.0  # seconds; a script that takes longer hangs
ODD_NAME = b"\xff\xfe \n.bmp" if sys.platform == "linux" else "ä \n.bmp".encode()


@pytest.fixture
def filled(library: Library) -> Library:
    """Copies, a re-encoded one, flat ones, one that is broken, and an odd name; not indexed."""
    for number in range(6):
        library.put(f"{number % 2}/{number}.bmp", number)
    library.put("copy of 0.bmp", 0)
    library.put("1/another copy of 0.bmp", 0)
    library.put("0 as.jpg", picture(0, "JPEG"))
    library.put(ODD_NAME, 1)
    library.put("broken.jpg", b"\xff\xd8\xff\xe0 and no more")
    return library


@pytest.fixture
def catalog(filled: Library) -> Iterator[Catalog]:
    """The catalog of ``filled``, indexed and open."""
    with Catalog(filled.catalog) as opened:
        opened.index(filled.top)
        yield opened


@pytest.fixture
def command(filled: Library) -> Callable[..., str]:
    """What imgcat writes to its standard output when it is given these words."""

    def written(*words: str | bytes | Path) -> str:
        out = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="")
        handler = signal.getsignal(signal.SIGTERM)
        arguments = [os.fsdecode(word) for word in ("--catalog", filled.catalog, *words)]
        try:
            with contextlib.redirect_stdout(out):
                code = run(arguments)
        finally:
            signal.signal(signal.SIGTERM, handler)
        assert code == 0
        out.flush()
        said: bytes = out.buffer.getvalue()  # type: ignore[attr-defined]
        return said.decode()

    return written


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python as somebody does who has imgcat installed, and a home of their own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("IMGCAT", "XDG_DATA"))}
    env = {**kept, "HOME": str(tmp_path), "PYTHONWARNINGS": "default", "NO_COLOR": "1"}

    def running(*words: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, *map(str, words)]
        settings = {"cwd": tmp_path, "env": env, "timeout": PATIENCE, "text": True, **options}
        return subprocess.run(arguments, capture_output=True, check=False, **settings)  # type: ignore[call-overload, no-any-return]

    return running
