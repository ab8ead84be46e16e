"""Opening the page in a browser, without the token in the arguments of any process.

Everybody on the machine can see these. So the browser is given a file, which only the user can
read, and which leads to the address.
"""

from __future__ import annotations

import contextlib
import html
import os
import shutil
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

import platformdirs

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={0}">
<title>imgcat review</title>
<p><a href="{0}">Go on to imgcat review</a></p>
</html>
"""


class Opening:
    """The file that leads a browser to ``address``; used in ``with``, at whose end it is gone."""

    def __init__(self, address: str, say: Callable[[str], None]) -> None:
        self._address = address
        self._say = say
        self._lock = threading.Lock()
        self._folder: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.entered()

    def begin(self) -> None:
        """Open a browser, where there can be one; else say that none was."""
        if not _can_show():
            self._say("no browser is opened, as there is no display: open the address in one")
            return
        try:
            file = self._file()
        except OSError as error:
            self._say(f"no browser is opened ({error.strerror}): open the address in one")
            return
        # Some browsers are waited for until they end.
        threading.Thread(target=self._open, args=(file,), daemon=True).start()

    def entered(self) -> None:
        """The browser is there, or nobody waits for it any more."""
        with self._lock:
            folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _open(self, file: str) -> None:
        opened = False
        with contextlib.suppress(webbrowser.Error, OSError):
            opened = webbrowser.open(f"file://{file}")
        if not opened:
            self._say("no browser could be opened: open the address in one")

    def _file(self) -> str:
        """Made in the first place that takes it."""
        failure = OSError()
        for place in _places():
            try:
                self._folder = tempfile.mkdtemp(prefix="imgcat-review-", dir=place)  # 0700
                file = os.path.join(self._folder, "open.html")
                with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as page:
                    page.write(_PAGE.format(html.escape(self._address)))
            except OSError as error:
                self.entered()
                failure = error
            else:
                return file
        raise failure


def _can_show() -> bool:
    named = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform == "darwin" or any(os.environ.get(name) for name in named)


def _places() -> Iterator[str]:
    """Folders of the user's own that a browser can read, the best first.

    A browser that is a snap has a /tmp of its own and sees nothing of the home folder whose name
    begins with a dot, nor the runtime folder: where there are snaps, the home folder itself it is.
    One that is a flatpak gets the file handed in, from wherever it is. Without snaps, the runtime
    folder is best: it is in memory, and ends with the login.
    """
    home = os.path.expanduser("~")
    if os.path.isdir(os.path.join(home, "snap")):
        yield home
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.path.isdir(runtime):
        yield runtime
    cache = platformdirs.user_cache_dir("imgcat", appauthor=False)
    with contextlib.suppress(OSError):
        os.makedirs(cache, mode=0o700, exist_ok=True)
    yield cache
