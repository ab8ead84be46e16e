"""Groups, pairs and matches as people read them."""

from __future__ import annotations

import io
from dataclasses import replace

from catalog.model import Duplicates, Group, Kind, Likeness, Match, Pair, Rule, Side, Stages
from catalog.rendering import text
from catalog.rendering.look import Look


def shown(write, answer, look: Look | None = None) -> str:
    out = io.StringIO()
    write(answer, out, look)
    return out.getvalue()


def test_groups_line_up_with_the_kept_photo_first(two_groups):
    assert shown(text.write_duplicates, two_groups) == (
        "Group 1: 3 photos, identical, 2.0 MB reclaimable (kept: shorter path)\n"
        "  keep           2.0 MB  4032x3024   2021-07-04 12:31  /photos/a.jpg\n"
        "  identical      2.0 MB  4032x3024   2021-07-04 12:31  /photos/link.jpg"
        "  (same file, hard link)\n"
        "  identical      2.0 MB  4032x3024   2021-07-04 12:31  /photos/copy of a.jpg\n"
        "\n"
        "Group 2: 3 photos, close hashes, 2.0 MB reclaimable (kept: more pixels)\n"
        "  keep           312 KB  1600x1200   2021-07-04 12:00  /phone/a.jpg\n"
        "  same 0.988     2.0 MB  4032x3024   2021-07-04 12:31  /photos/copy of a.jpg\n"
        "  3 bits          999 B  20x30       2021-07-04 12:00  /phone/blank.png  (flat)\n"
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
        "  keep          /photos/a.jpg\n"
        "                2.0 MB  4032x3024   2021-07-04 12:31\n"
        "  identical     /photos/link.jpg  (same file, hard link)\n"
        "                2.0 MB  4032x3024   2021-07-04 12:31\n"
        "  identical     /photos/copy of a.jpg\n"
        "                2.0 MB  4032x3024   2021-07-04 12:31\n"
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


def test_verified_pairs_say_what_they_are_and_how_well_they_fit(photo):
    one, other = photo(b"/a"), photo(b"/b")
    pairs = [
        Pair(one, other, 0, Kind.IDENTICAL, 1.0),
        Pair(one, other, 3, Kind.SAME, 0.98765),
        Pair(one, other, 9, Kind.SIMILAR, 0.9312),
    ]
    assert shown(text.write_duplicates, Duplicates((), pairs=pairs)) == (
        "    identical  /a  /b\n   same 0.988  /a  /b\nsimilar 0.931  /a  /b\n\n3 pairs\n"
    )


def test_a_verified_group_says_its_worst_score_and_how_each_photo_differs(photo):
    matches = (
        Match(photo(b"/turned"), Kind.SAME, 30, 0.99912, 6, rule=Rule.PIXELS_AGREE),
        Match(
            *(photo(b"/cut"), Kind.SAME, 9, 0.98765),
            rule=Rule.PIXELS_AGREE,
            lost=(Side("left", 0.031), Side("bottom", 0.125)),
        ),
        Match(
            *(photo(b"/framed"), Kind.SIMILAR, 9, 0.9412, 2),
            rule=Rule.NOT_COMPARED,
            more=(Side("top", 0.1),),
        ),
    )
    group = Group(photo(b"/a"), "older", matches)
    assert shown(text.write_duplicates, Duplicates((group,))) == (
        "Group 1: 4 photos, similar, worst score 0.941, 6.0 MB reclaimable (kept: older)\n"
        "  keep           2.0 MB  4032x3024   2021-07-04 12:00  /a\n"
        "  same 0.999     2.0 MB  4032x3024   2021-07-04 12:00  /turned  (turned left)\n"
        "  same 0.988     2.0 MB  4032x3024   2021-07-04 12:00  /cut"
        "  (lost 3 % on the left, 12 % at the bottom)\n"
        "  similar 0.941  2.0 MB  4032x3024   2021-07-04 12:00  /framed"
        "  (mirrored, has 10 % more at the top, not compared: a file could not be read)\n"
        "\n"
        "1 group, 4 photos, 6.0 MB reclaimable\n"
    )


def test_what_had_to_be_found_out_is_told_among_the_remarks():
    stages = Stages(7, 1234, 60, 50, 40, 30, 20, 15, 5, searching=1.25, settling=0.5)
    answer = Duplicates((), stages=stages)
    assert shown(text.write_duplicates, answer) == (
        "No duplicates found.\n"
        "Compared 7 new pictures with 1,234: 60 pairs by hash, 50 by low frequencies, 40 aligned, "
        "30 alike (1.2 s).\n"
        "Compared the files of 20 pairs closely, 5 could not be read (0.5 s).\n"
    )
    known = replace(answer, stages=Stages())
    assert shown(text.write_duplicates, known) == "No duplicates found.\n"
    out = io.StringIO()
    text.write_duplicates(answer, out, remarks=False)
    assert out.getvalue() == "No duplicates found.\n"


def test_matches_of_one_picture(photo):
    matches = (
        Match(photo(b"/same"), Kind.IDENTICAL, 0, 1.0),
        Match(photo(b"/near"), Kind.HASH, 1, 0.98),
        Match(photo(b"/alike", size=12_345), Kind.SIMILAR, 9, 0.871),
    )
    assert shown(text.write_likeness, Likeness(b"/q\x1b.jpg", matches)) == (
        "3 matches for /q\\x1b.jpg\n"
        "\n"
        "  identical      2.0 MB  4032x3024   2021-07-04 12:00  /same\n"
        "  1 bit          2.0 MB  4032x3024   2021-07-04 12:00  /near\n"
        "  similar 0.871 12.3 KB  4032x3024   2021-07-04 12:00  /alike\n"
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


def test_which_of_two_is_stamped_is_said(two_groups):
    group = two_groups.groups[1]
    for rule, words in (
        (Rule.STAMP_ON_SECOND, "(stamped)"),
        (Rule.STAMP_ON_FIRST, "(without its stamp)"),
        (Rule.ALL_BUT_A_STAMP, ""),
    ):
        match = replace(group.matches[0], rule=rule)
        only = Duplicates([replace(group, matches=(match,))])
        line = shown(text.write_duplicates, only).splitlines()[2]
        assert line.endswith(f"/photos/copy of a.jpg  {words}".rstrip())
