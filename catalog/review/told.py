"""Groups, plans and receipts as the page is told of them: plain objects for JSON.

Names are made safe to show, and photos are named by their ids: no path goes back and forth.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Final

from catalog.escaping import harmless, printable
from catalog.keeping import KeepRules, from_home
from catalog.model import (
    Action,
    ActionPlan,
    Deed,
    Group,
    Match,
    Photo,
    Planned,
    PlannedGroup,
    Receipt,
    Refusal,
    Side,
    Spared,
)
from catalog.rendering import doing, human
from catalog.rendering.text import own_remarks, remarks_on
from catalog.review.tray import Tray

if TYPE_CHECKING:
    from catalog.imaging.judging import Compared, Facts

Object = dict[str, Any]

MOST_IN_LIST: Final = 24  # photos of a group, where many groups are listed
_MOST_PLANNED: Final = 1_000  # groups of a plan
_MOST_REFUSED: Final = 200
_TAG_BYTES: Final = 8  # of the digest: whether a picture is the one that was told of


def tag(photo: Photo) -> str:
    """Which content this is, in 16 characters."""
    return photo.digest[:_TAG_BYTES].hex()


def group(
    shelf: str, found: Group, tray: Tray, keep: KeepRules, most: int | None = MOST_IN_LIST
) -> Object:
    """A group, the suggested photo first, with what was chosen of it."""
    matches = found.matches if most is None else found.matches[: most - 1]
    kept = _kept(found, tray)
    photos = [_photo(found.keep, None, tray, keep)]
    photos += [_photo(match.photo, match, tray, keep) for match in matches]
    files: dict[object, int] = {}
    for photo, told in zip(members(found), photos, strict=False):
        told["file"] = files.setdefault(photo.file, len(files))  # equal for names of one file
    return {
        "group": f"{shelf}{found.keep.id}",
        "kind": found.kind.value,
        "score": round(found.score, 4),
        "reclaimable": found.reclaimable,
        "suggested": found.keep.id,
        "reason": harmless(found.keep_reason),
        "keep": kept.id,
        "decided": any(map(tray.drops, members(found))),
        "count": 1 + len(found.matches),
        "photos": photos,
    }


def members(found: Group) -> list[Photo]:
    """All photos of a group, the suggested one first."""
    return [found.keep, *(match.photo for match in found.matches)]


def _kept(found: Group, tray: Tray) -> Photo:
    """The photo that the chosen ones go for; where none does, the suggested one."""
    by_path = {photo.path: photo for photo in members(found)}
    for path, photo in by_path.items():
        if tray.drops(photo):
            return by_path.get(tray.choices[path].kept.path, found.keep)
    return found.keep


def _photo(photo: Photo, match: Match | None, tray: Tray, keep: KeepRules) -> Object:
    return {
        **_named(photo),
        "mtime_ns": str(photo.stamp.mtime_ns),
        "width": photo.width,
        "height": photo.height,
        "format": printable(photo.format),
        "taken_at": _moment(photo.taken_at),
        "modified": human.minute(photo.stamp.mtime_ns),
        "camera": None if photo.camera is None else printable(photo.camera),
        "frames": photo.frames,
        "kind": None if match is None else match.kind.value,
        "score": 1.0 if match is None else round(match.score, 4),
        "distance": 0 if match is None else match.distance,
        "orientation": 1 if match is None else match.orientation,
        "lost": [] if match is None else _sides(match.lost),
        "more": [] if match is None else _sides(match.more),
        "notes": own_remarks(photo) if match is None else remarks_on(match),
        "protected": keep.protects(photo.path),
        "came_back": photo.came_back,
        "dropped": tray.drops(photo),
    }


def _named(photo: Photo) -> Object:
    folder, name = os.path.split(photo.path)
    return {
        "id": photo.id,
        "v": tag(photo),
        "size": photo.stamp.size,
        "name": printable(name),
        "folder": from_home(folder),
    }


def _sides(sides: Iterable[Side]) -> list[list[Any]]:
    return [[side.name, round(side.part, 4)] for side in sides]


def _moment(taken_at: str | None) -> str | None:
    return None if taken_at is None else printable(taken_at.replace("T", " "))


def facts(found: Facts) -> Object:
    """What the pixels of a photo say of how good it is."""
    return {
        "width": found.width,
        "height": found.height,
        "quality": found.quality,
        "sharpness": [[side, round(detail, 3)] for side, detail in found.sharpness],
    }


def compared(first: Photo, second: Photo, found: Compared) -> Object:
    """Which of two is sharper, and which was compressed less; with the words for each."""
    of = {"one": first.id, "other": second.id, None: None}
    words: dict[str, list[str]] = {"one": [], "other": []}
    if found.sharper is not None:
        words[found.sharper].append("sharper")
    if found.finer is not None:
        words[found.finer].append("less compressed")
    return {
        "sharper": of[found.sharper],
        "finer": of[found.finer],
        "words": {"first": words["one"], "second": words["other"]},
    }


# -- plans and what became of them -------------------------------------------------------------


def plan(number: str, planned: ActionPlan, changed: Collection[bytes], unknown: int = 0) -> Object:
    """What would be done. ``changed`` are photos that are not what was chosen any more.

    So many chosen ones are ``unknown`` to the catalog of now.
    """
    groups = [_planned_group(each) for each in planned.groups[:_MOST_PLANNED]]
    return {
        "plan": number,
        "words": _wish(planned) + _unknown(unknown),
        "photos": planned.copies,
        "companions": planned.companions,
        "bytes": planned.bytes_won,
        "groups": groups,
        "more": len(planned.groups) - len(groups),
        "held": sum(
            copy.spared is Spared.COMPANION for each in planned.groups for copy in each.copies
        ),
        "changed": [_at(path) for path in list(changed)[:_MOST_REFUSED]],
    }


def _wish(planned: ActionPlan) -> str:
    if not planned.copies:
        return "Nothing goes to the trash."
    along = ""
    if planned.companions:
        along = f" and {human.counted(planned.companions, 'file')} that belong to them"
    return (
        f"Move {human.counted(planned.copies, 'photo')}{along} to the trash: "
        f"{human.size(planned.bytes_won)} are free once it is emptied."
    )


def _unknown(photos: int) -> str:
    if not photos:
        return ""
    stay = "stays" if photos == 1 else "stay"
    return f" {human.counted(photos, 'photo')} that the catalog does not know now {stay} chosen."


def _planned_group(planned: PlannedGroup) -> Object:
    return {
        "keep": _named(planned.keep),
        "goes": [_going(planned.keep, copy) for copy in planned.copies if copy.goes],
        "stays": [
            {**_named(copy.match.photo), "why": doing.spared_words(copy)}
            for copy in planned.copies
            if not copy.goes
        ],
    }


def _going(keep: Photo, copy: Planned) -> Object:
    return {
        **_named(copy.match.photo),
        "kind": copy.match.kind.value,
        "beside": [printable(os.path.basename(each.path)) for each in copy.companions],
        "notes": lost_with(keep, copy.match.photo),
    }


def lost_with(keep: Photo, goes: Photo) -> list[str]:
    """What a person may not have seen that the one to go has, and the kept one has not."""
    if keep.digest == goes.digest:
        return []
    return [
        *(["has more pixels than the kept one"] if goes.pixels > keep.pixels else []),
        *(["is a camera RAW"] if goes.family == "RAW" != keep.family else []),
        *(["has more than one picture in it"] if goes.frames > max(keep.frames, 1) else []),
        *(["says when it was taken"] if goes.taken_at and not keep.taken_at else []),
        *(["says with which camera"] if goes.camera and not keep.camera else []),
    ]


def receipt(done: Receipt, *, plan: str | None) -> Object:
    """What was done, or put back where ``plan`` is None."""
    undo = plan is None
    return {
        "plan": plan,
        "undo": undo,
        "action": done.action,
        "done": done.done,
        "companions": done.companions,
        "bytes": done.bytes_won,
        "words": doing.undone_words(done) if undo else doing.receipt_words(done),
        "refused": [_refused(each) for each in done.refused[:_MOST_REFUSED]],
        "more": max(0, len(done.refused) - _MOST_REFUSED),
        "stopped": harmless(done.stopped),
        "interrupted": done.interrupted,
    }


def _refused(refusal: Refusal) -> Object:
    return {**_at(refusal.path), "why": harmless(refusal.why)}


def _at(path: bytes) -> Object:
    folder, name = os.path.split(path)
    return {"name": printable(name), "folder": from_home(folder)}


def history(actions: Iterable[Action]) -> Object:
    """All that was done, the newest first."""
    return {
        "actions": [
            {
                "id": action.id,
                "when": human.minute(action.begun_ns),
                "deed": action.deed.value,
                "words": doing.action_words(action),
                "undone": action.undone,
                "undoable": not action.undone and action.deed is not Deed.REFLINK,
            }
            for action in actions
        ]
    }
