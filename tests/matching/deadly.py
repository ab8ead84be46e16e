"""A picture that takes its process down. Imported by name in the workers."""

from __future__ import annotations

import ctypes

from catalog.matching import again
from catalog.matching.again import Claim

NAME = b"deadly.jpg"


def refuted(numbered: tuple[int, Claim]) -> str:
    """As ``again.refuted``, with a decoder that does not survive one of the files."""
    if numbered[1].victim[0].endswith(NAME):
        ctypes.string_at(0)
    return again.refuted(numbered)
