"""R11: where time stamps are coarse, a file rewritten under the same stamp is read again.

The photos are on an ext4 with inodes of 128 bytes, which keeps times in whole seconds. The
clock is the real one, and nothing makes the files look older than they are.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from catalog.indexing.plan import RACY_NS
from catalog.model import Stamp
from tests.soak.disks import make_ext4, mount_image
from tests.soak.figures import Say
from tests.support import SECOND, Library, in_child, no_loose_ends, picture, true, unmount

pytestmark = [pytest.mark.soak, pytest.mark.usefixtures("loop_disks")]

FILES = 5
ROUNDS = 100
NAMES = [f"{number}.bmp" for number in range(FILES)]


def test_r11_a_rewrite_that_no_stamp_shows_is_seen_500_times_of_500(
    library: Library, tmp_path: Path, say: Say
) -> None:
    make_ext4(tmp_path / "image", 16, "-I", "128")
    library.reader.later = 0

    def scenario() -> tuple[int, int]:
        mount_image(tmp_path / "image", library.top)
        try:
            seen = [rewritten_at_once(library, round_) for round_ in range(ROUNDS)]
            nothing_is_read_for_ever(library)
        finally:
            unmount(os.fsencode(library.top), lazily=True)
        return sum(right for right, _ in seen), sum(hidden for _, hidden in seen)

    begun = time.monotonic()
    right, hidden = in_child(scenario, own_mounts=True)
    say(
        f"{right} of {ROUNDS * FILES} rewrites seen, {hidden} of them under an unchanged stamp; "
        f"{time.monotonic() - begun:.0f} s"
    )
    assert right == ROUNDS * FILES
    assert hidden > ROUNDS * FILES // 2, "else this proves nothing"


def rewritten_at_once(library: Library, round_: int) -> tuple[int, int]:
    """Of FILES rewrites: how many the catalog has, and how many no stamp gives away."""
    first = round_ * FILES * 2
    before = [put(library, name, first + n) for n, name in enumerate(NAMES)]
    library.index()
    assert true(library)
    after = [put(library, name, first + FILES + n) for n, name in enumerate(NAMES)]
    library.index()
    stored, on_disk = library.known(), truth(library)
    right = sum(stored[os.fsencode(name)] == on_disk[name] for name in NAMES)
    hidden = sum(one == other for one, other in zip(before, after, strict=True))
    return right, hidden


def put(library: Library, name: str, seed: int) -> Stamp:
    """Write into the file itself, so that its inode and its size stay; returns its stamp."""
    path = library.path(name)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, picture(seed))
    os.close(descriptor)
    return Stamp.of(os.lstat(path))


def truth(library: Library) -> dict[str, bytes]:
    from blake3 import blake3

    return {name: blake3((library.top / name).read_bytes()).digest() for name in NAMES}


def nothing_is_read_for_ever(library: Library) -> None:
    """Once the stamps are old enough, one more look settles it."""
    time.sleep(RACY_NS / SECOND + 1)
    library.rescan()
    assert library.read == {os.fsencode(name) for name in NAMES}
    assert library.decoded == set(), "they are what they were"
    library.rescan()
    assert library.read == set()
    assert true(library)
    no_loose_ends(library.catalog)
