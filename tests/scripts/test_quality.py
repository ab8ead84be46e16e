"""``bench quality``: what is counted as found, and what as false. Wrong counting shows here."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from benchmarks import copies, labels, scoring, trees
from benchmarks.copies import Place
from benchmarks.edits import EDITS, slug
from benchmarks.measuring import BenchError
from benchmarks.reporting import Report
from benchmarks.scoring import Share
from PIL import Image

PLACES = {
    "a": Place("A", None),
    "a grey": Place("A", "grey"),
    "a noise": Place("A", "noise"),
    "b": Place("B", None),
    "b grey": Place("B", "grey"),
    "b noise": Place("B", "noise"),
    "c": Place("C", None),  # one of the others: nothing is a copy of it
}


def picture(number: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A smooth one, another for every number."""
    coarse = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


# -- counting ------------------------------------------------------------------------------------


def test_a_copy_is_found_where_it_stands_with_its_original() -> None:
    done = scoring.score([["a", "a grey"], ["b noise", "b", "b grey"]], PLACES)
    assert done.recall == {"grey": Share(2, 2), "noise": Share(1, 2)}
    assert (done.false, done.false_untouched) == (0, 0)


def test_copies_that_stand_together_without_their_original_are_not_found() -> None:
    done = scoring.score([["a grey", "a noise"]], PLACES)
    assert done.recall == {"grey": Share(0, 2), "noise": Share(0, 2)}
    assert done.false == 0, "though they are of one picture"


def test_a_copy_that_stands_with_the_original_of_another_picture_is_not_found_but_false() -> None:
    done = scoring.score([["a grey", "b"]], PLACES)
    assert done.recall["grey"] == Share(0, 2)
    assert (done.false, done.false_untouched) == (1, 0)


def test_pairs_are_groups_of_two_and_need_not_be_linked_through_others() -> None:
    done = scoring.score([["a", "a grey"], ["a grey", "a noise"]], PLACES)
    assert done.recall == {"grey": Share(1, 2), "noise": Share(0, 2)}


def test_every_pair_of_a_group_that_shows_different_pictures_is_false() -> None:
    done = scoring.score([["a", "a grey", "b", "b grey", "c"]], PLACES)
    assert done.false == 2 * 2 + 2 * 1 + 2 * 1
    assert done.false_untouched == 3
    named = list(scoring.false_pairs([PLACES.keys() - {"a noise", "b noise"}], picture_of))
    assert len(named) == len(set(named)) == done.false
    assert all(picture_of(one) != picture_of(other) for one, other in named)


def test_an_empty_answer_finds_nothing_of_everything() -> None:
    done = scoring.score([], PLACES)
    assert done.recall == {"grey": Share(0, 2), "noise": Share(0, 2)}
    assert done.recall["grey"].percent == 0
    assert Share(0, 0).percent is None


def test_a_file_that_is_not_of_the_tree_is_not_passed_over() -> None:
    with pytest.raises(KeyError):
        scoring.score([["a", "elsewhere"]], PLACES)


def test_all_pairs_of_different_pictures_are_those_but_of_one_picture() -> None:
    assert scoring.pairs_of_different(PLACES.values()) == 7 * 6 // 2 - 3 - 3


def test_files_of_which_nothing_is_known_are_in_no_false_pair() -> None:
    groups = [["b", "unknown", "a"], ["c"]]
    assert list(scoring.false_pairs(groups, picture_of)) == [("a", "b")]


def test_a_labelled_pair_is_found_where_both_stand_in_one_group() -> None:
    pairs = scoring.pairs_within([["p", "q", "r"], ["q", "p"]])
    assert pairs == [("p", "q"), ("p", "r"), ("q", "r")], "once each"
    found, missed = scoring.together(pairs, [["q", "p", "z"], ["r"]])
    assert found == [("p", "q")]
    assert missed == [("p", "r"), ("q", "r")]


def picture_of(path: str) -> str | None:
    return PLACES[path].picture if path in PLACES else None


# -- labelled sets -------------------------------------------------------------------------------


def test_labels_are_judged_by_pairs_and_what_is_wrong_is_named() -> None:
    labelled = labels.Labels(
        {
            labels.GROUPS: [["g1", "g2", "g3"]],
            labels.HARD: [["h1", "h2"]],
            labels.SCENE: [["s1", "s2", "s3"]],
        },
        frozenset(["s1", "s2", "d"]),
    )
    report = Report("quality", {})
    labels.judge(labelled, [["g1", "g2"], ["s1", "s2", "g3"], ["d", "h1"], ["h2"]], report)
    values = {figure.name: figure.value for figure in report.figures}
    assert values["groups found"] == pytest.approx(100 / 3)
    assert values["hard_groups found"] == 0
    assert values["same scene, in one group"] == 1
    assert values["distinct pictures, in one group"] == 1
    assert not any(figure.met for figure in report.figures)
    assert report.notes == [
        "groups, missed: g1 and g3",
        "groups, missed: g2 and g3",
        "hard_groups, missed: h1 and h2",
        "same scene, in one group: s1 and s2",
        "distinct pictures, in one group: s1 and s2",
    ]


