"""Groups, pairs and matches as people read them."""

from __future__ import annotations

import io
from dataclasses import replace

from catalog.model import Duplicates, Group, Kind, Likeness, Match, Pair
from catalog.rendering import text
from catalog.rendering.look import Look


def shown(write, answer, look: Look | None = None) -> str:
    out = io.StringIO()
    write(answer, out, look)
    return out.getvalue()


def test_groups_line_up_with_the_kept_photo_first(two_groups):
    assert shown(text.write_duplicates, two_groups) == (
        "Group 1: 3 photos, identical, 2.0 MB reclaimable (kept: shorter path)\n"
        "  keep          2.0 MB  4032x3024   2021-07-04 12:31  /photos/a.jpg\n"
        "  identical     2.0 MB  4032x3024   2021-07-04 12:31  /photos/link.jpg"
        "  (same file, hard link)\n"
        "  identical     2.0 MB  4032x3024   2021-07-04 12:31  /photos/copy of a.jpg\n"
        "\n"
        "Group 2: 3 photos, close hashes, 2.0 MB reclaimable (kept: more pixels)\n"
        "  keep          312 KB  1600x1200   2021-07-04 12:00  /phone/a.jpg\n"
        "  same 0.99     2.0 MB  4032x3024   2021-07-04 12:31  /photos/copy of a.jpg\n"
        "  3 bits         999 B  20x30       2021-07-04 12:00  /phone/blank.png  (flat)\n"
        "\n"
        'Groups with "close hashes" only have hashes that differ in few bits.\n'
        "Nothing verified that they show the same picture: look before you delete.\n"
        "\n"
        "2 groups, 6 photos, 4.0 MB reclaimable\n"
    )


def test_on_a_narrow_terminal_the_path_has_its_own_line(two_groups):
    only = Duplicates(two_groups.groups[:1])
    assert shown(text.write_duplicates, only, Look(width=80)) == (
        "Group 1: 3 photos, identical, 2.0 MB reclaimable (kept: shorter path)\n"
        "  keep         /photos/a.jpg\n"
        "               2.0 MB  4032x3024   2021-07-04 12:31\n"
        "  identical    /photos/link.jpg  (same file, hard link)\n"
        "               2.0 MB  4032x3024   2021-07-04 12:31\n"
        "  identical    /photos/copy of a.jpg\n"
        "               2.0 MB  4032x3024   2021-07-04 12:31\n"
        "\n"
        "1 group, 3 photos, 2.0 MB reclaimable\n"
    )


def test_a_wide_terminal_shows_what_a_pipe_gets(two_groups):
    plain = shown(text.write_duplicates, two_groups)
    assert shown(text.write_duplicates, two_groups, Look(width=100)) == plain


def test_colours_change_nothing_but_colours(two_groups):
    import re

    coloured = shown(text.write_duplicates, two_groups, Look(colour=True))
    assert "\x1b[32mkeep" in coloured
    bare = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert bare == shown(text.write_duplicates, two_groups)


def test_no_warning_where_all_is_verified(two_groups):
    only = Duplicates(two_groups.groups[:1])
    assert "close hashes" not in shown(text.write_duplicates, only)


def test_long_paths_are_never_cut(photo):
    name = b"/very" * 200
    group = Group(photo(b"/a"), "older", (Match(photo(name), Kind.IDENTICAL, 0, 1.0),))
    for look in (Look(), Look(width=40), Look(width=120)):
        assert name.decode() in shown(text.write_duplicates, Duplicates((group,)), look)


def test_nothing_found():
    assert shown(text.write_duplicates, Duplicates(())) == "No duplicates found.\n"
    assert shown(text.write_duplicates, Duplicates((), pairs=[])) == "No pairs found.\n"


def test_pairs_stand_in_place_of_groups(two_groups, photo):
    pairs = iter(
        [Pair(photo(b"/a"), photo(b"/b\n"), 1), Pair(photo(b"/a"), photo(b"/c", flat=True), 12)]
    )
    assert shown(text.write_duplicates, replace(two_groups, pairs=pairs)) == (
        "  1 bit  /a  /b\\x0a\n12 bits  /a  /c  (flat)\n\n2 pairs\n"
    )


def test_matches_of_one_picture(photo):
    matches = (
        Match(photo(b"/same"), Kind.IDENTICAL, 0, 1.0),
        Match(photo(b"/near"), Kind.HASH, 1, 0.98),
        Match(photo(b"/alike", size=12_345), Kind.SIMILAR, 9, 0.871),
    )
    assert shown(text.write_likeness, Likeness(b"/q\x1b.jpg", matches)) == (
        "3 matches for /q\\x1b.jpg\n"
        "\n"
        "  identical     2.0 MB  4032x3024   2021-07-04 12:00  /same\n"
        "  1 bit         2.0 MB  4032x3024   2021-07-04 12:00  /near\n"
        "  similar 0.87 12.3 KB  4032x3024   2021-07-04 12:00  /alike\n"
        "\n"
    )


def test_no_matches():
    assert shown(text.write_likeness, Likeness(b"/q", ())) == (
        "Nothing else in the catalog looks like /q\n"
    )
    assert shown(text.write_likeness, Likeness(b"/q", (), flat=True)) == (
        "/q is nearly blank: only identical files were looked for.\n"
        "Nothing else in the catalog looks like /q\n"
    )


def test_an_answer_says_what_it_could_not_see():
    nothing = Duplicates((), last_scan_ns=0, offline=((b"/usb\x07", "it is not there"),))
    lines = shown(text.write_duplicates, nothing).splitlines()
    assert lines[0] == "No duplicates found."
    assert lines[1] == "Left out, as it is not there now: /usb\\x07 (it is not there)"
    assert lines[2].startswith("Last scan ")


def test_a_fresh_answer_needs_no_excuse():
    assert "Last scan" not in shown(
        text.write_duplicates, Duplicates((), last_scan_ns=0, fresh=True)
    )
