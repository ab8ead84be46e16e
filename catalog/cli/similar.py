"""imgcat similar"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from catalog.cli.options import (
    CatalogOption,
    GradeOption,
    HashOption,
    JsonOption,
    KeptBothOption,
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
from catalog.cli.showing import ShowOption, canvas, write_likeness
from catalog.model import Kind
from catalog.queries.criteria import SIMILAR_LIMIT, SIMILAR_RADIUS, criteria_of
from catalog.queries.picture import asked_about
from catalog.rendering import look, nul, structured
from catalog.rendering.bar import TerminalProgress
from catalog.workers.cores import cores


def similar(
    context: typer.Context,
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="A picture, in the catalog or not.")
    ],
    paths: PathsArgument = None,
    hash_kind: HashOption = None,
    radius: RadiusOption = None,
    similarity: SimilarityOption = None,
    no_verify: NoVerifyOption = False,
    grade: GradeOption = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="How many matches at most.")
    ] = SIMILAR_LIMIT,
    kept_both: KeptBothOption = False,
    show: ShowOption = False,
    as_json: JsonOption = False,
    print0: Annotated[
        bool, typer.Option("--print0", help="Paths only, each ended by a NUL, best first.")
    ] = False,
    catalog: CatalogOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show what looks like one picture, best first."""
    only_one(json=as_json, print0=print0, show=show)
    criteria = criteria_of(
        hash_kind,
        radius,
        similarity,
        no_verify=no_verify,
        grade=grade,
        default_radius=SIMILAR_RADIUS,
        default_grade=Kind.SIMILAR,
    )
    quiet = is_quiet(context, quiet)
    (asked,) = as_paths([image])
    drawn_on = canvas(show)
    with (
        open_to_ask(context, catalog, quiet=quiet) as database,
        TerminalProgress(quiet=quiet) as progress,
        asked_about(database, [asked]) as pictures,
    ):
        # The picture is being read in a process of its own while numpy is imported here.
        from catalog.queries.similar import similar_to

        live = roots_up_to_date(context, catalog, progress, quiet=quiet)

        answer = similar_to(
            database,
            lambda: pictures()[0],
            asked,
            as_paths(paths),
            criteria=criteria,
            limit=limit,
            progress=progress,
            jobs=cores(),
            live=live,
            kept_both=kept_both,
        )
        (picture,) = pictures()
    if as_json:
        structured.write_json(structured.likeness(answer), look.for_programs(sys.stdout))
    elif print0:
        nul.write_matches(answer.matches, sys.stdout.buffer)
    else:
        write_likeness(answer, (picture.path, picture.digest), drawn_on, remarks=not quiet)
