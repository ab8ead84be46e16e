"""What would be done with duplicates, what was done, and all that ever was: for people."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final, TextIO

from catalog.escaping import harmless, printable
from catalog.model import (
    Action,
    ActionPlan,
    Deed,
    Kind,
    Planned,
    PlannedGroup,
    Receipt,
    Removal,
    Spared,
    State,
)
from catalog.rendering import human
from catalog.rendering.look import Look, look_of
from catalog.rendering.text import (
    GROUP_WORDS,
    KEEP,
    relation_of,
    remarks_on,
    write_offline,
    write_photo,
)

_LEFT: Final = "left alone"
_VERBS: Final = {  # in the line of a file
    Deed.TRASH: "trash",
    Deed.HARDLINK: "hard link",
    Deed.REFLINK: "share blocks",
    Deed.MOVE: "move",
    Deed.DELETE: "delete",
}
_WISHES: Final = {  # "3 photos to ..."
    Deed.TRASH: "move to the trash",
    Deed.HARDLINK: "replace by hard links",
    Deed.REFLINK: "let share the blocks of the kept ones",
    Deed.MOVE: "move",
    Deed.DELETE: "delete for good",
}
_DONE: Final = {
    Deed.TRASH: "moved to the trash",
    Deed.HARDLINK: "replaced by hard links",
    Deed.REFLINK: "made to share the blocks of the kept ones",
    Deed.MOVE: "moved",
    Deed.DELETE: "deleted for good",
    Deed.KEEP_BOTH: "kept beside each other",
}
_SPARED: Final = {
    Spared.SAME_FILE: "another name of the kept file",
    Spared.PROTECTED: "protected",
    Spared.KEPT: "it is kept for another photo",
    Spared.GOES_ALREADY: "it goes with another photo",
    Spared.THERE_ALREADY: "it is there already",
    Spared.CHANGED: "it changed or went since it was indexed",
    Spared.KEEPER_CHANGED: "the kept one changed or went since it was indexed",
    Spared.KEEPER_GOES: "the kept one goes with another photo",
    Spared.COMPANION: "what belongs to it has no equal beside the kept one: {}",
    Spared.OTHER_DISK: "on another disk",
    Spared.OTHER_RIGHTS: "owner or mode differ, and a hard link would lose them",
    Spared.SHOWS_MORE: "it shows more than the kept one",
    Spared.KEEPER_STAMPED: "the kept one has a stamp, or may have",
}
_PUTS_BACK: Final = "puts them back"
_BACK: Final = {
    Deed.HARDLINK: "makes them files of their own again",
    Deed.DELETE: "copies them back from the kept ones, as long as these are there",
}
_HARD_LINK_NOTE: Final = (
    "A hard link is one file with two names: who edits it in place by one changes it by both."
)
_MOST_REFUSALS: Final = 50  # told one by one


def spared_words(copy: Planned) -> str:
    """Why a copy is left alone."""
    assert copy.spared is not None
    return _SPARED[copy.spared].replace("{}", printable(os.path.basename(copy.detail)))


def write_plan(plan: ActionPlan, stream: TextIO, look: Look | None = None) -> None:
    """Every file, with what would happen to it."""
    look = look or look_of(stream)
    for number, group in enumerate(plan.groups, 1):
        _write_group(number, group, plan, stream, look)
    write_offline(plan.offline, stream, look)


def write_sums(plan: ActionPlan, stream: TextIO, look: Look | None = None) -> None:
    """What the plan comes to, in a line or two."""
    look = look or look_of(stream)
    left = sum(not copy.goes for group in plan.groups for copy in group.copies)
    if not plan.copies:
        rest = f" {human.counted(left, 'copy', 'copies')} left alone." if left else ""
        stream.write(look.bold(f"Nothing to do.{rest}") + "\n")
        return
    parts = [f"{human.counted(plan.copies, 'photo')} to {wish(plan)}"]
    if plan.companions:
        parts.append(f"{human.counted(plan.companions, 'file')} with them")
    if left:
        parts.append(f"{left:,} left alone")
    parts.append(_won(plan.order.deed, plan.bytes_won, "to win"))
    stream.write(look.bold(", ".join(part for part in parts if part)) + "\n")
    if plan.order.deed is Deed.HARDLINK:
        stream.write(_HARD_LINK_NOTE + "\n")


def wish(plan: ActionPlan) -> str:
    """What is to be done, as "move to the trash"."""
    into = "" if plan.order.folder is None else f" into {printable(plan.order.folder)}"
    return _WISHES[plan.order.deed] + into


def write_receipt(receipt: Receipt, stream: TextIO, look: Look | None = None) -> None:
    """What was done, and what not."""
    look = look or look_of(stream)
    stream.write(look.bold(receipt_words(receipt)) + "\n")
    _write_refusals(receipt, stream, look)
    if receipt.action is not None and receipt.deed is not Deed.REFLINK:
        stream.write(f"'imgcat undo {receipt.action}' {_BACK.get(receipt.deed, _PUTS_BACK)}.\n")


def receipt_words(receipt: Receipt) -> str:
    """What was done, in a sentence."""
    parts = [f"{human.counted(receipt.done, 'photo')} {_DONE[receipt.deed]}"]
    if receipt.companions:
        parts.append(f"{human.counted(receipt.companions, 'file')} with them")
    parts.append(_won(receipt.deed, receipt.bytes_won, "won"))
    return ", ".join(part for part in parts if part) + "."


def write_left(plan: ActionPlan, stream: TextIO, look: Look | None = None) -> None:
    """That the plan had left alone what one would have expected to go."""
    look = look or look_of(stream)
    left = human.counted(plan.refused, "copy", "copies")
    line = f"{left} left alone: the same without --apply and --yes says why"
    stream.write(look.warning(line) + "\n")


def write_undone(receipt: Receipt, stream: TextIO, look: Look | None = None) -> None:
    """What was put back, and what not."""
    look = look or look_of(stream)
    stream.write(look.bold(undone_words(receipt)) + "\n")
    _write_refusals(receipt, stream, look)


def undone_words(receipt: Receipt) -> str:
    """What was put back, in a sentence."""
    if receipt.deed is Deed.KEEP_BOTH:
        return f"{human.counted(receipt.done, 'picture')} may be duplicates of each other again."
    with_them = ""
    if receipt.companions:
        with_them = f", {human.counted(receipt.companions, 'file')} with them"
    return f"{human.counted(receipt.done, 'photo')} put back{with_them}."


def write_history(actions: Sequence[Action], stream: TextIO, look: Look | None = None) -> None:
    """A line an action, the newest first."""
    look = look or look_of(stream)
    if not actions:
        stream.write("Nothing was done yet.\n")
        return
    width = max(len(str(action.id)) for action in actions)
    for action in actions:
        when = look.dim(human.minute(action.begun_ns))
        standing = look.dim(_standing(action))
        stream.write(f"{action.id:>{width}}  {when}  {_deed_words(action)}{standing}\n")


def action_words(action: Action) -> str:
    """What an action was, and what is left of it."""
    return _deed_words(action) + _standing(action)


def _deed_words(action: Action) -> str:
    into = "" if action.folder is None else f" into {printable(action.folder)}"
    return f"{_what(action)} {_DONE[action.deed]}{into}"


def write_files(removals: Sequence[Removal], stream: TextIO, look: Look | None = None) -> None:
    """Where each file of an action was, and where it went."""
    look = look or look_of(stream)
    for removal in removals:
        into = "" if removal.place == removal.path else f" -> {printable(removal.place)}"
        state = look.dim(f"{removal.state.value:<9}")
        stream.write(f"  {state} {printable(removal.path)}{into}\n")
        if removal.keeper:
            stream.write(look.dim(f"  {'':9} kept: {printable(removal.keeper)}") + "\n")


def recovered(returned: int, done: int, gone: int, left: Sequence[str]) -> Iterator[str]:
    """What became of an action that was cut off, a sentence each."""
    told = [
        (returned, "put back"),
        (done, "where they were to go"),
        (gone, "neither at home nor where they were put: somebody else took them"),
    ]
    parts = [f"{human.counted(count, 'file')} {words}" for count, words in told if count]
    if parts:
        yield f"an action was cut off: {', '.join(parts)} ('imgcat history' knows)"
    yield from left


def _write_group(
    number: int, group: PlannedGroup, plan: ActionPlan, stream: TextIO, look: Look
) -> None:
    kind, kept = group.kind, look.dim(f"(kept: {group.keep_reason})")
    stream.write(f"{look.bold(f'Group {number:,}: {GROUP_WORDS[kind]}')} {kept}\n")
    write_photo(KEEP, group.keep, [], stream, look)
    for copy in group.copies:
        if copy.goes:
            remarks = remarks_on(copy.match)
            if kind is not Kind.IDENTICAL:
                remarks.insert(0, relation_of(copy.match))
            write_photo(_VERBS[plan.order.deed], copy.match.photo, remarks, stream, look)
        else:
            write_photo(_LEFT, copy.match.photo, [spared_words(copy)], stream, look)
        for each in copy.companions:
            alone = "" if each.equal is not None else look.dim("  (the kept one has none like it)")
            stream.write(f"  {'':14}with {printable(each.path)}{alone}\n")
    stream.write("\n")


def _write_refusals(receipt: Receipt, stream: TextIO, look: Look) -> None:
    for refusal in receipt.refused[:_MOST_REFUSALS]:
        line = f"Left where it is: {printable(refusal.path)} ({harmless(refusal.why)})"
        stream.write(look.warning(line) + "\n")
    more = len(receipt.refused) - _MOST_REFUSALS
    if more > 0:
        stream.write(look.warning(f"... and {more:,} more; --json names them all") + "\n")
    if receipt.interrupted:
        stream.write(look.bad("Interrupted: the rest is as it was.") + "\n")
    if receipt.stopped:
        stream.write(look.bad(f"It ended early: {harmless(receipt.stopped)}") + "\n")


def _won(deed: Deed, count: int, word: str) -> str:
    if deed is Deed.MOVE or not count:
        return ""
    once = " once the trash is emptied" if deed is Deed.TRASH else ""
    return f"{human.size(count)} {word}{once}"


def _what(action: Action) -> str:
    """What an action was about; how many pictures were kept is not known once that is undone."""
    if action.deed is Deed.KEEP_BOTH:
        return human.counted(action.files, "picture") if action.files else "pictures"
    return f"{human.counted(action.files, 'file')} ({human.size(action.size)})"


def _standing(action: Action) -> str:
    """What is left of an action."""
    words = {
        State.UNDONE: "undone",
        State.GONE: "gone from where they were put",
        State.INTENDED: "unfinished",
        State.ASIDE: "unfinished",
    }
    if action.deed is Deed.KEEP_BOTH:
        return "" if action.states else "  (undone)"
    found = [
        (words[state], count) for state, count in action.states.items() if state in words and count
    ]
    if len(found) == 1 and found[0][1] == action.files:
        return f"  ({found[0][0]})"
    told = ", ".join(f"{count:,} {word}" for word, count in found)
    return f"  ({told})" if told else ""
