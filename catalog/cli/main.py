"""The entry point. Imports nothing heavy: worker processes import it again when they start."""

from __future__ import annotations

import os
import signal
import sys

_INTERRUPTED = 130  # ExitCode.INTERRUPTED, which may not be imported yet


def main() -> None:
    """Run the command line and leave with its exit code."""
    _open_what_is_closed()
    try:
        from catalog.cli.app import run

        code = run(sys.argv[1:])
        _stop_listening()
    except KeyboardInterrupt:  # while importing, or for the second time
        _stop_listening()
        code = _INTERRUPTED
    sys.exit(code)


def _stop_listening() -> None:
    """All is done: one more Ctrl-C must not show where the interpreter was when it came."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _open_what_is_closed() -> None:
    """Standard streams that the caller closed: the catalog must not become descriptor 1 or 2.

    What is written to standard output then fails: an answer that nobody gets is a failure.
    """
    for name, access, mode in (
        ("stdin", os.O_RDONLY, "r"),
        ("stdout", os.O_RDONLY, "w"),
        ("stderr", os.O_WRONLY, "w"),
    ):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, access), mode, closefd=False))


if __name__ == "__main__":
    main()
