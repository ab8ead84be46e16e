"""What starts the daemon with the session, and what the daemon tells systemd."""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace

import pytest
from commandline import Imgcat, pictures
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.errors import CatalogError, UsageError
from catalog.store.place import log_file
from catalog.watching import service
from catalog.watching.notifier import Notifier
from catalog.watching.service import install, uninstall
from tests.watching.following import Following, wait_for

CATALOG = b"/photos/catalog.db"
COMMAND = ["/usr/bin/python3", "-m", "catalog", "watch", "/photos"]
ANALYZE = shutil.which("systemd-analyze")
WAYS = pytest.mark.parametrize("system", ["linux", "darwin"])

FAKE = """\
#!/bin/sh
PATH='{path}'
cd '{folder}'
echo "${{0##*/}} $*" >> calls
ls -A '{units}' > "seen-$2"
echo 'nobody needs this'
for word in "$@"; do
    if [ -e "fails/$word" ]; then cat "fails/$word" >&2; exit 1; fi
done
"""


class Machine:
    """A home folder, and programs that only write down what they were told."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.patch = patch
        self.home = folder / "home"
        self.units = self.home / "config/systemd/user"
        self.agents = self.home / "Library/LaunchAgents"
        (folder / "bin").mkdir()
        (folder / "fails").mkdir()
        self.home.mkdir()
        self.path = os.environ["PATH"]
        patch.setenv("PATH", str(folder / "bin"))  # nothing may come to the real ones
        patch.setenv("HOME", str(self.home))
        patch.setenv("XDG_CONFIG_HOME", str(self.home / "config"))
        patch.delenv("XDG_STATE_HOME", raising=False)
        self.is_a("linux")

    def is_a(self, system: str) -> None:
        name, units = (
            ("launchctl", self.agents) if system == "darwin" else ("systemctl", self.units)
        )
        self.patch.setattr(sys, "platform", system)
        self.units = units
        self.has(name, FAKE.format(path=self.path, folder=self.folder, units=units))

    def has(self, name: str, script: str) -> None:
        program = self.folder / "bin" / name
        program.write_text(script)
        program.chmod(0o755)

    def fails(self, word: str, says: str) -> None:
        """From now on, whatever is asked with this word fails."""
        (self.folder / "fails" / word).write_text(says)

    def works_again(self, word: str) -> None:
        (self.folder / "fails" / word).unlink()

    def calls(self) -> list[str]:
        """What was asked since the last time."""
        record = self.folder / "calls"
        calls = record.read_text().splitlines() if record.exists() else []
        record.unlink(missing_ok=True)
        return calls

    def installed(self) -> list[str]:
        return sorted(os.listdir(self.units)) if self.units.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def entries(unit: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in unit.split("\n") if "=" in line)


# -- systemd -----------------------------------------------------------------------------------


def test_a_unit_is_written_enabled_and_started(machine: Machine) -> None:
    said = install(CATALOG, True, COMMAND)
    unit = machine.units / "imgcat-watch.service"
    assert entries(unit.read_text()) == {
        "Description": "imgcat: keeps the catalog of your pictures up to date",
        "Type": "notify",
        "NotifyAccess": "main",
        "ExecStart": '"/usr/bin/python3" "-m" "catalog" "watch" "/photos"',
        "SyslogIdentifier": "imgcat",
        "TimeoutStartSec": "15min",
        "TimeoutStopSec": "30",
        "KillMode": "mixed",
        "WatchdogSec": "30min",
        "Restart": "on-failure",
        "RestartSec": "10",
        "SuccessExitStatus": "130",
        "RestartPreventExitStatus": "2 5 6",
        "OOMPolicy": "continue",
        "Nice": "10",
        "IOSchedulingClass": "best-effort",
        "IOSchedulingPriority": "7",
        "WantedBy": "default.target",
    }
    assert machine.calls() == [
        "systemctl --user daemon-reload",
        "systemctl --user enable imgcat-watch",
        "systemctl --user restart imgcat-watch",
    ]
    assert "\n" not in said
    for part in (str(unit), "'journalctl --user -u imgcat-watch'", "'loginctl enable-linger'"):
        assert part in said


def test_installing_again_changes_nothing_and_starts_the_present_release(machine: Machine) -> None:
    first = install(CATALOG, True, COMMAND)
    unit = (machine.units / "imgcat-watch.service").read_bytes()
    calls = machine.calls()
    assert install(CATALOG, True, COMMAND) == first
    assert machine.installed() == ["imgcat-watch.service"]
    assert (machine.units / "imgcat-watch.service").read_bytes() == unit
    assert machine.calls() == calls


def test_other_folders_take_the_place_of_the_first(machine: Machine) -> None:
    install(CATALOG, True, COMMAND)
    install(CATALOG, True, [*COMMAND, "/more"])
    assert machine.installed() == ["imgcat-watch.service"]
    assert '"/photos" "/more"\n' in (machine.units / "imgcat-watch.service").read_text()


def test_without_xdg_config_home_units_are_in_dot_config(machine: Machine) -> None:
    for value in ("", "not/absolute"):
        machine.patch.setenv("XDG_CONFIG_HOME", value)
        install(CATALOG, True, COMMAND)
        unit = machine.home / ".config/systemd/user/imgcat-watch.service"
        unit.unlink()


def test_a_unit_is_whole_or_not_there(machine: Machine) -> None:
    install(CATALOG, True, COMMAND)
    before = (machine.units / "imgcat-watch.service").read_bytes()

    def full(_source: bytes, _target: bytes) -> None:
        raise OSError(28, "No space left on device")

    machine.patch.setattr(service.os, "replace", full)
    with pytest.raises(CatalogError, match=r"^cannot write .*service: No space left on device$"):
        install(CATALOG, True, [*COMMAND, "/more"])
    assert machine.installed() == ["imgcat-watch.service"]
    assert (machine.units / "imgcat-watch.service").read_bytes() == before


def test_a_place_that_cannot_be_made_is_named(machine: Machine) -> None:
    (machine.home / "config").write_text("a file")
    with pytest.raises(CatalogError, match=r"^cannot make .*/config/systemd/user: "):
        install(CATALOG, True, COMMAND)
    assert machine.calls() == []


def test_without_systemd_nothing_is_written(machine: Machine) -> None:
    machine.patch.setenv("PATH", str(machine.home))
    with pytest.raises(CatalogError, match=r"^there is no systemd here.*imgcat watch --detach"):
        install(CATALOG, True, COMMAND)
    assert machine.installed() == []


NO_BUS = "Failed to connect to bus: No medium found\n"
NO_START = (
    "Job for imgcat-watch.service failed because the control process exited with error code.\n"
    'See "systemctl --user status imgcat-watch.service" and "journalctl --user" for details.\n'
)


@pytest.mark.parametrize(
    ("word", "says", "reason", "remedy"),
    [
        ("daemon-reload", "Hm.\n" + NO_BUS, NO_BUS.strip(), "systemctl --user enable --now"),
        ("enable", NO_BUS, NO_BUS.strip(), "systemctl --user enable --now imgcat-watch"),
        ("restart", NO_START, "control process exited", "journalctl --user -u imgcat-watch"),
        ("restart", "", "exit code 1", "journalctl --user -u imgcat-watch"),
    ],
)
def test_where_systemd_fails_it_is_said_what_why_and_what_to_do(
    machine: Machine, word: str, says: str, reason: str, remedy: str
) -> None:
    machine.fails(word, says)
    with pytest.raises(CatalogError) as raised:
        install(CATALOG, True, COMMAND)
    message = str(raised.value)
    assert "\n" not in message
    assert f"'systemctl --user {word}" in message
    assert reason in message
    assert remedy in message
    assert "See " not in message
    assert f"{machine.units / 'imgcat-watch.service'} is written" in message
    assert machine.installed() == ["imgcat-watch.service"]
    assert word in machine.calls()[-1]  # and nothing was tried after it

    machine.works_again(word)
    install(CATALOG, True, COMMAND)


def test_a_systemd_that_does_not_answer_is_not_waited_for(machine: Machine) -> None:
    machine.patch.setattr(service, "_PATIENCE", 0.2)
    machine.has("systemctl", "#!/bin/sh\nexec /bin/sleep 30\n")
    begun = time.monotonic()
    with pytest.raises(CatalogError, match="daemon-reload' failed: no answer within 0 seconds"):
        install(CATALOG, True, COMMAND)
    assert time.monotonic() - begun < 10


def test_a_systemctl_that_cannot_be_run_is_a_failure_like_others(machine: Machine) -> None:
    machine.has("systemctl", "#!/no/such/interpreter\n")
    with pytest.raises(CatalogError, match="daemon-reload' failed: No such file or directory"):
        install(CATALOG, True, COMMAND)


def test_uninstalling_ends_it_then_removes_it_then_tells_systemd(machine: Machine) -> None:
    install(CATALOG, True, COMMAND)
    assert machine.installed() == ["imgcat-watch.service"]
    machine.calls()
    said = uninstall(CATALOG, True)
    assert said == f"Removed the service imgcat-watch ({machine.units}/imgcat-watch.service)."
    assert machine.calls() == [
        "systemctl --user disable --now imgcat-watch",
        "systemctl --user daemon-reload",
        "systemctl --user reset-failed imgcat-watch",
    ]
    assert (machine.folder / "seen-disable").read_text() == "imgcat-watch.service\n"
    assert (machine.folder / "seen-daemon-reload").read_text() == ""
    assert machine.installed() == []


def test_a_service_that_cannot_be_ended_stays_whole(machine: Machine) -> None:
    install(CATALOG, True, COMMAND)
    machine.fails("disable", NO_BUS)
    with pytest.raises(CatalogError) as raised:
        uninstall(CATALOG, True)
    assert "'systemctl --user disable --now imgcat-watch' failed" in str(raised.value)
    assert NO_BUS.strip() in str(raised.value)
    assert machine.installed() == ["imgcat-watch.service"]


def test_that_systemd_has_nothing_to_forget_is_no_failure(machine: Machine) -> None:
    install(CATALOG, True, COMMAND)
    machine.fails("reset-failed", "Unit imgcat-watch.service not loaded.\n")
    machine.fails("daemon-reload", NO_BUS)
    assert uninstall(CATALOG, True).startswith("Removed ")


def test_a_unit_can_be_removed_where_systemd_is_no_more(machine: Machine) -> None:
    install(CATALOG, True, COMMAND)
    machine.patch.setenv("PATH", str(machine.home))
    assert uninstall(CATALOG, True).startswith("Removed ")
    assert machine.installed() == []


# -- launchd -----------------------------------------------------------------------------------


def test_an_agent_is_written_and_started(machine: Machine) -> None:
    machine.is_a("darwin")
    said = install(CATALOG, True, COMMAND)
    path = machine.agents / "imgcat.watch.plist"
    log = os.fsdecode(log_file(CATALOG))
    assert plistlib.loads(path.read_bytes()) == {
        "Label": "imgcat.watch",
        "ProgramArguments": COMMAND,
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ProcessType": "Background",
        "ExitTimeOut": 30,
        "StandardErrorPath": log,
    }
    assert os.path.isdir(os.path.dirname(log))
    domain = f"gui/{os.getuid()}"
    assert machine.calls() == [
        f"launchctl bootout {domain}/imgcat.watch",
        f"launchctl bootstrap {domain} {path}",
    ]
    assert str(path) in said
    assert log in said
    assert "\n" not in said


def test_an_agent_that_did_not_run_before_is_no_failure(machine: Machine) -> None:
    machine.is_a("darwin")
    machine.fails("bootout", "Boot-out failed: 3: No such process\n")
    install(CATALOG, True, COMMAND)
    assert uninstall(CATALOG, True).startswith("Removed ")


EIO = """\
Bootstrap failed: 5: Input/output error
Try re-running the command as root for richer errors.
"""


def test_launchd_is_asked_again_while_the_agent_before_still_ends(machine: Machine) -> None:
    machine.is_a("darwin")
    machine.fails("bootstrap", EIO)
    a_moment_later = SimpleNamespace(
        monotonic=time.monotonic, sleep=lambda _seconds: machine.works_again("bootstrap")
    )
    machine.patch.setattr(service, "time", a_moment_later)
    install(CATALOG, True, COMMAND)
    assert [call.split()[1] for call in machine.calls()] == ["bootout", "bootstrap", "bootstrap"]


def test_where_launchd_fails_it_is_said_why_and_what_comes_of_it(machine: Machine) -> None:
    machine.is_a("darwin")
    machine.patch.setattr(service, "_DRAINS_WITHIN", 0.0)
    machine.fails("bootstrap", EIO)
    with pytest.raises(CatalogError) as raised:
        install(CATALOG, True, COMMAND)
    message = str(raised.value)
    assert "'launchctl bootstrap' failed: Bootstrap failed: 5: Input/output error;" in message
    assert "when you log in the next time" in message
    assert machine.installed() == ["imgcat.watch.plist"]


def test_uninstalling_an_agent_ends_it_and_removes_it(machine: Machine) -> None:
    machine.is_a("darwin")
    install(CATALOG, True, COMMAND)
    machine.calls()
    said = uninstall(CATALOG, True)
    assert said == f"Removed the service imgcat.watch ({machine.agents}/imgcat.watch.plist)."
    assert machine.calls() == [f"launchctl bootout gui/{os.getuid()}/imgcat.watch"]
    assert machine.installed() == []


# -- either ------------------------------------------------------------------------------------


@WAYS
def test_each_catalog_has_its_own_service(machine: Machine, system: str) -> None:
    machine.is_a(system)
    install(CATALOG, True, COMMAND)
    install(b"/other.db", False, COMMAND)
    mark = blake2b(b"/other.db", digest_size=4).hexdigest()
    names = {
        "linux": [f"imgcat-watch-{mark}.service", "imgcat-watch.service"],
        "darwin": [f"imgcat.watch.{mark}.plist", "imgcat.watch.plist"],
    }
    assert machine.installed() == names[system]
    assert uninstall(b"/third.db", False) == "No service is installed for this catalog."
    uninstall(b"/other.db", False)
    assert machine.installed() == names[system][1:]
    assert any(mark in call for call in machine.calls())


@WAYS
def test_only_the_answer_is_for_people(
    machine: Machine, capfd: pytest.CaptureFixture[str], system: str
) -> None:
    machine.is_a(system)
    install(CATALOG, True, COMMAND)
    uninstall(CATALOG, True)
    assert capfd.readouterr() == ("", "")


@WAYS
def test_that_nothing_was_installed_is_said(machine: Machine, system: str) -> None:
    machine.is_a(system)
    assert machine.installed() == []
    assert uninstall(CATALOG, True) == "No service is installed for this catalog."
    assert machine.calls() == []


@WAYS
def test_what_cannot_be_removed_is_named(machine: Machine, system: str) -> None:
    machine.is_a(system)
    install(CATALOG, True, COMMAND)

    def refused(_path: bytes) -> None:
        raise PermissionError(1, "Operation not permitted")

    machine.patch.setattr(service.os, "unlink", refused)
    with pytest.raises(CatalogError, match=r"^cannot remove .*: Operation not permitted$"):
        uninstall(CATALOG, True)


@WAYS
@pytest.mark.parametrize(
    "word",
    ["two\nlines", "\x00", "\x1b[2J", "\t", "\r", "caf\udce9", "\ufffe", "\ufdd0", "\U0001fffe"],
)
def test_names_that_no_service_can_be_given_are_refused(
    machine: Machine, system: str, word: str
) -> None:
    machine.is_a(system)
    with pytest.raises(UsageError) as raised:
        install(CATALOG, True, [*COMMAND, word])
    assert str(raised.value).isprintable()
    assert ascii(word) in str(raised.value)
    assert machine.installed() == []
    assert machine.calls() == []


@pytest.mark.parametrize(
    "program", ["python3", "", "/o'hara/python3", '/"/python3', "/\\/python3", "/$x/python3"]
)
def test_programs_that_systemd_does_not_start_are_refused(machine: Machine, program: str) -> None:
    with pytest.raises(UsageError, match=r"^systemd cannot start "):
        install(CATALOG, True, [program, *COMMAND[1:]])
    assert machine.installed() == []


# -- words, as systemd and launchd read them ---------------------------------------------------

BLANKS = " \t\n\r"
ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "s": 32}


def split(line: str) -> list[str]:
    """As extract_first_word() of systemd does, with EXTRACT_UNQUOTE | EXTRACT_CUNESCAPE."""
    words: list[str] = []
    signs = iter(line)
    for sign in signs:
        if sign in BLANKS:
            continue
        word, quote = "", ""
        rest: Iterator[str] = iter([sign])
        while True:
            sign = next(rest, "") or next(signs, "")
            if sign == "":
                assert not quote, "the line ends within quotes"
                break
            if sign == "\\":
                word += unescaped(next(signs))
            elif quote:
                if sign == quote:
                    quote = ""
                else:
                    word += sign
            elif sign in "\"'":
                quote = sign
            elif sign in BLANKS:
                break
            else:
                word += sign
        words.append(word)
    return words


def unescaped(sign: str) -> str:
    assert sign in "\\\"'" or sign in ESCAPES, f"no escape that is expected here: {sign!r}"
    return chr(ESCAPES[sign]) if sign in ESCAPES else sign


def without_specifiers(word: str) -> str:
    """As specifier_printf() does; none but %% is expected."""
    assert re.fullmatch(r"(?:[^%]|%%)*", word, re.DOTALL), f"a specifier in {word!r}"
    return word.replace("%%", "%")


def without_variables(word: str) -> str:
    """As replace_env_argv() does, for an environment without variables."""
    if word.startswith("$") and word[1:2] not in ("$", "{"):
        raise AssertionError(f"{word!r} is a variable")
    return re.sub(r"\$(\$|\{.*?\})", lambda found: "$" if found[1] == "$" else "", word)


def as_systemd_reads(unit: bytes) -> list[str]:
    """The arguments that the program of a unit gets."""
    for line in unit.split(b"\n"):
        if line.startswith(b"ExecStart="):
            program, *words = split(line.removeprefix(b"ExecStart=").decode())
            return [
                without_specifiers(program),
                *(without_variables(without_specifiers(word)) for word in words),
            ]
    raise AssertionError("no ExecStart")


PLAIN = st.characters(min_codepoint=0x20, exclude_categories=["Cs"]).filter(
    lambda sign: ord(sign) & 0xFFFE != 0xFFFE and not 0xFDD0 <= ord(sign) <= 0xFDEF
)
WORDS = st.lists(st.text(st.one_of(st.sampled_from("\\\"'%$ ;{}#n"), PLAIN)))


@given(WORDS)
@example(["", ";", " ", "\\", "\\x41", '"', "'", "100%", "%h", "%%", "$HOME", "${HOME}", "a${b}c"])
@example(["$", "$$", "$${HOME}", "$$$", "#", "tail\\", "é\u2028\x85\xa0\x7f\U0001f600"])
def test_systemd_reads_the_words_that_were_given(words: list[str]) -> None:
    command = ["/opt/100% py/python3", *words]
    assert as_systemd_reads(service._unit(command)) == command


@given(WORDS)
@example(["<&>", "]]>", "\x7f\x80\x85\x9f\u2028\U0001f600"])
def test_launchd_reads_the_words_that_were_given(words: list[str]) -> None:
    assert plistlib.loads(plistlib.dumps(words)) == words


def analysed(unit: Path, runtime: Path) -> str:
    """What systemd itself finds wrong with a unit. Skips where it cannot say."""
    if ANALYZE is None:
        pytest.skip("there is no systemd-analyze")
    runtime.mkdir(mode=0o700, exist_ok=True)
    words = runtime / "words"
    try:
        with open(words, "wb") as file:
            done = subprocess.run(
                [ANALYZE, "--user", "verify", str(unit)],
                env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)},
                stdout=subprocess.DEVNULL,
                stderr=file,
                timeout=10,
                check=False,
            )
    except subprocess.TimeoutExpired:
        pytest.skip("systemd-analyze does not answer within 10 seconds")
    return words.read_text() + (f"exit code {done.returncode}" if done.returncode else "")


def test_systemd_finds_nothing_wrong_with_the_unit(machine: Machine) -> None:
    plain = machine.folder / "plain.service"
    plain.write_text(f"[Service]\nExecStart={sys.executable}\n")
    if said := analysed(plain, machine.folder / "run"):
        pytest.skip(f"systemd-analyze does not work here: {said}")
    plain.write_text(f"[Service]\nExecStart={sys.executable}\nNoSuchEntry=1\n")
    assert "NoSuchEntry" in analysed(plain, machine.folder / "run")

    install(CATALOG, True, [sys.executable, "100%", "$HOME", "a 'b' \"c\"", "\\", "é\x7f", "", ";"])
    unit = machine.units / "imgcat-watch.service"
    assert analysed(unit, machine.folder / "run") == ""


# -- what the daemon tells systemd -------------------------------------------------------------


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        """The messages since the last time."""
        messages = []
        while True:
            try:
                message = self.socket.recv(65536)
            except BlockingIOError:
                return messages
            assert len(message) <= 4096, "systemd drops longer ones"
            messages.append(message.decode())


@pytest.fixture(params=["a file", "abstract"])
def systemd(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Systemd]:
    is_file = request.param == "a file"
    there = Systemd(str(tmp_path / "notify") if is_file else f"@imgcat-test-{os.getpid()}")
    monkeypatch.setenv("NOTIFY_SOCKET", there.address)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    yield there
    there.socket.close()


def test_systemd_is_told_how_the_daemon_is(systemd: Systemd) -> None:
    notifier = Notifier()
    notifier.ready()
    notifier.status("12 photos to read")
    notifier.stopping()
    notifier.alive()
    assert systemd.heard() == ["READY=1", "STATUS=12 photos to read", "STOPPING=1"]


def test_child_processes_are_not_told_where_systemd_listens(
    systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    Notifier()
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & os.environ.keys()


def test_a_status_is_one_line_that_systemd_accepts(systemd: Systemd) -> None:
    notifier = Notifier()
    notifier.status("reading\nSTOPPING=1\r\n caf\udce9 ")
    notifier.status("\U0001f600" * 5000)
    notifier.status("\udce9" * 5000)
    first, *others = systemd.heard()
    assert first == "STATUS=reading STOPPING=1 caf?"
    assert len(others) == 2


def test_systemd_hears_now_and_then_how_it_is(systemd: Systemd) -> None:
    now = 100
    notifier = Notifier(lambda: now)
    asked = []

    def words() -> str:
        asked.append(now)
        return f"watching since {now}"

    for moment in range(100, 131):
        now = moment
        notifier.alive(words)
    heard = [f"STATUS=watching since {moment}" for moment in (100, 110, 120, 130)]
    assert systemd.heard() == heard
    assert asked == [100, 110, 120, 130], "finding them out is not free"


@pytest.mark.parametrize("is_named", [True, False])
def test_systemd_hears_that_it_goes_on_twice_as_often_as_it_must(
    systemd: Systemd, monkeypatch: pytest.MonkeyPatch, is_named: bool
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "10000000")
    if is_named:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    now = 100
    notifier = Notifier(lambda: now)
    told = []
    for now in range(100, 120):
        notifier.alive()
        told += [(now, message) for message in systemd.heard()]
    assert told == [(second, "WATCHDOG=1") for second in (100, 105, 110, 115)]


@pytest.mark.parametrize(
    ("interval", "process"), [("10", str(os.getppid())), ("", ""), ("often", "")]
)
def test_a_watchdog_for_somebody_else_or_none_is_not_fed(
    systemd: Systemd, monkeypatch: pytest.MonkeyPatch, interval: str, process: str
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", interval)
    monkeypatch.setenv("WATCHDOG_PID", process)
    Notifier().alive()
    assert systemd.heard() == []


def fill(address: str) -> int:
    """Send until no more is taken; how many messages were."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        sent = 0
        while True:
            try:
                other.sendto(b"X", address.replace("@", "\0", 1) if address[0] == "@" else address)
            except BlockingIOError:
                return sent
            sent += 1


