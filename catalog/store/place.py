"""Where the catalog is, and which one is there."""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import TypeAlias

from catalog.errors import UsageError

Version: TypeAlias = tuple[tuple[int, int, int] | None, ...]


def catalog_file(given: str | bytes | os.PathLike[str] | os.PathLike[bytes] | None) -> bytes:
    """The absolute path of the catalog file to use.

    ``given``, with ``~`` for the home folder; where it is None, what IMGCAT_CATALOG says; else
    the file in the user's data folder. Raises UsageError for an empty name.
    """
    if given is not None and not os.fspath(given):
        raise UsageError("a catalog needs the name of a file, and this one is empty")
    chosen = given if given is not None else os.environ.get("IMGCAT_CATALOG") or _default()
    return os.path.abspath(os.path.expanduser(os.fsencode(chosen)))


def _default() -> str:
    import platformdirs  # for those who need it

    return os.path.join(platformdirs.user_data_dir("imgcat", appauthor=False), "catalog.db")


def is_default(path: bytes) -> bool:
    """Whether this is the catalog in the user's data folder."""
    return path == os.path.abspath(os.fsencode(_default()))


def log_file(catalog: bytes) -> bytes:
    """Where the daemon of a catalog writes its log when it has no terminal: the state folder."""
    import platformdirs

    folder = platformdirs.user_state_dir("imgcat", appauthor=False)
    mark = "" if is_default(catalog) else "-" + blake2b(catalog, digest_size=4).hexdigest()
    return os.fsencode(os.path.join(folder, f"watch{mark}.log"))


def version_of(path: bytes) -> Version:
    """Differs where a connection to ``path`` shows something else than is there now.

    SQLite sees what others commit to the file it has open, but not that another file took its
    place; and in a folder that we cannot write to, it was told that nobody does, and looks for
    nothing at all.
    """
    real = os.path.realpath(path)
    writable = os.access(os.path.dirname(real), os.W_OK)
    found: list[tuple[int, int, int] | None] = []
    for file in (real,) if writable else (real, real + b"-wal"):
        try:
            status = os.stat(file)
        except OSError:
            found.append(None)
        else:
            seen = (0, 0) if writable else (status.st_size, status.st_mtime_ns)
            found.append((status.st_ino, *seen))
    return tuple(found)
