"""--show draws the photos that the text is about, on whatever terminal there is, and harms none."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from commandline import Imgcat, one_line
from commandline import pictures as pictures_of
from PIL import Image

from catalog.imaging.small import Form
from catalog.rendering.sequences import broken_off
from tests.screens import (
    CELL,
    KITTY,
    PLAIN,
    SIXEL,
    Answers,
    Ended,
    Screen,
    Transcript,
    run_on_terminal,
)

RED, BLUE = (220, 20, 30), (10, 40, 200)
HOSTILE = b"\x1b]0;owned\x07\x1b[2J\x1b_Ga=d\x1b\\\xff\nx.png"
INTERRUPTED = 130
MANY = 12


def halves(path: Path | bytes, size: tuple[int, int] = (96, 64)) -> None:
    """Red on the left, blue on the right, and a few dots so that it is not flat."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    image.paste((0, 0, 0), (0, size[1] - 8, 16, size[1]))
    image.save(os.fsdecode(path), "PNG")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Imgcat:
    """Groups of two, each of a picture of its own. For questions only."""
    home = tmp_path_factory.mktemp("many")
    pictures_of(home / "photos", MANY)
    for path in sorted((home / "photos").rglob("*.png")):
        shutil.copy(path, path.with_name(f"copy of {path.name}"))
    made = Imgcat(bytes(home / "catalog.db"), home)
    assert made("index", home / "photos").code == 0
    return made


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Imgcat:
    """One picture in three files, one of them with a hostile name. For questions only."""
    home = tmp_path_factory.mktemp("shown")
    top = home / "photos"
    top.mkdir()
    halves(top / "a.png")
    for name in (b"b.png", HOSTILE if sys.platform == "linux" else b"c.png"):
        shutil.copy(top / "a.png", os.path.join(bytes(top), name))
    for path in top.iterdir():
        os.utime(path, (1_600_000_000, 1_600_000_000))
    made = Imgcat(bytes(home / "catalog.db"), home)
    assert made("index", top).code == 0
    return made


def shown(
    imgcat: Imgcat,
    *words: str | bytes | Path,
    answers: Answers | None = None,
    env: Mapping[str, str] | None = None,
    **options: object,
) -> Ended:
    """What a terminal that answers so has on its screen after a question with --show."""
    plain = {key: value for key, value in imgcat.env.items() if key not in VARIABLES}
    # An answer that is not fresh says so, minutes later with other words.
    command = imgcat.command("--quiet", *words, "--show")
    return run_on_terminal(command, {**plain, **(env or {})}, answers, **options)


VARIABLES = frozenset(
    ["COLUMNS", "COLORTERM", "TERM_PROGRAM", "LC_TERMINAL", "ITERM_SESSION_ID", "TMUX", "STY"]
)
TRUE_COLOUR = {"COLORTERM": "truecolor"}
TERMINALS: dict[str, tuple[Form, Answers, dict[str, str]]] = {
    "kitty": (Form.KITTY, Answers(KITTY + CELL + PLAIN), {"TERM": "xterm-kitty"}),
    "sixel": (Form.SIXEL, Answers(CELL + SIXEL), {}),
    "iterm over ssh": (Form.ITERM, Answers(), {"LC_TERMINAL": "iTerm2"}),
    "never answers": (Form.BLOCKS, Answers(), TRUE_COLOUR),
    "without colour": (Form.BLOCKS, Answers(PLAIN), {"NO_COLOR": "1", **TRUE_COLOUR}),
}


def pictures(screen: Screen, form: Form) -> list[Image.Image]:
    """What was drawn in the first row, from left to right, which must be this form."""
    if form is not Form.BLOCKS:
        assert "▀" not in screen.text
        first = min((drawn.row for drawn in screen.pictures), default=0)
        return [drawn.image for drawn in screen.pictures if drawn.row == first]
    assert not screen.pictures
    row = min(row for (row, _), letter in screen.letters.items() if letter == "▀")
    starts = [
        column
        for (r, column), letter in sorted(screen.letters.items())
        if r == row and letter == "▀" and screen.letters.get((row, column - 1)) != "▀"
    ]
    return [screen.blocks(row, column) for column in starts]


