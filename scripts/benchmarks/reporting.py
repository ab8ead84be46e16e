"""What was measured, beside what was to be reached: lines for a person, an object for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.measuring import Cost, cores, say

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. ``at_most`` or ``at_least`` is its target, if it has one.

    ``value`` is None where it could not be measured; ``remark`` then says why.
    """

    name: str
    value: float | None
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    remark: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without a target or a value."""
        if self.value is None or (self.at_most is None and self.at_least is None):
            return None
        below = self.at_most is None or self.value <= self.at_most
        return below and (self.at_least is None or self.value >= self.at_least)

    def as_object(self) -> dict[str, Any]:
        """For JSON."""
        value = None if self.value is None else float(f"{self.value:.5g}")
        result: dict[str, Any] = {"name": self.name, "value": value, "unit": self.unit}
        if self.at_most is not None or self.at_least is not None:
            bound = "at_most" if self.at_most is not None else "at_least"
            result |= {"target": {bound: getattr(self, bound)}, "met": self.met}
        return result | ({"remark": self.remark} if self.remark else {})

    def as_line(self) -> str:
        """For a person."""
        value = "not measured" if self.value is None else f"{self.value:,.4g} {self.unit}"
        target = ""
        if self.at_most is not None:
            target = f"at most {self.at_most:,g}"
        elif self.at_least is not None:
            target = f"at least {self.at_least:,g}"
        verdict = {True: "met", False: "MISSED", None: ""}[self.met]
        line = f"{self.name:<34}{value:>22}   {target:<16}{verdict:<8}{self.remark}"
        return line.rstrip()


@dataclass(slots=True)
class Report:
    """All that one subcommand found out."""

    benchmark: str
    inputs: dict[str, Any]
    figures: list[Figure] = field(default_factory=list)
    rounds: dict[str, Any] = field(default_factory=dict)  # what the figures were made of
    notes: list[str] = field(default_factory=list)

    def as_object(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "format": FORMAT,
            "benchmark": self.benchmark,
            "machine": _machine(),
            "inputs": self.inputs,
            "figures": [figure.as_object() for figure in self.figures],
            "rounds": self.rounds,
            "notes": self.notes,
        }

    def write(self) -> None:
        """The lines to stderr, the object to stdout."""
        say("")
        for figure in self.figures:
            say(figure.as_line())
        for note in self.notes:
            say(f"note: {note}")
        print(json.dumps(self.as_object()))


def costs(measured: Mapping[str, Sequence[Cost]]) -> dict[str, Any]:
    """The cost of every round, for JSON."""
    return {
        name: [{"cpu": round(cost.cpu, 4), "wall": round(cost.wall, 4)} for cost in rounds]
        for name, rounds in measured.items()
    }


def _machine() -> dict[str, Any]:
    return {
        "cores": cores(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "load": [round(load, 2) for load in os.getloadavg()],
    }
