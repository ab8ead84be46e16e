"""A file that holds more than one picture says so."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

MP4 = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(300) + b"\0\0\0\x08mdat"
XMP = b"http://ns.adobe.com/xap/1.0/\0"


def jpeg(image: Image.Image, **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **how)
    return buffer.getvalue()


def with_segment(data: bytes, marker: int, body: bytes) -> bytes:
    """``data`` with another segment right after SOI."""
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + data[2:]


@pytest.mark.parametrize(
    ("suffix", "how"),
    [("gif", {}), ("png", {}), ("webp", {}), ("tif", {}), ("avif", {}), ("heic", {})],
)
def test_frames_and_pages_are_counted(tmp_path, scene, fingerprint, suffix, how):
    frames = [scene(64, 48, seed) for seed in range(4)]
    path = tmp_path / f"a.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], **how)
    assert fingerprint(path).frames == 4
    frames[0].save(path)
    assert fingerprint(path).frames == 1


def test_the_counts_are_pillow_s_on_real_animations(photos, outcome):
    images = photos / "mitcmu_pillow_tests/Tests/images"
    for name in ("dispose_bgnd.gif", "multipage.tiff", "apng/blend_op_over.png"):
        with Image.open(images / name) as image:
            assert outcome(images / name).frames == image.n_frames, name


def test_a_preview_in_a_tiff_is_no_page(tmp_path, scene, fingerprint):
    preview = scene(32, 24)
    preview.encoderinfo = {"tiffinfo": {254: 1}}
    scene().save(tmp_path / "a.tif", save_all=True, append_images=[preview])
    assert fingerprint(tmp_path / "a.tif").frames == 1


def test_the_pictures_of_an_mpo_are_counted(tmp_path, scene, fingerprint):
    path = tmp_path / "a.mpo"
    scene().save(path, "MPO", save_all=True, append_images=[scene(seed=2)])
    found = fingerprint(path)
    assert (found.format, found.frames) == ("MPO", 2)


def test_a_preview_beside_the_picture_is_not_counted(tmp_path, scene, fingerprint):
    """Most cameras store one, in the same index as the views of a stereo picture."""
    path = tmp_path / "a.jpg"
    scene().save(path, "MPO", save_all=True, append_images=[scene(64, 48)])
    data = path.read_bytes()
    entry = data.index(struct.pack("<I", 0x030000), data.index(b"MPF\0") + 40) + 16
    path.write_bytes(data[:entry] + struct.pack("<I", 0x010001) + data[entry + 4 :])
    assert fingerprint(path).frames == 1


def test_a_gain_map_is_not_another_picture(photos, fingerprint):
    for name in ("apple_gainmap_new.jpg", "apple_gainmap_old.jpg"):
        assert fingerprint(photos / "bsd_libavif/tests/data" / name).frames == 1


def test_a_video_appended_to_a_jpeg_counts(tmp_path, scene, fingerprint):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(scene()) + MP4)
    assert fingerprint(path).frames == 2


def test_a_video_behind_other_appended_bytes_counts(tmp_path, scene, fingerprint):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(scene()) + b"MotionPhoto_Data" + MP4 + b"SEFHSEFT")
    assert fingerprint(path).frames == 2


@pytest.mark.parametrize(
    "said", [b'GCamera:MotionPhoto="1"', b"<Camera:MicroVideo>1</Camera:MicroVideo>"]
)
def test_a_motion_photo_counts_by_what_its_xmp_says(tmp_path, scene, fingerprint, said):
    path = tmp_path / "a.jpg"
    path.write_bytes(with_segment(jpeg(scene()), 0xE1, XMP + b"<x:xmpmeta>" + said))
    assert fingerprint(path).frames == 2


@pytest.mark.parametrize("tail", [b"", bytes(5000), b"SEFT trailer without a video" * 9])
def test_other_bytes_behind_a_jpeg_are_no_video(tmp_path, scene, fingerprint, tail):
    path = tmp_path / "a.jpg"
    no = with_segment(jpeg(scene()), 0xE1, XMP + b'GCamera:MotionPhoto="0"')
    path.write_bytes(no + tail)
    assert fingerprint(path).frames == 1


def test_a_video_in_a_heic_counts(tmp_path, scene, fingerprint):
    path = tmp_path / "a.heic"
    scene(64, 48).save(path)
    with path.open("ab") as file:
        file.write(struct.pack(">I4s", 8 + len(MP4), b"mpvd") + MP4)
    assert fingerprint(path).frames == 2


def test_two_gifs_in_a_row_are_more_than_one_picture(photos, fingerprint):
    images = photos / "mitcmu_pillow_tests/Tests/images"
    assert fingerprint(images / "test_extents_transparency.gif").frames == 2