def is_halves(image: Image.Image) -> bool:
    """Whether it is red on the left and blue on the right, where it is opaque."""
    box = image.convert("RGBA").getchannel("A").getbbox()
    assert box is not None
    inside = image.convert("RGB").crop(box)
    width, height = inside.size
    assert abs(width / height - 3 / 2) < 0.4
    expected = {(width // 5, height // 3): RED, (width * 4 // 5, height // 2): BLUE}
    return all(
        max(abs(a - b) for a, b in zip(inside.getpixel(place), colour, strict=True)) < 24
        for place, colour in expected.items()
    )


@pytest.mark.parametrize("kind", TERMINALS)
def test_each_terminal_gets_the_photos_as_it_takes_them(indexed: Imgcat, kind: str) -> None:
    """Whatever is answered, nothing of it is left to the shell.

    The screen knows no sequence but ours (R39), and who types --show wants colours, also where
    text is to have none: on https://no-color.org, what is asked for goes before it.
    """
    form, answers, env = TERMINALS[kind]
    done = shown(indexed, "dupes", answers=answers, env=env, pixels=kind == "sixel")
    assert done.code == 0, done.screen.text
    drawn = pictures(done.screen, form)
    assert len(drawn) == 3
    assert all(map(is_halves, drawn))
    assert done.typed == b""
    assert done.modes
    lines = done.screen.text.splitlines()
    below = next(line for line in lines if "keep" in line)
    assert below.split() == ["keep", "identical", "identical"]
    assert any(line.startswith("Group 1: 3 photos, identical") for line in lines)
    if sys.platform == "linux":
        assert r"\x1b]0;owned\x07\x1b[2J\x1b_Ga=d\x1b\\\xff\x0ax.png" in done.screen.text


@pytest.mark.parametrize("form", [Form.KITTY, Form.SIXEL])
def test_a_full_screen_scrolls_before_and_not_under_a_picture(many: Imgcat, form: Form) -> None:
    """The screen is strict: a picture that would scroll it fails the test."""
    screen = Screen(lines=9)
    done = shown(many, "dupes", env={"IMGCAT_SHOW": form}, screen=screen)
    assert done.code == 0
    assert len(screen.pictures) == 2 * MANY
    assert len({drawn.row for drawn in screen.pictures}) == MANY
    for drawn in screen.pictures:
        assert [screen.line(drawn.row + below) for below in range(drawn.rows)] == [""] * drawn.rows
        assert screen.line(drawn.row + drawn.rows).split() == ["keep", "identical"]


def test_similar_draws_what_was_asked_beside_its_matches(indexed: Imgcat) -> None:
    image = indexed.home / "photos" / "a.png"
    done = shown(indexed, "similar", image, answers=Answers(SIXEL), screen=Screen(60))
    assert done.code == 0
    assert len(done.screen.pictures) == 4
    assert all(is_halves(drawn.image) for drawn in done.screen.pictures)
    lines = done.screen.text.splitlines()
    assert [line.split() for line in lines if "asked" in line] == [["asked", "identical"]] * 2
    assert lines[0].startswith("2 matches for ")


def test_what_cannot_be_read_has_a_box_that_says_why(tmp_path: Path) -> None:
    imgcat = Imgcat(bytes(tmp_path / "catalog.db"), tmp_path)
    top = tmp_path / "photos"
    top.mkdir()
    halves(top / "a.png")
    for name in ("b.png", "c.png"):
        shutil.copy(top / "a.png", top / name)
    assert imgcat.ask("index", top).code == 0
    kept, changed, gone = sorted(top.iterdir())
    changed.write_bytes(b"something else by now")
    gone.unlink()
    done = shown(imgcat, "dupes", answers=Answers(KITTY + PLAIN))
    assert done.code == 0
    assert [drawn.column for drawn in done.screen.pictures] == [2]
    first, second = (
        " ".join(" ".join(line[column : column + 24].strip("| ") for line in boxes).split())
        for boxes in [done.screen.text.splitlines()[:8]]
        for column in (28, 54)
    )
    assert "cannot be shown: keeps changing: it changed since it was indexed" in first
    assert "cannot be shown: cannot be read: No such file or directory" in second
    assert kept.exists()


# -- a terminal is left as it was ---------------------------------------------------------------


def test_it_is_asked_also_where_input_is_a_pipe(indexed: Imgcat) -> None:
    command = [b"sh", b"-c", b'"$@" < /dev/null', b"sh", *indexed.command("dupes", "--show")]
    done = run_on_terminal(command, indexed.env, Answers(KITTY + PLAIN))
    assert done.code == 0
    assert len(done.screen.pictures) == 3


@pytest.mark.parametrize("form", [Form.KITTY, Form.BLOCKS])
def test_ctrl_c_ends_it_at_once_and_the_terminal_takes_text_again(many: Imgcat, form: Form) -> None:
    """Interrupted while the terminal is slow, so somewhere in a picture."""
    pressed: list[float] = []

    def press(_process: int, master: int, screen: Screen) -> None:
        if not pressed and "Group 1" in screen.text:
            time.sleep(0.2)  # until the program waits for us to read on
            pressed.append(time.monotonic())
            os.write(master, b"\x03")

    done = shown(many, "dupes", env={"IMGCAT_SHOW": form}, during=press, screen=Transcript())
    took = time.monotonic() - pressed[0]
    assert done.code == INTERRUPTED
    assert took < 5
    said = done.screen.said
    assert f"Group {MANY}:".encode() not in said
    after = said[said.rindex(broken_off(form).rstrip().encode()) :]
    assert after.endswith(b"imgcat: interrupted; run the same command to go on\r\n")
    assert done.modes
    assert many.nothing_is_left()


# -- where nothing can be drawn -----------------------------------------------------------------


def test_output_that_goes_elsewhere_is_an_error_that_says_what_to_do(indexed: Imgcat) -> None:
    done = indexed.ask("dupes", "--show")
    assert done.code == 2
    assert "IMGCAT_SHOW=blocks" in one_line(done)


def test_blocks_can_go_through_a_pager(indexed: Imgcat) -> None:
    env = {**indexed.env, "IMGCAT_SHOW": "blocks", "COLUMNS": "80", **TRUE_COLOUR}
    done = indexed("--quiet", "dupes", "--show", env=env)
    assert done.code == 0
    assert set(re.findall(rb"\x1b\[[\d;]*([^\d;])", done.out)) == {b"m"}, "colours, and no moves"
    screen = Screen(80)
    screen.feed(done.out.replace(b"\n", b"\r\n"))
    drawn = pictures(screen, Form.BLOCKS)
    assert len(drawn) == 3
    assert all(map(is_halves, drawn))


@pytest.mark.parametrize("command", ["dupes", "similar"])
def test_none_is_as_if_nobody_had_asked(
    indexed: Imgcat, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCAT_SHOW", "none")
    words = [command, *([indexed.home / "photos" / "a.png"] if command == "similar" else [])]
    assert indexed.ask("-q", *words, "--show") == indexed.ask("-q", *words)


@pytest.mark.parametrize(
    "words",
    [
        ["dupes", "--json"],
        ["dupes", "--csv"],
        ["dupes", "--print0"],
        ["dupes", "--pairs"],
        ["dupes", "--trash"],
        ["dupes", "--delete", "--apply"],
        ["similar", "x.png", "--json"],
        ["similar", "x.png", "--print0"],
    ],
    ids=" ".join,
)
def test_it_goes_with_nothing_that_is_not_for_eyes(
    indexed: Imgcat, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCAT_SHOW", "blocks")
    done = indexed.ask(*words, "--show")
    assert done.code == 2
    assert "--show" in one_line(done)


def test_a_form_that_is_none_is_an_error(indexed: Imgcat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGCAT_SHOW", "\x1b[2J")
    done = indexed.ask("dupes", "--show")
    assert done.code == 2
    assert "kitty, iterm, sixel, blocks or none, and not \\x1b[2J" in one_line(done)


def test_help_names_the_forms(indexed: Imgcat) -> None:
    for command in ("dupes", "similar"):
        said = " ".join(indexed.ask(command, "--help").text.split())
        assert "kitty, iterm, sixel, blocks, or none" in said
