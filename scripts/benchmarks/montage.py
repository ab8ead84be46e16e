"""Signatures of pictures that nobody took: crops of real ones laid over each other.

A million real photos cannot be had, and noise looks like nothing to a matcher. So each picture is
two crops of two real ones, mixed, mirrored and toned by chance: its hashes and its residuals are
those of natural pictures. Some are copies of the one before: toned, cropped, barred or turned.
"""

from __future__ import annotations

import os
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.trees import files_below
from catalog.model import SIGNATURE_SIDE

COPIES: Final = 0.1  # of the pictures

_SIDE: Final = 128  # pixels, of the real ones as they are kept
_SMALLEST, _LARGEST = 0.45, 0.8  # of a side, of a crop
_SETS: Final = ("cc0_clothing", "cc0_drone", "cc0_budgie", "kodak")
_SUFFIXES: Final = (".jpg", ".jpeg", ".png")
_PORTION: Final = 512  # pictures made together

Pixels = NDArray[np.float32]


def originals(photos: str) -> Pixels:
    """(n, _SIDE, _SIDE) grey of the distinct real pictures below ``photos``."""
    found = []
    for path in sorted(files_below(photos)):
        folder = os.path.relpath(path, photos)
        if folder.startswith(_SETS) and path.lower().endswith(_SUFFIXES):
            with Image.open(path) as image:
                image.draft("L", (2 * _SIDE, 2 * _SIDE))
                grey = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
                found.append(np.asarray(grey, dtype=np.float32))
    return np.stack(found) if found else np.empty((0, _SIDE, _SIDE), dtype=np.float32)


def signatures(real: Pixels, numbers: range) -> NDArray[np.uint8]:
    """(n, SIGNATURE_SIDE**2): those of the pictures with these numbers, always the same."""
    parts = []
    for start in range(numbers.start - numbers.start % _PORTION, numbers.stop, _PORTION):
        made = _portion(real, start)
        first, last = max(numbers.start - start, 0), min(numbers.stop - start, _PORTION)
        parts.append(made[first:last])
    return np.concatenate(parts)


def _portion(real: Pixels, start: int) -> NDArray[np.uint8]:
    chance = np.random.default_rng((7, start))
    one, other = (_crops(real, chance) for _ in range(2))
    share = chance.uniform(0.5, 0.75, (_PORTION, 1, 1)).astype(np.float32)
    mixed = share * one + (1 - share) * other
    contrast = chance.uniform(0.8, 1.6, (_PORTION, 1, 1)).astype(np.float32)
    middle = mixed.mean(axis=(1, 2), keepdims=True)
    mixed = (mixed - middle) * contrast + middle
    copies = np.flatnonzero(chance.random(_PORTION) < COPIES)
    for at in copies[copies > 0].tolist():
        mixed[at] = _copied(mixed[at - 1], int(chance.integers(5)), chance)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8).reshape(_PORTION, -1)


def _crops(real: Pixels, chance: np.random.Generator) -> Pixels:
    which = chance.integers(len(real), size=_PORTION)
    axes = []
    for _ in range(2):
        size = chance.uniform(_SMALLEST, _LARGEST, _PORTION)
        begin = chance.random(_PORTION) * (1 - size)
        grid = (np.arange(SIGNATURE_SIDE) + 0.5) / SIGNATURE_SIDE
        at = ((begin[:, None] + grid * size[:, None]) * _SIDE).astype(np.int64)
        mirrored = chance.random(_PORTION) < 0.5
        at[mirrored] = at[mirrored, ::-1]
        axes.append(at)
    rows, columns = axes
    # Means of 2 x 2 pixels: single ones would be noisier than any picture that was resized.
    near: Pixels = sum(
        real[
            which[:, None, None],
            np.minimum(rows + down, _SIDE - 1)[:, :, None],
            np.minimum(columns + across, _SIDE - 1)[:, None, :],
        ]
        for down in (0, 1)
        for across in (0, 1)
    ) / np.float32(4)
    return near


def _copied(square: Pixels, edit: int, chance: np.random.Generator) -> Pixels:
    if edit == 0:
        return square + chance.normal(0, 0.5, square.shape).astype(np.float32)
    if edit == 1:
        return square * np.float32(0.8)
    if edit == 2:
        return np.rot90(square)
    image = Image.fromarray(square.clip(0, 255).astype(np.uint8))
    side = SIGNATURE_SIDE
    box: Any = (0.1 * side, 0, side, side) if edit == 3 else (0.8, 0.8, side - 0.8, side - 0.8)
    size = (side, side)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=box), dtype=np.float32)
