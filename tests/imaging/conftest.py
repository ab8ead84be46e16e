"""Pictures to read: made here, or real ones from the shared folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catalog.imaging import reading
from catalog.model import Failure, Fingerprint, Outcome, Reason, Recipe

SHARED = Path(__file__).resolve().parents[3] / "shared" / "photos"

Read = Callable[..., Outcome]


@pytest.fixture
def photos() -> Path:
    """Real files, never written to."""
    if not SHARED.is_dir():
        pytest.skip("the shared photos are not there")
    return SHARED


@pytest.fixture
def outcome() -> Read:
    """Read a file and give what came of it."""

    def of(path: Path, recipe: Recipe = Recipe.REDUCED) -> Outcome:
        return reading.read(os.fsencode(path), recipe).outcome

    return of


@pytest.fixture
def fingerprint(outcome: Read) -> Callable[..., Fingerprint]:
    """Read a file that must have a fingerprint."""

    def of(path: Path, recipe: Recipe = Recipe.REDUCED) -> Fingerprint:
        result = outcome(path, recipe)
        assert isinstance(result, Fingerprint), result
        return result

    return of


@pytest.fixture
def failure(outcome: Read) -> Callable[..., Failure]:
    """Read a file that must fail, and say why in one line without its name."""

    def of(path: Path, recipe: Recipe = Recipe.REDUCED) -> Failure:
        result = outcome(path, recipe)
        assert isinstance(result, Failure), result
        assert "\n" not in result.detail
        assert path.name not in result.detail
        return result

    return of


@pytest.fixture
def reason(failure: Callable[..., Failure]) -> Callable[..., Reason]:
    return lambda path, recipe=Recipe.REDUCED: failure(path, recipe).reason


@pytest.fixture(scope="session")
def scene() -> Callable[..., Image.Image]:
    """A picture with a shape of its own: smooth, textured, unlike itself turned any way."""

    def of(width: int = 640, height: int = 480, seed: int = 1) -> Image.Image:
        rng = np.random.default_rng(seed)
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
        noise = rng.integers(-6, 7, (height, width, 3))
        return Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8))

    return of
