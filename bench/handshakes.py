"""`python -m bench.handshakes`: what a handshake costs, against a plain view on the same server.

All of them in one process, turn by turn, with a connection for each request; the client leaves when
it has the answer.
"""

import argparse
import statistics
import sys
from dataclasses import replace

from bench import load
from bench.choosing import add_choice, by_name
from bench.processes import Process, choose_cpus
from bench.servers import SERVERS, Server
from bench.works import Work

AT_ONCE = 32

#: What is asked for, and how.
ASKED = {"plain view": ("get", "/plain/"), "view": ("connect", "/echo/")}
ASKED["handler"] = ("connect", "/handler/")


def measure(server: Server, turns: int, seconds: float) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in ASKED}
    with Process(server, choose_cpus()) as process:
        for turn in range(turns + 1):
            for name, (mode, path) in ASKED.items():
                process.kind = replace(server, path=path)
                cost = load.measure(process, Work(name, name, "µs", mode, AT_ONCE), seconds)
                if turn:  # the first is to warm up
                    found[name].append(cost)
    return found


def main() -> int:
    known = by_name(server for server in SERVERS if server.is_ours and not server.module)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    add_choice(parser, "--only", "SERVER", known)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    options = parser.parse_args()
    load.build()
    for server in options.only:
        found = measure(server, options.turns, options.seconds)
        costs = {name: statistics.median(figures) for name, figures in found.items()}
        said = (f"{name} {cost:.0f} µs" for name, cost in costs.items())
        ratios = (f"{name} {costs[name] / costs['plain view']:.2f} x" for name in ASKED)
        print(f"{server.title}: {', '.join(said)}: {', '.join(ratios)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
