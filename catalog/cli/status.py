"""imgcat status"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import Annotated

import typer

from catalog.cli.options import CatalogOption, JsonOption, QuietOption, is_quiet, open_to_ask
from catalog.errors import ExitCode
from catalog.model import DaemonStanding, Status
from catalog.queries.standing import status as standing
from catalog.rendering import look, reports, states, structured
from catalog.watching.client import daemon_state

STALE_AFTER_DAYS = 7


def status(
    context: typer.Context,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Exit with 1 if a folder is stale: offline, never scanned to its end, or not "
            f"for {STALE_AFTER_DAYS} days; or if the daemon misses something.",
        ),
    ] = False,
    as_json: JsonOption = False,
    catalog: CatalogOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show what the catalog holds, the folders it follows, and how the daemon is."""
    with open_to_ask(context, catalog, quiet=quiet) as database:
        answer = replace(standing(database), daemon=daemon_state(database.path))
    if as_json:
        structured.write_json(states.status(answer), look.for_programs(sys.stdout))
    elif not (check and is_quiet(context, quiet)):
        reports.write_status(answer, look.for_people(sys.stdout))
    if check and is_stale(answer, time.time_ns()):
        raise typer.Exit(ExitCode.FAILED)


def is_stale(answer: Status, now_ns: int) -> bool:
    """Whether a folder may differ from what the catalog says of it."""
    if answer.daemon.state is DaemonStanding.DEGRADED:
        return True
    oldest = now_ns - STALE_AFTER_DAYS * 24 * 3600 * 10**9
    return any(
        not root.online or root.last_scan_ns is None or root.last_scan_ns < oldest
        for root in answer.roots
    )
