"""imgcat forget"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from catalog.cli.options import (
    CatalogOption,
    JsonOption,
    QuietOption,
    as_paths,
    is_quiet,
    the_catalog,
)
from catalog.errors import UsageError
from catalog.indexing.forget import forget as drop
from catalog.rendering import human, look, structured
from catalog.rendering.bar import TerminalProgress
from catalog.store.database import open_existing_for_writing


def forget(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]...", help="Folders or files the catalog knows."),
    ] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="Only files that are gone from the disk.")
    ] = False,
    as_json: JsonOption = False,
    catalog: CatalogOption = None,
    quiet: QuietOption = False,
) -> None:
    """Drop what the catalog knows about these paths. The photos themselves are not touched.

    A folder that was indexed by this very path is not followed any more.
    """
    if not paths and not missing:
        raise UsageError("name what to forget, or say --missing for all files that are gone")
    quiet = is_quiet(context, quiet)
    with (
        open_existing_for_writing(the_catalog(context, catalog)) as database,
        TerminalProgress(quiet=quiet) as progress,
    ):
        count = drop(database, as_paths(paths), missing=missing, progress=progress)
    if as_json:
        answer = {"format": 1, "forgotten": count}
        structured.write_json(answer, look.for_programs(sys.stdout))
    elif not quiet:
        print(f"Forgot {human.counted(count, 'file')}. Nothing on the disk was touched.")
