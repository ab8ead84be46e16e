"""Why two pictures match or not, for people. The sentences are those of the JSON form too."""

from __future__ import annotations

from typing import TextIO

from catalog.escaping import printable
from catalog.model import (
    HASH_BITS,
    Explanation,
    HashKind,
    Kind,
    Picture,
    Rule,
    Setting,
    Standing,
)
from catalog.rendering import human
from catalog.rendering.look import Look, look_of

_NAMES = {
    HashKind.PHASH: "pHash",
    HashKind.DHASH: "dHash",
    HashKind.AHASH: "aHash",
    HashKind.WHASH: "wHash",
}
_STANDINGS = {
    Standing.IN_CATALOG: "in the catalog",
    Standing.GONE: "in the catalog, not on disk now",
    Standing.CHANGED: "changed since the last index",
    Standing.MISSING: "missing at the last index",
    Standing.OFFLINE: "in a folder that is offline",
    Standing.PROBLEM: "not readable at the last index",
    Standing.NOT_IN_CATALOG: "not in the catalog",
    Standing.NO_CATALOG: "no catalog yet",
}
_NOT_AS_SHOWN = {
    Standing.GONE: "not on disk now: dupes shows {} until the next 'imgcat index'",
    Standing.CHANGED: "changed: dupes goes by what {} was at the last 'imgcat index'",
}
_WAYS_BACK = {
    Standing.MISSING: "'imgcat index' looks again",
    Standing.OFFLINE: "'imgcat dupes' names the folder",
    Standing.PROBLEM: "'imgcat index' looks again",
    Standing.NOT_IN_CATALOG: "'imgcat index' adds what is below a folder",
    Standing.NO_CATALOG: "'imgcat index' begins one",
}
_STARS = (
    "Each photo stands in the group of the kept photo nearest to it, so two that match may "
    "stand in different groups; 'imgcat dupes --pairs' lists every match."
)
_ONE_FILE = (
    "Both are names of one file (hard links): dupes shows them only in a group with another "
    "file, as they take up no room of their own."
)
_UNRELATED = "Pictures with nothing in common differ in 32 bits on average, some in far fewer."
_UNVERIFIED = "Nothing verified that they show the same picture: look before you delete."


def write_explanation(
    answer: Explanation, stream: TextIO, look: Look | None = None, *, remarks: bool = True
) -> None:
    """The two pictures, what they have in common, what decided, and what would change it.

    Without ``remarks``, nothing about what the answer means and how far it sees.
    """
    look = look or look_of(stream)
    _write_picture("First", answer.first, answer.first_standing, stream, look)
    _write_picture("Second", answer.second, answer.second_standing, stream, look)
    stream.write("\n" + _row("Bytes", "identical" if answer.identical else "different"))
    if answer.same_file:
        stream.write(_row("File", "the same, of one path" if _one_path(answer) else "the same"))
    for kind, distance in answer.distances.items():
        row = _row(_NAMES[kind], f"{human.counted(distance, 'bit'):<8}  {_alike(distance):>7}")
        stream.write(look.bold(row) if kind is answer.asked.hash else row)
    paint = look.good if answer.matched else look.bad
    stream.write(f"\n{paint('Match' if answer.matched else 'No match')}: {reason(answer)}.\n")
    stream.writelines(f"  {change(answer, setting)}\n" for setting in answer.would_change)
    if remarks:
        stream.writelines(f"{look.warning(note)}\n" for note in notes(answer))


def reason(answer: Explanation) -> str:
    """What decided, in a clause without names."""
    if answer.decided_by is Rule.ONE_PATH:
        return "both lead to one path, and a file is not compared with itself"
    if answer.decided_by is Rule.IDENTICAL_BYTES:
        return "identical bytes"
    if answer.decided_by is Rule.EXACT_ONLY:
        return "the bytes differ, and --exact compares nothing else"
    if answer.decided_by is Rule.FLAT:
        flat = _which(answer.first.flat, answer.second.flat)
        verb = "are" if flat == "both" else "is"
        return f"{flat} {verb} flat, flat pictures are compared by bytes only, and the bytes differ"
    bits = human.counted(answer.distances[answer.asked.hash], "bit")
    return f"{_NAMES[answer.asked.hash]} differs in {bits}; the radius is {answer.asked.radius}"


