"""Colours and encodings follow the place that is written to."""

from __future__ import annotations

import io

import pytest

from catalog.rendering.look import Look, for_people, for_programs, look_of


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "91")


def test_a_pipe_has_neither_colours_nor_columns():
    assert look_of(io.StringIO()) == Look(colour=False, width=None)


def test_a_terminal_has_both():
    assert look_of(Terminal()) == Look(colour=True, width=91)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_declined(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert look_of(Terminal()) == Look(colour=False, width=91)


def test_an_empty_no_color_means_nothing(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "")
    assert look_of(Terminal()).colour


def test_nothing_is_painted_without_colour():
    assert Look().bold("x") == "x"
    assert Look(colour=True).bold("x") == "\x1b[1mx\x1b[0m"
    assert Look(colour=True).bold("") == ""


def test_people_get_escapes_where_the_encoding_lacks_a_character():
    raw = io.BytesIO()
    stream = for_people(io.TextIOWrapper(raw, encoding="latin-1"))
    stream.write("é 日")
    stream.flush()
    assert raw.getvalue() == b"\xe9 \\u65e5"


def test_programs_get_utf_8_and_untouched_line_ends():
    raw = io.BytesIO()
    stream = for_programs(io.TextIOWrapper(raw, encoding="latin-1", newline="\r\n"))
    stream.write("é\r\n日\n")
    stream.flush()
    assert raw.getvalue() == "é\r\n日\n".encode()
