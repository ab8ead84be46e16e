"""Nothing is done to files before somebody said yes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from catalog.errors import Refused

YesOption = Annotated[
    bool,
    typer.Option("--yes", "-y", help="Do it without asking; needed where there is no terminal."),
]


def confirm(question: str, *, yes: bool) -> None:
    """Ask on the terminal, unless ``yes`` was said before.

    Raises Refused where the answer is anything but yes, Ctrl-C too, or nobody is there to give it.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused("nothing was done: there is no terminal to ask on, so say --yes as well")
    sys.stdout.flush()
    try:
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        answer = ""
    if not answer.endswith("\n"):
        print(file=sys.stderr)
    if answer.strip().lower() not in ("y", "yes"):
        raise Refused("nothing was done")
