"""``imgcat watch`` as a person uses it: what it prints, how it ends, and what others see of it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from commandline import Imgcat, one_line, picture, pictures

from catalog.store.place import log_file
from catalog.watching import background, channel, service
from catalog.watching.client import daemon_state
from tests.watching.following import Following, wait_for


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A few photos with some age."""
    top = tmp_path / "photos"
    pictures(top, 4, folders=2)
    for path in top.rglob("*.png"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return top


@pytest.fixture
def home(imgcat: Imgcat) -> Path:
    """Where logs and services go."""
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        imgcat.env.pop(name, None)
    return imgcat.home


def lines(following: Following) -> list[str]:
    return following.out.splitlines()


def test_it_says_a_line_for_each_change_and_when_you_already_have_it(
    following: Following, photos: Path
) -> None:
    following.start()
    following.wait_until_watching()
    shutil.copy(photos / "folder 0" / "0000.png", photos / "folder 1" / "copy.png")
    assert wait_for(lambda: "you already have" in following.out, 10)
    following.wait_until_quiet()
    (photos / "folder 0").rename(photos / "new \x1b name")
    assert wait_for(lambda: "moved" in following.out, 10)
    (photos / "folder 1" / "copy.png").unlink()
    assert wait_for(lambda: "gone" in following.out, 10)
    assert following.stop(within=2) == 0
    said = [line.split("  ", 1)[1].strip() for line in lines(following)]
    assert said[0] == f"following {photos}"
    assert said[1].startswith(f"looked   {photos}: 4 files: 4 added, in ")
    assert said[2:] == [
        f"added    {photos}/folder 1/copy.png",
        f"you already have {photos}/folder 1/copy.png: {photos}/folder 0/0000.png (identical)",
        f"moved    {photos}/folder 0/ -> {photos}/new \\x1b name/",
        f"gone     {photos}/folder 1/copy.png",
        "ended",
    ]
    assert following.err == ""


def test_r41_ctrl_c_ends_it_within_two_seconds_and_nothing_is_left(
    imgcat: Imgcat, photos: Path
) -> None:
    process = imgcat.start("watch", photos)
    assert wait_for(lambda: daemon_state(imgcat.catalog).state == "watching", 20)
    (photos / "new.png").write_bytes((photos / "folder 0" / "0000.png").read_bytes())
    time.sleep(0.7)  # while the processes that read start, or are there
    begun = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    done = imgcat.finish(process)
    assert time.monotonic() - begun < 2
    assert (done.code, done.err) == (0, b"")
    assert done.text.endswith("ended\n")
    assert imgcat.nothing_is_left()
    assert daemon_state(imgcat.catalog).state == "stopped"


def test_in_the_background_it_writes_a_log_and_is_ended_from_elsewhere(
    imgcat: Imgcat, photos: Path, home: Path
) -> None:
    done = imgcat("watch", "--detach", photos)
    assert done.code == 0, done.errors
    assert done.text.startswith("Watching in the background (process ")
    assert wait_for(lambda: daemon_state(imgcat.catalog).state == "watching", 20)
    state = daemon_state(imgcat.catalog)
    assert f"(process {state.pid})" in done.text
    assert state.pid is not None
    assert os.getsid(state.pid) == state.pid
    assert os.readlink(f"/proc/{state.pid}/cwd") == "/", "it keeps no drive from being unplugged"
    sockets = list(Path(os.fsdecode(imgcat.catalog)).parent.rglob("daemon.socket"))
    assert [path.stat().st_mode & 0o777 for path in sockets] == [0o600]
    picture(photos / "new.png", 77)
    (log,) = (home / ".local" / "state" / "imgcat").glob("watch-*.log")
    assert str(log) in done.text
    assert log.stat().st_mode & 0o777 == 0o600
    assert wait_for(lambda: "added" in log.read_text(), 10)
    again = imgcat("watch", "--detach", photos)
    assert again.code == 6
    assert b"--stop" in again.err
    assert "ended" not in log.read_text(), "the log is the first one's"
    stopped = imgcat("watch", "--stop")
    assert (stopped.code, stopped.text) == (0, f"Ended process {state.pid}.\n")
    assert log.read_text().endswith("ended\n")
    assert imgcat.nothing_is_left()
    assert imgcat("watch", "--stop").text == "No daemon was running.\n"


def test_its_log_is_set_aside_before_it_grows_too_long(
    imgcat: Imgcat, home: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    log = Path(os.fsdecode(log_file(imgcat.catalog)))
    log.parent.mkdir(parents=True)
    log.write_bytes(b"x" * 5_000_000)
    done = imgcat("watch", "--detach", "--poll", photos)
    assert done.code == 0, done.errors
    assert daemon_state(imgcat.catalog).polling == "--poll"
    assert imgcat.ask("watch", "--stop").code == 0
    assert log.with_suffix(".log.1").stat().st_size == 5_000_000
    assert log.read_text().endswith("ended\n")


@pytest.fixture
def daemons(monkeypatch: pytest.MonkeyPatch, home: Path) -> list[list[str]]:
    """The command lines of the daemons that are started from here: none is."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    started: list[list[str]] = []

    def start(command: Sequence[str]) -> tuple[int, str, int]:
        started.append(list(command))
        return 4711, "", 0

    def install(
        _catalog: bytes, _is_default: bool, command: Sequence[str], make_room: Callable[[], object]
    ) -> str:
        make_room()
        started.append(list(command))
        return "installed"

    monkeypatch.setattr(background, "start", start)
    monkeypatch.setattr(service, "install", install)
    return started


def words_of(command: list[str], option: str) -> list[str]:
    """What an option of a daemon is given, split as the daemon splits it."""
    return shlex.split(command[command.index(option) + 1])


@pytest.mark.parametrize("way", ["--detach", "--install"])
def test_where_it_goes_on_elsewhere_it_goes_on_in_the_same_way(
    imgcat: Imgcat,
    photos: Path,
    tmp_path: Path,
    daemons: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    for name in ("tell", "notify-send"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    how = ["--poll", "--jobs", "2", "--notify", "--on-duplicate", "tell 'a b' $(c)"]
    done = imgcat.ask("watch", way, *how, photos)
    assert done.code == 0, done.errors
    done = imgcat.ask("watch", way, photos)
    assert done.code == 0, done.errors
    given, plain = daemons
    assert [os.fsdecode(imgcat.catalog), "watch"] == given[given.index("--catalog") + 1 :][:2]
    assert {"--poll", "--notify"} <= set(given)
    assert words_of(given, "--jobs") == ["2"]
    program, *others = words_of(given, "--on-duplicate")
    assert (os.path.basename(program), others) == ("tell", ["a b", "$(c)"])
    assert str(photos) in given
    assert str(photos) in plain
    assert not {"--poll", "--notify", "--jobs", "--on-duplicate"} & set(plain)


def test_before_a_service_starts_the_one_that_runs_is_ended(
    imgcat: Imgcat, photos: Path, daemons: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bytes] = []
    monkeypatch.setattr(background, "stop", ended.append)
    done = imgcat.ask("watch", "--install", photos)
    assert (done.code, done.text) == (0, "installed\n")
    assert ended == [imgcat.catalog]
    assert len(daemons) == 1


def test_one_that_hangs_is_ended_too(following: Following, imgcat: Imgcat, photos: Path) -> None:
    following.start()
    following.wait_until_watching()
    following.pause()
    state = daemon_state(imgcat.catalog)
    assert (state.state, state.pid) == ("degraded", following.process.pid)
    assert "does not answer" in state.problem
    done = imgcat("watch", "--stop")
    assert done.code == 0, done.errors
    assert following.process.wait(5) == 0


def test_status_tells_how_it_is(following: Following, imgcat: Imgcat, photos: Path) -> None:
    assert (
        "Daemon    not running"
        in imgcat.ask("watch", "--stop").text
        + imgcat("index", photos).text
        + imgcat.ask("status").text
    )
    following.start()
    following.wait_until_quiet()
    text = imgcat.ask("status").text
    assert f"Daemon    watching (process {following.process.pid}); 3 folders" in text
    daemon = imgcat.ask("status", "--json").json["daemon"]
    assert daemon["state"] == "watching"
    assert daemon["pid"] == following.process.pid
    assert (daemon["pending"], daemon["to_read"], daemon["overflows"]) == (0, 0, 0)
    assert (daemon["watched"], daemon["unwatched"], daemon["polling"]) == (3, 0, "")
    assert imgcat.ask("status", "--check", "--quiet").code == 0
    following.pause()
    assert imgcat.ask("status", "--check", "--quiet").code == 1
    following.go_on()


def test_r21_questions_are_fresh_with_it_and_say_so(
    following: Following, imgcat: Imgcat, photos: Path
) -> None:
    following.start()
    following.wait_until_watching()
    for number in range(4):
        copy = photos / f"copy {number}.png"
        shutil.copy(photos / "folder 0" / "0000.png", copy)
        answer = imgcat.ask("dupes", "--exact", "--json").json
        assert answer["fresh"] is True
        (group,) = answer["groups"]
        assert str(copy) in {photo["path"] for photo in group["photos"]}
        assert len(group["photos"]) == number + 2
    answer = imgcat.ask("similar", photos / "folder 0" / "0000.png", "--json").json
    assert answer["fresh"] is True
    assert "Last scan" not in imgcat.ask("dupes").text
    following.stop()
    answer = imgcat.ask("dupes", "--json")
    assert answer.json["fresh"] is False
    assert answer.err == b""
    assert "Last scan" in imgcat.ask("dupes").text


def test_r21_one_that_does_not_answer_costs_ten_seconds_and_a_warning(
    following: Following, imgcat: Imgcat, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert channel.ask.__defaults__ == (channel.PATIENCE,) == (10.0,)
    monkeypatch.setattr(channel.ask, "__defaults__", (1.0,))  # people wait longer than tests
    following.start()
    following.wait_until_watching()
    following.pause()
    begun = time.monotonic()
    done = imgcat.ask("dupes", "--json")
    assert 1 <= time.monotonic() - begun < 3
    following.go_on()
    assert done.code == 0
    assert done.json["fresh"] is False
    assert done.errors.startswith("imgcat: the answer may be out of date, the daemon says why: ")


def test_r22_killed_it_starts_again_at_once(following: Following, photos: Path) -> None:
    following.start()
    following.wait_until_watching()
    for number in range(3):
        picture(photos / f"{number}.png", number)
        time.sleep(0.1 * number)
        following.kill()
        picture(photos / f"{number} more.png", number)
        begun = time.monotonic()
        following.start()
        following.wait_until_watching()
        assert time.monotonic() - begun < 10
    rows = following.imgcat("status", "--json").json
    assert rows["photos"] == 10
    assert "Traceback" not in following.out + following.err


def test_r22_of_ten_that_start_at_once_one_runs(imgcat: Imgcat, photos: Path) -> None:
    assert imgcat("index", photos).code == 0
    started = [imgcat.start("watch") for _ in range(10)]
    assert wait_for(lambda: sum(p.poll() is None for p in started) == 1, 40)
    ended = [imgcat.finish(process) for process in started if process.poll() is not None]
    assert {done.code for done in ended} == {6}
    assert all(b"follows this catalog already" in done.err for done in ended)
    (one,) = [process for process in started if process.poll() is None]
    assert wait_for(lambda: daemon_state(imgcat.catalog).state == "watching", 20)
    assert daemon_state(imgcat.catalog).pid == one.pid
    one.terminate()
    assert imgcat.finish(one).code == 0


def test_a_command_of_the_users_gets_both_paths(
    imgcat: Imgcat, photos: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    words = f"{sys.executable} -c 'import sys; print(sys.argv[1:], file=open(sys.argv[1], \"a\"))'"
    following = Following(imgcat, "--on-duplicate", f"{words} '{log}'", photos)
    try:
        following.start()
        following.wait_until_watching()
        shutil.copy(photos / "folder 0" / "0000.png", photos / "a 'b' $(c).png")
        assert wait_for(log.exists, 10)
        assert wait_for(lambda: log.read_text().endswith("\n"), 10)
        said = log.read_text()
        assert (
            said
            == str(
                [str(log), str(photos / "a 'b' $(c).png"), str(photos / "folder 0" / "0000.png")]
            )
            + "\n"
        )
    finally:
        following.close()


def test_notifications_are_shown_where_there_is_notify_send(
    imgcat: Imgcat, photos: Path, tmp_path: Path
) -> None:
    fake = tmp_path / "bin"
    fake.mkdir()
    imgcat.env["PATH"] = str(fake)
    done = imgcat("watch", "--notify", photos)
    assert done.code == 2
    assert "notify-send" in one_line(done)
    program = fake / "notify-send"
    program.write_text(f'#!/bin/sh\necho "$*" >> "{tmp_path}/shown"\n')
    program.chmod(0o755)
    following = Following(imgcat, "--notify", photos)
    try:
        following.start()
        following.wait_until_watching()
        shutil.copy(photos / "folder 0" / "0000.png", photos / "copy.png")
        shown = tmp_path / "shown"
        assert wait_for(lambda: shown.exists() and shown.read_text().endswith("\n"), 10)
        assert "You already have this copy.png: " in shown.read_text()
    finally:
        following.close()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere"], 2, "there is no folder nowhere"),
        ([], 2, "imgcat watch FOLDER"),
        (["--stop", "--detach"], 2, "do not go together"),
        (["--on-duplicate", "no-such-program x", "."], 2, "there is no program 'no-such-program'"),
        (["--on-duplicate", "'", "."], 2, "is no command"),
        (["--on-duplicate", "", "."], 2, "there is no program"),
        (["--detach", "nowhere"], 2, "there is no folder"),
        (["--install", "nowhere"], 2, "there is no folder"),
        (["--install"], 2, "name the folder of your pictures"),
        (["--jobs", "0", "."], 2, "--jobs"),
        (["/proc"], 2, "windows into the system"),
    ],
)
def test_nonsense_is_one_line(
    imgcat: Imgcat, home: Path, words: list[str], code: int, said: str
) -> None:
    done = imgcat("watch", *words)
    assert done.code == code
    assert said in one_line(done)
    assert imgcat.nothing_is_left()


def test_a_catalog_that_is_not_ours_is_left_alone(imgcat: Imgcat, photos: Path) -> None:
    path = Path(os.fsdecode(imgcat.catalog))
    path.parent.mkdir()
    path.write_bytes(b"SQLite format 3\0" + b"\0" * 200)
    for words in (["watch", photos], ["watch", "--detach", photos]):
        done = imgcat(*words)
        assert done.code == 5
        assert "a database of another program" in one_line(done)


def test_a_very_long_path_has_a_socket_too(tmp_path: Path, photos: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    imgcat = Imgcat(bytes(deep / "catalog.db"), tmp_path)
    following = Following(imgcat, photos)
    try:
        following.start()
        following.wait_until_watching()
        assert imgcat("dupes", "--json").json["fresh"] is True
        assert following.stop(within=2) == 0
    finally:
        following.close()


def test_its_help_names_what_it_does(imgcat: Imgcat) -> None:
    text = imgcat("watch", "--help").text
    for option in ("--detach", "--stop", "--install", "--uninstall", "--poll", "--on-duplicate"):
        assert option in text
    assert "--log" not in text


def test_python_programs_hear_whether_answers_are_fresh(
    following: Following, imgcat: Imgcat, photos: Path
) -> None:
    following.start()
    following.wait_until_watching()
    shutil.copy(photos / "folder 0" / "0000.png", photos / "copy.png")
    script = (
        "import sys, json; from catalog import Catalog\n"
        "with Catalog(sys.argv[1]) as c:\n"
        "    answer = c.duplicates(exact=True)\n"
        "    print(json.dumps([answer.fresh, answer.photos, c.status().daemon.state,"
        " c.similar(sys.argv[2]).fresh]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, imgcat.catalog, photos / "copy.png"],
        capture_output=True,
        check=True,
        env=imgcat.env,
    )
    assert json.loads(done.stdout) == [True, 2, "watching", True]


def test_what_ends_it_in_the_background_is_in_its_log(
    imgcat: Imgcat, home: Path, photos: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    sabotaged = (
        "import sys\n"
        "from catalog.cli.app import run\n"
        "from catalog.watching.daemon import Daemon\n"
        "def turn(self): raise RuntimeError('a mistake')\n"
        "Daemon._turn = turn\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    words = ["--catalog", os.fsdecode(imgcat.catalog), "watch", photos, "--log", log]
    done = subprocess.run(
        [sys.executable, "-c", sabotaged, *words], env=imgcat.env, timeout=60, check=False
    )
    assert done.returncode == 1
    assert log.read_text().endswith("ended: RuntimeError: a mistake\n")


def test_a_command_named_from_here_is_found_from_anywhere(
    imgcat: Imgcat, home: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "tell me.sh"
    script.write_text(f'#!/bin/sh\necho "$1 $2" >> "{tmp_path}/told"\n')
    script.chmod(0o755)
    done = imgcat("watch", "--detach", "--on-duplicate", "'./tell me.sh' first", photos)
    assert done.code == 0, done.errors
    assert wait_for(lambda: daemon_state(imgcat.catalog).state == "watching", 20)
    shutil.copy(photos / "folder 0" / "0000.png", photos / "copy.png")
    told = tmp_path / "told"
    assert wait_for(lambda: told.exists() and told.read_text().endswith("\n"), 20)
    assert told.read_text() == f"first {photos / 'copy.png'}\n"
    assert imgcat("watch", "--stop").code == 0


def test_a_log_that_cannot_be_written_is_one_line(
    imgcat: Imgcat, home: Path, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    imgcat.env["XDG_STATE_HOME"] = str(tmp_path / "file")
    done = imgcat("watch", "--detach", photos)
    assert done.code == 1
    assert "cannot write the log" in one_line(done)
