"""What a decoder raises becomes one reason and one line for a person."""

from __future__ import annotations

import errno
import re
import struct

from catalog.model import Failure, Reason

DETAIL_LENGTH = 120  # characters

_ADDRESS = re.compile(r"<[^>]*\bat 0x[0-9a-fA-F]+>|0x[0-9a-fA-F]{6,}")
_CUT_SHORT = re.compile(
    r"truncat|premature|end of (?:file|data|input)|not enough (?:image )?data|not processed"
    r"|unpack requires|unpack_from requires|index out of range",
    re.IGNORECASE,
)
_NOT_OURS = re.compile(r"unsupported|not supported|not implemented", re.IGNORECASE)
_TOO_MUCH = re.compile(
    r"decompressed data too large|too much memory|security limit|out of memory|exceeds.*limit"
    r"|memory allocation",
    re.IGNORECASE,
)


class Undecodable(Exception):
    """The file has no fingerprint; carries the reason. Never leaves this package."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def explain(error: BaseException) -> Failure:
    """The failure that an exception raised while decoding stands for."""
    if isinstance(error, Undecodable):
        return Failure(error.reason, one_line(error.detail))
    if isinstance(error, MemoryError):
        return Failure(Reason.TOO_LARGE, "the decoder ran out of memory")
    if isinstance(error, OSError) and error.errno in (errno.EIO, errno.ESTALE, errno.ENXIO):
        return Failure(Reason.UNREADABLE, one_line(error.strerror or "input/output error"))
    text = one_line(str(error))
    if type(error).__name__.startswith("DecompressionBomb") or _TOO_MUCH.search(text):
        return Failure(Reason.TOO_LARGE, text)
    if isinstance(error, EOFError | struct.error) or _CUT_SHORT.search(text):
        return Failure(Reason.TRUNCATED, text or "the end is missing")
    if type(error).__name__ == "UnidentifiedImageError":
        return Failure(Reason.DAMAGED, "the header cannot be read")
    if _NOT_OURS.search(text):
        return Failure(Reason.UNSUPPORTED, text)
    return Failure(Reason.DAMAGED, text or type(error).__name__)


def one_line(text: str) -> str:
    """``text`` as one short printable line, the same in every process."""
    text = _ADDRESS.sub("data", text)
    text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())[:DETAIL_LENGTH]
