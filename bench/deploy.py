"""`python -m bench.deploy`: a site is restarted again and again while its clients talk.

Two workers (daphne: one process) hold the clients; some of them talk, some are members of a group
that is sent to all the while. What was lost, came twice or in another order, who was closed and how
long anybody waited for an answer is counted by the clients.
"""

import argparse
import os
import statistics
import sys
import time

from bench import machine
from bench.choosing import add_choice
from bench.deploy_clients import Clients, Found
from bench.deploys import SERVERS, Deployed, Running
from bench.fanout import allow_descriptors, start_redis

#: Seconds before the first restart, between two, and for those that were closed in the end.
QUIET, PATIENCE = 1.0, 60.0


def main() -> int:
    options = parse_arguments()
    allow_descriptors(options.clients)
    print("; ".join(f"{name}: {value}" for name, value in machine.describe()), flush=True)
    is_good = True
    for kind in options.only:
        if kind.needs_redis:
            with start_redis():
                found = measure(kind, options)
        else:
            found = measure(kind, options)
        is_good = is_good and not (found.lost or found.doubled or found.disordered)
    return 0 if is_good else 1


def measure(kind: Deployed, options: argparse.Namespace) -> Found:
    """Restart it so often; what the clients have found."""
    with Running(kind) as server:
        clients = Clients(
            server.port, options.clients, options.talkers, options.members, options.rate
        )
        clients.open()
        run_for(clients, QUIET)
        level = [server.measure()]
        took = []
        before = summary(clients.found.silences)
        clients.found.silences.clear()
        for _ in range(options.restarts):
            started = time.monotonic()
            server.restart()
            clients.run(server.is_restarted)
            took.append(time.monotonic() - started)
            run_for(clients, QUIET)
            level.append(server.measure())
        wait_for_all(clients)
        found = clients.found
        found.silence = max(found.silences, default=0.0)
        during = summary(found.silences)
        clients.ask_all()
    report(kind, options, found, took, level, before, during)
    return found


def run_for(clients: Clients, seconds: float) -> None:
    until = time.monotonic() + seconds
    clients.run(lambda: time.monotonic() > until)


def wait_for_all(clients: Clients) -> None:
    until = time.monotonic() + PATIENCE
    clients.run(lambda: clients.all_open or time.monotonic() > until, talking=False)


def summary(silences: list[float]) -> str:
    if len(silences) < 2:
        return "-"
    cuts = statistics.quantiles(silences, n=1000)
    return f"{cuts[499] * 1000:.1f}/{cuts[989] * 1000:.0f}/{max(silences) * 1000:.0f} ms"


def report(
    kind: Deployed,
    options: argparse.Namespace,
    found: Found,
    took: list[float],
    level: list[tuple[float, int]],
    before: str,
    during: str,
) -> None:
    closed = ", ".join(f"{count:,} by {code or 'no Close'}" for code, count in found.closed.items())
    print(
        f"{kind.title}: {options.clients:,} clients, {options.restarts} restarts of "
        f"{statistics.mean(took):.1f} s; {found.sent:,} messages, {found.answers:,} answers: "
        f"{found.lost} lost, {found.doubled} twice, {found.disordered} out of order, "
        f"{found.forgotten} counts forgotten; {found.group_sent:,} to the group, "
        f"{found.group_received:,} received: {found.group_lost} lost, {found.group_doubled} twice; "
        f"closed: {closed or 'nobody'}; came again: {found.reconnects:,}, after {found.away:.1f} s "
        f"at most, {found.refused:,} tries refused; an answer took (median/99 %/longest) {before} "
        f"before, {during} meanwhile; MiB "
        + " ".join(f"{size:.0f}" for size, _ in level)
        + "; descriptors "
        + " ".join(str(count) for _, count in level),
        flush=True,
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--talkers", type=int, default=500, help="of these so many send")
    parser.add_argument("--members", type=int, default=100, help="so many are in the group")
    parser.add_argument("--rate", type=float, default=1000, help="messages a second, both ways")
    parser.add_argument("--restarts", type=int, default=10)
    add_choice(parser, "--only", "SERVER", SERVERS)
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.project.settings")
    sys.exit(main())
