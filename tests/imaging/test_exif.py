"""What EXIF says is taken where it makes sense, and never fails a picture."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from catalog.imaging import exif, tiff

ORIGINAL, OFFSET, SUB_SECOND = 0x9003, 0x9011, 0x9291


def block(make="", model="", orientation=None, **details) -> bytes:
    data = Image.Exif()
    if make:
        data[0x010F] = make
    if model:
        data[0x0110] = model
    if orientation is not None:
        data[0x0112] = orientation
    data.get_ifd(ExifTags.IFD.Exif).update(
        {
            {"at": ORIGINAL, "offset": OFFSET, "fraction": SUB_SECOND}[k]: v
            for k, v in details.items()
        }
    )
    return data.tobytes()


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"at": "2004:05:01 12:33:44"}, "2004-05-01T12:33:44"),
        ({"at": "2004:05:01 12:33:44", "fraction": "07"}, "2004-05-01T12:33:44.07"),
        ({"at": "2004:05:01 12:33:44", "offset": "+02:00"}, "2004-05-01T12:33:44+02:00"),
        (
            {"at": "2004:05:01 12:33:44", "fraction": "123 ", "offset": "-11:30"},
            "2004-05-01T12:33:44.123-11:30",
        ),
        ({"at": "2004:05:01 12:33:44", "fraction": "x", "offset": "CET"}, "2004-05-01T12:33:44"),
        ({"at": "2004-05-01T12:33:44"}, "2004-05-01T12:33:44"),
        ({"at": "0000:00:00 00:00:00"}, None),
        ({"at": "    :  :     :  :  "}, None),
        ({"at": "2004:13:01 12:33:44"}, None),
        ({"at": "yesterday"}, None),
        ({}, None),
    ],
)
def test_the_time_is_iso_8601_or_nothing(details, expected):
    assert exif.from_block(block(**details)).taken_at == expected


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Canon", "Canon EOS D60", "Canon EOS D60"),
        ("NIKON CORPORATION", "NIKON D1X", "NIKON D1X"),
        ("Apple", "iPhone 12", "Apple iPhone 12"),
        ("SONY", "", "SONY"),
        ("", "X100", "X100"),
        ("", "", None),
        ("  Make  ", " Model\n", "Make Model"),
    ],
)
def test_a_camera_is_named_once(make, model, camera):
    assert exif.from_block(block(make, model)).camera == camera


@pytest.mark.parametrize(("written", "found"), [(1, 1), (6, 6), (8, 8), (0, None), (9, None)])
def test_only_the_eight_orientations_count(written, found):
    assert exif.from_block(block(orientation=written)).orientation == found


def test_xmp_is_asked_where_exif_is_silent():
    xmp = b'<x tiff:Orientation="6">'
    assert exif.from_block(b"", xmp).orientation == 6
    assert exif.from_block(b"", b"<tiff:Orientation>3</tiff:Orientation>").orientation == 3
    assert exif.from_block(block(orientation=8), xmp).orientation == 8


def test_real_files_say_what_pillow_reads(photos, fingerprint):
    compared = 0
    for path in sorted((photos / "free_camera_files").glob("*.jpg")):
        with Image.open(path) as image:
            data = image.getexif()
            taken = data.get_ifd(ExifTags.IFD.Exif).get(ORIGINAL)
            orientation = data.get(0x0112, 1)
        found = fingerprint(path)
        if isinstance(taken, str) and taken[:4] > "0000":
            date, clock = taken[:10].replace(":", "-"), taken[11:19]
            assert found.taken_at.startswith(f"{date}T{clock}"), path.name
            compared += 1
        if orientation in range(1, 9):
            assert found.orientation == orientation
    assert compared > 20


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail(data):
    exif.from_block(data)
    exif.from_block(b"Exif\0\0II*\0\x08\0\0\0" + data)
    exif.from_block(b"MM\0+\0\x08\0\0\0\0\0\0\0\0\0\x10" + data)


@given(st.integers(0, 250), st.binary(min_size=1, max_size=8))
def test_no_damage_makes_it_fail(at, damage):
    whole = block("Make", "Model", 6, at="2004:05:01 12:33:44", fraction="1", offset="+01:00")
    exif.from_block(whole[: at + 6] + damage + whole[at + 6 + len(damage) :])
    exif.from_block(whole[:at])


@given(st.binary(max_size=300))
def test_no_bytes_make_the_directories_fail(data):
    for head in (b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II+\0\x08\0\0\0\x10" + bytes(7)):
        structure = tiff.open_tiff(tiff.in_memory(head + data))
        assert structure is not None
        assert tiff.count_pages(structure) >= 1
        tiff.raw_name(structure)


def test_bad_exif_never_fails_a_picture(tmp_path, scene, fingerprint):
    whole = block("Make", "Model", 1, at="2004:05:01 12:33:44")
    for cut in range(6, len(whole), 7):
        path = tmp_path / "a.jpg"
        scene(64, 48).save(path, exif=whole[:cut] + b"\xff" * 20)
        assert fingerprint(path).width in (48, 64)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif", "heic"])
def test_every_format_that_holds_exif_is_asked(tmp_path, scene, fingerprint, suffix):
    path = tmp_path / f"a.{suffix}"
    data = block("Canon", "Canon X", at="2010:02:03 04:05:06", offset="+01:00")
    scene(64, 48).save(path, exif=data)
    found = fingerprint(path)
    assert found.camera == "Canon X"
    assert found.taken_at == "2010-02-03T04:05:06+01:00"


def test_big_tiff_and_both_byte_orders_are_read():
    for order, big in (("<", False), (">", False), ("<", True), (">", True)):
        mark = b"II" if order == "<" else b"MM"
        if big:
            head = mark + struct.pack(order + "HHHQ", 43, 8, 0, 16)
            body = struct.pack(order + "QHHQ", 1, 0x0112, 3, 1)
            body += struct.pack(order + "HHI", 6, 0, 0) + bytes(8)
        else:
            head = mark + struct.pack(order + "HI", 42, 8)
            body = struct.pack(order + "HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
        assert exif.from_block(head + body).orientation == 6
