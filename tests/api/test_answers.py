"""The methods of Catalog answer as the commands do."""

from __future__ import annotations

import io
import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from catalog import (
    Catalog,
    CatalogAbsent,
    CatalogDamaged,
    Duplicates,
    HashKind,
    Kind,
    Photo,
    Recipe,
    Rule,
    UsageError,
)
from catalog.queries.criteria import (
    DUPLICATES_RADIUS,
    LOOKS_ALIKE,
    ONE_PICTURE,
    SIMILAR_RADIUS,
    Criteria,
    criteria_of,
)
from catalog.rendering import explained, look, states, structured
from tests.api.conftest import ODD_NAME
from tests.support import FakeMounts, Library, picture, sql_rows

Command = Callable[..., str]


def as_json(write: Callable[..., None], answer: object) -> str:
    out = io.StringIO()
    write(answer, look.for_programs(out))
    return out.getvalue()


QUESTIONS: list[tuple[list[str], dict[str, Any]]] = [
    ([], {}),
    (["--grade", "same"], {"grade": "same"}),
    (["--grade", "similar"], {"grade": Kind.SIMILAR}),
    (["--exact"], {"exact": True}),
    (["--radius", "20"], {"radius": 20}),
    (["--similarity", "70", "--hash", "dhash"], {"similarity": 70, "hash": "dhash"}),
    (["--hash", "ahash", "--no-verify"], {"hash": HashKind.AHASH, "no_verify": True}),
    (["--hash", "whash", "--radius", "0"], {"hash": "whash", "radius": 0}),
]


@pytest.mark.parametrize(("words", "options"), QUESTIONS, ids=str)
def test_duplicates_answers_as_the_command_with_the_same_options(
    catalog: Catalog, filled: Library, command: Command, words: list[str], options: dict[str, Any]
) -> None:
    catalog.duplicates(**options)  # what is found out is told once, and remembered
    for pairs in (False, True):
        for paths in ([], [filled.path("0"), filled.path("copy of 0.bmp")]):
            answer = catalog.duplicates(*paths, **options, pairs=pairs)
            said = command("dupes", *paths, *words, "--json", *(["--pairs"] if pairs else []))
            assert as_json(structured.write_duplicates, answer) == said
    assert catalog.duplicates(**options).groups, "there is something to compare"


CHOICES: list[tuple[list[str], dict[str, Any]]] = [
    (["--against", "1"], {"against": "1"}),
    (["--against", "1", "--against", "copy of 0.bmp"], {"against": ["1", "copy of 0.bmp"]}),
    (["--across"], {"across": True}),
    (["--min-size", "4kB"], {"min_size": "4kB"}),
    (["--min-size", "9GB"], {"min_size": 9_000_000_000}),
    (["--since", "1h"], {"since": "1h"}),
    (["--since", "2100-01-01"], {"since": datetime(2100, 1, 1)}),
    (["--exact", "--against", "1"], {"exact": True, "against": "1"}),
]


@pytest.mark.parametrize(("words", "options"), CHOICES, ids=str)
def test_duplicates_chooses_among_photos_as_the_command_does(
    catalog: Catalog, filled: Library, command: Command, words: list[str], options: dict[str, Any]
) -> None:
    if "against" in options:
        given = options["against"]
        paths = [filled.path(path) for path in ([given] if isinstance(given, str) else given)]
        options = {**options, "against": paths[0] if isinstance(given, str) else iter(paths)}
        words = [os.fsdecode(filled.path(w)) if not w.startswith("--") else w for w in words]
    catalog.duplicates(exact="exact" in options)
    answer = catalog.duplicates(filled.top, **options)
    assert as_json(structured.write_duplicates, answer) == command(
        "dupes", filled.top, *words, "--json"
    )


def groups_of(filled: Library, answer: Duplicates) -> list[tuple[bytes, set[bytes]]]:
    """The name of the kept photo of each group, and those of the others."""

    def name(photo: Photo) -> bytes:
        return os.path.relpath(photo.path, os.fsencode(filled.top))

    return [(name(g.keep), {name(match.photo) for match in g.matches}) for g in answer.groups]


