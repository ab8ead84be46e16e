"""R1: one picture for another only when both were decoded in full and matched again, in this run.

And only when the one that stays has all that the other has.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps
from PIL.Image import Transpose

from catalog.imaging import limits, looking, whole
from catalog.imaging.progressive import dc_only
from catalog.matching import again
from catalog.matching.again import Claim, confirmed
from catalog.model import Comparison, Failure
from tests.imaging.edits import cropped, photo, saved
from tests.matching import deadly
from tests.matching.albums import next_shot, shot, stamped

KEPT = photo(1)
Put = Callable[..., tuple[bytes, bytes]]


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    whole._seen.cache_clear()


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write a picture, or bytes; its path and its digest."""

    def of(name: str, picture: Image.Image | bytes, **options: object) -> tuple[bytes, bytes]:
        data = (
            picture
            if isinstance(picture, bytes)
            else saved(picture, **(options or {"quality": 93}))
        )
        (tmp_path / name).write_bytes(data)
        return os.fsencode(tmp_path / name), blake3(data).digest()

    return of


@pytest.fixture
def asked(put: Put) -> Callable[..., str]:
    """What is said against a victim, beside a kept picture."""

    def of(victim: Image.Image | bytes, kept: Image.Image | bytes = KEPT) -> str:
        return again.refuted((0, Claim(put("kept", kept), put("victim", victim))))

    return of


# -- what is confirmed -------------------------------------------------------------------------

COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "quality 92": lambda image: saved(image, quality=92),
    "quality 40": lambda image: saved(image, quality=40),
    "quality 10": lambda image: saved(image, quality=10),
    "png": lambda image: saved(image, "PNG"),
    "png with alpha": lambda image: saved(image.convert("RGBA"), "PNG"),
    "webp": lambda image: saved(image, "WEBP", quality=70),
    "half": lambda image: saved(image.resize((320, 240)), quality=85),
    "small": lambda image: saved(image.resize((200, 150)), quality=75),
    "brightened": lambda image: saved(ImageEnhance.Brightness(image).enhance(1.15), quality=88),
    "grey": lambda image: saved(image.convert("L"), quality=88),
    "sharpened": lambda image: saved(image.filter(ImageFilter.UnsharpMask(2, 60)), quality=88),
    "blurred": lambda image: saved(image.filter(ImageFilter.GaussianBlur(1.5)), quality=88),
    "cropped": lambda image: saved(cropped(image, (0.04, 0.96, 0.04, 0.96)), quality=88),
    "one-sided": lambda image: saved(cropped(image, (0.1, 1.0, 0.0, 1.0)), quality=88),
    "turned": lambda image: saved(image.transpose(Image.Transpose.ROTATE_90), quality=88),
    "mirrored and cropped": lambda image: saved(
        ImageOps.mirror(cropped(image, (0.0, 0.93, 0.0, 1.0))), quality=88
    ),
}


@pytest.mark.parametrize("copy", COPIES)
def test_r1_a_copy_that_has_nothing_the_kept_one_lacks_is_confirmed(asked, copy):
    assert asked(COPIES[copy](KEPT)) == ""


@pytest.mark.parametrize(
    "turn", [Transpose.ROTATE_90, Transpose.TRANSVERSE], ids=["side", "corner"]
)
def test_r1_a_copy_is_confirmed_however_the_two_lie_and_whichever_of_them_is_kept(asked, turn):
    lying, turned = saved(KEPT, "PNG"), saved(KEPT.transpose(turn), "PNG")
    assert asked(lying, turned) == ""
    assert asked(turned, lying) == ""


def test_r1_the_very_pixels_are_compared_closely_although_signatures_agree(asked, monkeypatch):
    compared = []

    def counted(*arguments):
        compared.append(arguments)
        return compare(*arguments)

    from catalog.imaging import comparing

    compare = comparing.compare
    monkeypatch.setattr(comparing, "compare", counted)
    assert asked(saved(KEPT, "PNG")) == ""
    assert len(compared) == 1


# -- what is not -------------------------------------------------------------------------------


def retouched(image: Image.Image) -> Image.Image:
    """Something small was taken out, or put in: so little that a match may overlook it."""
    copy = image.copy()
    noise = np.random.default_rng(3).integers(0, 255, (13, 18, 3)).astype(np.uint8)
    patch = Image.fromarray(noise).resize((36, 26), Image.Resampling.NEAREST)
    copy.paste(patch, (282, 242))
    return copy


