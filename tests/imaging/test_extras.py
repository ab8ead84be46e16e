"""Camera RAW and JPEG XL: read with the extra, named without it, never Pillow's to guess."""

from __future__ import annotations

import io
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from catalog.imaging import jxl
from catalog.imaging.orientation import upright
from catalog.model import Reason, Recipe

INTEGERS = {1: "B", 3: "H", 4: "I"}
IDENTITY = [(int(i % 4 == 0), 1) for i in range(9)]


def directory(entries: list[tuple[int, int, object]], at: int) -> bytes:
    """One TIFF directory that stands at offset ``at``, with its values behind it."""
    values_at = at + 2 + 12 * len(entries) + 4
    table, values = b"", b""
    for tag, kind, value in sorted(entries):
        if kind == 2:
            raw, count = value, len(value)
        elif kind in (5, 10):
            raw, count = b"".join(struct.pack("<ii", *pair) for pair in value), len(value)
        else:
            raw, count = struct.pack(f"<{len(value)}{INTEGERS[kind]}", *value), len(value)
        if len(raw) > 4:
            raw, values = struct.pack("<I", values_at + len(values)), values + raw
            values += bytes(len(values) % 2)
        table += struct.pack("<HHI", tag, kind, count) + raw.ljust(4, b"\0")
    return struct.pack("<H", len(entries)) + table + bytes(4) + values


def dng(grey: Image.Image, orientation: int = 1, preview: bytes = b"") -> bytes:
    """A DNG of ``grey`` as its sensor saw it, with ``preview`` (a JPEG of that size) inside."""
    width, height = grey.size
    sensor = (np.asarray(grey).astype("<u2") * 200).tobytes()
    camera = [
        (271, 2, b"ACME\0"),
        (272, 2, b"ACME One\0"),
        (274, 3, [orientation]),
        (50706, 1, [1, 4, 0, 0]),
        (50708, 2, b"ACME One\0"),
        (50721, 10, IDENTITY),
        (50728, 5, [(1, 1)] * 3),
        (50778, 3, [21]),
    ]

    def parts(below_at: int, sensor_at: int, preview_at: int) -> tuple[bytes, bytes]:
        values = [
            (254, 4, [0]), (256, 4, [width]), (257, 4, [height]), (258, 3, [16]),
            (259, 3, [1]), (262, 3, [32803]), (273, 4, [sensor_at]), (277, 3, [1]),
            (278, 4, [height]), (279, 4, [len(sensor)]), (33421, 3, [2, 2]),
            (33422, 1, [0, 1, 1, 2]), (50717, 4, [65535]),
        ]  # fmt: skip
        if not preview:
            return directory(values + camera, 8), b""
        shown = [
            (254, 4, [1]), (256, 4, [width]), (257, 4, [height]), (258, 3, [8, 8, 8]),
            (259, 3, [7]), (262, 3, [6]), (273, 4, [preview_at]), (277, 3, [3]),
            (278, 4, [height]), (279, 4, [len(preview)]), (330, 4, [below_at]),
        ]  # fmt: skip
        return directory(shown + camera, 8), directory(values, below_at)

    first, below = parts(0, 0, 0)
    below_at = 8 + len(first)
    sensor_at = below_at + len(below)
    first, below = parts(below_at, sensor_at, sensor_at + len(sensor))
    return b"II*\0\x08\0\0\0" + first + below + sensor + preview


def jpeg(image: Image.Image, **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92, **how)
    return buffer.getvalue()


@pytest.fixture
def rawpy():
    return pytest.importorskip("rawpy")


@pytest.fixture
def plugin():
    return pytest.importorskip("pillow_jxl")


@pytest.mark.parametrize("name", ["a.dng", "a.tif", "a.jpg"])
def test_a_raw_without_the_extra_is_named_and_never_read_as_a_tiff(
    tmp_path, scene, failure, monkeypatch, name
):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    path = tmp_path / name
    path.write_bytes(dng(scene().convert("L"), preview=jpeg(scene())))
    found = failure(path)
    assert found.reason is Reason.NEEDS_EXTRA
    assert "raw" in found.detail
    assert "DNG" in found.detail


@pytest.mark.parametrize(
    "head",
    [
        b"II*\0\x10\0\0\0CR\x02\0",
        b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom",
        b"FUJIFILMCCD-RAW 0201FF129502",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0",
        b"FOVb\0\0\2\0",
    ],
)
def test_other_raws_without_the_extra_need_it_too(tmp_path, reason, monkeypatch, head):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    path = tmp_path / "a.jpg"
    path.write_bytes(head + bytes(200))
    assert reason(path) is Reason.NEEDS_EXTRA


def test_a_tiff_named_as_a_raw_is_taken_for_one(tmp_path, scene, failure, monkeypatch):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    scene(64, 48).save(tmp_path / "a.tif")
    (tmp_path / "a.tif").rename(tmp_path / "a.NEF")
    found = failure(tmp_path / "a.NEF")
    assert found.reason is Reason.NEEDS_EXTRA
    assert "NEF" in found.detail


