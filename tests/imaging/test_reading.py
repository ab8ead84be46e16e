"""The door: stamps around every read, and an outcome for whatever a path leads to."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import blake3
import pytest

from catalog.imaging import decode, limits, reading
from catalog.model import Failure, Fingerprint, Reason, Recipe, SameBytes, Stamp


def read(path: Path, known: bytes | None = None, recipe: Recipe = Recipe.REDUCED):
    return reading.read(os.fsencode(path), recipe, known)


@pytest.fixture
def jpeg(tmp_path, scene):
    path = tmp_path / "a.jpg"
    scene().save(path, quality=90)
    return path


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(reading, "_PAUSES", (0.01, 0.01, 0.01))


def stamp_of(path: Path) -> Stamp:
    status = path.lstat()
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def test_a_reading_carries_the_stamp_the_clock_and_the_digest(jpeg):
    before = time.time_ns()
    result = read(jpeg)
    assert before <= result.begun_ns <= time.time_ns()
    assert result.stamp == stamp_of(jpeg)
    assert isinstance(result.outcome, Fingerprint)
    assert result.outcome.digest == blake3.blake3(jpeg.read_bytes()).digest()
    assert len(result.outcome.digest) == 32
    assert result.outcome.size == jpeg.stat().st_size
    assert result.outcome.recipe is Recipe.REDUCED


def test_known_bytes_are_not_decoded(jpeg, monkeypatch):
    digest = read(jpeg).outcome.digest
    monkeypatch.setattr(decode, "fingerprint", lambda *a: pytest.fail("decoded"))
    assert read(jpeg, digest).outcome == SameBytes(digest)


def test_other_bytes_than_the_known_are_decoded(jpeg):
    assert isinstance(read(jpeg, b"x" * 32).outcome, Fingerprint)


def test_the_same_bytes_give_the_same_fingerprint_in_another_process(jpeg):
    script = (
        "import os, sys; from catalog.imaging.reading import read; from catalog.model import *;"
        "print(repr(read(os.fsencode(sys.argv[1]), Recipe.REDUCED).outcome))"
    )
    command = [sys.executable, "-c", script, str(jpeg)]
    elsewhere = subprocess.run(command, capture_output=True, text=True, check=True)
    assert elsewhere.stdout.strip() == repr(read(jpeg).outcome)


def test_nothing_heavy_is_imported_before_the_first_read():
    script = (
        "import sys; from catalog.imaging import reading, formats, identity;"
        "identity.decoder_identity();"
        "print([m for m in ('PIL', 'numpy', 'imagehash', 'rawpy') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert run.stdout.strip() == b"[]"


def test_what_is_gone_has_vanished(tmp_path, jpeg):
    assert read(tmp_path / "none.jpg").outcome.reason is Reason.VANISHED
    assert read(jpeg / "below.jpg").outcome.reason is Reason.VANISHED


def test_what_may_not_be_read_is_unreadable_with_the_system_s_words(jpeg, monkeypatch):
    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(reading.os, "open", refuse)
    assert read(jpeg).outcome == Failure(Reason.UNREADABLE, "Permission denied")


def test_a_failing_disk_is_unreadable_and_no_damage_of_the_file(jpeg, monkeypatch):
    def fail(*args):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("catalog.imaging.source.os.read", fail)
    assert read(jpeg).outcome == Failure(Reason.UNREADABLE, "Input/output error")


def test_no_memory_is_too_large(jpeg, monkeypatch):
    def fail(*args):
        raise MemoryError

    monkeypatch.setattr("catalog.imaging.source.os.read", fail)
    assert read(jpeg).outcome.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("kind", ["folder", "pipe", "socket", "link", "loop", "device"])
def test_only_regular_files_are_read(tmp_path, jpeg, kind):
    path = tmp_path / "odd.jpg"
    listener = socket.socket(socket.AF_UNIX)
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        here = Path.cwd()
        os.chdir(tmp_path)  # the name of a socket must be short
        listener.bind("odd.jpg")
        os.chdir(here)
    elif kind == "link":
        path.symlink_to(jpeg)
    elif kind == "loop":
        path.symlink_to(path)
    else:
        path = Path("/dev/null")
    begun = time.monotonic()
    result = read(path)
    listener.close()
    assert result.outcome.reason is Reason.NOT_REGULAR
    assert {"loop": "link"}.get(kind, kind) in result.outcome.detail
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_file_swapped_for_something_else_before_it_is_opened_never_hangs(
    tmp_path, jpeg, monkeypatch, kind
):
    path = tmp_path / "swapped.jpg"
    path.write_bytes(jpeg.read_bytes())
    lstat = os.lstat

    def lstat_then_swap(name):
        status = lstat(name)
        if path.is_file() and not path.is_symlink():
            path.unlink()
            os.mkfifo(path) if kind == "pipe" else path.symlink_to(jpeg)
        return status

    monkeypatch.setattr(reading.os, "lstat", lstat_then_swap)
    assert read(path).outcome.reason is Reason.NOT_REGULAR


def test_what_is_no_file_is_not_even_opened(tmp_path, monkeypatch):
    """Opening a device or a pipe may have effects."""
    os.mkfifo(tmp_path / "a.jpg")
    monkeypatch.setattr(reading.os, "open", lambda *a: pytest.fail("opened"))
    assert read(tmp_path / "a.jpg").outcome.reason is Reason.NOT_REGULAR


def test_a_link_that_took_the_place_of_a_file_is_not_followed(tmp_path, jpeg, monkeypatch):
    (tmp_path / "link.jpg").symlink_to(jpeg)
    monkeypatch.setattr(reading.os, "lstat", lambda path: os.stat(path))
    monkeypatch.setattr(reading, "digest_of", lambda source: pytest.fail("followed"))
    assert read(tmp_path / "link.jpg").outcome.reason is Reason.NOT_REGULAR


def test_an_empty_file_is_truncated(tmp_path):
    path = tmp_path / "empty.jpg"
    path.touch()
    assert read(path).outcome == Failure(Reason.TRUNCATED, "empty file")


def test_a_sparse_file_of_10_tib_is_too_large_at_once(tmp_path):
    path = tmp_path / "sparse.jpg"
    path.touch()
    os.truncate(path, 10 << 40)
    begun = time.monotonic()
    assert read(path).outcome.reason is Reason.TOO_LARGE
    assert time.monotonic() - begun < 1


def test_a_file_beyond_what_is_held_in_memory_has_the_same_fingerprint(
    tmp_path, scene, monkeypatch
):
    for name in ("a.jpg", "a.png", "a.gif", "a.tif", "a.bmp", "a.webp", "a.avif", "a.heic"):
        scene().save(tmp_path / name)
    whole = {p: read(p).outcome for p in tmp_path.iterdir()}
    monkeypatch.setattr(limits, "WHOLE_BYTES", 1000)
    assert {p: read(p).outcome for p in tmp_path.iterdir()} == whole
    assert all(isinstance(o, Fingerprint) for o in whole.values())


def changing(monkeypatch, change):
    """Have ``change(attempt)`` happen between the digest and the decode of each attempt."""
    attempts = []
    original = reading.digest_of

    def digest_then_change(source):
        digest = original(source)
        attempts.append(1)
        change(len(attempts))
        return digest

    monkeypatch.setattr(reading, "digest_of", digest_then_change)
    return attempts


def test_a_file_rewritten_each_time_it_is_read_is_unstable(jpeg, scene, monkeypatch):
    first = stamp_of(jpeg)
    attempts = changing(monkeypatch, lambda n: scene(seed=n).save(jpeg))
    result = read(jpeg)
    assert result.outcome.reason is Reason.UNSTABLE
    assert len(attempts) == 4
    assert result.stamp != first  # the stamp of the last attempt, seen before its first byte
    assert result.stamp != stamp_of(jpeg)


def test_a_file_rewritten_once_is_read_again(jpeg, scene, monkeypatch):
    changing(monkeypatch, lambda n: scene(seed=9).save(jpeg) if n == 1 else None)
    result = read(jpeg)
    assert result.stamp == stamp_of(jpeg)
    assert result.outcome.digest == blake3.blake3(jpeg.read_bytes()).digest()


def test_a_file_replaced_by_another_of_the_same_name_is_read_again(jpeg, scene, monkeypatch):
    def replace(attempt):
        if attempt == 1:
            scene(seed=9).save(jpeg.with_suffix(".new"), "JPEG")
            jpeg.with_suffix(".new").replace(jpeg)

    changing(monkeypatch, replace)
    result = read(jpeg)
    assert result.stamp == stamp_of(jpeg)
    assert result.outcome.digest == blake3.blake3(jpeg.read_bytes()).digest()


def test_a_path_that_leads_elsewhere_after_the_read_is_read_again(
    tmp_path, jpeg, scene, monkeypatch
):
    """Its folder was exchanged, which leaves the stamps of the open file alone."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "a.jpg"
    path.write_bytes(jpeg.read_bytes())

    def exchange(attempt):
        if attempt == 1:
            folder.rename(tmp_path / "aside")
            folder.mkdir()
            scene(seed=5).save(path)

    changing(monkeypatch, exchange)
    assert read(path).outcome.digest == blake3.blake3(path.read_bytes()).digest()


