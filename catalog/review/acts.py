"""What is done in the end: the plan of all that was chosen, carrying it out, and undoing.

The same planning, proving, journal and undo as of the command line; the trash is all there is here.
Everything runs in one thread, one thing after the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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
)
from catalog.queries.listing import photos_at
from catalog.review.clerk import Watched
from catalog.store.database import open_for_reading
from catalog.store.decisions import decisions_there, open_decisions
from catalog.workers.cores import cores

_REASON = "as you chose"


@dataclass(frozen=True, slots=True)
class Drafted:
    """A plan, and the paths of choices that nothing becomes of: their files are others now."""

    plan: ActionPlan
    changed: tuple[bytes, ...] = ()


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
    changed = tuple(
        choice.goes.path
        for choice in choices
        if not (_is_still(choice.goes, there) and _is_still(choice.kept, there))
    )
    groups = _groups(choices, there, kinds, frozenset(changed))
    order = Order(Deed.TRASH, None, protected, with_sidecars, by_eye=True)
    return Drafted(plan(groups, order), changed)


def _is_still(seen: Seen, there: Mapping[bytes, Photo]) -> bool:
    photo = there.get(seen.path)
    return photo is not None and seen_of(photo) == seen


def seen_of(photo: Photo) -> Seen:
    """What is remembered of a photo that a person looked at."""
    return Seen(photo.path, photo.digest, photo.stamp.size, photo.stamp.mtime_ns)


def _groups(
    choices: Iterable[Choice],
    there: Mapping[bytes, Photo],
    kinds: Mapping[bytes, Kind],
    without: frozenset[bytes],
) -> list[Group]:
    """The chosen ones, by what is kept for them."""
    matches: dict[bytes, list[Match]] = {}
    for choice in choices:
        if choice.goes.path not in without:
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
    planned = [copy for group in draft.plan.groups for copy in group.copies]
    refused = {refusal.path for refusal in receipt.refused}
    gone = [copy.match.photo.path for copy in planned if copy.match.photo.path in receipt.went]
    gone += [path for path in refused if path not in receipt.went]
    return Done(receipt, tuple(gone), _told(catalog, receipt))


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
    return look_again(catalog, receipt.touched, cores(), went=receipt.went)


def history(catalog: bytes) -> Sequence[Action]:
    """All that was done, the newest first."""
    decisions = decisions_there(catalog)
    if decisions is None:
        return []
    with decisions:
        return decisions.history()
