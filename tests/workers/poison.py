"""Functions for workers to run, some of them deadly. Imported by name in the workers."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable

Item = tuple[int, str]  # a number, and what is to happen


class TwoArgumentsError(Exception):
    """Pickles, and cannot be unpickled: BaseException gives back one argument only."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(one)


def _allocate() -> None:
    kept = []
    while True:
        kept.append(bytearray(128 << 20))


def _raise(error: BaseException) -> Callable[[], None]:
    def it() -> None:
        raise error

    return it


DEATHS: dict[str, Callable[[], object]] = {
    "segfault": lambda: ctypes.string_at(0),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "nameless signal": lambda: os.kill(os.getpid(), 40),
    "hang": lambda: time.sleep(1000),
    "busy": lambda: [None for _ in iter(int, 1)],
    "deaf": lambda: (signal.signal(signal.SIGTERM, signal.SIG_IGN), time.sleep(1000)),
    "allocate": _allocate,
    "exit 0": lambda: os._exit(0),
    "exit 3": lambda: os._exit(3),
    "sys.exit": lambda: sys.exit(5),
    "interrupt": _raise(KeyboardInterrupt()),
    "raise": _raise(ValueError("no such picture")),
    "not unpicklable": lambda: _raise(TwoArgumentsError(1, 2))(),
    "not picklable": _raise(type("Local", (Exception,), {})()),
}


def read(item: Item) -> int:
    number, what = item
    if what:
        DEATHS[what]()
    return number * 2


def unpicklable_result(item: Item) -> object:
    number, what = item
    return (lambda: None) if what else number


def slowly(number: int) -> int:
    time.sleep(0.05)
    return number


def pid(_number: int) -> int:
    time.sleep(0.01)
    return os.getpid()


def forever(_number: int) -> None:
    time.sleep(1000)


def loud(number: int) -> int:
    os.write(1, b"from the decoder\n")
    os.write(2, b"from the decoder\n")
    sys.stdout.write("from the decoder\n")
    sys.stderr.write("from the decoder\n")
    sys.stdout.flush()
    return number


def confinement(_number: int) -> dict[str, object]:
    """What a worker may do, as it sees it itself."""
    limits = {
        name: resource.getrlimit(getattr(resource, name))[0]
        for name in ("RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_AS")
    }
    with open("/proc/self/oom_score_adj") as file:
        oom = int(file.read())
    return {
        **limits,
        "oom": oom,
        "interrupts ignored": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
        "interrupts blocked": signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []),
        "ends on SIGTERM": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS"),
        "streams": [os.readlink(f"/proc/self/fd/{descriptor}") for descriptor in (0, 1, 2)],
    }


def write_a_file(path: str) -> str:
    try:
        with open(path, "wb") as file:
            file.write(b"x" * 100)
    except OSError as error:
        return type(error).__name__
    return "written"


def open_many_files(_number: int) -> str:
    opened: list[int] = []
    try:
        opened.extend(os.open("/dev/null", os.O_RDONLY) for _ in range(200))
    except OSError as error:
        return str(error.errno)
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return "as many as it liked"


def broken_warm_up() -> None:
    raise RuntimeError("a library is missing")


def deadly_warm_up() -> None:
    os._exit(7)


def note_warm_up() -> None:
    threading.current_thread().name = "warm"


def was_warm(_number: int) -> bool:
    return threading.current_thread().name == "warm"


def dies_once(marker: str) -> str:
    """Dies of something that is not the file's fault, and is over by the next attempt."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return "read"
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"
