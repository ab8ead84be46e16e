"""Small pictures come out of a terminal as they went in, where they should stand, and in time."""

from __future__ import annotations

import contextlib
import io
import os
import random
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from catalog.escaping import UNSAFE
from catalog.imaging.sixel import sixel
from catalog.imaging.small import Box, Form, Small, Wanted, small
from catalog.model import Duplicates, Failure, Group, Kind, Likeness, Match, Photo, Reason
from catalog.rendering import sequences, shown, text
from catalog.rendering.shown import Illustrator, Subject
from catalog.rendering.terminal import Canvas
from tests.screens import Screen, decode_sixel

RED, BLUE = (220, 20, 30), (10, 40, 200)
BOX = Box(24, 10, 10, 20)


def halves(size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image


def put(place: Path, image: Image.Image) -> tuple[bytes, bytes]:
    """The path and the digest of a file with this picture."""
    path = place / f"{random.random()}.png"
    image.save(path)
    return bytes(path), blake3(path.read_bytes()).digest()


def drawn(piece: sequences.Piece, lines: int = 40) -> Screen:
    screen = Screen(lines=lines)
    screen.feed(sequences.row([piece], 24).replace("\n", "\r\n").encode())
    assert screen.rest == b""
    return screen


def seen(screen: Screen, form: Form, column: int = 2) -> Image.Image:
    if form is Form.BLOCKS:
        return screen.blocks(0, column)
    (picture,) = [picture for picture in screen.pictures if picture.column == column]
    box = picture.image.getchannel("A").getbbox()
    return picture.image.convert("RGB").crop(box)


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean over all pixels and colours, of 255."""
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)


# -- one picture --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("all_colours", [True, False], ids=["24 bits", "256 colours"])
def test_red_is_on_the_left_and_blue_on_the_right(
    tmp_path: Path, form: Form, all_colours: bool
) -> None:
    made = small(Wanted(*put(tmp_path, halves()), form, BOX))
    assert isinstance(made, Small)
    picture = seen(drawn(sequences.picture(made, form, all_colours=all_colours)), form)
    width, height = picture.size
    exact = form is not Form.BLOCKS or all_colours
    for x in range(width):
        if abs(x - width / 2) > width / 16:  # JPEG is not sharp
            expected = RED if x < width / 2 else BLUE
            for y in range(height):
                found = picture.getpixel((x, y))
                off = max(abs(a - b) for a, b in zip(found, expected, strict=True))
                assert off < (16 if exact else 48), (x, y, found)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("size", [(640, 480), (480, 640), (3000, 100), (100, 3000), (7, 5), (1, 1)])
def test_a_picture_fills_its_box_and_keeps_its_shape(
    tmp_path: Path, form: Form, size: tuple[int, int]
) -> None:
    image = Image.effect_noise((9, 9), 90).resize(size).convert("RGB")
    path = put(tmp_path, image)
    for box in (BOX, Box(8, 3, 9, 19), Box(24, 10, 16, 34), Box(1, 1, 10, 20)):
        made = small(Wanted(*path, form, box))
        assert isinstance(made, Small)
        assert 1 <= made.columns <= box.columns
        assert 1 <= made.rows <= box.rows
        assert made.columns == box.columns or made.rows == box.rows
        across, down = box.columns * box.cell_width, box.rows * box.cell_height
        scale = min(across / size[0], down / size[1])
        assert abs(made.columns * box.cell_width - size[0] * scale) <= box.cell_width
        assert abs(made.rows * box.cell_height - size[1] * scale) <= box.cell_height


@pytest.mark.parametrize("form", Form)
def test_a_file_that_is_another_now_gives_the_reason(tmp_path: Path, form: Form) -> None:
    path, _ = put(tmp_path, halves())
    changed = small(Wanted(path, bytes(32), form, BOX))
    assert isinstance(changed, Failure)
    assert changed.reason is Reason.UNSTABLE


pixels = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
    lambda size: st.builds(
        lambda seed, colours: Image.frombytes(
            "RGB",
            size,
            bytes(value for _ in range(size[0] * size[1]) for value in seed.choice(colours)),
        ),
        st.randoms(use_true_random=False),
        st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=20),
    )
)


@given(pixels)
def test_sixels_are_decoded_to_the_pixels_they_were_made_of(image: Image.Image) -> None:
    """To the percent in which sixels count colours, and what 256 of an octree can be."""
    found = decode_sixel(b"0;1q" + sixel(image))
    assert found.size == image.size
    assert found.getchannel("A").getextrema() == (255, 255), "each pixel is drawn"
    reduced = image.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    off = ImageChops.difference(found.convert("RGB"), reduced.convert("RGB"))
    assert max(high for _, high in off.getextrema()) <= 2


@given(st.integers(1, 24), st.integers(1, 20), st.randoms(use_true_random=False))
def test_blocks_are_the_pixels_they_were_made_of(
    columns: int, halves: int, dice: random.Random
) -> None:
    data = dice.randbytes(3 * columns * halves)
    piece = sequences.picture(Small(columns, -(-halves // 2), data), Form.BLOCKS, all_colours=True)
    assert drawn(piece).blocks(0, 2).tobytes() == data


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_the_nearest_of_256_colours_is_taken(colour: tuple[int, int, int]) -> None:
    piece = sequences.picture(Small(1, 1, bytes(colour * 2)), Form.BLOCKS, all_colours=False)
    found = drawn(piece).blocks(0, 2).getpixel((0, 0))
    steps = (0, 95, 135, 175, 215, 255)
    cube = [(r, g, b) for r in steps for g in steps for b in steps]
    greys = [(8 + 10 * step,) * 3 for step in range(24)]

    def off(other: tuple[int, ...]) -> int:
        return sum((a - b) ** 2 for a, b in zip(other, colour, strict=True))

    assert off(found) == min(map(off, cube + greys))


@given(st.binary(max_size=20_000))
def test_kitty_gets_whole_chunks(data: bytes) -> None:
    said = sequences.picture(Small(3, 2, data), Form.KITTY, all_colours=True).pixels
    chunks = said.removesuffix("\x1b\\").split("\x1b\\")
    assert all(chunk.startswith("\x1b_G") and chunk.count("\x1b") == 1 for chunk in chunks if data)
    last = [("m=0" in chunk.partition(";")[0]) for chunk in chunks]
    assert last == [False] * (len(chunks) - 1) + [True] or not data


@given(st.text(max_size=60), st.sampled_from(Reason), st.integers(8, 24), st.integers(3, 10))
def test_an_excuse_stays_in_its_box(detail: str, reason: Reason, width: int, height: int) -> None:
    piece = sequences.excuse(Failure(reason, detail), width, height)
    assert piece.columns == width
    assert piece.rows == len(piece.lines) <= height
    for line in piece.lines:
        assert len(line) == width
        assert not UNSAFE.search(line)


@pytest.mark.parametrize("form", Form)
def test_r39_a_terminal_takes_text_again_wherever_a_picture_is_broken_off(
    tmp_path: Path, form: Form
) -> None:
    noise = Image.effect_noise((240, 160), 90).convert("RGB")
    made = small(Wanted(*put(tmp_path, noise), form, BOX))
    assert isinstance(made, Small)
    whole = sequences.row([sequences.picture(made, form, all_colours=True)], 24).encode()
    for cut in random.Random(1).sample(range(len(whole)), 60):
        screen = Sturdy()
        screen.feed(whole[:cut] + sequences.broken_off(form).encode() + b"imgcat: interrupted\r\n")
        assert screen.said.endswith("imgcat: interrupted\r\n"), whole[cut - 20 : cut]
        if form is Form.KITTY:
            assert not screen.more


class Sturdy:
    """Only what of it is text, and in which state it leaves a terminal: after ECMA-48."""

    def __init__(self) -> None:
        self.said = ""
        self.more = False  # whether Kitty waits for further chunks

    def feed(self, data: bytes) -> None:
        letters = data.decode("utf-8", "replace")
        state, string = "text", ""
        for letter in letters:
            if letter == "\x1b":
                state = "end of string" if "string" in state else "escape"
            elif state == "end of string":
                if letter == "\\":  # nothing else ends one in Kitty
                    self.end(string)
                state = "text" if letter == "\\" else "string"
            elif state == "escape":
                state = {"[": "control", "_": "string", "]": "string", "P": "string"}.get(
                    letter, "text"
                )
                string = letter
            elif state == "control":
                state = "text" if "@" <= letter <= "~" else state
            elif state == "string":
                string += letter
                if letter == "\x07":
                    state = "text"
            else:
                self.said += letter

    def end(self, string: str) -> None:
        if string.startswith("_G"):
            self.more = "m=1" in string.partition(";")[0]


# -- rows of them --------------------------------------------------------------------------------


class Here:
    """A pool that does it in this process, when it is asked for the result at the latest."""

    def __init__(self, jobs: int, *_: Any) -> None:
        self.jobs = jobs
        self.scheduled = 0
        self.ended = 0

    def schedule(self, function: Callable[..., Any], arguments: Any, timeout: float) -> Future[Any]:
        self.scheduled += 1
        future: Future[Any] = Future()
        future.set_result(function(*arguments))
        return future

    def end(self) -> None:
        self.ended += 1


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "Pool", Here)


@pytest.fixture
def paper() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), "utf-8", newline="\r\n")


def on_screen(paper: io.TextIOWrapper, columns: int = 120) -> Screen:
    paper.flush()
    screen = Screen(columns, lines=1000)
    screen.feed(paper.buffer.getvalue())  # type: ignore[attr-defined]
    assert screen.rest == b""
    return screen


@pytest.fixture
def real(tmp_path: Path, photo: Callable[..., Photo]) -> Callable[..., Photo]:
    """A photo that is there."""

    def made(image: Image.Image | None = None, **fields: Any) -> Photo:
        path, digest = put(tmp_path, image or halves())
        return photo(path, digest=digest, **fields)

    return made


def match(photo: Photo, kind: Kind = Kind.IDENTICAL) -> Match:
    return Match(photo, kind, 0, 1.0)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("form", Form)
def test_a_group_is_a_row_above_its_text(
    real: Callable[..., Photo], paper: io.TextIOWrapper, form: Form
) -> None:
    colours = [(200, 0, 0), (0, 180, 0), (0, 0, 220)]
    photos = [real(Image.new("RGB", (60, 40), colour)) for colour in colours]
    answer = Duplicates((Group(photos[0], "older", tuple(map(match, photos[1:]))),) * 2)
    with Illustrator(Canvas(form, 120, 40, all_colours=True), paper, 2) as pictures:
        text.write_duplicates(answer, paper, drawn=pictures.groups)
    screen = on_screen(paper)
    for number, colour in enumerate(colours):
        column = 2 + 26 * number
        if form is Form.BLOCKS:
            found = [screen.blocks(row, column) for row in (0, 14)]
        else:
            found = [each.image for each in screen.pictures if each.column == column]
            assert [each.row for each in screen.pictures if each.column == column] == [0, 14]
        assert len(found) == 2
        for image in found:
            middle = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
            assert max(abs(a - b) for a, b in zip(middle, colour, strict=True)) < 16
    assert screen.line(8).split() == ["keep", "identical", "identical"]
    assert screen.line(8).index("identical") == 28
    assert screen.line(9).startswith("Group 1: 3 photos")
    assert [screen.line(n).split()[0] for n in (10, 11, 12)] == ["keep", "identical", "identical"]
    assert screen.line(13) == ""
    assert screen.line(22).split()[0] == "keep"
    assert screen.line(23).startswith("Group 2: 3 photos")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("columns", "count"), [(120, 4), (80, 3), (60, 2), (54, 2), (30, 2)])
def test_as_many_as_fit_and_how_many_more(
    real: Callable[..., Photo], paper: io.TextIOWrapper, columns: int, count: int
) -> None:
    one = real()
    group = Group(one, "older", (match(one),) * 1205)
    with Illustrator(Canvas(Form.KITTY, columns, 40), paper, 2) as pictures:
        assert list(pictures.groups([group])) == [group]
        assert pictures._pool.scheduled == count
    screen = on_screen(paper, columns)
    assert len(screen.pictures) == count
    assert f"  and {1206 - count:,} more" in screen.text.splitlines()
    assert max(map(len, screen.text.splitlines())) <= columns


@pytest.mark.usefixtures("here")
def test_matches_are_drawn_beside_what_was_asked(
    real: Callable[..., Photo], paper: io.TextIOWrapper
) -> None:
    asked, other = real(halves()), real(halves((40, 80)))
    answer = Likeness(b"/a", tuple(match(other, Kind.SAME) for _ in range(5)))
    subject = Subject(asked.path, asked.digest, shown.ASKED)
    with Illustrator(Canvas(Form.SIXEL, 80, 40), paper, 2) as pictures:
        text.write_likeness(answer, paper, drawn=lambda matches: pictures.matches(subject, matches))
    screen = on_screen(paper, 80)
    columns = [each.column for each in screen.pictures]
    assert columns == [2, 28, 54, 2, 28, 54, 2, 28]
    shapes = [each.image.width > each.image.height for each in screen.pictures]
    assert shapes == [column == 2 for column in columns]
    words = [line.split() for line in screen.text.splitlines()]
    below = ["asked", "same", "1.000"]
    starts = [n for n, line in enumerate(words) if line[:1] == ["asked"]]
    assert [words[n] for n in starts] == [below + below[1:]] * 2 + [below]
    assert [[words[n + k][:1] for k in (1, 2)] for n in starts[:2]] == [[["same"]] * 2] * 2
    assert [words[n + 3] for n in starts[:2]] == [[]] * 2


@pytest.mark.usefixtures("here")
def test_r39_names_are_never_raw(
    tmp_path: Path, hostile_names: list[bytes], photo: Callable[..., Photo], paper: io.TextIOWrapper
) -> None:
    """Of files that are there and of files that are not."""
    data = io.BytesIO()
    halves().save(data, "PNG")
    digest = blake3(data.getvalue()).digest()
    groups = []
    for name in hostile_names:
        path = os.path.join(bytes(tmp_path), name[:200].replace(b"/", b"_"))
        with open(path, "wb") as file:
            file.write(data.getvalue())
        gone = match(photo(path + b" gone", digest=digest))
        groups.append(Group(photo(path, digest=digest), "older", (gone,)))
    with Illustrator(Canvas(Form.KITTY, 120, 40), paper, 2) as pictures:
        text.write_duplicates(Duplicates(tuple(groups)), paper, drawn=pictures.groups)
    screen = on_screen(paper)  # which knows no sequences but ours
    assert len(screen.pictures) == len(groups)
    assert not UNSAFE.search(screen.text.replace("\n", ""))
    assert screen.text.count("cannot be shown:") == len(groups)


@pytest.mark.usefixtures("here")
def test_groups_are_read_a_few_ahead_and_none_is_kept(
    real: Callable[..., Photo], tmp_path: Path
) -> None:
    one, read = real(), 0
    made = small(Wanted(one.path, one.digest, Form.KITTY, BOX))

    def groups() -> Iterator[Group]:
        nonlocal read
        for _ in range(20_000):
            read += 1
            yield Group(one, "older", (match(one),))

    with (tmp_path / "out").open("w") as stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr(shown, "small", lambda _wanted: made)
        with Illustrator(Canvas(Form.KITTY, 120, 40), stream, 2) as pictures:
            shown_groups = pictures.groups(groups())
            next(shown_groups)
            assert read <= 9
            tracemalloc.start()
            for number, _ in enumerate(shown_groups, 2):
                assert read <= number + 9
                if number == 2000:
                    break
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
            tracemalloc.stop()


class Broken(Here):
    """The n-th of its tasks fails, as it was told."""

    plan: dict[int, BaseException | str] = {}

    def schedule(self, function: Callable[..., Any], arguments: Any, timeout: float) -> Future[Any]:
        wrong = self.plan.get(self.scheduled + 1)
        if wrong == "broken":
            self.scheduled += 1
            raise RuntimeError("the pool is broken")
        future = super().schedule(function, arguments, timeout)
        if isinstance(wrong, BaseException):
            future = Future()
            future.set_exception(wrong)
        return future


@pytest.mark.parametrize(
    ("plan", "excuse"),
    [
        ({1: ChildProcessError()}, ""),
        ({1: ChildProcessError(), 2: ChildProcessError(), 3: ChildProcessError()}, "crashed"),
        ({1: TimeoutError()}, "took too long"),
        ({1: "broken"}, ""),
    ],
    ids=["died once", "dies", "hangs", "the pool is broken"],
)
def test_what_goes_wrong_in_a_process_costs_one_picture(
    monkeypatch: pytest.MonkeyPatch,
    real: Callable[..., Photo],
    paper: io.TextIOWrapper,
    plan: dict[int, BaseException | str],
    excuse: str,
) -> None:
    monkeypatch.setattr(shown, "Pool", Broken)
    monkeypatch.setattr(Broken, "plan", plan)
    one = real()
    with Illustrator(Canvas(Form.KITTY, 120, 40), paper, 2) as pictures:
        list(pictures.groups([Group(one, "older", (match(one),))]))
    screen = on_screen(paper)
    assert len(screen.pictures) == (1 if excuse else 2)
    assert ("cannot be shown" in screen.text) == bool(excuse)
    assert excuse in screen.text


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), BrokenPipeError()], ids=repr)
def test_the_processes_end_however_it_is_left(
    paper: io.TextIOWrapper, error: BaseException | None
) -> None:
    pictures = Illustrator(Canvas(Form.KITTY), paper, 2)
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError), pictures:
        if error is not None:
            raise error
    assert pictures._pool.ended == 1
