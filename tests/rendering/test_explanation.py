"""Why two pictures match or not, as text and as JSON."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from catalog.escaping import UNSAFE
from catalog.model import (
    Alignment,
    Comparison,
    Explanation,
    HashKind,
    Kind,
    Picture,
    Rule,
    Setting,
    Standing,
)
from catalog.rendering import explained, structured
from catalog.rendering.explanation import options, write_explanation
from catalog.rendering.look import Look
from catalog.search.hamming import radius_of_similarity

DEFAULT = Setting(HashKind.PHASH, 4, False)
VERIFIED = Setting(HashKind.PHASH, 4, False, Kind.SAME)
LOOKS_ALIKE = replace(VERIFIED, grade=Kind.SIMILAR)
EXACT = Setting(HashKind.PHASH, None, False, Kind.IDENTICAL)
ALIGNED = Alignment(
    score=0.98765,
    in_first=True,
    edges=(0.031, 1.0, 0.0, 0.875),
    orientation=6,
    gain=0.98765,
    contrast=45.678,
    residual=1.2345,
    found=True,
)
COMPARED = Comparison(
    textured=200,
    residual=0.12345,
    differing=0.0312,
    moved=0.054,
    recoloured=0.0,
    clusters=3,
    margin=True,
    painted=0.98765,
    on_first=False,
    noise=1.2345,
)


def a_picture(path: bytes = b"/photos/a.jpg", **fields: Any) -> Picture:
    """A JPEG of 2 MB as the catalog has it; another path is another file with other bytes."""
    plain: dict[str, Any] = {
        "digest": path.ljust(32)[:32],
        "size": 2_000_000,
        "mtime_ns": 1_625_400_000_123_456_789,
        "format": "JPEG",
        "width": 4032,
        "height": 3024,
        "taken_at": None,
        "camera": None,
        "phash": 0,
        "dhash": 0,
        "ahash": 0,
        "signature": bytes(1024),
        "flat": False,
        "frames": 1,
        "recipe": "reduced-1",
        "file": (1, sum(path)),
    }
    return Picture(path, **(plain | fields))


def an_answer(decided_by: Rule = Rule.BEYOND_RADIUS, **fields: Any) -> Explanation:
    plain: dict[str, Any] = {
        "first": a_picture(taken_at="2021-07-04T12:31:05.12+02:00"),
        "second": a_picture(b"/photos/b.jpg"),
        "first_standing": Standing.IN_CATALOG,
        "second_standing": Standing.IN_CATALOG,
        "same_file": False,
        "distances": {
            HashKind.PHASH: 12,
            HashKind.DHASH: 5,
            HashKind.AHASH: 1,
            HashKind.WHASH: 0,
        },
        "asked": DEFAULT,
        "would_change": (),
    }
    return Explanation(decided_by=decided_by, **(plain | fields))


def shown(answer: Explanation, *, remarks: bool = True, look: Look | None = None) -> str:
    out = io.StringIO()
    write_explanation(answer, out, look, remarks=remarks)
    return out.getvalue()


# -- text --------------------------------------------------------------------------------------


def test_the_whole_of_an_answer():
    answer = an_answer(
        second=a_picture(b"/phone/b.gif", format="GIF", size=999, flat=True, frames=3, file=None),
        second_standing=Standing.CHANGED,
        would_change=(replace(DEFAULT, radius=12), replace(DEFAULT, hash=HashKind.AHASH)),
    )
    assert shown(answer) == (
        "First   /photos/a.jpg\n"
        "        2.0 MB, 4032x3024, JPEG, taken 2021-07-04 12:31, in the catalog\n"
        "Second  /phone/b.gif\n"
        "        999 B, 4032x3024, GIF, changed 2021-07-04 12:00, 3 frames, flat, "
        "changed since the last index, read now\n"
        "\n"
        "Bytes   different\n"
        "pHash   12 bits    81.2 %\n"
        "dHash   5 bits     92.1 %\n"
        "aHash   1 bit      98.4 %\n"
        "wHash   0 bits    100.0 %\n"
        "\n"
        "No match: pHash differs in 12 bits; the radius is 4.\n"
        "  with --radius 12 they would match\n"
        "  with --hash ahash they would match\n"
        "The second: changed: dupes goes by what it was at the last 'imgcat index'.\n"
        "Pictures with nothing in common differ in 32 bits on average, some in far fewer.\n"
    )


def test_where_the_second_lies_in_the_first_and_what_a_closer_look_found_is_told():
    turned = {HashKind.PHASH: (12, 30, 31, 32, 33, 2, 35, 36)}
    answer = an_answer(
        Rule.STAMP_ON_SECOND,
        asked=VERIFIED,
        turned=turned,
        alignment=ALIGNED,
        comparison=COMPARED,
        would_change=(EXACT,),
    )
    _, _, said = shown(answer).partition("Bytes")
    assert said == (
        "   different\n"
        "pHash   12 bits    81.2 %   turned: 30 31 32 33  2 35 36\n"
        "dHash   5 bits     92.1 %\n"
        "aHash   1 bit      98.4 %\n"
        "wHash   0 bits    100.0 %\n"
        "Fits    the whole of the first without 3 % on the left, 12 % at the bottom, "
        "the second turned left\n"
        "Score   0.9877; the greys are off by 1.2 of 255, where they vary by 46\n"
        "Files   200 of 256 blocks have texture; 3.1% of all differ (3 places), 5.4% moved, "
        "0.0% have other colours\n"
        "\n"
        "Match: compared closely, the files agree but for one colour laid over a part of the "
        "second: one picture, stamped.\n"
        "  with --exact they would not match\n"
    ).replace("the whole of the first without", "the first without")


def test_two_that_no_hash_leads_to_are_told_so():
    lost = replace(ALIGNED, found=False, in_first=False, edges=(0, 1, 0, 1), orientation=1)
    said = shown(an_answer(Rule.NOTHING_ALIKE, asked=VERIFIED, alignment=lost))
    assert "\nFits    the whole of the second\n" in said
    assert "\n        no hash of a window leads from one to the other\n" in said
    assert "Files" not in said
    assert "No match: no window of one looks like the other.\n" in said


def test_remarks_can_be_left_out():
    answer = an_answer(Rule.WITHIN_RADIUS, would_change=(replace(DEFAULT, radius=None),))
    quiet, whole = shown(answer, remarks=False), shown(answer)
    assert quiet.endswith("  with --exact they would not match\n")
    assert whole.startswith(quiet)
    assert len(whole) > len(quiet)


def decided(rule: Rule, **fields: Any) -> str:
    """The line with the verdict."""
    (line,) = [
        line
        for line in shown(an_answer(rule, **fields)).splitlines()
        if line.startswith(("Match: ", "No match: "))
    ]
    return line


FLAT = a_picture(b"/flat", flat=True)


@pytest.mark.parametrize(
    ("rule", "fields", "line"),
    [
        (Rule.IDENTICAL_BYTES, {}, "Match: identical bytes."),
        (Rule.WITHIN_RADIUS, {}, "Match: pHash differs in 12 bits; the radius is 4."),
        (
            Rule.WITHIN_RADIUS,
            {"asked": Setting(HashKind.AHASH, 9, False)},
            "Match: aHash differs in 1 bit; the radius is 9.",
        ),
        (
            Rule.BEYOND_RADIUS,
            {"asked": Setting(HashKind.DHASH, 0, True)},
            "No match: dHash differs in 5 bits; the radius is 0.",
        ),
        (
            Rule.EXACT_ONLY,
            {"asked": replace(DEFAULT, radius=None)},
            "No match: the bytes differ, and --exact compares nothing else.",
        ),
        (
            Rule.FLAT,
            {"first": FLAT},
            "No match: the first is flat, flat pictures are compared by bytes only, "
            "and the bytes differ.",
        ),
        (
            Rule.FLAT,
            {"second": FLAT},
            "No match: the second is flat, flat pictures are compared by bytes only, "
            "and the bytes differ.",
        ),
        (
            Rule.FLAT,
            {"first": FLAT, "second": replace(FLAT, path=b"/x")},
            "No match: both are flat, flat pictures are compared by bytes only, "
            "and the bytes differ.",
        ),
        (
            Rule.ONE_PATH,
            {},
            "No match: both lead to one path, and a file is not compared with itself.",
        ),
        (
            *(Rule.NOTHING_ALIKE, {"asked": LOOKS_ALIKE}),
            "No match: no window of one looks like the other.",
        ),
        (
            *(Rule.LOOKS_ALIKE, {"asked": LOOKS_ALIKE}),
            "Match: they look alike, but not enough for one picture.",
        ),
        (
            *(Rule.LOOKS_ALIKE, {"asked": VERIFIED}),
            "No match: they look alike, but not enough for one picture.",
        ),
        (
            *(Rule.PIXELS_AGREE, {"asked": VERIFIED}),
            "Match: compared closely, the files agree everywhere: one picture.",
        ),
        (
            *(Rule.PARTS_DIFFER, {"asked": VERIFIED}),
            "No match: compared closely, parts of the files differ: another shot, or "
            "another thing.",
        ),
        (
            *(Rule.NOT_COMPARED, {"asked": VERIFIED, "not_compared": "no such file"}),
            "No match: only the files can tell, and one could not be read (no such file).",
        ),
    ],
)
def test_the_rule_that_decided_is_said_in_words(rule: Rule, fields: dict[str, Any], line: str):
    assert decided(rule, **fields) == line


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_has_words(rule: Rule):
    assert decided(rule, asked=LOOKS_ALIKE).endswith(".")
    assert ("Match" in decided(rule, asked=replace(DEFAULT))) == (rule.kind is not None)


@pytest.mark.parametrize(
    ("rule", "asked", "setting", "line"),
    [
        (Rule.PARTS_DIFFER, VERIFIED, LOOKS_ALIKE, "with --grade similar they would match"),
        (Rule.PARTS_DIFFER, VERIFIED, DEFAULT, "with --radius 4 they would match"),
        (
            *(Rule.FLAT, VERIFIED, replace(DEFAULT, radius=9, flat=True)),
            "with --radius 9 --no-verify they would match",
        ),
        (Rule.PIXELS_AGREE, VERIFIED, EXACT, "with --exact they would not match"),
        (Rule.EXACT_ONLY, EXACT, VERIFIED, "without --exact they would match"),
        (
            *(Rule.EXACT_ONLY, EXACT, replace(DEFAULT, radius=3)),
            "with --radius 3 instead of --exact they would match",
        ),
    ],
)
def test_what_would_change_a_verified_outcome_is_told(
    rule: Rule, asked: Setting, setting: Setting, line: str
):
    answer = an_answer(rule, asked=asked, would_change=(setting,))
    assert f"  {line}\n" in shown(answer)


@pytest.mark.parametrize(
    ("rule", "asked", "setting", "line"),
    [
        (Rule.BEYOND_RADIUS, (4, False), ("phash", 7, False), "with --radius 7 they would match"),
        (Rule.BEYOND_RADIUS, (4, False), ("dhash", 4, False), "with --hash dhash they would match"),
        (Rule.FLAT, (4, False), ("phash", 4, True), "with --no-verify they would match"),
        (
            *(Rule.FLAT, (4, False), ("phash", 9, True)),
            "with --radius 9 --no-verify they would match",
        ),
        (
            *(Rule.EXACT_ONLY, (None, False), ("phash", 3, False)),
            "with --radius 3 instead of --exact they would match",
        ),
        (
            *(Rule.EXACT_ONLY, (None, False), ("phash", 3, True)),
            "with --radius 3 --no-verify instead of --exact they would match",
        ),
        (
            *(Rule.WITHIN_RADIUS, (4, True), ("phash", 4, False)),
            "without --no-verify they would not match",
        ),
        (
            *(Rule.WITHIN_RADIUS, (4, True), ("phash", 2, True)),
            "with --radius 2 they would not match",
        ),
        (
            *(Rule.WITHIN_RADIUS, (4, True), ("phash", None, False)),
            "with --exact they would not match",
        ),
    ],
)
def test_what_would_change_the_outcome_is_told_by_its_difference_from_what_was_asked(
    rule: Rule,
    asked: tuple[int | None, bool],
    setting: tuple[str, int | None, bool],
    line: str,
):
    kind, radius, flat = setting
    other = Setting(HashKind(kind), radius, flat)
    answer = an_answer(rule, asked=Setting(HashKind.PHASH, *asked), would_change=(other,))
    assert f"  {line}\n" in shown(answer)
    assert explained.explanation(answer)["would_change"] == [
        {"options": options(other), "matched": not answer.matched, "explanation": line}
    ]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (DEFAULT, ["--hash", "phash", "--radius", "4"]),
        (Setting(HashKind.WHASH, 0, True), ["--hash", "whash", "--radius", "0", "--no-verify"]),
        (Setting(HashKind.PHASH, None, False), ["--exact"]),
        (EXACT, ["--exact"]),
        (VERIFIED, ["--grade", "same"]),
        (LOOKS_ALIKE, ["--grade", "similar"]),
    ],
)
def test_options_are_those_that_dupes_takes(setting: Setting, words: list[str]):
    assert options(setting) == words


def test_a_percentage_is_the_similarity_that_just_lets_the_two_match():
    for distance in range(65):
        distances = dict.fromkeys(HashKind, distance)
        (line,) = [
            line
            for line in shown(an_answer(distances=distances)).splitlines()
            if line.startswith("wHash")
        ]
        percent = float(line.removesuffix(" %").split()[-1])
        assert radius_of_similarity(percent) == distance


@pytest.mark.parametrize(
    ("standing", "note"),
    [
        (Standing.GONE, "not on disk now: dupes shows it until the next 'imgcat index'."),
        (Standing.CHANGED, "changed: dupes goes by what it was at the last 'imgcat index'."),
        (Standing.MISSING, "missing at the last index; 'imgcat index' looks again."),
        (Standing.OFFLINE, "in a folder that is offline; 'imgcat dupes' names the folder."),
        (Standing.PROBLEM, "not readable at the last index; 'imgcat index' looks again."),
        (
            Standing.NOT_IN_CATALOG,
            "not in the catalog; 'imgcat index' adds what is below a folder.",
        ),
        (Standing.NO_CATALOG, "no catalog yet; 'imgcat index' begins one."),
    ],
)
def test_what_dupes_leaves_out_or_knows_otherwise_is_said_once(standing: Standing, note: str):
    left_out = not standing.shown and standing is not Standing.CHANGED
    known = an_answer(Rule.IDENTICAL_BYTES)
    for fields, who in (
        ({"first_standing": standing}, "the first"),
        ({"second_standing": standing}, "the second"),
        ({"first_standing": standing, "second_standing": standing}, "both"),
    ):
        words = note.replace(" it ", " them " if who == "both" else " it ", 1)
        begin = f"dupes leaves {who} out: " if left_out else f"{who.capitalize()}: "
        assert explained.explanation(replace(known, **fields))["notes"] == [begin + words]
    assert explained.explanation(known)["notes"] == []


def test_two_that_dupes_leaves_out_for_two_reasons_are_both_told():
    answer = an_answer(first_standing=Standing.OFFLINE, second_standing=Standing.NOT_IN_CATALOG)
    first, second = explained.explanation(answer)["notes"][:2]
    assert first.startswith("dupes leaves the first out: in a folder")
    assert second.startswith("dupes leaves the second out: not in the catalog")


def test_hashes_of_different_recipes_are_told_where_they_were_compared():
    other = a_picture(b"/b", recipe="full-1")
    (note, _unrelated) = explained.explanation(an_answer(second=other))["notes"]
    assert "(reduced-1, full-1)" in note
    copy = replace(other, digest=a_picture().digest)
    assert explained.explanation(an_answer(Rule.IDENTICAL_BYTES, second=copy))["notes"] == []


def test_hard_links_are_told_and_one_path_is_another_thing():
    copy = replace(a_picture(b"/link"), digest=a_picture().digest)
    answer = an_answer(Rule.IDENTICAL_BYTES, second=copy, same_file=True)
    assert "Bytes   identical\nFile    the same\n" in shown(answer)
    assert "hard links" in shown(answer)
    one_path = replace(answer, decided_by=Rule.ONE_PATH)
    assert "File    the same, of one path\n" in shown(one_path)
    assert "hard links" not in shown(one_path)
    assert "File" not in shown(replace(answer, same_file=False))


def test_a_match_by_hash_is_no_proof_and_its_group_is_a_star():
    match = an_answer(Rule.WITHIN_RADIUS)
    assert "Nothing verified" in shown(match)
    assert "different groups" in shown(match)
    away = replace(match, second_standing=Standing.NOT_IN_CATALOG)
    assert "Nothing verified" in shown(away)
    assert "different groups" not in shown(away), "it stands in no group at all"
    for rule in set(Rule) - {Rule.WITHIN_RADIUS}:
        assert "Nothing verified" not in shown(an_answer(rule))
        assert "different groups" not in shown(an_answer(rule))


def test_on_a_terminal_the_hash_that_was_compared_stands_out():
    said = shown(an_answer(asked=Setting(HashKind.DHASH, 4, False)), look=Look(colour=True))
    assert "\x1b[1mdHash" in said
    assert said.count("\x1b[1m") == 3, "two headings and one hash"
    assert "\x1b[31mNo match\x1b[0m" in said
    assert "\x1b[32mMatch\x1b[0m" in shown(an_answer(Rule.WITHIN_RADIUS), look=Look(colour=True))
    assert "\x1b" not in shown(an_answer())


# -- names that want to do harm ----------------------------------------------------------------


def hostile_answer(name: bytes) -> Explanation:
    words = name.decode("utf-8", "surrogateescape")
    hostile = a_picture(name, taken_at=words, camera=words, format=words, recipe=words)
    return an_answer(
        Rule.WITHIN_RADIUS,
        first=hostile,
        second=replace(hostile, path=b"/x", digest=b"x", recipe="full-1"),
    )


def test_text_holds_no_control_characters_and_no_added_lines(hostile_names):
    calm = shown(hostile_answer(b"calm")).count("\n")
    assert "(calm, full-1)" in shown(hostile_answer(b"calm")), "all that could do harm is shown"
    for name in hostile_names:
        said = shown(hostile_answer(name))
        assert not UNSAFE.search(said.replace("\n", "")), ascii(said)
        assert len(said.splitlines()) == said.count("\n") == calm


def test_json_gives_every_path_back_exactly(hostile_names):
    for name in hostile_names:
        out = io.StringIO()
        structured.write_json(explained.explanation(hostile_answer(name)), out)
        said = out.getvalue()
        said.encode("utf-8")
        assert not UNSAFE.search(said.removesuffix("\n"))
        first = json.loads(said)["first"]
        exact = base64.b64decode(first["path_b64"]) if "path_b64" in first else first["path"]
        assert (exact if isinstance(exact, bytes) else exact.encode()) == name


# -- JSON --------------------------------------------------------------------------------------


def test_json_has_the_fields_of_the_interface():
    answer = an_answer(
        second=a_picture(b"/b", camera="A 1", file=None),
        second_standing=Standing.NOT_IN_CATALOG,
        would_change=(replace(DEFAULT, radius=12),),
    )
    whole = explained.explanation(answer)
    assert list(whole) == [
        *("format", "first", "second", "identical", "same_file", "distances", "matched", "kind"),
        *("hash", "radius", "no_verify", "decided_by", "explanation", "would_change", "notes"),
        *("grade", "turned", "alignment", "comparison", "not_compared", "kept_both"),
    ]
    assert whole["second"] == {
        "path": "/b",
        "size": 2_000_000,
        "width": 4032,
        "height": 3024,
        "mtime": "2021-07-04T12:00:00.123456Z",
        "mtime_ns": 1_625_400_000_123_456_789,
        "taken_at": None,
        "format": "JPEG",
        "camera": "A 1",
        "flat": False,
        "frames": 1,
        "recipe": "reduced-1",
        "standing": "not-in-catalog",
        "read": True,
    }
    assert whole["first"]["path"] == "/photos/a.jpg"
    assert (whole["first"]["standing"], whole["first"]["read"]) == ("in-catalog", False)
    assert whole["distances"] == {"phash": 12, "dhash": 5, "ahash": 1, "whash": 0}
    assert (whole["format"], whole["identical"], whole["same_file"]) == (1, False, False)
    assert (whole["matched"], whole["kind"]) == (False, None)
    assert (whole["hash"], whole["radius"], whole["no_verify"]) == ("phash", 4, False)
    assert whole["decided_by"] == "beyond-radius"
    assert whole["explanation"] == "pHash differs in 12 bits; the radius is 4"
    assert whole["grade"] == "hash"
    assert (whole["turned"], whole["not_compared"]) == ({}, "")
    assert (whole["alignment"], whole["comparison"]) == (None, None)


def test_json_has_all_that_was_found_out_about_two():
    turned = {HashKind.PHASH: (12, 30, 31, 32, 33, 2, 35, 36)}
    answer = an_answer(
        Rule.PARTS_DIFFER, asked=VERIFIED, turned=turned, alignment=ALIGNED, comparison=COMPARED
    )
    whole = explained.explanation(answer)
    assert whole["grade"] == "same"
    assert whole["turned"] == {"phash": [12, 30, 31, 32, 33, 2, 35, 36]}
    assert whole["alignment"] == {
        "score": 0.9877,
        "window_of": "first",
        "left": 0.031,
        "right": 1.0,
        "top": 0.0,
        "bottom": 0.875,
        "orientation": 6,
        "gain": 0.988,
        "contrast": 45.68,
        "residual": 1.23,
        "found_by_hash": True,
    }
    assert whole["comparison"] == {
        "textured": 200,
        "residual": 0.1235,
        "differing": 0.0312,
        "moved": 0.054,
        "recoloured": 0.0,
        "clusters": 3,
        "at_the_edge": True,
        "painted": 0.9877,
        "painted_on": "second",
        "noise": 1.23,
    }
    away = an_answer(Rule.NOT_COMPARED, asked=VERIFIED, not_compared="no such file")
    assert explained.explanation(away)["not_compared"] == "no such file"


@pytest.mark.parametrize(
    ("rule", "matched", "kind"),
    [
        ("one-path", False, None),
        ("identical-bytes", True, "identical"),
        ("exact-only", False, None),
        ("flat", False, None),
        ("within-radius", True, "hash"),
        ("beyond-radius", False, None),
        ("nothing-alike", False, None),
        ("looks-alike", True, "similar"),
        ("several-frames", True, "similar"),
        ("raw-and-picture", True, "similar"),
        ("taken-apart", True, "similar"),
        ("signatures-agree", True, "same"),
        ("pixels-agree", True, "same"),
        ("stamp-on-first", True, "same"),
        ("stamp-on-second", True, "same"),
        ("all-but-a-stamp", True, "same"),
        ("parts-differ", True, "similar"),
        ("colours-differ", True, "similar"),
        ("too-little-detail", True, "similar"),
        ("not-compared", True, "similar"),
    ],
)
def test_the_words_for_programs_are_stable(rule: str, matched: bool, kind: str | None):
    asked = Setting(HashKind.AHASH, None if rule == "exact-only" else 7, rule == "within-radius")
    whole = explained.explanation(an_answer(Rule(rule), asked=asked))
    assert (whole["decided_by"], whole["matched"], whole["kind"]) == (rule, matched, kind)
    assert (whole["hash"], whole["radius"], whole["no_verify"]) == (
        "ahash",
        asked.radius,
        asked.flat,
    )
    assert {standing.value for standing in Standing} == {
        *("in-catalog", "gone", "changed", "missing", "offline", "problem", "not-in-catalog"),
        "no-catalog",
    }


def test_identical_bytes_are_said_to_be_so():
    copy = replace(a_picture(b"/copy"), digest=a_picture().digest)
    whole = explained.explanation(an_answer(Rule.IDENTICAL_BYTES, second=copy, same_file=True))
    assert (whole["identical"], whole["same_file"]) == (True, True)
