"""A terminal that draws: what a program sends it becomes letters, colours and pictures again.

It is strict: what it does not know, or what would not leave the cursor and the lines where the
program believes them to be, is an AssertionError.
"""

from __future__ import annotations

import base64
import contextlib
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fcntl import ioctl

from PIL import Image

Colour = tuple[int, int, int]

KITTY = b"\x1b_Gi=31;OK\x1b\\"
CELL = b"\x1b[6;20;10t"
SIXEL = b"\x1b[?62;4;22c"
PLAIN = b"\x1b[?62;22c"

_TOKEN = re.compile(
    rb"\x1b_(?P<apc>[^\x1b]*)\x1b\\"
    rb"|\x1b\](?P<osc>[^\x07\x1b]*)\x07"
    rb"|\x1bP(?P<dcs>[^\x1b]*)\x1b\\"
    rb"|\x1b\[(?P<csi>[?>\d;]*)(?P<end>[A-Za-z])"
    rb"|\x1b(?P<esc>[78\\])"
    rb"|(?P<text>[\x20-\x7e\x80-\xff\n\r]+)"
)


@dataclass
class Drawn:
    """A picture, where it lies, and the cells that it covers."""

    row: int
    column: int
    image: Image.Image
    columns: int
    rows: int


@dataclass
class Screen:
    """What is seen, with all that scrolled away: rows count from the first one ever."""

    columns: int = 120
    lines: int = 40
    cell: tuple[int, int] = (10, 20)
    letters: dict[tuple[int, int], str] = field(default_factory=dict)
    colours: dict[tuple[int, int], tuple[Colour | None, Colour | None]] = field(
        default_factory=dict
    )
    pictures: list[Drawn] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    row: int = 0
    column: int = 0
    top: int = 0
    rest: bytes = b""
    said: bytes = b""

    def __post_init__(self) -> None:
        self._saved = (0, 0)
        self._colours: tuple[Colour | None, Colour | None] = (None, None)
        self._chunks: list[str] = []
        self._keys: dict[str, str] = {}

    def feed(self, data: bytes) -> None:
        self.said += data
        data, self.rest = self.rest + data, b""
        at = 0
        while at < len(data):
            token = _TOKEN.match(data, at)
            if token is None:
                self.rest = data[at:]
                return
            text = token["text"]
            if text is not None and token.end() == len(data):
                # A letter may be cut in two.
                whole = text.decode("utf-8", "ignore").encode()
                if text.startswith(whole) and len(text) - len(whole) < 4:
                    self.rest, text = text[len(whole) :], whole
            at = token.end()
            self._do(token, text)

    def _do(self, token: re.Match[bytes], text: bytes | None) -> None:
        if text is not None:
            for letter in text.decode():
                self._put(letter)
        elif token["apc"] is not None:
            self._kitty(token["apc"].decode())
        elif token["osc"] is not None:
            self._iterm(token["osc"].decode())
        elif token["dcs"] is not None:
            self._sixel(token["dcs"])
        elif token["esc"] == b"7":
            self._saved = (self.row, self.column)
        elif token["esc"] == b"8":
            self.row, self.column = self._saved
        elif token["esc"] != b"\\":
            assert token["csi"] is not None
            self._control(token["csi"].decode(), token["end"].decode())

    def _put(self, letter: str) -> None:
        if letter == "\n":
            self.row += 1
            self.top = max(self.top, self.row - self.lines + 1)
        elif letter == "\r":
            self.column = 0
        else:
            self.letters[self.row, self.column] = letter
            self.colours[self.row, self.column] = self._colours
            self.column += 1

    def _control(self, values: str, end: str) -> None:
        if end == "m":
            self._paint([int(value or 0) for value in values.split(";")])
        elif end == "A":
            self.row = max(self.top, self.row - int(values))
        elif end == "B":
            self.row = min(self.top + self.lines - 1, self.row + int(values))
        elif end == "G":
            self.column = int(values) - 1
        elif end in "ct":
            self.asked.append(values + end)
        else:
            assert (end, values) == ("K", ""), (values, end)

    def _paint(self, values: list[int]) -> None:
        front, behind = self._colours
        while values:
            code = values.pop(0)
            if code in (38, 48):
                kind = values.pop(0)
                colour = _xterm(values.pop(0)) if kind == 5 else tuple(values[:3])
                if kind != 5:
                    del values[:3]
                front, behind = (colour, behind) if code == 38 else (front, colour)
            elif code == 0:
                front = behind = None
            elif code == 49:
                behind = None
            else:
                assert code in (1, 2, 31, 32, 33)
        self._colours = front, behind

    def _kitty(self, said: str) -> None:
        assert said.startswith("G")
        listed, _, data = said[1:].partition(";")
        keys = dict(key.split("=") for key in listed.split(","))
        if keys.get("a") == "q":
            self.asked.append("kitty")
            return
        assert len(data) <= 4096
        assert keys["q"] == "2"
        self._keys = self._keys or keys
        self._chunks.append(data)
        if keys["m"] == "1":
            assert len(data) % 4 == 0
            return
        first, joined = self._keys, "".join(self._chunks)
        self._keys, self._chunks = {}, []
        assert (first["a"], first["f"], first["C"]) == ("T", "100", "1")
        image = Image.open(io.BytesIO(base64.b64decode(joined, validate=True)))
        assert image.format == "PNG"
        columns, rows = int(first["c"]), int(first["r"])
        assert image.size == (columns * self.cell[0], rows * self.cell[1])
        self._draw(image, columns, rows)

    def _iterm(self, said: str) -> None:
        listed, _, data = said.partition(":")
        assert listed.startswith("1337;File=")
        keys = dict(key.split("=") for key in listed.removeprefix("1337;File=").split(";"))
        raw = base64.b64decode(data, validate=True)
        assert keys["inline"] == "1"
        assert keys["preserveAspectRatio"] == "1"
        assert int(keys["size"]) == len(raw)
        image = Image.open(io.BytesIO(raw))
        columns, rows = int(keys["width"]), int(keys["height"])
        self._draw(image, columns, rows)
        self.row += rows - 1  # as iTerm2 leaves it
        self.column += columns

    def _sixel(self, said: bytes) -> None:
        image = decode_sixel(said)
        columns = -(-image.width // self.cell[0])
        rows = -(-image.height // self.cell[1])
        self._draw(image, columns, rows)
        self.row += rows  # as some leave it

    def _draw(self, image: Image.Image, columns: int, rows: int) -> None:
        assert self.row + rows < self.top + self.lines, "it would scroll"
        assert self.column + columns <= self.columns
        self.pictures.append(Drawn(self.row, self.column, image.convert("RGBA"), columns, rows))

    @property
    def text(self) -> str:
        """All lines, without colours and pictures."""
        last = max((row for row, _ in self.letters), default=-1)
        return "\n".join(self.line(row) for row in range(last + 1))

    def line(self, row: int) -> str:
        line = {column: letter for (r, column), letter in self.letters.items() if r == row}
        return "".join(line.get(n, " ") for n in range(max(line, default=-1) + 1)).rstrip()

    def blocks(self, row: int, column: int) -> Image.Image:
        """The picture in coloured blocks whose upper left cell this is."""
        found: dict[tuple[int, int], Colour] = {}
        height = 0
        while self.letters.get((row + height, column)) == "▀":
            across = 0
            while self.letters.get((row + height, column + across)) == "▀":
                upper, lower = self.colours[row + height, column + across]
                assert upper is not None
                found[across, 2 * height] = upper
                if lower is not None:
                    found[across, 2 * height + 1] = lower
                across += 1
            height += 1
        size = tuple(1 + max(place[axis] for place in found) for axis in (0, 1))
        image = Image.new("RGB", size)
        for place, colour in found.items():
            image.putpixel(place, colour)
        return image


class Transcript(Screen):
    """Of a program that is broken off, after which nothing is whole: only what it sent."""

    def feed(self, data: bytes) -> None:
        self.said += data

    @property
    def text(self) -> str:
        return self.said.decode("utf-8", "replace")


def _xterm(number: int) -> Colour:
    """One of the 256 colours; those of the user's own are not used."""
    assert 16 <= number < 256
    if number >= 232:
        return (8 + 10 * (number - 232),) * 3
    steps = (0, 95, 135, 175, 215, 255)
    number -= 16
    return steps[number // 36], steps[number // 6 % 6], steps[number % 6]


def decode_sixel(said: bytes) -> Image.Image:
    """A picture from between DCS and ST; what no sixel touches is transparent."""
    head = re.match(rb'0;1q"1;1;(\d+);(\d+)', said)
    assert head is not None
    width, height = int(head[1]), int(head[2])
    image = Image.new("RGBA", (width, height))
    colours: dict[int, Colour] = {}
    colour, x, y = 0, 0, 0
    for part in re.finditer(rb"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)(.)|(.)", said[head.end() :]):
        if part[1] is not None:
            colour = int(part[1])
            if part[2] is not None:
                assert max(int(part[n]) for n in (2, 3, 4)) <= 100
                colours[colour] = tuple(round(int(part[n]) * 2.55) for n in (2, 3, 4))
            continue
        times, sign = (int(part[5]), part[6]) if part[5] is not None else (1, part[7])
        if sign == b"$":
            x = 0
        elif sign == b"-":
            x, y = 0, y + 6
        else:
            bits = ord(sign) - 63
            assert 0 <= bits < 64
            for bit in range(6):
                if bits >> bit & 1:
                    image.paste((*colours[colour], 255), (x, y + bit, x + times, y + bit + 1))
            x += times
    return image


@dataclass
class Answers:
    """What a terminal says when it is asked; nothing by default."""

    said: bytes = b""
    after: float = 0.0  # seconds, as over a slow connection
    keys: bytes = b""  # typed before anything is asked


@dataclass
class Ended:
    """How a program on a terminal ended; ``typed`` is what a shell would then read."""

    code: int
    screen: Screen
    typed: bytes
    seconds: float
    modes: bool  # whether the terminal is as it was


def run_on_terminal(
    command: Sequence[bytes],
    env: Mapping[str, str],
    answers: Answers | None = None,
    *,
    screen: Screen | None = None,
    pixels: bool = True,
    during: Callable[[int, int, Screen], None] | None = None,
    patience: float = 60.0,
) -> Ended:
    """Run a program with all three streams on a terminal that draws and answers.

    Without ``pixels``, the system does not know how large a cell is. ``during`` is called as output
    comes, with the head of the process group and the other end of the terminal.
    """
    answers, screen = answers or Answers(), screen or Screen()
    with _terminal(screen, pixels=pixels) as (master, slave):
        before = termios.tcgetattr(slave)
        if answers.keys:
            os.write(master, answers.keys)
        begun = time.monotonic()
        with _started(command, env, slave) as (process, ended):
            _attend(process, master, ended, screen, answers, during, begun + patience)
            code = int(os.read(ended, 16))
            seconds = time.monotonic() - begun
            modes = termios.tcgetattr(slave) == before
            return Ended(code, screen, _typed(slave), seconds, modes)


@contextlib.contextmanager
def _terminal(screen: Screen, *, pixels: bool) -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    across, down = (screen.columns * screen.cell[0], screen.lines * screen.cell[1])
    size = (screen.lines, screen.columns, across * pixels, down * pixels)
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", *size))
    try:
        yield master, slave
    finally:
        os.close(slave)
        os.close(master)


@contextlib.contextmanager
def _started(
    command: Sequence[bytes], env: Mapping[str, str], slave: int
) -> Iterator[tuple[int, int]]:
    """The program, in front of a shell that outlives it, and where its exit code comes."""
    ended, tell = os.pipe()
    shell = f'trap : INT; "$@"; echo $? > /dev/fd/{tell}; exec sleep 100'
    process = subprocess.Popen(
        ["sh", "-c", shell, "sh", *command],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=dict(env),
        pass_fds=(tell,),
        start_new_session=True,
        preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(tell)
    try:
        yield process.pid, ended
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ended)


def _attend(
    process: int,
    master: int,
    ended: int,
    screen: Screen,
    answers: Answers,
    during: Callable[[int, int, Screen], None] | None,
    until: float,
) -> None:
    """Draw and answer until the program has ended and all that it said is there."""
    to_answer: list[float] = []
    seen = 0
    while True:
        now = time.monotonic()
        assert now < until, screen.text
        if to_answer and now >= to_answer[0]:
            to_answer.pop(0)
            os.write(master, answers.said)
        ready = select.select([master, ended], [], [], 0.02)[0]
        if master in ready:
            screen.feed(os.read(master, 65536))
            questions = sum(question == "c" for question in screen.asked)
            to_answer += [now + answers.after] * (questions - seen)
            seen = questions
            if during is not None:
                during(process, master, screen)
        elif ended in ready and not to_answer:
            return


def _typed(slave: int) -> bytes:
    """What was typed and nobody read."""
    modes = termios.tcgetattr(slave)
    modes[3] &= ~(termios.ICANON | termios.ECHO)
    modes[6][termios.VMIN] = modes[6][termios.VTIME] = 0
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    return os.read(slave, 4096)
