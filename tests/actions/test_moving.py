"""Nothing is lost by moving a file: no other file is written over, and its bytes stay."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import resource
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from catalog.actions import moving
from catalog.actions.moving import (
    Differs,
    Identity,
    being_written,
    copy_exclusive,
    exchange,
    identity_of,
    rename_exclusive,
    share_blocks,
    sync_folders,
)
from tests.support import NOBODY, ended, in_child, mount_tmpfs, needs_root, started

LONG_AGO = 1_000_000_000_123_456_789


def put(folder: Path, name: str, data: bytes) -> bytes:
    path = folder / name
    path.write_bytes(data)
    return os.fsencode(path)


def content(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return file.read()


@contextmanager
def opened(path: bytes, flags: int = os.O_RDONLY) -> Iterator[int]:
    descriptor = os.open(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


# -- identity ----------------------------------------------------------------------------------


def test_identity_outlives_a_renaming_and_tells_a_link_from_what_it_leads_to(
    tmp_path: Path,
) -> None:
    path = put(tmp_path, "a", b"one")
    before = identity_of(path)
    assert before == Identity.of(os.stat(path))
    os.rename(path, path + b"2")
    assert identity_of(path + b"2") == before
    os.symlink(path + b"2", path)
    assert identity_of(path) not in (None, before)


def test_where_nothing_is_there_is_no_identity_and_other_errors_are_no_absence(
    tmp_path: Path,
) -> None:
    path = put(tmp_path, "a", b"one")
    assert identity_of(path + b"x") is None
    assert identity_of(path + b"/below a file") is None
    with pytest.raises(OSError, match="too long"):
        identity_of(path + b"x" * 300)


# -- renaming ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("way")
def test_a_file_gets_a_name_that_nothing_has(tmp_path: Path) -> None:
    path = put(tmp_path, "a", b"one")
    before = identity_of(path)
    rename_exclusive(path, path + b"\xff\n")
    assert os.listdir(os.fsencode(tmp_path)) == [b"a\xff\n"]
    assert identity_of(path + b"\xff\n") == before


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("kind", ["file", "folder", "dangling link", "the same file"])
def test_whatever_has_the_name_keeps_it(tmp_path: Path, kind: str) -> None:
    source, target = put(tmp_path, "a", b"one"), os.fsencode(tmp_path / "b")
    if kind == "file":
        put(tmp_path, "b", b"other")
    elif kind == "folder":
        os.mkdir(target)
    elif kind == "dangling link":
        os.symlink(b"nowhere", target)
    else:
        os.link(source, target)
    before = identity_of(source), identity_of(target)
    with pytest.raises(FileExistsError) as caught:
        rename_exclusive(source, target)
    assert (caught.value.filename, caught.value.filename2) == (source, target)
    assert (identity_of(source), identity_of(target)) == before


@pytest.mark.usefixtures("way")
def test_what_is_not_there_is_named_by_the_error(tmp_path: Path) -> None:
    missing = os.fsencode(tmp_path / "a")
    with pytest.raises(FileNotFoundError) as caught:
        rename_exclusive(missing, missing + b"2")
    assert caught.value.filename == missing


def test_a_null_byte_does_not_make_it_another_name(tmp_path: Path) -> None:
    path = put(tmp_path, "a", b"one")
    for names in ((path + b"\0jpg", path + b"2"), (path, path + b"2\0jpg")):
        with pytest.raises(ValueError, match="null byte"):
            rename_exclusive(*names)
        with pytest.raises(ValueError, match="null byte"):
            exchange(*names)
    assert os.listdir(tmp_path) == ["a"]


def test_where_libc_has_no_renameat2_the_kernel_is_asked_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    libc = ctypes.CDLL(None, use_errno=True)

    class Old:
        syscall = libc.syscall

    monkeypatch.setattr(ctypes, "CDLL", lambda *arguments, **options: Old)
    found = moving._find_renameat2()
    if found is None:
        pytest.skip("its number is not known for this machine")
    monkeypatch.setattr(moving, "_rename", found)
    one, other = put(tmp_path, "a", b"one"), put(tmp_path, "b", b"other")
    with pytest.raises(FileExistsError):
        rename_exclusive(one, other)
    exchange(one, other)
    assert (content(one), content(other)) == (b"other", b"one")


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_do_it_at_once_does_it_in_two_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(moving, "_renameat2", lambda source, target, flags: number)
    path = put(tmp_path, "a", b"one")
    rename_exclusive(path, path + b"2")
    assert content(path + b"2") == b"one"
    with pytest.raises(OSError, match="supported") as caught:
        exchange(path, path + b"2")
    assert caught.value.errno == errno.ENOTSUP


@pytest.mark.usefixtures("no_renameat2")
def test_what_cannot_be_unlinked_stays_and_its_new_name_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path, "a", b"one")
    unlink = os.unlink

    def refusing(name: bytes) -> None:
        if name == path:
            raise PermissionError(errno.EPERM, "no", name)
        unlink(name)

    for refusal in (refusing, interrupted(path, unlink)):
        monkeypatch.setattr(os, "unlink", refusal)
        with pytest.raises((PermissionError, KeyboardInterrupt)):
            rename_exclusive(path, path + b"2")
        assert os.listdir(tmp_path) == ["a"]


def interrupted(path: bytes, unlink: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def unlinking(name: bytes) -> None:
        if name == path:
            raise KeyboardInterrupt
        unlink(name)

    return unlinking


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Have somebody else act between the link and the unlinking."""
    link = os.link

    def linking(*arguments: Any, **options: Any) -> None:
        link(*arguments, **options)
        act()

    monkeypatch.setattr(os, "link", linking)


