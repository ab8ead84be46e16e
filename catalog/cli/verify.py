"""imgcat verify"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from catalog.cli.options import (
    CatalogOption,
    JobsOption,
    JsonOption,
    PathsArgument,
    QuietOption,
    as_paths,
    is_quiet,
    open_to_ask,
)
from catalog.errors import ExitCode, UsageError
from catalog.rendering import look, reports, states, structured
from catalog.rendering.bar import TerminalProgress
from catalog.workers.cores import cores


def verify(
    context: typer.Context,
    paths: PathsArgument = None,
    sample: Annotated[
        str,
        typer.Option(metavar="PERCENT", help="Read only this part, chosen by chance, such as 1%."),
    ] = "100%",
    jobs: JobsOption = None,
    as_json: JsonOption = False,
    catalog: CatalogOption = None,
    quiet: QuietOption = False,
) -> None:
    """Read all photos again and report those whose bytes changed unseen. Repairs nothing.

    Also checks the catalog file itself. Exits with 1 when something is not as it should be.
    """
    share = _share(sample)
    quiet = is_quiet(context, quiet)
    from catalog.queries.verify import verify as read_again  # with the workers

    with (
        open_to_ask(context, catalog, quiet=quiet) as database,
        TerminalProgress(quiet=quiet) as progress,
    ):
        answer = read_again(
            database,
            as_paths(paths),
            sample=share,
            jobs=jobs or cores(),
            progress=progress,
        )
    if as_json:
        structured.write_json(states.verification(answer), look.for_programs(sys.stdout))
    else:
        reports.write_verification(answer, look.for_people(sys.stdout))
    if answer.interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    raise typer.Exit(ExitCode.DONE if answer.sound else ExitCode.FAILED)


def _share(sample: str) -> float:
    try:
        percent = float(sample.removesuffix("%"))
    except ValueError:
        percent = 0.0
    if not 0 < percent <= 100:
        raise UsageError(f"--sample takes a percentage above 0 and up to 100, not {sample}")
    return percent / 100
