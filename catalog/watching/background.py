"""The daemon without a terminal: started in a session of its own, and ended from another one."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import Final

from catalog.errors import CatalogError, ExitCode
from catalog.store.locks import Locks
from catalog.watching.channel import Silent, ask, is_running

_ENDS_WITHIN: Final = 15.0  # seconds


def start(command: Sequence[str]) -> tuple[int, str, int]:
    """Start the daemon and wait until it listens.

    Returns its process id, and, where it ended instead, what it said last and its exit code. It
    closes its standard error when it listens.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        cwd="/",  # it must not keep a drive from being unplugged
    )
    assert process.stderr is not None
    with process.stderr as stderr:
        said = stderr.read().decode(errors="replace").strip()
    try:
        code = process.wait(0.2)
    except subprocess.TimeoutExpired:
        process.returncode = 0  # it goes on without us, and nobody waits for it
        return process.pid, "", ExitCode.DONE
    return process.pid, said, code or ExitCode.FAILED


def listening() -> None:
    """Tell who started this process that it listens: nothing more is said on standard error."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)


def stop(catalog: bytes) -> int | None:
    """End the daemon of a catalog; its process id, None where there was none.

    Raises CatalogError where it does not end.
    """
    locks = Locks(catalog)
    if not is_running(locks):
        return None
    pid = _process(locks)
    if pid is None:
        raise CatalogError("the daemon cannot be told from other processes: end it by hand")
    try:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)  # one that was stopped hears nothing else
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise CatalogError(f"the daemon (process {pid}) belongs to another user") from error
    until = time.monotonic() + _ENDS_WITHIN
    while is_running(locks):
        if time.monotonic() > until:
            raise CatalogError(
                f"the daemon (process {pid}) does not end; 'kill -9 {pid}' loses nothing"
            )
        time.sleep(0.02)
    return pid


def _process(locks: Locks) -> int | None:
    """Its process id: by itself, or as it signed its lock."""
    try:
        answer = ask(locks, "status", patience=1.0)
    except Silent:
        answer = None
    if answer is not None:
        return int(answer["pid"])
    return locks.daemon().process()
