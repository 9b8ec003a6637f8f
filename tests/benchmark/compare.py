#!/usr/bin/env python3
"""Measures migd beside psql and beside other migration tools. `compare.py --help` says how."""

import argparse
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import typing

from comparison import machine, output, peers, report, tools
from comparison.bench import SMALLEST, Bench, Sizes
from comparison.figures import all_studies
from comparison.processes import Failure
from comparison.workloads import PROJECT, all_workloads


def parse_arguments() -> argparse.Namespace:
    names = [one.name for one in (*all_workloads(), *all_studies())]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD",
                        help=f"measure these only: {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=5, help="in each, every tool has its turn (5)")
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--smallest", action="store_true", help="little of everything, in one round")
    parser.add_argument("--no-peers", action="store_true", help="psql and migd alone")
    parser.add_argument("--programs", type=pathlib.Path, default=PROJECT / "build/bench",
                        metavar="DIR", help="the build that is measured (build/bench)")
    parser.add_argument("--results", type=pathlib.Path, default=PROJECT / "build/bench-results",
                        metavar="DIR", help="where the results go (build/bench-results)")
    parser.add_argument("--directory", default="/var/tmp", metavar="DIR",
                        help="where databases and files are while it runs (/var/tmp)")
    parser.add_argument("--publish", action="store_true",
                        help="measure nothing: show the last results in README.md, and keep them in "
                        "tests/benchmark/results")
    arguments = parser.parse_args()
    unknown = set(arguments.workloads) - set(names)
    if unknown:
        parser.error(f"there is no workload {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if arguments.rounds < 1:
        parser.error("--rounds needs one at least")
    if arguments.quick or arguments.smallest:
        arguments.rounds = 1
    return arguments


def main() -> int:
    arguments = parse_arguments()
    if arguments.publish:
        output.publish(arguments.results, PROJECT)
        return 0
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit("error: interrupted"))
    with tempfile.TemporaryDirectory(prefix="migd-bench-", dir=arguments.directory) as directory:
        path = pathlib.Path(directory)
        path.chmod(0o755)  # PostgreSQL runs as another user
        bench = Bench(path, tools.Psql(),
                      tools.Migd(installed(arguments.programs / "service/migd", path),
                                 installed(arguments.programs / "client/migctl", path)),
                      available_peers(arguments), arguments.rounds,
                      SMALLEST if arguments.smallest else Sizes(),
                      arguments.programs / "tests/load_client")
        os.sync()  # what others have left to write
        try:
            where = machine.describe(path, bench.cluster().version(), bench.versions())
            results = run(bench, arguments.workloads, lambda so_far: output.write(
                arguments.results, so_far, where, bench))
        finally:
            bench.close()
    print((arguments.results / output.TABLE).read_text())
    if results.failures:
        sys.exit(f"error: could not be measured: {', '.join(results.failures)}")
    return 0


def installed(program: pathlib.Path, directory: pathlib.Path) -> pathlib.Path:
    """A copy, as an installation makes one: what a linker has just written is kept in memory in small
    pieces, which takes longer to start."""
    return pathlib.Path(shutil.copy2(program, directory))


def available_peers(arguments: argparse.Namespace) -> list[tools.Tool]:
    """Those that can be run here; which cannot, and why, is said."""
    available = []
    for peer in [] if arguments.no_peers else peers.all_peers():
        try:
            peer.version()
            available.append(peer)
        except (tools.Unavailable, Failure) as problem:
            print(f"{peer.title} is left out: {problem}", file=sys.stderr)
    return available


def run(bench: Bench, chosen: list[str],
        save: typing.Callable[[output.Results], None]) -> output.Results:
    """What psql or migd fails at is told, and the rest measured all the same. Saves after each, for
    whoever interrupts it."""
    results = output.Results()

    def attempt(name: str, title: str, measure) -> None:
        if chosen and name not in chosen:
            return
        bench.say(title)
        try:
            measure()
        except Failure as failure:
            bench.say(f"error: {failure}")
            results.failures.append(name)
        save(results)

    # The workloads end with those that drop tables, which would slow down all that makes some.
    for study in all_studies():
        attempt(study.name, study.title, lambda: results.add(study.run(bench)))
    for workload in all_workloads():
        title = workload.title(bench)
        attempt(workload.name, title, lambda: results.rows.append(
            report.Row(workload.name, title, workload.goal, workload.run(bench))))
        if results.rows and results.rows[-1].name == workload.name:
            bench.say(f"  migd {report.number(results.rows[-1].ratio('migd'))} of psql")
    return results


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as problem:
        sys.exit(f"error: {problem}")
