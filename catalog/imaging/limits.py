"""How much one file may ask for, decided from its header before anything is decoded.

The figures follow what real cameras make (phones take 200 megapixels, stitched panoramas
more) and what a worker may hold: 1 GiB at its peak, file included.
"""

from __future__ import annotations

from catalog.imaging.failing import Undecodable
from catalog.model import Reason

FILE_BYTES = 1 << 30  # larger files are no pictures
WHOLE_BYTES = 64 << 20  # up to here a file is held in memory, beyond it is read in place
HELD_BYTES = 256 << 20  # of a file whose decoder takes it all into memory
JPEG_PIXELS = 500_000_000  # decoded at an eighth of that
OTHER_PIXELS = 100_000_000
DECODED_BYTES = 400_000_000  # of pixels held at once
WORKING_BYTES = 800_000_000  # of all that one decoder holds at its peak
FRAMES = 10_000  # counting stops here
BLOCKS = 1_000_000  # of a GIF, counting stops here
DIRECTORIES = 1_000  # of a TIFF, counting stops here


def check_pixels(width: int, height: int, most: int) -> None:
    """Refuse a picture whose header claims more than ``most`` pixels, or none.

    Raises Undecodable.
    """
    if width < 1 or height < 1:
        raise Undecodable(Reason.DAMAGED, "the header claims a picture without pixels")
    if width * height > most:
        raise Undecodable(
            Reason.TOO_LARGE,
            f"{width} x {height} pixels; at most {most // 1_000_000} megapixels are read",
        )


def check_held(size: int) -> None:
    """Refuse a file too large for a decoder that takes all of it. Raises Undecodable."""
    if size > HELD_BYTES:
        raise Undecodable(Reason.TOO_LARGE, f"a file of {size >> 20} MiB in a format held whole")


def check_decoded(size: int) -> None:
    """Refuse what would take more than DECODED_BYTES once decoded. Raises Undecodable."""
    if size > DECODED_BYTES:
        raise Undecodable(
            Reason.TOO_LARGE,
            f"{size // 1_000_000} MB once decoded; at most {DECODED_BYTES // 1_000_000} are held",
        )


def check_working(size: int) -> None:
    """Refuse what its decoder would need more than WORKING_BYTES for. Raises Undecodable."""
    if size > WORKING_BYTES:
        raise Undecodable(
            Reason.TOO_LARGE,
            f"{size // 1_000_000} MB to decode; at most {WORKING_BYTES // 1_000_000} are used",
        )
