"""imgcat index"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from catalog.cli.options import (
    CatalogOption,
    JobsOption,
    JsonOption,
    QuietOption,
    as_paths,
    is_quiet,
    the_catalog,
)
from catalog.errors import ExitCode
from catalog.indexing.roots import FilterChange
from catalog.indexing.run import Options, index_at
from catalog.model import Recipe, Summary
from catalog.rendering import look, reports, states, structured
from catalog.rendering.bar import TerminalProgress

Patterns = list[str] | None


def index(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...", help="Folders to index; none: every folder indexed before."
        ),
    ] = None,
    include: Annotated[
        Patterns,
        typer.Option(
            metavar="PATTERN",
            help="Only files like this and no others, whatever their suffix. Repeatable. "
            "Patterns are remembered for the folder, and replace those said before.",
        ),
    ] = None,
    exclude: Annotated[
        Patterns,
        typer.Option(
            metavar="PATTERN",
            help="No files and folders like this; with a '/', below the indexed folder. "
            "Repeatable, remembered, and replacing too; '' takes them all back.",
        ),
    ] = None,
    hidden: Annotated[
        bool | None,
        typer.Option(
            "--hidden/--no-hidden", help="Also names that begin with a dot; remembered too."
        ),
    ] = None,
    full_decode: Annotated[
        bool | None,
        typer.Option(
            "--full-decode/--reduced-decode",
            help="Hash full-size pixels: several times slower, and the same values as a plain "
            "ImageHash script. Holds for the catalog from then on.",
        ),
    ] = None,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
    catalog: CatalogOption = None,
    quiet: QuietOption = False,
) -> None:
    """Bring the catalog in line with the disk. Only what is new or changed is read.

    Hidden names and the trash folders of systems are left out, and symbolic links are not
    followed. Ctrl-C keeps what was done; the next run goes on from there.
    """
    options = Options(
        filters=FilterChange(_patterns(include), _patterns(exclude), hidden),
        recipe=_recipe(full_decode),
        jobs=jobs,
    )
    quiet = is_quiet(context, quiet)
    with TerminalProgress(quiet=quiet) as progress:
        summary = index_at(the_catalog(context, catalog), as_paths(paths), options, progress)
    if as_json:
        structured.write_json(states.summary(summary), look.for_programs(sys.stdout))
    elif not quiet:
        reports.write_summary(summary, look.for_people(sys.stdout))
    raise typer.Exit(_exit_code(summary, named=bool(paths)))


def _patterns(given: list[str] | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(pattern for pattern in given if pattern)


def _recipe(full_decode: bool | None) -> Recipe | None:
    if full_decode is None:
        return None
    return Recipe.FULL if full_decode else Recipe.REDUCED


def _exit_code(summary: Summary, *, named: bool) -> ExitCode:
    if summary.interrupted:
        return ExitCode.INTERRUPTED
    if not summary.complete or (named and summary.offline):
        return ExitCode.INCOMPLETE
    return ExitCode.DONE