def test_an_ordinary_tiff_of_a_camera_is_a_tiff(tmp_path, scene, fingerprint):
    scene().save(tmp_path / "a.tif", tiffinfo={271: "NIKON", 272: "NIKON D1X"})
    found = fingerprint(tmp_path / "a.tif")
    assert (found.format, found.camera) == ("TIFF", "NIKON D1X")


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("own_exif", [False, True])
def test_a_raw_is_its_preview_upright(tmp_path, scene, fingerprint, rawpy, orientation, own_exif):
    """``own_exif``: the preview has EXIF that does not say how it lies; else LibRaw adds it."""
    shown = scene()
    data = Image.Exif()
    data[0x010F] = "ACME"
    preview = jpeg(shown, exif=data.tobytes()) if own_exif else jpeg(shown)
    if own_exif:  # cameras begin with it; behind JFIF's segment LibRaw would overlook it
        preview = preview[:2] + preview[preview.index(b"\xff\xe1") :]
    (tmp_path / "a.dng").write_bytes(dng(shown.convert("L"), orientation, preview))
    upright(shown, orientation).save(tmp_path / "plain.png")
    raw, plain = (fingerprint(tmp_path / name) for name in ("a.dng", "plain.png"))
    assert raw.format == "DNG"
    assert (raw.width, raw.height) == (plain.width, plain.height)
    assert raw.orientation == orientation
    assert raw.camera == "ACME One"
    assert (raw.phash ^ plain.phash).bit_count() <= 2
    assert (raw.dhash ^ plain.dhash).bit_count() <= 4


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_raw_without_a_preview_is_developed(tmp_path, scene, fingerprint, rawpy, orientation):
    grey = scene().convert("L")
    (tmp_path / "a.dng").write_bytes(dng(grey, orientation))
    upright(grey, orientation).save(tmp_path / "plain.png")
    raw, plain = (fingerprint(tmp_path / name) for name in ("a.dng", "plain.png"))
    assert (raw.width, raw.height) == (plain.width, plain.height)
    assert (raw.phash ^ plain.phash).bit_count() <= 14  # its tones are LibRaw's
    assert (raw.dhash ^ plain.dhash).bit_count() <= 8


def test_a_broken_raw_is_a_failure(tmp_path, scene, reason, rawpy):
    whole = dng(scene().convert("L"))
    path = tmp_path / "a.dng"
    path.write_bytes(whole[:600])
    assert reason(path) in (Reason.DAMAGED, Reason.TRUNCATED, Reason.UNSUPPORTED)


def test_jxl_without_the_extra_is_named(tmp_path, photos, failure, monkeypatch):
    monkeypatch.setattr(jxl, "available", lambda: False)
    source = next((photos / "bsd_jxl_conformance").rglob("*.jxl"))
    path = tmp_path / "a.jpg"
    path.write_bytes(source.read_bytes())
    found = failure(path)
    assert found.reason is Reason.NEEDS_EXTRA
    assert "jxl" in found.detail


def test_without_its_plugin_jxl_is_not_available(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    assert not jxl.available()


def test_the_jxl_conformance_pictures_are_read(photos, fingerprint, plugin):
    paths = sorted((photos / "bsd_jxl_conformance").rglob("*.jxl"))[:6]
    for path in paths:
        with Image.open(path, formats=("JXL",)) as image:
            # a JPEG packed without loss lies as its EXIF says, everything else is upright
            turned = image.jpeg and image.getexif().get(0x0112, 1) > 4
            size = image.size[::-1] if turned else image.size
        found = fingerprint(path)
        assert (found.format, found.width, found.height) == ("JXL", *size)


@pytest.mark.parametrize("size", [(8, 8), (256, 256), (300, 200), (1600, 900), (2049, 513)])
@pytest.mark.parametrize("container", [False, True])
def test_jxl_headers_give_the_size_that_is_decoded(
    tmp_path, scene, plugin, monkeypatch, fingerprint, size, container
):
    measured = []
    check = jxl.limits.check_pixels
    monkeypatch.setattr(
        jxl.limits, "check_pixels", lambda w, h, most: measured.append((w, h)) or check(w, h, most)
    )
    scene(*size).save(tmp_path / "a.jxl", effort=1, use_container=container)
    found = fingerprint(tmp_path / "a.jxl")
    assert {(found.width, found.height), *measured} == {size}


@pytest.mark.parametrize("recipe", Recipe)
def test_a_jpeg_packed_into_jxl_is_turned_once(tmp_path, scene, fingerprint, plugin, recipe):
    data = Image.Exif()
    data[0x0112] = 6
    scene().save(tmp_path / "a.jpg", exif=data.tobytes())
    with Image.open(tmp_path / "a.jpg") as image:
        image.save(tmp_path / "a.jxl", lossless_jpeg=True)
    packed, plain = (fingerprint(tmp_path / name, recipe) for name in ("a.jxl", "a.jpg"))
    assert (packed.width, packed.height) == (480, 640)
    assert (packed.phash ^ plain.phash).bit_count() <= 2