def change(answer: Explanation, setting: Setting) -> str:
    """What ``setting``, told by its difference from what was asked, would come to."""
    asked = answer.asked
    outcome = f"they would {'not ' if answer.matched else ''}match"
    if setting.radius is None:
        return f"with --exact {outcome}"
    if asked.flat and not setting.flat:
        return f"without --no-verify {outcome}"
    words = [
        *([f"--hash {setting.hash}"] if setting.hash is not asked.hash else []),
        *([f"--radius {setting.radius}"] if setting.radius != asked.radius else []),
        *(["--no-verify"] if setting.flat and not asked.flat else []),
        *(["instead of --exact"] if asked.radius is None else []),
    ]
    return f"with {' '.join(words)} {outcome}"


def options(setting: Setting) -> list[str]:
    """All options that ask ``dupes`` and ``explain`` for this setting."""
    if setting.radius is None:
        return ["--exact"]
    words = ["--hash", setting.hash.value, "--radius", str(setting.radius)]
    return [*words, "--no-verify"] if setting.flat else words


def notes(answer: Explanation) -> list[str]:
    """What a person should know besides, a sentence each."""
    found = []
    first, second = answer.first_standing, answer.second_standing
    for standing in dict.fromkeys((first, second)):
        who = _which(first is standing, second is standing)
        if standing in _NOT_AS_SHOWN:
            it = "them" if who == "both" else "it"
            found.append(f"{_capital(who)}: {_NOT_AS_SHOWN[standing].format(it)}.")
        elif not standing.shown:
            found.append(f"dupes leaves {who} out: {_STANDINGS[standing]}; {_WAYS_BACK[standing]}.")
    if answer.first.recipe != answer.second.recipe and not answer.identical:
        recipes = f"{printable(answer.first.recipe)}, {printable(answer.second.recipe)}"
        found.append(
            f"The hashes were made of different pixels ({recipes}) and may differ by a bit or "
            "two for that alone; 'imgcat index' goes on to make them alike."
        )
    if answer.same_file and not _one_path(answer):
        found.append(_ONE_FILE)
    if answer.decided_by is Rule.BEYOND_RADIUS:
        found.append(_UNRELATED)
    if answer.decided_by.kind is Kind.HASH:
        found.append(_UNVERIFIED)
        if first.shown and second.shown:
            found.append(_STARS)
    return found


def _write_picture(
    which: str, picture: Picture, standing: Standing, stream: TextIO, look: Look
) -> None:
    facts = (
        human.size(picture.size),
        f"{picture.width}x{picture.height}",
        printable(picture.format),
        _date(picture),
        *([human.counted(picture.frames, "frame")] if picture.frames > 1 else []),
        *(["flat"] if picture.flat else []),
        _STANDINGS[standing],
        *(["read now"] if picture.file is None else []),
    )
    stream.write(f"{look.bold(f'{which:<7}')} {printable(picture.path)}\n")
    stream.write(look.dim(f"        {', '.join(facts)}") + "\n")


def _date(picture: Picture) -> str:
    if picture.taken_at is None:
        return f"changed {human.minute(picture.mtime_ns)}"
    return f"taken {printable(picture.taken_at[:16].replace('T', ' '))}"


def _row(name: str, value: str) -> str:
    return f"{name:<7} {value}\n"


def _alike(distance: int) -> str:
    """The bits that agree, in percent, rounded down: as --similarity it lets these two match."""
    tenths = (HASH_BITS - distance) * 1000 // HASH_BITS
    return f"{tenths // 10}.{tenths % 10} %"


def _one_path(answer: Explanation) -> bool:
    return answer.decided_by is Rule.ONE_PATH


def _which(first: bool, second: bool) -> str:
    return "both" if first and second else "the first" if first else "the second"


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]
