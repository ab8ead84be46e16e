"""The command line of ``scripts/bench``."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from benchmarks import (
    catalogs,
    copies,
    index,
    join,
    match,
    memory,
    peers,
    quality,
    removal,
    rescan,
    review,
    similar,
    values,
    watch,
)
from benchmarks.measuring import BenchError, cores, say
from benchmarks.reporting import Report


def main() -> int:
    """Run one benchmark; 1 where the work was not done, never because it took long."""
    arguments = _parser().parse_args()
    try:
        with _work(arguments.work) as work:
            _measure(arguments, work).write()
    except BenchError as error:
        say(f"bench: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _measure(given: argparse.Namespace, work: str) -> Report:
    if given.benchmark == "index":
        count = given.count or (60 if given.small else 1000)
        return index.bench(
            index.Inputs(given.photos, count, given.rounds, given.jobs, work, given.peers)
        )
    if given.benchmark == "rescan":
        files = given.files or (4_000 if given.small else 200_000)
        folders = given.folders or max(2, files // 100)
        return rescan.bench(rescan.Inputs(files, folders, given.rounds, given.jobs, work))
    if given.benchmark == "removal":
        removals = given.removals or (200 if given.small else removal.REMOVALS)
        rounds = given.rounds or (1 if given.small else 3)
        return removal.bench(removal.Inputs(removals, rounds, work))
    if given.benchmark == "review":
        return review.bench(_review(given, work))
    if given.benchmark == "join":
        return join.bench(_join(given, work))
    if given.benchmark == "quality":
        return quality.bench(_quality(given, work))
    if given.benchmark == "match":
        sizes = tuple(given.contents or ([2_000] if given.small else [100_000, 1_000_000]))
        return match.bench(match.Inputs(given.photos, sizes, work))
    if given.benchmark == "similar":
        rounds = given.rounds or (1 if given.small else 7)
        return similar.bench(similar.Inputs(given.photos, _contents(given), rounds, work))
    if given.benchmark == "watch":
        return watch.bench(_watch(given, work))
    if given.benchmark == "make-catalog":
        if given.work is None and given.out is None:
            raise BenchError("say where the catalog shall stay: --out FILE, or --work DIR")
        return catalogs.bench(catalogs.Inputs(given.count, given.skew, given.out, work))
    files = given.files or (4_000 if given.small else 200_000)
    return memory.bench(memory.Inputs(files, _contents(given), given.jobs, work))


def _contents(given: argparse.Namespace) -> tuple[int, ...]:
    return tuple(given.contents or [5_000 if given.small else 1_000_000])


def _join(given: argparse.Namespace, work: str) -> join.Inputs:
    skews = given.skew or ("uniform", "photos")
    if given.count or given.radius:
        wanted = join.cases(given.count or [1_000_000], skews, given.radius or [6])
    elif given.small:
        wanted = [
            *join.cases([20_000], skews, [6]),
            *join.cases([5_000], ["stress"], [4]),  # there are pairs by the million
        ]
    else:
        wanted = [
            *join.cases([100_000, 1_000_000], skews, [4, 6, 8]),
            *join.cases([10_000_000], skews, [4, 6]),
        ]
    # Small is for machines that test: nothing is installed there unless it is asked for.
    with_peers = None if given.small and given.peers is None else given.peers is not False
    whole, part = (2.0, 0.5) if given.small else (60.0, 10.0)
    rounds = given.rounds or (1 if given.small else 3)
    return join.Inputs(wanted, rounds, given.jobs, work, with_peers, whole, part)


def _quality(given: argparse.Namespace, work: str) -> quality.Inputs:
    return quality.Inputs(
        photos=given.photos,
        pictures=tuple(given.pictures or ()),
        half=given.half,
        count=given.count or (6 if given.small else 150),
        others=20 if given.small else None,
        jobs=given.jobs,
        work=work,
        with_peers=given.peers,
    )


def _review(given: argparse.Namespace, work: str) -> review.Inputs:
    small = given.small
    groups = given.groups or (12 if small else 1000)
    return review.Inputs(
        photos=given.photos,
        contents=given.contents or (500 if small else 100_000),
        groups=groups,
        side=120 if small else 1000,
        keys=min(groups, 5 if small else 200),
        screens=2 if small else 50,
        rounds=given.rounds or (1 if small else 3),
        jobs=given.jobs,
        work=work,
        parts=tuple(given.parts),
    )


def _watch(given: argparse.Namespace, work: str) -> watch.Inputs:
    small = given.small
    photos = given.files or (20 if small else 1000)
    changes = (5 if small else 200) if given.changes is None else given.changes
    cold = (0 if small else 3) if given.cold is None else given.cold
    interval = (0.5 if small else 4.0) if given.interval is None else given.interval
    storm = given.storm or (400 if small else 100_000)
    quiet = tuple(sorted(given.quiet or [1.0 if small else 10.0]))
    idle = given.idle or (400 if small else 200_000)
    settle = (1.0 if small else 90.0) if given.settle is None else given.settle
    window = given.window or (2.0 if small else 60.0)
    rounds = given.rounds or (1 if small else 3)
    folders = given.folders or max(2, photos // 20)
    latency = watch.Latency(photos, folders, changes, interval, cold, given.cold_after)
    chosen = set(given.parts)
    return watch.Inputs(
        photos=given.photos,
        jobs=given.jobs,
        work=work,
        latency=latency if "latency" in chosen else None,
        storm=watch.Storm(storm, given.storm_folders or max(2, storm // 1000), quiet)
        if "storm" in chosen
        else None,
        idle=watch.Idle(idle, given.idle_folders or max(2, idle // 10), settle, window)
        if "idle" in chosen
        else None,
        rename=watch.Rename(given.rename or (200 if small else 10_000), rounds)
        if "rename" in chosen
        else None,
    )


@contextlib.contextmanager
def _work(given: str | None) -> Iterator[str]:
    """Where trees are made: a folder that stays, or one that goes again."""
    if given is not None:
        os.makedirs(given, exist_ok=True)
        yield os.path.realpath(given)
    else:
        with tempfile.TemporaryDirectory(prefix="imgcat-bench-") as work:
            yield os.path.realpath(work)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure imgcat beside its peers: a JSON object on stdout, lines on stderr.",
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--work",
        metavar="DIR",
        help="keep the trees that are made there, for the next time (else temporary; 1,000 "
        "photos take 3 GB, 200,000 tiny files 1 GB, a catalog 1.4 GB a million)",
    )
    common.add_argument("--small", action="store_true", help="to see that it works, in seconds")
    common.add_argument("--jobs", type=_positive, default=cores(), metavar="N", help="workers")
    commands = parser.add_subparsers(dest="benchmark", required=True)

    command = commands.add_parser("index", parents=[common], help="cold index of camera photos")
    _photos_option(command, "real camera JPEGs to make them of")
    command.add_argument("--count", type=_positive, metavar="N", help="photos (1000; small: 60)")
    command.add_argument("--rounds", type=_positive, default=3, metavar="N")
    command.add_argument(
        "--no-peers", dest="peers", action="store_false", help="install and measure no peer"
    )

    command = commands.add_parser("rescan", parents=[common], help="nothing changed")
    command.add_argument("--files", type=_positive, metavar="N", help="200,000; small: 4,000")
    command.add_argument("--folders", type=_positive, metavar="N", help="2,000; small: 40")
    command.add_argument("--rounds", type=_positive, default=5, metavar="N")

    command = commands.add_parser(
        "removal", parents=[common], help="copies are trashed and linked, and that is undone"
    )
    command.add_argument("--removals", type=_positive, metavar="N", help="10,000; small: 200")
    command.add_argument("--rounds", type=_positive, metavar="N", help="3; small: 1")

    command = commands.add_parser(
        "memory", parents=[common], help="cold index of tiny files, and duplicates of made-up ones"
    )
    command.add_argument("--files", type=_positive, metavar="N", help="200,000; small: 4,000")
    _contents_option(command)

    _add_quality(commands, common)
    _add_review(commands, common)
    _add_watch(commands, common)
    _add_commands_on_made_up_hashes(commands, common)
    return parser


def _add_quality(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    command = commands.add_parser(
        "quality", parents=[common], help="edited copies that are found, and false pairs"
    )
    _photos_option(command, "the shared photos: distinct pictures, and labelled sets")
    command.add_argument(
        "--pictures",
        nargs="+",
        metavar="DIR",
        help="edit pictures of these folders, all distinct, and not those of --photos",
    )
    command.add_argument(
        "--half",
        choices=copies.HALVES,
        default="second",
        help="of the pictures, by their names, that are edited: second; limits are chosen on first",
    )
    command.add_argument(
        "--count", type=_positive, metavar="N", help="pictures that are edited (150; small: 6)"
    )
    command.add_argument(
        "--no-peers", dest="peers", action="store_false", help="install and measure no peer"
    )


def _add_review(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    command = commands.add_parser(
        "review", parents=[common], help="the page in a Chromium: opening, pictures, decisions"
    )
    command.add_argument("--parts", choices=review.PARTS, nargs="+", default=review.PARTS)
    _photos_option(command, "real pictures, to make others of")
    command.add_argument(
        "--contents", type=_positive, metavar="N", help="that are opened: 100,000; small: 500"
    )
    command.add_argument(
        "--groups", type=_positive, metavar="N", help="of real JPEGs: 1,000; small: 12"
    )
    command.add_argument("--rounds", type=_positive, metavar="N", help="3; small: 1")


def _add_watch(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    command = commands.add_parser(
        "watch", parents=[common], help="the daemon: single changes, a storm, nothing, a rename"
    )
    command.add_argument("--parts", choices=watch.PARTS, nargs="+", default=watch.PARTS)
    _photos_option(command, "real camera JPEGs; single changes are of crops of one")

    part = command.add_argument_group("latency")
    part.add_argument("--files", type=_positive, metavar="N", help="1,000; small: 20")
    part.add_argument("--folders", type=_several, metavar="N", help="50; small: 2")
    part.add_argument("--changes", type=_positive, metavar="N", help="200; small: 5")
    part.add_argument("--interval", type=float, metavar="S", help="between two at most: 4 s")
    part.add_argument("--cold", type=int, metavar="N", help="changes after a pause: 3; small: 0")
    part.add_argument("--cold-after", type=float, default=70.0, metavar="S", help="the pause: 70 s")

    part = command.add_argument_group("storm")
    part.add_argument("--storm", type=_positive, metavar="N", help="files: 100,000; small: 400")
    part.add_argument("--storm-folders", type=_positive, metavar="N", help="100; small: 2")
    part.add_argument(
        "--quiet", type=float, nargs="+", metavar="S", help="after it, look at memory: 10 s"
    )

    part = command.add_argument_group("idle")
    part.add_argument("--idle", type=_positive, metavar="N", help="files: 200,000; small: 400")
    part.add_argument("--idle-folders", type=_positive, metavar="N", help="20,000; small: 40")
    part.add_argument("--settle", type=float, metavar="S", help="before: 90 s; small: 1")
    part.add_argument("--window", type=float, metavar="S", help="measured: 60 s; small: 2")

    part = command.add_argument_group("rename")
    part.add_argument("--rename", type=_positive, metavar="N", help="files: 10,000; small: 200")
    part.add_argument("--rounds", type=_positive, metavar="N", help="3; small: 1")


def _add_commands_on_made_up_hashes(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    command = commands.add_parser(
        "match", parents=[common], help="verified matches of very many pictures"
    )
    _photos_option(command, "real pictures, to make others of")
    command.add_argument(
        "--contents", type=_positive, nargs="+", metavar="N", help="100,000 and 1,000,000"
    )

    command = commands.add_parser("similar", parents=[common], help="one picture, a new process")
    _photos_option(command, "real camera JPEGs; one is asked about")
    _contents_option(command)
    command.add_argument("--rounds", type=_positive, metavar="N", help="7; small: 1")

    command = commands.add_parser("join", parents=[common], help="all close pairs of hashes")
    command.add_argument("--count", type=_positive, nargs="+", metavar="N", help="of values")
    command.add_argument("--skew", choices=values.SKEWS, nargs="+", help="uniform photos")
    command.add_argument(
        "--radius", type=int, choices=range(65), nargs="+", metavar="BITS", help="4 6 8"
    )
    command.add_argument("--rounds", type=_positive, metavar="N", help="3; from 2 million on 1")
    command.add_argument(
        "--peers",
        action=argparse.BooleanOptionalAction,
        help="install and measure them (small: only those that are installed)",
    )

    command = commands.add_parser(
        "make-catalog", parents=[common], help="a catalog of N synthetic photos, to try things on"
    )
    command.add_argument("count", type=_positive, metavar="N", help="different contents")
    command.add_argument("--out", metavar="FILE", help="the catalog (else a name in --work)")
    command.add_argument("--skew", choices=values.SKEWS, default="photos", help="of the hashes")


def _photos_option(command: argparse.ArgumentParser, use: str) -> None:
    default = peers.beside_the_project("shared", "photos")
    command.add_argument("--photos", default=default, metavar="DIR", help=use)


def _contents_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--contents",
        type=_positive,
        nargs="+",
        metavar="N",
        help="of each catalog that is asked (1,000,000; small: 5,000); with --work it is made "
        "once, which takes minutes a million",
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _several(text: str) -> int:
    number = int(text)
    if number < 2:
        raise argparse.ArgumentTypeError("at least 2")
    return number


if __name__ == "__main__":
    sys.exit(main())