def test_what_one_has_already_is_kept_and_everything_else_is_compared_with_it(
    catalog: Catalog, filled: Library
) -> None:
    folder = filled.path("1")
    assert groups_of(filled, catalog.duplicates(against=folder)) == [
        (b"1/another copy of 0.bmp", {b"0/0.bmp", b"copy of 0.bmp"}),
        (b"1/1.bmp", {ODD_NAME}),
    ]
    several = catalog.duplicates(filled.path("0"), against=(folder, filled.path("copy of 0.bmp")))
    ((kept, others),) = groups_of(filled, several)
    assert (kept in (b"1/another copy of 0.bmp", b"copy of 0.bmp"), others) == (True, {b"0/0.bmp"})


def test_only_photos_of_different_folders_are_compared_where_that_is_asked_for(
    filled: Library,
) -> None:
    with Catalog(filled.catalog) as catalog:
        catalog.index(filled.path("0"), filled.path("1"), filled.put("2/again.bmp", 1)[:-10])
        assert len(catalog.duplicates().groups) == 2
        assert {
            frozenset([kept, *others])
            for kept, others in groups_of(filled, catalog.duplicates(across=True))
        } == {
            frozenset([b"0/0.bmp", b"1/another copy of 0.bmp"]),
            frozenset([b"1/1.bmp", b"2/again.bmp"]),
        }
        filled.put("2/and again.bmp", 7)
        filled.put("2/once more.bmp", 7)
        catalog.index()
        assert len(catalog.duplicates().groups) == 3
        assert len(catalog.duplicates(across=True).groups) == 2, "two of one folder are no group"


