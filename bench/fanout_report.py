"""What bench.fanout has found, as text: ratios, targets, and the section of docs/benchmarks.md."""

from dataclasses import dataclass, field
from statistics import median

from bench import machine
from bench.members import Turn
from bench.report import number, table
from bench.servers import FANOUT, Server
from bench.stalled import MEMBERS, SIZE, Stalled


@dataclass(frozen=True)
class Group:
    """Members that were measured together."""

    server: Server
    count: int
    processes: int = 1
    carrier: str = ""  # between several: "Redis", or "machine"

    def __str__(self) -> str:
        over = f" in {self.processes} processes, {self.carrier}" if self.carrier else ""
        return f"{self.server.name}, {self.count:,}{over}"


@dataclass
class Run:
    turns: int
    seconds: float
    cpus: tuple[int, int] | None
    facts: list[tuple[str, str]]
    command: str
    found: dict[Group, list[Turn]] = field(default_factory=dict)
    failures: dict[Group, str] = field(default_factory=dict)
    slow: list[Stalled] = field(default_factory=list)

    def group(self, name: str, count: int, processes: int = 1, carrier: str = "") -> Group | None:
        """One that was measured in every turn."""
        wanted = (name, count, processes, carrier)
        for group, turns in self.found.items():
            if (group.server.name, group.count, group.processes, group.carrier) == wanted:
                return group if len(turns) == self.turns else None
        return None

    def cost(self, group: Group) -> float:
        return median(turn.cost for turn in self.found[group])

    def ratio(self, group: Group | None, other: Group | None) -> float | None:
        """How many times the other one costs this does: of turns that were neighbours in time."""
        if group is None or other is None:
            return None
        pairs = zip(self.found[group], self.found[other], strict=True)
        return median(turn.cost / beside.cost for turn, beside in pairs)


@dataclass(frozen=True)
class Target:
    """The one group must cost at most `bound` times the other."""

    group: tuple
    against: tuple
    bound: float
    words: str


WSGI = ("group_gthread", "group_gevent")
TARGETS = (
    *(Target((name, 1000), ("bare_send", 1000), 1.4, "1.4 x") for name in WSGI),
    *(Target((name, 1000), ("channels_uvicorn", 1000), 1 / 30, "1/30") for name in WSGI),
    *(Target((name, 10_000), (name, 1000), 1.15, "1.15 x") for name in WSGI),
    *(Target((name, 10_000, 4, "machine"), (name, 10_000), 1.15, "1.15 x") for name in WSGI),
    *(
        Target((name, 10_000, 4, "Redis"), ("channels_uvicorn", 10_000, 4, "Redis"), 1 / 30, "1/30")
        for name in WSGI
    ),
)
STALLED_BOUND = 1.1


def share(ratio: float | None) -> str:
    """A ratio below 1 as people say it."""
    if ratio is None:
        return "-"
    return f"{number(ratio)} x" if ratio >= 1 else f"1/{1 / ratio:.0f}"


def memory_table(run: Run) -> str:
    head = ["Server"]
    for count in ("1,000", "10,000"):
        head += [f"{count} members (µs)", "of socket.send", "of Channels", "the last has it (ms)"]
    rows = []
    for server in FANOUT:
        row = [server.title]
        for count in (1000, 10_000):
            row += _cells(run, server, count, 1, ("bare_send", "channels_uvicorn"))
        rows.append(row)
    return table([head, *rows])


def redis_table(run: Run) -> str:
    head = ["Server", "4 x 2,500 members (µs)", "of Channels", "the last has it (ms)", "Redis (µs)"]
    rows = []
    for server in FANOUT:
        group = run.group(server.name, 10_000, 4, "Redis")
        if group is not None:
            beside = median(turn.beside for turn in run.found[group])
            cells = _cells(run, server, 10_000, 4, ("channels_uvicorn",), "Redis")
            rows.append([server.title, *cells, number(beside)])
    return table([head, *rows])


def machine_table(run: Run) -> str:
    head = ["Server", "4 x 2,500 members (µs)", "of one process", "the last has it (ms)"]
    rows = []
    for server in FANOUT:
        group = run.group(server.name, 10_000, 4, "machine")
        if group is not None:
            one = run.ratio(group, run.group(server.name, 10_000))
            last = median(turn.last for turn in run.found[group])
            rows.append([server.title, number(run.cost(group)), share(one), number(last)])
    return table([head, *rows])


