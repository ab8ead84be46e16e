"""scripts/browser finds a Chromium, or installs one where it may, or says what is missing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "browser"


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder that is all of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def tool(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def run(tools: Path) -> subprocess.CompletedProcess[str]:
    shell = shutil.which("sh")
    assert shell is not None
    return subprocess.run(
        [shell, str(SCRIPT)], capture_output=True, text=True, check=False, env={"PATH": str(tools)}
    )


@pytest.mark.parametrize("name", ["chromium", "google-chrome"])
def test_what_is_there_is_found_and_nothing_is_installed(tools: Path, name: str) -> None:
    found = tool(tools, name, "exit 1")
    tool(tools, "apt-get", "echo called >&2")
    done = run(tools)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{found}\n", "")


# What says how it was called, and brings a browser.
APT = """
echo "$@"
if [ "$1" = install ]; then
    echo '#!/bin/sh' >{path}
    /bin/chmod 755 {path}
fi
"""


def test_root_has_it_installed(tools: Path) -> None:
    path = tools / "chromium"
    tool(tools, "apt-get", APT.format(path=path))
    tool(tools, "id", "echo 0")
    done = run(tools)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{path}\n", "what installs it says nothing there"
    calls = [line for line in done.stderr.splitlines() if not line.startswith("imgcat: ")]
    assert calls == ["update -q", "install -q -y --no-install-recommends chromium"]


@pytest.mark.parametrize(
    ("user", "apt", "said"),
    [
        ("1000", "echo called >&2", "only root may install it"),
        ("0", "exit 100", "apt-get update failed"),
        ("0", '[ "$1" = update ]', "it could not be installed"),
        ("0", "exit 0", "its package brought none"),
        ("0", None, "no apt-get that could install it"),
    ],
    ids=["no root", "no update", "no package", "nothing came", "no apt-get"],
)
def test_else_it_says_what_is_missing(tools: Path, user: str, apt: str | None, said: str) -> None:
    tool(tools, "id", f"echo {user}")
    if apt is not None:
        tool(tools, "apt-get", apt)
    done = run(tools)
    assert done.returncode == 1
    assert done.stdout == ""
    assert said in done.stderr
    assert "apt-get install chromium" in done.stderr
    assert "called" not in done.stderr
