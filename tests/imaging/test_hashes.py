"""The hashes are ImageHash's own, and pHash follows from the signature."""

from __future__ import annotations

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from catalog.imaging import hashes
from catalog.imaging.orientation import upright
from catalog.model import Recipe

SAMPLES = 12


def bits(value: imagehash.ImageHash) -> int:
    return int(str(value), 16)


def picture_of(signature: bytes) -> Image.Image:
    return Image.frombytes("L", (32, 32), signature)


def real_jpegs(photos, most=SAMPLES):
    found = sorted((photos / "cc0_clothing").glob("*.jpg"))[:most]
    return [*found, *sorted((photos / "cc0_drone_seneca").glob("*.jpg"))[:2]]


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_hash_as_a_number_is_imagehash_s_hex_and_keeps_its_distances(one, other):
    first, second = (imagehash.hex_to_hash(f"{n:016x}") for n in (one, other))
    assert hashes.to_int(first) == one
    assert str(first) == f"{one:016x}"
    assert (one ^ other).bit_count() == first - second


@pytest.mark.parametrize("value", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_the_ends_of_the_range_round_trip(value):
    assert hashes.to_int(imagehash.hex_to_hash(f"{value:016x}")) == value


def test_the_full_recipe_is_a_plain_imagehash_loop(photos, fingerprint):
    for path in real_jpegs(photos):
        found = fingerprint(path, Recipe.FULL)
        with Image.open(path) as image:
            upright_image = ImageOps.exif_transpose(image)
            assert found.phash == bits(imagehash.phash(upright_image))
            assert found.dhash == bits(imagehash.dhash(upright_image))
            assert found.ahash == bits(imagehash.average_hash(upright_image))
        assert found.recipe is Recipe.FULL


def test_the_full_recipe_stands_rotated_photos_up_first(photos, fingerprint):
    for path in sorted((photos / "mit_exif_orientation").glob("*.jpg"))[::3]:
        with Image.open(path) as image:
            expected = bits(imagehash.phash(ImageOps.exif_transpose(image)))
        assert fingerprint(path, Recipe.FULL).phash == expected


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "webp"])
def test_the_full_recipe_is_imagehash_s_for_other_formats_too(tmp_path, scene, fingerprint, suffix):
    path = tmp_path / f"a.{suffix}"
    scene(300, 700).save(path)
    with Image.open(path) as image:
        assert fingerprint(path, Recipe.FULL).dhash == bits(imagehash.dhash(image))


def test_reduced_hashes_are_within_two_bits_of_the_full_ones(photos, fingerprint):
    for path in real_jpegs(photos, 40):
        reduced, full = (fingerprint(path, recipe) for recipe in Recipe)
        for kind in ("phash", "dhash", "ahash"):
            distance = (getattr(reduced, kind) ^ getattr(full, kind)).bit_count()
            assert distance <= 2, (path.name, kind)


def test_the_edge_of_a_reduced_picture_stands_for_what_it_shows(tmp_path, scene, fingerprint):
    """Sides that no scale divides: without their extent half of all pHashes would differ."""
    apart = []
    for seed in range(12):
        path = tmp_path / f"{seed}.jpg"
        scene(1025 + 37 * seed, 1033 + 71 * seed, seed).save(path, quality=92)
        reduced, full = (fingerprint(path, recipe) for recipe in Recipe)
        apart.append((reduced.phash ^ full.phash).bit_count())
        apart.append((reduced.dhash ^ full.dhash).bit_count())
    assert sum(apart) <= 6
    assert max(apart) <= 2


@pytest.mark.parametrize("recipe", Recipe)
def test_phash_follows_from_the_signature(photos, fingerprint, recipe):
    for path in real_jpegs(photos):
        found = fingerprint(path, recipe)
        assert len(found.signature) == 1024
        assert bits(imagehash.phash(picture_of(found.signature))) == found.phash


@pytest.mark.parametrize("orientation", range(1, 9))
def test_phash_follows_from_the_signature_in_all_eight_orientations(
    tmp_path, scene, fingerprint, orientation
):
    """The signature of a turned picture is the turned signature, so nothing else is needed."""
    lying = scene(512, 512)
    lying.save(tmp_path / "lying.png")
    upright(lying, orientation).save(tmp_path / "turned.png")
    signature = picture_of(fingerprint(tmp_path / "lying.png").signature)
    found = fingerprint(tmp_path / "turned.png")
    turned = upright(signature, orientation)
    difference = np.abs(np.asarray(turned, int) - np.asarray(picture_of(found.signature), int))
    assert difference.max() <= 1  # rows are resized after columns, with a rounding in between
    assert (bits(imagehash.phash(turned)) ^ found.phash).bit_count() <= 2
    assert bits(imagehash.phash(picture_of(found.signature))) == found.phash


def test_the_signature_is_what_imagehash_s_phash_begins_with(photos, fingerprint):
    path = real_jpegs(photos)[0]
    with Image.open(path) as image:
        expected = image.convert("L").resize((32, 32), Image.Resampling.LANCZOS).tobytes()
    assert fingerprint(path, Recipe.FULL).signature == expected


def test_whash_is_imagehash_s_on_each_signature(scene):
    pictures = [scene(seed=n).convert("L").resize((32, 32)) for n in range(5)]
    signatures = np.stack([np.asarray(p).reshape(-1) for p in pictures])
    found = hashes.whash(signatures)
    assert found.dtype == np.uint64
    assert found.tolist() == [bits(imagehash.whash(p)) for p in pictures]
    assert hashes.whash(signatures[:0]).shape == (0,)


@pytest.mark.parametrize("colour", ["white", "black", "#808080", "#3050a0"])
def test_a_picture_of_one_colour_is_flat(tmp_path, fingerprint, colour):
    Image.new("RGB", (200, 100), colour).save(tmp_path / "a.png")
    assert fingerprint(tmp_path / "a.png").flat


@pytest.mark.parametrize(("step", "flat"), [(14, True), (18, False)])
def test_flat_is_a_deviation_of_less_than_eight(tmp_path, fingerprint, step, flat):
    """Two halves ``step`` apart deviate by half of that."""
    image = Image.new("L", (64, 64), 100)
    image.paste(100 + step, (0, 0, 32, 64))
    image.save(tmp_path / "a.png")
    assert fingerprint(tmp_path / "a.png").flat is flat


def test_a_photo_is_not_flat(photos, fingerprint):
    assert not fingerprint(real_jpegs(photos)[-1]).flat
