r"""File names are hostile: they may hold escape sequences, line ends, bidi tricks, any byte.

``printable`` makes a name safe to show, one and the same way everywhere:

- ``\xNN`` is the byte NN: a control character below 0x20, DEL, or a byte that is not UTF-8;
- ``\uNNNN`` and ``\UNNNNNNNN`` are characters: C1 controls, line and paragraph separators, and
  what shows nothing but changes what is seen (bidi controls, zero-width characters, fillers);
- ``\\`` is a backslash, always, so that no two names look alike here and the exact name can be
  told from what is shown;
- everything else stays as it is, emoji included.
"""

from __future__ import annotations

import base64
import re

_EMOJI = "\u2190-\u2bff\U0001f000-\U0001faff"

# Unicode's general categories Cc, Cs, Zl, Zp and Cf, less those Cf that are visible signs
# (Arabic number signs and the like), plus blank letters and noncharacters. Written out, as
# asking unicodedata about each of 1.1 million characters takes 100 ms.
_UNSAFE = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufeff\uffa0"
    "\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
)
# A joiner stays between two emoji, where it makes families and professions.
_JOINER = f"(?<![{_EMOJI}\ufe0f])\u200d|\u200d(?![{_EMOJI}])"
UNSAFE = re.compile(f"[{_UNSAFE}]|{_JOINER}")
_TO_ESCAPE = re.compile(f"[\\\\{_UNSAFE}]|{_JOINER}")


def printable(name: bytes | str) -> str:
    """``name`` as it may be shown on a terminal; see the module for the escapes.

    A str may carry undecodable bytes as surrogates, as ``os.fsdecode`` makes them.
    """
    text = name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return _TO_ESCAPE.sub(_escape, text)


def harmless(text: str) -> str:
    """A sentence whose names are ``printable`` already, or that quotes what somebody else said.

    What could act is escaped as in a name, and a backslash stays one.
    """
    return text if text.isascii() and text.isprintable() else UNSAFE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    code = ord(character)
    if character == "\\":
        return "\\\\"
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, in Python's disguise
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def exact_text(name: bytes) -> str | None:
    """``name`` as text that encodes back to it, or None where it is not UTF-8."""
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return None


def base64_of(name: bytes) -> str:
    """The exact bytes, for names that text cannot carry."""
    return base64.b64encode(name).decode("ascii")


def json_path(path: bytes, key: str = "path") -> dict[str, str]:
    """``{"path": ...}``, exact; where it is not UTF-8, escaped and with ``path_b64`` beside it.

    ``key`` names the field when it is not called path.
    """
    text = exact_text(path)
    if text is not None:
        return {key: text}
    return {key: printable(path), f"{key}_b64": base64_of(path)}
