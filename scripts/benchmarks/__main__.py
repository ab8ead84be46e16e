"""The command line of ``scripts/bench``."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from benchmarks import catalogs, index, join, memory, peers, rescan, similar, values
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
    if given.benchmark == "join":
        return join.bench(_join(given, work))
    if given.benchmark == "similar":
        rounds = given.rounds or (1 if given.small else 7)
        return similar.bench(similar.Inputs(given.photos, _contents(given), rounds, work))
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
        "memory", parents=[common], help="cold index of tiny files, and duplicates of made-up ones"
    )
    command.add_argument("--files", type=_positive, metavar="N", help="200,000; small: 4,000")
    _contents_option(command)

    _add_commands_on_made_up_hashes(commands, common)
    return parser


def _add_commands_on_made_up_hashes(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
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


if __name__ == "__main__":
    sys.exit(main())
