"""What a person wants always, in a file: ``config.toml`` in their config folder.

    [dupes]
    keep = "folder:~/Photos,resolution,oldest"
    protect = ["~/Photos/Originals"]

Options of the command line say more than it does; the Python interface does not read it. A file
that is there and makes no sense is an error, as what it protects would not be.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog.errors import UsageError
from catalog.escaping import printable
from catalog.keeping import DEFAULT, KeepRules, parse


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says, or what holds where it says nothing."""

    keep: KeepRules = DEFAULT


def config_file() -> bytes:
    """The absolute path of the config file: what IMGCAT_CONFIG says, else the user's."""
    named = os.environ.get("IMGCAT_CONFIG")
    if named:
        return os.path.abspath(os.path.expanduser(os.fsencode(named)))
    import platformdirs  # for those who need it

    folder = platformdirs.user_config_dir("imgcat", appauthor=False)
    return os.path.abspath(os.fsencode(os.path.join(folder, "config.toml")))


def load() -> Config:
    """What the config file says. Raises UsageError for one that makes no sense or is unreadable.

    None need be there, but one that IMGCAT_CONFIG names, or that a link leads to.
    """
    path = config_file()
    try:
        with open(path, "rb") as file:
            return _understood(tomllib.loads(file.read().decode()))
    except FileNotFoundError as error:
        if not os.environ.get("IMGCAT_CONFIG") and not os.path.lexists(path):
            return Config()
        raise _wrong(path, error.strerror or "it is not there") from error
    except OSError as error:
        raise _wrong(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise _wrong(path, "it is not UTF-8") from error
    except (tomllib.TOMLDecodeError, UsageError) as error:
        raise _wrong(path, str(error)) from error


def _wrong(path: bytes, what: str) -> UsageError:
    return UsageError(f"the config file {printable(path)}: {what}")


def _understood(tables: Mapping[str, Any]) -> Config:
    _check_names(tables, {"dupes": dict}, "")
    dupes = tables.get("dupes", {})
    _check_names(dupes, {"keep": str, "protect": list}, "dupes.")
    protect = dupes.get("protect", [])
    if not all(isinstance(folder, str) for folder in protect):
        raise UsageError("dupes.protect has to be a list of texts")
    return Config(parse(dupes.get("keep"), map(os.fsencode, protect), absolute=True))


_WORDS: Mapping[type, str] = {dict: "a table", str: "a text", list: "a list of texts"}


def _check_names(table: Mapping[str, Any], known: Mapping[str, type], prefix: str) -> None:
    """Raise UsageError for a name that nothing is called, or what is of another type."""
    for name, value in table.items():
        if name not in known:
            names = ", ".join(prefix + each for each in known)
            raise UsageError(f"there is no {prefix}{printable(name)}: it may hold {names}")
        if not isinstance(value, known[name]):
            raise UsageError(f"{prefix}{name} has to be {_WORDS[known[name]]}")
