"""JSON: the field names are an interface, the paths are exact, the text is valid."""

from __future__ import annotations

import base64
import io
import json
import tracemalloc
from dataclasses import replace

from catalog.model import (
    Duplicates,
    Group,
    Kind,
    Likeness,
    Match,
    Pair,
    Rule,
    Side,
    Stages,
)
from catalog.rendering import structured


def streamed(answer: Duplicates) -> str:
    out = io.StringIO()
    structured.write_duplicates(answer, out)
    return out.getvalue()


def exact(item) -> bytes:
    """The path an item of JSON stands for."""
    if isinstance(item, str):
        return item.encode()
    return base64.b64decode(item["path_b64"]) if "path_b64" in item else item["path"].encode()


def test_a_group_says_what_the_interface_promises(two_groups):
    whole = json.loads(streamed(two_groups))

    assert list(whole) == [
        *("format", "fresh", "last_scan", "offline", "search"),
        *("groups", "photos", "reclaimable"),
    ]
    assert (whole["format"], whole["fresh"]) == (1, False)
    assert (whole["photos"], whole["reclaimable"]) == (6, 2_000_000 + 2_000_000 + 999)
    first, second = whole["groups"]
    assert (first["kind"], first["reclaimable"], first["keep_reason"]) == (
        "identical",
        2_000_000,
        "shorter path",
    )
    assert (second["kind"], second["score"]) == ("hash", 0.9531)
    assert second["photos"][1] == {
        "path": "/photos/copy of a.jpg",
        "kind": "same",
        "size": 2_000_000,
        "width": 4032,
        "height": 3024,
        "mtime": "2021-07-04T12:00:00.123456Z",
        "mtime_ns": 1_625_400_000_123_456_789,
        "taken_at": "2021-07-04T12:31:05.12+02:00",
        "format": "JPEG",
        "camera": None,
        "flat": False,
        "frames": 1,
        "came_back": False,
        "distance": 1,
        "score": 0.9877,
        "orientation": 1,
        "same_file": False,
        "rule": None,
        "lost": {},
        "more": {},
        "keep": False,
    }


def test_a_verified_match_says_what_decided_and_what_is_not_on_both(photo):
    match = Match(
        photo(b"/b"),
        *(Kind.SAME, 9, 0.98765, 6),
        rule=Rule.PIXELS_AGREE,
        lost=(Side("left", 0.0312),),
        more=(Side("top", 0.125), Side("bottom", 0.02)),
    )
    whole = json.loads(streamed(Duplicates((Group(photo(b"/a"), "older", (match,)),))))
    kept, other = whole["groups"][0]["photos"]
    assert (kept["rule"], kept["lost"], kept["more"]) == (None, {}, {})
    assert (other["kind"], other["score"], other["orientation"]) == ("same", 0.9877, 6)
    assert other["rule"] == "pixels-agree"
    assert (other["lost"], other["more"]) == ({"left": 0.031}, {"top": 0.125, "bottom": 0.02})


def test_what_was_left_after_each_step_is_told_where_something_was_verified(two_groups):
    assert json.loads(streamed(two_groups))["search"] is None
    stages = Stages(7, 10, 60, 50, 40, 30, 20, 15, 5, searching=1.23456, settling=0.5)
    assert json.loads(streamed(replace(two_groups, stages=stages)))["search"] == {
        "searched": 7,
        "contents": 10,
        "by_hash": 60,
        "by_frequencies": 50,
        "aligned": 40,
        "alike": 30,
        "undecided": 20,
        "compared": 15,
        "not_compared": 5,
        "searching": 1.235,
        "settling": 0.5,
    }


def test_the_kept_photo_comes_first_as_a_match_of_itself(two_groups):
    for group in json.loads(streamed(two_groups))["groups"]:
        kept, *others = group["photos"]
        assert kept["keep"] is True
        assert (kept["kind"], kept["distance"], kept["score"]) == ("identical", 0, 1.0)
        assert not any(other["keep"] for other in others)


def test_hard_links_and_flat_pictures_are_marked(two_groups):
    first, second = json.loads(streamed(two_groups))["groups"]
    assert [photo["same_file"] for photo in first["photos"]] == [False, True, False]
    assert [photo["flat"] for photo in second["photos"]] == [False, False, True]


