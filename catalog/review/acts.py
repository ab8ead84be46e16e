"""What is done in the end: the plan of all that was chosen, carrying it out, and undoing.

The same planning, proving, journal and undo as of the command line; the trash is all there is here.
Everything runs in one thread, one thing after the other.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from catalog.actions.perform import perform
from catalog.actions.plan import plan
from catalog.actions.undo import to_undo, undo
from catalog.errors import UsageError
from catalog.indexing.afterwards import look_again
from catalog.model import (
    Action,
    ActionPlan,
    Choice,
    Deed,
    Group,
    Kind,
    Match,
    Order,
    Photo,
    Receipt,
    Rule,
    Seen,
    Stamp,
)
from catalog.queries.listing import photos_at
from catalog.review.clerk import Watched
from catalog.review.following import first_changed
from catalog.store.database import open_for_reading
from catalog.store.decisions import decisions_there, open_decisions
from catalog.workers.cores import cores

_REASON = "as you chose"


@dataclass(frozen=True, slots=True)
class Drafted:
    """A plan, and the paths of choices that nothing becomes of: their files are others now.

    So many more are ``unknown``: the catalog does not know them now, but their files are there.
    """

    plan: ActionPlan
    changed: tuple[bytes, ...] = ()
    unknown: int = 0


def drafted(
    catalog: bytes,
    choices: Collection[Choice],
    kinds: Mapping[bytes, Kind],
    protected: tuple[bytes, ...],
    *,
    with_sidecars: bool,
) -> Drafted:
    """What carrying out these choices comes to. ``kinds`` say what each photo to go is."""
    paths = dict.fromkeys(end.path for choice in choices for end in (choice.kept, choice.goes))
    with open_for_reading(catalog) as database:
        there = photos_at(database, paths)
    known, changed = [], []
    for choice in choices:
        ends = choice.goes, choice.kept
        if all(_is_still(end, there) for end in ends):
            known.append(choice)
        elif any(_is_another(end, there) for end in ends):
            changed.append(choice.goes.path)
    groups = _groups(known, there, kinds)
    order = Order(Deed.TRASH, None, protected, with_sidecars, by_eye=True)
    unknown = len(choices) - len(known) - len(changed)
    return Drafted(plan(groups, order), tuple(changed), unknown)


def _is_still(seen: Seen, there: Mapping[bytes, Photo]) -> bool:
    photo = there.get(seen.path)
    return photo is not None and seen_of(photo) == seen


def _is_another(seen: Seen, there: Mapping[bytes, Photo]) -> bool:
    """A catalog may be built anew just now: what it does not know of, the disk does."""
    if seen.path in there:
        return not _is_still(seen, there)
    try:
        stamp = Stamp.of(os.lstat(seen.path))
    except OSError:
        return True
    return (stamp.size, stamp.mtime_ns) != (seen.size, seen.mtime_ns)


def seen_of(photo: Photo) -> Seen:
    """What is remembered of a photo that a person looked at."""
    return Seen(photo.path, photo.digest, photo.stamp.size, photo.stamp.mtime_ns)


def _groups(
    choices: Iterable[Choice],
    there: Mapping[bytes, Photo],
    kinds: Mapping[bytes, Kind],
) -> list[Group]:
    """The chosen ones, by what is kept for them."""
    matches: dict[bytes, list[Match]] = {}
    for choice in choices:
        keep, goes = there[choice.kept.path], there[choice.goes.path]
        matches.setdefault(keep.path, []).append(_match(keep, goes, kinds))
    return [Group(there[path], _REASON, tuple(each)) for path, each in matches.items()]


def _match(keep: Photo, goes: Photo, kinds: Mapping[bytes, Kind]) -> Match:
    if keep.digest == goes.digest:
        same = keep.file == goes.file
        return Match(goes, Kind.IDENTICAL, 0, 1.0, same_file=same, rule=Rule.IDENTICAL_BYTES)
    kind = kinds.get(goes.path, Kind.SIMILAR)
    kind = kind if kind in (Kind.SAME, Kind.SIMILAR) else Kind.SAME
    return Match(goes, kind, 0, 1.0)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of it; ``gone`` are paths that no choice is about any more."""

    receipt: Receipt
    gone: tuple[bytes, ...] = ()
    note: str = ""  # a sentence where the catalog could not be told


def carried_out(catalog: bytes, draft: Drafted, progress: Watched) -> Done:
    """Do it; ended by ``progress`` after the file at hand. Raises CatalogError."""
    with open_decisions(catalog) as decisions:
        receipt = perform(draft.plan, decisions, jobs=cores(), progress=progress)
    return Done(receipt, tuple(_settled(draft.plan, receipt)), _told(catalog, receipt))


def _settled(planned: ActionPlan, receipt: Receipt) -> Iterator[bytes]:
    """What went; and what stayed as its file, or the kept one, is not what was chosen any more.

    What stayed for another reason stays chosen: it may be out of the way the next time.
    """
    refused = {refusal.path for refusal in receipt.refused}
    for group in planned.groups:
        for photo in (copy.match.photo for copy in group.copies):
            another = photo.path in refused and first_changed([group.keep, photo]) is not None
            if another or photo.path in receipt.went:
                yield photo.path


def undone(catalog: bytes, action: int, progress: Watched) -> Done:
    """Put back what this action took away. Raises UsageError, and CatalogError."""
    decisions = decisions_there(catalog)
    if decisions is None:
        raise UsageError("nothing was done yet, so there is nothing to undo")
    with decisions:
        receipt = undo(decisions, to_undo(decisions, action), progress)
    return Done(receipt, note=_told(catalog, receipt))


def _told(catalog: bytes, receipt: Receipt) -> str:
    if not receipt.touched:
        return ""
    try:
        return look_again(catalog, receipt.touched, cores(), went=receipt.went)
    except Exception as error:  # it was done, whatever became of this
        what = f"{type(error).__name__}: {error}"
        return f"the catalog does not know of it yet, 'imgcat index' tells it: {what}"


def history(catalog: bytes) -> Sequence[Action]:
    """All that was done, the newest first."""
    decisions = decisions_there(catalog)
    if decisions is None:
        return []
    with decisions:
        return decisions.history()
