"""What a file may ask for is decided from its header, before anything is decoded."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
import time
import zlib

import pytest
from PIL import Image, TiffImagePlugin

from catalog.imaging import limits
from catalog.model import Reason, Recipe


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of the given header and chunks, checksums included."""
    head = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, body in (head, *chunks, (b"IEND", b"")):
        crc = zlib.crc32(kind + body)
        parts.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc))
    return b"".join(parts)


def zeros(size: int) -> bytes:
    """``size`` zeros, deflated."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join((*parts, packer.compress(bytes(size & ((1 << 20) - 1))), packer.flush()))


@pytest.fixture
def in_bounds(reason):
    """Read a hostile file; give the reason, having taken little time and memory."""

    def of(path, recipe=Recipe.REDUCED):
        reason(path, recipe)  # imports are not the file's
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun = time.process_time()
        found = reason(path, recipe)
        assert time.process_time() - begun < 2
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10
        return found

    return of


def test_a_small_png_of_many_pixels_is_too_large(tmp_path, in_bounds):
    path = tmp_path / "a.png"
    path.write_bytes(png(15000, 15000, (b"IDAT", zeros(15000 * 45001))))
    assert path.stat().st_size < 700_000
    assert in_bounds(path) is Reason.TOO_LARGE


@pytest.mark.parametrize("recipe", Recipe)
def test_a_jpeg_beyond_500_megapixels_is_too_large(tmp_path, scene, in_bounds, recipe):
    path = tmp_path / "a.jpg"
    scene(64, 64).save(path)
    data = bytearray(path.read_bytes())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 25000, 20001)
    path.write_bytes(data)
    assert in_bounds(path, recipe) is Reason.TOO_LARGE


@pytest.mark.parametrize("recipe", Recipe)
def test_a_jpeg_of_200_megapixels_is_read_within_1_gib(tmp_path, recipe):
    """Phones make them. Grey, of one tone, so that the test is fast."""
    path = tmp_path / "a.jpg"
    Image.new("L", (16384, 12288), 90).save(path)
    script = (
        "import os, sys; from catalog.imaging import reading; from catalog.model import Recipe;"
        "import resource;"
        "o = reading.read(os.fsencode(sys.argv[1]), Recipe(sys.argv[2])).outcome;"
        "print(o.width, o.flat, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1 << 20)"
    )
    command = [sys.executable, "-c", script, path, recipe.value]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["16384", "True", "True"]


def test_a_progressive_jpeg_whose_coefficients_do_not_fit_is_too_large(tmp_path, scene, in_bounds):
    path = tmp_path / "a.jpg"
    scene(64, 64).save(path, progressive=True, subsampling=0)
    data = bytearray(path.read_bytes())
    frame = data.index(b"\xff\xc2")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 20000, 20000)
    path.write_bytes(data)
    assert in_bounds(path) is Reason.TOO_LARGE


def test_two_headers_that_contradict_each_other_are_damage(tmp_path, scene, failure):
    path = tmp_path / "a.jpg"
    scene(64, 64).save(path)
    data = path.read_bytes()
    frame = data.index(b"\xff\xc0")
    end = frame + 2 + int.from_bytes(data[frame + 2 : frame + 4], "big")
    second = bytearray(data[frame:end])
    second[5:9] = struct.pack(">HH", 8000, 8000)
    path.write_bytes(data[:end] + second + data[end:])
    found = failure(path)
    assert found.reason is Reason.DAMAGED
    assert "contradict" in found.detail


def test_a_tiff_claiming_9_gb_is_too_large(tmp_path, in_bounds):
    path = tmp_path / "a.tif"
    Image.new("RGB", (8, 8)).save(path)
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory[256], directory[257] = 55000, 55000
    with Image.open(path) as image:
        for tag, value in image.tag_v2.items():
            if tag not in (256, 257):
                directory[tag] = value
    with path.open("wb") as file:
        directory.save(file)
        file.write(bytes(200))
    assert in_bounds(path) is Reason.TOO_LARGE


@pytest.mark.parametrize("kind", ["zTXt", "iTXt", "iCCP"])
def test_a_chunk_that_unpacks_to_very_much_is_bounded(tmp_path, in_bounds, kind):
    bomb = zeros(1 << 28)
    body = {
        "zTXt": b"k\0\0" + bomb,
        "iTXt": b"k\0\x01\0\0\0" + bomb,
        "iCCP": b"k\0\0" + bomb,
    }[kind]
    row = zlib.compress(bytes(4))
    path = tmp_path / "a.png"
    path.write_bytes(png(1, 1, (kind.encode(), body), (b"IDAT", row)))
    assert in_bounds(path) is Reason.TOO_LARGE


def test_a_gif_of_ten_thousand_frames_is_counted_quickly(tmp_path, fingerprint):
    Image.new("P", (8, 8), 1).save(tmp_path / "one.gif")
    data = (tmp_path / "one.gif").read_bytes()
    frame = data[data.index(b"\x2c") : -1]
    path = tmp_path / "many.gif"
    path.write_bytes(data[:-1] + frame * 10_500 + b"\x3b")
    begun = time.process_time()
    assert fingerprint(path).frames == limits.FRAMES
    assert time.process_time() - begun < 2


def test_the_blocks_of_a_gif_are_not_counted_for_ever(tmp_path, fingerprint, monkeypatch):
    Image.new("P", (8, 8), 1).save(tmp_path / "one.gif")
    data = (tmp_path / "one.gif").read_bytes()
    frame = data[data.index(b"\x2c") : -1]
    (tmp_path / "many.gif").write_bytes(data[:-1] + frame * 100 + b"\x3b")
    monkeypatch.setattr(limits, "BLOCKS", 20)
    assert 1 < fingerprint(tmp_path / "many.gif").frames <= 20


def test_a_tiff_whose_pages_go_in_circles_is_counted_once(tmp_path, scene, fingerprint):
    path = tmp_path / "a.tif"
    scene(32, 32).save(path)
    data = bytearray(path.read_bytes())
    first = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    path.write_bytes(data)
    assert fingerprint(path).frames == 1


def test_a_jpeg_of_fill_bytes_only_takes_no_time(tmp_path, in_bounds):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8" + b"\xff" * 8_000_000)
    assert in_bounds(path) is Reason.TRUNCATED


def test_jxl_is_measured_before_its_plugin_decodes_it(tmp_path, in_bounds):
    """30 bits of height 2**30, the same width: what the plugin would try to allocate."""
    pytest.importorskip("pillow_jxl")
    bits = 0 | 3 << 1 | (2**30 - 1) << 3 | 1 << 33
    path = tmp_path / "a.jxl"
    path.write_bytes(b"\xff\x0a" + bits.to_bytes(8, "little") + bytes(100))
    assert in_bounds(path) is Reason.TOO_LARGE


def test_what_a_decoder_needs_beside_the_pixels_counts(tmp_path, scene, reason, monkeypatch):
    scene(100, 100).save(tmp_path / "a.webp")
    monkeypatch.setattr(limits, "WORKING_BYTES", 100 * 100 * 15)
    assert reason(tmp_path / "a.webp") is Reason.TOO_LARGE


def test_a_huge_file_of_a_format_held_whole_is_too_large(tmp_path, scene, reason, monkeypatch):
    scene(100, 100).save(tmp_path / "a.heic")
    monkeypatch.setattr(limits, "HELD_BYTES", 100)
    assert reason(tmp_path / "a.heic") is Reason.TOO_LARGE


def test_pillow_s_own_warning_never_escapes(tmp_path, fingerprint, recwarn):
    """It comes at 89 megapixels; pytest makes an error of any warning."""
    path = tmp_path / "a.png"
    Image.new("1", (9990, 10000)).save(path)
    assert fingerprint(path).width == 9990
    assert not recwarn.list


def test_nothing_is_written_to_the_terminal(tmp_path, photos, capfd, outcome):
    crashes = sorted((photos / "mitcmu_pillow_tests/Tests/images").glob("crash-*.tif"))
    assert crashes
    for path in crashes:
        outcome(path)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_standard_error_works_afterwards(tmp_path, scene, capfd, outcome):
    scene(32, 32).save(tmp_path / "a.tif")
    outcome(tmp_path / "a.tif")
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"
