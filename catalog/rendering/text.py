"""Answers to "which are the same?" for people: groups, pairs, and matches of one picture.

One photo is one line: what it is to the kept photo, size, dimensions, date, path. On a narrow
terminal the path stands on its own line above the rest, as paths are never cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TextIO

from catalog.escaping import printable
from catalog.model import Duplicates, Group, Kind, Likeness, Match, Pair, Photo, Rule, Stages
from catalog.rendering import human, words
from catalog.rendering.look import Look, look_of

ROOMY = 100  # columns from which the facts (45 columns) and most paths share a line

GROUP_WORDS = {
    Kind.IDENTICAL: "identical",
    Kind.SAME: "same picture",
    Kind.SIMILAR: "similar",
    Kind.HASH: "close hashes",
}
HASH_NOTE = (
    'Groups with "close hashes" only have hashes that differ in few bits.\n'
    "Nothing verified that they show the same picture: look before you delete."
)
_NOT_COMPARED = "not compared: a file could not be read"
_STAMPS = {Rule.STAMP_ON_FIRST: "without its stamp", Rule.STAMP_ON_SECOND: "stamped"}
KEEP = "keep"
_RELATION_WIDTH = 14  # "similar 0.971" and a space
_INDENT = " " * _RELATION_WIDTH


def write_duplicates(
    answer: Duplicates,
    stream: TextIO,
    look: Look | None = None,
    *,
    remarks: bool = True,
    drawn: Callable[[Iterable[Group]], Iterable[Group]] = iter,
) -> None:
    """The groups, or the pairs where these were asked for, and what they come to.

    Without ``remarks``, nothing about what the answer means and how far it sees. ``drawn`` gives
    the groups it gets, and may draw each before.
    """
    look = look or look_of(stream)
    if answer.pairs is not None:
        _write_pairs(answer.pairs, stream, look)
    else:
        _write_groups(answer, drawn(answer.groups), stream, look, remarks=remarks)
    if remarks and answer.stages is not None:
        _write_search(answer.stages, stream, look)
    if remarks:
        _write_horizon(answer, stream, look)


def _write_groups(
    answer: Duplicates, groups: Iterable[Group], stream: TextIO, look: Look, *, remarks: bool
) -> None:
    if not answer.groups:
        stream.write("No duplicates found.\n")
        return
    for number, group in enumerate(groups, 1):
        _write_group(number, group, stream, look)
    if remarks and any(group.kind is Kind.HASH for group in answer.groups):
        stream.write(look.warning(HASH_NOTE) + "\n\n")
    stream.write(look.bold(totals_of(answer)) + "\n")


def totals_of(answer: Duplicates) -> str:
    """What all groups come to."""
    return ", ".join(
        (
            human.counted(len(answer.groups), "group"),
            human.counted(answer.photos, "photo"),
            f"{human.size(answer.reclaimable)} reclaimable",
        )
    )


def write_likeness(
    answer: Likeness,
    stream: TextIO,
    look: Look | None = None,
    *,
    remarks: bool = True,
    drawn: Callable[[Iterable[Match]], Iterable[Match]] = iter,
) -> None:
    """The matches, best first; ``remarks`` and ``drawn`` as in ``write_duplicates``."""
    look = look or look_of(stream)
    query = printable(answer.query)
    if answer.flat:
        stream.write(f"{query} is nearly blank: only identical files were looked for.\n")
    if not answer.matches:
        stream.write(f"Nothing else in the catalog looks like {query}\n")
        if remarks:
            _write_horizon(answer, stream, look)
        return
    stream.write(look.bold(f"{human.counted(len(answer.matches), 'match', 'matches')} for {query}"))
    stream.write("\n\n")
    for match in drawn(answer.matches):
        write_photo(relation_of(match), match.photo, remarks_on(match), stream, look)
    stream.write("\n")
    if remarks:
        _write_horizon(answer, stream, look)


def write_offline(folders: Iterable[tuple[bytes, str]], stream: TextIO, look: Look) -> None:
    """The folders that were left out, and why."""
    stream.writelines(look.warning(left_out(path, why)) + "\n" for path, why in folders)


def left_out(path: bytes, why: str) -> str:
    """That an answer is not about a folder."""
    return f"Left out, as it is not there now: {printable(path)} ({printable(why)})"


def _write_horizon(answer: Duplicates | Likeness, stream: TextIO, look: Look) -> None:
    """What the answer could not see: folders that are not there, and all since the last scan."""
    write_offline(answer.offline, stream, look)
    if answer.last_scan_ns is not None and not answer.fresh:
        since = human.ago(answer.last_scan_ns)
        stream.write(look.dim(f"Last scan {since}; 'imgcat index' looks again.") + "\n")


def _write_search(stages: Stages, stream: TextIO, look: Look) -> None:
    """What had to be found out for this answer."""
    stream.writelines(look.dim(line) + "\n" for line in words.search(stages))


def _write_pairs(pairs: Iterable[Pair], stream: TextIO, look: Look) -> None:
    count = 0
    for pair in pairs:
        count += 1
        first, second = printable(pair.first.path), printable(pair.second.path)
        flat = "  (flat)" if pair.first.flat or pair.second.flat else ""
        how = _bits(pair.distance) if pair.kind is Kind.HASH else pair.kind.value
        if pair.score is not None and pair.kind is not Kind.IDENTICAL:
            how += f" {pair.score:.3f}"
        width = 7 if pair.kind is Kind.HASH else _RELATION_WIDTH - 1
        stream.write(f"{how:>{width}}  {first}  {second}{look.dim(flat)}\n")
    if count:
        stream.write("\n" + look.bold(human.counted(count, "pair")) + "\n")
    else:
        stream.write("No pairs found.\n")


def _write_group(number: int, group: Group, stream: TextIO, look: Look) -> None:
    kept = look.dim(f"(kept: {group.keep_reason})")
    stream.write(f"{look.bold(heading_of(number, group))} {kept}\n")
    write_photo(KEEP, group.keep, own_remarks(group.keep), stream, look)
    for match in group.matches:
        write_photo(relation_of(match), match.photo, remarks_on(match), stream, look)
    stream.write("\n")


def heading_of(number: int, group: Group) -> str:
    """What a group is, and what it comes to."""
    heading = [
        human.counted(1 + len(group.matches), "photo"),
        GROUP_WORDS[group.kind],
        f"{human.size(group.reclaimable)} reclaimable",
    ]
    if group.kind in (Kind.SAME, Kind.SIMILAR):
        heading.insert(2, f"worst score {group.score:.3f}")
    return f"Group {number:,}: {', '.join(heading)}"


def write_photo(
    relation: str, photo: Photo, remarks: list[str], stream: TextIO, look: Look
) -> None:
    """One photo: ``relation`` is what it is to the kept one, or what becomes of it."""
    # Padded before it is painted: colour codes have no width on screen, but they do in a str.
    mark = f"{relation:{_RELATION_WIDTH}}"
    if relation == KEEP:
        mark = look.good(mark)
    remark = look.dim(f"  ({', '.join(remarks)})") if remarks else ""
    path = f"{printable(photo.path)}{remark}"
    if look.width is not None and look.width < ROOMY:
        stream.write(f"  {mark}{path}\n  {_INDENT}{look.dim(_facts(photo).strip())}\n")
    else:
        stream.write(f"  {mark}{look.dim(_facts(photo))}  {path}\n")


def _facts(photo: Photo) -> str:
    dimensions = f"{photo.width}x{photo.height}"
    return f"{human.size(photo.stamp.size):>7}  {dimensions:<10}  {date_of(photo):<16}"


def date_of(photo: Photo) -> str:
    """When the picture was taken; where it does not say, when the file was last modified."""
    if photo.taken_at is None:
        return human.minute(photo.stamp.mtime_ns)
    return printable(photo.taken_at[:16].replace("T", " "))


def relation_of(match: Match) -> str:
    """What a photo is to the one it was compared with, in at most 13 columns."""
    if match.kind is Kind.HASH:
        return _bits(match.distance)
    if match.kind is Kind.IDENTICAL:
        return "identical"
    return f"{match.kind.value} {match.score:.3f}"


def _bits(distance: int) -> str:
    return human.counted(distance, "bit")


def remarks_on(match: Match) -> list[str]:
    """What is worth a word about how a photo relates to the kept one."""
    return [
        *(["same file, hard link"] if match.same_file else []),
        *([words.turn(match.orientation)] if match.orientation != 1 else []),
        *words.sides(match.lost, match.more),
        *([_STAMPS[match.rule]] if match.rule is not None and match.rule in _STAMPS else []),
        *([_NOT_COMPARED] if match.rule in (Rule.NOT_COMPARED, Rule.UNDECIDED) else []),
        *own_remarks(match.photo),
    ]


def own_remarks(photo: Photo) -> list[str]:
    """What is worth a word about a photo by itself."""
    return [
        *(["flat"] if photo.flat else []),
        *(["thrown away before, and here again"] if photo.came_back else []),
    ]
