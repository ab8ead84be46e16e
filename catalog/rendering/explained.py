"""What ``explain`` answers as a plain object for JSON, by the rules of ``structured``."""

from __future__ import annotations

from catalog.escaping import json_path
from catalog.model import Alignment, Comparison, Explanation, Picture, Standing
from catalog.rendering import explanation as words
from catalog.rendering.structured import FORMAT, Object, moment


def explanation(answer: Explanation) -> Object:
    """What ``explain --json`` says. ``radius`` is null where only equal bytes were asked for."""
    kind = answer.decided_by.kind
    return {
        "format": FORMAT,
        "first": _picture(answer.first, answer.first_standing),
        "second": _picture(answer.second, answer.second_standing),
        "identical": answer.identical,
        "same_file": answer.same_file,
        "distances": {name.value: bits for name, bits in answer.distances.items()},
        "matched": answer.matched,
        "kind": None if kind is None else kind.value,
        "hash": answer.asked.hash.value,
        "radius": answer.asked.radius,
        "no_verify": answer.asked.flat,
        "decided_by": answer.decided_by.value,
        "explanation": words.reason(answer),
        "would_change": [
            {
                "options": words.options(setting),
                "matched": not answer.matched,
                "explanation": words.change(answer, setting),
            }
            for setting in answer.would_change
        ],
        "notes": words.notes(answer),
        "grade": answer.asked.grade.value,
        "turned": {name.value: list(bits) for name, bits in answer.turned.items()},
        "alignment": None if answer.alignment is None else _alignment(answer.alignment),
        "comparison": None if answer.comparison is None else _comparison(answer.comparison),
        "not_compared": answer.not_compared,
        "kept_both": answer.kept_both,
    }


def _picture(picture: Picture, standing: Standing) -> Object:
    return {
        **json_path(picture.path),
        "size": picture.size,
        "width": picture.width,
        "height": picture.height,
        "mtime": moment(picture.mtime_ns),
        "mtime_ns": picture.mtime_ns,
        "taken_at": picture.taken_at,
        "format": picture.format,
        "camera": picture.camera,
        "flat": picture.flat,
        "frames": picture.frames,
        "recipe": picture.recipe,
        "standing": standing.value,
        "read": picture.file is None,
    }


def _alignment(alignment: Alignment) -> Object:
    left, right, top, bottom = (round(edge, 4) for edge in alignment.edges)
    return {
        "score": round(alignment.score, 4),
        "window_of": "first" if alignment.in_first else "second",
        "left": left,
        "right": right,
        "top": top,
        "bottom": bottom,
        "orientation": alignment.orientation,
        "gain": round(alignment.gain, 3),
        "contrast": round(alignment.contrast, 2),
        "residual": round(alignment.residual, 2),
        "found_by_hash": alignment.found,
    }


_ENDS: dict[bool | None, str] = {True: "first", False: "second"}


def _comparison(comparison: Comparison) -> Object:
    return {
        "textured": comparison.textured,
        "residual": round(comparison.residual, 4),
        "differing": round(comparison.differing, 4),
        "moved": round(comparison.moved, 4),
        "recoloured": round(comparison.recoloured, 4),
        "clusters": comparison.clusters,
        "at_the_edge": comparison.margin,
        "painted": round(comparison.painted, 4),
        "painted_on": _ENDS.get(comparison.on_first),
        "noise": round(comparison.noise, 2),
    }
