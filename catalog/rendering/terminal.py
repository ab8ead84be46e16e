"""What pictures a terminal can show: by what is set for it, by what it says, else coloured blocks.

A terminal is asked by writing to it, and answers as if somebody typed. So it is only asked where
it is the one that we were started on and are in front of, and what was typed before stays where it
is. No answer is shown, and one that comes too late is thrown away before a shell can read it.
Libraries that ask by ``sys.stdin`` when they are imported fail where that is a pipe, give up after
0.1 s, which is less than some connections take, and leave the answer to the shell.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import re
import select
import shutil
import struct
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TextIO

from catalog.errors import UsageError
from catalog.escaping import printable
from catalog.imaging.small import Form

VARIABLE: Final = "IMGCAT_SHOW"
_NOTHING: Final = "none"
_PATIENCE: Final = 0.8  # seconds; a terminal that answers does so at once, plus the way there
_LATEST: Final = 2.0  # seconds after which no answer comes any more
_LONGEST: Final = 4096  # bytes; what is longer is no answer
_USUAL_CELL: Final = (10, 20)  # pixels, of the VT340; others have the same proportions
_LARGEST_CELL: Final = 64  # pixels; larger is a mistake
_USUAL_SIZE: Final = (80, 24)

# Every terminal answers the last one, so what has not come by then does not come.
_KITTY: Final = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
_CELL: Final = b"\x1b[16t"
_ATTRIBUTES: Final = b"\x1b[c"
_KITTY_YES: Final = b"\x1b_Gi=31;OK\x1b\\"
_CELL_IS: Final = re.compile(rb"\x1b\[6;(\d{1,4});(\d{1,4})t")
_ATTRIBUTES_ARE: Final = re.compile(rb"\x1b\[\?([\d;]*)c")
_SIXEL: Final = b"4"

_LIKE_ITERM: Final = frozenset(("iTerm.app", "WezTerm", "mintty"))
_SHOW_APC: Final = frozenset(("Apple_Terminal",))  # as text, instead of passing over it


@dataclass(frozen=True, slots=True)
class Canvas:
    """Where pictures are drawn, and how."""

    form: Form
    columns: int = _USUAL_SIZE[0]
    lines: int = _USUAL_SIZE[1]
    cell: tuple[int, int] = _USUAL_CELL  # pixels, width and height
    all_colours: bool = False  # for BLOCKS: 24 bits, else the 256 of xterm


@dataclass(frozen=True, slots=True)
class _Said:
    """What a terminal answered."""

    kitty: bool = False
    sixel: bool = False
    cell: tuple[int, int] | None = None


def canvas_of(stream: TextIO, environment: Mapping[str, str] = os.environ) -> Canvas | None:
    """How to draw on ``stream``; None where the user wants no pictures.

    Raises UsageError where nothing can be drawn, and for a variable that makes no sense.
    """
    wanted = environment.get(VARIABLE, "")
    if wanted == _NOTHING:
        return None
    if wanted and wanted not in list(Form):
        known = ", ".join(Form)
        raise UsageError(f"{VARIABLE} is {known} or {_NOTHING}, and not {printable(wanted)}")
    if not wanted:
        _check(stream, environment)
    form = Form(wanted) if wanted else _named(environment)
    descriptor = stream.fileno() if stream.isatty() else None
    cell = _cell_of(descriptor)
    said = _Said()
    if descriptor is not None and (form is None or (form is Form.SIXEL and cell is None)):
        said = _asked(descriptor, environment)
    if form is None:
        form = Form.KITTY if said.kitty else Form.SIXEL if said.sixel else Form.BLOCKS
    if form is Form.BLOCKS:
        _check_blocks(stream)
    return Canvas(
        form,
        *_size(descriptor),
        cell or said.cell or _USUAL_CELL,
        environment.get("COLORTERM") in ("truecolor", "24bit"),
    )


def _check(stream: TextIO, environment: Mapping[str, str]) -> None:
    """Raise UsageError where pictures would be of no use, unless somebody insists."""
    if not stream.isatty():
        raise UsageError(
            f"--show draws on a terminal, and the output goes elsewhere; {VARIABLE}=blocks draws "
            "all the same, as for 'less -R'"
        )
    if environment.get("TERM", "dumb") in ("dumb", ""):
        raise UsageError(
            f"--show: this terminal can draw nothing, as TERM says; {VARIABLE}=blocks draws on it "
            "all the same"
        )


def _check_blocks(stream: TextIO) -> None:
    try:
        "▀".encode(stream.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        raise UsageError(
            f"--show: there are no blocks to draw with in {stream.encoding}; use a UTF-8 locale"
        ) from None


def _named(environment: Mapping[str, str]) -> Form | None:
    """What is known without asking. Inside tmux or screen these are about what is around it."""
    if environment.get("TMUX") or environment.get("STY"):
        return None
    program = environment.get("TERM_PROGRAM", "")
    if program in _LIKE_ITERM or environment.get("LC_TERMINAL") == "iTerm2":
        return Form.ITERM
    if not program and environment.get("ITERM_SESSION_ID"):
        return Form.ITERM
    return Form.BLOCKS if environment.get("TERM") == "linux" else None  # the console


def _size(descriptor: int | None) -> tuple[int, int]:
    """Columns and lines; those of any terminal we have, for what goes through a pager to it.

    What COLUMNS and LINES say counts where there is none: a picture that is taken for lower than
    the screen, and is not, scrolls away under the text.
    """
    for each in (0, 2) if descriptor is None else (descriptor,):
        with contextlib.suppress(OSError):
            size = os.get_terminal_size(each)
            if size.columns and size.lines:
                return size.columns, size.lines
    columns, lines = shutil.get_terminal_size(_USUAL_SIZE)
    return columns, lines


def _cell_of(descriptor: int | None) -> tuple[int, int] | None:
    """Width and height of a cell in pixels, where the system knows."""
    if descriptor is None:
        return None
    try:
        answer = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return None
    rows, columns, across, down = struct.unpack("4H", answer)
    return _plausible(across // columns, down // rows) if rows and columns else None


def _plausible(width: int, height: int) -> tuple[int, int] | None:
    good = 0 < width <= _LARGEST_CELL and 0 < height <= _LARGEST_CELL
    return (width, height) if good else None


def _asked(descriptor: int, environment: Mapping[str, str]) -> _Said:
    """What the terminal says of itself; nothing where it must not be asked."""
    terminal = _in_front(descriptor)
    if terminal is None:
        return _Said()
    kitty = environment.get("TERM_PROGRAM") not in _SHOW_APC
    question = (_KITTY if kitty else b"") + _CELL + _ATTRIBUTES
    before = termios.tcgetattr(terminal)
    asked, said = 0.0, b""
    try:
        _hush(terminal, before)
        if not select.select([terminal], [], [], 0)[0]:  # somebody types, who must not be read
            asked = time.monotonic()
            os.write(terminal, question)
            said = _answer(terminal, asked + _PATIENCE)
            os.write(terminal, b"\r\x1b[K")  # what an old one showed of the question
    finally:
        if asked and not _ATTRIBUTES_ARE.search(said):
            # It may still answer, also while something is drawn.
            atexit.register(_let_speak, terminal, before, asked + _LATEST)
        else:
            termios.tcsetattr(terminal, termios.TCSANOW, before)
            os.close(terminal)
    return _understood(said)


def _in_front(descriptor: int) -> int | None:
    """The terminal for reading and writing, if it is ours and listens to us.

    One in the background that touched it would be stopped.
    """
    try:
        if os.tcgetpgrp(descriptor) == os.getpgrp():
            return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # not the one that we were started on, or none at all
        pass
    return None


def _hush(terminal: int, modes: list[Any]) -> None:
    """Keys arrive one by one, and are not shown."""
    silent = [*modes]
    silent[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(terminal, termios.TCSANOW, silent)


def _let_speak(terminal: int, before: list[Any], until: float) -> None:
    """End the silence, and take what was said in it: a shell would take an answer for keys."""
    with contextlib.suppress(OSError, termios.error):
        if os.tcgetpgrp(terminal) == os.getpgrp():
            _answer(terminal, until)
            termios.tcsetattr(terminal, termios.TCSANOW, before)
        os.close(terminal)


def _answer(terminal: int, until: float) -> bytes:
    """All that comes up to the last answer."""
    said = b""
    while not _ATTRIBUTES_ARE.search(said) and len(said) < _LONGEST:
        left = until - time.monotonic()
        if left <= 0 or not select.select([terminal], [], [], left)[0]:
            break
        more = os.read(terminal, _LONGEST)
        if not more:
            break
        said += more
    return said


def _understood(said: bytes) -> _Said:
    attributes = _ATTRIBUTES_ARE.search(said)
    cell = _CELL_IS.search(said)
    return _Said(
        kitty=_KITTY_YES in said,
        sixel=attributes is not None and _SIXEL in attributes[1].split(b";"),
        cell=None if cell is None else _plausible(int(cell[2]), int(cell[1])),
    )
