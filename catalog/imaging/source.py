"""The open file as decoders see it."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import BinaryIO

from catalog.imaging import limits

HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was opened once and is read through that one descriptor only.

    ``whole`` holds all bytes of a file of up to limits.WHOLE_BYTES; a larger one is read in
    place, so that a worker's memory stays bounded.
    """

    file: BinaryIO
    size: int
    whole: bytes | None
    suffix: bytes = b""  # lower case, without the dot

    def at(self, offset: int, length: int) -> bytes:
        """At most ``length`` bytes from ``offset``."""
        if offset < 0 or length <= 0 or offset >= self.size:
            return b""
        if self.whole is not None:
            return self.whole[offset : offset + length]
        self.file.seek(offset)
        return self.file.read(min(length, limits.WHOLE_BYTES))

    def rewound(self) -> BinaryIO:
        """The file, at its first byte."""
        self.file.seek(0)
        return self.file


def open_source(descriptor: int, size: int, suffix: bytes) -> Source:
    """The open file as a source, read into memory unless it is too large.

    The descriptor stays the caller's. Raises OSError where the disk does.
    """
    if size > limits.WHOLE_BYTES:
        return Source(os.fdopen(descriptor, "rb", closefd=False), size, None, suffix)
    whole = os.read(descriptor, size)
    while len(whole) < size and (more := os.read(descriptor, size - len(whole))):
        whole += more
    return Source(io.BytesIO(whole), len(whole), whole, suffix)
