"""The results as bars: an SVG written by hand, readable on light and on dark pages."""

from html import escape

from bench.report import number
from bench.results import Results
from bench.servers import OURS, Server
from bench.works import TARGETS, Work

COLUMNS = 2
PANEL_WIDTH, LABEL_RIGHT, BAR_LEFT, BAR_WIDTH = 595, 312, 322, 196
ROW, BAR, MARGIN, HEAD = 23, 15, 30, 46
TOP = 66  # the chart's own title

# A bar many times longer than the next one would flatten all others to nothing: it is cut.
OUTLIER = 3  # times the next longest

STYLE = """
  text { font: 12.5px system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif;
         fill: #24292f }
  .page { fill: #ffffff } .edge { stroke: #d0d7de; fill: none }
  .title { font-size: 19px; font-weight: 650 } .panel { font-size: 14.5px; font-weight: 650 }
  .quiet { fill: #59636e } .value { font-variant-numeric: tabular-nums }
  .ours { font-weight: 650 }
  .bar { fill: #b6bfc9 } .bar-ours { fill: #0c7d56 } .bar-tcp { fill: none; stroke: #8c959f }
  .axis { stroke: #8c959f } .target { stroke: #bc4c00; stroke-width: 2 } .cut { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .page, .cut { fill: #0d1117 } .edge { stroke: #30363d }
    .quiet { fill: #9198a1 }
    .bar { fill: #4a535e } .bar-ours { fill: #3fb98a } .bar-tcp { stroke: #848d97 }
    .axis { stroke: #656c76 } .target { stroke: #f0883e }
  }
"""


def draw(results: Results) -> str:
    """The whole chart: a panel for each work, two beside each other, and the legend."""
    panels = [*(_panel(results, work) for work in results.works), _legend()]
    rows = [panels[i : i + COLUMNS] for i in range(0, len(panels), COLUMNS)]
    y, body = TOP, []
    for row in rows:
        for column, (_, drawing) in enumerate(row):
            x = MARGIN + column * (PANEL_WIDTH + MARGIN)
            body.append(f'<g transform="translate({x} {y})">{drawing}</g>')
        y += max(height for height, _ in row) + MARGIN
    width = MARGIN + COLUMNS * (PANEL_WIDTH + MARGIN)
    return _document(width, y, results, body)


def _document(width: int, height: int, results: Results, body: list[str]) -> str:
    said = "; ".join(
        f"{work.title}: " + ", ".join(f"{s.title} {number(v)} {work.unit}" for s, v in bars)
        for work in results.works
        if (bars := _bars(results, work))
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-labelledby="title desc">',
            '<title id="title">What a message costs the server, by server</title>',
            f'<desc id="desc">{escape(said)}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{width}" height="{height}" rx="8"/>',
            f'<rect class="edge" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8"/>',
            f'<text class="title" x="{MARGIN}" y="38">What a WebSocket costs the server</text>',
            *body,
            "</svg>",
            "",
        ]
    )


def _bars(results: Results, work: Work) -> list[tuple[Server, float]]:
    """Servers with their figures, the cheapest first."""
    found = [(server, results.median(server.name, work.name)) for server in results.servers]
    return sorted(
        ((server, value) for server, value in found if value is not None), key=lambda bar: bar[1]
    )


def _panel(results: Results, work: Work) -> tuple[int, str]:
    """A panel's height and drawing."""
    bars = _bars(results, work)
    if not bars:
        return HEAD, f'<text class="panel" y="16">{work.title}: not measured</text>'
    end = _scale_end([value for _, value in bars])
    scale = BAR_WIDTH / end
    bottom = HEAD + ROW * len(bars)
    unit = "KiB of memory" if work.unit == "KiB" else "µs of CPU time"
    parts = [
        f'<text class="panel" y="16">{work.title}</text>',
        f'<text class="quiet" y="34">{unit} {_each(work)}, less is better</text>',
    ]
    for index, (server, value) in enumerate(bars):
        bound = _bound(results, work) if server is OURS else None
        parts.append(_bar(server, value, bound, HEAD + ROW * index, scale))
    parts.append(f'<path class="axis" d="M{BAR_LEFT} {HEAD}V{bottom}"/>')
    return bottom, "".join(parts)


