"""Plans, receipts and the history as plain objects for JSON; see ``structured`` for what holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from catalog.escaping import json_path
from catalog.model import Action, ActionPlan, Planned, PlannedGroup, Receipt, Refusal, Removal
from catalog.rendering.doing import spared_words
from catalog.rendering.structured import FORMAT, Object, encoded, moment, write_array


def write_plan(answer: ActionPlan, stream: TextIO) -> None:
    """What an action would do: ``dupes --trash --json`` without ``--apply``, a group a line."""
    deed, folder = answer.order.deed.value, answer.order.folder
    head = {
        "format": FORMAT,
        "action": deed,
        **({} if folder is None else json_path(folder, "into")),
        "applied": False,
    }
    tail = {
        "photos": answer.copies,
        "companions": answer.companions,
        "bytes": answer.bytes_won,
        "refused": answer.refused,
        "offline": [{**json_path(path), "why": why} for path, why in answer.offline],
    }
    stream.write(encoded(head).removesuffix("}") + ', "groups": ')
    write_array((_group(group, deed) for group in answer.groups), stream)
    stream.write(", " + encoded(tail).removeprefix("{") + "\n")


def receipt(answer: Receipt, planned: ActionPlan | None = None) -> Object:
    """What was done, or undone; with a plan, what that had left alone is told too."""
    left = () if planned is None else _left(planned)
    return {
        "format": FORMAT,
        "action": answer.deed.value,
        "applied": True,
        "id": answer.action,
        "photos": answer.done,
        "companions": answer.companions,
        "bytes": answer.bytes_won,
        "refused": [_refusal(refusal) for refusal in (*left, *answer.refused)],
        "interrupted": answer.interrupted,
        "stopped": answer.stopped or None,
    }


def history(actions: Sequence[Action], removals: Sequence[Removal] | None = None) -> Object:
    """All that was done, the newest first; with ``removals``, the files of the one action."""
    files = {} if removals is None else {"files": [_removal(removal) for removal in removals]}
    return {"format": FORMAT, "actions": [_action(action) for action in actions], **files}


def _group(group: PlannedGroup, deed: str) -> Object:
    return {
        **json_path(group.keep.path, "keep"),
        "keep_reason": group.keep_reason,
        "size": group.keep.stamp.size,
        "copies": [_copy(copy, deed) for copy in group.copies],
    }


def _copy(copy: Planned, deed: str) -> Object:
    return {
        **json_path(copy.match.photo.path),
        "kind": copy.match.kind.value,
        "size": copy.match.photo.stamp.size,
        "action": deed if copy.goes else None,
        "spared": None if copy.spared is None else copy.spared.value,
        "why": None if copy.goes else spared_words(copy),
        "companions": [json_path(each.path) for each in copy.companions],
    }


def _left(planned: ActionPlan) -> list[Refusal]:
    return [
        Refusal(copy.match.photo.path, spared_words(copy))
        for group in planned.groups
        for copy in group.copies
        if copy.spared is not None and copy.spared.refused
    ]


def _refusal(refusal: Refusal) -> Object:
    return {**json_path(refusal.path), "why": refusal.why}


def _removal(removal: Removal) -> Object:
    return {
        **json_path(removal.path),
        **json_path(removal.place, "place"),
        **({} if not removal.keeper else json_path(removal.keeper, "kept")),
        "kind": removal.kind.value,
        "size": removal.size,
        "digest": removal.digest.hex(),
        "companion": removal.companion,
        "state": removal.state.value,
    }


def _action(action: Action) -> Object:
    return {
        "id": action.id,
        "action": action.deed.value,
        "begun": moment(action.begun_ns),
        "files": action.files,
        "bytes": action.size,
        **({} if action.folder is None else json_path(action.folder, "into")),
        "undone": action.undone,
        "states": {state.value: count for state, count in action.states.items()},
    }
