"""The results as text: progress lines, the summary on the terminal and the page in docs/."""

from dataclasses import dataclass
from pathlib import Path

from bench import machine
from bench.results import Results
from bench.servers import GATEWAY, OURS, OVER_TLS, SERVERS, Server
from bench.works import ALL_WORKS, TARGETS, Target

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "benchmarks.md"
CHART = DOCS / "benchmarks.svg"
FANOUT = "## One message to many"

UNPINNED = (
    "Not pinned: this needs taskset (util-linux) and two processor cores, one for the server and "
    "one for the load. They share a processor now, and the figures say less."
)
TITLES = {server.name: server.title for server in (*SERVERS, *OVER_TLS, *GATEWAY)}
WORK_TITLES = {work.name: f"{work.title} ({work.unit})" for work in ALL_WORKS}


@dataclass(frozen=True)
class Run:
    results: Results
    rounds: int
    seconds: float
    cpus: tuple[int, int] | None
    facts: list[tuple[str, str]]
    command: str


def number(value: float | None) -> str:
    """Three significant digits at most: more would pretend."""
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def progress(round_number: int, rounds: int, server: Server, results: Results) -> str:
    """What this round found for the server."""
    cells = []
    for work in results.works:
        outcomes = results.outcomes.get((server.name, work.name))
        if not outcomes:
            continue
        newest = outcomes[-1]
        found = f"failed: {newest}" if isinstance(newest, str) else f"{number(newest)} {work.unit}"
        cells.append(f"{work.name} {found}")
    return f"[{round_number}/{rounds}] {server.name}: " + ", ".join(cells)


def table(rows: list[list[str]]) -> str:
    """A Markdown table, padded so that it also reads well as plain text."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for index, row in enumerate(rows):
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("| " + " | ".join(cells) + " |")
        if index == 0:
            rest = ["-" * (width - 1) + ":" for width in widths[1:]]
            lines.append("| " + " | ".join(["-" * widths[0], *rest]) + " |")
    return "\n".join(lines)


def _by_server(results: Results, cell) -> str:
    head = ["Server", *(WORK_TITLES[work.name] for work in results.works)]
    rows = [
        [server.title, *(cell(server.name, work.name) for work in results.works)]
        for server in results.servers
    ]
    return table([head, *rows])


def figures(results: Results) -> str:
    def cell(server: str, work: str) -> str:
        if results.failures(server, work) and not results.figures(server, work):
            return "failed"
        return number(results.median(server, work))

    return _by_server(results, cell)


def ratios(results: Results) -> str:
    def cell(server: str, work: str) -> str:
        ratio = results.ratio(server, work)
        return "-" if ratio is None else f"{number(ratio)} x"

    return _by_server(results, cell)


def spreads(results: Results) -> str:
    def cell(server: str, work: str) -> str:
        spread = results.spread(server, work)
        return "-" if spread is None else f"{number(spread[0])} to {number(spread[1])}"

    return _by_server(results, cell)


def targets(results: Results) -> str:
    rows = [["Work", "Ours", "Measured against", "Target: at most", "Found", "Met"]]
    for target in TARGETS:
        if not _is_measured(target, results):
            continue
        value = results.against(target)
        met = "-" if value is None else "yes" if value <= target.bound else "**no**"
        ours = TITLES[target.ours]
        rows.append(
            [_work_title(target), ours, _rival(target), target.words, _found(target, value), met]
        )
    return table(rows)


def _is_measured(target: Target, results: Results) -> bool:
    servers = {server.name for server in results.servers} | {None}
    works = {work.name for work in results.works}
    return target.work in works and {target.ours, target.against} <= servers


def _work_title(target: Target) -> str:
    return next(work.title for work in ALL_WORKS if work.name == target.work)


def _rival(target: Target) -> str:
    return TITLES[target.against] if target.against else "-"


def _found(target: Target, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f} x" if target.against else f"{number(value)} KiB"


def failures(results: Results) -> str:
    lines = []
    for server, work in results.failed:
        reasons = results.failures(server, work)
        rounds = len(results.outcomes[server, work])
        lines.append(
            f"- {TITLES[server]}, {WORK_TITLES[work]}: {len(reasons)} of {rounds} measurements "
            f"failed and are not in the figures. The last: {reasons[-1]}"
        )
    return "\n".join(lines)


def summary(run: Run) -> str:
    plain, over_tls = run.results.plain, run.results.over_tls
    parts = []
    if plain.servers:
        parts.append(figures(plain))
    if OURS in plain.servers:
        parts.append(f"As many times the figure of {OURS.title}:\n\n" + ratios(plain))
    if over_tls.servers:
        parts.append(figures(over_tls))
    parts.append(targets(run.results))
    if run.results.failed:
        parts.append("Failed:\n" + failures(run.results))
    return "\n\n".join(parts)


def write_page(page: str) -> None:
    """Put down all but the last section, which bench.fanout writes."""
    _, heading, section = PAGE.read_text(encoding="utf-8").partition(f"\n{FANOUT}\n")
    PAGE.write_text(page + heading + section, encoding="utf-8")


def write_fanout(section: str) -> None:
    """Put down the last section."""
    page, _, _ = PAGE.read_text(encoding="utf-8").partition(f"\n{FANOUT}\n")
    PAGE.write_text(f"{page}\n{FANOUT}\n\n{section}\n", encoding="utf-8")


def page(run: Run) -> str:
    plain, over_tls = run.results.plain, run.results.over_tls
    parts = [
        "# Benchmarks",
        INTRODUCTION,
        f"![What a message costs, by server]({CHART.name})",
        "## Figures",
        f"Medians of {run.rounds} rounds. CPU time in µs a message or a handshake, memory in KiB "
        "a connection. Less is better.",
        figures(plain),
        f"The same, as so many times the figure of {OURS.title}. Above 1: it costs more than ours.",
        ratios(plain),
        "## Over TLS",
        "The same, with TLS 1.3 by OpenSSL and a certificate with P-256.",
        figures(over_tls),
        "## Targets",
        "What ours are held to, in the same run.",
        targets(run.results),
        "## Spread",
        "The lowest and the highest figure of the rounds.",
        spreads(plain),
        spreads(over_tls),
    ]
    if run.results.failed:
        parts += ["## Failed measurements", failures(run.results)]
    parts += ["## How it was measured", _method(run), "## Where", _where(run)]
    return "\n\n".join(parts) + "\n"


INTRODUCTION = (
    "What one message costs the server in CPU time, and what one idle connection costs in memory: "
    "the same work for every server, in one run on one machine. Everything on this page is "
    "written by the run itself; `make bench` repeats it on yours."
)


def _method(run: Run) -> str:
    pinning = (
        f"Pinned: the server to processor {run.cpus[0]}, the load to processor {run.cpus[1]}."
        if run.cpus
        else UNPINNED
    )
    return f"""\
