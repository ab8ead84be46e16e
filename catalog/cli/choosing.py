"""Which groups, and what is kept of each: options that commands about groups share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from catalog import config, keeping
from catalog.cli.options import as_paths
from catalog.escaping import printable
from catalog.keeping import DEFAULT, KeepRules

AgainstOption = Annotated[
    list[str] | None,
    typer.Option(
        "--against",
        metavar="DIR",
        help="What do I have already? Only photos of PATH that match one below DIR, which is "
        "the one kept. Can be given more than once.",
    ),
]
AcrossOption = Annotated[
    bool, typer.Option("--across", help="Only photos of different indexed folders.")
]
MinSizeOption = Annotated[
    str | None,
    typer.Option("--min-size", metavar="SIZE", help="Only files of 500kB, 2MB, ... or more."),
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="WHEN",
        help="Only groups with a photo that came or changed since 2024-05-01, or in the last "
        "36h, 7d, 2w, ...",
    ),
]
KeepOption = Annotated[
    str | None,
    typer.Option(
        "--keep",
        metavar="RULES",
        help="Which photo of a group is kept, the first rule counting most; else what the "
        f"config file says, else {DEFAULT}. More: folder:DIR, bytes, format:raw>heic>jpeg, "
        "newest.",
    ),
]
ProtectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--protect",
        metavar="DIR",
        help="Photos below DIR are kept before all others, and no action touches them. Can be "
        "given more than once, and adds to what the config file protects.",
    ),
]


def keep_rules(keep: str | None, protect: list[str] | None) -> KeepRules:
    """What the options say, over the config file: all that either protects is protected."""
    given = keeping.parse(keep, as_paths(protect))
    keeping.check_there(given)
    stored = config.load().keep
    rules = stored.rules if keep is None else given.rules
    return KeepRules(rules, (*stored.protected, *given.protected))


def tell_of_missing(protected: Iterable[bytes]) -> None:
    """Of a folder that the config file protects and that has another name now, nothing is."""
    for folder in protected:
        if not os.path.isdir(folder):
            print(
                f"imgcat: {printable(folder)} is to be protected, but there is no such folder now",
                file=sys.stderr,
            )
