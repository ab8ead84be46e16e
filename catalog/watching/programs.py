"""Other programs, run to their end: never through a shell, and never for ever."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence


def failure_of(words: Sequence[str | bytes], seconds: float) -> str:
    """Run a program, for so many seconds at most; why it failed, empty if it did not."""
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {seconds:.0f} seconds"
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:
        return str(error)
    if done.returncode == 0:
        return ""
    lines = map(str.strip, done.stderr.decode(errors="replace").split("\n"))
    # Some end with general advice, which is not why.
    said = [line for line in lines if line and not line.startswith(("See ", "Try "))]
    return said[-1] if said else f"exit code {done.returncode}"
