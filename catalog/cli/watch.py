"""imgcat watch"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from catalog.cli.options import (
    CatalogOption,
    JobsOption,
    QuietOption,
    as_paths,
    catalog_path,
    is_quiet,
    only_one,
)
from catalog.errors import CatalogError, UsageError
from catalog.model import AlreadyThere
from catalog.rendering import look
from catalog.rendering.bar import TerminalProgress
from catalog.rendering.escaping import printable
from catalog.store.place import is_default, log_file
from catalog.watching import background
from catalog.watching.options import Options


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
        typer.Option("--notify", help="Then also show a notification, where there is notify-send."),
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
    place = catalog_path(context, catalog)
    quiet = is_quiet(context, quiet)
    words, shown = _words_of(on_duplicate), _notifier(notify)
    if stop:
        _stop(place, quiet=quiet)
    elif uninstall:
        from catalog.watching import service

        _say(service.uninstall(place, is_default(place)), quiet=quiet)
    elif detach or install:
        tops = [os.path.realpath(path) for path in as_paths(paths)]
        options = _options(poll=poll, on_duplicate=on_duplicate, notify=notify, jobs=jobs)
        command = _command(place, [*options, *map(os.fsdecode, tops)])
        (_install if install else _detach)(place, command, tops, quiet=quiet)
    else:
        _follow(
            place,
            as_paths(paths),
            words,
            notify=shown,
            options=Options(poll=poll, jobs=jobs),
            log=log,
            quiet=quiet,
        )


def _follow(
    place: bytes,
    paths: list[bytes],
    words: list[str],
    *,
    notify: str | None,
    options: Options,
    log: str | None,
    quiet: bool,
) -> None:
    """Be the daemon, until somebody ends it."""
    from catalog.rendering.live import Live
    from catalog.rendering.log import RotatingLog
    from catalog.watching.arrivals import Announcer
    from catalog.watching.daemon import Daemon
    from catalog.watching.service import Notifier

    _hush()
    notifier = Notifier()
    with (
        TerminalProgress(quiet=quiet or log is not None) as progress,
        contextlib.ExitStack() as undo,
    ):
        if log is None:
            out = look.for_people(sys.stdout)
            live = Live(out, look.look_of(out), before=progress.hide)
        else:
            lines = undo.enter_context(contextlib.closing(RotatingLog(os.fsencode(log))))
            live = Live(lines, look.Look(), dated=True)
        announcer = Announcer(
            lambda arrivals: _already_there(place, arrivals),
            live.already_there,
            live.say,
            words,
            notify,
        )

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
        except CatalogError as error:
            if log is not None:
                live.say(f"ended: {error}")
            raise
        finally:
            announcer.close()


def _already_there(place: bytes, arrivals: Sequence[tuple[bytes, int]]) -> Iterable[AlreadyThere]:
    from catalog.queries.arrivals import already_there  # with numpy, when the first one comes

    return already_there(place, arrivals)


def _hush() -> None:
    """Watchdog's own log says what this one says in other words."""
    logger = logging.getLogger("watchdog")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


def _detach(place: bytes, command: list[str], _tops: list[bytes], *, quiet: bool) -> None:
    log = os.fsdecode(log_file(place))
    pid, said, code = background.start([*command, "--log", log])
    if code:
        print(said.splitlines()[-1] if said else "imgcat: it ended at once", file=sys.stderr)
        raise typer.Exit(code)
    _say(
        f"Watching in the background (process {pid}). Its log: {printable(log)}\n"
        "'imgcat status' tells how it is, 'imgcat watch --stop' ends it.",
        quiet=quiet,
    )


def _install(place: bytes, command: list[str], tops: list[bytes], *, quiet: bool) -> None:
    from catalog.watching import service

    for top in tops:
        if not os.path.isdir(top):
            raise UsageError(f"there is no folder {printable(top)}")
    if not tops and not os.path.exists(place):
        raise UsageError("name the folder of your pictures: imgcat watch FOLDER --install")
    if sys.platform == "darwin":  # launchd keeps no log of its own
        command = [*command, "--log", os.fsdecode(log_file(place))]
    said = service.install(place, is_default(place), command, lambda: background.stop(place))
    _say(said, quiet=quiet)


def _stop(place: bytes, *, quiet: bool) -> None:
    pid = background.stop(place)
    _say("No daemon was running." if pid is None else f"Ended process {pid}.", quiet=quiet)


def _say(message: str, *, quiet: bool) -> None:
    if not quiet:
        print(message)


def _command(place: bytes, words: list[str]) -> list[str]:
    """The command line of a daemon for this catalog."""
    program = [sys.executable, "-P", "-m", "catalog"]
    return [*program, "--catalog", os.fsdecode(place), "watch", *words]


def _options(*, poll: bool, on_duplicate: str | None, notify: bool, jobs: int | None) -> list[str]:
    return [
        *(["--poll"] if poll else []),
        *(["--on-duplicate", on_duplicate] if on_duplicate is not None else []),
        *(["--notify"] if notify else []),
        *(["--jobs", str(jobs)] if jobs is not None else []),
    ]


def _words_of(command: str | None) -> list[str]:
    """The user's command as words. Raises UsageError where it cannot be run."""
    if command is None:
        return []
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--on-duplicate {command!r} is no command: {error}") from None
    if not words or shutil.which(words[0]) is None:
        raise UsageError(f"--on-duplicate: there is no program {words[0] if words else ''!r}")
    return words


def _notifier(wanted: bool) -> str | None:
    """Where notify-send is. Raises UsageError where it is wanted and not there."""
    if not wanted:
        return None
    found = shutil.which("notify-send")
    if found is None:
        raise UsageError("--notify needs the program notify-send, of the package libnotify")
    return found
