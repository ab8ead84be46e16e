"""imgcat review"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
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
from catalog.cli.options import (
    CatalogOption,
    GradeOption,
    KeptBothOption,
    PathsArgument,
    QuietOption,
    as_paths,
    catalog_path,
    is_quiet,
    open_to_ask,
)
from catalog.errors import Busy, UsageError
from catalog.escaping import harmless
from catalog.queries.criteria import criteria_of
from catalog.queries.selection import selection_of
from catalog.store.locks import Locks

if TYPE_CHECKING:
    from catalog.review.asked import Review

_EXTRA = ("starlette", "uvicorn", "jinja2")


def review(
    context: typer.Context,
    paths: PathsArgument = None,
    grade: GradeOption = None,
    against: AgainstOption = None,
    across: AcrossOption = False,
    min_size: MinSizeOption = None,
    since: SinceOption = None,
    keep: KeepOption = None,
    protect: ProtectOption = None,
    kept_both: KeptBothOption = False,
    port: Annotated[
        int | None,
        typer.Option("--port", min=1024, max=65535, help="Always this one; else any that is free."),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address, and open no browser.")
    ] = False,
    catalog: CatalogOption = None,
    quiet: QuietOption = False,
) -> None:
    """Look at the groups in a browser, and decide about each by eye.

    Prints the address of a page that only this machine can open, and only with it. Nothing is
    removed while you decide: what you choose goes to the trash when you say so, and comes back
    with 'imgcat undo'. Ctrl-C ends it, as does half an hour without you; what you chose is kept.
    """
    _check_extra()
    quiet = is_quiet(context, quiet)
    rules = keep_rules(keep, protect)
    from catalog.review.asked import Review

    asked = Review(
        catalog_path(context, catalog),
        tuple(as_paths(paths)),
        criteria_of(grade=grade),
        selection_of(across=across, min_size=min_size, since=since, kept_both=kept_both),
        tuple(as_paths(against)),
        rules,
    )
    tell_of_missing(rules.protected)
    _check_known(context, catalog, asked, quiet=quiet)
    _serve(asked, port, browser=not no_browser, quiet=quiet)


def _check_extra() -> None:
    """Raise UsageError where what only this command needs was not installed."""
    from importlib.util import find_spec

    if any(find_spec(name) is None for name in _EXTRA):
        raise UsageError("imgcat review needs its extra: pip install 'imgcat-catalog[review]'")


def _check_known(
    context: typer.Context, catalog: str | None, asked: Review, *, quiet: bool
) -> None:
    """Raise what the first answer would, while somebody looks at the terminal."""
    from catalog.queries.duplicates import selected
    from catalog.queries.scope import scope_of

    with open_to_ask(context, catalog, quiet=quiet) as database:
        scope_of(database, asked.paths)
        selected(database, asked.selection, asked.against)


def _serve(asked: Review, port: int | None, *, browser: bool, quiet: bool) -> None:
    from catalog.review.app import application
    from catalog.review.serving import Telling, serve

    def address(text: str) -> None:
        print(text, flush=True)
        if not quiet:
            remark("Ctrl-C ends it. Nothing is removed until you say so")

    def remark(line: str) -> None:
        print(f"imgcat: {harmless(line)}", file=sys.stderr)

    with _the_only_one(asked.catalog):
        serve(
            lambda session: application(asked, session),
            Telling(address, remark),
            port=port,
            browser=browser,
        )


@contextlib.contextmanager
def _the_only_one(catalog: bytes) -> Iterator[None]:
    """Two would each have choices that the other knows nothing of. Raises Busy.

    Where the lock cannot be made, no choice can be written down: there may be several.
    """
    locks = Locks(catalog)
    lock = locks.review()
    try:
        locks.prepare()
        free = lock.try_acquire()
    except OSError:
        free = True
    try:
        if not free:
            raise Busy(
                f"{lock.holder()} has the page of this catalog: its terminal has the address"
            )
        yield
    finally:
        lock.release()
