"""Every benchmark in small: that it did its work, and says what it did. Never how fast."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import (
    catalogs,
    fiction,
    join,
    joining,
    measuring,
    product,
    removal,
    similar,
    values,
    watch,
)
from benchmarks.measuring import BenchError
from PIL import Image

from catalog.model import Deed, Receipt, Refusal
from catalog.queries.standing import status
from catalog.store.database import open_for_reading
from tests.search.oracle import brute_force as pairs_within

SCRIPTS = Path(__file__).parents[2] / "scripts"


def bench(*arguments: object) -> dict[str, Any]:
    """What the benchmark prints on standard output, as an object."""
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    whole: dict[str, Any] = json.loads(done.stdout)
    assert whole["format"] == 1
    assert whole["benchmark"] == arguments[0]
    assert whole["machine"]["cores"] >= 1
    for figure in whole["figures"]:
        assert f"{figure['name']} " in done.stderr, "each figure also has a line for people"
    return whole


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def figures(whole: dict[str, Any]) -> dict[str, float]:
    return {figure["name"]: figure["value"] for figure in whole["figures"]}


# -- join ----------------------------------------------------------------------------------------


def test_join_finds_what_the_peers_find_as_far_as_they_are_installed() -> None:
    whole = bench("join", "--small", "--count", 3000, "--skew", "photos", "--radius", 6)
    (done,) = whole["rounds"]["joins"]
    assert (done["skew"], done["values"], done["radius"]) == ("photos", 3000, 6)
    assert done["pairs"] == by_brute_force("photos", 3000, 6)
    for peer in done["peers"]:
        every = peer["values"] == peer["queries"] == 3000
        assert peer["extrapolated"] is not every
        assert peer["matches"] == 2 * done["pairs"] or not every
        assert peer["wall"] == pytest.approx(peer["measured"], abs=1e-3) or not every
    measured = [peer["name"] for peer in done["peers"]]
    for name in ("faiss flat", "faiss multi-hash", "imagededup"):
        assert name in measured or any(f"no {name}" in note for note in whole["notes"])


def test_join_small_is_of_all_three_kinds_of_values() -> None:
    whole = bench("join", "--small", "--no-peers")
    assert len(whole["rounds"]["joins"]) == 3
    for done, skew in zip(whole["rounds"]["joins"], values.SKEWS, strict=True):
        assert done["skew"] == skew
        assert done["peers"] == []
        assert len(done["imgcat"]["wall"]) == len(done["distinct"]["wall"]) == 1
        assert done["pairs"] == by_brute_force(skew, done["values"], done["radius"])


def by_brute_force(skew: str, count: int, radius: int) -> int:
    return sum(len(block) for block in pairs_within(values.make(skew, count), radius))


@pytest.mark.parametrize("wrong", ["matches", "sum"])
def test_a_peer_that_finds_other_pairs_is_an_error(tmp_path: Path, wrong: str) -> None:
    made = values.photos_like(2000)
    path = str(tmp_path / "values.npy")
    np.save(path, made)
    found = {"matches": 0, "sum": 0}
    for block in pairs_within(made, 6):
        for query, match in ((block.first, block.second), (block.second, block.first)):
            among = query < 500
            found["matches"] += int(among.sum())
            found["sum"] += joining.summed(query[among], match[among], block.distance[among])
    found["sum"] %= 2**64

    def peer() -> join._Peer:
        return join._Peer("peer", 1.0, 1.0, True, 1.0, 2000, 500, found["matches"], found["sum"])

    case = join.Case("photos", 2000, 6)
    join._check(case, [peer()], path, jobs=1)
    found[wrong] += 1
    with pytest.raises(BenchError, match="peer finds"):
        join._check(case, [peer()], path, jobs=1)


def test_a_sum_over_pairs_knows_no_order_but_which_is_the_query() -> None:
    one, other = np.array([1, 5, 9]), np.array([2, 7, 3])
    distance = np.array([0, 3, 6], dtype=np.uint8)
    whole = joining.summed(one, other, distance)
    assert joining.summed(one[::-1], other[::-1], distance[::-1]) == whole
    parts = joining.summed(one[:1], other[:1], distance[:1])
    parts += joining.summed(one[1:], other[1:], distance[1:])
    assert parts % 2**64 == whole
    assert joining.summed(other, one, distance) != whole
    assert joining.summed(one, other, distance[::-1]) != whole


@pytest.mark.parametrize(
    ("taken", "power", "expected"),
    [
        (1.0, 1, 1000),  # all of it would take 10 seconds
        (1.0, 2, 500),  # 100 seconds, so a part
        (10.0, 1, 250),  # 100 seconds, so a part
        (20.0, 1, 100),  # a part would hardly be more than this
        (30.0, 1, 100),  # it was too much already, and it was done
    ],
)
def test_a_peer_gets_all_that_is_quick_and_else_a_part(
    taken: float, power: int, expected: int
) -> None:
    limits = {"whole": 60.0, "part": 25.0}
    assert joining._next(limits, taken, 100, 1000, power) == expected


# -- make-catalog --------------------------------------------------------------------------------


def test_make_catalog_fills_a_catalog_that_can_be_asked(tmp_path: Path) -> None:
    whole = bench("make-catalog", 1000, "--work", tmp_path)
    assert whole["inputs"]["contents"] == 1000
    assert whole["inputs"]["files"] == 1050
    assert whole["inputs"]["made"] is True
    assert 1000 < figures(whole)["catalog a content"] < 2000
    stored = fiction.stored("photos", 1000)
    with open_for_reading(os.fsencode(whole["inputs"]["catalog"])) as database:
        answer = status(database)
        assert (answer.photos, answer.contents, answer.problems) == (1050, 1000, 0)
        assert [root.online for root in answer.roots] == [True]
        assert database.fault() is None
    command = [product.IMGCAT, "--catalog", whole["inputs"]["catalog"], "dupes", "--json"]
    with product.fresh_home(str(tmp_path)) as environment:
        done = measuring.run([*command, "--radius", "0", "--no-verify"], environment=environment)
    groups = json.loads(done.output)["groups"]
    _, counts = np.unique(stored.phash, return_counts=True)
    held_once = (counts == 1).sum()
    alone = 1050 - sum(len(group["photos"]) for group in groups)
    assert held_once - 50 <= alone <= held_once, "only equal hashes, and equal bytes, are grouped"


def test_make_catalog_uses_a_catalog_again(tmp_path: Path) -> None:
    first = bench("make-catalog", 100, "--work", tmp_path)["inputs"]
    written = os.stat(first["catalog"])
    second = bench("make-catalog", 100, "--work", tmp_path)["inputs"]
    assert second == {**first, "made": False}
    assert os.stat(first["catalog"]).st_mtime_ns == written.st_mtime_ns


def test_make_catalog_makes_another_for_another_skew(tmp_path: Path) -> None:
    one = catalogs.made_in(str(tmp_path), 100, "photos")
    other = catalogs.made_in(str(tmp_path), 100, "uniform")
    assert one.path != other.path


def test_make_catalog_does_not_touch_a_file_that_is_there(tmp_path: Path) -> None:
    taken = tmp_path / "mine.db"
    taken.write_text("precious")
    done = run("make-catalog", 10, "--out", taken)
    assert done.returncode == 1
    assert f"{taken} is there already" in done.stderr
    assert taken.read_text() == "precious"
    assert bench("make-catalog", 10, "--out", tmp_path / "new.db")["inputs"]["contents"] == 10


def test_make_catalog_wants_a_place_that_stays() -> None:
    done = run("make-catalog", 10)
    assert done.returncode == 1
    assert "--out FILE, or --work DIR" in done.stderr


def test_photos_that_came_later_are_there_while_it_lasts_and_gone_afterwards(
    tmp_path: Path,
) -> None:
    made = catalogs.made_in(str(tmp_path), 300, "photos")
    hashes = values.uniform(7)
    with fiction.later(made.path, hashes) as paths:
        assert len(paths) == 7
        assert rows(made.path) == (315 + 7, 300 + 7)
    assert rows(made.path) == (315, 300)
    with pytest.raises(RuntimeError), fiction.later(made.path, hashes):
        raise RuntimeError
    assert rows(made.path) == (315, 300)


def rows(path: str) -> tuple[int, int]:
    with open_for_reading(os.fsencode(path)) as database:
        answer = status(database)
        return answer.photos, answer.contents


# -- similar and memory --------------------------------------------------------------------------


def test_similar_asks_catalogs_and_counts_beyond_the_imports(tmp_path: Path) -> None:
    whole = bench(
        *("similar", "--small", "--contents", 400, "--work", tmp_path, "--photos", tmp_path)
    )
    assert whole["inputs"]["contents"] == [400]
    rounds = whole["rounds"]["400"]
    assert {name: len(costs) for name, costs in rounds.items()} == {
        "imgcat similar": 1,
        "imports": 1,
        "first": 1,
        "after more": 1,
    }
    expected = rounds["imgcat similar"][0]["wall"] - rounds["imports"][0]["wall"]
    assert figures(whole)["400: wall beyond imports"] == pytest.approx(expected, abs=1e-3)
    assert any("no camera photo" in note for note in whole["notes"])
    assert os.listdir(tmp_path) == [os.path.basename(os.path.dirname(made_path(tmp_path)))]


def made_path(work: Path) -> str:
    return catalogs.made_in(str(work), 400, "photos").path


@pytest.mark.parametrize(
    ("found", "expected"),
    [([], [3]), ([4], [3, 4]), ([3, 5], [3, 4]), ([3, 3], [3, 4])],
)
def test_an_answer_that_is_not_that_of_brute_force_is_an_error(
    found: list[int], expected: list[int]
) -> None:
    matches = [{"path": "/photos/a.jpg", "distance": distance} for distance in found]
    with pytest.raises(BenchError, match="finds distances"):
        similar._expect(matches, expected)
    copy = {"path": "/photos/copy 1 of a.jpg", "distance": 3}
    right = [{"path": "/photos/a.jpg", "distance": distance} for distance in expected]
    similar._expect([*right[:1], copy, *right[1:]], expected)


def test_memory_is_of_indexing_and_of_finding_duplicates(tmp_path: Path) -> None:
    whole = bench(*("memory", "--files", 120, "--contents", 500, "--work", tmp_path, "--jobs", 1))
    assert (whole["inputs"]["files"], whole["inputs"]["contents"]) == (120, [500])
    told = figures(whole)
    assert told["parent, 120 files"] > 10
    assert told["dupes of 500: memory"] > 10
    (remark,) = [
        figure["remark"] for figure in whole["figures"] if figure["name"] == "dupes of 500: wall"
    ]
    assert int(remark.split()[0]) > 50, "of the photos in groups"


# -- removal -------------------------------------------------------------------------------------


def test_removal_puts_everything_back_and_leaves_nothing(tmp_path: Path) -> None:
    whole = bench("removal", "--removals", 12, "--rounds", 2, "--work", tmp_path)
    assert (whole["inputs"]["removals"], whole["inputs"]["rounds"]) == (12, 2)
    assert {len(seconds) for seconds in whole["rounds"].values()} == {2}
    told = figures(whole)
    assert told["trash, wall"] > told["floor: read and rename, wall"] > 0
    assert told["trash, speed"] == pytest.approx(12 / told["trash, wall"], rel=1e-3)
    assert any("too few files" in note for note in whole["notes"])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (Receipt(Deed.TRASH, 1, done=2), "2 of 3 photos"),
        (Receipt(Deed.TRASH, 1, done=3, refused=(Refusal(b"a", "it is gone"),)), "it is gone"),
        (Receipt(Deed.TRASH, 1, done=3, stopped="no room"), "no room"),
    ],
    ids=["fewer", "refused", "stopped"],
)
def test_what_was_not_all_done_is_not_measured(done: Receipt, words: str) -> None:
    with pytest.raises(BenchError, match=words):
        removal._expect("trash", done, 3)


# -- quality -------------------------------------------------------------------------------------


def test_quality_edits_pictures_and_counts_what_is_found(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for number in range(8):
        save_a_picture(photos / "kodak" / f"{number}.png", number)
    save_a_picture(photos / "other" / "of 0.jpg", 0)
    sets = {"groups": [["kodak/0.png", "other/of 0.jpg"]], "same_scene_not_duplicate": []}
    sets["hard_groups"] = [["kodak/0.png", "kodak/1.png"]]  # they are not, and it must show
    (photos / "groups.json").write_text(json.dumps(sets))
    small = ("--small", "--no-peers", "--half", "both", "--count", 2, "--jobs", 1)
    whole = bench("quality", *small, "--photos", photos, "--work", tmp_path / "work")
    assert (whole["inputs"]["edited"], whole["inputs"]["others"]) == (2, 6)
    edits = whole["inputs"]["edits"]
    assert whole["inputs"]["files"] == 2 * edits + 8
    assert {"imgcat", "phash R=4", "phash R=10", "dhash R=8", "ahash R=6"} <= set(whole["rounds"])
    for name, contestant in whole["rounds"].items():
        assert len(contestant["recall"]) == edits
        assert all(share["of"] == 2 for share in contestant["recall"].values())
        assert contestant["recall"]["jpeg q50"]["found"] == 2, name
        assert contestant["false_pairs"] == 0, name
    told = figures(whole)
    assert told["jpeg q50"] == told["groups found"] == 100
    assert told["hard_groups found"] == told["distinct pictures, in one group"] == 0
    assert "hard_groups, missed: kodak/0.png and kodak/1.png" in whole["notes"]
    assert len(os.listdir(tmp_path / "work")) == 1, "only the tree stays"


@pytest.mark.soak
def test_quality_takes_other_pictures_and_does_without_labels(tmp_path: Path) -> None:
    save_a_picture(tmp_path / "mine" / "1.png", 1)
    where = ("--pictures", tmp_path / "mine", "--photos", tmp_path / "none", "--half", "both")
    whole = bench("quality", "--small", "--no-peers", "--jobs", 1, *where)
    assert whole["inputs"]["edited"] == 1
    assert any("no labelled sets" in note for note in whole["notes"])
    done = run("quality", "--small", "--no-peers", "--photos", tmp_path / "none")
    assert done.returncode == 1
    assert "with --photos, or folders of distinct pictures with --pictures" in done.stderr


def save_a_picture(path: Path, number: int) -> None:
    """A smooth one, another for every number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC).save(path)


