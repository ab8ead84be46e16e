"""Pixels are upright, over white, and of eight bits, whatever the file holds."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from catalog.imaging.orientation import upright, upright_extent, upright_size
from catalog.imaging.picture import on_white
from catalog.model import Recipe

TURNED_BACK = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}


def grey_levels(found) -> np.ndarray:
    return np.frombuffer(found.signature, np.uint8).reshape(32, 32).astype(int)


def save_lying(image: Image.Image, orientation: int, path) -> None:
    """Store ``image`` turned, with the EXIF that turns it back."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright(image, TURNED_BACK[orientation]).save(path, exif=exif.tobytes(), quality=95)


@pytest.mark.parametrize("recipe", Recipe)
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
def test_eight_orientations_of_one_picture_are_one_picture(
    tmp_path, scene, fingerprint, suffix, recipe
):
    image = scene(528, 768)
    image.save(tmp_path / f"0.{suffix}", quality=95)
    reference = fingerprint(tmp_path / f"0.{suffix}", recipe)
    for orientation in range(1, 9):
        path = tmp_path / f"{orientation}.{suffix}"
        save_lying(image, orientation, path)
        found = fingerprint(path, recipe)
        assert (found.width, found.height) == (528, 768)
        assert found.orientation == orientation
        assert np.abs(grey_levels(found) - grey_levels(reference)).max() <= 2
        if suffix in ("png", "tif"):
            assert found.phash == reference.phash
            assert found.dhash == reference.dhash


def test_the_real_eight_orientations_agree(photos, fingerprint):
    for kind in ("Landscape", "Portrait"):
        found = [fingerprint(photos / f"mit_exif_orientation/{kind}_{n}.jpg") for n in range(1, 9)]
        assert [f.orientation for f in found] == list(range(1, 9))
        assert len({(f.width, f.height) for f in found}) == 1
        for one in found:
            assert (one.phash ^ found[0].phash).bit_count() <= 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_is_pillow_s_exif_transpose(scene, orientation):
    image = scene(40, 30)
    image.getexif()[0x0112] = orientation
    expected = ImageOps.exif_transpose(image)
    assert upright(image, orientation).tobytes() == expected.tobytes()
    assert upright_size(image.size, orientation) == expected.size


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_extent_turns_with_the_picture(orientation):
    image = Image.new("L", (10, 7), 0)
    image.paste(255, (0, 0, 8, 6))
    box = upright_extent((8, 6), image.size, orientation)
    assert upright(image, orientation).getbbox() == box


def test_an_orientation_beyond_eight_is_as_if_not_there(tmp_path, scene, fingerprint):
    exif = Image.Exif()
    exif[0x0112] = 9
    scene().save(tmp_path / "a.jpg", exif=exif.tobytes())
    assert fingerprint(tmp_path / "a.jpg").orientation == 1


@pytest.mark.parametrize(("suffix", "said"), [("heic", 1), ("avif", 6)])
def test_what_its_container_turns_is_turned_once(tmp_path, scene, fingerprint, suffix, said):
    image = scene(200, 300)
    save_lying(image, 6, tmp_path / f"a.{suffix}")
    image.save(tmp_path / "b.png")
    lying, plain = (fingerprint(tmp_path / name) for name in (f"a.{suffix}", "b.png"))
    assert (lying.width, lying.height, lying.orientation) == (200, 300, said)
    assert np.abs(grey_levels(lying) - grey_levels(plain)).mean() < 4


@pytest.mark.parametrize("recipe", Recipe)
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_transparent_pixels_are_white(tmp_path, fingerprint, mode, recipe):
    """Black, its left half transparent: half white, half black."""
    clear = Image.new("RGBA", (100, 80), (0, 0, 0, 255))
    clear.paste((0, 0, 0, 0), (0, 0, 50, 80))
    path = tmp_path / "a.png"
    if mode == "P":
        image = Image.new("P", (100, 80), 1)
        image.putpalette([0, 0, 0, 0, 0, 0])
        image.paste(0, (0, 0, 50, 80))
        image.save(path, transparency=0)
    elif mode == "RGB":
        image = Image.new("RGB", (100, 80), (0, 0, 0))
        image.paste((1, 2, 3), (0, 0, 50, 80))
        image.save(path, transparency=(1, 2, 3))
    else:
        clear.convert(mode).save(path)
    levels = grey_levels(fingerprint(path, recipe))
    assert levels[:, :12].min() > 250
    assert levels[:, 20:].max() < 5


@pytest.mark.parametrize("mode", ["PA", "La", "RGBa"])
def test_rarer_transparent_modes_are_over_white_too(mode):
    opaque = {"PA": "P", "La": "LA", "RGBa": "RGBA"}[mode]
    image = Image.new(opaque, (8, 8), 0)
    image.putalpha(0)
    assert image.mode == mode or mode != "PA"
    assert set(on_white(image.convert(mode)).tobytes()) == {255}


