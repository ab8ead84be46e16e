"""Photos that arrive are looked for aside, one after the other."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from catalog.model import AlreadyThere, Kind
from catalog.watching.arrivals import Announcer, Arrival
from tests.watching.following import wait_for


def all_of(arrivals: Sequence[Arrival]) -> Iterable[AlreadyThere]:
    return [AlreadyThere(path, b"/there", Kind.IDENTICAL, 1.0) for path, _ in arrivals]


def test_after_the_end_no_further_command_begins(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    slow = f"import time; open({str(begun)!r}, 'a').write('x'); time.sleep(1)"
    told: list[AlreadyThere] = []
    announcer = Announcer(all_of, told.append, told.append, [sys.executable, "-c", slow])
    for number in range(3):
        announcer.arrived(b"/%d" % number, number)
    assert wait_for(begun.exists, 10)
    announcer.close()
    announcer._thread.join(10)
    assert not announcer._thread.is_alive()
    assert (begun.read_text(), len(told)) == ("x", 1)
