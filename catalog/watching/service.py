"""Starting with the session: a systemd unit of the user, or a launchd agent on macOS."""

from __future__ import annotations

import contextlib
import os
import plistlib
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from catalog.errors import CatalogError, ExitCode, UsageError
from catalog.escaping import printable
from catalog.store.place import log_file
from catalog.watching.programs import failure_of

_PATIENCE: Final = 100.0  # seconds for one call; starting waits until the daemon listens
_DRAINS_WITHIN: Final = 10.0  # seconds until launchd has forgotten the agent before this one

# D-Bus carries none of these: with one byte that is not UTF-8, 'systemctl status' fails for the
# whole service (seen with systemd 252). XML carries fewer still.
_UNFIT: Final = re.compile("[\x00-\x1f\ud800-\udfff\ufdd0-\ufdef]")
# systemd refuses the others in a program's name, and would leave $$ as it is there.
_PROGRAM: Final = re.compile(r"/[^\"'\\\x7f$]*")

# Worker processes read hostile pictures: one that is killed for its memory is a failed photo, not
# the end of the daemon. Ctrl-C and 'imgcat watch --stop' are no failures, whenever they come.
_UNIT: Final = """\
[Unit]
Description=imgcat: keeps the catalog of your pictures up to date

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
SyslogIdentifier=imgcat
TimeoutStartSec=15min
TimeoutStopSec=30
KillMode=mixed
WatchdogSec=30min
Restart=on-failure
RestartSec=10
SuccessExitStatus={interrupted:d}
RestartPreventExitStatus={usage:d} {unusable:d} {busy:d}
OOMPolicy=continue
Nice=10
IOSchedulingClass=best-effort
IOSchedulingPriority=7

[Install]
WantedBy=default.target
"""


def install(
    catalog: bytes,
    is_default: bool,
    command: Sequence[str],
    make_room: Callable[[], object] = lambda: None,
) -> str:
    """Have ``command`` run from now on and in each session; says where, and where its log is.

    The program is given by its absolute path. ``make_room`` ends a daemon that was started
    otherwise, and is called when nothing else is in the way any more. Raises UsageError for
    words that no service can be given, CatalogError where the service cannot be written or does
    not start.
    """
    for word in command:
        if _UNFIT.search(word) or any(ord(sign) & 0xFFFE == 0xFFFE for sign in word):
            raise UsageError(
                f"a service cannot be given {word!a}, which is not UTF-8 or holds control "
                "characters; name a folder above it, or none"
            )
    return _service(catalog, is_default).install(command, make_room)


def uninstall(catalog: bytes, is_default: bool) -> str:
    """End and remove the service; says so, or that there was none.

    Raises CatalogError, with everything still in place, where it cannot be ended.
    """
    service = _service(catalog, is_default)
    if not os.path.lexists(service.path):
        return "No service is installed for this catalog."
    service.remove()
    return f"Removed the service {service.name} ({printable(service.path)})."


def _service(catalog: bytes, is_default: bool) -> _Systemd | _Launchd:
    mark = "" if is_default else blake2b(catalog, digest_size=4).hexdigest()
    platform: str = sys.platform
    if platform == "darwin":
        label = f"imgcat.watch.{mark}" if mark else "imgcat.watch"
        return _Launchd(label, log_file(catalog))
    return _Systemd(f"imgcat-watch-{mark}" if mark else "imgcat-watch")


