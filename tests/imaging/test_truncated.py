"""A file whose end is missing has no fingerprint, at any scale and in any format."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from catalog.imaging.jpeg import read_header
from catalog.imaging.progressive import dc_only
from catalog.imaging.source import Source
from catalog.model import Failure, Fingerprint, Reason, Recipe


def encoded(image: Image.Image, kind: str, **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def in_memory(data: bytes) -> Source:
    return Source(io.BytesIO(data), len(data), data)


@pytest.mark.parametrize("recipe", Recipe)
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(400, 300), (800, 600), (1500, 1100)])
@pytest.mark.parametrize("kept", [0.05, 0.4, 0.7, 0.95])
def test_a_truncated_jpeg_is_truncated_at_every_scale(
    tmp_path, scene, failure, recipe, progressive, size, kept
):
    data = encoded(scene(*size), "JPEG", quality=90, progressive=progressive)
    path = tmp_path / "a.jpg"
    path.write_bytes(data[: int(len(data) * kept)])
    assert failure(path, recipe).reason is Reason.TRUNCATED


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "BMP", "AVIF", "HEIF", "TIFF"])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.97])
def test_a_truncated_file_of_any_format_has_no_fingerprint(tmp_path, scene, outcome, kind, kept):
    data = encoded(scene(300, 200), kind)
    path = tmp_path / "a"
    path.write_bytes(data[: int(len(data) * kept)])
    result = outcome(path)
    assert isinstance(result, Failure), kind
    expected = {Reason.TRUNCATED, Reason.DAMAGED} if kind == "TIFF" else {Reason.TRUNCATED}
    assert result.reason in expected


@pytest.mark.parametrize("tail", [b"", b"\0" * 4096, b"\n", b"appended by a phone" * 50])
def test_what_follows_the_end_of_a_jpeg_is_no_harm(tmp_path, scene, fingerprint, tail):
    for progressive in (False, True):
        data = encoded(scene(1200, 1100), "JPEG", progressive=progressive)
        path = tmp_path / "a.jpg"
        path.write_bytes(data + tail)
        assert fingerprint(path).frames == 1


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [40, 92])
@pytest.mark.parametrize("grey", [False, True])
def test_leaving_out_what_an_eighth_does_not_need_changes_no_pixel(
    scene, subsampling, quality, grey
):
    image = scene(1203, 1101).convert("L" if grey else "RGB")
    data = encoded(image, "JPEG", quality=quality, progressive=True, subsampling=subsampling)
    shorter = dc_only(data, read_header(in_memory(data)).first_scan)
    assert shorter is not None
    assert len(shorter) < len(data) * 0.7
    pixels = []
    for version in (data, shorter):
        with Image.open(io.BytesIO(version)) as decoded:
            decoded.draft("L", (150, 137))
            pixels.append(decoded.tobytes())
    assert pixels[0] == pixels[1]


def test_a_progressive_file_without_its_end_is_not_shortened(scene):
    data = encoded(scene(1100, 1100), "JPEG", progressive=True)
    first = read_header(in_memory(data)).first_scan
    assert dc_only(data, first) is not None
    for kept in range(first + 20, len(data) - 1, len(data) // 40):
        assert dc_only(data[:kept], first) is None


def test_progressive_and_baseline_have_the_same_hashes(tmp_path, scene, fingerprint):
    image = scene(1300, 1100)
    found = []
    for progressive in (False, True):
        path = tmp_path / f"{progressive}.jpg"
        image.save(path, quality=92, progressive=progressive)
        result = fingerprint(path)
        assert isinstance(result, Fingerprint)
        found.append((result.phash, result.dhash, result.ahash, result.signature))
    assert found[0] == found[1]


def test_real_truncated_files_are_truncated(photos, failure):
    images = photos / "mitcmu_pillow_tests/Tests/images"
    for name in ("truncated_jpeg.jpg", "truncated_image.png", "truncated_end_chunk.png"):
        assert failure(images / name).reason is Reason.TRUNCATED