@pytest.mark.usefixtures("no_renameat2")
def test_another_file_that_took_the_name_meanwhile_is_not_unlinked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, saved = put(tmp_path, "a", b"one"), put(tmp_path, "saved", b"edited")
    meanwhile(monkeypatch, lambda: os.replace(saved, path))
    with pytest.raises(OSError, match="another file") as caught:
        rename_exclusive(path, path + b"2")
    assert (caught.value.filename, caught.value.filename2) == (path, path + b"2")
    assert content(path) == b"edited"
    assert content(path + b"2") == b"one", "it may have been the last name of that file"


@pytest.mark.usefixtures("no_renameat2")
def test_a_file_that_lost_its_old_name_meanwhile_keeps_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path, "a", b"one")
    meanwhile(monkeypatch, lambda: os.unlink(path))
    rename_exclusive(path, path + b"2")
    assert content(path + b"2") == b"one"


@pytest.mark.usefixtures("no_renameat2")
def test_a_name_that_somebody_else_took_meanwhile_is_not_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, saved = put(tmp_path, "a", b"one"), put(tmp_path, "saved", b"edited")
    meanwhile(monkeypatch, lambda: os.replace(saved, path + b"2"))
    with pytest.raises(OSError, match="another file"):
        rename_exclusive(path, path + b"2")
    assert (content(path), content(path + b"2")) == (b"one", b"edited")


@pytest.mark.usefixtures("way")
def test_of_two_processes_that_want_one_name_only_one_gets_it_each_time(tmp_path: Path) -> None:
    rounds = 200
    for number in range(rounds):
        for who in (0, 1):
            put(tmp_path, f"{number}-of-{who}", b"%d" % who)
    gate = tmp_path / "gate"

    def runner(who: int) -> Callable[[], None]:
        def run() -> None:
            while not gate.exists():
                pass
            lost = 0
            for number in range(rounds):
                source = os.fsencode(tmp_path / f"{number}-of-{who}")
                try:
                    rename_exclusive(source, os.fsencode(tmp_path / f"{number}"))
                except FileExistsError:
                    lost += 1
            put(tmp_path, f"lost-by-{who}", b"%d" % lost)

        return run

    children = [started(runner(who)) for who in (0, 1)]
    gate.touch()
    assert [ended(child) for child in children] == [False, False]
    for number in range(rounds):
        names = [f"{number}", f"{number}-of-0", f"{number}-of-1"]
        found = [content(os.fsencode(tmp_path / n)) for n in names if (tmp_path / n).exists()]
        assert sorted(found) == [b"0", b"1"], f"round {number}"
    assert sum(int((tmp_path / f"lost-by-{who}").read_text()) for who in (0, 1)) == rounds


