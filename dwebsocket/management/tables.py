"""Connections and processes as people at a terminal read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dwebsocket.connections import Connection, Connections, Process, Stats

__all__ = ["draw_connections", "draw_stats", "show_silent"]

CONNECTIONS = (
    "ID",
    "AGE",
    "USER",
    "PATH",
    "ADDRESS",
    "MESSAGES",
    "BYTES",
    "WAITING",
    "PROCESS",
    "VIEW",
    "GROUPS",
)
STATS = ("PROCESS", "CONNECTIONS", "MESSAGES", "BYTES", "WAITING")

#: What is unknown.
NOTHING = "-"


def draw_connections(found: Iterable[Connection]) -> list[str]:
    """A line of headings, and one for each; messages and bytes in / out."""
    return draw([CONNECTIONS, *map(row_of, found)])


def row_of(one: Connection) -> tuple[str, ...]:
    return (
        one.id,
        show_age(one.age),
        clean(one.user),
        clean(one.path),
        clean(one.address) + " (polling)" * (one.transport == "polling"),
        f"{show_count(one.received)} / {one.sent}",
        f"{show_size(one.bytes_in)} / {show_size(one.bytes_out)}",
        show_size(one.waiting),
        clean(str(Process(one.host, one.pid))),
        clean(one.view),
        clean(", ".join(one.groups)),
    )


def draw_stats(stats: Stats) -> list[str]:
    """A line of headings, one for each process, and one for all."""
    each = [(clean(str(process)), one) for process, one in stats.processes.items()]
    return draw([STATS, *(row_of_stats(*one) for one in [*sorted(each), ("all", stats)])])


def row_of_stats(name: str, one: Stats) -> tuple[str, ...]:
    return (
        name,
        str(one.connections),
        f"{one.received} / {one.sent}",
        f"{show_size(one.bytes_in)} / {show_size(one.bytes_out)}",
        show_size(one.waiting),
    )


def show_silent(found: Connections | Stats) -> list[str]:
    """A line for each process that has not answered, which is not among what is shown."""
    return [
        f"No answer from {clean(str(process))}: its connections are not shown."
        for process in found.silent
    ]


def draw(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def clean(text: str | None) -> str:
    """What clients have chosen may hold what a terminal obeys."""
    return "".join(map(show_character, text)) if text else NOTHING


def show_character(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


def show_count(count: int | None) -> str:
    return NOTHING if count is None else str(count)


def show_age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f}{unit}"
    return f"{seconds:.1f}s"


def show_size(size: int | None) -> str:
    if size is None:
        return NOTHING
    shown, units = float(size), iter(("K", "M", "G", "T"))
    unit = ""
    while shown >= 1000 and unit != "T":
        shown, unit = shown / 1024, next(units)
    return f"{shown:.1f}{unit}" if unit else str(size)