@dataclass(frozen=True, slots=True)
class _Systemd:
    name: str

    @property
    def path(self) -> bytes:
        given = os.environ.get("XDG_CONFIG_HOME", "")
        # A path that is not absolute is to be ignored: freedesktop.org, Base Directory.
        folder = given if os.path.isabs(given) else os.path.expanduser("~/.config")
        return os.fsencode(os.path.join(folder, "systemd", "user", f"{self.name}.service"))

    def install(self, command: Sequence[str], make_room: Callable[[], object]) -> str:
        unit = _unit(command)
        if shutil.which("systemctl") is None:
            raise CatalogError(
                "there is no systemd here, so no service was installed; "
                "'imgcat watch --detach' starts the daemon for this session"
            )
        _write(self.path, unit)
        by_hand = f"'systemctl --user enable --now {self.name}' in a session of your own starts it"
        for words, remedy in (
            (("daemon-reload",), by_hand),
            (("enable", self.name), by_hand),
            # One that runs already may be of an older release, or follow other folders.
            (("restart", self.name), f"'journalctl --user -u {self.name}' says more"),
        ):
            if words[0] == "restart":
                make_room()
            why = failure_of(("systemctl", "--user", *words), _PATIENCE)
            if why:
                raise CatalogError(
                    f"{printable(self.path)} is written, but "
                    f"'systemctl --user {' '.join(words)}' failed: {why}; {remedy}"
                )
        return (
            f"Installed the service {self.name} ({printable(self.path)}), and it runs. "
            f"'journalctl --user -u {self.name}' shows its log; after 'loginctl enable-linger' it "
            "also runs while you are not logged in."
        )

    def remove(self) -> None:
        # Without systemd there is nobody to end it, and nobody reads the unit any more.
        if shutil.which("systemctl") is not None:
            why = failure_of(("systemctl", "--user", "disable", "--now", self.name), _PATIENCE)
            if why:
                raise CatalogError(
                    f"'systemctl --user disable --now {self.name}' failed, so "
                    f"{printable(self.path)} is still there: {why}; "
                    "try again in a session of your own"
                )
        _unlink(self.path)
        failure_of(("systemctl", "--user", "daemon-reload"), _PATIENCE)
        # Else a failed one stays listed.
        failure_of(("systemctl", "--user", "reset-failed", self.name), _PATIENCE)


@dataclass(frozen=True, slots=True)
class _Launchd:
    name: str
    log: bytes

    @property
    def path(self) -> bytes:
        return os.fsencode(os.path.expanduser(f"~/Library/LaunchAgents/{self.name}.plist"))

    def install(self, command: Sequence[str], make_room: Callable[[], object]) -> str:
        agent = {
            "Label": self.name,
            "ProgramArguments": list(command),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ProcessType": "Background",
            "ExitTimeOut": 30,
            "StandardErrorPath": os.fsdecode(self.log),
        }
        _make(os.path.dirname(self.log))  # launchd does not
        _write(self.path, plistlib.dumps(agent))
        self._end()
        make_room()
        until = time.monotonic() + _DRAINS_WITHIN
        bootstrap = ("launchctl", "bootstrap", f"gui/{os.getuid()}", os.fsdecode(self.path))
        # It answers "5: Input/output error" until the agent before this one is gone.
        while (why := failure_of(bootstrap, _PATIENCE)) and time.monotonic() < until:
            time.sleep(0.5)
        if why:
            raise CatalogError(
                f"{printable(self.path)} is written, but 'launchctl bootstrap' failed: {why}; "
                "it starts when you log in the next time"
            )
        return (
            f"Installed the agent {self.name} ({printable(self.path)}), and it runs. "
            f"Its log: {printable(self.log)}"
        )

    def remove(self) -> None:
        self._end()
        _unlink(self.path)

    def _end(self) -> None:
        # It fails where there is none.
        failure_of(("launchctl", "bootout", f"gui/{os.getuid()}/{self.name}"), _PATIENCE)


def _unit(command: Sequence[str]) -> bytes:
    """The text of the unit. Raises UsageError for a program that systemd does not start."""
    program, *arguments = command
    if not _PROGRAM.fullmatch(program):
        raise UsageError(
            f"systemd cannot start {program!a}: a program's path is absolute, and "
            "without quotes, backslashes and $"
        )
    words = [program, *(word.replace("$", "$$") for word in arguments)]
    text = _UNIT.format(
        command=" ".join(map(_quoted, words)),
        interrupted=ExitCode.INTERRUPTED,
        usage=ExitCode.USAGE,
        unusable=ExitCode.UNUSABLE,
        busy=ExitCode.BUSY,
    )
    return text.encode()


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _make(folder: bytes) -> None:
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise CatalogError(f"cannot make {printable(folder)}: {error.strerror}") from error


def _write(path: bytes, content: bytes) -> None:
    """The whole file or nothing of it."""
    folder = os.path.dirname(path)
    _make(folder)
    try:
        descriptor, new = tempfile.mkstemp(prefix=b".imgcat-", dir=folder)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
            os.replace(new, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(new)
            raise
    except OSError as error:
        raise CatalogError(f"cannot write {printable(path)}: {error.strerror}") from error


def _unlink(path: bytes) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        raise CatalogError(f"cannot remove {printable(path)}: {error.strerror}") from error
