"""The progress bar, on a real terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import textwrap
from contextlib import suppress

from catalog.progress import Phase
from catalog.rendering.bar import TerminalProgress

HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"
PRELUDE = """
import sys, time
from catalog.progress import Phase
from catalog.rendering import bar
from catalog.rendering.bar import TerminalProgress

bar.PATIENCE = 0.0
"""


def on_a_terminal(script: str) -> bytes:
    """What a Python program writes to its terminal."""
    here, there = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    program = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script)],
        stdin=there,
        stdout=there,
        stderr=there,
        env=environment,
    )
    os.close(there)
    shown = b""
    with suppress(OSError):  # EIO: the other end is closed
        while part := os.read(here, 65536):
            shown += part
    os.close(here)
    assert program.wait(30) == 0, shown
    return shown


def bare(shown: bytes) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())


def test_a_phase_shows_its_name_count_and_total():
    shown = on_a_terminal(
        """
        with TerminalProgress() as progress:
            progress.start(Phase.READING, 5000)
            for _ in range(8):
                time.sleep(0.06)
                progress.advance(250)
        """
    )
    assert re.search(r"Reading photos .*[\d,]+/5,000 [\d,]+/s .*left", bare(shown))
    assert shown.count(HIDE_CURSOR) == shown.count(SHOW_CURSOR) == 1


def test_a_phase_of_unknown_length_counts_without_a_total():
    shown = on_a_terminal(
        """
        with TerminalProgress() as progress:
            progress.start(Phase.LISTING)
            for _ in range(4):
                time.sleep(0.11)
                progress.advance(700)
        """
    )
    assert re.search(r"Listing folders .* 2,\d00", bare(shown))
    assert "left" not in bare(shown)


def test_an_interrupt_gives_the_cursor_back():
    shown = on_a_terminal(
        """
        try:
            with TerminalProgress() as progress:
                progress.start(Phase.READING, 10)
                time.sleep(0.2)
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.stderr.write("END")
        """
    )
    assert HIDE_CURSOR in shown
    assert shown.rindex(SHOW_CURSOR) > shown.rindex(HIDE_CURSOR)
    assert bare(shown).endswith("END")


def test_notes_stand_above_the_bar_and_are_made_safe():
    shown = on_a_terminal(
        r"""
        with TerminalProgress() as progress:
            progress.start(Phase.READING, 10)
            progress.note("waiting for [bold]\x1b]0;x\x07[/bold] :smile: \n now " + "y" * 200)
        """
    )
    expected = r"waiting for [bold]\x1b]0;x\x07[/bold] :smile: \x0a now " + "y" * 200
    assert expected in bare(shown).replace("\r\n", "")


def test_a_short_run_shows_no_bar_and_does_not_import_rich():
    shown = on_a_terminal(
        """
        bar.PATIENCE = 60.0
        with TerminalProgress() as progress:
            progress.start(Phase.LISTING, 3)
            progress.advance(3)
            progress.note("said anyway")
        assert not [name for name in sys.modules if name.split(".")[0] == "rich"]
        """
    )
    assert shown == b"said anyway\r\n"


def test_quiet_is_quiet():
    shown = on_a_terminal(
        """
        with TerminalProgress(quiet=True) as progress:
            progress.start(Phase.LISTING, 3)
            progress.advance(3)
            progress.note("never said")
        """
    )
    assert shown == b""


def test_nothing_is_written_where_there_is_no_terminal():
    stream = io.StringIO()
    with TerminalProgress(stream) as progress:
        progress.start(Phase.READING, 3)
        progress.advance(3)
        progress.note("never said")
    assert stream.getvalue() == ""
