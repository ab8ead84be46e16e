"""A log file that never grows without end."""

from __future__ import annotations

import os
from logging import LogRecord, makeLogRecord
from logging.handlers import RotatingFileHandler
from typing import Any, Final

from catalog.errors import CatalogError
from catalog.escaping import printable

_BYTES: Final = 5_000_000
_KEPT: Final = 3  # older files beside it


class RotatingLog:
    """Whole lines go in; what no longer fits goes into older files, and then away.

    A disk that is full costs lines, and never who writes them.
    """

    def __init__(self, path: bytes) -> None:
        """Raises CatalogError where its folder cannot be made."""
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        except OSError as error:
            raise CatalogError(
                f"cannot write the log {printable(path)}: {error.strerror}"
            ) from error
        self._handler = _Handler(
            os.fsdecode(path),
            maxBytes=_BYTES,
            backupCount=_KEPT,
            encoding="utf-8",
            errors="backslashreplace",
            delay=True,
        )

    def write(self, text: str) -> object:
        """One line, with its end."""
        return self._handler.handle(makeLogRecord({"msg": text.removesuffix("\n")}))

    def flush(self) -> None:
        """Each line is written when it comes."""

    def close(self) -> None:
        """Close the file."""
        self._handler.close()


class _Handler(RotatingFileHandler):
    def handleError(self, record: LogRecord) -> None:  # noqa: N802  (logging's own name)
        """Nobody is there to be told."""

    def _open(self) -> Any:
        return open(
            self.baseFilename,
            self.mode,
            encoding=self.encoding,
            errors=self.errors,
            opener=lambda path, flags: os.open(path, flags | os.O_CLOEXEC, 0o600),
        )
