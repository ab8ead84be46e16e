"""JSON of how things stand: the field names are an interface."""

from __future__ import annotations

from dataclasses import replace

from catalog.model import (
    DaemonStanding,
    DaemonState,
    Drift,
    Problem,
    Reason,
    Recipe,
    RootState,
    Status,
    Summary,
    Verification,
)
from catalog.rendering import states

STATUS = Status(
    catalog=b"/data/catalog.db",
    size=4096,
    photos=12,
    contents=10,
    problems=2,
    missing=1,
    recipe=Recipe.REDUCED,
    other_recipe=0,
    roots=(
        RootState(b"/photos", True, 12, 2, 1, 1_625_400_000_000_000_000),
        RootState(b"/usb\xff", False, 0, 0, 0, None, "not mounted"),
    ),
)


def test_status():
    whole = states.status(STATUS)
    assert list(whole)[:4] == ["format", "catalog", "size", "photos"]
    assert (whole["catalog"], whole["photos"], whole["problems"]) == ("/data/catalog.db", 12, 2)
    online, offline = whole["roots"]
    assert (online["path"], online["state"], online["photos"], online["last_scan"]) == (
        "/photos",
        "online",
        12,
        "2021-07-04T12:00:00.000000Z",
    )
    assert (offline["state"], offline["last_scan"], offline["path_b64"]) == (
        "offline",
        None,
        "L3VzYv8=",
    )
    assert whole["daemon"] == {
        "state": "stopped",
        "pid": None,
        "pending": 0,
        "overflows": 0,
        "last_rescan": None,
        "lag": 0.0,
        "to_read": 0,
        "watched": 0,
        "unwatched": 0,
        "polling": "",
        "problem": "",
    }
    state = DaemonState(
        DaemonStanding.DEGRADED,
        pid=7,
        pending=2,
        to_read=30,
        lag=1.5,
        overflows=1,
        last_rescan_ns=1_625_400_000_000_000_000,
        watched=200,
        unwatched=3,
        polling="",
        problem="3 folders",
    )
    assert states.status(replace(STATUS, daemon=state))["daemon"] == {
        "state": "degraded",
        "pid": 7,
        "pending": 2,
        "overflows": 1,
        "last_rescan": "2021-07-04T12:00:00.000000Z",
        "lag": 1.5,
        "to_read": 30,
        "watched": 200,
        "unwatched": 3,
        "polling": "",
        "problem": "3 folders",
    }


def test_summary():
    answer = Summary((b"/a", b"/\xff"), 9, 1, 2, 3, 1, 1, 1, 3.14159, problems=4, notes=("hm",))
    whole = states.summary(answer)
    assert list(whole)[:11] == [
        "format",
        "roots",
        "scanned",
        "unchanged",
        "added",
        "changed",
        "moved",
        "missing",
        "failed",
        "seconds",
        "problems",
    ]
    assert whole["roots"] == [{"path": "/a"}, {"path": "/\\xff", "path_b64": "L/8="}]
    assert (whole["seconds"], whole["complete"], whole["notes"]) == (3.142, True, ["hm"])
    broken = replace(answer, unreadable=((b"/x", "Permission denied"),), offline=(b"/usb",))
    whole = states.summary(broken)
    assert whole["unreadable"] == [{"path": "/x", "why": "Permission denied"}]
    assert whole["offline"] == [{"path": "/usb"}]
    assert whole["complete"] is False


def test_problems():
    whole = states.problems([Problem(b"/a", 12, Reason.TRUNCATED, "cut")])
    assert whole == {
        "format": 1,
        "problems": [{"path": "/a", "size": 12, "reason": "truncated", "detail": "cut"}],
    }


def test_json_of_a_verification_names_what_drifted():
    answer = Verification(
        checked=7,
        changed=1,
        drifted=(Drift(b"/photos/\xff.jpg", "other bytes"),),
        catalog_fault="row 3 missing from index",
        seconds=1.23456,
        copy_differed=True,
    )
    assert states.verification(answer) == {
        "format": 1,
        "checked": 7,
        "changed": 1,
        "drifted": [
            {"path": "/photos/\\xff.jpg", "path_b64": "L3Bob3Rvcy//LmpwZw==", "why": "other bytes"}
        ],
        "catalog_fault": "row 3 missing from index",
        "copy_differed": True,
        "seconds": 1.235,
        "interrupted": False,
    }
