"""The state of the catalog, its problems, and index runs as people read them."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import pytest

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
from catalog.rendering import reports
from catalog.rendering.look import Look

STATUS = Status(
    catalog=b"/data/catalog.db",
    size=12_345_678,
    photos=12_345,
    contents=11_000,
    problems=4,
    missing=2,
    recipe=Recipe.REDUCED,
    other_recipe=12,
    roots=(),
)
QUIET_RUN = Summary((b"/a",), 1234, 1234, 0, 0, 0, 0, 0, 0.31)


def shown(write, answer, look: Look | None = None) -> str:
    out = io.StringIO()
    write(answer, out, look)
    return out.getvalue()


def test_status():
    roots = (
        RootState(b"/home/ann/Pictures", True, 12_000, 4, 2, time.time_ns() - 200 * 10**9),
        RootState(b"/media/USB", False, 345, 0, 0, None, "not mounted"),
    )
    assert shown(reports.write_status, replace(STATUS, roots=roots)) == (
        "Catalog   /data/catalog.db (12.3 MB)\n"
        "Photos    12,345 (11,000 different contents)\n"
        "Problems  4 (imgcat problems)\n"
        "Missing   2 (gone from the disk, or left out since)\n"
        "Hashes    of pictures decoded at reduced size;"
        " 12 photos still otherwise: 'imgcat index' goes on\n"
        "Daemon    not running ('imgcat watch' follows the folders live)\n"
        "\n"
        "Folders\n"
        "  online   12,000 photos  3 min ago           /home/ann/Pictures"
        "  (4 problems, 2 missing)\n"
        "  offline     345 photos  never complete      /media/USB  (not mounted)\n"
    )


def test_status_of_an_empty_catalog_says_what_to_do():
    empty = replace(STATUS, photos=0, contents=0, problems=0, missing=0, other_recipe=0)
    assert shown(reports.write_status, empty) == (
        "Catalog   /data/catalog.db (12.3 MB)\n"
        "Photos    0 (0 different contents)\n"
        "Hashes    of pictures decoded at reduced size\n"
        "Daemon    not running ('imgcat watch' follows the folders live)\n"
        "\n"
        "No folders yet: imgcat index FOLDER adds one.\n"
    )


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            DaemonState(DaemonStanding.WATCHING, 7, watched=20_001, last_rescan_ns=1),
            "watching (process 7); 20,001 folders; looked at everything 1970-01-01",
        ),
        (
            DaemonState(DaemonStanding.STARTING, 7, watched=1, to_read=1200, pending=3),
            "starting (process 7); 1 folder; 1,200 photos to be read",
        ),
        (
            DaemonState(DaemonStanding.WATCHING, 7, watched=2, pending=1, lag=0.25, overflows=2),
            "watching (process 7); 2 folders; 1 folder to look at, 0.25 s behind; "
            "events were lost 2 times",
        ),
        (
            DaemonState(DaemonStanding.DEGRADED, 7, polling="no \x1b events", problem="no \x1b"),
            "degraded (process 7); looks every minute: no \\x1b events; no \\x1b",
        ),
    ],
)
def test_status_tells_how_the_daemon_is(state: DaemonState, words: str):
    said = shown(reports.write_status, replace(STATUS, daemon=state))
    (line,) = [line for line in said.splitlines() if line.startswith("Daemon")]
    assert line.startswith(f"Daemon    {words}")


def test_problems_are_listed_by_reason():
    problems = [
        Problem(b"/a/1.jpg", 12_345, Reason.TRUNCATED, "ends after 12 of 40 rows"),
        Problem(b"/a/2.txt", 12, Reason.UNSUPPORTED, ""),
        Problem(b"/a/\n3.jpg", 1_234_567, Reason.TRUNCATED, "no \x1b end"),
    ]
    assert shown(reports.write_problems, iter(problems)) == (
        "unsupported: 1 file\n"
        "     12 B  /a/2.txt\n"
        "\n"
        "truncated: 2 files\n"
        "  12.3 KB  /a/1.jpg: ends after 12 of 40 rows\n"
        "   1.2 MB  /a/\\x0a3.jpg: no \\x1b end\n"
        "\n"
        "3 files could not be read\n"
    )


def test_no_problems():
    assert shown(reports.write_problems, []) == "No problems: every file could be read.\n"


def test_summary_of_a_busy_run():
    busy = replace(QUIET_RUN, added=12, changed=3, moved=5, missing=2, failed=4, problems=4)
    assert shown(reports.write_summary, replace(busy, seconds=3.21)) == (
        "1,234 files: 12 added, 3 changed, 5 moved, 2 missing,"
        " 4 could not be read (imgcat problems), in 3.2 s\n"
    )


def test_summary_tells_new_problems_from_old_ones():
    assert shown(reports.write_summary, replace(QUIET_RUN, failed=1, problems=5)) == (
        "1,234 files: 1 could not be read (imgcat problems), in 0.31 s\n"
    )
    assert shown(reports.write_summary, replace(QUIET_RUN, problems=5)) == (
        "1,234 files: nothing new, 5 known problems (imgcat problems), in 0.31 s\n"
    )


def test_summary_of_a_run_that_found_nothing():
    assert shown(reports.write_summary, QUIET_RUN) == "1,234 files: nothing new, in 0.31 s\n"


def test_summary_says_what_else_a_person_should_know():
    odd = replace(
        QUIET_RUN,
        offline=(b"/usb\x07",),
        unreadable=((b"/private", "Permission denied"),),
        notes=("Waited for another run",),
        interrupted=True,
    )
    assert shown(reports.write_summary, odd).splitlines()[1:] == [
        "Not there now, its photos are kept: /usb\\x07 (plug it in; "
        "name it to 'imgcat index' if its disk was replaced; or 'imgcat forget' it)",
        "Could not be read: /private (Permission denied)",
        "Waited for another run",
        "Interrupted. Run 'imgcat index' again to go on.",
    ]
    assert "\x1b[33mNot there now" in shown(reports.write_summary, odd, Look(colour=True))


def test_verification_names_what_differs_and_what_to_do():
    found = Verification(3, 2, (Drift(b"/a.jpg", "its bytes changed"),), None, 1.5)
    assert shown(reports.write_verification, found).splitlines() == [
        "differs  /a.jpg: its bytes changed",
        "3 files read: 1 differ, in 1.5 s",
        "2 files changed or went since the last scan: run 'imgcat index'",
    ]


def test_verification_of_a_sound_catalog_is_one_line():
    wrong = Verification(3, 0, (), None, 1.5, copy_differed=True)
    assert shown(reports.write_verification, wrong).startswith("The copy of the hashes in the ")
    assert shown(reports.write_verification, Verification(3, 0, (), None, 1.5)) == (
        "3 files read: all as the catalog has them, in 1.5 s\n"
    )


def test_without_remarks_there_are_the_problems_and_nothing_else():
    def quiet(answer, stream, look):
        reports.write_problems(answer, stream, look, remarks=False)

    assert shown(quiet, []) == ""
    assert "could not be read" not in shown(quiet, [Problem(b"/a", 1, Reason.DAMAGED, "")])
