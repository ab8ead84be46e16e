"""A terminal is asked what it can draw, and nothing is left of the question or of the answer."""

from __future__ import annotations

import atexit
import fcntl
import io
import os
import pickle
import pty
import select
import signal
import struct
import termios
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from catalog.errors import UsageError
from catalog.imaging.small import Form
from catalog.rendering import terminal
from catalog.rendering.terminal import Canvas, canvas_of

KITTY = b"\x1b_Gi=31;OK\x1b\\"
NO_KITTY = b"\x1b_Gi=31;EINVAL:no\x1b\\"
CELL = b"\x1b[6;34;16t"
SIXEL = b"\x1b[?62;4;22c"
PLAIN = b"\x1b[?62;14;22c"
QUESTIONS = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[16t\x1b[c"
PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of it on a terminal."""

    canvas: Any
    sent: bytes  # to the terminal
    typed: bytes  # what a shell would read afterwards
    seconds: float
    restored: bool


def ask(
    answer: bytes = b"",
    env: Mapping[str, str] | None = None,
    *,
    after: float = 0.0,
    keys: bytes = b"",
    act: Callable[[int], Any] | None = None,
    press: bytes = b"",
    pixels: tuple[int, int] = (0, 0),
) -> Asked:
    """``canvas_of`` in a process on a terminal that gives this ``answer``, and its last moments.

    ``act`` is done in its place, ``press`` is typed once it asks, ``keys`` before.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, *pixels))
    before = termios.tcgetattr(slave)
    os.write(master, keys)
    receiving, sending = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _be_on(slave, lambda: (act or _canvas(env or {}))(slave), sending)
    os.close(sending)
    begun = time.monotonic()
    sent, due = b"", None
    seconds = 0.0
    while not seconds or due not in (None, float("inf")):
        if not seconds and select.select([receiving], [], [], 0)[0]:
            seconds = time.monotonic() - begun
        assert time.monotonic() - begun < PATIENCE, sent
        if select.select([master], [], [], 0.01)[0]:
            sent += os.read(master, 4096)
            if QUESTIONS[-3:] in sent and due is None:
                due = time.monotonic() + after
                os.write(master, press)
        if due is not None and time.monotonic() >= due:
            os.write(master, answer)
            due = float("inf")
    with open(receiving, "rb") as pipe:
        canvas = pickle.load(pipe)
    restored = termios.tcgetattr(slave) == before
    typed = _left(slave)
    os.kill(child, signal.SIGKILL)  # which a terminal would not survive, so it waited
    os.waitpid(child, 0)
    while select.select([master], [], [], 0)[0]:
        try:
            sent += os.read(master, 4096)
        except OSError:
            break
    os.close(slave)
    os.close(master)
    return Asked(canvas, sent, typed, seconds, restored)


def _canvas(env: Mapping[str, str]) -> Callable[[int], Canvas | None]:
    def canvas(slave: int) -> Canvas | None:
        with open(slave, "w", closefd=False) as stream:
            return canvas_of(stream, {"TERM": "xterm", **env})

    return canvas


def _be_on(slave: int, act: Callable[[], Any], sending: int) -> None:
    try:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            value = act()
        except BaseException as error:
            value = error
        os.write(sending, pickle.dumps(value))
        os.close(sending)
        while True:
            signal.pause()
    finally:
        os._exit(1)


def _left(slave: int) -> bytes:
    modes = termios.tcgetattr(slave)
    modes[3] &= ~(termios.ICANON | termios.ECHO)
    modes[6][termios.VMIN] = modes[6][termios.VTIME] = 0
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    return os.read(slave, 4096)


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        (KITTY + PLAIN, Form.KITTY),
        (KITTY + SIXEL, Form.KITTY),
        (NO_KITTY + SIXEL, Form.SIXEL),
        (SIXEL, Form.SIXEL),
        (NO_KITTY + PLAIN, Form.BLOCKS),
        (PLAIN, Form.BLOCKS),
        (b"\x1b[?1;2c", Form.BLOCKS),
        (b"\x1b[?4c", Form.SIXEL),
        (b"\x1b[?64;14c", Form.BLOCKS),
    ],
    ids=repr,
)
def test_what_a_terminal_says_decides(answer: bytes, form: Form) -> None:
    asked = ask(CELL + answer)
    assert asked.canvas == Canvas(form, 100, 24, (16, 34))
    assert asked.sent.startswith(QUESTIONS)
    assert asked.typed == b""
    assert asked.restored