def _cells(
    run: Run, server: Server, count: int, processes: int, against: tuple, carrier: str = ""
) -> list[str]:
    group = run.group(server.name, count, processes, carrier)
    if group is None:
        return ["failed" if any(server is g.server for g in run.failures) else "-"] * (
            len(against) + 2
        )
    others = [run.group(name, count, processes, carrier) for name in against]
    last = median(turn.last for turn in run.found[group])
    ratios = [share(run.ratio(group, other)) for other in others]
    return [number(run.cost(group)), *ratios, number(last)]


def stalled_table(run: Run) -> str:
    head = ["Server", "p99 without it (ms)", "with it (ms)", "ratio", "left for it (KiB)"]
    head += ["memory after the first turn (MiB)", "after the last (MiB)"]
    rows = [
        [
            found.server.title,
            number(median(found.without)),
            number(median(found.beside)),
            f"{found.ratio:.2f} x",
            number(median(found.left)),
            number(found.memory[1]),
            number(found.memory[-1]),
        ]
        for found in run.slow
    ]
    return table([head, *rows])


def targets(run: Run) -> str:
    rows = [["What", "Measured against", "Target: at most", "Found", ""]]
    for target in TARGETS:
        group, other = run.group(*target.group), run.group(*target.against)
        ratio = run.ratio(group, other)
        if ratio is not None:
            rows.append(
                [*map(str, (group, other)), target.words, share(ratio), _met(ratio, target.bound)]
            )
    for found in run.slow:
        what = f"{found.server.name}, p99 beside a reader that has stopped"
        rows.append(
            [what, "without it", "1.1 x", f"{found.ratio:.2f} x", _met(found.ratio, STALLED_BOUND)]
        )
    return table(rows)


def _met(ratio: float, bound: float) -> str:
    return "reached" if ratio <= bound else "**missed**"


def parts(run: Run) -> list[str]:
    found = []
    if run.group("bare_send", 1000) is not None or any(g.processes == 1 for g in run.found):
        found += ["Through the memory of one process:", memory_table(run)]
    if any(group.carrier == "machine" for group in run.found):
        found += ["Through the machine, to four processes:", machine_table(run)]
    if any(group.carrier == "Redis" for group in run.found):
        found += ["Through Redis, to four processes:", redis_table(run)]
    if run.slow:
        found += ["One reader of 1,000 stops reading, and is closed with 1013:", stalled_table(run)]
    return [*found, "Targets:", targets(run)]


def failures(run: Run) -> list[str]:
    return [f"Failed: {group}: {reason}." for group, reason in run.failures.items()]


def summary(run: Run) -> str:
    return "\n\n".join([*parts(run), *failures(run)])


def section(run: Run) -> str:
    facts = [["", ""], *map(list, run.facts), ["Command", f"`{run.command}`"]]
    servers = [group.server for group in run.found]
    packages = [["Package", "Version"], *map(list, machine.versions(servers))]
    return "\n\n".join(
        [INTRODUCTION, *parts(run), *failures(run), _method(run), table(facts), table(packages)]
    )


INTRODUCTION = (
    "What it costs the server in processor time to deliver a message of 125 bytes to one member of "
    "a group. Written by `python -m bench.fanout`, which repeats it on your machine, with the "
    "packages of `pip install --group bench` and a redis-server."
)


def _method(run: Run) -> str:
    pinned = ""
    if run.cpus is not None:
        pinned = f", on processor {run.cpus[1]}, and the servers on processor {run.cpus[0]}"
    return f"""\
- One member says something, and it is sent to all; the next time when all of them have it. The
  figure is the processor time of the server's processes (user and kernel, all threads), divided
  by the deliveries. The members are in a process of their own{pinned}.
- Everything is open at the same time and measured turn by turn: {run.turns} turns of
  {run.seconds:g} s each, or of one message to all. Costs are medians; ratios are medians of the
  ratios within a turn.
- *bare socket.send* is a loop of that call over as many plain sockets, in Python, with the same
  frame. *bare ASGI send* is a loop over the server's own `await send()`: what any application on
  that server pays at least.
- dwebsocket: handlers. Channels: async consumers, with the channel layers `InMemoryChannelLayer`
  and `channels_redis.core.RedisChannelLayer`.
- Channels is not measured with 10,000 members in one process: for each message that its memory
  layer hands to a consumer it looks at all channels, and one message to all takes half a minute.
- Through Redis the processor time of redis-server is shown by itself. All four processes have one
  processor.
- The reader that stops is one of {MEMBERS + 1:,}; messages have {SIZE // 1024} KiB then. The 99th
  percentile is that of the time between the question and each delivery to one of the others, from
  when it joins until it is closed. What was left for it had waited in the server
  (`WEBSOCKET_MAX_SEND_BUFFER`, 1 MiB) and in the system's buffers."""
