"""Small pictures: the very bytes that were asked for, upright, in sRGB, and nothing but pixels."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3
from PIL import Image, ImageCms, ImageFilter

from catalog.imaging import limits
from catalog.imaging.orientation import upright
from catalog.imaging.picture import Shown
from catalog.imaging.previews import preview
from catalog.model import Failure, Reason
from tests.imaging.edits import photo, saved

SOFT = ImageFilter.GaussianBlur(1.5)  # what JPEG makes of fine colours is not asked here
IMAGE = photo(1).filter(SOFT)
TURNED_BACK = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
SECRET = b"where it was taken"

Put = Callable[..., tuple[bytes, bytes]]


@pytest.fixture
def put(tmp_path) -> Put:
    """Write a file, and give its path and digest."""

    def of(content: bytes, name: str = "a.jpg") -> tuple[bytes, bytes]:
        (tmp_path / name).write_bytes(content)
        return os.fsencode(tmp_path / name), blake3(content).digest()

    return of


def drawn(file: tuple[bytes, bytes], longest: int | None = 320, quality: int = 90) -> Image.Image:
    found = preview(*file, longest, quality)
    assert isinstance(found, bytes), found
    image = Image.open(io.BytesIO(found))
    image.load()
    assert image.format == "JPEG"
    return image


def apart(found: Image.Image, expected: Image.Image) -> float:
    """The mean difference of what both show, in grey levels."""
    assert found.size == expected.size
    pair = (np.asarray(each.convert("RGB"), dtype=int) for each in (found, expected))
    return float(np.abs(np.subtract(*pair)).mean())


def small(image: Image.Image, longest: int = 320) -> Image.Image:
    return image.resize(Shown(longest).fitting(image.size), Image.Resampling.BOX)


# --- what is shown ---


@pytest.mark.parametrize("longest", [100, 320, 500, 640, 1600, None])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_longest_side_is_what_was_asked_for_and_nothing_is_enlarged(put, form, longest):
    file = put(saved(IMAGE, form))
    found = drawn(file, longest)
    assert max(found.size) == min(longest or 640, 640)
    assert apart(found, small(IMAGE, min(longest or 640, 640))) < 4


@pytest.mark.parametrize("size", [(4100, 900), (3001, 2003), (1281, 1279), (900, 4100), (257, 1)])
@pytest.mark.parametrize("longest", [320, 1600, None])
def test_a_jpeg_that_is_decoded_smaller_shows_all_of_the_picture(put, size, longest):
    image = IMAGE.resize(size, Image.Resampling.BICUBIC)
    found = drawn(put(saved(image, quality=95)), longest)
    assert max(found.size) == min(longest or max(size), max(size))
    assert apart(found, small(image, max(found.size))) < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_picture_stands_upright(put, form, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = upright(IMAGE, TURNED_BACK[orientation])
    assert apart(drawn(put(saved(lying, form, exif=exif))), small(IMAGE)) < 3


def test_what_is_transparent_is_white(put):
    image = IMAGE.convert("RGBA")
    image.putalpha(0)
    image.paste(IMAGE.crop((0, 0, 320, 240)), (0, 0))
    found = drawn(put(saved(image, "PNG")), None)
    assert np.asarray(found.crop((330, 250, 640, 480))).min() >= 250
    assert apart(found.crop((0, 0, 310, 230)), IMAGE.crop((0, 0, 310, 230))) < 3


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("mode", ["L", "1", "LA", "I;16"])
def test_grey_stays_grey(put, form, mode):
    if form == "JPEG" and mode != "L":
        pytest.skip("not in JPEG")
    grey = IMAGE.convert("L")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    else:
        image = grey.convert(mode)
    found = drawn(put(saved(image, form)))
    assert found.mode == "L"
    if mode != "1":
        assert apart(found, small(grey)) < 3


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_is_shown(put, form):
    first, second = (photo(n).quantize(64).convert("RGB") for n in (1, 2))
    content = saved(first, form, save_all=True, append_images=[second], lossless=True)
    assert apart(drawn(put(content)), small(first)) < 6


@pytest.mark.parametrize("quality", [80, 92])
def test_nothing_but_pixels_gets_through(put, quality):
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    exif.get_ifd(0x8825)[0x001D] = SECRET.decode()
    options = {
        "exif": exif,
        "comment": SECRET,
        "xmp": b"<x:xmpmeta>" + SECRET,
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        "dpi": (301, 301),
    }
    content = saved(IMAGE, **options) + SECRET
    assert content.count(SECRET) >= 4
    for longest in (100, 640, None):
        found = preview(*put(content), longest, quality)
        assert SECRET not in found
        for segment in (b"Exif", b"ICC_PROFILE", b"xmp", b"\xff\xfe", b"\xff\xe1", b"\xff\xe2"):
            assert segment not in found[:600]
        assert found != content


def test_a_jpeg_that_needs_nothing_done_is_encoded_anew(put):
    content = saved(IMAGE, quality=80)
    trailing = content + b"what was hidden behind it"
    assert b"hidden" not in preview(*put(trailing), 640, 80)


# --- colours ---


def profile(gamma: float = 2.2, swapped: bool = False) -> bytes:
    """A profile unlike sRGB: Adobe RGB's gamma, or red and blue exchanged."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = content.index(b"rXYZ"), content.index(b"bXYZ")
    content[red : red + 4], content[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(content)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_colours_of_another_profile_become_those_of_srgb(put, form):
    content = saved(IMAGE, form, icc_profile=profile())
    found = drawn(put(content), 320, 95)
    red, green, blue = small(IMAGE).split()
    assert apart(found, Image.merge("RGB", (blue, green, red))) < 4


def test_a_photo_of_a_phone_in_display_p3_looks_more_vivid_than_its_numbers(put, photos):
    name = "Display P3".encode("utf-16-be")
    found = (path.read_bytes() for path in sorted(photos.rglob("*.jpg")))
    content = next(content for content in found if name in content[:60_000])
    with Image.open(io.BytesIO(content)) as image:
        plain = image.convert("RGB")
    shown = drawn(put(content), None, 95)
    assert spread(shown) > 1.02 * spread(plain)


def spread(image: Image.Image) -> float:
    """How far apart the channels are: what colours are made of."""
    values = np.asarray(image.convert("RGB"), dtype=float)
    return float((values.max(axis=-1) - values.min(axis=-1)).mean())


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"no profile",
        profile()[:200],
        profile()[:128] + b"\xff" * 400,
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
        profile() + b"\0" * (2 << 20),
    ],
    ids=["empty", "text", "cut", "damaged", "not RGB", "huge"],
)
def test_a_broken_profile_changes_nothing(put, broken):
    for form in ("JPEG", "TIFF"):
        plain = preview(*put(saved(IMAGE, form)), 320)
        assert preview(*put(saved(IMAGE, form, icc_profile=broken)), 320) == plain


