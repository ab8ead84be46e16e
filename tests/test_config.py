"""The config file: what it may say, and that nothing it says is passed over."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog import config
from catalog.errors import UsageError
from catalog.escaping import UNSAFE
from catalog.keeping import DEFAULT, parse
from tests.support import IS_ROOT, NOBODY, in_child


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | bytes], Path]:
    """Writes the config file that IMGCAT_CONFIG names."""
    path = tmp_path / "my config.toml"
    monkeypatch.setenv("IMGCAT_CONFIG", str(path))

    def write(text: str | bytes) -> Path:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def complaint() -> str:
    with pytest.raises(UsageError) as raised:
        config.load()
    assert not UNSAFE.search(str(raised.value))
    return str(raised.value)


def test_without_a_file_all_is_as_ever(
    private_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert config.load() == config.Config(keep=DEFAULT)
    monkeypatch.setenv("IMGCAT_CONFIG", "")
    assert config.load() == config.Config()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nowhere"))
    assert config.load() == config.Config()


def test_it_is_in_the_config_folder_or_where_one_says(
    private_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.fsdecode(config.config_file())
    assert Path(path).is_relative_to(private_cache)
    assert path.endswith("imgcat/config.toml")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("IMGCAT_CONFIG", "~/mine.toml")
    assert config.config_file() == bytes(tmp_path / "mine.toml")
    monkeypatch.setenv("IMGCAT_CONFIG", "mine.toml")
    monkeypatch.chdir(tmp_path)
    assert config.config_file() == bytes(tmp_path / "mine.toml")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[dupes]\n"])
def test_one_that_says_nothing_changes_nothing(written: Callable[[str], Path], text: str) -> None:
    written(text)
    assert config.load() == config.Config()


def test_it_says_what_is_kept_and_protected(
    written: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    written('[dupes]\nkeep = "folder:~/Photos,oldest"\nprotect = ["~/Originals", "/media/ä"]\n')
    real = os.path.realpath(bytes(tmp_path))
    keep = config.load().keep
    assert str(keep) == f"folder:{os.fsdecode(real)}/Photos,oldest"
    assert keep.protected == (real + b"/Originals", "/media/ä".encode())
    written('[dupes]\nprotect = ["/media/usb"]\n')
    assert config.load().keep == parse(None, [b"/media/usb"])
    written('[dupes]\nkeep = "bytes"\n')
    assert config.load().keep == parse("bytes")


WRONG = {
    "[dupes": "Expected ']'",
    "dupes = 1": "dupes has to be a table",
    "keep = 'bytes'": "there is no keep: it may hold dupes",
    "[dupe]": "there is no dupe: it may hold dupes",
    "[[dupes]]": "dupes has to be a table",
    "[dupes]\nprotected = []": "there is no dupes.protected: it may hold dupes.keep, dupes.protect",
    "[dupes.keep]": "dupes.keep has to be a text",
    "[dupes]\nkeep = ['bytes']": "dupes.keep has to be a text",
    "[dupes]\nkeep = true": "dupes.keep has to be a text",
    "[dupes]\nprotect = '/a'": "dupes.protect has to be a list of texts",
    "[dupes]\nprotect = ['/a', 1]": "dupes.protect has to be a list of texts",
    "[dupes]\nkeep = 'size'": "there is no rule 'size': what is kept is decided by folder:DIR, ",
    "[dupes]\nkeep = ''": "one of the rules is empty",
    "[dupes]\nkeep = 'folder:Photos'": "the folder 'Photos' has to begin with / or ~",
    "[dupes]\nprotect = ['Photos']": "the folder 'Photos' has to begin with / or ~",
    "[dupes]\nprotect = ['']": "'' can be no name of a folder",
    "[dupes]\nprotect = ['/dev/null']": "'/dev/null' is no folder",
    "[dupes]\nprotect = ['/a']\nprotect = ['/b']": "Cannot overwrite a value",
    '[dupes]\n"\\u001b[2J" = 1': r"there is no dupes.\x1b[2J: it may hold",
}


@pytest.mark.parametrize("text", WRONG, ids=ascii)
def test_what_makes_no_sense_is_an_error_that_names_the_file(
    written: Callable[[str], Path], text: str
) -> None:
    path = written(text)
    said = complaint()
    assert said.startswith(f"the config file {path}: ")
    assert WRONG[text] in said


def test_one_that_cannot_be_read_is_an_error_as_it_may_protect_something(
    written: Callable[[str | bytes], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    private_cache: Path,
) -> None:
    path = written(b"# \xff\n")
    assert complaint() == f"the config file {path}: it is not UTF-8"
    path.unlink()
    assert complaint() == f"the config file {path}: No such file or directory"
    path.mkdir()
    assert "Is a directory" in complaint()
    path.rmdir()
    monkeypatch.delenv("IMGCAT_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "imgcat").mkdir()
    (tmp_path / "imgcat" / "config.toml").symlink_to("a drive that is away")
    assert "No such file" in complaint()


def test_one_that_may_not_be_read_is_an_error(written: Callable[[str], Path]) -> None:
    written("").chmod(0)
    assert "Permission denied" in in_child(complaint, user=NOBODY if IS_ROOT else None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=30) | st.text("[dupes]\nkprotc = \"\\,'", max_size=40))
def test_any_text_is_understood_or_an_error_in_one_line(
    written: Callable[[bytes], Path], text: str
) -> None:
    written(b"[dupes]\nprotect = ['/a']\n" + text.encode("utf-8", "surrogatepass"))
    said, found = "", None
    try:
        found = config.load()
    except UsageError as error:
        said = str(error)
    assert not UNSAFE.search(said)
    assert said or (found is not None and found.keep.protects(b"/a/1.jpg"))
