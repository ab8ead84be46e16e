"""imgcat explain"""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated

import typer

from catalog.cli.options import (
    CatalogOption,
    GradeOption,
    HashOption,
    JsonOption,
    NoVerifyOption,
    QuietOption,
    RadiusOption,
    SimilarityOption,
    as_paths,
    is_quiet,
    open_to_ask,
)
from catalog.errors import CatalogAbsent
from catalog.queries.criteria import criteria_of
from catalog.rendering import explained, explanation, look, structured


def explain(
    context: typer.Context,
    first: Annotated[str, typer.Argument(metavar="A", help="A picture, in the catalog or not.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The one to compare it with.")],
    exact: Annotated[bool, typer.Option("--exact", help="As dupes --exact compares.")] = False,
    hash_kind: HashOption = None,
    radius: RadiusOption = None,
    similarity: SimilarityOption = None,
    no_verify: NoVerifyOption = False,
    grade: GradeOption = None,
    image: Annotated[
        str | None,
        typer.Option(
            "--image",
            metavar="FILE.png",
            help="Also draw both, side by side with what differs, in this new file.",
        ),
    ] = None,
    as_json: JsonOption = False,
    catalog: CatalogOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show why two pictures match or not, as dupes with the same options compares them."""
    criteria = criteria_of(
        hash_kind, radius, similarity, exact=exact, no_verify=no_verify, grade=grade
    )
    from catalog.queries.explain import draw  # with numpy
    from catalog.queries.explain import explain as find_out

    one, other = as_paths([first, second])
    with contextlib.ExitStack() as opened:
        try:
            database = opened.enter_context(open_to_ask(context, catalog, quiet=quiet))
        except CatalogAbsent:
            database = None  # two files can be compared without one, and the answer says so
        answer = find_out(database, one, other, criteria)
        if image is not None:
            draw(database, one, other, *as_paths([image]))
    if as_json:
        structured.write_json(explained.explanation(answer), look.for_programs(sys.stdout))
    else:
        remarks = not is_quiet(context, quiet)
        explanation.write_explanation(answer, look.for_people(sys.stdout), remarks=remarks)
