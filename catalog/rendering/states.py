"""How things stand as plain objects for JSON, by the rules of ``structured``.

The state of the catalog, its problems, and what a run of ``index`` or ``verify`` came to.
"""

from __future__ import annotations

from collections.abc import Iterable

from catalog.escaping import json_path
from catalog.model import DaemonState, Problem, RootState, Status, Summary, Verification
from catalog.rendering.structured import FORMAT, Object, moment


def status(answer: Status) -> Object:
    """What ``status --json`` says."""
    return {
        "format": FORMAT,
        **json_path(answer.catalog, "catalog"),
        "size": answer.size,
        "photos": answer.photos,
        "contents": answer.contents,
        "problems": answer.problems,
        "missing": answer.missing,
        "recipe": answer.recipe.value,
        "other_recipe": answer.other_recipe,
        "roots": [_root(root) for root in answer.roots],
        "daemon": _daemon(answer.daemon),
    }


def _root(root: RootState) -> Object:
    return {
        **json_path(root.path),
        "state": "online" if root.online else "offline",
        "photos": root.photos,
        "problems": root.problems,
        "missing": root.missing,
        "last_scan": None if root.last_scan_ns is None else moment(root.last_scan_ns),
        "last_scan_ns": root.last_scan_ns,
        "why_offline": root.why_offline,
        "include": list(root.include),
        "exclude": list(root.exclude),
        "hidden": root.hidden,
    }


def _daemon(daemon: DaemonState) -> Object:
    last = daemon.last_rescan_ns
    return {
        "state": daemon.state.value,
        "pid": daemon.pid,
        "pending": daemon.pending,
        "overflows": daemon.overflows,
        "last_rescan": None if last is None else moment(last),
        "lag": daemon.lag,
        "to_read": daemon.to_read,
        "watched": daemon.watched,
        "unwatched": daemon.unwatched,
        "polling": daemon.polling,
        "problem": daemon.problem,
    }


def problems(answer: Iterable[Problem]) -> Object:
    """What ``problems --json`` says."""
    return {"format": FORMAT, "problems": [_problem(problem) for problem in answer]}


def _problem(problem: Problem) -> Object:
    return {
        **json_path(problem.path),
        "size": problem.size,
        "reason": problem.reason.value,
        "detail": problem.detail,
    }


def summary(answer: Summary) -> Object:
    """What ``index --json`` says. ``failed`` counts this run, ``problems`` all that is known."""
    return {
        "format": FORMAT,
        "roots": [json_path(root) for root in answer.roots],
        "scanned": answer.scanned,
        "unchanged": answer.unchanged,
        "added": answer.added,
        "changed": answer.changed,
        "moved": answer.moved,
        "missing": answer.missing,
        "failed": answer.failed,
        "seconds": round(answer.seconds, 3),
        "problems": answer.problems,
        "unread": answer.unread,
        "left_out": answer.left_out,
        "pending": answer.pending,
        "offline": [json_path(folder) for folder in answer.offline],
        "unreadable": [{**json_path(path), "why": why} for path, why in answer.unreadable],
        "came_back": [json_path(path) for path in answer.came_back],
        "notes": list(answer.notes),
        "interrupted": answer.interrupted,
        "complete": answer.complete,
    }


def verification(answer: Verification) -> Object:
    """What ``verify --json`` says."""
    return {
        "format": FORMAT,
        "checked": answer.checked,
        "changed": answer.changed,
        "drifted": [{**json_path(drift.path), "why": drift.why} for drift in answer.drifted],
        "catalog_fault": answer.catalog_fault,
        "copy_differed": answer.copy_differed,
        "seconds": round(answer.seconds, 3),
        "interrupted": answer.interrupted,
    }
