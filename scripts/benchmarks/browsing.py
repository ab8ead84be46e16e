"""``imgcat review`` as a person meets it: its server, a Chromium, and what a page shows in it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import product
from benchmarks.measuring import BenchError, environment_with, run
from benchmarks.processes import bytes_of

if TYPE_CHECKING:  # other benchmarks do without
    from playwright.sync_api import Browser, Page

PATIENCE: Final = 1800.0  # seconds: a first search of very many photos
_ENDS_WITHIN: Final = 30.0
_SIZE: Final = {"width": 1440, "height": 900}
_SCRIPTS: Final = Path(__file__).parents[1]
_SHOWN_OF_ERRORS: Final = 500  # characters


@dataclass(slots=True)
class Server:
    """``imgcat review``, which has printed its address. Moments are seconds since 1970."""

    process: subprocess.Popen[bytes]
    address: str  # with the token
    started: float
    printed: float

    @property
    def home(self) -> str:
        """The address without the token."""
        return self.address.partition("#")[0]


@contextlib.contextmanager
def serving(catalog: str, environment: dict[str, str], *options: str) -> Iterator[Server]:
    """A server of this catalog, ended as by Ctrl-C. Raises BenchError where that fails."""
    command = [product.IMGCAT, "--catalog", catalog, "review", "--no-browser", *options]
    with tempfile.TemporaryFile() as said:
        started = time.time()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            env=environment_with(environment),
        )
        try:
            assert process.stdout is not None
            address = process.stdout.readline().decode().strip()
            if not address:
                raise BenchError(f"imgcat review printed no address: {_words(said)}")
            yield Server(process, address, started, time.time())
            process.send_signal(signal.SIGINT)
            if process.wait(_ENDS_WITHIN) != 0:
                raise BenchError(f"imgcat review ended with {process.returncode}: {_words(said)}")
        except subprocess.TimeoutExpired:
            raise BenchError(f"imgcat review had to be killed: {_words(said)}") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _words(said: Any) -> str:
    said.seek(0)
    text: str = said.read().decode(errors="replace")[-_SHOWN_OF_ERRORS:].strip()
    return text


@contextlib.contextmanager
def home(work: str) -> Iterator[dict[str, str]]:
    """An environment with a cache folder, a trash and decisions of its own, in ``work``."""
    with tempfile.TemporaryDirectory(prefix="home-", dir=work) as place:
        names = ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")
        yield {"HOME": place, **{name: os.path.join(place, name) for name in names}}


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium without a window, which ``scripts/browser`` finds or installs."""
    from playwright.sync_api import Error, sync_playwright

    path = os.environ.get("IMGCAT_BROWSER") or run([str(_SCRIPTS / "browser")]).output.strip()
    # Its own sandbox refuses to run as root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        try:
            yield browser
        except Error as error:
            raise BenchError(f"the page did not do what was waited for: {error}") from error
        finally:
            browser.close()


@dataclass(slots=True)
class Visit:
    """One tab of a browser that has no cookies but its own."""

    browser: Browser
    complaints: list[str] = field(default_factory=list)
    page: Page = field(init=False)

    def __post_init__(self) -> None:
        context = self.browser.new_context(viewport=_SIZE)  # type: ignore[arg-type]
        context.add_init_script(path=Path(__file__).with_name("looking.js"))
        context.set_default_timeout(PATIENCE * 1000)
        self.page = context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_error: object) -> None:
        self.page.context.close()
        if self.complaints:
            raise BenchError(f"the page threw: {self.complaints[0]}")

    def enter(self, server: Server) -> float:
        """Open the printed address; the moment at which the first groups were visible."""
        self.page.goto(server.address)
        return self._groups()

    def again(self) -> float:
        """Load the page once more; the moment at which the first groups were visible."""
        self.page.reload()
        return self._groups()

    def seconds(self, address: str) -> float:
        """Until a page of no more than this address is loaded: what the browser itself takes."""
        begun = time.time()
        self.page.goto(address)
        return time.time() - begun

    def ask(self, what: str, *given: object) -> Any:
        """What a function of ``looking.js`` answers."""
        return self.page.evaluate(f"given => bench.{what}(...given)", list(given))

    def _groups(self) -> float:
        # The page is another one once the token was handed in, so its own clock is asked last.
        self.page.locator(".row[data-group]").first.wait_for()
        moment: float = self.page.evaluate("bench.groups")
        return moment / 1000

    def memory(self) -> tuple[float, float]:
        """Bytes of the process that draws the page (PSS), and of all that its scripts hold."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("HeapProfiler.collectGarbage")
        session.send("Performance.enable")
        metrics = session.send("Performance.getMetrics")["metrics"]
        session.detach()
        (heap,) = (each["value"] for each in metrics if each["name"] == "JSHeapUsedSize")
        whole = self.browser.new_browser_cdp_session()
        processes = whole.send("SystemInfo.getProcessInfo")["processInfo"]
        whole.detach()
        drawing = [each["id"] for each in processes if each["type"] == "renderer"]
        return max((bytes_of(pid, "smaps_rollup", "Pss") for pid in drawing), default=0), heap
