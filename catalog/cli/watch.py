"""imgcat watch"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.options import (
    CatalogOption,
    JobsOption,
    QuietOption,
    as_paths,
    is_quiet,
    only_one,
    the_catalog,
)
from catalog.errors import Busy, CatalogError, UsageError
from catalog.escaping import printable
from catalog.model import AlreadyThere
from catalog.rendering import look
from catalog.rendering.bar import TerminalProgress
from catalog.store.place import is_default, log_file
from catalog.watching import background
from catalog.watching.options import Options

if TYPE_CHECKING:
    from catalog.rendering.live import Live


def watch(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...", help="Folders to follow; none: every folder indexed before."
        ),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Go on in the background, with a log file.")
    ] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="End the one that runs, wherever it was started.")
    ] = False,
    install: Annotated[
        bool,
        typer.Option(
            "--install",
            help="Start with your session from now on, as a systemd or launchd service.",
        ),
    ] = False,
    uninstall: Annotated[
        bool, typer.Option("--uninstall", help="End that, and remove the service.")
    ] = False,
    poll: Annotated[
        bool,
        typer.Option("--poll", help="Use no events of the system, and look every minute instead."),
    ] = False,
    on_duplicate: Annotated[
        str | None,
        typer.Option(
            "--on-duplicate",
            metavar="COMMAND",
            help="Run this when a photo arrives that you have: with the path of the new one and "
            "of the other as two more arguments, and without a shell.",
        ),
    ] = None,
    notify: Annotated[
        bool,
        typer.Option("--notify", help="Then also show a notification; needs notify-send."),
    ] = False,
    jobs: JobsOption = None,
    log: Annotated[str | None, typer.Option("--log", hidden=True)] = None,
    catalog: CatalogOption = None,
    quiet: QuietOption = False,
) -> None:
    """Follow folders live: what changes on the disk is in the catalog about a second later.

    Prints a line for each change, and says when a photo arrives that you already have. Ctrl-C
    ends it. Nothing on the disk is touched.
    """
    only_one(detach=detach, stop=stop, install=install, uninstall=uninstall)
    place = the_catalog(context, catalog)
    quiet = is_quiet(context, quiet)
    options = Options(poll, jobs, _command_of(on_duplicate), _notifier(notify))
    if stop:
        _stop(place, quiet=quiet)
    elif uninstall:
        from catalog.watching import service

        _say(service.uninstall(place, is_default(place)), quiet=quiet)
    elif install:
        _install(place, options, _tops(paths), quiet=quiet)
    elif detach:
        _detach(place, options, _tops(paths), quiet=quiet)
    else:
        _follow(place, as_paths(paths), options, log=log, quiet=quiet)


def _follow(
    place: bytes, paths: list[bytes], options: Options, *, log: str | None, quiet: bool
) -> None:
    """Be the daemon, until somebody ends it."""
    from catalog.watching.arrivals import Announcer
    from catalog.watching.daemon import Daemon
    from catalog.watching.notifier import Notifier

    _hush()
    notifier = Notifier()
    with (
        TerminalProgress(quiet=quiet or log is not None) as progress,
        contextlib.ExitStack() as undo,
    ):
        live = _live(log, progress, undo)
        announcer = Announcer(
            lambda arrivals: _already_there(place, arrivals),
            live.already_there,
            live.say,
            options.command,
            options.notify,
        )
        undo.callback(announcer.close)

        def started() -> None:
            notifier.ready()
            if log is not None:
                background.listening()

        def turning() -> None:
            notifier.alive(lambda: "{state}, {watched:,} folders".format(**daemon.status()))

        daemon = Daemon(
            place,
            live,
            paths,
            options,
            arrived=announcer.arrived,
            started=started,
            turning=turning,
            progress=progress,
        )
        try:
            daemon.run()
        except KeyboardInterrupt:
            notifier.stopping()
            live.say("ended")
        except Busy:
            raise  # the log is that of another
        except Exception as error:
            if log is not None:  # where it says anything else, nobody looks
                kind = "" if isinstance(error, CatalogError) else f"{type(error).__name__}: "
                live.say(f"ended: {kind}{error}")
            raise


def _live(log: str | None, progress: TerminalProgress, undo: contextlib.ExitStack) -> Live:
    """Where its lines go: a log file, or the terminal."""
    from catalog.rendering.live import Live
    from catalog.rendering.log import RotatingLog

    if log is not None:
        lines = undo.enter_context(contextlib.closing(RotatingLog(os.fsencode(log))))
        return Live(lines, look.Look(), dated=True)
    out = look.for_people(sys.stdout)
    return Live(out, look.look_of(out), before=progress.hide)


def _already_there(place: bytes, arrivals: Sequence[tuple[bytes, int]]) -> Iterable[AlreadyThere]:
    from catalog.queries.arrivals import already_there  # with numpy, when the first one comes

    return already_there(place, arrivals)


def _hush() -> None:
    """Watchdog's own log says what this one says in other words."""
    logger = logging.getLogger("watchdog")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