def test_a_systemd_that_does_not_listen_is_not_waited_for_and_told_later(systemd: Systemd) -> None:
    notifier = Notifier()
    sent = fill(systemd.address)
    done = threading.Event()

    def tell() -> None:
        notifier.ready()
        notifier.status("one")
        notifier.status("two")
        done.set()

    threading.Thread(target=tell, daemon=True).start()
    assert done.wait(10), "it waits for systemd"
    assert systemd.heard() == ["X"] * sent
    notifier.alive()
    notifier.alive()
    assert systemd.heard() == ["READY=1\nSTATUS=two"]


@pytest.mark.parametrize(
    "address", [None, "", "/no/such/socket", "/" + "long" * 100, "relative", "vsock:2:1234", "@"]
)
def test_where_systemd_does_not_listen_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WATCHDOG_USEC", "10")
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notifier = Notifier()
    notifier.ready()
    notifier.status("all is well")
    notifier.alive()
    notifier.stopping()


def test_systemd_hears_of_the_daemon_from_begin_to_end(imgcat: Imgcat, tmp_path: Path) -> None:
    there = Systemd(str(tmp_path / "notify"))
    imgcat.env |= {"NOTIFY_SOCKET": there.address, "WATCHDOG_USEC": "200000"}
    lines: list[str] = []

    def hears(start: str) -> bool:
        lines.extend(line for message in there.heard() for line in message.split("\n"))
        return any(line.startswith(start) for line in lines)

    pictures(tmp_path / "photos", 2)
    daemon = Following(imgcat, tmp_path / "photos")
    try:
        daemon.start()
        for start in ("READY=1", "STATUS=", "WATCHDOG=1"):
            assert wait_for(partial(hears, start), 20), (start, lines)
        daemon.wait_until_watching()
        assert not hears("STOPPING=1")
        assert daemon.stop(within=2) == 0
        assert hears("STOPPING=1")
        (state,) = {line for line in lines if line.startswith("STATUS=")}
        assert re.fullmatch(r"STATUS=(starting|watching), [\d,]+ folders", state)
    finally:
        daemon.close()
        there.socket.close()


def test_without_systemd_no_socket_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = Notifier()
    monkeypatch.delattr("catalog.watching.notifier.socket.socket")
    notifier.ready()