def test_a_file_removed_while_it_is_read_has_vanished(jpeg, monkeypatch):
    changing(monkeypatch, lambda n: jpeg.unlink())
    assert read(jpeg).outcome.reason is Reason.VANISHED


def test_a_growing_file_is_never_truncated_under_a_settled_stamp(tmp_path, jpeg, monkeypatch):
    whole = jpeg.read_bytes()
    path = tmp_path / "growing.jpg"
    path.write_bytes(whole[:2000])

    def grow(attempt):
        with path.open("ab") as file:
            file.write(whole[2000 * attempt : 2000 * (attempt + 1)])

    changing(monkeypatch, grow)
    assert read(path).outcome.reason is Reason.UNSTABLE


def test_a_file_delivered_in_pieces_ends_with_its_own_hash(tmp_path, jpeg):
    whole = jpeg.read_bytes()
    path = tmp_path / "arriving.jpg"
    path.touch()

    def deliver():
        with path.open("ab", buffering=0) as file:
            for part in range(5):
                file.write(whole[part * len(whole) // 5 : (part + 1) * len(whole) // 5])
                time.sleep(0.05)

    writer = threading.Thread(target=deliver)
    writer.start()
    readings = []
    while writer.is_alive():
        readings.append(read(path))
    writer.join()
    for result in readings:
        if isinstance(result.outcome, Fingerprint):
            assert result.outcome.digest == blake3.blake3(whole).digest()
        elif result.outcome.reason is Reason.TRUNCATED:
            assert result.stamp.size < len(whole)
        else:
            assert result.outcome.reason is Reason.UNSTABLE
    assert read(path).outcome.digest == blake3.blake3(whole).digest()


def test_failures_carry_the_stamp_they_were_seen_under(tmp_path):
    path = tmp_path / "text.jpg"
    path.write_text("no picture")
    assert read(path).stamp == stamp_of(path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_passes(jpeg, monkeypatch, error):
    def interrupt(*args):
        raise error

    monkeypatch.setattr(decode, "_picture", interrupt)
    with pytest.raises(error):
        read(jpeg)


class Panic(BaseException):
    """What a decoder written in Rust raises when it gives up."""


@pytest.mark.parametrize("error", [Panic("boom"), RecursionError(), ValueError("a\nb")])
def test_whatever_a_decoder_raises_is_damage_of_the_file(jpeg, monkeypatch, error):
    def fail(*args):
        raise error

    monkeypatch.setattr(decode, "_picture", fail)
    outcome = read(jpeg).outcome
    assert outcome.reason is Reason.DAMAGED
    assert "\n" not in outcome.detail


def test_no_descriptor_is_left_open(jpeg, tmp_path):
    (tmp_path / "b.jpg").write_bytes(jpeg.read_bytes()[:500])
    read(jpeg)
    before = len(os.listdir("/proc/self/fd"))
    for path in (jpeg, tmp_path / "b.jpg", tmp_path / "none", tmp_path):
        read(path)
    assert len(os.listdir("/proc/self/fd")) == before