def test_half_transparent_pixels_are_mixed_with_white(tmp_path, fingerprint):
    Image.new("RGBA", (64, 64), (0, 0, 0, 128)).save(tmp_path / "a.png")
    assert set(fingerprint(tmp_path / "a.png").signature) <= {126, 127, 128}


def test_flattening_in_strips_is_flattening_at_once(scene):
    image = scene(1500, 1201)
    image.putalpha(scene(1500, 1201, seed=2).convert("L"))
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(image, mask=image)
    assert on_white(image).tobytes() == canvas.convert("L").tobytes()


def test_the_hidden_colour_of_transparent_pixels_does_not_matter(tmp_path, fingerprint, scene):
    shape = scene(seed=3).convert("L").point(lambda v: 255 * (v > 128))
    found = []
    for colour in ("red", "black"):
        image = scene()
        image.paste(colour, mask=shape.point(lambda v: 255 - v))
        image.putalpha(shape)
        image.save(tmp_path / f"{colour}.png")
        found.append(fingerprint(tmp_path / f"{colour}.png"))
    assert found[0].signature == found[1].signature


@pytest.mark.parametrize("kind", ["I;16 png", "I;16 tif", "I tif", "F tif", "fraction tif"])
def test_deep_grey_is_scaled_and_not_clipped(tmp_path, scene, fingerprint, kind):
    plain = scene().convert("L")
    plain.save(tmp_path / "plain.png")
    levels = np.asarray(plain)
    deep = {
        "I;16 png": levels.astype(np.uint16) * 257,
        "I;16 tif": levels.astype(np.uint16) * 257,
        "I tif": levels.astype(np.int32) * 257,
        "F tif": levels.astype(np.float32) * 257,
        "fraction tif": levels.astype(np.float32) / 255,
    }[kind]
    path = tmp_path / f"deep.{kind[-3:]}"
    Image.fromarray(deep).save(path)
    difference = grey_levels(fingerprint(path)) - grey_levels(fingerprint(tmp_path / "plain.png"))
    assert np.abs(difference).max() <= 1


def test_deep_grey_of_any_range_is_stretched(tmp_path, scene, fingerprint):
    values = np.asarray(scene().convert("L")).astype(np.float32) * 1e6 - 5e7
    values[0, 0] = np.nan
    values[1, 1] = np.inf
    Image.fromarray(values).save(tmp_path / "a.tif")
    levels = grey_levels(fingerprint(tmp_path / "a.tif"))
    assert levels.max() - levels.min() > 100


@pytest.mark.parametrize("inverted", [False, True])
def test_cmyk_looks_like_its_rgb(tmp_path, scene, fingerprint, inverted):
    scene().save(tmp_path / "rgb.png")
    cmyk = scene().convert("CMYK")
    path = tmp_path / ("a.jpg" if inverted else "a.tif")  # Adobe JPEGs hold it inverted
    cmyk.save(path)
    difference = grey_levels(fingerprint(path)) - grey_levels(fingerprint(tmp_path / "rgb.png"))
    assert np.abs(difference).mean() < 3


@pytest.mark.parametrize("mode", ["1", "L", "P", "LAB", "YCbCr", "I;16B"])
def test_other_modes_are_read(tmp_path, scene, fingerprint, mode):
    scene().save(tmp_path / "rgb.png")
    path = tmp_path / "a.tif"
    if mode == "LAB":
        data = np.asarray(scene().convert("L"))
        neutral = np.full_like(data, 128)
        Image.merge("LAB", [Image.fromarray(b) for b in (data, neutral, neutral)]).save(path)
    elif mode == "I;16B":
        deep = (np.asarray(scene().convert("L")).astype(np.uint16) * 257).byteswap()
        Image.frombytes("I;16B", scene().size, deep.tobytes()).save(path)
    else:
        scene().convert(mode).save(path)
    difference = grey_levels(fingerprint(path)) - grey_levels(fingerprint(tmp_path / "rgb.png"))
    assert np.abs(difference).mean() < (20 if mode == "1" else 4)


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 2000), (3000, 2), (7, 5), (31, 33), (511, 513), (9000, 300)]
)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_any_shape_is_read(tmp_path, scene, fingerprint, size, suffix):
    scene(*size).save(tmp_path / f"a.{suffix}")
    found = fingerprint(tmp_path / f"a.{suffix}")
    assert (found.width, found.height) == size
    assert len(found.signature) == 1024


def test_the_first_frame_of_an_animation_counts(tmp_path, scene, fingerprint):
    first, second = scene(), scene(seed=7)
    first.save(tmp_path / "still.png")
    first.save(tmp_path / "moving.png", save_all=True, append_images=[second])
    still, moving = (fingerprint(tmp_path / f"{name}.png") for name in ("still", "moving"))
    assert moving.signature == still.signature
    assert (still.frames, moving.frames) == (1, 2)
