"""Which photo of a group is kept: a total order, told in words."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import UsageError
from catalog.escaping import UNSAFE
from catalog.imaging.formats import RAW_SUFFIXES, Codec
from catalog.keeping import DEFAULT, KeepRule, KeepRules, Key, check_there, lies_below, parse
from catalog.model import FAMILIES, Photo, Stamp
from tests.orders import orders

PHOTO = Photo(
    path=b"/photos/m.jpg",
    stamp=Stamp(size=5000, mtime_ns=1000, ctime_ns=1000, inode=1),
    filesystem=1,
    content=1,
    digest=b"\0" * 32,
    format="JPEG",
    width=400,
    height=300,
    orientation=1,
    taken_at=None,
    camera=None,
    flat=False,
    frames=1,
    stamped=True,
)


def stamped(photo: Photo, **stamp: int) -> Photo:
    return replace(photo, stamp=photo.stamp._replace(**stamp))


# Each is better than PHOTO by this rule, and worse by every later one.
WINNERS = {
    "more pixels": stamped(
        replace(PHOTO, width=401, path=b"/photos/longer.jpg"), size=10, mtime_ns=9999
    ),
    "no stamp": stamped(
        replace(PHOTO, stamped=False, path=b"/photos/longer.jpg"), size=10, mtime_ns=9999
    ),
    "less compressed": stamped(
        replace(PHOTO, path=b"/photos/longer.jpg"), size=5001, mtime_ns=9999
    ),
    "has camera data": stamped(
        replace(PHOTO, camera="Canon", path=b"/photos/longer.jpg"), mtime_ns=9999
    ),
    "older": stamped(replace(PHOTO, path=b"/photos/longer.jpg"), mtime_ns=999),
    "shorter path": replace(PHOTO, path=b"/photos/z.jp"),
    "first by name": replace(PHOTO, path=b"/photos/l.jpg"),
}

PHOTOS = st.builds(
    lambda width, laid_over, size, mtime, taken, camera, path: stamped(
        replace(PHOTO, width=width, stamped=laid_over, taken_at=taken, camera=camera, path=path),
        size=size,
        mtime_ns=mtime,
    ),
    width=st.integers(1, 2),
    laid_over=st.booleans(),
    size=st.integers(1, 2),
    mtime=st.integers(1, 3),
    taken=st.sampled_from([None, "2020-01-01T00:00:00", "2021-01-01T00:00:00"]),
    camera=st.sampled_from([None, "Canon"]),
    path=st.binary(min_size=1, max_size=2),
)


@pytest.mark.parametrize("words", WINNERS)
def test_each_rule_decides_before_those_after_it(words):
    winner = WINNERS[words]
    assert DEFAULT.rank_key(winner) < DEFAULT.rank_key(PHOTO)
    assert DEFAULT.reason(winner, [PHOTO]) == words


def test_the_time_taken_counts_as_camera_data():
    dated = stamped(replace(PHOTO, taken_at="2020-01-01T00:00:00"), mtime_ns=9999)
    assert DEFAULT.reason(dated, [PHOTO]) == "has camera data"
    both = stamped(replace(PHOTO, camera="Canon", taken_at="2020-01-01T00:00:00"), mtime_ns=999)
    assert DEFAULT.reason(both, [dated]) == "older"  # more of it is not better


def test_pixels_count_whichever_way_the_picture_is_turned():
    turned = replace(PHOTO, width=300, height=400, path=b"/a/much/longer/path.jpg")
    assert DEFAULT.reason(PHOTO, [turned]) == "shorter path"


def test_bars_are_no_pixels():
    """A copy with bars is larger than the picture it was made of, and no better for it."""
    barred = stamped(replace(PHOTO, width=440, shown=0.89, path=b"/photos/a.jpg"), size=9000)
    assert barred.pixels == int(440 * 300 * 0.89) < PHOTO.pixels == 400 * 300
    assert DEFAULT.rank_key(PHOTO) < DEFAULT.rank_key(barred)
    assert DEFAULT.reason(PHOTO, [barred]) == "more pixels"
    wider_bars = stamped(replace(barred, shown=0.8, path=b"/photos/b.jpg"), size=9999)
    # Of the picture; the sides are equal.
    assert DEFAULT.reason(barred, [wider_bars]) == "more pixels"


def test_the_reason_is_against_the_best_of_the_others():
    small = replace(PHOTO, width=10, path=b"/photos/small.jpg")
    copy = stamped(replace(PHOTO, path=b"/photos/copy.jpg"), mtime_ns=2000)
    assert DEFAULT.reason(PHOTO, [small]) == "more pixels"
    assert DEFAULT.reason(PHOTO, [small, copy]) == "older"
    assert DEFAULT.reason(PHOTO, [copy, small]) == "older"


@given(st.lists(PHOTOS, min_size=3, max_size=6))
def test_the_order_is_total_and_the_same_from_every_start(photos):
    keys = [DEFAULT.rank_key(photo) for photo in photos]
    for (a, key_a), (b, key_b) in itertools.combinations(zip(photos, keys, strict=True), 2):
        assert (key_a < key_b) + (key_b < key_a) + (key_a == key_b) == 1
        if key_a == key_b:
            assert a.path == b.path
    first = sorted(photos, key=DEFAULT.rank_key)
    backwards = photos[::-1]
    again = sorted(backwards, key=DEFAULT.rank_key)
    assert list(map(DEFAULT.rank_key, first)) == list(map(DEFAULT.rank_key, again))
    for earlier, later in itertools.combinations(first, 2):
        assert DEFAULT.rank_key(earlier) <= DEFAULT.rank_key(later)


@given(st.lists(PHOTOS, min_size=2, max_size=6, unique_by=lambda photo: photo.path))
def test_the_kept_photo_is_no_worse_by_the_rule_that_is_named(photos):
    kept, *others = sorted(photos, key=DEFAULT.rank_key)
    words = DEFAULT.reason(kept, others)
    if words == "more pixels":
        assert all(kept.width > other.width for other in others)
    if words == "first by name":
        assert kept.path < min(others, key=DEFAULT.rank_key).path
    assert words in WINNERS


# -- other rules -------------------------------------------------------------------------------

# A photo that each rule prefers to PHOTO, while all rules that nobody named prefer PHOTO.
WORSE = stamped(
    replace(PHOTO, width=300, path=b"/photos/longer.jpg", camera=None), size=4000, mtime_ns=2000
)
PREFERRED = {
    "folder:/elsewhere": (replace(WORSE, path=b"/elsewhere/and/deeper.jpg"), "in /elsewhere"),
    "folder:/": (WORSE, "more pixels"),
    "bytes": (stamped(replace(WORSE, format="PNG"), size=9000), "larger file"),
    "detail": (stamped(replace(WORSE, format="HEIF"), size=4000), "less compressed"),
    "exif": (replace(WORSE, camera="Canon"), "has camera data"),
    "stamp": (replace(WORSE, stamped=False), "no stamp"),
    "format:raw>jpeg": (replace(WORSE, format="NEF"), "format raw before jpeg"),
    "format:heic": (replace(WORSE, format="HEIF"), "format heif before jpeg"),
    "oldest": (stamped(WORSE, mtime_ns=1), "older"),
    "newest": (WORSE, "newer"),
    "path": (replace(WORSE, path=b"/z.jpg"), "shorter path"),
    "path,bytes": (replace(WORSE, path=b"/photos/a.jpg"), "first by name"),
}


@pytest.mark.parametrize("text", PREFERRED)
def test_a_rule_that_is_named_counts_more_than_those_that_are_not(text):
    preferred, words = PREFERRED[text]
    rules = parse(text)
    assert DEFAULT.rank_key(PHOTO) < DEFAULT.rank_key(replace(preferred, path=b"/photos/n.jpg"))
    kept, other = sorted((PHOTO, preferred), key=rules.rank_key)
    assert rules.reason(kept, [other]) == words
    assert kept is (PHOTO if text == "folder:/" else preferred)


@pytest.mark.parametrize("text", ["oldest", "bytes", "exif", "format:raw", "newest,bytes"])
def test_what_they_leave_open_is_decided_as_ever(text):
    """By pixels, the stamp, ... in the order of those that are not named."""
    named = text.split(",")
    in_full = [str(rule) for rule in parse(text).in_full]
    default = ["resolution", "stamp", "detail", "exif", "oldest", "path"]
    assert in_full == named + [key for key in default if key not in named]
    assert str(DEFAULT) == ",".join(default)
    assert parse(None) == parse(str(DEFAULT)) == DEFAULT


def test_of_several_folders_the_first_comes_first():
    rules = parse("folder:/b,folder:/a,path")
    photos = [replace(PHOTO, path=path) for path in (b"/x.jpg", b"/a/1.jpg", b"/b/1/2.jpg")]
    assert sorted(photos, key=rules.rank_key) == photos[::-1]
    assert rules.reason(photos[2], photos[:2]) == "in /b"
    assert rules.reason(photos[1], photos[:1]) == "in /a"


def test_a_protected_folder_comes_before_every_rule():
    rules = parse("folder:/first,resolution", [b"/originals"])
    small = replace(PHOTO, width=1, path=b"/originals/small.jpg")
    large = replace(PHOTO, path=b"/first/large.jpg")
    assert rules.rank_key(small) < rules.rank_key(large)
    assert rules.reason(small, [large]) == "protected"
    assert rules.protects(small.path)
    assert not rules.protects(large.path)
    also = replace(PHOTO, path=b"/originals/also.jpg")
    assert rules.reason(also, [small]) == "more pixels"  # among them the rules decide
    assert not DEFAULT.protects(small.path)


@pytest.mark.parametrize(
    ("path", "folder", "below"),
    [
        (b"/a/b.jpg", b"/a", True),
        (b"/a/b/c.jpg", b"/a", True),
        (b"/ab/c.jpg", b"/a", False),
        (b"/a.jpg", b"/a", False),
        (b"/a", b"/a", False),
        (b"/b/a/c.jpg", b"/a", False),
        (b"/a.jpg", b"/", True),
        (b"/A/b.jpg", b"/a", False),
        (b"/a\xff/b.jpg", b"/a\xff", True),
    ],
)
def test_what_lies_below_a_folder_is_told_by_whole_names(path, folder, below):
    assert lies_below(path, folder) is below
    assert KeepRules(protected=(folder,)).protects(path) is below
    value = KeepRule(Key.FOLDER, (folder,)).value(replace(PHOTO, path=path))
    assert value is not below, "the smaller is kept"


def test_a_format_stands_for_all_its_kinds():
    for suffix in RAW_SUFFIXES:
        assert replace(PHOTO, format=suffix.decode().upper()).family == "RAW"
    assert {replace(PHOTO, format=name).family for name in Codec} == set(FAMILIES)
    assert replace(PHOTO, format="MPO").family == "JPEG"
    assert replace(PHOTO, format="DIB").family == "BMP"
    rules = parse("format:tif>JPG")
    order = ["TIFF", "JPEG", "GIF"]
    values = [rules.rules[0].value(replace(PHOTO, format=name)) for name in order]
    assert values == sorted(set(values))
    unnamed = [rules.rules[0].value(replace(PHOTO, format=name)) for name in ("PNG", "X", "NEF")]
    assert len(set(unnamed)) == 1, "all alike"


def test_the_words_show_a_folder_from_home_and_what_is_odd_in_it_escaped(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder, words in {
        bytes(tmp_path / "Photos"): "in ~/Photos",
        bytes(tmp_path): "in ~",
        bytes(tmp_path) + b"2": f"in {tmp_path}2",
        b"/odd \x1b[2J": "in /odd \\x1b[2J",
    }.items():
        rules = KeepRules((KeepRule(Key.FOLDER, (folder,)),))
        assert rules.reason(replace(PHOTO, path=folder + b"/1.jpg"), [PHOTO]) == words


# -- as text -----------------------------------------------------------------------------------


def test_a_folder_is_real_and_absolute_and_a_tilde_is_home(monkeypatch, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    real = os.path.realpath(bytes(tmp_path / "real"))
    for name in ("~/link", "link", f"{tmp_path}/link/", "./link/../real//."):
        assert parse(f"folder:{name}").rules[0].folders == (real,)
        assert parse(None, [os.fsencode(name)]).protected == (real,)
    assert parse(None, [b"link", b"real"]).protected == (real,)
    assert parse("folder:/").rules[0].folders == (b"/",)
    assert parse("folder://x").rules[0].folders == (b"/x",)


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        (r"folder:/a\,b", b"/a,b"),
        (r"folder:/a\\", b"/a\\"),
        (r"folder:/a\\\,b", b"/a\\,b"),
        (r"folder:/a\b", b"/a\\b"),
        ("folder:/a:b", b"/a:b"),
        ("folder:/a ", b"/a "),
        ("folder:/>", b"/>"),
        ("folder:/\udcff", b"/\xff"),
        ("folder:/\n", b"/\n"),
    ],
    ids=ascii,
)
def test_a_folder_may_have_any_name(text, folder):
    assert parse(text).rules == (KeepRule(Key.FOLDER, (folder,)),)
    first, second = parse(rf"{text},path").rules
    assert (first.folders, second.key) == ((folder,), Key.PATH)


def test_blanks_round_a_rule_say_nothing():
    assert parse(" bytes , format: raw > Heic ,\toldest") == parse("bytes,format:raw>heif,oldest")


NONSENSE = {
    "": "one of the rules is empty: what is kept is decided by folder:DIR, resolution,",
    " ": "one of the rules is empty",
    "bytes,,path": "one of the rules is empty",
    "bytes,": "one of the rules is empty",
    "size": "there is no rule 'size': what is kept is decided by folder:DIR, resolution, stamp, ",
    "Bytes": "there is no rule 'Bytes'",
    "protected": "there is no rule 'protected'",
    "resolution:5": "there is no rule 'resolution:5'",
    "bytes oldest": "there is no rule 'bytes oldest'",
    "folder": "there is no rule 'folder'",
    "path,folder:": "there is no rule 'folder:'",
    "format": "there is no rule 'format'",
    "format: ": "there is no rule 'format: '",
    "format:raw>doc": "there is no format 'doc': choose of jpeg, heif, png, raw,",
    "format:raw>": "there is no format ''",
    "format:raw,format:jpeg": "format stands twice among the rules",
    "bytes,oldest,bytes": "bytes stands twice among the rules",
    "format:jpg>jpeg": "the format 'jpeg' stands twice",
    "\x1b[2J": r"there is no rule '\x1b[2J'",
    "bytes\0,path": "hold a NUL",
    "folder:/\ud800": "can be no name of a folder",
}


@pytest.mark.parametrize("text", NONSENSE, ids=ascii)
def test_what_makes_no_sense_is_named_in_one_line(text):
    with pytest.raises(UsageError) as raised:
        parse(text)
    assert NONSENSE[text] in str(raised.value)
    assert str(raised.value).isprintable()


@given(st.text(max_size=12) | st.text("folder:rmat,>\\/byes \0", max_size=24))
def test_any_text_makes_rules_or_a_usage_error(text):
    rules, complaint = DEFAULT, ""
    try:
        rules = parse(text)
    except UsageError as error:
        complaint = str(error)
    assert not UNSAFE.search(complaint)
    assert parse(str(rules)) == rules


def test_a_folder_is_no_file_and_has_a_name(tmp_path: Path):
    photo = tmp_path / "photo.jpg"
    photo.touch()
    for wrong in (bytes(photo), b"", b"/a\0b"):
        with pytest.raises(UsageError, match=r"no folder|no name"):
            parse(None, [wrong])
    with pytest.raises(UsageError, match="is no folder"):
        parse(f"folder:{photo}")


def test_a_folder_that_is_not_there_is_taken_and_can_be_asked_about(tmp_path: Path):
    for rules in (
        parse(None, [bytes(tmp_path / "gone")]),
        parse(f"bytes,folder:{tmp_path}/gone"),
    ):
        with pytest.raises(UsageError, match=r"there is no folder .*/gone"):
            check_there(rules)
    check_there(parse(f"folder:{tmp_path}", [bytes(tmp_path)]))


def test_where_no_folder_may_depend_on_the_current_one_a_relative_one_is_refused():
    parse("folder:~/a", [b"/b", b"~/c"], absolute=True)
    for text, protect in (("folder:a", []), (None, [b"a"]), (None, [b"~nobody at all/a"])):
        with pytest.raises(UsageError, match="has to begin with / or ~"):
            parse(text, protect, absolute=True)


# -- whatever the rules ------------------------------------------------------------------------

FOLDERS = [b"/", b"/a", b"/ab", b"/a/b", b"/a,b", b"/a\\", b"/a\\,", b"/ a\xff\n"]
PLACES = st.builds(
    lambda folder, name: (b"" if folder == b"/" else folder) + b"/" + name,
    st.sampled_from(FOLDERS),
    st.sampled_from([b"1", b"2", b"11", b"a"]),
)
ANYWHERE = st.builds(
    lambda photo, path, form: replace(photo, path=path, format=form),
    PHOTOS,
    PLACES,
    st.sampled_from(["JPEG", "NEF", "DNG", "PNG", "MPO", "ODD"]),
)


@given(st.lists(ANYWHERE, min_size=2, max_size=6), orders(FOLDERS))
def test_any_rules_are_a_total_order(photos, rules):
    keys = [rules.rank_key(photo) for photo in photos]
    for (a, key_a), (b, key_b) in itertools.combinations(zip(photos, keys, strict=True), 2):
        assert (key_a < key_b) + (key_b < key_a) + (key_a == key_b) == 1
        if key_a == key_b:
            assert a.path == b.path
        if rules.protects(a.path) and not rules.protects(b.path):
            assert key_a < key_b
    first = sorted(photos, key=rules.rank_key)
    backwards = photos[::-1]
    again = sorted(backwards, key=rules.rank_key)
    assert list(map(rules.rank_key, first)) == list(map(rules.rank_key, again))
    assert rules.reason(first[0], first[1:])


@given(orders(FOLDERS))
def test_rules_are_what_their_text_says(rules):
    if rules.rules:
        again = parse(str(rules), rules.protected)
        assert again == rules
        assert again.in_full == rules.in_full
