"""Pictures in colour that look like photographs to a comparison, and what people do to copies."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from catalog.imaging.overlay import SIDE

Edges = tuple[float, float, float, float]  # left, right, top, bottom, in parts of a side

WHOLE: Edges = (0.0, 1.0, 0.0, 1.0)
SIZE = (640, 480)


@cache
def photo(seed: int) -> Image.Image:
    """Amplitudes that fall with the frequency, three colours that go together, and sharp shapes."""
    dice = np.random.default_rng(seed)
    grey = _field(dice, 1.4)
    colour = np.stack([grey * 42 + _field(dice, 2.0) * 16 + 125 for _ in range(3)], axis=-1)
    image = Image.fromarray(colour.clip(8, 238).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(14):
        x, y = dice.uniform(0.05, 0.85, 2) * SIZE
        width, height = dice.uniform(30, 110, 2)
        fill = tuple(dice.integers(30, 220, 3).tolist())
        draw = pen.ellipse if dice.random() < 0.5 else pen.rectangle
        draw((x, y, x + width, y + height), fill=fill)
    return image


def _field(dice: np.random.Generator, fall: float) -> np.ndarray:
    width, height = SIZE
    across, down = np.fft.rfftfreq(width) * width, np.fft.fftfreq(height) * height
    frequency = np.hypot(down[:, None], across[None])
    phases = np.exp(2j * np.pi * dice.random(frequency.shape))
    field = np.fft.irfft2(phases / (1 + frequency) ** fall, s=(height, width))
    return (field - field.mean()) / field.std()


def squeezed(image: Image.Image) -> np.ndarray:
    """(SIDE, SIDE, 3), as a closer look at a file gives it."""
    return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def saved(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def encoded(image: Image.Image, quality: int = 85) -> Image.Image:
    """Through JPEG and back."""
    return Image.open(io.BytesIO(saved(image, quality=quality))).convert("RGB")


def cropped(image: Image.Image, edges: Edges) -> Image.Image:
    left, right, top, bottom = edges
    width, height = image.size
    return image.crop(
        (round(left * width), round(top * height), round(right * width), round(bottom * height))
    )


def edges_of(image: Image.Image, edges: Edges) -> Edges:
    """Where ``cropped`` cut: at whole pixels."""
    left, right, top, bottom = edges
    width, height = image.size
    return (
        round(left * width) / width,
        round(right * width) / width,
        round(top * height) / height,
        round(bottom * height) / height,
    )