# -- watch ---------------------------------------------------------------------------------------


def test_watch_measures_each_part_and_checks_what_the_daemon_did(tmp_path: Path) -> None:
    def measured(part: str) -> dict[str, Any]:
        quick = ("--interval", 0.1, "--cold", 1, "--cold-after", 0.1, "--settle", 0, "--window", 1)
        where = ("--photos", tmp_path, "--work", tmp_path / part)  # there are no photos
        return bench("watch", "--small", "--parts", part, *quick, *where)

    with ThreadPoolExecutor() as threads:  # they mostly wait
        parts = dict(zip(watch.PARTS, threads.map(measured, watch.PARTS), strict=True))
    for part, whole in parts.items():
        assert set(whole["rounds"]) == {part} == set(watch.PARTS) & set(whole["inputs"])
    seconds = parts["latency"]["rounds"]["latency"]
    for kind in ("new", "rewritten", "renamed", "moved", "deleted", "cold"):
        assert len(seconds[kind]) == 1
    for note in ("of noise", "not all cold"):
        assert any(note in said for said in parts["latency"]["notes"])
    storm, idle = figures(parts["storm"]), figures(parts["idle"])
    moments = ("creating", "until all are visible", "until nothing is pending")
    seconds_to = [storm[f"storm: {moment}"] for moment in moments]
    assert seconds_to == sorted(seconds_to)
    assert storm["storm: PSS, peak"] >= storm["storm: PSS, after 1 s"] > 10
    assert idle["idle: watches"] > 40, "and those of the two halves, and of the top"
    assert idle["idle: VmRSS"] > 10
    assert figures(parts["rename"])["rename: decoded"] == 0
    left = {part: os.listdir(tmp_path / part) for part in watch.PARTS}
    assert left["rename"] == [], "only trees that can be used again stay"
    assert len(left["latency"]) == len(left["storm"]) == len(left["idle"]) == 1
