"""`python -m bench.fanout`: what it costs to send one message to many.

The members of a group are opened on every server, and stay open; then all servers are measured turn
by turn: one member has a message sent to everybody, and the next when everybody has it. The figure
is the processor time of the server for one delivery, beside that of a bare loop of socket.send. It
becomes a section of docs/benchmarks.md.
Four parts: in one process (memory), over four processes of this machine (machine), the same through
Redis (redis), and with a reader that has stopped (stalled, see bench.stalled).
"""

import argparse
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import fanout_report, machine, report, stalled
from bench.choosing import add_choice, by_name
from bench.fanout_report import Group, Run
from bench.members import TIMEOUT, MembersError, MembersProcess
from bench.processes import Process, StartError, choose_cpus
from bench.servers import FANOUT

PARTS = ("memory", "machine", "redis", "stalled")
SMALL, LARGE = 1000, 10_000
PROCESSES = 4


def main() -> int:
    options = parse_arguments()
    allow_descriptors(LARGE)
    cpus = choose_cpus()
    if cpus is None:
        print(report.UNPINNED, file=sys.stderr)
    run = Run(options.turns, options.seconds, cpus, machine.describe(), command_line())
    started = time.monotonic()
    if "memory" in options.parts:
        large = [kind for kind in options.only if "channels" not in kind.packages]
        measure(
            [
                *(Group(kind, SMALL) for kind in options.only),
                *(Group(kind, LARGE) for kind in large),
            ],
            run,
        )
    if "machine" in options.parts:
        kinds = [kind for kind in options.only if kind.is_ours]
        memory = [] if "memory" in options.parts else [Group(kind, LARGE) for kind in kinds]
        measure([*memory, *(Group(kind, LARGE, PROCESSES, "machine") for kind in kinds)], run)
    if "redis" in options.parts:
        kinds = [kind for kind in options.only if not kind.name.startswith("bare")]
        with start_redis() as pid:
            measure([Group(kind, LARGE, PROCESSES, "Redis") for kind in kinds], run, pid)
    if "stalled" in options.parts:
        for kind in stalled.SERVERS.values():
            if kind in options.only:
                run.slow.append(stalled.measure(kind, options.turns))
                print(stalled.describe(run.slow[-1]), flush=True)
    run.facts.append(("Time taken", f"{(time.monotonic() - started) / 60:.1f} minutes"))
    print("\n" + fanout_report.summary(run))
    write(run, options)
    return 1 if run.failures else 0


def measure(groups: list[Group], run: Run, redis: int | None = None) -> None:
    """Every group once, then again: a noisy minute hits all of them."""
    with ExitStack() as stack:
        opened = {}
        for group in groups:
            try:
                opened[group] = open_members(stack, group, run)
            except (StartError, MembersError) as failure:
                run.failures[group] = str(failure)
        for number in range(1, run.turns + 1):
            for group, members in opened.items():
                if group in run.failures:
                    continue
                try:
                    turn = members.measure(run.seconds, redis)
                except MembersError as failure:
                    run.failures[group] = str(failure)
                    continue
                run.found.setdefault(group, []).append(turn)
                print(f"[{number}/{run.turns}] {group}: {turn.cost:.2f} µs", flush=True)


def open_members(stack: ExitStack, group: Group, run: Run) -> MembersProcess:
    os.environ["BENCH_PREFIX"] = group.server.name  # all have one Redis, or one machine
    os.environ["BENCH_CARRIER"] = group.carrier
    servers = [stack.enter_context(Process(group.server, run.cpus)) for _ in range(group.processes)]
    return stack.enter_context(MembersProcess(servers, group.count))


@contextmanager
def start_redis() -> Iterator[int]:
    """A redis-server of our own, which the servers are told of."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        path = Path(directory) / "redis.sock"
        process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", directory],
            stdout=subprocess.DEVNULL,
        )
        os.environ["BENCH_REDIS"] = f"unix://{path}"
        try:
            deadline = time.monotonic() + TIMEOUT
            while not path.exists():
                assert time.monotonic() < deadline, "redis-server does not start"
                time.sleep(0.05)
            yield process.pid
        finally:
            del os.environ["BENCH_REDIS"]
            process.kill()
            process.wait()


def allow_descriptors(count: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if count + 100 > hard:
        sys.exit(f"{count} members need as many descriptors; this process may open {hard} files.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def write(run: Run, options: argparse.Namespace) -> None:
    if options.no_write:
        return
    ours_failed = any(group.server.is_ours for group in run.failures)
    if options.only != FANOUT or options.parts != PARTS or ours_failed:
        print(
            f"Nothing written: {report.PAGE.name} needs all servers and parts, and no failure of "
            "ours."
        )
        return
    report.write_fanout(fanout_report.section(run))
    print(f"Written: a section of docs/{report.PAGE.name}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--turns", type=int, default=5, help="how often (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=1, help="length of a turn (default: %(default)s)"
    )
    add_choice(parser, "--only", "SERVER", by_name(FANOUT))
    add_choice(parser, "--parts", "PART", {part: part for part in PARTS})
    parser.add_argument("--no-write", action="store_true", help="print only; leave docs/ as it is")
    options = parser.parse_args()
    if options.turns < 1 or options.seconds <= 0:
        parser.error("--turns must be at least 1 and --seconds more than 0")
    return options


def command_line() -> str:
    return shlex.join(["python", "-m", "bench.fanout", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
