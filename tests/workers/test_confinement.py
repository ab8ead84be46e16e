"""R33: what a worker takes from itself before it touches a file."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import poison
import pytest

from catalog.workers import confinement
from catalog.workers.pool import Task, run_all

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


def ask(function: object, items: list[object]) -> list[object]:
    tasks = [Task(item, 0) for item in items]
    return [result for _, result in run_all(function, tasks, jobs=2)]  # type: ignore[arg-type, type-var]


@pytest.fixture
def cores_wanted() -> Iterator[None]:
    """As on a machine where crashing programs leave their memory on the disk."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    wanted = resource.RLIM_INFINITY if os.geteuid() == 0 else before[1]
    resource.setrlimit(resource.RLIMIT_CORE, (wanted, wanted))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


@pytest.mark.usefixtures("cores_wanted")
def test_r33_a_worker_leaves_no_core_writes_no_file_and_goes_first_when_memory_ends() -> None:
    for seen in ask(poison.confinement, [1] * 40):
        assert isinstance(seen, dict)
        assert seen["RLIMIT_CORE"] == 0
        assert seen["RLIMIT_FSIZE"] == 0
        assert 0 < seen["RLIMIT_NOFILE"] <= 32
        assert 0 < seen["RLIMIT_AS"] <= confinement.ADDRESS_SPACE == 3 << 29
        assert seen["oom"] == 1000
        assert seen["OPENBLAS_NUM_THREADS"] == "1"
        assert seen["ends on SIGTERM"]
        assert seen["streams"] == ["/dev/null"] * 3


def test_r33_ctrl_c_never_reaches_a_worker_from_its_very_start() -> None:
    """The mask is inherited, so it holds while the child still imports, before it says a word."""
    for seen in ask(poison.confinement, [1] * 40):
        assert isinstance(seen, dict)
        assert seen["interrupts ignored"]
        assert seen["interrupts blocked"]


def test_r33_a_worker_cannot_write_a_file(tmp_path: Path) -> None:
    path = tmp_path / "litter"
    (said,) = ask(poison.write_a_file, [str(path)])
    assert said == "OSError" or getattr(said, "detail", "").endswith(signal.SIGXFSZ.name)
    assert not path.exists() or path.stat().st_size == 0


def test_r33_a_worker_cannot_take_all_descriptors() -> None:
    (said,) = ask(poison.open_many_files, [1])
    assert said == "24"


def test_r33_a_decoder_that_talks_is_not_heard(capfd: pytest.CaptureFixture[str]) -> None:
    assert sorted(ask(poison.loud, [1, 2, 3])) == [1, 2, 3]  # type: ignore[type-var]
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