def test_what_is_named_has_an_end() -> None:
    assert labels.named("missed", [("p", "q")] * 5, 3)[-1] == "missed: 2 more"
    assert len(labels.named("missed", [("p", "q")] * 3, 3)) == 3


# -- pictures and copies -------------------------------------------------------------------------


def test_the_halves_are_of_file_names_and_have_no_picture_in_common(tmp_path: Path) -> None:
    names = [f"IMG_{number:04}.jpg" for number in range(200)]
    halves = [copies.half_of(f"/one/{name}") for name in names]
    assert halves == [copies.half_of(f"/other/{name}") for name in names]
    assert 70 < halves.count("first") < 130
    for name in names:
        (tmp_path / name).touch()
    folders = [str(tmp_path)]
    first, second, both = (copies.choose(folders, half, 999, None) for half in copies.HALVES)
    assert not first.edited.keys() & second.edited.keys()
    assert first.edited.keys() | second.edited.keys() == both.edited.keys()
    assert first.others == second.edited, "the other half is there as it is"
    assert len(both.edited) == 200


def test_pictures_are_chosen_evenly_and_names_are_not_shared(tmp_path: Path) -> None:
    assert copies.evenly("abcdefgh", 4) == ["a", "c", "e", "g"]
    assert copies.evenly("abc", 9) == ["a", "b", "c"]
    for folder in ("x/photos", "y/photos"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "IMG_1.jpg").touch()
        (tmp_path / folder / "notes.txt").touch()
    chosen = copies.choose([str(tmp_path)], "both", 1, None)
    assert len(chosen.edited) == len(chosen.others) == 1
    assert not chosen.edited.keys() & chosen.others.keys()
    with pytest.raises(BenchError, match="no pictures"):
        copies.choose([str(tmp_path / "z")], "both", 1, None)


def test_the_tree_has_every_copy_and_each_file_tells_what_it_shows(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        picture(number).save(tmp_path / "pictures" / f"{number}.png")
    chosen = copies.choose([str(tmp_path / "pictures")], "both", 1, None)
    tree = copies.tree_of(str(tmp_path), chosen, 1)
    files = [os.path.relpath(path, tree) for path in trees.files_below(tree)]
    places = [copies.place_of(path) for path in files]
    (edited,) = chosen.edited
    assert {place.edit for place in places if place.picture == edited} == {None, *EDITS}
    assert {place.picture for place in places if place.edit is None} == {
        edited,
        *chosen.others,
    }
    assert len(files) == 3 + len(EDITS)
    assert copies.tree_of(str(tmp_path), chosen, 1) == tree
    assert copies.choose([str(tmp_path / "pictures")], "both", 2, None) != chosen


@pytest.mark.parametrize("path", ["copies/a/unheard-of.jpg", "a.jpg", "copies/grey.jpg"])
def test_a_file_of_no_known_place_is_an_error(path: str) -> None:
    with pytest.raises(BenchError, match="no file of the tree"):
        copies.place_of(path)


# -- edits ---------------------------------------------------------------------------------------


def test_names_of_edits_are_not_shared_as_names_of_files() -> None:
    assert len({slug(name) for name in EDITS}) == len(EDITS)
    assert slug("crop 10 % left") == "crop-10-percent-left"


@pytest.mark.parametrize(
    ("edit", "size"),
    [
        ("jpeg q10", (2000, 1000)),
        ("messenger 1280 px q60", (1280, 640)),
        ("half size", (1000, 500)),
        ("thumbnail 160 px", (160, 80)),
        ("crop 2 %", (1960, 980)),
        ("crop 5 %", (1900, 950)),
        ("crop 10 %", (1800, 900)),
        ("crop 10 % left", (1800, 1000)),
        ("crop 10 % bottom", (2000, 900)),
        ("crop 10 % corner", (1800, 900)),
        ("bars 10 % above and below", (2000, 1100)),
        ("bars 10 % left and right", (2200, 1000)),
        ("bar 10 % below", (2000, 1100)),
        ("turned 1 degree", (2000, 1000)),
        ("quarter turn", (1000, 2000)),
        ("half turn", (2000, 1000)),
    ],
)
def test_a_copy_has_the_size_that_its_edit_says(edit: str, size: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(EDITS[edit].make(picture(1, (2000, 1000))))) as copy:
        assert copy.size == size


def test_the_same_picture_gives_the_same_copies_and_no_two_edits_do_the_same() -> None:
    one = [edit.make(picture(1)) for edit in EDITS.values()]
    assert one == [edit.make(picture(1)) for edit in EDITS.values()]
    assert len(set(one)) >= len(EDITS) - 1, "a small picture fits the messenger as it is"
