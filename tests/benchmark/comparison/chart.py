"""Draws the ratios to psql as an SVG that can be read on light and on dark pages."""

import html
import math

from comparison.report import Row, duration, number

WIDTH = 920
MARGIN = 20
# Each doubling takes as much room; what is beyond the lowest and the highest ratio ends there.
LEFT, DOUBLING, LOWEST, HIGHEST = 20, 62, 1 / 8, 512
BAR, GAP, TITLE, GROUP_GAP = 13, 3, 22, 14
HEADER = 92

STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #24292f;
  paint-order: stroke; stroke: #ffffff; stroke-width: 3px }
.page { fill: #ffffff } .head { font-size: 16px; font-weight: 600 } .note { fill: #57606a }
.title { font-weight: 600 } .grid { stroke: #d8dee4 } .one { stroke: #24292f; stroke-width: 1.5 }
.migd { fill: #0969da } .peer { fill: #afb8c1 } .goal { stroke: #bc4c00; stroke-width: 2.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; stroke: #0d1117 } .page { fill: #0d1117 } .note { fill: #9198a1 }
  .grid { stroke: #30363d }
  .one { stroke: #e6edf3 } .migd { fill: #4493f8 } .peer { fill: #656c76 } .goal { stroke: #f0883e }
}
"""


def draw(rows: list[Row], titles: dict[str, str], note: str) -> str:
    """`titles` are those of the peers, by names."""
    body, y = [], HEADER
    for row in rows:
        bars = [("migd", "migd", row.ratio("migd"))]
        peers = [(name, title, row.ratio(name)) for name, title in titles.items()]
        bars += sorted((bar for bar in peers if bar[2] is not None), key=lambda bar: bar[2])
        if bars[0][2] is None:
            continue
        body.append(_text(LEFT, y + 15, row.title, "title"))
        body.append(_text(WIDTH - MARGIN, y + 15, f"psql {duration(row.series['psql'].wall())}",
                          "note", "end"))
        y += TITLE
        for name, title, ratio in bars:
            body += _bar(y, title, ratio, name == "migd", row.goal if name == "migd" else None)
            y += BAR + GAP
        y += GROUP_GAP
    return _page(y + MARGIN, note, [*_grid(y), *body])


def _x(ratio: float) -> float:
    return LEFT + DOUBLING * math.log2(min(max(ratio, LOWEST), HIGHEST) / LOWEST)


def _bar(y: int, title: str, ratio: float, ours: bool, goal: float | None) -> list[str]:
    begin, end = sorted((_x(1), _x(ratio)))
    drawn = [f'<rect class="{"migd" if ours else "peer"}" x="{begin:.1f}" y="{y}"'
             f' width="{max(end - begin, 1):.1f}" height="{BAR}" rx="1.5"/>']
    if goal is not None:
        drawn.append(f'<line class="goal" x1="{_x(goal):.1f}" x2="{_x(goal):.1f}" y1="{y - 2}"'
                     f' y2="{y + BAR + 2}"/>')
    # Behind all of them.
    label = max(end, _x(goal or LOWEST)) + 5
    drawn.append(_text(label, y + BAR - 2.5, f"{number(ratio)}  {title}", "title" if ours else ""))
    return drawn


def _grid(bottom: int) -> list[str]:
    lines = []
    for power in range(-2, 10):
        x = _x(2 ** power)
        kind = "one" if power == 0 else "grid"
        lines.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{HEADER - 6}" y2="{bottom}"/>')
        lines.append(_text(x, HEADER - 12, "psql" if power == 0 else f"{2 ** power:g}x", "note",
                           "middle"))
    return lines


def _page(height: int, note: str, body: list[str]) -> str:
    head = [_text(LEFT, 28, "Time, as a multiple of psql's", "head"),
            _text(LEFT, 48, "Medians of the ratios in a round. Left of the line: quicker than psql."
                  " Logarithmic. Orange: the goal of migd.", "note"),
            _text(WIDTH - MARGIN, 28, note, "note", "end")]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
            f' viewBox="0 0 {WIDTH} {height}" role="img"'
            ' aria-label="Time of migd and other migration tools, as a multiple of psql\'s">\n'
            f'<style>{STYLE}</style>\n<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>\n'
            + "\n".join([*head, *body]) + "\n</svg>\n")


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
            f'{html.escape(text.replace("`", ""))}</text>')
