"""imgcat history"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from catalog.cli.options import CatalogOption, JsonOption, QuietOption, the_catalog
from catalog.errors import UsageError
from catalog.model import State
from catalog.rendering import doing, done, look, structured
from catalog.store.decisions import decisions_there


def history(
    context: typer.Context,
    action: Annotated[
        int | None,
        typer.Argument(metavar="[ID]", help="An action, to see each of its files."),
    ] = None,
    as_json: JsonOption = False,
    catalog: CatalogOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show what was done with duplicates, the last first, with the ids for 'imgcat undo'."""
    decisions = decisions_there(the_catalog(context, catalog, quiet=quiet))
    actions, removals = [], []
    if decisions is not None:
        with decisions:
            actions = decisions.history(action)
            if action is not None:
                removals = [each for state in State for each in decisions.removals(action, state)]
    if action is not None and not actions:
        raise UsageError(f"there is no action {action}: 'imgcat history' shows what was done")
    if as_json:
        answer = done.history(actions, None if action is None else removals)
        structured.write_json(answer, look.for_programs(sys.stdout))
    else:
        doing.write_history(actions, look.for_people(sys.stdout))
        doing.write_files(removals, look.for_people(sys.stdout))
