"""The results, for people and for programs."""

import dataclasses

from comparison.figures import Figure, Growth
from comparison.measure import Series
from comparison.tools import Tool


@dataclasses.dataclass
class Row:
    """A workload and what each tool took in it."""

    name: str
    title: str
    goal: float | None
    series: dict[str, Series]

    def ratio(self, tool: str) -> float | None:
        if tool not in self.series:
            return None
        return self.series[tool].ratio_to(self.series["psql"])


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds >= 1:
        return f"{seconds:.2f} s"
    if seconds >= 0.001:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1e6:.0f} µs"


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def table(rows: list[Row], peers: list[Tool]) -> str:
    """Markdown. A tool that is used in two ways has one column, with both of them."""
    columns = [[peer, *(variant for variant in peers if variant.variant_of == peer.name)]
               for peer in peers if not peer.variant_of]
    header = ["workload", "psql", "migd", "goal", *(column[0].title for column in columns),
              "CPU psql / migd"]
    lines = [header, ["---"] + ["---:"] * (len(header) - 1)]
    for row in rows:
        psql, migd = row.series["psql"], row.series["migd"]
        ratio = row.ratio("migd")
        goal = "" if row.goal is None else f"≤ {row.goal:.2f}"
        if ratio is not None and row.goal is not None and ratio <= row.goal:
            goal += " ✓"
        lines.append([row.title, duration(psql.wall()), f"**{number(ratio)}**", goal,
                      *(_ratios(row, column) for column in columns),
                      f"{duration(psql.cpu())} / {duration(migd.cpu())}"])
    return markdown(lines)


def _ratios(row: Row, column: list[Tool]) -> str:
    ratios = [row.ratio(tool.name) for tool in column]
    return " / ".join(number(ratio) for ratio in ratios if ratio is not None) or "-"


def figure_table(figures: list[Figure]) -> str:
    lines = [["of migd alone", "measured", "goal"], ["---"] * 3]
    lines += [[figure.title, figure.text, figure.goal + (" ✓" if figure.met else "")]
              for figure in figures]
    return markdown(lines)


def growth_table(growths: list[Growth]) -> str:
    lines = [["cost as work grows", "three sizes", "time", "of one", "one at the largest / smallest"],
             ["---", "---:", "---:", "---:", "---:"]]
    for growth in growths:
        lines.append([
            growth.title, " / ".join(f"{size:,}" for size in growth.sizes) + f" {growth.unit}s",
            " / ".join(duration(seconds) for seconds in growth.seconds),
            " / ".join(duration(seconds) for seconds in growth.of_one()),
            number(growth.quotient()) + (
                f" (psql {number(growth.quotient_of_psql())})" if growth.psql else "")])
    return markdown(lines)


def markdown(lines: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def raw(rows: list[Row]) -> list[dict]:
    """Everything that was measured, in seconds."""
    return [{"workload": row.name, "title": row.title, "goal": row.goal,
             "tools": {name: {"ratio": row.ratio(name), "problem": series.problem,
                              "rounds": [[dataclasses.asdict(sample) for sample in samples]
                                         for samples in series.rounds]}
                       for name, series in row.series.items()}}
            for row in rows]
