"""A trash is on the mount of the file, belongs to us, and brings back what is put into it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalog.actions import trash as trash_module
from catalog.actions.moving import rename_exclusive
from catalog.actions.trash import NoTrash, Trash, Trashes, info_of, trash_for, unrecord
from tests.support import NOBODY, ended, in_child, mount, mount_tmpfs, needs_root, started

ME = os.geteuid()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home trash of these tests; never that of whoever runs them."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home" / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "data" / "Trash"


@pytest.fixture
def trash(tmp_path: Path) -> Trash:
    made = Trash(os.fsencode(tmp_path / "trash"))
    os.mkdir(made.folder)
    made.prepare()
    return made


def put(folder: Path, name: str | bytes, data: bytes = b"photo") -> bytes:
    path = os.path.join(os.fsencode(folder), os.fsencode(name))
    with open(path, "wb") as file:
        file.write(data)
    return path


def content(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def throw(trash: Trash, path: bytes, when: datetime | None = None) -> bytes:
    """What a caller does; returns the place."""
    while True:
        place = trash.free_place(os.path.basename(path))
        try:
            trash.record(place, path, when)
        except FileExistsError:
            continue
        rename_exclusive(path, place)
        return place


def remembered(place: bytes) -> bytes:
    """The path that a .trashinfo has, read as the specification says."""
    lines = content(info_of(place)).split(b"\n")
    assert lines[0] == b"[Trash Info]"
    assert len(lines) == 4
    assert lines[3] == b""
    assert lines[1].startswith(b"Path=")
    return unquote_to_bytes(lines[1].removeprefix(b"Path="))


def mode(path: str | bytes | Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def no_trash(path: bytes) -> str:
    with pytest.raises(NoTrash) as caught:
        trash_for(path)
    return str(caught.value)


def on_a_mount(function: Callable[[Path], Any], disk: Path, options: str = "size=8m") -> Any:
    """Run ``function`` in a process of its own, in which a file system is mounted at ``disk``."""
    disk.mkdir(exist_ok=True)

    def inside() -> Any:
        mount_tmpfs(os.fsencode(disk), options)
        return function(disk)

    return in_child(inside, own_mounts=True)


# -- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "second"),
    [
        (b"a.jpg", b"a.2.jpg"),
        (b"a", b"a.2"),
        (b".hidden", b".hidden.2"),
        (b"a.b.jpg", b"a.b.2.jpg"),
        (b"a." + b"x" * 40, b"a." + b"x" * 40 + b".2"),
    ],
)
def test_the_second_file_of_a_name_has_a_number_before_its_ending(
    trash: Trash, name: bytes, second: bytes
) -> None:
    for expected in (name, second):
        place = trash.free_place(name)
        assert place == os.path.join(trash.folder, b"files", expected)
        with open(place, "xb"):
            pass


def test_a_place_is_free_only_if_nothing_has_it_nothing_is_recorded_and_it_is_not_promised(
    trash: Trash, tmp_path: Path
) -> None:
    place = trash.free_place(b"a.jpg")
    os.symlink(b"nowhere", place)
    second = trash.free_place(b"a.jpg")
    trash.record(second, put(tmp_path, "a.jpg"))
    third = trash.free_place(b"a.jpg")
    assert third == place.replace(b"a.jpg", b"a.3.jpg")
    assert trash.free_place(b"a.jpg", {third}) == place.replace(b"a.jpg", b"a.4.jpg")
    os.unlink(place)
    assert trash.free_place(b"a.jpg") == place
    assert trash.free_place(b"a.jpg", {place}) not in (place, second)


@given(st.binary(min_size=1, max_size=255), st.sampled_from([1, 2, 12345]))
@example("é".encode() * 127, 1)
@example("日".encode() * 80 + b".jpg", 2)
@example(b"x" * 255, 12345)
@example(b"." + b"x" * 254, 2)
@example(b"x" * 200 + b"." + b"y" * 54, 2)
def test_a_name_leaves_room_for_its_record_and_is_not_cut_in_a_character(
    name: bytes, number: int
) -> None:
    made = trash_module._numbered(name, number)
    assert 0 < len(made + b".trashinfo") <= 255
    if number > 1:
        assert b".%d" % number in made
    if len(name) <= 200 and number == 1:
        assert made == name
    ending = os.path.splitext(name)[1]
    if len(ending) <= 32:
        assert made.endswith(ending)
    try:
        name.decode()
    except UnicodeDecodeError:
        return
    made.decode()


def test_the_five_hundredth_file_of_a_name_gets_a_place_as_fast_as_the_first(
    trash: Trash, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    identity_of = trash_module.identity_of

    def counting(path: bytes) -> Any:
        nonlocal asked
        asked += 1
        return identity_of(path)

    monkeypatch.setattr(trash_module, "identity_of", counting)
    places = [throw(trash, put(tmp_path, "a.jpg", b"%d" % number)) for number in range(500)]
    assert [content(place) for place in places] == [b"%d" % number for number in range(500)]
    assert asked < 500 * 8
    asked = 0
    assert Trash(trash.folder).free_place(b"a.jpg").endswith(b"/a.501.jpg")
    assert asked < 80, "a new run does not count from the first"


def test_eight_that_trash_at_once_overwrite_nothing_and_mix_nothing_up(
    trash: Trash, tmp_path: Path
) -> None:
    def trasher(who: int) -> Callable[[], None]:
        folders = []
        for number in range(40):
            folder = tmp_path / f"{who}-{number}"
            folder.mkdir()
            put(folder, "a.jpg", os.fsencode(folder))
            folders.append(folder)

        def run() -> None:
            for folder in folders:
                throw(trash, os.fsencode(folder / "a.jpg"))
            put(tmp_path, f"done-{who}")

        return run

    children = [started(run) for run in [trasher(who) for who in range(8)]]
    assert [ended(child) for child in children] == [False] * 8
    assert len(list(tmp_path.glob("done-*"))) == 8
    files = os.path.join(trash.folder, b"files")
    places = [os.path.join(files, name) for name in os.listdir(files)]
    assert len(places) == 8 * 40
    assert len(os.listdir(os.path.join(trash.folder, b"info"))) == 8 * 40
    for place in places:
        assert remembered(place) == content(place) + b"/a.jpg"


# -- records -----------------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=255).filter(lambda name: b"\0" not in name))
@example(b"new\nline\r.jpg")
@example(b"100%25 % %zz.jpg")
@example(b"\xff\xfe.jpg")
@example(b"x" * 255)
@example(b".hidden")
@example(b"[Trash Info]\nPath=/etc/passwd")
@example(" ü;#?&=+.jpg".encode())
@settings(max_examples=60)
def test_any_name_is_remembered_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory, name: bytes
) -> None:
    name = name.replace(b"/", b"_")
    if name in (b".", b".."):
        return
    made = Trash(os.fsencode(tmp_path_factory.mktemp("trash")))
    made.prepare()
    place = made.free_place(name)
    original = b"/photos/%\n/" + name
    made.record(place, original)
    assert remembered(place) == original
    unrecord(place, original)
    assert os.listdir(os.path.join(made.folder, b"info")) == []


def test_a_record_is_what_the_specification_says_to_the_byte(
    trash: Trash, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "XYZ-2")
    time.tzset()
    try:
        place = trash.free_place(b"a b.jpg")
        trash.record(place, b"/photos/\xc3\xa4/a b.jpg", datetime(2024, 2, 3, 23, 5, 6, tzinfo=UTC))
        naive = trash.free_place(b"a b.jpg")
        trash.record(naive, b"/a b.jpg", datetime(2024, 2, 3, 23, 5, 6, 999))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert info_of(place) == os.path.join(trash.folder, b"info/a b.jpg.trashinfo")
    assert content(info_of(place)) == (
        b"[Trash Info]\nPath=/photos/%C3%A4/a%20b.jpg\nDeletionDate=2024-02-04T01:05:06\n"
    )
    assert content(info_of(naive)).endswith(b"\nDeletionDate=2024-02-03T23:05:06\n")
    assert mode(info_of(place)) == 0o600


def test_a_record_that_is_there_is_not_written_over_nor_a_link_followed(
    trash: Trash, tmp_path: Path
) -> None:
    place = trash.free_place(b"a.jpg")
    trash.record(place, b"/first/a.jpg")
    with pytest.raises(FileExistsError):
        trash.record(place, b"/second/a.jpg")
    assert remembered(place) == b"/first/a.jpg"
    elsewhere = tmp_path / "elsewhere"
    os.unlink(info_of(place))
    os.symlink(elsewhere, info_of(place))
    with pytest.raises(FileExistsError):
        trash.record(place, b"/second/a.jpg")
    assert not elsewhere.exists()


def test_what_is_not_recorded_is_unrecorded_without_complaint(trash: Trash) -> None:
    unrecord(trash.free_place(b"a.jpg"), b"/photos/a.jpg")


def test_what_another_program_recorded_stays(trash: Trash) -> None:
    place = trash.free_place(b"a.jpg")
    trash.record(place, b"/photos/another/a.jpg")
    unrecord(place, b"/photos/a.jpg")
    assert remembered(place) == b"/photos/another/a.jpg"


@pytest.mark.parametrize("place", [b"/trash/info/a", b"/trash/files/", b"/a", b"files"])
def test_a_path_that_is_no_place_in_a_trash_has_no_record(place: bytes) -> None:
    with pytest.raises(ValueError, match="no place"):
        info_of(place)


def test_a_relative_path_is_not_remembered(trash: Trash) -> None:
    with pytest.raises(ValueError, match="absolute"):
        trash.record(trash.free_place(b"a"), b"photos/a")


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()], ids=repr)
def test_of_a_record_that_could_not_be_written_nothing_is_left(
    trash: Trash, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    def failing(descriptor: int) -> None:
        raise failure

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(type(failure)):
        trash.record(trash.free_place(b"a.jpg"), b"/photos/a.jpg")
    assert os.listdir(os.path.join(trash.folder, b"info")) == []


# -- which trash -------------------------------------------------------------------------------


def test_files_on_the_mount_of_the_home_folder_go_to_the_trash_there(
    tmp_path: Path, home: Path
) -> None:
    home.parent.parent.mkdir()
    path = put(tmp_path, "a.jpg")
    old = os.umask(0)
    try:
        found = trash_for(path)
    finally:
        os.umask(old)
    assert found == Trash(os.fsencode(home))
    assert [mode(folder) for folder in (home.parent, home, home / "files", home / "info")] == (
        [0o700] * 4
    )
    place = throw(found, path)
    assert remembered(place) == path
    assert content(place) == b"photo"


def test_without_a_usable_xdg_data_home_it_is_in_local_share(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.parent.parent.mkdir()
    expected = Trash(os.fsencode(tmp_path / "home/.local/share/Trash"))
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert trash_for(put(tmp_path, "a.jpg")) == expected
    monkeypatch.delenv("XDG_DATA_HOME")
    assert trash_for(put(tmp_path, "a.jpg")) == expected


def test_a_home_trash_may_be_a_link_but_what_is_in_it_may_not(tmp_path: Path, home: Path) -> None:
    real = tmp_path / "elsewhere"
    real.mkdir()
    home.parent.mkdir(parents=True)
    home.symlink_to(real)
    path = put(tmp_path, "a.jpg")
    place = throw(trash_for(path), path)
    assert os.path.realpath(place) == os.fsencode(real / "files" / "a.jpg")
    os.rename(real / "files", real / "moved")
    (real / "files").symlink_to("moved")
    with pytest.raises(NoTrash, match="files is a symbolic link"):
        Trash(os.fsencode(home)).prepare()


def test_what_is_in_the_trash_is_not_trashed_again(tmp_path: Path, home: Path) -> None:
    home.parent.mkdir(parents=True)
    path = put(tmp_path, "a.jpg")
    place = throw(trash_for(path), path)
    assert no_trash(place) == "it is in the trash already"


def test_each_folder_is_looked_at_once(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.parent.mkdir(parents=True)
    path = put(tmp_path, "a.jpg")
    trashes = Trashes()
    found = trashes.of(path)
    monkeypatch.setattr(os, "open", None)
    monkeypatch.setattr(os, "mkdir", None)
    assert all(trashes.of(path + b"%d" % number) is found for number in range(1000))


def test_a_folder_that_is_not_there_has_no_trash(tmp_path: Path) -> None:
    assert "No such file" in no_trash(os.fsencode(tmp_path / "gone" / "a.jpg"))


@needs_root
def test_in_the_home_of_another_user_nothing_is_made(open_place: Path, home: Path) -> None:
    data = home.parent
    data.mkdir(parents=True)
    os.chown(data, NOBODY, NOBODY)

    def ask(disk: Path) -> Trash:
        # The home folder is on this mount as well.
        os.environ["XDG_DATA_HOME"] = str(disk / "home")
        (disk / "home").mkdir()
        os.chown(disk / "home", NOBODY, NOBODY)
        found = trash_for(put(disk, "a.jpg"))
        assert os.listdir(disk / "home") == []
        return found

    found = on_a_mount(ask, open_place / "disk")
    assert found.top == os.fsencode(open_place / "disk")


@needs_root
def test_a_file_on_another_mount_goes_to_the_trash_there(tmp_path: Path, home: Path) -> None:
    home.parent.mkdir(parents=True)

    def check(disk: Path) -> None:
        (disk / "one" / "two").mkdir(parents=True)
        path = put(disk / "one" / "two", b"\xff%.jpg")
        found = trash_for(path)
        top = os.fsencode(disk)
        assert found == Trash(top + b"/.Trash-%d" % ME, top)
        assert mode(found.folder) == 0o700
        place = throw(found, path)
        assert remembered(place) == b"one/two/\xff%.jpg", "relative to the top"
        os.symlink(disk / "one", tmp_path / "way")
        through = put(tmp_path / "way", "b.jpg")
        assert trash_for(through) == found
        assert remembered(throw(found, through)) == b"one/b.jpg", "its real path"
        with pytest.raises(NoTrash, match="not below"):
            found.record(found.free_place(b"c"), os.fsencode(tmp_path / "c"))

    on_a_mount(check, tmp_path / "disk")
    assert not home.exists()


def with_common_trash(
    tmp_path: Path, make: Callable[[Path], None], then: Callable[[Trash, Path], None]
) -> None:
    def check(disk: Path) -> None:
        make(disk / ".Trash")
        then(trash_for(put(disk, "a.jpg")), disk)

    on_a_mount(check, tmp_path / "disk")


def sticky(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o1777)


@needs_root
def test_a_trash_that_an_administrator_made_for_all_is_used(tmp_path: Path) -> None:
    def then(found: Trash, disk: Path) -> None:
        assert found == Trash(os.fsencode(disk / ".Trash" / str(ME)), os.fsencode(disk))
        assert mode(found.folder) == 0o700
        assert not (disk / f".Trash-{ME}").exists()
        place = throw(found, os.fsencode(disk / "a.jpg"))
        assert remembered(place) == b"a.jpg"

    with_common_trash(tmp_path, sticky, then)


def unsticky(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


def linked(folder: Path) -> None:
    sticky(folder.with_name("real"))
    folder.symlink_to("real")


def a_file(folder: Path) -> None:
    folder.touch()
    folder.chmod(0o1777)


def with_linked_user(folder: Path) -> None:
    sticky(folder)
    folder.with_name("real").mkdir()
    (folder / str(ME)).symlink_to(folder.with_name("real"))


def with_user_of_another(folder: Path) -> None:
    sticky(folder)
    (folder / str(ME)).mkdir()
    os.chown(folder / str(ME), NOBODY, NOBODY)


@needs_root
@pytest.mark.parametrize("make", [unsticky, linked, a_file, with_linked_user, with_user_of_another])
def test_a_trash_for_all_that_others_could_empty_or_redirect_is_not_used(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    def then(found: Trash, disk: Path) -> None:
        assert found.folder == os.fsencode(disk / f".Trash-{ME}")

    with_common_trash(tmp_path, make, then)


@needs_root
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda folder: folder.symlink_to("/"), "is a symbolic link"),
        (lambda folder: folder.touch(), "is not a folder"),
        (lambda folder: (folder.mkdir(), os.chown(folder, NOBODY, NOBODY)), "another user"),
        (
            lambda folder: (folder.mkdir(), folder.joinpath("files").symlink_to("/")),
            "is a symbolic link",
        ),
        (
            lambda folder: (folder.mkdir(), folder.joinpath("info").symlink_to("/")),
            "is a symbolic link",
        ),
        (lambda folder: (folder.mkdir(), mount_at(folder)), "another file system"),
        (
            lambda folder: ((folder / "files").mkdir(parents=True), mount_at(folder / "files")),
            "another file system",
        ),
    ],
    ids=["link", "file", "not ours", "files a link", "info a link", "mount", "files a mount"],
)
def test_without_a_trash_of_our_own_there_is_none_and_the_reason_is_said(
    tmp_path: Path, make: Callable[[Path], Any], why: str
) -> None:
    def check(disk: Path) -> str:
        make(disk / f".Trash-{ME}")
        path = put(disk, "a.jpg")
        said = no_trash(path)
        assert content(path) == b"photo"
        return said

    said = on_a_mount(check, tmp_path / "disk")
    assert why in said
    assert f".Trash-{ME}" in said


def mount_at(folder: Path) -> None:
    mount_tmpfs(os.fsencode(folder), "size=1m")


@needs_root
@pytest.mark.parametrize("prepared", [False, True], ids=["bare", "with a trash"])
def test_a_mount_that_is_read_only_has_no_trash(tmp_path: Path, prepared: bool) -> None:
    def check(disk: Path) -> str:
        path = put(disk, "a.jpg")
        if prepared:
            trash_for(path)
        mount("-o", "remount,ro", str(disk))
        return no_trash(path)

    said = on_a_mount(check, tmp_path / "disk")
    assert "cannot be written" in said if prepared else "Read-only file system" in said


@needs_root
def test_who_may_not_write_at_the_top_of_a_mount_has_no_trash_there(open_place: Path) -> None:
    (open_place / "disk").mkdir()

    def inside() -> str:
        disk = open_place / "disk"
        mount_tmpfs(os.fsencode(disk), "mode=0755")
        (disk / "photos").mkdir()
        os.chown(disk / "photos", NOBODY, NOBODY)
        return str(in_child(lambda: no_trash(put(disk / "photos", "a.jpg")), user=NOBODY))

    assert f".Trash-{NOBODY} cannot be made: Permission denied" in in_child(inside, own_mounts=True)


def fill(filler: Path) -> None:
    """Leave no byte free on the disk that ``filler`` is on."""
    with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(1 << 12)):
            pass


@needs_root
def test_a_full_disk_leaves_the_file_where_it_is_and_no_record(tmp_path: Path) -> None:
    def check(disk: Path) -> None:
        path = put(disk, "a.jpg")
        found = trash_for(path)
        place = found.free_place(b"a.jpg")
        fill(disk / "filler")
        with pytest.raises(OSError, match="No space left"):
            found.record(place, path)
        assert os.listdir(os.path.join(found.folder, b"info")) == []
        assert content(path) == b"photo"
        (disk / "filler").unlink()
        assert content(throw(found, path)) == b"photo"

    on_a_mount(check, tmp_path / "disk", "size=256k")


@needs_root
def test_a_bind_mount_of_the_same_file_system_is_a_mount_of_its_own(
    tmp_path: Path, home: Path
) -> None:
    home.parent.mkdir(parents=True)
    for name in ("photos", "view"):
        (tmp_path / name).mkdir()
    put(tmp_path / "photos", "a.jpg")

    def inside() -> None:
        view = tmp_path / "view"
        mount("--bind", str(tmp_path / "photos"), str(view))
        assert os.stat(view).st_dev == os.stat(tmp_path).st_dev
        path = os.fsencode(view / "a.jpg")
        found = trash_for(path)
        assert found.top == os.fsencode(view)
        place = throw(found, path)
        assert remembered(place) == b"a.jpg"
        assert trash_for(put(tmp_path, "b.jpg")).top is None

    in_child(inside, own_mounts=True)
    assert not list(home.glob("files/a.jpg"))


@pytest.mark.parametrize("on_sharing_disk", ["btrfs"], indirect=True)
def test_a_subvolume_has_a_trash_of_its_own_as_nothing_is_renamed_out_of_it(
    on_sharing_disk: Callable[[Callable[[Path], None]], None],
) -> None:
    def check(disk: Path) -> None:
        subprocess.run(
            ["btrfs", "subvolume", "create", str(disk / "sub")], check=True, capture_output=True
        )
        path = put(disk / "sub", "a.jpg")
        place = throw(trash_for(path), path)
        assert place.startswith(os.fsencode(disk / "sub" / ".Trash-"))

    on_sharing_disk(check)


def test_where_the_system_tells_no_mount_ids_device_numbers_must_do(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.parent.mkdir(parents=True)
    monkeypatch.setattr(trash_module, "mount_id", lambda descriptor: 0)
    assert trash_for(put(tmp_path, "a.jpg")) == Trash(os.fsencode(home))


# -- what others make of it --------------------------------------------------------------------


# gio 2.74 restores what it cannot print under a name with escapes in it; trash-cli does not.
@pytest.mark.skipif(shutil.which("gio") is None, reason="needs gio (package libglib2.0-bin)")
@pytest.mark.skipif(shutil.which("dbus-run-session") is None, reason="needs dbus-run-session")
@pytest.mark.parametrize("name", ["a b.jpg", "100%25.jpg", ".x;[Trash Info]&#?.jpg"])
def test_the_desktop_lists_and_restores_what_is_trashed(
    tmp_path: Path, home: Path, name: str
) -> None:
    home.parent.mkdir(parents=True)
    path = put(tmp_path, name)
    place = throw(trash_for(path), path)

    def gio(*arguments: str) -> str:
        done = subprocess.run(
            ["dbus-run-session", "--", "gio", "trash", *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if "not supported" in done.stderr:
            pytest.skip("gio needs its trash service (package gvfs)")
        assert done.returncode == 0, done.stderr
        return done.stdout

    listed = dict(reversed(line.split("\t")) for line in gio("--list").splitlines())
    gio("--restore", listed[os.fsdecode(path)])
    assert content(path) == b"photo"
    assert not os.path.lexists(place)
    assert not os.path.lexists(info_of(place))


@pytest.mark.skipif(shutil.which("trash-restore") is None, reason="needs trash-cli")
@pytest.mark.parametrize("name", ["a b.jpg", "100%25.jpg", "ü\n.jpg"], ids=ascii)
def test_trash_cli_restores_what_is_trashed(tmp_path: Path, home: Path, name: str) -> None:
    home.parent.mkdir(parents=True)
    path = put(tmp_path, name)
    place = throw(trash_for(path), path)
    subprocess.run(
        ["trash-restore", path], input=b"0\n", capture_output=True, timeout=30, check=True
    )
    assert content(path) == b"photo"
    assert not os.path.lexists(place)
    assert not os.path.lexists(info_of(place))
