"""What the place can show that readable text is written to."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from io import TextIOWrapper
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Look:
    """Whether to colour, and the columns of the terminal (None: no terminal, lines never end)."""

    colour: bool = False
    width: int | None = None

    def bold(self, text: str) -> str:
        return self._painted(text, "1")

    def dim(self, text: str) -> str:
        return self._painted(text, "2")

    def good(self, text: str) -> str:
        return self._painted(text, "32")

    def bad(self, text: str) -> str:
        return self._painted(text, "31")

    def warning(self, text: str) -> str:
        return self._painted(text, "33")

    def _painted(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


def look_of(stream: TextIO) -> Look:
    """Colours only on a terminal, and not against NO_COLOR (https://no-color.org)."""
    if not stream.isatty():
        return Look()
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Look(colour=not plain, width=shutil.get_terminal_size().columns)


def for_people(stream: TextIO) -> TextIO:
    """The same stream, unable to fail on a character its encoding lacks."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


def for_programs(stream: TextIO) -> TextIO:
    """The same stream in UTF-8, line ends as written: what JSON and CSV ask for."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="strict", newline="")
    return stream
