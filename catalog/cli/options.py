"""Options that several commands share, and what they come to."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from catalog.errors import UsageError
from catalog.escaping import harmless
from catalog.model import HASH_BITS, HashKind
from catalog.progress import Phase, Progress
from catalog.queries.criteria import DUPLICATES_RADIUS, SIMILAR_RADIUS
from catalog.store.database import Database, open_for_reading
from catalog.store.decisions import anything_unfinished
from catalog.store.place import catalog_file


class Grade(StrEnum):
    """What may be asked for with --grade."""

    SAME = "same"
    SIMILAR = "similar"


CatalogOption = Annotated[
    str | None,
    typer.Option(
        "--catalog",
        metavar="FILE",
        help="The catalog file; else $IMGCAT_CATALOG, else the one in your user data folder.",
    ),
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no remarks, only the result.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object.")]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, help="Processes that read photos; else one a core."),
]
PathsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PATH]...", help="Only what is below these; else everything."),
]

HashOption = Annotated[
    HashKind | None,
    typer.Option(
        "--hash",
        help="Compare by this hash alone, and verify nothing; else phash, with --radius.",
    ),
]
NoVerifyOption = Annotated[
    bool,
    typer.Option(
        "--no-verify",
        help="Plain Hamming distance and nothing else: flat pictures, which look alike to "
        "every hash, are compared too, and marked.",
    ),
]
GradeOption = Annotated[
    Grade | None,
    typer.Option(
        "--grade",
        help="The weakest match that counts: 'same' is one picture (re-encoded, resized, toned, "
        "cropped or framed a little, stamped, turned), 'similar' also what looks alike, such as "
        "the shots of a burst. Else same for dupes and review, similar for similar.",
    ),
]
RadiusOption = Annotated[
    int | None,
    typer.Option(
        "--radius",
        min=0,
        max=HASH_BITS,
        help=f"Compare by the hash alone, of which so many bits of {HASH_BITS} may differ; with "
        f"--hash, else {DUPLICATES_RADIUS} for dupes and {SIMILAR_RADIUS} for similar.",
    ),
]
SimilarityOption = Annotated[
    float | None,
    typer.Option(
        "--similarity",
        metavar="PERCENT",
        help="The radius as a percentage: 90 allows 6 bits to differ.",
    ),
]

KeptBothOption = Annotated[
    bool,
    typer.Option(
        "--kept-both", help="Also pictures that 'imgcat keep-both' said are no duplicates."
    ),
]


@dataclass(frozen=True, slots=True)
class Common:
    """What holds for every command."""

    catalog: str | None = None
    quiet: bool = False
    verbose: bool = False


def catalog_path(context: typer.Context, given: str | None) -> bytes:
    """The catalog file to use."""
    return catalog_file(given if given is not None else context.obj.catalog)


def the_catalog(context: typer.Context, given: str | None, *, quiet: bool = False) -> bytes:
    """The catalog file to use, once what an action that was cut off left behind is in order."""
    path = catalog_path(context, given)
    if anything_unfinished(path):
        _recover(path, quiet=is_quiet(context, quiet))
    return path


def _recover(path: bytes, *, quiet: bool) -> None:
    from catalog.actions.returning import put_in_order  # for those who need it
    from catalog.rendering.doing import recovered
    from catalog.workers.cores import cores

    recovery = put_in_order(path, cores())
    if not quiet:
        for line in recovered(recovery.returned, recovery.done, recovery.gone, recovery.left):
            print(f"imgcat: {harmless(line)}", file=sys.stderr)


def is_quiet(context: typer.Context, given: bool) -> bool:
    """Whether only the result is wanted."""
    return given or context.obj.quiet


def open_to_ask(context: typer.Context, given: str | None, *, quiet: bool = False) -> Database:
    """The catalog, to read it; what had to be done to it is told on stderr."""
    database = open_for_reading(the_catalog(context, given, quiet=quiet))
    if not is_quiet(context, quiet):
        for note in database.notes:
            print(f"imgcat: {harmless(note)}", file=sys.stderr)
    return database


def roots_up_to_date(
    context: typer.Context, given: str | None, progress: Progress, *, quiet: bool = False
) -> frozenset[int]:
    """Have the daemon, if there is one, catch up; returns the roots that are as the disk is.

    Where it cannot, stderr says why the answer may be out of date.
    """
    from catalog.watching.client import synchronise  # with sockets, for those who ask

    place = catalog_path(context, given)
    freshness = synchronise(place, lambda: progress.start(Phase.WAITING))
    if freshness.why_not and not quiet:
        print(
            "imgcat: the answer may be out of date, the daemon says why: "
            f"{harmless(freshness.why_not)}",
            file=sys.stderr,
        )
    return freshness.roots


def as_paths(names: list[str] | None) -> list[bytes]:
    """Arguments as the bytes that the operating system gave us.

    Raises UsageError for an empty one: to the system it would be the current folder.
    """
    if "" in (names or []):
        raise UsageError("one of the paths is empty")
    return [os.fsencode(name) for name in names or []]


def only_one(**flags: bool) -> None:
    """Raise UsageError where more than one of these is set."""
    chosen = [f"--{name}" for name, given in flags.items() if given]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)} do not go together: choose one")
