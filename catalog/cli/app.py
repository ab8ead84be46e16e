"""All commands together, and the one place where errors become a line and an exit code."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from importlib import import_module
from types import FrameType
from typing import Annotated

import typer
from typer.exceptions import TyperException

from catalog.cli.options import CatalogOption, Common, QuietOption
from catalog.errors import CatalogError, ExitCode
from catalog.escaping import harmless

_BROKEN_PIPE = 128 + signal.SIGPIPE  # what a shell reports of a process that SIGPIPE ended

# Each is the one function of its module that has the module's name, which has no hyphen.
_COMMANDS = (
    "index",
    "watch",
    "dupes",
    "review",
    "similar",
    "explain",
    "status",
    "problems",
    "verify",
    "forget",
    "undo",
    "history",
    "keep-both",
)


def _app(arguments: list[str]) -> typer.Typer:
    """The commands that these arguments can mean; all of them where none is named.

    What only other commands need is not imported: starting is half the time of a question.
    """
    app = typer.Typer(
        name="imgcat",
        help="A catalog of all your pictures that always knows which ones are the same.",
        invoke_without_command=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(common)
    for name in _named(arguments) or _COMMANDS:
        word = name.replace("-", "_")
        app.command(name)(getattr(import_module(f"catalog.cli.{word}"), word))
    return app


def _named(arguments: list[str]) -> list[str]:
    if arguments[:1] == ["--version"]:
        return ["status"]  # any one: it is not run
    if arguments[:1] in (["-h"], ["--help"]):
        return []
    return [name for name in _COMMANDS if name in arguments]


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"imgcat {version('imgcat-catalog')}")
        raise typer.Exit


def common(
    context: typer.Context,
    catalog: CatalogOption = None,
    quiet: QuietOption = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="With an error, also print where it came from.")
    ] = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and leave.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """A catalog of all your pictures that always knows which ones are the same."""
    if context.invoked_subcommand is None:
        print(context.get_help())
    context.obj = Common(catalog=catalog, quiet=quiet, verbose=verbose)


def run(arguments: list[str]) -> int:
    """Run one command; returns the exit code. Never raises, and never shows a traceback unasked."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    verbose = "--verbose" in arguments
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except TyperException as error:  # the only ones it raises are about arguments
        context = getattr(error, "ctx", None)
        where = f" (see '{context.command_path} --help')" if context else ""
        # How a check says that it is one, which tells a person nothing.
        message = error.format_message().replace("Value error, ", "")
        return _complain(message + where, ExitCode.USAGE)
    except CatalogError as error:
        return _complain(str(error), error.exit_code, traceback.format_exc() if verbose else "")
    except KeyboardInterrupt:
        return _complain("interrupted; run the same command to go on", ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has had enough.
        _drop_output()
        return _BROKEN_PIPE
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None and error.strerror:
            _drop_output()
            return _complain(f"cannot write the output: {error.strerror}", ExitCode.FAILED)
        what = f"{type(error).__name__}: {error}"
        hint = "" if verbose else "; --verbose before the command shows where"
        message = f"this should not have happened: {what}{hint}"
        return _complain(message, ExitCode.FAILED, traceback.format_exc() if verbose else "")
    return code if isinstance(code, int) else ExitCode.DONE


def _invoke(arguments: list[str]) -> object:
    """Run one command; returns what it returned, or its exit code.

    Typer's own main would make a silent exit of Ctrl-C, and of a closed pipe.
    """
    command = typer.main.get_command(_app(arguments))
    try:
        with command.make_context("imgcat", list(arguments)) as context:
            return command.invoke(context)
    except typer.Exit as error:
        return error.exit_code


def _drop_output() -> None:
    """What still waits to be written must not be tried again when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str, code: ExitCode, details: str = "") -> int:
    for line in details.splitlines():
        print(harmless(line), file=sys.stderr)
    print(f"imgcat: {harmless(message)}", file=sys.stderr)
    return int(code)


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
