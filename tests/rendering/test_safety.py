"""No writer lets a hostile name through, whatever the name and wherever it stands."""

from __future__ import annotations

import ast
import inspect
import io
from types import ModuleType

import pytest

from catalog.escaping import UNSAFE
from catalog.model import (
    Drift,
    Duplicates,
    Group,
    Kind,
    Likeness,
    Match,
    Pair,
    Problem,
    Reason,
    Recipe,
    RootState,
    Status,
    Summary,
    Verification,
)
from catalog.rendering import doing, done, explained, reports, states, structured, table, text
from catalog.rendering.look import Look


def every_text(name: bytes, photo) -> dict[str, str]:
    """All that the writers for people make of answers full of ``name``."""
    words = name.decode("utf-8", "surrogateescape")
    hostile = photo(name, taken_at=words, camera=words, format=words)
    matches = tuple(Match(hostile, kind, 1, 0.9, same_file=True) for kind in Kind)
    groups = Duplicates((Group(hostile, "older", matches),))
    root = RootState(name, False, 1, 1, 1, 0, words)
    status = Status(name, 1, 1, 1, 1, 1, Recipe.FULL, 1, (root,))
    summary = Summary((name,), 1, 1, 1, 1, 1, 1, 1, 1.0, 1, (name,), ((name, words),), (words,))
    verification = Verification(1, 1, (Drift(name, words),), words, 1.0)
    answers = {
        "groups": (text.write_duplicates, groups),
        "pairs": (text.write_duplicates, Duplicates((), [Pair(hostile, hostile, 1)])),
        "similar": (text.write_likeness, Likeness(name, matches, flat=True)),
        "left out": (text.write_duplicates, Duplicates((), offline=((name, words),))),
        "verify": (reports.write_verification, verification),
        "no match": (text.write_likeness, Likeness(name, ())),
        "status": (reports.write_status, status),
        "problems": (reports.write_problems, [Problem(name, 1, Reason.DAMAGED, words)]),
        "summary": (reports.write_summary, summary),
    }
    shown = {}
    for what, (write, answer) in answers.items():
        for look in (Look(), Look(width=80)):
            out = io.StringIO()
            write(answer, out, look)
            shown[f"{what} {look.width}"] = out.getvalue()
    return shown


def test_text_for_people_holds_no_control_characters(hostile_names, photo):
    for name in hostile_names:
        for what, shown in every_text(name, photo).items():
            visible = shown.replace("\n", "")
            assert not UNSAFE.search(visible), f"{what}: {visible!r}"
            assert min(visible.encode()) >= 0x20


def test_a_name_cannot_add_lines(photo):
    calm = {what: shown.count("\n") for what, shown in every_text(b"calm", photo).items()}
    wild = every_text(b"wi\nld\r\x0b\x0c\x1c\xc2\x85\xe2\x80\xa8", photo)
    assert {what: shown.count("\n") for what, shown in wild.items()} == calm
    assert all(len(shown.splitlines()) == calm[what] for what, shown in wild.items())


# What comes from the disk, and what makes it safe.
FROM_DISK = {
    *("path", "query", "catalog", "detail", "why_offline", "taken_at", "camera", "format"),
    *("place", "keeper", "folder", "why", "stopped"),
}
SAFE = {
    text: {"printable"},
    reports: {"printable"},
    table: {"printable", "_path_cells"},
    doing: {"printable", "harmless"},
}


@pytest.mark.parametrize("module", SAFE, ids=lambda module: module.__name__)
def test_no_writer_touches_a_name_without_making_it_safe(module: ModuleType):
    """Each field from the disk stands inside a call that escapes it, or is only looked at."""
    tree = ast.parse(inspect.getsource(module))
    harmless = {
        id(inner)
        for node in ast.walk(tree)
        for part in safe_parts(node, SAFE[module])
        for inner in ast.walk(part)
    }
    raw = [
        f"line {node.lineno}: .{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in FROM_DISK and id(node) not in harmless
    ]
    assert raw == []


def safe_parts(node: ast.AST, safe: set[str]) -> list[ast.AST]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in safe:
        return list(node.args)
    if isinstance(node, ast.If | ast.IfExp):
        return [node.test]
    return []


@pytest.mark.parametrize(
    "module",
    [text, reports, table, structured, explained, states, doing, done],
    ids=lambda m: m.__name__,
)
def test_only_escaping_turns_bytes_into_text(module: ModuleType):
    assert "decode(" not in inspect.getsource(module)
    assert "print(" not in inspect.getsource(module)
