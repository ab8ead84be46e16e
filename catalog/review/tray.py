"""What was chosen and not carried out yet: which photos are to go, and for which kept ones.

Choices are wishes. They are told by path and content, so that they outlive answers, in which groups
come and go; and whatever was chosen before, no photo that is kept for another is to go itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from catalog.escaping import printable
from catalog.model import Choice, Photo


class Clash(Exception):
    """A choice that another one forbids; the message says which, for a person."""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of the tray: these paths leave it, and these choices are in it then."""

    gone: tuple[bytes, ...]
    new: tuple[Choice, ...]


NO_CHANGE: Final = Change((), ())


class Tray:
    """The choices, by the path of the photo that is to go. ``number`` changes with each change."""

    def __init__(self, choices: Iterable[Choice] = ()) -> None:
        self._choices = {choice.goes.path: choice for choice in choices}
        self._waiting: dict[bytes, set[bytes]] = {}  # those that go, by the one kept for them
        for choice in self._choices.values():
            self._waiting.setdefault(choice.kept.path, set()).add(choice.goes.path)
        self.number = 0

    def __len__(self) -> int:
        return len(self._choices)

    @property
    def choices(self) -> Mapping[bytes, Choice]:
        return self._choices

    def drops(self, photo: Photo) -> bool:
        """Whether this photo, as it is now, was chosen to go."""
        choice = self._choices.get(photo.path)
        return choice is not None and choice.goes.digest == photo.digest

    def holds(self, choice: Choice) -> bool:
        """Whether it is in the tray, word for word."""
        return self._choices.get(choice.goes.path) == choice

    def choosing(self, members: Collection[bytes], new: Sequence[Choice]) -> Change:
        """That of all ``members`` of a group, those of ``new`` go and no others.

        Raises Clash where a photo to go is kept for one outside, or one to keep goes for one.
        """
        inside = set(members)
        going = {choice.goes.path for choice in new}
        for choice in new:
            if choice.kept.path in going:
                raise Clash(f"{_name(choice.kept.path)} cannot be kept and go to the trash")
            if choice.kept.path in self._choices and choice.kept.path not in inside:
                raise Clash(f"{_name(choice.kept.path)} goes to the trash with another group")
            if others := self._waiting.get(choice.goes.path, set()) - inside:
                first = _name(min(others))
                raise Clash(f"{_name(choice.goes.path)} is what is kept for {first}")
        return Change(tuple(path for path in members if path in self._choices), tuple(new))

    def leaving(self, paths: Iterable[bytes]) -> Change:
        """That these are out of the tray."""
        return Change(tuple(path for path in paths if path in self._choices), ())

    def back(self, change: Change) -> Change:
        """What takes ``change`` back, once it was applied; as the tray is before that."""
        added = tuple(choice.goes.path for choice in change.new)
        before = dict.fromkeys((*change.gone, *added))
        return Change(added, tuple(self._choices[path] for path in before if path in self._choices))

    def can_go_back(self, change: Change, back: Change) -> bool:
        """Whether things are as ``change`` left them, and may be again as ``back`` makes them.

        What forbids itself nothing: no photo is to go that is kept for another.
        """
        if not all(self.holds(choice) for choice in change.new):
            return False
        new = {choice.goes.path for choice in change.new}
        if any(path in self._choices for path in change.gone if path not in new):
            return False
        left = {path: choice for path, choice in self._choices.items() if path not in back.gone}
        left |= {choice.goes.path: choice for choice in back.new}
        return not any(choice.kept.path in left for choice in left.values())

    def apply(self, change: Change) -> None:
        """Do it."""
        for path in change.gone:
            self._forget(path)
        for choice in change.new:
            self._forget(choice.goes.path)
            self._choices[choice.goes.path] = choice
            self._waiting.setdefault(choice.kept.path, set()).add(choice.goes.path)
        self.number += 1

    def _forget(self, path: bytes) -> None:
        choice = self._choices.pop(path, None)
        if choice is not None:
            waiting = self._waiting[choice.kept.path]
            waiting.discard(path)
            if not waiting:
                del self._waiting[choice.kept.path]


def _name(path: bytes) -> str:
    return printable(path.rpartition(b"/")[2])