def _scale_end(values: list[float]) -> float:
    """The value of a bar of full length: the last one that is not an outlier."""
    *rest, last = values
    while rest and last > OUTLIER * rest[-1] and len(rest) > 2:
        *rest, last = rest
    return last


def _each(work: Work) -> str:
    return {"echo": "a message", "connect": "a handshake", "hold": "a connection"}[work.mode]


def _bar(server: Server, value: float, bound: float | None, y: int, scale: float) -> str:
    ours = server.is_ours
    kind = "bar-ours" if ours else "bar" if server.websocket else "bar-tcp"
    weight = " ours" if ours else ""
    cut = value * scale > BAR_WIDTH + 1
    length = BAR_WIDTH + 24 if cut else max(value * scale, 1.5)
    top, baseline = y + (ROW - BAR) / 2, y + ROW / 2 + 4.5
    parts = [
        f'<text class="name{weight}" x="{LABEL_RIGHT}" y="{baseline}" text-anchor="end">'
        f"{escape(server.title)}</text>",
        f'<rect class="{kind}" x="{BAR_LEFT}" y="{top}" width="{length:.1f}" height="{BAR}" '
        'rx="2"/>',
    ]
    end = BAR_LEFT + length
    if cut:
        notch = f"M{BAR_LEFT + BAR_WIDTH} {top + BAR + 1}l6 {-BAR - 2}h5l-6 {BAR + 2}z"
        parts.append(f'<path class="cut" d="{notch}"/>')
    if bound is not None and bound * scale <= BAR_WIDTH:
        x = BAR_LEFT + bound * scale
        parts.append(f'<path class="target" d="M{x:.1f} {top - 3}v{BAR + 6}"/>')
        end = max(end, x)
    parts.append(
        f'<text class="value{weight}" x="{end + 7:.1f}" y="{baseline}">{number(value)}</text>'
    )
    return "".join(parts)


def _bound(results: Results, work: Work) -> float | None:
    """The most that this work may cost us: the tightest of its targets, in the work's unit."""
    bounds = []
    for target in TARGETS:
        if target.work == work.name and target.ours == OURS.name:
            other = results.median(target.against, work.name) if target.against else 1
            if other is not None:
                bounds.append(target.bound * other)
    return min(bounds, default=None)


def _legend() -> tuple[int, str]:
    rows = [
        (f'<rect class="bar-ours" y="-11" width="26" height="{BAR}" rx="2"/>', "dwebsocket"),
        (
            f'<rect class="bar" y="-11" width="26" height="{BAR}" rx="2"/>',
            "other WebSocket servers",
        ),
        (
            f'<rect class="bar-tcp" x=".5" y="-10.5" width="25" height="{BAR - 1}" rx="2"/>',
            "no WebSocket: for comparison",
        ),
        (
            '<path class="target" d="M13 -14v21"/>',
            "our target: the most that dwebsocket on gevent may cost",
        ),
        (
            f'<rect class="bar" y="-11" width="26" height="{BAR}" rx="2"/>'
            f'<path class="cut" d="M9 5l6 {-BAR - 2}h5l-6 {BAR + 2}z"/>',
            "cut: too long for the picture",
        ),
    ]
    drawing = ['<text class="panel" y="16">How to read it</text>']
    for index, (mark, words) in enumerate(rows):
        drawing.append(
            f'<g transform="translate(0 {HEAD + 12 + index * (ROW + 3)})">{mark}'
            f'<text class="quiet" x="38" y="1">{words}</text></g>'
        )
    return HEAD + len(rows) * (ROW + 3), "".join(drawing)