# -- exchanging --------------------------------------------------------------------------------


def test_two_files_exchange_their_names(tmp_path: Path) -> None:
    one, other = put(tmp_path, "a", b"one"), put(tmp_path, "b", b"other")
    exchange(one, other)
    assert (content(one), content(other)) == (b"other", b"one")


@pytest.mark.usefixtures("no_renameat2")
def test_where_names_cannot_be_exchanged_at_once_both_stay(tmp_path: Path) -> None:
    one, other = put(tmp_path, "a", b"one"), put(tmp_path, "b", b"other")
    with pytest.raises(OSError, match="supported") as caught:
        exchange(one, other)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOTSUP, one)
    assert (content(one), content(other)) == (b"one", b"other")


def test_a_name_that_leads_nowhere_is_exchanged_with_none(tmp_path: Path) -> None:
    one = put(tmp_path, "a", b"one")
    with pytest.raises(FileNotFoundError):
        exchange(one, one + b"2")
    assert content(one) == b"one"


# -- folders on the disk -----------------------------------------------------------------------


def test_each_folder_is_synced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    sync_folders(map(os.fsencode, (one, other, one)))
    assert synced == [str(one), str(other)]


def test_that_a_folder_could_not_be_synced_is_said_unless_none_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(number: int) -> Callable[[int], None]:
        def fsync(descriptor: int) -> None:
            raise OSError(number, os.strerror(number))

        return fsync

    folder = os.fsencode(tmp_path)
    open_before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    sync_folders([folder])
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output error") as caught:
        sync_folders([folder])
    assert caught.value.filename == folder
    assert os.listdir("/proc/self/fd") == open_before
    with pytest.raises(FileNotFoundError):
        sync_folders([folder + b"/gone"])


# -- sharing blocks ----------------------------------------------------------------------------


def extents(path: bytes) -> set[int]:
    """Where on the disk the bytes of a file lie (FIEMAP), each in units of 4 KiB."""
    blocks = set()
    with opened(path) as descriptor:
        os.fsync(descriptor)
        request = bytearray(32 + 56 * 16)
        request[:32] = b"".join(
            (number).to_bytes(size, "little")
            for number, size in ((0, 8), ((1 << 64) - 1, 8), (0, 4), (0, 4), (16, 4), (0, 4))
        )
        fcntl.ioctl(descriptor, 0xC020660B, request)
        for index in range(int.from_bytes(request[20:24], "little")):
            entry = request[32 + 56 * index :][:56]
            start, length = (int.from_bytes(entry[at : at + 8], "little") for at in (8, 16))
            blocks.update(range(start >> 12, (start + length) >> 12))
    return blocks


@pytest.mark.parametrize("on_sharing_disk", ["xfs", "btrfs"], indirect=True)
@pytest.mark.parametrize("size", [4096, 100_000, (33 << 20) + 5], ids=["block", "odd", "large"])
def test_equal_files_come_to_share_their_blocks_and_stay_what_they_are(
    on_sharing_disk: Callable[[Callable[[Path], None]], None], size: int
) -> None:
    data = os.urandom(size)

    def check(disk: Path) -> None:
        keeper, victim = put(disk, "a", data), put(disk, "b", data)
        os.utime(victim, ns=(LONG_AGO, LONG_AGO))
        os.chmod(victim, 0o640)
        assert not extents(keeper) & extents(victim)
        before = os.stat(victim)
        with opened(keeper) as one, opened(victim) as other:
            share_blocks(one, other, size)
        assert extents(keeper) == extents(victim)
        after = os.stat(victim)
        assert (after.st_mtime_ns, after.st_ctime_ns) == (LONG_AGO, before.st_ctime_ns)
        assert (after.st_ino, after.st_mode, after.st_size) == (
            before.st_ino,
            before.st_mode,
            size,
        )
        assert content(keeper) == content(victim) == data

    on_sharing_disk(check)


