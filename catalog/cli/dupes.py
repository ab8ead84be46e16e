"""imgcat dupes"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer

from catalog.cli.options import (
    CatalogOption,
    HashOption,
    JsonOption,
    NoVerifyOption,
    PathsArgument,
    QuietOption,
    RadiusOption,
    SimilarityOption,
    as_paths,
    is_quiet,
    only_one,
    open_to_ask,
    roots_up_to_date,
)
from catalog.model import Duplicates
from catalog.queries.criteria import criteria_of
from catalog.rendering import look, nul, structured, table, text
from catalog.rendering.bar import TerminalProgress
from catalog.workers.cores import cores


def dupes(
    context: typer.Context,
    paths: PathsArgument = None,
    exact: Annotated[bool, typer.Option("--exact", help="Identical bytes only.")] = False,
    hash_kind: HashOption = None,
    radius: RadiusOption = None,
    similarity: SimilarityOption = None,
    no_verify: NoVerifyOption = False,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Every pair that matches, instead of groups.")
    ] = False,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One line a photo, for tables.")] = False,
    print0: Annotated[
        bool,
        typer.Option("--print0", help="Paths only, each ended by a NUL; kept photos come first."),
    ] = False,
    catalog: CatalogOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show the groups of the same picture: the photo to keep first, then its copies.

    Nothing is changed. The answer is about the last index: run 'imgcat index' before, or have
    'imgcat watch' run.
    """
    only_one(json=as_json, csv=as_csv, print0=print0)
    criteria = criteria_of(hash_kind, radius, similarity, exact=exact, no_verify=no_verify)
    from catalog.queries.duplicates import duplicates  # with numpy, for those who ask

    quiet = is_quiet(context, quiet)
    with (
        open_to_ask(context, catalog, quiet=quiet) as database,
        ThreadPoolExecutor(cores()) as executor,
    ):
        with TerminalProgress(quiet=quiet) as progress:
            live = roots_up_to_date(context, catalog, progress, quiet=quiet)
            answer = duplicates(
                database,
                as_paths(paths),
                criteria,
                pairs=pairs,
                progress=progress,
                executor=executor,
                live=live,
            )
        _write(answer, as_json=as_json, as_csv=as_csv, print0=print0, remarks=not quiet)


def _write(answer: Duplicates, *, as_json: bool, as_csv: bool, print0: bool, remarks: bool) -> None:
    if as_json:
        structured.write_duplicates(answer, look.for_programs(sys.stdout))
    elif as_csv and answer.pairs is not None:
        table.write_pairs(answer.pairs, look.for_programs(sys.stdout))
    elif as_csv:
        table.write_groups(answer.groups, look.for_programs(sys.stdout))
    elif print0 and answer.pairs is not None:
        nul.write_pairs(answer.pairs, sys.stdout.buffer)
    elif print0:
        nul.write_groups(answer.groups, sys.stdout.buffer)
    else:
        text.write_duplicates(answer, look.for_people(sys.stdout), remarks=remarks)
