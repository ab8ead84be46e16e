"""Which photo of a group is kept: a total order, told in words."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.keeping import rank_key, reason
from catalog.model import Photo, Stamp

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
    assert rank_key(winner) < rank_key(PHOTO)
    assert reason(winner, [PHOTO]) == words


def test_the_time_taken_counts_as_camera_data():
    dated = stamped(replace(PHOTO, taken_at="2020-01-01T00:00:00"), mtime_ns=9999)
    assert reason(dated, [PHOTO]) == "has camera data"
    both = stamped(replace(PHOTO, camera="Canon", taken_at="2020-01-01T00:00:00"), mtime_ns=999)
    assert reason(both, [dated]) == "older"  # more of it is not better


def test_pixels_count_whichever_way_the_picture_is_turned():
    turned = replace(PHOTO, width=300, height=400, path=b"/a/much/longer/path.jpg")
    assert reason(PHOTO, [turned]) == "shorter path"


def test_bars_are_no_pixels():
    """A copy with bars is larger than the picture it was made of, and no better for it."""
    barred = stamped(replace(PHOTO, width=440, shown=0.89, path=b"/photos/a.jpg"), size=9000)
    assert barred.pixels == int(440 * 300 * 0.89) < PHOTO.pixels == 400 * 300
    assert rank_key(PHOTO) < rank_key(barred)
    assert reason(PHOTO, [barred]) == "more pixels"
    wider_bars = stamped(replace(barred, shown=0.8, path=b"/photos/b.jpg"), size=9999)
    assert reason(barred, [wider_bars]) == "more pixels"  # of the picture; the sides are equal


def test_the_reason_is_against_the_best_of_the_others():
    small = replace(PHOTO, width=10, path=b"/photos/small.jpg")
    copy = stamped(replace(PHOTO, path=b"/photos/copy.jpg"), mtime_ns=2000)
    assert reason(PHOTO, [small]) == "more pixels"
    assert reason(PHOTO, [small, copy]) == "older"
    assert reason(PHOTO, [copy, small]) == "older"


@given(st.lists(PHOTOS, min_size=3, max_size=6))
def test_the_order_is_total_and_the_same_from_every_start(photos):
    keys = [rank_key(photo) for photo in photos]
    for (a, key_a), (b, key_b) in itertools.combinations(zip(photos, keys, strict=True), 2):
        assert (key_a < key_b) + (key_b < key_a) + (key_a == key_b) == 1
        if key_a == key_b:
            assert a.path == b.path
    first = sorted(photos, key=rank_key)
    backwards = photos[::-1]
    again = sorted(backwards, key=rank_key)
    assert list(map(rank_key, first)) == list(map(rank_key, again))
    for earlier, later in itertools.combinations(first, 2):
        assert rank_key(earlier) <= rank_key(later)


@given(st.lists(PHOTOS, min_size=2, max_size=6, unique_by=lambda photo: photo.path))
def test_the_kept_photo_is_no_worse_by_the_rule_that_is_named(photos):
    kept, *others = sorted(photos, key=rank_key)
    words = reason(kept, others)
    if words == "more pixels":
        assert all(kept.width > other.width for other in others)
    if words == "first by name":
        assert kept.path < min(others, key=rank_key).path
    assert words in WINNERS
