"""A process that acts on photos, and tells what its journal promised before it was stopped."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import pytest

from catalog.model import Receipt, Removal, State
from catalog.store.decisions import Decisions
from tests.faults.removing import Child
from tests.soak.disks import is_stopped


@dataclass(frozen=True)
class Moment:
    """So many seconds after the journal has promised something for the so manyth time."""

    promises: int
    seconds: float


class Acting:
    """A process that acts, and tells of each row of the journal what it is once that is durable."""

    def __init__(self, act: Callable[[], Receipt]) -> None:
        self._told, self._telling = os.pipe()
        self._said = b""
        self._child = Child(lambda: self._tell_and(act))
        os.close(self._telling)

    @property
    def promises(self) -> int:
        """How often it has told of some rows, as far as was listened."""
        return self._said.count(b"\n")

    def until(self, moment: Moment) -> None:
        """Have it act until that moment, and stop it where it is."""
        self._child.go()
        while self.promises < moment.promises and self._listened():
            pass
        time.sleep(moment.seconds)
        os.kill(self._child.pid, signal.SIGSTOP)
        while not is_stopped(self._child.pid):
            time.sleep(0.0005)

    def cut_off(self) -> tuple[Receipt | None, dict[int, State]]:
        """Its receipt if it was over by itself, and the last that was told of each row."""
        self._child.kill()
        return self._heard()

    def over(self) -> tuple[Receipt | None, dict[int, State]]:
        """The same, of one that nothing happens to."""
        self._child.go()
        return self._heard()

    def _heard(self) -> tuple[Receipt | None, dict[int, State]]:
        ended = self._child.ended()
        assert not ended.error + ended.trouble, ended
        while self._listened():
            pass
        os.close(self._told)
        told: dict[int, State] = {}
        for state, *rows in map(bytes.split, self._said.splitlines()):
            told.update(dict.fromkeys(map(int, rows), State(state.decode())))
        return ended.answer, told

    def _listened(self) -> bool:
        """Whether there was something to hear still."""
        piece = os.read(self._told, 1 << 16)
        self._said += piece
        return bool(piece)

    def _tell_and(self, act: Callable[[], Receipt]) -> Receipt:
        intend, settle = Decisions.intend, Decisions.settle

        def intended(journal: Decisions, action: int, removals: Sequence[Removal]) -> list[int]:
            rows = intend(journal, action, removals)
            self._tell(rows, State.INTENDED)
            return rows

        def settled(journal: Decisions, removals: Collection[int], state: State) -> None:
            settle(journal, removals, state)
            self._tell(removals, state)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Decisions, "intend", intended)
            patch.setattr(Decisions, "settle", settled)
            return act()

    def _tell(self, rows: Collection[int], state: State) -> None:
        os.write(self._telling, f"{state} {' '.join(map(str, rows))}\n".encode())
