"""imgcat problems"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from catalog.cli.options import (
    CatalogOption,
    JsonOption,
    PathsArgument,
    QuietOption,
    as_paths,
    is_quiet,
    only_one,
    open_to_ask,
)
from catalog.queries.standing import problems as known_problems
from catalog.rendering import look, nul, reports, states, structured


def problems(
    context: typer.Context,
    paths: PathsArgument = None,
    as_json: JsonOption = False,
    print0: Annotated[
        bool, typer.Option("--print0", help="Paths only, each ended by a NUL.")
    ] = False,
    catalog: CatalogOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show the files that could not be read, and why. They match nothing.

    Each is tried again when it changes, or when a decoder is updated or added.
    """
    only_one(json=as_json, print0=print0)
    with open_to_ask(context, catalog, quiet=quiet) as database:
        answer = known_problems(database, as_paths(paths))
    if as_json:
        structured.write_json(states.problems(answer), look.for_programs(sys.stdout))
    elif print0:
        nul.write_problems(answer, sys.stdout.buffer)
    else:
        remarks = not is_quiet(context, quiet)
        reports.write_problems(answer, look.for_people(sys.stdout), remarks=remarks)
