"""Grey pictures with the frequencies of photographs, their signatures, and what people do to them.

Each is of a seed; squares, as what hashes see is square.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

from catalog.model import SIGNATURE_SIDE

SIDE = 160
Edges = tuple[float, float, float, float]  # left, right, top, bottom, in parts of a side


@cache
def natural(seed: int, side: int = SIDE) -> Image.Image:
    """Amplitudes that fall with the frequency, as in photographs, and a few sharp shapes."""
    dice = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]) * side
    phases = np.exp(2j * np.pi * dice.random(frequency.shape))
    field = np.fft.irfft2(phases * dice.rayleigh(1, frequency.shape) / (1 + frequency) ** 1.6)
    field = (field - field.mean()) / field.std()
    rows, columns = np.mgrid[0:side, 0:side] / side
    for _ in range(4):
        x, y, angle = dice.random(3)
        slope = np.cos(angle * 6.3) * (columns - x) + np.sin(angle * 6.3) * (rows - y)
        field += dice.normal(0, 0.5) * (slope > 0)
    field = 128 + 45 * (field - field.mean()) / field.std()
    return Image.fromarray(field.clip(0, 255).astype(np.uint8))


def signature(picture: Image.Image, edges: Edges = (0, 1, 0, 1)) -> np.ndarray:
    """(SIGNATURE_SIDE, SIGNATURE_SIDE) uint8 of this window of it."""
    left, right, top, bottom = edges
    width, height = picture.size
    box = (left * width, top * height, right * width, bottom * height)
    square = (SIGNATURE_SIDE, SIGNATURE_SIDE)
    return np.asarray(picture.resize(square, Image.Resampling.LANCZOS, box=box))


def signatures(seeds: range) -> np.ndarray:
    """(n, SIGNATURE_SIDE**2) uint8."""
    return np.stack([signature(natural(seed)).ravel() for seed in seeds])


def with_bars(picture: Image.Image, share: float, grey: int = 0) -> Image.Image:
    """Between two bars, left and right, that together add ``share`` to the width."""
    width, height = picture.size
    bar = round(width * share / 2)
    wider = Image.new("L", (width + 2 * bar, height), grey)
    wider.paste(picture, (bar, 0))
    return wider