def test_a_slow_connection_is_waited_for() -> None:
    asked = ask(KITTY + PLAIN, after=0.5)
    assert asked.canvas.form is Form.KITTY
    assert asked.typed == b""


def test_an_answer_may_come_in_pieces() -> None:
    """The first key of an answer is no answer."""
    asked = ask(PLAIN, press=KITTY[:7], after=0.1)
    assert asked.canvas.form is Form.BLOCKS
    assert asked.typed == b""


def then_leave(act: Callable[[int], Any]) -> Callable[[int], Any]:
    """As a program does that ends."""

    def acting(slave: int) -> Any:
        atexit._clear()
        try:
            return act(slave)
        finally:
            atexit._run_exitfuncs()

    return acting


def test_one_that_never_answers_costs_less_than_a_second() -> None:
    asked = ask()
    assert asked.canvas == Canvas(Form.BLOCKS, 100, 24)
    assert 0.8 <= asked.seconds < 3  # the most on a busy machine
    assert terminal._PATIENCE < 1


@pytest.mark.parametrize("answer", [b"", KITTY], ids=["no answer", "half an answer"])
def test_without_an_answer_the_terminal_is_as_before_at_the_end(answer: bytes) -> None:
    asked = ask(answer, act=then_leave(_canvas({})))
    assert asked.canvas.form is (Form.KITTY if answer else Form.BLOCKS)
    assert asked.seconds < PATIENCE
    assert asked.typed == b""
    assert asked.restored


def test_an_answer_that_comes_too_late_is_neither_shown_nor_typed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(terminal, "_LATEST", 2 * PATIENCE)
    asked = ask(KITTY + SIXEL, after=1.0, act=then_leave(_canvas({})))
    assert asked.canvas.form is Form.BLOCKS
    assert 1.0 <= asked.seconds < PATIENCE, "it is waited for, and no longer than it takes"
    assert asked.typed == b""
    assert asked.sent == QUESTIONS + b"\r\x1b[K"
    assert asked.restored


def test_what_was_typed_before_stays_there() -> None:
    for keys in (b"ls -l\n", b"half a li"):
        asked = ask(KITTY + PLAIN, keys=keys)
        assert asked.canvas == Canvas(Form.BLOCKS, 100, 24)
        assert QUESTIONS not in asked.sent
        assert asked.typed == keys
        assert asked.restored


def test_ctrl_c_ends_the_question() -> None:
    asked = ask(b"", press=KITTY + b"\x03", act=then_leave(_canvas({})))
    assert isinstance(asked.canvas, KeyboardInterrupt)
    assert asked.seconds < PATIENCE
    assert asked.typed == b""
    assert asked.restored


def test_nothing_is_asked_where_we_are_not_in_front() -> None:
    """Who touches the terminal from behind is stopped."""

    def from_behind(slave: int) -> Canvas | None:
        receiving, sending = os.pipe()
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            os.write(sending, pickle.dumps(_canvas({})(slave)))
            os._exit(0)
        _, status = os.waitpid(child, os.WUNTRACED)
        assert os.WIFEXITED(status)
        return pickle.loads(os.read(receiving, 4096))

    asked = ask(KITTY + PLAIN, act=from_behind)
    assert asked.canvas == Canvas(Form.BLOCKS, 100, 24)
    assert asked.sent == b""


def test_nothing_is_asked_of_a_terminal_that_is_another() -> None:
    def on_another(_slave: int) -> Canvas | None:
        _master, other = pty.openpty()
        return _canvas({})(other)

    asked = ask(KITTY + PLAIN, act=on_another)
    assert asked.canvas.form is Form.BLOCKS
    assert asked.sent == b""


@pytest.mark.parametrize(
    ("env", "form"),
    [
        ({"TERM_PROGRAM": "iTerm.app"}, Form.ITERM),
        ({"TERM_PROGRAM": "WezTerm"}, Form.ITERM),
        ({"TERM_PROGRAM": "mintty"}, Form.ITERM),
        ({"LC_TERMINAL": "iTerm2"}, Form.ITERM),
        ({"ITERM_SESSION_ID": "w0t0p0"}, Form.ITERM),
        ({"TERM": "linux"}, Form.BLOCKS),
        ({"IMGCAT_SHOW": "kitty"}, Form.KITTY),
        ({"IMGCAT_SHOW": "blocks", "TERM_PROGRAM": "iTerm.app"}, Form.BLOCKS),
        ({"IMGCAT_SHOW": "iterm", "TERM": "dumb"}, Form.ITERM),
    ],
    ids=str,
)
def test_what_is_set_decides_without_a_question(env: dict[str, str], form: Form) -> None:
    asked = ask(KITTY + SIXEL, env)
    assert asked.canvas.form is form
    assert asked.sent == b""


