"""How things stand, for people: the state of the catalog, its problems, and an index run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TextIO

from catalog.escaping import harmless, printable
from catalog.model import (
    DaemonStanding,
    DaemonState,
    Problem,
    Reason,
    Recipe,
    RootState,
    Status,
    Summary,
    Verification,
)
from catalog.rendering import human
from catalog.rendering.look import Look, look_of

_WAYS_BACK = (
    "(plug it in; name it to 'imgcat index' if its disk was replaced; or 'imgcat forget' it)"
)
_SEE_PROBLEMS = "(imgcat problems)"
_MOST_CAME_BACK = 20  # told one by one
_COPY_DIFFERED = (
    "The copy of the hashes in the cache folder was wrong: it was thrown away, and the next "
    "question makes it anew. Earlier answers may have missed something."
)


_RECIPES = {
    Recipe.REDUCED: "of pictures decoded at reduced size",
    Recipe.FULL: "of full-size pixels (--full-decode)",
}


def write_status(answer: Status, stream: TextIO, look: Look | None = None) -> None:
    """What the catalog holds, then a line for each folder it follows."""
    look = look or look_of(stream)
    facts = _status_facts(answer)
    stream.writelines(f"{look.bold(f'{name:<10}')}{value}\n" for name, value in facts)
    if not answer.roots:
        stream.write("\nNo folders yet: imgcat index FOLDER adds one.\n")
        return
    stream.write("\n" + look.bold("Folders") + "\n")
    width = max(len(_root_count(root)) for root in answer.roots)
    for root in answer.roots:
        state = look.good("online ") if root.online else look.bad("offline")
        path = printable(root.path)
        stream.write(f"  {state}  {_root_count(root):>{width}}  {_scanned(root):<18}  {path}")
        stream.write(f"{look.dim(_root_remarks(root))}\n")


def _status_facts(answer: Status) -> list[tuple[str, str]]:
    contents = human.counted(answer.contents, "different content")
    facts = [
        ("Catalog", f"{printable(answer.catalog)} ({human.size(answer.size)})"),
        ("Photos", f"{answer.photos:,} ({contents})"),
    ]
    if answer.problems:
        facts.append(("Problems", f"{answer.problems:,} {_SEE_PROBLEMS}"))
    if answer.missing:
        facts.append(("Missing", f"{answer.missing:,} (gone from the disk, or left out since)"))
    hashes = _RECIPES[answer.recipe]
    if answer.other_recipe:
        other = human.counted(answer.other_recipe, "photo")
        hashes += f"; {other} still otherwise: 'imgcat index' goes on"
    return [*facts, ("Hashes", hashes), ("Daemon", _daemon(answer.daemon))]


def _daemon(daemon: DaemonState) -> str:
    """What follows the catalog live, in a line."""
    if daemon.state is DaemonStanding.STOPPED:
        return "not running ('imgcat watch' follows the folders live)"
    parts = [f"{daemon.state.value} (process {daemon.pid})"]
    if daemon.watched:
        parts.append(human.counted(daemon.watched, "folder"))
    if daemon.polling and daemon.polling not in daemon.problem:
        parts.append(f"looks every minute: {harmless(daemon.polling)}")
    if daemon.to_read:
        parts.append(f"{human.counted(daemon.to_read, 'photo')} to be read")
    elif daemon.pending:
        behind = human.duration(daemon.lag)
        parts.append(f"{human.counted(daemon.pending, 'folder')} to look at, {behind} behind")
    if daemon.overflows:
        parts.append(f"events were lost {human.counted(daemon.overflows, 'time')}")
    if daemon.last_rescan_ns is not None:
        parts.append(f"looked at everything {human.ago(daemon.last_rescan_ns)}")
    if daemon.problem:
        parts.append(harmless(daemon.problem))
    return "; ".join(parts)


def _root_count(root: RootState) -> str:
    return human.counted(root.photos, "photo")


def _scanned(root: RootState) -> str:
    return "never complete" if root.last_scan_ns is None else human.ago(root.last_scan_ns)


def _root_remarks(root: RootState) -> str:
    remarks = [
        *([human.counted(root.problems, "problem")] if root.problems else []),
        *([f"{root.missing:,} missing"] if root.missing else []),
        *([f"only {_patterns(root.include)}"] if root.include else []),
        *([f"without {_patterns(root.exclude)}"] if root.exclude else []),
        *(["hidden names too"] if root.hidden else []),
        *([printable(root.why_offline)] if root.why_offline else []),
    ]
    return f"  ({', '.join(remarks)})" if remarks else ""


def _patterns(patterns: tuple[str, ...]) -> str:
    return ", ".join(map(printable, patterns))


def write_problems(
    answer: Iterable[Problem], stream: TextIO, look: Look | None = None, *, remarks: bool = True
) -> None:
    """The files without a fingerprint, by reason; without ``remarks``, no words about them all."""
    look = look or look_of(stream)
    by_reason: dict[Reason, list[Problem]] = defaultdict(list)
    for problem in answer:
        by_reason[problem.reason].append(problem)
    if not by_reason:
        stream.write("No problems: every file could be read.\n" if remarks else "")
        return
    for reason in sorted(by_reason, key=list(Reason).index):
        files = by_reason[reason]
        stream.write(look.bold(f"{reason.value}: {human.counted(len(files), 'file')}") + "\n")
        for problem in files:
            detail = look.dim(f": {printable(problem.detail)}") if problem.detail else ""
            size = human.size(problem.size)
            stream.write(f"  {size:>7}  {printable(problem.path)}{detail}\n")
        stream.write("\n")
    total = sum(map(len, by_reason.values()))
    if remarks:
        stream.write(look.bold(f"{human.counted(total, 'file')} could not be read") + "\n")


def write_summary(answer: Summary, stream: TextIO, look: Look | None = None) -> None:
    """One line for the run, and one for each thing that a person should know besides."""
    look = look or look_of(stream)
    done = ", ".join(_changes(answer))
    files = look.bold(human.counted(answer.scanned, "file"))
    done = f": {done}" if done else ""
    stream.write(f"{files}{done}, in {human.duration(answer.seconds)}\n")
    for folder in answer.offline:
        line = f"Not there now, its photos are kept: {printable(folder)}"
        stream.write(f"{look.warning(line)} {_WAYS_BACK}\n")
    for path, why in answer.unreadable:
        line = f"Could not be read: {printable(path)} ({printable(why)})"
        stream.write(look.bad(line) + "\n")
    _write_came_back(answer, stream, look)
    stream.writelines(f"{harmless(note)}\n" for note in answer.notes)
    if answer.interrupted:
        kept = "What was read is kept: run" if answer.added or answer.changed else "Run"
        stream.write(f"Interrupted. {kept} 'imgcat index' again to go on.\n")


def _write_came_back(answer: Summary, stream: TextIO, look: Look) -> None:
    for path in answer.came_back[:_MOST_CAME_BACK]:
        line = f"Thrown away before, and here again: {printable(path)}"
        stream.write(look.warning(line) + "\n")
    more = len(answer.came_back) - _MOST_CAME_BACK
    if more > 0:
        stream.write(look.warning(f"... and {more:,} more such; 'imgcat dupes' marks them") + "\n")


def write_verification(answer: Verification, stream: TextIO, look: Look | None = None) -> None:
    """What is not as the catalog has it, and how much was looked at."""
    look = look or look_of(stream)
    if answer.catalog_fault is not None:
        stream.write(look.bad(f"The catalog is damaged: {printable(answer.catalog_fault)}") + "\n")
    if answer.copy_differed:
        stream.write(look.bad(_COPY_DIFFERED) + "\n")
    stream.writelines(
        f"{look.bad('differs')}  {printable(drift.path)}: {printable(drift.why)}\n"
        for drift in answer.drifted
    )
    files = look.bold(human.counted(answer.checked, "file"))
    sound = "none differs" if answer.interrupted else "all as the catalog has them"
    verdict = f"{len(answer.drifted):,} differ" if answer.drifted else sound
    stream.write(f"{files} read: {verdict}, in {human.duration(answer.seconds)}\n")
    if answer.changed:
        changed = human.counted(answer.changed, "file")
        stream.write(f"{changed} changed or went since the last scan: run 'imgcat index'\n")
    if answer.interrupted:
        stream.write("Interrupted: the rest was not read.\n")


def _changes(answer: Summary) -> list[str]:
    counts = (
        (answer.added, "added"),
        (answer.changed, "changed"),
        (answer.moved, "moved"),
        (answer.missing, "missing"),
        (answer.left_out, "left out by your patterns"),
        (answer.pending, "still to be read"),
    )
    changes = [f"{count:,} {what}" for count, what in counts if count]
    if not (changes or answer.failed or answer.interrupted):
        changes.append("nothing new")
    if answer.failed:
        changes.append(f"{answer.failed:,} could not be read {_SEE_PROBLEMS}")
    elif answer.problems:
        changes.append(f"{human.counted(answer.problems, 'known problem')} {_SEE_PROBLEMS}")
    return changes
