"""What holds for every test: the folders of whoever runs them are left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder for the whole run; copies in it are named after the paths of catalogs."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        patch.delenv("IMGCAT_CONFIG", raising=False)
        patch.setenv("XDG_DATA_HOME", str(folder / "data"))  # the trash is there
        if not platformdirs.user_cache_path("imgcat").is_relative_to(folder):
            patch.setenv("HOME", str(folder))  # releases of platformdirs that know no XDG on macOS
        assert platformdirs.user_cache_path("imgcat").is_relative_to(folder)
        yield folder