@pytest.mark.parametrize(
    "env",
    [
        {"TMUX": "/tmp/x", "LC_TERMINAL": "iTerm2", "TERM_PROGRAM": "tmux"},
        {"STY": "1.x", "ITERM_SESSION_ID": "w0t0p0"},
        {"TERM_PROGRAM": "vscode", "ITERM_SESSION_ID": "w0t0p0"},
    ],
    ids=str,
)
def test_inside_another_program_what_is_around_does_not_count(env: dict[str, str]) -> None:
    assert ask(SIXEL, env).canvas.form is Form.SIXEL


def test_one_that_shows_questions_as_text_is_not_asked_them() -> None:
    asked = ask(PLAIN, {"TERM_PROGRAM": "Apple_Terminal"})
    assert asked.canvas.form is Form.BLOCKS
    assert b"\x1b_G" not in asked.sent


def test_sixels_need_the_size_of_a_cell() -> None:
    told = {"IMGCAT_SHOW": "sixel"}
    assert ask(CELL + PLAIN, told).canvas.cell == (16, 34)
    known = ask(CELL + PLAIN, told, pixels=(900, 456))
    assert (known.canvas.cell, known.sent) == ((9, 19), b"")


@pytest.mark.parametrize("said", [b"\x1b[6;0;0t", b"\x1b[6;9999;9999t", b"\x1b[6;20t", b""])
def test_a_size_that_cannot_be_is_none(said: bytes) -> None:
    assert ask(said + SIXEL).canvas.cell == (10, 20)
    assert ask(SIXEL, pixels=(65535, 65535)).canvas.cell == (10, 20)


@pytest.mark.parametrize(
    ("value", "all_colours"), [("truecolor", True), ("24bit", True), ("", False), ("yes", False)]
)
def test_all_colours_only_where_they_are_promised(value: str, all_colours: bool) -> None:
    canvas = ask(PLAIN, {"TERM": "linux", "COLORTERM": value}).canvas
    assert canvas.all_colours is all_colours


# -- where nothing can be drawn -----------------------------------------------------------------


def refused(env: dict[str, str], stream: Any = None) -> str:
    with pytest.raises(UsageError) as error:
        canvas_of(stream or io.StringIO(), env)
    message = str(error.value)
    assert "\n" not in message
    return message


def test_output_that_goes_elsewhere_says_what_to_do() -> None:
    assert "IMGCAT_SHOW=blocks" in refused({"TERM": "xterm"})


@pytest.mark.parametrize("form", Form)
def test_who_insists_gets_it_anywhere(form: Form) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8")
    canvas = canvas_of(stream, {"IMGCAT_SHOW": form})
    assert canvas is not None
    assert canvas.form is form


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"TERM": ""}, {}], ids=str)
def test_a_dumb_terminal_is_an_error(monkeypatch: pytest.MonkeyPatch, env: dict[str, str]) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    assert "IMGCAT_SHOW=blocks" in refused(env, stream)


def test_none_is_no_error_anywhere() -> None:
    assert canvas_of(io.StringIO(), {"IMGCAT_SHOW": "none"}) is None


def test_a_form_that_is_none_is_an_error_and_harmless() -> None:
    message = refused({"IMGCAT_SHOW": "\x1b[2J"})
    assert message.endswith("kitty, iterm, sixel, blocks or none, and not \\x1b[2J")


def test_an_encoding_without_blocks_is_an_error() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "latin-1")
    assert "UTF-8" in refused({"IMGCAT_SHOW": "blocks"}, stream)


def test_the_size_is_that_of_the_terminal_behind_a_pager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(os, "get_terminal_size", lambda _descriptor=1: os.terminal_size((0, 0)))
    assert terminal._size(None) == (80, 24)

    def behind(descriptor: int = 1) -> os.terminal_size:
        if descriptor != 2:
            raise OSError
        return os.terminal_size((133, 50))

    monkeypatch.setattr(os, "get_terminal_size", behind)
    assert terminal._size(None) == (133, 50)