def _detach(place: bytes, options: Options, tops: list[bytes], *, quiet: bool) -> None:
    log = os.fsdecode(log_file(place))
    pid, said, code = background.start([*_daemon(place, options, tops), "--log", log])
    if code:
        print(said.splitlines()[-1] if said else "imgcat: it ended at once", file=sys.stderr)
        raise typer.Exit(code)
    _say(
        f"Watching in the background (process {pid}). Its log: {printable(log)}\n"
        "'imgcat status' tells how it is, 'imgcat watch --stop' ends it.",
        quiet=quiet,
    )


def _install(place: bytes, options: Options, tops: list[bytes], *, quiet: bool) -> None:
    from catalog.watching import service

    for top in tops:
        if not os.path.isdir(top):
            raise UsageError(f"there is no folder {printable(top)}")
    if not tops and not os.path.exists(place):
        raise UsageError("name the folder of your pictures: imgcat watch FOLDER --install")
    command = _daemon(place, options, tops)
    if sys.platform == "darwin":  # launchd keeps no log of its own
        command += ["--log", os.fsdecode(log_file(place))]
    said = service.install(place, is_default(place), command, lambda: background.stop(place))
    _say(said, quiet=quiet)


def _stop(place: bytes, *, quiet: bool) -> None:
    pid = background.stop(place)
    _say("No daemon was running." if pid is None else f"Ended process {pid}.", quiet=quiet)


def _say(message: str, *, quiet: bool) -> None:
    if not quiet:
        print(message)


def _tops(paths: list[str] | None) -> list[bytes]:
    """The folders, by names that are true wherever the daemon runs."""
    return [os.path.realpath(path) for path in as_paths(paths)]


def _daemon(place: bytes, options: Options, tops: list[bytes]) -> list[str]:
    """The command line of a daemon for this catalog."""
    return [
        *(sys.executable, "-P", "-m", "catalog", "--catalog", os.fsdecode(place), "watch"),
        *(["--poll"] if options.poll else []),
        *(["--on-duplicate", shlex.join(options.command)] if options.command else []),
        *(["--notify"] if options.notify is not None else []),
        *(["--jobs", str(options.jobs)] if options.jobs is not None else []),
        *map(os.fsdecode, tops),
    ]


def _command_of(given: str | None) -> tuple[str, ...]:
    """The user's command as words. Raises UsageError where it cannot be run."""
    if given is None:
        return ()
    try:
        words = shlex.split(given)
    except ValueError as error:
        raise UsageError(f"--on-duplicate {given!r} is no command: {error}") from None
    found = shutil.which(words[0]) if words else None
    if found is None:
        raise UsageError(f"--on-duplicate: there is no program {words[0] if words else ''!r}")
    return (os.path.abspath(found), *words[1:])  # the daemon may run elsewhere


def _notifier(wanted: bool) -> str | None:
    """Where notify-send is. Raises UsageError where it is wanted and not there."""
    if not wanted:
        return None
    found = shutil.which("notify-send")
    if found is None:
        raise UsageError("--notify needs the program notify-send, of the package libnotify")
    return found
