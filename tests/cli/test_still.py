"""imgcat dupes --html, as a person runs it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from albums import Album
from commandline import Imgcat, one_line, tree

from tests.review.pages import Parsed

# What takes its time over the page, once it has a picture.
SLOWLY = """
import sys, time
from catalog.cli.app import run
from catalog.review.sheet import Sheet

write = Sheet.write

def slowly(self, text):
    write(self, text)
    if "base64" in text:
        print("drawn", file=sys.stderr, flush=True)
        time.sleep(60)

Sheet.write = slowly
sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture
def drawn_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos are drawn in this process."""

    def run_all(pool: object, function: Any, tasks: Iterable[Any]) -> Any:
        return ((task.item, function(task.item)) for task in tasks)

    monkeypatch.setattr("catalog.workers.pool.Pool.run_all", run_all)


@pytest.fixture
def album(empty: Album, drawn_here: None) -> Album:
    """A photo with two copies, of which one is in other bytes, and another with one."""
    empty.put("kept/0.png", 0)
    empty.copy("kept/0.png", "copies/0.png")
    empty.put("copies/0 as.jpg", 0, side=120)
    empty.put("kept/1.png", 1)
    empty.copy("kept/1.png", "copies/<b>\x1b[2J.png")
    empty.index()
    return empty


def shown(file: Path) -> list[list[str]]:
    """The names of each group."""
    groups: list[list[str]] = []
    for row in Parsed(file.read_text()).photos:
        if row.told("badge") == "keep":
            groups.append([])
        groups[-1].append(str(row.name))
    return groups


def test_the_page_shows_the_groups_that_the_text_does(album: Album, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    for words in ([], ["--exact"], ["--min-size", "1kB", "--keep", "newest"]):
        done = album.dupes(*words, "--html", file)
        assert done.code == 0, done.errors
        answer = album.dupes(*words, "--json").json
        names = [
            [os.path.basename(photo["path"]) for photo in group["photos"]]
            for group in answer["groups"]
        ]
        assert names
        escaped = [[name.replace("\x1b", r"\x1b") for name in group] for group in names]
        assert shown(file) == escaped
        page = Parsed(file.read_text())
        asked = " ".join(["imgcat dupes", *words])
        assert f"<code>{asked}</code>" in page.text
        totals = f"{len(names)} groups, {sum(map(len, names))} photos, "
        assert done.text.startswith(f"{file} (")
        assert f"): {totals}" in done.text
        assert totals in page.text
        for row in page.photos:
            assert max(row.picture().size) <= 200


def test_it_goes_to_standard_output_and_nothing_else_does(album: Album) -> None:
    done = album.dupes("--html", "-")
    assert done.code == 0
    assert done.text.startswith("<!DOCTYPE html>")
    assert done.text.endswith("</html>\n") or done.text.endswith("</html>")
    assert len(Parsed(done.text).photos) == 5
    assert done.err == b""


def test_quiet_writes_the_page_without_remarks_and_says_nothing(
    album: Album, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    assert album.dupes("--html", file).code == 0
    assert "Last scan" in file.read_text()
    done = album.dupes("--html", file, "--quiet")
    assert (done.code, done.out, done.err) == (0, b"", b"")
    assert "Last scan" not in file.read_text()
    assert "--quiet" not in file.read_text()


def test_nothing_found_is_a_page_too(album: Album, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    done = album.dupes("--min-size", "1GB", "--html", file)
    assert done.code == 0
    assert done.text.endswith("): no duplicates found\n")
    assert "No duplicates found." in file.read_text()


def test_a_photo_that_went_is_told_as_such(album: Album, tmp_path: Path) -> None:
    (album.top / "copies" / "0.png").unlink()
    file = tmp_path / "page.html"
    assert album.dupes("--exact", "--html", file).code == 0
    without = [row.told("without") for row in Parsed(file.read_text()).photos]
    assert "cannot be shown: cannot be read: No such file or directory" in without
    assert without.count(None) == 3


def test_photos_and_their_folders_stay_as_they_are(album: Album, tmp_path: Path) -> None:
    before = tree(album.top)
    assert album.dupes("--html", tmp_path / "page.html").code == 0
    assert tree(album.top) == before


@pytest.mark.parametrize(
    "words",
    [
        ["--html", "page.html", "--json"],
        ["--html", "page.html", "--csv"],
        ["--html", "page.html", "--print0"],
        ["--html", "page.html", "--pairs"],
        ["--html", "page.html", "--trash"],
        ["--html", "page.html", "--delete", "--apply", "--yes"],
        ["--html", ""],
        ["--html", "photos/kept/0.png"],
        ["--html", "photos/copies/../kept/1.png"],
        ["--html", "photos"],
        ["--html", "not there/page.html"],
        ["--html", "\x1b[2J/page.html"],
    ],
    ids=ascii,
)
def test_what_makes_no_sense_is_one_line_and_changes_nothing(
    album: Album, tmp_path: Path, words: list[str]
) -> None:
    before = tree(tmp_path)
    done = album.imgcat.ask("dupes", *words, cwd=tmp_path)
    assert done.code == 2
    assert "\x1b" not in one_line(done)
    assert tree(tmp_path) == before


def test_without_the_extra_it_says_how_to_get_it(
    album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "catalog.review.still", raising=False)
    monkeypatch.delattr("catalog.review.still", raising=False)
    done = album.dupes("--html", tmp_path / "page.html")
    assert done.code == 2
    assert "--html needs the extra: pip install 'imgcat-catalog[review]'" in one_line(done)
    assert album.dupes().code == 0


def test_an_interrupt_leaves_no_half_page_and_no_process(asked: Imgcat, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert asked("dupes", "--html", file).code == 0
    before = file.read_bytes()
    words = (sys.executable, "-c", SLOWLY, "--catalog", asked.catalog, "dupes", "--html", file)
    process = subprocess.Popen(
        [os.fsencode(word) for word in words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=asked.env,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"drawn\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    done = asked.finish(process)
    assert done.code == 130, done
    assert done.out == b""
    assert b"Traceback" not in done.err
    assert asked.nothing_is_left()
    assert file.read_bytes() == before
    assert os.listdir(tmp_path) == ["page.html"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_standard_output_that_is_full_is_one_line(asked: Imgcat) -> None:
    with open("/dev/full", "wb") as full:
        process = subprocess.run(
            asked.command("dupes", "-q", "--html", "-"),
            stdout=full,
            stderr=subprocess.PIPE,
            env=asked.env,
            check=False,
        )
    assert process.returncode == 1
    assert process.stderr == b"imgcat: cannot write the output: No space left on device\n"
    assert asked.nothing_is_left()


def test_a_reader_that_has_enough_ends_it(asked: Imgcat) -> None:
    process = asked.start("dupes", "--html", "-")
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(60) in (0, 141)  # all of it may have been in the pipe
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    assert asked.nothing_is_left()


def test_the_package_carries_what_the_page_is_made_of() -> None:
    from importlib import resources

    folder = resources.files("catalog.review").joinpath("templates")
    assert {"still.css", "still.html"} <= {each.name for each in folder.iterdir()}
    ignored = shutil.which("git") and subprocess.run(
        ["git", "check-ignore", "-q", str(folder.joinpath("still.html"))],
        check=False,
        cwd=Path(__file__).parent,
    )
    assert not ignored or ignored.returncode != 0, "what git ignores is in no wheel"
