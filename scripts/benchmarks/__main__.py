"""The command line of ``scripts/bench``."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from benchmarks import index, memory, peers, rescan
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
    files = given.files or (4_000 if given.small else 200_000)
    return memory.bench(memory.Inputs(files, given.jobs, work))


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
        "photos take 3 GB, 200,000 tiny files 1 GB)",
    )
    common.add_argument("--small", action="store_true", help="to see that it works, in seconds")
    common.add_argument("--jobs", type=_positive, default=cores(), metavar="N", help="workers")
    commands = parser.add_subparsers(dest="benchmark", required=True)

    command = commands.add_parser("index", parents=[common], help="cold index of camera photos")
    command.add_argument(
        "--photos",
        default=peers.beside_the_project("shared", "photos"),
        metavar="DIR",
        help="real camera JPEGs to make them of",
    )
    command.add_argument("--count", type=_positive, metavar="N", help="photos (1000; small: 60)")
    command.add_argument("--rounds", type=_positive, default=3, metavar="N")
    command.add_argument(
        "--no-peers", dest="peers", action="store_false", help="install and measure no peer"
    )

    command = commands.add_parser("rescan", parents=[common], help="nothing changed")
    command.add_argument("--files", type=_positive, metavar="N", help="200,000; small: 4,000")
    command.add_argument("--folders", type=_positive, metavar="N", help="2,000; small: 40")
    command.add_argument("--rounds", type=_positive, default=5, metavar="N")

    command = commands.add_parser("memory", parents=[common], help="cold index of tiny files")
    command.add_argument("--files", type=_positive, metavar="N", help="200,000; small: 4,000")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
