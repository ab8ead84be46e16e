"""What a programme counted and how long it took, for the person who runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

Say: TypeAlias = Callable[[str], None]


@pytest.fixture
def say(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Say:
    """Writes a line at once where pytest is verbose, as under ``scripts/soak``; else nothing."""
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")

    def write(line: str) -> None:
        if terminal is not None and request.config.get_verbosity() > 0:
            with capsys.disabled():
                terminal.ensure_newline()
                terminal.write_line(f"    {line}")

    return write
