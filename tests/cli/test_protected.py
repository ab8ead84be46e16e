"""What the config file protects, and is not there to be protected."""

from __future__ import annotations

from pathlib import Path

from commandline import Imgcat


def test_a_folder_to_protect_that_has_another_name_now_is_told_of_before_anything_is_done(
    fresh: tuple[Imgcat, Path], tmp_path: Path
) -> None:
    imgcat, top = fresh
    config = tmp_path / "config.toml"
    config.write_text(f"[dupes]\nprotect = ['{top / 'folder 0'}', '{top / 'old name'}']\n")
    imgcat.env["IMGCAT_CONFIG"] = str(config)
    for words in (["--trash"], ["--trash", "--quiet"]):
        done = imgcat("dupes", *words)
        assert done.code == 0, done.errors
        assert "old name is to be protected, but there is no such folder now" in done.errors
        assert "folder 0" not in done.errors
    assert not imgcat("dupes").errors