def test_the_stream_says_the_same_as_the_object(two_groups, photo):
    pair = Pair(photo(b"/a"), photo(b"/b\xff", flat=True), 3)
    for answer in (
        two_groups,
        Duplicates(()),
        Duplicates((), pairs=[]),
        replace(two_groups, pairs=[pair, pair], fresh=True),
        replace(two_groups, stages=Stages(searched=3)),
    ):
        assert json.loads(streamed(answer)) == structured.duplicates(answer)
        assert streamed(answer).endswith("}\n")


def test_pairs_are_strings_where_strings_can_carry_the_path(photo):
    pairs = [
        Pair(photo(b"/a"), photo(b"/b\xff"), 3),
        Pair(photo(b"/blank", flat=True), photo(b"/a"), 0),
        Pair(photo(b"/blank", flat=True), photo(b"/c"), 1),
        Pair(photo(b"/a"), photo(b"/c"), 9, Kind.SAME, 0.98765),
    ]
    whole = json.loads(streamed(Duplicates((), pairs=iter(pairs))))
    assert whole["pairs"] == [
        ["/a", {"path": "/b\\xff", "path_b64": "L2L/"}, 3, "hash", None],
        ["/blank", "/a", 0, "hash", None],
        ["/blank", "/c", 1, "hash", None],
        ["/a", "/c", 9, "same", 0.9877],
    ]
    assert whole["flat"] == ["/blank"]


def test_a_long_stream_of_pairs_is_written_in_little_memory(photo):
    class Nowhere(io.TextIOBase):
        def write(self, text: str) -> int:
            return len(text)

    one, other = photo(b"/a", flat=True), photo(b"/b")
    answer = Duplicates((), pairs=(Pair(one, other, 1) for _ in range(20_000)))
    tracemalloc.start()
    structured.write_duplicates(answer, Nowhere())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500_000


def test_paths_survive_json_exactly(hostile_names, photo):
    kept, *others = (photo(b"/p/" + name, inode=n) for n, name in enumerate(hostile_names))
    matches = tuple(Match(other, Kind.IDENTICAL, 0, 1.0) for other in others)
    pairs = [Pair(kept, other, 0) for other in others]
    text = streamed(Duplicates((Group(kept, "older", matches),), pairs))

    whole = json.loads(text.encode("utf-8"))
    expected = [b"/p/" + name for name in hostile_names]
    assert [exact(item) for item in whole["groups"][0]["photos"]] == expected
    assert [exact(pair[1]) for pair in whole["pairs"]] == expected[1:]
    shown = text.replace("\n", "")
    assert all(ord(character) >= 0x20 for character in shown)
    assert not any(unsafe in shown for unsafe in "\x7f\x85\x9b\u202e\u2028\u200b\ufeff")


def test_words_with_lone_surrogates_are_still_valid_utf_8():
    text = structured.encoded({"note": "a \ud800 b \udcff", "tail": "\x7f\U000e0041"})
    assert json.loads(text.encode("utf-8")) == {
        "note": "a \ufffd b \ufffd",
        "tail": "\x7f\U000e0041",
    }
    assert text.isprintable()


def test_ordinary_text_is_not_escaped():
    assert structured.encoded("été 日本語 😀") == '"été 日本語 😀"'


def test_likeness(photo):
    match = Match(photo(b"/b"), Kind.HASH, 4, 0.9375)
    whole = structured.likeness(Likeness(b"/q\xff", (match,), fresh=True))
    assert list(whole)[:4] == ["format", "query", "query_b64", "fresh"]
    assert (whole["format"], whole["query"], whole["fresh"]) == (1, "/q\\xff", True)
    (found,) = whole["matches"]
    assert (found["path"], found["kind"], found["distance"], found["score"]) == (
        "/b",
        "hash",
        4,
        0.9375,
    )
    assert "keep" not in found


def test_write_json_is_one_line():
    out = io.StringIO()
    structured.write_json({"format": 1, "text": "a\nb"}, out)
    assert out.getvalue() == '{"format": 1, "text": "a\\nb"}\n'


def test_an_answer_says_how_far_it_sees(two_groups):
    seen = replace(two_groups, last_scan_ns=10**18, offline=((b"/usb", "it is not there"),))
    whole = json.loads(streamed(seen))
    assert whole["last_scan"] == "2001-09-09T01:46:40.000000Z"
    assert whole["offline"] == [{"path": "/usb", "why": "it is not there"}]
