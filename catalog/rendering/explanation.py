"""Why two pictures match or not, for people. The sentences are those of the JSON form too."""

from __future__ import annotations

from collections.abc import Iterator
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
from catalog.rendering import human, words
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
_VERIFIED = {
    Rule.NOTHING_ALIKE: "no window of one looks like the other",
    Rule.LOOKS_ALIKE: "they look alike, but not enough for one picture",
    Rule.SEVERAL_FRAMES: "one has more frames or pages than the one that is seen, so they are "
    "similar at most",
    Rule.RAW_AND_PICTURE: "one is a camera RAW, so they are similar at most",
    Rule.TAKEN_APART: "they were taken at different moments, EXIF says: two shots, similar at most",
    Rule.SIGNATURES_AGREE: "the signatures agree to the last grey value: one picture",
    Rule.PIXELS_AGREE: "compared closely, the files agree everywhere: one picture",
    Rule.ALL_BUT_A_STAMP: "compared closely, the files agree but for one colour in a part of one, "
    "laid over it or cut off there by an edit: one picture",
    Rule.STAMP_ON_FIRST: "compared closely, the files agree but for one colour laid over a part of "
    "the first: one picture, stamped",
    Rule.STAMP_ON_SECOND: "compared closely, the files agree but for one colour laid over a part "
    "of the second: one picture, stamped",
    Rule.PARTS_DIFFER: "compared closely, parts of the files differ: another shot, or "
    "another thing",
    Rule.COLOURS_DIFFER: "compared closely, the colours differ",
    Rule.TOO_LITTLE_DETAIL: "there is too little detail in the files to tell a copy",
    Rule.NOT_COMPARED: "only the files can tell, and one could not be read ({why})",
    Rule.UNDECIDED: "only the files can tell",
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
        row = f"{human.counted(distance, 'bit'):<8}  {_alike(distance):>7}"
        turned = answer.turned.get(kind, ())
        if turned:
            row += "   turned: " + " ".join(f"{bits:2}" for bits in turned[1:])
        asked = kind is answer.asked.hash and answer.asked.grade is Kind.HASH
        stream.write(look.bold(_row(_NAMES[kind], row)) if asked else _row(_NAMES[kind], row))
    if answer.alignment is not None:
        stream.writelines(_row(*line) for line in _findings(answer))
    paint = look.good if answer.matched else look.bad
    stream.write(f"\n{paint('Match' if answer.matched else 'No match')}: {reason(answer)}.\n")
    stream.writelines(f"  {change(answer, setting)}\n" for setting in answer.would_change)
    if remarks:
        stream.writelines(f"{look.warning(note)}\n" for note in notes(answer))


def reason(answer: Explanation) -> str:
    """What decided, in a clause without names."""
    if answer.kept_both:
        return f"you keep both ('imgcat keep-both'); without that: {_reason(answer)}"
    return _reason(answer)


def _reason(answer: Explanation) -> str:
    if answer.decided_by in _VERIFIED:
        return _VERIFIED[answer.decided_by].format(why=answer.not_compared)
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


def _findings(answer: Explanation) -> Iterator[tuple[str, str]]:
    """What a search for verified matches found out, a line each: its name, and the words."""
    found = answer.alignment
    assert found is not None
    whole = "first" if found.in_first else "second"
    lost = words.parts(found.edges)
    window = f"the whole of the {whole}" if not lost else f"the {whole} without {lost}"
    turn = "" if found.orientation == 1 else f", the second {words.turn(found.orientation)}"
    yield "Fits", f"{window}{turn}"
    yield (
        "Score",
        (
            f"{found.score:.4f}; the greys are off by {found.residual:.1f} of 255, where they "
            f"vary by {found.contrast:.0f}"
        ),
    )
    if not found.found:
        yield "", "no hash of a window leads from one to the other"
    if answer.comparison is not None:
        seen = answer.comparison
        places = human.counted(seen.clusters, "place")
        yield (
            "Files",
            (
                f"{seen.textured} of 256 blocks have texture; {seen.differing:.1%} of all differ "
                f"({places}), {seen.moved:.1%} moved, {seen.recoloured:.1%} have other colours"
            ),
        )


def change(answer: Explanation, setting: Setting) -> str:
    """What ``setting``, told by its difference from what was asked, would come to."""
    asked = answer.asked
    outcome = f"they would {'not ' if answer.matched else ''}match"
    if setting.radius is None:
        return f"with --exact {outcome}"
    if setting.grade is Kind.SIMILAR:
        return f"with --grade similar {outcome}"
    if setting.grade is Kind.SAME:
        return f"without --{'exact' if asked.radius is None else 'grade similar'} {outcome}"
    if asked.flat and not setting.flat:
        return f"without --no-verify {outcome}"
    wider = asked.grade is not Kind.HASH or setting.radius != asked.radius
    told = [
        *([f"--hash {setting.hash}"] if setting.hash is not asked.hash else []),
        *([f"--radius {setting.radius}"] if wider else []),
        *(["--no-verify"] if setting.flat and not asked.flat else []),
        *(["instead of --exact"] if asked.radius is None else []),
    ]
    return f"with {' '.join(told)} {outcome}"


def options(setting: Setting) -> list[str]:
    """All options that ask ``dupes`` and ``explain`` for this setting."""
    if setting.radius is None:
        return ["--exact"]
    if setting.grade is not Kind.HASH:
        return ["--grade", setting.grade.value]
    told = ["--hash", setting.hash.value, "--radius", str(setting.radius)]
    return [*told, "--no-verify"] if setting.flat else told


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
