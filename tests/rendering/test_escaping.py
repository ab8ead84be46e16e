"""Names are shown safely, and told apart."""

from __future__ import annotations

import base64
import os
import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.escaping import harmless, json_path, printable

# Format characters (Cf) that are signs one can see.
VISIBLE_FORMAT = "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
VISIBLE_FORMAT += "\U00013430-\U0001343f"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"plain name.jpg", "plain name.jpg"),
        (b"a\nb\tc\x1b[0m\x7f", r"a\x0ab\x09c\x1b[0m\x7f"),
        (b"latin \xe9", r"latin \xe9"),
        ("c1 \x9b and \x85".encode(), r"c1 \u009b and \u0085"),
        ("rtl \u202egpj.exe", r"rtl \u202egpj.exe"),
        ("line \u2028 paragraph \u2029", r"line \u2028 paragraph \u2029"),
        ("tag \U000e0041", r"tag \U000e0041"),
        (b"back\\slash", r"back\\slash"),
        (b"\\x0a", r"\\x0a"),
        (os.fsdecode(b"undecoded \xff"), r"undecoded \xff"),
        ("lone \ud800", r"lone \ud800"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("l\u200detters", r"l\u200detters"),
        ("été 日本語 עברית e\u0301 😀", "été 日本語 עברית e\u0301 😀"),
        ("👨\u200d👩\u200d👧 ❤\ufe0f\u200d🔥", "👨\u200d👩\u200d👧 ❤\ufe0f\u200d🔥"),
    ],
)
def test_names_are_shown_like_this(name, shown):
    assert printable(name) == shown


def test_everything_unicode_calls_control_or_format_is_escaped():
    visible = re.compile(f"[{VISIBLE_FORMAT}]")
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        unsafe = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        if unsafe and not visible.match(character):
            assert printable(f"a{character}b").isprintable(), f"U+{code:04X}"


def unescaped(shown: str) -> bytes:
    """The name that ``printable`` was given, from what it showed."""

    def original(found: re.Match[str]) -> bytes:
        token = found.group()
        if token == "\\\\":
            return b"\\"
        if token[0] != "\\":
            return token.encode()
        code = bytes.fromhex(token[2:])
        return code if token[1] == "x" else chr(int.from_bytes(code, "big")).encode()

    tokens = re.finditer(r"\\\\|\\x..|\\u.{4}|\\U.{8}|[^\\]", shown)
    return b"".join(original(token) for token in tokens)


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "replace")))
def test_no_two_names_look_alike(name):
    assert unescaped(printable(name)) == name


@given(st.binary())
def test_bytes_and_their_decoded_form_are_shown_the_same(name):
    assert printable(name) == printable(name.decode("utf-8", "surrogateescape"))


def test_hostile_names_survive_being_shown(hostile_names):
    for name in hostile_names:
        shown = printable(name)
        assert shown.encode().isascii() or shown.encode().decode() == shown
        assert all(byte >= 0x20 for byte in shown.encode())
        assert unescaped(shown) == name


@given(st.binary())
def test_a_json_path_is_exact_one_way_or_the_other(path):
    item = json_path(path)
    if "path_b64" in item:
        assert base64.b64decode(item["path_b64"]) == path
        with pytest.raises(UnicodeDecodeError):
            path.decode()
    else:
        assert item["path"].encode() == path


def test_a_json_path_may_have_another_name():
    assert json_path(b"/a", "query") == {"query": "/a"}
    assert json_path(b"/\xff", "query") == {"query": r"/\xff", "query_b64": "L/8="}


def test_a_sentence_with_names_that_are_printable_already_is_escaped_once() -> None:
    name = printable(b"red \x1b[31m \xff \\")
    assert harmless(f"there is no file {name}") == "there is no file red \\x1b[31m \\xff \\\\"
    assert harmless("a raw \x1b[31m \udcff") == "a raw \\x1b[31m \\xff"
