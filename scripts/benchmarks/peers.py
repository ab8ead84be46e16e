"""Peers, installed when they are asked for, apart from the project's own environment."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from typing import Final

from benchmarks.measuring import BenchError, Run, run, say

_PROJECT: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_ENVIRONMENT: Final = os.path.join(_PROJECT, ".venv-bench")
PYTHON: Final = os.path.join(_ENVIRONMENT, "bin", "python")
_RIVALS: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rivals.py")
_CZKAWKA: Final = """
import sys
from czkawka import ImageSimilarity
engine = ImageSimilarity()
engine.set_directories(sys.argv[1:])
engine.set_similarity(0)
engine.find_similar()
"""


def beside_the_project(*names: str) -> str:
    """A path in the folder that the checkout stands in."""
    return os.path.join(os.path.dirname(_PROJECT), *names)


def install(package: str, *, requirements: Sequence[str] | None = None) -> str:
    """Have ``package`` in the peers' environment; returns its version. Raises BenchError.

    With ``requirements`` those are installed instead of the ones that it names; they may be
    more than were needed when it was installed for something else.
    """
    if not os.path.exists(PYTHON):
        say(f"setting up {os.path.basename(_ENVIRONMENT)}, once")
        venv.create(_ENVIRONMENT, with_pip=True)
    version = installed(package)
    if version is None or None in map(installed, requirements or ()):
        say(f"installing {package} into {os.path.basename(_ENVIRONMENT)}")
        if requirements is None:
            fine = _pip(package)
        else:
            fine = _pip(*requirements) and _pip("--no-deps", package)
        version = installed(package)
        if not fine or version is None:
            raise BenchError(f"{package} could not be installed: see above")
    return version


def _pip(*arguments: str) -> bool:
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return subprocess.run([*command, *arguments], stdout=sys.stderr, check=False).returncode == 0


def installed(package: str) -> str | None:
    """The version of ``package`` in the peers' environment; None without one."""
    if not os.path.exists(PYTHON):
        return None
    ask = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"
    done = subprocess.run([PYTHON, "-c", ask, package], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def czkawka(tree: str) -> Run:
    """Its engine over a folder: list, decode and hash on all cores, compare."""
    return _without_a_cache([PYTHON, "-c", _CZKAWKA, tree])


def rival(engine: str, folder: str, limit: int) -> Run:
    """``rivals.py``: an engine over a folder of pictures; the groups of them are its output."""
    return _without_a_cache([PYTHON, _RIVALS, engine, folder, str(limit)])


def _without_a_cache(command: Sequence[str]) -> Run:
    """Run it in a home that has just been made, so that nothing can come from a cache."""
    with tempfile.TemporaryDirectory(prefix="bench-home-") as home:
        places = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
        return run(command, environment=dict.fromkeys(places, home))
