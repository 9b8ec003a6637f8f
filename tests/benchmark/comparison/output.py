"""Keeps the results: for people as a table and a chart, for programs as JSON."""

import dataclasses
import json
import pathlib
import shutil

from comparison import chart, machine, report
from comparison.bench import Bench
from comparison.figures import Figure, Growth
from comparison.processes import Failure

TABLE, CHART, RAW = "table.md", "chart.svg", "raw.json"
PUBLISHED = "tests/benchmark/results"
# What stands between these lines of README.md is written by publish().
BEGIN, END = "<!-- benchmark: begin -->\n", "<!-- benchmark: end -->\n"


@dataclasses.dataclass
class Results:
    rows: list[report.Row] = dataclasses.field(default_factory=list)
    figures: list[Figure] = dataclasses.field(default_factory=list)
    growths: list[Growth] = dataclasses.field(default_factory=list)
    # The names of what could not be measured.
    failures: list[str] = dataclasses.field(default_factory=list)

    def add(self, told: list[Figure | Growth]) -> None:
        self.figures += [one for one in told if isinstance(one, Figure)]
        self.growths += [one for one in told if isinstance(one, Growth)]


def write(directory: pathlib.Path, results: Results, where: dict, bench: Bench) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    tables = [machine.sentence(where, bench.rounds) + "\n"]
    if results.rows:
        tables.append(report.table(results.rows, bench.peers))
    if results.figures:
        tables.append(report.figure_table(results.figures))
    if results.growths:
        tables.append(report.growth_table(results.growths))
    (directory / TABLE).write_text("\n".join(tables))
    (directory / CHART).write_text(chart.draw(
        results.rows, {peer.name: peer.title for peer in bench.peers},
        f"{where['processor']}, {where['cores']} cores, {where['date']}"))
    (directory / RAW).write_text(json.dumps({
        "machine": where, "rounds": bench.rounds, "workloads": report.raw(results.rows),
        "figures": [dataclasses.asdict(figure) for figure in results.figures],
        "growth": [dataclasses.asdict(growth) for growth in results.growths]}, indent=1) + "\n")


def publish(directory: pathlib.Path, project: pathlib.Path) -> None:
    """Copies what was written, and shows it in README.md."""
    if not (directory / RAW).exists():
        raise Failure(f"{directory} has no results yet: measure first")
    published = project / PUBLISHED
    published.mkdir(exist_ok=True)
    for name in (CHART, RAW):
        shutil.copy(directory / name, published / name)
    readme = project / "README.md"
    before, begin, rest = readme.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Failure(f"{readme} does not have the lines {BEGIN.strip()} and {END.strip()}")
    shown = f"![Time, as a multiple of psql's]({PUBLISHED}/{CHART})\n\n{(directory / TABLE).read_text()}"
    readme.write_text(before + begin + shown + end + after)