def with_cat(image: Image.Image) -> Image.Image:
    """The same scene, and something black in it that was not there before."""
    copy = image.copy()
    pen = ImageDraw.Draw(copy)
    pen.ellipse((30, 405, 95, 445), fill=(18, 18, 20))
    pen.ellipse((86, 390, 110, 417), fill=(18, 18, 20))
    return copy


def see_through(image: Image.Image) -> bytes:
    copy = image.convert("RGBA")
    copy.putpixel((3, 3), (*image.getpixel((3, 3)), 250))
    return saved(copy, "PNG")


def page(number: str) -> Image.Image:
    sheet = Image.new("RGB", (900, 1200), "white")
    pen = ImageDraw.Draw(sheet)
    dice = np.random.default_rng(5)
    for row in range(60, 1100, 40):
        for column in range(60, 60 + int(dice.integers(300, 760)), 90):
            pen.text((column, row), str(dice.integers(10**5, 10**6)), fill="black", font_size=22)
    pen.text((600, 1130), number, fill="black", font_size=24)
    return sheet


def with_exif(image: Image.Image, *, camera: bool = False, place: bool = False) -> bytes:
    exif = Image.Exif()
    if camera:
        exif[0x010F] = "Maker"
    exif[0x8825] = {2: (46.0, 31.0, 12.0)} if place else {}
    return saved(image, quality=93, exif=exif)


def deep(image: Image.Image, form: str) -> bytes:
    """In grey of 16 bits."""
    grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
    return saved(Image.fromarray(grey), form)


