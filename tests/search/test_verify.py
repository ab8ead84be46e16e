"""Where one signature shows a window of another, how well, and what that must not depend on."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from PIL import Image, ImageDraw

from catalog.model import SIGNATURE_SIDE
from catalog.search import verify
from catalog.search.verify import Alignments, coarse, refine
from catalog.search.windows import EDGES, WINDOWS
from tests.search.pictures import Edges, natural, signature

WHOLE_EDGES = (0.0, 1.0, 0.0, 1.0)
SEEDS = range(16)


def refined(pictures, targets, edges=WHOLE_EDGES) -> Alignments:
    """Align squares; with the edges of all, or of each."""
    pictures, targets = np.stack(pictures), np.stack(targets)
    start = np.broadcast_to(np.array(edges, dtype=np.float32), (len(pictures), 4))
    return refine(pictures, targets, start)


def nearest_window(edges: Edges) -> np.ndarray:
    return EDGES[np.abs(EDGES - np.array(edges)).sum(axis=1).argmin()]


@pytest.mark.parametrize(
    "edges",
    [
        (0.03, 0.98, 0.02, 0.97),
        (0.0, 0.92, 0.0, 1.0),
        (0.06, 1.0, 0.07, 0.99),
        (0.08, 1.0, 0.0, 0.93),
        (0.05, 0.95, 0.04, 0.96),
        (0.0, 1.0, 0.11, 1.0),
    ],
)
def test_the_edges_of_a_crop_are_found_from_the_nearest_window_on(edges):
    pictures = [natural(seed) for seed in SEEDS]
    found = refined(
        [signature(picture) for picture in pictures],
        [signature(picture, edges) for picture in pictures],
        nearest_window(edges),
    )
    assert np.abs(found.edges - np.array(edges)).max() < 0.02
    assert found.score.min() > 0.98
    assert found.score.mean() > 0.995
    assert np.allclose(found.gain, 1, atol=0.05)


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: str(window.edges))
def test_unrelated_pictures_score_low_wherever_one_begins(window):
    some = [signature(natural(seed)) for seed in SEEDS]
    found = refined(some, some[1:] + some[:1], window.edges)
    assert np.abs(found.score).max() < 0.9
    assert found.score.mean() < 0.6


def test_equal_signatures_leave_nothing():
    some = [signature(natural(seed)) for seed in SEEDS]
    found = refined(some, some)
    assert np.allclose(found.edges, WHOLE_EDGES, atol=1e-3)
    assert found.worst.max() < 0.1
    assert found.residual.max() < 0.05
    assert found.score.min() > 0.99999
    assert np.allclose(found.gain, 1, atol=1e-3)


def test_contrast_is_the_deviation_of_what_was_compared():
    some = signature(natural(1))
    halves = (some // 2).astype(np.uint8)
    found = refined([some, halves], [some, halves])
    assert 0.4 * some.std() < found.contrast[0] < some.std()
    assert found.contrast[1] == pytest.approx(found.contrast[0] / 2, rel=0.03)


@pytest.mark.parametrize(("gain", "offset"), [(0.5, 20), (0.8, 0), (0.7, 70), (1.1, -12)])
def test_brightness_and_contrast_change_neither_score_nor_edges(gain, offset):
    edges = (0.03, 0.97, 0.0, 0.95)
    pictures = [natural(seed) for seed in SEEDS]
    targets = [signature(picture, edges) for picture in pictures]
    toned = [(gain * target + offset).clip(0, 255).astype(np.uint8) for target in targets]
    ones = [signature(picture) for picture in pictures]
    start = nearest_window(edges)
    plain, found = refined(ones, targets, start), refined(ones, toned, start)
    assert np.abs(found.edges - plain.edges).max() < 0.01
    assert np.abs(found.score - plain.score).max() < 0.005
    assert np.allclose(found.gain, gain * plain.gain, rtol=0.05)


@pytest.mark.parametrize("gain", [0.3, 1.0])
def test_edges_are_found_exactly_however_faint_the_copy(gain):
    edges = (0.05, 0.97, 0.0, 0.93)
    pictures = [natural(seed) for seed in SEEDS]
    targets = [(gain * signature(one, edges) + 40 * (1 - gain)).clip(0, 255) for one in pictures]
    ones = [signature(picture) for picture in pictures]
    found = refined(ones, [target.astype(np.uint8) for target in targets])
    assert np.abs(found.edges - np.array(edges)).max() < 0.003


def test_a_negative_has_a_negative_gain():
    some = [signature(natural(seed)) for seed in SEEDS]
    assert (refined(some, [255 - one for one in some]).gain < 0).all()


def stamped(picture: Image.Image) -> Image.Image:
    copy = picture.copy()
    width, height = picture.size
    ImageDraw.Draw(copy).rectangle((0.6 * width, 0.85 * height, width, height), fill=255)
    return copy


def test_a_stamp_is_left_out():
    pictures = [natural(seed) for seed in SEEDS]
    ones = [signature(picture) for picture in pictures]
    found = refined(ones, [signature(stamped(picture)) for picture in pictures])
    assert found.score.min() > 0.998
    assert found.residual.max() < 2
    assert found.worst.min() > 40
    assert np.abs(found.edges - np.array(WHOLE_EDGES)).mean() < 0.01


@pytest.mark.parametrize("degrees", [-2.0, -1.0, 1.0, 2.0])
def test_a_picture_turned_by_a_degree_fits(degrees):
    """The copy shows the middle 90 % of the picture, turned about its middle."""
    pictures = [natural(seed, 240) for seed in SEEDS]
    edges = (0.05, 0.95, 0.05, 0.95)
    turned = [picture.rotate(degrees, Image.Resampling.BICUBIC) for picture in pictures]
    found = refined(
        [signature(picture) for picture in pictures],
        [signature(picture, edges) for picture in turned],
        edges,
    )
    assert found.score.min() > (0.996 if abs(degrees) == 1 else 0.994), "its sides are slanted"
    assert np.abs(found.edges - np.array(edges)).max() < 0.02


def test_contrast_is_that_of_the_cells_that_were_compared_and_of_no_others():
    """In which of two greys every cell is, as often: whichever are left out, 50 is half way."""
    chosen = np.random.default_rng(1).random((32, 32)) < 0.5
    two_tone = np.where(chosen, 78, 178).astype(np.uint8)
    found = refined([two_tone], [two_tone])
    assert found.contrast[0] == pytest.approx(50, abs=1)


def test_a_pair_fits_the_same_in_whatever_batch(monkeypatch):
    some = np.stack([signature(natural(seed)) for seed in range(40)])
    dice = np.random.default_rng(1)
    targets = some[dice.permutation(40)]
    targets[:10] = some[:10]
    edges = EDGES[dice.integers(0, len(EDGES), 40)]
    together = refine(some, targets, edges)
    monkeypatch.setattr(verify, "BATCH", 7)
    in_parts = refine(some, targets, edges)
    alone = Alignments.joined(
        [refine(some[at : at + 1], targets[at : at + 1], edges[at : at + 1]) for at in range(40)]
    )
    order = dice.permutation(40)
    shuffled = refine(some[order], targets[order], edges[order])
    for field in fields(Alignments):
        expected = getattr(together, field.name)
        for other in (in_parts, alone, shuffled.only(np.argsort(order))):
            assert np.allclose(getattr(other, field.name), expected, rtol=1e-3, atol=2e-3)


def test_what_it_is_given_stays_as_it_is():
    some = np.stack([signature(natural(seed)) for seed in range(4)])
    edges = EDGES[:4].copy()
    for array in (some, edges):
        array.setflags(write=False)
    refine(some, some, edges)
    assert np.array_equal(edges, EDGES[:4])


def test_nothing_to_align_gives_nothing():
    none = np.empty((0, SIGNATURE_SIDE, SIGNATURE_SIDE), dtype=np.uint8)
    found = refine(none, none, np.empty((0, 4), np.float32))
    assert len(found) == 0
    some = refined([signature(natural(1))], [signature(natural(2))])
    for field in fields(Alignments):
        empty, full = getattr(found, field.name), getattr(some, field.name)
        assert (
            (empty.dtype, empty.shape[1:])
            == (full.dtype, full.shape[1:])
            == (
                np.float32,
                full.shape[1:],
            )
        )


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_picture_of_one_grey_is_like_nothing(grey):
    flat = np.full((SIGNATURE_SIDE, SIGNATURE_SIDE), grey, dtype=np.uint8)
    some = signature(natural(1))
    found = refined([flat, some, flat], [some, flat, flat])
    for field in fields(Alignments):
        assert np.isfinite(getattr(found, field.name)).all()
    assert np.abs(found.score).max() < 0.5


def test_edges_stay_where_a_picture_can_have_lost_them():
    some = [signature(natural(seed)) for seed in SEEDS]
    found = refined(some, some[5:] + some[:5])
    assert (found.edges[:, 0::2] >= -0.03 - 1e-6).all()
    assert (found.edges[:, 0::2] <= 0.25 + 1e-6).all()
    assert (found.edges[:, 1::2] >= 0.75 - 1e-6).all()
    assert (found.edges[:, 1::2] <= 1.03 + 1e-6).all()
    assert (np.abs(found.edges - np.array(WHOLE_EDGES)) > 0.02).any()


def test_some_of_the_alignments_are_those_in_every_column():
    some = [signature(natural(seed)) for seed in range(5)]
    found = refined(some, some[1:] + some[:1])
    chosen = found.only(np.array([3, 1]))
    back = Alignments.joined([chosen, found.only(np.arange(5) == 0)])
    assert (len(chosen), len(back)) == (2, 3)
    for field in fields(Alignments):
        expected = getattr(found, field.name)[[3, 1, 0]]
        assert np.array_equal(getattr(back, field.name), expected)


def test_the_lowest_frequencies_correlate_as_directions_do():
    dice = np.random.default_rng(1)
    one, other = dice.normal(size=(2, 30, 63)).astype(np.float32)
    assert np.allclose(coarse(one, other), (one * other).sum(axis=1), atol=1e-4)
