"""--show: small pictures in the terminal, for the questions that have it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.model import Duplicates, Likeness
from catalog.rendering import look, text
from catalog.workers.cores import cores

if TYPE_CHECKING:
    from catalog.rendering.shown import Illustrator
    from catalog.rendering.terminal import Canvas

ShowOption = Annotated[
    bool,
    typer.Option(
        "--show",
        help="Draw the photos small above what is said of them. $IMGCAT_SHOW says how: kitty, "
        "iterm, sixel, blocks, or none at all; else as the terminal can.",
    ),
]


def canvas(wanted: bool) -> Canvas | None:
    """How to draw on standard output, if that is wanted. Raises UsageError where it cannot be."""
    if not wanted:
        return None
    from catalog.rendering.terminal import canvas_of

    return canvas_of(sys.stdout)


def write_duplicates(answer: Duplicates, canvas: Canvas | None, *, remarks: bool) -> None:
    """The groups for people, with pictures where there is something to draw on."""
    stream = look.for_people(sys.stdout)
    if canvas is None:
        text.write_duplicates(answer, stream, remarks=remarks)
        return
    with _illustrator(canvas) as pictures:
        text.write_duplicates(answer, stream, remarks=remarks, drawn=pictures.groups)


def write_likeness(
    answer: Likeness, asked: tuple[bytes, bytes], canvas: Canvas | None, *, remarks: bool
) -> None:
    """The matches for people, beside what was ``asked`` about, a path and its digest."""
    stream = look.for_people(sys.stdout)
    if canvas is None:
        text.write_likeness(answer, stream, remarks=remarks)
        return
    from catalog.rendering.shown import ASKED, Subject

    subject = Subject(*asked, ASKED)
    with _illustrator(canvas) as pictures:
        text.write_likeness(
            answer,
            stream,
            remarks=remarks,
            drawn=lambda matches: pictures.matches(subject, matches),
        )


@contextlib.contextmanager
def _illustrator(canvas: Canvas) -> Iterator[Illustrator]:
    from catalog.rendering.shown import Illustrator  # with numpy and the decoders, to name them

    with Illustrator(canvas, sys.stdout, cores()) as pictures:
        yield pictures
