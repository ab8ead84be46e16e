"""Where the system has a trash of its own, it is asked, and its reason is said."""

from __future__ import annotations

import errno
import os
import sys
import types
from collections.abc import Callable

import pytest

from catalog.actions.elsewhere import system_trash
from catalog.actions.trash import NoTrash


def fake(monkeypatch: pytest.MonkeyPatch, send: Callable[[str], None]) -> None:
    module = types.ModuleType("send2trash")
    module.send2trash = send  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "send2trash", module)


def test_the_system_is_asked_by_the_exact_name(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    fake(monkeypatch, sent.append)
    system_trash(b"/photos/\xc3\xa4\xff")
    assert sent == [os.fsdecode(b"/photos/\xc3\xa4\xff")]


def test_the_reason_of_the_system_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(path: str) -> None:
        raise OSError(errno.EPERM, "not on this volume", path)

    fake(monkeypatch, refusing)
    with pytest.raises(NoTrash, match=r"^not on this volume$"):
        system_trash(b"/a")
    monkeypatch.setitem(sys.modules, "send2trash", None)
    with pytest.raises(NoTrash, match="not installed"):
        system_trash(b"/a")
