"""Answers as plain objects for JSON. The field names are an interface: they are only added to.

Every object starts with ``format``. Paths are as ``escaping.json_path`` gives them. Times come
as ``mtime`` (ISO 8601, UTC, to the microsecond) and exact as ``mtime_ns``; ``taken_at`` is
EXIF's own words, mostly without a time zone. Scores are rounded to 4 places.

The kept photo of a group is told as a match of itself: ``kind`` identical, ``distance`` 0,
``score`` 1, ``orientation`` 1; ``keep`` sets it apart. A pair has no room for a mark, so
``flat`` beside ``pairs`` lists the flat pictures among them.

What ``dupes`` and ``similar`` say is here, with what all objects have in common; ``explained``
has that of ``explain``, and ``states`` those of ``status``, ``problems``, ``index`` and ``verify``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, TextIO, TypeAlias

from catalog.escaping import UNSAFE, exact_text, json_path
from catalog.model import Duplicates, Group, Kind, Likeness, Match, Pair, Photo, Stages
from catalog.rendering import human

FORMAT = 1

Object: TypeAlias = dict[str, Any]


def duplicates(answer: Duplicates) -> Object:
    """What ``dupes --json`` says, all at once; ``write_duplicates`` streams the same."""
    whole = {
        "format": FORMAT,
        **_horizon(answer),
        "search": _search(answer.stages),
        "groups": [_group(group) for group in answer.groups],
        "photos": answer.photos,
        "reclaimable": answer.reclaimable,
    }
    if answer.pairs is not None:
        flat: dict[bytes, None] = {}
        whole["pairs"] = [_pair(pair) for pair in _noting_flat(answer.pairs, flat)]
        whole["flat"] = [_path_item(path) for path in flat]
    return whole


def likeness(answer: Likeness) -> Object:
    """What ``similar --json`` says."""
    return {
        "format": FORMAT,
        **json_path(answer.query, "query"),
        **_horizon(answer),
        "flat": answer.flat,
        "matches": [_match(match) for match in answer.matches],
    }


def _horizon(answer: Duplicates | Likeness) -> Object:
    """How far the answer is known to match the disk."""
    return {
        "fresh": answer.fresh,
        "last_scan": None if answer.last_scan_ns is None else moment(answer.last_scan_ns),
        "offline": [{**json_path(path), "why": why} for path, why in answer.offline],
    }


def _search(stages: Stages | None) -> Object | None:
    """What was left after each step; null where nothing is verified."""
    if stages is None:
        return None
    return {
        "searched": stages.searched,
        "contents": stages.contents,
        "by_hash": stages.by_hash,
        "by_frequencies": stages.by_frequencies,
        "aligned": stages.refined,
        "alike": stages.alike,
        "undecided": stages.undecided,
        "compared": stages.compared,
        "not_compared": stages.not_compared,
        "searching": round(stages.searching, 3),
        "settling": round(stages.settling, 3),
    }


def write_json(whole: Mapping[str, Any], stream: TextIO) -> None:
    """One object on one line."""
    stream.write(encoded(whole) + "\n")


def write_duplicates(answer: Duplicates, stream: TextIO) -> None:
    """The object of ``duplicates``, a group or pair a line, in the memory of one of them.

    Only the flat pictures among the pairs are gathered, as ``flat`` follows ``pairs``.
    """
    head = encoded({"format": FORMAT, **_horizon(answer), "search": _search(answer.stages)})
    stream.write(head.removesuffix("}") + ', "groups": ')
    write_array(map(_group, answer.groups), stream)
    stream.write(f', "photos": {answer.photos}, "reclaimable": {answer.reclaimable}')
    if answer.pairs is not None:
        flat: dict[bytes, None] = {}
        stream.write(', "pairs": ')
        write_array(map(_pair, _noting_flat(answer.pairs, flat)), stream)
        stream.write(', "flat": ')
        write_array(map(_path_item, flat), stream)
    stream.write("}\n")


def encoded(value: Any) -> str:
    """JSON in one line of valid UTF-8 that a terminal can be shown.

    ``json`` escapes what is below 0x20; the other unsafe characters are escaped here, which
    changes nothing for who parses it. Surrogates have no UTF-8: they become U+FFFD.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text if text.isascii() and text.isprintable() else UNSAFE.sub(_json_escape, text)


def _json_escape(found: re.Match[str]) -> str:
    character = found.group()
    code = 0xFFFD if 0xD800 <= ord(character) <= 0xDFFF else ord(character)
    return json.dumps(chr(code))[1:-1] if code != 0x7F else "\\u007f"


def write_array(items: Iterable[Any], stream: TextIO) -> None:
    """An array, an item a line, in the memory of one of them."""
    begin, empty = "[\n", True
    for item in items:
        stream.write(begin + encoded(item))
        begin, empty = ",\n", False
    stream.write("[]" if empty else "\n]")


def _group(group: Group) -> Object:
    kept = Match(group.keep, Kind.IDENTICAL, distance=0, score=1.0)
    return {
        "kind": group.kind.value,
        "score": round(group.score, 4),
        "reclaimable": group.reclaimable,
        "keep_reason": group.keep_reason,
        "photos": [
            {**_match(match), "keep": match is kept} for match in chain([kept], group.matches)
        ],
    }


def _match(match: Match) -> Object:
    return {
        **json_path(match.photo.path),
        "kind": match.kind.value,
        **_photo(match.photo),
        "distance": match.distance,
        "score": round(match.score, 4),
        "orientation": match.orientation,
        "same_file": match.same_file,
        "rule": None if match.rule is None else match.rule.value,
        "lost": {side.name: round(side.part, 3) for side in match.lost},
        "more": {side.name: round(side.part, 3) for side in match.more},
    }


def _photo(photo: Photo) -> Object:
    return {
        "size": photo.stamp.size,
        "width": photo.width,
        "height": photo.height,
        "mtime": moment(photo.stamp.mtime_ns),
        "mtime_ns": photo.stamp.mtime_ns,
        "taken_at": photo.taken_at,
        "format": photo.format,
        "camera": photo.camera,
        "flat": photo.flat,
        "frames": photo.frames,
        "came_back": photo.came_back,
    }


def _pair(pair: Pair) -> list[Any]:
    score = None if pair.score is None else round(pair.score, 4)
    paths = (_path_item(photo.path) for photo in (pair.first, pair.second))
    return [*paths, pair.distance, pair.kind.value, score]


def _noting_flat(pairs: Iterable[Pair], flat: dict[bytes, None]) -> Iterator[Pair]:
    """The pairs, while the paths of flat pictures among them gather in ``flat``."""
    for pair in pairs:
        flat.update((photo.path, None) for photo in (pair.first, pair.second) if photo.flat)
        yield pair


def _path_item(path: bytes) -> str | dict[str, str]:
    """In a list of paths: the text itself, an object only where text cannot carry it."""
    text = exact_text(path)
    return json_path(path) if text is None else text


def moment(moment_ns: int) -> str:
    """``2021-07-04T10:31:05.000250Z``"""
    return human.utc(moment_ns).isoformat(timespec="microseconds").replace("+00:00", "Z")