def test_rules_and_protected_folders_say_which_is_kept(
    catalog: Catalog, filled: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept(**options: object) -> tuple[bytes, str]:
        group = next(g for g in catalog.duplicates(**options).groups if len(g.matches) == 2)  # type: ignore[arg-type]
        return os.path.relpath(group.keep.path, os.fsencode(filled.top)), group.keep_reason

    folder = filled.path("1")
    assert kept(keep="path") == (b"0/0.bmp", "shorter path")
    expected = (b"1/another copy of 0.bmp", f"in {os.fsdecode(folder)}")
    assert kept(keep=f"folder:{os.fsdecode(folder)}") == expected
    for protect in (folder, os.fsdecode(folder), [filled.path("0"), folder]):
        assert kept(keep="newest", protect=protect)[1] in ("protected", "newer")
    assert kept(protect=folder) == (b"1/another copy of 0.bmp", "protected")
    gone = filled.path("none")
    for wrong in ({"keep": ""}, {"keep": "size"}, {"protect": gone}, {"protect": ""}):
        with pytest.raises(UsageError):
            kept(**wrong)
    config = tmp_path / "config.toml"
    config.write_text("this is no config file")
    monkeypatch.setenv("IMGCAT_CONFIG", str(config))
    assert kept(keep="path") == (b"0/0.bmp", "shorter path"), "a program says all itself"


def test_small_files_and_groups_without_anything_new_are_left_out(
    catalog: Catalog, filled: Library
) -> None:
    size = os.path.getsize(filled.path("0/0.bmp"))
    assert len(catalog.duplicates(min_size=size).groups) == 2
    assert len(catalog.duplicates(min_size=size + 1).groups) == 0
    now = datetime.now(tz=UTC)
    assert len(catalog.duplicates(since=now - timedelta(hours=1)).groups) == 2
    assert len(catalog.duplicates(since=now + timedelta(hours=1)).groups) == 0
    assert len(list(catalog.duplicates(since="1h", pairs=True).pairs or ())) == 4
    assert len(list(catalog.duplicates(since="2100-01-01", pairs=True).pairs or ())) == 0


def test_a_grade_says_what_counts(catalog: Catalog, filled: Library) -> None:
    """A JPEG of noise has other colours than what it was made of: they look alike."""
    one, other = filled.path("0/0.bmp"), filled.path("0 as.jpg")
    assert {group.kind for group in catalog.duplicates(grade="same").groups} == {Kind.IDENTICAL}
    similar = catalog.duplicates(grade="similar").groups
    assert {(group.kind, 1 + len(group.matches)) for group in similar} == {
        (Kind.SIMILAR, 4),
        (Kind.IDENTICAL, 2),
    }
    assert {match.kind for match in catalog.similar(one, grade="same").matches} == {Kind.IDENTICAL}
    (*same, last) = catalog.similar(one).matches
    assert {match.kind for match in same} == {Kind.IDENTICAL}
    assert (last.photo.path, last.kind, last.rule) == (other, Kind.SIMILAR, Rule.COLOURS_DIFFER)
    assert not catalog.explain(one, other).matched
    assert not catalog.explain(one, other, grade="same").matched
    assert catalog.explain(one, other, grade="similar").matched


@pytest.mark.parametrize(
    ("words", "options"), [q for q in QUESTIONS if "exact" not in q[1]], ids=str
)
def test_similar_answers_as_the_command_with_the_same_options(
    catalog: Catalog, filled: Library, command: Command, words: list[str], options: dict[str, Any]
) -> None:
    image = filled.path("0/0.bmp")
    for paths in ([], [filled.path("1")]):
        answer = catalog.similar(image, *paths, **options)
        said = command("similar", image, *paths, *words, "--json")
        assert as_json(structured.write_json, structured.likeness(answer)) == said
        assert answer.matches
    assert len(catalog.similar(image, limit=1).matches) == 1
    everything = catalog.similar(image, radius=64, no_verify=True, limit=None)
    assert len(everything.matches) == sum(1 for _ in catalog) - 1


def test_similar_looks_further_than_duplicates_unless_it_is_told_how_far(
    catalog: Catalog, filled: Library
) -> None:
    image = Image.open(io.BytesIO(picture(0)))
    image.save(os.fsdecode(filled.path("../poor.jpg")), quality=10)
    poor = filled.path("../poor.jpg")
    distances = {match.distance for match in catalog.similar(poor, hash="phash").matches}
    assert distances
    assert all(DUPLICATES_RADIUS < distance <= SIMILAR_RADIUS for distance in distances)
    assert not catalog.similar(poor, radius=DUPLICATES_RADIUS).matches


@pytest.mark.parametrize(("words", "options"), QUESTIONS, ids=str)
def test_explain_answers_as_the_command_with_the_same_options(
    catalog: Catalog, filled: Library, command: Command, words: list[str], options: dict[str, Any]
) -> None:
    for other in ("0 as.jpg", "0/2.bmp", "copy of 0.bmp"):
        names = (filled.path("0/0.bmp"), filled.path(other))
        answer = catalog.explain(*names, **options)
        said = command("explain", *names, *words, "--json")
        assert as_json(structured.write_json, explained.explanation(answer)) == said


def test_status_and_problems_answer_as_the_commands(
    catalog: Catalog, filled: Library, command: Command
) -> None:
    said = as_json(structured.write_json, states.status(catalog.status()))
    assert said == command("status", "--json")
    for paths in ([], [filled.path("0")]):
        said = as_json(structured.write_json, states.problems(catalog.problems(*paths)))
        assert said == command("problems", *paths, "--json")
    assert [problem.path for problem in catalog.problems()] == [filled.path("broken.jpg")]
    assert catalog.problems(filled.path("0")) == []


def test_verify_reads_the_part_that_is_asked_for_and_finds_bytes_that_changed_unseen(
    catalog: Catalog, filled: Library
) -> None:
    before = os.stat(filled.path("0/4.bmp"))
    assert catalog.verify(jobs=1).checked == sum(1 for _ in catalog)
    assert catalog.verify(sample=0.5, jobs=1).checked == sum(1 for _ in catalog) // 2
    for row in sql_rows(filled.catalog, "SELECT id, digest FROM content"):
        wrong = bytes([row[1][0] ^ 1]) + row[1][1:]
        _change(filled.catalog, "UPDATE content SET digest = ? WHERE id = ?", (wrong, row[0]))
    answer = catalog.verify(filled.path("0"), jobs=1)
    assert not answer.sound
    assert {drift.path for drift in answer.drifted} == {
        filled.path(f"0/{n}.bmp") for n in (0, 2, 4)
    }
    assert os.stat(filled.path("0/4.bmp")).st_mtime_ns == before.st_mtime_ns


def _change(catalog: bytes, sql: str, parameters: tuple[object, ...]) -> None:
    connection = sqlite3.connect(os.fsdecode(catalog))
    with connection:
        connection.execute(sql, parameters)
    connection.close()


# -- index -------------------------------------------------------------------------------------


def test_filters_and_recipe_are_remembered_until_they_are_taken_back(
    catalog: Catalog, filled: Library
) -> None:
    filled.put(".hidden.bmp", 20)
    everything = {photo.path for photo in catalog}
    catalog.index(filled.top, include="*.JPG", hidden=True, full_decode=True)
    assert {photo.path for photo in catalog} == {filled.path("0 as.jpg")}
    (root,) = catalog.status().roots
    assert (root.include, root.exclude, root.hidden) == (("*.JPG",), (), True)
    assert catalog.status().recipe is Recipe.FULL
    catalog.index()
    assert {photo.path for photo in catalog} == {filled.path("0 as.jpg")}
    catalog.index(filled.top, include=[], exclude=iter(["0", "1"]), hidden=False)
    assert {photo.path for photo in catalog} == {
        p for p in everything if p.count(b"/") == _depth(filled)
    }
    catalog.index(filled.top, exclude="", full_decode=False)
    assert {photo.path for photo in catalog} == everything
    (root,) = catalog.status().roots
    assert (root.include, root.exclude, root.hidden) == ((), (), False)
    assert catalog.status().recipe is Recipe.REDUCED


def _depth(filled: Library) -> int:
    return os.fsencode(filled.top).count(b"/") + 1


def test_index_without_a_path_goes_over_every_folder_indexed_before(
    catalog: Catalog, filled: Library
) -> None:
    filled.put("1/new.bmp", 30)
    summary = catalog.index()
    assert (summary.roots, summary.added) == ((os.fsencode(filled.top),), 1)
    assert summary.complete


def test_a_damaged_catalog_is_an_error_to_ask_and_index_builds_it_anew(filled: Library) -> None:
    with Catalog(filled.catalog) as catalog:
        catalog.index(filled.top)
        count = len(list(catalog))
    data = Path(os.fsdecode(filled.catalog))
    data.write_bytes(data.read_bytes()[:100] + bytes(len(data.read_bytes()) - 100))
    with Catalog(filled.catalog) as catalog:
        with pytest.raises(CatalogDamaged, match="imgcat index"):
            catalog.status()
        summary = catalog.index(filled.top)
        assert "set aside" in summary.notes[0]
        assert len(list(catalog)) == count


# -- photos ------------------------------------------------------------------------------------


def stored(library: Library) -> list[bytes]:
    """Every photo that is there, in the order in which they come: by folder, then by name."""
    found = [path for path, outcome in library.known().items() if isinstance(outcome, bytes)]
    return [library.path(path) for path in sorted(found, key=os.path.split)]


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
def test_iteration_gives_every_photo_once_by_folder_and_name_however_long_a_page_is(
    catalog: Catalog, filled: Library, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr("catalog.store.listing._AT_ONCE", page)
    paths = [photo.path for photo in catalog]
    assert paths == stored(filled)
    assert filled.path(ODD_NAME) in paths
    assert len(paths) == 10
    assert paths == [photo.path for photo in catalog.photos()]
    for photo in catalog:
        assert photo.stamp.size == os.path.getsize(photo.path)
        assert (photo.width, photo.height) == (48, 32)


def test_photos_can_be_asked_for_by_folder_and_by_file(catalog: Catalog, filled: Library) -> None:
    def names(*paths: str | bytes | Path) -> list[bytes]:
        asked = catalog.photos(*(filled.path(os.fsencode(path)) for path in paths))
        return [os.path.relpath(photo.path, os.fsencode(filled.top)) for photo in asked]

    assert names("0") == [b"0/0.bmp", b"0/2.bmp", b"0/4.bmp"]
    assert names("copy of 0.bmp", "0", "0/2.bmp") == [
        b"copy of 0.bmp",
        b"0/0.bmp",
        b"0/2.bmp",
        b"0/4.bmp",
    ]
    assert names("broken.jpg") == []
    with pytest.raises(UsageError, match=r"nowhere is not in the catalog"):
        catalog.photos(filled.path("nowhere"))


def test_photos_that_are_gone_and_those_that_are_offline_are_left_out(
    library: Library, mounts: FakeMounts
) -> None:
    mounts.names[library.path("drive")] = "a drive"
    for name in ("drive/1.bmp", "here/2.bmp", "here/3.bmp"):
        library.put(name, int(name[-5]))
    with Catalog(library.catalog) as catalog:
        catalog.index(library.top)
        assert len(list(catalog)) == 3
        os.unlink(library.path("here/2.bmp"))
        catalog.index(library.top)
        assert [photo.path for photo in catalog] == [
            library.path("drive/1.bmp"),
            library.path("here/3.bmp"),
        ]
        shutil.rmtree(library.path("drive"))
        assert [photo.path for photo in catalog] == [library.path("here/3.bmp")]


def test_photos_follow_a_folder_that_is_renamed_while_somebody_iterates(
    catalog: Catalog, filled: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.store.listing._AT_ONCE", 1)
    photos, seen = catalog.photos(), list[bytes]()
    while filled.path("1/1.bmp") not in seen:
        seen.append(next(photos).path)
    os.rename(filled.path("1"), filled.path("9"))
    catalog.index()
    assert [photo.path for photo in photos] == [
        filled.path("9/3.bmp"),
        filled.path("9/5.bmp"),
        filled.path("9/another copy of 0.bmp"),
    ]


# -- what may be given -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [os.fsdecode, os.fsencode, lambda p: Path(os.fsdecode(p))], ids=["str", "bytes", "Path"]
)
def test_paths_are_str_bytes_or_path(
    filled: Library, kind: Callable[[bytes], str | bytes | Path]
) -> None:
    with Catalog(kind(filled.catalog)) as catalog:
        assert catalog.index(kind(os.fsencode(filled.top))).added == 10
        image = kind(filled.path(ODD_NAME))
        (match, *_) = catalog.similar(image, kind(filled.path("1"))).matches
        assert isinstance(match.photo, Photo)
        assert match.photo.path == filled.path("1/1.bmp")
        assert catalog.explain(image, kind(filled.path("1/1.bmp"))).identical
        assert catalog.duplicates(kind(filled.path("1"))).groups[:] == []
        assert len(list(catalog.photos(kind(filled.path("1"))))) == 4


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda c: c.index(""), "empty"),
        (lambda c: c.photos(b""), "empty"),
        (lambda c: c.problems("a\0b"), "one of the paths"),
        (lambda c: c.index("not there"), "no folder not there"),
        (lambda c: c.index(jobs=0), "jobs"),
        (lambda c: c.verify(jobs=-1), "jobs"),
        (lambda c: c.verify(sample=0), "sample"),
        (lambda c: c.verify(sample=1.5), "sample"),
        (lambda c: c.verify(sample=float("nan")), "sample"),
        (lambda c: c.similar("not there"), "no file not there"),
        (lambda c: c.similar("x", limit=0), "limit"),
        (lambda c: c.duplicates(hash="md5"), "phash, dhash, ahash, whash"),
        (lambda c: c.duplicates(radius=65), "0 to 64, not 65"),
        (lambda c: c.duplicates(radius=-1), "0 to 64, not -1"),
        (lambda c: c.duplicates(similarity=0.9), "below 1 %"),
        (lambda c: c.duplicates(similarity=101), "0 to 100"),
        (lambda c: c.duplicates(similarity=90, radius=6), "choose one"),
        (lambda c: c.duplicates(exact=True, radius=0), "bytes"),
        (lambda c: c.duplicates(exact=True, similarity=90), "bytes"),
        (lambda c: c.duplicates(exact=True, hash="phash"), "bytes"),
        (lambda c: c.explain("x", "y", exact=True, no_verify=True), "bytes"),
        (lambda c: c.duplicates(exact=True, grade="same"), "bytes"),
        (lambda c: c.duplicates(grade="identical"), "same, similar"),
        (lambda c: c.duplicates(grade="same", radius=3), "choose one"),
        (lambda c: c.similar("x", grade="hash"), "same, similar"),
        (lambda c: c.explain("x", "y", grade="same", no_verify=True), "choose one"),
        (lambda c: c.duplicates(against="nowhere"), "not in the catalog"),
        (lambda c: c.duplicates(against=[c.status().roots[0].path, ""]), "empty"),
        (lambda c: c.duplicates(against=c.status().roots[0].path, across=True), "choose one"),
        (lambda c: c.duplicates(across=True, radius=3), "do not go with hash"),
        (lambda c: c.duplicates(min_size="big"), "a size is a number"),
        (lambda c: c.duplicates(min_size=-1), "a size is a number"),
        (lambda c: c.duplicates(min_size="1kB", no_verify=True), "do not go with hash"),
        (lambda c: c.duplicates(since="yesterday"), "a date such as"),
        (lambda c: c.duplicates("nowhere"), "not in the catalog"),
    ],
)
def test_a_request_that_makes_no_sense_is_a_usage_error_that_says_why(
    catalog: Catalog, ask: Callable[[Catalog], object], message: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        ask(catalog)


@pytest.mark.parametrize(
    ("options", "criteria"),
    [
        ({}, ONE_PICTURE),
        ({"default_radius": 7}, ONE_PICTURE),
        ({"default_grade": Kind.SIMILAR}, LOOKS_ALIKE),
        ({"grade": "same", "default_grade": Kind.SIMILAR}, ONE_PICTURE),
        ({"grade": "similar"}, LOOKS_ALIKE),
        ({"kind": "phash"}, Criteria(HashKind.PHASH, DUPLICATES_RADIUS, flat=False)),
        ({"kind": "dhash", "default_radius": 7}, Criteria(HashKind.DHASH, 7, flat=False)),
        ({"no_verify": True}, Criteria(HashKind.PHASH, DUPLICATES_RADIUS, flat=True)),
        ({"kind": "dhash", "radius": 0}, Criteria(HashKind.DHASH, 0, flat=False)),
        ({"kind": HashKind.WHASH, "similarity": 90}, Criteria(HashKind.WHASH, 6, flat=False)),
        ({"radius": 64, "no_verify": True}, Criteria(HashKind.PHASH, 64, flat=True)),
        ({"exact": True}, Criteria(radius=None, grade=Kind.IDENTICAL)),
    ],
    ids=str,
)
def test_options_come_to_criteria(options: dict[str, Any], criteria: Criteria) -> None:
    assert criteria_of(**options) == criteria


def test_an_answer_before_the_first_index_is_an_error_but_two_files_can_be_explained(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.bmp").write_bytes(picture(1))
    (tmp_path / "b.bmp").write_bytes(picture(1))
    with Catalog(tmp_path / "catalog.db") as catalog:
        for ask in (catalog.status, catalog.photos, catalog.duplicates, catalog.problems):
            with pytest.raises(CatalogAbsent, match=r"imgcat index"):
                ask()
        assert catalog.explain(tmp_path / "a.bmp", tmp_path / "b.bmp").matched
        with pytest.raises(UsageError):
            catalog.index()
    assert not (tmp_path / "catalog.db").exists()
