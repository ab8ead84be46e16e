"""``imgcat dupes --html``: the option, and what it comes to."""

from __future__ import annotations

import shlex
import sys
import time
from typing import Annotated, Any

import typer

from catalog.cli.options import as_paths
from catalog.errors import UsageError
from catalog.escaping import printable
from catalog.model import Duplicates
from catalog.queries.criteria import Criteria
from catalog.rendering import human, look
from catalog.rendering.bar import TerminalProgress
from catalog.rendering.text import totals_of
from catalog.workers.cores import cores

HtmlOption = Annotated[
    str | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Write a page to look at or to send, with small pictures of all, to this file; - is "
        "standard output. Only such a page is replaced.",
    ),
]

_STANDARD_OUTPUT = b"-"
_LEFT_OUT = ("html", "catalog", "quiet")  # of what was asked: they do not change the answer


def page_of(html: str | None, *, apart: bool) -> bytes | None:
    """Where a page is to be written, if one is wanted and can be made here.

    ``apart`` says that something else than to show the groups is wanted. Raises UsageError.
    """
    if html is None:
        return None
    if apart:
        raise UsageError("--html only shows groups: not with --pairs, and not with actions")
    (place,) = as_paths([html])
    try:
        from catalog.review import sheet, still  # noqa: F401
    except ImportError as error:
        if error.name not in ("jinja2", "markupsafe"):
            raise
        raise UsageError("--html needs the extra: pip install 'imgcat-catalog[review]'") from None
    if place != _STANDARD_OUTPUT:
        sheet.check(place)
    return place


def write_page(
    context: typer.Context, answer: Duplicates, place: bytes, criteria: Criteria, *, quiet: bool
) -> None:
    """Write the page, and say what is in it."""
    from importlib.metadata import version

    from catalog.model import Kind
    from catalog.review import sheet, still

    about = still.About(
        version=version("imgcat-catalog"),
        made_ns=time.time_ns(),
        asked=asked(context),
        remarks=not quiet,
        unverified=criteria.grade is Kind.HASH,
    )
    with TerminalProgress(quiet=quiet) as progress:
        if place == _STANDARD_OUTPUT:
            out = look.for_programs(sys.stdout)
            still.write(answer, out, about, jobs=cores(), progress=progress)
            return
        with sheet.Sheet(place) as page:
            still.write(answer, page, about, jobs=cores(), progress=progress)
    if not quiet:
        said = totals_of(answer) if answer.groups else "no duplicates found"
        print(f"{printable(place)} ({human.size(page.length)}): {said}")


def asked(context: typer.Context) -> str:
    """The command as it was given, without what does not change its answer."""
    words = ["imgcat", context.info_name or ""]
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE" or name in _LEFT_OUT:
            continue
        words += _given(parameter, context.params[name])
    return " ".join(words)


def _given(parameter: Any, value: Any) -> list[str]:
    option = [parameter.opts[0]] if parameter.param_type_name == "option" else []
    if isinstance(value, bool):
        return option
    values = value if isinstance(value, list | tuple) else [value]
    return [word for each in values for word in (*option, printable(shlex.quote(str(each))))]
