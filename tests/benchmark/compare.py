#!/usr/bin/env python3
"""Measures migd beside psql and beside other migration tools. `compare.py --help` says how."""

import argparse
import dataclasses
import json
import pathlib
import signal
import sys
import tempfile

from comparison import peers, report, tools
from comparison.bench import SMALLEST, Bench, Sizes
from comparison.figures import Figure, Growth, all_studies
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
    arguments = parser.parse_args()
    unknown = set(arguments.workloads) - set(names)
    if unknown:
        parser.error(f"there is no workload {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if arguments.quick or arguments.smallest:
        arguments.rounds = 1
    return arguments


def main() -> int:
    arguments = parse_arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit("error: interrupted"))
    with tempfile.TemporaryDirectory(prefix="migd-bench-", dir=arguments.directory) as directory:
        path = pathlib.Path(directory)
        path.chmod(0o755)  # PostgreSQL runs as another user
        bench = Bench(path, tools.Psql(), tools.Migd(arguments.programs / "service/migd",
                                                     arguments.programs / "client/migctl"),
                      available_peers(arguments), arguments.rounds, SMALLEST if arguments.smallest else Sizes(),
                      arguments.programs / "tests/load_client")
        try:
            results = run(bench, arguments.workloads)
        except Failure as failure:
            sys.exit(f"error: {failure}")
        finally:
            bench.close()
    write(arguments.results, results, {peer.name: peer.title for peer in bench.peers})
    return 0


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


@dataclasses.dataclass
class Results:
    rows: list[report.Row] = dataclasses.field(default_factory=list)
    figures: list[Figure] = dataclasses.field(default_factory=list)
    growths: list[Growth] = dataclasses.field(default_factory=list)


def run(bench: Bench, chosen: list[str]) -> Results:
    results = Results()
    for workload in all_workloads():
        if chosen and workload.name not in chosen:
            continue
        title = workload.title(bench)
        bench.say(title)
        row = report.Row(workload.name, title, workload.goal, workload.run(bench))
        bench.say(f"  migd {report.number(row.ratio('migd'))} of psql")
        results.rows.append(row)
    for study in all_studies():
        if chosen and study.name not in chosen:
            continue
        bench.say(study.title)
        for told in study.run(bench):
            (results.growths if isinstance(told, Growth) else results.figures).append(told)
    return results


def write(directory: pathlib.Path, results: Results, titles: dict[str, str]) -> None:
    tables = [make(of) for make, of in (
        (lambda rows: report.table(rows, titles), results.rows),
        (report.figure_table, results.figures), (report.growth_table, results.growths)) if of]
    text = "\n".join(tables)
    print(text)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "table.md").write_text(text)
    (directory / "raw.json").write_text(json.dumps({
        "workloads": report.raw(results.rows),
        "figures": [dataclasses.asdict(figure) for figure in results.figures],
        "growth": [dataclasses.asdict(growth) for growth in results.growths]}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
