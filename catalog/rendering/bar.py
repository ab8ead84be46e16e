"""The progress of a long run on the terminal."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from catalog.escaping import harmless
from catalog.progress import Phase

if TYPE_CHECKING:
    from catalog.rendering.drawing import Drawing

PATIENCE = 0.4  # seconds; a run that is over by then shows no bar, and never imports rich
_REDRAW = 0.1  # seconds between updates: engines may advance 100,000 times a second


class TerminalProgress:
    """A ``catalog.progress.Progress`` that draws a bar on stderr, gone when the run is over.

    Says nothing where stderr is no terminal, or when ``quiet``. Use it as a context manager:
    however the block is left, the bar is removed and the cursor is back.
    """

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._shown = not quiet and self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._drawing: Drawing | None = None
        self._phase: Phase | None = None
        self._total: int | None = None
        self._done = 0
        self._begun = time.monotonic()
        self._drawn = 0.0

    def start(self, phase: Phase, total: int | None = None) -> None:
        self._phase, self._total, self._done = phase, total, 0
        if self._drawing is not None:
            self._drawing.start(phase.value, total)
        self._update()

    def advance(self, count: int = 1) -> None:
        self._done += count
        if self._shown and time.monotonic() - self._drawn >= _REDRAW:
            self._update()

    def note(self, message: str) -> None:
        if not self._shown:
            return
        if self._drawing is None:
            self._stream.write(f"{harmless(message)}\n")
            self._stream.flush()
        else:
            self._drawing.write_above(harmless(message))

    def hide(self) -> None:
        """Take the bar away, for a line to be written; what goes on for long has it back."""
        if self._drawing is not None:
            self._drawing.close()
            self._drawing = None
            self._begun = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.hide()

    def _update(self) -> None:
        now = time.monotonic()
        if self._drawing is None and self._shown and now - self._begun >= PATIENCE:
            self._drawing = self._open()
        if self._drawing is not None:
            self._drawing.show(self._done)
        self._drawn = now

    def _open(self) -> Drawing:
        from catalog.rendering.drawing import Drawing  # rich takes 50 ms to import

        drawing = Drawing(self._stream)
        if self._phase is not None:
            drawing.start(self._phase.value, self._total)
        return drawing
