"""imgcat dupes"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.choosing import (
    AcrossOption,
    AgainstOption,
    KeepOption,
    MinSizeOption,
    ProtectOption,
    SinceOption,
    keep_rules,
    tell_of_missing,
)
from catalog.cli.confirming import YesOption
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
    catalog_path,
    is_quiet,
    only_one,
    open_to_ask,
    roots_up_to_date,
)
from catalog.cli.ordering import (
    ApplyOption,
    DeleteOption,
    HardlinkOption,
    MoveOption,
    ReflinkOption,
    SameOption,
    SidecarsOption,
    TrashOption,
    Wishes,
)
from catalog.cli.showing import ShowOption, canvas, write_duplicates
from catalog.cli.still import HtmlOption, page_of, write_page
from catalog.errors import UsageError
from catalog.model import Duplicates
from catalog.queries.criteria import criteria_of
from catalog.queries.selection import selection_of
from catalog.rendering import look, nul, structured, table
from catalog.rendering.bar import TerminalProgress
from catalog.workers.cores import cores

if TYPE_CHECKING:
    from catalog.rendering.terminal import Canvas


def dupes(
    context: typer.Context,
    paths: PathsArgument = None,
    exact: Annotated[bool, typer.Option("--exact", help="Identical bytes only.")] = False,
    hash_kind: HashOption = None,
    radius: RadiusOption = None,
    similarity: SimilarityOption = None,
    no_verify: NoVerifyOption = False,
    grade: GradeOption = None,
    against: AgainstOption = None,
    across: AcrossOption = False,
    min_size: MinSizeOption = None,
    since: SinceOption = None,
    keep: KeepOption = None,
    protect: ProtectOption = None,
    kept_both: KeptBothOption = False,
    trash: TrashOption = False,
    hardlink: HardlinkOption = False,
    reflink: ReflinkOption = False,
    move: MoveOption = None,
    delete: DeleteOption = False,
    same: SameOption = False,
    with_sidecars: SidecarsOption = False,
    apply: ApplyOption = False,
    yes: YesOption = False,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Every pair that matches, instead of groups.")
    ] = False,
    show: ShowOption = False,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One line a photo, for tables.")] = False,
    print0: Annotated[
        bool,
        typer.Option("--print0", help="Paths only, each ended by a NUL; kept photos come first."),
    ] = False,
    html: HtmlOption = None,
    catalog: CatalogOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show the groups of the same picture: the photo to keep first, then its copies.

    Nothing is changed, unless you say what to do with the copies, and --apply. The answer is about
    the last index: run 'imgcat index' before, or have 'imgcat watch' run.
    """
    only_one(json=as_json, csv=as_csv, print0=print0, show=show, html=html is not None)
    only_one(pairs=pairs, show=show)
    criteria = criteria_of(
        hash_kind, radius, similarity, exact=exact, no_verify=no_verify, grade=grade
    )
    chosen = selection_of(across=across, min_size=min_size, since=since, kept_both=kept_both)
    rules = keep_rules(keep, protect)
    wishes = Wishes(
        trash, hardlink, reflink, move, delete, same, with_sidecars, apply=apply, yes=yes
    )
    order = wishes.order(rules.protected)
    if order is not None:
        if show:
            raise UsageError("--show only shows: leave it out to have something done")
        listed = pairs or as_csv or print0 or kept_both
        criteria = wishes.criteria(criteria, listed=listed)
        tell_of_missing(order.protected)
    page = page_of(html, apart=pairs or order is not None)
    drawn_on = canvas(show)
    from catalog.queries.duplicates import duplicates, selected  # with numpy, for those who ask

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
                selected(database, chosen, as_paths(against)),
                keep=rules,
                pairs=pairs,
                progress=progress,
                executor=executor,
                jobs=cores(),
                live=live,
            )
        if page is not None:
            write_page(context, answer, page, criteria, quiet=quiet)
            return
        if order is None:
            _write(
                answer,
                as_json=as_json,
                as_csv=as_csv,
                print0=print0,
                drawn_on=drawn_on,
                remarks=not quiet,
            )
            return
        from catalog.cli.acting import Acting, carry_out, planned_of

        acting = Acting(order, apply=apply, yes=yes, as_json=as_json, quiet=quiet)
        planned = planned_of(answer, acting)
    raise typer.Exit(carry_out(catalog_path(context, catalog), planned, acting))


def _write(
    answer: Duplicates,
    *,
    as_json: bool,
    as_csv: bool,
    print0: bool,
    drawn_on: Canvas | None,
    remarks: bool,
) -> None:
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
        write_duplicates(answer, drawn_on, remarks=remarks)
