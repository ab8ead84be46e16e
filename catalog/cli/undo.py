"""imgcat undo"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from catalog.actions.undo import to_undo
from catalog.actions.undo import undo as put_back
from catalog.cli.acting import exit_code
from catalog.cli.confirming import YesOption, confirm
from catalog.cli.options import CatalogOption, JsonOption, QuietOption, is_quiet, the_catalog
from catalog.errors import UsageError
from catalog.indexing.afterwards import look_again
from catalog.model import Action, Deed
from catalog.rendering import doing, done, human, look, structured
from catalog.rendering.bar import TerminalProgress
from catalog.store.decisions import decisions_there
from catalog.workers.cores import cores


def undo(
    context: typer.Context,
    action: Annotated[
        int | None,
        typer.Argument(metavar="[ID]", help="Which action; else the last. See 'imgcat history'."),
    ] = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
    catalog: CatalogOption = None,
    quiet: QuietOption = False,
) -> None:
    """Put back what an action took away: names, times and modes. Nothing is written over."""
    quiet = is_quiet(context, quiet)
    place = the_catalog(context, catalog, quiet=quiet)
    decisions = decisions_there(place)
    if decisions is None:
        raise UsageError("nothing was done yet, so there is nothing to undo")
    with decisions, TerminalProgress(quiet=quiet) as progress:
        chosen = to_undo(decisions, action)
        confirm(_question(chosen), yes=yes)
        receipt = put_back(decisions, chosen, progress)
        note = look_again(place, receipt.touched, cores(), progress) if receipt.touched else ""
    if as_json:
        structured.write_json(done.receipt(receipt), look.for_programs(sys.stdout))
    elif not quiet:
        doing.write_undone(receipt, look.for_people(sys.stdout))
    if note and not quiet:
        print(f"imgcat: {note}", file=sys.stderr)
    raise typer.Exit(exit_code(receipt))


def _question(action: Action) -> str:
    when = human.minute(action.begun_ns)
    if action.deed is Deed.KEEP_BOTH:
        pictures = human.counted(action.files, "picture")
        return f"Let {pictures} of {when} (action {action.id}) be duplicates again?"
    return f"Put back {human.counted(action.files, 'file')} of {when} (action {action.id})?"
