"""What holds for every test: nothing is written to the cache folder of whoever runs them."""

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
        if not platformdirs.user_cache_path("imgcat").is_relative_to(folder):
            patch.setenv("HOME", str(folder))  # releases of platformdirs that know no XDG on macOS
        assert platformdirs.user_cache_path("imgcat").is_relative_to(folder)
        yield folder