def animated(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", save_all=True, append_images=[photo(3)])
    return buffer.getvalue()


def overexposed(image: Image.Image) -> Image.Image:
    return image.point([min(255, round(value * 1.25)) for value in range(256)] * 3)


SMALL = cropped(KEPT, (0.0, 1.0, 0.0, 1.0)).resize((160, 120), Image.Resampling.LANCZOS)

PAGE = "a page: its small print cannot be compared"

# why, the victim, the kept one
REFUSED: dict[str, tuple[str, Callable[[], object], Callable[[], object]]] = {
    "another picture": ("it is another picture", lambda: photo(2), lambda: KEPT),
    "next frame of a burst": ("parts of it differ", lambda: next_shot(KEPT), lambda: KEPT),
    "next frame, far": ("parts of it differ", lambda: next_shot(KEPT), lambda: next_shot(KEPT, 40)),
    "retouched": ("a small part of it differs", lambda: retouched(KEPT), lambda: KEPT),
    "retouched, the other way": (
        "a small part of it differs",
        lambda: KEPT,
        lambda: retouched(KEPT),
    ),
    "a cat came in": (
        "it is stamped, or shows something that the kept one does not",
        lambda: with_cat(KEPT),
        lambda: KEPT,
    ),
    "taken apart": (
        "they were taken at different moments",
        lambda: shot(KEPT, "2021:07:04 10:31:05"),
        lambda: shot(KEPT, "2021:07:04 10:31:06"),
    ),
    "no date": (
        "the kept one does not say when it was taken",
        lambda: shot(KEPT, "2021:07:04 10:31:05"),
        lambda: shot(KEPT),
    ),
    "no camera": (
        "the kept one does not say with what it was taken",
        lambda: with_exif(KEPT, camera=True),
        lambda: KEPT,
    ),
    "no place": (
        "the kept one does not say where it was taken",
        lambda: with_exif(KEPT, place=True),
        lambda: with_exif(KEPT),
    ),
    "fewer bits, TIFF": (
        "the kept one has fewer bits a colour",
        lambda: deep(KEPT, "TIFF"),
        lambda: saved(KEPT.convert("L"), "PNG"),
    ),
    "fewer bits, PNG": (
        "the kept one has fewer bits a colour",
        lambda: deep(KEPT, "PNG"),
        lambda: saved(KEPT.convert("L"), "TIFF"),
    ),
    "grey kept": (
        "the kept one has no colour",
        lambda: KEPT,
        lambda: saved(KEPT.convert("L"), quality=93),
    ),
    "grey kept, as RGB": (
        "the kept one has no colour",
        lambda: KEPT,
        lambda: KEPT.convert("L").convert("RGB"),
    ),
    "crop kept": (
        "it shows more than the kept one",
        lambda: KEPT,
        lambda: cropped(KEPT, (0.04, 0.96, 0.04, 0.96)),
    ),
    "one side kept": (
        "it shows more than the kept one",
        lambda: KEPT,
        lambda: cropped(KEPT, (0.0, 0.985, 0.0, 1.0)),
    ),
    "turned crop kept": (
        "it shows more than the kept one",
        lambda: KEPT,
        lambda: cropped(KEPT, (0.0, 0.95, 0.0, 1.0)).transpose(Image.Transpose.ROTATE_90),
    ),
    "two crops": (
        "it shows more than the kept one",
        lambda: cropped(KEPT, (0.0, 0.97, 0.0, 1.0)),
        lambda: cropped(KEPT, (0.03, 1.0, 0.0, 1.0)),
    ),
    "stamped kept": ("the kept one is stamped", lambda: KEPT, lambda: stamped(KEPT)),
    "blown out kept": (
        "the kept one lost its brightest or darkest parts",
        lambda: BRIGHT,
        lambda: overexposed(BRIGHT),
    ),
    "enlarged kept": (
        "it has finer detail than the kept one",
        lambda: KEPT,
        lambda: SMALL.resize((1280, 960), Image.Resampling.BICUBIC),
    ),
    "smaller kept": (
        "it has more pixels than the kept one",
        lambda: KEPT.resize((1200, 900)),
        lambda: KEPT.resize((1100, 825)),
    ),
    "smaller kept, of which a part goes": (
        "it has more pixels than the kept one",
        lambda: cropped(KEPT.resize((800, 600)), (0.1, 1.0, 0.0, 1.0)),
        lambda: KEPT.resize((760, 570)),
    ),
    "see-through": (
        "the kept one has no transparent parts",
        lambda: see_through(KEPT),
        lambda: saved(KEPT, "PNG"),
    ),
    "page": (
        PAGE,
        lambda: page("7312"),
        lambda: page("7812"),
    ),
    "same page": (
        PAGE,
        lambda: page("1"),
        lambda: page("1"),
    ),
    "animated": (
        "one of them has more than its first frame or page shows",
        lambda: animated(KEPT),
        lambda: KEPT,
    ),
    "flat": (
        "too little detail to tell it from another picture",
        lambda: Image.new("RGB", (640, 480), (90, 120, 60)),
        lambda: Image.new("RGB", (640, 480), (90, 120, 60)),
    ),
    "negative": ("it is another picture", lambda: ImageOps.invert(KEPT), lambda: KEPT),
}
BRIGHT = ImageEnhance.Brightness(photo(4)).enhance(1.1)


@pytest.mark.parametrize("case", REFUSED)
def test_r1_what_the_kept_one_lacks_or_what_differs_is_refused_and_why_is_said(asked, case):
    why, victim, kept = REFUSED[case]
    assert asked(victim(), kept()) == why


COPY = Comparison(
    textured=200,
    residual=0.02,
    differing=0.0,
    moved=0.0,
    recoloured=0.0,
    clusters=0,
    margin=True,
    painted=0.0,
    noise=1.0,
)
STAMP = replace(COPY, differing=0.05, clusters=1, painted=0.97, residual=0.01)

# what a comparison found, and what is said where the first is kept, and where the second is
COMPARED = {
    "a copy": (COPY, "", ""),
    "moved a little": (
        replace(COPY, moved=0.04),
        "something in it moved",
        "something in it moved",
    ),
    "another colour somewhere": (
        replace(COPY, recoloured=0.04),
        "parts of it have other colours",
        "parts of it have other colours",
    ),
    "other colours": (
        replace(COPY, recoloured=0.2),
        "its colours differ",
        "its colours differ",
    ),
    "first stamped": (
        replace(STAMP, on_first=True),
        "the kept one is stamped",
        "it is stamped, or shows something that the kept one does not",
    ),
    "second stamped": (
        replace(STAMP, on_first=False),
        "it is stamped, or shows something that the kept one does not",
        "the kept one is stamped",
    ),
    "one stamped": (
        STAMP,
        "one of them is stamped, and it is unclear which",
        "one of them is stamped, and it is unclear which",
    ),
    "no detail": (
        replace(COPY, textured=1),
        "too little detail to tell it from another picture",
        "too little detail to tell it from another picture",
    ),
}


@pytest.mark.parametrize("case", COMPARED)
def test_r1_what_a_match_forgives_is_not_forgiven_whichever_is_kept(case):
    found, kept_first, kept_second = COMPARED[case]
    assert again._compared(found, kept_first=True) == kept_first
    assert again._compared(found, kept_first=False) == kept_second


# -- what was made larger ----------------------------------------------------------------------


def grainy(seed: int = 5, size: tuple[int, int] = (1400, 1050)) -> Image.Image:
    """A large photo, with detail as fine as its pixels."""
    width, height = size
    base = np.asarray(photo(seed).resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    grain = np.random.default_rng(seed).normal(0, 14, (height, width, 1))
    return Image.fromarray((base + grain).clip(0, 255).astype(np.uint8))


def resized(image: Image.Image, factor: float) -> Image.Image:
    width, height = image.size
    return image.resize((round(width * factor), round(height * factor)), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    ("factor", "turn"),
    [
        (1.1, None),
        (1.25, None),
        (2, None),
        (1.25, Transpose.ROTATE_90),
        (1.5, Transpose.TRANSVERSE),
    ],
    ids=["by a tenth", "by a quarter", "twice", "turned", "turned and mirrored"],
)
def test_r1_a_large_photo_does_not_go_for_what_was_made_of_it_by_enlarging(asked, factor, turn):
    large = resized(LARGE, factor)
    kept = saved(large if turn is None else large.transpose(turn), quality=90)
    assert asked(saved(LARGE, quality=95), kept) == "the kept one is enlarged, and has less detail"


@pytest.mark.parametrize(
    ("factor", "turn"),
    [(0.9, None), (0.5, None), (0.25, None), (0.75, Transpose.ROTATE_90)],
    ids=["a tenth off", "half", "quarter", "turned"],
)
def test_r1_a_copy_made_smaller_goes_however_it_was_sharpened(asked, factor, turn):
    small = resized(LARGE, factor).filter(ImageFilter.UnsharpMask(1, 60))
    victim = small if turn is None else small.transpose(turn)
    assert asked(saved(victim, quality=85), saved(LARGE, quality=95)) == ""


def test_r1_a_copy_of_a_soft_photo_made_smaller_goes_although_the_photo_has_little_beyond_it(asked):
    soft = LARGE.filter(ImageFilter.GaussianBlur(1))
    assert asked(saved(resized(soft, 0.75), quality=95), saved(soft, quality=95)) == ""


LARGE = grainy()


# -- the files ---------------------------------------------------------------------------------


def changed(path: bytes, data: bytes) -> None:
    """Other bytes, and the time of the old ones."""
    before = os.lstat(path)
    with open(path, "r+b") as file:
        file.write(data)
        file.truncate()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("which", ["kept", "victim"])
def test_r1_a_file_of_which_one_byte_changed_and_whose_time_was_put_back_is_refused(put, which):
    ends = {"kept": put("kept", KEPT), "victim": put("victim", KEPT, quality=60)}
    assert again.refuted((0, Claim(**ends))) == ""
    path, _ = ends[which]
    with open(path, "rb") as file:
        data = bytearray(file.read())
    data[-1] ^= 1  # behind the picture: nothing else would tell
    changed(path, bytes(data))
    who = "it" if which == "victim" else "the kept one"
    assert again.refuted((0, Claim(**ends))) == f"{who} changed since it was indexed"


@pytest.mark.parametrize("which", ["kept", "victim"])
def test_r1_what_cannot_be_decoded_to_its_end_is_refused(put, which):
    data = {"kept": saved(KEPT, quality=93), "victim": saved(KEPT, quality=60)}
    data[which] = data[which][:-200]
    claim = Claim(put("kept", data["kept"]), put("victim", data["victim"]))
    who = "it" if which == "victim" else "the kept one"
    assert again.refuted((0, claim)).startswith(f"{who} could not be read: truncated")


@pytest.mark.parametrize("which", ["kept", "victim"])
def test_r1_what_is_too_large_for_all_its_pixels_is_refused(put, monkeypatch, which):
    sizes = {"kept": (640, 480), "victim": (640, 480)}
    sizes[which] = (660, 495)
    ends = {name: put(name, KEPT.resize(size), quality=70) for name, size in sizes.items()}
    monkeypatch.setattr(limits, "DECODED_BYTES", 4 * 650 * 490)
    who = "it" if which == "victim" else "the kept one"
    assert again.refuted((0, Claim(**ends))).startswith(f"{who} could not be read: too large")


def test_r1_a_kept_file_whose_fine_scans_are_gone_is_refused_where_a_draft_sees_nothing(put):
    large = KEPT.resize((2800, 2100), Image.Resampling.BICUBIC)
    grain = np.random.default_rng(8).normal(0, 12, (2100, 2800, 1))
    large = Image.fromarray((np.asarray(large) + grain).clip(0, 255).astype(np.uint8))
    data = saved(large, quality=90, progressive=True)
    coarse = dc_only(data, data.index(b"\xff\xda"))
    assert coarse is not None
    kept, victim = put("kept", coarse), put("victim", data)
    drafts = [looking.seen(*each) for each in (kept, victim)]
    assert np.array_equal(*drafts)
    assert again.refuted((0, Claim(kept, victim))) == "it has finer detail than the kept one"


@pytest.mark.parametrize(
    "put_there",
    [
        os.unlink,
        lambda path: (os.unlink(path), os.mkdir(path)),
        lambda path: (os.rename(path, path + b"2"), os.symlink(path + b"2", path)),
        lambda path: (os.unlink(path), os.mkfifo(path)),
    ],
    ids=["gone", "folder", "link", "pipe"],
)
@pytest.mark.parametrize("which", ["kept", "victim"])
def test_r1_what_is_no_file_any_more_is_refused(put, put_there, which):
    ends = {"kept": put("kept", KEPT), "victim": put("victim", KEPT, quality=60)}
    put_there(ends[which][0])
    assert "could not be read" in again.refuted((0, Claim(**ends)))


def test_r2_two_names_of_one_file_are_no_copy_of_it(put, tmp_path):
    path, digest = put("kept", KEPT)
    os.link(path, path + b"2")
    expected = "it is the kept one, under another name"
    assert again.refuted((0, Claim((path, digest), (path + b"2", digest)))) == expected
    assert again.refuted((0, Claim((path, digest), (path, digest)))) == expected


def test_r1_a_file_that_is_seen_again_is_read_again_when_its_stamp_is_another(put, monkeypatch):
    read = []
    opened = whole.opened
    monkeypatch.setattr(whole, "opened", lambda *some: read.append(some[0]) or opened(*some))
    kept = put("kept", KEPT)
    victims = [put(f"victim {number}", KEPT, quality=60 + number) for number in range(3)]
    assert [again.refuted((0, Claim(kept, victim))) for victim in victims] == ["", "", ""]
    assert read.count(kept[0]) == 1
    changed(kept[0], saved(photo(2), quality=93))
    expected = "the kept one changed since it was indexed"
    assert again.refuted((0, Claim(kept, victims[0]))) == expected


def test_r1_a_file_that_another_replaces_while_it_is_decoded_is_refused(put, monkeypatch):
    kept, victim = put("kept", KEPT), put("victim", KEPT, quality=60)
    opened = whole.opened

    def replaced_meanwhile(path, digest, decoder):
        found = opened(path, digest, decoder)
        put("new", KEPT, quality=60)
        os.replace(os.path.join(os.path.dirname(path), b"new"), path)
        return found

    monkeypatch.setattr(whole, "opened", replaced_meanwhile)
    found = whole.whole(*victim)
    assert isinstance(found, Failure)
    assert found.detail == "it changes while it is read"
    assert again.refuted((0, Claim(kept, victim))) == "the kept one changes while it is read"


def test_r1_a_file_that_another_replaces_before_it_is_opened_is_refused(put, monkeypatch):
    kept, victim = put("kept", KEPT), put("victim", KEPT, quality=60)
    opened = whole.opened

    def replaced_before(path, digest, decoder):
        put("new", KEPT)
        os.replace(os.path.join(os.path.dirname(path), b"new"), path)
        return opened(path, digest, decoder)

    monkeypatch.setattr(whole, "opened", replaced_before)
    assert again.refuted((0, Claim(kept, victim))) == "the kept one changes while it is read"


# -- many --------------------------------------------------------------------------------------


class Counted:
    """Progress, as far as it is counted."""

    def __init__(self) -> None:
        self.total: int | None = None
        self.done = 0

    def start(self, phase: object, total: int | None = None) -> None:
        self.total = total

    def advance(self, count: int = 1) -> None:
        self.done += count

    def note(self, message: str) -> None:
        raise AssertionError(message)


def answers(claims: Sequence[Claim], progress: Counted | None = None) -> dict[int, str]:
    found = list(confirmed(claims, 2, progress or Counted()))
    assert len(found) == len(claims), "every claim comes back, and none twice"
    return dict(found)


def test_r33_a_picture_that_takes_its_process_down_costs_its_own_claim_only(put, monkeypatch):
    monkeypatch.setattr(again, "refuted", deadly.refuted)
    kept = put("kept", KEPT)
    names = ["1.jpg", os.fsdecode(deadly.NAME), "3\n\udcff.jpg", "4.jpg"]
    victims = [put(name, KEPT, quality=70) for name in names]
    victims[3] = put("4.jpg", photo(2))
    counted = Counted()
    found = answers([Claim(kept, victim) for victim in victims], counted)
    assert found == {
        0: "",
        1: "could not be read: crashed the decoder",
        2: "",
        3: "it is another picture",
    }
    assert (counted.total, counted.done) == (4, 4)


def test_r1_no_claims_start_nothing():
    assert answers([]) == {}