- One server process, and a load generator in C (`bench/wsload.c`). {pinning}
- The figure is CPU time of the server's process (user and kernel, all threads) divided by the
  messages: steadier than messages a second, which depend on whatever else the machine does.
- {run.rounds} rounds, interleaved: every server once, then again.
  A measurement takes {run.seconds:g} s.
- Each server is started anew in every round and warmed up; idle connections get a fresh process.
- 125 B on 100 connections, 64 KiB on 10, handshakes 32 at a time (the client hangs up after the
  101), and 5,000 connections (2,000 over TLS) that are opened and stay silent. Sixteen in flight:
  a client sends sixteen messages, reads sixteen answers, and starts again.
- A plain Django view stands beside the handshakes: the same project answers `GET` on a new
  connection, with no WebSocket.
- *Light* handlers have `keep_request = False`. *TAKE_OVER = False* is `WEBSOCKET_TAKE_OVER`: under
  ASGI the server's own WebSocket, in place of ours.
- dwebsocket is measured as an ordinary Django view behind the seven middleware classes of
  `startproject`, under `gevent.pywsgi` and in one worker of gunicorn with threads (gthread);
  Channels as an async consumer with routing and no middleware around it; the
  others as their documentation shows an echo server, set up for speed.
- No compression and no access log anywhere, a listen backlog and threads for all connections;
  all else is as each server has it by default.
- The bare TCP echo does no WebSocket work at all. A server can cost less than it where several
  messages are read or answered by one system call."""


def _where(run: Run) -> str:
    rows = [["", ""], *map(list, run.facts), ["Command", f"`{run.command}`"]]
    packages = [["Package", "Version"], *map(list, machine.versions(run.results.servers))]
    return table(rows) + "\n\n" + table(packages)
