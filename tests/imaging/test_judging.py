"""Which of two photos is sharper, or compressed less: right, or nothing said."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

import numpy as np
import pytest
from blake3 import blake3
from PIL import Image, ImageEnhance, ImageFilter

from catalog.imaging.judging import Compared, Facts, compared, facts
from catalog.imaging.orientation import upright
from catalog.model import Failure, Reason
from tests.imaging.edits import photo, saved

Judge = Callable[..., Facts]
Edit = Callable[[Image.Image], Image.Image]

NOTHING = Compared(None, None)


@pytest.fixture
def judged(tmp_path) -> Judge:
    """The facts of an image saved as a file."""

    def of(image: Image.Image | bytes, form: str = "JPEG", **options: object) -> Facts:
        options.setdefault("quality", 97)
        content = image if isinstance(image, bytes) else saved(image, form, **options)
        (tmp_path / "a").write_bytes(content)
        found = facts(os.fsencode(tmp_path / "a"), blake3(content).digest())
        assert isinstance(found, Facts), found
        return found

    return of


@pytest.fixture(params=["kodim05.png", "made"])
def image(request, photos) -> Image.Image:
    """Real photos, and one that was made here."""
    path = next(photos.glob(f"kodak/**/{request.param}"), None)
    if path is None:
        return photo(3).resize((1280, 960), Image.Resampling.BICUBIC).filter(SHARPENED)
    with Image.open(path) as opened:
        return opened.convert("RGB")


SHARPENED = ImageFilter.UnsharpMask(2, 150, 2)


def resized(factor: float) -> Edit:
    def of(image: Image.Image) -> Image.Image:
        size = round(image.width * factor), round(image.height * factor)
        return image.resize(size, Image.Resampling.LANCZOS)

    return of


def encoded(quality: int) -> Edit:
    return lambda image: again(saved(image, quality=quality))


def again(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def blurred(radius: float) -> Edit:
    return lambda image: image.filter(ImageFilter.GaussianBlur(radius))


def noisy(image: Image.Image) -> Image.Image:
    grain = np.random.default_rng(1).normal(0, 10, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))


def gamma(value: float) -> Edit:
    curve = [round(255 * (level / 255) ** value) for level in range(256)] * 3
    return lambda image: image.point(curve)


HARMLESS: dict[str, Edit] = {
    "encoded at 40": encoded(40),
    "encoded at 75": encoded(75),
    "made smaller": resized(0.5),
    "made a little smaller": resized(0.8),
    "made larger": resized(1.5),
    "less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.7),
    "half the contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.5),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "darker shadows": gamma(1.4),
    "lighter shadows": gamma(0.7),
    "noise": noisy,
    "grey": lambda image: image.convert("L"),
}


# --- sharper ---


@pytest.mark.parametrize("edit", HARMLESS)
def test_what_leaves_a_photo_as_sharp_as_it_was_makes_none_the_sharper(judged, image, edit):
    one, other = judged(image, "PNG"), judged(HARMLESS[edit](image), "PNG")
    assert compared(one, other) == NOTHING
    assert compared(other, one) == NOTHING


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_grain_does_not_make_a_soft_photo_the_sharper(judged, seed):
    image = photo(seed).filter(ImageFilter.GaussianBlur(3))
    one, other = judged(image), judged(noisy(image))
    assert other.sharpness[-1][1] > 2 * one.sharpness[-1][1]
    assert compared(one, other).sharper is None


@pytest.mark.parametrize("radius", [1.5, 2.5, 4.0])
@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_a_blurred_copy_is_less_sharp_whichever_way_it_lies(judged, photos, radius, orientation):
    with Image.open(next(photos.glob("kodak/**/kodim05.png"))) as opened:
        image = opened.convert("RGB")
    one = judged(image)
    other = judged(upright(blurred(radius)(image), orientation))
    assert compared(one, other).sharper == "one"
    assert compared(other, one).sharper == "other"


def test_a_copy_made_of_a_small_one_is_less_sharp(judged, photos):
    with Image.open(next(photos.glob("kodak/**/kodim05.png"))) as opened:
        image = opened.convert("RGB")
    enlarged = resized(2.5)(resized(0.4)(image))
    assert compared(judged(image), judged(enlarged)).sharper == "one"


def test_photos_of_something_else_are_not_compared(judged):
    image = photo(1)
    for other in (photo(2), image.crop((100, 80, 420, 320)), Image.new("RGB", (640, 480), "red")):
        assert compared(judged(image, quality=30), judged(blurred(3)(other))) == NOTHING


def test_detail_is_told_by_octaves_up_to_the_size_of_the_picture(judged):
    found = judged(photo(1).resize((1500, 1100)))
    assert [side for side, _ in found.sharpness] == [256, 512, 1024, 1100]
    assert len(found.noise) == 4
    assert [side for side, _ in judged(photo(1).resize((100, 50))).sharpness] == [50]
    assert judged(photo(1).resize((9, 5))).sharpness == ((5, 0.0),)


# --- compressed less ---


@pytest.mark.parametrize("quality", [1, 10, 30, 49, 50, 51, 60, 75, 80, 85, 90, 92, 95, 99, 100])
def test_the_quality_of_a_jpeg_is_read_from_its_tables(judged, quality):
    assert judged(photo(1), quality=quality).quality == quality
    assert judged(photo(1).convert("L"), quality=quality, progressive=True).quality == quality


def test_other_formats_have_none(judged):
    for form in ("PNG", "WEBP", "TIFF"):
        assert judged(photo(1), form).quality is None
        assert compared(judged(photo(1), quality=20), judged(photo(1), form)).finer is None


@pytest.mark.parametrize(("low", "high"), [(40, 75), (60, 85), (75, 90), (80, 95), (90, 98)])
def test_of_two_encodings_the_finer_one_is_named(judged, image, low, high):
    one, other = judged(image, quality=low), judged(image, quality=high)
    assert compared(one, other).finer == "other"
    assert compared(other, one).finer == "one"


@pytest.mark.parametrize(("low", "high"), [(80, 85), (88, 92), (60, 70), (75, 75)])
def test_a_small_difference_is_none(judged, image, low, high):
    assert compared(judged(image, quality=low), judged(image, quality=high)).finer is None


@pytest.mark.parametrize(("low", "high"), [(30, 75), (50, 85), (75, 92), (80, 95), (90, 98)])
def test_what_was_encoded_coarsely_does_not_become_finer_by_encoding_it_again(
    judged, image, low, high
):
    first = saved(image, quality=low)
    second = saved(again(first), quality=high)
    assert not judged(second).once
    assert compared(judged(first), judged(second)).finer is None


def test_a_copy_of_other_size_is_not_called_finer(judged, image):
    one, other = judged(image, quality=50), judged(resized(0.8)(image), quality=95)
    assert compared(one, other).finer is None


def test_a_blurred_copy_is_not_called_finer(judged, photos):
    with Image.open(next(photos.glob("kodak/**/kodim05.png"))) as opened:
        image = opened.convert("RGB")
    one, other = judged(image, quality=75), judged(blurred(2.5)(image), quality=95)
    assert compared(one, other) == Compared("one", None)


# --- files ---


def test_other_bytes_than_those_asked_for_are_not_judged(tmp_path):
    (tmp_path / "a").write_bytes(saved(photo(1)))
    found = facts(os.fsencode(tmp_path / "a"), b"x" * 32)
    assert isinstance(found, Failure)
    assert found.reason is Reason.UNSTABLE


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_broken_file_is_a_failure(tmp_path, form):
    content = saved(photo(1), form)[:-2000]
    (tmp_path / "a").write_bytes(content)
    assert isinstance(facts(os.fsencode(tmp_path / "a"), blake3(content).digest()), Failure)


def test_tables_that_make_no_sense_give_no_quality(judged):
    content = bytearray(saved(photo(1)))
    at = content.index(b"\xff\xdb")
    content[at + 5 : at + 69] = b"\0" * 64
    assert judged(bytes(content)).quality is None
