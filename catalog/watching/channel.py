"""How other processes ask the daemon: a socket in the folder of the catalog's locks.

One JSON object a line, one question a connection. ``status`` is answered at once; ``sync`` when
the catalog has everything that had happened before it was asked, or when that cannot be.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from catalog.store.locks import FileLock, Locks

PATIENCE: Final = 10.0  # seconds for an answer
_NAME: Final = b"daemon.socket"
_LONGEST: Final = 100  # bytes; sockaddr_un has room for 108, or 104 on macOS

Answer: TypeAlias = dict[str, Any]


class Silent(Exception):
    """There is a daemon, and it does not answer: the message says how so."""


class NotListening(Silent):
    """It has only just started, or it found no place for a socket."""


class Server:
    """Answers on a thread of its own, and each question on another."""

    def __init__(
        self,
        locks: Locks,
        answers: dict[str, Callable[[], Answer]],
        say: Callable[[str], None],
    ) -> None:
        """``say`` hears of questions that cannot be answered.

        Raises OSError where the folder of the locks cannot hold a socket.
        """
        # Here, as only the daemon needs it.
        import threading
        from socketserver import StreamRequestHandler, ThreadingUnixStreamServer

        class Handler(StreamRequestHandler):
            timeout = PATIENCE

            def handle(self) -> None:
                answer = None
                with contextlib.suppress(OSError, ValueError, AttributeError):  # nonsense was asked
                    answer = answers.get(json.loads(self.rfile.readline(4096)).get("ask"))
                if answer is not None:
                    try:
                        line = json.dumps(answer()).encode() + b"\n"
                    except Exception as error:  # it is for who mends imgcat to hear of, not lost
                        say(f"a question could not be answered: {type(error).__name__}: {error}")
                        return
                    self.wfile.write(line)

        class Listener(ThreadingUnixStreamServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 64

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # who asked has gone

        self._path = os.path.join(locks.folder, _NAME)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)  # of one that was killed: whoever holds the lock may
        with _address(locks.folder) as address:
            self._server = Listener(os.fsdecode(address), Handler)
        os.chmod(self._path, 0o600)
        self._locks = locks
        self._closing = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No more answers.

        The thread ends before the socket is closed: one that went on to wait for a closed
        descriptor would wait for whatever gets its number next, and keep that open.
        """
        self._closing = True
        with contextlib.suppress(OSError):
            _connected(self._locks, patience=1.0).close()  # something to wake up for
        self._thread.join(1.0)
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        if not self._thread.is_alive():
            self._server.server_close()

    def _serve(self) -> None:
        while not self._closing:
            self._server.handle_request()


def ask(locks: Locks, what: str, patience: float = PATIENCE) -> Answer | None:
    """What the daemon of this catalog answers; None where there is none.

    Raises Silent where it does not answer within ``patience`` seconds, or cannot be asked.
    """
    try:
        with _connected(locks, patience) as connection:
            connection.sendall(json.dumps({"ask": what}).encode() + b"\n")
            with connection.makefile("rb") as lines:
                line = lines.readline()
        answer = json.loads(line)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        silent: Silent = NotListening("it does not listen to questions yet")
    except TimeoutError:
        silent = Silent(f"it does not answer within {patience:.0f} seconds")
    except (OSError, ValueError):  # half an answer is no JSON
        silent = Silent("it does not answer")
    else:
        return answer if isinstance(answer, dict) else None
    if is_running(locks):
        raise silent
    return None


def _connected(locks: Locks, patience: float) -> socket.socket:
    """A connection to the daemon. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(patience)
        with _address(locks.folder) as address:
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def can_be_asked(locks: Locks) -> bool:
    """Whether there is a socket: of a daemon, or left by one that was killed."""
    return os.path.exists(os.path.join(locks.folder, _NAME))


def is_running(locks: Locks) -> bool:
    """Whether a daemon holds the lock that it holds for life."""
    lock = locks.daemon()
    if not os.path.exists(lock.path):
        return False
    return not _is_free(lock)


def _is_free(lock: FileLock) -> bool:
    try:
        return lock.try_acquire(shared=True)
    except OSError:  # not ours to open: then there is none of ours
        return True
    finally:
        lock.release()


@contextlib.contextmanager
def _address(folder: bytes) -> Iterator[bytes]:
    """The socket's path; one that is too long for a socket by way of its folder's descriptor."""
    path = os.path.join(folder, _NAME)
    if len(path) <= _LONGEST or sys.platform != "linux":
        yield path
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield b"/proc/self/fd/%d/%s" % (descriptor, _NAME)
    finally:
        os.close(descriptor)
