"""Names say what to look at; the first bytes say what it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from catalog.imaging.formats import PICTURE_SUFFIXES, RAW_SUFFIXES, Codec, sniff, suffix_of
from catalog.imaging.identity import decoder_identity
from catalog.model import Reason


def test_suffixes_are_lower_case_and_without_a_dot():
    assert all(s == s.lower() and b"." not in s for s in PICTURE_SUFFIXES)
    assert RAW_SUFFIXES < PICTURE_SUFFIXES
    assert {b"jpg", b"heic", b"jxl", b"nef", b"dng", b"mpo"} <= PICTURE_SUFFIXES
    assert not {b"txt", b"mp4", b"psd", b"eps", b"pdf"} & PICTURE_SUFFIXES


@pytest.mark.parametrize(
    ("path", "suffix"),
    [
        (b"/a/b.JPG", b"jpg"),
        (b"b.tar.gz", b"gz"),
        (b"/a.jpg/b", b""),
        (b"/a/.jpg", b""),
        (b"/a/b.", b""),
        (b"\xff.jpg", b"jpg"),
    ],
)
def test_a_suffix_is_what_follows_the_last_dot_of_the_name(path, suffix):
    assert suffix_of(path) == suffix


@pytest.mark.parametrize(
    ("head", "codec"),
    [
        (b"\xff\xd8\xff\xe0", Codec.JPEG),
        (b"\x89PNG\r\n\x1a\n", Codec.PNG),
        (b"GIF89a", Codec.GIF),
        (b"RIFF\0\0\0\0WEBPVP8 ", Codec.WEBP),
        (b"BM", Codec.BMP),
        (b"II*\0\x08\0\0\0", Codec.TIFF),
        (b"MM\0+", Codec.TIFF),
        (b"\0\0\0\x1cftypavif", Codec.AVIF),
        (b"\0\0\0\x1cftypheic", Codec.HEIF),
        (b"\0\0\0\x14ftypmif1\0\0\0\0heic", Codec.HEIF),
        (b"\0\0\0\x14ftypmif1\0\0\0\0avif", Codec.AVIF),
        (b"\xff\x0a", Codec.JXL),
        (b"\0\0\0\x0cJXL \r\n\x87\n", Codec.JXL),
        (b"II*\0\x10\0\0\0CR\x02\0", Codec.RAW),
        (b"\0\0\0\x18ftypcrx ", Codec.RAW),
        (b"FUJIFILMCCD-RAW 0201", Codec.RAW),
        (b"IIRO\x08\0\0\0", Codec.RAW),
        (b"IIU\0", Codec.RAW),
        (b"FOVb", Codec.RAW),
        (b"\0MRM", Codec.RAW),
        (b"II\x1a\0\0\0HEAPCCDR", Codec.RAW),
        (b"%!PS-Adobe-3.0 EPSF", None),
        (b"\0\0\0\x18ftypmp42", None),
        (b"", None),
        (b"\0" * 64, None),
    ],
)
def test_content_names_the_decoder(head, codec):
    assert sniff(head).codec is codec


def test_a_jpeg_named_png_is_read_as_what_it_is(tmp_path, scene, fingerprint):
    scene().save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").rename(tmp_path / "a.png")
    assert fingerprint(tmp_path / "a.png").format == "JPEG"


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.txt"])
def test_the_name_does_not_matter(tmp_path, scene, fingerprint, name):
    scene().save(tmp_path / name, "WEBP")
    assert fingerprint(tmp_path / name).format == "WEBP"


FOREIGN = {
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
    "dos eps": b"\xc5\xd0\xd3\xc6" + bytes(60),
    "psd": b"8BPS\0\x01" + bytes(60),
    "fits": b"SIMPLE  =                    T" + bytes(60),
    "fli": bytes(4) + b"\x11\xaf" + bytes(140),
    "jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60),
    "j2k": b"\xff\x4f\xff\x51" + bytes(60),
    "pdf": b"%PDF-1.7\n",
    "ico": b"\0\0\x01\0\x01\0" + bytes(60),
    "pcx": b"\x0a\x05\x01\x08" + bytes(140),
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "video": b"\0\0\0\x18ftypisom" + bytes(60),
    "text": b"no picture at all",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_not_on_the_list_is_unsupported_under_any_name(tmp_path, reason, kind):
    path = tmp_path / "evil.jpg"
    path.write_bytes(FOREIGN[kind])
    assert reason(path) is Reason.UNSUPPORTED


def test_a_postscript_file_starts_no_interpreter(tmp_path, photos):
    real = photos / "mitcmu_pillow_tests/Tests/images/eps/zero_bb.eps"
    path = tmp_path / "evil.jpg"
    path.write_bytes(real.read_bytes())
    script = (
        "import os, sys; from catalog.imaging import reading; from catalog.model import Recipe;"
        "sys.addaudithook(lambda event, args: event in"
        " ('subprocess.Popen', 'os.exec', 'os.posix_spawn', 'os.system', 'os.fork')"
        " and os._exit(9));"
        "print(reading.read(os.fsencode(sys.argv[1]), Recipe.FULL).outcome.reason.name)"
    )
    run = subprocess.run([sys.executable, "-c", script, path], capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == b"UNSUPPORTED"


def test_only_the_plugin_that_the_content_names_is_tried(tmp_path, scene, monkeypatch, outcome):
    from PIL import Image

    asked = []
    original = Image.open
    monkeypatch.setattr(
        Image, "open", lambda file, **how: asked.append(how["formats"]) or original(file, **how)
    )
    for suffix in ("jpg", "png", "gif", "webp", "bmp", "tif", "avif", "heic"):
        scene(64, 48).save(tmp_path / f"a.{suffix}")
        outcome(tmp_path / f"a.{suffix}")
    names = ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "HEIF"]
    assert asked == [(name,) for name in names]


def test_the_decoder_identity_names_every_decoder():
    identity = decoder_identity()
    for name in ("imgcat=", "pillow=", "pillow-heif=", "rawpy=", "pillow-jxl-plugin="):
        assert name in identity


def test_a_decoder_that_is_not_there_is_none(monkeypatch):
    import importlib.metadata as metadata

    found = metadata.version

    def without_rawpy(name):
        if name == "rawpy":
            raise metadata.PackageNotFoundError
        return found(name)

    monkeypatch.setattr(metadata, "version", without_rawpy)
    decoder_identity.cache_clear()
    assert "rawpy=none" in decoder_identity()
    decoder_identity.cache_clear()
