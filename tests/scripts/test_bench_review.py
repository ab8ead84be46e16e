"""The benchmark of the review page in small: that all of it was done, and is put back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks import browsing, gallery, product, review, trees
from benchmarks.measuring import BenchError
from PIL import Image

from tests.review.browsers import chromium, needs_browser
from tests.scripts.test_bench import bench, figures, run

pytestmark = pytest.mark.soak


@pytest.fixture(autouse=True)
def browser_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is installed by these tests."""
    monkeypatch.setenv("IMGCAT_BROWSER", chromium() or "/nowhere")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Real pictures, to make others of."""
    folder = tmp_path / "kodak"
    folder.mkdir()
    for number in range(4):
        noise = Image.effect_noise((16, 12), 90 + number).resize((320, 240))
        noise.save(folder / f"{number}.png")
    return tmp_path


@needs_browser
def test_the_page_is_opened_looked_at_and_decided_upon(tmp_path: Path, photos: Path) -> None:
    work = tmp_path / "work"
    sizes = ("--contents", 200, "--groups", 6)
    whole = bench("review", "--small", *sizes, "--photos", photos, "--work", work)
    assert (whole["inputs"]["groups"], whole["inputs"]["keys"]) == (6, 5)
    assert {len(values) for values in whole["rounds"].values()} == {1}
    told = figures(whole)
    both = "start to the address", "address to the groups"
    assert told["opening: both"] == pytest.approx(
        sum(told[f"opening: {part}"] for part in both), rel=1e-2
    )
    assert told["cold: such pictures"] == told["warm: such pictures"] > 1
    assert told["apply of 6"] > 0
    assert told["undo of 6"] > 0
    assert told["memory: with its processes"] > told["memory: the server"] > 10
    assert any("too few groups" in note for note in whole["notes"])
    left = sorted(name.split("-1-")[0] for name in os.listdir(work))
    assert left == ["catalog", "gallery"], "only what can be used again stays"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[browsing.Server]:
    """Of three groups."""
    tree = gallery.gallery(str(tmp_path), str(tmp_path / "none"), 3, 60)
    catalog = str(tmp_path / "catalog.db")
    product.expect(product.index(catalog, tree), added=6, failed=0)
    with browsing.home(str(tmp_path)) as home, browsing.serving(catalog, home) as served:
        yield served


@needs_browser
def test_a_page_of_other_groups_is_an_error(server: browsing.Server) -> None:
    with browsing.chromium() as browser, browsing.Visit(browser) as visit:
        visit.enter(server)
        assert review._until_found(visit, 3)["ready"]
        with pytest.raises(BenchError, match="3 groups, not 2"):
            review._until_found(visit, 2)


@needs_browser
def test_what_a_page_throws_is_an_error(server: browsing.Server) -> None:
    with browsing.chromium() as browser:
        visit = browsing.Visit(browser)
        visit.enter(server)
        visit.page.evaluate("setTimeout(() => { throw new Error('nonsense') })")
        visit.page.wait_for_timeout(100)
        with pytest.raises(BenchError, match="the page threw: nonsense"):
            visit.__exit__()


@pytest.mark.parametrize(
    "receipt",
    [
        {"done": 2, "refused": [], "stopped": ""},
        {"done": 3, "refused": [{"why": "it is gone"}], "stopped": ""},
        {"done": 3, "refused": [], "stopped": "no room"},
    ],
    ids=["fewer", "refused", "stopped"],
)
def test_a_plan_that_was_not_all_carried_out_is_an_error(receipt: dict[str, Any]) -> None:
    with pytest.raises(BenchError, match="of 3 photos"):
        review._expect(receipt, 3)


def test_a_server_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    nothing = str(tmp_path / "none.db")
    with (
        pytest.raises(BenchError, match="printed no address"),
        browsing.serving(nothing, {"HOME": str(tmp_path)}),
    ):
        pass


def test_a_gallery_is_of_different_pictures_with_a_copy_each(tmp_path: Path) -> None:
    tree = gallery.gallery(str(tmp_path), str(tmp_path / "none"), 4, 60)
    found = sorted(os.path.relpath(path, tree) for path in trees.files_below(tree))
    assert len(found) == 8
    originals = [Path(tree, name) for name in found if name.startswith("originals")]
    copies = [Path(tree, name) for name in found if name.startswith("copies")]
    assert len({path.read_bytes() for path in originals}) == 4
    for number, (original, copy) in enumerate(zip(originals, copies, strict=True)):
        assert (original.read_bytes() == copy.read_bytes()) is (number % 2 == 0)
        with Image.open(original) as first, Image.open(copy) as second:
            assert first.size == (240, 180)
            assert second.size == ((120, 90) if number % 2 else (240, 180))
    gallery.linked(tree, str(tmp_path / "again"))
    assert all(os.path.samefile(Path(tree, name), tmp_path / "again" / name) for name in found)


@needs_browser
def test_without_pictures_no_catalog_is_made_of_them(tmp_path: Path) -> None:
    done = run("review", "--small", "--photos", tmp_path / "none", "--work", tmp_path / "work")
    assert done.returncode == 1
    assert "name them with --photos" in done.stderr
