"""The hashes and the signature of a grey picture. The bits are ImageHash's own.

ImageHash begins each hash with a Lanczos resize: 32 x 32 for pHash, 9 x 8 for dHash, 8 x 8
for aHash. That resize is made here, because only here is it known which part of a reduced
image the picture fills; given an image of the very size it wants, ImageHash's own resize
changes nothing. The signature is what pHash sees, so pHash follows exactly from it, in all
eight orientations.
"""

from __future__ import annotations

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageStat

from catalog.imaging.orientation import upright
from catalog.imaging.picture import Pixels
from catalog.model import SIGNATURE_SIDE, HashKind

FLAT_DEVIATION = 8.0  # of 255; below it a signature is no evidence of anything

Signatures = npt.NDArray[np.uint8]  # (N, SIGNATURE_SIDE**2)
Hashes = npt.NDArray[np.uint64]  # (N,)


def to_int(bits: imagehash.ImageHash) -> int:
    """A 64-bit hash as an unsigned integer, its first bit the most significant.

    The same as ``int(str(bits), 16)``; XOR and a bit count give what ``-`` gives.
    """
    return int.from_bytes(np.packbits(bits.hash).tobytes(), "big")


def signature_of(pixels: Pixels) -> Image.Image:
    """SIGNATURE_SIDE x SIGNATURE_SIDE grey, by the resize that ImageHash's pHash begins with."""
    return _resized(pixels, (SIGNATURE_SIDE, SIGNATURE_SIDE))


def phash(signature: Image.Image) -> int:
    """ImageHash's pHash."""
    return to_int(imagehash.phash(signature))


def dhash(pixels: Pixels) -> int:
    """ImageHash's dHash."""
    return to_int(imagehash.dhash(_resized(pixels, (9, 8))))


def ahash(pixels: Pixels) -> int:
    """ImageHash's average hash."""
    return to_int(imagehash.average_hash(_resized(pixels, (8, 8))))


def is_flat(signature: Image.Image) -> bool:
    """Whether the picture has too little contrast to be told from another one like it."""
    return ImageStat.Stat(signature).stddev[0] < FLAT_DEVIATION


def follows(signature: bytes, hash_: int, flat: bool) -> bool:
    """Whether this pHash and this flatness are those of the picture with this signature."""
    if len(signature) != SIGNATURE_SIDE**2:
        return False
    image = Image.frombytes("L", (SIGNATURE_SIDE, SIGNATURE_SIDE), signature)
    return phash(image) == hash_ and is_flat(image) == flat


def whash(signatures: Signatures) -> Hashes:
    """ImageHash's wavelet hash of each signature: (N, SIGNATURE_SIDE**2) uint8 -> (N,) uint64.

    It takes about 1 ms a picture, which is why it is made when asked for and never stored.
    """
    result = np.empty(len(signatures), np.uint64)
    for row, signature in enumerate(signatures):
        square = signature.reshape(SIGNATURE_SIDE, SIGNATURE_SIDE)
        result[row] = to_int(imagehash.whash(Image.fromarray(square)))
    return result


def turned(signature: bytes) -> dict[HashKind, list[int]]:
    """Every hash of a signature in each of the eight orientations, in the order of EXIF."""
    square = (SIGNATURE_SIDE, SIGNATURE_SIDE)
    found: dict[HashKind, list[int]] = {kind: [] for kind in HashKind}
    for orientation in range(1, 9):
        image = upright(Image.frombytes("L", square, signature), orientation)
        pixels = Pixels(image, (0, 0, *image.size))
        found[HashKind.PHASH].append(phash(image))
        found[HashKind.DHASH].append(dhash(pixels))
        found[HashKind.AHASH].append(ahash(pixels))
        found[HashKind.WHASH].append(to_int(imagehash.whash(image)))
    return found


def _resized(pixels: Pixels, size: tuple[int, int]) -> Image.Image:
    return pixels.image.resize(size, Image.Resampling.LANCZOS, box=pixels.extent)