@pytest.mark.parametrize("on_sharing_disk", ["xfs", "btrfs"], indirect=True)
@pytest.mark.parametrize("at", [0, (17 << 20) + 9, (20 << 20) + 4], ids=["first", "later", "last"])
def test_the_kernel_finds_the_one_byte_that_differs(
    on_sharing_disk: Callable[[Callable[[Path], None]], None], at: int
) -> None:
    data = os.urandom((20 << 20) + 5)
    other_data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    def check(disk: Path) -> None:
        keeper, victim = put(disk, "a", data), put(disk, "b", other_data)
        with opened(keeper) as one, opened(victim) as other, pytest.raises(Differs):
            share_blocks(one, other, len(data))
        assert (content(keeper), content(victim)) == (data, other_data)

    on_sharing_disk(check)


@needs_root
def test_a_file_system_that_shares_nothing_says_so(tmp_path: Path) -> None:
    def ask() -> int | None:
        mount_tmpfs(os.fsencode(tmp_path))
        one, other = put(tmp_path, "a", b"one"), put(tmp_path, "b", b"one")
        with opened(one) as keeper, opened(other) as victim:
            try:
                share_blocks(keeper, victim, 3)
            except OSError as error:
                return error.errno
        return None

    assert in_child(ask, own_mounts=True) in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTTY)


class Kernel:
    """Stands in for FIDEDUPERANGE: answers each request as it is told, and notes it."""

    def __init__(self, *answers: tuple[int | None, int]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[int, int]] = []

    def ioctl(self, descriptor: int, request: int, buffer: bytearray) -> int:
        assert (descriptor, request) == (7, 0xC0189436)
        source, length, count, *_, victim, target, _, _, _ = moving._DEDUPE_RANGE.unpack(buffer)
        assert (count, victim, source) == (1, 8, target)
        self.asked.append((source, length))
        shared, status = self.answers.pop(0) if self.answers else (None, 0)
        buffer[:] = moving._DEDUPE_RANGE.pack(
            source, length, 1, 0, 0, 8, target, length if shared is None else shared, status, 0
        )
        return 0


def test_blocks_are_shared_in_pieces_and_a_short_one_is_gone_on_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = Kernel((None, 0), (4096, 0))
    monkeypatch.setattr(fcntl, "ioctl", kernel.ioctl)
    size = (40 << 20) + 1
    share_blocks(7, 8, size)
    short = (16 << 20) + 4096
    assert kernel.asked == [
        (0, 16 << 20),
        (16 << 20, 16 << 20),
        (short, 16 << 20),
        (short + (16 << 20), size - short - (16 << 20)),
    ]


@pytest.mark.parametrize(
    ("answer", "error", "number"),
    [
        ((0, 1), Differs, None),
        ((0, -errno.EPERM), OSError, errno.EPERM),
        ((0, 0), OSError, errno.EIO),
        ((4097, 0), OSError, errno.EIO),
    ],
    ids=["differs", "refused", "nothing shared", "more than asked"],
)
def test_what_the_kernel_answers_is_believed_only_where_it_makes_sense(
    monkeypatch: pytest.MonkeyPatch,
    answer: tuple[int, int],
    error: type[Exception],
    number: int | None,
) -> None:
    kernel = Kernel(answer)
    monkeypatch.setattr(fcntl, "ioctl", kernel.ioctl)
    with pytest.raises(error) as caught:
        share_blocks(7, 8, 4096)
    assert getattr(caught.value, "errno", None) == number
    assert len(kernel.asked) == 1


# -- others who write --------------------------------------------------------------------------