def test_srgb_as_cameras_and_programs_word_it_changes_nothing(put, photos):
    plain = preview(*put(saved(IMAGE, "PNG")), 320)
    worded = set()
    for path in sorted(photos.glob("free_camera_files/*.jpg")):
        with Image.open(path) as image:
            profile = image.info.get("icc_profile", b"")
        if b"sRGB" in profile:
            worded.add(profile)
    assert worded
    for each in worded:
        assert preview(*put(saved(IMAGE, "PNG", icc_profile=each)), 320) == plain


# --- what cannot be shown ---


def test_other_bytes_than_those_asked_for_are_not_shown(put):
    path, digest = put(saved(IMAGE))
    put(saved(photo(2)))
    found = preview(path, digest, 320)
    assert isinstance(found, Failure)
    assert found.reason is Reason.UNSTABLE


def test_a_file_that_is_gone_is_a_failure(tmp_path):
    assert isinstance(preview(os.fsencode(tmp_path / "none.jpg"), b"x" * 32, 320), Failure)


@pytest.mark.parametrize(
    "broken",
    [
        lambda data: b"",
        lambda data: b"no picture",
        lambda data: data[: len(data) // 2],
        lambda data: data[:400] + b"\xff" * 400,
    ],
    ids=["empty", "text", "cut", "damaged"],
)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("longest", [320, None])
def test_a_broken_file_is_a_failure(put, broken, form, longest):
    found = preview(*put(broken(saved(IMAGE, form))), longest)
    assert isinstance(found, Failure)
    assert "\n" not in found.detail


def test_a_progressive_file_without_its_end_is_a_failure(put):
    content = saved(IMAGE.resize((2560, 1920)), progressive=True)
    assert isinstance(preview(*put(content), 320), bytes)
    assert isinstance(preview(*put(content[:-2000]), 320), Failure)


def test_a_file_that_claims_too_many_pixels_is_too_large(put):
    content = bytearray(saved(IMAGE))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    found = preview(*put(bytes(content)), 320)
    assert isinstance(found, Failure)
    assert found.reason is Reason.TOO_LARGE


def test_more_pixels_than_are_shown_become_so_many(put, monkeypatch):
    monkeypatch.setattr("catalog.imaging.picture._SHOWN_PIXELS", 50_000)
    for form in ("JPEG", "PNG"):
        found = drawn(put(saved(IMAGE, form)), None)
        assert 0.98 < found.width * found.height / 50_000 < 1.02
        assert abs(found.width / found.height - 4 / 3) < 0.02


def test_a_jpeg_whose_pixels_may_not_all_be_held_is_shown_smaller(put, monkeypatch):
    monkeypatch.setattr(limits, "DECODED_BYTES", 640 * 480)
    found = drawn(put(saved(IMAGE)), None)
    assert found.size == (320, 240)


def test_a_side_longer_than_jpeg_knows_is_shown_shorter(put):
    found = drawn(put(saved(Image.new("RGB", (2, 70_000), "red"), "PNG")), None)
    assert found.height == 65_500


def test_a_thumbnail_of_a_large_jpeg_costs_little(put, photos):
    """Not more than a few times an eighth of it decoded by libjpeg, whatever the machine."""
    path = photos / "cc0_drone_seneca" / "IMG_0467.jpg"
    content = path.read_bytes()
    file = put(content)

    def plainly() -> None:
        with Image.open(io.BytesIO(content)) as image:
            image.draft("RGB", (450, 337))
            image.load()

    plain, mine = (min(cost(act) for _ in range(5)) for act in (plainly, lambda: drawn(file)))
    assert mine < 2.5 * plain


def cost(act: Callable[[], object]) -> float:
    begun = time.process_time()
    act()
    return time.process_time() - begun


SCRIPT = """
import os, sys, time
from blake3 import blake3
from catalog.imaging.formats import PICTURE_SUFFIXES, suffix_of
from catalog.imaging.judging import facts
from catalog.imaging.previews import preview

paths = sorted(
    os.path.join(folder, name)
    for folder, _, names in os.walk(os.fsencode(sys.argv[1]))
    for name in names
    if suffix_of(name) in PICTURE_SUFFIXES
)
read = slow = shown = judged = 0
for path in paths[:: int(sys.argv[2])] + [p for p in paths if b"crash-" in p or b"timeout" in p]:
    print(path, file=sys.stderr, flush=True)
    with open(path, "rb") as file:
        digest = blake3(file.read()).digest()
    begun = time.process_time()
    shown += isinstance(preview(path, digest, 320), bytes)
    judged += not hasattr(facts(path, digest), "reason")
    slow += time.process_time() - begun > 5
    read += 1
print(read, slow, shown, judged)
"""


def test_every_kind_of_file_gives_a_picture_or_a_failure(photos: Path):
    """In a process of its own: what crashes it is the last name it wrote."""
    command = [sys.executable, "-W", "error", "-c", SCRIPT, os.fspath(photos), "40"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-500:]
    read, slow, shown, judged = map(int, run.stdout.split())
    assert read > 60
    assert slow == 0
    assert shown > 0.5 * read
    assert judged > 0.5 * read
