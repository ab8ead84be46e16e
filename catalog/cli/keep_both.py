"""imgcat keep-both"""

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
    open_to_ask,
)
from catalog.queries.keep_both import keep_both as remember
from catalog.rendering import human, look, structured


def keep_both(
    context: typer.Context,
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE IMAGE...", help="Two pictures or more.")
    ],
    as_json: JsonOption = False,
    catalog: CatalogOption = None,
    quiet: QuietOption = False,
) -> None:
    """Remember that these pictures are no duplicates of each other.

    By content: renaming and moving them changes nothing, and no command calls them duplicates
    again. A new picture that is the same as one of them is a duplicate of that one. Of files with
    equal bytes, as many are wanted as are named. 'imgcat undo' takes it back.
    """
    with open_to_ask(context, catalog, quiet=quiet) as database:
        action, count = remember(database, as_paths(images))
    if as_json:
        answer = {"format": structured.FORMAT, "id": action, "pictures": count}
        structured.write_json(answer, look.for_programs(sys.stdout))
    elif not is_quiet(context, quiet):
        print(
            f"{human.counted(count, 'picture')} kept beside each other; "
            f"'imgcat undo {action}' takes that back."
        )