@pytest.fixture
def no_sigio() -> Iterator[None]:
    """A lease that is left behind makes a test fail, and does not end the process."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGIO, before)


@pytest.mark.usefixtures("no_sigio")
def test_that_a_file_is_being_written_is_seen_and_that_it_is_read_is_not(tmp_path: Path) -> None:
    path = put(tmp_path, "a", b"one")
    with opened(path) as descriptor, opened(path):
        assert not being_written(descriptor)
        with opened(path, os.O_WRONLY | os.O_NONBLOCK):
            assert being_written(descriptor)
        assert not being_written(descriptor)


@pytest.mark.usefixtures("no_sigio")
def test_the_lease_is_given_back_at_once(tmp_path: Path) -> None:
    path = put(tmp_path, "a", b"one")
    with opened(path) as descriptor:
        assert not being_written(descriptor)
        assert fcntl.fcntl(descriptor, fcntl.F_GETLEASE) == fcntl.F_UNLCK
        assert fcntl.fcntl(descriptor, fcntl.F_GETSIG) == 0
        with opened(path, os.O_WRONLY | os.O_NONBLOCK):  # fails where a lease is held
            assert being_written(descriptor)
        assert fcntl.fcntl(descriptor, fcntl.F_GETSIG) == 0, "nor when there was none to give back"


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EACCES])
def test_where_leases_are_not_to_be_had_nobody_is_said_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refusing(descriptor: int, command: int, argument: int = 0) -> int:
        if command == fcntl.F_SETLEASE:
            raise OSError(number, os.strerror(number))
        return 0

    path = put(tmp_path, "a", b"one")
    monkeypatch.setattr(fcntl, "fcntl", refusing)
    with opened(path) as descriptor, opened(path, os.O_WRONLY):
        assert not being_written(descriptor)


@needs_root
def test_who_does_not_own_the_file_gets_no_lease_and_no_error(open_place: Path) -> None:
    path = put(open_place, "a", b"one")

    def ask() -> bool:
        with opened(path) as descriptor:
            return being_written(descriptor)

    assert in_child(ask, user=NOBODY) is False


@pytest.mark.parametrize("kind", [0x6969, 0xFF534D42, 0xFE534D42], ids=["nfs", "cifs", "smb"])
def test_a_server_that_grants_no_lease_does_not_mean_that_somebody_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: int
) -> None:
    path = put(tmp_path, "a", b"one")
    monkeypatch.setattr(moving, "_kind", lambda descriptor: kind)
    with opened(path) as descriptor, opened(path, os.O_WRONLY):
        assert not being_written(descriptor)


@needs_root
def test_the_kind_of_a_file_system_is_known_by_its_number(tmp_path: Path) -> None:
    def ask() -> int:
        mount_tmpfs(os.fsencode(tmp_path))
        with opened(os.fsencode(tmp_path)) as descriptor:
            return moving._kind(descriptor)

    assert in_child(ask, own_mounts=True) == 0x01021994


def test_somebody_who_starts_to_write_at_that_moment_does_not_end_us(tmp_path: Path) -> None:
    path = put(tmp_path, "a", b"one")
    fcntl_itself = fcntl.fcntl

    def run() -> None:
        signal.signal(signal.SIGIO, signal.SIG_DFL)
        broken = []

        def leasing(descriptor: int, command: int, argument: int = 0) -> int:
            answer = fcntl_itself(descriptor, command, argument)
            if (command, argument) == (fcntl.F_SETLEASE, fcntl.F_RDLCK):
                try:
                    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
                except BlockingIOError:  # and the signal is sent
                    broken.append(descriptor)
            return answer

        fcntl.fcntl = leasing  # in this process only
        with opened(path) as descriptor:
            assert being_written(descriptor) is False
        if broken:
            put(tmp_path, "lived", b"")

    assert not ended(started(run)), "a signal ended the process"
    assert (tmp_path / "lived").exists()


# -- copying -----------------------------------------------------------------------------------


def test_a_copy_has_the_bytes_the_times_the_mode_and_the_owner(tmp_path: Path) -> None:
    data = os.urandom((2 << 20) + 17)
    source, target = put(tmp_path, "a", data), os.fsencode(tmp_path / "b\udcff")
    with opened(source) as descriptor:
        os.lseek(descriptor, 100, os.SEEK_SET)
        made = copy_exclusive(
            descriptor,
            target,
            mode=0o604,
            mtime_ns=LONG_AGO,
            atime_ns=LONG_AGO + 5,
            uid=NOBODY,
            gid=NOBODY,
        )
        assert os.lseek(descriptor, 0, os.SEEK_CUR) == 100
    status = os.stat(target)
    assert made == Identity.of(status)
    assert (status.st_mtime_ns, status.st_atime_ns) == (LONG_AGO, LONG_AGO + 5)
    assert stat.S_IMODE(status.st_mode) == 0o604
    assert status.st_uid == (NOBODY if os.geteuid() == 0 else os.geteuid())
    assert content(target) == data
    assert sorted(os.listdir(os.fsencode(tmp_path))) == [b"a", b"b\xff"]


@needs_root
def test_an_owner_that_cannot_be_given_is_let_go_and_a_group_that_can_is_not(
    open_place: Path,
) -> None:
    source = put(open_place, "a", b"one")
    open_place.chmod(0o777)
    group = 4321

    def copy() -> None:
        os.setgroups([group])
        os.setuid(NOBODY)
        with opened(source) as descriptor:
            copy_exclusive(
                descriptor, source + b"2", mode=0o644, mtime_ns=LONG_AGO, uid=0, gid=group
            )

    in_child(copy)
    status = os.stat(source + b"2")
    assert (status.st_uid, status.st_gid) == (NOBODY, group)


@pytest.mark.parametrize("number", [errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
def test_where_there_are_no_such_owners_a_copy_is_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refusing(*arguments: int) -> None:
        raise OSError(number, os.strerror(number))

    source = put(tmp_path, "a", b"one")
    monkeypatch.setattr(os, "fchown", refusing)
    with opened(source) as descriptor:
        copy_exclusive(descriptor, source + b"2", mode=0o644, mtime_ns=LONG_AGO, uid=1, gid=1)
    assert content(source + b"2") == b"one"


def test_a_copy_keeps_what_people_have_noted_on_the_file(tmp_path: Path) -> None:
    source = put(tmp_path, "a", b"one")
    try:
        os.setxattr(source, "user.xdg.tags", b"holiday")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error}")
    with opened(source) as descriptor:
        copy_exclusive(descriptor, source + b"2", mode=0o400, mtime_ns=LONG_AGO)
    assert os.getxattr(source + b"2", "user.xdg.tags") == b"holiday"


@pytest.mark.usefixtures("way")
def test_a_copy_takes_no_name_that_something_has(tmp_path: Path) -> None:
    source, target = put(tmp_path, "a", b"one"), put(tmp_path, "b", b"other")
    with opened(source) as descriptor, pytest.raises(FileExistsError):
        copy_exclusive(descriptor, target, mode=0o644, mtime_ns=LONG_AGO)
    assert content(target) == b"other"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("step", ["open", "write", "fchown", "fchmod", "utime", "fsync", "fstat"])
@pytest.mark.parametrize("failure", [OSError(errno.EIO, "no"), KeyboardInterrupt()], ids=repr)
def test_however_a_copy_ends_no_half_of_it_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException
) -> None:
    source, target = put(tmp_path, "a", b"one"), os.fsencode(tmp_path / "b")
    function = getattr(os, step)

    def failing(*arguments: Any, **options: Any) -> Any:
        answer = function(*arguments, **options)
        if step == "open":
            os.close(answer)
        raise failure

    with opened(source) as descriptor:
        with monkeypatch.context() as patch:
            patch.setattr(os, step, failing)
            with pytest.raises(type(failure)):
                copy_exclusive(descriptor, target, mode=0o644, mtime_ns=LONG_AGO)
        assert os.listdir(tmp_path) == ["a"]
        copy_exclusive(descriptor, target, mode=0o644, mtime_ns=LONG_AGO)


def test_a_name_never_leads_to_half_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = put(tmp_path, "a", b"one"), os.fsencode(tmp_path / "b")
    steps: list[str] = []

    def noting(name: str) -> None:
        function = getattr(os, name)

        def step(*arguments: Any, **options: Any) -> Any:
            assert not os.path.lexists(target), name
            steps.append(name)
            return function(*arguments, **options)

        monkeypatch.setattr(os, name, step)

    for name in ("write", "fchmod", "utime", "fsync"):
        noting(name)
    with opened(source) as descriptor:
        copy_exclusive(descriptor, target, mode=0o644, mtime_ns=LONG_AGO)
    assert steps == ["write", "fchmod", "utime", "fsync"]


def test_a_disk_that_is_full_leaves_no_half_of_a_copy(tmp_path: Path) -> None:
    source = put(tmp_path, "a", bytes(100_000))

    def copy() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        with opened(source) as descriptor, pytest.raises(OSError, match="too large"):
            copy_exclusive(descriptor, source + b"2", mode=0o644, mtime_ns=LONG_AGO)

    in_child(copy)
    assert os.listdir(tmp_path) == ["a"]
