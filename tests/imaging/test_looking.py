"""A closer look: at the bytes that were fingerprinted and no others, upright, in colour."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3
from PIL import Image, ImageFilter

from catalog import dihedral
from catalog.imaging import limits, looking
from catalog.imaging.comparing import Comparison, compare
from catalog.imaging.looking import seen, turned
from catalog.imaging.orientation import upright
from catalog.imaging.overlay import SIDE
from catalog.model import Failure, Reason
from tests.imaging.edits import WHOLE, photo, squeezed

TURNED_BACK = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
IMAGE = photo(1).resize((520, 390), Image.Resampling.BICUBIC)


@pytest.fixture(autouse=True)
def _nothing_remembered():
    looking._pixels.cache_clear()
    yield
    looking._pixels.cache_clear()


def ends(path: Path) -> tuple[bytes, bytes]:
    """As the catalog knows it."""
    return os.fsencode(path), blake3(path.read_bytes()).digest()


@pytest.fixture
def put(tmp_path) -> Callable[..., tuple[bytes, bytes]]:
    """Save an image, and give its path and digest."""

    def of(image: Image.Image, name: str, **options: object) -> tuple[bytes, bytes]:
        image.save(tmp_path / name, **options)
        return ends(tmp_path / name)

    return of


def looks_like(found: object, expected: Image.Image, most: float = 3.0) -> bool:
    """Within so many grey levels in each channel, on the average, and nowhere quite else."""
    assert isinstance(found, np.ndarray), found
    assert (found.shape, found.dtype) == ((SIDE, SIDE, 3), np.uint8)
    apart = np.abs(found.astype(int) - squeezed(expected).astype(int))
    return apart.mean() < most and np.percentile(apart, 99) < 8 * most


# --- bytes ---


def test_two_files_are_compared_at_the_window_and_in_the_turn_that_were_found(put):
    """The second is a window of the first, and lies on its side."""
    window = IMAGE.crop((26, 26, 520, 364))
    first = put(IMAGE, "a.png")
    second = put(upright(window, dihedral.EXIF[6]), "b.png")
    edges = (26 / 520, 1.0, 26 / 390, 364 / 390)
    found = looking.compare(first, second, int(dihedral.INVERSE[6]), edges)
    assert isinstance(found, Comparison)
    assert (found.differing, found.recoloured) == (0, 0)
    other = looking.compare(first, second, 6, edges)
    assert isinstance(other, Comparison)
    assert other.differing > 0.3


def test_a_comparison_is_that_of_what_is_seen(put):
    first, second = put(IMAGE, "a.png"), put(IMAGE, "b.jpg", quality=60)
    expected = compare(seen(*first), seen(*second), WHOLE)
    assert looking.compare(first, second, 0, WHOLE) == expected


@pytest.mark.parametrize("whole", [True, False], ids=["in memory", "in place"])
def test_other_bytes_than_those_that_were_indexed_are_not_looked_at(put, monkeypatch, whole):
    if not whole:
        monkeypatch.setattr(limits, "WHOLE_BYTES", 1000)
    path, digest = put(IMAGE, "a.png")
    assert looks_like(seen(path, digest), IMAGE)
    looking._pixels.cache_clear()
    put(photo(2), "a.png")
    found = seen(path, digest)
    assert isinstance(found, Failure)
    assert found.reason is Reason.UNSTABLE


def test_a_file_that_grew_behind_its_picture_is_another(put, tmp_path):
    path, digest = put(IMAGE, "a.png")
    with open(path, "ab") as file:
        file.write(b"\0")
    assert seen(path, digest).reason is Reason.UNSTABLE
    assert looks_like(seen(*ends(tmp_path / "a.png")), IMAGE)


def test_a_large_file_that_changes_between_its_two_reads_is_unstable(put, monkeypatch):
    monkeypatch.setattr(limits, "WHOLE_BYTES", 1000)
    path, digest = put(IMAGE, "a.png")
    look = looking.look

    def changed_meanwhile(source):
        with open(path, "ab") as file:
            file.write(b"more")
        return look(source)

    monkeypatch.setattr(looking, "look", changed_meanwhile)
    found = seen(path, digest)
    assert isinstance(found, Failure)
    assert found.reason is Reason.UNSTABLE


def test_either_file_may_be_the_one_that_fails(put, tmp_path):
    good = put(IMAGE, "a.png")
    gone = os.fsencode(tmp_path / "none.png"), b"x" * 32
    for pair in ((good, gone), (gone, good)):
        found = looking.compare(*pair, 0, WHOLE)
        assert isinstance(found, Failure)
        assert found.reason in (Reason.UNREADABLE, Reason.VANISHED)
        assert "\n" not in found.detail
        assert "none.png" not in found.detail


@pytest.mark.parametrize("kind", ["folder", "pipe", "socket", "link"])
def test_only_regular_files_are_looked_at_and_nobody_waits_for_a_pipe(put, tmp_path, kind):
    real, digest = put(IMAGE, "real.png")
    path = tmp_path / "odd.png"
    listener = socket.socket(socket.AF_UNIX)
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        listener.bind(str(path))
    else:
        path.symlink_to(os.fsdecode(real))
    found = seen(os.fsencode(path), digest)
    listener.close()
    assert isinstance(found, Failure)
    assert found.reason is Reason.NOT_REGULAR


def test_a_pipe_that_takes_the_place_of_a_file_at_the_last_moment_is_not_waited_for(
    put, tmp_path, monkeypatch
):
    path, digest = put(IMAGE, "a.png")
    status = os.lstat(path)
    os.unlink(path)
    os.mkfifo(path)
    monkeypatch.setattr(looking.os, "lstat", lambda path: status)
    assert isinstance(seen(path, digest), Failure)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (lambda data: b"", Reason.UNSUPPORTED),
        (lambda data: b"no picture at all", Reason.UNSUPPORTED),
        (lambda data: data[: len(data) // 2], Reason.TRUNCATED),
        (lambda data: data[:400] + b"\xff" * 400, Reason.DAMAGED),
    ],
    ids=["empty", "text", "cut", "damaged"],
)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_broken_file_is_a_failure(put, tmp_path, broken, reason, suffix):
    path = tmp_path / f"a.{suffix}"
    put(IMAGE, path.name)
    path.write_bytes(broken(path.read_bytes()))
    found = seen(*ends(path))
    assert isinstance(found, Failure)
    assert found.reason in (reason, Reason.DAMAGED, Reason.TRUNCATED)
    assert found.reason is reason or reason is not Reason.UNSUPPORTED


def test_a_file_beyond_the_limits_is_too_large(put, monkeypatch):
    path, digest = put(IMAGE, "a.png")
    monkeypatch.setattr(limits, "FILE_BYTES", 1000)
    assert seen(path, digest).reason is Reason.TOO_LARGE


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError()])
def test_a_failing_disk_is_a_failure(put, monkeypatch, error):
    def fail(*args):
        raise error

    path, digest = put(IMAGE, "a.png")
    monkeypatch.setattr("catalog.imaging.source.os.read", fail)
    expected = Reason.TOO_LARGE if isinstance(error, MemoryError) else Reason.UNREADABLE
    assert seen(path, digest).reason is expected


def test_no_descriptor_is_left_open(put, tmp_path):
    path, digest = put(IMAGE, "a.png")
    before = len(os.listdir("/proc/self/fd"))
    for known in (digest, b"x" * 32):
        seen(path, known)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_picture_that_many_are_compared_with_is_decoded_once(put, monkeypatch):
    first = put(IMAGE, "a.png")
    others = [put(photo(seed), f"{seed}.png") for seed in (2, 3)]
    looked: list[bytes] = []
    look = looking.look
    monkeypatch.setattr(looking, "look", lambda source: looked.append(source.whole) or look(source))
    for other in others:
        assert isinstance(looking.compare(first, other, 0, WHOLE), Comparison)
    assert len(looked) == len(set(looked)) == 3


# --- pixels ---


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_what_exif_says_is_respected(put, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = upright(IMAGE, TURNED_BACK[orientation])
    found = seen(*put(lying, f"a.{suffix}", exif=exif.tobytes(), quality=95))
    assert looks_like(found, IMAGE)


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_transparent_pixels_are_white(put, suffix):
    image = IMAGE.convert("RGBA")
    image.paste((255, 0, 0, 0), (100, 100, 300, 300))
    image.paste((0, 0, 200, 128), (350, 100, 500, 300))
    expected = IMAGE.copy()
    expected.paste((255, 255, 255), (100, 100, 300, 300))
    expected.paste((127, 127, 227), (350, 100, 500, 300))
    assert looks_like(seen(*put(image, f"a.{suffix}", quality=95)), expected)


def test_a_transparent_colour_of_a_palette_is_white(put):
    image = Image.new("P", (300, 300), 1)
    image.putpalette([255, 0, 0, 0, 0, 200])
    image.paste(0, (0, 0, 150, 300))
    expected = Image.new("RGB", (300, 300), (0, 0, 200))
    expected.paste((255, 255, 255), (0, 0, 150, 300))
    assert looks_like(seen(*put(image, "a.png", transparency=0)), expected)
    assert looks_like(seen(*put(image, "a.gif", transparency=0)), expected)


def test_grey_with_transparency_is_white_there(put):
    image = IMAGE.convert("LA")
    image.paste((0, 0), (100, 100, 300, 300))
    expected = IMAGE.convert("L")
    expected.paste(255, (100, 100, 300, 300))
    assert looks_like(seen(*put(image, "a.png")), expected)


FORMATS = {
    "baseline.jpg": (lambda image: image, {"quality": 92}),
    "progressive.jpg": (lambda image: image, {"quality": 92, "progressive": True}),
    "full_chroma.jpg": (lambda image: image, {"quality": 92, "subsampling": 0}),
    "cmyk.jpg": (lambda image: image.convert("CMYK"), {"quality": 92}),
    "true.png": (lambda image: image, {}),
    "palette.png": (lambda image: image.quantize(255), {}),
    "opaque.png": (lambda image: image.convert("RGBA"), {}),
    "a.gif": (lambda image: image, {}),
    "lossy.webp": (lambda image: image, {"quality": 90}),
    "lossless.webp": (lambda image: image, {"lossless": True}),
    "plain.tif": (lambda image: image, {}),
    "packed.tif": (lambda image: image, {"compression": "tiff_lzw"}),
    "cmyk.tif": (lambda image: image.convert("CMYK"), {}),
    "ycc.tif": (lambda image: image.convert("YCbCr"), {"compression": "jpeg", "quality": 92}),
    "a.heic": (lambda image: image, {"quality": 90}),
    "a.avif": (lambda image: image, {"quality": 90, "speed": 10}),
    "a.bmp": (lambda image: image, {}),
}
GREYS = {
    "grey.jpg": (lambda image: image.convert("L"), {"quality": 92}),
    "grey.png": (lambda image: image.convert("L"), {}),
    "deep.png": (
        lambda image: Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257),
        {},
    ),
    "float.tif": (
        lambda image: Image.fromarray(np.asarray(image.convert("L")).astype(np.float32) / 255),
        {},
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_seen_in_its_colours(put, name):
    change, options = FORMATS[name]
    most = 6.0 if name in ("a.gif", "palette.png") else 3.0
    found = seen(*put(change(IMAGE), name, **options))
    assert looks_like(found, IMAGE, most)
    assert not looks_like(found, IMAGE.convert("L"), most)


@pytest.mark.parametrize("name", GREYS)
def test_what_is_grey_is_seen_in_three_equal_channels(put, name):
    change, options = GREYS[name]
    found = seen(*put(change(IMAGE), name, **options))
    assert looks_like(found, IMAGE.convert("L"))
    assert (np.ptp(found, axis=-1) == 0).all()


def test_black_and_white_is_seen_in_shades_of_its_mean(put):
    found = seen(*put(IMAGE.convert("1"), "a.png"))
    soft, expected = (
        Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(6))
        for pixels in (found, squeezed(IMAGE.convert("L")))
    )
    assert looks_like(np.asarray(soft), expected)


@pytest.mark.parametrize(("name", "width"), [("a.png", 769), ("a.jpg", 2049)])
def test_a_last_pixel_that_stands_for_less_than_a_whole_one_counts_for_less(put, name, width):
    large = IMAGE.resize((width, width), Image.Resampling.BICUBIC)
    assert looks_like(seen(*put(large, name, quality=95)), large, 2.0)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("width", [700, 1100, 2301])
def test_a_large_jpeg_that_is_decoded_smaller_is_seen_as_the_whole_of_it(put, width, progressive):
    """Sides that no scale divides: without its extent the picture would be shifted."""
    large = IMAGE.resize((width, width * 3 // 4 + 1), Image.Resampling.BICUBIC)
    found = seen(*put(large, "a.jpg", quality=92, progressive=progressive))
    assert looks_like(found, large)
    result = compare(found, squeezed(large), WHOLE)
    assert (result.differing, result.moved, result.recoloured) == (0, 0, 0)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (40, 30)])
def test_a_small_picture_is_enlarged(put, size):
    image = IMAGE.resize(size)
    assert looks_like(seen(*put(image, "a.png")), image)


def test_the_real_eight_orientations_are_seen_alike(photos):
    for kind in ("Landscape", "Portrait"):
        found = [
            seen(*ends(photos / f"mit_exif_orientation/{kind}_{number}.jpg"))
            for number in (1, 3, 6, 8)
        ]
        for one in found[1:]:
            assert np.abs(one.astype(int) - found[0].astype(int)).mean() < 4


@pytest.mark.parametrize("turn", dihedral.TURNS)
def test_a_turn_is_that_of_the_search_in_every_channel(turn):
    square = squeezed(IMAGE)
    found = turned(square, turn)
    assert found.flags.c_contiguous
    for channel in range(3):
        assert np.array_equal(found[..., channel], dihedral.turned(square[..., channel], turn))
